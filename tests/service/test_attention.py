"""What a request may say of attention: global tokens, and the window mode of dense checkpoints."""

import json
from pathlib import Path

import grpc
import pytest

from conftest import refused

TASKS = Path(__file__).resolve().parents[1] / "golden" / "tasks"
TEXT = "the cat sat on the mat and the dog lay by the door of the old house " * 2
OTHER = "a dog in the house"


def embed(stub, pb, *texts, globals_=()):
    options = pb.Options(global_token_indices=globals_)
    request = pb.EmbedRequest(inputs=[pb.Text(text=text) for text in texts], normalize=True, options=options)
    return stub.Embed(request).embeddings


def distance(a, b):
    return max(abs(x - y) for x, y in zip(a.values, b.values, strict=True))


def test_a_window_changes_long_texts_and_global_tokens_take_it_back(start_server, make_stub, pb):
    with start_server(model=TASKS / "nomic_bert" / "classify") as server, server.channel() as channel:
        dense = embed(make_stub(channel), pb, TEXT, OTHER)
        assert dense[0].usage.attention == "dense"
    flags = "--attention-window", "8"
    with start_server(*flags, model=TASKS / "nomic_bert" / "classify") as server, server.channel() as channel:
        stub = make_stub(channel)
        windowed = embed(stub, pb, TEXT, OTHER)
        assert windowed[0].usage.attention == "sliding_window"
        assert stub.ListModels(pb.ListModelsRequest()).models[0].attention == "sliding_window"
        assert distance(windowed[0], dense[0]) > 1e-4
        count = windowed[0].usage.token_count
        assert windowed[0].values == embed(stub, pb, TEXT, globals_=[count - 1, 0, 0])[0].values
        assert distance(embed(stub, pb, TEXT, globals_=range(count))[0], dense[0]) < 1e-5
        labels = stub.Classify(pb.ClassifyRequest(inputs=[pb.Text(text=TEXT)])).classifications[0]
        assert labels.usage.attention == "sliding_window"


def test_global_tokens_are_refused_by_name(start_server, make_stub, pb, details):
    flags = "--attention-window", "8"
    with start_server(*flags, model=TASKS / "nomic_bert" / "classify") as server, server.channel() as channel:
        stub = make_stub(channel)
        error = refused(lambda: embed(stub, pb, OTHER, globals_=[3, 1000]))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "1000" in error.details()
        error = refused(lambda: embed(stub, pb, OTHER, globals_=range(600)))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "512" in error.details()
        assert details(error)[0] == ["options.global_token_indices"]
    with start_server(model=TASKS / "bert" / "classify") as server, server.channel() as channel:
        error = refused(lambda: embed(make_stub(channel), pb, OTHER, globals_=[0]))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "bert" in error.details()
        assert details(error)[0] == ["options.global_token_indices"]


@pytest.mark.parametrize(("name", "window", "reason"), [
    ("bert", "8", "rotary or ALiBi positions, not for bert"), ("nomic_bert", "7", "window 7")])
def test_a_window_is_refused_by_name(start_server, name, window, reason):
    folder = TASKS / name / "classify"
    with start_server("--attention-window", window, model=folder, wait=False, exit_code=1) as server:
        server.process.wait(timeout=60)
        assert reason in server.log


@pytest.mark.parametrize(("name", "attention"), [("longformer", "longformer"), ("big_bird", "bigbird")])
def test_sparse_checkpoints_say_so(start_server, make_stub, pb, name, attention):
    folder = TASKS / name / "classify"
    config = json.loads((folder / "config.json").read_text())
    with start_server(model=folder) as server, server.channel() as channel:
        stub = make_stub(channel)
        plain = embed(stub, pb, TEXT)[0]
        dense = config.get("attention_type") == "original_full"
        assert plain.usage.attention == ("dense" if dense else attention)
        if name != "longformer":
            return
        first = embed(stub, pb, TEXT, globals_=[0])[0]
        assert distance(first, plain) > 1e-4  # an embedding has no global tokens by itself,
        asked = {"inputs": [pb.Text(text=TEXT)], "raw_scores": True}
        scores = stub.Classify(pb.ClassifyRequest(**asked)).classifications[0].labels
        same = stub.Classify(pb.ClassifyRequest(options=pb.Options(global_token_indices=[0]), **asked))
        assert same.classifications[0].labels == scores  # and a classification the first
        other = stub.Classify(pb.ClassifyRequest(options=pb.Options(global_token_indices=[5]), **asked))
        assert other.classifications[0].labels != scores
        cut = {"length_policy": pb.LENGTH_POLICY_CHUNK, "chunking": pb.Chunking(token_count=16)}
        many = pb.ClassifyRequest(inputs=[pb.Text(text=TEXT)] * 40, raw_scores=True, options=pb.Options(**cut))
        chunked = stub.Classify(many).classifications
        assert chunked[0].usage.chunk_count > 1 and chunked[0].usage.attention == "chunked"
        assert chunked[0].labels == chunked[39].labels
        chosen = pb.Options(global_token_indices=[0], **cut)  # of each chunk, as without
        assert stub.Classify(pb.ClassifyRequest(options=chosen, **asked)).classifications[0].labels == chunked[0].labels
