"""Where the programs under test are, and how they were built. HEADLIGHT_BUILD is the build folder (default: build)."""

import mmap
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("HEADLIGHT_BUILD", ROOT / "build")).resolve()
PROGRAM = BUILD / "server" / "headlightd"
CLIENT = BUILD / "client" / "headlight"
ECHO_SERVER = BUILD / "tests" / "service" / "echo_server"


def is_sanitized(program):
    with open(program, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return re.search(rb"__[at]san_init", data) is not None


# Sanitizers are slow, and keep freed memory: bounds on time and on resident memory mean nothing then.
SANITIZED = is_sanitized(PROGRAM)

# What a user has set for programs of their own is none of the tests' business.
for variable in list(os.environ):
    if re.fullmatch(r"HEADLIGHT_(?!BUILD$|TEST_MODEL$).*|HF_.*|(?i:.*_proxy)", variable):
        del os.environ[variable]
