"""Fixers of assertions: those that are never run, and calls that are never awaited."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.fix.edits import Withheld
from scopecheck.repair.bench import Offer
from scopecheck.source import Span, indent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite


@looks("near")
def unreachable_assertion(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP605: move what comes after the exception below the `with` block."""
    if fault.names != ("dedent",):
        return
    path, line = fault.place.path, fault.place.span.line

    def write(workspace: Workspace) -> None:
        from scopecheck.read.code import Code

        editor = workspace.editor(path)
        tail = workspace.code(path).tail(line)
        if tail is None:
            raise Withheld("it is not a statement of the `with` block")
        first, last, head = tail
        text = editor.lines(first, last)
        inner, outer = indent_of(text), indent_of(editor.lines(head, head))
        lines = text.splitlines(keepends=True)
        if any(one.strip() and not one.startswith(inner) for one in lines):
            raise Withheld("a line of it is indented less")
        moved = "".join(outer + one.removeprefix(inner) if one.strip() else one for one in lines)
        if not Code(f"if 1:\n{_inside(text, inner)}").same_code(
            Code(f"if 1:\n{_inside(moved, outer)}")
        ):
            raise Withheld("a string in it would change")
        editor.replace(Span(first, 1, last + 1, 1), moved)

    yield Offer("move it below the `with` block", "unsafe", write)


def _inside(text: str, indent: str) -> str:
    """Lines as the body of a statement at the left edge."""
    return text if indent else "".join(f" {line}" for line in text.splitlines(keepends=True))


_OF_CALLS = frozenset(
    [
        *("assert_called", "assert_called_once", "assert_not_called"),
        *("assert_awaited", "assert_awaited_once", "assert_not_awaited"),
    ]
)
_ASSERTING = {
    "comparison": "write `assert` before it",
    "tuple": "assert the condition, with its message",
    "uncalled": "call it",
}


@looks("near")
def vacuous_assertion(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP602: assert what is written, where that is a condition."""
    kind = fault.names[0] if fault.names else ""
    if kind not in _ASSERTING:
        return
    path, line = fault.place.path, fault.place.span.line
    words = suite.lines(path, line, line)
    if kind == "uncalled" and not any(re.search(rf"\b{word}\b", words) for word in _OF_CALLS):
        return

    def write(workspace: Workspace) -> None:
        from scopecheck.read.shapes import asserting

        found = asserting(workspace.code(path), line, kind)
        if found is None:
            workspace.leave(path, line, "what is meant cannot be told")
            return
        if "#" in workspace.editor(path).slice(found.span).replace(found.text, ""):
            workspace.leave(path, line, "a comment would be lost")
        workspace.editor(path).replace(found.span, found.text)

    yield Offer(_ASSERTING[kind], "unsafe", write)


@looks("near")
def unawaited(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP606: `await` what the async test calls."""
    if fault.names != ("await",):
        return
    path, span = fault.place.path, fault.place.span

    def write(workspace: Workspace) -> None:
        editor = workspace.editor(path)
        text = editor.slice(span)
        statement = editor.lines(span.line, span.line)
        before = statement[: span.column - 1].rstrip()
        after = editor.lines(span.end_line, span.end_line)[span.end_column - 1 :].lstrip()
        tight = after[:1] in (".", "[", "(") or after[:2] == "**" or before.endswith("await")
        editor.replace(span, f"(await {text})" if tight else f"await {text}")

    yield Offer("write `await` before it", "safe", write)
