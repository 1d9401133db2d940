#!/usr/bin/env python3
"""clang-format and clang-tidy over the tree (these decide), and a report of what is asking to be two (that does not).

usage: lint.py BUILD_DIR     (whose compile_commands.json is used)
"""
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
FILE_LINES = 800
FUNCTION_LINES = 60
FOLDERS = ("src", "include", "apps", "tests", "fuzz", "bench")


def sources():
    return sorted(path for folder in FOLDERS for path in (TOP / folder).rglob("*.[ch]"))


def check_format():
    files = [str(path) for path in sources()]
    done = subprocess.run(["clang-format", "--dry-run", "--Werror"] + files, capture_output=True, text=True)
    bad = sorted(set(re.findall(r"^(\S+?):\d+:\d+: (?:error|warning)", done.stderr, re.MULTILINE)))
    for name in bad:
        print(f"  {os.path.relpath(name, TOP)}: not formatted (clang-format -i)")
    return done.returncode == 0


def check_tidy(build):
    known = {entry["file"] for entry in json.loads((build / "compile_commands.json").read_text())}
    files = [path for path in sources() if path.suffix == ".c" and str(path) in known]

    def one(path):
        done = subprocess.run(["clang-tidy", "--quiet", "-p", str(build), str(path)], capture_output=True, text=True)
        return done.returncode, done.stdout.strip()

    clean = True
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for status, text in pool.map(one, files):
            if status or text:
                clean = False
                print(text.replace(str(TOP) + "/", ""), flush=True)
    return clean


def functions(lines):
    """(name, first line, length) of each function: its brace stands alone in column 0, as clang-format leaves it."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            head = "".join(lines[max(0, start - 4):start - 1])
            names = re.findall(r"(\w+)\(", head.rsplit("}", 1)[-1].rsplit(";", 1)[-1])
            yield (names[0] if names else "?"), start, number - start - 1
            start = None


def report_lengths():
    for path in sources():
        lines = path.read_text(errors="replace").splitlines()
        where = path.relative_to(TOP)
        if len(lines) > FILE_LINES:
            print(f"  {where}: {len(lines)} lines (over {FILE_LINES})")
        for name, number, length in functions(lines):
            if length > FUNCTION_LINES:
                print(f"  {where}:{number}: {name} has {length} lines (over {FUNCTION_LINES})")


def check_cppcheck():
    if not shutil.which("cppcheck"):
        return
    subprocess.run(["cppcheck", "--quiet", "--std=c11", "--enable=warning,portability", "--inline-suppr",
                    "--suppress=missingIncludeSystem", "-Isrc", "-Iinclude", "src", "apps"], cwd=TOP)


def main():
    build = Path(sys.argv[1]).resolve()
    print("== clang-format")
    formatted = check_format()
    print("== clang-tidy")
    tidy = check_tidy(build)
    print("== long functions and files (a report)")
    report_lengths()
    print("== cppcheck, where installed (a report)", flush=True)
    check_cppcheck()
    print("lint: clean" if formatted and tidy else "lint: not clean")
    return 0 if formatted and tidy else 1


if __name__ == "__main__":
    sys.exit(main())
