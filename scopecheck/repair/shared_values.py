"""Fixers of values that are made once and handed out again: each user gets one of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.expressions import Call, ClassRef, Name
from scopecheck.facts import Import
from scopecheck.repair.bench import Offer
from scopecheck.repair.handling import fixture_at
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture

_IDENTITY = re.compile(r"(?:^|_)(?:id|name|user|username|email|login|tenant|owner)$")


@looks("far")
def shared_fixture_mutation(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP401: give the fixture whose value is changed function scope."""
    made = [place for place in fault.related if "is made here, once for the" in place.message]
    for fixture in suite.fixtures:
        here = fixture.place
        if here is not None and made and (here.path, here.span) == (made[0].path, made[0].span):
            yield _narrow(suite, fixture)
            return


@looks("far")
def shared_context(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP404: give the fixture that makes the context function scope, or each user a context."""
    if len(fault.names) == 2:
        yield from _second(suite, fault, *fault.names)
        return
    fixture = fixture_at(suite, fault)
    if fixture is not None:
        yield _narrow(suite, fixture)


def _second(suite: Suite, fault: Fault, name: str, maker: str) -> Iterator[Offer]:
    """A context for the second user, called as what it is given for: `bob = connect(context)`."""
    path, line = fault.place.path, fault.place.span.line
    class_ = _class_of(suite, fault, name)
    facts = None if class_ is None else suite.facts(class_.module)
    if class_ is None or facts is None:
        return

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import quote
        from scopecheck.read.shapes import assigned_argument, required_of_class

        needed = required_of_class(workspace.code(class_.module), class_.class_.line) or ()
        if len(needed) != 1 or not _is_identity(*needed[0]):
            workspace.leave(path, line, f"what a `{maker}` is made of cannot be told")
            return
        found = assigned_argument(workspace.code(path), line, name)
        if found is None:
            workspace.leave(path, line, "whom it is for cannot be told")
            return
        bound = [b for b in workspace.project.load(path).bindings if b.name == maker]
        if len(bound) != 1 or not isinstance(bound[0].value, (Import, ClassRef)):
            workspace.leave(path, line, f"the file does not have `{maker}`")
            return
        made = f"{maker}({quote(workspace, path, found.target)})"
        workspace.editor(path).replace(found.span, made)

    yield Offer(f"make a second `{maker}`", "unsafe", write)


def _is_identity(name: str, annotation: str) -> bool:
    """Whether a parameter is a text that says whose the context is."""
    return annotation in ("str", "'str'", "") and _IDENTITY.search(name) is not None


def _class_of(suite: Suite, fault: Fault, name: str) -> ClassValue | None:
    """The class of the context that a test gets under a name, where a fixture calls it."""
    for item in suite.items:
        if item.nodeid not in fault.tests or item.plan is None:
            continue
        for edge in item.plan.edges:
            function = edge.answer.function
            if edge.asker is not None or edge.request != name or function is None:
                continue
            handout, path = function.handout, edge.answer.path
            space = None if path is None else suite.evaluator.module(path)
            if handout is None or space is None or len(handout.values) != 1:
                return None
            made = handout.values[0][0]
            if not isinstance(made, Call) or not isinstance(made.func, Name):
                return None
            value = suite.evaluator.evaluate(made.func, space)
            return value if isinstance(value, ClassValue) else None
    return None


def _narrow(suite: Suite, fixture: Fixture) -> Offer:
    def write(workspace: Workspace) -> None:
        from scopecheck.fix.decorators import Decorators

        decorators = Decorators(workspace, suite)
        if not decorators.set_scope(fixture, Scope.FUNCTION):
            workspace.leave(fixture.path or "", fixture.line, "its decorator cannot be rewritten")
        decorators.write()

    return Offer(f"narrow `{fixture.name}` to function scope", "unsafe", write)


@looks("near")
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
