"""Fixers of assertions about nothing: that something came is asserted first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.expressions import Name
from scopecheck.repair.bench import Offer
from scopecheck.source import indent_of
from scopecheck.suite.changes import is_container
from scopecheck.suite.values import FunctionValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Function
    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
# A call of one thing, with arguments that call nothing.
_CALL = re.compile(r"(?:await )?(?:[A-Za-z_]\w*\.)*(\w+)\([^()]*\)")
_SAYS_CONTAINER = re.compile(
    r"->\s*(?:list|tuple|set|dict|frozenset|List|Tuple|Set|Dict|Sequence)\b"
)
# Attributes that are lists, whatever has them.
_LISTS = frozenset({"records", "messages", "record_tuples", "call_args_list", "mock_calls"})


@looks("far")
def vacuous_loop(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:
    """SCP603: assert that what is looped over or asked for is not empty."""
    if len(fault.names) != 3:
        return
    kind, words, source = fault.names
    if _PATH.fullmatch(words) is None:
        if kind == "loop":
            yield from _bound(bench, suite, fault)
        return
    # A condition asks for the truth already; an iterator is true even where it is empty.
    if kind in ("loop", "all") and not _is_sized(suite, fault, words, source):
        return
    path, span = fault.place.path, fault.place.span

    def write(workspace: Workspace) -> None:
        from scopecheck.read.acts import statement_around

        line = statement_around(workspace.code(path), span.line, span.column)
        editor = workspace.editor(path)
        text = "" if line is None else editor.lines(line, line)
        if line is None or text.lstrip().startswith(("elif", "async for")):
            workspace.leave(path, span.line, "no statement can stand before it")
            return
        indent = indent_of(text)
        editor.insert(line, f"{indent}assert {words}\n")

    yield Offer(f"assert first that `{words}` is not empty", "unsafe", write)


def _bound(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:
    """Give what a loop goes over a name, which can be asserted not to be empty."""
    path, span = fault.place.path, fault.place.span
    if not _gives_container(bench, suite, fault.names[1]):
        return

    def write(workspace: Workspace) -> None:
        from scopecheck.read.acts import statement_around
        from scopecheck.read.shapes import loop_at

        loop = loop_at(workspace.code(path), span.line)
        line = statement_around(workspace.code(path), span.line, span.column)
        if loop is None or line != span.line or loop.span.line != loop.span.end_line:
            workspace.leave(path, span.line, "no statement can stand before it")
            return
        words = set(re.findall(r"\w+", loop.function))
        wanted = (f"{loop.item}s" if loop.item else "items", "found", "all_items")
        name = next((name for name in wanted if name not in words), None)
        if name is None:
            workspace.leave(path, span.line, "the names that it might have are taken")
            return
        editor = workspace.editor(path)
        text = editor.lines(line, line)
        indent = indent_of(text)
        editor.insert(line, f"{indent}{name} = {loop.text}\n{indent}assert {name}\n")
        editor.replace(loop.span, name)

    yield Offer("assert first that what it loops over is not empty", "unsafe", write)


def _gives_container(bench: Bench, suite: Suite, code: str) -> bool:
    """Whether a call surely gives a container: all functions of the name say that they do."""
    called = _CALL.fullmatch(code)
    if called is None:
        return False
    named = bench.once(("functions", suite), lambda: _by_name(suite)).get(called[1], [])
    return bool(named) and all(
        _SAYS_CONTAINER.search(suite.lines(path, function.line, function.line)) is not None
        for path, function in named
    )


def _by_name(suite: Suite) -> dict[str, list[tuple[str, Function]]]:
    """The functions of a suite and of what it imports of the project, by name."""
    found: dict[str, list[tuple[str, Function]]] = {}
    for path in suite.own_files:
        facts = suite.facts(path)
        for function in () if facts is None else facts.functions:
            found.setdefault(function.name, []).append((path, function))
    return found


def _is_sized(suite: Suite, fault: Fault, words: str, source: str) -> bool:
    """Whether what is looped over is surely a container, and false where it is empty."""
    first, *rest = words.split(".")
    if rest:
        return rest[-1] in _LISTS
    if not source:
        return True
    if source.rpartition(".")[2] in ("json", "sorted", "list"):
        return True
    space = suite.evaluator.module(fault.place.path)
    if space is None or first in space.bindings:
        return False
    value = suite.evaluator.evaluate(Name(tuple(source.split("."))), space)
    if not isinstance(value, FunctionValue) or value.function.is_generator:
        return False
    returned = suite.changes.returned(value.module, value.function)
    return returned is not None and is_container(returned)
