#!/usr/bin/env python3
"""An adversary against a whole server, who knows the RFCs and not the code: a stranger on UDP and TCP, a user who wants to be
another, a participant's neighbour. What must come of each try is taken from RFC 3261 §22 and §26, RFC 3325, RFC 3891,
RFC 5366 and RFC 8760. In proxy and b2bua mode."""
# timeout: 120

import re
import socket
import subprocess
import time

from intruder import IM, SDP, Peer, field, fields, status, tag_of
from stage import Cases, Failed, Stage, expect

ANN, BO = "sip:ann@example.com", "sip:bo@example.com"
FACTORY = "sip:conference-factory@example.com"
METHODS = ("INVITE MESSAGE REFER SUBSCRIBE NOTIFY PUBLISH OPTIONS BYE INFO UPDATE PRACK ACK FOO invite").split()
EXTRA = IM + "Refer-To: <sip:z@example.com>\r\nEvent: conference\r\nExpires: 100\r\n"


class Scene:
    """Ann, bo, charles and mal with their phones; eve, who has no account, and the one to whom things are to be sent."""

    def __init__(self, stage):
        self.stage = stage
        self.ann, self.bo, self.charles, self.mal = (Peer(stage, u) for u in ("ann", "bo", "charles", "mal"))
        self.users = [self.ann, self.bo, self.charles, self.mal]
        self.eve, self.victim = Peer(stage, "eve", "127.0.0.9"), Peer(stage, "victim", "127.0.0.33")
        for p in self.users:
            expect(status(p.register()) == 200, f"{p.user} registers")

    def settled(self):
        """All that was sent to the server before has had its effect: datagrams are served in their order."""
        for _ in range(2):  # what a forwarded request set off, too
            expect(status(self.ann.ask("OPTIONS", FACTORY, others=self.users)) == 200, "the server lives")
            for p in (*self.users, self.victim, self.eve):
                p.pump(0.002)

    def forget(self):
        self.settled()
        for p in (*self.users, self.victim, self.eve):
            p.forget()

    def untouched(self, what, *peers):
        self.settled()
        for p in peers:
            expect(not p.requests and not (p is self.victim and p.answers),
                   f"{what}: reached {p.user}: {(p.requests + p.answers)[:1]}")

    def close(self):
        for p in (*self.users, self.eve, self.victim):
            p.close()


# --- strangers ---


def strangers_get_nowhere(s):
    server = s.stage.server
    targets = [BO, FACTORY, f"sip:bo@{s.bo.at}", f"sip:bo@{server}", "sip:x@example.org", f"sip:x@{s.victim.at}",
               "sips:bo@example.com", "sip:conf-1@example.com", f"sip:bo@{server};pf=ob1", "tel:+15551234",
               f"sip:bo@example.com;maddr={s.victim.host}"]
    routes = ["", f"Route: <sip:{s.victim.at};lr>\r\n", f"Route: <sip:{server};lr>,<sip:{s.victim.at};lr>\r\n",
              f"Route: <sip:{s.victim.at}>\r\n", f"Route: <sip:{server};lr;ck=abcdefgh234567ab;pf=o1>\r\n",
              f"Route: <sip:example.com;lr;maddr={s.victim.host};transport=udp>\r\n"]
    s.forget()
    n = 0
    for method in METHODS:
        for uri in targets:
            for to in (None, f"<{uri}>;tag=made-up"):
                s.eve.answers.clear()
                sent, want = 0, 0
                for route in routes:
                    data = s.eve.build(method, uri, EXTRA, route=route, to=to, sender=f"<{ANN}>")
                    s.eve.send(data)
                    sent += len(data)
                    want += method != "ACK"
                s.eve.until(lambda: len([a for a in s.eve.answers if status(a) >= 200]) >= want, f"answers to {method} {uri}")
                n += want
                for a in s.eve.answers:
                    expect(status(a) in (100, 403, 405, 407, 416, 481), f"{method} {uri} {to}: {a}")
                expect(sum(len(a) for a in s.eve.answers) <= 3 * sent, f"amplified: {method} {uri}")
    s.untouched("a stranger's request", s.ann, s.bo, s.victim)
    print(f"note {n} requests of a stranger, each refused", flush=True)


def tags_are_no_key(s):
    s.forget()
    d = s.charles.call(s.bo)
    s.forget()
    for who in (s.eve, Peer(s.stage, "charles")):
        for method in METHODS:
            for route in ("", f"Route: <sip:{s.stage.server};lr;ck=abcdefgh234567ab>\r\n"):
                for uri in (BO, f"sip:bo@{s.bo.at}"):
                    who.send(who.build(method, uri, EXTRA, sender="<sip:charles@example.com>", tag=d["tag"], to=d["to"],
                                       call_id=d["call_id"], cseq=d["cseq"] + 10, route=route))
    s.untouched("Call-ID and tags of another's dialog", s.bo, s.charles)
    # The dialog stands, and its owner ends it.
    answer = s.charles.once("BYE", d["contact"], tag=d["tag"], to=d["to"], call_id=d["call_id"], cseq=d["cseq"] + 50,
                            route=d["route"], others=[s.bo])
    expect(status(answer) == 200, answer)


def a_route_is_no_passport(s):
    """mal has a dialog of his own, and gives its Route to eve."""
    s.forget()
    d = s.mal.call(s.bo)
    if not d["route"] or "ck=" not in d["route"]:
        expect("pf=" in d["contact"], d["contact"])  # the B2BUA's own dialog
    s.forget()
    for sender in ("sip:president@example.com", ANN, "sip:mal@example.com", "sip:ceo@bank.example"):
        for to in (d["to"], f"<{BO}>;tag=made-up"):
            for uri in (BO, f"sip:bo@{s.bo.at}", f"sip:v@{s.victim.at}", f"sip:v@{s.victim.at};transport=udp;lr"):
                for method in ("MESSAGE", "INVITE", "REFER", "BYE"):
                    s.eve.send(s.eve.build(method, uri, EXTRA, "x", sender=f"<{sender}>", tag=d["tag"], to=to,
                                           call_id=d["call_id"], route=d["route"]))
    s.untouched("the Route of mal's dialog", s.bo, s.ann, s.victim)
    # One of the same Call-ID, tag and callee, but by somebody else, opens no dialog of ann's either.
    theirs = s.ann.call(s.bo)
    mine = s.mal.call(s.bo, call_id=theirs["call_id"])
    s.forget()
    for route in (mine["route"], theirs["route"]):
        s.eve.send(s.eve.build("BYE", f"sip:bo@{s.bo.at}", sender=f"<{ANN}>", tag=theirs["tag"], to=theirs["to"],
                               call_id=theirs["call_id"], cseq=900, route=route))
    s.untouched("BYE into a dialog of ann's", s.bo)


def cancels_and_answers_of_others(s):
    s.bo.rings = True
    try:
        s.forget()
        challenge = s.ann.once("INVITE", BO, IM, SDP, kind="application/sdp")
        data = s.ann.build("INVITE", BO, s.ann.credentials(challenge, "INVITE", BO) + IM, SDP, kind="application/sdp")
        s.ann.send(data)
        branch, call_id, cseq = s.ann.branch, s.ann.call_id, field(data.decode(), "CSeq").split()[0]
        s.bo.until(lambda: any(r.startswith("INVITE ") for r in s.bo.requests), "the INVITE", [s.ann])
        s.bo.requests.clear()
        via = f"Via: SIP/2.0/UDP {s.ann.at};rport;branch={branch}\r\n"
        for uri in (BO, f"sip:bo@{s.bo.at}"):
            s.eve.send(s.eve.build("CANCEL", uri, via=via, call_id=call_id, cseq=cseq, sender=f"<{ANN}>"))
        s.eve.send(data)  # and the INVITE itself, for its answers
        s.untouched("a CANCEL from elsewhere", s.bo)
        expect(not any(status(a) == 180 for a in s.eve.answers), "eve was told what bo answered")
        s.ann.send(s.ann.build("CANCEL", BO, via=via, call_id=call_id, cseq=cseq))
        s.bo.until(lambda: any(r.startswith("CANCEL ") for r in s.bo.requests), "the caller's own CANCEL", [s.ann])
    finally:
        s.bo.rings = False
    s.forget()
    # Answers that nobody asked for: not passed on, and no 200 of them is acknowledged.
    for code in (100, 180, 200, 302, 407, 503):
        for below in (s.victim.at, s.bo.at):
            s.eve.send(f"SIP/2.0 {code} x\r\nVia: SIP/2.0/UDP {s.stage.server};branch=z9hG4bKq{code}\r\n"
                       f"Via: SIP/2.0/UDP {below};branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
                       f"Call-ID: q\r\nCSeq: 1 INVITE\r\nContact: <sip:x@{below}>\r\nContent-Length: 0\r\n\r\n")
    s.settled()
    for p in (s.victim, s.bo):
        expect(not any(field(t, "Call-ID") == "q" for t in p.requests + p.answers), f"reached {p.user}")


# --- digest ---


def tricks_with_digest(s):
    def try_(want, sender=None, change=None, **other):
        p = Peer(s.stage, "ann", f"127.0.1.{try_.n}")
        try_.n += 1
        challenge = p.once("OPTIONS", FACTORY)
        line = p.credentials(challenge, "OPTIONS", FACTORY, **other)
        answer = p.once("OPTIONS", FACTORY, change(line) if change else line, sender=sender)
        expect(status(answer) == want, f"{sender} {other} {change and change(line)}: want {want}, got {answer}")
        if want == 407:
            expect('qop="auth"' in answer and "nonce=" in answer, f"a challenge to go on with: {answer}")
        p.close()
        return answer
    try_.n = 1

    try_(200)
    try_(200, nc="ffffffff")
    for other in ({"password": "x"}, {"qop": None}, {"qop": "auth-int"}, {"qop": "auth-int", "body": "x"},
                  {"algorithm": "MD5-sess"}, {"algorithm": "SHA-256"}, {"algorithm": "NONE"}, {"digest_uri": BO},
                  {"digest_uri": "sip:conference-factory@evil.example"}, {"digest_uri": ""},
                  {"user": "ann@evil.example"}, {"user": "ANN"}, {"user": ""}, {"user": 'ann\\"'}, {"user": "a" * 20000},
                  {"nonce": ""}, {"nonce": "AAAA"}, {"nonce": "a" * 20000}, {"realm": "evil.example"}, {"realm": "EXAMPLE.com"},
                  {"response": ""}, {"response": "0" * 32}, {"name": "Authorization"}):
        try_(407, **other)
    for other in ({"nc": "00000000"}, {"nc": "1"}, {"user": "ann\0"}):
        try_(400, **other)
    for line in ("Proxy-Authorization: Basic YW5uOnB3LWFubg==\r\n", "Proxy-Authorization: \r\n",
                 "Proxy-Authorization: Digest ,,,===\"\r\n"):
        try_(407, change=lambda _, line=line: line)
    # The first of a realm counts (RFC 3261 §22.3); of other realms none.
    try_(200, change=lambda line: line.replace('"example.com"', '"evil.example"') + line)
    try_(407, change=lambda line: re.sub('response="[^"]*"', 'response="0"', line) + line)
    # From is the user's own.
    for sender in (f"<{BO}>", "<sip:%62o@example.com>", "<sip:ann@evil.example>", "<tel:+1>", f'"{ANN}" <{BO}>'):
        try_(403, sender=sender)
    try_(200, sender='"Anonymous" <sip:anonymous@anonymous.invalid>')
    try_(407, sender=f"<{BO}>", change=lambda line: line.replace('username="ann"', 'username="bo", username="ann"'))

    # What was proven for one request proves no other.
    p = Peer(s.stage, "ann", "127.0.0.8")
    challenge = p.once("OPTIONS", FACTORY)
    line = p.credentials(challenge, "OPTIONS", FACTORY)
    for method, uri in (("MESSAGE", FACTORY), ("OPTIONS", BO), ("REFER", BO)):
        expect(status(p.once(method, uri, line + EXTRA)) == 407, f"{method} {uri} with the digest of another request")
    expect(status(p.once("OPTIONS", FACTORY, line)) == 200, "the request it was for")
    expect("stale=true" in p.once("OPTIONS", FACTORY, line), "a replay")
    for nc, want in (("00000003", 200), ("00000002", 200), ("00000002", 407), ("00000100", 200), ("00000001", 407)):
        answer = p.once("OPTIONS", FACTORY, p.credentials(challenge, "OPTIONS", FACTORY, nc=nc))
        expect(status(answer) == want, f"nc {nc}: {answer}")
    p.close()


def a_neighbour_locks_nobody_out(s):
    wrong, right = Peer(s.stage, "dora", "127.0.0.40"), Peer(s.stage, "dora", "127.0.0.40")
    wrong.password = "wrong"
    answers = [status(wrong.ask("OPTIONS", FACTORY)) for _ in range(11)]
    expect(answers == 10 * [407] + [403], f"guessing: {answers}")
    expect(status(right.register()) == 200, "dora's other phone at that address")
    wrong.close()
    right.close()


# --- registrations ---


def registrations_of_others(s):
    s.forget()
    for want, contact, extra, to in (
            (403, None, "", BO), (403, "*", "Expires: 0\r\n", BO), (400, "*", "Expires: 10\r\n", ANN), (400, "*", "", ANN),
            (400, f"*, <sip:x@{s.mal.at}>", "Expires: 0\r\n", ANN), (400, "<tel:+1>", "", ANN), (400, "<http://x/>", "", ANN),
            (400, "<sip:>", "", ANN), (400, "<>", "", ANN), (400, "<sip:a@b", "", ANN), (404, None, "", "sip:ann@evil.example"),
            (423, f"<sip:x@{s.mal.at}>;expires=1", "", ANN)):
        answer = s.ann.register(extra, contact=contact, to=f"<{to}>")
        expect(status(answer) == want, f"{contact} {to}: want {want}: {answer}")
    # bo's own contact, registered by mal: what is sent to it stays bo's.
    expect(status(s.mal.register(contact=f"<sip:bo@{s.bo.at}>")) == 200, "mal registers bo's contact")
    s.forget()
    for uri in (BO, f"sip:bo@{s.bo.at}"):
        answer = s.charles.ask("MESSAGE", uri, IM, "secret", [s.bo, s.mal], kind="text/plain")
        expect(status(answer) == 200 and any("secret" in r for r in s.bo.requests), f"{uri}: {answer}")
    expect(not any("secret" in r for r in s.mal.requests), "mal read what was bo's")
    # Contacts that lead back here.
    for contact in (f"sip:mal@{s.stage.server}", "sip:mal@example.com", FACTORY):
        expect(status(s.mal.register("Expires: 0\r\n", contact="*")) == 200, "away with them")
        expect(status(s.mal.register(contact=f"<{contact}>")) == 200, contact)
        answer = s.charles.ask("MESSAGE", "sip:mal@example.com", IM, "x", [s.mal], kind="text/plain")
        expect(status(answer) in (200, 407, 480, 482, 483), f"{contact}: {answer}")
    expect(status(s.mal.register("Expires: 0\r\n", contact="*")) == 200 and status(s.mal.register()) == 200, "as it was")


# --- the trust domain ---

FORGED = "".join(f"{n}: <sip:president@example.com>\r\n" for n in (
    "P-Asserted-Identity", "P-Preferred-Identity", "P-Served-User", "P-Charging-Vector", "P-Charging-Function-Addresses",
    "P-Access-Network-Info", "P-Visited-Network-ID", "P-Profile-Key", "P-User-Database", "P-Asserted-Service",
    "P-Private-Network-Indication", "P-Early-Media", "Remote-Party-ID", "Feature-Caps", "Additional-Identity",
    "Cellular-Network-Info", "Relayed-Charge", "Resource-Share", "Restoration-Info", "Service-Interact-Info",
    "Priority-Share", "p-asserted-identity "))


def identities_are_the_servers_to_assert(s):
    for method, body, kind in (("MESSAGE", "hi", "text/plain"), ("INVITE", SDP, "application/sdp"), ("OPTIONS", "", None)):
        s.forget()
        s.bo.in_answers = FORGED
        answer = s.ann.ask(method, BO, IM + FORGED, body, [s.bo], kind=kind)
        s.bo.in_answers = ""
        came = next(r for r in s.bo.requests if r.startswith(method))
        for text, who in ((came, ANN), (answer, BO)):
            expect("president" not in text, f"{method}: {text}")
            expect(fields(text, "P-Asserted-Identity") == [f"<{who}>"], f"{method}: {text}")
    for value in ("id", "ID", "none;id", "header;id", "id;critical"):
        s.forget()
        s.ann.ask("MESSAGE", BO, IM + f"Privacy: {value}\r\nP-Preferred-Identity: <{ANN}>\r\n", "hi", [s.bo],
                  kind="text/plain", sender='"Anonymous" <sip:anonymous@anonymous.invalid>')
        came = next(r for r in s.bo.requests if r.startswith("MESSAGE"))
        expect(not re.search("ann@example|P-Asserted|P-Preferred", came), f"{value}: {came}")


# --- conferences ---

LIST = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>{}</list></resource-lists>'


def created(s, *entries, whole=None):
    text = whole or LIST.format("".join(f'<entry uri="{e}"/>' for e in entries))
    body = ("--B\r\nContent-Type: application/sdp\r\n\r\n" + SDP + "\r\n--B\r\nContent-Type: application/resource-lists+xml\r\n"
            f"Content-Disposition: recipient-list\r\n\r\n{text}\r\n--B--\r\n")
    tag = f"c{len(created.tags)}-{s.ann.at}"
    created.tags.append(tag)
    answer = s.ann.ask("INVITE", FACTORY, IM + "Require: recipient-list-invite\r\n", body, s.users[1:], tag=tag,
                       kind="multipart/mixed;boundary=B")
    if status(answer) != 200:
        return answer, None
    d = {"call_id": field(answer, "Call-ID"), "to": field(answer, "To"), "tag": tag,
         "uri": re.search(r"<([^>]*)>", field(answer, "Contact")).group(1), "cseq": int(field(answer, "CSeq").split()[0])}
    s.ann.send(s.ann.build("ACK", d["uri"], to=d["to"], tag=tag, call_id=d["call_id"], cseq=d["cseq"]))
    return answer, d


created.tags = []


def over(s, d):
    answer = s.ann.once("BYE", d["uri"], to=d["to"], tag=d["tag"], call_id=d["call_id"], cseq=d["cseq"] + 90, others=s.users[1:])
    expect(status(answer) == 200, answer)


def lists_say_whom_and_no_more(s):
    bomb = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 9 if i else "aaaaaaaaaa"}">' for i in range(9))
    for want, text in (
            (400, LIST.format('<entry uri="http://x/"/>')), (400, LIST.format('<entry uri="mailto:a@b"/>')),
            (400, LIST.format('<entry uri=""/>')), (400, LIST.format(f'<entry uri="{BO};method=BYE"/>')),
            (400, LIST.format(f'<entry uri="{BO}&#13;&#10;X-Evil: 1"/>')), (400, LIST.format(f'<entry uri="{BO}?Replaces=%0d%0aX:1"/>')),
            (400, LIST.format(f'<entry uri="{BO}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc%0D%0AX-Evil%3A%201"/>')),
            (403, LIST.format(f'<entry uri="{ANN}"/>')), (403, LIST.format(f'<entry uri="{FACTORY}"/>')),
            (403, LIST.format(f'<entry uri="sip:conference-factory@{s.stage.server}"/>')), (403, LIST.format('<external anchor="http://x/"/>')),
            (403, LIST.format('<entry-ref ref="x"/>')), (400, "<!DOCTYPE a [" + bomb + "]>" + LIST.format('<entry uri="sip:&e8;@x"/>')),
            (400, '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + LIST.format('<entry uri="&x;"/>')),
            (400, "<<<"), (413, "<a>" * 200)):
        answer, d = created(s, whole=text)
        expect(status(answer) == want and d is None, f"{text[:200]}: want {want}: {answer}")
    s.forget()
    _, d = created(s, f"{BO}?Subject=evil&amp;body=evil&amp;Route=%3Csip:{s.victim.at};lr%3E&amp;From=%3Csip:evil@y%3E", BO, BO,
                   "sip:%62o@EXAMPLE.com")
    s.bo.until(lambda: any(r.startswith("INVITE ") for r in s.bo.requests), "the invitation", s.users)
    s.settled()
    came = [r for r in s.bo.requests if r.startswith("INVITE ")]
    expect(len(came) == 1 and "evil" not in came[0] and not field(came[0], "Subject"), f"{len(came)} invitations: {came[0]}")
    s.untouched("the Route of a list entry", s.victim)
    over(s, d)


def conferences_are_their_participants(s):
    _, d = created(s, BO, "sip:charles@example.com")
    uri = d["uri"]
    for p in (s.bo, s.charles):
        p.until(lambda p=p: any(r.startswith("ACK ") for r in p.requests), f"{p.user} is in", s.users)
    s.forget()
    for method, want in (("REFER", 403), ("SUBSCRIBE", 403), ("INVITE", 403), ("BYE", 405), ("MESSAGE", 405), ("INFO", 405),
                         ("UPDATE", 405), ("NOTIFY", 405), ("PUBLISH", 405)):
        answer = s.mal.ask(method, uri, EXTRA, SDP if method == "INVITE" else "",
                           kind="application/sdp" if method == "INVITE" else None)
        expect(status(answer) == want, f"mal's {method}: {answer}")
    # Ann's dialog, with one thing wrong each time.
    for other in ({"tag": "guess"}, {"tag": ""}, {"tag": None}, {"call_id": "other"}):
        for method in ("BYE", "INVITE", "REFER", "SUBSCRIBE", "INFO"):
            answer = s.mal.once(method, uri, EXTRA, sender=f"<{ANN}>", to=d["to"],
                                **{"tag": d["tag"], "call_id": d["call_id"], **other})
            expect(status(answer) == 481, f"{method} {other}: {answer}")
    theirs = f"{d['call_id']};to-tag={tag_of(d['to'])};from-tag={d['tag']}"
    turned = f"{d['call_id']};to-tag={d['tag']};from-tag={tag_of(d['to'])}"
    for want, at, value in ((403, uri, theirs), (481, uri, turned), (481, uri, "a;to-tag=0;from-tag=0"), (400, uri, ";;;"),
                            (400, uri, f"{theirs}\r\nReplaces: {theirs}"), (481, FACTORY, theirs)):
        answer = s.mal.ask("INVITE", at, IM + f"Replaces: {value}\r\nRequire: replaces\r\n", SDP, s.users[:3], kind="application/sdp")
        expect(status(answer) == want, f"Replaces {value} at {at}: want {want}: {answer}")
    for want, to in ((403, f"<{FACTORY}>"), (403, f"<{uri}>"), (403, f"<sip:conference-factory@{s.stage.server}>"),
                     (416, "<http://x/>"), (416, "<tel:+1>"), (400, "<sip:mal@example.com>, <sip:mal@example.com>"),
                     (400, "<sip:mal@example.com>\r\nRefer-To: <sip:mal@example.com>"), (403, "<sip:mal@example.com;method=MESSAGE>"),
                     (400, "<sip:mal@example.com?Replaces=a%0d%0aX-Evil:1>"), (400, "<cid:nowhere@x>"), (400, "*"), (400, "")):
        answer = s.ann.ask("REFER", uri, IM + f"Refer-To: {to}\r\n", others=s.users[1:])
        expect(status(answer) == want, f"Refer-To {to}: want {want}: {answer}")
    answer = s.bo.ask("REFER", uri, IM + f"Refer-To: <{ANN};method=BYE>\r\n", others=s.users)
    expect(status(answer) == 403, f"bo takes ann out: {answer}")
    s.settled()
    for p in s.users:
        expect(all(r.startswith(("NOTIFY ", "OPTIONS ")) for r in p.requests), f"{p.user}: {p.requests}")
    over(s, d)


def a_full_conference_lets_its_own_back_in(s):
    """Four may be in, and are: one more is not let in, and who is lost comes back while his old phone seems to be there."""
    _, d = created(s, BO, "sip:charles@example.com", "sip:mal@example.com")
    for p in (s.bo, s.charles, s.mal):
        p.until(lambda p=p: any(r.startswith("ACK ") for r in p.requests), f"{p.user} is in", s.users)
    answer = s.ann.ask("REFER", d["uri"], IM + "Refer-To: <sip:dora@example.com>\r\n", others=s.users[1:])
    expect(status(answer) == 403, f"a fifth: {answer}")
    again = Peer(s.stage, "bo", "127.0.0.44")
    answer = again.ask("INVITE", d["uri"], IM, SDP, s.users, kind="application/sdp", tag="again")
    expect(status(answer) == 200, f"bo's other phone: {answer}")
    again.send(again.build("ACK", d["uri"], to=field(answer, "To"), tag="again", call_id=again.call_id,
                           cseq=field(answer, "CSeq").split()[0]))
    s.bo.until(lambda: any(r.startswith("BYE ") for r in s.bo.requests), "the end of bo's first seat", [*s.users, again])
    over(s, d)
    again.close()


# --- what is no SIP ---


def broken_requests(s):
    eve = s.eve

    def try_(want, data):
        eve.answers.clear()
        eve.send(data)
        if want:
            eve.until(lambda: eve.answers, f"an answer to {data[:300]}")
            expect(status(eve.answers[0]) == want, f"want {want}: {data[:300]}: {eve.answers[0]}")
        else:
            s.settled()
            expect(not eve.answers, f"answered: {data[:300]}: {eve.answers[:1]}")
        size = sum(len(a.encode("utf-8", "surrogateescape")) for a in eve.answers)
        expect(size <= 3 * len(data), f"{size} bytes for {len(data)}: {data[:200]}")

    def request(extra="", **more):
        return eve.build("OPTIONS", FACTORY, extra, **more)

    for line in ("From: <sip:x@y>;tag=1", "f: <sip:x@y>;tag=1", "To: <sip:x@y>", "Call-ID: zz", "i: zz", "CSeq: 1 OPTIONS",
                 "Content-Length: 5", "l: 5", "Max-Forwards: 3"):
        try_(400, request(line + "\r\n"))
    for cseq, want in (("0", 407), ("2147483647", 407), ("2147483648", 400), ("4294967296", 400), ("-1", 400), ("a", 400)):
        try_(want, request(cseq=cseq))
    for hops, want in (("0", 407), ("255", 407), ("256", 400), ("-1", 400), ("4294967296", 400), ("70, 70", 400), (None, 407)):
        try_(want, request(hops=hops))
    for length in (100, -1, "+0", "0x0", 1 << 32, 1 << 70, "0, 0"):
        try_(400, request(length=length))
    try_(505, request().replace(b" SIP/2.0\r\nVia", b" SIP/3.0\r\nVia"))
    try_(400, request("X: a\0b\r\n"))
    try_(400, request("Foo\r\n"))
    try_(407, request("X: a\r\n b\r\n\tc\r\n").replace(b"From: ", b"From:\r\n "))
    try_(407, request().replace(b"\r\n", b"\n"))
    try_(513, request("X: y\r\n" * 200))
    try_(513, request("X: " + "a" * 60000 + "\r\n"))
    for route in ("Route: <<<>>>\r\n", "Route: *\r\n"):
        try_(400, request(route=route))
    for data in (b"x" * 65507, b"x", b"", b"\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", request().replace(b"Call-ID: ", b"X: "),
                 request().replace(b"Via: ", b"X: "), request().replace(b"\r\n", b"\r")):
        try_(None, data)
    # Nothing in Via has an answer go to a third.
    s.forget()
    port = s.victim.at.split(":")[1]
    for via in (s.victim.at, f"{s.victim.at};rport", f"{eve.at};received={s.victim.host};rport={port}",
                f"{eve.at};maddr={s.victim.host}", f"{eve.host}:{port};maddr={s.victim.host};received={s.victim.host}",
                s.stage.server):
        eve.send(request(via=f"Via: SIP/2.0/UDP {via};branch=z9hG4bKv{port}{len(via)}\r\n"))
    s.untouched("a Via that names somebody else", s.victim)
    # An INVITE that is not acknowledged is not answered twice before its sender has shown that he is there.
    eve.answers.clear()
    eve.send(eve.build("INVITE", BO, IM, SDP, kind="application/sdp"))
    eve.until(lambda: eve.answers, "the challenge")
    eve.pump(1.2)  # timer G would have repeated it twice
    expect(len(eve.answers) == 1, f"{len(eve.answers)} answers to a forged INVITE")


def broken_streams(s):
    def talk(want, *pieces, closed=None):
        with socket.create_connection(s.eve.server, timeout=5) as c:
            try:
                for piece in pieces:
                    c.sendall(piece)
            except OSError:
                pass
            got, seen, end = [], b"", False
            deadline = time.monotonic() + 5
            # Where less is wanted than may come, the connection's end says that this was all.
            while (len(got) < len(want) or closed) and not end and time.monotonic() < deadline:
                try:
                    more = c.recv(65536)
                except OSError:
                    more = b""
                end = not more
                seen += more
                got = [int(x) for x in re.findall(rb"SIP/2\.0 (\d+)", seen)]
            expect(got == want and (closed is None or end == closed), f"{pieces[0][:200]}: want {want}: {got}, closed {end}")

    def request(extra="", body="", length=None):
        via = f"Via: SIP/2.0/TCP 127.0.0.9:5999;branch=z9hG4bKt{s.eve.build('X', 'sip:x').count(b'x')}{time.monotonic_ns()}\r\n"
        return s.eve.build("OPTIONS", FACTORY, extra, body, via=via, length=length)

    s.forget()
    talk([407], *[bytes([b]) for b in request()])
    talk([407] * 20, b"".join(request() for _ in range(20)))
    talk([407], b"\r\n" * 20000 + request())
    bye = s.eve.build("BYE", BO).decode()
    talk([407, 407], request(body=bye) + request())  # a request in a body is a body
    for line in ("Content-Length: 5\r\n", "l: 40\r\n"):
        talk([400], request(line) + bye.encode() * 3, closed=True)
    for length in (-5, "0, 0", "x"):
        talk([400], request(length=length), closed=True)
    talk([413], request(length=4294967290), closed=True)
    talk([400], request().replace(b"Content-Length", b"X-Length"), closed=True)
    talk([], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", closed=True)
    talk([], b"A" * 300000, closed=True)
    s.untouched("what was hidden in a stream", s.bo)


def main():
    cases = Cases()
    settings = ["auth.max_failures = 10", "conference.max_per_user = 0", "conference.max_members = 4", "sip.fork_timeout = 5s"]
    both = [("a stranger's request of any method gets nowhere", ["R-3"], strangers_get_nowhere),
            ("the tags of a dialog are no key to it", ["R-3"], tags_are_no_key),
            ("the Route of a dialog is no passport", ["R-3"], a_route_is_no_passport),
            ("CANCEL and answers of others", ["R-3"], cancels_and_answers_of_others),
            ("registrations of others", ["R-3"], registrations_of_others),
            ("identities are the server's to assert", ["R-3", "PF-X-2"], identities_are_the_servers_to_assert),
            ("a list says whom, and no more", ["R-3"], lists_say_whom_and_no_more),
            ("a conference is its participants'", ["R-3"], conferences_are_their_participants),
            ("a full conference lets its own back in", ["CF-X-5"], a_full_conference_lets_its_own_back_in)]
    once = [("tricks with digest", ["R-3"], tricks_with_digest), ("a neighbour locks nobody out", ["R-3"], a_neighbour_locks_nobody_out),
            ("broken requests", ["R-3"], broken_requests), ("broken streams", ["R-3"], broken_streams)]
    for mode in ("proxy", "b2bua"):
        with Stage(users=("ann", "bo", "charles", "dora", "mal"), threads=1, trace=False,
                   settings=[f"participating.mode = {mode}", *settings]) as stage:
            scene = Scene(stage)
            for name, ids, function in both + (once if mode == "proxy" else []):
                try:
                    cases.run(f"{name}, {mode}", ids, function, scene)
                except (OSError, StopIteration, subprocess.SubprocessError) as problem:
                    raise Failed(f"{name}: {problem!r}") from problem
            scene.close()
    cases.done()


if __name__ == "__main__":
    main()
