"""Turns a linked suite into the set-up plan that pytest would make, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scopecheck.suite.marks import is_never_set_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item, Plan, Problem
    from scopecheck.suite.refusals import Refusal


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
        "loop": _loop(item),
        "fixtures": [_fixture(fixture) for fixture in item.plan.order if not fixture.pseudo],
        "errors": _errors(item),
    }
    if named:
        found["suite"] = suite.files.name
    unknown = unknown_of(item)
    if unknown:
        found["unknown"] = list(unknown)
    return found


def unknown_of(item: Item) -> tuple[str, ...]:
    """What of an item's plan only running code can tell, each as a sentence."""
    assert item.plan is not None
    reasons: dict[str, None] = dict.fromkeys(item.unknown)
    plan = item.plan
    if not item.parametrized.complete:
        reasons["the argument names of a parametrize mark are computed"] = None
    for name in plan.unknown:
        reasons[f"{name!r} may be supplied by what cannot be read"] = None
    for fixture in plan.order:
        if not fixture.certain:
            reasons[f"{fixture.name!r} is defined under a condition"] = None
        if fixture.scope is None and fixture.scope_text is None:
            reasons[f"the scope of {fixture.name!r} is computed"] = None
    return tuple(reasons)


def _fixture(fixture: Fixture) -> dict[str, Any]:
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
    found["loop"] = _loop(fixture)
    return found


def _loop(code: Item | Fixture) -> str | None:
    """Event loops are not modelled yet: of what is async it is said that it is not known."""
    return "unknown" if code.is_async else None


def _errors(item: Item) -> list[dict[str, Any]]:
    assert item.plan is not None
    if item.refusal is not None:
        name, reason = item.refusal.invalid_scope, item.refusal.reason
        return [{"kind": "invalid-scope", "fixture": name, "message": reason}]
    if is_never_set_up(item.marks):
        return []
    return [_error(problem) for problem in item.plan.problems if problem.certain]


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
            return (
                f"ScopeMismatch: You tried to access the {problem.requested_scope.word} scoped "
                f"fixture {problem.name} with a {problem.requesting_scope.word} scoped request "
                "object."
            )
        case "cycle":
            return f"recursive dependency involving fixture '{problem.name}' detected"
        case "unknown-fixture":
            return f"fixture '{problem.name}' not found"
    return f"{problem.kind}: {problem.name}"


def plan_text(suites: Sequence[Suite], items: Iterable[tuple[Suite, Item]]) -> str:
    """The plan for people: each test with its fixtures in set-up order, alike tests together."""
    lines: list[str] = []
    groups: dict[tuple[int, Plan, Refusal | None, bool, tuple[str, ...]], list[Item]] = {}
    for suite, item in items:
        if not _is_collected(item):
            continue
        assert item.plan is not None
        alike = item.plan, item.refusal, is_never_set_up(item.marks), unknown_of(item)
        groups.setdefault((suites.index(suite), *alike), []).append(item)
    for (_, plan, *_), members in groups.items():
        lines.extend(member.nodeid for member in members)
        width = max((len(fixture.name) for fixture in plan.order), default=0)
        for fixture in plan.order:
            if fixture.pseudo:
                continue
            scope = fixture.scope.word if fixture.scope is not None else "unknown"
            where = f"{fixture.path}:{fixture.line}" if fixture.path else f"[{fixture.plugin}]"
            flags = " autouse" if fixture.autouse else ""
            lines.append(f"    {scope:<8} {fixture.name:<{width}}  {where}{flags}")
        for error in _errors(members[0]):
            asked = f" (requested by {error['fixture']})" if "requests" in error else ""
            lines.append(f"    error: {error['message']}{asked}")
        lines.extend(f"    unknown: {reason}" for reason in unknown_of(members[0]))
        lines.append("")
    return "\n".join(lines)
