"""`pytest --scopecheck`: pytest's own configuration and plugins decide; one section at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = """\
import pytest

@pytest.fixture
def settings(): return {}

@pytest.fixture(scope="session")
def engine(settings): return object()
"""
MISMATCH = "SCP101: session-scoped `engine` requests function-scoped `settings`"
SECTION = "= scopecheck ="


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )
    return done.returncode, done.stdout + done.stderr


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A suite that passes, with a fault in what no test that runs reaches."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\ntestpaths = ["tests"]\nasyncio_mode = "strict"\n'
    )
    write(
        folder,
        tests__conftest=CONFTEST,
        tests__test_a="def test_a(engine): ...\n",
        tests__test_b="def test_b(): ...\n",
        tests__test_c="def test_c(settings): ...\n",
    )
    return folder


def test_nothing_is_loaded_unless_asked_for(project: Path, tmp_path: Path) -> None:
    (tmp_path / "spy.py").write_text(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    print('LOADED', sorted(n for n in sys.modules if n.startswith('scopecheck')))\n"
    )
    arguments = ("-p", "spy", "tests/test_b.py")
    status, output = run(project, *arguments, PYTHONPATH=str(tmp_path))
    assert status == 0
    assert "LOADED ['scopecheck', 'scopecheck.pytest_plugin']" in output
    assert SECTION not in output
    status, output = run(project, "--scopecheck", *arguments, PYTHONPATH=str(tmp_path))
    assert status == 0
    assert "scopecheck.under_pytest" in output
    assert "libcst" not in output


def test_findings_fail_the_run_in_one_section(project: Path) -> None:
    status, output = run(project, "--scopecheck", "--deselect", "tests/test_a.py::test_a")
    assert status == 1
    assert "2 passed, 1 deselected" in output
    assert output.count(SECTION) == 1
    assert f"error[scope-mismatch] {MISMATCH}" in output
    assert "tests/conftest.py:7:5" in output


def test_a_sound_suite_passes(project: Path) -> None:
    write(project, tests__conftest=CONFTEST.replace("engine(settings)", "engine()"))
    status, output = run(project, "--scopecheck")
    assert status == 0
    assert "All checks passed: 3 tests, 2 fixtures" in output


def test_what_touches_the_paths_that_pytest_is_given(project: Path) -> None:
    assert run(project, "--scopecheck", "tests/test_b.py")[0] == 0
    # The fixture is used elsewhere, which is known though only this file is run.
    status, output = run(project, "--scopecheck", "tests/test_c.py")
    assert (status, "unused-fixture" in output) == (0, False)
    status, output = run(project, "--scopecheck", "tests/test_a.py::test_a")
    assert status == 1
    assert MISMATCH in output
    status, output = run(project / "tests", "--scopecheck", "test_b.py")
    assert status == 0, output


def test_the_plugins_that_pytest_has_are_those_that_count(project: Path) -> None:
    write(
        project,
        tests__conftest="import pytest_asyncio\n@pytest_asyncio.fixture\nasync def value(): ...\n",
        tests__test_a="import pytest\n@pytest.mark.asyncio\nasync def test_a(value): ...\n",
        tests__test_c="",
    )
    assert run(project, "--scopecheck")[0] == 0
    _, output = run(project, "--scopecheck", "-p", "no:asyncio", "-o", "asyncio_mode=")
    assert "unhandled-async-test" in output


def test_what_the_command_line_sets_counts(project: Path) -> None:
    write(project, tests__conftest="", tests__test_a="async def test_a(): ...\n", tests__test_c="")
    assert "unhandled-async-test" in run(project, "--scopecheck")[1]
    assert run(project, "--scopecheck", "-o", "asyncio_mode=auto")[0] == 0
    assert run(project, "--scopecheck", "--asyncio-mode=auto")[0] == 0
    # Another file pattern makes other files part of the suite.
    write(project, tests__check_a="def test_d(unheard_of): ...\n")
    arguments = ("--scopecheck", "--asyncio-mode=auto", "--collect-only", "-q")
    assert run(project, *arguments)[0] == 0
    status, output = run(project, *arguments, "-o", "python_files=check_*.py")
    assert status == 1
    assert "unknown-fixture" in output


def test_a_plugin_that_the_environment_names(project: Path, tmp_path: Path) -> None:
    (tmp_path / "extra.py").write_text("import pytest\n@pytest.fixture\ndef extra(): ...\n")
    write(project, tests__conftest="", tests__test_a="def test_a(extra): ...\n", tests__test_c="")
    path = str(tmp_path)
    assert run(project, "--scopecheck", PYTHONPATH=path, PYTEST_PLUGINS="extra")[0] == 0
    assert run(project, "--scopecheck", "-p", "extra", PYTHONPATH=path)[0] == 0
    status, output = run(project, "--scopecheck", PYTHONPATH=path)
    assert status == 1
    assert "unknown-fixture" in output


def test_an_object_with_fixtures_is_registered(project: Path) -> None:
    """They cannot be read, so a request that nothing answers is no finding."""
    write(project, tests__conftest="", tests__test_a="def test_a(given): ...\n", tests__test_c="")
    write(
        project,
        start=(
            "import pytest, sys\n"
            "class Given:\n"
            "    @pytest.fixture\n"
            "    def given(self): ...\n"
            "sys.exit(pytest.main(sys.argv[1:], plugins=[Given()]))\n"
        ),
    )
    done = subprocess.run(
        [sys.executable, "start.py", "--scopecheck", "-p", "no:cacheprovider", "tests/test_a.py"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_under_xdist(project: Path) -> None:
    status, output = run(
        project, "--scopecheck", "-n", "2", "--deselect", "tests/test_a.py::test_a"
    )
    assert status == 1
    assert "2 passed" in output
    assert output.count(SECTION) == 1
    assert output.count(MISMATCH) == 1


def test_after_an_error_in_collection(project: Path) -> None:
    write(project, tests__test_c="import nowhere_at_all\n")
    status, output = run(project, "--scopecheck")
    assert status == 2
    assert MISMATCH in output


def test_quiet_is_a_line_each(project: Path) -> None:
    output = run(project, "--scopecheck", "-q")[1]
    assert "tests/conftest.py:7:5: error[SCP101] scope-mismatch: " in output
    assert " | " not in output.partition(SECTION)[2]


def test_by_configuration(project: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write('addopts = "--scopecheck"\n[tool.scopecheck]\nignore = ["SCP101"]\n')
    status, output = run(project, "tests/test_b.py")
    assert status == 0
    assert "All checks passed" in output


def test_configuration_that_is_not_in_force(project: Path) -> None:
    write(project, tests__conftest="", tests__test_a="", tests__test_c="")
    (project / "pytest.ini").write_text("[pytest]\n")
    status, output = run(project, "--scopecheck")
    assert status == 1
    assert "SCP315: [tool.pytest.ini_options] of `pyproject.toml` is not in force" in output
    # What is named on the command line is a choice, and leaves nothing out by accident.
    status, output = run(project, "--scopecheck", "-c", "pyproject.toml")
    assert status == 0, output


def test_a_baseline(project: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write('[tool.scopecheck]\nbaseline = "known.json"\n')
    status, output = run(project, "--scopecheck")
    assert status == 4
    assert "known.json" in output
    subprocess.run(
        [sys.executable, "-m", "scopecheck", "--update-baseline"], cwd=project, check=True
    )
    status, output = run(project, "--scopecheck", "tests/test_b.py", "tests/test_c.py")
    assert status == 0, output
    output = run(project, "--scopecheck", "--collect-only", "-q")[1]
    assert "the baseline knows 1 finding" in output


def test_wrong_configuration_is_wrong_use(project: Path) -> None:
    (project / "scopecheck.toml").write_text('select = ["NOPE"]\n')
    status, output = run(project, "--scopecheck")
    assert status == 4
    assert "ERROR: scopecheck: " in output
    assert "Traceback" not in output
