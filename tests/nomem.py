#!/usr/bin/env python3
"""Runs the tests of the pure rooms with a heap that runs out. usage: nomem.py BUILD_DIR [MOST]

In every test each allocation of the rooms fails once, alone and with all after it (tests/nomem/sweep.h); MOST limits
how many of them, spread evenly over the test (default 200). 0: all; of a test that makes thousands the first and the
last one from each call stack, as far as a minute for each test allows (NOMEM_SECONDS). The stories of nomem_flow_test
are told for each of theirs. BUILD_DIR is one with AddressSanitizer. Run by ./run nomem; ./run check takes one of each
test.
"""
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
TIMEOUT_S = 7200
# Of each test in ./run check.
FEW = 1
SWEPT = re.compile(r"# \S+: \d+ allocations from ")
# On a crash the sweep reads the stack from what the program printed.
ENVIRONMENT = {"ASAN_OPTIONS": "allow_user_segv_handler=0:handle_segv=2:detect_leaks=0",
               "UBSAN_OPTIONS": "print_stacktrace=1",
               # The long ones among the flow tests have this many seeds.
               "FLOW_RUNS": "2"}


def run_sweeps(tally, build, run_unit, most):
    environment = {**ENVIRONMENT, "NOMEM_MOST": str(most)}
    folder = build / "tests"
    sources = sorted((TOP / "tests/unit").glob("*_test.c"))
    programs = [folder / f"sweep_{source.stem}" for source in sources if (folder / f"sweep_{source.stem}").exists()]
    tally.case("nomem: the sweeps were built", len(programs) > 50, reason=f"{len(programs)} of them")

    def run(program):
        child = run_unit(tally, program, "nomem: ", NoReports(), environment=environment, timeout_s=TIMEOUT_S)
        # A main that gets round tests/nomem/sweep.h runs its tests as they are, which pass.
        if child and not any(SWEPT.match(line) for line in child.lines):
            tally.case(f"nomem: {program.name}", False, reason="no allocation of it was made to fail")

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(run, programs))


class NoReports:
    """In the place of check.Sanitizers: the sweeps read their reports themselves."""

    def reports(self, _):
        return ""


def main():
    import check
    if len(sys.argv) not in (2, 3) or not all(number.isdigit() for number in sys.argv[2:]):
        sys.exit("usage: ./run nomem [MOST]")
    build, most = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) == 3 else 200
    tally = check.Tally(check.Table(TOP / "docs/requirements.tsv"))
    for program in sorted((build / "tests").glob("nomem_*_test")):
        check.run_unit(tally, program, "", NoReports(), environment={**ENVIRONMENT, "NOMEM_MOST": str(most)},
                       timeout_s=TIMEOUT_S)
    run_sweeps(tally, build, check.run_unit, most)
    for name in tally.failures:
        print("failed: " + name)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
