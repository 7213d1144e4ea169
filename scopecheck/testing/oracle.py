"""Asks pytest itself what it does with a small project, in an interpreter that fits."""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.newer import newer_python_required
from scopecheck.testing import environments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INTERPRETERS = "SCOPECHECK_PYTHONS"
"""Further interpreters to choose from, a list like `PATH`, for examples about other versions."""

_COUNT = re.compile(
    r"(\d+) (passed|failed|error|skipped|xfailed|xpassed|warning|deselected|rerun)s?\b"
)
_LAST_LINE = re.compile(r"^=*\s*(.+?) in [\d.]+s\b", re.MULTILINE)
_PASSED = re.compile(r"::(\w+)(?:\[[^\n]*\])? (?:PASSED|SKIPPED)")
_UNSTATED = {"warning", "deselected"}
_COLLECTION_ERROR, _USAGE_ERROR, _NO_TESTS = 2, 4, 5
_EXITS = {
    _COLLECTION_ERROR: "collection error",
    3: "internal error",
    _USAGE_ERROR: "usage error",
    _NO_TESTS: "no tests",
}
_ALWAYS = ("-p", "no:cacheprovider", "--color=no", "-ra")
_FOREIGN = ("PYTEST_", "PY_COLORS", "FORCE_COLOR", "SCOPECHECK")
_MORE = f"`python -m scopecheck.testing.environments` builds some, {INTERPRETERS} names more"

_PYTEST = "import sys; del sys.path[0]; import pytest; sys.exit(pytest.main())"
_LIST_DISTRIBUTIONS = """
import importlib.metadata, json
print(json.dumps({
    dist.metadata["Name"].lower().replace("_", "-"): [
        dist.version, [entry.name for entry in dist.entry_points if entry.group == "pytest11"]
    ]
    for dist in importlib.metadata.distributions() if dist.metadata["Name"]
}))
"""


class Unavailable(Exception):  # noqa: N818
    """No interpreter here has the versions that an example is about."""


class Outcome(NamedTuple):
    """How a run of pytest ended, and all that it printed."""

    status: int
    output: str

    @property
    def counts(self) -> dict[str, int]:
        """The figures of pytest's last line."""
        lines = _LAST_LINE.findall(self.output)
        return {kind: int(number) for number, kind in _COUNT.findall(lines[-1] if lines else "")}

    @property
    def summary(self) -> str:
        """The outcome in the words of a `pytest` block."""
        if self.status in _EXITS:
            return _EXITS[self.status]
        if self.status not in (0, 1):
            return f"exit status {self.status}"
        stated = {kind: n for kind, n in self.counts.items() if kind not in _UNSTATED}
        return ", ".join(
            f"{n} {kind}{'s' * (kind == 'error' and n > 1)}" for kind, n in stated.items()
        )

    @property
    def passed(self) -> set[str]:
        """The names of the tests that passed or were skipped, of a run with `-v`."""
        return set(_PASSED.findall(self.output))

    @property
    def is_clean(self) -> bool:
        """Whether everything passed (or was skipped), or there was no test at all."""
        return self.status in (0, _NO_TESTS)

    def agrees(self, words: str) -> bool:
        """Whether the outcome is the one in these words; what they leave out must be none.

        Warnings and deselected tests are only compared where the words name them.
        """
        if self.status in _EXITS:
            return words == _EXITS[self.status]
        said = {kind: int(number) for number, kind in _COUNT.findall(words)}
        seen = {kind: n for kind, n in self.counts.items() if kind in said or kind not in _UNSTATED}
        return self.status in (0, 1) and bool(said) and said == seen


def run(folder: Path, arguments: Sequence[str], versions: Mapping[str, str]) -> Outcome:
    """Runs `pytest` in a folder with exactly the plugins named, each of the version stated.

    Raises:
        Unavailable: no interpreter here has those versions, or the folder's project requires a
            newer Python.
    """
    if required := newer_python_required(folder, folder):
        raise Unavailable(f"it requires Python {required}")
    python, plugins = _interpreter(versions)
    loaded = [part for plugin in plugins for part in ("-p", plugin)]
    everything = [*_ALWAYS, *loaded, *arguments]
    ask = _served if hasattr(os, "fork") else _alone
    return ask(python, folder, everything)


def installed(distribution: str) -> str:
    """The version of a distribution in this interpreter."""
    from importlib.metadata import version

    return version(distribution)


def pytest_version(versions: Mapping[str, str]) -> str:
    """The pytest that `run` asks about these versions, or would if its environment were there."""
    if not versions:
        return installed("pytest")
    try:
        python, _ = _interpreter(versions)
    except Unavailable:
        environment = environments.find(_normalized(versions))
        return environment.versions["pytest"] if environment else installed("pytest")
    return _distributions(python)["pytest"][0]


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "200",
        "PYTHONIOENCODING": "utf-8",
    }


def _interpreter(versions: Mapping[str, str]) -> tuple[str, list[str]]:
    """The first interpreter with those versions, and the names to load their plugins by."""
    stated = _normalized(versions)
    for python in _interpreters():
        installed = _distributions(python)
        if "pytest" in installed and all(
            name in installed and f"{installed[name][0]}.".startswith(f"{version}.")
            for name, version in stated.items()
        ):
            return python, [entry for name in stated for entry in installed[name][1]]
    wanted = ", ".join(f"{name} {version}" for name, version in sorted(stated.items())) or "pytest"
    raise Unavailable(f"no interpreter has {wanted} ({_MORE})")


def _normalized(versions: Mapping[str, str]) -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version in versions.items()}


def _interpreters() -> Iterator[str]:
    """This one, those that are named, and those that were built."""
    yield sys.executable
    yield from filter(None, os.environ.get(INTERPRETERS, "").split(os.pathsep))
    yield from (str(environment.python) for environment in environments.built())


@cache
def _distributions(python: str) -> dict[str, tuple[str, list[str]]]:
    listed = subprocess.run(
        [python, "-c", _LIST_DISTRIBUTIONS],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(python).anchor,
    )
    return {name: (version, names) for name, (version, names) in json.loads(listed.stdout).items()}


def _alone(python: str, folder: Path, arguments: list[str]) -> Outcome:
    """A run in a process of its own, where there is no `fork`."""
    done = subprocess.run(
        [python, "-c", _PYTEST, *arguments],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return Outcome(done.returncode, done.stdout)


def _served(python: str, folder: Path, arguments: list[str]) -> Outcome:
    """A run in a fork of a process that is kept for the next one."""
    server = _server(python, threading.get_ident())
    assert server.stdin is not None
    assert server.stdout is not None
    request = {"folder": str(folder), "arguments": arguments}
    server.stdin.write(f"{json.dumps(request)}\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    return Outcome(answer["status"], answer["output"])


@cache
def _server(python: str, thread: int) -> subprocess.Popen[str]:  # noqa: ARG001
    """A process of this thread that has imported pytest once and forks for each run."""
    server = subprocess.Popen(
        [python, str(Path(__file__).with_name("serve_pytest.py"))],
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    atexit.register(_stop, server)
    return server


def _stop(server: subprocess.Popen[str]) -> None:
    if server.stdin:
        server.stdin.close()
    server.wait(timeout=10)
