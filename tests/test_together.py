"""Findings with one cause are told as one, and silenced, known and mended one by one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scopecheck.analysis import Analysis, Summary
from scopecheck.finding import Cause, Edit, Fault, Finding, Fix, Place
from scopecheck.report.together import told_together
from scopecheck.source import Span

if TYPE_CHECKING:
    from pathlib import Path

CAUSE = Cause("one", "here, too")


def finding(line: int, *fixes: Fix, cause: Cause | None = CAUSE) -> Finding:
    fault = Fault(
        Place("test_a.py", Span(line, 1, line, 5)),
        f"line {line} is wrong",
        f"test_a.py::test_{line}",
        tests=frozenset({f"test_a.py::test_{line}"}),
        fixes=fixes,
        cause=cause,
    )
    return Finding("SCP301", "unknown-fixture", "error", "proved", fault)


def fix(title: str, *lines: int) -> Fix:
    edits = tuple(Edit("test_a.py", Span(line, 1, line, 5), "x") for line in lines)
    return Fix(title, "unsafe", edits)


def together(root: Path, *findings: Finding) -> Analysis:
    summary = Summary(findings=len(findings), fixable=len(findings))
    return told_together(Analysis(root, findings, summary, lambda _: None, {}))


def test_the_first_place_speaks_for_all(tmp_path: Path) -> None:
    made = together(tmp_path, finding(1), finding(2, cause=None), finding(3), finding(4))
    assert [one.fault.message for one in made.findings] == [
        "line 1 is wrong (and at 2 more places)",
        "line 2 is wrong",
    ]
    first = made.findings[0].fault
    assert [(place.span.line, place.message) for place in first.related] == [
        (3, "here, too"),
        (4, "here, too"),
    ]
    assert len(first.tests) == 3
    assert made.summary.findings == 2


def test_what_is_less_sure_is_told_apart(tmp_path: Path) -> None:
    one = finding(1)
    other = Finding("SCP301", "unknown-fixture", "warning", "likely", finding(2).fault)
    assert len(together(tmp_path, one, other).findings) == 2


def test_fixes_that_do_the_same_are_one(tmp_path: Path) -> None:
    made = together(tmp_path, finding(1, fix("mend it", 1)), finding(2, fix("mend it", 2)))
    assert made.findings[0].fault.fixes == (fix("mend it", 1, 2),)


def test_a_fix_that_mends_all_is_one(tmp_path: Path) -> None:
    made = together(tmp_path, finding(1, fix("mend all", 9)), finding(2, fix("mend all", 9)))
    assert made.findings[0].fault.fixes == (fix("mend all", 9),)


def test_a_fix_says_how_much_it_mends(tmp_path: Path) -> None:
    made = together(tmp_path, finding(1), finding(2, fix("mend it", 2)))
    assert [one.title for one in made.findings[0].fault.fixes] == ["mend it (1 of 2 places)"]
    assert made.summary.fixable == 1


def test_fixes_of_the_same_text_are_not_made_together(tmp_path: Path) -> None:
    other = Fix("mend it", "unsafe", (Edit("test_a.py", Span(1, 3, 1, 9), "y"),))
    made = together(tmp_path, finding(1, fix("mend it", 1)), finding(2, other))
    (left,) = made.findings[0].fault.fixes
    assert left.title == "mend it (1 of 2 places)"
    assert left.edits == fix("mend it", 1).edits


CONFTEST = "import pytest\n\n\n@pytest.fixture\ndef client():\n    return 1\n"
TESTS = "\n\n".join(f"def test_{n}(clinet):\n    assert clinet\n" for n in range(3))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_client.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text('[tool.scopecheck]\nselect = ["SCP301"]\n')
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scopecheck", "--no-cache", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def printed(project: Path, *arguments: str) -> str:
    """The report for people, without how long it took."""
    return run(project, "--output-format", "full", *arguments).stdout


def test_a_name_that_several_tests_miss(project: Path) -> None:
    report = printed(project)
    assert report.count("SCP301") == 1
    assert "did you mean `client`? (and at 2 more places)" in " ".join(report.split())
    assert "Found 1 error in" in report


def test_other_formats_have_each_place(project: Path) -> None:
    found = json.loads(run(project, "--output-format", "json").stdout)
    assert [one["line"] for one in found["findings"]] == [1, 5, 9]
    assert {one["affected_tests"] for one in found["findings"]} == {1}
    assert run(project, "--output-format", "concise").stdout.count("SCP301") == 3


def test_a_comment_silences_its_own_place(project: Path) -> None:
    path = project / "test_client.py"
    silenced = "def test_0(clinet):  # scopecheck: ignore[unknown-fixture]"
    path.write_text(TESTS.replace("def test_0(clinet):", silenced))
    report = printed(project)
    assert "test_client.py:5:" in report
    assert "(and at 1 more place)" in report


def test_a_new_place_is_told_beside_a_baseline(project: Path) -> None:
    baseline = ("--baseline", "baseline.json")
    assert run(project, *baseline, "--update-baseline").returncode == 0
    assert "SCP301" not in printed(project, *baseline)
    path = project / "test_client.py"
    path.write_text(TESTS + "\n\ndef test_new(clinet):\n    assert clinet\n")
    report = printed(project, *baseline)
    assert "test_new" in report
    assert "more place" not in report


def test_a_repair_mends_every_place(project: Path) -> None:
    done = run(project, "--fix", "--unsafe-fixes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clinet" not in (project / "test_client.py").read_text()
