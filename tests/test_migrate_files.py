"""A migration's files: odd ones, configurations, requirements, and the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from on_disk import write

from scopecheck.config import Settings
from scopecheck.migrate import Migration, migrate
from scopecheck.migrate.pins import _raised as raised
from scopecheck.migrate.pins import targets
from scopecheck.project import Project

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = """\
import asyncio

import pytest


@pytest.fixture(scope="session")
def event_loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
async def shared(event_loop):
    return event_loop
"""
TEST = """\
async def test_a(shared, event_loop):
    assert shared is event_loop
"""
OLD = {"pytest": "7.4.4", "pytest-asyncio": "0.21.2"}


pytestmark = pytest.mark.usefixtures("no_environment")


def moved(folder: Path, files: dict[str, str | bytes], **settings: object) -> Migration:
    write(folder, files)
    return migrate(Project(folder, Settings(plugins=OLD, **settings), 1), [])  # type: ignore[arg-type]


def after(migration: Migration, path: str) -> bytes:
    return next(change.after for change in migration.changes if change.path == path)


INI = "[pytest]\nasyncio_mode = auto\n"


def test_line_endings_byte_order_mark_and_a_missing_last_one(tmp_path: Path) -> None:
    bom = b"\xef\xbb\xbf"
    conftest = bom + CONFTEST.replace("\n", "\r\n").encode().removesuffix(b"\r\n")
    test = TEST.replace("\n", "\r\n").encode().removesuffix(b"\r\n")
    ini = INI.replace("\n", "\r\n").encode().removesuffix(b"\r\n")
    migration = moved(tmp_path, {"conftest.py": conftest, "test_a.py": test, "pytest.ini": ini})
    assert after(migration, "conftest.py") == bom + (
        b"import asyncio\r\n\r\nimport pytest\r\n\r\n\r\n"
        b'@pytest.fixture(scope="session")\r\n'
        b"async def shared():\r\n    return asyncio.get_running_loop()"
    )
    assert after(migration, "test_a.py") == (
        b"import asyncio\r\n\r\n\r\n"
        b"async def test_a(shared):\r\n    assert shared is asyncio.get_running_loop()"
    )
    assert after(migration, "pytest.ini") == (
        b"[pytest]\r\nasyncio_mode = auto\r\n"
        b"asyncio_default_fixture_loop_scope = session\r\n"
        b"asyncio_default_test_loop_scope = session"
    )


def test_another_encoding_and_tabs(tmp_path: Path) -> None:
    text = "# coding: latin-1\n" + CONFTEST.replace("    ", "\t").replace(
        "\treturn", '\t"\u00e9"\n\treturn'
    )
    migration = moved(
        tmp_path,
        {"conftest.py": text.encode("latin-1"), "test_a.py": TEST, "pytest.ini": INI},
    )
    assert after(migration, "conftest.py").decode("latin-1") == (
        '# coding: latin-1\nimport asyncio\n\nimport pytest\n\n\n@pytest.fixture(scope="session")\n'
        'async def shared():\n\t"\u00e9"\n\treturn asyncio.get_running_loop()\n'
    )


def test_a_file_that_cannot_be_parsed_is_left_alone(tmp_path: Path) -> None:
    files = {"conftest.py": CONFTEST, "test_a.py": TEST, "test_b.py": "def (:\n"}
    migration = moved(tmp_path, {**files, "pytest.ini": INI})
    assert [change.path for change in migration.changes] == [
        "conftest.py",
        "pytest.ini",
        "test_a.py",
    ]


def test_comments_stay_and_go_with_what_they_speak_of(tmp_path: Path) -> None:
    conftest = """\
import asyncio  # used below
import pytest

# -- loops --

# The session's.
@pytest.fixture(scope="session")  # not the function's
def event_loop():
    # a new one
    yield (loop := None)


# The session's.
@pytest.fixture(scope="session")
# and only that
def event_loop():
    return asyncio.new_event_loop()

# what follows
@pytest.fixture(scope="session")
async def shared():  # of all
    # nothing yet
    return 1
"""
    migration = moved(tmp_path, {"conftest.py": conftest, "test_a.py": TEST, "pytest.ini": INI})
    text = after(migration, "conftest.py").decode()
    assert text.startswith("import pytest\n\n# -- loops --\n\n# The session's.\n@pytest.fixture")
    assert text.endswith("# what follows\n" + conftest.partition("# what follows\n")[2])
    assert "# and only that" not in text


def test_a_class_whose_only_method_goes_keeps_a_body(tmp_path: Path) -> None:
    test = """\
import asyncio
import pytest

class Base:
    @pytest.fixture(scope="class")
    def event_loop(self):
        return asyncio.new_event_loop()

class TestA(Base):
    async def test_a(self):
        pass
"""
    migration = moved(tmp_path, {"test_a.py": test, "pytest.ini": INI})
    assert (
        after(migration, "test_a.py").decode()
        == """\
import pytest

class Base:
    pass

class TestA(Base):
    @pytest.mark.asyncio(loop_scope="class")
    async def test_a(self):
        pass
"""
    )


FIXTURE, TESTS = "asyncio_default_fixture_loop_scope", "asyncio_default_test_loop_scope"


@pytest.mark.parametrize(
    ("name", "before", "result"),
    [
        (
            "pyproject.toml",
            "[tool.pytest.ini_options]\nasyncio_mode='auto'\n[tool.x]\n",
            f"[tool.pytest.ini_options]\nasyncio_mode='auto'\n{FIXTURE}=\"session\"\n"
            f'{TESTS}="session"\n[tool.x]\n',
        ),
        (
            "pyproject.toml",
            "[x]\ny = 'x'\n\n[tool.pytest.ini_options]\n# all\naddopts = [\n  '-ra',  # x\n"
            "]\nminversion = '6'  # old\n\n# next\n[tool.x]\n",
            "[x]\ny = 'x'\n\n[tool.pytest.ini_options]\n# all\naddopts = [\n  '-ra',  # x\n"
            f']\nminversion = \'6\'  # old\n{FIXTURE} = "session"\n{TESTS} = "session"\n\n'
            "# next\n[tool.x]\n",
        ),
        (
            "pyproject.toml",
            f"[tool.pytest.ini_options]\n{FIXTURE} = 'function'  # now\nasyncio_mode = 'auto'\n",
            f"[tool.pytest.ini_options]\n{FIXTURE} = 'session'  # now\n"
            f"{TESTS} = \"session\"\nasyncio_mode = 'auto'\n",
        ),
        (
            "pyproject.toml",
            "[project]\nname = 'x'\n",
            "[project]\nname = 'x'\n\n[tool.pytest.ini_options]\n"
            f'{FIXTURE} = "session"\n{TESTS} = "session"\n',
        ),
        (
            "pytest.ini",
            "[pytest]\nasyncio_mode: auto\n",
            f"[pytest]\nasyncio_mode: auto\n{FIXTURE} = session\n{TESTS} = session\n",
        ),
        ("pytest.ini", "", f"[pytest]\n{FIXTURE} = session\n{TESTS} = session\n"),
        (
            "tox.ini",
            "[tox]\nenvlist = py\n\n[pytest]\naddopts=\n    -ra\n    -q\n\n; rest\n[x]\ny = 1\n",
            "[tox]\nenvlist = py\n\n[pytest]\naddopts=\n    -ra\n    -q\n"
            f"{FIXTURE}=session\n{TESTS}=session\n\n; rest\n[x]\ny = 1\n",
        ),
        (
            "setup.cfg",
            "[metadata]\nname = x\n",
            f"[metadata]\nname = x\n\n[tool:pytest]\n{FIXTURE} = session\n{TESTS} = session\n",
        ),
    ],
)
def test_options_are_set_where_the_configuration_is(
    tmp_path: Path, name: str, before: str, result: str
) -> None:
    test = f"import pytest\npytestmark = pytest.mark.asyncio\n{TEST}"
    conftest = CONFTEST.replace(
        '@pytest.fixture(scope="session")\nasync', '@pytest_asyncio.fixture(scope="session")\nasync'
    ).replace("import pytest\n", "import pytest\nimport pytest_asyncio\n")
    migration = moved(tmp_path, {"conftest.py": conftest, "test_a.py": test, name: before})
    assert after(migration, name).decode() == result
    assert not migration.left


def test_a_configuration_is_made_where_there_is_none(tmp_path: Path) -> None:
    test = f"import pytest\npytestmark = pytest.mark.asyncio\n{TEST}"
    conftest = CONFTEST.replace("async def", "def").replace("def shared", "async def shared")
    conftest = conftest.replace(
        '@pytest.fixture(scope="session")\nasync', '@pytest_asyncio.fixture(scope="session")\nasync'
    ).replace("import pytest\n", "import pytest\nimport pytest_asyncio\n")
    migration = moved(tmp_path, {"conftest.py": conftest, "test_a.py": test})
    made = next(change for change in migration.changes if change.before is None)
    assert made.path == "pytest.ini"
    assert made.after.decode() == f"[pytest]\n{FIXTURE} = session\n{TESTS} = session\n"


def test_a_mode_that_is_gone(tmp_path: Path) -> None:
    ini = "[pytest]\nasyncio_mode = legacy\n"
    test = """\
import pytest

@pytest.fixture
async def answer():
    return 42

@pytest.mark.asyncio
async def test_answer(answer):
    assert answer == 42
"""
    migration = moved(tmp_path, {"test_a.py": test, "pytest.ini": ini})
    assert after(migration, "pytest.ini").decode() == (
        f"[pytest]\nasyncio_mode = strict\n{FIXTURE} = function\n"
    )
    assert b"@pytest_asyncio.fixture\nasync def answer" in after(migration, "test_a.py")


def test_a_mark_on_a_fixture_goes(tmp_path: Path) -> None:
    test = """\
import pytest

@pytest.mark.asyncio
@pytest.fixture
# why
async def answer():
    return 42

async def test_answer(answer):
    assert answer == 42
"""
    migration = moved(tmp_path, {"test_a.py": test, "pytest.ini": INI})
    result = test.replace("@pytest.mark.asyncio\n", "")
    assert after(migration, "test_a.py").decode() == result


def test_what_cannot_be_told_keeps_its_loop(tmp_path: Path) -> None:
    """A hook that is not understood may decide the tests' loops; the override's scope stays."""
    conftest = f"""\
{CONFTEST}

def pytest_collection_modifyitems(items):
    import somewhere
    for item in items:
        item.add_marker(somewhere.mark_for(item))
"""
    migration = moved(tmp_path, {"conftest.py": conftest, "test_a.py": TEST, "pytest.ini": INI})
    assert f"{TESTS} = session" in after(migration, "pytest.ini").decode()


def test_a_suite_without_pytest_asyncio_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_a(): ...\n")
    (tmp_path / "requirements.txt").write_text("pytest\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    migration = migrate(Project(tmp_path, Settings(), 1), [])
    assert (migration.changes, migration.left, migration.skipped) == ((), (), (".",))


ASYNCIO, PYTEST = targets("1.5.0", "1.0")


@pytest.mark.parametrize(
    ("before", "result"),
    [
        (">=0.21", ">=1.0"),
        (">=0.21,<0.23", ">=1.0"),
        (">= 0.21 , < 1", ">= 1.0"),
        ("<0.22,>=0.20", ">=1.0"),
        ("==0.21.1", "==1.5.0"),
        ("===0.21.1", "===1.5.0"),
        ("==0.21.*", "==1.*"),
        ("~=0.21.0", "~=1.0"),
        ("^0.21", "^1.0"),
        ("~0.21", "~1.0"),
        ("0.21.1", "1.5.0"),
        ("<0.22", ">=1.0"),
        ("<2", ">=1.0,<2"),
        (">=0.23,!=0.23.5,<2", ">=1.0,<2"),
        ("=0.21", ">=1.0"),
        (">=1.0", ">=1.0"),
        (">=1.2,<2", ">=1.2,<2"),
        ("==1.2.0", "==1.2.0"),
        ("*", "*"),
    ],
)
def test_a_requirement_of_pytest_asyncio(before: str, result: str) -> None:
    assert raised(before, ASYNCIO) == result


@pytest.mark.parametrize(
    ("before", "result"),
    [
        ("<8", ">=8.2"),
        (">=7.4,<8", ">=8.2"),
        ("==7.4.4", "==9.2.0"),
        ("^7.4", "^8.2"),
        (">=7", ">=7"),
        ("~=8.0", "~=8.0"),
        ("==8.*", "==8.*"),
        ("==8.3.5", "==8.3.5"),
    ],
)
def test_a_requirement_of_pytest_is_raised_where_it_has_to_be(before: str, result: str) -> None:
    assert raised(before, PYTEST) == result


def test_one_pinned_version_needs_its_pytest() -> None:
    exact = targets("1.5.0", "1.0", exact=True)[1]
    assert raised("==8.3.5", exact) == "==9.2.0"
    assert raised("<9", exact) == "<9"
    older = targets("1.2.0", "1.2.0")[1]
    assert raised("==9.0.3", older) == "==8.4.2"


@pytest.mark.parametrize(
    ("name", "before", "result"),
    [
        (
            "requirements-dev.txt",
            "# pytest-asyncio<0.22 now\npytest_asyncio[x]>=0.21 , <0.22 ; sys_platform>'3'  # y\n"
            "pytest-asyncio-cooperative==0.2\n",
            "# pytest-asyncio<0.22 now\npytest_asyncio[x]>=1.0 ; sys_platform>'3'  # y\n"
            "pytest-asyncio-cooperative==0.2\n",
        ),
        (
            "pyproject.toml",
            "[tool.poetry.group.a.dependencies]\n'pytest-asyncio' = {version = \"^0.21\"}  # z\n"
            "[tool.poetry.group.b.dependencies.pytest-asyncio]\nversion = '0.21.*'\n"
            "[dependency-groups]\nx = ['pytest-asyncio >= 0.21', 'Pytest.Asyncio<0.22']\n",
            "[tool.poetry.group.a.dependencies]\n'pytest-asyncio' = {version = \"^1.0\"}  # z\n"
            "[tool.poetry.group.b.dependencies.pytest-asyncio]\nversion = '1.*'\n"
            "[dependency-groups]\nx = ['pytest-asyncio >= 1.0', 'Pytest.Asyncio>=1.0']\n",
        ),
        (
            "setup.cfg",
            "[options.extras_require]\ntest =\n    pytest-asyncio==0.21.1\n    pytest<9\n",
            "[options.extras_require]\ntest =\n    pytest-asyncio==1.5.0\n    pytest<9\n",
        ),
        (
            "tox.ini",
            "[testenv]\ndeps =\n    pytest-asyncio<0.22\n    x: pytest~=7.0\n",
            "[testenv]\ndeps =\n    pytest-asyncio>=1.0\n    x: pytest~=8.2\n",
        ),
        (
            "Pipfile",
            '[dev-packages]\npytest-asyncio = "~=0.21"\n',
            '[dev-packages]\npytest-asyncio = "~=1.0"\n',
        ),
    ],
)
def test_requirements_are_raised_in_place(
    tmp_path: Path, name: str, before: str, result: str
) -> None:
    test = "import pytest\n@pytest.mark.asyncio(loop_scope='session')\nasync def test_a(): ...\n"
    migration = moved(tmp_path, {"test_a.py": test, name: before})
    assert after(migration, name).decode().startswith(result)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("uv.lock", '[[package]]\nname = "pytest-asyncio"\nversion = "0.21.2"\n', 1),
        (
            "requirements.txt",
            "# This file is autogenerated by pip-compile\npytest-asyncio==0.21.2\n    # via x\n",
            2,
        ),
        ("requirements.txt", "pytest-asyncio==0.21.2 \\\n    --hash=sha256:00\n", 1),
    ],
)
def test_what_a_tool_wrote_is_only_mentioned(
    tmp_path: Path, name: str, text: str, line: int
) -> None:
    test = "import pytest\n@pytest.mark.asyncio(loop_scope='session')\nasync def test_a(): ...\n"
    migration = moved(tmp_path, {"test_a.py": test, name: text})
    assert [change.path for change in migration.changes] == []
    assert [(one.place.path, one.place.span.line) for one in migration.left] == [(name, line)]


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    return subprocess.run(
        [sys.executable, "-m", "scopecheck", "migrate", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=env,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "repository/project"
    folder.mkdir(parents=True)
    (tmp_path / "repository/.git").mkdir()
    (folder / "pyproject.toml").write_text(
        "[dependency-groups]\ntest = ['pytest', 'pytest-asyncio<0.22']\n"
        "[tool.pytest.ini_options]\nasyncio_mode = 'auto'\n[tool.scopecheck]\n"
    )
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_a.py").write_text(TEST)
    return folder


def test_a_diff_is_the_default(project: Path) -> None:
    result = command("pytest-asyncio", cwd=project)
    assert result.returncode == 1
    assert result.stdout.startswith(
        "diff --git a/project/conftest.py b/project/conftest.py\n--- a/project/conftest.py\n"
    )
    assert result.stderr == ""
    assert (project / "conftest.py").read_text() == CONFTEST
    assert command("pytest-asyncio", "--diff", cwd=project).stdout == result.stdout
    colored = command("pytest-asyncio", "--color", "always", cwd=project).stdout
    assert colored.startswith("\x1b[1mdiff --git")


def test_files_are_written(project: Path) -> None:
    result = command("pytest-asyncio", "--write", cwd=project)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "changed conftest.py\nchanged pyproject.toml\nchanged test_a.py\n"
    again = command("pytest-asyncio", "--write", cwd=project)
    assert (again.returncode, again.stdout) == (0, "nothing to migrate\n")
    assert command("pytest-asyncio", cwd=project).returncode == 0


def test_what_is_left_is_listed_and_is_status_1(project: Path) -> None:
    (project / "test_b.py").write_text("def test_b(event_loop):\n    event_loop.run_forever()\n")
    result = command("pytest-asyncio", "--write", cwd=project)
    assert result.returncode == 1
    assert "to be done by hand:\n  conftest.py:7: `event_loop` stays" in result.stdout
    assert "  test_b.py:1: `test_b` requests `event_loop`" in result.stdout


def test_a_version_is_moved_to(project: Path) -> None:
    result = command("pytest-asyncio", "--to", "1.2", cwd=project)
    assert "+test = ['pytest', 'pytest-asyncio>=1.2']\n" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pytest-asyncio", "--to", "0.26"], "0.26 is not 1.0 or later"),
        (["pytest-asyncio", "--to", "new"], "'new' is no version"),
        (["pytest-trio"], "pytest-trio"),
        ([], "pytest-asyncio"),
        (["pytest-asyncio", "nowhere"], "nowhere"),
    ],
)
def test_wrong_use_is_status_2(project: Path, arguments: list[str], words: str) -> None:
    result = command(*arguments, cwd=project)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_nothing_is_written_where_a_file_is_read_only(project: Path) -> None:
    (project / "test_a.py").chmod(0o444)
    result = command("pytest-asyncio", "--write", cwd=project)
    assert result.returncode == 2
    assert result.stderr == "scopecheck: test_a.py is read-only: it is not written\n"
    assert (project / "conftest.py").read_text() == CONFTEST
