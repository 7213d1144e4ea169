"""Runs after an edit: they find what a run without a cache finds, and link only where they must.

SCOPECHECK_RANDOM=500 makes that many random edits, new ones each time; without it a fixed few.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import types
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import msgspec
import pytest
from edited_runs import EditedRuns
from on_disk import write
from relinked import edited, found

from scopecheck import evidence, expressions, facts, hook_facts, source
from scopecheck.cache.moved import LINES, SAID, moved_lines
from scopecheck.project import Project
from scopecheck.read import read
from scopecheck.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parent.parent / "examples"
WANTED = os.environ.get("SCOPECHECK_RANDOM")
CONFTEST = """import pytest

@pytest.fixture
def narrow(): ...

@pytest.fixture(scope="session")
def wide(narrow): ...
"""
SPARE = "import pytest\n\n@pytest.fixture\ndef spare(): ...\n"
TEST = """import pytest

NAMES = ["other"]

def test_a(wide):
    value = 1
    assert value

    assert value == 2


@pytest.mark.parametrize("n", [1, 2])
def test_b(n):
    assert n
"""
TWICE = "def test_c(): ...\n\ndef test_c(wide): ...\n"
FILES = {
    "pytest.ini": "[pytest]\n",
    "tests/conftest.py": CONFTEST,
    "tests/sub/conftest.py": SPARE,
    "tests/sub/test_a.py": TEST,
    "tests/test_c.py": TWICE,
}


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Filled with the suites that are linked."""
    names: list[str] = []
    link = Project.link

    def spied(project: Project, files: Any, *arguments: Any) -> Any:
        names.append(files.name)
        return link(project, files, *arguments)

    monkeypatch.setattr(Project, "link", spied)
    return names


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[frozenset[str]]:
    """Filled with the files of the parts of suites that are linked."""
    files: list[frozenset[str]] = []
    link = Project.link_part

    def spied(
        project: Project, suite: Any, plugins: Any, selectors: Any, part: Any, *more: Any
    ) -> Any:
        files.append(part.files)
        return link(project, suite, plugins, selectors, part, *more)

    monkeypatch.setattr(Project, "link_part", spied)
    return files


SAME: dict[str, tuple[str, Callable[[str], str]]] = {
    "comment above all": ("tests/sub/test_a.py", edited("import", "# why\nimport")),
    "comment in a conftest": ("tests/conftest.py", edited("@pytest", "# why\n\n\n@pytest")),
    "comment that silences": (
        "tests/conftest.py",
        edited("def wide(narrow): ...", "def wide(narrow): ...  # scopecheck: ignore[SCP101]"),
    ),
    "blank lines at the end": ("tests/sub/test_a.py", lambda text: f"{text}\n\n\n"),
    "another value": ("tests/sub/test_a.py", edited("value == 2", "value == 3")),
    "a statement more": (
        "tests/sub/test_a.py",
        edited("    assert value\n", "    x = 1\n    assert x\n"),
    ),
}
OTHER: dict[str, tuple[str, Callable[[str], str]]] = {
    "test added": ("tests/sub/test_a.py", lambda text: f"{text}\n\ndef test_d(wide): ...\n"),
    "request added": ("tests/sub/test_a.py", edited("test_b(n)", "test_b(n, spare)")),
    "unused fixture named": ("tests/sub/test_a.py", edited('["other"]', '["spare"]')),
    "scope": ("tests/conftest.py", edited("session", "module")),
    "broken": ("tests/sub/test_a.py", lambda text: f"{text}\n)"),
    "emptied": ("tests/sub/test_a.py", lambda _: ""),
    "swapped": ("tests/conftest.py", edited("wide(narrow)", "wide(\n    narrow)")),
    "a line that a message names": ("tests/test_c.py", lambda text: f"\n\n{text}"),
    "no longer next to each other": (
        "tests/sub/test_a.py",
        edited("[1, 2])\ndef", "[1, 2])\n\n# why\ndef"),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_what_links_the_same_is_not_linked_again(suite: Path, linked: list[str], name: str) -> None:
    path, edit = SAME[name]
    found(suite)
    (suite / path).write_text(edit((suite / path).read_text()))
    linked.clear()
    after = found(suite)
    assert not linked
    assert found(suite) == after
    assert not linked
    assert after == found(suite, cached=False)


@pytest.mark.parametrize("name", OTHER)
def test_what_links_otherwise_is_linked_again(suite: Path, linked: list[str], name: str) -> None:
    path, edit = OTHER[name]
    found(suite)
    (suite / path).write_text(edit((suite / path).read_text()))
    linked.clear()
    after = found(suite)
    assert linked
    assert after == found(suite, cached=False)


PATCHING = """import pytest
import shop

@pytest.fixture
def cheap():
    shop.price = lambda: 1

@pytest.fixture
def own():
    return []
"""
READ: dict[str, tuple[Callable[[str], str], bool]] = {
    "comment above": (edited("import pytest", "# why\nimport pytest"), True),
    "lines above a function": (edited("@pytest.fixture\n", "\n\n# why\n@pytest.fixture\n"), True),
    "comment in what a rule read": (edited("    shop", "    # why\n    shop"), False),
}


@pytest.mark.parametrize("name", READ)
def test_what_was_read_of_a_conftest_is_read_again(
    tmp_path: Path, linked: list[str], name: str
) -> None:
    edit, kept = READ[name]
    files = {"shop.py": "def price():\n    return 3\n", "tests/conftest.py": PATCHING}
    write(
        tmp_path, {"pytest.ini": "[pytest]\n", "tests/test_a.py": "def test_a(own, cheap): ...\n"}
    )
    write(tmp_path, files)
    assert {one.code for one in found(tmp_path)[:-2]} == {"SCP407"}
    for _ in range(2):
        file = tmp_path / "tests/conftest.py"
        file.write_text(edit(file.read_text()))
        linked.clear()
        after = found(tmp_path)
        assert (not linked) is kept
        assert after == found(tmp_path, cached=False)


def test_one_edit_after_another(suite: Path, linked: list[str]) -> None:
    found(suite)
    linked.clear()
    for _ in range(5):
        for path in ("tests/sub/test_a.py", "tests/conftest.py"):
            (suite / path).write_text(f"# why\n{(suite / path).read_text()}")
        after = found(suite)
    assert not linked
    assert after == found(suite, cached=False)
    assert max(one.fault.place.span.line for one in after[:-2]) == 12


def test_a_file_that_is_gone_is_noticed(suite: Path) -> None:
    found(suite)
    (suite / "tests/test_c.py").unlink()
    assert found(suite) == found(suite, cached=False)


ALONE: dict[str, Callable[[str], str]] = {
    "test added": lambda text: f"{text}\n\ndef test_d(): ...\n",
    "test added above": edited("@pytest", "def test_d():\n    assert NAMES\n\n\n@pytest"),
    "test removed": lambda text: (
        text[: text.index("@pytest.mark")] + text[text.index("def test_g") :]
    ),
    "renamed": edited("test_g(", "test_h("),
    "parametrization": edited("[1, 2]", "[1, 2, 3]"),
    "parameter renamed": lambda text: text.replace("n):", "m):").replace('"n"', '"m"'),
    "fixture of pytest requested": edited("test_g()", "test_g(tmp_path)"),
    "own fixture requested": edited("test_g()", "test_g(own)"),
    "fixture's body": edited("return 1", "return [1]"),
    "another library": edited("import pytest", "import json\nimport pytest"),
    "a finding of its own": lambda text: f"{text}\n\ndef test_g(): ...\n",
}
ALONE_FILES = {
    "pytest.ini": "[pytest]\n",
    "tests/conftest.py": CONFTEST + SPARE.removeprefix("import pytest\n"),
    "tests/test_a.py": "def test_a(wide, spare): ...\n",
    "tests/test_b.py": """import pytest

NAMES = ["other"]


@pytest.fixture
def own():
    return 1


@pytest.mark.parametrize("n", [1, 2])
def test_b(n):
    assert n


def test_g():
    assert NAMES


def test_o(own, spare):
    assert own
""",
}


@pytest.mark.parametrize("name", ALONE)
def test_what_concerns_no_other_file_is_linked_alone(
    tmp_path: Path, linked: list[str], parts: list[frozenset[str]], name: str
) -> None:
    write(tmp_path, ALONE_FILES)
    before = found(tmp_path)
    file = tmp_path / "tests/test_b.py"
    file.write_text(ALONE[name](file.read_text()))
    linked.clear()
    after = found(tmp_path)
    if name not in {"a finding of its own"}:
        assert not linked
    assert set(parts) == {frozenset({"tests/test_b.py"})}
    assert found(tmp_path) == after
    assert after == found(tmp_path, cached=False)
    # Back again, by what is kept of the edited file.
    file.write_text(ALONE_FILES["tests/test_b.py"])
    assert found(tmp_path) == before


ENVIRON = """import os

def test_left():
    os.environ["A"] = "b"

def test_other():
    assert os
"""
BESIDE: dict[str, tuple[dict[str, str], Callable[[str], str]]] = {
    "what another test of the file leaves": (
        {"tests/test_b.py": ENVIRON},
        lambda text: f"{text}\n\ndef test_d():\n    assert 1 + 1 == 2\n",
    ),
    "the same, on other lines": (
        {"tests/test_b.py": ENVIRON},
        edited("def test_left", "def test_d():\n    assert 1 + 1 == 2\n\n\ndef test_left"),
    ),
    "a fixture that is named": (
        {
            "tests/conftest.py": SPARE,
            "tests/test_b.py": "NAMES = ['spare']\n\ndef test_b(): ...\n",
        },
        lambda text: f"{text}\n\ndef test_d(): ...\n",
    ),
    "a finding that tests of other files have a part in": (
        {
            "shop.py": "def price():\n    return 3\n",
            "tests/conftest.py": "import pytest\nimport shop\n\n@pytest.fixture\ndef cheap():\n"
            "    shop.price = lambda: 1\n",
            "tests/test_a.py": "def test_a(cheap): ...\n",
            "tests/test_b.py": "def test_b(cheap): ...\n",
        },
        lambda text: f"{text}\n\ndef test_d(cheap): ...\n",
    ),
    "a wide fixture that all tests get, and a first test that is not async": (
        {
            "pytest.ini": "[pytest]\nasyncio_mode = auto\n",
            "tests/conftest.py": "import pytest\n\n@pytest.fixture(scope='session', autouse=True)\n"
            "def wide():\n    return []\n",
            "tests/test_b.py": "async def test_b(): ...\n",
        },
        lambda text: f"{text}\n\ndef test_d(): ...\n",
    ),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_was_learned_of_other_tests_of_the_file_holds(
    tmp_path: Path, linked: list[str], name: str
) -> None:
    files, edit = BESIDE[name]
    others = {"tests/conftest.py": "", "tests/test_a.py": "def test_a(): ...\n"}
    write(tmp_path, {"pytest.ini": "[pytest]\n", **others, **files})
    before = found(tmp_path)
    file = tmp_path / "tests/test_b.py"
    file.write_text(edit(file.read_text()))
    linked.clear()
    after = found(tmp_path)
    assert not linked
    assert after == found(tmp_path, cached=False)
    linked.clear()
    # The lines that were read are known where they are now.
    file.write_text(f"{file.read_text()}\n\ndef test_e(): ...\n")
    assert found(tmp_path) == found(tmp_path, cached=False)
    file.write_text(files["tests/test_b.py"])
    assert found(tmp_path) == before


IMPORTING = """import os

def test_left():
    os.environ["A"] = "b"

def test_other():
    assert helper() == "json"

def helper():
    return 1
"""
IMPORTS: dict[str, tuple[Callable[[str], str], bool]] = {
    "for a test": (
        lambda text: f"import shlex\n{text}\n\ndef test_d():\n    assert shlex.split('')\n",
        True,
    ),
    "of a name that a string has": (
        lambda text: f"import json\n{text}\n\ndef test_d():\n    assert json.loads('1')\n",
        False,
    ),
    "beside a use": (
        lambda text: f"import shlex; LOG = shlex\n{text}\n\ndef test_d():\n    assert shlex\n",
        False,
    ),
    "of whatever a module has": (
        lambda text: f"from shlex import *\n{text}\n\ndef test_d():\n    assert split('')\n",
        False,
    ),
    "taken out of use": (edited("import os\n", "import shlex\n"), False),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_an_import_goes_with_the_test_that_needs_it(
    tmp_path: Path, linked: list[str], name: str
) -> None:
    """In a file of which a rule that looks far has read other tests."""
    edit, alone = IMPORTS[name]
    files = {"test_a.py": "def test_a(): ...\n", "test_b.py": IMPORTING}
    write(tmp_path, {"pytest.ini": "[pytest]\n", "conftest.py": "", **files})
    before = found(tmp_path)
    assert [one.code for one in before[:-2]] == ["SCP405"]
    (tmp_path / "test_b.py").write_text(edit(IMPORTING))
    linked.clear()
    after = found(tmp_path)
    assert (not linked) is alone
    assert after == found(tmp_path, cached=False)
    (tmp_path / "test_b.py").write_text(IMPORTING)
    linked.clear()
    assert found(tmp_path) == before
    assert not (alone and linked)


COUNTED = """import pytest

@pytest.mark.skip
def test_b(engine): ...

class TestB:
    class TestInner:
        def test_e(self, engine): ...

    def test_d(self, engine): ...

def test_f(spare): ...
"""
COUNTS: dict[str, tuple[Callable[[str], str], str]] = {
    "one more": (lambda text: f"{text}\ndef test_c(engine): ...\n", "other"),
    "one more that is skipped": (
        lambda text: f"{text}\n@pytest.mark.skip\ndef test_c(engine): ...\n",
        "same",
    ),
    "one that is skipped": (
        edited("    def test_d", "    @pytest.mark.skip\n    def test_d"),
        "other",
    ),
    "one of another fixture": (lambda text: f"{text}\ndef test_c(spare): ...\n", "not counted"),
    "another name": (edited("test_d", "test_c"), "not counted"),
}


@pytest.mark.parametrize("name", COUNTS)
def test_what_a_fix_says_of_all_tests_is_said_again(
    tmp_path: Path, linked: list[str], name: str
) -> None:
    """A finding of one folder has a fix that counts the set-ups for tests of all."""
    edit, figures = COUNTS[name]
    files = {
        "conftest.py": "import pytest\n\n@pytest.fixture(scope='session')\ndef settings(): ...\n"
        "\n@pytest.fixture(scope='session')\ndef engine(settings): ...\n"
        "\n@pytest.fixture\ndef spare(): ...\n",
        "orders/conftest.py": SPARE.replace("spare", "settings"),
        "orders/test_a.py": "def test_a(engine, spare): ...\n",
        "test_b.py": COUNTED,
    }
    write(tmp_path, {"pytest.ini": "[pytest]\n", **files})
    before = found(tmp_path)
    (tmp_path / "test_b.py").write_text(edit(COUNTED))
    linked.clear()
    after = found(tmp_path)
    assert bool(linked) is (figures != "not counted")
    assert (after[0] != before[0]) is (figures == "other")
    assert after == found(tmp_path, cached=False)


LOOP = """import asyncio
import pytest

@pytest.fixture
def event_loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()
"""
LOOPS = {
    "pytest.ini": "[pytest]\nasyncio_mode = auto\n",
    "conftest.py": LOOP,
    "test_a.py": "def test_a(event_loop): ...\n",
    "test_b.py": "async def test_b(): ...\n",
}
ASKERS: dict[str, tuple[str, Callable[[str], str], bool]] = {
    "async test more": ("test_b.py", lambda text: f"{text}\n\nasync def test_c(): ...\n", True),
    "async test that asks": ("test_b.py", edited("test_b()", "test_b(event_loop)"), False),
    "last synchronous asker": ("test_a.py", edited("event_loop", "tmp_path"), False),
    "one more asker": ("test_a.py", lambda text: f"{text}\n\ndef test_c(event_loop): ...\n", True),
}


@pytest.mark.parametrize("name", ASKERS)
def test_who_asks_for_a_loop_of_the_old_name(tmp_path: Path, linked: list[str], name: str) -> None:
    """One that synchronous tests of some file ask for is no override, also for tests of others."""
    path, edit, alone = ASKERS[name]
    write(tmp_path, LOOPS)
    before = found(tmp_path)
    assert [one.code for one in before[:-2]] == []
    (tmp_path / path).write_text(edit(LOOPS[path]))
    linked.clear()
    after = found(tmp_path)
    assert (not linked) is alone
    assert after == found(tmp_path, cached=False)
    assert {one.code for one in after[:-2]} == (set() if alone else {"SCP206"})
    (tmp_path / path).write_text(LOOPS[path])
    assert found(tmp_path) == before


RUN = """import pytest

@pytest.mark.asyncio
async def test_b(): ...

@pytest.mark.anyio
async def test_c(): ...
"""


def test_which_plugin_runs_most_tests_is_asked_again(tmp_path: Path) -> None:
    """By it a test that nobody runs is told its mark, though no more kinds of tests are there."""
    files = {
        "pytest.ini": "[pytest]\nasyncio_mode = strict\n",
        "test_a.py": "async def test_a(): ...\n",
        "test_b.py": RUN,
    }
    write(tmp_path, files)
    (before,) = found(tmp_path)[:-2]
    assert "lacks the mark `asyncio`" in before.fault.message
    more = "\n@pytest.mark.anyio\nasync def test_d(): ...\n"
    (tmp_path / "test_b.py").write_text(RUN + more)
    (after,) = found(tmp_path)[:-2]
    assert "lacks the mark `anyio`" in after.fault.message
    assert found(tmp_path) == found(tmp_path, cached=False)


NAMING = {
    "pytest.ini": "[pytest]\n",
    "extra.py": SPARE,
    "test_a.py": "def test_a(): ...\n",
    "test_b.py": "pytest_plugins = ['extra']\n\ndef test_b(): ...\n",
    "test_c.py": "def test_c(spare): ...\n",
}
NAMED: dict[str, tuple[str, Callable[[str], str], bool]] = {
    "above": ("test_a.py", lambda text: f"{text}\n\ndef test_d(): ...\n", True),
    "below": ("test_c.py", lambda text: f"{text}\n\ndef test_d(spare, other): ...\n", False),
    "below, and the same": ("test_c.py", lambda text: f"{text}\n\ndef test_d(spare): ...\n", True),
    "last above": ("test_a.py", edited("test_a", "a"), False),
    "itself": ("test_b.py", lambda text: f"{text}\n\ndef test_d(): ...\n", False),
}


@pytest.mark.parametrize("name", NAMED)
def test_files_beside_one_that_names_a_plugin(tmp_path: Path, linked: list[str], name: str) -> None:
    path, edit, alone = NAMED[name]
    write(tmp_path, NAMING)
    before = found(tmp_path)
    (tmp_path / path).write_text(edit(NAMING[path]))
    linked.clear()
    after = found(tmp_path)
    assert (not linked) is alone
    assert after == found(tmp_path, cached=False)
    assert len(after) - len(before) == (name == "below")
    (tmp_path / path).write_text(NAMING[path])
    assert found(tmp_path) == before


def test_a_file_that_only_the_test_led_to_is_left_out(suite: Path) -> None:
    """Also where the edited file was looked at alone first, with what it led to before."""
    helper = {
        "tests/kinds.py": "class Kind: ...\n",
        "tests/test_d.py": "import kinds\n\nclass TestD(kinds.Kind):\n    def test_d(self): ...\n",
    }
    write(suite, helper)
    found(suite)
    (suite / "tests/test_d.py").write_text("class TestD:\n    def test_d(self): ...\n")
    assert found(suite) == found(suite, cached=False)


LATE = {
    "pytest.ini": "[pytest]\n",
    "shop/__init__.py": "",
    "shop/api.py": "from shop import parts\n\nROUTERS = [parts.one.router]\n",
    "shop/parts/__init__.py": "",
    "shop/parts/one.py": "router = 1\n",
    "test_a.py": "import pytest\nimport shop.api\n\ndef test_a(): ...\n\n"
    "@pytest.mark.parametrize('router', shop.api.ROUTERS)\ndef test_b(router): ...\n",
    "test_c.py": "def test_c(): ...\n\ndef test_d(): ...\n",
}


@pytest.mark.parametrize(("path", "number"), [("test_a.py", 5), ("test_c.py", 6)])
def test_a_module_that_another_test_file_led_to_stays(
    tmp_path: Path, linked: list[str], path: str, number: int
) -> None:
    """No import statement names it: what leads to it is an expression, here that of a mark."""
    write(tmp_path, LATE)
    before = found(tmp_path)
    head, _, _ = LATE[path].rpartition("\n\n")
    (tmp_path / path).write_text(f"{head}\n")
    linked.clear()
    after = found(tmp_path)
    assert (not linked) is (number == 6)
    assert after == found(tmp_path, cached=False)
    assert (before[-2].files, after[-2].files) == (6, number)


def test_a_file_that_changed_and_is_imported_no_more_is_left_out(suite: Path) -> None:
    write(suite, {"tests/a.py": "KIND = 1\n", "tests/test_d.py": "from a import KIND\n"})
    found(suite)
    # From now on it is looked at before the file that imports it.
    write(suite, {"tests/a.py": "KIND = 2\n"})
    found(suite)
    write(suite, {"tests/a.py": "KIND = 3\n", "tests/test_d.py": "KIND = 3\n"})
    assert found(suite) == found(suite, cached=False)


def _facts(text: str) -> facts.FileFacts:
    return read(Source("a.py", text, "utf-8", bom=False))


def test_lines_keep_their_order() -> None:
    before = _facts(TEST)
    assert moved_lines(before, before) == {line: line for line in moved_lines(before, before) or ()}
    after = _facts(f"\n{TEST}")
    moved = moved_lines(before, after)
    assert moved
    assert all(now == line + 1 for line, now in moved.items())
    assert all(one[1] < other[1] for one, other in pairwise(sorted(moved.items())))


def _structs() -> Iterator[type[msgspec.Struct]]:
    for module in (facts, hook_facts, expressions, evidence, source):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                yield kind


def _properties(kind: type) -> Iterator[tuple[str, object]]:
    for name, value in vars(kind).items():
        if isinstance(value, property):
            yield name, get_type_hints(value.fget)["return"]


def test_every_number_of_a_line_is_known_as_one() -> None:
    """One that is not is compared as it is: nothing wrong, but no edit above it is a small one."""
    numbers = {
        f"{kind.__name__}.{name}"
        for kind in _structs()
        for name, hint in (*get_type_hints(kind).items(), *_properties(kind))
        if hint is int or (isinstance(hint, types.GenericAlias) and int in get_args(hint))
    }
    lines = {f"{kind.__name__}.{name}" for kind, names in LINES.items() for name in names}
    assert lines <= numbers
    assert numbers - lines == {
        *("Span.column", "Span.end_column", "Parameter.column", "Word.column"),
        *("Items.rest", "FunctionRef.index", "ClassRef.index", "Import.level"),
        *("Function.owner", "Class.owner", "Redefinition.owner", "Evidence.checks"),
        *("Condition.since", "MarkAddition.since", "Function.above", "Function.height"),
        *("FileFacts.lines", "FileFacts.words", "Suppression.lines", "Function.has"),
    }


def test_all_that_a_function_says_is_compared() -> None:
    """Its properties that decode something, and the fields that are no bytes."""
    told = set(SAID[facts.Function])
    parts = {*facts.Workings.__struct_fields__, *facts.Effects.__struct_fields__}
    # Of its body, which is one of these.
    parts |= {*facts.Body.__struct_fields__, "faulty_yields"}
    properties = {name for name, _ in _properties(facts.Function)}
    assert properties - parts <= told
    kept = {name for name in facts.Function.__struct_fields__ if name.startswith("kept_")}
    assert {name.removeprefix("kept_") for name in kept} <= told
    # `has` follows from what is kept.
    assert {*facts.Function.__struct_fields__} - kept - {"above", "height", "has"} <= told


def _random_edit(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    indent = re.match(r"\s*", lines[at])
    before = indent.group() if indent else ""
    names = re.findall(r"def (\w+)\(", text) or ["a"]
    match chance.randrange(9):
        case 0:
            lines.insert(at, f"{before}# a comment")
        case 1:
            lines[at:at] = [""] * chance.randrange(1, 4)
        case 2:
            statements = ["value = 1", "assert value == 1", "cache.append(1)", "import sys"]
            lines.insert(at, before + chance.choice(statements))
        case 3:
            lines[at] = re.sub(r"\b\d+\b", "7", lines[at])
        case 4:
            del lines[at]
        case 5:
            lines.append(f"NAMES = ['{chance.choice(names)}']")
        case 6:
            lines.append(f"def test_{chance.randrange(9)}({chance.choice(names)}): ...")
        case 7:
            lines.insert(at, f"{before}# scopecheck: ignore[unused-fixture]")
        case 8:
            name = chance.choice(names)
            return text.replace(name, f"{name}_")
    return "\n".join(lines)


@pytest.mark.parametrize("rules", [None, ("ALL",)], ids=["default", "all"])
def test_random_edits(tmp_path: Path, linked: list[str], rules: tuple[str, ...] | None) -> None:
    root = tmp_path / "suite"
    name = "agent_platform_repaired"
    shutil.copytree(EXAMPLES / name, root, ignore=shutil.ignore_patterns(".*"))
    files = sorted(path for path in root.rglob("*.py"))
    chance = random.Random() if WANTED else random.Random(1)
    original = {path: path.read_text() for path in files}
    kept = 0
    for number in range(int(WANTED or 8)):
        if number % 4 == 0:
            for path, text in original.items():
                path.write_text(text)
            found(root, rules=rules)
        path = chance.choice(files)
        text = path.read_text()
        path.write_text(_random_edit(text, chance))
        linked.clear()
        after = found(root, rules=rules)
        kept += not linked
        assert after == found(root, cached=False, rules=rules), f"{path}:\n{path.read_text()}"
    assert kept


def test_random_edits_of_random_suites() -> None:
    runs = EditedRuns()
    first = random.randrange(10**9) if WANTED else 1
    for seed in range(first, first + int(WANTED or 12)):
        runs.once(seed)
    assert set(runs.how) == {"kept", "alone", "whole"}
