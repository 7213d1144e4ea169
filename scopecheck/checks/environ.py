"""The environment variables of the process that all tests share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.blocks import conditions, loops_around
from scopecheck.checks.leaks import (
    NOTE,
    Words,
    advice,
    body_of,
    fate,
    is_text,
    judge,
    symbol_of,
    tests_of,
    writers,
)
from scopecheck.checks.looks import looks
from scopecheck.checks.through_helpers import Helpers
from scopecheck.checks.wording import at
from scopecheck.finding import Fault, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.checks.leaks import Verdict
    from scopecheck.checks.through_helpers import Left
    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor

_ENVIRON = ("os.environ", "os.environb")
# What puts a whole environment back.
_WHOLE_ENVIRON = (
    r"environ\.copy\(|dict\((?:os\.)?environ|copy\((?:os\.)?environ|patch\.dict\([^)]*environ"
    r"|environ\.clear\(|environ\s*=[^=]|environ\.update\(|for .* in .*environ"
)
# What puts a variable back of which the name is computed, and so may be any.
_COMPUTED = (
    r"environ\.pop\(\s*[^\W\d]|del (?:os\.)?environ\[[^\W\d]|environ\[[^\W\d][^\]\n]*\]\s*=[^=]"
)


class _Kept(NamedTuple):
    """A variable that is left set."""

    change: Change
    verdict: Verdict


@looks("far")
def unrestored_environ(suite: Suite) -> Iterator[Fault]:
    """SCP405: an environment variable is set and not put back."""
    for actor in writers(suite):
        kept: dict[str, _Kept] = {}
        for change in actor.changes:
            key = _key(suite, actor, change)
            if key is None or not _sets(change) or key in kept:
                continue
            if _gives_back(suite, actor, change) or _gives_all_back(suite, actor, change):
                continue
            if change.condition and _is_default(suite, actor, change):
                continue
            verdict = _judged(suite, actor, change, key)
            if verdict == "left" and _is_asserted_gone(suite, actor, change):
                continue
            if verdict != "restored":
                kept[key] = _Kept(change, verdict)
        if kept:
            yield _told(suite, actor, kept)
    yield from _by_helpers(suite)


def _by_helpers(suite: Suite) -> Iterator[Fault]:
    """Variables that functions set for the tests that call them: a finding for each function."""

    def judged(actor: Actor, by: Actor, call: Change, made: Change) -> Verdict:
        key = _key(suite, by, made) or ""
        if _is_taken_by_another(suite, actor, by, call, key):
            return "restored"
        # Which variable a computed name is, the caller says.
        return _judged(suite, actor, call, key if is_text(key) else "")

    found: dict[tuple[str, int], list[Left]] = {}
    for left in Helpers(suite, lambda helper: _left(suite, helper)).left(judged):
        found.setdefault((left.by.path, left.by.function.line), []).append(left)
    for first, *more in found.values():
        what, verb = _words(
            [
                name
                for x in (first, *more)
                for name in _names(suite, x.by, x.made, _key(suite, x.by, x.made) or "")
            ]
        )
        related = [*first.related("set")]
        related += [at(x.made_at, "another one is set here") for x in more]
        yield Fault(
            first.place,
            f"{what} {verb} set by `{first.by.function.name}` and {fate(first.verdict)}",
            first.symbol,
            tuple(related),
            notes=(NOTE,),
            help=advice(first.calls[0][0], "setenv(name, value)"),
            tests=first.tests,
        )


def _is_taken_by_another(suite: Suite, actor: Actor, by: Actor, call: Change, key: str) -> bool:
    """Whether a function beside the one that sets a variable, called later, takes it away."""
    facts = suite.facts(by.path) if key else None
    below = suite.lines(actor.path, call.span.end_line + 1, actor.function.end_line)
    taken = re.compile(rf"environ\.pop\(\s*{re.escape(key)}|del (?:os\.)?environ\[{re.escape(key)}")
    return facts is not None and any(
        f"{function.name}(" in below
        and taken.search(suite.lines(by.path, function.line, function.end_line))
        for function in facts.functions
        if function is not by.function
    )


_WHOLE = "the environment"


def _words(names: list[str]) -> tuple[str, str]:
    """What is set, and the verb for it."""
    if _WHOLE in names:
        return _WHOLE, "is"
    if len(names) == 1:
        return names[0], "is"
    return f"{names[0]} and {len(names) - 1} more", "are"


def _left(suite: Suite, helper: Actor) -> Iterator[Change]:
    """The changes of a function that it does not undo itself."""
    for change in helper.changes:
        key = _key(suite, helper, change)
        if key is None or not _sets(change):
            continue
        others = [other for other in helper.changes if other != change]
        if not any(_is_put_back_by(suite, helper, key, other) for other in others):
            yield change


def _is_put_back_by(suite: Suite, helper: Actor, key: str, other: Change) -> bool:
    """Whether a function puts a variable back by another change, at once or when all is over."""
    found = _key(suite, helper, other)
    later = other.final or other.nested
    return (found == key and (later or _undoes(other))) or (found == "" and later)


def _key(suite: Suite, actor: Actor, change: Change) -> str | None:
    """The variable that a change is about, empty for all of them; None where it is about none."""
    if change.kind == "call" and change.name in ("putenv", "unsetenv"):
        subject = suite.changes.subjects.resolve(
            actor.path, actor.function, (*change.target, change.name), change.imported
        )
        name = "" if subject is None else subject.name
        return change.key if name in ("os.putenv", "os.unsetenv") else None
    if change.target[-1:] not in (("environ",), ("environb",)) and len(change.target) != 1:
        return None
    subject = suite.changes.subject(actor.path, actor.function, change)
    if subject is None or subject.kind != "external" or subject.name not in _ENVIRON:
        return None
    if change.kind == "call" and change.name in ("update", "clear"):
        return ""
    return change.key


def _sets(change: Change) -> bool:
    return change.kind == "item" or change.name in ("update", "clear", "putenv", "__setitem__")


def _undoes(change: Change) -> bool:
    return change.kind == "del" or change.name in ("pop", "update", "clear") or change.by_name


_LOOPED = re.compile(
    r"environ\.pop\(\w+[^)]*\)\s+for\b"
    r"|\bfor \w+ in [^\n]*:\s*\n\s*(?:(?:os\.)?environ\.pop\(|del (?:os\.)?environ\[)"
)


def _gives_back(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether a variable is given the value that was read before, for what the tested code did."""
    if not change.by_name or "." in change.value:
        return False
    for header in loops_around(suite, actor.path, actor.function.line, change.span.line)[:1]:
        pair = re.search(r"\bfor\s+(\w+)\s*,\s*(\w+)\s+in\s+(\w+)\.items\(", header)
        if pair is not None and pair.group(1, 2) == (change.key, change.value):
            filled = rf"\b{pair[3]}\[[^\n]*\]\s*=\s*(?:os\.)?(?:getenv\(|environ\b)"
            return re.search(filled, body_of(suite, actor)) is not None
    kept = rf"\b{re.escape(change.value)}\b\s*=\s*(?:os\.)?(?:getenv\(|environ\b)[^\n]*"
    above = suite.lines(actor.path, actor.function.line, change.span.line - 1)
    return re.search(kept + re.escape(change.key.strip("'\"")), above) is not None


_COPIED = re.compile(r"(\w+)\s*=\s*(?:dict\((?:os\.)?environ\)|(?:os\.)?environ\.copy\(\))")


def _is_given_back(suite: Suite, actor: Actor) -> bool:
    """Whether a copy of the environment from before is given back in the same function."""
    body = body_of(suite, actor)
    return any(
        re.search(rf"environ(?:\.update\({kept}\)|\s*=\s*{kept}\b)", body)
        for kept in _COPIED.findall(body)
    )


def _is_default(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether a variable is given a value only where it has none, as `setdefault` does."""
    key = rf"[\"']?{re.escape(change.key.strip(chr(39)))}[\"']?"
    read = rf"(?:environ\.get|getenv)\(\s*{key}\s*\)"
    absent = re.compile(
        rf"{key}\s+not\s+in\s+(?:os\.)?environ\b|not\s+(?:os\.)?{read}|{read}\s+is\s+None"
    )
    headers = conditions(suite, actor.path, actor.function.line, change.span.line)
    return any(absent.search(header) for header in headers)


def _is_asserted_gone(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether the test asserts later that the variable is not set: the code took it away."""
    below = suite.lines(actor.path, change.span.end_line + 1, actor.function.end_line)
    key = rf"[\"']?{re.escape(change.key.strip(chr(39)))}[\"']?"
    gone = rf"assert\s+{key}\s+not\s+in\s+(?:os\.)?environ\b"
    return change.kind == "item" and " not in " in below and re.search(gone, below) is not None


def _gives_all_back(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether a change gives back a copy of the environment that was made before."""
    above = suite.lines(actor.path, actor.function.line, change.span.line - 1)
    return change.name == "update" and change.key in _COPIED.findall(above)


_BY_MONKEYPATCH = re.compile(r"\.(?:setenv|delenv)\(\s*(\w+)")


def _is_emptied(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether the variables of an `update` are taken away in a loop, or known to `monkeypatch`."""
    body = body_of(suite, actor)
    if _LOOPED.search(body):
        return True
    given = suite.lines(actor.path, change.span.line, change.span.end_line)
    return any(re.search(rf"\b{name}\b", given) for name in _BY_MONKEYPATCH.findall(body))


def _judged(suite: Suite, actor: Actor, change: Change, key: str) -> Verdict:
    def touches(actor: Actor, other: Change) -> bool:
        if other.target[-1:] == ("monkeypatch",) or other.name in ("setenv", "delenv"):
            return other.key == key
        if other.kind == "attribute" and other.name == "environ":
            return other.by_name and other.target == ("os",)
        found = _key(suite, actor, other)
        return found is not None and (found in (key, "", "?") or not key or not is_text(found))

    if not key and _is_emptied(suite, actor, change):
        return "restored"
    if any(
        other.name in ("setenv", "delenv") and other.key == key
        for other in actor.changes
        if other.span.line < change.span.line
    ):
        return "restored"
    bare = key.strip("'\"")
    pattern, names = f"{_WHOLE_ENVIRON}|{_COMPUTED}", ["environ"]
    if bare not in ("", "?"):
        pattern += rf"|\b{re.escape(bare)}\b"
        names.append(bare)
    verdict = judge(suite, actor, change, touches, _undoes, Words(pattern, names))
    return "inline" if verdict == "left" and _is_given_back(suite, actor) else verdict


def _told(suite: Suite, actor: Actor, kept: dict[str, _Kept]) -> Fault:
    (_, first), *more = kept.items()
    names = [n for key, each in kept.items() for n in _names(suite, actor, each.change, key)]
    what, verb = _words(names)
    inline = all(each.verdict == "inline" for each in kept.values())
    done = "cleared" if first.change.name == "clear" else "set"
    related = [
        at(Place(actor.path, each.change.span), f"{_set(suite, actor, each.change, key)} set here")
        for key, each in more
    ]
    return Fault(
        Place(actor.path, first.change.span),
        f"{what} {verb} {done} and {fate('inline' if inline else 'left')}",
        symbol_of(actor),
        tuple(related),
        notes=(NOTE,),
        help=advice(actor, "setenv(name, value)"),
        tests=tests_of(actor),
    )


_GIVEN = re.compile(r"[{,]\s*([\"'])(\w+)\1\s*:")


def _names(suite: Suite, actor: Actor, change: Change, key: str) -> list[str]:
    """The variables that a change is about, as shown; those of a dict display for an `update`."""
    if change.name == "update":
        given = suite.lines(actor.path, change.span.line, change.span.end_line)
        shown = list(dict.fromkeys(f"`{name}`" for _, name in _GIVEN.findall(given)))
        return [_WHOLE] if "**" in given or not shown else shown
    if not key or change.name == "clear":
        return [_WHOLE]
    if key == "?":
        return ["a variable"]
    return [f"`{key.strip(chr(39))}`" if is_text(key) else f"the variable `{key}`"]


def _set(suite: Suite, actor: Actor, change: Change, key: str) -> str:
    """What a change sets, and the verb for it."""
    return " ".join(_words(_names(suite, actor, change, key)))
