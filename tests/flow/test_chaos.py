#!/usr/bin/env python3
"""A server that cannot start, and each part of ./run chaos for a few seconds: what it counts and expects holds; no time
is judged."""
# timeout: 420

import os
import subprocess
import sys

from stage import BIN, Cases, Failed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = ("media", "idle", "death", "drain", "ending", "poor", "growth", "overload", "overload-calls")


def holds(part):
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "chaos", "chaos.py"), "--quick",
                           "--build", os.path.dirname(os.path.abspath(BIN)), part],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=150)
    if done.returncode:
        raise Failed(done.stdout[-3000:])


def start_fails():
    """Whatever is missing at the start is said in a line, and nothing worse happens."""
    for what in ("log.file=/nonexistent/x", "trace.file=/nonexistent/x", "store.path=/nonexistent/x",
                 "sip.listen=udp:203.0.113.77:5060"):
        done = subprocess.run([os.path.join(BIN, "confabd"), "--set", "store.path=/nonexistent/x", "--set", what],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        if done.returncode != 1 or "cannot start: " not in done.stdout:
            raise Failed(f"{what}: status {done.returncode}: {done.stdout}")


cases = Cases()
cases.run("a start that fails says why", [], start_fails)
for each in PARTS:
    cases.run("chaos " + each, [], holds, each)
cases.done()
