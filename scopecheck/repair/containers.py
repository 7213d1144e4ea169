"""Fixers of containers of modules and classes: each test gets one of its own, or puts it back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.finding import Edit
from scopecheck.repair.bench import Offer
from scopecheck.repair.monkeypatch import (
    NAME,
    NEXT,
    actor_at,
    by_monkeypatch,
    can_request,
    can_take,
    is_called,
    request,
)
from scopecheck.source import Span, indent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.edits import Editor
    from scopecheck.fix.workspace import Workspace
    from scopecheck.read.acts import Act
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor

_CLASS_ATTRIBUTE = re.compile(r"((?:\w+\.)*[A-Z]\w*)\.(\w+)")
_CHANGES = frozenset(
    {"append", "extend", "insert", "add", "update", "setdefault", "appendleft", "extendleft"}
)


@looks("far")
def module_state_mutation(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:
    """SCP402: make the container in a fixture, or put items in by `monkeypatch.setitem`."""
    yield from _as_fixture(bench, suite, fault)
    yield from _by_setitem(suite, fault)


@looks("far")
def class_state_mutation(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP403: make it anew for each test of the class, or let `monkeypatch` put it back."""
    yield from _for_each_test(suite, fault)
    yield from _by_setitem(suite, fault, copies=True)


def _by_setitem(suite: Suite, fault: Fault, *, copies: bool = False) -> Iterator[Offer]:
    actor = actor_at(suite, fault)
    if actor is None or not can_take(suite, actor):
        return
    line = fault.place.span.line
    change = next((c for c in actor.changes if c.span == fault.place.span), None)
    if change is None or change.nested or change.condition:
        return
    by_item = change.kind == "item" or (change.kind == "call" and change.name == "update")
    if not by_item and not (copies and change.name in _CHANGES):
        return

    def wanted(acts: list[Act]) -> dict[Act, str] | None:
        first = next((act for act in acts if act.span.line == line), None)
        if first is None:
            return None
        code = _set_item(first)
        if code:
            alike = [act for act in acts if act.owner == first.owner]
            return {act: code for act in alike if (code := _set_item(act))}
        code = _on_a_copy(first) if copies else ""
        return {first: code} if code else None

    what = "put it in by `monkeypatch.setitem`" if by_item else "change a copy of it"
    yield by_monkeypatch(suite, actor, wanted, what, "unsafe")


def _set_item(act: Act) -> str:
    """The calls of `monkeypatch` that give or take the same items; empty where there are none."""
    match act.kind, act.name, act.arguments:
        case "set", "[]", _:
            return f"{NAME}.setitem({act.owner}, {act.key}, {act.value})"
        case "del", "[]", _:
            return f"{NAME}.delitem({act.owner}, {act.key})"
        case "call", "update", [("", display)]:
            from scopecheck.read.acts import items_of

            given = items_of(display)
            return NEXT.join(f"{NAME}.setitem({act.owner}, {k}, {v})" for k, v in given)
    return ""


def _on_a_copy(act: Act) -> str:
    """The same change, made to a copy that the class has for this test alone."""
    found = _CLASS_ATTRIBUTE.fullmatch(act.owner)
    if found is None or act.kind != "call" or act.name not in _CHANGES:
        return ""
    owner, name = found.groups()
    return f'{NAME}.setattr({owner}, "{name}", {act.owner}.copy()){NEXT}{act.text}'


def _as_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:
    """Make a container of a test module in a fixture, which those that use it request."""
    path = fault.place.path
    made = next((place for place in fault.related if "is made here" in place.message), None)
    if made is None or made.path != path or path not in suite.files.test_files:
        return
    name = made.message.split("`")[1]
    if suite.is_imported(path) or name in bench.taken(path) or not name.isidentifier():
        return
    if any(fixture.name == name for fixture in suite.fixtures):
        return
    line = made.span.line
    actors = suite.changes.actors_in(path)

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import spell
        from scopecheck.read.uses import assigned_at, lines_of_name

        code, editor = workspace.code(path), workspace.editor(path)
        found = assigned_at(code, line)
        if found is None or found.name != name or editor.lines(line, line)[:1].isspace():
            workspace.leave(path, line, "it is not made by a statement of its own")
            return
        users = []
        for used in set(lines_of_name(code, name)) - set(range(found.first, found.last + 1)):
            user = next((actor for actor in actors if _holds(actor, used)), None)
            if user is None or not can_request(suite, user, name):
                workspace.leave(path, used, f"`{name}` is used there, and no fixture can be")
                return
            users.append(user)
        for user in {id(user): user for user in users}.values():
            if is_called(suite, path, user.function):
                workspace.leave(path, user.function.line, "the function is also called directly")
            request(workspace, path, user.function, name, lambda: found.annotation)
        returns = f" -> {found.annotation}" if found.annotation else ""
        text = f"@{spell(workspace, path, 'pytest', 'fixture')}\ndef {name}(){returns}:\n"
        text += f"    return {found.value}\n"
        before = 2 - _blanks(editor, found.first - 1, -1)
        if found.first == 1 and workspace.needs.get(path):
            before = 1  # Below the import, which comes with one blank line.
        after = 2 - _blanks(editor, found.last + 1, 1)
        text = "\n" * before + text + "\n" * after
        text = text.replace("\n", editor.newline)
        editor.edits.append(Edit(path, Span(found.first, 1, found.last + 1, 1), text))

    yield Offer(f"make `{name}` in a function-scoped fixture", "unsafe", write)


def _for_each_test(suite: Suite, fault: Fault) -> Iterator[Offer]:
    """Make a container of a test class anew for each of its tests, by an autouse fixture."""
    path = fault.place.path
    made = next((place for place in fault.related if "is made here" in place.message), None)
    facts = suite.facts(path)
    actor = actor_at(suite, fault)
    if made is None or made.path != path or facts is None or actor is None:
        return
    owner = actor.function.owner
    if actor.kind != "test" or owner < 0 or suite.is_imported(path):
        return
    name = fault.message.split("`")[1].rpartition(".")[2]
    line = made.span.line
    fixture = f"make_{name}"
    tests = [actor for actor in suite.changes.actors_in(path) if actor.kind == "test"]
    own = [a for a in tests if a.function.owner == owner]
    if any(item.testcase for a in own for item in a.items):
        return
    if not any(b.name == name and b.span.line == line for b in facts.classes[owner].bindings):
        return
    if any(fixture in (f.name, f.attribute) for f in suite.fixtures):
        return

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import spell
        from scopecheck.read.uses import assigned_at, lines_of_attribute, lines_of_name

        code, editor = workspace.code(path), workspace.editor(path)
        found = assigned_at(code, line)
        if found is None or found.name != name:
            workspace.leave(path, line, "it is not made by a statement of its own")
            return
        for used, root in lines_of_attribute(code, name):
            user = next((each for each in own if _holds(each, used)), None)
            if user is None or root != user.function.parameters[0].name:
                workspace.leave(path, used, f"`{name}` is also used there")
                return
        if len(lines_of_name(code, name)) > 1:
            workspace.leave(path, line, f"`{name}` is also used by its name alone")
            return
        text = editor.lines(line, line)
        indent = indent_of(text)
        said = f": {found.annotation}" if found.annotation else ""
        new = [
            f"{indent}@{spell(workspace, path, 'pytest', 'fixture')}(autouse=True)",
            f"{indent}def {fixture}(self){' -> None' if said else ''}:",
            f"{indent}    self.{name}{said} = {found.value}",
        ]
        after = 1 - _blanks(editor, found.last + 1, 1)
        lines = "\n".join(new) + "\n" * (1 + max(after, 0))
        span = Span(found.first, 1, found.last + 1, 1)
        editor.edits.append(Edit(path, span, lines.replace("\n", editor.newline)))

    yield Offer(f"make `{name}` anew for each test", "unsafe", write)


def _holds(actor: Actor, line: int) -> bool:
    return actor.function.line <= line <= actor.function.end_line


def _blanks(editor: Editor, line: int, step: int) -> int:
    """How many blank lines there are from a line on, up to two; two at an end of the file."""
    for count in range(2):
        if not editor.is_blank(line + count * step):
            at_end = not 1 <= line + count * step <= editor.text.line_count
            return 2 if at_end else count
    return 2
