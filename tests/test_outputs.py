"""Which format goes to which file, and what is said of options that do not pair up."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from scopecheck import cli, report, status
from scopecheck.commands import check
from scopecheck.commands.options import CheckOptions
from scopecheck.report.outputs import FILE, FORMAT, OutputError, pair


def outputs(*words: str) -> list[tuple[str, str | None]]:
    """The pairs that these options make: names of formats, and files with a dot or a dash."""
    known = [(FORMAT if word in report.FORMATS else FILE, word) for word in words]
    return [(name, None if file is None else str(file)) for name, file in pair(known)]


def test_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert outputs() == [("full", None)]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert outputs() == [("github", None)]
    assert outputs("concise") == [("concise", None)]
    assert outputs("a.txt") == [("full", "a.txt")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["json"], [("json", None)]),
        (["json", "a.json"], [("json", "a.json")]),
        (["a.json", "json"], [("json", "a.json")]),
        (["json", "-"], [("json", None)]),
        (["json", "a.json", "sarif", "b.sarif"], [("json", "a.json"), ("sarif", "b.sarif")]),
        (["a.json", "json", "b.sarif", "sarif"], [("json", "a.json"), ("sarif", "b.sarif")]),
        (["json", "a.json", "full"], [("json", "a.json"), ("full", None)]),
        (["a.json", "json", "full"], [("json", "a.json"), ("full", None)]),
        (["json", "-", "sarif", "b.sarif"], [("json", None), ("sarif", "b.sarif")]),
    ],
)
def test_pairs(words: list[str], expected: list[tuple[str, str | None]]) -> None:
    assert outputs(*words) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["json", "sarif", "b.sarif"], "--output-format json has no --output-file"),
        (["json", "full"], "--output-format json has no --output-file"),
        (["json", "-", "full"], "json and full would both go to standard output"),
        (["json", "a.json", "b.json"], "--output-file b.json has no --output-format"),
        (["a.json", "b.json", "json"], "--output-file a.json has no --output-format"),
        (["json", "a.json", "sarif", "./a.json"], "json and sarif would both be written to a.json"),
    ],
)
def test_what_does_not_pair_up(words: list[str], message: str) -> None:
    with pytest.raises(OutputError) as error:
        outputs(*words)
    assert message in str(error.value)


def test_the_command_line_knows_every_format_and_keeps_the_order() -> None:
    (option,) = (one for one in cli.check.params if one.name == "formats")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == report.FORMATS
    context = cli.check.make_context(
        "check", ["--output-file=a.x", "--output-format", "sarif", "tests", "--output-format=json"]
    )
    given = (("files", "a.x"), ("formats", "sarif"), ("formats", "json"))
    assert context.params["outputs"] == given
    assert context.params["paths"] == ("tests",)


def test_several_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test_a.py").write_text("def test_a(missing): ...\n")
    files = {"sarif": "a.sarif", "junit": "a.xml", "gitlab": "a.json", "rdjson": "b.json"}
    given = [pair for name, file in files.items() for pair in ((FORMAT, name), (FILE, file))]
    options = CheckOptions(isolated=True, outputs=(*given, (FORMAT, "concise")))
    assert check.run([], options) == 1
    assert "SCP301" in capsys.readouterr().out
    assert json.loads(Path("a.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "SCP301"
    for file in files.values():
        assert "SCP301" in Path(file).read_text()


def test_a_file_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test_a.py").write_text("def test_a(): ...\n")
    options = CheckOptions(outputs=((FORMAT, "json"), (FILE, "gone/a.json")))
    with pytest.raises(status.Refused) as error:
        check.run([], options)
    assert error.value.message == "gone/a.json cannot be written: No such file or directory"
