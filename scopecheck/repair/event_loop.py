"""Fixers of the fixture `event_loop`: what the migration to pytest-asyncio 1.x does to a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.bench import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.suite import Suite

_GONE_SINCE = (1, 0)


@looks("far")
def event_loop_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP206: take it out of the suite, and carry its scope to `loop_scope`.

    One fix for all findings of a suite: overrides, requests and loop scopes depend on each other.
    """
    plugin = suite.loops.plugin
    if plugin is None or plugin.version < _GONE_SINCE:
        return  # It goes on working; `scopecheck migrate` raises the version, too.

    def write(workspace: Workspace) -> None:
        from scopecheck.migrate import rewrite

        rewrite(workspace, suite)

    yield Offer(
        "take `event_loop` out of the suite, with `loop_scope` for its scope", "unsafe", write
    )
