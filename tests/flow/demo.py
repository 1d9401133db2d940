#!/usr/bin/env python3
"""Ann, Bo and Charles: a chat that becomes a conference, played with the real programs over real sockets.

usage: demo.py [BIN_DIR] [--all] [--plain] [--keep DIR]

Prints the three screens side by side as they chat, the ladder of what was on the wire, and the counts. Ends with 0 only if
every message arrived at exactly those for whom it was meant, once and in order.
"""

import argparse
import collections
import os
import shutil
import signal
import subprocess
import sys
import time

import ladder
import stage as stage_room
from cells import clean, pad, width_of, wrap
from stage import Failed, Stage

PEOPLE = ("Ann", "Bo", "Charles")
HOLD_S = 1.0  # how long a line of the screens waits for its tick and for its counterparts beside it
WAIT_S = stage_room.WAIT_S


def address(person):
    return f"sip:{person.lower()}@{stage_room.DOMAIN}"


# --- what was written, and what was seen ---

class Written:
    """One message; whom it is for is fixed when the writer's phone takes it."""

    def __init__(self, writer, text):
        self.writer, self.text = writer, text
        self.id = None
        self.audience = frozenset()
        self.private = False  # for the other one of a chat of two
        self.state = ""       # the last word its writer was told

    @property
    def confirmed(self):
        """Between two phones by the peer's report, in a conference by the switch's 200."""
        return self.state == "delivered" or (self.state == "accepted" and not self.private)

    @property
    def settled(self):
        return self.confirmed or self.state in ("failed", "unconfirmed")


class Record:
    """Takes the clients' events; says what each was told and what each saw."""

    def __init__(self):
        self.written = []
        self.seen = {p: [] for p in PEOPLE}        # (from, text) in the order of the screen
        self.in_conference = {p: False for p in PEOPLE}
        self.gone = set()
        self.by_tag = {}
        self.errors = []

    def audience(self, writer):
        """Whom a message is for that is written now: fixed by the kind of the writer's chat at this moment."""
        if self.in_conference[writer]:
            return set(PEOPLE) - {writer} - self.gone
        return {"Ann": {"Bo"}, "Bo": {"Ann"}}.get(writer, set())

    def take(self, person, event):
        """One event. Returns the message of ours that it is about, or None."""
        kind = event.get("event")
        if kind in ("moving", "open") and event.get("conference"):
            self.in_conference[person] = True
        elif kind == "queued":
            m = event.get("draft") or Written(person, event["text"])
            m.id = event["id"]
            m.audience = frozenset(self.audience(person))
            m.private = not self.in_conference[person]
            self.written.append(m)
            return m
        elif kind == "sent":
            m = next((w for w in self.written if w.writer == person and w.id == event["id"]), None)
            if m is None:
                self.errors.append(f"{person} was told of a message that nobody wrote")
            else:
                m.state = event["state"]
            return m
        elif kind == "message":
            self.seen[person].append((ladder.name_of(event["from"]), event.get("text", "(not text)")))
        elif kind in ("error", "move-failed", "register-failed", "garbage"):
            self.errors.append(f"{person}: {kind}: {event.get('error') or event.get('text') or event.get('line', '')}")
        return None

    def arrived(self, m):
        return bool(m.id) and all((m.writer, m.text) in self.seen[p] for p in m.audience)


class Verdict:
    """Compares what was written with what was seen."""

    def __init__(self, record, messages=()):
        self.record = record
        self.problems = list(record.errors)
        self.of = {p: collections.Counter() for p in PEOPLE}
        for p in PEOPLE:
            self._person(p)
        for m in record.written:
            self.of[m.writer]["written"] += 1
            if m.state not in ("accepted", "delivered"):
                self.problems.append(f"{m.writer} was not told that “{m.text}” arrived ({m.state or 'no word'})")
        self.private = {m.text for m in record.written if m.private}
        self.private_at_charles = sum(text in self.private for _, text in record.seen["Charles"])
        self.private_on_server = self._wire(messages)

    def _person(self, p):
        record, count = self.record, self.of[p]
        due = [m for m in record.written if p in m.audience]
        count["due"] = len(due)
        times = collections.Counter(record.seen[p])
        wanted = collections.Counter((m.writer, m.text) for m in due)
        for (writer, text), n in times.items():
            want = wanted[(writer, text)]
            if want == 0:
                count["wrong"] += n
                self.problems.append(f"{p} saw what was not meant for {p}: “{text}” of {writer}")
            elif n > want:
                count["doubled"] += n - want
                self.problems.append(f"{p} saw “{text}” of {writer} {n} times")
            count["arrived"] += min(n, want)
        for (writer, text), n in wanted.items():
            if times[(writer, text)] < n:
                count["lost"] += n - times[(writer, text)]
                self.problems.append(f"{p} did not get “{text}” of {writer}")
        for writer in PEOPLE:
            want = [m.text for m in due if m.writer == writer]
            got = list(dict.fromkeys(t for w, t in record.seen[p] if w == writer and t in want))
            want = [t for t in want if t in got]
            moved = sum(a != b for a, b in zip(want, got))
            if moved:
                count["disordered"] += moved
                self.problems.append(f"{p} saw the messages of {writer} in another order")

    def _wire(self, messages):
        """What was written between two phones alone must never come to the server, or to Charles."""
        n = 0
        for m in messages:
            if m.proto == "msrp" and m.frame.kind == "SEND" and m.frame.text in self.private:
                if ladder.SERVER in (m.src, m.dst) or "Charles" in (m.src, m.dst):
                    n += 1
                    self.problems.append(f"“{m.frame.text}”, written between two, went from {m.src} to {m.dst}")
        return n

    def total(self, what):
        return sum(c[what] for c in self.of.values())

    def lines(self):
        columns = ("written", "due", "arrived", "doubled", "lost", "disordered", "wrong")
        names = ("written", "meant", "arrived", "doubled", "lost", "out of order", "not meant")
        out = ["Messages of people", "  " + " " * 9 + "".join(f"{n:>13}" for n in names)]
        out += [f"  {p:<9}" + "".join(f"{self.of[p][c]:>13}" for c in columns) for p in PEOPLE]
        t = {c: self.total(c) for c in columns}
        out += [f"  written between Ann and Bo alone: {len(self.private)}; seen by Charles: {self.private_at_charles}; "
                f"passed to the server: {self.private_on_server}",
                f"counts: {t['written']} messages written, {t['due']} arrivals due, {t['arrived']} arrived, "
                f"{t['doubled']} doubled, {t['lost']} lost, {t['disordered']} out of order, "
                f"{t['wrong']} wrongly addressed"]
        return out


def finish(verdict, say):
    """Says how it went; the exit status."""
    if not verdict.record.written:
        verdict.problems.append("nobody wrote anything")
    for problem in list(dict.fromkeys(verdict.problems))[:20]:
        say(f"demo: FAILED: {problem}")
    if verdict.problems:
        return 1
    say("demo: every message arrived at those for whom it was meant, once and in order")
    return 0


# --- the screens ---

class Block:
    """What stands side by side: at most one thing on each screen."""

    def __init__(self, now):
        self.cells = {}    # person -> (text, hang, style)
        self.own = {}      # person -> Written, whose tick is still due
        self.message = None
        self.born = now


class Screens:
    """Three columns that grow downwards. A line waits a moment for its tick, and for its counterparts to stand beside it."""

    STYLE = {"own": "32", "notice": "33", "message": ""}

    def __init__(self, out, width=100, plain=False, colour=False):
        self.out, self.plain, self.colour = out, plain, colour
        self.column = max(16, (width - 3 * (len(PEOPLE) - 1)) // len(PEOPLE))
        self.bar = " | " if plain else " │ "
        self.tick = "[ok]" if plain else "✓"
        self.blocks = []
        self.last = dict.fromkeys(PEOPLE, None)  # the block in which a person's screen ends
        self.late = []

    def heads(self):
        self._rule()
        self._row([(f"{p}'s screen", "1") for p in PEOPLE])
        self._rule()

    def _rule(self):
        line = "-" if self.plain else "─"
        cross = "-+-" if self.plain else "─┼─"
        self._print(cross.join([line * self.column] * len(PEOPLE)))

    def _print(self, text):
        self.out.write(text.rstrip() + "\n")
        self.out.flush()

    def _row(self, parts):
        texts = []
        for text, style in parts:
            filled = pad(text, self.column)
            texts.append(f"\x1b[{style}m{filled}\x1b[0m" if self.colour and style and text else filled)
        self._print(self.bar.join(texts))

    def _put(self, person, now, text, style, beside=None):
        """Into the first block not above the end of this person's screen; a received message not above where it was written."""
        text = clean(text)
        start = 0
        if self.last[person] in self.blocks:
            start = self.blocks.index(self.last[person]) + 1
        if beside is not None and beside in self.blocks:
            start = max(start, self.blocks.index(beside))
        elif beside is None:
            start = max(start, len(self.blocks) - 1)
        if start < len(self.blocks) and person not in self.blocks[start].cells:
            block = self.blocks[start]
        else:
            block = next((b for b in self.blocks[start:] if person not in b.cells), None)
        if block is None:
            block = Block(now)
            self.blocks.append(block)
        block.cells[person] = (text, style)
        self.last[person] = block
        return block

    def notice(self, person, text, now):
        self._put(person, now, text, "notice")

    def command(self, person, text, now):
        self._put(person, now, f"> {text}", "own")

    def own(self, person, m, now):
        block = Block(now)
        self.blocks.append(block)
        block.cells[person] = (f"> {clean(m.text)}", "own")
        block.own[person] = m
        block.message = m
        self.last[person] = block

    def message(self, person, sender, text, now):
        beside = next((b for b in self.blocks if b.message and b.message.writer == sender and b.message.text == text), None)
        self._put(person, now, f"{sender}: {text}", "message", beside)

    def _ready(self, block, record, now):
        if now - block.born >= HOLD_S:
            return True
        m = block.message
        return m is None or (record.arrived(m) and m.settled)

    def flush(self, record, now, everything=False):
        """Prints what waits for nothing more."""
        while self.blocks and (everything or self._ready(self.blocks[0], record, now)):
            # A block of notices alone may still get neighbours.
            if not everything and len(self.blocks) == 1 and not self.blocks[0].message \
                    and now - self.blocks[0].born < 0.03:
                return
            self._block(self.blocks.pop(0))
        for m in [m for m in self.late if m.settled]:
            self.late.remove(m)
            text = f'{self._mark(m)} "{m.text}"'
            self._row([(wrap(clean(text), self.column)[0] if p == m.writer else "", "32") for p in PEOPLE])

    def _mark(self, m):
        return {"failed": "(not delivered)", "unconfirmed": "(unconfirmed)"}.get(m.state, self.tick)

    def _block(self, block):
        columns = {}
        for person, (text, style) in block.cells.items():
            m = block.own.get(person)
            if m and m.settled:
                text += f" {self._mark(m)}"
            elif m:
                self.late.append(m)
            columns[person] = [(line, self.STYLE[style]) for line in wrap(text, self.column, "  ")]
        for i in range(max(map(len, columns.values()))):
            self._row([columns[p][i] if p in columns and i < len(columns[p]) else ("", "") for p in PEOPLE])


def notice_of(person, event):
    """What a person is told, in the words of confab; None: nothing."""
    kind = event["event"]
    peer = ladder.name_of(event.get("peer", ""))
    if kind == "open":
        return "* you are in the conference" if event["conference"] else f"* chatting with {peer}"
    if kind == "roster":
        return "* here: " + ", ".join(
            ("you" if p["self"] else "Anonymous" if p["anonymous"] else ladder.name_of(p["uri"]))
            + (f" ({p['how'] or p['status']})" if p["status"] != "connected" else "") for p in event["participants"])
    if kind == "ended":
        status = f" ({event['status']} {event['text']})" if event.get("status") else ""
        return f"* the chat with {'the conference' if event.get('conference') else peer} is over{status}"
    if kind == "left":
        return f"* {peer} left" + (f" ({event['text']})" if event.get("text") else "")
    return {"moving": f"* people are being added by {peer}", "moved": "* this chat is now a conference",
            "joined": f"* {peer} joined", "ringing": f"* {peer} is being asked", "registered": "* online",
            "register-failed": f"! not online: {event.get('status')} {event.get('text')}",
            "move-failed": f"! it stays a chat of two: {event.get('status')} {event.get('text')}",
            "connection": f"* connection {event.get('state')}",
            "error": f"! {event.get('error')}"}.get(kind)


# --- the play ---

class Play:
    """The three people at their phones."""

    def __init__(self, stage, screens, pace):
        self.stage, self.screens, self.pace = stage, screens, pace
        self.record = Record()
        self.client = {}
        self.chat = {}
        self.taken = dict.fromkeys(PEOPLE, 0)
        self.drafts = []  # by tag

    def come(self, person):
        with HeldSignals():
            c = stage_room.Client(self.stage, person.lower())
            self.stage.clients.append(c)
        self.client[person] = c
        self.until(lambda: c.find("registered") >= 0, f"{person} to be online")

    def pump(self, wait=0.005):
        """Takes in what came to anybody, in the order of its time, and shows it."""
        new = []
        for person, c in self.client.items():
            c.pump(wait if wait else 0)
            new += [(e.get("t", 0), person, e) for e in c.events[self.taken[person]:]]
            self.taken[person] = len(c.events)
        for _, person, event in sorted(new, key=lambda n: n[0]):
            self._take(person, event)
        self.screens.flush(self.record, time.monotonic())

    def _take(self, person, event):
        now, kind = time.monotonic(), event.get("event")
        if kind == "queued":
            event = dict(event, draft=self.drafts[event["tag"]])
        self.record.take(person, event)
        if kind == "message":
            self.screens.message(person, *self.record.seen[person][-1], now)
        elif kind in ("calling", "invited", "open"):
            self.chat.setdefault(person, event["conversation"])
        text = notice_of(person, event) if "event" in event else None
        if text:
            self.screens.notice(person, text, now)

    def until(self, condition, what):
        end = time.monotonic() + WAIT_S
        while not condition():
            if self.record.errors:
                raise Failed(self.record.errors[0])
            if time.monotonic() > end:
                raise Failed(f"in {WAIT_S:.0f} s there was no sign of {what}")
            for person, c in self.client.items():
                if c.process.poll() is not None and c.arrived.qsize() <= 1:
                    raise Failed(f"{person}'s phone stopped: {' '.join(c.last_words().split())[-300:]}")
            self.pump()

    def pause(self, seconds):
        end = time.monotonic() + seconds * self.pace
        while time.monotonic() < end:
            self.pump(0.01)

    def event(self, person, kind, since=0, **fields):
        return self.client[person].find(kind, since, **fields) >= 0

    def wait(self, person, kind, **fields):
        self.until(lambda: self.event(person, kind, **fields), f"{kind} at {person}")

    def type(self, person, text):
        """Typed and sent, without waiting for anything."""
        m = Written(person, text)
        self.drafts.append(m)
        self.screens.own(person, m, time.monotonic())
        self.client[person].send(cmd="send", conversation=self.chat[person], text=text, tag=len(self.drafts) - 1)
        return m

    def say(self, person, text):
        """A message as in a calm chat: the others have read it before the next one is written."""
        self.pause(min(1.8, 0.5 + 0.025 * width_of(text)))
        m = self.type(person, text)
        self.until(lambda: self.record.arrived(m) and m.settled, f"the arrival of “{text}”")

    def command(self, person, shown, **command):
        self.pump(0)
        self.screens.command(person, shown, time.monotonic())
        self.client[person].send(conversation=self.chat[person], **command)

    # The scenes.

    def two(self):
        """FL-1: Ann chats with Bo."""
        self.screens.command("Ann", "chat with Bo", time.monotonic())
        self.client["Ann"].send(cmd="chat", to=[address("Bo")], tag="chat")
        self.wait("Ann", "open")
        self.wait("Bo", "open")
        self.say("Ann", "Hi Bo! Are you coming to the concert on Friday?")
        self.say("Bo", "Yes! I have been waiting to hear them for years.")
        self.say("Ann", "Doors open at seven. Shall we meet half an hour before?")
        self.say("Bo", "行きましょう! 楽しみにしています 🎉")
        self.say("Ann", "I take that as a yes :-)")
        self.say("Ann", "Just between the two of us: it is Charles's birthday, and the ticket is our present.")
        self.say("Bo", "My lips are sealed 🤐 Do call him in!")

    def three(self):
        """FL-2: Ann adds Charles in the middle of a lively chat."""
        self.pause(0.8)
        self.type("Bo", "He must not hear of the cake either.")
        self.type("Ann", "He won't. Calling him now.")
        self.command("Ann", "/add charles", cmd="add", users=[address("Charles")])
        self.type("Bo", "By the way, I can bring my car.")
        self.type("Ann", "Hello Charles! Bo and I are making plans for Friday.")
        self.type("Bo", "Four seats, no music before the concert.")
        self.type("Ann", "Are you free in the evening?")
        self.wait("Bo", "moving")
        self.type("Bo", "Say yes, Charles!")
        self.type("Ann", "And do say it soon, there is one ticket left.")
        for person in ("Ann", "Bo"):
            self.wait(person, "moved")
        self.wait("Charles", "open")
        for person, others in (("Ann", ("Bo", "Charles")), ("Bo", ("Ann", "Charles")), ("Charles", ("Ann", "Bo"))):
            for other in others:
                self.wait(person, "joined", peer=address(other))
        self.rest()

    def rest(self):
        self.until(lambda: all(m.settled and self.record.arrived(m) for m in self.drafts), "the last of what was written")

    def together(self):
        """Ann, Bo and Charles are chatting together."""
        self.say("Charles", "Hi Ann, hi Bo! Friday? I'm in. What is it about?")
        self.say("Ann", "A concert. More we do not tell :-)")
        self.say("Bo", "I pick you both up at six. Αθήνα Bar first?")
        self.say("Charles", "Perfect. Who else is here?")
        since = len(self.client["Charles"].events)
        self.command("Charles", "/who", cmd="who")
        self.until(lambda: self.event("Charles", "roster", since, where=lambda e: sum(
            p["status"] == "connected" for p in e["participants"]) == 3), "three in the roster at Charles")
        self.say("Charles", "Just us. So, no surprises, please!")
        self.say("Ann", "Would we ever?")
        for person, text in (("Bo", "Never 😇"), ("Charles", "Hm."), ("Ann", "See you on Friday!")):
            self.type(person, text)
        self.say("Charles", "See you. Have to run now.")
        self.rest()

    def leaving(self):
        """FL-7: one leaves, the rest go on; then the conference ends."""
        self.pause(0.8)
        self.command("Charles", "/leave", cmd="leave")
        self.wait("Charles", "ended")
        for person in ("Ann", "Bo"):
            self.wait(person, "left", peer=address("Charles"))
        self.record.gone.add("Charles")
        self.say("Bo", "He has no idea.")
        self.say("Ann", "None at all. Good night, Bo!")
        self.rest()
        self.pause(0.6)
        self.command("Bo", "/leave", cmd="leave")
        self.wait("Bo", "ended")
        self.until(lambda: self.event("Ann", "left", peer=address("Bo")) or self.event("Ann", "ended"), "Bo's leaving at Ann")
        if not self.event("Ann", "ended"):
            self.command("Ann", "/leave", cmd="leave")
        self.wait("Ann", "ended")

    def run(self):
        for person in PEOPLE:
            self.come(person)
        self.two()
        self.three()
        self.together()
        self.leaving()
        self.pause(0.3)


# --- signals, and the stage's end ---

class HeldSignals:
    """SIGINT and SIGTERM wait until a process that is being started is known to those who end it."""

    depth = 0
    pending = False

    def __enter__(self):
        HeldSignals.depth += 1

    def __exit__(self, *_):
        HeldSignals.depth -= 1
        if HeldSignals.pending and HeldSignals.depth == 0:
            HeldSignals.pending = False
            raise KeyboardInterrupt

    @staticmethod
    def arrived(_number, _frame):
        if HeldSignals.depth:
            HeldSignals.pending = True
        else:
            raise KeyboardInterrupt


class DemoStage(Stage):
    """Leaves no process and no file also where it does not come up or is broken off."""

    def start(self):
        try:
            super().start()
        except BaseException:
            self.end_now()
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def end_now(self):
        """Without a word to anybody: the play was broken off."""
        processes = [c.process for c in self.clients] + [self.process]
        for p in processes:
            if p and p.poll() is None:
                p.kill()
        for p in processes:
            if p:
                p.wait()
        self.clients, self.process = [], None


def wire_of(stage):
    try:
        return ladder.load([stage.dir])
    except (ValueError, KeyError, OSError) as problem:
        wire = ladder.Wire([])
        wire.faults.append(f"the traces cannot be read: {problem}")
        return wire


def perform(stage, options, say, tty):
    """Plays, draws and counts. The exit status."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 160) if tty else 100
    colour = ladder.wants_colour(sys.stdout) and not options.plain
    screens = Screens(sys.stdout, max(width, 60), options.plain, colour)
    play = Play(stage, screens, 1.0 if tty and not os.environ.get("CONFAB_DEMO_FAST") else 0.0)
    troubles = []
    say("Ann chats with Bo, and adds Charles. What they see on their screens:")
    say("")
    screens.heads()
    try:
        play.run()
    except Failed as problem:
        troubles.append(str(problem))
    troubles += stage.stop()
    play.pump(0)
    screens.flush(play.record, time.monotonic(), everything=True)
    wire = wire_of(stage)
    troubles += wire.faults
    say("")
    say("What was on the wire (server: SIP core, participating function, focus and MSRP switch):")
    say("")
    for line in ladder.draw(wire, max(width, 60), options.all, options.plain, colour):
        say(line)
    say("")
    for line in ladder.count(wire):
        say(line)
    verdict = Verdict(play.record, wire.messages)
    verdict.problems[:0] = troubles
    say("")
    for line in verdict.lines():
        say(line)
    say("")
    return finish(verdict, say)


def main():
    parser = argparse.ArgumentParser(description="Plays the chat of Ann, Bo and Charles.")
    parser.add_argument("bin", nargs="?", help="folder of confabd, confab and confabctl")
    parser.add_argument("--all", action="store_true", help="draw every message of the ladder")
    parser.add_argument("--plain", action="store_true", help="ASCII lines, no colours")
    parser.add_argument("--keep", metavar="DIR", help="leave traces and logs in DIR")
    options = parser.parse_args()
    if options.bin:
        stage_room.BIN = options.bin
    for name in ("confabd", "confab", "confabctl"):
        if not os.access(os.path.join(stage_room.BIN, name), os.X_OK):
            parser.error(f"{os.path.join(stage_room.BIN, name)} is not there (./run demo builds it)")
    sys.stdout.reconfigure(errors="replace")
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        options.plain = True
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, HeldSignals.arrived)
    if options.keep:
        try:
            os.makedirs(options.keep, exist_ok=True)
        except OSError as problem:
            parser.error(f"--keep: {problem}")
    return guarded(options)


def guarded(options):
    """The play, and its end whatever happens. The exit status."""
    stage = None
    try:
        with HeldSignals():
            stage = DemoStage(tuple(p.lower() for p in PEOPLE))
        status = perform(stage, options, print, sys.stdout.isatty())
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\ndemo: broken off", flush=True)
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except (Failed, OSError, subprocess.SubprocessError) as problem:
        print(f"demo: FAILED: {problem}", flush=True)
        status = 1
    finally:
        HeldSignals.depth += 1
        if stage:
            stage.end_now()
            if options.keep:
                shutil.copytree(stage.dir, options.keep, dirs_exist_ok=True)
                print(f"traces and logs are in {options.keep}")
            stage.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
