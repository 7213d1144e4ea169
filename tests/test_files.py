"""pytest is the judge: what is found in small projects is held against what pytest collects.

Each layout is built in a folder of its own, and pytest (the one that runs these tests) collects it
in a process of its own. The facts about older versions were observed with the same layouts, run
with pytest 7.4.4, 8.0.2, 8.2.2, 8.3.5, 8.4.2, 9.0.3 and 9.1.1.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scopecheck.files import ConftestIgnores, collect_as_pytest

HERE = Path(__file__).parent
INI = "[pytest]\n"
TEST = "def test_it(): pass\n"
TABLE = "[tool.pytest.ini_options]\n"


@dataclass(frozen=True)
class Layout:
    """Files by path, and how pytest is started in them.

    A text that starts with `-> ` makes a link; a path that ends with `/` makes a folder.
    """

    name: str
    files: dict[str, str]
    args: tuple[str, ...] = ()
    cwd: str = "."
    ini: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)


def files(*paths: str, **more: str) -> dict[str, str]:
    """Test files without more than a test, and others with the text given."""
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
        tags=frozenset({"9.0"}),
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
        tags=frozenset({"8.3"}),
    ),
    Layout(
        "a conda environment",
        {**files("env/lib/test_a.py", "test_b.py"), "env/conda-meta/history": ""},
        tags=frozenset({"8.3"}),
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
        tags=frozenset({"9.0"}),
    ),
    Layout(
        ".pytest.toml alone",
        {**files("a_check.py"), ".pytest.toml": '[pytest]\npython_files = ["*_check.py"]\n'},
        tags=frozenset({"9.0"}),
    ),
    Layout(
        "an empty .pytest.ini",
        {
            **files("a_check.py", "test_b.py"),
            ".pytest.ini": "",
            "tox.ini": INI + "python_files = *_check.py\n",
        },
        tags=frozenset({"9.0"}),
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
        tags=frozenset({"8.1"}),
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
        tags=frozenset({"9.1"}),
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


def build(layout: Layout, folder: Path) -> Path:
    for name, text in layout.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        elif text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)
    return folder / layout.cwd


def run_pytest(cwd: Path, args: tuple[str, ...], python: str = sys.executable) -> dict[str, Any]:
    """What pytest says that it collects."""
    out = cwd / ".oracle.json"
    environment = {
        **os.environ,
        "ORACLE_OUT": str(out),
        "PYTHONPATH": str(HERE),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    command = [python, "-m", "pytest", "-p", "collect_oracle", "--collect-only", "-q"]
    # `--` keeps pytest from taking an argument for its own option's value.
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *args],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.exists(), done.stdout + done.stderr
    said: dict[str, Any] = json.loads(out.read_text())
    out.unlink()
    return said


def ignores(conftest: Path) -> ConftestIgnores:
    """What a conftest leaves out, if it says so in a literal."""
    found: dict[str, tuple[str, ...]] = {}
    for node in ast.parse(conftest.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id.startswith("collect_ignore"):
                found[node.targets[0].id] = tuple(ast.literal_eval(node.value))
    return ConftestIgnores(**found)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_collects_what_pytest_collects(layout: Layout, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    cwd = build(layout, top)
    # So that nothing above the layout counts.
    said = run_pytest(cwd, layout.args)
    ours = collect_as_pytest(cwd, layout.args, pytest.__version__, ignores)
    root = Path(said["rootdir"])

    def relative(paths: list[str]) -> list[str]:
        return [os.path.relpath(path, root) for path in paths]

    assert str(ours.config.rootdir) == said["rootdir"]
    assert (str(ours.config.inifile) if ours.config.inifile else None) == said["inifile"]
    assert list(ours.test_files) == relative(said["modules"])
    assert sorted(ours.conftests) == sorted(relative(said["conftests"]))
    assert list(ours.startup_conftests) == relative(said["startup"])
