"""Texts beyond the model's limit over gRPC: what is made of their chunks, against each chunk asked for by itself.

The texts are words with single blanks between them, so that every border is as good as any other and a plan is plain
arithmetic: chunks of `room` words that share `overlap`.
"""

import grpc
import numpy
import pytest

from conftest import refused
from task_models import LABELS, POSITION_COUNT, TAGS, sentence, sigmoid, softmax, texts_of

LIMIT = 24  # of the small checkpoint
ATOL = 1e-5


def embed(stub, pb, *texts, chunking=None, policy=None, **fields):
    request = pb.EmbedRequest(inputs=texts_of(pb, *texts), **fields)
    if chunking is not None:
        request.options.chunking.CopyFrom(pb.Chunking(**chunking))
    if policy is not None:
        request.options.length_policy = policy
    return stub.Embed(request).embeddings


def plan(word_count, room, overlap):
    """The [begin, end) of each chunk."""
    ranges, begin = [], 0
    while word_count - begin > room:
        ranges.append((begin, begin + room))
        begin += room - overlap
    return [*ranges, (begin, word_count)]


def owners(ranges):
    """Where each chunk's own words begin and end: the middles of the overlaps."""
    middles = [(following[0] + one[1] + 1) // 2 for one, following in zip(ranges, ranges[1:])]
    return list(zip([0, *middles], [*middles, ranges[-1][1]]))


def parts_of(text, ranges):
    words = text.split()
    return [" ".join(words[begin:end]) for begin, end in ranges]


def unit(vector):
    return vector / numpy.linalg.norm(vector)


def array(embedding):
    return numpy.array(embedding.values, dtype=numpy.float64)


# ---- Embed


@pytest.mark.parametrize("size, overlap", [(None, None), (16, 0), (24, 11), (10, 3)])
def test_a_vector_is_the_mean_of_its_chunks_by_tokens(stub, pb, small_model, size, overlap):
    text = sentence(1, 100)
    chunking = {"token_count": size or 0} | ({} if overlap is None else {"overlap": overlap})
    (whole,) = embed(stub, pb, text, chunking=chunking, return_chunk_embeddings=True, policy=pb.LENGTH_POLICY_CHUNK)
    room = (size or LIMIT) - 2
    ranges = plan(100, room, room // 8 if overlap is None else overlap)
    parts = parts_of(text, ranges)
    alone = embed(stub, pb, *parts)
    assert [chunk.values for chunk in whole.chunks] == [one.values for one in alone]  # the same bits
    assert [text[span.byte_begin : span.byte_end] for span in whole.chunk_spans] == parts
    assert [span.token_count for span in whole.chunk_spans] == [end - begin for begin, end in ranges]
    weights = numpy.array([span.token_count for span in whole.chunk_spans], dtype=numpy.float64)
    weights /= weights.sum()
    assert numpy.abs([span.weight for span in whole.chunk_spans] - weights).max() < 1e-6
    mean = sum(weight * array(one) for weight, one in zip(weights, alone))
    assert numpy.abs(unit(mean) - array(whole)).max() < 1e-6
    usage = whole.usage
    assert (usage.chunk_count, usage.text_token_count, usage.truncated) == (len(ranges), 102, False)
    assert usage.attention == "chunked" and usage.token_count == sum(one.usage.token_count for one in alone)


def test_a_second_level_of_attention_weighs_the_chunks(stub, pb, small_model):
    text = sentence(2, 90)
    chunking = {"overlap": 2, "aggregate": pb.CHUNK_AGGREGATE_ATTENTION}
    (whole,) = embed(stub, pb, text, chunking=chunking, return_chunk_embeddings=True)
    vectors = numpy.array([chunk.values for chunk in whole.chunks], dtype=numpy.float64)
    counts = numpy.array([span.token_count for span in whole.chunk_spans], dtype=numpy.float64)
    query = unit(counts @ vectors)
    scores = numpy.sqrt(vectors.shape[1]) * (vectors / numpy.linalg.norm(vectors, axis=1)[:, None]) @ query
    weights = softmax(scores + numpy.log(counts))
    assert numpy.abs([span.weight for span in whole.chunk_spans] - weights).max() < 1e-5
    assert numpy.abs(unit(weights @ vectors) - array(whole)).max() < 1e-5
    assert numpy.ptp(weights * counts.sum() / counts) > 0.02  # it is no mean


def test_chunks_are_cut_and_normalized_as_the_vector_is(stub, pb, small_model):
    text = sentence(3, 60)
    for fields in ({"dimensions": 8}, {"normalize": False}):
        (whole,) = embed(stub, pb, text, return_chunk_embeddings=True, **fields)
        alone = embed(stub, pb, *parts_of(text, plan(60, 22, 2)), **fields)
        assert [chunk.values for chunk in whole.chunks] == [one.values for one in alone]
        mean = sum(span.weight * array(one) for span, one in zip(whole.chunk_spans, alone))
        expected = mean if "normalize" in fields else unit(mean)
        assert numpy.abs(expected - array(whole)).max() < 1e-6


def test_each_chunk_has_the_prompt_and_spans_are_of_the_text(stub, pb, small_model):
    text = sentence(4, 80)
    (whole,) = embed(stub, pb, text, prompt_name="query", return_chunk_embeddings=True)
    parts = [text[span.byte_begin : span.byte_end] for span in whole.chunk_spans]
    assert parts[0].split() == text.split()[: len(parts[0].split())] and text.endswith(parts[-1])
    alone = embed(stub, pb, *parts, prompt_name="query")
    assert [chunk.values for chunk in whole.chunks] == [one.values for one in alone]
    assert max(one.usage.token_count for one in alone) == LIMIT


def test_token_rows_are_those_of_the_chunk_that_knows_most_around_them(stub, pb, small_model):
    text = sentence(5, 70)
    (whole,) = embed(stub, pb, text, chunking={"overlap": 6}, return_token_embeddings=True)
    ranges = plan(70, 22, 6)
    alone = embed(stub, pb, *parts_of(text, ranges), return_token_embeddings=True)
    expected = [alone[0].tokens[0]]
    for one, (begin, _), (own_begin, own_end) in zip(alone, ranges, owners(ranges)):
        expected += one.tokens[1 + own_begin - begin : 1 + own_end - begin]
    expected.append(alone[-1].tokens[-1])
    assert [row.values for row in whole.tokens] == [row.values for row in expected]


def test_of_a_pair_the_longer_text_is_cut(stub, pb, small_model):
    short, text = "the cat is in it", sentence(6, 50)
    for first, second in ((short, text), (text, short)):
        request = pb.EmbedRequest(inputs=[pb.Text(text=first, pair=second)], return_chunk_embeddings=True)
        (whole,) = stub.Embed(request).embeddings
        parts = parts_of(text, plan(50, LIMIT - 3 - 5, 2))
        assert [text[span.byte_begin : span.byte_end] for span in whole.chunk_spans] == parts
        pairs = [(short, part) if second == text else (part, short) for part in parts]
        alone = stub.Embed(pb.EmbedRequest(inputs=[pb.Text(text=one, pair=two) for one, two in pairs])).embeddings
        assert [chunk.values for chunk in whole.chunks] == [one.values for one in alone]


def test_a_text_within_a_chunk_has_its_own_bits(stub, pb, small_model):
    text = sentence(7, LIMIT - 2)
    (plain,) = embed(stub, pb, text)
    for policy in (pb.LENGTH_POLICY_AUTO, pb.LENGTH_POLICY_CHUNK):
        (one,) = embed(stub, pb, text, policy=policy, return_chunk_embeddings=True)
        assert one.values == plain.values == one.chunks[0].values
        assert len(one.chunks) == 1 and one.chunk_spans[0].weight == 1
        assert (one.chunk_spans[0].byte_begin, one.chunk_spans[0].byte_end) == (0, len(text))
        assert (one.usage.chunk_count, one.usage.attention) == (1, "dense")
    assert not plain.chunks and not plain.chunk_spans


def test_chunks_of_a_text_that_fits_are_pooled_of_its_rows(stub, pb, small_model):
    """Late chunking: the first and the last have the special tokens beside them."""
    text = sentence(8, 20)
    (one,) = embed(stub, pb, text, chunking={"token_count": 10, "overlap": 0}, return_chunk_embeddings=True,
                   return_token_embeddings=True)
    assert one.usage.chunk_count == 1 and one.values == embed(stub, pb, text)[0].values
    rows = numpy.array([list(row.values) for row in one.tokens], dtype=numpy.float64)
    ranges = [(0, 9), (9, 17), (17, 22)]
    assert [span.token_count for span in one.chunk_spans] == [8, 8, 4]
    for chunk, (begin, end) in zip(one.chunks, ranges, strict=True):
        assert numpy.abs(unit(rows[begin:end].mean(axis=0)) - array(chunk)).max() < 1e-5


def test_chunks_end_with_sentences(stub, pb, small_model):
    text = "the cat is in the document . is it short ? " * 12
    (whole,) = embed(stub, pb, text, return_chunk_embeddings=True, chunking={"overlap": 0})
    ends = [text[span.byte_begin : span.byte_end] for span in whole.chunk_spans]
    assert len(ends) > 4 and all(part[-1] in ".?" for part in ends)


def test_long_texts_share_a_request_and_a_stream_with_short_ones(stub, pb, small_model):
    texts = [sentence(i, 1 + (i * 37) % 150) for i in range(24)]
    together = embed(stub, pb, *texts)
    assert [one.values for one in together] == [embed(stub, pb, text)[0].values for text in texts]
    requests = (pb.EmbedRequest(inputs=texts_of(pb, text)) for text in texts)
    assert [one.embeddings[0].values for one in stub.EmbedStream(requests)] == [one.values for one in together]


def test_late_chunks_take_a_model_that_pools_all_rows(start_server, make_stub, pb, small_model, details):
    with start_server(model=small_model.parent / "passages") as server, server.channel() as channel:
        stub, text = make_stub(channel), sentence(15, 20)
        error = refused(lambda: embed(stub, pb, text, chunking={"token_count": 10}, return_chunk_embeddings=True))
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION and details(error)[0] == ["return_chunk_embeddings"]
        fields = {"prompt_name": "none", "return_chunk_embeddings": True}
        (one,) = embed(stub, pb, text, policy=pb.LENGTH_POLICY_CHUNK, chunking={"token_count": 10}, **fields)
        parts = [text[span.byte_begin : span.byte_end] for span in one.chunk_spans]
        alone = embed(stub, pb, *parts, **fields)
        assert len(parts) > 2 and [chunk.values for chunk in one.chunks] == [single.values for single in alone]


def test_sparse_vectors_have_the_greatest_weight_of_each_token(start_server, make_stub, pb, small_model, details):
    with start_server(model=small_model.parent / "sparse") as server, server.channel() as channel:
        stub, text = make_stub(channel), sentence(16, 100)
        (one,) = embed(stub, pb, text)
        expected = {}
        for part in (text[span.byte_begin : span.byte_end] for span in one.chunk_spans):
            (alone,) = embed(stub, pb, part)
            for index, value in zip(alone.sparse.indices, alone.sparse.values):
                expected[index] = max(value, expected.get(index, 0))
        assert len(one.chunk_spans) > 1 and dict(zip(one.sparse.indices, one.sparse.values)) == expected
        error = refused(lambda: embed(stub, pb, text, return_chunk_embeddings=True))
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION and details(error)[0] == ["return_chunk_embeddings"]


# ---- The other tasks

ROOM = POSITION_COUNT - 2
LONG = sentence(9, 200).replace("passage", "cat")
RANGES = plan(200, ROOM, ROOM // 8)


def weighted(rows, ranges):
    return numpy.average(rows, axis=0, weights=[end - begin for begin, end in ranges])


def test_classify_means_the_logits(served, pb):
    one = served("classify")
    logits = weighted([one.model.class_logits(part) for part in parts_of(LONG, RANGES)], RANGES)
    for raw, scores in ((True, logits), (False, softmax(logits))):
        request = pb.ClassifyRequest(inputs=texts_of(pb, "cat", LONG), raw_scores=raw)
        short, answer = one.stub.Classify(request).classifications
        assert {label.label for label in answer.labels} == set(LABELS)
        for label in answer.labels:
            assert abs(label.score - scores[LABELS.index(label.label)]) < ATOL
        assert (answer.usage.chunk_count, answer.usage.attention) == (len(RANGES), "chunked")
        assert (short.usage.chunk_count, short.usage.attention) == (1, "dense")
    (streamed,) = one.stub.ClassifyStream(iter([pb.ClassifyRequest(inputs=texts_of(pb, LONG))]))
    assert [label.score for label in streamed.classifications[0].labels] == [label.score for label in answer.labels]


def test_rerank_takes_the_best_chunk(served, pb):
    one = served("rerank")
    texts = [LONG, "the dog", sentence(10, 90)]
    response = one.stub.Rerank(pb.RerankRequest(query="the cat", texts=texts))
    room = POSITION_COUNT - 3 - 2
    for rank in response.ranks:
        text = texts[rank.index]
        ranges = plan(len(text.split()), room, room // 8)
        parts = parts_of(text, ranges)
        logits = [one.model.class_logits("the cat", part)[0] for part in parts]
        assert abs(rank.score - sigmoid(max(logits))) < ATOL
        assert rank.HasField("best_chunk") == (len(parts) > 1)
        if len(parts) > 1:
            span = rank.best_chunk
            assert text[span.byte_begin : span.byte_end] == parts[numpy.argmax(logits)] and span.weight == 1
        assert rank.usage.chunk_count == len(ranges)
    scores = [rank.score for rank in response.ranks]
    assert scores == sorted(scores, reverse=True)


def test_entities_are_found_over_all_chunks(served, pb):
    one = served("tag")
    rows = []
    for part, (begin, _), (own_begin, own_end) in zip(parts_of(LONG, RANGES), RANGES, owners(RANGES)):
        rows += list(softmax(one.model.token_logits(part))[1 + own_begin - begin : 1 + own_end - begin])
    expected, at = [], 0
    for word, row in zip(LONG.split(), rows, strict=True):
        if row.argmax() != 0:
            expected.append((TAGS[row.argmax()], at, at + len(word)))
        at += len(word) + 1
    (tagging,) = one.stub.TagTokens(pb.TagTokensRequest(inputs=texts_of(pb, LONG), aggregation="none")).taggings
    assert [(entity.label, entity.byte_begin, entity.byte_end) for entity in tagging.entities] == expected
    assert all(entity.text == LONG[entity.byte_begin : entity.byte_end] for entity in tagging.entities)
    assert tagging.usage.chunk_count == len(RANGES) and tagging.usage.text_token_count == 202
    (simple,) = one.stub.TagTokens(pb.TagTokensRequest(inputs=texts_of(pb, LONG))).taggings
    assert 0 < len(simple.entities) < len(expected)


def test_masks_are_filled_by_the_chunk_that_knows_most_around_them(served, pb):
    one = served("fill_mask")
    words = LONG.split()
    places = [0, 50, 57, 58, 61, 62, 199]
    for place in places:
        words[place] = "[MASK]"
    text = " ".join(words)
    expected = []
    for part, (begin, end), (own_begin, own_end) in zip(parts_of(text, RANGES), RANGES, owners(RANGES)):
        here = [place for place in places if begin <= place < end]
        for place, row in zip(here, one.model.mask_probabilities(part) if here else ()):
            if own_begin <= place < own_end:
                expected.append(row)
    (result,) = one.stub.FillMask(pb.FillMaskRequest(inputs=texts_of(pb, text), top_k=4)).results
    assert len(result.masks) == len(places)
    for mask, row in zip(result.masks, expected, strict=True):
        assert numpy.abs([fill.score for fill in mask.fills] - numpy.sort(row)[::-1][:4]).max() < ATOL
        assert numpy.abs([row[fill.token_id] - fill.score for fill in mask.fills]).max() < ATOL
    assert result.usage.chunk_count == 3  # the third of four has no mask of its own
    assert result.usage.attention == "chunked"


def test_windows_of_a_context_follow_the_options(served, pb):
    one = served("answer")
    context = sentence(11, 300)

    def ask(**chunking):
        options = pb.Options(chunking=pb.Chunking(**chunking), length_policy=pb.LENGTH_POLICY_CHUNK)
        return one.stub.Answer(pb.AnswerRequest(question="the cat", context=context, options=options))

    room = 40 - 5
    ranges = plan(300, room, 4)
    response = ask(token_count=40, overlap=4)
    assert (response.usage.chunk_count, response.usage.attention) == (len(ranges), "chunked")
    assert response.usage.token_count == sum(end - begin + 5 for begin, end in ranges)
    best = max(one.model.answers("the cat", part)[0][1] for part in parts_of(context, ranges))
    assert response.answers[0].score >= best - ATOL
    assert ask().usage.chunk_count > len(ranges) - 1


# ---- What cannot be


def refusals(pb):
    long = sentence(12, 100)
    chunk = pb.LENGTH_POLICY_CHUNK

    def request(text=long, fields=(), policy=chunk, **chunking):
        options = pb.Options(length_policy=policy, chunking=pb.Chunking(**chunking))
        return pb.EmbedRequest(inputs=texts_of(pb, "a", text), options=options, **dict(fields))

    return [
        (request(token_count=25), "the model's limit is 24", "options.chunking.token_count"),
        (request(token_count=1 << 31), "the model's limit is 24", "options.chunking.token_count"),
        (request(token_count=2), "takes 2", "inputs[0].text"),
        (request(token_count=1), "takes", "inputs[0].text"),
        (request(token_count=10, overlap=5), "at most half of the 8", "inputs[1].text"),
        (request(token_count=10, overlap=10), "whole chunks", "options.chunking.overlap"),
        (request(overlap=2**32 - 1), "whole chunks", "options.chunking.overlap"),
        (request(aggregate=7), "unknown aggregate 7", "options.chunking.aggregate"),
        (request(policy=pb.LENGTH_POLICY_REFUSE, token_count=9), "AUTO and CHUNK", "options.chunking"),
        (request(policy=pb.LENGTH_POLICY_TRUNCATE_LEFT), "AUTO and CHUNK", "options.chunking"),
    ]


def test_refusals_name_the_field(stub, pb, details, small_model):
    for request, words, field in refusals(pb):
        error = refused(lambda: stub.Embed(request))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error.details()
        assert words in error.details()
        assert details(error) == ([field], None)


def test_only_vectors_have_an_aggregate(served, pb, details):
    options = pb.Options(chunking=pb.Chunking(aggregate=pb.CHUNK_AGGREGATE_ATTENTION))
    request = pb.ClassifyRequest(inputs=texts_of(pb, "cat"), options=options)
    error = refused(lambda: served("classify").stub.Classify(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)[0] == ["options.chunking.aggregate"]


def test_a_query_that_fills_the_model_leaves_no_room_for_texts(served, pb, details):
    request = pb.RerankRequest(query=sentence(13, POSITION_COUNT), texts=["dog", "cat"])
    error = refused(lambda: served("rerank").stub.Rerank(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "shorten" in error.details()


def test_a_text_that_is_not_finite_is_told_by_its_place(served, pb, details):
    texts = [LONG, "dog", " ".join([LONG, "passage", LONG])]
    error = refused(lambda: served("classify").stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, *texts))))
    assert error.code() == grpc.StatusCode.INTERNAL and details(error)[0] == ["inputs[2].text"]


def test_chunks_beyond_the_queue_are_refused_all_together(start_server, make_stub, pb, small_model):
    flags = ["--queue-jobs", "8", "--max-client-batch-size", "4", "--max-batch-requests", "4"]
    with start_server(*flags) as server, server.channel() as channel:
        stub = make_stub(channel)
        error = refused(lambda: embed(stub, pb, sentence(14, 500)))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "--queue-jobs" in error.details()
        assert len(embed(stub, pb, sentence(14, 100))[0].chunk_spans) == 5


def test_a_million_characters_are_answered_in_bounded_memory(start_server, make_stub, pb, small_model):
    text = " ".join(sentence(seed, 1000) for seed in range(200))[:1_000_000].rsplit(" ", 1)[0]
    assert len(text) > 800_000
    with start_server("--workers", "1") as server, server.channel() as channel:
        stub = make_stub(channel)
        embed(stub, pb, "warm")
        before = server.resident_bytes()
        (whole,) = embed(stub, pb, text)
        assert whole.usage.text_token_count == len(text.split()) + 2
        assert whole.usage.chunk_count == len(whole.chunk_spans) > 9_000
        assert whole.chunk_spans[-1].byte_end == len(text)
        assert server.resident_bytes() - before < 128 << 20
        error = refused(lambda: embed(stub, pb, text, chunking={"token_count": 8, "overlap": 0}, policy=4))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "16384 chunks" in error.details()
        assert len(embed(stub, pb, "still there")) == 1
