"""Damages test files and settings at random and analyses them: nothing may crash or hang.

    python tests/fuzz.py PATH... [--seconds 600] [--seed 1]
    python tests/fuzz.py --programs [--seconds 600] [--seed 1]
    python tests/fuzz.py --edits [PATH...] [--seconds 600] [--seed 1]

Takes real Python files from below the paths. Each round puts a few of them into a suite, cuts,
doubles and exchanges bytes and lines of some, makes up a configuration, and runs all rules over it
twice, the second time with a cache that may be damaged. What fails is kept and printed.
`--programs` makes programs of the grammar instead (see `programs`), most of which stay whole.
`--edits` edits whole suites (see `edits`), made ones or real ones below the paths, and holds each
run after an edit against one without a cache.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from edited_runs import EditedRuns
from programs import program

from scopecheck.cache import Cache
from scopecheck.config import ConfigError, load_settings
from scopecheck.files import DiscoveryError
from scopecheck.project import Project
from scopecheck.run import analyse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIMIT_S = 10
"""So long may the analysis of a suite of files under 1 MB take."""

_PIECES = (
    *(b"@pytest.fixture\n", b"@pytest.fixture(scope='session')\n", b"async ", b"await "),
    *(b"yield\n", b"def test_x(request, tmp_path):\n", b"class TestX(TestX):\n", b"    "),
    *(b"\t", b"(", b")", b"'", b'"""', b"#", b"\\\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\r"),
    *(b"\x0c", b"lambda: ", b"*", b"=", b":= ", b"{", b"[", b"f'{", b"raise\n", b"global x\n"),
    *(b"pytest_plugins = ['x']\n", b"from conftest import *\n", b"del x\n"),
    *(b"# scopecheck: ignore[SCP101]\n", b"match x:\n case _:\n"),
)
_NAMES = ("conftest.py", "test_a.py", "test_b.py", "sub/conftest.py", "sub/test_c.py", "helpers.py")
_SETTINGS = (
    *("select = ['ALL']", "select = ['SCP1', 'SCP3']", "ignore = ['SCP2']", "exclude = ['sub']"),
    *("respect-gitignore = false", "known-fixtures = ['x']", "severity = { SCP101 = 'warning' }"),
    *("plugins = { pytest = '7.0' }", "plugins = { pytest-asyncio = '0.21' }", "select = ['NO']"),
    *("per-file-ignores = { '**' = ['SCP3'] }", "unknown = 1", "exclude = 3", "exclude = ['[']"),
)
_PYTEST = (
    *("python_files = '*.py'", "testpaths = ['sub']", "asyncio_mode = 'auto'"),
    *("addopts = '-p no:x --import-mode=importlib'", "python_functions = '*'", "addopts = '\"'"),
    *("python_classes = '[a'", "usefixtures = ['x']", "norecursedirs = '*'", "minversion = 'x'"),
    *("pythonpath = ['..']",),
)


class HangError(Exception):
    """An analysis took too long."""


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The bytes with a few of them cut, doubled, moved or replaced."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 1, 4, 40, 400)))
        match chance.randrange(6):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:end] + data[start:]
            case 2:
                data = data[:start] + chance.choice(_PIECES) + data[start:]
            case 3:
                data = data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]
            case 4:
                lines = data.split(b"\n")
                one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
                lines[one], lines[other] = lines[other], lines[one]
                data = b"\n".join(lines)
            case _:
                data = data[:start] + data[start:end] * chance.choice((2, 50)) + data[end:]
    return data[:900_000]


def configuration(chance: random.Random) -> str:
    """A `pyproject.toml` of settings that may be wrong."""
    own = chance.sample(_SETTINGS, chance.randint(0, 3))
    pytest = chance.sample(_PYTEST, chance.randint(0, 3))
    lines = ["[tool.scopecheck]", *own, "[tool.pytest.ini_options]", *pytest]
    return "\n".join(line for line in lines if chance.random() > 0.03)


def write(root: Path, sources: Sequence[bytes], chance: random.Random, harm: float = 0.9) -> None:
    """A suite of files, of which a share is damaged."""
    for name in chance.sample(_NAMES, chance.randint(1, len(_NAMES))):
        file = root / name
        file.parent.mkdir(exist_ok=True)
        data = chance.choice(sources)
        file.write_bytes(damaged(data, chance) if chance.random() < harm else data)
    if chance.random() < 0.7:
        (root / "pyproject.toml").write_text(configuration(chance))


def analysed(root: Path) -> None:
    """One run of all rules; a mistake in the settings is an answer, too."""
    try:
        settings = load_settings([root], root=root, cwd=root).settings
        settings = msgspec.structs.replace(settings, extend_select=(*settings.extend_select, "ALL"))
        project = Project(root, settings, 1, Cache(root / ".scopecheck_cache", root))
        analyse([], root=root, settings=settings, project=project)
    except (ConfigError, DiscoveryError, LookupError) as error:
        if isinstance(error, LookupError) and type(error).__name__ != "UnknownRuleError":
            raise
        return
    assert project.cache is not None
    project.cache.save()


def once(sources: Sequence[bytes], seed: int) -> None:
    """One round; without sources, one with programs that are made for it.

    Raises:
        Exception: what the analysis failed with; the suite is left where the note says.
    """
    chance = random.Random(seed)
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        if sources:
            write(root, sources, chance)
        else:
            made = [program(chance).encode() for _ in range(4)]
            write(root, made, chance, harm=0.1)
        with _limit():
            analysed(root)
            for file in (root / ".scopecheck_cache").glob("*"):
                if chance.random() < 0.3:
                    file.write_bytes(damaged(file.read_bytes(), chance))
            analysed(root)
    except BaseException as error:
        error.args = (*error.args, f"seed {seed}, suite in {root}")
        raise
    import shutil

    shutil.rmtree(root)


class _limit:  # noqa: N801 - a context manager
    def __enter__(self) -> None:
        def stop(*_: Any) -> None:
            raise HangError(f"no end after {LIMIT_S} s")

        if hasattr(signal, "SIGALRM"):
            self._before = signal.signal(signal.SIGALRM, stop)
            signal.alarm(LIMIT_S)

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "SIGALRM"):
            signal.alarm(0)
            signal.signal(signal.SIGALRM, self._before)


def sources_in(paths: Sequence[Path], chance: random.Random, most: int = 400) -> list[bytes]:
    """The content of some Python files below the paths, those about tests first."""
    files = [file for path in paths for file in sorted(path.rglob("*.py")) if file.is_file()]
    chance.shuffle(files)
    files.sort(key=lambda file: "test" not in file.name)
    return [data for file in files[:most] if 0 < len(data := file.read_bytes()) < 300_000]


def rounds(seconds: float, seed: int) -> Iterator[int]:
    """Seeds, until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield seed
        seed += 1


def main() -> int:
    """Run for a while; how many rounds failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--programs", action="store_true", help="made of the grammar")
    parser.add_argument("--edits", action="store_true", help="edits of whole suites")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.edits and arguments.programs == bool(arguments.paths):
        parser.error("either paths or --programs")
    runs = EditedRuns(arguments.paths) if arguments.edits else None
    sources = [] if runs else sources_in(arguments.paths, random.Random(arguments.seed))
    done = failed = 0
    for seed in rounds(arguments.seconds, arguments.seed):
        done += 1
        try:
            if runs is None:
                once(sources, seed)
            else:
                runs.once(seed)
        except Exception:
            failed += 1
            traceback.print_exc()
    over = f"over {len(sources)} files" if runs is None else f"of edits {dict(runs.how)}"
    sys.stdout.write(f"{done} rounds {over}, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
