"""Runs many projects under many versions, and counts.

    python -m loops.matrix [--projects N] [--first SEED] [VERSION...]    in the folder of the tests

prints one table, and of each kind of disagreement the smallest project that shows it.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loops.client import Server
from loops.compare import Comparison, compare
from loops.exceptions import exemption
from loops.generator import Project, make, parse
from loops.predict import predict
from scopecheck.testing import environments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scopecheck.testing.environments import Environment


class Judged(NamedTuple):
    """A project, and how the two answers differ."""

    project: Project
    comparison: Comparison

    @property
    def unexplained(self) -> list[str]:
        """The disagreements that are no exception."""
        version = parse(self.project.version)
        return [each for each in self.comparison.disagreements if exemption(version, each) is None]


def of_asyncio(*, by_default: bool = False) -> dict[str, Environment]:
    """The environments of pytest-asyncio's versions, built or not."""
    return {
        environment.versions["pytest-asyncio"]: environment
        for environment in environments.TABLE
        if set(environment.versions) == {"pytest", "pytest-asyncio"}
        and (environment.by_default or not by_default)
    }


class Judge:
    """Compares projects under one version; a context manager."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.version = environment.versions["pytest-asyncio"]
        self.server = Server(environment)

    def judge(self, files: Mapping[str, str]) -> Comparison:
        """How pytest and scopecheck differ on a project."""
        with tempfile.TemporaryDirectory(prefix="loops-") as name:
            folder = Path(name).resolve()
            for path, text in files.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            run = self.server.run(folder)
            predicted = predict(folder, self.environment.python)
        return compare(self.version, self.environment.versions["pytest"], run, predicted)

    def all(self, seeds: Iterable[int]) -> Iterator[Judged]:
        """The projects of these numbers."""
        for seed in seeds:
            project = make(self.version, seed)
            yield Judged(project, self.judge(project.files()))

    def smallest(self, project: Project, disagreement: str) -> Judged:
        """The project without all that a disagreement like this does not need."""
        wanted = kind(disagreement)
        judged = Judged(project, self.judge(project.files()))
        smaller: Judged | None = judged
        while smaller is not None:
            judged = smaller
            candidates = (each for each in judged.project.smaller() if each.tests)
            tried = (Judged(each, self.judge(each.files())) for each in candidates)
            smaller = next(
                (each for each in tried if wanted in map(kind, each.unexplained)),
                None,
            )
        return judged

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()


def kind(disagreement: str) -> str:
    """A disagreement without its names."""
    return re.sub(r"\S*(test_|fixture_|two|one|inner)\S*", "?", disagreement)


COLUMNS = (
    "projects",
    "items",
    "errors",
    "pairs",
    "different",
    "deprecations",
    "disagreements",
    "exceptions",
    "unknown",
)


class Table:
    """Counts for each version, and why something was unknown."""

    def __init__(self) -> None:
        self.rows: dict[str, Counter[str]] = {}
        self.all: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.exceptions: Counter[str] = Counter()

    def add(self, judged: Judged) -> None:
        """Counts one project in."""
        version, found = judged.project.version, judged.comparison
        row = self.rows.setdefault(version, Counter())
        row += found.counts
        row["projects"] += 1
        row["disagreements"] += len(judged.unexplained)
        row["exceptions"] += len(found.disagreements) - len(judged.unexplained)
        for each in found.disagreements:
            covered = exemption(parse(version), each)
            if covered is not None:
                self.exceptions[covered.name] += 1
        self.all += found.counts
        self.unknown += found.unknown

    def lines(self) -> Iterator[str]:
        """The table as Markdown, and what does not fit into it."""
        yield f"| version | {' | '.join(COLUMNS)} |"
        yield "|---" * (len(COLUMNS) + 1) + "|"
        total: Counter[str] = Counter()
        for version, row in self.rows.items():
            yield self._line(version, row)
            total += row
        yield self._line("all", total)
        yield ""
        yield f"counted: {_listed(self.all)}"
        yield f"exceptions: {_listed(self.exceptions)}"
        yield f"unknown: {_listed(self.unknown)}"

    def _line(self, name: str, row: Counter[str]) -> str:
        return f"| {name} | {' | '.join(str(row[column]) for column in COLUMNS)} |"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.most_common() if number) or "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 when something disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    parser.add_argument("--projects", type=int, default=100, help="of all versions together")
    parser.add_argument("--first", type=int, default=0, help="the first project's number")
    parser.add_argument("--show", type=int, default=3, help="kinds of disagreement to show")
    options = parser.parse_args(arguments)
    known = {version: each for version, each in of_asyncio().items() if each.is_built}
    wanted = options.versions or list(known)
    each = math.ceil(options.projects / max(1, len(wanted)))
    table = Table()
    for version in wanted:
        with Judge(known[version]) as judge:
            kinds: dict[str, Judged] = {}
            for judged in judge.all(range(options.first, options.first + each)):
                table.add(judged)
                for disagreement in judged.unexplained:
                    kinds.setdefault(kind(disagreement), judged)
            for disagreement in list(kinds)[: options.show]:
                small = judge.smallest(kinds[disagreement].project, disagreement)
                print(f"# {small.project}\n{small.project.text()}")
                print("\n".join(f"> {each}" for each in small.unexplained), flush=True)
    print("\n".join(table.lines()))
    return 1 if any(row["disagreements"] for row in table.rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
