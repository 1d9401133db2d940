"""One large message through the switch to ten receivers, and through the relay, beside a forwarder that only copies."""
import threading

from conference import Phones
from msrp import conference_server, floor_phones, phones_text
from relay import Pairs, pairs_of_users
from servers import free_ports
from table import Row, median, spread

RECEIVERS = {"switch": 10, "relay": 1}


class Peak(threading.Thread):
    """The most memory a server is seen with."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.most, self.over = server, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.05):
            try:
                self.most = max(self.most, self.server.memory())
            except (OSError, KeyError):
                return


def one_run(place, way, kind, size):
    (place.port,) = free_ports(1)
    argv, phones, receivers = ["--bytes", str(size)], None, RECEIVERS[way]
    if kind == "confab":
        server = conference_server(place, receivers, "msrp.max_message=2G")
    else:
        server = place.floor("msrp_floor", "--listen", "127.0.0.1:%d" % place.port)
        argv.append("--floor")
    try:
        if kind == "floor":
            text = phones_text(floor_phones(place.port, receivers))
        elif way == "relay":
            phones = Pairs(place.port, 1)
            text = phones_text(phones.start())
        else:
            phones = Phones(place.port, receivers)
            text = phones_text(phones.start())
            argv += ["--to", phones.uri]
        before = server.memory()
        peak = Peak(server)
        peak.start()
        result = place.load("large_load", argv, server, stdin=text)
        peak.over.set()
        peak.join()
    finally:
        if phones:
            phones.close()
        server.stop()
    result["memory_grew"] = max(0, peak.most - before)
    return result


def large_way(place, way, quick):
    size, rounds = (16 << 20, 1) if quick else (1 << 30, 5)
    if way == "relay":
        pairs_of_users(place, 1)
    else:
        place.users(["m%d" % i for i in range(RECEIVERS[way] + 1)])
    runs = {"floor": [], "confab": []}
    for _ in range(rounds):
        for kind in runs:
            runs[kind].append(one_run(place, way, kind, size))
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(runs["floor"], runs["confab"])]
    cpu = [a["cpu_s"] / b["cpu_s"] for a, b in zip(runs["confab"], runs["floor"])]
    lost = sum(r["lost"] + r["failed"] for r in runs["confab"])
    grew = max(r["memory_grew"] for r in runs["confab"])
    mib = size * RECEIVERS[way] / (1 << 20) / median([r["seconds"] for r in runs["confab"]])
    print("  %s: %.0f MiB/s to %d, %.2f of the floor's, CPU %.2f × floor, memory grew by %.1f MB, %d lost"
          % (way, mib, RECEIVERS[way], median(ratios), median(cpu), grew / 1e6, lost), flush=True)
    what = "%d MiB through the %s to %d" % (size >> 20, way, RECEIVERS[way])
    return runs, [Row("large-message", what + ": throughput", "%.2f × floor (±%.0f %%)" % (median(ratios), spread(ratios)),
                      "≥ 0.90 × floor", median(ratios) >= 0.9 and not lost),
                  Row("large-message", what + ": memory", "grows by %.1f MB" % (grew / 1e6), "flat (≤ 16 MB)",
                      grew <= 16e6 and not lost)]


def large(place, quick):
    raw, rows = {"confab": {}}, []
    for way in RECEIVERS:
        raw["confab"][way], more = large_way(place, way, quick)
        rows += more
    return raw, rows
