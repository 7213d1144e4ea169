"""The nouns of a linked suite, as pytest uses them.

    Fixture      a definition registered at a level under a name
    Level        a place at which fixtures are registered: the session, a folder, a module, a class
    Request      a name asked for, by a parameter or a mark, and where it stands
    Item         a test function that pytest collects, without its parametrizations
    Edge         which definition answers which request, for one shape of test
    Problem      what pytest would raise while it sets a test up
    Plan         the edges, set-up order and problems that a shape of test has

An example: `def test_a(client)` in `tests/api/test_a.py` is an item; it has one request, `client`;
the session level holds pytest's built-ins and the root conftest, `tests/api` is a level if it has a
conftest; an edge says that the request of the test is answered by `tests/conftest.py::client`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from scopecheck.facts import Function
    from scopecheck.finding import Place
    from scopecheck.suite.refusals import Refusal
    from scopecheck.suite.values import MarkValue


class Scope(enum.IntEnum):
    """pytest's scopes, narrowest first."""

    FUNCTION = 0
    CLASS = 1
    MODULE = 2
    PACKAGE = 3
    SESSION = 4

    @property
    def word(self) -> str:
        """The scope as pytest spells it."""
        return self.name.lower()


SCOPES = {scope.word: scope for scope in Scope}


class Request(Struct, frozen=True):
    """A name asked for, and where."""

    name: str
    place: Place


FixtureKind = Literal["function", "generator", "coroutine", "asyncgen"]


class Fixture(Struct, eq=False):
    """One definition registered at one level.

    path, line: of the `def`; a fixture of a plugin that was not read has a `plugin` and no path.
    home: the file in whose namespace it is registered (for an imported one not its `path`).
    scope: None where only running code can tell, or where the scope given is not one.
    scope_text: the scope as written where it is not one of pytest's.
    param_marks: names of marks that its `params` put on the tests that use it.
    certain: False where it depends on a condition whether this definition is the one registered.
    assumed: it comes from a plugin that is neither installed nor declared, but well known.
    opaque: an unknown decorator may change its parameters.
    spelling: the decorator's dotted name, as pytest, the plugin or the configuration has it.
    loop_scope: what `loop_scope=` says; loop_scope_known: False where only running code can tell.
    """

    name: str
    scope: Scope | None
    requests: tuple[Request, ...]
    kind: FixtureKind
    level: str
    attribute: str
    autouse: bool | None = False
    has_params: bool | None = False
    param_marks: frozenset[str] = frozenset()
    path: str | None = None
    home: str | None = None
    line: int = 0
    place: Place | None = None
    plugin: str | None = None
    function: Function | None = None
    function_index: int = -1
    owner: str = ""
    spelling: str = "pytest.fixture"
    loop_scope: str | None = None
    loop_scope_known: bool = True
    marks: tuple[MarkValue, ...] = ()
    wrapper: str = ""
    scope_text: str | None = None
    pseudo: bool = False
    certain: bool = True
    assumed: bool = False
    opaque: bool = False

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function or an async generator function."""
        return self.kind in ("coroutine", "asyncgen")

    @property
    def hands_on(self) -> bool:
        """Whether an async fixture awaits nothing: what it gets is used by those who get it."""
        handout = self.function.handout if self.is_async and self.function is not None else None
        return handout is not None and not handout.awaits

    @property
    def symbol(self) -> str:
        """`path::Class::function` of the definition."""
        name = self.function.name if self.function is not None else self.name
        parts = [self.path or self.plugin or "", *filter(None, [self.owner]), name]
        return "::".join(parts)

    @property
    def key(self) -> tuple[str, int, str]:
        """The same for every registration of one function under one name."""
        return (self.path or f"plugin {self.plugin}", self.line, self.name)

    def __repr__(self) -> str:
        return f"<Fixture {self.name} {self.scope and self.scope.word} {self.path}:{self.line}>"


LevelKind = Literal["session", "folder", "module", "class"]


class Level(Struct, eq=False):
    """A place at which fixtures are registered.

    fixtures: by name, registered last is chosen first.
    complete: False where names may be registered that cannot be seen.
    generates: names that `pytest_generate_tests` gives values to, for the tests below;
        generates_any: it does so with names that only running it can tell.
    unseen: names bound to what cannot be read, which may be a fixture: an import from a library
        that is not installed, the result of a call.
    later: the session's level once a test module has loaded more plugins: it answers, at set-up,
        the requests of the modules before it for names that they found nothing for.
    """

    kind: LevelKind
    label: str
    fixtures: dict[str, list[Fixture]] = field(default_factory=dict)
    autouse: list[str] = field(default_factory=list)
    complete: bool = True
    reason: str = ""
    generates: frozenset[str] = frozenset()
    generates_any: bool = False
    unseen: set[str] = field(default_factory=set)
    later: Level | None = None

    def register(self, fixture: Fixture, before: Callable[[Fixture], bool] | None = None) -> None:
        """Add a definition, as pytest does: after those of the same name.

        before: which of them it comes before nevertheless.
        """
        same = self.fixtures.setdefault(fixture.name, [])
        index = len(same)
        while before is not None and index and before(same[index - 1]):
            index -= 1
        same.insert(index, fixture)
        if fixture.autouse:
            self.autouse.append(fixture.name)


class Parametrized(Struct, eq=False):
    """What `parametrize` marks do to an item.

    direct: names replaced by values, with the scope of the pseudo-fixture.
    indirect: names whose fixture gets `request.param`, with the scope given, or else the names
        parametrized together, of which pytest takes the narrowest scope. A scope that only
        running code can tell is None, in both.
    complete: False where argument names are not known.
    """

    direct: dict[str, Scope | None]
    indirect: dict[str, Scope | tuple[str, ...] | None]
    complete: bool = True


class Item(Struct, eq=False):
    """A test function that pytest collects; its parametrizations are one item here.

    levels: from the session inwards. requests: parameters, in order.
    skipped: a mark keeps pytest from setting it up or from reporting its failure.
    own_marks: how many of the marks are the function's own; the others are its classes' and its
        module's. A mark named `?` stands for some that only running code can tell.
    runs_async: its class is of a kind that awaits async tests itself, or may.
    refusal: why pytest cannot collect what it stands in, so that there is no such item;
        refused_here: the item itself is the cause.
    unknown: what cannot be known of it without running code.
    """

    nodeid: str
    path: str
    line: int
    place: Place
    function: Function | None
    levels: tuple[Level, ...]
    requests: tuple[Request, ...]
    usefixtures: tuple[Request, ...]
    marks: tuple[MarkValue, ...]
    parametrized: Parametrized
    is_async: bool = False
    testcase: bool = False
    runs_async: bool = False
    own_marks: int = 0
    skipped: bool = False
    opaque: bool = False
    unknown: tuple[str, ...] = ()
    plan: Plan | None = None
    refusal: Refusal | None = None
    refused_here: bool = False


ProblemKind = Literal["scope-mismatch", "unknown-fixture", "cycle", "invalid-scope", "called"]


class Problem(Struct, frozen=True):
    """What pytest would raise while it sets an item up.

    stack: the fixtures being set up, outermost first; empty when the test itself asks.
    """

    kind: ProblemKind
    name: str
    stack: tuple[Fixture, ...]
    requested: Fixture | None = None
    requested_scope: Scope | None = None
    requesting_scope: Scope | None = None
    certain: bool = True


class Edge(Struct, frozen=True, eq=False):
    """A request and the definition that answers it; asker None is the test itself.

    There is one object for each such pair in a suite.
    """

    asker: Fixture | None
    request: str
    answer: Fixture


class Plan(Struct, eq=False):
    """What pytest does to set up the items of one shape.

    order: definitions in the order in which their set-up completes.
    closure: the names, as pytest sorts them. unknown: names that cannot be resolved for certain.
    """

    closure: tuple[str, ...]
    order: tuple[Fixture, ...]
    edges: tuple[Edge, ...]
    problems: tuple[Problem, ...]
    unknown: tuple[str, ...] = ()
