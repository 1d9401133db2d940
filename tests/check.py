#!/usr/bin/env python3
"""Runs every test and prints the table: requirement id -> tests -> result.

Run by ./run check, which has built everything before. The last line is "N passed, N failed"; the exit status is 1
where something failed.

A flow or interop test is a script tests/{flow,interop}/test_*.py. It gets CONFAB_BIN (folder of the programs) and
prints, one per line:
    ok NAME [ID...]               not ok NAME [ID...] - REASON               note TEXT
A line "# timeout: SECONDS" among its first twenty raises its bound from 300 seconds.
"""
import argparse
import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import layers
import nomem

TOP = Path(__file__).resolve().parent.parent
UNIT_TIMEOUT_S = 300
FLOW_TIMEOUT_S = 300
OUTPUT_TAIL = 25
REPLAY_BATCH = 500
# Kept messages that a target runs besides its corpus.
REPLAY_DATA = {"sip_msg": ["tests/data/rfc4475", "tests/data/rfc5118"]}
# Of each input's truncations and bit flips every so manieth; a prime, so that every bit of a byte has its turn.
MUTANTS_STEP = 149
STATES = ("done", "partial", "open")


def normal(text):
    """The form in which ids are compared: IC-7.1.1-1 and IC_7_1_1_1 are the same."""
    return re.sub(r"[^A-Z0-9]", "_", text.upper())


class Table:
    """docs/requirements.tsv and what was run for each of its rows."""

    def __init__(self, path):
        self.rows = []
        self.tests = {}
        self.faults = []
        for number, line in enumerate(path.read_text().splitlines()[1:], 2):
            cells = line.split("\t")
            if len(cells) != 3 or cells[1] not in STATES:
                self.faults.append(f"{path.name}:{number}: not id, done|partial|open, text: {line!r}")
                continue
            if normal(cells[0]) in self.tests:
                self.faults.append(f"{path.name}:{number}: {cells[0]} stands there twice")
                continue
            self.rows.append(tuple(cells))
            self.tests[normal(cells[0])] = []

    def known(self, text):
        return normal(text) in self.tests

    def record(self, ids, name, passed):
        for id_ in ids:
            self.tests[normal(id_)].append((name, passed))

    def names(self, id_):
        """The row's tests; a second run of one under a sanitizer is the same test."""
        return sorted({name.removeprefix("asan: ") for name, _ in self.tests[normal(id_)]})

    def verdict(self, id_, state):
        """(text for people, whether the run fails by it)"""
        tests = self.names(id_)
        failed = sorted({name for name, passed in self.tests[normal(id_)] if not passed})
        if failed:
            return f"FAILED: {', '.join(failed)}", state == "done"
        if state == "done":
            return (f"passed ({len(tests)})", False) if tests else ("FAILED: called done, but has no test", True)
        if state == "partial":
            return f"partly built ({len(tests)} passed)", False
        return ("not built yet" if not tests else f"not built yet (parts: {len(tests)} passed)"), False

    def write(self, path):
        lines = ["# Requirements, their tests, and how they went", "",
                 "| id | state | demand | tests | result |", "| --- | --- | --- | --- | --- |"]
        for id_, state, text in self.rows:
            tests = "<br>".join(self.names(id_))
            result = self.verdict(id_, state)[0].replace("|", "\\|")
            lines.append(f"| {id_} | {state} | {text} | {tests} | {result} |")
        path.write_text("\n".join(lines) + "\n")


class Tally:
    """Counts and prints results as they come; safe to use from several threads."""

    def __init__(self, table):
        self.table = table
        self.passed = 0
        self.failed = 0
        self.failures = []
        self.lock = threading.Lock()

    def case(self, name, passed, ids=(), reason=""):
        with self.lock:
            self.table.record(ids, name, passed)
            if passed:
                self.passed += 1
                return
            self.failed += 1
            self.failures.append(name)
            print(f"  FAILED {name}" + (f": {reason}" if reason else ""), flush=True)

    def say(self, text):
        with self.lock:
            print(text, flush=True)


def tail(text):
    lines = text.rstrip().splitlines()[-OUTPUT_TAIL:]
    return "\n".join("    | " + line for line in lines)


class Sanitizers:
    """Where sanitizer reports of a run's programs are gathered: a report fails the test that made it."""

    def __init__(self, build):
        self.folder = build / "reports"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def environment(self, name):
        place = f"log_path={self.folder}/{name}"
        suppressions = TOP / "tests/tsan.supp"
        extra = f":suppressions={suppressions}" if suppressions.exists() else ""
        return {
            "ASAN_OPTIONS": f"{place}:detect_leaks=1:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": f"{place}:print_stacktrace=1",
            "TSAN_OPTIONS": f"{place}:halt_on_error=0:second_deadlock_stack=1{extra}",
        }

    def reports(self, name):
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob(name + ".*")))


class Child:
    """A program in a process group of its own, ended as a group."""

    def __init__(self, command, timeout_s, environment=None, on_line=None, cwd=TOP):
        self.lines = []
        self.timed_out = False
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   cwd=cwd, env={**os.environ, **(environment or {})}, start_new_session=True,
                                   text=True, errors="replace")
        reader = threading.Thread(target=self.read, args=(process.stdout, on_line), daemon=True)
        reader.start()
        try:
            process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self.end(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                pass
        except BaseException:
            self.end(process.pid, signal.SIGKILL)
            raise
        # Whatever it left behind goes too; it may hold our end of the pipe.
        self.left_behind = self.end(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(10)
        self.status = process.returncode

    @staticmethod
    def end(group, number):
        try:
            os.killpg(group, number)
            return True
        except ProcessLookupError:
            return False

    def read(self, stream, on_line):
        for line in stream:
            self.lines.append(line.rstrip("\n"))
            if on_line:
                on_line(self.lines[-1])

    def text(self):
        return "\n".join(self.lines)

    def how_it_ended(self, timeout_s):
        if self.timed_out:
            return f"not done after {timeout_s} s, killed"
        if self.status < 0:
            return f"died of {signal.Signals(-self.status).name}"
        return f"ended with status {self.status}"


TAP = re.compile(r"(not )?ok \d+ - (\S+)")


def ids_of_name(table, name):
    """The ids in test_CF_9_3_1_3__what_it_shows or test_R_6_and_R_7__what_it_shows."""
    hit = re.match(r"test_(.+?)__", name)
    return [part for part in re.split(r"_and_", hit.group(1)) if table.known(part)] if hit else []


def misnamed(table, name):
    """Whether the name promises an id that the table does not have."""
    hit = re.match(r"test_((?:R|IC|PF|CF|SW|FL|MOVE)_[A-Z0-9]\w*?)__", name, re.IGNORECASE)
    return bool(hit) and not all(table.known(part) for part in re.split(r"_and_", hit.group(1)))


def run_unit(tally, program, prefix, sanitizers, command=(), environment=None, timeout_s=UNIT_TIMEOUT_S):
    """A program that prints TAP. command: what runs it. Returns what it was, None where it is not there."""
    label = prefix + program.name
    if not program.exists():
        tally.case(label, False, reason="was not built")
        return None
    environment = environment or sanitizers.environment(program.name)
    child = Child([*command, str(program)], timeout_s, {"CMOCKA_MESSAGE_OUTPUT": "TAP", **environment})
    planned = seen = bad = 0
    for line in child.lines:
        plan = re.fullmatch(r"1\.\.(\d+)", line)
        planned += int(plan.group(1)) if plan else 0
        if re.match(r"(not )?ok \d+ # SKIP", line):
            seen += 1
            tally.say(f"  note {label}: skipped {line.split('SKIP')[-1].strip()}")
            continue
        hit = TAP.match(line)
        if not hit:
            continue
        seen += 1
        name = hit.group(2)
        bad += bool(hit.group(1))
        tally.case(f"{label}: {name}", not hit.group(1), ids_of_name(tally.table, name))
        if not prefix and misnamed(tally.table, name):
            tally.say(f"  note {label}: {name} names no id of docs/requirements.tsv")
    report = sanitizers.reports(program.name)
    if child.timed_out or seen != planned or planned == 0 or report or (child.status != 0 and bad == 0):
        bad += 1
        reason = "sanitizer report" if report else f"{child.how_it_ended(timeout_s)}, {seen} of {planned} tests ran"
        tally.case(label, False, reason=reason)
    if bad:
        tally.say(tail(report or child.text()))
    return child


def run_units(tally, build, prefix=""):
    """Every tests/unit program, two at a time."""
    sanitizers = Sanitizers(build / "tests")
    programs = [build / "tests" / source.stem for source in sorted((TOP / "tests/unit").glob("*_test.c"))]
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda program: run_unit(tally, program, prefix, sanitizers), programs))
    return len(programs)


def replay_inputs(target):
    folders = [TOP / "fuzz/corpus" / target] + [TOP / folder for folder in REPLAY_DATA.get(target, ())]
    return [str(path) for folder in folders for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "README"]


def run_replay(tally, build, source, prefix, sanitizers, step=MUTANTS_STEP, timeout_s=UNIT_TIMEOUT_S):
    """The inputs of a target and their mutants, as replay_main.c makes them. Returns how many mutants."""
    name = f"{prefix}fuzz corpus: {source.stem}"
    program = build / "tests" / f"replay_{source.stem}"
    inputs, mutants = replay_inputs(source.stem), 0
    if not program.exists() or not inputs:
        tally.case(name, False, reason="no corpus" if program.exists() else "was not built")
        return
    for start in range(0, len(inputs), REPLAY_BATCH):
        child = Child([str(program), f"--mutate={step}"] + inputs[start:start + REPLAY_BATCH], timeout_s,
                      sanitizers.environment(program.name))
        report = sanitizers.reports(program.name)
        if child.status != 0 or report:
            tally.case(name, False, reason="sanitizer report" if report else child.how_it_ended(timeout_s))
            tally.say(tail(report or child.text()))
            return mutants
        mutants += int(re.search(r"(\d+) mutants", child.text()).group(1))
    tally.case(name, True)
    return mutants


def run_replays(tally, build, prefix=""):
    """The corpus of every fuzz target, through the target itself."""
    sanitizers = Sanitizers(build / "replays")
    sources = [path for path in sorted((TOP / "fuzz").glob("*.c")) if path.name != "replay_main.c"]
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda source: run_replay(tally, build, source, prefix, sanitizers), sources))
    return len(sources)


def parse_case(table, line):
    """(passed, name, ids, reason) of an ok / not ok line, or None."""
    hit = re.match(r"(not )?ok\s+(.+)", line)
    if not hit:
        return None
    text, reason = hit.group(2), ""
    if hit.group(1):
        text, _, reason = text.partition(" - ")
    words, ids = [], []
    for word in re.sub(r"[\[\],]", " ", text).split():
        (ids if words and table.known(word) else words).append(word)
    return not hit.group(1), " ".join(words), ids, reason.strip()


def timeout_of(script):
    for line in script.read_text(errors="replace").splitlines()[:20]:
        hit = re.match(r"#\s*timeout:\s*(\d+)", line)
        if hit:
            return int(hit.group(1))
    return FLOW_TIMEOUT_S


def run_flow(tally, script, build, sanitizers):
    label = f"{script.parent.name}/{script.stem}"
    counts = {"cases": 0, "bad": 0, "notes": 0}
    timeout_s = timeout_of(script)

    def on_line(line):
        case = parse_case(tally.table, line)
        if case:
            passed, name, ids, reason = case
            counts["cases"] += 1
            counts["bad"] += not passed
            tally.case(f"{label}: {name}", passed, ids, reason)
            if passed:
                tally.say(f"  ok {name}")
        elif line.startswith("note "):
            counts["notes"] += 1
            tally.say(f"  {line}")

    tally.say(f"{label} ...")
    began = time.monotonic()
    environment = {"CONFAB_BIN": str(build / "bin"), "PYTHONUNBUFFERED": "1", **sanitizers.environment(script.stem)}
    child = Child([sys.executable, str(script)], timeout_s, environment, on_line)
    report = sanitizers.reports(script.stem)
    reason = ""
    if report:
        reason = "sanitizer report"
    elif child.timed_out or (child.status != 0 and counts["bad"] == 0):
        reason = child.how_it_ended(timeout_s)
    elif counts["cases"] + counts["notes"] == 0:
        reason = "said nothing"
    if reason:
        tally.case(label, False, reason=reason)
    if reason or counts["bad"]:
        tally.say(tail(report or child.text()))
    if child.left_behind and not child.timed_out:
        tally.say(f"  note {label} left processes behind; they were killed")
    tally.say(f"{label}: {counts['cases']} cases, {time.monotonic() - began:.0f} s")


def run_flows(tally, build):
    """The scripts, one after the other: they use the machine's clock and ports."""
    sanitizers = Sanitizers(build / "flows")
    scripts = sorted((TOP / "tests/flow").glob("test_*.py")) + sorted((TOP / "tests/interop").glob("test_*.py"))
    for script in scripts:
        run_flow(tally, script, build, sanitizers)


def run_gates(tally, build):
    for name, violations in layers.gates(TOP, build):
        tally.case(name, not violations)
        for violation in violations:
            tally.say("    | " + violation)


def self_test(tally):
    """This script must be able to fail: it is fed programs that fail, and must say so."""
    with tempfile.TemporaryDirectory(prefix="check-") as scratch:
        table = Table(TOP / "docs/requirements.tsv")
        quiet = Tally(table)
        quiet.say = lambda text: None
        place = Path(scratch)
        id_ = table.rows[0][0]
        scripts = {
            "test_ok.py": f"print('ok fine [{id_}]')",
            "test_not_ok.py": f"print('not ok sad [{id_}] - because')",
            "test_crash.py": "print('ok first'); raise SystemExit(3)",
            "test_silent.py": "pass",
            "test_endless.py": "# timeout: 1\nimport os, time\nprint('ok started')\nos.fork()\ntime.sleep(60)",
        }
        sanitizers = Sanitizers(place)
        outcome = {}
        with contextlib.redirect_stdout(io.StringIO()):
            for name, text in scripts.items():
                (place / name).write_text(text)
                before = (quiet.passed, quiet.failed)
                run_flow(quiet, place / name, place, sanitizers)
                outcome[name] = (quiet.passed - before[0], quiet.failed - before[1])
            unit = place / "unit_test"
            unit.write_text("#!/bin/sh\nprintf '1..2\\nok 1 - test_a\\n'\nkill -SEGV $$\n")
            unit.chmod(0o755)
            before = (quiet.passed, quiet.failed)
            run_unit(quiet, unit, "", sanitizers)
            outcome["unit"] = (quiet.passed - before[0], quiet.failed - before[1])
        expected = {"test_ok.py": (1, 0), "test_not_ok.py": (0, 1), "test_crash.py": (1, 1), "test_silent.py": (0, 1),
                    "test_endless.py": (1, 1), "unit": (1, 1)}
        if outcome != expected:
            print(f"    | counted {outcome}, expected {expected}")
        tally.case("check: failing tests are counted as failed", outcome == expected)
        verdicts = [table.verdict(id_, state)[1] for state in STATES] + [table.verdict(table.rows[1][0], "done")[1]]
        tally.case("check: a row called done fails without a test or with a failed one",
                   verdicts == [True, False, False, True])


def print_table(table):
    print("\nrequirement -> tests -> result (in full: build/requirements.md)")
    for id_, state, _ in table.rows:
        names = table.names(id_)
        shown = names[0] + (f" +{len(names) - 1}" if len(names) > 1 else "") if names else "-"
        print(f"  {id_:<12} {shown[:70]:<70} {table.verdict(id_, state)[0]}")


def judge_table(tally, table):
    (TOP / "build").mkdir(exist_ok=True)
    table.write(TOP / "build/requirements.md")
    print_table(table)
    for fault in table.faults:
        tally.case("requirements: " + fault, False)
    bad = [id_ for id_, state, _ in table.rows if table.verdict(id_, state)[1]]
    counts = {state: sum(1 for row in table.rows if row[1] == state) for state in STATES}
    print(f"  {counts['done']} done, {counts['partial']} partly, {counts['open']} not built yet\n")
    tally.case("requirements: every row called done has tests and they passed", not bad, reason=", ".join(bad))


def main():
    arguments = argparse.ArgumentParser(description="Runs every test; see the head of this file.")
    arguments.add_argument("--preset", default="dev", help="whose build is tested (default: dev, and asan briefly)")
    preset = arguments.parse_args().preset
    build = TOP / "build" / preset
    table = Table(TOP / "docs/requirements.tsv")
    tally = Tally(table)
    plain = preset == "dev"

    def section(text, run):
        began, before = time.monotonic(), (tally.passed, tally.failed)
        tally.say(f"== {text}")
        run()
        tally.say(f"   {tally.passed - before[0]} passed, {tally.failed - before[1]} failed "
                  f"({time.monotonic() - began:.1f} s)")

    section("unit tests", lambda: run_units(tally, build))
    if plain:
        section("gates", lambda: (run_gates(tally, build), self_test(tally)))
    section("fuzz corpus", lambda: run_replays(tally, build))
    if plain:
        asan = TOP / "build/asan"
        section("unit tests and fuzz corpus under ASan and UBSan",
                lambda: (run_units(tally, asan, "asan: "), run_replays(tally, asan, "asan: ")))
        section("unit and flow tests with a heap that runs out",
                lambda: nomem.run_sweeps(tally, asan, run_unit, nomem.FEW))
    section("flows and interop", lambda: run_flows(tally, build))
    judge_table(tally, table)
    if tally.failures:
        print("failed:")
        for name in tally.failures:
            print("  " + name)
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
