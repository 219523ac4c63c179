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
from builds import PROGRAM, SANITIZED
from grpc_health.v1 import health_pb2, health_pb2_grpc

WAIT_SECONDS = 60


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
        server.wait_for(" no_models ")
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        assert health.Check(request).status == health_pb2.HealthCheckResponse.NOT_SERVING
        (folder / "one").rename(target / "one")
        server.wait_for(" ready ")
        assert health.Check(request).status == health_pb2.HealthCheckResponse.SERVING
        assert len(values(make_stub(channel), pb)) == 32


@pytest.mark.parametrize("path, words", [("one/config.json", "Not a directory"), ("none", "No such file")])
def test_a_folder_that_cannot_be_listed_ends_the_start(start_server, folder, path, words):
    with start_folder(start_server, folder / path, wait=False, exit_code=1) as server:
        server.process.wait(60)
        assert f"--models-directory '{folder / path}': {words}" in server.log


def test_a_copy_that_is_not_complete_is_waited_for(start_server, make_stub, pb, folder):
    """Slower than the server looks: it may try in vain, but neither ends nor gives up."""
    source = folder.parent / "source"
    shutil.copytree(folder / "two", source)
    with start_folder(start_server, folder) as server, server.channel() as channel:
        stub = make_stub(channel)
        first = values(stub, pb, "one")
        files = ("config.json", "tokenizer.json", "model.safetensors")
        shutil.copytree(source, folder / "new")
        for file in files:
            (folder / "new" / file).unlink()
        for target in (folder / "new", folder / "one"):
            for file in files:
                data = (source / file).read_bytes()
                with open(target / file, "wb") as copy:
                    copy.write(data[: len(data) // 2])
                    copy.flush()
                    time.sleep(2.5)
                    assert values(stub, pb, "one") == first
                    copy.write(data[len(data) // 2:])
        second = values(stub, pb, "two")
        wait_until(lambda: models(stub, pb)["new"].ready and values(stub, pb, "one") == second, server)
        assert values(stub, pb, "new") == second


def test_a_file_cut_in_place_takes_no_model_down(start_server, make_stub, pb, folder):
    """What was copied as it was loaded is served on, whatever becomes of the file."""
    with start_folder(start_server, folder) as server, server.channel() as channel:
        stub = make_stub(channel)
        server.wait_for(" weights_hashed ")
        texts = ["a cat", "a dog in the document", "query it", "the"]
        before = [values(stub, pb, "one", text) for text in texts]
        weights = folder / "one" / "model.safetensors"
        size = weights.stat().st_size
        for left in (size // 2, 100, 0):
            os.truncate(weights, left)
            assert [values(stub, pb, "one", text) for text in texts] == before
        wait_until(lambda: "one/model.safetensors" in models(stub, pb)["one"].failure, server)
        weights.write_bytes(b"\xff" * size)
        assert [values(stub, pb, "one", text) for text in texts] == before
        assert models(stub, pb)["one"].ready


def test_a_mapped_file_cut_in_place_ends_the_process_with_a_reason(start_server, make_stub, pb, folder):
    with start_server(model=folder / "one", exit_code=-signal.SIGBUS) as server, server.channel() as channel:
        server.wait_for(" weights_hashed ")
        os.truncate(folder / "one" / "model.safetensors", 0)
        assert code(lambda: embed(make_stub(channel), pb)) == grpc.StatusCode.UNAVAILABLE
        server.process.wait(WAIT_SECONDS)
        assert "--weights copied" in server.log
    with start_server("--weights", "copied", model=folder / "two") as server, server.channel() as channel:
        server.wait_for(" weights_hashed ")
        before = values(make_stub(channel), pb)
        os.truncate(folder / "two" / "model.safetensors", 0)
        assert values(make_stub(channel), pb) == before


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


def test_reloads_leak_nothing(start_server, make_stub, pb, folder):
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
        files = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        growths = []
        for _ in range(3):
            before = server.resident_bytes()
            reload(20)
            growths.append(server.resident_bytes() - before)
        # An allocator may take an arena more at any time; a leak would be one of every round.
        assert SANITIZED or min(growths) < 1 << 20, growths
        # One file may be open at the moment, to be hashed or looked at; a leak would be one a reload.
        assert abs(len(os.listdir(f"/proc/{server.process.pid}/fd")) - files) < 5


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


# ---- headlight.v1.Models ----


@pytest.fixture
def administered(start_server, make_stub, make_admin, folder):
    """A server that may be told: (server, stub, admin)."""
    flags = ("--models-directory", str(folder), "--admin", "on", "--workers", "2")
    shutil.copytree(folder / "one", folder.parent / "base")
    with start_server(*flags, model=folder.parent / "base") as server, server.channel() as channel:
        wait_until(lambda: server.log.count(" model_loaded ") == 3, server)
        yield server, make_stub(channel), make_admin(channel)


def test_models_cannot_be_changed_without_leave(stub, pb, server, make_admin, admin_pb):
    with server.channel() as channel:
        admin = make_admin(channel)
        for call in (lambda: admin.Load(admin_pb.LoadModelRequest(name="x")),
                     lambda: admin.Unload(admin_pb.UnloadModelRequest(name="x")),
                     lambda: admin.Reload(admin_pb.ReloadModelRequest(name="x"))):
            assert code(call) == grpc.StatusCode.UNIMPLEMENTED


def test_models_are_unloaded_and_loaded(administered, pb, admin_pb):
    _, stub, admin = administered
    before = values(stub, pb, "two")
    admin.Unload(admin_pb.UnloadModelRequest(name="two"))
    assert code(lambda: embed(stub, pb, "two")) == grpc.StatusCode.NOT_FOUND
    assert set(models(stub, pb)) == {"base", "one"}
    info = admin.Load(admin_pb.LoadModelRequest(name="two")).model
    assert info.name == "two" and info.ready and info.memory_bytes > 0 and not info.is_default
    assert values(stub, pb, "two") == before
    info = admin.Load(admin_pb.LoadModelRequest(name="alias", directory="two")).model
    assert info.name == "alias" and values(stub, pb, "alias") == before
    admin.Unload(admin_pb.UnloadModelRequest(name="alias"))
    assert models(stub, pb)["base"].is_default


def test_models_are_reloaded_when_they_changed(administered, pb, admin_pb, folder):
    _, stub, admin = administered
    before = values(stub, pb)
    assert not admin.Reload(admin_pb.ReloadModelRequest(name="base")).reloaded
    assert admin.Reload(admin_pb.ReloadModelRequest(name="base", force=True)).reloaded
    assert values(stub, pb) == before
    weaken(folder.parent / "base")
    assert admin.Reload(admin_pb.ReloadModelRequest(name="base")).reloaded
    assert values(stub, pb) != before


def test_changes_are_refused_with_a_reason(administered, pb, admin_pb, folder):
    _, stub, admin = administered
    code_of = grpc.StatusCode

    def load(name, directory=""):
        return code(lambda: admin.Load(admin_pb.LoadModelRequest(name=name, directory=directory)))

    def unload(name):
        return code(lambda: admin.Unload(admin_pb.UnloadModelRequest(name=name)))

    assert load("one") == code_of.FAILED_PRECONDITION  # is loaded
    assert load("new", "nowhere") == code_of.NOT_FOUND
    assert load("nowhere") == code_of.NOT_FOUND
    assert load("") == code_of.INVALID_ARGUMENT
    assert load("n" * 300) == code_of.INVALID_ARGUMENT
    assert load("new", "one\0") == code_of.INVALID_ARGUMENT
    for directory in ("/etc", "..", "../base", "one/../../base", ".hidden", str(folder / "one")):
        assert load("new", directory) == code_of.FAILED_PRECONDITION, directory
    assert unload("base") == code_of.FAILED_PRECONDITION  # the default
    assert unload("nowhere") == code_of.NOT_FOUND
    assert code(lambda: admin.Reload(admin_pb.ReloadModelRequest(name="x"))) == code_of.NOT_FOUND
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{}")
    with pytest.raises(grpc.RpcError) as failure:
        admin.Load(admin_pb.LoadModelRequest(name="new", directory="broken"))
    assert "config.json" in failure.value.details() and str(folder) not in failure.value.details()
    assert "new" not in models(stub, pb)


def test_a_model_beyond_the_limit_is_not_loaded(start_server, make_stub, make_admin, pb, admin_pb, folder):
    with start_server(model=folder / "one") as server, server.channel() as channel:
        need = models(make_stub(channel), pb)["one"].memory_bytes
    flags = ("--models-directory", str(folder), "--admin", "on", "--model-memory-limit", str(need * 3 // 2))
    with start_server(*flags, model=folder / "one") as server, server.channel() as channel:
        stub, admin = make_stub(channel), make_admin(channel)
        server.wait_for(" model_failed ")
        with pytest.raises(grpc.RpcError) as failure:
            admin.Load(admin_pb.LoadModelRequest(name="again", directory="two"))
        assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "--model-memory-limit" in failure.value.details()
        assert len(values(stub, pb, "one")) == 32


def test_changes_at_once_wait_for_each_other(administered, pb, admin_pb):
    """More than may wait: each is done or told to come back; requests meanwhile lack nothing."""
    _, stub, admin = administered
    before = values(stub, pb, "one")
    calls = [admin.Reload.future(admin_pb.ReloadModelRequest(name="one", force=True)) for _ in range(200)]
    for _ in range(50):
        assert values(stub, pb, "one") == before
    outcomes = {"OK" if call.exception() is None else call.exception().code().name for call in calls}
    assert outcomes in ({"OK"}, {"OK", "RESOURCE_EXHAUSTED"})


def test_models_come_and_go_under_load(administered, pb, admin_pb):
    server, stub, admin = administered
    request = pb.EmbedRequest(model="one", inputs=[pb.Text(text="a cat in the document")] * 20)
    before = [list(one.values) for one in stub.Embed(request).embeddings]
    stop = threading.Event()
    failures = []

    def work():
        with server.channel() as own:
            own_stub = type(stub)(own)
            while not stop.is_set():
                try:
                    reply = own_stub.Embed(request, timeout=WAIT_SECONDS)
                    if [list(one.values) for one in reply.embeddings] != before:
                        failures.append("another answer")
                except grpc.RpcError as error:
                    if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE):
                        failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        admin.Unload(admin_pb.UnloadModelRequest(name="one"))
        admin.Load(admin_pb.LoadModelRequest(name="one"))
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_a_drain_ends_changes(start_server, make_admin, admin_pb, folder):
    flags = ("--admin", "on", "--drain-timeout", "5")
    with start_server(*flags, model=folder / "one") as server, server.channel() as channel:
        admin = make_admin(channel)
        calls = [admin.Reload.future(admin_pb.ReloadModelRequest(name="one", force=True)) for _ in range(60)]
        assert calls[0].result().reloaded
        assert server.stop() == 0
        for call in calls:
            failure = call.exception()
            assert failure is None or failure.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
