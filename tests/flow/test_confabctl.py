#!/usr/bin/env python3
"""confabctl from the outside: what it prints, says and returns."""
import os
import sqlite3
import ssl
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
    got = ctl("--store", store, "user", "digest", "sip:bo@example.com", "MD5")
    case("there is no way back to MD5", got[0] == 2 and "SHA-256" in got[2], got)
    got = ctl("--store", store, "user", "digest", "sip:bo@example.com", "SHA-256")
    listed = ctl("--store", store, "user", "list")[1]
    hashes = sqlite3.connect(store).execute("select ha1_md5, length(ha1_sha256) from user where name = 'bo'").fetchall()
    case("the MD5 hash of a user is forgotten",
         got[0] == 0 and "bo@example.com realm=\"chat\" im=assume digest=SHA-256" in listed and hashes == [("", 64)],
         (got, listed, hashes))
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


def certificate(path):
    """(subject, names, may sign) of a PEM file."""
    got = ssl._ssl._test_decode_cert(str(path))  # the one decoder that the standard library has
    # basicConstraints (RFC 5280 section 4.2.1.9), critical, with cA TRUE
    may_sign = bytes.fromhex("0603551d130101ff040530030101ff") in ssl.PEM_cert_to_DER_cert(path.read_text())
    return dict(x[0] for x in got["subject"])["commonName"], set(got.get("subjectAltName", ())), may_sign


def believed(folder, name, host):
    """Whoever believes the CA in folder believes that certificate for the host: a handshake in memory."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=folder / "ca.pem")
    server.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(a, b, server_hostname=host), server.wrap_bio(b, a, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as problem:
                return str(problem)
    return ends[0].version() is not None


def certificates(folder):
    tls = folder / "tls"
    got = ctl("tls", "init", str(tls), "example.com", "192.0.2.1")
    names = [f"{n}.{e}" for n in ("ca", "server", "client") for e in ("pem", "key")]
    case("tls init names what it made", got[0] == 0 and got[1].split() == [str(tls / n) for n in names], got)
    modes = {p.name: p.stat().st_mode & 0o777 for p in [tls, *tls.iterdir()]}
    case("tls init: keys are their owner's alone",
         modes == {"tls": 0o700, **{n: 0o600 if n.endswith("key") else 0o644 for n in names}}, modes)
    got = certificate(tls / "ca.pem")
    case("tls init: a CA", got[2] and not got[1], got)
    got = certificate(tls / "server.pem")
    case("tls init: the server's names (RFC 5922)",
         got == ("example.com", {("DNS", "example.com"), ("URI", "sip:example.com"), ("IP Address", "192.0.2.1")}, False),
         got)
    got = certificate(tls / "client.pem")
    case("tls init: the client's is not the domain's",
         got == ("client.example.com", {("DNS", "client.example.com"), ("URI", "sip:client.example.com")}, False), got)
    for name, host in (("server", "example.com"), ("server", "192.0.2.1"), ("client", "client.example.com")):
        got = believed(tls, name, host)
        case(f"tls init: the CA vouches for the {name} as {host}", got is True, got)
    got = believed(tls, "client", "example.com")
    case("tls init: the client cannot pass for the server", "Hostname mismatch" in str(got), got)
    before = {p.name: p.read_bytes() for p in tls.iterdir()}
    got = ctl("tls", "init", str(tls), "example.com")
    case("tls init writes over nothing", got[0] == 1 and "exists already" in got[2] and
         before == {p.name: p.read_bytes() for p in tls.iterdir()}, got)
    (tls / "ca.key").unlink()
    (tls / "ca.pem").unlink()
    got = ctl("tls", "init", str(tls), "example.com")
    case("tls init writes over no server's key either", got[0] == 1 and "exists already" in got[2], got)
    got = ctl("tls", "issue", str(tls), "more", "more.example")
    case("tls issue wants its CA", got[0] == 1 and "tls init makes them" in got[2], got)
    got = ctl("tls", "init", str(folder / "t2"), "192.0.2.9")
    case("tls init for an address", got[0] == 0 and certificate(folder / "t2" / "client.pem")[0] == "client", got)


with tempfile.TemporaryDirectory(prefix="confabctl-") as scratch:
    users(str(Path(scratch) / "users.db"))
    command_lines(str(Path(scratch) / "users.db"))
    configurations(Path(scratch))
    certificates(Path(scratch))
sys.exit(1 if failed else 0)
