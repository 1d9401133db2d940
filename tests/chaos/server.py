"""A confabd of our own, that can be killed, starved and started again."""

import asyncio
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile

DOMAIN = "example.com"
HOST = "127.0.0.1"
STRANGER = "127.0.0.66"     # an address that the server does not trust


class Failed(Exception):
    """A condition did not come true."""


def free_ports(n):
    """n consecutive ports, below those that outgoing connections get."""
    for _ in range(200):
        base, held = random.randrange(10000, 32000 - n), []
        try:
            for i in range(n):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    held.append(socket.socket(socket.AF_INET, kind))
                    held[-1].bind((HOST, base + i))
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise Failed("no free ports")


class Server:
    """Phones of this machine are trusted, so that no load is spent on digests; strangers are not."""

    def __init__(self, binaries, users, settings=(), b2bua=(), directory=None):
        self.binaries = binaries
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="confab-chaos-")
        self.port = free_ports(3)
        self.msrp_port = self.port + 1
        self.store = os.path.join(self.directory, "users.db")
        self.log = os.path.join(self.directory, "server.log")
        self.errors = os.path.join(self.directory, "server.err")
        self.config = os.path.join(self.directory, "confabd.conf")
        self.process = None
        self._users(users, b2bua)
        self.settings = [f"sip.listen = udp:{HOST}:{self.port}, tcp:{HOST}:{self.port}", f"sip.domain = {DOMAIN}",
                         f"sip.trusted = {HOST}", f"msrp.listen = {HOST}", f"msrp.port = {self.msrp_port}",
                         "msrp.threads = 2", f"store.path = {self.store}", f"log.file = {self.log}", *settings]

    def _users(self, users, b2bua):
        """One by confabctl, the others copies of its row: making thousands one by one would take minutes."""
        if not users:
            return
        subprocess.run([os.path.join(self.binaries, "confabctl"), "--store", self.store, "user", "add",
                        f"sip:{users[0]}@{DOMAIN}", "--password", "secret"], check=True, capture_output=True)
        with sqlite3.connect(self.store) as db:
            row = db.execute("SELECT * FROM user").fetchone()
            db.executemany(f"INSERT INTO user VALUES ({','.join('?' * len(row))})", [(u,) + row[1:] for u in users[1:]])
            db.executemany("UPDATE user SET mode = 2 WHERE name = ?", [(u,) for u in b2bua])
        db.close()

    async def start(self, limits=()):
        """limits: (resource.RLIMIT_…, value) of the process."""
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("\n".join(self.settings) + "\n")

        def confine():
            for what, value in limits:
                resource.setrlimit(what, (value, resource.getrlimit(what)[1] if what == resource.RLIMIT_FSIZE else value))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)   # Python has it ignored

        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen([os.path.join(self.binaries, "confabd"), "--config", self.config],
                                            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, preexec_fn=confine)
        for _ in range(1000):
            # A keep-alive (RFC 5626 section 4.4.1) is answered by the loop, when everything else has been opened.
            with socket.socket() as s:
                s.settimeout(10)
                if s.connect_ex((HOST, self.port)) == 0:
                    s.sendall(b"\r\n\r\n")
                    if s.recv(2) == b"\r\n":
                        return
            if self.process.poll() is not None:
                break
            await asyncio.sleep(0.02)
        raise Failed(f"the server does not start: {self.words()}")

    def words(self, n=2000):
        text = ""
        for name in (self.errors, self.log):
            if os.path.exists(name):
                with open(name, encoding="utf-8", errors="replace") as f:
                    text += f.read()[-n:]
        return text

    def logged(self, text):
        """How many lines of the log hold this."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return sum(1 for line in f if text in line)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self):
        """Bytes in memory that are the process's own."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:")) * 1024

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def sip_cpu(self):
        """Seconds of CPU of the SIP thread, which is the first one."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e9

    def signal(self, number):
        self.process.send_signal(number)

    async def ended(self, seconds):
        """Its exit status; None: it still runs."""
        for _ in range(int(seconds / 0.02) + 1):
            if self.process.poll() is not None:
                return self.process.returncode
            await asyncio.sleep(0.02)
        return None

    async def kill(self):
        self.signal(signal.SIGKILL)
        await self.ended(10)

    async def close(self):
        """Ends it in good order; what was wrong with that, or an empty text."""
        bad = ""
        if self.alive():
            self.signal(signal.SIGTERM)
            if await self.ended(0.5) is None:
                self.signal(signal.SIGTERM)
            if await self.ended(15) is None:
                self.signal(signal.SIGKILL)
                self.process.wait()
            if self.process.returncode != 0:
                bad = f"the server ended with {self.process.returncode}: {self.words()}"
        if self.own_directory and not os.environ.get("CONFAB_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
        return bad
