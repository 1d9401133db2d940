"""The servers under test: starting and ending them, and what they use, as the operating system counts it."""
import ctypes
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(n, kind=socket.SOCK_STREAM):
    """n ports that are free for UDP and TCP now."""
    ports, held = [], []
    while len(ports) < n:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            u.bind(("127.0.0.1", port))
            ports.append(port)
        except OSError:
            pass
        held += [s, u]
    for s in held:
        s.close()
    return ports


def wait_for_port(port, process, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError("a server ended at its start: status %d" % process.returncode)
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("a server does not listen on port %d" % port)


def end_with_parent():
    """A bench that is killed leaves no server behind (prctl, PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Server:
    """One process and its descendants."""

    def __init__(self, argv, directory, name, ready_line=False, ready_port=None):
        self.name = name
        self.log = open(os.path.join(directory, name + ".log"), "ab")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=self.log, start_new_session=True,
                                        stdout=subprocess.PIPE if ready_line else self.log,
                                        preexec_fn=end_with_parent)
        if ready_line and self.process.stdout.readline().strip() != b"ready":
            raise RuntimeError(name + " did not start")
        if ready_port:
            wait_for_port(ready_port, self.process)

    def pids(self):
        found, children = [], {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid) as f:
                    parent = int(f.read().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(pid))
            except OSError:
                continue
        left = [self.process.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            left += children.get(pid, [])
        return found

    def cpu(self):
        """(seconds in all, seconds of user code) of every thread of every process so far."""
        total = user = system = 0
        for pid in self.pids():
            for task in os.listdir("/proc/%d/task" % pid):
                base = "/proc/%d/task/%s/" % (pid, task)
                with open(base + "schedstat") as f:
                    total += int(f.read().split()[0])
                with open(base + "stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                user += int(fields[11])
                system += int(fields[12])
        total /= 1e9
        # schedstat is exact and has no parts; the ticks give their proportion.
        return total, total * user / (user + system) if user + system else 0.0

    def memory(self):
        """Resident bytes, less what files stand behind."""
        private = shared = 0
        for pid in self.pids():
            with open("/proc/%d/status" % pid) as f:
                fields = dict(line.split(":", 1) for line in f)
            private += int(fields["RssAnon"].split()[0]) * 1024
            # The same segment in each of its processes: the one that has touched most of it.
            shared = max(shared, int(fields["RssShmem"].split()[0]) * 1024)
        return private + shared

    def stop(self):
        # The second SIGTERM ends a confabd at once; the first one waits for its sessions.
        for number, seconds in ((signal.SIGTERM, 0.3), (signal.SIGTERM, 10), (signal.SIGKILL, None)):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        if self.process.stdout:
            self.process.stdout.close()
        self.log.close()


class Place:
    """A directory for what a bench leaves behind, and where the programs are."""

    def __init__(self, build):
        self.build = build
        self.directory = tempfile.mkdtemp(prefix="confab-bench-")
        self.store = None
        self.servers = 0

    def program(self, name):
        return os.path.join(self.build, "bench", "bench_" + name)

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def users(self, names):
        """A store with these users of example.com, made by confabctl; the rest are copies of the first row."""
        self.store = os.path.join(self.directory, "users.db")
        if os.path.exists(self.store):
            os.unlink(self.store)
        subprocess.run([os.path.join(self.build, "bin", "confabctl"), "--store", self.store, "user", "add",
                        "sip:%s@example.com" % names[0]], input=b"bench\n", check=True, stdout=subprocess.DEVNULL)
        db = sqlite3.connect(self.store)
        row = db.execute("SELECT * FROM user").fetchone()
        db.executemany("INSERT INTO user VALUES (%s)" % ",".join("?" * len(row)),
                       [(name,) + row[1:] for name in names[1:]])
        db.commit()
        db.close()

    def in_media_path(self, names):
        """The sessions that these users begin run through the B2BUA."""
        subprocess.run([os.path.join(self.build, "bin", "confabctl"), "--store", self.store, "user", "mode",
                        "sip:%s@example.com" % names[0], "b2bua"], check=True, stdout=subprocess.DEVNULL)
        db = sqlite3.connect(self.store)
        db.executemany("UPDATE user SET mode = (SELECT mode FROM user WHERE name = ?) WHERE name = ?",
                       [(names[0], name) for name in names[1:]])
        db.commit()
        db.close()

    def tls(self):
        """Settings for MSRP over TLS, with a certificate made by confabctl."""
        where = os.path.join(self.directory, "tls")
        if not os.path.exists(where):
            subprocess.run([os.path.join(self.build, "bin", "confabctl"), "tls", "init", where, "example.com", "127.0.0.1"],
                           check=True, stdout=subprocess.DEVNULL)
        return ("tls.certificate=" + os.path.join(where, "server.pem"), "tls.key=" + os.path.join(where, "server.key"),
                "tls.ca=" + os.path.join(where, "ca.pem"), "msrp.tls=yes", "msrp.tls_port=0")

    def confabd(self, port, *settings):
        """The peers are trusted, so that no request is challenged: Kamailio and the floor challenge none either. Each
        server has a store of its own: registrations outlive a server, and the next one would know phones that are gone."""
        self.servers += 1
        store = os.path.join(self.directory, "users-%d.db" % self.servers)
        shutil.copy(self.store, store)
        argv = [os.path.join(self.build, "bin", "confabd"),
                "--set", "sip.listen=udp:127.0.0.1:%d, tcp:127.0.0.1:%d" % (port, port),
                "--set", "sip.domain=example.com", "--set", "sip.trusted=127.0.0.1", "--set", "auth.required=no",
                "--set", "sip.max_transactions=2000000", "--set", "sip.max_connections=15000",
                "--set", "sip.max_connections_per_address=0", "--set", "msrp.max_connections_per_address=0",
                "--set", "participating.max_sessions_per_user=0", "--set", "conference.max_per_user=0",
                "--set", "store.path=" + store, "--set", "log.level=warn", "--set", "msrp.port=0",
                "--set", "overload.limit=100"]
        for setting in settings:
            argv += ["--set", setting]
        return Server(argv, self.directory, "confab", ready_port=port)

    def kamailio(self, port, callee, tcp):
        kind = "tcp" if tcp else "udp"
        argv = ["kamailio", "-f", os.path.join(HERE, "kamailio.cfg"), "-DD", "-E", "-m", "2048", "-M", "32",
                "-b", str(16 << 20),  # room for bursts: without it Debian's settings drop datagrams long before it is full
                "-l", "udp:127.0.0.1:%d" % port, "-l", "tcp:127.0.0.1:%d" % port, "-Y", self.directory,
                "-A", 'CALLEE="sip:127.0.0.1:%d;transport=%s"' % (callee, kind)]
        return Server(argv, self.directory, "kamailio", ready_port=port)

    def kamailio_msrp(self, port):
        argv = ["kamailio", "-f", os.path.join(HERE, "kamailio_msrp.cfg"), "-DD", "-E", "-m", "512", "-M", "32",
                "-l", "tcp:127.0.0.1:%d" % port, "-Y", self.directory]
        return Server(argv, self.directory, "kamailio", ready_port=port)

    def floor(self, name, *argv):
        return Server([self.program(name)] + list(argv), self.directory, "floor", ready_line=True)

    def load(self, name, argv, server, hook=None, stdin=""):
        """Runs a load generator; returns what it printed last, and the CPU the server used from its "ready" on."""
        import json
        with open(os.path.join(self.directory, name + ".err"), "ab") as err:
            process = subprocess.Popen([self.program(name)] + argv, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=err, text=True)
            try:
                process.stdin.write(stdin)
                process.stdin.flush()
                first = process.stdout.readline()
                if first.strip() != "ready":
                    raise RuntimeError("%s did not begin: %s" % (name, self.last_error(name)))
                before = server.cpu()
                self.let_go = process.stdin.close
                if hook:
                    hook("ready")
                line = process.stdout.readline()
                after = server.cpu()
                if hook:
                    hook("end")
                process.stdout.read()
            finally:
                process.stdin.close()
                process.stdout.close()
                if process.wait() != 0:
                    raise RuntimeError("%s failed: %s" % (name, self.last_error(name)))
        result = json.loads(line)
        result["cpu_s"] = after[0] - before[0]
        result["user_s"] = after[1] - before[1]
        return result

    def hold(self, name, argv, stdin):
        """A load generator that stands idle until its standard input is closed (let_go)."""
        with open(os.path.join(self.directory, name + ".err"), "ab") as err:
            process = subprocess.Popen([self.program(name)] + argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                                       text=True)
        process.stdin.write(stdin)
        process.stdin.flush()
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("%s did not begin: %s" % (name, self.last_error(name)))
        return process

    def last_error(self, name):
        with open(os.path.join(self.directory, name + ".err"), "rb") as f:
            return f.read().decode("utf-8", "replace")[-500:]
