"""SARIF: valid by the official schema, read by another program, and stable where code moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import msgspec
from jsonschema import Draft202012Validator
from sample_findings import MISMATCH, UNUSED, analysis, found, written
from sarif_pydantic import Sarif  # type: ignore[import-untyped]

from scopecheck import rulebook
from scopecheck.finding import Edit, Fault, Finding, Fix, Place
from scopecheck.report.sarif import document
from scopecheck.source import Span

SCHEMA = json.loads((Path(__file__).parent / "schemas/sarif-2.1.0.json").read_text("utf-8"))


def run(*findings: Finding) -> dict[str, Any]:
    whole = json.loads(written("sarif", *findings))
    Draft202012Validator(SCHEMA).validate(whole)
    return cast("dict[str, Any]", whole["runs"][0])


def moved(finding: Finding, lines: int) -> Finding:
    place = finding.fault.place
    line, column, end_line, end_column = msgspec.to_builtins(place.span)
    span = Span(line + lines, column, end_line + lines, end_column)
    fault = msgspec.structs.replace(finding.fault, place=msgspec.structs.replace(place, span=span))
    return msgspec.structs.replace(finding, fault=fault)


def test_nothing_found() -> None:
    assert run()["results"] == []


def test_every_rule_has_a_valid_description() -> None:
    findings = [
        found(Fault(Place("a.py"), "wrong", "a.py"), rule.code, rule.name)
        for rule in rulebook.rules().values()
    ]
    rules = run(*findings)["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [r.code for r in rulebook.rules().values()]
    for rule in rules:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["help"]["text"].strip()
        assert rule["help"]["markdown"].startswith(f"# {rule['name']}\n")
        assert ".md)" not in rule["help"]["markdown"], "a link that leads nowhere on a server"
        assert "default = " not in rule["help"]["markdown"].split("## ")[0]


def test_another_program_reads_it() -> None:
    sarif = Sarif.model_validate_json(written("sarif", MISMATCH, UNUSED))
    (only,) = sarif.runs
    first, second = only.results or []
    assert (first.rule_id, first.level, second.level) == ("SCP101", "error", "warning")
    assert first.locations is not None
    assert first.locations[0].physical_location is not None
    region = first.locations[0].physical_location.region
    assert region is not None
    assert (region.start_line, region.start_column, region.end_line, region.end_column) == (
        12,
        5,
        12,
        11,
    )
    assert first.related_locations is not None
    assert [place.id for place in first.related_locations] == [1, 2, 3]
    assert only.tool.driver.rules is not None
    assert first.rule_index is not None
    assert only.tool.driver.rules[first.rule_index].id == "SCP101"
    assert only.model_extra == {"columnKind": "unicodeCodePoints"}


def test_the_message_links_every_related_place() -> None:
    text = run(MISMATCH)["results"][0]["message"]["text"]
    assert text.splitlines() == [
        "session fixture `engine` requests function fixture `settings`",
        "[requested here](1)",
        "[set up for each test](2)",
        "[the first test that needs it](3)",
        "pytest raises ScopeMismatch when the first test that needs `engine` is set up",
        'help: give `settings` the scope "session"',
    ]


def test_brackets_in_a_link() -> None:
    fault = Fault(Place("a.py"), "wrong", "a.py", related=(Place("b.py", message="a[0]\\"),))
    assert r"[a\[0\]\\](1)" in run(found(fault))["results"][0]["message"]["text"]


def test_fixes() -> None:
    edits = (
        Edit("b.py", Span(1, 1, 1, 1), "import x\n"),
        Edit("a.py", Span(3, 1, 3, 4), "new"),
        Edit("a.py", Span(1, 1, 1, 4), "old"),
    )
    fault = Fault(Place("a.py"), "wrong", "a.py", fixes=(Fix("Mend it", "safe", edits),))
    (fix,) = run(found(fault))["results"][0]["fixes"]
    assert fix["description"]["text"] == "Mend it"
    other, own = fix["artifactChanges"]
    assert (other["artifactLocation"]["uri"], own["artifactLocation"]["uri"]) == ("b.py", "a.py")
    assert other["replacements"] == [
        {
            "deletedRegion": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1},
            "insertedContent": {"text": "import x\n"},
        }
    ]
    assert [change["insertedContent"]["text"] for change in own["replacements"]] == ["old", "new"]
    (unsafe,) = run(MISMATCH)["results"][0]["fixes"]
    assert unsafe["description"]["text"] == "Make it wider (may change what the tests do)"


def test_fingerprints_survive_moved_lines_and_other_numbers() -> None:
    def marks(*findings: Finding) -> list[str]:
        return [result["partialFingerprints"]["symbol/v1"] for result in run(*findings)["results"]]

    assert marks(MISMATCH, UNUSED) == marks(moved(MISMATCH, 40), moved(UNUSED, 7))
    assert len(set(marks(MISMATCH, moved(MISMATCH, 5), UNUSED))) == 3
    tests = [found(Fault(Place("a.py"), f"breaks {n} tests", "a.py::x")) for n in (2, 3)]
    assert marks(tests[0]) == marks(tests[1])


def test_paths_are_seen_from_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    root = tmp_path / "packages/é b"
    root.mkdir(parents=True)
    fault = Fault(Place("a#1%.py"), "wrong", "x", related=(Place("\udcff.py", message="m"),))
    report = document(msgspec.structs.replace(analysis(found(fault)), root=root))
    Draft202012Validator(SCHEMA).validate(report)
    result = report["runs"][0]["results"][0]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert uri == {"uri": "packages/%C3%A9%20b/a%231%25.py", "uriBaseId": "%SRCROOT%"}
    other = result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]
    assert other["uri"] == "packages/%C3%A9%20b/%FF.py"
    base = report["runs"][0]["originalUriBaseIds"]["%SRCROOT%"]["uri"]
    assert base == f"{tmp_path.as_uri()}/"


def test_odd_names_and_words_are_valid() -> None:
    fault = Fault(
        Place("a\x1b\udcff.py"), "wrong \x00 \udcff {0} [x](y)", "a\udcff::x", help="\x07"
    )
    text = written("sarif", found(fault))
    assert text.isascii()
    result = run(found(fault))["results"][0]
    assert "\udcff" not in json.dumps(result, ensure_ascii=False)
    Sarif.model_validate_json(text)


def test_a_whole_file_has_a_line() -> None:
    place = run(found(Fault(Place("pytest.ini"), "wrong", "pytest.ini")))["results"][0]
    assert place["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
