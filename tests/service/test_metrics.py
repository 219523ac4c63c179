"""Metrics and probes over HTTP."""

import re
import threading
import urllib.error
import urllib.request

import pytest
from builds import ROOT

METRIC = re.compile(r'^METRIC\((\w+), (\w+), "([^"]*)"', re.MULTILINE)


class Page:
    """What /metrics says: {(name, labels): value}, each name's type beside it."""

    def __init__(self, text):
        self.types, self.samples = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types
                self.types[name] = kind
            elif not line.startswith("# HELP "):
                name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
                key = name, tuple(sorted(re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', labels or "")))
                assert key not in self.samples
                self.samples[key] = float(value)

    def __call__(self, name, **labels):
        return self.samples["headlight_" + name, tuple(sorted(labels.items()))]


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def port_of(server):
    server.wait_for(" metrics ")
    return int(re.search(r" metrics .*port (\d+)", server.log).group(1))


@pytest.fixture(scope="module")
def monitored(start_server, make_stub):
    with start_server("--metrics-listen", "127.0.0.1:0") as server, server.channel() as channel:
        yield server, make_stub(channel), lambda: Page(get(port_of(server), "/metrics")[1])


def test_every_metric_of_the_table_is_there(monitored):
    page = monitored[2]()
    table = METRIC.findall((ROOT / "server" / "metrics.def").read_text())
    assert {f"headlight_{name}": kind.lower() for name, kind, _ in table} == page.types
    for name, kind, labels in table:
        sample = f"headlight_{name}" + ("_count" if kind == "HISTOGRAM" else "")
        found = [key[1] for key in page.samples if key[0] == sample]
        assert found, name
        expected = set(labels.split(", ")) - {""}
        assert all({label for label, _ in one} == expected for one in found), name


def test_requests_are_counted_by_method_and_code(monitored, pb):
    _, stub, page = monitored
    method = "headlight.v1.Inference/Embed"
    before = page()
    stub.Embed(pb.EmbedRequest(inputs=[pb.Text(text="a cat"), pb.Text(text="a dog")]))
    with pytest.raises(Exception):
        stub.Embed(pb.EmbedRequest())
    after = page()
    assert after("requests_total", method=method, code="OK") == before("requests_total", method=method, code="OK") + 1
    assert after("requests_total", method=method, code="INVALID_ARGUMENT") == 1
    assert (after("request_duration_seconds_count", method=method)
            == before("request_duration_seconds_count", method=method) + 2)
    assert (after("request_duration_seconds_sum", method=method)
            > before("request_duration_seconds_sum", method=method))
    assert after("request_duration_seconds_bucket", method=method, le="+Inf") == after(
        "request_duration_seconds_count", method=method)
    assert after("jobs_total") == before("jobs_total") + 2
    assert after("request_memory_bytes") == 0 and after("queue_jobs") == 0


def test_models_are_named(monitored):
    page = monitored[2]()
    ready = [value for (name, _), value in page.samples.items() if name == "headlight_model_ready"]
    assert ready == [1]
    assert page("ready") == 1


def test_probes_follow_the_life_of_the_server(start_server, small_model, pb, make_stub):
    """Not ready while a stream keeps it from ending; alive all the while."""
    with start_server("--metrics-listen", "127.0.0.1:0", model=small_model) as server, server.channel() as channel:
        port = port_of(server)
        assert get(port, "/livez") == (200, "alive\n")
        assert get(port, "/readyz") == (200, "ready\n")
        assert get(port, "/")[0] == 404
        hold = threading.Event()

        def requests():
            yield pb.EmbedRequest(inputs=[pb.Text(text="a cat")])
            hold.wait(30)

        stream = make_stub(channel).EmbedStream(requests())
        next(stream)
        server.process.terminate()
        server.wait_for(" draining ")
        assert get(port, "/readyz") == (503, "not ready\n")
        assert get(port, "/livez")[0] == 200
        hold.set()
        assert server.process.wait(60) == 0


def test_an_address_in_use_ends_the_start(monitored, start_server):
    taken = f"127.0.0.1:{port_of(monitored[0])}"
    with start_server("--metrics-listen", taken, wait=False, exit_code=1) as server:
        server.process.wait(60)
        assert f"--metrics-listen: {taken}: cannot listen" in server.log
