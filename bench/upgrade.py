"""Many 1-1 chats that become conferences at the same moment."""
import selectors
import time

from conference import Phones, path_of
from leg import Leg
from msrp import conference_server
from servers import free_ports
from table import Row

MESSAGES = 5  # of each inviter, the first of them right behind the answer
LIMIT_S = 30


class Upgrades(Phones):
    """Members 3k, 3k + 1 and 3k + 2 are Ann, Bo and Charles of upgrade k."""

    def __init__(self, port, count):
        super().__init__(port, 3 * count - 1)
        self.count, self.legs, self.selector = count, {}, selectors.DefaultSelector()
        self.began, self.first = [0.0] * count, {}

    def begin(self):
        for k in range(self.count):
            self.began[k] = time.monotonic()
            self.invite_factory(3 * k, "up%d" % k,
                                ["sip:%s@example.com;method=INVITE?Replaces=call%d%%3Bto-tag%%3Dt%%3Bfrom-tag%%3Df"
                                 % (self.user(3 * k + 1), k), "sip:%s@example.com" % self.user(3 * k + 2)])

    def join(self, i, path):
        self.legs[i] = leg = Leg(i, path, self.own_path(i))
        self.selector.register(leg.sock, selectors.EVENT_READ, leg)
        return leg

    def on_sip(self, first, fields, body):
        if first.startswith("INVITE "):
            i = self.answer_invite(fields, body)
            self.join(i, self.paths[i]).bind()
        elif first.startswith("SIP/2.0 2"):
            call = next(v for n, v in fields if n == "Call-ID")
            k = int(call[2:])
            leg = self.join(3 * k, path_of(body))
            conference = self.acknowledge(3 * k, call, fields)
            for number in range(MESSAGES):
                leg.say(self.user(3 * k), conference, number)
        elif first.startswith("SIP/2.0") and not first.startswith("SIP/2.0 1"):
            raise RuntimeError("an upgrade: " + first)

    def on_leg(self, leg):
        came = leg.read()
        if came and not leg.got:
            self.first[leg.i] = time.monotonic()
        leg.got += came

    def missing(self):
        return sum(MESSAGES - (self.legs[i].got if i in self.legs else 0)
                   for i in range(3 * self.count) if i % 3)

    def run(self):
        self.register()
        self.selector.register(self.sock, selectors.EVENT_READ, None)
        end = time.monotonic() + LIMIT_S
        self.begin()
        while self.missing() and time.monotonic() < end:
            for key, _ in self.selector.select(1):
                if key.data:
                    self.on_leg(key.data)
                    continue
                self.read()
                message = self.take()
                while message:
                    self.on_sip(*message)
                    message = self.take()
        return sorted(1000 * (max(self.first[3 * k + 1], self.first[3 * k + 2]) - self.began[k])
                      for k in range(self.count) if 3 * k + 1 in self.first and 3 * k + 2 in self.first)

    def close(self):
        for leg in self.legs.values():
            leg.sock.close()
        super().close()


def upgrade(place, quick):
    count, rounds = (20, 1) if quick else (200, 5)
    raw = []
    for _ in range(rounds):
        (place.port,) = free_ports(1)
        place.users(["m%d" % i for i in range(3 * count)])
        server = conference_server(place, 3)
        phones = Upgrades(place.port, count)
        try:
            before = server.cpu()[0]
            times = phones.run()
            raw.append({"upgrades": count, "lost": phones.missing(), "failed": count - len(times),
                        "median_ms": times[len(times) // 2] if times else None,
                        "p99_ms": times[len(times) * 99 // 100] if times else None,
                        "server_ms_each": 1000 * (server.cpu()[0] - before) / count})
        finally:
            phones.close()
            server.stop()
    best = sorted(raw, key=lambda r: r["median_ms"] or 1e9)[len(raw) // 2]
    lost = sum(r["lost"] for r in raw)
    text = ("median %.0f ms, p99 %.0f ms, %d of %d messages lost; %.1f ms CPU of the server each"
            % (best["median_ms"] or 0, best["p99_ms"] or 0, lost, sum(r["upgrades"] for r in raw) * 2 * MESSAGES,
               best["server_ms_each"]))
    print("  " + text, flush=True)
    return {"confab": raw}, [Row("upgrade", "%d at once, INVITE to first message at both" % count, text, "none lost",
                                 lost == 0)]
