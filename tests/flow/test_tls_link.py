#!/usr/bin/env python3
"""SW-4, R-3: two servers linked by TLS, each certified for its domain (RFC 5922), and who is turned away."""
# timeout: 300

import os
import re
import socket
import ssl
import tempfile

from dns_server import DnsServer
from stage import DOMAIN, Cases, expect, free_ports, read_trace
from tls_stage import TlsStage, ctl, talk

SECOND = "second.example"
BO = f"sip:bo@{SECOND}"


class Pair:
    """Ann's server, and Bo's and Charles's. second: what is different about Bo's."""

    def __init__(self, tls=True, second=None, settings=("tls.verify_clients = required",), first=lambda ports: ()):
        ports, sip = [free_ports(1), free_ports(1)], [free_ports(1), free_ports(1)]
        self.dir = tempfile.TemporaryDirectory(prefix="confab-ca-")
        ca = os.path.join(self.dir.name, "tls")
        ctl("tls", "init", ca, "unused.example")
        to_first = f"tls:127.0.0.1:{ports[0]}" if tls else f"127.0.0.1:{sip[0]}"
        to_second = f"tls:127.0.0.1:{ports[1]}" if tls else f"127.0.0.1:{sip[1]}"
        self.first = TlsStage(
            authority=ca, own="first", names=(DOMAIN,), tls_port=ports[0], sip_port=sip[0],
            users=("ann",), settings=(f"sip.routes = {SECOND}={to_second}", f"tls.trusted = {SECOND}",
                                            *first(ports)))
        options = {"names": (SECOND,), "authority": ca, "own": "second"}
        options.update(second or {})
        try:
            self.second = TlsStage(
                tls_port=ports[1], sip_port=sip[1], users=("bo", "charles"), domain=SECOND,
                settings=(f"sip.routes = {DOMAIN}={to_first}", f"tls.trusted = {DOMAIN}", *settings), **options)
        except BaseException:
            self.first.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.first.__exit__(kind, value, trace)
        self.second.__exit__(kind, value, trace)
        self.dir.cleanup()

    def ann(self):
        return self.first.client("ann")

    def bo(self):
        return self.second.client("bo")


def invites(stage, direction, transport="tls"):
    return [m["bytes"] for m in read_trace(stage.trace) if m["proto"] == "sip" and m["dir"] == direction
            and m["transport"] == transport and m["bytes"].startswith(b"INVITE ")]


def chats():
    """Both ways, and a conference across; whoever is asserted here is believed there."""
    with Pair() as pair:
        ann, bo = pair.ann(), pair.bo()
        for caller, callee, uri in ((ann, bo, BO), (bo, ann, f"sip:ann@{DOMAIN}")):
            here = caller.chat(uri)
            caller.wait("open", conversation=here)
            there = callee.wait("invited", where=lambda e, c=caller: e.get("from", e.get("peer")) == c.uri)["conversation"]
            callee.wait("open", conversation=there)
            talk(caller, here, callee, there)
            caller.send(cmd="leave", conversation=here)
            callee.wait("ended", conversation=there)
        charles = pair.second.client("charles")
        room = ann.chat(BO, f"sip:charles@{SECOND}")
        ann.wait("open", conversation=room, conference=True)
        charles.wait("open", conference=True)
        for stage, user in ((pair.second, b"ann@" + DOMAIN.encode()), (pair.first, b"bo@" + SECOND.encode())):
            came = invites(stage, "<")
            expect(came and re.search(rb"\r\nP-Asserted-Identity: .*<sip:" + user, came[0]), f"{came[:1]}")
            passed = invites(stage, ">", "tcp")
            expect(passed and any(b"P-Asserted-Identity: " in m and user in m for m in passed), f"{passed[:1]}")
        expect("failed" not in pair.first.log_text() + pair.second.log_text(), "a log speaks of a failure")


def by_sips():
    """sips from phone to phone across two servers: TLS on each hop, said so in each Request-URI and Record-Route."""
    with Pair(settings=()) as pair:
        ann = pair.first.by_tls("ann", "--tls-name", DOMAIN)
        bo = pair.second.by_tls("bo", "--tls-name", SECOND)
        here = ann.chat(f"sips:bo@{SECOND}")
        ann.wait("open", conversation=here)
        talk(ann, here, bo, bo.wait("open")["conversation"])
        for place in (pair.first.trace, pair.second.trace, bo.trace):
            came = [m for m in read_trace(place) if m["dir"] == "<" and m["bytes"].startswith(b"INVITE ")]
            expect(came and all(m["transport"] == "tls" for m in came), f"{place}: not by TLS")
        got = came[0]["bytes"]
        expect(got.count(b"\r\nRecord-Route: <sips:") == 2 and b"\r\nRecord-Route: <sip:" not in got, f"{got}")
        via = re.findall(rb"\r\nVia: SIP/2.0/(\w+)", got)
        expect(via == [b"TLS"] * 3, f"Via: {via}")


def sips_stays():
    """A way that is not TLS is not taken for sips."""
    with Pair(tls=False, settings=()) as pair:
        ann, bo = pair.first.by_tls("ann"), pair.bo()
        expect(ann.wait("ended", conversation=ann.chat(f"sips:bo@{SECOND}"))["status"] == 416, "416 expected")
        expect(bo.find("invited") < 0, "bo was asked")


def unbelieved(words, **second):
    """Ann's server does not talk to one that is not certified for the domain."""
    if second.pop("other_ca", False):
        second.update(authority=None, own="server")
    with Pair(second=second) as pair:
        ann, bo = pair.ann(), pair.bo()
        status = ann.wait("ended", conversation=ann.chat(BO))["status"]
        expect(status in (500, 503), f"status {status}")
        expect(bo.find("invited") < 0 and not invites(pair.second, "<"), "the other server was told")
        pair.first.logged(words)
        expect(f"127.0.0.1:{pair.second.tls_port}" in next(x for x in pair.first.log_text().split("\n") if words in x),
               "the log does not say who")


def borrowed_address():
    """DNS says that another domain is at the address of Bo's server: the connection that is there is not used for it."""
    servers = []

    def settings(ports):
        servers.append(DnsServer({("_sips._tcp.borrowed.example", "SRV"): [(1, 1, ports[1], "host.borrowed.example")],
                                  ("borrowed.example", "NAPTR"): [(5, 1, "s", "SIPS+D2T", "_sips._tcp.borrowed.example")],
                                  ("host.borrowed.example", "A"): ["127.0.0.1"]}))
        return (f"dns.servers = {servers[0].address}",)

    with Pair(first=settings) as pair, servers[0]:
        ann, bo = pair.ann(), pair.bo()
        here = ann.chat(BO)
        ann.wait("open", conversation=here)
        came = len(invites(pair.second, "<"))
        expect(ann.wait("ended", conversation=ann.chat("sip:bo@borrowed.example"))["status"] == 404, "404 expected")
        pair.first.logged("borrowed.example is said to be at 127.0.0.1:")
        expect(len(invites(pair.second, "<")) == came, "Bo's server was asked")
        talk(ann, here, bo, bo.wait("open")["conversation"])


def ask(stage, ca, certificate=None, claims=f"sip:ann@{DOMAIN}"):
    """An INVITE to Bo by TLS from a server with that certificate (or none), which asserts whom it likes: the first
    line that comes back; "" when the connection was not to be."""
    context = ssl.create_default_context(cafile=ca)
    if certificate:
        context.load_cert_chain(*certificate)
    try:
        with socket.create_connection((stage.host, stage.tls_port), timeout=10) as s, \
                context.wrap_socket(s, server_hostname=SECOND) as t:
            t.sendall((f"INVITE {BO} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
                       f"From: <{claims}>;tag=a\r\nTo: <{BO}>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
                       f"Contact: <sip:x@127.0.0.1:5>\r\nP-Asserted-Identity: <{claims}>\r\n"
                       "Accept-Contact: *;+g.oma.sip-im\r\nContent-Length: 0\r\n\r\n").encode())
            got = b""
            while True:
                more = t.recv(4096)
                got += more
                lines = [x for x in got.split(b"\r\n") if x.startswith(b"SIP/2.0 ") and not x.startswith(b"SIP/2.0 100")]
                if lines or not more:
                    return lines[0].decode() if lines else ""
    except (ssl.SSLError, ConnectionError):
        return ""


def turned_away(words, name=None, days=None, other_ca=False, answer="", settings=("tls.verify_clients = required",)):
    """Bo's server is asked by one whose certificate is not good, or is not that of a server it believes."""
    with Pair(settings=settings) as pair:
        stage, certificate = pair.second, None
        if name:
            where = stage.certificates
            if other_ca:
                where = os.path.join(stage.dir, "other")
                ctl("tls", "init", where, "x.example")
            ctl(*([f"--days={days}"] if days is not None else []), "tls", "issue", where, "asker", name)
            certificate = (os.path.join(where, "asker.pem"), os.path.join(where, "asker.key"))
        got = ask(stage, stage.pem("ca"), certificate)
        expect(got.startswith(answer) and bool(got) == bool(answer), f"answered {got!r}")
        if words:
            stage.logged(words)
            expect("127.0.0.1:" in next(x for x in stage.log_text().split("\n") if words in x), "the log does not say who")


cases = Cases()
IDS = ["SW-4", "R-3"]
cases.run("chats and a conference between servers by TLS", IDS + ["FL-1", "FL-5"], chats)
cases.run("sips on every hop between two servers", ["SW-4"], by_sips)
cases.run("sips does not leave by anything else", ["SW-4"], sips_stays)
cases.run("a server of another CA is not talked to", IDS, lambda: unbelieved("local issuer certificate", other_ca=True))
cases.run("a server of another domain is not talked to", IDS,
          lambda: unbelieved(f"does not name {SECOND}", names=("third.example",)))
cases.run("a server whose certificate is over is not talked to", IDS, lambda: unbelieved("expired", days=-1))
cases.run("a connection is not borrowed by another name", IDS, borrowed_address)
cases.run("a server without a certificate is refused", IDS, turned_away, "did not return a certificate")
cases.run("a server with a certificate of another CA is refused", IDS,
          lambda: turned_away("failed: ", name=DOMAIN, other_ca=True))
cases.run("a server whose own certificate is over is refused", IDS,
          lambda: turned_away("expired", name=DOMAIN, days=-1))
cases.run("a server of another domain is asked who it is", IDS,
          lambda: turned_away("names no domain of tls.trusted", name="third.example", answer="SIP/2.0 407"))
cases.run("a server without a certificate is as good as a phone", IDS,
          lambda: turned_away("", answer="SIP/2.0 407", settings=()))
cases.run("a server of tls.trusted is believed", IDS, lambda: turned_away("", name=DOMAIN, answer="SIP/2.0 480"))
cases.done()
