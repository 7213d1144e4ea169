"""Fixers of values that are made once and handed out again: each user gets one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.repair.bench import Offer
from scopecheck.repair.handling import fixture_at
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture


def shared_fixture_mutation(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP401: give the fixture whose value is changed function scope."""
    made = [place for place in fault.related if "is made here, once for the" in place.message]
    for fixture in suite.fixtures:
        here = fixture.place
        if here is not None and made and (here.path, here.span) == (made[0].path, made[0].span):
            yield _narrow(suite, fixture)
            return


def shared_context(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP404: give the fixture that makes the context function scope."""
    fixture = fixture_at(suite, fault)
    if fixture is not None:
        yield _narrow(suite, fixture)


def _narrow(suite: Suite, fixture: Fixture) -> Offer:
    def write(workspace: Workspace) -> None:
        from scopecheck.fix.decorators import Decorators

        decorators = Decorators(workspace, suite)
        if not decorators.set_scope(fixture, Scope.FUNCTION):
            workspace.leave(fixture.path or "", fixture.line, "its decorator cannot be rewritten")
        decorators.write()

    return Offer(f"narrow `{fixture.name}` to function scope", "unsafe", write)


def mutable_default(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP409: make the default None, and a new container in the function."""
    path, place = fault.place.path, fault.place
    facts = suite.facts(path)
    found = [
        (function, parameter)
        for function in (() if facts is None else facts.functions)
        for parameter in function.parameters
        if parameter.span == place.span
    ]
    if len(found) != 1 or facts is None:
        return
    ((function, parameter),) = found
    later = any(
        binding.name == "annotations" and getattr(binding.value, "module", "") == "__future__"
        for binding in facts.bindings
    )

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.functions import default_inside
        from scopecheck.fix.parsing import Statement

        editor = workspace.editor(path)
        statement = Statement(editor.lines(function.line, function.end_line))
        default_inside(statement, parameter.name, optional=later)
        editor.replace_lines(function.line, function.end_line, statement.text)

    yield Offer(f"make the default of `{parameter.name}` in the function", "safe", write)
