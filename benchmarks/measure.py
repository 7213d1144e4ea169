"""Runs a command and measures it: wall and CPU seconds, and memory of all its processes."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROC = Path("/proc")
_PAUSE_S = 0.02


class Cost(NamedTuple):
    """What a run cost; memory in megabytes, as the largest sum of PSS seen over its processes.

    Where the system has no PSS, memory is the largest resident size of one of them.
    """

    wall: float
    cpu: float
    memory: float
    status: int


def run(command: Sequence[str], folder: Path, timeout: float = 1800) -> Cost:
    """One run, its output thrown away.

    Raises:
        subprocess.TimeoutExpired: it took longer; it is ended.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = _Peak(process.pid)
    peak.start()
    try:
        status = process.wait(timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        wall = time.perf_counter() - start
        peak.done.set()
        peak.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(wall, cpu, peak.megabytes or after.ru_maxrss / 1024, status)


class _Peak(threading.Thread):
    """Looks again and again at how much memory a process and those below it have."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.megabytes = 0.0
        self._pid = pid

    def run(self) -> None:
        """Until `done` is set."""
        while not self.done.wait(_PAUSE_S):
            self.megabytes = max(self.megabytes, sum(map(_pss, _tree(self._pid))))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in (_PROC / str(one) / "task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _pss(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
