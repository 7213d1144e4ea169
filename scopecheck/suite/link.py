"""Registers the fixtures of a suite's files at their levels.

Follows `FixtureManager.parsefactories` of pytest 9.2; what earlier versions do otherwise is said
where it is done.
"""

from __future__ import annotations

import sys
from functools import cached_property
from operator import itemgetter
from posixpath import basename, dirname, join, relpath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from scopecheck.expressions import ClassRef, FunctionRef
from scopecheck.facts import Import
from scopecheck.finding import Place
from scopecheck.suite import marks as pytest_marks
from scopecheck.suite.calls import returned
from scopecheck.suite.classes import Lineages
from scopecheck.suite.hooks import (
    HOOK,
    changes_items,
    generated_names,
    registers_by_calls,
    registers_unseen,
)
from scopecheck.suite.model import SCOPES, Fixture, Level, Request, Scope
from scopecheck.suite.refusals import Refusal
from scopecheck.suite.signatures import innermost, requests
from scopecheck.suite.sources import PluginSource
from scopecheck.suite.values import (
    UNKNOWN,
    External,
    FixtureValue,
    FunctionValue,
    Literal,
    Raises,
    Result,
    Unknown,
    known_strings,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.facts import Binding, BoundValue
    from scopecheck.suite.classes import Lineage
    from scopecheck.suite.model import FixtureKind
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.sources import KnownFixture, Plugins, Rules
    from scopecheck.suite.values import Value


class Linker:
    """Registers fixtures, file by file, in the order in which pytest loads the files."""

    def __init__(
        self,
        evaluator: Evaluator,
        rules: Rules,
        plugins: Plugins,
        startup: frozenset[str] = frozenset(),
    ) -> None:
        self._startup = startup
        self.evaluator = evaluator
        self.lineages = Lineages(evaluator)
        self.rules = rules
        self.broken: dict[str, Refusal] = {}
        self.session = Level("session", "")
        self.folders: dict[str, Level] = {}
        self.modules: dict[str, Level] = {}
        self.fixtures: list[Fixture] = []
        self.plugins = plugins
        # The plugins registered, without conftests; and why there may be others, or more in them.
        self.sources: list[PluginSource] = []
        self.unread: list[str] = []
        self._registered: set[str] = set()
        self._nodeids: dict[str, str] = {}
        self._assumed: list[Fixture] = []
        self.loop_factories = False
        # The test file whose registration led to a module, for those found so; "" if none did.
        self.led_to: dict[str, str] = {}
        # The test modules that name plugins, and whether tests were collected before.
        self.naming: dict[str, bool] = {}
        # The modules whose hooks pytest calls, in the order in which it registers them, each with
        # the folder for whose tests alone those of its hooks that are about one test are called.
        self.hook_spaces: list[tuple[Namespace, str]] = []
        # Why what a test requests is not known, where a hook may change it.
        self.changes_items: tuple[str, ...] = ()

    def add_plugin(self, source: PluginSource) -> None:
        """Register a plugin's fixtures for the whole session, and the plugins it names."""
        if source.name in self._registered or (source.path and source.path in self._registered):
            return
        self._registered.update(filter(None, (source.name, source.path, source.module)))
        self.sources.append(source)
        if not source.readable:
            self._open(f"plugin {source.name!r} is not installed and not known")
        for known in source.fixtures:
            behind = _of_conftest if self.rules.version < (9, 2) else None
            fixture = self._known(known)
            self.session.register(fixture, behind)
            self.fixtures.append(fixture)
        if source.path is not None:
            space = self.evaluator.module(source.path)
            if space is None:
                self._open(f"plugin {source.name!r} cannot be read")
                return
            self.hook_spaces.append((space, ""))
            self._register_module(space, self.session, plugin=source.dist or source.name)
            self.add_plugins_of(source.path)

    def _open(self, reason: str) -> None:
        self.session.complete = False
        self.session.reason = self.session.reason or reason
        self.unread.append(reason)

    def _known(self, known: KnownFixture, *, assumed: bool = False) -> Fixture:
        return Fixture(
            known.name,
            SCOPES.get(known.scope or ""),
            tuple(Request(name, Place("")) for name in known.requests),
            known.kind,
            "session",
            known.name,
            autouse=known.autouse and not assumed,
            has_params=known.has_params,
            plugin=known.plugin,
            spelling="pytest_asyncio.fixture" if known.asyncio else "pytest.fixture",
            loop_scope=known.loop_scope,
            certain=known.name not in self.plugins.ambiguous,
            assumed=assumed,
        )

    @cached_property
    def possible(self) -> dict[str, tuple[Fixture, ...]]:
        """Fixtures that a well-known plugin may supply, registered nowhere."""
        found = {
            name: tuple(self._known(known, assumed=True) for known in fixtures)
            for name, fixtures in self.plugins.possible.items()
        }
        self._assumed = [fixture for several in found.values() for fixture in several]
        for name in self.plugins.known_fixtures:
            configured = Fixture(
                name, None, (), "function", "session", name, plugin="configuration", assumed=True
            )
            found.setdefault(name, (configured,))
        return found

    def add_possible(self) -> None:
        """Put those that plugins may supply behind all fixtures that are registered."""
        self.fixtures += self._assumed

    def add_plugins_of(self, path: str, *, late: bool = False) -> None:
        """Register the plugins that a module names in `pytest_plugins`.

        late: tests were collected before.
        """
        space = self.evaluator.module(path)
        if space is None or "pytest_plugins" not in space.bindings:
            return
        if basename(path) == "conftest.py" and path not in self._startup:
            reason = "defining 'pytest_plugins' in a conftest that is not loaded at start-up"
            node = self.nodeid(dirname(path)) if self.rules.version >= (8, 0) else "."
            self.broken.setdefault(node, Refusal(reason))
        if basename(path) != "conftest.py" and path not in self._registered:
            self.naming[path] = late
        value = self.evaluator.lookup(space, "pytest_plugins")
        names, complete = known_strings(value)
        if not complete:
            self._open(f"`pytest_plugins` of {path} is computed")
        if late and any(name not in self._registered for name in names):
            # Those collected before have their definitions already.
            before = self.session
            self.session = before.later = replace(
                before,
                fixtures={name: list(found) for name, found in before.fixtures.items()},
                autouse=list(before.autouse),
            )
        for name in names:
            if name in self._registered:
                continue
            found = self.evaluator.modules.find(name, path)
            if found is not None and found.endswith(".py"):
                self.add_plugin(PluginSource(name, path=found))
                continue
            self._registered.add(name)
            for source in self.plugins.named(name):
                self._registered.discard(source.name)
                self.add_plugin(source)

    def add_conftest(self, path: str) -> None:
        """Register a conftest's fixtures at its folder (the session for the root's and above)."""
        folder = dirname(path)
        level = self.session
        if not self._is_root(folder):
            level = self.folders.setdefault(folder, Level("folder", folder))
        space = self.evaluator.module(path)
        if space is None:
            level.complete = False
            level.reason = f"{path} cannot be read"
            return
        self.hook_spaces.append((space, "" if self._is_root(folder) else folder))
        self.loop_factories |= "pytest_asyncio_loop_factories" in space.bindings
        self._register_module(space, level)

    def _is_root(self, folder: str) -> bool:
        rootdir = self.rules.rootdir
        return rootdir == folder or not folder or rootdir.startswith(f"{folder}/")

    # Registering is as in FixtureManager.parsefactories.
    def _register_module(self, space: Namespace, level: Level, plugin: str | None = None) -> None:
        for name in sorted(space.bindings):
            bindings = space.bindings[name]
            if is_plain_function(space, bindings):
                continue
            last = bindings[-1].value
            value = self.evaluator.lookup(space, name)
            certain = True
            if isinstance(value, Unknown):
                value, certain = self._uncertain(space, name)
            elif may_be_unbound(bindings):
                certain = False
            if certain and isinstance(value, Raises) and not bindings[-1].guard.caught:
                self._refuse(level, space.path, Refusal(value.reason, untold=True), importing=True)
            self._register(value, name, level, space.path, certain=certain, plugin=plugin)
            if _may_be_fixture(value, last):
                level.unseen.add(name)
        self._note_incomplete(space, level)
        if registers_by_calls(self.evaluator, space):
            level.complete = False
            level.reason = f"{space.path} registers fixtures under names of their own"
        self._note_generated(self.evaluator.lookup(space, HOOK), level)
        if level.kind in ("session", "folder") and registers_unseen(self.evaluator, space):
            self._open(f"{space.path} registers fixtures by itself")
        if "site-packages/" not in space.path and changes_items(space):
            self.changes_items = (f"a hook of {space.path} changes what tests request",)

    def _note_generated(self, hook: Value, level: Level) -> None:
        names, computed = generated_names(self.evaluator, hook)
        level.generates |= names
        level.generates_any |= computed

    def _refuse(self, level: Level, home: str, refusal: Refusal, *, importing: bool) -> None:
        """Note that pytest cannot collect what registers at the level.

        importing: it is the import of the file that fails.
        """
        if level.kind == "class" and not importing:
            node = level.label
        elif level.kind in ("module", "class"):
            node = self.nodeid(home)
        elif level.kind == "folder" and home not in self._startup:
            node = self.nodeid(level.label)
        elif "site-packages/" in home:
            return
        else:
            node = "."
        self.broken.setdefault(node, refusal)

    def _note_incomplete(self, space: Namespace, level: Level) -> None:
        if not space.complete:
            level.complete = False
            level.reason = f"{space.path} binds names that only running it can tell"

    def _uncertain(self, space: Namespace, name: str) -> tuple[Value, bool]:
        """One of the fixtures that a name may stand for, depending on a condition."""
        for binding in reversed(space.bindings[name]):
            value = self.evaluator.bound(binding, space)
            if isinstance(value, FixtureValue):
                return value, False
        return UNKNOWN, False

    def _register(
        self,
        value: Value,
        attribute: str,
        level: Level,
        home: str,
        *,
        owner: str = "",
        certain: bool = True,
        plugin: str | None = None,
    ) -> None:
        if isinstance(value, FunctionValue) and value.hidden is not None:
            if self.rules.version >= (8, 4):
                return
            value = value.hidden
        if not isinstance(value, FixtureValue):
            return
        function = value.function
        if function.wrapper == "classmethod above" and self.rules.version >= (9, 2):
            return
        marker = value.marker
        name = attribute
        if marker.name is not None and marker.name != Literal(None):
            given = text_of(marker.name)
            if given is None:
                level.complete = False
                level.reason = f"a fixture of {home} has a computed name"
                return
            name = given or attribute
        fixture = self._fixture(value, name, attribute, level, home, owner, plugin)
        fixture.certain = certain
        if certain:
            self._refuse_fixture(fixture, value, level, home)
        # Up to 9.1 what plugins define is behind what conftests define, however late it comes.
        behind = self.rules.version < (9, 2) and level is self.session and not _of_conftest(fixture)
        level.register(fixture, _of_conftest if behind else None)
        self.fixtures.append(fixture)

    def _refuse_fixture(
        self, fixture: Fixture, value: FixtureValue, level: Level, home: str
    ) -> None:
        if fixture.scope_text is not None:
            reason = f"Fixture '{value.function.function.name}' got an unexpected scope value"
            refusal = Refusal(f"{reason} '{fixture.scope_text}'", fixture.name)
            self._refuse(level, home, refusal, importing=False)
        unnamed = value.marker.name is None or value.marker.name == Literal(None)
        if (value.function.function.name if unnamed else fixture.name) == "request":
            reason = "'request' is a reserved word for fixtures"
            self._refuse(level, home, Refusal(reason, untold=True), importing=True)
        if fixture.marks and self.rules.version >= (9, 0):
            reason = "Marks cannot be applied to fixtures"
            self._refuse(level, home, Refusal(reason), importing=True)
        if value.marker.loop_scope is not None and self._is_before_loop_scopes(value):
            reason = "fixture() got an unexpected keyword argument 'loop_scope'"
            self._refuse(level, home, Refusal(reason, untold=True), importing=True)

    def _is_before_loop_scopes(self, value: FixtureValue) -> bool:
        """Whether the decorator is surely of a pytest-asyncio that has no `loop_scope`."""
        asyncio = self.plugins.run_async.asyncio
        own = value.marker.spelling == "pytest_asyncio.fixture"
        return own and asyncio is not None and asyncio.agrees(0, 24) and not asyncio.at_least(0, 24)

    def _fixture(
        self,
        value: FixtureValue,
        name: str,
        attribute: str,
        level: Level,
        home: str,
        owner: str,
        plugin: str | None,
    ) -> Fixture:
        function = value.function
        inner = innermost(function)
        facts = inner.function
        scope, text = self._scope(value.marker.scope)
        autouse = value.marker.autouse
        params = value.marker.params
        installed = plugin is not None and inner.module.find("site-packages/") >= 0
        return Fixture(
            name,
            scope,
            requests(function, method=False, bound=bool(owner), version=self.rules.version),
            _kind(function),
            level.kind,
            attribute,
            autouse=False if autouse is None else _truth(autouse),
            has_params=not (params is None or params == Literal(None)),
            param_marks=pytest_marks.param_marks(params),
            path=None if installed else inner.module,
            home=home,
            line=facts.line,
            place=Place(inner.module, facts.span),
            plugin=plugin if installed else None,
            function=facts,
            function_index=inner.index,
            owner=owner,
            spelling=value.marker.spelling,
            loop_scope=text_of(value.marker.loop_scope),
            loop_scope_known=_is_text_or_nothing(value.marker.loop_scope),
            marks=(*function.marks, *value.marks_above),
            wrapper=function.wrapper,
            scope_text=text,
            opaque=function.opaque,
        )

    def _scope(self, value: Value | None) -> tuple[Scope | None, str | None]:
        """A fixture's scope, and the text of one that pytest does not know."""
        match value:
            case None | Literal(value=None):
                return Scope.FUNCTION, None
            case Literal(value=str(text)):
                return SCOPES.get(text), None if text in SCOPES else text
            case External(name=name) if name.startswith("_pytest.scope.Scope."):
                return SCOPES.get(name.rpartition(".")[2].lower()), None
            case FunctionValue():
                results = returned(self.evaluator, value, (), ())
                if results and all(result == results[0] for result in results):
                    answer = text_of(results[0])
                    return SCOPES.get(answer or ""), None if answer in SCOPES else answer
        return None, None

    def add_module(self, path: str, space: Namespace) -> Level:
        """Register a test module's fixtures; its level."""
        level = self.modules[path] = Level("module", path)
        self._register_module(space, level)
        return level

    def nodeid(self, path: str) -> str:
        """A file's node id: its path from pytest's rootdir."""
        found = self._nodeids.get(path)
        if found is None:
            # `relpath` takes what is relative to be below the working directory, which matters
            # where the rootdir lies above the root.
            root = self.evaluator.modules.root
            found = relpath(join(root, path), join(root, self.rules.rootdir))
            self._nodeids[path] = found
        return found

    def levels_of(self, path: str) -> tuple[Level, ...]:
        """The levels of the session and of the folders that a file lies in, from the outside."""
        found: list[Level] = []
        folder = dirname(path)
        while folder:
            level = self.folders.get(folder)
            if level is not None:
                found.append(level)
            folder = dirname(folder)
        found.reverse()
        return (self.session, *found)

    def register_class(self, lineage: Lineage, level: Level, home: str, owner: str) -> None:
        """Register the fixtures of a class and its bases at the class's level."""
        members = [
            (name, holder, space)
            for name, holder, space in self.lineages.members(lineage)
            if not is_plain_function(space, space.bindings[name])
        ]
        for name, holder, space in sorted(members, key=itemgetter(0)):
            bindings = space.bindings[name]
            last = bindings[-1].value
            if isinstance(last, ClassRef):
                continue
            value = self.evaluator.lookup(space, name)
            certain = not may_be_unbound(bindings)
            if isinstance(value, Unknown):
                value, certain = self._uncertain(space, name)
            if certain and isinstance(value, Raises):
                self._refuse(level, home, Refusal(value.reason, untold=True), importing=True)
            owned = holder.class_.name if holder is not lineage.classes[0] else owner
            self._register(value, name, level, home, owner=owned, certain=certain)
            if _may_be_fixture(value, last):
                level.unseen.add(name)
        for holder in lineage.classes:
            self._note_incomplete(self.evaluator.class_space(holder), level)
        self._note_generated(self.lineages.attribute(lineage, HOOK), level)


def _is_text_or_nothing(value: Value | None) -> bool:
    return value is None or value == Literal(None) or text_of(value) is not None


# Libraries from which no fixture is imported by its name.
_WITHOUT_FIXTURES = frozenset(sys.stdlib_module_names) | {"pytest", "numpy", "pandas", "builtins"}


def _may_be_fixture(value: Value, bound: BoundValue) -> bool:
    """Whether a name may stand for a fixture that cannot be seen."""
    if isinstance(bound, Import) and bound.name is None:
        return False
    match value:
        case Unknown():
            return True
        case FunctionValue(opaque=opaque):
            return opaque
        case External(name=name) | Result(name=name):
            top, dot, _ = name.partition(".")
            return bool(dot) and ":" not in name and top not in _WITHOUT_FIXTURES
    return False


def _kind(function: FunctionValue) -> FixtureKind:
    facts = function.function
    if function.plain:
        return "function"
    if facts.is_async:
        return "asyncgen" if facts.is_generator else "coroutine"
    return "generator" if facts.is_generator else "function"


def _truth(value: Value) -> bool | None:
    return bool(value.value) if isinstance(value, Literal) else None


def is_plain_function(space: Namespace, bindings: Sequence[Binding]) -> bool:
    """Whether a name stands for a function as it was written: most names of test modules do."""
    value = bindings[0].value
    return (
        len(bindings) == 1
        and isinstance(value, FunctionRef)
        and not space.facts.functions[value.index].kept_decorators
    )


def may_be_unbound(bindings: Sequence[Binding]) -> bool:
    """Whether it depends on a condition that a name is bound at all."""
    *before, last = bindings
    match last.guard.branch:
        case "if" | "loop":
            return True
        case "else":
            return not any(binding.guard.branch in ("", "if") for binding in before)
        case "except":
            return not any(binding.guard.branch != "except" for binding in before)
    return False


def _of_conftest(fixture: Fixture) -> bool:
    return fixture.home is not None and basename(fixture.home) == "conftest.py"
