"""Fixers of assertions on events: names put right, and missing ones asserted as the others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.contracts import Contract

_WIDTH = 88
# Where an event keeps its name.
_KEYS = frozenset({"type", "event", "event_type"})


@looks("near")
def unknown_event_name(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP503: write the name that is meant."""
    if len(fault.names) != 2:
        return
    word, meant = fault.names
    path, span = fault.place.path, fault.place.span

    def write(workspace: Workspace) -> None:
        editor = workspace.editor(path)
        text = editor.slice(span)
        if text not in (f'"{word}"', f"'{word}'"):
            workspace.leave(path, span.line, "it is not a plain string")
        editor.replace(span, text.replace(word, meant))

    yield Offer(f"write `{meant}`", "safe", write)


@looks("far")
def unpaired_event(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP504: assert the other half as the one is asserted."""
    contract = _contract(suite, fault)
    if contract is None:
        return
    _, half, missing = fault.names
    path, line = fault.place.path, fault.place.span.line

    def write(workspace: Workspace) -> None:
        if not _assert_like(workspace, path, line, half, [missing], contract):
            workspace.leave(path, line, "the assertion is not one of this name alone")

    yield Offer(f"assert `{missing}` too", "unsafe", write)


@looks("far")
def incomplete_event_assertion(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP502: assert the names that are missing as the others are."""
    contract = _contract(suite, fault)
    if contract is None:
        return
    path, line = fault.place.path, fault.place.span.line
    lacks = list(fault.names[1:])
    asserted = [
        (place.span.line, place.message.split("`")[1])
        for place in fault.related
        if place.path == path and place.message.endswith(" is asserted")
    ]

    def write(workspace: Workspace) -> None:
        from scopecheck.read.event_forms import list_of_names

        for at, name in sorted(asserted, reverse=True):
            if _assert_like(workspace, path, at, name, lacks, contract):
                return
        last = list_of_names(workspace.code(path), line, contract.names)
        if last is None:
            workspace.leave(path, line, "the assertions are not of a form that can be completed")
            return
        editor = workspace.editor(path)
        text = editor.slice(last)
        before = editor.lines(last.line, last.line)[: last.column - 1]
        space = f"{editor.newline}{before}" if not before.strip() else " "
        more = "".join(f",{space}{text[0]}{name}{text[0]}" for name in lacks)
        end = type(last)(last.end_line, last.end_column, last.end_line, last.end_column)
        editor.replace(end, more)

    yield Offer(f"assert {', '.join(f'`{name}`' for name in lacks)} too", "unsafe", write)


def _assert_like(
    workspace: Workspace,
    path: str,
    line: int,
    word: str,
    names: Iterable[str],
    contract: Contract,
) -> bool:
    """Repeat the assertion of one name for others, below it; whether it has a form for that."""
    from scopecheck.read.event_forms import assertion_of

    found = assertion_of(workspace.code(path), line, word, contract.names)
    if found is None:
        return False
    editor = workspace.editor(path)
    text = editor.lines(*found)
    if not text.lstrip().startswith("assert") or "#" in text or not text.endswith(editor.newline):
        return False
    editor.insert(found[1] + 1, "".join(text.replace(word, name) for name in names))
    return True


@looks("far")
def events_not_asserted(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP501: assert the contract of what is captured, where it is seen how to get its names."""
    contracts = [contract for contract in suite.events.contracts if contract.required]
    path = fault.place.path
    story = next((s for s in suite.events.stories if fault.tests == {s.item.nodeid}), None)
    if len(contracts) != 1 or story is None or story.item.place.path != path:
        return
    (contract,) = contracts
    captured = fault.message.partition("`")[2].partition("`")[0]
    line = story.item.line

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import quote
        from scopecheck.read.event_forms import helper_of, names_of

        code = workspace.code(path)
        found = names_of(code, line, captured, _KEYS)
        helper = helper_of(code, line, captured, contract.names)
        if found is not None:
            names, indent, last = found.name, found.indent, found.last
        elif helper is not None:
            names, indent, last = f"{helper[0]}({captured})", helper[1], helper[2]
        else:
            workspace.leave(path, line, "nothing shows how to get the names of what it captures")
            return
        words = [quote(workspace, path, name) for name in contract.required]
        head = f"{indent}assert set({names}) >= {{"
        text = f"{head}{', '.join(words)}}}\n"
        if len(text) > _WIDTH:
            inner = "".join(f"{indent}    {word},\n" for word in words)
            text = f"{head}\n{inner}{indent}}}\n"
        workspace.editor(path).insert(last + 1, text)

    yield Offer(f"assert the events of the contract `{contract.name}`", "unsafe", write)


def _contract(suite: Suite, fault: Fault) -> Contract | None:
    """The contract that a fault is about: the first of its names."""
    for contract in suite.events.contracts:
        if fault.names[:1] == (contract.name,):
            return contract
    return None
