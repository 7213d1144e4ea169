"""Times a whole cold run against one bare `ast.parse` over the same files, in one go.

    python benchmarks/against_parse.py PATH [--repeat 5]

Prints CPU seconds of both (user and system, one process), their ratio, and the run's peak memory.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

_COMMAND = (sys.executable, "-m", "scopecheck")


def parse(root: Path, paths: list[str]) -> float:
    """CPU seconds of parsing the files, reading left out."""
    texts = [(root / path).read_bytes() for path in paths]
    start = time.process_time()
    for text in texts:
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
    return time.process_time() - start


def run(path: Path) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and peak kilobytes of one run without a cache."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [*_COMMAND, str(path), "--jobs", "1", "--exit-zero", "-q", "--no-cache"],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return cpu, wall, after.ru_maxrss


def files_of(path: Path) -> tuple[Path, list[str]]:
    """The files that a run reads, and the root that they are relative to."""
    shown = subprocess.run(
        [sys.executable, "-m", "scopecheck", str(path), "--show-files"],
        capture_output=True,
        text=True,
        check=True,
    )
    settings = subprocess.run(
        [sys.executable, "-m", "scopecheck", "config", str(path), "--output-format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(json.loads(settings.stdout)["root"]), shown.stdout.splitlines()


def main() -> None:
    """Measure in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("path", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    root, paths = files_of(arguments.path)
    lines = sum((root / path).read_bytes().count(b"\n") for path in paths)
    sys.stdout.write(f"{len(paths)} files, {lines:,} lines, Python {sys.version.split()[0]}, ")
    sys.stdout.write(f"{os.cpu_count()} cores\n")
    ratios, parses, runs, walls, peak = [], [], [], [], 0
    for _ in range(arguments.repeat):
        parsed = parse(root, paths)
        cpu, wall, peak = run(arguments.path)
        parses.append(parsed)
        runs.append(cpu)
        walls.append(wall)
        ratios.append(cpu / parsed)
    for name, values in (("ast.parse cpu s", parses), ("run cpu s", runs), ("run wall s", walls)):
        sys.stdout.write(f"{name:<16} {statistics.median(values):8.2f}\n")
    sys.stdout.write(f"{'ratio':<16} {statistics.median(ratios):8.2f}")
    sys.stdout.write(f"  ({min(ratios):.2f} to {max(ratios):.2f})\n")
    sys.stdout.write(f"{'peak memory MB':<16} {peak / 1024:8.0f}\n")


if __name__ == "__main__":
    main()
