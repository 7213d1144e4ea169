"""Rewrites what a test or fixture changes for good into what `monkeypatch` puts back.

A function can take `monkeypatch` if pytest calls it for one test at a time, with fixtures, and
nothing else calls it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.repair.bench import Offer
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue, External, FixtureMarker, MarkValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scopecheck.facts import FileFacts, Function
    from scopecheck.finding import Applicability, Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.read.acts import Act
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor

NAME = "monkeypatch"
# What stands between two statements that are put in the place of one.
NEXT = "\0"
# What stands for the quotes that the file uses.
QUOTE = "\1"
# Decorators that leave alone the parameters that a function has after the first ones.
_TRANSPARENT = ("unittest.mock.patch", "mock.patch", "pytest.fixture", "pytest_asyncio.fixture")


def actor_at(suite: Suite, fault: Fault) -> Actor | None:
    """The test, fixture or xunit function that a fault is in."""
    line = fault.place.span.line
    for actor in suite.changes.actors_in(fault.place.path):
        if actor.function.line <= line <= actor.function.end_line:
            return actor
    return None


def can_take(suite: Suite, actor: Actor) -> bool:
    """Whether a function can ask for pytest's `monkeypatch`."""
    if any(
        f.name == NAME and f.path is not None and not _is_library(f.path) for f in suite.fixtures
    ):
        return False
    return can_request(suite, actor, NAME)


def can_request(suite: Suite, actor: Actor, name: str) -> bool:
    """Whether a function can get a function-scoped fixture by one more parameter."""
    function = actor.function
    for parameter in function.parameters:
        if parameter.name == name:
            return not parameter.default
    if function.body is not None and name in function.body.locals:
        return False
    if not all(_is_transparent(suite, actor, index) for index in range(len(function.decorators))):
        return False
    if actor.kind == "test":
        return not any(item.testcase or item.opaque for item in actor.items)
    if actor.kind != "fixture":
        return False
    same = [f for f in suite.fixtures if f.path == actor.path and f.function == function]
    return all(f.scope is Scope.FUNCTION and not f.opaque for f in same)


def _is_library(path: str) -> bool:
    return "site-packages/" in path or path.startswith("../")


def _is_transparent(suite: Suite, actor: Actor, index: int) -> bool:
    space = suite.evaluator.module(actor.path)
    if space is None:
        return False
    expression = actor.function.decorators[index].expression
    for candidate in (expression, getattr(expression, "func", None)):
        value = None if candidate is None else suite.evaluator.evaluate(candidate, space)
        if isinstance(value, (MarkValue, FixtureMarker)):
            return True
        if isinstance(value, External) and value.name.startswith(_TRANSPARENT):
            return True
    return False


def by_monkeypatch(
    suite: Suite,
    actor: Actor,
    wanted: Callable[[list[Act]], dict[Act, str] | None],
    title: str,
    applicability: Applicability,
) -> Offer:
    """An offer that puts calls of `monkeypatch` in the place of statements.

    wanted: of a function's statements those that change, with the code that stands there then;
        None where it cannot be told.
    """
    path, function = actor.path, actor.function

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import quote
        from scopecheck.read.acts import acts

        if is_called(suite, path, function):
            workspace.leave(path, function.line, "the function is also called directly")
            return
        changed = wanted(acts(workspace.code(path), function.line))
        if not changed:
            workspace.leave(path, function.line, "it is written in a way that is not rewritten")
            return
        editor = workspace.editor(path)
        for act, code in changed.items():
            if "#" in editor.slice(act.span) and act.kind == "call":
                workspace.leave(path, act.span.line, "a comment would be lost")
            before = editor.lines(act.span.line, act.span.line)[: act.span.column - 1]
            if NEXT in code and before.strip():
                workspace.leave(path, act.span.line, "it is not the first on its line")
            sign = quote(workspace, path, "")[0]
            text = code.replace(NEXT, editor.newline + before).replace(QUOTE, sign)
            editor.replace(act.span, text)
        take(workspace, path, function)

    return Offer(title, applicability, write)


def is_called(suite: Suite, path: str, function: Function) -> bool:
    """Whether the text of a file calls something of the function's name."""
    called = re.compile(rf"(?<!def )\b{re.escape(function.name)}\(")
    files = _files_that_reach(suite, path, function)
    return any(
        function.name in text and called.search(text) is not None for text in map(suite.text, files)
    )


def _files_that_reach(suite: Suite, path: str, function: Function) -> Iterable[str]:
    """The files whose code may have a function: its own, those of base classes, and importing ones.

    All of a suite's files where its own is imported, or where a base class is not known.
    """
    if suite.is_imported(path):
        return suite.own_files
    if function.owner < 0:
        return (path,)
    space = suite.evaluator.module(path)
    if space is None:
        return suite.own_files
    owner: ClassValue | None = None
    for name in _class_names(space.facts, function.owner):
        value = suite.evaluator.lookup(space, name)
        if not isinstance(value, ClassValue) or value.module != path:
            return suite.own_files
        owner, space = value, suite.evaluator.class_space(value)
    assert owner is not None
    lineage = suite.linker.lineages.of(owner)
    return suite.own_files if lineage.opaque else {path, *(one.module for one in lineage.classes)}


def _class_names(facts: FileFacts, index: int) -> list[str]:
    """The names of a class and of those that it stands in, the outermost first."""
    names: list[str] = []
    while index >= 0:
        names.insert(0, facts.classes[index].name)
        index = facts.classes[index].owner
    return names


def take(workspace: Workspace, path: str, function: Function) -> None:
    """Let a function ask for `monkeypatch`, with an annotation where the others have one."""
    from scopecheck.fix.names import spell

    request(
        workspace, path, function, NAME, lambda: spell(workspace, path, "pytest", "MonkeyPatch")
    )


def request(
    workspace: Workspace,
    path: str,
    function: Function,
    name: str,
    annotation: Callable[[], str] = lambda: "",
) -> None:
    """Let a function ask for a fixture, with an annotation where the others have one."""
    from scopecheck.fix.functions import add_parameter, is_annotated
    from scopecheck.fix.parsing import Statement
    from scopecheck.fix.wrapping import fitted

    if any(parameter.name == name for parameter in function.parameters):
        return
    editor = workspace.editor(path)
    before = editor.lines(function.line, function.end_line)
    statement = Statement(before)
    add_parameter(statement, name, annotation() if is_annotated(statement) else "")
    text = fitted(workspace, path, statement.text, before)
    editor.replace_lines(function.line, function.end_line, text)
