"""Reads pytest marks: which apply to a test, and what `parametrize` and `usefixtures` say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.expressions import Call, Name
from scopecheck.suite.model import SCOPES, Parametrized, Scope
from scopecheck.suite.values import (
    External,
    Literal,
    MarkValue,
    Missing,
    ParamValue,
    Result,
    Sequence,
    strings_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.expressions import Expression
    from scopecheck.suite.values import Value


# Stands for marks that only running code can tell.
UNKNOWN_MARK = MarkValue("?")


def marks_in(value: Value) -> tuple[MarkValue, ...]:
    """The marks of a `pytestmark` value: one mark, or a list of them."""
    match value:
        case MarkValue():
            return (value,)
        case Missing():
            return ()
        case Sequence():
            items = tuple(i if isinstance(i, MarkValue) else UNKNOWN_MARK for i in value.items)
            return items if value.complete else (*items, UNKNOWN_MARK)
    return (UNKNOWN_MARK,)


def used_names(marks: Iterable[MarkValue]) -> tuple[str, ...]:
    """The names of `usefixtures` marks."""
    return tuple(
        name
        for mark in marks
        if mark.name == "usefixtures"
        for argument in mark.args
        if (name := text_of(argument)) is not None
    )


def is_skipped(marks: Iterable[MarkValue]) -> bool:
    """Whether a mark keeps pytest from setting the test up, or hides what fails in it."""
    for mark in marks:
        if mark.name in ("skip", "xfail"):
            return True
        if mark.name == "skipif" and mark.args and mark.args[0] == Literal(True):
            return True
    return False


def may_skip(decorator: Expression) -> bool:
    """Whether a decorator has the name of one of unittest's that put a test aside."""
    func = decorator.func if isinstance(decorator, Call) else decorator
    return isinstance(func, Name) and func.parts[-1] in ("skip", "expectedFailure")


def is_unittest_skip(value: Value) -> bool:
    """Whether this is `unittest.skip(reason)`, or `unittest.expectedFailure`."""
    name = value.name if isinstance(value, (External, Result)) else ""
    return name.startswith("unittest.")


def is_never_set_up(marks: Iterable[MarkValue]) -> bool:
    """Whether a mark keeps pytest from setting the test up, so that no request is refused."""
    return any(
        mark.name == "skip"
        or (mark.name == "skipif" and mark.args[:1] == (Literal(True),))
        or (mark.name == "xfail" and _is_not_run(mark))
        or (mark.name == "parametrize" and _is_empty(mark))
        for mark in marks
    )


def _is_not_run(mark: MarkValue) -> bool:
    certain = not mark.args or mark.args[0] == Literal(True)
    return certain and mark.keyword("run") == Literal(False)


def param_marks(value: Value | None) -> frozenset[str]:
    """The names of the marks on the `pytest.param`s of some arguments, as far as they are seen."""
    items = value.items if isinstance(value, Sequence) else ()
    return frozenset(
        mark.name for item in items if isinstance(item, ParamValue) for mark in item.marks
    )


def argument_values(mark: MarkValue) -> Value | None:
    """The values of a `parametrize` mark."""
    return mark.args[1] if len(mark.args) > 1 else mark.keyword("argvalues")


def _is_empty(mark: MarkValue) -> bool:
    value = argument_values(mark)
    return isinstance(value, Sequence) and value.complete and not value.items


def parametrized(marks: Iterable[MarkValue]) -> Parametrized:
    """What the `parametrize` marks of a test do to its names."""
    given = [mark for mark in marks if mark.name == "parametrize"]
    if not given:
        return NOT_PARAMETRIZED
    found = Parametrized({}, {})
    for mark in given:
        _add(found, mark)
    return found


# Of most tests; one object for all.
NOT_PARAMETRIZED = Parametrized({}, {})


def argument_names(mark: MarkValue) -> tuple[str, ...] | None:
    """The argument names of a `parametrize` mark (or call); None when they are not known."""
    value = mark.args[0] if mark.args else mark.keyword("argnames")
    text = text_of(value)
    if text is not None:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return strings_of(value)


def _add(found: Parametrized, mark: MarkValue) -> None:
    names = argument_names(mark)
    if names is None:
        found.complete = False
        return
    indirect = _indirect(mark, names)
    if indirect is None:
        found.complete = False
        indirect = ()
    given = mark.keyword("scope")
    if given is None and len(mark.args) > 4:
        given = mark.args[4]
    default = given is None or given == Literal(None)
    scope = SCOPES.get(text_of(given) or "")
    direct = [name for name in names if name not in indirect]
    for name in direct:
        found.direct[name] = Scope.FUNCTION if default else scope
    for name in indirect:
        if not default:
            found.indirect[name] = scope
        else:
            # Mixed with direct names the scope is function's, together the narrowest.
            found.indirect[name] = Scope.FUNCTION if direct else names


def _indirect(mark: MarkValue, names: tuple[str, ...]) -> tuple[str, ...] | None:
    value = mark.keyword("indirect")
    if value is None and len(mark.args) > 2:
        value = mark.args[2]
    match value:
        case None:
            return ()
        case Literal(value=bool(flag)):
            return names if flag else ()
    listed = strings_of(value)
    return None if listed is None else tuple(name for name in names if name in listed)
