"""What is known of a hook, or of a function that may help one: what it does to tests and asks."""

from __future__ import annotations

from typing import Literal

import msgspec

from scopecheck.expressions import Expression  # noqa: TC001 - the type of fields
from scopecheck.source import Span  # noqa: TC001 - the type of fields

ITEM = "<item>"
"""Names, in what is said of a hook, the test that its statements are run for."""


class Condition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What must hold of a test for a statement of a hook to be run for it.

    relation: between left and right; empty where `left` must be true, `or` where all conditions of
        one of `either` must hold.
    holds: False where the opposite must.
    since: when the function asks it, see `MarkAddition`.
    """

    left: Expression
    relation: Literal["", "is", "==", "in", "or"] = ""
    right: Expression | None = None
    holds: bool = True
    either: tuple[tuple[Condition, ...], ...] = ()
    since: int = 0


class MarkAddition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A mark that a function puts on tests: `item.add_marker(mark, append=False)`.

    early: it is put on the function before pytest makes a test of it.
    late: after the `yield` of a hook that wraps the others.
    since: when the function adds it: its time begins with 0, and goes on by one with each addition
        and with its `yield`.
    """

    mark: Expression
    span: Span
    append: Expression | None = None
    conditions: tuple[Condition, ...] = ()
    early: bool = False
    late: bool = False
    since: int = 0


class HookFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a hook, or a function that hooks may call, does to tests and asks about them.

    additions: marks that it puts on tests, apart from those that are visibly not about async, of
        which `others` has the names.
    unread: the first place where it may change a test's marks in another way.
    names_async: it names one of the marks `asyncio`, `anyio` and `trio`.
    speaks_async: it may run coroutines, by the names in it.
    answer: when it is true of its first parameter; None where it answers nothing.
    """

    additions: tuple[MarkAddition, ...] = ()
    unread: Span | None = None
    names_async: bool = False
    speaks_async: bool = False
    answer: tuple[Condition, ...] | None = None
    others: tuple[str, ...] = ()
