"""The marks that hooks add to async tests, and what pytest-asyncio makes of them.

    early     the mark is on the function before pytest makes a test of it
    taken     pytest-asyncio has made the test one of its own, which only those are that it runs

What follows from a mark that a hook adds depends on pytest-asyncio's version (`plugin.py` of each,
0.21.2 to 1.5.0, was read and run):

- Up to 0.22 any async test that has the mark when it is run is run.
- From 0.23 a test is taken when it is collected, if it has the mark by then or the mode is auto
  (`pytest_pycollect_makeitem_convert_async_functions_to_subclass`). A mark that comes later does
  not make pytest-asyncio run a test, but gives a test that is taken another loop scope.
- In auto mode a test without the mark gets a bare one of its own as it is taken. So a mark that a
  hook appends comes after it and changes nothing, unless the test's class or module has the mark.
- From 0.23 to 1.0 a test also requests the loop of the mark that it has when it is collected
  (`pytest_generate_tests`; up to 0.26 not if that is a function's). Where a hook gives it a wider
  scope it requests two loops and runs on the one that was set up last: the first test of the wider
  scope on the wider loop, others on the narrower one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from scopecheck.expressions import Name
from scopecheck.suite.marks import UNKNOWN_MARK
from scopecheck.suite.model import Scope
from scopecheck.suite.values import MarkValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.finding import Place
    from scopecheck.suite.model import Item

    _Marks: TypeAlias = list[tuple[MarkValue, Place | None]]

# The mark that pytest-asyncio gives in auto mode.
_BARE = MarkValue("asyncio")

TAKEN_WHEN_COLLECTED = (0, 23)
"""From this version a test is pytest-asyncio's if it has the mark when it is collected."""
TWO_LOOPS = ((0, 23), (1, 1))
"""From the first to before the second, a test requests the loop of the mark it is collected with,
beside that of the mark it is run with."""
TWO_LOOPS_WITH_FUNCTION = (1, 0)
"""In these versions from this one on, also if the first of the two is a function's loop."""


class Needed(NamedTuple):
    """What the marks of a test must be for it to get one more.

    only, unless: names of marks that it must have, or must not have.
    asked_at: how many marks the hooks had added when that was asked.
    """

    only: frozenset[str]
    unless: frozenset[str]
    asked_at: int


class AddedMark(Struct, frozen=True):
    """A mark that a hook adds to tests when they are collected.

    closest: it comes before the test's own marks, so that it counts; else it comes after them.
    to: which tests get it: those that pytest-asyncio has taken, async ones, or all.
    needs: what is asked about the marks that a test has.
    early: see above.
    folder: only tests below it get it.
    """

    mark: MarkValue
    place: Place
    closest: bool
    to: Literal["taken", "async", "all"]
    needs: tuple[Needed, ...] = ()
    early: bool = False
    folder: str = ""


class HookedMark(NamedTuple):
    """The `asyncio` mark by which a test is run, and the one that it was collected with.

    mark: the closest one when the test is run; None where it has none. A mark named `?` where it
        cannot be known.
    place: of the hook that adds it.
    collected: the closest one when the test was collected.
    taken: pytest-asyncio runs the test, as far as its marks decide that.
    names: of all marks that the test has when it is run.
    """

    mark: MarkValue | None
    place: Place | None
    collected: MarkValue | None
    taken: bool
    names: frozenset[str]


class AsyncHooks(Struct, frozen=True):
    """What the hooks of a suite do to async tests.

    added: in the order in which the hooks run.
    unknown: hooks that may change marks or modes in a way that cannot be read.
    runs: hooks that may run async tests or fixtures by themselves, with their names.
    loop_factories: functions that give pytest-asyncio 1.4 and later the loops' factories.
    """

    added: tuple[AddedMark, ...] = ()
    unknown: tuple[str, ...] = ()
    runs: tuple[tuple[Place, str], ...] = ()
    loop_factories: tuple[Place, ...] = ()

    def mark_of(self, item: Item, version: tuple[int, int], *, auto: bool) -> HookedMark:
        """The `asyncio` mark of an async test.

        Args:
            item: the test.
            version: pytest-asyncio's.
            auto: whether its mode is auto.
        """
        own: _Marks = [(mark, None) for mark in item.marks[: item.own_marks]]
        outer: _Marks = [(mark, None) for mark in item.marks[item.own_marks :]]
        # Of the marks that the test has before each addition.
        names: list[frozenset[str]] = []
        early = sum(added.early for added in self.added)
        for added in self.added[:early]:
            names.append(_names(own, outer))
            _add(added, item, own, names, taken=False)
        collected = _closest(own, outer)[0]
        taken = auto or collected is not None
        by_collected = version >= TAKEN_WHEN_COLLECTED
        if auto and by_collected and collected is None:
            own.append((_BARE, None))
        for added in self.added[early:]:
            names.append(_names(own, outer))
            _add(added, item, own, names, taken=taken)
        if auto and not by_collected:
            own.append((_BARE, None))
        mark, place = _closest(own, outer)
        if not by_collected:
            taken = mark is not None
        return HookedMark(mark, place, collected, taken, _names(own, outer))


def runs_on_two_loops(version: tuple[int, int], collected: Scope | None, run: Scope | None) -> bool:
    """Whether some tests of a shape run on one loop and some on another.

    They do where the mark that they are run with asks for a loop of a wider scope than the one that
    they were collected with: it is set up after that other one for the first test, and not again.

    Args:
        version: pytest-asyncio's.
        collected: the loop scope by the mark that the test was collected with, None without a mark.
        run: by the mark that it is run with, None where that is not known.
    """
    first, end = TWO_LOOPS
    if collected is None or run is None or run <= collected or not first <= version < end:
        return False
    return collected is not Scope.FUNCTION or version >= TWO_LOOPS_WITH_FUNCTION


def _closest(own: _Marks, outer: _Marks) -> tuple[MarkValue | None, Place | None]:
    for mark, place in (*own, *outer):
        if mark.name in ("asyncio", UNKNOWN_MARK.name):
            return mark, place
    return None, None


def _names(own: _Marks, outer: _Marks) -> frozenset[str]:
    return frozenset(mark.name for mark, _ in (*own, *outer))


def _add(
    added: AddedMark, item: Item, own: _Marks, names: Sequence[frozenset[str]], *, taken: bool
) -> None:
    """Put a mark on a test, if the hook does; `names` are those before each addition so far."""
    below = not added.folder or item.path.startswith(f"{added.folder}/")
    if not below or (added.to == "taken" and not taken):
        return
    if added.to == "async" and _is_hidden(item, added):
        return
    mark = added.mark
    for need in added.needs:
        had = names[need.asked_at]
        if UNKNOWN_MARK.name in had and not (need.only | need.unless) <= had:
            mark = UNKNOWN_MARK  # which may be one of those that are not seen
        elif not need.only <= had or need.unless & had:
            return
    own.insert(0 if added.closest else len(own), (mark, added.place))


def _is_hidden(item: Item, added: AddedMark) -> bool:
    """Whether a decorator hides from a hook that the function is a coroutine function.

    `hypothesis.given` does, and before there is a test, `staticmethod`.
    """
    hiding = {"given", "staticmethod"} if added.early else {"given"}
    function = item.function
    return function is not None and any(
        isinstance(name, Name) and name.parts[-1] in hiding
        for decorator in function.decorators
        for name in (decorator.expression, getattr(decorator.expression, "func", None))
    )
