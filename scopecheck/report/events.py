"""Turns what tests do with events into a table, Markdown or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scopecheck.report.paths import for_reader, tests_for_reader
from scopecheck.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scopecheck.events import ContractReport, EventReport

_NOTHING = "no event contract is in force; see docs/configuration.md\n"


def writer(name: str, root: Path, rootdirs: Sequence[str]) -> Callable[[EventReport], str]:
    """The function that writes a report in the format of this name.

    Args:
        name: of the format.
        root: of the project.
        rootdirs: of the suites, relative to the root.
    """
    if name == "text":
        shown, tests = for_reader(root), tests_for_reader(root, rootdirs)
        return lambda report: text(report, shown, tests)
    return {"markdown": markdown, "json": json}[name]


def json(report: EventReport) -> str:
    """One JSON document; its `version` changes with its form."""
    document = {"version": 1, **msgspec.to_builtins(report)}
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"


def text(report: EventReport, shown: Callable[[str], str], tests: Callable[[str, str], str]) -> str:
    """Tables in plain text, with paths and node ids as a person reads them."""
    return "".join(f"{line}\n" for line in _text(report, shown, tests)) or _NOTHING


def _text(
    report: EventReport, shown: Callable[[str], str], tests: Callable[[str, str], str]
) -> Iterator[str]:
    for contract in report.contracts:
        where = f"suite {contract.suite}: " if contract.suite else ""
        path, colon, line = contract.origin.rpartition(":")
        origin = f"{shown(path)}:{line}" if colon else contract.origin
        yield f"{where}contract {contract.name} ({origin}): {_figure(contract)}"
        yield from _table([["event", "tests", "first test"], *_coverage(contract, tests)])
        yield ""
    if report.captures:
        yield counted(len(report.captures), "capture")
        rows = [["where", "name", "from", "known by", "then"], *_captures(report, shown)]
        yield from _table(rows)


def markdown(report: EventReport) -> str:
    """Markdown: a section a contract, with the matrix of events and tests, and the captures."""
    lines: list[str] = ["# Events", ""]
    for contract in report.contracts:
        lines += [
            f"## Contract {contract.name}{f' of {contract.suite}' if contract.suite else ''}",
            "",
            f"{contract.origin}: {_figure(contract)}.",
            "",
        ]
        lines += _pipes(
            [["event", "tests", "first test"], *_coverage(contract, lambda test, _: test)]
        )
        tests = sorted({test for one in contract.coverage for test in one.tests})
        if tests:
            head = ["test", *(one.event for one in contract.coverage)]
            rows = [
                [test, *("x" if test in one.tests else "" for one in contract.coverage)]
                for test in tests
            ]
            lines += ["", *_pipes([head, *rows])]
        lines.append("")
    if not report.contracts:
        lines += [_NOTHING.strip(), ""]
    if report.captures:
        lines += [
            "## Captures",
            "",
            *_pipes([["where", "name", "from", "known by", "then"], *_captures(report, str)]),
        ]
        lines.append("")
    return "\n".join(lines)


def _figure(contract: ContractReport) -> str:
    asserted = f"{contract.covered} of {len(contract.required)} required events are asserted"
    if contract.unknown:
        count = len(contract.unknown)
        tests = "1 test asserts" if count == 1 else f"{count} tests assert"
        asserted += f"; what {tests} besides is not known"
    return asserted


def _coverage(contract: ContractReport, tests: Callable[[str, str], str]) -> list[list[str]]:
    beside = f"{contract.suite}/"
    return [
        [one.event, str(len(one.tests)), tests(one.tests[0], beside) if one.tests else "-"]
        for one in contract.coverage
    ]


_FILLED = "a list that is filled"
_FATES = {
    "unused": "never used",
    "reported": "only logged or printed",
    "exists": "only asserted to be there",
    "used": "used",
}


def _captures(report: EventReport, shown: Callable[[str], str]) -> list[list[str]]:
    return [
        [
            f"{shown(one.path)}:{one.line}",
            one.name,
            one.source or _FILLED,
            one.kind,
            _FATES[one.fate],
        ]
        for one in report.captures
    ]


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _pipes(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, f"| {' | '.join('---' for _ in rows[0])} |")
    return lines
