"""Says what of a test's plan only running code can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scopecheck.suite.model import Item


def unknown_of(item: Item) -> tuple[str, ...]:
    """What of an item's plan only running code can tell, each as a sentence."""
    assert item.plan is not None
    reasons: dict[str, None] = dict.fromkeys(item.unknown)
    plan = item.plan
    if not item.parametrized.complete:
        reasons["the argument names of a parametrize mark are computed"] = None
    for name in plan.unknown:
        reasons[f"{name!r} may be supplied by what cannot be read"] = None
    for fixture in plan.order:
        if not fixture.certain:
            reasons[f"{fixture.name!r} is defined under a condition"] = None
        if fixture.scope is None and fixture.scope_text is None:
            reasons[f"the scope of {fixture.name!r} is computed"] = None
    return tuple(reasons)
