"""Holds `scopecheck plan` against pytest on the projects of `projects/`.

SCOPECHECK_PYTESTS=folder asks the pytest of every environment in the folder. SCOPECHECK_BLESS=1
writes what pytest answers into the pages.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from differential import (
    BLESSED_BY,
    PAGES,
    Answer,
    Project,
    all_projects,
    bless,
    disagreements,
    of_pytest,
    of_scopecheck,
)
from oracle.client import PytestServer, environments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECTS = all_projects()

each_project = pytest.mark.parametrize("project", PROJECTS, ids=str)


class Asker:
    """Asks one pytest about each project once; keeps the answers and the folders."""

    def __init__(self, server: PytestServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.known: dict[str, tuple[Path, Answer]] = {}

    def ask(self, project: Project) -> tuple[Path, Answer]:
        """The project's folder, and pytest's answer."""
        if not project.fits(self.server.version):
            pytest.skip(f"holds for pytest {project.options.pytest}")
        if str(project) not in self.known:
            folder = self.folder / f"{len(self.known)}"
            folder.mkdir()
            project.write(folder)
            self.known[str(project)] = (folder, of_pytest(self.server, project, folder))
        return self.known[str(project)]


@pytest.fixture(scope="session", params=environments(), ids=lambda python: python.parts[-3])
def asker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asker]:
    with PytestServer(request.param) as server:
        yield Asker(server, tmp_path_factory.mktemp("projects"))


@pytest.fixture(scope="session")
def blessings() -> Iterator[dict[str, dict[str, str]]]:
    """New answers by page and project; written at the end."""
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    yield answers
    for page, by_project in answers.items():
        bless(PAGES / f"{page}.md", by_project)


@each_project
def test_page_says_what_pytest_answers(
    project: Project, asker: Asker, blessings: dict[str, dict[str, str]]
) -> None:
    if not project.is_on_record(asker.server.version):
        pytest.skip(f"the page was written with pytest {BLESSED_BY}")
    _, answer = asker.ask(project)
    if os.environ.get("SCOPECHECK_BLESS"):
        blessings[project.page][project.name] = answer.lines()
    else:
        assert project.blessed == answer.lines()


@each_project
def test_plan_equals_pytest(project: Project, asker: Asker) -> None:
    folder, expected = asker.ask(project)
    ours = of_scopecheck(project, folder, asker.server.version)
    options = project.options
    found = disagreements(expected, ours, may_be_unknown=bool(options.unknown), run=options.run)
    if options.differs:
        assert found, "it differs no more; the option can go"
        return
    shown = f"\n{project.text()}\n--- pytest\n{expected.lines()}\n--- scopecheck\n{ours.lines()}"
    assert not found, "\n".join([project.statement, *found]) + shown


def test_there_are_enough_projects() -> None:
    assert len(PROJECTS) >= 150
    assert len({str(project) for project in PROJECTS}) == len(PROJECTS)
