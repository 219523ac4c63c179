"""The examples of the sanitizer's guide: what headlight finds in them, and what it makes of them."""

import json
import os
import re

import pytest
from builds import ROOT
from client_cli import headlight, out

GUIDE = (ROOT / "server" / "sanitizer" / "GUIDE.md").read_text(encoding="utf-8")
TABLE = re.search(r"<!-- examples of [^>]* -->\n(.*?)<!-- end of examples -->", GUIDE, re.DOTALL)[1]
MODEL = "all-MiniLM-L6-v2"


def spelled(cell):
    """The bytes that a cell stands for."""
    text = cell.strip("`").replace("\\|", "|")
    text = re.sub(r"\((.*?)\)\*(\d+)", lambda match: match[1] * int(match[2]), text)
    data = re.sub(r"\\u\{(\w+)\}", lambda match: chr(int(match[1], 16)), text).encode()
    return re.sub(rb"\\x\{(\w+)\}", lambda match: bytes([int(match[1], 16)]), data)


ROWS = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in TABLE.splitlines()[2:]]
EXAMPLES = [(code, command.strip("`"), spelled(text), spelled(cleaned).decode())
            for code, command, text, cleaned in ROWS if command]


@pytest.fixture(name="address", scope="module")
def fixture_address(start_server):
    with start_server() as server:
        yield server.address


@pytest.fixture(name="real_address", scope="module")
def fixture_real_address(start_server, real_model):
    with start_server(model=real_model) as server:
        yield server.address


@pytest.mark.parametrize("code, command, text, cleaned", EXAMPLES, ids=[" ".join(row[:2]) for row in EXAMPLES])
def test_example(request, code, command, text, cleaned):
    address = request.getfixturevalue("real_address" if MODEL in command else "address")
    line = json.loads(out(headlight(*command.split(), "--format", "jsonl", "--", os.fsdecode(text),
                                    HEADLIGHT_ADDRESS=address)))
    report = line.get("sanitization", line)
    assert code in report["totals"], report
    assert code in [finding["code"] for finding in report["findings"]]
    assert not cleaned or report["cleaned_text"] == cleaned
