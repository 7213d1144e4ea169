"""Fixers of suppressions: comments that silence nothing are taken out, or the rules in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.fix.edits import Withheld
from scopecheck.read.comments import plain_suppressions, suppressions
from scopecheck.repair.bench import Offer
from scopecheck.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Suppression
    from scopecheck.finding import Fault
    from scopecheck.fix.edits import Editor
    from scopecheck.fix.workspace import Workspace

_WORD = re.compile(r"[\w-]+")


def unused_suppression(fault: Fault) -> Iterator[Offer]:
    """SCP002: remove the comment, or the rules in it that silence nothing."""
    path, span, words = fault.place.path, fault.place.span, set(fault.names)
    # Other linters' codes may stand in a `noqa`, and go on being needed.
    listed = " and ".join(f"`{word}`" for word in fault.names)

    def write(workspace: Workspace) -> None:
        editor = workspace.editor(path)
        comment = _comment(editor, span)
        kept = [word for word in comment.codes if word not in words]
        if comment.style == "noqa" or kept:
            _drop_words(editor, comment, words)
        else:
            _drop_comment(editor, comment)

    yield Offer(f"remove the suppression of {listed}", "safe", write)


def _comment(editor: Editor, span: Span) -> Suppression:
    read = suppressions if editor.path.endswith(".py") else plain_suppressions
    for comment in read(editor.source.text):
        if comment.span == span:
            return comment
    raise Withheld("the comment is not there any more")


def _drop_words(editor: Editor, comment: Suppression, words: set[str]) -> None:
    """Take rules out of a comment that has others; the whole comment where none is left."""
    span = comment.span
    text = editor.slice(span)
    if comment.style == "noqa":
        start = text.index(":") + 1
        end = len(text)
    else:
        start, end = text.index("[") + 1, text.index("]")
    found = list(_WORD.finditer(text, start, end))
    kept = [match for match in found if match[0] not in words]
    if not kept:
        _drop_comment(editor, comment)
        return
    last = kept[-1]
    parts, at = [], 0
    for index, match in enumerate(found):
        if match[0] not in words:
            continue
        later = found[index + 1].start() if index + 1 < len(found) else None
        if match.start() > last.start():
            # Nothing is kept after it: what separates it goes with it.
            parts.append((found[index - 1].end() if index else match.start(), match.end()))
        else:
            assert later is not None
            parts.append((match.start(), later))
    content = ""
    for first, until in parts:
        content += text[at:first]
        at = max(at, until)
    editor.replace(span, content + text[at:])


def _drop_comment(editor: Editor, comment: Suppression) -> None:
    span = comment.span
    line = editor.text.line(span.line)
    body = line.rstrip("\r\n")
    before, after = body[: span.column - 1], body[span.end_column - 1 :]
    if not before.strip() and not after.strip():
        editor.remove_lines(span.line, span.line)
        return
    if after.strip():
        # Another comment follows, or stands before it on the line.
        after = after.lstrip()
    else:
        before, after = before.rstrip(), ""
    editor.replace(Span(span.line, 1, span.line, len(body) + 1), before + after)
