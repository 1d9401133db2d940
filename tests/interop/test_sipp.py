#!/usr/bin/env python3
"""sipp 3.6 as caller and as callee against the embedded core, with not one unexpected message.

sipp knows digest with MD5 alone and takes the first challenge, so that is all that is offered here.
"""
# timeout: 180

import os
import sys
from functools import partial

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))
from stage import Cases, Failed, Stage, expect  # noqa: E402
from sipp import IM_FIELDS, Sipp, absent, found, register  # noqa: E402

CALLS = 50
USERS = ("ann", "absent", "plain", *(f"bo{i}" for i in range(32)))
SETTINGS = ["auth.algorithms = MD5", "conference.max_members = 5"]
FACTORY = "conference-factory"

# What a callee looks at: the core vouches for the caller, keeps his credentials, and leaves the rest as it was.
PROXIED = "".join((found("sip:ann@example.com", "P-Asserted-Identity"), absent("Proxy-Authorization"),
                   found("^ *.sip:ann@[^;]*;transport=[A-Z]*.;.g.oma.sip-im", "Contact"),
                   found("^ *INVITE, ACK, CANCEL, BYE", "Allow"), found(";lr", "Record-Route")))
# And what the focus sends to an invitee.
FOCUS = "".join((found("sip:ann@example.com", "Referred-By"), found("isfocus", "Contact"),
                 found(".g.oma.sip-im", "Contact"), found("[*];.g.oma.sip-im;require;explicit", "Accept-Contact"),
                 found("INVITE.*BYE", "Allow"), found("a=path:msrp://")))

# And to the one who founds a conference.
FOUNDED = "".join((found("isfocus", "Contact"), found(".g.oma.sip-im", "Contact"), found("sip:conf-", "Contact"),
                   found("IM-serv/OMA1.0", "Server"), found("a=path:msrp://"), found("m=message")))
LATE = '<pause milliseconds="700"/>'


class Pair:
    """A registered callee and a caller for him, both at work. Each callee is a user of his own: a binding that is left
    behind leads nowhere."""

    def __init__(self, stage, scenarios, transports=("udp", "udp"), calls=20, *, again=((0, 0), (0, 0)), to=None,
                 expected=PROXIED, wanted="", **values):
        callee = next(stage.callees)
        values = {k: v.replace("CALLEE", callee) for k, v in values.items()}
        port = register(stage, callee, transports[1])
        self.again = again
        self.callee = Sipp(stage, scenarios[1], callee, calls=calls, transport=transports[1], port=port, listen=True,
                           setup="active", expected=expected, stay="300")
        self.caller = Sipp(stage, scenarios[0], "ann", calls=calls, transport=transports[0], callee=to or callee,
                           expected=wanted, **values)

    def judge(self):
        try:
            self.caller.judge(*self.again[0])
            self.callee.judge(*self.again[1])
        finally:
            self.caller.end()
            self.callee.end()


def run_all(cases, jobs):
    """jobs: (name, ids, what starts a Pair or a Sipp). They work side by side; each has a line of its own."""
    def start(begin):
        try:
            return begin().judge
        except Failed as problem:
            return partial(expect, False, str(problem))
    try:
        for name, ids, judge in [(name, ids, start(begin)) for name, ids, begin in jobs]:
            cases.run(f"sipp, {name}", ["R-10", *ids], judge)
    finally:
        for one in Sipp.runs:
            one.end()


CALL_KINDS = (
    ("calls", ("caller", "callee"), {}, ["PF-9.1.2-3", "PF-9.1.2-5", "PF-9.2-8", "R-3", "R-13"]),
    ("the callee hangs up", ("caller_hung_up", "callee_hangs_up"), {}, ["PF-9.1.2-3"]),
    ("cancelled while ringing", ("caller_cancels", "callee_cancelled"), {}, ["PF-9.1.2-6"]),
    ("cancelled too late", ("caller_cancels_late", "callee"), {}, []),
    ("declined", ("caller_refused", "callee_declines"), {"status": "603"}, ["PF-9.1.2-6"]),
)


def calls(cases, stage, label, transports, n):
    """All kinds of calls at once, each with a callee of its own."""
    run_all(cases, [(f"{name}, {label}", ids, partial(Pair, stage, scenarios, transports, n, **values))
                    for name, scenarios, values, ids in CALL_KINDS])


def repetitions(cases, stage, n=20):
    """Over UDP. What is lost is sent again, and what comes twice is passed on once."""
    to_focus = {"to": FACTORY, "expected": FOCUS, "wanted": FOUNDED, **listed("sip:CALLEE@example.com")}
    kinds = (
        ("INVITE and BYE sent again", ("caller_repeats", "callee_slow"), ((1, 0), (0, n)), {}),
        ("the first INVITE is lost", ("caller", "callee_slow"), ((0, 0), (0, n)), {}),
        ("an ACK is late", ("caller", "callee"), ((0, n), (n, 0)), {"before_ack": LATE}),
        ("an ACK to the focus is late", ("founder", "callee_hangs_up"), ((0, n), (0, 0)),
         {"before_ack": LATE, **to_focus}),
    )
    run_all(cases, [(name, [], partial(Pair, stage, scenarios, calls=n, again=again, **values))
                    for name, scenarios, again, values in kinds])


def refusals(cases, stage, transport):
    """What the core answers itself."""
    register(stage, "plain", transport, tag="+g.something.else")
    drafts = "Accept-Contact: *;+g.oma.sip.simple;require;explicit"
    short = "a: *;+g.oma.im.simple;require;explicit"
    kinds = (
        ("no IM feature tag", "absent", "403", {"fields": "Subject: none"}, ["PF-9.1.2-1"]),
        ("unknown user", "nobody", "404", {}, ["PF-9.1.2-6"]),
        ("absent user", "absent", "480", {}, ["PF-9.1.2-6"]),
        ("absent user, tag of the draft", "absent", "480", {"fields": short}, ["R-1"]),
        ("absent user, other tag of the draft", "absent", "480", {"fields": drafts}, ["R-1"]),
        ("a phone without IM", "plain", "480", {}, ["R-12"]),
        ("no hops left", "absent", "483", {"hops": "0"}, []),
    )
    run_all(cases, [(f"{name}: {status}, {transport}", ids,
                     partial(Sipp, stage, "caller_refused", "ann", calls=5, callee=callee, transport=transport,
                             status=status, **values))
                    for name, callee, status, values, ids in kinds])


def listed(*uris, **values):
    """The values of an INVITE to the factory with these in its list."""
    return {"type": "multipart/mixed;boundary=edge", "body": "@multipart@",
            "entries": "\n".join(f'<entry uri="{u}"/>' for u in uris),
            "fields": IM_FIELDS + "\nRequire: recipient-list-invite", **values}


def factory_refusals(cases, stage):
    untagged = "Require: recipient-list-invite"
    many = [f"sip:bo{i}@example.com" for i in range(8)]
    kinds = (
        ("no IM feature tag", FACTORY, "403", listed(many[0], fields=untagged), ["PF-9.1.2-1"]),
        ("unknown Require", FACTORY, "420", {"fields": IM_FIELDS + "\nRequire: levitation",
                                             "expected": found("levitation", "Unsupported")}, ["R-5"]),
        ("unknown conference", "conf-nosuchone", "404", {}, ["CF-X-5"]),
        ("no MSRP in the SDP", FACTORY, "488", listed(many[0], sdp="v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\n"
                                                      "c=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0"), []),
        ("broken SDP", FACTORY, "400", listed(many[0], sdp="v=0\nm=message\n"), []),
        ("unknown body", FACTORY, "415", {"type": "text/plain", "body": "hello",
                                          "expected": found("application/sdp", "Accept")}, []),
        ("broken XML", FACTORY, "400", listed(list="<resource-lists><list><entry"), ["CF-9.3-2"]),
        ("a list that names what is no address", FACTORY, "400", listed("mailto:bo@example.com"), ["CF-9.3-2"]),
        ("a list without anybody", FACTORY, "403", listed("sip:ann@example.com"), ["CF-9.3-2"]),
        ("a list too long", FACTORY, "413", listed(*many), ["CF-9.3-2"]),
    )
    run_all(cases, [(f"factory, {name}: {status}", ids,
                     partial(Sipp, stage, "caller_refused", "ann", calls=3, callee=callee, transport="tcp",
                             status=status, **values))
                    for name, callee, status, values, ids in kinds])


REPLACES = "?Replaces=old%40host%3Bto-tag%3Dt1%3Bfrom-tag%3Df1"


def conferences(cases, stage, label, transports, n):
    def founded(uri, expected):
        return partial(Pair, stage, ("founder", "callee_hangs_up"), transports, n, to=FACTORY, expected=expected,
                       wanted=FOUNDED, **listed(uri))
    run_all(cases, (
        (f"a conference from a list, {label}",
         ["CF-9.3-1", "CF-9.3-2", "CF-9.3-5", "CF-9.3.1-1", "CF-9.3.1-2", "CF-9.3.1-3", "CF-9.3.1-4", "R-5", "R-8"],
         founded("sip:CALLEE@example.com", FOCUS + absent("Replaces:"))),
        (f"an entry's Replaces and nothing else, {label}", ["CF-9.3.1-5", "R-6"],
         founded(f"sip:CALLEE@example.com;method=INVITE{REPLACES}&amp;Subject=smuggled&amp;X-Evil=1",
                 FOCUS + found("old@host;to-tag=t1;from-tag=f1", "Replaces") + found("replaces", "Require")
                 + absent("smuggled|X-Evil"))),
        (f"a Replaces unescaped as in the draft, {label}", ["R-6"],
         founded("CALLEE@example.com?Replaces: old@host;to-tag=t1;from-tag=f1",
                 FOCUS + found("old@host;to-tag=t1;from-tag=f1", "Replaces"))),
    ))


cases = Cases()
for host in ("127.0.0.1", "::1"):
    family = "IPv6" if ":" in host else "IPv4"
    few = CALLS if host == "127.0.0.1" else 10
    with Stage(users=USERS, settings=SETTINGS, host=host) as stage:
        stage.callees = iter(USERS[3:])
        for caller, callee in (("udp", "udp"), ("tcp", "tcp"), ("udp", "tcp"), ("tcp", "udp")):
            calls(cases, stage, f"{caller} to {callee}, {family}", (caller, callee), few if caller == callee else 10)
        conferences(cases, stage, f"udp, {family}", ("udp", "udp"), 10)
        conferences(cases, stage, f"tcp, {family}", ("tcp", "tcp"), 10)
        if family == "IPv4":
            repetitions(cases, stage)
            for transport in ("udp", "tcp"):
                refusals(cases, stage, transport)
                cases.run(f"sipp, OPTIONS, {transport}", ["R-10"],
                          lambda t=transport: Sipp(stage, "options", "ann", calls=20, transport=t).judge())
            factory_refusals(cases, stage)
cases.done()
