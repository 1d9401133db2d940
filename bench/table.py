"""Numbers and rows of the summary."""
import re
import statistics


def median(values):
    return statistics.median(values)


def spread(values):
    """Half the distance from the least to the greatest, in percent of the median."""
    m = median(values)
    return 50.0 * (max(values) - min(values)) / m if m else 0.0


class Row:
    """ok: True met, False missed, None neither (printed only, or not built yet)."""

    def __init__(self, bench, work, result, target, ok, verdict=None):
        self.bench, self.work, self.result, self.target, self.ok = bench, work, result, target, ok
        self.verdict = verdict or {True: "met", False: "MISSED", None: "-"}[ok]

    def cells(self):
        return [self.bench, self.work, self.result, self.target, self.verdict]


def table(rows):
    head = ["bench", "work", "result", "target", "verdict"]
    cells = [head] + [r.cells() for r in rows]
    width = [max(len(c[i]) for c in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, width)) + " |" for line in cells]
    lines.insert(1, "| " + " | ".join("-" * w for w in width) + " |")
    return "\n".join(lines)


# The table of the README: what it says, and the rows that it sums up (bench, a part of work, a part of result).
README = (
    ("call through the proxy, UDP, 2,500 calls/s, none lost", "sip-proxy-udp", "", "floor"),
    ("the same at the highest rate that Kamailio carries", "sip-proxy-udp", "", "kamailio"),
    ("the same over TCP, 400 calls/s", "sip-proxy-tcp", "", "kamailio"),
    ("memory of a call while its transactions linger", "sip-memory", "proxy", ""),
    ("memory of a session in the media path", "sip-memory", "B2BUA", ""),
    ("1-1 relay, window 1, 4 and 32", "msrp-relay", "", "floor"),
    ("the same", "msrp-relay", "", "kamailio"),
    ("the same with TLS on both legs", "msrp-relay-tls", "", ""),
    ("fan-out to 3 ... 1000 receivers, window 1 and 4", "msrp-fanout", "", ""),
    ("memory of an idle MSRP connection, plain", "msrp-idle", "plain", ""),
    ("the same, TLS", "msrp-idle", "TLS", ""),
    ("1 GiB to ten receivers: throughput", "large-message", "switch to 10: throughput", ""),
    ("the same: memory", "large-message", "switch to 10: memory", ""),
    ("1 GiB through the relay: throughput", "large-message", "relay to 1: throughput", ""),
    ("200 chats become conferences at once: INVITE to first message at both", "upgrade", "", ""),
    ("CPU per call at 1,000 / 10,000 / 50,000 lingering calls", "growth", "per call", ""),
    ("CPU per 100,000 deliveries among so many sessions", "growth", "deliveries", ""),
    ("**conference from the start over direct until a third comes**, 90 % chats of two", "two-models", "90 %", ""),
    ("the same, 95 %", "two-models", "95 %", ""),
    ("the same, 98 %", "two-models", "98 %", ""),
)


def summed(results):
    """One result as it is; of several what is the same in all, with the numbers in front from the least to the greatest."""
    found = [re.match(r"(.*?)([0-9]+\.[0-9]+)(.*?)(?: \(.*)?$", r) for r in results]
    if len(results) == 1 or not all(found):
        return "; ".join(results)
    numbers = sorted((m.group(2) for m in found), key=float)
    return "%s%s to %s%s" % (found[0].group(1), numbers[0], numbers[-1], found[0].group(3))


def readme(rows, heading):
    lines = ["| %s | CPU over CPU, medians of five rounds |" % heading, "| --- | --- |"]
    for text, bench, work, result in README:
        results = [r.result for r in rows if r.bench == bench and work in r.work and result in r.result]
        if results:
            lines.append("| %s | %s |" % (text, summed(results)))
    return "\n".join(lines)
