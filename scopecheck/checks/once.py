"""What several checks ask of a suite, found once and kept for as long as the suite lives."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from scopecheck.expressions import Awaited, Call, Entered

if TYPE_CHECKING:
    from collections.abc import Callable

    from scopecheck.facts import Binding, FileFacts
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture

T = TypeVar("T")


def once(find: Callable[[Suite], T]) -> Callable[[Suite], T]:
    """A function of a suite that is called once for each; what it returns must not be changed."""
    kept: WeakKeyDictionary[Suite, T] = WeakKeyDictionary()

    @wraps(find)
    def found(suite: Suite) -> T:
        if suite not in kept:
            kept[suite] = find(suite)
        return kept[suite]

    return found


@once
def bound_calls(suite: Suite) -> list[tuple[str, Binding]]:
    """What modules give to names by calls, whatever happens, by file and in source order."""
    return [
        (path, binding)
        for path in sorted(suite.own_files)
        for binding in suite.found(path, _bound_calls) or ()
    ]


def _bound_calls(facts: FileFacts) -> tuple[Binding, ...]:
    return tuple(
        binding
        for binding in facts.bindings
        if isinstance(binding.value, (Call, Awaited, Entered))
        if not binding.target and not binding.guard.branch
    )


@once
def registrations(suite: Suite) -> dict[tuple[str, int, str], list[Fixture]]:
    """The registrations of each function under each name, in order; see `Fixture.key`."""
    found: dict[tuple[str, int, str], list[Fixture]] = {}
    for fixture in suite.fixtures:
        found.setdefault(fixture.key, []).append(fixture)
    return found
