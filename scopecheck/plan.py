"""Turns a linked suite into the set-up plan that pytest would make, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from scopecheck.suite.marks import is_never_set_up
from scopecheck.suite.unknowns import unknown_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loop, LoopProblem
    from scopecheck.suite.model import Fixture, Item, Plan, Problem, Scope
    from scopecheck.suite.refusals import Refusal

    _Alike: TypeAlias = tuple[int, Plan, Refusal | None, bool, tuple[str, ...], Loop | None]


def plan_document(suites: Sequence[Suite], items: Iterable[tuple[Suite, Item]]) -> dict[str, Any]:
    """The plan in the form of `plan --output-format json`."""
    named = len(suites) > 1
    collected = [_item(suite, item, named) for suite, item in items if _is_collected(item)]
    return {"version": 1, "items": collected}


def _is_collected(item: Item) -> bool:
    """Whether pytest gets the item; it may still reject the scope of a fixture there."""
    return item.refusal is None or bool(item.refusal.invalid_scope)


def plan_json(suites: Sequence[Suite], items: Iterable[tuple[Suite, Item]]) -> str:
    """`plan_document` as text: ASCII, since a path may have no other form, an item a line."""
    document = plan_document(suites, items)
    lines = ",\n  ".join(json.dumps(item) for item in document["items"])
    return f'{{"version": {document["version"]},\n "items": [\n  {lines}]}}\n'


def _item(suite: Suite, item: Item, named: bool) -> dict[str, Any]:
    assert item.plan is not None
    found: dict[str, Any] = {
        "nodeid": item.nodeid,
        "path": item.path,
        "line": item.line,
        "async": item.is_async,
        "loop": loop_word(suite, suite.loops.test(item), item),
        "fixtures": [
            _fixture(suite, fixture, item) for fixture in item.plan.order if not fixture.pseudo
        ],
        "errors": _errors(suite, item),
    }
    if named:
        found["suite"] = suite.files.name
    unknown = unknown_of(item)
    if unknown:
        found["unknown"] = list(unknown)
    return found


def _fixture(suite: Suite, fixture: Fixture, item: Item) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": fixture.name,
        "scope": fixture.scope.word if fixture.scope is not None else "unknown",
    }
    if fixture.path is None:
        found["plugin"] = fixture.plugin
    else:
        found["path"] = fixture.path
        found["line"] = fixture.line
    found["autouse"] = bool(fixture.autouse)
    found["async"] = fixture.is_async
    loop = suite.loops.fixture(fixture, item)
    found["loop"] = loop_word(suite, loop, item) if fixture.is_async else None
    return found


def loop_word(suite: Suite, loop: Loop | None, item: Item) -> str | None:
    """The loop scope under pytest-asyncio, else who runs the code; None for what is not async."""
    if loop is None:
        return None
    if loop.runner == "other":
        return "unknown"
    if loop.runner != "asyncio":
        return loop.runner
    scope = suite.loops.shown_scope(loop, item)
    return "unknown" if scope is None else scope.word


def _errors(suite: Suite, item: Item) -> list[dict[str, Any]]:
    assert item.plan is not None
    if item.refusal is not None:
        name, reason = item.refusal.invalid_scope, item.refusal.reason
        return [{"kind": "invalid-scope", "fixture": name, "message": reason}]
    if is_never_set_up(item.marks):
        return []
    own = [_error(problem) for problem in _problems(suite, item)]
    return own + [_loop_error(problem) for problem in _mismatches(suite, item)]


def _problems(suite: Suite, item: Item) -> list[Problem]:
    """What pytest would raise for requests and lookups, in the order in which they are made."""
    assert item.plan is not None
    found = [problem for problem in item.plan.problems if problem.certain]
    place = {fixture: number for number, fixture in enumerate(item.plan.order)}
    for lookup in suite.lookups.refused(item):
        # It is made when all that the fixture requests is there. What the test requests itself is
        # refused later: only a fixture wider than a function's can look up too narrow a one.
        made = place[lookup.stack[0]]
        later = (
            number
            for number, problem in enumerate(found)
            if not problem.stack or place.get(problem.stack[-1], made) > made
        )
        found.insert(next(later, len(found)), lookup)
    return found


def _mismatches(suite: Suite, item: Item) -> list[LoopProblem]:
    """What pytest would raise since a fixture outlives the hidden one that it runs on."""
    return [
        problem
        for problem in suite.loops.problems(item)
        if problem.kind == "scope-mismatch" and problem.certain
    ]


def _loop_error(problem: LoopProblem) -> dict[str, Any]:
    fixture = problem.fixture
    assert fixture is not None
    assert fixture.scope is not None
    assert problem.requested_scope is not None
    message = _mismatch(problem.requested_scope, problem.name, fixture.scope)
    return {
        "kind": "scope-mismatch",
        "fixture": fixture.name,
        "requests": problem.name,
        "message": message,
    }


def _error(problem: Problem) -> dict[str, Any]:
    requester = problem.stack[-1].name if problem.stack else None
    found: dict[str, Any] = {"kind": problem.kind, "fixture": requester or problem.name}
    if requester is not None:
        found["requests"] = problem.name
    found["message"] = message_of(problem)
    return found


def message_of(problem: Problem) -> str:
    """What pytest says of the problem, its first sentence."""
    match problem.kind:
        case "scope-mismatch":
            assert problem.requested_scope is not None
            assert problem.requesting_scope is not None
            return _mismatch(problem.requested_scope, problem.name, problem.requesting_scope)
        case "cycle":
            return f"recursive dependency involving fixture '{problem.name}' detected"
        case "unknown-fixture":
            return f"fixture '{problem.name}' not found"
    return f"{problem.kind}: {problem.name}"


def _mismatch(requested: Scope, name: str, requesting: Scope) -> str:
    return (
        f"ScopeMismatch: You tried to access the {requested.word} scoped fixture {name} with a "
        f"{requesting.word} scoped request object."
    )


def plan_text(
    suites: Sequence[Suite],
    items: Iterable[tuple[Suite, Item]],
    *,
    shown: Callable[[str], str],
    test: Callable[[Suite, str], str],
) -> str:
    """The plan for people: each test with its fixtures in set-up order, alike tests together.

    Args:
        suites: linked.
        items: the tests that are asked for.
        shown: what a person reads for a path relative to the project's root.
        test: what a person reads for a node id of a suite.
    """
    lines: list[str] = []
    groups: dict[_Alike, list[Item]] = {}
    for suite, item in items:
        if not _is_collected(item):
            continue
        assert item.plan is not None
        loop = suite.loops.test(item)
        alike = item.plan, item.refusal, is_never_set_up(item.marks), unknown_of(item), loop
        groups.setdefault((suites.index(suite), *alike), []).append(item)
    last = -1
    for (index, plan, _, _, _, loop), members in groups.items():
        suite, first = suites[index], members[0]
        if len(suites) > 1 and index != last:
            lines += [f"suite {suite.files.name or '.'}", ""]
            last = index
        on = loop_word(suite, loop, first)
        suffix = "" if on is None else f"  (async, {_on(loop, on)})"
        lines.extend(f"{test(suite, member.nodeid)}{suffix}" for member in members)
        width = max((len(fixture.name) for fixture in plan.order), default=0)
        for fixture in plan.order:
            if fixture.pseudo:
                continue
            scope = fixture.scope.word if fixture.scope is not None else "unknown"
            place = f"{shown(fixture.path)}:{fixture.line}" if fixture.path else ""
            where = place or f"[{fixture.plugin}]"
            flags = " autouse" if fixture.autouse else ""
            found = suite.loops.fixture(fixture, first) if fixture.is_async else None
            word = loop_word(suite, found, first)
            flags += "" if word is None else f" async, {_on(found, word)}"
            lines.append(f"    {scope:<8} {fixture.name:<{width}}  {where}{flags}")
        for error in _errors(suite, first):
            asked = f" (requested by {error['fixture']})" if "requests" in error else ""
            lines.append(f"    error: {error['message']}{asked}")
        lines.extend(f"    unknown: {reason}" for reason in unknown_of(first))
        lines.append("")
    return "\n".join(lines)


def _on(loop: Loop | None, word: str) -> str:
    """Where async code runs, in words."""
    if word == "none":
        return "run by nothing"
    if word == "unknown":
        return (
            f"loop unknown: {loop.reason}" if loop is not None and loop.reason else "loop unknown"
        )
    return f"{word} loop" if loop is not None and loop.runner == "asyncio" else f"run by {word}"
