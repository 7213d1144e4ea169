"""The fixture `event_loop`: overridden or requested where pytest-asyncio has it no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.places import mark_place
from scopecheck.checks.reach import (
    has_own_run,
    has_unread,
    levels_of,
    plainly_bound,
    unreached_fixtures,
)
from scopecheck.checks.wording import (
    at,
    first_test,
    request_place,
    taken_version,
    tests,
    version_in_force,
    written,
    written_symbol,
)
from scopecheck.expressions import Const, Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.loops.overrides import EVENT_LOOP, is_asked_by_async, is_override, is_sure
from scopecheck.suite.marks import used_names
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal, TypeAlias

    from scopecheck.facts import Function
    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loops
    from scopecheck.suite.model import Fixture, Item

    _Verdict: TypeAlias = Literal["gone", "deprecated"]

_SHOWN = 3


@looks("far")
def event_loop_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP206: `event_loop` is overridden or requested, which ends with pytest-asyncio 1.0."""
    if suite.loops.plugin is not None:
        yield from _overrides(suite)
        yield from _requests(suite)


class _Override(Struct):
    """A definition of the suite's own, and the tests that see it.

    asyncio: those with async code that pytest-asyncio runs; set_up: those that have it set up by
        a request, a mark or autouse.
    """

    fixture: Fixture
    asyncio: list[Item] = field(default_factory=list)
    set_up: list[Item] = field(default_factory=list)


def _overrides(suite: Suite) -> Iterator[Fault]:
    found: dict[object, _Override] = {}
    for fixture in suite.fixtures:
        if is_override(fixture):
            found.setdefault(written(fixture), _Override(fixture))
    if not found:
        return
    loops = suite.loops
    helpers = loops.helpers
    for item in suite.items:
        seen = loops.visible(item, EVENT_LOOP)
        override = None if seen is None else found.get(written(seen))
        if override is None or seen is None or not is_sure(item):
            continue
        assert item.plan is not None
        if _runs_asyncio(loops, item):
            override.asyncio.append(item)
        if seen in item.plan.order:
            override.set_up.append(item)
    for override in found.values():
        verdict = _verdict(loops, override)
        if verdict is not None and override.fixture.symbol not in helpers:
            agreed = all(_verdict(other, override) == verdict for other in loops.others)
            yield _told_override(suite, override, verdict, agreed=agreed)


def _runs_asyncio(loops: Loops, item: Item) -> bool:
    """Whether pytest-asyncio runs the test or an async fixture for it."""
    loop = loops.test(item)
    if loop is not None and loop.runner == "asyncio":
        return True
    return any(fixture.is_async and _is_taken(loops, fixture, item) for fixture in _order(item))


def _is_taken(loops: Loops, fixture: Fixture, item: Item) -> bool:
    loop = loops.fixture(fixture, item)
    return loop is not None and loop.runner == "asyncio"


def _order(item: Item) -> tuple[Fixture, ...]:
    assert item.plan is not None
    return item.plan.order


def _verdict(loops: Loops, override: _Override) -> _Verdict | None:
    """What a version of the plugin makes of an override."""
    plugin = loops.plugin
    if plugin is None or plugin.one_loop or not override.asyncio:
        return None
    if not plugin.has_event_loop:
        return "gone"
    return "deprecated" if any(_uses(loops, item) for item in override.asyncio) else None


def _uses(loops: Loops, item: Item) -> bool:
    """Whether pytest-asyncio 0.23 to 0.26 sets `event_loop` up for the test's async code."""
    if is_asked_by_async(loops, item):
        return True
    found = [loops.test(item)]
    found += [loops.fixture(each, item) for each in _order(item) if each.is_async]
    return any(
        loop is not None and loop.runner == "asyncio" and loop.scope is Scope.FUNCTION
        for loop in found
    )


def _told_override(suite: Suite, override: _Override, verdict: _Verdict, *, agreed: bool) -> Fault:
    fixture, loops = override.fixture, suite.loops
    assert fixture.place is not None
    version = version_in_force(loops)
    count = len({item.nodeid for item in override.asyncio})
    if verdict == "gone":
        message = (
            f"pytest-asyncio {version} has no `event_loop` to override: "
            f"the async code of {tests(count)} runs on other loops than this one's"
        )
        notes = [
            "up to pytest-asyncio 0.22 async tests and fixtures ran on the override; "
            "1.0 removed the fixture, and ignores one of that name"
        ]
    else:
        message = (
            f"`event_loop` overrides pytest-asyncio's, which is deprecated in {version}: only "
            "what has a loop of function scope runs on it"
        )
        notes = [
            "pytest-asyncio 0.23 to 0.26 warn of the override when it is set up; from 1.0 it is "
            "ignored"
        ]
    related = [*_wide_fixtures(loops, override), *_askers(override)]
    if verdict == "gone" and any(item in override.asyncio for item in override.set_up):
        notes.append("what requests it gets a loop that does not run the test")
    return Fault(
        fixture.place,
        message,
        fixture.symbol,
        tuple(related),
        notes=(*notes, *filter(None, [taken_version(loops)])),
        help=_instead(loops, override),
        tests=frozenset(item.nodeid for item in override.asyncio),
        certainty=None if agreed else "likely",
    )


def _wide_fixtures(loops: Loops, override: _Override) -> Iterator[Place]:
    """Async fixtures that shared the override with their tests, and have loops of their own."""
    told: set[object] = set()
    for item in override.asyncio:
        for fixture in _order(item):
            loop = loops.fixture(fixture, item) if fixture.is_async else None
            if loop is None or loop.runner != "asyncio":
                continue
            if loop.scope is None or loop.scope is Scope.FUNCTION:
                continue
            if fixture.path is None or fixture.place is None or written(fixture) in told:
                continue
            if len(told) == _SHOWN:
                return
            told.add(written(fixture))
            which = "the session" if loop.scope is Scope.SESSION else f"a {loop.scope.word}"
            yield at(fixture.place, f"`{fixture.name}` runs on {which} loop instead")


def _askers(override: _Override) -> Iterator[Place]:
    """Who requests the override, for a test with async code."""
    told: dict[Place, str] = {}
    for item in override.set_up:
        if item not in override.asyncio:
            continue
        for request in item.requests:
            if request.name == EVENT_LOOP:
                told.setdefault(request.place, "requested here")
        for fixture in _order(item):
            place = request_place(fixture, EVENT_LOOP)
            if place is not None and fixture.path is not None and fixture.name != EVENT_LOOP:
                told.setdefault(place, f"requested by `{fixture.name}`")
    for place, words in list(told.items())[:_SHOWN]:
        yield at(place, words)


def _instead(loops: Loops, override: _Override) -> str:
    """What to do about an override."""
    assert loops.plugin is not None
    scope = override.fixture.scope
    if scope is not None and scope is not Scope.FUNCTION:
        word = "loop_scope" if loops.plugin.version >= (0, 24) else "scope"
        mark = f'`{word}="{scope.word}"`'
        if any(pair.same is False for item in override.asyncio for pair in loops.pairs(item)):
            return (
                "remove it, and give the async fixtures and the tests that shared it one loop: "
                f"{mark} for both"
            )
        return f"remove it; tests that need to share a loop say {mark} in their marks"
    if loops.plugin.version >= (1, 4):
        return "remove it; the hook `pytest_asyncio_loop_factories` chooses another kind of loop"
    return "remove it; the fixture `event_loop_policy` chooses another kind of loop"


class _Asked(Struct):
    """A request that the suite does not answer itself, and the tests that it concerns."""

    place: Place
    symbol: str
    who: str
    is_async: bool
    looked_up: bool = False
    chain: tuple[Fixture, ...] = ()
    items: list[Item] = field(default_factory=list)


def _requests(suite: Suite) -> Iterator[Fault]:
    loops = suite.loops
    assert loops.plugin is not None
    if loops.plugin.one_loop:
        return
    if loops.plugin.has_event_loop:
        for asked in _deprecated(suite):
            agreed = all(
                other.plugin is not None and not other.plugin.one_loop for other in loops.others
            )
            yield _told_deprecated(suite, asked, agreed=agreed)
        return
    agreed = all(
        other.plugin is not None and not other.plugin.has_event_loop for other in loops.others
    )
    told: set[Place] = set()
    for asked in (*_unanswered(suite), *_looked_up(suite), *_in_unreached(suite)):
        if asked.place not in told:
            told.add(asked.place)
            yield _told_unanswered(suite, asked, agreed=agreed)


def _unanswered(suite: Suite) -> list[_Asked]:
    """Requests for which pytest finds nothing."""
    found: dict[Place, _Asked] = {}
    for plan, items in suite.items_of.items():
        for problem in plan.problems:
            if problem.kind != "unknown-fixture" or problem.name != EVENT_LOOP:
                continue
            if not problem.certain or any(f.opaque or not f.certain for f in problem.stack):
                continue
            for item in filter(is_sure, items):
                for asked in _asked(suite, item, problem.stack):
                    found.setdefault(asked.place, asked).items.append(item)
    return [
        asked
        for place, asked in found.items()
        if "site-packages/" not in place.path and not has_own_run(suite, place.path)
    ]


def _asked(suite: Suite, item: Item, stack: Sequence[Fixture]) -> Iterator[_Asked]:
    """Who asks for it, and where: pytest stops at the first of them."""
    assert item.plan is not None
    for name in item.plan.closure:
        asker = suite.loops.visible(item, name)
        place = None if asker is None else request_place(asker, EVENT_LOOP)
        if asker is None or place is None or asker.path is None or asker.opaque:
            continue
        chain = tuple(stack) if stack and stack[-1] is asker else (asker,)
        yield _Asked(place, asker.symbol, f"`{asker.name}`", asker.is_async, chain=chain)
    who, symbol = _name(item), written_symbol(item)
    for request in item.requests:
        if request.name == EVENT_LOOP:
            yield _Asked(request.place, symbol, who, item.is_async)
    if any(request.name == EVENT_LOOP for request in item.usefixtures):
        mark = mark_place(suite, item, lambda mark: EVENT_LOOP in used_names((mark,)))
        yield _Asked(mark or item.place, symbol, who, item.is_async)
    option = suite.loops.option_place("usefixtures")
    if option is not None and EVENT_LOOP in suite.files.config.usefixtures:
        yield _Asked(option, option.path, "the configuration", False)


def _name(item: Item) -> str:
    return f"`{item.nodeid.rpartition('::')[2]}`"


def _looked_up(suite: Suite) -> list[_Asked]:
    """Calls of `getfixturevalue` that pytest would find nothing for."""
    found: dict[Place, _Asked] = {}
    # Few fixtures look one up, and each is set up for many tests.
    looking = {f for f in suite.users if f.path and any(_lookups(f.function, f.path))}
    for item in filter(is_sure, suite.items):
        asking: list[tuple[Function | None, Fixture | None]] = [(item.function, None)]
        if looking:
            asking += [(each.function, each) for each in _order(item) if each in looking]
        for function, fixture in asking:
            path = item.place.path if fixture is None else fixture.path or ""
            for place in _lookups(function, path):
                if not _is_missing(suite, item):
                    break
                asked = (
                    _Asked(
                        place,
                        written_symbol(item),
                        _name(item),
                        item.is_async,
                        looked_up=True,
                    )
                    if fixture is None
                    else _Asked(
                        place,
                        fixture.symbol,
                        f"`{fixture.name}`",
                        fixture.is_async,
                        looked_up=True,
                    )
                )
                found.setdefault(place, asked).items.append(item)
    return list(found.values())


def _lookups(function: Function | None, path: str) -> Iterator[Place]:
    """Where a function's own `request` is asked for the fixture, under no condition."""
    if function is None or function.body is None or "site-packages/" in path:
        return
    for fact in function.body.calls:
        call = fact.call
        if fact.nested or fact.under or call.func != Name(("request", "getfixturevalue")):
            continue
        given = call.args[0] if call.args else call.keyword("argname")
        if given == Const(EVENT_LOOP):
            yield Place(path, call.span)


def _is_missing(suite: Suite, item: Item) -> bool:
    """Whether nothing that the test sees has the name, or may have it."""
    if suite.loops.visible(item, EVENT_LOOP) is not None:
        return False
    if EVENT_LOOP in item.parametrized.direct:
        return False
    return all(
        level.complete and EVENT_LOOP not in level.unseen and EVENT_LOOP not in level.generates
        for level in item.levels
    )


def _in_unreached(suite: Suite) -> Iterator[_Asked]:
    """Requests of fixtures that no test reaches, where nothing in the suite has the name."""
    if not suite.linker.session.complete or has_unread(suite):
        return
    if any(fixture.name == EVENT_LOOP for fixture in suite.fixtures):
        return
    homes = {*suite.files.conftests, *suite.files.test_files}
    for fixture in unreached_fixtures(suite):
        place = request_place(fixture, EVENT_LOOP)
        if place is None or fixture.home not in homes or not plainly_bound(suite, fixture):
            continue
        levels = levels_of(suite, fixture)
        if levels is None or has_own_run(suite, fixture.home):
            continue
        if all(
            level.complete and not level.generates_any and EVENT_LOOP not in level.unseen
            for level in levels
        ):
            yield _Asked(place, fixture.symbol, f"`{fixture.name}`", fixture.is_async)


def _told_unanswered(suite: Suite, asked: _Asked, *, agreed: bool) -> Fault:
    loops = suite.loops
    nodeids = frozenset(item.nodeid for item in asked.items)
    count = len(nodeids)
    if not count:
        note = f"no test reaches {asked.who}; the first one to do so would stop with "
    elif asked.looked_up:
        note = f"pytest stops {'it' if count == 1 else f'the {tests(count)} that reach it'} with "
    else:
        note = f"pytest stops {_all(count)} with "
    how = "looks up" if asked.looked_up else "requests"
    plugin = f"pytest-asyncio {version_in_force(loops)}"
    return Fault(
        asked.place,
        f"{asked.who} {how} `event_loop`, which {plugin} does not have",
        asked.symbol,
        tuple(_chain(asked)),
        notes=(
            f"{note}`fixture 'event_loop' not found`: pytest-asyncio 1.0 removed it",
            *filter(None, [taken_version(loops)]),
        ),
        help=_without(asked),
        tests=nodeids,
        searched=suite.searched,
        certainty=None if agreed else "likely",
    )


def _all(count: int) -> str:
    return "the 1 test that needs it" if count == 1 else f"all {tests(count)} that need it"


def _chain(asked: _Asked) -> Iterator[Place]:
    """Every step from the fixture that asks back to a test."""
    for outer, inner in zip(reversed(asked.chain[:-1]), reversed(asked.chain[1:]), strict=True):
        if outer.path is not None and outer.place is not None:
            place = request_place(outer, inner.name) or outer.place
            yield at(place, f"`{inner.name}` is requested by `{outer.name}`")
    if asked.chain and asked.items:
        item, name = first_test(asked.items), asked.chain[0].name
        places = [request.place for request in item.requests if request.name == name]
        yield at(places[0] if places else item.place, f"this test gets `{name}`")


def _without(asked: _Asked) -> str:
    if asked.is_async:
        return "take the request out, and call `asyncio.get_running_loop()` where the loop is used"
    return (
        "take the request out: what needs a running loop has to be async, and synchronous code can "
        "make a loop of its own (`asyncio.Runner`)"
    )


def _deprecated(suite: Suite) -> Iterator[_Asked]:
    """Async functions that request the plugin's own `event_loop`, of which 0.23 to 0.26 warn."""
    loops = suite.loops
    found: dict[Place, _Asked] = {}
    for items in loops.shapes:
        if not _is_plugins_own(loops, items[0]):
            continue
        sure = [item for item in items if is_sure(item)]
        for item in sure:
            loop = loops.test(item)
            for request in item.requests if loop is not None and loop.runner == "asyncio" else ():
                if request.name == EVENT_LOOP:
                    asked = _Asked(request.place, written_symbol(item), _name(item), True)
                    found.setdefault(request.place, asked).items.append(item)
        for fixture in _order(items[0]) if sure else ():
            place = request_place(fixture, EVENT_LOOP)
            if place is None or fixture.path is None or "site-packages/" in fixture.path:
                continue
            if fixture.is_async and _is_taken(loops, fixture, items[0]):
                asked = _Asked(place, fixture.symbol, f"`{fixture.name}`", True)
                found.setdefault(place, asked).items.extend(sure)
    yield from found.values()


def _is_plugins_own(loops: Loops, item: Item) -> bool:
    seen = loops.visible(item, EVENT_LOOP)
    return seen is not None and seen.path is None and seen.certain


def _told_deprecated(suite: Suite, asked: _Asked, *, agreed: bool) -> Fault:
    loops = suite.loops
    return Fault(
        asked.place,
        f"async {asked.who} requests `event_loop`, which is deprecated in pytest-asyncio "
        f"{version_in_force(loops)}",
        asked.symbol,
        notes=(
            "pytest-asyncio 0.23 to 0.26 warn of it, and 1.0 has no such fixture",
            *filter(None, [taken_version(loops)]),
        ),
        help=_without(asked),
        tests=frozenset(item.nodeid for item in asked.items),
        certainty=None if agreed else "likely",
    )
