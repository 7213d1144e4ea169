"""Measures scopecheck beside its peers, on a million lines of tests and on a generated suite.

    python benchmarks/compare.py [--folder .cache/benchmarks] [--repeat 3] [--write README.md]

Downloads what it measures on (see `trees.py`), makes an environment with the peers, runs everything
in turn, and prints a table. Each figure is a median; each ratio is that to one bare `ast.parse` of
the files that scopecheck reads, on one core, measured in the same round. `--write` puts the table
between the marks of a document.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import trees
from measure import Cost, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    _Commands: TypeAlias = dict[str, Sequence[str]]

PEERS = (
    *("ruff==0.17.5", "flake8==7.3.0", "flake8-pytest-style==2.2.0", "flake8-async==26.8.1"),
    *("fixit==2.2.1",),
    *("pylint-pytest==1.1.9.post1", "pytest-language-server==0.24.0", "pytest==9.2.0"),
)
_SCOPECHECK = (sys.executable, "-m", "scopecheck", "--exit-zero", "-q", "--isolated")
_WITHOUT_EXTRA = """
import sys
sys.modules["ahocorasick_rs"] = None
from scopecheck.cli import main
main()
"""
_PARSE = """
import ast, sys, warnings
warnings.simplefilter("ignore")
for path in open(sys.argv[1]).read().splitlines():
    with open(path, "rb") as file:
        try:
            ast.parse(file.read())
        except (SyntaxError, ValueError, RecursionError):
            pass
"""
_QUICK = ("ruff, its PT rules", "pytest-language-server")
# By which status a peer says that it was called wrongly; pylint adds up what it found.
_MISUSED = {"pylint with pylint-pytest": (32,)}
_BEGIN, _END = "<!-- measured -->", "<!-- end of measured -->"


class Bench:
    """Where things lie, and what was measured."""

    def __init__(self, folder: Path, repeat: int, limit: float) -> None:
        self.folder = folder.resolve()
        self.limit = limit
        self.repeat = repeat
        self.rows: list[str] = []

    def say(self, row: str) -> None:
        """One row of the table, shown at once."""
        self.rows.append(row)
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()

    def measured(
        self,
        commands: _Commands,
        folder: Path,
        parse: Sequence[str],
        prepare: dict[str, Callable[[], object]] | None = None,
    ) -> None:
        """Rows for commands that are run in turn, each round with a parse of its own."""
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        parses: list[float] = []
        ratios: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(self.repeat):
            parses.append(run(parse, folder).cpu)
            for name, command in commands.items():
                (prepare or {}).get(name, lambda: None)()
                cost = run(command, folder)
                costs[name].append(cost)
                ratios[name].append(cost.cpu / parses[-1])
        self.say(f"| one `ast.parse` | | {statistics.median(parses):.2f} | 1.0 | |")
        for name, found in costs.items():
            self.say(_row(name, found, statistics.median(ratios[name])))

    def peers(self, tree: Path, parse: Sequence[str], files: Sequence[Path]) -> None:
        """Rows for the peers, one run each.

        Those that take many minutes for all, and look at each file alone, get every twentieth.
        """
        sample = trees.sample(self.folder / "sample", files[::20])
        listed = self.folder / "sample.files"
        listed.write_text("\n".join(str(path) for path in sorted(sample.glob("*.py"))))
        for name, command in _peers(_environment(self.folder / "venv")).items():
            whole = name in _QUICK
            folder = tree if whole else sample
            cpu = run(parse if whole else (*parse[:-1], str(listed)), folder).cpu
            shown = name if whole else f"{name}, every 20th file"
            try:
                cost = run(command, folder, self.limit)
            except subprocess.TimeoutExpired:
                self.say(f"| {shown} | more than {self.limit:.0f} | | | |")
                continue
            if cost.status in _MISUSED.get(name, (2,)):
                self.say(f"| {shown} | did not run: status {cost.status} | | | |")
            else:
                self.say(_row(shown, [cost], cost.cpu / cpu))


def _row(name: str, costs: list[Cost], ratio: float) -> str:
    wall = statistics.median(cost.wall for cost in costs)
    cpu = statistics.median(cost.cpu for cost in costs)
    memory = max(cost.memory for cost in costs)
    return f"| {name} | {wall:.2f} | {cpu:.2f} | {ratio:.2f} | {memory:.0f} |"


def _environment(folder: Path) -> Path:
    """The environment with the peers; its folder of programs."""
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True)
        python = str(programs / "python")
        for peer in PEERS:
            done = subprocess.run([python, "-m", "pip", "install", "-q", peer], check=False)
            if done.returncode:
                sys.stderr.write(f"{peer} cannot be installed, and is left out\n")
        (folder / "ready").touch()
    return programs


def _peers(programs: Path) -> _Commands:
    """The commands of the peers that are there, on one core where that can be chosen."""
    commands: _Commands = {
        "ruff, its PT rules": ("ruff", "check", "-q", "--no-cache", "--isolated", "--select", "PT"),
        "pytest-language-server": ("pytest-language-server", "fixtures", "unused"),
        "flake8 with flake8-pytest-style": ("flake8", "--isolated", "-j1", "-q", "--select", "PT"),
        "flake8 with flake8-async": ("flake8", "--isolated", "-j1", "-q", "--select", "ASYNC"),
        "fixit": ("fixit", "lint"),
        "pylint with pylint-pytest": (
            *("pylint", "--rcfile=/dev/null", "--recursive=y", "--disable=all", "--reports=n"),
            *("--load-plugins=pylint_pytest", "--enable=unused-argument,redefined-outer-name"),
        ),
    }
    return {
        name: (str(programs / program), *arguments, ".")
        for name, (program, *arguments) in commands.items()
        if (programs / program).exists()
    }


def _listed(tree: Path) -> tuple[Sequence[str], list[Path], int]:
    """The command that parses what scopecheck reads, the files, and how many lines they have."""
    shown = subprocess.run(
        [*_SCOPECHECK, "--no-cache", "--show-files", "--root", str(tree), str(tree)],
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [tree / line for line in shown.stdout.splitlines()]
    lines = sum(path.read_bytes().count(b"\n") for path in paths)
    names = tree.parent / f"{tree.name}.files"
    names.write_text("\n".join(map(str, paths)))
    return (sys.executable, "-c", _PARSE, str(names)), paths, lines


def _commands(tree: Path, changed: Path) -> tuple[_Commands, dict[str, Callable[[], object]]]:
    """Cold, warm and edited; and what is done before each."""
    base = (*_SCOPECHECK, "--root", str(tree), str(tree))
    cache = ("--cache-dir", str(tree.parent / f"{tree.name}.cache"))

    def edit(added: str) -> None:
        text = changed.read_text(encoding="utf-8").partition("\n# edited ")[0]
        changed.write_text(f"{text}\n# edited {time.time_ns()}\n{added}", "utf-8")

    def comment() -> None:
        edit("")
        settle()
        edit("")

    def test() -> None:
        edit(f"\n\ndef test_{time.time_ns()}(): ...\n")

    def settle() -> None:
        run((*base, *cache), tree)

    plain = (sys.executable, "-c", _WITHOUT_EXTRA, *base[3:], "--no-cache", "--jobs")
    commands: _Commands = {
        "scopecheck, cold, 1 process, without the extra `fast`": (*plain, "1"),
        "scopecheck, cold, 1 process": (*base, "--no-cache", "--jobs", "1"),
        "scopecheck, cold, 2 processes": (*base, "--no-cache", "--jobs", "2"),
        "scopecheck, nothing changed": (*base, *cache),
        "scopecheck, a comment changed": (*base, *cache),
        "scopecheck, a test added": (*base, *cache),
    }
    return commands, {
        "scopecheck, nothing changed": settle,
        "scopecheck, a comment changed": comment,
        "scopecheck, a test added": test,
    }


def _growth(bench: Bench) -> None:
    unit = trees.real(bench.folder / "unit", (trees.UNIT,))
    first: dict[str, float] = {}
    for count in (1, 2, 4, 8):
        tree = trees.copies(bench.folder / f"grown{count}", unit, count)
        suite = trees.generated(bench.folder / f"generated{count}", 2_500 * count, 60 * count)
        for name, folder in (("networkx", tree), ("generated", suite)):
            where = ("--root", str(folder), str(folder))
            command = (*_SCOPECHECK, "--no-cache", "--jobs", "1", *where)
            cpu = min(run(command, folder).cpu for _ in range(bench.repeat))
            growth = cpu / first.setdefault(name, cpu)
            bench.say(f"| {count} times {name} | | {cpu:.2f} | {growth:.2f} times | |")


def main() -> None:
    """Build, run, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, default=Path(".cache/benchmarks"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limit", type=float, default=3600, help="seconds that a peer may take")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--without-growth", action="store_true")
    parser.add_argument("--write", type=Path, help="a document with marks for the table")
    arguments = parser.parse_args()
    bench = Bench(arguments.folder, arguments.repeat, arguments.limit)
    bench.folder.mkdir(parents=True, exist_ok=True)
    head = "| {} | wall s | CPU s | times `ast.parse` | MB |\n| --- | ---: | ---: | ---: | ---: |"
    tree = trees.real(bench.folder / "real")
    parse, files, lines = _listed(tree)
    bench.say(head.format(f"{' and '.join(trees.PACKAGES)}: {len(files):,} files, {lines:,} lines"))
    commands, prepare = _commands(tree, tree / "pandas/tests/test_take.py")
    bench.measured(commands, tree, parse, prepare)
    if not arguments.without_peers:
        bench.peers(tree, parse, files)
    suite = trees.generated(bench.folder / "generated")
    parse, files, lines = _listed(suite)
    bench.say("")
    bench.say(head.format(f"20,000 tests, 500 fixtures: {len(files):,} files, {lines:,} lines"))
    commands, prepare = _commands(suite, suite / "tests/test_part0.py")
    if not arguments.without_peers:
        pytest = _environment(bench.folder / "venv") / "python"
        commands["pytest --collect-only"] = (
            *(str(pytest), "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"),
            str(suite),
        )
    bench.measured(commands, suite, parse, prepare)
    if not arguments.without_growth:
        bench.say("")
        bench.say(head.format("growth, cold, 1 process"))
        _growth(bench)
    if arguments.write is not None:
        text = arguments.write.read_text(encoding="utf-8")
        before, _, rest = text.partition(_BEGIN)
        after = rest.partition(_END)[2]
        table = "\n".join(bench.rows)
        arguments.write.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
