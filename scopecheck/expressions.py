"""The part of a value's form that matters for fixtures and tests, as plain data.

Names are not resolved here: an expression keeps the form that decides a meaning
(`functools.partial(pytest.fixture, scope=SCOPE)`), and the suite evaluates it.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from scopecheck.source import Span  # noqa: TC001 - the type of fields


class Name(msgspec.Struct, frozen=True, array_like=True, tag="n", gc=False):
    """A name or a chain of attributes, as `pytest.mark.asyncio`."""

    parts: tuple[str, ...]


class Const(msgspec.Struct, frozen=True, array_like=True, tag="c", gc=False):
    """A literal."""

    value: str | int | float | bool | None


class Call(msgspec.Struct, frozen=True, array_like=True, tag="l", gc=False):
    """A call; a keyword named `**` is an unpacked mapping, a `Star` argument an unpacked list."""

    func: Expression
    args: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]
    span: Span

    def keyword(self, name: str) -> Expression | None:
        """The argument given under this keyword, if any."""
        for key, value in self.keywords:
            if key == name:
                return value
        return None


class Attribute(msgspec.Struct, frozen=True, array_like=True, tag="a", gc=False):
    """An attribute of what is not itself a plain name, as `make().mark`."""

    value: Expression
    attr: str


class Items(msgspec.Struct, frozen=True, array_like=True, tag="s", gc=False):
    """A list, tuple or set. `rest` counts the items beyond those kept."""

    items: tuple[Expression, ...]
    rest: int = 0


class Mapping(msgspec.Struct, frozen=True, array_like=True, tag="d", gc=False):
    """A dict display with constant string keys."""

    items: tuple[tuple[str, Expression], ...]


class Star(msgspec.Struct, frozen=True, array_like=True, tag="*", gc=False):
    """`*value` among arguments or items."""

    value: Expression


class Joined(msgspec.Struct, frozen=True, array_like=True, tag="+", gc=False):
    """`left + right`, as in `__all__ = a.__all__ + ["x"]`."""

    left: Expression
    right: Expression


class Choice(msgspec.Struct, frozen=True, array_like=True, tag="?", gc=False):
    """`then if test else other`; the test is unknown here."""

    then: Expression
    other: Expression


class FunctionRef(msgspec.Struct, frozen=True, array_like=True, tag="f", gc=False):
    """The function (or lambda) at this index of the file's functions."""

    index: int


class ClassRef(msgspec.Struct, frozen=True, array_like=True, tag="k", gc=False):
    """The class at this index of the file's classes."""

    index: int


class Opaque(msgspec.Struct, frozen=True, array_like=True, tag="o", gc=False):
    """A value whose form says nothing that matters here, or that only running code can tell.

    data: its form says that it is mere data: an f-string, a comparison, an arithmetic result.
    """

    data: bool = False


class Awaited(msgspec.Struct, frozen=True, array_like=True, tag="w", gc=False):
    """`await value`."""

    value: Expression


class Entered(msgspec.Struct, frozen=True, array_like=True, tag="y", gc=False):
    """What `with value as name` binds; is_async: of `async with`."""

    value: Expression
    is_async: bool = False


class Part(msgspec.Struct, frozen=True, array_like=True, tag="p", gc=False):
    """One of the values that a call's result is unpacked into, as in `reader, writer = ...`."""

    value: Expression


Expression: TypeAlias = (
    Name
    | Const
    | Call
    | Attribute
    | Items
    | Mapping
    | Star
    | Joined
    | Choice
    | FunctionRef
    | ClassRef
    | Opaque
    | Awaited
    | Entered
    | Part
)
