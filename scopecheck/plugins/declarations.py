"""The requirements in a folder's lock files and configuration, from text to statements.

    statement     one place that names a distribution, with what it says of the version
    lock          a file that a tool wrote with one version for each distribution of an environment
    pin           a requirement that a person wrote: `pytest>=8,<9`
    constraint    says which version, but does not ask for the distribution to be installed

Reading is by the forms that are in use, and generous: what cannot be understood states nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from scopecheck import disk
from scopecheck.plugins.environment import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Kind: TypeAlias = Literal["lock", "pin", "constraint"]

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?P<rest>.*)",
    re.DOTALL,
)
# An extra with what is needed to test: `tests`, `testing`, `pytest`, `dev-test`.
_TEST_EXTRA = re.compile(r"(?:^|[\s,_.-])(?:py)?test(?:s|ing)?(?=$|[\s,_.-])", re.IGNORECASE)
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


class Statement(msgspec.Struct, frozen=True):
    """One place that names a distribution.

    specifier: as written (`>=8,<9`), "" where every version will do. For a lock, the version.
    origin: `uv.lock:120`; its path is relative to the root. path: the folder of a dependency that
    is taken from the disk. unknown: taken from a URL, whose version is not stated. for_tests: with
    an extra for tests, which may bring plugins along that are stated nowhere.
    """

    dist: str
    kind: Kind
    specifier: str
    origin: str
    path: Path | None = None
    unknown: bool = False
    for_tests: bool = False


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

    # Lock files

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
                    line = _line_of(text, f'"{name}"')
                    version = version.removeprefix("==")
                    yield Statement(normalise(name), "lock", version, self.origin(path, line))

    # Pins

    def pyproject(self, path: Path, text: str) -> Iterator[Statement]:
        import tomli

        try:
            data = tomli.loads(text)
        except tomli.TOMLDecodeError:
            return
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
            for requirement in _strings(listed):
                line = _line_of_requirement(text, requirement.strip())
                statement = self.requirement(requirement, self.origin(path, line))
                if statement:
                    yield self.with_source(statement, sources, path.parent)
        for name in ("constraint-dependencies", "override-dependencies"):
            for requirement in _strings(uv.get(name)):
                line = _line_of_requirement(text, requirement.strip())
                statement = self.requirement(requirement, self.origin(path, line), "constraint")
                if statement:
                    yield statement
        poetry = as_table(tool.get("poetry"))
        tables = [poetry.get("dependencies"), poetry.get("dev-dependencies")]
        for group in as_table(poetry.get("group")).values():
            tables.append(as_table(group).get("dependencies"))
        yield from self.named(path, text, tables)
        yield from self.pixi(path, text, as_table(tool.get("pixi")))

    def hatch_toml(self, path: Path, text: str) -> Iterator[Statement]:
        """`hatch.toml` has what `[tool.hatch]` of a pyproject.toml may have (hatch 1.0)."""
        import tomli

        try:
            data = tomli.loads(text)
        except tomli.TOMLDecodeError:
            return
        for listed in _of_hatch(data):
            for requirement in _strings(listed):
                line = _line_of_requirement(text, requirement.strip())
                statement = self.requirement(requirement, self.origin(path, line))
                if statement:
                    yield statement

    def pipfile(self, path: Path, text: str) -> Iterator[Statement]:
        import tomli

        try:
            data = tomli.loads(text)
        except tomli.TOMLDecodeError:
            return
        yield from self.named(path, text, [data.get("packages"), data.get("dev-packages")])

    def pixi_toml(self, path: Path, text: str) -> Iterator[Statement]:
        import tomli

        try:
            data = tomli.loads(text)
        except tomli.TOMLDecodeError:
            return
        yield from self.pixi(path, text, data)

    def pixi(self, path: Path, text: str, workspace: dict[str, Any]) -> Iterator[Statement]:
        """The dependencies of a pixi workspace, of its features and of their platforms.

        (As the reference of pixi's manifest has them: `[dependencies]` are taken from conda.)
        """
        owners = [workspace, *map(as_table, as_table(workspace.get("feature")).values())]
        for owner in tuple(owners):
            owners += map(as_table, as_table(owner.get("target")).values())
        tables = [as_table(owner.get(name)) for owner in owners for name in _PIXI_TABLES]
        for statement in self.named(path, text, tables):
            specifier = _of_conda(statement.specifier)
            yield msgspec.structs.replace(statement, specifier=specifier)

    def named(self, path: Path, text: str, tables: Iterable[object]) -> Iterator[Statement]:
        """Tables of `name = "specifier"` or `name = {version = "specifier", ...}`."""
        for table in tables:
            for name, value in as_items(table):
                if name.lower() == "python":
                    continue
                origin = self.origin(path, _line_of_key(text, name))
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
        import tomli

        for top in (folder, *folder.parents):
            try:
                data = tomli.loads(disk.plain_text(top / "pyproject.toml"))
            except (OSError, ValueError):
                data = {}
            uv = as_table(as_table(data.get("tool")).get("uv"))
            patterns = list(_strings(as_table(uv.get("workspace")).get("members")))
            # The top of a workspace is a member of it, named or not.
            members = [top, *(found for pattern in patterns for found in _matches(top, pattern))]
            for member in members if patterns else ():
                try:
                    other = tomli.loads(disk.plain_text(member / "pyproject.toml"))
                except (OSError, ValueError):
                    continue
                name = as_table(other.get("project")).get("name")
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
            for requirement in value.splitlines():
                line = _line_of_requirement(text, requirement.strip())
                statement = self.requirement(requirement, self.origin(path, line))
                if statement:
                    yield statement

    def tox_ini(self, path: Path, text: str) -> Iterator[Statement]:
        lines: dict[str, int] = {}
        for name, section in ini_sections(text).items():
            if not name.startswith("testenv"):
                continue
            for entry in section.get("deps", "").splitlines():
                # `py310,lint: pytest>=8` is for some environments only.
                requirement = re.sub(r"^[\w\-{},.!*]+\s*:\s*(?!//)", "", entry.strip())
                option = re.match(r"-(r|c)\s*(\S+)", requirement)
                if option:
                    included = option[2].replace("{toxinidir}/", "").replace("{toxinidir}", ".")
                    yield from self.requirements_file(path.parent / included, option[1] == "c")
                    continue
                line = lines.get(requirement) or _line_of_requirement(text, requirement.strip())
                lines[requirement] = line
                statement = self.requirement(requirement, self.origin(path, line))
                if statement:
                    yield statement

    def setup_py(self, path: Path, text: str) -> Iterator[Statement]:
        """Literal requirements given to `setup()`, and those of the files that it reads."""
        from scopecheck.plugins.literals import setup_keywords

        for keyword, expression in setup_keywords(text):
            if keyword in ("install_requires", "tests_require", "extras_require"):
                for requirement, line in expression:
                    statement = self.requirement(requirement, self.origin(path, line))
                    if statement:
                        yield statement
        for name in _MENTIONED.findall(text):
            yield from self.requirements_file(self.folder / name, "constraints" in name)

    def noxfile(self, path: Path, text: str) -> Iterator[Statement]:
        """Literal arguments of `session.install()`."""
        from scopecheck.plugins.literals import install_arguments

        for requirement, line in install_arguments(text):
            statement = self.requirement(requirement, self.origin(path, line))
            if statement:
                yield statement

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
                specifier = _of_conda((match[2] or "").strip())
                origin = self.origin(path, number)
                yield Statement(normalise(match[1]), "pin", specifier, origin)

    # Requirement files

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
        kind: Kind = "constraint" if constraint else "pin"
        statement = self.requirement(line, self.origin(path, number), kind, path.parent)
        if statement:
            yield statement

    def requirement(
        self, text: str, origin: str, kind: Kind = "pin", folder: Path | None = None
    ) -> Statement | None:
        """The statement of one PEP 508 requirement, a path or a URL; None where it is neither."""
        text = text.strip()
        folder = folder or self.folder
        if re.match(r"(?:[\w+]+:)?//|git\+|(?:\w+\+)?(?:file|https?|ssh):", text):
            egg = re.search(r"#(?:.*&)?egg=([\w.-]+)", text)
            name = egg[1] if egg else text.split("#")[0].rstrip("/").rpartition("/")[2]
            name = re.sub(r"(\.git)?(@.*)?$", "", name)
            return Statement(normalise(name), kind, "", origin, unknown=True) if name else None
        if text.startswith((".", "/")):
            place = Path(
                os.path.normpath(folder / text.partition("[")[0].partition(";")[0].strip())
            )
            return Statement(project_name(place), kind, "", origin, path=place)
        match = _REQUIREMENT.fullmatch(text)
        if match is None:
            return None
        rest = match["rest"].partition(";")[0].strip()
        if rest.startswith("@"):
            return Statement(normalise(match["name"]), kind, "", origin, unknown=True)
        if rest and rest[0] not in "=<>!~(":
            return None
        for_tests = _TEST_EXTRA.search(match["extras"] or "") is not None
        return Statement(normalise(match["name"]), kind, rest, origin, for_tests=for_tests)


def project_name(folder: Path) -> str:
    """The normalised name of the project in this folder; the folder's own where none is stated."""
    data = read_toml(folder / "pyproject.toml")
    for table in (data.get("project"), as_table(data.get("tool")).get("poetry")):
        name = as_table(table).get("name")
        if isinstance(name, str):
            return normalise(name)
    if (folder / "setup.cfg").is_file():
        name = (
            ini_sections(read_text(folder / "setup.cfg"))
            .get("metadata", {})
            .get("name", "")
            .strip()
        )
        if name:
            return normalise(name)
    return normalise(folder.name)


def read_text(path: Path) -> str:
    """The text of a file, empty where there is none to be read."""
    try:
        return disk.plain_text(path, "utf-8-sig")
    except (OSError, ValueError):
        return ""


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file, none where it cannot be read."""
    text = read_text(path)
    if not text:
        return {}
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError:
        return {}


def ini_sections(text: str) -> dict[str, dict[str, str]]:
    """The sections of an INI file, none where it is malformed."""
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {name: dict(parser.items(name)) for name in parser.sections()}


def as_table(value: object) -> dict[str, Any]:
    """The value where it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_items(value: object) -> Iterable[tuple[str, Any]]:
    """The items of a table; none of anything else."""
    return as_table(value).items()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


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


def _of_conda(specifier: str) -> str:
    """A specifier of conda's as one of pip's.

    A single `=` allows what begins so (what follows is the build); a version alone is that one.
    """
    single = re.fullmatch(r"=\s*([\w.!+]+?)(?:\.\*)?(?:=.*)?", specifier)
    if single:
        return f"=={single[1]}.*"
    if specifier == "*":
        return ""
    return f"=={specifier}" if re.fullmatch(r"\d[\w.]*(?:\.\*)?", specifier) else specifier


def _line_of(text: str, part: str) -> int:
    """The line on which this part of a text first stands (1 where it is spelled otherwise)."""
    position = text.find(part)
    return text.count("\n", 0, position) + 1 if position >= 0 else 1


def _line_of_requirement(text: str, requirement: str) -> int:
    """The line on which this requirement stands whole, and not as a part of another word.

    Not searched by one pattern: a generated `tox.ini` has thousands of lines and of requirements.
    """
    start = text.find(requirement) if requirement else -1
    while start >= 0:
        end = start + len(requirement)
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", end)
        line = text[first : last if last >= 0 else len(text)]
        whole = not (
            re.match(r"[\w.:/-]", text[start - 1 : start])
            or re.match(r"[\w.-]", text[end : end + 1])
        )
        # Neither a comment nor the header of a section.
        if whole and not re.match(r"\s*(?:#|\[[^\"']*\]\s*$)", line):
            return text.count("\n", 0, first) + 1
        start = text.find(requirement, end)
    return _line_of(text, requirement)


def _line_of_key(text: str, key: str) -> int:
    match = re.search(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=", text, re.MULTILINE)
    return text.count("\n", 0, match.end()) + 1 if match else 1
