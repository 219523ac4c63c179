"""What needs the compiler, the formatter or a build: headers alone, symbols' names, the format."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from tree import rule

PACKAGES = ["grpc", "libprotobuf-c", "libuv", "icu-uc", "libcrypto", "libcurl", "libcjson", "openblas", "cmocka"]
INSTRUCTION_SETS = {"avx2": ["-mavx2", "-mfma", "-mf16c"],
                    "avx512": ["-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]}


@lru_cache
def package_flags():
    """The include flags of the packages that are there; a header that needs a missing one fails by itself."""
    flags = []
    for package in PACKAGES:
        run = subprocess.run(["pkg-config", "--cflags", package], capture_output=True, text=True, check=False)
        flags += run.stdout.split() if run.returncode == 0 else []
    return sorted(set(flags))


@rule("every header compiles alone", offences=[
    {"server/base/a.h": "#pragma once\nvoid f(size_t a);\n"},
    {"server/base/a.h": '#pragma once\n#include "base/missing.h"\n'},
], innocent=[{"server/base/a.h": '#pragma once\n#include <stddef.h>\n#include "base/b.h"\nB f(size_t a);\n',
              "server/base/b.h": "#pragma once\ntypedef int B;\n"}])
def header_alone(tree):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        yield "no C compiler"
        return
    includes = [f"-I{tree.root / folder}" for folder in ("server", "client", "proto", "tests")]
    includes += [f"-isystem{tree.build / 'proto'}", f"-I{tree.build / 'server'}", *package_flags()]

    def compile_one(path):
        sets = next((flags for name, flags in INSTRUCTION_SETS.items() if f"/{name}/" in path), [])
        command = [compiler, "-std=c17", "-D_GNU_SOURCE", "-DHEADLIGHT_X86=1", "-DTESTS_DATA=\"\"",
                   "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *sets, *includes,
                   "-include", str(tree.root / path), "-x", "c", "/dev/null"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        first = next((line for line in run.stderr.split("\n") if "error" in line), run.stderr[:200])
        return f"{path} does not compile alone: {first}" if run.returncode else None

    with ThreadPoolExecutor(2) as pool:
        yield from filter(None, pool.map(compile_one, tree.matching(r"(server|client|tests|proto)/.*\.h$")))


# A file whose symbols carry a type's name instead: an Error is what a Status came with.
ALSO = {"server/base/status.c": ["error"]}


def symbol_prefixes(tree, source):
    """How a symbol of `source` may begin: with a folder, the file, or the first word that files of the folder share."""
    prefixes = [part for part in source.with_suffix("").parts if part != "server"]
    family = source.stem.split("_")[0]
    siblings = tree.matching(re.escape(source.parent.as_posix()) + rf"/{re.escape(family)}(_\w+)?\.c$")
    return prefixes + [family] * (len(siblings) > 1) + ALSO.get(source.as_posix(), [])


@rule("an external symbol begins with its folder's, its file's or its family of files' name", offences=[
    {"server/base/arena.c": "", "build/server/CMakeFiles/a.dir/base/arena.c.o": "int arena_open; int helper;\n"},
    {"client/main.c": "", "build/client/CMakeFiles/a.dir/main.c.o": "int run(void) { return 0; }\n"},
    {"client/embed_print.c": "", "build/client/CMakeFiles/a.dir/embed_print.c.o": "int embed_read;\n"},
    {"server/base/arena.c": ""},
], innocent=[
    {"server/kernels/avx2/gelu.c": "", "build/server/CMakeFiles/a.dir/kernels/avx2/gelu.c.o":
     "int kernels_a, avx2_b, gelu, gelu_c; static int d; int *gelu_d = &d;\n"},
    {"client/main.c": "", "build/client/CMakeFiles/a.dir/main.c.o": "int main(void) { return 0; }\n"},
    {"client/embed_print.c": "", "client/embed.c": "",
     "build/client/CMakeFiles/a.dir/embed_print.c.o": "int embed_read;\n"},
    {"client/main.c": "", "build/client/CMakeFiles/a.dir/gone.c.o": "int helper;\n"},
])
def symbol_names(tree):
    objects = sorted(tree.build.glob("server/CMakeFiles/*.dir/**/*.c.o"))
    objects += sorted(tree.build.glob("client/CMakeFiles/*.dir/**/*.c.o"))
    if not objects:
        yield f"nothing is built in {tree.build}: tests/run builds first"
    for built in objects:
        folder = next(parent for parent in built.parents if parent.name.endswith(".dir"))
        source = Path(folder.parent.parent.name) / built.relative_to(folder).with_suffix("")
        if source.as_posix() not in tree.paths:
            continue  # left over from a file that is gone
        run = subprocess.run(["nm", "-g", "--defined-only", "--format=posix", str(built)],
                             capture_output=True, text=True, check=True)
        prefixes = symbol_prefixes(tree, source)
        for line in run.stdout.splitlines():
            symbol = line.split()[0]
            named = any(symbol == prefix or symbol.startswith(prefix + "_") for prefix in prefixes)
            if not named and not (symbol == "main" and source.name == "main.c"):
                yield f"{source.as_posix()}: {symbol} begins with none of {', '.join(prefixes)}"


@rule("C is formatted by clang-format 14", offences=[
    {"server/base/a.c": "int  a;\n", ".clang-format": "BasedOnStyle: LLVM\n"},
], innocent=[{"server/base/a.c": "int a;\n", ".clang-format": "BasedOnStyle: LLVM\n"}])
def formatted(tree):
    version = subprocess.run([tree.clang_format, "--version"], capture_output=True, text=True, check=False).stdout
    if not re.search(r"version 14\.", version):
        yield f"{tree.clang_format} is {version.strip() or 'missing'}; version 14 defines the format"
        return
    paths = tree.matching(r"(server|client|tests|proto)/.*\.[ch]$")
    if not paths:
        return
    run = subprocess.run([tree.clang_format, "--dry-run", "--Werror", *paths], cwd=tree.root,
                         capture_output=True, text=True, check=False)
    for path in sorted(set(re.findall(r"^(\S+?):\d+:\d+: error:", run.stderr, re.MULTILINE))):
        yield f"{path}: run clang-format -i {path}"
    if run.returncode and "error:" not in run.stderr:
        yield run.stderr.strip()
