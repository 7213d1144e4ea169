"""Makes fixes in rounds until nothing is left to mend, and proves each round by linking again.

    look        what the checks find in the files as they are now, of every rule
    candidate   a fix that was made, and the findings that it is for
    round       candidates that touch different text, made together

A round stands if each candidate's findings are gone, no finding is new and every test is still
collected. If not, the candidates to blame are dropped: those whose finding is still there, or else
those that are found by trying the halves of the round, each on top of what stands.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from scopecheck.finding import Fix
from scopecheck.fix.diff import Change
from scopecheck.fix.edits import Overlap, apply, encode
from scopecheck.repair import offers
from scopecheck.source import Source
from scopecheck.suppress import UNUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scopecheck.finding import Edit, Finding
    from scopecheck.project import Project
    from scopecheck.repair.bench import Bench

_MOST_ROUNDS = 100

Key: TypeAlias = tuple[str, str, str]
"""A finding, wherever its lines are: code, path and symbol."""


def key_of(finding: Finding) -> Key:
    """What a finding keeps when lines move."""
    return (finding.code, finding.fault.place.path, finding.fault.symbol)


class Look(NamedTuple):
    """What the checks find in the files as they are.

    asked: the findings that are to be mended. found: those of every rule, asked for or not.
    tests: suite and node id of each test. bench: to make fixes with.
    """

    asked: tuple[Finding, ...]
    found: tuple[Finding, ...]
    tests: frozenset[tuple[str, str]]
    bench: Bench


@dataclass(eq=False)
class _Candidate:
    fix: Fix
    findings: list[Finding] = field(default_factory=list)

    @property
    def first(self) -> Finding:
        return self.findings[0]


class _Dropped(NamedTuple):
    """A fix that was not made: of what, and why; contents: what it would have written."""

    finding: str
    title: str
    reason: str
    contents: tuple[str, ...]

    def told(self, *, left: bool) -> str:
        """A line about it; left: nothing else has mended the finding."""
        if left:
            return f"{self.finding}: not fixed ({self.title}): {self.reason}"
        return f"{self.finding}: fixed, though not so ({self.title}): {self.reason}"


@dataclass
class Repaired:
    """What was mended.

    changes: by path. fixed: how many findings, by code and name of the rule. dropped: a line for
    each fix that was not made, with the reason, and whether another one was made in its place.
    asked: the findings before; left: those after, with what could mend them.
    """

    changes: list[Change]
    fixed: Counter[tuple[str, str]]
    dropped: list[str]
    asked: tuple[Finding, ...]
    left: tuple[Finding, ...]


def repair(
    project: Project, look: Callable[[], Look], *, unsafe: bool, title: str = ""
) -> Repaired:
    """Mend what is asked for, in the project's memory: nothing is written.

    Args:
        project: where the files are; it is left with the texts as they are after the fixes.
        look: runs the checks on the project as it is.
        unsafe: fixes that may change what the tests do are made, too.
        title: of the only fix that may be made; empty for any.
    """
    return _Rounds(project, look, unsafe, title).run()


class _Rounds:
    def __init__(
        self, project: Project, look: Callable[[], Look], unsafe: bool, title: str
    ) -> None:
        self._project = project
        self._look = look
        self._unsafe = unsafe
        self._title = title
        self._texts = _Texts(project)
        self._fixed: Counter[tuple[str, str]] = Counter()
        self._dropped: dict[tuple[Key, str], _Dropped] = {}

    def run(self) -> Repaired:
        before = start = self._look()
        asked = Counter(map(key_of, before.asked))
        known = {key_of(finding) for finding in before.found}
        for _ in range(_MOST_ROUNDS):
            wanted = [
                finding
                for finding in before.asked
                if key_of(finding) in asked
                or (finding.name == UNUSED and key_of(finding) not in known)
            ]
            candidates = self._candidates(before.bench, wanted)
            if not candidates:
                break
            self._bench = before.bench
            made, before = self._settle([], candidates, before, before)
            self._texts.keep()
            for candidate in made:
                for finding in candidate.findings:
                    self._fixed[finding.code, finding.name] += 1
        left = {key_of(finding) for finding in before.asked}
        lines = list(
            dict.fromkeys(d.told(left=key in left) for (key, _), d in self._dropped.items())
        )
        return Repaired(self._texts.changes(), self._fixed, lines, start.asked, before.asked)

    def _candidates(self, bench: Bench, findings: Iterable[Finding]) -> list[_Candidate]:
        """The fixes of one round: none touches what another one does."""
        chosen: dict[tuple[Edit, ...], _Candidate] = {}
        taken = _Taken(self._project)
        for finding in findings:
            fix = self._fix(bench, finding)
            if fix is None:
                continue
            candidate = chosen.get(fix.edits)
            if candidate is None:
                if not taken.add(fix.edits):
                    continue
                candidate = chosen[fix.edits] = _Candidate(fix)
            candidate.findings.append(finding)
        return list(chosen.values())

    def _fix(self, bench: Bench, finding: Finding) -> Fix | None:
        """The first fix of a finding that may be made, can be, and was not tried in vain."""
        for offer in offers(bench, finding):
            if offer.applicability == "unsafe" and not self._unsafe:
                continue
            if self._title and offer.title != self._title:
                continue
            dropped = self._dropped.get((key_of(finding), offer.title))
            fix = bench.attempt(offer)
            if not isinstance(fix, Fix):
                self._drop(finding, offer.title, str(fix))
            elif dropped is None or dropped.contents != _contents(fix):
                # What other fixes have changed since may let it write something else.
                return fix
        return None

    def _drop(self, finding: Finding, title: str, reason: str, fix: Fix | None = None) -> None:
        place = finding.fault.place
        where = f"{place.path}:{place.span.line}: {finding.code}"
        dropped = _Dropped(where, title, reason, () if fix is None else _contents(fix))
        self._dropped[key_of(finding), title] = dropped

    def _settle(
        self,
        standing: list[_Candidate],
        more: list[_Candidate],
        before: Look,
        last: Look,
    ) -> tuple[list[_Candidate], Look]:
        """Those of some candidates that can be made on top of what stands, and the last look.

        before: with what stands and nothing more; last: what is handed back where none can be made.
        """
        if not more:
            return [], last
        self._texts.make([*standing, *more], self._bench)
        after = self._look()
        kept = _still_there(more, before, after)
        if kept:
            for candidate in kept:
                self._blame(candidate, "its finding would still be there")
            return self._again(standing, [c for c in more if c not in kept], before)
        reason = _news(before, after)
        if not reason:
            return more, after
        if len(more) == 1:
            self._blame(more[0], reason)
            return self._again(standing, [], before)
        half = len(more) // 2
        first, middle = self._settle(standing, more[:half], before, before)
        both = [*standing, *first]
        second, end = self._settle(both, more[half:], middle, middle)
        return [*first, *second], end

    def _again(
        self, standing: list[_Candidate], more: list[_Candidate], before: Look
    ) -> tuple[list[_Candidate], Look]:
        if more:
            return self._settle(standing, more, before, before)
        self._texts.make(standing, self._bench)
        return [], before

    def _blame(self, candidate: _Candidate, reason: str) -> None:
        for finding in candidate.findings:
            self._drop(finding, candidate.fix.title, reason, candidate.fix)


def _contents(fix: Fix) -> tuple[str, ...]:
    """What a fix writes, wherever that is by now."""
    return tuple(edit.content for edit in fix.edits)


def _still_there(candidates: list[_Candidate], before: Look, after: Look) -> list[_Candidate]:
    """The candidates whose findings are not gone."""
    was = Counter(map(key_of, before.found))
    now = Counter(map(key_of, after.found))
    aimed = Counter(key_of(finding) for one in candidates for finding in one.findings)
    left = {key for key, number in aimed.items() if now[key] > was[key] - number}
    return [one for one in candidates if any(key_of(f) in left for f in one.findings)]


def _news(before: Look, after: Look) -> str:
    """What there is after a round that was not there before; empty where nothing is."""
    was = Counter(map(key_of, before.found))
    now = Counter(map(key_of, after.found))
    for finding in after.found:
        # A fault that is gone needs no comment that silences it: the next round takes that out.
        if finding.name != UNUSED and now[key_of(finding)] > was[key_of(finding)]:
            place = finding.fault.place
            where = f"{place.path}:{place.span.line}"
            return f"it would bring {finding.code} at {where}: {finding.fault.message}"
    for _, nodeid in sorted(before.tests - after.tests):
        return f"{nodeid} would not be collected any more"
    return ""


class _Taken:
    """The text that the fixes of a round touch."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._edits: dict[str, set[Edit]] = {}

    def add(self, edits: Sequence[Edit]) -> bool:
        """Take the text of these edits; False, and nothing taken, where some of it is taken.

        Two fixes may make one and the same edit, as an import that both need. What one drops an
        import for, another may not use.
        """
        for edit in edits:
            for other in self._edits.get(edit.path, ()):
                if edit != other and _meet(edit, other):
                    return False
        for path in {edit.path for edit in edits if edit.path.endswith(".py")}:
            others = self._edits.get(path)
            own = [edit for edit in edits if edit.path == path]
            if others and self._loses_import(path, [*others, *own]):
                return False
        for edit in edits:
            self._edits.setdefault(edit.path, set()).add(edit)
        return True

    def _loses_import(self, path: str, edits: Sequence[Edit]) -> bool:
        """Whether a file, with all of these edits made, uses an import that it no longer has."""
        from scopecheck.fix.names import lost_names
        from scopecheck.fix.workspace import Workspace

        workspace = Workspace(self._project)
        code = workspace.code(path)
        touched = any(
            edit.span.line <= statement.last and statement.first <= edit.span.end_line
            for statement in code.imports()
            for edit in edits
        )
        try:
            return touched and bool(lost_names(code, apply(code.text.text, edits)))
        except (SyntaxError, ValueError, Overlap):
            return True


def _meet(one: Edit, other: Edit) -> bool:
    """Whether two edits touch the same text, or insert at the same place."""
    a, b = one.span, other.span
    start_a, end_a = (a.line, a.column), (a.end_line, a.end_column)
    start_b, end_b = (b.line, b.column), (b.end_line, b.end_column)
    if start_a == start_b:
        return True
    return start_a < end_b and start_b < end_a


class _Texts:
    """The files' texts: on disk, as the last round left them, and as they are tried."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._first: dict[str, bytes] = {}
        self._base: dict[str, Source] = {}
        self._tried: dict[str, Source] = {}

    def make(self, candidates: Sequence[_Candidate], bench: Bench) -> None:
        """Let the project have the texts with these fixes, and no others, made."""
        edits: dict[str, list[Edit]] = {}
        fixes: Counter[str] = Counter()
        for candidate in candidates:
            for edit in candidate.fix.edits:
                edits.setdefault(edit.path, []).append(edit)
            fixes.update({edit.path for edit in candidate.fix.edits})
        for path in {*self._tried, *edits}:
            base = self._open(path)
            text = apply(base.text, edits.get(path, ()))
            self._provide(path, Source(path, text, base.encoding, base.bom))
            if fixes[path] > 1 and path.endswith(".py"):
                # Each fix leaves an import that the code of another one still uses.
                self._tidy(path, base, bench.taken(path))

    def _open(self, path: str) -> Source:
        if path not in self._base:
            from scopecheck.fix.workspace import Workspace

            editor = Workspace(self._project).editor(path)
            self._base[path] = editor.source
            self._first.setdefault(path, encode(editor.source, editor.source.text))
        return self._base[path]

    def _provide(self, path: str, source: Source) -> None:
        self._tried[path] = source
        if path.endswith(".py"):
            self._project.load.provide(path, source)
        else:
            self._project.config_texts[self._project.root / path] = source.text

    def _tidy(self, path: str, base: Source, taken: frozenset[str]) -> None:
        """Drop the imports that nothing needs any more once all fixes of a file are made."""
        from scopecheck.fix.names import remove_names, unused_names
        from scopecheck.fix.workspace import Workspace
        from scopecheck.read.code import Code

        workspace = Workspace(self._project)
        source = workspace.editor(path).source
        try:
            remove_names(workspace, path, unused_names(Code(base.text), source.text, taken))
        except SyntaxError:
            return  # Told of when it is read.
        text = workspace.text(path)
        if text is not None and text != source.text:
            self._provide(path, Source(path, text, source.encoding, source.bom))

    def keep(self) -> None:
        """What was tried last is what the next round begins with."""
        self._base.update(self._tried)
        self._tried = {}

    def changes(self) -> list[Change]:
        """Every file that is changed, before and after."""
        return sorted(self._changes())

    def _changes(self) -> Iterator[Change]:
        for path, before in self._first.items():
            source = self._base[path]
            after = encode(source, source.text)
            if after != before:
                yield Change(path, before, after)
