"""pytest's own configuration, held against what pytest and iniconfig make of the same files.

The facts about older versions were observed with 7.4.4, 8.0.2, 8.1.2, 8.4.2, 9.0.3 and 9.1.1.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import iniconfig
import pytest
from collecting import Layout, build, needs_fork
from hypothesis import given
from hypothesis import strategies as st

from scopecheck.ini import IniError, parse_ini
from scopecheck.pytest_args import parse_arguments
from scopecheck.pytest_config import PytestConfig, read_pytest_config

if TYPE_CHECKING:
    from collecting import Oracle

TABLE = "[tool.pytest.ini_options]\n"
LISTS = ("python_files", "python_classes", "python_functions", "norecursedirs", "usefixtures")
FLAGS = ("collect_imported_tests", "consider_namespace_packages")


def read(folder: Path, files: dict[str, str], version: str = "9.2.0", *args: str) -> PytestConfig:
    build(Layout("", files), folder)
    return read_pytest_config(folder, args, version)


SAME = [
    {"pytest.ini": "[pytest]\npython_files = a.py 'b c.py'  d.py\nusefixtures = x\n"},
    {"pytest.ini": "[pytest]\npython_files =\n  a.py\n  # no\n  b.py ; no comment\n\n  c.py\n"},
    {"pytest.ini": "[pytest]\npython_classes: A B\npython_functions=*_x\n[other]\nx = 1\n"},
    {"tox.ini": "[tox]\n[pytest]\nnorecursedirs = .* x\nconsider_namespace_packages = on\n"},
    {"setup.cfg": "[tool:pytest]\ncollect_imported_tests = 0\npythonpath = src lib\n"},
    {"pyproject.toml": TABLE + 'python_files = ["a.py", "b c.py"]\npythonpath = ["src"]\n'},
    {"pyproject.toml": TABLE + 'python_files = "a.py b.py"\ncollect_imported_tests = false\n'},
    {"pyproject.toml": '[tool.pytest]\npython_files = ["a.py"]\ncollect_imported_tests = false\n'},
    {"pytest.toml": '[pytest]\nusefixtures = ["a"]\npythonpath = ["src"]\n'},
    {".pytest.toml": "", "pytest.ini": "[pytest]\nusefixtures = a\n"},
    {"pytest.ini": "[pytest]\naddopts = -o 'python_files=x.py y.py' -o usefixtures=z\n"},
    {"pytest.ini": "[tool:pytest]\nusefixtures = a\n"},
    {"pytest.ini": "\ufeff[pytest]\nusefixtures = a\n"},
    {"pytest.ini": "[pytest] ; so\nusefixtures = a # b\n"},
    {},
]


@needs_fork
@pytest.mark.skipif(pytest.version_tuple < (9, 1), reason="9.1 reads all of these")
@pytest.mark.parametrize("files", SAME, ids=range(len(SAME)))
def test_options_are_what_pytest_reads(
    files: dict[str, str], tmp_path: Path, oracle: Oracle
) -> None:
    ours = read(tmp_path, files, pytest.__version__)
    said = oracle.ask(tmp_path, ini=" ".join((*LISTS, *FLAGS, "pythonpath")))
    assert ours.errors == ()
    assert {name: list(getattr(ours, name)) for name in LISTS} == {
        name: said["ini"][name] for name in LISTS
    }
    assert {name: getattr(ours, name) for name in FLAGS} == {
        name: said["ini"][name] for name in FLAGS
    }
    assert [str(path) for path in ours.pythonpath] == said["ini"]["pythonpath"]
    assert (str(ours.inifile) if ours.inifile else None) == said["inifile"]


STOPS = [
    ({"setup.cfg": "[pytest]\n"}, "setup.cfg", 1),
    ({"pytest.ini": "[pytest]\nx\n"}, "pytest.ini", 2),
    ({"pytest.ini": "[pytest]\nx = 1\nx = 2\n"}, "pytest.ini", 3),
    ({"pytest.ini": "x = 1\n"}, "pytest.ini", 1),
    ({"pyproject.toml": "[tool.pytest\n"}, "pyproject.toml", 1),
    (
        {"pyproject.toml": TABLE + 'a = "x"\n[tool.pytest]\nb = "y"\n'},
        "pyproject.toml",
        1,
    ),
    ({"pytest.toml": 'testpaths = ["a"]\n'}, "pytest.toml", 1),
    ({"pytest.toml": '[pytest]\ntestpaths = "a"\n'}, "pytest.toml", 2),
    ({"pytest.ini": '[pytest]\naddopts = "x\n'}, "pytest.ini", 2),
    ({"pytest.ini": "[pytest]\n", "setup.cfg": "[pytest]\n"}, "setup.cfg", 1),
    ({"pytest.ini": "", "pyproject.toml": "[\n"}, "pyproject.toml", 1),
]


@needs_fork
@pytest.mark.skipif(pytest.version_tuple < (9, 2), reason="9.2 stops at all of these")
@pytest.mark.parametrize(("files", "name", "line"), STOPS, ids=range(len(STOPS)))
def test_what_pytest_stops_at_is_an_error(
    files: dict[str, str], name: str, line: int, tmp_path: Path, oracle: Oracle
) -> None:
    ours = read(tmp_path, files)
    assert [(Path(one.path).name, one.line) for one in ours.errors] == [(name, line)]
    assert "error" in oracle.ask(tmp_path)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("asyncio_mode = atuo", 2),
        ("asyncio_default_fixture_loop_scope = modul", 2),
        ("asyncio_default_test_loop_scope = modul", 2),
        ("addopts = --asyncio-mode=atuo", 2),
    ],
)
def test_what_pytest_asyncio_stops_at_is_an_error(option: str, line: int, tmp_path: Path) -> None:
    ours = read(tmp_path, {"pytest.ini": f"[pytest]\n{option}\n"})
    assert [(Path(one.path).name, one.line) for one in ours.errors] == [("pytest.ini", line)]
    assert ours.asyncio_mode is None
    (tmp_path / "test_a.py").write_text(
        "import pytest\n@pytest.mark.asyncio\nasync def test_a(): ...\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "passed" not in done.stdout
    (message,) = (one.message for one in ours.errors)
    assert message.partition(". ")[0] in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("version", "winner"),
    [
        ("7.4.4", "tox.ini"),
        ("8.4.2", "tox.ini"),
        ("9.0.3", ".pytest.toml"),
        ("9.2.0", ".pytest.toml"),
        ("", ".pytest.toml"),
    ],
)
def test_precedence_depends_on_the_version(version: str, winner: str, tmp_path: Path) -> None:
    files = {
        ".pytest.toml": '[pytest]\nusefixtures = ["a"]\n',
        ".pytest.ini": "",
        "pyproject.toml": '[tool.pytest]\nusefixtures = ["b"]\n',
        "tox.ini": "[pytest]\nusefixtures = c\n",
    }
    config = read(tmp_path, files, version)
    assert config.inifile == tmp_path / winner


@pytest.mark.parametrize(
    ("version", "inifile"), [("7.4.4", None), ("8.0.2", None), ("8.1.2", "pyproject.toml")]
)
def test_a_bare_pyproject_counts_since_8_1(
    version: str, inifile: str | None, tmp_path: Path
) -> None:
    config = read(tmp_path, {"pyproject.toml": "[project]\n"}, version)
    assert config.inifile == (tmp_path / inifile if inifile else None)
    assert not config.configured


@pytest.mark.parametrize(("version", "expected"), [("9.0.3", ("test_*.py",)), ("9.1.1", ("x.py",))])
def test_overrides_in_addopts_count_since_9_1(
    version: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    """Observed with 8.4.2, 9.0.3 and 9.1.1."""
    text = "[pytest]\npython_files = test_*.py\naddopts = -o python_files=x.py\n"
    assert read(tmp_path, {"pytest.ini": text}, version).python_files == expected


def test_asyncio_and_anyio_options(tmp_path: Path) -> None:
    text = (
        "[pytest]\nasyncio_mode = strict\nanyio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = session\nasyncio_default_test_loop_scope =\n"
        "addopts = --asyncio-mode=auto\n"
    )
    config = read(tmp_path, {"pytest.ini": text})
    assert config.asyncio_mode == "auto"
    assert config.anyio_mode == "auto"
    assert config.asyncio_default_fixture_loop_scope == "session"
    assert config.asyncio_default_test_loop_scope is None
    assert config.option_lines["asyncio_default_fixture_loop_scope"] == 4
    assert config.ini["asyncio_mode"] == "strict"


def test_addopts_are_taken_apart(tmp_path: Path) -> None:
    text = (
        "[pytest]\naddopts = -ra -p one -ptwo -p no:three -p no:two -k 'a b'"
        " --import-mode importlib --ignore=x --ignore-glob y* --deselect t.py::a"
        " --doctest-modules --confcutdir ..\n"
    )
    config = read(tmp_path, {"pytest.ini": text})
    assert config.plugins == ("one", "two")
    assert config.blocked == ("three", "two")
    assert config.import_mode == "importlib"
    assert config.ignore == (str(tmp_path / "x"),)
    assert config.ignore_glob == (str(tmp_path / "y*"),)
    assert config.deselect == ("t.py::a",)
    assert config.confcutdir == tmp_path.parent
    assert config.doctest_modules
    assert config.selected
    assert config.args == (str(tmp_path),)


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("a b", ("a", "b")),
        ("-vv -x a", ("a",)),
        ("-xvk expr a", ("a",)),
        ("-n auto --dist loadfile a", ("a",)),
        ("--cov=src --cov-report term a", ("a",)),
        ("--strict-markers a --tb=short", ("a",)),
        ("--unknown value a", ("a",)),
        ("-- -a", ("-a",)),
        ("--reuse-db a", ("a",)),
        ("-rA -W error a", ("a",)),
    ],
)
def test_paths_are_told_from_values(line: str, paths: tuple[str, ...]) -> None:
    assert parse_arguments(line.split()).paths == paths


IGNORED = [
    (
        {"pytest.ini": "[tool:pytest]\nusefixtures = a\n"},
        "9.2.0",
        [("pytest.ini", 1, "header", "in pytest.ini pytest reads [pytest], not [tool:pytest]")],
    ),
    (
        {"tox.ini": "[tool:pytest]\nx = 1\n"},
        "9.2.0",
        [("tox.ini", 1, "header", "in tox.ini pytest reads [pytest], not [tool:pytest]")],
    ),
    (
        {"pyproject.toml": "[pytest]\nx = 1\n"},
        "9.2.0",
        [
            (
                "pyproject.toml",
                1,
                "header",
                "in pyproject.toml pytest reads [tool.pytest.ini_options], not [pytest]",
            )
        ],
    ),
    (
        {"setup.cfg": "[metadata]\n[tool.pytest.ini_options]\nx = 1\n"},
        "9.2.0",
        [
            (
                "setup.cfg",
                2,
                "header",
                "in setup.cfg pytest reads [tool:pytest], not [tool.pytest.ini_options]",
            )
        ],
    ),
    (
        {"pytest.toml": "[pytest]\nx = 1\n"},
        "8.4.2",
        [("pytest.toml", 1, "version", "pytest reads it from 9.0 on only")],
    ),
    (
        {"pyproject.toml": "[tool.pytest]\nx = 1\n"},
        "8.4.2",
        [("pyproject.toml", 1, "version", "pytest reads it from 9.0 on only")],
    ),
    (
        {"pytest.ini": "", "pyproject.toml": TABLE + "x = 1\n", "tox.ini": "[pytest]\ny = 1\n"},
        "9.2.0",
        [
            ("pyproject.toml", 1, "shadowed", "pytest.ini in the same folder wins"),
            ("tox.ini", 1, "shadowed", "pytest.ini in the same folder wins"),
        ],
    ),
    ({"pyproject.toml": TABLE + "x = 1\n", "tox.ini": "[tox]\n"}, "9.2.0", []),
    ({"tox.ini": "[testenv:pytest]\n", "setup.cfg": "[flake8]\n"}, "9.2.0", []),
]


@pytest.mark.parametrize(("files", "version", "expected"), IGNORED, ids=range(len(IGNORED)))
def test_tables_that_are_not_in_force_are_named(
    files: dict[str, str],
    version: str,
    expected: list[tuple[str, int, str, str]],
    tmp_path: Path,
) -> None:
    config = read(tmp_path, files, version)
    found = [(one.path.name, one.line, one.reason, one.why) for one in config.ignored]
    assert found == expected


def test_a_shadowed_table_says_what_it_would_change(tmp_path: Path) -> None:
    files = {
        "pytest.ini": "[pytest]\nusefixtures = a\nmarkers = x\n",
        "pyproject.toml": TABLE + 'usefixtures = ["a"]\nmarkers = ["y"]\nasyncio_mode = "auto"\n',
    }
    (ignored,) = read(tmp_path, files).ignored
    assert ignored.winner == tmp_path / "pytest.ini"
    assert [(one.option, one.line, one.value, one.in_force) for one in ignored.differs] == [
        ("asyncio_mode", 4, "auto", None),
        ("markers", 3, "y", "x"),
    ]


def same_as_iniconfig(text: str) -> None:
    theirs: dict[str, dict[str, tuple[str, int | None]]] | None
    try:
        config = iniconfig.IniConfig("x.ini", data=text)
    except iniconfig.ParseError:
        theirs = None
    else:
        theirs = {
            section.name: {name: (value, section.lineof(name)) for name, value in section.items()}
            for section in config
        }
    try:
        ours = {
            name: {key: (one.value, one.line) for key, one in section.options.items()}
            for name, section in parse_ini(text).items()
        }
    except IniError:
        assert theirs is None, text
    else:
        assert ours == theirs, text


@given(
    st.lists(
        st.sampled_from(
            [
                "[a]",
                "[b] # c",
                "[b",
                "[]",
                "[ a ]",
                "  [c]",
                "x = 1",
                "x=",
                "y: 2",
                "a:b=c",
                "z",
                "  more",
                "\tmore = 1",
                "# c",
                "  ; c",
                "",
                "   ",
                "k = v # d",
                "=",
                "\ufeff[a]",
                "q = a\x0cb",
            ]
        ),
        max_size=12,
    )
)
def test_ini_files_are_read_as_iniconfig_reads_them(lines: list[str]) -> None:
    same_as_iniconfig("\n".join(lines))


@given(st.text(alphabet="[]=:#; \n\tab\r"))
def test_any_text_is_read_as_iniconfig_reads_it(text: str) -> None:
    same_as_iniconfig(text)


def test_an_absent_folder_is_no_error(tmp_path: Path) -> None:
    config = read_pytest_config(tmp_path / "nope", (), "9.2.0")
    assert config.rootdir == Path(os.path.abspath(tmp_path / "nope"))  # noqa: PTH100
