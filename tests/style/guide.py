"""The sanitizer's guide and the other documents name findings as server/sanitizer/rules.def has them."""

import re

from tables import rows
from tree import rule

RULES_DEF, GUIDE = "server/sanitizer/rules.def", "server/sanitizer/GUIDE.md"
EXAMPLES = re.compile(r"<!-- examples of server/sanitizer/rules\.def -->\n(.*?)<!-- end of examples -->", re.DOTALL)

ROWS = "/* What is found: RULE(code, title). */\nRULE(INV_TAG, \"tags\")\nRULE(LEET, \"digits\")\n"
PLACED = "<!-- examples of server/sanitizer/rules.def -->\n| Code | Text |\n|---|---|\n{}<!-- end of examples -->\n"


def codes(tree):
    return [row["code"] for row in rows(tree.text(RULES_DEF))]


@rule("the sanitizer's guide has an example of each finding, in the order of the rules", offences=[
    {RULES_DEF: ROWS, GUIDE: PLACED.format("| INV_TAG | `a` |\n")},
    {RULES_DEF: ROWS, GUIDE: PLACED.format("| LEET | `a` |\n| INV_TAG | `a` |\n")},
    {RULES_DEF: ROWS, GUIDE: PLACED.format("| INV_TAG | `a` |\n| LEET | `a` |\n| LEAT | `a` |\n")},
    {RULES_DEF: ROWS, GUIDE: "No table.\n"}, {RULES_DEF: ROWS},
], innocent=[{RULES_DEF: ROWS, GUIDE: PLACED.format("| INV_TAG | `a` |\n| INV_TAG | `b` |\n| LEET | `a` |\n")}, {}])
def examples_of_each(tree):
    if RULES_DEF not in tree.paths:
        return
    table = EXAMPLES.search(tree.text(GUIDE)) if GUIDE in tree.paths else None
    if not table:
        yield f"{GUIDE}: has no table of examples"
        return
    named = list(dict.fromkeys(re.findall(r"^\| (\w+) \|", table.group(1), re.MULTILINE)[1:]))
    if named != codes(tree):
        yield f"{GUIDE}: the examples are of {', '.join(named)}; the rules are {', '.join(codes(tree))}"


@rule("documents name findings that there are", offences=[
    {RULES_DEF: ROWS, "README.md": "Finds `INV_TAGS`.\n"}, {RULES_DEF: ROWS, "proto/a.proto": "// INV_TOG\n"},
], innocent=[{RULES_DEF: ROWS, "README.md": "Finds `INV_TAG`, and INVALID_ARGUMENT is a status.\n"}])
def findings_exist(tree):
    if RULES_DEF not in tree.paths:
        return
    known = set(codes(tree))
    families = "|".join(sorted({code.split("_")[0] for code in known if "_" in code}))
    for path in tree.matching(r".*\.(md|proto)$"):
        for name in re.findall(rf"\b(?:{families})_[A-Z0-9_]+\b", tree.text(path)):
            if name not in known:
                yield f"{path}: {name} is no finding of {RULES_DEF}"
