"""Spellings that the pytest-asyncio in force deprecates or refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.places import constant_place, find_mark, first_line
from scopecheck.checks.wording import (
    at,
    first_test,
    listed,
    scoped,
    taken_version,
    version_in_force,
    written,
    written_symbol,
)
from scopecheck.expressions import Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loops
    from scopecheck.suite.model import Fixture, Item
    from scopecheck.suite.values import MarkValue

_LOOP_SCOPE_SINCE = (0, 24)
_FACTORIES_SINCE = (1, 4)
_READ_LATE, _READ_ONCE_FROM = (1, 1), (1, 4)
_POLICY = "event_loop_policy"
_ONLY_IN = (0, 22)
"""The one version, withdrawn, that knew the mark `asyncio_event_loop`."""


@looks("near")
def deprecated_asyncio_mark(suite: Suite) -> Iterator[Fault]:
    """SCP207: a spelling of marks or loop policies that the version in force deprecates."""
    if suite.loops.plugin is not None:
        yield from _marks(suite)
        yield from _policies(suite)


class _Use(Struct):
    """A mark, and the tests to which it applies.

    quiet: the version in force reads it without a word, since a hook adds it.
    """

    mark: MarkValue
    place: Place
    symbol: str
    quiet: bool
    items: list[Item] = field(default_factory=list)


def _marks(suite: Suite) -> Iterator[Fault]:
    loops = suite.loops
    found: dict[Place, _Use] = {}
    for item in suite.items:
        loop = loops.test(item)
        if loop is None or loop.runner != "asyncio":
            continue
        for mark, hook, quiet in _read_marks(loops, item):
            verdict = _verdict(loops, mark)
            if verdict and (verdict == "deprecated" or not quiet):
                use = _use(suite, item, mark, hook, quiet=quiet)
                if use is not None and "site-packages/" not in use.place.path:
                    found.setdefault(use.place, use).items.append(item)
    for use in found.values():
        yield _told_mark(loops, use)


def _read_marks(loops: Loops, item: Item) -> Iterator[tuple[MarkValue, Place | None, bool]]:
    """The marks of a test that count: each with the hook that adds it, and whether it is `quiet`.

    Up to 1.0 the mark is looked at when the test is collected and when it is run, in 1.1 to 1.3
    when it is run, and from 1.4 on when it is collected: what hooks add later is obeyed unread.
    """
    assert loops.plugin is not None
    version = loops.plugin.version
    counts = loops.hooks.mark_of(item, version, auto=loops.plugin.auto)
    early = counts.collected is counts.mark
    if counts.mark is not None and (early or version < _READ_ONCE_FROM):
        yield counts.mark, counts.place, False
    elif counts.mark is not None:
        yield counts.mark, counts.place, True
    if counts.collected is not None and not early and not _READ_LATE <= version < _READ_ONCE_FROM:
        yield counts.collected, None, False
    for mark in item.marks:
        if mark.name == "asyncio_event_loop":
            yield mark, None, False


def _verdict(loops: Loops, mark: MarkValue) -> str:
    """What a version of the plugin makes of a mark; empty where it is right."""
    assert loops.plugin is not None
    version = loops.plugin.version
    if mark.name == "asyncio_event_loop":
        return "" if version == _ONLY_IN else "unknown"
    if version < _LOOP_SCOPE_SINCE or mark.keyword("**") is not None:
        return ""
    if mark.args or _foreign(loops, mark):
        return "refused"
    if mark.keyword("scope") is None:
        return ""
    return "deprecated" if mark.keyword("loop_scope") is None else "both"


def _foreign(loops: Loops, mark: MarkValue) -> list[str]:
    """Keyword arguments that the version does not know."""
    assert loops.plugin is not None
    known = {"scope", "loop_scope"}
    if loops.plugin.version >= _FACTORIES_SINCE:
        known.add("loop_factories")
    return [key for key, _ in mark.keywords if key not in known]


def _use(
    suite: Suite, item: Item, mark: MarkValue, hook: Place | None, *, quiet: bool
) -> _Use | None:
    """Where a mark of a test stands, or the constant that holds it."""
    if hook is not None:
        return _Use(mark, Place(hook.path, first_line(hook.span)), hook.path, quiet)
    found = find_mark(suite, item, lambda other: other == mark)
    if found is None:
        return None
    if isinstance(found.expression, Name):
        constant = constant_place(suite, found.space, found.expression)
        if constant is not None:
            place, name = constant
            place = Place(place.path, first_line(place.span))
            return _Use(mark, place, f"{place.path}::{name}", quiet)
    return _Use(mark, found.place, found.symbol, quiet)


def _told_mark(loops: Loops, use: _Use) -> Fault:
    mark, version = use.mark, version_in_force(loops)
    verdict = _verdict(loops, mark)
    scope = text_of(mark.keyword("scope"))
    said = f'scope="{scope}"' if scope is not None else "scope=..."
    advice = f"write `loop_{said}`"
    match verdict:
        case "deprecated":
            message = f"`{said}` of the mark `asyncio` is deprecated: it is called `loop_scope` now"
            note = f"pytest-asyncio {version} warns of it for each test; 0.24 renamed it"
            if use.quiet:
                note = "0.24 renamed it; from 1.4 pytest-asyncio does not warn where a hook adds it"
        case "both":
            message = "the mark `asyncio` has both `scope` and `loop_scope`"
            note = f"pytest-asyncio {version} refuses that with an error"
            advice = "leave `scope` out"
        case "unknown":
            message = (
                "the mark `asyncio_event_loop` has no effect: only pytest-asyncio 0.22 knew it"
            )
            note = "each test of the class or module runs on a loop of its own"
            advice = f"write `asyncio({_keyword(loops)}=...)` with the scope that they should share"
        case _:
            what = listed(f"`{key}`" for key in _foreign(loops, mark))
            message = f"the mark `asyncio` has {what or 'a positional argument'}"
            message += f", which pytest-asyncio {version} refuses"
            note = "the tests that it applies to stop with an error"
            advice = "take the argument out" if what else "name the argument: `loop_scope=...`"
    agreed = not use.quiet and all(_verdict(other, mark) == verdict for other in loops.others)
    test = first_test(use.items)
    related = (at(test.place, "a test that it applies to"),)
    return Fault(
        use.place,
        message,
        use.symbol,
        related if use.symbol != written_symbol(test) else (),
        notes=(note, *filter(None, [taken_version(loops)])),
        help=advice,
        tests=frozenset(item.nodeid for item in use.items),
        certainty=None if agreed else "likely",
        names=(verdict,) if verdict in ("deprecated", "both") else (),
    )


def _keyword(loops: Loops) -> str:
    assert loops.plugin is not None
    return "loop_scope" if loops.plugin.version >= _LOOP_SCOPE_SINCE else "scope"


def _policies(suite: Suite) -> Iterator[Fault]:
    """Overrides of the fixture `event_loop_policy`, each once."""
    loops = suite.loops
    if not _warns_of_policies(loops):
        return
    found: dict[object, tuple[Fixture, set[str]]] = {}
    for fixture in suite.users:
        if fixture.name == _POLICY and _is_own(fixture):
            found.setdefault(written(fixture), (fixture, set()))[1].update(suite.users[fixture])
    agreed = all(map(_warns_of_policies, loops.others))
    for fixture, users in found.values():
        if fixture.place is not None:
            yield Fault(
                fixture.place,
                f"{scoped(fixture.scope)} `event_loop_policy` overrides pytest-asyncio's, "
                f"which is deprecated in {version_in_force(loops)}",
                fixture.symbol,
                notes=(
                    "pytest-asyncio warns of it from 1.4 on, and will remove it",
                    *filter(None, [taken_version(loops)]),
                ),
                help="return the loop's factory from the hook `pytest_asyncio_loop_factories`",
                tests=frozenset(users),
                certainty=None if agreed else "likely",
            )


def _is_own(fixture: Fixture) -> bool:
    own = fixture.path is not None and "site-packages/" not in fixture.path
    return own and fixture.certain and not fixture.pseudo


def _warns_of_policies(loops: Loops) -> bool:
    return loops.plugin is not None and loops.plugin.version >= _FACTORIES_SINCE
