"""What a test's statements show of how it can fail, as plain data that can be stored and sent.

check      something that fails the test when it does not hold: `assert`, `pytest.raises`, an
           `if` that ends in `pytest.fail`, an assertion of a mock or of unittest
vacuity    a loop over what may be empty, or a test of its truth, in which all the checks stand
callee     a function that the test calls, which may hold further checks
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from scopecheck.source import Span  # noqa: TC001 - msgspec evaluates annotations

Asserts: TypeAlias = Literal["", "raise", "assert"]
"""What a function's text has that may fail a test: nothing, a mere `raise`, an assertion."""


class Vacuity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all checks of a test stand in, though nothing says that it is ever entered.

    kind: a `loop`, an `all(...)`, an `if`, or an `exit`: a condition under which the test returns
        or skips before its checks.
    span: of the statement's first line, or of the call. words: what it goes over, or asks for.
    source: the dotted name of the call that gave it; empty for a list filled elsewhere.
    checks: the checks inside.
    """

    kind: Literal["loop", "all", "if", "exit"]
    span: Span
    words: str
    source: str
    checks: tuple[Span, ...]


class Callee(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A function that is called, or handed to another one, by the name that it has in the test.

    parts: of the dotted name; the first is empty for a method of what another call returned.
    outside: of the vacuity, if there is one.
    """

    parts: tuple[str, ...]
    outside: bool = True


class Dropped(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A call whose result is dropped, or asserted to be true: wrong if it makes a coroutine.

    name: of the function, imported or of this file; of a method of `self` with that before it.
    local: the function is defined in the test, and is a coroutine function.
    asserted: the statement is `assert name(...)`.
    """

    name: tuple[str, ...]
    span: Span
    local: bool = False
    asserted: bool = False


class Lost(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An assertion in a function inside a test, where its failure does not reach the test.

    kind: what runs the function: a `thread`, a `task` that nothing waits for, or an executor whose
        `future` nobody keeps.
    span: of the assertion. name: of the function. cause: the call that runs it.
    """

    kind: Literal["thread", "task", "future"]
    span: Span
    name: str
    cause: Span


class Returned(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`return` with a comparison, or with another truth value, in a test."""

    kind: Literal["comparison", "bool"]
    span: Span
    words: str = ""


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """What was seen in a test that has no assertion which always runs, or that drops a result.

    checked: an assertion always runs; then only `dropped`, `lost` and `returned` are filled.
    checks: how many checks there are. conditional: the first `if` with checks, where all of them
        stand under conditions.
    unknown: something may fail the test that its text does not name.
    """

    checked: bool
    checks: int = 0
    vacuity: Vacuity | None = None
    conditional: Span | None = None
    callees: tuple[Callee, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    lost: tuple[Lost, ...] = ()
    returned: Returned | None = None
