"""Moves a suite from pytest-asyncio 0.21 or 0.23 to 1.x: code, marks, configuration and pins.

The steps, in order; each has a module of its own:

    overrides       what the fixtures called `event_loop` do, and which can go
    requests        what asks for `event_loop`, and what becomes of it
    sharing         what was on one loop, and the loop scope that keeps it there
    scopes, marks   where these loop scopes are written with the fewest edits
    decorators      who runs each async fixture
    configuration   the options
    pins            the versions
    imports         what the new code needs, and what nothing needs any more
    proof           the suite linked again: what shared a loop still does

Nothing is written here: a migration is its changes, and what it leaves to be done by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scopecheck.fix.configuration import Configuration
from scopecheck.fix.decorators import PLAIN, Decorators
from scopecheck.fix.edits import Overlap
from scopecheck.fix.names import settle_imports
from scopecheck.fix.workspace import Remark, Workspace
from scopecheck.migrate import marks as marking
from scopecheck.migrate import overrides as overriding
from scopecheck.migrate import pins, proof, requests, scopes
from scopecheck.migrate.marks import Marks
from scopecheck.migrate.sharing import NEWEST, Sharing, key_of
from scopecheck.plugins.table import known_releases
from scopecheck.plugins.versions import parse_version
from scopecheck.project import Project
from scopecheck.read.code import Code
from scopecheck.source import SourceError
from scopecheck.suite.imported import taken_names
from scopecheck.suite.loops.doubts import UNKNOWN_PLUGINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from scopecheck.fix.diff import Change
    from scopecheck.migrate.marks import Site
    from scopecheck.migrate.overrides import Override
    from scopecheck.migrate.requests import Requester
    from scopecheck.migrate.scopes import Choice
    from scopecheck.migrate.sharing import FixtureKey
    from scopecheck.suite import Suite
    from scopecheck.suite.loops import Loop
    from scopecheck.suite.model import Fixture, Item, Scope

_WRITTEN_FOR = "0.21.2"
OLDEST = "1.0"
"""The first version that a migrated suite runs with."""


class Migration(msgspec.Struct, frozen=True):
    """What moves a project's suites, and what is left.

    changes: by path. left: what has to be done by hand. notes: what should be known.
    skipped: the suites that do not use pytest-asyncio.
    """

    changes: tuple[Change, ...]
    left: tuple[Remark, ...]
    notes: tuple[Remark, ...]
    skipped: tuple[str, ...]


def newest() -> str:
    """The newest version that is known."""
    return known_releases(pins.DIST)[-1]


def check_version(to: str) -> None:
    """Whether a version can be migrated to; an empty one is the newest.

    Raises:
        ValueError: it cannot; says why.
    """
    if not to:
        return
    version = parse_version(to)
    if version is None:
        raise ValueError(f"--to: {to!r} is no version")
    if version.short < (1, 0, 0):
        raise ValueError(f"--to: {to} is not 1.0 or later")


def migrate(project: Project, paths: Sequence[Path], to: str = "") -> Migration:
    """Move the suites that the paths stand for.

    Args:
        project: where they are.
        paths: files and folders; none stands for the root.
        to: the version of pytest-asyncio, 1.0 or later; the newest known where it is empty.
    """
    workspace = Workspace(project)
    suites = project.suites(paths)
    moved: list[_Move] = []
    skipped: list[str] = []
    for suite in suites:
        if suite.loops.plugin is None:
            skipped.append(suite.files.name or ".")
            continue
        move = _Move(workspace, suite, to or newest(), to or OLDEST)
        move.edit()
        moved.append(move)
    settle_imports(workspace, taken_names(suites))
    _check_edits(workspace)
    for move in moved:
        move.prove()
    return Migration(
        tuple(workspace.changes()),
        tuple(sorted(workspace.left)),
        tuple(sorted(workspace.notes)),
        tuple(skipped),
    )


def rewrite(workspace: Workspace, suite: Suite) -> None:
    """Rewrite one suite's code, marks and options in a workspace; versions stay as they are.

    The suite may run under 1.x already, which ignores what `event_loop` was overridden for: what
    was meant shows under the version that it was written for.
    """
    project = workspace.project
    settings = msgspec.structs.replace(
        project.settings, plugins={**project.settings.plugins, pins.DIST: _WRITTEN_FOR}
    )
    before = Project(project.root, settings, project.load.jobs)
    before.load = project.load
    _Move(workspace, before.link(suite.files), newest(), OLDEST).rewrite()


def _check_edits(workspace: Workspace) -> None:
    """Leave files alone in which two steps want the same code, or that would be no Python."""
    for path in list(workspace.edited):
        try:
            text = workspace.text(path)
            if path.endswith(".py") and text is not None:
                Code(text)
        except (Overlap, SyntaxError) as reason:
            workspace.drop(path)
            workspace.leave(path, 1, f"this file is not changed ({reason})")


def _is_left_alone(loop: Loop) -> bool:
    """Whether nobody runs a fixture, or nobody that is known does."""
    return loop.runner == "none" or loop.reason == UNKNOWN_PLUGINS


class _Move:
    """One suite on its way."""

    def __init__(self, workspace: Workspace, suite: Suite, to: str, floor: str) -> None:
        self.workspace = workspace
        self.suite = suite
        self.to = to
        self.floor = floor
        self.auto = suite.loops.mode == "auto"
        self.decorators = Decorators(workspace, suite)
        self.sharing: Sharing | None = None
        self.choice: Choice | None = None

    def edit(self) -> None:
        """Make every edit."""
        self.rewrite()
        pins.raise_pins(self.workspace, self.suite, self.to, self.floor)
        pins.check_python(self.workspace, self.to)

    def rewrite(self) -> None:
        """Make the edits to code, marks and options."""
        workspace, suite = self.workspace, self.suite
        overrides = overriding.find_overrides(workspace, suite)
        found = requests.find_requesters(workspace, suite, overrides)
        turned, left = requests.decide(workspace, suite, found, overrides, self.decorators)
        handed = self._handed_over()
        self.sharing = Sharing(
            suite,
            [key for key, override in overrides.items() if override.kind != "foreign"],
            [one.key for one in turned if not one.function.is_async],
            [key_of(fixture) for fixture in handed],
        )
        self._settle_scopes(turned, self._rooted(overrides.values()))
        for fixture in handed:
            self.decorators.hand_over(fixture)
        needed = {key for requester in left for key in requester.answers}
        for override in overrides.values():
            self._take_away(override, needed)
        for requester in turned:
            requests.rewrite(workspace, requester, self.decorators, self.auto)
        for requester in left:
            requests.leave(workspace, requester)
        self.decorators.drop_marks()
        self.decorators.write()
        requests.rewrite_mentions(workspace, suite, overrides)
        self._tell_of_policies()
        self._tell_of_gone_marks()

    def _rooted(self, overrides: Iterable[Override]) -> frozenset[Scope]:
        """The scopes of the overrides that every async test can see."""
        suite = self.suite
        visible = {
            frozenset(suite.resolver.visible(item.levels, overriding.NAME))
            for item in suite.items
            if item.is_async
        }
        return frozenset(
            fixture.scope
            for override in overrides
            for fixture in override.fixtures
            if fixture.scope is not None and all(fixture in seen for seen in visible)
        )

    def _settle_scopes(self, turned: Iterable[Requester], rooted: frozenset[Scope]) -> None:
        workspace, suite = self.workspace, self.suite
        assert self.sharing is not None
        unmarked: list[Item] = []
        if not self.auto:
            unmarked = [item for one in turned if not one.function.is_async for item in one.items]
            unmarked = [i for i in unmarked if all(mark.name != "asyncio" for mark in i.marks)]
        marks = Marks(workspace, suite, unmarked)
        configuration = Configuration(workspace, suite)
        now = scopes.current(suite.files.config)
        definitions = self.sharing.definitions
        self.choice = scopes.choose(
            self.sharing,
            marks,
            now,
            rooted,
            writable=configuration.writable,
            configured=configuration.configured,
            errors=configuration.warnings_are_errors,
            reachable=frozenset(
                key
                for key, fixtures in definitions.items()
                if self.decorators.can_rewrite(fixtures[0])
            ),
        )
        chosen = self.choice.defaults
        options = {}
        for name, before, after in (
            (scopes.FIXTURE_OPTION, now.fixture, chosen.fixture),
            (scopes.TEST_OPTION, now.test, chosen.test),
        ):
            if after is not None and after is not before:
                options[name] = after.word
        if suite.files.config.asyncio_mode == "legacy":
            # It ran fixtures of pytest's own; those are handed over.
            options["asyncio_mode"] = "strict"
        try:
            configuration.set(options)
        except SourceError as error:
            workspace.leave(configuration.path, 1, f"set {options} ({error.message})")
        for key, scope in self.choice.fixtures.items():
            fixture = definitions[key][0]
            if not self.decorators.set_loop_scope(fixture, scope):
                message = f'give `{fixture.name}` loop_scope="{scope.word}"'
                where = fixture.path or configuration.path
                workspace.leave(where, fixture.line if fixture.path else 1, message)
        given = marking.write_steps(workspace, self.choice.steps)
        renamed: Mapping[Site, Mapping[str, str]] = marking.rename_scopes(workspace, suite)
        marking.rewrite_marks(workspace, renamed, given)

    def _handed_over(self) -> list[Fixture]:
        """The async fixtures that no plugin runs, for tests that pytest-asyncio does."""
        if self.auto:
            return []
        loops = self.suite.loops.as_if(NEWEST)
        found: dict[FixtureKey, Fixture] = {}
        refused: set[FixtureKey] = set()
        for item in self.suite.items:
            assert item.plan is not None
            for fixture in item.plan.order:
                if not fixture.is_async or fixture.spelling not in PLAIN:
                    continue
                loop = loops.fixture(fixture, item)
                if loop is None or not _is_left_alone(loop):
                    refused.add(key_of(fixture))
                elif self.workspace.may_edit(fixture.path):
                    found.setdefault(key_of(fixture), fixture)
        kept = [fixture for key, fixture in found.items() if key not in refused]
        return [fixture for fixture in kept if self._may_be_handed_over(fixture)]

    def _may_be_handed_over(self, fixture: Fixture) -> bool:
        assert fixture.path is not None
        awaiting = requests.awaiting(self.workspace, self.suite, fixture)
        if awaiting is None and self.decorators.can_rewrite(fixture):
            return True
        message = f"`{fixture.name}` is async, and in strict mode nothing runs it"
        if awaiting is not None:
            message = f"{message}; {awaiting} awaits what it hands out"
        self.workspace.leave(fixture.path, fixture.line, message)
        return False

    def _take_away(self, override: Override, needed: set[FixtureKey]) -> None:
        workspace = self.workspace
        if override.kind == "foreign":
            return
        line = override.key[1]
        if override.kind == "more":
            for place, what in override.extras:
                message = f"this `event_loop` is not used by pytest-asyncio 1.x, and it {what}"
                workspace.leave(override.path, place, message)
            return
        if override.key in needed:
            workspace.leave(override.path, line, "`event_loop` stays: some code still requests it")
            return
        if override.kind == "policy":
            overriding.replace_by_policy(workspace, override)
            self._tell_of_policy(override.path, line)
        else:
            overriding.remove(workspace, self.suite, override)

    def _tell_of_policies(self) -> None:
        for fixture in self.suite.fixtures:
            if fixture.name == "event_loop_policy" and self.workspace.may_edit(fixture.path):
                assert fixture.path is not None
                self._tell_of_policy(fixture.path, fixture.line)

    def _tell_of_gone_marks(self) -> None:
        """The mark with which pytest-asyncio 0.22 made the loop of a class or module."""
        for item in self.suite.items:
            if any(mark.name == "asyncio_event_loop" for mark in item.marks):
                message = "the mark `asyncio_event_loop` is gone: use `asyncio(loop_scope=...)`"
                self.workspace.leave(item.path, 1, message)

    def _tell_of_policy(self, path: str, line: int) -> None:
        message = (
            "pytest-asyncio 1.4 deprecates `event_loop_policy` for the hook "
            "`pytest_asyncio_loop_factories`"
        )
        self.workspace.note(path, line, message)

    def prove(self) -> None:
        """Link the suite as it will be, and tell of what is not as it should."""
        workspace, suite = self.workspace, self.suite
        assert self.sharing is not None
        assert self.choice is not None
        pytest = ".".join(map(str, suite.version))
        versions = proof.versions_after(self.to, pytest)
        after = proof.relink(workspace, suite.files, self.choice.defaults, versions)
        told: dict[str, tuple[Item, int]] = {}
        for item, message in (
            *proof.apart(suite, self.sharing, after),
            *proof.new_problems(suite, after),
        ):
            first, count = told.get(message, (item, 0))
            told[message] = first, count + 1
        for message, (item, count) in told.items():
            others = f" (and {count - 1} more)" if count > 1 else ""
            name = item.nodeid.rpartition("::")[2]
            workspace.leave(item.place.path, item.line, f"`{name}`{others} {message}")
