"""The client among hostile replies; and `headlight tokenize`, `models`, `health` and `bench`."""

import json
import math
import struct
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2
from client_cli import DETAILS, failure, fake_server, headlight, message, out, vector


@pytest.fixture(name="server")
def fixture_server():
    yield from fake_server()


# ---- Hostile replies


def field(number, payload):
    size, bytes_ = len(payload), bytearray()
    while True:
        bytes_.append((size & 0x7F) | (0x80 if size > 0x7F else 0))
        size >>= 7
        if not size:
            return bytes([number << 3 | 2]) + bytes(bytes_) + payload


HOSTILE = {
    "garbage": b"\xff\xfe\xfd" * 100,
    "empty": b"",
    "cut": field(2, field(1, b"\0" * 32))[:-5],
    "no values": field(2, b""),
    "many empty embeddings": field(2, b"") * 500_000,
    "repeated usage": field(2, field(1, b"\0" * 4) + field(4, field(5, b"x" * 100)) * 20_000),
    "odd vector": field(2, field(1, b"\0" * 7)),
    "not a number": field(2, field(1, struct.pack("<3f", math.nan, math.inf, 1))),
    "model with controls": field(1, b"\x1b[31m\xff") + field(2, field(1, b"\0" * 8)),
}


@pytest.mark.parametrize("stdin", ["", "a\n"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_is_an_error_or_harmless(server, name, stdin):
    server.embed = lambda request, context: HOSTILE[name]
    for arguments in (("--format", "json"), ("--similarity",)):
        done = headlight("embed", *arguments, *([] if stdin else ["a"]), server=server, stdin=stdin)
        assert done.returncode == (0 if name in ("not a number", "model with controls", "repeated usage") else 1), done
        if done.returncode == 0 and "json" in arguments:
            json.loads(done.stdout.decode())


def test_answers_to_nothing_are_an_error(server):
    def stream(requests, context):
        first = next(requests)
        while True:
            yield server.embed(first, context)

    server.embed_stream = stream
    assert "more than was asked" in failure(headlight("embed", server=server, stdin="a\n"))


def test_hostile_details_are_ignored(server):
    def embed(request, context):
        context.set_trailing_metadata([(DETAILS, HOSTILE["garbage"])])
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no")

    server.embed = embed
    assert "no" in failure(headlight("embed", "a", server=server))


# ---- tokenize, models, health


def test_tokenize_prints_tokens_and_ranges(server):
    assert out(headlight("tokenize", "ein Löwe", "b", server=server)) == (
        "101\t0\t0\t[CLS]\n3\t0\t3\tein\n5\t4\t9\tLöwe\n\n101\t0\t0\t[CLS]\n1\t0\t1\tb\n")
    assert out(headlight("tokenize", "--without-special-tokens", server=server, stdin="a\\b\n")) == "3\t0\t3\ta\\\\b\n"
    document = json.loads(out(headlight("tokenize", "--format", "json", server=server, stdin="a\nb c\n")))
    assert [len(item["tokens"]) for item in document["tokenizations"]] == [2, 3]
    lines = out(headlight("tokenize", "--format", "jsonl", server=server, stdin="a\n" * 100)).splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(100))


def test_tokenize_turns_ids_into_text(server):
    assert out(headlight("tokenize", "--decode", "1", "20", server=server)) == "1 20\n"
    assert json.loads(out(headlight("tokenize", "--decode", "--keep-special-tokens", "--format", "json", "7",
                                    server=server))) == {"text": "7 kept"}


def test_models_are_listed(server):
    text = out(headlight("models", server=server))
    for words in ("fake: ready, the default", "256 tokens at most", "90 MiB", "ab" * 32):
        assert words in text
    assert text.endswith("broken: not ready\n  could not be loaded: no config.json\n")
    models = json.loads(out(headlight("models", "--format", "json", server=server)))["models"]
    assert models[0]["name"] == "fake" and models[0]["tasks"] == ["embed"] and models[0]["ready"] is True
    assert models[0]["default"] is True and models[0]["memory_bytes"] == 90 << 20 and models[1]["failure"]
    lines = out(headlight("models", "--format", "jsonl", server=server)).splitlines()
    assert [json.loads(line) for line in lines] == models


def test_models_are_loaded_and_unloaded(server):
    assert out(headlight("models", "load", "b", server=server)).startswith("b: ready\n  , ")
    loaded = json.loads(out(headlight("models", "load", "b", "c", "--format", "jsonl", server=server)))
    assert (loaded["name"], loaded["architecture"]) == ("b", "c")
    assert out(headlight("models", "unload", "b", server=server)) == ""
    assert "it is the default model" in failure(headlight("models", "unload", "fake", server=server))
    done = headlight("models", "reload", "b", server=server)
    assert out(done).startswith("b: ready") and b"have not changed" in done.stderr
    assert headlight("models", "reload", "--force", "b", server=server).stderr == b""
    for wrong in (("lift",), ("load",), ("unload", "a", "b"), ("reload",)):
        assert "models takes nothing" in failure(headlight("models", *wrong, server=server), 2)


def test_sparse_vectors_are_shown_by_their_entries(server):
    server.embed = lambda request, context: message("EmbedResponse", model="fake", embeddings=[
        dict(sparse=dict(indices=[3, 70000], values=[0.5, 2]))])
    assert out(headlight("embed", "a", server=server)) == "3:0.5 70000:2\n"
    document = json.loads(out(headlight("embed", "--format", "jsonl", "a", server=server)))
    assert document["sparse"] == {"indices": [3, 70000], "values": [0.5, 2]}
    assert "sparse" in failure(headlight("embed", "--similarity", "a", server=server))
    server.embed = lambda request, context: message("EmbedResponse", embeddings=[dict(sparse=dict(indices=[3]))])
    assert "without all its values" in failure(headlight("embed", "a", server=server))


def test_health_tells_by_its_exit_code(server):
    assert out(headlight("health", server=server)) == "SERVING\n"
    document = json.loads(out(headlight("health", "--format", "json", server=server)))
    assert document == {"service": "", "status": "SERVING"}
    server.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert out(headlight("health", server=server), 1) == "NOT_SERVING\n"
    assert "NOT_FOUND" in failure(headlight("health", "--service", "other", server=server))


def test_health_waits_for_a_server_that_is_coming(server):
    server.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    threading.Timer(0.7, server.health.set, ("", health_pb2.HealthCheckResponse.SERVING)).start()
    start = time.monotonic()
    assert out(headlight("health", "--wait", "20", server=server)) == "SERVING\n"
    assert time.monotonic() - start > 0.5
    start = time.monotonic()
    assert "cannot reach" in failure(headlight("health", "--wait", "0.5", HEADLIGHT_ADDRESS="127.0.0.1:1"))
    assert time.monotonic() - start >= 0.5


# ---- bench


def test_bench_counts_what_it_sends(server):
    done = headlight("bench", "--requests", "300", "--concurrency", "7", "--batch", "3", "--warmup", "0.1",
                     "--connections", "3", "--format", "json", server=server)
    report = json.loads(out(done))
    assert report["requests"] == 300 and report["failed"] == 0 and report["mode"] == "closed"
    assert report["texts_per_second"] == pytest.approx(3 * report["requests_per_second"], rel=1e-3)
    latency = report["latency_ms"]
    order = [latency[key] for key in ("min", "p50", "p90", "p95", "p99", "p99_9", "max")]
    assert order == sorted(order) and order[0] > 0
    assert len(server.peers) == 3
    mixed = headlight("bench", "--duration", "0.3", "--warmup", "0", "--lengths", "mixed", server=server)
    assert "requests/s" in out(mixed)


def test_bench_with_a_rate_counts_from_when_a_request_was_due(server):
    answer, started = server.embed, time.monotonic()
    lock = threading.Lock()

    def embed(request, context):
        with lock:  # stalls everything for half a second, once
            if not stalled and time.monotonic() - started > 1:
                stalled.append(True)
                time.sleep(0.5)
        return answer(request, context)

    stalled, server.embed = [], embed
    report = json.loads(out(headlight("bench", "--rate", "200", "--duration", "2", "--warmup", "0", "--format", "json",
                                      server=server)))
    assert report["mode"] == "open" and 300 < report["requests"] < 500
    assert report["latency_ms"]["p90"] > 50, "a stall must show in the requests that it held up"


def test_bench_counts_failures_by_code(server):
    answer, count = server.embed, iter(range(10 ** 6))

    def embed(request, context):
        if next(count) % 4 == 3:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        return answer(request, context)

    server.embed = embed
    done = headlight("bench", "--requests", "200", "--warmup", "0", "--format", "json", server=server)
    report = json.loads(out(done))
    assert report["requests"] + report["failed"] == 200 and set(report["errors"]) == {"RESOURCE_EXHAUSTED"}


def test_bench_takes_texts_from_a_file(server, tmp_path):
    file, seen, answer = tmp_path / "texts", set(), server.embed
    file.write_text("one\ntwo\nthree\n")

    def embed(request, context):
        seen.update(text.text for text in request.inputs)
        return answer(request, context)

    server.embed = embed
    assert out(headlight("bench", "--requests", "20", "--warmup", "0", "--file", file, server=server))
    assert seen == {"one", "two", "three"}
    file.write_text("")
    assert "holds no text" in failure(headlight("bench", "--file", file, server=server), 2)
    assert "cannot reach" in failure(headlight("bench", HEADLIGHT_ADDRESS="127.0.0.1:1"))
