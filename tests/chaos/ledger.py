"""What was sent, what the server said to it, and what became of it: counted at both ends.

The rule: a message that the server answered with 200 comes to everyone who was in the session when it was sent, or
its sender is told by a REPORT that it did not. One whose sender's own session broke (a server that was killed) is
counted apart: the break is what he was told. So is one whose sender has said BYE, where a receiver does not take
it: he has ended his session himself; and one whose sender reads nothing any more. Anything else is unaccounted.
"""


class Message:
    __slots__ = ("id", "by", "audience", "size", "status", "reported", "got", "cut_off", "left", "excused", "sent_at")

    def __init__(self, mid, by, audience, size, sent_at):
        self.id, self.by, self.audience, self.size, self.sent_at = mid, by, audience, size, sent_at
        self.status = 0             # of the last chunk's answer; 0: none came
        self.reported = 0
        self.got = set()
        self.cut_off = False        # the sender's session broke, or he reads nothing any more
        self.left = False           # the sender has ended his session himself
        self.excused = frozenset()  # who need not have got it then

    def is_open(self):
        """Acknowledged, and its fate is not known yet."""
        return self.status == 200 and not self.reported and not self.cut_off and not self.audience <= self.got | self.excused


class Ledger:
    def __init__(self):
        self.messages = {}
        self.twice = 0              # more than one copy at one receiver
        self.changed = []           # other bytes than were sent: which message, where, and how many bytes
        self.delays = []            # seconds from the SEND to each receiver
        self.strangers = 0
        self.dropped = self.dropped_copies = 0

    def sent(self, mid, by, audience, size, now):
        self.messages[mid] = Message(mid, by, frozenset(audience), size, now)
        return self.messages[mid]

    def answered(self, mid, status):
        self.messages[mid].status = status

    def has(self, mid, who):
        m = self.messages.get(mid)
        return m is not None and who in m.got

    def reported(self, mid, status):
        m = self.messages.get(mid)
        if m and status >= 300:
            m.reported = status

    def arrived(self, mid, who, n, intact, now):
        """n: bytes of its text."""
        m = self.messages.get(mid)
        if not m:
            self.strangers += 1
            return
        self.twice += who in m.got
        if not intact:
            self.changed.append(f"{mid} of {m.by} at {who}: {n} bytes of {m.size}")
        m.got.add(who)
        self.delays.append(now - m.sent_at)

    def leaves(self, who):
        """He says BYE: whether what was not answered yet is still for him, the server alone knows."""
        for m in self.messages.values():
            if not m.status:
                m.audience -= {who}

    def left(self, who, hurt):
        """He has said BYE: nobody can tell him any more of those who could not take what he said last, or leave, too."""
        for m in self.messages.values():
            if m.by == who:
                m.left = True
                m.excused |= hurt
            elif m.left:
                m.excused |= {who}

    def deaf(self, who):
        """He reads nothing any more: nobody can tell him anything."""
        for m in self.messages.values():
            if m.by == who:
                m.cut_off = True

    def forget_delivered(self):
        """Those whose end is known are counted and dropped: a long run would gather millions."""
        for mid in [i for i, m in self.messages.items() if m.status == 200 and m.audience <= m.got]:
            m = self.messages.pop(mid)
            self.dropped += 1
            self.dropped_copies += len(m.got)

    def open(self):
        """Those whose fate is not known yet."""
        return [m for m in self.messages.values() if m.is_open()]

    def open_of(self, users):
        """How many of theirs are open, and what is known of the first ones; empty: none."""
        theirs = [m for m in self.open() if m.by in users]
        return f"{len(theirs)} messages open: " + "; ".join(
            f"{m.id} of {m.by}, {m.size} bytes, not at {', '.join(sorted(m.audience - m.got))}, "
            f"at {', '.join(sorted(m.got)) or 'nobody'}" for m in theirs[:5]) if theirs else ""

    def counts(self):
        acknowledged = [m for m in self.messages.values() if m.status == 200]
        whole = [m for m in acknowledged if m.audience <= m.got]
        rest = [m for m in acknowledged if not m.audience <= m.got]
        return {"acknowledged": len(acknowledged) + self.dropped, "delivered": len(whole) + self.dropped,
                "failed": sum(1 for m in rest if m.reported),
                "broken": sum(1 for m in rest if not m.reported and not m.is_open()),
                "unaccounted": sum(1 for m in rest if m.is_open()),
                "changed": len(self.changed), "strangers": self.strangers, "twice": self.twice,
                "refused": sum(1 for m in self.messages.values() if m.status >= 300),
                "copies": sum(len(m.got) for m in acknowledged) + self.dropped_copies}


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p))] if ordered else 0.0
