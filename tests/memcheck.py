#!/usr/bin/env python3
"""Runs the unit tests, and a flow or two, under valgrind's memcheck. usage: memcheck.py BUILD_DIR [NAME...]

An error or a block that is definitely lost fails the program. What its tests find is only noted: descriptors and time
are not what they are without valgrind. Tests that take minutes are given a short form by the environment, where they
have one. Without NAMEs: all unit tests, and the flows of FLOWS.
"""
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check

TIMEOUT_S = 3600
FOUND = 99
VALGRIND = ["valgrind", "-q", f"--error-exitcode={FOUND}", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite", "--num-callers=25"]
WRONG = r"==\d+== (Invalid|Conditional jump|Use of uninit|Syscall param|Mismatched|Source and dest)"
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
    """A folder with programs of the same names that run the built ones, the server under valgrind."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in (build / "bin").iterdir():
        script = folder / program.name
        # Clients have a person's patience with the server, which is the one to be looked at.
        under = f"{' '.join(VALGRIND)} --log-file={folder}/%p.log " if program.name == "confabd" else ""
        script.write_text(f"#!/bin/sh\nexec {under}{program} \"$@\"\n")
        script.chmod(0o755)
    for log in folder.glob("*.log"):
        log.unlink()


def run_unit(tally, program):
    began = time.monotonic()
    child = check.Child([*VALGRIND, str(program)], TIMEOUT_S,
                        {"CMOCKA_MESSAGE_OUTPUT": "TAP", "NOMEM_MOST": "2", **SHORT})
    planned = sum(int(line[3:]) for line in child.lines if re.fullmatch(r"1\.\.\d+", line))
    ran = sum(bool(re.match(r"(not )?ok \d+", line)) for line in child.lines)
    failed = any(line.startswith("not ok") for line in child.lines)
    # A test that fails leaves its things behind.
    wrong = any(re.match(WRONG, line) for line in child.lines) if failed else child.status == FOUND
    whole = not wrong and not child.timed_out and ran == planned > 0
    tally.case(f"memcheck: {program.name}", whole, reason=child.how_it_ended(TIMEOUT_S))
    if not whole:
        tally.say(check.tail(child.text()))
    for line in child.lines:
        if line.startswith("not ok") and whole:
            tally.say(f"  note {program.name} under valgrind: {line}")
    tally.say(f"  {program.name}: {time.monotonic() - began:.0f} s")


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

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda name: run_unit(tally, build / "tests" / name),
                      [name for name in sources if not names or name in names]))
    for name in FLOWS:
        if not names or name in names:
            run_flow(tally, build, name)
    for name in tally.failures:
        print("failed: " + name)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
