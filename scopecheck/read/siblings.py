"""Looks whether another test of a file does what a test does, and asserts that something came."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from scopecheck.read.nodes import walk
from scopecheck.source import indent_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.read.text import Text

_SPACE = re.compile(r"\s+|,(?=\s*[)\]}])")
_TEST = re.compile(r"^([ \t]*)(?:async )?def test", re.MULTILINE)
_STEP = 4
# An assertion that fails where nothing came: of a number of items, an item, or what is among them.
_PIN = re.compile(
    r"\blen\(.*\)\s*(?:==|>=?|,)\s*[1-9]|\(\s*[1-9]\d*,\s*len\(|\[-?\d+\]"
    r"|\bassert\b.*==\s*[\[{(](?![\]})])|\bassert\b.*\blen\(.*==\s*len\(|\bassert\b.*\b(?:next|any)\("
    r"|\bassert\s+\w+$|\bassert\s+[\w.\"'\[\]]+\s+in\s"
    r"|assertTrue\(\s*\w+\s*\)|assertIn\(|assert(?:Count|List|Dict|Sequence)Equal"
)


def is_pinned(
    statements: Sequence[ast.stmt],
    subject: ast.expr,
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    text: Text,
) -> bool:
    """Whether another test does all of this, and fails if nothing comes of it.

    Then an empty result does not go unseen, though this test passes.

    Args:
        statements: what the test does before it looks at the result.
        subject: what it goes over.
        function: the test, which may not count itself.
        text: of the file.
    """
    parts: tuple[ast.stmt | ast.expr, ...] = (*statements, subject)
    read = {name for node in parts for name in _names(node, ast.Load)}
    needed = [
        node
        for node in parts
        if not isinstance(node, ast.Assign) or _calls(node) or read & _names(node, ast.Store)
    ]
    names = {name for node in needed for name in _names(node, ast.Load)}
    wanted = {_plain(text.source(node)) for node in needed}
    tests = _tests_in(text.text) if statements or _calls(subject) else ()
    for indent, start, body in tests:
        if not all(one in body for one in names) or text.line_at(start) == function.lineno:
            continue
        plain = _plain(body)
        if all(one in plain for one in wanted):
            deepest = indent + _STEP
            lines = (line for line in body.splitlines() if len(indent_of(line)) <= deepest)
            if any(_PIN.search(line) and "all(" not in line for line in lines):
                return True
    return False


# The tests of a file are asked for one after another.
@lru_cache(maxsize=1)
def _tests_in(text: str) -> tuple[tuple[int, int, str], ...]:
    """The tests of a file: how far each is indented, where it starts, and its text."""
    found = list(_TEST.finditer(text))
    ends = [*(test.start() for test in found[1:]), len(text)]
    return tuple(
        (len(test[1]), test.start(), text[test.start() : end])
        for test, end in zip(found, ends, strict=False)
    )


def _calls(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Call) for inner in walk(node))


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {
        inner.id
        for inner in walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, context)
    }


def _plain(code: str) -> str:
    """Code without white space and trailing commas."""
    return _SPACE.sub("", code)
