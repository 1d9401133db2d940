#!/usr/bin/env python3
"""The edge against strangers, by bare sockets: who is asked for a password, guessing, replay, forged identities, what
only participants may do, and the caps of a server that was given small ones."""
# timeout: 120

import re
import socket
import time

from raw_phone import RawPhone, field
from stage import Cases, Failed, Stage, expect

ANN, BO, CHARLES = (f"sip:{u}@example.com" for u in ("ann", "bo", "charles"))
FACTORY = "sip:conference-factory@example.com"
IM = "Accept-Contact: *;+g.oma.sip-im;require;explicit\r\n"
SDP = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
       "a=accept-types:message/cpim\r\na=path:msrp://127.0.0.1:9/abc;tcp\r\na=setup:active\r\n")
INVITE = IM + "Content-Type: application/sdp\r\n"
WAIT_S = 15

SMALL = ["sip.max_transactions = 100", "auth.max_failures = 3", "auth.lockout = 1h", "sip.max_uri = 100", "sip.max_head = 4K", "sip.max_fields = 30",
         "sip.max_body = 2K", "sip.max_connections_per_address = 4", "sip.unproven_bytes = 8K", "sip.unproven_time = 1s",
         "msrp.max_connections_per_address = 3", "msrp.unclaimed_bytes = 64K", "conference.max_per_user = 1",
         "conference.max_list_bytes = 400", "conference.max_subscriptions_per_user = 1"]


def status(answer):
    return int(answer.split()[1])


class Phone(RawPhone):
    """At an address of its own choice on loopback, with the password that it is told."""

    def __init__(self, stage, user, password="guess", host="127.0.0.1"):
        super().__init__(stage, user)
        self.password = password
        self.socket.close()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.at = f"{host}:{self.socket.getsockname()[1]}"
        self.contact = f"<sip:{user}@{self.at}>"

    def once(self, method, uri, lines="", **more):
        """The answer, and no second try."""
        call_id = self.send(method, uri, lines, **more)
        end = time.monotonic() + WAIT_S
        while True:
            text = self._receive(end)
            if text is None:
                raise Failed(f"no answer to {method}")
            if field(text, "Call-ID") == call_id and not text.startswith("SIP/2.0 1"):
                return text


def registered(stage, user):
    phone = Phone(stage, user, stage.password(user))
    answer = phone.ask("REGISTER", "sip:example.com", to=f"<{phone.uri}>")
    expect(status(answer) == 200, answer)
    return phone


def gone(*phones):
    for phone in phones:
        answer = phone.ask("REGISTER", "sip:example.com", "Expires: 0\r\n", to=f"<{phone.uri}>")
        expect(status(answer) == 200, answer)
        phone.close()


def strangers_are_challenged(stage):
    bo, eve = registered(stage, "bo"), Phone(stage, "ann")
    for method in ("INVITE", "MESSAGE", "REFER", "SUBSCRIBE", "PUBLISH", "OPTIONS", "BYE", "INFO", "NOTIFY"):
        for uri in (BO, FACTORY, f"sip:bo@{bo.at}"):
            for to in (f"<{uri}>", f"<{uri}>;tag=made-up"):
                if uri == FACTORY and "tag=" in to:
                    continue  # the focus goes by its dialogs: 481
                answer = eve.once(method, uri, "Refer-To: <sip:x@example.com>\r\n", to=to)
                expect(status(answer) == 407 and 'qop="auth"' in answer, f"{method} {uri} {to}: {answer}")
                if method == "INVITE":
                    eve.acknowledge(answer, uri)
    expect(status(eve.once("REGISTER", "sip:example.com", to=f"<{ANN}>")) == 401, "REGISTER")
    expect(status(eve.once("BYE", FACTORY, to=f"<{FACTORY}>;tag=made-up")) == 481, "no such dialog")
    gone(bo)
    expect(not bo.came, f"something reached the phone: {bo.came}")
    eve.close()


def replay_is_stale(stage):
    ann = Phone(stage, "ann", stage.password("ann"))
    credentials = ann._credentials(ann.once("OPTIONS", FACTORY), "OPTIONS", FACTORY)
    expect(status(ann.once("OPTIONS", FACTORY, credentials)) == 200, "the first time")
    again = ann.once("OPTIONS", FACTORY, credentials)
    expect(status(again) == 407 and "stale=true" in again, again)
    # From another address: not even looked at.
    eve = Phone(stage, "ann", host="127.0.0.7")
    mine = ann._credentials(ann.once("OPTIONS", FACTORY), "OPTIONS", FACTORY)
    there = eve.once("OPTIONS", FACTORY, mine)
    expect(status(there) == 407 and "stale=true" in there, there)
    ann.close()
    eve.close()


def strangers_fill_no_table(stage):
    """With room for 100 transactions: RFC 3261 section 26.3.2.4, nothing is kept of who has shown nothing."""
    eve, bo = Phone(stage, "ann"), registered(stage, "bo")
    for i in range(60):
        for method in ("INVITE", "MESSAGE", "SUBSCRIBE", "CANCEL"):
            answer = eve.once(method, BO)
            expect(status(answer) == (481 if method == "CANCEL" else 407), f"{method} {i}: {answer}")
    ann = Phone(stage, "ann", stage.password("ann"))
    expect(status(ann.ask("OPTIONS", FACTORY)) == 200, "a user among strangers")
    gone(bo)
    eve.close()
    ann.close()


def guessing_locks_out_the_guesser_alone(stage):
    eve = Phone(stage, "charles", host="127.0.0.5")
    for i in range(3):
        expect(status(eve.ask("OPTIONS", FACTORY)) == 407, f"guess {i + 1}")
    expect(status(eve.ask("OPTIONS", FACTORY)) == 403, "the fourth guess")
    eve.password = stage.password("charles")
    expect(status(eve.ask("OPTIONS", FACTORY)) == 403, "even the right one")
    charles = Phone(stage, "charles", stage.password("charles"), host="127.0.0.6")
    expect(status(charles.ask("OPTIONS", FACTORY)) == 200, "the user elsewhere")
    ann = Phone(stage, "ann", stage.password("ann"), host="127.0.0.5")
    expect(status(ann.ask("OPTIONS", FACTORY)) == 200, "another user there")
    for p in (eve, charles, ann):
        p.close()


def identities_are_proven(stage):
    ann, bo = registered(stage, "ann"), registered(stage, "bo")
    forged = ("P-Asserted-Identity: <sip:president@example.com>\r\nP-Charging-Vector: icid-value=x\r\n"
              "P-Served-User: <sip:president@example.com>\r\nP-Access-Network-Info: forged\r\n")
    credentials = ann._credentials(ann.once("MESSAGE", BO), "MESSAGE", BO)
    ann.send("MESSAGE", BO, credentials + forged)
    came = bo.wait("MESSAGE ")
    expect(field(came, "P-Asserted-Identity").endswith(f"<{ANN}>"), came)
    expect("president" not in came and "forged" not in came and "icid" not in came, came)
    expect(not field(came, "Proxy-Authorization"), came)
    own, ann.uri = ann.uri, CHARLES
    expect(status(ann.ask("MESSAGE", BO)) == 403, "From of another")
    ann.uri = "sip:anonymous@anonymous.invalid"
    credentials = ann._credentials(ann.once("MESSAGE", BO), "MESSAGE", BO)
    ann.send("MESSAGE", BO, credentials + "Privacy: id\r\n")
    came = bo.wait("MESSAGE ")
    expect("anonymous.invalid" in field(came, "From") and not field(came, "P-Asserted-Identity"), came)
    ann.uri = own
    gone(ann, bo)


def conference_is_its_participants(stage):
    ann, bo = registered(stage, "ann"), registered(stage, "bo")
    made = ann.ask("INVITE", FACTORY, INVITE, SDP)
    expect(status(made) == 200, made)
    uri = re.search(r"<([^>]*)>", field(made, "Contact")).group(1)
    ann.acknowledge(made, uri)
    for method, lines in (("REFER", f"Refer-To: <{CHARLES}>\r\n"), ("SUBSCRIBE", "Event: conference\r\n")):
        expect(status(bo.ask(method, uri, lines)) == 403, f"{method} by who is not in")
    tags = {n: re.search(r"tag=([^;\r]*)", field(made, n)).group(1) for n in ("To", "From")}
    replaces = (f"Replaces: {field(made, 'Call-ID')};to-tag={tags['To']};from-tag={tags['From']}\r\n"
                "Require: replaces\r\n")
    answer = bo.ask("INVITE", uri, INVITE + replaces, SDP)
    expect(status(answer) == 403, answer)
    bo.acknowledge(answer, uri)
    expect(status(ann.ask("REFER", uri, "Refer-To: <tel:+15551234>\r\n")) == 416, "tel")
    expect(status(ann.ask("REFER", uri, "Refer-To: <http://127.0.0.1/>\r\n")) == 416, "http")
    # One conference of a user, one subscription of a participant.
    answer = ann.ask("INVITE", FACTORY, INVITE, SDP)
    expect(status(answer) == 486 and field(answer, "Retry-After"), answer)
    ann.acknowledge(answer, FACTORY)
    expect(status(ann.ask("SUBSCRIBE", uri, "Event: conference\r\n")) == 200, "the first")
    answer = ann.ask("SUBSCRIBE", uri, "Event: conference\r\n")
    expect(status(answer) == 486 and field(answer, "Retry-After"), answer)
    listed = "".join(f'<entry uri="sip:u{i}@example.com"/>' for i in range(20))
    body = ("--b\r\nContent-Type: application/sdp\r\n\r\n" + SDP +
            "\r\n--b\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
            '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>' + listed +
            "</list></resource-lists>\r\n--b--\r\n")
    answer = bo.ask("INVITE", FACTORY, IM + "Require: recipient-list-invite\r\n"
                    "Content-Type: multipart/mixed;boundary=b\r\n", body)
    expect(status(answer) == 413, answer)
    bo.acknowledge(answer, FACTORY)
    gone(ann, bo)


def too_large_is_said_so(stage):
    eve = Phone(stage, "ann")
    cases = (("OPTIONS", "sip:" + "u" * 100 + "@example.com", "", "", 414),
             ("OPTIONS", BO, "Subject: " + "s" * 4096 + "\r\n", "", 513),
             ("OPTIONS", BO, "Foo: x\r\n" * 30, "", 513),
             ("MESSAGE", BO, "Content-Type: text/plain\r\n", "x" * 2049, 413),
             ("MESSAGE", BO, "Content-Type: text/plain\r\n", "x" * 2048, 407))
    for method, uri, lines, body, right in cases:
        answer = eve.once(method, uri, lines, body=body, to=f"<{BO}>")
        expect(status(answer) == right, f"{method} {right}: {answer[:300]}")
    eve.close()


def connect(port, source="127.0.0.1"):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.bind((source, 0))
    s.settimeout(WAIT_S)
    s.connect(("127.0.0.1", port))
    return s


def is_closed(s):
    """The server closes it (within the socket's timeout)."""
    try:
        while s.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except socket.timeout:
        return False


OPTIONS = ("OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{0}\r\n"
           "From: <sip:x@example.com>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: {0}\r\nCSeq: 1 OPTIONS\r\n"
           "Content-Length: 0\r\n\r\n")


def answered(s, serial):
    s.sendall(OPTIONS.format(serial).encode())
    try:
        return s.recv(65536).startswith(b"SIP/2.0 200")
    except ConnectionError:
        return False


def connections_have_caps(stage):
    # A source of its own for each, so that nothing of the other cases is counted.
    held = [connect(stage.sip_port, "127.0.0.21") for _ in range(4)]
    for i, s in enumerate(held):
        expect(answered(s, f"cap-{i}"), f"connection {i + 1} of four")
    over = connect(stage.sip_port, "127.0.0.21")
    expect(is_closed(over), "a fifth one is closed")
    other = connect(stage.sip_port, "127.0.0.22")
    expect(answered(other, "cap-other"), "one from another address")
    # Whoever proves nothing is closed after a second, whatever he says.
    for s in held + [other]:
        expect(is_closed(s), "closed in time")
        s.close()
    # Or after so many bytes.
    much = connect(stage.sip_port, "127.0.0.23")
    try:
        for _ in range(64):
            much.sendall(b"\r\n\r\n" * 256)
    except ConnectionError:
        pass
    expect(is_closed(much), "closed after 8 KiB of nothing")
    over.close()
    much.close()
    held = [connect(stage.msrp_port, "127.0.0.24") for _ in range(3)]
    over = connect(stage.msrp_port, "127.0.0.24")
    expect(is_closed(over), "a fourth MSRP connection is closed")
    try:
        for _ in range(8):
            held[0].sendall(b"MSRP abcd1234 SEND\r\nTo-Path: msrp://127.0.0.1:1/x;tcp\r\n" + b"x" * 16384)
    except ConnectionError:
        pass
    expect(is_closed(held[0]), "and one that shows no session id")
    for s in held + [over]:
        s.close()


def chat_goes_on(stage):
    ann, bo = stage.client("ann"), stage.client("bo")
    chat = ann.chat(BO)
    ann.wait("open")
    bo.wait("open")
    ann.send(cmd="send", conversation=chat, text="still here")
    bo.wait("message", text="still here")


def main():
    cases = Cases()
    with Stage(settings=SMALL) as stage:
        cases.run("strangers are challenged", ["R-3"], strangers_are_challenged, stage)
        cases.run("strangers fill no table", ["R-3"], strangers_fill_no_table, stage)
        cases.run("replay is stale", ["R-3"], replay_is_stale, stage)
        cases.run("guessing locks out the guesser alone", ["R-3"], guessing_locks_out_the_guesser_alone, stage)
        cases.run("identities are proven", ["R-3"], identities_are_proven, stage)
        cases.run("a conference is its participants'", ["CF-9.3-2", "CF-X-4"], conference_is_its_participants, stage)
        cases.run("too large is said so", ["R-10"], too_large_is_said_so, stage)
        cases.run("connections have caps", ["R-10", "SW-4"], connections_have_caps, stage)
        cases.run("a chat goes on all the same", ["FL-1"], chat_goes_on, stage)
    cases.done()


main()
