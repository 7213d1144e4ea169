"""Holds scopecheck's event loops against pytest-asyncio, on random projects in many versions.

SCOPECHECK_MATRIX=1000 tries that many, over all versions; without it a fixed few are tried, over
those that CI has. `python scopecheck/testing/environments.py` builds the environments.
"""

from __future__ import annotations

import dataclasses
import math
import os
from typing import TYPE_CHECKING

import pytest
from loops.compare import compare
from loops.deprecations import Deprecation
from loops.exceptions import EXEMPTIONS, Exemption
from loops.generator import make, parse
from loops.matrix import Judge, Table, of_asyncio
from loops.predict import Predicted, Prediction, predict
from loops.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from loops.record import Run

WANTED = os.environ.get("SCOPECHECK_MATRIX")
VERSIONS = of_asyncio(by_default=WANTED is None)
EACH = math.ceil(int(WANTED) / len(VERSIONS)) if WANTED else 12
NEWEST = list(VERSIONS)[-1]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the server forks")


def judge_of(version: str) -> Judge:
    environment = of_asyncio()[version]
    if not environment.is_built:
        pytest.skip(f"the environment {environment.name} is not built")
    return Judge(environment)


@pytest.mark.parametrize("version", list(VERSIONS))
def test_loops_equal_pytest_asyncio(version: str, record_property: Callable[..., None]) -> None:
    table = Table()
    failures = []
    with judge_of(version) as judge:
        for judged in judge.all(range(EACH)):
            table.add(judged)
            if judged.unexplained:
                failures.append(judged)
        shown = [judge.smallest(each.project, each.unexplained[0]) for each in failures[:3]]
    for name, number in table.rows[version].items():
        record_property(name, number)
    assert not failures, "\n\n".join(
        f"{judged.project}\n{judged.project.text()}\n" + "\n".join(judged.unexplained)
        for judged in shown
    )
    assert table.rows[version]["pairs"]
    assert table.rows[version]["errors"]


@pytest.mark.parametrize("exemption", EXEMPTIONS, ids=lambda exemption: exemption.name)
def test_exception_is_still_one(exemption: Exemption) -> None:
    with judge_of(exemption.shown_by) as judge:
        found = judge.judge(exemption.example).disagreements
    assert found, "it differs no more; the exception can go"
    version = parse(exemption.shown_by)
    assert all(exemption.covers(version, each) for each in found), found


@pytest.mark.parametrize("version", list(of_asyncio()))
def test_project_is_the_same_each_time(version: str) -> None:
    for seed in range(20):
        project = make(version, seed)
        assert project.files() == make(version, seed).files()
        functions = [fixture.function for fixture in project.fixtures]
        functions += [test.function for test in project.tests]
        assert len(functions) == len(set(functions))


# The comparison itself: what is wrong is found to be.

FILES = {
    "pytest.ini": "[pytest]\nasyncio_default_test_loop_scope = module\n",
    "conftest.py": """
import asyncio
import pytest
import pytest_asyncio

@pytest_asyncio.fixture(scope="session")
async def wide():
    asyncio.get_running_loop()
    return object()

@pytest_asyncio.fixture(scope="session", loop_scope="function")
async def narrow():
    return object()

@pytest.fixture
async def unhandled():
    return object()

@pytest_asyncio.fixture(loop_scope="module")
async def shared(wide):
    asyncio.get_running_loop()
    yield object()

@pytest.fixture
def between(shared):
    return shared
""",
    "test_a.py": """
import asyncio
import pytest

pytestmark = pytest.mark.asyncio

@pytest.fixture(scope="session")
def event_loop_policy():
    return asyncio.DefaultEventLoopPolicy()

async def test_apart(wide):
    asyncio.get_running_loop()

async def test_together(between):
    asyncio.get_running_loop()

async def test_mismatch(narrow):
    asyncio.get_running_loop()

async def test_unhandled_fixture(unhandled):
    asyncio.get_running_loop()

@pytest.mark.asyncio(scope="module")
async def test_deprecated():
    asyncio.get_running_loop()

async def test_lost(nothing):
    asyncio.get_running_loop()
""",
    "test_b.py": """
import asyncio

async def test_unhandled():
    asyncio.get_running_loop()
""",
    "test_c.py": """
import pytest

@pytest.mark.asyncio(scope="module", loop_scope="module")
async def test_refused():
    pass
""",
}


class Known:
    """One project's two answers; the second can be made worse."""

    def __init__(self, run: Run, predicted: Predicted, pytest: str) -> None:
        self.run = run
        self.predicted = predicted
        self.pytest = pytest

    def disagreements(self, **changed: object) -> list[str]:
        """How they differ, with a part of the prediction changed."""
        wrong = dataclasses.replace(self.predicted, **changed)  # type: ignore[arg-type]
        return compare(NEWEST, self.pytest, self.run, wrong).disagreements

    def without(self, test: str) -> dict[str, Prediction]:
        """What is said of all tests but one."""
        items = self.predicted.items.items()
        return {nodeid: item for nodeid, item in items if item.function != test}

    def of_test(self, test: str, **changed: object) -> list[str]:
        """How they differ, with a part of what is said of one test changed."""
        (item,) = (each for each in self.predicted.items.values() if each.function == test)
        worse = dataclasses.replace(item, **changed)  # type: ignore[arg-type]
        return self.disagreements(items={**self.predicted.items, item.nodeid: worse})


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("known").resolve()
    for path, text in FILES.items():
        (folder / path).write_text(text, encoding="utf-8")
    with judge_of(NEWEST) as judge:
        run = judge.server.run(folder)
        predicted = predict(folder, judge.environment.python)
        return Known(run, predicted, judge.environment.versions["pytest"])


def test_all_that_is_known_agrees(known: Known) -> None:
    assert known.disagreements() == []
    outcomes = {item.function: item.outcome for item in known.run.items}
    assert set(outcomes.values()) == {"passed", "failed"}
    assert len(known.run.collect_errors) == 1


def test_probe_tells_loops_apart(known: Known) -> None:
    loops = {item.function: item.loops for item in known.run.items}
    apart, together = loops["test_apart"], loops["test_together"]
    assert apart["test_apart"] != apart["wide"] == together["wide"]
    assert together["test_together"] == together["shared"] == apart["test_apart"]


MISMATCH = Trouble("scope-mismatch", "narrow", "_function_scoped_runner", "function")


@pytest.mark.parametrize(
    ("test", "changed"),
    [
        ("test_apart", {"handed": {(None, "wide"): True}}),
        ("test_apart", {"handed": {}}),
        ("test_apart", {"handed": {(None, "wide"): False, (None, "shared"): True}}),
        ("test_apart", {"troubles": (MISMATCH,)}),
        ("test_apart", {"troubles": (Trouble("unhandled-fixture", "wide", "wide"),)}),
        ("test_apart", {"troubles": (Trouble("multiple-loops", "wide"),)}),
        ("test_together", {"handed": {(None, "shared"): False, ("shared", "wide"): False}}),
        ("test_together", {"handed": {(None, "shared"): True, ("shared", "wide"): True}}),
        ("test_together", {"handed": {(None, "shared"): True}}),
        ("test_mismatch", {"troubles": ()}),
        ("test_mismatch", {"troubles": (dataclasses.replace(MISMATCH, fixture="wide"),)}),
        ("test_mismatch", {"troubles": (dataclasses.replace(MISMATCH, name="event_loop"),)}),
        ("test_mismatch", {"troubles": (dataclasses.replace(MISMATCH, scope="module"),)}),
        ("test_mismatch", {"troubles": (Trouble("unknown-fixture", None, "narrow"),)}),
        ("test_unhandled_fixture", {"troubles": ()}),
        ("test_unhandled_fixture", {"troubles": (Trouble("unhandled-fixture", "wide", "wide"),)}),
        ("test_unhandled", {"troubles": ()}),
        ("test_lost", {"troubles": ()}),
        ("test_lost", {"troubles": (Trouble("unknown-fixture", None, "wide"),)}),
        ("test_refused", {"troubles": ()}),
        ("test_refused", {"troubles": (Trouble("multiple-loops"),)}),
    ],
)
def test_wrong_prediction_is_caught(known: Known, test: str, changed: dict[str, object]) -> None:
    assert known.of_test(test, **changed)


def test_missing_and_additional_tests_are_caught(known: Known) -> None:
    assert known.disagreements(items=known.without("test_apart"))
    assert known.disagreements(items=known.without("test_refused"))
    more = Prediction("test_d.py::test_d", "test_d", None, frozenset(), (), {}, {}, ())
    assert known.disagreements(items={**known.predicted.items, more.nodeid: more})


def test_wrong_deprecations_are_caught(known: Known) -> None:
    said = known.predicted.deprecations
    assert {each.kind for each in said} == {"mark", "policy"}
    for each in said:
        assert known.disagreements(deprecations=[other for other in said if other != each])
    request = Deprecation("request", "test_apart", frozenset({"test_a.py::test_apart"}))
    assert known.disagreements(deprecations=[*said, request])


def test_wrong_refusal_is_caught(known: Known) -> None:
    assert known.disagreements(errors=("a mode of this name is not known",))
    refused = dataclasses.replace(known.run, status=4, items=[], collect_errors=[])
    environment = of_asyncio()[NEWEST]
    assert compare(NEWEST, environment.versions["pytest"], refused, known.predicted).disagreements


def test_what_is_unknown_is_no_disagreement(known: Known) -> None:
    assert not known.of_test("test_mismatch", troubles=(), unknown=("it is not known",))
    assert not known.of_test("test_apart", handed={(None, "wide"): None})
