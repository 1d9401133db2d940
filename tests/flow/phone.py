"""A phone of bare sockets: SIP over TCP with digest, and MSRP, both written by hand.

Tests use it where a well-behaved client will not do: it says exactly what it is told to, keeps every frame
that comes, and answers as its `answer` function says. One thread reads; the test's thread writes and waits.
"""

import hashlib
import re
import secrets
import selectors
import socket
import threading
import time

from stage import DOMAIN, Failed, WAIT_S

TAG = "+g.oma.sip-im"
ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, MESSAGE"


def token(n=12):
    return secrets.token_hex(n)[:n]


def cpim(sender, to, text, content_type="text/plain; charset=utf-8", headers="", content_headers=""):
    """A message/cpim body. sender, to: a URI, a whole value with brackets, a list of them, or None."""
    def lines(name, value):
        values = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
        return "".join(f"{name}: {v if '<' in v else f'<{v}>'}\r\n" for v in values)

    if isinstance(text, str):
        text = text.encode()
    head = (f"{lines('From', sender)}{lines('To', to)}DateTime: 2026-01-02T03:04:05Z\r\n{headers}\r\n"
            f"{content_headers}Content-Type: {content_type}\r\n\r\n")
    return head.encode() + text


class Cpim:
    """A message/cpim body that came."""

    def __init__(self, body):
        head, _, rest = body.partition(b"\r\n\r\n")
        mime, _, self.body = rest.partition(b"\r\n\r\n")
        self.headers = [tuple(x.strip() for x in line.split(":", 1)) for line in head.decode().split("\r\n")]
        self.mime = dict((n.strip().lower(), v.strip()) for n, _, v in
                         (line.partition(":") for line in mime.decode().split("\r\n")))
        self.text = self.body.decode("utf-8", "replace")

    def get(self, name):
        for n, v in self.headers:
            if n.lower() == name.lower():
                return v
        return None


class Sip:
    """A SIP message that came."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")
        self.first = lines[0]
        self.fields = [(n.strip(), v.strip()) for n, _, v in (line.partition(":") for line in lines[1:])]
        self.is_request = not self.first.startswith("SIP/2.0")
        self.status = 0 if self.is_request else int(self.first.split()[1])
        self.method = self.get("CSeq").split()[1]

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else ""

    @property
    def contact(self):
        match = re.search(r"<([^>]*)>", self.get("Contact"))
        return match.group(1) if match else self.get("Contact")


def digest_answer(challenge, method, uri, user, password):
    p = {m.group(1).lower(): m.group(2) if m.group(2) is not None else m.group(3)
         for m in re.finditer(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', challenge)}
    kind = p.get("algorithm", "MD5")
    h = hashlib.sha256 if kind.upper().startswith("SHA-256") else hashlib.md5

    def hx(text):
        return h(text.encode()).hexdigest()

    nc, cnonce = "00000001", token(16)
    ha1, ha2 = hx(f"{user}:{p['realm']}:{password}"), hx(f"{method}:{uri}")
    if "qop" in p:
        response = hx(f"{ha1}:{p['nonce']}:{nc}:{cnonce}:auth:{ha2}")
        more = f', qop=auth, nc={nc}, cnonce="{cnonce}"'
    else:
        response, more = hx(f"{ha1}:{p['nonce']}:{ha2}"), ""
    opaque = f', opaque="{p["opaque"]}"' if "opaque" in p else ""
    return (f'Digest username="{user}", realm="{p["realm"]}", nonce="{p["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm={kind}{more}{opaque}')


class Frame:
    """An MSRP request or response that came."""

    def __init__(self, tid, first, fields, body, flag):
        self.tid, self.fields, self.body, self.flag = tid, fields, body, flag
        self.status = int(first[:3]) if first[:3].isdigit() else 0
        self.method = "" if self.status else first

    def get(self, name):
        for n, v in self.fields:
            if n.lower() == name.lower():
                return v
        return ""

    @property
    def range(self):
        m = re.match(r"(\d+)-(\d+|\*)/(\d+|\*)$", self.get("Byte-Range"))
        return tuple(-1 if x == "*" else int(x) for x in m.groups()) if m else (1, -1, -1)

    @property
    def report_status(self):
        words = self.get("Status").split()
        return int(words[1]) if len(words) > 1 else 0


def take_frame(data):
    """(frame, rest) or (None, data)."""
    m = re.match(rb"MSRP (\S+) ([^\r\n]*)\r\n", data)
    if not m:
        if b"\r\n" in data:
            raise Failed(f"bad framing: {data[:60]!r}")
        return None, data
    tid = m.group(1)
    end = re.compile(rb"\r\n-------" + re.escape(tid) + rb"([$+#])\r\n").search(data, m.end() - 2)
    if not end:
        return None, data
    inner = data[m.end():end.start()] if end.start() >= m.end() else b""
    head, blank, body = (inner + b"\r\n").partition(b"\r\n\r\n")
    if blank:
        body = body[:-2]
    fields = [tuple(x.strip() for x in line.split(":", 1)) for line in head.decode("utf-8", "replace").split("\r\n")
              if ":" in line]
    return Frame(tid.decode(), m.group(2).decode(), fields, body if blank else b"", end.group(1).decode()), data[end.end():]


class Msrp:
    """One MSRP session of a phone."""

    def __init__(self, phone):
        self.phone = phone
        self.id = token(20)
        self.path = f"msrp://{phone.host}:{phone.msrp_port}/{self.id};tcp"
        self.remote = ""
        self.sock = None
        self.data = b""
        self.frames = []        # all that came, in order
        self.messages = []      # (Message-ID, content type, body), whole
        self.parts = {}
        self.closed = False
        self.stalled = False
        self.wants_reports = True
        self.answer = lambda frame: 200     # a status, or None: no answer at all

    # --- out ---

    def connect(self):
        m = re.match(r"msrps?://(\[[^\]]*\]|[^:/]+):(\d+)/", self.remote)
        self.sock = socket.create_connection((m.group(1).strip("[]"), int(m.group(2))), timeout=WAIT_S)
        self.phone.watch(self.sock, self)

    def raw(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def head(self, tid, method, lines=""):
        return f"MSRP {tid} {method}\r\nTo-Path: {self.remote}\r\nFrom-Path: {self.path}\r\n{lines}"

    def bind(self, byte_range=None):
        """An empty SEND, with or without a Byte-Range."""
        tid = token(8)
        lines = f"Message-ID: {token(10)}\r\n" + (f"Byte-Range: {byte_range}\r\n" if byte_range else "")
        self.raw(self.head(tid, "SEND", lines) + f"-------{tid}$\r\n")
        return self.response(tid)

    def send(self, body, content_type="message/cpim", mid=None, byte_range=None, flag="$", tid=None, success=None,
             failure=None, wait=True, fields=""):
        """One chunk. wait: for the response; its status is returned, else the tid."""
        tid = tid or token(10)
        body = body.encode() if isinstance(body, str) else body
        mid = mid or token(12)
        lines = f"Message-ID: {mid}\r\n"
        if byte_range != "":
            lines += f"Byte-Range: {byte_range or f'1-{len(body)}/{len(body)}'}\r\n"
        lines += f"Success-Report: {success}\r\n" if success else ""
        lines += f"Failure-Report: {failure}\r\n" if failure else ""
        head = self.head(tid, "SEND", f"{lines}{fields}Content-Type: {content_type}\r\n\r\n")
        self.raw(head.encode() + body + f"\r\n-------{tid}{flag}\r\n".encode())
        return self.response(tid).status if wait else tid

    def send_chunks(self, body, size, content_type="message/cpim", mid=None, **more):
        mid = mid or token(12)
        for at in range(0, len(body), size):
            part = body[at:at + size]
            last = at + len(part) == len(body)
            status = self.send(part, content_type, mid, f"{at + 1}-{at + len(part)}/{len(body)}", "$" if last else "+",
                               **more)
            if status != 200:
                return status
        return 200

    def request(self, method, lines):
        tid = token(10)
        self.raw(self.head(tid, method, lines) + f"-------{tid}$\r\n")
        return self.response(tid).status

    def close(self):
        if self.sock:
            self.phone.unwatch(self.sock)
            self.sock.close()
            self.sock = None

    # --- in; called on the phone's thread ---

    def take(self, data):
        self.data += data
        while True:
            frame, self.data = take_frame(self.data)
            if not frame:
                return
            if frame.method == "SEND":
                self.took_send(frame)
            self.frames.append(frame)

    def took_send(self, f):
        status = self.answer(f)
        failure = f.get("Failure-Report")
        if status and failure != "no" and not (failure == "partial" and status == 200):
            self.raw(f"MSRP {f.tid} {status} X\r\nTo-Path: {f.get('From-Path').split()[0]}\r\nFrom-Path: {self.path}\r\n"
                     f"-------{f.tid}$\r\n")
        if not f.get("Content-Type") or status != 200:
            return
        mid, start = f.get("Message-ID"), f.range[0]
        part = self.parts.setdefault(mid, bytearray())
        part[start - 1:start - 1 + len(f.body)] = f.body
        if f.flag == "#":
            del self.parts[mid]
        elif f.flag == "$":
            whole = bytes(self.parts.pop(mid))
            self.messages.append((mid, f.get("Content-Type"), whole))
            if self.wants_reports and f.get("Success-Report") == "yes":
                tid = token(10)
                self.raw(self.head(tid, "REPORT", f"Message-ID: {mid}\r\nByte-Range: 1-{len(whole)}/{len(whole)}\r\n"
                                                  "Status: 000 200 OK\r\n") + f"-------{tid}$\r\n")

    # --- what the test asks ---

    def response(self, tid):
        return self.phone.until(lambda: next((f for f in self.frames if f.status and f.tid == tid), None),
                                f"answer to {tid}")

    def report(self, mid, timeout=None):
        return self.phone.until(lambda: next((f for f in self.frames if f.method == "REPORT"
                                              and f.get("Message-ID") == mid), None), f"report on {mid}", timeout)

    def reports(self, mid):
        return [f for f in self.frames if f.method == "REPORT" and f.get("Message-ID") == mid]

    def texts(self):
        """Of all whole messages, the CPIM wrapper taken off."""
        return [Cpim(b).text if t.lower().startswith("message/cpim") else b.decode("utf-8", "replace")
                for _, t, b in list(self.messages)]

    def wait_text(self, text, timeout=None):
        """The message whose text this is: (Message-ID, content type, body)."""
        def look():
            for m, t in zip(list(self.messages), self.texts()):
                if t == text:
                    return m
            return None
        return self.phone.until(look, f"message {text[:60]!r}", timeout)


class Call:
    """One INVITE dialog, from either end."""

    def __init__(self, phone, call_id, msrp):
        self.phone, self.id, self.msrp = phone, call_id, msrp
        self.local = self.remote = self.target = ""
        self.routes = []
        self.cseq = 0
        self.invite = self.answer = None
        self.sdp = ""       # theirs
        self.ended = False

    def attribute(self, name):
        m = re.search(rf"^a={name}(?::(.*?))?\r?$", self.sdp, re.M)
        return None if not m else m.group(1) or ""

    def took_sdp(self, body):
        self.sdp = body.decode()
        self.msrp.remote = self.attribute("path") or ""

    def took_200(self, final):
        self.cseq = int(final.get("CSeq").split()[0])
        self.local, self.remote = final.get("From"), final.get("To")
        self.target, self.routes = final.contact, list(reversed(final.all("Record-Route")))
        self.took_sdp(final.body)

    def request(self, method, extra="", body=b"", content_type="", wait=True):
        self.cseq += 1
        fields = (f"From: {self.local}\r\nTo: {self.remote}\r\nCall-ID: {self.id}\r\n"
                  + "".join(f"Route: {r}\r\n" for r in self.routes) + extra)
        return self.phone.request(method, self.target, fields, self.cseq, body, content_type, wait)

    def bye(self):
        self.ended = True
        self.msrp.close()
        return self.request("BYE").status


class Phone:
    """One user agent: registered when it is made."""

    def __init__(self, stage, name, *, accept_types="message/cpim", wrapped="*", active=True, chatroom=None, im=True,
                 sdp_extra="", setup=True, auto=True, register=True, allow=ALLOW):
        self.stage, self.name, self.host = stage, name, stage.host
        self.uri, self.user = f"sip:{name}@{DOMAIN}", name
        self.accept_types, self.wrapped, self.active = accept_types, wrapped, active
        self.chatroom, self.im, self.sdp_extra, self.setup = chatroom, im, sdp_extra, setup
        self.auto, self.allow = auto, allow
        self.calls, self.requests, self.responses, self.problems = [], [], {}, []
        self.page_status = 200
        self.changed = threading.Condition()
        self.write_lock = threading.Lock()
        self.selector = selectors.DefaultSelector()
        self.jobs, self.over = [], False
        self.wake_r, self.wake_w = socket.socketpair()
        self.selector.register(self.wake_r, selectors.EVENT_READ, "wake")
        self.listener = socket.create_server((self.host, 0))
        self.msrp_port = self.listener.getsockname()[1]
        self.selector.register(self.listener, selectors.EVENT_READ, "listener")
        self.sip = socket.create_connection((self.host, stage.sip_port), timeout=WAIT_S)
        self.contact = f"sip:{name}@{self.host}:{self.sip.getsockname()[1]};transport=tcp"
        self.sip_data = b""
        self.strangers = {}     # MSRP connections that no session has claimed yet
        self.selector.register(self.sip, selectors.EVENT_READ, "sip")
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        stage.phones.append(self)
        if register:
            self.register()

    # --- the thread ---

    def _run(self):
        while not self.over:
            for key, _ in self.selector.select(1):
                try:
                    self._ready(key)
                except (OSError, Failed, ValueError, AttributeError, IndexError) as problem:
                    self.problems.append(repr(problem))
            with self.changed:
                self.changed.notify_all()

    def _ready(self, key):
        if key.data == "wake":
            self.wake_r.recv(1000)
            while self.jobs:
                self.jobs.pop(0)()
        elif key.data == "listener":
            sock, _ = self.listener.accept()
            self.strangers[sock] = b""
            self.selector.register(sock, selectors.EVENT_READ, "stranger")
        elif key.data == "sip":
            self._read_sip()
        elif key.data == "stranger":
            self._read_stranger(key.fileobj)
        else:
            self._read_msrp(key.fileobj, key.data)

    def _read_msrp(self, sock, msrp):
        try:
            data = sock.recv(65536)
        except OSError:
            data = b""
        if data:
            msrp.take(data)
            return
        self.selector.unregister(sock)
        msrp.closed = True

    def _read_stranger(self, sock):
        data = sock.recv(65536)
        self.strangers[sock] += data
        m = re.search(rb"To-Path: msrps?://[^/]*/([^;\s]*)", self.strangers[sock])
        msrp = next((c.msrp for c in self.calls if m and c.msrp.id == m.group(1).decode()), None)
        if not data or msrp:
            self.selector.unregister(sock)
        if msrp:
            msrp.sock = sock
            self.selector.register(sock, selectors.EVENT_READ, msrp)
            msrp.take(self.strangers.pop(sock))

    def _read_sip(self):
        data = self.sip.recv(65536)
        if not data:
            self.selector.unregister(self.sip)
            return
        self.sip_data += data
        while True:
            self.sip_data = self.sip_data.lstrip(b"\r\n")
            head, blank, rest = self.sip_data.partition(b"\r\n\r\n")
            m = re.search(rb"(?im)^(?:Content-Length|l)\s*:\s*(\d+)", head)
            n = int(m.group(1)) if m else 0
            if not blank or len(rest) < n:
                return
            raw, self.sip_data = head + blank + rest[:n], rest[n:]
            self._took_sip(Sip(raw))

    def _took_sip(self, m):
        if not m.is_request:
            self.responses.setdefault((m.get("Call-ID"), m.get("CSeq")), []).append(m)
            return
        self.requests.append(m)
        if m.method == "INVITE":
            if self.auto and 'tag=' not in m.get("To"):
                self.respond(m, 180)
        elif m.method == "BYE":
            for c in self.calls:
                c.ended = c.ended or c.id == m.get("Call-ID")
            self.respond(m, 200)
        elif m.method == "MESSAGE":
            self.respond(m, self.page_status)
        elif m.method != "ACK":
            self.respond(m, 200)

    def _job(self, job):
        self.jobs.append(job)
        self.wake_w.send(b"x")

    def watch(self, sock, msrp):
        self._job(lambda: self.selector.register(sock, selectors.EVENT_READ, msrp))

    def unwatch(self, sock):
        done = threading.Event()

        def job():
            try:
                self.selector.unregister(sock)
            except (KeyError, ValueError):
                pass
            done.set()
        self._job(job)
        done.wait(5)

    # --- out ---

    def until(self, condition, what, timeout=None):
        end = time.monotonic() + (timeout or WAIT_S)
        with self.changed:
            while True:
                got = condition()
                if got:
                    return got
                left = end - time.monotonic()
                if left <= 0:
                    raise Failed(f"{self.name}: {what} did not come; {self.problems[-3:]}")
                self.changed.wait(min(left, 0.2))

    def write(self, text, body=b""):
        with self.write_lock:
            self.sip.sendall(text.encode() + body)

    def respond(self, m, status, body=b"", tag="t", extra=""):
        to = m.get("To")
        if status > 100 and "tag=" not in to:
            to += f";tag={m.get('Call-ID')[:6]}{tag}"
        fields = "".join(f"Via: {v}\r\n" for v in m.all("Via")) + "".join(f"Record-Route: {v}\r\n"
                                                                         for v in m.all("Record-Route"))
        fields += f"From: {m.get('From')}\r\nTo: {to}\r\nCall-ID: {m.get('Call-ID')}\r\nCSeq: {m.get('CSeq')}\r\n"
        fields += f"Contact: <{self.contact}>{';' + TAG if self.im else ''}\r\nAllow: {self.allow}\r\n" + extra
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self.write(f"SIP/2.0 {status} X\r\n{fields}{kind}Content-Length: {len(body)}\r\n\r\n", body)
        return to

    def request(self, method, uri, fields, seq=1, body=b"", content_type="", wait=True):
        """Sends it, answers a challenge, and gives the final response (wait False: the Call-ID)."""
        call_id = re.search(r"(?m)^Call-ID: (\S+)", fields).group(1)
        auth = ""
        for _ in range(2):
            branch = "z9hG4bK" + token(16)
            kind = f"Content-Type: {content_type}\r\n" if content_type else ""
            host = f"{self.host}:{self.sip.getsockname()[1]}"
            self.write(f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/TCP {host};branch={branch};rport\r\n"
                       f"Max-Forwards: 70\r\n{fields}CSeq: {seq} {method}\r\n{auth}{kind}"
                       f"Content-Length: {len(body)}\r\n\r\n", body)
            if not wait:
                return call_id
            key = (call_id, f"{seq} {method}")
            final = self.until(lambda k=key: next((m for m in self.responses.get(k, []) if m.status >= 200), None),
                               f"answer to {method}")
            if method == "INVITE" and final.status >= 300:
                self.ack_error(final, uri, fields, seq, branch)
            if final.status not in (401, 407):
                return final
            name, answer = (("WWW-Authenticate", "Authorization") if final.status == 401 else
                            ("Proxy-Authenticate", "Proxy-Authorization"))
            challenge = final.get(name)
            auth = f"{answer}: {digest_answer(challenge, method, uri, self.user, self.stage.password(self.user))}\r\n"
            seq += 1
        return final

    def ack_error(self, final, uri, fields, seq, branch):
        host = f"{self.host}:{self.sip.getsockname()[1]}"
        fields = re.sub(r"(?m)^To: .*?\r\n", f"To: {final.get('To')}\r\n", fields)
        keep = "".join(line + "\r\n" for line in fields.split("\r\n")
                       if line.split(":")[0] in ("From", "To", "Call-ID", "Route"))
        self.write(f"ACK {uri} SIP/2.0\r\nVia: SIP/2.0/TCP {host};branch={branch}\r\nMax-Forwards: 70\r\n{keep}"
                   f"CSeq: {seq} ACK\r\nContent-Length: 0\r\n\r\n")

    def identity(self, to):
        return f"From: <{self.uri}>;tag={token(8)}\r\nTo: <{to}>\r\nCall-ID: {token(20)}\r\n"

    def tagged_contact(self):
        return f"Contact: <{self.contact}>{';' + TAG if self.im else ''}\r\n"

    def register(self, expires=600):
        fields = self.identity(self.uri) + self.tagged_contact() + f"Expires: {expires}\r\n"
        answer = self.request("REGISTER", f"sip:{DOMAIN}", fields)
        if answer.status != 200:
            raise Failed(f"{self.name}: REGISTER {answer.first}")

    def page(self, to, body, content_type="text/plain;charset=utf-8", extra=""):
        """A MESSAGE outside of any dialog; the final response."""
        body = body.encode() if isinstance(body, str) else body
        return self.request("MESSAGE", to, self.identity(to) + self.caps() + extra, body=body, content_type=content_type)

    def caps(self):
        return f"Accept-Contact: *;{TAG};require;explicit\r\n" if self.im else ""

    # --- calls ---

    def sdp(self, msrp, answer_to=None):
        setup = "" if not self.setup else "actpass" if answer_to is None else "active" if self.active else "passive"
        lines = [f"v=0\r\no=- {int(time.time())} 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0",
                 f"m=message {self.msrp_port} TCP/MSRP *", f"a=path:{msrp.path}", f"a=accept-types:{self.accept_types}"]
        if self.wrapped:
            lines.append(f"a=accept-wrapped-types:{self.wrapped}")
        if setup:
            lines.append(f"a=setup:{setup}")
        if self.chatroom is not None:
            lines.append(f"a=chatroom:{self.chatroom}" if self.chatroom else "a=chatroom")
        return ("\r\n".join(lines) + "\r\n" + self.sdp_extra).encode()

    def delayed(self, uri, *, people=(), answers=True, extra=""):
        """Calls without an offer; people: a recipient list, as the phones of liblinphone write it. The answer to the
        offer in the 200 is in the ACK, unless there is to be none."""
        msrp, body, kind = Msrp(self), b"", ""
        if people:
            entries = "".join(f'<p1:entry uri="{p}"/>' for p in people)
            body = ('<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\r\n<p1:resource-lists '
                    f'xmlns:p1="urn:ietf:params:xml:ns:resource-lists"><p1:list>{entries}</p1:list>'
                    "</p1:resource-lists>\r\n").encode()
            kind = "application/resource-lists+xml"
            extra += "Require: recipient-list-invite\r\nContent-Disposition: recipient-list\r\n"
        fields = self.identity(uri) + self.tagged_contact() + self.caps() + f"Allow: {self.allow}\r\n" + extra
        call = Call(self, re.search(r"Call-ID: (\S+)", fields).group(1), msrp)
        self.calls.append(call)
        final = call.answer = self.request("INVITE", uri, fields, body=body, content_type=kind)
        if final.status >= 300:
            return call
        call.took_200(final)
        self.write_ack(call, self.sdp(msrp, final.body) if answers else b"")
        if answers:
            msrp.connect()
            msrp.bind()
        return call

    def invite(self, uri, *, people=(), bind=True, byte_range=None, extra=""):
        """Calls; people: a recipient list for the factory. The call, with MSRP bound (unless the answer is an error)."""
        msrp = Msrp(self)
        body, kind = self.sdp(msrp), "application/sdp"
        if people:
            entries = "".join(f'<entry uri="{p}"/>' for p in people)
            xml = ('<?xml version="1.0" encoding="UTF-8"?>\r\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
                   f"<list>{entries}</list></resource-lists>\r\n")
            edge = token(16)
            body = (f"--{edge}\r\nContent-Type: application/sdp\r\n\r\n".encode() + body +
                    f"\r\n--{edge}\r\nContent-Type: application/resource-lists+xml\r\n"
                    f"Content-Disposition: recipient-list\r\n\r\n{xml}\r\n--{edge}--\r\n".encode())
            kind = f'multipart/mixed;boundary="{edge}"'
            extra += "Require: recipient-list-invite\r\n"
        fields = self.identity(uri) + self.tagged_contact() + self.caps() + f"Allow: {self.allow}\r\n" + extra
        call = Call(self, re.search(r"Call-ID: (\S+)", fields).group(1), msrp)
        self.calls.append(call)
        final = call.answer = self.request("INVITE", uri, fields, body=body, content_type=kind)
        if final.status >= 300:
            return call
        call.took_200(final)
        self.write_ack(call)
        if call.attribute("setup") != "active":
            msrp.connect()
            if bind:
                msrp.bind(byte_range)
        return call

    def write_ack(self, call, body=b""):
        host = f"{self.host}:{self.sip.getsockname()[1]}"
        routes = "".join(f"Route: {r}\r\n" for r in call.routes)
        self.write(f"ACK {call.target} SIP/2.0\r\nVia: SIP/2.0/TCP {host};branch=z9hG4bK{token(16)}\r\nMax-Forwards: 70\r\n"
                   f"{routes}From: {call.local}\r\nTo: {call.remote}\r\nCall-ID: {call.id}\r\nCSeq: {call.cseq} ACK\r\n"
                   + ("Content-Type: application/sdp\r\n" if body else "") + f"Content-Length: {len(body)}\r\n\r\n", body)

    def take_call(self, *, bind=True, byte_range=None, timeout=None):
        """Waits for the next INVITE and answers it 200."""
        known = {c.id for c in self.calls}
        m = self.until(lambda: next((r for r in self.requests if r.method == "INVITE" and r.get("Call-ID") not in known),
                                    None), "INVITE", timeout)
        msrp = Msrp(self)
        call = Call(self, m.get("Call-ID"), msrp)
        call.invite = m
        call.took_sdp(m.body)
        self.calls.append(call)
        call.remote, call.target = m.get("From"), m.contact
        call.routes = m.all("Record-Route")
        call.local = self.respond(m, 200, self.sdp(msrp, call.sdp))
        self.until(lambda: any(r.method == "ACK" and r.get("Call-ID") == call.id for r in self.requests), "ACK")
        if self.active and self.setup:
            msrp.connect()
            if bind:
                msrp.bind(byte_range)
        else:
            self.until(lambda: msrp.sock, "MSRP connection")
        return call

    def close(self):
        self.over = True
        self._job(lambda: None)
        self.thread.join(3)
        for sock in [self.sip, self.listener, *self.strangers] + [c.msrp.sock for c in self.calls if c.msrp.sock]:
            sock.close()


def room(stage, names, factory=f"sip:conference-factory@{DOMAIN}", options=None):
    """A conference of raw phones, the first one its creator: {name: Call}, all bound."""
    phones = {n: Phone(stage, n, **(options or {}).get(n, {})) for n in names}
    first = phones[names[0]]
    calls = {names[0]: first.invite(factory, people=[phones[n].uri for n in names[1:]])}
    if calls[names[0]].answer.status != 200:
        raise Failed(f"the factory said {calls[names[0]].answer.first}")
    for n in names[1:]:
        calls[n] = phones[n].take_call()
    return calls


__all__ = ["Call", "Cpim", "Msrp", "Phone", "Sip", "cpim", "room", "token"]
