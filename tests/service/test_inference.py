"""The methods of headlight.v1.Inference over gRPC: what they answer, and how they refuse."""

import random
import struct
import threading
import time

import grpc
import numpy
import pytest

from builds import SANITIZED
from conftest import refused

LONG = "the long question is a short search to it " * 8
WORDS = "the a of to and in is it query passage search document cat dog server answers question long short".split()


def texts_of(pb, *texts):
    return [pb.Text(text=text) for text in texts]


def embed(stub, pb, *texts, **fields):
    return stub.Embed(pb.EmbedRequest(inputs=texts_of(pb, *texts), **fields))


def vectors_of(response):
    return numpy.array([list(embedding.values) for embedding in response.embeddings], dtype=numpy.float32)


def cases_of(folder):
    """The cases of make_pipeline.py."""
    data = (folder / "cases.bin").read_bytes()
    count, size = struct.unpack_from("<II", data)
    at, cases = 8, []
    for _ in range(count):
        texts = []
        for _ in range(5):
            (length,) = struct.unpack_from("<I", data, at)
            texts.append(data[at + 4 : at + 4 + length].decode())
            at += 4 + length
        (dimensions,) = struct.unpack_from("<I", data, at)
        values = numpy.frombuffer(data, "<f4", dimensions or size, at + 4)
        at += 4 + values.nbytes
        cases.append((*texts, dimensions, values))
    return cases


# ---- Embed


def test_vectors_equal_sentence_transformers(stub, pb, small_model):
    policies = {"refuse": pb.LENGTH_POLICY_REFUSE, "right": pb.LENGTH_POLICY_TRUNCATE_RIGHT,
                "left": pb.LENGTH_POLICY_TRUNCATE_LEFT}
    for text, pair, prompt, policy, normalize, dimensions, expected in cases_of(small_model):
        request = pb.EmbedRequest(inputs=[pb.Text(text=text)], prompt_name=prompt,
                                  options=pb.Options(length_policy=policies[policy]))
        if pair != "\0":
            request.inputs[0].pair = pair
        if normalize != "checkpoint":
            request.normalize = normalize == "yes"
        if dimensions:
            request.dimensions = dimensions
        vector = vectors_of(stub.Embed(request))[0]
        assert vector.shape == expected.shape
        assert numpy.abs(vector - expected).max() < 1e-5


def test_usage_counts_tokens_and_says_what_was_cut(stub, pb, small_model):
    policy = pb.Options(length_policy=pb.LENGTH_POLICY_TRUNCATE_RIGHT)
    response = embed(stub, pb, "the cat", LONG, options=policy)
    first, second = (embedding.usage for embedding in response.embeddings)
    assert (first.token_count, first.text_token_count, first.truncated) == (4, 4, False)
    assert (second.token_count, second.text_token_count, second.truncated) == (24, 74, True)
    assert first.chunk_count == 1 and first.attention == "dense"


def test_timing_is_real(stub, pb):
    started = time.monotonic_ns()
    response = embed(stub, pb, *["a cat in the document"] * 20)
    elapsed = time.monotonic_ns() - started
    timing = response.timing
    assert 0 < timing.compute_ns < timing.total_ns < elapsed
    assert timing.tokenize_ns > 0
    assert timing.queue_ns + timing.tokenize_ns + timing.compute_ns <= timing.total_ns
    assert 1 <= timing.batch_sequences <= 20
    assert timing.batch_tokens >= timing.batch_sequences * 3


def test_answers_name_the_model_and_accept_it_by_name(stub, pb):
    (model,) = stub.ListModels(pb.ListModelsRequest()).models
    response = embed(stub, pb, "a", model=model.name)
    assert response.model == model.name


def test_empty_text_has_a_vector(stub, pb):
    assert numpy.isfinite(vectors_of(embed(stub, pb, ""))).all()


def test_texts_may_hold_nul_and_any_unicode(stub, pb):
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    texts = ["a\0b", "\u200b\ufeff", family, "e" + "\u0301" * 50, "\r\n\t", "\uffff"]
    policy = pb.Options(length_policy=pb.LENGTH_POLICY_TRUNCATE_RIGHT)
    vectors = vectors_of(embed(stub, pb, *texts, options=policy))
    assert numpy.isfinite(vectors).all() and len(vectors) == len(texts)


def test_a_nul_does_not_end_a_text(stub, pb):
    tokens = stub.Tokenize(pb.TokenizeRequest(inputs=texts_of(pb, "cat\0 dog"))).tokenizations[0].tokens
    assert max(token.byte_end for token in tokens) == 8


def test_token_embeddings_pool_to_the_vector(stub, pb, small_model):
    (embedding,) = embed(stub, pb, "the cat is in it", return_token_embeddings=True).embeddings
    rows = numpy.array([list(row.values) for row in embedding.tokens])
    assert rows.shape == (embedding.usage.token_count, 32)
    mean = rows.mean(axis=0)
    assert numpy.abs(mean / numpy.linalg.norm(mean) - list(embedding.values)).max() < 1e-5


def test_dimensions_are_cut_before_normalizing(stub, pb):
    whole = vectors_of(embed(stub, pb, "the cat", normalize=False))[0]
    cut = vectors_of(embed(stub, pb, "the cat", normalize=True, dimensions=5))[0]
    assert numpy.abs(cut - whole[:5] / numpy.linalg.norm(whole[:5])).max() < 1e-6


def test_prompts_go_in_front(stub, pb, small_model):
    response = embed(stub, pb, "cat", prompt_name="passage", normalize=False)
    assert response.embeddings[0].usage.token_count == 5  # [CLS] passage : cat [SEP]


def test_large_texts_are_prepared_by_a_worker(stub, pb):
    options = pb.Options(length_policy=pb.LENGTH_POLICY_TRUNCATE_RIGHT)
    response = embed(stub, pb, "a cat " * 100_000, "dog", options=options)
    assert response.embeddings[0].usage.text_token_count == 200_002
    alone = embed(stub, pb, "dog")
    assert response.embeddings[1].values == alone.embeddings[0].values


def test_a_full_client_batch_is_answered_in_order(stub, pb):
    texts = [" ".join(random.Random(i).choices(WORDS, k=3)) for i in range(1024)]
    response = embed(stub, pb, *texts)
    assert len(response.embeddings) == 1024
    for i in (0, 1, 511, 1023):
        assert response.embeddings[i].values == embed(stub, pb, texts[i]).embeddings[0].values


@pytest.mark.parametrize("name", ["sparse", "sparse_sum"])
def test_sparse_vectors_are_those_of_sentence_transformers(start_server, make_stub, pb, small_model, name):
    model = small_model.parent / name
    with start_server(model=model) as server, server.channel() as channel:
        stub = make_stub(channel)
        cases = cases_of(model)
        for text, *_, expected in cases:
            (embedding,) = embed(stub, pb, text, options=pb.Options(length_policy=2)).embeddings
            indices, values = list(embedding.sparse.indices), list(embedding.sparse.values)
            assert len(embedding.values) == 0 and len(indices) == len(values)
            assert indices == sorted(set(indices)) and 0 not in values
            vector = numpy.zeros_like(expected)
            vector[indices] = values
            assert numpy.abs(vector - expected).max() < 1e-5
        together = embed(stub, pb, *(case[0] for case in cases), options=pb.Options(length_policy=2)).embeddings
        assert together[-1] == embedding
        error = refused(lambda: embed(stub, pb, "a cat", dimensions=8))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "sparse" in error.details()


def test_tokens_of_a_sparse_model_are_rows_of_the_encoder(start_server, make_stub, pb, small_model):
    with start_server(model=small_model.parent / "sparse") as server, server.channel() as channel:
        (embedding,) = embed(make_stub(channel), pb, "the cat", return_token_embeddings=True).embeddings
        assert [len(row.values) for row in embedding.tokens] == [32] * 4 and embedding.sparse.indices


# ---- Refusals


def request_of(pb, **fields):
    return pb.EmbedRequest(inputs=texts_of(pb, "a"), **fields)


def refusals(pb):
    """(request, status, words of the message, field)"""
    options = pb.Options
    long = pb.EmbedRequest(inputs=texts_of(pb, "a", LONG), options=options(length_policy=pb.LENGTH_POLICY_REFUSE))
    return [
        (pb.EmbedRequest(), "INVALID_ARGUMENT", "inputs is empty", "inputs"),
        (pb.EmbedRequest(inputs=texts_of(pb, *["a"] * 1025)), "INVALID_ARGUMENT", "at most 1024", "inputs"),
        (long, "INVALID_ARGUMENT", "inputs[1]: text has 74 tokens, the model's limit is 24", "inputs[1].text"),
        (request_of(pb, model="no-such"), "NOT_FOUND", "no model is called 'no-such'", "model"),
        (request_of(pb, model="m" * 300), "INVALID_ARGUMENT", "300 bytes", "model"),
        (request_of(pb, prompt_name="title"), "INVALID_ARGUMENT", "has query, passage, none", "prompt_name"),
        (request_of(pb, dimensions=0), "INVALID_ARGUMENT", "at least 1", "dimensions"),
        (request_of(pb, dimensions=33), "INVALID_ARGUMENT", "vectors have 32", "dimensions"),
        (request_of(pb, options=options(length_policy=77)), "INVALID_ARGUMENT", "77", "options.length_policy"),
        (request_of(pb, options=options(sanitize=-1)), "INVALID_ARGUMENT", "-1", "options.sanitize"),
        (request_of(pb, options=options(sanitize=9)), "INVALID_ARGUMENT", "9", "options.sanitize"),
        (request_of(pb, options=options(explanation=pb.ExplanationSpec(weight_format=3))), "INVALID_ARGUMENT",
         "unknown weight_format 3", "options.explanation.weight_format"),
    ]


def test_refusals_name_status_reason_and_field(stub, pb, details, small_model):
    for request, code, words, field in refusals(pb):
        error = refused(lambda: stub.Embed(request))
        assert error.code().name == code, error.details()
        assert words in error.details()
        assert details(error) == ([field], None)
    assert vectors_of(embed(stub, pb, "still there")).shape == (1, 32)


def raw(channel, method, data):
    call = channel.unary_unary(f"/headlight.v1.Inference/{method}")
    return refused(lambda: call(data))


def test_bytes_that_are_no_message_are_refused(server, pb, details):
    with server.channel() as channel:
        for method in ("Embed", "Tokenize", "Detokenize", "ListModels"):
            error = raw(channel, method, b"\x0a\x7fshort")
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        for text in (b"\xff", b"a\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
            message = bytes([0x12, len(text) + 2, 0x0A, len(text)]) + text
            for method in ("Embed", "Tokenize"):
                error = raw(channel, method, message)
                assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
                assert "UTF-8" in error.details()
                assert details(error)[0] == ["inputs[0].text"]


def test_a_fault_of_the_pair_names_the_pair(server, start_server, make_stub, pb, details, small_model):
    def message(text, pair):
        fields = bytes([0x0A, len(text)]) + text + bytes([0x12, len(pair)]) + pair
        return bytes([0x12, len(fields)]) + fields

    with server.channel() as channel:
        for method in ("Embed", "Tokenize"):
            for text, pair, field in ((b"a", b"\xff", "pair"), (b"\xff", b"a", "text"), (b"\xff", b"\xff", "text")):
                error = raw(channel, method, message(text, pair))
                assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
                assert "UTF-8 at byte 0" in error.details()
                assert details(error)[0] == [f"inputs[0].{field}"]
    with start_server(model=small_model.parent / "passages") as server, server.channel() as channel:
        error = refused(lambda: make_stub(channel).Embed(pb.EmbedRequest(inputs=[pb.Text(text="a", pair="b")])))
        assert "one text, not a pair" in error.details() and details(error)[0] == ["inputs[0].pair"]


def test_a_name_that_is_not_utf8_is_not_echoed(server):
    with server.channel() as channel:
        error = raw(channel, "Embed", b"\x0a\x01\xff\x12\x03\x0a\x01a")
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "model is not UTF-8" in error.details()


def test_a_passed_deadline_is_deadline_exceeded_and_frees_the_workers(start_server, make_stub, pb, real_model):
    flags = ("--workers", "1", "--max-batch-tokens", "256")  # a text a batch
    with start_server(*flags, model=real_model) as server, server.channel() as channel:
        stub = make_stub(channel)
        texts = ["the cat is in the document " * 30] * (8 if SANITIZED else 24)
        request = pb.EmbedRequest(inputs=texts_of(pb, *texts))
        error = refused(lambda: stub.Embed(request, timeout=0.1))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        started = time.monotonic()
        embed(stub, pb, "a")
        quick = time.monotonic() - started
        started = time.monotonic()
        stub.Embed(request)
        assert quick < (time.monotonic() - started) / 2


# ---- Tokenize, Detokenize, ListModels


def test_tokens_have_ids_texts_and_offsets_of_the_original(stub, pb, small_model):
    text = "The \u732b CAT, caf\u00e9s"
    (answer,) = stub.Tokenize(pb.TokenizeRequest(inputs=texts_of(pb, text))).tokenizations
    data = text.encode()
    pieces = [(token.text, data[token.byte_begin : token.byte_end].decode(), token.special) for token in answer.tokens]
    assert pieces == [
        ("[CLS]", "", True), ("the", "The", False), ("\u732b", "\u732b", False), ("cat", "CAT", False),
        (",", ",", False), ("c", "c", False), ("##a", "a", False), ("##f", "f", False), ("##e", "\u00e9", False),
        ("##s", "s", False), ("[SEP]", "", True)]


def test_user_text_never_becomes_a_control_token(stub, pb):
    request = pb.TokenizeRequest(inputs=texts_of(pb, "[CLS] [SEP]"), without_special_tokens=True)
    (answer,) = stub.Tokenize(request).tokenizations
    assert not any(token.text in ("[CLS]", "[SEP]") for token in answer.tokens)


def test_pairs_have_segments(stub, pb, small_model):
    (answer,) = stub.Tokenize(pb.TokenizeRequest(inputs=[pb.Text(text="a", pair="cat dog")])).tokenizations
    assert [(token.text, token.segment) for token in answer.tokens] == [
        ("[CLS]", 0), ("a", 0), ("[SEP]", 0), ("cat", 1), ("dog", 1), ("[SEP]", 0)]


def test_tokens_become_text_again(stub, pb):
    (answer,) = stub.Tokenize(pb.TokenizeRequest(inputs=texts_of(pb, "the cat is in the document"))).tokenizations
    ids = [token.id for token in answer.tokens]
    assert stub.Detokenize(pb.DetokenizeRequest(ids=ids)).text == "the cat is in the document"
    kept = stub.Detokenize(pb.DetokenizeRequest(ids=ids, keep_special_tokens=True)).text
    assert kept == "[CLS] the cat is in the document [SEP]"
    assert stub.Detokenize(pb.DetokenizeRequest()).text == ""
    many = stub.Detokenize(pb.DetokenizeRequest(ids=ids * 2000)).text  # by a worker
    assert many.count("document") == 2000


def test_an_unknown_id_is_refused(stub, pb, details):
    error = refused(lambda: stub.Detokenize(pb.DetokenizeRequest(ids=[1, 4_000_000_000])))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)[0] == ["ids"]


def test_large_texts_are_tokenized_by_a_worker(stub, pb):
    (answer,) = stub.Tokenize(pb.TokenizeRequest(inputs=texts_of(pb, "a cat " * 50_000))).tokenizations
    assert len(answer.tokens) == 100_002
    assert answer.tokens[100_000].byte_begin == 299_996


def test_models_are_described(server, stub, pb, small_model):
    server.wait_for(" weights_hashed ")
    (model,) = stub.ListModels(pb.ListModelsRequest()).models
    assert (model.name, model.architecture, list(model.tasks)) == ("queries", "bert", ["embed"])
    assert (model.token_count_max, model.layer_count, model.head_count, model.hidden_size) == (24, 2, 4, 32)
    assert (model.attention, model.precision, model.ready) == ("dense", "float32", True)
    for _ in range(100):
        (model,) = stub.ListModels(pb.ListModelsRequest()).models
        if model.weights_sha256:
            break
        time.sleep(0.01)
    assert len(model.weights_sha256) == 64


# ---- EmbedStream


def test_a_stream_answers_in_order(stub, pb):
    texts = [" ".join(random.Random(i).choices(WORDS, k=1 + i % 15)) for i in range(200)]
    answers = stub.EmbedStream(pb.EmbedRequest(inputs=texts_of(pb, text)) for text in texts)
    vectors = [vectors_of(answer)[0] for answer in answers]
    assert len(vectors) == len(texts)
    whole = vectors_of(embed(stub, pb, *texts))
    assert (numpy.array(vectors) == whole).all()


def test_a_stream_ends_at_the_first_refused_message(stub, pb, details):
    def requests():
        yield request_of(pb)
        yield pb.EmbedRequest()
        yield request_of(pb)

    answers = stub.EmbedStream(requests())
    assert vectors_of(next(answers)).shape[0] == 1
    error = refused(lambda: next(answers))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)[0] == ["inputs"]


def test_a_cancelled_stream_leaves_the_server_well(server, make_stub, pb):
    with server.channel() as channel:
        stub = make_stub(channel)
        answers = stub.EmbedStream(request_of(pb) for _ in range(100_000))
        next(answers)
        answers.cancel()
        assert refused(lambda: list(answers)).code() == grpc.StatusCode.CANCELLED
        assert len(embed(stub, pb, "a").embeddings) == 1


# ---- Limits


def test_an_over_full_queue_is_resource_exhausted_with_a_retry(start_server, make_stub, pb, details, real_model):
    flags = ("--queue-jobs", "64", "--max-client-batch-size", "64", "--max-batch-requests", "1", "--workers", "1")
    with start_server(*flags, model=real_model) as server, server.channel() as channel:
        stub = make_stub(channel)
        words = "the cat is in the document " * (5 if SANITIZED else 30)
        request = pb.EmbedRequest(inputs=texts_of(pb, *[words] * 40))
        calls = [stub.Embed.future(request) for _ in range(6)]
        errors = [call.exception() for call in calls]
        full = [error for error in errors if error]
        assert full and len(full) < len(errors)
        for error in full:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert details(error)[1] > 0
        assert len(stub.Embed(request).embeddings) == 40


def test_a_batch_larger_than_the_queue_never_fits(start_server, make_stub, pb, details):
    with start_server("--queue-tokens", "100", "--max-batch-tokens", "64") as server, server.channel() as channel:
        error = refused(lambda: embed(make_stub(channel), pb, *["the cat is in the document"] * 40))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert details(error)[1] is None


def test_a_reply_over_the_limit_is_refused_before_it_is_computed(start_server, make_stub, pb, small_model):
    with start_server("--reply-limit", "64KiB") as server, server.channel() as channel:
        stub = make_stub(channel)
        assert len(embed(stub, pb, *["a"] * 500).embeddings) == 500
        error = refused(lambda: embed(stub, pb, *["a cat is in it"] * 500, return_token_embeddings=True))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "--reply-limit" in error.details() and "return_token_embeddings" in error.details()


def test_request_memory_is_bounded(start_server, make_stub, pb, details):
    with start_server("--request-memory", "1MiB") as server, server.channel() as channel:
        stub = make_stub(channel)
        error = refused(lambda: stub.Tokenize(pb.TokenizeRequest(inputs=texts_of(pb, "a " * 200_000))))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "--request-memory" in error.details()
        assert details(error)[1] is None  # alone too large: later is no better
        for _ in range(50):
            assert len(embed(stub, pb, "a").embeddings) == 1


def test_the_limit_can_be_raised_to_the_models(start_server, make_stub, pb, small_model):
    with start_server("--max-input-tokens", "64") as server, server.channel() as channel:
        text = "the cat is in the document and " * 8
        assert embed(make_stub(channel), pb, text).embeddings[0].usage.token_count == 58


# ---- Batch invariance


def invariance_texts():
    choice = random.Random(7)
    count = 16 if SANITIZED else 200  # sanitizers are slow
    return [" ".join(choice.choices(WORDS, k=choice.randint(1, 120))) for _ in range(count)]


def embed_in_batches(stub, pb, texts, seed):
    """In random batches, several at a time, so that the server mixes them as it likes."""
    choice = random.Random(seed)
    order = list(range(len(texts)))
    choice.shuffle(order)
    calls, at = [], 0
    while at < len(order):
        members = order[at : at + choice.randint(1, 24)]
        inputs = texts_of(pb, *(texts[i] for i in members))
        calls.append((members, stub.Embed.future(pb.EmbedRequest(inputs=inputs))))
        at += len(members)
    vectors = [None] * len(texts)
    for members, call in calls:
        for i, vector in zip(members, vectors_of(call.result())):
            vectors[i] = vector
    return numpy.array(vectors)


def test_bits_do_not_depend_on_the_batch_or_the_workers(start_server, make_stub, pb, real_model):
    seed = time.time_ns()
    print("seed", seed)
    texts = invariance_texts()
    with start_server("--workers", "1", model=real_model) as server, server.channel() as channel:
        stub = make_stub(channel)
        alone = numpy.array([vectors_of(embed(stub, pb, text))[0] for text in texts])
        assert (embed_in_batches(stub, pb, texts, seed) == alone).all()
    for workers, tokens in (("2", "1024"), ("3", "256")):
        flags = ("--workers", workers, "--max-batch-tokens", tokens)
        with start_server(*flags, model=real_model) as server, server.channel() as channel:
            assert (embed_in_batches(make_stub(channel), pb, texts, seed + 1) == alone).all()


def test_many_clients_at_once_get_their_own_answers(server, make_stub, pb):
    failures = []

    def run(seed):
        choice = random.Random(seed)
        with server.channel() as channel:
            stub = make_stub(channel)
            for _ in range(30):
                text = " ".join(choice.choices(WORDS, k=choice.randint(1, 15)))
                response = embed(stub, pb, text, return_token_embeddings=True)
                if len(response.embeddings[0].tokens) != response.embeddings[0].usage.token_count:
                    failures.append(text)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
