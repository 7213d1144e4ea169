"""The baseline: what it takes away, what wakes and what does not, and how its file is read."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopecheck import status
from scopecheck.baseline import BaselineError, Key, Scope, apply, parse, read, render, write
from scopecheck.commands.check import run
from scopecheck.commands.options import CheckOptions
from scopecheck.finding import Fault, Finding, Place
from scopecheck.source import Span

FILE = Path("known.json")
EVERYTHING = frozenset({"scope-mismatch", "unknown-fixture", "unused-fixture"})


def finding(symbol: str, line: int = 1, rule: str = "scope-mismatch") -> Finding:
    path = symbol.partition("::")[0]
    fault = Fault(Place(path, Span(line, 1, line, 2)), "wrong", symbol)
    return Finding("SCP101", rule, "error", "proved", fault)


def key(symbol: str, rule: str = "scope-mismatch") -> Key:
    return Key(symbol.partition("::")[0], symbol, rule)


def scope(
    files: dict[str, str] | None = None,
    *,
    rules: frozenset[str] = EVERYTHING,
    looked_at: bool = True,
    complete: bool = True,
) -> Scope:
    return Scope(lambda _: rules, lambda _: looked_at, (files or {}).get, complete)


def test_what_is_known_is_left_out_wherever_it_moved_in_its_file() -> None:
    known = {key("a.py::x"): 1}
    outcome = apply(known, [finding("a.py::x", 40), finding("b.py::x", 2)], scope({"a.py": ""}))
    assert [kept.fault.symbol for kept in outcome.kept] == ["b.py::x"]
    assert (outcome.known, outcome.stale, outcome.moved) == (1, (), 0)


def test_another_rule_or_symbol_is_new() -> None:
    known = {key("a.py::x"): 1}
    found = [finding("a.py::y"), finding("a.py::x", rule="unused-fixture")]
    assert apply(known, found, scope({"a.py": "def x(): ..."})).kept == tuple(found)


def test_one_more_than_is_known() -> None:
    found = [finding("a.py::x", line) for line in (3, 5, 8)]
    outcome = apply({key("a.py::x"): 2}, found, scope())
    (kept,) = outcome.kept
    assert kept.fault.place.span.line == 8
    assert kept.fault.notes == (
        "the baseline knows 2 of the 3 that are here (lines 3, 5, 8); which of them is new cannot "
        "be told",
    )
    assert outcome.known == 2


def test_fewer_than_are_known() -> None:
    outcome = apply({key("a.py::x"): 3}, [finding("a.py::x")], scope({"a.py": "def x(): ..."}))
    assert [(one.allowed, one.found) for one in outcome.stale] == [(3, 1)]
    assert outcome.updated([]) == {key("a.py::x"): 1}


@pytest.mark.parametrize(
    "seen",
    [
        scope(rules=frozenset({"unused-fixture"}), looked_at=True),
        scope({"a.py": ""}, looked_at=False),
        scope(complete=False),
    ],
    ids=["rule not run", "file not analysed", "a file could not be read"],
)
def test_what_was_not_looked_for_is_not_stale_and_stays(seen: Scope) -> None:
    outcome = apply({key("a.py::x"): 2}, [], seen)
    assert outcome.stale == ()
    assert outcome.updated([]) == {key("a.py::x"): 2}


def test_a_file_that_is_gone_is_stale_even_if_only_others_were_analysed() -> None:
    outcome = apply({key("a.py::x"): 2}, [], scope({}, looked_at=False))
    assert [one.key for one in outcome.stale] == [key("a.py::x")]
    assert outcome.updated([finding("b.py::y")]) == {key("b.py::y"): 1}


def test_a_rule_that_is_no_more_is_stale() -> None:
    assert apply({key("a.py::x", "gone"): 1}, [], scope()).stale


def test_a_renamed_file_wakes_nothing() -> None:
    known = {key("tests/a.py::T::x"): 2, key("tests/a.py"): 1}
    found = [finding("unit/a.py"), finding("unit/a.py::T::x"), finding("unit/a.py::T::x", 2)]
    outcome = apply(known, found, scope({"unit/a.py": "def x(): ..."}))
    assert outcome.kept == ()
    assert (outcome.moved, outcome.stale) == (3, ())
    assert outcome.updated([]) == {key("unit/a.py::T::x"): 2, key("unit/a.py"): 1}


def test_a_function_that_moved_wakes_nothing() -> None:
    files = {"conftest.py": "from fixtures import x\nx()\nx == 1\n", "fixtures.py": "def x(): ..."}
    outcome = apply({key("conftest.py::x"): 1}, [finding("fixtures.py::x")], scope(files))
    assert (outcome.kept, outcome.moved) == ((), 1)


@pytest.mark.parametrize(
    "text", ["def x(): ...", "  async def x(\n", "class x:", "x = make()", "x: int = 1"]
)
def test_what_was_mended_where_it_was_is_not_good_for_another_place(text: str) -> None:
    found = [finding("b.py::x")]
    outcome = apply({key("a.py::x"): 1}, found, scope({"a.py": text, "b.py": ""}))
    assert outcome.kept == tuple(found)
    assert len(outcome.stale) == 1


def test_only_as_many_move_as_are_missing() -> None:
    found = [finding("b.py::x", 1), finding("b.py::x", 2), finding("c.py::x")]
    outcome = apply({key("a.py::x"): 1}, found, scope({}))
    assert len(outcome.kept) == 2
    assert outcome.moved == 1


ENTRIES = {
    key("tests/b.py::x"): 2,
    key("tests/a.py::T::é"): 1,
    key("tests/a.py::T::é", "unused-fixture"): 1,
}


def test_the_file() -> None:
    assert (
        render(ENTRIES)
        == """\
{
"about": "Findings that scopecheck does not report. `scopecheck --update-baseline` rewrites this.",
"version": 1,
"entries": [
{"path": "tests/a.py", "symbol": "tests/a.py::T::é", "rule": "scope-mismatch", "count": 1},
{"path": "tests/a.py", "symbol": "tests/a.py::T::é", "rule": "unused-fixture", "count": 1},
{"path": "tests/b.py", "symbol": "tests/b.py::x", "rule": "scope-mismatch", "count": 2},
null
]
}
"""
    )


# A rule is written by its name; a code, which is read as well, would come back as one.
RULE = st.text().filter(lambda text: re.fullmatch(r"(?i)SCP\d{3}", text) is None)


@given(st.dictionaries(st.builds(Key, st.text(), st.text(), RULE), st.integers(1, 10**30)))
def test_what_is_written_is_read(entries: dict[Key, int]) -> None:
    assert parse(render(entries), FILE) == entries


def test_names_that_are_not_unicode() -> None:
    entries = {key("a\udcff.py::x"): 1}
    assert parse(render(entries).encode().decode(), FILE) == entries


def test_codes_may_stand_for_names() -> None:
    text = render(ENTRIES).replace("scope-mismatch", "SCP101")
    assert parse(text, FILE) == ENTRIES


def test_an_entry_that_is_there_twice_counts_once() -> None:
    lines = render(ENTRIES).splitlines()
    lines.insert(5, lines[4].replace('"count": 1', '"count": 3'))
    assert parse("\n".join(lines), FILE) == {**ENTRIES, key("tests/a.py::T::é"): 3}


def entry(**changes: object) -> str:
    fields: dict[str, object] = {"path": "a.py", "symbol": "a.py::x", "rule": "r", "count": 1}
    fields.update(changes)
    kept = {name: value for name, value in fields.items() if value is not ...}
    return f'{{"version": 1, "entries": [\nnull,\n{json.dumps(kept)}]}}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "known.json:1: is no JSON"),
        ('{\n"version": 1,\n"entries": [', "known.json:3: is no JSON"),
        ("[]", "known.json:1: is no baseline"),
        ('{"entries": {}}', "known.json:1: is no baseline"),
        ('{"entries": []}', "known.json:1: the version must be a number from 1 on, not null"),
        ('{"version": true, "entries": []}', "known.json:1: the version must be a number"),
        ('{"version": 2, "entries": []}', "known.json: is of version 2"),
        ("[" * 100_000, "known.json:1: is no JSON that can be read"),
        (f'{{"version": {"1" * 5000}, "entries": []}}', "known.json:1: is no JSON"),
        ('{"version": 1, "entries": [\n3]}', "known.json:2: an entry must be an object, not 3"),
        (entry(count=...), 'known.json:3: the entry has no "count"'),
        (entry(cuont=1), 'known.json:3: the entry has an unknown key "cuont"'),
        (entry(path=3), 'known.json:3: "path" must be a string, not 3'),
        (entry(count=0), 'known.json:3: "count" must be a number from 1 on, not 0'),
        (entry(count=1.5), 'known.json:3: "count" must be a number from 1 on, not 1.5'),
        (entry(count=True), 'known.json:3: "count" must be a number from 1 on, not true'),
        (entry(rule=["x" * 99]), 'known.json:3: "rule" must be a string, not ["xxx'),
        (
            render(ENTRIES).replace("null", "<<<<<<< HEAD\nnull"),
            "known.json:8: a merge left its marks here: delete them, keep the entries of both",
        ),
    ],
)
def test_a_broken_file(text: str, message: str) -> None:
    with pytest.raises(BaselineError) as error:
        parse(text, FILE)
    assert str(error.value).startswith(message)
    assert "scopecheck" in str(error.value), "says what to do"
    assert len(str(error.value)) < 300


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"{\n\xff")
    with pytest.raises(BaselineError, match=r"a:2: is not encoded in UTF-8"):
        read(tmp_path / "a")
    with pytest.raises(BaselineError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_branches_merge_line_by_line(tmp_path: Path) -> None:
    """What two branches add and drop does not conflict; where it does, both sides may be kept."""

    def merge(ours: dict[Key, int], base: dict[Key, int], theirs: dict[Key, int]) -> str:
        for name, entries in (("ours", ours), ("base", base), ("theirs", theirs)):
            (tmp_path / name).write_text(render(entries))
        command = ["git", "merge-file", "-p", "ours", "base", "theirs"]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False
        ).stdout

    base = {key(f"{name}.py::x"): 1 for name in "bdfhjl"}
    ours = {**base, key("a.py::x"): 1}
    del ours[key("f.py::x")]
    theirs = {**base, key("m.py::x"): 1}
    theirs.pop(key("j.py::x"))
    both = dict.fromkeys({*ours, *theirs} - {key("f.py::x"), key("j.py::x")}, 1)
    assert parse(merge(ours, base, theirs), FILE) == both
    conflict = merge({**base, key("m.py::x"): 1}, base, {**base, key("m.py::y"): 2})
    assert "<<<<<<<" in conflict
    lines = [line for line in conflict.splitlines() if line[:7] not in {c * 7 for c in "<=>"}]
    assert parse("\n".join(lines), FILE) == {**base, key("m.py::x"): 1, key("m.py::y"): 2}


def test_it_is_written_in_one_step(tmp_path: Path) -> None:
    file, plain = tmp_path / "known.json", tmp_path / "plain"
    write(file, ENTRIES)
    plain.write_bytes(b"")
    assert file.stat().st_mode == plain.stat().st_mode
    file.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(file)
    before = file.stat()
    write(link, ENTRIES)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write(link, {})
    assert link.is_symlink()
    assert read(file) == {}
    assert file.stat().st_mode & 0o777 == 0o640
    assert {one.name for one in tmp_path.iterdir()} == {"known.json", "link.json", "plain"}
    with pytest.raises(BaselineError, match="cannot be written: No such file or directory"):
        write(tmp_path / "gone/known.json", {})


CONFTEST = """\
import pytest

@pytest.fixture
def settings(): ...

@pytest.fixture(scope="session")
def engine(settings): ...
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("scopecheck.toml").write_text("baseline = 'known.json'\n")
    Path("tests").mkdir()
    Path("tests/conftest.py").write_text(CONFTEST)
    Path("tests/test_a.py").write_text("def test_a(engine): ...\n")
    return tmp_path


def check(*paths: str, update: bool = False, **options: object) -> int:
    given = CheckOptions(
        update_baseline=update,
        outputs=(("formats", "concise"),),
        **options,  # type: ignore[arg-type]
    )
    return run(list(paths), given)


@pytest.mark.usefixtures("project")
def test_the_line_is_held(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(update=True) == 0
    out, err = capsys.readouterr()
    assert err == "scopecheck: known.json knows 1 finding now: 1 added, 0 dropped\n"
    assert "; the baseline knows 1 finding\n" in out
    assert check() == 0
    assert capsys.readouterr().err == ""
    conftest = Path("tests/conftest.py")
    conftest.write_text(CONFTEST.replace("def engine", "def motor"))
    assert check() == 1
    out, err = capsys.readouterr()
    assert "no test uses the fixture `motor`" in out
    assert err == (
        "scopecheck: known.json: 1 stale, which --update-baseline drops:\n"
        "  tests/conftest.py::engine: scope-mismatch\n"
    )
    conftest.write_text("# moved\n\n" + CONFTEST)
    assert check() == 0


@pytest.mark.usefixtures("project")
def test_updating_takes_what_is_reported_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tests/test_b.py").write_text("def test_b(missing): ...\n")
    assert check("tests/test_a.py", update=True) == 0
    assert [one.rule for one in read(FILE)] == ["scope-mismatch"]
    assert check() == 1
    assert check(update=True) == 0
    assert check() == 0
    Path("tests/test_b.py").unlink()
    assert check(update=True) == 0
    assert [one.rule for one in read(FILE)] == ["scope-mismatch"]
    assert capsys.readouterr().err.endswith("knows 1 finding now: 0 added, 1 dropped\n")


@pytest.mark.usefixtures("project")
def test_what_a_narrow_run_does_not_look_for_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(update=True) == 0
    capsys.readouterr()
    assert check(select=("SCP3",)) == 0
    assert capsys.readouterr().err == ""
    assert check(select=("SCP3",), update=True) == 0
    assert len(read(FILE)) == 1


@pytest.mark.usefixtures("project")
def test_a_setting_is_seen_from_the_root_and_an_option_from_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir("tests")
    assert check(update=True) == 0
    assert Path("../known.json").exists()
    assert check() == 0
    assert check(baseline=Path("own.json"), update=True) == 0
    assert Path("own.json").exists()
    assert check(isolated=True) == 1


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "known.json: there is no such baseline; `--update-baseline` makes it"),
        ({"isolated": True, "update": True}, "--update-baseline needs a file: name it with"),
        ({"baseline": Path("tests")}, "tests: cannot be read: Is a directory"),
        (
            {"baseline": Path("tests/conftest.py"), "update": True},
            "tests/conftest.py:1: is no JSON: Expecting value; mend it, or delete the file",
        ),
    ],
)
def test_refusals(options: dict[str, object], message: str) -> None:
    with pytest.raises(status.Refused) as error:
        check(**options)  # type: ignore[arg-type]
    assert error.value.message.startswith(message)
    assert Path("tests/conftest.py").read_text() == CONFTEST


@pytest.mark.parametrize("name", ["\0", "a" * 5000, "/dev/zero"])
def test_what_can_be_no_baseline(name: str) -> None:
    """A device is not read: it may have no end."""
    with pytest.raises(BaselineError, match=r"cannot be read|can be the name of no file"):
        read(Path(name))
