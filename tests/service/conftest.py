"""Starts headlightd as a user would and gives tests its stubs, generated from proto/ into a temporary folder.

HEADLIGHT_TEST_MODEL is a checkpoint to serve instead of the small one in tests/golden/pipeline/queries; tests whose
expectations belong to the small one then skip.
"""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
import grpc_tools
from grpc_tools import protoc

from builds import PROGRAM, ROOT
from task_models import make_model

SMALL_MODEL = ROOT / "tests" / "golden" / "pipeline" / "queries"
REAL_MODEL = ROOT / "models" / "all-MiniLM-L6-v2"
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
START_SECONDS = 60  # sanitizers are slow
PROTOS = ["headlight/v1/headlight.proto", "headlight/v1/models.proto",
          "google/rpc/status.proto", "google/rpc/error_details.proto"]


class Server:
    """One headlightd; `log` is what it wrote so far."""

    def __init__(self, folder, *flags, model=None, wait=True):
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / "socket"
        self.address = f"unix:{self.socket}"
        self.log_path = folder / "log"
        if model is None:
            model = os.environ.get("HEADLIGHT_TEST_MODEL", SMALL_MODEL)
        served = ["--model", str(model)] if model else []  # False: none
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([PROGRAM, *served, "--listen", self.address, *flags],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_for(" ready ")

    @property
    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, words):
        """Until the log holds `words`; fails when the process ends before it does."""
        deadline = time.monotonic() + START_SECONDS
        while words not in self.log:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, f"no '{words}' in {START_SECONDS} s:\n{self.log}"
            time.sleep(0.01)

    def channel(self, **options):
        options = {"grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1,
                   "grpc.use_local_subchannel_pool": 1, **options}
        return grpc.insecure_channel(self.address, options=list(options.items()))

    def resident_bytes(self):
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self, number=signal.SIGTERM):
        """Drains and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(START_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait()


def refused(call):
    """The error that `call` ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The folder with what protoc makes of proto/ for Python, on the import path."""
    folder = tmp_path_factory.mktemp("generated")
    for proto in PROTOS:
        arguments = ["protoc", f"-I{ROOT / 'proto'}", f"-I{WELL_KNOWN}", f"--python_out={folder}",
                     f"--grpc_python_out={folder}", proto]
        assert protoc.main(arguments) == 0
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def pb(generated):
    return importlib.import_module("headlight.v1.headlight_pb2")


@pytest.fixture(scope="module")
def make_stub(generated):
    return importlib.import_module("headlight.v1.headlight_pb2_grpc").InferenceStub


@pytest.fixture(scope="module")
def admin_pb(generated):
    return importlib.import_module("headlight.v1.models_pb2")


@pytest.fixture(scope="module")
def make_admin(generated):
    return importlib.import_module("headlight.v1.models_pb2_grpc").ModelsStub


@pytest.fixture(scope="module")
def details(generated):
    """Reads an RpcError's details: (field violations, retry delay in seconds or None)."""
    status_pb2 = importlib.import_module("google.rpc.status_pb2")
    details_pb2 = importlib.import_module("google.rpc.error_details_pb2")

    def read(error):
        status = status_pb2.Status()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status.ParseFromString(value)
        fields, delay = [], None
        for detail in status.details:
            bad, retry = details_pb2.BadRequest(), details_pb2.RetryInfo()
            if detail.Is(bad.DESCRIPTOR):
                detail.Unpack(bad)
                fields += [violation.field for violation in bad.field_violations]
            if detail.Is(retry.DESCRIPTOR):
                detail.Unpack(retry)
                delay = retry.retry_delay.ToNanoseconds() / 1e9
        return fields, delay

    return read


@pytest.fixture(scope="module")
def start_server(tmp_path_factory):
    """start_server(*flags, model=..., wait=..., exit_code=0) as a context: a server that drains at the end."""

    @contextlib.contextmanager
    def start(*flags, exit_code=0, **options):
        server = Server(tmp_path_factory.mktemp("server"), *flags, **options)
        try:
            yield server
            assert server.stop() == exit_code, server.log
        finally:
            server.kill()

    return start


@pytest.fixture(scope="module")
def server(start_server):
    """One server for all tests that leave it as it was."""
    with start_server() as running:
        yield running


@pytest.fixture
def stub(server, make_stub):
    with server.channel() as channel:
        yield make_stub(channel)


@pytest.fixture(scope="module")
def small_model():
    if "HEADLIGHT_TEST_MODEL" in os.environ:
        pytest.skip("the expectations belong to the small checkpoint")
    return SMALL_MODEL


@pytest.fixture(scope="module")
def real_model():
    if not (REAL_MODEL / "model.safetensors").exists():
        pytest.skip("models/all-MiniLM-L6-v2 is not there: deploy/models/get-minilm")
    return REAL_MODEL


class Served:
    """A model of task_models.py and a stub of the server that serves it."""

    def __init__(self, model, stub, channel):
        self.model, self.stub, self.channel = model, stub, channel


@pytest.fixture(scope="module")
def served(tmp_path_factory, start_server, make_stub):
    """served(name) with the server's flags: each pair is started once."""
    running = {}

    def serve(name, *flags):
        if (name, flags) not in running:
            model = make_model(SMALL_MODEL, tmp_path_factory.mktemp("models") / name, name)
            context = start_server(*flags, model=model.folder)
            channel = context.__enter__().channel()
            running[name, flags] = (Served(model, make_stub(channel), channel), context)
        return running[name, flags][0]

    yield serve
    for one, context in running.values():
        one.channel.close()
        context.__exit__(None, None, None)
