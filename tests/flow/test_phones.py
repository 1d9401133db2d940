#!/usr/bin/env python3
"""What phones in the field put on the wire (IC-X, SW-2, SW-6): each of them 1-1 with confab, and in a conference of ours.

The forms are those that were seen of the phones themselves; the phone here says them byte for byte.
"""
# timeout: 180

import re

from phone import Cpim, Phone, cpim
from stage import Cases, Stage, expect

ANN, BO, CHARLES = "sip:ann@example.com", "sip:bo@example.com", "sip:charles@example.com"
FACTORY = "sip:conference-factory@example.com"
ASSUME = "im.feature_tag = assume"

# Blink's engine: CPIM where both list it, an actpass offer, no IM feature tag.
SIPSIMPLE = {
    "accept_types": "message/cpim text/* image/* application/im-iscomposing+xml",
    "wrapped": "text/* image/* application/im-iscomposing+xml",
    "sdp_extra": "a=setup:actpass\r\n", "setup": False, "im": False, "chatroom": "nickname private-messages",
    "allow": "SUBSCRIBE, NOTIFY, PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, MESSAGE, REFER",
}
DOUBANGO = {
    "accept_types": "message/CPIM", "wrapped": "text/plain image/jpeg", "im": True,
    "sdp_extra": "a=connection:new\r\na=sendrecv\r\n",
}
NODE = {"accept_types": "message/cpim text/plain", "wrapped": "text/plain", "sdp_extra": "a=sendrecv\r\n"}


def sipsimple_body(sender, to, text):
    inner = text.encode()
    return (f"From: \"Ann\" <{sender}>\r\nTo: <{to}>\r\nDateTime: 2026-01-02T03:04:05.123456+00:00\r\n\r\n"
            "Content-Type: text/plain; charset=\"utf-8\"\r\nMIME-Version: 1.0\r\n\r\n").encode() + inner


def doubango_body(text):
    return f"Subject: test\r\n\r\nContent-Type: text/plain;charset=utf-8\r\n\r\n{text}".encode()


def one_chunk(session, mid, text):
    """The message came as one whole chunk: some phones give up on any '+'."""
    session.wait_text(text)
    frames = [f for f in session.frames if f.get("Message-ID") == mid] if mid else \
        [f for f in session.frames if f.method == "SEND" and text.encode() in f.body]
    expect(len(frames) == 1 and frames[0].flag == "$", f"{[(f.range, f.flag) for f in frames]}")


def sipsimple_chat():
    with Stage(settings=[ASSUME]) as stage:
        bo = stage.client("bo")
        phone = Phone(stage, "ann", **SIPSIMPLE)
        call = phone.invite(BO, byte_range="1-0/0")
        expect(call.answer.status == 200, call.answer.first)
        media = re.search(r"^m=message \d+ (\S+) (\S+)", call.sdp, re.M)
        expect(media.groups() == ("TCP/MSRP", "*"), call.sdp)
        expect("message/cpim" in call.attribute("accept-types").split(), "CPIM is not offered")
        expect(call.attribute("setup") in (None, "passive"), "who offers actpass and connects is the active one")
        expect(call.attribute("sendonly") is None and call.attribute("recvonly") is None, "direction")
        ann, there = call.msrp, bo.wait("open")["conversation"]
        # Delivered means to it: a REPORT with 000 200.
        expect(ann.send(sipsimple_body(ANN, BO, "hi"), mid="delivered1", success="yes", failure="partial",
                        wait=False) and ann.report("delivered1").get("Status").startswith("000 200"), "no report")
        expect(bo.wait("message", text="hi")["from"] == ANN, "who?")
        large = "large " + "x" * 1500000
        body = sipsimple_body(ANN, BO, large)
        expect(ann.send(body, mid="large1", byte_range=f"1-*/{len(body)}", success="yes") == 200, "refused")
        bo.wait("message", text=large)
        expect(ann.report("large1").report_status == 200, "no report")
        for text in ("answer", "large answer " + "y" * 800000):
            bo.send(cmd="send", conversation=there, text=text)
            one_chunk(ann, None, text)
            c = Cpim(ann.wait_text(text)[2])
            expect(c.get("From") and c.get("To") and c.get("DateTime"), f"{c.headers}")
            bo.wait("sent", state="delivered")
        expect(ann.send(cpim(ANN, BO, '<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">'
                             "<state>active</state><refresh>90</refresh></isComposing>",
                             "application/im-iscomposing+xml")) == 200, "refused")
        bo.wait("typing", active=True)
        expect(call.bye() == 200, "BYE")
        bo.wait("ended")


def sipsimple_called():
    """The client calls it: no setup in its answer means that it waits."""
    with Stage(settings=[ASSUME]) as stage:
        bo = stage.client("bo")
        phone = Phone(stage, "ann", **dict(SIPSIMPLE, sdp_extra=""))
        chat = bo.chat(ANN)
        call = phone.take_call()
        bo.wait("open", conversation=chat)
        bo.send(cmd="send", conversation=chat, text="hello")
        call.msrp.wait_text("hello")
        expect(call.msrp.send(sipsimple_body(ANN, BO, "hello too")) == 200, "refused")
        bo.wait("message", text="hello too")


def sipsimple_conference():
    with Stage(settings=[ASSUME]) as stage:
        bo = stage.client("bo")
        charles = Phone(stage, "charles", **SIPSIMPLE)
        phone = Phone(stage, "ann", **SIPSIMPLE)
        call = phone.invite(FACTORY, people=[BO, CHARLES], byte_range="1-0/0")
        expect(call.answer.status == 200 and "isfocus" in call.answer.get("Contact"), call.answer.first)
        expect(set(call.attribute("chatroom").split()) == {"nickname", "private-messages"}, "chatroom")
        # Invited: setup:actpass in an answer is no answer, and who gives it waits.
        ann, cy = call.msrp, charles.take_call().msrp
        there = bo.wait("open")["conversation"]
        # SUBSCRIBE goes outside of the dialog to the URI that it called.
        answer = phone.request("SUBSCRIBE", FACTORY, phone.identity(FACTORY) + phone.tagged_contact() +
                               "Event: conference\r\nAccept: application/conference-info+xml\r\nExpires: 600\r\n")
        expect(answer.status in (200, 202), answer.first)
        phone.until(lambda: [r for r in phone.requests if r.method == "NOTIFY" and b"conference-info" in r.body], "NOTIFY")
        conf = re.sub(r";.*", "", call.answer.contact)
        for i, text in enumerate(("hi all", "large " + "z" * 600000)):
            body = sipsimple_body(ANN, conf, text)
            mid = f"conf{i}"
            expect(ann.send(body, mid=mid, byte_range=f"1-*/{len(body)}", success="yes") == 200, "refused")
            expect(ann.report(mid).report_status == 200, "it counts a message as delivered by the report alone")
            bo.wait("message", text=text)
            one_chunk(cy, mid, text)
            expect(cy.wait_text(text)[2] == body, "the content was changed")
        bo.send(cmd="send", conversation=there, text="from bo")
        for s in (ann, cy):
            one_chunk(s, None, "from bo")
        expect(ann.send(sipsimple_body(ANN, CHARLES, "you alone")) == 200, "private")
        cy.wait_text("you alone")
        expect(ann.request("NICKNAME", 'Use-Nickname: "Annie"\r\n') == 200, "nickname")
        expect(call.bye() == 200, "BYE")
        bo.wait("left", peer=ANN)


def doubango_chat():
    with Stage() as stage:
        bo = stage.client("bo")
        phone = Phone(stage, "ann", **DOUBANGO)
        call = phone.invite(BO, bind=False)
        expect(call.answer.status == 200, call.answer.first)
        ann = call.msrp
        # Bound by a SEND without Byte-Range and Content-Type; transaction ids are short numbers.
        ann.raw(ann.head("1234", "SEND", "Message-ID: 1\r\n") + "-------1234$\r\n")
        expect(ann.response("1234").status == 200, "not bound")
        there = bo.wait("open")["conversation"]
        expect(ann.send(doubango_body("hi"), "message/CPIM", mid="21", tid="12") == 200, "refused")
        expect(bo.wait("message", text="hi")["from"] == ANN, "the peer of the chat is who wrote")
        long = "d" * 9000
        expect(ann.send_chunks(doubango_body(long), 2048, "message/CPIM", mid="22") == 200, "refused in chunks")
        bo.wait("message", text=long)
        for text in ("answer", "e" * 9000):
            bo.send(cmd="send", conversation=there, text=text)
            kind = ann.wait_text(text)[1]
            expect(kind.lower() == "message/cpim", kind)


def doubango_conference():
    with Stage(settings=["msrp.wrap_plain = yes"]) as stage:
        bo = stage.client("bo")
        phone, other = Phone(stage, "ann", **DOUBANGO), Phone(stage, "charles", **DOUBANGO)
        call = phone.invite(FACTORY, people=[BO, CHARLES], bind=False)
        ann = call.msrp
        ann.raw(ann.head("77", "SEND", "Message-ID: 1\r\n") + "-------77$\r\n")
        expect(ann.response("77").status == 200, "not bound")
        cy = other.take_call().msrp
        there = bo.wait("open")["conversation"]
        for i, text in enumerate(("hi", "f" * 9000)):
            expect(ann.send_chunks(doubango_body(text), 2048, "message/CPIM", mid=f"{31 + i}") == 200, "refused")
            got = bo.wait("message", text=text)
            expect(got["from"] == ANN and got["to_all"] is True, f"{got}")
            c = Cpim(cy.wait_text(text)[2])
            expect(ANN in c.get("From") and c.get("Subject") == "test", f"{c.headers}")
        bo.send(cmd="send", conversation=there, text="answer")
        ann.wait_text("answer")
        cy.wait_text("answer")


def node_library():
    with Stage() as stage:
        bo = stage.client("bo")
        phone = Phone(stage, "ann", **NODE)
        ann = phone.invite(BO).msrp
        there = bo.wait("open")["conversation"]
        text = "n" * 20000
        expect(ann.send_chunks(text.encode(), 2048, "text/plain") == 200, "refused")
        bo.wait("message", text=text)
        bo.send(cmd="send", conversation=there, text=text)
        ann.wait_text(text)
        # And in a conference, with CPIM in each first chunk.
        other = Phone(stage, "charles", **NODE)
        call = phone.invite(FACTORY, people=[BO, CHARLES])
        conf = re.sub(r";.*", "", call.answer.contact)
        cy = other.take_call().msrp
        bo.wait("open", conference=True)
        body = cpim(ANN, conf, text, "text/plain")
        expect(call.msrp.send_chunks(body, 2048) == 200, "refused")
        expect(cy.wait_text(text)[2] == body, "changed")
        bo.until(lambda c: sum(m["text"] == text for m in c.messages()) == 2, "the message in the conference")


def without_an_offer():
    """The form of liblinphone's groups: a list and no SDP. The conference offers, the ACK answers."""
    with Stage(settings=[ASSUME]) as stage:
        bo, charles = stage.client("bo"), stage.client("charles")
        phone = Phone(stage, "ann", im=False, wrapped="*")
        call = phone.delayed(FACTORY, people=[BO, CHARLES], extra="Subject: lunch\r\n")
        expect(call.answer.status == 200 and "isfocus" in call.answer.get("Contact"), call.answer.first)
        expect(call.attribute("setup") == "actpass", call.sdp)
        bo.wait("open")
        there = charles.wait("open")["conversation"]
        conf = call.answer.contact
        expect(call.msrp.send(cpim(ANN, conf, "hi all")) == 200, "refused")
        bo.wait("message", text="hi all")
        charles.send(cmd="send", conversation=there, text="from charles")
        call.msrp.wait_text("from charles")
        # He joins a second time, by the conference URI, and has his first seat until he has answered.
        again = phone.delayed(conf, answers=False)
        expect(again.answer.status == 200, again.answer.first)
        phone.until(lambda: again.ended, "BYE to the one that did not answer")
        expect(not call.ended and call.msrp.send(cpim(ANN, conf, "still here")) == 200, "his first seat")
        bo.wait("message", text="still here")
        again = phone.delayed(conf)
        phone.until(lambda: call.ended, "BYE to the first seat")
        expect(again.msrp.send(cpim(ANN, conf, "moved")) == 200, "his second seat")
        bo.wait("message", text="moved")
        charles.wait("message", text="moved")


def pager_only():
    """pjsua and baresip: MESSAGE, and nothing of the IM feature tag."""
    with Stage(settings=[ASSUME]) as stage:
        bo = stage.client("bo")
        phone = Phone(stage, "ann", im=False, allow="PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, "
                                                    "REFER, MESSAGE, OPTIONS")
        answer = phone.page(BO, "hi", "text/plain", "Accept: text/plain, application/im-iscomposing+xml\r\n")
        expect(answer.status == 200, answer.first)
        bo.wait("page", text="hi", **{"from": ANN})
        bo.send(cmd="page", to=ANN, text="hi too")
        m = phone.until(lambda: next((r for r in phone.requests if r.method == "MESSAGE"), None), "MESSAGE")
        expect(m.body == b"hi too" and m.get("Content-Type").startswith("text/plain"), m.first)
        expect(bo.wait("paged")["status"] == 200, "200 expected")
        # A call offers no MSRP: the client says so, and goes on.
        offer = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        answer = phone.request("INVITE", BO, phone.identity(BO) + phone.tagged_contact(), body=offer,
                               content_type="application/sdp")
        expect(answer.status in (488, 606), answer.first)


cases = Cases()
cases.run("sipsimple: a chat", ["SW-6", "FL-1"], sipsimple_chat)
cases.run("sipsimple: called", ["FL-1"], sipsimple_called)
cases.run("sipsimple: a conference", ["SW-2", "SW-6", "FL-5"], sipsimple_conference)
cases.run("Doubango: a chat", ["FL-1"], doubango_chat)
cases.run("Doubango: a conference", ["SW-2", "FL-5"], doubango_conference)
cases.run("the Node library", ["FL-1", "FL-5"], node_library)
cases.run("no offer in the INVITE", ["CF-9.3-1", "CF-X-5"], without_an_offer)
cases.run("pager only", ["R-10", "R-12"], pager_only)
cases.done()
