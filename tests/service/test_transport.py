"""The transport with clients that behave and that err: answers, errors, time, health, reflection (echo_server.c)."""

import random
import signal
import struct
import time

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from transport import (DATA, END_STREAM, HEADERS, RST_STREAM, RawConnection, Server, echo_server,
                       error_details, error_of, frame)

Code = grpc.StatusCode


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


# ---- Time ----

def test_a_deadline_ends_a_call_and_its_work(server):
    start = time.monotonic()
    assert error_of(server.unary("Slow"), b"60000", timeout=0.2).code() == Code.DEADLINE_EXCEEDED
    stream = server.stream("SlowStream")(iter([b"0", b"60000"]), timeout=0.5)
    assert next(stream) == b"0"
    assert error_of(next, stream).code() == Code.DEADLINE_EXCEEDED
    server.stop()  # would wait for work that goes on
    assert time.monotonic() - start < 30


def test_a_cancelled_call_frees_its_work(server):
    slow = server.unary("Slow")
    calls = [slow.future(b"60000") for _ in range(100)]
    streams = [server.stream("SlowStream")(iter([b"60000"])) for _ in range(10)]
    time.sleep(0.3)
    for call in [*calls, *streams]:
        assert call.cancel()
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < 30


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
    for symbol in ("headlight.v1.Inference.Embed", "headlight.v1.EmbedRequest.model",
                   "google.rpc.BadRequest.FieldViolation", "headlight.v1.LENGTH_POLICY_CHUNK",
                   "grpc.health.v1.HealthCheckResponse.ServingStatus"):
        assert database.FindFileContainingSymbol(symbol).name, symbol
    assert database.FindFileByName("google/protobuf/any.proto").package == "google.protobuf"
    for missing in ("headlight.v1.Nothing", "", "x" * 100000, "a\0b"):
        with pytest.raises(KeyError):
            database.FindFileContainingSymbol(missing)
