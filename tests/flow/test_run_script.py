#!/usr/bin/env python3
"""./run on machines that are made up: what it installs, when, and what it says where it cannot.

The script runs in a scratch copy, with a PATH of stand-ins for dpkg-query, apt-get and the build tools.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
NEEDED = ("bash", "dirname", "readlink", "mkdir", "cat", "tail", "sed", "flock", "touch", "rm", "env", "od", "tr")
failed = 0


def case(name, truth, got):
    global failed
    if truth:
        print(f"ok {name}")
    else:
        failed += 1
        print(f"not ok {name} - got {' | '.join(str(got).splitlines())}")


class Machine:
    """A scratch tree and a PATH; calls of the stand-ins are noted in self.calls()."""

    def __init__(self, folder, uid=0, sudo=True, installed=(), apt_works=True):
        self.tree = Path(folder) / "tree"
        self.bin = Path(folder) / "bin"
        self.log = Path(folder) / "calls"
        self.have = Path(folder) / "have"
        self.tree.mkdir()
        self.bin.mkdir()
        self.log.write_text("")
        self.have.write_text("".join(f"ii  {package}\n" for package in installed))
        shutil.copy(TOP / "run", self.tree / "run")
        (self.tree / "CMakePresets.json").write_text("{}")
        for tool in NEEDED:
            (self.bin / tool).symlink_to(shutil.which(tool))
        note = f'echo "${{0##*/}} $*" >>{self.log}\n'
        self.stand_in("id", f"echo {uid}\n")
        self.stand_in("dpkg-query", 'shift 2\nfor p; do while read -r s n; do [ "$n" = "$p" ] && echo "$s $n"; done '
                                    f"<{self.have}; done\nexit 0\n")
        self.stand_in("apt-get", note + ("" if apt_works else "echo no network; exit 100\n") +
                      f'for w; do case $w in -*|install|update) ;; *) echo "ii $w" >>{self.have} ;; esac; done\n')
        self.stand_in("cmake", note + "mkdir -p build/$2\n")
        self.stand_in("ninja", note)
        self.stand_in("python3", note)
        if sudo:
            self.stand_in("sudo", note + '[ "$1" = -v ] && exit 0\nexec "$@"\n')

    def stand_in(self, name, text):
        path = self.bin / name
        path.write_text("#!/bin/bash\n" + text)
        path.chmod(0o755)

    def run(self, *words):
        done = subprocess.run([str(self.tree / "run"), *words], env={"PATH": str(self.bin)}, capture_output=True,
                              text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    def calls(self):
        calls = self.log.read_text().splitlines()
        self.log.write_text("")
        return calls


def machine(**what):
    return Machine(tempfile.mkdtemp(dir=SCRATCH), **what)


def fresh_root():
    m = machine()
    status, text = m.run("demo")
    calls = m.calls()
    apt = [call for call in calls if call.startswith("apt-get")]
    case("what is missing is named", "missing Debian packages: gcc libc6-dev cmake" in text, text)
    case("the lists are fetched once, before", len(apt) == 2 and apt[0].endswith(" update"), apt)
    case("no recommended packages, no questions",
         len(apt) == 2 and " install -y --no-install-recommends gcc " in apt[1], apt)
    case("the demo needs neither sipp nor tshark", not any("tshark" in call or "sip-tester" in call for call in calls),
         calls)
    case("then it builds and plays", status == 0 and calls[-1] == "python3 tests/flow/demo.py build/dev/bin", calls)
    status, text = m.run("demo")
    calls = m.calls()
    case("a second call installs and configures nothing",
         status == 0 and [call.split()[0] for call in calls] == ["ninja", "python3"] and "missing" not in text, calls)
    status, text = m.run("check")
    apt = [call for call in m.calls() if call.startswith("apt-get")]
    case("check adds only what the tests need", len(apt) == 2 and apt[1].endswith("recommends sip-tester tshark kamailio iproute2 nftables"),
         apt)
    case("where the system knows no services, none is stopped", "systemctl" not in text, text)


def kamailio_service():
    m = machine(installed=("sip-tester", "tshark"))
    m.stand_in("systemctl", f'echo "systemctl $*" >>{m.log}\n')
    m.run("check")
    calls = [call for call in m.calls() if call.startswith("systemctl")]
    case("the service that comes with Kamailio is stopped: port 5060 is the demo's",
         calls[-1:] == ["systemctl disable --now kamailio"], calls)
    m.run("check")
    case("one that was there before is left alone", not any(call.startswith("systemctl") for call in m.calls()), m.calls())


def not_root():
    m = machine(uid=1000)
    status, _ = m.run("demo")
    calls = m.calls()
    case("who is not root is asked by sudo first", status == 0 and calls[0] == "sudo -v", calls)
    case("apt-get runs under sudo", any(call.startswith("sudo env DEBIAN_FRONTEND=noninteractive apt-get")
                                        for call in calls), calls)
    m = machine(uid=1000, sudo=False)
    status, text = m.run("demo")
    case("neither root nor sudo: it says what to run as root",
         status != 0 and "neither root nor sudo" in text and "apt-get install --no-install-recommends gcc" in text
         and not m.calls(), text)


def trouble():
    m = machine(apt_works=False)
    status, text = m.run("demo")
    case("apt-get that fails ends it, with the log shown",
         status != 0 and "no network" in text and "could not be fetched" in text
         and not any(call.startswith("ninja") for call in m.calls()), text)
    m = machine()
    m.stand_in("ninja", "echo 'x.c:1: error: broken'; exit 1\n")
    status, text = m.run("check")
    case("a tree that does not build is one failure",
         status == 1 and "x.c:1: error: broken" in text and text.endswith("0 passed, 1 failed\n"), text)
    status, text = m.run("nonsense")
    case("an unknown verb", status == 1 and "no such verb: nonsense" in text and "usage:" in text, text)
    status, text = m.run("help")
    case("help", status == 0 and text.startswith("usage:"), text)
    m = machine()
    m.stand_in("ninja", "echo 'x.c:1: error: broken'; exit 1\n")
    status, text = m.run("bench")
    case("a tree that does not build is not measured", status != 0 and "x.c:1: error: broken" in text, text)


with tempfile.TemporaryDirectory(prefix="run-script-") as SCRATCH:
    fresh_root()
    kamailio_service()
    not_root()
    trouble()
sys.exit(1 if failed else 0)
