#!/usr/bin/env python3
"""RFC 3263 with a DNS server of our own: NAPTR, SRV, addresses, and the next server when one fails."""
# timeout: 240

import os
import subprocess

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


cases = Cases()
for kind in ("tcp", "udp"):
    cases.run(f"NAPTR, SRV and address: {kind}", [], naptr, kind)
cases.run("SRV without NAPTR", [], srv_only)
cases.run("a port needs no SRV", [], port_needs_no_srv)
cases.run("the next server when one fails", [], fail_over)
cases.run("DNS is asked again when all have failed", [], moved_server)
cases.run("a domain that has no server", [], nobody_there)
cases.done()
