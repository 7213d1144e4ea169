"""Files are read once each, with all that they lead to, by one process or by several."""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

import pytest

from scopecheck import loader, workers
from scopecheck.loader import Loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FILES = 40
_FORKS = multiprocessing.get_start_method() == "fork"


def write(folder: Path) -> None:
    """Modules of which each leads to two more; every seventh is a large file."""
    for number in range(_FILES):
        size = 3_000 if number % 7 == 6 else 300
        (folder / f"m{number}.py").write_text(f"number = {number}\n{'# filling' * (size // 9)}\n")


def follower(asked: list[str]) -> Callable[[str], list[str]]:
    seen = {0}

    def follow(path: str) -> list[str]:
        asked.append(path)
        number = int(path[1:-3])
        new = [n for n in (2 * number + 1, 2 * number + 2, 0) if n < _FILES and n not in seen]
        seen.update(new)
        return [f"m{n}.py" for n in new]

    return follow


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "_PARALLEL_BYTES", 500)
    monkeypatch.setattr(workers, "BATCH_BYTES", 1_000)
    monkeypatch.setattr(workers, "LARGE_FILE", 2_000)


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("first", [["m0.py"], ["m0.py", "m0.py"]])
def test_what_files_lead_to_is_read(tmp_path: Path, jobs: int, first: list[str]) -> None:
    write(tmp_path)
    asked: list[str] = []
    load = Loader(tmp_path, jobs)
    with load.reading(first, follower(asked)):
        pass
    assert sorted(load.paths) == sorted(asked) == sorted(f"m{n}.py" for n in range(_FILES))
    assert [load(f"m{n}.py").bindings[0].name for n in range(_FILES)] == ["number"] * _FILES


@pytest.mark.parametrize("known", range(0, _FILES, 7))
def test_what_is_read_already_leads_on(tmp_path: Path, known: int) -> None:
    write(tmp_path)
    asked: list[str] = []
    load = Loader(tmp_path, 2)
    load(f"m{known}.py")
    with load.reading(["m0.py"], follower(asked)):
        pass
    assert sorted(asked) == sorted(load.paths) == sorted(f"m{n}.py" for n in range(_FILES))


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("wanted", [0, 1, 6, 20, 39])
def test_what_is_asked_for_meanwhile(tmp_path: Path, jobs: int, wanted: int) -> None:
    write(tmp_path)
    asked: list[str] = []
    load = Loader(tmp_path, jobs)
    with load.reading(["m0.py"], follower(asked)):
        load.look()
        assert load(f"m{wanted}.py").lines
    assert sorted(load.paths) == sorted(asked) == sorted(f"m{n}.py" for n in range(_FILES))


def test_what_leaves_the_block_ends_the_workers(tmp_path: Path) -> None:
    write(tmp_path)
    load = Loader(tmp_path, 2)

    def interrupted() -> None:
        with load.reading(["m0.py"], follower([])):
            assert multiprocessing.active_children()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not multiprocessing.active_children()
    assert load("m39.py").lines


def fall_over(root: str, paths: list[str]) -> bytes:
    """In a worker: read, but for one part."""
    if "m20.py" in paths:
        os._exit(1)
    return _read_batch(root, paths)


_read_batch = workers._read_batch


@pytest.mark.skipif(
    not _FORKS, reason="a worker that is started anew does not know what is replaced"
)
@pytest.mark.parametrize("meanwhile", [[], ["m20.py"], ["m4.py", "m21.py", "m39.py"]])
def test_a_worker_that_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: list[str]
) -> None:
    write(tmp_path)
    monkeypatch.setattr(workers, "_read_batch", fall_over)
    asked: list[str] = []
    load = Loader(tmp_path, 2)
    with load.reading(["m0.py"], follower(asked)):
        for wanted in meanwhile:
            assert load(wanted).lines
    assert sorted(load.paths) == sorted(set(asked)) == sorted(f"m{n}.py" for n in range(_FILES))
