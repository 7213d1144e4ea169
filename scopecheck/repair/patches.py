"""Fixers of what a test changes in the code under test: `monkeypatch` does it, and puts it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.repair.monkeypatch import NAME, actor_at, by_monkeypatch, can_take

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Change
    from scopecheck.finding import Fault
    from scopecheck.read.acts import Act
    from scopecheck.repair.bench import Bench, Offer
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor

_OVERRIDES = "dependency_overrides"


def unrestored_patch(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP407: replace attributes and set overrides by `monkeypatch`."""
    actor = actor_at(suite, fault)
    if actor is None or not can_take(suite, actor):
        return
    change = next((c for c in actor.changes if c.span == fault.place.span), None)
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


def _surely_there(suite: Suite, actor: Actor, change: Change) -> frozenset[str]:
    """The attributes that what is changed is seen to have before."""
    subject = suite.changes.subject(actor.path, actor.function, change)
    if subject is None or subject.rest:
        return frozenset()
    if subject.kind == "module":
        space = suite.evaluator.module(subject.path)
        return frozenset() if space is None else frozenset(space.bindings)
    class_ = suite.changes.class_of(subject)
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
            return f'{NAME}.setattr({owner}, "{name}", {act.value})'
        case "set", _, _:
            return f'{NAME}.setattr({owner}, "{name}", {act.value}{raising})'
        case "del", _, _ if name != "[]":
            return f'{NAME}.delattr({owner}, "{name}")'
    return ""
