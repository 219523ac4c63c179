"""The client's commands against headlightd with a small checkpoint for each task: what transformers answered."""

import json
from pathlib import Path

import grpc
import pytest
from client_cli import failure, headlight, out

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "tasks" / "bert"
TASKS = {"classify": "classify", "rerank": "rerank", "tag": "tag", "fill": "fill_mask", "answer": "answer"}


def cases(command):
    return json.loads((GOLDEN / command / "cases.json").read_text(encoding="utf-8"))[TASKS[command]]


@pytest.fixture(name="ask", scope="module")
def fixture_ask(start_server):
    """Runs a command with the model of its name and gives the JSON that it prints."""
    first, *others = [f"{command}={GOLDEN / command}" for command in TASKS]
    with start_server(*[f"--model={model}" for model in others], model=first) as server:
        def ask(command, *arguments):
            model = [] if "--model" in arguments else ["--model", command]
            return json.loads(out(headlight(command, *model, "--format", "json", *arguments,
                                            HEADLIGHT_ADDRESS=server.address)))

        ask.address = server.address
        yield ask


def scores(items):
    return [item["score"] for item in items]


def near(items):
    return pytest.approx(scores(items), abs=1e-5)


def test_classify(ask):
    single = [case for case in cases("classify") if case["pair"] is None and case["text"]]
    found = ask("classify", "--", *[case["text"] for case in single])["classifications"]
    for item, case in zip(found, single, strict=True):
        assert scores(item["labels"]) == near(case["expected"])
    pair = next(case for case in cases("classify") if case["pair"] and "\t" not in case["text"])
    found = ask("classify", "--raw-scores", "--pairs", "--", f"{pair['text']}\t{pair['pair']}")["classifications"]
    assert scores(found[0]["labels"]) == near(pair["raw"])


def test_rerank(ask):
    case = cases("rerank")[0]
    ranks = ask("rerank", "--query", case["query"], "--batch", "2", "--", *case["texts"])["ranks"]
    expected = sorted(enumerate(case["expected"]), key=lambda item: -item[1])
    assert [rank["index"] for rank in ranks] == [index for index, _ in expected]
    assert scores(ranks) == pytest.approx([score for _, score in expected], abs=1e-5)


@pytest.mark.parametrize("aggregation", ["none", "simple", "first", "average", "max"])
def test_tag(ask, aggregation):
    case = max((case for case in cases("tag") if case["aggregation"] == aggregation),
               key=lambda case: len(case["expected"]))
    entities = ask("tag", "--aggregation", aggregation, "--", case["text"])["taggings"][0]["entities"]
    assert [(entity["label"], entity["byte_begin"], entity["byte_end"]) for entity in entities] == [
        (entity["label"], entity["byte_begin"], entity["byte_end"]) for entity in case["expected"]]
    assert scores(entities) == near(case["expected"])


def test_fill(ask):
    case = next(case for case in cases("fill") if len(case["expected"]) > 1)
    masks = ask("fill", "--top-k", case["top_k"], "--", case["text"])["results"][0]["masks"]
    for mask, expected in zip(masks, case["expected"], strict=True):
        assert scores(mask) == near(expected)


def test_answer(ask):
    for case in cases("answer")[:6]:
        allow = ["--allow-no-answer"] if case["handle_impossible_answer"] else []
        found = ask("answer", "--question", case["question"], "--top-k", case["top_k"], *allow, "--", case["context"])
        expected = [answer for answer in case["expected"] if answer["text"] or allow]
        assert [answer["text"] for answer in found["results"][0]["answers"]] == [item["text"] for item in expected]
        assert scores(found["results"][0]["answers"]) == near(expected)


HOSTILE = "\u202eevil\u202c"  # "live" to a reader


def test_a_hostile_text_is_cleaned_and_its_places_are_those_of_what_was_sent(ask):
    text = "Ada L\u043evelace lived in Lon\u200bdon."
    answer = ask("answer", "--question", "who", "--sanitize", "clean", text)["results"][0]
    for span in answer["answers"]:
        assert text.encode()[span["byte_begin"]:span["byte_end"]].decode() == span["text"]
    assert [finding["code"] for finding in answer["sanitization"]["pair_findings"]] == ["HOMO_MIXED", "INV_ZERO_WIDTH"]
    labels = ask("classify", "--sanitize", "clean", "--cleaned-text", "--", HOSTILE, "live")["classifications"]
    assert labels[0]["labels"] == labels[1]["labels"] and labels[0]["sanitization"]["cleaned_text"] == "live"


def test_bytes_that_are_no_utf8_are_refused_unless_they_are_cleaned(ask):
    run = {"HEADLIGHT_ADDRESS": ask.address, "stdin": b"fine\ncaf\xe9\n"}
    assert "line 2 of standard input is not UTF-8" in failure(headlight("classify", "--model", "classify", **run))
    assert out(headlight("classify", "--model", "classify", "--sanitize", "clean", **run)).count("\n") == 2
    done = headlight("sanitize", "--policy", "report", "--format", "jsonl", **run)
    assert [json.loads(line)["refused"] for line in out(done, 3).splitlines()] == [False, True]
    assert out(headlight("sanitize", "--show", "text", **run)) == "fine\ncaf\ufffd\n"


def test_a_stream_ends_where_a_text_is_refused(ask):
    done = headlight("classify", "--model", "classify", "--top-k", "1", "--batch", "1", "--sanitize", "reject",
                     HEADLIGHT_ADDRESS=ask.address, stdin=f"fine\n{HOSTILE}\nlast\n")
    assert "line 2 of standard input" in failure(done, 3) and b"critical\tBIDI_OVERRIDE" in done.stderr
    assert done.stdout.count(b"\n") == 1


def test_explain(ask, make_stub, pb):
    """The client's weights and scores are those that the task's own reply has."""
    case = next(case for case in cases("classify") if case["pair"] is None and case["text"])
    found = ask("explain", "--model", "classify", "--method", "attention,value-norm", "--rows", "all", "--",
                case["text"])["explained"][0]
    assert scores(found["labels"]) == near(case["expected"])
    with grpc.insecure_channel(ask.address) as channel:
        request = pb.ClassifyRequest(model="classify", inputs=[pb.Text(text=case["text"])], options=pb.Options(
            explanation=pb.ExplanationSpec(methods=[0, 2], rows=1)))
        (expected,) = make_stub(channel).Classify(request).classifications[0].explanations
    (one,) = found["explanations"]
    assert [token["text"] for token in one["tokens"]] == [token.text for token in expected.tokens]
    assert one["attributions"][0]["scores"] == pytest.approx(list(expected.attributions[0].scores))
    for item, head in zip(one["attention"], expected.attention, strict=True):
        assert (item["layer"], item["head"], item["rows"]) == (head.layer, head.head, list(head.rows))
        assert item["weights"] == pytest.approx(list(head.weights))


@pytest.mark.parametrize("command, text", [("classify", "a good film"), ("tag", "Ada was in London"),
                                           ("fill", "a [MASK] film"), ("answer", "who?\tAda.")])
def test_a_page_of_each_task(ask, command, text, tmp_path):
    path = tmp_path / "page.html"
    done = headlight("explain", "--model", command, "--pairs" if "\t" in text else "--quiet", "--format", "html",
                     "--output", path, text, HEADLIGHT_ADDRESS=ask.address)
    assert out(done) == "" and b'class="explained"' in path.read_bytes()
