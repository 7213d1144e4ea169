"""The code under test, changed for one test and left so: attributes, overrides, started patches."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import (
    Words,
    body_of,
    by_monkeypatch_before,
    judge,
    symbol_of,
    tests_of,
    text_of,
    writers,
)
from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at
from scopecheck.expressions import Call, Const, Items, Mapping, Name
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_test_code
from scopecheck.suite.registries import INVERSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.checks.leaks import Verdict
    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor
    from scopecheck.suite.subjects import Subject

_OVERRIDES = "dependency_overrides"
# What a name of a library stands for is told from its spelling alone: `unittest.mock.MagicMock`.
_CLASS_NAME = re.compile(r"[A-Z][a-z0-9]+(?:[A-Z0-9]\w*)?|[A-Z]+[a-z]\w*")
# Objects that are another one in each thread, task or request.
_LOCAL = re.compile(r"local|proxy|contextvar|context_var", re.IGNORECASE)


@looks("far")
def unrestored_patch(suite: Suite) -> Iterator[Fault]:
    """SCP407: the code under test is changed for one test and not put back."""
    for actor in writers(suite):
        told: set[object] = set()
        for change in actor.changes:
            fault = _started(suite, actor, change)
            if fault is None:
                subject = suite.changes.subject(actor.path, actor.function, change)
                if subject is None or not told.isdisjoint(
                    (subject.key, (subject.key, change.name))
                ):
                    continue
                fault = _patched(suite, actor, change, subject)
                if fault is not None:
                    told.add(subject.key)
                elif change.kind == "attribute":
                    told.add((subject.key, change.name))
            if fault is not None:
                yield fault


def _patched(suite: Suite, actor: Actor, change: Change, subject: Subject) -> Fault | None:
    what = _what(suite, change, subject)
    if what is None:
        return None
    if change.kind == "attribute" and _is_reset(suite, actor, change, subject):
        return None
    if _judged(suite, actor, change, subject) != "left":
        return None
    related = []
    if subject.path and subject.kind != "module" and subject.line:
        related.append(at(_line(subject), "it is made here, once for all tests"))
    return Fault(
        Place(actor.path, change.span),
        f"{what} and never put back",
        symbol_of(actor),
        tuple(related),
        notes=("every test that runs later in the same process meets it",),
        help=_advice(change),
        tests=tests_of(actor),
    )


_BLANK = frozenset({"None", "False", "0", "''", "[]", "{}", "b''", "0.0"})


def _is_reset(suite: Suite, actor: Actor, change: Change, subject: Subject) -> bool:
    """Whether an attribute is given the value that it has from the start, or may be.

    A test that asserts the attribute afterwards expects the code under test to change it.
    """
    if actor.kind != "test" and _PUTTING_BACK.search(actor.function.name):
        return True
    if _KEEPS.match(change.name) or _is_made_again(suite, actor, change, subject):
        return True
    written = ".".join((*change.target[-1:], change.name))
    below = suite.lines(actor.path, change.span.end_line + 1, actor.function.end_line)
    asserted = rf"assert\b.*{re.escape(written)}\s*(?:==|!=|is\b|in\b|not\b|<|>|$)"
    if written in below and "assert" in below and re.search(asserted, below, re.MULTILINE):
        return True
    owner = ".".join(change.target)
    if change.value.startswith(f"{owner}.{change.name}."):
        return True  # a member of the enumeration that it is already a member of
    if change.value not in _BLANK:
        return bool(change.value) and change.value == _default(suite, change, subject)
    default = _default(suite, change, subject)
    return not default or default == change.value or actor.kind != "test"


# Names under which a value from before is kept.
_KEEPS = re.compile(r"_*(?:old|orig|original|saved|real|prev|previous)_")
_PUTTING_BACK = re.compile(r"(?:^|_)(?:reset|clear|clean|restore)")


def _is_made_again(suite: Suite, actor: Actor, change: Change, subject: Subject) -> bool:
    """Whether an attribute of a module is made anew as the module makes it, by it or the test."""
    space = suite.evaluator.module(subject.path) if subject.kind == "module" else None
    bindings = () if space is None else space.bindings.get(change.name, ())
    # The code under test may give it its first value again, when it has used it.
    first = _default(suite, change, subject)
    if bindings and first and _assigns(suite.text(subject.path), change.name, first):
        return True
    for binding in bindings:
        value = binding.value
        if isinstance(value, Call) and isinstance(value.func, Name) and not value.args:
            text = suite.lines(actor.path, change.span.line, change.span.end_line)
            return text.rstrip().endswith(f"{value.func.parts[-1]}()")
    return False


def _assigns(text: str, name: str, value: str) -> bool:
    """Whether a line of a text is `name = value`, indented."""
    start = text.find(name)
    while start >= 0:
        end = text.find("\n", start)
        line = text[text.rfind("\n", 0, start) + 1 : end if end >= 0 else len(text)]
        left, _, right = line.partition("=")
        if left[:1] in (" ", "\t") and (left.strip(" \t"), right.strip(" \t")) == (name, value):
            return True
        start = text.find(name, end) if end >= 0 else -1
    return False


def _default(suite: Suite, change: Change, subject: Subject) -> str:
    """The value that an attribute has from the start, as far as it is written."""
    space = None
    if subject.kind == "module" and subject.path:
        space = suite.evaluator.module(subject.path)
    else:
        class_ = suite.changes.subjects.class_of(subject)
        if class_ is not None:
            space = suite.evaluator.class_space(class_)
    bindings = () if space is None else space.bindings.get(change.name, ())
    match bindings[0].value if len(bindings) == 1 else None:
        case Const(value=value) | Call(args=(Const(value=value), *_)):
            # An option is made with the value that it has at first.
            return repr(value)
        case Name(parts=parts):
            return ".".join(parts)
        case Items(items=(), rest=0):
            return "[]"
        case Mapping(items=()) | Call(func=Name(parts=("set" | "dict",)), args=(), keywords=()):
            return "{}"
        case None:
            return ""
    return "?"


def _line(subject: Subject) -> Place:
    from scopecheck.source import Span

    line = subject.line
    return Place(subject.path, Span(line, 1, line, 1 + len(subject.name)))


def _what(suite: Suite, change: Change, subject: Subject) -> str | None:
    """What is changed, in words; None where it is not for this rule."""
    written = ".".join((*change.target, change.name))
    if _OVERRIDES in subject.rest[-1:] or (change.name == _OVERRIDES and subject.kind == "object"):
        sets = change.kind == "item" or (change.kind == "call" and change.name == "update")
        if sets and subject.kind in ("object", "external"):
            return f"an override is left in `{'.'.join(change.target)}`"
        return None
    expecting = {name.rpartition(".")[2] for name in change.under}
    if change.kind == "call":
        # What is refused is not registered.
        return None if expecting & _FAILING else _registered(suite, change, subject)
    if change.kind != "attribute" or "[]" in subject.rest:
        return None
    # An assignment that warns or fails may be no assignment.
    if expecting & _WARNING or expecting & _FAILING:
        return None
    if change.name in _TELLING:
        return None
    if any(part.endswith("()") for part in subject.rest):
        return None
    match subject.kind:
        case "module" if not is_test_code(subject.path):
            if _is_new(suite, subject, change.name):
                return None
            return f"`{written}` of a module is replaced"
        case "class" if not is_test_code(subject.path) and not subject.rest:
            if _is_nobodys(suite, subject, change.name):
                return None
            return f"`{written}` of a class is replaced"
        case "object" if not is_test_code(subject.path) and not subject.rest:
            maker = suite.changes.subjects.maker_of(subject)
            if not maker or _LOCAL.search(maker) or _is_local(suite, subject):
                return None
            return f"`{written}` of an object of the code under test is replaced"
        case "external" if not subject.rest:
            return _external(change, subject, written)
    return None


# What says how something is called, to ctypes too: whoever calls it says the same.
_TELLING = frozenset({"__test__", "__signature__", "__doc__", "argtypes", "restype", "errcheck"})
_FAILING = frozenset({"raises", "assertRaises", "assertRaisesRegex"})
_WARNING = frozenset({"warns", "deprecated_call", "assertWarns"})


def _is_new(suite: Suite, subject: Subject, name: str) -> bool:
    """Whether a module, whose names are all known, has no such name: no code of it reads it."""
    space = suite.evaluator.module(subject.path)
    if space is None or "__getattr__" in space.bindings or "*" in space.bindings:
        return False
    return name not in space.bindings and not re.search(
        rf"\b{re.escape(name)}\b", suite.text(subject.path)
    )


def _is_nobodys(suite: Suite, subject: Subject, name: str) -> bool:
    """Whether neither a class nor its bases, all of them read, bind an attribute in their bodies.

    Then no other instance has it from there, or each sets its own.
    """
    class_ = suite.changes.subjects.class_of(subject)
    if class_ is None:
        return False
    lineage = suite.linker.lineages.of(class_)
    return not lineage.opaque and name not in suite.linker.lineages.names(lineage)


def _external(change: Change, subject: Subject, written: str) -> str | None:
    """Attributes of a library's modules and classes."""
    name = subject.name
    if name.startswith("builtins.") or name.endswith("()"):
        return None
    last = name.rpartition(".")[2]
    if name in ("sys", "os.environ", "pytest"):
        return None
    if "." not in name and change.target[-1] == name:
        return f"`{written}` of a module is replaced"
    if name in _STANDARD_MODULES:
        return f"`{written}` of a module is replaced"
    if _CLASS_NAME.fullmatch(last) and not last.isupper():
        # A library may have an object of such a name, as `Settings` of llama-index is one.
        known = name.partition(".")[0] in sys.stdlib_module_names
        return f"`{written}` of {'a class' if known else 'a library'} is replaced"
    return None


_STANDARD_MODULES = frozenset({"os.path", "urllib.request", "xml.etree", "asyncio.events"})


def _is_local(suite: Suite, subject: Subject) -> bool:
    class_ = suite.changes.subjects.class_of(subject)
    if class_ is None:
        return False
    return any(
        _LOCAL.search(holder.class_.name) is not None
        or any(_LOCAL.search(str(base)) for base in holder.class_.bases)
        for holder in suite.linker.lineages.of(class_).classes
    )


def _judged(suite: Suite, actor: Actor, change: Change, subject: Subject) -> Verdict:
    last = _OVERRIDES if _OVERRIDES in (*subject.rest, change.name) else change.name

    def touches(actor: Actor, other: Change) -> bool:
        if last == _OVERRIDES:
            return _OVERRIDES in (*other.target, other.name)
        if other.name in ("reload", "undo") and other.kind == "call":
            return True
        if other.kind == "call" and other.target == ("monkeypatch",):
            return last in re.split(r"\W", other.key)
        if change.kind == "call":
            if other.kind == "call" and other.name in _inverses(change.name):
                return True
            if other.kind == "attribute" and other.target == change.target:
                return other.by_name and _gives_back(suite, actor, other)
            of_it = other.target[: len(change.target)] == change.target
            return of_it and _takes_away(other)
        if other.name != change.name or other.kind not in ("attribute", "del"):
            return False
        found = suite.changes.subject(actor.path, actor.function, other)
        return found is not None and found.key == subject.key

    def undoes(other: Change) -> bool:
        if last == _OVERRIDES:
            return other.kind == "del" or other.name in ("pop", "clear", _OVERRIDES)
        if change.kind == "call":
            return True
        given = other.value in _BLANK or other.value == _default(suite, other, subject)
        return other.kind == "del" or other.by_name or given or other.name == "reload"

    if by_monkeypatch_before(actor, change, touches):
        return "restored"
    if _gives_back(suite, actor, change):
        return "restored"
    owner = change.target[-1]
    above = suite.lines(actor.path, actor.function.line, change.span.line - 1)
    if "patch" in above and re.search(_patches_of(owner.removesuffix("()"), last), above):
        return "restored"
    below = suite.lines(actor.path, change.span.end_line + 1, actor.function.end_line)
    if _is_set_by_method(suite, change, subject, below):
        return "inline"
    if f"{owner}." in below and re.search(rf"\b{re.escape(owner)}\.\w*{_RESETS}\w*\(", below):
        return "inline"
    if "__dict__" in below and re.search(rf"__dict__\.pop\(\s*[\"']{re.escape(last)}[\"']", below):
        return "inline"
    plain = owner.removesuffix("()")
    # What is registered is taken away again, or the object made anew in its place.
    anew = "|".join((*(_inverses(change.name) if change.kind == "call" else ()), "__init__"))
    words = Words(
        rf"\.{re.escape(last)}\b\s*(?:=|\.clear|\.pop|\[)|\breload\(|\bstopall\("
        rf"|(?:setattr[(,]|(?:patch|object)\()[^)]*\b(?:{re.escape(last)}\b|{re.escape(owner)}[\"'])"
        # Of an object, a name and a value that are computed, it may be this one.
        r"|(?<!\.)\bsetattr\(\s*\w+,\s*\w+,\s*\w+\s*\)"
        rf"|\b{re.escape(plain)}\b[\w.]*\.\w*{_RESETS}\w*\("
        rf"|\b{re.escape(plain)}\.(?:{anew})\(",
        (last, plain, "reload(", "stopall(", "setattr("),
    )
    assigned = Words(
        rf"\b{re.escape(plain)}\.{re.escape(last)}\s*(?::[^=\n]*)?=[^=]", (f".{last}",)
    )
    return judge(suite, actor, change, touches, undoes, words, assigned)


def _patches_of(owner: str, name: str) -> str:
    """What patches an attribute, and so puts back what it is before, whatever is assigned to it."""
    owner, name = re.escape(owner), re.escape(name)
    by_name = rf"\bpatch\(\s*[\"'][\w.]*\b{owner}\.{name}[\"']"
    return rf"{by_name}|\bobject\([^)]*\b{owner},\s*[\"']{name}[\"']"


def _is_set_by_method(suite: Suite, change: Change, subject: Subject, below: str) -> bool:
    """Whether a method of the object that sets the attribute is called later."""
    class_ = suite.changes.subjects.class_of(subject) if change.kind == "attribute" else None
    owner = re.escape(".".join(change.target))
    called = re.findall(rf"\b{owner}\.(\w+)\(", below) if class_ is not None else ()
    if class_ is None or not called:
        return False
    sets = re.compile(rf"\b(?:self|cls)\.{re.escape(change.name)}\s*=[^=]")
    facts = suite.facts(class_.module)
    return facts is not None and any(
        function.name in called
        and function.owner == class_.index
        and sets.search(suite.lines(class_.module, function.line, function.end_line))
        for function in facts.functions
    )


_RESETS = r"(?:reset|clear|restore|shutdown|cleanup|tear_?down|invalidate|(?<!is_)empty)"


def _takes_away(change: Change) -> bool:
    """Whether something is taken out of a registry by hand."""
    return change.name in ("pop", "clear") or (change.kind == "del" and change.name == "[]")


def _gives_back(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether what is assigned is the value that was kept before."""
    if not change.by_name or "." in change.value:
        return change.value.startswith("self.")
    kept, attribute = re.escape(change.value), re.escape(change.name)
    found = rf"\b{kept}\b\s*(?::[^=\n]*)?=\s*[^=\n]*\b{attribute}\b"
    return re.search(found, body_of(suite, actor)) is not None


def _advice(change: Change) -> str:
    if _OVERRIDES in (*change.target, change.name):
        return "clear the overrides after the `yield` of a fixture, or use `monkeypatch.setitem`"
    if change.kind == "call":
        return "take it away again after the `yield` of a fixture, or give each test its own object"
    owner = ".".join(change.target)
    return f'use `monkeypatch.setattr({owner}, "{change.name}", ...)`, which puts it back'


def _inverses(name: str) -> tuple[str, ...]:
    """What a method may be called that takes away what `register_tool` or `add_tool` puts in."""
    word, dash, rest = name.partition("_")
    return tuple(f"{back}{dash}{rest}" for back in INVERSE.get(word, ()))


def _registered(suite: Suite, change: Change, subject: Subject) -> str | None:
    """Something put into an object of the code under test that lives as long as the process."""
    inverses = _inverses(change.name)
    if not inverses or subject.kind != "object" or subject.rest or is_test_code(subject.path):
        return None
    class_ = suite.changes.subjects.class_of(subject)
    if class_ is None or class_.decorated:
        return None
    lineage = suite.linker.lineages.of(class_)
    names = suite.linker.lineages.names(lineage)
    if change.name not in names:
        return None
    if not any(name in names for name in inverses):
        return None
    shown = f"`{change.key.strip(chr(39))}`" if change.key[:1] in "'\"" else "something"
    if not change.key:
        return None
    maker = class_.class_.name
    return f"{shown} is registered with the one `{maker}` of the process (`{subject.name}`)"


_PATCHES = ("unittest.mock.patch", "mock.patch")
_CLOCKS = ("freezegun.freeze_time", "freezegun.api.freeze_time", "time_machine.travel")


_PATCHED = re.compile(r"\bpatch\.(?:object|multiple|dict)\(\s*(\w+)\s*,")


def _is_of_own(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether what is patched is a class that the function makes itself: nobody else has it."""
    patched = _PATCHED.search(suite.lines(actor.path, change.span.line, change.span.end_line))
    if patched is None:
        return False
    made = rf"^[ \t]+class {re.escape(patched[1])}\b"
    return re.search(made, body_of(suite, actor), re.MULTILINE) is not None


def _started(suite: Suite, actor: Actor, change: Change) -> Fault | None:
    """`patch(...).start()` or `freeze_time(...).start()` that nothing stops."""
    if change.kind != "call" or change.name != "start" or not change.target:
        return None
    if not change.target[-1].endswith("()"):
        return None
    subject = suite.changes.subject(actor.path, actor.function, change)
    if subject is None or not subject.name.startswith((*_PATCHES, *_CLOCKS)):
        return None
    clock = subject.name.startswith(_CLOCKS)
    if not clock and _is_of_own(suite, actor, change):
        return None

    def touches(_: Actor, other: Change) -> bool:
        return other.name in ("stop", "stopall")

    def undoes(_: Change) -> bool:
        return True

    words = re.compile(r"\bstop(?:all)?\b")
    verdict = judge(suite, actor, change, touches, undoes, words)
    if verdict == "restored":
        return None
    if verdict == "left" and re.search(r"\.stop\b|stopall", text_of(suite, actor)):
        return None
    fate = "stopped only if nothing fails before that" if verdict == "inline" else "never stopped"
    return Fault(
        Place(actor.path, change.span),
        f"{'a frozen clock' if clock else 'a patch'} is started and {fate}",
        symbol_of(actor),
        notes=(
            "every test that runs later has the time that it says"
            if clock
            else "what it replaces stays replaced for every test that runs later",
        ),
        help="use it as a context manager or decorator, or stop it in a clean-up",
        tests=tests_of(actor),
    )
