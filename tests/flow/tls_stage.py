"""A stage with certificates: SIP by TLS beside the other transports, and MSRP by TLS where it is wanted."""

import os
import subprocess

from stage import BIN, DOMAIN, Client, Stage, expect, free_ports, read_trace


def ctl(*words):
    subprocess.run([os.path.join(BIN, "confabctl"), *words], check=True, capture_output=True)


class TlsStage(Stage):
    """A server that listens for SIP by TLS on the port before the others', and its certificates."""

    def __init__(self, names=(DOMAIN, "127.0.0.1"), days=None, settings=(), msrp=False, **options):
        self.tls_port = free_ports(1)
        self.msrp_tls_port = free_ports(2)
        self.names, self.days, self.msrp = names, days, msrp
        self.more = settings
        super().__init__(**options)

    def start(self):
        self.certificates = os.path.join(self.dir, "tls")
        if not os.path.exists(self.certificates):
            ctl(*([f"--days={self.days}"] if self.days is not None else []), "tls", "init", self.certificates,
                *self.names)
            with open(self.config, encoding="utf-8") as f:
                lines = f.read().splitlines()
            lines = [line + f", tls:{self.host}:{self.tls_port}" if line.startswith("sip.listen") else line
                     for line in lines]
            lines += [f"tls.certificate = {self.pem('server')}", f"tls.key = {self.key('server')}",
                      f"tls.ca = {self.pem('ca')}", *self.more]
            if self.msrp:
                lines += ["msrp.tls = yes", f"msrp.tls_port = {self.msrp_tls_port}"]
            with open(self.config, "w", encoding="utf-8") as f:
                f.write("\n".join(lines) + "\n")
        super().start()

    def pem(self, name):
        return os.path.join(self.certificates, name + ".pem")

    def key(self, name):
        return os.path.join(self.certificates, name + ".key")

    def by_tls(self, name, *extra, ca=None, server=None, wait=True, **options):
        """A client that comes by TLS."""
        extra = ["--server", server or f"{self.host}:{self.tls_port}", "--ca", ca or self.pem("ca"), *extra]
        c = Client(self, name, transport="tls", extra=extra, **options)
        self.clients.append(c)
        if wait:
            c.wait("registered")
        return c


def talk(a, chat_a, b, chat_b, n=10):
    for i in range(n):
        a.send(cmd="send", conversation=chat_a, text=f"{a.name} {i}")
        b.send(cmd="send", conversation=chat_b, text=f"{b.name} {i}")
    for x, y in ((a, b), (b, a)):
        want = [f"{x.name} {i}" for i in range(n)]
        y.until(lambda c, w=want: sum(t in w for t in c.texts()) >= n, f"messages of {x.name}")
        expect([t for t in y.texts() if t in want] == want, f"{y.name} got {y.texts()}")


def transports(trace, protocol):
    return {m["transport"] for m in read_trace(trace) if m["proto"] == protocol}


__all__ = ["TlsStage", "ctl", "talk", "transports"]
