"""The benches of SIP: calls through the proxy."""
import shutil
import statistics

from servers import free_ports
from table import Row, median, spread

USERS = 10


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
    return kinds if shutil.which("kamailio") else [k for k in kinds if k != "kamailio"]


def against(runs, kind, limit, bench, what, losses=True):
    """A row for Confab over another, round by round: both saw the same machine at the same time."""
    if kind not in runs:
        return Row(bench, what, "%s is not installed" % kind, "≤ %.2f × %s" % (limit, kind), None)
    cpu = figures(runs)
    ratios = [a / b for a, b in zip(cpu["confab"], cpu[kind])]
    lost = sum(r["lost"] + r["failed"] for r in runs["confab"])
    ok = median(ratios) <= limit and not (losses and lost)
    return Row(bench, what, "%.2f × %s (±%.0f %%)%s" % (median(ratios), kind, spread(ratios),
               ", %d lost" % lost if lost else ""), "≤ %.2f × %s" % (limit, kind), ok)


def proxy_udp(place, quick):
    store(place)
    kinds = peers(["floor", "confab", "kamailio"])
    rate, seconds, n = (500, 1, 1) if quick else (2500, 4, 5)
    runs = rounds(place, kinds, False, rate, seconds, n)
    for kind in kinds:
        print("  CPU µs per call: " + describe(kind, runs[kind]), flush=True)
    what = "%d calls/s, CPU per call" % rate
    return runs, [against(runs, "floor", 2.0, "sip-proxy-udp", what),
                  against(runs, "kamailio", 0.2, "sip-proxy-udp", what)]


def proxy_tcp(place, quick):
    store(place)
    kinds = peers(["confab", "kamailio"])
    rate, seconds, n = (200, 1, 1) if quick else (400, 5, 5)
    runs = rounds(place, kinds, True, rate, seconds, n)
    for kind in kinds:
        print("  CPU µs per call: " + describe(kind, runs[kind]), flush=True)
    return runs, [against(runs, "kamailio", 0.25, "sip-proxy-tcp", "%d calls/s, CPU per call" % rate)]
