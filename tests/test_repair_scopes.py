"""Scope repairs: what they say that they cost is what the suite costs when they are made."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from on_disk import write

from scopecheck.config import Settings
from scopecheck.fix.edits import apply
from scopecheck.project import Project
from scopecheck.repair.bench import Bench
from scopecheck.repair.scopes import Scopes
from scopecheck.repair.solver import solve
from scopecheck.suite.model import Scope
from scopecheck.suite.setups import count_setups

if TYPE_CHECKING:
    from pathlib import Path

    from scopecheck.repair.scopes import Way
    from scopecheck.suite import Suite

SETTINGS = Settings(plugins={"pytest": "8.4"})


def linked(folder: Path, files: dict[str, str]) -> tuple[Project, Suite]:
    project = Project(write(folder, files), SETTINGS, 1)
    (suite,) = project.suites([])
    return project, suite


def fixture(name: str, scope: str, requests: list[str], value: str = "[]") -> str:
    given = "" if scope == "function" else f'(scope="{scope}")'
    return f"@pytest.fixture{given}\ndef {name}({', '.join(requests)}):\n    return {value}\n\n\n"


def titles(suite: Suite, name: str, prefer: str = "") -> list[str]:
    scopes = Scopes(suite, prefer)  # type: ignore[arg-type]
    pairs = [pair for pair in scopes._broken if name in (pair[0].name, pair[1].name)]
    return [way.title for way in scopes.ways(pairs)]


CONFTEST = "import pytest\n\n\n"
TESTS = "".join(f"def test_{n}(client): ...\n" for n in range(4))


def test_the_cheapest_way_comes_first(tmp_path: Path) -> None:
    conftest = CONFTEST + fixture("key", "function", []) + fixture("client", "session", ["key"])
    _, suite = linked(tmp_path, {"conftest.py": conftest, "test_a.py": TESTS})
    narrow = "narrow `client` to function: 1 edit, 1 -> 4 set-ups"
    wide = "widen `key` to session: 1 edit, 0 set-ups added, shares `key` between 4 tests"
    assert titles(suite, "client") == [narrow, wide]
    assert titles(suite, "client", "narrow") == [narrow, wide]
    assert titles(suite, "client", "wide") == [wide, narrow]


def test_a_constant_is_shared_for_nothing(tmp_path: Path) -> None:
    conftest = CONFTEST + fixture("key", "function", [], '"k"')
    conftest += fixture("client", "session", ["key"])
    _, suite = linked(tmp_path, {"conftest.py": conftest, "test_a.py": TESTS})
    assert titles(suite, "client")[0] == "widen `key` to session: 1 edit, 0 set-ups added"


def test_what_is_built_in_stays_as_it_is(tmp_path: Path) -> None:
    conftest = CONFTEST + fixture("key", "function", ["monkeypatch"])
    conftest += fixture("client", "session", ["key"]) + fixture("app", "session", ["client"])
    files = {"conftest.py": conftest, "test_a.py": TESTS, "test_b.py": "def test_b(app): ...\n"}
    _, suite = linked(tmp_path, files)
    assert titles(suite, "client") == [
        "narrow `client`, `app` to function: 2 edits, 2 -> 6 set-ups"
    ]


def test_a_fixture_that_asks_about_its_test_is_not_widened(tmp_path: Path) -> None:
    conftest = CONFTEST + fixture("key", "function", ["request"])
    conftest += fixture("client", "session", ["key"])
    _, suite = linked(tmp_path, {"conftest.py": conftest, "test_a.py": TESTS})
    assert titles(suite, "client") == ["narrow `client` to function: 1 edit, 1 -> 4 set-ups"]


def random_suite(chance: random.Random) -> dict[str, str]:
    words = [scope.word for scope in Scope if scope is not Scope.PACKAGE]
    conftest = CONFTEST
    names: list[str] = []
    for number in range(chance.randint(2, 6)):
        asks = chance.sample(names, min(len(names), chance.randint(0, 2)))
        asks += ["monkeypatch"] if chance.random() < 0.1 else []
        value = chance.choice(["[]", '"constant"'])
        conftest += fixture(f"f{number}", chance.choice(words), asks, value)
        names.append(f"f{number}")
    files = {"conftest.py": conftest}
    for module in ("test_a.py", "sub/test_b.py"):
        text = CONFTEST
        if chance.random() < 0.4:
            name = chance.choice(names)
            text += fixture(name, chance.choice(words), [name] if chance.random() < 0.5 else [])
        for number in range(chance.randint(1, 3)):
            text += f"def test_{number}({', '.join(chance.sample(names, 1))}): ...\n\n\n"
        inner = [f"    def test_{n}(self, {chance.choice(names)}): ...\n" for n in range(2)]
        files[module] = f"{text}class TestIn:\n{''.join(inner)}"
    return files


@pytest.mark.parametrize("seed", range(40))
def test_what_a_way_costs_is_what_the_suite_costs_then(tmp_path: Path, seed: int) -> None:
    project, suite = linked(tmp_path, random_suite(random.Random(seed)))
    scopes = Scopes(suite)
    for pair in scopes._broken:
        for way in scopes.ways([pair]):
            _hold(project, suite, scopes, way)


def _hold(project: Project, suite: Suite, scopes: Scopes, way: Way) -> None:
    from scopecheck.repair.scopes import way_offer

    fix = Bench(project, [suite]).make(way_offer(suite, scopes, way))
    after = Project(project.root, SETTINGS, 1)
    for path in {edit.path for edit in fix.edits}:
        source = project.load.source(path)
        assert source is not None
        text = apply(source.text, [edit for edit in fix.edits if edit.path == path])
        after.load.provide(path, type(source)(path, text, source.encoding, source.bom))
    (mended,) = after.suites([])
    assert _setups(suite, way) == way.before
    assert _setups(mended, way) == way.after
    left = {(a.symbol, b.symbol) for a, b in Scopes(mended)._broken}
    assert left < {(a.symbol, b.symbol) for a, b in scopes._broken}


def _setups(suite: Suite, way: Way) -> int:
    """Of the definitions that a way changes; they keep their lines."""
    return sum(
        number
        for fixture, number in count_setups(suite).items()
        if (fixture.path, fixture.line) in way.changes
    )


def planned(capsys: pytest.CaptureFixture[str], **options: object) -> str:
    from scopecheck.commands.options import PlanOptions
    from scopecheck.commands.plan import run

    run([], PlanOptions(no_cache=True, **options))  # type: ignore[arg-type]
    return capsys.readouterr().out


def test_plan_says_what_a_change_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scopecheck import status

    conftest = CONFTEST + fixture("key", "function", []) + fixture("client", "function", ["key"])
    linked(tmp_path, {"conftest.py": conftest, "test_a.py": TESTS})
    monkeypatch.chdir(tmp_path)
    assert planned(capsys, cost=True).splitlines() == [
        "set-ups   tests  scope     fixture  defined",
        "      4       4  function  client   conftest.py:10",
        "      4       4  function  key      conftest.py:5",
        "      8          in all",
    ]
    assert planned(capsys, changes=("client=session",)).splitlines() == [
        "`client` (conftest.py:10), function-scoped, with session scope:",
        "  widen `key`, `client` to session: 2 edits, 0 set-ups added, "
        "shares `key`, `client` between 4 tests",
        "  conftest.py:5: `key` function -> session, 4 -> 1 set-ups",
        "  conftest.py:10: `client` function -> session, 4 -> 1 set-ups",
    ]
    document = json.loads(planned(capsys, changes=("key=module",), output_format="json"))
    (answer,) = document["if"]
    assert (answer["edits"], answer["setups_before"], answer["setups_after"]) == (1, 4, 1)
    with pytest.raises(status.Refused, match="no test reaches a fixture `nothing`"):
        planned(capsys, changes=("nothing=session",))
    with pytest.raises(status.Refused, match="is none of function, class"):
        planned(capsys, changes=("key=galaxy",))


def test_a_change_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conftest = CONFTEST + fixture("key", "function", ["monkeypatch"])
    linked(tmp_path, {"conftest.py": conftest, "test_a.py": "def test_a(key): ...\n"})
    monkeypatch.chdir(tmp_path)
    assert "  not possible: " in planned(capsys, changes=("key=module",))


def test_what_constraints_tie_together_is_solved_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the number of mismatches in it: once for each direction."""
    names = [f"user_{number}" for number in range(20)]
    conftest = CONFTEST + fixture("key", "function", [])
    conftest += "".join(fixture(name, "session", ["key"]) for name in names)
    tests = "".join(f"def test_{name}({name}): ...\n" for name in names)
    _, suite = linked(tmp_path, {"conftest.py": conftest, "test_a.py": tests})
    spied = Mock(wraps=solve)
    monkeypatch.setattr("scopecheck.repair.scopes.solve", spied)
    scopes = Scopes(suite)
    assert len(scopes._broken) == len(names)
    assert all(scopes.ways([pair]) for pair in scopes._broken)
    assert spied.call_count == 3
