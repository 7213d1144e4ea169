"""What the files of a suite import: read while it is linked, and told afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from posixpath import dirname
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from scopecheck.facts import Import

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scopecheck.loader import Loader
    from scopecheck.suite import Suite
    from scopecheck.suite.modules import Modules

Looked: TypeAlias = tuple[str, str | None, int, str]
"""An import that was looked up: module, name, level, and where from."""


class Read(NamedTuple):
    """What was read for a suite before it was linked.

    paths: its files, and every first-party module that they import, directly or not.
    imported: the files that some import names, also one that never runs.
    words: of the import statements inside of functions.
    """

    paths: frozenset[str]
    imported: frozenset[str]
    words: frozenset[str]


@contextmanager
def reading_imports(
    load: Loader, modules: Modules, paths: Iterable[str]
) -> Iterator[Callable[[], Read]]:
    """Read the files and every first-party module that they import, directly or not.

    They may be read while the block runs, and are at its end: then what is handed over says which.
    """
    first = list(dict.fromkeys(paths))
    seen = set(first)
    imported: set[str] = set()
    words: set[str] = set()
    looked_up: set[Looked] = set()
    never: set[Looked] = set()

    def follow(path: str) -> list[str]:
        base, folder = modules.base(path), dirname(path)
        facts = load(path)
        words.update(facts.inner_imports)
        found: list[str] = []
        for binding in facts.bindings:
            value = binding.value
            if not isinstance(value, Import):
                continue
            runs = not binding.guard.never
            if not is_new(value, folder, base, looked_up if runs else never):
                continue
            for target in imported_files(modules, value, path):
                imported.add(target)
                if runs and target not in seen:
                    seen.add(target)
                    found.append(target)
        return found

    with load.reading(first, follow):
        yield lambda: Read(frozenset(seen), frozenset(imported), frozenset(words))


def is_new(value: Import, folder: str, base: str, seen: set[Looked]) -> bool:
    """Whether no import that means the same was seen, in files of one folder and base."""
    asked = (value.module, value.name, value.level, folder if value.level else base)
    if asked in seen:
        return False
    seen.add(asked)
    return True


def imported_files(modules: Modules, value: Import, importer: str) -> Iterable[str]:
    """The first-party files that an import statement loads."""
    target = modules.imported(value, importer)
    if target is None:
        return
    if value.level == 0 and "." in value.module:
        parts = value.module.split(".")
        for end in range(1, len(parts)):
            package = modules.find(".".join(parts[:end]), importer)
            if package is not None and package.endswith(".py"):
                yield package
    if target.endswith(".py"):
        yield target
    if value.name not in (None, "*"):
        inner = modules.submodule(target, value.name or "")
        if inner is not None and inner.endswith(".py"):
            yield inner


def taken_names(suites: Iterable[Suite]) -> dict[str, set[str]]:
    """The names that other files import from each file."""
    found: dict[str, set[str]] = {}
    for suite in suites:
        modules = suite.evaluator.modules
        for path in suite.own_files:
            facts = suite.facts(path)
            for binding in facts.bindings if facts is not None else ():
                value = binding.value
                if not isinstance(value, Import) or value.name is None:
                    continue
                target = modules.imported(value, path)
                if target is not None:
                    found.setdefault(target, set()).add(value.name)
    return found
