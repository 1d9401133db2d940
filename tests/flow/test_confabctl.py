#!/usr/bin/env python3
"""confabctl from the outside: what it prints, says and returns."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(os.environ["CONFAB_BIN"]) / "confabctl"
failed = 0


def ctl(*words, stdin=""):
    done = subprocess.run([str(PROGRAM), *words], input=stdin, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


def case(name, truth, got):
    global failed
    if truth:
        print(f"ok {name}")
    else:
        failed += 1
        print(f"not ok {name} - got {got}")


def users(store):
    got = ctl("--store", store, "user", "list")
    case("a store that is not there is named", got[0] == 1 and "No such file" in got[2], got)
    got = ctl("--store", store, "user", "add", "sip:ann@example.com", stdin="secret\n")
    case("the password is read from standard input", got == (0, "", ""), got)
    got = ctl("--store", store, "user", "add", "bo@Example.com", "--password", "x", "--realm", "chat")
    case("the scheme may be left out", got[0] == 0, got)
    got = ctl("--store", store, "user", "add", "sip:ann@EXAMPLE.com", "--password", "x")
    case("a second user of that address is refused", got[0] == 1 and "exists already" in got[2], got)
    got = ctl("--store", store, "user", "add", "sip:empty@example.com", stdin="")
    case("no password is refused", got[0] == 1 and "password" in got[2], got)
    got = ctl("--store", store, "user", "im", "sip:bo@example.com", "assume")
    case("the feature tag setting of a user", got[0] == 0, got)
    got = ctl("--store", store, "user", "list")
    case("the list", got[1] == 'sip:ann@example.com\nsip:bo@example.com realm="chat" im=assume\n', got)
    got = ctl("--store", store, "user", "del", "sip:ann@example.com")
    case("a user is removed", got[0] == 0 and "ann" not in ctl("--store", store, "user", "list")[1], got)
    got = ctl("--store", store, "user", "del", "sip:ann@example.com")
    case("one that is gone is named", got[0] == 1 and "there is no user sip:ann@example.com" in got[2], got)


def command_lines(store):
    for words in ([], ["user"], ["user", "add"], ["user", "add", "ann"], ["user", "del", "a@b", "c"], ["config"],
                  ["user", "im", "a@b", "maybe"], ["--bogus"], ["config", "check"]):
        got = ctl("--store", store, *words)
        case(f"wrong command line: {' '.join(words) or 'nothing'}", got[0] == 2 and got[2], got)
    got = ctl("--help")
    case("help", got[0] == 0 and got[1].startswith("usage:"), got)


def configurations(folder):
    bad = folder / "bad.conf"
    bad.write_text("# mine\nmsrp.threads = 99\nsip.domian = x\nparticipating.mode = both\n")
    got = ctl("config", "check", str(bad))
    case("every mistake is named with line and key",
         got == (1, "", "line 2: msrp.threads: 99 is out of range 1..64\n"
                        "line 3: sip.domian: there is no such key; did you mean sip.domain?\n"
                        "line 4: participating.mode: both is none of proxy, b2bua\n"), got)
    good = folder / "good.conf"
    good.write_text(ctl("config", "help")[1])
    got = ctl("config", "check", str(good))
    case("what help prints passes the check", got == (0, "", ""), got)
    got = ctl("config", "check", str(folder / "none.conf"))
    case("a file that is not there is named", got[0] == 1 and "none.conf: No such file" in got[2], got)


with tempfile.TemporaryDirectory(prefix="confabctl-") as scratch:
    users(str(Path(scratch) / "users.db"))
    command_lines(str(Path(scratch) / "users.db"))
    configurations(Path(scratch))
sys.exit(1 if failed else 0)
