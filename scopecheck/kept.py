"""Results of a run, as they are kept for the next one, and taken from it.

A result holds while all that was looked at is as it was. It also holds where files have changed
that still say the same (see `scopecheck.cache.moved`), if nothing was found by a look at more of
their text than that: then its places move with the lines.
"""

from __future__ import annotations

import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from scopecheck.disk import Record
from scopecheck.facts import ReadError, Suppression  # noqa: TC001 - the types of fields
from scopecheck.finding import Finding  # noqa: TC001 - the type of a field
from scopecheck.learned import Learned, checksum_of
from scopecheck.source import WHOLE_FILE, Span, lines_of
from scopecheck.whole import Whole  # noqa: TC001 - the type of a field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scopecheck.cache import Cache
    from scopecheck.cache.results import Found
    from scopecheck.disk import Notes, Seen
    from scopecheck.facts import FileFacts
    from scopecheck.finding import Place
    from scopecheck.learned import Named, Notebook
    from scopecheck.project import Project
    from scopecheck.suite import Suite

Patterns: TypeAlias = tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]
"""Patterns, and the numbers of the paths in whose texts they were looked for."""

_NONE: frozenset[str] = frozenset()
# Numbers of lines in the words of a finding.
_IN_WORDS = re.compile(r"(?:\bline |:)(\d+)")


class WhereTest(msgspec.Struct, frozen=True, array_like=True):
    """Where a test stands.

    path: of the file that pytest collects it from. home, first, last: of its function; (0, 0) for
    one that has none here.
    """

    path: str
    home: str
    first: int
    last: int


class Checked(msgspec.Struct, frozen=True):
    """What the rules found, before anything is silenced.

    paths: the project's own files that were read. errors: of those that have no facts.
    suppressions: the comments in each, where there are any.
    tests: how many node ids there are. fixtures: how many definitions.
    places: of the tests that findings name, by node id.
    """

    findings: tuple[Finding, ...]
    paths: tuple[str, ...]
    errors: dict[str, ReadError]
    suppressions: dict[str, tuple[Suppression, ...]]
    tests: int
    fixtures: int
    places: dict[str, tuple[WhereTest, ...]]


class Base(msgspec.Struct, frozen=True, array_like=True):
    """What a result rests on besides facts.

    texts: the numbers of the paths whose text was read, otherwise than is noted here.
    learned: what checks that look far learned from files, by the numbers of their paths.
    read: what other checks read of files that are no test files.
    lacking: patterns that match nothing in texts that they were looked for in; matching: that do.
    wholes: what is known of each suite.
    """

    texts: tuple[int, ...]
    learned: dict[int, Learned]
    read: dict[int, Learned]
    lacking: Patterns
    matching: Patterns
    wholes: tuple[Whole, ...]


class _Kept(msgspec.Struct, array_like=True):
    """The sets that many findings share are kept once; each finding has their numbers."""

    checked: Checked
    sets: list[list[str]]
    numbers: list[tuple[int, int]]
    base: Base


class _Moved(NamedTuple):
    """Where the lines of files are now, by path; what was learned from them, by number."""

    lines: dict[str, dict[int, int]]
    learned: dict[int, Learned]
    read: dict[int, Learned]


class Held(NamedTuple):
    """What was found, and what that rests on."""

    checked: Checked
    base: Base


class Earlier(NamedTuple):
    """What an earlier run found and kept, and what changed since."""

    found: Found
    held: Held


def keep(cache: Cache, key: bytes, notes: Notes, held: Held) -> None:
    """Keep a result for the next run."""
    cache.results.add(key, Record.of(notes), encoded(held))


def base_of(project: Project, notes: Notes, made: Checked, suites: Sequence[Suite]) -> Base:
    """What that rests on which was found in the suites; notes: taken meanwhile."""
    root = f"{project.root}{os.sep}"
    texts = tuple(index for index, path in enumerate(made.paths) if f"{root}{path}" in notes.texts)
    numbers = {path: index for index, path in enumerate(made.paths)}
    return Base(
        texts,
        by_number((suite.learned for suite in suites), numbers),
        by_number((suite.read for suite in suites), numbers),
        patterns_of(project.load.lacking, numbers),
        patterns_of(project.load.matching, numbers),
        tuple(suite.whole() for suite in suites),
    )


def earlier_result(cache: Cache, key: bytes, chosen: frozenset[str]) -> Earlier | None:
    """What an earlier run found, where nothing but the content of some files is another now."""
    found = cache.results.find(key)
    kept = None if found is None else _decoded(found.content)
    if found is None or kept is None:
        return None
    if not chosen.issuperset(finding.name for finding in kept.checked.findings):
        return None
    return Earlier(found, Held(kept.checked, kept.base))


def facts_before(
    project: Project, cache: Cache, changed: Iterable[Seen]
) -> dict[str, FileFacts] | None:
    """The facts of files as they were, by path; None where those of one are not known any more."""
    root = f"{project.root}{os.sep}"
    found: dict[str, FileFacts] = {}
    for seen in changed:
        path = seen.path.removeprefix(root)
        facts = cache.facts.before(path, seen.digest)
        if facts is None:
            return None
        found[path] = facts
    return found


def moved(project: Project, held: Held, before: Mapping[str, FileFacts]) -> Held | None:
    """What was found, if it would be found again, be it on other lines.

    before: the facts of the files that have changed, as they were.
    """
    checked, base = held
    move = _moved(project, held, before)
    if move is None or not _may_move(checked.findings, move.lines):
        return None
    try:
        made = _with_lines(project, checked, move.lines)
    except KeyError:
        return None
    learned, read = {**base.learned, **move.learned}, {**base.read, **move.read}
    return Held(made, msgspec.structs.replace(base, learned=learned, read=read))


def places_of(
    suites: Sequence[Suite], findings: Iterable[Finding]
) -> dict[str, tuple[WhereTest, ...]]:
    """Where the tests stand that findings name, by node id."""
    wanted = {nodeid for finding in findings for nodeid in finding.fault.tests}
    found: dict[str, dict[WhereTest, None]] = {}
    for suite in suites if wanted else ():
        for item in suite.items:
            if item.nodeid in wanted:
                function = item.function
                lines = (0, 0) if function is None else (function.first_line, function.end_line)
                place = WhereTest(item.path, item.place.path, *lines)
                found.setdefault(item.nodeid, {})[place] = None
    return {nodeid: tuple(places) for nodeid, places in found.items()}


def _moved(project: Project, held: Held, changed: Mapping[str, FileFacts]) -> _Moved | None:
    """Where the lines of the changed files are now; None where one of them says something else."""
    from scopecheck.cache.moved import moved_lines

    checked, base = held
    numbers = {path: index for index, path in enumerate(checked.paths)}
    texts = frozenset(base.texts)
    moved = _Moved({}, {}, {})
    for path, before in changed.items():
        number = numbers.get(path)
        if number is None or number in texts or path in checked.errors:
            return None
        after = project.load(path)
        lines = None if after.error is not None else moved_lines(before, after)
        if lines is None:
            return None
        if not matches_as_before(project, base, path, number):
            return None
        for kept, now in ((base.learned, moved.learned), (base.read, moved.read)):
            if number in kept:
                again = _again(project, kept[number], before, after, lines)
                if again is None:
                    return None
                now[number] = again
        moved.lines[path] = lines
    return moved


def _again(
    project: Project,
    learned: Learned,
    before: FileFacts,
    after: FileFacts,
    lines: Mapping[int, int],
) -> Learned | None:
    """What was learned from a file, where its lines are now; None where it is something else."""
    source = project.load.unnoted(after.path)
    if source is None:
        return None
    text = lines_of(source.text)
    pairs = tuple(zip(before.functions, after.functions, strict=True))
    found = []
    for first, last, checksum in learned.lines:
        holding = (
            now.line - old.line
            for old, now in pairs
            if old.first_line <= first and last <= old.end_line
        )
        shift = next(holding, None)
        if shift is None:
            if first not in lines or last not in lines:
                return None
            shift = lines[first] - first
            if lines[last] - last != shift:
                return None
        if checksum_of("".join(text[first + shift - 1 : last + shift])) != checksum:
            return None
        found.append((first + shift, last + shift, checksum))
    if not all(stands_again(source.text, after, named) for named in learned.named):
        return None
    return Learned(tuple(sorted(found)), learned.named, learned.matching)


def stands_again(text: str, facts: FileFacts, named: Named) -> bool:
    """Whether the same of some names stand in a file as before."""
    from scopecheck.suite import mentions

    if named.where == "strings":
        return mentions.in_strings(text, named.asked) == set(named.found)
    return mentions.in_code(text, facts, named.asked) == set(named.found)


def by_number(
    notes: Iterable[Notebook],
    numbers: Mapping[str, int],
    before: Mapping[int, Learned] = MappingProxyType({}),
) -> dict[int, Learned]:
    """What was learned from files, and what was known of them before, by the numbers of paths."""
    found = dict(before)
    for notebook in notes:
        for path in notebook.paths & numbers.keys():
            known = found.get(numbers[path], Learned())
            found[numbers[path]] = known.and_also(notebook.of(path))
    return found


def patterns_of(found: Mapping[str, Iterable[str]], numbers: Mapping[str, int]) -> Patterns:
    """Patterns that were looked for, with the numbers of the files that have the same ones."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for path, patterns in found.items():
        if patterns and path in numbers:
            groups.setdefault(tuple(sorted(patterns)), []).append(numbers[path])
    return tuple((patterns, tuple(sorted(of))) for patterns, of in groups.items())


def and_also(patterns: Patterns, more: Patterns) -> Patterns:
    """The patterns of both, with the files of both."""
    found = {number: set(words) for words, numbers in more for number in numbers}
    groups: list[tuple[tuple[str, ...], tuple[int, ...]]] = []
    for words, numbers in patterns:
        for number in found.keys() & set(numbers):
            found[number].update(words)
        left = tuple(number for number in numbers if number not in found)
        if left:
            groups.append((words, left))
    groups += [(tuple(sorted(words)), (number,)) for number, words in found.items()]
    return tuple(groups)


def matches_as_before(project: Project, base: Base, path: str, number: int) -> bool:
    """Whether what was looked for in a file's text is there, or not there, as it was before."""
    return all(
        project.load.matches(path, pattern) is there
        for there, groups in ((False, base.lacking), (True, base.matching))
        for patterns, numbers in groups
        if number in numbers
        for pattern in patterns
    )


def _may_move(findings: Iterable[Finding], moved: Mapping[str, Mapping[int, int]]) -> bool:
    """Whether no finding names, in its words, a line of its files that is another now."""
    for finding in findings:
        fault = finding.fault
        files = [
            moved[place.path] for place in (fault.place, *fault.related) if place.path in moved
        ]
        if not files:
            continue
        if any(fix.edits for fix in fault.fixes):
            return False
        words = (
            *(fault.message, fault.help, *fault.notes),
            *(place.message for place in fault.related),
            *(fix.title for fix in fault.fixes),
        )
        named = {int(number) for text in words for number in _IN_WORDS.findall(text)}
        if any(lines.get(line, line) != line for lines in files for line in named):
            return False
    return True


def _with_lines(project: Project, made: Checked, moved: Mapping[str, Mapping[int, int]]) -> Checked:
    """A result with its places where they are now.

    Raises:
        KeyError: a place is on a line that the facts do not name.
    """
    replace = msgspec.structs.replace

    def test(one: WhereTest) -> WhereTest:
        lines = moved.get(one.home)
        if lines is None or not one.last:
            return one
        return replace(one, first=lines[one.first], last=lines[one.last])

    suppressions = dict(made.suppressions)
    for path in moved:
        suppressions.pop(path, None)
        if found := project.load(path).suppressions:
            suppressions[path] = found
    return replace(
        made,
        findings=tuple(with_lines(one, moved) for one in made.findings),
        suppressions={path: suppressions[path] for path in made.paths if path in suppressions},
        places={key: tuple(map(test, found)) for key, found in made.places.items()},
    )


def with_lines(finding: Finding, moved: Mapping[str, Mapping[int, int]]) -> Finding:
    """A finding with its places on the lines on which they are now, by path.

    Raises:
        KeyError: one of its lines is not among those that are known.
    """
    replace = msgspec.structs.replace

    def place(one: Place) -> Place:
        lines = moved.get(one.path)
        return one if lines is None else replace(one, span=_on(one.span, lines))

    def name(one: str) -> str:
        path, colon, line = one.rpartition(":")
        lines = moved.get(path)
        return one if lines is None else f"{path}{colon}{lines[int(line)]}"

    fault = finding.fault
    places = (fault.place, *fault.related)
    named = (path for path, _, _ in (each.rpartition(":") for each in fault.names))
    if moved.keys().isdisjoint((*(each.path for each in places), *named)):
        return finding
    fault = replace(
        fault,
        place=place(fault.place),
        related=tuple(map(place, fault.related)),
        names=tuple(map(name, fault.names)),
    )
    return replace(finding, fault=fault)


def _on(span: Span, lines: Mapping[int, int]) -> Span:
    if span == WHOLE_FILE:
        return span
    return Span(lines[span.line], span.column, lines[span.end_line], span.end_column)


def encoded(held: Held) -> bytes:
    """A result as it is kept."""
    made, base = held
    sets: dict[frozenset[str], int] = {_NONE: 0}
    numbers: list[tuple[int, int]] = []
    bare: list[Finding] = []
    replace = msgspec.structs.replace
    for finding in made.findings:
        fault = finding.fault
        numbers.append(
            (sets.setdefault(fault.tests, len(sets)), sets.setdefault(fault.searched, len(sets)))
        )
        bare.append(replace(finding, fault=replace(fault, tests=_NONE, searched=_NONE)))
    bare_made = replace(made, findings=tuple(bare))
    kept = _Kept(bare_made, [sorted(one) for one in sets], numbers, base)
    return msgspec.msgpack.encode(kept)


def _decoded(content: bytes) -> _Kept | None:
    replace = msgspec.structs.replace
    try:
        kept = msgspec.msgpack.decode(content, type=_Kept)
        sets = [frozenset(one) for one in kept.sets]
        findings = tuple(
            replace(
                finding,
                fault=replace(finding.fault, tests=sets[tests], searched=sets[searched]),
            )
            for finding, (tests, searched) in zip(kept.checked.findings, kept.numbers, strict=True)
        )
    except (msgspec.MsgspecError, LookupError, ValueError, RecursionError):
        return None
    kept.checked = replace(kept.checked, findings=findings)
    return kept
