#!/usr/bin/env python3
"""SW-5: somebody hostile at the switch, with bare sockets: other people's sessions and names, memory, time. Each case does
what once worked, or would do harm if it did, and measures what others notice."""
# timeout: 150

import itertools
import os
import random
import resource
import socket
import subprocess
import threading
import time

import stage as stage_module
from msrp_intruder import HOST, Failed, Room, Sip, Wire, descriptors, resident, token, until, uri
from stage import DOMAIN, Cases, Stage, expect

MB = 1 << 20


class Site(Stage):
    """Trusts this machine's signalling; relayed: users whose chats go through the server."""

    def __init__(self, users, relayed=(), settings=(), **options):
        self.relayed = relayed
        super().__init__(users=users, settings=["sip.trusted = 127.0.0.1", *settings], trace=False, **options)
        self.sip = Sip(self)
        for user in users:
            self.sip.register(user)

    def start(self):
        for user in self.relayed:
            subprocess.run([os.path.join(stage_module.BIN, "confabctl"), "--store", self.store, "user", "mode", uri(user),
                            "b2bua"], check=True, capture_output=True)
        # Freed memory that the sanitizer holds back would count as the server's.
        os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:malloc_context_size=2"
        super().start()

    def room(self, *users, **options):
        return Room(self.sip, users, **options)


def shows(wire, session, **paths):
    """An empty SEND over the wire; its status."""
    tid = token()
    wire.write(session.head(tid, "SEND", f"Message-ID: {tid}\r\nByte-Range: 1-0/0\r\n", **paths) + f"-------{tid}$\r\n".encode())
    return wire.response(tid)


def sessions_of_others():
    with Site(["ann", "bo", "charles", "eve", "dora"], relayed=["dora"]) as site:
        for room in (site.room("ann", "bo", "charles"), site.room("dora", "eve", cpim=False)):
            a, b = room.sessions[:2]
            wire, ident = Wire(HOST, a.port), a.session_id
            wrong = [a.remote.replace(ident, x) for x in (ident.upper(), ident[:-1], ident + "x", "", ident[:3] + "x" * 28)]
            wrong += [f"{a.remote} {a.remote}", f"msrp://{HOST}:1/x;tcp {a.remote}"]
            for to in wrong:
                expect(shows(wire, a, to=to) == 481, f"{to} was taken")
            for by in (b.path, a.path.upper().replace("MSRP", "msrp"), a.path.replace("msrp:", "msrps:"),
                       f"msrp://{HOST}:1/x;tcp {a.path}", a.path.replace(":9/", ":10/")):
                expect(shows(wire, a, by=by) == 481, f"From-Path {by} was taken")
            room.bind()
            body = a.cpim("mine") if room.cpim else b"mine"
            expect(shows(wire, a) == 506, "a second connection")
            for method, status in (("NICKNAME", 506 if room.cpim else 481), ("AUTH", 481), ("OTHER", 481)):
                tid = token()
                wire.write(a.head(tid, method) + f"-------{tid}$\r\n".encode())
                got = wire.response(tid)
                expect(got in (status, 506), f"{method} of a second connection: {got}")
            wire.write(a.frame(body, tid="tstolen"))
            expect(wire.response("tstolen") == 506, "a second connection's words")
            # The other participant, over the connection that is his.
            for paths, status in (({"to": a.remote, "by": a.path}, 506), ({"to": b.remote, "by": a.path}, 481)):
                expect(b.send(body, **paths) == status, f"{paths}: not {status}")
            # His answers and reports, to transactions that are not his, mean nothing.
            for text in ("MSRP {0} 413 X", "MSRP {0} 200 OK", "MSRP {0} REPORT"):
                tid = token()
                fields = "Message-ID: m1\r\nByte-Range: 1-4/4\r\nStatus: 000 413 X\r\n" if "REPORT" in text else ""
                wire.write((text.format(tid) + f"\r\nTo-Path: {a.remote}\r\nFrom-Path: {b.path}\r\n{fields}-------{tid}$\r\n")
                           .encode())
            expect(a.send(a.cpim("still here") if room.cpim else b"still here") == 200, "the session is gone")
            b.got("still here")
            expect(not wire.over, "the second connection was closed, and it had said nothing that is no MSRP")
            wire.close()


def assembled(session, mid):
    """What a receiver makes of it: of bytes that overlap the last count (RFC 4975 section 7.3.1)."""
    whole = bytearray()
    for f in list(session.wire.frames):
        if f.method == "SEND" and f.get("message-id") == mid and f.body:
            at = int(f.get("byte-range").split("-")[0]) - 1
            whole[at:at + len(f.body)] = f.body
    return bytes(whole)


def names_of_others():
    with Site(["ann", "bo", "eve"]) as site:
        ann, bo, eve = site.room("ann", "bo", "eve").bind().sessions
        forged = [eve.cpim("x", by=ann.uri), eve.cpim("x", extra=f"From: <{ann.uri}>\r\n"),
                  eve.cpim("x", extra=f"NS: c <urn:ietf:params:cpim-headers:>\r\nc.From: <{ann.uri}>\r\n"),
                  eve.cpim("x", extra=f"A: b\nFrom: <{ann.uri}>\r\n"), eve.cpim("x", extra=f"A: b\rFrom: <{ann.uri}>\r\n"),
                  eve.cpim("x").replace(b"From: <", f"From: <{ann.uri}> <".encode(), 1), eve.cpim("x", to=eve.uri),
                  eve.cpim("x", to=f"sip:nobody@{DOMAIN}")]
        for body in forged:
            expect(eve.send(body) in (400, 403, 404), f"taken: {body[:60]}")
        expect(eve.send(b"x", kind="text/plain") == 415, "415 expected")
        # Byte 1 again, with another From.
        body, mid = eve.cpim("and so on, " * 20), token()
        expect(eve.send(body[:-9], mid=mid, total=len(body), flag="+") == 200, "refused")
        expect(eve.send(eve.cpim("", by=ann.uri)[:60], mid=mid, total=len(body), flag="+") == 400, "the head was overwritten")
        # Somebody else's Message-ID, while his message is under way, and before he has used it.
        body, mid = ann.cpim("I shall come at eight o'clock, " * 20), token()
        ann.send(body[:300], mid=mid, total=len(body), flag="+")
        eve.send(eve.cpim("I shall never come, " * 20), mid=mid)
        ann.send(body[300:], mid=mid, start=301, total=len(body))
        eve.send(eve.cpim("first"), mid="next1")
        expect(ann.send(ann.cpim("second"), mid="next1") == 200, "refused")
        expect(bo.got("second").get("message-id") != "next1", "two messages with one id")
        expect(assembled(bo, mid) == body, f"bo has {assembled(bo, mid)[:80]}")
        for f in bo.wire.frames:
            expect(not f.body or b"From: <sip:ann" not in f.body or b"eight" in f.body or b"second" in f.body, "forged")


def grown(site, before):
    return (resident(site) - before) / MB


def push(session, data, seconds):
    """Writes it again and again, until the server takes no more; how many bytes went."""
    sock, end, sent = session.wire.sock, time.monotonic() + seconds, 0
    sock.settimeout(0.5)
    try:
        while time.monotonic() < end:
            sock.sendall(data)
            sent += len(data)
    except OSError:
        pass
    return sent


def memory():
    """Each of these took as much memory as the server could get, or many times what the caps say."""
    with Site(["ann", "bo", "charles", "dora"], relayed=["dora"]) as site:
        room = site.room("ann", "bo")
        ann, bo = room.sessions
        bo.bind()
        bo.wire.keeps = False
        # At the port of another thread, and none of the answers is read.
        other = next(p for p in (site.msrp_port, site.msrp_port + 1) if p != ann.port)
        ann.connect(port=other, reads=False, window=4096)
        ann.bind()
        expect(b" 200 " in ann.wire.sock.recv(1000), "not bound")
        before = resident(site)
        sent = push(ann, b"".join(ann.frame(ann.cpim("x")) for _ in range(100)), 3)
        print(f"note {sent / MB:.0f} MB of requests, memory grew by {grown(site, before):.0f} MB", flush=True)
        expect(grown(site, before) < 40, f"answers that nobody reads: {grown(site, before):.0f} MB")
        room.hang_up()
        # One who is invited and not here yet, a large chunk that comes byte by byte.
        for relay in (False, True):
            room = site.room(*(("dora", "ann") if relay else ("ann", "charles")), cpim=not relay)
            ann, before = room.sessions[0].bind(), resident(site)
            frame = ann.frame(ann.cpim("z" * 200000) if not relay else b"z" * 200000)
            ann.wire.sock.settimeout(0.2)
            try:
                ann.wire.sock.sendall(frame[:2000])
                for at in range(2000, 14000):
                    ann.wire.sock.send(frame[at:at + 1])
                    if at % 5 == 0:
                        time.sleep(0.0002)  # so that most are read one by one
            except OSError:
                pass
            expect(grown(site, before) < 20, f"byte by byte, relay {relay}: {grown(site, before):.0f} MB")
            room.hang_up()


class Chat:
    """Two who behave, and how long each message of theirs takes."""

    def __init__(self, room):
        self.a, self.b = room.bind().sessions[:2]
        self.came, self.text = threading.Event(), b"-"
        self.b.hook = lambda f: f.body and self.text in f.body and self.came.set()
        self.a.wire.keeps = self.b.wire.keeps = False

    def measure(self, n=60):
        """(median, worst but one in fifty) in seconds."""
        took = []
        for _ in range(n):
            self.text = token().encode()
            self.came.clear()
            begin = time.monotonic()
            self.a.post(self.a.cpim(self.text))
            expect(self.came.wait(10), "a message of those who behave takes more than 10 s")
            took.append(time.monotonic() - begin)
        took.sort()
        return took[n // 2], took[-1 - n // 50]


def told(case, quiet, now):
    print(f"note {case}: median {now[0] * 1e3:.1f} ms, p98 {now[1] * 1e3:.1f} ms (quiet: {quiet[0] * 1e3:.1f}, "
          f"{quiet[1] * 1e3:.1f})", flush=True)
    expect(now[0] < quiet[0] * 20 + 0.1 and now[1] < quiet[1] * 20 + 0.5, f"{case}: the others wait")


STATES = (b"", b"MS", b"MSRP abcd SE", b"MSRP abcd SEND\r\nTo-Path: msrp://x/y;tcp\r\nFrom-P",
          b"MSRP abcd SEND\r\nTo-Path: msrp://x/y;tcp\r\nFrom-Path: msrp://x/z;tcp\r\nContent-Type: a/b\r\n\r\nabc\r\n-----")


def time_of_others():
    """Idle and dribbling connections up to the last descriptor, one who floods, many who do not read."""
    members = [f"m{i}" for i in range(20)]
    held = []
    with Site(["ann", "bo", "charles", *members], threads=1, settings=["msrp.max_connections_per_address = 0",
                                                                       "conference.max_per_user = 0"]) as site:
        chat = Chat(site.room("ann", "bo"))
        quiet = chat.measure()
        crowd = site.room(*members)
        for s in crowd.sessions:
            s.connect(reads=s is crowd.sessions[0], window=4096)
            s.bind()
        crowd.sessions[0].wire.keeps = False
        limit = 600
        resource.prlimit(site.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        for k in range(limit):
            s = socket.socket()
            s.settimeout(2)
            try:
                s.connect((HOST, site.msrp_port))
                s.sendall(STATES[k % len(STATES)])
            except OSError:
                pass
            held.append(s)
        until(lambda: descriptors(site) >= limit - 4, f"{descriptors(site)} descriptors of {limit} are in use")
        print(f"note {descriptors(site)} of {limit} descriptors in use, {len(held)} connections at the door", flush=True)
        over = threading.Event()

        def dribble():
            while not over.wait(0.02):
                for s in held[:200]:
                    try:
                        s.send(b"x")
                    except OSError:
                        pass

        def flood():
            blob = b"".join(crowd.sessions[0].frame(crowd.sessions[0].cpim("x"), lines="Failure-Report: no\r\n") for _ in range(300))
            while not over.is_set() and crowd.sessions[0].wire.write(blob):
                pass

        threads = [threading.Thread(target=f, daemon=True) for f in (dribble, flood)]
        threads[0].start()
        told("no descriptors left, and 200 who write a byte at a time", quiet, chat.measure())
        threads[1].start()
        told("one more, who floods 19 who read nothing", quiet, chat.measure())
        over.set()
        crowd.hang_up()
        for t in threads:
            t.join()
        for s in held:
            s.close()
        chat.measure(5)
        site.room("charles", "ann").sessions[0].bind()


def one_connection_for_two():
    """RFC 4975 section 5.4: two chats of dora over one connection; bo reads nothing, and the one with ann goes on."""
    with Site(["ann", "bo", "dora"], relayed=["dora"], threads=1) as site:
        dora, bo = site.room("dora", "bo", cpim=False).sessions
        also, ann = site.room("dora", "ann", cpim=False).sessions
        dora.bind()
        also.attach(dora.wire).bind()
        ann.bind()
        bo.connect(reads=False, window=4096)
        bo.bind()
        dora.wire.sock.settimeout(5)
        for _ in range(80):
            expect(dora.wire.write(dora.frame(b"x" * 200000, lines="Failure-Report: no\r\n")), "dora's connection stands still")
        expect(also.send(b"hello ann") == 200, "refused")
        ann.got("hello ann")
        # One of the two ends, the other stays.
        expect(site.sip.ask("BYE", dora.dialog[1], "dora", dora.dialog[0], [f"Route: {r}" for r in dora.dialog[3]],
                            to=dora.dialog[2], tag="f")[0] == 200, "BYE")
        expect(also.send(b"still here") == 200 and not dora.wire.over, "the connection ended with one of its sessions")
        ann.got("still here")


def chunks():
    """One below, at and above msrp.max_chunks; the receiver is told."""
    for relay in (False, True):
        with Site(["ann", "bo", "dora"], relayed=["dora"], settings=["msrp.max_chunks = 5", "msrp.max_message = 10K"],
                  threads=1) as site:
            a, b = site.room(*(("dora", "bo") if relay else ("ann", "bo")), cpim=not relay).bind().sessions
            for n in (4, 5, 6):
                mid, body = token(), (a.cpim("z" * 50) if not relay else b"z" * 200)
                cut = [0] + [len(body) - n + i for i in range(1, n)] + [len(body)]
                got = [a.send(body[i:j], mid=mid, start=i + 1, total=len(body), flag="$" if j == len(body) else "+")
                       for i, j in itertools.pairwise(cut)]
                expect(got == [200] * min(n, 5) + [413] * (n - 5), f"relay {relay}, {n} chunks: {got}")
                b.wire.wait(lambda f, mid=mid, n=n: f.get("message-id") == mid and f.flag == ("$" if n < 6 else "#"), "the end")
            room = 10240 - (len(a.cpim("")) if not relay else 0)
            for size, status in ((room - 1, 200), (room, 200), (room + 1, 413)):
                body = a.cpim("y" * size) if not relay else b"y" * size
                expect(a.send(body) == status, f"relay {relay}: {len(body)} bytes are not {status}")
                expect(a.send(body, total="*") == status, f"relay {relay}: {len(body)} bytes of an unknown total are not {status}")
                for total in (2**63 - 1, 2**64 - 1):
                    if not a.wire.over:
                        a.post(body, total=total)
                a.wire.close()
                a.connect().bind()


def end_lines():
    """What looks like an end-line, byte by byte and in one piece, and what ends the frame."""
    with Site(["ann", "bo", "dora"], relayed=["dora"], threads=1) as site:
        for a, b in (site.room("ann", "bo").bind().sessions, site.room("dora", "bo", cpim=False).bind().sessions):
            conference = a.room.cpim
            for pieces in (1, 3, 0):
                tid = token()
                near = "".join(f"\r\n-------{x}" for x in (tid + "x$\r\n", tid[:-1] + "$\r\n", tid + "$\r", tid + "%\r\n", tid + "$x",
                                                           tid.upper() + "$\r\n", "", "-" * 40, tid + "\r\n")) + "\r\n\r\n" + "\r" * 9
                text = (near + f"end{tid}").encode()
                frame = a.frame(a.cpim(text) if conference else text, tid=tid)
                for at in range(0, len(frame), pieces or len(frame)):
                    a.wire.write(frame[at:at + (pieces or len(frame))])
                expect(a.wire.response(tid) == 200, "refused")
                expect(b.text(b.got(f"end{tid}")) == text, f"in pieces of {pieces}: changed")


def accounts():
    """Receivers who stall, reset, half-close, close and come back at random: each 200 is delivered, or its sender is told."""
    rng = random.Random(int(os.environ.get("CONFAB_SEED", "") or int.from_bytes(os.urandom(4))))
    with Site(["ann", "bo", "charles", "dora", "eve"], relayed=["dora"],
              settings=["msrp.seat_backlog = 256K", "msrp.rebind_grace_ms = 3000"]) as site:
        rooms = [site.room("ann", "bo", "charles").bind(), site.room("dora", "eve", cpim=False).bind()]
        sent, arrived, acknowledged, reported = {}, {}, {}, set()
        for room in rooms:
            for s in room.sessions:
                s.hook = lambda f, s=s: arrives(s, f)
        over = threading.Event()

        def arrives(s, f):
            if f.status:
                acknowledged[f.tid] = f.status
            elif f.method == "REPORT" and " 200" not in f.get("status"):
                reported.add(f.get("message-id"))
            elif f.method == "SEND" and f.body is not None:
                parts = arrived.setdefault((s.user, f.get("message-id")), [0, False])
                parts[0] += len(f.body)
                parts[1] = parts[1] or f.flag == "$"

        def worry():
            victims = [s for room in rooms for s in room.sessions[1:]]
            while not over.is_set():
                s = rng.choice(victims)
                how = rng.choice(("stall", "reset", "half", "close"))
                if how == "stall":
                    s.answers = False
                    time.sleep(rng.random() * 0.3)
                    s.answers = True
                else:
                    s.wire.close(how)
                    time.sleep(rng.random() * 0.5)
                    s.come_back()
                time.sleep(rng.random() * 0.1)

        worrier = threading.Thread(target=worry, daemon=True)
        worrier.start()
        end = time.monotonic() + 4
        for i in itertools.count():
            if time.monotonic() > end:
                break
            for room in rooms:
                s, mid = room.sessions[0], f"M{i}{'c' if room.cpim else 'r'}"
                text = b"x" * rng.choice((10, 300, 3000, 80000 if i % 25 == 0 else 40))
                body, step = (s.cpim(text) if room.cpim else text), rng.choice((300, 5000, 100000))
                sent[mid] = (room, [s.post(body[at:at + step], mid=mid, start=at + 1, total=len(body),
                                           flag="$" if at + step >= len(body) else "+") for at in range(0, len(body), step)])
            time.sleep(0.01)
        over.set()
        worrier.join()

        def open_ones():
            # What fails after its beginning was told of is cut by '#': its writer has a report.
            return [mid for mid, (room, tids) in sent.items()
                    if mid not in reported and all(acknowledged.get(t) == 200 for t in tids)
                    and not all(arrived.get((s.user, mid), [0, False])[1] for s in room.sessions[1:])]

        until(lambda: not open_ones(), "some were acknowledged, and neither delivered nor reported", 45)
        good = sum(all(acknowledged.get(t) == 200 for t in tids) for _, tids in sent.values())
        print(f"note {len(sent)} messages, {good} acknowledged, {len(reported)} reported, 0 unaccounted", flush=True)
        expect(good > 50, "hardly anything was acknowledged")


def main():
    cases = Cases()
    todo = [("sessions of others", ["SW-5"], sessions_of_others), ("names of others", ["SW-2"], names_of_others),
            ("memory", ["SW-3"], memory), ("time of others", ["SW-3"], time_of_others),
            ("two sessions over one connection", ["SW-3", "SW-4"], one_connection_for_two), ("chunks and sizes", ["SW-5"], chunks),
            ("end-lines", ["SW-5"], end_lines), ("each 200 is delivered or told of", ["SW-2", "SW-3"], accounts)]
    for name, ids, function in todo:
        cases.run(name, ids, function)
    cases.done()


if __name__ == "__main__":
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except ValueError as problem:
        raise Failed("too few descriptors for this test") from problem
    main()
