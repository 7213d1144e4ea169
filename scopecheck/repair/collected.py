"""Fixers of tests that pytest does not collect: a class with a constructor, a name given twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Function
    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite

_SETUP = "setup_method"


@looks("near")
def never_collected(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP312: let pytest call what the constructor of a test class does."""
    constructor = _own_constructor(suite, fault)
    if constructor is None:
        return
    path, name = fault.place.path, fault.symbol.rpartition("::")[2]

    def write(workspace: Workspace) -> None:
        editor = workspace.editor(path)
        if re.search(rf"(?<!class )\b{re.escape(name)}\(", editor.source.text):
            workspace.leave(path, fault.place.span.line, f"`{name}` is also called")
        if "super(" in editor.lines(constructor.line, constructor.end_line):
            workspace.leave(path, constructor.line, "its `__init__` calls another one")
        editor.replace(constructor.span, _SETUP)

    yield Offer(f"rename `__init__` to `{_SETUP}`", "unsafe", write)


def _own_constructor(suite: Suite, fault: Fault) -> Function | None:
    """The `__init__` of a class without bases, if it can be another method."""
    for value, constructor in suite.collector.refused:
        if (value.module, value.class_.span) != (fault.place.path, fault.place.span):
            continue
        facts = suite.facts(value.module)
        if facts is None or constructor != "__init__" or value.class_.bases:
            return None
        if value.class_.decorators or value.class_.keywords:
            return None
        own = [f for f in facts.functions if f.owner == value.index]
        found = [function for function in own if function.name == constructor]
        if any(f.name == _SETUP for f in own) or len(found) != 1:
            return None
        (function,) = found
        plain = len(function.parameters) == 1 and not function.decorators
        return function if plain and not function.is_async else None
    return None


@looks("near")
def duplicate_test(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP305: give the hidden test a name of its own; that which runs keeps its node id."""
    if len(fault.names) != 1:
        return
    path, name = fault.place.path, fault.names[0]

    def write(workspace: Workspace) -> None:
        editor = workspace.editor(path)
        words = set(re.findall(r"\w+", editor.source.text))
        # Of several, each gets another name: all may be made in one round.
        above = editor.source.text.splitlines()[: fault.place.span.line - 1]
        first = 2 + sum(1 for line in above if re.search(rf"\bdef {re.escape(name)}\(", line))
        numbers = range(first, first + len(words) + 1)
        new = next(n for number in numbers if (n := f"{name}_{number}") not in words)
        editor.replace(fault.place.span, new)

    yield Offer(f"give the hidden `{name}` a name of its own", "unsafe", write)
