"""How the transport begins and ends: addresses it cannot have, unix sockets, draining, signals (echo_server.c)."""

import random
import socket
import stat
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from builds import ECHO_SERVER
from transport import Server, echo_server, error_of

Code = grpc.StatusCode


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


@pytest.mark.parametrize("stops_at_a_refusal", (True, False))
def test_a_drain_under_load_loses_no_accepted_call(stops_at_a_refusal):
    counts, ended = drain_under_load(stops_at_a_refusal)
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


def accepted(server):
    """A call that the server has, and would take a minute for."""
    call = server.stream("SlowStream")(iter([b"0", b"60000"]))
    assert next(call) == b"0"
    time.sleep(0.2)  # for the second message
    return call


def test_what_outlasts_the_drain_is_cancelled():
    with Server("--drain-ms", 300) as server:
        call = accepted(server)
        server.terminate()
        start = time.monotonic()
        server.drained(cancelled=1)
        assert time.monotonic() - start < 30 and error_of(next, call).code() in (Code.CANCELLED, Code.UNAVAILABLE)


def test_a_second_signal_ends_at_once(server):
    call = accepted(server)
    server.terminate()
    time.sleep(0.2)
    assert server.process.poll() is None
    server.terminate()
    assert server.process.wait(timeout=20) == 130 and error_of(next, call).code() == Code.UNAVAILABLE


# ---- Addresses ----

def refused(*addresses):
    run = subprocess.run([str(ECHO_SERVER), *addresses], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    return run.stderr.strip().split("\n")[-1]


def test_an_address_that_cannot_be_had_says_why(server):
    assert "in use" in refused(server.target) and server.target in refused(server.target)
    assert "Cannot assign requested address" in refused("192.0.2.1:5000")
    for wrong in ("localhost", "127.0.0.1:99999", "::1:5000", ":5000", "unix:", "127.0.0.1:5o"):
        assert "INVALID_ARGUMENT" in refused(wrong), wrong
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
