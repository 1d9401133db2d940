#!/usr/bin/env python3
"""Fuzzes every target for a share of the time each. usage: fuzz.py BUILD_DIR SECONDS

New inputs go to BUILD_DIR/corpus/<target>, so that fuzz/corpus keeps only what was put there on purpose; an input
that breaks a target is left in BUILD_DIR/findings.
"""
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def fuzz(build, source, seconds):
    """Whether the target came through."""
    name = source.stem
    program = build / "fuzz" / f"fuzz_{name}"
    if not program.exists():
        print(f"not ok {name}: was not built")
        return False
    fresh, findings = build / "corpus" / name, build / "findings"
    fresh.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    command = [str(program), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
               f"-artifact_prefix={findings}/{name}-", str(fresh)]
    for dictionary in (source.with_suffix(".dict"), source.with_name(name.split("_")[0] + ".dict")):
        if dictionary.exists():
            command.append(f"-dict={dictionary}")
            break
    kept = TOP / "fuzz/corpus" / name
    if kept.is_dir():
        command.append(str(kept))
    log = build / f"{name}.log"
    with log.open("w") as out:
        status = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
    stats = [line for line in log.read_text(errors="replace").splitlines() if "number_of_executed_units" in line]
    print(f"{'ok' if status == 0 else 'not ok'} {name} {stats[0].split()[-1] + ' runs' if stats else ''} ({log})",
          flush=True)
    return status == 0


def main():
    if len(sys.argv) != 3 or not sys.argv[2].isdigit():
        sys.exit("usage: ./run fuzz [SECONDS]")
    build, seconds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    sources = [path for path in sorted((TOP / "fuzz").glob("*.c")) if path.name != "replay_main.c"]
    if not sources:
        sys.exit("fuzz: no targets yet")
    share = max(1, seconds // len(sources))
    results = [fuzz(build, source, share) for source in sources]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
