"""The benches of SIP: calls through the proxy."""
import statistics
import threading
import time

from servers import free_ports
from table import Row, median, spread

USERS = 10
PEER_RATES = (2500, 2000, 1600, 1200, 800)
WITH_PEERS = True


def one_call_run(place, kind, tcp, rate, seconds, settings=(), hook=None):
    """Starts a server, puts the load on it, ends it; returns the load's report with CPU per call."""
    port, caller, callee = free_ports(3)
    at = "127.0.0.1:%d"
    argv = ["--server", at % port, "--caller", at % caller, "--callee", at % callee, "--rate", str(rate),
            "--seconds", str(seconds), "--users", str(USERS)]
    if tcp:
        argv.append("--tcp")
    if kind == "confab":
        server = place.confabd(port, *settings)
        argv.append("--register")
    elif kind == "kamailio":
        server = place.kamailio(port, callee, tcp)
    else:
        server = place.floor("sip_floor", "--listen", at % port, "--callee", at % callee)
    try:
        result = place.load("sip_load", argv, server, (lambda when: hook(when, server)) if hook else None)
    finally:
        server.stop()
    done = max(result["completed"], 1)
    result["us_per_call"] = result["cpu_s"] * 1e6 / done
    result["user_us_per_call"] = result["user_s"] * 1e6 / done
    return result


def store(place):
    place.users(["bo%d" % i for i in range(USERS)] + ["ann%d" % i for i in range(USERS)])


def rounds(place, kinds, tcp, rate, seconds, n):
    runs = {kind: [] for kind in kinds}
    for _ in range(n):
        for kind in kinds:
            runs[kind].append(one_call_run(place, kind, tcp, rate, seconds))
    return runs


def figures(runs):
    return {kind: [r["us_per_call"] for r in results] for kind, results in runs.items()}


def describe(kind, runs):
    cpu = [r["us_per_call"] for r in runs]
    user = statistics.median(r["user_us_per_call"] for r in runs)
    lost = sum(r["lost"] + r["failed"] for r in runs)
    calls = sum(r["calls"] for r in runs)
    return "%s %.1f (%.0f user) ±%.0f %%, %d of %d lost" % (kind, median(cpu), user, spread(cpu), lost, calls)


def peers(kinds):
    """Kamailio runs beside where it is installed."""
    return kinds if WITH_PEERS else [k for k in kinds if k != "kamailio"]


def against(runs, kind, limit, bench, what, losses=True):
    """A row for Confab over another, round by round: both saw the same machine at the same time."""
    if kind not in runs:
        return Row(bench, what, "%s did not run" % kind, "≤ %.2f × %s" % (limit, kind), None)
    # Where the other lost calls, its CPU per call is not that of the work.
    whole = [i for i, r in enumerate(runs[kind]) if not r["lost"] + r["failed"]]
    if not whole:
        return Row(bench, what, "%s lost calls in each round" % kind, "≤ %.2f × %s" % (limit, kind), None)
    cpu = figures(runs)
    ratios = [cpu["confab"][i] / cpu[kind][i] for i in whole]
    lost = sum(r["lost"] + r["failed"] for r in runs["confab"])
    ok = median(ratios) <= limit and not (losses and lost)
    return Row(bench, what, "%.2f × %s (±%.0f %%)%s" % (median(ratios), kind, spread(ratios),
               ", %d lost" % lost if lost else ""), "≤ %.2f × %s" % (limit, kind), ok)


def carried(place, rates):
    """The highest of these rates at which Kamailio loses nothing: past it, what it spends on repeating would count against
    it. Debian's 5.6.3 carries most with one child: more of them wait for each other."""
    for rate in rates:
        run = one_call_run(place, "kamailio", False, rate, 2)
        print("  kamailio at %d calls/s: %d of %d lost" % (rate, run["lost"] + run["failed"], run["calls"]), flush=True)
        if not run["lost"] + run["failed"]:
            break
    return rate


def proxy_udp(place, quick):
    """The floor at the full rate, Kamailio at the highest that it carries."""
    store(place)
    rate, seconds, n = (500, 1, 1) if quick else (2500, 4, 5)
    runs = rounds(place, ["floor", "confab"], False, rate, seconds, n)
    beside = 200 if quick or not WITH_PEERS else carried(place, PEER_RATES)
    slow = rounds(place, peers(["confab", "kamailio"]), False, beside, seconds, n)
    for kind in runs:
        print("  %d calls/s, CPU µs per call: %s" % (rate, describe(kind, runs[kind])), flush=True)
    for kind in slow:
        print("  %d calls/s, CPU µs per call: %s" % (beside, describe(kind, slow[kind])), flush=True)
    raw = {"floor": runs["floor"], "confab": runs["confab"] + slow["confab"], "kamailio": slow.get("kamailio", [])}
    return raw, [against(runs, "floor", 2.0, "sip-proxy-udp", "%d calls/s, CPU per call" % rate),
                 against(slow, "kamailio", 0.2, "sip-proxy-udp", "%d calls/s, CPU per call" % beside)]


def proxy_tcp(place, quick):
    store(place)
    kinds = peers(["confab", "kamailio"])
    rate, seconds, n = (200, 1, 1) if quick else (400, 5, 5)
    runs = rounds(place, kinds, True, rate, seconds, n)
    for kind in kinds:
        print("  CPU µs per call: " + describe(kind, runs[kind]), flush=True)
    return runs, [against(runs, "kamailio", 0.25, "sip-proxy-tcp", "%d calls/s, CPU per call" % rate)]


def memory(place, quick):
    """Private memory of the server before and right after calls whose transactions all linger still."""
    store(place)
    raw = {}
    for kind in peers(["confab", "kamailio"]):
        # Kamailio gets a rate that one child carries.
        rate, seconds = (500, 1) if quick else (2500, 8) if kind == "confab" else (800, 10)
        at = {}
        result = one_call_run(place, kind, False, rate, seconds,
                              hook=lambda when, server, at=at: at.__setitem__(when, server.memory()))
        result["bytes_per_call"] = (at["end"] - at["ready"]) / max(result["completed"], 1)
        raw[kind] = [result]
        print("  bytes kept per call: %s %.0f (%d calls)" % (kind, result["bytes_per_call"], result["calls"]), flush=True)
    bytes_per_call = raw["confab"][0]["bytes_per_call"]
    return raw, [Row("sip-memory", "proxy, per call while it lingers", "%.2f kB" % (bytes_per_call / 1000), "≤ 2 kB",
                     bytes_per_call <= 2000)]


class Sampler(threading.Thread):
    """CPU of a server at given times after the start of the load."""

    def __init__(self, server, times):
        super().__init__(daemon=True)
        self.server, self.times, self.seen = server, times, []

    def run(self):
        began = time.monotonic()
        for t in self.times:
            time.sleep(max(0, began + t - time.monotonic()))
            self.seen.append((time.monotonic() - began, self.server.cpu()[0]))


def growth_calls(place, quick):
    """CPU per call while 1,000, 10,000 and 50,000 calls linger (a call lingers for 32 s)."""
    store(place)
    rate, seconds = (500, 1) if quick else (2500, 22)
    marks = {"1,000": (0.2, 0.8)} if quick else {"1,000": (0.2, 2.2), "10,000": (3, 5), "50,000": (19, 21)}
    runs = {name: [] for name in marks}
    for _ in range(1 if quick else 5):
        sampler = []

        def hook(when, server):
            if when == "ready":
                sampler.append(Sampler(server, [t for pair in marks.values() for t in pair]))
                sampler[0].start()

        result = one_call_run(place, "confab", False, rate, seconds, hook=hook)
        sampler[0].join()
        seen = sampler[0].seen
        for i, name in enumerate(marks):
            (t0, c0), (t1, c1) = seen[2 * i], seen[2 * i + 1]
            runs[name].append({"us_per_call": (c1 - c0) * 1e6 / ((t1 - t0) * rate), "lost": result["lost"],
                               "failed": result["failed"]})
    figures = {name: median([r["us_per_call"] for r in found]) for name, found in runs.items()}
    lost = sum(r["lost"] + r["failed"] for found in runs.values() for r in found)
    text = ", ".join("%s: %.1f µs" % item for item in figures.items())
    print("  CPU per call with so many lingering: " + text, flush=True)
    least = min(figures.values())
    return {"confab": runs}, [Row("growth", "CPU per call at 1,000 / 10,000 / 50,000 calls",
                                  text + (", %d lost" % lost if lost else ""), "flat within 10 %",
                                  max(figures.values()) <= 1.1 * least and not lost)]
