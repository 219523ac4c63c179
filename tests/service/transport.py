"""Servers for the transport's tests, and a client that speaks raw HTTP/2 where a well-behaved library would not."""

import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
from functools import lru_cache
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

from builds import ECHO_SERVER, ROOT

UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@lru_cache
def message_class(name):
    """The class of a message of proto/."""
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder) / "set"
        include = Path(protoc.__file__).parent / "_proto"
        arguments = [f"-I{ROOT / 'proto'}", f"-I{include}", "--include_imports", f"--descriptor_set_out={descriptors}",
                     "google/rpc/status.proto", "google/rpc/error_details.proto", "headlight/v1/models.proto"]
        assert protoc.main(["protoc", *arguments]) == 0
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def error_details(error):
    """The google.rpc.Status of an RpcError, and its details in a list."""
    trailers = {entry.key: entry.value for entry in error.trailing_metadata()}
    status = message_class("google.rpc.Status").FromString(trailers["grpc-status-details-bin"])
    names = [detail.type_url.rsplit("/", 1)[1] for detail in status.details]
    return status, [message_class(name).FromString(any.value) for name, any in zip(names, status.details)]


class Server:
    """echo_server with its options; at exit it must have answered for every call and every byte."""

    def __init__(self, *options, addresses=("127.0.0.1:0",)):
        self.process = subprocess.Popen([str(ECHO_SERVER), *map(str, options), *addresses], text=True,
                                        errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ports = [int(self.process.stdout.readline().split()[1]) for _ in addresses]
        self.port = self.ports[0]
        self.target = f"127.0.0.1:{self.port}"
        self.channels = []

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for channel in self.channels:
            channel.close()
        if self.process.poll() is None:
            self.process.kill() if kind else self.stop()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def channel(self, target=None):
        """A connection of its own: gRPC shares those with equal options."""
        options = [*UNLIMITED, ("test.channel", len(self.channels)), ("grpc.use_local_subchannel_pool", 1)]
        self.channels.append(grpc.insecure_channel(target or self.target, options=options))
        return self.channels[-1]

    def unary(self, name, channel=None):
        return (channel or self.channel()).unary_unary(f"/test.Echo/{name}")

    def stream(self, name, channel=None):
        return (channel or self.channel()).stream_stream(f"/test.Echo/{name}")

    def raw(self):
        return RawConnection(self.port)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Drains; the counts of the server's last line, all of which but the total must be 0 unless expected."""
        self.terminate()
        return self.drained()

    def drained(self, cancelled=0):
        output, errors = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, (self.process.returncode, output, errors)
        words = output.split()
        counts = {name: int(number) for name, number in zip(words[1::2], words[2::2])}
        assert counts["live"] == 0 and counts["held"] == 0, counts
        assert cancelled is None or counts["cancelled"] == cancelled, counts
        return counts

    def memory_mib(self, key="VmRSS"):
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"{key}:\s+(\d+)", status).group(1)) // 1024

    def answers(self):
        """Whether another client is served, soon."""
        return self.unary("Unary")(b"still there?", timeout=20) == b"still there?"


@pytest.fixture(name="server")
def echo_server():
    with Server() as server:
        yield server


def error_of(call, *arguments, **options):
    """The RpcError of a call that must fail."""
    try:
        call(*arguments, **options)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


def frame(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def literal(name, value):
    """A header field as HPACK writes it without table and without Huffman."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def request_headers(path, **more):
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "test", "te": "trailers",
              "content-type": "application/grpc", **more}
    return b"".join(literal(name, value) for name, value in fields.items())


class RawConnection:
    """HTTP/2 by hand; acknowledges settings and pings only as far as `read` is called."""

    def __init__(self, port, settings=b"", preface=True):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.buffer = b""
        if preface:
            self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def open(self, stream, path, message=None, flags=0, **more):
        """Starts a call; with `message` its whole body follows."""
        self.send(frame(HEADERS, END_HEADERS, stream, request_headers(path, **more)))
        if message is not None:
            body = b"\0" + struct.pack(">I", len(message)) + message
            self.send(frame(DATA, flags, stream, body))

    def read(self, seconds=20):
        """The next frame as (kind, flags, stream, body); None at the end of the connection or of the time."""
        self.socket.settimeout(seconds)
        try:
            while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
                received = self.socket.recv(65536)
                if not received:
                    return None
                self.buffer += received
        except (TimeoutError, ConnectionError):
            return None
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags = self.buffer[3], self.buffer[4]
        stream = int.from_bytes(self.buffer[5:9], "big") & 0x7FFFFFFF
        body, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
        if kind in (SETTINGS, PING) and not flags & ACK:
            self.send(frame(kind, ACK, 0, body if kind == PING else b""))
        return kind, flags, stream, body

    def read_until(self, kind, seconds=20):
        end = time.monotonic() + seconds
        while True:
            found = self.read(max(0.01, end - time.monotonic()))
            if found is None or found[0] == kind:
                return found
