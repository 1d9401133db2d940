#!/usr/bin/env python3
"""Runs every mutant of every kept input through its fuzz target. usage: torture.py BUILD_DIR [STEP]

All truncations, one at each byte, and all bit flips of fuzz/corpus and of the messages of RFC 4475 and RFC 5118 (STEP:
only every so manieth). BUILD_DIR is one with AddressSanitizer. Run by ./run torture; ./run check takes some of each.
"""
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check

TIMEOUT_S = 7200


def main():
    if len(sys.argv) not in (2, 3) or not all(number.isdigit() and int(number) for number in sys.argv[2:]):
        sys.exit("usage: ./run torture [STEP]")
    build, step = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) == 3 else 1
    tally = check.Tally(check.Table(check.TOP / "docs/requirements.tsv"))
    sanitizers = check.Sanitizers(build / "torture")
    sources = [path for path in sorted((check.TOP / "fuzz").glob("*.c")) if path.name != "replay_main.c"]

    def run(source):
        began = time.monotonic()
        mutants = check.run_replay(tally, build, source, "", sanitizers, step, TIMEOUT_S)
        tally.say(f"  {source.stem}: {mutants} mutants, {time.monotonic() - began:.0f} s")
        return mutants

    with ThreadPoolExecutor(max_workers=2) as pool:
        total = sum(pool.map(run, sources))
    print(f"{total} mutants")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
