"""Requests that no fixture answers, and what may have been meant."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cached_property
from posixpath import dirname, join, normpath, relpath
from typing import TYPE_CHECKING

from msgspec import Struct, field

from scopecheck.checks.looks import looks
from scopecheck.checks.places import find_mark
from scopecheck.checks.reach import (
    LOOP_FIXTURES,
    Silenced,
    has_own_requirements,
    has_own_run,
    has_unread,
    is_for_pytest,
    is_sure,
    levels_of,
    plainly_bound,
    unreached_fixtures,
    unseen_names,
)
from scopecheck.checks.wording import at, chain, first_test, request_place
from scopecheck.expressions import Call, Name
from scopecheck.finding import Cause, Fault, Place
from scopecheck.source import Span
from scopecheck.suite import mentions
from scopecheck.suite.marks import used_names
from scopecheck.suite.values import ClassValue, FixtureValue, FunctionValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.facts import Function
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item, Level, Problem


class _Missing(Struct):
    """A name that nothing answers, who asks for it, and every test that it stops."""

    name: str
    asker: str
    place: Place
    symbol: str
    chain: tuple[Fixture, ...]
    fixture: Fixture | None = None
    items: list[Item] = field(default_factory=list)


class _Unseen:
    """What may come from a plugin that is not seen.

    Names that many files ask for, and like nothing that is there, are its own. What else such a
    file lacks may be from it as well, save for what is nearly the name of something there. Where
    nothing lists what is installed, so may what other files lack, if most of the suite lives on it,
    and what a plugin ships that scripts install.
    """

    def __init__(self, suite: Suite, found: Iterable[_Missing]) -> None:
        self._suite = suite
        self._names = unseen_names(suite)
        self._known = frozenset(fixture.name for fixture in suite.fixtures)
        self._users = {missing.place.path for missing in found if self._is_own(missing)}

    def brings(self, missing: _Missing) -> bool:
        """Whether the name may well be one of that plugin's."""
        if missing.place.path in self._users:
            return not self._is_near(missing)
        if self._is_own(missing):
            return True
        plugins = self._suite.linker.plugins
        if plugins.listed or missing.name in self._known:
            return False
        if self._is_usual and not self._is_near(missing):
            return _not_imported(self._suite, missing) is None
        return plugins.hinted(missing.name)

    @cached_property
    def _is_usual(self) -> bool:
        """Whether most files with tests ask for names of that plugin."""
        return len(self._users) * 2 >= len({item.path for item in self._suite.items})

    def _is_own(self, missing: _Missing) -> bool:
        return (
            missing.name in self._names
            and _not_imported(self._suite, missing) is None
            and not self._is_near(missing)
        )

    @staticmethod
    def _is_near(missing: _Missing) -> bool:
        levels = first_test(missing.items).levels
        return _near_name(levels, missing.name, missing.asker) is not None


@looks("far")
def unknown_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP301: a request that no definition answers."""
    faults = list(_missing(suite))
    if faults and is_for_pytest(suite) and not _writes_into_pytest(suite):
        yield from faults


def _writes_into_pytest(suite: Suite) -> bool:
    """Whether code with fixtures adds some to pytest's own table of them, whose names none sees."""
    files = {fixture.path for fixture in suite.fixtures if fixture.path is not None}
    return any("_arg2fixturedefs" in suite.text(path) for path in files)


def _unlisted(suite: Suite) -> tuple[str, ...]:
    """What a finding rests on where nothing lists all that is installed, as a note."""
    plugins = suite.linker.plugins
    if plugins.listed:
        return ()
    return (
        "no environment and no lock file was found: a plugin that is stated nowhere may define it",
    )


def _missing(suite: Suite) -> Iterator[Fault]:
    found: dict[tuple[Place, str], _Missing] = {}
    silent = Silenced(suite)
    for plan, items in suite.items_of.items():
        for problem in plan.problems:
            if problem.kind == "unknown-fixture" and is_sure(problem):
                for item in items:
                    if not silent.item(item):
                        _add_missing(suite, found, problem, item)
    unseen = _Unseen(suite, found.values())
    helpers: dict[Item, bool] = {}
    for missing in found.values():
        if unseen.brings(missing):
            continue
        if has_own_run(suite, missing.place.path):
            continue
        if has_own_requirements(suite, missing.place.path):
            continue
        first = missing.items[0]
        if _may_be_put_on_class(suite, first):
            continue
        if missing.fixture is None and first not in helpers:
            helpers[first] = _is_used_as_helper(suite, first)
        if missing.fixture is not None or not helpers[first]:
            yield _told_missing(suite, missing)
    yield from _missing_in_unreached(suite)


_PUTS = re.compile(r"\bsetattr\(")


def _may_be_put_on_class(suite: Suite, item: Item) -> bool:
    """Whether a decorator of the project is on a test's class, and sets attributes of it."""
    names = item.nodeid.split("::")[1:-1]
    space = suite.evaluator.module(item.path) if names else None
    class_ = None if space is None else suite.evaluator.lookup(space, names[0])
    if space is None or not isinstance(class_, ClassValue):
        return False
    for decorator in class_.class_.decorators:
        expression = decorator.expression
        func = expression.func if isinstance(expression, Call) else expression
        found = suite.evaluator.evaluate(func, space) if isinstance(func, Name) else None
        if isinstance(found, FunctionValue):
            function = found.function
            if _PUTS.search(suite.lines(found.module, function.line, function.end_line)):
                return True
    return False


def _is_used_as_helper(suite: Suite, item: Item) -> bool:
    """Whether other code of the file takes a function that is only named like a test."""
    function, path = item.function, item.place.path
    if function is None or item.nodeid.count("::") != 1:
        return False
    facts = suite.facts(path)
    if facts is None:
        return False
    return bool(mentions.in_code(suite.text(path), facts, (function.name,)))


def _add_missing(
    suite: Suite, found: dict[tuple[Place, str], _Missing], problem: Problem, item: Item
) -> None:
    name = problem.name
    if problem.stack:
        asker = problem.stack[-1]
        place = request_place(asker, name)
        if asker.path is None or place is None:
            return
        missing = _Missing(name, asker.name, place, asker.symbol, problem.stack, asker)
    else:
        asked = _asked_by_test(suite, item, name)
        if asked is None:
            return
        missing = _Missing(name, *asked, ())
    if "site-packages/" not in missing.place.path:
        found.setdefault((missing.place, name), missing).items.append(item)


def _asked_by_test(suite: Suite, item: Item, name: str) -> tuple[str, Place, str] | None:
    """Who asks for a name that a test needs itself, where, and the symbol of that place."""
    function = item.function
    if function is None:
        return None
    for request in item.requests:
        if request.name == name:
            return function.name, request.place, _symbol(item.place.path, item, function)
    if any(request.name == name for request in item.usefixtures):
        held = find_mark(
            suite, item, lambda mark: mark.name == "usefixtures" and name in used_names((mark,))
        )
        if held is not None:
            return held.name, held.holder, held.symbol
        return function.name, item.place, _symbol(item.place.path, item, function)
    config = suite.files.config
    if name in config.usefixtures and config.inifile is not None:
        rootdir = suite.linker.rules.rootdir
        relative = relpath(config.inifile.as_posix(), config.rootdir.as_posix())
        line = config.option_lines.get("usefixtures", 1)
        path = normpath(join(rootdir, relative))
        return "usefixtures", Place(path, Span(line, 1, line, len("usefixtures") + 1)), path
    return None


def _symbol(path: str, item: Item, function: Function) -> str:
    classes = item.nodeid.split("::")[1:-1]
    return "::".join([path, *classes, function.name])


def _told_missing(suite: Suite, missing: _Missing) -> Fault:
    item = first_test(missing.items)
    name = missing.name
    levels = item.levels
    elsewhere = _defined_elsewhere(suite, name)
    near = _near_name(levels, name, missing.asker)
    asks = "uses" if missing.asker == "usefixtures" else "requests"
    who = "the configuration" if missing.asker == "usefixtures" else f"`{missing.asker}`"
    related: list[Place] = []
    names: tuple[str, ...] = ()
    # Of what the suite itself defines it is clear where it is to come from.
    doubt = _unlisted(suite)
    if elsewhere:
        what = f"which is defined only {_where(elsewhere[0])}"
        advice = f"move `{name}` to a conftest.py above both, or ask for another fixture"
        names = ("move", name) if len(elsewhere) == 1 else ()
        related += [at(f.place, f"`{name}` is defined here") for f in elsewhere if f.place]
        doubt = ()
    elif (unregistered := _not_imported(suite, missing)) is not None:
        doubt = ()
        what = f"which is not imported from {unregistered.path}"
        advice = f"import `{name}` too, or register the module in `pytest_plugins`"
        related.append(at(unregistered, f"`{name}` is defined here"))
    elif near is not None:
        what = f"which nothing defines; did you mean `{near.name}`?"
        advice = f"request `{near.name}`"
        names = ("rename", near.name)
        if near.place is not None and near.path is not None:
            related.append(at(near.place, f"`{near.name}` is defined here"))
    else:
        what = "which nothing defines"
        advice = f"define a fixture `{name}`, or take the request out"
    related += chain(missing.chain, item)
    nodeids = frozenset(found.nodeid for found in missing.items)
    return Fault(
        missing.place,
        f"{who} {asks} the fixture `{name}`, {what}",
        missing.symbol,
        tuple(related),
        notes=(
            f"pytest stops each test that needs it with `fixture '{name}' not found`",
            *doubt,
        ),
        help=advice,
        tests=nodeids,
        searched=suite.searched,
        cause=Cause(f"{name}, {what}", "requested here, too"),
        names=names,
    )


def _defined_elsewhere(suite: Suite, name: str) -> list[Fixture]:
    """Definitions of the name that the asker does not see, one for each `def`."""
    found = {
        fixture.key: fixture
        for fixture in suite.fixtures
        if fixture.name == name and fixture.path is not None and not fixture.assumed
    }
    return sorted(found.values(), key=lambda fixture: (fixture.home or "", fixture.line))[:3]


def _where(fixture: Fixture) -> str:
    home = fixture.home or ""
    if fixture.level == "class":
        return f"in the class {fixture.owner} of {home}"
    if fixture.level == "module":
        return f"in {home}"
    folder = dirname(home)
    return f"below {folder}" if folder else f"in {home}"


def _not_imported(suite: Suite, missing: _Missing) -> Place | None:
    """The definition that stands beside a fixture that was imported without it."""
    asker = missing.fixture
    if asker is None or asker.path is None or asker.path == asker.home:
        return None
    space = suite.evaluator.module(asker.path)
    value = None if space is None else suite.evaluator.lookup(space, missing.name)
    if not isinstance(value, FixtureValue):
        return None
    return Place(value.function.module, value.function.function.span)


def _near_name(levels: Iterable[Level], name: str, asker: str) -> Fixture | None:
    """The visible fixture whose name is most like this one."""
    visible = {
        known: fixtures[-1]
        for level in levels
        for known, fixtures in level.fixtures.items()
        if known != asker and not known.startswith("_")
    }
    near = get_close_matches(name, list(visible), 1, 0.75)
    return visible[near[0]] if near else None


def _missing_in_unreached(suite: Suite) -> Iterator[Fault]:
    """Requests of fixtures that no test reaches, of names that exist nowhere in the suite."""
    linker = suite.linker
    if not linker.session.complete or has_unread(suite):
        return
    unreached = unreached_fixtures(suite)
    if not unreached:
        return
    known = {fixture.name for fixture in suite.fixtures}
    for item in suite.items:
        known.update(item.parametrized.direct, item.parametrized.indirect)
    homes = {*suite.files.conftests, *suite.files.test_files}
    told: set[tuple[str, int, str]] = set()
    for fixture in unreached:
        if fixture.home not in homes or fixture.key in told or not plainly_bound(suite, fixture):
            continue
        if has_own_run(suite, fixture.home) or has_own_requirements(suite, fixture.home):
            continue
        if fixture.autouse is None:
            # What decides whether every test gets it may decide what is installed, too.
            continue
        levels = levels_of(suite, fixture)
        if levels is None or any(not x.complete or x.generates_any for x in levels):
            continue
        generated = frozenset().union(*(level.generates for level in levels))
        for request in fixture.requests:
            name = request.name
            if name in known or name in generated or name in ("request", *LOOP_FIXTURES):
                continue
            if any(name in level.unseen for level in levels):
                continue
            told.add(fixture.key)
            near = _near_name(levels, name, fixture.name)
            hint = "" if near is None else f"; did you mean `{near.name}`?"
            yield Fault(
                request.place,
                f"`{fixture.name}` requests the fixture `{name}`, which nothing defines{hint}",
                fixture.symbol,
                notes=(
                    f"no test reaches `{fixture.name}`; the first one to do so would stop with "
                    f"`fixture '{name}' not found`",
                    *_unlisted(suite),
                ),
                help=f"take `{fixture.name}` out, or mend its request",
                searched=suite.searched,
                certainty="likely",
            )
