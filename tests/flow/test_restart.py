#!/usr/bin/env python3
"""The server is killed and starts again: registrations, and the conversations that went by it, come back within seconds by
themselves, as the same conversations. And a client that was killed comes back to its conference."""
# timeout: 300

import os
import signal
import socket
import sqlite3
import time

from stage import Cases, Stage, expect

BO, CHARLES = "sip:bo@example.com", "sip:charles@example.com"
SOON = 20


def kill(stage, failures=0):
    """As by kill -9; it is up again when this returns, after so many attempts of a client's to register."""
    stage.process.kill()
    stage.process.wait()
    witness = stage.clients[0]
    since = len(witness.events)
    witness.until(lambda c: sum(e["event"] == "register-failed" for e in c.events[since:]) >= failures,
                  "the client's attempts to register")
    began = time.monotonic()
    stage.start()
    return began


def all_in_the_roster(clients):
    """Which each subscribes to anew."""
    for c, number in clients.items():
        def everybody(c, number=number):
            since = len(c.events)
            c.send(cmd="who", conversation=number)
            people = c.wait("roster", since=since)["participants"]
            return sum(p["status"] == "connected" for p in people) == len(clients)
        c.until(everybody, "everybody in the roster")


def restored(clients, since):
    for c, chat in clients.items():
        c.wait("connection", since=since[c], conversation=chat, state="restored", timeout=SOON)


def all_hear(clients, what):
    for c, chat in clients.items():
        c.send(cmd="send", conversation=chat, text=f"{what} from {c.name}")
    for c in clients:
        for other, chat in clients.items():
            if other is not c:
                other.wait("message", text=f"{what} from {c.name}", conversation=chat, timeout=SOON)
    for c in clients:
        expect(len(c.texts()) == len(set(c.texts())), f"{c.name} saw something twice: {c.texts()}")


def conference(transport, kept):
    with Stage(settings=[] if kept else ["conference.comeback = 0"]) as stage:
        ann, bo, charles = (stage.client(n, transport=transport, extra=["--keepalive", "2"])
                            for n in ("ann", "bo", "charles"))
        chat = ann.chat(BO, CHARLES)
        clients = {c: c.wait("open")["conversation"] for c in (ann, bo, charles)}
        expect(clients[ann] == chat, "Ann's number")
        for c in clients:
            c.until(lambda x: len({e["peer"] for e in x.events if e["event"] == "joined"}) == 2, "all have joined")
        all_hear(clients, "before")
        before = {c.wait("open")["uri"] for c in clients}
        expect(len(before) == 1, f"one conference: {before}")
        stage.wait_until_kept(1 if kept else 0)
        since = {c: len(c.events) for c in clients}
        began = kill(stage)
        # Written while nobody hears it: it is not lost.
        for c, number in clients.items():
            c.send(cmd="send", conversation=number, text=f"meanwhile from {c.name}")
        restored(clients, since)
        took = time.monotonic() - began
        for c in clients:
            for other, number in clients.items():
                if other is not c:
                    other.wait("message", text=f"meanwhile from {c.name}", conversation=number, timeout=SOON)
        all_hear(clients, "after")
        for c in clients:
            expect(c.find("ended") < 0, f"{c.name}'s conversation ended")
            expect(len([e for e in c.events if e["event"] == "open"]) == 1, f"{c.name} has a second conversation")
        uris = {c.wait("connection", since=since[c], state="restored").get("uri") for c in clients}
        expect(len(uris) == 1 and None not in uris, f"one conference: {uris}")
        expect((uris == before) == kept, f"the same conference: {before}, then {uris}")
        all_in_the_roster(clients)
        print(f"note a conference of three over {transport}, {'kept' if kept else 'made anew'}: all back {took:.1f} s after the server",
              flush=True)


def one_again(clients, since, timeout=SOON):
    """All are in one conference, as the one conversation that each of them had."""
    end = time.monotonic() + timeout
    while True:
        back = {}
        for c, number in clients.items():
            c.pump(0.05)
            back[c.name] = [e["uri"] for e in c.events[since[c]:] if e["event"] == "connection" and e.get("uri")
                            and e.get("conversation") == number and e["state"] == "restored"]
        if all(back.values()) and len({uris[-1] for uris in back.values()}) == 1:
            return
        expect(time.monotonic() < end, f"one conference: {back}")


def first_moments(by, kept):
    """The server is killed when everybody has just come in, and not everybody has been told who else is in."""
    with Stage(settings=[] if kept else ["conference.comeback = 0"]) as stage:
        people = {n: stage.client(n, extra=["--keepalive", "2"]) for n in ("ann", "bo", "charles")}
        people[by].chat(*(f"sip:{n}@example.com" for n in people if n != by))
        clients = {c: c.wait("open")["conversation"] for c in people.values()}
        since = {c: len(c.events) for c in clients}
        told = sum(len({e["peer"] for e in c.events if e["event"] == "joined"}) == 2 for c in clients)
        began = kill(stage)
        restored(clients, since)
        all_in_the_roster(clients)
        all_hear(clients, "after")
        for c in clients:
            expect(len([e for e in c.events if e["event"] == "open"]) == 1, f"{c.name} has a second conversation")
            expect(c.find("ended") < 0, f"{c.name}'s conversation ended")
        print(f"note killed when {told} of three had the whole roster: all back {time.monotonic() - began:.1f} s after the server",
              flush=True)


def maker_away():
    """Ann has made it, and would make it anew, but is away until Bo has done it; then she comes."""
    with Stage(settings=["conference.comeback = 0"]) as stage:
        ann, bo, charles = (stage.client(n, extra=["--keepalive", "2"]) for n in ("ann", "bo", "charles"))
        ann.chat(BO, CHARLES)
        clients = {c: c.wait("open")["conversation"] for c in (ann, bo, charles)}
        since = {c: len(c.events) for c in clients}
        stage.process.kill()
        stage.process.wait()
        os.kill(ann.process.pid, signal.SIGSTOP)
        try:
            stage.start()
            restored({c: clients[c] for c in (bo, charles)}, since)
        finally:
            os.kill(ann.process.pid, signal.SIGCONT)
        one_again(clients, since, timeout=60)
        all_in_the_roster(clients)
        all_hear(clients, "after")
        one_again(clients, since)
        for c in clients:
            expect(len([e for e in c.events if e["event"] == "open"]) == 1, f"{c.name} has a second conversation")
            expect(c.find("ended") < 0, f"{c.name}'s conversation ended")


def last_words(client):
    """What is known of each message of a client's, by its text."""
    text = {e["tag"]: e["id"] for e in client.events if e["event"] == "queued" and "tag" in e}
    said = {}
    for e in client.events:
        if e["event"] == "sent":
            said.setdefault(e["id"], []).append(e["state"])
    return {t: said.get(i, []) for t, i in text.items()}


def under_load(failures, kept):
    """Everybody writes all the time while the server is killed: what was acknowledged is seen, once, or its writer is told."""
    with Stage(settings=[] if kept else ["conference.comeback = 0"]) as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        ann.chat(BO, CHARLES)
        clients = {c: c.wait("open")["conversation"] for c in (ann, bo, charles)}
        for c in clients:
            c.until(lambda x: len({e["peer"] for e in x.events if e["event"] == "joined"}) == 2, "all have joined")
        all_hear(clients, "before")
        stage.wait_until_kept(1 if kept else 0)
        since = {c: len(c.events) for c in clients}
        for n in range(150):
            for c, number in clients.items():
                c.send(cmd="send", conversation=number, text=f"{c.name} {n}", tag=f"{c.name} {n}")
            if n == 60:
                kill(stage, failures)
        restored(clients, since)
        all_hear(clients, "after")
        for c in clients:
            c.until(lambda x: all(last_words(x).values()), "a word on every message")
            for text, states in last_words(c).items():
                if "failed" in states or "unconfirmed" in states:
                    continue
                for other, number in clients.items():
                    if other is not c:
                        other.wait("message", text=text, conversation=number)
        for c in clients:
            expect(len(c.texts()) == len(set(c.texts())), f"{c.name} saw something twice")
        told = sum("failed" in s or "unconfirmed" in s for c in clients for s in last_words(c).values())
        print(f"note 450 messages while the server was killed ({failures} attempts to register): {told} told as not delivered, 0 unaccounted",
              flush=True)


def relayed(transport):
    with Stage(settings=["participating.mode = b2bua"]) as stage:
        ann, bo = (stage.client(n, transport=transport, extra=["--keepalive", "2"]) for n in ("ann", "bo"))
        chat = ann.chat(BO)
        ann.wait("open")
        clients = {ann: chat, bo: bo.wait("open")["conversation"]}
        all_hear(clients, "before")
        since = {c: len(c.events) for c in clients}
        began = kill(stage)
        for c, number in clients.items():
            c.send(cmd="send", conversation=number, text=f"meanwhile from {c.name}")
        restored(clients, since)
        took = time.monotonic() - began
        ann.wait("message", text="meanwhile from bo", timeout=SOON)
        bo.wait("message", text="meanwhile from ann", timeout=SOON)
        all_hear(clients, "after")
        for c in clients:
            expect(c.find("ended") < 0 and len([e for e in c.events if e["event"] == "open"]) == 1,
                   f"{c.name}: not the same conversation")
        print(f"note a relayed chat over {transport}: back {took:.1f} s after the server", flush=True)


def direct():
    """MSRP runs straight between the two, with or without a server; and its dialog is what it was."""
    with Stage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo")
        chat = ann.chat(BO)
        ann.wait("open")
        clients = {ann: chat, bo: bo.wait("open")["conversation"]}
        all_hear(clients, "before")
        since = {c: len(c.events) for c in clients}
        stage.process.kill()
        stage.process.wait()
        all_hear(clients, "without a server")
        stage.start()
        for c in clients:
            c.wait("registered", since=since[c], timeout=SOON)
        all_hear(clients, "after")
        for c in clients:
            expect(c.find("ended") < 0, f"{c.name}'s conversation ended")
        # The dialog is still good for Replaces: the chat becomes a conference as if nothing had been.
        charles = stage.client("charles")
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        clients[charles] = charles.wait("open", timeout=SOON)["conversation"]
        bo.wait("moved", timeout=SOON)
        ann.wait("moved", timeout=SOON)
        all_hear(clients, "all")


def client_killed():
    """The conference's URI is all that is needed to come back to it."""
    with Stage() as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        ann.chat(BO, CHARLES)
        uri = bo.wait("open")["uri"]
        clients = {c: c.wait("open")["conversation"] for c in (ann, bo, charles)}
        all_hear(clients, "before")
        bo.process.kill()
        bo.process.wait()
        stage.clients.remove(bo)
        again = stage.client("bo", extra=["--rejoin", uri])
        clients = {ann: clients[ann], charles: clients[charles],
                   again: again.wait("open", timeout=SOON)["conversation"]}
        expect(again.wait("open")["uri"] == uri, "the same conference")
        all_hear(clients, "after")


def damaged():
    """A row that cannot be read is left out, with a line in the log; the others come back."""
    with Stage() as stage:
        ann, bo, charles = (stage.client(n, extra=["--keepalive", "2"]) for n in ("ann", "bo", "charles"))
        uris, chats = [], []
        for n in range(2):
            chats.append(ann.chat(BO, CHARLES))
            uris.append(ann.wait("open", conversation=chats[n])["uri"])
            for c in (bo, charles):
                c.wait("open", uri=uris[n])
        stage.wait_until_kept(2)
        stage.process.kill()
        stage.process.wait()
        with sqlite3.connect(stage.store) as db:
            name, record = db.execute("SELECT user, record FROM conference ORDER BY id").fetchone()
            expect(name in uris[0], "the first one is the first one")
            db.execute("UPDATE conference SET record = ? WHERE user = ?", (record[:-7] + b"\xff\0\xff", name))
        db.close()
        since = len(ann.events)
        stage.start()
        end, log = time.monotonic() + SOON, ""
        while "conferences of before" not in log and time.monotonic() < end:
            with open(os.path.join(stage.dir, "server.log"), encoding="utf-8") as f:
                log = f.read()
            time.sleep(0.02)
        expect(f"{name} of before is left out: does not follow the grammar" in log, f"the log: {log[-500:]}")
        expect("1 conferences of before" in log, "the other one")
        back = {e: ann.wait("connection", since=since, conversation=chat, state="restored", timeout=SOON)["uri"]
                for e, chat in enumerate(chats)}
        expect(back[1] == uris[1] and back[0] != uris[0], f"{uris}, then {back}")


def third_party(port, user):
    """What the S-CSCF says when somebody has registered there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(5)
        here = "127.0.0.1:%d" % s.getsockname()[1]
        s.sendto("\r\n".join([
            "REGISTER sip:as.example.com SIP/2.0", f"Via: SIP/2.0/UDP {here};branch=z9hG4bK-{user}", "Max-Forwards: 70",
            "From: <sip:scscf@example.com>;tag=1", f"To: <sip:{user}@example.com>", f"Call-ID: tp-{user}", "CSeq: 1 REGISTER",
            f"Contact: <sip:scscf@{here}>", "Expires: 600", "Content-Length: 0", "", ""]).encode(), ("127.0.0.1", port))
        return s.recv(4096).decode().split("\r\n")[0]


def ims():
    """Whom the core has told to be registered is known again. The store is made for that."""
    with Stage(users=(), settings=["ims.mode = on", "sip.trusted = 127.0.0.1", "ims.route = sip:127.0.0.1:5999;lr",
                                         "auth.required = no"]) as stage:
        expect(os.stat(stage.store).st_mode & 0o777 == 0o600, "the store is its owner's alone")
        for user in ("ann", "bo"):
            expect(third_party(stage.sip_port, user) == "SIP/2.0 200 OK", "a third-party REGISTER")
        stage.process.kill()
        stage.process.wait()
        stage.start()
        expect(third_party(stage.sip_port, "charles") == "SIP/2.0 200 OK", "a third-party REGISTER to the new life")
        with open(os.path.join(stage.dir, "server.log"), encoding="utf-8") as f:
            expect("2 registrations of before" in f.read(), "the log says nothing of registrations")


cases = Cases()
cases.run("a conference comes back, TCP", ["CF-X-5"], conference, "tcp", True)
cases.run("a conference comes back, UDP", ["CF-X-5"], conference, "udp", True)
cases.run("a conference is made anew, TCP", ["CF-X-5"], conference, "tcp", False)
cases.run("a conference is made anew, UDP", ["CF-X-5"], conference, "udp", False)
for inviter in ("ann", "charles"):
    cases.run(f"the first moments of a conference, made anew, asked by {inviter}", ["CF-X-5"], first_moments, inviter, False)
cases.run("the first moments of a conference, kept or not", ["CF-X-5"], first_moments, "bo", True)
cases.run("a conference is made anew while its maker is away", ["CF-X-5"], maker_away)
cases.run("a conference under load", ["CF-X-5", "SW-1"], under_load, 0, True)
cases.run("and a server that is away for longer", ["CF-X-5", "SW-1"], under_load, 4, True)
cases.run("a conference under load, made anew", ["CF-X-5", "SW-1"], under_load, 0, False)
cases.run("a relayed chat comes back, TCP", ["PF-9.1.2-2"], relayed, "tcp")
cases.run("a chat between two phones goes on", ["FL-1"], direct)
cases.run("a client that was killed comes back", ["CF-X-5"], client_killed)
cases.run("a damaged conference is left out", ["CF-X-5"], damaged)
cases.run("whom another core has registered", ["PF-X-2"], ims)
cases.done()
