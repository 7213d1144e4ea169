"""Turns a git revision into what changed since, and says which findings that touched or caused.

    change      lines that are new or altered, in files as they are now; and files that are new,
                gone, or have another name
    touched     a finding with a place, or an affected test, in a function of which a line changed
    caused      a finding about absence, where something was taken away that could have been it

The range begins where HEAD and the revision parted (`git merge-base`), so that what others did
since is not counted, and ends at the working tree, untracked files included: that is what is
analysed.
"""

from __future__ import annotations

import os
import re
import subprocess
from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from scopecheck.source import WHOLE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from scopecheck.finding import Finding, Place

# What git shows must not depend on what a user or a repository configured.
_DIFF = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--relative",
    "--find-renames",
    "--ignore-submodules=none",
)
_SUBMODULE = b"160000"
_WORD = re.compile(rb"[^\W\d]\w*")
_DEFINED = re.compile(r"^\s*(?:async\s+def|def|class)\s+(\w+)|^(\w+)\s*(?::[^=]*)?=(?!=)")
_BRINGS = re.compile(rb"""\b(?:import|pytest_\w+|globals|setattr)\b|^\s*["'][\w.]+["'],?\s*$""")
_QUOTED = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[^\W\d]\w*")
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f"}
_ESCAPES[b"r"] = b"\r"


class SinceError(Exception):
    """There is no git, no repository or no such revision; says so in words for a user."""


class Changes(msgspec.Struct, frozen=True):
    """What differs between a revision and the working tree, by paths relative to the root.

    lines: of files that were altered, the numbers of changed lines, sorted.
    whole: files that are new, or that pytest takes for something else by their new name.
    folders: those that git does not look into, with a `/`. altered: files that are not new.
    cut: files that are gone, or lost lines that bring in names: imports, plugins, hooks.
    words: identifiers in the lines that were taken away. undefined: names that a `def`, a `class`
        or an assignment gave, and that none gives any more.
    note: what a user should know of how the range was found.
    """

    lines: Mapping[str, tuple[int, ...]] = {}
    whole: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    altered: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    undefined: frozenset[str] = frozenset()
    note: str = ""

    def within(self, path: str, first: int, last: int) -> bool:
        """Whether one of these lines of a file changed."""
        if self.is_whole(path):
            return True
        lines = self.lines.get(path, ())
        after = bisect_right(lines, last)
        return after > 0 and lines[after - 1] >= first

    def is_whole(self, path: str) -> bool:
        """Whether all of a file counts as changed."""
        return path in self.whole or path.startswith(self.folders)

    def any_in(self, path: str) -> bool:
        """Whether anything in a file changed."""
        return path in self.altered or self.is_whole(path)


class Lines(msgspec.Struct, frozen=True):
    """Where a test's function stands, decorators included."""

    path: str
    first: int
    last: int


def is_due(
    finding: Finding,
    changes: Changes,
    extent: Callable[[Place], tuple[int, int]],
    tests: Callable[[str], Iterable[Lines]],
) -> bool:
    """Whether the changes touched or caused a finding.

    Args:
        finding: the finding.
        changes: since the revision.
        extent: the lines that belong to a place: those of the function it stands in.
        tests: where the tests of a node id stand.
    """
    fault = finding.fault
    for place in (fault.place, *fault.related):
        if place.span == WHOLE_FILE or not place.path.endswith(".py"):
            if changes.any_in(place.path):
                return True
        elif changes.within(place.path, *extent(place)):
            return True
    if any(
        changes.within(test.path, test.first, test.last)
        for nodeid in fault.tests
        for test in tests(nodeid)
    ):
        return True
    names = _names(finding)
    if names & changes.undefined:
        return True
    return bool(fault.searched) and (
        bool(names & changes.words)
        or any(
            path in changes.cut
            or changes.is_whole(path)
            or (not path.endswith(".py") and path in changes.altered)
            for path in fault.searched
        )
    )


def _names(finding: Finding) -> set[str]:
    """The identifiers that a finding speaks of."""
    fault = finding.fault
    quoted = " ".join(_QUOTED.findall(fault.message))
    return {*_NAME.findall(quoted), fault.symbol.rpartition("::")[2]}


def changes_since(root: Path, revision: str) -> Changes:
    """What changed below a root since a revision.

    Raises:
        SinceError: there is no git, no repository or no such revision.
    """
    _git(root, "rev-parse", "--show-prefix", failure=f"--since: {root} lies in no git repository")
    base, note = _start(root, revision)
    raw = _git(root, *_DIFF, "--raw", "-z", "--abbrev=40", base, "--")
    files = _Files()
    files.read_raw(raw)
    files.read_patch(
        _git(root, *_DIFF, "--unified=0", "--text", "--inter-hunk-context=0", "--src-prefix=a/",
             "--dst-prefix=b/", base, "--", "*.py")
    )  # fmt: skip
    for path in _git(root, "ls-files", "--others", "--exclude-standard", "-z").split(b"\0"):
        if path:
            files.whole.add(os.fsdecode(path))
    return files.changes(note)


def _start(root: Path, revision: str) -> tuple[str, str]:
    """The commit that the range begins after, and what to say about it."""
    if ".." in revision:
        raise SinceError(
            f"--since {revision}: name one revision; the range ends at the working tree"
        )
    # What begins with a dash would be an option to a git that does not know --end-of-options.
    named = "" if revision.startswith("-") else f"{revision}^{{commit}}"
    failure = f"--since {revision}: git knows no such revision"
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", named)
    shown = _git(root, *arguments, failure=failure).split()
    if not named or not shown:
        raise SinceError(failure)
    commit = shown[-1].decode("ascii", "replace")
    try:
        common = _git(root, "merge-base", commit, "HEAD").split()
    except SinceError:
        common = []
    if common:
        return common[0].decode("ascii", "replace"), ""
    return commit, (
        f"--since {revision}: no commit that HEAD has in common with it is here (a shallow "
        "clone?); compared with the revision itself"
    )


def _git(root: Path, *arguments: str, failure: str = "") -> bytes:
    command = ["git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        result = subprocess.run(
            command, cwd=root, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise SinceError(f"--since needs git, which cannot be run: {error.strerror}") from None
    if result.returncode:
        said = result.stderr.decode("utf-8", "replace").strip()
        if failure and said:
            failure = f"{failure} ({said.splitlines()[0]})"
        raise SinceError(failure or f"--since: `git {arguments[0]}` failed: {said}")
    return result.stdout


class _Files:
    """What git says about each file, as it is read."""

    def __init__(self) -> None:
        self.lines: defaultdict[str, set[int]] = defaultdict(set)
        self.whole: set[str] = set()
        self.altered: set[str] = set()
        self.cut: set[str] = set()
        self.words: set[str] = set()
        self._removed: set[str] = set()
        self._added: set[str] = set()

    def changes(self, note: str) -> Changes:
        """All of it, made up."""
        return Changes(
            lines={path: tuple(sorted(lines)) for path, lines in self.lines.items()},
            whole=frozenset(self.whole),
            folders=tuple(path for path in sorted(self.whole) if path.endswith("/")),
            altered=frozenset(self.altered),
            cut=frozenset(self.cut),
            words=frozenset(self.words),
            undefined=frozenset(self._removed - self._added),
            note=note,
        )

    def read_raw(self, data: bytes) -> None:
        """`:old-mode new-mode old-id new-id status NUL path NUL`, a rename with a second path."""
        fields = iter(data.split(b"\0"))
        for head in fields:
            if not head:
                continue
            old_mode, new_mode, _, _, status = head[1:].split()
            path = os.fsdecode(next(fields))
            new = os.fsdecode(next(fields)) if status[:1] in b"RC" else path
            self.altered.add(new)
            if _SUBMODULE in (old_mode, new_mode):
                self.whole.add(f"{new}/")
            elif status[:1] in b"ATU" or (path != new and _role(path) != _role(new)):
                self.whole.add(new)
            if status[:1] in b"DR":
                self.cut.add(path)

    def read_patch(self, data: bytes) -> None:
        """A patch without context, of Python files."""
        path = ""
        lines = iter(data.split(b"\n"))
        for line in lines:
            hunk = _HUNK.match(line)
            if line.startswith((b"--- ", b"+++ ")) and not line.endswith(b" /dev/null"):
                path = _patch_path(line)
            elif hunk:
                old, start, new = (int(part) if part else 1 for part in hunk.groups())
                removed = list(_taken(lines, b"-", old))
                added = list(_taken(lines, b"+", new))
                self._read_hunk(path, removed, added, start)

    def _read_hunk(self, path: str, removed: list[bytes], added: list[bytes], start: int) -> None:
        for line in removed:
            self.words.update(word.decode("utf-8", "replace") for word in _WORD.findall(line))
        self._removed.update(_defined(removed))
        self._added.update(_defined(added))
        if any(map(_BRINGS.search, removed)):
            self.cut.add(path)
        if added:
            self.lines[path].update(range(start, start + len(added)))
        else:
            self.lines[path].update(_beside(removed, start))


def _role(path: str) -> str:
    """What pytest makes of a file by its name and place: a conftest is one for its folder."""
    folder, _, name = path.rpartition("/")
    stem = name.removesuffix(".py")
    if name == "conftest.py":
        return folder
    return "test" if stem.startswith("test_") or stem.endswith("_test") else ""


def _taken(lines: Iterator[bytes], sign: bytes, number: int) -> Iterator[bytes]:
    """The next lines of a hunk, without their sign; notes about a missing end of line are not."""
    while number > 0:
        line = next(lines, None)
        if line is None:
            return
        if line.startswith(sign):
            number -= 1
            yield line[1:]


def _beside(removed: list[bytes], line: int) -> Iterator[int]:
    """The lines that are changed by what is gone between this one and the next.

    A whole definition that is gone changes neither of its neighbours, decorators that are gone
    change what follows them, and everything else changes what it followed.
    """
    code = [text.strip() for text in removed if text.strip()]
    if not code:
        return
    if not code[0].startswith((b"@", b"def ", b"async def ", b"class ")):
        yield line
    if code[-1].startswith((b"@", b")")):
        yield line + 1


def _defined(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        if match := _DEFINED.match(line.decode("utf-8", "replace")):
            yield match[1] or match[2]


def _patch_path(line: bytes) -> str:
    """The path in a `--- a/x` or `+++ b/x` line, which git quotes if it has odd characters."""
    name = line[4:].removesuffix(b"\t")
    if name.startswith(b'"') and name.endswith(b'"'):
        name = _ESCAPE.sub(_unescaped, name[1:-1])
    return os.fsdecode(name[2:])


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _ESCAPES.get(code, code)
