#!/usr/bin/env python3
"""confab from the outside, without a server: command line, JSON lines, and a server that is not there."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(os.environ["CONFAB_BIN"]) / "confab"
NOBODY = "127.0.0.1:9"
failed = 0


def case(name, truth, got):
    global failed
    if truth:
        print(f"ok {name}")
    else:
        failed += 1
        print(f"not ok {name} - got {got!r}")


def confab(*words, stdin="", env=None):
    done = subprocess.run([str(PROGRAM), *words], input=stdin, capture_output=True, timeout=30,
                          env={**os.environ, **(env or {})}, text=True, errors="surrogateescape")
    return done.returncode, done.stdout, done.stderr


def events(*lines, words=()):
    """The events that these input lines bring, and the exit status."""
    got = confab("--user", "sip:ann@example.com", "--server", NOBODY, "--json", *words,
                 stdin="".join(line + "\n" for line in lines))
    return [json.loads(line) for line in got[1].splitlines()], got[0], got[2]


def command_line():
    got = confab("--help")
    case("help goes to standard output", got[0] == 0 and "usage: confab" in got[1] and not got[2], got)
    for option in ("user", "password", "password-file", "server", "transport", "listen", "display", "factory",
                   "feature-tag", "json", "auto-accept", "ask-before-move", "trace", "log", "register-expires"):
        case(f"help names --{option}", f"--{option} " in got[1], got[1])
    got = confab("--version")
    case("the version", got[0] == 0 and got[1].startswith("confab "), got)
    ann = ("--user", "ann@example.com")
    for words, why in (((), "--user is missing"), (("--user", "ann"), "sip:NAME@DOMAIN"), (("--bogus",), "--bogus"),
                       ((*ann, "talk"), "talk"), ((*ann, "chat"), "whom"), ((*ann, "chat", "b<o"), "b<o"),
                       ((*ann, "wait", "more"), "more"), ((*ann, "--log", "loud"), "loud"),
                       ((*ann, "--register-expires", "0"), "register-expires"),
                       ((*ann, "--max-conversations", "many"), "max-conversations"),
                       ((*ann, "--server", NOBODY, "--transport", "pigeon"), "pigeon")):
        got = confab(*words)
        case(f"wrong: {' '.join(words) or 'nothing'}", got[0] == 2 and why in got[2] and not got[1], got)
    for words, why in (((*ann, "--server", NOBODY, "--listen", "here"), "here"),
                       ((*ann, "--server", NOBODY, "--listen", "192.0.2.1"), "192.0.2.1"),
                       ((*ann, "--server", NOBODY, "--trace", "/nowhere/at/all"), "/nowhere/at/all"),
                       ((*ann, "--server", NOBODY, "--password-file", "/nowhere"), "/nowhere")):
        got = confab(*words)
        case(f"not possible: {' '.join(words[2:])}", got[0] == 1 and why in got[2], got)


def json_lines():
    got, status, said = events('{"cmd":"quit"}')
    case("quit ends with 0", status == 0 and got[0]["event"] == "ready", (got, status, said))
    case("ready names both addresses", all(got[0][k].startswith("127.0.0.1:") for k in ("sip", "msrp")), got[0])
    case("every event has a time", all(isinstance(e["t"], float) for e in got), got)
    for line, why in (("junk", "expected"), ("[1]", "object"), ("{}", "cmd is missing"), ('{"cmd":7}', "cmd is missing"),
                      ('{"cmd":"dance"}', "no such command"), ('{"cmd":"send"}', "conversation is missing"),
                      ('{"cmd":"send","conversation":-1,"text":"x"}', "conversation is missing"),
                      ('{"cmd":"send","conversation":4294967297,"text":"x"}', "conversation is missing"),
                      ('{"cmd":"send","conversation":1}', "text is missing"),
                      ('{"cmd":"send","conversation":77,"text":"x"}', "no such thing"),
                      ('{"cmd":"chat"}', "addresses are missing"), ('{"cmd":"chat","to":[]}', "addresses are missing"),
                      ('{"cmd":"chat","to":[1]}', "not an address"), ('{"cmd":"chat","to":["a b"]}', "not an address"),
                      ('{"cmd":"chat","to":"bo\\r\\nX: y"}', "not an address"),
                      ('{"cmd":"add","conversation":1,"users":{}}', "addresses are missing"),
                      ('{"cmd":"decline","conversation":1,"status":200}', "status"),
                      ('{"cmd":"break","conversation":1}', "which"),
                      ('{"cmd":"break","conversation":1,"which":"all"}', "grammar"),
                      ('{"cmd":"quit","cmd":"quit"}', "duplicate"), ("[" * 5000, "depth"), ('"\\ud800"', "")):
        got, status, said = events(line, '{"cmd":"leave","conversation":9,"tag":["after"]}')
        errors = [e for e in got if e["event"] == "error"]
        case(f"broken line: {line[:50]}", status == 0 and len(errors) == 2 and why in errors[0]["error"] and
             errors[1]["tag"] == ["after"] and errors[1]["command"] == "leave", (got, status, said))
    done = subprocess.run([str(PROGRAM), "--user", "a@b.example", "--server", NOBODY, "--json"], timeout=30,
                          input=b"\xff\xfe\n\0\n" + b"x" * 100000 + b"\n", capture_output=True)
    case("bytes that are no text", done.returncode == 0 and done.stdout.count(b'"error"') >= 3, done)


def absent_server():
    for transport in ("tcp",):
        process = subprocess.Popen([str(PROGRAM), "--user", "ann@example.com", "--server", NOBODY, "--json",
                                    "--transport", transport], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        got = [json.loads(process.stdout.readline())["event"] for _ in range(3)]
        case("an absent server is told, and tried again", got == ["ready", "register-failed", "register-failed"], got)
        process.stdin.write('{"cmd":"chat","to":"bo","tag":"t"}\n')
        process.stdin.flush()
        seen = []
        while not seen or seen[-1]["event"] != "ended":
            seen.append(json.loads(process.stdout.readline()))
        calling = [e for e in seen if e["event"] == "calling"]
        case("a chat that cannot be is ended [IC-7.1.2-1]", calling[0]["tag"] == "t" and
             seen[-1]["conversation"] == calling[0]["conversation"] and seen[-1]["status"] >= 400, seen)
        process.stdin.close()
        case("the end of input is quit", process.wait(20) == 0, process.returncode)
        process.stdout.close()


def person():
    got = confab("--user", "ann@example.com", "--server", NOBODY, "--listen", "127.0.0.1",
                 stdin="hello\n/who\n/dance\n/help\n/chat\n/to 4\n/accept\n/chat b<o\n/quit\n")
    for why in ("there is no chat", "no /dance", "/leave [anonymously]", "whom?", "no chat of that number",
                "nobody has asked", "not an address: b<o"):
        case(f"line mode says: {why}", got[0] == 0 and why in got[1], got)


def password_and_trace():
    with tempfile.TemporaryDirectory(prefix="confab-") as folder:
        trace = Path(folder) / "trace"
        events('{"cmd":"quit"}', words=("--trace", str(trace)))
        lines = [json.loads(line) for line in trace.read_text().splitlines()]
        first = lines[0] if lines else {}
        case("the trace holds what was sent [R-3]", first.get("dir") == ">" and first.get("proto") == "sip" and
             first.get("remote") == NOBODY and first.get("bytes", "").startswith("REGISTER sip:example.com SIP/2.0\r\n"),
             lines)
        secret = Path(folder) / "pw"
        secret.write_text("")
        got = confab("--user", "ann@example.com", "--server", NOBODY, "--password-file", str(secret))
        case("an empty password file is named", got[0] == 1 and str(secret) in got[2], got)


command_line()
json_lines()
absent_server()
person()
password_and_trace()
sys.exit(1 if failed else 0)
