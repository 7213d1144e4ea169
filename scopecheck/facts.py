"""What one Python file says about fixtures and tests, as plain data that can be stored and sent.

A file's facts are made from its text alone: no other file is looked at, so they can be made in
parallel and kept between runs. Names are not resolved here; an *expression* keeps the form that
decides a meaning (`functools.partial(pytest.fixture, scope=SCOPE)`) and the suite evaluates it.

    binding       a name given a value in a module or class body, in source order
    expression    the part of a value's form that matters (`scopecheck.expressions`)
    function      a `def`, its parameters and decorators, and what its body does
    body          what was seen in a function's statements, where something there matters

What a function has beside its name and place stays encoded, and is decoded when it is asked for:
of most functions nothing ever is, and a million lines of tests have some fifty thousand.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec

from scopecheck.evidence import Asserts, EventUse, Evidence
from scopecheck.expressions import Call, Expression
from scopecheck.hook_facts import HookFacts  # noqa: TC001 - the type of a field
from scopecheck.source import Span

FACTS_VERSION = 29


class Import(msgspec.Struct, frozen=True, array_like=True, tag="i", gc=False):
    """One name imported. `module` is as written (with `level` dots before it).

    `name` is None for `import module`, "*" for a star import.
    """

    module: str
    name: str | None
    level: int = 0


class Deleted(msgspec.Struct, frozen=True, array_like=True, tag="x", gc=False):
    """`del name`."""


class Extended(msgspec.Struct, frozen=True, array_like=True, tag="e", gc=False):
    """`name += value`, `name.extend(value)`, `name.append(item)` (as a one-item list)."""

    value: Expression


BoundValue: TypeAlias = Expression | Import | Deleted | Extended


class Guard(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Under what a binding stands; the innermost statement's branch, flags added up.

    branch: `if` and `else` (also `elif`, `match`), `loop` (`for`, `while`), `except` (a handler,
        taken only when the `try` fails), or empty where the statement always runs.
    never: under a condition that is known to be false when pytest runs (`TYPE_CHECKING`, another
        platform or Python version).
    caught: inside a `try` that catches ImportError (or more), or under `contextlib.suppress`.
    """

    branch: Literal["", "if", "else", "loop", "except"] = ""
    never: bool = False
    caught: bool = False


ALWAYS = Guard()


class Binding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A name given a value in a module, class or function body; in source order.

    `target` is the class or object in `Class.name = value` and `setattr(Class, "name", value)`,
    else empty. A binding of the name `?` stands for names that only running code can tell
    (`globals()[name] = ...`, `exec`, `setattr` with a computed name).
    """

    name: str
    value: BoundValue
    span: Span
    guard: Guard = ALWAYS
    target: tuple[str, ...] = ()


ParameterKind: TypeAlias = Literal["positional", "normal", "keyword", "args", "kwargs"]


class Parameter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One parameter; `positional` is before a `/`, `keyword` after a `*`."""

    name: str
    kind: ParameterKind
    default: bool
    line: int
    column: int

    @property
    def span(self) -> Span:
        """Where the name stands."""
        return Span(self.line, self.column, self.line, self.column + len(self.name))


class Decorator(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A decorator's expression, and its place without the `@`."""

    expression: Expression
    span: Span


class CallFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A call seen in a function's body (nested functions included when `nested`).

    under: `condition` where the body may be run without it (also after a conditional `return`),
        `caught` inside a `try` that catches what pytest raises to fail a test.
    """

    call: Call
    nested: bool = False
    under: Literal["", "condition", "caught"] = ""


class LoopCall(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A call that may run an event loop until something is done, on the thread of the caller.

    call: `asyncio.run(...)`, `loop.run_until_complete(...)`, `runner.run(...)`, or a call of a
        function of this file that does so.
    receiver: what a method is called on, as far as the body shows where it comes from.
    """

    call: Call
    receiver: Expression | None = None


class YieldFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The yields of a function and what was proved of its paths.

    twice: a `yield` that a path reaches after another one, with that earlier one.
    missed: a `return`, or the end of the function, that a path reaches with no yield before.
    missed_surely: whether no condition decides on that path.
    """

    yields: tuple[Span, ...]
    twice: tuple[Span, Span] | None = None
    missed: Span | None = None
    missed_surely: bool = False


class Body(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was seen in a function's statements.

    calls: calls whose function is a plain or dotted name.
    locals: names that the function binds (parameters excluded).
    self_stores: attributes assigned on the first parameter, with their places.
    nested_tests: functions named like tests defined inside, that nothing in the body names again.
    inner_parameters: parameters of the functions defined inside.
    loop_calls: calls that may run an event loop, where nothing excuses them: not in functions that
        are handed on, not under conditions, not where an exception is expected.
    """

    calls: tuple[CallFact, ...] = ()
    locals: tuple[str, ...] = ()
    yields: YieldFacts | None = None
    self_stores: tuple[tuple[str, Span], ...] = ()
    nested_tests: tuple[tuple[str, Span], ...] = ()
    inner_parameters: tuple[str, ...] = ()
    loop_calls: tuple[LoopCall, ...] = ()


class Handout(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a function gives to its caller: the values it yields, or else returns.

    values: each with the place of its statement; a bare `yield` or `return` gives None.
    annotation: what it says that it gives, of `Iterator[Client]` the `Client`.
    awaits: an async one waits for something, or leaves something on its loop.
    tears_down: something is done after the `yield`.
    """

    values: tuple[tuple[Expression, Span], ...]
    annotation: Expression | None = None
    awaits: bool = False
    tears_down: bool = False


FlawKind: TypeAlias = Literal[
    "constant",
    "tuple",
    "generator",
    "or",
    "length",
    "uncalled",
    "comparison",
    "swallowed",
    "raised",
    "unreachable",
]


class Flaw(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An assertion in a test that its form alone shows to be worth nothing.

    words: the expression that is asserted, where it is short; of one whose failure is caught, what
        becomes of the test, where it does not pass: it `is skipped`.
    cause: what makes it so: the handler that catches its failure, the statement that ends the
        block before it, the `raises` that the exception leaves.
    """

    kind: FlawKind
    span: Span
    words: str = ""
    cause: Span | None = None


ChangeKind: TypeAlias = Literal["call", "item", "attribute", "del", "augmented", "name"]


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that a function changes in place, which it did not make itself.

    kind: a method or function called, an item or attribute given, one taken away, `x += ...` of a
        name that stands for a path, a global name bound again.
    target: the path of what changes: a root, then attributes, `[]` for an item, `make()` for what
        a call gives; empty for a plain function or a global name.
    name: of the method, the attribute, the global name; `[]` for an item.
    key: of an item, or the first argument: a constant as Python writes it, a dotted name, `:` for
        a whole list, or `?`.
    value: what is assigned, or the last argument, where that is a dotted name, a constant (as
        Python writes it) or an empty container; `=` for `x += ...`.
    condition: under an `if`, a `match` or in a handler.
    final: in a `finally`, after the `yield`, or handed to what calls it when the test is over.
    nested: in a function inside this one.
    under: the context managers around it, by the dotted names called; `?` for another form.
    imported: the import inside the function that binds the root.
    """

    kind: ChangeKind
    target: tuple[str, ...]
    name: str
    span: Span
    key: str = ""
    value: str = ""
    condition: bool = False
    final: bool = False
    nested: bool = False
    under: tuple[str, ...] = ()
    imported: Import | None = None

    @property
    def by_name(self) -> bool:
        """Whether what is given is kept under a name, as a value from before is."""
        return self.value[:1].isidentifier() and self.value not in ("None", "True", "False")


class Passed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A call that hands paths to a function, by position or keyword of the arguments."""

    function: tuple[str, ...]
    arguments: tuple[tuple[str, tuple[str, ...]], ...]
    span: Span
    nested: bool = False
    imported: Import | None = None


class Effects(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a function changes, in source order.

    passed: calls by which it may change more.
    mutable_defaults: parameters that it changes and whose default is a container.
    mutable_parameters: parameters that it changes, and that `parametrize` gives containers.
    """

    changes: tuple[Change, ...] = ()
    passed: tuple[Passed, ...] = ()
    mutable_defaults: tuple[str, ...] = ()
    mutable_parameters: tuple[str, ...] = ()


class Workings(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the statements of a function do and hand back, where something there matters.

    bindings, returns, defaults: what a fixture factory or decorator binds and hands back, and what
        its parameters stand for where nothing is given; kept for functions that are not tests
        themselves.
    body: None where no word in the text of the body matters to any rule.
    handout: kept for what looks like a fixture.
    hook: kept for hooks that matter to async tests, and for what may help them.
    flaws: of a function named like a test.
    events: what it has to do with events.
    """

    bindings: tuple[Binding, ...] = ()
    returns: tuple[Expression, ...] = ()
    defaults: tuple[tuple[str, Expression], ...] = ()
    body: Body | None = None
    handout: Handout | None = None
    hook: HookFacts | None = None
    flaws: tuple[Flaw, ...] = ()
    events: EventUse | None = None


NO_WORKINGS = Workings()

# What a function has, as bits of one number: most have none of it, and then nothing is decoded.
CHANGES, BODY = 1, 8
"""Whether a function changes something itself, and has a `body`, as bits of `Function.has`."""
_PASSED, _MUTABLE, _BINDINGS, _HANDOUT, _RETURNS, _EVENTS = 2, 4, 16, 32, 64, 128
_DEFAULTS, _FLAWS, _HOOK = 256, 512, 1024
VACUITY, CONDITIONAL, DROPPED, LOST, RETURNED = 2048, 4096, 8192, 16384, 32768
"""Parts of the evidence of a test, as bits of `Function.has`."""
_LOOP_CALLS, _NESTED_TESTS, _FAULTY_YIELDS, PASSES_GLOBALS = 65536, 131072, 262144, 524288
"""PASSES_GLOBALS: some path that it hands to a function begins with none of its parameters."""


def _has(
    parameters: tuple[Parameter, ...],
    workings: Workings,
    effects: Effects | None,
    evidence: Evidence | None,
) -> int:
    has = 0
    if evidence is not None:
        has |= VACUITY if evidence.vacuity is not None else 0
        has |= CONDITIONAL if evidence.conditional is not None else 0
        has |= DROPPED if evidence.dropped else 0
        has |= LOST if evidence.lost else 0
        has |= RETURNED if evidence.returned is not None else 0
    if effects is not None:
        has |= CHANGES if effects.changes else 0
        has |= _of_passed(effects.passed, parameters) if effects.passed else 0
        has |= _MUTABLE if effects.mutable_defaults or effects.mutable_parameters else 0
    if workings is not NO_WORKINGS:
        has |= _BINDINGS if workings.bindings else 0
        has |= _RETURNS if workings.returns else 0
        has |= _DEFAULTS if workings.defaults else 0
        has |= _of_body(workings.body) if workings.body is not None else 0
        has |= _HANDOUT if workings.handout is not None else 0
        has |= _HOOK if workings.hook is not None else 0
        has |= _FLAWS if workings.flaws else 0
        has |= _EVENTS if workings.events is not None else 0
    return has


def _of_passed(passed: tuple[Passed, ...], parameters: tuple[Parameter, ...]) -> int:
    own = {parameter.name for parameter in parameters}
    roots = {path[0] for one in passed for _, path in one.arguments}
    return _PASSED | (0 if roots <= own else PASSES_GLOBALS)


def _of_body(body: Body) -> int:
    has = BODY
    has |= _LOOP_CALLS if body.loop_calls else 0
    has |= _NESTED_TESTS if body.nested_tests else 0
    yields = body.yields
    faulty = yields is not None and (yields.twice is not None or yields.missed is not None)
    return has | (_FAULTY_YIELDS if faulty else 0)


_encode = msgspec.msgpack.encode
# Checks go through the functions in order, and mostly look at one of them several times.
_KEPT_DECODED = 256
_decoded_parameters = lru_cache(_KEPT_DECODED)(
    msgspec.msgpack.Decoder(tuple[Parameter, ...]).decode
)
_decoded_decorators = lru_cache(_KEPT_DECODED)(
    msgspec.msgpack.Decoder(tuple[Decorator, ...]).decode
)
_decoded_workings = lru_cache(_KEPT_DECODED)(msgspec.msgpack.Decoder(Workings).decode)
_decoded_effects = lru_cache(_KEPT_DECODED)(msgspec.msgpack.Decoder(Effects).decode)
_decoded_evidence = lru_cache(_KEPT_DECODED)(msgspec.msgpack.Decoder(Evidence).decode)


class Function(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `def`, `async def` or `lambda` (named `<lambda>`).

    above: how many lines its decorators take. height: how many lines there are from the `def` to
        the last one, which is not counted.
    asserts: what its text has that may fail the test that calls it.
    has: which of the fields of its `workings`, `effects` and `evidence` say something.

    The other fields are encoded, or empty: each has a property that decodes it. What one of these
    gives is equal with each look at it, and not the same object.
    """

    name: str
    span: Span
    above: int
    height: int
    is_async: bool = False
    is_generator: bool = False
    owner: int = -1
    asserts: Asserts = ""
    has: int = 0
    kept_parameters: bytes = b""
    kept_decorators: bytes = b""
    kept_workings: bytes = b""
    kept_effects: bytes = b""
    kept_evidence: bytes = b""

    @classmethod
    def of(
        cls,
        name: str,
        span: Span,
        lines: tuple[int, int],
        parameters: tuple[Parameter, ...],
        decorators: tuple[Decorator, ...] = (),
        *,
        is_async: bool = False,
        is_generator: bool = False,
        owner: int = -1,
        asserts: Asserts = "",
        workings: Workings = NO_WORKINGS,
        effects: Effects | None = None,
        evidence: Evidence | None = None,
    ) -> Function:
        """A function with all that is known of it; lines: its first one and its last one."""
        return cls(
            name,
            span,
            span.line - lines[0],
            lines[1] - span.line,
            is_async,
            is_generator,
            owner,
            asserts,
            _has(parameters, workings, effects, evidence),
            _encode(parameters) if parameters else b"",
            _encode(decorators) if decorators else b"",
            b"" if workings is NO_WORKINGS else _encode(workings),
            b"" if effects is None else _encode(effects),
            b"" if evidence is None else _encode(evidence),
        )

    @property
    def line(self) -> int:
        """The line of the `def`."""
        return self.span.line

    @property
    def first_line(self) -> int:
        """The line of the first decorator, which pytest reports."""
        return self.span.line - self.above

    @property
    def end_line(self) -> int:
        """The last line."""
        return self.span.line + self.height

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in order."""
        return _decoded_parameters(self.kept_parameters) if self.kept_parameters else ()

    @property
    def decorators(self) -> tuple[Decorator, ...]:
        """The decorators, the outermost first."""
        return _decoded_decorators(self.kept_decorators) if self.kept_decorators else ()

    @property
    def workings(self) -> Workings:
        """What its statements do and hand back."""
        return _decoded_workings(self.kept_workings) if self.kept_workings else NO_WORKINGS

    def may_name(self, word: str) -> bool:
        """Whether its `workings` may have a word in them: a look that decodes nothing."""
        return bool(self.kept_workings) and word.encode() in self.kept_workings

    def may_touch(self, word: str) -> bool:
        """Whether its `effects` may have a word in them: a look that decodes nothing."""
        return word.encode() in self.kept_effects

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """See `Workings`."""
        return self.workings.bindings if self.has & _BINDINGS else ()

    @property
    def returns(self) -> tuple[Expression, ...]:
        """See `Workings`."""
        return self.workings.returns if self.has & _RETURNS else ()

    @property
    def defaults(self) -> tuple[tuple[str, Expression], ...]:
        """See `Workings`."""
        return self.workings.defaults if self.has & _DEFAULTS else ()

    @property
    def body(self) -> Body | None:
        """See `Workings`."""
        return self.workings.body if self.has & BODY else None

    @property
    def loop_calls(self) -> tuple[LoopCall, ...]:
        """See `Body`."""
        body = self.workings.body if self.has & _LOOP_CALLS else None
        return () if body is None else body.loop_calls

    @property
    def nested_tests(self) -> tuple[tuple[str, Span], ...]:
        """See `Body`."""
        body = self.workings.body if self.has & _NESTED_TESTS else None
        return () if body is None else body.nested_tests

    @property
    def faulty_yields(self) -> YieldFacts | None:
        """Its yields, where a path through it has two of them or none."""
        body = self.workings.body if self.has & _FAULTY_YIELDS else None
        return None if body is None else body.yields

    @property
    def handout(self) -> Handout | None:
        """See `Workings`."""
        return self.workings.handout if self.has & _HANDOUT else None

    @property
    def hook(self) -> HookFacts | None:
        """See `Workings`."""
        return self.workings.hook if self.has & _HOOK else None

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """See `Workings`."""
        return self.workings.flaws if self.has & _FLAWS else ()

    @property
    def events(self) -> EventUse | None:
        """See `Workings`."""
        return self.workings.events if self.has & _EVENTS else None

    @property
    def effects(self) -> Effects | None:
        """What it changes; None where it is seen to change nothing."""
        return _decoded_effects(self.kept_effects) if self.kept_effects else None

    @property
    def changes(self) -> tuple[Change, ...]:
        """See `Effects`."""
        return _decoded_effects(self.kept_effects).changes if self.has & CHANGES else ()

    @property
    def passed(self) -> tuple[Passed, ...]:
        """See `Effects`."""
        return _decoded_effects(self.kept_effects).passed if self.has & _PASSED else ()

    @property
    def mutable_defaults(self) -> tuple[str, ...]:
        """See `Effects`."""
        return _decoded_effects(self.kept_effects).mutable_defaults if self.has & _MUTABLE else ()

    @property
    def mutable_parameters(self) -> tuple[str, ...]:
        """See `Effects`."""
        return _decoded_effects(self.kept_effects).mutable_parameters if self.has & _MUTABLE else ()

    @property
    def evidence(self) -> Evidence | None:
        """How it can fail; of a function named like a test."""
        return _decoded_evidence(self.kept_evidence) if self.kept_evidence else None


class Class(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A class statement. `owner` is the index of the enclosing class, or -1."""

    name: str
    span: Span
    line: int
    bases: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]
    decorators: tuple[Decorator, ...]
    bindings: tuple[Binding, ...]
    owner: int = -1


class Redefinition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `def` or `class` that a later one of the same name replaces before anything can use it.

    first, second: the names of both, in one module or class body; the same where a loop makes the
        definition again. owner: the index of the class whose body it is, or -1.
    """

    name: str
    first: Span
    second: Span
    owner: int = -1


SuppressionStyle: TypeAlias = Literal["scopecheck", "noqa", "unknown"]


class Suppression(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A comment that silences rules: on some lines, or in the whole file.

    span: the comment. codes: rule names or codes as written; a comment with none silences nothing.
    lines: the lines it covers, first and last: (0, 0) for the file, (1, 0) for none.
    style: how it was spelled; `unknown` for what looks like a directive and is none, with the word
        that stands in place of one as its only code.
    """

    span: Span
    codes: tuple[str, ...]
    lines: tuple[int, int]
    style: SuppressionStyle = "scopecheck"


TOO_DEEP = "is nested too deeply to be parsed by this Python"
"""The message of a `ReadError` that has its cause in the Python that runs, not in the file."""


class ReadError(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why a file has no facts."""

    kind: Literal["syntax", "unreadable", "skipped"]
    message: str
    span: Span


class FileFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything the suite needs to know of one file.

    bindings: the module's names, in source order. lines: number of lines in the file.
    stops_at: line of a module-level statement that may end the import early
        (`pytest.skip(allow_module_level=True)`, `pytest.importorskip`, `raise`, `sys.exit`), or 0.
    always_stops: one of these statements ends every import.
    redefined: definitions that are replaced unused.
    global_names: names that functions declare `global`, and so may give the module.
    dynamic: the module's names may be set in ways that no statement shows.
    changes_path: the text speaks of `sys.path`, or of what changes it.
    inner_imports: words of the import statements below the top level.
    words: a bit for each of `ASKED_WORDS` that the text has; all bits where nobody looked.
    """

    path: str
    bindings: tuple[Binding, ...] = ()
    functions: tuple[Function, ...] = ()
    classes: tuple[Class, ...] = ()
    module_calls: tuple[CallFact, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    error: ReadError | None = None
    lines: int = 0
    stops_at: int = 0
    redefined: tuple[Redefinition, ...] = ()
    global_names: tuple[str, ...] = ()
    dynamic: bool = False
    changes_path: bool = False
    inner_imports: tuple[str, ...] = ()
    always_stops: bool = False
    words: int = -1


ASKED_WORDS = ("Context", "Session", "_context")
"""Words that a check looks for in all test files: to know them spares a look at most texts."""
