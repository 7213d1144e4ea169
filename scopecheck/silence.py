"""Turns findings into comments that silence them: `# scopecheck: ignore[rule]`, where they stand.

A comment goes to the end of the finding's line, into the brackets of one that is there already, or
on a line of its own above, where the line is long or has another comment. A finding about a whole
file gets an `ignore-file` at its top. A file is changed only if the code in it stays the same and
every finding is silenced by the comments as they are read again.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING

import msgspec

from scopecheck.finding import Edit
from scopecheck.fix.diff import Change
from scopecheck.fix.edits import Editor, encode
from scopecheck.read.comments import plain_suppressions, suppressions
from scopecheck.rulebook import ENGINE_PREFIX
from scopecheck.source import WHOLE_FILE, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scopecheck.finding import Finding
    from scopecheck.source import Source

WIDTH = 88
"""How long a line may get before the comment goes above it."""

_OURS = re.compile(r"#[ \t]*scopecheck:[ \t]*ignore[ \t]*\[[^\]\n]*(?=\])")
_PREAMBLE = re.compile(r"#!|[ \t\f]*#.*?coding[:=]")


class Silenced(msgspec.Struct, frozen=True):
    """What to write, and which findings no comment can silence."""

    changes: tuple[Change, ...]
    left: tuple[Finding, ...]


def silence(findings: Iterable[Finding], source: Callable[[str], Source | None]) -> Silenced:
    """Comments for all findings but those about files that cannot be read, and about comments."""
    files: dict[str, list[Finding]] = {}
    left = []
    for finding in findings:
        if finding.code.startswith(ENGINE_PREFIX):
            left.append(finding)
        else:
            files.setdefault(finding.fault.place.path, []).append(finding)
    changes = []
    for path, found in files.items():
        text = source(path)
        change = None if text is None else _change(text, found)
        if change is None:
            left += found
        else:
            changes.append(change)
    return Silenced(tuple(changes), tuple(sorted(left, key=lambda one: one.sort_key)))


def _change(source: Source, findings: Sequence[Finding]) -> Change | None:
    """A file with comments for these findings; None where that cannot be."""
    is_python = source.path.endswith(".py")
    editor = Editor(source)
    above: dict[int, set[str]] = {}
    wanted: dict[int, set[str]] = {}
    for finding in findings:
        span = finding.fault.place.span
        whole = is_python and span == WHOLE_FILE
        wanted.setdefault(0 if whole else span.line, set()).add(finding.name)
    try:
        if is_python:
            _in_code(editor, wanted, above)
        else:
            above = wanted
        for line, names in above.items():
            verb = "ignore" if line else "ignore-file"
            at = line or _top(editor)
            code = editor.text.line(at) if line else ""
            indent = code[: len(code) - len(code.lstrip())]
            editor.insert(at, f"{indent}# scopecheck: {verb}[{', '.join(sorted(names))}]\n")
        after = editor.result
        data = encode(source, after)
        before = encode(source, source.text)
        right = _is_right(source.text, after, wanted, above, is_python=is_python)
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        return None
    if not right:
        return None
    return Change(source.path, before, data)


def _in_code(editor: Editor, wanted: Mapping[int, set[str]], above: dict[int, set[str]]) -> None:
    """Writes the comments that fit at the end of a line; the others are to go above one."""
    rows = _Rows(editor.source.text)
    for line, names in wanted.items():
        code = editor.text.line(line).rstrip("\r\n") if line else ""
        comment = rows.comments.get(line)
        listed = ", ".join(sorted(names))
        if comment is not None and (ours := _OURS.search(code, comment)):
            known = code[ours.start() : ours.end()].rstrip()
            joint = "" if known.endswith("[") else ", "
            column = ours.start() + len(known) + 1
            editor.edits.append(
                Edit(editor.path, Span(line, column, line, ours.end() + 1), f"{joint}{listed}")
            )
        elif (
            line in rows.ends
            and comment is None
            and len(code.rstrip()) + len(f"  # scopecheck: ignore[{listed}]") <= WIDTH
        ):
            end = len(code.rstrip()) + 1
            span = Span(line, end, line, len(code) + 1)
            editor.edits.append(Edit(editor.path, span, f"  # scopecheck: ignore[{listed}]"))
        else:
            at = line if line <= 1 or line - 1 in rows.ends else rows.starts[line]
            above.setdefault(at, set()).update(names)


class _Rows:
    """The lines of a file at whose end a comment may stand, where those of a statement begin.

    ends: lines that end outside of strings, without a backslash. starts: for each line of code, the
    first of its statement. comments: the index in its line where a comment begins.
    """

    def __init__(self, text: str) -> None:
        self.ends: set[int] = set()
        self.starts: dict[int, int] = {}
        self.comments: dict[int, int] = {}
        start = 0
        reader = io.StringIO(text, newline=None).readline
        layout = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT)
        for kind, _, (line, column), (end, _), _ in tokenize.generate_tokens(reader):
            if kind == tokenize.COMMENT:
                self.comments[line] = column
            if kind in (tokenize.NL, tokenize.NEWLINE):
                self.ends.add(line)
            if kind == tokenize.NEWLINE:
                self.starts.update(dict.fromkeys(range(start, end + 1), start))
                start = 0
            elif kind not in layout and not start:
                start = line


def _top(editor: Editor) -> int:
    """The first line after what has to stand on the first two."""
    line = 1
    while line <= min(2, editor.text.line_count) and _PREAMBLE.match(editor.text.line(line)):
        line += 1
    return line


def _is_right(
    before: str,
    after: str,
    wanted: Mapping[int, set[str]],
    above: Mapping[int, set[str]],
    *,
    is_python: bool,
) -> bool:
    """Whether the code is the same, and every finding silenced where it stands now."""
    if is_python and ast.dump(ast.parse(before)) != ast.dump(ast.parse(after)):
        return False
    read = suppressions(after) if is_python else plain_suppressions(after)
    for line, names in wanted.items():
        now = line + sum(1 for other in above if other <= line) if line else 1
        covering = {
            name
            for one in read
            if one.lines == (0, 0) or one.lines[0] <= now <= one.lines[1]
            for name in one.codes
        }
        if not names <= covering:
            return False
    return True
