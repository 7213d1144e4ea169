"""What is found after an edit of test files, without a look at all the others.

It is done where nothing rests on the files that changed: no other file imports them, and to the
tests and fixtures of others they are what they were (see `scopecheck.suite.face`). Then a part of
the suite is linked, once as it was and once as it is, with the tests of these files alone. What was
found before stands for all other files; for these, what is found in the part takes its place.

Whatever is not surely so is left to a run over everything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scopecheck import rulebook
from scopecheck.apart import Apart
from scopecheck.found import found_in
from scopecheck.kept import (
    Base,
    Checked,
    Held,
    and_also,
    by_number,
    matches_as_before,
    patterns_of,
    places_of,
    with_lines,
)
from scopecheck.learned import Learned
from scopecheck.loader import Loader
from scopecheck.only_tests import only_adds
from scopecheck.repair import find as find_fixer
from scopecheck.repair import with_offers
from scopecheck.repair.bench import Bench
from scopecheck.whole import NeedsWhole, Part

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from scopecheck.config import Settings
    from scopecheck.disk import Notes
    from scopecheck.facts import FileFacts
    from scopecheck.files import SuiteFiles
    from scopecheck.finding import Finding
    from scopecheck.plugins import PluginSet
    from scopecheck.project import Project
    from scopecheck.repair.bench import Preference
    from scopecheck.rulebook import Rule
    from scopecheck.suite import Suite

# With more files changed, all is found anew.
_MOST_FILES = 10


class Asked(NamedTuple):
    """What a run is told: the suites, and what to look for in them."""

    files: Sequence[SuiteFiles]
    plugins: Sequence[PluginSet]
    selectors: frozenset[str]
    settings: Settings
    chosen: frozenset[str]
    prefer: Preference


class _Before(Loader):
    """The facts of some files as they were, and of all others as they are; their texts are gone."""

    def __init__(self, load: Loader, before: Mapping[str, FileFacts]) -> None:
        super().__init__(load.root, load.jobs)
        self._load = load
        self._before = before

    def __call__(self, path: str) -> FileFacts:
        before = self._before.get(path)
        return self._load(path) if before is None else before


def after_edit(
    project: Project, held: Held, before: Mapping[str, FileFacts], notes: Notes, asked: Asked
) -> Held | None:
    """What is found now, where that can be told from the changed files alone.

    Args:
        project: with the files as they are.
        held: what was found before.
        before: the facts of the files that have changed, as they were.
        notes: being taken.
        asked: what the run is told.
    """
    try:
        return _after_edit(project, held, before, notes, asked)
    except NeedsWhole:
        return None


def _after_edit(
    project: Project, held: Held, before: Mapping[str, FileFacts], notes: Notes, asked: Asked
) -> Held:
    if len(before) > _MOST_FILES:
        raise NeedsWhole("many files changed")
    index = _suite_of(before, held, asked)
    if any(
        known.error is not None or project.load(path).error is not None
        for path, known in before.items()
    ):
        raise NeedsWhole("a file has no facts")
    part = Part(frozenset(before), held.base.wholes[index])
    edit = _Edit(project, held, asked, index, part, before)
    made = edit.made()
    return Held(made, edit.base(notes))


def _suite_of(changed: Collection[str], held: Held, asked: Asked) -> int:
    """The suite that files are test files of, whose change no other file can meet.

    Raises:
        NeedsWhole: there is none.
    """
    numbers = {path: number for number, path in enumerate(held.checked.paths)}
    for index, whole in enumerate(held.base.wholes):
        if whole.leaves.issuperset(changed):
            others = (files for at, files in enumerate(asked.files) if at != index)
            if any(not set(files.test_files).isdisjoint(changed) for files in others):
                raise NeedsWhole("a file of several suites")
            learned = [held.base.learned.get(numbers.get(path, -1)) for path in changed]
            if any(one is not None and one.has_all_lines for one in learned):
                raise NeedsWhole("a check that looks far read all of it")
            return index
    raise NeedsWhole("not a test file that nothing imports")


class _Edit:
    """A part of a suite, as it was and as it is.

    Raises:
        NeedsWhole: what is asked cannot be told from a part.
    """

    def __init__(
        self,
        project: Project,
        held: Held,
        asked: Asked,
        index: int,
        part: Part,
        before: Mapping[str, FileFacts],
    ) -> None:
        self._project = project
        self._held = held
        self._asked = asked
        self._part = part
        self._before = before
        self._files = asked.files[index]
        self._numbers = {path: number for number, path in enumerate(held.checked.paths)}
        self._index = index
        self._tests = frozenset(self._files.test_files)

    def _link(self, load: Loader | None = None) -> Suite:
        asked, index = self._asked, self._index
        return self._project.link_part(
            asked.files[index], asked.plugins[index], asked.selectors, self._part, load
        )

    def made(self) -> Checked:
        """What is found, if the edit is of a kind for which that can be told."""
        project, base, paths = self._project, self._held.base, self._part.files
        if not paths <= self._numbers.keys():
            raise NeedsWhole("a file that was not read")
        for path in paths:
            if not matches_as_before(project, base, path, self._numbers[path]):
                raise NeedsWhole("words that were looked for")
        now = self._link()
        self._modules = now.evaluator.modules
        self._nodes = tuple(f"{now.linker.nodeid(path)}::" for path in sorted(paths))
        before = self._link(_Before(project.load, self._before))
        if not paths.isdisjoint(now.linker.naming):
            raise NeedsWhole("a plugin named by a test file")
        self._apart = {path: self._read_far(path, before, now) for path in paths}
        self._check_faces(before, now)
        self._check_counted(before, now)
        findings = self._findings(now)
        for path in paths:
            self._apart[path].check(now.learned.of(path))
        self._now = now
        self._check_files()
        old = self._held.checked
        facts = {path: project.load(path) for path in paths}
        given = {**old.suppressions, **{path: one.suppressions for path, one in facts.items()}}
        places = {node: at for node, at in old.places.items() if not node.startswith(self._nodes)}
        return msgspec.structs.replace(
            old,
            findings=findings,
            suppressions={path: given[path] for path in old.paths if given.get(path)},
            tests=old.tests + _count_tests(now) - _count_tests(before),
            fixtures=old.fixtures + _count_fixtures(now, paths) - _count_fixtures(before, paths),
            places={**places, **places_of([now], findings)},
        )

    def base(self, notes: Notes) -> Base:
        """What the result rests on besides facts."""
        project, old, numbers = self._project, self._held.base, self._numbers
        root = f"{project.root}{os.sep}"
        changed = {numbers[path] for path in self._part.files}
        read = {number for path, number in numbers.items() if f"{root}{path}" in notes.texts}
        learned = dict(old.learned)
        for path, apart in self._apart.items():
            learned.pop(numbers[path], None)
            if apart.learned != Learned():
                learned[numbers[path]] = apart.learned
        learned = by_number([self._now.learned], numbers, learned)
        return Base(
            tuple(sorted((set(old.texts) - changed) | read | (changed & learned.keys()))),
            learned,
            by_number([self._now.read], numbers, old.read),
            and_also(old.lacking, patterns_of(project.load.lacking, numbers)),
            and_also(old.matching, patterns_of(project.load.matching, numbers)),
            old.wholes,
        )

    def _read_far(self, path: str, before: Suite, now: Suite) -> Apart:
        learned = self._held.base.learned.get(self._numbers[path], Learned())
        return Apart(path, self._before[path], before, now, learned)

    def _check_faces(self, before: Suite, now: Suite) -> None:
        from scopecheck.suite.face import face

        for path in sorted(self._part.files):
            self._check_imports(path)
            apart = self._apart[path]
            one, other = face(before, path, apart.before), face(now, path, apart.now)
            if one != other:
                raise NeedsWhole(f"another face: {one.differs(other)}")

    def _check_counted(self, before: Suite, now: Suite) -> None:
        """Whether what fixes say of the users of fixtures is still so, for whatever tests."""
        from scopecheck.suite.face import users_of

        findings = self._held.checked.findings
        names = {name for one in findings for fix in one.fault.fixes for name in fix.counted}
        if names:
            for path in self._part.files:
                if users_of(before, path, names) != users_of(now, path, names):
                    raise NeedsWhole("who uses a fixture")

    def _check_imports(self, path: str) -> None:
        """Whether a file imports the same of the project's own files."""
        from scopecheck.suite import imported_files
        from scopecheck.suite.face import imports_of, is_for_all

        old, new = self._before[path], self._project.load(path)
        stems = {one.rpartition("/")[2].removesuffix(".py") for one in self._numbers}
        if not stems.isdisjoint(set(old.inner_imports) ^ set(new.inner_imports)):
            raise NeedsWhole("an import in a function")
        differ = imports_of(old) ^ imports_of(new)
        if any(map(is_for_all, differ)):
            raise NeedsWhole("an import that changes how tests run")
        modules = self._modules
        if any(True for value in differ for _ in imported_files(modules, value, path)):
            raise NeedsWhole("an import of the project's own files")

    def _check_files(self) -> None:
        """Whether the whole suite would read the same files as before."""
        project, paths = self._project, self._part.files
        if not self._numbers.keys() >= set(project.own_files):
            raise NeedsWhole("a file more")
        late = {path for path, by in self._part.whole.late.items() if by is None or by in paths}
        # Not all that were read: the part as it was has led to some.
        if late.issubset(self._now.evaluator.paths):
            return
        # What reads such a file is not known: it may be what was taken out of a file.
        if any(
            self._apart[path].loses and not only_adds(before, project.load(path))
            for path, before in self._before.items()
        ):
            raise NeedsWhole("files that were read late")

    def _findings(self, now: Suite) -> tuple[Finding, ...]:
        """What was found elsewhere, and what is found in the changed files."""
        from scopecheck import checks
        from scopecheck.checks.looks import distance_of

        asked, rules = self._asked, rulebook.rules()
        bench = Bench(self._project, [now], asked.prefer)
        others = [one for one in self._held.checked.findings if not self._concerns(one)]
        concerned = [one for one in self._held.checked.findings if self._concerns(one)]
        old = {_told(one): one for one in map(self._with_lines, concerned)}
        new = {
            _told(with_offers(bench, one, now)): None
            for one in found_in(now, asked.chosen, asked.settings)
            if self._concerns(one)
        }
        shared = [self._shared(one, new) for one in old if not self._is_alone(one)]
        alone = {one for one in old if self._is_alone(one)}
        for one, _ in shared:
            del new[one]
        for one in new:
            if not self._is_alone(one):
                raise NeedsWhole(f"a finding with others: {one.code}")
        for one in alone ^ new.keys():
            rule = rules[one.name]
            check = checks.find(rule.code, rule.name)
            if check is None or distance_of(check) == "far":
                raise NeedsWhole(f"a finding of a check that looks far: {one.code}")
            if not _is_mended_near(rule):
                raise NeedsWhole(f"a finding with a fix: {one.code}")
        held = {(one.code, one.fault.place.path, one.fault.place.span) for one in others}
        if any((o.code, o.fault.place.path, o.fault.place.span) in held for o in new):
            raise NeedsWhole("a finding where another is")
        # Only the whole suite tells all names that a fix has to do with.
        return (*others, *(one for _, one in shared), *(old.get(one, one) for one in new))

    def _shared(self, old: Finding, new: Iterable[Finding]) -> tuple[Finding, Finding]:
        """What is found now in place of a finding that tests of other files have a part in.

        It is found in the part in the same words, which say nothing of how many tests there are.
        """
        replace = msgspec.structs.replace

        def with_tests(finding: Finding, tests: frozenset[str]) -> Finding:
            return replace(finding, fault=replace(finding.fault, tests=tests))

        bare = with_tests(old, frozenset())
        now = next((one for one in new if with_tests(one, frozenset()) == bare), None)
        if now is None or not _is_mended_near(rulebook.rules()[old.name]):
            raise NeedsWhole(f"a finding with others: {old.code}")
        others = (test for test in old.fault.tests if not test.startswith(self._nodes))
        return now, with_tests(old, frozenset({*others, *now.fault.tests}))

    def _with_lines(self, finding: Finding) -> Finding:
        """A finding of before on the lines on which it is now, as far as that is known."""
        try:
            moved = {path: apart.lines for path, apart in self._apart.items()}
            return with_lines(finding, moved)
        except KeyError:
            return finding

    def _concerns(self, finding: Finding) -> bool:
        """Whether a finding stands in a changed file, or names it or one of its tests."""
        fault, paths = finding.fault, self._part.files
        if fault.place.path in paths or any(place.path in paths for place in fault.related):
            return True
        if any(name.rpartition(":")[0] in paths for name in fault.names):
            return True
        return any(nodeid.startswith(self._nodes) for nodeid in fault.tests)

    def _is_alone(self, finding: Finding) -> bool:
        """Whether no test of another file has a part in a finding."""
        fault, paths = finding.fault, self._part.files
        if not all(nodeid.startswith(self._nodes) for nodeid in fault.tests):
            return False
        places = (fault.place, *fault.related)
        return all(one.path in paths or one.path not in self._tests for one in places)


def _told(finding: Finding) -> Finding:
    """A finding with what reports have of its fixes."""
    replace = msgspec.structs.replace
    fixes = tuple(replace(fix, counted=()) for fix in finding.fault.fixes)
    return replace(finding, fault=replace(finding.fault, fixes=fixes))


def _is_mended_near(rule: Rule) -> bool:
    """Whether a part tells how to mend what a rule finds, as it does not tell of the suite."""
    from scopecheck.checks.looks import distance_of

    if rule.fix == "none":
        return True
    fixer = find_fixer(rule.code, rule.name)
    return fixer is not None and distance_of(fixer) == "near"


def _count_tests(suite: Suite) -> int:
    return len({item.nodeid for item in suite.items})


def _count_fixtures(suite: Suite, paths: frozenset[str]) -> int:
    return len({fixture.key for fixture in suite.fixtures if fixture.path in paths})
