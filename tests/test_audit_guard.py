"""What counts as a guard: lines of CI, hooks and configuration that run scopecheck on a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import on_disk
import pytest

from scopecheck.audit.guard import regression_guard

if TYPE_CHECKING:
    from pathlib import Path

RUN = {
    ".pre-commit-config.yaml": "repos:\n- repo: x\n  hooks:\n  - id: scopecheck\n",
    ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: uvx scopecheck\n",
    ".gitlab-ci.yml": "lint:\n  script:\n    - scopecheck tests --output-format gitlab\n",
    "tox.ini": "[testenv:lint]\ndeps =\n    scopecheck\ncommands =\n    scopecheck\n",
    "noxfile.py": 'def lint(session):\n    session.run("scopecheck", "tests")\n',
    "Makefile": "lint:\n\tpython -m scopecheck audit tests\n",
    "pytest.ini": "[pytest]\naddopts = -ra --scopecheck\n",
    "pyproject.toml": '[tool.hatch.envs.lint.scripts]\ncheck = "scopecheck tests"\n',
    ".ci/run": "set -e\n.venv/bin/scopecheck\n",
    "justfile": "lint:\n  @scopecheck src\n",
    "package.json": '{"scripts": {\n  "lint": "ruff check && scopecheck"}}\n',
}
NOT_RUN = {
    ".pre-commit-config.yaml": "repos:\n- repo: x\n  hooks:\n  # - id: scopecheck\n  - id: ruff\n",
    ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: pip install scopecheck\n",
    ".gitlab-ci.yml": "lint:\n  script:\n    - scopecheck config\n",
    "tox.ini": "[testenv:lint]\ncommands = ruff check\ndeps =\n    scopecheck\n",
    "noxfile.py": 'def lint(session):\n    session.install("scopecheck")\n',
    "Makefile": "lint:\n\t# scopecheck tests\n",
    "pytest.ini": "[pytest]\naddopts = -ra\n# --scopecheck\n",
    "pyproject.toml": (
        '[project]\nname = "a"\n[dependency-groups]\ndev = [\n    "scopecheck",\n]\n'
        "[tool.scopecheck]\nselect = []\n"
    ),
    ".ci/run": "pip install -q scopecheck\n",
    "justfile": "lint:\n  scopecheck other\n",
    "package.json": '{"name": "scopecheck"}\n',
}


def write(folder: Path, files: dict[str, str]) -> None:
    (folder / ".git").mkdir()
    for name in ("tests", "src", "other"):
        (folder / name).mkdir()
    on_disk.write(folder, files)


@pytest.mark.parametrize("name", sorted(RUN))
def test_a_line_that_runs_it(name: str, tmp_path: Path) -> None:
    write(tmp_path, {name: RUN[name]})
    found = regression_guard(tmp_path, [tmp_path / "tests"] if name != "justfile" else [tmp_path])
    assert not found.fails
    assert found.holds[0].startswith(f"{name}:")
    assert len(found.holds) == 1


@pytest.mark.parametrize("name", sorted(NOT_RUN))
def test_a_line_that_does_not(name: str, tmp_path: Path) -> None:
    write(tmp_path, {name: NOT_RUN[name]})
    found = regression_guard(tmp_path, [tmp_path / "tests"])
    assert not found.holds
    assert found.fails[-1] == (
        "nothing that was read runs scopecheck on this suite: neither CI nor a hook"
    )
    assert (len(found.fails) == 2) == (name == "justfile")


def test_files_above_the_suite_count_up_to_the_top_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("lint:\n\tscopecheck\n")
    top = tmp_path / "top"
    (top / "part" / "tests").mkdir(parents=True)
    (top / ".git").mkdir()
    assert not regression_guard(top, [top / "part"]).holds
    (top / "Makefile").write_text("lint:\n\tscopecheck part\n")
    assert regression_guard(top, [top / "part"]).holds == ("Makefile:2 runs it: `scopecheck part`",)
