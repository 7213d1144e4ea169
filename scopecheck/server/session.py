"""What is found in one folder that an editor has open, with its files as they are in the editor.

The first look is a run like any other, on what is on disk, and uses its cache. From then on facts
and findings are held in memory: an edit of a test file is answered by linking that file alone (see
`scopecheck.edited`), and whatever that cannot answer by linking the suites again.

A text that is no Python, as code is while it is typed, changes nothing but what is said of its own
file: the suites stay as the last text that could be read had them.
"""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scopecheck.checked import after_edits, checked, kept_look
from scopecheck.commands.accepted import baseline_file, known_findings
from scopecheck.commands.session import set_up, with_rules
from scopecheck.config import ConfigError
from scopecheck.disk import noting
from scopecheck.files import DiscoveryError
from scopecheck.kept import Held
from scopecheck.read import read
from scopecheck.repair.rounds import key_of
from scopecheck.rulebook import UnknownRuleError
from scopecheck.run import chosen_rules, repair, told
from scopecheck.source import Source, decode, relative
from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scopecheck.baseline import Key
    from scopecheck.checked import Looked
    from scopecheck.commands.options import CheckOptions
    from scopecheck.config import Settings
    from scopecheck.edited import Asked
    from scopecheck.facts import FileFacts, ReadError
    from scopecheck.finding import Finding
    from scopecheck.fix.diff import Change
    from scopecheck.project import Project

_log = logging.getLogger("scopecheck")


class Trouble(Exception):  # noqa: N818 - what a person is told, not a bug
    """Why nothing can be found; says so in words for a user."""


class Told(NamedTuple):
    """What is found now.

    findings: by the path of their primary place, in the order of reports.
    broken: files whose text cannot be read at the moment, with the reason.
    notes: what a person is told of the whole, a sentence each.
    """

    findings: Mapping[str, tuple[Finding, ...]]
    broken: Mapping[str, ReadError]
    notes: tuple[str, ...] = ()


class Mended(NamedTuple):
    """What a fix writes: the text of each file before and after, by path; else why nothing."""

    texts: Mapping[str, tuple[str, str]]
    reason: str = ""


class Opened(NamedTuple):
    """A project as it is on disk now, and what is asked of it.

    paths: that findings are to touch. known: the entries of a baseline.
    """

    project: Project
    settings: Settings
    paths: list[Path]
    known: dict[Key, int] | None = None


def opened(folder: Path, options: CheckOptions) -> Opened:
    """The project that a folder belongs to; options as of `check`.

    Raises:
        Trouble: the settings are wrong.
    """
    try:
        setup = set_up([], options, folder)
        settings = with_rules(setup.loaded.settings, options)
        known = known_findings(baseline_file(setup.loaded, options), options)
    except Refused as error:
        raise Trouble(error.message) from None
    return Opened(setup.project, settings, setup.paths, known)


class Session:
    """One folder; one thread at a time.

    root: of the project that the folder belongs to; paths are relative to it.

    Args:
        folder: that the editor has open.
        open_: the project that it belongs to, as it is on disk.
    """

    def __init__(self, folder: Path, open_: Callable[[], Opened]) -> None:
        self.folder = folder
        self.root = folder
        self._open = open_
        self._project: Project
        self._looked: Looked
        self._held: Held
        self._members: frozenset[str] = frozenset()
        self._paths: list[Path] = []
        self._known: dict[Key, int] | None = None
        self._broken: dict[str, tuple[ReadError, str]] = {}
        self._started = False

    def start(self, texts: Mapping[Path, str]) -> Told:
        """Look at all, as it is on disk; then at texts that the editor has instead, by file.

        Raises:
            Trouble: the settings are wrong, or the files cannot be had.
        """
        self._started = False
        self._project, settings, self._paths, self._known = self._open()
        self.root = self._project.root
        try:
            looked = checked(self._project, self._paths, settings, chosen_rules(settings))
        except (ConfigError, DiscoveryError, UnknownRuleError) as error:
            raise Trouble(str(error)) from None
        notes: tuple[str, ...] = ()
        if self._project.cache is not None:
            trouble = self._project.cache.save()
            notes = (trouble,) if trouble else ()
            # What is found from now on is not what is on disk.
            self._project.cache = None
        self._hold(looked.asked, Held(looked.made, looked.base()))
        self._broken = {}
        self._started = True
        told = self.edit(texts)
        return told._replace(notes=(*notes, *told.notes))

    def edit(self, texts: Mapping[Path, str | None]) -> Told:
        """Look again after edits: texts by file, None for what is on disk.

        Before a start that went well, nothing is found.

        Raises:
            Trouble: as of `start`.
        """
        if not self._started:
            return Told({}, {})
        before: dict[str, FileFacts] = {}
        for file, text in texts.items():
            path = relative(self.root, file)
            if path.endswith(".py"):
                facts = self._taken(path, text)
                if facts is not None:
                    before[path] = facts
        if before:
            self._look_again(before)
        return self._told()

    def has(self, file: Path) -> bool:
        """Whether a file is one of those that were looked at."""
        return self._started and relative(self.root, file) in self._members

    def fix(self, finding: Finding, title: str) -> Mended:
        """What a fix of a finding writes, after it was proved."""
        return self._mended(lambda one: _same(one, finding), title, unsafe=True)

    def fix_all(self, path: str) -> Mended:
        """What the safe fixes of all findings in a file write, after they were proved."""
        return self._mended(lambda one: one.fault.place.path == path, "", unsafe=False)

    def silence(self, finding: Finding) -> Mended:
        """What a comment writes that silences a finding."""
        from scopecheck.silence import silence

        silenced = silence([finding], self._project.load.source)
        return self._written(silenced.changes, "no comment can silence it")

    def text(self, path: str) -> str:
        """The text of a file of the project, as the editor has it; empty where it cannot be had."""
        if path in self._broken:
            return self._broken[path][1]
        source = self._project.load.source(path)
        return "" if source is None else source.text

    def settle(self) -> None:
        """Clean up, when nobody waits: collections are off while something is looked at."""
        gc.collect()

    def _taken(self, path: str, text: str | None) -> FileFacts | None:
        """Take a text for a file; the facts of before, where suites have it and it is another."""
        load = self._project.load
        of_suites = path in self._members
        before = load(path) if of_suites else None
        if text is None:
            self._broken.pop(path, None)
            load.withdraw(path)
            return before
        held = load.source(path)
        if held is not None and held.text == text:
            self._broken.pop(path, None)
            return None
        source = Source(path, text, "utf-8", bom=False)
        if held is not None:
            source = msgspec.structs.replace(held, text=text)
        facts = read(source)
        if facts.error is not None:
            self._broken[path] = facts.error, text
            if held is not None and before is not None:
                # The text that the facts are of, whatever is saved meanwhile.
                load.provide(path, held, before)
            return None
        self._broken.pop(path, None)
        load.provide(path, source, facts)
        if before is None:
            # Should a file of the suites come to import it, it is as it is in the editor.
            load.forget([path])
        return before

    def _look_again(self, before: Mapping[str, FileFacts]) -> None:
        project = self._project
        self._started = False
        try:
            with noting() as notes:
                found = after_edits(project, self._held, before, notes, self._looked.asked)
        except Exception:
            # As in a run of `check`: what was held may be what is wrong.
            _log.exception("an edit is looked at again, with all files")
            found = None
        if found is None:
            self._link()
        else:
            self._hold(self._looked.asked, found)
        self._started = True

    def _link(self) -> None:
        """Look at all, with the facts that are held."""
        asked, load = self._looked.asked, self._project.load
        load.forget(list(load.paths))
        try:
            looked = checked(self._project, self._paths, asked.settings, asked.chosen)
        except (ConfigError, DiscoveryError) as error:
            raise Trouble(str(error)) from None
        self._hold(looked.asked, Held(looked.made, looked.base()))

    def _hold(self, asked: Asked, found: Held) -> None:
        """Hold what was found and what it rests on, without the suites."""
        self._held = found
        self._members = frozenset(found.checked.paths)
        self._looked = kept_look(self._project, asked, found)

    def _told(self) -> Told:
        analysis = told(self._project, self._paths, self._looked, known=self._known)
        findings: dict[str, list[Finding]] = {}
        for finding in analysis.findings:
            findings.setdefault(finding.fault.place.path, []).append(finding)
        kept = {path: tuple(found) for path, found in findings.items() if path not in self._broken}
        return Told(
            kept, {path: error for path, (error, _) in self._broken.items()}, analysis.notes
        )

    def _mended(self, wanted: Callable[[Finding], bool], title: str, *, unsafe: bool) -> Mended:
        project, asked = self._project, self._looked.asked
        with project.load.trying():
            repaired = repair(
                self._paths,
                project=project,
                settings=asked.settings,
                known=self._known,
                unsafe=unsafe,
                wanted=wanted,
                title=title,
            )
        project.config_texts.clear()
        reason = "; ".join(repaired.dropped) or "nothing is to be mended any more"
        return self._written(repaired.changes, reason)

    def _written(self, changes: Sequence[Change], reason: str) -> Mended:
        texts = dict(map(_texts, changes))
        # What the editor shows is another text.
        broken = [path for path in texts if path in self._broken]
        if broken:
            return Mended({}, f"{broken[0]} cannot be read at the moment")
        return Mended(texts, "" if texts else reason)


def _same(one: Finding, other: Finding) -> bool:
    return key_of(one) == key_of(other) and one.fault.message == other.fault.message


def _texts(change: Change) -> tuple[str, tuple[str, str]]:
    """The texts of a file, without the byte order mark that editors do not show either."""
    after = decode(change.path, change.after).text
    before = "" if change.before is None else decode(change.path, change.before).text
    return change.path, (before, after)
