"""Makes suites at random, and edits of them, so that runs after an edit can be held against others.

A suite is a section of a rule page, two of them in one, one made here with conftests in folders of
folders, or a few files of a real one. An edit is of the kind that people make: a test added,
renamed or taken out, a parameter, a mark, a statement more, a fixture, an import. What it puts in
comes from the pages, from the other files of the suite, and from the words that rules look for.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scopecheck import rulebook, testing
from scopecheck.config import Settings

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from scopecheck.rulebook import Example

PLUGINS = {"pytest": "9.0.0", "pytest-asyncio": "1.3.0", "anyio": "4.9.0"}
_FURTHER = Path(__file__).with_name("suites")
_BUILT_IN = ("tmp_path", "monkeypatch", "capsys", "caplog", "request", "tmp_path_factory")
_SCOPES = ("function", "class", "module", "package", "session")
_VALUES = ("[]", "{}", "1", "'x'", "set()", "object()", "Recorder()", "[1, 2]", "open('x')")
_NAMES = ("box", "client", "store", "bus", "conf", "anyio_backend", "event_loop", "loop", "events")
_FOLDERS = ("", "one/", "one/two/", "one/two/three/", "other/")
_HELPERS = """import functools

LOG = []
STATE = {"a": 1}

class Recorder:
    seen = []
    def __init__(self):
        self.events = []
    def check(self):
        assert self.events

@functools.lru_cache
def conf():
    return {}

def change(value):
    value.append(1)

def check(value):
    assert value
"""
# Statements of tests and fixtures; {own} is a parameter, {name} any name of the suite's modules.
_STATEMENTS = (
    *("value = 1", "print(value)", "assert 1 + 1 == 2", "assert (1, 'x')", "return", "pass"),
    *("{own}.append(1)", "{own}['x'] = 1", "{own}.value = 3", "assert {own} == []"),
    *("{own}.clear()", "{own}.add(1)", "assert 'x' in {own}", "assert len({own}) == 1"),
    *("assert {own}['x'] == 1", "assert {own}.value", "del {own}['x']", "{own}.update(a=1)"),
    *("{name}.append(1)", "{name}['x'] = 1", "{name}.seen.append(1)", "assert {name} == []"),
    *("assert {name}.seen == []", "{name}()['a'] = 1", "assert {name}() == {{}}", "{name}()"),
    *("import os; os.environ['A'] = 'b'", "import os; os.chdir('/')", "import os; os.umask(0)"),
    *("import sys; sys.path.insert(0, 'x')", "import random; random.seed(1)", "global found"),
    *("from unittest import mock; mock.patch('os.getcwd').start()", "import os; os.sep = 'x'"),
    *("import asyncio; asyncio.run(main())", "import asyncio; asyncio.get_event_loop().close()"),
    *("import asyncio; {own}.lock = asyncio.Lock()", "await {own}.send('x')", "{own}.send('x')"),
    *("events = []", "events.append('agent_started')", "assert 'agent_started' in events"),
    *("assert 'agent_completed' in events", "bus.emit('tool_executing')", "assert events"),
    *("request.getfixturevalue('{fixture}')", "request.getfixturevalue(name)", "check({own})"),
    *("change({own})", "{own}.check()", "assert all(x for x in {own})", "for x in {own}: assert x"),
    *("from helpers import LOG; LOG.append(1)", "from helpers import LOG; assert LOG == []"),
    *("import socket; socket.socket().bind(('', 8080))", "open('/tmp/x', 'w').write('x')"),
    *("token.set(1)", "monkeypatch.setattr(os, 'sep', 'x')", "monkeypatch.setenv('A', 'b')"),
)
_MARKS = (
    *("pytest.mark.skip", "pytest.mark.skipif(True, reason='')", "pytest.mark.xfail"),
    *("pytest.mark.asyncio", "pytest.mark.asyncio(loop_scope='module')", "pytest.mark.anyio"),
    *("pytest.mark.usefixtures('{fixture}')", "pytest.mark.parametrize('{fixture}', [1, 2])"),
    *("pytest.mark.parametrize('{fixture}', [[1], [2]], indirect=True)", "pytest.mark.slow"),
    *("pytest.mark.parametrize('n', [{{}}, []])", "pytest.fixture", "mock.patch('os.getcwd')"),
    *("pytest.fixture(scope='session')", "pytest.fixture(autouse=True)", "staticmethod"),
    *("pytest.fixture(params=[1, 2])", "pytest.mark.asyncio(scope='class')", "pytest.mark.trio"),
)
_TOPS = (
    *("import json", "import nest_asyncio", "from helpers import *", "import helpers"),
    *("from helpers import LOG", "from conftest import {fixture}", "from .conftest import *"),
    *("import pytest", "import os\nos.environ['A'] = 'b'", "pytest_plugins = ['pytester']"),
    *("NAMES = ['{fixture}']", "SHARED = []", "pytestmark = pytest.mark.asyncio", "found = None"),
    *("pytestmark = pytest.mark.usefixtures('{fixture}')", "def setup_module(): ...", "main = 1"),
    *("class Kind:\n    def test_kind(self): ...", "class TestKind(Kind): ...", "del helpers"),
    *("pytest.skip('', allow_module_level=True)", "__test__ = False", "async def main(): ..."),
    *("def pytest_generate_tests(metafunc): ...", "# scopecheck: ignore-file[SCP303]"),
    *("async def test_bare(): ...", "def helper(): assert True", "from unittest import mock"),
)

_TEST = re.compile(r"(?:^|/)(?:test_\w*|\w*_test)\.py$")
_DEF = re.compile(r"^([ \t]*)((?:async )?def )(\w+)\(([^()\n]*)\)([^\n]*)$", re.MULTILINE)
_TOP_NAME = re.compile(r"^(?:def |class |async def )?(\w+)(?=[ :(=])", re.MULTILINE)


class Made(NamedTuple):
    """A suite: its files by path, and the settings that it is analysed with."""

    files: dict[str, str]
    settings: Settings


def is_test(path: str) -> bool:
    """Whether pytest collects a file of this name."""
    return _TEST.search(path) is not None


def is_conftest(path: str) -> bool:
    """Whether it is a conftest."""
    return PurePosixPath(path).name == "conftest.py"


@cache
def sections() -> tuple[Example, ...]:
    """All sections of the pages that are suites."""
    pages = sorted(rulebook.pages_folder().glob("*.md")) + sorted(_FURTHER.glob("*.md"))
    found = (example for page in pages for example in rulebook.read_examples(page))
    return tuple(one for one in found if any(is_test(file.path) for file in one.files))


def made(chance: random.Random) -> Made:
    """A suite of the pages, of two of them, or with conftests in folders of folders."""
    match chance.randrange(8):
        case 0 | 1:
            one = chance.choice(sections())
            return _chosen(_files(one), one, chance)
        case 2 | 3 | 4:
            one = chance.choice(sections())
            same = [other for other in sections() if other.rule == one.rule]
            files = _together(_files(one), _files(chance.choice(same)))
            return _chosen(files, one, chance)
        case 5:
            one = chance.choice(sections())
            return _chosen(_together(_files(one), layered(chance)), one, chance)
        case _:
            rules = chance.choice((None, ("ALL",)))
            return Made(layered(chance), Settings(select=rules, plugins=PLUGINS))


def sampled(folder: Path, chance: random.Random, most: int = 12) -> Made:
    """A few test files of a real suite, with the modules and conftests around them."""
    every = [path for path in sorted(folder.rglob("*.py")) if path.is_file()]
    paths = [path.relative_to(folder).as_posix() for path in every]
    tests = [path for path in paths if is_test(path)]
    parent = str(PurePosixPath(chance.choice(tests)).parent)
    near = [path for path in tests if path.startswith(parent)]
    chosen = set(chance.sample(near, min(len(near), most)))
    chosen |= {path for path in paths if is_conftest(path)}
    others = [path for path in paths if not is_test(path) and "test" in path]
    chosen |= set(others[: 5 * most])
    files = {}
    for path in sorted(chosen):
        data = (folder / path).read_bytes()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            continue
        if len(text) < 60_000:
            files[path] = text
    for name in ("pytest.ini", "pyproject.toml", "setup.cfg", "tox.ini"):
        if (folder / name).is_file():
            files[name] = (folder / name).read_text(errors="replace")
    return Made(files, Settings(select=chance.choice((None, None, ("ALL",)))))


def _files(example: Example) -> dict[str, str]:
    return {file.path: file.text for file in example.files}


def _chosen(files: dict[str, str], example: Example, chance: random.Random) -> Made:
    settings = testing.settings_of(example)
    if chance.random() < 0.7:
        every = chance.choice((None, ("ALL",)))
        settings = msgspec.structs.replace(settings, select=every)
    return Made(files, settings)


def _together(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    files = dict(one)
    for path, text in other.items():
        if path not in files:
            files[path] = text
        elif is_conftest(path):
            files[path] += f"\n\n{text}"
        elif path.endswith(".py"):
            base = path.removesuffix(".py")
            files[f"{base}_2.py" if is_test(path) else path] = text
    return files


def layered(chance: random.Random) -> dict[str, str]:
    """A suite with a conftest in most folders, whose fixtures use and override each other."""
    files = {"pytest.ini": "[pytest]\n", "helpers.py": _HELPERS}
    if chance.random() < 0.5:
        mode = chance.choice(("strict", "auto"))
        files["pytest.ini"] += f"asyncio_mode = {mode}\npythonpath = .\n"
    names = chance.sample(_NAMES, chance.randint(2, 5))
    for folder in _FOLDERS:
        if chance.random() < 0.75:
            count = chance.randint(1, 3)
            texts = [_fixture(chance, names) for _ in range(count)]
            files[f"{folder}conftest.py"] = "\n\n".join((_head(chance), *texts))
        for number in range(chance.randrange(3)):
            texts = [_test(chance, names, index) for index in range(chance.randint(1, 4))]
            texts += [_fixture(chance, names)] * (chance.random() < 0.2)
            path = f"{folder}test_{folder.strip('/').replace('/', '_') or 'top'}_{number}.py"
            files[path] = "\n\n".join((_head(chance), *texts))
    files.setdefault("test_last.py", "def test_last(): ...\n")
    return files


def _head(chance: random.Random) -> str:
    lines = ["import asyncio", "import os", "import pytest"]
    lines += chance.sample(["from helpers import *", "from unittest import mock", "LOCAL = []"], 1)
    return "\n".join(lines)


def _fixture(chance: random.Random, names: Sequence[str]) -> str:
    name = chance.choice(names)
    options = []
    if chance.random() < 0.5:
        options.append(f"scope={chance.choice(_SCOPES)!r}")
    if chance.random() < 0.1:
        options.append("autouse=True")
    if chance.random() < 0.1:
        options.append("params=[1, 2]")
    others = chance.sample([*names, "tmp_path", "request"], chance.choice((0, 0, 0, 1, 1, 2)))
    kind = chance.choice(("def", "def", "def", "async def"))
    decorator = chance.choice(("pytest.fixture", "pytest.fixture", "pytest_asyncio.fixture"))
    ends = chance.choice(("return", "return", "yield"))
    listed = f"({', '.join(options)})" if options else ""
    head = f"@{decorator}{listed}\n{kind} {name}({', '.join(dict.fromkeys(others))}):\n"
    return f"{head}    {ends} {chance.choice(_VALUES)}\n"


def _test(chance: random.Random, names: Sequence[str], index: int) -> str:
    asked = chance.sample([*names, *_BUILT_IN[:3]], chance.choice((0, 1, 1, 2)))
    kind = chance.choice(("def", "def", "def", "async def"))
    mark = f"@{_filled(chance.choice(_MARKS), chance, names, asked)}\n"
    body = [_filled(chance.choice(_STATEMENTS), chance, names, asked) for _ in range(2)]
    lines = "".join(f"    {line}\n" for line in [*body, "assert asyncio"])
    return f"{mark * (chance.random() < 0.3)}{kind} test_{index}({', '.join(asked)}):\n{lines}"


def _filled(
    text: str, chance: random.Random, fixtures: Sequence[str], own: Sequence[str] = ()
) -> str:
    fixture = chance.choice(fixtures or ["box"])
    return text.format(
        fixture=fixture,
        own=chance.choice(own or [fixture]),
        name=chance.choice(["LOG", "STATE", "Recorder", "conf", "SHARED", "LOCAL", *fixtures]),
    )


class Editor:
    """Edits the files of one suite.

    Args:
        files: the suite's, by path; what is edited is written there.
        chance: decides.
        wild: also edits conftests and other modules, breaks, adds and takes out files.
    """

    def __init__(self, files: dict[str, str], chance: random.Random, *, wild: bool = False) -> None:
        self._files = files
        self._chance = chance
        self._wild = wild
        self._kinds: tuple[tuple[int, Callable[[str], str]], ...] = (
            *((4, self.add_test), (2, self.add_test_above), (3, self.copy), (2, self.delete)),
            *((3, self.rename), (2, self.swap), (4, self.transplant), (3, self.request)),
            *((1, self.drop_request), (3, self.mark), (2, self.unmark), (5, self.state)),
            *((2, self.delete_line), (3, self.top), (2, self.comment), (2, self.number)),
            *((1, self.word), (2, self.fixture), (1, self.in_class), (1, self.add_async)),
            *((1, self.parametrize), (1, self.silence)),
        )

    def edit(self) -> str:
        """Edit a file; which, and how."""
        chance, files = self._chance, self._files
        python = [path for path in files if path.endswith(".py")]
        if self._wild and chance.random() < 0.05:
            return self._files_edited(python)
        pool = [path for path in python if is_test(path)]
        if not pool or (chance.random() < (0.3 if self._wild else 0.1)):
            pool = [path for path in python if is_conftest(path)] or python
            if chance.random() < 0.3:
                pool = python
        path = chance.choice(pool)
        weights = [weight for weight, _ in self._kinds]
        for _ in range(10):
            kind = chance.choices(self._kinds, weights)[0][1]
            text = kind(files[path])
            if text != files[path]:
                files[path] = text
                return f"{kind.__name__} {path}"
        return ""

    def _files_edited(self, python: Sequence[str]) -> str:
        chance = self._chance
        path = chance.choice(python)
        match chance.randrange(3):
            case 0 if len(python) > 2:
                del self._files[path]
                return f"gone {path}"
            case 1:
                self._files[path] += "\n)\n"
                return f"broken {path}"
            case _:
                new = f"{path.rpartition('/')[0]}/test_new_{chance.randrange(9)}.py".lstrip("/")
                self._files[new] = _head(chance) + "\n\n" + _test(chance, self._fixtures(), 1)
                return f"new {new}"

    def _fixtures(self) -> list[str]:
        found = [
            name
            for path, text in self._files.items()
            if path.endswith(".py")
            for name in re.findall(r"fixture.*\n(?:async )?def (\w+)", text)
        ]
        return [*found, *_BUILT_IN[:4]]

    def _filled(self, text: str, own: Sequence[str] = ()) -> str:
        filled = _filled(text, self._chance, self._fixtures(), own)
        names = [n for one in self._files.values() for n in _TOP_NAME.findall(one[:2000])]
        return filled if self._chance.random() < 0.5 else _renamed(filled, names, self._chance)

    def _pieces(self, text: str) -> list[str]:
        return list(pieces(text))

    def _choose(self, text: str, what: str = "def test") -> tuple[list[str], int] | None:
        pieces = self._pieces(text)
        found = [index for index, piece in enumerate(pieces) if what in piece]
        return (pieces, self._chance.choice(found)) if found else None

    def add_test(self, text: str) -> str:
        """A test at the end."""
        body = "".join(f"    {line}\n" for line in self._lines())
        asked = self._chance.choice(["", "", "", *self._fixtures()])
        name = self._chance.choice(("test_added", "test_a", "test_more"))
        return f"{text}\n\ndef {name}_{self._chance.randrange(9)}({asked}):\n{body}"

    def add_test_above(self, text: str) -> str:
        """A test in the middle."""
        found = self._choose(text, "def ")
        if found is None:
            return text
        pieces, index = found
        pieces.insert(index, "def test_above():\n    value = [1]\n    assert value == [1]\n\n\n")
        return "".join(pieces)

    def add_async(self, text: str) -> str:
        """An async test."""
        mark = self._chance.choice(_MARKS[3:6])
        body = "".join(f"    {line}\n" for line in self._lines())
        head = f"import pytest\n@{mark}\nasync def test_async_{self._chance.randrange(9)}"
        return f"{text}\n\n{head}({self._chance.choice(self._fixtures())}):\n{body}"

    def parametrize(self, text: str) -> str:
        """A test with parameters."""
        ids = self._chance.choice(("", ", ids=['a', 'b']", ", ids=str"))
        mark = f"@pytest.mark.parametrize('n', [1, 2]{ids})"
        return f"{text}\n\nimport pytest\n{mark}\ndef test_n(n):\n    assert n\n"

    def copy(self, text: str) -> str:
        """A test once more, under another name."""
        found = self._choose(text)
        if found is None:
            return text
        pieces, index = found
        again = re.sub(r"def (test\w*)\(", r"def \1_again(", pieces[index], count=1)
        pieces.insert(index + 1, again)
        return "".join(pieces)

    def delete(self, text: str) -> str:
        """A statement of the module taken out, be it a test."""
        found = self._choose(text, self._chance.choice(("def test", "def test", "")))
        if found is None:
            return text
        pieces, index = found
        del pieces[index]
        return "".join(pieces)

    def rename(self, text: str) -> str:
        """A test, or the class or fixture, under another name."""
        names = re.findall(r"(?:def|class) (\w+)[(:]", text)
        tests = [name for name in names if name.lower().startswith("test")]
        if not names:
            return text
        name = self._chance.choice(tests if tests and self._chance.random() < 0.8 else names)
        return re.sub(rf"\b{name}\b", f"{name}_x", text)

    def swap(self, text: str) -> str:
        """Two statements of the module in the other order."""
        pieces = self._pieces(text)
        if len(pieces) < 2:
            return text
        one, other = self._chance.sample(range(len(pieces)), 2)
        pieces[one], pieces[other] = pieces[other], pieces[one]
        return "".join(pieces)

    def transplant(self, text: str) -> str:
        """A statement of another file of the suite, or of a page."""
        if self._chance.random() < 0.6:
            source = self._chance.choice([t for p, t in self._files.items() if p.endswith(".py")])
        else:
            source = self._chance.choice(self._chance.choice(sections()).files).text
        pieces = self._pieces(source)
        if not pieces:
            return text
        at = self._chance.randrange(len(pieces))
        return f"{text}\n\n{''.join(pieces[at : at + self._chance.randint(1, 2)])}"

    def in_class(self, text: str) -> str:
        """A class with two tests."""
        chance = self._chance
        base = chance.choice(("", "", "(unittest.TestCase)", "(Kind)"))
        lines = [self._filled(chance.choice(_STATEMENTS), ["self.seen"]) for _ in range(2)]
        name = f"TestMore{chance.randrange(3)}"
        bodies = (f"    def test_{i}(self):\n        {line}\n" for i, line in enumerate(lines))
        return f"{text}\n\nimport unittest\nclass {name}{base}:\n    seen = []\n{''.join(bodies)}"

    def _function(self, text: str) -> re.Match[str] | None:
        found = list(_DEF.finditer(text))
        return self._chance.choice(found) if found else None

    def request(self, text: str) -> str:
        """A parameter more."""
        found = self._function(text)
        if found is None:
            return text
        asked = found[4].strip().rstrip(",")
        more = self._chance.choice(self._fixtures())
        listed = f"{asked}, {more}" if asked else more
        head = f"{found[1]}{found[2]}{found[3]}({listed}){found[5]}"
        return text[: found.start()] + head + text[found.end() :]

    def drop_request(self, text: str) -> str:
        """A parameter less."""
        found = self._function(text)
        if found is None or "," not in found[4]:
            return text
        head = f"{found[1]}{found[2]}{found[3]}({found[4].rpartition(',')[0]}){found[5]}"
        return text[: found.start()] + head + text[found.end() :]

    def mark(self, text: str) -> str:
        """A decorator more."""
        found = self._function(text)
        if found is None:
            return text
        line = f"{found[1]}@{self._filled(self._chance.choice(_MARKS))}\n"
        return text[: found.start()] + line + text[found.start() :]

    def unmark(self, text: str) -> str:
        """A decorator less."""
        return self._without_one(r"^[ \t]*@.*\n", text)

    def fixture(self, text: str) -> str:
        """A fixture more, or another scope of one."""
        if self._chance.random() < 0.4 and "scope=" in text:
            scope = self._chance.choice(_SCOPES)
            return re.sub(r"scope=[\"']\w+[\"']", f"scope='{scope}'", text, count=1)
        names = self._fixtures() if self._chance.random() < 0.4 else ["fresh", "other_fixture"]
        return f"{text}\n\nimport pytest\n{_fixture(self._chance, names)}"

    def _lines(self) -> list[str]:
        count = self._chance.randint(1, 2)
        return [self._filled(self._chance.choice(_STATEMENTS)) for _ in range(count)]

    def state(self, text: str) -> str:
        """A statement more in a function."""
        found = self._function(text)
        if found is None:
            return text
        own = [part.strip().split("=")[0].split(":")[0] for part in found[4].split(",")]
        own = [name for name in own if name.isidentifier()]
        line = self._filled(self._chance.choice(_STATEMENTS), own)
        end = found[5]
        if end.rstrip() == ": ...":
            end = ":"
        head = f"{found[1]}{found[2]}{found[3]}({found[4]}){end}\n{found[1]}    {line}"
        return text[: found.start()] + head + text[found.end() :]

    def delete_line(self, text: str) -> str:
        """A line of a body taken out."""
        return self._without_one(r"^[ \t]+\S.*\n", text)

    def _without_one(self, lines: str, text: str) -> str:
        """One of the lines that an expression matches taken out."""
        found = list(re.finditer(lines, text, re.MULTILINE))
        if not found:
            return text
        one = self._chance.choice(found)
        return text[: one.start()] + text[one.end() :]

    def top(self, text: str) -> str:
        """A statement more in the module, at either end."""
        line = self._filled(self._chance.choice(_TOPS))
        return f"{line}\n{text}" if self._chance.random() < 0.5 else f"{text}\n{line}\n"

    def comment(self, text: str) -> str:
        """A comment or an empty line more."""
        lines = text.split("\n")
        lines.insert(self._chance.randrange(len(lines)), self._chance.choice(("# why", "")))
        return "\n".join(lines)

    def silence(self, text: str) -> str:
        """A comment that silences rules."""
        lines = text.split("\n")
        at = self._chance.randrange(len(lines))
        lines[at] += "  # scopecheck: ignore[unused-fixture, SCP4]"
        return "\n".join(lines)

    def number(self, text: str) -> str:
        """Another number or string somewhere."""
        found = list(re.finditer(r"\b\d+\b|'\w+'|\"\w+\"", text))
        if not found:
            return text
        one = self._chance.choice(found)
        new = f"{one[0][0]}other{one[0][-1]}" if one[0][0] in "'\"" else "7"
        return text[: one.start()] + new + text[one.end() :]

    def word(self, text: str) -> str:
        """Another name somewhere."""
        found = list(re.finditer(r"\b[a-z_]{3,}\b", text))
        if not found:
            return text
        one = self._chance.choice(found)
        new = self._chance.choice([*self._fixtures(), "other"])
        return text[: one.start()] + new + text[one.end() :]


def _renamed(text: str, names: Sequence[str], chance: random.Random) -> str:
    """The statement with a name of the suite's modules in place of one that is made up."""
    if not names:
        return text
    return re.sub(r"\b(?:LOG|STATE|Recorder|conf|SHARED|LOCAL)\b", chance.choice(names), text)


def pieces(text: str) -> Iterator[str]:
    """The text, statement by statement of the module; what cannot be parsed, by its lines."""
    lines = text.splitlines(keepends=True)
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        starts = [i for i, line in enumerate(lines) if i and line[:1] not in " \t\n#)]}"]
    else:
        starts = [
            min([one.lineno, *(d.lineno for d in getattr(one, "decorator_list", ()))]) - 1
            for one in body
        ]
    for start, end in zip([0, *starts], [*starts, len(lines)], strict=True):
        if start < end:
            yield "".join(lines[start:end])
