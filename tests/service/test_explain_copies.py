"""Explanations by copies of a text that lack some of its tokens: occlusion, and the faithfulness of scores, against the
numpy reference of task_models.py."""

import time

import grpc
import numpy
import pytest
import task_models
from builds import SANITIZED
from conftest import SMALL_MODEL, refused
from task_models import make_model, sigmoid, softmax
from test_long import TASKS, WORDS, stretch

ATOL = 2e-5
PERCENTS = (1, 5, 10, 20, 50)
TEXT = "search the long document and the short question in it"


def sentence(seed, count):
    return task_models.sentence(seed, count).replace("passage", "cat")  # which has no finite answer


LONG_TEXT = sentence(7, 50)



def options_of(pb, methods=("OCCLUSION",), **spec):
    numbers = [pb.ExplanationMethod.Value(f"EXPLANATION_METHOD_{method}") for method in methods]
    return pb.Options(explanation=pb.ExplanationSpec(methods=numbers, **spec))


def classify(served, pb, texts, **spec):
    request = pb.ClassifyRequest(inputs=texts, options=options_of(pb, **spec))
    return list(served("classify").stub.Classify(request, timeout=60).classifications)


def without(words, places, removal):
    """The words, those at `places` masked or left out."""
    if removal == "delete":
        return " ".join(word for i, word in enumerate(words) if i not in places)
    return " ".join("[MASK]" if i in places else word for i, word in enumerate(words))


def probability(model, label):
    index = model.labels.index(label)
    return lambda *texts: softmax(model.class_logits(*texts))[index]


def occluded(score, text, removal):
    words = text.split()
    return [score(text) - score(without(words, {i}, removal)) for i in range(len(words))]


def aopc(score, text, scores, removal):
    words = text.split()
    order = sorted(range(len(words)), key=lambda i: -scores[i])
    comprehensiveness, sufficiency = [], []
    for percent in PERCENTS:
        top = set(order[: -(-len(words) * percent // 100)])
        rest = set(range(len(words))) - top
        comprehensiveness.append(score(text) - score(without(words, top, removal)))
        sufficiency.append(score(text) - score(without(words, rest, removal)))
    return numpy.mean(comprehensiveness), numpy.mean(sufficiency)


@pytest.mark.parametrize("removal", ["mask", "delete"])
@pytest.mark.parametrize("text", [TEXT, LONG_TEXT, "cat"])
def test_occlusion_is_what_each_token_is_worth(served, pb, text, removal):
    answer = classify(served, pb, [pb.Text(text=text)], removal=f"REMOVAL_{removal.upper()}", faithfulness=True)[0]
    [explanation] = answer.explanations
    [attribution] = explanation.attributions
    score = probability(served("classify").model, answer.labels[0].label)
    assert attribution.target_label == answer.labels[0].label
    assert [token.special for token in explanation.tokens] == [True, *[False] * len(text.split()), True]
    scores = list(attribution.scores)
    assert scores[0] == scores[-1] == 0
    numpy.testing.assert_allclose(scores[1:-1], occluded(score, text, removal), atol=ATOL)
    expected = aopc(score, text, scores[1:-1], removal)
    faithfulness = attribution.faithfulness
    assert faithfulness.removal == removal
    numpy.testing.assert_allclose([faithfulness.comprehensiveness, faithfulness.sufficiency], expected, atol=ATOL)


def test_tokens_are_masked_unless_told_otherwise(served, pb):
    for own in [{}, {"target_label": "fear"}]:
        answer = classify(served, pb, [pb.Text(text=TEXT)], faithfulness=True, **own)[0]
        label = own.get("target_label", answer.labels[0].label)
        [attribution] = answer.explanations[0].attributions
        assert (attribution.target_label, attribution.faithfulness.removal) == (label, "mask")
        expected = occluded(probability(served("classify").model, label), TEXT, "mask")
        numpy.testing.assert_allclose(attribution.scores[1:-1], expected, atol=ATOL)


def test_answers_are_the_same_bits_with_and_without(served, pb):
    texts = [pb.Text(text=sentence(seed, 3 + seed * 7)) for seed in range(6)]
    explained = classify(served, pb, texts)
    plain = served("classify").stub.Classify(pb.ClassifyRequest(inputs=texts), timeout=60).classifications
    assert [list(answer.labels) for answer in explained] == [list(answer.labels) for answer in plain]
    again = classify(served, pb, texts)
    assert [answer.explanations for answer in explained] == [answer.explanations for answer in again]


def test_an_empty_text_has_nothing_to_leave_out(served, pb):
    [answer] = classify(served, pb, [pb.Text(text="")], faithfulness=True)
    [attribution] = answer.explanations[0].attributions
    assert list(attribution.scores) == [0, 0]
    assert attribution.faithfulness.comprehensiveness == attribution.faithfulness.sufficiency == 0


def test_both_texts_of_a_pair_are_explained(served, pb):
    query, text = "cat and dog", TEXT
    request = pb.RerankRequest(query=query, texts=[text], options=options_of(pb))
    [rank] = served("rerank").stub.Rerank(request, timeout=60).ranks
    model = served("rerank").model
    whole = sigmoid(model.class_logits(query, text))[0]
    assert abs(whole - rank.score) < ATOL
    words = query.split(), text.split()
    expected = [whole - sigmoid(model.class_logits(without(words[0], {i}, "mask"), text))[0] for i in range(3)]
    expected += [whole - sigmoid(model.class_logits(query, without(words[1], {i}, "mask")))[0]
                 for i in range(len(words[1]))]
    [explanation] = rank.explanations
    scores = [score for score, token in zip(explanation.attributions[0].scores, explanation.tokens)
              if not token.special]
    numpy.testing.assert_allclose(scores, expected, atol=ATOL)


@pytest.mark.parametrize("normalize", [True, False])
def test_a_vector_is_explained_by_its_own_direction(served, pb, normalize):
    one = served("classify")

    def embed(text, **options):
        request = pb.EmbedRequest(inputs=[pb.Text(text=text)], normalize=normalize, **options)
        return one.stub.Embed(request, timeout=60).embeddings[0]

    words = TEXT.split()
    answer = embed(TEXT, options=options_of(pb, removal="REMOVAL_DELETE"))
    whole = numpy.array(answer.values, "f8")
    norm = numpy.linalg.norm(whole)
    expected = [norm - numpy.array(embed(without(words, {i}, "delete")).values, "f8") @ whole / norm
                for i in range(len(words))]
    [attribution] = answer.explanations[0].attributions
    assert attribution.target_label == ""
    numpy.testing.assert_allclose(attribution.scores[1:-1], expected, atol=5e-5)


def test_each_chunk_is_explained_for_the_label_of_the_whole(served, pb):
    options = options_of(pb, removal="REMOVAL_DELETE")
    options.length_policy = pb.LENGTH_POLICY_CHUNK
    options.chunking.token_count = 16
    request = pb.ClassifyRequest(inputs=[pb.Text(text=LONG_TEXT)], options=options)
    [answer] = served("classify").stub.Classify(request, timeout=60).classifications
    assert len(answer.explanations) == answer.usage.chunk_count > 1
    score = probability(served("classify").model, answer.labels[0].label)
    for i, explanation in enumerate(answer.explanations):
        text = " ".join(token.text for token in explanation.tokens if not token.special)
        assert explanation.chunk == i
        numpy.testing.assert_allclose(explanation.attributions[0].scores[1:-1], occluded(score, text, "delete"),
                                      atol=ATOL)


def test_a_copy_without_a_finite_answer_fails_the_request(served, pb):
    """The masked copy of the poisoned word would be well, but not the text; and no other text pays for it."""
    texts = [pb.Text(text="the passage"), pb.Text(text=TEXT)]
    error = refused(lambda: classify(served, pb, texts))
    assert error.code() == grpc.StatusCode.INTERNAL


def test_who_has_no_score_is_refused_by_name(served, pb):
    request = pb.TagTokensRequest(inputs=[pb.Text(text=TEXT)], options=options_of(pb))
    error = refused(lambda: served("tag").stub.TagTokens(request, timeout=60))
    assert error.code() in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNIMPLEMENTED,
                            grpc.StatusCode.INVALID_ARGUMENT)
    assert "OCCLUSION" in error.details()


def test_the_places_behind_answers_are_bounded(served, pb, details):
    """4,096 texts at a time are explained in steps; so many places, whatever the request is."""
    texts = [pb.Text(text="cat")] * 4097
    error = refused(lambda: classify_many(served, pb, texts))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "4096" in error.details()


def classify_many(served, pb, texts):
    request = pb.ClassifyRequest(inputs=texts, options=options_of(pb))
    return served("classify", "--max-client-batch-size", "8192").stub.Classify(request, timeout=60)


# ---- Behind answers


@pytest.fixture(scope="module")
def deep(start_server, tmp_path_factory, make_stub):
    """A slow model on one worker."""
    model = make_model(SMALL_MODEL, tmp_path_factory.mktemp("deep") / "deep", "deep")
    with start_server("--workers", "1", model=model.folder) as server, server.channel() as channel:
        yield server, make_stub(channel)


def explain_request(pb, count, words=20):
    return pb.ClassifyRequest(inputs=[pb.Text(text=sentence(seed, words)) for seed in range(count)],
                              options=options_of(pb, faithfulness=True))


def test_plain_requests_pass_explanations_by(deep, pb):
    _, stub = deep
    plain = pb.ClassifyRequest(inputs=[pb.Text(text=TEXT)])
    stub.Classify(plain, timeout=60)
    explained = stub.Classify.future(explain_request(pb, 64), timeout=300)
    time.sleep(0.05)
    for _ in range(2):
        stub.Classify(plain, timeout=60)
    assert not explained.done(), "explanations wait for others"
    explained.cancel()


def test_a_cancelled_explanation_ends_at_its_next_step(deep, pb):
    _, stub = deep
    explained = stub.Classify.future(explain_request(pb, 64), timeout=300)
    time.sleep(0.05)
    explained.cancel()
    begun = time.monotonic()
    small = stub.Classify(explain_request(pb, 1, words=3), timeout=60)
    assert len(small.classifications[0].explanations) == 1
    assert time.monotonic() - begun < 30


def test_a_deadline_ends_an_explanation(deep, pb):
    _, stub = deep
    error = refused(lambda: stub.Classify(explain_request(pb, 64), timeout=0.3))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_draining_server_finishes_its_explanations(start_server, pb, make_stub, tmp_path_factory):
    model = make_model(SMALL_MODEL, tmp_path_factory.mktemp("drained") / "deep", "deep")
    with start_server(model=model.folder) as server, server.channel() as channel:
        stub = make_stub(channel)
        stub.Classify(pb.ClassifyRequest(inputs=[pb.Text(text=TEXT)]), timeout=60)
        explained = stub.Classify.future(explain_request(pb, 4, words=8), timeout=60)
        time.sleep(0.2)  # or it would come too late
        assert server.stop() == 0
        assert all(len(answer.explanations) == 1 for answer in explained.result().classifications)


def test_explain_streams_what_takes_steps(served, pb):
    one = served("classify")
    request = pb.ExplainRequest(input=pb.Text(text=TEXT), options=options_of(pb, faithfulness=True))
    streamed = pb.Explanation()
    for chunk in one.stub.Explain(request, timeout=60):
        streamed.MergeFrom(chunk.part)
    [alone] = classify(served, pb, [pb.Text(text=TEXT)], faithfulness=True)
    assert streamed == alone.explanations[0]


def test_streams_answer_in_order_with_steps_between(served, pb):
    texts = [TEXT, "cat", LONG_TEXT]
    requests = [pb.ClassifyRequest(inputs=[pb.Text(text=text)], options=options_of(pb) if text != "cat" else None)
                for text in texts]
    answers = [reply.classifications[0] for reply in served("classify").stub.ClassifyStream(iter(requests), timeout=60)]
    assert [len(answer.explanations) for answer in answers] == [1, 0, 1]
    for text, answer in zip(texts, answers):
        [alone] = classify(served, pb, [pb.Text(text=text)])
        assert list(alone.labels) == list(answer.labels)


def test_many_small_explanations_fit_their_memory(served, pb):
    """What is admitted holds all of them, whatever the sizes of their parts."""
    texts = [pb.Text(text=sentence(seed, 1 + seed % 12)) for seed in range(100 if SANITIZED else 400)]
    answers = classify(served, pb, texts, faithfulness=True)
    assert all(len(answer.explanations) == 1 for answer in answers)


@pytest.fixture(scope="module")
def long_model(tmp_path_factory):
    return stretch(TASKS / "longformer" / "classify", tmp_path_factory.mktemp("long") / "longformer")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_long_texts_are_explained_in_a_lane(start_server, make_stub, pb, long_model, workers):
    """Copies of more than 1,024 tokens, whose work is shared, while short requests come."""
    with start_server("--workers", workers, model=long_model) as server, server.channel() as channel:
        stub = make_stub(channel)
        text = " ".join(WORDS * 30)
        options = options_of(pb, methods=["VALUE_NORM"], faithfulness=True)
        request = pb.ClassifyRequest(inputs=[pb.Text(text=text)], options=options)
        explained = stub.Classify.future(request, timeout=120)
        while not explained.done():
            assert stub.Classify(pb.ClassifyRequest(inputs=[pb.Text(text="a cat")]), timeout=60).classifications
        [answer] = explained.result().classifications
        [attribution] = answer.explanations[0].attributions
        assert 1024 < answer.usage.token_count == len(attribution.scores)
        faithfulness = attribution.faithfulness
        alone = stub.Classify(request, timeout=120).classifications[0].explanations[0].attributions[0]
        assert alone == attribution
        assert numpy.isfinite([faithfulness.comprehensiveness, faithfulness.sufficiency]).all()
        [plain] = stub.Classify(pb.ClassifyRequest(inputs=[pb.Text(text=text)]), timeout=60).classifications
        assert list(plain.labels) == list(answer.labels)


@pytest.mark.parametrize("end", ["cancel", "stop"])
def test_explanations_may_end_at_any_time(start_server, make_stub, pb, tmp_path_factory, end):
    """Cancelled calls, deadlines, plain ones and a drain that gives up, all at once: nobody is left without an end."""
    model = make_model(SMALL_MODEL, tmp_path_factory.mktemp("ended") / "deep", "deep")
    with start_server("--drain-timeout", "1", model=model.folder) as server, server.channel() as channel:
        stub = make_stub(channel)
        calls = [stub.Classify.future(explain_request(pb, 8), timeout=(0.2 if i % 3 == 0 else 100)) for i in range(12)]
        time.sleep(0.3)
        if end == "cancel":
            for call in calls:
                call.cancel()
            assert stub.Classify(explain_request(pb, 1, words=3), timeout=60).classifications
        else:
            assert server.stop() == 0
        codes = {call.code() for call in calls}
        assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED,
                         grpc.StatusCode.UNAVAILABLE}
