"""What the client's tests share: a gRPC server that a test can make misbehave, and ways to run the client."""

import os
import pty
import random
import re
import struct
import subprocess
import time
from concurrent import futures

import grpc
from builds import CLIENT
from explained import explained_parts
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from transport import message_class

INFERENCE = "headlight.v1.Inference"
MODELS = "headlight.v1.Models"
DETAILS = "grpc-status-details-bin"


def message(name, /, **fields):
    """A message of headlight.v1, or of another package when the name says so."""
    return message_class(name if "." in name else f"headlight.v1.{name}")(**fields)


def single(number):
    return struct.unpack("f", struct.pack("f", number))[0]


def vector(text, dimensions):
    rng = random.Random(text)
    return [single(rng.gauss(0, 1)) for _ in range(dimensions)]


class Server:
    """A server whose methods a test replaces by setting attributes; `calls` counts them by name."""

    def __init__(self, address="127.0.0.1:0", **options):
        self.calls, self.peers = {}, set()
        self.server = grpc.server(futures.ThreadPoolExecutor(32), **options)
        self.health = health.HealthServicer()
        self.health.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        self.server.add_generic_rpc_handlers([self])
        port = self.server.add_insecure_port(address)
        self.address = address if address.startswith("unix:") else f"127.0.0.1:{port}"
        self.server.start()

    def service(self, details):
        service, name = details.method.lstrip("/").split("/")
        if service not in (INFERENCE, MODELS):
            return None
        self.calls[name] = self.calls.get(name, 0) + 1
        method = getattr(self, re.sub("(?<!^)([A-Z])", r"_\1", name).lower())
        request = name.removesuffix("Stream") + ("Request" if service == INFERENCE else "ModelRequest")
        stream = name.endswith("Stream")
        kind = (grpc.stream_stream_rpc_method_handler if stream else grpc.unary_stream_rpc_method_handler
                if name == "Explain" else grpc.unary_unary_rpc_method_handler)
        return kind(method, request_deserializer=message_class(f"headlight.v1.{request}").FromString,
                    response_serializer=lambda reply: reply if isinstance(reply, bytes) else reply.SerializeToString())

    def embed(self, request, context):
        self.peers.add(context.peer())
        reply = message("EmbedResponse", model=request.model or "fake")
        for text in request.inputs:
            embedding = reply.embeddings.add(values=vector(text.text, request.dimensions or 8))
            embedding.usage.token_count = len(text.text.split()) + 2
            embedding.usage.attention = "dense"
        return reply

    def embed_stream(self, requests, context):
        for request in requests:
            yield self.embed(request, context)

    def classify(self, request, context):
        reply = message("ClassifyResponse", model=request.model or "fake")
        for text in request.inputs:
            labels = [dict(label="long", score=len(text.text)), dict(label="pair", score=len(text.pair) - 0.5)]
            labels.sort(key=lambda label: -label["score"])
            reply.classifications.add(labels=labels[:request.top_k or None], usage=dict(token_count=3))
        return reply

    def classify_stream(self, requests, context):
        for request in requests:
            yield self.classify(request, context)

    def rerank(self, request, context):
        shared = {text: len(set(request.query.split()) & set(text.split())) for text in request.texts}
        ranks = [dict(index=i, score=shared[text], text=text) for i, text in enumerate(request.texts)]
        return message("RerankResponse", model="fake", ranks=sorted(ranks, key=lambda rank: -rank["score"]))

    def tag_tokens(self, request, context):
        reply = message("TagTokensResponse", model="fake")
        for text in request.inputs:
            tagging = reply.taggings.add()
            for word in re.finditer(rb"[A-Z]\S*", text.text.encode()):
                tagging.entities.add(label=request.aggregation, score=0.5, text=word[0].decode(),
                                     byte_begin=word.start(), byte_end=word.end())
        return reply

    def fill_mask(self, request, context):
        reply = message("FillMaskResponse", model="fake")
        for text in request.inputs:
            result = reply.results.add()
            for _ in range(text.text.count("[MASK]")):
                result.masks.add(fills=[dict(token_id=i, token=f"word{i}", score=1 / 2**i)
                                        for i in range(1, 1 + request.top_k)])
        return reply

    def answer(self, request, context):
        begin = request.context.find(request.question)
        spans = [dict(text=request.question, score=1, byte_begin=begin, byte_end=begin + len(request.question))]
        return message("AnswerResponse", model="fake", answers=(spans if begin >= 0 else []) + [dict(score=0.25)])

    def report(self, text, policy, level=0):
        """The fields of the SanitizeReport of a sanitizer that knows U+200B only."""
        data, unseen = text.encode(), "\u200b".encode()
        places = [place.start() for place in re.finditer(unseen, data)]
        report = dict(policy=policy, level=level or 2, findings=[
            dict(code="INV_ZERO_WIDTH", severity=4, byte_begin=begin, byte_end=begin + len(unseen), count=1,
                 action="dropped" if policy == 3 else "none", detail="U+200B") for begin in places[:32]])
        if places:
            report["totals"] = [dict(code="INV_ZERO_WIDTH", count=len(places))]
        if policy == 3:
            report |= dict(changed=bool(places), cleaned_text=data.replace(unseen, b"").decode())
        return report

    def sanitize(self, request, context):
        reports = [self.report(text.text, request.policy or 2, request.sanitize_level) for text in request.inputs]
        for index, report in enumerate(reports):
            if request.policy == 4 and report["findings"]:
                self.refuse_input(context, index, "it is hostile", message("SanitizeReport", **report))
        return message("SanitizeResponse", reports=reports)

    def tokenize(self, request, context):
        reply = message("TokenizeResponse")
        for text in request.inputs:
            tokens = reply.tokenizations.add().tokens
            if not request.without_special_tokens:
                tokens.add(id=101, text="[CLS]", special=True)
            for word in re.finditer(rb"\S+", text.text.encode()):
                tokens.add(id=len(word[0]), text=word[0].decode(), byte_begin=word.start(), byte_end=word.end())
        return reply

    def detokenize(self, request, context):
        ids = " ".join(map(str, request.ids))
        return message("DetokenizeResponse", text=ids + (" kept" if request.keep_special_tokens else ""))

    def explain(self, request, context):
        try:
            yield from explained_parts(request)
        except ValueError as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))

    def list_models(self, request, context):
        return message("ListModelsResponse", models=[dict(
            name="fake", architecture="bert", tasks=["embed"], token_count_max=256, attention="dense",
            precision="float32", layer_count=6, head_count=12, hidden_size=384, weights_sha256="ab" * 32, ready=True,
            is_default=True, memory_bytes=90 << 20), dict(name="broken", failure="no config.json")])

    def load(self, request, context):
        return message("LoadModelResponse", model=dict(name=request.name, architecture=request.directory, ready=True))

    def unload(self, request, context):
        if request.name == "fake":
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "it is the default model")
        return message("UnloadModelResponse")

    def reload(self, request, context):
        return message("ReloadModelResponse", model=dict(name=request.name, ready=True), reloaded=request.force)

    def refuse(self, context, code, text, *details):
        """Ends the call with details as google.rpc.Status carries them."""
        status = message("google.rpc.Status", code=code.value[0], message=text)
        for detail in details:
            url = f"type.googleapis.com/{detail.DESCRIPTOR.full_name}"
            status.details.add(type_url=url, value=detail.SerializeToString())
        context.set_trailing_metadata([(DETAILS, status.SerializeToString())])
        context.abort(code, text)

    def refuse_later(self, context, seconds):
        info = message("google.rpc.RetryInfo")
        info.retry_delay.FromNanoseconds(int(seconds * 1e9))
        self.refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full", info)

    def refuse_input(self, context, index, text, *details):
        request = message("google.rpc.BadRequest")
        request.field_violations.add(field=f"inputs[{index}].text", description=text)
        self.refuse(context, grpc.StatusCode.INVALID_ARGUMENT, text, request, *details)


def fake_server():
    """For a module's fixture."""
    made = Server()
    yield made
    made.server.stop(None)


def wait_until(done):
    while not done():
        time.sleep(0.01)


def catches(process, number):
    """Whether the program has come so far that it handles the signal."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"SigCgt:\s+(\w+)", status.read())[1], 16) >> (number - 1) & 1


def headlight(*arguments, server=None, stdin="", timeout=60, **variables):
    if server:
        variables["HEADLIGHT_ADDRESS"] = server.address
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run([CLIENT, *map(str, arguments)], input=data, capture_output=True, timeout=timeout,
                          env=os.environ | variables, check=False)
    assert "Sanitizer" not in done.stderr.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert done.returncode >= 0, f"died of signal {-done.returncode}"
    return done


def on_a_terminal(server, *arguments, **variables):
    """What the client writes to a terminal."""
    ours, theirs = pty.openpty()
    variables["HEADLIGHT_ADDRESS"] = server.address
    with subprocess.Popen([CLIENT, *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
                          env=os.environ | variables) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other side is closed
                part = b""
            if not part:
                break
            shown += part
        os.close(ours)
        process.wait(60)
    return shown.decode().replace("\r\n", "\n")


def out(done, code=0):
    assert done.returncode == code, (done.returncode, done.stderr.decode())
    return done.stdout.decode()


def failure(done, code=1):
    assert done.returncode == code, (done.returncode, done.stdout[:200], done.stderr)
    assert done.stderr.startswith(b"headlight")
    return done.stderr.decode()


def floats(line):
    return [single(float(number)) for number in line.split()]
