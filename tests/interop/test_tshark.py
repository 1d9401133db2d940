#!/usr/bin/env python3
"""Wireshark reads a capture of FL-2: nothing malformed, and not a message more or less than the traces tell.

tshark reads only the first of several MSRP messages in one segment, so the TCP streams are put together and split into
messages here as well. Where capturing is not permitted, that is said, and the traces are looked at instead.
"""
# timeout: 180

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))
from stage import Cases, Failed, Stage, expect, read_trace  # noqa: E402
from framing import check_sip, msrp_frames, sip_messages  # noqa: E402

# An address of its own keeps whatever else runs on this machine out of the capture.
HOST = f"127.{os.getpid() >> 8 & 127 | 64}.{os.getpid() & 255}.1"
BO, CHARLES = "sip:bo@example.com", "sip:charles@example.com"
EACH = 100
IDS = ["R-10", "FL-2", "SW-4"]
READ_S = 60
# A mark in the capture is a SIP message that tshark must find malformed, so that it is seen to look.
MARK_PORT = 9
BROKEN = b"OPTIONS sip:mark SIP/2.0\r\nno colon in this line\r\nCall-ID: "


def say(text):
    print("note " + text, flush=True)


class Capture:
    """dumpcap on the loopback interface."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "flow.pcapng")
        self.said = os.path.join(folder, "dumpcap.err")
        with open(self.said, "w", encoding="utf-8") as err:
            command = ["dumpcap", "-i", "lo", "-f", f"host {HOST} and (tcp or udp)", "-B", "32", "-w", self.path]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        end = time.monotonic() + 10
        while "File: " not in self.text():
            if self.process.poll() is not None or time.monotonic() > end:
                self.end()
                raise PermissionError(" ".join(self.text().split())[:300] or "dumpcap does not start")
            time.sleep(0.02)
        self.mark()

    def text(self):
        with open(self.said, encoding="utf-8", errors="replace") as f:
            return f.read()

    def mark(self):
        """Sends a datagram and waits until it is in the file: so is all that went before."""
        mark = BROKEN + os.urandom(16).hex().encode() + b"\r\n\r\n"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            end = time.monotonic() + 15
            while time.monotonic() < end:
                s.sendto(mark, (HOST, MARK_PORT))
                time.sleep(0.05)
                with open(self.path, "rb") as f:
                    if mark in f.read():
                        return
        self.end()
        raise Failed("dumpcap starts, but sees nothing")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def tshark(path, *args):
    done = subprocess.run(["tshark", "-n", "-r", path, *args], capture_output=True, text=True, timeout=READ_S,
                          check=False)
    expect(done.returncode == 0, f"tshark ended with {done.returncode}: {done.stderr[-500:]}")
    return [line for line in done.stdout.splitlines() if line]


def fields(path, wanted, *args):
    """A row of field values for each packet."""
    columns = [x for w in wanted for x in ("-e", w)]
    return [dict(zip(wanted, line.split("\t"))) for line in
            tshark(path, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|", *columns, *args)]


def endpoint(host, port):
    return f"{host}:{port}"


class Wire:
    """What was captured: TCP streams by direction, datagrams."""

    def __init__(self, path):
        self.path = path
        self.pieces = defaultdict(dict)  # (from, to) -> sequence number -> bytes
        self.start = {}
        self.listening = {}  # both directions -> the side that was called
        self.datagrams = []
        wanted = ("ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.flags.syn", "tcp.flags.ack",
                  "tcp.payload", "udp.srcport", "udp.dstport", "udp.payload")
        for p in fields(path, wanted):
            kind = "tcp" if p["tcp.srcport"] else "udp"
            way = (endpoint(p["ip.src"], p[kind + ".srcport"]), endpoint(p["ip.dst"], p[kind + ".dstport"]))
            data = bytes.fromhex(p.get(kind + ".payload", ""))
            if kind == "udp":
                if not data.startswith(BROKEN):
                    self.datagrams.append((*way, data))
            else:
                self.add(way, p, data)

    def add(self, way, p, data):
        number = int(p["tcp.seq_raw"])
        if p["tcp.flags.syn"] in ("1", "True"):
            self.start[way] = number + 1
            called = way[0] if p["tcp.flags.ack"] in ("1", "True") else way[1]
            self.listening[way] = called
        elif data:
            expect(way in self.start, f"{way}: data before the connection")
            at = (number - self.start[way]) % (1 << 32)
            if len(data) > len(self.pieces[way].get(at, b"")):
                self.pieces[way][at] = data

    def stream(self, way):
        out = b""
        for at in sorted(self.pieces[way]):
            expect(at <= len(out), f"{way}: a hole in the capture at {len(out)}")
            out += self.pieces[way][at][len(out) - at:]
        return out

    def ways(self, protocol):
        """Directions of the TCP connections on which this is spoken."""
        msrp = {frozenset(w) for w in self.pieces if self.stream(w).startswith(b"MSRP ")}
        return [w for w in self.pieces if (frozenset(w) in msrp) == (protocol == "msrp")]

    def ports(self, protocol):
        """Where those connections led to."""
        return {self.listening[w].rsplit(":", 1)[1] for w in self.ways(protocol)}


class Traces:
    """What the programs wrote down of themselves."""

    def __init__(self, stage, people):
        self.server = read_trace(stage.trace)
        self.people = {name: read_trace(path) for name, path in people.items()}

    @staticmethod
    def sip(lines, way, side):
        """side: which end of the way wrote these lines ('remote' names the other one)."""
        sign, other = (">", way[1]) if side == 0 else ("<", way[0])
        return [m["bytes"] for m in lines if m["proto"] == "sip" and m["dir"] == sign and m["remote"] == other]

    @staticmethod
    def msrp(lines, way, side):
        sign, here, other = (">", way[0], way[1]) if side == 0 else ("<", way[1], way[0])
        return b"".join(m["bytes"] for m in lines if m["proto"] == "msrp" and m["dir"] == sign and
                        m["remote"] == other and m["local"] == here)

    def msrp_ways(self):
        """Every direction of every MSRP connection anybody wrote down."""
        out = set()
        for lines in (self.server, *self.people.values()):
            for m in lines:
                if m["proto"] == "msrp":
                    out.add((m["local"], m["remote"]) if m["dir"] == ">" else (m["remote"], m["local"]))
        return out

    def tellers(self, way):
        """(who, bytes) of all who told of this direction of an MSRP connection."""
        out = []
        for who, lines in (("confabd", self.server), *self.people.items()):
            for side in (0, 1):
                told = self.msrp(lines, way, side)
                if told:
                    out.append((who, told))
        return out


def play(stage):
    """FL-2 with messages all the while; Charles by UDP. Ends with everybody gone. The clients' traces."""
    ann, bo = stage.client("ann"), stage.client("bo")
    charles = stage.client("charles", transport="udp")
    chat = ann.chat(BO)
    ann.wait("open", conversation=chat)
    there = bo.wait("open")["conversation"]
    for i in range(EACH):
        ann.send(cmd="send", conversation=chat, text=f"ann {i}", tag=i)
        bo.send(cmd="send", conversation=there, text=f"bo {i}", tag=i)
        if i == EACH // 3:
            ann.send(cmd="add", conversation=chat, users=[CHARLES])
        time.sleep(0.01)
    third = charles.wait("open")["conversation"]
    ann.wait("moved")
    bo.wait("moved")
    for i in range(10):
        charles.send(cmd="send", conversation=third, text=f"charles {i}", tag=i)
    for c, others in ((ann, ("bo", "charles")), (bo, ("ann", "charles"))):
        for other in others:
            n = EACH if other != "charles" else 10
            c.until(lambda x, o=other, k=n: sum(t.startswith(o + " ") for t in x.texts()) >= k, f"all of {other}")
    for c, conversation, n in ((ann, chat, EACH), (bo, there, EACH), (charles, third, 10)):
        c.until(lambda x, k=n: len({e["id"] for e in x.events if e["event"] == "sent"
                                    and e["state"] in ("accepted", "delivered")}) >= k, "a 200 for all")
        c.send(cmd="leave", conversation=conversation)
        c.wait("ended")
    people = {c.name: c.trace for c in (ann, bo, charles)}
    bad = stage.stop()
    expect(not bad, "; ".join(bad))
    return people


def dissected(wire, stage):
    """tshark finds nothing malformed, and reads as much SIP as there is."""
    decode = ["-d", f"udp.port=={stage.sip_port},sip", "-d", f"udp.port=={MARK_PORT},sip"]
    for protocol in ("sip", "msrp"):
        expect(wire.ports(protocol), f"no {protocol} was captured")
        for port in wire.ports(protocol):
            decode += ["-d", f"tcp.port=={port},{protocol}"]
    shown = ("udp.dstport", "frame.number", "frame.protocols", "_ws.expert.message", "_ws.col.Info")
    suspect = fields(wire.path, shown, *decode, "-Y", "_ws.malformed || _ws.expert.severity == error")
    marks = [row for row in suspect if row["udp.dstport"] == str(MARK_PORT)]
    bad = [row for row in suspect if row not in marks]
    expect(marks, "tshark did not find the malformed packet that was put there")
    expect(not bad, f"{len(bad)} packets: {bad[:5]}")
    rows = fields(wire.path, ("frame.protocols", "sip.Method", "sip.Status-Code"), *decode, "-Y",
                  f"(sip || msrp) && !(udp.dstport == {MARK_PORT})")
    read = Counter()
    for row in rows:
        read["sip"] += sum(len(row[k].split("|")) for k in ("sip.Method", "sip.Status-Code") if row.get(k))
        read["msrp"] += "msrp" in row["frame.protocols"]
    expect(read["sip"] and read["msrp"], f"tshark read {dict(read)}")
    say(f"tshark read {read['sip']} SIP messages and {read['msrp']} packets of MSRP, none malformed")
    return read["sip"]


def sip_counted(wire, stage, traces):
    """Per connection and direction: the very messages of the server's trace, and of the clients'."""
    total = Counter()
    told_by_people = Counter()
    remotes = {m["remote"] for m in traces.server if m["proto"] == "sip"}
    for w in wire.ways("sip"):
        messages = sip_messages(wire.stream(w), f"{w[0]} to {w[1]}")
        side = 0 if w[1] in remotes else 1
        told = Traces.sip([m for m in traces.server if m["transport"] == "tcp"], w, side)
        expect(messages == told, f"{w}: {len(messages)} captured, {len(told)} in the server's trace")
        total["tcp"] += len(messages)
    for sender, receiver, data in wire.datagrams:
        check_sip(data, f"{sender} to {receiver}")
        total["udp"] += 1
    told = [m for m in traces.server if m["proto"] == "sip" and m["transport"] == "udp"]
    expect(sorted(d[2] for d in wire.datagrams) == sorted(m["bytes"] for m in told),
           f"{total['udp']} datagrams captured, {len(told)} in the server's trace")
    for name, lines in traces.people.items():
        told_by_people[name] = sum(m["proto"] == "sip" for m in lines)
    expect(sum(total.values()) == sum(told_by_people.values()),
           f"{dict(total)} captured, the clients' traces tell {dict(told_by_people)}")
    say(f"{total['tcp']} SIP messages by TCP and {total['udp']} by UDP, in the capture and in the traces")
    return sum(total.values())


def msrp_counted(wire, stage, traces):
    """Per connection and direction: as many frames as either end's trace, and the same bytes."""
    ways = wire.ways("msrp")
    counts = Counter()
    for w in ways:
        stream = wire.stream(w)
        frames = msrp_frames(stream, f"{w[0]} to {w[1]}")
        tellers = traces.tellers(w)
        expect(len(tellers) == 2, f"{w}: in the traces of {[who for who, _ in tellers]}")
        for who, told in tellers:
            n = len(msrp_frames(told, f"{w[0]} to {w[1]} as {who} has it"))
            expect(n == len(frames), f"{w}: {len(frames)} frames captured, {n} in the trace of {who}")
            expect(told == stream, f"{w}: the trace of {who} has other bytes")
        counts["server" if "confabd" in dict(tellers) else "direct"] += len(frames)
    expect(traces.msrp_ways() == set(ways), "the traces tell of other connections than were captured")
    expect(counts["direct"] and counts["server"], f"{dict(counts)}")
    say(f"{counts['direct']} MSRP frames between Ann and Bo, {counts['server']} to and from the switch")


def traces_alone(stage, traces):
    """Nothing was captured: every message parses, and both ends tell the same."""
    for w in sorted(traces.msrp_ways()):
        counts = {who: len(msrp_frames(told, f"{w} as {who} has it")) for who, told in traces.tellers(w)}
        expect(len(counts) == 2 and len(set(counts.values())) == 1, f"{w}: {counts}")
    for lines in (traces.server, *traces.people.values()):
        for m in lines:
            if m["proto"] == "sip":
                check_sip(m["bytes"], f"{m['who']} {m['dir']} {m['remote']}")
    server = sum(m["proto"] == "sip" for m in traces.server)
    people = sum(m["proto"] == "sip" for lines in traces.people.values() for m in lines)
    expect(server == people, f"{server} SIP messages in the server's trace, {people} in the clients'")


def captured(cases, stage, capture):
    people = {}
    try:
        passed = cases.run("FL-2 is played", ["FL-2"], lambda: people.update(play(stage)))
        if passed and capture:
            passed = cases.run("the capture is whole", ["FL-2"], capture.mark)
    finally:
        if capture:
            capture.end()
    if not passed:
        return
    traces = Traces(stage, people)
    if not capture:
        cases.run("every message of the traces parses", IDS, traces_alone, stage, traces)
        return
    say(f"dumpcap: {capture.text().strip().splitlines()[-1]}")
    wire = Wire(capture.path)
    read, counted = [], []
    cases.run("tshark finds no malformed SIP or MSRP", IDS, lambda: read.append(dissected(wire, stage)))
    cases.run("SIP: the capture is the traces", IDS, lambda: counted.append(sip_counted(wire, stage, traces)))
    cases.run("MSRP: the capture is the traces", IDS, msrp_counted, wire, stage, traces)
    if read and counted:
        cases.run("tshark reads all of the SIP", IDS, lambda: expect(read == counted, f"{read}, not {counted}"))


cases = Cases()
with Stage(host=HOST) as stage:
    try:
        capture = Capture(stage.dir)
    except (PermissionError, FileNotFoundError, Failed) as problem:
        say(f"capturing is not permitted here ({problem}): the programs' own traces are used instead")
        capture = None
    captured(cases, stage, capture)
cases.done()
