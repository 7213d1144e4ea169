"""Turns one file's text into facts; with its submodules the only reader of a syntax tree."""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from scopecheck.facts import TOO_DEEP, FileFacts, ReadError
from scopecheck.read.nodes import FUNCTIONS
from scopecheck.read.text import Text
from scopecheck.source import Span

if TYPE_CHECKING:
    from scopecheck.evidence import EventForms, EventUse
    from scopecheck.facts import Function
    from scopecheck.source import Source


def read(source: Source) -> FileFacts:
    """The facts of one file; a file that cannot be parsed has an `error` and nothing else."""
    # Others need `read.text` alone, and start-up neither.
    from scopecheck.read.module import ModuleReader

    text = Text(source.text)
    if "\0" in source.text:
        line = text.line_at(source.text.index("\0"))
        return _failed(source.path, "source contains a NUL byte", line, 1, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
        return ModuleReader(source.path, text).read(tree)
    except SyntaxError as error:
        line = max(error.lineno or 1, 1)
        column = max(error.offset or 1, 1)
        return _failed(source.path, error.msg, line, column, text)
    except (RecursionError, MemoryError):
        return _failed(source.path, TOO_DEEP, 1, 1, text)


def read_function(
    source: Source, function: Function, loop_names: frozenset[str] = frozenset()
) -> FileFacts | None:
    """The facts of one function alone, with all that its body does; it is the first of them.

    Args:
        source: the file that it stands in.
        function: as it was read with its file.
        loop_names: functions that may run an event loop.

    Returns:
        None where the text has no such function any more.
    """
    from scopecheck.read.module import ModuleReader

    parsed = _parsed(source, function)
    if parsed is None:
        return None
    text, tree = parsed
    facts = ModuleReader(source.path, text, whole=True, loop_names=loop_names).read(tree)
    found = facts.functions[0] if facts.functions else None
    return facts if found is not None and found.span == function.span else None


def read_function_events(source: Source, function: Function, forms: EventForms) -> EventUse | None:
    """What one function has to do with events, as a project's configuration has them.

    Args:
        source: the file that it stands in.
        function: as it was read with its file.
        forms: how events are captured, and where they keep their names.
    """
    from scopecheck.read.events import read_events
    from scopecheck.read.lost import LOSING_WORDS
    from scopecheck.read.nodes import Inside

    parsed = _parsed(source, function)
    if parsed is None:
        return None
    text, tree = parsed
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            if text.name_span(node) != function.span:
                return None
            tasks = bool(text.lines_with(LOSING_WORDS))
            return read_events(node, text, Inside(node), tasks=tasks, forms=forms)
    return None


# Several functions of a file are read in turn.
@lru_cache(1)
def _lines_of(text: str) -> Text:
    return Text(text)


def _parsed(source: Source, function: Function) -> tuple[Text, ast.Module] | None:
    """The text of a function alone, at its lines, and its tree; None where it is gone."""
    text = _lines_of(source.text)
    if not 0 < function.first_line <= function.end_line <= text.line_count:
        return None
    lines = [text.line(number) for number in range(function.first_line, function.end_line + 1)]
    # Places stay what they are: line ends stand for what comes before.
    before = "\n" * (function.first_line - 1)
    if lines[0][0] in " \t":
        before = f"{before[:-1]}if 1:\n"
    own = Text(before + "".join(lines))
    try:
        return own, ast.parse(own.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _failed(path: str, message: str, line: int, column: int, text: Text) -> FileFacts:
    line = min(line, max(text.line_count, 1))
    span = Span(line, column, line, column)
    return FileFacts(path, error=ReadError("syntax", message, span), lines=text.line_count)
