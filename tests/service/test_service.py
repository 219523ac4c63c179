"""headlightd as a process: starting, failing to start, draining, ending at once."""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import grpc
import pytest
from builds import PROGRAM, SANITIZED
from conftest import SMALL_MODEL
from grpc_health.v1 import health_pb2, health_pb2_grpc


def run(*arguments, environment=None):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60,
                          env=os.environ | (environment or {}))


def embed(stub, pb, text, **options):
    return stub.Embed(pb.EmbedRequest(inputs=[pb.Text(text=text)]), **options)


def test_help_and_version_go_to_standard_output():
    done = run("--help")
    assert done.returncode == 0 and "--max-batch-tokens" in done.stdout and done.stderr == ""
    done = run("--version")
    assert done.returncode == 0 and done.stdout.startswith("headlightd 0.")


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_that_cannot_be_written_is_a_failure(flag):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, flag], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1 and b"cannot write the output" in done.stderr


def test_wrong_flags_are_usage_errors():
    done = run("--modle", "x")
    assert done.returncode == 2 and "did you mean --model?" in done.stderr
    done = run("--workers", "100000")
    assert done.returncode == 2 and "0 to 1024" in done.stderr
    done = run(environment={"HEADLIGHT_WORKERS": "many"})
    assert done.returncode == 2 and "HEADLIGHT_WORKERS is 'many'" in done.stderr


def test_a_missing_model_says_how_to_get_one(tmp_path):
    done = run("--model", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "headlight pull" in done.stderr and str(tmp_path / "none") in done.stderr


@pytest.mark.parametrize("files", [9, 63])
def test_too_few_open_files_are_an_error(tmp_path, files):
    done = subprocess.run([PROGRAM, "--model", SMALL_MODEL, "--listen", f"unix:{tmp_path}/socket"], timeout=60,
                          capture_output=True, text=True, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
    assert done.returncode == 1 and "too few open files" in done.stderr and "ulimit -n" in done.stderr


def test_a_listener_that_is_lost_ends_the_process_for_a_restart(start_server, make_stub, pb):
    """gRPC 1.51 never listens again after it once ran out of open files."""
    with contextlib.ExitStack() as stack, start_server(exit_code=1) as server, server.channel() as channel:
        stub = make_stub(channel)
        embed(stub, pb, "a")
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (64, 64))
        for _ in range(64):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(server.socket))
        server.wait_for(" listener_lost ")
        stack.pop_all().close()  # or the drain waits for their handshakes' timeout
        assert server.process.wait(60) == 1
        assert server.log.count(" listener_lost ") == 1 and "restart the process" in server.log


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_damaged_model_ends_the_start_with_its_name(tmp_path, file):
    model = tmp_path / "model"
    shutil.copytree(SMALL_MODEL, model)
    data = (model / file).read_bytes()
    (model / file).write_bytes(data[: len(data) // 2])
    done = run("--model", str(model), "--listen", f"unix:{tmp_path}/socket")
    assert done.returncode == 1
    assert file in done.stderr


def test_a_model_and_a_tokenizer_that_do_not_belong_together_are_refused(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(SMALL_MODEL, model)
    text = (model / "tokenizer.json").read_text().replace('"##z": ', '"##z": 9')
    (model / "tokenizer.json").write_text(text)
    done = run("--model", str(model), "--listen", f"unix:{tmp_path}/socket")
    assert done.returncode == 1 and "do not belong together" in done.stderr


def test_an_address_in_use_is_an_error_that_names_it():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        done = run("--model", str(SMALL_MODEL), "--listen", address)
        assert done.returncode == 1 and f"{address}: cannot listen: Address already in use" in done.stderr
        assert done.stderr.count("\n") == 1  # gRPC's own words are for debugging


def test_the_model_is_called_by_its_flag_its_name_or_its_directory(start_server, make_stub, pb):
    flags = ("--served-model-name", "sentences")
    for arguments, model, name in (((), SMALL_MODEL, "queries"), ((), f"ours={SMALL_MODEL}", "ours"),
                                   (flags, f"ours={SMALL_MODEL}", "sentences"), ((), f"{SMALL_MODEL}/", "queries")):
        with start_server(*arguments, model=model) as server, server.channel() as channel:
            (info,) = make_stub(channel).ListModels(pb.ListModelsRequest()).models
            assert info.name == name


def test_a_name_that_is_not_utf8_is_refused():
    """A reply that names the model so would be one that no client can read."""
    done = subprocess.run([PROGRAM, "--model", SMALL_MODEL, "--served-model-name", b"\xff", "--listen", "127.0.0.1:0"],
                          capture_output=True, timeout=30, check=False)
    assert done.returncode == 1 and b"--served-model-name" in done.stderr and b"UTF-8" in done.stderr


def test_health_serves_once_the_model_does(start_server, make_stub, pb):
    with start_server(wait=False) as server, server.channel() as channel:
        health = health_pb2_grpc.HealthStub(channel)
        seen = []
        request = health_pb2.HealthCheckRequest(service="headlight.v1.Inference")
        for answer in health.Watch(request, wait_for_ready=True):
            seen.append(answer.status)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
        assert seen[:-1] in ([], [health_pb2.HealthCheckResponse.NOT_SERVING])
        assert len(embed(make_stub(channel), pb, "a").embeddings) == 1


def test_calls_while_the_model_loads_are_told_to_come_back(start_server, make_stub, pb, details, real_model):
    with start_server(model=real_model, wait=False) as server, server.channel() as channel:
        server.wait_for(" listening ")
        stub = make_stub(channel)
        refused = 0
        for _ in range(10_000):
            try:
                embed(stub, pb, "a", wait_for_ready=True)
                break
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE and "loaded" in error.details()
                assert details(error)[1] > 0
                refused += 1
        assert refused > 0
        assert " ready " in server.log


def wait_until_accepted(stub, pb):
    """Until the server has the calls begun before on the same connection, which it takes in order."""
    stub.ListModels(pb.ListModelsRequest(), timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_answers_every_accepted_call(start_server, make_stub, pb, real_model, number):
    with start_server("--workers", "1", model=real_model) as server, server.channel() as channel:
        stub = make_stub(channel)
        text = "the cat is in the document " * (8 if SANITIZED else 30)
        calls = [stub.Embed.future(pb.EmbedRequest(inputs=[pb.Text(text=text)] * 4)) for _ in range(8)]
        wait_until_accepted(stub, pb)
        waiting = sum(not call.done() for call in calls)
        assert server.stop(number) == 0
        for call in calls:
            assert len(call.result().embeddings) == 4
        assert waiting > 0 and "every accepted call was answered" in server.log


def test_a_second_signal_ends_at_once(start_server, make_stub, pb, real_model):
    with start_server("--workers", "1", model=real_model, exit_code=-signal.SIGINT) as server:
        with server.channel() as channel:
            text = "the cat is in the document " * 30
            stub = make_stub(channel)
            call = stub.Embed.future(pb.EmbedRequest(inputs=[pb.Text(text=text)] * 500))
            wait_until_accepted(stub, pb)
            server.process.send_signal(signal.SIGTERM)
            server.wait_for(" draining ")
            assert server.stop(signal.SIGINT) == -signal.SIGINT
            assert call.exception().code() == grpc.StatusCode.UNAVAILABLE


def test_the_drain_timeout_cancels_what_is_left(start_server, make_stub, pb, real_model):
    with start_server("--workers", "1", "--drain-timeout", "0", model=real_model) as server:
        with server.channel() as channel:
            text = "the cat is in the document " * 30
            stub = make_stub(channel)
            call = stub.Embed.future(pb.EmbedRequest(inputs=[pb.Text(text=text)] * 200))
            wait_until_accepted(stub, pb)
            started = time.monotonic()
            assert server.stop() == 0
            assert SANITIZED or time.monotonic() - started < 10
            assert call.exception().code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def test_a_signal_while_loading_ends_well(start_server, real_model):
    for delay in (0.0, 0.01, 0.03, 0.06, 0.1):
        with start_server(model=real_model, wait=False) as server:
            server.wait_for(" listening ")
            time.sleep(delay)
            assert server.stop() == 0


def test_a_signal_while_the_weights_are_hashed_ends_soon(tmp_path, start_server):
    """Hashing has the lowest priority: on a busy machine it would outlast the drain."""
    model = tmp_path / "model"
    shutil.copytree(SMALL_MODEL, model)
    weights = (model / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(weights[:8], "little")
    header, size = json.loads(weights[8:begin]), len(weights) - begin
    header["unused"] = {"dtype": "U8", "shape": [16 << 30], "data_offsets": [size, size + (16 << 30)]}
    text = json.dumps(header).encode()
    with open(model / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + weights[begin:])
        file.truncate(8 + len(text) + size + (16 << 30))  # a hole: it takes no room
    with start_server(model=model) as server:
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 5 and "weights_hashed" not in server.log


def test_the_resident_set_stays_flat(server, make_stub, pb):
    def work(seconds):
        until = time.monotonic() + seconds
        with server.channel() as channel:
            stub = make_stub(channel)
            while time.monotonic() < until:
                calls = [stub.Embed.future(pb.EmbedRequest(inputs=[pb.Text(text="a cat")] * 50,
                                                           return_token_embeddings=True)) for _ in range(8)]
                for call in calls:
                    call.result()

    work(1)
    before = server.resident_bytes()
    threads = [threading.Thread(target=work, args=(3,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SANITIZED or server.resident_bytes() - before < 16 << 20


def test_closed_standard_streams_do_no_harm(tmp_path, make_stub, pb):
    """Without care, a socket or an epoll descriptor takes the place of standard error, and the log goes into it."""
    address = f"unix:{tmp_path / 'socket'}"
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", PROGRAM, "--model", SMALL_MODEL, "--listen", address]
    process = subprocess.Popen(command)
    try:
        with grpc.insecure_channel(address) as channel:
            reply = make_stub(channel).Embed(pb.EmbedRequest(inputs=[pb.Text(text="a")]), timeout=30,
                                             wait_for_ready=True)
        assert len(reply.embeddings) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(SANITIZED, reason="sanitizers reserve terabytes of addresses")
def test_a_start_that_memory_does_not_allow_ends(tmp_path):
    """gRPC waits for ever for threads that could not be made; our process must end all the same."""
    for mib in range(50, 250, 10):
        with open(tmp_path / "log", "wb") as log:
            process = subprocess.Popen(
                [PROGRAM, "--model", SMALL_MODEL, "--listen", f"unix:{tmp_path / 'socket'}"], stderr=log,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20)))
        try:
            deadline = time.monotonic() + 30
            while process.poll() is None and b" ready " not in (tmp_path / "log").read_bytes():
                assert time.monotonic() < deadline, f"{mib} MiB: neither serves nor ends"
                time.sleep(0.01)
            process.terminate()
            assert process.wait(30) in (0, 1, 127), mib  # 127: the loader found no room for a library
        finally:
            process.kill()
            process.wait()


def test_a_log_that_nobody_reads_does_not_stop_the_server(tmp_path, make_stub, pb):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    address = f"unix:{tmp_path / 'socket'}"
    process = subprocess.Popen([PROGRAM, "--model", SMALL_MODEL, "--listen", address], stderr=writer)
    try:
        with grpc.insecure_channel(address) as channel:
            make_stub(channel).Embed(pb.EmbedRequest(inputs=[pb.Text(text="a")]), timeout=30, wait_for_ready=True)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)
