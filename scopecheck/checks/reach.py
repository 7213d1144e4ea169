"""What of a suite's fixtures is reached, seen and bound, for the checks that ask about absence."""

from __future__ import annotations

from posixpath import dirname
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scopecheck.facts import Binding
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Level


_TEMPLATE_FILES = frozenset({"cookiecutter.json", "copier.yml", "copier.yaml"})


def has_unread(suite: Suite) -> bool:
    """Whether a file of the suite could not be read or parsed."""
    files = suite.files
    return any(suite.facts(path) is None for path in (*files.conftests, *files.test_files))


def unreached_fixtures(suite: Suite) -> list[Fixture]:
    """Definitions of the suite's own files that no test sets up through any registration."""
    reached = {fixture.key for fixture in suite.users}
    return [
        fixture
        for fixture in suite.fixtures
        if fixture.path is not None
        and fixture.key not in reached
        and fixture.certain
        and not (fixture.assumed or fixture.pseudo or fixture.opaque)
    ]


def plainly_bound(suite: Suite, fixture: Fixture) -> bool:
    """Whether the definition is registered on every run, and not by a factory or in a class."""
    binding = bound_at(suite, fixture)
    return binding is not None and binding.guard.branch == "" and not binding.guard.caught


def bound_at(suite: Suite, fixture: Fixture) -> Binding | None:
    """The statement that binds a module's or conftest's fixture where it is registered."""
    if fixture.level == "class" or fixture.home is None:
        return None
    space = suite.evaluator.module(fixture.home)
    bindings = None if space is None else space.bindings.get(fixture.attribute)
    return bindings[-1] if bindings else None


def levels_of(suite: Suite, fixture: Fixture) -> tuple[Level, ...] | None:
    """The levels that a module's or conftest's fixture can see, from its own place."""
    home = fixture.home or ""
    folders: list[Level] = []
    folder = dirname(home)
    while folder:
        level = suite.linker.folders.get(folder)
        if level is not None:
            folders.append(level)
        folder = dirname(folder)
    folders.reverse()
    if fixture.level != "module":
        return (suite.linker.session, *folders)
    module = suite.linker.modules.get(home)
    return None if module is None else (suite.linker.session, *folders, module)


def has_own_run(suite: Suite, path: str) -> bool:
    """Whether a file lies in a folder with a configuration of its own, or in a project template.

    Its tests are run from there, with plugins that the rest of the suite may not have.
    """
    return is_in_template(suite, path) or any(
        entry.reason == "folder" and path.startswith(f"{dirname(suite.relative(entry.path))}/")
        for entry in suite.files.config.ignored
    )


def is_in_template(suite: Suite, path: str) -> bool:
    """Whether projects are made from the folder that a file lies in (cookiecutter, copier)."""
    if "{{" in path:
        return True
    folder = dirname(path)
    while folder:
        if not _TEMPLATE_FILES.isdisjoint(suite.evaluator.modules.entries(folder)):
            return True
        folder = dirname(folder)
    return False
