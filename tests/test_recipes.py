"""The recipes of docs/ci.md: their files are well formed, their commands run and report."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from scopecheck.audit.guard import regression_guard

TEXT = (Path(__file__).parent.parent / "docs/ci.md").read_text(encoding="utf-8")
RECIPES: dict[str, str] = dict(re.findall(r"^`([^`]+)`:\n\n```\w+\n(.*?)```$", TEXT, re.M | re.S))
BIN = Path(sys.executable).parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text("def test_a(unheard_of): ...\n")
    return tmp_path


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
    )


def test_the_files() -> None:
    assert set(RECIPES) == {
        ".pre-commit-config.yaml",
        ".github/workflows/suite.yml",
        ".gitlab-ci.yml",
        "tox.ini",
        "noxfile.py",
        "Makefile",
        "pyproject.toml",
    }


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_audit_takes_each_for_a_guard(name: str, project: Path) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text(RECIPES[name])
    assert not regression_guard(project, [project]).fails


def test_the_workflow(project: Path) -> None:
    workflow: Any = yaml.safe_load(RECIPES[".github/workflows/suite.yml"])
    summary = project / "summary.md"
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    steps = [step["run"] for step in workflow["jobs"]["scopecheck"]["steps"] if "run" in step]
    install, check, audit = steps
    assert install.startswith("pip install git+")
    done = shell(check, project, **environment)
    assert done.returncode == 1
    assert "::error " in done.stdout
    assert json.loads((project / "scopecheck.sarif").read_text())["version"] == "2.1.0"
    assert shell(audit, project, **environment).returncode == 1
    text = summary.read_text()
    assert text.index("### scopecheck") < text.index("# Audit of ")


def test_the_job_of_gitlab(project: Path) -> None:
    job: Any = yaml.safe_load(RECIPES[".gitlab-ci.yml"])["scopecheck"]
    install, check = job["script"]
    assert install.startswith("pip install git+")
    done = shell(check, project)
    assert done.returncode == 1
    assert "error[unknown-fixture]" in done.stdout
    (report,) = json.loads((project / job["artifacts"]["reports"]["codequality"]).read_text())
    assert report["check_name"] == "scopecheck/unknown-fixture"


def test_tox(project: Path) -> None:
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string(RECIPES["tox.ini"])
    command = ini["testenv:suite"]["commands"].strip()
    assert shell(command.replace("{posargs}", "tests"), project).returncode == 1


def test_nox(project: Path) -> None:
    """The file is run with a session that runs what it is told, and installs nothing."""
    (project / "noxfile.py").write_text(RECIPES["noxfile.py"])
    (project / "nox.py").write_text("class Session: ...\nsession = lambda function: function\n")
    (project / "run.py").write_text(
        "import subprocess, sys, noxfile\n"
        "class Session:\n"
        "    posargs = ['tests']\n"
        "    def install(self, what): assert what.startswith('git+')\n"
        "    def run(self, *words): sys.exit(subprocess.run(words).returncode)\n"
        "noxfile.suite(Session())\n"
    )
    assert shell("python run.py", project).returncode == 1


def test_make(project: Path) -> None:
    (project / "Makefile").write_text(RECIPES["Makefile"])
    make = shutil.which("make")
    command = "make suite" if make else RECIPES["Makefile"].split("\t")[1]
    assert "unknown-fixture" in shell(command, project).stdout


def test_the_option_of_pytest(project: Path) -> None:
    (project / "pyproject.toml").write_text(RECIPES["pyproject.toml"])
    done = shell("python -m pytest -p no:cacheprovider", project)
    assert "= scopecheck =" in done.stdout
