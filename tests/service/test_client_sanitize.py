"""`headlight sanitize`, and what other commands tell of a sanitizer's findings, against a server that a test can make
misbehave."""

import json

import pytest
from client_cli import failure, fake_server, headlight, message, on_a_terminal, out

HOSTILE, CLEAN = "pay\u200bpal", "paypal"
FINDING = {"code": "INV_ZERO_WIDTH", "severity": "high", "byte_begin": 3, "byte_end": 6, "count": 1,
           "action": "dropped", "detail": "U+200B"}
COMMANDS = [("embed", "embed", "embeddings"), ("classify", "classify", "classifications"),
            ("rerank --query q", "rerank", "ranks"), ("tag", "tag_tokens", "taggings"),
            ("fill", "fill_mask", "results"), ("answer --question q", "answer", None)]


@pytest.fixture(name="server")
def fixture_server():
    yield from fake_server()


def test_findings_are_a_line_each(server):
    done = headlight("sanitize", "honest", HOSTILE, server=server)
    assert out(done) == "1\tINV_ZERO_WIDTH\thigh\t3\t6\t1\tdropped\tU+200B\n"
    assert done.stderr == b"headlight: texts with findings: 1, cleaned: 1 (INV_ZERO_WIDTH 1)\n"
    assert headlight("sanitize", "--quiet", HOSTILE, server=server).stderr == b""
    assert out(headlight("sanitize", "--policy", "report", HOSTILE, server=server)).split("\t")[6] == "none"
    assert server.calls == {"Sanitize": 3}


def test_it_is_a_filter(server):
    lines = "a\u200b b\r\n\r\n\\ \tc\r\n"
    assert out(headlight("sanitize", "--show", "text", server=server, stdin=lines)) == "a b\n\n\\ \tc\n"
    assert out(headlight("sanitize", "--show", "text", "--null", server=server, stdin="a\u200b\nb\0c\0")) == "a\nb\0c\0"


def test_it_asks_for_what_it_was_told_to(server):
    seen = []
    answer = server.sanitize
    server.sanitize = lambda request, context: (seen.append(request), answer(request, context))[1]
    out(headlight("sanitize", "--level", "strict", "--enable", "LEET, SPLIT_WORD,", "--model",
                  "m", "--batch", "2", "a", "b", "c", server=server))
    assert [len(request.inputs) for request in seen] == [2, 1]
    assert (seen[0].policy, seen[0].sanitize_level, list(seen[0].sanitize_enable), seen[0].model) == (
        3, 3, ["LEET", "SPLIT_WORD"], "m")
    out(headlight("sanitize", "a", server=server))
    assert (seen[2].policy, seen[2].sanitize_level, seen[2].model) == (3, 0, "")


def test_json_has_the_whole_report(server):
    document = json.loads(out(headlight("sanitize", "--format", "json", HOSTILE, "honest", server=server)))
    assert document == {"reports": [
        {"index": 0, "refused": False, "policy": "clean", "level": "high", "changed": True, "findings": [FINDING],
         "totals": {"INV_ZERO_WIDTH": 1}, "cleaned_text": CLEAN},
        {"index": 1, "refused": False, "policy": "clean", "level": "high", "changed": False, "findings": [],
         "totals": {}, "cleaned_text": "honest"}]}
    assert json.loads(out(headlight("sanitize", "--format", "json", server=server))) == {"reports": []}
    lines = out(headlight("sanitize", "--format", "jsonl", server=server, stdin="a\nb\n")).splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1]


def test_reject_goes_through_all_texts_and_exits_with_3(server):
    texts = "a\n" + HOSTILE + "\nb\n" + HOSTILE + "\n"
    done = headlight("sanitize", "--policy", "reject", server=server, stdin=texts)
    assert [line.split("\t")[0] for line in out(done, 3).splitlines()] == ["1", "3"]
    assert b"texts that were refused: 2" in done.stderr
    lines = out(headlight("sanitize", "--policy", "reject", "--format", "jsonl", server=server, stdin=texts), 3)
    assert [json.loads(line)["refused"] for line in lines.splitlines()] == [False, True, False, True]
    assert out(headlight("sanitize", "--policy", "reject", "--show", "text", server=server, stdin=texts), 3) == "a\nb\n"
    assert out(headlight("sanitize", "--policy", "reject", "a", server=server)) == ""


def test_a_diff_marks_what_changed(server):
    shown = out(headlight("sanitize", "--show", "diff", "honest", HOSTILE, server=server))
    assert shown == ("text 2:\n    pay[-<U+200B>-]pal\n  high     INV_ZERO_WIDTH     bytes 3 to 6, dropped: U+200B\n")
    shown = out(headlight("sanitize", "--show", "diff", "--policy", "report", HOSTILE, server=server))
    assert shown.splitlines()[1] == "    pay[!<U+200B>!]pal"
    assert out(headlight("sanitize", "--show", "diff", server=server, stdin=f"a\n{HOSTILE}\n")).startswith(
        "line 2 of standard input:\n")


def test_a_terminal_gets_a_coloured_diff(server):
    shown = on_a_terminal(server, "sanitize", HOSTILE)
    assert "pay\x1b[31m<U+200B>\x1b[0mpal\n" in shown and "\x1b[1;31mhigh" in shown
    plain = on_a_terminal(server, "sanitize", HOSTILE, NO_COLOR="1")
    assert "pay[-<U+200B>-]pal\n" in plain and "\x1b" not in plain
    assert on_a_terminal(server, "sanitize", "--format", "jsonl", "a").startswith('{"index":0')


def test_a_terminal_is_never_steered(server):
    text, evil = "a\u202e\x1b]0;x\x07\x9b\u2066", "\x1b[2J"
    report = dict(policy=3, cleaned_text="b" + text, findings=[
        dict(code=evil, severity=99, byte_begin=7, byte_end=4_000_000_000, action=evil, detail=evil + "\u202e"),
        dict(byte_begin=9, byte_end=2)])
    server.sanitize = lambda request, context: message("SanitizeResponse", reports=[report])
    for flags in ([], ["--show", "findings"]):
        for policy in "clean", "report":
            report["changed"] = policy == "clean"
            shown = on_a_terminal(server, "sanitize", "--policy", policy, *flags, text, NO_COLOR="1")
            assert not set(shown) & (set("\x1b\u2066\x07\x9b") | (set("\u202e") if not flags else set())), shown


@pytest.mark.parametrize("count", [0, 2])
def test_a_server_must_answer_each_text(server, count):
    server.sanitize = lambda request, context: message("SanitizeResponse", reports=[{}] * count)
    assert f"answered {count} of 1" in failure(headlight("sanitize", "a", server=server))


@pytest.mark.parametrize("command, method, results", COMMANDS)
def test_commands_ask_and_tell(server, command, method, results):
    answer, seen = getattr(server, method), []

    def sanitizing(request, context):
        seen.append(request.options)
        reply = answer(request, context)
        for result in getattr(reply, results) if results else [reply]:
            result.sanitization.CopyFrom(type(result.sanitization)(**server.report(HOSTILE, 3)))
        return reply

    setattr(server, method, sanitizing)
    done = headlight(*command.split(), "--sanitize", "clean", "--sanitize-level", "moderate", "--sanitize-enable",
                     "LEET", "--cleaned-text", "--format", "jsonl", HOSTILE, server=server)
    assert json.loads(out(done))["sanitization"] == {
        "policy": "clean", "level": "high", "changed": True, "findings": [FINDING], "totals": {"INV_ZERO_WIDTH": 1},
        "cleaned_text": CLEAN}
    options = seen[0]
    assert (options.sanitize, options.sanitize_level, options.return_cleaned_text) == (3, 1, True)
    assert list(options.sanitize_enable) == ["LEET"]
    assert b"texts with findings: 1, cleaned: 1 (INV_ZERO_WIDTH 1)\n" in done.stderr
    done = headlight(*command.split(), "a", server=server)
    assert b"with findings: 1" in done.stderr and b"sanitization" not in done.stdout
    assert (seen[1].sanitize, seen[1].sanitize_level, seen[1].return_cleaned_text) == (0, 0, False)


def test_what_is_only_told_makes_no_note(server):
    report = dict(policy=2, findings=[dict(code="LEN_TRUNCATED", severity=1)],
                  totals=[dict(code="LEN_TRUNCATED", count=1)])
    server.classify = lambda request, context: message("ClassifyResponse", classifications=[dict(sanitization=report)])
    assert headlight("classify", "a", server=server).stderr == b""


@pytest.mark.parametrize("command, method", [command[:2] for command in COMMANDS])
def test_a_refused_text_is_named_with_what_was_found(server, command, method):
    report = message("SanitizeReport", **server.report(HOSTILE, 4))
    setattr(server, method, lambda request, context: server.refuse_input(context, 0, "it is hostile", report))
    done = headlight(*command.split(), "--sanitize", "reject", HOSTILE, server=server)
    error = failure(done, 3)
    assert "text 1: it is hostile" in error and "  high\tINV_ZERO_WIDTH\tbytes 3 to 6\tU+200B\n" in error
