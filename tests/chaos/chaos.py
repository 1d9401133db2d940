#!/usr/bin/env python3
"""Breaks a running server in every way that the open internet and a bad night know, under load, and counts at both ends.

Each part starts a confabd of its own, loads it with conferences and relayed chats (room.py), injects its faults, and
hands its counts to one table. The exit status is 0 when nothing crashed, nothing is unaccounted, and every part's own
expectations held. Phones are at 127.0.0.1, strangers at 127.0.0.66.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import parts  # noqa: E402
from server import Failed  # noqa: E402


class Report:
    """What a part has found."""

    def __init__(self, name):
        self.name, self.faults, self.inputs, self.notes, self.problems = name, Counter(), Counter(), [], []
        self.load, self.counts, self.seconds = "", Counter(), 0.0

    def note(self, text):
        self.notes.append(text)

    def expect(self, condition, text):
        if not condition:
            self.problems.append(text)

    def add(self, ledger):
        counts = ledger.counts()
        self.counts.update(counts)
        self.expect(not counts["unaccounted"], f"{counts['unaccounted']} messages unaccounted")
        self.expect(not counts["changed"], f"{counts['changed']} messages came with other bytes: {'; '.join(ledger.changed[:5])}")
        self.expect(not counts["strangers"], f"{counts['strangers']} messages came that nobody had sent")


def listed(counter):
    return ", ".join(f"{n} {what}" for what, n in counter.items()) or "-"


def show(reports):
    print("\n| part | load held | faults injected | bad inputs | acknowledged | delivered | reported failed | told by a"
          " broken session | **unaccounted** |")
    print("| --- " * 9 + "|")
    total = Counter()
    for r in reports:
        c = r.counts
        total.update(c)
        print(f"| {r.name} ({r.seconds:.0f} s) | {r.load or '-'} | {listed(r.faults)} | {listed(r.inputs)} | "
              f"{c['acknowledged']} | {c['delivered']} | {c['failed']} | {c['broken']} | **{c['unaccounted']}** |")
    print(f"| all ({sum(r.seconds for r in reports):.0f} s) | | {sum(sum(r.faults.values()) for r in reports)} | "
          f"{sum(sum(r.inputs.values()) for r in reports)} | {total['acknowledged']} | {total['delivered']} | "
          f"{total['failed']} | {total['broken']} | **{total['unaccounted']}** |\n")
    for r in reports:
        for text in r.notes:
            print(f"  {r.name}: {text}")
    for r in reports:
        for text in r.problems:
            print(f"  PROBLEM {r.name}: {text}")


def run(name, function, context):
    report = Report(name)
    began = time.monotonic()
    print(f"{name} ...", flush=True)
    try:
        asyncio.run(asyncio.wait_for(function(context, report), context.limit_s))
    except (Failed, OSError, AssertionError, KeyError, asyncio.TimeoutError) as problem:
        report.problems.append(f"{type(problem).__name__}: {problem}")
    report.seconds = time.monotonic() - began
    for text in report.problems:
        print(f"  PROBLEM {text}", flush=True)
    return report


def main():
    arguments = argparse.ArgumentParser(description="Faults under load; the table says what became of every message.")
    arguments.add_argument("--quick", action="store_true", help="a few seconds of each part")
    arguments.add_argument("--build", default="build/release", help="where bin/ and bench/ are (default: build/release)")
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments.add_argument("part", nargs="*", help=f"some of: {', '.join(parts.ALL)} (default: all)")
    options = arguments.parse_args()
    unknown = [p for p in options.part if p not in parts.ALL]
    if unknown:
        arguments.error(f"no such part: {', '.join(unknown)}")
    print(f"seed {options.seed}", flush=True)
    context = parts.Context(options.build, options.quick, options.seed)
    reports = [run(name, function, context) for name, function in parts.ALL.items()
               if not options.part or name in options.part]
    show(reports)
    failed = [r.name for r in reports if r.problems]
    print("chaos: " + (f"FAILED: {', '.join(failed)}" if failed else "all accounted for"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
