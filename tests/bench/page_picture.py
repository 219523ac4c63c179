#!/usr/bin/env python3
"""Draws README's pictures of the page of `headlight explain`: a sentence of the sentiment classifier, in both themes.

    tests/bench/page_picture.py [--build build] [TEXT]

Needs a build and chromium-headless-shell.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "service"))

from browser import Browser  # noqa: E402  (found beside the tests)

TEXT = ("A gripping film, played with touching performances; the last half hour is dull, but I would see it again.")
METHODS = ("integrated-gradients,value-norm,rollout,occlusion,gradient-input,attention,surrogate-linear,"
           "surrogate-tree,anchor-rule,summary")
WIDTH, HEIGHT = 1200, 1480


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("text", nargs="?", default=TEXT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        explain(arguments.build, f"unix:{folder}/socket", page, arguments.text)
        draw(page)


def explain(build, address, page, text):
    """The page, by a server of its own."""
    environment = os.environ | {"HEADLIGHT_ADDRESS": address}
    client = build / "client" / "headlight"
    with subprocess.Popen([build / "server" / "headlightd", "--listen", address], stderr=subprocess.DEVNULL) as server:
        try:
            subprocess.run([client, "health", "--quiet", "--wait", "30"], env=environment, check=True)
            subprocess.run([client, "explain", "--format", "html", "--output", page, "--method", METHODS,
                            "--faithfulness", "--", text], env=environment, check=True, stdin=subprocess.DEVNULL)
        finally:
            server.terminate()


def draw(page):
    with Browser(WIDTH, HEIGHT) as browser:
        browser.open(page)
        browser.run("document.querySelector('[value=\"integrated-gradients\"]').click()")
        browser.run("document.querySelectorAll('.thumb')[4]?.click(); document.activeElement.blur()")
        for theme in "light", "dark":
            browser.theme(theme)
            browser.screenshot(ROOT / "tests" / "bench" / f"page_{theme}.png", whole=False)
        assert not browser.errors and not browser.requests, (browser.errors, browser.requests)


if __name__ == "__main__":
    main()
