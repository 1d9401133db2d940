"""The stage for flow tests and the demo: a real confabd, real clients, over real sockets.

Everything listens on loopback, on ports the kernel chooses or that were free a moment ago. Each process is
waited for by what it says, never by time alone, and ended by its pid.
"""

import json
import os
import queue
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

BIN = os.environ.get("CONFAB_BIN", "build/dev/bin")
DOMAIN = "example.com"
WAIT_S = float(os.environ.get("CONFAB_WAIT", "20"))


class Failed(Exception):
    """A condition did not come true."""


GIVEN = set()


def free_ports(n, host="127.0.0.1"):
    """n consecutive ports that are free for UDP and TCP, and that nobody here was given yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        held = []
        # Below what the kernel gives to outgoing connections, which would come in between.
        base = random.randrange(10000, 32000 - n)
        wanted = set(range(base, base + n))
        if wanted & GIVEN:
            continue
        try:
            for i in range(n):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    s = socket.socket(family, kind)
                    held.append(s)
                    s.bind((host, base + i))
            GIVEN.update(wanted)
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise Failed("no free ports")


class Client:
    """One `confab --json`, its events in order."""

    def __init__(self, stage, name, *, auto_accept=True, transport="tcp", host=None, extra=(), password=None,
                 within=()):
        """within: the command that runs it in a network of its own, where it finds its address itself."""
        self.name = name
        self.uri = f"sip:{name}@{stage.domain}"
        self.events = []
        self.calls = 0
        self.arrived = queue.Queue()
        self.trace = os.path.join(stage.dir, f"{name}.trace")
        server = stage.server
        args = [*within, os.path.join(BIN, "confab"), "--user", self.uri, "--password", password or stage.password(name),
                "--server", server, "--transport", transport, "--display", name.capitalize(), "--json",
                "--trace", self.trace]
        if not within:
            args += ["--listen", host or stage.host]
        if auto_accept:
            args.append("--auto-accept")
        args += list(extra)
        self.errors = open(os.path.join(stage.dir, f"{name}.err"), "a+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, encoding="utf-8", bufsize=1)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "garbage", "line": line}
            self.arrived.put(event)
        self.arrived.put(None)

    def pump(self, timeout):
        """Takes events in until one came or the time is over. False: nothing came."""
        try:
            event = self.arrived.get(timeout=max(0, timeout))
        except queue.Empty:
            return False
        if event is None:
            self.arrived.put(None)
            return False
        self.events.append(event)
        while True:
            try:
                event = self.arrived.get_nowait()
            except queue.Empty:
                return True
            if event is None:
                self.arrived.put(None)
                return True
            self.events.append(event)

    def send(self, **command):
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, OSError) as problem:
            raise Failed(f"{self.name} is gone: {problem}; {self.last_words()}") from problem

    def last_words(self):
        self.errors.flush()
        self.errors.seek(0)
        return self.errors.read()[-2000:]

    def find(self, kind, since=0, where=None, **fields):
        for i in range(since, len(self.events)):
            e = self.events[i]
            if e.get("event") == kind and all(e.get(k) == v for k, v in fields.items()) and (not where or where(e)):
                return i
        return -1

    def wait(self, kind, since=0, timeout=None, where=None, **fields):
        """The first such event, waiting for it."""
        end = time.monotonic() + (timeout or WAIT_S)
        while True:
            i = self.find(kind, since, where, **fields)
            if i >= 0:
                return self.events[i]
            left = end - time.monotonic()
            if left <= 0 or (not self.pump(left) and self.process.poll() is not None and self.arrived.empty()):
                tail = [dict(e, t=0) for e in self.events[-12:]]
                raise Failed(f"{self.name}: no event {kind} {fields}; last: {tail} {self.last_words()}")

    def until(self, condition, what, timeout=None):
        end = time.monotonic() + (timeout or WAIT_S)
        while not condition(self):
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(f"{self.name}: {what} did not come; last: {self.events[-6:]} {self.last_words()}")
            self.pump(min(left, 0.2))

    def messages(self, conversation=None):
        return [e for e in self.events if e.get("event") == "message"
                and (conversation is None or e["conversation"] == conversation)]

    def texts(self):
        return [e["text"] for e in self.messages()]

    def chat(self, *uris):
        """Begins a conversation; its number."""
        self.calls += 1
        tag = f"chat-{self.calls}"
        self.send(cmd="chat", to=list(uris), tag=tag)
        return self.wait("calling", tag=tag)["conversation"]

    def quit(self, timeout=5):
        if self.process.poll() is None:
            try:
                self.send(cmd="quit")
            except Failed:
                pass
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(2)
        while self.pump(0):
            pass
        return self.process.returncode


class Stage:
    """A server with users, and clients that come and go."""

    def __init__(self, users=("ann", "bo", "charles"), host="127.0.0.1", settings=(), trace=True, threads=2,
                 asan_clean=True, domain=DOMAIN, sip_port=None, log_level="info", environment=None):
        self.dir = tempfile.mkdtemp(prefix="confab-")
        self.host = host
        self.domain = domain
        self.environment = environment or {}  # of the server
        self.users = {u: f"pw-{u}" for u in users}
        self.clients = []
        self.phones = []  # of phone.py
        self.asan_clean = asan_clean
        self.store = os.path.join(self.dir, "users.db")
        for user, password in self.users.items():
            subprocess.run([os.path.join(BIN, "confabctl"), "--store", self.store, "user", "add",
                            f"sip:{user}@{domain}", "--password", password], check=True, capture_output=True)
        self.sip_port = sip_port or free_ports(1, host)
        self.msrp_port = free_ports(threads, host)
        at = f"[{host}]" if ":" in host else host
        self.server = f"{at}:{self.sip_port}"
        self.trace = os.path.join(self.dir, "server.trace")
        lines = [f"sip.listen = udp:{self.server}, tcp:{self.server}", f"sip.domain = {domain}",
                 f"msrp.listen = {host}", f"msrp.port = {self.msrp_port}", f"msrp.threads = {threads}",
                 f"store.path = {self.store}", f"log.level = {log_level}",
                 "overload.limit = 100",  # how busy the machine is with other tests is none of its business
                 f"log.file = {os.path.join(self.dir, 'server.log')}"]
        if trace:
            lines += [f"trace.file = {self.trace}", "trace.bodies = yes"]
        lines += list(settings)
        self.config = os.path.join(self.dir, "confabd.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        self.errors = open(os.path.join(self.dir, "server.err"), "a+", encoding="utf-8", errors="replace")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([os.path.join(BIN, "confabd"), "--config", self.config],
                                        stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors,
                                        env={**os.environ, **self.environment})
        end = time.monotonic() + WAIT_S
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        while True:
            with socket.socket(family, socket.SOCK_STREAM) as s:
                s.settimeout(1)
                if s.connect_ex((self.host, self.sip_port)) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed(f"confabd does not start: {self.last_words()}")
            time.sleep(0.02)

    def conferences_kept(self):
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM conference WHERE ended = 0").fetchone()[0]

    def wait_until_kept(self, n):
        """So many conferences are in the store: what has changed is written within a tenth of a second."""
        end = time.monotonic() + WAIT_S
        while n and self.conferences_kept() != n:
            expect(time.monotonic() < end, f"{self.conferences_kept()} conferences in the store, not {n}")
            time.sleep(0.02)
        expect(self.conferences_kept() == n, "what is in the store")

    def last_words(self):
        self.errors.flush()
        self.errors.seek(0)
        text = self.errors.read()[-3000:]
        log = os.path.join(self.dir, "server.log")
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as f:
                text += f.read()[-3000:]
        return text

    def password(self, name):
        return self.users[name]

    def client(self, name, **options):
        c = Client(self, name, **options)
        self.clients.append(c)
        c.wait("registered")
        return c

    def stop(self):
        """Ends everything; what went wrong with a process on the way is a list of texts."""
        bad = []
        for c in self.clients:
            if c.process.poll() is None:
                c.quit()
            if c.process.returncode != 0:
                bad.append(f"{c.name} ended with {c.process.returncode}: {c.last_words()}")
        self.clients = []
        for p in self.phones:
            p.close()
        self.phones = []
        if self.process and self.process.poll() is None:
            self._terminate()
        if self.process and self.process.returncode != 0:
            bad.append(f"confabd ended with {self.process.returncode}: {self.last_words()}")
        return bad

    def _terminate(self):
        """The second signal ends it at once, whoever is still there."""
        for seconds in (0.3, 10):
            self.process.terminate()
            try:
                self.process.wait(seconds)
                return
            except subprocess.TimeoutExpired:
                continue
        self.process.kill()
        self.process.wait()

    def close(self, keep=False):
        bad = self.stop()
        self.errors.close()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        return bad

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        keep = bool(os.environ.get("CONFAB_KEEP"))
        if kind and keep:
            print(f"note left in {self.dir}", flush=True)
        bad = self.close(keep)
        if bad and kind is None:
            raise Failed("; ".join(bad))


def read_trace(path):
    """The messages of a trace, bytes restored."""
    if not os.path.exists(path):
        return []
    out = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.strip():
                continue
            m = json.loads(line)
            m["bytes"] = m["bytes"].encode("latin-1", errors="replace")
            out.append(m)
    return out


class Cases:
    """Runs cases and prints one line for each, in the form tests/check.py reads."""

    def __init__(self):
        self.failed = 0

    def run(self, name, ids, function, *args):
        begin = time.monotonic()
        try:
            function(*args)
        except (Failed, AssertionError, KeyError, subprocess.CalledProcessError) as problem:
            self.failed += 1
            text = " ".join(str(problem).split())[:1500]
            print(f"not ok {name} [{' '.join(ids)}] - {type(problem).__name__}: {text}", flush=True)
            return False
        print(f"ok {name} [{' '.join(ids)}] # {time.monotonic() - begin:.1f} s", flush=True)
        return True

    def done(self):
        sys.exit(1 if self.failed else 0)


def expect(condition, text):
    if not condition:
        raise Failed(text)


__all__ = ["BIN", "DOMAIN", "Cases", "Client", "Failed", "Stage", "expect", "free_ports", "read_trace"]
