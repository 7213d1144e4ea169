"""Looks at linked suites, one function an area: what there is to examine, and what holds of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scopecheck.audit.model import Count, Evidence, Unknown
from scopecheck.suite.asked import asked_edges
from scopecheck.suite.model import Scope
from scopecheck.suite.unknowns import unknown_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scopecheck.suite import Suite
    from scopecheck.suite.contracts import Contract
    from scopecheck.suite.events import Story
    from scopecheck.suite.loops import Pair
    from scopecheck.suite.model import Edge, Fixture, Item

_NO_TESTS = "no test was found"


def _tests(suites: Iterable[Suite]) -> int:
    return len({(suite.files.name, item.nodeid) for suite in suites for item in suite.items})


def _own(suites: Iterable[Suite]) -> dict[tuple[str, int, str], Fixture]:
    """The project's own fixtures, a definition once."""
    return {
        fixture.key: fixture
        for suite in suites
        for fixture in suite.fixtures
        if fixture.path is not None and "site-packages/" not in fixture.path
    }


def _edges(suites: Iterable[Suite]) -> set[Edge]:
    return {
        edge
        for suite in suites
        for items in suite.items_of.values()
        for edge in asked_edges(suite, items[0])
    }


def scopes(suites: Sequence[Suite]) -> Evidence:
    """Requests between fixtures, and whether the answer lives as long as who asks."""
    edges = [edge for edge in _edges(suites) if edge.asker is not None]
    long_enough, judged = 0, 0
    for edge in edges:
        assert edge.asker is not None
        asker, answer = edge.asker.scope, edge.answer.scope
        if asker is not None and answer is not None:
            judged += 1
            long_enough += asker <= answer
    examined = (
        Count(_tests(suites), "test"),
        Count(len(_own(suites)), "fixture"),
        Count(len(edges), "request between fixtures", "requests between fixtures"),
    )
    statement = f"{long_enough} of {judged} are answered by a fixture that lives as long or longer"
    unknown = (Unknown("the scope of one side is computed", len(edges) - judged, "request"),)
    return Evidence(
        examined,
        (statement,) if judged else (),
        unknown=unknown if judged < len(edges) else (),
        nothing="" if _tests(suites) else _NO_TESTS,
    )


def loops(suites: Sequence[Suite]) -> Evidence:
    """Async code, who runs it, and whether fixtures share a loop with those that use them."""
    run_by: Counter[str] = Counter()
    why: Counter[tuple[str, str]] = Counter()
    fixtures: set[tuple[str, int, str]] = set()
    uses: dict[tuple[object, ...], Pair] = {}
    for suite in suites:
        for items in suite.loops.shapes:
            first = items[0]
            loop = suite.loops.test(first)
            if loop is not None:
                run_by[loop.runner] += len({item.nodeid for item in items})
                if loop.reason and loop.runner in ("asyncio", "unknown"):
                    why[loop.reason, "async test"] += len(items)
            assert first.plan is not None
            for fixture in first.plan.order:
                if fixture.is_async and fixture.path is not None:
                    fixtures.add(fixture.key)
            for pair in suite.loops.pairs(first):
                user = pair.user or (first.plan, loop)
                if "none" not in (pair.user_loop.runner, pair.fixture_loop.runner):
                    uses[suite, pair.fixture, user, pair.same] = pair
    number = sum(run_by.values())
    if not number and not fixtures:
        return Evidence(nothing="the suite has no async test and no async fixture")
    examined = (
        Count(number, "async test"),
        Count(len(fixtures), "async fixture"),
        Count(
            len(uses),
            "use of an async fixture by async code",
            "uses of async fixtures by async code",
        ),
    )
    holds = list(_runners(run_by, suites))
    same = Counter(pair.same for pair in uses.values())
    judged = same[True] + same[False]
    if judged:
        holds.append(f"{same[True]} of {judged} uses are on the loop of the fixture")
    unknown = [Unknown(reason, number, noun) for (reason, noun), number in why.items()]
    if same[None]:
        unknown.append(Unknown("the loop of one side cannot be told", same[None], "use"))
    return Evidence(examined, tuple(holds), unknown=tuple(unknown))


def _runners(run_by: Counter[str], suites: Sequence[Suite]) -> Iterator[str]:
    total = sum(run_by.values())
    modes = dict.fromkeys(suite.loops.mode for suite in suites if suite.loops.plugin is not None)
    words = {
        "asyncio": f"pytest-asyncio ({' and '.join(modes)} mode)",
        "anyio": "anyio",
        "trio": "pytest-trio",
        "other": "another plugin or unittest",
    }
    for runner, number in run_by.most_common():
        if runner in words:
            yield f"{words[runner]} runs {number} of {total} async tests"


def tests(suites: Sequence[Suite]) -> Evidence:
    """The tests and nothing else."""
    number = _tests(suites)
    return Evidence((Count(number, "test"),), nothing="" if number else _NO_TESTS)


def shared_state(suites: Sequence[Suite]) -> Evidence:
    """What several tests have in common: fixtures that outlive a test."""
    wide, between = _wide(suites)
    examined = (
        Count(_tests(suites), "test"),
        Count(len(wide), "fixture wider than one test", "fixtures wider than one test"),
        Count(between, "test that uses one", "tests that use one"),
    )
    return Evidence(examined, nothing="" if _tests(suites) else _NO_TESTS)


def events(suites: Sequence[Suite]) -> Evidence:
    """What tests capture, the contracts in force, and which required events some test asserts."""
    stories = [story for suite in suites for story in suite.events.stories]
    capturing = [story for story in stories if story.captures]
    coverage = _coverage(suites)
    if not capturing and not coverage:
        return Evidence(nothing="no test captures events, and no contract is in force")
    examined = (
        Count(len(capturing), "test that captures events", "tests that capture events"),
        Count(sum(len(story.captures) for story in capturing), "capture"),
        Count(len(coverage), "contract"),
    )
    holds = []
    for name, required in coverage.items():
        there = [f"`{event}` ({tests})" for event, tests in required.items() if tests]
        if there:
            holds.append(
                f"{len(there)} of {len(required)} events that `{name}` requires are asserted (by "
                f"so many tests): {', '.join(there)}"
            )
    unknown = len([story for story in stories if story.open])
    return Evidence(
        examined,
        tuple(holds),
        unknown=(Unknown("the names that it asserts are computed", unknown, "test"),)
        if unknown
        else (),
    )


def pairs(suites: Sequence[Suite]) -> Evidence:
    """The pairs of the contracts in force, and the tests that assert one half or both."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for suite in suites:
        for contract in suite.events.contracts:
            for pair in contract.pairs:
                both, one = found.get(pair, (0, 0))
                for story in suite.events.stories:
                    halves = len(set(pair) & set(_asserted(story, contract)))
                    both += halves == len(pair)
                    one += halves == 1
                found[pair] = (both, one)
    if not found:
        return Evidence(nothing="no contract with a pair of events is in force")
    examined = (
        Count(len(found), "pair of events", "pairs of events"),
        Count(
            sum(both + one for both, one in found.values()),
            "test that asserts one half or both",
            "tests that assert one half or both",
        ),
    )
    holds = tuple(
        f"{both} of {both + one} tests that assert `{first}` or `{second}` assert both"
        for (first, second), (both, one) in found.items()
        if both + one
    )
    return Evidence(examined, holds)


def _coverage(suites: Sequence[Suite]) -> dict[str, dict[str, int]]:
    """The tests that assert each required event, by contract."""
    found: dict[str, dict[str, int]] = {}
    for suite in suites:
        for contract in suite.events.contracts:
            required = found.setdefault(contract.name, dict.fromkeys(contract.required, 0))
            for story in suite.events.stories:
                for event in _asserted(story, contract):
                    if event in required:
                        required[event] += 1
    return {name: required for name, required in found.items() if required}


def _asserted(story: Story, contract: Contract) -> Iterable[str]:
    """The events that a test asserts, all required ones where a helper asserts the contract."""
    if any(contract.asserts(parts) for parts in story.helpers):
        return (*contract.required, *(name for pair in contract.pairs for name in pair))
    return story.events(contract, ("member", "equal", "any"))


def _wide(suites: Sequence[Suite]) -> tuple[set[tuple[str, int, str]], int]:
    """The project's own fixtures that outlive a test, and how many tests use one."""
    wide: set[tuple[str, int, str]] = set()
    reached: set[tuple[str, str]] = set()
    for suite in suites:
        for fixture in suite.users:
            own = fixture.path is not None and "site-packages/" not in fixture.path
            if own and fixture.scope is not None and fixture.scope > Scope.FUNCTION:
                wide.add(fixture.key)
                reached |= {(suite.files.name, nodeid) for nodeid in suite.users[fixture]}
    return wide, len(reached)


def process_state(suites: Sequence[Suite]) -> Evidence:
    """Functions that run in the process: those of tests, conftests and what they import."""
    functions, modules = 0, 0
    for suite in suites:
        for path in suite.own_files:
            facts = suite.facts(path)
            if facts is not None:
                modules += 1
                functions += len(facts.functions)
    examined = (Count(modules, "module"), Count(functions, "function"))
    return Evidence(examined, nothing="" if _tests(suites) else _NO_TESTS)


def imports(suites: Sequence[Suite]) -> Evidence:
    """Files, and whether pytest gets the tests in them."""
    files = sum(len(suite.files.test_files) for suite in suites)
    conftests = sum(len(suite.files.conftests) for suite in suites)
    total = _tests(suites)
    refused = {
        (suite.files.name, item.nodeid)
        for suite in suites
        for item in suite.items
        if item.refusal is not None
    }
    examined = (
        Count(files, "test file"),
        Count(conftests, "conftest"),
        Count(total, "test"),
    )
    reasons = Counter(
        item.refusal.reason
        for suite in suites
        for item in suite.items
        if item.refusal is not None and not item.refusal.invalid_scope
    )
    fails = tuple(
        f"pytest cannot collect {number} of the tests: {reason}"
        for reason, number in reasons.most_common(3)
    )
    dynamic = sorted({path for suite in suites for path in suite.files.dynamic})
    unknown = tuple(
        Unknown(f"{path} decides in code what is collected", 1, "conftest") for path in dynamic
    )
    holds = (f"pytest collects {total - len(refused)} of {total} tests",)
    return Evidence(examined, holds, fails, unknown, "" if files else "no test file was found")


def resolution(suites: Sequence[Suite]) -> Evidence:
    """Requests, and whether a definition answers them."""
    edges = _edges(suites)
    missing = {
        (problem.name, problem.stack[-1:] or plan)
        for suite in suites
        for plan in suite.items_of
        for problem in plan.problems
        if problem.kind == "unknown-fixture" and problem.certain
    }
    examined = (
        Count(len(_own(suites)), "fixture"),
        Count(len(edges) + len(missing), "distinct request"),
    )
    holds = (f"{len(edges)} of {len(edges) + len(missing)} are answered by a definition",)
    unknown = Counter(
        reason for suite in suites for item in suite.items for reason in unknown_of(item)
    )
    more = [f"the fixtures of the plugin {name}" for suite in suites for name in _unseen(suite)]
    return Evidence(
        examined,
        holds if edges or missing else (),
        unknown=(
            *(Unknown(f"{name} cannot be read", 1, "plugin") for name in dict.fromkeys(more)),
            *(Unknown(reason, number, "test") for reason, number in unknown.most_common()),
        ),
        nothing="" if edges or missing else "no fixture is requested",
    )


def _unseen(suite: Suite) -> tuple[str, ...]:
    return tuple(suite.linker.plugins.unknown)


def assertions(suites: Sequence[Suite]) -> Evidence:
    """The tests, whose assertions are looked at."""
    number = len({function for suite in suites for function in _functions(suite.items)})
    examined = (Count(number, "test function"),)
    return Evidence(examined, nothing="" if number else _NO_TESTS)


def _functions(items: Iterable[Item]) -> Iterator[tuple[str, int]]:
    for item in items:
        if item.function is not None:
            yield item.place.path, item.function.first_line
