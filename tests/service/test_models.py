"""Several models in one process: routed by name, loaded and unloaded while they serve."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time

import grpc
import pytest
from conftest import PROGRAM, SMALL_MODEL
from grpc_health.v1 import health_pb2, health_pb2_grpc

WAIT_SECONDS = 60
SANITIZED = any(name in os.environ.get("HEADLIGHT_BUILD", "") for name in ("asan", "tsan"))


def wait_until(condition, server=None):
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, server and server.log
        time.sleep(0.02)


def embed(stub, pb, model="", text="a cat", **options):
    return stub.Embed(pb.EmbedRequest(model=model, inputs=[pb.Text(text=text)]), **options)


def values(stub, pb, model="", text="a cat"):
    return list(embed(stub, pb, model, text).embeddings[0].values)


def code(call):
    with pytest.raises(grpc.RpcError) as failure:
        call()
    return failure.value.code()


def models(stub, pb):
    return {model.name: model for model in stub.ListModels(pb.ListModelsRequest()).models}


def weaken(model):
    """The same checkpoint with other weights, put in place as a good citizen does: by rename."""
    weights = bytearray((model / "model.safetensors").read_bytes())
    begin = 8 + int.from_bytes(weights[:8], "little")
    for i in range(begin + 2, len(weights), 4):
        weights[i] ^= 0x40  # the upper mantissa of a little-endian float: another number of the same size
    (model / "new").write_bytes(weights)
    (model / "new").rename(model / "model.safetensors")


@pytest.fixture
def folder(tmp_path, small_model):
    """A folder of two models."""
    (tmp_path / "models").mkdir()
    for name in ("one", "two"):
        shutil.copytree(small_model, tmp_path / "models" / name)
    weaken(tmp_path / "models" / "two")
    return tmp_path / "models"


def test_models_are_found_by_their_names(start_server, make_stub, pb, folder):
    flags = ("--model", f"second={folder}/two")
    with start_server(*flags, model=f"first={folder}/one") as server, server.channel() as channel:
        stub = make_stub(channel)
        first, second = values(stub, pb, "first"), values(stub, pb, "second")
        assert first != second and values(stub, pb) == first
        assert embed(stub, pb, "second").model == "second" and embed(stub, pb).model == "first"
        assert [name for name in models(stub, pb)] == ["first", "second"]
        with pytest.raises(grpc.RpcError) as failure:
            embed(stub, pb, "third")
        assert failure.value.code() == grpc.StatusCode.NOT_FOUND
        assert "'first', 'second'" in failure.value.details()
        assert stub.Tokenize(pb.TokenizeRequest(model="second", inputs=[pb.Text(text="a cat")])).tokenizations


def test_two_models_of_one_name_are_refused(folder):
    done = subprocess.run([PROGRAM, "--model", f"{folder}/one", "--model", f"one={folder}/two", "--listen",
                           "127.0.0.1:0"], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.returncode == 1 and "two models are called 'one'" in done.stderr


def test_one_broken_model_of_several_ends_the_start(folder):
    (folder / "two" / "tokenizer.json").write_text("{")
    done = subprocess.run([PROGRAM, "--model", f"{folder}/one", "--model", f"{folder}/two", "--listen",
                           "127.0.0.1:0"], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.returncode == 1 and "two/tokenizer.json" in done.stderr


def start_folder(start_server, folder, *flags, **options):
    return start_server("--models-directory", str(folder), *flags, model=False, **options)


def test_a_folder_is_followed(start_server, make_stub, pb, folder):
    shutil.copytree(folder / "one", folder.parent / "three")
    with start_folder(start_server, folder) as server, server.channel() as channel:
        stub = make_stub(channel)
        assert set(models(stub, pb)) == {"one", "two"}
        assert code(lambda: embed(stub, pb)) == grpc.StatusCode.NOT_FOUND  # there are two
        first = values(stub, pb, "one")
        (folder.parent / "three").rename(folder / "three")
        wait_until(lambda: "three" in models(stub, pb) and models(stub, pb)["three"].ready, server)
        assert values(stub, pb, "three") == first
        weaken(folder / "three")
        wait_until(lambda: values(stub, pb, "three") != first, server)
        shutil.rmtree(folder / "three")
        shutil.rmtree(folder / "two")
        wait_until(lambda: set(models(stub, pb)) == {"one"}, server)
        assert values(stub, pb) == first  # the only one


def test_a_folder_may_be_empty_at_first(start_server, make_stub, pb, folder):
    target = folder.parent / "empty"
    target.mkdir()
    with start_folder(start_server, target, wait=False) as server, server.channel() as channel:
        server.wait_for(" listening ")
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        assert health.Check(request).status == health_pb2.HealthCheckResponse.NOT_SERVING
        (folder / "one").rename(target / "one")
        server.wait_for(" ready ")
        assert health.Check(request).status == health_pb2.HealthCheckResponse.SERVING
        assert len(values(make_stub(channel), pb)) == 32


def test_sighup_loads_what_changed(start_server, make_stub, pb, folder):
    with start_server("--model", f"{folder}/two", model=f"{folder}/one") as server, server.channel() as channel:
        stub = make_stub(channel)
        first, second = values(stub, pb, "one"), values(stub, pb, "two")
        loads = server.log.count(" model_loaded ")
        weaken(folder / "one")
        time.sleep(2.5)
        assert values(stub, pb, "one") == first  # nobody asked
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: values(stub, pb, "one") != first, server)
        assert values(stub, pb, "two") == second
        assert server.log.count(" model_loaded ") == loads + 1


def test_a_broken_reload_keeps_the_old_model(start_server, make_stub, pb, folder):
    with start_server(model=f"{folder}/one") as server, server.channel() as channel:
        stub = make_stub(channel)
        first = values(stub, pb)
        good = (folder / "one" / "tokenizer.json").read_bytes()
        (folder / "one" / "tokenizer.json").write_text("{")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(" model_failed ")
        assert values(stub, pb) == first
        info = models(stub, pb)["one"]
        assert info.ready and "one/tokenizer.json" in info.failure and str(folder) not in info.failure
        weaken(folder / "one")
        (folder / "one" / "tokenizer.json").write_bytes(good)  # is noticed without another signal
        wait_until(lambda: values(stub, pb) != first, server)
        assert models(stub, pb)["one"].failure == ""


def test_reloads_under_load_fail_no_call(start_server, make_stub, pb, folder):
    """Whatever is under way ends on the weights that it began with: each answer is one of the two."""
    with start_server(model=f"{folder}/one") as server, server.channel() as channel:
        stub = make_stub(channel)
        texts = ["a cat in it", "a dog", "the cat is in the document"]
        request = pb.EmbedRequest(inputs=[pb.Text(text=text) for text in texts * 10])
        known = set()
        stop = threading.Event()
        seen, failures = [], []

        def work():
            with server.channel() as own:
                while not stop.is_set():
                    try:
                        reply = make_stub(own).Embed(request, timeout=WAIT_SECONDS)
                        seen.append(tuple(tuple(one.values) for one in reply.embeddings[:3]))
                    except grpc.RpcError as error:
                        failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            known.add(tuple(tuple(one.values) for one in stub.Embed(request).embeddings[:3]))
            loads = server.log.count(" model_loaded ")
            weaken(folder / "one")
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: server.log.count(" model_loaded ") > loads, server)
        wait_until(lambda: tuple(tuple(one.values) for one in stub.Embed(request).embeddings[:3]) in known)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]
        assert len(known) == 2 and set(seen) == known and len(seen) > 20


def test_memory_is_told_and_given_back(start_server, make_stub, pb, real_model, tmp_path):
    (tmp_path / "models").mkdir()
    for name in ("one", "two"):
        (tmp_path / "models" / name).symlink_to(real_model)
    with start_folder(start_server, tmp_path / "models", "--workers", "1") as server, server.channel() as channel:
        stub = make_stub(channel)
        embed(stub, pb, "two")
        memory = models(stub, pb)["two"].memory_bytes
        assert 60 << 20 < memory < 200 << 20
        before = server.resident_bytes()
        (tmp_path / "models" / "two").unlink()
        wait_until(lambda: set(models(stub, pb)) == {"one"}, server)
        wait_until(lambda: SANITIZED or before - server.resident_bytes() > 40 << 20, server)


def test_fifty_reloads_leak_nothing(start_server, make_stub, pb, folder):
    def reload(count):
        for _ in range(count):
            loads = server.log.count(" model_loaded ")
            weaken(folder / "one")
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: server.log.count(" model_loaded ") > loads, server)
            embed(stub, pb)

    with start_server(model=f"{folder}/one") as server, server.channel() as channel:
        stub = make_stub(channel)
        reload(10)
        before = server.resident_bytes()
        files = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        reload(50)
        assert SANITIZED or server.resident_bytes() - before < 4 << 20
        assert len(os.listdir(f"/proc/{server.process.pid}/fd")) == files


def test_models_share_the_workers(start_server, make_stub, pb, folder):
    """Two models under load from two clients: both get their answers."""
    with start_folder(start_server, folder, "--workers", "1") as server, contextlib.ExitStack() as stack:
        stubs = [make_stub(stack.enter_context(server.channel())) for _ in range(2)]
        calls = []
        for _ in range(100):
            for stub, model in zip(stubs, ("one", "two")):
                calls.append(stub.Embed.future(pb.EmbedRequest(model=model, inputs=[pb.Text(text="a cat")] * 20)))
        answers = {call.result().model + str(list(call.result().embeddings[0].values)) for call in calls}
        assert len(answers) == 2
