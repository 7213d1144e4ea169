"""Some findings of a small suite, and the text of its files: what the tests of reports write."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from scopecheck import report, rulebook
from scopecheck.analysis import Analysis, Summary
from scopecheck.finding import Edit, Fault, Finding, Fix, Place
from scopecheck.source import Span

FILES = {
    "tests/conftest.py": """\
import pytest


@pytest.fixture
def settings(tmp_path):
    return {}


@pytest.fixture(
    scope="session",
)
def engine(settings):
    return connect(settings)
""",
    "tests/test_users.py": """\
def test_get(engine):
    assert engine


def test_all(engine):
    assert frobnicate(
        engine,
        1,
    )
""",
    "tests/wide.py": """\
class NamesOfTest:
\t@pytest.fixture
\tdef 設定名(self, 引数, other):  # 😀
\t\treturn 引数
""",
}


def place(path: str, text: str, message: str = "", nth: int = 1) -> Place:
    """Where the text stands for the nth time in one of `FILES`."""
    start = -1
    for _ in range(nth):
        start = FILES[path].index(text, start + 1)
    before, through = FILES[path][:start], FILES[path][: start + len(text)]
    return Place(
        path,
        Span(
            before.count("\n") + 1,
            start - before.rfind("\n"),
            through.count("\n") + 1,
            len(through) - through.rfind("\n"),
        ),
        message,
    )


def found(
    fault: Fault,
    code: str = "SCP101",
    name: str = "scope-mismatch",
    severity: Literal["error", "warning"] = "error",
) -> Finding:
    return Finding(code, name, severity, "proved" if severity == "error" else "likely", fault)


MISMATCH = found(
    Fault(
        place("tests/conftest.py", "engine"),
        "session fixture `engine` requests function fixture `settings`",
        "tests/conftest.py::engine",
        related=(
            place("tests/conftest.py", "settings", "requested here", 2),
            place("tests/conftest.py", "settings", "set up for each test"),
            place("tests/test_users.py", "engine", "the first test that needs it"),
        ),
        notes=("pytest raises ScopeMismatch when the first test that needs `engine` is set up",),
        help='give `settings` the scope "session"',
        tests=frozenset(f"tests/test_users.py::test_{number}" for number in range(5)),
        fixes=(
            Fix(
                "Make it wider",
                "unsafe",
                (Edit("tests/conftest.py", Span(4, 1, 4, 16), '@pytest.fixture(scope="session")'),),
            ),
        ),
    )
)
UNUSED = found(
    Fault(
        place("tests/conftest.py", "settings"),
        "nothing requests 100% of `settings`",
        "tests/conftest.py::settings",
        tests=frozenset({"tests/test_users.py::test_get"}),
    ),
    "SCP303",
    "unused-fixture",
    "warning",
)


def analysis(*findings: Finding, elapsed: float = 0.314) -> Analysis:
    fixable = sum(bool(finding.fault.fixes) for finding in findings)
    summary = Summary(120, 904, 77, len(findings), fixable, elapsed)
    return Analysis(Path.cwd(), findings, summary, FILES.get, rulebook.rules())


def written(name: str, *findings: Finding, color: bool = False) -> str:
    stream = io.StringIO()
    report.writer(name)(analysis(*findings), stream, color=color)
    return stream.getvalue()
