"""The benches of the 1-1 relay: pairs whose sessions run through the B2BUA."""
import statistics
import time

import sip
from conference import Phones, path_of
from msrp import conference_server, floor_phones, phones_text
from servers import free_ports
from table import Row, median, spread

PAIRS = 50
WINDOWS = {1: (1.15, 0.7), 4: (1.25, 0.6), 32: (1.4, 0.5)}  # most of the floor, most of Kamailio


class Pairs(Phones):
    """Users 2k and 2k + 1 talk with each other; 2k begins, and is served in the media path. start() as Phones does."""

    def __init__(self, port, pairs, name="p", tls=False):
        super().__init__(port, 2 * pairs - 1, name, tls=tls)

    def invite(self, i):
        self.cseq = 0
        self.request("INVITE", "sip:%s@example.com" % self.user(i + 1), i, "%s%d" % (self.call, i),
                     ["Accept-Contact: *;+g.oma.sip-im;require;explicit",
                      "P-Asserted-Identity: <sip:%s@example.com>" % self.user(i), "Allow: INVITE, ACK, CANCEL, BYE",
                      "Content-Type: application/sdp"], self.sdp(i, "active"))

    def start(self):
        self.register()
        return self.start_sessions()

    def start_sessions(self):
        acknowledged = 0
        for i in range(0, self.n + 1, 2):
            self.invite(i)
            while len(self.paths) < i + 2 or acknowledged <= i // 2:
                first, fields, body = self.receive()
                if first.startswith("INVITE "):
                    self.answer_invite(fields, body)
                elif first.startswith("ACK "):
                    acknowledged += 1
                elif first.startswith("SIP/2.0 2"):
                    self.paths[i] = path_of(body)
                    self.acknowledge(i, "%s%d" % (self.call, i), fields)
                elif not first.startswith("SIP/2.0 1"):
                    raise RuntimeError("a pair: " + first)
        return self.places()


def kamailio_phones(port, pairs):
    """They learn their paths by AUTH."""
    here = "127.0.0.1:%d" % port
    return [(here, "msrp://%s;tcp" % here, "msrp://127.0.0.1:9/p%d-session-of-a-phone;tcp" % i) for i in range(2 * pairs)]


def relay_run(place, kind, window, messages, tls=False):
    """messages: of each pair."""
    (place.port,) = free_ports(1)
    argv = ["--messages", str(messages), "--window", str(window), "--group", "2", "--singly",
            "--from", "sip:p0@example.com", "--to", "sip:p1@example.com"]
    phones = None
    if kind == "confab":
        server = conference_server(place, 3, *(place.tls() if tls else ()))
        argv += ["--tls"] if tls else []
    elif kind == "kamailio":
        server = place.kamailio_msrp(place.port)
        argv.append("--auth")
    else:
        server = place.floor("msrp_floor", "--listen", "127.0.0.1:%d" % place.port)
        argv.append("--floor")
    try:
        if kind == "confab":
            phones = Pairs(place.port, PAIRS, tls=tls)
            text = phones_text(phones.start())
        elif kind == "kamailio":
            text = phones_text(kamailio_phones(place.port, PAIRS))
        else:
            text = phones_text(floor_phones(place.port, 2 * PAIRS - 1))
        result = place.load("msrp_load", argv, server, stdin=text)
    finally:
        if phones:
            phones.close()
        server.stop()
    result["s_per_100k"] = result["cpu_s"] * 1e5 / max(result["deliveries"], 1)
    result["user_s_per_100k"] = result["user_s"] * 1e5 / max(result["deliveries"], 1)
    return result


def pairs_of_users(place, pairs):
    names = ["p%d" % i for i in range(2 * pairs)]
    place.users(names)
    place.in_media_path(names[::2])


def row(window, runs, kind, limit):
    if kind not in runs:
        return Row("msrp-relay", "window %d" % window, "%s did not run" % kind, "≤ %.2f × %s" % (limit, kind), None)
    ratios = [a["s_per_100k"] / b["s_per_100k"] for a, b in zip(runs["confab"], runs[kind])]
    lost = sum(r["lost"] + r["failed"] for r in runs["confab"])
    return Row("msrp-relay", "window %d" % window,
               "%.2f × %s (±%.0f %%)%s" % (median(ratios), kind, spread(ratios), ", %d lost" % lost if lost else ""),
               "≤ %.2f × %s" % (limit, kind), median(ratios) <= limit and not lost)


def describe(runs):
    return ", ".join("%s %.2f (%.2f user)" % (kind, median([r["s_per_100k"] for r in found]),
                                             statistics.median(r["user_s_per_100k"] for r in found))
                     for kind, found in runs.items())


def relay(place, quick):
    pairs_of_users(place, PAIRS)
    raw, rows = {}, []
    for window, (of_floor, of_kamailio) in WINDOWS.items():
        runs = {kind: [] for kind in sip.peers(["floor", "confab", "kamailio"])}
        for _ in range(1 if quick else 5):
            for kind in runs:
                runs[kind].append(relay_run(place, kind, window, 40 if quick else 1200))
        print("  window %2d: CPU s per 100,000 messages: %s" % (window, describe(runs)), flush=True)
        rows += [row(window, runs, "floor", of_floor), row(window, runs, "kamailio", of_kamailio)]
        for kind in runs:
            raw.setdefault(kind, {})["window %d" % window] = runs[kind]
    return raw, rows


def relay_tls(place, quick):
    """TLS on both legs, and without, in turn."""
    pairs_of_users(place, PAIRS)
    raw, rows = {}, []
    for window in WINDOWS:
        runs = {"plain": [], "tls": []}
        for _ in range(1 if quick else 5):
            for kind in runs:
                runs[kind].append(relay_run(place, "confab", window, 40 if quick else 1200, kind == "tls"))
        more = [a["s_per_100k"] - b["s_per_100k"] for a, b in zip(runs["tls"], runs["plain"])]
        lost = sum(r["lost"] + r["failed"] for r in runs["tls"])
        print("  window %2d: CPU s per 100,000 messages: %s" % (window, describe(runs)), flush=True)
        rows.append(Row("msrp-relay-tls", "window %d" % window, "plain + %.2f s per 100,000 (%.2f to %.2f)%s" % (
            median(more), min(more), max(more), ", %d lost" % lost if lost else ""), "≤ plain + 0.70 s",
            median(more) <= 0.7 and not lost))
        raw["window %d" % window] = runs
    return {"confab": raw}, rows


def session_memory(place, quick):
    """Private memory of the server per session in the media path, SIP and relay, without the phones' connections. The second
    lot counts: it finds free again what the setup of the first took (its transactions linger for 32 s)."""
    pairs, linger = (50, 0) if quick else (1500, 34)
    names = ["%s%d" % (lot, i) for lot in "pq" for i in range(2 * pairs)]
    place.users(names)
    place.in_media_path(names[::2])
    (place.port,) = free_ports(1)
    server = conference_server(place, 3, "msrp.rebind_grace_ms=600000")
    first, second = [Pairs(place.port, pairs, lot) for lot in "pq"]
    memory = []

    def connected(when):
        if when != "ready":
            return
        time.sleep(linger)
        memory.append(server.memory())
        second.start_sessions()
        memory.append(server.memory())
        place.let_go()

    try:
        second.register()
        # A session to which nobody connects ends.
        place.load("msrp_load", ["--idle", "--group", "2"], server, stdin=phones_text(first.start()), hook=connected)
    finally:
        for lot in (first, second):
            lot.close()
        server.stop()
    each = (memory[1] - memory[0]) / pairs
    print("  bytes per B2BUA session: %.0f (%d of them)" % (each, pairs), flush=True)
    return {"sessions": pairs, "bytes_each": each}, Row("sip-memory", "B2BUA, per session (SIP and relay)",
                                                        "%.2f kB" % (each / 1000), "≤ 4 kB", each <= 4000)
