"""Reads files in worker processes, while the process that asks for them goes on."""

from __future__ import annotations

import signal
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scopecheck.readings import Packed, no_collection, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future, ProcessPoolExecutor
    from types import TracebackType

BATCH_BYTES = 200_000
# A file larger than this is not split off to a worker with others: it is read alone.
LARGE_FILE = 1_000_000
_BATCH = msgspec.msgpack.Decoder(list[Packed])


class Ahead:
    """Files that are being read; those that others lead to before those that were named.

    They are read while a `with` block of it runs, which ends its workers: at once where an
    exception leaves the block.

    left: the files that are not read any more, where no workers could be had or one died.

    Args:
        root: what paths are relative to.
        jobs: processes to read with, at the most.
        sizes: the files to begin with, each with how many bytes it has.
        take: keeps what workers read; which files are to be read after it.
        here: reads one file in this process; which files are to be read after it.
    """

    def __init__(
        self,
        root: Path,
        jobs: int,
        sizes: Mapping[str, int],
        take: Callable[[list[Packed]], Mapping[str, int]],
        here: Callable[[str], Mapping[str, int]],
    ) -> None:
        self.left: list[str] = []
        self._root = str(root)
        self._jobs = min(jobs, sum(sizes.values()) // BATCH_BYTES + 1)
        self._take = take
        self._here = here
        self._waiting: dict[str, None] = {}
        self._led, self._named = _Parts(), _Parts()
        self._sent: deque[tuple[Future[bytes], list[str]]] = deque()
        self._pool: ProcessPoolExecutor | None = None
        # Conftests first, since linking begins with what they import. Then large files: their trees
        # take most memory, and this process has little as yet.
        self._add(dict(sorted(sizes.items(), key=_when)), self._named)

    def __enter__(self) -> Ahead:
        from multiprocessing import get_start_method

        if get_start_method() == "fork":
            # Imported once for all workers, and not by each.
            import scopecheck.read.module  # noqa: F401
        self._trying(self._send)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            if kind is None:
                self._pool.shutdown()
            else:
                _end(self._pool)

    def look(self) -> None:
        """Take what workers have sent meanwhile, and give them more to do; waits for nothing."""
        while self._sent and self._sent[0][0].done():
            self._trying(self._next)

    def wait_for(self, path: str) -> None:
        """Go on until a file is read, if it is among those that will be."""
        while path in self._waiting:
            self._trying(self._next)

    def finish(self) -> None:
        """Go on until everything is read, apart from what is `left`."""
        while self._waiting:
            self._trying(self._next)

    def _trying(self, step: Callable[[], None]) -> None:
        from concurrent.futures.process import BrokenProcessPool

        try:
            step()
        except (BrokenProcessPool, OSError, UnicodeEncodeError):
            # No workers to be had (a sandbox, a full machine), or facts that cannot be sent: the
            # same work, one process.
            if self._pool is not None:
                _end(self._pool)
                self._pool = None
            self.left = list(self._waiting)
            self._waiting.clear()
            self._sent.clear()

    def _add(self, sizes: Mapping[str, int], parts: _Parts) -> None:
        for path, size in sizes.items():
            self._waiting[path] = None
            parts.add(path, size)

    def _send(self) -> None:
        """Give the workers so much that none waits for this process, and no more.

        What others lead to can go before what still waits here.
        """
        if self._pool is None:
            from concurrent.futures import ProcessPoolExecutor

            self._pool = ProcessPoolExecutor(self._jobs, initializer=_leave_interrupts)
        while len(self._sent) <= 2 * self._jobs:
            # What is less than a part waits for more, unless somebody waits for work; but not what
            # others lead to, for which linking may wait.
            whole = len(self._sent) > self._jobs
            part = self._led.next(whole=False) or self._named.next(whole=whole)
            if not part:
                return
            self._sent.append((self._pool.submit(_read_batch, self._root, part), part))

    def _next(self) -> None:
        """Take what was sent first, or read a large file here."""
        self._send()
        large = self._led.large or self._named.large
        if large:
            path = large.pop()
            del self._waiting[path]
            new = self._here(path)
        else:
            future, part = self._sent.popleft()
            new = self._take(_BATCH.decode(future.result()))
            # Not before: what could not be taken is `left`.
            for path in part:
                del self._waiting[path]
        self._add(new, self._led)
        self._send()


class _Parts:
    """Files, put together to parts of which each is worth sending to a worker.

    large: those that are read alone, by the process that asks.
    """

    def __init__(self) -> None:
        self.large: list[str] = []
        self._parts: deque[list[str]] = deque([[]])
        self._size = 0

    def add(self, path: str, size: int) -> None:
        """Put a file of so many bytes with the others."""
        if size > LARGE_FILE:
            self.large.append(path)
            return
        self._parts[-1].append(path)
        self._size += size
        if self._size >= BATCH_BYTES:
            self._parts.append([])
            self._size = 0

    def next(self, *, whole: bool) -> list[str]:
        """The next part, which is taken out; empty for none. whole: not one that is still small."""
        if len(self._parts) > 1:
            return self._parts.popleft()
        if whole:
            return []
        last, self._parts[-1], self._size = self._parts[-1], [], 0
        return last


def _when(one: tuple[str, int]) -> tuple[bool, bool]:
    path, size = one
    return not path.endswith("conftest.py"), size < BATCH_BYTES // 2


def _end(pool: ProcessPoolExecutor) -> None:
    """Stop the workers now. (`terminate_workers`, which does this, came with Python 3.14.)"""
    workers = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()


def _leave_interrupts() -> None:
    """In a worker: a terminal interrupts all processes, and the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_batch(root: str, paths: Iterable[str]) -> bytes:
    """In a worker: the facts of some files, encoded."""
    folder = Path(root)
    with no_collection():
        return msgspec.msgpack.encode([read_file(folder, path).packed() for path in paths])
