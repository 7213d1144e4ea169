"""Turns `[tool.scopecheck]`, or a `scopecheck.toml`, into settings whose origins are known.

The nearest folder at or above all named paths that has such a configuration is the root. In one
folder `scopecheck.toml` wins over `pyproject.toml`; the two are never merged, nor are folders. What
is wrong is said with the file, the line, the key and what was expected there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec

from scopecheck.finding import Severity
from scopecheck.toml import KeyPath, TomlError, key_lines, line_of, parse_toml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

Scope: TypeAlias = Literal["function", "class", "module", "package", "session"]
Selectors: TypeAlias = tuple[str, ...]
Table: TypeAlias = dict[str, Any]

FILE_NAME = "scopecheck.toml"
EVERYTHING = "ALL"
_VERSION = re.compile(r"\s*v?\d")


class ConfigError(Exception):
    """A wrong configuration, in words for the user; the program ends with status 2."""


def _about(description: str, **more: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, **more)


class KnownFixture(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """A fixture that comes from where scopecheck cannot look, such as a private plugin."""

    name: Annotated[str, _about("The name that tests request.", min_length=1)]
    scope: Annotated[Scope, _about("Its scope.")] = "function"
    autouse: Annotated[bool, _about("Whether every test gets it unasked.")] = False
    is_async: Annotated[bool, _about("Whether it is a coroutine or an async generator.")] = (
        msgspec.field(default=False, name="async")
    )
    loop_scope: Annotated[Scope | None, _about("The scope of the loop that it runs on.")] = None


class FixtureDecorator(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """A decorator that makes a fixture, and whose own code scopecheck cannot look at."""

    name: Annotated[
        str, _about("Its dotted name where it is defined, as `acme.testing.fixture`.", min_length=1)
    ]
    scope: Annotated[Scope, _about("The scope of a fixture that names none.")] = "function"
    runs_async: Annotated[
        bool, _about("Whether it runs coroutines and async generators to their value.")
    ] = False


class EventContract(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """What the tests have to assert of a stream of events."""

    required: Annotated[
        tuple[str, ...], _about("Names of events that a complete flow must send.")
    ] = ()
    pairs: Annotated[
        tuple[tuple[str, str], ...], _about("Events of which one never comes without the other.")
    ] = ()
    order: Annotated[tuple[str, ...], _about("Names in the order in which they must come.")] = ()
    name_at: Annotated[
        tuple[str, ...],
        _about("Where an event keeps its name: a key or attribute, or a path `payload.type`."),
    ] = ()
    capture: Annotated[
        tuple[str, ...], _about("Calls and names that hand out the events (globs).")
    ] = ()
    emit_prefixes: Annotated[
        tuple[str, ...], _about("What stands before an event's name in what sends it: `emit_`.")
    ] = ()
    assert_helpers: Annotated[
        tuple[str, ...], _about("Helpers that assert the contract (globs).")
    ] = ()
    full_flow: Annotated[
        str | None, _about("The tests that promise the whole contract (a glob of paths).")
    ] = None


class RealServices(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """Which tests must use real services, and what they may replace all the same."""

    marks: Annotated[tuple[str, ...], _about("Marks of such tests.")] = ()
    paths: Annotated[tuple[str, ...], _about("Paths (globs) of such tests.")] = ()
    allow: Annotated[
        tuple[str, ...], _about("Dotted names that may be replaced nevertheless (globs).")
    ] = ()


class Settings(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """Every key of the configuration."""

    select: Annotated[
        Selectors | None,
        _about("Rules to check, in place of the default ones: codes, prefixes, names, `ALL`."),
    ] = None
    ignore: Annotated[Selectors, _about("Rules not to check.")] = ()
    extend_select: Annotated[Selectors, _about("Rules to check besides the others.")] = ()
    extend_ignore: Annotated[Selectors, _about("More rules not to check.")] = ()
    preview: Annotated[bool, _about("Check the rules that are still in preview, too.")] = False
    severity: Annotated[
        dict[str, Severity], _about("A severity for a rule (code or name) in place of its own.")
    ] = {}
    respect_gitignore: Annotated[bool, _about("Leave out what git ignores.")] = True
    per_file_ignores: Annotated[
        dict[str, Selectors],
        _about("Rules not to report in the files that a glob names, relative to the root."),
    ] = {}
    exclude: Annotated[
        tuple[str, ...],
        _about("Files and folders to leave out, as lines of a `.gitignore` in the root."),
    ] = ()
    python: Annotated[
        str | None, _about("The Python, or its environment, in which the suite's plugins are.")
    ] = None
    plugins: Annotated[
        dict[str, str],
        _about("Versions of pytest and its plugins; they win over what is found."),
    ] = {}
    known_fixtures: Annotated[
        tuple[str | KnownFixture, ...],
        _about("Fixtures from places where scopecheck cannot look: names, or tables."),
    ] = ()
    fixture_decorators: Annotated[
        tuple[str | FixtureDecorator, ...],
        _about("Decorators that make fixtures: dotted names, or tables."),
    ] = ()
    context_factories: Annotated[
        tuple[str, ...],
        _about("Functions, classes and fixtures that make a user's or request's context (globs)."),
    ] = ()
    assert_functions: Annotated[
        tuple[str, ...], _about("Functions that assert, by plain or dotted name (globs).")
    ] = ()
    paired_calls: Annotated[
        dict[str, str],
        _about("Calls that change a state, each with the call that puts it back."),
    ] = {}
    events: Annotated[dict[str, EventContract], _about("The event contracts, by name.")] = {}
    real_services: Annotated[RealServices | None, _about("Which tests must use real services.")] = (
        None
    )
    baseline: Annotated[str | None, _about("The baseline file, relative to the root.")] = None
    cache_dir: Annotated[
        str, _about("Where the cache lies, relative to the root.", min_length=1)
    ] = ".scopecheck_cache"
    jobs: Annotated[
        int | None, _about("How many processes to use; none given: one for each core.")
    ] = None


class LoadedSettings(msgspec.Struct, frozen=True):
    """Settings, and where they come from.

    origins: for each key in kebab-case `FILE:LINE`, or `default`.
    """

    settings: Settings
    root: Path
    file: Path | None
    origins: dict[str, str]


class _Source(msgspec.Struct, frozen=True):
    """A configuration file that was found, and the table in it."""

    file: Path
    prefix: KeyPath
    table: Table
    lines: dict[KeyPath, int]
    shown: str

    def place(self, path: KeyPath) -> str:
        """`file:line` of a key."""
        return f"{self.shown}:{line_of(self.lines, (*self.prefix, *path))}"


def load_settings(
    paths: Sequence[Path] = (),
    *,
    config: Path | None = None,
    isolated: bool = False,
    root: Path | None = None,
    cwd: Path | None = None,
    known_rules: Collection[str] | None = None,
) -> LoadedSettings:
    """The settings in force for the named paths (none: for the working directory).

    config: a file to read in place of the one that would be found; isolated: read none. Neither
    changes what the root is. known_rules: codes and names of all rules, to check the selectors by.

    Raises:
        ConfigError: the configuration cannot be read, or something in it is wrong.
    """
    cwd = cwd or Path.cwd()
    source: _Source | None = None
    if root is not None:
        root = _absolute(cwd, root)
        if not root.is_dir():
            raise ConfigError(f"--root: {root} is no folder")
        source = None if isolated or config else _in_folder(root, cwd)
    else:
        start = _common_folder(cwd, paths)
        for folder in (start, *start.parents):
            if isolated or config:
                source = _in_folder(folder, cwd, lenient=True)
            else:
                source = _in_folder(folder, cwd)
            if source is not None:
                root = folder
                break
        else:
            root = repository_top(start) or _project_folder(start, cwd)
    if isolated:
        source = None
    elif config is not None:
        source = _explicit(_absolute(cwd, config), cwd)
    if source is None:
        return LoadedSettings(Settings(), root, None, _origins(None))
    settings = _convert(source)
    if known_rules is not None:
        _check_selectors(source, settings, known_rules)
    return LoadedSettings(settings, root, source.file, _origins(source))


def settings_schema() -> dict[str, Any]:
    """The JSON schema of the configuration."""
    schema = msgspec.json.schema(Settings)
    title = "scopecheck's configuration"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def _absolute(cwd: Path, path: Path) -> Path:
    return Path(os.path.abspath(cwd / path))  # noqa: PTH100 - `resolve` would follow links


def _common_folder(cwd: Path, paths: Sequence[Path]) -> Path:
    named = [_absolute(cwd, Path(str(path).split("::", 1)[0])) for path in paths] or [cwd]
    try:
        common = Path(os.path.commonpath(named))
    except ValueError:  # on different drives
        common = named[0]
    return common if common.is_dir() else common.parent


_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "pytest.toml", "tox.ini")


def _project_folder(start: Path, cwd: Path) -> Path:
    """The root where there is neither a configuration nor a repository: the working directory.

    One that is no project itself, with one below it on the way to the paths, is not meant: it may
    be a whole disk.
    """
    if not start.is_relative_to(cwd):
        return start
    for folder in (start, *start.parents):
        if any((folder / name).is_file() for name in _PROJECT_FILES):
            return folder if folder.is_relative_to(cwd) else cwd
        if folder == cwd:
            break
    return cwd


def repository_top(start: Path) -> Path | None:
    """The nearest folder at or above this one that is the top of a repository."""
    for folder in (start, *start.parents):
        if any((folder / name).exists() for name in (".git", ".hg", ".jj")):
            return folder
    return None


def _in_folder(folder: Path, cwd: Path, *, lenient: bool = False) -> _Source | None:
    own = folder / FILE_NAME
    if own.is_file():
        return _Source(own, (), {}, {}, "") if lenient else _read(own, (), cwd)
    pyproject = folder / "pyproject.toml"
    if not pyproject.is_file():
        return None
    try:
        return _read(pyproject, ("tool", "scopecheck"), cwd)
    except ConfigError:
        # A file that does not speak of scopecheck is for others to complain about.
        if lenient or b"scopecheck" not in pyproject.read_bytes():
            return None
        raise


def _explicit(file: Path, cwd: Path) -> _Source:
    if file.name == "pyproject.toml":
        source = _read(file, ("tool", "scopecheck"), cwd)
        if source is None:
            raise ConfigError(f"--config: {_shown(file, cwd)} has no [tool.scopecheck] table")
        return source
    return _read(file, (), cwd) or _Source(file, (), {}, {}, _shown(file, cwd))


def _read(file: Path, prefix: KeyPath, cwd: Path) -> _Source | None:
    shown = _shown(file, cwd)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown}: is not encoded in UTF-8") from None
    if prefix and "scopecheck" not in text:
        return None
    try:
        table: Any = parse_toml(text)
    except TomlError as error:
        raise ConfigError(f"{shown}:{error.line}: is no TOML: {error.message}") from None
    lines = key_lines(text)
    for index, key in enumerate(prefix):
        table = table.get(key)
        if table is None:
            return None
        if not isinstance(table, dict):
            place = f"{shown}:{line_of(lines, prefix[: index + 1])}"
            raise ConfigError(f"{place}: {'.'.join(map(str, prefix))}: expected a table")
    return _Source(file, prefix, table, lines, shown)


def _shown(file: Path, cwd: Path) -> str:
    return str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)


def _origins(source: _Source | None) -> dict[str, str]:
    return {
        name: source.place((name,)) if source and name in source.table else "default"
        for name in Settings.__struct_encode_fields__
    }


def _convert(source: _Source) -> Settings:
    try:
        settings = msgspec.convert(source.table, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(source, str(error))) from None
    if settings.jobs is not None and settings.jobs < 1:
        raise _wrong(source, ("jobs",), f"expected a number of processes, got {settings.jobs}")
    for name, version in settings.plugins.items():
        if not _VERSION.match(version):
            what = f"expected a version like `1.5.0`, got {version!r}"
            raise _wrong(source, ("plugins", name), what)
    return settings


def _wrong(source: _Source, path: KeyPath, what: str) -> ConfigError:
    key = _dotted((*source.prefix, *path))
    return ConfigError(f"{source.place(path)}: {key}: {what}")


_WORDS = {
    "array": "a list",
    "object": "a table",
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}


def _explained(source: _Source, message: str) -> str:
    """msgspec's words for what is wrong, as words for a user."""
    what, _, at = message.partition(" - at ")
    path, in_key = _path_in(source.table, at.strip("`"))
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what)
    if unknown:
        path = (*path, unknown[1])
        what = "unknown key" + _hint(unknown[1], _keys_at(path[:-1]))
        if unknown[1] == "tool" and not source.prefix:
            what = f"in {FILE_NAME} the keys stand at the top, without [tool.scopecheck]"
    elif missing := re.fullmatch(r"Object missing required field `(.*)`", what):
        what = f"the key `{missing[1]}` is missing"
    elif wanted := re.fullmatch(r"Expected `(.*)`, got `(.*)`", what):
        kinds = [_WORDS.get(kind.strip(), kind.strip()) for kind in wanted[1].split("|")]
        kinds = [kind for kind in kinds if kind != "nothing"]
        what = f"expected {' or '.join(kinds)}, got {_WORDS.get(wanted[2], wanted[2])}"
    elif choice := re.fullmatch(r"Invalid enum value '(.*)'", what):
        choices = _choices(path)
        what = f"unknown value {choice[1]!r}"
        if choices:
            what += f"; expected one of {', '.join(choices)}" + _hint(choice[1], choices)
    elif re.fullmatch(r"Expected `str` of length >= 1", what):
        what = "expected a string that is not empty"
    elif length := re.fullmatch(r"Expected `array` of length (\d+)(?:, got (\d+))?", what):
        what = f"expected a list of {length[1]} strings"
    if in_key:
        what = f"a key of the table: {what}"
    return str(_wrong(source, path, what))


def _path_in(table: Table, at: str) -> tuple[KeyPath, bool]:
    """The keys that msgspec's path leads along; `[...]` stands for a key that must be searched."""
    path: KeyPath = ()
    value: Any = table
    in_key = False
    for key, index, some in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]|\[(\.\.\.)\]", at):
        if index:
            path = (*path, int(index))
            value = value[int(index)] if isinstance(value, list) else None
        elif some:
            # msgspec does not say which of a mapping's values is wrong.
            name = _culprit(path, value)
            if name is None:
                break
            path = (*path, name)
            value = value[name]
        elif key:
            path = (*path, key)
            value = value.get(key) if isinstance(value, dict) else None
    return path, in_key


def _culprit(path: KeyPath, mapping: Any) -> str | None:
    kinds: dict[KeyPath, Any] = {
        ("severity",): Severity,
        ("per-file-ignores",): Selectors,
        ("plugins",): str,
        ("paired-calls",): str,
        ("events",): EventContract,
    }
    if path in kinds and isinstance(mapping, dict):
        for name, value in mapping.items():
            try:
                msgspec.convert(value, kinds[path])
            except msgspec.ValidationError:
                return str(name)
    return None


def _choices(path: KeyPath) -> list[str]:
    last = path[-1] if path else ""
    if path[:1] == ("severity",):
        return ["error", "warning"]
    if last in ("scope", "loop-scope"):
        return ["function", "class", "module", "package", "session"]
    return []


def _keys_at(path: KeyPath) -> Sequence[str]:
    structs: dict[str | int, type[msgspec.Struct]] = {
        "events": EventContract,
        "real-services": RealServices,
        "known-fixtures": KnownFixture,
        "fixture-decorators": FixtureDecorator,
    }
    kind = structs.get(path[0], Settings) if path else Settings
    return kind.__struct_encode_fields__


def _hint(word: str, choices: Iterable[str]) -> str:
    import difflib

    plain = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.replace("_", "-").lower(), plain, n=1, cutoff=0.6)
    return f"; did you mean `{plain[close[0]]}`?" if close else ""


def _dotted(path: KeyPath) -> str:
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]+", key):
            text += f".{key}"
        else:
            text += f'."{key}"'
    return text.lstrip(".")


def _check_selectors(source: _Source, settings: Settings, known_rules: Collection[str]) -> None:
    for path, selector in _selectors(settings):
        wrong = _wrong_selector(selector, known_rules)
        if wrong:
            raise _wrong(source, path, wrong)
    for rule in settings.severity:
        if rule not in known_rules:
            raise _wrong(
                source,
                ("severity", rule),
                f"{rule!r} is no rule's code or name{_hint_rule(rule, known_rules)}",
            )


def _selectors(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    lists = {
        "select": settings.select or (),
        "ignore": settings.ignore,
        "extend-select": settings.extend_select,
        "extend-ignore": settings.extend_ignore,
    }
    for key, selectors in lists.items():
        for index, selector in enumerate(selectors):
            yield (key, index), selector
    for pattern, selectors in settings.per_file_ignores.items():
        for index, selector in enumerate(selectors):
            yield ("per-file-ignores", pattern, index), selector


def _wrong_selector(selector: str, known_rules: Collection[str]) -> str:
    """What is wrong with a selector; empty if it names a rule."""
    if selector == EVERYTHING or selector in known_rules:
        return ""
    if re.fullmatch(r"SCP\d*", selector) and any(rule.startswith(selector) for rule in known_rules):
        return ""
    hint = _hint_rule(selector, known_rules)
    return f"{selector!r} names no rule{hint or '; expected a code, a prefix, a name or `ALL`'}"


def _hint_rule(word: str, known_rules: Collection[str]) -> str:
    if word.upper() in known_rules or word.upper() == EVERYTHING:
        return f"; did you mean `{word.upper()}`?"
    # Codes are too much alike for one to be a hint for another.
    return _hint(word, sorted(rule for rule in known_rules if not rule.startswith("SCP")))
