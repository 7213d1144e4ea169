"""Sets options of pytest's configuration, in the file where it is, and nothing else there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.ini import COMMENT_SIGNS
from scopecheck.pytest_files import ConfigFiles, version_pair
from scopecheck.source import SourceError, Span
from scopecheck.toml import key_lines

if TYPE_CHECKING:
    from pathlib import Path

    from scopecheck.fix.edits import Editor
    from scopecheck.fix.workspace import Workspace
    from scopecheck.pytest_config import PytestConfig
    from scopecheck.suite import Suite

_MODE = "asyncio_mode"
# After which a new option goes, the first that is there.
_NEIGHBOURS = (
    "asyncio_default_fixture_loop_scope",
    "asyncio_default_test_loop_scope",
    _MODE,
)


class Configuration:
    """The configuration file of one suite.

    path: as findings have it; of a file that is to be made where there is none yet.
    exists: whether there is one.
    """

    def __init__(self, workspace: Workspace, suite: Suite) -> None:
        self._workspace = workspace
        self._config: PytestConfig = suite.files.config
        file, self._header = _home(self._config)
        self.path = suite.relative(file)
        self.exists = file.is_file()
        self._toml = file.suffix == ".toml"
        self._files = ConfigFiles(workspace.project.config_texts)
        self._table_line = self._find_table(file)

    @property
    def writable(self) -> bool:
        """Whether an option can be set."""
        if self.path.startswith("../") or self._config.errors:
            return False
        return not self.exists or self._table_line is not None or not self._config.header

    @property
    def configured(self) -> bool:
        """Whether there is a table with options of pytest's."""
        return self.writable and self._table_line is not None

    @property
    def warnings_are_errors(self) -> bool:
        """Whether pytest is told to fail on every warning."""
        filters = self._config.ini.get("filterwarnings", "")
        lines = filters if isinstance(filters, list) else filters.splitlines()
        return any(line.strip() == "error" for line in lines)

    def set(self, options: dict[str, str]) -> None:
        """Set options, each to a word.

        Raises:
            SourceError: the file cannot be read.
        """
        if not options:
            return
        if not self.exists:
            lines = "".join(f"{name} = {value}\n" for name, value in options.items())
            self._workspace.make(self.path, f"[{self._header}]\n{lines}")
            return
        editor = self._workspace.editor(self.path)
        added = {}
        for name, value in options.items():
            line = self._config.option_lines.get(name)
            if line is None:
                added[name] = value
            else:
                self._change(editor, line, value)
        if added:
            self._add(editor, added)

    def _change(self, editor: Editor, line: int, value: str) -> None:
        """Give an option on a line another value; a comment after it stays."""
        text = editor.lines(line, line)
        start = min(text.find(sign) for sign in "=:" if sign in text) + 1
        rest = text[start:].rstrip("\r\n")
        body = rest.strip()
        if self._toml:
            quote = body[:1] if body[:1] in "\"'" else '"'
            end = body.find(quote, 1)
            old = body[: end + 1] if body[:1] == quote and end > 0 else body.split("#")[0].strip()
            value = f"{quote}{value}{quote}"
        else:
            old = body
        at = start + rest.find(old) if old else start
        lead = "" if old else " "
        span = Span(line, at + 1, line, at + 1 + len(old))
        editor.replace(span, f"{lead}{value}")

    def _add(self, editor: Editor, options: dict[str, str]) -> None:
        if self._table_line is None:
            lines = "".join(self._line(name, value, " = ") for name, value in options.items())
            apart = "" if editor.text.line_count == 0 else "\n"
            editor.insert(editor.text.line_count + 1, f"{apart}[{self._header}]\n{lines}")
            return
        after, equals = self._neighbour(editor)
        text = "".join(self._line(name, value, equals) for name, value in options.items())
        editor.insert(after + 1, text)

    def _line(self, name: str, value: str, equals: str) -> str:
        return f'{name}{equals}"{value}"\n' if self._toml else f"{name}{equals}{value}\n"

    def _neighbour(self, editor: Editor) -> tuple[int, str]:
        """The line after which an option goes, and what stands between names and values there."""
        lines = self._config.option_lines
        name = next((name for name in _NEIGHBOURS if name in lines), None)
        first = lines[name] if name is not None else max(lines.values(), default=0)
        if not first:
            assert self._table_line is not None
            return self._table_line, " = "
        text = editor.lines(first, first)
        at = min(text.find(sign) for sign in "=:" if sign in text)
        before = text[: at + 1]
        after = text[at + 1 :]
        tight = not before[:-1].endswith((" ", "\t")) and not after.startswith((" ", "\t"))
        equals = "=" if tight else " = "
        return self._end_of_value(editor, first), equals

    def _end_of_value(self, editor: Editor, line: int) -> int:
        """The last line of an option's value."""
        if self._toml:
            starts = sorted(set(key_lines(editor.source.text).values()))
            later = next((start for start in starts if start > line), editor.text.line_count + 1)
            last = later - 1
        else:
            last = line
            while last < editor.text.line_count and self._continues(editor, last + 1):
                last += 1
        while last > line and self._says_nothing(editor, last):
            last -= 1
        return last

    def _continues(self, editor: Editor, line: int) -> bool:
        text = editor.lines(line, line)
        return not text.strip() or text[0] in " \t" or text[0] in COMMENT_SIGNS

    def _says_nothing(self, editor: Editor, line: int) -> bool:
        text = editor.lines(line, line).strip()
        return not text or text[0] in COMMENT_SIGNS

    def _find_table(self, file: Path) -> int | None:
        """The line of the table's header; None where it has none of its own."""
        if not self.exists:
            return None
        table = self._files.table(file, version_pair(self._config.version))
        if table is None or not table.header:
            return None
        try:
            text = self._workspace.editor(self.path).lines(table.line, table.line)
        except SourceError:
            return None
        # An inline table, or dotted keys, have no header line.
        return table.line if text.lstrip().startswith("[") else None


def _home(config: PytestConfig) -> tuple[Path, str]:
    """The file that holds the configuration, or would, and the header of its table."""
    if config.inifile is not None and (config.header or config.inifile.name != "pyproject.toml"):
        header = config.header or _HEADERS.get(config.inifile.name, "pytest")
        return config.inifile, header
    pyproject = config.rootdir / "pyproject.toml"
    if pyproject.is_file():
        return pyproject, "tool.pytest.ini_options"
    for name in ("setup.cfg", "tox.ini"):
        if (config.rootdir / name).is_file():
            return config.rootdir / name, _HEADERS.get(name, "pytest")
    return config.rootdir / "pytest.ini", "pytest"


_HEADERS = {"setup.cfg": "tool:pytest"}
