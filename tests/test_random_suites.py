"""Holds `scopecheck plan` against pytest on random suites.

SCOPECHECK_RANDOM=5000 tries that many, new ones each time; without it a fixed few are tried.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from differential import Answer, Project, disagreements, of_pytest, of_scopecheck
from hypothesis import HealthCheck, event, given, settings
from oracle.client import PytestServer, environments
from strategies import suites

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = os.environ.get("SCOPECHECK_RANDOM")

random_run = settings(
    max_examples=int(WANTED or 150),
    derandomize=WANTED is None,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=environments(), ids=lambda python: python.parts[-3])
def server(request: pytest.FixtureRequest) -> Iterator[PytestServer]:
    with PytestServer(request.param) as started:
        yield started


def describe(answer: Answer) -> Iterator[str]:
    """What is in an answer, for the statistics of a run (`--hypothesis-show-statistics`)."""
    if answer.refused:
        yield "pytest does not start"
    if answer.uncollected:
        yield "something is not collected"
    yield from {error.kind for item in answer.items.values() for error in item.errors}
    for item in answer.items.values():
        if max(Counter(fixture.name for fixture in item.fixtures).values(), default=0) > 1:
            yield "an override with its base"
            break


@random_run
@given(project=suites())
def test_plan_equals_pytest_on_random_suites(server: PytestServer, project: Project) -> None:
    with tempfile.TemporaryDirectory(prefix="suite-") as name:
        folder = Path(name)
        project.write(folder)
        expected = of_pytest(server, project, folder)
        for each in describe(expected):
            event(each)
        ours = of_scopecheck(project, folder, server.version)
    found = disagreements(expected, ours)
    shown = f"\n{project.text()}\n--- pytest\n{expected.lines()}\n--- scopecheck\n{ours.lines()}"
    assert not found, "\n".join(found) + shown
