"""One member's MSRP connection, played by a few lines: binds, says, answers what comes, and counts it all."""
import socket

from conference import address_of


class Leg:
    """i: a number of its own. path, own: To-Path and From-Path. sock: connected already, where somebody called."""

    def __init__(self, i, path, own, sock=None):
        self.i, self.to, self.own, self.buffer, self.got = i, path, own, b"", 0
        self.frames = self.bytes = 0  # both ways
        if not sock:
            host, port = address_of(path).rsplit(":", 1)
            sock = socket.create_connection((host, int(port)), 10)
        self.sock = sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)

    def write(self, text):
        self.frames += 1
        self.bytes += len(text)
        if self.sock.send(text.encode()) != len(text):
            raise RuntimeError("a socket is full")

    def bind(self):
        self.write("MSRP bind%08d SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: b%d\r\nByte-Range: 1-0/0\r\n"
                   "-------bind%08d$\r\n" % (self.i, self.to, self.own, self.i, self.i))

    def say(self, sender, to, number, size=0):
        """size: the body is filled up to it."""
        body = ("From: <sip:%s@example.com>\r\nTo: <%s>\r\nDateTime: 2026-01-01T00:00:00Z\r\n\r\n"
                "Content-Type: text/plain\r\n\r\nmessage %d" % (sender, to, number)).ljust(size)
        self.write("MSRP send%04d%04d SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: s%d.%d\r\nByte-Range: 1-%d/%d\r\n"
                   "Content-Type: message/cpim\r\n\r\n%s\r\n-------send%04d%04d$\r\n"
                   % (self.i, number, self.to, self.own, self.i, number, len(body), len(body), body, self.i, number))

    def read(self):
        """Messages that came; each is answered."""
        more = self.sock.recv(1 << 16)
        self.bytes += len(more)
        self.buffer += more
        came = 0
        while True:
            tid = self.buffer[5:self.buffer.find(b" ", 5)]
            end = self.buffer.find(b"\r\n-------" + tid) if tid else -1
            if end < 0 or self.buffer.find(b"\r\n", end + 2) < 0:
                return came
            frame, self.buffer = self.buffer[:end], self.buffer[self.buffer.find(b"\r\n", end + 2) + 2:]
            self.frames += 1
            if b" SEND\r\n" not in frame[:60]:
                continue
            came += b"\r\n\r\n" in frame
            tid = tid.decode()
            self.write("MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n" % (tid, self.to, self.own, tid))
