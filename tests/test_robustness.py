"""Bad input of any kind gives a finding or a message that names the path, never a traceback."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import msgspec
import pytest
from on_disk import scopecheck

from scopecheck.config import Settings
from scopecheck.newer import is_newer_syntax
from scopecheck.project import Project
from scopecheck.read import read, read_function
from scopecheck.run import analyse
from scopecheck.source import decode

GOOD = b"""import pytest
@pytest.fixture(scope='session')
def wide(tmp_path): ...
def test_a(wide): ...
"""

# File name, content, and the code that must be reported for it (None: it can be read).
FILES: list[tuple[str, bytes, str | None]] = [
    ("test_syntax.py", b"def test_a(:\n", "SCP001"),
    ("test_tabs.py", b"if 1:\n        x = 1\n\ty = 2\n", "SCP001"),
    ("test_nul.py", b"def test_a():\n    x = '\0'\n", "SCP001"),
    ("test_unknown_encoding.py", b"# -*- coding: klingon -*-\n", "SCP004"),
    ("test_wrong_encoding.py", b"def test_a():\n    '\xe9'\n", "SCP004"),
    ("test_utf16.py", "def test_a(): ...\n".encode("utf-16"), "SCP004"),
    ("test_latin.py", b"# coding: latin-1\nx = '\xe9'\n" + GOOD, "SCP101"),
    ("test_bom.py", b"\xef\xbb\xbf" + GOOD, "SCP101"),
    ("test_crlf.py", GOOD.replace(b"\n", b"\r\n"), "SCP101"),
    ("test_cr.py", GOOD.replace(b"\n", b"\r"), "SCP101"),
    ("test_form_feed.py", b"\x0c" + GOOD.replace(b"\n", b"\n\x0c\n"), "SCP101"),
    ("test_no_newline.py", GOOD.rstrip(b"\n"), "SCP101"),
    ("test_empty.py", b"", None),
    ("test_blank.py", b"\n\n\n", None),
    ("test_only_bom.py", b"\xef\xbb\xbf", None),
    ("test_unary.py", b"x = " + b"-" * 1000 + b"1\n" + GOOD, "SCP101"),
    ("test_brackets.py", b"x = " + b"(" * 1000 + b"1" + b")" * 1000 + b"\n", "SCP001"),
    ("test_calls.py", b"x = a" + b"()" * 1000 + b"\n" + GOOD, "SCP101"),
    ("test_decorated.py", GOOD + b"@x" + b"()" * 500 + b"\ndef test_b(): ...\n", "SCP101"),
    ("test_sum.py", b"def test_a():\n    yield " + b"+".join([b"1"] * 900) + b"\n", None),
    ("test_half.py", GOOD + b"def test_b(wide):\n    setattr(wide, '\\ud800', wide)\n", "SCP101"),
    ("test_names.py", "def test_ünï(日本): ...\n".encode(), "SCP301"),
]


def write(folder: Path) -> None:
    tests = folder / "tests"
    tests.mkdir()
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\ntestpaths = ['tests']\n")
    for name, content, _ in FILES:
        (tests / name).write_bytes(content)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return scopecheck(*arguments, cwd=folder)


@pytest.mark.parametrize(("name", "content", "code"), FILES, ids=[name for name, *_ in FILES])
def test_odd_files_are_read_or_named(
    tmp_path: Path, name: str, content: bytes, code: str | None
) -> None:
    (tmp_path / name).write_bytes(content)
    analysis = analyse([], root=tmp_path, settings=Settings(), jobs=1)
    assert {f.code for f in analysis.findings} == ({code} if code else set())
    assert {f.fault.place.path for f in analysis.findings} <= {name}


def test_what_only_some_pythons_can_parse(tmp_path: Path) -> None:
    """A chain of 20,000 attributes is too deep for Python 3.12's parser, and not for 3.10's."""
    (tmp_path / "test_attributes.py").write_bytes(b"x = a" + b".b" * 20_000 + b"\n" + GOOD)
    analysis = analyse([], root=tmp_path, settings=Settings(), jobs=1)
    assert [f.code for f in analysis.findings] in (["SCP001"], ["SCP101"])


def test_the_rest_is_analysed(odd: Path) -> None:
    result = run(odd, ".", "--output-format", "json")
    assert (result.returncode, result.stderr) == (1, "")
    found = {(f["path"], f["code"]) for f in json.loads(result.stdout)["findings"]}
    assert found == {(f"tests/{name}", code) for name, _, code in FILES if code}


@pytest.mark.parametrize("output", ["full", "concise", "json-lines", "github"])
def test_every_format_can_print_them(odd: Path, output: str) -> None:
    result = run(odd, ".", "--output-format", output)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout


def test_plan_can_print_them(odd: Path) -> None:
    for output in ("text", "json"):
        result = run(odd, "plan", ".", "--output-format", output)
        assert (result.returncode, result.stderr) == (0, "")


def test_links_that_loop_or_lead_nowhere(odd: Path) -> None:
    tests = odd / "tests"
    (tests / "sub").mkdir()
    (tests / "sub/loop").symlink_to(tests)
    (tests / "test_nowhere.py").symlink_to("missing.py")
    (tests / "test_itself.py").symlink_to("test_itself.py")
    (tests / "test_folder.py").mkdir()
    result = run(odd, ".", "--output-format", "json")
    assert (result.returncode, result.stderr) == (1, "")
    assert json.loads(result.stdout)["summary"]["files"] == len(FILES)


def test_a_null_byte_is_no_newer_syntax(tmp_path: Path) -> None:
    (tmp_path / "test_null.py").write_bytes(b"x = 1\0\n")
    result = run(tmp_path, ".", "--output-format", "concise")
    assert "SCP001" in result.stdout
    assert "newer" not in result.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_cannot_be_written(odd: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "scopecheck", "."],
            cwd=odd,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 2
    assert result.stderr == "scopecheck: the output cannot be written: No space left on device\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"test_\xff.py")).write_bytes(GOOD)
    plain = {".": "concise", "plan": "text", "audit": "text", "graph": "mermaid"}
    for command, status in ((".", 1), ("plan", 0), ("audit", 1), ("graph", 0)):
        for output in ("json", plain[command]):
            result = run(tmp_path, command, "--output-format", output)
            assert "Traceback" not in result.stderr
            assert "error" not in result.stderr
            assert result.returncode == status


PIPES = (
    *("pytest.ini", "pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "scopecheck.toml"),
    *("uv.lock", "requirements.txt", "noxfile.py", ".gitignore", ".pre-commit-config.yaml"),
    *("test_pipe.py", "conftest.py", "shop.py", ".venv/pyvenv.cfg", ".scopecheck_cache/facts"),
)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    """Whatever is read may be one; nobody writes into it."""
    (tmp_path / "test_a.py").write_text("import shop\n\ndef test_a(missing): ...\n")
    assert run(tmp_path, ".").returncode == 1
    for name in PIPES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).unlink(missing_ok=True)
        os.mkfifo(tmp_path / name)
    for arguments in (["."], ["audit"], ["."], ["clean"]):
        result = run(tmp_path, *arguments)
        assert result.returncode == (0 if arguments == ["clean"] else 1)
        assert result.stderr == ""


def test_a_folder_that_vanishes(odd: Path) -> None:
    project = Project(odd, Settings(), jobs=1)
    files = project.files([])[0]
    for name, *_ in FILES:
        (odd / "tests" / name).unlink()
    (odd / "tests").rmdir()
    suite = project.link(files)
    assert suite.items == ()
    errors = [error for path in project.own_files if (error := project.load(path).error)]
    assert {error.kind for error in errors} == {"unreadable"}
    assert len(errors) == len(FILES)


def test_a_large_file(tmp_path: Path) -> None:
    body = "def test_{0}(tmp_path):\n    assert {{'a': [1, {0}]}}['a'][0] + {0} == sum([1, {0}])\n"
    (tmp_path / "test_large.py").write_text("".join(body.format(i) for i in range(20_000)))
    analysis = analyse([], root=tmp_path, settings=Settings(), jobs=1)
    assert (analysis.findings, analysis.summary.tests) == ((), 20_000)


def test_a_file_that_is_too_large_is_said_to_be_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_data.py").write_bytes(b"x = 1  # 1234567890\n" * 650_000)
    analysis = analyse([], root=tmp_path, settings=Settings(), jobs=1)
    assert [f.code for f in analysis.findings] == ["SCP004"]
    assert "is skipped: 13.0 MB" in analysis.findings[0].fault.message


def test_any_number_of_jobs_gives_the_same(tmp_path: Path) -> None:
    write(tmp_path)
    for index in range(150):
        name = tmp_path / "tests" / f"test_more_{index}.py"
        name.write_bytes(GOOD + b"# padding\n" * 1500)
    outputs = {
        run(tmp_path, ".", "--output-format", "concise", "--jobs", jobs).stdout.rpartition(" in ")[
            0
        ]
        for jobs in ("1", "2", "3")
    }
    assert len(outputs) == 1
    assert outputs.pop().count("SCP101") > 150


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing"], "missing: no such file, folder or command"),
        (["--select", "no-such-rule"], "no-such-rule"),
        (["--config", "missing.toml"], "missing.toml"),
        (["--root", "missing"], "missing"),
        (["--python", "missing"], "missing"),
        (["--jobs", "many"], "many"),
        (["--no-such-option"], "--no-such-option"),
        (["-"], "--stdin-filename"),
        (["--output-file", "missing/file"], "missing/file"),
    ],
)
def test_wrong_use_is_status_2_and_one_message(odd: Path, arguments: list[str], words: str) -> None:
    result = run(odd, *arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "internal error" not in result.stderr


def test_syntax_of_a_newer_python_is_named(tmp_path: Path) -> None:
    """Template strings came with 3.14, a `match` on no subject never will."""
    (tmp_path / "test_newer.py").write_text('def test_a():\n    return t"{1}"\n')
    (tmp_path / "test_wrong.py").write_text("def test_a():\n    match:\n")
    analysis = analyse([], root=tmp_path, settings=Settings(), jobs=1)
    messages = {f.fault.place.path: f.fault.message for f in analysis.findings}
    newer = "is written for a Python newer than the "
    assert newer not in messages["test_wrong.py"]
    if sys.version_info < (3, 14):
        assert messages["test_newer.py"].startswith(newer)
    else:
        assert "test_newer.py" not in messages


_TRY = "    try:\n        f()\n    except ValueError, TypeError:\n        pass\n"


@pytest.mark.parametrize(
    ("text", "newer"),
    [
        (f"@mark\ndef test_a(\n    x,\n) -> None:\n{_TRY}\n\ndef test_b():\n    pass\n", True),
        (f"class TestA:\n    async def test_a(self):\n{indent(_TRY, '    ')}\nx = 1\n", True),
        ("type Pair[T] = (\n    tuple[T, T]\n)\n\ndef first[T](pair: Pair[T]) -> T: ...\n", True),
        (f"def test_a():\n{_TRY}" * 20, True),
        (f"if True:\n{_TRY}", True),
        (f"def test_a():\n{_TRY}\ndef test_b(:\n    pass\n", False),
        (f"def test_a():\n{_TRY}    return (\n", False),
        (f"def test_a():\n{_TRY}x = 1 +\n", False),
        (f'def test_a():\n{_TRY}x = """\n', False),
        (f"class A:\ndef test_a():\n{_TRY}", False),
    ],
)
def test_newer_syntax_is_told_from_what_is_wrong(text: str, newer: bool) -> None:
    assert is_newer_syntax(text) is newer


def test_code_for_a_newer_python_that_the_suite_only_imports_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text('def greet():\n    return t"{1}"\n')
    (tmp_path / "test_app.py").write_text("import app\ndef test_a(): assert app.greet()\n")
    analysis = analyse([], root=tmp_path, settings=Settings(), jobs=1)
    assert "app.py" not in {finding.fault.place.path for finding in analysis.findings}


def test_a_long_module_that_the_suite_only_imports_may_be_newer(tmp_path: Path) -> None:
    long = "x = 1\n" * 200_000
    (tmp_path / "app.py").write_text(f'{long}def greet():\n    return t"{{1}}"\n')
    (tmp_path / "test_app.py").write_text("import app\ndef test_a(): assert app.greet()\n")
    analysis = analyse([], root=tmp_path, settings=Settings(), jobs=1)
    assert "app.py" not in {finding.fault.place.path for finding in analysis.findings}


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads template strings")
def test_a_conftest_may_leave_out_what_an_older_python_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "test_new.py").write_text('def test_a():\n    return t"{1}"\n')
    (tmp_path / "test_old.py").write_text("def test_a():\n    assert True\n")
    (tmp_path / "conftest.py").write_text(
        "import sys\n\n\ndef pytest_ignore_collect(collection_path):\n"
        "    return collection_path.name == 'new' and sys.version_info < (3, 14) or None\n"
    )
    result = run(tmp_path, ".", "--output-format", "concise", "--no-cache", "--select", "SCP0")
    assert result.stdout.startswith("All checks passed")
    assert "cannot read new/test_new.py, and `conftest.py` decides in code" in result.stderr


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads template strings")
@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("pyproject.toml", "[project]\nrequires-python = '>=3.14'\n", ">=3.14"),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = '^3.14'\n", "^3.14"),
        ("setup.cfg", "[options]\npython_requires = >=3.14.1\n", ">=3.14.1"),
        ("pyproject.toml", "[project]\nrequires-python = '>=3.9'\n", ""),
        ("pyproject.toml", "[project]\nrequires-python = '<3'\n", ""),
        ("pyproject.toml", "[project]\nrequires-python = 'none'\n", ""),
    ],
)
def test_a_project_that_requires_a_newer_python_is_told_once(
    tmp_path: Path, file: str, text: str, told: str
) -> None:
    (tmp_path / file).write_text(text)
    for name in ("test_one.py", "test_two.py"):
        (tmp_path / name).write_text('def test_a():\n    return t"{1}"\n')
    (tmp_path / "test_wrong.py").write_text("def test_a():\n    match:\n")
    for options in (["--no-cache"], [], []):
        result = run(tmp_path, ".", "--output-format", "concise", *options)
        assert "test_wrong.py:2" in result.stdout
        if told:
            assert "test_one.py" not in result.stdout
            assert result.stderr == (
                f"scopecheck: Python {sys.version_info[0]}.{sys.version_info[1]} cannot read "
                f"2 files (test_one.py is one), and the project requires {told}: what stands there "
                "is left out; run scopecheck with the Python that runs the suite\n"
            )
        else:
            assert result.stdout.count("is written for a Python newer") == 2
            assert not result.stderr


def test_lone_surrogates_can_be_sent_between_processes() -> None:
    """Strings that no file could hold: `"\\ud800"` as a default, a key and an argument."""
    text = 'import pytest\nBAD = "\\ud800"\nMAP = {"\\udfff": 1}\n'
    text += '@pytest.fixture(params=["\\ud800"], name="\\ud801")\ndef bad(): ...\n'
    facts = read(decode("test_bad.py", text.encode()))
    assert facts.error is None
    assert msgspec.msgpack.encode(facts)


def test_reading_leaves_nothing_to_collect() -> None:
    """No collection runs while many files are read: a cycle would keep each text until the end."""
    text = Path(__file__).read_bytes()
    body = b"def test_b():\n    first = lambda: 1\n    assert first()\n"
    sources = [decode("test_a.py", each) for each in (text, GOOD, body)]

    def once() -> None:
        for source in sources:
            for function in read(source).functions:
                read_function(source, function)

    once()
    gc.collect()
    gc.disable()
    try:
        once()
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_every_way_to_start_workers_gives_the_same(tmp_path: Path, method: str) -> None:
    text = f"{GOOD.decode()}\n# {'-' * 70}\n" + "# filling\n" * 60_000
    for index in range(3):
        (tmp_path / f"test_{index}.py").write_text(text)
    script = tmp_path / "run.py"
    script.write_text(
        "import multiprocessing, sys\n"
        "from scopecheck import workers\n"
        "from scopecheck.cli import main\n"
        "finish = workers.Ahead.finish\n"
        "def finished(self):\n"
        "    finish(self)\n"
        "    sys.stderr.write(f'by workers, but for {self.left}\\n')\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method({method!r})\n"
        "    workers.Ahead.finish = finished\n"
        "    main()\n"
    )
    shown = []
    for jobs in ("1", "2"):
        command = [sys.executable, str(script), "--no-cache", "--output-format", "concise"]
        result = subprocess.run(
            [*command, "--jobs", jobs], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert result.returncode == 1, result.stderr
        assert ("by workers, but for []" in result.stderr) == (jobs == "2"), result.stderr
        shown.append(result.stdout.partition("\nFound ")[0].splitlines()[:3])
    assert shown[0] == shown[1]
    assert ["SCP101" in line for line in shown[0]] == [True] * 3


@pytest.mark.skipif(os.name == "nt", reason="the shell of other systems")
@pytest.mark.parametrize(
    ("closed", "status", "said"),
    [
        (". >&-", 1, ""),
        (". 2>&-", 1, ""),
        ("--stdin-filename test_a.py - <&-", 2, "scopecheck: standard input is closed\n"),
    ],
)
def test_a_stream_that_is_closed(tmp_path: Path, closed: str, status: int, said: str) -> None:
    (tmp_path / "test_a.py").write_text("def test_a(missing): ...\n")
    command = f"{shlex.quote(sys.executable)} -m scopecheck {closed}"
    result = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stderr) == (status, said)


@pytest.mark.skipif(os.name == "nt", reason="a folder that is in use is not removed there")
def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    command = f"rmdir {shlex.quote(str(folder))}; {shlex.quote(sys.executable)} -m scopecheck"
    result = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 2
    assert result.stderr == "scopecheck: the working directory is not there any more\n"
