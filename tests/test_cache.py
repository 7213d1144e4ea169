"""The cache: it gives what a run without it gives, whatever changed, and whatever became of it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scopecheck import disk, readings
from scopecheck.cache import Cache, CacheFolder, folder
from scopecheck.cache.packed import pack, unpack
from scopecheck.checked import Looked, checked
from scopecheck.config import Settings
from scopecheck.disk import digest_of
from scopecheck.project import Project
from scopecheck.rulebook import default_rules
from scopecheck.run import analyse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scopecheck.facts import FileFacts
    from scopecheck.finding import Finding

EXAMPLES = Path(__file__).parent.parent / "examples"
CONFTEST = """import pytest

@pytest.fixture
def narrow(): ...

@pytest.fixture(scope="session")
def wide(narrow): ...
"""
FILES = {
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = ''\n",
    "tests/conftest.py": CONFTEST,
    "tests/test_a.py": "from helpers import value\ndef test_a(wide): ...\n",
    "tests/api/test_b.py": "import tests_support\ndef test_b(other): ...\n",
    "tests/helpers.py": "value = 1\n",
}


def project(root: Path, *, cached: bool = True) -> Project:
    cache = Cache(root / ".scopecheck_cache", root) if cached else None
    return Project(root, Settings(), 1, cache)


def found(made: Project) -> tuple[list[Finding], Any]:
    analysis = analyse([], root=made.root, settings=made.settings, project=made)
    if made.cache is not None:
        assert made.cache.save() == ""
    return list(analysis.findings), msgspec.structs.replace(analysis.summary, elapsed_s=0.0)


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scopecheck", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60, **options
    )


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times alone tell whether a file changed, however shortly before it was looked at."""
    monkeypatch.setattr(disk, "_TICK_NS", 0)


@pytest.mark.parametrize("name", ["agent_platform", "agent_platform_repaired"])
def test_examples_are_the_same_three_times(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    shutil.copytree(EXAMPLES / name, root, ignore=shutil.ignore_patterns(".*"))
    plain = found(project(root, cached=False))
    assert [found(project(root)) for _ in range(3)] == [plain] * 3


def test_output_is_the_same_byte_for_byte(suite: Path) -> None:
    def shown(*arguments: str) -> tuple[int, str, str]:
        result = run(suite, "--output-format", "sarif", *arguments)
        return result.returncode, result.stdout, result.stderr

    plain = shown("--no-cache")
    assert plain[0] == 1
    assert not (suite / ".scopecheck_cache").exists()
    assert [shown(), shown(), shown("--jobs", "2")] == [plain] * 3
    assert (suite / ".scopecheck_cache/facts").is_file()


def test_a_warm_run_links_nothing(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = found(project(suite))
    monkeypatch.setattr(Project, "link", None)
    monkeypatch.setattr("scopecheck.loader.read_file", None)
    assert found(project(suite)) == before


def test_unchanged_files_are_not_read_again(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(project(suite))
    (suite / "tests/test_a.py").write_text("def test_changed(wide): ...\n")
    read: list[str] = []

    def spied(root: Path, path: str) -> readings.Reading:
        read.append(path)
        return original(root, path)

    original = readings.read_file
    monkeypatch.setattr("scopecheck.loader.read_file", spied)
    found(project(suite))
    assert read == ["tests/test_a.py"]


def test_facts_are_the_same_packed_and_unpacked() -> None:
    for file in sorted(EXAMPLES.rglob("*.py")):
        facts = readings.read_file(EXAMPLES, str(file.relative_to(EXAMPLES))).facts
        assert unpack(pack(facts)) == facts


def test_facts_kept_are_decoded_one_by_one(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(project(suite))
    (suite / "tests/test_a.py").write_text("def test_changed(wide): ...\n")
    decoded: list[str] = []

    def spied(data: bytes | memoryview) -> FileFacts:
        facts = unpack(data)
        decoded.append(facts.path)
        return facts

    monkeypatch.setattr("scopecheck.cache.facts.unpack", spied)
    cache = project(suite).cache
    assert cache is not None
    assert {name for name in FILES if name.endswith(".py")} == set(cache.facts.paths)
    before = cache.facts.kept("tests/test_a.py")
    assert before is not None
    assert before.functions[0].name == "test_a"
    assert decoded == ["tests/test_a.py"]
    assert cache.facts.digest("tests/test_a.py") == digest_of(FILES["tests/test_a.py"].encode())
    assert cache.facts.kept("tests/test_none.py") is None
    assert cache.facts.digest("tests/test_none.py") is None


def _write(path: str, text: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    return change


def _same_size_and_time(root: Path) -> None:
    file = root / "tests/conftest.py"
    state = file.stat()
    file.write_text(CONFTEST.replace('"session"', '"package"').replace("narrow", "wonarr"))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


def _file_becomes_folder(root: Path) -> None:
    (root / "tests/helpers.py").unlink()
    (root / "tests/helpers").mkdir()


def _install(root: Path) -> None:
    site = root / ".venv/lib/python3.12/site-packages"
    info = site / "plug-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "pytest-9.0.0.dist-info").mkdir()
    (info / "entry_points.txt").write_text("[pytest11]\nplug = plug\n")
    (site / "plug.py").write_text("import pytest\n@pytest.fixture\ndef other(): ...\n")


CHANGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "edit": _write("tests/conftest.py", CONFTEST.replace("session", "function")),
    "edit of the same size and time": _same_size_and_time,
    "conftest added": _write("tests/api/conftest.py", CONFTEST.replace("wide", "other")),
    "root conftest added": _write("conftest.py", CONFTEST.replace("wide", "other")),
    "test added": _write("tests/test_c.py", "def test_c(nothing): ...\n"),
    "folder added": _write("tests/deep/test_c.py", "def test_c(nothing): ...\n"),
    "missing module added": _write("tests_support.py", "value = 1\n"),
    "missing package added": _write("tests/api/tests_support/__init__.py", ""),
    "package marked": _write("tests/api/__init__.py", ""),
    "test removed": lambda root: (root / "tests/test_a.py").unlink(),
    "helper removed": lambda root: (root / "tests/helpers.py").unlink(),
    "helper becomes a folder": _file_becomes_folder,
    "helper renamed": lambda root: (root / "tests/helpers.py").rename(root / "tests/helped.py"),
    "broken": _write("tests/test_a.py", "def test_a(:\n"),
    "ignored by git": _write(".gitignore", "tests/api/\n"),
    "missing module ignored by git": _write(".gitignore", "tests_support.py\n"),
    "pytest configured": _write("pytest.ini", "[pytest]\npython_functions = none\n"),
    "suppressed": _write("tests/conftest.py", CONFTEST + "# scopecheck: ignore[SCP101]\n"),
    "plugin installed": _install,
    "plugin stated": _write("requirements.txt", "pytest==9.0.0\npytest-mock\n"),
    "a use elsewhere": _write("scripts/test_more.py", "import pytest\n'narrow wide other'\n"),
    "a script runs pytest": _write("Makefile", "test:\n\tpytest -p other --asyncio-mode=auto\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.usefixtures("settled")
def test_every_change_is_seen_by_its_time(suite: Path, change: Callable[[Path], object]) -> None:
    test_every_change_is_seen(suite, change)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_seen(suite: Path, change: Callable[[Path], object]) -> None:
    before = found(project(suite))
    change(suite)
    plain = found(project(suite, cached=False))
    assert found(project(suite)) == plain
    if change is CHANGES["nothing"]:
        assert plain == before
    assert found(project(suite)) == plain


def test_other_rules_have_other_results(suite: Path) -> None:
    everything = run(suite, "--output-format", "concise").stdout
    some = run(suite, "--output-format", "concise", "--select", "SCP301").stdout
    assert "SCP101" in everything
    assert "SCP101" not in some
    assert "SCP301" in some


def test_named_paths_share_a_result(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(project(suite))
    monkeypatch.setattr(Project, "link", None)
    made = project(suite)
    analysis = analyse(
        [suite / "tests/api/test_b.py"], root=suite, settings=Settings(), project=made
    )
    assert {one.fault.place.path for one in analysis.findings} == {"tests/api/test_b.py"}


@pytest.mark.parametrize("name", ["agent_platform", "suite"])
def test_all_that_is_looked_at_is_noted(
    suite: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linking and checking look at the disk in no other way than by `scopecheck.disk`."""
    root = suite if name == "suite" else suite.parent / name
    if name != "suite":
        shutil.copytree(EXAMPLES / name, root, ignore=shutil.ignore_patterns(".*"))
    _install(root)
    made = project(root, cached=False)
    looked_at: set[str] = set()
    opened: set[str] = set()

    def spy(function: Callable[..., Any], paths: set[str]) -> Callable[..., Any]:
        def spied(path: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(path, (str, os.PathLike)):
                paths.add(os.path.normpath(os.fspath(path)))
            return function(path, *arguments, **options)

        return spied

    with disk.noting() as notes:
        files = made.files([])
        plugins = [made.plugins(one) for one in files]
        with monkeypatch.context() as patched:
            for function in ("stat", "lstat", "scandir", "listdir"):
                patched.setattr(os, function, spy(getattr(os, function), looked_at))
            patched.setattr("builtins.open", spy(open, opened))
            patched.setattr(io, "open", spy(open, opened))
            patched.setattr(os, "open", spy(os.open, opened))
            for one, its in zip(files, plugins, strict=True):
                _check_all(made, one, its)
    noted = {os.path.normpath(path) for path in (*notes.files, *notes.folders, *notes.kinds)}
    inside = {path for path in looked_at if path.startswith(f"{root}{os.sep}")}
    # Whether a folder's entry is a link is asked for after the folder was listed.
    assert {path for path in inside - noted if str(Path(path).parent) not in notes.folders} == set()
    read = {path for path in opened if path.startswith(f"{root}{os.sep}")}
    assert read - {os.path.normpath(path) for path in notes.files} == set()
    assert len(inside) > 3
    assert len(read) > 3


def _check_all(made: Project, files: Any, plugins: Any) -> None:
    from scopecheck import checks, rulebook

    suite = made.link(files, plugins)
    for rule in rulebook.rules().values():
        check = checks.find(rule.code, rule.name)
        if check is not None:
            list(check(suite))


def _damages(content: bytes) -> Iterator[bytes]:
    yield b""
    yield b"scopecheck cache 1\n"
    yield os.urandom(200)
    yield content + b"more"
    for part in (1, 10, 30, 50, 99):
        yield content[: len(content) * part // 100]
        place = len(content) * part // 100
        yield content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


@pytest.mark.usefixtures("settled")
def test_damage_is_repaired(suite: Path) -> None:
    plain = found(project(suite, cached=False))
    found(project(suite))
    folder = suite / ".scopecheck_cache"
    names = [file for file in folder.iterdir() if file.name == "facts" or "result" in file.name]
    assert len(names) == 2
    for file in names:
        whole = file.read_bytes()
        for damaged in _damages(whole):
            file.write_bytes(damaged)
            assert found(project(suite)) == plain
            file.write_bytes(damaged)
            (folder / "facts").unlink()
            assert found(project(suite)) == plain


@pytest.mark.parametrize("name", ["facts", "result"])
def test_what_is_whole_but_means_nothing_is_passed_over(suite: Path, name: str) -> None:
    """Contents that are complete by their checksum, and of a wrong kind."""
    plain = found(project(suite))
    folder = CacheFolder(suite / ".scopecheck_cache", suite)
    (file,) = (suite / ".scopecheck_cache").glob(f"{name}*")
    deep = b"\x91" * 100_000
    for content in (b"", b"\xff" * 20, deep, (5).to_bytes(8, "little") + deep, b"\x00" * 50):
        folder.write(file.name, content)
        assert found(project(suite)) == plain


def test_of_another_version_is_passed_over(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(project(suite))
    for module in ("facts", "results"):
        monkeypatch.setattr(f"scopecheck.cache.{module}.identity", lambda: "another")
    made = project(suite)
    assert made.cache is not None
    assert made.cache.facts.find("tests/test_a.py") is None
    assert found(made) == found(project(suite, cached=False))


def test_two_builds_of_one_version_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "scopecheck/rules/scope-mismatch.md"
    page.parent.mkdir(parents=True)
    monkeypatch.setattr(folder, "__file__", str(tmp_path / "scopecheck/cache/folder.py"))
    found = set()
    for text in ("one", "another"):
        page.write_text(text)
        folder.identity.cache_clear()
        found.add(folder.identity())
    folder.identity.cache_clear()
    assert len(found) == 2


def test_an_error_with_the_cache_is_none_without(
    suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scopecheck import status
    from scopecheck.commands import check
    from scopecheck.commands.options import CheckOptions

    def fail(made: Project, *arguments: Any, **options: Any) -> Looked:
        if made.cache is not None:
            raise IndexError("what a wrong fact may lead to")
        return checked(made, *arguments, **options)

    monkeypatch.setattr("scopecheck.run.checked", fail)
    monkeypatch.chdir(suite)
    assert check.run([], CheckOptions()) == status.FOUND
    assert "SCP101" in capsys.readouterr().out


def test_the_folder_says_what_it_is(suite: Path) -> None:
    run(suite)
    folder = suite / ".scopecheck_cache"
    assert (folder / ".gitignore").read_text() == "*\n"
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f0688")
    result = run(suite, "clean")
    assert (result.returncode, result.stdout) == (0, "removed .scopecheck_cache\n")
    assert not folder.exists()
    assert run(suite, "clean").returncode == 0


def test_what_is_no_cache_is_neither_used_nor_removed(suite: Path) -> None:
    plain = run(suite, "--no-cache", "--output-format", "concise")
    before = sorted((suite / "tests").rglob("*"))
    result = run(suite, "--cache-dir", "tests", "--output-format", "concise")
    assert result.stdout.rpartition(" in ")[0] == plain.stdout.rpartition(" in ")[0]
    assert result.stderr.count("\n") == 1
    assert "holds something else" in result.stderr
    refused = run(suite, "clean", "--cache-dir", "tests")
    assert refused.returncode == 2
    assert "is no cache of scopecheck" in refused.stderr
    assert sorted((suite / "tests").rglob("*")) == before


def test_a_link_out_of_the_tree_is_not_followed(suite: Path) -> None:
    outside = suite.parent / "outside"
    outside.mkdir()
    (suite / ".scopecheck_cache").symlink_to(outside)
    result = run(suite)
    assert result.returncode == 1
    assert "a link leads out of" in result.stderr
    assert list(outside.iterdir()) == []


def test_an_unwritable_cache_is_said_once(suite: Path) -> None:
    (suite / "file").write_text("")
    result = run(suite, "--cache-dir", "file/cache")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "file/cache cannot be written: Not a directory" in result.stderr
    assert run(suite, "--cache-dir", "file/cache", "-q").stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_survived(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.open

    def full(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode == "xb":
            self.touch()
            return original(Path("/dev/full"), "wb", buffering=0)
        return original(self, mode, *arguments, **options)

    plain = found(project(suite, cached=False))[0]
    monkeypatch.setattr(Path, "open", full)
    made = project(suite)
    assert list(analyse([], root=suite, settings=Settings(), project=made).findings) == plain
    assert made.cache is not None
    assert "No space left on device" in made.cache.save()
    assert sorted(file.name for file in (suite / ".scopecheck_cache").iterdir()) == [
        ".gitignore",
        "CACHEDIR.TAG",
    ]


def test_what_a_killed_run_left_is_removed(suite: Path) -> None:
    found(project(suite))
    folder = suite / ".scopecheck_cache"
    old, new = folder / ".begun-1-1", folder / ".begun-2-2"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (1, 1))
    (suite / "tests/test_a.py").write_text("def test_changed(wide): ...\n")
    found(project(suite))
    assert not old.exists()
    assert new.exists()


def test_the_number_of_files_is_bounded(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scopecheck.cache.folder._MOST_FILES", 4)
    for index in range(8):
        made = project(suite)
        chosen = frozenset(sorted(default_rules())[index:])
        checked(made, [], made.settings, chosen)
        assert made.cache is not None
        made.cache.save()
    names = [one.name for one in (suite / ".scopecheck_cache").iterdir()]
    assert len([name for name in names if name.startswith(("facts", "result"))]) == 4


def test_runs_at_the_same_time_agree(suite: Path) -> None:
    for index in range(30):
        (suite / f"tests/test_{index}.py").write_text(f"def test_{index}(wide, missing): ...\n")
    plain = run(suite, "--no-cache", "--output-format", "sarif").stdout
    command = [sys.executable, "-m", "scopecheck", "--output-format", "sarif"]
    for _ in range(2):
        running = [
            subprocess.Popen(command, cwd=suite, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        assert [one.communicate(timeout=60)[0] for one in running] == [plain] * 3
    assert not list((suite / ".scopecheck_cache").glob(".begun*"))


def test_standard_input_is_not_kept(suite: Path) -> None:
    plain = run(suite, "--output-format", "sarif").stdout
    names = sorted((suite / ".scopecheck_cache").iterdir())
    given = run(
        suite, "-", "--stdin-filename", "tests/conftest.py", "--output-format", "concise", input=""
    )
    assert "unknown-fixture" in given.stdout
    assert sorted((suite / ".scopecheck_cache").iterdir()) == names
    made = project(suite)
    assert made.cache is not None
    assert made.cache.facts.find("tests/conftest.py") == project(suite, cached=False).load(
        "tests/conftest.py"
    )
    assert run(suite, "--output-format", "sarif").stdout == plain
