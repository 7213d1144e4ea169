"""Unused fixtures: definitions that no test reaches, where nothing else can reach them either."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from posixpath import dirname
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.checks.reach import (
    has_own_run,
    has_unread,
    levels_of,
    plainly_bound,
    unreached_fixtures,
    unseen_names,
)
from scopecheck.checks.wording import at, listed
from scopecheck.expressions import Const, Name
from scopecheck.facts import BODY, Import
from scopecheck.finding import Fault, Place
from scopecheck.suite import mentions
from scopecheck.suite.values import ModuleValue, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scopecheck.expressions import Call
    from scopecheck.facts import FileFacts
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item

Key = tuple[str, int, str]

_GETTERS = ("getfixturevalue", "getfuncargvalue")
_TEST_FOLDERS = frozenset({"test", "tests"})
_LOOP_FIXTURES = frozenset({"event_loop"})


@looks("far")
def unused_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP303: a definition that no test reaches."""
    if not suite.items or not suite.linker.session.complete or has_unread(suite):
        return
    if _runs_doctests(suite):
        return
    unreached: dict[Key, list[Fixture]] = {}
    for fixture in unreached_fixtures(suite):
        unreached.setdefault(fixture.key, []).append(fixture)
    if not unreached:
        return
    open_names = _open_names(suite) | _meant(suite, {key[2] for key in unreached})
    defaults = _defaults(suite)
    named = Counter(fixture.name for fixture in suite.fixtures)
    strangers = _asking_strangers(suite)
    live = {
        key
        for key, fixtures in unreached.items()
        if not all(
            _is_candidate(suite, fixture, open_names, defaults, named) for fixture in fixtures
        )
        or any(_is_seen_from(fixture, strangers) for fixture in fixtures)
    }
    candidates = {key: fixtures for key, fixtures in unreached.items() if key not in live}
    if candidates:
        live |= _mentioned(suite, candidates)
    _spread(
        live,
        unreached,
        [f for f in suite.fixtures if f.key not in unreached and not _ran(suite, f)],
    )
    unused = {key: fixtures[0] for key, fixtures in candidates.items() if key not in live}
    below = _below(unused)
    for key, fixture in unused.items():
        if fixture.place is not None and _is_outermost(below, key):
            along = [unused[other] for other in sorted(below[key])]
            yield _told(suite, fixture, fixture.place, along)


def _ran(suite: Suite, fixture: Fixture) -> bool:
    return fixture in suite.users


def _runs_doctests(suite: Suite) -> bool:
    """Whether doctests are run, which may get fixtures by name."""
    config = suite.files.config
    return config.doctest_modules or "--doctest" in str(config.ini.get("addopts", ""))


def _runs_documents(facts: FileFacts) -> bool:
    """Whether a conftest has examples of documents run, which ask for fixtures by name."""
    return any(
        isinstance(binding.value, Import) and binding.value.module.partition(".")[0] == "sybil"
        for binding in facts.bindings
    )


def _open_names(suite: Suite) -> frozenset[str]:
    """Names that plugins ship or read, and names whose answer is not known for every test."""
    names = {fixture.name for fixture in suite.fixtures if fixture.path is None}
    for plan in suite.items_of:
        names.update(plan.unknown)
    return frozenset(names) | _LOOP_FIXTURES


def _meant(suite: Suite, names: set[str]) -> frozenset[str]:
    """Those of the names that a test seems to mean by one that it does not get."""
    missing = {
        problem.name
        for plan in suite.items_of
        for problem in plan.problems
        if problem.kind == "unknown-fixture"
    }
    if not missing:
        return frozenset()
    return frozenset(name for name in names if get_close_matches(name, missing, 1, 0.75))


def _is_candidate(
    suite: Suite,
    fixture: Fixture,
    open_names: frozenset[str],
    defaults: frozenset[tuple[str | None, str]],
    named: Mapping[str, int],
) -> bool:
    """Whether it would be seen if something used the fixture."""
    if fixture.autouse is not False or fixture.name in open_names or fixture.home is None:
        return False
    if (fixture.home, fixture.name) in defaults or _overrides_unseen(suite, fixture, named):
        return False
    if any(_in_reach(suite, each, fixture) for each in suite.collector.with_unseen_tests):
        return False
    own = {*suite.files.conftests, *suite.files.test_files}
    path = fixture.path or ""
    if fixture.level == "class":
        return path == fixture.home and path in own
    if not plainly_bound(suite, fixture):
        return False
    folders = set(path.split("/")[:-1])
    if path in suite.test_files and not folders & _TEST_FOLDERS and suite.is_imported(path):
        return False  # a module of helpers beside the code, which other projects may import too
    if path not in own and (not folders & _TEST_FOLDERS or _is_elsewhere(suite, path)):
        return False
    if fixture.home not in own and not set(fixture.home.split("/")[:-1]) & _TEST_FOLDERS:
        return False
    levels = levels_of(suite, fixture) if fixture.home in own else (suite.linker.session,)
    return levels is not None and all(level.complete for level in levels)


def _overrides_unseen(suite: Suite, fixture: Fixture, named: Mapping[str, int]) -> bool:
    """Whether it needs what only a plugin of another run can bring, and may override more of it.

    named: how many definitions of each name there are.
    """
    asked = {request.name for request in fixture.requests} - {"request"}
    if fixture.name not in asked and not has_own_run(suite, fixture.home or ""):
        return False
    return any(named.get(name, 0) <= (name == fixture.name) for name in asked)


def _asking_strangers(suite: Suite) -> list[Item]:
    """Tests that set up what a plugin brings that is not seen, one for each shape."""
    names = unseen_names(suite)
    return [
        items[0]
        for plan, items in (suite.items_of.items() if names else ())
        if any(problem.name in names for problem in plan.problems)
    ]


def _is_seen_from(fixture: Fixture, items: Iterable[Item]) -> bool:
    """Whether one of the tests would get the fixture: what it sets up may ask for the name."""
    return any(
        fixture in level.fixtures.get(fixture.name, ()) for item in items for level in item.levels
    )


def _defaults(suite: Suite) -> frozenset[tuple[str | None, str]]:
    """Files, and names that a fixture in them that is used asks for.

    Where the file has a fixture of the name too, that is a default, which each user overrides.
    """
    return frozenset(
        (fixture.home, request.name)
        for fixture in suite.users
        for request in fixture.requests
        if request.name != fixture.name
    )


def _is_elsewhere(suite: Suite, path: str) -> bool:
    """Whether a file lies outside the folder of a suite that is one of several."""
    name = suite.files.name
    return bool(name) and not path.startswith(f"{name}/")


def _mentioned(suite: Suite, candidates: dict[Key, list[Fixture]]) -> set[Key]:
    """The candidates that something may use otherwise than by a request."""
    names: dict[str, set[Key]] = {}
    for key in candidates:
        names.setdefault(key[2], set()).add(key)
    found: set[Key] = set()
    homes = _homes(candidates)
    known: dict[str, set[int]] = {}
    for item in suite.items:
        known.setdefault(item.place.path, set()).add(item.line)
    for fixture in suite.fixtures:
        known.setdefault(fixture.path or "", set()).add(fixture.line)
    # Most are named where they stand; so few are left to look for in all other files.
    seen = left_at = -1
    open_names: list[str] = []
    left = candidates
    for path in sorted(suite.own_files, key=lambda path: (path not in homes, path)):
        facts = suite.facts(path)
        if facts is None or not _is_about_tests(suite, facts):
            continue
        for name in _parameters_elsewhere(facts, known.get(path, set())) & names.keys():
            found |= names[name]
        if _gets_computed_names(suite, facts) or _runs_documents(facts):
            found |= {
                key
                for key, registered in candidates.items()
                if any(_in_reach(suite, path, fixture) for fixture in registered)
            }
        if len(found) != seen:
            seen = len(found)
            open_names = [name for name, keys in names.items() if not keys <= found]
        for name in suite.in_strings(path, open_names):
            found |= names[name]
        if len(found) != left_at:
            left_at = len(found)
            left = {key: fixtures for key, fixtures in candidates.items() if key not in found}
        found |= _mentioned_in_code(suite, facts, left, names, homes)
    left = {key: fixtures for key, fixtures in candidates.items() if key not in found}
    found |= _mentioned_outside(suite, left)
    return found


def _is_about_tests(suite: Suite, facts: FileFacts) -> bool:
    """Whether a file may name fixtures: not the code under test."""
    path = facts.path
    if path in suite.test_files or path in suite.files.conftests:
        return True
    folders = path.split("/")[:-1]
    if not _TEST_FOLDERS.isdisjoint(folders) or "testing" in folders:
        return True
    return any(
        isinstance(binding.value, Import) and "pytest" in binding.value.module
        for binding in facts.bindings
    )


def _homes(candidates: dict[Key, list[Fixture]]) -> dict[str, list[Key]]:
    """The candidates by the files that they are written and registered in."""
    found: dict[str, list[Key]] = {}
    for key, fixtures in candidates.items():
        for home in {home for fixture in fixtures for home in (fixture.path, fixture.home)}:
            if home is not None:
                found.setdefault(home, []).append(key)
    return found


def _mentioned_in_code(
    suite: Suite,
    facts: FileFacts,
    candidates: dict[Key, list[Fixture]],
    names: dict[str, set[Key]],
    homes: dict[str, list[Key]],
) -> set[Key]:
    found: set[Key] = set()
    here: dict[str, set[Key]] = {}
    modules: dict[str, list[str]] = {}
    space = suite.evaluator.module(facts.path)
    bindings = {} if space is None else space.bindings
    for name in bindings:
        if space is not None and isinstance(bindings[name][-1].value, Import):
            module = suite.evaluator.lookup(space, name)
            if isinstance(module, ModuleValue) and module.path in homes:
                modules.setdefault(module.path, []).append(name)
    bound = (key for name in names.keys() & bindings.keys() for key in names[name])
    for key in candidates.keys() & {*homes.get(facts.path, ()), *bound}:
        here.setdefault(candidates[key][0].attribute, set()).add(key)
    for home, owners in modules.items():
        for key in candidates.keys() & homes[home]:
            attribute = candidates[key][0].attribute
            if suite.having(facts.path, (attribute,)) and mentions.as_attribute(
                suite.text(facts.path), owners, attribute
            ):
                found.add(key)
    for name in suite.in_code(facts.path, here):
        found |= here[name]
    return found


def _parameters_elsewhere(facts: FileFacts, known: set[int]) -> set[str]:
    """Parameters of decorated functions, and of tests, that pytest itself does not collect.

    known: the lines of the functions that it does collect, and of fixtures.
    """
    return {
        parameter.name
        for function in facts.functions
        if (function.kept_decorators or function.name.startswith("test"))
        and function.line not in known
        for parameter in function.parameters
    }


def _gets_computed_names(suite: Suite, facts: FileFacts) -> bool:
    """Whether a `getfixturevalue` of the file asks for a name that is put together in code."""
    return any(
        isinstance(found.call.func, Name)
        and found.call.func.parts[-1] in _GETTERS
        and not _is_plain(suite, facts, found.call)
        for function in facts.functions
        # What rules most out is looked at first.
        if function.has & BODY and any(map(function.may_name, _GETTERS))
        if function.body is not None
        for found in function.body.calls
    )


def _is_plain(suite: Suite, facts: FileFacts, call: Call) -> bool:
    """Whether the name asked for stands in the text somewhere, as a whole string."""
    argument = call.args[0] if call.args else call.keyword("argname")
    if isinstance(argument, Const):
        return True
    if not isinstance(argument, Name):
        return False
    if argument.parts[-1] == "param":
        return True
    space = suite.evaluator.module(facts.path)
    return space is not None and text_of(suite.evaluator.evaluate(argument, space)) is not None


def _in_reach(suite: Suite, path: str, fixture: Fixture) -> bool:
    """Whether a test that runs code of a file may see the fixture."""
    if path in suite.test_files:
        if fixture.level in ("module", "class"):
            return fixture.home == path
        return fixture.level == "session" or _is_below(path, dirname(fixture.home or ""))
    if path in suite.files.conftests:
        mine, its = dirname(path), dirname(fixture.home or "")
        return fixture.level == "session" or _is_below(f"{mine}/", its) or _is_below(its, mine)
    return True


def _is_below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/") or path == folder


def _mentioned_outside(suite: Suite, candidates: dict[Key, list[Fixture]]) -> set[Key]:
    """The candidates whose names stand in tests of their folders that were not collected."""
    folders: dict[str, set[Key]] = {}
    for key, fixtures in candidates.items():
        for fixture in fixtures:
            if fixture.level in ("session", "folder"):
                folders.setdefault(dirname(fixture.home or ""), set()).add(key)
    found: set[Key] = set()
    for folder, keys in folders.items():
        for text in suite.other_tests(folder):
            words = mentions.words_in(text, {key[2] for key in keys - found})
            found |= {key for key in keys if key[2] in words}
    return found


def _spread(live: set[Key], unreached: dict[Key, list[Fixture]], others: Iterable[Fixture]) -> None:
    """Add what the live definitions request, and what those request in turn."""
    by_name: dict[str, set[Key]] = {}
    for key in unreached:
        by_name.setdefault(key[2], set()).add(key)
    waiting = [fixture for key in live for fixture in unreached[key]]
    waiting += others
    while waiting:
        for request in waiting.pop().requests:
            for key in by_name.get(request.name, set()) - live:
                live.add(key)
                waiting += unreached[key]


def _below(unused: dict[Key, Fixture]) -> dict[Key, set[Key]]:
    """What each of the fixtures requests among them, directly or through another."""
    by_name: dict[str, set[Key]] = {}
    for key in unused:
        by_name.setdefault(key[2], set()).add(key)
    below: dict[Key, set[Key]] = {}
    for key in unused:
        found: set[Key] = set()
        waiting = [key]
        while waiting:
            for request in unused[waiting.pop()].requests:
                more = by_name.get(request.name, set()) - found
                found |= more
                waiting += more
        below[key] = found - {key}
    return below


def _is_outermost(below: dict[Key, set[Key]], key: Key) -> bool:
    """Whether only fixtures request it that it needs itself; the first of those stands for all."""
    return all(other in below[key] and key < other for other in below if key in below[other])


def _told(suite: Suite, fixture: Fixture, place: Place, along: list[Fixture]) -> Fault:
    name = fixture.name
    related = [
        at(other.place, f"only `{name}` needs `{other.name}`")
        for other in along
        if other.place is not None
    ]
    taken = sorted(
        (
            other
            for other in suite.users
            if other.name == name and other.path is not None and other.place is not None
        ),
        key=lambda other: (other.path or "", other.line),
    )
    message = f"no test uses the fixture `{name}`"
    if taken:
        message += "; those that request the name get another definition"
        related += [at(other.place, f"this `{name}` is used") for other in taken[:3] if other.place]
    notes = ["pytest sets a fixture up when a test reaches it by a request, or by autouse"]
    if along:
        notes.append(f"with it goes {listed(f'`{other.name}`' for other in along)}")
    return Fault(
        place,
        message,
        fixture.symbol,
        tuple(related),
        notes=tuple(notes),
        help=f"delete `{name}`, or request it where it should run",
        searched=suite.searched,
        names=tuple(f"{other.path}:{other.line}" for other in (fixture, *along)),
    )


__all__ = ["unused_fixture"]
