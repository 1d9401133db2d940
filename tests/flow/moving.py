"""The move (FL-2) as flow tests run it: writers, what became of their messages, and the move itself."""

import os
import random
import threading
import time

from stage import expect, read_trace

BO, CHARLES = "sip:bo@example.com", "sip:charles@example.com"
EACH = int(os.environ.get("CONFAB_MOVE_MESSAGES", "1000"))  # a side, at 50 a second
RATE = 50.0
SEED = int(os.environ.get("CONFAB_SEED", str(random.SystemRandom().randrange(1 << 32))))


class Writer:
    """One person's messages at randomised times, RATE a second on average."""

    def __init__(self, client, conversation, n, rng, begin):
        self.client, self.conversation = client, conversation
        self.times = [begin + (i + rng.random()) / RATE for i in range(n)]
        self.next = 0
        self.queued_before = 0

    def due(self, now):
        while self.next < len(self.times) and self.times[self.next] <= now:
            self.client.send(cmd="send", conversation=self.conversation, text=f"{self.client.name} {self.next}",
                             tag=self.next)
            self.next += 1

    @property
    def done(self):
        return self.next >= len(self.times)


def numbers(client, name):
    return [int(t.split()[1]) for t in client.texts() if t.startswith(name + " ")]


def fate(client):
    """What the writer was told of each of his messages: number -> set of states."""
    number = {e["id"]: e["tag"] for e in client.events if e["event"] == "queued"}
    out = {}
    for e in client.events:
        if e["event"] == "sent" and e["id"] in number:
            out.setdefault(number[e["id"]], set()).add(e["state"])
    return out


def audience_border(client):
    """How many of a writer's messages were written before his chat began to move."""
    moving = client.find("moving")
    return sum(e["event"] == "queued" for e in client.events[:moving]) if moving >= 0 else 10 ** 9


def accounted(writer, receivers, cut):
    """Delivered, or shown as unconfirmed; order kept; none doubled."""
    told = fate(writer)
    unconfirmed = {n for n, states in told.items() if states & {"unconfirmed", "failed"}}
    expect(cut or not unconfirmed, f"{writer.name} has {len(unconfirmed)} unconfirmed without a cut")
    for r, due in receivers:
        got = numbers(r, writer.name)
        expect(len(got) == len(set(got)), f"{r.name} saw messages of {writer.name} twice")
        expect(got == sorted(got), f"{r.name} saw messages of {writer.name} out of order")
        missing = set(due) - set(got)
        expect(missing <= unconfirmed, f"{r.name} lacks {sorted(missing - unconfirmed)[:10]} of {writer.name}")
        expect(set(got) <= set(due), f"{r.name} has what was not for him: {sorted(set(got) - set(due))[:10]}")
    return len(unconfirmed)


def settled(c, n):
    """Every message of the writer has had a last word."""
    told = fate(c)
    return len(told) >= n and all(told.get(i) for i in range(n))


CUTS = {
    "undisturbed": None,
    # who breaks what, after which event of whom
    "Ann asks the factory: the direct connection": ("ann", "direct", "ann", "moving"),
    "Bo is invited: the direct connection": ("bo", "direct", "bo", "moving"),
    "Ann's seat opens: her seat": ("ann", "conference", "ann", "moved"),
    "Bo's seat opens: his seat": ("bo", "conference", "bo", "moved"),
    "Bo's seat opens: the direct connection": ("bo", "direct", "bo", "moved"),
    "Charles comes in: his seat": ("charles", "conference", "charles", "open"),
    "Charles is in: Ann's seat": ("ann", "conference", "ann", "joined"),
    "Ann asks the factory: her SIP connection": ("ann", "sip", "ann", "moving"),
    "Bo is invited: his SIP connection": ("bo", "sip", "bo", "moving"),
    "Charles comes in: his SIP connection": ("charles", "sip", "charles", "open"),
}


def move(name, cut, rng, stage, each, bo_uri=BO, charles_uri=CHARLES):
    ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
    people = {"ann": ann, "bo": bo, "charles": charles}
    chat = ann.chat(bo_uri)
    ann.wait("open", conversation=chat)
    there = bo.wait("open")["conversation"]
    begin = time.monotonic() + 0.05
    a, b = Writer(ann, chat, each, rng, begin), Writer(bo, there, each, rng, begin)
    add_at = begin + each / RATE * rng.uniform(0.25, 0.5)
    added = broke = False
    while not (a.done and b.done):
        now = time.monotonic()
        a.due(now)
        b.due(now)
        if not added and now >= add_at:
            added = True
            ann.send(cmd="add", conversation=chat, users=[charles_uri])
        for c in people.values():
            c.pump(0)
        if cut and not broke and added:
            who, which, witness, event = cut
            if people[witness].find(event) >= 0:
                broke = True
                conversation = {"ann": chat, "bo": there}.get(who)
                if who == "charles":
                    conversation = charles.events[charles.find("invited")]["conversation"]
                people[who].send(cmd="break", conversation=conversation, which=which)
        time.sleep(0.002)
    expect(added and (broke or not cut), "the cut was not made")
    for c in (ann, bo):
        c.wait("moved")
        expect(c.find("ended") < 0, f"{c.name}'s conversation ended")
    charles.wait("open")
    for c in (ann, bo):
        c.until(lambda x: settled(x, each), "a last word on every message", timeout=45)
    border_a, border_b = audience_border(ann), audience_border(bo)
    everything = range(each)
    for receiver, writer in ((bo, ann), (ann, bo)):
        lost = {n for n, s in fate(writer).items() if s & {"unconfirmed", "failed"}}
        receiver.until(lambda c, w=writer, k=lost: len(set(numbers(c, w.name)) | k) >= each,
                       f"all messages of {writer.name}", timeout=30)
    for writer, border in ((ann, border_a), (bo, border_b)):
        lost = {n for n, s in fate(writer).items() if s & {"unconfirmed", "failed"}}
        charles.until(lambda c, w=writer, k=lost, d=border: len(set(numbers(c, w.name)) | {n for n in k if n >= d})
                      >= each - d, f"all later messages of {writer.name}", timeout=30)
    u = accounted(ann, [(bo, everything), (charles, range(border_a, each))], cut)
    u += accounted(bo, [(ann, everything), (charles, range(border_b, each))], cut)
    expect(not any(t.split()[0] == c.name for c in people.values() for t in c.texts()), "somebody heard himself")
    # One conversation going on, for both.
    expect({e["conversation"] for e in ann.messages()} <= {chat}, "Ann's chat changed its number")
    expect({e["conversation"] for e in bo.messages()} <= {there}, "Bo's chat changed its number")
    print(f"note {name}: {2 * each} messages, {border_a}+{border_b} before the move, {u} unconfirmed", flush=True)


def wire(stage):
    """The SIP of an undisturbed move, in the order of "The move"."""
    sip = [m["bytes"] for m in read_trace(stage.trace) if m["proto"] == "sip"]
    out = [m["bytes"] for m in read_trace(stage.trace) if m["proto"] == "sip" and m["dir"] == ">"]
    factory = next(i for i, s in enumerate(sip) if s.startswith(b"INVITE sip:conference-factory@"))
    expect(b"Require: recipient-list-invite" in sip[factory] and b"recipient-list" in sip[factory], "no URI list")
    expect(b"method=INVITE?Replaces=" in sip[factory], "no Replaces in the list")
    replaced = next(i for i, s in enumerate(sip) if s.startswith(b"INVITE") and b"\r\nReplaces: " in s)
    invited = next(i for i, s in enumerate(sip) if s.startswith(b"INVITE sip:charles@") and b"isfocus" in s)
    expect(factory < replaced < invited, "Bo first, then Charles")
    expect(b"Require: replaces" in sip[replaced] and b"Referred-By: <sip:ann@example.com>" in sip[replaced],
           "Require and Referred-By")
    bye = next(i for i, s in enumerate(sip) if s.startswith(b"BYE"))
    expect(replaced < bye, "the old session ended before the new one was offered")
    expect(not any(s.startswith(b"BYE") and b"From: " in s and b"ann@" in s.split(b"From: ")[1].split(b"\r\n")[0]
                   for s in sip[:bye + 1]), "Ann said BYE")
    expect(any(b"isfocus" in s and s.startswith(b"SIP/2.0 200") for s in out), "200 without isfocus")


def side_by_side(cases, jobs, n):
    """Runs the jobs n at a time: each takes its twenty seconds mostly waiting."""
    turns = threading.Semaphore(n)

    def one(job):
        with turns:
            cases.run(*job)

    threads = [threading.Thread(target=one, args=(job,)) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
