"""Set-ups of fixtures, counted from the plans and by pytest itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from on_disk import write

from scopecheck.config import Settings
from scopecheck.project import Project
from scopecheck.suite.setups import count_setups

ROOT = Path(__file__).parent.parent

# A plugin that counts by the name of a fixture and the file that defines it. Parametrizations of a
# test are one.
COUNTER = """\
import inspect, json, os
from collections import Counter
import pytest
found = set()

@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    code = getattr(inspect.unwrap(fixturedef.func), "__code__", None)
    if code is not None and not fixturedef.argname.startswith("_"):
        node = request.node.nodeid.partition("[")[0]
        found.add((f"{fixturedef.argname} {code.co_filename}", id(fixturedef), node))
    return (yield)

def pytest_sessionfinish():
    with open(os.environ["COUNTS"], "w") as file:
        json.dump(Counter(name for name, *_ in found), file)
"""

PROJECT = {
    "conftest.py": """\
import pytest

@pytest.fixture(scope="session")
def settings(): return {}

@pytest.fixture(scope="module", autouse=True)
def module_wide(settings): ...

@pytest.fixture(scope="class")
def per_class(settings): ...

@pytest.fixture
def client(per_class): ...

@pytest.fixture
def never(): ...
""",
    "shared.py": """\
import pytest

@pytest.fixture(scope="session")
def server(): ...
""",
    "pkg/__init__.py": "",
    "pkg/conftest.py": """\
import pytest

@pytest.fixture(scope="package")
def database(): ...

@pytest.fixture
def client(client, database): ...
""",
    "pkg/inner/__init__.py": "",
    "pkg/inner/test_inner.py": "def test_inner(database): ...\n",
    "pkg/test_one.py": """\
import pytest
from shared import server

def test_a(client): ...
def test_b(client, server): ...

@pytest.mark.skip
def test_skipped(client): ...

class TestOuter:
    def test_c(self, client): ...
    def test_d(self, client): ...

    class TestInner:
        def test_e(self, per_class): ...
        def test_f(self, per_class): ...
""",
    "pkg/test_two.py": """\
import unittest
from shared import server

def test_g(server, per_class, tmp_path): ...

class Old(unittest.TestCase):
    def test_h(self): ...
""",
}


def by_pytest(folder: Path, scratch: Path) -> Counter[str]:
    scratch.mkdir()
    (scratch / "counter.py").write_text(COUNTER)
    counts = scratch / "counts.json"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "counter"],
        cwd=folder,
        check=False,
        capture_output=True,
        env={
            **os.environ,
            "COUNTS": str(counts),
            "PYTHONPATH": str(scratch),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )
    found: Counter[str] = Counter()
    for key, number in json.loads(counts.read_text()).items():
        name, _, file = key.partition(" ")
        if Path(file).is_relative_to(folder):
            found[f"{name} {Path(file).relative_to(folder).as_posix()}"] += number
    return found


def by_scopecheck(folder: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for suite in Project(folder, Settings(), jobs=1).suites([]):
        for fixture, number in count_setups(suite).items():
            if fixture.path is not None:
                found[f"{fixture.name} {fixture.path}"] += number
    return found


def test_as_pytest_counts(tmp_path: Path) -> None:
    folder = write(tmp_path / "project", PROJECT)
    counted = by_pytest(folder, tmp_path / "scratch")
    assert counted["per_class conftest.py"] == 4
    assert counted["server shared.py"] == 2
    assert by_scopecheck(folder) == counted


@pytest.mark.parametrize("example", ["agent_platform_repaired"])
def test_as_pytest_counts_on_the_example(example: str, tmp_path: Path) -> None:
    folder = ROOT / "examples" / example
    counted = by_pytest(folder, tmp_path / "scratch")
    assert by_scopecheck(folder) == counted
