"""What a value means to an event loop, and the names that an expression stands among.

nothing   no value
plain     data, or an object that works on any loop
lazy      a lock, event or queue: bound to a loop when something first has to wait for it
bound     a task, stream, connection, client or pool: bound to a loop when it is made or used
unknown   what cannot be told without running code
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scopecheck.facts import Binding
    from scopecheck.finding import Place
    from scopecheck.suite.namespace import Namespace

Kind: TypeAlias = Literal["nothing", "plain", "lazy", "bound", "unknown"]
When: TypeAlias = Literal["", "made", "used", "contended"]

_WORST: tuple[Kind, ...] = ("bound", "lazy", "unknown", "plain", "nothing")


class Handed(Struct, frozen=True):
    """What a value means to an event loop.

    why: the expression that shows it, for a message: "`asyncio.create_task(...)`".
    place: where that expression stands.
    when: at what moment it becomes bound to a loop.
    made_by: the dotted name of what made it, as far as that is known; `?` for mere data.
    """

    kind: Kind
    why: str = ""
    place: Place | None = None
    when: When = ""
    made_by: str = ""


UNSEEN = Handed("unknown")
NOTHING = Handed("nothing")
DATA = Handed("plain", made_by="?")


class Frame(Struct, frozen=True):
    """The names that an expression stands among.

    given: the parameters of the function. position: how far its code has run; None for all of it.
    calls: how many calls deep it is.
    """

    space: Namespace
    given: dict[str, Callable[[], Handed]] = field(default_factory=dict)
    outer: Frame | None = None
    position: tuple[int, int] | None = None
    calls: int = 0

    def at(self, binding: Binding) -> Frame:
        """The same when the code has run up to a binding."""
        return replace(self, position=(binding.span.line, binding.span.column))


def frame_of(space: Namespace | None) -> Frame | None:
    """The names of a module, or of a function that made another one, for what stands inside."""
    if space is None:
        return None
    if space.class_ is not None:
        return frame_of(space.parent)
    given: dict[str, Callable[[], Handed]] = dict.fromkeys(space.values, unseen)
    return Frame(space, given, frame_of(space.parent))


def unseen() -> Handed:
    """What a parameter is given that nothing tells of."""
    return UNSEEN


def worst(found: Iterable[Handed]) -> Handed:
    """The one of several values, or branches, that matters most; NOTHING for none."""
    return min(found, key=lambda one: _WORST.index(one.kind), default=NOTHING)


def filled(inside: Handed) -> Handed:
    """A collection, by the worst of its items."""
    return DATA if inside.kind == "nothing" else inside
