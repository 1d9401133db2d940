#!/usr/bin/env python3
"""Keep-alives on the SIP ports (RFC 5626), and the Service-Route of the registrar (RFC 3608)."""
# timeout: 120

import socket
import struct

from stage import Cases, Stage, expect, read_trace

COOKIE = 0x2112a442


def stun():
    with Stage() as stage, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.bind(("127.0.0.1", 0))
        identity = bytes(range(12))
        s.sendto(struct.pack("!HHI", 1, 0, COOKIE) + identity, ("127.0.0.1", stage.sip_port))
        answer = s.recv(1000)
        kind, length, cookie = struct.unpack("!HHI", answer[:8])
        expect((kind, cookie, answer[8:20]) == (0x0101, COOKIE, identity), f"{answer.hex()}")
        expect(length == len(answer) - 20, f"length {length}")
        attribute, n, _, family, port, address = struct.unpack("!HHBBHI", answer[20:32])
        expect((attribute, n, family) == (0x20, 8, 1), f"{answer.hex()}")
        expect(port ^ COOKIE >> 16 == s.getsockname()[1], "port")
        expect(struct.pack("!I", address ^ COOKIE) == socket.inet_aton("127.0.0.1"), "address")


def crlf():
    with Stage() as stage, socket.create_connection(("127.0.0.1", stage.sip_port), timeout=10) as s:
        for _ in range(3):
            s.sendall(b"\r\n\r\n")
            expect(s.recv(100) == b"\r\n", "one CRLF expected")


def often(transport):
    """A client that asks each second stays registered, and a chat goes on meanwhile."""
    with Stage() as stage:
        ann = stage.client("ann", transport=transport, extra=["--keepalive", "1"])
        bo = stage.client("bo", transport=transport, extra=["--keepalive", "1"])
        chat = ann.chat(bo.uri)
        ann.wait("open", conversation=chat)
        there = bo.wait("open")["conversation"]
        # Each message is a round trip; some seconds of them.
        for i in range(30):
            ann.send(cmd="send", conversation=chat, text=f"ann {i}")
            bo.wait("message", text=f"ann {i}")
            ann.pump(0.1)
        expect(ann.find("connection") < 0 and bo.find("connection") < 0, "a flow was given up")
        expect(sum(e["event"] == "registered" for e in ann.events) == 1, "registered again")
        bo.send(cmd="leave", conversation=there)
        ann.wait("ended", conversation=chat)


def service_route():
    with Stage() as stage:
        stage.stop()
        with open(stage.config, "a", encoding="utf-8") as f:
            f.write(f"sip.service_route = sip:127.0.0.1:{stage.sip_port};transport=tcp;lr\n")
        stage.start()
        ann, bo = stage.client("ann"), stage.client("bo")
        chat = ann.chat(bo.uri)
        ann.wait("open", conversation=chat)
        bo.wait("open")
        route = b"\r\nRoute: <sip:127.0.0.1:%d;transport=tcp;lr>\r\n" % stage.sip_port
        invites = [m["bytes"] for m in read_trace(ann.trace) if m["bytes"].startswith(b"INVITE")]
        expect(invites and all(route in m for m in invites), f"INVITE {invites[:1]}")
        expect(not any(route in m["bytes"] for m in read_trace(ann.trace) if m["bytes"].startswith(b"REGISTER")),
               "RFC 3608 section 5: not for REGISTER")
        got = [m["bytes"] for m in read_trace(bo.trace) if m["bytes"].startswith(b"INVITE")]
        expect(got and b"\r\nRoute:" not in got[0], "the Route was taken off")


cases = Cases()
cases.run("a STUN Binding request on the SIP port", [], stun)
cases.run("CRLF on a connection", [], crlf)
for kind in ("tcp", "udp"):
    cases.run(f"a client that asks each second: {kind}", [], often, kind)
cases.run("requests follow the Service-Route", ["IC-7.1.1-6"], service_route)
cases.done()
