"""Conferences and relayed chats that talk: every member is a phone of a few lines, all in one event loop."""

import asyncio
import itertools
import re
import secrets
import socket
import struct
import time
import zlib

from server import DOMAIN, HOST, Failed

TAG = "+g.oma.sip-im"
WAIT_S = 30
END = re.compile(rb"\r\n-------([A-Za-z0-9.\-+%=]+)([$+#])\r\n")
serial = itertools.count(1)


def header(fields, name):
    return next((v for n, v in fields if n.lower() == name), "")


class Signal(asyncio.Protocol):
    """SIP of all members of a room, over one connection."""

    def __init__(self, room):
        self.room, self.buffer, self.cseq = room, b"", 0
        self.waiting, self.closed, self.here = {}, False, ""

    def connection_made(self, transport):
        self.transport = transport
        self.here = "%s:%d" % transport.get_extra_info("sockname")[:2]

    def connection_lost(self, _):
        self.closed = True
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(Failed("the SIP connection broke"))

    def data_received(self, data):
        self.buffer += data
        while True:
            self.buffer = self.buffer.lstrip(b"\r\n")
            head, mark, rest = self.buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            n = int(re.search(rb"(?im)^Content-Length: *(\d+)", head).group(1))
            if len(rest) < n:
                return
            self.buffer = rest[n:]
            lines = head.decode().split("\r\n")
            self._took(lines[0], [tuple(line.split(": ", 1)) for line in lines[1:]], rest[:n].decode())

    def _took(self, first, fields, body):
        if first.startswith("SIP/2.0"):
            future = self.waiting.get((header(fields, "call-id"), header(fields, "cseq")))
            if future and not future.done() and not first.startswith("SIP/2.0 1"):
                future.set_result((int(first.split()[1]), fields, body))
            return
        method = first.split()[0]
        if method == "INVITE":
            self.room.invited(fields, body)
        elif method == "ACK":
            self.room.acknowledged(fields)
        else:
            if method == "BYE":
                self.room.byed(fields)
            self.answer(fields, 200)

    def answer(self, fields, status, extra=(), body="", tag="t"):
        copied = [f"{n}: {v + (';tag=' + tag if n == 'To' and ';tag=' not in v else '')}"
                  for n, v in fields if n in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")]
        self.write([f"SIP/2.0 {status} X", *copied, *extra], body)

    def write(self, lines, body=""):
        if not self.closed and not self.transport.is_closing():
            self.transport.write("\r\n".join(lines + [f"Content-Length: {len(body.encode())}", "", body]).encode())

    def send(self, method, uri, user, call, fields=(), body="", to=None, tag="f", cseq=None):
        """(Call-ID, CSeq) of what was sent."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.write([f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/TCP {self.here};branch=z9hG4bK{secrets.token_hex(8)};rport",
                    "Max-Forwards: 70", f"From: <sip:{user}@{DOMAIN}>;tag={tag}", f"To: {to or f'<{uri}>'}",
                    f"Call-ID: {call}", f"CSeq: {cseq} {method}", f"Contact: <{self.contact(user)}>;{TAG}",
                    f"P-Asserted-Identity: <sip:{user}@{DOMAIN}>", *fields], body)
        return call, f"{cseq} {method}"

    def contact(self, user):
        return f"sip:{user}@{self.here};transport=tcp"

    async def ask(self, method, uri, user, call, *rest, timeout=WAIT_S, **more):
        """(status, fields, body) of the final answer."""
        future = asyncio.get_running_loop().create_future()
        if self.closed:
            raise Failed("the SIP connection is closed")
        key = self.send(method, uri, user, call, *rest, **more)
        self.waiting[key] = future
        try:
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError as problem:
            raise Failed(f"no answer to {method} of {user}") from problem
        finally:
            del self.waiting[key]

    async def register(self, user, expires=600):
        status, fields, _ = await self.ask("REGISTER", f"sip:{DOMAIN}", user, f"r-{user}-{self.here}",
                                           [f"Expires: {expires}"], to=f"<sip:{user}@{DOMAIN}>")
        if status != 200:
            raise Failed(f"REGISTER of {user} got {status}")
        return fields


class Line(asyncio.Protocol):
    """MSRP of one member."""

    def __init__(self, member):
        self.member, self.buffer, self.open, self.transport = member, bytearray(), False, None
        self.seen = 0

    def connection_made(self, transport):
        self.transport, self.open = transport, True

    def connection_lost(self, _):
        self.open = False
        self.member.line_lost(self)

    def data_received(self, data):
        self.buffer += data
        while True:
            found = END.search(self.buffer, max(0, self.seen - 64))
            while found:
                head = self.buffer[5:60].split(b" ", 1)[0]
                if head == found.group(1):
                    break
                found = END.search(self.buffer, found.start() + 1)
            if not found:
                self.seen = len(self.buffer)
                return
            frame, flag = bytes(self.buffer[:found.start() + 2]), found.group(2)
            del self.buffer[:found.end()]
            self.seen = 0
            self._took(frame, flag.decode())

    def _took(self, frame, flag):
        head, blank, body = frame.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
        what = lines[0].split(" ", 2)
        if what[2][:3].isdigit():
            self.member.answered(what[1], int(what[2][:3]))
        elif what[2] == "REPORT":
            self.member.room.ledger.reported(fields["message-id"], int(fields["status"].split()[1]))
        elif what[2] == "SEND":
            self._took_send(what[1], fields, body[:-2] if blank else b"", flag)

    def _took_send(self, tid, fields, body, flag):
        self.write(f"MSRP {tid} 200 OK\r\nTo-Path: {fields['from-path']}\r\nFrom-Path: {fields['to-path']}\r\n"
                   f"-------{tid}$\r\n".encode())
        if "content-type" not in fields:
            return
        mid, start = fields["message-id"], int(fields["byte-range"].split("-")[0])
        if start > 1 and mid not in self.member.parts and self.member.room.ledger.has(mid, self.member.user):
            return      # the end of one that is whole: the answer to it was lost with the connection
        part = self.member.parts.setdefault(mid, bytearray())
        part[start - 1:start - 1 + len(body)] = body
        if flag == "#":
            self.member.parts.pop(mid, None)
        elif flag == "$":
            whole = bytes(self.member.parts.pop(mid))
            text = whole.partition(b"\r\n\r\n")[2].partition(b"\r\n\r\n")[2] if self.member.room.cpim else whole
            crc, _, rest = text.partition(b" ")
            self.member.arrived(mid, len(rest), crc == b"%08x" % zlib.crc32(rest))

    def write(self, data):
        if self.open:
            self.transport.write(data)


class Member:
    def __init__(self, room, user):
        self.room, self.user = room, user
        self.path = f"msrp://{HOST}:9/{secrets.token_hex(12)};tcp"
        self.remote = ""            # the switch's path for this session
        self.line = None
        self.in_session, self.broken, self.stays_away = False, False, False
        self.hurt = False           # does not take what is sent to him, or is gone
        self.was_hurt = False       # or did not for a while, or took it slowly: it may come too late to him
        self.closes_s = None        # how long after BYE he closes his line; None: he does not
        self.parts = {}             # Message-ID -> what has come of it, over whatever connection
        self.pending = {}           # tid -> future of the answer
        self.bound = asyncio.Event()
        self.over = asyncio.Event()  # the server ended the leg
        self.reason = ""            # in that BYE
        self.dialog = None          # (Call-ID, remote target, To, routes, local tag) to say BYE with

    # --- the line ---

    async def connect(self):
        address = re.match(r"msrp://([^:/]+):(\d+)/", self.remote)
        _, self.line = await asyncio.get_running_loop().create_connection(
            lambda: Line(self), address.group(1), int(address.group(2)))
        tid = f"b{next(serial):09d}"
        future = self.pending[tid] = asyncio.get_running_loop().create_future()
        self.line.write(self.head(tid, "SEND", f"Message-ID: {tid}\r\nByte-Range: 1-0/0\r\n") + f"-------{tid}$\r\n".encode())
        status = await asyncio.wait_for(future, WAIT_S)
        if status != 200:
            raise Failed(f"{self.user}: binding got {status}")
        self.broken = False
        self.bound.set()

    def head(self, tid, method, lines=""):
        return f"MSRP {tid} {method}\r\nTo-Path: {self.remote}\r\nFrom-Path: {self.path}\r\n{lines}".encode()

    def line_lost(self, line):
        if line is not self.line:
            return
        self.broken = True
        self.bound.clear()
        for future in self.pending.values():
            if not future.done():
                future.set_result(0)

    def stall(self):
        if self.line and self.line.open:
            self.line.transport.pause_reading()

    def resume(self):
        if self.line and self.line.open:
            self.line.transport.resume_reading()

    def reset(self):
        """Gone without a word: what is under way is lost on the wire."""
        if self.line and self.line.open:
            sock = self.line.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.line.transport.abort()

    def close(self):
        if self.line and self.line.open:
            self.line.transport.abort()

    def answered(self, tid, status):
        future = self.pending.get(tid)
        if future and not future.done():
            future.set_result(status)

    def arrived(self, mid, n, intact):
        self.room.ledger.arrived(mid, self.user, n, intact, time.monotonic())

    # --- what it says ---

    def body(self, size):
        text = secrets.token_hex(size // 2 + 1)[:size].encode()
        payload = b"%08x " % zlib.crc32(text) + text
        if not self.room.cpim:
            return payload
        return (f"From: <sip:{self.user}@{DOMAIN}>\r\nTo: <{self.room.uri}>\r\nDateTime: 2026-01-02T03:04:05Z\r\n\r\n"
                "Content-Type: text/plain\r\n\r\n").encode() + payload

    async def say(self, size=160, chunk=8192):
        """One message, whatever becomes of it. The status of its last answer; 0: none came."""
        mid = f"m{next(serial):09d}"
        body, status = self.body(size), 0
        kind = "message/cpim" if self.room.cpim else "text/plain"
        audience = [m.user for m in self.room.members if m is not self and m.in_session]
        self.room.ledger.sent(mid, self.user, audience, size, time.monotonic())
        for at in range(0, len(body), chunk):
            part = body[at:at + chunk]
            last = at + len(part) == len(body)
            if not self.line.open:
                status = 0
                break
            tid = f"t{next(serial):09d}"
            future = self.pending[tid] = asyncio.get_running_loop().create_future()
            lines = f"Message-ID: {mid}\r\nByte-Range: {at + 1}-{at + len(part)}/{len(body)}\r\nContent-Type: {kind}\r\n\r\n"
            self.line.write(self.head(tid, "SEND", lines) + part + f"\r\n-------{tid}{'$' if last else '+'}\r\n".encode())
            try:
                status = await asyncio.wait_for(future, WAIT_S + 5)
            except asyncio.TimeoutError:
                status = 0
            del self.pending[tid]
            if status != 200:
                break
        self.room.ledger.answered(mid, status)
        return status


class Room:
    """A conference (the first user makes it), or with cpim=False a chat of two that is relayed."""

    def __init__(self, server, ledger, users, cpim=True, after=None):
        """after: a room of the same users that is over, whose SIP connection and registrations are taken over."""
        self.server, self.ledger, self.cpim = server, ledger, cpim
        self.members = [Member(self, u) for u in users]
        self.by_user = {m.user: m for m in self.members}
        self.call = f"c{secrets.token_hex(8)}"
        self.uri, self.signal, self.gone = "", after.signal if after else None, False
        if after:
            self.signal.room = self
        self.legs = {}
        self.resumed = asyncio.Event()
        self.resumed.set()

    # --- signalling ---

    def sdp(self, member, setup):
        types = "message/cpim" if self.cpim else "text/plain"
        return (f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
                f"a=accept-types:{types}\r\na=accept-wrapped-types:*\r\na=setup:{setup}\r\na=path:{member.path}\r\n")

    def invited(self, fields, body):
        user = re.search(r"sip:([^@]+)@", header(fields, "to")).group(1)
        member = self.by_user[user]
        member.remote = re.search(r"a=path:(\S+)", body).group(1)
        tag = f"t{user}"
        routes = [v for n, v in fields if n == "Record-Route"]
        target = re.search(r"<([^>]+)>", header(fields, "contact")).group(1)
        member.dialog = (header(fields, "call-id"), target, header(fields, "from"), routes, tag)
        self.legs[(header(fields, "call-id"), tag)] = member
        self.signal.answer(fields, 200, [f"Contact: <{self.signal.contact(user)}>;{TAG}", "Content-Type: application/sdp"],
                           self.sdp(member, "active"), tag)

    def acknowledged(self, fields):
        member = self.legs.get((header(fields, "call-id"), re.search(r"tag=([^;]+)", header(fields, "to")).group(1)))
        if member:
            asyncio.get_running_loop().create_task(self.bind(member))

    async def bind(self, member):
        try:
            await member.connect()
        except (OSError, Failed, asyncio.TimeoutError):
            member.broken = True

    def byed(self, fields):
        tag = re.search(r"tag=([^;]+)", header(fields, "to"))
        member = self.legs.get((header(fields, "call-id"), tag.group(1) if tag else ""))
        if member:
            member.in_session = False
            member.reason = header(fields, "reason")
            member.over.set()
            if member.closes_s is not None:
                asyncio.get_running_loop().call_later(member.closes_s, member.close)

    async def open(self):
        loop = asyncio.get_running_loop()
        _, self.signal = await loop.create_connection(lambda: Signal(self), HOST, self.server.port)

    async def try_to_start(self):
        """(status, fields) of an INVITE alone."""
        await self.open()
        status, fields, _ = await self.invite()
        return status, fields

    async def start(self):
        if not self.signal:
            await self.open()
            for m in self.members:
                await self.signal.register(m.user)
        first = self.members[0]
        status, fields, body = await self.invite()
        if status != 200:
            raise Failed(f"the INVITE got {status}")
        self.uri = await self.entered(first, self.call, fields, body)
        for m in self.members:
            await asyncio.wait_for(m.bound.wait(), WAIT_S)
            m.in_session = True

    async def entered(self, member, call, fields, body):
        """The 200 to an INVITE of a member's; its Contact."""
        target = re.search(r"<([^>]+)>", header(fields, "contact")).group(1)
        routes = [v for n, v in reversed(fields) if n == "Record-Route"]
        member.remote = re.search(r"a=path:(\S+)", body).group(1)
        member.dialog = (call, target, header(fields, "to"), routes, "f")
        self.legs[(call, "f")] = member
        cseq = int(header(fields, "cseq").split()[0])
        self.signal.send("ACK", target, member.user, call, [f"Route: {r}" for r in routes], to=header(fields, "to"), cseq=cseq)
        await self.bind(member)
        return target.split(";")[0]

    async def back(self, pauses):
        """The server was killed: all register, and join the conference by its URI, one after the other."""
        self.legs = {}
        for m in self.members:
            m.bound.clear()
        await self.open()
        for m in self.members:
            m.path, m.remote, m.parts = f"msrp://{HOST}:9/{secrets.token_hex(12)};tcp", "", {}
            await self.signal.register(m.user)
        for m, pause in zip(self.members, pauses):
            await asyncio.sleep(pause)
            call = f"b{secrets.token_hex(8)}"
            status, fields, body = await self.signal.ask(
                "INVITE", self.uri, m.user, call, [f"Accept-Contact: *;{TAG};require;explicit", "Content-Type: application/sdp"],
                self.sdp(m, "active"))
            if status != 200:
                raise Failed(f"{m.user} is back, and the conference says {status}")
            uri = await self.entered(m, call, fields, body)
            if uri != self.uri or not m.bound.is_set():
                raise Failed(f"{m.user} is back in {uri}, not in {self.uri}")

    async def invite(self):
        first, others = self.members[0], [f"sip:{m.user}@{DOMAIN}" for m in self.members[1:]]
        sdp = self.sdp(first, "active")
        extra = [f"Accept-Contact: *;{TAG};require;explicit", "Allow: INVITE, ACK, CANCEL, BYE"]
        if not self.cpim:
            return await self.signal.ask("INVITE", others[0], first.user, self.call,
                                         extra + ["Content-Type: application/sdp"], sdp)
        entries = "".join(f'<entry uri="{uri}"/>' for uri in others)
        body = (f"--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\n"
                "Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
                '<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
                f"<list>{entries}</list></resource-lists>\r\n--b--\r\n")
        extra += ["Require: recipient-list-invite", "Content-Type: multipart/mixed;boundary=b"]
        return await self.signal.ask("INVITE", f"sip:conference-factory@{DOMAIN}", first.user, self.call, extra, body)

    async def leave(self, member):
        call, target, to, routes, tag = member.dialog
        member.in_session = False
        self.signal.cseq += 1
        return (await self.signal.ask("BYE", target, member.user, call, [f"Route: {r}" for r in routes], to=to, tag=tag))[0]

    # --- load ---

    def forget_line(self):
        """The server is dead: what it had acknowledged and not passed on, the break tells its sender."""
        self.gone = True
        for m in self.ledger.open():
            m.cut_off = m.cut_off or any(x.user in m.audience for x in self.members)

    async def talk(self, until, sizes=(160,), pause=0.0):
        """Everybody who is bound speaks in turn until that time."""
        turn = 0
        while time.monotonic() < until() and not self.gone:
            await self.resumed.wait()
            speakers = [m for m in self.members if m.in_session and m.bound.is_set()]
            if len(speakers) < 2:
                await asyncio.sleep(0.05)
                continue
            turn += 1
            await speakers[turn % len(speakers)].say(sizes[turn % len(sizes)])
            if pause:
                await asyncio.sleep(pause)

    async def chatter(self, member, sizes):
        """He speaks for as long as he is in, whatever the others do."""
        turn = 0
        while member.in_session and member.bound.is_set() and not member.hurt:
            turn += 1
            await member.say(sizes[turn % len(sizes)])

    async def hang_up_as(self, member):
        """He says BYE, and closes his line as soon as that is answered."""
        gone = {m.user for m in self.members if not m.in_session}
        self.ledger.leaves(member.user)
        status = await self.leave(member)
        self.ledger.left(member.user, gone | {m.user for m in self.members if m.hurt or m.was_hurt})
        member.over.set()
        member.close()
        return status

    async def end(self):
        """Everybody leaves; then the lines are closed."""
        for m in self.members:
            if m.in_session and self.signal and not self.signal.closed:
                try:
                    await self.leave(m)
                except Failed:
                    pass
        self.drop()

    def hang_up(self):
        """The lines alone; the SIP connection stays."""
        self.gone = True
        for m in self.members:
            if m.line and m.line.open:
                m.line.transport.abort()

    def drop(self):
        self.hang_up()
        if self.signal and not self.signal.closed:
            self.signal.transport.abort()


async def settled(ledger, seconds):
    """Waits until no message is open; how many are."""
    end = time.monotonic() + seconds
    while ledger.open() and time.monotonic() < end:
        await asyncio.sleep(0.1)
    return len(ledger.open())


class Lone(asyncio.DatagramProtocol):
    """A phone over UDP, which keeps its address when the server is gone."""

    def __init__(self, server, user):
        self.server, self.user, self.pages, self.waiting = server, user, [], {}

    async def open(self):
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, (HOST, 0))
        self.here = "%s:%d" % self.transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data, _):
        head, _, body = data.decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
        if lines[0].startswith("SIP/2.0"):
            future = self.waiting.get(header(fields, "cseq"))
            if future and not future.done() and not lines[0].startswith("SIP/2.0 1"):
                future.set_result((int(lines[0].split()[1]), fields))
            return
        if lines[0].startswith("MESSAGE"):
            self.pages.append(body)
        copied = [f"{n}: {v}" for n, v in fields if n in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")]
        self.send("\r\n".join(["SIP/2.0 200 OK", *copied, "Content-Length: 0", "", ""]))

    def send(self, text):
        self.transport.sendto(text.encode(), (HOST, self.server.port))

    async def ask(self, method, uri, extra=(), body="", to=None):
        """(status, fields); sent again until it is answered, as phones do over UDP."""
        number = next(serial)
        future = self.waiting[f"{number} {method}"] = asyncio.get_running_loop().create_future()
        text = "\r\n".join([f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP {self.here};branch=z9hG4bK{secrets.token_hex(8)};rport",
                            "Max-Forwards: 70", f"From: <sip:{self.user}@{DOMAIN}>;tag=l", f"To: <{to or uri}>",
                            f"Call-ID: lone-{self.user}-{number}", f"CSeq: {number} {method}",
                            f"Contact: <sip:{self.user}@{self.here}>;{TAG}",
                            f"P-Asserted-Identity: <sip:{self.user}@{DOMAIN}>", *extra,
                            f"Content-Length: {len(body)}", "", body])
        for wait in (0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4):
            self.send(text)
            done, _ = await asyncio.wait([future], timeout=wait)
            if done:
                return future.result()
        raise Failed(f"no answer to {method} of {self.user}")

    async def register(self):
        status, _ = await self.ask("REGISTER", f"sip:{DOMAIN}", ["Expires: 600"], to=f"sip:{self.user}@{DOMAIN}")
        if status != 200:
            raise Failed(f"REGISTER got {status}")

    async def page(self, user, text):
        return await self.page_uri(f"sip:{user}@{DOMAIN}", text)

    async def page_uri(self, uri, text):
        return (await self.ask("MESSAGE", uri, [f"Accept-Contact: *;{TAG};require;explicit", "Content-Type: text/plain"], text))[0]

    def close(self):
        self.transport.close()
