#!/usr/bin/env python3
"""confab in line mode: what a person sees of a chat, of its move into a conference, and of an invitation."""
import os
import queue
import subprocess
import threading
import time

from stage import BIN, Cases, Failed, Stage, WAIT_S, expect


class Person:
    """One confab without --json, its lines in order."""

    def __init__(self, stage, name, *words):
        args = [os.path.join(BIN, "confab"), "--user", f"{name}@example.com", "--server", stage.server, *words]
        self.lines = []
        self.arrived = queue.Queue()
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                        env={**os.environ, "CONFAB_PASSWORD": stage.password(name)})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.arrived.put(line.decode("utf-8").rstrip("\n"))
        self.arrived.put(None)

    def type(self, text):
        self.process.stdin.write(text.encode() + b"\n")

    def sees(self, text, since=0):
        """Waits for a line; where it stands."""
        end = time.monotonic() + WAIT_S
        while True:
            for i in range(since, len(self.lines)):
                if text in self.lines[i]:
                    return i
            try:
                line = self.arrived.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise Failed(f"no line with {text!r}; seen: {self.lines}")
            self.lines.append(line)

    def quit(self):
        self.type("/quit")
        expect(self.process.wait(10) == 0, f"ended with {self.process.returncode}")


def chat_and_move():
    with Stage() as stage:
        bo, charles = stage.client("bo"), stage.client("charles")
        ann = Person(stage, "ann", "chat", "bo")
        ann.sees("* chatting with Bo")
        there = bo.wait("open")["conversation"]
        ann.type("hello")
        ann.type("//slash")
        bo.until(lambda c: c.texts() == ["hello", "/slash"], "both texts")
        # Nothing that a peer writes acts on the terminal.
        bo.send(cmd="send", conversation=there, text="a\x1b[2J\x07\x9b1m\u202eb\r\nAnn: not me\0\x7f")
        at = ann.sees("Bo: a")
        ann.sees("    Ann: not me")
        shown = "".join(ann.lines[at:])
        expect(shown == "Bo: a\ufffd[2J\ufffd\ufffd1m\ufffdb    Ann: not me\ufffd\ufffd", f"shown as {shown!r}")
        ann.type("/add charles")
        ann.sees("* you are adding people")
        ann.sees("* this chat is now a conference")
        ann.sees("* Charles joined")
        chat = charles.wait("open")["conversation"]
        charles.send(cmd="send", conversation=chat, text="to all")
        ann.sees("Charles: to all")
        ann.type("to both")
        charles.wait("message", text="to both")
        bo.wait("message", text="to both")
        ann.type("/who")
        ann.sees("* here: ")
        ann.type("/leave")
        ann.sees("* the conference is over")
        charles.wait("left", peer="sip:ann@example.com")
        ann.quit()


def invitations():
    with Stage() as stage:
        bo = stage.client("bo")
        ann = Person(stage, "ann", "wait")
        ann.sees("* online")
        chat = bo.chat("sip:ann@example.com")
        ann.sees("Bo (\"Bo\") wants to chat: /accept or /decline")
        ann.type("/decline")
        expect(bo.wait("ended", conversation=chat)["status"] == 603, "603 expected")
        since = ann.sees("is over")
        chat = bo.chat("sip:ann@example.com")
        ann.sees("wants to chat", since)
        ann.type("/accept")
        ann.sees("* chatting with Bo", since)
        bo.wait("open", conversation=chat)
        ann.type("yes?")
        bo.wait("message", text="yes?")
        ann.quit()


def one_alone_and_notices():
    """/msg, /nick, /page; who gets, sees and writes; what is shown counts as seen."""
    with Stage() as stage:
        ann, bo = Person(stage, "ann", "--notices", "wait"), Person(stage, "bo", "--auto-accept", "wait")
        charles = stage.client("charles")
        for p in (ann, bo):
            p.sees("* online")
        ann.type("/page bo call me,  please")
        bo.sees("Ann (page): call me,  please")
        ann.type("/page nobody hello")
        ann.sees("! the page to Nobody was not delivered: 404")
        ann.type("/chat bo charles")
        ann.sees("* you are in the conference")
        bo.sees("* you are in the conference")
        chat = charles.wait("open")["conversation"]
        ann.sees("* Bo joined")
        ann.type("to both")
        bo.sees("Ann: to both")
        ann.sees("* Bo has seen: to both")
        ann.sees("* Charles has got: to both")
        expect(not any("Charles has seen" in line for line in ann.lines), "charles has not looked yet")
        charles.send(cmd="displayed", conversation=chat, id=charles.wait("message", text="to both")["id"])
        ann.sees("* Charles has seen: to both")
        charles.send(cmd="typing", conversation=chat, active=True)
        ann.sees("* Charles is typing")
        ann.type("/msg bo psst  you")
        bo.sees("Ann (to you alone): psst  you")
        ann.type("/msg bo")
        ann.sees("! /msg NAME text")
        ann.type("/nick Queen of chess")
        ann.sees("* you are now Queen of chess")
        bo.type("/who")
        bo.sees('"Queen of chess"')
        bo.type("/nick queen of CHESS")
        bo.sees("! not your nickname: 425")
        ann.type("named")
        bo.sees("Queen of chess (Ann): named")
        expect("psst  you" not in charles.texts(), "charles has the private one")
        ann.type("/nick")
        ann.sees("* you have no nickname now")
        for p in (ann, bo):
            p.quit()


def from_a_pipe():
    with Stage() as stage:
        bo = stage.client("bo")
        done = subprocess.run([os.path.join(BIN, "confab"), "--user", "ann@example.com", "--server", stage.server,
                               "--password", stage.password("ann"), "chat", "bo"], input="one\ntwo\n", text=True,
                              capture_output=True, timeout=30)
        expect(done.returncode == 0, f"ended with {done.returncode}: {done.stderr}")
        bo.until(lambda c: c.texts() == ["one", "two"], "both texts")


cases = Cases()
cases.run("a person's chat becomes a conference", ["FL-2", "IC-7.1.4-1"], chat_and_move)
cases.run("a person declines and accepts", ["FL-1", "IC-8.3.1-1"], invitations)
cases.run("one alone, nicknames, pages, seen and typing", ["SW-1"], one_alone_and_notices)
cases.run("what came by a pipe arrives before the end", ["FL-1"], from_a_pipe)
cases.done()
