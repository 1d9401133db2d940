#!/usr/bin/env python3
"""FL-8, point 6 of "The move": an upgrade that does not come about costs nobody his running chat; with the real programs."""
# timeout: 240

from stage import Cases, Stage, expect

BO, CHARLES = "sip:bo@example.com", "sip:charles@example.com"


def running(stage, **options):
    ann = stage.client("ann")
    bo = stage.client("bo", **options)
    chat = ann.chat(BO)
    if options.get("auto_accept", True) is False:
        bo.send(cmd="accept", conversation=bo.wait("invited")["conversation"])
    ann.wait("open", conversation=chat)
    return ann, bo, chat, bo.wait("open")["conversation"]


def both_ways(a, chat_a, b, chat_b, what):
    a.send(cmd="send", conversation=chat_a, text=f"{what} from {a.name}")
    b.wait("message", text=f"{what} from {a.name}")
    b.send(cmd="send", conversation=chat_b, text=f"{what} from {b.name}")
    a.wait("message", text=f"{what} from {b.name}")


def no_factory():
    """The factory refuses: the chat stays, and what was written meanwhile goes to Bo."""
    with Stage(settings=["conference.max_members = 2"]) as stage:
        ann, bo, chat, there = running(stage)
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        ann.send(cmd="send", conversation=chat, text="written meanwhile")
        expect(ann.wait("move-failed", conversation=chat)["status"] == 413, "413 expected")
        bo.wait("message", text="written meanwhile")
        both_ways(ann, chat, bo, there, "afterwards")


def bo_declines():
    """Bo says no: Ann and Charles have their conference, and the old chat goes on beside it."""
    with Stage() as stage:
        ann, bo, chat, there = running(stage, auto_accept=False, extra=["--ask-before-move"])
        charles = stage.client("charles")
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        since = bo.wait("invited", where=lambda e: e["conference"])
        expect(since["conversation"] == there, "Bo is asked in his running chat")
        bo.send(cmd="decline", conversation=there, status=603)
        ann.wait("moved", conversation=chat)
        split = ann.wait("split", conversation=chat)
        expect(split["peer"] == BO and split["text"] == "failed", f"told {split}")
        conference = charles.wait("open", conference=True)["conversation"]
        both_ways(ann, chat, charles, conference, "conference")
        both_ways(ann, split["other"], bo, there, "old chat")
        expect(not any("old chat" in t for t in charles.texts()), "Charles heard the old chat")


def charles_absent():
    """Charles cannot be reached: Ann and Bo are in the conference, and told so."""
    with Stage() as stage:
        ann, bo, chat, there = running(stage)
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        ann.wait("moved")
        bo.wait("moved")
        ann.wait("left", peer=CHARLES)
        both_ways(ann, chat, bo, there, "afterwards")


def asked_and_accepted():
    with Stage() as stage:
        ann, bo, chat, there = running(stage, auto_accept=False, extra=["--ask-before-move"])
        charles = stage.client("charles")
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        bo.wait("invited", where=lambda e: e["conference"])
        bo.send(cmd="accept", conversation=there)
        bo.wait("moved", conversation=there)
        charles.wait("open", conference=True)
        both_ways(ann, chat, bo, there, "moved")


def too_early():
    """Only a confirmed dialog can be named: /add before the answer is refused, with a reason."""
    with Stage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo", auto_accept=False)
        chat = ann.chat(BO)
        bo.wait("invited")
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        expect(ann.wait("error")["error"], "an error with a reason")


cases = Cases()
cases.run("the factory refuses", ["FL-8", "move-6"], no_factory)
cases.run("Bo declines to move", ["FL-8", "move-6"], bo_declines)
cases.run("Charles is absent", ["FL-8", "move-6"], charles_absent)
cases.run("Bo is asked first, and accepts", ["IC-8.3.1-2"], asked_and_accepted)
cases.run("added before the chat is confirmed", ["move-1"], too_early)
cases.done()
