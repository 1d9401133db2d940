#!/usr/bin/env python3
"""Who the server runs as, and the unit that keeps it in its place."""
# timeout: 120

import os
import pwd
import re
import shutil
import subprocess
import time

from stage import BIN, Cases, Stage, expect
from tls_stage import TlsStage, hang_up, talk

BO = "sip:bo@example.com"
UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "dist", "confabd.service")
ROOT = os.geteuid() == 0


def starts(config, *settings):
    """What confabd says when it does not start, and its exit status."""
    words = [w for s in settings for w in ("--set", s)]
    done = subprocess.run([os.path.join(BIN, "confabd"), "--config", config, *words], capture_output=True, text=True,
                          timeout=20)
    return done.returncode, done.stdout + done.stderr


def warned(*settings):
    """Whether a server with these settings, up and running, has said that it need not be root."""
    with Stage(users=("ann",), settings=settings) as stage:
        end, log = time.monotonic() + 20, ""
        while "ready" not in log and time.monotonic() < end:
            with open(os.path.join(stage.dir, "server.log"), encoding="utf-8") as f:
                log = f.read()
            time.sleep(0.01)
    expect("ready" in log, log)
    return "runs as root" in log


def root_is_warned_of():
    expect(warned() == ROOT, "a warning for root alone")
    if ROOT:
        expect(not warned("run.user = root"), "it was asked for")
    with Stage(users=("ann",)) as stage:
        if not ROOT:
            status, text = starts(stage.config, "run.user=root", "sip.listen=udp:127.0.0.1:0", "log.file=", "msrp.port=0")
            expect(status == 1 and "only root can become root" in text, f"{status}: {text}")
        status, text = starts(stage.config, "run.user=no-such-user", "sip.listen=udp:127.0.0.1:0", "log.file=",
                              "msrp.port=0")
        expect(status == 1 and "there is no user no-such-user" in text, f"{status}: {text}")


def state(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


class Dropped(TlsStage):
    """run.user: nobody where we may become him, else ourselves. The files are his."""

    def __init__(self, **options):
        self.who = pwd.getpwnam("nobody") if ROOT else pwd.getpwuid(os.getuid())
        super().__init__(settings=(f"run.user = {self.who.pw_name}",), **options)

    def start(self):
        first = not self.certificates
        super().start()
        if first and ROOT:
            for where, _, files in os.walk(self.dir):
                for path in [where] + [os.path.join(where, f) for f in files]:
                    os.chown(path, self.who.pw_uid, self.who.pw_gid)


def becomes_somebody():
    with Dropped(msrp=True) as stage:
        stage.logged("ready")
        ids = state(stage.process.pid)
        expect(set(ids["Uid"].split()) == {str(stage.who.pw_uid)}, f"Uid {ids['Uid']}")
        expect(set(ids["Gid"].split()) == {str(stage.who.pw_gid)}, f"Gid {ids['Gid']}")
        expect(ids["NoNewPrivs"] == "1", "it could gain privileges")
        if ROOT:
            expect(int(ids["CapEff"], 16) == 0 and int(ids["CapPrm"], 16) == 0, f"capabilities {ids['CapEff']}")
            expect(set(ids["Groups"].split()) <= {str(stage.who.pw_gid)}, f"groups {ids['Groups']}")
            threads = os.listdir(f"/proc/{stage.process.pid}/task")
            for thread in threads:
                uid = state(f"{stage.process.pid}/task/{thread}")["Uid"]
                expect(set(uid.split()) == {str(stage.who.pw_uid)}, f"a thread stays {uid}")
            expect(len(threads) > 2, "the threads of the switch are there")
        # It goes on working: users are read, certificates are read anew.
        ann, bo = stage.by_tls("ann"), stage.client("bo")
        here = ann.chat(BO)
        ann.wait("open", conversation=here)
        talk(ann, here, bo, bo.wait("open")["conversation"])
        hang_up(stage, "read anew")


def directives():
    with open(UNIT, encoding="utf-8") as f:
        text = f.read()
    section, out = None, {}
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            expect(section and equals and re.fullmatch(r"[A-Za-z]+", key), f"not a directive: {line}")
            out.setdefault((section, key), []).append(value)
    return out


def unit():
    have = directives()
    wanted = {"User": "confab", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict",
              "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "ProtectKernelModules": "yes",
              "ProtectKernelTunables": "yes", "ProtectControlGroups": "yes", "RestrictNamespaces": "yes",
              "RestrictSUIDSGID": "yes", "LockPersonality": "yes", "MemoryDenyWriteExecute": "yes",
              "SystemCallArchitectures": "native", "LimitCORE": "0", "UMask": "0077",
              "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX"}
    for key, value in wanted.items():
        expect(have.get(("Service", key)) == [value], f"{key} is {have.get(('Service', key))}")
    expect("@system-service" in have[("Service", "SystemCallFilter")], "no system call filter")
    command = have[("Service", "ExecStart")][0].split()
    expect(os.path.basename(command[0]) == "confabd" and command[1] == "--config", f"{command}")
    expect(have[("Service", "ExecReload")][0].startswith("/bin/kill -HUP"), "reload is SIGHUP")
    # Of where it writes, only folders of its own.
    expect(("Service", "ReadWritePaths") not in have, "it may write elsewhere")
    if not shutil.which("systemd-analyze"):
        return
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT],
                          capture_output=True, text=True, timeout=60)
    expect(done.returncode == 0, f"exposure above 2.0: {done.stdout[-300:]} {done.stderr[-300:]}")
    done = subprocess.run(["systemd-analyze", "verify", UNIT], capture_output=True, text=True, timeout=60)
    # Neither the program nor its man pages need be installed here.
    odd = [x for x in done.stderr.splitlines() if x and "is not executable" not in x and "Command 'man" not in x]
    expect(not odd, f"{odd}")


if __name__ == "__main__":
    cases = Cases()
    cases.run("as root it warns unless that is asked for", [], root_is_warned_of)
    cases.run("the server becomes the user of run.user", [], becomes_somebody)
    cases.run("the unit for systemd", [], unit)
    cases.done()
