"""A DNS server for tests: one zone, over UDP on loopback. As much of RFC 1035, 2782 and 3403 as SIP asks for."""

import socket
import struct
import threading

TYPES = {"A": 1, "AAAA": 28, "SRV": 33, "NAPTR": 35}


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.strip(".").split(".") if part) + b"\0"


def string(text):
    return bytes([len(text)]) + text.encode()


def rdata(kind, fields):
    if kind == "A":
        return socket.inet_aton(fields)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, fields)
    if kind == "SRV":
        priority, weight, port, target = fields
        return struct.pack("!HHH", priority, weight, port) + name(target)
    order, preference, flags, service, replacement = fields
    return struct.pack("!HH", order, preference) + string(flags) + string(service) + string("") + name(replacement)


class DnsServer:
    """records: {(name, type): [fields, …]}; may be changed while it runs. asked: what was asked for, in order."""

    def __init__(self, records):
        self.records = records
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            self.socket.sendto(self._answer(query), peer)

    def _answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question = query[12:at + 5]
        number = struct.unpack("!H", query[at + 1:at + 3])[0]
        kind = next((k for k, v in TYPES.items() if v == number), "?")
        owner = ".".join(labels)
        self.asked.append((owner, kind))
        found = self.records.get((owner, kind), [])
        known = any(o == owner for o, _ in self.records)
        head = query[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known else 3), 1, len(found), 0, 0)
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", number, 1, 5, len(d)) + d
                           for d in (rdata(kind, f) for f in found))
        return head + question + answers

    def close(self):
        # An empty datagram wakes the thread.
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(2)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()


__all__ = ["DnsServer"]
