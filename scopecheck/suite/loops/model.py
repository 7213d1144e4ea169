"""The nouns of event loops: who runs a coroutine, on which loop, and what decided it.

runner      the plugin that awaits an async fixture or test
loop scope  how long pytest-asyncio keeps the loop on which it does so
decision    the decorator, mark, option or default that gave the loop scope
pair        an async fixture and the code that its value reaches
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from scopecheck.finding import Place
    from scopecheck.suite.model import Fixture, Scope

Runner: TypeAlias = Literal["asyncio", "anyio", "trio", "other", "none", "unknown"]
DecisionKind: TypeAlias = Literal[
    "decorator", "mark", "hook", "ini", "scope", "default", "event_loop"
]


class Decision(Struct, frozen=True):
    """What gave a loop its scope.

    text: as a reader would find it: `loop_scope="session"`, `asyncio_default_test_loop_scope`.
    place: where it stands, if it is written down anywhere that is known.
    """

    kind: DecisionKind
    text: str
    place: Place | None = None


class Loop(Struct, frozen=True):
    """Who runs an async fixture or test, and on which loop.

    runner: "none" where nobody does, "unknown" where that cannot be told, "other" for plugins
        (and `unittest`) that have rules of their own.
    scope: pytest-asyncio's loop scope; None for other runners, where it cannot be known, and up to
        0.22, where everything runs on `event_loop`.
    reason: why something is unknown.
    """

    runner: Runner
    scope: Scope | None = None
    decision: Decision | None = None
    reason: str = ""

    @property
    def known(self) -> bool:
        """Whether it can be told who runs the code."""
        return self.runner != "unknown"


LoopProblemKind: TypeAlias = Literal[
    "scope-mismatch",
    "policy-mismatch",
    "multiple-loops",
    "unhandled-fixture",
    "unhandled-test",
    "outside",
    "invalid-mark",
    "trio-scope",
]


class LoopProblem(Struct, frozen=True):
    """What an async plugin, or pytest in its absence, does to a test because of its loops.

    scope-mismatch: a fixture is cached longer than the hidden fixture `name` that it runs on lives.
    policy-mismatch: the hidden fixture `name` outlives an overridden `event_loop_policy`.
    multiple-loops: pytest-asyncio 0.23 to 0.26 refuses to collect the test.
    outside: pytest-asyncio 0.23 to 0.26 knows no loop of class or package scope
        (`requested_scope`) for a test outside any.
    invalid-mark: the asyncio mark has both `scope` and `loop_scope`.
    fixture: the definition that it is about; None for the test itself.
    requested_scope: of the hidden fixture.
    """

    kind: LoopProblemKind
    fixture: Fixture | None
    name: str = ""
    requested_scope: Scope | None = None
    certain: bool = True


class Pair(Struct, frozen=True):
    """An async fixture and code that its value reaches: the test, or another async fixture.

    user: the fixture that gets the value; None for the test itself.
    via: fixtures that the value passes through, synchronous or awaiting nothing, the one nearest
        to `fixture` first.
    handed: False where the user only has it set up (`usefixtures`, autouse) and gets no value.
    same: whether both run on one loop; None where that cannot be told.
    """

    user: Fixture | None
    fixture: Fixture
    via: tuple[Fixture, ...]
    handed: bool
    user_loop: Loop
    fixture_loop: Loop
    same: bool | None
