"""Sessions in the hands of somebody hostile: bare sockets, that say what they are told to and read when they are told to.

All users' signalling runs over one SIP connection from an address that the server trusts; MSRP has a connection for each
session, or none, or one for many.
"""

import os
import re
import secrets
import socket
import struct
import threading
import time

from stage import DOMAIN, Failed, expect

HOST = "127.0.0.1"
TAG = "+g.oma.sip-im"
WAIT_S = 20
END = re.compile(rb"\r\n-------([A-Za-z0-9.\-+%=]+)([$+#])\r\n")


def token(n=10):
    return "t" + secrets.token_hex(n // 2)


def until(condition, what, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def uri(user):
    return f"sip:{user}@{DOMAIN}"


def header(fields, name):
    return next((v for n, v in fields if n.lower() == name), "")


class Frame:
    """A frame as it came: start line, fields, body (None: none) and flag."""

    def __init__(self, raw, tid, flag):
        head, blank, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")
        self.fields = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
        what = lines[0].split(" ", 2)[2]
        self.tid, self.flag, self.body = tid, flag, body[:-2] if blank else None
        self.status = int(what[:3]) if what[:3].isdigit() else 0
        self.method = "" if self.status else what

    def get(self, name):
        return self.fields.get(name.lower(), "")


class Wire:
    """One MSRP connection. reads=False: nothing is read until read() is called."""

    def __init__(self, host, port, *, reads=True, window=0, source=None):
        self.sock = socket.socket()
        if window:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(WAIT_S)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.frames, self.sessions, self.buffer, self.over = [], {}, b"", False
        self.lock, self.came = threading.Lock(), threading.Condition()
        self.keeps = True       # frames that came
        self.counts = {}
        self.thread = None
        if reads:
            self.read()

    def read(self):
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                data = self.sock.recv(1 << 18)
            except socket.timeout:
                continue
            except OSError:
                data = b""
            if not data:
                with self.came:
                    self.over = True
                    self.came.notify_all()
                return
            self.buffer += data
            self._cut()

    def _cut(self):
        at = 0
        while True:
            m = END.search(self.buffer, at)
            while m and self.buffer[at + 5:at + 60].split(b" ", 1)[0] != m.group(1):
                m = END.search(self.buffer, m.start() + 1)
            if not m:
                break
            self._took(Frame(self.buffer[at:m.start() + 2], m.group(1).decode(), m.group(2).decode()))
            at = m.end()
        self.buffer = self.buffer[at:]

    def _took(self, f):
        session = self.sessions.get(f.get("to-path").split(" ")[-1])
        if f.method == "SEND" and session and session.answers and f.get("failure-report") != "no":
            status = session.answers(f) if callable(session.answers) else 200
            if status:
                self.write(f"MSRP {f.tid} {status} X\r\nTo-Path: {f.get('from-path')}\r\n"
                           f"From-Path: {f.get('to-path')}\r\n-------{f.tid}$\r\n".encode())
        with self.came:
            if session and session.hook:
                session.hook(f)
            if self.keeps:
                self.frames.append(f)
            self.came.notify_all()

    def write(self, data):
        try:
            with self.lock:
                self.sock.sendall(data)
            return True
        except OSError:
            return False

    def wait(self, condition, what, seconds=WAIT_S):
        """The first frame that meets it."""
        end = time.monotonic() + seconds
        with self.came:
            while True:
                f = next((f for f in self.frames if condition(f)), None)
                if f:
                    return f
                left = end - time.monotonic()
                if left <= 0 or self.over:
                    raise Failed(f"{what}: {'the connection is over' if self.over else 'did not come'}; last "
                                 f"{[(f.method or f.status, f.get('message-id'), f.flag) for f in self.frames[-5:]]}")
                self.came.wait(left)

    def response(self, tid, seconds=WAIT_S):
        return self.wait(lambda f: f.status and f.tid == tid, f"a response to {tid}", seconds).status

    def close(self, how="close"):
        """close, reset (RFC 793: RST), or half: FIN and reading on."""
        try:
            if how == "reset":
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.shutdown(socket.SHUT_WR if how == "half" else socket.SHUT_RDWR) if how != "reset" else None
        except OSError:
            pass
        if how != "half":
            self.sock.close()


class Session:
    """One end of an MSRP session, by its two paths."""

    def __init__(self, room, user):
        self.room, self.user, self.uri = room, user, uri(user)
        self.path = f"msrp://{HOST}:9/{secrets.token_hex(12)};tcp"
        self.remote, self.wire, self.dialog = "", None, None
        self.answers, self.hook = True, None
        self.ready, self.over = threading.Event(), threading.Event()

    @property
    def port(self):
        return int(re.match(r"msrps?://[^:/]+:(\d+)/", self.remote).group(1))

    @property
    def session_id(self):
        return re.search(r":\d+/([^;]+);", self.remote).group(1)

    def attach(self, wire):
        self.wire = wire
        wire.sessions[self.path] = self
        return self

    def connect(self, **options):
        return self.attach(Wire(HOST, options.pop("port", None) or self.port, **options))

    def bind(self, **options):
        if options or not self.wire:
            self.connect(**options)
        tid = token()
        self.wire.write(self.head(tid, "SEND", f"Message-ID: {tid}\r\nByte-Range: 1-0/0\r\n") + f"-------{tid}$\r\n".encode())
        if self.wire.thread:
            status = self.wire.response(tid)
            expect(status == 200, f"{self.user}: binding got {status}")
        return self

    def come_back(self, seconds=8):
        """With a new connection, as soon as the server has noticed that the old one is over (until then: 506)."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self.connect().bind()
            except Failed:
                if time.monotonic() > end:
                    raise
                self.wire.close()
                time.sleep(0.02)

    def head(self, tid, method="SEND", lines="", to=None, by=None):
        return f"MSRP {tid} {method}\r\nTo-Path: {to or self.remote}\r\nFrom-Path: {by or self.path}\r\n{lines}".encode()

    def cpim(self, text, to=None, by=None, extra=""):
        return (f"From: <{by or self.uri}>\r\nTo: <{to or self.room.uri}>\r\nDateTime: 2026-01-02T03:04:05Z\r\n{extra}\r\n"
                "Content-Type: text/plain\r\n\r\n").encode() + (text if isinstance(text, bytes) else text.encode())

    def frame(self, body, *, mid=None, tid=None, start=1, end=None, total=None, flag="$", lines="", kind=None, to=None, by=None,
              **_):
        tid = tid or token()
        end = start + len(body) - 1 if end is None else end
        total = end if total is None else total
        kind = kind or ("message/cpim" if self.room.cpim else "text/plain")
        fields = (f"Message-ID: {mid or token()}\r\nByte-Range: {start}-{end}/{total}\r\n{lines}Content-Type: {kind}\r\n\r\n")
        return self.head(tid, "SEND", fields, to, by) + body + f"\r\n-------{tid}{flag}\r\n".encode()

    def send(self, body, **options):
        """One frame, and the status of its answer."""
        tid = options.setdefault("tid", token())
        self.wire.write(self.frame(body, **options))
        return self.wire.response(tid)

    def post(self, body, **options):
        """The same, and no waiting: its transaction id."""
        tid = options.setdefault("tid", token())
        self.wire.write(self.frame(body, **options))
        return tid

    def text(self, f):
        return f.body.partition(b"\r\n\r\n")[2].partition(b"\r\n\r\n")[2] if self.room.cpim else f.body

    def got(self, text, seconds=WAIT_S):
        """The frame with this text."""
        return self.wire.wait(lambda f: f.method == "SEND" and f.body and text.encode() in f.body, f"{self.user}: {text}", seconds)

    def report(self, mid, seconds=WAIT_S):
        f = self.wire.wait(lambda f: f.method == "REPORT" and f.get("message-id") == mid, f"{self.user}: a report of {mid}", seconds)
        return int(f.get("status").split()[1])


class Sip:
    """One SIP connection for all users of a stage."""

    def __init__(self, stage):
        self.sock = socket.create_connection((stage.host, stage.sip_port), timeout=WAIT_S)
        self.here = "%s:%d" % self.sock.getsockname()[:2]
        self.cseq, self.answers, self.rooms, self.byed = 0, {}, [], 0
        self.came, self.lock = threading.Condition(), threading.Lock()
        self.notifies = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        buffer = b""
        while True:
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            if not data:
                return
            buffer += data
            while True:
                buffer = buffer.lstrip(b"\r\n")
                head, mark, rest = buffer.partition(b"\r\n\r\n")
                n = int(re.search(rb"(?im)^Content-Length: *(\d+)", head).group(1)) if mark else 0
                if not mark or len(rest) < n:
                    break
                lines = head.decode().split("\r\n")
                self._took(lines[0], [tuple(line.split(": ", 1)) for line in lines[1:]], rest[:n].decode())
                buffer = rest[n:]

    def _took(self, first, fields, body):
        if first.startswith("SIP/2.0"):
            if not first.startswith("SIP/2.0 1"):
                with self.came:
                    self.answers[(header(fields, "call-id"), header(fields, "cseq"))] = (int(first.split()[1]), fields, body)
                    self.came.notify_all()
        elif first.startswith("INVITE"):
            self._invited(fields, body)
        elif not first.startswith("ACK"):
            if first.startswith("BYE"):
                tag = re.search(r"tag=([^;]+)", header(fields, "to"))
                for room in self.rooms:
                    if tag and tag.group(1)[1:] in room.by_user and room.knows(header(fields, "call-id")):
                        room.by_user[tag.group(1)[1:]].over.set()
            self.notifies += first.startswith("NOTIFY")
            self.answer(fields, 200)

    def _invited(self, fields, body):
        user = re.search(r"sip:([^@]+)@", header(fields, "to")).group(1)
        s = next(r.by_user[user] for r in reversed(self.rooms) if user in r.by_user)
        s.room.calls.add(header(fields, "call-id"))
        if s.dialog is None or body:
            s.remote = re.search(r"a=path:(\S+)", body).group(1)
        s.dialog = (header(fields, "call-id"), re.search(r"<([^>]+)>", header(fields, "contact")).group(1),
                    header(fields, "from"), [v for n, v in fields if n == "Record-Route"], "t" + user)
        self.answer(fields, 200, [f"Contact: <{self.contact(user)}>;{TAG}", "Content-Type: application/sdp"],
                    s.room.sdp(s), "t" + user)
        s.ready.set()

    def answer(self, fields, status, extra=(), body="", tag="t"):
        copied = [f"{n}: {v + (';tag=' + tag if n == 'To' and ';tag=' not in v else '')}"
                  for n, v in fields if n in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")]
        self.write([f"SIP/2.0 {status} X", *copied, *extra], body)

    def write(self, lines, body=""):
        with self.lock:
            self.sock.sendall("\r\n".join(lines + [f"Content-Length: {len(body.encode())}", "", body]).encode())

    def contact(self, user):
        return f"sip:{user}@{self.here};transport=tcp"

    def send(self, method, target, user, call, fields=(), body="", to=None, tag="f", cseq=None):
        with self.came:
            self.cseq += 1
            cseq = cseq or self.cseq
        self.write([f"{method} {target} SIP/2.0", f"Via: SIP/2.0/TCP {self.here};branch=z9hG4bK{secrets.token_hex(8)};rport",
                    "Max-Forwards: 70", f"From: <{uri(user)}>;tag={tag}", f"To: {to or f'<{target}>'}", f"Call-ID: {call}",
                    f"CSeq: {cseq} {method}", f"Contact: <{self.contact(user)}>;{TAG}", f"P-Asserted-Identity: <{uri(user)}>",
                    *fields], body)
        return call, f"{cseq} {method}"

    def ask(self, *args, seconds=WAIT_S, **more):
        key, end = self.send(*args, **more), time.monotonic() + seconds
        with self.came:
            while key not in self.answers:
                left = end - time.monotonic()
                expect(left > 0, f"no answer to {args[0]} of {args[2]}")
                self.came.wait(left)
            return self.answers.pop(key)

    def register(self, user):
        status, _, _ = self.ask("REGISTER", f"sip:{DOMAIN}", user, f"r{user}", ["Expires: 600"], to=f"<{uri(user)}>")
        expect(status == 200, f"REGISTER of {user} got {status}")

    def close(self):
        self.sock.close()


class Room:
    """A conference that the first user makes, or (cpim=False) a relayed chat of two. Nobody is connected yet."""

    def __init__(self, sip, users, cpim=True, setup="active", types="*", wrapped="*"):
        self.sip, self.cpim, self.setup, self.types, self.wrapped = sip, cpim, setup, types, wrapped
        self.sessions = [Session(self, u) for u in users]
        self.by_user = {s.user: s for s in self.sessions}
        self.call, self.uri = "c" + secrets.token_hex(8), ""
        self.calls = {self.call}
        sip.rooms.append(self)
        first = self.sessions[0]
        status, fields, body = self._invite()
        expect(status == 200, f"the INVITE got {status}")
        target = re.search(r"<([^>]+)>", header(fields, "contact")).group(1)
        routes = [v for n, v in reversed(fields) if n == "Record-Route"]
        self.uri = target.split(";")[0]
        first.remote = re.search(r"a=path:(\S+)", body).group(1)
        first.dialog = (self.call, target, header(fields, "to"), routes, "f")
        sip.send("ACK", target, first.user, self.call, [f"Route: {r}" for r in routes], to=header(fields, "to"),
                 cseq=int(header(fields, "cseq").split()[0]))
        first.ready.set()
        for s in self.sessions:
            expect(s.ready.wait(WAIT_S), f"{s.user} was not invited")

    def knows(self, call):
        return call in self.calls

    def sdp(self, s):
        return (f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
                f"a=accept-types:{'message/cpim' if self.cpim else self.types}\r\na=accept-wrapped-types:{self.wrapped}\r\n"
                f"a=chatroom:nickname private-messages\r\na=setup:{self.setup}\r\na=path:{s.path}\r\n")

    def _invite(self):
        first, others = self.sessions[0], [s.uri for s in self.sessions[1:]]
        extra = [f"Accept-Contact: *;{TAG};require;explicit", "Allow: INVITE, ACK, CANCEL, BYE"]
        if not self.cpim:
            return self.sip.ask("INVITE", others[0], first.user, self.call, extra + ["Content-Type: application/sdp"],
                                self.sdp(first))
        entries = "".join(f'<entry uri="{u}"/>' for u in others)
        body = (f"--b\r\nContent-Type: application/sdp\r\n\r\n{self.sdp(first)}\r\n--b\r\n"
                "Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
                '<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
                f"<list>{entries}</list></resource-lists>\r\n--b--\r\n")
        return self.sip.ask("INVITE", f"sip:conference-factory@{DOMAIN}", first.user, self.call,
                            extra + ["Require: recipient-list-invite", "Content-Type: multipart/mixed;boundary=b"], body)

    def bind(self, **options):
        for s in self.sessions:
            s.bind(**options)
        return self

    def bye(self, s):
        call, target, to, routes, tag = s.dialog
        return self.sip.ask("BYE", target, s.user, call, [f"Route: {r}" for r in routes], to=to, tag=tag)[0]

    def hang_up(self):
        for s in self.sessions:
            if s.wire:
                s.wire.close()


def resident(stage):
    """Bytes of the server's own memory."""
    with open(f"/proc/{stage.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:")) * 1024


def cpu(stage):
    with open(f"/proc/{stage.process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(stage):
    return len(os.listdir(f"/proc/{stage.process.pid}/fd"))
