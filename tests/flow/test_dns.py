#!/usr/bin/env python3
"""RFC 3263 with a DNS server of our own: NAPTR, SRV, addresses, and the next server when one fails."""
# timeout: 240

import os
import re
import socket
import subprocess
import threading

from dns_server import DnsServer
from stage import BIN, DOMAIN, Cases, Client, Stage, expect, free_ports, read_trace


def zone(port, dead=None, transport="tcp"):
    """example.com with NAPTR and SRV; dead: a port where nobody is, tried first."""
    label = {"tcp": "_sip._tcp", "udp": "_sip._udp", "tls": "_sips._tcp"}[transport]
    service = {"tcp": "SIP+D2T", "udp": "SIP+D2U", "tls": "SIPS+D2T"}[transport]
    records = {
        (DOMAIN, "NAPTR"): [(10, 10, "s", service, f"{label}.{DOMAIN}")],
        (f"{label}.{DOMAIN}", "SRV"): [(20, 0, port, f"good.{DOMAIN}")],
        (f"good.{DOMAIN}", "A"): ["127.0.0.1"],
    }
    if dead:
        records[(f"{label}.{DOMAIN}", "SRV")].insert(0, (10, 0, dead, f"dead.{DOMAIN}"))
        records[(f"dead.{DOMAIN}", "A")] = ["127.0.0.1"]
    return records


def by_name(stage, dns, name, server=DOMAIN, extra=()):
    """A client that is told a domain alone."""
    args = ["--server", server, "--dns", dns.address, *extra]
    c = Client(stage, name, transport="", extra=args)
    stage.clients.append(c)
    return c


def naptr(transport):
    with Stage() as stage, DnsServer(zone(stage.sip_port, transport=transport)) as dns:
        ann = by_name(stage, dns, "ann")
        ann.wait("registered")
        bo = stage.client("bo")
        ann.wait("open", conversation=ann.chat(bo.uri))
        bo.wait("open")
        used = {m["transport"] for m in read_trace(ann.trace) if m["proto"] == "sip" and m["bytes"][:8] == b"REGISTER"}
        expect(used == {transport}, f"REGISTER by {used}")
        expect(dns.asked[0] == (DOMAIN, "NAPTR"), f"asked {dns.asked}")


def srv_only():
    with Stage() as stage:
        records = zone(stage.sip_port)
        del records[(DOMAIN, "NAPTR")]
        with DnsServer(records) as dns:
            by_name(stage, dns, "ann").wait("registered")
            kinds = [k for _, k in dns.asked]
            expect("NAPTR" in kinds and "SRV" in kinds, f"asked {dns.asked}")


def port_needs_no_srv():
    with Stage() as stage, DnsServer({(f"good.{DOMAIN}", "A"): ["127.0.0.1"]}) as dns:
        by_name(stage, dns, "ann", server=f"good.{DOMAIN}:{stage.sip_port}").wait("registered")
        expect({k for _, k in dns.asked} <= {"A", "AAAA"}, f"asked {dns.asked}")


def fail_over():
    with Stage() as stage, DnsServer(zone(stage.sip_port, dead=free_ports(1))) as dns:
        ann = by_name(stage, dns, "ann")
        ann.wait("register-failed")
        ann.wait("registered")


def moved_server():
    """Nothing that was found answers: DNS is asked again, without a restart."""
    with Stage() as stage:
        records = zone(free_ports(1))
        with DnsServer(records) as dns:
            ann = by_name(stage, dns, "ann")
            ann.wait("register-failed")
            records[(f"_sip._tcp.{DOMAIN}", "SRV")] = [(1, 1, stage.sip_port, f"good.{DOMAIN}")]
            ann.wait("registered")


def nobody_there():
    with DnsServer({(f"other.{DOMAIN}", "A"): ["127.0.0.1"]}) as dns:
        done = subprocess.run([os.path.join(BIN, "confab"), "--user", f"sip:ann@{DOMAIN}", "--password", "x",
                               "--dns", dns.address], capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, check=False)
        expect(done.returncode == 1 and DOMAIN in done.stderr and "no such" in done.stderr, f"{done}")


class Elsewhere:
    """A server of another domain: declines each INVITE, over UDP and TCP. got: what came."""

    def __init__(self):
        self.port = free_ports(1)
        self.got = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        for run in (self._datagrams, self._connections):
            threading.Thread(target=run, daemon=True).start()

    def _reply(self, message):
        self.got.append(message)
        if not message.startswith(b"INVITE"):
            return b""
        keep = re.findall(rb"(?m)^(?:Via|From|Call-ID|CSeq):.*\r\n", message)
        to = re.search(rb"(?m)^To:.*(?=\r\n)", message).group(0)
        return (b"SIP/2.0 603 Not Here\r\n" + b"".join(keep) + to + b";tag=x\r\nContent-Length: 0\r\n\r\n")

    def _datagrams(self):
        while True:
            message, peer = self.udp.recvfrom(65536)
            reply = self._reply(message)
            if reply:
                self.udp.sendto(reply, peer)

    def _connections(self):
        while True:
            s, _ = self.tcp.accept()
            threading.Thread(target=self._stream, args=(s,), daemon=True).start()

    def _stream(self, s):
        have = b""
        while True:
            more = s.recv(65536)
            if not more:
                return
            have += more
            while b"\r\n\r\n" in have:
                head, _, rest = have.partition(b"\r\n\r\n")
                n = int(re.search(rb"(?im)^content-length: *(\d+)", head).group(1))
                if len(rest) < n:
                    break
                have = rest[n:]
                reply = self._reply(head + b"\r\n\r\n" + rest[:n])
                if reply:
                    s.sendall(reply)


def other_domain(transport, dead=False):
    """The server asks DNS where another domain is; nobody waits for it but the request."""
    there = Elsewhere()
    label = f"_sip._{transport}.example.net"
    records = {(label, "SRV"): [(5, 0, there.port, "sip.example.net")], ("sip.example.net", "A"): ["127.0.0.1"]}
    if dead:
        records[(label, "SRV")].append((1, 0, free_ports(1), "sip.example.net"))
    with DnsServer(records) as dns, Stage(settings=[f"dns.servers = {dns.address}"]) as stage:
        ann = stage.client("ann")
        # Also where the first server is not there: the request itself goes on to the next (RFC 3263 section 4.3).
        ended = ann.wait("ended", conversation=ann.chat("sip:dan@example.net"))
        expect(ended["status"] == 603, f"{ended}")
        expect(there.got and there.got[0].startswith(b"INVITE sip:dan@example.net SIP/2.0"), f"got {there.got[:1]}")
        asked = len(dns.asked)
        ann.wait("ended", conversation=ann.chat("sip:eve@example.net"))
        expect(len(dns.asked) == asked, "asked again at once")
        ended = ann.wait("ended", conversation=ann.chat("sip:dan@example.org"))
        expect(ended["status"] == 404, f"{ended}")


def conference_elsewhere():
    """The focus's own invitation goes on to the next server as well."""
    there = Elsewhere()
    records = {("_sip._tcp.example.net", "SRV"): [(1, 0, free_ports(1), "sip.example.net"),
                                                  (5, 0, there.port, "sip.example.net")],
               ("sip.example.net", "A"): ["127.0.0.1"]}
    with DnsServer(records) as dns, Stage(settings=[f"dns.servers = {dns.address}"]) as stage:
        ann, bo = stage.client("ann"), stage.client("bo")
        chat = ann.chat(bo.uri, "sip:dan@example.net")
        ann.wait("open", conversation=chat, conference=True)
        ann.until(lambda _: any(b"isfocus" in m for m in there.got), "the focus's INVITE")


cases = Cases()
for kind in ("tcp", "udp"):
    cases.run(f"NAPTR, SRV and address: {kind}", [], naptr, kind)
cases.run("SRV without NAPTR", [], srv_only)
cases.run("a port needs no SRV", [], port_needs_no_srv)
cases.run("the next server when one fails", [], fail_over)
cases.run("DNS is asked again when all have failed", [], moved_server)
cases.run("a domain that has no server", [], nobody_there)
for kind in ("udp", "tcp"):
    cases.run(f"a request to another domain: {kind}", [], other_domain, kind)
cases.run("another domain's next server when one fails", ["FL-1"], other_domain, "tcp", True)
cases.run("a conference invites by the next server when one fails", ["FL-5", "CF-9.3-5"], conference_elsewhere)
cases.done()
