"""The README says what is true now."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def output(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "scopecheck", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_the_table_of_rules() -> None:
    """Rewrite it with `scopecheck rule --output-format markdown`."""
    assert output("rule", "--output-format", "markdown") in README


def test_the_finding_that_is_shown() -> None:
    shown = re.search(r"```\n(error\[scope-mismatch\].*?)\n```", README, re.DOTALL)
    assert shown is not None
    assert shown[1] in output("examples/agent_platform", "--isolated")


def test_ci_runs_the_second_command() -> None:
    commands = re.findall(r"^\$ (python3 -m venv .*)$", README, re.MULTILINE)
    assert len(commands) == 2
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert commands[1] in script.splitlines()
    assert commands[1] in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
