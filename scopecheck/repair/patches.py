"""Fixers of what a test changes in the code under test: `monkeypatch` does it, and puts it back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer
from scopecheck.repair.monkeypatch import (
    NAME,
    QUOTE,
    actor_at,
    by_monkeypatch,
    can_request,
    can_take,
    is_called,
    request,
)
from scopecheck.source import indent_of
from scopecheck.suite.registries import INVERSE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.facts import Change
    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.read.acts import Act
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.values import ClassValue

# What is the same whenever it is evaluated: a name, a path, a call without arguments, a constant.
_PLAIN = re.compile(r"[\w.]+(?:\(\))?|\"[^\"\\]*\"|'[^'\\]*'")
_OVERRIDES = "dependency_overrides"


@looks("near")
def unrestored_patch(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP407: replace attributes and set overrides by `monkeypatch`, take away what is added."""
    actor = actor_at(suite, fault)
    if actor is None or not can_take(suite, actor):
        return
    change = next((c for c in actor.changes if c.span == fault.place.span), None)
    if change is not None and change.kind == "call":
        yield from _taken_away(suite, actor, change)
    if change is None or change.kind not in ("attribute", "item"):
        return
    if change.kind == "item" and change.target[-1] != _OVERRIDES:
        return
    line = change.span.line
    known = _surely_there(suite, actor, change)

    def wanted(acts: list[Act]) -> dict[Act, str] | None:
        first = next((act for act in acts if act.span.line == line), None)
        if first is None or not _by_monkeypatch(first, known):
            return None
        alike = [act for act in acts if act.owner == first.owner]
        return {act: code for act in alike if (code := _by_monkeypatch(act, known))}

    method = "setitem" if change.kind == "item" else "setattr"
    title = f"change it by `monkeypatch.{method}`"
    yield by_monkeypatch(suite, actor, wanted, title, "unsafe")


def _taken_away(suite: Suite, actor: Actor, change: Change) -> Iterator[Offer]:
    """Take away what was registered when the test is over, by the method that does it."""
    subject = suite.changes.subject(actor.path, actor.function, change)
    class_ = None if subject is None else suite.changes.subjects.class_of(subject)
    if class_ is None or not can_request(suite, actor, "request"):
        return
    lineage = suite.linker.lineages.of(class_)
    methods = _methods(suite, lineage.classes)
    word, dash, rest = change.name.partition("_")
    inverse = next(
        (name for back in INVERSE.get(word, ()) if (name := f"{back}{dash}{rest}") in methods), ""
    )
    if not inverse or change.name not in methods:
        return
    takes, gives = methods[inverse], methods[change.name]
    path, function, line = actor.path, actor.function, change.span.line

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import spell
        from scopecheck.read.acts import acts
        from scopecheck.read.shapes import statement_span

        code = workspace.code(path)
        act = next((a for a in acts(code, function.line) if a.span == change.span), None)
        span = statement_span(code, line)
        if act is None or span is None or is_called(suite, path, function):
            workspace.leave(path, line, "it is written in a way that is not rewritten")
            return
        given = {
            keyword or gives[index]: argument
            for index, (keyword, argument) in enumerate(act.arguments)
            if keyword or index < len(gives)
        }
        wanted = [given.get(name, "") for name in takes]
        if not all(_PLAIN.fullmatch(code) for code in (*wanted, act.owner)):
            workspace.leave(path, line, "what it is registered as cannot be told afterwards")
            return
        editor = workspace.editor(path)
        text = editor.lines(line, line)
        indent = indent_of(text)
        undone = f"{act.owner}.{inverse}({', '.join(wanted)})"
        editor.insert(span.end_line + 1, f"{indent}request.addfinalizer(lambda: {undone})\n")
        request(
            workspace,
            path,
            function,
            "request",
            lambda: spell(workspace, path, "pytest", "FixtureRequest"),
        )

    yield Offer(f"take it away by `{inverse}` when the test is over", "unsafe", write)


def _methods(suite: Suite, classes: Sequence[ClassValue]) -> dict[str, tuple[str, ...]]:
    """The methods of classes, the first class first, each with its parameters but `self`."""
    found: dict[str, tuple[str, ...]] = {}
    for holder in classes:
        facts = suite.facts(holder.module)
        for function in () if facts is None else facts.functions:
            if function.owner == holder.index and not function.decorators:
                names = tuple(parameter.name for parameter in function.parameters[1:])
                found.setdefault(function.name, names)
    return found


def _surely_there(suite: Suite, actor: Actor, change: Change) -> frozenset[str]:
    """The attributes that what is changed is seen to have before."""
    subject = suite.changes.subject(actor.path, actor.function, change)
    if subject is None or subject.rest:
        return frozenset()
    if subject.kind == "module":
        space = suite.evaluator.module(subject.path)
        return frozenset() if space is None else frozenset(space.bindings)
    class_ = suite.changes.subjects.class_of(subject)
    if class_ is None:
        return frozenset()
    lineages = suite.linker.lineages
    return frozenset(lineages.names(lineages.of(class_)))


def _by_monkeypatch(act: Act, known: frozenset[str]) -> str:
    """The call of `monkeypatch` that does the same; empty where there is none."""
    owner, name = act.owner, act.name
    raising = "" if name in known else ", raising=False"
    match act.kind, name, act.positional:
        case "set", "[]", _ if owner.endswith(_OVERRIDES):
            return f"{NAME}.setitem({owner}, {act.key}, {act.value})"
        case "del", "[]", _ if owner.endswith(_OVERRIDES):
            return f"{NAME}.delitem({owner}, {act.key})"
        case "call", "pop", (key, "None") if owner.endswith(_OVERRIDES):
            return f"{NAME}.delitem({owner}, {key}, raising=False)"
        case "set", "[]", _:
            return ""
        case "set", "dependency_overrides", _:
            return f"{NAME}.setattr({owner}, {QUOTE}{name}{QUOTE}, {act.value})"
        case "set", _, _:
            return f"{NAME}.setattr({owner}, {QUOTE}{name}{QUOTE}, {act.value}{raising})"
        case "del", _, _ if name != "[]":
            return f"{NAME}.delattr({owner}, {QUOTE}{name}{QUOTE})"
    return ""
