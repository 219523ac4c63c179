"""Which folder may include which, and which files may include a foreign package's headers."""

import re

from tree import c_without_comments, rule

# A folder may include these, whatever they may include, and itself.
BELOW = {
    "base": [],
    "unicode": ["base"],
    "sanitizer": ["unicode"],
    "tokenizer": ["unicode"],
    "model": ["base"],
    "kernels": ["base"],
    "attention": ["kernels"],
    "encoder": ["model", "attention"],
    "explain": ["encoder"],
    "pipeline": ["sanitizer", "tokenizer", "encoder", "explain"],
    "scheduler": ["base"],
    "admin": ["base"],
    "proto": [],
    "registry": ["pipeline"],
    "rpc": ["registry", "scheduler", "proto"],
    "service": ["rpc", "admin"],
    "main": ["service"],
    "client": ["proto", "base"],
}

# A package's headers, and the only files of server/ and client/ that may include them.
DOORS = [
    ("protobuf-c", r"protobuf-c/|.*\.pb-c\.h$", r"server/rpc/.*codec|client/"),
    ("gRPC C core", r"grpc/", r"server/rpc/(?!.*codec)|client/channel\.c$"),
    ("libuv", r"uv\.h$|uv/", r"server/rpc/(?!.*codec)|server/admin/|server/service(_\w+)?\.[ch]$"),
    ("libmicrohttpd", r"microhttpd", r"server/admin/admin\.c$"),
    ("OpenBLAS", r"cblas|openblas|lapack", r"server/kernels/[^/]*\.c$"),
    ("ICU", r"unicode/", r"server/unicode/.*\.c$"),
    ("cJSON", r"cjson/|cJSON", r"server/base/json\.c$"),
    ("libcurl", r"curl/", r"client/(pull|hub)\w*\.c$"),
    ("OpenSSL", r"openssl/", r"server/base/sha256\.c$"),
    ("PCRE2", r"pcre2", r"server/tokenizer/pattern\.c$"),
    ("compiler intrinsics", r".*intrin\.h$|arm_neon\.h$", r"server/kernels/(avx2|avx512|neon)/"),
]
ONE_FILE_DOORS = {"libmicrohttpd", "OpenBLAS", "cJSON", "OpenSSL", "PCRE2"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(tree, path):
    """(line number, '<' or '"', what is included) of a C file."""
    code = c_without_comments(tree.text(path), keep_strings=True)
    for match in INCLUDE.finditer(code):
        yield code.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def reachable(folder):
    """`folder` and every folder below it."""
    found, waiting = set(), [folder]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(BELOW.get(name, []))
    return found


def folder_of(path):
    """The layer a file of ours belongs to."""
    if path.startswith("server/"):
        parts = path.split("/")
        if len(parts) > 2:
            return parts[1]
        return "main" if parts[1] == "main.c" else "service"
    return path.split("/")[0]


def included_file(tree, path, name):
    """The path of our file that `path` means by #include "name"; None where it is not ours."""
    for candidate in (path.rsplit("/", 1)[0] + "/" + name, "server/" + name, "client/" + name, "proto/" + name):
        if candidate in tree.paths:
            return candidate
    if name.endswith(".pb-c.h"):
        return "proto/" + name
    return None


def sources(tree):
    return tree.matching(r"(server|client|proto)/.*\.(c|h|def)$")


@rule("a lower folder never includes a higher one", offences=[
    {"server/base/a.c": '#include "scheduler/b.h"\n', "server/scheduler/b.h": ""},
    {"server/tokenizer/a.h": '#  include "model/b.h"\n', "server/model/b.h": ""},
    {"server/scheduler/a.c": '#include "headlight/v1/headlight.pb-c.h"\n'},
    {"server/rpc/a.c": '#include "service.h"\n', "server/service.h": ""},
    {"client/a.c": '#include "rpc/b.h"\n', "server/rpc/b.h": ""},
    {"server/stranger/a.c": ""},
    {"server/base/a.c": '#include "nowhere.h"\n'},
    {"server/base/a.c": '#include <base/b.h>\n', "server/base/b.h": ""},
    {"server/base/a.c": '#include "../base/b.h"\n', "server/base/b.h": ""},
], innocent=[
    {"server/base/a.c": '#include "a.h"\n#include <stdio.h>\n', "server/base/a.h": ""},
    {"server/explain/a.c": '#include "base/b.h"\n', "server/base/b.h": ""},
    {"server/base/a.c": '/*\n#include "rpc/b.h"\n*/\n', "server/rpc/b.h": ""},
    {"server/main.c": '#include "service.h"\n', "server/service.h": '#include "rpc/b.h"\n', "server/rpc/b.h": ""},
])
def layer_order(tree):
    for path in sources(tree):
        folder = folder_of(path)
        if folder not in BELOW:
            yield f"{path}: folder {folder!r} has no place in the order of layers (tests/style/layers.py)"
            continue
        for line, kind, name in includes(tree, path):
            target = included_file(tree, path, name)
            if kind == "<":
                if target and not name.endswith(".pb-c.h"):
                    yield f'{path}:{line}: a file of ours is included as "{name}", not <{name}>'
            elif ".." in name.split("/"):
                yield f"{path}:{line}: {name} climbs; name it from server/"
            elif target is None:
                if not (package_of(name) or is_foreign(name)):
                    yield f"{path}:{line}: {name} is not in this tree"
            elif folder_of(target) not in reachable(folder):
                yield f"{path}:{line}: {folder} may not include {folder_of(target)} ({name})"


def is_foreign(name):
    """A generated header is named as if it were ours."""
    return name.endswith(".pb-c.h")


def package_of(name):
    return next((package for package, header, _ in DOORS if re.match(header, name)), None)


@rule("a package is included through its one door", offences=[
    {"server/scheduler/a.c": "#include <uv.h>\n"},
    {"server/base/a.c": "#include <cjson/cJSON.h>\n"},
    {"client/embed.c": "#include <grpc/grpc.h>\n"},
    {"server/rpc/codec_a.c": "#include <grpc/slice.h>\n"},
    {"server/rpc/server.c": '#include "headlight/v1/headlight.pb-c.h"\n'},
    {"server/tokenizer/a.c": "#include <unicode/uchar.h>\n"},
    {"server/unicode/a.h": "#include <unicode/uchar.h>\n"},
    {"server/encoder/a.c": "#include <cblas.h>\n"},
    {"server/kernels/a.c": "#include <cblas.h>\n", "server/kernels/b.c": "#include <cblas.h>\n"},
    {"server/kernels/reference/a.c": "#include <immintrin.h>\n"},
    {"client/embed.c": "#include <curl/curl.h>\n"},
    {"server/model/a.c": "#include <openssl/sha.h>\n"},
    {"server/pipeline/a.c": "#define PCRE2_CODE_UNIT_WIDTH 8\n#include <pcre2.h>\n"},
], innocent=[
    {"server/tokenizer/a.c": '#include "unicode/utf8.h"\n', "server/unicode/utf8.h": ""},
    {"server/unicode/a.c": "#include <unicode/uchar.h>\n"},
    {"server/rpc/server.c": "#include <grpc/grpc.h>\n#include <uv.h>\n"},
    {"server/rpc/embed_codec.c": '#include "headlight/v1/headlight.pb-c.h"\n'},
    {"server/rpc/health_codec.c": '#include "grpc/health/v1/health.pb-c.h"\n'},
])
def one_door(tree):
    users = {}
    for path in sources(tree):
        for line, kind, name in includes(tree, path):
            package = package_of(name)
            if package is None or (package == "ICU" and included_file(tree, path, name)):
                continue
            users.setdefault(package, set()).add(path)
            door = next(files for other, _, files in DOORS if other == package)
            if not re.match(door, path):
                yield f"{path}:{line}: {package}'s {name} is included only by {door}"
    for package in ONE_FILE_DOORS:
        if len(users.get(package, ())) > 1:
            yield f"{package} is included by more than one file: {', '.join(sorted(users[package]))}"
