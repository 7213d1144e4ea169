"""What pytest did with one project, as plain data that the server writes and tests read.

Every function of a project has a name of its own, by which it is known here.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Reach:
    """An async fixture that an async function gets, directly or through synchronous fixtures.

    user: None for the test. handed: False where no value is passed (`usefixtures`, autouse).
    """

    user: str | None
    fixture: str
    handed: bool


@dataclasses.dataclass(frozen=True)
class ItemRun:
    """One test.

    outcome, phase, message: of the set-up or the call, the first that did not pass; `passed`,
        `call` and nothing if both did.
    again: the message is one that an earlier test got too, when a fixture's set-up failed.
    wanted: the loop scope that the plugin reads from its mark and options; None without a mark.
    made: the scopes of the loops that were made for it, in order.
    kept: the fixtures that an earlier test had set up.
    event_loop: the number of the loop that was made for it by the fixture of that name.
    loops: a number for each loop that an async function ran on: of the test, if it ran, and of
        every fixture that was alive when its call ended, or its set-up failed.
    unhandled: fixtures whose coroutine or generator nobody ran.
    """

    nodeid: str
    function: str
    outcome: str
    phase: str
    message: str
    again: bool
    wanted: str | None
    made: list[str]
    kept: list[str]
    event_loop: int | None
    loops: dict[str, int]
    unhandled: list[str]
    reach: list[Reach]


@dataclasses.dataclass(frozen=True)
class CollectError:
    """A file, class or folder that pytest could not collect, with pytest's words."""

    nodeid: str
    message: str


@dataclasses.dataclass(frozen=True)
class Warned:
    """A warning; `nodeid` is empty where pytest knows none."""

    category: str
    message: str
    nodeid: str


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of pytest. `output` is all that it printed."""

    status: int
    items: list[ItemRun]
    collect_errors: list[CollectError]
    warnings: list[Warned]
    output: str = ""
