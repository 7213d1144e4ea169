"""The folder of the cache: files that are whole or not there, whoever else reads and writes them.

A file is written beside its place and then put there in one step, so that a reader sees the old one
or the new one, also where several runs write at once or one is killed. It begins with a line that
names its format, then the length and a checksum of what follows.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from functools import cache, reduce
from pathlib import Path

from scopecheck import __version__
from scopecheck.disk import digest_of, opened
from scopecheck.facts import FACTS_VERSION

_TAG = "CACHEDIR.TAG"
_TAG_TEXT = b"""Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache of scopecheck; it may be deleted at any time.
# See https://bford.info/cachedir/ for what this file is for.
"""
_IGNORE = b"*\n"
_MAGIC = b"scopecheck cache 1\n"
_LARGEST = 256_000_000
"""In bytes: no larger file is written or read."""
_MOST_FILES = 64
_MOST_BYTES = 512_000_000
_ABANDONED_S = 3600
_BEGUN = ".begun-"


class CacheFolder:
    """Where files of the cache lie.

    trouble: why something could not be written, in words for a user.

    Args:
        path: the folder, which need not exist.
        root: the project's; a folder that seems to lie below it must do so.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self._root = root
        self.trouble = ""
        self._written = False

    def read(self, name: str) -> memoryview | None:
        """What was written under a name; None where there is nothing whole."""
        path = f"{self.path}{os.sep}{name}"
        try:
            with opened(path) as file:
                if os.fstat(file.fileno()).st_size > _LARGEST:
                    return None
                data = file.read()
        except (OSError, MemoryError):
            return None
        start = len(_MAGIC) + 12
        if not data.startswith(_MAGIC) or len(data) < start:
            return None
        size = int.from_bytes(data[len(_MAGIC) : start - 4], "little")
        checksum = int.from_bytes(data[start - 4 : start], "little")
        content = memoryview(data)[start:]
        if len(content) != size or zlib.crc32(content) != checksum:
            return None
        return content

    def write(self, name: str, *parts: bytes | memoryview) -> None:
        """Put this content under a name; a failure is noted as `trouble`, and changes nothing."""
        length = sum(map(len, parts))
        if self.trouble or length > _LARGEST:
            return
        size = length.to_bytes(8, "little")
        checksum = reduce(lambda before, part: zlib.crc32(part, before), parts, 0)
        begun = self.path / f"{_BEGUN}{os.getpid()}-{time.time_ns()}"
        try:
            if not self._is_ready():
                return
            try:
                with begun.open("xb") as file:
                    file.writelines((_MAGIC, size, checksum.to_bytes(4, "little"), *parts))
                begun.replace(self.path / name)
                self._written = True
            except BaseException:
                begun.unlink(missing_ok=True)
                raise
        except OSError as error:
            self.trouble = f"the cache {self.path} cannot be written: {error.strerror or error}"

    def prune(self) -> None:
        """After something was written: remove what killed runs left, and the oldest of too much."""
        if not self._written:
            return
        found: list[tuple[float, int, str]] = []
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    if entry.name not in (_TAG, ".gitignore") and entry.is_file():
                        state = entry.stat()
                        found.append((state.st_mtime, state.st_size, entry.path))
            found.sort(reverse=True)
            now, total = time.time(), 0
            for index, (modified, size, path) in enumerate(found):
                total += size
                begun = os.path.basename(path).startswith(_BEGUN)  # noqa: PTH119
                left = begun and now - modified > _ABANDONED_S
                if left or index >= _MOST_FILES or total > _MOST_BYTES:
                    Path(path).unlink(missing_ok=True)
        except OSError:
            return

    def _is_ready(self) -> bool:
        """Make the folder, unless it is there; whether it may be written to.

        One that is there and holds something else is left alone.
        """
        tag = self.path / _TAG
        if self.path.is_relative_to(self._root) and not _is_inside(self.path, self._root):
            self.trouble = f"{self.path} is not used as a cache: a link leads out of {self._root}"
            return False
        if tag.is_file():
            return True
        if self.path.is_dir() and os.listdir(self.path):  # noqa: PTH208
            self.trouble = f"{self.path} is not used as a cache: it holds something else"
            return False
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / ".gitignore").write_bytes(_IGNORE)
        tag.write_bytes(_TAG_TEXT)
        return True

    def clean(self) -> bool:
        """Remove the folder; whether there was one.

        Raises:
            OSError: it cannot be removed.
            ValueError: it does not look like a cache of scopecheck.
        """
        if not self.path.is_dir():
            return False
        if self.path.is_symlink():
            raise ValueError(f"{self.path} is a link; remove what it leads to by hand")
        try:
            with opened(self.path / _TAG) as file:
                own = file.read(len(_TAG_TEXT) + 1) == _TAG_TEXT
        except OSError:
            own = False
        if not own:
            raise ValueError(f"{self.path} is no cache of scopecheck: it has no {_TAG} of it")
        import shutil

        shutil.rmtree(self.path)
        return True


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path, whose end need not exist, lies below a folder when links are followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


@cache
def identity() -> str:
    """What must be the same for anything kept to be used: this program, and the Python it runs on.

    The state of its own files is part of it: a hook may be set up from any commit, and many commits
    have one version.
    """
    python = f"{sys.implementation.name} {sys.version} {sys.platform}"
    own = Path(__file__).parent.parent
    state = _state_of(own, own.parent / "rules")
    return f"{__version__} {FACTS_VERSION} {python} {state}"


def _state_of(*folders: Path) -> str:
    found: list[str] = []
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir():
                        if entry.name != "__pycache__":
                            waiting.append(entry.path)
                    else:
                        state = entry.stat()
                        found.append(f"{entry.path} {state.st_size} {state.st_mtime_ns}")
        except OSError:
            continue
    return digest_of("\n".join(sorted(found)).encode("utf-8", "surrogateescape")).hex()
