"""GitHub: commands that the runner understands, and a summary that reads well as Markdown."""

from __future__ import annotations

import io
from pathlib import Path
from textwrap import dedent

import pytest
from sample_findings import MISMATCH, UNUSED, analysis, found, written

from scopecheck import report
from scopecheck.finding import Fault, Finding, Place
from scopecheck.report.github import command
from scopecheck.source import Span


@pytest.fixture(autouse=True)
def outside_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKSPACE", "STEP_SUMMARY", "SERVER_URL", "REPOSITORY", "SHA"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)


def understood(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner takes it: `::name key=value,...::data`, unescaped in its order."""
    head, _, data = line.removeprefix("::").partition("::")
    name, _, listed = head.partition(" ")
    properties = dict(pair.split("=", 1) for pair in listed.split(",") if pair)
    escapes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
    for escape, character in escapes.items():
        properties = {key: value.replace(escape, character) for key, value in properties.items()}
        if escape not in ("%3A", "%2C"):
            data = data.replace(escape, character)
    return name, properties, data


def test_github() -> None:
    group, first, second, end, summary = written("github", MISMATCH, UNUSED).splitlines()
    assert (group, end) == ("::group::tests/conftest.py: 2 findings", "::endgroup::")
    assert first == (
        "::error file=tests/conftest.py,line=12,endLine=12,col=5,endColumn=11,"
        "title=SCP101 scope-mismatch::"
        "tests/conftest.py:12:5: session fixture `engine` requests function fixture `settings`"
        "%0Atests/conftest.py:12:12: requested here"
        "%0Atests/conftest.py:5:5: set up for each test"
        "%0Atests/test_users.py:1:14: the first test that needs it"
        "%0Anote: pytest raises ScopeMismatch when the first test that needs `engine` is set up"
        '%0Ahelp: give `settings` the scope "session"'
        "%0Aaffects: 5 tests"
    )
    assert second.endswith(
        "::tests/conftest.py:5:5: nothing requests 100%25 of `settings`%0Aaffects: 1 test"
    )
    assert summary == (
        "Found 1 error, 1 warning in 120 files (904 tests, 77 fixtures) in 0.31 s; "
        "fixable: 1 with --fix --unsafe-fixes"
    )


def test_a_group_for_each_file() -> None:
    other = found(Fault(Place("tests/test_users.py"), "wrong", "x"))
    lines = written("github", MISMATCH, UNUSED, other).splitlines()
    assert [line for line in lines if "group" in line] == [
        "::group::tests/conftest.py: 2 findings",
        "::endgroup::",
        "::group::tests/test_users.py: 1 finding",
        "::endgroup::",
    ]


def test_paths_from_the_top_of_the_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(Path.cwd().parent))
    name = Path.cwd().name
    text = written("github", MISMATCH)
    assert f"::error file={name}/tests/conftest.py," in text
    assert f"%0A{name}/tests/test_users.py:1:14: the first test" in text


def test_escapes() -> None:
    fault = Fault(Place("a,b:c%.py", Span(1, 2, 3, 4)), "one\r\ntwo: 5%, six", "x")
    line = command(found(fault))
    assert line == (
        "::error file=a%2Cb%3Ac%25.py,line=1,endLine=3,title=SCP101 scope-mismatch"
        "::a,b:c%25.py:1:2: one%0D%0Atwo: 5%25, six"
    )
    name, properties, data = understood(line)
    assert (name, properties["file"]) == ("error", "a,b:c%.py")
    assert data == "a,b:c%.py:1:2: one\r\ntwo: 5%, six"


@pytest.mark.parametrize("words", ["%0A", "%250A", "::error::x", "a\nb", ",line=9", "100%"])
def test_what_the_runner_reads_is_what_was_meant(words: str) -> None:
    fault = Fault(Place(f"{words}.py", Span(1, 1, 1, 2)), words, "x")
    name, properties, data = understood(command(found(fault, "SCP303", "unused", "warning")))
    assert name == "warning"
    assert properties["file"] == f"{words}.py"
    assert properties["line"] == "1"
    assert data.endswith(f": {words}")


def test_more_than_github_keeps() -> None:
    many = [found(Fault(Place("a.py", Span(n, 1, n, 2)), "wrong", "x")) for n in range(1, 12)]
    assert len([line for line in written("github", *many).splitlines() if "::error" in line]) == 11
    assert "GitHub shows 10 errors and 10 warnings of a step" in written("github", *many)
    assert "GitHub shows" not in written("github", *many[:10])


def test_a_long_chain_is_cut() -> None:
    related = tuple(Place("a.py", Span(n, 1, n, 2), "here") for n in range(1, 1000))
    line = command(found(Fault(Place("a.py"), "wrong", "x", related)))
    assert line.endswith("%0Aa.py:20:1: here%0Aand 979 places more")


def summary(*findings: Finding) -> str:
    stream = io.StringIO()
    report.writer("step-summary")(analysis(*findings), stream, color=False)
    return stream.getvalue()


def test_summary() -> None:
    assert summary(UNUSED, MISMATCH) == dedent(
        """\
        ### scopecheck

        Found 1 error, 1 warning in 120 files (904 tests, 77 fixtures) in 0.31 s; \
fixable: 1 with --fix --unsafe-fixes

        | | rule | where | what |
        | --- | --- | --- | --- |
        | error | SCP101 scope-mismatch | tests/conftest.py:12 | session fixture `engine` \
requests function fixture `settings`<br>line 12: requested here<br>line 5: set up for each test\
<br>tests/test\\_users.py:1: the first test that needs it<br>**help:** give `settings` the scope \
"session" |
        | warning | SCP303 unused-fixture | tests/conftest.py:5 | nothing requests 100% of \
`settings` |

        """
    )


def test_summary_with_nothing_found() -> None:
    assert summary().splitlines()[2].startswith("All checks passed: ")


def test_summary_links_to_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/shop")
    monkeypatch.setenv("GITHUB_SHA", "c0ffee")
    fault = Fault(Place("a b/#é.py", Span(7, 1, 7, 2)), "wrong", "x")
    link = "https://github.example/acme/shop/blob/c0ffee/a%20b/%23%C3%A9.py#L7"
    assert f"| [a b/#é.py:7]({link}) |" in summary(found(fault))


def test_what_names_hold_is_not_markdown() -> None:
    fault = Fault(Place("__a|b__.py"), "<b> *x* `a|b` [c](d) `unclosed", "x")
    row = summary(found(fault)).splitlines()[-2]
    assert row == (
        "| error | SCP101 scope-mismatch | \\_\\_a\\|b\\_\\_.py:1 | "
        "&lt;b> \\*x\\* `a\\|b` \\[c\\](d) \\`unclosed |"
    )


def test_summary_of_too_many() -> None:
    many = [found(Fault(Place("a.py", Span(n, 1, n, 2)), "wrong", "x")) for n in range(1, 603)]
    assert summary(*many).endswith("\nand 102 findings more, in the log\n\n")


def test_summary_is_of_all_lines_of_one_row() -> None:
    fault = Fault(Place("a\nb.py"), "one\ntwo", "x", help="three\r\nfour")
    assert len(summary(found(fault)).splitlines()) == 8
