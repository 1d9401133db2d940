#!/usr/bin/env python3
"""FL-1, FL-5, FL-7: a chat, a group from the start, leaving; with the real programs."""
# timeout: 240

import time

from stage import WAIT_S, Cases, Stage, expect

FOUR = ("ann", "bo", "charles", "dora")
BO, CHARLES, DORA = "sip:bo@example.com", "sip:charles@example.com", "sip:dora@example.com"


def talk(a, chat_a, b, chat_b, n=20):
    """n messages each way; both orders kept, nothing lost or doubled."""
    for i in range(n):
        a.send(cmd="send", conversation=chat_a, text=f"{a.name} {i}")
        b.send(cmd="send", conversation=chat_b, text=f"{b.name} {i}")
    for x, y in ((a, b), (b, a)):
        want = [f"{x.name} {i}" for i in range(n)]
        y.until(lambda c, w=want: sum(t in w for t in c.texts()) >= n, f"messages of {x.name}")
        got = [t for t in y.texts() if t in want]
        expect(got == want, f"{y.name} got {got}")


def two_of(stage, transport_a, transport_b):
    """FL-1 on that stage."""
    ann = stage.client("ann", transport=transport_a)
    bo = stage.client("bo", transport=transport_b)
    chat = ann.chat(BO)
    ann.wait("open", conversation=chat)
    there = bo.wait("open")["conversation"]
    talk(ann, chat, bo, there)
    ann.until(lambda c: sum(e["event"] == "sent" and e["state"] == "delivered" for e in c.events) >= 20,
              "delivery of all")
    ann.send(cmd="leave", conversation=chat)
    bo.wait("ended", conversation=there)
    ann.wait("ended", conversation=chat)


def one_to_one(transport_a, transport_b, host="127.0.0.1"):
    with Stage(host=host) as stage:
        two_of(stage, transport_a, transport_b)
        # MSRP runs straight between the two: the server never saw a frame.
        with open(stage.trace, encoding="utf-8") as f:
            expect('"msrp"' not in f.read(), "MSRP passed the server")


def declined():
    with Stage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo", auto_accept=False)
        chat = ann.chat(BO)
        there = bo.wait("invited")["conversation"]
        ann.wait("ringing", conversation=chat)
        bo.send(cmd="decline", conversation=there, status=603)
        expect(ann.wait("ended", conversation=chat)["status"] == 603, "603 expected")


def unknown_user():
    with Stage() as stage:
        ann = stage.client("ann")
        expect(ann.wait("ended", conversation=ann.chat("sip:nobody@example.com"))["status"] == 404, "404 expected")
        expect(ann.wait("ended", conversation=ann.chat(BO))["status"] == 480, "480 expected")


def cancelled():
    with Stage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo", auto_accept=False)
        chat = ann.chat(BO)
        there = bo.wait("invited")["conversation"]
        ann.wait("ringing", conversation=chat)
        ann.send(cmd="leave", conversation=chat)
        bo.wait("ended", conversation=there)


def wrong_password():
    with Stage() as stage:
        from stage import Client
        ann = Client(stage, "ann", password="not it")
        try:
            expect(ann.wait("register-failed")["status"] in (401, 403), "401 or 403 expected")
        finally:
            ann.quit()


def busy():
    with Stage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo", extra=["--max-conversations", "1"])
        charles = stage.client("charles")
        ann.wait("open", conversation=ann.chat(BO))
        bo.wait("open")
        expect(charles.wait("ended", conversation=charles.chat(BO))["status"] == 486, "486 expected")


def joined(client, chat, n):
    """Waits until the roster has n connected, and gives it: a state can still be on its way when it is asked for."""
    end = time.monotonic() + WAIT_S
    while True:
        since = len(client.events)
        client.send(cmd="who", conversation=chat)
        people = client.wait("roster", since=since, conversation=chat)["participants"]
        if sum(p["status"] == "connected" for p in people) == n:
            return people
        expect(time.monotonic() < end, f"{client.name} sees {people}, not {n} connected")
        client.pump(0.1)


def group_of_four(stage):
    """FL-5 and FL-7 on that stage."""
    ann, bo, charles, dora = (stage.client(n) for n in ("ann", "bo", "charles", "dora"))
    chat = ann.chat(BO, CHARLES, DORA)
    ann.wait("open", conversation=chat, conference=True)
    ids = {ann: chat}
    for c in (bo, charles, dora):
        ids[c] = c.wait("open", conference=True)["conversation"]
    everybody = (ann, bo, charles, dora)
    for i in range(25):
        for c in everybody:
            c.send(cmd="send", conversation=ids[c], text=f"{c.name} {i}")
    for c in everybody:
        c.until(lambda x: len(x.messages()) >= 75, "75 messages")
        for other in everybody:
            want = [] if other is c else [f"{other.name} {i}" for i in range(25)]
            got = [t for t in c.texts() if t.startswith(other.name + " ")]
            expect(got == want, f"{c.name} has of {other.name}: {got}")
    people = joined(ann, chat, 4)
    expect({p["uri"] for p in people} == {c.uri for c in everybody}, f"roster {people}")
    leaving(ann, bo, charles, dora, ids)


def group():
    with Stage(users=FOUR) as stage:
        group_of_four(stage)


def leaving(ann, bo, charles, dora, ids):
    """FL-7: dora leaves openly, charles without a name, the rest go on; the last ones leave."""
    dora.send(cmd="leave", conversation=ids[dora])
    dora.wait("ended")
    ann.wait("left", peer="sip:dora@example.com")
    since = len(bo.events)
    charles.send(cmd="leave", conversation=ids[charles], anonymous=True)
    charles.wait("ended")
    bo.wait("left", since=since)
    bo.send(cmd="send", conversation=ids[bo], text="still here")
    ann.wait("message", text="still here")
    ann.send(cmd="leave", conversation=ids[ann])
    ann.wait("ended")
    bo.wait("left", peer="sip:ann@example.com")
    bo.send(cmd="leave", conversation=ids[bo])
    bo.wait("ended")


def main():
    cases = Cases()
    for pair in (("tcp", "tcp"), ("udp", "udp"), ("udp", "tcp")):
        cases.run(f"chat {pair[0]} to {pair[1]}", ["FL-1", "PF-9.1.2-3", "PF-9.1.2-5", "IC-7.1.2-2", "IC-7.1.2-5", "R-10"],
                  one_to_one, *pair)
    cases.run("chat over IPv6", ["FL-1"], one_to_one, "tcp", "udp", "::1")
    cases.run("declined", ["IC-8.3.1-1", "PF-9.1.2-6"], declined)
    cases.run("unknown and absent user", ["PF-9.1.2-6"], unknown_user)
    cases.run("cancelled while ringing", ["FL-1"], cancelled)
    cases.run("wrong password", ["R-3"], wrong_password)
    cases.run("busy", ["IC-8.3.1-1"], busy)
    cases.run("group of four, then they leave one by one",
              ["FL-5", "FL-7", "IC-7.1.2-3", "CF-9.3-1", "CF-9.3-5", "IC-7.1.5-1", "IC-7.1.5-2", "IC-7.1.5-3", "IC-7.1.5-4",
               "CF-X-2"], group)
    cases.done()


if __name__ == "__main__":
    main()
