"""What an expression stands for, as far as it matters for fixtures and tests.

External("pytest.fixture")       a name outside the files that were read
FixtureMarker                    what `pytest.fixture(scope="session")` returns
FixtureValue                     a function that a marker was put on
MarkValue                        `pytest.mark.usefixtures("db")`
FunctionValue, ClassValue        a function or class of a file that was read
UNKNOWN                          what only running code can tell
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import astuple, replace

if TYPE_CHECKING:
    from scopecheck.facts import Class, Function
    from scopecheck.suite.namespace import Namespace


class Unknown(Struct, frozen=True):
    """A value that only running code can tell."""


UNKNOWN = Unknown()


class Missing(Struct, frozen=True):
    """No such name in a namespace that is known in full."""


MISSING = Missing()


class Raises(Struct, frozen=True):
    """An expression that fails when it is evaluated, so that the import of its file does."""

    reason: str


class Literal(Struct, frozen=True):
    """A constant."""

    value: str | int | float | bool | None


class Sequence(Struct, frozen=True):
    """A list, tuple or set; `complete` is False when some items are not known."""

    items: tuple[Value, ...]
    complete: bool = True


class Dictionary(Struct, frozen=True):
    """A dict with constant string keys."""

    items: tuple[tuple[str, Value], ...]


class External(Struct, frozen=True):
    """A name that is defined outside the files that were read, by its full dotted path."""

    name: str


class Result(Struct, frozen=True):
    """What calling something external returned, by the callee's dotted path."""

    name: str


class ModuleValue(Struct, frozen=True):
    """A module that was read, by its path; `name` is the dotted name it was imported by."""

    path: str
    name: str


class PackageValue(Struct, frozen=True):
    """A folder without `__init__.py` (a namespace package), by its path from the root."""

    folder: str
    name: str


class MarkValue(Struct, frozen=True):
    """A pytest mark with its arguments; `called` is False for the bare `pytest.mark.name`."""

    name: str
    args: tuple[Value, ...] = ()
    keywords: tuple[tuple[str, Value], ...] = ()
    called: bool = False

    def keyword(self, name: str) -> Value | None:
        """The argument given under this keyword."""
        for key, value in self.keywords:
            if key == name:
                return value
        return None


class ParamValue(Struct, frozen=True):
    """`pytest.param(value, marks=...)`."""

    value: Value
    marks: tuple[MarkValue, ...]


class PartialValue(Struct, frozen=True):
    """`functools.partial(func, ...)`."""

    func: Value
    args: tuple[Value, ...]
    keywords: tuple[tuple[str, Value], ...]


class FixtureMarker(Struct, frozen=True):
    """The options of a fixture decorator that waits for its function.

    scope, name, autouse: UNKNOWN where only running code can tell; None where not given.
    spelling: the dotted path of the decorator that pytest or a plugin ships, or as configured.
    """

    spelling: str
    scope: Value | None = None
    name: Value | None = None
    autouse: Value | None = None
    params: Value | None = None
    loop_scope: Value | None = None


class FunctionValue(Struct, frozen=True):
    """A function with what its decorators made of it.

    marks: pytest marks, first applied first.
    patched: leading parameters that `mock.patch` decorators fill.
    given_last: parameters from the right that `hypothesis.given` fills; given: those by name.
    opaque: an unknown decorator was applied, which may change the parameters.
    doubtful: a decorator that was read was applied, and may return something else.
    plain: a decorator made a plain function of it that returns what the coroutine function or
        generator function did, or a context manager (`functools.cache`, `asynccontextmanager`).
    wrapped: the function whose signature counts (`functools.wraps`).
    wrapper: binding by `staticmethod` or `classmethod`.
    hidden: the fixture that a decorator above `@pytest.fixture` wrapped, if any.
    """

    module: str
    function: Function
    env: Namespace
    index: int = -1
    marks: tuple[MarkValue, ...] = ()
    patched: int = 0
    given_last: int = 0
    given: tuple[str, ...] = ()
    opaque: bool = False
    doubtful: bool = False
    plain: bool = False
    wrapped: FunctionValue | None = None
    wrapper: str = ""
    hidden: FixtureValue | None = None
    bound: tuple[int, tuple[str, ...]] = (0, ())

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is FunctionValue and _told(self) == _told(other))

    def __hash__(self) -> int:
        return hash((self.module, self.index))

    @property
    def is_async(self) -> bool:
        """Whether it still is a coroutine function or an async generator function."""
        return self.function.is_async and not self.plain

    def with_mark(self, mark: MarkValue) -> FunctionValue:
        """The function under one more mark."""
        return replace(self, marks=(*self.marks, mark))


class FixtureValue(Struct, frozen=True):
    """A fixture: a function under a fixture decorator.

    marks_below: marks put on the function before the decorator; marks_above: after it.
    """

    function: FunctionValue
    marker: FixtureMarker
    marks_above: tuple[MarkValue, ...] = ()


class ClassValue(Struct, frozen=True):
    """A class of a file that was read; decorated tells that an unknown decorator was applied."""

    module: str
    class_: Class
    env: Namespace
    index: int = -1
    marks: tuple[MarkValue, ...] = ()
    decorated: bool = False
    patched: int = 0

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is ClassValue and _told(self) == _told(other))

    def __hash__(self) -> int:
        return hash((self.module, self.index))

    @property
    def key(self) -> tuple[str, int, int]:
        """The same for one class object; a function makes another one with each call."""
        return (self.module, self.index, id(self.env))


class Wraps(Struct, frozen=True):
    """`functools.wraps(func)`, waiting for the wrapper."""

    func: Value


class Patch(Struct, frozen=True):
    """A `mock.patch` decorator; injects tells whether it fills a leading parameter."""

    injects: bool


class Given(Struct, frozen=True):
    """A `hypothesis.given(...)` decorator: how many parameters it fills, and which by name."""

    count: int
    names: tuple[str, ...]
    complete: bool = True


Value: TypeAlias = (
    Unknown
    | Missing
    | Raises
    | Literal
    | Sequence
    | Dictionary
    | External
    | Result
    | ModuleValue
    | PackageValue
    | MarkValue
    | ParamValue
    | PartialValue
    | FixtureMarker
    | FunctionValue
    | FixtureValue
    | ClassValue
    | Wraps
    | Patch
    | Given
)


def _told(value: FunctionValue | ClassValue) -> tuple[object, ...]:
    """What makes two functions or classes the same: all but the namespace that they are made in."""
    module, code, _, *rest = astuple(value)
    return (module, code, rest)


def text_of(value: Value | None) -> str | None:
    """The value if it is a string."""
    if isinstance(value, Literal) and isinstance(value.value, str):
        return value.value
    return None


def strings_of(value: Value | None) -> tuple[str, ...] | None:
    """The strings of a sequence of strings (or of one string), None when not all are known."""
    found, complete = known_strings(value)
    return found if complete else None


def known_strings(value: Value | None) -> tuple[tuple[str, ...], bool]:
    """The strings of a sequence of strings (or one string), and whether they are all."""
    text = text_of(value)
    if text is not None:
        return (text,), True
    if not isinstance(value, Sequence):
        return (), False
    found = tuple(text for item in value.items if (text := text_of(item)) is not None)
    return found, value.complete and len(found) == len(value.items)
