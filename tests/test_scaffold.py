"""`python -m scopecheck.testing`: a new rule is red at first, and what is wrong is said."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package with the rules of the engine, and no check."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(TOP / "scopecheck", tmp_path / "scopecheck", ignore=ignored)
    (tmp_path / "rules").mkdir()
    for name in ("syntax-error", "unreadable-file"):
        shutil.copy(TOP / "rules" / f"{name}.md", tmp_path / "rules")
    (tmp_path / "scopecheck" / "checks" / "policy.py").unlink(missing_ok=True)
    return tmp_path


def command(checkout: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "scopecheck.testing", *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_new_rule_is_red(checkout: Path) -> None:
    status, said = command(checkout, "new", "mock-in-real-test", "--family", "policy")
    assert status == 0
    assert said.startswith(
        "wrote rules/mock-in-real-test.md\n"
        "wrote mock_in_real_test() in scopecheck/checks/policy.py\n"
    )
    status, said = command(checkout, "run", "mock-in-real-test")
    assert status == 1
    assert "FAILED  mock-in-real-test: The plain case\n" in said
    assert "missed alarm at conftest.py:5" in said
    assert "pytest says '1 passed', not '1 error'" in said
    assert "ok      mock-in-real-test: The look-alike that is fine\n" in said

    status, said = command(checkout, "new", "mock-in-fast-test", "--family", "policy")
    assert status == 0
    page = (checkout / "rules" / "mock-in-fast-test.md").read_text(encoding="utf-8")
    assert 'code = "SCP802"' in page
    module = (checkout / "scopecheck" / "checks" / "policy.py").read_text(encoding="utf-8")
    assert module.index("def mock_in_real_test") < module.index("def mock_in_fast_test")
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,I", "-"]
    subprocess.run(ruff, input=module, text=True, check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["syntax-error", "--family", "scope"], "there is a rule 'syntax-error' already"),
        (["a-fault"], "give --code, --family, or both"),
        (["a-fault", "--code", "SCP901"], "code SCP901 belongs to no family of checks"),
        (["a-fault", "--code", "SCP101", "--family", "policy"], "does not belong to 'policy'"),
        (["A_Fault", "--code", "SCP101"], "a rule name in kebab-case"),
        (["a-fault", "--code", "SCP1"], "code must be SCP and three digits"),
    ],
)
def test_rule_that_cannot_be_started(checkout: Path, arguments: list[str], message: str) -> None:
    status, said = command(checkout, "new", *arguments)
    assert status == 2
    assert message in said
    assert len(list((checkout / "rules").glob("*.md"))) == 2
    assert not (checkout / "scopecheck" / "checks" / "policy.py").exists()


def test_run(checkout: Path) -> None:
    status, said = command(checkout, "run", "SCP001", "rules/unreadable-file.md")
    assert status == 0, said
    assert said.endswith("sections of 2 pages, 0 failed\n")
    status, said = command(checkout, "run", "sintax-error")
    assert status == 2
    assert "unknown rule 'sintax-error'; did you mean 'syntax-error'?" in said
