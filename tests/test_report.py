"""Reports: the exact text of each format, and frames that stay aligned whatever the code holds."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sample_findings import FILES, MISMATCH, UNUSED, found, place, written

from scopecheck import report
from scopecheck.analysis import Analysis, Summary
from scopecheck.finding import Fault, Finding, Fix, Place
from scopecheck.report.frames import Cells
from scopecheck.report.full import Report
from scopecheck.source import Span

if TYPE_CHECKING:
    from pathlib import Path


def full(finding: Finding, width: int = 100, source: str | None = None) -> str:
    files = FILES if source is None else {finding.fault.place.path: source}
    return "".join(
        f"{line}\n" for line in Report(files.get, color=False, width=width).finding(finding)
    )


def test_every_format_has_a_writer() -> None:
    for name in (*report.FORMATS, "statistics"):
        assert callable(report.writer(name))
    with pytest.raises(KeyError):
        report.writer("text")


def test_full() -> None:
    assert written("full", MISMATCH, UNUSED) == dedent(
        """\
        error[scope-mismatch] SCP101: session fixture `engine` requests function fixture `settings`
          --> tests/conftest.py:12:5
           |
         4 | @pytest.fixture
         5 | def settings(tmp_path):
           |     -------- set up for each test
        ...
         9 | @pytest.fixture(
        10 |     scope="session",
        11 | )
        12 | def engine(settings):
           |     ^^^^^^ -------- requested here
           |
          ::: tests/test_users.py:1:14
           |
         1 | def test_get(engine):
           |              ------ the first test that needs it
        note: pytest raises ScopeMismatch when the first test that needs `engine` is set up
        help: give `settings` the scope "session"
        fix: Make it wider (--fix --unsafe-fixes)
        affects: 5 tests
                 tests/test_users.py::test_0
                 tests/test_users.py::test_1
                 tests/test_users.py::test_2
                 and 2 more

        warning[unused-fixture] SCP303: nothing requests 100% of `settings`
         --> tests/conftest.py:5:5
          |
        4 | @pytest.fixture
        5 | def settings(tmp_path):
          |     ^^^^^^^^
        affects: tests/test_users.py::test_get

        Found 1 error, 1 warning in 120 files (904 tests, 77 fixtures) in 0.31 s; \
fixable: 1 with --fix --unsafe-fixes
        """
    )


def test_notes_are_wrapped() -> None:
    assert full(MISMATCH, 60).splitlines()[-9:-7] == [
        "note: pytest raises ScopeMismatch when the first test that",
        "      needs `engine` is set up",
    ]


def test_full_with_nothing_found() -> None:
    assert written("full") == ("All checks passed: 904 tests, 77 fixtures in 120 files (0.31 s)\n")


def test_messages_that_do_not_fit_beside_their_marks() -> None:
    fault = Fault(
        place("tests/wide.py", "設定名"),
        "`設定名` needs itself",
        "x",
        related=(
            place("tests/wide.py", "引数", "requests this"),
            place("tests/wide.py", "other", "and this one, of which there is a lot to say"),
        ),
    )
    assert full(found(fault), 64) == dedent(
        """\
        error[scope-mismatch] SCP101: `設定名` needs itself
         --> tests/wide.py:3:6
          |
        2 |     @pytest.fixture
        3 |     def 設定名(self, 引数, other):  # 😀
          |         ^^^^^^       ----  -----
          |                      |     |
          |                      |     and this one, of which there is a
          |                      |     lot to say
          |                      |
          |                      requests this
        """
    )


def test_statement_of_several_lines_is_marked_on_its_first() -> None:
    statement = "assert frobnicate(\n        engine,\n        1,\n    )"
    assert full(found(Fault(place("tests/test_users.py", statement), "wrong", "x"))) == dedent(
        """\
        error[scope-mismatch] SCP101: wrong
         --> tests/test_users.py:6:5
          |
        6 |     assert frobnicate(
          |     ^^^^^^^^^^^^^^^^^^
        7 |         engine,
        8 |         1,
        9 |     )
        """
    )


def test_places_without_code() -> None:
    fault = Fault(
        Place("pytest.ini"),
        "pytest does not read this file",
        "pytest.ini",
        related=(Place("gone.toml", Span(3, 1, 3, 9), "this one wins"),),
    )
    assert full(found(fault)) == dedent(
        """\
        error[scope-mismatch] SCP101: pytest does not read this file
         --> pytest.ini:1:1
         ::: gone.toml:3:1
          = this one wins
        """
    )


def test_long_line_is_cut_to_what_is_marked() -> None:
    line = f"x = '{'a' * 300}' + wrong + '{'b' * 300}'"
    column = line.index("wrong") + 1
    fault = Fault(Place("a.py", Span(1, column, 1, column + 5)), "wrong", "x")
    code, marks = full(found(fault), 80, line).splitlines()[-2:]
    assert len(code) <= 80
    assert code.startswith("1 | ...aaa")
    assert code.endswith("bbb...")
    assert code[marks.index("^") :].startswith("wrong")


def test_long_line_with_places_far_apart_is_cut_to_the_first_of_them() -> None:
    line = f"left = '{'a' * 300}' + wrong + '{'b' * 300}' + right"
    spans = [
        Span(1, line.index(word) + 1, 1, line.index(word) + 1 + len(word))
        for word in ("wrong", "left", "right")
    ]
    related = (Place("a.py", spans[1], "one end"), Place("a.py", spans[2], "the other"))
    text = full(found(Fault(Place("a.py", spans[0]), "wrong", "x", related)), 80, line)
    _, _, _, code, marks, *_ = text.splitlines()
    assert code[marks.index("^") :].startswith("wrong")
    assert all(len(shown) <= 80 for shown in text.splitlines())
    assert "one end" in text
    assert "the other" in text


def test_two_messages_for_one_place() -> None:
    engine = place("tests/conftest.py", "engine")
    again = Place(engine.path, engine.span, "defined here")
    fault = Fault(engine, "wrong", "x", related=(again, again))
    assert full(found(fault)).endswith("12 | def engine(settings):\n   |     ^^^^^^ defined here\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_endings(newline: str) -> None:
    source = f"a = 1{newline}wrong = 2{newline}"
    fault = Fault(Place("a.py", Span(2, 1, 2, 6)), "wrong", "x")
    assert full(found(fault), source=source).endswith("2 | wrong = 2\n  | ^^^^^\n")


def test_nothing_in_a_file_acts_on_the_terminal() -> None:
    source = "x = '\x1b[31m\u202e\x07'; wrong\x0c = 2"
    fault = Fault(Place("a\x1b.py", Span(1, 16, 1, 21)), "wrong \x1b[0m", "x", notes=("\x1b",))
    text = full(found(fault), source=source)
    assert "\x1b" not in text
    assert "\u202e" not in text
    code, marks = text.splitlines()[3:5]
    assert code[marks.index("^") :].startswith("wrong")


@given(
    before=st.text(st.characters(exclude_characters="\r\n")),
    word=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30),
    after=st.text(st.characters(exclude_characters="\r\n")),
    width=st.integers(60, 120),
)
def test_marks_stand_under_the_code(before: str, word: str, after: str, width: int) -> None:
    # White space at the end of a line is not shown, so that the line ends in something else.
    line = f"{before}{word}{after};"
    column = len(before) + 1
    fault = Fault(Place("a.py", Span(1, column, 1, column + len(word))), "wrong", "x")
    *_, code, marks = full(found(fault), width, line).splitlines()
    shown = Cells(code)
    assert shown.width <= width
    # Characters without a width share their cell with the one before.
    starts = [index for index in range(len(code)) if shown.at(index) == marks.index("^")]
    assert any(code[index:].startswith(word) for index in starts) or len(word) > width // 4


def test_colours_only_when_asked() -> None:
    for name in (*report.FORMATS, "statistics"):
        assert "\x1b" not in written(name, MISMATCH, UNUSED)
    for name in ("full", "concise", "statistics"):
        assert "\x1b[" in written(name, MISMATCH, color=True)


def test_colours_change_nothing_else() -> None:
    import re

    for name in ("full", "concise", "statistics"):
        painted = written(name, MISMATCH, UNUSED, color=True)
        assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == written(name, MISMATCH, UNUSED)


def test_concise() -> None:
    assert written("concise", MISMATCH, UNUSED) == dedent(
        """\
        tests/conftest.py:12:5: error[SCP101] scope-mismatch: \
session fixture `engine` requests function fixture `settings`
        tests/conftest.py:5:5: warning[SCP303] unused-fixture: nothing requests 100% of `settings`
        Found 1 error, 1 warning in 120 files (904 tests, 77 fixtures) in 0.31 s; \
fixable: 1 with --fix --unsafe-fixes
        """
    )


def test_statistics() -> None:
    assert written("statistics", UNUSED, MISMATCH, *[UNUSED] * 11) == dedent(
        """\
        12  SCP303  [ ] unused-fixture
         1  SCP101  [ ] scope-mismatch
        Found 1 error, 12 warnings in 120 files (904 tests, 77 fixtures) in 0.31 s; \
fixable: 1 with --fix --unsafe-fixes
        """
    )


def test_what_fix_alone_mends_is_marked() -> None:
    fixes = (Fix("Make it so", "safe", ()), *MISMATCH.fault.fixes)
    fault = msgspec.structs.replace(MISMATCH.fault, fixes=fixes)
    safe = msgspec.structs.replace(MISMATCH, fault=fault)
    line = written("concise", safe).splitlines()[0]
    assert ": error[SCP101] scope-mismatch: [*] session fixture" in line
    assert written("statistics", safe).startswith("1  SCP101  [*] scope-mismatch\n")


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
NUMBER = {"type": "integer", "minimum": 0}
POSITION = {"type": "integer", "minimum": 1}
SCHEMA = _object(
    version={"const": 1},
    root=TEXT,
    findings={
        "type": "array",
        "items": _object(
            code={"type": "string", "pattern": "^SCP[0-9]{3}$"},
            name=TEXT,
            severity={"enum": ["error", "warning"]},
            certainty={"enum": ["proved", "likely"]},
            message=TEXT,
            path=TEXT,
            line=POSITION,
            column=POSITION,
            end_line=POSITION,
            end_column=POSITION,
            symbol=TEXT,
            affected_tests=NUMBER,
            related={
                "type": "array",
                "items": _object(path=TEXT, line=POSITION, column=POSITION, message=TEXT),
            },
            fixes={
                "type": "array",
                "items": _object(
                    title=TEXT,
                    applicability={"enum": ["safe", "unsafe"]},
                    edits={
                        "type": "array",
                        "items": _object(
                            path=TEXT,
                            start_line=POSITION,
                            start_column=POSITION,
                            end_line=POSITION,
                            end_column=POSITION,
                            content=TEXT,
                        ),
                    },
                ),
            },
        ),
    },
    summary=_object(
        files=NUMBER,
        tests=NUMBER,
        fixtures=NUMBER,
        findings=NUMBER,
        fixable=NUMBER,
        elapsed_s={"type": "number"},
    ),
)


def test_json() -> None:
    document = json.loads(written("json", MISMATCH, UNUSED))
    Draft202012Validator(SCHEMA).validate(document)
    assert document["root"] == "."
    assert document["summary"] == {
        "files": 120,
        "tests": 904,
        "fixtures": 77,
        "findings": 2,
        "fixable": 1,
        "elapsed_s": 0.314,
    }
    first = document["findings"][0]
    assert list(first) == list(SCHEMA["properties"]["findings"]["items"]["properties"])
    assert (first["line"], first["column"], first["end_line"], first["end_column"]) == (
        12,
        5,
        12,
        11,
    )
    assert first["affected_tests"] == 5
    assert first["fixes"][0]["edits"][0]["start_line"] == 4


def test_json_takes_names_that_are_not_unicode() -> None:
    fault = Fault(Place("a\udcff.py"), "wrong é", "x")
    text = written("json", found(fault))
    assert text.isascii()
    assert json.loads(text)["findings"][0]["path"] == "a\udcff.py"


def test_json_root_seen_from_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path / "tests")
    stream = io.StringIO()
    nothing = Analysis(tmp_path, (), Summary(), FILES.get, {})
    report.writer("json")(nothing, stream, color=False)
    assert json.loads(stream.getvalue())["root"] == ".."


def test_json_lines() -> None:
    document = json.loads(written("json", MISMATCH, UNUSED))
    lines = written("json-lines", MISMATCH, UNUSED).splitlines()
    assert [json.loads(line) for line in lines] == document["findings"]
    assert written("json-lines") == ""


def test_text_reports_start_without_rich() -> None:
    code = (
        "import sys; from scopecheck import report;"
        "report.writer('full'); report.writer('concise');"
        "assert not {'rich', 'click', 'libcst', 'json'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
