"""What linking finds once for many tests is what it would find for each of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import suites

from scopecheck.config import Settings
from scopecheck.project import Project
from scopecheck.suite.modules import Modules
from scopecheck.suite.resolve import Resolver

if TYPE_CHECKING:
    from differential import Project as Sample

    from scopecheck.suite.model import Fixture


def _plans(folder: Path, version: str) -> list[object]:
    project = Project(folder, Settings(plugins={"pytest": version}), 1)
    return [
        (item.nodeid, *_told(item.plan))
        for files in project.files([])
        for item in project.link(files).items
    ]


def test_a_file_by_two_names_is_collected_by_both(tmp_path: Path) -> None:
    for folder in ("tests/orders", "tests/users"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tests/orders/test_all.py").write_text("def test_one(): ...\n")
    (tmp_path / "tests/again").symlink_to("orders", target_is_directory=True)
    (tmp_path / "tests/users/test_all.py").write_text("def test_two(): ...\n")
    (suite,) = Project(tmp_path, Settings(), 1).suites([])
    collected = {item.nodeid for item in suite.items if item.refusal is None}
    assert collected == {"tests/again/test_all.py::test_one", "tests/orders/test_all.py::test_one"}
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert {line for line in shown.splitlines() if line.startswith("tests/")} == collected


@pytest.mark.parametrize(
    ("named", "problems", "unknown"),
    [('["plug"]', [], []), ('["pl" + "ug".lower()]', [], ["late"]), ("[]", ["late"], [])],
)
def test_plugins_of_a_test_file_are_there_for_the_tests_before_it(
    tmp_path: Path, named: str, problems: list[str], unknown: list[str]
) -> None:
    fixture = "import pytest\n@pytest.fixture\ndef late(): ...\n"
    (tmp_path / "plug.py").write_text(fixture)
    (tmp_path / "test_a.py").write_text("def test_a(late): ...\n")
    (tmp_path / "test_b.py").write_text(f"pytest_plugins = {named}\ndef test_b(): ...\n")
    (suite,) = Project(tmp_path, Settings(), 1).suites([])
    plan = suite.items[0].plan
    assert plan is not None
    assert [problem.name for problem in plan.problems] == problems
    assert list(plan.unknown) == unknown
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode != 0) == bool(problems), result.stdout


def _told(plan: Any) -> tuple[object, ...]:
    def key(fixture: Fixture | None) -> object:
        return fixture and (*fixture.key, fixture.level, fixture.pseudo)

    return (
        plan.closure,
        [key(fixture) for fixture in plan.order],
        [(key(edge.asker), edge.request, key(edge.answer)) for edge in plan.edges],
        [(one.kind, one.name, [*map(key, one.stack)], one.certain) for one in plan.problems],
        plan.unknown,
    )


@settings(
    max_examples=80,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(project=suites(), version=st.sampled_from(["7.4", "8.3", "9.0", "9.2"]))
def test_a_plan_is_that_of_a_walk_of_its_own(project: Sample, version: str) -> None:
    with tempfile.TemporaryDirectory(prefix="suite-") as name:
        folder = Path(name).resolve()
        project.write(folder)
        shared = _plans(folder, version)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Resolver, "tree", lambda *_, **__: None)
            alone = _plans(folder, version)
    assert shared == alone


def test_what_is_parametrized_is_not_what_was_looked_for_in_vain(tmp_path: Path) -> None:
    """A conftest that may have more than is seen, and a test that gives what it does not show."""
    (tmp_path / "conftest.py").write_text(
        "import pytest\nfrom somewhere import *\n\n@pytest.fixture\ndef used(given): ...\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\ndef test_without(used): ...\n\n"
        "@pytest.mark.parametrize('given', [1])\ndef test_with(used, given): ...\n"
    )
    without, with_given = _plans(tmp_path, "9.2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Resolver, "tree", lambda *_, **__: None)
        assert _plans(tmp_path, "9.2") == [without, with_given]


def test_a_module_is_looked_for_where_something_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suite may have a folder of the search path for each test file."""
    folders = [f"tests/unit{number}" for number in range(50)]
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "test_it.py").touch()
    (tmp_path / folders[30] / "helpers.py").touch()
    looked: list[str] = []
    find_in = Modules._find_in

    def noting(self: Modules, folder: str, module: str) -> str | None:
        looked.append(folder)
        return find_in(self, folder, module)

    monkeypatch.setattr(Modules, "_find_in", noting)
    modules = Modules(tmp_path, folders)
    for folder in folders:
        importer = f"{folder}/test_it.py"
        assert modules.find("helpers", importer) == f"{folders[30]}/helpers.py"
        assert modules.find("numpy", importer) is None
        assert modules.places("helpers", importer) == (f"{folders[30]}/helpers.py",)
    assert len(looked) < 3 * len(folders)


@pytest.mark.parametrize(("roots", "found"), [(("a", "b"), None), (("b", "a"), "a/redis")])
def test_a_mere_folder_counts_in_the_last_place(
    tmp_path: Path, roots: tuple[str, ...], found: str | None
) -> None:
    (tmp_path / "a/redis").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    assert Modules(tmp_path, roots).find("redis", "c/test_it.py") == found
