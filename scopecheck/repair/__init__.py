"""Mends what was found: a fix for each finding that has one, proved before it is written.

    offer    a fix that is not made yet: what it would do, and whether it is safe
    fixer    makes the offers for one finding; a function with its rule's name, found like a check
    bench    what fixes are made with: the project's files, the suites, what was looked up before
    round    fixes that do not touch each other, made together, and the suites linked again

An offer costs next to nothing, so that every report can say what could be mended; libcst is loaded
when the first fix is made. The fixers import it, through `scopecheck.fix`, only where they write.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from scopecheck import rulebook
from scopecheck.finding import Fix
from scopecheck.rulebook import ENGINE_PREFIX
from scopecheck.suppress import UNUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from scopecheck.finding import Fault, Finding
    from scopecheck.repair.bench import Bench, Offer
    from scopecheck.suite import Suite

    Fixer: TypeAlias = Callable[[Bench, Suite, Fault], Iterable[Offer]]

FAMILIES: dict[str, tuple[str, ...]] = {
    "1": ("scopes", "definitions"),
    "2": ("handling", "loops", "event_loop"),
    "3": ("definitions", "imported", "unknown", "duplicates", "collected", "called", "yields"),
    "4": ("process_state", "patches", "containers", "shared_values"),
    "5": ("events",),
    "6": ("assertions", "emptiness"),
}


def find(code: str, name: str) -> Fixer | None:
    """The fixer of a rule, or None."""
    for module in FAMILIES.get(code[3], ()):
        fixer: Fixer | None = getattr(
            import_module(f"{__name__}.{module}"), name.replace("-", "_"), None
        )
        if fixer is not None:
            return fixer
    return None


def offers(bench: Bench, finding: Finding) -> tuple[Offer, ...]:
    """What could mend a finding, the best first."""
    if finding.code.startswith(ENGINE_PREFIX):
        from scopecheck.repair.suppressions import unused_suppression

        return tuple(unused_suppression(finding.fault)) if finding.name == UNUSED else ()
    fixer = find(finding.code, finding.name)
    suite = bench.suite_of(finding)
    return () if fixer is None or suite is None else tuple(fixer(bench, suite, finding.fault))


def with_offers(bench: Bench, finding: Finding, suite: Suite | None = None) -> Finding:
    """The finding with what its fixes would do, the fixes unmade; suite: the one it is of."""
    if rulebook.rules()[finding.name].fix == "none":
        return finding
    if suite is not None:
        bench.note(finding, suite)
    found = offers(bench, finding)
    fixes = (Fix(offer.title, offer.applicability, (), offer.counted) for offer in found)
    return _with(finding, fixes)


def with_edits(bench: Bench, finding: Finding) -> Finding:
    """The finding with its fixes made, those left out that cannot be."""
    if not finding.fault.fixes:
        return finding
    made = (bench.attempt(offer) for offer in offers(bench, finding))
    return _with(finding, (fix for fix in made if isinstance(fix, Fix)))


def _with(finding: Finding, fixes: Iterable[Fix]) -> Finding:
    fault = msgspec.structs.replace(finding.fault, fixes=tuple(fixes))
    return msgspec.structs.replace(finding, fault=fault)
