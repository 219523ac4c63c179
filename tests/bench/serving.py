"""Measures the whole server on all-MiniLM-L6-v2 and prints Markdown tables.

    python tests/bench/serving.py startup     # exec to the first answer
    python tests/bench/serving.py memory      # resident set over 100,000 requests
    python tests/bench/serving.py throughput  # through gRPC against ONNX Runtime in process, the same run
    python tests/bench/serving.py mixed       # short queries beside a stream of long texts
    python tests/bench/serving.py explained   # short queries beside explanations in steps
    python tests/bench/serving.py             # all of them

Needs a built tree, models/all-MiniLM-L6-v2 and numpy; throughput needs torch, transformers, onnx and onnxruntime too,
mixed the first two.
"""

import os
import pathlib
import queue
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = pathlib.Path(os.environ.get("HEADLIGHT_BENCH_MODEL", ROOT / "models/all-MiniLM-L6-v2"))
SERVER = pathlib.Path(os.environ.get("HEADLIGHTD", ROOT / "build/server/headlightd"))
CLIENT = pathlib.Path(os.environ.get("HEADLIGHT", ROOT / "build/client/headlight"))
WORDS = "the of and to in is that it was for on are as with they be at one have this from by hot word but what".split()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(*flags, model=MODEL):
    address = f"127.0.0.1:{free_port()}"
    command = [SERVER, "--model", model, "--listen", address, "--log-level", "error", *flags]
    return subprocess.Popen([str(part) for part in command]), address


def wait_serving(address):
    subprocess.run([CLIENT, "health", "--address", address, "--wait", "10", "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)


def stop_server(process):
    process.send_signal(signal.SIGTERM)
    if process.wait(timeout=30) != 0:
        raise SystemExit("the server did not stop cleanly")


def stubs():
    """The client code of our .proto, made on the spot."""
    from grpc_tools import protoc

    out = tempfile.mkdtemp()
    proto = ROOT / "proto"
    protoc.main(["", f"-I{proto}", f"--python_out={out}", f"--grpc_python_out={out}",
                 str(proto / "headlight/v1/headlight.proto")])
    sys.path.insert(0, out)
    from headlight.v1 import headlight_pb2, headlight_pb2_grpc

    return headlight_pb2, headlight_pb2_grpc


def text_of(tokens):
    """A text of exactly `tokens` tokens, the two special ones included: each word here is one token."""
    return " ".join(random.choice(WORDS) for _ in range(tokens - 2))


def startup():
    import grpc

    messages, services = stubs()
    request = messages.EmbedRequest(inputs=[messages.Text(text="hello world")])
    times = []
    for _ in range(11):
        started = time.perf_counter()
        process, address = start_server()
        host, port = address.split(":")
        while True:
            try:
                socket.create_connection((host, int(port))).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.001)
        stub = services.InferenceStub(grpc.insecure_channel(address))
        while True:
            try:
                stub.Embed(request)
                break
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                time.sleep(0.001)
        times.append(time.perf_counter() - started)
        stop_server(process)
    print("| startup, warm page cache | milliseconds |\n|---|---|")
    print(f"| exec to first answer, median of {len(times)} | {statistics.median(times) * 1000:.0f} |")
    print(f"| exec to first answer, slowest | {max(times) * 1000:.0f} |\n")


def resident_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmRSS")


def memory(requests=100000):
    process, address = start_server()
    wait_serving(address)
    weights = (MODEL / "model.safetensors").stat().st_size / 2**20
    print(f"| requests | resident MiB | beyond the weights ({weights:.1f} MiB) |\n|---|---|---|")
    done = 0
    for step in (0, 1000, requests // 4, requests // 2, requests):
        if step > done:
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as texts:
                texts.write("\n".join(text_of(random.choice([4, 8, 8, 16, 16, 32, 64])) for _ in range(199)))
                texts.write("\n" + text_of(256))
                texts.flush()
                subprocess.run([CLIENT, "bench", "--address", address, "--requests", str(step - done),
                                "--concurrency", "32", "--file", texts.name], check=True, stdout=subprocess.DEVNULL)
            done = step
        resident = resident_mib(process.pid)
        print(f"| {done:,} | {resident:.1f} | {resident - weights:.1f} |")
    print()
    stop_server(process)


class OnnxRuntime:
    """Runs batches of token ids in process: no tokenization, no transport, mean pooling left out."""

    def __init__(self, path, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.onnx = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def rate(self, lengths, batch, seconds):
        """Texts a second over `lengths`, sorted so that a batch pads as little as it can."""
        import numpy

        order = sorted(lengths)
        batches = [order[i : i + batch] for i in range(0, len(order), batch)]
        inputs = []
        for group in batches:
            ids = numpy.full((len(group), max(group)), 1996, dtype=numpy.int64)
            mask = numpy.arange(max(group))[None, :] < numpy.array(group)[:, None]
            inputs.append({"input_ids": ids, "attention_mask": mask.astype(numpy.int64),
                           "token_type_ids": numpy.zeros_like(ids)})
        done, started = 0, time.perf_counter()
        while True:
            for feed in inputs:
                self.onnx.run(None, feed)
                done += len(feed["input_ids"])
            if time.perf_counter() - started >= seconds:
                return done / (time.perf_counter() - started)


def headlight_rate(address, lengths, seconds):
    import json

    with tempfile.NamedTemporaryFile("w", suffix=".txt") as texts:
        texts.write("\n".join(text_of(length) for length in lengths))
        texts.flush()
        result = subprocess.run([CLIENT, "bench", "--address", address, "--duration", str(seconds), "--concurrency",
                                 "16", "--batch", "2", "--file", texts.name, "--format", "json"],
                                check=True, capture_output=True, text=True)
    return json.loads(result.stdout)["texts_per_second"]


def throughput(rounds=5, seconds=4):
    from onnxruntime_ratio import export

    rng = random.Random(7)
    mixed = [max(3, min(256, int(rng.lognormvariate(3.6, 0.9)))) for _ in range(256)]
    cases = [("128 tokens", [128] * 64), (f"mixed, mean {statistics.mean(mixed):.0f} tokens", mixed)]
    path = str(export(MODEL, pathlib.Path(tempfile.mkdtemp()))[1])
    print("| texts | threads | Headlight through gRPC, texts/s | ONNX Runtime in process, texts/s | ratio |")
    print("|---|---|---|---|---|")
    for threads in (1, os.cpu_count()):
        runtime = OnnxRuntime(path, threads)
        process, address = start_server("--workers", str(threads))
        wait_serving(address)
        for name, lengths in cases:
            batch = max((1, 4, 8, 16, 32), key=lambda size: runtime.rate(lengths, size, 1))
            headlight_rate(address, lengths, 1)
            pairs = [(headlight_rate(address, lengths, seconds), runtime.rate(lengths, batch, seconds))
                     for _ in range(rounds)]
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            ours, theirs = (statistics.median(column) for column in zip(*pairs))
            print(f"| {name} | {threads} | {ours:.1f} | {theirs:.1f} (its best batch: {batch}) | {ratio:.2f} |")
        stop_server(process)
    print()


class LongStream:
    """One stream of texts of 4,096 tokens each, the next as soon as the last is answered."""

    def __init__(self, stub, messages, tokens=4096):
        self.request = messages.EmbedRequest(inputs=[messages.Text(text=words_of(tokens))])
        self.seconds = []  # of each text
        self.ending = False
        self.answers = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.read, args=(stub.EmbedStream(self.requests()),))
        self.thread.start()

    def requests(self):
        while not self.ending:
            self.started = time.perf_counter()
            yield self.request
            self.answers.get()

    def read(self, replies):
        for _ in replies:
            self.seconds.append(time.perf_counter() - self.started)
            self.answers.put(None)

    def stop(self):
        self.ending = True
        self.thread.join()


def words_of(tokens):
    """A text of `tokens` tokens for the tokenizers of long_shapes.py, the two special ones included."""
    return " ".join(f"w{random.randrange(1000)}" for _ in range(tokens - 2))


def query_latencies(stub, messages, count, pause_seconds, make=words_of):
    """Milliseconds of `count` queries of 32 tokens, one after the other, with pauses of random length between them."""
    times = []
    for _ in range(count):
        request = messages.EmbedRequest(inputs=[messages.Text(text=make(32))])
        time.sleep(random.expovariate(1 / pause_seconds))
        started = time.perf_counter()
        stub.Embed(request)
        times.append((time.perf_counter() - started) * 1000)
    return times


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def mixed(shapes=("longformer-base", "modernbert-base"), rounds=4, queries=100, pause_seconds=0.02):
    """Idle and busy take turns, so that what else the machine does disturbs both."""
    import grpc
    from long_shapes import make_shape

    messages, services = stubs()
    print("| model, two workers | 32-token queries | p50, ms | p99, ms | p99 / idle p99 | a 4,096-token text, s |")
    print("|---|---|---|---|---|---|")
    for shape in shapes:
        model = make_shape(shape, pathlib.Path(os.environ.get("HEADLIGHT_BENCH_SHAPES") or tempfile.mkdtemp()))
        process, address = start_server("--workers", "2", model=model)
        wait_serving(address)
        stub = services.InferenceStub(grpc.insecure_channel(address))
        idle, busy, seconds = [], [], []
        query_latencies(stub, messages, 20, pause_seconds)
        for _ in range(rounds):
            idle += query_latencies(stub, messages, queries, pause_seconds)
            stream = LongStream(stub, messages)
            busy += query_latencies(stub, messages, queries, pause_seconds)
            stream.stop()
            seconds += stream.seconds
        for name, times, rate in (("idle", idle, ""), ("beside one stream", busy, f"{statistics.median(seconds):.1f}")):
            print(f"| {shape} | {name} | {percentile(times, 0.5):.1f} | {percentile(times, 0.99):.1f} | "
                  f"{percentile(times, 0.99) / percentile(idle, 0.99):.2f} | {rate} |", flush=True)
        stop_server(process)
    print()


class Explanations:
    """Two requests for explanations in steps at a time, the next as soon as one is answered."""

    def __init__(self, stub, messages, tokens=128):
        spec = messages.ExplanationSpec(methods=[messages.EXPLANATION_METHOD_OCCLUSION], faithfulness=True)
        self.request = messages.EmbedRequest(inputs=[messages.Text(text=text_of(tokens))],
                                             options=messages.Options(explanation=spec))
        self.stub = stub
        self.calls = [None, None]
        self.count = 0
        self.ending = False
        self.threads = [threading.Thread(target=self.ask, args=(i,)) for i in range(2)]
        for thread in self.threads:
            thread.start()

    def ask(self, index):
        import grpc

        while not self.ending:
            self.calls[index] = self.stub.Embed.future(self.request)
            try:
                self.calls[index].result()
                self.count += 1
            except (grpc.FutureCancelledError, grpc.RpcError):
                if not self.ending:
                    raise

    def stop(self):
        self.ending = True
        for call in self.calls:
            call.cancel()
        for thread in self.threads:
            thread.join()


def metric(address, name):
    import urllib.request

    page = urllib.request.urlopen(f"http://{address}/metrics").read().decode()
    return float(next(line.split()[1] for line in page.splitlines() if line.startswith(f"headlight_{name} ")))


def saturated_rate(stub, messages, seconds, clients=8):
    """Queries a second of `clients` that ask for the next as soon as one is answered."""
    until = time.perf_counter() + seconds
    counts = [0] * clients

    def ask(index):
        request = messages.EmbedRequest(inputs=[messages.Text(text=text_of(32))] * 4)
        while time.perf_counter() < until:
            stub.Embed(request)
            counts[index] += 4

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def explained(rounds=4, queries=60, pause_seconds=0.05, seconds=2):
    """Alone and beside explanations take turns. Ahead: the workers' time that steps took while queries waited."""
    import grpc

    messages, services = stubs()
    print("| workers, --explain-share | queries | p50, ms | p99, ms | full load, texts/s | ahead, of workers' time |\n"
          "|---|---|---|---|---|---|")
    for workers, share in ((1, 10), (2, 10), (2, 1)):
        page = f"127.0.0.1:{free_port()}"
        process, address = start_server("--workers", str(workers), "--explain-share", str(share),
                                        "--metrics-listen", page)
        wait_serving(address)
        stub = services.InferenceStub(grpc.insecure_channel(address))
        times, rates, ahead = {False: [], True: []}, {False: [], True: []}, []
        query_latencies(stub, messages, 20, pause_seconds, text_of)
        for _ in range(rounds):
            for beside in (False, True):
                explanations = Explanations(stub, messages) if beside else None
                times[beside] += query_latencies(stub, messages, queries, pause_seconds, text_of)
                before, started = metric(page, "explanation_steps_ahead_seconds_total"), time.perf_counter()
                rates[beside].append(saturated_rate(stub, messages, seconds))
                if beside:
                    spent = metric(page, "explanation_steps_ahead_seconds_total") - before
                    ahead.append(spent / (time.perf_counter() - started) / workers)
                    explanations.stop()
        for beside, name in ((False, "alone"), (True, "beside explanations")):
            part = f"{statistics.median(ahead):.1%}" if beside else ""
            print(f"| {workers}, {share} % | {name} | {percentile(times[beside], 0.5):.1f} | "
                  f"{percentile(times[beside], 0.99):.1f} | {statistics.median(rates[beside]):.0f} | {part} |",
                  flush=True)
        stop_server(process)
    print()


if __name__ == "__main__":
    parts = {"startup": startup, "memory": memory, "throughput": throughput, "mixed": mixed, "explained": explained}
    for part in sys.argv[1:] or parts:
        parts[part]()
