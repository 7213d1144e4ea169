"""The fixture graph: what is in it, and what each format makes of it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from on_disk import scopecheck, write

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
    "tests/conftest.py": """\
import pytest

@pytest.fixture
def settings(tmp_path): return {}

@pytest.fixture(scope="session")
def engine(settings): return object()

@pytest.fixture(autouse=True)
async def clean(): ...

@pytest.fixture
def unused(engine): ...
""",
    "tests/test_a.py": "def test_a(engine): ...\ndef test_b(): ...\n",
    "tests/api/conftest.py": """\
import pytest

@pytest.fixture(scope="session")
def settings(): return {}
""",
    "tests/api/test_c.py": """\
import pytest

@pytest.mark.parametrize("value", [1, 2])
def test_c(engine, value): ...
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path / "project", FILES)


def run(folder: Path, *arguments: str) -> str:
    done = scopecheck("graph", "--isolated", "--root", ".", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(folder, "--output-format", "json", *arguments))
    return found


def test_json(project: Path) -> None:
    found = document(project)
    fixtures = {
        (entry["id"], entry["scope"], entry.get("line"), entry["tests"])
        for entry in found["fixtures"]
    }
    assert fixtures == {
        ("tests/conftest.py::engine", "session", 7, 2),
        ("tests/api/conftest.py::settings", "session", 4, 1),
        ("tests/conftest.py::settings", "function", 4, 1),
        ("tests/conftest.py::clean", "function", 10, 3),
        ("[pytest]::tmp_path", "function", None, 1),
    }
    (clean,) = (entry for entry in found["fixtures"] if entry["name"] == "clean")
    assert (clean["autouse"], clean["async"]) == (True, True)
    requests = {(entry["from"], entry["to"], entry["mismatch"]) for entry in found["requests"]}
    # One request, two answers: the override in tests/api lives long enough.
    assert requests == {
        ("tests/conftest.py::engine", "tests/conftest.py::settings", True),
        ("tests/conftest.py::engine", "tests/api/conftest.py::settings", False),
        ("tests/conftest.py::settings", "[pytest]::tmp_path", False),
    }
    assert found["modules"] == [
        {
            "path": "tests/api/test_c.py",
            "tests": 1,
            "requests": ["tests/conftest.py::clean", "tests/conftest.py::engine"],
        },
        {
            "path": "tests/test_a.py",
            "tests": 2,
            "requests": ["tests/conftest.py::clean", "tests/conftest.py::engine"],
        },
    ]


def test_for_some_tests(project: Path) -> None:
    found = document(project, "tests/api")
    assert [module["path"] for module in found["modules"]] == ["tests/api/test_c.py"]
    assert not any(entry["mismatch"] for entry in found["requests"])
    found = document(project, "tests/test_a.py::test_b")
    assert [entry["name"] for entry in found["fixtures"]] == ["clean"]


def test_what_fixtures_look_up(project: Path) -> None:
    (project / "tests/test_d.py").write_text("""\
import pytest

@pytest.fixture(scope="module")
def pool(request, pytestconfig):
    if pytestconfig.option.verbose:
        request.getfixturevalue("unused")
    return request.getfixturevalue("settings")

def test_d(pool): ...
""")
    found = document(project, "tests/test_d.py")
    requests = {(entry["from"], entry["to"], entry["mismatch"]) for entry in found["requests"]}
    assert requests == {
        ("tests/test_d.py::pool", "tests/conftest.py::settings", True),
        ("tests/test_d.py::pool", "[pytest]::pytestconfig", False),
    }
    (settings,) = (entry for entry in found["fixtures"] if entry["name"] == "settings")
    assert settings["tests"] == 1


def test_mermaid(project: Path) -> None:
    assert (
        run(project, "tests/test_a.py")
        == """\
flowchart LR
  subgraph session["session"]
    f0["<b>engine</b><br>tests/conftest.py:7"]
  end
  subgraph function["function"]
    f1["<b>settings</b><br>tests/conftest.py:4"]
    f2["<b>clean</b><br>tests/conftest.py:10<br>async, autouse"]
    f3["<b>tmp_path</b><br>pytest"]
  end
  subgraph tests["tests"]
    t0(["tests/test_a.py<br>2 tests"])
  end
  f0 --> f1
  f1 --> f3
  t0 -.-> f2
  t0 -.-> f0
  linkStyle 0 stroke:#ca2a30,stroke-width:3px
"""
    )


def test_dot(project: Path) -> None:
    text = run(project, "--output-format", "dot")
    assert text.startswith("digraph fixtures {\n")
    assert '"tests/conftest.py::engine" -> "tests/conftest.py::settings" [color=red' in text
    assert text.count("{") == text.count("}")
    for line in text.splitlines()[1:-1]:
        assert re.fullmatch(r"\s*(\w+ cluster_\d \{|\}|label=.*;|\w+ \[.*\];|\".*;)", line), line


class Page(HTMLParser):
    """Counts boxes and arrows, and holds the page against needing anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes: dict[str, str] = {}
        self.arrows: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: str(value) for key, value in attrs}
        assert "src" not in values
        assert tag not in {"link", "img", "iframe"}
        kind = values.get("class", "")
        if kind.startswith("box"):
            self.boxes[values["data-id"]] = values["data-title"]
        if kind.startswith("arrow"):
            self.arrows.append((values["data-from"], values["data-to"], kind.split()[-1]))


def page_of(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


def test_html(project: Path) -> None:
    text = run(project, "--output-format", "html")
    page = page_of(text)
    assert len(page.boxes) == 5 + 2
    assert "http" not in text
    ends = {
        (page.boxes[one].split(":")[0], page.boxes[two].split(":")[0], kind)
        for one, two, kind in page.arrows
    }
    assert ("engine", "settings", "bad") in ends
    assert ("tests/test_a.py", "engine", "use") in ends
    assert len(page.arrows) == 3 + 4


def test_names_cannot_break_out(project: Path) -> None:
    (project / 'tests/test_"<b>x.py').write_text("def test_x(engine): ...\n")
    (project / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\npython_files = ["test_*.py"]\n'
    )
    page = page_of(run(project, "--output-format", "html"))
    assert 'tests/test_"<b>x.py: 1 test' in page.boxes.values()
    assert "#34;#60;b#62;x.py" in run(project)
    assert '"tests/test_\\"<b>x.py"' in run(project, "--output-format", "dot")


def test_a_cycle_ends(project: Path) -> None:
    (project / "tests/conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef one(two): ...\n@pytest.fixture\ndef two(one): ...\n"
    )
    (project / "tests/test_a.py").write_text("def test_a(one): ...\n")
    assert len(page_of(run(project, "--output-format", "html")).boxes) >= 2


def test_no_tests(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("")
    assert document(tmp_path) == {"version": 1, "fixtures": [], "requests": [], "modules": []}
    assert page_of(run(tmp_path, "--output-format", "html")).boxes == {}
