#!/usr/bin/env python3
"""Runs the unit tests, and a flow or two, under valgrind's memcheck. usage: memcheck.py BUILD_DIR [NAME...]

An error or a block that is definitely lost fails the test. Tests that take minutes without valgrind are given a
short form by the environment, where they have one. Without NAMEs: all unit tests, and the flows of FLOWS.
"""
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check

TIMEOUT_S = 3600
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite", "--num-callers=25"]
# The programs themselves, in a chat of two and a conference.
FLOWS = ["test_chat"]
SHORT = {"FLOW_RUNS": "3"}


class NoReports:
    """In the place of check.Sanitizers: valgrind says it by the exit status."""

    def __init__(self, environment):
        self.extra = environment

    def environment(self, _):
        return self.extra

    def reports(self, _):
        return ""


def wrappers(build, folder):
    """A folder with programs of the same names that run the built ones under valgrind."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in (build / "bin").iterdir():
        script = folder / program.name
        script.write_text(f"#!/bin/sh\nexec {' '.join(VALGRIND)} --log-file={folder}/{program.name}.%p.log "
                          f"{program} \"$@\"\n")
        script.chmod(0o755)
    for log in folder.glob("*.log"):
        log.unlink()


def run_flow(tally, build, name):
    folder = build / "memcheck"
    wrappers(build, folder / "bin")
    # A build folder as check.run_flow wants it, whose programs are the wrappers.
    check.run_flow(tally, check.TOP / "tests/flow" / f"{name}.py", folder, NoReports(SHORT))
    said = [log for log in sorted((folder / "bin").glob("*.log")) if log.stat().st_size]
    for log in said:
        tally.say(check.tail(log.read_text(errors="replace")))
    tally.case(f"memcheck: {name}", not said, reason=", ".join(str(log) for log in said))


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: ./run valgrind [NAME...]")
    build, names = Path(sys.argv[1]).resolve(), sys.argv[2:]
    os.environ.update(SHORT)
    tally = check.Tally(check.Table(check.TOP / "docs/requirements.tsv"))
    sources = [source.stem for source in sorted((check.TOP / "tests/unit").glob("*_test.c"))]

    def run(name):
        began = time.monotonic()
        check.run_unit(tally, build / "tests" / name, "memcheck: ", NoReports({**SHORT, "NOMEM_MOST": "2"}),
                       command=VALGRIND, timeout_s=TIMEOUT_S)
        tally.say(f"  {name}: {time.monotonic() - began:.0f} s")

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(run, [name for name in sources if not names or name in names]))
    for name in FLOWS:
        if not names or name in names:
            run_flow(tally, build, name)
    for name in tally.failures:
        print("failed: " + name)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
