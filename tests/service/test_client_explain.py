"""`headlight explain` against a server that a test can make misbehave: what it asks for, and what it makes of the
answers but for the page, which test_page.py looks at."""

import base64
import json
import re
import time

import grpc
import numpy as np
import pytest
from client_cli import failure, fake_server, headlight, message, on_a_terminal, out
from explained import HEADS, LABELS, LAYERS, attention_of, explained_parts, tokens_of

TEXT = "A film\tthat is \U0001F600 dull"
TOKENS = [dict(text="a", byte_end=1)]
EVERYTHING = ("attention,rollout,value-norm,occlusion,gradient-input,integrated-gradients,surrogate-linear,"
              "surrogate-tree,anchor-rule,summary")


@pytest.fixture(name="server")
def fixture_server():
    """Its model has labels."""
    for server in fake_server():
        server.list_models = lambda request, context: message("ListModelsResponse", models=[
            dict(name="other"), dict(name="m", tasks=["embed", "classify"], is_default=True)])
        yield server


@pytest.fixture(name="asked")
def fixture_asked(server):
    """The requests of Explain, as they come."""
    seen = []
    server.explain = lambda request, context: (seen.append(request), explained_parts(request))[1]
    return seen


def explain(server, *arguments, **options):
    return out(headlight("explain", *arguments, server=server, **options))


def explained(server, *arguments):
    return json.loads(explain(server, "--format", "json", *arguments))["explained"]


def test_it_asks_for_what_it_was_told_to(server):
    asked = []
    server.explain = lambda request, context: (asked.append(request), iter([]))[1]
    explain(server, "--method", "attention", "--method", "value-norm,summary,attention", "--layers", "0,2-4", "--heads",
            "1", "--rows", "0,5-7", "--form", "top-k", "--top-k", "3", "--aggregate", "max", "--weights", "uint8",
            "--target", "dull", "--max-bytes", "1000000000000", "--samples", "77", "--steps", "12", "--seed", "5",
            "--faithfulness", "--removal", "delete", "--pairs", "--model", "m", "--sanitize", "clean", "a b c d e\tf g")
    request = asked[0]
    assert (request.model, request.input.text, request.input.pair) == ("m", "a b c d e", "f g")
    assert request.options.sanitize == 3
    assert request.options.explanation.SerializeToString(deterministic=True) == message(
        "ExplanationSpec", methods=[0, 2, 9], layers=[0, 2, 3, 4], heads=[1], rows=2, row_indices=[0, 5, 6, 7], form=1,
        top_k=3, aggregate=2, weight_format=2, target_label="dull", max_bytes=10**12, sample_count=77, step_count=12,
        seed=5, faithfulness=True, removal=2).SerializeToString(deterministic=True)


def test_without_options_it_asks_for_little(server, asked):
    explain(server, "a", "b")
    assert [request.input.text for request in asked] == ["a", "b"]
    spec = asked[0].options.explanation
    assert (list(spec.methods), spec.rows, spec.form, spec.HasField("target_label")) == ([2], 0, 0, False)


@pytest.mark.parametrize("flags, word", [
    (["--method", "attenton"], "attenton"), (["--method", ""], "--method"), (["--layers", "3-1"], "3-1"),
    (["--layers", "1,,2"], "1,,2"), (["--heads", "-1"], "-1"), (["--rows", "0-99999999"], "0-99999999"),
    (["--rows", "99999999999999999999"], "99999999999999999999"), (["--top-k", "0"], "0"), (["--form", "thin"], "thin"),
    (["--output", "/nowhere/page"], "/nowhere/page"), (["--format", "pdf"], "pdf"),
    (["--method", "summary"] * 17, "16"), (["--format", "bertviz", "--rows", "0"], "bertviz wants every row"),
    (["--format", "bertviz", "--form", "top-k"], "leave out --rows and --form"),
])
def test_wrong_usage_is_named(server, flags, word):
    done = headlight("explain", *flags, "a", server=server)
    assert done.returncode in (1, 2) and word in done.stderr.decode() and not server.calls


def test_json_has_all_that_was_sent(server, asked):
    found = explained(server, "--method", EVERYTHING, "--faithfulness", "--rows", "all", TEXT)[0]
    one = found["explanations"][0]
    assert found["labels"] == LABELS and found["usage"]["token_count"] == len(tokens_of(asked[0].input))
    parts = [part.part for part in explained_parts(asked[0])]
    empty = dict(byte_begin=0, byte_end=0, segment=0, special=False)
    assert one["tokens"] == [empty | token for token in tokens_of(asked[0].input)]
    sent = [attribution for part in parts for attribution in part.attributions]
    assert [item["method"] for item in one["attributions"]] == EVERYTHING.split(",")[1:6]
    for item, attribution in zip(one["attributions"], sent, strict=True):
        assert np.array_equal(np.float32(item["scores"]), np.float32(attribution.scores))
        assert item["faithfulness"] == dict(comprehensiveness=0.5, sufficiency=0.0625, removal="mask")
        assert ("completeness_error" in item) == (item["method"] == "integrated-gradients")
    linear, tree, rule = one["surrogates"]
    assert linear["weights"] == [0.5, -0.25, 0.125, 0.0625] and linear["features"] == ["A", "film", "that", "is"]
    assert linear["target_label"] == "positive" and "segments" not in linear
    assert tree["nodes"][0]["if_false"] == 4 and len(tree["nodes"]) == 5 and rule["coverage"] == 0.25
    assert one["summary"] == "A counts most." and len(one["attention"]) == LAYERS * HEADS


@pytest.mark.parametrize("weights, error", [("float32", 1e-7), ("float16", 5e-4), ("uint8", 0.51 / 255)])
@pytest.mark.parametrize("form", ["dense", "top-k", "sparse"])
def test_weights_are_read_in_every_form(server, form, weights, error):
    text = " ".join(f"w{number}" for number in range(17))
    found = explained(server, "--method", "attention", "--form", form, "--weights", weights, "--rows", "3,18", text)[0]
    expected = attention_of(19)
    for item in found["explanations"][0]["attention"]:
        assert item["rows"] == [3, 18]
        matrix = np.zeros((2, 19))
        offsets = item.get("row_offsets", [0, 19, 38])
        for row in range(2):
            some = range(offsets[row], offsets[row + 1])
            columns = [item["columns"][at] for at in some] if "columns" in item else range(19)
            matrix[row, columns] = [item["weights"][at] for at in some]
        kept = matrix > 0
        assert kept.sum() >= (16 if form == "top-k" and weights != "uint8" else 4)
        wanted = expected[item["layer"], item["head"]][[3, 18]]
        assert np.abs(matrix - wanted)[kept].max() <= error
        assert np.allclose(item["dropped_mass"], (1 - (wanted * kept).sum(1)), atol=0.05)


def test_lines_are_for_pipes(server):
    lines = explain(server, "--method", "value-norm,attention,surrogate-tree,summary", "a b", "c").splitlines()
    fields = [line.split("\t") for line in lines]
    assert [field[2] for field in fields if field[:2] == ["0", "value-norm"]] == ["0", "1", "2", "3"]
    assert fields[0][:6] == ["0", "attention", "0", "0", "0", "[CLS]"]
    mean = attention_of(4)[:, :, 0].mean((0, 1))
    assert [float(field[6]) for field in fields[:4]] == pytest.approx(mean.tolist(), abs=1e-6)
    assert ["1", "summary", "c counts most."] in fields
    assert ["0", "surrogate-tree", "0", "contains 'a'", "1", "4", "0.5", "300"] in fields


def test_words_of_a_pair_say_which_text_they_are_of(server):
    arguments = ["--method", "surrogate-linear", "--pairs", "a b\ta"]
    [linear] = explained(server, *arguments)[0]["explanations"][0]["surrogates"]
    assert linear["features"] == ["a", "b", "a"] and linear["segments"] == [0, 0, 1]
    fields = [line.split("\t")[2] for line in explain(server, *arguments).splitlines()]
    assert fields == ["a in the text", "b in the text", "a in the pair"]


def test_a_terminal_gets_a_coloured_picture(server):
    shown = on_a_terminal(server, "explain", "--method", EVERYTHING, "--faithfulness", TEXT)
    assert "\x1b[1mtext 1\x1b[0m: positive 0.875, negative 0.125" in shown
    assert "\x1b[48;5;" in shown and "contains 'A'" in shown
    assert "comprehensiveness 0.500, sufficiency 0.062 (mask)" in shown and "completeness error 0.78 %" in shown
    plain = on_a_terminal(server, "explain", "--method", "occlusion,surrogate-linear", TEXT, NO_COLOR="1")
    assert "\x1b" not in plain and "[" in plain and "+0.5000 A\n" in plain.replace("\r", "")
    assert "surrogate-linear of positive" in plain


def test_a_terminal_is_never_steered(server):
    evil = "\x1b[2J\u202e"
    one = dict(tokens=[dict(text=evil, byte_begin=1, byte_end=4_000_000_000)],
               attributions=[dict(method=99, target_label=evil, scores=[1], faithfulness=dict(removal=evil))],
               surrogates=[dict(method=99, features=[evil], weights=[1], rule=[evil],
                                nodes=[dict(condition=evil, if_true=-1, if_false=-1)])], summary=evil)
    server.explain = lambda request, context: iter([message("ExplainChunk", part=one)])
    for text in f"a {evil}", "":
        shown = on_a_terminal(server, "explain", text, NO_COLOR="1")
        assert "unknown" in shown and "\x1b" not in shown
        assert "\x1b" not in explain(server, text)


def test_bertviz_can_read_it(server):
    document = json.loads(explain(server, "--format", "bertviz", "--pairs", "a b\tc d e"))
    attention = np.array(document["attention"])
    count = len(document["tokens"])
    assert attention.shape == (LAYERS, 1, HEADS, count, count)
    assert np.abs(attention[:, 0] - attention_of(count)).max() < 1e-6
    assert document["tokens"][document["sentence_b_start"]] == "c"
    assert (document["layers"], document["heads"]) == ([0, 1], [0, 1, 2])
    part = json.loads(explain(server, "--format", "bertviz", "--layers", "1", "--heads", "0,2", "a"))
    assert np.array(part["attention"]).shape == (1, 1, 2, 3, 3) and part["heads"] == [0, 2]
    assert "sentence_b_start" not in part


@pytest.mark.parametrize("flags", [["--rows", "all"], ["--rows", "3,5", "--weights", "float16"], ["--form", "top-k"],
                                   ["--form", "sparse", "--rows", "all", "--weights", "uint8"]])
def test_a_page_has_the_weights(server, flags):
    """The root of a weight's share of its row's greatest one, in 255 steps."""
    page = explain(server, "--format", "html", "--method", "attention,occlusion", *flags, "a </script> b c d e f")
    (data,) = re.findall(r'<script type="application/json" class="explained">(.*?)</script>', page, re.DOTALL)
    data = json.loads(data)
    assert base64.b64decode(data["text"]) == b"a </script> b c d e f" and len(data["maps"]) == LAYERS * HEADS
    count = len(data["tokens"])
    weights = attention_of(count)
    for item in data["maps"]:
        def numbers(name, kind, otherwise=None):
            return np.frombuffer(base64.b64decode(item[name]), kind) if name in item else otherwise

        tops, values = numbers("tops", "<f4"), numbers("values", "u1")
        rows = numbers("rows", "<u4", np.arange(count))
        ends = numbers("ends", "<u4", count * np.arange(1, len(tops) + 1))
        columns = numbers("columns", "<u2", np.tile(np.arange(count), len(tops)))
        for row, top, begin, end in zip(rows, tops, [0, *ends], ends, strict=False):
            wanted = weights[item["layer"], item["head"], row][columns[begin:end]]
            found = top * (values[begin:end] / 255) ** 2
            assert end > begin and np.abs(found - wanted).max() <= 0.006 and abs(top - wanted.max()) <= 0.003


def test_chunks_are_explanations(server):
    server.explain = lambda request, context: explained_parts(request, chunks=3)
    found = explained(server, "--method", "attention,rollout", "a b")[0]["explanations"]
    assert [one["chunk"] for one in found] == [0, 1, 2]
    assert all(len(one["attention"]) == LAYERS * HEADS and len(one["tokens"]) == 4 for one in found)


def test_tokens_may_come_in_parts(server):
    parts = [dict(tokens=TOKENS), dict(tokens=TOKENS), dict(attributions=[dict(scores=[1, 2])]),
             dict(chunk=1, tokens=TOKENS), dict(chunk=1, attributions=[dict(scores=[3])])]
    server.explain = lambda request, context: iter(
        [message("ExplainChunk", index=index, part=part) for index, part in enumerate(parts)])
    first, second = explained(server, "a")[0]["explanations"]
    assert (len(first["tokens"]), len(second["tokens"])) == (2, 1)
    assert (first["attributions"][0]["scores"], second["attributions"][0]["scores"]) == ([1, 2], [3])


def test_output_goes_to_a_file_and_a_failure_keeps_it(server, tmp_path):
    path = tmp_path / "lines"
    assert explain(server, "--output", path, "a") == "" and path.read_text().startswith("0\tvalue-norm\t0\t")
    kept = path.read_text()
    server.explain = lambda request, context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such label")
    assert "text 1: no such label" in failure(headlight("explain", "--output", path, "a", server=server))
    assert path.read_text() == kept
    failure(headlight("explain", "--output", tmp_path / "none", "a", server=server))
    assert not (tmp_path / "none").exists()
    assert explain(server, "--output", "/dev/null", "--quiet", stdin="") == ""


def test_a_page_ends_well_though_a_text_fails(server, tmp_path):
    def second_fails(request, context):
        if request.input.text == "b":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not this one")
        yield from explained_parts(request)

    server.explain = second_fails
    path = tmp_path / "page.html"
    assert "text 2: not this one" in failure(headlight("explain", "--format", "html", "--output", path, "a", "b",
                                                       server=server))
    assert path.read_text().count('class="explained"') == 1 and path.read_text().endswith("</html>\n")


def test_a_refused_text_is_named_with_what_was_found(server):
    report = message("SanitizeReport", **server.report("pay\u200bpal", 4))
    server.explain = lambda request, context: server.refuse_input(context, 0, "it is hostile", report)
    error = failure(headlight("explain", "--sanitize", "reject", "pay\u200bpal", server=server), 3)
    assert "text 1: it is hostile" in error and "  high\tINV_ZERO_WIDTH\tbytes 3 to 6\tU+200B\n" in error


def test_a_stream_that_breaks_is_asked_for_again(server):
    calls = []

    def broken_at_first(request, context):
        calls.append(request)
        parts = list(explained_parts(request))
        if len(calls) == 1:
            yield parts[0]
            context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
        yield from parts

    server.explain = broken_at_first
    assert len(explained(server, "--method", "attention,rollout", "a")[0]["explanations"]) == 1
    assert len(calls) == 2


def test_a_deadline_ends_a_silent_stream(server):
    def silent(request, context):
        yield next(explained_parts(request))
        while context.is_active():
            time.sleep(0.01)

    server.explain = silent
    assert "in time" in failure(headlight("explain", "--deadline", "0.3", "a", server=server))


ONE = dict(layer=0, head=0, weights=[1])


@pytest.mark.parametrize("parts", [
    [{}], [dict(index=1, part={})],
    [dict(part=dict(tokens=TOKENS, attributions=[dict(scores=[1])])), dict(index=1, part=dict(tokens=TOKENS))],
    [dict(part=dict(tokens=[dict(byte_begin=2, byte_end=1)]))],
    [dict(part=dict(tokens=TOKENS, attributions=[dict(scores=[1, 2])]))],
    [dict(part=dict(attributions=[dict(scores=[1])]))],
    *[[dict(part=dict(tokens=TOKENS, attention=[ONE | change]))] for change in (
        dict(weights=[]), dict(weights=[1, 1]), dict(packed=b"a"), dict(rows=[1]), dict(columns=[0]),
        dict(row_offsets=[0], columns=[0]), dict(row_offsets=[1, 1]), dict(row_offsets=[0, 2], columns=[0]),
        dict(row_offsets=[0, 1], columns=[1]), dict(rows=[0, 0], row_offsets=[0, 2, 1], columns=[0]),
        dict(weights=[], packed=b"abc"), dict(dropped_mass=[0, 0]))],
    *[[dict(part=dict(surrogates=[one]))] for one in (
        dict(nodes=[dict(if_true=0, if_false=0)]), dict(nodes=[dict(if_true=1, if_false=-1), dict()]),
        dict(nodes=[dict(if_true=1, if_false=2)]), dict(nodes=[dict(if_true=-1, if_false=-1)] * 1025),
        dict(nodes=[dict(if_true=1, if_false=1), dict(if_true=-1, if_false=-1)]),
        dict(nodes=[dict(if_true=1, if_false=2), dict(if_true=2, if_false=3), *[dict(if_true=-1, if_false=-1)] * 2]),
        dict(features=["a"], weights=[1, 2]), dict(features=["a"], segments=[0, 1]))],
])
def test_a_malformed_explanation_is_refused(server, parts):
    server.explain = lambda request, context: iter([message("ExplainChunk", **part) for part in parts])
    assert "malformed" in failure(headlight("explain", "a", server=server))


@pytest.mark.parametrize("format", ["text", "json", "html", "bertviz"])
def test_an_empty_explanation_is_no_error(server, format):
    server.explain = lambda request, context: iter([])
    explain(server, "--format", format, "a")
    server.explain = lambda request, context: iter([message("ExplainChunk", part={})])
    explain(server, "--format", format, "a")


def test_what_is_no_chunk_is_refused(server):
    server.explain = lambda request, context: iter([b"\xff\xff\xff"])
    assert "ExplainChunk" in failure(headlight("explain", "a", server=server))
