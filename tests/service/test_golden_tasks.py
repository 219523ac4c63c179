"""Every architecture and task against what transformers' pipelines and sentence-transformers answered with the same
small checkpoints (tests/golden/make_tasks.py): a test's name is architecture/case-task. The tolerance is of fp32.

HEADLIGHT_GOLDEN_TASKS is a folder of other cases than tests/golden/tasks (tests/golden/sample_tasks.py)."""

import json
import os
from pathlib import Path

import grpc
import pytest

GOLDEN = Path(os.environ.get("HEADLIGHT_GOLDEN_TASKS", Path(__file__).resolve().parents[1] / "golden" / "tasks"))
TOLERANCE = 1e-5
FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/*/cases.json"))
TASKS = [pytest.param(folder, task, id=f"{folder.parent.name}/{folder.name}-{task}")
         for folder in FOLDERS for task in json.loads((folder / "cases.json").read_text(encoding="utf-8"))]


def near(value):
    return pytest.approx(value, abs=TOLERANCE, rel=1e-6)  # SPLADE sums beyond what fp32 resolves to 1e-5


def ordered(found, expected):
    """Both as (what, score), by descending score; what differs by less than the tolerance may change places."""
    assert [score for _, score in found] == near([score for _, score in expected])
    assert found == sorted(found, key=lambda item: -item[1])
    for what, score in found:
        assert any(what == other and score == near(wanted) for other, wanted in expected), what


def text_of(pb, case):
    return pb.Text(text=case["text"], **({"pair": case["pair"]} if case.get("pair") is not None else {}))


def options_of(pb, case):
    """Only Longformer's cases ask for anything."""
    asked = case.get("global_token_indices", [])
    return {"options": pb.Options(global_token_indices=asked)} if asked else {}


def check_classify(stub, pb, case):
    for raw, wanted in ((False, case["expected"]), (True, case["raw"])):
        reply = stub.Classify(pb.ClassifyRequest(inputs=[text_of(pb, case)], raw_scores=raw, **options_of(pb, case)))
        ordered([(item.label, item.score) for item in reply.classifications[0].labels],
                [(item["label"], item["score"]) for item in wanted])


def check_embed(stub, pb, case):
    request = pb.EmbedRequest(inputs=[text_of(pb, case)], prompt_name=case.get("prompt_name", ""),
                              **options_of(pb, case))
    found, values = stub.Embed(request).embeddings[0], [0.0] * len(case["expected"])
    for index, value in zip(found.sparse.indices, found.sparse.values):
        values[index] = value
    assert (values if found.HasField("sparse") else list(found.values)) == near(case["expected"])


def check_rerank(stub, pb, case):
    for raw, wanted in ((False, case["expected"]), (True, case["raw"])):
        reply = stub.Rerank(pb.RerankRequest(query=case["query"], texts=case["texts"], raw_scores=raw))
        ordered([(rank.index, rank.score) for rank in reply.ranks],
                sorted(enumerate(wanted), key=lambda item: -item[1]))


def check_tag(stub, pb, case):
    reply = stub.TagTokens(pb.TagTokensRequest(inputs=[text_of(pb, case)], aggregation=case["aggregation"],
                                               **options_of(pb, case)))
    found, text = reply.taggings[0].entities, case["text"].encode()
    names = ("label", "byte_begin", "byte_end")
    assert [[getattr(entity, name) for name in names] for entity in found] == [
        [entity[name] for name in names] for entity in case["expected"]]
    assert [entity.score for entity in found] == near([entity["score"] for entity in case["expected"]])
    assert [entity.text for entity in found] == [text[entity.byte_begin:entity.byte_end].decode() for entity in found]


def check_fill_mask(stub, pb, case):
    reply = stub.FillMask(pb.FillMaskRequest(inputs=[text_of(pb, case)], top_k=case["top_k"],
                                             **options_of(pb, case)))
    masks = reply.results[0].masks
    assert len(masks) == len(case["expected"])
    for mask, wanted in zip(masks, case["expected"]):
        ordered([((fill.token_id, fill.token), fill.score) for fill in mask.fills],
                [((fill["token_id"], fill["token"]), fill["score"]) for fill in wanted])


def check_answer(stub, pb, case):
    reply = stub.Answer(pb.AnswerRequest(question=case["question"], context=case["context"], top_k=case["top_k"],
                                         allow_no_answer=case["handle_impossible_answer"]))
    # Where spans run out, the pipeline offers the empty answer with a score of 0 even if that is not allowed.
    expected = [answer for answer in case["expected"] if answer["text"] or case["handle_impossible_answer"]]
    ordered([((answer.text, answer.byte_begin, answer.byte_end), answer.score) for answer in reply.answers],
            [((answer["text"], answer["byte_begin"], answer["byte_end"]), answer["score"])
             for answer in expected])


CHECKS = {"classify": check_classify, "embed": check_embed, "rerank": check_rerank, "tag": check_tag,
          "fill_mask": check_fill_mask, "answer": check_answer}


@pytest.mark.parametrize("folder, task", TASKS)
def test_task_equals_transformers(folder, task, start_server, make_stub, pb):
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))[task]
    with start_server(model=folder) as server, server.channel() as channel:
        stub = make_stub(channel)
        for number, case in enumerate(cases):
            try:
                CHECKS[task](stub, pb, case)
            except (AssertionError, grpc.RpcError) as error:
                raise AssertionError(f"{folder.parent.name}/{folder.name}, {task} case {number}: {error}") from error
