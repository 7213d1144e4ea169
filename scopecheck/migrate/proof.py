"""Proves a migration: links the suite again as it will be, and looks at its loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scopecheck.migrate.sharing import key_of
from scopecheck.plugins.table import known_releases
from scopecheck.project import Project
from scopecheck.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scopecheck.files import SuiteFiles
    from scopecheck.fix.workspace import Workspace
    from scopecheck.migrate.scopes import Defaults
    from scopecheck.migrate.sharing import Sharing
    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loop
    from scopecheck.suite.model import Fixture, Item


def relink(
    workspace: Workspace, files: SuiteFiles, defaults: Defaults, versions: Mapping[str, str]
) -> Suite:
    """A suite with every edit made, under other versions of the plugins."""
    old = workspace.project
    settings = msgspec.structs.replace(old.settings, plugins={**old.settings.plugins, **versions})
    project = Project(old.root, settings, old.load.jobs)
    for path in workspace.edited:
        text = workspace.text(path)
        if path.endswith(".py") and text is not None:
            source = workspace.editor(path).source
            project.load.provide(path, Source(path, text, source.encoding, source.bom))
    fixture = None if defaults.fixture is None else defaults.fixture.word
    test = None if defaults.test is None else defaults.test.word
    ini = dict(files.config.ini)
    for name, value in (
        ("asyncio_default_fixture_loop_scope", fixture),
        ("asyncio_default_test_loop_scope", test),
    ):
        if value is not None:
            ini[name] = value
    config = msgspec.structs.replace(
        files.config,
        ini=ini,
        asyncio_default_fixture_loop_scope=fixture,
        asyncio_default_test_loop_scope=test,
    )
    return project.link(msgspec.structs.replace(files, config=config))


def versions_after(to: str, pytest: str) -> dict[str, str]:
    """The versions that a migrated suite runs with."""
    newest = (known_releases("pytest") or (pytest,))[-1]
    return {"pytest-asyncio": to, "pytest": newest}


def apart(suite: Suite, sharing: Sharing, after: Suite) -> Iterator[tuple[Item, str]]:
    """The tests for which what shared a loop does not any more, and what of them."""
    items = {item.nodeid: item for item in after.items}
    for item in suite.items:
        new = items.get(item.nodeid)
        if new is None:
            yield item, "is not collected any more"
            continue
        groups: dict[object, dict[object, list[str]]] = {}
        for name, scope, loop in _loops(item, sharing, new, after):
            on = (loop.runner, loop.scope) if loop is not None else None
            groups.setdefault(scope, {}).setdefault(on, []).append(name)
        for loops in groups.values():
            if len(loops) > 1:
                sides = " and ".join(", ".join(names) for names in loops.values())
                yield item, f"had {sides} on one loop, and has them on {len(loops)}"


def _loops(
    item: Item, sharing: Sharing, new: Item, after: Suite
) -> Iterator[tuple[str, object, Loop | None]]:
    """What of a test had to get a loop scope, that scope, and the loop that it has now."""
    if item in sharing.tests:
        loop = after.loops.test(new)
        # Of a test that a decorator may run, for one, the loop is as little known as before.
        if loop is None or loop.runner != "unknown":
            yield "the test", sharing.tests[item], loop
    assert item.plan is not None
    assert new.plan is not None
    fixtures: dict[tuple[str, str, str], Fixture] = {_identity(f): f for f in new.plan.order}
    for fixture in item.plan.order:
        scope = sharing.fixtures.get(key_of(fixture))
        found = fixtures.get(_identity(fixture))
        if scope is not None and found is not None:
            loop = after.loops.fixture(found, new)
            if loop is None or loop.runner != "unknown":
                yield f"`{fixture.name}`", scope, loop


def _identity(fixture: Fixture) -> tuple[str, str, str]:
    """What a fixture keeps when lines move."""
    return (fixture.path or fixture.plugin or "", fixture.owner, fixture.attribute)


def new_problems(suite: Suite, after: Suite) -> Iterator[tuple[Item, str]]:
    """What an async plugin would do to a test that it did not do before."""
    old = {item.nodeid: item for item in suite.items}
    for item in after.items:
        before = old.get(item.nodeid)
        known = set()
        if before is not None and suite.loops.plugin is not None:
            known = {(p.kind, p.fixture and p.fixture.name) for p in suite.loops.problems(before)}
        for problem in after.loops.problems(item):
            name = problem.fixture and problem.fixture.name
            if problem.certain and (problem.kind, name) not in known:
                what = f"`{name}`" if name else "the test"
                yield item, f"{problem.kind} of {what}"
