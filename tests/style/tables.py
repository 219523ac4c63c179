"""Tables in documents that repeat a table of the code: checked here, and written by `python3 tests/style/tables.py`.

A table of the code is a .def file whose opening comment names its columns, `OPTION(name, type, ...)`; commas separate
them. A document asks for a table with a comment, and everything up to the end comment is generated:

    <!-- table of server/options.def | Flag: `--{name-}` | Environment: `HEADLIGHT_{NAME}` | Meaning: {text} -->
    <!-- end of table -->

{column} is a row's value, {column-} the same with dashes, {COLUMN} as a macro would be spelled.
"""

import re
import sys
from pathlib import Path

from tree import Tree, rule

PLACE = re.compile(r"(<!-- table of (\S+) \|(.*?)-->\n)(.*?)(<!-- end of table -->)", re.DOTALL)
ARGUMENT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\([^()]*\)|[^,"\'()]')
DOCUMENTED = {"server/options.def": "README.md", "server/metrics.def": "README.md",
              "server/sanitizer/rules.def": "server/sanitizer/GUIDE.md"}


def arguments(text):
    """The arguments of a macro call, from the text between its brackets."""
    found = [""]
    position = 0
    while position < len(text):
        if text[position] == ",":
            found.append("")
            position += 1
            continue
        match = ARGUMENT.match(text, position)
        if not match:
            raise ValueError(f"cannot read the arguments {text!r}")
        found[-1] += match.group(0)
        position = match.end()
    return [" ".join(argument.split()) for argument in found]


def value(argument):
    """What a reader sees of an argument: adjacent string literals are joined."""
    literals = re.findall(r'"((?:\\.|[^"\\])*)"', argument)
    return "".join(literals).replace('\\"', '"').replace("\\\\", "\\") if literals else argument


def rows(text):
    """One dictionary of column to value for each row of a .def file."""
    comment = re.match(r"/\*(.*?)\*/", text, re.DOTALL)
    header = re.search(r"([A-Z][A-Z_]*)\(([^()]*)\)", comment.group(1)) if comment else None
    if not header:
        raise ValueError("the opening comment does not name the columns")
    names = re.sub(r"\n \*", " ", header.group(2)).split(",")
    columns = [re.sub(r"\W+", "_", name.strip().lower()) for name in names]
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for match in re.finditer(rf"^{header.group(1)}\((.*?)\)$", code, re.DOTALL | re.MULTILINE):
        values = [value(argument) for argument in arguments(match.group(1))]
        if len(values) != len(columns):
            raise ValueError(f"{values[0]} has {len(values)} values for {len(columns)} columns")
        row = dict(zip(columns, values))
        yield (row | {name.upper(): re.sub(r"\W", "_", content).upper() for name, content in row.items()}
               | {name + "-": content.replace("_", "-") for name, content in row.items()})


def table(definition, layout):
    """The Markdown of a .def file's table."""
    cells = [cell.strip().split(": ", 1) for cell in layout.split("|")]
    lines = ["| " + " | ".join(title for title, _ in cells) + " |", "|" + "---|" * len(cells)]
    for row in rows(definition):
        lines.append("| " + " | ".join(cell.format_map(row).replace("|", "\\|") for _, cell in cells) + " |")
    return "\n".join(lines) + "\n"


def generated(tree, path):
    """The document at `path` as it should be."""
    def replace(match):
        start, definition, layout, _, end = match.groups()
        return start + table(tree.text(definition), layout) + end
    return PLACE.sub(replace, tree.text(path))


OPTIONS = '/* The flags: OPTION(name, text). */\nOPTION(max_batch, "How many, " "at most")\n'
PLACED = "<!-- table of server/options.def | Flag: `--{name-}` | Environment: {NAME} | What: {text} -->\n"
TABLE = "| Flag | Environment | What |\n|---|---|---|\n| `--max-batch` | MAX_BATCH | How many, at most |\n"


@rule("a table in a document equals the table in the code", offences=[
    {"server/options.def": OPTIONS, "README.md": PLACED + TABLE.replace("many", "few") + "<!-- end of table -->\n"},
    {"server/options.def": OPTIONS, "README.md": "No table.\n"},
    {"server/options.def": OPTIONS.replace("(name, ", "("), "README.md": PLACED + TABLE + "<!-- end of table -->\n"},
    {"README.md": PLACED + TABLE + "<!-- end of table -->\n"},
], innocent=[{"server/options.def": OPTIONS, "README.md": PLACED + TABLE + "<!-- end of table -->\n"}])
def documented_tables(tree):
    for definition, document in DOCUMENTED.items():
        asked = f"<!-- table of {definition} |"
        if definition in tree.paths and (document not in tree.paths or asked not in tree.text(document)):
            yield f"{document}: has no generated table of {definition}"
    for path in tree.matching(r".*\.md$"):
        try:
            if generated(tree, path) != tree.text(path):
                yield f"{path}: a table is not what the code says; run python3 tests/style/tables.py"
        except (OSError, ValueError, KeyError) as error:
            yield f"{path}: {error!r}"


def main():
    tree = Tree(Path(__file__).resolve().parents[2])
    for path in tree.matching(r".*\.md$"):
        if generated(tree, path) != tree.text(path):
            (tree.root / path).write_text(generated(tree, path), encoding="utf-8")
            print(f"{path}: rewritten")


if __name__ == "__main__":
    sys.exit(main())
