"""Reads what a function does with events: the names it has, what it captures, what it asserts."""

from __future__ import annotations

import ast
import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from scopecheck.evidence import SINGLE, Capture, EventForms, EventUse
from scopecheck.read.captured import (
    CAPTURE_WORDS,
    is_capturing,
    is_record,
    known_source,
    may_capture,
    opener,
)
from scopecheck.read.claims import TYPE_KEYS, Claims
from scopecheck.read.early import read_early
from scopecheck.read.emitted import EMITTERS
from scopecheck.read.emptiness import is_empty
from scopecheck.read.event_nodes import (
    FILLING,
    fails,
    is_argument,
    method_of,
    names_in,
    source_of,
)
from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import DEFINITIONS, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.evidence import Fate, WordUse
    from scopecheck.read.nodes import Inside
    from scopecheck.read.text import Text
    from scopecheck.source import Span

# Only a function whose text has one of these is looked at.
EVENT_WORDS = {
    **{word: (word,) for word in ("event", "emit", "notif", "_started", "_completed", "receiv")},
    **{word: (word,) for word in ("recwarn", "broadcast")},
    "cap": ("captur", "caplog", "capsys"),
    **CAPTURE_WORDS,
}

# What a name of several captured events looks like; one alone is more often what the test sends.
_EVENTISH = re.compile(
    r"events|messages$|notifications|broadcasts|received|captured|emitted|(?:^|_)sent(?:$|_)"
)
_FIXTURES = frozenset({"caplog", "capsys", "capfd", "capsysbinary", "capfdbinary", "recwarn"})
# What prepares a capturing fixture, and reads nothing of it.
_PREPARING = frozenset({"at_level", "set_level", "clear", "disabled", "filtering", "handler"})
_LOGLIKE = re.compile(r"log|warn|record|output|stdout|stderr|printed")
_REPORTS = frozenset({"print", "pprint", "debug", "info", "warning", "error", "log", "exception"})
_MOCK_CHECK = re.compile(r"^assert_(?:called|any_call|has_calls|awaited|any_await)")
_MAX_WORDS = 200
# A string without one of these is a word of the language more often than a name.
_EVENT_NAME = re.compile(r"[A-Za-z]+(?:[_.:][A-Za-z]+)+")
_KNOWN = EventForms()
_KEPT = ("captured_", "recorded_", "received_", "emitted_")
_SEPARATORS = frozenset("_.:/-")


def read_events(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    text: Text,
    inside: Inside,
    *,
    tasks: bool,
    forms: EventForms | None = None,
) -> EventUse | None:
    """What a function has to do with events; None where that is nothing.

    Args:
        function: a test, or a function that tests may call.
        text: of its file.
        inside: what stands in it.
        tasks: its text has a call that makes a task.
        forms: what the configuration says; None where it is not known yet.
    """
    reader = _Reader(function, text, inside, forms or _KNOWN)
    return reader.whole(tasks=tasks) if forms or reader.matters else None


_LEAVING = (ast.Continue, ast.Break, ast.Return)


class _Reader:
    """Looks at one function; names are followed through its assignments, whatever their order."""

    def __init__(
        self,
        function: ast.FunctionDef | ast.AsyncFunctionDef,
        text: Text,
        inside: Inside,
        forms: EventForms,
    ) -> None:
        self._function = function
        self._forms = forms
        self._text = text
        self._calls: dict[tuple[str, ...], None] = {}
        self._values: dict[str, list[ast.expr]] = {}
        # Where a name that may hold captures is bound, and where any is.
        self._places: dict[str, ast.Name] = {}
        self._bound_at: dict[str, ast.Name] = {}
        # Which names go into which, and what becomes of a name.
        self._into: dict[str, set[str]] = {}
        self._fates: dict[str, set[str]] = {}
        # Where a name is logged, or asserted to be there.
        self._shown: dict[tuple[str, str], ast.expr] = {}
        self._handed: dict[str, set[tuple[str, ...]]] = {}
        self._claims: list[tuple[ast.expr, WordUse]] = []
        # What decides whether a statement is run, and so goes into what it binds: `count += 1`.
        self._under: list[str] = []
        # Whether it is in a loop that fails where what it waits for does not come.
        self._polls = False
        arguments = function.args
        self._given = {
            one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        }
        self._bound, self._strings, self._senders = inside.stored, inside.strings, inside.senders
        self._attributes = inside.attributes
        # Messages that are received and dropped.
        self._dropped: dict[str, ast.Call] = {}
        self._found = Claims(text, self._given | self._bound, self._values, forms.keys)
        # What it hands back, and what that says.
        self._returned: list[ast.expr] = []
        self._told = Claims(text, self._given | self._bound, self._values, forms.keys)
        self._keys = frozenset(key.rpartition(".")[2] for key in forms.keys) or TYPE_KEYS

    @property
    def matters(self) -> bool:
        """Whether it captures, or has a string that may be the name of an event."""
        return (
            not self._given.isdisjoint(_FIXTURES)
            or any(_EVENTISH.search(name) for name in (*self._bound, *self._given))
            or any(_EVENT_NAME.fullmatch(str(node.value)) for node in self._strings)
            or any(map(is_record, self._attributes))
            or any(
                isinstance(node, ast.Call)
                and (_MOCK_CHECK.match(method_of(node)) or may_capture(node))
                for node in self._senders
            )
        )

    def whole(self, *, tasks: bool) -> EventUse:
        """Everything."""
        self._block(self._function.body)
        for claim, use in self._claims:
            self._found.claim(claim, use)
        for value in self._returned:
            self._told.claim(value, "equal")
        self._called()
        self._others()
        captures = tuple(self._captures())
        doc = ast.get_docstring(self._function, clean=False) or ""
        return EventUse(
            tuple(self._found.words)[:_MAX_WORDS],
            tuple(self._found.constants),
            captures,
            tuple(self._calls),
            " ".join(doc.split())[:300].lower() if self._function.name.startswith("test") else "",
            self._found.ordered,
            self._found.open,
            tuple(read_early(self._function, self._text)) if tasks else (),
            tuple(self._found.verdicts),
            tuple(self._told.words)[:_MAX_WORDS],
            tuple(self._told.constants),
            tuple(self._unread(captures)),
        )

    def _block(self, body: Iterable[ast.stmt]) -> None:
        before = len(self._under)
        for statement in body:
            self._statement(statement)
            if isinstance(statement, ast.If) and isinstance(statement.body[-1], _LEAVING):
                # `if seen: continue` decides whether the rest of the block is run.
                self._under.extend(names_in(statement.test))
        del self._under[before:]

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assert(test=test):
                self._claims.append((test, "equal"))
                self._asserted(test)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, value)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._bind(target, value)
            case ast.AugAssign(target=target, value=value):
                self._bind(target, value)
            case ast.For(target=target, iter=subject) | ast.AsyncFor(target=target, iter=subject):
                places = dict(self._places)
                self._bind(target, subject)
                # One of what was captured is no capture.
                self._places = places
                before, self._polls = self._polls, False
                self._below(subject, [*node.body, *node.orelse])
                self._polls = before
            case ast.If(test=test):
                if fails(node.body):
                    self._claims.append((ast.UnaryOp(ast.Not(), test), "equal"))
                    self._mark(test, "used")
                elif self._polls and any(isinstance(one, ast.Break) for one in node.body):
                    # A loop that waits for it goes on without end, or until something fails.
                    self._mark(test, "used")
                self._below(test, [*node.body, *node.orelse])
            case ast.While(test=test):
                gives_up = any(isinstance(one, ast.If) and fails(one.body) for one in node.body)
                before, self._polls = self._polls, gives_up
                self._block([*node.body, *node.orelse])
                self._polls = before
            case ast.With(items=items) | ast.AsyncWith(items=items):
                for item in items:
                    self._mark(item.context_expr, "used")
                    if item.optional_vars is not None:
                        places = self._places
                        if not known_source(item.context_expr):
                            # What is opened here is more than what comes out of it.
                            self._places = dict(places)
                        self._bind(item.optional_vars, item.context_expr)
                        self._places = places
                self._block(node.body)
            case ast.Try():
                self._block([*node.body, *node.orelse, *node.finalbody])
                for handler in node.handlers:
                    self._block(handler.body)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._block(node.body)
            case ast.Return(value=value) if value is not None:
                self._mark(value, "used")
                self._returned.append(value)
            case ast.ClassDef(body=body):
                # What a class binds is no name of the function.
                self._block([one for one in body if isinstance(one, DEFINITIONS)])
            case ast.Expr(value=value):
                self._expression(value)
            case ast.Match(subject=subject):
                self._mark(subject, "used")
                for case in node.cases:
                    self._block(case.body)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self._mark(child, "used")

    def _below(self, condition: ast.expr, body: Iterable[ast.stmt]) -> None:
        """A block that is run as often as a condition or an iterable says."""
        before = len(self._under)
        self._under.extend(names_in(condition))
        self._block(body)
        del self._under[before:]

    def _expression(self, value: ast.expr) -> None:
        call = value.value if isinstance(value, ast.Await) else value
        if not isinstance(call, ast.Call):
            self._mark(value, "used")
            return
        parts = dotted(call.func) or ("", getattr(call.func, "attr", ""))
        if parts[-1] in SINGLE and is_capturing(call):
            self._dropped.setdefault(".".join(parts), call)
        if _MOCK_CHECK.match(parts[-1]) and len(parts) > 1:
            self._found.mock(call.func, "equal")
        if parts[-1].startswith("assert_not_") and len(parts) > 1:
            self._found.mock(call.func, "absent")
        if parts[-1] in _REPORTS:
            self._mark(call, "reported")
        elif parts[-1] in FILLING and len(parts) == 2:
            for argument in call.args:
                self._flow(argument, parts[0])
                self._values.setdefault(parts[0], []).append(argument)
        else:
            if parts[-1].startswith("assert") or parts[-1] in ("fail", "expect"):
                for argument in call.args:
                    self._claims.append((argument, "member"))
            for argument in _arguments(call):
                for name in names_in(argument):
                    self._handed.setdefault(name, set()).add(parts)
            if isinstance(call.func, ast.Attribute):
                self._mark(call.func, "used")

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        match target:
            case ast.Name(id=name):
                self._values.setdefault(name, []).append(value)
                self._places.setdefault(name, target)
                self._bound_at.setdefault(name, target)
                self._flow(value, name)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                for item in items:
                    self._bind(item, value)
            case ast.Starred(value=inner):
                self._bind(inner, value)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant() as key):
                # `results["created"] = "created" in types`
                self._values.setdefault(name, []).append(ast.Dict([key], [value]))
                self._flow(value, name)
            case _:
                self._mark(value, "used")
                self._mark(target, "used")

    def _flow(self, value: ast.expr, name: str) -> None:
        call = value.value if isinstance(value, ast.Await) else value
        if isinstance(call, ast.Call):
            parts = dotted(call.func) or ("", getattr(call.func, "attr", ""))
            names = [given for argument in _arguments(call) for given in names_in(argument)]
            if parts[-1] not in ("len", "list", "set", "sorted"):
                for given in names:
                    self._handed.setdefault(given, set()).add(parts)
            names += names_in(call.func)
        else:
            names = names_in(value)
        for given in (*names, *self._under):
            self._into.setdefault(given, set()).add(name)

    def _mark(self, node: ast.expr, fate: str) -> None:
        for name in names_in(node):
            self._fates.setdefault(name, set()).add(fate)
            if fate == "reported":
                self._shown.setdefault((name, fate), node)

    def _exists(self, name: str, test: ast.expr) -> None:
        self._fates.setdefault(name, set()).add("exists")
        self._shown.setdefault((name, "exists"), test)

    def _asserted(self, test: ast.expr) -> None:
        match test:
            case ast.Name(id=name):
                self._exists(name, test)
                return
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=name)]),
                ops=[ast.Gt() | ast.GtE() | ast.NotEq()] as ops,
                comparators=[ast.Constant(value=int(number))],
            ) if number in (0, 1) or not isinstance(ops[0], ast.NotEq):
                self._exists(name, test)
                return
            case ast.Compare(
                left=ast.Name(id=name),
                ops=[ast.IsNot()],
                comparators=[ast.Constant(value=None)],
            ):
                self._exists(name, test)
                return
        self._mark(test, "used")

    def _flows_into(self, name: str) -> set[str]:
        """The name, and every name that its value goes into, directly or not."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(self._into.get(one, ()))
        return found

    def _captures(self) -> Iterable[Capture]:
        for name in sorted(self._given & _FIXTURES):
            yield Capture(name, name, self._argument(name), self._prepared(name))
        for name in sorted(self._given - _FIXTURES):
            if _EVENTISH.search(name) or self._forms.captured(name):
                fate, handed = self._fate(name)
                yield self._capture(name, name, self._argument(name), fate, handed)
        for name, place in self._places.items():
            source = None if name == "_" else self._captured(name)
            if source is None:
                continue
            fate, handed = self._fate(name)
            for other in (*self._beside(name), *self._items(name)):
                its_fate, its_ways = self._fate(other)
                fate = "used" if its_fate == "used" else fate
                handed = (*handed, *its_ways)
            # (What is used already is not looked for in all assertions again.)
            if fate != "used" and (
                source.partition(".")[0] in _FIXTURES & self._claimed or self._asserts_capture
            ):
                fate = "used"
            yield self._capture(name, source, self._text.span(place), fate, handed)
        for name, call in self._dropped.items():
            yield Capture(name, name, self._text.span(call), "unused")

    def _capture(
        self, name: str, source: str, span: Span, fate: Fate, handed: tuple[tuple[str, ...], ...]
    ) -> Capture:
        shown = [self._shown.get((one, fate)) for one in self._flows_into(name)]
        places = sorted(self._text.span(node) for node in shown if node is not None)
        shown_at = places[0] if places else None
        return Capture(name, source, span, fate, handed, shown_at, self._opened(source))

    def _opened(self, source: str) -> str:
        """The call that made what a dotted name begins with; empty where it is not seen."""
        root, _, rest = source.partition(".")
        return opener(self._values.get(root, ())) if rest else ""

    def _unread(self, captures: Iterable[Capture]) -> Iterable[tuple[str, Span]]:
        """What was made as an object was whose events are read, and is not read itself."""
        roots = [one.source.partition(".")[0] for one in captures if "." in one.source]
        for node in self._senders:
            if isinstance(node, ast.Call) and is_capturing(node):
                roots += (dotted(node.func) or ())[:1]
        read = set(roots)
        makers = {made for root in read if (made := opener(self._values.get(root, ())))}
        # Several names for the parts of one value are no several contexts.
        shared = {
            id(value)
            for root in read
            for value in self._values.get(root, ())
            if not isinstance(value, ast.Tuple)
        }
        for name, place in self._bound_at.items() if makers else ():
            made = opener(self._values[name])
            alike = made in makers and name not in read and name not in self._claimed
            if alike and not any(id(value) in shared for value in self._values[name]):
                yield name, self._text.span(place)

    def _beside(self, name: str) -> Iterable[str]:
        """Names that another part of the same value is bound to: `out, err = ...`."""
        shared = self._shared
        others = {one for value in self._values[name] for one in shared.get(id(value), ())}
        return [one for one in self._places if one in others and one != name] if others else []

    @cached_property
    def _shared(self) -> dict[int, set[str]]:
        """The names that are bound to one value, for those of which there are several."""
        found: dict[int, set[str]] = {}
        for name in self._places:
            for value in self._values[name]:
                found.setdefault(id(value), set()).add(name)
        return {value: names for value, names in found.items() if len(names) > 1}

    def _items(self, name: str) -> Iterable[str]:
        """Names of what is put into a list one by one: a check of each is one of the list."""
        return (one.id for one in self._values[name] if isinstance(one, ast.Name))

    @cached_property
    def _asserts_capture(self) -> bool:
        """Whether an assertion is about what an object of the test has captured."""
        return any(
            isinstance(node, ast.Attribute) and node.attr.startswith(_KEPT)
            for claim, _ in self._claims
            for node in walk(claim)
        )

    @cached_property
    def _claimed(self) -> frozenset[str]:
        """Every name in an assertion."""
        return frozenset(name for claim, _ in self._claims for name in names_in(claim))

    def _argument(self, name: str) -> Span:
        argument = next(a for a in ast.walk(self._function.args) if is_argument(a, name))
        assert isinstance(argument, ast.arg)
        return self._text.span(argument)

    def _fate(self, name: str) -> tuple[Fate, tuple[tuple[str, ...], ...]]:
        """What becomes of a name's value, and the functions that it is handed to."""
        names = self._flows_into(name)
        fates = {fate for one in names for fate in self._fates.get(one, ())}
        fate: Fate = "unused"
        for worse in ("reported", "exists", "used"):
            if worse in fates:
                fate = worse
        return fate, tuple(sorted({way for one in names for way in self._handed.get(one, ())}))

    def _prepared(self, name: str) -> Fate:
        """What becomes of a capturing fixture; used, too, if assertions are about a log."""
        for claim, _ in self._claims:
            for node in walk(claim):
                word = getattr(node, "attr", "") or getattr(node, "id", "")
                if word != name and _LOGLIKE.search(word):
                    return "used"
        for node in walk(self._function):
            match node:
                case ast.Attribute(value=ast.Name(id=found), attr=attr) if found == name:
                    if attr not in _PREPARING:
                        return "used"
        prepared = {
            id(node.value)
            for node in walk(self._function)
            if isinstance(node, ast.Attribute) and node.attr in _PREPARING
        }
        for node in walk(self._function):
            if isinstance(node, ast.Name) and node.id == name and id(node) not in prepared:
                return "used"
        return "unused"

    def _captured(self, name: str) -> str | None:
        """Where a name's value was captured: the call; empty for a list that is filled.

        None where it is nothing captured, as far as anyone can tell.
        """
        sources = [source for value in self._values[name] if (source := source_of(value))]
        if self._forms.captures:
            places = [*sources, *(".".join(dotted(v) or ()) for v in self._values[name]), name]
            for source in places:
                if self._forms.captured(source):
                    return source
        for value in self._values[name]:
            if source := known_source(value):
                return source
        if not _EVENTISH.search(name.lower()):
            return None
        if sources:
            return sources[0]
        return "" if self._values[name] and is_empty(self._values[name][0]) else None

    def _called(self) -> None:
        """The functions that are called or handed on, and the names in what is sent."""
        for node in self._senders:
            if isinstance(node, ast.Dict):
                self._keyed(node)
                continue
            parts = dotted(node.func)
            if parts is not None:
                self._calls.setdefault(parts)
            for argument in node.args:
                if isinstance(argument, ast.Name) and argument.id not in self._values:
                    self._calls.setdefault((argument.id,))
            if _sends(parts[-1] if parts else getattr(node.func, "attr", "")):
                for argument in _arguments(node):
                    if isinstance(argument, ast.Constant):
                        self._found.word(argument, "sent")

    def _keyed(self, node: ast.Dict) -> None:
        """The name that a message has under its key."""
        for key, value in zip(node.keys, node.values, strict=True):
            keyed = isinstance(key, ast.Constant) and key.value in self._keys
            if keyed and isinstance(value, ast.Constant):
                self._found.word(value, "sent")

    def _others(self) -> None:
        """The strings that are in no assertion and in nothing sent."""
        known = {word.text for word in self._found.words}
        for node in self._strings:
            if node.value not in known and not _SEPARATORS.isdisjoint(str(node.value)):
                self._found.word(node, "other")


def _arguments(call: ast.Call) -> list[ast.expr]:
    """What a call is given."""
    if not call.keywords:
        return call.args
    return [*call.args, *(keyword.value for keyword in call.keywords)]


# Calls of a few names make the most of a suite's.
@lru_cache(4096)
def _sends(name: str) -> bool:
    """Whether a function of this name may send what it is given, or keep it."""
    return not name.startswith("assert") and (name in FILLING or EMITTERS.search(name) is not None)
