"""`headlight pull` against a model hub and its storage that a test can make misbehave."""

import contextlib
import hashlib
import http.server
import json
import os
import random
import re
import signal
import subprocess
import threading

import pytest
from builds import CLIENT
from client_cli import failure, headlight, out, wait_until


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub and its storage, as two servers; `site` holds what a test sets."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        site["log"].append((self.server.role, self.path, dict(self.headers)))
        if self.server.role == "storage":
            return self.send_content(self.path.lstrip("/"))
        if self.path.startswith("/api/models/"):
            return self.send_listing()
        name = self.path.split("/resolve/", 1)[1].split("/", 1)[1]
        if name in site["large"]:
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{site['storage_port']}/{name}")
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(site["files"][name]).hexdigest()}"')
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self.send_content(name)

    def send_listing(self):
        site = self.server.site
        if site["refusal"]:
            code, error = site["refusal"]
            return self.send_answer(code, b"<html>no</html>", {"X-Error-Code": error} if error else {})
        return self.send_answer(200, site["listing"] or json.dumps(listing(site)).encode())

    def send_content(self, name):
        site = self.server.site
        content = site["served"].get(name, site["files"][name])
        begin = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and site["ranges"]:
            begin = int(wanted[1])
            if begin >= len(content):
                return self.send_answer(416, b"")
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        content = content[begin:]
        if site["cut"] and name in site["large"]:
            content = content[:site["cut"].pop(0)]
            self.close_connection = True
        self.wfile.write(content)
        self.wfile.flush()
        if self.close_connection and site["hang"]:
            site["hang"].wait(20)
        return None

    def send_answer(self, code, body, headers=None):
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


COMMIT = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"


def listing(site):
    siblings = []
    for name, content in site["files"].items():
        sibling = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
        if name in site["large"]:
            sibling["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        siblings.append(sibling)
    return {"id": "owner/name", "sha": COMMIT, "siblings": siblings}


@pytest.fixture
def site():
    rng = random.Random(5)
    files = {"config.json": b'{"model_type":"bert"}', "tokenizer.json": b"{}" * 50, "1_Pooling/config.json": b"{}",
             "modules.json": b"[]", "model.safetensors": rng.randbytes(700_000), "README.md": b"# no",
             "pytorch_model.bin": b"no", "onnx/model.onnx": b"no", "vocab.txt": b"", "onnx/config.json": b"no"}
    made = {"files": files, "served": {}, "large": {"model.safetensors"}, "log": [], "ranges": True, "cut": [],
            "refusal": None, "listing": None, "hang": None}
    servers = []
    for role in ("storage", "hub"):
        made_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
        made_server.site, made_server.role, made_server.daemon_threads = made, role, True
        made[f"{role}_port"] = made_server.server_address[1]
        threading.Thread(target=made_server.serve_forever, daemon=True).start()
        servers.append(made_server)
    yield made
    for made_server in servers:
        made_server.shutdown()
        made_server.server_close()


WANTED = {"config.json", "tokenizer.json", "1_Pooling/config.json", "modules.json", "model.safetensors", "vocab.txt"}


def pull(site, folder, *arguments, **variables):
    return headlight("pull", "owner/name", "--output", folder, *arguments,
                     HF_ENDPOINT=f"http://127.0.0.1:{site['hub_port']}/", **variables)


def content_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pull_takes_what_a_server_needs(site, tmp_path):
    done = pull(site, tmp_path / "deep/model", "--revision", "refs/pr/1", HF_TOKEN="hf_secret")
    assert out(done) == f"{tmp_path}/deep/model\n"
    assert content_of(tmp_path / "deep/model") == {name: site["files"][name] for name in WANTED}
    assert site["log"][0][1] == "/api/models/owner/name/revision/refs%2Fpr%2F1?blobs=true"
    assert any(path == f"/owner/name/resolve/{COMMIT}/1_Pooling/config.json" for _, path, _ in site["log"])
    for role, _, headers in site["log"]:
        assert headers.get("Authorization") == ("Bearer hf_secret" if role == "hub" else None)
        assert headers["User-Agent"].startswith("headlight/")


def test_pull_again_costs_no_weights(site, tmp_path):
    assert out(pull(site, tmp_path))
    site["log"].clear()
    done = pull(site, tmp_path, "--format", "json")
    report = json.loads(out(done))
    assert not any(role == "storage" for role, _, _ in site["log"]) and b"was there" in done.stderr
    assert report["commit"] == COMMIT and {item["name"] for item in report["files"]} == WANTED
    for item in report["files"]:
        assert item["sha256"] == hashlib.sha256(site["files"][item["name"]]).hexdigest()
    assert pull(site, tmp_path, "--quiet").stderr == b""


@pytest.mark.parametrize("ranges", [True, False])
def test_pull_goes_on_where_the_connection_broke(site, tmp_path, ranges):
    site["ranges"], site["cut"] = ranges, [300_000, 200_000, 0, 5, 10 ** 9]
    assert out(pull(site, tmp_path, "--retries", "5"))
    assert content_of(tmp_path) == {name: site["files"][name] for name in WANTED}
    asked = [headers.get("Range") for role, _, headers in site["log"] if role == "storage"]
    assert asked[:2] == [None, "bytes=300000-"]
    assert not ranges or asked[2:] == ["bytes=500000-", "bytes=500000-", "bytes=500005-"]


def test_pull_goes_on_in_the_next_run(site, tmp_path):
    site["cut"] = [400_000]
    assert "cannot reach the hub" in failure(pull(site, tmp_path, "--retries", "0", "--quiet"))
    left = content_of(tmp_path)
    assert "model.safetensors" not in left and "config.json" not in left
    assert [len(content) for name, content in left.items() if "safetensors" in name] == [400_000]
    site["log"].clear()
    assert out(pull(site, tmp_path))
    assert [headers.get("Range") for role, _, headers in site["log"] if role == "storage"] == ["bytes=400000-"]
    assert content_of(tmp_path) == {name: site["files"][name] for name in WANTED}


def has_part(folder):
    with contextlib.suppress(FileNotFoundError):  # a file that gets its name
        return any("safetensors" in name and content for name, content in content_of(folder).items())
    return False


def test_pull_stops_at_a_signal_and_keeps_the_part(site, tmp_path):
    site["cut"], site["hang"] = [400_000], threading.Event()
    variables = os.environ | {"HF_ENDPOINT": f"http://127.0.0.1:{site['hub_port']}"}
    with subprocess.Popen([CLIENT, "pull", "owner/name", "--output", tmp_path], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=variables) as process:
        wait_until(lambda: has_part(tmp_path))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 130  # the hub hangs longer
    site["hang"].set()
    site["hang"] = None
    assert out(pull(site, tmp_path))
    assert content_of(tmp_path) == {name: site["files"][name] for name in WANTED}


@pytest.mark.parametrize("served, words", [
    (b"x" * 700_000, "has the SHA-256"),
    (b"x" * 700_001, "sends more than 700000 bytes"),
    (b"x" * 10, "has 10 bytes instead of 700000"),
])
def test_pull_refuses_other_bytes(site, tmp_path, served, words):
    site["served"]["model.safetensors"] = served
    assert words in failure(pull(site, tmp_path, "--quiet"))
    assert not (tmp_path / "model.safetensors").exists() and not (tmp_path / "config.json").exists()


def test_pull_does_not_trust_a_part_with_other_bytes(site, tmp_path):
    digest = hashlib.sha256(site["files"]["model.safetensors"]).hexdigest()
    part = tmp_path / f".model.safetensors.{digest[:16]}.part"
    part.write_bytes(b"wrong" * 1000)
    assert "has the SHA-256" in failure(pull(site, tmp_path, "--quiet"))
    assert not part.exists()
    assert out(pull(site, tmp_path))
    part.write_bytes(b"x" * 800_000)
    (tmp_path / "model.safetensors").unlink()
    assert out(pull(site, tmp_path))
    assert content_of(tmp_path) == {name: site["files"][name] for name in WANTED}


def test_pull_takes_the_hash_from_the_redirect_when_the_listing_has_none(site, tmp_path):
    names = [{"rfilename": name} for name in site["files"]]
    site["listing"] = json.dumps({"sha": COMMIT, "siblings": names}).encode()
    assert out(pull(site, tmp_path))
    site["served"]["model.safetensors"] = b"x" * 700_000
    assert "has the SHA-256" in failure(pull(site, tmp_path / "other", "--quiet"))


def test_pull_takes_shards_with_their_index(site, tmp_path):
    files = site["files"]
    shards = {"model.safetensors.index.json": b"{}", "model-00001-of-00002.safetensors": b"1" * 9,
              "model-00002-of-00002.safetensors": b"2" * 9}
    files.update(shards)
    assert out(pull(site, tmp_path / "single"))
    assert set(content_of(tmp_path / "single")) == WANTED
    del files["model.safetensors"]
    assert out(pull(site, tmp_path / "sharded"))
    assert set(content_of(tmp_path / "sharded")) == WANTED - {"model.safetensors"} | set(shards)


@pytest.mark.parametrize("refusal, words", [
    ((401, "GatedRepo"), "accept its terms"),
    ((403, None), "set HF_TOKEN"),
    ((401, "RepoNotFound"), "no such repository"),
    ((404, "RevisionNotFound"), "no such revision"),
    ((404, None), "no such repository"),
    ((418, None), "answers 418"),
    ((503, None), "try again later"),
])
def test_pull_says_why_the_hub_refuses(site, tmp_path, refusal, words):
    site["refusal"] = refusal
    assert words in failure(pull(site, tmp_path, "--retries", "1"))
    assert len(site["log"]) == (2 if refusal[0] == 503 else 1) and not content_of(tmp_path)


@pytest.mark.parametrize("names, words", [
    (["../../evil.json", "config.json"], "leaves the folder"),
    (["/etc/tokenizer.json", "config.json"], "leaves the folder"),
    (["1_Pooling/../../config.json"], "leaves the folder"),
    (["tokenizer\\..\\x.json"], "leaves the folder"),
    (["model.safetensors"], "no config.json"),
    (["config.json", "pytorch_model.bin"], "no model.safetensors"),
    (["config.json", "config.json", "model.safetensors"], "twice"),
])
def test_pull_refuses_a_listing_that_is_none_of_a_checkpoint(site, tmp_path, names, words):
    site["listing"] = json.dumps({"sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}).encode()
    assert words in failure(pull(site, tmp_path))
    assert not content_of(tmp_path)


@pytest.mark.parametrize("body", [
    b"<html>",
    b"[]",
    b"{}",
    b'{"sha":"../../x","siblings":[]}',
    b'{"sha":7,"siblings":{}}',
    b'{"sha":"c9745ed1d9f2","siblings":[7]}',
    b'{"sha":"c9745ed1d9f2","siblings":[{"rfilename":"config.json","size":-1},{"rfilename":"model.safetensors"}]}',
    b'{"sha":"c9745ed1d9f2","siblings":[{"rfilename":"config.json","size":1e18},{"rfilename":"model.safetensors"}]}',
    b" " * (17 << 20),
])
def test_pull_survives_any_answer(site, tmp_path, body):
    site["listing"] = body
    failure(pull(site, tmp_path))
    assert not content_of(tmp_path)


def test_pull_needs_a_hub(tmp_path):
    words = failure(headlight("pull", "a/b", "--output", tmp_path, "--retries", "1", HF_ENDPOINT="http://127.0.0.1:1"))
    assert "cannot reach the hub" in words
    assert "https://" in failure(headlight("pull", "a/b", HF_ENDPOINT="ftp://x"), 2)
    assert "HF_TOKEN" in failure(headlight("pull", "a/b", HF_TOKEN="a\nb"), 2)


def test_two_pulls_do_not_write_one_file(site, tmp_path):
    site["cut"], site["hang"] = [400_000], threading.Event()
    variables = os.environ | {"HF_ENDPOINT": f"http://127.0.0.1:{site['hub_port']}"}
    with subprocess.Popen([CLIENT, "pull", "owner/name", "--output", tmp_path], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=variables) as first:
        wait_until(lambda: has_part(tmp_path))
        assert "another pull" in failure(pull(site, tmp_path, "--retries", "0", "--quiet"))
        site["hang"].set()
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert first.wait(timeout=30) == 0
