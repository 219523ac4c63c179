"""`headlight`'s words and `headlight embed`, against a server that a test can make misbehave."""

import json
import math
import os
import re
import signal
import subprocess
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2
from builds import CLIENT, SANITIZED
from client_cli import (Server, catches, failure, fake_server, floats, headlight, message, out, single, vector,
                        wait_until)


@pytest.fixture(name="server")
def fixture_server():
    yield from fake_server()


# ---- Words and usage


def test_help_describes_every_command():
    commands = re.findall(r"^  (\w+) ", out(headlight("help")), re.M)
    assert commands == ["embed", "classify", "rerank", "tag", "fill", "answer", "explain", "sanitize", "tokenize",
                        "models", "health", "bench", "pull"]
    for command in commands:
        text = out(headlight("help", command))
        assert f"usage: headlight {command}" in text and text == out(headlight(command, "--help"))
    assert re.fullmatch(r"headlight \d+\.\d+\.\d+\n", out(headlight("--version")))


@pytest.mark.parametrize("arguments, words", [
    ((), None),
    (("fly",), "no command 'fly'"),
    (("embed", "--wings", "a"), "unknown option --wings"),
    (("embed", "-x"), "goes after --"),
    (("embed", "--batch"), "--batch needs a value"),
    (("embed", "--batch", "0", "a"), "--batch: 0 is outside 1 to 4096"),
    (("embed", "--batch", "3.5", "a"), "not a whole number"),
    (("embed", "--deadline", "soon", "a"), "'soon' is not a number"),
    (("embed", "--format", "xml", "a"), "none of: text, json, jsonl"),
    (("embed", "--quiet=1", "a"), "--quiet takes no value"),
    (("embed", "--file", "x", "a"), "not both"),
    (("embed", "--address", "nowhere", "a"), "'nowhere' is no address"),
    (("embed", "--address", "host:0", "a"), "is no address"),
    (("health", "extra"), "takes options only"),
    (("tokenize", "--decode", "1", "x"), "'x' is no token id"),
    (("tokenize", "--decode"), "needs token ids"),
    (("sanitize", "--policy", "pray", "x"), "none of: server, off, report, clean, reject"),
    (("embed", "--sanitize-enable", "A," * 33, "x"), "more than 32 codes"),
    (("pull",), "takes one repository"),
    (("pull", "../etc"), "takes one repository"),
    (("pull", "a/b/c"), "takes one repository"),
])
def test_wrong_usage_exits_with_2(arguments, words):
    done = headlight(*arguments)
    assert done.returncode == 2
    assert words is None or words in done.stderr.decode()


def test_a_variable_sets_an_option_and_the_flag_wins(server):
    assert out(headlight("embed", "a", server=server, HEADLIGHT_FORMAT="jsonl")).startswith("{")
    assert not out(headlight("embed", "--format", "text", "a", server=server, HEADLIGHT_FORMAT="jsonl")).startswith("{")
    assert "HEADLIGHT_FORMAT" in failure(headlight("embed", "a", server=server, HEADLIGHT_FORMAT="xml"), 2)


# ---- embed


def test_embed_prints_what_the_server_sends(server):
    lines = out(headlight("embed", "a cat", "ein Löwe", "--", "-dash", server=server)).splitlines()
    assert [floats(line) for line in lines] == [vector(text, 8) for text in ("a cat", "ein Löwe", "-dash")]


def test_embed_passes_its_options(server):
    seen = []
    answer = server.embed
    server.embed = lambda request, context: (seen.append(request), answer(request, context))[1]
    headlight("embed", "--model", "m", "--no-normalize", "--dimensions", "3", "--prompt-name", "query",
              "--truncate", "left", "a", server=server)
    headlight("embed", "--normalize", "--truncate", "right", "a", server=server)
    headlight("embed", "a", server=server)
    first, second, third = seen
    assert (first.model, first.normalize, first.dimensions, first.prompt_name) == ("m", False, 3, "query")
    assert first.WhichOneof("maybe_normalize") and first.options.length_policy == 3
    assert second.normalize and second.options.length_policy == 2
    assert third.WhichOneof("maybe_normalize") is None and third.WhichOneof("maybe_dimensions") is None
    assert third.options.length_policy == 0


def test_embed_passes_how_long_texts_are_cut(server):
    seen = []
    answer = server.embed
    server.embed = lambda request, context: (seen.append(request), answer(request, context))[1]
    headlight("embed", "--length-policy", "chunk", "--chunk-tokens", "64", "--chunk-overlap", "0", "--chunk-aggregate",
              "attention", "--chunks", "a", server=server)
    headlight("embed", "--length-policy", "refuse", "a", server=server)
    headlight("embed", "--chunk-overlap", "9", "a", server=server)
    first, second, third = seen
    assert (first.options.length_policy, first.return_chunk_embeddings) == (4, True)
    assert (first.options.chunking.token_count, first.options.chunking.aggregate) == (64, 1)
    assert first.options.chunking.WhichOneof("maybe_overlap") and first.options.chunking.overlap == 0
    assert (second.options.length_policy, second.options.HasField("chunking")) == (1, False)
    assert (third.options.length_policy, third.options.chunking.overlap) == (0, 9)
    assert not third.return_chunk_embeddings and third.options.chunking.token_count == 0
    assert "either" in failure(headlight("embed", "--length-policy", "chunk", "--truncate", "left", "a"), 2)
    assert "none of: auto, refuse, chunk" in failure(headlight("embed", "--length-policy", "cut", "a"), 2)


def test_embed_prints_chunks(server):
    def embed(request, context):
        reply = message("EmbedResponse", model="fake")
        embedding = reply.embeddings.add(values=[1, 2])
        for begin, values in ((0, [3, 4]), (5, [5, 6])):
            embedding.chunks.add(values=values)
            embedding.chunk_spans.add(byte_begin=begin, byte_end=begin + 6, token_count=2, weight=0.5)
        return reply

    server.embed = embed
    assert out(headlight("embed", "--chunks", "a", server=server)) == "1 2\n0\t6\t0.5\t3 4\n5\t11\t0.5\t5 6\n"
    assert out(headlight("embed", "a", server=server)) == "1 2\n"
    (item,) = json.loads(out(headlight("embed", "--chunks", "--format", "json", "a", server=server)))["embeddings"]
    assert item["values"] == [1, 2] and item["chunks"][1] == {
        "byte_begin": 5, "byte_end": 11, "token_count": 2, "weight": 0.5, "values": [5, 6]}
    server.embed = lambda request, context: message(
        "EmbedResponse", embeddings=[{"values": [1], "chunks": [{"values": [1]}]}])
    assert "1 chunks and 0 places" in failure(headlight("embed", "--chunks", "a", server=server))


def test_embed_writes_json(server):
    document = json.loads(out(headlight("embed", "--format", "json", "--echo", "a", 'b "\t', server=server)))
    assert document["model"] == "fake"
    assert [item["index"] for item in document["embeddings"]] == [0, 1]
    assert [item["text"] for item in document["embeddings"]] == ["a", 'b "\t']
    assert [single(value) for value in document["embeddings"][0]["values"]] == vector("a", 8)
    assert document["embeddings"][0]["usage"]["token_count"] == 3
    lines = out(headlight("embed", "--format", "jsonl", server=server, stdin="a\nb\n")).splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1]
    assert json.loads(out(headlight("embed", "--format", "json", server=server))) == {"model": "", "embeddings": []}


def test_embed_compares_texts(server):
    def cosine(a, b):
        x, y = vector(a, 8), vector(b, 8)
        return sum(p * q for p, q in zip(x, y)) / math.sqrt(sum(p * p for p in x) * sum(q * q for q in y))

    number = out(headlight("embed", "--similarity", "a", "b", server=server))
    assert float(number) == pytest.approx(cosine("a", "b"), abs=1e-6)
    lines = out(headlight("embed", "--similarity", "a", "b", "c", server=server)).splitlines()
    matrix = [floats(line) for line in lines]
    assert matrix[2][1] == pytest.approx(cosine("c", "b"), abs=1e-6) and matrix[1][1] == 1
    document = json.loads(out(headlight("embed", "--similarity", "--format", "json", "a", "b", server=server)))
    assert document["similarity"][0][1] == pytest.approx(cosine("a", "b"), abs=1e-6)
    pairs = out(headlight("embed", "--similarity", "--format", "jsonl", "a", "b", "c", server=server)).splitlines()
    assert [(json.loads(pair)["a"], json.loads(pair)["b"]) for pair in pairs] == [(0, 1), (0, 2), (1, 2)]


def test_embed_streams_lines_in_order(server, tmp_path):
    texts = [f"text {number}" for number in range(3000)] + [""] + ["end"]
    expected = [vector(text, 2) for text in texts]
    done = headlight("embed", "--dimensions", "2", server=server, stdin="\n".join(texts))
    assert [floats(line) for line in out(done).splitlines()] == expected
    assert server.calls == {"EmbedStream": 1}
    file = tmp_path / "texts"
    file.write_text("\0".join(texts[:100]) + "\0")
    done = headlight("embed", "--dimensions", "2", "--null", "--batch", "7", "--file", file, server=server)
    assert [floats(line) for line in out(done).splitlines()] == expected[:100]


def test_embed_needs_no_more_memory_for_more_input(server):
    def peak_kib(line_count):
        command = [CLIENT, "embed", "--dimensions", "1", "--batch", "256"]
        reader, writer = os.pipe()
        process = subprocess.Popen(command, stdin=reader, stdout=subprocess.DEVNULL,
                                   env=os.environ | {"HEADLIGHT_ADDRESS": server.address})
        os.close(reader)
        with open(writer, "wb") as stream:
            for _ in range(line_count):
                stream.write(b"x" * 3999 + b"\n")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss

    small, large = peak_kib(4000), peak_kib(25000)
    assert SANITIZED or large - small < 24 * 1024, (small, large)


def test_embed_answers_a_line_before_the_next_one_comes(server):
    with subprocess.Popen([CLIENT, "embed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=os.environ | {"HEADLIGHT_ADDRESS": server.address}) as process:
        for text in ("one", "two"):
            process.stdin.write(text.encode() + b"\n")
            process.stdin.flush()
            assert floats(process.stdout.readline()) == vector(text, 8)
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_embed_opens_a_broken_stream_again(server):
    def stream(requests, context):
        for number, request in enumerate(requests):
            if number == 3 and server.calls["EmbedStream"] < 3:
                context.abort(grpc.StatusCode.UNAVAILABLE, "moved away")
            yield server.embed(request, context)

    server.embed_stream = stream
    texts = [str(number) for number in range(100)]
    done = headlight("embed", "--batch", "5", server=server, stdin="\n".join(texts))
    assert [floats(line) for line in out(done).splitlines()] == [vector(text, 8) for text in texts]
    assert server.calls["EmbedStream"] == 3


def test_embed_gives_up_a_stream_that_stays_broken(server):
    def stream(requests, context):
        context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
        yield

    server.embed_stream = stream
    assert "draining" in failure(headlight("embed", "--retries", "2", server=server, stdin="a\n"))
    assert server.calls["EmbedStream"] == 3


def test_embed_asks_one_by_one_where_there_are_no_streams(server):
    def stream(requests, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "no streams here")
        yield

    server.embed_stream = stream
    done = headlight("embed", "--batch", "2", server=server, stdin="a\nb\nc\n")
    assert [floats(line) for line in out(done).splitlines()] == [vector(text, 8) for text in "abc"]


@pytest.mark.parametrize("with_details", [True, False])
def test_embed_names_the_line_that_was_refused(server, with_details):
    answer = server.embed

    def embed(request, context):
        for index, text in enumerate(request.inputs):
            if text.text == "bad" and with_details:
                server.refuse_input(context, index, "612 tokens, the limit is 256")
            elif text.text == "bad":
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"inputs[{index}].text: 612 tokens, the limit is 256")
        return answer(request, context)

    server.embed = embed
    texts = [str(number) for number in range(200)]
    texts[110] = "bad"
    done = headlight("embed", "--batch", "8", server=server, stdin="\n".join(texts))
    words = failure(done)
    assert "line 111 of standard input" in words and "the limit is 256" in words and "INVALID_ARGUMENT" in words
    assert [floats(line) for line in done.stdout.splitlines()] == [vector(text, 8) for text in texts[:104]]
    assert "text 2: " in failure(headlight("embed", "a", "bad", server=server))


def test_embed_waits_as_long_as_the_server_asks(server):
    answer, times, delay = server.embed, [], 0.4

    def embed(request, context):
        times.append(time.monotonic())
        if len(times) < 3:
            server.refuse_later(context, delay)
        return answer(request, context)

    server.embed = embed
    assert out(headlight("embed", "a", server=server))
    assert len(times) == 3 and min(times[1] - times[0], times[2] - times[1]) >= 0.4
    times.clear()
    assert "the queue is full" in failure(headlight("embed", "--retries", "1", "a", server=server))
    times.clear()
    delay = 100
    assert "the queue is full" in failure(headlight("embed", "--deadline", "50", "a", server=server, timeout=40))
    assert len(times) == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL,
                                  grpc.StatusCode.NOT_FOUND])
def test_embed_does_not_repeat_what_repeating_will_not_cure(server, code):
    server.embed = lambda request, context: context.abort(code, "no \x1b[31m luck")
    words = failure(headlight("embed", "a", server=server))
    assert "luck" in words and code.name in words and "\x1b" not in words
    assert server.calls["Embed"] == 1


@pytest.mark.parametrize("stdin", ["", "a\n"])
def test_embed_ends_at_its_deadline(server, stdin):
    ended = threading.Event()
    server.embed = lambda request, context: ended.wait(60)
    words = failure(headlight("embed", "--deadline", "0.3", *([] if stdin else ["a"]), server=server, stdin=stdin,
                              timeout=30))
    assert "--deadline" in words
    ended.set()


def test_an_unreachable_server_is_told_from_a_failing_one():
    words = failure(headlight("embed", "a", HEADLIGHT_ADDRESS="127.0.0.1:1"))
    assert "cannot reach 127.0.0.1:1: connection refused" in words and "headlightd" in words
    assert "cannot reach unix:/nowhere/at/all" in failure(headlight("health", HEADLIGHT_ADDRESS="unix:/nowhere/at/all"))


def test_a_proxy_variable_does_not_lead_calls_away(server):
    nowhere = "http://127.0.0.1:1"
    assert out(headlight("embed", "a", server=server, http_proxy=nowhere, https_proxy=nowhere))


def test_a_unix_socket_is_an_address(tmp_path):
    made = Server(f"unix:{tmp_path}/socket")
    assert floats(out(headlight("embed", "a", server=made))) == vector("a", 8)
    made.server.stop(None)


def test_a_reply_that_is_compressed_unasked_is_refused_before_it_inflates():
    made = Server(compression=grpc.Compression.Gzip)
    for arguments in (("--dimensions", "4000", "a"), ("--file", "-", "--dimensions", "4000")):
        assert "compressed its reply" in failure(headlight("embed", *arguments, server=made, stdin="a\n"))
    made.server.stop(None)


@pytest.mark.parametrize("data, words", [
    (b"fine\nbad \xff\nfine\n", "line 2 of standard input is not UTF-8: byte 5 is 0xFF"),
    (b"\xed\xa0\x80", "line 1"),
    (b"\xc0\x80\n", "line 1"),
    (b"cut \xe2\x82", "byte 5 is 0xE2"),
])
def test_text_that_is_not_utf8_is_refused(server, data, words):
    assert words in failure(headlight("embed", server=server, stdin=data))


def test_a_line_that_is_too_long_is_refused(server):
    assert "line 2 of standard input is longer than 16777216 bytes" in failure(
        headlight("embed", server=server, stdin=b"a\n" + b"x" * (17 << 20)))
    assert floats(out(headlight("embed", server=server, stdin=b"x" * 3_000_000))) == vector("x" * 3_000_000, 8)


def test_a_missing_file_is_said(server):
    assert "/no/such/file: No such file" in failure(headlight("embed", "--file", "/no/such/file", server=server))


def test_a_reader_that_goes_away_is_no_failure(server):
    done = subprocess.run(f"yes text | head -n 20000 | {CLIENT} embed | head -n 1; echo ${{PIPESTATUS[2]}}", shell=True,
                          executable="/bin/bash", capture_output=True, timeout=60, check=True,
                          env=os.environ | {"HEADLIGHT_ADDRESS": server.address})
    first, code = done.stdout.decode().splitlines()
    assert floats(first) == vector("text", 8) and code == "0" and done.stderr == b""


def test_a_full_disk_is_a_failure(server):
    with open("/dev/full", "wb") as full:
        for arguments in (("embed", "a"), ("help",), ("help", "embed"), ("embed", "--help"), ("--version",)):
            done = subprocess.run([CLIENT, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=30, check=False,
                                  env=os.environ | {"HEADLIGHT_ADDRESS": server.address})
            assert done.returncode == 1 and b"No space left" in done.stderr


@pytest.mark.parametrize("closed, arguments, code, words", [
    ("<&-", ("embed",), 1, "standard input: Bad file descriptor"),
    (">&-", ("embed", "a"), 1, "cannot write the output: Bad file descriptor"),
    ("2>&-", ("embed", "a"), 0, ""),
    ("<&- >&- 2>&-", ("embed", "a"), 1, ""),
])
def test_a_closed_standard_stream_is_not_taken_by_a_connection(server, closed, arguments, code, words):
    """Without care the next descriptor opened, a socket perhaps, would be read as input or get the output."""
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", CLIENT, *arguments], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=30, check=False,
                          env=os.environ | {"HEADLIGHT_ADDRESS": server.address})
    assert done.returncode == code and words in done.stderr.decode()


@pytest.mark.parametrize("arguments", [("embed", "a"), ("embed",), ("tokenize", "a"), ("bench",),
                                       ("health", "--wait", "60")])
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_promptly(server, arguments, number, code):
    ended = threading.Event()

    def hang(*_):
        ended.wait(20)

    def stream(requests, context):
        ended.wait(20)
        yield

    server.embed = server.tokenize = hang
    server.embed_stream = stream
    server.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    with subprocess.Popen([CLIENT, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=os.environ | {"HEADLIGHT_ADDRESS": server.address}) as process:
        process.stdin.write(b"a\n")
        process.stdin.flush()
        wait_until(lambda: catches(process, number))
        time.sleep(0.3)  # for the call
        process.send_signal(number)
        assert process.wait(timeout=15) == code  # calls hang longer
        assert b"Sanitizer" not in process.stderr.read()
    ended.set()
