"""Turns paths into facts: reads each file once, in parallel when there is enough to read."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from scopecheck.cache.packed import unpack
from scopecheck.disk import Seen, digest_of, note_file, note_text, read_stamped
from scopecheck.facts import ASKED_WORDS
from scopecheck.literals import occurs, one_of
from scopecheck.readings import no_collection, read_file
from scopecheck.source import Source, SourceError, decode, read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any, TypeAlias, TypeVar

    from scopecheck.cache import Cache
    from scopecheck.evidence import Emitted, EventForms, EventUse
    from scopecheck.facts import FileFacts, Function
    from scopecheck.readings import Packed
    from scopecheck.workers import Ahead

    Follow: TypeAlias = Callable[[str], Iterable[str]]
    T = TypeVar("T")

# Starting workers costs about as much as reading this many bytes (measured on two cores).
_PARALLEL_BYTES = 1_500_000
_KEPT_FUNCTIONS = 256
_WORD_BITS = {word: 1 << at for at, word in enumerate(ASKED_WORDS)}


def _no_more(_: str) -> Iterable[str]:
    """Nothing is read because of another file."""
    return ()


class Loader:
    """The facts of a project's files, read when first asked for and kept.

    lacking: patterns that were looked for in a text and match nothing there, by the file's path;
        matching: those that match.

    Args:
        root: what paths are relative to.
        jobs: processes to read with; 0 for one a core.
        cache: keeps the facts of files for the next run.
    """

    def __init__(self, root: Path, jobs: int = 0, cache: Cache | None = None) -> None:
        self.root = root
        self.jobs = jobs or _cores()
        self.cache = cache
        self.lacking: dict[str, dict[str, None]] = {}
        self._facts: dict[str, FileFacts] = {}
        self._digests: dict[str, bytes] = {}
        self._aside: dict[str, FileFacts] = {}
        self._texts: dict[str, Source] = {}
        self.matching: dict[str, dict[str, None]] = {}
        self._last = ("", "")
        self._latest: Source | None = None
        self._ahead: Ahead | None = None
        self._found: dict[object, dict[str, tuple[FileFacts, Any]]] = {}
        self._read_again: dict[tuple[str, Function, frozenset[str]], FileFacts | None] = {}

    def __call__(self, path: str) -> FileFacts:
        """One file's facts."""
        facts = self._facts.get(path)
        if facts is None and self._ahead is not None:
            self._ahead.wait_for(path)
            facts = self._facts.get(path)
        if facts is None:
            facts = self._kept(path)
        if facts is None:
            facts = self._read(path)
        return facts

    def _read(self, path: str) -> FileFacts:
        """One file's facts, read here."""
        reading = read_file(self.root, path)
        try:
            packed = reading.packed()
        except UnicodeEncodeError:
            # A path that is no text is kept in no cache.
            self._facts[path] = reading.facts
            self._digests[path] = reading.digest
            note_file(Seen(f"{self.root}{os.sep}{path}", reading.stamp, reading.digest))
            return reading.facts
        return self._take(packed)

    def _kept(self, path: str) -> FileFacts | None:
        """The facts that this run or an earlier one kept, if the file is what it was."""
        if path in self._aside:
            self._facts[path] = self._aside.pop(path)
            return self._facts[path]
        if self.cache is None:
            return None
        facts = self.cache.facts.find(path)
        if facts is not None:
            self._facts[path] = facts
        return facts

    def _take(self, packed: Packed) -> FileFacts:
        facts = unpack(packed.facts)
        self._facts[facts.path] = facts
        self._digests[facts.path] = packed.digest
        note_file(Seen(f"{self.root}{os.sep}{facts.path}", packed.stamp, packed.digest))
        if self.cache is not None and packed.stamp is not None and packed.lasts:
            self.cache.facts.add(facts.path, packed.stamp, packed.digest, packed.facts)
        return facts

    @property
    def paths(self) -> Iterable[str]:
        """Every file read so far."""
        return self._facts

    def forget(self, paths: Iterable[str]) -> None:
        """Take these files for ones that nobody asked for."""
        self._drop_texts()
        for path in paths:
            self._aside[path] = self._facts.pop(path)

    def source(self, path: str) -> Source | None:
        """A file's text as it is now; None where it cannot be read."""
        if path in self._texts:
            return self._texts[path]
        try:
            return decode(path, read_bytes(self.root / path))
        except SourceError:
            return None

    def unnoted(self, path: str) -> Source | None:
        """A file's text as it is now, where what was read of it is noted otherwise."""
        if path in self._texts:
            return self._texts[path]
        try:
            data, _ = read_stamped(f"{self.root}{os.sep}{path}")
            return decode(path, data)
        except (OSError, SourceError):
            return None

    def note(self, path: str) -> None:
        """Note that a file's text was read."""
        note_text(f"{self.root}{os.sep}{path}")

    def having(self, path: str, words: Iterable[str]) -> list[str]:
        """Those of the words that occur in a file's text, wherever."""
        lacking = self.lacking.setdefault(path, {})
        asked = [word for word in words if _escaped(word) not in lacking]
        if not asked:
            return asked
        text = self._text(path)
        found = [word for word in asked if word in text]
        if found:
            matching = self.matching.setdefault(path, {})
            matching.update((_escaped(word), None) for word in found)
        if len(found) < len(asked):
            lacking.update((_escaped(word), None) for word in asked if word not in found)
        return found

    def has(self, path: str, pattern: re.Pattern[str]) -> bool:
        """Whether a pattern, which has no flags, matches in a file's text."""
        assert pattern.flags == re.UNICODE
        known, matching = pattern.pattern, self.matching.setdefault(path, {})
        lacking = self.lacking.setdefault(path, {})
        if known not in lacking and known not in matching:
            there = self._may_match(path, pattern) and occurs(pattern, self._text(path))
            (matching if there else lacking)[known] = None
        return known in matching

    def _may_match(self, path: str, pattern: re.Pattern[str]) -> bool:
        """Whether a pattern may match in a file's text, by the words that were read with it."""
        words = one_of(pattern)
        if not words or not _WORD_BITS.keys() >= set(words):
            return True
        there = self(path).words
        return any(there & _WORD_BITS[word] for word in words)

    def may_name(self, path: str, words: Iterable[str]) -> bool:
        """Whether one of the words may be a name in a file, by its text as it is now.

        (A name in other letters than those of ASCII may stand for one in these.)
        """
        text = self._text(path)
        return any(word in text for word in words) or not text.isascii()

    def matches(self, path: str, pattern: str) -> bool:
        """Whether a pattern, as it was looked for before, matches in a file's text."""
        return re.search(pattern, self._text(path)) is not None

    def _text(self, path: str) -> str:
        if path in self._texts:
            return self._texts[path].text
        if path != self._last[0]:
            source = self.unnoted(path)
            self._last = (path, "" if source is None else source.text)
        return self._last[1]

    def function(
        self, path: str, function: Function, loop_names: frozenset[str] = frozenset()
    ) -> FileFacts | None:
        """The facts of one function with all that its body does; None where it cannot be read.

        Several checks ask for one function, and the suites of a project for one that they share.
        """
        key = (path, function, loop_names)
        if key not in self._read_again:
            from scopecheck.read import read_function

            source = self._source_again(path)
            if len(self._read_again) >= _KEPT_FUNCTIONS:
                self._read_again.clear()
            found = None if source is None else read_function(source, function, loop_names)
            self._read_again[key] = found
        return self._read_again[key]

    def found(self, path: str, find: Callable[[FileFacts], T]) -> T:
        """What a function finds in a file's facts, kept for all suites that have the file."""
        facts, kept = self(path), self._found.setdefault(find, {})
        known = kept.get(path)
        if known is None or known[0] is not facts:
            known = kept[path] = (facts, find(facts))
        found: T = known[1]
        return found

    def events(self, path: str, function: Function, forms: EventForms) -> EventUse | None:
        """What one function has to do with events; None for nothing, or where it cannot be read."""
        from scopecheck.read import read_function_events

        source = self._source_again(path)
        return None if source is None else read_function_events(source, function, forms)

    def _drop_texts(self) -> None:
        """Forget what was kept of texts."""
        self._last, self._latest = ("", ""), None
        self._read_again.clear()

    def _source_again(self, path: str) -> Source | None:
        """A file's text; several functions of one file are asked for in turn."""
        if self._latest is None or self._latest.path != path:
            self._latest = self.unnoted(path)
        return self._latest

    def emitted(self, path: str) -> Emitted:
        """The names of events that a module of the application sends."""
        from scopecheck.evidence import Emitted
        from scopecheck.read.emitted import read_emitted

        source = self.source(path)
        return Emitted() if source is None else read_emitted(source)

    def is_as_read(self, path: str, data: bytes) -> bool:
        """Whether the facts of a file were read from this content; True where none were."""
        known = self._digests.get(path)
        if known is None and self.cache is not None and path in self._facts:
            known = self.cache.facts.digest(path)
        return known is None or digest_of(data) == known

    @property
    def provided(self) -> bool:
        """Whether a file's text came from elsewhere than the disk."""
        return bool(self._texts)

    def text_given(self, path: str) -> Source | None:
        """The text that is used in place of what is on disk, if there is one."""
        return self._texts.get(path)

    @property
    def texts_given(self) -> Iterable[str]:
        """The files whose text came from elsewhere than the disk."""
        return self._texts

    def provide(self, path: str, source: Source, facts: FileFacts | None = None) -> None:
        """Use this text for a file in place of what is on disk; facts: its own, if they are known.

        Texts are read here: the caller knows when they change.
        """
        from scopecheck.read import read

        self.withdraw(path)
        self._texts[path] = source
        self._facts[path] = read(source) if facts is None else facts

    def withdraw(self, path: str) -> None:
        """Forget what was read of a file: what is on disk now is read when it is asked for."""
        for known in (self._texts, self._facts, self._aside, self.lacking, self.matching):
            known.pop(path, None)
        self._last, self._latest = ("", ""), None
        for key in [key for key in self._read_again if key[0] == path]:
            del self._read_again[key]

    @contextmanager
    def trying(self) -> Iterator[None]:
        """While the block runs, other texts may be provided; after it all is as it was before."""
        known: tuple[dict[str, Any], ...] = (
            *(self._texts, self._facts, self._aside),
            *(self.lacking, self.matching),
        )
        before = [dict(one) for one in known]
        try:
            yield
        finally:
            for one, kept in zip(known, before, strict=True):
                one.clear()
                one.update(kept)
            self._drop_texts()

    @contextmanager
    def reading(self, paths: Iterable[str], follow: Follow = _no_more) -> Iterator[None]:
        """Read the files that were not read yet, and those that they lead to.

        Where there is much to read, workers do it while the block runs; what the block asks for is
        waited for, and at its end everything has been read. Else that is so at its beginning.

        Args:
            paths: the files.
            follow: what else is to be read once a file is; asked once for each file, and names none
                twice.
        """
        named = dict.fromkeys(paths)
        with no_collection():
            waiting = self._unread(named, follow)
            while waiting:
                sizes = {path: self._size(path) for path in waiting}
                if self.jobs > 1 and len(waiting) > 1 and sum(sizes.values()) >= _PARALLEL_BYTES:
                    # What conftests import is asked for before their tests are.
                    sizes = dict(sorted(sizes.items(), key=lambda one: one[0] in named))
                    break
                waiting = [new for path in waiting for new in self._followed(path, follow)]
        if not waiting:
            yield
            return
        with self._workers(sizes, follow) as ahead:
            self._ahead = ahead
            try:
                yield
                ahead.finish()
            finally:
                self._ahead = None
        with no_collection():
            waiting = self._unread(ahead.left, follow)
            for path in waiting:
                waiting += self._followed(path, follow)

    def look(self) -> None:
        """Take what workers have read meanwhile; to be called now and then in such a block."""
        if self._ahead is not None:
            self._ahead.look()

    def _workers(self, sizes: dict[str, int], follow: Follow) -> Ahead:
        from scopecheck.workers import Ahead

        def take(sent: Iterable[Packed]) -> dict[str, int]:
            paths = [self._take(one).path for one in sent]
            new = self._unread((n for path in paths for n in follow(path)), follow)
            return {path: self._size(path) for path in new}

        def here(path: str) -> dict[str, int]:
            with no_collection():
                return {new: self._size(new) for new in self._followed(path, follow)}

        return Ahead(self.root, self.jobs, sizes, take, here)

    def _unread(self, paths: Iterable[str], follow: Follow) -> list[str]:
        """Those of the files that must be read, and of what the others lead to."""
        unread: list[str] = []
        waiting = list(dict.fromkeys(paths))
        # (The list grows while it is gone through.)
        for path in waiting:
            if path not in self._facts and self._kept(path) is None:
                unread.append(path)
            else:
                waiting += follow(path)
        return unread

    def _followed(self, path: str, follow: Follow) -> list[str]:
        """Read a file here; which files are to be read after it."""
        self(path)
        return self._unread(follow(path), follow)

    def _size(self, path: str) -> int:
        try:
            return os.stat(f"{self.root}{os.sep}{path}").st_size  # noqa: PTH116 - thousands of them
        except OSError:
            return 0


@lru_cache(1024)
def _escaped(word: str) -> str:
    return re.escape(word)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
