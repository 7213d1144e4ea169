"""The requirements in a folder's lock files and configuration, from text to statements.

Reading is by the forms that are in use, and generous: what cannot be understood states nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from scopecheck import disk
from scopecheck.plugins.documents import (
    as_items,
    as_table,
    ini_sections,
    line_of,
    line_of_key,
    line_of_requirement,
    read_toml,
    strings_in,
    toml_tables,
)
from scopecheck.plugins.environment import normalise
from scopecheck.plugins.requirements import Statement, of_conda, requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scopecheck.plugins.requirements import Kind

_LOCKED = re.compile(r"^\[\[packages?\]\]\s*$", re.MULTILINE)
_LOCK_KEY = re.compile(r'(name|version)\s*=\s*"([^"]*)"')
# What follows the name, version and source of a locked package.
_PAST_THE_HEAD = ("[", "wheels", "sdist", "files", "dependencies")
_LOCK_PATH = re.compile(r'\b(editable|directory|path|virtual|url)\s*=\s*"([^"]*)"')
_CONDA = re.compile(r"\s*-\s+['\"]?([A-Za-z0-9][\w.-]*)\s*([=<>!~][^#'\"]*)?['\"]?\s*(?:#.*)?")
_REQUIREMENT_FILES = ("*requirements*.txt", "*requirements*.in", "*constraints*.txt")
_REQUIREMENT_FOLDERS: tuple[str, ...] = ("requirements", "requirements.d", "requirements/tests")
_REQUIREMENT_FOLDERS += ("tests", "test", "deps", "ci")
_CONDA_FILES = ("*environment*.yml", "*environment*.yaml")
_CONDA_FOLDERS = ("conda", "ci")
_PIXI_TABLES = ("dependencies", "pypi-dependencies", "host-dependencies", "build-dependencies")
# A file of requirements that a setup.py reads.
_MENTIONED = re.compile(r"""["'](\w[\w./-]*requirements[\w.-]*\.(?:txt|in))["']""")
_MOST_FILES = 60


def read_folder(folder: Path, root: Path) -> dict[str, tuple[Statement, ...]]:
    """The statements of the files that lie in one folder, by distribution."""
    collected: dict[str, list[Statement]] = {}
    reader = _Reader(folder, root)
    for statement in reader.statements():
        collected.setdefault(statement.dist, []).append(statement)
    return {dist: tuple(said) for dist, said in collected.items()}


class _Reader:
    """Reads the files of one folder; a file is opened once."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.root = root
        self.seen: set[Path] = set()
        try:
            self.names = sorted(os.listdir(folder))  # noqa: PTH208
        except OSError:
            self.names = []

    def statements(self) -> Iterator[Statement]:
        locks: dict[str, Callable[[Path, str], Iterator[Statement]]] = {
            "uv.lock": self.lock,
            "poetry.lock": self.lock,
            "pdm.lock": self.lock,
            "Pipfile.lock": self.pipfile_lock,
        }
        pins: dict[str, Callable[[Path, str], Iterator[Statement]]] = {
            "pyproject.toml": self.pyproject,
            "hatch.toml": self.hatch_toml,
            "Pipfile": self.pipfile,
            "pixi.toml": self.pixi_toml,
            "setup.cfg": self.setup_cfg,
            "tox.ini": self.tox_ini,
            "setup.py": self.setup_py,
            "noxfile.py": self.noxfile,
        }
        for name in self.names:
            read = locks.get(name)
            if read is None and name.startswith("pylock.") and name.endswith(".toml"):
                read = self.lock
            if read is not None:
                yield from self.read(self.folder / name, read)
        for name, read in pins.items():
            if name in self.names:
                yield from self.read(self.folder / name, read)
        for path in self.conda_files():
            yield from self.read(path, self.conda)
        for path in self.requirement_files():
            yield from self.requirements_file(path, "constraints" in path.name)

    def read(
        self, path: Path, reader: Callable[[Path, str], Iterator[Statement]]
    ) -> Iterator[Statement]:
        if path in self.seen:
            return
        self.seen.add(path)
        try:
            text = disk.plain_text(path, "utf-8-sig")
        except (OSError, ValueError):
            return
        yield from reader(path, text)

    def origin(self, path: Path, line: int) -> str:
        shown = os.path.relpath(path, self.root).replace(os.sep, "/")
        return f"{shown}:{line}"

    def stated(
        self, path: Path, text: str, requirements: Iterable[str], kind: Kind = "pin"
    ) -> Iterator[Statement]:
        """What requirements state that stand somewhere in the text of a file."""
        for written in requirements:
            yield from self.one(written, path, line_of_requirement(text, written.strip()), kind)

    def one(self, written: str, path: Path, line: int, kind: Kind = "pin") -> Iterator[Statement]:
        """What a requirement on a line states, if it is one."""
        statement = requirement(written, self.origin(path, line), path.parent, kind)
        if statement is not None:
            yield statement

    def lock(self, path: Path, text: str) -> Iterator[Statement]:
        """uv.lock, poetry.lock, pdm.lock and pylock.toml: `[[package]]` with name and version.

        Read line by line: a lock file can be megabytes, and its lists of hashes say nothing here.
        """
        line, counted = 1, 0
        for header in _LOCKED.finditer(text):
            line += text.count("\n", counted, header.start())
            counted = header.start()
            values: dict[str, str] = {}
            place: Path | None = None
            position = header.end()
            while True:
                start = position + 1
                position = text.find("\n", start)
                if position < 0:
                    position = len(text)
                entry = text[start:position]
                if not entry.strip() or entry.startswith(_PAST_THE_HEAD):
                    break
                key = _LOCK_KEY.match(entry)
                if key:
                    values.setdefault(key[1], key[2])
                elif entry.startswith("source"):
                    local = _LOCK_PATH.search(entry)
                    if local and local[1] != "url":
                        place = path.parent / local[2]
            if "name" in values:
                yield Statement(
                    normalise(values["name"]),
                    "lock",
                    values.get("version", ""),
                    self.origin(path, line),
                    path=place,
                )

    def pipfile_lock(self, path: Path, text: str) -> Iterator[Statement]:
        import json

        try:
            data = json.loads(text)
        except ValueError:
            return
        for section in ("default", "develop"):
            for name, entry in as_items(as_table(data).get(section)):
                version = as_table(entry).get("version")
                if isinstance(version, str):
                    line = line_of(text, f'"{name}"')
                    version = version.removeprefix("==")
                    yield Statement(normalise(name), "lock", version, self.origin(path, line))

    def pyproject(self, path: Path, text: str) -> Iterator[Statement]:
        data = toml_tables(text)
        project, tool = as_table(data.get("project")), as_table(data.get("tool"))
        uv, pdm, hatch = (as_table(tool.get(name)) for name in ("uv", "pdm", "hatch"))
        lists: list[object] = [project.get("dependencies"), uv.get("dev-dependencies")]
        lists += as_table(project.get("optional-dependencies")).values()
        # Every group is read, so the groups that one includes need no second look.
        lists += as_table(data.get("dependency-groups")).values()
        lists += as_table(pdm.get("dev-dependencies")).values()
        lists += _of_hatch(hatch)
        tox = as_table(tool.get("tox"))
        for environment in (tox.get("env_run_base"), *as_table(tox.get("env")).values()):
            lists += [as_table(environment).get("deps")]
        sources = as_table(uv.get("sources"))
        for listed in lists:
            for statement in self.stated(path, text, strings_in(listed)):
                yield self.with_source(statement, sources, path.parent)
        for name in ("constraint-dependencies", "override-dependencies"):
            yield from self.stated(path, text, strings_in(uv.get(name)), "constraint")
        poetry = as_table(tool.get("poetry"))
        tables = [poetry.get("dependencies"), poetry.get("dev-dependencies")]
        for group in as_table(poetry.get("group")).values():
            tables.append(as_table(group).get("dependencies"))
        yield from self.named(path, text, tables)
        yield from self.pixi(path, text, as_table(tool.get("pixi")))

    def hatch_toml(self, path: Path, text: str) -> Iterator[Statement]:
        """`hatch.toml` has what `[tool.hatch]` of a pyproject.toml may have (hatch 1.0)."""
        for listed in _of_hatch(toml_tables(text)):
            yield from self.stated(path, text, strings_in(listed))

    def pipfile(self, path: Path, text: str) -> Iterator[Statement]:
        data = toml_tables(text)
        yield from self.named(path, text, [data.get("packages"), data.get("dev-packages")])

    def pixi_toml(self, path: Path, text: str) -> Iterator[Statement]:
        yield from self.pixi(path, text, toml_tables(text))

    def pixi(self, path: Path, text: str, workspace: dict[str, Any]) -> Iterator[Statement]:
        """The dependencies of a pixi workspace, of its features and of their platforms.

        (As the reference of pixi's manifest has them: `[dependencies]` are taken from conda.)
        """
        owners = [workspace, *map(as_table, as_table(workspace.get("feature")).values())]
        for owner in tuple(owners):
            owners += map(as_table, as_table(owner.get("target")).values())
        tables = [as_table(owner.get(name)) for owner in owners for name in _PIXI_TABLES]
        for statement in self.named(path, text, tables):
            specifier = of_conda(statement.specifier)
            yield msgspec.structs.replace(statement, specifier=specifier)

    def named(self, path: Path, text: str, tables: Iterable[object]) -> Iterator[Statement]:
        """Tables of `name = "specifier"` or `name = {version = "specifier", ...}`."""
        for table in tables:
            for name, value in as_items(table):
                if name.lower() == "python":
                    continue
                origin = self.origin(path, line_of_key(text, name))
                for entry in value if isinstance(value, list) else [value]:
                    options = {"version": entry} if isinstance(entry, str) else as_table(entry)
                    version = options.get("version", "")
                    local = options.get("path")
                    yield Statement(
                        normalise(name),
                        "pin",
                        version if isinstance(version, str) else "",
                        origin,
                        path=path.parent / local if isinstance(local, str) else None,
                        unknown=any(key in options for key in ("git", "url", "file")),
                    )

    def with_source(self, statement: Statement, sources: dict[str, Any], folder: Path) -> Statement:
        """The statement with what `[tool.uv.sources]` says of where the distribution is taken."""
        for name, entry in sources.items():
            if normalise(name) != statement.dist:
                continue
            for options in entry if isinstance(entry, list) else [entry]:
                options = as_table(options)
                if isinstance(options.get("path"), str):
                    return msgspec.structs.replace(statement, path=folder / options["path"])
                if options.get("workspace") is True:
                    member = self.workspace_member(statement.dist, folder)
                    return msgspec.structs.replace(statement, path=member)
                if "git" in options or "url" in options:
                    return msgspec.structs.replace(statement, unknown=True)
        return statement

    def workspace_member(self, dist: str, folder: Path) -> Path | None:
        """The folder of the uv workspace's project of this name."""
        for top in (folder, *folder.parents):
            uv = as_table(as_table(read_toml(top / "pyproject.toml").get("tool")).get("uv"))
            patterns = list(strings_in(as_table(uv.get("workspace")).get("members")))
            # The top of a workspace is a member of it, named or not.
            members = [top, *(found for pattern in patterns for found in _matches(top, pattern))]
            for member in members if patterns else ():
                name = as_table(read_toml(member / "pyproject.toml").get("project")).get("name")
                if isinstance(name, str) and normalise(name) == dist:
                    return member
            if patterns or top == self.root:
                break
        return None

    def setup_cfg(self, path: Path, text: str) -> Iterator[Statement]:
        sections = ini_sections(text)
        values: list[str] = []
        for key in ("install_requires", "tests_require"):
            values.append(sections.get("options", {}).get(key, ""))
        values.extend(sections.get("options.extras_require", {}).values())
        for value in values:
            yield from self.stated(path, text, value.splitlines())

    def tox_ini(self, path: Path, text: str) -> Iterator[Statement]:
        # A generated file names the same ones for hundreds of environments.
        known: dict[str, tuple[Statement, ...]] = {}
        for name, section in ini_sections(text).items():
            if not name.startswith("testenv"):
                continue
            for entry in section.get("deps", "").splitlines():
                # `py310,lint: pytest>=8` is for some environments only.
                written = re.sub(r"^[\w\-{},.!*]+\s*:\s*(?!//)", "", entry.strip())
                option = re.match(r"-(r|c)\s*(\S+)", written)
                if option:
                    included = option[2].replace("{toxinidir}/", "").replace("{toxinidir}", ".")
                    yield from self.requirements_file(path.parent / included, option[1] == "c")
                    continue
                if written not in known:
                    line = line_of_requirement(text, written.strip())
                    known[written] = tuple(self.one(written, path, line))
                yield from known[written]

    def setup_py(self, path: Path, text: str) -> Iterator[Statement]:
        """Literal requirements given to `setup()`, and those of the files that it reads."""
        from scopecheck.plugins.literals import setup_keywords

        for keyword, expression in setup_keywords(text):
            if keyword in ("install_requires", "tests_require", "extras_require"):
                for written, line in expression:
                    yield from self.one(written, path, line)
        for name in _MENTIONED.findall(text):
            yield from self.requirements_file(self.folder / name, "constraints" in name)

    def noxfile(self, path: Path, text: str) -> Iterator[Statement]:
        """Literal arguments of `session.install()`."""
        from scopecheck.plugins.literals import install_arguments

        for written, line in install_arguments(text):
            yield from self.one(written, path, line)

    def conda_files(self) -> list[Path]:
        found: list[Path] = []
        for folder in (self.folder, *(self.folder / name for name in _CONDA_FOLDERS)):
            for pattern in _CONDA_FILES:
                found.extend(p for p in sorted(folder.glob(pattern)) if p.is_file())
        return found[:_MOST_FILES]

    def conda(self, path: Path, text: str) -> Iterator[Statement]:
        for number, line in enumerate(text.splitlines(), 1):
            match = _CONDA.fullmatch(line)
            if match:
                specifier = of_conda((match[2] or "").strip())
                origin = self.origin(path, number)
                yield Statement(normalise(match[1]), "pin", specifier, origin)

    def requirement_files(self) -> list[Path]:
        found: list[Path] = []
        for pattern in _REQUIREMENT_FILES:
            found.extend(p for p in sorted(self.folder.glob(pattern)) if p.is_file())
        for name in _REQUIREMENT_FOLDERS:
            folder = self.folder / name
            if not folder.is_dir():
                continue
            patterns = ("*.txt", "*.in") if "requirements" in name else _REQUIREMENT_FILES
            for pattern in patterns:
                found.extend(p for p in sorted(folder.glob(pattern)) if p.is_file())
        return found[:_MOST_FILES]

    def requirements_file(self, path: Path, constraint: bool) -> Iterator[Statement]:
        path = Path(os.path.normpath(path))

        def lines(path: Path, text: str) -> Iterator[Statement]:
            pending, first = "", 0
            for number, line in enumerate(text.splitlines(), 1):
                first = first if pending else number
                if line.rstrip().endswith("\\"):
                    pending += line.rstrip()[:-1] + " "
                    continue
                yield from self.requirement_line(path, pending + line, first, constraint)
                pending = ""

        yield from self.read(path, lines)

    def requirement_line(
        self, path: Path, line: str, number: int, constraint: bool
    ) -> Iterator[Statement]:
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        option = re.match(r"(-r|--requirement|-c|--constraint)(?:\s+|=|(?<=-[rc]))(\S+)", line)
        if option:
            yield from self.requirements_file(
                path.parent / option[2], constraint or option[1] in ("-c", "--constraint")
            )
            return
        line = re.sub(r"^(-e|--editable)(\s+|=)", "", line)
        if not line or line.startswith("-"):
            return
        line = re.sub(r"\s--\w.*", "", line)
        yield from self.one(line, path, number, "constraint" if constraint else "pin")


def _of_hatch(hatch: dict[str, Any]) -> Iterator[object]:
    """The lists of requirements of hatch's environments."""
    for environment in as_table(hatch.get("envs")).values():
        yield as_table(environment).get("dependencies")
        yield as_table(environment).get("extra-dependencies")


def _matches(folder: Path, pattern: str) -> list[Path]:
    """What a configuration's glob matches below a folder; nothing where it is no such glob."""
    try:
        return sorted(folder.glob(pattern))
    except (IndexError, NotImplementedError, ValueError):
        # In turn: `.` up to Python 3.12, an absolute path, and an empty or malformed pattern.
        return []
