#!/usr/bin/env python3
"""FL-10: both sides of a chat add somebody at the same moment; with the real programs. All end in one conference."""
# timeout: 240

from stage import Cases, Stage, expect

CHARLES, DORA = "sip:charles@example.com", "sip:dora@example.com"
USERS = ["ann", "bo", "charles", "dora"]


def living(client):
    """The conversation of a client that has not ended."""
    ended = {e["conversation"] for e in client.events if e["event"] == "ended"}
    return [e["conversation"] for e in client.events if e["event"] == "open" and e["conversation"] not in ended]


def until_added(who, conversation, whom):
    """The first words of a chat may come before the ACK of its INVITE, and until that nobody can be added: once more then."""
    refused = 0

    def joined(c):
        nonlocal refused
        refusals = sum(e["event"] == "error" and e.get("command") == "add" for e in c.events)
        if refusals > refused:
            refused = refusals
            c.send(cmd="add", conversation=conversation, users=[whom])
        return any(e["event"] == "joined" and e["peer"] == whom for e in c.events)

    who.until(joined, f"{whom} has joined")


def at_once(ann_first):
    with Stage(users=USERS) as stage:
        ann, bo, charles, dora = (stage.client(name) for name in USERS)
        chat = ann.chat("sip:bo@example.com")
        ann.wait("open", conversation=chat)
        there = bo.wait("open")["conversation"]
        ann.send(cmd="send", conversation=chat, text="before")
        bo.wait("message", text="before")
        adds = [(ann, chat, CHARLES), (bo, there, DORA)]
        for who, conversation, whom in adds if ann_first else reversed(adds):
            who.send(cmd="add", conversation=conversation, users=[whom])
        for who, conversation in ((ann, chat), (bo, there)):
            who.send(cmd="send", conversation=conversation, text=f"{who.name} meanwhile")
        ann.wait("message", text="bo meanwhile")
        bo.wait("message", text="ann meanwhile")
        for who, conversation, whom in adds:
            until_added(who, conversation, whom)
        for who in (ann, bo):
            for whom in (CHARLES, DORA):
                who.wait("joined", peer=whom)
        chats = {ann: chat, bo: there}
        for other in (charles, dora):
            other.until(lambda c: len(living(c)) == 1, f"{other.name} is in one conference")
            chats[other] = living(other)[0]
        for who, conversation in chats.items():
            who.send(cmd="send", conversation=conversation, text=f"{who.name} to all")
        for who in chats:
            for other in chats:
                if other is not who:
                    other.wait("message", text=f"{who.name} to all")
        for who in chats:
            expect(len(who.texts()) == len(set(who.texts())), f"{who.name} saw something twice: {who.texts()}")
        expect(not any(e["event"] in ("split", "ended") for c in (ann, bo) for e in c.events), "somebody's chat was lost")


cases = Cases()
cases.run("both add at once", ["FL-10"], lambda: at_once(True))
cases.run("both add at once, the called one first", ["FL-10"], lambda: at_once(False))
cases.done()
