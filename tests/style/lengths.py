"""How long a file and a function may be."""

import ast

from tree import c_functions, rule

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_USUAL = 40
USUAL_SHARE = 0.95
LINE_COLUMNS_MAX = 120
DATA_BYTES_MAX = 2 * 1024 * 1024
DEFAULT_MODEL = "deploy/models/sentiment/model.safetensors"  # served from a clone, without a download
DEFAULT_MODEL_BYTES_MAX = 8 * 1024 * 1024


def c_function(lines):
    return "int f(void)\n{\n" + "    f();\n" * (lines - 3) + "}\n"


def functions(tree):
    """(path, name, first line, length) of every function in C and Python."""
    for path in tree.c_sources():
        for name, first, last in c_functions(tree.text(path)):
            yield path, name, first, last - first + 1
    for path in python_files(tree):
        for node in ast.walk(parsed(tree, path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield path, node.name, node.lineno, node.end_lineno - node.lineno + 1


def python_files(tree):
    return sorted(set(tree.matching(r".*\.py$")) | set(tree.scripts("python3?")))


def parsed(tree, path):
    try:
        return ast.parse(tree.text(path))
    except SyntaxError:  # another rule's finding
        return ast.Module(body=[], type_ignores=[])


@rule(f"no function is longer than {FUNCTION_LINES_MAX} lines", offences=[
    {"server/base/a.c": c_function(71)},
    {"tests/unit/base/a_test.c": "struct a {\n    int b;\n};\n\n" + c_function(71)},
    {"server/base/a.c": "static const char *const a[] = {\"}\", \"{\"};\n#define B {\n\n" + c_function(71)},
    {"tests/a.py": "def f():\n" + "    f()\n" * 70},
], innocent=[{"server/base/a.c": c_function(70)}])
def function_length(tree):
    for path, name, first, length in functions(tree):
        if length > FUNCTION_LINES_MAX:
            yield f"{path}:{first}: {name} has {length} lines, the limit is {FUNCTION_LINES_MAX}"


@rule(f"{USUAL_SHARE:.0%} of functions are within {FUNCTION_LINES_USUAL} lines", offences=[
    {"server/base/a.c": c_function(41) + c_function(10) * 18},
], innocent=[{"server/base/a.c": c_function(41) + c_function(40) * 19}])
def usual_length(tree):
    found = list(functions(tree))
    long = sorted((length, path, name) for path, name, _, length in found if length > FUNCTION_LINES_USUAL)
    if len(long) > (1 - USUAL_SHARE) * len(found) + 1e-9:
        for length, path, name in reversed(long):
            yield f"{path}: {name} has {length} lines ({len(long)} of {len(found)} are over {FUNCTION_LINES_USUAL})"


@rule(f"no file is longer than {FILE_LINES_MAX} lines", offences=[
    {"server/base/a.h": "/* a */\n" * 501},
    {"deploy/a": "#!/usr/bin/env bash\n" * 501},
], innocent=[{"server/base/a.h": "/* a */\n" * 500, "tests/golden/a.txt": "a\n" * 501, "proto/a.proto": "//\n" * 501}])
def file_length(tree):
    for path in tree.text_paths():
        lines = tree.text(path).count("\n")
        # Clients generate code of an API by the names of its files, so it cannot be split later.
        if lines > FILE_LINES_MAX and not path.endswith((".md", ".proto")):
            yield f"{path}: {lines} lines, the limit is {FILE_LINES_MAX}"


@rule(f"no line of code is wider than {LINE_COLUMNS_MAX} columns", offences=[
    {"server/base/a.h": "/*" + "a" * 120 + "*/\n"},
    {"tests/a.py": "#" + "a" * 120 + "\n"},
], innocent=[{"server/base/a.c": "/*" + "ä" * 116 + "*/\n", "README.md": "a" * 200}])
def line_width(tree):
    for path in tree.text_paths():
        if path.endswith((".md", ".proto", ".def")):
            continue  # a row of a table is a line
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if len(line) > LINE_COLUMNS_MAX:
                yield f"{path}:{number}: {len(line)} columns"


@rule(f"no file but the default model is larger than {DATA_BYTES_MAX >> 20} MiB", offences=[
    {"tests/golden/a.bin": "a" * (DATA_BYTES_MAX + 1)},
    {DEFAULT_MODEL: "a" * (DEFAULT_MODEL_BYTES_MAX + 1)},
], innocent=[{"tests/golden/a.bin": "a" * DATA_BYTES_MAX, "models/a.bin": "a" * (DATA_BYTES_MAX + 1)},
             {DEFAULT_MODEL: "a" * DEFAULT_MODEL_BYTES_MAX}])
def file_size(tree):
    for path in tree.paths:
        size = (tree.root / path).stat().st_size
        if size > (DEFAULT_MODEL_BYTES_MAX if path == DEFAULT_MODEL else DATA_BYTES_MAX):
            yield f"{path}: {size} bytes; a script that makes it is committed instead"
