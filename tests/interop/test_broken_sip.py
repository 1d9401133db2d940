#!/usr/bin/env python3
"""Broken and hostile SIP by bare sockets: 400 with a reason phrase, at the cost of the one connection and no other.

And what sipp cannot do: digest with SHA-256, pieces of messages, several messages at once.
"""
# timeout: 120

import hashlib
import os
import random
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "flow"))
from stage import DOMAIN, Cases, Failed, Stage, expect  # noqa: E402

SEED = int(os.environ.get("CONFAB_SEED", str(random.SystemRandom().randrange(1 << 32))))
ANSWER_S = 5


class Wire:
    """A socket that speaks SIP to the server."""

    count = 0

    def __init__(self, stage, transport):
        family = socket.AF_INET6 if ":" in stage.host else socket.AF_INET
        self.udp = transport == "udp"
        self.socket = socket.socket(family, socket.SOCK_DGRAM if self.udp else socket.SOCK_STREAM)
        self.socket.settimeout(ANSWER_S)
        self.socket.connect((stage.host, stage.sip_port))
        host, port = self.socket.getsockname()[:2]
        self.here = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.transport = transport
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, method="OPTIONS", uri=f"sip:{DOMAIN}", fields=(), drop=(), body=b"", **replaced):
        """The bytes of a request. replaced: lines by name (cseq="CSeq: x"); drop: names left out."""
        Wire.count += 1
        lines = {
            "start": f"{method} {uri} SIP/2.0",
            "via": f"Via: SIP/2.0/{self.transport.upper()} {self.here};branch=z9hG4bKx{Wire.count}",
            "from": f"From: <sip:ann@{DOMAIN}>;tag=t{Wire.count}",
            "to": f"To: <sip:ann@{DOMAIN}>",
            "call_id": f"Call-ID: broken-{os.getpid()}-{Wire.count}",
            "cseq": f"CSeq: {Wire.count} {method}",
            "max_forwards": "Max-Forwards: 70",
            "contact": f"Contact: <sip:ann@{self.here};transport={self.transport}>;+g.oma.sip-im",
        }
        lines.update({k.rstrip("_"): v for k, v in replaced.items()})
        length = [] if "length" in drop or "length" in lines else [f"Content-Length: {len(body)}"]
        text = [v for k, v in lines.items() if k not in drop] + list(fields) + length
        return "\r\n".join(text).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body

    def send(self, data):
        self.socket.sendall(data)

    def response(self):
        """(status, reason, text) of the next response; None: the server closed."""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not self.udp and not data:
                return None
            self.rest = data if self.udp else self.rest + data
            found = self.take()
            if found:
                return found

    def take(self):
        head, end, rest = self.rest.partition(b"\r\n\r\n")
        if not end:
            return None
        text = head.decode()
        length = int(re.search(r"^Content-Length: *(\d+)", text, re.M).group(1))
        if len(rest) < length:
            return None
        self.rest = rest[length:]
        hit = re.match(r"SIP/2\.0 (\d{3}) (.*)\r\n", text)
        return int(hit.group(1)), hit.group(2), text

    def ask(self, **how):
        self.send(self.request(**how))
        return self.response()

    def closed(self):
        """The server closes; nothing more is said."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def alive(wire, what):
    answer = wire.ask()
    expect(answer and answer[0] == 200, f"{what}: OPTIONS got {answer}")


BROKEN = {
    "CSeq without a number": (400, {"cseq": "CSeq: one OPTIONS"}),
    "CSeq above 2**31": (400, {"cseq": "CSeq: 99999999999 OPTIONS"}),
    "CSeq of another method": (400, {"cseq": "CSeq: 7 INVITE"}),
    "From without an address": (400, {"from_": "From: ;tag=x"}),
    "To that does not end": (400, {"to": "To: \"Ann <sip:ann@example.com>"}),
    "two Call-IDs": (400, {"fields": ["Call-ID: second"]}),
    "two Froms": (400, {"fields": ["f: <sip:eve@example.com>;tag=e"]}),
    "Max-Forwards of letters": (400, {"max_forwards": "Max-Forwards: many"}),
    "Max-Forwards over 255": (400, {"max_forwards": "Max-Forwards: 300"}),
    "a Request-URI without a host": (400, {"uri": "sip:"}),
    "a Request-URI with headers": (400, {"uri": "sip:example.com?Subject=x"}),
    "a header line without a colon": (400, {"fields": ["this is no header"]}),
    "a space in the Request-URI": (400, {"start": "OPTIONS sip:exam ple.com SIP/2.0"}),
    "SIP/3.0": (505, {"start": "OPTIONS sip:example.com SIP/3.0"}),
    "another scheme": (416, {"uri": "mailto:ann@example.com"}),
    "an unknown Proxy-Require": (420, {"fields": ["Proxy-Require: levitation"]}),
}


def refused(stage, transport, status, how):
    with Wire(stage, transport) as wire:
        answer = wire.ask(**how)
        expect(answer, "closed without an answer")
        expect(answer[0] == status and answer[1].strip(), f"{answer[0]} {answer[1]!r}, not {status} with a reason")
        # A whole message, though a wrong one: the framing holds, so the connection stays.
        alive(wire, "the same connection")


def stream_broken(stage):
    """What makes the rest of a stream unreadable ends that connection, and no other."""
    with Wire(stage, "tcp") as other:
        alive(other, "before")
        kinds = {
            "Content-Length of letters": (400, lambda w: w.request(length="Content-Length: x")),
            "a negative Content-Length": (400, lambda w: w.request(length="Content-Length: -5")),
            "two different Content-Lengths": (400, lambda w: w.request(fields=["l: 3"], length="Content-Length: 0")),
            "no Content-Length": (400, lambda w: w.request(drop=["length"])),
            "a body beyond all bounds": (413, lambda w: w.request(length="Content-Length: 4000000000")),
            "a head beyond all bounds": (None, lambda w: w.request(fields=["Subject: " + "x" * 300000])),
            "noise": (None, lambda w: b"\r\x00\xff\x80" * 64),
            "a line that never ends": (None, lambda w: b"A" * 300000),
        }
        for name, (status, data) in kinds.items():
            with Wire(stage, "tcp") as wire:
                try:
                    wire.send(data(wire))
                except (BrokenPipeError, ConnectionResetError):
                    pass
                if status:
                    answer = wire.response()
                    expect(answer and answer[0] == status and answer[1], f"{name}: {answer}, not {status}")
                expect(wire.closed(), f"{name}: the connection stays")
            alive(other, f"after {name}")


def datagram_broken(stage):
    with Wire(stage, "udp") as wire:
        answer = wire.ask(length="Content-Length: 500")
        expect(answer[0] == 400, f"a truncated datagram: {answer}")
        # No Content-Length: the datagram's end is the body's (RFC 3261 section 18.3).
        answer = wire.ask(drop=["length"], body=b"hello")
        expect(answer[0] == 200, f"no Content-Length: {answer}")
        for data in (b"", b"\0", b"\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"INVITE", b"\xff" * 1000, b"a: b\r\n\r\n"):
            wire.send(data)
        alive(wire, "after odd datagrams")


def pieces(stage):
    with Wire(stage, "tcp") as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in wire.request(body=b"12345", fields=["Content-Type: text/plain"]):
            wire.send(bytes([byte]))
        expect(wire.response()[0] == 200, "byte by byte")
        wire.send(wire.request() + b"\r\n" + wire.request() + wire.request())
        got = [wire.response()[0]]
        while len(got) < 3:
            next_one = wire.take() or wire.response()
            got.append(next_one[0])
        expect(got == [200] * 3, f"three at once: {got}")
        wire.send(b"\r\n\r\n")  # RFC 5626 section 3.5.1
        expect(wire.socket.recv(16) == b"\r\n", "no pong")


def storm(stage, rng):
    """Noise from all sides; somebody who is there already notices nothing."""
    with Wire(stage, "tcp") as wire, Wire(stage, "udp") as udp:
        alive(wire, "before")
        whole = wire.request(fields=["Supported: path"], body=b"x" * 40)
        for i in range(150):
            data = bytearray(whole)
            for _ in range(rng.randrange(1, 12)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            data = bytes(data[:rng.randrange(1, len(data))] if i % 3 == 0 else data)
            udp.send(data)
            with Wire(stage, "tcp") as broken:
                broken.send(data)
        alive(wire, "after")
        with Wire(stage, "udp") as after:
            alive(after, "after, by UDP")


def digest_answer(challenge, method, uri, password, name, nc=1, user="ann"):
    """RFC 7616 section 3.4 with qop=auth."""
    hashed = getattr(hashlib, name.lower().replace("-", ""))

    def h(text):
        return hashed(text.encode()).hexdigest()
    nonce = re.search(r'nonce="([^"]*)"', challenge).group(1)
    realm = re.search(r'realm="([^"]*)"', challenge).group(1)
    response = h(":".join((h(f"{user}:{realm}:{password}"), nonce, f"{nc:08x}", "c0ffee", "auth",
                           h(f"{method}:{uri}"))))
    return (f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm={name}, qop=auth, nc={nc:08x}, cnonce="c0ffee"')


def digest(stage, name, transport):
    uri = f"sip:{DOMAIN}"
    with Wire(stage, transport) as wire:
        status, _, text = wire.ask(method="REGISTER")
        expect(status == 401, f"{status}")
        challenges = re.findall(r"^WWW-Authenticate: (.*)$", text, re.M)
        expect(["SHA-256" in c for c in challenges] == [True, False], "not SHA-256 first, then MD5 (RFC 8760)")
        challenge = next(c for c in challenges if f"algorithm={name}" in c)
        wrong = wire.ask(method="REGISTER", fields=[digest_answer(challenge, "REGISTER", uri, "wrong", name)])
        expect(wrong[0] in (401, 403), f"wrong password: {wrong[0]}")
        challenges = re.findall(r"^WWW-Authenticate: (.*)$", wrong[2], re.M)
        challenge = next(c for c in challenges if f"algorithm={name}" in c)
        right = digest_answer(challenge, "REGISTER", uri, stage.password("ann"), name)
        answer = wire.ask(method="REGISTER", fields=[right])
        expect(answer[0] == 200, f"right password: {answer[0]}")
        expect("Contact: " in answer[2] and "expires=" in answer[2], "no binding in the 200")
        again = wire.ask(method="REGISTER", fields=[right])
        expect(again[0] == 401, f"the same credentials again: {again[0]}")
        other = digest_answer(challenge, "INVITE", uri, stage.password("ann"), name, 2)
        expect(wire.ask(method="REGISTER", fields=[other])[0] in (400, 401), "credentials of another method")


def needs(stage):
    """Not one request of a stranger reaches anybody without credentials."""
    with Wire(stage, "tcp") as wire:
        for method in ("INVITE", "MESSAGE", "SUBSCRIBE", "REFER"):
            status = wire.ask(method=method, uri=f"sip:ann@{DOMAIN}")[0]
            expect(status == 407, f"{method}: {status}")
        wire.send(wire.request(method="ACK", uri=f"sip:ann@{DOMAIN}", to=f"To: <sip:ann@{DOMAIN}>;tag=none"))
        status = wire.ask(method="BYE", uri=f"sip:{stage.server}", to=f"To: <sip:ann@{DOMAIN}>;tag=none")[0]
        expect(status == 407, f"BYE to nothing: {status}")
        status = wire.ask(method="CANCEL", uri=f"sip:ann@{DOMAIN}")[0]
        expect(status == 481, f"CANCEL of nothing: {status}")


def main():
    cases = Cases()
    print(f"note seed {SEED}", flush=True)
    for host in ("127.0.0.1", "::1"):
        with Stage(users=("ann",), host=host) as stage:
            at = "IPv6" if ":" in host else "IPv4"
            if at == "IPv4":
                for transport in ("udp", "tcp"):
                    for name, (status, how) in BROKEN.items():
                        cases.run(f"{name}: {status}, {transport}", ["R-10"], refused, stage, transport, status, how)
                for name in ("SHA-256", "MD5"):
                    cases.run(f"digest with {name}", ["R-3", "R-10"], digest, stage, name, "tcp")
                cases.run("strangers are challenged", ["R-3", "R-10"], needs, stage)
            cases.run(f"a broken stream costs its own connection, {at}", ["R-10"], stream_broken, stage)
            cases.run(f"broken datagrams, {at}", ["R-10"], datagram_broken, stage)
            cases.run(f"messages in pieces and in heaps, {at}", ["R-10"], pieces, stage)
            cases.run(f"a storm of noise, {at}", ["R-10"], storm, stage, random.Random(SEED))
    cases.done()


if __name__ == "__main__":
    try:
        main()
    except Failed as problem:
        sys.exit(f"not ok the server ended well - {problem}")
