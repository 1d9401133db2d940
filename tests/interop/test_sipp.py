#!/usr/bin/env python3
"""sipp 3.6 as caller and as callee against the embedded core, with not one unexpected message.

sipp knows digest with MD5 alone and takes the first challenge, so that is all that is offered here.
"""
# timeout: 180

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))
from stage import Cases, Stage, expect, read_trace  # noqa: E402
from sipp import IM_FIELDS, Sipp, absent, found, register  # noqa: E402

CALLS = 50
USERS = ("ann", *(f"bo{i}" for i in range(9)))
SETTINGS = ["auth.algorithms = MD5", "conference.max_members = 5"]

CALLER_KNOWN = "".join((found("sip:ann@example.com", "P-Asserted-Identity"), absent("Proxy-Authorization"),
                        found("^ *.sip:ann@[^;]*;transport=[A-Z]*.;.g.oma.sip-im", "Contact"),
                        found("INVITE, ACK, CANCEL, BYE", "Allow"), found(";lr", "Record-Route")))


class Pair:
    """A registered callee and a caller for him, both at work."""

    def __init__(self, stage, callee, scenarios, transports, calls, retransmissions=(0, 0), **values):
        to = transports[1]
        port = register(stage, callee, to)
        self.retransmissions = retransmissions
        self.callee = Sipp(stage, scenarios[1], callee, calls=calls, transport=to, port=port, listen=True,
                           setup="active", expected=CALLER_KNOWN)
        self.caller = Sipp(stage, scenarios[0], "ann", calls=calls, transport=transports[0], callee=callee, **values)

    def judge(self):
        try:
            self.caller.judge(self.retransmissions[0])
            self.callee.judge(self.retransmissions[1])
        finally:
            self.caller.end()
            self.callee.end()


PAIRS = {
    "calls": (("caller", "callee"), {}, ["PF-9.1.2-3", "PF-9.1.2-5", "PF-9.2-8", "R-3", "R-13"]),
    "calls, the callee hangs up": (("caller_hung_up", "callee_hangs_up"), {}, ["PF-9.1.2-3"]),
    "cancelled while ringing": (("caller_cancels", "callee_cancelled"), {}, ["PF-9.1.2-6"]),
    "cancelled too late": (("caller_cancels_late", "callee"), {}, []),
    "declined": (("caller_refused", "callee_declines"), {"status": "603"}, ["PF-9.1.2-6"]),
}


def pairs(cases, stage, label, transports, names=PAIRS, calls=CALLS):
    """All kinds of calls at once, each with a callee of its own."""
    running = {}
    for i, name in enumerate(names):
        scenarios, values, _ = PAIRS[name]
        running[name] = Pair(stage, f"bo{i}", scenarios, transports, calls, **values)
    for name, pair in running.items():
        cases.run(f"sipp, {name}, {label}", ["R-10", *PAIRS[name][2]], pair.judge)


cases = Cases()
with Stage(users=USERS, settings=SETTINGS) as stage:
    pairs(cases, stage, "UDP", ("udp", "udp"))
cases.done()
