"""GitLab, JUnit and reviewdog: what each reads is what was found, whatever the code holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from junitparser import Failure, JUnitXml
from sample_findings import FILES, MISMATCH, UNUSED, analysis, found, place, written

from scopecheck.finding import Edit, Fault, Finding, Fix, Place
from scopecheck.report import rdjson
from scopecheck.source import Span

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ODD = "\x00\x1b[31m\ufffe\uffff\udcff]]> & <b> \"'\t\N{PILE OF POO} é"


def odd() -> Finding:
    fault = Fault(
        Place(f"{ODD}.py", Span(1, 1, 1, 2), ""),
        ODD,
        f"{ODD}.py::{ODD}",
        related=(Place("b.py", Span(2, 1, 2, 2), ODD),),
        notes=(ODD,),
        help=ODD,
    )
    return found(fault)


def twice(finding: Finding, lines: int) -> list[Finding]:
    """The finding, and one like it further down."""
    line, column, end_line, end_column = msgspec.to_builtins(finding.fault.place.span)
    span = Span(line + lines, column, end_line + lines, end_column)
    place = msgspec.structs.replace(finding.fault.place, span=span)
    fault = msgspec.structs.replace(finding.fault, place=place)
    return [finding, msgspec.structs.replace(finding, fault=fault)]


# GitLab's documentation asks for these keys.
POSITION = {"type": "integer", "minimum": 1}
LOCATION = {
    "type": "object",
    "required": ["path", "lines"],
    "properties": {
        "path": {"type": "string", "pattern": r"^(?!\./|/)"},
        "lines": {
            "type": "object",
            "required": ["begin"],
            "properties": {"begin": POSITION, "end": POSITION},
        },
    },
}
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": LOCATION,
            "other_locations": {"type": "array", "items": LOCATION},
        },
    },
}


def gitlab(*findings: Finding) -> list[dict[str, Any]]:
    issues: list[dict[str, Any]] = json.loads(written("gitlab", *findings))
    Draft202012Validator(GITLAB).validate(issues)
    return issues


def test_gitlab() -> None:
    first, second = gitlab(MISMATCH, UNUSED)
    assert first["description"] == (
        "SCP101 scope-mismatch: session fixture `engine` requests function fixture `settings`"
    )
    assert first["check_name"] == "scopecheck/scope-mismatch"
    assert (first["severity"], second["severity"]) == ("major", "minor")
    assert first["location"]["path"] == "tests/conftest.py"
    assert first["location"]["lines"] == {"begin": 12, "end": 12}
    assert [other["lines"]["begin"] for other in first["other_locations"]] == [12, 5, 1]
    assert first["content"]["body"].splitlines()[-1] == "Affects 5 tests."


def test_gitlab_with_nothing_found() -> None:
    assert gitlab() == []


def test_gitlab_shows_each_fingerprint_once() -> None:
    issues = gitlab(*twice(MISMATCH, 3), UNUSED)
    assert len({issue["fingerprint"] for issue in issues}) == 3
    assert gitlab(twice(MISMATCH, 3)[1])[0]["fingerprint"] == issues[0]["fingerprint"]


def test_gitlab_takes_odd_names() -> None:
    assert written("gitlab", odd()).isascii()
    gitlab(odd())


def junit(*findings: Finding) -> JUnitXml:
    return JUnitXml.fromstring(written("junit", *findings).encode())


def test_junit() -> None:
    other = found(Fault(Place("tests/test_users.py", Span(6, 5, 9, 6)), "wrong", "x"))
    report = junit(MISMATCH, UNUSED, other)
    assert (report.tests, report.failures, report.errors) == (3, 3, 0)
    first, second = report
    assert [suite.name for suite in (first, second)] == ["tests/conftest.py", "tests/test_users.py"]
    assert (first.tests, second.tests) == (2, 1)
    mismatch, unused = first
    assert mismatch.classname == "tests.conftest"
    assert (mismatch.name, unused.name) == (
        "SCP101 scope-mismatch engine",
        "SCP303 unused-fixture settings",
    )
    (failure,) = mismatch.result
    assert isinstance(failure, Failure)
    assert failure.message == "session fixture `engine` requests function fixture `settings`"
    assert failure.type == "error"
    assert failure.text is not None
    assert failure.text.splitlines()[:2] == [
        "tests/conftest.py:12:5: session fixture `engine` requests function fixture `settings`",
        "tests/conftest.py:12:12: requested here",
    ]
    assert failure.text.endswith("\naffects: 5 tests")


def test_junit_with_nothing_found() -> None:
    """A server takes a report without test cases for a broken one."""
    report = junit()
    assert (report.tests, report.failures) == (1, 0)
    ((case,),) = report
    assert case.is_passed


def test_junit_gives_each_case_a_name_of_its_own() -> None:
    ((first, second),) = junit(*twice(MISMATCH, 3))
    assert (first.name, second.name) == (
        "SCP101 scope-mismatch engine",
        "SCP101 scope-mismatch engine (2)",
    )


def test_junit_takes_odd_names() -> None:
    assert written("junit", odd()).isascii()
    ((case,),) = junit(odd())
    assert case.result[0].message.endswith("]]> & <b> \"'\t\N{PILE OF POO} é")


@given(st.text(st.characters(codec=None)))
def test_junit_is_xml_whatever_it_holds(text: str) -> None:
    fault = Fault(Place(text), text, text, notes=(text,))
    assert junit(found(fault)).failures == 1


# reviewdog takes its messages (`DiagnosticResult` in its proto file) as JSON.
def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
RANGE = _object(
    ["start"],
    start=_object(["line"], line=POSITION, column=POSITION),
    end=_object(["line"], line=POSITION, column=POSITION),
)
PLACE = _object(["path"], path=TEXT, range=RANGE)
RDJSON = _object(
    ["diagnostics"],
    source=_object(["name"], name=TEXT, url=TEXT),
    diagnostics={
        "type": "array",
        "items": _object(
            ["message", "location"],
            message=TEXT,
            location=PLACE,
            severity={"enum": ["ERROR", "WARNING", "INFO"]},
            code=_object(["value"], value=TEXT, url=TEXT),
            suggestions={
                "type": "array",
                "items": _object(["range", "text"], range=RANGE, text=TEXT),
            },
            related_locations={
                "type": "array",
                "items": _object(["location"], message=TEXT, location=PLACE),
            },
        ),
    },
)


def diagnostics(*findings: Finding) -> list[dict[str, Any]]:
    document = json.loads(written("rdjson", *findings))
    Draft202012Validator(RDJSON).validate(document)
    diagnostics: list[dict[str, Any]] = document["diagnostics"]
    return diagnostics


def test_rdjson() -> None:
    first, second = diagnostics(MISMATCH, UNUSED)
    assert (first["severity"], second["severity"]) == ("ERROR", "WARNING")
    assert first["code"] == {"value": "SCP101 scope-mismatch"}
    assert first["location"] == {
        "path": "tests/conftest.py",
        "range": {"start": {"line": 12, "column": 5}, "end": {"line": 12, "column": 11}},
    }
    assert [other["message"] for other in first["related_locations"]] == [
        "requested here",
        "set up for each test",
        "the first test that needs it",
    ]
    assert first["suggestions"] == [
        {
            "range": {"start": {"line": 4, "column": 1}, "end": {"line": 4, "column": 16}},
            "text": '@pytest.fixture(scope="session")',
        }
    ]
    assert diagnostics() == []


def test_rdjson_columns_count_bytes() -> None:
    (only,) = diagnostics(found(Fault(place("tests/wide.py", "引数"), "wrong", "x")))
    line = FILES["tests/wide.py"].splitlines()[2].encode()
    columns = only["location"]["range"]
    start, end = columns["start"]["column"], columns["end"]["column"]
    assert line[start - 1 : end - 1].decode() == "引数"


def test_rdjson_whole_files_and_unknown_ones() -> None:
    whole, unknown = diagnostics(
        found(Fault(Place("pytest.ini"), "wrong", "x")),
        found(Fault(Place("gone.py", Span(3, 5, 3, 9)), "wrong", "x")),
    )
    assert whole["location"]["range"] == {"start": {"line": 1}}
    assert unknown["location"]["range"]["start"] == {"line": 3, "column": 5}


def applied(path: str, suggestion: dict[str, Any]) -> str:
    """The file after what reviewdog does with a suggestion."""
    lines = [line.encode() for line in FILES[path].splitlines(keepends=True)]
    start, end = suggestion["range"]["start"], suggestion["range"]["end"]
    before: bytes = (
        b"".join(lines[: start["line"] - 1]) + lines[start["line"] - 1][: start["column"] - 1]
    )
    after: bytes = lines[end["line"] - 1][end["column"] - 1 :] + b"".join(lines[end["line"] :])
    text: str = suggestion["text"]
    return (before + text.encode() + after).decode()


def test_rdjson_makes_one_suggestion_of_several_edits() -> None:
    path = "tests/wide.py"
    edits = (
        Edit(path, place(path, "引数", nth=2).span, "値"),
        Edit(path, place(path, "引数").span, "値"),
        Edit(path, place(path, "other").span, "別"),
    )
    fault = Fault(place(path, "設定名"), "wrong", "x", fixes=(Fix("Rename", "safe", edits),))
    ((suggestion,),) = (one["suggestions"] for one in diagnostics(found(fault)))
    assert applied(path, suggestion) == (FILES[path].replace("引数", "値").replace("other", "別"))


def test_rdjson_suggests_no_half_of_a_fix() -> None:
    edits = (
        Edit("tests/conftest.py", Span(1, 1, 1, 1), "x"),
        Edit("tests/wide.py", Span(1, 1, 1, 1), "y"),
    )
    fault = Fault(Place("tests/conftest.py"), "wrong", "x", fixes=(Fix("Mend it", "safe", edits),))
    assert diagnostics(found(fault))[0]["suggestions"] == []


def test_rdjson_paths_are_seen_from_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    report = rdjson.document(msgspec.structs.replace(analysis(MISMATCH), root=root))
    assert report["diagnostics"][0]["location"]["path"] == "project/tests/conftest.py"


def test_rdjson_takes_odd_names() -> None:
    assert written("rdjson", odd()).isascii()
    diagnostics(odd())
