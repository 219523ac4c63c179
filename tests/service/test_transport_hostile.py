"""The transport under load and under attack: bombs, floods, garbage, clients that die (echo_server.c)."""

import random
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from builds import SANITIZED
from transport import (ACK, DATA, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, RawConnection,
                       Server, echo_server, error_details, error_of, frame)

Code = grpc.StatusCode


# ---- Compression as a weapon ----

def test_a_gzip_bomb_is_refused_in_bounded_memory(server):
    before = server.memory_mib("VmHWM")
    unary = server.unary("Unary")
    for _ in range(3):
        error = error_of(unary, bytes(200 << 20), compression=grpc.Compression.Gzip)
        assert error.code() == Code.RESOURCE_EXHAUSTED and str(4 << 20) in error.details()
    assert SANITIZED or server.memory_mib("VmHWM") - before < 32


def compressed_call(raw, stream, body):
    raw.open(stream, "/test.Echo/Unary", **{"grpc-encoding": "gzip"})
    raw.send(frame(DATA, END_STREAM, stream, b"\1" + struct.pack(">I", len(body)) + body))
    return raw.read_until(HEADERS)[3]


def test_damaged_compression_is_an_invalid_argument(server):
    packer = zlib.compressobj(wbits=31)
    whole = packer.compress(b"hello" * 100) + packer.flush()
    with server.raw() as raw:
        for i, body in enumerate((b"", b"\x1f", b"not gzip at all", whole[:-1], whole + b"more", whole + whole)):
            assert b"compressed message" in compressed_call(raw, 2 * i + 1, body), body
    assert server.answers()


# ---- Load ----

def test_a_stream_whose_answers_are_not_read_holds_little(server):
    before = server.memory_mib()
    taken = []

    def requests():
        for i in range(2000):
            taken.append(i)
            yield struct.pack("<Q", 1000) + b"x" * 1016  # answered by a megabyte
    stream = server.stream("BigStream")(requests())
    assert len(next(stream)) == 1024 * 1000
    time.sleep(2)
    assert SANITIZED or server.memory_mib() - before < 32
    assert len(taken) < 1000 and server.answers()
    stream.cancel()


def test_a_thousand_streams_at_a_time(server):
    channel = server.channel()
    gate = threading.Barrier(21)

    def run(worker):
        streams = []
        for i in range(50):
            hold = threading.Event()
            name = b"%d.%d" % (worker, i)

            def requests(hold=hold, name=name):
                yield name
                hold.wait()
                yield name + b" again"
            streams.append((name, hold, server.stream("Stream", channel)(requests())))
        for name, _, stream in streams:
            assert next(stream) == name
        gate.wait()
        for name, hold, stream in streams:
            hold.set()
            assert list(stream) == [name + b" again"]

    with ThreadPoolExecutor(20) as pool:
        done = [pool.submit(run, worker) for worker in range(20)]
        gate.wait()  # all are open
        assert server.answers()
        for one in done:
            one.result()


def test_ten_thousand_calls_wait_and_all_are_answered():
    with Server("--drain-ms", 60000) as server:
        channels = [server.channel() for _ in range(4)]
        calls = [server.unary("Slow", channels[i % 4]).future(b"%d %d" % (1000 + i % 500, i)) for i in range(10000)]
        assert server.answers()
        for i, call in enumerate(calls):
            assert call.result() == b"%d %d" % (1000 + i % 500, i)
        assert server.stop()["total"] == 10001


def test_calls_beyond_the_limit_are_told_when_to_return():
    with Server("--calls", 10) as server:
        channel = server.channel()
        waiting = [server.unary("Slow", channel).future(b"3000") for _ in range(10)]
        time.sleep(0.3)
        error = error_of(server.unary("Unary", channel), b"")
        assert error.code() == Code.RESOURCE_EXHAUSTED and "its limit" in error.details()
        assert error_details(error)[1][0].retry_delay.nanos > 0
        health = health_pb2_grpc.HealthStub(channel)  # a probe must not kill a busy server
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert all(call.result() == b"3000" for call in waiting) and server.answers()


def test_the_bytes_of_waiting_requests_are_bounded():
    with Server("--held-bytes", 8 << 20) as server:
        message = b"3000".ljust(1 << 20)
        calls = [server.unary("Slow").future(message) for _ in range(16)]
        codes = [call.code() for call in calls]
        assert codes.count(Code.OK) == 8 and codes.count(Code.RESOURCE_EXHAUSTED) == 8
        assert server.unary("Slow")(b"0".ljust(1 << 20)) and server.answers()


def test_messages_of_100_mb_leave_others_served(server):
    unaries = [server.unary("Unary") for _ in range(4)]
    message = bytes(100_000_000)
    calls = [unary.future(message) for unary in unaries]
    while not all(call.done() for call in calls):
        assert server.answers()
    assert all(call.code() in (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE) for call in calls)
    assert SANITIZED or server.memory_mib("VmHWM") < 600


def test_memory_returns_to_where_it_was(server):
    unary = server.unary("Unary")

    def load():
        for _ in range(3000):
            unary(b"x" * 2000)
        list(server.stream("Stream")(iter([b"x" * 2000] * 1000)))
    load()
    before = server.memory_mib()
    load()
    load()
    assert SANITIZED or server.memory_mib() - before < 4


# ---- Clients that break ----

KILLED_CLIENT = """
import sys, time, grpc
channel = grpc.insecure_channel(sys.argv[1])
calls = [channel.unary_unary("/test.Echo/Slow").future(b"60000") for _ in range(50)]
streams = [channel.stream_stream("/test.Echo/SlowStream")(iter([b"0", b"60000"])) for _ in range(50)]
for stream in streams:
    next(stream)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_killed_client_frees_its_calls(server):
    with subprocess.Popen([sys.executable, "-c", KILLED_CLIENT, server.target], stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"ready\n"
        client.kill()
    assert server.answers()
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < 5


def test_half_open_connections_are_closed():
    with Server("--handshake-ms", 500) as server:
        silent = [RawConnection(server.port, preface=False) for _ in range(50)]
        half = [RawConnection(server.port, preface=False) for _ in range(50)]
        for raw in half:
            raw.socket.sendall(PREFACE[:10])
        assert server.answers()
        for raw in [*silent, *half]:
            raw.socket.settimeout(20)
            try:
                while raw.socket.recv(65536):
                    pass
            except ConnectionError:
                pass
            raw.socket.close()
        assert server.answers()


def test_garbage_on_the_port_leaves_others_served(server):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    source = random.Random(seed)
    for i in range(300):
        with socket.create_connection(("127.0.0.1", server.port)) as one:
            start = [b"", PREFACE, PREFACE + frame(SETTINGS, 0, 0), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"][i % 4]
            try:
                one.sendall(start + source.randbytes(source.randrange(3000)))
            except ConnectionError:
                pass
    assert server.answers()


def test_frames_out_of_order_leave_others_served(server):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    source = random.Random(seed)
    for _ in range(100):
        with server.raw() as raw:
            try:
                for _ in range(20):
                    kind = source.choice((DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, 8, 9, 200))
                    body = source.randbytes(source.choice((0, 4, 5, 8, 30)))
                    raw.send(frame(kind, source.randrange(256), source.randrange(6), body))
                    if source.random() < 0.3:
                        raw.open(2 * source.randrange(5) + 1, "/test.Echo/Slow", b"10", source.choice((0, END_STREAM)))
            except ConnectionError:
                pass
    assert server.answers()


def test_oversized_metadata_fails_its_own_connection_only(server):
    for size in (20_000, 1_000_000):
        error = error_of(server.unary("Unary"), b"", metadata=[("x-large", "x" * size)])
        assert error.code() in (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE)
    assert server.unary("Unary")(b"", metadata=[("x-large", "x" * 8000)]) == b""
    assert server.answers()


def test_calls_that_are_reset_at_once_free_everything(server):
    with server.raw() as raw:
        for i in range(2000):
            raw.open(2 * i + 1, "/test.Echo/Slow", b"60000", END_STREAM if i % 2 else 0)
            raw.send(frame(RST_STREAM, 0, 2 * i + 1, struct.pack(">I", 8)))
        raw.send(frame(PING, 0, 0, b"12345678"))
        while (found := raw.read_until(PING)) and not found[1] & ACK:
            pass
        assert found
    assert server.answers()
    assert server.stop()["total"] > 0
