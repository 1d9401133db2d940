"""FL-9, the claim of the source as figures: the same talk by two models of a chat.

(a) as the source proposes: two talk straight with each other, the server proxies their INVITE and nothing else, and
    the chat becomes a conference when a third is added.
(b) the conferencing model: every chat is a conference from the start, and the third is added to it by REFER.

Each phone has a SIP connection of its own, and in a conference an MSRP connection to the switch. In each chat one message
is under way at a time, by each in turn; half of them before the third comes, half after. What is counted: the server's CPU,
its memory, and every SIP message, MSRP frame and byte that it reads or writes.
"""
import re
import selectors
import socket
import time

from conference import Phones, path_of
from leg import Leg
from msrp import conference_server
from servers import free_ports
from table import Row, median, spread

MODELS = {"a": "direct until a third comes", "b": "conference from the start"}
SHARES = (90, 95, 98)  # % of the chats that stay with two
MESSAGES = 20          # of each chat
BODY = 200
AT_ONCE = 50           # chats that are being set up, changed or ended at the same time
LIMIT_S = 60
LINGER_S = 34          # what is kept of a finished INVITE is gone after it (RFC 6026: 64 T1)


def value(fields, name):
    return next(v for n, v in fields if n == name)


def listed(fields, name):
    return [v for n, v in fields if n == name]


class Dialog:
    """What a request inside of it says; the last INVITE's or answer's view of it."""

    def __init__(self, call, local, remote, target, routes):
        self.call, self.local, self.remote, self.target, self.routes, self.cseq = call, local, remote, target, routes, 10


class Party(Phones):
    """One phone, with a SIP connection of its own."""

    def __init__(self, port, name):
        self.messages = self.bytes = 0
        super().__init__(port, 0, name)
        self.dialog, self.old, self.leg = None, None, None

    @property
    def address(self):
        return "sip:%s@example.com" % self.user(0)

    def send(self, first, fields, body=""):
        text = "\r\n".join([first] + fields + ["Content-Length: %d" % len(body.encode()), "", body]).encode()
        self.messages += 1
        self.bytes += len(text)
        self.sock.sendall(text)

    def read(self):
        before = len(self.buffer)
        super().read()
        self.bytes += len(self.buffer) - before

    def take(self):
        message = super().take()
        self.messages += message is not None
        return message

    def invite(self, other, call):
        self.request("INVITE", other.address, 0, call,
                     ["Accept-Contact: *;+g.oma.sip-im;require;explicit", "P-Asserted-Identity: <%s>" % self.address,
                      "Allow: INVITE, ACK, CANCEL, BYE", "Supported: replaces", "Content-Type: application/sdp"],
                     self.sdp(0, "active"))

    def reply(self, status, fields, more=(), body=""):
        copied = ["%s: %s" % (n, v + (";tag=t0" if n == "To" and ";tag=" not in v else "")) for n, v in fields
                  if n in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")]
        self.send("SIP/2.0 " + status, copied + list(more), body)

    def accept(self, fields, sdp):
        """180 and 200 to an INVITE; makes the dialog."""
        self.reply("180 Ringing", fields, ["Contact: " + self.contact(0)])
        self.reply("200 OK", fields, ["Contact: " + self.contact(0), "Content-Type: application/sdp"], sdp)
        self.dialog = Dialog(value(fields, "Call-ID"), value(fields, "To") + ";tag=t0", value(fields, "From"),
                             re.search(r"<([^>]+)>", value(fields, "Contact")).group(1), listed(fields, "Record-Route"))

    def called(self, fields):
        """ACK to a 200; makes the dialog."""
        self.dialog = Dialog(value(fields, "Call-ID"), value(fields, "From"), value(fields, "To"),
                             re.search(r"<([^>]+)>", value(fields, "Contact")).group(1),
                             list(reversed(listed(fields, "Record-Route"))))
        self.inside("ACK", cseq=int(value(fields, "CSeq").split()[0]))

    def inside(self, method, fields=(), dialog=None, cseq=None):
        d = dialog or self.dialog
        d.cseq += 1
        self.send("%s %s SIP/2.0" % (method, d.target),
                  ["Via: SIP/2.0/TCP %s;branch=z9hG4bK%s%s%d%s;rport" % (self.here, d.call, self.user(0), d.cseq, method),
                   "Max-Forwards: 70"] + ["Route: " + r for r in d.routes] +
                  ["From: " + d.local, "To: " + d.remote, "Call-ID: " + d.call, "CSeq: %d %s" % (cseq or d.cseq, method),
                   "Contact: " + self.contact(0)] + list(fields))


class Chat:
    """One chat's life. Each step ends by len(self.left) == 0: what is still awaited of it."""

    def __init__(self, world, number, model, grows):
        self.world, self.number, self.model, self.grows = world, number, model, grows
        names = ["ann", "bo"] + (["charles"] if grows else [])
        self.parties = [Party(world.port, "%s%s%dx" % (world.name, n, number)) for n in names]
        self.left, self.said, self.until, self.members = set(), 0, 0, []
        for p in self.parties:
            p.register()
            world.watch(p.sock, self, p)

    def join(self, party, path):
        """To the switch; the first frame takes the seat."""
        party.leg = self.world.leg(self, party, path, party.own_path(0))
        party.leg.bind()
        self.done("joined %s" % party.name)

    def straight(self, body):
        """The MSRP session of the two, from Ann's phone to Bo's; the server sees nothing of it."""
        ann, bo = self.parties[:2]
        near, far = self.world.pair()
        ann.leg = self.world.leg(self, ann, path_of(body), ann.own_path(0), near)
        bo.leg = self.world.leg(self, bo, ann.own_path(0), path_of(body), far)
        for p in (ann, bo):
            p.leg.through = False
        self.done("talks")

    def done(self, what):
        self.left.discard(what)

    # the steps

    def open(self):
        ann, bo = self.parties[:2]
        self.call = "%s%d" % (self.world.name, self.number)
        if self.model == "a":
            self.left = {"talks", "acknowledged"}
            ann.invite(bo, self.call)
        else:
            self.left = {"joined %s" % p.name for p in (ann, bo)} | {"acknowledged"}
            ann.invite_factory(0, self.call, [bo.address])

    def grow(self):
        if not self.grows:
            return
        ann, bo, charles = self.parties
        if self.model == "b":
            self.left = {"joined %s" % charles.name, "referred", "acknowledged"}
            ann.inside("REFER", ["Refer-To: <%s>" % charles.address, "Refer-Sub: false", "Supported: norefersub",
                                 "P-Asserted-Identity: <%s>" % ann.address])
            return
        bo.old = bo.dialog
        self.left = {"joined %s" % p.name for p in self.parties} | {"acknowledged", "moved", "ended bo"}
        replaces = "%s%%3Bto-tag%%3Dt0%%3Bfrom-tag%%3D%s" % (self.call, self.call)
        ann.invite_factory(0, self.call + "c", ["%s;method=INVITE?Replaces=%s" % (bo.address, replaces), charles.address])

    def talk(self, number):
        self.members = [p for p in self.parties if p.leg]
        self.until, self.left = self.said + number, {"said"}
        self.say()

    def say(self):
        speaker = self.members[self.said % len(self.members)]
        self.missing = len(self.members) - 1
        to = self.conference if speaker.leg.through else self.parties[1].address
        speaker.leg.say(speaker.user(0), to, self.said, BODY)

    def close(self):
        # Between the two one BYE ends it; a conference is left by each.
        leaving = self.members if self.members[0].leg.through else self.members[:1]
        self.left = {"ended " + p.name for p in leaving}
        for p in self.members:
            self.world.unwatch(p.leg.sock)
        for p in leaving:
            p.inside("BYE")

    # what comes

    def on_sip(self, party, first, fields, body):
        method = first.split(" ", 1)[0]
        if method == "INVITE":
            self.invited(party, fields, body)
        elif method == "ACK":
            self.done("acknowledged")
        elif method == "BYE":
            party.reply("200 OK", fields)
            self.done("moved")
        elif method != "SIP/2.0":
            party.reply("200 OK", fields)
        elif first.startswith("SIP/2.0 2"):
            self.answered(party, value(fields, "CSeq").split()[1], fields, body)
        elif not first.startswith("SIP/2.0 1"):
            raise RuntimeError("a chat: " + first)

    def invited(self, party, fields, body):
        if "isfocus" not in value(fields, "Contact"):
            party.accept(fields, self.world.passive_sdp(party))
            return
        party.accept(fields, party.sdp(0, "active"))
        if party.old:  # the direct session is over for who was asked to replace it (RFC 3891 section 3)
            self.world.unwatch(party.leg.sock)
            party.inside("BYE", dialog=party.old)
        self.join(party, path_of(body))

    def answered(self, party, method, fields, body):
        if method == "REFER":
            self.done("referred")
        elif method == "BYE":
            self.done("ended " + ("bo" if party.old else party.name))
            party.old = None
        elif method == "INVITE":
            party.called(fields)
            if "isfocus" not in value(fields, "Contact"):
                self.straight(body)
                return
            if party.leg:
                self.world.unwatch(party.leg.sock)
            self.conference = party.dialog.target.split(";")[0]
            self.join(party, path_of(body))

    def on_leg(self, party):
        for _ in range(party.leg.read()):
            self.missing -= 1
            if self.missing:
                continue
            self.said += 1
            if self.said == self.until:
                self.done("said")
            else:
                self.say()


class World:
    """Many chats on one server."""

    def __init__(self, port, name):
        self.port, self.name = port, name
        self.selector = selectors.DefaultSelector()
        self.chats, self.legs = [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def watch(self, sock, chat, party, leg=None):
        self.selector.register(sock, selectors.EVENT_READ, (chat, party, leg))

    def unwatch(self, sock):
        self.selector.unregister(sock)

    def pair(self):
        near = socket.create_connection(self.listener.getsockname(), 10)
        return near, self.listener.accept()[0]

    def passive_sdp(self, party):
        here = "127.0.0.1:%d" % self.listener.getsockname()[1]
        return party.sdp(0, "passive").replace("127.0.0.1:9/", here + "/").replace("message 9 ", "message %s " % here[10:])

    def leg(self, chat, party, path, own, sock=None):
        leg = Leg(len(self.legs), path, own, sock)
        leg.through = True
        self.legs.append(leg)
        self.watch(leg.sock, chat, party, leg)
        return leg

    def add(self, chats):
        self.chats += chats

    def turn(self):
        for key, _ in self.selector.select(1):
            chat, party, leg = key.data
            if leg:
                if leg is party.leg:
                    chat.on_leg(party)
                continue
            party.read()
            message = party.take()
            while message:
                chat.on_sip(party, *message)
                message = party.take()

    def step(self, chats, what, *args):
        """One step of each chat's life, some at a time."""
        end = time.monotonic() + LIMIT_S
        waiting, busy = list(chats), []
        while (waiting or busy) and time.monotonic() < end:
            while waiting and len(busy) < AT_ONCE:
                busy.append(waiting.pop())
                getattr(busy[-1], what)(*args)
            self.turn()
            busy = [c for c in busy if c.left]

    def counts(self):
        through = [leg for leg in self.legs if leg.through]
        parties = [p for c in self.chats for p in c.parties]
        return {"sip_messages": sum(p.messages for p in parties), "msrp_frames": sum(leg.frames for leg in through),
                "bytes": sum(p.bytes for p in parties) + sum(leg.bytes for leg in through),
                "connections": len(through)}

    def close(self):
        for x in self.legs + [p for c in self.chats for p in c.parties]:
            x.sock.close()
        self.listener.close()
        self.selector.close()


STEPS = (("open",), ("talk", MESSAGES // 2), ("grow",), ("talk", MESSAGES - MESSAGES // 2), ("close",))


class Run:
    """One model, one share, one server."""

    def __init__(self, place, model, share, count):
        (place.port,) = free_ports(1)
        self.model, self.share, self.count = model, share, count
        self.server = conference_server(place, 3, "conference.max=100000")
        self.world = World(place.port, "w")

    def chats(self):
        """Every so many-th grows, so that each share is exact."""
        first = len(self.world.chats)
        grow = self.count * (100 - self.share) // 100
        more = [Chat(self.world, first + i, self.model, i * grow % self.count < grow) for i in range(self.count)]
        self.world.add(more)
        return more

    def play(self, chats, steps=STEPS):
        cpu = []
        for step in steps:
            before = self.server.cpu()[0]
            self.world.step(chats, *step)
            cpu.append(self.server.cpu()[0] - before)
        return cpu

    def close(self):
        self.world.close()
        self.server.stop()


def users(chats):
    return ["w%s%dx0" % (n, i) for i in range(chats) for n in ("ann", "bo", "charles")]


def cost(place, model, share, count):
    run = Run(place, model, share, count)
    try:
        chats = run.chats()
        zero = run.world.counts()
        cpu = run.play(chats)
        seen = run.world.counts()
        result = {k: seen[k] - zero[k] for k in seen}
        result.update(chats=count, grown=sum(c.grows for c in chats), cpu_s=sum(cpu), cpu_of_steps=cpu, lost=sum(MESSAGES - c.said for c in chats),
                      failed=sum(len(c.left) > 0 for c in chats))
        result["messages"] = result["sip_messages"] + result["msrp_frames"]
        return result
    finally:
        run.close()


def standing(place, share, count, linger):
    """Bytes of memory that a standing chat keeps, by each model, when its setup is forgotten: what a second lot of chats adds,
    which finds free again what the setup of the first took. Connections and registrations of the phones are there before."""
    runs = {model: Run(place, model, share, count) for model in MODELS}
    try:
        memory = {model: [] for model in MODELS}
        lots = {model: [run.chats(), run.chats()] for model, run in runs.items()}
        for again in range(2):
            for model, run in runs.items():
                run.play(lots[model][again], STEPS[:4])
                memory[model].append(run.server.memory())
            if not again:
                time.sleep(linger)
        return {model: max(m[1] - m[0], 0) / count for model, m in memory.items()}
    finally:
        for run in runs.values():
            run.close()


def over(runs, key):
    ratios = [b[key] / max(a[key], 1e-9) for a, b in zip(runs["a"], runs["b"])]
    each = {m: median([r[key] / r["chats"] for r in found]) for m, found in runs.items()}
    return median(ratios), spread(ratios), each


def steps_text(runs):
    """Where the CPU goes, in µs of the server: what other lengths of chats cost follows from it."""
    def each(model, i, n):
        return 1e6 * median([r["cpu_of_steps"][i] for r in runs[model]]) / max(n, 1)
    count = runs["a"][0]["chats"]
    grown = runs["a"][0]["grown"]
    return "; ".join("(%s) begin %.0f, a message %.1f, end %.0f, third one comes %.0f" % (
        m, each(m, 0, count), each(m, 1, count * (MESSAGES // 2)), each(m, 4, count), each(m, 2, grown)) for m in MODELS)


def row_of(share, runs, memory):
    lost = sum(r["lost"] + r["failed"] for found in runs.values() for r in found)
    cpu, wide, ms = over(runs, "cpu_s")
    messages, _, frames = over(runs, "messages")
    octets, _, size = over(runs, "bytes")
    connections, _, links = over(runs, "connections")
    kept = memory["b"] / max(memory["a"], 1)
    print("  %d %% of two, a chat by (b) over (a): CPU %.2f over %.2f ms; messages through the server %.0f over %.1f; "
          "bytes %.1f over %.1f kB; MSRP connections %.2f over %.2f; memory while it stands %.1f over %.1f kB; %d lost"
          % (share, 1e3 * ms["b"], 1e3 * ms["a"], frames["b"], frames["a"], size["b"] / 1e3, size["a"] / 1e3, links["b"],
             links["a"], memory["b"] / 1e3, memory["a"] / 1e3, lost), flush=True)
    print("     CPU µs: " + steps_text(runs), flush=True)
    return Row("two-models", "%d %% of two, (b) over (a)" % share,
               "CPU %.1f × (±%.0f %%), messages %.1f ×, bytes %.1f ×, MSRP connections %.0f ×, memory %.1f ×%s" % (
                   cpu, wide, messages, octets, connections, kept, ", %d lost" % lost if lost else ""),
               "none lost", not lost)


def two_models(place, quick):
    count, rounds = (50, 1) if quick else (200, 5)
    place.users(users(2 * count))
    raw, rows = {"confab": {}}, []
    for share in SHARES:
        runs = {model: [] for model in MODELS}
        for _ in range(rounds):
            for model in MODELS:
                runs[model].append(cost(place, model, share, count))
        memory = standing(place, share, count, 0 if quick else LINGER_S)
        raw["confab"][str(share)] = dict(runs, memory=memory)
        rows.append(row_of(share, runs, memory))
    return raw, rows
