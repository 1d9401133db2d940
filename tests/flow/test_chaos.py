#!/usr/bin/env python3
"""Each part of ./run chaos for a few seconds. What it counts and expects holds; no time is judged."""
# timeout: 240

import os
import subprocess
import sys

from stage import BIN, Cases, Failed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = ("media", "idle", "death", "drain", "poor", "growth", "overload")


def holds(part):
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "chaos", "chaos.py"), "--quick",
                           "--build", os.path.dirname(os.path.abspath(BIN)), part],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=150)
    if done.returncode:
        raise Failed(done.stdout[-3000:])


cases = Cases()
for each in PARTS:
    cases.run("chaos " + each, [], holds, each)
cases.done()
