"""One large message through the switch to ten receivers, beside a forwarder that only copies."""
import threading

from conference import Phones
from msrp import conference_server, floor_phones, phones_text
from servers import free_ports
from table import Row, median, spread

RECEIVERS = 10


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


def one_run(place, kind, size):
    (place.port,) = free_ports(1)
    argv, phones = ["--bytes", str(size)], None
    if kind == "confab":
        place.users(["m%d" % i for i in range(RECEIVERS + 1)])
        server = conference_server(place, RECEIVERS, "msrp.max_message=2G")
    else:
        server = place.floor("msrp_floor", "--listen", "127.0.0.1:%d" % place.port)
        argv.append("--floor")
    try:
        if kind == "confab":
            phones = Phones(place.port, RECEIVERS)
            text = phones_text(phones.start())
            argv += ["--to", phones.uri]
        else:
            text = phones_text(floor_phones(place.port, RECEIVERS))
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


def large(place, quick):
    size, rounds = (16 << 20, 1) if quick else (1 << 30, 5)
    runs = {"floor": [], "confab": []}
    for _ in range(rounds):
        for kind in runs:
            runs[kind].append(one_run(place, kind, size))
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(runs["floor"], runs["confab"])]
    cpu = [a["cpu_s"] / b["cpu_s"] for a, b in zip(runs["confab"], runs["floor"])]
    lost = sum(r["lost"] + r["failed"] for r in runs["confab"])
    grew = max(r["memory_grew"] for r in runs["confab"])
    mib = size * RECEIVERS / (1 << 20) / median([r["seconds"] for r in runs["confab"]])
    print("  %.0f MiB/s to %d receivers, %.2f of the floor's, CPU %.2f × floor, memory grew by %.1f MB, %d lost"
          % (mib, RECEIVERS, median(ratios), median(cpu), grew / 1e6, lost), flush=True)
    what = "%d MiB through the switch to %d" % (size >> 20, RECEIVERS)
    return runs, [Row("large-message", what + ": throughput", "%.2f × floor (±%.0f %%)" % (median(ratios), spread(ratios)),
                      "≥ 0.90 × floor", median(ratios) >= 0.9 and not lost),
                  Row("large-message", what + ": memory", "grows by %.1f MB" % (grew / 1e6), "flat (≤ 16 MB)",
                      grew <= 16e6 and not lost),
                  Row("large-message", "through the relay", "no bench for the relay yet", "", None, "no bench yet")]
