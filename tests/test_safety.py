"""What scopecheck never does to a project: import it, run it, write to it, or leave it hanging."""

from __future__ import annotations

import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fuzz
import programs
import pytest
from on_disk import write

from scopecheck.checked import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parent.parent

MARK = """
import os, pathlib
pathlib.Path(os.environ["MARK"]).open("a").write(__file__)
"""
TEST = """
import helpers, pytest
from helpers import thing

@pytest.fixture(scope="session")
def wide(narrow): return thing()

def test_a(wide, missing): assert wide
"""
CONFTEST = """
import pytest
pytest_plugins = ["plugin"]

@pytest.fixture
def narrow(): ...

def pytest_collection_modifyitems(items): ...
"""
# Says on its last line what the program did that it never may.
WATCHER = """
import os, sys
root, cache = os.path.realpath(os.getcwd()), ".scopecheck_cache"
done = []

def watch(event, arguments):
    name = event.partition(".")[0]
    if name in ("socket", "urllib", "http", "ftplib", "smtplib", "ssl", "pty"):
        done.append(event)
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
        done.append(event)
    elif event == "exec" and arguments[0].co_filename.startswith(root):
        done.append(event + " " + arguments[0].co_filename)
    elif event == "open" and isinstance(arguments[0], int):
        pass  # A descriptor, whose path was seen when it was opened: as Python writes caches.
    elif event == "open" and arguments[1] is not None and set(str(arguments[1])) & set("wax+"):
        path = os.path.realpath(os.fspath(arguments[0]))
        if cache not in path and "__pycache__" not in path and path != os.devnull:
            done.append(event + " " + path)

sys.addaudithook(watch)
from scopecheck.cli import run
status = run()
sys.stderr.write(f"\\ndone: {done}")
sys.exit(status)
"""


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A project of which every Python file leaves a mark when it is run."""
    root = tmp_path / "project"
    site = root / ".venv/lib/python3.12/site-packages"
    files = {
        "conftest.py": CONFTEST,
        "plugin.py": "import pytest\n@pytest.fixture\ndef brought(): ...\n",
        "helpers.py": "def thing(): return 1\n",
        "tests/conftest.py": "import pytest\n",
        "tests/test_a.py": TEST,
        "tests/test_asyncio.py": "import pytest\n@pytest.mark.asyncio\nasync def test_b(): ...\n",
        "setup.py": "from setuptools import setup\nsetup(name='x', install_requires=['pytest'])\n",
        "noxfile.py": "import nox\n",
        "sitecustomize.py": "",
        "usercustomize.py": "",
    }
    write(root, {name: MARK + text for name, text in files.items()})
    info = site / "plug-1.0.dist-info"
    info.mkdir(parents=True)
    for name in ("pytest-9.0.0.dist-info", "pytest_asyncio-0.23.0.dist-info"):
        (site / name).mkdir()
    (info / "entry_points.txt").write_text("[pytest11]\nplug = plug\n")
    (site / "plug.py").write_text(MARK)
    (site / "marks.pth").write_text("import os; open(os.environ['MARK'], 'a').write('pth')\n")
    (root / "pyproject.toml").write_text(
        "[build-system]\nrequires=[]\nbuild-backend='plugin'\n"
        "[tool.pytest.ini_options]\naddopts='-p plugin'\n"
    )
    (root / ".git").mkdir()
    return root


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", "--jobs", "2", "--output-format", "sarif"],
        ["check", "--select", "ALL", "--verbose"],
        ["check", "--diff"],
        ["plan"],
        ["audit"],
        ["config"],
        ["migrate", "pytest-asyncio"],
    ],
    ids=" ".join,
)
def test_nothing_analysed_is_run_and_nothing_is_written(marked: Path, arguments: list[str]) -> None:
    """No import, no execution, no process, no network, no file but the cache."""
    mark = marked.parent / "mark"
    before = {file: file.read_bytes() for file in marked.rglob("*") if file.is_file()}
    result = subprocess.run(
        [sys.executable, "-c", WATCHER, *arguments],
        cwd=marked,
        env={**os.environ, "MARK": str(mark), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode in (0, 1), result.stderr
    assert result.stderr.rpartition("\n")[2] == "done: []"
    assert not mark.exists()
    after = {
        file: file.read_bytes()
        for file in marked.rglob("*")
        if file.is_file() and ".scopecheck_cache" not in file.parts
    }
    assert after == before


def test_the_marks_would_be_seen(marked: Path) -> None:
    mark = marked.parent / "mark"
    environment = {**os.environ, "MARK": str(mark), "PYTHONPATH": str(marked)}
    subprocess.run([sys.executable, "-c", "import helpers"], env=environment, check=True)
    assert mark.exists()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks the system for processes")
def test_an_interrupt_ends_it_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    text = (TOP / "tests/test_files.py").read_text(encoding="utf-8")
    for index in range(300):
        (tmp_path / f"test_{index}.py").write_text(text)
    command = [sys.executable, "-m", "scopecheck", "--jobs", "2", "--root", str(tmp_path)]
    process = subprocess.Popen(
        [*command, str(tmp_path)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = list(_children(process))
    assert len(children) >= 1
    # An interrupt in the moment of a fork may be lost: Python ignores errors there.
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors + output
    assert not (tmp_path / ".scopecheck_cache").exists()
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def _children(process: subprocess.Popen[str]) -> Iterator[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if found := listed.read_text().split():
            yield from map(int, found)
            return
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_tree_that_cannot_be_written(marked: Path) -> None:
    marked.chmod(0o555)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "scopecheck"],
            cwd=marked,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        marked.chmod(0o755)
    assert result.returncode == 1
    assert "cannot be written" in result.stderr


# `python tests/fuzz.py` damages many more files at random.
def test_damaged_files_neither_crash_nor_hang() -> None:
    sources = fuzz.sources_in([TOP / "examples", TOP / "tests/projects"], random.Random(1))
    assert len(sources) > 10
    for seed in range(25):
        fuzz.once(sources, seed)


def test_programs_of_the_grammar_neither_crash_nor_hang() -> None:
    """`SCOPECHECK_PROGRAMS=5000` runs many."""
    for seed in range(int(os.environ.get("SCOPECHECK_PROGRAMS", "15"))):
        fuzz.once([], seed)


def test_the_programs_have_every_statement_and_expression() -> None:
    made = {
        type(node)
        for seed in range(100)
        for node in ast.walk(ast.parse(programs.program(random.Random(seed))))
    }
    kinds = [ast.stmt, ast.expr, ast.pattern, ast.excepthandler]
    known = {kind for base in kinds for kind in base.__subclasses__()}
    old = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis", "Index", "ExtSlice", "Interpolation"}
    assert {kind.__name__ for kind in known - made} <= old


def test_a_crash_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        checked(*arguments, **options)
        raise ZeroDivisionError

    monkeypatch.setattr("scopecheck.run.checked", fail)
    monkeypatch.setattr(fuzz, "configuration", lambda _: "")
    with pytest.raises(ZeroDivisionError, match="seed 1, suite in") as raised:
        fuzz.once([b"def test_a(): ...\n"], 1)
    shutil.rmtree(str(raised.value).rpartition(" ")[2])


def test_a_hang_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(signal, "SIGALRM"):
        pytest.skip("no alarms here")
    monkeypatch.setattr(fuzz, "LIMIT_S", 1)
    monkeypatch.setattr(fuzz, "analysed", lambda _: time.sleep(5))
    with pytest.raises(fuzz.HangError) as raised:
        fuzz.once([b"x = 1\n"], 1)
    shutil.rmtree(str(raised.value.args[1]).rpartition(" ")[2])
