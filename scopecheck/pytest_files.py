"""Turns the files in which pytest looks for its configuration into tables of options with lines.

Which files pytest looks at, and under which header, depends on its version (observed with 7.4.4,
8.0.2, 8.1.2, 8.3.5, 8.4.2, 9.0.3, 9.1.1 and 9.2.0):

    file                          header                        since
    pytest.toml, .pytest.toml     [pytest], native types        9.0; the file counts even if empty
    pytest.ini                    [pytest]                      the file counts even if empty
    .pytest.ini                   [pytest]                      since 9.0 it counts even if empty
    pyproject.toml                [tool.pytest], native types   9.0
                                  [tool.pytest.ini_options]     6.0
    tox.ini                       [pytest]
    setup.cfg                     [tool:pytest]                 with [pytest] pytest stops

The first that counts wins, and the others in its folder are not read: options are never merged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from scopecheck.ini import IniError, IniSection, parse_ini
from scopecheck.toml import KeyPath, TomlError, key_lines, line_of, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIG_NAMES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
Version: TypeAlias = tuple[int, int]
NEWEST: Version = (99, 0)


def version_pair(version: str) -> Version:
    """Major and minor number of a version; what is no version counts as the newest."""
    match = re.match(r"\D{0,2}(\d+)(?:\.(\d+))?", version)
    return (int(match[1]), int(match[2] or 0)) if match else NEWEST


class Option(msgspec.Struct, frozen=True):
    """One option as it is written: its value, and the line of its name (0: on a command line).

    native: the value keeps its TOML type; else only strings and lists of strings count.
    """

    value: object
    line: int = 0
    native: bool = False

    @property
    def text(self) -> str | list[str]:
        """The value as an INI file would have it."""
        if isinstance(self.value, list):
            return [str(item) for item in self.value]
        return str(self.value)


class ConfigFault(msgspec.Struct, frozen=True, order=True):
    """A mistake in pytest's configuration at which pytest stops, in its words."""

    path: str
    line: int
    message: str


class ConfigTable(msgspec.Struct, frozen=True):
    """One file's table of pytest options. An empty header: the file counts without any table."""

    path: Path
    header: str
    line: int
    options: dict[str, Option]
    faults: tuple[ConfigFault, ...] = ()


class Difference(msgspec.Struct, frozen=True):
    """An option that has another value in the table that is not in force than in the one that is.

    None: the option is not set there.
    """

    option: str
    line: int
    value: str | None
    in_force: str | None


class Shadowed(msgspec.Struct, frozen=True):
    """A table that looks like pytest's configuration but is not in force.

    reason: `header`: pytest does not look for that header in that file; `version`: this version
        of pytest does not; `shadowed`: a file in the same folder wins; `folder`: only a run whose
        arguments all lie in that folder uses it.
    why: the reason as a sentence for people.
    winner: the file that is in force instead.
    """

    path: Path
    line: int
    header: str
    reason: Literal["header", "version", "shadowed", "folder"]
    why: str
    winner: Path | None
    differs: tuple[Difference, ...] = ()


class ConfigFiles:
    """Reads configuration files, each once.

    Args:
        texts: what stands in some files, in place of what is on disk.
    """

    def __init__(self, texts: Mapping[Path, str] | None = None) -> None:
        self._texts: dict[Path, str | None] = {**(texts or {})}
        self._tables: dict[tuple[Path, bool, bool], ConfigTable | None] = {}
        self._ini: dict[Path, dict[str, IniSection] | IniError] = {}
        self._toml: dict[Path, tuple[dict[str, object], _Lines] | TomlError] = {}

    def table(self, path: Path, version: Version) -> ConfigTable | None:
        """What makes this file the source of pytest's configuration, or None if nothing does."""
        key = (path, version >= (9, 0), version >= (9, 2))
        if key not in self._tables:
            self._tables[key] = self._read(path, version)
        return self._tables[key]

    def first_in(self, folder: Path, version: Version) -> ConfigTable | None:
        """The table that is in force for a run rooted in this folder, from this folder alone."""
        for name in CONFIG_NAMES:
            if version < (9, 0) and name in ("pytest.toml", ".pytest.toml"):
                continue
            table = self.table(folder / name, version)
            if table is not None:
                return table
        return None

    def faults_beside(self, winner: ConfigTable, version: Version) -> list[ConfigFault]:
        """Mistakes in the files after the one that wins: since 9.0 pytest reads them to say so."""
        names = CONFIG_NAMES[CONFIG_NAMES.index(winner.path.name) + 1 :]
        if version < (9, 0):
            return []
        tables = (self.table(winner.path.with_name(name), version) for name in names)
        return [fault for table in tables if table is not None for fault in table.faults]

    def not_in_force(
        self, folder: Path, winner: ConfigTable | None, version: Version
    ) -> list[Shadowed]:
        """The tables in a folder that pytest does not read, though they were meant for it."""
        found: list[Shadowed] = []
        for name in CONFIG_NAMES:
            path = folder / name
            right = _right_headers(name)
            for header, line, options in self._candidates(path):
                if winner is not None and winner.path == path and winner.header == header:
                    continue
                reason: Literal["header", "version", "shadowed"]
                if header not in right:
                    reason, why = "header", _wrong_header(name, header)
                elif version < right[header]:
                    since = ".".join(map(str, right[header]))
                    reason, why = "version", f"pytest reads it from {since} on only"
                elif winner is not None and winner.path.parent == folder:
                    reason, why = "shadowed", f"{winner.path.name} in the same folder wins"
                else:
                    continue
                where = winner.path if winner else None
                differs = differences(options, winner.options if winner else {})
                found.append(Shadowed(path, line, header, reason, why, where, differs))
        return found

    def _read(self, path: Path, version: Version) -> ConfigTable | None:
        if path.suffix == ".toml":
            return self._read_toml(path, version)
        return self._read_ini(path, version)

    def _read_ini(self, path: Path, version: Version) -> ConfigTable | None:
        sections = self._parse_ini(path)
        if sections is None:
            return None
        if isinstance(sections, IniError):
            message = f"{path}:{sections.line}: {sections.message}"
            return _broken(path, sections.line, message)
        header = "tool:pytest" if path.suffix == ".cfg" else "pytest"
        section = sections.get(header)
        if section is not None:
            return ConfigTable(path, header, section.line, _ini_options(section))
        if path.suffix == ".cfg" and "pytest" in sections:
            message = (
                "[pytest] section in setup.cfg files is no longer supported, "
                "change to [tool:pytest] instead."
            )
            return _broken(path, sections["pytest"].line, message)
        if path.name == "pytest.ini" or (path.name == ".pytest.ini" and version >= (9, 0)):
            return ConfigTable(path, "", 1, {})
        return None

    def _read_toml(self, path: Path, version: Version) -> ConfigTable | None:
        parsed = self._parse_toml(path)
        if parsed is None:
            return None
        if isinstance(parsed, TomlError):
            return _broken(path, parsed.line, f"{path}: {parsed.message} (line {parsed.line})")
        document, lines = parsed
        if path.name in ("pytest.toml", ".pytest.toml"):
            return _pytest_toml(path, document, lines, version) or ConfigTable(path, "", 1, {})
        table = _tool_pytest(path, document, lines, version)
        if table is None and path.name != "pyproject.toml" and version >= (9, 2):
            return _pytest_toml(path, document, lines, version)
        return table

    def _candidates(self, path: Path) -> list[tuple[str, int, dict[str, Option]]]:
        """Every table in a file whose header looks as if it were meant for pytest."""
        found: list[tuple[str, int, dict[str, Option]]] = []
        if path.suffix != ".toml":
            sections = self._parse_ini(path)
            if isinstance(sections, dict):
                for header, section in sections.items():
                    if _looks_like_pytest(header):
                        found.append((header, section.line, _ini_options(section)))
            return found
        parsed = self._parse_toml(path)
        if parsed is None or isinstance(parsed, TomlError):
            return found
        document, lines = parsed
        tool = document.get("tool")
        places: list[tuple[KeyPath, object]] = [((key,), value) for key, value in document.items()]
        if isinstance(tool, dict):
            places += [(("tool", key), value) for key, value in tool.items()]
            pytest = tool.get("pytest")
            if isinstance(pytest, dict):
                inner = (("tool", "pytest", key) for key in pytest)
                places += [(place, pytest[place[-1]]) for place in inner]
        for place, value in places:
            header = ".".join(map(str, place))
            if not isinstance(value, dict) or not _looks_like_pytest(header):
                continue
            options = _toml_options(value, place, lines, native=True)
            if header in ("tool.pytest", "pytest"):
                # A table that only holds another one says nothing itself.
                options = {k: o for k, o in options.items() if not isinstance(o.value, dict)}
                if not options:
                    continue
            found.append((header, lines.of(place), options))
        return found

    def _text(self, path: Path) -> str | None:
        if path not in self._texts:
            try:
                self._texts[path] = path.read_text(encoding="utf-8") if path.is_file() else None
            except (OSError, UnicodeDecodeError):
                self._texts[path] = None
        return self._texts[path]

    def _parse_ini(self, path: Path) -> dict[str, IniSection] | IniError | None:
        text = self._text(path)
        if text is None:
            return None
        if path not in self._ini:
            try:
                self._ini[path] = parse_ini(text)
            except IniError as error:
                self._ini[path] = error
        return self._ini[path]

    def _parse_toml(self, path: Path) -> tuple[dict[str, object], _Lines] | TomlError | None:
        text = self._text(path)
        if text is None:
            return None
        if path not in self._toml:
            try:
                self._toml[path] = (parse_toml(text), _Lines(text))
            except TomlError as error:
                self._toml[path] = error
        return self._toml[path]


class _Lines:
    """The lines of a TOML file's keys, found when first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: dict[KeyPath, int] | None = None

    def of(self, path: KeyPath) -> int:
        """The line of a key, or of the nearest key that holds it."""
        if self._lines is None:
            self._lines = key_lines(self._text)
        return line_of(self._lines, path)


def differences(options: dict[str, Option], in_force: dict[str, Option]) -> tuple[Difference, ...]:
    """The options that another table would change, event-loop options first."""
    found: list[Difference] = []
    for name in {**options, **in_force}:
        here, there = options.get(name), in_force.get(name)
        if here is None or there is None or _words(here) != _words(there):
            value = None if here is None else _shown(here)
            found.append(
                Difference(
                    name, here.line if here else 0, value, None if there is None else _shown(there)
                )
            )
    found.sort(key=lambda one: (not one.option.startswith(("asyncio_", "anyio_")), one.line))
    return tuple(found)


def _words(option: Option) -> list[str]:
    text = option.text
    return (
        text.split() if isinstance(text, str) else [word for item in text for word in item.split()]
    )


def _shown(option: Option) -> str:
    if isinstance(option.value, bool):
        return str(option.value).lower()
    return " ".join(_words(option))


def _right_headers(name: str) -> dict[str, Version]:
    """The headers under which pytest looks in a file, and since which version."""
    if name in ("pytest.toml", ".pytest.toml"):
        return {"pytest": (9, 0)}
    if name == "pyproject.toml":
        return {"tool.pytest": (9, 0), "tool.pytest.ini_options": (6, 0)}
    return {"tool:pytest": (0, 0)} if name == "setup.cfg" else {"pytest": (0, 0)}


def _wrong_header(name: str, header: str) -> str:
    right = (
        "tool.pytest.ini_options" if name == "pyproject.toml" else next(iter(_right_headers(name)))
    )
    return f"in {name} pytest reads [{right}], not [{header}]"


def _looks_like_pytest(header: str) -> bool:
    plain = re.sub(r"[\s\"']", "", header).lower().replace("-", "_").replace(":", ".")
    return plain in ("pytest", "tool.pytest", "tool.pytest.ini_options", "pytest.ini_options")


def _broken(path: Path, line: int, message: str) -> ConfigTable:
    # pytest stops here, so no other file is in force either.
    return ConfigTable(path, "", line, {}, (ConfigFault(str(path), line, message),))


def _ini_options(section: IniSection) -> dict[str, Option]:
    return {name: Option(one.value, one.line) for name, one in section.options.items()}


def _toml_options(
    table: dict[str, object], place: KeyPath, lines: _Lines, *, native: bool
) -> dict[str, Option]:
    return {
        name: Option(
            value if native or isinstance(value, list) else str(value),
            lines.of((*place, name)),
            native,
        )
        for name, value in table.items()
    }


def _pytest_toml(
    path: Path, document: dict[str, object], lines: _Lines, version: Version
) -> ConfigTable | None:
    table = document.get("pytest")
    if isinstance(table, dict) and (table or version >= (9, 2)):
        options = _toml_options(table, ("pytest",), lines, native=True)
        return ConfigTable(path, "pytest", lines.of(("pytest",)), options)
    stray = [key for key, value in document.items() if not isinstance(value, dict)]
    if stray and version >= (9, 2):
        message = (
            f"{path}: pytest configuration must be under a [pytest] table "
            f"(found top-level options: {', '.join(stray)})"
        )
        return _broken(path, lines.of((stray[0],)), message)
    return None


def _tool_pytest(
    path: Path, document: dict[str, object], lines: _Lines, version: Version
) -> ConfigTable | None:
    tool = document.get("tool")
    table = tool.get("pytest") if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        return None
    place: KeyPath = ("tool", "pytest")
    native = {name: value for name, value in table.items() if name != "ini_options"}
    inner = table.get("ini_options")
    if native and version >= (9, 0):
        faults: tuple[ConfigFault, ...] = ()
        line = lines.of(place)
        if inner:
            message = (
                f"{path}: Cannot use both [tool.pytest] (native TOML types) and "
                "[tool.pytest.ini_options] (string-based INI format) simultaneously. "
                "Please use [tool.pytest] with native TOML types (recommended) "
                "or [tool.pytest.ini_options] for backwards compatibility."
            )
            faults = (ConfigFault(str(path), line, message),)
        options = _toml_options(native, place, lines, native=True)
        return ConfigTable(path, "tool.pytest", line, options, faults)
    if isinstance(inner, dict):
        place = (*place, "ini_options")
        options = _toml_options(inner, place, lines, native=False)
        return ConfigTable(path, "tool.pytest.ini_options", lines.of(place), options)
    return None
