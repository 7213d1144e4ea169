"""Counts how often pytest sets each fixture up in a run of the whole suite.

A test counts once, whatever its parametrizations, and a fixture with `params` once for each time
its scope asks for it. pytest keeps what it set up for the scope's node (`get_scope_node`, pytest
9.2): a class-scoped fixture outside any class lasts for one test, and a package-scoped one for the
session, or for the one package in whose conftest it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.suite.marks import is_never_set_up
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item


def count_setups(suite: Suite) -> dict[Fixture, int]:
    """The set-ups of every fixture that a test reaches, by definition as registered.

    Left out are fixtures whose scope only running code can tell, and the values of `parametrize`.
    """
    nodes: dict[Fixture, set[str]] = {}
    of_class: dict[Fixture, list[Item]] = {}
    for plan, alike in suite.items_of.items():
        members = [item for item in alike if is_set_up(item)]
        by_scope: dict[Scope, set[str]] = {}
        for fixture in plan.order if members else ():
            scope = fixture.scope
            if scope is None or fixture.pseudo:
                continue
            if scope is Scope.CLASS:
                of_class.setdefault(fixture, []).extend(members)
                continue
            if scope not in by_scope:
                by_scope[scope] = {_node(item, scope) for item in members}
            nodes.setdefault(fixture, set()).update(by_scope[scope])
    found = {fixture: len(kept_for) for fixture, kept_for in nodes.items()}
    if of_class:
        order = {item: number for number, item in enumerate(suite.items)}
        for fixture, members in of_class.items():
            found[fixture] = _setups_by_class(sorted(members, key=order.__getitem__))
    return found


def setups_at(suite: Suite, items: Iterable[Item], scope: Scope) -> int:
    """The set-ups of a fixture for some tests, if it had this scope."""
    members = [item for item in items if is_set_up(item)]
    if scope is not Scope.CLASS:
        return len({_node(item, scope) for item in members})
    order = {item: number for number, item in enumerate(suite.items)}
    return _setups_by_class(sorted(members, key=order.__getitem__))


def is_set_up(item: Item) -> bool:
    """Whether pytest collects a test and sets it up."""
    return item.refusal is None and not is_never_set_up(item.marks)


def _node(item: Item, scope: Scope) -> str:
    """What a fixture of function, module or wider scope is kept for, as a node id."""
    if scope is Scope.FUNCTION:
        return item.nodeid
    return item.nodeid.partition("::")[0] if scope is Scope.MODULE else ""


def _setups_by_class(items: Iterable[Item]) -> int:
    """The set-ups of a class-scoped fixture for tests in the order in which they run.

    It is kept for the class of the test that it was set up for, and so for the classes in that.
    """
    number, kept_for = 0, ""
    for item in items:
        if not kept_for or not item.nodeid.startswith(f"{kept_for}::"):
            number += 1
            outer = item.nodeid.rpartition("::")[0]
            kept_for = outer if "::" in outer else ""
    return number
