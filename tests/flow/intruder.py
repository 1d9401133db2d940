"""An adversary over bare sockets: what it sends is under its control to the byte, and it keeps all that comes."""

import hashlib
import itertools
import re
import select
import socket
import time

from stage import DOMAIN, Failed

IM = "Accept-Contact: *;+g.oma.sip-im;require;explicit\r\n"
SDP = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
       "a=accept-types:message/cpim text/plain\r\na=path:msrp://127.0.0.1:9/abc;tcp\r\na=setup:active\r\n")
SERIAL = itertools.count(1)


def fields(text, name):
    return re.findall(rf"^{name}[ \t]*:[ \t]*(.*?)\r?$", text, re.M | re.I)


def field(text, name):
    values = fields(text, name)
    return values[0] if values else None


def status(text):
    return int(text.split()[1]) if text and text.startswith("SIP/2.0") else None


def tag_of(value):
    return re.search(r"tag=([^;\s]+)", value).group(1)


class Peer:
    """A UDP socket that answers requests as a phone would, 200 to everything, and remembers."""

    def __init__(self, stage, user="eve", host="127.0.0.1"):
        at, port = stage.server.rsplit(":", 1)
        self.server = (at, int(port))
        self.user, self.password = user, stage.users.get(user)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.socket.bind((host, 0))
        self.host, self.at = host, f"{host}:{self.socket.getsockname()[1]}"
        self.uri = f"sip:{user}@{DOMAIN}"
        self.requests, self.answers = [], []
        self.in_answers = ""  # fields put into answers
        self.rings = False  # INVITEs are not answered beyond 180
        self.call_id = self.branch = None

    def close(self):
        self.socket.close()

    def build(self, method, uri, extra="", body="", *, sender=None, to=None, call_id=None, cseq=None, via=None, hops="70",
              contact=None, tag="t", branch=None, length=None, route="", kind=None):
        n = next(SERIAL)
        self.call_id = call_id or f"i{n}-{self.at}"
        self.branch = branch or f"z9hG4bKi{n}"
        via = f"Via: SIP/2.0/UDP {self.at};rport;branch={self.branch}\r\n" if via is None else via
        contact = f"<sip:{self.user}@{self.at}>" if contact is None else contact
        tag = "" if tag is None else f";tag={tag}"
        head = (f"{method} {uri} SIP/2.0\r\n{via}" + (f"Max-Forwards: {hops}\r\n" if hops is not None else "") + route +
                f"From: {sender or f'<{self.uri}>'}{tag}\r\nTo: {to or f'<{uri}>'}\r\nCall-ID: {self.call_id}\r\n"
                f"CSeq: {n if cseq is None else cseq} {method}\r\nContact: {contact}\r\n{extra}" +
                (f"Content-Type: {kind}\r\n" if kind else "") +
                f"Content-Length: {len(body.encode()) if length is None else length}\r\n\r\n{body}")
        return head.encode("utf-8", "surrogateescape")

    def send(self, data):
        self.socket.sendto(data if isinstance(data, bytes) else data.encode(), self.server)

    def _reply(self, text):
        method = text.split()[0]
        to = field(text, "To")
        if method == "ACK" or to is None:
            return
        line = "180 Ringing" if self.rings and method == "INVITE" else "200 OK"
        kept = "".join(h + "\r\n" for h in re.findall(r"^(?:Via|From|Call-ID|CSeq|Record-Route)[ \t]*:.*?(?=\r?$)", text,
                                                      re.M | re.I))
        body = SDP if method == "INVITE" and line.startswith("200") else ""
        self.send(f"SIP/2.0 {line}\r\n{kept}To: {to}{'' if 'tag=' in to else ';tag=of-' + self.user}\r\n"
                  f"Contact: <sip:{self.user}@{self.at}>\r\n{self.in_answers}" +
                  ("Content-Type: application/sdp\r\n" if body else "") + f"Content-Length: {len(body)}\r\n\r\n{body}")

    def pump(self, seconds=0.003):
        """Takes in what comes within that time, or what is there."""
        end = time.monotonic() + seconds
        while select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
            text = self.socket.recv(70000).decode("utf-8", "surrogateescape")
            if text.startswith("SIP/2.0"):
                self.answers.append(text)
            else:
                self.requests.append(text)
                self._reply(text)

    def forget(self):
        self.pump(0)
        self.requests.clear()
        self.answers.clear()

    def final(self, call_id, cseq, others=(), timeout=8):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for p in others:
                p.pump(0)
            self.pump()
            for a in self.answers:
                if field(a, "Call-ID") == call_id and field(a, "CSeq") == cseq and status(a) >= 200:
                    return a
        raise Failed(f"{self.user}: no answer to {cseq}")

    def once(self, method, uri, extra="", body="", others=(), **more):
        """One request and its final answer; a refused INVITE is acknowledged."""
        data = self.build(method, uri, extra, body, **more)
        cseq = field(data.decode("utf-8", "surrogateescape"), "CSeq")
        self.send(data)
        answer = self.final(self.call_id, cseq, others)
        if method == "INVITE" and status(answer) >= 300:
            self.send(self.build("ACK", uri, to=field(answer, "To"), call_id=self.call_id, cseq=cseq.split()[0],
                                 branch=self.branch, tag=more.get("tag", "t"), sender=more.get("sender")))
        return answer

    def credentials(self, challenge, method, uri, **other):
        """A digest answer, right unless told otherwise; user, password, realm, nonce, nc, qop, digest_uri, algorithm ..."""
        value = next(v for v in fields(challenge, "(?:Proxy|WWW)-Authenticate") if "MD5" in v)
        asked = dict((k.lower(), a or b) for k, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]*))', value))
        v = {"user": self.user, "password": self.password, "realm": asked["realm"], "nonce": asked["nonce"],
             "nc": "00000001", "qop": "auth", "digest_uri": uri, "algorithm": "MD5", "body": "", "name": None,
             "response": None, **other}

        def md5(s):
            return hashlib.md5(s.encode("utf-8", "surrogateescape")).hexdigest()

        first = md5(f"{v['user']}:{v['realm']}:{v['password']}")
        second = md5(f"{method}:{v['digest_uri']}" + (f":{md5(v['body'])}" if v["qop"] == "auth-int" else ""))
        middle = f"{v['nonce']}:{v['nc']}:c:{v['qop']}" if v["qop"] else v["nonce"]
        response = md5(f"{first}:{middle}:{second}") if v["response"] is None else v["response"]
        name = v["name"] or ("Proxy-Authorization" if status(challenge) == 407 else "Authorization")
        return (f'{name}: Digest username="{v["user"]}", realm="{v["realm"]}", nonce="{v["nonce"]}", '
                f'uri="{v["digest_uri"]}", response="{response}", algorithm={v["algorithm"]}' +
                (f', qop={v["qop"]}, nc={v["nc"]}, cnonce="c"' if v["qop"] else "") + "\r\n")

    def ask(self, method, uri, extra="", body="", others=(), **more):
        """With the password."""
        answer = self.once(method, uri, extra, body, others, **more)
        if status(answer) in (401, 407):
            answer = self.once(method, uri, self.credentials(answer, method, uri) + extra, body, others, **more)
        return answer

    def register(self, extra="", **more):
        more.setdefault("to", f"<{self.uri}>")
        return self.ask("REGISTER", f"sip:{DOMAIN}", extra, tag=f"r{next(SERIAL)}", **more)

    def call(self, callee, call_id=None):
        """A session with somebody's phone: what both sides and the wire know of it."""
        tag = f"of-{self.user}-{next(SERIAL)}"
        answer = self.ask("INVITE", callee.uri, IM, SDP, [callee], tag=tag, kind="application/sdp", call_id=call_id)
        if status(answer) != 200:
            raise Failed(f"{self.user} calls {callee.user}: {answer}")
        d = {"call_id": field(answer, "Call-ID"), "to": field(answer, "To"), "tag": tag,
             "contact": re.search(r"<([^>]*)>", field(answer, "Contact")).group(1),
             "cseq": int(field(answer, "CSeq").split()[0]),
             "route": "".join(f"Route: {r}\r\n" for r in reversed(fields(answer, "Record-Route")))}
        self.send(self.build("ACK", d["contact"], to=d["to"], tag=tag, call_id=d["call_id"], cseq=d["cseq"], route=d["route"]))
        callee.until(lambda: any(r.startswith("ACK ") for r in callee.requests), "the ACK of a call")
        return d

    def until(self, condition, what, others=(), timeout=8):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise Failed(f"{self.user}: {what} did not come")
            for p in (self, *others):
                p.pump()


__all__ = ["IM", "SDP", "Peer", "field", "fields", "status", "tag_of"]
