#!/usr/bin/env python3
"""A disk that is really full: store, log and trace of the server and of its clients stand on it. Nobody notices, and once
there is room again, all that was registered and made meanwhile is kept."""
# timeout: 200

import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

from raw_phone import RawPhone
from stage import DOMAIN, Cases, Failed, Stage, expect

BO, CHARLES = f"sip:bo@{DOMAIN}", f"sip:charles@{DOMAIN}"
INSIDE, SOON, ROOM = "CONFAB_ON_SMALL_DISK", 30, "4m"


def enter():
    """The rest of the script runs where a small file system can be mounted that nobody else sees."""
    if os.environ.get(INSIDE):
        return
    how = ["unshare", "--mount"]
    if os.geteuid() != 0:
        how += ["--user", "--map-root-user"]
    os.environ[INSIDE] = "1"
    sys.stdout.flush()
    os.execvp("unshare", how + [sys.executable, *sys.argv])


def fill(folder):
    """To the last byte. The file that does it."""
    path = os.path.join(folder, "filler")
    with open(path, "ab", buffering=0) as f:
        for size in (65536, 4096, 1):
            while True:
                try:
                    f.write(b"x" * size)
                except OSError as problem:
                    if problem.errno != errno.ENOSPC:
                        raise
                    break
    return path


def kept(stage, what):
    with sqlite3.connect(f"file:{stage.store}?mode=ro", uri=True) as db:
        return db.execute(what).fetchone()[0]


def log_of(stage):
    with open(os.path.join(stage.dir, "server.log"), encoding="utf-8") as f:
        return f.read()


def wait_for(what, true):
    end = time.monotonic() + SOON
    while not true():
        if time.monotonic() > end:
            raise Failed(what)
        time.sleep(0.05)


def registers(phone):
    answer = phone.ask("REGISTER", f"sip:{DOMAIN}", "Expires: 600\r\n", to=f"<{phone.uri}>")
    expect(answer.startswith("SIP/2.0 200"), f"REGISTER: {answer.splitlines()[0]}")


def full():
    with tempfile.TemporaryDirectory(prefix="confab-disk-") as disk:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "confab", disk], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Failed(f"no file system can be mounted: {done.stderr}")
        tempfile.tempdir = disk
        try:
            on_a_full_disk(disk)
        finally:
            tempfile.tempdir = None
            subprocess.run(["umount", "--lazy", disk], check=True)


def on_a_full_disk(disk):
    with Stage(users=("ann", "bo", "charles", "dora")) as stage:
        ann, bo, charles = (stage.client(n) for n in ("ann", "bo", "charles"))
        dora = RawPhone(stage, "dora")
        chat = ann.chat(BO)
        ann.wait("open", conversation=chat)
        bo.wait("open")
        filler = fill(disk)
        before = kept(stage, "SELECT count(*) FROM binding")
        # Words, a conference, a registration.
        ann.send(cmd="send", conversation=chat, text="on a full disk")
        bo.until(lambda c: "on a full disk" in c.texts(), "the text")
        ann.send(cmd="add", conversation=chat, users=[CHARLES])
        charles.wait("open", conference=True)
        ann.wait("moved", conversation=chat)
        ann.send(cmd="send", conversation=chat, text="to both")
        for c in (bo, charles):
            c.until(lambda c: "to both" in c.texts(), "the text in the conference")
        registers(dora)
        # For longer than it takes until a conference is written (KEEP_BATCH_MS).
        until, n = time.monotonic() + 0.5, 0
        while time.monotonic() < until:
            n += 1
            ann.send(cmd="send", conversation=chat, text=f"word {n}")
            for c in (bo, charles):
                c.until(lambda c, n=n: f"word {n}" in c.texts(), "a word")
        registers(dora)
        expect(stage.process.poll() is None, f"the server ended: {stage.last_words()}")
        expect(kept(stage, "SELECT count(*) FROM binding") == before, "the disk was not full")
        os.unlink(filler)
        # Written without being asked for.
        wait_for("dora is not kept", lambda: kept(stage, "SELECT count(*) FROM binding") == before + 1)
        wait_for("the conference is not kept", lambda: kept(stage, "SELECT count(*) FROM conference WHERE ended = 0") == 1)
        wait_for("no line about registrations", lambda: "registrations are kept again" in log_of(stage))
        wait_for("no line about conferences", lambda: "conferences are kept again" in log_of(stage))
        ann.send(cmd="send", conversation=chat, text="with room")
        for c in (bo, charles):
            c.until(lambda c: "with room" in c.texts(), "the text with room again")
        dora.close()


if __name__ == "__main__":
    enter()
    cases = Cases()
    cases.run("a full disk under store, log and trace", [], full)
    cases.done()
