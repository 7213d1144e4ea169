"""What a test's statements show of how it can fail, as plain data that can be stored and sent.

check      something that fails the test when it does not hold: `assert`, `pytest.raises`, an
           `if` that ends in `pytest.fail`, an assertion of a mock or of unittest
vacuity    a loop over what may be empty, or a test of its truth, in which all the checks stand
callee     a function that the test calls, which may hold further checks
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

import msgspec

from scopecheck.source import Span

Asserts: TypeAlias = Literal["", "raise", "assert"]
"""What a function's text has that may fail a test: nothing, a mere `raise`, an assertion."""


class Vacuity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all checks of a test stand in, though nothing says that it is ever entered.

    kind: a `loop`, an `all(...)`, an `if`, or an `exit`: a condition under which the test returns
        or skips before its checks.
    span: of the statement's first line, or of the call. words: what it goes over, or asks for.
    source: the dotted name of the call that gave it; empty for a list filled elsewhere.
    checks: the checks inside.
    captured: what it goes over was captured, streamed, searched for or filtered, or is a part of a
        result, and so may well be empty; else it is all that a function returned.
    """

    kind: Literal["loop", "all", "if", "exit"]
    span: Span
    words: str
    source: str
    checks: tuple[Span, ...]
    captured: bool = True


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


class Evidence(msgspec.Struct, frozen=True, array_like=True, gc=False):
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


WordUse: TypeAlias = Literal["member", "equal", "any", "some", "absent", "sent", "other"]
"""What a function does with a name: asserts that it is among others, or equal to something; asserts
one of several, or that so many of several came; asserts that it is not there; sends it; or has it
for another reason."""


class Word(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A string in a function that may be the name of an event.

    With a `.` before it, it is the name of a method of a mock: `.emit_agent_started`.
    """

    text: str
    use: WordUse
    line: int
    column: int

    @property
    def span(self) -> Span:
        """Where the string stands, without its quotes' prefix."""
        return Span(self.line, self.column, self.line, self.column + len(self.text) + 2)


class Constant(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A name from outside the function, in an assertion or in what is asserted."""

    parts: tuple[str, ...]
    use: WordUse


SINGLE = frozenset(
    {
        *("receive_json", "receive_text", "receive_bytes", "receive", "recv"),
        *("receive_from", "receive_json_from", "receive_output"),
    }
)
"""Methods that wait for one message: of Starlette's and FastAPI's `websocket_connect`, of Channels'
`WebsocketCommunicator`, of python-socketio's `SimpleClient` and of `websockets`."""


Fate: TypeAlias = Literal["unused", "reported", "exists", "used"]
"""What becomes of something captured: nothing, it is only logged or printed, it is only asserted
that something is there, or more."""


class Capture(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A name that something captured is bound to.

    source: the dotted name of the call that gave it, of a fixture that captures, or empty for a
        list that a callback or a loop fills.
    handed: functions that it is handed to.
    shown: where it is logged, or asserted to be there, if that is all.
    opened: the call that made the object which handed it out.
    """

    name: str
    source: str
    span: Span
    fate: Fate
    handed: tuple[tuple[str, ...], ...] = ()
    shown: Span | None = None
    opened: str = ""


def is_single(capture: Capture) -> bool:
    """Whether a capture is one message that the test waited for."""
    return capture.source.rpartition(".")[2] in SINGLE and "." in capture.source


class EventUse(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a function has to do with events.

    doc: its docstring's beginning, in lower case.
    calls: the functions that it calls, or hands on.
    ordered: it asserts an order: by `index`, or by equality with a list.
    open: it asserts that something is contained of which its text does not show what it is.
    unread: other objects that were made by the call which made one that hands out events, and of
        which nothing is read or asserted.
    verdicts: functions whose result it asserts; told, told_constants: what the result of this one
        says, as the words and constants of an assertion.
    early: captures that are read before the task that fills them can have run, with the call that
        makes the task.
    """

    words: tuple[Word, ...] = ()
    constants: tuple[Constant, ...] = ()
    captures: tuple[Capture, ...] = ()
    calls: tuple[tuple[str, ...], ...] = ()
    doc: str = ""
    ordered: bool = False
    open: bool = False
    early: tuple[tuple[str, Span, Span], ...] = ()
    verdicts: tuple[Constant, ...] = ()
    told: tuple[Word, ...] = ()
    told_constants: tuple[Constant, ...] = ()
    unread: tuple[tuple[str, Span], ...] = ()


class EventForms(msgspec.Struct, frozen=True):
    """What a project's configuration says of how its tests capture events, and where names are.

    captures: globs of calls and names that hand out events. keys: where an event keeps its name: a
        key or an attribute, or a path of several with `.` between them; none: anywhere.
    """

    captures: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def captured(self, dotted: str) -> bool:
        """Whether a call or a name is one that hands out events."""
        last = dotted.rpartition(".")[2]
        return any(fnmatchcase(dotted, one) or fnmatchcase(last, one) for one in self.captures)


class Emitted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a module of the application gives to functions that send events.

    strings: as they stand there. names: constants, and members of classes (`EventType.STARTED`).
    constants: what names and members of classes are bound to in this module.
    """

    strings: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
