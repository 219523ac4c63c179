"""The command line client against a gRPC server and a model hub that are made here, so that both can misbehave."""

import contextlib
import hashlib
import http.server
import json
import math
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import threading
import time
from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from transport import message_class

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENT = pathlib.Path(os.environ.get("HEADLIGHT_BUILD", ROOT / "build")) / "client" / "headlight"
SANITIZED = CLIENT.exists() and b"__asan_init" in CLIENT.read_bytes()
INFERENCE = "headlight.v1.Inference"
DETAILS = "grpc-status-details-bin"


def message(name, /, **fields):
    """A message of headlight.v1, or of another package when the name says so."""
    return message_class(name if "." in name else f"headlight.v1.{name}")(**fields)


def single(number):
    return struct.unpack("f", struct.pack("f", number))[0]


def vector(text, dimensions):
    rng = random.Random(text)
    return [single(rng.gauss(0, 1)) for _ in range(dimensions)]


class Server:
    """A server whose methods a test replaces by setting attributes; `calls` counts them by name."""

    def __init__(self, address="127.0.0.1:0", **options):
        self.calls, self.peers = {}, set()
        self.server = grpc.server(futures.ThreadPoolExecutor(32), **options)
        self.health = health.HealthServicer()
        self.health.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        self.server.add_generic_rpc_handlers([self])
        port = self.server.add_insecure_port(address)
        self.address = address if address.startswith("unix:") else f"127.0.0.1:{port}"
        self.server.start()

    def service(self, details):
        service, name = details.method.lstrip("/").split("/")
        if service != INFERENCE:
            return None
        self.calls[name] = self.calls.get(name, 0) + 1
        method = {"Embed": self.embed, "EmbedStream": self.embed_stream, "Tokenize": self.tokenize,
                  "Detokenize": self.detokenize, "ListModels": self.list_models}[name]
        request = {"Embed": "EmbedRequest", "EmbedStream": "EmbedRequest", "ListModels": "ListModelsRequest",
                   "Tokenize": "TokenizeRequest", "Detokenize": "DetokenizeRequest"}[name]
        kind = grpc.stream_stream_rpc_method_handler if name == "EmbedStream" else grpc.unary_unary_rpc_method_handler
        return kind(method, request_deserializer=message_class(f"headlight.v1.{request}").FromString,
                    response_serializer=lambda reply: reply if isinstance(reply, bytes) else reply.SerializeToString())

    def embed(self, request, context):
        self.peers.add(context.peer())
        reply = message("EmbedResponse", model=request.model or "fake")
        for text in request.inputs:
            embedding = reply.embeddings.add(values=vector(text.text, request.dimensions or 8))
            embedding.usage.token_count = len(text.text.split()) + 2
            embedding.usage.attention = "dense"
        return reply

    def embed_stream(self, requests, context):
        for request in requests:
            yield self.embed(request, context)

    def tokenize(self, request, context):
        reply = message("TokenizeResponse")
        for text in request.inputs:
            tokens = reply.tokenizations.add().tokens
            if not request.without_special_tokens:
                tokens.add(id=101, text="[CLS]", special=True)
            for word in re.finditer(rb"\S+", text.text.encode()):
                tokens.add(id=len(word[0]), text=word[0].decode(), byte_begin=word.start(), byte_end=word.end())
        return reply

    def detokenize(self, request, context):
        return message("DetokenizeResponse", text=" ".join(map(str, request.ids)) + (" kept" if request.keep_special_tokens else ""))

    def list_models(self, request, context):
        return message("ListModelsResponse", models=[dict(
            name="fake", architecture="bert", tasks=["embed"], token_count_max=256, attention="dense", precision="float32",
            layer_count=6, head_count=12, hidden_size=384, weights_sha256="ab" * 32, ready=True)])

    def refuse(self, context, code, text, *details):
        """Ends the call with details as google.rpc.Status carries them."""
        status = message("google.rpc.Status", code=code.value[0], message=text)
        for detail in details:
            status.details.add(type_url=f"type.googleapis.com/{detail.DESCRIPTOR.full_name}", value=detail.SerializeToString())
        context.set_trailing_metadata([(DETAILS, status.SerializeToString())])
        context.abort(code, text)

    def refuse_later(self, context, seconds):
        info = message("google.rpc.RetryInfo")
        info.retry_delay.nanos = int(seconds * 1e9)
        self.refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full", info)

    def refuse_input(self, context, index, text):
        request = message("google.rpc.BadRequest")
        request.field_violations.add(field=f"inputs[{index}].text", description=text)
        self.refuse(context, grpc.StatusCode.INVALID_ARGUMENT, text, request)


@pytest.fixture
def server():
    made = Server()
    yield made
    made.server.stop(None)


def environment(**changes):
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith(("HEADLIGHT_", "HF_")) and not name.lower().endswith("_proxy")}
    return clean | changes


def headlight(*arguments, server=None, stdin="", timeout=60, **variables):
    if server:
        variables["HEADLIGHT_ADDRESS"] = server.address
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run([CLIENT, *map(str, arguments)], input=data, capture_output=True, timeout=timeout,
                          env=environment(**variables), check=False)
    assert "Sanitizer" not in done.stderr.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert done.returncode >= 0, f"died of signal {-done.returncode}"
    return done


def out(done, code=0):
    assert done.returncode == code, (done.returncode, done.stderr.decode())
    return done.stdout.decode()


def failure(done, code=1):
    assert done.returncode == code, (done.returncode, done.stdout[:200], done.stderr)
    assert done.stderr.startswith(b"headlight")
    return done.stderr.decode()


def floats(line):
    return [single(float(number)) for number in line.split()]


# ---- Words and usage


def test_help_describes_every_command():
    commands = re.findall(r"^  (\w+) ", out(headlight("help")), re.M)
    assert commands == ["embed", "tokenize", "models", "health", "bench", "pull"]
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
    (("models", "extra"), "takes options only"),
    (("tokenize", "--decode", "1", "x"), "'x' is no token id"),
    (("tokenize", "--decode"), "needs token ids"),
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

    assert float(out(headlight("embed", "--similarity", "a", "b", server=server))) == pytest.approx(cosine("a", "b"), abs=1e-6)
    matrix = [floats(line) for line in out(headlight("embed", "--similarity", "a", "b", "c", server=server)).splitlines()]
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
                                   env=environment(HEADLIGHT_ADDRESS=server.address))
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
                          env=environment(HEADLIGHT_ADDRESS=server.address)) as process:
        for text in ("one", "two"):
            process.stdin.write(text.encode() + b"\n")
            process.stdin.flush()
            assert floats(process.stdout.readline()) == vector(text, 8)
        process.stdin.close()
        assert process.wait(timeout=10) == 0


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
    answer, times = server.embed, []

    def embed(request, context):
        times.append(time.monotonic())
        if len(times) < 3:
            server.refuse_later(context, 0.4)
        return answer(request, context)

    server.embed = embed
    assert out(headlight("embed", "a", server=server))
    assert len(times) == 3 and min(times[1] - times[0], times[2] - times[1]) >= 0.4
    times.clear()
    assert "the queue is full" in failure(headlight("embed", "--retries", "1", "a", server=server))
    times.clear()
    assert "the queue is full" in failure(headlight("embed", "--deadline", "0.3", "a", server=server))
    assert len(times) == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.NOT_FOUND])
def test_embed_does_not_repeat_what_repeating_will_not_cure(server, code):
    server.embed = lambda request, context: context.abort(code, "no \x1b[31m luck")
    words = failure(headlight("embed", "a", server=server))
    assert "luck" in words and code.name in words and "\x1b" not in words
    assert server.calls["Embed"] == 1


@pytest.mark.parametrize("stdin", ["", "a\n"])
def test_embed_ends_at_its_deadline(server, stdin):
    server.embed = lambda request, context: time.sleep(2)
    start = time.monotonic()
    words = failure(headlight("embed", "--deadline", "0.3", *([] if stdin else ["a"]), server=server, stdin=stdin))
    assert "--deadline" in words and time.monotonic() - start < 2


def test_an_unreachable_server_is_told_from_a_failing_one():
    words = failure(headlight("embed", "a", HEADLIGHT_ADDRESS="127.0.0.1:1"))
    assert "cannot reach 127.0.0.1:1: connection refused" in words and "headlightd" in words
    assert "cannot reach unix:/nowhere/at/all" in failure(headlight("health", HEADLIGHT_ADDRESS="unix:/nowhere/at/all"))


def test_a_proxy_variable_does_not_lead_calls_away(server):
    assert out(headlight("embed", "a", server=server, http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1"))


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
                          executable="/bin/bash", capture_output=True, env=environment(HEADLIGHT_ADDRESS=server.address),
                          timeout=60, check=True)
    first, code = done.stdout.decode().splitlines()
    assert floats(first) == vector("text", 8) and code == "0" and done.stderr == b""


def test_a_full_disk_is_a_failure(server):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CLIENT, "embed", "a"], stdout=full, stderr=subprocess.PIPE, timeout=30, check=False,
                              env=environment(HEADLIGHT_ADDRESS=server.address))
    assert done.returncode == 1 and b"No space left" in done.stderr


@pytest.mark.parametrize("arguments", [("embed", "a"), ("embed",), ("tokenize", "a"), ("bench",), ("health", "--wait", "60")])
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
                          env=environment(HEADLIGHT_ADDRESS=server.address)) as process:
        process.stdin.write(b"a\n")
        process.stdin.flush()
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=10) == code
        assert time.monotonic() - start < (3 if SANITIZED else 1)
        assert b"Sanitizer" not in process.stderr.read()
    ended.set()


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
    assert "fake: ready" in text and "256 tokens at most" in text and "ab" * 32 in text
    model = json.loads(out(headlight("models", "--format", "json", server=server)))["models"][0]
    assert model["name"] == "fake" and model["tasks"] == ["embed"] and model["ready"] is True
    assert json.loads(out(headlight("models", "--format", "jsonl", server=server))) == model


def test_health_tells_by_its_exit_code(server):
    assert out(headlight("health", server=server)) == "SERVING\n"
    assert json.loads(out(headlight("health", "--format", "json", server=server))) == {"service": "", "status": "SERVING"}
    server.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert out(headlight("health", server=server), 1) == "NOT_SERVING\n"
    assert "NOT_FOUND" in failure(headlight("health", "--service", "other", server=server))


def test_health_waits_for_a_server_that_is_coming(server):
    server.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    threading.Timer(0.7, server.health.set, ("", health_pb2.HealthCheckResponse.SERVING)).start()
    start = time.monotonic()
    assert out(headlight("health", "--wait", "20", server=server)) == "SERVING\n"
    assert 0.5 < time.monotonic() - start < 10
    start = time.monotonic()
    assert "cannot reach" in failure(headlight("health", "--wait", "0.5", HEADLIGHT_ADDRESS="127.0.0.1:1"))
    assert time.monotonic() - start >= 0.5


# ---- bench


def test_bench_counts_what_it_sends(server):
    report = json.loads(out(headlight("bench", "--requests", "300", "--concurrency", "7", "--batch", "3", "--connections", "3",
                                      "--warmup", "0.1", "--format", "json", server=server)))
    assert report["requests"] == 300 and report["failed"] == 0 and report["mode"] == "closed"
    assert report["texts_per_second"] == pytest.approx(3 * report["requests_per_second"], rel=1e-3)
    latency = report["latency_ms"]
    order = [latency[key] for key in ("min", "p50", "p90", "p95", "p99", "p99_9", "max")]
    assert order == sorted(order) and order[0] > 0
    assert len(server.peers) == 3
    assert "requests/s" in out(headlight("bench", "--duration", "0.3", "--warmup", "0", "--lengths", "mixed", server=server))


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
    report = json.loads(out(headlight("bench", "--requests", "200", "--warmup", "0", "--format", "json", server=server)))
    assert report["requests"] + report["failed"] == 200 and set(report["errors"]) == {"RESOURCE_EXHAUSTED"}


def test_bench_takes_texts_from_a_file(server, tmp_path):
    file, seen, answer = tmp_path / "texts", set(), server.embed
    file.write_text("one\ntwo\nthree\n")
    server.embed = lambda request, context: (seen.update(text.text for text in request.inputs), answer(request, context))[1]
    assert out(headlight("bench", "--requests", "20", "--warmup", "0", "--file", file, server=server))
    assert seen == {"one", "two", "three"}
    file.write_text("")
    assert "holds no text" in failure(headlight("bench", "--file", file, server=server), 2)
    assert "cannot reach" in failure(headlight("bench", HEADLIGHT_ADDRESS="127.0.0.1:1"))


# ---- pull


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub and its storage, as two servers; `site` holds what a test sets."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        site["log"].append((self.server.role, self.path, dict(self.headers)))
        if self.server.role == "storage":
            return self.send_content(self.path.lstrip("/"))
        if self.path.startswith("/api/models/"):
            return self.send_listing()
        name = self.path.split("/resolve/", 1)[1].split("/", 1)[1]
        if name in site["large"]:
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{site['storage_port']}/{name}")
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(site["files"][name]).hexdigest()}"')
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self.send_content(name)

    def send_listing(self):
        site = self.server.site
        if site["refusal"]:
            code, error = site["refusal"]
            return self.send_answer(code, b"<html>no</html>", {"X-Error-Code": error} if error else {})
        return self.send_answer(200, site["listing"] or json.dumps(listing(site)).encode())

    def send_content(self, name):
        site = self.server.site
        content = site["served"].get(name, site["files"][name])
        begin = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and site["ranges"]:
            begin = int(wanted[1])
            if begin >= len(content):
                return self.send_answer(416, b"")
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        content = content[begin:]
        if site["cut"] and name in site["large"]:
            content = content[:site["cut"].pop(0)]
            self.close_connection = True
        self.wfile.write(content)
        self.wfile.flush()
        if self.close_connection and site["hang"]:
            site["hang"].wait(20)
        return None

    def send_answer(self, code, body, headers=None):
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


COMMIT = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"


def listing(site):
    siblings = []
    for name, content in site["files"].items():
        sibling = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
        if name in site["large"]:
            sibling["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        siblings.append(sibling)
    return {"id": "owner/name", "sha": COMMIT, "siblings": siblings}


@pytest.fixture
def site():
    rng = random.Random(5)
    files = {"config.json": b'{"model_type":"bert"}', "tokenizer.json": b"{}" * 50, "1_Pooling/config.json": b"{}",
             "modules.json": b"[]", "model.safetensors": rng.randbytes(700_000), "README.md": b"# no",
             "pytorch_model.bin": b"no", "onnx/model.onnx": b"no", "vocab.txt": b"", "onnx/config.json": b"no"}
    made = {"files": files, "served": {}, "large": {"model.safetensors"}, "log": [], "ranges": True, "cut": [],
            "refusal": None, "listing": None, "hang": None}
    servers = []
    for role in ("storage", "hub"):
        made_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
        made_server.site, made_server.role, made_server.daemon_threads = made, role, True
        made[f"{role}_port"] = made_server.server_address[1]
        threading.Thread(target=made_server.serve_forever, daemon=True).start()
        servers.append(made_server)
    yield made
    for made_server in servers:
        made_server.shutdown()
        made_server.server_close()


WANTED = {"config.json", "tokenizer.json", "1_Pooling/config.json", "modules.json", "model.safetensors", "vocab.txt"}


def pull(site, folder, *arguments, **variables):
    return headlight("pull", "owner/name", "--output", folder, *arguments,
                     HF_ENDPOINT=f"http://127.0.0.1:{site['hub_port']}/", **variables)


def content_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pull_takes_what_a_server_needs(site, tmp_path):
    done = pull(site, tmp_path / "deep/model", "--revision", "refs/pr/1", HF_TOKEN="hf_secret")
    assert out(done) == f"{tmp_path}/deep/model\n"
    assert content_of(tmp_path / "deep/model") == {name: site["files"][name] for name in WANTED}
    assert site["log"][0][1] == "/api/models/owner/name/revision/refs%2Fpr%2F1?blobs=true"
    assert any(path == f"/owner/name/resolve/{COMMIT}/1_Pooling/config.json" for _, path, _ in site["log"])
    for role, _, headers in site["log"]:
        assert headers.get("Authorization") == ("Bearer hf_secret" if role == "hub" else None)
        assert headers["User-Agent"].startswith("headlight/")


def test_pull_again_costs_no_weights(site, tmp_path):
    assert out(pull(site, tmp_path))
    site["log"].clear()
    done = pull(site, tmp_path, "--format", "json")
    report = json.loads(out(done))
    assert not any(role == "storage" for role, _, _ in site["log"]) and b"was there" in done.stderr
    assert report["commit"] == COMMIT and {item["name"] for item in report["files"]} == WANTED
    for item in report["files"]:
        assert item["sha256"] == hashlib.sha256(site["files"][item["name"]]).hexdigest()
    assert pull(site, tmp_path, "--quiet").stderr == b""


@pytest.mark.parametrize("ranges", [True, False])
def test_pull_goes_on_where_the_connection_broke(site, tmp_path, ranges):
    site["ranges"], site["cut"] = ranges, [300_000, 200_000, 0, 5, 10 ** 9]
    assert out(pull(site, tmp_path, "--retries", "5"))
    assert content_of(tmp_path) == {name: site["files"][name] for name in WANTED}
    asked = [headers.get("Range") for role, _, headers in site["log"] if role == "storage"]
    assert asked[:2] == [None, "bytes=300000-"]
    assert not ranges or asked[2:] == ["bytes=500000-", "bytes=500000-", "bytes=500005-"]


def test_pull_goes_on_in_the_next_run(site, tmp_path):
    site["cut"] = [400_000]
    assert "cannot reach the hub" in failure(pull(site, tmp_path, "--retries", "0", "--quiet"))
    left = content_of(tmp_path)
    assert "model.safetensors" not in left and "config.json" not in left
    assert [len(content) for name, content in left.items() if "safetensors" in name] == [400_000]
    site["log"].clear()
    assert out(pull(site, tmp_path))
    assert [headers.get("Range") for role, _, headers in site["log"] if role == "storage"] == ["bytes=400000-"]
    assert content_of(tmp_path) == {name: site["files"][name] for name in WANTED}


def test_pull_stops_at_a_signal_and_keeps_the_part(site, tmp_path):
    site["cut"], site["hang"] = [400_000], threading.Event()
    variables = environment(HF_ENDPOINT=f"http://127.0.0.1:{site['hub_port']}")
    with subprocess.Popen([CLIENT, "pull", "owner/name", "--output", tmp_path], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=variables) as process:
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
    site["hang"].set()
    site["hang"] = None
    assert out(pull(site, tmp_path))
    assert content_of(tmp_path) == {name: site["files"][name] for name in WANTED}


@pytest.mark.parametrize("served, words", [
    (b"x" * 700_000, "has the SHA-256"),
    (b"x" * 700_001, "sends more than 700000 bytes"),
    (b"x" * 10, "has 10 bytes instead of 700000"),
])
def test_pull_refuses_other_bytes(site, tmp_path, served, words):
    site["served"]["model.safetensors"] = served
    assert words in failure(pull(site, tmp_path, "--quiet"))
    assert not (tmp_path / "model.safetensors").exists() and not (tmp_path / "config.json").exists()


def test_pull_does_not_trust_a_part_with_other_bytes(site, tmp_path):
    digest = hashlib.sha256(site["files"]["model.safetensors"]).hexdigest()
    part = tmp_path / f".model.safetensors.{digest[:16]}.part"
    part.write_bytes(b"wrong" * 1000)
    assert "has the SHA-256" in failure(pull(site, tmp_path, "--quiet"))
    assert not part.exists()
    assert out(pull(site, tmp_path))
    part.write_bytes(b"x" * 800_000)
    (tmp_path / "model.safetensors").unlink()
    assert out(pull(site, tmp_path))
    assert content_of(tmp_path) == {name: site["files"][name] for name in WANTED}


def test_pull_takes_the_hash_from_the_redirect_when_the_listing_has_none(site, tmp_path):
    names = [{"rfilename": name} for name in site["files"]]
    site["listing"] = json.dumps({"sha": COMMIT, "siblings": names}).encode()
    assert out(pull(site, tmp_path))
    site["served"]["model.safetensors"] = b"x" * 700_000
    assert "has the SHA-256" in failure(pull(site, tmp_path / "other", "--quiet"))


def test_pull_takes_shards_with_their_index(site, tmp_path):
    files = site["files"]
    shards = {"model.safetensors.index.json": b"{}", "model-00001-of-00002.safetensors": b"1" * 9,
              "model-00002-of-00002.safetensors": b"2" * 9}
    files.update(shards)
    assert out(pull(site, tmp_path / "single"))
    assert set(content_of(tmp_path / "single")) == WANTED
    del files["model.safetensors"]
    assert out(pull(site, tmp_path / "sharded"))
    assert set(content_of(tmp_path / "sharded")) == WANTED - {"model.safetensors"} | set(shards)


@pytest.mark.parametrize("refusal, words", [
    ((401, "GatedRepo"), "accept its terms"),
    ((403, None), "set HF_TOKEN"),
    ((401, "RepoNotFound"), "no such repository"),
    ((404, "RevisionNotFound"), "no such revision"),
    ((404, None), "no such repository"),
    ((418, None), "answers 418"),
    ((503, None), "try again later"),
])
def test_pull_says_why_the_hub_refuses(site, tmp_path, refusal, words):
    site["refusal"] = refusal
    assert words in failure(pull(site, tmp_path, "--retries", "1"))
    assert len(site["log"]) == (2 if refusal[0] == 503 else 1) and not content_of(tmp_path)


@pytest.mark.parametrize("names, words", [
    (["../../evil.json", "config.json"], "leaves the folder"),
    (["/etc/tokenizer.json", "config.json"], "leaves the folder"),
    (["1_Pooling/../../config.json"], "leaves the folder"),
    (["tokenizer\\..\\x.json"], "leaves the folder"),
    (["model.safetensors"], "no config.json"),
    (["config.json", "pytorch_model.bin"], "no model.safetensors"),
    (["config.json", "config.json", "model.safetensors"], "twice"),
])
def test_pull_refuses_a_listing_that_is_none_of_a_checkpoint(site, tmp_path, names, words):
    site["listing"] = json.dumps({"sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}).encode()
    assert words in failure(pull(site, tmp_path))
    assert not content_of(tmp_path)


@pytest.mark.parametrize("body", [
    b"<html>", b"[]", b"{}", b'{"sha":"../../x","siblings":[]}', b'{"sha":7,"siblings":{}}', b'{"sha":"%s","siblings":[7]}',
    b'{"sha":"' + COMMIT.encode() + b'","siblings":[{"rfilename":"config.json","size":-1},{"rfilename":"model.safetensors"}]}',
    b'{"sha":"' + COMMIT.encode() + b'","siblings":[{"rfilename":"config.json","size":1e18},{"rfilename":"model.safetensors"}]}',
    b" " * (17 << 20),
])
def test_pull_survives_any_answer(site, tmp_path, body):
    site["listing"] = body
    failure(pull(site, tmp_path))
    assert not content_of(tmp_path)


def test_pull_needs_a_hub(tmp_path):
    words = failure(headlight("pull", "a/b", "--output", tmp_path, "--retries", "1", HF_ENDPOINT="http://127.0.0.1:1"))
    assert "cannot reach the hub" in words
    assert "https://" in failure(headlight("pull", "a/b", HF_ENDPOINT="ftp://x"), 2)
    assert "HF_TOKEN" in failure(headlight("pull", "a/b", HF_TOKEN="a\nb"), 2)


def test_two_pulls_do_not_write_one_file(site, tmp_path):
    site["cut"], site["hang"] = [400_000], threading.Event()
    variables = environment(HF_ENDPOINT=f"http://127.0.0.1:{site['hub_port']}")
    with subprocess.Popen([CLIENT, "pull", "owner/name", "--output", tmp_path], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=variables) as first:
        time.sleep(1)
        assert "another pull" in failure(pull(site, tmp_path, "--retries", "0", "--quiet"))
        site["hang"].set()
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert first.wait(timeout=30) == 0
