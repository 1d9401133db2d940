#!/usr/bin/env python3
"""FL-2, "The move": a running chat becomes a conference under load; undisturbed, and with a connection cut at each step."""
# timeout: 900

import random

from moving import CUTS, EACH, SEED, move, side_by_side, wire
from stage import Cases, Stage


def run(name, cut, seed):
    rng = random.Random(seed)
    with Stage() as stage:
        move(name, cut, rng, stage, EACH)
        if not cut:
            wire(stage)


def main():
    cases = Cases()
    jobs = []
    print(f"note seed {SEED}", flush=True)
    for index, (what, where) in enumerate(CUTS.items()):
        ids = ["FL-2", "move-1", "move-2", "move-3", "move-4", "move-5"] if not where else ["FL-2", "FL-10", "move-5"]
        if not where:
            ids += ["IC-7.1.4-1", "IC-7.1.4-2", "IC-7.1.4-3", "IC-7.1.4-4", "IC-7.1.4-5", "IC-8.3.1-2", "IC-8.3.2-1",
                    "CF-9.3-2", "CF-9.3.1-1", "CF-9.3.1-2", "CF-9.3.1-3", "CF-9.3.1-4", "CF-9.3.1-5", "R-6", "R-7", "R-8",
                    "R-9", "IC-7.1.3-1", "IC-7.1.5-5", "IC-7.1.5-6"]
        jobs.append((f"move, {what}" if not where else f"move, cut when {what}", ids, run, what, where, SEED + index))
    side_by_side(cases, jobs, 4)
    cases.done()


if __name__ == "__main__":
    main()


