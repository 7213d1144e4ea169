"""Runs after random edits, each held against a run over the same files without a cache."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from edits import Editor, made, sampled

from scopecheck import checked, edited
from scopecheck.cache import Cache
from scopecheck.config import Settings, load_settings
from scopecheck.files import DiscoveryError
from scopecheck.project import Project
from scopecheck.report.json import document
from scopecheck.run import analyse
from scopecheck.server.session import Opened, Session, Told, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scopecheck.finding import Finding


class Differs(AssertionError):  # noqa: N818 - what a round tells
    """A run after an edit found something else than one without a cache."""


def reported(root: Path, settings: Settings, named: Sequence[Path], *, cached: bool) -> Reported:
    """The JSON report of a run, and what it says beside, without the time that it took."""
    cache = Cache(root / ".scopecheck_cache", root) if cached else None
    project = Project(root, settings, 1, cache)
    analysis = analyse(named, root=root, settings=settings, project=project)
    if cache is not None:
        cache.save()
    report: dict[str, Any] = document(analysis)
    report["summary"]["elapsed_s"] = 0
    report["beside"] = [analysis.suppressed, analysis.notes, analysis.rootdirs]
    return Reported(json.dumps(report, indent=1), analysis.findings)


class Reported(NamedTuple):
    """What a run says: as JSON, and its findings with all that no report has."""

    text: str
    findings: tuple[Finding, ...]


class EditedRuns:
    """Suites, each edited a few times.

    how: how many runs after an edit linked nothing ("kept"), the edited files alone ("alone"), or
        everything ("whole").

    Args:
        paths: real suites to take files from; none stands for suites that are made.
    """

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._paths = paths
        self.how: Counter[str] = Counter()
        self._last = ""

    def once(self, seed: int) -> None:
        """Edit one suite a few times.

        Raises:
            Differs: in one round the two runs differ; it says in which files.
        """
        chance = random.Random(seed)
        root = Path(tempfile.mkdtemp(prefix="edited-"))
        try:
            with _noting(self._note):
                self._rounds(root, chance, seed)
        finally:
            shutil.rmtree(root)

    def _rounds(self, root: Path, chance: random.Random, seed: int) -> None:
        suite = sampled(chance.choice(self._paths), chance) if self._paths else made(chance)
        settings = suite.settings
        files = dict(suite.files)
        wild = chance.random() < 0.3
        _write(root, {}, files)
        try:
            if self._paths:
                settings = load_settings([root], root=root, cwd=root).settings
            reported(root, settings, [], cached=True)
        except (DiscoveryError, ValueError, LookupError):
            return  # a setting of the suite that is wrong
        session = _Session(root, settings)
        trail: list[str] = []
        for number in range(chance.randint(3, 8)):
            before = dict(files)
            if number and chance.random() < 0.3:
                files = dict(suite.files)
                trail.append("all back")
            editor = Editor(files, chance, wild=wild)
            trail += [editor.edit() for _ in range(chance.choice((1, 1, 1, 2)))]
            session.take(before, files)
            _write(root, before, files)
            python = [path for path in files if path.endswith(".py")]
            named = [root / chance.choice(python)] if chance.random() < 0.2 else []
            self._last = "kept"
            after = _tried(root, settings, named, cached=True)
            self.how[self._last] += 1
            whole = _tried(root, settings, named, cached=False)
            if after != whole:
                raise Differs(_told(f"seed {seed}: {self._last}", trail, files, after, whole))
            in_editor = session.findings()
            if in_editor is not None and not named and in_editor != whole.findings:
                held = Reported("\n".join(map(str, in_editor)), in_editor)
                fresh = Reported("\n".join(map(str, whole.findings)), whole.findings)
                raise Differs(_told(f"seed {seed}: a session", trail, files, held, fresh))

    def _note(self, how: str) -> None:
        self._last = how


class _Session:
    """What a language server holds of the same suite, which gets each edit before the disk has it.

    A file more, one less or another configuration it is told of afterwards, by the disk.
    """

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root = root
        self._session = Session(root, lambda: Opened(Project(root, settings, 1), settings, []))
        self._told: Told | None = None
        self._start()

    def _start(self) -> None:
        try:
            self._told = self._session.start({})
        except Trouble:
            self._told = Told({}, {}, ("trouble",))

    def take(self, before: Mapping[str, str], files: Mapping[str, str]) -> None:
        """Take an edit that is not on disk yet."""
        changed = {path: text for path, text in files.items() if before.get(path) != text}
        self._told = None
        if before.keys() == files.keys() and all(map(_may_be_typed, changed.items())):
            self._told = self._session.edit({self._root / path: t for path, t in changed.items()})

    def findings(self) -> tuple[Finding, ...] | None:
        """What it shows; None where there is no telling: a file that cannot be read is left out."""
        if self._told is None:
            self._start()
        told = self._told
        if told is None or told.broken or told.notes:
            return None
        found = (one for each in told.findings.values() for one in each)
        return tuple(sorted(found, key=lambda one: one.sort_key))


def _may_be_typed(edit: tuple[str, str]) -> bool:
    path, text = edit
    # In an editor a text has no encoding that could be wrong.
    return path.endswith(".py") and text.isascii() and "coding" not in text[:200]


@contextmanager
def _noting(note: Callable[[str], None]) -> Iterator[None]:
    """While it is entered, it is noted whether edited files are linked alone."""
    after, link = edited.after_edit, Project.link

    def looked_at(*arguments: Any) -> Any:
        found = after(*arguments)
        if found is not None:
            note("alone")
        return found

    def linked(*arguments: Any) -> Any:
        note("whole")
        return link(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked, "after_edit", looked_at)
        patch.setattr(Project, "link", linked)
        yield


def _tried(root: Path, settings: Settings, named: Sequence[Path], *, cached: bool) -> Reported:
    try:
        return reported(root, settings, named, cached=cached)
    except DiscoveryError as error:
        return Reported(f"{type(error).__name__}: {error}", ())


def _write(root: Path, before: Mapping[str, str], files: Mapping[str, str]) -> None:
    for path in before.keys() - files.keys():
        (root / path).unlink()
    for path, text in files.items():
        if before.get(path) != text:
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8", "surrogatepass"))


def _told(
    how: str, trail: Sequence[str], files: Mapping[str, str], after: Reported, whole: Reported
) -> str:
    return "\n".join([how, *trail[-4:], *_differing(after, whole), *_shown(files)])


def _differing(after: Reported, whole: Reported) -> Iterator[str]:
    found = (after.findings, whole.findings)
    one, other = after.text.splitlines(), whole.text.splitlines()
    yield from (f"only after the edit: {line.strip()}" for line in one if line not in other)
    yield from (f"only in a whole run: {line.strip()}" for line in other if line not in one)
    if after.text == whole.text:
        yield from (
            f"{one!r}\n{other!r}" for one, other in zip(*found, strict=True) if one != other
        )


def _shown(files: Mapping[str, str]) -> Iterator[str]:
    for path, text in files.items():
        if len(text) < 4000:
            yield f"--- {path}\n{text}"
