"""Takes away the findings that a baseline knows, and says which of its entries nothing needs.

    entry    a rule, a path and a symbol, and how many findings may have all three
    stale    an entry that allows more than is found, where everything was looked at
    moved    findings whose entry stands at another path, which the code left

A line is no part of an entry: code may move inside its file without waking what is known. It may
also move to another file: an entry that matches nothing is good for a finding of the same rule in
code of the same name elsewhere, if its own path has no such code any more.

In the file each entry has a line of its own, which ends in a comma like all the others (a `null`
comes last), so that two branches that change it merge line by line, and after a conflict the lines
of both may be kept.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from scopecheck import disk, rulebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from scopecheck.finding import Finding

VERSION = 1
ABOUT = "Findings that scopecheck does not report. `scopecheck --update-baseline` rewrites this."

_KEYS = ("path", "symbol", "rule", "count")
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)
_LINES = 10
"""Of how many findings alike a note names the lines."""


class BaselineError(Exception):
    """A baseline that cannot be read or written; says where and what to do."""


class Key(msgspec.Struct, frozen=True, order=True):
    """What findings that count together have in common; `rule` is its name."""

    path: str
    symbol: str
    rule: str

    @property
    def inner(self) -> str:
        """The symbol without the file, or the file's name where the file itself is meant."""
        inner = self.symbol.removeprefix(self.path)
        return inner or self.path.rpartition("/")[2]


class Scope(msgspec.Struct, frozen=True):
    """What a run looked at, to tell what is gone from what was not looked for.

    in_force: the names of the rules that were run on a file. looked_at: whether a file that is
    there was analysed. text: a file's text, None where there is no such file. complete: whether
    every file that was to be analysed could be read.
    """

    in_force: Callable[[str], frozenset[str]]
    looked_at: Callable[[str], bool]
    text: Callable[[str], str | None]
    complete: bool


class Stale(msgspec.Struct, frozen=True, order=True):
    """An entry that allows more findings than there are."""

    key: Key
    allowed: int
    found: int


class Outcome(msgspec.Struct, frozen=True):
    """What is left after the baseline.

    kept: the findings that it does not know, in their order; of several alike, the last ones.
    matched: how many findings each key took away, at the place where they are now.
    known: how many findings that is in all. moved: how many of them were found at another path.
    stale: entries to drop or to lower. unseen: what must stay though nothing matched it.
    """

    kept: tuple[Finding, ...]
    matched: Mapping[Key, int]
    known: int = 0
    moved: int = 0
    stale: tuple[Stale, ...] = ()
    unseen: Mapping[Key, int] = {}

    def updated(self, accepted: Iterable[Finding]) -> dict[Key, int]:
        """The entries of a baseline that also knows these of the findings that were kept."""
        entries = Counter(self.matched)
        entries.update(self.unseen)
        entries.update(map(key_of, accepted))
        return dict(entries)


def key_of(finding: Finding) -> Key:
    """The key that a finding counts under."""
    return Key(finding.fault.place.path, finding.fault.symbol, finding.name)


def apply(entries: Mapping[Key, int], findings: Sequence[Finding], scope: Scope) -> Outcome:
    """Takes away what the baseline knows of the findings of the whole suite."""
    left = Counter(entries)
    groups: dict[Key, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(key_of(finding), []).append(finding)
    matched: Counter[Key] = Counter()
    for key, group in groups.items():
        matched[key] = min(left[key], len(group))
        left[key] -= matched[key]
    unmatched = {key: len(group) - matched[key] for key, group in groups.items()}
    here = {key for key in +left if _was_looked_for(key, scope)}
    moved = 0
    for key, other in _moves(sorted(here), unmatched, left, scope):
        number = min(left[key], unmatched[other])
        matched[other] += number
        unmatched[other] -= number
        left[key] -= number
        moved += number
    known = Counter(matched)
    kept = []
    for finding in findings:
        key = key_of(finding)
        if known[key]:
            known[key] -= 1
        elif matched[key]:
            kept.append(_with_note(finding, matched[key], groups[key]))
        else:
            kept.append(finding)
    left = +left
    return Outcome(
        kept=tuple(kept),
        matched=+matched,
        known=matched.total(),
        moved=moved,
        stale=tuple(
            Stale(key, entries[key], entries[key] - left[key]) for key in sorted(here & left.keys())
        ),
        unseen={key: number for key, number in left.items() if key not in here},
    )


def _was_looked_for(key: Key, scope: Scope) -> bool:
    if not scope.complete:
        return False
    if key.rule not in rulebook.rules():
        return True
    if key.rule not in scope.in_force(key.path):
        return False
    return scope.looked_at(key.path) or scope.text(key.path) is None


def _moves(
    lost: Iterable[Key], unmatched: Mapping[Key, int], left: Mapping[Key, int], scope: Scope
) -> Iterable[tuple[Key, Key]]:
    """Entries that match nothing, each with findings that may be what it knew, moved."""
    places: dict[tuple[str, str], list[Key]] = {}
    for key in sorted(unmatched):
        if unmatched[key]:
            places.setdefault((key.rule, key.inner), []).append(key)
    for key in lost:
        for other in places.get((key.rule, key.inner), ()):
            if left[key] and unmatched[other] and not _is_there(key, scope):
                yield key, other


def _is_there(key: Key, scope: Scope) -> bool:
    """Whether the file of an entry still defines what its symbol names."""
    text = scope.text(key.path)
    if text is None:
        return False
    if key.symbol == key.path:
        return True
    name = re.escape(key.symbol.rpartition("::")[2])
    defined = rf"^[ \t]*(?:(?:(?:async +)?def|class) +{name}\b|{name} *(?::[^=\n]*)?=(?!=))"
    return bool(re.search(defined, text, re.MULTILINE))


def _with_note(finding: Finding, known: int, group: Sequence[Finding]) -> Finding:
    lines = ", ".join(str(one.fault.place.span.line) for one in group[-_LINES:])
    if len(group) > _LINES:
        lines = f"..., {lines}"
    note = (
        f"the baseline knows {known} of the {len(group)} that are here (lines {lines}); which of "
        "them is new cannot be told"
    )
    fault = msgspec.structs.replace(finding.fault, notes=(*finding.fault.notes, note))
    return msgspec.structs.replace(finding, fault=fault)


def read(file: Path) -> dict[Key, int]:
    """The entries of a baseline file.

    Raises:
        BaselineError: it is not there, cannot be read, or is no baseline.
    """
    try:
        with disk.opened(file) as stream:
            text = stream.read().decode("utf-8-sig")
    except FileNotFoundError:
        raise BaselineError(
            f"{file}: there is no such baseline; `--update-baseline` makes it"
        ) from None
    except OSError as error:
        raise BaselineError(f"{file}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _broken(file, line, "is not encoded in UTF-8") from None
    except ValueError as error:
        raise BaselineError(f"{str(file)!r} can be the name of no file: {error}") from None
    return parse(text, file)


def parse(text: str, file: Path) -> dict[Key, int]:
    """The entries of a baseline's text; of a key that is there twice, the higher count.

    Raises:
        BaselineError: it is no baseline.
    """
    if mark := _CONFLICT.search(text):
        raise BaselineError(
            f"{file}:{_line(text, mark.start())}: a merge left its marks here: delete them, keep "
            "the entries of both sides, and run scopecheck with --update-baseline"
        )
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _broken(file, error.lineno, f"is no JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise _broken(file, 1, f"is no JSON that can be read: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("entries"), list):
        raise _broken(file, 1, 'is no baseline: expected an object with "version" and "entries"')
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise _broken(file, 1, f"the version must be a number from 1 on, not {_shown(version)}")
    if version > VERSION:
        raise BaselineError(
            f"{file}: is of version {version}, and this scopecheck reads version {VERSION}: use "
            "the scopecheck that wrote it, or a newer one"
        )
    entries: dict[Key, int] = {}
    for index, entry in enumerate(document["entries"]):
        if entry is None:
            continue
        wrong = _wrong_entry(entry)
        if wrong:
            raise _broken(file, _entry_line(text, index), wrong)
        try:
            rule = rulebook.find(entry["rule"]).name
        except rulebook.UnknownRuleError:
            rule = entry["rule"]
        key = Key(entry["path"], entry["symbol"], rule)
        entries[key] = max(entries.get(key, 0), entry["count"])
    return entries


def _wrong_entry(entry: object) -> str:
    """What is wrong with an entry; empty if nothing is."""
    if not isinstance(entry, dict):
        return f"an entry must be an object, not {_shown(entry)}"
    for key in _KEYS:
        if key not in entry:
            return f'the entry has no "{key}"'
    for key in entry:
        if key not in _KEYS:
            return f"the entry has an unknown key {_shown(key)}"
    for key in _KEYS[:-1]:
        if not isinstance(entry[key], str):
            return f'"{key}" must be a string, not {_shown(entry[key])}'
    count = entry["count"]
    if type(count) is not int or count < 1:
        return f'"count" must be a number from 1 on, not {_shown(count)}'
    return ""


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _broken(file: Path, line: int, what: str) -> BaselineError:
    return BaselineError(
        f"{file}:{line}: {what}; mend it, or delete the file and run scopecheck with "
        "--update-baseline"
    )


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _entry_line(text: str, index: int) -> int:
    """The line of an entry, however the file is laid out."""
    decoder = json.JSONDecoder()
    space = re.compile(r"[\s,]*")
    start = re.search(r'"entries"\s*:\s*\[', text)
    position = start.end() if start else 0
    for number in range(index + 1):
        found = space.match(text, position)
        position = found.end() if found else position
        if number < index:
            try:
                _, position = decoder.raw_decode(text, position)
            except ValueError:
                break
    return _line(text, position)


def render(entries: Mapping[Key, int]) -> str:
    """The text of a baseline file."""
    lines = ["{", f'"about": {_json(ABOUT)},', f'"version": {VERSION},', '"entries": [']
    for key in sorted(entries):
        entry: dict[str, Any] = {"path": key.path, "symbol": key.symbol, "rule": key.rule}
        lines.append(f"{_json({**entry, 'count': entries[key]})},")
    return "\n".join([*lines, "null", "]", "}", ""])


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # A path that is not Unicode has lone surrogates, which no file in UTF-8 can hold.
    return text if text.isprintable() else json.dumps(value)


def write(file: Path, entries: Mapping[Key, int]) -> None:
    """Writes a baseline whole, in one step; one that is right already is left alone.

    Raises:
        BaselineError: it cannot be written.
    """
    import tempfile
    from contextlib import suppress
    from pathlib import Path

    data = render(entries).encode()
    target = Path(os.path.realpath(file))
    try:
        mode = target.stat().st_mode & 0o7777 if target.is_file() else disk.mode_of_new_file()
        if target.is_file() and target.read_bytes() == data:
            return
        handle, made = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise BaselineError(f"{file}: cannot be written: {error.strerror or error}") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(made).chmod(mode)
        Path(made).replace(target)
    except OSError as error:
        raise BaselineError(f"{file}: cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            Path(made).unlink()
