#!/usr/bin/env python3
"""What stands in the messages on the wire: the header fields that clauses 7 to 9 ask for, read from the traces."""
# timeout: 120

from stage import Cases, Stage, expect, read_trace

BO, CHARLES = "sip:bo@example.com", "sip:charles@example.com"
TAG = "+g.oma.sip-im"


class Message:
    """A SIP message of a trace."""

    def __init__(self, trace):
        self.dir, self.remote = trace["dir"], trace["remote"]
        head, _, self.body = trace["bytes"].partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")
        self.first = lines[0]
        self.fields = [(n.strip().lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines[1:])]

    def all(self, name):
        return [v for n, v in self.fields if n == name.lower()]

    def one(self, name):
        values = self.all(name)
        expect(values, f"no {name} in {self.first}")
        return values[0]

    @property
    def cseq(self):
        return self.one("CSeq").split()[1]


def messages(path):
    return [Message(m) for m in read_trace(path) if m["proto"] == "sip"]


def requests(list_, method, direction=None):
    return [m for m in list_ if m.first.startswith(method + " ") and (not direction or m.dir == direction)]


def responses(list_, status, method, direction=None):
    return [m for m in list_ if m.first.startswith(f"SIP/2.0 {status}") and m.cseq == method
            and (not direction or m.dir == direction)]


def play():
    """A chat, a move, one leaves without a name; the traces of all."""
    stage = Stage()
    with stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        chat = ann.chat(BO)
        ann.wait("open")
        there = bo.wait("open")["conversation"]
        ann.send(cmd="send", conversation=chat, text="hello")
        bo.wait("message")
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        bo.wait("moved")
        conference = charles.wait("open")["conversation"]
        ann.send(cmd="send", conversation=chat, text="all of you")
        charles.wait("message")
        bo.wait("message", text="all of you")
        charles.send(cmd="leave", conversation=conference, anonymous=True)
        charles.wait("ended")
        ann.wait("left")
        bo.send(cmd="leave", conversation=there)
        bo.wait("ended")
        ann.send(cmd="leave", conversation=chat)
        ann.wait("ended")
        # The answers to what was said last are in, too.
        for c in (ann, bo, charles):
            c.quit()
        return {n: messages(f"{stage.dir}/{n}.trace") for n in ("server", "ann", "bo", "charles")}


def initial_requests(t):
    sent = requests(t["ann"], "INVITE", ">") + requests(t["ann"], "SUBSCRIBE", ">")
    expect(len(sent) >= 3, "too few initial requests")
    for m in sent:
        expect(m.one("Accept-Contact") == f"*;{TAG};require;explicit", f"Accept-Contact {m.all('Accept-Contact')}")
        expect(m.one("User-Agent").startswith("IM-client/OMA1.0 Confab/"), "User-Agent")
        expect(f";{TAG}" in m.one("Contact"), "Contact without the tag")
        allow = {a.strip() for a in m.one("Allow").split(",")}
        expect({"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"} <= allow, f"Allow {allow}")
        expect(m.one("P-Preferred-Identity") == "<sip:ann@example.com>", "identity")


def answers(t):
    got = [m for m in t["bo"] if m.dir == ">" and m.first.startswith("SIP/2.0 2") and m.cseq == "INVITE"]
    expect(len(got) >= 2, "Bo answered less than twice")
    for m in got:
        expect(m.one("Server").startswith("IM-client/OMA1.0 Confab/"), "Server")
        expect(m.one("Allow") and m.one("P-Preferred-Identity") == "<sip:bo@example.com>", "Allow and identity")
        expect("replaces" in m.one("Supported"), "Supported")


def sdp(t):
    offer = requests(t["ann"], "INVITE", ">")[0].body.decode()
    for line in ("m=message ", " TCP/MSRP *", "a=path:msrp://127.0.0.1:", ";tcp", "a=accept-types:message/cpim",
                 "a=accept-wrapped-types:", "a=setup:actpass", "a=max-size:"):
        expect(line in offer, f"{line} missing in {offer}")


def proxy(t):
    """R-13: what the proxy forwards keeps Contact, Allow, Supported; it adds Via and Record-Route."""
    before = requests(t["ann"], "INVITE", ">")[-1:] and requests(t["server"], "INVITE", "<")
    first = next(m for m in before if "sip:bo@" in m.first and m.all("Proxy-Authorization"))
    after = next(m for m in requests(t["server"], "INVITE", ">") if m.one("Call-ID") == first.one("Call-ID"))
    for name in ("Contact", "Allow", "Supported"):
        expect(first.all(name) == after.all(name), f"{name} changed")
    expect(len(after.all("Via")) == len(first.all("Via")) + 1, "Via")
    expect("lr" in after.one("Record-Route"), "Record-Route")
    expect(int(after.one("Max-Forwards")) == int(first.one("Max-Forwards")) - 1, "Max-Forwards")
    expect(not after.all("Proxy-Authorization"), "the credentials went on")
    expect(after.one("P-Asserted-Identity").strip('"Ann ').strip("<>") == "sip:ann@example.com", "asserted")
    expect(not after.all("P-Preferred-Identity"), "P-Preferred-Identity went on")


def factory(t):
    invite = requests(t["ann"], "INVITE", ">")[-1]
    expect(invite.first == "INVITE sip:conference-factory@example.com SIP/2.0", invite.first)
    expect(invite.one("Require") == "recipient-list-invite", "Require")
    expect(invite.one("Content-Type").startswith("multipart/mixed"), "multipart")
    body = invite.body.decode()
    expect("Content-Disposition: recipient-list" in body and "application/resource-lists+xml" in body, "list")
    chat = next(m for m in responses(t["ann"], 200, "INVITE", "<"))
    entry = body.split("sip:bo@example.com;method=INVITE?Replaces=")[1].split('"')[0]
    tags = {"to": chat.one("To").split("tag=")[1], "from": chat.one("From").split("tag=")[1]}
    # to-tag is the receiver's own tag.
    expect(entry.replace("%3B", ";").replace("%3D", "=").replace("&amp;", "&")
           == f"{chat.one('Call-ID')};to-tag={tags['to']};from-tag={tags['from']}", f"Replaces {entry}")
    answer = responses(t["ann"], 200, "INVITE", "<")[-1]
    expect(";isfocus" in answer.one("Contact") and f";{TAG}" in answer.one("Contact"), answer.one("Contact"))
    expect(answer.one("Server").startswith("IM-serv/OMA1.0 Confab/"), "Server")
    return answer.one("Contact").split(">")[0].strip("<")


def invited(t):
    identity = factory(t)
    for who, uri in (("bo", BO), ("charles", CHARLES)):
        m = next(m for m in requests(t[who], "INVITE", "<") if "isfocus" in m.one("Contact"))
        expect(m.one("Accept-Contact") == f"*;{TAG};require;explicit", "Accept-Contact")
        expect(m.one("Referred-By") == "<sip:ann@example.com>", "Referred-By")
        expect(m.one("To").startswith(f"<{uri}>"), "To")
        expect(m.one("Allow") and f";{TAG}" in m.one("Contact") and identity in m.one("Contact"), "Contact")
        expect("m=message" in m.body.decode(), "offer")
        expect(bool(m.all("Replaces")) == (who == "bo"), "Replaces")
        expect((m.all("Require") == ["replaces"]) == (who == "bo"), "Require")
    return identity


def leaving(t):
    identity = factory(t)
    for who in ("ann", "bo", "charles"):
        bye = next(m for m in requests(t[who], "BYE", ">") if identity in m.first)
        expect(bool(bye.all("Privacy")) == (who == "charles"), "Privacy")
        expect(responses(t[who], 200, "BYE", "<"), "200 to BYE")
    # Bo ended the first session; Ann answered.
    first = requests(t["ann"], "BYE", "<")
    expect(len(first) == 1 and responses(t["ann"], 200, "BYE", ">"), "BYE of the first session")


cases = Cases()
seen = play()
cases.run("header fields of initial requests",
          ["IC-7.1.1-1", "IC-7.1.1-2", "IC-7.1.1-3", "IC-7.1.1-4", "IC-7.1.1-5", "R-1", "R-2", "R-3"], initial_requests, seen)
cases.run("header fields of answers", ["IC-8.3.1-5", "R-2"], answers, seen)
cases.run("the offer", ["IC-7.1.2-4", "IC-7.1.2-1"], sdp, seen)
cases.run("what the proxy changes, and what not", ["R-13", "PF-9.1.2-3", "R-3"], proxy, seen)
cases.run("the INVITE to the factory and its answer",
          ["IC-7.1.4-1", "IC-7.1.4-2", "IC-7.1.4-3", "IC-7.1.4-4", "IC-7.1.4-5", "IC-7.1.2-3", "CF-9.3-1", "R-5", "R-6", "R-7",
           "R-8", "R-9", "R-11"], factory, seen)
cases.run("the focus's INVITEs",
          ["CF-9.3-5", "CF-9.3.1-1", "CF-9.3.1-2", "CF-9.3.1-3", "CF-9.3.1-4", "CF-9.3.1-5", "R-6", "IC-8.3.1-4"], invited, seen)
cases.run("leaving", ["IC-7.1.5-1", "IC-7.1.5-2", "IC-7.1.5-3", "IC-7.1.5-4", "IC-7.1.5-6", "IC-8.3.2-1"], leaving, seen)
cases.done()
