"""Turns the plans of suites into what one run of them sets up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.audit.model import Cost, ScopeCost, Weight
from scopecheck.suite.model import SCOPES, Scope
from scopecheck.suite.setups import count_setups, is_set_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture

HEAVIEST = 10


def cost_of(suites: Iterable[Suite]) -> Cost:
    """The set-ups of one run of each suite."""
    weights: dict[tuple[object, ...], Weight] = {}
    tests = 0
    for suite in suites:
        tests += len({item.nodeid for item in suite.items if is_set_up(item)})
        users = suite.users
        for fixture, setups in count_setups(suite).items():
            # A definition that several files import is one here.
            key = (suite.files.name, *fixture.key)
            before = weights.get(key)
            reached = len(users.get(fixture, ()))
            weight = _weight(fixture, setups, reached)
            if before is not None:
                weight = _added(before, weight)
            weights[key] = weight
    found = sorted(weights.values(), key=lambda w: (-w.setups, -w.tests, w.place, w.name))
    by_scope = []
    for scope in Scope:
        alike = [weight for weight in found if SCOPES[weight.scope] is scope]
        if alike:
            setups = sum(weight.setups for weight in alike)
            by_scope.append(ScopeCost(scope.word, len(alike), setups))
    own = [weight for weight in found if weight.own]
    return Cost(
        sum(weight.setups for weight in found), tests, tuple(by_scope), tuple(own[:HEAVIEST])
    )


def _weight(fixture: Fixture, setups: int, tests: int) -> Weight:
    assert fixture.scope is not None
    own = fixture.path is not None and "site-packages/" not in fixture.path
    place = f"{fixture.path}:{fixture.line}" if own else f"[{fixture.plugin}]"
    return Weight(
        fixture.name, fixture.scope.word, place, setups, tests, bool(fixture.autouse), own
    )


def _added(one: Weight, other: Weight) -> Weight:
    return Weight(
        one.name,
        one.scope,
        one.place,
        one.setups + other.setups,
        one.tests + other.tests,
        one.autouse or other.autouse,
        one.own,
    )
