"""What a run keeps for the next one: the facts of files, and the findings of suites.

Both are only ever an answer that would be found again: whatever is missing, damaged, of another
version or not to be trusted is made anew, and a cache that cannot be written changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.cache.facts import FactsStore
from scopecheck.cache.folder import CacheFolder
from scopecheck.cache.results import ResultStore

if TYPE_CHECKING:
    from pathlib import Path


class Cache:
    """The cache in one folder.

    Args:
        path: the folder, which need not exist.
        root: what the paths of files are relative to.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.folder = CacheFolder(path, root)
        self.facts = FactsStore(self.folder, root)
        self.results = ResultStore(self.folder)

    def save(self) -> str:
        """Write what is new; why it could not be written, in words for a user, else empty."""
        self.facts.save()
        self.folder.prune()
        return self.folder.trouble


__all__ = ["Cache", "CacheFolder"]
