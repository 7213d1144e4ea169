"""Environments are built once, whole, whoever else builds them; without asking a package index."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scopecheck.testing import environments
from scopecheck.testing.environments import TABLE, Environment

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE = Environment("one", {"pytest": "9.2.0", "pytest-asyncio": "1.5.0"})


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What would be run; an interpreter is there after it."""
    monkeypatch.setenv(environments.FOLDER, str(tmp_path / "environments"))
    run: list[list[str]] = []

    def pretend(command: Sequence[str | Path]) -> None:
        run.append(list(map(str, command)))
        if "venv" in run[-1]:
            python = Path(command[-1]) / ONE.python.relative_to(ONE.folder)
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(environments, "_run", pretend)
    return run


def test_is_built_once(commands: list[list[str]]) -> None:
    assert not ONE.is_built
    assert environments.build(ONE)
    assert ONE.is_built
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"]]
    assert not environments.build(ONE)
    assert len(commands) == 2
    assert [path.name for path in environments.folder().iterdir()] == ["one"]


def test_other_versions_are_built_anew(commands: list[list[str]]) -> None:
    environments.build(ONE)
    other = ONE._replace(versions={"pytest": "8.4.2"})
    assert not other.is_built
    assert environments.build(other)
    assert other.is_built
    assert not ONE.is_built
    assert len(commands) == 4
    assert [path.name for path in environments.folder().iterdir()] == ["one"]


def test_several_may_build_at_once(commands: list[list[str]]) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(environments.build, [ONE] * 8))
    assert any(made)
    assert ONE.is_built
    assert commands
    assert [path.name for path in environments.folder().iterdir()] == ["one"]


@pytest.mark.usefixtures("commands")
def test_nothing_is_left_of_one_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: Sequence[str | Path]) -> None:
        raise subprocess.CalledProcessError(1, list(map(str, command)))

    monkeypatch.setattr(environments, "_run", fail)
    assert environments.main(["anyio"]) == 1
    assert "anyio: " in capsys.readouterr().err
    assert list(environments.folder().iterdir()) == []


def test_names(commands: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        environments.main(["klingon"])
    assert "no environment is called klingon" in capsys.readouterr().err
    assert environments.main(["anyio"]) == 0
    assert environments.main([]) == 0
    assert {each.name for each in environments.built()} == {
        each.name for each in TABLE if each.by_default
    }
    assert len(commands) == 2 * len(environments.built())
    assert "anyio: is there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("versions", "name"),
    [
        ({"pytest-asyncio": "0.23"}, "pytest-asyncio-0.23.8"),
        ({"pytest-asyncio": "1"}, "pytest-asyncio-1.0.0"),
        ({"pytest-asyncio": "1.5.0", "anyio": "4"}, "anyio"),
        ({"pytest-asyncio": "0.2"}, None),
        ({"pytest-asyncio": "1.5.0", "pytest": "7"}, None),
    ],
)
def test_find(versions: dict[str, str], name: str | None) -> None:
    found = environments.find(versions)
    assert (found.name if found else None) == name
