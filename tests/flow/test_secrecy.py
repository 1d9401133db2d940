#!/usr/bin/env python3
"""What logs never say, and what a peer's bytes never do: to a log, or to a terminal."""
# timeout: 200

import os
import re
import socket
import sqlite3
import subprocess
import threading

from phone import Call, Msrp, Phone, token
from raw_phone import RawPhone
from stage import BIN, DOMAIN, Cases, Stage, expect, read_trace
from tls_stage import TlsStage

BO, CHARLES = f"sip:bo@{DOMAIN}", f"sip:charles@{DOMAIN}"
# What a terminal obeys (C0, DEL, C1 raw and as UTF-8), what is no text, what turns text around, and a forged line.
HOSTILE = (b"\x1b[2J\x1b]0;owned\x07 \x9b31m \xc2\x9b1m \xff\xfe\xc0\xaf \xed\xa0\x80 \xe2\x80\xae \xe2\x81\xa6 \x7f\x08\x00"
           b" 2026-01-01T00:00:00.000Z error confabd: forged")


# --- secrets ---

def values(trace, pattern):
    """What stands in the messages of a trace."""
    out = set()
    for m in read_trace(trace):
        out |= {x.decode("latin-1") for x in re.findall(pattern, m["bytes"])}
    return out


def keys(folder):
    """Lines of the private keys in a folder, as they would be recognised."""
    out = set()
    for name in os.listdir(folder):
        if name.endswith(".key"):
            with open(os.path.join(folder, name), encoding="ascii") as f:
                out |= {line.strip() for line in f if not line.startswith("---") and len(line) > 16}
    return out


def nothing_secret():
    """Logs of the server and of the clients, at their finest, hold no password, hash, nonce, answer, key, session id or
    text; the trace, which was asked for, is where the test knows them from."""
    with TlsStage(msrp=True, log_level="debug") as stage:
        fine = ("--log", "debug")
        ann, bo = stage.by_tls("ann", "--msrp-tls", *fine), stage.by_tls("bo", *fine)
        charles = stage.client("charles", extra=fine)
        secret = "a word that nobody else may read"
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        bo.wait("open")
        ann.send(cmd="send", conversation=chat, text=secret)
        bo.until(lambda c: secret in c.texts(), "the text")
        ann.send(cmd="page", to=CHARLES, text=secret)
        charles.wait("page", text=secret)
        ann.send(cmd="chat", to=[BO, CHARLES], tag="group")
        room = ann.wait("calling", tag="group")["conversation"]
        ann.wait("open", conversation=room)
        ann.send(cmd="send", conversation=room, text=secret)
        bo.until(lambda c: c.texts().count(secret) == 2, "the text in the conference")
        ann.send(cmd="break", conversation=chat, which="direct")
        wrong = stage.process and Phone(stage, "bo", register=False)
        stage.users["bo"] = "wrong-password"
        try:
            wrong.register()
        except Exception as problem:
            expect("REGISTER" in str(problem) or "answer" in str(problem), f"{problem}")
        for c in (ann, bo, charles):
            c.quit()
        logs = {"the server's": stage.log_text()}
        for c in (ann, bo, charles):
            logs[f"{c.name}'s"] = c.last_words() + open(c.errors.name, encoding="utf-8").read()
        traces = [stage.trace] + [c.trace for c in (ann, bo, charles)]
        forbidden = {"pw-ann", "pw-bo", "pw-charles", "wrong-password", secret} | keys(stage.certificates)
        for row in sqlite3.connect(stage.store).execute("select * from user"):
            forbidden |= {v for v in row if isinstance(v, str) and re.fullmatch(r"[0-9a-f]{32,64}", v)}
        for trace in traces:
            forbidden |= values(trace, rb'[^c]nonce="([^"]+)"') | values(trace, rb'response="([^"]+)"')
            forbidden |= values(trace, rb"msrps?://[^/\s]+/([^;\s]+)")
        expect(len(forbidden) > 20, f"the test knows too few secrets: {len(forbidden)}")
        for who, text in logs.items():
            expect(len(text.splitlines()) > 10, f"{who} log is not that of debug: {text}")
            for word in forbidden:
                expect(word not in text, f"{who} log says {word}: "
                       f"{next((line for line in text.splitlines() if word in line), '')}")


def nothing_written():
    """A trace without trace.bodies shows who speaks to whom, and not what they say."""
    with Stage(trace=False) as stage:
        trace = os.path.join(stage.dir, "silent.trace")
        with open(stage.config, "a", encoding="utf-8") as f:
            f.write(f"trace.file = {trace}\nparticipating.mode = b2bua\n")
        stage.client("ann")  # the server is ready to be stopped
        bad = stage.stop()
        expect(not bad, f"{bad}")
        stage.start()
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        words = "xyzzy plugh " * 30
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        ann.send(cmd="send", conversation=chat, text=words)
        ann.send(cmd="page", to=CHARLES, text=words)
        charles.wait("page", text=words)
        bo.until(lambda c: words in c.texts(), "the text")
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        charles.wait("open", conference=True)
        ann.wait("moved", conversation=chat)
        ann.send(cmd="send", conversation=chat, text=words)
        charles.until(lambda c: words in c.texts(), "the text in the conference")
        got = read_trace(trace)
        both = b"".join(m["bytes"] for m in got)
        expect(b"xyzzy" not in both and b"plugh" not in both, "what was written stands in the trace")
        msrp = b"".join(m["bytes"] for m in got if m["proto"] == "msrp")
        expect(re.search(rb"SEND\r\nTo-Path: msrp:.*?\r\n\r\n\[\d{3} bytes\]\r\n-------\w+\$", msrp, re.S) and
               b" 200 OK\r\n" in msrp, f"MSRP is not told: {msrp[:300]}")
        sip = [m["bytes"] for m in got if m["bytes"].startswith(b"MESSAGE ")]
        expect(sip and all(re.search(rb"\r\n\r\n\[\d+ bytes\]$", m) for m in sip), f"MESSAGE: {sip[:1]}")
        expect(any(b"\r\na=path:msrp" in m["bytes"] for m in got), "signalling is whole")
        expect(os.stat(trace).st_mode & 0o777 == 0o600, "the trace is its owner's alone")


def weak_digest():
    """RFC 8760: SHA-256 stands first and is what our client uses; MD5 is refused where it was taken away."""
    with Stage() as stage:
        subprocess.run([os.path.join(BIN, "confabctl"), "--store", stage.store, "user", "digest", BO, "SHA-256"], check=True)
        stage.client("ann")
        for user, good in (("charles", True), ("bo", False)):
            phone = RawPhone(stage, user)  # it knows MD5 alone
            answer = phone.ask("REGISTER", f"sip:{DOMAIN}", "Expires: 600\r\n", to=f"<{phone.uri}>")
            expect(answer.startswith("SIP/2.0 200") == good, f"{user}: {answer.splitlines()[0]}")
            phone.close()
        stage.client("bo")
        offered = [re.findall(rb"algorithm=([A-Z0-9-]+)", m["bytes"]) for m in read_trace(stage.trace)
                   if m["bytes"].startswith(b"SIP/2.0 401")]
        expect(offered and all(x == [b"SHA-256", b"MD5"] for x in offered), f"offered: {offered[:2]}")
        ours = {a for m in read_trace(stage.trace) if b"User-Agent: IM-client" in m["bytes"]
                for a in re.findall(rb"\r\n(?:Proxy-)?Authorization: [^\r]*algorithm=([A-Z0-9-]+)", m["bytes"])}
        expect(ours == {b"SHA-256"}, f"our client used {ours}")


# --- bytes of a peer ---

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn |info |debug) [a-z]+: [^\x00-\x1f]*")
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def is_harmless(who, raw, log):
    text = raw.decode("utf-8")  # or the test fails: it is not even text
    found = OBEYED.search(text)
    expect(not found, f"{who}: {found and text[max(0, found.start() - 60):found.end() + 20]!r}")
    if log:
        odd = [line for line in text.splitlines() if not LINE.fullmatch(line)]
        expect(not odd, f"{who}: not a log line: {odd[:2]}")
        expect(not re.search(r"(?m)^2026-01-01T00:00:00", text), f"{who} has a forged line")


def datagrams(stage):
    """Requests with hostile bytes in each of their fields, and what is no SIP at all."""
    sip = (b"MESSAGE sip:bo@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK%d%s\r\nMax-Forwards: 70\r\n"
           b"From: \"%s\" <sip:ann@example.com>;tag=%s\r\nTo: <sip:bo%s@example.com>\r\nCall-ID: %s%d\r\n"
           b"CSeq: 1 MESSAGE\r\nSubject: %s\r\nX-%s: y\r\nUser-Agent: %s\r\nContact: <sip:%s@127.0.0.1>\r\n"
           b"Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"sip:x\", response=\"%s\"\r\n"
           b"Content-Length: 0\r\n\r\n")
    n = sip.count(b"%s")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(n + 1):
            parts = [HOSTILE if k == i or i == n else b"x" for k in range(n)]
            numbers = iter([i, i])
            words = iter(parts)
            text = re.sub(rb"%[sd]", lambda m: str(next(numbers)).encode() if m.group() == b"%d" else next(words), sip)
            s.sendto(text, (stage.host, stage.sip_port))
        s.sendto(HOSTILE, (stage.host, stage.sip_port))
    for port in (stage.sip_port, stage.msrp_port):
        with socket.create_connection((stage.host, port)) as c:
            c.sendall(b"MSRP " + HOSTILE + b" SEND\r\n" + HOSTILE + b"\r\n\r\n")
            c.shutdown(socket.SHUT_WR)
            c.settimeout(10)
            try:
                while c.recv(4096):
                    pass
            except OSError:
                pass


class Rude(Phone):
    """A phone whose name, subject, reasons and texts are hostile. Its bytes go out as they are."""

    def write(self, text, body=b""):
        with self.write_lock:
            self.sip.sendall(text.encode("utf-8").replace(b"@HOSTILE@", self.bytes) + body)

    bytes = b"Bo"


def invites(rude, uri, name):
    """An INVITE with that display name, Subject and Contribution-ID; the final status."""
    rude.bytes = name
    msrp = Msrp(rude)
    tag = token(8)
    fields = (f'From: "@HOSTILE@" <{rude.uri}>;tag={tag}\r\nTo: <{uri}>\r\nCall-ID: {token(20)}\r\n' + rude.tagged_contact() +
              rude.caps() + f"Allow: {rude.allow}\r\nSubject: @HOSTILE@\r\nUser-Agent: @HOSTILE@\r\n")
    call = Call(rude, re.search(r"Call-ID: (\S+)", fields).group(1), msrp)
    rude.calls.append(call)
    final = rude.request("INVITE", uri, fields, body=rude.sdp(msrp), content_type="application/sdp")
    if final.status == 200:
        call.cseq = int(final.get("CSeq").split()[0])
        call.local, call.remote = final.get("From"), final.get("To")
        call.target, call.routes = final.contact, list(reversed(final.all("Record-Route")))
        call.took_sdp(final.body)
        rude.write_ack(call)
        msrp.connect()
        msrp.bind()
    return call, final.status


def harmless_everywhere():
    """Hostile bytes in whatever a peer can say; the server's log and trace, and a client's terminal and log."""
    # In a header field a line end would end it, and zero is no text: both are tried by datagrams.
    field = HOSTILE.replace(b"\x00", b"").replace(b'"', b"")
    with Stage(log_level="debug") as stage:
        datagrams(stage)
        out = os.path.join(stage.dir, "ann.log")
        with open(out, "wb") as errors:
            ann = subprocess.Popen([os.path.join(BIN, "confab"), "--user", "ann@example.com", "--server", stage.server,
                                    "--log", "debug", "--auto-accept", "wait"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=errors, bufsize=0,
                                   env={**os.environ, "CONFAB_PASSWORD": "pw-ann"})
        seen = bytearray()
        reader = threading.Thread(target=lambda: [seen.extend(x) for x in iter(lambda: ann.stdout.read(4096), b"")],
                                  daemon=True)
        reader.start()
        rude = Rude(stage, "bo")
        rude.until(lambda: b"online" in seen, "ann")
        open_calls = 0
        for name in (field, b"\x1b[31mBo", b"\xe2\x80\xaeoB", b"\xc2\x9b2J", b"Bo \xff"):
            call, status = invites(rude, f"sip:ann@{DOMAIN}", name)
            if status != 200:
                continue
            open_calls += 1
            # A name with control bytes is refused (RFC 3862), a turned one is not.
            for sender in (field, b"\xe2\x80\xaeoB"):
                status = call.msrp.send(b'From: "' + sender + b'" <sip:bo@example.com>\r\nTo: <sip:ann@example.com>\r\n\r\n'
                                        b"Content-Type: text/plain\r\n\r\n" + HOSTILE + b"\nAnn: forged\r\n")
                expect(status == (400 if sender is field else 200), f"MSRP {status}")
            rude.until(lambda n=open_calls: seen.count(b"Ann: forged") >= n, "the text on ann's terminal")
            call.bye()
        expect(open_calls >= 3, f"only {open_calls} calls were taken")
        rude.bytes = field
        status = rude.request("MESSAGE", f"sip:ann@{DOMAIN}", rude.identity(f"sip:ann@{DOMAIN}") + rude.caps(),
                              body=b"page " + HOSTILE, content_type="text/plain").status
        expect(status == 200, f"MESSAGE: {status}")
        rude.until(lambda: b"page " in seen, "the page on ann's terminal")
        # A refusal with a reason of its own, and an address that is not one.
        ann.stdin.write(b"/chat bo\n")
        m = rude.until(lambda: next((r for r in rude.requests if r.method == "INVITE"), None), "INVITE")
        fields = "".join(f"Via: {v}\r\n" for v in m.all("Via"))
        rude.write(f"SIP/2.0 486 @HOSTILE@\r\n{fields}From: {m.get('From')}\r\nTo: {m.get('To')};tag=x\r\n"
                   f"Call-ID: {m.get('Call-ID')}\r\nCSeq: {m.get('CSeq')}\r\nContent-Length: 0\r\n\r\n")
        rude.until(lambda: b"is over" in seen or b"486" in seen or b"declined" in seen or b"busy" in seen.lower(),
                   "the refusal on ann's terminal")
        ann.stdin.write(b"/quit\n")
        expect(ann.wait(20) == 0, f"ann ended with {ann.returncode}")
        reader.join(5)
        is_harmless("ann's terminal", bytes(seen), log=False)
        with open(out, "rb") as f:
            is_harmless("ann's log", f.read(), log=True)
        with open(os.path.join(stage.dir, "server.log"), "rb") as f:
            is_harmless("the server's log", f.read(), log=True)
        with open(stage.trace, "rb") as f:
            is_harmless("the trace", f.read(), log=False)
        expect(b"\xef\xbf\xbd" in seen, "nothing was replaced on the terminal")


if __name__ == "__main__":
    cases = Cases()
    cases.run("logs at their finest hold no secret and no text", [], nothing_secret)
    cases.run("a trace without bodies holds no text", [], nothing_written)
    cases.run("MD5 only for those who cannot do better", ["R-3"], weak_digest)
    cases.run("a peer's bytes do nothing to a log or a terminal", [], harmless_everywhere)
    cases.done()
