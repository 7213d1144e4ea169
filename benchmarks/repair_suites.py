"""Repairs copies of suites with every fix there is, and says whether anything is worse afterwards.

    python benchmarks/repair_suites.py PATH...

For each path, a folder: how many findings there are, how many are mended and left, which fixes were
dropped and why; and what must not be: a file that does not compile, a finding that is new, a test
that is not collected any more, a second repair that changes something. Status 1 where there is any.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from scopecheck.config import Settings
from scopecheck.fix.files import write
from scopecheck.project import Project
from scopecheck.repair.rounds import Repaired, key_of
from scopecheck.run import analyse, repair
from scopecheck.suppress import UNUSED

_LEFT_OUT = shutil.ignore_patterns(".git", "node_modules", ".venv", "__pycache__")


def main() -> int:
    """Exit status 1 where a suite is worse than before."""
    worse = 0
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch).resolve() / Path(name).name
            shutil.copytree(name, root, symlinks=True, ignore=_LEFT_OUT)
            worse += _repair(root)
    return 1 if worse else 0


def _repair(root: Path) -> int:
    settings = Settings(extend_select=("ALL",))
    start = time.perf_counter()
    before = analyse([], root=root, settings=settings, whole=True)
    tests = _tests(root, settings)
    looked = time.perf_counter()
    done = _mend(root, settings)
    mended = time.perf_counter()
    write(root, done.changes)
    after = analyse([], root=root, settings=settings, whole=True)
    problems = [f"does not compile: {path}" for path in _broken(root, done)]
    known = Counter(map(key_of, before.findings))
    now = Counter(map(key_of, after.findings))
    problems += [
        f"new: {finding.code} {finding.fault.place.path}:{finding.fault.place.span.line} "
        f"{finding.fault.message}"
        for finding in after.findings
        if finding.name != UNUSED and now[key_of(finding)] > known[key_of(finding)]
    ]
    problems += [f"lost: {nodeid}" for nodeid in sorted(tests - _tests(root, settings))]
    problems += [f"changed again: {change.path}" for change in _mend(root, settings).changes]
    fixed = ", ".join(f"{code} {number}" for (code, _), number in sorted(done.fixed.items()))
    print(
        f"{root.name}: {len(tests)} tests, {len(before.findings)} findings, "
        f"{sum(done.fixed.values())} mended in {len(done.changes)} files ({fixed}), "
        f"{len(after.findings)} left; looked {looked - start:.1f} s, mended {mended - looked:.1f} s"
    )
    for line in (*done.dropped, *problems):
        print(f"  {line}")
    sys.stdout.flush()
    return len(problems)


def _mend(root: Path, settings: Settings) -> Repaired:
    return repair([], project=Project(root, settings), settings=settings, unsafe=True)


def _tests(root: Path, settings: Settings) -> set[str]:
    return {item.nodeid for suite in Project(root, settings).suites([]) for item in suite.items}


def _broken(root: Path, done: Repaired) -> list[str]:
    found = []
    for change in done.changes:
        if change.path.endswith(".py"):
            try:
                compile((root / change.path).read_bytes(), change.path, "exec", dont_inherit=True)
            except SyntaxError:
                found.append(change.path)
    return found


if __name__ == "__main__":
    sys.exit(main())
