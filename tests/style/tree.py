"""The files that a rule looks at, C source without comments and strings, and what a rule is."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# At the root only: what is built, downloaded or installed, and what git keeps.
SKIPPED_AT_ROOT = re.compile(r"^(build.*|models|\.git|\.venv|\.cache)$")
SKIPPED_ANYWHERE = {"__pycache__", ".pytest_cache"}
# Code and documents; anything else in the tree is data.
TEXT_SUFFIXES = {".c", ".h", ".S", ".def", ".py", ".sh", ".cmake", ".proto", ".md", ".yaml", ".yml", ".toml", ".supp",
                 ".js", ".css", ".html"}
TEXT_NAMES = {"CMakeLists.txt", "Dockerfile", ".clang-format", ".editorconfig", ".gitignore", ".dockerignore"}


class Tree:
    """A folder of files, read once. `build` is the folder that holds a release build of it."""

    def __init__(self, root, build=None, clang_format="clang-format"):
        self.root = Path(root)
        self.build = Path(build) if build else self.root / "build"
        self.clang_format = clang_format
        self.paths = sorted(self._walk())
        self._texts = {}

    def _walk(self):
        for folder, folders, files in os.walk(self.root):
            relative = Path(folder).relative_to(self.root)
            at_root = relative == Path(".")
            folders[:] = [f for f in folders if f not in SKIPPED_ANYWHERE
                          and not (at_root and SKIPPED_AT_ROOT.match(f))]
            for name in files:
                if not (at_root and SKIPPED_AT_ROOT.match(name)) and not os.path.islink(os.path.join(folder, name)):
                    yield (relative / name).as_posix()

    def text(self, path):
        if path not in self._texts:
            with open(self.root / path, encoding="utf-8", errors="replace", newline="") as file:
                self._texts[path] = file.read()
        return self._texts[path]

    def matching(self, pattern):
        """The paths that `pattern` (a regular expression, from the start) matches."""
        return [path for path in self.paths if re.match(pattern, path)]

    def c_sources(self):
        return self.matching(r"(server|client|tests|proto)/.*\.[ch]$")

    def scripts(self, interpreter):
        """The files whose first line names `interpreter`."""
        return [path for path in self.text_paths() if re.match(rf"#!.*\b{interpreter}", self.text(path))]

    def text_paths(self):
        return [path for path in self.paths if self._is_text(path)]

    def _is_text(self, path):
        name = Path(path)
        if name.suffix in TEXT_SUFFIXES or name.name in TEXT_NAMES or name.name.startswith("requirements"):
            return True
        if name.suffix:
            return False
        with open(self.root / path, "rb") as file:
            return file.read(2) == b"#!"


@dataclass
class Rule:
    """`check(tree)` yields one line for each finding. It must find something in every tree of `offences` and nothing
    in any of `innocent`: dictionaries of path to text, where an object file's text is the C to compile into it."""

    name: str
    check: callable
    offences: list
    innocent: list


RULES = []


def rule(name, offences, innocent=()):
    def register(check):
        RULES.append(Rule(name, check, list(offences), list(innocent)))
        return check
    return register


def with_files(files, use):
    """Writes `files` into a folder of their own, and returns what `use(Path)` makes of it."""
    with tempfile.TemporaryDirectory(prefix="headlight-style-") as folder:
        for path, text in files.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.endswith(".o"):
                subprocess.run(["cc", "-x", "c", "-c", "-", "-o", target], input=text, text=True, check=True)
            else:
                target.write_bytes(text.encode())
        return use(Path(folder))


C_TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def c_without_comments(text, keep_strings=False):
    """The same lines and columns, with comments (and strings, unless kept) blanked out."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token if keep_strings else token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return C_TOKEN.sub(blank, text)


C_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


def c_functions(text):
    """(name, first line, last line) of every function that is defined in C source."""
    code = c_without_comments(text)
    code = C_DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), code)
    depth, chunk_start, opened = 0, 0, None
    for match in re.finditer(r"[{};]", code):
        mark, position = match.group(0), match.start()
        if mark == "{":
            if depth == 0:
                chunk = code[chunk_start:position]
                opened = chunk_start + len(chunk) - len(chunk.lstrip()) if chunk.rstrip().endswith(")") else None
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0:
                if opened is not None:
                    name = re.search(r"(\w+)\s*\(", code[opened:position])
                    yield (name.group(1) if name else "?", code.count("\n", 0, opened) + 1,
                           code.count("\n", 0, position) + 1)
                chunk_start, opened = position + 1, None
        elif depth == 0:
            chunk_start = position + 1
