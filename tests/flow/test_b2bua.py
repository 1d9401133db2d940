#!/usr/bin/env python3
"""FL-3, PF-X-1: chats and the move with the participating functions in the media path, in all four combinations."""
# timeout: 900

import random
import subprocess

from moving import CUTS, EACH, SEED, move, side_by_side
from stage import BIN, DOMAIN, Cases, Stage, expect, free_ports, read_trace

BO = "sip:bo@example.com"


def modes(stage, **mode):
    for user, value in mode.items():
        subprocess.run([f"{BIN}/confabctl", "--store", stage.store, "user", "mode", f"sip:{user}@{DOMAIN}", value],
                       check=True, capture_output=True)


def chat(ann_mode, bo_mode):
    with Stage() as stage:
        modes(stage, ann=ann_mode, bo=bo_mode)
        ann, bo = stage.client("ann"), stage.client("bo")
        here = ann.chat(BO)
        ann.wait("open", conversation=here)
        there = bo.wait("open")["conversation"]
        for i in range(20):
            ann.send(cmd="send", conversation=here, text=f"ann {i}")
            bo.send(cmd="send", conversation=there, text=f"bo {i}")
        for x, y in ((ann, bo), (bo, ann)):
            want = [f"{x.name} {i}" for i in range(20)]
            y.until(lambda c, w=want: sum(t in w for t in c.texts()) >= 20, f"messages of {x.name}")
            expect([t for t in y.texts() if t in want] == want, f"{y.name} got {y.texts()}")
            # Success reports come from the other phone, not from the relay.
            x.until(lambda c: sum(e["event"] == "sent" and e["state"] == "delivered" for e in c.events) >= 20,
                    "delivery of all")
        ann.send(cmd="leave", conversation=here)
        bo.wait("ended", conversation=there)
        ann.wait("ended", conversation=here)
        trace = read_trace(stage.trace)
        through = any(m["proto"] == "msrp" for m in trace)
        expect(through == ("b2bua" in (ann_mode, bo_mode)), f"MSRP through the server: {through}")
        ids = {line for m in trace if m["proto"] == "sip" and m["bytes"].startswith(b"INVITE sip:bo@")
               for line in m["bytes"].split(b"\r\n") if line.startswith((b"Call-ID:", b"From:"))}
        expect(len(ids) == 2, f"Call-ID and From tag are not the same on all sides: {ids}")


def large():
    """3 MB at a time in both directions: streamed, and no faster than the other side takes."""
    with Stage(settings=("participating.mode = b2bua",), trace=False) as stage:
        ann, bo = stage.client("ann"), stage.client("bo")
        here = ann.chat(BO)
        ann.wait("open", conversation=here)
        there = bo.wait("open")["conversation"]
        for i in range(3):
            ann.send(cmd="send", conversation=here, text=f"{i}" + "x" * 3000000)
            bo.send(cmd="send", conversation=there, text=f"{i}" + "y" * 3000000)
        for person, letter in ((ann, "y"), (bo, "x")):
            person.until(lambda c: len(c.messages()) >= 3, "the large messages", timeout=60)
            expect(person.texts() == [f"{i}" + letter * 3000000 for i in range(3)], f"{person.name} got other text")
            person.until(lambda c: sum(e["event"] == "sent" and e["state"] == "delivered" for e in c.events) >= 3,
                         "delivery of all", timeout=60)


def moved(name, ann_mode, bo_mode, seed, cut=None):
    with Stage() as stage:
        modes(stage, ann=ann_mode, bo=bo_mode, charles=bo_mode)
        move(name, cut, random.Random(seed), stage, EACH)


class TwoServers:
    """Ann's server, and Bo's and Charles's: each is trusted by the other and serves a domain of its own."""

    def __init__(self, ann_mode, bo_mode):
        # The trust is by address, and both stand on one: phones therefore come from another.
        ports = [free_ports(1), free_ports(1)]
        self.first = Stage(users=("ann",), sip_port=ports[0], settings=(
            f"participating.mode = {ann_mode}", f"sip.routes = second.example=127.0.0.1:{ports[1]}",
            "sip.trusted = 127.0.0.1"))
        self.second = Stage(users=("bo", "charles"), sip_port=ports[1], domain="second.example", settings=(
            f"participating.mode = {bo_mode}", f"sip.routes = example.com=127.0.0.1:{ports[0]}",
            "sip.trusted = 127.0.0.1"))

    def client(self, name):
        return (self.first if name == "ann" else self.second).client(name, host="127.0.0.2")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for stage in (self.first, self.second):
            stage.__exit__(kind, value, trace)


def moved_between(name, ann_mode, bo_mode, seed):
    with TwoServers(ann_mode, bo_mode) as servers:
        move(name, None, random.Random(seed), servers, EACH, "sip:bo@second.example", "sip:charles@second.example")


if __name__ == "__main__":
    cases = Cases()
    jobs = []
    print(f"note seed {SEED}", flush=True)
    for i, (a, b) in enumerate((x, y) for x in ("proxy", "b2bua") for y in ("proxy", "b2bua")):
        cases.run(f"chat, originating {a}, terminating {b}", ["FL-1", "FL-3", "PF-9.1.2-2", "PF-9.1.2-3"], chat, a, b)
        jobs.append((f"move, originating {a}, terminating {b}", ["FL-2", "FL-3", "PF-X-1"], moved, f"{a} x {b}", a, b,
                     SEED + i))
        jobs.append((f"move between two servers, originating {a}, terminating {b}", ["FL-2", "FL-3", "PF-X-1"],
                     moved_between, f"two servers, {a} x {b}", a, b, SEED + i))
    for i, (what, cut) in enumerate((w, c) for w, c in CUTS.items() if c):
        jobs.append((f"move through two B2BUAs, cut when {what}", ["FL-3", "FL-10", "move-5"], moved,
                     f"b2bua x b2bua, {what}", "b2bua", "b2bua", SEED + 100 + i, cut))
    cases.run("large messages through two relays", ["SW-3", "SW-6", "FL-3"], large)
    side_by_side(cases, jobs, 4)
    cases.done()
