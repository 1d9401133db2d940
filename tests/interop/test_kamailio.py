#!/usr/bin/env python3
"""FL-1 to FL-7 with Kamailio as the SIP/IP core and confabd as application server on ISC, proxy and B2BUA."""
# timeout: 480

import os
import random
import re
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))
from stage import Cases, Client, Failed, expect, read_trace  # noqa: E402
from kamailio import ACCESS, CORE, FACTORY, PHONES, SERVER, KamailioStage  # noqa: E402
from test_chat import BO, FOUR, group_of_four, talk, two_of  # noqa: E402
from moving import move, side_by_side, wire  # noqa: E402
from phone import Phone  # noqa: E402
from test_conference import conferencing_model, several  # noqa: E402
from test_refer_routed import notify, refer, referred  # noqa: E402

EACH = int(os.environ.get("CONFAB_MOVE_MESSAGES", "200"))
SEED = int(os.environ.get("CONFAB_SEED", str(random.SystemRandom().randrange(1 << 32))))
MODES = ("proxy", "b2bua")
# What a phone never gets to see.
INSIDE = ("P-Charging-Vector", "P-Charging-Function-Addresses", "P-Served-User")


class Message:
    """One SIP message of a trace."""

    def __init__(self, m):
        self.out = m["dir"] == ">"
        head = m["bytes"].split(b"\r\n\r\n")[0].decode("utf-8", errors="replace").split("\r\n")
        self.start = head[0]
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in head[1:]]

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def value(self, name):
        return ", ".join(self.all(name))

    def is_request(self, method):
        return self.start.startswith(method + " ")


def sip_of(path):
    return [Message(m) for m in read_trace(path) if m["proto"] == "sip"]


def invites(messages, out, uri):
    return [m for m in messages if m.out == out and m.is_request("INVITE") and m.start.split()[1].startswith(uri)
            and ";tag=" not in m.value("To")]


def routed(server, orig="proxy", term="proxy"):
    """Both sides of a call passed the application server along Route, with the trust domain's fields unharmed."""
    came, went = invites(server, False, BO), invites(server, True, BO)
    expect(len(came) == 2 and len(went) == 2, f"{len(came)} came, {len(went)} went on")
    for side, mode, i, o in (("orig", orig, came[0], went[0]), ("term", term, came[1], went[1])):
        route = [r.strip() for r in i.value("Route").split(",")]
        expect(route[0].startswith(f"<sip:{side}@{SERVER}:") and route[1].startswith(f"<sip:back-{side}@{CORE}:"),
               f"Route of the {side} side: {route}")
        expect(o.value("Route") == route[1], f"Route on the way on: {o.value('Route')}")
        expect(o.start == i.start, "the Request-URI was changed")
        expect(o.all("Record-Route")[0].startswith(f"<sip:{SERVER}:"), "no Record-Route")
        expect(f"sescase={side};regstate=reg" in i.value("P-Served-User"), "P-Served-User")
        for name in ("P-Asserted-Identity", "P-Charging-Vector", "P-Served-User", "P-Access-Network-Info", "Privacy",
                     "Call-ID", "From"):
            expect(o.value(name) == i.value(name) and (i.value(name) or name == "Privacy"),
                   f"{name}: {i.value(name)!r} {o.value(name)!r}")
        expect(i.value("P-Asserted-Identity") == '"Ann" <sip:ann@example.com>', i.value("P-Asserted-Identity"))
        # A B2BUA's is a dialog of its own; a proxy's Contact and Vias are those that came.
        expect((o.value("Contact") == i.value("Contact")) == (mode == "proxy"), f"Contact: {o.value('Contact')}")
        if mode == "b2bua":
            expect(re.match(rf"<sip:ann@{SERVER}:\d+;pf=\w+>;\+g\.oma\.sip-im", o.value("Contact")),
                   f"Contact: {o.value('Contact')}")
        expect(any(v in o.all("Via") for v in i.all("Via")) == (mode == "proxy"), f"Via: {o.all('Via')}")
    expect(came[0].value("P-Charging-Vector") == came[1].value("P-Charging-Vector"), "one session, one icid")
    if "b2bua" in (orig, term):
        charged(server, came[0].value("P-Charging-Vector"), {"orig": orig, "term": term})


def charged(server, vector, modes):
    """A B2BUA's answers carry the icid of the INVITE, and whose network this is."""
    icid = vector.split(";")[0]
    answers = [m for m in server if m.out and re.match(r"SIP/2.0 (18\d|200)", m.start) and "INVITE" in m.value("CSeq")]
    mine = [m for m in answers if m.value("P-Charging-Vector")]
    expect(mine and all(m.value("P-Charging-Vector").split(";")[0] == icid for m in mine), "icid of the answers")
    expect(all('term-ioi="confab.example.com"' in m.value("P-Charging-Vector") for m in mine), "term-ioi")
    # What Bo's side says reaches Ann's through a proxy as well.
    expect(len(mine) == len(answers) or modes == {"orig": "b2bua", "term": "proxy"}, "an answer without a vector")


def nothing_leaks(stage, names):
    """The trust domain's fields stop before the phones; who calls is shown to them."""
    for name in names:
        for m in sip_of(os.path.join(stage.dir, f"{name}.trace")):
            if m.out:
                continue
            for field in (*INSIDE, "P-Access-Network-Info"):
                expect(not m.all(field), f"{name} got {field}: {m.start}")


def registered(messages):
    """IC-7.1.1-6 on a phone's wire."""
    register = [m for m in messages if m.out and m.is_request("REGISTER") and m.value("Authorization")][0]
    ok = [m for m in messages if not m.out and m.start.startswith("SIP/2.0 200") and "REGISTER" in m.value("CSeq")][0]
    expect("path" in register.value("Supported"), "Supported: path")
    expect(re.search(r';\+g\.oma\.sip-im;\+sip\.instance="<urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]'
                     r'[0-9a-f]{3}-[0-9a-f]{12}>"', register.value("Contact")), register.value("Contact"))
    expect("<sip:pcscf@" in ok.value("Path"), f"Path: {ok.value('Path')}")
    service_route = ok.value("Service-Route")
    expect(f"<sip:scscf@{CORE}:" in service_route, f"Service-Route: {service_route}")
    for m in messages:
        if not m.out or m.start.startswith("SIP/2.0"):
            continue
        method = m.start.split()[0]
        expect(m.all("P-Access-Network-Info") == ([] if method in ("ACK", "CANCEL") else [ACCESS]),
               f"P-Access-Network-Info in {method}: {m.all('P-Access-Network-Info')}")
        if method in ("INVITE", "SUBSCRIBE") and ";tag=" not in m.value("To"):
            expect(m.value("Route") == service_route, f"{method} is routed by {m.value('Route')!r}")
        expect("100rel" not in m.value("Supported") + m.value("Require"), "100rel")
        expect("precondition" not in m.value("Supported") + m.value("Require"), "precondition")


def chat(transport_a, transport_b, orig="proxy", term="proxy"):
    with KamailioStage(modes={"ann": orig, "bo": term}, settings=["ims.ioi = confab.example.com"]) as stage:
        two_of(stage, transport_a, transport_b)
        for c in stage.clients:
            stage.until_logged(f"{c.uri} is registered")
            c.quit()
            stage.until_logged(f"{c.uri} is no longer registered")
        server = sip_of(stage.trace)
        routed(server, orig, term)
        through = any(m["proto"] == "msrp" for m in read_trace(stage.trace))
        expect(through == ("b2bua" in (orig, term)), f"MSRP through the server: {through}")
        nothing_leaks(stage, ("ann", "bo"))
        registered(sip_of(stage.clients[0].trace))
        got = invites(sip_of(stage.clients[1].trace), False, "sip:bo@")[0]
        expect(got.value("P-Asserted-Identity") == '"Ann" <sip:ann@example.com>', "Bo is not told who calls")
        third = [m for m in server if not m.out and m.is_request("REGISTER")]
        expect(len(third) == 4 and all("scscf@" in m.value("From") for m in third), "third-party REGISTERs")


def served():
    """Who is registered, says the core; and until when."""
    with KamailioStage() as stage:
        ann = stage.client("ann")
        stage.until_logged("sip:ann@example.com is registered")
        ann.quit()
        stage.until_logged("sip:ann@example.com is no longer registered")


def refused(mode):
    with KamailioStage(settings=[f"participating.mode = {mode}"]) as stage:
        ann, bo = stage.client("ann"), stage.client("bo", auto_accept=False)
        expect(ann.wait("ended", conversation=ann.chat("sip:nobody@example.com"))["status"] == 404, "404 expected")
        expect(ann.wait("ended", conversation=ann.chat("sip:charles@example.com"))["status"] == 480, "480 expected")
        chat = ann.chat(BO)
        bo.send(cmd="decline", conversation=bo.wait("invited")["conversation"], status=603)
        expect(ann.wait("ended", conversation=chat)["status"] == 603, "603 expected")
        since = len(bo.events)
        chat = ann.chat(BO)
        there = bo.wait("invited", since)["conversation"]
        ann.wait("ringing", conversation=chat)
        ann.send(cmd="leave", conversation=chat)
        bo.wait("ended", conversation=there)
        ringing = [m for m in sip_of(bo.trace) if m.out and m.start.startswith("SIP/2.0 180")]
        expect(ringing and all(len(m.all("Contact")) == 1 and len(m.all("Server")) == 1 for m in ringing),
               "180 has a Contact (RFC 3261 section 12.1.1) and one Server")


def no_tag(mode):
    """PF-9.1.2-1 on the originating side."""
    with KamailioStage(settings=[f"participating.mode = {mode}"]) as stage:
        ann, _ = stage.client("ann", extra=["--feature-tag", "+g.example.other"]), stage.client("bo")
        expect(ann.wait("ended", conversation=ann.chat(BO))["status"] == 403, "403 expected")
        server = sip_of(stage.trace)
        expect(len(invites(server, False, BO)) == 1 and not invites(server, True, BO), "it went on all the same")


class ForPhones:
    """The stage as phones of bytes see it: Kamailio is their server."""

    def __init__(self, stage):
        self.host, self.sip_port, self.phones, self.password = PHONES, stage.port, stage.phones, stage.password


def refer_routed(mode):
    """A REFER outside a dialog passes both sides of the application server, or is refused there."""
    with KamailioStage(settings=[f"participating.mode = {mode}"]) as stage:
        ann, bo = (Phone(ForPhones(stage), name) for name in ("ann", "bo"))
        expect(refer(ann, BO, caps="").status == 403, "403 expected without the feature tag")
        answer = refer(ann, BO)
        expect(answer.status == 200, answer.first)
        got = referred(bo)
        expect(got.get("Refer-To") == "<sip:charles@example.com;method=INVITE>", got.get("Refer-To"))
        expect(got.get("P-Asserted-Identity") == "<sip:ann@example.com>", got.get("P-Asserted-Identity"))
        notify(ann, bo, got, answer)
        came = [m for m in sip_of(stage.trace) if not m.out and m.is_request("REFER")]
        expect(len(came) == 3 and sum("sescase=term" in m.value("P-Served-User") for m in came) == 1,
               "two sides, and one that was refused")
        for m in (got, answer, *ann.requests):
            expect(not any(m.get(field) for field in INSIDE), f"a phone got what is inside: {m.first}")


def wrong_password():
    with KamailioStage() as stage:
        ann = Client(stage, "ann", password="not it", host=PHONES)
        try:
            expect(ann.wait("register-failed")["status"] in (401, 403), "401 or 403 expected")
        finally:
            ann.quit()


def outsider():
    """One who is not in the trust domain asserts himself as he likes: it is not heard."""
    with KamailioStage() as stage:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((PHONES, 0))
            s.settimeout(5)
            at = f"{PHONES}:{s.getsockname()[1]}"
            s.sendto("\r\n".join((
                f"INVITE {FACTORY} SIP/2.0", f"Via: SIP/2.0/UDP {at};branch=z9hG4bKoutside1", "Max-Forwards: 70",
                "From: <sip:ann@example.com>;tag=1", f"To: <{FACTORY}>", "Call-ID: outside", "CSeq: 1 INVITE",
                f"Contact: <sip:ann@{at}>", "Accept-Contact: *;+g.oma.sip-im",
                "P-Asserted-Identity: <sip:ann@example.com>", "Content-Length: 0", "", "")).encode(),
                (SERVER, stage.sip_port))
            try:
                status = s.recv(4096).split()[1]
            except socket.timeout as problem:
                raise Failed("no answer") from problem
            expect(status == b"403", f"{status} instead of 403")


def without_server(how):
    """An application server that is gone, or does not answer, does not end the call."""
    with KamailioStage() as stage:
        ann, bo = stage.client("ann"), stage.client("bo")
        stage.process.send_signal(how)
        if how == signal.SIGTERM:
            stage.process.wait(10)
        try:
            chat = ann.chat(BO)
            ann.wait("open", conversation=chat)
            talk(ann, chat, bo, bo.wait("open")["conversation"], 5)
        finally:
            stage.process.send_signal(signal.SIGCONT)
        nothing_leaks(stage, ("ann", "bo"))


def no_relay():
    """Two relays and no more: a third session of a B2BUA's goes on without the application server."""
    with KamailioStage(users=FOUR, modes={"ann": "b2bua"}, threads=1, settings=["msrp.max_connections = 2"]) as stage:
        ann, bo, charles = stage.client("ann"), stage.client("bo"), stage.client("charles", auto_accept=False)
        dora = stage.client("dora")
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        talk(ann, chat, bo, bo.wait("open")["conversation"], 5)
        ann.chat("sip:charles@example.com")
        charles.wait("invited")
        third = ann.chat("sip:dora@example.com")
        ann.wait("open", conversation=third)
        talk(ann, third, dora, dora.wait("open")["conversation"], 5)
        refusals = [m for m in sip_of(stage.trace) if m.out and m.start.startswith("SIP/2.0 503")]
        expect(len(refusals) == 1 and "dora@" in refusals[0].value("To"), "one 503 of the application server")
        nothing_leaks(stage, FOUR)


def conference(server):
    """What the focus sends of its own, and how it is reached (PF-X-2)."""
    own = [m for m in server if m.out and m.is_request("INVITE") and len(m.all("Via")) == 1]
    expect(own, "the focus invited nobody")
    icids = set()
    for m in own:
        expect(m.value("Route").startswith(f"<sip:focus@{CORE}:") and ";orig>" in m.value("Route"), m.value("Route"))
        uri = re.match(r"<(sip:conf-[^>]+@conf\.example\.com)>", m.value("P-Asserted-Identity"))
        expect(uri and m.value("Contact").startswith(f"<{uri.group(1)}>"), f"{m.value('P-Asserted-Identity')}")
        icid = re.match(r'icid-value="([a-z2-7]{26})";icid-generated-at=' + re.escape(SERVER),
                        m.value("P-Charging-Vector"))
        expect(icid, m.value("P-Charging-Vector"))
        icids.add(icid.group(1))
        expect(m.value("Referred-By") == "<sip:ann@example.com>", m.value("Referred-By"))
    expect(len(icids) == len(own), "each INVITE has an icid of its own")
    asked = next(m for m in server if not m.out and m.is_request("INVITE") and m.start.split()[1] == FACTORY
                 and "orig@" not in m.value("Route"))
    answers = [m for m in server if m.out and m.start.startswith("SIP/2.0 200") and "INVITE" in m.value("CSeq")
               and m.value("Call-ID") == asked.value("Call-ID")]
    expect(answers and answers[0].value("P-Charging-Vector") == asked.value("P-Charging-Vector") != "",
           "the focus's answer has the icid of the INVITE")
    return own


def group(mode):
    with KamailioStage(users=FOUR, settings=[f"participating.mode = {mode}"]) as stage:
        group_of_four(stage)
        invited = conference(sip_of(stage.trace))
        expect(len(invited) == 3, "three were invited")
        nothing_leaks(stage, FOUR)


def whole(flow, mode):
    """A flow of test_conference.py, with everybody's functions in that mode."""
    def make(users=("ann", "bo", "charles")):
        stages.append(KamailioStage(users=users, settings=[f"participating.mode = {mode}"]))
        return stages[-1]
    stages = []
    flow(make)


def upgrade(name, orig, term, seed):
    modes = {"ann": orig, "bo": term, "charles": term}
    with KamailioStage(modes=modes) as stage:
        move(name, None, random.Random(seed), stage, EACH)
        wire_of_core(stage)
        nothing_leaks(stage, ("ann", "bo", "charles"))


def wire_of_core(stage):
    wire(stage)
    conference(sip_of(stage.trace))


def main():
    cases = Cases()
    jobs = []
    print(f"note seed {SEED}", flush=True)
    for a, b in (("tcp", "tcp"), ("udp", "udp"), ("udp", "tcp")):
        cases.run(f"Kamailio, chat {a} to {b}", ["FL-1", "PF-X-2", "IC-7.1.1-6", "R-10", "R-3"], chat, a, b)
    for a, b in ((x, y) for x in MODES for y in MODES if "b2bua" in (x, y)):
        cases.run(f"Kamailio, chat, originating {a}, terminating {b}", ["FL-1", "FL-3", "PF-X-2", "PF-9.1.2-2", "R-10"],
                  chat, "udp" if a == "proxy" else "tcp", "tcp", a, b)
    cases.run("Kamailio, users of a third-party REGISTER", ["PF-X-2"], served)
    for mode in MODES:
        cases.run(f"Kamailio, {mode}, unknown, absent, declined, cancelled", ["PF-9.1.2-6", "R-10"], refused, mode)
        cases.run(f"Kamailio, {mode}, no feature tag", ["PF-9.1.2-1", "PF-X-2"], no_tag, mode)
        cases.run(f"Kamailio, {mode}, REFER to a served user", ["PF-9.1.1-8", "PF-9.1.2-1", "PF-X-2", "R-10"], refer_routed,
                  mode)
    cases.run("Kamailio, wrong password", ["R-10"], wrong_password)
    cases.run("Kamailio, one outside the trust domain", ["R-3", "PF-X-2"], outsider)
    cases.run("Kamailio, the application server is gone", ["R-10"], without_server, signal.SIGTERM)
    cases.run("Kamailio, the application server is silent", ["R-10"], without_server, signal.SIGSTOP)
    cases.run("Kamailio, the application server has no relay left", ["PF-X-2", "R-10"], no_relay)
    for mode in MODES:
        cases.run(f"Kamailio, {mode}, 1-1 by the factory, one added by REFER", ["FL-4", "PF-X-2", "R-10"], whole,
                  conferencing_model, mode)
        cases.run(f"Kamailio, {mode}, several added by one REFER", ["FL-6", "PF-X-2", "R-10"], whole, several, mode)
        cases.run(f"Kamailio, {mode}, group of four, then they leave one by one", ["FL-5", "FL-7", "PF-X-2", "R-10", "R-3"],
                  group, mode)
    for i, (a, b) in enumerate((x, y) for x in MODES for y in MODES):
        ids = ["FL-2", "PF-X-2", "R-10", "R-3", "move-1", "move-5"] + (["FL-3", "PF-X-1"] if "b2bua" in (a, b) else [])
        jobs.append((f"Kamailio, move, originating {a}, terminating {b}", ids, upgrade, f"Kamailio, {a} x {b}", a, b,
                     SEED + i))
    side_by_side(cases, jobs, 4)
    cases.done()


if __name__ == "__main__":
    main()
