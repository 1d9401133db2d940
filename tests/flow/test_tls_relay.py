#!/usr/bin/env python3
"""SW-4: MSRP by TLS through the relay of a B2BUA, on both sides or on one, and who connects to whom."""
# timeout: 300

import random
import re

from moving import EACH, SEED, move
from phone import Phone
from stage import DOMAIN, Cases, expect, read_trace
from tls_stage import TlsStage, talk, transports

BO = f"sip:bo@{DOMAIN}"
B2BUA = "participating.mode = b2bua"


def relayed(policy="keep", mode=B2BUA, **options):
    return TlsStage(settings=(mode, f"participating.msrp_tls = {policy}"), msrp=True, **options)


def opened(ann, bo):
    chat = ann.chat(BO)
    ann.wait("open", conversation=chat)
    return chat, bo.wait("open")["conversation"]


def ended(ann, chat, bo, there):
    ann.send(cmd="leave", conversation=chat)
    bo.wait("ended", conversation=there)
    ann.wait("ended", conversation=chat)


def paths(trace):
    return set(re.findall(rb"a=path:(msrps?)://", b"".join(m["bytes"] for m in read_trace(trace) if m["proto"] == "sip")))


def chat(policy, ann_words, bo_words, ann_kind, bo_kind):
    with relayed(policy) as stage:
        ann, bo = stage.by_tls("ann", *ann_words), stage.by_tls("bo", *bo_words)
        here, there = opened(ann, bo)
        talk(ann, here, bo, there, n=30)
        # Larger than a record of TLS, and than what is passed on whole.
        ann.send(cmd="send", conversation=here, text="x" * 300000)
        bo.send(cmd="send", conversation=there, text="y" * 300000)
        bo.until(lambda c: "x" * 300000 in c.texts(), "the large message")
        ann.until(lambda c: "y" * 300000 in c.texts(), "the large message")
        ended(ann, here, bo, there)
        for person, kind in ((ann, ann_kind), (bo, bo_kind)):
            expect(transports(person.trace, "msrp") == {kind},
                   f"{person.name}: MSRP by {transports(person.trace, 'msrp')}")
        expect(transports(stage.trace, "msrp") == {ann_kind, bo_kind}, "the server's MSRP")
        expect((b"msrps" in paths(ann.trace)) == (ann_kind == "tls"), f"paths: {paths(ann.trace)}")


def plain_phone():
    """A phone that knows no TLS refuses an offer of it, and is offered plain MSRP where policy allows."""
    with relayed("either") as stage:
        ann = stage.by_tls("ann", "--msrp-tls")
        bo = Phone(stage, "bo", accept_types="message/cpim text/plain")
        here = ann.chat(BO)
        first = bo.until(lambda: next((r for r in bo.requests if r.method == "INVITE"), None), "INVITE")
        expect(b" TCP/TLS/MSRP *" in first.body and b"a=fingerprint:SHA-256 " in first.body, f"{first.body}")
        bo.respond(first, 488)
        bo.until(lambda: [r for r in bo.requests if r.method == "INVITE"][1:], "a second INVITE")
        bo.requests.remove(first)
        call = bo.take_call()
        expect(b" TCP/MSRP *" in call.invite.body and b"fingerprint" not in call.invite.body, f"{call.invite.body}")
        ann.wait("open", conversation=here)
        ann.send(cmd="send", conversation=here, text="hello")
        bo.until(lambda: any(m[2].endswith(b"hello") for m in call.msrp.messages), "the message")
        expect(transports(ann.trace, "msrp") == {"tls"}, "ann's side is TLS")


def by_tls_after_all(policy, bo_words):
    """Ann offers plain MSRP, which the relay may not put through (488): she offers TLS then, in the same call."""
    with relayed(policy) as stage:
        ann, bo = stage.by_tls("ann"), stage.by_tls("bo", *bo_words)
        here, there = opened(ann, bo)
        talk(ann, here, bo, there)
        for person in (ann, bo):
            expect(transports(person.trace, "msrp") == {"tls"}, f"{person.name}: MSRP in the clear")
        expect(paths(ann.trace) >= {b"msrp", b"msrps"}, f"paths: {paths(ann.trace)}")


def sips_stays():
    """Whoever calls by sips is not put through in the clear, whatever the policy."""
    with relayed("either") as stage:
        ann = stage.by_tls("ann", "--msrp-tls")
        bo = Phone(stage, "bo")
        here = ann.chat(f"sips:bo@{DOMAIN}")
        expect(ann.wait("ended", conversation=here)["status"] in (480, 488), "a refusal")
        expect(not any(b" TCP/MSRP" in r.body for r in bo.requests), "plain MSRP was offered")


def both_active(b2bua, tls):
    """Two phones that can only connect: the relay stands between them; without it they cannot meet (488)."""
    words = ["--msrp-active"] + (["--msrp-tls"] if tls else [])
    with relayed(mode=B2BUA if b2bua else "participating.mode = proxy") as stage:
        ann, bo = stage.by_tls("ann", *words), stage.by_tls("bo", *words)
        if not b2bua:
            expect(ann.wait("ended", conversation=ann.chat(BO))["status"] == 488, "488 expected")
            return
        here, there = opened(ann, bo)
        talk(ann, here, bo, there)
        ended(ann, here, bo, there)


def one_active(who):
    """One of two can only connect: the other one waits for him, also without a server between them."""
    with relayed(mode="participating.mode = proxy") as stage:
        ann = stage.by_tls("ann", *(["--msrp-active"] if who == "ann" else []))
        bo = stage.by_tls("bo", *(["--msrp-active"] if who == "bo" else []))
        here, there = opened(ann, bo)
        talk(ann, here, bo, there)


def back_again():
    """A connection by TLS that breaks comes back, and nothing is lost."""
    with relayed() as stage:
        ann, bo = stage.by_tls("ann", "--msrp-tls"), stage.by_tls("bo")
        here, there = opened(ann, bo)
        for i in range(60):
            ann.send(cmd="send", conversation=here, text=f"ann {i}")
            bo.send(cmd="send", conversation=there, text=f"bo {i}")
            if i in (20, 40):
                (ann if i == 20 else bo).send(cmd="break", conversation=here if i == 20 else there, which="direct")
        for x, y in ((ann, bo), (bo, ann)):
            want = [f"{x.name} {i}" for i in range(60)]
            y.until(lambda c, w=want: len(set(c.texts()) & set(w)) >= 60, f"messages of {x.name}")
            expect([t for t in y.texts() if t in want] == want, f"{y.name}: {y.texts()}")


class AllByTls(TlsStage):
    def client(self, name, **options):
        return self.by_tls(name, "--msrp-tls", **options)


def moved():
    with AllByTls(settings=(B2BUA,), msrp=True) as stage:
        move("through two relays by TLS", None, random.Random(SEED), stage, min(EACH, 200))
        expect(transports(stage.trace, "msrp") == {"tls"}, "the server's MSRP is TLS")


TLS, ONLY = ["--msrp-tls"], ["--msrp-tls-only"]
cases = Cases()
cases.run("relay, TLS on both sides", ["SW-4", "FL-3", "PF-9.1.2-2"], chat, "keep", TLS, [], "tls", "tls")
cases.run("relay, plain on both sides", ["SW-4", "FL-3"], chat, "keep", [], TLS, "tcp", "tcp")
cases.run("relay, plain to a phone that wants TLS", ["SW-4"], chat, "more", [], ONLY, "tcp", "tls")
cases.run("relay, TLS to a phone that has none", ["SW-4"], plain_phone)
cases.run("relay, TLS is kept unless policy says otherwise", ["SW-4"], by_tls_after_all, "keep", ONLY)
cases.run("relay, TLS required", ["SW-4"], by_tls_after_all, "required", [])
cases.run("relay, a sips call is never plain", ["SW-4"], sips_stays)
for kind in (False, True):
    text = "TLS" if kind else "plain"
    cases.run(f"two active phones, {text}, through the relay", ["SW-4"], both_active, True, kind)
    cases.run(f"two active phones, {text}, without a relay: 488", ["SW-4"], both_active, False, kind)
cases.run("an active caller and one who waits", ["SW-4"], one_active, "ann")
cases.run("an active callee and one who waits", ["SW-4"], one_active, "bo")
cases.run("relay, a broken TLS connection comes back", ["SW-4", "FL-10"], back_again)
cases.run("a move through two relays by TLS", ["SW-4", "FL-2", "FL-3"], moved)
cases.done()
