"""Classify, Rerank, TagTokens, FillMask, Answer and ClassifyStream over gRPC, against task_models.py."""

import grpc
import numpy
import pytest

from conftest import refused
from task_models import LABELS, POSITION_COUNT, TAGS, sentence, sigmoid, softmax, texts_of

TEXTS = ["the cat is in it", "dog", "the long question is short to the server", "search of the document"]
ATOL = 1e-5


def labels_of(classification):
    return [(label.label, label.score) for label in classification.labels]


def assert_labels(labels, scores, names):
    order = sorted(range(len(names)), key=lambda i: -scores[i])[: len(labels)]
    assert [label for label, _ in labels] == [names[i] for i in order]
    assert numpy.abs(numpy.array([score for _, score in labels]) - scores[order]).max() < ATOL


def assert_usage(usage, token_count):
    assert (usage.token_count, usage.text_token_count, usage.truncated) == (token_count, token_count, False)
    assert (usage.chunk_count, usage.attention) == (1, "dense")


# ---- Classify


def test_labels_come_with_descending_probabilities(served, pb):
    one = served("classify")
    response = one.stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, *TEXTS)))
    assert response.model == "classify" and len(response.classifications) == len(TEXTS)
    for text, answer in zip(TEXTS, response.classifications):
        assert_labels(labels_of(answer), softmax(one.model.class_logits(text)), LABELS)
        assert len(answer.labels) == len(LABELS)
        assert_usage(answer.usage, len(text.split()) + 2)
    assert response.timing.total_ns > response.timing.compute_ns > 0
    assert 1 <= response.timing.batch_sequences <= len(TEXTS)


def test_raw_scores_are_logits_and_top_k_cuts(served, pb):
    one = served("classify")
    for top_k in (1, 3, 4, 1000):
        request = pb.ClassifyRequest(inputs=texts_of(pb, TEXTS[0]), raw_scores=True, top_k=top_k)
        (answer,) = one.stub.Classify(request).classifications
        assert len(answer.labels) == min(top_k, len(LABELS))
        assert_labels(labels_of(answer), one.model.class_logits(TEXTS[0]), LABELS)


def test_pairs_are_classified(served, pb):
    one = served("classify")
    request = pb.ClassifyRequest(inputs=[pb.Text(text="the cat", pair="is in the document")])
    (answer,) = one.stub.Classify(request).classifications
    assert_labels(labels_of(answer), softmax(one.model.class_logits("the cat", "is in the document")), LABELS)


def test_a_text_beyond_the_limit_is_refused_or_cut(served, pb, details):
    one = served("classify")
    request = pb.ClassifyRequest(inputs=texts_of(pb, "cat", "the " * 100),
                                 options=pb.Options(length_policy=pb.LENGTH_POLICY_REFUSE))
    error = refused(lambda: one.stub.Classify(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert f"102 tokens, the model's limit is {POSITION_COUNT}" in error.details()
    assert details(error)[0] == ["inputs[1].text"]
    request.options.length_policy = pb.LENGTH_POLICY_TRUNCATE_RIGHT
    usage = one.stub.Classify(request).classifications[1].usage
    assert (usage.token_count, usage.text_token_count, usage.truncated) == (POSITION_COUNT, 102, True)


def test_an_answer_that_is_not_finite_is_an_error_of_its_text(served, pb, details):
    one = served("classify")
    error = refused(lambda: one.stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, "cat", "the passage", "dog"))))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "inputs[1]" in error.details() and "not finite" in error.details()
    assert details(error)[0] == ["inputs[1].text"]


# ---- ClassifyStream


def test_a_stream_classifies_in_order(served, pb):
    one = served("classify")
    texts = [sentence(i, 1 + i % 20).replace("passage", "cat") for i in range(100)]
    answers = list(one.stub.ClassifyStream(pb.ClassifyRequest(inputs=texts_of(pb, text)) for text in texts))
    whole = one.stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, *texts))).classifications
    assert [labels_of(answer.classifications[0]) for answer in answers] == [labels_of(answer) for answer in whole]


def test_a_stream_ends_at_the_first_refused_message(served, pb, details):
    one = served("classify")
    requests = [pb.ClassifyRequest(inputs=texts_of(pb, "cat")), pb.ClassifyRequest(top_k=1),
                pb.ClassifyRequest(inputs=texts_of(pb, "cat"))]
    answers = one.stub.ClassifyStream(iter(requests))
    assert len(next(answers).classifications) == 1
    error = refused(lambda: next(answers))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and details(error)[0] == ["inputs"]


def test_a_cancelled_stream_leaves_the_server_well(served, pb):
    one = served("classify")
    answers = one.stub.ClassifyStream(pb.ClassifyRequest(inputs=texts_of(pb, "cat")) for _ in range(100_000))
    next(answers)
    answers.cancel()
    assert refused(lambda: list(answers)).code() == grpc.StatusCode.CANCELLED
    assert len(one.stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, "cat"))).classifications) == 1


# ---- Rerank


def test_texts_are_ranked_by_descending_score(served, pb):
    one = served("rerank")
    query, texts = "the question", [sentence(i, 3 + i) for i in range(20)]
    logits = numpy.array([one.model.class_logits(query, text)[0] for text in texts])
    for raw in (False, True):
        response = one.stub.Rerank(pb.RerankRequest(query=query, texts=texts, raw_scores=raw))
        assert [rank.index for rank in response.ranks] == list(numpy.argsort(-logits, kind="stable"))
        expected = logits if raw else sigmoid(logits)
        for rank in response.ranks:
            assert abs(rank.score - expected[rank.index]) < ATOL
            assert not rank.HasField("text")
            assert_usage(rank.usage, len(query.split()) + len(texts[rank.index].split()) + 3)


def test_top_n_and_texts_are_as_asked(served, pb):
    one = served("rerank")
    texts = ["the cat", "", "dog", "the cat"]
    whole = one.stub.Rerank(pb.RerankRequest(query="cat", texts=texts)).ranks
    assert sorted(rank.index for rank in whole) == [0, 1, 2, 3]
    places = [rank.index for rank in whole]
    assert places.index(3) == places.index(0) + 1  # equal scores keep the request's order
    first = one.stub.Rerank(pb.RerankRequest(query="cat", texts=texts, top_n=2, return_text=True)).ranks
    assert [rank.index for rank in first] == places[:2]
    assert all(rank.HasField("text") and rank.text == texts[rank.index] for rank in first)
    assert len(one.stub.Rerank(pb.RerankRequest(query="cat", texts=texts, top_n=100)).ranks) == 4


def test_a_full_batch_with_a_long_query_is_ranked(served, pb):
    one = served("rerank")
    options = pb.Options(length_policy=pb.LENGTH_POLICY_TRUNCATE_RIGHT)
    request = pb.RerankRequest(query=sentence(0, 40), texts=[sentence(i, 3) for i in range(1024)], options=options)
    response = one.stub.Rerank(request)
    assert sorted(rank.index for rank in response.ranks) == list(range(1024))


def test_a_pair_beyond_the_limit_is_a_fault_of_its_text(served, pb, details):
    one = served("rerank")
    request = pb.RerankRequest(query="cat", texts=["dog", "the " * 100],
                               options=pb.Options(length_policy=pb.LENGTH_POLICY_REFUSE))
    error = refused(lambda: one.stub.Rerank(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)[0] == ["texts[1]"] and "texts[1]" in error.details()


# ---- TagTokens


def expected_tokens(model, text):
    """(label, score, begin, end) of each word that is tagged."""
    found, at = [], 0
    for word, row in zip(text.split(), softmax(model.token_logits(text))[1:-1]):
        if row.argmax() != 0:
            found.append((TAGS[row.argmax()], row.max(), at, at + len(word)))
        at += len(word) + 1
    return found


def grouped(tokens):
    """What transformers calls "simple": neighbours of one kind, unless a B- begins another."""
    groups = []
    for label, score, begin, end in tokens:
        kind = label[2:]
        if groups and groups[-1][0] == kind and groups[-1][3] + 1 == begin and label[0] == "I":
            groups[-1] = (kind, groups[-1][1] + [score], groups[-1][2], end)
        else:
            groups.append((kind, [score], begin, end))
    return [(kind, numpy.mean(scores), begin, end) for kind, scores, begin, end in groups]


@pytest.mark.parametrize("aggregation", ["none", "", "simple", "first", "average", "max"])
def test_entities_have_labels_scores_and_ranges(served, pb, aggregation):
    one = served("tag")
    texts = [sentence(i, 12) for i in range(10)]
    response = one.stub.TagTokens(pb.TagTokensRequest(inputs=texts_of(pb, *texts), aggregation=aggregation))
    for text, answer in zip(texts, response.taggings):
        tokens = expected_tokens(one.model, text)
        expected = tokens if aggregation == "none" else grouped(tokens)  # a word is one token
        assert [(entity.label, entity.byte_begin, entity.byte_end) for entity in answer.entities] == [
            (label, begin, end) for label, _, begin, end in expected]
        for entity, (_, score, begin, end) in zip(answer.entities, expected):
            assert abs(entity.score - score) < ATOL
            assert entity.text == text[begin:end]
        assert_usage(answer.usage, 14)


def test_ranges_are_bytes_of_the_text_as_it_came(served, pb):
    one = served("tag")
    text = "\u00c9\u00c4  \u732b, The CAT"
    (answer,) = one.stub.TagTokens(pb.TagTokensRequest(inputs=texts_of(pb, text), aggregation="none")).taggings
    assert answer.entities
    for entity in answer.entities:
        assert entity.text == text.encode()[entity.byte_begin : entity.byte_end].decode()


# ---- FillMask


def test_masks_are_filled_by_descending_probability(served, pb):
    one = served("fill_mask")
    text = "the [MASK] is in [MASK] document"
    (answer,) = one.stub.FillMask(pb.FillMaskRequest(inputs=texts_of(pb, text))).results
    names = {index: token for token, index in one.model.vocabulary.items()}
    assert len(answer.masks) == 2
    for mask, row in zip(answer.masks, one.model.mask_probabilities(text)):
        best = numpy.argsort(-row, kind="stable")[:5]
        assert [fill.token_id for fill in mask.fills] == list(best)
        assert [fill.token for fill in mask.fills] == [names.get(index, "") for index in best]
        assert numpy.abs(numpy.array([fill.score for fill in mask.fills]) - row[best]).max() < ATOL
    assert_usage(answer.usage, 8)


def test_top_k_of_a_mask_ends_with_the_vocabulary(served, pb):
    one = served("fill_mask")
    for top_k in (1, 7, 1000):
        request = pb.FillMaskRequest(inputs=texts_of(pb, "[MASK]"), top_k=top_k)
        (mask,) = one.stub.FillMask(request).results[0].masks
        assert len(mask.fills) == min(top_k, one.model.config["vocab_size"])
        scores = [fill.score for fill in mask.fills]
        assert scores == sorted(scores, reverse=True)
    assert abs(sum(scores) - 1) < 1e-4


def test_a_text_without_a_mask_is_refused(served, pb, details):
    one = served("fill_mask")
    error = refused(lambda: one.stub.FillMask(pb.FillMaskRequest(inputs=texts_of(pb, "a [MASK]", "a cat"))))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "[MASK]" in error.details()
    assert details(error)[0] == ["inputs[1].text"]


# ---- Answer


def test_the_best_span_of_the_context_is_given(served, pb):
    one = served("answer")
    for seed in range(20):
        question, context = sentence(seed, 4), sentence(seed + 100, 5 + seed)
        response = one.stub.Answer(pb.AnswerRequest(question=question, context=context))
        (answer,) = response.answers
        text, score = one.model.answers(question, context)[0]
        assert answer.text == text
        assert abs(answer.score - score) < ATOL
        assert answer.text == context[answer.byte_begin : answer.byte_end]
        assert_usage(response.usage, 4 + 5 + seed + 3)


def test_no_answer_competes_where_that_is_allowed(served, pb):
    one = served("answer")
    question, context = "the cat", sentence(3, 30)
    for allowed in (False, True):
        request = pb.AnswerRequest(question=question, context=context, top_k=1000, allow_no_answer=allowed)
        found = [(answer.text, answer.score) for answer in one.stub.Answer(request).answers]
        expected = one.model.answers(question, context, allowed, candidate_count=2010)
        assert len(found) == len(expected) and ("" in dict(found)) == allowed
        assert numpy.abs(numpy.array([score for _, score in found]) - [score for _, score in expected]).max() < ATOL


def test_more_answers_descend(served, pb):
    one = served("answer")
    response = one.stub.Answer(pb.AnswerRequest(question="the cat", context=sentence(3, 30), top_k=10))
    scores = [answer.score for answer in response.answers]
    assert 1 < len(scores) <= 10 and scores == sorted(scores, reverse=True)


def test_a_long_context_is_read_in_windows(served, pb):
    one = served("answer")
    context = sentence(5, 300)
    response = one.stub.Answer(pb.AnswerRequest(question="the cat", context=context))
    (answer,) = response.answers
    assert answer.text == context[answer.byte_begin : answer.byte_end]
    assert response.usage.chunk_count > 5 and not response.usage.truncated
    assert response.usage.text_token_count == 305
    assert response.usage.token_count > 300
    assert response.timing.batch_sequences >= 1


def test_a_context_of_blanks_has_no_answer(served, pb):
    response = served("answer").stub.Answer(pb.AnswerRequest(question="the cat", context=" \n "))
    assert len(response.answers) == 0 and response.usage.token_count == 5


def test_a_long_context_is_refused_where_that_is_asked_for(served, pb, details):
    one = served("answer")
    options = pb.Options(length_policy=pb.LENGTH_POLICY_REFUSE)
    request = pb.AnswerRequest(question="the cat", context=sentence(5, 300), options=options)
    error = refused(lambda: one.stub.Answer(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "305 tokens" in error.details() and details(error)[0] == ["context"]
    assert len(one.stub.Answer(pb.AnswerRequest(question="the cat", context="the dog", options=options)).answers) == 1
