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
    rings = False

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


    def final(self, call_id):
        """The final answer to what was sent with that Call-ID."""
        end = time.monotonic() + WAIT_S
        while True:
            text = self._receive(end)
            if text is None:
                raise Failed("no final answer")
            if field(text, "Call-ID") == call_id and text.startswith("SIP/2.0") and not text.startswith("SIP/2.0 1"):
                return text

    def wait_silent(self, begins):
        """The next request that begins so, of which its sender hears that it rings."""
        self.rings = True
        text = self.wait(begins)
        self.rings = False
        return text

    def _take(self, text):
        if not (self.rings and text.startswith("INVITE ")):
            super()._take(text)
        elif not any(field(t, "CSeq") == field(text, "CSeq") and field(t, "Call-ID") == field(text, "Call-ID") for t in self.came):
            self.came.append(text)
            self.answer(text, "180 Ringing")

    def answer(self, request, status_line):
        heads = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):.*?\r$", request, re.M | re.I)
        text = f"SIP/2.0 {status_line}\r\n" + "".join(h + "\n" for h in heads) + "Content-Length: 0\r\n\r\n"
        self.socket.sendto(text.replace(f"To: <{self.uri}>\r", f"To: <{self.uri}>;tag=r\r").encode(), self.server)


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


# The caps of the configuration that are not tried above: one below, at, and one above.
EXACT = ["sip.max_uri = 100", "sip.max_head = 2K", "sip.max_fields = 20", "sip.max_body = 1K", "sip.max_connections = 3",
         "auth.nonce_lifetime = 2s", "registrar.min_expires = 100s", "registrar.max_expires = 200s", "registrar.default_expires = 150s",
         "registrar.max_contacts = 2", "participating.max_sessions_per_user = 2", "conference.max = 3", "conference.max_members = 4",
         "conference.max_list_depth = 4", "conference.max_subscriptions = 3", "conference.max_subscriptions_per_user = 2",
         "conference.max_list_bytes = 600", "msrp.max_connections = 3"]


def sized(phone, uri=BO, head=0, fields=0, body=0):
    """A stranger's MESSAGE with a head, fields and body of exactly so much; the status."""
    phone.serial += 1
    lines = [f"MESSAGE {uri} SIP/2.0", f"Via: SIP/2.0/UDP {phone.at};rport;branch=z9hG4bK{phone.serial}", "Max-Forwards: 70",
             f"From: <{phone.uri}>;tag=t", f"To: <{BO}>", f"Call-ID: sized-{phone.at}-{phone.serial}", f"CSeq: {phone.serial} MESSAGE",
             f"Content-Length: {body}"]
    lines += ["Foo: x"] * (fields + 1 - len(lines))
    short = head - sum(len(line) + 2 for line in lines) - 2
    if short > 0:
        lines.append("Foo: " + "x" * (short - 7))
    text = "\r\n".join(lines) + "\r\n\r\n"
    expect(not head or len(text) == head, f"{len(text)} is not {head}")
    expect(not fields or text.count("\r\n") - 2 == fields, f"not {fields} fields")
    phone.socket.sendto((text + "x" * body).encode(), phone.server)
    end = time.monotonic() + WAIT_S
    while (answer := phone._receive(end)) and f"sized-{phone.at}-{phone.serial}" not in answer:
        pass
    expect(answer, "no answer")
    return status(answer)


def sizes_are_the_configurations(stage):
    eve = Phone(stage, "ann")
    for k, over in ((-1, False), (0, False), (1, True)):
        uri = "sip:" + "u" * (100 + k - 16) + "@example.com"
        for name, args, refusal in (("URI", {"uri": uri}, 414), ("head", {"head": 2048 + k}, 513),
                                    ("fields", {"fields": 20 + k}, 513), ("body", {"body": 1024 + k}, 413)):
            got = sized(eve, **args)
            expect(got == (refusal if over else 407), f"{name} at its cap and {k}: {got}")
    eve.close()


def registrations_are_capped(stage):
    bo = Phone(stage, "bo", stage.password("bo"))

    def register(lines):
        return bo.ask("REGISTER", "sip:example.com", lines, to=f"<{BO}>")

    # The phone says one Contact in any case.
    for n, right in ((1, 200), (2, 200), (3, 403)):
        answer = register("".join(f"Contact: <sip:bo@127.0.0.1:{7000 + i}>\r\n" for i in range(n - 1)))
        expect(status(answer) == right, f"{n} contacts: {answer}")
        expect(status(register("Expires: 0\r\nContact: <sip:bo@127.0.0.1:7000>\r\n")) == 200, "not taken back")
    for seconds, right in ((99, 423), (100, 200), (101, 200), (199, 200), (200, 200), (201, 200)):
        answer = register(f"Expires: {seconds}\r\n")
        expect(status(answer) == right, f"Expires: {seconds}: {answer}")
        if right == 423:
            expect(field(answer, "Min-Expires") == "100", answer)
        else:
            expect(f"expires={min(seconds, 200)}" in field(answer, "Contact"), answer)
    gone(bo)


def a_nonce_ends(stage):
    """Used again and again, each time with its next count, until it is stale."""
    ann = Phone(stage, "ann", stage.password("ann"))
    began = time.monotonic()
    challenge = ann.once("OPTIONS", FACTORY)
    issued = time.monotonic()
    for nc in range(1, 100000):
        line = ann._credentials(challenge, "OPTIONS", FACTORY, nc=f"{nc:08x}")
        before = time.monotonic()
        answer = ann.once("OPTIONS", FACTORY, line)
        if status(answer) != 200:
            break
        # The server's clock stands still while it works off what has come.
        expect(before - issued < 2.2, "a nonce is good for longer than auth.nonce_lifetime")
    expect(status(answer) == 407 and "stale=true" in answer, answer)
    expect(nc > 1 and time.monotonic() - began > 1.8, "a nonce is not good for as long as auth.nonce_lifetime")
    ann.close()


def sessions_are_capped(stage):
    ann, bo = registered(stage, "ann"), registered(stage, "bo")
    ringing = []
    for i in (1, 2, 3):
        credentials = ann._credentials(ann.once("MESSAGE", BO), "INVITE", BO)
        call_id = ann.send("INVITE", BO, credentials + INVITE, SDP)
        if i < 3:
            ringing.append(bo.wait_silent("INVITE "))
            continue
        answer = ann.final(call_id)
        expect(status(answer) == 486 and field(answer, "Retry-After"), f"invitation {i}: {answer}")
        ann.acknowledge(answer, BO)
    for text in ringing:
        bo.answer(text, "486 Busy Here")
        answer = ann.final(field(text, "Call-ID"))
        expect(status(answer) == 486, answer)
        ann.acknowledge(answer, BO)
    gone(ann, bo)


def listed(entries, depth=2):
    lists = depth - 2
    return ('<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">' + "<list>" * (lists + 1) +
            "".join(f'<entry uri="sip:u{i}@example.com"/>' for i in range(entries)) + "</list>" * (lists + 1) + "</resource-lists>")


def conference(phone, xml):
    """The answer to an INVITE with that list to the factory, acknowledged, and where the conference is."""
    body = ("--b\r\nContent-Type: application/sdp\r\n\r\n" + SDP + "\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n"
            "Content-Disposition: recipient-list\r\n\r\n" + xml + "\r\n--b--\r\n")
    answer = phone.ask("INVITE", FACTORY, IM + "Require: recipient-list-invite\r\nContent-Type: multipart/mixed;boundary=b\r\n", body)
    to = re.search(r"<([^>]*)>", field(answer, "Contact") or "<>").group(1)
    phone.acknowledge(answer, to or FACTORY)
    return answer, to


def end(phone, made, uri):
    answer = phone.ask("BYE", uri, to=field(made, "To"), call_id=field(made, "Call-ID"), cseq=1000)
    expect(status(answer) == 200, answer)


def conferences_are_capped(stage):
    ann = registered(stage, "ann")
    full = listed(1)
    cases = [("entries", listed(n), n <= 3) for n in (2, 3, 4)]
    cases += [("depth", listed(1, depth=d), d <= 3) for d in (2, 3, 4)]  # and the entry itself
    cases += [("bytes", full + " " * (600 + k - len(full)), k <= 0) for k in (-1, 0, 1)]
    for name, xml, fits in cases:
        made, uri = conference(ann, xml)
        expect(status(made) == (200 if fits else 413), f"{name}, {xml}: {made}")
        if fits:
            end(ann, made, uri)
    running = [conference(ann, full) for _ in range(3)]
    expect(all(status(made) == 200 for made, _ in running), "three conferences at a time")
    over, _ = conference(ann, full)
    expect(status(over) == 503 and field(over, "Retry-After"), over)
    bo = registered(stage, "bo")
    made, uri = running[0]
    expect(status(ann.ask("REFER", uri, f"Refer-To: <{BO}>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n")) == 200, "REFER")
    bo.wait_silent("INVITE ")
    bo.came.clear()
    for _ in range(2):
        expect(status(ann.ask("SUBSCRIBE", uri, "Event: conference\r\n")) == 200, "a subscription of ann's")
    answer = ann.ask("SUBSCRIBE", uri, "Event: conference\r\n")
    expect(status(answer) == 486, f"a third one of hers: {answer}")
    expect(status(bo.ask("SUBSCRIBE", uri, "Event: conference\r\n")) == 200, "one of bo's")
    answer = bo.ask("SUBSCRIBE", uri, "Event: conference\r\n")
    expect(status(answer) == 486, f"the fourth of the conference: {answer}")
    for made, uri in running:
        end(ann, made, uri)
    gone(ann, bo)


def all_there_is_room_for(port, n, served):
    """n connections at a time, each from an address of its own, as soon as those of before are gone."""
    held, until = [], time.monotonic() + WAIT_S
    while len(held) < n:
        s = connect(port, f"127.0.0.{30 + len(held)}")
        if served(s, time.monotonic_ns()):
            held.append(s)
        expect(time.monotonic() < until, f"connection {len(held) + 1} of {n} is not served")
    return held


def connections_of_all_are_capped(stage):
    for port, served in ((stage.sip_port, answered), (stage.msrp_port, answered_481)):
        held = all_there_is_room_for(port, 3, served)
        expect(is_closed(connect(port, "127.0.0.39")), "a fourth connection is closed")
        held.pop().close()
        held += all_there_is_room_for(port, 1, served)
        for s in held:
            s.close()


def answered_481(s, _):
    try:
        s.sendall(b"MSRP abcd1234 SEND\r\nTo-Path: msrp://127.0.0.1:1/x;tcp\r\nFrom-Path: msrp://127.0.0.1:9/y;tcp\r\n"
                  b"Message-ID: m\r\n-------abcd1234$\r\n")
        return b" 481 " in s.recv(1000)
    except ConnectionError:
        return False


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
    with Stage(settings=EXACT, threads=1) as stage:
        # First: the server's own connections to phones, for what is long, count as well.
        cases.run("connections of all are capped", ["R-10", "SW-4"], connections_of_all_are_capped, stage)
        cases.run("sizes are the configuration's", ["R-10"], sizes_are_the_configurations, stage)
        cases.run("registrations are capped", ["R-10"], registrations_are_capped, stage)
        cases.run("a nonce ends", ["R-3"], a_nonce_ends, stage)
        cases.run("sessions are capped", ["R-10"], sessions_are_capped, stage)
        cases.run("conferences are capped", ["R-10", "CF-X-4"], conferences_are_capped, stage)
    cases.done()


main()
