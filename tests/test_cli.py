"""The command line: what it prints where, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from on_disk import scopecheck

from scopecheck.report.outputs import wants_color

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples/agent_platform"

CONFTEST = """\
import pytest

@pytest.fixture
def settings(): ...

@pytest.fixture(scope="session")
def engine(settings): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\ntestpaths = ['tests']\n[tool.scopecheck]\n"
    )
    (tmp_path / "src/app").mkdir(parents=True)
    (tmp_path / "src/app/__init__.py").write_text("")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/conftest.py").write_text(CONFTEST)
    (tmp_path / "tests/test_a.py").write_text("def test_a(engine): ...\n")
    (tmp_path / "tests/test_b.py").write_text("def test_b(engine): ...\ndef test_c(): ...\n")
    return tmp_path


def test_check_is_the_default_command(project: Path) -> None:
    plain = scopecheck("tests", "--output-format", "concise", cwd=project)
    named = scopecheck("check", "tests", "--output-format", "concise", cwd=project)
    assert plain.returncode == named.returncode == 1
    assert plain.stdout.startswith("tests/conftest.py:7:5: error[SCP101] scope-mismatch: ")
    assert plain.stdout.rpartition(" in ")[0] == named.stdout.rpartition(" in ")[0]


def test_no_path_is_the_suite_of_the_folder(project: Path) -> None:
    assert scopecheck(cwd=project).returncode == 1


def test_a_path_without_tests_stands_for_its_suite(project: Path) -> None:
    result = scopecheck("src/", "--output-format", "concise", cwd=project)
    assert result.returncode == 1
    assert result.stdout.startswith("tests/conftest.py:7:5: ")
    assert result.stderr == "scopecheck: src has no tests below it; analysing the suite .\n"


def test_a_named_file_shows_what_touches_it(project: Path) -> None:
    assert scopecheck("tests/test_a.py", cwd=project).returncode == 1
    (project / "tests/test_d.py").write_text("def test_d(): ...\n")
    assert scopecheck("tests/test_d.py", cwd=project).returncode == 0


def test_a_path_that_belongs_to_no_suite(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    result = scopecheck(str(other), cwd=project)
    assert result.returncode == 2
    assert "belongs to no suite" in result.stderr


def test_selecting_rules(project: Path) -> None:
    def codes(*arguments: str) -> set[str]:
        result = scopecheck(".", "--output-format", "json", *arguments, cwd=project)
        return {finding["code"] for finding in json.loads(result.stdout)["findings"]}

    (project / "tests/test_e.py").write_text("def test_e(missing): ...\n")
    assert codes() == {"SCP101", "SCP301"}
    assert codes("--select", "SCP1") == {"SCP101"}
    assert codes("--select", "unknown-fixture,scope-mismatch") == {"SCP101", "SCP301"}
    assert codes("--ignore", "SCP101") == {"SCP301"}
    assert codes("--select", "SCP3", "--extend-select", "SCP101") == {"SCP101", "SCP301"}
    assert codes("--extend-ignore", "unknown-fixture") == {"SCP101"}


def test_help_says_in_a_line_what_each_command_does(project: Path) -> None:
    commands = scopecheck("--help", cwd=project).stdout.partition("Commands:")[2]
    assert re.search(r"^  rule +Explain a rule, or list them\.$", commands, re.MULTILINE)
    assert "..." not in commands.partition("`scopecheck PATH...`")[0]


def completions(words: str, cwd: Path) -> list[str]:
    """What bash would offer for the last word, which is not complete."""
    env = {
        "_SCOPECHECK_COMPLETE": "bash_complete",
        "COMP_WORDS": f"scopecheck {words}",
        "COMP_CWORD": str(len(words.split(" "))),
    }
    command = [sys.executable, "-c", "from scopecheck.cli import cli; cli(prog_name='scopecheck')"]
    result = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ru", ["file,ru", "plain,rule"]),
        ("tests/te", ["file,tests/te"]),
        ("plan tests/te", ["file,tests/te"]),
        ("--sta", ["plain,--statistics"]),
        ("check --output-format sa", ["plain,sarif"]),
        ("rule scope-m", ["plain,scope-mismatch"]),
        ("--select SCP601,scope-m", ["plain,SCP601,scope-mismatch"]),
    ],
)
def test_what_a_shell_completes(project: Path, words: str, offered: list[str]) -> None:
    assert completions(words, project) == offered


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="who may read everything")
def test_a_path_that_cannot_be_read_is_no_wrong_use(project: Path) -> None:
    (project / "tests/test_a.py").chmod(0)
    assert "error[SCP004]" in scopecheck("tests/test_a.py", cwd=project).stdout


def test_settings(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(file.read_text() + "ignore = ['scope-mismatch']\n")
    assert scopecheck(cwd=project).returncode == 0
    assert scopecheck("--isolated", cwd=project).returncode == 1
    file.write_text(
        file.read_text().replace("ignore = ['scope-mismatch']", "")
        + "[tool.scopecheck.per-file-ignores]\n'tests/conftest.py' = ['SCP1']\n"
    )
    assert scopecheck(cwd=project).returncode == 0


def test_a_wrong_setting_is_named(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(file.read_text() + "selct = ['SCP1']\n")
    result = scopecheck(cwd=project)
    assert result.returncode == 2
    assert result.stderr == (
        "scopecheck: pyproject.toml:4: tool.scopecheck.selct: unknown key; did you mean `select`?\n"
    )


@pytest.mark.parametrize(
    ("folder", "shown"),
    [("", "tests/conftest.py"), ("tests", "conftest.py"), ("src/app", "../../tests/conftest.py")],
)
def test_people_read_paths_from_where_they_are(project: Path, folder: str, shown: str) -> None:
    cwd = project / folder
    result = scopecheck(str(project / "tests"), "--output-format", "concise", cwd=cwd)
    assert result.stdout.startswith(f"{shown}:7:5: ")
    result = scopecheck(str(project / "tests"), "--output-format", "full", cwd=cwd)
    assert f"--> {shown}:7:5\n" in result.stdout
    assert "7 | def engine(settings): ..." in result.stdout


def test_paths_of_a_project_elsewhere_are_whole(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    result = scopecheck(str(project / "tests"), "--output-format", "concise", cwd=elsewhere)
    assert result.stdout.startswith(f"{project / 'tests/conftest.py'}:7:5: ")


def test_exclude_names_a_folder_of_testpaths(project: Path) -> None:
    for pattern in ("tests", "tests/", "/tests"):
        result = scopecheck("--exclude", pattern, "--output-format", "json", cwd=project)
        assert json.loads(result.stdout)["summary"]["files"] == 0, pattern
        assert result.returncode == 0


def test_node_ids_where_pytest_starts_beside_the_project(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project/test_a.py").write_text("def test_a(): ...\n")
    arguments = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    collected = subprocess.run(
        [*arguments, "../project"],
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[0]
    cwd = tmp_path / "here"
    result = scopecheck(
        *("plan", "../project", "--root", "../project", "--output-format", "json"), cwd=cwd
    )
    (item,) = json.loads(result.stdout)["items"]
    assert item["nodeid"] == collected == "project/test_a.py::test_a"


def test_suppressions(project: Path) -> None:
    conftest = project / "tests/conftest.py"
    line = "def engine(settings): ..."
    for comment in ("ignore[scope-mismatch]", "ignore[SCP101] -- on purpose"):
        conftest.write_text(CONFTEST.replace(line, f"{line}  # scopecheck: {comment}"))
        assert scopecheck(cwd=project).returncode == 0
    conftest.write_text(CONFTEST + "x = 1  # scopecheck: ignore[SCP101]\n")
    result = scopecheck("--output-format", "concise", cwd=project)
    assert "[SCP002]" in result.stdout
    assert "[SCP101]" in result.stdout


def test_exit_zero_and_statistics(project: Path) -> None:
    result = scopecheck("--exit-zero", "--statistics", cwd=project)
    assert result.returncode == 0
    counted = result.stdout.splitlines()[-2:]
    assert any(line.split()[0] == "1" and "SCP101" in line for line in counted)


def test_statistics_stand_in_place_of_findings_for_people(project: Path) -> None:
    for options in ([], ["--output-format", "concise"]):
        lines = scopecheck("--statistics", *options, cwd=project).stdout.splitlines()
        assert [line.split()[:2] for line in lines] == [["1", "SCP101"], ["Found", "1"]]


def test_statistics_leave_documents_whole(project: Path) -> None:
    result = scopecheck("--statistics", "--output-format", "json", cwd=project)
    assert [one["code"] for one in json.loads(result.stdout)["findings"]] == ["SCP101"]
    assert result.stderr.startswith("1  SCP101")
    result = scopecheck(
        *("--statistics", "--output-format", "json", "--output-file", "out.json"), cwd=project
    )
    assert json.loads((project / "out.json").read_text())["findings"]
    assert result.stdout.startswith("1  SCP101")


def test_no_path_is_the_folder_one_is_in(project: Path) -> None:
    (project / "tests/api").mkdir()
    (project / "tests/api/test_d.py").write_text("def test_d(nothing_has_it): ...\n")
    concise = ("--output-format", "concise")

    def codes(cwd: Path) -> list[str]:
        lines = scopecheck(*concise, cwd=cwd).stdout.splitlines()[:-1]
        return [line.split("[")[1].split("]")[0] for line in lines]

    assert codes(project) == codes(project / "tests") == ["SCP301", "SCP101"]
    assert codes(project / "tests/api") == ["SCP301"]
    planned = scopecheck("plan", cwd=project / "tests/api").stdout.splitlines()
    assert [line for line in planned if "::" in line] == ["test_d.py::test_d"]
    beside = scopecheck(*concise, cwd=project / "src/app")
    assert beside.stdout.count("[SCP") == 2
    assert ". has no tests below it; analysing the suite ." in beside.stderr


def test_output_files_in_pairs(project: Path) -> None:
    unpaired = ["--output-format", "json", "--output-format", "concise", "--output-file", "a"]
    assert scopecheck(*unpaired, cwd=project).returncode == 2
    arguments = ["--output-format", "json", "--output-file", "a.json"]
    arguments += ["--output-format", "concise", "--output-file", "b.txt"]
    result = scopecheck(*arguments, cwd=project)
    assert (result.returncode, result.stdout) == (1, "")
    assert json.loads((project / "a.json").read_text())["summary"]["findings"] == 1
    assert "SCP101" in (project / "b.txt").read_text()


def test_standard_input_takes_the_place_of_a_file(project: Path) -> None:
    mended = CONFTEST.replace("@pytest.fixture\n", '@pytest.fixture(scope="session")\n')
    arguments = ["-", "--stdin-filename", "tests/conftest.py"]
    assert scopecheck(*arguments, cwd=project, stdin=mended).returncode == 0
    assert scopecheck(*arguments, cwd=project, stdin=CONFTEST).returncode == 1


def test_standard_input_may_be_a_file_that_is_not_saved_yet(project: Path) -> None:
    arguments = ["-", "--output-format", "concise", "--stdin-filename"]
    text = "def test_new(missing, engine): ...\n"
    result = scopecheck(*arguments, "tests/test_new.py", cwd=project, stdin=text)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert [line.partition(" ")[0] for line in lines[:-1]] == [
        "tests/conftest.py:7:5:",
        "tests/test_new.py:1:14:",
    ]
    assert not (project / "tests/test_new.py").exists()
    other = scopecheck(*arguments, "tests/new.txt", cwd=project, stdin=text)
    assert other.returncode == 2
    assert "tests/new.txt: no such file or folder" in other.stderr


def test_every_key_of_other_documents_is_documented(project: Path) -> None:
    _, page = (ROOT / "docs/output.md").read_text("utf-8").split("## Other documents")
    as_json = ("--output-format", "json")
    rule = json.loads(scopecheck("rule", "SCP101", *as_json, cwd=project).stdout)
    config = json.loads(scopecheck("config", *as_json, cwd=project).stdout)
    keys = {*rule, *config, *config["suites"][0]} - {"version"}
    assert {key for key in keys if f"`{key}`" not in page} == set()


def test_a_misspelled_command_is_no_path(project: Path) -> None:
    result = scopecheck("chekc", cwd=project)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "scopecheck: chekc: no such file, folder or command; did you mean `check`?\n"
    )
    result = scopecheck("help", cwd=project)
    assert (result.returncode, result.stdout) == (2, "")
    assert "no such file, folder or command; `scopecheck --help` lists" in result.stderr
    (project / "plans").mkdir()
    assert "did you mean" not in scopecheck("plans", cwd=project).stderr


def test_where_there_is_nothing_to_check(tmp_path: Path) -> None:
    for command in ([], ["plan"]):
        result = scopecheck(*command, cwd=tmp_path)
        assert result.returncode == 0
        assert "no tests were found; `scopecheck config` says where" in result.stderr
        assert "passed" not in result.stdout
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = gone\n")
    (tmp_path / "test_a.py").write_text("def test_a(): assert 1 + 1 == 2\n")
    result = scopecheck(cwd=tmp_path)
    assert result.stderr == (
        "scopecheck: pytest.ini: nothing that `testpaths` names exists (gone); pytest collects the "
        "whole folder\n"
    )


def test_show_files(project: Path) -> None:
    result = scopecheck("--show-files", cwd=project)
    assert result.returncode == 0
    assert result.stdout.split() == ["tests/conftest.py", "tests/test_a.py", "tests/test_b.py"]


def test_github_is_the_default_inside_actions(project: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    actions = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    result = scopecheck(cwd=project, env=actions)
    group, error, *_ = result.stdout.splitlines()
    assert group == "::group::tests/conftest.py: 1 finding"
    assert error.startswith("::error file=tests/conftest.py,line=7,")
    assert summary.read_text().startswith("before\n### scopecheck\n\nFound 1 error in ")
    actions["GITHUB_STEP_SUMMARY"] = str(tmp_path)
    result = scopecheck(cwd=project, env=actions)
    assert result.returncode == 1
    assert "the step's summary cannot be written" in result.stderr


def test_another_format_leaves_the_summary_alone(project: Path, tmp_path: Path) -> None:
    actions = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    result = scopecheck("--output-format", "concise", cwd=project, env=actions)
    assert "::" not in result.stdout
    assert not (tmp_path / "summary.md").exists()


def test_color_only_where_asked(project: Path) -> None:
    assert "\x1b[" not in scopecheck(cwd=project).stdout
    assert "\x1b[" in scopecheck("--color", "always", cwd=project).stdout
    colored = scopecheck(cwd=project, env={"FORCE_COLOR": "1"})
    assert "\x1b[" in colored.stdout
    plain = scopecheck("--color", "never", cwd=project, env={"FORCE_COLOR": "1"})
    assert "\x1b[" not in plain.stdout


def test_a_terminal_is_painted_if_it_can_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert wants_color("auto", Terminal())
    assert not wants_color("auto", io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_color("auto", Terminal())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert wants_color("auto", Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_color("auto", Terminal())


def test_plan_of_one_test(project: Path) -> None:
    result = scopecheck("plan", "tests/test_b.py::test_b", "--output-format", "json", cwd=project)
    assert result.returncode == 0
    (item,) = json.loads(result.stdout)["items"]
    assert item["nodeid"] == "tests/test_b.py::test_b"
    assert [fixture["name"] for fixture in item["fixtures"]] == ["settings", "engine"]
    assert item["errors"] == [
        {
            "kind": "scope-mismatch",
            "fixture": "engine",
            "requests": "settings",
            "message": "ScopeMismatch: You tried to access the function scoped fixture settings "
            "with a session scoped request object.",
        }
    ]


def test_plan_has_what_fixtures_look_up(project: Path) -> None:
    (project / "tests/conftest.py").write_text(f"""\
{CONFTEST}
@pytest.fixture(scope="session")
def pool(request):
    return request.getfixturevalue("settings")

@pytest.fixture(scope="session")
def perhaps(request, pytestconfig):
    if pytestconfig.option.verbose:
        return request.getfixturevalue("settings")
""")
    (project / "tests/test_c.py").write_text(
        "def test_pool(pool): ...\ndef test_both(pool, engine, missing): ...\n"
        "def test_perhaps(perhaps): ...\n"
    )
    result = scopecheck("plan", "tests/test_c.py", "--output-format", "json", cwd=project)
    refused = {
        item["nodeid"].partition("::")[2]: [
            (error["kind"], error["fixture"], error.get("requests")) for error in item["errors"]
        ]
        for item in json.loads(result.stdout)["items"]
    }
    assert refused == {
        "test_pool": [("scope-mismatch", "pool", "settings")],
        "test_both": [
            ("scope-mismatch", "pool", "settings"),
            ("scope-mismatch", "engine", "settings"),
            ("unknown-fixture", "missing", None),
        ],
        "test_perhaps": [],
    }
    shown = scopecheck("plan", "tests/test_c.py::test_pool", cwd=project).stdout
    assert "session scoped request object. (requested by pool)" in shown


def test_plan_for_people(project: Path) -> None:
    result = scopecheck("plan", cwd=project)
    assert result.stdout.splitlines()[:2] == ["tests/test_a.py::test_a", "tests/test_b.py::test_b"]
    assert "    session  engine    tests/conftest.py:7" in result.stdout.splitlines()


def test_plan_for_people_is_about_the_working_directory(project: Path) -> None:
    (project / "tests/api").mkdir()
    (project / "tests/api/test_d.py").write_text("def test_d(engine): ...\n")
    arguments = ("plan", "test_d.py::test_d")
    lines = scopecheck(*arguments, cwd=project / "tests/api").stdout.splitlines()
    assert lines[0] == "test_d.py::test_d"
    assert "    session  engine    ../conftest.py:7" in lines
    costs = scopecheck(*arguments, "--cost", "--if", "engine=module", cwd=project / "tests/api")
    assert "session   engine    ../conftest.py:7\n" in costs.stdout
    assert "`engine` (../conftest.py:7), session-scoped, with module scope:\n" in costs.stdout


def test_costs_of_several_suites_are_told_apart(tmp_path: Path) -> None:
    for name, test in (("a", "def test_a(tmp_path): ...\n"), ("b", "def test_b(): ...\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pytest.ini").write_text("[pytest]\n")
        (tmp_path / name / "test_a.py").write_text(test)
    costs = scopecheck("plan", "--cost", "--isolated", cwd=tmp_path).stdout
    first, second = costs.split("suite b\n\n")
    assert first.startswith("suite a\n\nset-ups   tests  scope ")
    assert second == "no fixture is set up\n\n"


def test_the_documents_show_what_plan_prints(tmp_path: Path) -> None:
    text = (ROOT / "docs/event-loops.md").read_text(encoding="utf-8")
    shown = re.search(r"^\$ scopecheck (plan .+)\n((?s:.+?))^```$", text, re.MULTILINE)
    assert shown is not None
    project = tmp_path / "agent_platform"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".scopecheck_cache"))
    printed = scopecheck(*shown[1].split(), cwd=project, env={"VIRTUAL_ENV": ""}).stdout
    assert printed.strip() == shown[2].strip()


def test_plan_of_several_suites(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pytest.ini").write_text("[pytest]\n")
        (tmp_path / name / "test_a.py").write_text("def test_a(): ...\ndef test_b(tmp_path): ...\n")
    lines = scopecheck("plan", cwd=tmp_path).stdout.splitlines()
    assert [line for line in lines if line.startswith("suite")] == ["suite a", "suite b"]


def test_rule_pages(project: Path) -> None:
    listed = scopecheck("rule", cwd=project).stdout.splitlines()
    assert any(line.startswith("SCP101  scope-mismatch ") for line in listed)
    for selector in ("SCP101", "scope-mismatch"):
        page = scopecheck("rule", selector, cwd=project)
        assert page.stdout == (ROOT / "rules/scope-mismatch.md").read_text()
    family = scopecheck("rule", "SCP2", cwd=project).stdout.splitlines()
    assert len(family) > 1
    assert [line.split()[:2] for line in family] == [
        line.split()[:2] for line in listed if line.startswith("SCP2")
    ]
    document = scopecheck("rule", "SCP101", "--output-format", "json", cwd=project)
    assert json.loads(document.stdout)["name"] == "scope-mismatch"
    unknown = scopecheck("rule", "scope-mismtch", cwd=project)
    assert unknown.returncode == 2
    assert "did you mean 'scope-mismatch'?" in unknown.stderr


def test_config_says_which_and_why(project: Path) -> None:
    result = scopecheck("config", "--output-format", "json", cwd=project)
    document = json.loads(result.stdout)
    (suite,) = document["suites"]
    assert suite["inifile"] == "pyproject.toml"
    assert suite["arguments"] == ["tests"]
    assert document["settings"]["respect-gitignore"] == {"value": True, "origin": "default"}
    text = scopecheck("config", cwd=project).stdout
    assert "pyproject.toml: it has tool.pytest.ini_options" in text
    (project / "requirements.txt").write_text("pytest>=8,<9\n")
    text = scopecheck("config", cwd=project).stdout
    assert "suite .: 2 test files, 1 conftest\n" in text
    assert re.search(r"pytest +8\.\d+\.\d+ \(the newest that requirements.txt:1 allows\)", text)
    schema = json.loads(scopecheck("config", "--schema", cwd=project).stdout)
    assert "per-file-ignores" in json.dumps(schema)


def test_node_ids_can_be_given_to_pytest_where_they_are_printed(tmp_path: Path) -> None:
    """Two suites below one root, with tests of the same name."""
    (tmp_path / "pyproject.toml").write_text("[tool.scopecheck]\n")
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "tests").mkdir(parents=True)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "tests/test_a.py").write_text("def test_a(engine): assert engine\n")
    for here in (".", "one", "one/tests", "two"):
        cwd = tmp_path / here
        options = ("--no-cache", "--output-format", "full", "--select", "SCP101")
        shown = scopecheck("check", "--root", str(tmp_path), *options, str(tmp_path), cwd=cwd)
        ids = re.findall(r"^affects: (.*)", shown.stdout, re.MULTILINE)
        assert len(set(ids)) == 2
        for number, each in enumerate(ids):
            path = each.partition("::")[0]
            suite = ("one", "two")[number]
            assert (cwd / path).resolve() == (tmp_path / suite / "tests/test_a.py").resolve()
        assert here != "one" or ids[0] == "tests/test_a.py::test_a"


@pytest.mark.skipif(os.name == "nt", reason="asks for a terminal of its own")
@pytest.mark.parametrize(
    ("environment", "paged"),
    [
        ({"PAGER": "cat -n"}, True),
        ({"PAGER": "cat -n", "NO_COLOR": "1"}, True),
        ({"PAGER": "cat -n", "LINES": "9999"}, False),
        ({"PAGER": "cat"}, False),
        ({"PAGER": ""}, False),
    ],
)
def test_a_long_page_goes_through_a_pager(environment: dict[str, str], paged: bool) -> None:
    shown = on_terminal("rule", "scope-mismatch", **{"LINES": "24", **environment})
    first = next(line for line in shown.splitlines() if "scope-mismatch" in line)
    assert first.lstrip().startswith("1\t") is paged
    assert "SCP101" in shown
    assert ("\x1b[" in shown) is ("NO_COLOR" not in environment)


@pytest.mark.skipif(os.name == "nt", reason="asks for a terminal of its own")
def test_headlines_are_wrapped_on_a_terminal_alone(tmp_path: Path) -> None:
    name = "a_fixture_with_a_name_that_is_rather_long"
    (tmp_path / "test_a.py").write_text(
        "import pytest\n"
        f"@pytest.fixture\ndef {name}_for_one(): return 1\n"
        f"@pytest.fixture(scope='session')\ndef {name}({name}_for_one): return 1\n"
        f"def test_a({name}): assert {name}\n"
    )
    options = ("check", "--isolated", "--no-cache", str(tmp_path), "--root", str(tmp_path))
    whole = scopecheck(*options, "--output-format", "full", cwd=tmp_path).stdout.splitlines()[0]
    assert len(whole) > 80
    lines = on_terminal(*options, NO_COLOR="1").splitlines()
    end = next(number for number, line in enumerate(lines) if line.lstrip().startswith("-->"))
    assert all(len(line) <= 80 for line in lines[:end])
    assert " ".join(line.strip() for line in lines[:end]) == whole


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a command shows on a terminal of 80 columns."""
    import fcntl
    import pty
    import termios

    own, given = pty.openpty()
    fcntl.ioctl(given, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    variables = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "scopecheck", *arguments],
        env={**variables, "TERM": "xterm", "COLUMNS": "80", **environment},
        stdin=given,
        stdout=given,
        stderr=given,
    )
    os.close(given)
    shown = b""
    # Linux tells the end by an error, others by nothing.
    with contextlib.suppress(OSError):
        while more := os.read(own, 65536):
            shown += more
    os.close(own)
    assert process.wait(timeout=60) in (0, 1)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("arguments", [["--version"], ["rule", "SCP101"], ["check", "."]])
def test_what_starting_up_does_not_load(project: Path, arguments: list[str]) -> None:
    (project / "tests/conftest.py").write_text("")
    for name in ("a", "b"):
        (project / f"tests/test_{name}.py").write_text("def test_x(): ...\n")
    code = (
        "import sys; sys.argv[1:] = sys.argv[1:]\n"
        "from scopecheck.cli import run\n"
        "status = run()\n"
        "print(*sorted(sys.modules), file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0
    names = set(result.stderr.split())
    assert not names & {"scopecheck.baseline", "scopecheck.since", "scopecheck.report.sarif"}
    loaded = {name.partition(".")[0] for name in names}
    unused = {"json", "libcst", "rich", "pathspec", "multiprocessing", "concurrent", "asyncio"}
    if sys.version_info >= (3, 11):
        # In Python 3.10 `uuid`, which click needs, has it.
        unused.add("subprocess")
    assert not loaded & unused


def test_finding_of_a_file_in_two_suites_is_told_once(tmp_path: Path) -> None:
    tests = tmp_path / "package/tests"
    tests.mkdir(parents=True)
    (tests / "test_a.py").write_text('def test_a():\n    assert "a"\n', encoding="utf-8")
    for folder, name in ((tmp_path, "package/tests"), (tmp_path / "package", "tests")):
        settings = f'[tool.pytest.ini_options]\ntestpaths = ["{name}"]\n'
        (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    result = scopecheck("--isolated", "--root", ".", ".", "--output-format", "json", cwd=tmp_path)
    (found,) = json.loads(result.stdout)["findings"]
    assert found["code"] == "SCP602"
