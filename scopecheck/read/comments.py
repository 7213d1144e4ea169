"""Turns a file's text into its suppressions: the comments that silence rules, and where.

    # scopecheck: ignore[scope-mismatch, SCP301] -- reason     on a line
    # scopecheck: ignore-file[unused-fixture]                  above the first `def` or `class`
    # noqa: SCP101                                             as other linters write it

What is no directive but written like one (`# scopecheck: disable=SCP101`) is kept as such.
A comment covers its own line. On the first line of a statement it covers the statement, and alone
on a line it covers what follows directly. A decorated `def` or `class` and its decorators are one
statement with several first lines; its body is not part of it.
"""

from __future__ import annotations

import io
import re
import tokenize
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.facts import Suppression
from scopecheck.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import SuppressionStyle

WHOLE_FILE_LINES = (0, 0)
NO_LINES = (1, 0)
"""What an `ignore-file` covers that stands too far down in its file."""

_DIRECTIVE = re.compile(
    r"""
    (?:^|(?<=\s)) \#[ \t]* scopecheck: [ \t]*
    (?P<verb> ignore-file | ignore ) (?![-\w])
    (?: [ \t]* \[ (?P<rules> [^\]\r\n]* ) \] )?
    (?: [ \t]+ -- .* )?
    """,
    re.VERBOSE,
)
_MISSPELLED = re.compile(
    r"(?:^|(?<=\s))\#[ \t]*scopecheck:[ \t]*(?P<verb>[A-Za-z][-\w]*)[ \t]*[\[=][^\r\n]*"
)
_NOQA_CODES = r"[A-Z]+[0-9]+(?:[ \t]*,[ \t]*|[ \t]+)"
_NOQA = re.compile(
    rf"(?:^|(?<=\s))#[ \t]*(?i:noqa)[ \t]*:[ \t]*(?P<rules>(?:{_NOQA_CODES})*[A-Z]+[0-9]+)\b"
)
_NOQA_OURS = re.compile(r"(?i:noqa)[^\r\n]*SCP[0-9]")
SILENCING_WORDS = ("scopecheck:", "SCP")
"""A file without these silences nothing."""

_OPENING = ("def", "class", "async", "@")
_LAYOUT = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.ENCODING}


def suppressions(text: str) -> tuple[Suppression, ...]:
    """The suppressions in a Python file, in order; a comment inside a string is none.

    A text that Python cannot tokenize gives those before the error.
    """
    if "scopecheck:" not in text and not ("SCP" in text and _NOQA_OURS.search(text)):
        return ()
    return tuple(_located(*_scan(text)))


def plain_suppressions(text: str) -> tuple[Suppression, ...]:
    """The suppressions in a configuration file, where `#` begins a comment and lines stand alone.

    A comment alone on a line covers the next line that is not a comment.
    """
    if not any(word in text for word in SILENCING_WORDS):
        return ()
    comments, statements = [], []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        start = line.find("#")
        if start >= 0:
            comments.append(_Comment(number, start + 1, line[start:], not line[:start].strip()))
        if stripped and stripped[0] not in "#;":
            statements.append(_Statement(number, number, number, number))
    return tuple(_located(comments, statements, len(text)))


class _Comment(NamedTuple):
    line: int
    column: int
    text: str
    alone: bool


class _Statement(NamedTuple):
    """A logical line, and the first and last line of the header that it is part of."""

    line: int
    end_line: int
    first: int
    last: int


def _scan(text: str) -> tuple[list[_Comment], list[_Statement], int]:
    """The comments, the statements, and the line where the first function or class begins."""
    comments: list[_Comment] = []
    logical: list[tuple[int, int, str]] = []
    start = last_line = 0
    opening = ""
    reader = io.StringIO(text, newline=None).readline
    try:
        for kind, string, (line, column), (end_line, _), _ in tokenize.generate_tokens(reader):
            if kind == tokenize.COMMENT:
                comments.append(_Comment(line, column + 1, string, line != last_line))
            elif kind == tokenize.NEWLINE:
                logical.append((start, line, opening))
                start = 0
            elif kind not in _LAYOUT:
                last_line = end_line
                if not start:
                    start, opening = line, string
    except (tokenize.TokenError, SyntaxError):
        pass
    body = next((line for line, _, opening in logical if opening in _OPENING), len(text) + 1)
    return comments, _headers(logical), body


def _headers(logical: list[tuple[int, int, str]]) -> list[_Statement]:
    """Joins decorators to the `def` or `class` below them."""
    statements: list[_Statement] = []
    header: list[tuple[int, int]] = []
    for line, end_line, opening in logical:
        header.append((line, end_line))
        if opening != "@":
            first, last = header[0][0], end_line
            statements += [_Statement(*part, first, last) for part in header]
            header = []
    statements += [_Statement(*part, *part) for part in header]
    return statements


def _located(
    comments: list[_Comment], statements: list[_Statement], body: int
) -> Iterator[Suppression]:
    alone = {comment.line for comment in comments if comment.alone}
    for comment in comments:
        for style, match in _directives(comment.text):
            column = comment.column + match.start()
            end = column + len(match[0].rstrip())
            span = Span(comment.line, column, comment.line, end)
            if style == "unknown":
                yield Suppression(span, (match["verb"],), NO_LINES, style)
                continue
            if style == "scopecheck" and match["verb"] == "ignore-file":
                lines = WHOLE_FILE_LINES if comment.line < body else NO_LINES
            else:
                lines = _covered(comment, statements, alone)
            yield Suppression(span, tuple(_codes(match["rules"] or "", style)), lines, style)


def _directives(comment: str) -> Iterator[tuple[SuppressionStyle, re.Match[str]]]:
    known = set()
    for match in _DIRECTIVE.finditer(comment):
        known.add(match.start())
        yield "scopecheck", match
    for match in _MISSPELLED.finditer(comment):
        if match.start() not in known:
            yield "unknown", match
    for match in _NOQA.finditer(comment):
        if any(_codes(match["rules"], "noqa")):
            yield "noqa", match


def _codes(rules: str, style: SuppressionStyle) -> Iterator[str]:
    """The rules named; of a `noqa`, which all linters share, the codes of ours."""
    for word in re.split(r"[\s,]+", rules):
        if word and (style != "noqa" or re.fullmatch(r"SCP[0-9]+", word)):
            yield word


def _covered(comment: _Comment, statements: list[_Statement], alone: set[int]) -> tuple[int, int]:
    below = comment.line
    while comment.alone and below in alone:
        below += 1
    index = bisect_right(statements, below, key=lambda statement: statement.line) - 1
    if index >= 0:
        statement = statements[index]
        if statement.line == below:
            return min(comment.line, statement.first), max(comment.line, statement.last)
        if comment.line > statement.line and below <= statement.end_line:
            return comment.line, below
    return comment.line, comment.line
