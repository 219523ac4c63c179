"""README's table of architectures and tasks: what tests/golden holds, and so what tests compare with transformers. It
is written by `python3 tests/style/served.py`.

Rows are the folders of tests/golden/encoder and tests/golden/tasks. The encoder's cell counts checkpoints, each of them
a line of encoder_forward_test; a task's cell lists cases, each of them the test `[<architecture>/<case>-<task>]` of
tests/service/test_golden_tasks.py.
"""

import json
import re
import sys
from pathlib import Path

from tree import Tree, rule

PLACE = re.compile(r"(<!-- table of tests/golden -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)
CASE = re.compile(r"tests/golden/(encoder|tasks)/([^/]+)/([^/]+)/cases\.(bin|json)")
TASKS = {"embed": "Embed", "classify": "Classify", "rerank": "Rerank", "tag": "TagTokens", "fill_mask": "FillMask",
         "answer": "Answer"}
HIDDEN = "hidden"


def cells(tree):
    """{architecture: {task: [case]}}; the hidden states of an encoder are a task of their own."""
    found = {}
    for path in tree.paths:
        match = CASE.fullmatch(path)
        if not match:
            continue
        kind, architecture, case, _ = match.groups()
        row = found.setdefault(architecture, {})
        for task in [HIDDEN] if kind == "encoder" else json.loads(tree.text(path)):
            row.setdefault(task, []).append(case)
    return found


def table(tree):
    """The Markdown of the table."""
    lines = ["| Architecture | Encoder alone | " + " | ".join(TASKS.values()) + " |", "|---" * (len(TASKS) + 2) + "|"]
    for architecture, row in sorted(cells(tree).items()):
        hidden = len(row.get(HIDDEN, []))
        lines.append(f"| {architecture} | {hidden} | " + " | ".join(
            ", ".join(sorted(row.get(task, []))) for task in TASKS) + " |")
    return "\n".join(lines) + "\n"


def generated(tree, path):
    return PLACE.sub(lambda match: match.group(1) + table(tree) + match.group(3), tree.text(path))


PLACED = "<!-- table of tests/golden -->\n{}<!-- end of table -->\n"
ENCODER, TASK = "tests/golden/encoder/bert/wide/cases.bin", "tests/golden/tasks/bert/tag/cases.json"
HEADER = ("| Architecture | Encoder alone | Embed | Classify | Rerank | TagTokens | FillMask | Answer |\n"
          + "|---" * 8 + "|\n")
ROW = "| bert | 1 |  |  |  | tag |  |  |\n"


@rule("README's table of architectures and tasks is what tests/golden holds", offences=[
    {ENCODER: "", TASK: '{"tag": []}', "README.md": "No table.\n"},
    {ENCODER: "", TASK: '{"tag": []}', "README.md": PLACED.format(HEADER)},
    {ENCODER: "", TASK: '{"answer": []}', "README.md": PLACED.format(HEADER + ROW)},
], innocent=[
    {ENCODER: "", TASK: '{"tag": []}', "README.md": PLACED.format(HEADER + ROW)}, {"README.md": "No table.\n"},
])
def served_table(tree):
    if not cells(tree):
        return
    if "README.md" not in tree.paths or not PLACE.search(tree.text("README.md")):
        yield "README.md: has no table of tests/golden"
    elif generated(tree, "README.md") != tree.text("README.md"):
        yield "README.md: the table is not what tests/golden holds; run python3 tests/style/served.py"


def main():
    tree = Tree(Path(__file__).resolve().parents[2])
    (tree.root / "README.md").write_text(generated(tree, "README.md"), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
