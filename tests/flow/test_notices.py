#!/usr/bin/env python3
"""Typing (RFC 3994), delivered and displayed (RFC 5438), pages (RFC 3428), private messages and nicknames (RFC 7701)."""
# timeout: 180

import re

from phone import Cpim, Phone, cpim, token
from stage import Cases, Stage, expect, read_trace

ANN, BO, CHARLES = "sip:ann@example.com", "sip:bo@example.com", "sip:charles@example.com"
NOTICES = ["--notices"]
COMPOSING = ('<?xml version="1.0" encoding="UTF-8"?>\n<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
             "<state>{}</state>{}</isComposing>")


def pair(stage, **options):
    ann, bo = stage.client("ann", **options), stage.client("bo", **options)
    chat = ann.chat(BO)
    ann.wait("open", conversation=chat)
    return ann, chat, bo, bo.wait("open")["conversation"]


def group(stage, **options):
    people = [stage.client(n, **options) for n in ("ann", "bo", "charles")]
    chats = [people[0].chat(BO, CHARLES)]
    people[0].wait("open", conversation=chats[0], conference=True)
    chats += [p.wait("open", conference=True)["conversation"] for p in people[1:]]
    for c in people[1:]:
        people[0].wait("joined", peer=c.uri)
    return people, chats


def say(client, chat, text, **more):
    client.send(cmd="send", conversation=chat, text=text, tag=text, **more)
    return client.wait("queued", tag=text)["id"]


def both_notices(ann, chat, others):
    """Typing, delivery and display from ann to the others; others: [(client, chat)]."""
    ann.send(cmd="typing", conversation=chat, active=True)
    for c, there in others:
        expect(c.wait("typing", conversation=there, active=True)["peer"] == ANN, "who is typing?")
    ann.send(cmd="typing", conversation=chat, active=False)
    for c, there in others:
        c.wait("typing", conversation=there, active=False, peer=ANN)
    since = {c: len(c.events) for c, _ in others}
    ann.send(cmd="typing", conversation=chat, active=True)
    mine = say(ann, chat, "with notices")
    for c, there in others:
        c.wait("typing", since=since[c], active=True)
        m = c.wait("message", text="with notices", conversation=there)
        # The message itself ends the typing, and stands for itself.
        off = c.find("typing", since[c], active=False)
        expect(0 <= off < c.events.index(m), "typing ends before the message is shown")
        expect(ann.wait("delivered-to", conversation=chat, peer=c.uri)["id"] == mine, "delivered: another id")
    expect(ann.find("displayed-by") < 0, "displayed before anybody has seen it")
    for c, there in others:
        c.send(cmd="displayed", conversation=there, id=m_id(c, "with notices"))
        expect(ann.wait("displayed-by", conversation=chat, peer=c.uri)["id"] == mine, "displayed: another id")
    for c, there in others:
        c.send(cmd="displayed", conversation=there, id=m_id(c, "with notices"))
        say(c, there, f"{c.name} again")
        ann.wait("message", text=f"{c.name} again")
    for kind in ("delivered-to", "displayed-by"):
        got = [e["peer"] for e in ann.events if e["event"] == kind]
        expect(sorted(got) == sorted(c.uri for c, _ in others), f"{kind}: {got}")
    for c in [ann] + [c for c, _ in others]:
        bad = [e for e in c.events if e["event"] == "message" and e["content_type"] != "text/plain;charset=utf-8"]
        expect(not bad, f"a notice is shown as a message: {bad}")


def m_id(client, text):
    return next(m["id"] for m in client.messages() if m["text"] == text)


def in_a_chat():
    with Stage() as stage:
        ann, chat, bo, there = pair(stage, extra=NOTICES)
        both_notices(ann, chat, [(bo, there)])


def in_a_conference():
    with Stage() as stage:
        (ann, bo, charles), chats = group(stage, extra=NOTICES)
        both_notices(ann, chats[0], [(bo, chats[1]), (charles, chats[2])])
        # They went to ann alone.
        for c in (bo, charles):
            expect(c.find("displayed-by") < 0 or all(e["peer"] == ANN for e in c.events
                                                     if e["event"] == "displayed-by"), "somebody else's disposition")
        frames = [m["bytes"] for m in read_trace(stage.trace) if m["proto"] == "msrp"]
        expect(any(b"imdn.Disposition-Notification" in f for f in frames), "the trace has the frames")


def not_asked():
    with Stage() as stage:
        ann, chat, bo, there = pair(stage)
        say(ann, chat, "no notices")
        bo.wait("message", text="no notices")
        bo.send(cmd="displayed", conversation=there, id=m_id(bo, "no notices"))
        say(bo, there, "answer")
        ann.wait("message", text="answer")
        expect(ann.find("delivered-to") < 0 and ann.find("displayed-by") < 0, "nobody asked")
        ann.send(cmd="displayed", conversation=99, id="x", tag=7)
        ann.wait("error", command="displayed", tag=7)


def with_a_phone(stage, **options):
    """A raw phone that has called a client: (call, client, conversation)."""
    bo = stage.client("bo", extra=NOTICES)
    phone = Phone(stage, "ann", **options)
    call = phone.invite(BO)
    expect(call.answer.status == 200, call.answer.first)
    return call, bo, bo.wait("open")["conversation"]


def what_stands_inside():
    """The wire of a disposition, and time's part in typing, as a phone sees them."""
    with Stage() as stage:
        call, bo, there = with_a_phone(stage)
        ann = call.msrp
        body = cpim(ANN, BO, "seen?", headers="NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: abc123\r\n"
                                              "imdn.Disposition-Notification: positive-delivery, display\r\n")
        expect(ann.send(body) == 200, "refused")

        def dispositions():
            return [Cpim(b) for _, t, b in ann.messages if b"imdn+xml" in b]
        got = ann.phone.until(dispositions, "the delivery notification")[0]
        expect(got.mime["content-type"].startswith("message/imdn+xml"), f"{got.mime}")
        expect(got.mime.get("content-disposition") == "notification", f"{got.mime}")
        expect(BO in got.get("From") and ANN in got.get("To"), f"{got.headers}")
        expect(any(v.endswith("<urn:ietf:params:imdn>") for n, v in got.headers if n == "NS"), f"{got.headers}")
        expect(got.get("imdn.Disposition-Notification") is None, "a disposition must not ask for one")
        for piece in ("<message-id>abc123</message-id>", "<datetime>2026-01-02T03:04:05Z</datetime>",
                      "<delivery-notification>", "<delivered/>", f"<recipient-uri>{BO}</recipient-uri>"):
            expect(piece in got.text, f"{piece} missing in {got.text}")
        bo.send(cmd="displayed", conversation=there, id=bo.wait("message", text="seen?")["id"])
        got = ann.phone.until(lambda: dispositions()[1:], "the display notification")[0]
        expect("<display-notification>" in got.text and "<displayed/>" in got.text, got.text)
        # A typing state runs out by its own refresh, and a longer one is replaced by the next word.
        kind = "application/im-iscomposing+xml"
        expect(ann.send(cpim(ANN, BO, COMPOSING.format("active", "<refresh>1</refresh>"), kind)) == 200, "refused")
        bo.wait("typing", active=True)
        bo.wait("typing", active=False, timeout=5)
        expect(ann.send(COMPOSING.format("active", ""), kind) == 200, "without CPIM")
        since = len(bo.events)
        expect(ann.send(COMPOSING.format("idle", ""), kind) == 200, "refused")
        bo.wait("typing", since=since, active=False)
        for bad in ("<isComposing", COMPOSING.replace("state", "mood").format("x", "")):
            expect(ann.send(cpim(ANN, BO, bad, kind)) == 400, "400 expected")
        expect(ann.send(cpim(ANN, BO, "<imdn/>", "message/imdn+xml")) == 400, "400 expected")
        # What the person writes says when it is refreshed.
        bo.send(cmd="typing", conversation=there, active=True)
        state = ann.phone.until(lambda: [Cpim(b).text for _, _, b in ann.messages if b"iscomposing" in b], "typing")[0]
        expect("<state>active</state>" in state and re.search(r"<refresh>\d+</refresh>", state), state)


def refused():
    """415 to one of them: it is not sent again in that session; text and the other one still are."""
    with Stage() as stage:
        call, bo, there = with_a_phone(stage)
        ann = call.msrp
        ann.answer = lambda f: 415 if b"iscomposing" in f.body else 200
        asks = "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {}\r\nimdn.Disposition-Notification: positive-delivery\r\n"

        def round_trip(text):
            bo.send(cmd="typing", conversation=there, active=True)
            bo.send(cmd="typing", conversation=there, active=False)
            say(bo, there, text)
            ann.wait_text(text)
        round_trip("one")
        n = sum(b"iscomposing" in f.body for f in ann.frames)
        expect(n >= 1, "typing was never sent")
        round_trip("two")
        round_trip("three")
        expect(sum(b"iscomposing" in f.body for f in ann.frames) <= 2, "typing goes on being sent")
        before = sum(b"iscomposing" in f.body for f in ann.frames)
        round_trip("four")
        expect(sum(b"iscomposing" in f.body for f in ann.frames) == before, "typing is sent again")
        expect(ann.send(cpim(ANN, BO, "a", headers=asks.format("m1"))) == 200, "refused")
        ann.phone.until(lambda: any(b"imdn+xml" in f.body for f in ann.frames), "the disposition")
        ann.answer = lambda f: 415 if b"imdn+xml" in f.body else 200
        expect(ann.send(cpim(ANN, BO, "b", headers=asks.format("m2"))) == 200, "refused")
        ann.phone.until(lambda: any(b"m2</message-id>" in f.body for f in ann.frames), "the disposition")
        round_trip("five")
        expect(ann.send(cpim(ANN, BO, "c", headers=asks.format("m3"))) == 200, "refused")
        round_trip("six")
        expect(not any(b"m3</message-id>" in f.body for f in ann.frames), "a disposition is sent again")
        expect(not [e for e in bo.events if e["event"] == "sent" and e["state"] == "failed"], "a notice is told as lost")
        # Nothing of that is asked of us any more either.
        expect(not any(b"imdn.Disposition" in b for _, _, b in ann.messages if b"six" in b), "still asked for")


def phone_without():
    """A phone that lists neither CPIM nor the types gets text alone."""
    with Stage() as stage:
        call, bo, there = with_a_phone(stage, accept_types="text/plain", wrapped="")
        bo.send(cmd="typing", conversation=there, active=True)
        say(bo, there, "plain")
        kind, body = call.msrp.wait_text("plain")[1:]
        expect(kind.startswith("text/plain") and body == b"plain", f"{kind} {body}")
        expect(len(call.msrp.messages) == 1, f"{call.msrp.messages}")


def pages():
    with Stage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo", transport="udp")
        ann.send(cmd="page", to=BO, text="call me \u00fc", tag=1)
        page = ann.wait("queued", tag=1)["id"]
        got = bo.wait("page")
        expect(got["from"] == ANN and got["text"] == "call me \u00fc" and got["display"] == "Ann", f"{got}")
        expect(ann.wait("paged", id=page)["status"] == 200, "200 expected")
        ann.send(cmd="page", to=CHARLES, text="there?", tag=2)
        expect(ann.wait("paged", id=ann.wait("queued", tag=2)["id"])["status"] == 480, "480 expected")
        ann.send(cmd="page", to="sip:nobody@example.com", text="there?", tag=3)
        expect(ann.wait("paged", id=ann.wait("queued", tag=3)["id"])["status"] == 404, "404 expected")
        # RFC 3428 §8: 1300 bytes, all of the request.
        ann.send(cmd="page", to=BO, text="x" * 1300, tag=4)
        ann.wait("error", command="page", tag=4)
        sizes = [len(m["bytes"]) for m in read_trace(ann.trace) if m["dir"] == ">" and m["bytes"].startswith(b"MESSAGE")]
        expect(sizes and max(sizes) <= 1300, f"sizes {sizes}")


def pages_of_phones():
    with Stage() as stage:
        bo = stage.client("bo")
        phone = Phone(stage, "ann")
        expect(phone.page(BO, "from a phone").status == 200, "200 expected")
        expect(bo.wait("page", text="from a phone")["from"] == ANN, "who?")
        expect(phone.page(BO, cpim(ANN, BO, "wrapped"), "message/cpim").status == 200, "200 expected")
        bo.wait("page", text="wrapped")
        refused_ = phone.page(BO, "<x/>", "text/html")
        expect(refused_.status == 415 and "text/plain" in refused_.get("Accept"), refused_.first)
        expect("MESSAGE" in phone.request("OPTIONS", BO, phone.identity(BO) + phone.caps()).get("Allow"), "Allow")
        # 202 is as good; an error comes back as it is.
        for status in (202, 486):
            phone.page_status = status
            bo.send(cmd="page", to=ANN, text=f"back {status}", tag=status)
            expect(bo.wait("paged", id=bo.wait("queued", tag=status)["id"])["status"] == status, f"{status} expected")
        # The sender has to prove who he is.
        stranger = Phone(stage, "charles", register=False)
        stage.users["charles"] = "wrong"
        expect(stranger.page(BO, "forged").status in (401, 403, 407), "a stranger's page went through")
        expect(bo.find("page", text="forged") < 0, "it arrived")


def private_messages():
    with Stage() as stage:
        (ann, bo, charles), chats = group(stage)
        mine = say(ann, chats[0], "psst", to=BO)
        got = bo.wait("message", text="psst")
        expect(got["to_all"] is False and got["from"] == ANN and got["id"] == mine, f"{got}")
        say(ann, chats[0], "everybody")
        for c in (bo, charles):
            expect(c.wait("message", text="everybody")["to_all"] is True, "to all")
        expect("psst" not in charles.texts(), "charles has it")
        ann.wait("sent", id=mine, state="accepted")
        nobody = say(ann, chats[0], "gone", to="sip:dora@example.com")
        expect(ann.wait("sent", id=nobody, state="failed")["status"] == 404, "404 expected")
        # In a chat of two there is nobody to be left out.
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        ann.send(cmd="send", conversation=chat, to=CHARLES, text="x", tag=9)
        ann.wait("error", tag=9)


def private_off():
    with Stage(settings=["msrp.private_messages = no", "msrp.nicknames = no"]) as stage:
        (ann, _, _), chats = group(stage)
        ann.send(cmd="send", conversation=chats[0], to=BO, text="x", tag=1)
        ann.wait("error", tag=1)
        ann.send(cmd="nick", conversation=chats[0], name="Annie", tag=2)
        ann.wait("error", tag=2)


def roster_nickname(client, chat, who):
    since = len(client.events)
    client.send(cmd="who", conversation=chat)
    roster = client.wait("roster", since=since)["participants"]
    return next((p["nickname"] for p in roster if p["uri"] == who), None)


def nicknames():
    with Stage() as stage:
        (ann, bo, charles), chats = group(stage)
        ann.send(cmd="nick", conversation=chats[0], name='Queen "\u00dc" \\')
        got = ann.wait("nickname")
        expect(got["status"] == 200 and got["text"] == 'Queen "\u00dc" \\', f"{got}")
        bo.send(cmd="nick", conversation=chats[1], name='queen "\u00dc"  \\')
        expect(bo.wait("nickname")["status"] == 425, "425 expected")
        say(ann, chats[0], "named")
        for c in (bo, charles):
            m = c.wait("message", text="named")
            expect(m["from"] == ANN and m["display"] == 'Queen "\u00dc" \\', f"{m}")
        # The roster has it too.
        bo.until(lambda c: roster_nickname(c, chats[1], ANN) == 'Queen "\u00dc" \\', "the nickname in the roster")
        since = len(ann.events)
        ann.send(cmd="nick", conversation=chats[0], name="")
        expect(ann.wait("nickname", since=since)["text"] == "", "given back")
        since = len(bo.events)
        bo.send(cmd="nick", conversation=chats[1], name='queen "\u00dc" \\')
        expect(bo.wait("nickname", since=since)["status"] == 200, "free again")
        say(ann, chats[0], "plain")
        expect(charles.wait("message", text="plain")["display"] == "Ann", "the display name again")


cases = Cases()
cases.run("typing, delivered, displayed in a chat", ["FL-1"], in_a_chat)
cases.run("the same in a conference, CPIM kept", ["SW-1"], in_a_conference)
cases.run("nothing where nobody asks", ["FL-1"], not_asked)
cases.run("what stands in a notice", ["FL-1"], what_stands_inside)
cases.run("415 ends them for the session", ["FL-1"], refused)
cases.run("a phone that knows none", ["FL-1"], phone_without)
cases.run("pages", ["R-10"], pages)
cases.run("pages of and to a phone", ["R-10"], pages_of_phones)
cases.run("private messages of clients", ["SW-1"], private_messages)
cases.run("private messages and nicknames off", ["SW-1"], private_off)
cases.run("nicknames of clients", ["SW-1"], nicknames)
cases.done()
