#!/usr/bin/env python3
"""./run bench [NAME...]: runs the benches, prints their table, and leaves the raw results in build/bench/.

--quick runs each for about a second, once, and judges by correctness alone: what was lost or failed.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import large
import msrp
import relay
import sip
import two_models
import upgrade
from servers import Place
from table import Row, readme, table

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

def memory(place, quick):
    raw, rows = sip.memory(place, quick)
    raw["b2bua"], row = relay.session_memory(place, quick)
    return raw, rows + [row]


def growth(place, quick):
    calls, rows = sip.growth_calls(place, quick)
    messages, more = msrp.growth_messages(place, quick)
    return {"confab": [calls, messages]}, rows + more


BENCHES = {
    "sip-proxy-udp": sip.proxy_udp,
    "sip-proxy-tcp": sip.proxy_tcp,
    "sip-memory": memory,
    "msrp-relay": relay.relay,
    "msrp-relay-tls": relay.relay_tls,
    "msrp-fanout": msrp.fanout,
    "msrp-idle": msrp.idle,
    "large-message": large.large,
    "upgrade": upgrade.upgrade,
    "growth": growth,
    "two-models": two_models.two_models,
}


def machine():
    cpu = "unknown"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
            "date": datetime.date.today().isoformat()}


def losses(value):
    """Sums what any report inside names lost or failed."""
    if isinstance(value, dict):
        own = sum(v for k, v in value.items() if k in ("lost", "failed") and isinstance(v, int))
        return own + sum(losses(v) for v in value.values())
    if isinstance(value, list):
        return sum(losses(v) for v in value)
    return 0


def run_one(name, args, out):
    place = Place(args.build)
    try:
        print(name, flush=True)
        raw, rows = BENCHES[name](place, args.quick)
    finally:
        place.close()
    with open(os.path.join(out, name + ".json"), "w") as f:
        json.dump({"bench": name, "machine": machine(), "quick": args.quick, "runs": raw,
                   "rows": [r.cells() for r in rows]}, f, indent=1)
    return raw, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", help="one of: " + ", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-peers", action="store_true", help="without Kamailio, even where it is installed")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "bench"))
    args = parser.parse_args()
    names = args.name or list(BENCHES)
    for name in names:
        if name not in BENCHES:
            parser.error("no such bench: " + name)
    sip.WITH_PEERS = not args.no_peers and shutil.which("kamailio") is not None
    os.makedirs(args.out, exist_ok=True)
    rows, status = [], 0
    for name in names:
        try:
            raw, found = run_one(name, args, args.out)
        except Exception as e:  # one bench that cannot run must not take the others along
            print("  %s could not run: %s" % (name, e), flush=True)
            rows.append(Row(name, "", str(e).splitlines()[0][:80], "", False, "FAILED"))
            status = 1
            continue
        rows += found
        lost = losses({k: v for k, v in raw.items() if k == "confab"})
        if args.quick and lost:
            print("  %s: %d lost or failed" % (name, lost), flush=True)
            status = 1
    m = machine()
    print("\n%s, %d cores, Linux %s, %s\n\n%s" % (m["cpu"], m["cores"], m["kernel"], m["date"], table(rows)))
    if not args.quick:
        print("\nFor the README:\n\n" + readme(rows, "%s, %d cores, %s" % (m["cpu"], m["cores"], m["date"])))
    return status


if __name__ == "__main__":
    sys.exit(main())
