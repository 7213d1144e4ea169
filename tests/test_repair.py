"""Fixes: made in rounds, proved by linking again, and dropped where they do not hold."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from on_disk import scopecheck, write

from scopecheck import repair as repairing
from scopecheck.config import Settings
from scopecheck.finding import Edit
from scopecheck.fix.edits import Withheld, apply
from scopecheck.fix.names import spell
from scopecheck.project import Project
from scopecheck.repair.bench import Offer
from scopecheck.run import analyse, repair
from scopecheck.source import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scopecheck.finding import Fault
    from scopecheck.fix.diff import Change
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.repair.rounds import Repaired
    from scopecheck.suite import Suite

VERSIONS = {"pytest": "8.4", "pytest-asyncio": "1.1.0"}
MARKED = """\
import pytest


@pytest.mark.slow
@pytest.fixture
def {name}():
    return 1


def test_{name}({name}):
    assert {name}
"""


pytestmark = pytest.mark.usefixtures("no_environment")


def mended(
    folder: Path, files: dict[str, str | bytes], *, unsafe: bool = False, **stated: object
) -> Repaired:
    write(folder, files)
    settings = Settings(plugins=VERSIONS, **stated)  # type: ignore[arg-type]
    project = Project(folder, settings, 1)
    return repair([], project=project, settings=settings, unsafe=unsafe)


def after(repaired: Repaired, path: str) -> str:
    return next(change.after for change in repaired.changes if change.path == path).decode()


def test_nothing_is_written_by_a_repair(tmp_path: Path) -> None:
    text = MARKED.format(name="one")
    repaired = mended(tmp_path, {"test_one.py": text})
    assert repaired.fixed == {("SCP309", "marked-fixture"): 1}
    assert after(repaired, "test_one.py") == text.replace("@pytest.mark.slow\n", "")
    assert (tmp_path / "test_one.py").read_text() == text


def test_what_is_not_asked_for_is_not_mended(tmp_path: Path) -> None:
    repaired = mended(tmp_path, {"test_one.py": MARKED.format(name="one")}, ignore=["SCP309"])
    assert (repaired.changes, repaired.asked) == ([], ())


def test_a_silenced_finding_is_not_mended(tmp_path: Path) -> None:
    text = MARKED.format(name="one").replace("slow", "slow  # scopecheck: ignore[SCP309]")
    assert not mended(tmp_path, {"test_one.py": text}).changes


def test_a_suppression_goes_when_a_fix_makes_it_needless(tmp_path: Path) -> None:
    text = """\
import pytest


@pytest.mark.asyncio(scope="module")  # scopecheck: ignore[SCP309]
async def test_a():
    assert True is not None
"""
    repaired = mended(tmp_path, {"test_one.py": text})
    assert after(repaired, "test_one.py") == text.replace("scope=", "loop_scope=").replace(
        "  # scopecheck: ignore[SCP309]", ""
    )


def fixer(
    monkeypatch: pytest.MonkeyPatch, write: Callable[[Workspace, Fault], None], title: str = "x"
) -> None:
    """Let all findings be mended by this."""

    def make(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
        yield Offer(title, "safe", lambda workspace: write(workspace, fault))

    monkeypatch.setattr(repairing, "find", lambda code, name: make)  # noqa: ARG005


def unmark(workspace: Workspace, fault: Fault) -> None:
    for place in fault.related:
        workspace.editor(place.path).remove_lines(place.span.line, place.span.end_line)


FOUR = {f"test_{name}.py": MARKED.format(name=name) for name in ("a", "b", "c", "d")}


def test_a_fix_that_leaves_its_finding_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(workspace: Workspace, fault: Fault) -> None:
        if fault.place.path == "test_c.py":
            workspace.editor("test_c.py").insert(1, "# nothing is mended\n")
        else:
            unmark(workspace, fault)

    fixer(monkeypatch, write, "do nothing")
    repaired = mended(tmp_path, {**FOUR})
    assert [change.path for change in repaired.changes] == ["test_a.py", "test_b.py", "test_d.py"]
    assert repaired.dropped == [
        "test_c.py:6: SCP309: not fixed (do nothing): its finding would still be there"
    ]


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        (
            "\n\n@pytest.fixture(scope='module')\ndef wide(c):\n    return c\n\n\n"
            "def test_wide(wide):\n    assert wide\n",
            "it would bring SCP101 at test_c.py:",
        ),
        ("\n\ndel test_c\n", "test_c.py::test_c would not be collected any more"),
        ("\n\ndef broken(\n", "the result would be no Python"),
    ],
)
def test_a_fix_that_brings_something_new_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, added: str, reason: str
) -> None:
    def write(workspace: Workspace, fault: Fault) -> None:
        unmark(workspace, fault)
        if fault.place.path == "test_c.py":
            editor = workspace.editor("test_c.py")
            editor.insert(editor.text.line_count + 1, added)

    fixer(monkeypatch, write)
    repaired = mended(tmp_path, {**FOUR})
    assert [change.path for change in repaired.changes] == ["test_a.py", "test_b.py", "test_d.py"]
    (line,) = repaired.dropped
    assert line.startswith(f"test_c.py:6: SCP309: not fixed (x): {reason}")


def test_a_rule_that_is_not_selected_proves_fixes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(workspace: Workspace, fault: Fault) -> None:
        unmark(workspace, fault)
        editor = workspace.editor(fault.place.path)
        editor.insert(editor.text.line_count + 1, "\n\ndef test_lost(nowhere): ...\n")

    fixer(monkeypatch, write)
    repaired = mended(tmp_path, {"test_a.py": FOUR["test_a.py"]}, select=["SCP309"])
    assert not repaired.changes
    assert "it would bring SCP301" in repaired.dropped[0]


def test_edits_in_several_files_are_made_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(workspace: Workspace, fault: Fault) -> None:
        unmark(workspace, fault)
        workspace.editor("helpers.py").insert(1, "# one more\n")
        if fault.place.path == "test_b.py":
            raise Withheld("it cannot be told")

    fixer(monkeypatch, write)
    repaired = mended(tmp_path, {**FOUR, "helpers.py": "A = 1\n"})
    assert [change.path for change in repaired.changes] == [
        "helpers.py",
        "test_a.py",
        "test_c.py",
        "test_d.py",
    ]
    assert repaired.dropped == ["test_b.py:6: SCP309: not fixed (x): it cannot be told"]
    assert after(repaired, "helpers.py") == "# one more\nA = 1\n", "one edit that three fixes share"


def test_fixes_that_touch_the_same_text_go_in_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(workspace: Workspace, fault: Fault) -> None:
        unmark(workspace, fault)
        editor = workspace.editor("helpers.py")
        editor.replace(Span(1, 1, 1, 2), f"{editor.slice(Span(1, 1, 1, 2))}{fault.place.path[5]}")

    fixer(monkeypatch, write)
    repaired = mended(tmp_path, {**FOUR, "helpers.py": "x = 1\n"})
    assert after(repaired, "helpers.py") == "xdcba = 1\n"
    assert sum(repaired.fixed.values()) == 4


def test_an_import_goes_when_all_fixes_of_a_file_together_make_it_needless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import helpers\nimport pytest\n" + "".join(
        MARKED.format(name=name).replace("import pytest\n", "").replace("slow", "slow(helpers.A)")
        for name in ("a", "b")
    )
    fixer(monkeypatch, unmark)
    repaired = mended(tmp_path, {"test_a.py": text, "helpers.py": "A = 1\n"})
    assert after(repaired, "test_a.py") == text.replace(
        "@pytest.mark.slow(helpers.A)\n", ""
    ).replace("import helpers\n", "")


@pytest.mark.parametrize(
    ("block", "left"),
    [
        ("    import abc\n    import helpers\n", "    import abc\n"),
        (
            "    import abc\n    from helpers import A, B\n",
            "    import abc\n    from helpers import B\n",
        ),
        ("    import helpers\n", "    import helpers\n"),
    ],
)
def test_an_import_for_annotations_goes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str, left: str
) -> None:
    name = "A" if "A" in block else "helpers"
    head = "from typing import TYPE_CHECKING\n\nimport pytest\n\nif TYPE_CHECKING:\n"
    test = MARKED.format(name="a").removeprefix("import pytest\n").replace("slow", f"slow({name})")
    text = f"{head}{block}{test}"
    fixer(monkeypatch, unmark)
    repaired = mended(tmp_path, {"test_a.py": text, "helpers.py": "A = B = 1\n"})
    gone = f"@pytest.mark.slow({name})\n"
    assert after(repaired, "test_a.py") == text.replace(block, left).replace(gone, "")


def test_an_import_that_one_fix_drops_and_another_one_uses_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import helpers\n" + MARKED.format(name="a").replace("slow", "slow(helpers.A)")
    text += MARKED.format(name="b").removeprefix("import pytest\n")

    def write_use(workspace: Workspace, fault: Fault) -> None:
        unmark(workspace, fault)
        if fault.symbol.endswith("::b"):
            editor = workspace.editor("test_a.py")
            use = spell(workspace, "test_a.py", "helpers", "A")
            editor.insert(editor.text.line_count + 1, f"\n\nKEPT = {use}\n")

    fixer(monkeypatch, write_use)
    repaired = mended(tmp_path, {"test_a.py": text, "helpers.py": "A = 1\n"})
    assert sum(repaired.fixed.values()) == 2
    assert "import helpers\n" in after(repaired, "test_a.py")
    assert "KEPT = helpers.A\n" in after(repaired, "test_a.py")


def test_an_unsafe_fix_is_made_only_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
        yield Offer("x", "unsafe", lambda workspace: unmark(workspace, fault))

    monkeypatch.setattr(repairing, "find", lambda code, name: make)  # noqa: ARG005
    files: dict[str, str | bytes] = {"test_a.py": FOUR["test_a.py"]}
    repaired = mended(tmp_path, files)
    assert not repaired.changes
    assert [fix.applicability for fix in repaired.left[0].fault.fixes] == ["unsafe"]
    assert mended(tmp_path, files, unsafe=True).changes


def test_the_next_fix_is_tried_where_the_first_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
        yield Offer("one", "safe", lambda ws: ws.editor("test_a.py").insert(1, "# nothing\n"))
        yield Offer("two", "safe", lambda workspace: unmark(workspace, fault))

    monkeypatch.setattr(repairing, "find", lambda code, name: make)  # noqa: ARG005
    repaired = mended(tmp_path, {"test_a.py": FOUR["test_a.py"]})
    assert after(repaired, "test_a.py") == FOUR["test_a.py"].replace("@pytest.mark.slow\n", "")
    assert repaired.dropped == [
        "test_a.py:6: SCP309: fixed, though not so (one): its finding would still be there"
    ]


def test_edits_of_a_report_are_those_of_the_fix(tmp_path: Path) -> None:
    text = MARKED.format(name="one")
    write(tmp_path, {"test_one.py": text})
    settings = Settings(plugins=VERSIONS)
    (finding,) = analyse([tmp_path], root=tmp_path, settings=settings, edits=True).findings
    (fix,) = finding.fault.fixes
    assert fix.title == "remove the mark from the fixture"
    assert apply(text, fix.edits) == text.replace("@pytest.mark.slow\n", "")


def test_a_fix_that_cannot_be_made_is_in_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_nothing(workspace: Workspace, fault: Fault) -> None:  # noqa: ARG001
        raise Withheld("no")

    fixer(monkeypatch, write_nothing)
    write(tmp_path, {"test_one.py": MARKED.format(name="one")})
    settings = Settings(plugins=VERSIONS)
    offered = analyse([tmp_path], root=tmp_path, settings=settings)
    made = analyse([tmp_path], root=tmp_path, settings=settings, edits=True)
    assert (offered.summary.fixable, made.summary.fixable) == (1, 0)


CONFIG = '[tool.scopecheck.plugins]\npytest = "8.4"\npytest-asyncio = "1.1.0"\n'
WAITS = "async def test_one():\n    assert 1 + 1 == 2\n"


def test_fix_writes_and_tells_what_it_mended(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": MARKED.format(name="a")})
    write(tmp_path, {"test_b.py": WAITS})
    done = scopecheck("--fix", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "scopecheck: fixed 2 findings in 2 files:",
        "  1  SCP205  unhandled-async-test",
        "  1  SCP309  marked-fixture",
    ]
    assert done.stdout.startswith("All checks passed")
    assert (tmp_path / "test_b.py").read_text() == (
        f"import pytest\n\n\n@pytest.mark.asyncio\n{WAITS}"
    )
    again = scopecheck("--fix", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "scopecheck: fixed nothing\n")


def test_what_is_left_is_reported(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": MARKED.format(name="a")})
    write(tmp_path, {"test_b.py": "def test_b(nowhere): ...\n"})
    done = scopecheck("--fix", "--output-format", "json", cwd=tmp_path)
    assert done.returncode == 1
    assert [finding["code"] for finding in json.loads(done.stdout)["findings"]] == ["SCP301"]


def test_diff_is_what_git_applies(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": CONFIG, "deep/test_a.py": MARKED.format(name="a")})
    write(tmp_path, {"deep/test_b.py": WAITS.replace("\n", "\r\n")})
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "scopecheck", "--diff", "deep"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert shown.returncode == 1
    assert (tmp_path / "deep/test_b.py").read_bytes() == WAITS.replace("\n", "\r\n").encode()
    assert b"would fix 2 findings in 2 files" in shown.stderr
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=shown.stdout, check=True)
    assert (
        (tmp_path / "deep/test_b.py").read_bytes().startswith(b"import pytest\r\n\r\n\r\n@pytest")
    )
    again = scopecheck("--diff", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "")


def test_diff_of_standard_input(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": "def test_a(): ...\n"})
    arguments = ["-", "--stdin-filename", "test_a.py", "--diff"]
    shown = scopecheck(*arguments, cwd=tmp_path, stdin=WAITS)
    assert "+@pytest.mark.asyncio\n async def test_one():\n" in shown.stdout
    assert (tmp_path / "test_a.py").read_text() == "def test_a(): ...\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--unsafe-fixes"], "--unsafe-fixes goes with --fix or --diff"),
        (["--fix", "-", "--stdin-filename", "x.py"], "--fix does not go with standard input"),
        (["--diff", "--output-format", "json"], "--diff prints a diff"),
        (["--diff", "--add-ignore"], "--diff prints a diff"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    write(tmp_path, {"test_a.py": "def test_a(): ...\n"})
    done = scopecheck(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


def test_what_fix_leaves_goes_into_the_baseline(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": MARKED.format(name="a")})
    write(tmp_path, {"test_b.py": "def test_b(nowhere): ...\n"})
    done = scopecheck("--fix", "--update-baseline", "--baseline", "known.json", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "known.json").read_text().count('"rule"') == 1


def test_what_the_code_under_test_sets_is_no_statement_of_the_test_to_mend(tmp_path: Path) -> None:
    app = "import os\n\n\ndef start(name):\n    os.environ['APP'] = name\n"
    test = "import app\n\n\ndef test_start():\n    app.start('a')\n    assert app.start\n"
    write(tmp_path, {"app.py": app, "test_app.py": test})
    done = scopecheck("--output-format", "concise", cwd=tmp_path)
    assert "SCP405" in done.stdout
    assert "[*]" not in done.stdout


def test_reports_offer_fixes_without_libcst(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": MARKED.format(name="a")})
    write(tmp_path, {"test_b.py": WAITS})
    program = (
        "import sys\nfrom scopecheck.cli import cli\n"
        "try: cli.main(['check', '--output-format', sys.argv[1]], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print('libcst' in sys.modules)"
    )
    for name, loaded in (("concise", "False"), ("full", "False"), ("json", "True")):
        done = subprocess.run(
            [sys.executable, "-c", program, name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == loaded, name


@pytest.mark.parametrize(
    ("encoding", "bom", "newline", "ended"),
    [
        ("utf-8", b"", "\n", True),
        ("utf-8", b"\xef\xbb\xbf", "\r\n", True),
        ("latin-1", b"", "\r\n", False),
        ("cp1252", b"", "\n", False),
        ("utf-8", b"", "\r", True),
    ],
)
def test_bytes_outside_of_the_fix_stay(
    tmp_path: Path, encoding: str, bom: bytes, newline: str, ended: bool
) -> None:
    text = f"# coding: {encoding}\nwords = 'é'\t\n{MARKED.format(name='a')}"
    text = (text if ended else text.removesuffix("\n")).replace("\n", newline)
    gone = f"@pytest.mark.slow{newline}"
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": bom + text.encode(encoding)})
    path = tmp_path / "test_a.py"
    path.chmod(0o640)
    assert scopecheck("--fix", cwd=tmp_path).returncode == 0
    assert path.read_bytes() == bom + text.replace(gone, "").encode(encoding)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_and_its_file_is_mended(tmp_path: Path) -> None:
    text = MARKED.format(name="a")
    write(tmp_path, {"pyproject.toml": CONFIG, "shared/real.py": text})
    (tmp_path / "test_a.py").symlink_to("shared/real.py")
    assert scopecheck("--fix", cwd=tmp_path).returncode == 0
    assert (tmp_path / "test_a.py").is_symlink()
    assert (tmp_path / "shared/real.py").read_text() == text.replace("@pytest.mark.slow\n", "")


def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": MARKED.format(name="a")})
    write(tmp_path, {"test_b.py": WAITS})
    (tmp_path / "test_a.py").chmod(0o444)
    done = scopecheck("--fix", cwd=tmp_path)
    assert done.returncode == 2
    assert "test_a.py is read-only: it is not written" in done.stderr
    assert (tmp_path / "test_b.py").read_text() == WAITS, "none is written"


def test_a_link_that_leads_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    write(tmp_path, {"inside/pyproject.toml": CONFIG, "outside.py": MARKED.format(name="a")})
    (inside / "test_a.py").symlink_to("../outside.py")
    done = scopecheck("--fix", cwd=inside)
    assert done.returncode == 2
    assert "leads out of" in done.stderr
    assert (tmp_path / "outside.py").read_text() == MARKED.format(name="a")


def test_a_file_that_changes_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scopecheck import status
    from scopecheck.commands import check
    from scopecheck.commands.options import CheckOptions
    from scopecheck.fix import files

    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": MARKED.format(name="a")})
    monkeypatch.chdir(tmp_path)
    real = files.write

    def late(root: Path, changes: list[Change]) -> None:
        (tmp_path / "test_a.py").write_text("# typed meanwhile\n")
        real(root, changes)

    monkeypatch.setattr(files, "write", late)
    with pytest.raises(status.Refused, match="has changed since it was read"):
        check.run([], CheckOptions(fix=True))
    assert (tmp_path / "test_a.py").read_text() == "# typed meanwhile\n"


def test_wrong_facts_from_the_last_run_do_not_stop_a_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scopecheck import run
    from scopecheck.commands import check
    from scopecheck.commands.options import CheckOptions

    text = MARKED.format(name="a")
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": text})
    monkeypatch.chdir(tmp_path)
    real = run.repair

    def stop(*arguments: Any, project: Project, **options: Any) -> Repaired:
        if project.cache is not None:
            raise IndexError("a function that is not there")
        return real(*arguments, project=project, **options)

    monkeypatch.setattr(run, "repair", stop)
    assert check.run([], CheckOptions(fix=True)) == 0
    assert (tmp_path / "test_a.py").read_text() == text.replace("@pytest.mark.slow\n", "")


@pytest.mark.parametrize("damage", ["random", "short", "a file in its place"])
def test_a_damaged_cache_does_not_stop_a_repair(tmp_path: Path, damage: str) -> None:
    text = MARKED.format(name="a")
    write(tmp_path, {"pyproject.toml": CONFIG, "test_a.py": text})
    scopecheck(cwd=tmp_path)
    cache = tmp_path / ".scopecheck_cache"
    assert (cache / "facts").is_file()
    if damage == "a file in its place":
        shutil.rmtree(cache)
        cache.write_text("no folder")
    else:
        for file in cache.iterdir():
            data = file.read_bytes()
            file.write_bytes(data[:-7] if damage == "short" else os.urandom(len(data)))
    done = scopecheck("--fix", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "test_a.py").read_text() == text.replace("@pytest.mark.slow\n", "")


def test_a_finding_may_be_mended_by_edits_to_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_edit(workspace: Workspace, fault: Fault) -> None:  # noqa: ARG001
        editor = workspace.editor("pytest.ini")
        editor.edits.append(Edit("pytest.ini", Span(2, 1, 2, 1), "asyncio_mode = auto\n"))

    fixer(monkeypatch, write_edit)
    repaired = mended(tmp_path, {"pytest.ini": "[pytest]\n", "test_a.py": WAITS})
    assert after(repaired, "pytest.ini") == "[pytest]\nasyncio_mode = auto\n"
    assert not repaired.left
