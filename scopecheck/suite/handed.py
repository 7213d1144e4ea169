"""Follows values to what a fixture hands out, and says what an event loop means to it.

    nothing   no value
    plain     data, or an object that works on any loop
    lazy      a lock, event or queue: bound to a loop when something first has to wait for it
    bound     a task, stream, connection, client or pool: bound to a loop when it is made or used
    unknown   what cannot be told without running code

A server that a fixture keeps running counts as what it hands out, too: it answers only while its
loop runs. A value is followed through local names, `with`, `await`, tuples, the fixtures that are
requested, and the project's own functions and classes, a few calls deep. Whatever else may change
it on the way, a method call or an assignment in another file, is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from scopecheck.facts import (
    Attribute,
    Awaited,
    Call,
    Choice,
    ClassRef,
    Const,
    Deleted,
    Entered,
    Extended,
    FunctionRef,
    Import,
    Items,
    Joined,
    Mapping,
    Name,
    Opaque,
    Part,
    Star,
)
from scopecheck.finding import Place
from scopecheck.suite.data_names import (
    COLLECTIONS,
    DATA_FIXTURES,
    DATA_TYPES,
    ENUMS,
    MODELS,
    RECORDS,
    is_data,
)
from scopecheck.suite.loop_objects import driver, loop_object
from scopecheck.suite.names import Namespace
from scopecheck.suite.values import UNKNOWN, ClassValue, External, FunctionValue, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scopecheck.facts import Binding, Expression, FileFacts, Function, Handout
    from scopecheck.suite.loop_objects import LoopObject
    from scopecheck.suite.model import Fixture
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.values import Value

Kind: TypeAlias = Literal["nothing", "plain", "lazy", "bound", "unknown"]
When: TypeAlias = Literal["", "made", "used", "contended"]

# So many calls of the project's own functions and classes are followed, one inside another.
_MAX_CALLS = 4
_MAX_DEPTH = 40
_WORST: tuple[Kind, ...] = ("bound", "lazy", "unknown", "plain", "nothing")
_MOMENTS: dict[str, When] = {"made": "made", "used": "used", "contended": "contended"}
_KINDS: dict[str, Kind] = {"made": "bound", "used": "bound", "contended": "lazy", "never": "plain"}


@dataclass(frozen=True, slots=True)
class Handed:
    """What a value means to an event loop.

    why: the expression that shows it, for a message: "`asyncio.create_task(...)`".
    place: where that expression stands.
    when: at what moment it becomes bound to a loop.
    made_by: the dotted name of what made it, as far as that is known; `?` for mere data.
    """

    kind: Kind
    why: str = ""
    place: Place | None = None
    when: When = ""
    made_by: str = ""


UNSEEN = Handed("unknown")
NOTHING = Handed("nothing")
DATA = Handed("plain", made_by="?")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The names that an expression stands among.

    given: the parameters of the function. position: how far its code has run; None for all of it.
    calls: how many calls deep it is.
    """

    space: Namespace
    given: dict[str, Callable[[], Handed]] = field(default_factory=dict)
    outer: _Frame | None = None
    position: tuple[int, int] | None = None
    calls: int = 0

    def at(self, binding: Binding) -> _Frame:
        """The same when the code has run up to a binding."""
        return replace(self, position=(binding.span.line, binding.span.column))


class Handouts:
    """What the fixtures of one suite hand out.

    Args:
        evaluator: of the suite.
        read_function: the facts of one function with all that its body does.
        answers: the definitions that a fixture's request gets in some test.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        read_function: Callable[[str, Function], FileFacts | None],
        answers: Callable[[Fixture, str], Iterable[Fixture]],
    ) -> None:
        self._evaluator = evaluator
        self._read_function = read_function
        self._answers = answers
        self._fixtures: dict[Fixture, Handed] = {}
        self._functions: dict[tuple[str, int, int], FileFacts | None] = {}
        self._busy: set[object] = set()
        self._depth = 0

    def of(self, fixture: Fixture) -> Handed:
        """What a fixture's value is to an event loop."""
        if fixture not in self._fixtures:
            if fixture in self._busy:
                return UNSEEN
            self._busy.add(fixture)
            self._fixtures[fixture] = self._fixture(fixture)
            self._busy.discard(fixture)
        return self._fixtures[fixture]

    def module_value(self, path: str, name: str) -> Handed:
        """What a name of a module stands for when the module has been imported."""
        space = self._evaluator.module(path)
        return UNSEEN if space is None else self._named(name, _Frame(space))

    # -- fixtures ------------------------------------------------------------------------------

    def _fixture(self, fixture: Fixture) -> Handed:
        function = fixture.function
        if function is None or fixture.path is None:
            return _of_plugin(fixture)
        outer = self._evaluator.body(fixture.path, function.owner)
        if function.handout is None or outer is None or fixture.opaque or not fixture.certain:
            return UNSEEN
        given: dict[str, Callable[[], Handed]] = {}
        for parameter in function.parameters:
            given[parameter.name] = self._requested(fixture, parameter.name)
        found = self._handout(function, function.handout, outer, outer.facts, given, 0)
        if found.kind in ("nothing", "plain") and fixture.kind == "asyncgen":
            return self._served(function, function.handout, outer) or found
        return found

    def _served(self, function: Function, handout: Handout, outer: Namespace) -> Handed | None:
        """A server that runs while a fixture is at its `yield`: only as long as its loop does."""
        end = max(((s.line, s.column) for _, s in handout.values), default=(0, 0))
        frame = _Frame(Namespace(outer.facts, function.bindings, outer), {}, _frame_of(outer))
        for binding in function.bindings:
            if (binding.span.line, binding.span.column) < end and not binding.target:
                made = self._binding(binding, frame)
                if made.made_by in _SERVERS:
                    return made
        return None

    def _requested(self, fixture: Fixture, name: str) -> Callable[[], Handed]:
        def answer() -> Handed:
            answers = list(self._answers(fixture, name))
            return _worst(self.of(each) for each in answers) if answers else UNSEEN

        return answer

    def _handout(
        self,
        function: Function,
        handout: Handout,
        outer: Namespace,
        facts: FileFacts,
        given: dict[str, Callable[[], Handed]],
        calls: int,
    ) -> Handed:
        """What a function gives, by its yields or returns, else by its annotation."""
        values: dict[str, Value] = dict.fromkeys(given, UNKNOWN)
        space = Namespace(facts, function.bindings, outer, values)
        frame = _Frame(space, given, _frame_of(outer), calls=calls)
        found = _worst(
            self._value(value, replace(frame, position=(span.line, span.column)))
            for value, span in handout.values
        )
        if found.kind == "unknown" and handout.annotation is not None:
            said = self._annotated(handout.annotation, frame)
            if said.kind != "unknown":
                return said
        return found

    # -- expressions ---------------------------------------------------------------------------

    def _value(self, expression: Expression, frame: _Frame) -> Handed:
        if self._depth > _MAX_DEPTH:
            return UNSEEN
        self._depth += 1
        try:
            return self._of_form(expression, frame)
        finally:
            self._depth -= 1

    def _of_form(self, expression: Expression, frame: _Frame) -> Handed:
        match expression:
            case Const(value=None):
                return NOTHING
            case Const() | Opaque(data=True):
                return DATA
            case ClassRef():
                return Handed("plain")
            case Items():
                inside = _worst(self._value(item, frame) for item in expression.items)
                return UNSEEN if expression.rest and inside.kind == "plain" else _filled(inside)
            case Mapping():
                return _filled(_worst(self._value(value, frame) for _, value in expression.items))
            case Star() | Part():
                inside = self._value(expression.value, frame)
                return inside if inside.kind in ("bound", "lazy") else UNSEEN
            case Joined():
                return _worst(self._value(e, frame) for e in (expression.left, expression.right))
            case Choice():
                return _worst(self._value(e, frame) for e in (expression.then, expression.other))
            case Awaited():
                inside = self._value(expression.value, frame)
                return UNSEEN if inside.made_by in _AWAITED_FOR_ANOTHER else inside
            case Entered():
                return self._entered(expression.value, frame)
            case Name(parts=(root, *attributes)):
                found = self._named(root, frame)
                for index, attribute in enumerate(attributes):
                    known = None if index else self._attached(root, attribute, frame)
                    found = _attribute(found, attribute) if known is None else known
                return found
            case Attribute():
                return _attribute(self._value(expression.value, frame), expression.attr)
            case Call():
                return self._call(expression, frame)
        return UNSEEN

    def _named(self, name: str, frame: _Frame | None) -> Handed:
        while frame is not None:
            if name in frame.space.bindings:
                return self._bound(name, frame)
            if name in frame.given:
                return frame.given[name]()
            frame = frame.outer
        return UNSEEN

    def _bound(self, name: str, frame: _Frame) -> Handed:
        """What the bindings of a name give it that come before a place."""
        key = (id(frame.space), name, frame.position)
        if key in self._busy:
            return UNSEEN
        self._busy.add(key)
        try:
            found: list[Handed] = []
            for binding in reversed(frame.space.bindings[name]):
                place = (binding.span.line, binding.span.column)
                if frame.position is not None and place >= frame.position:
                    continue
                found.append(self._binding(binding, frame))
                if binding.guard.branch == "" and not isinstance(binding.value, Extended):
                    break
            else:
                if name in frame.given:
                    found.append(frame.given[name]())
            return _worst(found) if found else UNSEEN
        finally:
            self._busy.discard(key)

    def _binding(self, binding: Binding, frame: _Frame) -> Handed:
        match binding.value:
            case Import():
                return self._imported(binding.value, binding.name, frame)
            case Deleted():
                return UNSEEN
            case Extended(value=value):
                return self._value(value, frame.at(binding))
            case Items(items=(), rest=0) | Mapping(items=()):
                return UNSEEN  # It is there to be filled.
            case FunctionRef():
                return UNSEEN
        return self._value(binding.value, frame.at(binding))

    def _imported(self, value: Import, name: str, frame: _Frame) -> Handed:
        source = self._evaluator.source(value, frame.space.path)
        if source is not None and value.name is not None and value.name in source.bindings:
            return self._bound(value.name, _Frame(source, calls=frame.calls))
        found = self._evaluator.imported(value, frame.space.path, name)
        return DATA if isinstance(found, External) and is_data(found.name) else UNSEEN

    def _attached(self, root: str, attribute: str, frame: _Frame) -> Handed | None:
        """What `root.attribute = value` gave it in the same function."""
        binding = frame.space.attached.get(root, {}).get(attribute)
        if binding is None or isinstance(binding.value, (Import, Deleted, Extended)):
            return None
        return self._value(binding.value, frame.at(binding))

    def _entered(self, expression: Expression, frame: _Frame) -> Handed:
        """What `with expression as name` binds."""
        inside = self._value(expression, frame)
        if isinstance(expression, Call):
            value = self._callee(expression.func, frame)
            if isinstance(value, ClassValue) and inside.kind != "plain":
                space = self._evaluator.class_space(value)
                for enter in ("__aenter__", "__enter__"):
                    method = self._evaluator.lookup(space, enter)
                    if isinstance(method, FunctionValue):
                        given = {"self": lambda: inside}
                        return self._function(method, given, frame.calls + 1)
        return inside

    # -- calls ---------------------------------------------------------------------------------

    def _callee(self, func: Expression, frame: _Frame) -> Value:
        """What is called, where that is no local object's method."""
        if isinstance(func, Name) and self._is_object(func.parts[0], frame):
            return UNKNOWN
        return self._evaluator.evaluate(func, frame.space)

    def _is_object(self, name: str, frame: _Frame) -> bool:
        """Whether a name is bound to a value that is followed here: no import, `def` or `class`."""
        outer: _Frame | None = frame
        while outer is not None:
            if name in outer.space.bindings:
                values = [binding.value for binding in outer.space.bindings[name]]
                return not any(isinstance(v, (Import, FunctionRef, ClassRef)) for v in values)
            if name in outer.given:
                return True
            outer = outer.outer
        return False

    def _call(self, call: Call, frame: _Frame) -> Handed:
        func = call.func
        last = func.parts[-1] if isinstance(func, Name) else ""
        if isinstance(func, Attribute):
            last = func.attr
        if last in _ENTERING and call.args:
            return self._entered(call.args[0], frame)
        value = self._callee(func, frame)
        match value:
            case External(name=name) | Result(name=name):
                return self._known(name, call, frame)
            case FunctionValue():
                known = loop_object(self._dotted(value.module, value.function.name))
                if known is not None:
                    return self._object(known, call, frame)
                return self._function(value, self._arguments(value, call, frame), frame.calls + 1)
            case ClassValue():
                known = loop_object(self._dotted(value.module, value.class_.name))
                if known is not None:
                    return self._object(known, call, frame)
                return self._instance(value, call, frame)
        if isinstance(func, Name) and len(func.parts) > 1:
            method = self._value(Name(func.parts[:-1]), frame)
        elif isinstance(func, Attribute):
            method = self._value(func.value, frame)
        else:
            return UNSEEN
        if method.made_by == "?":
            return DATA
        return self._known(f"{method.made_by}.{last}", call, frame) if method.made_by else UNSEEN

    def _dotted(self, path: str, name: str) -> str:
        return f"{self._evaluator.modules.name_of(path)}.{name}"

    def _known(self, name: str, call: Call, frame: _Frame) -> Handed:
        """What calling something by its dotted name gives."""
        known = loop_object(name)
        if known is not None:
            return self._object(known, call, frame)
        index = _GIVES_ARGUMENT.get(name)
        if index is not None and len(call.args) > index:
            return self._value(call.args[index], frame)
        if name in COLLECTIONS:
            return _filled(self._worst_argument(call, frame))
        return DATA if is_data(name) else Handed("unknown", made_by=f"{name}()")

    def _worst_argument(self, call: Call, frame: _Frame) -> Handed:
        given = (*call.args, *(value for _, value in call.keywords))
        return _worst(self._value(value, frame) for value in given)

    def _object(self, known: LoopObject, call: Call, frame: _Frame) -> Handed:
        """What calling something of the table gives."""
        when: str = known.binds
        if known.name in _CLIENTS:
            when = self._client(call, frame)
        elif known.binds == "driver":
            when = self._engine(call, frame)
        elif known.binds in ("engine", "session"):
            given = call.args[0] if call.args else call.keyword("bind")
            engine = UNSEEN if given is None else self._value(given, frame)
            when = engine.when or ("never" if engine.kind == "plain" else "")
            # A transaction that is left open keeps a connection, whatever the pool.
            if known.binds == "session" and when == "never":
                when = ""
        kind = _KINDS.get(when, "unknown")
        place = Place(frame.space.path, call.span)
        return Handed(kind, f"`{_written(call)}`", place, _MOMENTS.get(when, ""), f"{known.name}()")

    def _client(self, call: Call, frame: _Frame) -> str:
        """When an HTTP client becomes bound: not where its requests stay in memory."""
        if call.keyword("app") is not None:
            return "never"
        if any(key in ("**", "mounts") for key, _ in call.keywords):
            return ""
        transport = call.keyword("transport")
        if transport is None or transport == Const(None):
            return "used"
        given = self._value(transport, frame)
        return given.when or ("never" if given.kind == "plain" else "")

    def _engine(self, call: Call, frame: _Frame) -> str:
        """When a database engine becomes bound: by its pool and its driver."""
        pool = call.keyword("poolclass")
        if pool is not None:
            given = self._callee(pool, frame)
            if not isinstance(given, External):
                return ""
            if given.name.endswith(".NullPool"):
                return "never"
        elif any(key == "**" for key, _ in call.keywords):
            return ""
        url = call.args[0] if call.args else call.keyword("url")
        scheme = "" if url is None else self._start(url, frame).partition("://")[0]
        return driver(scheme) or ""

    def _start(self, expression: Expression, frame: _Frame) -> str:
        """How a text begins, as far as that is written down."""
        match expression:
            case Const(value=str(text)):
                return text
            case Joined(left=left):
                return self._start(left, frame)
            case Name(parts=(name,)):
                inner: _Frame | None = frame
                while inner is not None:
                    bindings = inner.space.bindings.get(name, [])
                    if len(bindings) == 1:
                        value = bindings[0].value
                        if isinstance(value, (Const, Joined)):
                            return self._start(value, inner)
                    if bindings or name in inner.given:
                        return ""
                    inner = inner.outer
        return ""

    def _arguments(
        self, func: FunctionValue, call: Call, frame: _Frame
    ) -> dict[str, Callable[[], Handed]]:
        given: dict[str, Callable[[], Handed]] = {}
        rest = list(call.args)
        for parameter in func.function.parameters:
            argument = call.keyword(parameter.name)
            if parameter.kind in ("normal", "positional") and rest:
                argument = rest.pop(0)
            known = argument is not None and not isinstance(argument, Star)
            given[parameter.name] = self._later(argument, frame) if known else _unseen
        return given

    def _later(self, argument: Expression | None, frame: _Frame) -> Callable[[], Handed]:
        return lambda: UNSEEN if argument is None else self._value(argument, frame)

    # -- the project's own functions and classes -----------------------------------------------

    def _whole(self, func: FunctionValue) -> FileFacts | None:
        key = (func.module, func.function.line, func.function.span.column)
        if key not in self._functions:
            self._functions[key] = self._read_function(func.module, func.function)
        return self._functions[key]

    def _function(
        self, func: FunctionValue, given: dict[str, Callable[[], Handed]], calls: int
    ) -> Handed:
        """What calling a function of the project gives."""
        key = (func.module, func.function.line)
        if func.opaque or func.doubtful or calls > _MAX_CALLS or key in self._busy:
            return UNSEEN
        facts = self._whole(func)
        if facts is None:
            return UNSEEN
        function = facts.functions[0]
        if function.handout is None or (function.is_generator and not self._is_context(func)):
            return UNSEEN
        self._busy.add(key)
        try:
            return self._handout(function, function.handout, func.env, facts, given, calls)
        finally:
            self._busy.discard(key)

    def _is_context(self, func: FunctionValue) -> bool:
        """Whether a generator function is a context manager: what it yields is what it gives."""
        found = (self._evaluator.evaluate(d.expression, func.env) for d in func.function.decorators)
        names = {value.name for value in found if isinstance(value, External)}
        return not names.isdisjoint(_CONTEXT_MANAGERS)

    def _instance(self, value: ClassValue, call: Call, frame: _Frame) -> Handed:
        """An object of one of the project's classes."""
        bases = [self._evaluator.evaluate(base, value.env) for base in value.class_.bases]
        names = {base.name for base in bases if isinstance(base, External)}
        for name in names:
            known = loop_object(name)
            if known is None or known.binds not in ("made", "used", "contended"):
                continue
            own = self._evaluator.lookup(self._evaluator.class_space(value), "__init__")
            # Its constructor may give the base a transport of its own.
            if known.name not in _CLIENTS or not isinstance(own, FunctionValue):
                return replace(self._object(known, call, frame), made_by="")
        if not names.isdisjoint(ENUMS):
            return DATA
        space = self._evaluator.class_space(value)
        fields = _worst(
            self._value(_default(binding.value), _Frame(space, outer=_frame_of(value.env)))
            for found in space.bindings.values()
            for binding in found
            if isinstance(binding.value, Call)
        )
        record = _is_record(value) or not names.isdisjoint(RECORDS)
        if record:
            given = self._worst_argument(call, frame)
            worst = _worst((fields, given))
            model = not names.isdisjoint(MODELS)
            if worst.kind in ("bound", "lazy"):
                return replace(worst, made_by="")
            plain = worst.kind in ("plain", "nothing") or model
            return Handed("plain") if plain else UNSEEN
        stored = self._stored(value, call, frame)
        return replace(_worst((fields, stored, UNSEEN)), made_by="")

    def _stored(self, value: ClassValue, call: Call, frame: _Frame) -> Handed:
        """What the constructor of a class stores on the object."""
        made = self._evaluator.lookup(self._evaluator.class_space(value), "__init__")
        key = ("__init__", value.module, value.index)
        if not isinstance(made, FunctionValue) or frame.calls >= _MAX_CALLS or key in self._busy:
            return UNSEEN
        facts = self._whole(made)
        if facts is None or not facts.functions[0].parameters:
            return UNSEEN
        function = facts.functions[0]
        first = function.parameters[0].name
        given = self._arguments(made, _for_object(call, first), frame)
        values: dict[str, Value] = dict.fromkeys(given, UNKNOWN)
        space = Namespace(facts, function.bindings, made.env, values)
        inner = _Frame(space, given, _frame_of(made.env), calls=frame.calls + 1)
        self._busy.add(key)
        try:
            return _worst(
                self._value(binding.value, inner.at(binding))
                for binding in function.bindings
                if binding.target == (first,)
                and not isinstance(binding.value, (Import, Deleted, Extended))
            )
        finally:
            self._busy.discard(key)

    # -- annotations ---------------------------------------------------------------------------

    def _annotated(self, expression: Expression, frame: _Frame) -> Handed:
        """What a value is by its type, where the type alone decides."""
        match expression:
            case Const(value=None):
                return NOTHING
            case Items():
                return _filled(_worst(self._annotated(item, frame) for item in expression.items))
            case Choice():
                both = (expression.then, expression.other)
                return _worst(self._annotated(each, frame) for each in both)
            case Name(parts=parts):
                value = self._evaluator.evaluate(expression, frame.space)
                if isinstance(value, ClassValue):
                    bases = [self._evaluator.evaluate(b, value.env) for b in value.class_.bases]
                    names = {base.name for base in bases if isinstance(base, External)}
                    return UNSEEN if names.isdisjoint(MODELS | ENUMS) else Handed("plain")
                if not isinstance(value, External):
                    return UNSEEN
                if value.name in DATA_TYPES:
                    return DATA
                known = loop_object(value.name)
                if known is not None and known.binds == "made":
                    written = f"`{'.'.join(parts)}`"
                    return Handed("bound", written, None, "made", f"{known.name}()")
        return UNSEEN


def _frame_of(space: Namespace | None) -> _Frame | None:
    """The names of a module, or of a function that made another one, for what stands inside."""
    if space is None:
        return None
    if space.class_ is not None:
        return _frame_of(space.parent)
    given: dict[str, Callable[[], Handed]] = dict.fromkeys(space.values, _unseen)
    return _Frame(space, given, _frame_of(space.parent))


def _unseen() -> Handed:
    return UNSEEN


def _worst(found: Iterable[Handed]) -> Handed:
    """The one of several values, or branches, that matters most; NOTHING for none."""
    return min(found, key=lambda one: _WORST.index(one.kind), default=NOTHING)


def _filled(inside: Handed) -> Handed:
    """A collection, by the worst of its items."""
    return DATA if inside.kind == "nothing" else inside


def _attribute(owner: Handed, name: str) -> Handed:
    if owner.made_by == "?":
        return DATA
    if not owner.made_by:
        return UNSEEN
    return Handed("unknown", made_by=f"{owner.made_by}.{name}")


def _written(call: Call) -> str:
    """A call as a reader will find it, its arguments left out."""
    func = call.func
    name = ".".join(func.parts) if isinstance(func, Name) else "..."
    if isinstance(func, Attribute):
        name = f"....{func.attr}"
    return f"{name}(...)" if call.args or call.keywords else f"{name}()"


def _default(value: object) -> Expression:
    """What a field of a class holds: of `field(default_factory=Queue)` a `Queue()`."""
    assert isinstance(value, Call)
    factory = value.keyword("default_factory")
    return value if factory is None else Call(factory, (), (), value.span)


def _for_object(call: Call, first: str) -> Call:
    """The call of a method for the call of its class: with the object as first argument."""
    return Call(call.func, (Name((first,)), *call.args), call.keywords, call.span)


def _is_record(value: ClassValue) -> bool:
    """Whether a decorator makes it a class of fields."""
    for decorator in value.class_.decorators:
        expression = decorator.expression
        func = expression.func if isinstance(expression, Call) else expression
        if isinstance(func, Name) and func.parts[-1] in ("dataclass", "define", "frozen", "attrs"):
            return True
    return False


def _of_plugin(fixture: Fixture) -> Handed:
    """What a fixture of a plugin hands out whose code was not read."""
    if fixture.pseudo:
        return UNSEEN
    if fixture.name in DATA_FIXTURES:
        return DATA
    if fixture.name == "event_loop":
        return Handed("bound", "`event_loop`", None, "made", "asyncio.get_event_loop()")
    return UNSEEN


_SERVERS = frozenset(
    f"{name}()"
    for name in (
        *("asyncio.start_server", "asyncio.start_unix_server", "aiohttp.test_utils.TestServer"),
        *("aiohttp.test_utils.TestClient", "websockets.serve", "grpc.aio.server"),
        "asyncssh.listen",
    )
)
_ENTERING = frozenset({"enter_async_context", "enter_context"})
# Awaiting these gives what they wait for, and not the object.
_AWAITED_FOR_ANOTHER = frozenset(
    f"asyncio.{name}()"
    for name in (
        *("create_task", "ensure_future", "gather", "shield", "Future", "Task"),
        *("get_running_loop().create_task", "get_event_loop().create_task"),
        *("get_running_loop().create_future", "get_event_loop().create_future"),
    )
)
_CLIENTS = frozenset({"httpx.AsyncClient", "httpx2.AsyncClient"})
_CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
_GIVES_ARGUMENT = {
    "asyncio.wait_for": 0,
    "contextlib.aclosing": 0,
    "contextlib.closing": 0,
    "contextlib.nullcontext": 0,
    "copy.copy": 0,
    "typing.cast": 1,
}
