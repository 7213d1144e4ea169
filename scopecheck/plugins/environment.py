"""A Python environment read from its folders: what is installed, which plugins, where modules are.

    environment   the site-packages folders of a virtual environment or an interpreter
    entry point   a name in the group `pytest11` of an installed distribution: a plugin that pytest
                  loads by itself
    .pth file     adds a folder to `sys.path`; how editable installs lead to a checkout

Nothing is imported and no `.pth` line is executed. Only folder names and `entry_points.txt` files
are read, so that a look at a few hundred distributions takes milliseconds.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scopecheck import disk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PLUGIN_GROUP = "pytest11"

_INSTALLED = re.compile(r"(?P<name>[^~].*?)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")
_ENTRY = re.compile(r"(?P<name>[^=]+?)\s*=\s*(?P<module>[\w.]+)\s*(?::\s*(?P<attr>[\w.]+))?.*")


def normalise(name: str) -> str:
    """The one spelling of a distribution's name: `Pytest_Mock` is `pytest-mock`."""
    return re.sub(r"[-_.]+", "-", name).lower()


class EntryPoint(msgspec.Struct, frozen=True):
    """A plugin as a distribution announces it. `attr` is what in the module is the plugin, if not
    the module itself."""

    name: str
    module: str
    dist: str
    attr: str = ""


class Environment(msgspec.Struct, frozen=True):
    """What is installed in one place.

    path: the environment's folder. how: what named it (`--python`, `VIRTUAL_ENV`, `.venv`).
    site_packages: its own folders. extra: folders that `.pth` files add.
    mappings: top-level modules that editable installs map to a file or folder.
    versions: normalised distribution name to version, as folder names state it.
    entry_points: in the order in which pytest would load them (that of the folders' listings).
    notes: what could not be read, in words for a user.
    """

    path: Path
    how: str
    site_packages: tuple[Path, ...]
    extra: tuple[Path, ...] = ()
    mappings: tuple[tuple[str, str], ...] = ()
    versions: dict[str, str] = {}
    entry_points: tuple[EntryPoint, ...] = ()
    notes: tuple[str, ...] = ()


def find_environment(
    root: Path,
    python: Path | None = None,
    *,
    start: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Environment | None:
    """The environment whose plugins a suite would get, or None where there is none to be seen.

    One that is named (`python`: an interpreter or an environment's folder) counts as it is.
    Without it `VIRTUAL_ENV`, and `.venv` or `venv` in a folder from `start` up to `root`, count if
    pytest is installed there: a hook runs in an environment of its own, which is not the project's.

    Raises FileNotFoundError where `python` names nothing that can be read.
    """
    if python is not None:
        folder, base = _named(python)
        sites = _site_packages(folder) + (_site_packages(base) if base else ())
        if not sites:
            raise FileNotFoundError(f"no site-packages folder found for {python}")
        return _read(folder, "--python", sites)
    environ = os.environ if environ is None else environ
    for folder, how in _candidates(root, start or root, environ):
        sites = _site_packages(folder)
        if sites:
            found = _read(folder, how, sites)
            if "pytest" in found.versions:
                return found
    return None


def find_module(environment: Environment, dotted: str) -> Path | None:
    """The source file of a module as the environment would import it; None where it has none."""
    parts = dotted.split(".")
    for name, target in environment.mappings:
        top = name.split(".")
        if parts[: len(top)] == top:
            found = _module_at(Path(target), parts[len(top) :])
            if found:
                return found
    for base in (*environment.site_packages, *environment.extra):
        found = find_in(base, dotted)
        if found:
            return found
    return None


def find_in(base: Path, dotted: str) -> Path | None:
    """The source file of a module below a folder that is on `sys.path`."""
    if not all(part.isidentifier() for part in dotted.split(".")):
        return None
    return _module_at(base, dotted.split("."))


def _module_at(base: Path, parts: list[str]) -> Path | None:
    path = os.path.join(base, *parts)  # noqa: PTH118 - this is the hot path of every import
    for candidate in (f"{path}{os.sep}__init__.py", f"{path}.py", path):
        # An editable install may map a module to its file as such.
        if candidate.endswith(".py") and disk.is_file(candidate):
            return Path(candidate)
    return None


def _candidates(root: Path, start: Path, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    active = environ.get("VIRTUAL_ENV")
    if active:
        yield Path(active), "VIRTUAL_ENV"
    folder = start
    while True:
        for name in (".venv", "venv"):
            yield folder / name, name
        if folder == root or root not in folder.parents:
            return
        folder = folder.parent


def _named(python: Path) -> tuple[Path, Path | None]:
    """The prefix that an interpreter or a folder stands for, and the one it is based on."""
    # A name that no file can have is one that none has.
    if not os.path.exists(python) and len(python.parts) == 1:  # noqa: PTH110
        import shutil

        found = shutil.which(str(python))
        if found:
            python = Path(found)
    if os.path.isdir(python):  # noqa: PTH112
        return python, _base_prefix(python)
    if not os.path.isfile(python):  # noqa: PTH113
        raise FileNotFoundError(f"no such interpreter or environment: {python}")
    # bin/python of a virtual environment is a link to the interpreter it was made from: the place
    # of the link is what counts.
    prefix = python.parent.parent if python.parent.name in ("bin", "Scripts") else python.parent
    if (prefix / "pyvenv.cfg").is_file():
        return prefix, _base_prefix(prefix)
    real = python.resolve()
    return (real.parent.parent if real.parent.name in ("bin", "Scripts") else real.parent), None


def _base_prefix(prefix: Path) -> Path | None:
    """Where the interpreter of a virtual environment keeps what that environment can see too."""
    try:
        text = disk.plain_text(prefix / "pyvenv.cfg", errors="replace")
    except OSError:
        return None
    settings = {
        key.strip().lower(): value.strip()
        for key, _, value in (line.partition("=") for line in text.splitlines())
    }
    if settings.get("include-system-site-packages", "").lower() != "true":
        return None
    home = settings.get("home")
    if not home:
        return None
    return Path(home).parent if Path(home).name == "bin" else Path(home)


def _site_packages(prefix: Path) -> tuple[Path, ...]:
    found: list[Path] = []
    for pattern in ("lib/python3*/site-packages", "lib64/python3*/site-packages"):
        found.extend(sorted(prefix.glob(pattern), key=_python_version, reverse=True)[:1])
    found.append(prefix / "Lib" / "site-packages")
    found.append(prefix / "site-packages")
    # Debian and its kin.
    found.extend(sorted(prefix.glob("local/lib/python3*/dist-packages"), key=_python_version)[-1:])
    found.append(prefix / "lib" / "python3" / "dist-packages")
    folders: dict[Path, Path] = {}
    for folder in found:
        if folder.is_dir():
            folders.setdefault(folder.resolve(), folder)
    return tuple(folders.values())


def _python_version(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path.parent.name))


def _read(folder: Path, how: str, sites: tuple[Path, ...]) -> Environment:
    notes: list[str] = []
    extra: dict[Path, None] = {}
    mappings: list[tuple[str, str]] = []
    versions: dict[str, str] = {}
    entry_points: list[EntryPoint] = []
    for site in sites:
        # Not sorted: importlib.metadata goes by the listing too, and so does the order in which
        # pytest registers plugins.
        names = _listing(site, notes)
        _read_distributions(site, names, versions, entry_points, notes)
        for name in names:
            if name.endswith(".pth"):
                extra.update(dict.fromkeys(_path_lines(site, name, notes)))
            elif name.startswith("__editable__") and name.endswith("_finder.py"):
                mappings.extend(_finder_mapping(site / name, notes))
    paths = tuple(path for path in extra if path not in sites)
    for path in paths:
        _read_distributions(path, _listing(path, notes), versions, entry_points, notes)
    return Environment(
        path=folder,
        how=how,
        site_packages=sites,
        extra=paths,
        mappings=tuple(mappings),
        versions=versions,
        entry_points=tuple(entry_points),
        notes=tuple(notes),
    )


def _listing(folder: Path, notes: list[str]) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names only, in the order of the file system
    except OSError as error:
        notes.append(f"{folder}: {error.strerror}")
        return []


def _read_distributions(
    folder: Path,
    names: Iterable[str],
    versions: dict[str, str],
    entry_points: list[EntryPoint],
    notes: list[str],
) -> None:
    for name in names:
        if not name.endswith((".dist-info", ".egg-info")) or name.startswith("~"):
            continue
        match = _INSTALLED.fullmatch(name)
        if match:
            dist, version = normalise(match["name"]), match["version"]
        else:
            # `python setup.py develop` leaves a folder without a version in its name.
            dist = normalise(name.rpartition(".")[0])
            version = _stated_in_metadata(folder / name)
        if dist in versions:
            continue
        versions[dist] = version
        try:
            text = disk.plain_text(f"{folder}{os.sep}{name}{os.sep}entry_points.txt")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            notes.append(f"{folder / name}: entry points not read ({error})")
            continue
        if PLUGIN_GROUP in text:
            entry_points.extend(parse_entry_points(text, dist))


def parse_entry_points(text: str, dist: str) -> Iterator[EntryPoint]:
    """The plugins in the text of an `entry_points.txt`, in its order."""
    group = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            group = line.strip("[] ")
        elif group == PLUGIN_GROUP and line and line[0] not in "#;":
            match = _ENTRY.fullmatch(line)
            if match:
                yield EntryPoint(match["name"], match["module"], dist, match["attr"] or "")


def _stated_in_metadata(folder: Path) -> str:
    for name in ("PKG-INFO", "METADATA"):
        try:
            text = disk.plain_text(folder / name, errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith("Version:"):
                return line.removeprefix("Version:").strip()
            if not line:
                break
    return ""


def _path_lines(site: Path, name: str, notes: list[str]) -> Iterator[Path]:
    """The folders that a `.pth` file adds; its `import` lines are code and are passed over."""
    try:
        text = disk.plain_text(site / name, "utf-8-sig", "replace")
    except OSError as error:
        notes.append(f"{site / name}: {error.strerror}")
        return
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith(("#", "import ", "import\t")):
            continue
        folder = site / line
        if folder.is_dir():
            yield Path(os.path.normpath(folder))


def _finder_mapping(path: Path, notes: list[str]) -> Iterator[tuple[str, str]]:
    from scopecheck.plugins.literals import finder_mapping

    try:
        mapping = finder_mapping(disk.plain_text(path))
    except (OSError, ValueError):
        mapping = None
    if mapping is None:
        notes.append(f"{path}: what this editable install maps cannot be read")
    else:
        yield from mapping.items()
