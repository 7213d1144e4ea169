"""Loops inside loops: code on the thread of a running asyncio loop that starts another one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at, first_test
from scopecheck.expressions import Attribute, Awaited, Call, Entered, Name
from scopecheck.facts import Import
from scopecheck.finding import Fault, Place
from scopecheck.suite.values import (
    External,
    FunctionValue,
    ModuleValue,
    Result,
    Sequence,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.expressions import Expression
    from scopecheck.facts import Function, LoopCall
    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loop
    from scopecheck.suite.model import Fixture, Item
    from scopecheck.suite.namespace import Namespace

# So many of the project's own functions are followed from a test.
_MAX_CALLS = 3
_LOOPS = frozenset(
    f"{module}.{name}"
    for module in ("asyncio", "asyncio.events")
    for name in ("get_event_loop", "new_event_loop", "get_running_loop")
) | {"uvloop.new_event_loop"}
_RUNS = {
    "asyncio.run": "asyncio.run() cannot be called from a running event loop",
    "asyncio.runners.run": "asyncio.run() cannot be called from a running event loop",
}
_RUNNER_RUNS = "Runner.run() cannot be called from a running event loop"
_LOOP_RUNS = "Cannot run the event loop while another loop is running"
_ASKS = re.compile(r"\b_?get_running_loop\(|\bis_running\(|\bcurrent_async_library\(")
# What puts something else in the place of the function that runs a loop.
_REPLACED = re.compile(
    r"""["'](?:[\w.]*\basyncio\.(?:run|Runner)|[\w.]*run_until_complete)["']"""
    r"""|\basyncio\s*,\s*["'](?:run|Runner)["']"""
)


class _Running(Struct, frozen=True):
    """A call that runs a loop, and the calls of the project's functions that lead to it.

    steps: the outermost first, each with the file that it stands in; the last one runs the loop.
    error: what asyncio raises.
    """

    steps: tuple[tuple[str, Call], ...]
    error: str


class _Nested(Struct):
    """Such a call on a running loop, and the tests that it stops."""

    running: _Running
    fixture: Fixture | None
    loop: Loop
    items: list[Item] = field(default_factory=list)


@looks("far")
def nested_loop(suite: Suite) -> Iterator[Fault]:
    """SCP211: a loop is run on the thread of a loop that is running already."""
    reader = _Reader(suite)
    if not reader.finds_any or _is_patched(suite):
        return
    found: dict[Place, _Nested] = {}
    made = {f: calls for f in suite.fixtures if f.is_async and (calls := reader.of(f))}
    for item in suite.items:
        if item.skipped or item.plan is None:
            continue
        if item.is_async and item.function is not None:
            calls = reader.calls(item.place.path, item.function)
            loop = suite.loops.test(item) if calls else None
            if loop is not None and _runs_asyncio(suite, loop, item):
                for running in calls:
                    _add(found, running, None, loop, item)
        for fixture in item.plan.order if made else ():
            loop = suite.loops.fixture(fixture, item) if fixture in made else None
            if loop is not None and _runs_asyncio(suite, loop, item):
                for running in made[fixture]:
                    _add(found, running, fixture, loop, item)
    for place, nested in found.items():
        if not _is_replaced(suite, nested):
            yield _told(place, nested)


def _add(
    found: dict[Place, _Nested],
    running: _Running,
    fixture: Fixture | None,
    loop: Loop,
    item: Item,
) -> None:
    path, call = running.steps[0]
    nested = found.setdefault(Place(path, call.span), _Nested(running, fixture, loop))
    nested.items.append(item)


def _is_patched(suite: Suite) -> bool:
    """Whether something in the suite makes loops that can run inside one another."""
    if suite.part is None:
        suite.patched = _has_patch(suite)
    return bool(suite.patched)


def _has_patch(suite: Suite) -> bool:
    for path in suite.own_files:
        facts = suite.facts(path)
        if facts is None:
            continue
        if "nest_asyncio" in facts.inner_imports or "nest_asyncio2" in facts.inner_imports:
            return True
        for binding in facts.bindings:
            if isinstance(binding.value, Import) and binding.value.module.startswith("nest_async"):
                return True
    return False


def _runs_asyncio(suite: Suite, loop: Loop, item: Item) -> bool:
    """Whether code on this loop runs on one of asyncio's."""
    if loop.runner != "anyio":
        return loop.runner == "asyncio"
    if "anyio_backend" in item.parametrized.direct:
        return False
    backend = suite.loops.visible(item, "anyio_backend")
    if backend is None or backend.path is None:
        return backend is not None  # The plugin's own runs every backend, asyncio first.
    return not backend.has_params and _gives_asyncio(suite, backend)


def _gives_asyncio(suite: Suite, backend: Fixture) -> bool:
    """Whether an override of `anyio_backend` is seen to choose asyncio."""
    function = backend.function
    if function is None or function.handout is None or backend.path is None:
        return False
    space = suite.evaluator.module(backend.path)
    if space is None:
        return False
    chosen: list[str | None] = []
    for value, _ in function.handout.values:
        found = suite.evaluator.evaluate(value, space)
        if isinstance(found, Sequence) and found.items:
            found = found.items[0]
        chosen.append(text_of(found))
    return bool(chosen) and set(chosen) == {"asyncio"}


class _Reader:
    """Finds the calls that run a loop in the functions of one suite."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        loops = [
            (path, function)
            for path in suite.own_files
            if (facts := suite.facts(path)) is not None
            for function in facts.functions
            if function.loop_calls
        ]
        self.finds_any = bool(loops)
        for path, _ in loops:
            suite.counts(path)
        self._helpers = {path for path, function in loops if not function.is_async}
        # What a module or function with such a call is imported by.
        self._words = {function.name for _, function in loops if not function.is_async}
        for path in self._helpers:
            self._words.update(path.removesuffix(".py").split("/")[-2:])
        self._imported: dict[str, frozenset[str]] = {}
        self._calling: dict[str, re.Pattern[str]] = {}
        self._read: dict[tuple[str, int, int], tuple[_Running, ...]] = {}

    def of(self, fixture: Fixture) -> tuple[_Running, ...]:
        """The calls of a fixture that run a loop on its own thread."""
        if fixture.path is None or fixture.function is None or not fixture.certain:
            return ()
        return self.calls(fixture.path, fixture.function)

    def calls(self, path: str, function: Function) -> tuple[_Running, ...]:
        """The calls of a function that run a loop on its own thread, its helpers followed."""
        key = (path, function.line, function.span.column)
        if key not in self._read:
            self._read[key] = tuple(self._calls(path, function, 0))
        return self._read[key]

    def _calls(self, path: str, function: Function, depth: int) -> Iterator[_Running]:
        calls = function.loop_calls
        if depth == 0 and (names := self._names(path)) and self._mentions(path, function, names):
            calls = self._suite.loop_calls(path, function, names)
        for found in calls:
            error = self._error(path, function, found)
            if error is not None:
                yield _Running(((path, found.call),), error)
            elif depth < _MAX_CALLS:
                helper = self._helper(path, function, found.call)
                inner = None if helper is None else self._first(helper, depth + 1)
                if inner is not None:
                    yield _Running(((path, found.call), *inner.steps), inner.error)

    def _first(self, helper: FunctionValue, depth: int) -> _Running | None:
        """The first call that runs a loop when a function of the project is called."""
        if helper.function.is_async or helper.function.is_generator or helper.opaque:
            return None
        if self._asks_first(helper):
            return None
        return next(self._calls(helper.module, helper.function, depth), None)

    def _asks_first(self, helper: FunctionValue) -> bool:
        """Whether a function looks whether a loop is running, and so may do otherwise on one."""
        function = helper.function
        lines = self._suite.lines(helper.module, function.line, function.end_line)
        return _ASKS.search(lines) is not None

    def _names(self, path: str) -> frozenset[str]:
        """Names of functions elsewhere that may run a loop, as code of this file calls them."""
        if not self._helpers:
            return frozenset()
        if path not in self._imported:
            self._imported[path] = frozenset(self._names_of(path))
        return self._imported[path]

    def _names_of(self, path: str) -> Iterator[str]:
        evaluator = self._suite.evaluator
        facts = self._suite.facts(path)
        for binding in () if facts is None else facts.bindings:
            if not isinstance(binding.value, Import) or binding.guard.never:
                continue
            last = binding.value.name or binding.value.module.rpartition(".")[2]
            if last not in self._words:
                continue
            value = evaluator.imported(binding.value, path, binding.name)
            if isinstance(value, FunctionValue) and value.function.loop_calls:
                if not value.function.is_async:
                    yield binding.name
            elif isinstance(value, ModuleValue) and value.path in self._helpers:
                inner = self._suite.facts(value.path)
                for function in () if inner is None else inner.functions:
                    if function.loop_calls and not function.is_async:
                        yield function.name

    def _mentions(self, path: str, function: Function, names: frozenset[str]) -> bool:
        if path not in self._calling:
            calls = "|".join(map(re.escape, sorted(names)))
            self._calling[path] = re.compile(rf"\b(?:{calls})\(")
        return self._suite.occurs(path, (function.line, function.end_line), self._calling[path])

    def _space(self, path: str) -> Namespace | None:
        return self._suite.evaluator.module(path)

    def _error(self, path: str, function: Function, found: LoopCall) -> str | None:
        """What asyncio raises for a call, None where it is not seen to run a loop."""
        space = self._space(path)
        func = found.call.func
        if space is None:
            return None
        if isinstance(func, Name) and not _is_hidden(function, func.parts[0]):
            value = self._suite.evaluator.evaluate(func, space)
            if isinstance(value, External) and value.name in _RUNS:
                return _RUNS[value.name]
        last = func.parts[-1] if isinstance(func, Name) else ""
        if isinstance(func, Attribute):
            last = func.attr
        made = None if found.receiver is None else self._maker(path, function, found.receiver)
        if last == "run_until_complete" and made in _LOOPS:
            return _LOOP_RUNS
        if last == "run" and made in ("asyncio.Runner", "asyncio.runners.Runner"):
            return _RUNNER_RUNS
        return None

    def _maker(self, path: str, function: Function, receiver: Expression) -> str | None:
        """The dotted name of what made the object that a method is called on."""
        match receiver:
            case Entered() | Awaited():
                return self._maker(path, function, receiver.value)
            case Call(func=Name() as func):
                space = self._space(path)
                if space is None or _is_hidden(function, func.parts[0]):
                    return None
                value = self._suite.evaluator.evaluate(func, space)
                return value.name if isinstance(value, External) else None
            case Name(parts=(name,)) if name not in _locals(function):
                if any(parameter.name == name for parameter in function.parameters):
                    return None
                space = self._space(path)
                found = None if space is None else self._suite.evaluator.evaluate(receiver, space)
                return found.name if isinstance(found, Result) else None
        return None

    def _helper(self, path: str, function: Function, call: Call) -> FunctionValue | None:
        """The function of the project that a call calls."""
        func = call.func
        if not isinstance(func, Name) or _is_hidden(function, func.parts[0]):
            return None
        space = self._space(path)
        first = function.parameters[0].name if function.parameters else None
        if function.owner >= 0 and len(func.parts) == 2 and func.parts[0] == first:
            body = self._suite.evaluator.body(path, function.owner)
            found = None if body is None else self._suite.evaluator.lookup(body, func.parts[1])
        elif space is None or any(p.name == func.parts[0] for p in function.parameters):
            return None
        else:
            found = self._suite.evaluator.evaluate(func, space)
        return found if isinstance(found, FunctionValue) else None


def _locals(function: Function) -> tuple[str, ...]:
    return () if function.body is None else function.body.locals


def _is_hidden(function: Function, name: str) -> bool:
    """Whether the function binds the name itself, other than by importing the module of it."""
    return name in _locals(function) and name != "asyncio"


def _is_replaced(suite: Suite, nested: _Nested) -> bool:
    """Whether a test's own files put something in the place of one of the calls."""
    names = {
        call.func.parts[-1] for _, call in nested.running.steps[:-1] if isinstance(call.func, Name)
    }
    words = "|".join(map(re.escape, names))
    helper = re.compile(rf"""["'](?:[\w.]*\.)?(?:{words})["']""") if words else None
    paths = {item.path for item in nested.items} | {path for path, _ in nested.running.steps[:1]}
    paths |= {f.path for item in nested.items for f in _fixtures(item) if f.path is not None}
    for path in paths:
        text = suite.text(path)
        if _REPLACED.search(text) or (helper is not None and helper.search(text)):
            return True
    return False


def _fixtures(item: Item) -> tuple[Fixture, ...]:
    return item.plan.order if item.plan is not None else ()


def _told(place: Place, nested: _Nested) -> Fault:
    running, fixture = nested.running, nested.fixture
    last = _written(running.steps[-1][1])
    if len(running.steps) == 1:
        message = f"`{last}` is called on the thread of a running event loop"
    else:
        message = (
            f"`{_written(running.steps[0][1])}` calls `{last}` on the thread of a running event "
            "loop"
        )
    related = [
        at(Place(path, call.span), f"`{_written(call)}` is called here")
        for path, call in running.steps[1:]
    ]
    item = first_test(nested.items)
    if fixture is None:
        who, symbol = "this test", item.nodeid
    else:
        who, symbol = f"the async fixture `{fixture.name}`", fixture.symbol
        related.append(at(item.place, f"`{fixture.name}` is set up for this test"))
    plugin = "anyio" if nested.loop.runner == "anyio" else "pytest-asyncio"
    return Fault(
        place,
        message,
        symbol,
        tuple(related),
        notes=(f"{plugin} runs {who} on a loop, so asyncio raises RuntimeError: {running.error}",),
        help="`await` the coroutine, or run it in another thread with `asyncio.to_thread`"
        if len(running.steps) == 1
        else "await an async form of it, or call it in another thread with `asyncio.to_thread`",
        tests=frozenset(item.nodeid for item in nested.items),
    )


def _written(call: Call) -> str:
    func = call.func
    if isinstance(func, Name):
        return f"{'.'.join(func.parts)}()"
    return f"...{func.attr}()" if isinstance(func, Attribute) else "...()"
