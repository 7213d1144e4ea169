"""Finds the file that an import statement loads, as the running suite would."""

from __future__ import annotations

from pathlib import Path
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from scopecheck import disk
from scopecheck.exclude import Excluder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scopecheck.facts import Import


class Modules:
    """The module search path of one suite; every path is relative to the project's root.

    An import is looked up in the folder that pytest puts on `sys.path` for the importing file (the
    first one upwards without `__init__.py`), then in `roots`: `pythonpath`, the root folders, their
    `src`, and the folders that pytest inserts for the other test files.
    """

    def __init__(
        self,
        root: Path,
        roots: Iterable[str],
        find_installed: Callable[[str], str | None] | None = None,
    ) -> None:
        self.root = root.as_posix()
        self._roots = tuple(dict.fromkeys(roots))
        self._find_installed = find_installed
        self._folders: dict[str, dict[str, bool] | None] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        self._inner: dict[tuple[str, str], str | None] = {}
        self._tops: dict[str, list[str]] | None = None
        self._places: dict[tuple[str, str], tuple[str, ...]] = {}
        self._bases: dict[str, str] = {}
        self._installed: dict[str, str | None] = {}
        self._excluder: Excluder | None = None

    def absolute(self, module: str, importer: str, level: int) -> str | None:
        """The dotted name that `from ..module import` means in a file; None beyond the top."""
        if level == 0:
            return module
        package = self.name_of(importer).split(".")
        if not importer.endswith("/__init__.py") and importer != "__init__.py":
            package = package[:-1]
        if level - 1 > len(package):
            return None
        base = package[: len(package) - (level - 1)]
        return ".".join([*base, module] if module else base)

    def name_of(self, path: str) -> str:
        """The dotted name under which pytest imports a file (rootdir/conftest aside)."""
        base = self.base(path)
        inner = path[len(base) + 1 :] if base else path
        inner = inner.removesuffix(".py")
        parts = inner.split("/")
        if parts[-1] == "__init__":
            parts.pop()
        return ".".join(parts)

    def base(self, path: str) -> str:
        """The first folder upwards from the file that is no package."""
        found = self._bases.get(path)
        if found is None:
            found = dirname(path)
            while found and self._has(found, "__init__.py"):
                found = dirname(found)
            self._bases[path] = found
        return found

    def is_in_package(self, folder: str) -> bool:
        """Whether a folder above this one is a package."""
        while folder:
            folder = dirname(folder)
            if self._has(folder, "__init__.py"):
                return True
        return False

    def relative(self, module: str, importer: str, level: int) -> str | None:
        """The file or folder that a relative import means, found beside the importing file."""
        folder = dirname(importer)
        for _ in range(level - 1):
            folder = normpath(join(folder, "..")) if folder else ".."
        folder = "" if folder == "." else folder
        return self._module_in(folder, module) if module else self._package(folder)

    def imported(self, value: Import, importer: str) -> str | None:
        """The file or folder of the module that an import statement names."""
        if value.level:
            return self.relative(value.module, importer, value.level)
        return self.find(value.module, importer)

    def find(self, module: str, importer: str) -> str | None:
        """The path of a first-party module's file, or its folder for a namespace package."""
        base = self.base(importer) if importer else ""
        key = (module, base)
        if key in self._found:
            return self._found[key]
        for folder in self._folders_with(module, base):
            answer = self._module_in(folder, module)
            if answer is not None and answer.endswith(".py"):
                break
        else:
            # A mere folder of the name counts in the last place: before that, it is rather a
            # library of the name that is meant.
            last = [root for root in self._roots[-2:] if root != base][-1:] or [base]
            answer = self._module_in(last[0], module)
        self._found[key] = answer
        return answer

    def _folders_with(self, module: str, base: str) -> Iterable[str]:
        """The folders of the search path that may have a module, in order.

        A suite may have a folder on it for each test file: few of these have a name of their own.
        """
        if self._tops is None:
            self._tops = {}
            for root in self._roots:
                for name, is_folder in (self._listing(root) or {}).items():
                    if is_folder or name.endswith(".py"):
                        top = name if is_folder else name.removesuffix(".py")
                        self._tops.setdefault(top, []).append(root)
        return dict.fromkeys((base, *self._tops.get(module.partition(".")[0], ())))

    def installed(self, module: str) -> str | None:
        """The file of a module in the environment that was found, if its source is there."""
        if self._find_installed is None:
            return None
        if module not in self._installed:
            self._installed[module] = self._find_installed(module)
        return self._installed[module]

    def submodule(self, package: str, name: str) -> str | None:
        """The file or folder of a package's submodule; the package by its file or folder."""
        folder = dirname(package) if package.endswith(".py") else package
        if package.endswith(".py") and not package.endswith("__init__.py"):
            return None
        return self._module_in(folder, name)

    def places(self, module: str, importer: str) -> tuple[str, ...]:
        """Every file or folder on the search path that a top-level module may be."""
        key = (module, self.base(importer))
        places = self._places.get(key)
        if places is None:
            folders = self._folders_with(*key)
            found = (self._module_in(folder, module) for folder in folders)
            places = self._places[key] = tuple(dict.fromkeys(filter(None, found)))
        return places

    def entries(self, folder: str) -> frozenset[str]:
        """The names of what lies in a folder."""
        return frozenset(self._listing(folder) or ())

    def is_ignored(self, path: str) -> bool:
        """Whether git ignores the path or a folder above it, so that it may exist elsewhere."""
        if self._excluder is None:
            self._excluder = Excluder(Path(self.root), (), True)
        parts = path.split("/")
        return any(
            self._excluder.reason(
                f"{self.root}/{'/'.join(parts[:end])}", parts[end - 1], end < len(parts)
            )
            for end in range(1, len(parts) + 1)
        )

    def _module_in(self, folder: str, module: str) -> str | None:
        key = (folder, module)
        if key not in self._inner:
            self._inner[key] = self._find_in(folder, module)
        return self._inner[key]

    def _find_in(self, folder: str, module: str) -> str | None:
        parts = module.split(".")
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            inner = f"{folder}/{part}" if folder else part
            if self._is_dir(folder, part):
                package = self._package(inner)
                if last and (package is not None and package.endswith(".py")):
                    return package
                if last and self._has(folder, f"{part}.py"):
                    return f"{inner}.py"
                if last:
                    return inner
            elif last and self._has(folder, f"{part}.py"):
                return f"{inner}.py"
            else:
                return None
            folder = inner
        return None

    def _package(self, folder: str) -> str | None:
        if self._has(folder, "__init__.py"):
            return f"{folder}/__init__.py" if folder else "__init__.py"
        return folder if self._listing(folder) is not None else None

    def _is_dir(self, folder: str, name: str) -> bool:
        listing = self._listing(folder)
        return bool(listing and listing.get(name))

    def _has(self, folder: str, name: str) -> bool:
        listing = self._listing(folder)
        return listing is not None and listing.get(name) is False

    def _listing(self, folder: str) -> dict[str, bool] | None:
        """A folder's entries and whether each is a folder itself; None when unreadable."""
        if folder not in self._folders:
            self._folders[folder] = disk.entries(f"{self.root}/{folder}" if folder else self.root)
        return self._folders[folder]
