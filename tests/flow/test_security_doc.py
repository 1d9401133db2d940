#!/usr/bin/env python3
"""SECURITY.md names a test for each thing that it says; here it is looked whether they are there."""

import os
import re
import subprocess
from collections import Counter

from stage import BIN, Cases, expect

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")


def text_of(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as f:
        return f.read()


def rows(document, part="What stops whom"):
    """(what, stops, tests) of the table under "What stops whom"."""
    part = document.split(f"## {part}\n")[1].split("\n## ")[0]
    table = [line for line in part.split("\n") if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|\n ").split(" | ")] for line in table]


def unit_tests():
    folder = os.path.join(TOP, "tests", "unit")
    text = "".join(text_of(folder, name) for name in os.listdir(folder) if name.endswith("_test.c"))
    # Defined, and named once more where it is run.
    named = Counter(re.findall(r"\btest_\w+", text))
    return {n for n in re.findall(r"static void (test_\w+)\(void \*\*", text) if named[n] > 1}


def missing(document, units):
    out = []
    for row in rows(document) + rows(document, "Caps"):
        names = re.findall(r"`([^`]*)`", row[-1])
        out += [] if len(row) == 3 and names else [f"no test for: {row[0]}"]
        for name in names:
            script, colon, case = name.partition(": ")
            if not colon:
                out += [] if name in units else [name]
            elif not os.path.exists(os.path.join(HERE, script)) or f'"{case}' not in text_of(HERE, script):
                out.append(name)
    return out


def every_test_is_there():
    document, units = text_of(TOP, "SECURITY.md"), unit_tests()
    expect(len(rows(document)) > 15 and len(units) > 300, "the document or the tests were not read")
    gone = missing(document, units)
    expect(not gone, f"named in SECURITY.md and not there: {gone}")


def every_attacker_has_a_row():
    document = text_of(TOP, "SECURITY.md")
    known = set(re.findall(r"(?m)^\| ([AB]\d) \|", document))
    used = set(re.findall(r"\b[AB]\d\b", " ".join(row[0] for row in rows(document))))
    expect(known == used, f"without a row: {known - used}; not explained: {used - known}")


def caps_without_a_row(document):
    """Keys of the configuration that say how much there may be of something."""
    text = subprocess.run([os.path.join(BIN, "confabctl"), "config", "help"], check=True, capture_output=True, text=True).stdout
    keys = re.findall(r"(?m)^#? ?(\w+\.\w+) =", text)
    caps = {k for k in keys if re.search(r"\.max(_|$)|\.un\w+_(time|bytes)|_backlog|min_expires|nonce_lifetime|lockout|limit$", k)}
    expect(len(caps) > 25, f"the configuration was not read: {caps}")
    return caps ^ {row[0].strip("`") for row in rows(document, "Caps")}


def every_cap_has_a_row():
    odd = caps_without_a_row(text_of(TOP, "SECURITY.md"))
    expect(not odd, f"caps without a test, or rows without a cap: {odd}")


def it_can_fail():
    document, units = text_of(TOP, "SECURITY.md"), unit_tests()
    for old, new in (("`test_no_open_relay`", "`test_no_open_relay_at_all`"),
                     ("`test_secrecy.py: a trace without bodies", "`test_secrecy.py: a trace with no bodies"),
                     ("`test_privileges.py: the unit", "`test_nothing.py: the unit")):
        expect(old in document and missing(document.replace(old, new), units), f"{new} is not missed")
    expect(caps_without_a_row(document.replace("| `sip.max_uri` |", "| `sip.max_url` |")) == {"sip.max_uri", "sip.max_url"},
           "a cap without a row is not missed")


if __name__ == "__main__":
    cases = Cases()
    cases.run("every test that SECURITY.md names is there", [], every_test_is_there)
    cases.run("every asset and attacker of SECURITY.md has a row", [], every_attacker_has_a_row)
    cases.run("every cap has a row of its own in SECURITY.md", [], every_cap_has_a_row)
    cases.run("that gate can fail", [], it_can_fail)
    cases.done()
