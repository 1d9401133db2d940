"""A stage with certificates: SIP by TLS beside the other transports, and MSRP by TLS where it is wanted."""

import os
import signal
import subprocess
import time

from stage import BIN, DOMAIN, WAIT_S, Client, Failed, Stage, expect, free_ports, read_trace


def ctl(*words):
    subprocess.run([os.path.join(BIN, "confabctl"), *words], check=True, capture_output=True)


class TlsStage(Stage):
    """A server that listens for SIP by TLS on a port of its own, and its certificates. authority: the directory of a
    CA that is there already, where own is the name of this server's certificate."""

    def __init__(self, names=(DOMAIN, "127.0.0.1"), days=None, settings=(), msrp=False, authority=None, own="server",
                 tls_port=None, **options):
        self.tls_port = tls_port or free_ports(1)
        self.msrp_tls_port = free_ports(2)
        self.names, self.days, self.msrp = names, days, msrp
        self.more, self.authority, self.own = settings, authority, own
        self.certificates = None
        super().__init__(**options)

    def start(self):
        if not self.certificates:
            self.certificates = self.authority or os.path.join(self.dir, "tls")
            words = ["tls", "issue", self.certificates, self.own] if self.authority else ["tls", "init", self.certificates]
            ctl(*([f"--days={self.days}"] if self.days is not None else []), *words, *self.names)
            with open(self.config, encoding="utf-8") as f:
                lines = f.read().splitlines()
            lines = [line + f", tls:{self.host}:{self.tls_port}" if line.startswith("sip.listen") else line
                     for line in lines]
            lines += [f"tls.certificate = {self.pem(self.own)}", f"tls.key = {self.key(self.own)}",
                      f"tls.ca = {self.pem('ca')}", *self.more]
            if self.msrp:
                lines += ["msrp.tls = yes", f"msrp.tls_port = {self.msrp_tls_port}"]
            with open(self.config, "w", encoding="utf-8") as f:
                f.write("\n".join(lines) + "\n")
        super().start()

    def log_text(self):
        with open(os.path.join(self.dir, "server.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def logged(self, words):
        """Waits until the log says it."""
        end = time.monotonic() + WAIT_S
        while words not in self.log_text():
            if time.monotonic() > end or self.process.poll() is not None:
                raise Failed(f"the log says nothing of {words}: {self.log_text()[-1500:]}")
            time.sleep(0.02)

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


def hang_up(stage, words):
    """SIGHUP, and what the log says of it."""
    path = os.path.join(stage.dir, "server.log")
    before = os.path.getsize(path)
    stage.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 20
    while True:
        with open(path, encoding="utf-8") as f:
            f.seek(before)
            text = f.read()
        if words in text:
            return
        if time.monotonic() > end or stage.process.poll() is not None:
            raise Failed(f"the log says nothing of {words}: {text}")
        time.sleep(0.02)


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


__all__ = ["TlsStage", "ctl", "hang_up", "talk", "transports"]
