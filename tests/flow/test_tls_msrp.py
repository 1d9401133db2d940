#!/usr/bin/env python3
"""SW-4: MSRP over TLS: who is believed without a fingerprint (RFC 4975 section 5.4), and certificates that change."""
# timeout: 300

import os
import selectors
import socket
import ssl

from phone import Call, Msrp, Phone
from stage import DOMAIN, Cases, expect, read_trace
from tls_stage import TlsStage, ctl, hang_up, talk

BO = f"sip:bo@{DOMAIN}"


class TlsPhone(Phone):
    """A phone that waits for MSRP by TLS, shows this certificate, and says nothing of it in its session description."""

    def __init__(self, stage, name, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.failures = []
        super().__init__(stage, name, active=False)

    def sdp(self, msrp, answer_to=None):
        msrp.path = msrp.path.replace("msrp://", "msrps://")
        return super().sdp(msrp, answer_to).replace(b" TCP/MSRP ", b" TCP/TLS/MSRP ")

    def _ready(self, key):
        if key.data != "listener":
            super()._ready(key)
            return
        sock, _ = self.listener.accept()
        try:
            sock = self.context.wrap_socket(sock, server_side=True)
        except (ssl.SSLError, OSError) as problem:
            self.failures.append(str(problem))
            sock.close()
            return
        self.strangers[sock] = b""
        self.selector.register(sock, selectors.EVENT_READ, "stranger")

    def answer(self):
        """Takes the next call; whether anybody connects is the question."""
        m = self.until(lambda: next((r for r in self.requests if r.method == "INVITE"), None), "INVITE")
        call = Call(self, m.get("Call-ID"), Msrp(self))
        call.took_sdp(m.body)
        self.calls.append(call)
        self.respond(m, 200, self.sdp(call.msrp, call.sdp))


def certified(stage, names, other_ca):
    where = stage.certificates
    if other_ca:
        where = os.path.join(stage.dir, "other")
        ctl("tls", "init", where, "x.example")
    ctl("tls", "issue", where, "phone", *names)
    return os.path.join(where, "phone.pem"), os.path.join(where, "phone.key")


def without_fingerprint(good, names=("127.0.0.1",), other_ca=False, settings=(), group=True):
    with TlsStage(msrp=True, settings=settings) as stage:
        ann = stage.by_tls("ann", "--msrp-tls")
        bo = TlsPhone(stage, "bo", *certified(stage, names, other_ca))
        if group:
            ann.send(cmd="chat", to=[BO], conference=True, tag="c")
            here = ann.wait("calling", tag="c")["conversation"]
        else:
            here = ann.chat(BO)
        if not good:
            bo.answer()
            bo.until(lambda: any(r.method == "BYE" for r in bo.requests), "BYE")
            stage.logged("is not that of who was agreed on")
            return
        call = bo.take_call()
        ann.wait("open", conversation=here)
        ann.send(cmd="send", conversation=here, text="for your eyes")
        bo.until(lambda: any(m[2].endswith(b"for your eyes") for m in call.msrp.messages), "the message")


def shown(stage, port):
    context = ssl.create_default_context(cafile=stage.pem("ca"))
    with socket.create_connection((stage.host, port), timeout=5) as s:
        with context.wrap_socket(s, server_hostname=DOMAIN) as t:
            return t.getpeercert()["serialNumber"]


def fingerprints(stage):
    text = b"".join(m["bytes"] for m in read_trace(stage.trace) if m["proto"] == "sip" and m["dir"] == ">")
    return {x.split(b"\r\n")[0] for x in text.split(b"a=fingerprint:SHA-256 ")[1:]}


def reload(settings, conference):
    """The listeners of the switch show the new certificate, session descriptions have its fingerprint, and what runs
    goes on."""
    with TlsStage(msrp=True, settings=settings) as stage:
        ann, bo = stage.by_tls("ann", "--msrp-tls"), stage.by_tls("bo")

        def begin():
            before = len(bo.events)
            if conference:
                ann.send(cmd="chat", to=[BO], conference=True, tag=f"c{before}")
                here = ann.wait("calling", tag=f"c{before}")["conversation"]
            else:
                here = ann.chat(BO)
            ann.wait("open", conversation=here)
            return here, bo.wait("open", since=before)["conversation"]

        first = begin()
        ports = [stage.msrp_tls_port, stage.msrp_tls_port + 1]
        old, old_prints = {shown(stage, p) for p in ports}, fingerprints(stage)
        ctl("tls", "issue", stage.certificates, "server", DOMAIN)
        hang_up(stage, "read anew")
        expect(not old & {shown(stage, p) for p in ports}, "the old certificate is still shown")
        talk(ann, first[0], bo, first[1], n=5)
        second = begin()
        expect(len(fingerprints(stage) - old_prints) > 0, "the new fingerprint is not told")
        ann.send(cmd="send", conversation=second[0], text="with the new one")
        bo.until(lambda c: "with the new one" in c.texts(), "a message")


cases = Cases()
IDS = ["SW-4"]
cases.run("no fingerprint, but a CA that knows the host: a conference", IDS, without_fingerprint, True)
cases.run("no fingerprint, but a CA that knows the host: a relay", IDS,
          lambda: without_fingerprint(True, settings=("participating.mode = b2bua",), group=False))
cases.run("no fingerprint, and a CA that nobody knows", IDS, lambda: without_fingerprint(False, other_ca=True))
cases.run("no fingerprint, and a certificate of another host", IDS,
          lambda: without_fingerprint(False, names=("phone.example",)))
cases.run("no fingerprint, in a relay, and a CA that nobody knows", IDS,
          lambda: without_fingerprint(False, other_ca=True, settings=("participating.mode = b2bua",), group=False))
cases.run("no fingerprint, and the check is switched off", IDS,
          lambda: without_fingerprint(True, other_ca=True, settings=("msrp.tls_verify = no",)))
cases.run("a new certificate for the switch, without a restart", IDS, reload, (), True)
cases.run("a new certificate for relays, without a restart", IDS, reload, ("participating.mode = b2bua",), False)
cases.done()
