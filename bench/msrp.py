"""The benches of the switch."""
import statistics

from conference import Phones
from servers import free_ports
from table import Row, median, spread

SIZES = (3, 10, 100, 1000)
WINDOWS = (1, 4)


def conference_server(place, n, *settings):
    return place.confabd(place.port, "conference.max_members=%d" % max(n + 1, 50), "msrp.threads=1",
                         "msrp.max_connections=19000", "msrp.max_connections_per_address=0", *settings)


def phones_text(phones):
    return "".join("%s %s %s\n" % p for p in phones) + "\n"


def floor_phones(port, n):
    """Paths as long as those of a real conference."""
    return [("127.0.0.1:%d" % port, "msrp://127.0.0.1:%d/0123456789abcdefghijklmnopqrst;tcp" % port,
             "msrp://127.0.0.1:9/m%d-session-of-a-phone;tcp" % i) for i in range(n + 1)]


def let_go(processes, phones):
    """Ends idle loads, and then the phones' signalling."""
    for process in processes:
        process.stdin.close()
        process.wait()
        process.stdout.close()
    for p in phones:
        p.close()


def fanout_run(place, kind, n, window, messages):
    (place.port,) = free_ports(1)
    argv = ["--messages", str(messages), "--window", str(window)]
    phones = None
    if kind == "confab":
        place.users(["m%d" % i for i in range(n + 1)])
        server = conference_server(place, n)
    else:
        server = place.floor("msrp_floor", "--listen", "127.0.0.1:%d" % place.port)
        argv.append("--floor")
    try:
        if kind == "confab":
            phones = Phones(place.port, n)
            text = phones_text(phones.start())
            argv += ["--to", phones.uri]
        else:
            text = phones_text(floor_phones(place.port, n))
        result = place.load("msrp_load", argv, server, stdin=text)
    finally:
        if phones:
            phones.close()
        server.stop()
    result["s_per_100k"] = result["cpu_s"] * 1e5 / max(result["deliveries"], 1)
    result["user_s_per_100k"] = result["user_s"] * 1e5 / max(result["deliveries"], 1)
    return result


def messages_for(n, quick):
    return max((2000 if quick else 60000) // n, 20)


def fanout(place, quick):
    raw, rows = {}, []
    for n in (3, 10) if quick else SIZES:
        for window in WINDOWS:
            runs = {"floor": [], "confab": []}
            for _ in range(1 if quick else 5):
                for kind in runs:
                    runs[kind].append(fanout_run(place, kind, n, window, messages_for(n, quick)))
            rows.append(fanout_row(n, window, runs))
            for kind in runs:
                raw.setdefault(kind, {})["%d receivers, window %d" % (n, window)] = runs[kind]
    return raw, rows


def fanout_row(n, window, runs):
    ratios = [a["s_per_100k"] / b["s_per_100k"] for a, b in zip(runs["confab"], runs["floor"])]
    lost = sum(r["lost"] + r["failed"] for r in runs["confab"])
    figures = {k: median([r["s_per_100k"] for r in v]) for k, v in runs.items()}
    user = statistics.median(r["user_s_per_100k"] for r in runs["confab"])
    print("  %4d receivers, window %d: CPU s per 100,000 deliveries: floor %.2f, confab %.2f (%.2f user), %.2f ×, "
          "%d lost" % (n, window, figures["floor"], figures["confab"], user, median(ratios), lost), flush=True)
    return Row("msrp-fanout", "%d receivers, window %d" % (n, window),
               "%.2f × floor (±%.0f %%)%s" % (median(ratios), spread(ratios), ", %d lost" % lost if lost else ""),
               "≤ 1.20 × floor", median(ratios) <= 1.2 and not lost)


def idle_run(place, quick, tls):
    """Memory that members take who have not connected, and what their connections take, bound and silent."""
    conferences, n = (1, 100) if quick else (4, 999)
    (place.port,) = free_ports(1)
    place.users(["m%dn%d" % (k, i) for k in range(conferences) for i in range(n + 1)])
    server = conference_server(place, n, "msrp.rebind_grace_ms=600000", *(place.tls() if tls else ()))
    held, idle, seats, connections, before = [], [], 0, 0, server.memory()
    try:
        for k in range(conferences):
            phones = Phones(place.port, n, name="m%dn" % k, tls=tls)
            held.append(phones)
            text = phones_text(phones.start())
            with_seats = server.memory()
            idle.append(place.hold("msrp_load", ["--idle"] + (["--tls"] if tls else []), text))
            seats += with_seats - before
            before = server.memory()
            connections += before - with_seats
    finally:
        let_go(idle, held)
        server.stop()
    n = conferences * (n + 1)
    return {"connections": n, "bytes_each": connections / n, "bytes_per_session": seats / n}


def idle(place, quick):
    raw, rows = {}, []
    for tls, limit in ((False, 1024), (True, 16384)):
        kind = "TLS" if tls else "plain"
        raw[kind] = r = idle_run(place, quick, tls)
        print("  %s, bytes per idle connection: %.0f; per session (binding, dialog, member, seat): %.0f (%d of each)"
              % (kind, r["bytes_each"], r["bytes_per_session"], r["connections"]), flush=True)
        rows.append(Row("msrp-idle", kind + ", beyond the kernel's", "%.0f B" % r["bytes_each"], "≤ %d B" % limit,
                        r["bytes_each"] <= limit))
    return {"confab": raw}, rows


class Crowd:
    """A server with so many sessions whose phones are connected and say nothing, several to a connection: descriptors end at
    20,000. measure() is one conference of ten among them."""

    def __init__(self, place, sessions, block):
        (place.port,) = free_ports(1)
        self.place, self.port, self.sessions, self.held, self.idle = place, place.port, sessions, [], []
        self.server = conference_server(place, block, "msrp.rebind_grace_ms=600000")
        try:
            self.fill(block)
        except BaseException:
            self.close()
            raise

    def fill(self, block):
        argv, text = ["--idle", "--share", str(max(self.sessions // 10000, 1))], ""
        for k in range(self.sessions // block):
            others = Phones(self.port, block - 1, name="x%dn" % k)
            self.held.append(others)
            text += phones_text(others.start())[:-1]
            # Who does not connect in time loses his seat.
            if k % 5 == 4 or k == self.sessions // block - 1:
                self.idle.append(self.place.hold("msrp_load", argv, text + "\n"))
                text = ""

    def measure(self, r, messages):
        phones = Phones(self.port, 10, name="m%dn" % r)
        self.held.append(phones)
        text = phones_text(phones.start())
        argv = ["--messages", str(messages), "--to", phones.uri, "--from", "sip:%s@example.com" % phones.user(0)]
        result = self.place.load("msrp_load", argv, self.server, stdin=text)
        result["s_per_100k"] = result["cpu_s"] * 1e5 / max(result["deliveries"], 1)
        return result

    def close(self):
        let_go(self.idle, self.held)
        self.server.stop()


def growth_messages(place, quick):
    """CPU per delivery in one conference of ten, with so many other sessions on the server; the servers take turns."""
    sizes = (100, 200) if quick else (1000, 10000, 50000)
    block, rounds = (100, 1) if quick else (1000, 5)
    crowds, runs = {}, {n: [] for n in sizes}
    place.users(["m%dn%d" % (r, i) for r in range(rounds) for i in range(11)] +
                ["x%dn%d" % (k, i) for k in range(max(sizes) // block) for i in range(block)])
    try:
        for n in sizes:
            crowds[n] = Crowd(place, n, block)
        for r in range(rounds):
            for n in sizes:
                runs[n].append(crowds[n].measure(r, 200 if quick else 12000))
    finally:
        for crowd in crowds.values():
            crowd.close()
    figures = {n: median([r["s_per_100k"] for r in found]) for n, found in runs.items()}
    apart = {n: median([a["s_per_100k"] / b["s_per_100k"] for a, b in zip(runs[n], runs[sizes[0]])]) for n in sizes}
    for n in sizes:
        print("  %d sessions: %.2f CPU s per 100,000 deliveries, %.2f × that among %d"
              % (n, figures[n], apart[n], sizes[0]), flush=True)
    lost = sum(r["lost"] + r["failed"] for found in runs.values() for r in found)
    text = ", ".join("%d: %.2f s" % item for item in figures.items())
    return {"confab": {str(n): found for n, found in runs.items()}}, [
        Row("growth", "CPU per 100,000 deliveries at so many sessions",
            text + " (%.2f × apart)" % (max(apart.values()) / min(apart.values())) + (", %d lost" % lost if lost else ""),
            "flat within 10 %", max(apart.values()) <= 1.1 * min(apart.values()) and not lost)]
