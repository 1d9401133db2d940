#!/usr/bin/env python3
"""Every bench runs for about a second, and loses nothing. No time is measured here."""
# timeout: 240

import os
import subprocess
import sys

from stage import BIN, Cases, Failed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def runs(name):
    out = os.path.join(os.path.dirname(os.path.abspath(BIN)), "bench-quick")
    try:
        done = bench(out, name)
    except subprocess.TimeoutExpired as problem:
        raise Failed(f"{name} takes too long: {problem.stdout}") from problem
    if done.returncode:
        raise Failed(done.stdout[-2000:])


def bench(out, name):
    return subprocess.run([sys.executable, os.path.join(ROOT, "bench", "bench.py"), "--quick", "--no-peers",
                           "--build", os.path.dirname(os.path.abspath(BIN)), "--out", out, name],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


cases = Cases()
for each in ("sip-proxy-udp", "sip-proxy-tcp", "sip-memory", "msrp-relay", "msrp-relay-tls", "msrp-fanout", "msrp-idle",
             "large-message", "upgrade", "growth", "two-models"):
    cases.run("bench " + each, ["FL-9"] if each == "two-models" else [], runs, each)
cases.done()
