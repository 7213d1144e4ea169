"""How one version of pytest-asyncio chooses loops: `pytest_asyncio/plugin.py`, 0.21.2 to 1.5.0.

Each statement was read in the plugin and compared with runs of it; see tests/test_loops_matrix.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.suite.loops.model import Decision
from scopecheck.suite.model import SCOPES, Scope
from scopecheck.suite.values import Literal, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from scopecheck.finding import Place
    from scopecheck.suite.loops.model import DecisionKind
    from scopecheck.suite.model import Fixture
    from scopecheck.suite.values import MarkValue

# The first versions of each way to choose loops. From one to the next something changed that
# decides a loop or an outcome; 0.22.0, which was withdrawn, counts as 0.21.
EPOCHS = ((0, 21), (0, 23), (0, 24), (0, 25), (0, 26), (1, 0), (1, 1), (1, 2), (1, 4), (1, 5))

FIXTURE_DEFAULT = "asyncio_default_fixture_loop_scope"
TEST_DEFAULT = "asyncio_default_test_loop_scope"
FIXTURE_SPELLING = "pytest_asyncio.fixture"
# Decorators that register a fixture with pytest alone.
PLAIN_SPELLINGS = frozenset({"pytest.fixture", "pytest.yield_fixture"})


class PytestAsyncio:
    """The rules of one version, under one configuration.

    options: the defaults for loop scopes that are set, and that the version knows.

    Args:
        version: (major, minor).
        mode: `strict` or `auto`.
        ini: the values of the options, as text.
        option_place: where an option is written.
    """

    def __init__(
        self,
        version: tuple[int, int],
        mode: str,
        ini: dict[str, str],
        option_place: Callable[[str], Place | None],
    ) -> None:
        self.version = version
        self.auto = mode == "auto"
        known = {FIXTURE_DEFAULT: version >= (0, 24), TEST_DEFAULT: version >= (0, 26)}
        self.options = {name: ini[name] for name in known if known[name] and ini.get(name)}
        self._fixture_default = self.options.get(FIXTURE_DEFAULT, "")
        self._test_default = self.options.get(TEST_DEFAULT, "")
        self._option_place = option_place

    @property
    def has_event_loop(self) -> bool:
        """Whether there is an `event_loop` fixture, to request and to override."""
        return self.version < (1, 0)

    @property
    def one_loop(self) -> bool:
        """Whether all that a test uses runs on its `event_loop`, without loop scopes."""
        return self.version < (0, 23)

    @property
    def valid(self) -> bool:
        """Whether the values of the options are ones that the version knows."""
        fixture = self._fixture_default
        known = fixture in SCOPES or (fixture == "fixture-scope" and self.version >= (1, 5))
        return (not fixture or known) and (not self._test_default or self._test_default in SCOPES)

    def takes(self, fixture: Fixture) -> bool:
        """Whether the plugin runs the fixture, as far as the fixture decides it."""
        if fixture.spelling == FIXTURE_SPELLING:
            # Before 1.1 a synchronous one is a plain fixture.
            return fixture.is_async or self.version >= (1, 1)
        # The legacy mode, the default up to 0.18, left the tests alone only.
        every = self.auto or self.version < (0, 19)
        return fixture.is_async and every and fixture.spelling in PLAIN_SPELLINGS

    def fixture_scope(self, fixture: Fixture) -> tuple[Scope | None, Decision | None]:
        """The loop scope of a fixture that the plugin runs; None where it cannot be known."""
        if self.one_loop:
            return None, Decision("event_loop", "`event_loop`")
        if not fixture.loop_scope_known:
            return None, None
        given = fixture.loop_scope if self.version >= (0, 24) else None
        if given is not None:
            text = f'`loop_scope="{given}"`'
            return SCOPES.get(given), Decision("decorator", text, fixture.place)
        default = self._fixture_default
        if default and default != "fixture-scope":
            text = f"`{FIXTURE_DEFAULT} = {default}`"
            return SCOPES.get(default), Decision("ini", text, self._option_place(FIXTURE_DEFAULT))
        return fixture.scope, Decision("scope", "its own scope")

    def test_scope(
        self, mark: MarkValue | None, hook: Place | None = None
    ) -> tuple[Scope | None, Decision | None]:
        """The loop scope of a test by its closest mark (None: it has none, in auto mode).

        hook: where a hook adds the mark.
        """
        if self.one_loop:
            return None, Decision("event_loop", "`event_loop`")
        if mark is not None:
            if mark.keyword("**") is not None or (mark.args and self.version >= (0, 24)):
                return None, None
            word = "loop_scope" if self.version >= (0, 24) else "scope"
            given = mark.keyword(word)
            if given is None or given == Literal(None):
                word = "scope"
                given = mark.keyword(word)
            if given is not None and given != Literal(None):
                text = text_of(given)
                if text is None:
                    return None, None
                found = SCOPES.get(text)
                kind: DecisionKind = "mark" if hook is None else "hook"
                return found, Decision(kind, f'`{word}="{text}"`', hook)
        default = self._test_default
        if default:
            text = f"`{TEST_DEFAULT} = {default}`"
            return SCOPES.get(default), Decision("ini", text, self._option_place(TEST_DEFAULT))
        return Scope.FUNCTION, Decision("default", "the default for tests")

    def hidden(self, scope: Scope | None) -> str:
        """The fixture that provides the loop of a scope; a pattern where it has no fixed name."""
        if self.version >= (1, 1):
            return f"_{scope.word if scope is not None else 'function'}_scoped_runner"
        if self.version >= (1, 0):
            return f"_{scope.word if scope is not None else 'function'}_event_loop"
        if scope is None or scope is Scope.FUNCTION:
            return "event_loop"
        if scope is Scope.SESSION:
            return "_session_event_loop"
        return "<event_loop>"
