"""Finds the hooks of conftests and plugins, and says what they do to async tests.

Recipes that put the marks of async plugins on tests are read; of any other hook that may change
such marks it is only said that nobody knows what it does.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from scopecheck.expressions import Call, FunctionRef, Name
from scopecheck.finding import Place
from scopecheck.suite.loops.added import AddedMark, AsyncHooks, HookedMark, Needed
from scopecheck.suite.loops.asked import Asked, Reader, local_space
from scopecheck.suite.marks import UNKNOWN_MARK
from scopecheck.suite.values import (
    ClassValue,
    Dictionary,
    FunctionValue,
    Literal,
    MarkValue,
    Sequence,
    known_strings,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.facts import Function
    from scopecheck.hook_facts import MarkAddition
    from scopecheck.suite.link import Linker
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.values import Value

_ASYNC_MARKS = frozenset({"asyncio", "anyio", "trio"})
# The hooks in which marks are added, in the order in which pytest calls them; those of the first
# two are called only for the tests below the folder of their conftest.
_READ = (
    "pytest_pycollect_makeitem",
    "pytest_itemcollected",
    "pytest_collection_modifyitems",
    "pytest_collection_finish",
)
_OF_FOLDER = frozenset(_READ[:2])
# Hooks that take the place of what runs a test or a fixture, and those that may.
_RUNNERS = frozenset({"pytest_fixture_setup", "pytest_pyfunc_call"})
_MAY_RUN = frozenset(
    {
        "pytest_make_collect_report",
        "pytest_pycollect_makeitem",
        "pytest_pycollect_makemodule",
        "pytest_runtest_call",
        "pytest_runtest_protocol",
        "pytest_runtest_setup",
        "pytest_runtestloop",
    }
)
_LOOP_FACTORIES = "pytest_asyncio_loop_factories"
# Plugins of which all is known, or is told elsewhere.
_KNOWN = ("/_pytest/", "/pytest_asyncio/", "/anyio/", "/pytest_trio/", "/pytest_aiohttp/")
_ORDERS = frozenset({"tryfirst", "trylast"})
_WRAPPERS = frozenset({"hookwrapper", "wrapper"})
_MAX_DEPTH = 3


class _Implementation(Struct, frozen=True):
    """A function that implements a hook.

    order: of calls, among those that wrap the others or among those that do not.
    certain: it is surely registered.
    """

    hook: str
    function: FunctionValue
    folder: str
    order: tuple[int, ...]
    wrapper: bool
    certain: bool

    @property
    def place(self) -> Place:
        return Place(self.function.module, self.function.function.span)

    @property
    def text(self) -> str:
        """As it is told."""
        function = self.function.function
        return f"{self.function.module}:{function.line} {function.name}"


def async_hooks(linker: Linker) -> AsyncHooks:
    """What the hooks of a suite do to async tests."""
    return _Hooks(linker).read()


class _Hooks:
    """Reads the hooks of one suite; an instance serves once."""

    def __init__(self, linker: Linker) -> None:
        self._linker = linker
        self._evaluator = linker.evaluator
        # `"asyncio" in item.keywords` is true of the tests below a folder of that name too.
        parts = {part for path in linker.modules for part in path.split("/")}
        self._keyword_marks = _ASYNC_MARKS - parts
        self._added: list[AddedMark] = []
        self._unknown: dict[str, None] = {}
        self._times: dict[tuple[str, int], dict[int, int]] = {}
        self._found = list(self._implementations())

    def read(self) -> AsyncHooks:
        """What they do."""
        found = self._found
        for hook in _READ:
            for one, late in _calls(found, hook):
                self._read_additions(one, late=late)
        for one in found:
            if self._is_unread(one):
                self._unknown.setdefault(one.text)
        runs = tuple((one.place, one.hook) for one in found if self._may_run(one))
        factories = tuple(one.place for one in found if one.hook == _LOOP_FACTORIES)
        return AsyncHooks(tuple(self._added), tuple(self._unknown), runs, factories)

    def _implementations(self) -> Iterator[_Implementation]:
        for index, (space, folder) in enumerate(self._registered_modules()):
            if any(part in f"/{space.path}" for part in _KNOWN):
                continue
            # Those of one module are registered in the order of their names.
            for number, (name, bindings) in enumerate(sorted(space.bindings.items())):
                place = (index, number)
                if name.startswith("pytest_"):
                    plain = len(bindings) == 1 and not bindings[0].guard.branch
                    values = [self._evaluator.bound(binding, space) for binding in bindings]
                    for value in values if not plain else [self._evaluator.lookup(space, name)]:
                        if isinstance(value, FunctionValue):
                            yield self._implementation(value, name, folder, place, certain=plain)
            for value in (*_inner_hooks(space), *self._registered(space)):
                name = value.function.name
                yield self._implementation(value, name, folder, (index, 0), certain=False)

    def _registered_modules(self) -> Iterator[tuple[Namespace, str]]:
        """The modules as pytest registers them: each before the plugins that it names."""
        modules = {space.path: (space, folder) for space, folder in self._linker.hook_spaces}
        named = {path: self._named(space) for path, (space, _) in modules.items()}
        inner = {path for paths in named.values() for path in paths}
        waiting = [path for path in modules if path not in inner]
        waiting.extend(path for path in modules if path in inner)
        waiting.reverse()
        while waiting:
            path = waiting.pop()
            if path in modules:
                yield modules.pop(path)
                waiting.extend(reversed(named[path]))

    def _named(self, space: Namespace) -> list[str]:
        names, _ = known_strings(self._evaluator.lookup(space, "pytest_plugins"))
        find = self._evaluator.modules.find
        return [path for name in names if (path := find(name, space.path)) is not None]

    def _registered(self, space: Namespace) -> Iterator[FunctionValue]:
        """The hooks of plugin objects of other modules that a module registers."""
        for function in space.facts.functions:
            for found in () if function.body is None else function.body.calls:
                func = found.call.func
                if not (
                    isinstance(func, Name) and func.parts[-2:] == ("pluginmanager", "register")
                ):
                    continue
                for plugin in found.call.args[:1]:
                    kind = plugin.func if isinstance(plugin, Call) else plugin
                    value = self._evaluator.evaluate(kind, space)
                    if isinstance(value, ClassValue) and value.module != space.path:
                        yield from _methods(value)

    def _implementation(
        self,
        value: FunctionValue,
        name: str,
        folder: str,
        registered: tuple[int, int],
        *,
        certain: bool,
    ) -> _Implementation:
        options = self._options(value)
        hook = text_of(options.get("specname")) or name
        # What is registered last is called first, but for what is to come last.
        order = (1, *(-number for number in registered))
        if _is_true(options.get("tryfirst")):
            order = (0, *order[1:])
        elif _is_true(options.get("trylast")):
            order = (2, *registered)
        wrapper = any(_is_true(options.get(word)) for word in _WRAPPERS)
        return _Implementation(hook, value, folder, order, wrapper, certain)

    def _options(self, value: FunctionValue) -> dict[str, Value]:
        """What decorators say about the hook: `hookimpl(tryfirst=True)`, `mark.tryfirst`."""
        options: dict[str, Value] = {}
        for decorator in value.function.decorators:
            match decorator.expression:
                case Call(func=Name(parts=(*_, "hookimpl")), keywords=keywords):
                    for key, given in keywords:
                        options[key] = self._evaluator.evaluate(given, value.env)
                case Name(parts=(*_, word)) if word in _ORDERS | _WRAPPERS:
                    options[word] = Literal(True)
        return options

    def _read_additions(self, one: _Implementation, *, late: bool) -> None:
        facts = one.function.function.hook
        if facts is None or not one.certain:
            return
        times = self._times.setdefault((one.function.module, one.function.index), {})
        for addition in facts.additions:
            if (addition.late and one.wrapper) is late and self._is_in_time(one, addition):
                times[addition.since] = len(self._added)
                added = self._added_mark(one, addition, times)
                if added is None:
                    self._unknown.setdefault(one.text)
                elif isinstance(added, AddedMark):
                    self._added.append(added)
        # The time of its `yield`.
        times.setdefault(min(set(range(len(times) + 1)) - set(times)), len(self._added))

    def _added_mark(
        self, one: _Implementation, addition: MarkAddition, times: dict[int, int]
    ) -> AddedMark | bool | None:
        """The mark that is added; False where it does not matter, None where it is not known.

        times: how many marks were added by each time of the function.
        """
        space = local_space(one.function)
        mark = self._mark(addition, one.function, space)
        reader = Reader(self._evaluator, space, self._keyword_marks)
        found = list(reader.questions(addition.conditions))
        if mark is None or any(asked is False for _, asked in found):
            return False
        append: Value = Literal(True)
        if addition.append is not None:
            append = self._evaluator.evaluate(addition.append, space)
        if not isinstance(append, Literal) or mark.name not in _ASYNC_MARKS:
            return None
        kinds: set[str] = set()
        needs = []
        for since, asked in found:
            if asked is None:
                return None
            if isinstance(asked, Asked):
                kinds.update(["taken"] * asked.taken, ["async"] * asked.coroutine)
                names = asked.only | asked.unless
                asked_at = self._asked_at(names, since, times) if names else 0
                if asked_at is None:
                    return None
                needs.extend([Needed(asked.only, asked.unless, asked_at)] if names else [])
        return AddedMark(
            mark,
            Place(one.function.module, addition.span),
            not append.value,
            "taken" if "taken" in kinds else "async" if "async" in kinds else "all",
            tuple(needs),
            addition.early,
            one.folder if one.hook in _OF_FOLDER else "",
        )

    def _asked_at(
        self, names: frozenset[str], since: frozenset[int], times: dict[int, int]
    ) -> int | None:
        """How many marks were added when it was asked for these; None where that is not known.

        since: the times of the function when it was asked: one is as good as another where no
            mark of these names was added between them.
        """
        if not since <= times.keys() or self._may_be_added(names):
            return None
        counts = [times[time] for time in since]
        between = self._added[min(counts) : max(counts)]
        return None if names & {added.mark.name for added in between} else max(counts)

    def _may_be_added(self, names: frozenset[str]) -> bool:
        """Whether hooks put other marks of these names on tests."""
        others = names - _ASYNC_MARKS
        return bool(others) and ("?" in self._others or bool(others & self._others))

    @cached_property
    def _others(self) -> frozenset[str]:
        """The names of the marks that are not about async and that hooks add; `?` for any."""
        found: set[str] = set()
        for one in self._found:
            for function in (one.function, *self._helpers(one.function)):
                facts = function.function.hook
                if facts is not None:
                    space = local_space(function)
                    found.update(facts.others)
                    found.update(self._added_by(each, space).name for each in facts.additions)
        return frozenset(found)

    def _added_by(self, addition: MarkAddition, space: Namespace) -> MarkValue:
        """The mark added; named `?` if it is computed."""
        value = self._evaluator.evaluate_at(addition.mark, space, addition.span)
        word = text_of(value)
        mark = value if word is None else MarkValue(word)
        return mark if isinstance(mark, MarkValue) else UNKNOWN_MARK

    def _is_in_time(self, one: _Implementation, addition: MarkAddition) -> bool:
        """Whether a mark is added where that is read."""
        return one.hook in _READ and addition.early is (one.hook == _READ[0])

    def _is_unread(self, one: _Implementation) -> bool:
        """Whether a hook may change marks in other ways than those that are read."""
        facts = one.function.function.hook
        if facts is not None:
            if facts.unread is not None:
                return True
            space = local_space(one.function)
            for addition in facts.additions:
                read = one.certain and self._is_in_time(one, addition)
                if not read and self._mark(addition, one.function, space) is not None:
                    return True
        return any(self._may_mark(helper) for helper in self._helpers(one.function))

    def _may_mark(self, function: FunctionValue) -> bool:
        facts = function.function.hook
        if facts is None:
            return False
        space = local_space(function)
        return facts.unread is not None or any(
            self._mark(addition, function, space) is not None for addition in facts.additions
        )

    def _mark(
        self, addition: MarkAddition, function: FunctionValue, space: Namespace
    ) -> MarkValue | None:
        """The mark added, if it may be one for async tests."""
        mark = self._added_by(addition, space)
        if mark != UNKNOWN_MARK:
            return mark if mark.name in _ASYNC_MARKS else None
        facts = function.function.hook
        named = facts is not None and facts.names_async
        possible = self._keyword_marks != _ASYNC_MARKS or self._holds_mark(function.env)
        return mark if named or possible else None

    def _holds_mark(self, space: Namespace) -> bool:
        """Whether a value of a module is an async mark or holds one."""
        while space.parent is not None:
            space = space.parent
        return any(
            _holds_mark(self._evaluator.lookup(space, name))
            for name in space.bindings
            if name != "pytestmark"
        )

    def _may_run(self, one: _Implementation) -> bool:
        """Whether a hook may run async tests or fixtures by itself."""
        facts = one.function.function.hook
        if one.hook in _RUNNERS and not one.wrapper:
            return True
        if one.hook not in _MAY_RUN | _RUNNERS:
            return False
        if one.hook == _READ[0] and facts is not None and facts.additions:
            return False
        functions = (one.function, *self._helpers(one.function))
        return any(_speaks_async(function.function) for function in functions)

    def _helpers(self, function: FunctionValue) -> Iterator[FunctionValue]:
        """The functions of the project that a function calls, directly or not."""
        seen = {(function.module, function.index)}
        wave = [function]
        for _ in range(_MAX_DEPTH):
            found: list[FunctionValue] = []
            for each in wave:
                space = local_space(each)
                for fact in () if each.function.body is None else each.function.body.calls:
                    value = self._evaluator.evaluate(fact.call.func, space)
                    if not isinstance(value, FunctionValue) or _is_known(value):
                        continue
                    key = (value.module, value.index)
                    if key not in seen:
                        seen.add(key)
                        found.append(value)
            yield from found
            wave = found


def _calls(found: Iterable[_Implementation], hook: str) -> Iterator[tuple[_Implementation, bool]]:
    """The implementations of a hook as they are called; True for what wrappers do afterwards."""
    mine = sorted((one for one in found if one.hook == hook), key=lambda one: one.order)
    wrappers = [one for one in mine if one.wrapper]
    for one in (*wrappers, *(one for one in mine if not one.wrapper)):
        yield one, False
    for one in reversed(wrappers):
        yield one, True


def _inner_hooks(space: Namespace) -> Iterator[FunctionValue]:
    """Methods and inner functions named like hooks: of objects that the module may register."""
    bound = {
        binding.value.index
        for binding in space.facts.bindings
        if isinstance(binding.value, FunctionRef)
    }
    for index, function in enumerate(space.facts.functions):
        if function.name.startswith("pytest_") and index not in bound:
            yield FunctionValue(space.path, function, space, index)


def _methods(value: ClassValue) -> Iterator[FunctionValue]:
    """The hooks of a class."""
    for index, function in enumerate(value.env.facts.functions):
        if function.owner == value.index and function.name.startswith("pytest_"):
            yield FunctionValue(value.module, function, value.env, index)


def _holds_mark(value: Value) -> bool:
    match value:
        case MarkValue(name=name):
            return name in _ASYNC_MARKS
        case Literal(value=word):
            return word in _ASYNC_MARKS
        case Sequence(items=items):
            return any(map(_holds_mark, items))
        case Dictionary(items=pairs):
            return any(_holds_mark(item) for _, item in pairs)
    return False


def _speaks_async(function: Function) -> bool:
    body = function.body
    return (
        function.is_async
        or (function.hook is not None and function.hook.speaks_async)
        or (body is not None and bool(body.loop_calls))
    )


def _is_known(value: FunctionValue) -> bool:
    return any(part in f"/{value.module}" for part in _KNOWN)


def _is_true(value: Value | None) -> bool:
    return isinstance(value, Literal) and bool(value.value)


__all__ = ["AddedMark", "AsyncHooks", "HookedMark", "async_hooks"]
