"""Calls of two at a given rate, by the load generator of the benches: one that does not get tired."""

import asyncio
import json
import os

from server import HOST, Failed

USERS = 10
CALLERS = [f"ann{i}" for i in range(USERS)]
CALLEES = [f"bo{i}" for i in range(USERS)]


class Window:
    """What happened between the warm-up and the last call's beginning."""

    def __init__(self, report, cpu_s, words):
        self.whole, window, self.words = report, report["window"], words
        self.seconds, self.cpu_s = window["ns"] / 1e9, cpu_s
        self.completed, self.refused = window["completed"], window["refused"]
        self.served_rate = self.completed / self.seconds
        self.served_per_cpu_s = max(self.completed, 1) / max(cpu_s, 1e-6)


async def press(context, server, base, rate, seconds, warm_s, tcp=False):
    """base: two ports, the same each time, or else every call would be forked to the phones of the last one. rate: new
    calls per second. The server's SIP thread is looked at in the window alone."""
    argv = [os.path.join(context.benches, "bench_sip_load"), "--server", f"{HOST}:{server.port}",
            "--caller", f"{HOST}:{base}", "--callee", f"{HOST}:{base + 1}", "--rate", str(int(rate)),
            "--seconds", str(warm_s + seconds), "--warm", str(warm_s), "--users", str(USERS), "--register", "--active"]
    words = os.path.join(server.directory, "load.err")
    with open(words, "wb") as errors:
        process = await asyncio.create_subprocess_exec(*argv, *(["--tcp"] if tcp else []), stderr=errors,
                                                       stdout=asyncio.subprocess.PIPE)
    cpu = {}

    def said():
        with open(words, encoding="utf-8", errors="replace") as f:
            return f.read()[:300].strip()

    try:
        while True:
            line = (await process.stdout.readline()).decode().strip()
            if line in ("ready", "warm", "cold"):
                cpu[line] = server.sip_cpu()
            elif line.startswith("{"):
                return Window(json.loads(line), cpu["cold"] - cpu["warm"], said())
            else:
                raise Failed(f"the load generator broke off at {rate:.0f} calls/s: {line} {said()}")
    finally:
        if process.returncode is None and line[:1] != "{":
            process.kill()
        await process.wait()
