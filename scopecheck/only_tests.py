"""Whether an edit of a test file changed nothing but tests of it, and where the others are now.

All else in the file says the same: fixtures, helpers, classes, what stands between them. So do
imports, but for those of names that nothing else in the file has: they go with the tests. Then what
was learned from the functions that did not change still holds, if their text is the same.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from scopecheck.cache.moved import LINES, SAID
from scopecheck.expressions import ClassRef, FunctionRef
from scopecheck.facts import ALWAYS, Class, Function, Import

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from scopecheck.facts import Binding, BoundValue, FileFacts
    from scopecheck.source import Span

# The numbers of functions and classes, which are others where one was added above.
_NUMBERS: dict[type, tuple[str, ...]] = {
    FunctionRef: ("index",),
    ClassRef: ("index",),
    Function: ("owner",),
    Class: ("owner",),
}
_NAME: dict[type, tuple[str, ...]] = {Function: ("name", "span", "owner")}
_Key: TypeAlias = tuple[int, str]


class OnlyTests:
    """An edit that changed nothing but tests.

    changed: the tests that changed or were added, as they are.
    names: of these, and of the tests that were taken out.
    imported: the import statements, as they are, of names that were not imported before or are not
        any more; and these names.
    loses: what a test did that is gone may be done by no other, whatever its name.
    lines: where lines of the file of before are now, those of what changed left out.

    Args:
        kept: the functions that did not change, as they were and as they are.
        frame: what else is in the file, as it was and as it is.
        changed: the tests that did, as they are.
        names: of them, as they were and as they are.
        imported: bindings of imports that are not in both states.
        loses: a test of before is none any more, under any name.
    """

    def __init__(
        self,
        kept: Iterable[tuple[Function, Function]],
        frame: tuple[FileFacts, FileFacts],
        changed: Iterable[Function],
        names: set[str],
        imported: tuple[list[Binding], list[Binding]],
        *,
        loses: bool,
    ) -> None:
        self.changed = tuple(changed)
        self.names = frozenset(names)
        self.imported = (
            tuple(binding.span for binding in imported[1]),
            frozenset(binding.name for bindings in imported for binding in bindings),
        )
        self.loses = loses
        self._kept = tuple(kept)
        self.lines: dict[int, int] = {}
        for one, other in zip(*map(_spans, frame), strict=True):
            self.lines |= {one.line: other.line, one.end_line: other.end_line}
        for before, now in self._kept:
            shift = now.line - before.line
            for line in range(before.first_line, before.end_line + 1):
                self.lines[line] = line + shift

    def holding(self, first: int, last: int) -> tuple[Function, Function] | None:
        """The function, as it was and as it is, that lines of the file of before lie in."""
        for before, now in self._kept:
            if before.first_line <= first and last <= before.end_line:
                return before, now
        return None

    def held(self, first: int, last: int) -> Function | None:
        """The function as it was that lines of the file as it is lie in; None where it changed."""
        for before, now in self._kept:
            if now.first_line <= first and last <= now.end_line:
                return before
        return None


def only_tests(
    before: FileFacts, now: FileFacts, tests: Collection[int], tests_now: Collection[int]
) -> OnlyTests | None:
    """What an edit changed, if that is nothing but tests.

    Args:
        before: the facts of the file as it was.
        now: as it is.
        tests: the lines of the tests of before.
        tests_now: the lines of those of now.
    """
    old = {i for i, f in enumerate(before.functions) if f.line in tests}
    new = {i for i, f in enumerate(now.functions) if f.line in tests_now}
    imported = _imported_once(before, now)
    frame = (_frame(before, old, imported[0]), _frame(now, new, imported[1]))
    if not _is_alike(*frame, {}):
        return None
    kept: list[tuple[Function, Function]] = []
    others = [f for i, f in enumerate(before.functions) if i not in old]
    others_now = [f for i, f in enumerate(now.functions) if i not in new]
    for one, other in zip_longest(others, others_now):
        if one is None or other is None or not _is_alike(one, other, {}):
            return None
        kept.append((one, other))
    by_key, by_key_now = _by_key(before, old), _by_key(now, new)
    names: set[str] = set()
    gone: list[Function] = []
    changed: list[Function] = []
    for key in by_key.keys() | by_key_now.keys():
        mine, its = by_key.get(key, []), by_key_now.get(key, [])
        if len(mine) == len(its) == 1 and _is_alike(mine[0], its[0], {}):
            kept.append((mine[0], its[0]))
        else:
            names.add(key[1])
            gone += mine
            changed += its
    tests_left = [now.functions[index] for index in new]
    loses = not all(any(_is_alike(f, g, _NAME) for g in tests_left) for f in gone)
    return OnlyTests(kept, frame, changed, names, imported, loses=loses)


def only_adds(before: FileFacts, now: FileFacts) -> bool:
    """Whether every function, class and statement is still there, in order, on whatever line."""
    return all(
        _is_within(one, other)
        for one, other in (
            (before.functions, now.functions),
            (before.classes, now.classes),
            (before.bindings, now.bindings),
            (before.module_calls, now.module_calls),
        )
    )


def _by_key(facts: FileFacts, tests: set[int]) -> dict[_Key, list[Function]]:
    found: dict[_Key, list[Function]] = {}
    for index in tests:
        function = facts.functions[index]
        found.setdefault((function.owner, function.name), []).append(function)
    return found


def _imported_once(before: FileFacts, now: FileFacts) -> tuple[list[Binding], list[Binding]]:
    """The imports at the top level, under no condition, that are in one of two states alone."""

    def imports(facts: FileFacts) -> dict[tuple[str, BoundValue], list[Binding]]:
        found: dict[tuple[str, BoundValue], list[Binding]] = {}
        for one in facts.bindings:
            if isinstance(one.value, Import) and one.guard == ALWAYS and one.name.isidentifier():
                found.setdefault((one.name, one.value), []).append(one)
        return found

    old, new = imports(before), imports(now)
    return (
        [one for key, found in old.items() if key not in new for one in found],
        [one for key, found in new.items() if key not in old for one in found],
    )


def _frame(facts: FileFacts, tests: set[int], imported: list[Binding]) -> FileFacts:
    """The facts of a file without its tests and some imports; functions are numbered anew."""
    replace = msgspec.structs.replace
    left = (index for index in range(len(facts.functions)) if index not in tests)
    numbers = {index: number for number, index in enumerate(left)}

    def without(bindings: Iterable[Binding]) -> tuple[Binding, ...]:
        found = []
        for one in bindings:
            if not isinstance(one.value, FunctionRef):
                found.append(one)
            elif one.value.index in numbers:
                found.append(replace(one, value=FunctionRef(numbers[one.value.index])))
        return tuple(found)

    classes = tuple(replace(one, bindings=without(one.bindings)) for one in facts.classes)
    return replace(
        facts,
        bindings=without(one for one in facts.bindings if one not in imported),
        classes=classes,
        functions=(),
        suppressions=(),
        words=0,
        lines=0,
    )


def _spans(frame: FileFacts) -> Iterator[Span]:
    """The places of what a file has beside functions."""
    for class_ in frame.classes:
        yield class_.span
        yield from (decorator.span for decorator in class_.decorators)
        yield from (binding.span for binding in class_.bindings)
    yield from (binding.span for binding in frame.bindings)
    yield from (found.call.span for found in frame.module_calls)


def _is_within(before: Iterable[Any], now: Iterable[Any]) -> bool:
    """Whether a row is left when some of another one are taken out."""
    left = iter(now)
    return all(any(_is_alike(one, other, _NUMBERS) for other in left) for one in before)


def _is_alike(one: Any, other: Any, aside: Mapping[type, tuple[str, ...]]) -> bool:
    """Whether two facts are the same but for lines, and for the fields that are left aside."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is tuple:
        if len(one) != len(other):
            return False
        return all(_is_alike(a, b, aside) for a, b in zip(one, other, strict=True))
    if not isinstance(one, msgspec.Struct):
        return bool(one == other)
    beside = (*LINES.get(kind, ()), *aside.get(kind, ()))
    return all(
        name in beside or _is_alike(getattr(one, name), getattr(other, name), aside)
        for name in SAID.get(kind) or one.__struct_fields__
    )
