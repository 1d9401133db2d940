"""sipp as a peer: scenarios put together from sipp/*.xml, run as processes, judged by what sipp counted."""

import csv
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "flow"))

from stage import DOMAIN, Failed, expect, free_ports  # noqa: E402

SCENARIOS = os.path.join(HERE, "sipp")
TIMEOUT_S = 25
# What sipp must not have counted once. A message that comes after the end of its call is one too many as well.
NEVER = ("FailedCall(C)", "FailedUnexpectedMessage(C)", "FailedCallRejected(C)", "OutOfCallMsgs(C)", "DeadCallMsgs(C)",
         "AutoAnswered(C)", "Warnings(C)", "FatalErrors(C)")
IM_FIELDS = "Accept-Contact: *;+g.oma.sip-im;require;explicit"
VALUES = {"type": "application/sdp", "body": "@sdp@", "setup": "actpass", "hops": "70", "fields": IM_FIELDS,
          "expected": "", "stay": "100", "before_ack": "", "tag": "+g.oma.sip-im"}


def found(pattern, header=None):
    """A check of a received message: the pattern stands in it, or in that header."""
    where = f'search_in="hdr" header="{header}:"' if header else 'search_in="msg"'
    return f'<ereg regexp="{pattern}" {where} check_it="true" assign_to="found"/>'


def absent(pattern):
    return f'<ereg regexp="{pattern}" search_in="msg" check_it_inverse="true" assign_to="absent"/>'


def parts():
    with open(os.path.join(SCENARIOS, "parts.xml"), encoding="utf-8") as f:
        return dict(re.findall(r'<part name="(\w+)">\n(.*?)\n?</part>', f.read(), re.S))


def compose(scenario, values):
    """The scenario with its parts and values in their places."""
    known = {**parts(), **VALUES, **values}
    used = [v for v in ("found", "absent") if f'assign_to="{v}"' in known["expected"]]
    known["references"] = f'<Reference variables="{",".join(used)}"/>' if used else ""
    with open(os.path.join(SCENARIOS, scenario + ".xml"), encoding="utf-8") as f:
        text = f.read()

    def put(text, arg):
        def place(hit):
            if hit.group(1) == "arg":
                return arg
            return put(known[hit.group(1)], hit.group(2) or "")
        return re.sub(r"@([a-z_]+)(?: ([^@\n]*))?@", place, text)
    return put(text, "")


def last_row(text):
    rows = list(csv.DictReader(text.splitlines(), delimiter=";"))
    return {k: int(v) for k, v in rows[-1].items() if k and v and v.isdigit()} if rows else {}


class Sipp:
    """One sipp process: a caller, or with `listen` a callee on its port. The values go into the scenario."""

    runs = []

    def __init__(self, stage, scenario, user, *, calls=1, callee=None, transport="udp", port=None, rate=20,
                 listen=False, **values):
        Sipp.runs.append(self)
        self.name = f"{scenario} of {user}"
        self.calls = calls
        self.stage = stage
        self.base = os.path.join(stage.dir, f"sipp-{len(Sipp.runs)}-{scenario}")
        self.transport = transport
        self.process = None
        self.port = port or free_ports(1, stage.host)
        with open(self.base + ".xml", "w", encoding="utf-8") as f:
            f.write(compose(scenario, values))
        where = f"{callee}@{DOMAIN}" if callee else DOMAIN
        command = ["sipp", "-sf", self.base + ".xml", "-m", str(calls), "-r", str(rate), "-timeout", f"{TIMEOUT_S}s",
                   "-timeout_error", "-nostdin", "-skip_rlimit", "-t", {"udp": "u1", "tcp": "t1"}[transport],
                   "-i", stage.host, "-mi", stage.host, "-ci", "127.0.0.1", "-p", str(self.port), "-bind_local",
                   "-au", user, "-ap", stage.password(user), "-auth_uri", where, "-key", "user", user, "-s",
                   callee or user, "-trace_err", "-error_file", self.base + ".err", "-trace_stat", "-stf",
                   self.base + ".csv", "-trace_counts", "-trace_msg", "-message_file", self.base + ".msg"]
        if not listen:
            command.append(stage.server)
        with open(self.base + ".out", "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            cwd=stage.dir, env={**os.environ, "TERM": "dumb"})
        if listen:
            self.wait_open()

    def wait_open(self):
        """Until the port is taken. It is looked up rather than tried: trying would take it away for a moment."""
        table = f"/proc/net/{self.transport}{'6' if ':' in self.stage.host else ''}"
        local = re.compile(rf"^ *\d+: [0-9A-F]+:{self.port:04X} ", re.M)
        end = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < end:
            with open(table, encoding="ascii") as f:
                if local.search(f.read()):
                    return
            time.sleep(0.01)
        raise Failed(f"sipp, {self.name}, does not listen: {self.text('err')} {self.text('out')[-500:]}")

    def text(self, kind):
        try:
            with open(f"{self.base}.{kind}", encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def wait(self):
        try:
            return self.process.wait(TIMEOUT_S + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -signal.SIGKILL

    def received_again(self):
        """Messages that sipp knew as repetitions."""
        self.base, base = f"{self.base}_{self.process.pid}_counts", self.base
        row = last_row(self.text("csv"))
        self.base = base
        return sum(n for k, n in row.items() if k.endswith("_Retrans") and k.replace("_Retrans", "_Recv") in row)

    def judge(self, sent_again=0, received_again=0):
        """Each call went as its scenario has it, and nothing else came. Repetitions: at least so many; 0: none."""
        status = self.wait()
        count = last_row(self.text("csv"))
        bad = {k: count.get(k, "?") for k in NEVER if count.get(k, 1)}
        if status or bad or count.get("SuccessfulCall(C)") != self.calls:
            raise Failed(f"sipp, {self.name}: status {status}, {count.get('SuccessfulCall(C)')} of {self.calls} "
                         f"calls, {bad} {self.text('err')[-900:]}")
        for what, n, least in (("sent", count["Retransmissions(C)"], sent_again),
                               ("received", self.received_again(), received_again)):
            expect(n >= least and (least or not n), f"sipp, {self.name}: {n} messages {what} again, not {least}")

    def end(self):
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()


def register(stage, user, transport="udp", **values):
    """Registers the user at a port that a callee can take over; the port."""
    phone = Sipp(stage, "register", user, transport=transport, **values)
    phone.judge()
    return phone.port
