"""Words, comments, white space and syntax of code and documents."""

import re
import subprocess

from lengths import python_files
from tree import rule

# Each word is spelled so that this file does not contain it.
FORBIDDEN = [
    ("an unfinished thought", re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")),
    ("who or what wrote it", re.compile(r"\b(ses" r"sions?|cla" r"ude|anth" r"ropic|chat" r"gpt)\b", re.IGNORECASE)),
    ("an issue's number", re.compile(r"\bissues? " r"#?\d", re.IGNORECASE)),
    ("a machine's path", re.compile(r"(?<![\w.])/wo" r"rk/|(?<![\w.])/ro" r"ot/|(?<![\w.])/ho" r"me/\w")),
    ("a registry's host", re.compile(r"\.pk" r"g\.dev|artifact-" r"registry|artifact" r"registry", re.IGNORECASE)),
    ("a person's address", re.compile(r"[\w.]+@[\w.-]*\.r-seed")),
]


def spelled(*parts):
    return "".join(parts)


@rule("no word speaks of the workshop instead of the work", offences=[
    {"server/base/a.c": spelled("/* TO", "DO: later */\n")},
    {"tests/a.py": spelled("# FIX", "ME\n")},
    {"README.md": spelled("Written in a ses", "sion.\n")},
    {"README.md": spelled("See issue", " 3.\n")},
    {"deploy/a": spelled("#!/usr/bin/env bash\ncd /wo", "rk/main\n")},
    {"deploy/Dockerfile": spelled("FROM europe-docker.pk", "g.dev/a\n")},
], innocent=[
    {"README.md": spelled("Ses", "sionless; `onnxruntime.InferenceSes", "sion`; grpc#9656; docs/wo", "rk/a\n")},
])
def forbidden_words(tree):
    # ONNX Runtime calls a loaded model so.
    onnx_users = {path for path in tree.text_paths() if "import onnxruntime" in tree.text(path)}
    for path in tree.text_paths():
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            for what, pattern in FORBIDDEN:
                match = pattern.search(line)
                if match and not (match.group(0).startswith("ses") and path in onnx_users):
                    yield f"{path}:{number}: {what}: {match.group(0)!r}"


@rule("white space is clean", offences=[
    {"server/base/a.c": "int a; \n"}, {"README.md": "a\t\n"}, {"tests/a.py": "a = 1"}, {"server/base/a.h": "a\n\n"},
    {"server/base/a.c": "\tint a;\n"}, {"deploy/a.sh": "a\r\n"},
], innocent=[{"server/base/a.c": "int a;\n", "server/base/b.c": "", "README.md": "\tin Go\n"}])
def white_space(tree):
    for path in tree.text_paths():
        text = tree.text(path)
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{path}:{number}: white space at the end of the line"
            if line.startswith("\t") and not path.endswith(".md"):
                yield f"{path}:{number}: indented by a tab"
        if text and not text.endswith("\n"):
            yield f"{path}: no newline at the end"
        if text.endswith("\n\n"):
            yield f"{path}: an empty line at the end"


@rule("a C file opens with its purpose, a header with #pragma once after it", offences=[
    {"server/base/a.h": "#pragma once\n"},
    {"server/base/a.h": "/* What it is for. */\n\nint a;\n"},
    {"server/base/a.c": '#include "base/a.h"\n'},
    {"server/kernels/avx2/a.c": "int a;\n"},
    {"server/base/a.def": "A(b)\n"},
    {"server/base/a.h": "/* a */\n#pragma once\n"},
], innocent=[
    {"server/base/a.h": "/* What it is for. */\n#pragma once\n", "tests/a.c": "/* Runs all of it. */\n"},
    {"server/base/a.c": "int a;\n", "server/base/a.h": "/* What it is for. */\n#pragma once\n"},
    {"server/kernels/avx2/a.c": "int a;\n", "server/kernels/reference/a.c": "/* What it computes. */\n"},
    {"tests/unit/base/a_test.c": "int a;\n"},
])
def opening_comment(tree):
    for path in tree.c_sources() + tree.matching(r"(server|client)/.*\.def$"):
        if explained_elsewhere(tree, path):
            continue
        opening = re.match(r"/\*(.*?)\*/|//([^\n]*)", tree.text(path), re.DOTALL)
        if not opening or len((opening.group(1) or opening.group(2)).split()) < 3:
            yield f"{path}:1: does not open with a comment that says its purpose"
        elif path.endswith(".h"):
            code = tree.text(path)[opening.end():].lstrip()
            if not code.startswith("#pragma once"):
                yield f"{path}: #pragma once does not follow the opening comment"


@rule("Python compiles and opens with its purpose", offences=[
    {"tests/a.py": "def f(:\n"}, {"tests/tool": "#!/usr/bin/env python3\nreturn = 1\n"}, {"tests/a.py": "a = 1\n"},
], innocent=[{"tests/a.py": '"""Is a test."""\n', "tests/b/__init__.py": ""}])
def python_syntax(tree):
    for path in python_files(tree):
        try:
            compile(tree.text(path), path, "exec", dont_inherit=True)
        except SyntaxError as error:
            yield f"{path}:{error.lineno}: {error.msg}"
        if tree.text(path).strip() and not re.match(r'(#.*\n|\s)*(r?""")', tree.text(path)):
            yield f"{path}:1: does not open with a docstring"


@rule("shell scripts parse, stop at errors and open with their purpose", offences=[
    {"deploy/a": "#!/usr/bin/env bash\n# Does it.\nset -euo pipefail\nif true; then\n"},
    {"deploy/a": "#!/usr/bin/env bash\n# Does it.\necho a\n"},
    {"deploy/a": "#!/usr/bin/env bash\nset -euo pipefail\n"},
], innocent=[{"deploy/a": "#!/usr/bin/env bash\n# Does it.\nset -euo pipefail\n"}])
def shell_syntax(tree):
    for path in sorted(set(tree.scripts("bash") + tree.scripts("sh") + tree.matching(r".*\.sh$"))):
        run = subprocess.run(["bash", "-n", str(tree.root / path)], capture_output=True, text=True, check=False)
        if run.returncode:
            yield run.stderr.strip().replace(str(tree.root) + "/", "")
        if not re.search(r"^set -[a-z]*u", tree.text(path), re.MULTILINE):
            yield f"{path}: does not say `set -euo pipefail` (or `set -u` where it goes on after failures)"
        if not re.match(r"#![^\n]*\n# \w", tree.text(path)):
            yield f"{path}:2: does not open with a comment that says its purpose"


def explained_elsewhere(tree, path):
    """A source's purpose may stand in its header, a test's in what it mirrors, a kernel variant's in the reference."""
    reference = re.sub(r"/kernels/\w+/", "/kernels/reference/", path)
    return path.endswith(".c") and (path[:-1] + "h" in tree.paths or path.startswith("tests/unit/")
                                    or (reference != path and reference in tree.paths))


LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")


@rule("a link in a document leads to a file", offences=[
    {"README.md": "[a](nowhere.md)\n"}, {"server/ARCHITECTURE.md": "[a](server/base)\n", "server/base/a.h": ""},
], innocent=[{"README.md": "[a](server/b.md#part) [c](https://example.org) [d](#here) [e](server/)\n",
              "server/b.md": ""}])
def links(tree):
    for path in tree.matching(r".*\.md$"):
        for target in LINK.findall(tree.text(path)):
            file = target.split("#")[0]
            if file and "://" not in target and not (tree.root / path).parent.joinpath(file).exists():
                yield f"{path}: {target} leads nowhere"
