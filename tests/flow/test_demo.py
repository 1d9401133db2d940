#!/usr/bin/env python3
"""The demo and its ladder: what they make of traces and events that are made up, and one real run."""
# timeout: 120

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import cells
import demo
import ladder
from stage import BIN, Cases, expect

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER, ANN, BO, CHARLES = "127.0.0.1:5060", "127.0.0.1:40001", "127.0.0.1:40002", "127.0.0.1:40003"
SWITCH = "127.0.0.1:2855"


# --- frames ---

def send_frame(tid, text, flag="$", message_id="m1", sender="ann"):
    body = (f"From: <sip:{sender}@example.com>\r\nTo: <sip:x@example.com>\r\n\r\n"
            f"Content-Type: text/plain;charset=utf-8\r\n\r\n{text}").encode()
    return (f"MSRP {tid} SEND\r\nTo-Path: msrp://{SWITCH}/s;tcp\r\nFrom-Path: msrp://127.0.0.1:9/a;tcp\r\n"
            f"Message-ID: {message_id}\r\nByte-Range: 1-{len(body)}/{len(body)}\r\nContent-Type: message/cpim\r\n\r\n"
            ).encode() + body + f"\r\n-------{tid}{flag}\r\n".encode()


def answer_frame(tid):
    return (f"MSRP {tid} 200 OK\r\nTo-Path: msrp://127.0.0.1:9/a;tcp\r\nFrom-Path: msrp://{SWITCH}/s;tcp\r\n"
            f"-------{tid}$\r\n").encode()


FRAMES = [
    send_frame("aaaa", "plain"),
    answer_frame("aaaa"),
    # A body full of what looks like its end.
    send_frame("bbbb", "\r\n-------bbb$\r\n-------bbbbb$\r\n\r\n-------bbbb\r\n-------bbbb$x\r\n-------aaaa$\r\nMSRP"),
    send_frame("cccc", "first part", "+"),
    send_frame("dddd", "", "#"),
    # No content, with and without the empty line.
    b"MSRP eeee SEND\r\nTo-Path: msrp://a:1/s;tcp\r\nFrom-Path: msrp://b:1/s;tcp\r\nMessage-ID: x\r\n\r\n-------eeee$\r\n",
    b"MSRP ffff SEND\r\nTo-Path: msrp://a:1/s;tcp\r\nFrom-Path: msrp://b:1/s;tcp\r\nMessage-ID: x\r\n-------ffff$\r\n",
    answer_frame("gggg"),
    send_frame("hhhh", "行きましょう 🎉"),
]


def frames_whole_and_in_pieces():
    stream = b"".join(FRAMES)
    expect(ladder.FrameReader().feed(stream) == FRAMES, "the whole stream")
    reader = ladder.FrameReader()
    got = [f for i in range(len(stream)) for f in reader.feed(stream[i:i + 1])]
    expect(got == FRAMES and not reader.left, "byte by byte")
    for cut in range(len(stream) + 1):
        reader = ladder.FrameReader()
        expect(reader.feed(stream[:cut]) + reader.feed(stream[cut:]) == FRAMES, f"cut at {cut}")


def frames_are_not_told_early():
    reader = ladder.FrameReader()
    for frame in FRAMES:
        expect(reader.feed(frame[:-1]) == [], "a frame without its last byte")
        expect(reader.feed(frame[-1:]) == [frame], "its last byte")


def broken_streams_are_told():
    for bad in (b"HTTP/1.1 200 OK\r\n\r\n", b"MSRQ", FRAMES[0] + b"\r\n", b"MSRP aaaa\r\n", b"MSRP x SEND\r\n" + b"a" * 99999):
        reader, told = ladder.FrameReader(), False
        try:
            reader.feed(bad)
        except ladder.Broken:
            told = True
        expect(told, f"{bad[:20]!r} was taken")
    wire = ladder.Wire([record(1, "ann", ">", "msrp", ANN, SWITCH, FRAMES[0] + b"nonsense"),
                        record(2, "ann", ">", "msrp", ANN, SWITCH, FRAMES[1])])
    expect(len(wire.messages) == 2 and "not MSRP" in wire.faults[0], f"{len(wire.messages)} {wire.faults}")
    wire = ladder.Wire([record(1, "ann", ">", "msrp", ANN, SWITCH, FRAMES[0][:-5])])
    expect(not wire.messages and "within a frame" in wire.faults[0], f"{wire.faults}")


def frames_are_read():
    f = ladder.Frame(FRAMES[8])
    expect((f.tid, f.kind, f.flag, f.text) == ("hhhh", "SEND", "$", "行きましょう 🎉"), f"{f.__dict__}")
    f = ladder.Frame(FRAMES[1])
    expect((f.status, f.body, f.text) == (200, b"", None), f"{f.__dict__}")
    expect(ladder.Frame(FRAMES[5]).body == b"" and ladder.Frame(FRAMES[6]).body == b"", "no content")
    expect(ladder.Frame(FRAMES[3]).flag == "+" and ladder.Frame(FRAMES[4]).flag == "#", "flags")


# --- traces ---

def record(t, who, way, proto, local, remote, data, transport="tcp"):
    who = who if who == "server" else f"sip:{who}@example.com"
    return {"t": t, "who": who, "dir": way, "proto": proto, "transport": transport, "local": local, "remote": remote,
            "bytes": data}


def sip(first, call="c1", cseq="1 INVITE", more="", body=""):
    return (f"{first}\r\nFrom: <sip:ann@example.com>;tag=1\r\nTo: <sip:bo@example.com>\r\nCall-ID: {call}\r\n"
            f"CSeq: {cseq}\r\n{more}\r\n{body}").encode()


INVITE = sip("INVITE sip:bo@example.com SIP/2.0")


def one_arrow_for_two_sightings():
    wire = ladder.Wire([
        record(1.0, "ann", ">", "sip", ANN, SERVER, INVITE), record(1.1, "server", "<", "sip", SERVER, ANN, INVITE),
        # The server's word of what it sent may come after its receiver's.
        record(1.4, "server", ">", "sip", SERVER, BO, INVITE + b"x"), record(1.3, "bo", "<", "sip", BO, SERVER, INVITE + b"x"),
    ])
    got = [(m.src, m.dst, m.t) for m in wire.messages]
    expect(got == [("Ann", "Server", 1.0), ("Server", "Bo", 1.3)] and not wire.once(), f"{got}")


def repeated_messages_stay_apart():
    wire = ladder.Wire([record(t, who, way, "sip", a, b, INVITE, "udp") for t, who, way, a, b in (
        (1.0, "ann", ">", ANN, SERVER), (1.5, "ann", ">", ANN, SERVER), (1.6, "server", "<", SERVER, ANN))])
    ladder.Story(wire.messages)
    expect([m.again for m in wire.messages] == [False, True], f"{[m.again for m in wire.messages]}")
    expect(len(wire.once()) == 1, "the one that was lost is not told")
    # Two that receive the same bytes are no pair, nor are two that send them.
    for way in "<>":
        wire = ladder.Wire([record(1, "ann", way, "sip", ANN, SERVER, INVITE), record(2, "bo", way, "sip", BO, SERVER, INVITE)])
        expect(len(wire.messages) == 2, f"joined by bytes alone: {way}")
    wire = ladder.Wire([record(1, "ann", ">", "sip", ANN, SERVER, INVITE), record(2, "ann", "<", "sip", ANN, SERVER, INVITE)])
    expect(len(wire.messages) == 2, "what comes back is not what was sent")


def pieces_of_streams_are_joined():
    stream = b"".join(FRAMES)
    back = answer_frame("zzzz")
    records = [record(1 + i / 1000, "bo", ">", "msrp", BO, ANN, stream[i:i + 7]) for i in range(0, len(stream), 7)]
    records += [record(1.5, "ann", "<", "msrp", ANN, BO, stream[:100]), record(1.6, "ann", "<", "msrp", ANN, BO, stream[100:])]
    # Another connection and the other direction, in the midst of it.
    records += [record(1.05, "ann", ">", "msrp", ANN, BO, back[:9]), record(1.2, "ann", ">", "msrp", ANN, BO, back[9:]),
                record(1.05, "ann", ">", "msrp", "127.0.0.1:40011", SWITCH, FRAMES[0])]
    wire = ladder.Wire(records)
    got = [m.raw for m in wire.messages if (m.src, m.dst) == ("Bo", "Ann")]
    expect(got == FRAMES, f"{len(got)} frames of Bo's")
    expect(all(m.seen_in and m.seen_out for m in wire.messages if m.src == "Bo"), "not joined with Ann's sightings")
    expect(sum(m.src == "Ann" for m in wire.messages) == 2 and not wire.faults, f"{wire.faults}")


def drawing_is_straight():
    records = [record(1.0, "ann", ">", "sip", ANN, SERVER, INVITE), record(1.1, "server", ">", "sip", SERVER, BO, INVITE + b"x"),
               record(1.15, "bo", ">", "sip", BO, SERVER, sip("SIP/2.0 200 OK")),
               record(1.2, "server", ">", "sip", SERVER, ANN, sip("SIP/2.0 200 OK", more="X: y\r\n")),
               record(1.3, "bo", ">", "msrp", BO, ANN, send_frame("abcd", "行きましょう! 🎉 and long enough to be cut")),
               record(1.4, "ann", ">", "msrp", ANN, BO, answer_frame("abcd"))]
    records += [record(2 + i / 100, "bo", ">", "msrp", BO, ANN, send_frame(f"t{i:03}", f"n {i}", message_id=f"i{i}"))
                for i in range(20)]
    for width in (60, 100, 141):
        for plain in (False, True):
            lines = ladder.draw(ladder.Wire(records), width, plain=plain)
            bar = "|" if plain else "│"
            arrows = [line for line in lines if re.match(r"  \d", line)]
            expect([line.split()[0] for line in arrows] == ["1", "2", "3", "4", "5", "5"], f"steps {arrows}")
            for line in arrows:
                at = [cells.width_of(line[:i]) for i, c in enumerate(line) if c == bar]
                ends = [cells.width_of(x[:x.index(bar)]) for x in lines if x.strip().startswith(bar)]
                expect(at and at[0] == ends[0] and cells.width_of(line) <= width, f"crooked: {line}")
            expect(not plain or all(ord(c) < 128 or c in "行きましょう🎉" for line in lines for c in line), "not plain")
            expect(sum(bool(re.search(r"\d+ SEND", line)) for line in lines) == 1, "the run is not folded")
    everything = "\n".join(ladder.draw(ladder.Wire(records), 100, everything=True))
    expect("n 19" in everything, "--all folds")


# --- events ---

def events(record_, script):
    for person, kind, fields in script:
        record_.take(person, {"event": kind, **fields})


def queued(person, text):
    return (person, "queued", {"id": f"{person}-{text}", "text": text})


def told(person, text, state):
    return (person, "sent", {"id": f"{person}-{text}", "state": state})


def got(person, sender, text):
    return (person, "message", {"from": f"sip:{sender.lower()}@example.com", "text": text})


GOOD = [
    queued("Ann", "p1"), got("Bo", "Ann", "p1"), told("Ann", "p1", "accepted"), told("Ann", "p1", "delivered"),
    queued("Ann", "p2"), got("Bo", "Ann", "p2"), told("Ann", "p2", "delivered"),
    ("Ann", "moving", {"conference": True}), ("Charles", "open", {"conference": True}),
    queued("Ann", "a1"), queued("Bo", "still to Ann"), queued("Ann", "a2"),
    got("Ann", "Bo", "still to Ann"), told("Bo", "still to Ann", "delivered"), ("Bo", "moving", {"conference": True}),
    told("Ann", "a1", "accepted"), told("Ann", "a2", "accepted"),
    got("Bo", "Ann", "a1"), got("Charles", "Ann", "a1"), got("Charles", "Ann", "a2"), got("Bo", "Ann", "a2"),
    queued("Charles", "c1"), told("Charles", "c1", "accepted"), got("Ann", "Charles", "c1"), got("Bo", "Charles", "c1"),
]


def judged(script, messages=()):
    record_ = demo.Record()
    events(record_, script)
    said = []
    verdict = demo.Verdict(record_, messages)
    return demo.finish(verdict, said.append), " ".join(said), verdict


def good_events_pass():
    status, said, verdict = judged(GOOD)
    expect(status == 0 and "FAILED" not in said, said)
    expect(verdict.lines()[-1].startswith("counts: 6 messages written, 9 arrivals due, 9 arrived, 0 doubled, 0 lost, "
                                          "0 out of order, 0 wrongly"), verdict.lines()[-1])


def bad_events_fail():
    swapped = list(GOOD)
    i, k = GOOD.index(got("Charles", "Ann", "a1")), GOOD.index(got("Charles", "Ann", "a2"))
    swapped[i], swapped[k] = swapped[k], swapped[i]
    without = [e for e in GOOD if e != got("Bo", "Ann", "a2")]
    cases_ = {
        "another order": (swapped, 'Charles saw the messages of Ann in another order'),
        "lost": (without, "Bo did not get “a2”"),
        "doubled": (GOOD + [got("Bo", "Ann", "a1")], "2 times"),
        "leaked": (GOOD + [got("Charles", "Bo", "still to Ann")], "Charles saw what was not meant"),
        "leaked at once": (GOOD + [got("Charles", "Ann", "p1")], "Charles saw what was not meant"),
        "made up": (GOOD + [got("Ann", "Bo", "never written")], "Ann saw what was not meant"),
        "wrong sender": ([got("Bo", "Charles", "p1") if e == got("Bo", "Ann", "p1") else e for e in GOOD], "did not get"),
        "heard himself": (GOOD + [got("Ann", "Ann", "a1")], "not meant"),
        "unconfirmed": ([e for e in GOOD if e != told("Ann", "a2", "accepted")], "was not told that “a2” arrived"),
        "failed": (GOOD + [told("Charles", "c1", "failed")], "(failed)"),
        "refused": (GOOD + [("Bo", "error", {"error": "no such conversation"})], "no such conversation"),
        "nothing": ([], "nobody wrote"),
    }
    for name, (script, text) in cases_.items():
        status, said, verdict = judged(script)
        expect(status == 1 and text in said, f"{name}: {status} {said}")
        expect(name[:6] != "leaked" or verdict.private_at_charles == 1, f"{name}: not counted")


def private_text_on_the_wire_fails():
    for who, local, remote in (("ann", ANN, SWITCH), ("bo", BO, CHARLES)):
        wire = ladder.Wire([record(1, who, ">", "msrp", local, remote, send_frame("aaaa", "p1")),
                            record(0, "server", "<", "msrp", SWITCH, ANN, answer_frame("x")),
                            record(0, "charles", "<", "msrp", CHARLES, BO, answer_frame("x"))])
        status, said, _ = judged(GOOD, wire.messages)
        expect(status == 1 and "written between two" in said, f"{said}")
    wire = ladder.Wire([record(1, "ann", ">", "msrp", ANN, BO, send_frame("aaaa", "p1")),
                        record(1, "bo", "<", "msrp", BO, ANN, send_frame("aaaa", "p1"))])
    expect(judged(GOOD, wire.messages)[0] == 0, "the direct session is where it belongs")


# --- screens ---

def screens_are_straight():
    for width, plain in ((60, True), (100, False), (133, False)):
        out, record_ = io.StringIO(), demo.Record()
        screens = demo.Screens(out, width, plain)
        screens.heads()
        m = demo.Written("Ann", "行きましょう! 楽しみにしています 🎉 " + "word " * 12)
        screens.own("Ann", m, 0)
        screens.flush(record_, 0.1)
        lines = len(out.getvalue().splitlines())
        expect(lines == 3, "a line did not wait for its tick")
        events(record_, [("Ann", "queued", {"id": "1", "draft": m}), got("Bo", "Ann", m.text),
                         ("Ann", "sent", {"id": "1", "state": "delivered"})])
        screens.message("Bo", "Ann", m.text, 0.1)
        screens.notice("Charles", "* Ann \x1b[31m\u202ejoined\x07", 0.1)
        screens.flush(record_, 0.2, everything=True)
        rows = out.getvalue().splitlines()
        bar = "|" if plain else "│"
        for row in rows[3:]:
            at = [cells.width_of(row[:i]) for i, c in enumerate(row) if c == bar]
            expect(at[:1] in ([], [screens.column + 1]) and cells.width_of(row) <= width, f"crooked: {row!r}")
        text = "\n".join(rows)
        expect(screens.tick in text and "Ann: 行き" in rows[3] and rows[3].startswith("> 行き"), f"not side by side: {rows[3]}")
        expect("\x1b" not in text and "\u202e" not in text and "\x07" not in text, "obeyed")


def late_ticks_are_shown():
    out, record_ = io.StringIO(), demo.Record()
    screens = demo.Screens(out, 100)
    m = demo.Written("Ann", "hello there")
    screens.own("Ann", m, 0)
    screens.flush(record_, demo.HOLD_S)
    expect(out.getvalue().strip().startswith("> hello there") and "✓" not in out.getvalue(), out.getvalue())
    m.state = "delivered"
    screens.flush(record_, 2)
    expect('✓ "hello there"' in out.getvalue(), out.getvalue())


def texts_are_wrapped():
    for text, n in (("abc", 3), ("行き", 4), ("🎉", 2), ("e\u0301", 1), ("a\u200db", 2), ("", 0)):
        expect(cells.width_of(text) == n, f"{text!r} takes {cells.width_of(text)} cells")
    for text in ("short", "a " * 40, "x" * 95, "行き" * 30, "mixed 行きましょう word " * 5, "", "é" * 30):
        for n in (3, 8, 20):
            lines = cells.wrap(text, n, "  ")
            expect(all(cells.width_of(line) <= n for line in lines), f"{text!r} at {n}: {lines}")
            expect("".join("".join(lines).split()) == "".join(text.split()), f"{text!r} at {n}: {lines}")


# --- the real thing ---

def environment(folder):
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "CONFAB_KEEP")}
    return dict(env, TMPDIR=folder, CONFAB_BIN="/nowhere")


def nothing_left(folder):
    expect(os.listdir(folder) == [], f"left behind: {os.listdir(folder)}")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                expect(folder.encode() not in f.read(), f"process {pid} is still there")
        except OSError:
            pass


def real_run():
    with tempfile.TemporaryDirectory(prefix="demo-") as top:
        folder, keep = os.path.join(top, "tmp"), os.path.join(top, "keep")
        os.mkdir(folder)
        done = subprocess.run([sys.executable, os.path.join(HERE, "demo.py"), BIN, "--keep", keep], env=environment(folder),
                              capture_output=True, text=True, timeout=100, check=False)
        text = done.stdout
        expect(done.returncode == 0, f"status {done.returncode}: {text[-1500:]} {done.stderr[-800:]}")
        nothing_left(folder)
        look_at_screens(text[:text.index("What was on the wire")])
        look_at_ladder(text[text.index("What was on the wire"):text.index("SIP on the wire:")])
        counts = text[text.index("SIP on the wire:"):]
        hit = re.search(r"^counts: (\d+) messages written, (\d+) arrivals due, (\d+) arrived, 0 doubled, 0 lost, "
                        r"0 out of order, 0 wrongly addressed$", counts, re.MULTILINE)
        expect(hit and int(hit.group(1)) >= 20 and hit.group(2) == hit.group(3), counts)
        expect(re.search(r"between Ann and Bo alone: [1-9]\d*; seen by Charles: 0; passed to the server: 0", counts), counts)
        expect("seen at one end only" not in counts, counts)
        expect(re.search(r"^  INVITE +\d+ +100: \d+, 200: 5", counts, re.MULTILINE), counts)
        alone = subprocess.run([sys.executable, os.path.join(HERE, "ladder.py"), "--all", keep], capture_output=True, text=True,
                               timeout=60, check=False)
        expect(alone.returncode == 0 and alone.stdout.count("REGISTER") >= 6 and "not drawn" not in alone.stdout,
               alone.stdout[-500:] + alone.stderr[-500:])


def look_at_screens(text):
    columns = {p: "" for p in demo.PEOPLE}
    for line in text.splitlines():
        parts, cell, at = ["", "", ""], 0, 0
        for c in line:
            if c == "│" and cell < 2:
                cell += 1
                continue
            parts[cell] += c
            at += 1
        for p, part in zip(demo.PEOPLE, parts):
            columns[p] += part.strip() + " "
    for person, wanted in {
            "Ann": ("> Hi Bo!", "✓", "Bo: 行きましょう!", "> /add charles", "* this chat is now a conference",
                    "* Charles joined", "Charles: Hi Ann", "* Charles left", "* the chat with the conference is over"),
            "Bo": ("* chatting with Ann", "Ann: Hi Bo!", "* this chat is now a conference", "* Charles joined", "> /leave"),
            "Charles": ("* you are in the conference", "Ann: Hello Charles!", "> /who", "* here: Ann, Bo, you"),
    }.items():
        for words in wanted:
            expect(words in columns[person], f"{person}'s screen lacks {words!r}: {columns[person]}")
    for words in ("ticket is our present", "cake", "lips are sealed"):
        expect(words not in columns["Charles"], f"Charles reads {words!r}")


def look_at_ladder(text):
    first = text[text.index("── Ann sets up a chat session with Bo"):text.index("── Ann adds Charles")]
    second = text[text.index("── Ann adds Charles"):]
    steps = [tuple(line.split(None, 1)) for line in first.splitlines() if re.match(r"  \d ", line)]
    expect([s[0] for s in steps] == ["1", "2", "3", "4", "5", "5"], f"steps {steps}")
    for (_, line), words in zip(steps, ("INVITE Bo", "INVITE Bo", "200 OK", "200 OK", "MSRP SEND", "MSRP 200")):
        expect(words in line, f"{words} expected: {line}")
    steps = re.findall(r"(?m)^  (\d) ", second)
    expect(set(steps) == set("123456"), f"steps of the move {steps}")
    flat = re.sub(r"[^\w{},?.]+", " ", second)
    for words in ("INVITE conference factory {Bo ? Replaces, Charles}", "200 OK, isfocus, MSRP URI",
                  "request MSRP resources", "INVITE Bo, Replaces, isfocus, Referred By Ann", "INVITE Charles, isfocus"):
        expect(words in flat, f"no {words!r} in {flat[:3000]}")
    for pattern in (r"  5 .*◀─+ BYE ─+│", r"  5 .* 200 OK \(BYE\) ", r"  6 .* INVITE Charles", r"  6 .* 200 OK", r"  6 .*MSRP SEND",
                    r"… \d+ SEND, \d+ 200"):
        expect(re.search(pattern, second), f"no line like {pattern}")


def signals_are_held():
    raised = 0
    try:
        with demo.HeldSignals():
            with demo.HeldSignals():
                demo.HeldSignals.arrived(signal.SIGINT, None)
            raised -= 1  # Not yet.
    except KeyboardInterrupt:
        raised += 2
    expect(raised == 1, "a held signal was lost, or came too early")
    with demo.HeldSignals():
        pass


def broken_off():
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        for words in ("Ann chats with Bo", "* chatting with"):
            with subprocess.Popen([sys.executable, "-u", os.path.join(HERE, "demo.py"), BIN], env=environment(folder),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
                said = ""
                while words not in said:
                    line = run.stdout.readline()
                    expect(line, f"no {words!r}: {said}")
                    said += line
                run.send_signal(signal.SIGINT)
                said += run.stdout.read()
                status = run.wait(30)
            expect(status == 130 and "broken off" in said and "Traceback" not in said, f"{status} {said[-1500:]}")
            nothing_left(folder)


def a_phone_dies():
    """Charles's phone is killed in the midst: the demo says so, and fails."""
    with tempfile.TemporaryDirectory(prefix="demo-") as top:
        folder, bin_ = os.path.join(top, "tmp"), os.path.join(top, "bin")
        os.mkdir(folder)
        os.mkdir(bin_)
        for name in ("confabd", "confabctl"):
            os.symlink(os.path.abspath(os.path.join(BIN, name)), os.path.join(bin_, name))
        real = os.path.abspath(os.path.join(BIN, "confab"))
        with open(os.path.join(bin_, "confab"), "w", encoding="utf-8") as f:
            # It hangs up when it is told of the conference.
            f.write(f'#!{sys.executable}\nimport subprocess, sys\n'
                    f'p = subprocess.Popen([{real!r}] + sys.argv[1:], stdout=subprocess.PIPE, text=True)\n'
                    'for line in p.stdout:\n'
                    '    if "charles@example.com" in sys.argv[2] and \'"conference":true\' in line:\n'
                    '        p.kill(); p.wait(); sys.exit(7)\n'
                    '    print(line, end="", flush=True)\n'
                    'sys.exit(p.wait())\n')
        os.chmod(os.path.join(bin_, "confab"), 0o755)
        begin = time.monotonic()
        done = subprocess.run([sys.executable, os.path.join(HERE, "demo.py"), bin_], env=environment(folder),
                              capture_output=True, text=True, timeout=100, check=False)
        expect(done.returncode == 1 and "demo: FAILED:" in done.stdout and "Charles" in done.stdout.split("FAILED", 1)[1],
               f"{done.returncode} after {time.monotonic() - begin:.0f} s: {done.stdout[-1500:]} {done.stderr[-500:]}")
        expect("── Ann adds Charles" in done.stdout, "no ladder of what there was")
        nothing_left(folder)


cases = Cases()
for what, function in (
        ("MSRP frames whole, byte by byte and cut anywhere", frames_whole_and_in_pieces),
        ("frames are told with their last byte", frames_are_not_told_early),
        ("broken streams are told", broken_streams_are_told),
        ("frames are read", frames_are_read),
        ("one arrow for two sightings", one_arrow_for_two_sightings),
        ("repeated messages stay apart", repeated_messages_stay_apart),
        ("pieces of streams are joined", pieces_of_streams_are_joined),
        ("the drawing is straight", drawing_is_straight),
        ("good events pass", good_events_pass),
        ("lost, doubled, disordered and leaked messages fail the demo", bad_events_fail),
        ("private text at the server or at Charles fails the demo", private_text_on_the_wire_fails),
        ("the screens are straight", screens_are_straight),
        ("late ticks are shown", late_ticks_are_shown),
        ("texts are wrapped", texts_are_wrapped)):
    cases.run(what, [], function)
cases.run("the demo, for real", ["FL-1", "FL-2"], real_run)
cases.run("signals are held while a process starts", [], signals_are_held)
cases.run("the demo broken off leaves nothing", [], broken_off)
cases.run("the demo fails when a phone dies", [], a_phone_dies)
cases.done()
