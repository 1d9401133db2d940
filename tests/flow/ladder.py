#!/usr/bin/env python3
"""The SIP and MSRP messages of a chat as a ladder diagram, from the traces of the server and the clients.

usage: ladder.py [--all] [--plain] [--width N] DIR|TRACE...

A trace is what confabd (trace.file) and confab (--trace) write, one line of JSON per message or piece of an MSRP stream.
What stands in two traces, the sender's and the receiver's, is one arrow. The numbers at the left are the steps of the source's
slides; each of its slides begins to count at one where a chat begins and where it becomes a conference.
"""

import argparse
import collections
import os
import re
import shutil
import sys

from cells import cells, clean, clip, width_of, wrap
from stage import read_trace

SERVER = "Server"
SHOWN_MSRP = 2  # of a kind from one phone to the other, in a phase; by the server half as many
RUN_MIN = 3     # what is shorter is drawn in full


# --- MSRP streams ---

class Broken(Exception):
    """The stream is not MSRP from here on."""


class FrameReader:
    """MSRP frames out of a stream that comes in pieces (RFC 4975 §7.1)."""

    HEAD_MAX = 65536

    def __init__(self):
        self.left = b""
        self.end_line = None  # of the frame whose body is being read
        self.begin = 0        # where to go on looking

    def frames(self, data):
        """Yields the frames that are complete now, each with its end-line."""
        self.left += data
        while True:
            end = self._one()
            if not end:
                return
            raw = self.left[:end]
            self.left, self.end_line, self.begin = self.left[end:], None, 0
            yield raw

    def feed(self, data):
        return list(self.frames(data))

    def _one(self):
        if self.end_line is None and not self._head():
            return 0
        at = self.begin
        while True:
            at = self.left.find(self.end_line, at)
            if at < 0:
                # The end-line may be cut by the end of what there is.
                self.begin = max(self.begin, len(self.left) - len(self.end_line) - 2)
                return 0
            end = at + len(self.end_line)
            tail = self.left[end:end + 3]
            if len(tail) < 3 and (tail[:1] in (b"", b"$", b"+", b"#")) and tail[1:] in (b"", b"\r"):
                self.begin = at
                return 0
            if tail[:1] in (b"$", b"+", b"#") and tail[1:] == b"\r\n":
                return end + 3
            at += 2

    def _head(self):
        line, found, _ = self.left.partition(b"\r\n")
        if not b"MSRP ".startswith(line[:5]):
            raise Broken(f"no start line: {line[:40]!r}")
        if not found:
            if len(self.left) > self.HEAD_MAX:
                raise Broken("the start line does not end")
            return False
        words = line.split(b" ")
        if len(words) < 3 or not words[1]:
            raise Broken(f"no start line: {line[:40]!r}")
        end_line = b"\r\n-------" + words[1]
        head = self.left.find(b"\r\n\r\n")
        end = self.left.find(end_line)
        # A frame without content has no empty line before its end-line.
        if head < 0 and end < 0:
            if len(self.left) > self.HEAD_MAX:
                raise Broken("the head does not end")
            return False
        if end >= 0 and (head < 0 or end < head):
            self.begin = end
        else:
            self.begin = head + 2
        self.end_line = end_line
        return True


class Frame:
    """One MSRP request or response."""

    def __init__(self, raw):
        self.raw = raw
        words = raw.split(b"\r\n", 1)[0].decode("utf-8", "replace").split(" ", 2)
        self.tid, self.kind = words[1], words[2]
        self.status = int(self.kind[:3]) if re.match(r"\d{3}\b", self.kind) else 0
        self.end_at = raw.rfind(b"\r\n-------")
        self.flag = raw[-3:-2].decode()
        blank = raw.find(b"\r\n\r\n")
        self.body = raw[blank + 4:self.end_at] if 0 <= blank < self.end_at else b""
        head = raw[:blank if 0 <= blank < self.end_at else self.end_at].decode("utf-8", "replace")
        self.fields = {}
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            self.fields.setdefault(name.strip().lower(), value.strip())
        if not self.status:
            self.kind = self.kind.split(" ")[0]

    @property
    def content(self):
        """(type, bytes) of what is inside, without its CPIM wrapping."""
        kind = self.fields.get("content-type", "").lower()
        if not kind.startswith("message/cpim"):
            return kind, self.body
        parts = re.split(rb"\r?\n\r?\n", self.body, maxsplit=2)
        if len(parts) < 3:
            return kind, self.body
        inner = re.search(rb"(?im)^content-type:[ \t]*([^\r\n]*)", parts[1])
        return (inner.group(1).decode("latin-1").lower() if inner else "text/plain"), parts[2]

    @property
    def text(self):
        """What a person reads, or None."""
        kind, data = self.content
        return data.decode("utf-8", "replace") if data and kind.startswith("text/plain") else None


# --- messages ---

class Message:
    """One message on the wire, seen at its sender, at its receiver, or at both."""

    def __init__(self, proto, raw, t, order):
        self.proto, self.raw, self.t, self.order = proto, raw, t, order
        self.src = self.dst = None
        self.seen_out = self.seen_in = False
        self.step = self.title = ""
        self.phase = 0
        self.note = []
        self.noise = self.again = False
        if proto == "msrp":
            self.frame = Frame(raw)
        else:
            self._sip()

    COMPACT = {"f": "from", "t": "to", "i": "call-id", "m": "contact", "c": "content-type", "l": "content-length",
               "v": "via", "o": "event", "r": "refer-to", "b": "referred-by"}

    def _sip(self):
        head, _, self.body = self.raw.partition(b"\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.fields.setdefault(self.COMPACT.get(name, name), value.strip())
        words = lines[0].split(" ", 2)
        self.is_request = not lines[0].startswith("SIP/2.0")
        self.status = 0 if self.is_request else int(words[1]) if words[1:] and words[1].isdigit() else 0
        self.reason = "" if self.is_request or len(words) < 3 else words[2]
        self.uri = words[1] if self.is_request and len(words) > 1 else ""
        self.method = words[0] if self.is_request else (self.field("cseq").split() or ["", ""])[-1]
        self.call_id = self.field("call-id")
        self.number = (self.field("cseq").split() or [""])[0]

    def field(self, name):
        return self.fields.get(name, "")

    @property
    def begins_dialog(self):
        return self.is_request and self.method == "INVITE" and ";tag=" not in self.field("to")

    @property
    def kind(self):
        if self.proto == "msrp":
            return str(self.frame.status or self.frame.kind)
        return str(self.status) if not self.is_request else self.method


def user_of(uri):
    hit = re.search(r"(?:sips?|tel):([^@;>\s?]+)", uri, re.IGNORECASE)
    return hit.group(1) if hit else uri.strip("<>")


def name_of(who):
    """The lifeline of a trace's "who"."""
    user = user_of(who)
    return user[:1].upper() + user[1:] if user else "?"


class Wire:
    """Traces joined: every message once, in the order of their times."""

    def __init__(self, records):
        self.messages = []
        self.faults = []
        self.owner = {}    # address -> lifeline
        self._waiting = collections.defaultdict(list)
        self._streams = {}
        self._order = 0
        records = sorted(records, key=lambda r: r["t"])  # Stable: the order within a trace stays.
        for r in records:
            self.owner.setdefault(r["local"], name_of(r["who"]))
        for r in records:
            if r["proto"] == "sip":
                if r["bytes"].strip():
                    self._seen(r, r["bytes"])
            elif r["proto"] == "msrp":
                self._stream(r)
        for key, (reader, _) in self._streams.items():
            if reader and reader.left:
                self.faults.append(f"{key[0]}: a stream from or to {key[2]} ends within a frame")
        self._infer()
        self.messages.sort(key=lambda m: (m.t, m.order))

    def _stream(self, r):
        key = (name_of(r["who"]), r["local"], r["remote"], r["dir"])
        reader, _ = self._streams.setdefault(key, (FrameReader(), None))
        if reader is None:  # Given up: until a piece begins with a frame.
            if not r["bytes"].startswith(b"MSRP ") or r.get("cut"):
                return
            reader = FrameReader()
            self._streams[key] = (reader, None)
        if r.get("cut"):
            self.faults.append(f"{key[0]}: a piece was too long for the trace; frames are missing")
            self._streams[key] = (None, None)
            return
        try:
            for raw in reader.frames(r["bytes"]):
                self._seen(r, raw)
        except Broken as problem:
            self.faults.append(f"{key[0]}: the stream from or to {r['remote']} is not MSRP: {problem}")
            self._streams[key] = (None, None)

    def _seen(self, r, raw):
        """Joins the two sightings of a message by its bytes and directions."""
        out = r["dir"] == ">"
        me = name_of(r["who"])
        self._order += 1
        key = (r["proto"], raw, not out)
        fits = [w for w in self._waiting[key] if w[1] != me]
        near = [w for w in fits if w[2] == r["remote"] and w[3] == r["local"]]
        if fits:
            hit = (near or fits)[0]
            self._waiting[key].remove(hit)
            m = hit[0]
        else:
            m = Message(r["proto"], raw, r["t"], self._order)
            self.messages.append(m)
            self._waiting[(r["proto"], raw, out)].append((m, me, r["local"], r["remote"]))
        far = self.owner.get(r["remote"], r["remote"])
        if out:
            m.src, m.seen_out = me, True
            m.dst = m.dst or far
        else:
            m.dst, m.seen_in = me, True
            if not m.seen_out:
                m.src = m.src or far

    def _infer(self):
        """Names for ends whose trace is not there: who registers where, and whose SDP has which path."""
        names, paths = {}, {}
        for m in self.messages:
            if m.proto != "sip":
                continue
            if m.is_request and m.method == "REGISTER":
                names.setdefault(m.src, name_of(m.field("from")))
                names.setdefault(m.dst, SERVER)
            focus = "isfocus" in m.field("contact")
            for path in re.findall(r"(?m)^a=path:.*?msrps?://([^/;\s]+)", m.body.decode("utf-8", "replace")):
                paths.setdefault(path, SERVER if focus else name_of(m.field("from" if m.is_request else "to")))
        for m in self.messages:
            if m.proto != "msrp":
                continue
            for end, field in ((m.src, "from-path"), (m.dst, "to-path")):
                hit = re.search(r"msrps?://([^/;\s]+)", m.frame.fields.get(field, ""))
                if hit and hit.group(1) in paths:
                    names.setdefault(end, paths[hit.group(1)])
        names = {end: name for end, name in names.items() if ":" in end}
        for m in self.messages:
            m.src, m.dst = names.get(m.src, m.src), names.get(m.dst, m.dst)

    def once(self):
        """Messages seen at one end only although the other end's trace is there."""
        mine = set(self.owner.values())
        return [m for m in self.messages if not (m.seen_out and m.seen_in) and m.src in mine and m.dst in mine]


# --- the story: phases, and the steps of the slides ---

class Story:
    """Gives each message its phase and, where the slides have one, its step."""

    def __init__(self, messages):
        self.calls = {}      # Call-ID -> what it is
        self.members = set()
        self.due = {}        # what the move still waits for
        self.titles = []
        self.adder = self.added = ""
        self.together = False
        self.direct = False
        self.invitees = set()
        self.opening = set()  # tids of SENDs by which an invitee opens his session
        self.challenged = {(m.call_id, m.number, m.method) for m in messages
                           if m.proto == "sip" and m.status in (401, 407)}
        self.before = set()
        for m in messages:
            (self._sip if m.proto == "sip" else self._msrp)(m)
            m.phase = len(self.titles) - 1
        # An INVITE that was asked for the password belongs to its repetition.
        begun = {}
        for m in reversed(messages):
            if m.proto == "sip" and (m.call_id, m.number, "INVITE") in self.challenged:
                m.phase = begun.get(m.call_id, m.phase)
            elif m.proto == "sip" and m.begins_dialog:
                begun[m.call_id] = m.phase
        now = 0
        for m in messages:
            now = m.phase = max(now, m.phase)
            m.title = self.titles[now]

    def _enter(self, title):
        if not self.titles or title != self.titles[-1]:
            self.titles.append(title)

    def _sip(self, m):
        if not self.titles:
            self._enter("the phones register" if m.method == "REGISTER" else "the chat")
        key = (m.src, m.dst, m.raw)
        m.again = key in self.before
        self.before.add(key)
        m.noise = (m.method in ("REGISTER", "OPTIONS") or m.status == 100 or m.again
                   or (m.call_id, m.number, m.method) in self.challenged
                   or (m.method == "ACK" and (m.call_id, m.number, "INVITE") in self.challenged))
        if m.noise:
            return
        if m.begins_dialog:
            self._invite(m)
        elif m.method == "INVITE" and not m.is_request:
            self._answer(m)
        elif m.method == "BYE":
            self._bye(m)

    def _invite(self, m):
        listed = targets_of(m)
        if listed:
            replaced = [user for user, replaces in listed if replaces]
            self.adder = m.src
            self.added = and_list([name_of(user) for user, replaces in listed if not replaces])
            self.members = {m.src}
            self.due = {name_of(user) for user, _ in listed}
            self.together = False
            self.calls[m.call_id] = "factory"
            self._enter(f"{m.src} adds {self.added}: initiate the conference" if replaced
                        else f"{m.src} calls {self.added}: a conference from the start")
            m.step = "1"
        elif m.field("replaces"):
            self.calls[m.call_id] = "replaces"
            self._enter("ask the focus to build the conference, and to tear down the first session")
            m.note = ["3", f"focus: make the conference; {m.dst} first, in place of his chat with {self.adder}"]
            m.step = "4"
        elif "isfocus" in m.field("contact"):
            self.calls[m.call_id] = "invitee"
            self._tear_down()
            m.step = "6"
        else:
            if self.calls.setdefault(m.call_id, "chat") == "chat":
                if m.src != SERVER:
                    self._enter(f"{m.src} sets up a chat session with {name_of(m.uri)}")
                    self.direct = False
                m.step = "2" if m.src == SERVER else "1"

    def _tear_down(self):
        self._enter(f"tear down the first MSRP session, and set up a session with {self.added}")

    def _answer(self, m):
        call = self.calls.get(m.call_id)
        if m.status < 200:
            return
        if call == "chat":
            m.step = "4" if m.src == SERVER else "3"
        elif call == "factory":
            m.step = "2"
            if m.status < 300:
                m.note = ["2", "focus to switch: request MSRP resources; OK, SDP"]
        elif call in ("replaces", "invitee"):
            m.step = "4" if call == "replaces" else "6"
            if m.status < 300 and m.src != SERVER:
                self.members.add(m.src)
                if call == "invitee":
                    self.invitees.add(m.src)
            self.due.discard(m.src)

    def _bye(self, m):
        call = self.calls.get(m.call_id)
        if call == "chat":
            if self.adder:
                if not self.together:
                    self._tear_down()
                m.step = "5"
            elif m.is_request and m.src != SERVER:
                self._enter("the chat terminates")
            return
        if m.is_request:
            self.members.discard(m.src if m.src != SERVER else m.dst)
            self._enter(f"{m.src} leaves" if len(self.members) > 1 else "the chat terminates")

    def _msrp(self, m):
        f = m.frame
        if not self.titles:
            self._enter("the chat")
        if SERVER not in (m.src, m.dst):
            if not self.direct:
                m.step = "5"
                self.direct = bool(f.status)
            return
        if f.kind == "SEND" and not f.content[1] and m.src in self.invitees:
            self.opening.add(f.tid)
        if f.tid in self.opening:
            m.step = "6"
        if self.adder and not self.together and not self.due and f.kind == "SEND" and f.text and m.dst == SERVER:
            self.together = True
            self._enter(f"{and_list(sorted(self.members))} are chatting together")


def and_list(names):
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def targets_of(m):
    """The URI list of an INVITE: (user, whether to replace)."""
    body = m.body.decode("utf-8", "replace")
    return [(user_of(uri), "replaces=" in uri.lower())
            for uri in re.findall(r"<(?:\w+:)?entry\b[^>]*?\buri\s*=\s*[\"']([^\"']*)[\"']", body)]


def sip_label(m):
    if not m.is_request:
        text = f"{m.status} {m.reason}"
        text += f" ({m.method})" if m.method != "INVITE" else ""
        if "isfocus" in m.field("contact") and m.method == "INVITE":
            text += ", isfocus"
        if b"a=path:" in m.body:
            text += ", MSRP URI"
        return text
    if m.method == "INVITE":
        listed = targets_of(m)
        text = "INVITE " + name_of(m.uri) if not listed else "INVITE " + user_of(m.uri) + " {" + ", ".join(
            name_of(user) + (" ? Replaces" if replaces else "") for user, replaces in listed) + "}"
        if m.field("replaces"):
            text += ", Replaces"
        if "isfocus" in m.field("contact"):
            text += ", isfocus"
        if m.field("referred-by"):
            text += f", Referred-By {name_of(m.field('referred-by'))}"
        return text
    if m.method == "NOTIFY":
        users = re.findall(r"<(?:\w+:)?user\b[^>]*?entity=[\"']([^\"']*)[\"'](.*?)</(?:\w+:)?user>",
                           m.body.decode("utf-8", "replace"), re.DOTALL)
        here = [name_of(uri) for uri, rest in users if ">connected<" in rest]
        return "NOTIFY " + (and_list(here) + " in" if here else m.field("event"))
    if m.method in ("SUBSCRIBE", "REFER"):
        return f"{m.method} {m.field('event') or m.field('refer-to')}"
    return m.method


def msrp_label(m, room=60):
    f = m.frame
    if f.status:
        return f"MSRP {f.kind}"
    if f.kind == "REPORT":
        return f"MSRP REPORT {' '.join(f.fields.get('status', '').split()[1:2])}"
    if f.kind != "SEND":
        return f"MSRP {f.kind}"
    part = "" if f.flag == "$" else f" part {f.fields.get('byte-range', '')}{' cut off' if f.flag == '#' else ''}"
    kind, data = f.content
    if not data:
        return f"MSRP SEND{part} (opens the session)"
    if f.text is None:
        return f"MSRP SEND{part} {kind} ({len(data)} bytes)"
    return f"MSRP SEND{part} “{clip(clean(f.text), max(10, min(30, room - 12)))}”"


# --- the drawing ---

class Drawing:
    """Lines of text with lifelines and arrows."""

    MARGIN = 5

    def __init__(self, names, width=100, plain=False, colour=False):
        self.names, self.plain, self.colour = names, plain, colour
        self.width = max(width, 60)
        first = self.MARGIN + max(2, width_of(names[0]) // 2 + 1)
        last = self.width - max(2, width_of(names[-1]) // 2 + 1) - 1
        n = max(1, len(names) - 1)
        self.at = {name: first + (last - first) * i // n for i, name in enumerate(names)}
        self.out = []

    def _blank(self):
        row = [" "] * self.width
        for x in self.at.values():
            row[x] = "|" if self.plain else "│"
        return row

    @staticmethod
    def _put(row, x, text):
        for c in text:
            n = cells(c)
            if n == 0:
                if x > 0:
                    row[x - 1] += c
                continue
            if x < 0 or x + n > len(row):
                return
            row[x] = c
            if n == 2:
                row[x + 1] = ""
            x += n

    def _emit(self, row, margin="", style=""):
        if margin:
            row[:3] = margin.rjust(3)
        text = "".join(row).rstrip()
        if self.colour and style:
            text = f"\x1b[{style}m{text}\x1b[0m"
        self.out.append(text)

    def _words(self, text):
        return text.translate({0x2026: "...", 0x201c: '"', 0x201d: '"'}) if self.plain else text

    def heads(self):
        row = [" "] * self.width
        for name, x in self.at.items():
            self._put(row, max(0, x - width_of(name) // 2), clip(name, 24))
        self._emit(row, style="1")

    def title(self, text):
        if self.out:
            self._emit(self._blank())
        text, rule = self._words(text), "-" if self.plain else "─"
        self._emit([f"{rule * 2} {text} " + rule * max(0, self.width - width_of(text) - 4)], style="1")
        self.heads()

    def note(self, text, margin=""):
        """Beside the server's lifeline: what is not on the wire."""
        x = self.at.get(SERVER, min(self.at.values())) + 2
        for i, line in enumerate(wrap(f"[{self._words(text)}]", self.width - x - 1, " ")):
            row = self._blank()
            self._put(row, x, line + " ")
            self._emit(row, margin if i == 0 else "", "2")

    def line(self, text):
        row = self._blank()
        self._put(row, self.MARGIN + 4, f" {self._words(text)} ")
        self._emit(row, style="2")

    def room(self, src, dst):
        """Cells for text on an arrow between the two."""
        return abs(self.at[src] - self.at[dst]) - 7

    def arrow(self, src, dst, label, margin="", double=False, style=""):
        a, b = self.at[src], self.at[dst]
        left, right = min(a, b), max(a, b)
        room = self.room(src, dst)
        if src == dst:
            self.note(label, margin)
            return
        lines = wrap(self._words(label), max(room, 8))
        for line in lines[:-1]:
            row = self._blank()
            for x in range(left + 1, right):
                row[x] = " "
            self._put(row, left + 3 + (room - width_of(line)) // 2, line)
            self._emit(row, margin, style)
            margin = ""
        row = self._blank()
        stroke = ("=" if double else "-") if self.plain else ("═" if double else "─")
        for x in range(left + 1, right):
            row[x] = stroke
        for x in self.at.values():
            if left < x < right:
                row[x] = ("|" if self.plain else "╪" if double else "┼")
        self._put(row, left + 3 + max(0, (room - width_of(lines[-1]) - 2) // 2), f" {lines[-1]} ")
        if b > a:
            row[right - 1] = ">" if self.plain else "▶"
        else:
            row[left + 1] = "<" if self.plain else "◀"
        self._emit(row, margin, style)


def counted(messages):
    tally = collections.Counter(m.kind for m in messages)
    return ", ".join(f"{n} {kind}" for kind, n in tally.items())


def order_of(messages):
    """Lifelines from left to right: who calls, the server, the others as they come."""
    names = list(dict.fromkeys(name for m in messages for name in (m.src, m.dst)))
    caller = next((m.src for m in messages if m.proto == "sip" and m.begins_dialog and m.src != SERVER), None)
    phones = [n for n in names if n not in (SERVER, caller)]
    return ([caller] if caller else []) + ([SERVER] if SERVER in names else []) + phones


class Pick:
    """Which MSRP frames of a phase are drawn; the others are counted."""

    def __init__(self):
        self.drawn = collections.Counter()
        self.tids = set()
        self.ids = set()

    def wants(self, m):
        f = m.frame
        if f.status:
            return (m.dst, m.src, f.tid) in self.tids
        key = (m.src, m.dst, f.kind)
        if f.kind == "REPORT" and f.fields.get("message-id") not in self.ids:
            return False
        if f.kind == "SEND" and f.content[1] and f.fields.get("message-id") not in self.ids:
            # The switch's copies are drawn where the message itself is.
            if m.src == SERVER or self.drawn[key] >= (SHOWN_MSRP if m.dst != SERVER else SHOWN_MSRP // 2):
                return False
            self.drawn[key] += 1
        self.tids.add((m.src, m.dst, f.tid))
        self.ids.add(f.fields.get("message-id"))
        return True


def plan(messages, everything):
    """What to draw: ("title", text), ("message", m), ("run", [m...]), ("noise", [m...])."""
    out, run, phase, pick = [], [], None, Pick()
    noise = collections.defaultdict(list)
    for m in messages:
        if m.proto == "sip" and m.noise and not everything:
            noise[m.phase].append(m)

    def end_run():
        if 0 < len(run) < RUN_MIN:
            out.extend(("message", m) for m in run)
        elif run:
            out.append(("run", list(run)))
        run.clear()

    def end_noise():
        if phase in noise:
            out.append(("noise", noise[phase]))

    for m in messages:
        if m.phase != phase:
            end_run()
            end_noise()
            phase = m.phase
            pick.drawn.clear()
            out.append(("title", m.title))
        if m.proto == "sip" and m.noise and not everything:
            continue
        if m.proto == "msrp" and not everything and not pick.wants(m):
            run.append(m)
        else:
            end_run()
            out.append(("message", m))
    end_run()
    end_noise()
    return out


def draw(wire, width=100, everything=False, plain=False, colour=False):
    """The lines of the ladder."""
    messages = wire.messages
    if not messages:
        return ["no messages"]
    Story(messages)
    d = Drawing(order_of(messages), width, plain, colour)
    odd = set(map(id, wire.once()))
    for what, it in plan(messages, everything):
        if what == "title":
            d.title(it)
        elif what == "run":
            d.line(f"… {counted(it)} …")
        elif what == "noise":
            d.line(f"(not drawn: {counted(it)})")
        else:
            if it.note:
                d.note(it.note[1], it.note[0])
            label = sip_label(it) if it.proto == "sip" else msrp_label(it, d.room(it.src, it.dst))
            if it.again:
                label += " (again)"
            if id(it) in odd:
                label += " (seen at one end only)"
            d.arrow(it.src, it.dst, label, it.step, it.proto == "msrp",
                    "36" if it.proto == "msrp" else "31" if it.kind[0] in "456" else "")
    if any(it.note for what, it in plan(messages, everything) if what == "message"):
        d.out += ["", "[…] happens within the server; everything else is from the traces."
                  if not plain else "[...] happens within the server; everything else is from the traces."]
    return d.out + [f"note: {fault}" for fault in wire.faults]


# --- counts ---

def count(wire):
    """Lines: SIP by method and status, MSRP by kind."""
    sip = [m for m in wire.messages if m.proto == "sip"]
    msrp = [m for m in wire.messages if m.proto == "msrp"]
    methods = list(dict.fromkeys(m.method for m in sip))
    lines = [f"SIP on the wire: {len(sip)} messages", f"  {'method':<10}{'requests':>9}   answers by status"]
    for method in methods:
        answers = collections.Counter(m.status for m in sip if m.method == method and not m.is_request)
        n = sum(m.method == method and m.is_request for m in sip)
        lines.append(f"  {method:<10}{n:>9}   " + (", ".join(f"{s}: {k}" for s, k in sorted(answers.items())) or "-"))
    for where, these in (("straight between phones", [m for m in msrp if SERVER not in (m.src, m.dst)]),
                         ("by the switch", [m for m in msrp if SERVER in (m.src, m.dst)])):
        lines.append(f"  MSRP {where}: {len(these)} frames" + (f" ({counted(these)})" if these else ""))
    lines[-2:-2] = [f"MSRP on the wire: {len(msrp)} frames"]
    once = wire.once()
    if once:
        lines.append(f"  seen at one end only: {len(once)} ({counted(once)})")
    return lines


def traces_in(places):
    """The trace files among files and folders."""
    out = []
    for place in places:
        if os.path.isdir(place):
            out += sorted(os.path.join(place, name) for name in os.listdir(place) if name.endswith(".trace"))
        else:
            out.append(place)
    return out


def load(places):
    return Wire([record for path in traces_in(places) for record in read_trace(path)])


def wants_colour(stream):
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def main():
    parser = argparse.ArgumentParser(description="Draws the SIP and MSRP messages of traces as a ladder.")
    parser.add_argument("--all", action="store_true", help="draw every message, registrations and repetitions too")
    parser.add_argument("--plain", action="store_true", help="ASCII lines, no colours")
    parser.add_argument("--width", type=int, help="columns (default: the terminal's)")
    parser.add_argument("place", nargs="+", metavar="DIR|TRACE")
    a = parser.parse_args()
    for place in a.place:
        if not os.path.exists(place):
            parser.error(f"{place} is not there")
    if not traces_in(a.place):
        parser.error("no file there ends in .trace")
    sys.stdout.reconfigure(errors="replace")
    try:
        wire = load(a.place)
    except (ValueError, KeyError, OSError) as problem:
        parser.error(f"not a trace: {problem}")
    width = a.width or min(shutil.get_terminal_size((100, 24)).columns, 160)
    colour = wants_colour(sys.stdout) and not a.plain
    for line in draw(wire, width, a.all, a.plain, colour) + [""] + count(wire):
        print(line)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
