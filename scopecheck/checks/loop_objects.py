"""Objects that are bound to an event loop by use, made once and met by the loops of several tests.

What an async fixture makes is told by the rules about its loop; here it is what was made where no
loop runs: in a module, or in a synchronous fixture.
"""

from __future__ import annotations

import re
from posixpath import dirname
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at, scoped, tests, written
from scopecheck.expressions import Awaited, Call, Name
from scopecheck.facts import Import
from scopecheck.finding import Fault, Place
from scopecheck.suite.loop_objects import last_names
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Binding, Function
    from scopecheck.suite import Suite
    from scopecheck.suite.loop_values import Handed
    from scopecheck.suite.loops import Loop
    from scopecheck.suite.model import Fixture, Item

# What ends a client's connections, so that the next loop makes its own.
_CLOSES = ("dispose", "aclose", "close", "disconnect", "shutdown", "cleanup")
# Something else has to run for a wait to end: without it, nothing waits.
_AT_ONCE = re.compile(
    r"\b(?:create_task|gather|TaskGroup|ensure_future|start_soon|create_task_group|wait_for)\b"
    r"|\basyncio\.(?:timeout|wait)\("
)
# Requests that are answered without a connection.
_NO_NETWORK = re.compile(
    r"respx|httpx_mock|pytest_httpx|pytest_recording|httpretty|aioresponses|vcr|cassette|pook"
    r"|\b(?:Async|Magic)?Mock\b|\bmonkeypatch\b|\bpatch\b"
)
_WAITS = {
    "asyncio.Event()": ("wait",),
    "asyncio.Condition()": ("wait", "wait_for", "acquire"),
    "asyncio.Barrier()": ("wait",),
    "asyncio.Queue()": ("get", "join", "put"),
    "asyncio.LifoQueue()": ("get", "join", "put"),
    "asyncio.PriorityQueue()": ("get", "join", "put"),
    "asyncio.Lock()": ("acquire",),
    "asyncio.Semaphore()": ("acquire",),
    "asyncio.BoundedSemaphore()": ("acquire",),
}
_HTTP = ("httpx.", "httpx2.", "openai.", "elasticsearch.")


class _Shared(Struct):
    """An object made where no loop runs, and the async code that uses it.

    users: by the instance of the object and the loop, the first test that meets it there.
    """

    name: str
    place: Place
    symbol: str
    handed: Handed
    fixture: Fixture | None
    users: dict[str, dict[str, tuple[Item, Loop]]] = field(default_factory=dict)
    items: dict[Item, None] = field(default_factory=dict)

    def add(self, instance: str, on: str, item: Item, loop: Loop) -> None:
        """Take in one more test."""
        self.users.setdefault(instance, {}).setdefault(on, (item, loop))
        self.items[item] = None

    @property
    def loops(self) -> dict[str, tuple[Item, Loop]]:
        """The loops that meet one instance of the object, of the instance that meets most."""
        return max(self.users.values(), key=len, default={})


@looks("far")
def loop_bound_outside_loop(suite: Suite) -> Iterator[Fault]:
    """SCP209: an object bound to a loop by use is made outside of any, and used on several."""
    for shared in (*_of_fixtures(suite), *_of_modules(suite)):
        if len(shared.loops) > 1:
            yield _told(shared)


def _of_fixtures(suite: Suite) -> Iterator[_Shared]:
    found: dict[object, _Shared] = {}
    handed = {f: suite.handouts.of(f) for f in suite.fixtures if _is_kept(f)}
    handed = {f: one for f, one in handed.items() if one.when in ("used", "contended")}
    for item in suite.items if handed else ():
        loop = None if item.skipped or item.plan is None else _loop(suite, item)
        if loop is None or item.plan is None:
            continue
        for fixture in item.plan.order:
            if fixture not in handed or not _requests(item, fixture):
                continue
            if _is_offline(suite, handed[fixture], item):
                continue
            assert fixture.scope is not None
            assert fixture.place is not None
            text = _text_of(suite, item.place.path, item.function)
            if not _meets(handed[fixture], fixture.name, text):
                continue
            shared = found.get(written(fixture))
            if shared is None:
                shared = _Shared(
                    fixture.name, fixture.place, fixture.symbol, handed[fixture], fixture
                )
                found[written(fixture)] = shared
            shared.add(_instance(item, fixture.scope), _on(item, loop), item, loop)
    yield from found.values()


def _is_kept(fixture: Fixture) -> bool:
    """Whether a fixture is made where no loop runs, and kept for several tests."""
    kept = fixture.scope is not None and fixture.scope > Scope.FUNCTION and fixture.certain
    return kept and not fixture.is_async and fixture.path is not None and fixture.place is not None


def _requests(item: Item, fixture: Fixture) -> bool:
    assert item.plan is not None
    return any(edge.asker is None and edge.answer is fixture for edge in item.plan.edges)


def _of_modules(suite: Suite) -> Iterator[_Shared]:
    makers = last_names()
    made: dict[str, dict[str, _Shared]] = {}
    for path in sorted(suite.own_files):
        facts = suite.facts(path)
        if facts is None:
            continue
        for binding in facts.bindings:
            if not (isinstance(binding.value, (Call, Awaited)) and _may_make(binding, makers)):
                continue
            handed = suite.handouts.module_value(path, binding.name)
            if handed.when not in ("used", "contended") or binding.name in facts.global_names:
                continue
            place = Place(path, binding.span)
            shared = _Shared(binding.name, place, f"{path}::{binding.name}", handed, None)
            made.setdefault(path, {})[binding.name] = shared
            suite.counts(path)
    if not made:
        return
    users = _users(suite, made)
    for item in suite.items if users else ():
        if item.skipped or item.plan is None:
            continue
        loop = _loop(suite, item)
        if loop is not None and item.function is not None:
            for shared in users.get((item.place.path, item.function.line), ()):
                if not _is_offline(suite, shared.handed, item):
                    shared.add("", _on(item, loop), item, loop)
        for fixture in item.plan.order:
            if fixture.is_async and fixture.path is not None:
                on = suite.loops.fixture(fixture, item)
                for shared in users.get((fixture.path, fixture.line), ()):
                    if on is None or on.runner not in ("asyncio", "anyio"):
                        continue
                    if not _is_offline(suite, shared.handed, item):
                        shared.add("", _on(item, on), item, on)
    for names in made.values():
        yield from names.values()


def _may_make(binding: Binding, makers: frozenset[str]) -> bool:
    value = binding.value
    value = value.value if isinstance(value, Awaited) else value
    if binding.guard.never or binding.target or not isinstance(value, Call):
        return False
    return isinstance(value.func, Name) and value.func.parts[-1] in makers


def _users(
    suite: Suite, made: dict[str, dict[str, _Shared]]
) -> dict[tuple[str, int], list[_Shared]]:
    """The async functions that use such objects, by file and line."""
    found: dict[tuple[str, int], list[_Shared]] = {}
    wanted = {name for names in made.values() for name in names}
    for path in suite.own_files:
        facts = suite.facts(path)
        if facts is None:
            continue
        names = dict(made.get(path, {}))
        for binding in facts.bindings:
            if isinstance(binding.value, Import) and binding.value.name in wanted:
                source = suite.evaluator.source(binding.value, path)
                if source is not None and source.path in made:
                    shared = made[source.path].get(binding.value.name)
                    if shared is not None:
                        names[binding.name] = shared
        if not names:
            continue
        lines = suite.text(path).splitlines()
        for name, shared in names.items():
            if _is_replaced(name, "\n".join(lines)):
                continue
            for function in facts.functions:
                if function.is_async and not any(p.name == name for p in function.parameters):
                    text = "\n".join(lines[function.line : function.end_line])
                    if _meets(shared.handed, name, text):
                        found.setdefault((path, function.line), []).append(shared)
                        suite.counts(path)
    return found


def _is_replaced(name: str, text: str) -> bool:
    """Whether something in the file puts another object in its place."""
    return re.search(rf"""["'](?:[\w.]*\.)?{re.escape(name)}["']""", text) is not None


def _meets(handed: Handed, name: str, text: str) -> bool:
    """Whether code is seen to use an object in the way that binds it."""
    word = rf"(?<![\w.]){re.escape(name)}\b"
    if re.search(word, text) is None or re.search(rf"^\s*{word}\s*=[^=]", text, re.MULTILINE):
        return False
    if handed.when == "contended":
        waits = "|".join(_WAITS.get(handed.made_by, ()))
        if not waits or not _AT_ONCE.search(text):
            return False
        # An event stays set, and nothing waits for it then.
        if handed.made_by == "asyncio.Event()" and not re.search(rf"{word}\.clear\(", text):
            return False
        return re.search(rf"{word}\.(?:{waits})\(|async with {word}", text) is not None
    return re.search(rf"{word}\.(?:{'|'.join(_CLOSES)})\(", text) is None


def _is_offline(suite: Suite, handed: Handed, item: Item) -> bool:
    """Whether something may answer the requests of an HTTP client in a test's place."""
    if not handed.made_by.startswith(_HTTP):
        return False
    assert item.plan is not None
    if any(_NO_NETWORK.search(name) for name in item.plan.closure):
        return True
    paths = {item.path, *(f.path for f in item.plan.order if f.path is not None)}
    return any(suite.has(path, _NO_NETWORK) for path in paths)


def _loop(suite: Suite, item: Item) -> Loop | None:
    loop = suite.loops.test(item)
    return loop if loop is not None and loop.runner in ("asyncio", "anyio") else None


def _text_of(suite: Suite, path: str, function: Function | None) -> str:
    if function is None:
        return ""
    return "\n".join(suite.lines(path, function.line + 1, function.end_line).splitlines())


def _on(item: Item, loop: Loop) -> str:
    """The same for two tests whose code runs on one loop."""
    if loop.runner == "anyio":
        assert item.plan is not None
        wide = any(f.is_async and f.scope is not Scope.FUNCTION for f in item.plan.order)
        return "anyio" if wide else item.nodeid
    if loop.scope is None:
        return "unknown"
    return _instance(item, loop.scope)


def _instance(item: Item, scope: Scope) -> str:
    """The same for two tests that share what has this scope."""
    match scope:
        case Scope.FUNCTION:
            return item.nodeid
        case Scope.CLASS:
            return item.nodeid.rpartition("::")[0]
        case Scope.MODULE:
            return item.path
        case Scope.PACKAGE:
            return dirname(item.path)
    return ""


def _told(shared: _Shared) -> Fault:
    handed = shared.handed
    met = sorted(shared.loops.values(), key=lambda each: (each[0].place.path, each[0].line))
    count = len({item.nodeid for item in shared.items})
    if shared.fixture is None:
        what = f"`{shared.name}` is made when the module is imported"
        advice = "make it in an async fixture of function scope"
    else:
        what = f"{scoped(shared.fixture.scope)} `{shared.name}` is made once"
        advice = f"give `{shared.name}` function scope"
    related = []
    if handed.place is not None and handed.place.span.line != shared.place.span.line:
        related.append(at(handed.place, f"{handed.why} is made here"))
    for (item, loop), nth in zip(met, ("one loop", "another loop"), strict=False):
        kind = "anyio" if loop.runner == "anyio" else f"loop scope {_word(loop)}"
        related.append(at(item.place, f"this test meets it on {nth} ({kind})"))
    if handed.when == "used":
        note = (
            f"{handed.why} keeps what it opens bound to the loop of its first use: on the next "
            "loop it fails with `attached to a different loop` or `Event loop is closed`"
        )
    else:
        note = (
            f"{handed.why} is bound to the first loop on which something has to wait for it: a "
            "wait on the next fails with `is bound to a different event loop`"
        )
    return Fault(
        shared.place,
        f"{what}, and {tests(count)} use it on {len(met)} event loops",
        shared.symbol,
        tuple(related),
        notes=(note,),
        help=f"{advice}, or put its tests on one loop with `loop_scope`",
        tests=frozenset(item.nodeid for item in shared.items),
    )


def _word(loop: Loop) -> str:
    return loop.scope.word if loop.scope is not None else "unknown"
