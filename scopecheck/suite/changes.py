"""Who changes what: the functions that run for tests, and the objects that these change.

    actor     a function that pytest calls for tests: a test, a fixture, an xunit function
    helper    another function of the tests, which they may call

What the paths in their changes stand for is told by `scopecheck.suite.subjects`.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from posixpath import basename
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from scopecheck.expressions import Call, Items, Mapping, Name
from scopecheck.facts import CHANGES, Deleted, Extended, Import
from scopecheck.suite.subjects import Subjects
from scopecheck.suite.values import MISSING, ClassValue, FunctionValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scopecheck.expressions import Expression
    from scopecheck.facts import Change, FileFacts, Function, Passed
    from scopecheck.suite.classes import Lineages
    from scopecheck.suite.model import Fixture, Item, Level, Plan
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.subjects import Subject

_MAX_CALLS = 4
_BEFORE = frozenset(
    [
        *("setUp", "setUpClass", "asyncSetUp", "setup", "setup_method", "setup_class"),
        *("setup_module", "setup_function", "setUpModule"),
    ]
)
AFTER = frozenset(
    [
        *("tearDown", "tearDownClass", "asyncTearDown", "teardown", "teardown_method"),
        *("teardown_class", "teardown_module", "teardown_function", "tearDownModule"),
    ]
)
# Methods of lists, dicts, sets and deques that change them.
IN_PLACE = frozenset(
    [
        *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "rotate"),
        *("add", "discard", "update", "difference_update", "intersection_update", "subtract"),
        *("symmetric_difference_update", "popitem", "setdefault", "appendleft", "popleft"),
        *("extendleft", "move_to_end"),
    ]
)
_CONTAINERS = frozenset(
    ["list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict", "bytearray"]
)
XUNIT = _BEFORE | AFTER
# Those that are called once for several tests.
WIDE_XUNIT = frozenset(
    [
        *("setUpClass", "setup_class", "setup_module", "setUpModule"),
        *("tearDownClass", "teardown_class", "teardown_module", "tearDownModule"),
    ]
)
_RETURN = re.compile(r"^[ \t]+return\b", re.MULTILINE)


class Actor(Struct, eq=False):
    """A function that pytest calls for tests.

    items: the tests that it is called for. decoded: its changes, once they were asked for.
    """

    kind: Literal["test", "fixture", "xunit", "helper"]
    path: str
    function: Function
    fixture: Fixture | None = None
    items: list[Item] = field(default_factory=list)
    decoded: tuple[Change, ...] | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        """What it changes, in source order; decoded once, for many checks ask for it."""
        if self.decoded is None:
            self.decoded = self.function.changes
        return self.decoded


class Changes:
    """The actors of one suite, and what they change.

    in_process: of actors that checks asked about, whether they run in the tests' own process.
    subjects: what paths in functions stand for.

    Args:
        evaluator: of the suite.
        lineages: of its classes.
        items: its tests.
        fixtures: its definitions.
        facts: of a file.
        read_function: the facts of one function with all that its body does.
        read_kept: the same, where something of it is kept for all checks that ask.
        lines_kept: some lines of a file, where something of them is kept so.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        lineages: Lineages,
        items: Iterable[Item],
        fixtures: Iterable[Fixture],
        facts: Callable[[str], FileFacts | None],
        read_function: Callable[[str, Function], FileFacts | None],
        read_kept: Callable[[str, Function], FileFacts | None],
        lines_kept: Callable[[str, int, int], str],
    ) -> None:
        self._evaluator = evaluator
        self.subjects = Subjects(evaluator, read_kept, lines_kept)
        self._lines_kept = lines_kept
        self._lineages = lineages
        self._items = tuple(items)
        self._fixtures = tuple(fixtures)
        self._facts = facts
        self._read_function = read_function
        self._xunit: dict[tuple[str, str], tuple[Actor, ...]] = {}
        self._xunit_in: dict[str, tuple[Function, ...]] = {}
        self._of_fixture: dict[Fixture, tuple[Actor, Fixture] | None] = {}
        self._of_plan: dict[Plan, tuple[tuple[Actor, Fixture], ...]] = {}
        self._by_function: dict[tuple[str, int, int], Actor] = {}
        self.in_process: dict[Actor, bool] = {}
        self._mutated: dict[tuple[str, int, int], frozenset[str]] = {}
        self._functions: dict[str, dict[tuple[int, str], list[Function]]] = {}

    @cached_property
    def actors(self) -> tuple[Actor, ...]:
        """Every test, every fixture that some test sets up, every xunit function, once each."""
        levels: tuple[Level, ...] = ()
        xunit: tuple[Actor, ...] = ()
        for item in self._items:
            # Where a whole run is refused, another one, from a folder below, may not be.
            if item.function is not None and not item.refused_here:
                self._actor("test", item.place.path, item.function).items.append(item)
            for actor, fixture in self._setups_of(item):
                actor.fixture = fixture
                actor.items.append(item)
            # Tests of one class or module, which share their levels, follow each other.
            if item.levels is not levels:
                levels, xunit = item.levels, self._xunit_of(item)
            for actor in xunit:
                actor.items.append(item)
        return tuple(self._by_function.values())

    @cached_property
    def changing(self) -> tuple[Actor, ...]:
        """The actors that change something themselves, few of all."""
        return tuple(actor for actor in self.actors if actor.function.has & CHANGES)

    def actors_in(self, path: str) -> Sequence[Actor]:
        """Those of the actors that a file defines."""
        return self._by_path.get(path, ())

    @cached_property
    def _by_path(self) -> dict[str, list[Actor]]:
        found: dict[str, list[Actor]] = {}
        for actor in self.actors:
            found.setdefault(actor.path, []).append(actor)
        return found

    def is_actor(self, path: str, function: Function) -> bool:
        """Whether a function is one of the actors'."""
        assert self.actors is not None
        return (path, function.line, function.span.column) in self._by_function

    def _setups_of(self, item: Item) -> tuple[tuple[Actor, Fixture], ...]:
        """The fixtures that a test sets up, in order, with their actors."""
        plan = item.plan
        if plan is None:
            return ()
        found = self._of_plan.get(plan)
        if found is None:
            found = self._of_plan[plan] = tuple(
                pair for fixture in plan.order if (pair := self._setup(fixture)) is not None
            )
        return found

    def _setup(self, fixture: Fixture) -> tuple[Actor, Fixture] | None:
        if fixture not in self._of_fixture:
            pair = None
            if fixture.path is not None and fixture.function is not None:
                pair = (self._actor("fixture", fixture.path, fixture.function), fixture)
            self._of_fixture[fixture] = pair
        return self._of_fixture[fixture]

    def _actor(
        self, kind: Literal["test", "fixture", "xunit"], path: str, function: Function
    ) -> Actor:
        span = function.span
        key = (path, span.line, span.column)
        found = self._by_function.get(key)
        if found is None:
            found = self._by_function[key] = Actor(kind, path, function)
        return found

    @property
    def setups(self) -> tuple[Actor, ...]:
        """The fixtures among the actors."""
        return tuple(actor for actor in self.actors if actor.kind == "fixture")

    def function_at(self, path: str, line: int) -> Function | None:
        """The function of a file whose `def` is on this line."""
        facts = self._facts(path)
        found = () if facts is None else facts.functions
        return next((function for function in found if function.line == line), None)

    def returned(self, path: str, function: Function) -> Expression | None:
        """The one expression that a function returns, a local name followed."""
        facts = self._read_function(path, function)
        own = None if facts is None else facts.functions[0]
        if own is None or own.handout is None or len(own.handout.values) != 1:
            return None
        ((value, _),) = own.handout.values
        if isinstance(value, Name) and len(value.parts) == 1:
            bound = [b.value for b in own.bindings if b.name == value.parts[0] and not b.target]
            if len(bound) == 1 and not isinstance(bound[0], (Import, Deleted, Extended)):
                return bound[0]
        return value

    def whole(self, actor: Actor) -> Actor:
        """The same actor with everything that it calls among its changes."""
        facts = self._read_function(actor.path, actor.function)
        if facts is None:
            return actor
        # Read alone, a method stands in no class.
        function = replace(facts.functions[0], owner=actor.function.owner)
        return replace(actor, function=function, decoded=None)

    def closely(self, actor: Actor) -> FileFacts | None:
        """All that an actor does; its function is the first of the functions."""
        return self._read_function(actor.path, actor.function)

    def around(self, item: Item) -> Iterator[Actor]:
        """The fixtures and xunit functions that are called for a test."""
        assert self.actors is not None
        for actor, _ in self._setups_of(item):
            yield actor
        yield from self._xunit_of(item)

    def _xunit_of(self, item: Item) -> tuple[Actor, ...]:
        holder = item.nodeid.rpartition("::")[0]
        key = (item.path, holder)
        if key not in self._xunit:
            self._xunit[key] = tuple(self._find_xunit(item.path, holder.split("::")[1:]))
        return self._xunit[key]

    def _find_xunit(self, path: str, classes: Iterable[str]) -> Iterator[Actor]:
        facts = self._facts(path)
        if facts is None:
            return
        space = self._evaluator.module(path)
        for function in self._named_xunit(path):
            if function.owner < 0 and space is not None:
                found = self._evaluator.lookup(space, function.name)
                # A function inside another one may be called so, too.
                other = isinstance(found, FunctionValue) and found.function is not function
                if found is not MISSING and not other:
                    yield self._actor("xunit", path, function)
        for name in classes:
            value = None if space is None else self._evaluator.lookup(space, name)
            if not isinstance(value, ClassValue):
                return
            space = self._evaluator.class_space(value)
            for holder in self._lineages.of(value).classes:
                for function in self._named_xunit(holder.module):
                    if function.owner == holder.index:
                        yield self._actor("xunit", holder.module, function)

    def _named_xunit(self, path: str) -> tuple[Function, ...]:
        """The functions of a file that have the name of an xunit function, wherever."""
        found = self._xunit_in.get(path)
        if found is None:
            facts = self._facts(path)
            functions = () if facts is None else facts.functions
            found = tuple(function for function in functions if function.name in XUNIT)
            self._xunit_in[path] = found
        return found

    @cached_property
    def helpers(self) -> tuple[Actor, ...]:
        """The functions of the suite's test files and conftests that are no actors themselves.

        Each with the tests of its file, those of a conftest with the tests of its folder.
        """
        assert self.actors is not None
        tests: dict[str, list[Item]] = {}
        for item in self._items:
            if not item.refused_here:
                tests.setdefault(item.place.path, []).append(item)
        conftests = {f.path for f in self._fixtures if f.path and basename(f.path) == "conftest.py"}
        files: dict[str, list[Item]] = {}
        for item in self._items:
            files.setdefault(item.path, []).append(item)
        for path in sorted(conftests - tests.keys()):
            folder = path.removesuffix("conftest.py")
            below = [of_file for name, of_file in files.items() if name.startswith(folder)]
            if below:
                tests[path] = [item for of_file in below for item in of_file]
        found = []
        for path, items in tests.items():
            facts = self._facts(path)
            for function in () if facts is None else facts.functions:
                if function.kept_effects and not self.is_actor(path, function):
                    found.append(Actor("helper", path, function, items=items))
        return tuple(found)

    def mutated(self, path: str, function: Function, calls: int = 0) -> frozenset[str]:
        """The parameters whose objects each call of a function changes, the calls in it followed.

        These are followed through four functions, one inside another. What is changed under a
        condition, or after a `return`, some calls may leave alone.
        """
        key = (path, function.line, function.span.column)
        known = self._mutated.get(key)
        effects = function.effects if known is None and calls <= _MAX_CALLS else None
        if effects is None:
            return known or frozenset()
        self._mutated[key] = frozenset()
        names = {parameter.name for parameter in function.parameters}
        certain = [
            change
            for change in effects.changes
            if change.target[:1] and change.target[0] in names and is_in_place(change)
            if not (change.condition or change.nested)
        ]
        left = self._first_return(path, function) if certain or effects.passed else 0
        found = {change.target[0] for change in certain if change.span.line <= left}
        for passed in effects.passed:
            if not passed.nested and passed.span.line <= left:
                for where, given in self.given(path, function, passed, calls + 1):
                    if where and given[0] in names:
                        found.add(given[0])
        self._mutated[key] = frozenset(found)
        return self._mutated[key]

    def _first_return(self, path: str, function: Function) -> int:
        """The line at which a function, or one inside of it, may be left first."""
        text = self._lines_kept(path, function.line + 1, function.end_line)
        found = _RETURN.search(text)
        if found is None or function.is_generator:
            return function.end_line
        return function.line + 1 + text.count("\n", 0, found.start())

    def given(
        self, path: str, function: Function, passed: Passed, calls: int = 0
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The paths that a call hands to a function that changes them, with the parameters."""
        called = self.subjects.resolve(path, function, passed.function, passed.imported)
        if called is None or called.kind != "function" or called.rest:
            return
        for other in self._functions_at(called.path, called.line, called.name):
            mutated = self.mutated(called.path, other, calls)
            for where, given in passed.arguments if mutated else ():
                name = where
                if where.isdigit():
                    index = int(where)
                    plain = [p for p in other.parameters if p.kind in ("normal", "positional")]
                    name = plain[index].name if index < len(plain) else ""
                if name in mutated:
                    yield name, given

    def _functions_at(self, path: str, line: int, name: str) -> list[Function]:
        found = self._functions.get(path)
        if found is None:
            found = self._functions[path] = {}
            facts = self._facts(path)
            for function in () if facts is None else facts.functions:
                found.setdefault((function.line, function.name), []).append(function)
        return found.get((line, name), [])

    def subject(self, path: str, function: Function, change: Change) -> Subject | None:
        """What a change is made to; of a plain function called, the function."""
        whole = not change.target and change.kind in ("call", "name")
        target = (change.name,) if whole else change.target
        return self.subjects.resolve(path, function, target, change.imported)


def is_in_place(change: Change) -> bool:
    """Whether a change is one of the object that its path leads to: an item, a method called."""
    if change.kind == "call":
        return change.name in IN_PLACE
    return change.kind in ("item", "attribute", "del", "augmented")


def is_container(value: object) -> bool:
    """Whether an expression makes a list, dict, set or the like."""
    match value:
        case Items() | Mapping():
            return True
        case Call(func=Name(parts=parts)):
            return parts[-1] in _CONTAINERS
    return False


@lru_cache(4096)
def is_test_code(path: str) -> bool:
    """Whether a file is part of the tests, by its name and folders."""
    *folders, name = path.split("/")
    if name.startswith("test_") or name.endswith("_test.py") or basename(path) == "conftest.py":
        return True
    return any(part in ("tests", "test", "testing") for part in folders)


__all__ = [
    "AFTER",
    "IN_PLACE",
    "WIDE_XUNIT",
    "Actor",
    "Changes",
    "is_container",
    "is_in_place",
    "is_test_code",
]
