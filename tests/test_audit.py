"""The audit: verdicts by area, each from what was examined, in every format."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt
from on_disk import scopecheck

from scopecheck import rulebook
from scopecheck.audit import TOPICS, topic_of

if TYPE_CHECKING:
    import subprocess

EXAMPLES = Path(__file__).parent.parent / "examples"
VOID = {"meta", "br"}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return scopecheck("audit", *arguments, cwd=folder)


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    done = run(folder, "--output-format", "json", *arguments)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (found["summary"]["failed"] > 0), done.stderr
    return found


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {area["area"]: area["verdict"] for area in found["areas"]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    (folder / "Makefile").write_text("lint:\n\tscopecheck\n")
    (folder / "tests/conftest.py").write_text(
        "import pytest\n\n"
        "@pytest.fixture\ndef settings(): return {}\n\n"
        '@pytest.fixture(scope="session")\ndef engine(): return object()\n'
    )
    (folder / "tests/test_a.py").write_text(
        "def test_a(engine, settings): assert engine\ndef test_b(settings): assert settings == {}\n"
    )
    return folder


def test_a_sound_suite(project: Path) -> None:
    found = document(project, "--isolated")
    assert found["summary"]["failed"] == 0
    assert verdicts(found)["scopes"] == "passed"
    assert verdicts(found)["guard"] == "passed"
    assert found["cost"] == {
        "setups": 3,
        "tests": 2,
        "by_scope": [
            {"scope": "function", "fixtures": 1, "setups": 2},
            {"scope": "session", "fixtures": 1, "setups": 1},
        ],
        "heaviest": [
            {
                "fixture": "settings",
                "scope": "function",
                "place": "tests/conftest.py:4",
                "setups": 2,
                "tests": 2,
                "autouse": False,
            },
            {
                "fixture": "engine",
                "scope": "session",
                "place": "tests/conftest.py:7",
                "setups": 1,
                "tests": 1,
                "autouse": False,
            },
        ],
    }


def test_every_rule_belongs_to_one_area() -> None:
    for rule in rulebook.rules().values():
        owners = [topic.key for topic in TOPICS if rule.code.startswith(topic.codes)]
        assert len(owners) <= 1, rule.code
        assert owners or topic_of(rule.code) == "guard"
    assert {rule.code for rule in rulebook.rules().values() if topic_of(rule.code) == "guard"} == {
        "SCP002",
        "SCP003",
    }


def test_every_rule_is_in_the_report(project: Path) -> None:
    found = document(project, "--isolated", "--extend-select", "ALL")
    listed = Counter(rule["code"] for area in found["areas"] for rule in area["rules"])
    assert set(listed) == {rule.code for rule in rulebook.rules().values()}
    assert set(listed.values()) == {1}


def test_an_area_without_a_rule_is_not_examined(project: Path) -> None:
    found = document(project, "--isolated", "--select", "SCP1", "--ignore", "SCP001,SCP004")
    assert verdicts(found)["scopes"] == "passed"
    others = {
        area["area"]: area for area in found["areas"] if area["area"] not in ("scopes", "guard")
    }
    assert {area["verdict"] for area in others.values()} == {"not-examined"}
    assert others["fixtures"]["reason"].startswith("no rule for it is on (SCP301, ")


def test_an_area_without_anything_in_it_is_not_examined(project: Path) -> None:
    found = document(project, "--isolated")
    (loops,) = (area for area in found["areas"] if area["area"] == "loops")
    assert loops["verdict"] == "not-examined"
    assert loops["reason"] == "the suite has no async test and no async fixture"


def test_a_folder_without_a_suite_is_told(tmp_path: Path) -> None:
    for form in ("text", "markdown", "html", "json"):
        result = run(tmp_path, "--output-format", form)
        assert "bug" not in result.stderr
        assert result.stdout


def test_no_tests_at_all_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/conftest.py").write_text("")
    found = document(tmp_path, "--isolated", "--root", ".")
    assert "passed" not in verdicts(found).values()


def test_the_whole_suite_is_reported_whatever_is_named(project: Path) -> None:
    (project / "tests/test_c.py").write_text("def test_c(unheard_of): ...\n")
    found = document(project, "--isolated", "tests/test_a.py")
    assert verdicts(found)["fixtures"] == "failed"


def test_what_comments_silence_is_counted(project: Path) -> None:
    (project / "tests/test_c.py").write_text(
        "def test_c(unheard_of): ...  # scopecheck: ignore[unknown-fixture]\n"
    )
    found = document(project, "--isolated")
    assert verdicts(found)["fixtures"] == "passed"
    (guard,) = (area for area in found["areas"] if area["area"] == "guard")
    assert "comments silence 1 finding, not counted here" in guard["holds"]


def test_what_could_not_be_known(project: Path) -> None:
    (project / "tests/test_c.py").write_text(
        "import pytest\nfrom somewhere import SCOPE\n"
        "@pytest.fixture(scope=SCOPE)\ndef odd(settings): ...\n"
        "def test_c(odd): ...\n"
    )
    found = document(project, "--isolated")
    reasons = {entry["reason"] for entry in found["unknown"]}
    assert "the scope of 'odd' is computed" in reasons
    assert "the scope of one side is computed" in reasons


def test_the_example_before_and_after_repair() -> None:
    before = document(EXAMPLES / "agent_platform", "--root", ".")
    areas = {*(topic.key for topic in TOPICS), "guard"} - {"policy"}
    wrong = {area for area, verdict in verdicts(before).items() if verdict == "failed"}
    assert wrong == areas
    after = document(EXAMPLES / "agent_platform_repaired", "--root", ".")
    right = {area for area, verdict in verdicts(after).items() if verdict == "passed"}
    assert right == areas


def test_coverage_of_events() -> None:
    held = {
        name: [
            text for area in found["areas"] if area["area"] == "events" for text in area["holds"]
        ]
        for name in ("agent_platform", "agent_platform_repaired")
        if (found := document(EXAMPLES / name, "--root", "."))
    }
    assert held["agent_platform"][0].startswith("4 of 5 events that `agent` requires are asserted")
    assert held["agent_platform_repaired"][0].startswith("5 of 5 events that `agent` requires")


TEXT = """\
Audit of project
2 tests, 2 fixtures, 2 files read
for pytest VERSION

FAILED  Fixture scope compatibility: 1 finding
        examined  2 tests, 2 fixtures, 1 request between fixtures
        holds     0 of 1 are answered by a fixture that lives as long or longer
                  SCP102, SCP103, SCP104, SCP105 and SCP106 found nothing
        fails     SCP101 scope-mismatch  tests/conftest.py:7:5
                    session-scoped `engine` requests function-scoped `settings`

------  Event loops: no rule for it is on (SCP201, ...)
"""


def test_text(project: Path) -> None:
    conftest = project / "tests/conftest.py"
    conftest.write_text(conftest.read_text().replace("engine()", "engine(settings)"))
    done = run(project, "--isolated", "--select", "SCP1")
    lines = re.sub(r"pytest \S+ \(.*\)", "pytest VERSION", done.stdout)
    lines = re.sub(r"SCP201, [^)]*\)", "SCP201, ...)", lines)
    assert lines.startswith(TEXT)
    assert done.stdout.splitlines()[-1] == "2 passed, 1 failed, 8 not examined"
    assert done.returncode == 1


def test_markdown_is_one_document_of_tables() -> None:
    done = run(EXAMPLES / "agent_platform", "--root", ".", "--output-format", "markdown")
    tokens = MarkdownIt("commonmark").enable("table").parse(done.stdout)
    kinds = Counter(token.type for token in tokens)
    headings = [
        tokens[index + 1].content
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2"
    ]
    assert "Fixture scope compatibility: failed" in headings
    assert headings[-1] == "Cost" or headings[-2] == "Cost"
    # Areas, one table for each with findings, two of the cost.
    failed = sum(": failed" in heading and "guard" not in heading for heading in headings)
    assert kinds["table_open"] == 1 + failed + 2


class Page(HTMLParser):
    """Holds a page against the few rules that make it well formed and self-contained."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert tag not in {"script", "link", "img", "iframe"}
        assert "src" not in values
        if tag not in VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        if values.get("href"):
            self.links.add(str(values["href"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_is_one_page_that_needs_nothing_else(project: Path) -> None:
    (project / "tests/test_c.py").write_text(
        'def test_c(unheard_of): assert "<script>alert(1)</script> &amp;" == ""\n'
    )
    out = project.parent / "audit.html"
    done = run(project, "--isolated", "--output-format", "html", "--output-file", str(out))
    assert (done.returncode, done.stdout) == (1, "")
    page = Page()
    text = out.read_text(encoding="utf-8")
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.links <= {f"#{key}" for key in page.ids}
    assert "url(" not in text
    assert "http" not in text
    assert '"<script>alert(1)</script> &amp;" == ""' in "".join(page.text)


def test_several_outputs(project: Path) -> None:
    arguments = ["--output-format", "html", "--output-file", "a.html", "--output-format", "text"]
    done = run(project, "--isolated", *arguments)
    assert done.stdout.startswith("Audit of project\n")
    assert (project / "a.html").read_text().startswith("<!doctype html>")


def test_wrong_use(project: Path) -> None:
    assert run(project, "--select", "NOPE").returncode == 2
    assert run(project, "nowhere").returncode == 2
