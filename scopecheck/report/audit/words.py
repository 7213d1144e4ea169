"""The words that the formats of an audit have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.report.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.audit import Area, Audit
    from scopecheck.audit.model import Unknown
    from scopecheck.finding import Finding
    from scopecheck.rulebook import Rule

SUITES = 12
"""How many suites are named; a report of more says how many there are."""


def number_of(number: int, noun: str, plural: str = "") -> str:
    """`1 test`, `1,200 tests`."""
    return f"1 {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"


def examined(area: Area) -> str:
    """`43 tests, 27 fixtures`."""
    return ", ".join(number_of(*count) for count in area.evidence.examined)


def holds(area: Area) -> Iterator[str]:
    """What holds of an area, its rules that found nothing last."""
    yield from (printable(text) for text in area.evidence.holds)
    if area.clean:
        yield f"{codes(area.clean)} found nothing"


def codes(rules: Sequence[Rule]) -> str:
    """`SCP101, SCP102 and SCP103`."""
    *most, last = [rule.code for rule in rules]
    return f"{', '.join(most)} and {last}" if most else last


def off(area: Area) -> str:
    """The rules of an area that were not checked; empty where all were, or none."""
    if area.verdict == "not examined" or not area.off:
        return ""
    return ", ".join(f"{rule.code} {rule.name} ({_why(rule)})" for rule in area.off)


def _why(rule: Rule) -> str:
    return "off" if rule.default == "on" else rule.default.replace("-", " ")


def outcome(area: Area) -> str:
    """What stands beside the verdict: how much was found, or why nothing was examined."""
    if area.verdict == "not examined":
        return area.reason
    if area.findings:
        return counted(len(area.findings), "finding")
    return ""


def unknown(entry: Unknown) -> str:
    """`the scope of 'db' is computed (3 tests)`."""
    return f"{printable(entry.reason)} ({number_of(entry.number, entry.noun)})"


def title(audit: Audit) -> str:
    """The folder that the report is about: of the one suite, or the root of several."""
    names = [suite.name for suite in audit.suites]
    return printable(names[0] if len(names) == 1 and names != ["."] else audit.root.name)


def suites(audit: Audit) -> Iterator[str]:
    """A line for each suite with its size, and the versions that they were read for."""
    versions = dict.fromkeys(suite.versions for suite in audit.suites)
    for suite in audit.suites[:SUITES]:
        size = ", ".join(
            (
                number_of(suite.tests, "test"),
                number_of(suite.fixtures, "fixture"),
                f"{number_of(suite.files, 'file')} read",
            )
        )
        name = "" if len(audit.suites) == 1 else f"{suite.name}: "
        own = f"; for {', '.join(suite.versions)}" if len(versions) > 1 else ""
        yield printable(f"{name}{size}{own}")
    if audit.suites[SUITES:]:
        tests = sum(suite.tests for suite in audit.suites[SUITES:])
        left = number_of(len(audit.suites) - SUITES, "suite")
        yield f"and {left} more, with {number_of(tests, 'test')}"
    if len(versions) == 1 and any(versions):
        yield printable(f"for {', '.join(next(iter(versions)))}")


def cost(audit: Audit) -> str:
    """`210 set-ups for 43 tests, each parametrized test counted once`."""
    found = audit.cost
    return (
        f"{number_of(found.setups, 'set-up')} of fixtures for {number_of(found.tests, 'test')} in "
        "one run; a parametrized test or fixture counts once"
    )


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first."""
    return sorted(findings, key=lambda finding: finding.severity != "error")
