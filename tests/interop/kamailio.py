"""Kamailio as the SIP/IP core: a stage on which confabd is an application server behind it.

The phones are on 127.0.0.1, Kamailio's side towards the application server is on 127.0.0.2, confabd on 127.0.0.3: so
that confabd can trust Kamailio and not the phones, as in a network.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "flow"))

from stage import DOMAIN, WAIT_S, Failed, Stage, free_ports  # noqa: E402

CONFIG = os.path.join(HERE, "kamailio")
PHONES, CORE, SERVER = "127.0.0.1", "127.0.0.2", "127.0.0.3"
PSI_DOMAIN = "conf.example.com"
FACTORY = f"sip:conference-factory@{PSI_DOMAIN}"
ACCESS = "IEEE-802.11;i-wlan-node-id=0a0b0c0d0e0f"


class KamailioStage(Stage):
    def __init__(self, users=("ann", "bo", "charles"), settings=(), **options):
        self.kamailio = None
        # It lies where the path of those who are not root does not lead.
        self.program = shutil.which("kamailio", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not self.program:
            raise Failed("kamailio is not installed (./run check does it)")
        self.port = free_ports(1, PHONES)
        ims = ["ims.mode = on", f"sip.trusted = {CORE}",
               f"ims.route = sip:focus@{CORE}:{self.port};transport=tcp;lr;orig"]
        # No user is known to confabd: they are the core's.
        super().__init__(users=(), host=SERVER, settings=[*ims, *settings], domain=PSI_DOMAIN, **options)
        # The phones belong to the core; confabd serves the conferences alone.
        self.domain = DOMAIN
        self.users = {u: f"pw-{u}" for u in users}
        self.server = f"{PHONES}:{self.port}"
        self.start_kamailio()

    def configure(self):
        """Our configuration with this stage's lab.cfg and users.cfg."""
        place = os.path.join(self.dir, "kamailio")
        os.mkdir(place)
        shutil.copy(os.path.join(CONFIG, "kamailio.cfg"), place)
        names = {"IMS_DOMAIN": DOMAIN, "PSI_DOMAIN": PSI_DOMAIN, "PCSCF_IP": PHONES, "PCSCF_PORT": self.port,
                 "SCSCF_IP": CORE, "SCSCF_PORT": self.port, "AS_IP": SERVER, "AS_PORT": self.sip_port}
        with open(os.path.join(place, "lab.cfg"), "w", encoding="utf-8") as f:
            f.writelines(f'#!substdef "!{name}!{value}!g"\n' for name, value in names.items())
        with open(os.path.join(place, "users.cfg"), "w", encoding="utf-8") as f:
            f.write("event_route[htable:mod-init] {\n")
            f.writelines(f'\t$sht(users=>{u}) = "{p}";\n' for u, p in self.users.items())
            f.write("}\n")
        return place

    def start_kamailio(self):
        place = self.configure()
        self.kamailio_log = open(os.path.join(self.dir, "kamailio.log"), "a+", encoding="utf-8", errors="replace")
        self.kamailio = subprocess.Popen(
            [self.program, "-DD", "-E", "-m", "32", "-M", "8", "-f", os.path.join(place, "kamailio.cfg"), "-Y", place,
             "-w", place, "-P", os.path.join(place, "pid")],
            stdin=subprocess.DEVNULL, stdout=self.kamailio_log, stderr=self.kamailio_log)
        end = time.monotonic() + WAIT_S
        for host in (PHONES, CORE):
            while True:
                with socket.socket() as s:
                    s.settimeout(1)
                    if s.connect_ex((host, self.port)) == 0:
                        break
                if self.kamailio.poll() is not None or time.monotonic() > end:
                    raise Failed(f"kamailio does not start: {self.kamailio_words()}")
                time.sleep(0.02)

    def kamailio_words(self):
        self.kamailio_log.flush()
        self.kamailio_log.seek(0)
        return self.kamailio_log.read()[-2000:]

    def client(self, name, extra=(), **options):
        ims = ["--ims", "--access-network", ACCESS, "--factory", FACTORY]
        return super().client(name, host=PHONES, extra=[*ims, *extra], **options)

    def until_logged(self, text):
        """Waits for a line of confabd's log."""
        end = time.monotonic() + WAIT_S
        while True:
            with open(os.path.join(self.dir, "server.log"), encoding="utf-8", errors="replace") as f:
                log = f.read()
            if text in log:
                return
            if time.monotonic() > end:
                raise Failed(f"not logged: {text}; {log[-1000:]}")
            time.sleep(0.02)

    def kill_kamailio(self):
        """The main process first: it would start no child anew, but it could wait for one."""
        with open(f"/proc/{self.kamailio.pid}/task/{self.kamailio.pid}/children", encoding="ascii") as f:
            children = [int(pid) for pid in f.read().split()]
        self.kamailio.kill()
        self.kamailio.wait()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self):
        bad = super().stop()
        if self.kamailio and self.kamailio.poll() is None:
            self.kamailio.terminate()
            try:
                self.kamailio.wait(10)
            except subprocess.TimeoutExpired:
                # It now and then waits for a lock of its own for ever when it is told to end: its fault, not ours.
                print("  note kamailio did not end when asked and was killed", flush=True)
                self.kill_kamailio()
        return bad
