"""The transport under clients that behave, that err, and that attack: tests/service/echo_server.c with grpcio and sockets."""

import random
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from transport import (ACK, DATA, ECHO_SERVER, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
                       RawConnection, Server, error_details, error_of, frame, sanitized)

Code = grpc.StatusCode


@pytest.fixture(name="server")
def echo_server():
    with Server() as server:
        yield server


# ---- Calls that go well ----

def test_a_unary_call_is_answered(server):
    unary = server.unary("Unary")
    sizes = [0, 1, 5, 1000, 16384, 65536, 1 << 20, (4 << 20) - 1, 4 << 20]
    for size in sizes:
        message = random.Random(size).randbytes(size)
        assert unary(message) == message


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_request_is_inflated(server, compression):
    unary = server.unary("Unary")
    for message in (b"", b"a" * 100, b"text " * 100000, random.Random(1).randbytes(300000)):
        assert unary(message, compression=compression) == message


def test_a_stream_is_answered_in_order(server):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    source = random.Random(seed)
    messages = [b"%d" % source.randrange(20) + b" %d" % i for i in range(300)]
    assert list(server.stream("SlowStream")(iter(messages))) == messages
    assert not list(server.stream("Stream")(iter([])))


def test_a_reply_may_be_larger_than_a_request(server):
    message = struct.pack("<Q", 40000) + b"x" * 992
    assert len(server.unary("Big")(message)) == 40_000_000
    error = error_of(server.unary("Big"), struct.pack("<Q", 80000) + b"x" * 992)
    assert error.code() == Code.RESOURCE_EXHAUSTED and "80000000" in error.details() and "67108864" in error.details()


# ---- Requests that are wrong ----

def test_an_unknown_method_is_unimplemented(server):
    for path in ("/test.Echo/Nothing", "/", "/\u00e4", "/a" * 3000):
        error = error_of(server.channel().unary_unary(path), b"")
        assert error.code() == Code.UNIMPLEMENTED, path
    assert "/test.Echo/Nothing" in error_of(server.unary("Nothing"), b"").details()


def test_bad_bytes_are_an_invalid_argument(server):
    check = server.channel().unary_unary("/grpc.health.v1.Health/Check")
    for message in (b"\xff", b"\x0a\x7fshort", b"\x0b\x0b\x0b" * 1000, b"\x08\x01"):
        error = error_of(check, message)
        assert error.code() == Code.INVALID_ARGUMENT and "HealthCheckRequest" in error.details(), message


def test_a_message_beyond_the_limit_is_refused_with_both_sizes(server):
    error = error_of(server.unary("Unary"), b"x" * ((4 << 20) + 1))
    assert error.code() == Code.RESOURCE_EXHAUSTED
    assert str((4 << 20) + 1) in error.details() and str(4 << 20) in error.details()
    assert server.answers()


def test_an_error_carries_details_that_programs_read(server):
    error = error_of(server.unary("Fail"), b"")
    assert error.code() == Code.RESOURCE_EXHAUSTED and error.details() == "refused for the test: ä ?"
    status, (retry, bad) = error_details(error)
    assert status.code == Code.RESOURCE_EXHAUSTED.value[0] and status.message == error.details()
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (1, 500_000_000)
    assert bad.field_violations[0].field == "inputs[3].text"


def test_a_failed_message_ends_its_stream_after_the_earlier_answers(server):
    answers = server.stream("SlowStream")(iter([b"300", b"100", b"fail", b"0", b"0"]))
    assert [next(answers), next(answers)] == [b"300", b"100"]
    assert error_of(next, answers).code() == Code.RESOURCE_EXHAUSTED


def test_a_call_without_a_message_is_an_invalid_argument(server):
    with server.raw() as raw:
        raw.open(1, "/test.Echo/Unary")
        raw.send(frame(DATA, END_STREAM, 1))
        assert b"no request message" in raw.read_until(HEADERS)[3]


# ---- Compression as a weapon ----

def test_a_gzip_bomb_is_refused_in_bounded_memory(server):
    before = server.memory_mib("VmHWM")
    unary = server.unary("Unary")
    for _ in range(3):
        error = error_of(unary, bytes(200 << 20), compression=grpc.Compression.Gzip)
        assert error.code() == Code.RESOURCE_EXHAUSTED and str(4 << 20) in error.details()
    assert sanitized() or server.memory_mib("VmHWM") - before < 32


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


# ---- Time ----

def test_a_deadline_ends_a_call_and_its_work(server):
    start = time.monotonic()
    assert error_of(server.unary("Slow"), b"60000", timeout=0.2).code() == Code.DEADLINE_EXCEEDED
    stream = server.stream("SlowStream")(iter([b"0", b"60000"]), timeout=0.5)
    assert next(stream) == b"0"
    assert error_of(next, stream).code() == Code.DEADLINE_EXCEEDED
    server.stop()  # would wait for work that goes on
    assert time.monotonic() - start < 10


def test_a_cancelled_call_frees_its_work(server):
    slow = server.unary("Slow")
    calls = [slow.future(b"60000") for _ in range(100)]
    streams = [server.stream("SlowStream")(iter([b"60000"])) for _ in range(10)]
    time.sleep(0.3)
    for call in [*calls, *streams]:
        assert call.cancel()
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < 5


def test_a_body_that_does_not_come_ends_its_call():
    with Server("--body-ms", 300) as server, server.raw() as raw:
        raw.open(1, "/test.Echo/Unary")
        raw.send(frame(DATA, 0, 1, b"\0\0\0\0\x0ahal"))
        kind, flags, _, body = raw.read_until(HEADERS)
        assert kind == HEADERS and flags & END_STREAM and b"did not arrive within 300 ms" in body
        assert server.answers()


def test_an_answer_that_is_not_taken_ends_its_call():
    window = struct.pack(">HI", 4, 0)  # SETTINGS_INITIAL_WINDOW_SIZE: not one byte may be sent
    with Server("--reply-ms", 300) as server, RawConnection(server.port, settings=window) as raw:
        raw.open(1, "/test.Echo/Unary", b"x" * 1000, END_STREAM)
        assert raw.read_until(RST_STREAM) is not None
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
    assert sanitized() or server.memory_mib() - before < 32
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
        waiting = [server.unary("Slow", channel).future(b"1500") for _ in range(10)]
        time.sleep(0.3)
        error = error_of(server.unary("Unary", channel), b"")
        assert error.code() == Code.RESOURCE_EXHAUSTED and "its limit" in error.details()
        assert error_details(error)[1][0].retry_delay.nanos > 0
        health = health_pb2_grpc.HealthStub(channel)  # a probe must not kill a busy server
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert all(call.result() == b"1500" for call in waiting) and server.answers()


def test_the_bytes_of_waiting_requests_are_bounded():
    with Server("--held-bytes", 8 << 20) as server:
        message = b"1000".ljust(1 << 20)
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
    assert sanitized() or server.memory_mib("VmHWM") < 600


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


# ---- Health and reflection ----

def test_health_follows_the_server(server):
    stub = health_pb2_grpc.HealthStub(server.channel())
    status = health_pb2.HealthCheckResponse
    request = health_pb2.HealthCheckRequest
    watches = {name: stub.Watch(request(service=name)) for name in ("", "test.Echo", "no.Such")}
    expected = {"": status.NOT_SERVING, "test.Echo": status.NOT_SERVING, "no.Such": status.SERVICE_UNKNOWN}
    assert {name: next(watch).status for name, watch in watches.items()} == expected
    for now in (status.SERVING, status.NOT_SERVING, status.SERVING):
        server.process.send_signal(signal.SIGUSR1)
        assert next(watches[""]).status == now and next(watches["test.Echo"]).status == now
        assert stub.Check(request(service="test.Echo")).status == now
    assert error_of(stub.Check, request(service="no.Such")).code() == Code.NOT_FOUND
    gone = stub.Watch(request())
    next(gone)
    gone.cancel()
    server.terminate()
    assert next(watches[""]).status == status.NOT_SERVING
    for watch in watches.values():
        assert error_of(lambda watch=watch: list(watch)).code() == Code.UNAVAILABLE
    server.drained()


def test_a_watch_that_is_not_read_does_not_hold_up_the_end(server):
    with RawConnection(server.port, settings=struct.pack(">HI", 4, 0)) as raw:
        raw.open(1, "/grpc.health.v1.Health/Watch", b"", END_STREAM)
        assert server.answers()
        for _ in range(10):
            server.process.send_signal(signal.SIGUSR1)
            time.sleep(0.02)
        raw.socket.close()
        server.stop()


def test_reflection_is_read_by_python(server):
    database = ProtoReflectionDescriptorDatabase(server.channel())
    assert set(database.get_services()) == {"test.Echo", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                            "grpc.reflection.v1alpha.ServerReflection"}
    pool = descriptor_pool.DescriptorPool(database)
    inference = pool.FindServiceByName("headlight.v1.Inference")
    assert inference.methods_by_name["Embed"].input_type.fields_by_name["inputs"].message_type.name == "Text"
    for symbol in ("headlight.v1.Inference.Embed", "headlight.v1.EmbedRequest.model", "google.rpc.BadRequest.FieldViolation",
                   "headlight.v1.LENGTH_POLICY_CHUNK", "grpc.health.v1.HealthCheckResponse.ServingStatus"):
        assert database.FindFileContainingSymbol(symbol).name, symbol
    assert database.FindFileByName("google/protobuf/any.proto").package == "google.protobuf"
    for missing in ("headlight.v1.Nothing", "", "x" * 100000, "a\0b"):
        with pytest.raises(KeyError):
            database.FindFileContainingSymbol(missing)


# ---- The end ----

def drain_under_load(stops_at_a_refusal):
    """What the server counted, and how the calls of 32 clients ended."""
    ended = Counter()
    stop = threading.Event()
    with Server("--drain-ms", 30000) as server:
        def load():
            call = server.unary("Slow")
            while not stop.is_set():
                try:
                    call(b"%d" % random.randrange(30), timeout=20)
                    ended[Code.OK] += 1
                except grpc.RpcError as error:
                    ended[error.code()] += 1
                    if stops_at_a_refusal or "shutting down" not in error.details():
                        return
        with ThreadPoolExecutor(32) as pool:
            for _ in range(32):
                pool.submit(load)
            time.sleep(1)
            server.terminate()
            counts = server.drained()
            stop.set()
    return counts, ended


def test_a_drain_under_load_loses_no_accepted_call():
    counts, ended = drain_under_load(stops_at_a_refusal=True)
    assert set(ended) <= {Code.OK, Code.UNAVAILABLE}
    assert counts["total"] - counts["rejected"] == ended[Code.OK] > 100


def test_clients_that_do_not_stop_calling_lose_no_accepted_call_either():
    counts, ended = drain_under_load(stops_at_a_refusal=False)
    assert set(ended) <= {Code.OK, Code.UNAVAILABLE, Code.CANCELLED}  # the last ones crossed the server's GOAWAY
    assert counts["total"] - counts["rejected"] == ended[Code.OK] > 100


def test_a_stream_in_work_ends_well_and_an_idle_one_is_ended():
    with Server("--drain-ms", 30000) as server:
        busy = server.stream("SlowStream")(iter([b"200"] * 20))
        never = threading.Event()

        def idle_requests():
            yield b"0"
            never.wait()
        idle = server.stream("SlowStream")(idle_requests())
        assert next(busy) == b"200" and next(idle) == b"0"
        server.terminate()
        assert list(busy) == [b"200"] * 19
        assert error_of(next, idle).code() == Code.UNAVAILABLE
        never.set()
        server.drained()


def test_what_outlasts_the_drain_is_cancelled():
    with Server("--drain-ms", 300) as server:
        call = server.unary("Slow").future(b"60000")
        time.sleep(0.3)
        server.terminate()
        start = time.monotonic()
        server.drained(cancelled=1)
        assert time.monotonic() - start < 5 and call.code() in (Code.CANCELLED, Code.UNAVAILABLE)


def test_a_second_signal_ends_at_once(server):
    call = server.unary("Slow").future(b"60000")
    time.sleep(0.3)
    server.terminate()
    time.sleep(0.2)
    assert server.process.poll() is None
    server.terminate()
    assert server.process.wait(timeout=2) == 130 and call.code() == Code.UNAVAILABLE


# ---- Addresses ----

def refused(*addresses):
    run = subprocess.run([str(ECHO_SERVER), *addresses], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    return run.stderr.strip().split("\n")[-1]


def test_an_address_that_cannot_be_had_says_why(server):
    assert "in use" in refused(server.target) and server.target in refused(server.target)
    assert "Cannot assign requested address" in refused("192.0.2.1:5000")
    for wrong in ("localhost", "127.0.0.1:99999", "::1:5000", ":5000", "unix:", "127.0.0.1:5o"):
        assert "invalid argument" in refused(wrong), wrong
    assert "127.0.0.1:0x" in refused("127.0.0.1:0", "127.0.0.1:0x")


def test_a_unix_socket_is_not_stolen(tmp_path):
    path = tmp_path / "server.sock"
    address = f"unix:{path}"
    with Server(addresses=("127.0.0.1:0", address)) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        unary = server.unary("Unary", server.channel(address))
        assert unary(b"hello") == b"hello"
        assert "another server" in refused(address)
        assert unary(b"hello") == b"hello" and server.answers()
        server.stop()
    assert not list(tmp_path.iterdir())


def test_a_socket_that_a_dead_server_left_is_replaced(tmp_path):
    path = tmp_path / "server.sock"
    with Server(addresses=(f"unix:{path}",)) as dead:
        dead.process.kill()
        dead.process.wait()
    assert path.exists()
    with Server(addresses=(f"unix:{path}",)) as server:
        assert server.unary("Unary", server.channel(f"unix:{path}"))(b"x") == b"x"
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(path))
        stranger.listen()
        assert "another server" in refused(f"unix:{path}")
    path.unlink()
    path.write_text("precious", encoding="ascii")
    assert "no socket" in refused(f"unix:{path}") and path.read_text(encoding="ascii") == "precious"


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
    assert sanitized() or server.memory_mib() - before < 4
