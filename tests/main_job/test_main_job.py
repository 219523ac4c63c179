"""The main job as a user meets it: the real model served, asked through the CLI and by a plain Python grpcio client,
equal to what transformers computed (tests/golden/minilm)."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import numpy
import pytest
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("HEADLIGHT_BUILD", ROOT / "build"))
SERVER, CLIENT = BUILD / "server" / "headlightd", BUILD / "client" / "headlight"
MODEL = ROOT / "models" / "all-MiniLM-L6-v2"
READY_SECONDS = 60
ERROR_MAX = 1e-5
COSINE_MIN = 0.999999


@pytest.fixture(scope="module")
def texts():
    with open(ROOT / "tests/golden/minilm/texts.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def expected(texts):
    return numpy.fromfile(ROOT / "tests/golden/minilm/vectors.f32", dtype="<f4").reshape(len(texts), -1)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server of its own; at the end it drains and leaves with exit code 0."""
    folder = tmp_path_factory.mktemp("server")
    listen = f"unix:{folder}/socket"
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen([SERVER, "--model", MODEL, "--listen", listen], stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log)
    try:
        run_client(listen, "health", "--wait", str(READY_SECONDS))
        yield listen
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0, (folder / "log").read_text()
    finally:
        server.kill()
        server.wait()


def run_client(address, *arguments, stdin=b""):
    run = subprocess.run([CLIENT, *arguments], input=stdin, stdout=subprocess.PIPE, check=True,
                         env=os.environ | {"HEADLIGHT_ADDRESS": address})
    return run.stdout.decode()


@pytest.fixture(scope="module")
def inference(tmp_path_factory):
    """The two modules that protoc makes of headlight.proto for any Python program."""
    folder = tmp_path_factory.mktemp("generated")
    arguments = ["protoc", f"-I{ROOT}/proto", f"--python_out={folder}", f"--grpc_python_out={folder}",
                 "headlight/v1/headlight.proto"]
    assert protoc.main(arguments) == 0
    sys.path.insert(0, str(folder))
    yield (importlib.import_module("headlight.v1.headlight_pb2"),
           importlib.import_module("headlight.v1.headlight_pb2_grpc"))
    sys.path.remove(str(folder))


def assert_equal(vectors, expected):
    """Unit vectors equal the reference's within the promised bounds."""
    vectors = numpy.array(vectors, dtype=numpy.float64)
    assert vectors.shape == expected.shape
    assert numpy.abs(vectors - expected).max() <= ERROR_MAX
    lengths = numpy.linalg.norm(vectors, axis=1) * numpy.linalg.norm(expected, axis=1)
    assert ((vectors * expected).sum(axis=1) / lengths).min() >= COSINE_MIN


def test_the_cli_embeds_a_thousand_texts_as_transformers_does(address, texts, expected):
    stdin = b"".join(text.encode() + b"\0" for text in texts)
    output = run_client(address, "embed", "--format", "jsonl", "--null", "--file", "-", stdin=stdin)
    replies = [json.loads(line) for line in output.splitlines()]
    assert [reply["index"] for reply in replies] == list(range(len(texts)))
    assert not any(reply["usage"]["truncated"] for reply in replies)
    assert_equal([reply["values"] for reply in replies], expected)


def test_a_plain_python_client_embeds_a_thousand_texts_as_transformers_does(address, inference, texts, expected):
    messages, services = inference
    vectors = []
    with grpc.insecure_channel(address) as channel:
        stub = services.InferenceStub(channel)
        for begin in range(0, len(texts), 50):
            inputs = [messages.Text(text=text) for text in texts[begin:begin + 50]]
            reply = stub.Embed(messages.EmbedRequest(inputs=inputs), timeout=120)
            vectors += [embedding.values for embedding in reply.embeddings]
    assert_equal(vectors, expected)


def test_the_cli_prints_the_similarity_of_two_texts(address, texts, expected):
    first, second = texts[500], texts[501]
    printed = float(run_client(address, "embed", "--similarity", "--", first, second).split()[-1])
    assert abs(printed - float(expected[500] @ expected[501])) <= 1e-4


def test_a_text_beyond_the_limit_is_never_silently_cut(address, inference):
    """In chunks unless the client refuses that."""
    messages, services = inference
    request = messages.EmbedRequest(inputs=[messages.Text(text="word " * 300)])
    with grpc.insecure_channel(address) as channel:
        stub = services.InferenceStub(channel)
        usage = stub.Embed(request, timeout=30).embeddings[0].usage
        request.options.length_policy = messages.LENGTH_POLICY_REFUSE
        with pytest.raises(grpc.RpcError) as refused:
            stub.Embed(request, timeout=30)
    assert (usage.text_token_count, usage.chunk_count, usage.truncated) == (302, 2, False)
    assert usage.attention == "chunked"
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "302" in refused.value.details() and "256" in refused.value.details()
