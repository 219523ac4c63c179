"""What the tasks' methods refuse, and how they live together: limits, deadlines, cancellation, mixed batches."""

import threading
import time

import grpc
import pytest

from conftest import refused
from task_models import sentence, texts_of


# ---- What models have


def requests_of(pb, text="the cat"):
    """A good request of each method by the task it needs."""
    inputs = texts_of(pb, text)
    return {
        "classify": ("Classify", pb.ClassifyRequest(inputs=inputs)),
        "rerank": ("Rerank", pb.RerankRequest(query=text, texts=[text])),
        "tag": ("TagTokens", pb.TagTokensRequest(inputs=inputs)),
        "fill_mask": ("FillMask", pb.FillMaskRequest(inputs=texts_of(pb, f"{text} [MASK]"))),
        "answer": ("Answer", pb.AnswerRequest(question=text, context=text)),
        "embed": ("Embed", pb.EmbedRequest(inputs=inputs)),
    }


@pytest.mark.parametrize("name, tasks", [
    ("classify", {"embed", "classify"}), ("rerank", {"embed", "classify", "rerank"}), ("tag", {"embed", "tag"}),
    ("fill_mask", {"embed", "fill_mask"}), ("answer", {"embed", "answer"})])
def test_a_task_that_a_model_lacks_is_refused_with_those_it_has(served, pb, name, tasks):
    one = served(name)
    (model,) = one.stub.ListModels(pb.ListModelsRequest()).models
    assert set(model.tasks) == tasks
    for task, (method, request) in requests_of(pb).items():
        if task in tasks:
            getattr(one.stub, method)(request)
            continue
        error = refused(lambda: getattr(one.stub, method)(request))
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert task in error.details() and ", ".join(model.tasks) in error.details()


def test_models_list_their_labels(served, pb):
    for name in ("classify", "tag", "answer"):
        one = served(name)
        (model,) = one.stub.ListModels(pb.ListModelsRequest()).models
        assert list(model.labels) == one.model.labels
        assert model.ready and model.attention == "dense"


# ---- Refusals


def refusals(pb):
    """(model, method, request, status, words of the message, field)"""
    cat = texts_of(pb, "cat")
    return [
        ("classify", "Classify", pb.ClassifyRequest(), "INVALID_ARGUMENT", "inputs is empty", "inputs"),
        ("classify", "Classify", pb.ClassifyRequest(inputs=cat, model="no-such"), "NOT_FOUND", "no-such", "model"),
        ("classify", "Classify", pb.ClassifyRequest(inputs=cat, top_k=1 << 30), "INVALID_ARGUMENT", "65536", "top_k"),
        ("classify", "Classify", pb.ClassifyRequest(inputs=texts_of(pb, *["a"] * 10_000)), "INVALID_ARGUMENT",
         "at most 1024", "inputs"),
        ("rerank", "Rerank", pb.RerankRequest(query="cat"), "INVALID_ARGUMENT", "texts is empty", "texts"),
        ("rerank", "Rerank", pb.RerankRequest(texts=["cat"]), "INVALID_ARGUMENT", "query is empty", "query"),
        ("rerank", "Rerank", pb.RerankRequest(query="cat", texts=["a"] * 10_000), "INVALID_ARGUMENT", "at most 1024",
         "texts"),
        ("rerank", "Rerank", pb.RerankRequest(query="cat", texts=["a"], top_n=1 << 31), "INVALID_ARGUMENT", "65536",
         "top_n"),
        ("rerank", "Rerank", pb.RerankRequest(query="cat " * 100_000, texts=["a"] * 1000), "INVALID_ARGUMENT",
         "read again", "query"),
        ("tag", "TagTokens", pb.TagTokensRequest(inputs=cat, aggregation="best"), "INVALID_ARGUMENT",
         "none, simple, first, average and max", "aggregation"),
        ("fill_mask", "FillMask", pb.FillMaskRequest(inputs=cat, top_k=1 << 20), "INVALID_ARGUMENT", "at most 1024",
         "top_k"),
        ("answer", "Answer", pb.AnswerRequest(context="cat"), "INVALID_ARGUMENT", "question is empty", "question"),
        ("answer", "Answer", pb.AnswerRequest(question="cat"), "INVALID_ARGUMENT", "context is empty", "context"),
        ("answer", "Answer", pb.AnswerRequest(question="cat", context="a", top_k=1 << 20), "INVALID_ARGUMENT",
         "at most 1024", "top_k"),
    ]


def test_refusals_name_status_reason_and_field(served, pb, details):
    for name, method, request, code, words, field in refusals(pb):
        error = refused(lambda: getattr(served(name).stub, method)(request))
        assert error.code().name == code, error.details()
        assert words in error.details()
        assert details(error) == ([field], None)


def test_options_are_refused_by_every_method(served, pb, details):
    one = served("classify")
    for method, request in requests_of(pb).values():
        request.options.CopyFrom(pb.Options(explanation=pb.ExplanationSpec(methods=[77])))
        error = refused(lambda: getattr(one.stub, method)(request))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert details(error)[0] == ["options.explanation.methods"]


def test_bytes_that_are_no_text_are_refused_by_field(served, details):
    cases = [
        ("rerank", "Rerank", b"\x12\x01\xff\x1a\x01a", "query"),
        ("rerank", "Rerank", b"\x12\x01a\x1a\x01\xff", "texts[0]"),
        ("answer", "Answer", b"\x12\x01\xff\x1a\x01a", "question"),
        ("answer", "Answer", b"\x12\x01a\x1a\x01\xff", "context"),
        ("tag", "TagTokens", b"\x12\x03\x0a\x01\xff", "inputs[0].text"),
        ("fill_mask", "FillMask", b"\x12\x03\x0a\x01\xff", "inputs[0].text"),
    ]
    for name, method, message, field in cases:
        call = served(name).channel.unary_unary(f"/headlight.v1.Inference/{method}")
        error = refused(lambda: call(message))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "UTF-8" in error.details()
        assert details(error)[0] == [field]
        assert refused(lambda: call(b"\x0a\x7fshort")).code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_reply_over_the_limit_is_refused(served, pb):
    one = served("fill_mask", "--reply-limit", "64KiB")
    request = pb.FillMaskRequest(inputs=texts_of(pb, *["[MASK] " * 60] * 20), top_k=138)
    error = refused(lambda: one.stub.FillMask(request))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "--reply-limit" in error.details() and "top_k" in error.details()


def test_request_memory_bounds_results(served, pb, details):
    one = served("tag", "--request-memory", "1MiB")
    request = pb.TagTokensRequest(inputs=texts_of(pb, *["the cat " * 25] * 200))
    error = refused(lambda: one.stub.TagTokens(request))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "--request-memory" in error.details()
    for _ in range(50):
        assert len(one.stub.TagTokens(pb.TagTokensRequest(inputs=texts_of(pb, "cat"))).taggings) == 1


# ---- Deadlines, cancellation, batches


def deep_request(pb):
    return pb.ClassifyRequest(inputs=texts_of(pb, *[sentence(i, 60) for i in range(512)]))


def test_a_passed_deadline_is_deadline_exceeded_and_frees_the_workers(served, pb):
    one = served("deep", "--workers", "1")
    request = deep_request(pb)
    error = refused(lambda: one.stub.Classify(request, timeout=0.05))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    started = time.monotonic()
    one.stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, "cat")))
    quick = time.monotonic() - started
    started = time.monotonic()
    one.stub.Classify(request)
    assert quick < (time.monotonic() - started) / 2


def test_a_cancelled_call_frees_the_workers(served, pb):
    one = served("deep", "--workers", "1")
    call = one.stub.Classify.future(deep_request(pb))
    time.sleep(0.05)
    call.cancel()
    started = time.monotonic()
    one.stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, "cat")))
    quick = time.monotonic() - started
    started = time.monotonic()
    one.stub.Classify(deep_request(pb))
    assert quick < (time.monotonic() - started) / 2


@pytest.mark.parametrize("name, task", [("rerank", "classify"), ("rerank", "rerank"), ("tag", "tag"),
                                        ("fill_mask", "fill_mask"), ("answer", "answer")])
def test_bits_do_not_depend_on_the_batch_or_on_its_other_tasks(served, pb, name, task):
    one = served(name)
    texts = [sentence(i, 2 + i % 20) for i in range(40)]
    calls = [requests_of(pb, text)[kind] for text in texts for kind in (task, "embed")]

    def bits(method, request):
        reply = getattr(one.stub, method)(request)
        reply.ClearField("timing")
        return reply.SerializeToString()

    alone = [bits(*call) for call in calls]
    together = [None] * len(calls)

    def work(first):
        for i in range(first, len(calls), 8):
            together[i] = bits(*calls[i])

    for _ in range(3):
        threads = [threading.Thread(target=work, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert together == alone


def test_large_requests_are_prepared_by_a_worker(served, pb):
    one = served("classify")
    options = pb.Options(length_policy=pb.LENGTH_POLICY_TRUNCATE_RIGHT)
    request = pb.ClassifyRequest(inputs=texts_of(pb, "a cat " * 20_000, "dog"), options=options)
    answers = one.stub.Classify(request).classifications
    assert answers[0].usage.text_token_count == 40_002
    (alone,) = one.stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, "dog"))).classifications
    assert answers[1].labels == alone.labels


def test_a_context_of_few_but_huge_tokens_costs_what_reading_it_costs(served, pb):
    """Spans overlap: each byte is in hundreds of them, and each span's text is compared with the others'."""
    one = served("answer")
    context = " ".join(["É" * 12_500] * 40)

    def seconds(top_k):
        started = time.monotonic()
        answers = one.stub.Answer(pb.AnswerRequest(question="cat", context=context, top_k=top_k)).answers
        assert len(answers) == min(top_k, 15)
        return time.monotonic() - started

    reading = min(seconds(1) for _ in range(3))
    assert min(seconds(1000) for _ in range(3)) < 3 * reading + 0.5
