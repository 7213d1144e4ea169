"""What a project says about its dependencies, the nearest folder's word first.

stated        all that is said of one distribution
announced     the plugins that a project's own sources declare as entry points
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from scopecheck.plugins.declarations import read_folder
from scopecheck.plugins.documents import as_items, as_table, ini_sections, read_text, read_toml
from scopecheck.plugins.environment import PLUGIN_GROUP, EntryPoint
from scopecheck.plugins.requirements import Statement, project_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Stated(msgspec.Struct, frozen=True):
    """Everything that the nearest folder with a word on it says about one distribution."""

    dist: str
    statements: tuple[Statement, ...]

    @property
    def declared(self) -> bool:
        """Whether something asks for it to be installed."""
        return any(statement.kind != "constraint" for statement in self.statements)

    @property
    def locked(self) -> tuple[Statement, ...]:
        """The lock files' words; several where a lock covers several Pythons or platforms."""
        return tuple(s for s in self.statements if s.kind == "lock" and s.specifier)


FolderCache: TypeAlias = "dict[Path, dict[str, tuple[Statement, ...]]]"


def folders_between(root: Path, rootdir: Path) -> tuple[Path, ...]:
    """`rootdir` and the folders above it up to `root`, nearest first."""
    folders = [rootdir]
    while folders[-1] != root and root in folders[-1].parents:
        folders.append(folders[-1].parent)
    if root not in folders:
        folders.append(root)
    return tuple(folders)


def stated_versions(
    root: Path, rootdir: Path, cache: FolderCache | None = None
) -> dict[str, Stated]:
    """What is said of every distribution that the suite at `rootdir` depends on, by its name.

    For each distribution the nearest folder, from `rootdir` up to `root`, that names it in a pin
    and the nearest that has it in a lock file: a workspace keeps one lock at its top. `cache` keeps
    what was read of a folder for the next suite.
    """
    found: dict[str, list[Statement]] = {}
    kinds: set[tuple[str, bool]] = set()
    for folder in folders_between(root, rootdir):
        said = None if cache is None else cache.get(folder)
        if said is None:
            said = read_folder(folder, root)
            if cache is not None:
                cache[folder] = said
        fresh: set[tuple[str, bool]] = set()
        for dist, statements in said.items():
            for statement in statements:
                key = (dist, statement.kind == "lock")
                if key not in kinds:
                    fresh.add(key)
                    found.setdefault(dist, []).append(statement)
        kinds |= fresh
    return {dist: Stated(dist, tuple(said)) for dist, said in sorted(found.items())}


def announced_plugins(folder: Path) -> tuple[EntryPoint, ...]:
    """The `pytest11` entry points that a project's own sources announce.

    A project that is a plugin is installed, in editable form, where its own tests run.
    """
    found: dict[str, EntryPoint] = {}
    dist = project_name(folder)

    def add(lines: Iterable[str]) -> None:
        for line in lines:
            name, _, target = line.partition("=")
            module, _, attr = target.partition("[")[0].partition(":")
            if name.strip() and module.strip():
                found.setdefault(
                    name.strip(), EntryPoint(name.strip(), module.strip(), dist, attr.strip())
                )

    data = read_toml(folder / "pyproject.toml")
    project, tool = as_table(data.get("project")), as_table(data.get("tool"))
    groups = (
        as_table(project.get("entry-points")).get(PLUGIN_GROUP),
        as_table(as_table(tool.get("poetry")).get("plugins")).get(PLUGIN_GROUP),
    )
    for group in groups:
        add(f"{name}={value}" for name, value in as_items(group) if isinstance(value, str))
    if (folder / "setup.cfg").is_file():
        sections = ini_sections(read_text(folder / "setup.cfg"))
        add(sections.get("options.entry_points", {}).get(PLUGIN_GROUP, "").splitlines())
    if not found and (folder / "setup.py").is_file():
        from scopecheck.plugins.literals import setup_keywords

        for keyword, strings in setup_keywords(read_text(folder / "setup.py")):
            if keyword == f"entry_points.{PLUGIN_GROUP}":
                add(text for text, _ in strings)
    return tuple(found.values())
