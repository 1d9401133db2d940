#!/usr/bin/env python3
"""SW-1 to SW-6: the switch of a real server, with raw phones that say and count every frame."""
# timeout: 240

import re
import time

from phone import Cpim, Phone, cpim, room, token
from stage import Cases, Stage, expect

ANN, BO, CY = "sip:ann@example.com", "sip:bo@example.com", "sip:charles@example.com"
NAMES = ("ann", "bo", "charles")
PRIVATE = {n: {"chatroom": "nickname private-messages"} for n in NAMES}


def conference_uri(call):
    return re.sub(r";.*", "", (call.answer or call.invite).contact)


def everybody(stage, **options):
    calls = room(stage, NAMES, options={n: dict(PRIVATE[n], **options.get(n, {})) for n in NAMES})
    return [calls[n].msrp for n in NAMES], conference_uri(calls["ann"]), calls


def quiet(*sessions):
    """What was sent before by anybody has arrived: each says a word that the others wait for."""
    for s in sessions:
        word = "quiet " + token()
        expect(s.send(cpim(s.phone.uri, None, word)) == 200, "the word was refused")
        for other in sessions:
            if other is not s:
                other.wait_text(word)


def once_and_in_order():
    with Stage() as stage:
        (ann, bo, cy), conf, _ = everybody(stage)
        sent = {s: [] for s in (ann, bo, cy)}
        for i in range(30):
            for s in (ann, bo, cy):
                text = f"{s.phone.name} {i} " + "x" * (i * 57)
                body = cpim(s.phone.uri, conf, text, headers="Subject: \u00fc\u4e2d \\t end\r\nNS: a <b>\r\na.Own: 1\r\n")
                sent[s].append(body)
                if i % 3 == 2:
                    status = s.send_chunks(body, 400 + i)
                    expect(status == 200, f"a chunk was refused: {status}")
                else:
                    expect(s.send(body) == 200, "a message was refused")
        quiet(ann, bo, cy)
        for s in (ann, bo, cy):
            for other in (ann, bo, cy):
                got = [b for _, _, b in s.messages if Cpim(b).text.startswith(other.phone.name + " ")]
                expect(got == ([] if s is other else sent[other]),
                       f"{s.phone.name} has {len(got)} of {other.phone.name}, or changed ones")


def private():
    with Stage() as stage:
        (ann, bo, cy), conf, calls = everybody(stage)
        for c in calls.values():
            tokens = c.attribute("chatroom")
            expect(tokens is not None and set(tokens.split()) == {"nickname", "private-messages"}, f"chatroom {tokens}")
        expect(ann.send(cpim(ANN, BO, "for bo")) == 200, "a private message was refused")
        expect(ann.send_chunks(cpim(ANN, CY, "for charles " + "y" * 5000), 700) == 200, "in chunks")
        quiet(ann, bo, cy)
        expect("for bo" in bo.texts() and "for bo" not in cy.texts(), "not bo alone")
        long = "for charles " + "y" * 5000
        expect(long in cy.texts() and long not in bo.texts(), "not charles alone")
        expect(ann.send(cpim(ANN, "sip:dora@example.com", "nobody")) == 404, "404 expected")
        expect(ann.send(cpim(ANN, [BO, CY], "both")) == 403, "403 expected")
        expect(bo.send(cpim(ANN, conf, "forged")) == 403, "403 expected")
        expect(bo.send(cpim([BO, ANN], conf, "forged too")) == 403, "403 expected")
        expect(bo.send("plain", content_type="text/plain") == 415, "415 expected")
        quiet(ann, bo, cy)
        for s in (ann, bo, cy):
            bad = [t for t in s.texts() if t in ("nobody", "both", "forged", "forged too", "plain")]
            expect(not bad, f"{s.phone.name} has {bad}")


def private_off():
    with Stage(settings=["msrp.private_messages = no", "msrp.nicknames = no"]) as stage:
        (ann, bo, cy), _, calls = everybody(stage)
        expect(calls["ann"].attribute("chatroom") == "", f"chatroom {calls['ann'].attribute('chatroom')}")
        expect(ann.send(cpim(ANN, BO, "for bo")) == 428, "428 expected")
        expect(ann.request("NICKNAME", 'Use-Nickname: "Annie"\r\n') == 403, "403 expected")
        quiet(ann, bo, cy)
        expect("for bo" not in bo.texts() + cy.texts(), "it went out")


def private_unknown():
    """RFC 7701 §6.2: a phone that says nothing of private messages cannot tell one from a word to all."""
    with Stage() as stage:
        (ann, bo, cy), _, _ = everybody(stage, bo={"chatroom": None}, charles={"chatroom": ""})
        expect(ann.send(cpim(ANN, BO, "for bo")) == 428, "428 expected of bo")
        expect(ann.send(cpim(ANN, CY, "for charles")) == 428, "428 expected of charles")
        expect(bo.send(cpim(BO, ANN, "for ann")) == 200, "ann takes them")
        ann.wait_text("for ann")
        quiet(ann, bo, cy)
        expect("for bo" not in bo.texts() and "for ann" not in cy.texts(), "it went out")


def wrapped_types():
    with Stage() as stage:
        (ann, bo, cy), conf, _ = everybody(stage, bo={"wrapped": "text/*"}, charles={"wrapped": "image/png text/plain"})
        picture = cpim(ANN, conf, b"\x89PNG\r\n-------x$\r\n\0", content_type="image/png")
        page = cpim(ANN, conf, "<p>", content_type="text/html")
        expect(ann.send(picture, mid="picture1") == 200 and ann.send(page, mid="page1") == 200, "refused")
        quiet(ann, bo, cy)
        bodies = {s: [b for _, _, b in s.messages] for s in (bo, cy)}
        expect(picture in bodies[cy] and picture not in bodies[bo], "the picture")
        expect(page in bodies[bo] and page not in bodies[cy], "the page")
        expect(not ann.reports("picture1") + ann.reports("page1"), "skipped is not failed")


def reports():
    with Stage() as stage:
        (ann, bo, cy), conf, _ = everybody(stage)
        # The switch answers for itself, and nothing that receivers report comes through.
        expect(ann.send(cpim(ANN, conf, "sure"), mid="sure1", success="yes") == 200, "refused")
        expect(ann.report("sure1").report_status == 200, "the switch's own success")
        bo.wait_text("sure")
        cy.wait_text("sure")
        for s in (bo, cy):
            f = next(f for f in s.frames if f.get("Message-ID") == "sure1")
            expect(f.get("Success-Report") in ("", "no"), "receivers are asked for no success report")
            tid = token()
            s.raw(s.head(tid, "REPORT", "Message-ID: sure1\r\nByte-Range: 1-4/4\r\nStatus: 000 200 OK\r\n")
                  + f"-------{tid}$\r\n")
        # One report for two that refuse; none where none is wanted; partial tells of failures alone.
        bo.answer = cy.answer = lambda f: 413 if b"bad" in f.body else 200
        expect(ann.send(cpim(ANN, conf, "bad yes"), mid="bad-yes") == 200, "refused")
        no = ann.send(cpim(ANN, conf, "bad no"), mid="bad-no", failure="no", wait=False)
        partial = ann.send(cpim(ANN, conf, "bad partial"), mid="bad-partial", failure="partial", wait=False)
        good = ann.send(cpim(ANN, conf, "good partial"), mid="good-partial", failure="partial", wait=False)
        expect(ann.report("bad-yes").report_status == 413, "413 reported")
        expect(ann.report("bad-partial").report_status == 413, "413 reported")
        bo.wait_text("good partial")
        quiet(ann, bo, cy)
        for mid, n in (("sure1", 1), ("bad-yes", 1), ("bad-no", 0), ("bad-partial", 1), ("good-partial", 0)):
            expect(len(ann.reports(mid)) == n, f"{mid}: {len(ann.reports(mid))} reports")
        expect(not [f for f in ann.frames if f.status and f.tid in (no, partial, good)], "answered all the same")
        # Refused by the switch itself: partial is told, no is not.
        partial = ann.send(cpim(ANN, "sip:x@y.example", "x"), failure="partial", wait=False)
        no = ann.send(cpim(ANN, "sip:x@y.example", "x"), failure="no", wait=False)
        expect(ann.response(partial).status == 404, "404 expected")
        quiet(ann, bo, cy)
        expect(not [f for f in ann.frames if f.tid == no], "an answer that was not wanted")


def wrapping():
    """The settings for phones that know little CPIM."""
    with Stage(settings=["msrp.wrap_plain = yes"]) as stage:
        (ann, bo, cy), conf, calls = everybody(stage, ann={"accept_types": "message/cpim text/plain"})
        expect("text/*" in calls["ann"].attribute("accept-types").split(), "plain text is offered")
        expect(ann.send("plain \u00e4".encode(), content_type="text/plain;charset=utf-8") == 200, "refused")
        expect(ann.send_chunks(b"z" * 5000, 999, content_type="text/plain") == 200, "refused in chunks")
        doubango = b"Subject: hi\r\n\r\nContent-Type: text/plain\r\n\r\nno names"
        expect(ann.send(doubango, content_type="message/CPIM") == 200, "CPIM without names")
        long = doubango + b" " + b"w" * 9000
        expect(ann.send_chunks(long, 2048, content_type="message/CPIM") == 200, "the same in chunks")
        large = doubango + b" " + b"v" * 300000
        expect(ann.send(large, content_type="message/CPIM") == 200, "the same, too large to be gathered")
        expect(bo.send(cpim(ANN, conf, "forged")) == 403, "a From that is there has to be right")
        for s in (bo, cy):
            for text in ("plain \u00e4", "z" * 5000, "no names", "no names " + "w" * 9000, "no names " + "v" * 300000):
                kind, body = s.wait_text(text)[1:]
                c = Cpim(body)
                expect(kind.lower() == "message/cpim" and ANN in (c.get("From") or "") and conf in (c.get("To") or ""),
                       f"{c.headers}")
                if text.startswith("no names"):
                    expect(c.get("Subject") == "hi" and body.endswith(text.encode()), "its own headers stay")


def without_names():
    """As it comes, CPIM without From is somebody else's for all the switch knows."""
    with Stage() as stage:
        (ann, _, _), _, _ = everybody(stage)
        expect(ann.send("Subject: hi\r\n\r\nContent-Type: text/plain\r\n\r\nno names", content_type="message/CPIM") == 403,
               "403 expected")


def later_chunks():
    """RFC 7701 §6.1: chunks go to whom the first one found, though it is they alone that say so."""
    with Stage(users=("ann", "bo", "charles")) as stage:
        (ann, bo, cy), _, calls = everybody(stage)
        body = cpim(ANN, CY, "a" * 3000)
        expect(ann.send(body[:1000], mid="long1", byte_range=f"1-1000/{len(body)}", flag="+") == 200, "first")
        expect(ann.send(cpim(ANN, None, "between"), mid="short1") == 200, "another one between")
        expect(ann.send(body[1000:2000], mid="long1", byte_range=f"1001-2000/{len(body)}", flag="+") == 200, "second")
        expect(ann.send(body[2000:], mid="long1", byte_range=f"2001-{len(body)}/{len(body)}") == 200, "last")
        cy.wait_text("a" * 3000)
        quiet(ann, bo, cy)
        expect(not any("aaa" in t for t in bo.texts()), "bo got some of it")
        # Abandoned in the middle: '#' reaches the receiver.
        expect(ann.send(body[:500], mid="long2", byte_range=f"1-500/{len(body)}", flag="+") == 200, "first")
        expect(ann.send(b"x", mid="long2", byte_range=f"501-501/{len(body)}", flag="#") == 200, "abort")
        cy.phone.until(lambda: any(f.get("Message-ID") == "long2" and f.flag == "#" for f in cy.frames), "the abort")
        expect(calls["bo"].msrp.closed is False, "bo is still there")


def stalled():
    with Stage(settings=["msrp.seat_backlog = 256K"]) as stage:
        (ann, bo, cy), conf, _ = everybody(stage)
        cy.phone.unwatch(cy.sock)
        block = "s" * 30000
        delays, mids = [], []
        for i in range(400):
            mids.append(f"stall{i}")
            before = time.monotonic()
            expect(ann.send(cpim(ANN, conf, f"{i} {block}"), mid=mids[-1]) == 200, "refused")
            bo.wait_text(f"{i} {block}")
            delays.append(time.monotonic() - before)
        expect(max(delays) < 2, f"bo waited {max(delays):.1f} s")
        failed = ann.phone.until(lambda: [m for m in mids if ann.reports(m)], "a report")
        expect(all(len(ann.reports(m)) <= 1 for m in mids), "more than one report on a message")
        expect(all(f.report_status >= 400 for m in failed for f in ann.reports(m)), "success?")
        # He reads again: what was kept for him comes, whole or ended by '#', and no stream is torn.
        cy.phone.watch(cy.sock, cy)
        quiet(ann, bo)
        cy.phone.until(lambda: len(cy.texts()) >= 1, "his messages")
        word = "back " + token()
        for _ in range(50):
            expect(ann.send(cpim(ANN, conf, word)) == 200, "refused")
            if word in cy.texts():
                break
            bo.wait_text(word)
        cy.wait_text(word)
        expect(not cy.phone.problems, f"his stream is broken: {cy.phone.problems}")
        got = [t for t in cy.texts() if t.endswith(block)]
        expect(got == sorted(got, key=lambda t: int(t.split()[0])) and len(set(got)) == len(got), "order")


def wrong_sessions():
    with Stage() as stage:
        (ann, bo, cy), conf, _ = everybody(stage)
        paths = {s.remote for s in (ann, bo, cy)}
        for p in paths:
            session = re.search(r"/([^/;]*);tcp$", p).group(1)
            expect(len(session) >= 16 and len(set(session)) >= 8, f"session id {session}")
        expect(len(paths) == 3, "a session id twice")
        # A guess: 481. Bo's session over Ann's connection: 506, and nothing changes for Bo.
        mine = ann.remote
        ann.remote = re.sub(r"/[^/;]*;tcp$", "/aa-guessguessguessguess;tcp", mine)
        expect(ann.send(cpim(ANN, conf, "x")) == 481, "481 expected")
        ann.remote = bo.remote
        expect(ann.send(cpim(BO, conf, "as bo")) == 506, "506 expected")
        ann.remote = mine
        # An end-line of any old tid in a body, also that of the very frame that it will be carried in before.
        expect(ann.send(cpim(ANN, conf, "one")) == 200, "refused")
        bo.wait_text("one")
        seen = [f.tid for f in bo.frames if f.method == "SEND"][-1]
        for tid in (seen, "abcd"):
            text = f"\r\n-------{tid}$\r\nMSRP {tid} SEND\r\n"
            expect(ann.send(cpim(ANN, conf, text), tid="efgh" + token(8)) == 200, "refused")
            bo.wait_text(text)
        tids = [f.tid for f in bo.frames + cy.frames if f.method == "SEND"]
        expect(len(set(tids)) == len(tids), "a transaction id twice")
        expect(not any(t[:8] in body for t in tids for body in ("one", mine)), "they can be guessed")
        # Bad framing costs that connection and no other.
        cy.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        cy.phone.until(lambda: cy.closed, "the end of the connection")
        expect(ann.send(cpim(ANN, conf, "two")) == 200, "refused")
        bo.wait_text("two")


def whole_chunks():
    with Stage(settings=["msrp.chunk_whole_max = 1M"]) as stage:
        (ann, bo, cy), conf, _ = everybody(stage)
        body = cpim(ANN, conf, "w" * 700000)
        # As some phones send it: one chunk, whatever the size.
        expect(ann.send(body, mid="whole1", byte_range=f"1-*/{len(body)}") == 200, "refused")
        for s in (bo, cy):
            s.wait_text("w" * 700000)
            frames = [f for f in s.frames if f.get("Message-ID") == "whole1"]
            expect(len(frames) == 1 and frames[0].flag == "$", f"{len(frames)} chunks")


def interrupted():
    """Above the size a chunk may be interrupted: a short message does not wait for the end of a long one."""
    with Stage(settings=["msrp.chunk_whole_max = 64K", "msrp.seat_backlog = 8M"]) as stage:
        (ann, bo, cy), conf, _ = everybody(stage)
        body = cpim(ANN, conf, "w" * 3000000)
        half = len(body) // 2
        tid = token()
        # An answer of hers would stand in the middle of her own chunk.
        ann.answer = lambda frame: None
        ann.raw(ann.head(tid, "SEND", f"Message-ID: large1\r\nByte-Range: 1-*/{len(body)}\r\n"
                                      "Content-Type: message/cpim\r\n\r\n").encode() + body[:half])
        bo.phone.until(lambda: len(bo.data) > half - 100000, "the first half")
        expect(cy.send(cpim(CY, conf, "short")) == 200, "refused")
        bo.wait_text("short")
        ann.raw(body[half:] + f"\r\n-------{tid}$\r\n".encode())
        expect(ann.response(tid).status == 200, "refused")
        bo.wait_text("w" * 3000000)
        frames = [f for f in bo.frames if f.get("Message-ID") == "large1"]
        expect(len(frames) >= 2 and all(f.flag == "+" for f in frames[:-1]) and frames[-1].flag == "$",
               f"flags {[f.flag for f in frames]}")


def nicknames():
    with Stage() as stage:
        (ann, bo, cy), conf, _ = everybody(stage)

        def nick(s, text):
            return s.request("NICKNAME", f"Use-Nickname: {text}\r\n" if text is not None else "")
        expect(nick(ann, '"Queen of \u00dcber"') == 200, "refused")
        expect(nick(bo, '"  queen  OF \u00dcber "') == 425, "the same name for two")
        expect(nick(ann, '"QUEEN of \u00dcber"') == 200, "her own again")
        for bad in (None, "bare", '"a', f'"{"x" * 1024}"', '"   "', '"\x01"'):
            expect(nick(bo, bad) == 424, f"424 expected of {bad!r}")
        expect(nick(bo, f'"{"x" * 1023}"') == 200, "1023 bytes are allowed")
        # Taken anew, and given back: then others may have them.
        expect(nick(bo, '"Bo \\"the bear\\""') == 200 and nick(cy, '"' + "x" * 1023 + '"') == 200, "the old one is free")
        expect(nick(cy, '"BO \\"THE BEAR\\""') == 425, "in use")
        expect(nick(ann, '""') == 200 and nick(cy, '"queen of \u00dcber"') == 200, "given back")
        # Another session's nickname cannot be set from here.
        mine, ann.remote = ann.remote, bo.remote
        expect(nick(ann, '"thief"') == 506, "506 expected")
        ann.remote = mine
        quiet(ann, bo, cy)


cases = Cases()
cases.run("each message once, in order, unchanged", ["SW-1"], once_and_in_order)
cases.run("to one alone; wrong From, To, type", ["SW-1", "SW-2"], private)
cases.run("private messages and nicknames off", ["SW-1"], private_off)
cases.run("private messages a phone does not know", ["SW-1"], private_unknown)
cases.run("wrapped types that are not taken", ["SW-2"], wrapped_types)
cases.run("reports", ["SW-2"], reports)
cases.run("on behalf of phones without CPIM", ["SW-2"], wrapping)
cases.run("CPIM without From", ["SW-2"], without_names)
cases.run("later chunks follow the first one", ["SW-2"], later_chunks)
cases.run("a stalled receiver", ["SW-3"], stalled)
cases.run("sessions, framing, transaction ids", ["SW-5"], wrong_sessions)
cases.run("one large chunk stays one", ["SW-6"], whole_chunks)
cases.run("a very large one is interrupted", ["SW-6"], interrupted)
cases.run("nicknames", ["SW-1"], nicknames)
cases.done()
