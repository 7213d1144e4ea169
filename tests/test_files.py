"""pytest is the judge: what is found in small projects is held against what pytest collects.

Each layout is built in a folder of its own, and pytest (the one that runs these tests) collects it
in a process of its own. The facts about older versions were observed with the same layouts, run
with pytest 7.4.4, 8.0.2, 8.2.2, 8.3.5, 8.4.2, 9.0.3 and 9.1.1.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from collecting import Layout, build, needs_fork
from growth import growth

from scopecheck.config import Settings
from scopecheck.files import (
    ConftestIgnores,
    DiscoveryError,
    Named,
    SuiteFiles,
    collect_as_pytest,
    discover,
)

if TYPE_CHECKING:
    from collecting import Oracle

HERE = Path(__file__).parent
INI = "[pytest]\n"
TEST = "def test_it(): pass\n"
TABLE = "[tool.pytest.ini_options]\n"


def files(*paths: str) -> dict[str, str]:
    """Files with one test each; conftests and what is not Python are empty."""
    return {path: TEST if path.endswith(".py") and "conftest" not in path else "" for path in paths}


LAYOUTS = [
    Layout("nothing configured", files("test_a.py", "sub/test_b.py", "sub/a_test.py", "sub/c.py")),
    Layout(
        "files and folders in one order",
        files(
            "b/test_1.py", "test_a.py", "test_z.py", "c_test.py", "a/test_2.py", "test_m/test_3.py"
        ),
    ),
    Layout(
        "packages take their __init__ first",
        {
            **files("pkg/__init__.py", "pkg/A_test.py", "pkg/test_a.py", "pkg/sub/__init__.py"),
            **files("pkg/sub/test_b.py"),
            "pytest.ini": INI + "python_files = *.py\n",
        },
    ),
    Layout(
        "__init__ only if python_files names it",
        files("pkg/__init__.py", "pkg/test_a.py"),
    ),
    Layout(
        "testpaths",
        {**files("tests/test_a.py", "other/test_b.py"), "pytest.ini": INI + "testpaths = tests\n"},
    ),
    Layout(
        "testpaths in their own order",
        {
            **files("a/test_a.py", "b/test_b.py", "c/test_c.py"),
            "pytest.ini": INI + "testpaths = c a\n",
        },
    ),
    Layout(
        "testpaths are globs",
        {
            **files("src/x/tests/test_a.py", "src/y/tests/test_b.py", "src/y/test_no.py"),
            "pytest.ini": INI + "testpaths = src/*/tests\n",
        },
    ),
    Layout(
        "testpaths with two stars",
        {
            **files("src/x/tests/test_a.py", "src/y/z/tests/test_b.py"),
            "pytest.ini": INI + "testpaths = src/**/tests\n",
        },
    ),
    Layout(
        "testpaths that overlap",
        {
            **files("tests/test_a.py", "tests/unit/test_b.py"),
            "pytest.ini": INI + "testpaths = tests/unit tests\n",
        },
    ),
    Layout(
        "testpaths that do not exist",
        {**files("test_a.py", "x/test_b.py"), "pytest.ini": INI + "testpaths = nope\n"},
    ),
    Layout(
        "testpaths of which one exists",
        {**files("test_a.py", "x/test_b.py"), "pytest.ini": INI + "testpaths = nope x\n"},
    ),
    Layout(
        "testpaths do not count in another folder",
        {
            **files("tests/test_a.py", "sub/test_b.py"),
            "pytest.ini": INI + "testpaths = tests\n",
        },
        cwd="sub",
    ),
    Layout(
        "testpaths do not count with arguments",
        {**files("tests/test_a.py", "sub/test_b.py"), "pytest.ini": INI + "testpaths = tests\n"},
        args=("sub",),
    ),
    Layout(
        "a file in testpaths",
        {**files("checks.py", "test_a.py"), "pytest.ini": INI + "testpaths = checks.py\n"},
    ),
    Layout(
        "python_files",
        {
            **files("tests/check_a.py", "tests/test_b.py"),
            "setup.cfg": "[tool:pytest]\npython_files = check_*.py\n",
        },
    ),
    Layout(
        "python_files with a folder",
        {
            **files("tests/a.py", "tests/sub/b.py", "src/a.py"),
            "pytest.ini": INI + "python_files = tests/*.py\n",
        },
    ),
    Layout(
        "python_files over several lines",
        {
            **files("a_check.py", "test_b.py", "c_spec.py"),
            "tox.ini": INI + "python_files =\n    *_check.py\n    *_spec.py\n",
        },
    ),
    Layout(
        "python_files as a list",
        {
            **files("a_check.py", "test_b.py"),
            "pyproject.toml": TABLE + 'python_files = ["*_check.py"]\n',
        },
    ),
    Layout(
        "native types",
        {
            **files("a_check.py", "test_b.py"),
            "pyproject.toml": '[tool.pytest]\npython_files = ["*_check.py"]\n',
        },
        since=(9, 0),
    ),
    Layout(
        "norecursedirs by default",
        files(
            *(
                f"{folder}/test_a.py"
                for folder in (".x", "build", "dist", "node_modules", "venv", "a.egg", "CVS")
            ),
            "__pycache__/test_a.py",
            "_darcs/test_a.py",
            "{arch}/test_a.py",
            "builds/test_a.py",
        ),
    ),
    Layout(
        "norecursedirs replaced",
        {
            **files("build/test_a.py", "skip/test_b.py", ".hidden/test_c.py"),
            "pytest.ini": INI + "norecursedirs = skip\n",
        },
    ),
    Layout(
        "norecursedirs with a folder",
        {
            **files("tests/data/test_a.py", "data/test_b.py", "x/tests/data/test_c.py"),
            "pytest.ini": INI + "norecursedirs = tests/data\n",
        },
    ),
    Layout(
        "norecursedirs do not hold for arguments",
        files("build/test_a.py", "build/dist/test_b.py"),
        args=("build",),
    ),
    Layout(
        "an argument inside what is left out",
        files("build/dist/test_a.py", "build/test_b.py"),
        args=("build/dist",),
    ),
    Layout(
        "collect_ignore",
        {
            **files("test_a.py", "test_b.py", "sub/test_c.py"),
            "conftest.py": 'collect_ignore = ["test_a.py", "sub"]\n',
        },
    ),
    Layout(
        "collect_ignore of the nearest conftest alone",
        {
            **files("test_a.py", "sub/test_b.py", "sub/test_c.py"),
            "conftest.py": 'collect_ignore = ["test_a.py", "sub/test_b.py"]\n',
            "sub/conftest.py": 'collect_ignore = ["test_c.py"]\n',
        },
    ),
    Layout(
        "collect_ignore_glob",
        {
            **files("test_a_slow.py", "test_b.py", "sub/test_c_slow.py", "sub/deep/test_d_slow.py"),
            "conftest.py": 'collect_ignore_glob = ["*_slow.py"]\n',
        },
    ),
    Layout(
        "collect_ignore does not hold for arguments",
        {**files("test_a.py"), "conftest.py": 'collect_ignore = ["test_a.py"]\n'},
        args=("test_a.py",),
    ),
    Layout(
        "--ignore in addopts",
        {
            **files("test_a.py", "sub/test_b.py", "sub2/test_c.py"),
            "pytest.ini": INI + "addopts = --ignore=sub --ignore-glob=*/sub2/*\n",
        },
    ),
    Layout(
        "conftests",
        {
            **files("tests/a/test_a.py", "tests/b/test_b.py", "test_c.py"),
            **files(
                "conftest.py", "tests/conftest.py", "tests/a/conftest.py", "tests/b/conftest.py"
            ),
            **files("empty/conftest.py"),
        },
    ),
    Layout(
        "conftests above an argument",
        {
            **files("tests/a/test_a.py", "tests/b/test_b.py", "pytest.ini"),
            **files(
                "conftest.py", "tests/conftest.py", "tests/a/conftest.py", "tests/b/conftest.py"
            ),
        },
        args=("tests/a/test_a.py",),
    ),
    Layout(
        "confcutdir is where the inifile is",
        {
            **files("conftest.py", "proj/conftest.py", "proj/tests/test_a.py"),
            "proj/pytest.ini": INI,
        },
        cwd="proj",
    ),
    Layout(
        "confcutdir in addopts",
        {
            **files("conftest.py", "proj/conftest.py", "proj/tests/test_a.py"),
            "proj/pytest.ini": INI + "addopts = --confcutdir=..\n",
        },
        cwd="proj",
    ),
    Layout(
        "no conftests",
        {**files("conftest.py", "tests/conftest.py", "tests/test_a.py")},
        args=("--noconftest",),
    ),
    Layout(
        "explicit files",
        files("tests/helpers.py", "tests/test_a.py", "tests/conftest.py"),
        args=("tests/helpers.py", "tests/conftest.py"),
    ),
    Layout(
        "a node id", files("tests/test_a.py", "tests/test_b.py"), args=("tests/test_b.py::test_it",)
    ),
    Layout(
        "arguments that overlap",
        files("tests/test_a.py", "tests/sub/test_b.py"),
        args=("tests/sub", "tests"),
    ),
    Layout(
        "an argument twice",
        files("tests/test_a.py", "tests/test_b.py"),
        args=("tests/test_b.py", "tests/test_a.py", "tests/test_b.py"),
    ),
    Layout(
        "a virtual environment",
        {**files("env/lib/test_a.py", "test_b.py"), "env/pyvenv.cfg": ""},
        since=(8, 3),
    ),
    Layout(
        "a conda environment",
        {**files("env/lib/test_a.py", "test_b.py"), "env/conda-meta/history": ""},
        since=(8, 3),
    ),
    Layout(
        "an old virtual environment",
        {**files("env/lib/test_a.py", "test_b.py"), "env/bin/activate": ""},
    ),
    Layout(
        "--collect-in-virtualenv",
        {**files("env/lib/test_a.py", "test_b.py"), "env/pyvenv.cfg": ""},
        args=("--collect-in-virtualenv",),
    ),
    Layout(
        "a link to a folder",
        {**files("real/test_a.py"), "linked": "-> real"},
    ),
    Layout(
        "a link to a file, and one to nothing",
        {**files("real.py"), "test_linked.py": "-> real.py", "test_gone.py": "-> gone.py"},
    ),
    Layout(
        "a folder that ends in .py",
        files("test_folder.py/test_a.py"),
    ),
    Layout("an empty pytest.ini", {**files("proj/test_a.py"), "proj/pytest.ini": ""}, cwd="proj"),
    Layout(
        "pytest.ini wins over pyproject.toml",
        {
            **files("a_check.py", "test_b.py"),
            "pytest.ini": "",
            "pyproject.toml": TABLE + 'python_files = ["*_check.py"]\n',
        },
    ),
    Layout(
        "pytest.toml wins over pytest.ini",
        {
            **files("a_check.py", "test_b.py"),
            "pytest.ini": INI,
            "pytest.toml": '[pytest]\npython_files = ["*_check.py"]\n',
        },
        since=(9, 0),
    ),
    Layout(
        ".pytest.toml alone",
        {**files("a_check.py"), ".pytest.toml": '[pytest]\npython_files = ["*_check.py"]\n'},
        since=(9, 0),
    ),
    Layout(
        "an empty .pytest.ini",
        {
            **files("a_check.py", "test_b.py"),
            ".pytest.ini": "",
            "tox.ini": INI + "python_files = *_check.py\n",
        },
        since=(9, 0),
    ),
    Layout(
        "tox.ini without a table does not count",
        {
            **files("proj/a_check.py", "proj/test_b.py"),
            "proj/tox.ini": "[tox]\n",
            "setup.cfg": "[tool:pytest]\npython_files = *_check.py\n",
        },
        cwd="proj",
    ),
    Layout(
        "a wrong header in tox.ini",
        {
            **files("a_check.py", "test_b.py"),
            "tox.ini": "[tool:pytest]\npython_files = *_check.py\n",
        },
    ),
    Layout(
        "a bare pyproject.toml is the root",
        {**files("proj/tests/test_a.py"), "proj/pyproject.toml": "[project]\n"},
        cwd="proj/tests",
        since=(8, 1),
    ),
    Layout(
        "a table further up wins over a bare pyproject.toml",
        {
            **files("proj/tests/test_a.py", "test_b.py"),
            "proj/pyproject.toml": "[project]\n",
            "tox.ini": INI,
        },
        cwd="proj/tests",
    ),
    Layout(
        "setup.py is the root",
        {**files("proj/tests/test_a.py"), "proj/setup.py": ""},
        cwd="proj/tests",
    ),
    Layout(
        "the common ancestor decides",
        {
            **files("a/test_a.py", "b/test_b.py"),
            "a/pytest.ini": INI,
            "b/pytest.ini": INI,
            "pytest.ini": INI,
        },
        args=("a", "b"),
    ),
    Layout(
        "a folder's own table for an argument inside",
        {
            **files("a/check_a.py", "b/test_b.py"),
            "a/pytest.ini": INI + "python_files = check_*.py\n",
            "pytest.ini": INI,
        },
        args=("a",),
    ),
    Layout(
        "arguments whose ancestor has no table",
        {
            **files("a/check_a.py", "b/test_b.py"),
            "a/pytest.ini": INI + "python_files = check_*.py test_*.py\n",
        },
        args=("a", "b"),
    ),
    Layout(
        "--rootdir",
        {**files("proj/test_a.py", "conftest.py"), "proj/pytest.ini": INI + "testpaths = nope\n"},
        args=("--rootdir=.", "proj"),
    ),
    Layout(
        "-c",
        {**files("a_check.py", "test_b.py"), "conf/my.ini": INI + "python_files = *_check.py\n"},
        args=("-c", "conf/my.ini", "."),
    ),
    Layout(
        "-o on the command line",
        {**files("a_check.py", "test_b.py")},
        args=("-o", "python_files=*_check.py"),
    ),
    Layout(
        "-o in addopts",
        {
            **files("a_check.py", "test_b.py"),
            "pytest.ini": INI + "addopts = -o python_files=*_check.py\n",
        },
        since=(9, 1),
    ),
    Layout(
        "a path in addopts",
        {
            **files("tests/test_a.py", "other/test_b.py"),
            "pytest.ini": INI + "addopts = -ra tests\ntestpaths = other\n",
        },
    ),
    Layout(
        "options with values in addopts",
        {
            **files("tests/test_a.py", "other/test_b.py"),
            "pytest.ini": INI
            + "addopts = -k test -m 'not slow' --tb short --durations 5 -vv -p no:cacheprovider\n"
            + "testpaths = other\n",
        },
    ),
    Layout(
        "-p no:python is not about files",
        {**files("test_a.py"), "pytest.ini": INI + "addopts = -pno:cacheprovider\n"},
    ),
    Layout(
        "importlib mode",
        {
            **files("a/test_a.py", "b/test_a.py"),
            "pytest.ini": INI + "addopts = --import-mode=importlib\n",
        },
    ),
    Layout(
        "the root's run reaches a folder with its own table",
        {
            **files("test_a.py", "pkg/test_b.py", "pkg/check_c.py"),
            "pytest.ini": INI,
            "pkg/pytest.ini": INI + "python_files = check_*.py\n",
        },
    ),
    Layout(
        "startup conftests of testpaths",
        {
            **files("tests/conftest.py", "tests/testing/conftest.py", "tests/unit/conftest.py"),
            **files("tests/unit/test_a.py", "tests/testing/test_b.py", "conftest.py"),
            "pytest.ini": INI + "testpaths = tests\n",
        },
    ),
]


def ignores(conftest: Path) -> ConftestIgnores:
    """What a conftest leaves out, if it says so in a literal."""
    found: dict[str, tuple[str, ...]] = {}
    for node in ast.parse(conftest.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = tuple(ast.literal_eval(node.value))
    return ConftestIgnores(found.get("collect_ignore"), found.get("collect_ignore_glob"))


@needs_fork
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_collects_what_pytest_collects(layout: Layout, tmp_path: Path, oracle: Oracle) -> None:
    if tuple(map(int, pytest.__version__.split(".")[:2])) < layout.since:
        pytest.skip("this pytest does not know that yet")
    cwd = build(layout, tmp_path)
    said = oracle.ask(cwd, layout.args)
    ours = collect_as_pytest(cwd, layout.args, pytest.__version__, ignores)
    root = Path(said["rootdir"])

    def relative(paths: list[str]) -> list[str]:
        return [os.path.relpath(path, root) for path in paths]

    assert str(ours.config.rootdir) == said["rootdir"]
    assert (str(ours.config.inifile) if ours.config.inifile else None) == said["inifile"]
    assert list(ours.test_files) == relative(said["modules"])
    assert sorted(ours.conftests) == sorted(relative(said["conftests"]))
    assert list(ours.startup_conftests) == relative(said["startup"])


def found(top: Path, *named: str, settings: Settings | None = None) -> list[SuiteFiles]:
    return discover(
        top,
        [top / one for one in named],
        settings or Settings(),
        lambda _: pytest.__version__,
        ignores,
    )


def by_folder(suites: list[SuiteFiles], top: Path) -> dict[str, list[str]]:
    return {
        os.path.relpath(suite.config.invocation_dir, top): list(suite.test_files)
        for suite in suites
    }


PREFECT = {
    # The shape of PrefectHQ/prefect: a root with testpaths, and packages tested in their folders.
    **files("tests/conftest.py", "tests/test_flows.py", "tests/cli/test_run.py"),
    **files("integration-tests/test_all.py", "scripts/make.py"),
    "pyproject.toml": TABLE + 'testpaths = ["tests"]\nasyncio_mode = "auto"\n',
    **files("src/integrations/aws/tests/conftest.py", "src/integrations/aws/tests/test_s3.py"),
    "src/integrations/aws/pyproject.toml": TABLE + 'asyncio_mode = "strict"\n',
    **files("src/integrations/ray/tests/test_ray.py", "src/integrations/ray/perf/test_load.py"),
    "src/integrations/ray/pyproject.toml": TABLE + 'testpaths = ["tests"]\n',
    **files("src/prefect/main.py"),
}
WORKSPACE = {
    # A root that only ties packages together, and says nothing to pytest.
    **files("packages/a/tests/test_a.py", "packages/b/tests/test_b.py", "tests/test_root.py"),
    "pyproject.toml": "[tool.uv.workspace]\n",
    "packages/a/pyproject.toml": TABLE + 'addopts = "-ra"\n',
    "packages/b/pyproject.toml": "[project]\n",
}
SERVICES = {
    # A folder of projects that is none itself.
    **files("one/tests/test_a.py", "one/app.py", "two/tests/test_b.py", "test_loose.py"),
    "one/pyproject.toml": "[project]\n",
    "two/setup.py": "",
}
COVERED = {
    # The root's run collects the folder with the second file.
    **files("tests/test_a.py", "tests/api/test_b.py"),
    "pytest.ini": INI + "asyncio_mode = auto\n",
    "tests/api/pytest.ini": INI + "asyncio_mode = strict\nmarkers = slow\n",
}

PROJECTS: list[tuple[str, dict[str, str], tuple[str, ...], dict[str, list[str]]]] = [
    (
        "everything below a root with testpaths",
        PREFECT,
        (".",),
        {
            ".": ["tests/cli/test_run.py", "tests/test_flows.py"],
            "src/integrations/aws": ["src/integrations/aws/tests/test_s3.py"],
            "src/integrations/ray": ["src/integrations/ray/tests/test_ray.py"],
        },
    ),
    (
        "a package",
        PREFECT,
        ("src/integrations/aws",),
        {"src/integrations/aws": ["src/integrations/aws/tests/test_s3.py"]},
    ),
    (
        "a file in a package",
        PREFECT,
        ("src/integrations/ray/tests/test_ray.py",),
        {"src/integrations/ray": ["src/integrations/ray/tests/test_ray.py"]},
    ),
    (
        "a folder of packages",
        PREFECT,
        ("src/integrations",),
        {
            "src/integrations/aws": ["src/integrations/aws/tests/test_s3.py"],
            "src/integrations/ray": ["src/integrations/ray/tests/test_ray.py"],
        },
    ),
    (
        "the root's own sources",
        PREFECT,
        ("src/prefect",),
        {".": ["tests/cli/test_run.py", "tests/test_flows.py"]},
    ),
    (
        "tests that testpaths leave out are added when named",
        PREFECT,
        ("integration-tests",),
        {
            ".": [
                "tests/cli/test_run.py",
                "tests/test_flows.py",
                "integration-tests/test_all.py",
            ]
        },
    ),
    (
        "such a file alone",
        PREFECT,
        ("src/integrations/ray/perf/test_load.py",),
        {
            "src/integrations/ray": [
                "src/integrations/ray/tests/test_ray.py",
                "src/integrations/ray/perf/test_load.py",
            ]
        },
    ),
    (
        "a root that says nothing to pytest",
        WORKSPACE,
        (".",),
        {
            ".": ["packages/b/tests/test_b.py", "tests/test_root.py"],
            "packages/a": ["packages/a/tests/test_a.py"],
        },
    ),
    (
        "a package without a table belongs to the root",
        WORKSPACE,
        ("packages/b",),
        {".": ["packages/b/tests/test_b.py", "tests/test_root.py"]},
    ),
    (
        "projects side by side",
        SERVICES,
        (".",),
        {
            ".": ["test_loose.py"],
            "one": ["one/tests/test_a.py"],
            "two": ["two/tests/test_b.py"],
        },
    ),
    ("sources of one of them", SERVICES, ("one/app.py",), {"one": ["one/tests/test_a.py"]}),
    (
        "a second file that the root's run does not use",
        COVERED,
        ("tests/api",),
        {".": ["tests/api/test_b.py", "tests/test_a.py"]},
    ),
]


@pytest.mark.parametrize(
    ("paths", "named", "expected"),
    [pytest.param(*project[1:], id=project[0]) for project in PROJECTS],
)
def test_finds_the_suites_of_a_repository(
    paths: dict[str, str], named: tuple[str, ...], expected: dict[str, list[str]], tmp_path: Path
) -> None:
    build(Layout("", paths), tmp_path)
    assert by_folder(found(tmp_path, *named), tmp_path) == expected


@needs_fork
@pytest.mark.parametrize("paths", [PREFECT, COVERED], ids=["prefect", "covered"])
def test_a_suite_is_what_pytest_collects_in_its_folder(
    paths: dict[str, str], tmp_path: Path, oracle: Oracle
) -> None:
    build(Layout("", paths), tmp_path)
    for suite in found(tmp_path, "."):
        said = oracle.ask(suite.config.invocation_dir)
        assert list(suite.test_files) == [os.path.relpath(x, tmp_path) for x in said["modules"]]
        assert str(suite.config.inifile) == said["inifile"]


def test_the_same_file_belongs_to_the_same_suite_whatever_is_named(tmp_path: Path) -> None:
    build(Layout("", PREFECT), tmp_path)
    whole = by_folder(found(tmp_path, "."), tmp_path)
    for folder, tests in whole.items():
        for test in tests:
            assert by_folder(found(tmp_path, test), tmp_path) == {folder: tests}


def test_says_which_paths_stand_for_a_whole_suite(tmp_path: Path) -> None:
    build(Layout("", PREFECT), tmp_path)
    (suite,) = found(tmp_path, "src/prefect", "tests/cli", "tests/test_flows.py")
    assert suite.named == (
        Named("src/prefect", True),
        Named("tests/cli", False),
        Named("tests/test_flows.py", False),
    )
    assert suite.name == ""
    assert [one.name for one in found(tmp_path)] == [
        ".",
        "src/integrations/aws",
        "src/integrations/ray",
    ]


def test_a_second_file_for_a_folder_is_kept_with_what_it_would_change(tmp_path: Path) -> None:
    build(Layout("", COVERED), tmp_path)
    (suite,) = found(tmp_path)
    (ignored,) = suite.config.ignored
    assert ignored.path == tmp_path / "tests/api/pytest.ini"
    assert (ignored.reason, ignored.line) == ("folder", 1)
    assert ignored.why == "only a run whose arguments all lie in tests/api uses it"
    assert [(one.option, one.line, one.value, one.in_force) for one in ignored.differs] == [
        ("asyncio_mode", 2, "strict", "auto"),
        ("markers", 3, "slow", None),
    ]


def test_a_path_without_a_suite_is_an_error(tmp_path: Path) -> None:
    build(Layout("", files("src/app.py")), tmp_path)
    with pytest.raises(DiscoveryError, match="src: belongs to no suite"):
        found(tmp_path, "src")
    with pytest.raises(DiscoveryError, match="nope: no such file or folder"):
        found(tmp_path, "nope")
    assert found(tmp_path) == []


def test_unmatched_files_are_those_in_test_folders(tmp_path: Path) -> None:
    paths = files("src/app.py", "tests/helpers.py", "tests/data/sample.py", "tests/test_a.py")
    build(Layout("", {**paths, **files("setup.py", "tests/conftest.py")}), tmp_path)
    (suite,) = found(tmp_path)
    assert suite.unmatched == ("tests/data/sample.py", "tests/helpers.py")


def test_leaves_out_what_git_ignores_and_what_is_excluded(tmp_path: Path) -> None:
    paths = files("tests/test_a.py", "tests/test_gen.py", "tests/out/test_b.py", "old/test_c.py")
    texts = {".gitignore": "out/\n", "tests/.gitignore": "*_gen.py\n", "old/conftest.py": ""}
    build(Layout("", {**paths, **texts}), tmp_path)
    (suite,) = found(tmp_path, settings=Settings(exclude=("old",)))
    assert suite.test_files == ("tests/test_a.py",)
    assert {(one.path, one.reason) for one in suite.skipped} == {
        ("old", "excluded"),
        ("tests/out", "gitignored"),
        ("tests/test_gen.py", "gitignored"),
    }
    (suite,) = found(tmp_path, settings=Settings(respect_gitignore=False))
    assert len(suite.test_files) == 4
    # Named on the command line, what git ignores is looked at.
    (suite,) = found(tmp_path, "tests/out", "tests/test_gen.py")
    assert {"tests/out/test_b.py", "tests/test_gen.py"} < set(suite.test_files)
    # What is excluded is not, and it is no mistake to name it.
    (suite,) = found(tmp_path, "old/test_c.py", settings=Settings(exclude=("old",)))
    assert suite.test_files == ("tests/test_a.py",)
    assert suite.named == (Named("old/test_c.py", False),)


def test_a_conftest_that_git_ignores_still_counts(tmp_path: Path) -> None:
    texts = {**files("tests/test_a.py", "tests/conftest.py"), ".gitignore": "conftest.py\n"}
    build(Layout("", texts), tmp_path)
    (suite,) = found(tmp_path)
    assert suite.conftests == ("tests/conftest.py",)


def test_links_that_lead_back_are_not_followed(tmp_path: Path) -> None:
    texts = {
        **files("tests/test_a.py", "other/test_b.py"),
        "tests/self": "-> .",
        "tests/up": "-> ../tests",
        "tests/other": "-> ../other",
        "other/tests": "-> ../tests",
    }
    build(Layout("", texts), tmp_path)
    (suite,) = found(tmp_path)
    # What lies on two paths without a way back is collected on both, as by pytest.
    assert suite.test_files == (
        "other/test_b.py",
        "other/tests/test_a.py",
        "tests/other/test_b.py",
        "tests/test_a.py",
    )
    assert {one.reason for one in suite.skipped} == {"link to a folder above"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is readable")
def test_a_folder_that_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    build(Layout("", files("tests/test_a.py", "secret/test_b.py")), tmp_path)
    (tmp_path / "secret").chmod(0)
    try:
        (suite,) = found(tmp_path)
    finally:
        (tmp_path / "secret").chmod(0o700)
    assert suite.test_files == ("tests/test_a.py",)
    assert [(one.path, one.reason) for one in suite.skipped] == [("secret", "unreadable")]


def test_folders_that_cannot_be_read_or_vanish_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(Layout("", files("tests/test_a.py", "gone/test_b.py", "secret/test_c.py")), tmp_path)
    scandir = os.scandir
    faults = {"gone": FileNotFoundError, "secret": PermissionError}

    def broken(path: str) -> Any:
        fault = faults.get(Path(path).name)
        if fault:
            raise fault(path)
        return scandir(path)

    monkeypatch.setattr("scopecheck.walk.os.scandir", broken)
    (suite,) = found(tmp_path)
    assert suite.test_files == ("tests/test_a.py",)
    assert {(one.path, one.reason) for one in suite.skipped} == {
        ("gone", "vanished"),
        ("secret", "unreadable"),
    }


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("8.4.2", ["tests/unit/test_b.py"]),
        ("9.0.3", ["tests/test_a.py", "tests/unit/test_b.py"]),
    ],
)
def test_the_outer_of_two_arguments_was_lost_before_9(
    version: str, expected: list[str], tmp_path: Path
) -> None:
    """Observed with 8.0.2, 8.3.5 and 8.4.2 against 9.0.3."""
    build(Layout("", files("tests/test_a.py", "tests/unit/test_b.py")), tmp_path)
    suite = collect_as_pytest(tmp_path, ("tests/unit", "tests"), version, ignores)
    assert sorted(suite.test_files) == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("7.4.4", ["test_z.py", "a/test_b.py"]),
        ("8.0.2", ["a/test_b.py", "test_z.py"]),
    ],
)
def test_files_came_before_folders_until_8(
    version: str, expected: list[str], tmp_path: Path
) -> None:
    """Observed with 7.4.4 and 8.0.2."""
    build(Layout("", files("test_z.py", "a/test_b.py")), tmp_path)
    assert list(collect_as_pytest(tmp_path, (), version, ignores).test_files) == expected


@pytest.mark.parametrize(
    ("version", "mark", "skipped"),
    [
        ("8.2.2", "bin/activate", True),
        ("8.2.2", "pyvenv.cfg", False),
        ("8.3.5", "bin/activate", False),
        ("8.3.5", "pyvenv.cfg", True),
    ],
)
def test_what_tells_a_virtual_environment_changed_with_8_3(
    version: str, mark: str, skipped: bool, tmp_path: Path
) -> None:
    """Observed with 8.2.2 and 8.3.5."""
    build(Layout("", {**files("env/test_a.py"), f"env/{mark}": ""}), tmp_path)
    suite = collect_as_pytest(tmp_path, (), version, ignores)
    assert (suite.test_files == ()) is skipped


def test_a_large_tree_is_found_in_a_time_that_grows_with_it(tmp_path: Path) -> None:
    for folders in (25, 100):
        for folder in range(folders):
            package = tmp_path / f"{folders}/tests/d{folder}"
            package.mkdir(parents=True)
            for number in range(25):
                (package / f"test_{number}.py").touch()
        (tmp_path / f"{folders}/.gitignore").write_text("*.pyc\n__pycache__/\n/docs/_build\n")

    def find(folders: int) -> None:
        (suite,) = found(tmp_path / str(folders))
        assert len(suite.test_files) == 25 * folders

    assert growth(lambda: find(25), lambda: find(100)) < 8
