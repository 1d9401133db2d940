"""A phone that is bytes over UDP: for what other clients put on the wire, and ours does not."""

import hashlib
import re
import socket
import time

from stage import DOMAIN, Failed


def field(text, name):
    m = re.search(rf"^{name}:[ \t]*(.*?)\r?$", text, re.M | re.I)
    return m.group(1) if m else None


class RawPhone:
    def __init__(self, stage, user):
        self.user, self.password = user, stage.password(user)
        self.uri = f"sip:{user}@{DOMAIN}"
        host, port = stage.server.rsplit(":", 1)
        self.server = (host, int(port))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.at = f"{host}:{self.socket.getsockname()[1]}"
        self.contact = f"<sip:{user}@{self.at}>"
        self.serial = 0
        self.came = []  # requests of the server, answered 200 already

    def close(self):
        self.socket.close()

    def _receive(self, end):
        self.socket.settimeout(max(0.01, end - time.monotonic()))
        try:
            return self.socket.recv(65536).decode("utf-8", "replace")
        except socket.timeout:
            return None

    def _take(self, text):
        """A request: kept, and answered 200."""
        if text.startswith("ACK "):
            return
        if not any(field(t, "CSeq") == field(text, "CSeq") and field(t, "Call-ID") == field(text, "Call-ID")
                   for t in self.came):
            self.came.append(text)
        heads = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):.*?\r$", text, re.M | re.I)
        answer = "SIP/2.0 200 OK\r\n" + "".join(h + "\n" for h in heads) + "Content-Length: 0\r\n\r\n"
        self.socket.sendto(answer.encode(), self.server)

    def _credentials(self, challenge, method, uri, nc="00000001"):
        value = field(challenge, "Proxy-Authenticate") or field(challenge, "WWW-Authenticate")
        for value in re.findall(r"^(?:Proxy|WWW)-Authenticate:[ \t]*(.*?)\r?$", challenge, re.M | re.I):
            if "MD5" in value:
                break
        p = dict(re.findall(r'(\w+)="?([^",]*)"?', value))

        def md5(s):
            return hashlib.md5(s.encode()).hexdigest()

        ha1, ha2 = md5(f"{self.user}:{p['realm']}:{self.password}"), md5(f"{method}:{uri}")
        response = md5(f"{ha1}:{p['nonce']}:{nc}:c:auth:{ha2}")
        name = "Proxy-Authorization" if challenge.startswith("SIP/2.0 407") else "Authorization"
        return (f'{name}: Digest username="{self.user}", realm="{p["realm"]}", nonce="{p["nonce"]}", uri="{uri}", '
                f'response="{response}", algorithm=MD5, qop=auth, nc={nc}, cnonce="c"\r\n')

    def send(self, method, uri, lines="", body="", *, to=None, call_id=None, cseq=None, tag=None):
        """One request, no waiting."""
        self.serial += 1
        call_id = call_id or f"raw-{self.at}-{self.serial}"
        text = (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.at};rport;branch=z9hG4bK{self.serial}\r\n"
                f"Max-Forwards: 70\r\nFrom: <{self.uri}>;tag={tag or 't'}\r\nTo: {to or f'<{uri}>'}\r\n"
                f"Call-ID: {call_id}\r\nCSeq: {cseq or self.serial} {method}\r\nContact: {self.contact}\r\n{lines}"
                f"Content-Length: {len(body.encode())}\r\n\r\n{body}")
        self.socket.sendto(text.encode(), self.server)
        return call_id

    def ask(self, method, uri, lines="", body="", timeout=8, **more):
        """The final answer, a challenge answered on the way."""
        credentials = ""
        for _ in range(2):
            call_id = self.send(method, uri, credentials + lines, body, **more)
            end = time.monotonic() + timeout
            while True:
                text = self._receive(end)
                if text is None:
                    raise Failed(f"{self.user}: no answer to {method}")
                if not text.startswith("SIP/2.0"):
                    self._take(text)
                elif field(text, "Call-ID") == call_id and not text.startswith("SIP/2.0 1"):
                    break
            if not text.startswith(("SIP/2.0 401", "SIP/2.0 407")) or credentials:
                return text
            if method == "INVITE":
                self.acknowledge(text, uri)
            credentials = self._credentials(text, method, uri)
        return text

    def acknowledge(self, answer, uri):
        self.send("ACK", uri, to=field(answer, "To"), call_id=field(answer, "Call-ID"),
                  cseq=int(field(answer, "CSeq").split()[0]))

    def wait(self, begins, where=lambda t: True, timeout=8):
        """The next request of the server that begins so."""
        end = time.monotonic() + timeout
        while True:
            for i, text in enumerate(self.came):
                if text.startswith(begins) and where(text):
                    return self.came.pop(i)
            text = self._receive(end)
            if text is None:
                raise Failed(f"{self.user}: no {begins} came; {[t.split(chr(13))[0] for t in self.came]}")
            if not text.startswith("SIP/2.0"):
                self._take(text)
