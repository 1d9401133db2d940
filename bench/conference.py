"""A conference on a real confabd, its members played by a few lines of SIP over one TCP connection."""
import re
import socket

TAG = "+g.oma.sip-im"


def path_of(sdp):
    return re.search(r"a=path:(\S+)", sdp).group(1)


def address_of(path):
    return re.match(r"msrps?://([^/]+)/", path).group(1)


class Phones:
    """Members m1 ... mN and their creator m0. start() returns where each speaks MSRP: (address, To-Path, From-Path)."""

    def __init__(self, port, n, name="m", call=None, tls=False):
        """tls: MSRP over TLS."""
        self.port, self.n, self.name, self.call, self.tls = port, n, name, call or name, tls
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.sock.settimeout(60)
        self.here = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.buffer, self.paths, self.cseq = b"", {}, 0

    def close(self):
        self.sock.close()

    def user(self, i):
        return "%s%d" % (self.name, i)

    def contact(self, i):
        return "<sip:%s@%s;transport=tcp>;%s" % (self.user(i), self.here, TAG)

    def own_path(self, i):
        return "%s://127.0.0.1:9/%s-session-of-a-phone;tcp" % ("msrps" if self.tls else "msrp", self.user(i))

    def sdp(self, i, setup):
        return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 %s *\r\n"
                "a=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\na=setup:%s\r\na=path:%s\r\n"
                % ("TCP/TLS/MSRP" if self.tls else "TCP/MSRP", setup, self.own_path(i)))

    def send(self, first, fields, body=""):
        text = "\r\n".join([first] + fields + ["Content-Length: %d" % len(body.encode()), "", body])
        self.sock.sendall(text.encode())

    def request(self, method, uri, i, call, fields, body="", to=None):
        self.cseq += 1
        self.send("%s %s SIP/2.0" % (method, uri),
                  ["Via: SIP/2.0/TCP %s;branch=z9hG4bK%s%d;rport" % (self.here, call, self.cseq), "Max-Forwards: 70",
                   "From: <sip:%s@example.com>;tag=%s" % (self.user(i), call), "To: %s" % (to or "<%s>" % uri),
                   "Call-ID: %s" % call, "CSeq: %d %s" % (self.cseq if method != "ACK" else 1, method),
                   "Contact: " + self.contact(i)] + fields, body)

    def take(self):
        """A whole message that was read already, or None: (first line, [(name, value)], body)."""
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return None
        n = int(re.search(rb"(?im)^Content-Length: *(\d+)", head).group(1))
        if len(rest) < n:
            return None
        self.buffer = rest[n:]
        lines = head.decode().split("\r\n")
        return lines[0], [line.split(": ", 1) for line in lines[1:]], rest[:n].decode()

    def read(self):
        more = self.sock.recv(1 << 20)
        if not more:
            raise RuntimeError("the server closed the SIP connection")
        self.buffer += more

    def receive(self):
        while True:
            message = self.take()
            if message:
                return message
            self.read()

    def register(self):
        for i in range(self.n + 1):
            self.request("REGISTER", "sip:example.com", i, "r%s%s" % (self.call, self.user(i)), ["Expires: 3600"],
                         to="<sip:%s@example.com>" % self.user(i))
        left = self.n + 1
        while left:
            first, _, _ = self.receive()
            if not first.startswith("SIP/2.0 200"):
                raise RuntimeError("registering: " + first)
            left -= 1

    def answer_invite(self, fields, body):
        to = next(v for n, v in fields if n == "To")
        i = int(re.search(r"sip:%s(\d+)@" % self.name, to).group(1))
        copied = ["%s: %s" % (n, v + (";tag=t%d" % i if n == "To" else ""))
                  for n, v in fields if n in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")]
        self.paths[i] = path_of(body)
        self.send("SIP/2.0 200 OK", copied + ["Contact: " + self.contact(i), "Content-Type: application/sdp"],
                  self.sdp(i, "active"))
        return i

    def invite_factory(self, i, call, entries):
        body = ('--b\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n'
                'Content-Disposition: recipient-list\r\n\r\n<?xml version="1.0" encoding="UTF-8"?>'
                '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>%s</list></resource-lists>\r\n--b--\r\n'
                % (self.sdp(i, "active"), "".join('<entry uri="%s"/>' % uri for uri in entries)))
        self.cseq = 0
        self.request("INVITE", "sip:conference-factory@example.com", i, call,
                     ["Require: recipient-list-invite", "Accept-Contact: *;%s;require;explicit" % TAG,
                      "P-Asserted-Identity: <sip:%s@example.com>" % self.user(i),
                      "Allow: INVITE, ACK, CANCEL, BYE", "Content-Type: multipart/mixed;boundary=b"], body)

    def acknowledge(self, i, call, fields):
        """ACKs the 200 of the factory; returns the conference's URI."""
        header = dict(reversed(fields))
        contact = re.search(r"<([^>]+)>", header["Contact"]).group(1)
        self.request("ACK", contact, i, call, ["Route: " + v for n, v in reversed(fields) if n == "Record-Route"],
                     to=header["To"])
        return contact.split(";")[0]

    def start(self):
        call, acknowledged = "conf" + self.call, 0
        self.register()
        self.invite_factory(0, call, ["sip:%s@example.com" % self.user(i) for i in range(1, self.n + 1)])
        while len(self.paths) < self.n + 1 or acknowledged < self.n:
            first, fields, body = self.receive()
            if first.startswith("INVITE "):
                self.answer_invite(fields, body)
            elif first.startswith("ACK "):
                acknowledged += 1
            elif first.startswith("SIP/2.0 2"):
                self.paths[0] = path_of(body)
                self.uri = self.acknowledge(0, call, fields)
            elif not first.startswith("SIP/2.0 1"):
                raise RuntimeError("the conference: " + first)
        return self.places()

    def places(self):
        return [(address_of(self.paths[i]), self.paths[i], self.own_path(i)) for i in range(self.n + 1)]
