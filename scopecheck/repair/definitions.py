"""Fixers of definitions: marks that do nothing where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.repair.bench import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite


def marked_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP309: remove the marks, which have no effect there."""
    path = fault.place.path
    spans = [place.span for place in fault.related if place.message.startswith("the mark ")]
    if not spans:
        return

    def write(workspace: Workspace) -> None:
        editor = workspace.editor(path)
        for span in spans:
            editor.remove_lines(span.line, span.end_line)

    what = "mark" if len(spans) == 1 else "marks"
    yield Offer(f"remove the {what} from the fixture", "safe", write)
