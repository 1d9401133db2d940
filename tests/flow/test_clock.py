#!/usr/bin/env python3
"""Somebody sets the clock of the machine while calls and registrations run. The server gets its wall clock by a library of
the tests' own (clock_shim.c), so that nobody else's clock moves."""
# timeout: 240

import os
import sqlite3
import struct
import tempfile
import time

from stage import BIN, WAIT_S, Cases, Failed, expect
from tls_stage import TlsStage

HOUR, YEAR = 3600, 365 * 24 * 3600
BO, CHARLES = "sip:bo@example.com", "sip:charles@example.com"
USERS = ["ann", "bo", "charles", *(f"new{i}" for i in range(5)), *(f"udp{i}" for i in range(5))]
NOTICED = "the clock was set by "
SHIM = os.path.abspath(os.path.join(BIN, "..", "tests", "libclock_shim.so"))


class Clock:
    """The wall clock of one server."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="confab-clock-")
        self.shift = 0
        self.set(0)

    def set(self, seconds):
        """So many seconds beside the real one. How far that is from where it was."""
        by, self.shift = seconds - self.shift, seconds
        with open(self.file.name, "r+b") as f:
            f.write(struct.pack("=q", seconds * 1000))
        return by

    def environment(self):
        options = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": SHIM, "CLOCK_SHIM": self.file.name,
                "ASAN_OPTIONS": (options + ":" if options else "") + "verify_asan_link_order=0"}

    def now(self):
        return time.time() + self.shift


class ClockStage(TlsStage):
    def __init__(self, **options):
        if not os.path.exists(SHIM):
            raise Failed(f"{SHIM} is not built")
        self.clock = Clock()
        super().__init__(users=USERS, environment=self.clock.environment(), msrp=True, **options)

    def jump(self, seconds, meanwhile=lambda: None):
        """meanwhile: what is done before the server has noticed, if it is quick."""
        before = self.log_text().count(NOTICED)
        by = self.clock.set(seconds)
        meanwhile()
        end = time.monotonic() + WAIT_S
        while self.log_text().count(NOTICED) == before:
            expect(time.monotonic() < end and self.process.poll() is None, "the log says nothing of the clock")
            time.sleep(0.02)
        said = float(self.log_text().split(NOTICED)[-1].split(" s:")[0])
        expect(abs(said - by) < 1, f"a jump of {by} s is said to be one of {said} s")

    def registrations(self):
        """How long each has left, by the server's own clock."""
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True) as db:
            rows = db.execute("SELECT aor, expires FROM binding").fetchall()
        return {aor: expires / 1000 - self.clock.now() for aor, expires in rows}

    def check_registrations(self, users):
        left = self.registrations()
        for user in users:
            aor = f"sip:{user}@example.com"
            expect(aor in left, f"{user} is not registered: {sorted(left)}")
            expect(0 < left[aor] < 2 * HOUR + 60, f"{user} is registered for {left[aor]:.0f} s")


def all_hear(clients, what):
    for c, chat in clients.items():
        c.send(cmd="send", conversation=chat, text=f"{what} from {c.name}")
    for c in clients:
        for other, chat in clients.items():
            if other is not c:
                other.wait("message", text=f"{what} from {c.name}", conversation=chat)
        expect(c.find("ended") < 0, f"{c.name}'s conversation ended")


def jumps():
    with ClockStage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo", transport="udp")
        charles = stage.by_tls("charles")
        ann.chat(BO, CHARLES)
        clients = {c: c.wait("open")["conversation"] for c in (ann, bo, charles)}
        all_hear(clients, "before")
        there = ["ann", "bo", "charles"]
        for i, (seconds, name) in enumerate(((2 * HOUR, "two hours on"), (0, "back"), (-2 * HOUR, "two hours before"),
                                             (10 * YEAR, "ten years on"), (0, "back again"))):
            lost = {c: len(c.events) for c in clients}
            stage.jump(seconds, lambda i=i: stage.client(f"udp{i}", transport="udp"))
            all_hear(clients, name)
            # New handshakes, and new digests; and an old nonce does for a new call.
            fresh = stage.by_tls(f"new{i}")
            number = ann.chat(fresh.uri)
            fresh.wait("open")
            ann.wait("open", conversation=number)
            there += [fresh.name, f"udp{i}"]
            stage.check_registrations(there)
            for c in clients:
                expect(c.find("register-failed", since=lost[c]) < 0 and c.find("connection", since=lost[c]) < 0,
                       f"{c.name} noticed something")
        expect(stage.log_text().count(NOTICED) == 5, "one line for each jump")


def jump_and_death(seconds):
    """What the store says is right by the new clock."""
    with ClockStage() as stage:
        ann, bo, charles = (stage.client(n, extra=["--keepalive", "2"]) for n in ("ann", "bo", "charles"))
        lone = stage.client("udp0", transport="udp")
        ann.chat(BO, CHARLES)
        clients = {c: c.wait("open")["conversation"] for c in (ann, bo, charles)}
        all_hear(clients, "before")
        uri = ann.wait("open")["uri"]
        stage.wait_until_kept(1)
        stage.jump(seconds)
        since = {c: len(c.events) for c in clients}
        stage.process.kill()
        stage.process.wait()
        stage.start()
        stage.check_registrations(["udp0"])
        for c, number in clients.items():
            c.wait("connection", since=since[c], conversation=number, state="restored", uri=uri)
        all_hear(clients, "after")
        # Who has not said a word since is still found.
        ann.chat(lone.uri)
        lone.wait("open")


cases = Cases()
cases.run("a clock that jumps", ["R-10"], jumps)
cases.run("a clock that jumps on, and kill -9", ["R-10", "CF-X-5"], jump_and_death, 2 * HOUR)
cases.run("a clock that jumps back, and kill -9", ["R-10", "CF-X-5"], jump_and_death, -2 * HOUR)
cases.done()
