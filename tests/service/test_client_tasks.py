"""`headlight classify`, `rerank`, `tag`, `fill` and `answer`, against a server that a test can make misbehave."""

import json

import grpc
import pytest
from client_cli import failure, fake_server, headlight, message, out


@pytest.fixture(name="server")
def fixture_server():
    yield from fake_server()


def test_classify_prints_labels_by_score(server):
    assert out(headlight("classify", "abc", "d", server=server)) == "long\t3\tpair\t-0.5\nlong\t1\tpair\t-0.5\n"
    assert out(headlight("classify", "--top-k", "1", "abc", server=server)) == "long\t3\n"
    document = json.loads(out(headlight("classify", "--format", "json", "abc", "", server=server)))
    assert document["model"] == "fake" and [item["index"] for item in document["classifications"]] == [0, 1]
    assert document["classifications"][0]["labels"][0] == {"label": "long", "score": 3}
    assert document["classifications"][0]["usage"]["token_count"] == 3


def test_classify_streams_a_file_in_order(server, tmp_path):
    path = tmp_path / "texts"
    path.write_text("".join("x" * (i % 50) + "\n" for i in range(1000)))
    lines = out(headlight("classify", "--top-k", "1", "--batch", "7", "--file", path, server=server)).splitlines()
    assert lines[1:] == [f"long\t{i % 50}" if i % 50 else "long\t0" for i in range(1, 1000)]
    assert server.calls == {"ClassifyStream": 1}


def test_pairs_are_two_texts_with_a_tab_between(server):
    assert out(headlight("classify", "--pairs", "--top-k", "1", server=server, stdin="a\tbcd\nef\t\n")) == (
        "pair\t2.5\nlong\t2\n")
    assert "line 2 of standard input has no tab" in failure(headlight("classify", "--pairs", server=server,
                                                                      stdin="a\tb\nc\n"))
    seen = []
    answer = server.embed
    server.embed = lambda request, context: (seen.append(request), answer(request, context))[1]
    out(headlight("embed", "--pairs", "a\tb\tc", server=server))
    assert (seen[0].inputs[0].text, seen[0].inputs[0].pair) == ("a", "b\tc")


def test_classify_asks_for_votes(server):
    seen = []
    answer = server.classify
    server.classify = lambda request, context: (seen.append(request.options.vote_count), answer(request, context))[1]
    out(headlight("classify", "--votes", "5", "a", server=server))
    out(headlight("classify", "a", server=server))
    assert seen == [5, 0]
    assert "outside 0 to 16" in failure(headlight("classify", "--votes", "17", "a", server=server), 2)


def test_rerank_sorts_over_all_requests(server):
    texts = [f"egg {i}" if i % 3 else "boil an egg" for i in range(100)]
    arguments = ("rerank", "--query", "boil an egg", "--batch", "8")
    lines = out(headlight(*arguments, "--top-n", "35", server=server, stdin="\n".join(texts))).splitlines()
    assert lines == [f"3\t{i}\tboil an egg" for i in range(0, 100, 3)] + ["1\t1\tegg 1"]
    document = json.loads(out(headlight(*arguments, "--format", "json", *texts, server=server)))
    assert document["model"] == "fake" and len(document["ranks"]) == 100
    assert document["ranks"][0] == {"index": 0, "score": 3, "text": "boil an egg"}
    assert json.loads(out(headlight(*arguments, "--format", "jsonl", "egg", server=server)))["score"] == 1


def test_rerank_says_which_chunk_is_the_best(server):
    best = {"byte_begin": 2, "byte_end": 7}
    server.rerank = lambda request, context: message(
        "RerankResponse", ranks=[dict(index=0, score=1, text="an egg", best_chunk=best)])
    line = json.loads(out(headlight("rerank", "--query", "a", "--format", "jsonl", "an egg", server=server)))
    assert line == {"index": 0, "score": 1, "text": "an egg", "best_chunk": best}


def test_rerank_refuses_what_was_not_asked(server):
    server.rerank = lambda request, context: message("RerankResponse", ranks=[dict(index=7, score=1, text="x")])
    assert "not sent" in failure(headlight("rerank", "--query", "a", "b", server=server))
    assert "needs --query" in failure(headlight("rerank", "a", server=server), 2)


def test_tag_prints_an_entity_a_line(server):
    assert out(headlight("tag", "in Köln and Rom", "none", server=server)) == (
        "simple\t0.5\t3\t8\tKöln\nsimple\t0.5\t13\t16\tRom\n\n")
    assert out(headlight("tag", "--aggregation", "max", "A", server=server)).startswith("max\t")
    line = json.loads(out(headlight("tag", "--format", "jsonl", "in Rom", server=server)))
    assert line["entities"] == [{"label": "simple", "score": 0.5, "text": "Rom", "byte_begin": 3, "byte_end": 6}]


def test_fill_prints_candidates_of_each_mask(server):
    assert out(headlight("fill", "--top-k", "2", "[MASK] [MASK]", server=server)) == (
        "1\tword1\t0.5\t1\n1\tword2\t0.25\t2\n2\tword1\t0.5\t1\n2\tword2\t0.25\t2\n")
    document = json.loads(out(headlight("fill", "--format", "json", "[MASK]", "[MASK]", server=server)))
    assert len(document["results"]) == 2 and len(document["results"][1]["masks"][0]) == 5
    assert document["results"][0]["masks"][0][0] == {"token_id": 1, "token": "word1", "score": 0.5}


def test_answer_asks_each_text_alone(server):
    assert out(headlight("answer", "--question", "an", "a man", "none", server=server)) == (
        "1\t3\t5\tan\n0.25\t0\t0\t\n\n0.25\t0\t0\t\n")
    assert server.calls == {"Answer": 2}
    lines = out(headlight("answer", "--question", "an", "--format", "jsonl", server=server, stdin="an\nb\n"))
    assert [len(json.loads(line)["answers"]) for line in lines.splitlines()] == [2, 1]
    assert "needs --question" in failure(headlight("answer", "a", server=server), 2)


@pytest.mark.parametrize("command, method", [
    (("classify",), "classify"), (("rerank", "--query", "q"), "rerank"), (("tag",), "tag_tokens"),
    (("fill",), "fill_mask"), (("answer", "--question", "q"), "answer")])
def test_a_refusal_names_the_text(server, command, method):
    setattr(server, method, lambda request, context: server.refuse_input(context, 0, "too long"))
    error = failure(headlight(*command, "a", "b", server=server))
    assert "text 1: too long" in error
    setattr(server, method, lambda request, context: context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no such task"))
    assert "no such task" in failure(headlight(*command, "a", server=server))


@pytest.mark.parametrize("command", ["classify", "tag", "fill"])
def test_answers_of_another_count_are_an_error(server, command):
    reply = {"classify": "ClassifyResponse", "tag": "TagTokensResponse", "fill": "FillMaskResponse"}[command]
    for method in ("classify", "tag_tokens", "fill_mask"):
        setattr(server, method, lambda request, context: message(reply))
    assert "answered 0 of 1 texts" in failure(headlight(command, "a", server=server))
