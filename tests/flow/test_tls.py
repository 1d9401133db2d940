#!/usr/bin/env python3
"""SIP and MSRP over TLS, with real programs: who is believed, who is refused and how it is said."""
# timeout: 300

import os
import socket
import ssl

from dns_server import DnsServer
from stage import DOMAIN, Cases, Client, Failed, expect, read_trace
from tls_stage import TlsStage, ctl, hang_up, talk, transports

BO, CHARLES = f"sip:bo@{DOMAIN}", f"sip:charles@{DOMAIN}"


def chat_sip_tls(other):
    with TlsStage() as stage:
        ann = stage.by_tls("ann")
        bo = stage.by_tls("bo") if other == "tls" else stage.client("bo", transport=other)
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        there = bo.wait("open")["conversation"]
        talk(ann, chat, bo, there)
        bo.send(cmd="leave", conversation=there)
        ann.wait("ended", conversation=chat)
        expect(transports(ann.trace, "sip") == {"tls"}, f"ann's SIP went by {transports(ann.trace, 'sip')}")
        expect(any(b"SIP/2.0/TLS" in m["bytes"] for m in read_trace(ann.trace)), "no Via with TLS")
        invites = [m["bytes"] for m in read_trace(bo.trace) if m["bytes"].startswith(b"INVITE") and m["dir"] == "<"]
        expect(invites and b"Record-Route: <sip:127.0.0.1:%d;transport=tls;lr" % stage.tls_port in invites[0],
               f"Record-Route: {invites[:1]}")


def chat_sips():
    """A sips URI asks for TLS on each hop: one who came without it is not there."""
    with TlsStage() as stage:
        ann = stage.by_tls("ann")
        bo = stage.by_tls("bo")
        charles = stage.client("charles")
        chat = ann.chat(f"sips:bo@{DOMAIN}")
        ann.wait("open", conversation=chat)
        bo.wait("open")
        expect(ann.wait("ended", conversation=ann.chat(f"sips:charles@{DOMAIN}"))["status"] == 480, "480 expected")
        expect(charles.find("invited") < 0, "charles was asked without TLS")


def refused(words, names=(DOMAIN, "127.0.0.1"), days=None, other_ca=False, extra=()):
    with TlsStage(names=names, days=days) as stage:
        ca = None
        if other_ca:
            ctl("tls", "init", os.path.join(stage.dir, "other"), DOMAIN)
            ca = os.path.join(stage.dir, "other", "ca.pem")
        ann = stage.by_tls("ann", *extra, ca=ca, wait=False)
        failed = ann.wait("register-failed")
        expect(words in failed["text"], f"{failed} says nothing of {words}")
        sip = [m["bytes"] for m in read_trace(stage.trace)]
        expect(not sip, f"the server was told {sip[:1]}")


def domain_by_dns():
    """RFC 5922 §4: the certificate has to name the domain that was asked for, not the host that DNS gave."""
    with TlsStage(names=(DOMAIN,)) as stage:
        records = {(DOMAIN, "NAPTR"): [(5, 1, "s", "SIPS+D2T", f"_sips._tcp.{DOMAIN}"),
                                       (9, 1, "s", "SIP+D2T", f"_sip._tcp.{DOMAIN}")],
                   (f"_sips._tcp.{DOMAIN}", "SRV"): [(1, 1, stage.tls_port, "host7.example.net")],
                   (f"_sip._tcp.{DOMAIN}", "SRV"): [(1, 1, stage.sip_port, "host7.example.net")],
                   ("host7.example.net", "A"): ["127.0.0.1"]}
        with DnsServer(records) as dns:
            for user in ("ann", f"sips:bo@{DOMAIN}"):
                extra = ["--server", DOMAIN, "--dns", dns.address, "--ca", stage.pem("ca")]
                if user.startswith("sips"):
                    extra += ["--user", user, "--password", "pw-bo"]
                c = Client(stage, "ann", transport="", extra=extra)
                stage.clients.append(c)
                c.wait("registered")
                sip = [m for m in read_trace(c.trace) if m["proto"] == "sip"]
                expect(sip[-1]["transport"] == "tls", f"{user} by {sip[-1]['transport']}")
            expect(sip[-1]["bytes"].count(b"sips:bo@") >= 2, "sips in the REGISTER")


def name_of_server():
    """The name asked for can be another than the user's domain."""
    with TlsStage(names=("edge.example.net",)) as stage:
        ann = stage.by_tls("ann", "--tls-name", "edge.example.net")
        ann.quit()


def client_certificates():
    with TlsStage(settings=("tls.verify_clients = required",)) as stage:
        bare = stage.by_tls("ann", wait=False)
        failed = bare.wait("register-failed")
        ctl("tls", "issue", stage.certificates, "peer", "peer.example.net")
        good = stage.by_tls("bo", "--certificate", stage.pem("peer"), "--key", stage.key("peer"))
        expect(good.find("registered") >= 0, "a good certificate is let in")
        expect("certificate required" in failed["text"], f"{failed}")


def shown(stage):
    """The certificate that the server shows now."""
    context = ssl.create_default_context(cafile=stage.pem("ca"))
    with socket.create_connection((stage.host, stage.tls_port), timeout=5) as s:
        with context.wrap_socket(s, server_hostname=DOMAIN) as t:
            return t.version(), t.getpeercert()["serialNumber"]


def reload():
    with TlsStage() as stage:
        ann, bo = stage.by_tls("ann"), stage.by_tls("bo")
        version, first = shown(stage)
        expect(version == "TLSv1.3", version)
        ctl("tls", "issue", stage.certificates, "server", DOMAIN)
        expect(shown(stage)[1] == first, "before the signal nothing changes")
        hang_up(stage, "read anew")
        second = shown(stage)[1]
        expect(second != first, "the new certificate is not shown")
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        there = bo.wait("open")["conversation"]
        talk(ann, chat, bo, there)
        with open(stage.pem("server"), "w", encoding="utf-8") as f:
            f.write("broken\n")
        hang_up(stage, "the old certificate stays")
        expect(shown(stage)[1] == second, "a broken file must change nothing")
        expect(ann.find("connection") < 0 and bo.find("connection") < 0, "a connection was lost")


def old_protocol():
    """TLS 1.1 is refused, and so are plain bytes; the server lives on."""
    with TlsStage() as stage:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection((stage.host, stage.tls_port), timeout=5) as s:
            try:
                context.wrap_socket(s)
                raise Failed("TLS 1.1 was taken")
            except ssl.SSLError as e:
                expect("PROTOCOL" in str(e).upper(), str(e))
        with socket.create_connection((stage.host, stage.tls_port), timeout=5) as s:
            s.sendall(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n")
            s.settimeout(10)
            got = b""
            while True:
                try:
                    more = s.recv(4096)
                except ConnectionError:
                    break
                if not more:
                    break
                got += more
            expect(b"SIP/2.0" not in got, f"answered {got}")
        stage.by_tls("ann")


def chat_msrp_tls(ann_offers, bo_offers):
    """Phone to phone with certificates of their own making: the session descriptions vouch for them."""
    with TlsStage() as stage:
        ann = stage.by_tls("ann", *(["--msrp-tls"] if ann_offers else []))
        bo = stage.by_tls("bo", *(["--msrp-tls"] if bo_offers else []))
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        there = bo.wait("open")["conversation"]
        talk(ann, chat, bo, there)
        ann.send(cmd="leave", conversation=chat)
        bo.wait("ended", conversation=there)
        ann.wait("ended", conversation=chat)
        kind = {"tls"} if ann_offers else {"tcp"}
        expect(transports(ann.trace, "msrp") == kind, f"MSRP by {transports(ann.trace, 'msrp')}")
        sdp = b"".join(m["bytes"] for m in read_trace(ann.trace) if m["proto"] == "sip")
        for part in (b" TCP/TLS/MSRP *", b"a=path:msrps://", b"a=fingerprint:SHA-256 "):
            expect((sdp.count(part) >= 2) == ann_offers, f"{part} stands {sdp.count(part)} times")


def group_msrp_tls(n_tls):
    """The factory answers an offer of TLS in kind, and invites the others by it."""
    with TlsStage(msrp=True) as stage:
        ann = stage.by_tls("ann", "--msrp-tls")
        bo, charles = stage.by_tls("bo"), stage.by_tls("charles")
        chat = ann.chat(BO, CHARLES)
        ids = {ann: chat, bo: None, charles: None}
        ann.wait("open", conversation=chat, conference=True)
        for c in (bo, charles):
            ids[c] = c.wait("open", conference=True)["conversation"]
        for i in range(n_tls):
            for c, conversation in ids.items():
                c.send(cmd="send", conversation=conversation, text=f"{c.name} {i}")
        for c in ids:
            c.until(lambda x: len(x.messages()) >= 2 * n_tls, "all messages")
            for other in ids:
                want = [] if other is c else [f"{other.name} {i}" for i in range(n_tls)]
                expect([t for t in c.texts() if t.startswith(other.name + " ")] == want, f"{c.name}: {c.texts()}")
        for c in ids:
            expect(transports(c.trace, "msrp") == {"tls"}, f"{c.name} by {transports(c.trace, 'msrp')}")
        expect(transports(stage.trace, "msrp") == {"tls"}, f"server by {transports(stage.trace, 'msrp')}")


def move_msrp_tls():
    """FL-2: a chat of two by TLS becomes a conference by TLS; nothing is lost."""
    with TlsStage(msrp=True) as stage:
        ann = stage.by_tls("ann", "--msrp-tls")
        bo, charles = stage.by_tls("bo"), stage.by_tls("charles")
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        there = bo.wait("open")["conversation"]
        for i in range(100):
            ann.send(cmd="send", conversation=chat, text=f"ann {i}")
            bo.send(cmd="send", conversation=there, text=f"bo {i}")
            if i == 50:
                ann.send(cmd="add", conversation=chat, users=[CHARLES])
        ann.wait("moved", conversation=chat)
        charles.wait("open", conference=True)
        for c, other in ((ann, "bo"), (bo, "ann")):
            want = [f"{other} {i}" for i in range(100)]
            c.until(lambda x, w=want: sum(t in w for t in x.texts()) >= 100, "all messages")
            got = [t for t in c.texts() if t in want]
            expect(got == want, f"{c.name}: {got}")
        for c in (ann, bo, charles):
            expect(transports(c.trace, "msrp") == {"tls"}, f"{c.name} by {transports(c.trace, 'msrp')}")


def all_ways_in():
    """FL-5, FL-6, CF-X-5 by TLS: created, invited, added by REFER, killed and back, dialled in; and nobody by less."""
    with TlsStage(msrp=True, users=("ann", "bo", "charles", "dora"), settings=("conference.dial_in = anyone",)) as stage:
        ann = stage.by_tls("ann", "--msrp-tls")
        bo, charles = stage.by_tls("bo"), stage.by_tls("charles")
        ann.send(cmd="chat", to=[BO], conference=True, tag="group")
        room = ann.wait("calling", tag="group")["conversation"]
        uri = ann.wait("open", conversation=room)["uri"]
        bo.wait("open", conference=True)
        ann.send(cmd="add", conversation=room, users=[CHARLES])
        ids = {ann: room, charles: charles.wait("open", conference=True)["conversation"]}
        # Bo's client dies, and a new one comes back: it offers plain MSRP first, as he was never told otherwise.
        bo.process.kill()
        bo.process.wait()
        stage.clients.remove(bo)
        back = stage.by_tls("bo")
        back.send(cmd="chat", rejoin=uri, tag="back")
        ids[back] = back.wait("calling", tag="back")["conversation"]
        back.wait("open", conversation=ids[back])
        dora = stage.by_tls("dora", "--msrp-tls")
        dora.send(cmd="chat", rejoin=uri, tag="dora")
        ids[dora] = dora.wait("calling", tag="dora")["conversation"]
        dora.wait("open", conversation=ids[dora])
        for c, conversation in ids.items():
            c.send(cmd="send", conversation=conversation, text=f"{c.name} is in")
        for c in ids:
            want = {f"{o.name} is in" for o in ids if o is not c}
            c.until(lambda x, w=want: w <= set(x.texts()), "a word of everybody")
            expect(transports(c.trace, "msrp") == {"tls"}, f"{c.name} by {transports(c.trace, 'msrp')}")
        expect(transports(stage.trace, "msrp") == {"tls"}, "the server's MSRP")


def tls_not_offered():
    """A server without MSRP over TLS says so: 488."""
    with TlsStage() as stage:
        ann = stage.by_tls("ann", "--msrp-tls")
        for name in ("bo", "charles"):
            stage.by_tls(name)
        expect(ann.wait("ended", conversation=ann.chat(BO, CHARLES))["status"] == 488, "488 expected")


cases = Cases()
cases.run("chat, SIP by TLS on both sides", ["FL-1", "SW-4"], chat_sip_tls, "tls")
cases.run("chat, SIP by TLS and by UDP", ["FL-1", "SW-4"], chat_sip_tls, "udp")
cases.run("sips is TLS on each hop", ["SW-4"], chat_sips)
cases.run("a CA that is not believed", ["SW-4"], lambda: refused("local issuer certificate", other_ca=True))
cases.run("a certificate for another domain", ["SW-4"], lambda: refused("does not name", names=("example.net",)))
cases.run("a certificate for a subdomain by wildcard", ["SW-4"],
          lambda: refused("does not name", names=("*.example.com",), extra=("--tls-name", "sip.example.com")))
cases.run("a certificate that is over", ["SW-4"], lambda: refused("expired", days=-1))
cases.run("the name of the server", ["SW-4"], name_of_server)
cases.run("a domain by DNS, and its certificate", ["SW-4"], domain_by_dns)
cases.run("client certificates required", ["SW-4"], client_certificates)
cases.run("certificates are reloaded without a restart", ["SW-4"], reload)
cases.run("TLS 1.1 and plain bytes are refused", ["SW-4"], old_protocol)
cases.run("chat, MSRP by TLS", ["FL-1", "SW-4", "IC-7.1.2-4"], chat_msrp_tls, True, True)
cases.run("an offer of MSRP by TLS is answered in kind", ["FL-1", "SW-4", "IC-7.1.2-4"], chat_msrp_tls, True, False)
cases.run("an offer of plain MSRP is answered in kind", ["FL-1", "SW-4"], chat_msrp_tls, False, True)
cases.run("group, MSRP by TLS", ["FL-5", "SW-4"], group_msrp_tls, 10)
cases.run("a chat becomes a conference, all by TLS", ["FL-2", "SW-4"], move_msrp_tls)
cases.run("all ways into a conference by TLS", ["FL-5", "FL-6", "CF-X-5", "SW-4"], all_ways_in)
cases.run("a switch without TLS refuses an offer of it", ["SW-4"], tls_not_offered)
cases.done()
