"""Debian's headless Chromium, driven through its DevTools pipe: a page, its keys and pointer, and what it did that a
page of ours must not do."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
SECONDS = 60
KEYS = {"ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "PageDown": 34,
        "PageUp": 33, "Tab": 9, "Enter": 13, " ": 32}


class Browser:
    """One Chromium with one page; `errors` are its console's errors and exceptions, `requests` what it asked for beside
    the page itself."""

    def __init__(self, width=1280, height=900):
        assert PROGRAM, "there is no chromium-headless-shell: deploy/install-packages test"
        self.folder = tempfile.mkdtemp(prefix="headlight-browser-")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()
        command = [PROGRAM, "--no-sandbox", "--headless", "--disable-gpu", "--remote-debugging-pipe",
                   "--no-first-run", "--disable-dev-shm-usage", "--force-color-profile=srgb",
                   "--disable-background-networking", f"--user-data-dir={self.folder}",
                   f"--window-size={width},{height}", "about:blank"]

        def three_and_four():
            ours = [os.dup(to_read), os.dup(to_write)]
            os.dup2(ours[0], 3)
            os.dup2(ours[1], 4)

        self.process = subprocess.Popen(command, preexec_fn=three_and_four, pass_fds=(3, 4), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.pending, self.number = b"", 0
        self.errors, self.requests = [], []
        self.target = None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.target = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Network", "Log":
            self.call(f"{domain}.enable")
        self.size(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- The protocol ----

    def receive(self, seconds):
        """The next message, or None."""
        deadline = time.monotonic() + seconds
        while b"\0" not in self.pending:
            ready = select.select([self.back], [], [], max(0, deadline - time.monotonic()))[0]
            if not ready:
                return None
            part = os.read(self.back, 1 << 20)
            assert part, "Chromium is gone"
            self.pending += part
        text, self.pending = self.pending.split(b"\0", 1)
        message = json.loads(text)
        self.note(message)
        return message

    def note(self, message):
        parameters = message.get("params", {})
        kind = message.get("method")
        if kind == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        if kind == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(str(parameters["args"]))
        if kind == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])
        if kind == "Network.requestWillBeSent" and parameters.get("type") != "Document":
            self.requests.append(parameters["request"]["url"])

    def call(self, method, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.target and not method.startswith("Target."):
            message["sessionId"] = self.target
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        deadline = time.monotonic() + SECONDS
        while True:
            reply = self.receive(deadline - time.monotonic())
            assert reply is not None, f"{method} was not answered"
            if reply.get("id") == number:
                assert "error" not in reply, reply
                return reply["result"]

    # ---- The page ----

    def size(self, width, height):
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, path):
        self.errors.clear()
        self.requests.clear()
        self.call("Page.navigate", url=f"file://{path}")
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def run(self, script):
        """The value of an expression."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, script):
        deadline = time.monotonic() + SECONDS
        while not self.run(script):
            assert time.monotonic() < deadline, f"never came true: {script}"
            time.sleep(0.02)

    def frame(self):
        """Until what was asked for is drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")

    def press(self, *keys):
        for key in keys:
            for kind in "keyDown", "keyUp":
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key],
                          text="\r" if key == "Enter" and kind == "keyDown" else "")
        self.frame()

    def point(self, selector, x=0.5, y=0.5, click=False):
        """Moves the pointer over an element, to a part of its width and height."""
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        self.frame()
        box = self.run(f"(({{left, top, width, height}}) => [left, top, width, height])("
                       f"document.querySelector({json.dumps(selector)}).getBoundingClientRect())")
        place = dict(x=box[0] + x * box[2], y=box[1] + y * box[3])
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)
        self.frame()

    def theme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        self.frame()

    def screenshot(self, path, whole=True):
        """A picture of the page, whole or what is seen of it."""
        self.frame()
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
