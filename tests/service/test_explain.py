"""Explanations beside the answers of every task, and Explain's stream: what is in them, what they cost and what is
refused. Attention's numbers are those of task_models.py; other tests hold the methods to references of their own."""

import threading
import time

import grpc
import numpy

from conftest import refused
from task_models import LABELS, POSITION_COUNT, texts_of
from task_models import sentence as any_sentence

TEXT = "the cat is in it"


def sentence(seed, count):
    """Without the word that has no finite answer."""
    return any_sentence(seed, count).replace("passage", "dog")


LONG = sentence(3, 150)
LAYERS, HEADS = 2, 4  # of the small checkpoint


def options(pb, **spec):
    return pb.Options(explanation=pb.ExplanationSpec(**spec))


def requests(pb, one, asked):
    """(name of the model, the call, its request, the results of a response) of every task, one text each."""
    text = TEXT + " [MASK]" if one == "fill_mask" else TEXT
    texts = texts_of(pb, text)
    return {
        "classify": ("Classify", pb.ClassifyRequest(inputs=texts, options=asked), "classifications"),
        "rerank": ("Rerank", pb.RerankRequest(query="the dog", texts=[TEXT], options=asked), "ranks"),
        "tag": ("TagTokens", pb.TagTokensRequest(inputs=texts, options=asked), "taggings"),
        "fill_mask": ("FillMask", pb.FillMaskRequest(inputs=texts, options=asked), "results"),
        "answer": ("Answer", pb.AnswerRequest(question="is it", context=TEXT, options=asked), None),
        "embed": ("Embed", pb.EmbedRequest(inputs=texts, options=asked), "embeddings"),
    }[one]


TASKS = ("classify", "rerank", "tag", "fill_mask", "answer", "embed")


def asked(served, pb, one, asked=None):
    """The result of one text, and its explanations."""
    method, request, field = requests(pb, one, asked)
    response = getattr(served("classify" if one == "embed" else one).stub, method)(request)
    (result,) = getattr(response, field) if field else (response,)
    return result, list(result.explanations)


def explained(served, pb, one, **spec):
    (explanation,) = asked(served, pb, one, options(pb, **spec))[1]
    return explanation


def classify(one, pb, text=TEXT, pair=None, **spec):
    text = pb.Text(text=text, pair=pair) if pair else pb.Text(text=text)
    response = one.stub.Classify(pb.ClassifyRequest(inputs=[text], options=options(pb, **spec)))
    (explanation,) = response.classifications[0].explanations
    return explanation


def matrix(head, token_count):
    """A head's rows with a place for each key."""
    values = numpy.array(head.weights)
    if not head.row_offsets:
        return values.reshape(-1, token_count)
    rows = numpy.zeros((len(head.row_offsets) - 1, token_count))
    for row, (begin, end) in enumerate(zip(head.row_offsets, head.row_offsets[1:])):
        assert list(head.columns[begin:end]) == sorted(set(head.columns[begin:end]))
        rows[row, head.columns[begin:end]] = values[begin:end]
    return rows


def without_explanations(result):
    copy = type(result)()
    copy.CopyFrom(result)
    del copy.explanations[:]
    if "timing" in copy.DESCRIPTOR.fields_by_name:
        copy.ClearField("timing")
    return copy.SerializeToString(deterministic=True)


# ---- Answers


def test_answers_are_the_same_bits_with_an_explanation_and_without(served, pb):
    for one in TASKS:
        plain, none = asked(served, pb, one)
        assert none == []
        for rows in (pb.ATTENTION_ROWS_POOLED, pb.ATTENTION_ROWS_ALL):
            result, (explanation,) = asked(served, pb, one, options(pb, rows=rows))
            assert without_explanations(result) == without_explanations(plain), one
            assert len(explanation.attention) == LAYERS * HEADS, one


def test_the_pooled_row_is_what_the_answer_is_read_from(served, pb):
    for one in TASKS:
        model = served("classify" if one == "embed" else one).model
        pair = {"rerank": ("the dog", TEXT), "answer": ("is it", TEXT)}.get(one)
        text = TEXT + " [MASK]" if one == "fill_mask" else TEXT
        tokens, types, _ = model.encode(*(pair or (text,)))
        rows = {"classify": [0], "rerank": [0], "fill_mask": [len(tokens) - 2]}.get(one, range(len(tokens)))
        explanation = explained(served, pb, one)
        assert [token.text for token in explanation.tokens] == tokens
        for token, kind in zip(explanation.tokens, types):
            assert token.special == (token.text in ("[CLS]", "[SEP]", "[MASK]"))
            assert token.special or token.segment == kind
        for head in explanation.attention:
            expected = model.attentions[head.layer][head.head][list(rows)].mean(axis=0)
            assert numpy.abs(matrix(head, len(tokens))[0] - expected).max() < 1e-5
            assert abs(head.dropped_mass[0]) < 1e-5 and len(head.dropped_mass) == 1


def test_the_pooled_row_is_made_once_for_whoever_reads_it(served, pb):
    attention, norms = pb.EXPLANATION_METHOD_ATTENTION, pb.EXPLANATION_METHOD_VALUE_NORM
    for one in TASKS:
        for spec in ({}, {"layers": [1], "heads": [0, 2], "aggregate": pb.HEAD_AGGREGATE_MAX}):
            both = explained(served, pb, one, methods=[attention, norms], **spec)
            assert both.attention == explained(served, pb, one, methods=[attention], **spec).attention, one
            assert both.attributions == explained(served, pb, one, methods=[norms], **spec).attributions, one


def test_layers_heads_and_rows_are_those_asked_for(served, pb):
    one = served("classify")
    tokens, _, _ = one.model.encode(TEXT)
    spec = {"layers": [1, 1], "heads": [1], "rows": pb.ATTENTION_ROWS_LISTED, "row_indices": [4, 0, 4]}
    (head,) = classify(one, pb, **spec).attention
    assert (head.layer, head.head, list(head.rows)) == (1, 1, [0, 4])
    assert numpy.abs(matrix(head, len(tokens)) - one.model.attentions[1][1][[0, 4]]).max() < 1e-5
    heads = classify(one, pb, rows=pb.ATTENTION_ROWS_ALL).attention
    every = [(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
    assert [(head.layer, head.head) for head in heads] == every
    for head in heads:
        assert list(head.rows) == list(range(len(tokens)))
        assert numpy.abs(matrix(head, len(tokens)) - one.model.attentions[head.layer][head.head]).max() < 1e-5


def test_forms_and_formats_tell_the_same_weights(served, pb):
    one = served("classify")
    count = len(one.model.encode(TEXT)[0])
    exact = classify(one, pb, rows=pb.ATTENTION_ROWS_ALL).attention
    sparse = classify(one, pb, rows=pb.ATTENTION_ROWS_ALL, form=pb.ATTENTION_FORM_SPARSE).attention
    top = classify(one, pb, rows=pb.ATTENTION_ROWS_ALL, form=pb.ATTENTION_FORM_TOP_K, top_k=2).attention
    halves = classify(one, pb, rows=pb.ATTENTION_ROWS_ALL, weight_format=pb.WEIGHT_FORMAT_FLOAT16).attention
    bytes_ = classify(one, pb, rows=pb.ATTENTION_ROWS_ALL, weight_format=pb.WEIGHT_FORMAT_UINT8).attention
    for dense, few, best, half, byte in zip(exact, sparse, top, halves, bytes_):
        whole = matrix(dense, count)
        assert numpy.array_equal(matrix(few, count), whole)  # dense attention: each row sees all keys
        assert list(few.row_offsets) == [row * count for row in range(count + 1)]
        assert numpy.abs(numpy.frombuffer(half.packed, "<f2").reshape(whole.shape) - whole).max() < 1e-3
        assert numpy.array_equal(numpy.frombuffer(byte.packed, "u1"), numpy.round(whole * 255).ravel())
        for row, kept in zip(whole, matrix(best, count)):
            assert (kept > 0).sum() == 2 and set(numpy.sort(row)[-2:]) == set(kept[kept > 0])
        assert numpy.abs(matrix(best, count).sum(axis=1) + best.dropped_mass - 1).max() < 1e-5


def test_heads_are_aggregated(served, pb):
    one = served("classify")
    count = len(one.model.encode(TEXT)[0])
    for aggregate, function in ((pb.HEAD_AGGREGATE_MEAN, numpy.mean), (pb.HEAD_AGGREGATE_MAX, numpy.max)):
        heads = classify(one, pb, rows=pb.ATTENTION_ROWS_ALL, aggregate=aggregate).attention
        assert [(head.layer, head.head) for head in heads] == [(0, 0), (1, 0)]
        for head in heads:
            expected = function(one.model.attentions[head.layer], axis=0)
            assert numpy.abs(matrix(head, count) - expected).max() < 1e-5


def test_tokens_stand_where_the_text_that_was_sent_has_them(served, pb):
    one = served("classify")
    sent = "the\u200b c\u200bat  is \u0456n it"
    request = pb.ClassifyRequest(inputs=texts_of(pb, sent), options=options(pb))
    request.options.sanitize = pb.SANITIZE_POLICY_CLEAN
    (result,) = one.stub.Classify(request).classifications
    bytes_ = sent.encode()
    tokens = result.explanations[0].tokens
    assert [token.text for token in tokens if not token.special] == TEXT.split()
    for token, quoted in zip([t for t in tokens if not t.special], ("the", "c\u200bat", "is", "\u0456n", "it")):
        assert bytes_[token.byte_begin : token.byte_end].decode().strip("\u200b") == quoted
    for token in tokens:
        assert not token.special or (token.byte_begin, token.byte_end) == (0, 0)


def test_texts_are_explained_in_any_company(served, pb):
    one = served("classify")
    texts = [sentence(seed, 5 + 3 * seed) for seed in range(12)]
    alone = [classify(one, pb, text, rows=pb.ATTENTION_ROWS_ALL) for text in texts]
    request = pb.ClassifyRequest(inputs=texts_of(pb, *texts), options=options(pb, rows=pb.ATTENTION_ROWS_ALL))
    answers = one.stub.Classify(request).classifications
    assert [answer.explanations[0] for answer in answers] == alone
    stream = one.stub.ClassifyStream(iter([request] * 3))
    assert all(list(response.classifications) == list(answers) for response in stream)


# ---- Chunks


def test_each_chunk_has_an_explanation(served, pb):
    one = served("classify")
    request = pb.ClassifyRequest(inputs=texts_of(pb, LONG), options=options(pb))
    (answer,) = one.stub.Classify(request).classifications
    assert len(answer.explanations) == answer.usage.chunk_count > 1
    assert [explanation.chunk for explanation in answer.explanations] == list(range(answer.usage.chunk_count))
    covered = set()
    for explanation in answer.explanations:
        tokens = [token for token in explanation.tokens if not token.special]
        assert [LONG[token.byte_begin : token.byte_end] for token in tokens] == [token.text for token in tokens]
        covered |= {token.byte_begin for token in tokens}
        assert len(explanation.tokens) <= POSITION_COUNT
        assert len(explanation.attention[0].weights) == len(explanation.tokens)
    assert len(covered) == len(LONG.split())
    spec = {"rows": pb.ATTENTION_ROWS_LISTED, "row_indices": [1, POSITION_COUNT - 1]}
    request = pb.ClassifyRequest(inputs=texts_of(pb, LONG), options=options(pb, **spec))
    for explanation in one.stub.Classify(request).classifications[0].explanations:
        rows = [row for row in (1, POSITION_COUNT - 1) if row < len(explanation.tokens)]
        assert list(explanation.attention[0].rows) == rows


# ---- Sizes


def test_beyond_max_bytes_the_error_says_what_it_takes_and_what_takes_less(served, pb, details):
    one = served("classify")
    spec = {"rows": pb.ATTENTION_ROWS_ALL}
    text = sentence(1, 50)

    def ask(limit):
        asked = options(pb, max_bytes=limit, **spec)
        return one.stub.Classify(pb.ClassifyRequest(inputs=texts_of(pb, text), options=asked))

    error = refused(lambda: ask(1000))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error) == (["options.explanation"], None)
    words = error.details().split()
    needed, cheaper = int(words[words.index("take") + 1]), int(words[words.index("takes") + 1].rstrip(";"))
    assert "the limit is 1000 (max_bytes)" in error.details() and cheaper < needed / 2
    (explanation,) = ask(needed).classifications[0].explanations
    assert needed * 0.95 <= explanation.ByteSize() <= needed
    assert refused(lambda: ask(needed - 1)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "weight_format FLOAT16 takes" in refused(lambda: ask(needed - 1)).details()


def test_the_reply_limit_holds_and_explain_streams_what_is_larger(served, pb):
    one = served("classify", "--reply-limit", "128KiB")
    spec = {"rows": pb.ATTENTION_ROWS_ALL}
    texts = texts_of(pb, *[sentence(seed, 60) for seed in range(3)])
    error = refused(lambda: one.stub.Classify(pb.ClassifyRequest(inputs=texts, options=options(pb, **spec))))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "(--reply-limit)" in error.details() and "Explain streams" in error.details()
    chunks = list(one.stub.Explain(pb.ExplainRequest(input=pb.Text(text=LONG), options=options(pb, **spec))))
    assert sum(chunk.ByteSize() for chunk in chunks) > 128 * 1024 >= max(chunk.ByteSize() for chunk in chunks)


def test_what_the_memory_cannot_hold_is_refused_before_it_is_computed(served, pb):
    one = served("deep", "--request-memory", "2MiB")
    spec = {"rows": pb.ATTENTION_ROWS_ALL}
    started = time.monotonic()
    request = pb.ExplainRequest(input=pb.Text(text=sentence(1, 60)), options=options(pb, **spec))
    error = refused(lambda: list(one.stub.Explain(request)))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "bytes of memory, the limit is 2097152 (--request-memory)" in error.details() and "takes" in error.details()
    assert time.monotonic() - started < 10
    assert list(one.stub.Explain(pb.ExplainRequest(input=pb.Text(text=TEXT))))


# ---- Explain


def joined(pb, chunks):
    """The explanations of a stream, by chunk of the text."""
    explanations = []
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    for chunk in chunks:
        assert chunk.ByteSize() <= 256 * 1024
        if chunk.part.tokens and chunk.part.chunk == len(explanations):
            explanations.append(pb.Explanation())
        explanations[-1].MergeFrom(chunk.part)
    return explanations


def test_explain_streams_what_the_answer_of_the_models_task_has(served, pb):
    for one in TASKS[:-1]:
        (answer,) = asked(served, pb, one, options(pb, rows=pb.ATTENTION_ROWS_ALL))[1]
        pair = {"rerank": ("the dog", TEXT), "answer": ("is it", TEXT)}.get(one)
        text = pb.Text(text=pair[0], pair=pair[1]) if pair else pb.Text(
            text=TEXT + " [MASK]" if one == "fill_mask" else TEXT)
        request = pb.ExplainRequest(input=text, options=options(pb, rows=pb.ATTENTION_ROWS_ALL))
        assert joined(pb, list(served(one).stub.Explain(request))) == [answer], one


def test_a_large_explanation_comes_in_parts(served, pb):
    one = served("deep")
    spec = {"rows": pb.ATTENTION_ROWS_ALL}
    text = sentence(5, 55)
    chunks = list(one.stub.Explain(pb.ExplainRequest(input=pb.Text(text=text), options=options(pb, **spec))))
    assert len(chunks) > 5
    (whole,) = joined(pb, chunks)
    answer = classify(one, pb, text, **spec)
    assert whole.tokens == answer.tokens
    few = options(pb, rows=pb.ATTENTION_ROWS_ALL, form=pb.ATTENTION_FORM_SPARSE, weight_format=pb.WEIGHT_FORMAT_UINT8)
    joined(pb, list(one.stub.Explain(pb.ExplainRequest(input=pb.Text(text=text), options=few))))
    heads = {}
    for head in whole.attention:
        heads.setdefault((head.layer, head.head), pb.HeadAttention()).MergeFrom(head)
    assert len(heads) == len(answer.attention) == 64 * LAYERS * HEADS
    for head in answer.attention:
        other = heads[head.layer, head.head]
        assert list(other.rows) == list(head.rows) and other.weights == head.weights


def test_explain_of_a_chunked_text_streams_one_explanation_a_chunk(served, pb):
    one = served("classify")
    explanations = joined(pb, list(one.stub.Explain(pb.ExplainRequest(input=pb.Text(text=LONG)))))
    request = pb.ClassifyRequest(inputs=texts_of(pb, LONG), options=options(pb))
    assert explanations == list(one.stub.Classify(request).classifications[0].explanations)


def test_explain_says_what_is_answered_with_its_first_part(served, pb):
    hostile = "the c\u200bat"
    asked = options(pb)
    asked.sanitize = pb.SANITIZE_POLICY_CLEAN
    for one, text in [("classify", TEXT), ("classify", LONG), ("classify", hostile), ("rerank", TEXT),
                      ("tag", hostile)]:
        stub = served(one).stub
        texts = [pb.Text(text=text, pair="the dog" if one == "rerank" else None)]
        first, *others = stub.Explain(pb.ExplainRequest(input=texts[0], options=asked))
        if one == "tag":
            answer = stub.TagTokens(pb.TagTokensRequest(inputs=texts, options=asked)).taggings[0]
            assert not first.labels
        else:
            answer = stub.Classify(pb.ClassifyRequest(inputs=texts, options=asked)).classifications[0]
            assert first.labels == answer.labels and first.labels
        assert first.model and first.usage == answer.usage and first.sanitization == answer.sanitization
        assert bool(first.sanitization.findings) == (text in (hostile, LONG))
        assert not any(part.model or part.labels or part.HasField("usage") or part.HasField("sanitization")
                       for part in others)


def test_explain_ends_at_its_deadline(served, pb):
    asked = options(pb, methods=[pb.EXPLANATION_METHOD_SURROGATE_LINEAR], sample_count=10000)
    request = pb.ExplainRequest(input=pb.Text(text=LONG), options=asked)
    error = refused(lambda: list(served("classify").stub.Explain(request, timeout=0.1)))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_stream_that_nobody_reads_to_its_end_gives_its_memory_back(served, pb):
    one = served("deep", "--request-memory", "16MiB")
    asked = options(pb, rows=pb.ATTENTION_ROWS_ALL)
    request = pb.ExplainRequest(input=pb.Text(text=sentence(5, 60)), options=asked)
    for _ in range(4):  # one fits at a time
        stream = one.stub.Explain(request)
        next(stream)
        stream.cancel()
    deadline = time.monotonic() + 20
    while True:
        try:
            assert len(list(one.stub.Explain(request))) > 1
            return
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and time.monotonic() < deadline
            time.sleep(0.05)


def test_explains_at_once_are_answered_each(served, pb):
    one = served("classify")
    results = [None] * 16

    def ask(index):
        text = pb.Text(text=sentence(index, 20))
        request = pb.ExplainRequest(input=text, options=options(pb, rows=pb.ATTENTION_ROWS_ALL))
        results[index] = joined(pb, list(one.stub.Explain(request)))

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, result in enumerate(results):
        assert result == [classify(one, pb, sentence(index, 20), rows=pb.ATTENTION_ROWS_ALL)]


# ---- Refusals


def refusals(pb):
    """(model, spec, status, words, field)"""
    return [
        ("classify", {"layers": [0, 2]}, "INVALID_ARGUMENT", "layers has 2, but the model has 2", "layers"),
        ("classify", {"heads": [7]}, "INVALID_ARGUMENT", "heads has 7, but the model has 4", "heads"),
        ("classify", {"rows": pb.ATTENTION_ROWS_LISTED, "row_indices": [7]}, "INVALID_ARGUMENT",
         "row_indices has 7, but text 0 has 7 tokens", "row_indices"),
        ("classify", {"rows": pb.ATTENTION_ROWS_LISTED}, "INVALID_ARGUMENT", "row_indices is empty", "row_indices"),
        ("classify", {"target_label": "bliss"}, "INVALID_ARGUMENT", "no label 'bliss'; it has " + LABELS[0],
         "target_label"),
        ("tag", {"target_label": "B-PER"}, "INVALID_ARGUMENT", "leave it out for tag", "target_label"),
        ("classify", {"faithfulness": True}, "INVALID_ARGUMENT", "ask for a method", "faithfulness"),
        ("tag", {"methods": [pb.EXPLANATION_METHOD_OCCLUSION]}, "FAILED_PRECONDITION",
         "OCCLUSION is not for tag; its methods: ATTENTION, ", "methods"),
        ("classify", {"top_k": 4}, "INVALID_ARGUMENT", "of form TOP_K", "top_k"),
    ]


def test_refusals_name_status_reason_and_field(served, pb, details):
    for one, spec, code, words, field in refusals(pb):
        error = refused(lambda: asked(served, pb, one, options(pb, **spec)))
        assert error.code().name == code, error.details()
        assert words in error.details()
        assert details(error) == ([f"options.explanation.{field}"], None)


def test_explain_names_what_is_wrong_with_its_input(served, pb, details):
    one = served("classify")
    error = refused(lambda: list(one.stub.Explain(pb.ExplainRequest())))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and details(error)[0] == ["input"]
    error = refused(lambda: list(one.stub.Explain(pb.ExplainRequest(model="none", input=pb.Text(text="a")))))
    assert error.code() == grpc.StatusCode.NOT_FOUND and details(error)[0] == ["model"]
    stream = one.channel.unary_stream("/headlight.v1.Inference/Explain")
    error = refused(lambda: list(stream(b"\x12\x03\x0a\x01\xff")))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and details(error)[0] == ["input.text"]
    error = refused(lambda: list(served("fill_mask").stub.Explain(pb.ExplainRequest(input=pb.Text(text="a cat")))))
    assert "no mask" in error.details()
    request = pb.ExplainRequest(input=pb.Text(text=TEXT), options=pb.Options(vote_count=2))
    error = refused(lambda: list(one.stub.Explain(request)))
    assert "labels of Classify" in error.details() and details(error)[0] == ["options.vote_count"]
