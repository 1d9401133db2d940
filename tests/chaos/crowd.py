"""Many short conferences at a given rate, whatever becomes of them: what an overload is made of."""

import asyncio
import re
import secrets
import time

from room import TAG, Signal, header
from server import DOMAIN, HOST, Failed

WARM_S, IN_FLIGHT_MAX = 2, 400

SDP = (f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
       "a=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\na=setup:active\r\na=path:msrp://%s:9/%s;tcp\r\n")


class Crowd:
    """Its two users call the factory for one another; nobody of them speaks."""

    def __init__(self, server, users):
        self.server, self.users = server, users
        self.done = self.refused = self.failed = self.without_retry_after = 0
        self.waits = []

    async def open(self):
        _, self.signal = await asyncio.get_running_loop().create_connection(lambda: Signal(self), HOST, self.server.port)
        for user in self.users:
            await self.signal.register(user)

    # --- what Signal tells ---

    def invited(self, fields, _):
        user = re.search(r"sip:([^@]+)@", header(fields, "to")).group(1)
        self.signal.answer(fields, 200, [f"Contact: <{self.signal.contact(user)}>;{TAG}", "Content-Type: application/sdp"],
                           SDP % (HOST, secrets.token_hex(8)))

    def acknowledged(self, fields):
        pass

    def byed(self, fields):
        pass

    # --- load ---

    async def one(self):
        """A conference from INVITE to BYE."""
        call, began = secrets.token_hex(10), time.monotonic()
        body = ("--b\r\nContent-Type: application/sdp\r\n\r\n" + SDP % (HOST, secrets.token_hex(8)) +
                "\r\n--b\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
                '<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
                f'<list><entry uri="sip:{self.users[1]}@{DOMAIN}"/></list></resource-lists>\r\n--b--\r\n')
        factory = f"sip:conference-factory@{DOMAIN}"
        try:
            status, fields, _ = await self.signal.ask(
                "INVITE", factory, self.users[0], call,
                [f"Accept-Contact: *;{TAG};require;explicit", "Allow: INVITE, ACK, CANCEL, BYE",
                 "Require: recipient-list-invite", "Content-Type: multipart/mixed;boundary=b"], body)
            cseq = int(header(fields, "cseq").split()[0])
            if status != 200:
                self.signal.send("ACK", factory, self.users[0], call, to=header(fields, "to"), cseq=cseq)
                self.refused += status == 503
                self.failed += status != 503
                self.without_retry_after += status == 503 and not header(fields, "retry-after").isdigit()
                return
            target = re.search(r"<([^>]+)>", header(fields, "contact")).group(1)
            routes = [f"Route: {v}" for n, v in reversed(fields) if n == "Record-Route"]
            self.signal.send("ACK", target, self.users[0], call, routes, to=header(fields, "to"), cseq=cseq)
            self.waits.append(time.monotonic() - began)
            status, _, _ = await self.signal.ask("BYE", target, self.users[0], call, routes, to=header(fields, "to"))
            self.done += status == 200
            self.failed += status != 200
        except Failed:
            self.failed += 1

    async def press(self, rate, seconds):
        """(finished, refused) per second, under so many new ones a second, once that has lasted a while."""
        tasks, began, started, counted, before = set(), time.monotonic(), 0, 0, (0, 0)
        while time.monotonic() - began < WARM_S + seconds:
            if not counted and time.monotonic() - began >= WARM_S:
                counted, before = time.monotonic(), (self.done, self.refused)
            due = int((time.monotonic() - began) * rate)
            for _ in range(started, due):
                if len(tasks) >= IN_FLIGHT_MAX:     # it is we who cannot keep up
                    break
                task = asyncio.get_running_loop().create_task(self.one())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            started = due
            await asyncio.sleep(0.005)
        passed = time.monotonic() - counted
        result = (self.done - before[0]) / passed, (self.refused - before[1]) / passed
        if tasks:
            await asyncio.wait(set(tasks), timeout=40)
        return result

    def close(self):
        self.signal.transport.abort()
