"""Follows values to what a fixture hands out, and says what an event loop means to it.

A server that a fixture keeps running counts as what it hands out, too: it answers only while its
loop runs. A value is followed through local names, `with`, `await`, tuples, the fixtures that are
requested, and the project's own functions and classes, a few calls deep. Whatever else may change
it on the way, a method call or an assignment in another file, is not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from scopecheck.expressions import (
    Attribute,
    Awaited,
    Call,
    Choice,
    ClassRef,
    Const,
    Entered,
    FunctionRef,
    Items,
    Joined,
    Mapping,
    Name,
    Opaque,
    Part,
    Star,
)
from scopecheck.facts import Deleted, Extended, Import
from scopecheck.suite.data_names import (
    DATA_FIXTURES,
    DATA_TYPES,
    ENUMS,
    MODELS,
    RECORDS,
    is_data,
)
from scopecheck.suite.external_objects import CLIENTS, LibraryObjects
from scopecheck.suite.loop_objects import loop_object
from scopecheck.suite.loop_values import (
    DATA,
    NOTHING,
    UNSEEN,
    Frame,
    Handed,
    filled,
    frame_of,
    unseen,
    worst,
)
from scopecheck.suite.namespace import Namespace
from scopecheck.suite.values import UNKNOWN, ClassValue, External, FunctionValue, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scopecheck.expressions import Expression
    from scopecheck.facts import Binding, FileFacts, Function, Handout
    from scopecheck.suite.model import Fixture
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.values import Value

# So many calls of the project's own functions and classes are followed, one inside another.
_MAX_CALLS = 4
_MAX_DEPTH = 40
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
_CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})


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
        self._libraries = LibraryObjects(self._value, self._callee)

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
        return UNSEEN if space is None else self._named(name, Frame(space))

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
        frame = Frame(Namespace(outer.facts, function.bindings, outer), {}, frame_of(outer))
        for binding in function.bindings:
            if (binding.span.line, binding.span.column) < end and not binding.target:
                made = self._binding(binding, frame)
                if made.made_by in _SERVERS:
                    return made
        return None

    def _requested(self, fixture: Fixture, name: str) -> Callable[[], Handed]:
        def answer() -> Handed:
            answers = list(self._answers(fixture, name))
            return worst(self.of(each) for each in answers) if answers else UNSEEN

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
        frame = Frame(space, given, frame_of(outer), calls=calls)
        found = worst(
            self._value(value, replace(frame, position=(span.line, span.column)))
            for value, span in handout.values
        )
        if found.kind == "unknown" and handout.annotation is not None:
            said = self._annotated(handout.annotation, frame)
            if said.kind != "unknown":
                return said
        return found

    def _value(self, expression: Expression, frame: Frame) -> Handed:
        if self._depth > _MAX_DEPTH:
            return UNSEEN
        self._depth += 1
        try:
            return self._of_form(expression, frame)
        finally:
            self._depth -= 1

    def _of_form(self, expression: Expression, frame: Frame) -> Handed:
        match expression:
            case Const(value=None):
                return NOTHING
            case Const() | Opaque(data=True):
                return DATA
            case ClassRef():
                return Handed("plain")
            case Items():
                inside = worst(self._value(item, frame) for item in expression.items)
                return UNSEEN if expression.rest and inside.kind == "plain" else filled(inside)
            case Mapping():
                return filled(worst(self._value(value, frame) for _, value in expression.items))
            case Star() | Part():
                inside = self._value(expression.value, frame)
                return inside if inside.kind in ("bound", "lazy") else UNSEEN
            case Joined():
                return worst(self._value(e, frame) for e in (expression.left, expression.right))
            case Choice():
                return worst(self._value(e, frame) for e in (expression.then, expression.other))
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

    def _named(self, name: str, frame: Frame | None) -> Handed:
        while frame is not None:
            if name in frame.space.bindings:
                return self._bound(name, frame)
            if name in frame.given:
                return frame.given[name]()
            frame = frame.outer
        return UNSEEN

    def _bound(self, name: str, frame: Frame) -> Handed:
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
            return worst(found) if found else UNSEEN
        finally:
            self._busy.discard(key)

    def _binding(self, binding: Binding, frame: Frame) -> Handed:
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
                return self._function_itself(frame)
        return self._value(binding.value, frame.at(binding))

    def _function_itself(self, frame: Frame) -> Handed:
        """A function that is handed out: plain, where all that the one around it has is."""
        around = [
            self._bound(name, replace(frame, position=None))
            for name, bindings in frame.space.bindings.items()
            if frame.outer is not None
            and not any(isinstance(b.value, (FunctionRef, ClassRef, Import)) for b in bindings)
        ]
        around += [given() for given in frame.given.values()]
        is_plain = all(one.kind in ("nothing", "plain") for one in around)
        return Handed("plain") if is_plain else UNSEEN

    def _imported(self, value: Import, name: str, frame: Frame) -> Handed:
        source = self._evaluator.source(value, frame.space.path)
        if source is not None and value.name is not None and value.name in source.bindings:
            return self._bound(value.name, Frame(source, calls=frame.calls))
        found = self._evaluator.imported(value, frame.space.path, name)
        return DATA if isinstance(found, External) and is_data(found.name) else UNSEEN

    def _attached(self, root: str, attribute: str, frame: Frame) -> Handed | None:
        """What `root.attribute = value` gave it in the same function."""
        binding = frame.space.attached.get(root, {}).get(attribute)
        if binding is None or isinstance(binding.value, (Import, Deleted, Extended)):
            return None
        return self._value(binding.value, frame.at(binding))

    def _entered(self, expression: Expression, frame: Frame) -> Handed:
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

    def _callee(self, func: Expression, frame: Frame) -> Value:
        """What is called, where that is no local object's method."""
        if isinstance(func, Name) and self._is_object(func.parts[0], frame):
            return UNKNOWN
        return self._evaluator.evaluate(func, frame.space)

    def _is_object(self, name: str, frame: Frame) -> bool:
        """Whether a name is bound to a value that is followed here: no import, `def` or `class`."""
        outer: Frame | None = frame
        while outer is not None:
            if name in outer.space.bindings:
                values = [binding.value for binding in outer.space.bindings[name]]
                return not any(isinstance(v, (Import, FunctionRef, ClassRef)) for v in values)
            if name in outer.given:
                return True
            outer = outer.outer
        return False

    def _call(self, call: Call, frame: Frame) -> Handed:
        func = call.func
        last = func.parts[-1] if isinstance(func, Name) else ""
        if isinstance(func, Attribute):
            last = func.attr
        if last in _ENTERING and call.args:
            return self._entered(call.args[0], frame)
        value = self._callee(func, frame)
        match value:
            case External(name=name) | Result(name=name):
                return self._libraries.known(name, call, frame)
            case FunctionValue():
                known = loop_object(self._dotted(value.module, value.function.name))
                if known is not None:
                    return self._libraries.made(known, call, frame)
                return self._function(value, self._arguments(value, call, frame), frame.calls + 1)
            case ClassValue():
                known = loop_object(self._dotted(value.module, value.class_.name))
                if known is not None:
                    return self._libraries.made(known, call, frame)
                return self._instance(value, call, frame)
        if isinstance(func, Name) and len(func.parts) > 1:
            owner = self._value(Name(func.parts[:-1]), frame)
        elif isinstance(func, Attribute):
            owner = self._value(func.value, frame)
        else:
            return UNSEEN
        if owner.made_by == "?":
            return DATA
        if not owner.made_by:
            return UNSEEN
        return self._libraries.known(f"{owner.made_by}.{last}", call, frame)

    def _dotted(self, path: str, name: str) -> str:
        return f"{self._evaluator.modules.name_of(path)}.{name}"

    def _arguments(
        self, func: FunctionValue, call: Call, frame: Frame
    ) -> dict[str, Callable[[], Handed]]:
        given: dict[str, Callable[[], Handed]] = {}
        rest = list(call.args)
        for parameter in func.function.parameters:
            argument = call.keyword(parameter.name)
            if parameter.kind in ("normal", "positional") and rest:
                argument = rest.pop(0)
            known = argument is not None and not isinstance(argument, Star)
            given[parameter.name] = self._later(argument, frame) if known else unseen
        return given

    def _later(self, argument: Expression | None, frame: Frame) -> Callable[[], Handed]:
        return lambda: UNSEEN if argument is None else self._value(argument, frame)

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

    def _instance(self, value: ClassValue, call: Call, frame: Frame) -> Handed:
        """An object of one of the project's classes."""
        names = self._library_bases(value)
        for name in names:
            known = loop_object(name)
            if known is None or known.binds not in ("made", "used", "contended"):
                continue
            own = self._evaluator.lookup(self._evaluator.class_space(value), "__init__")
            # Its constructor may give the base a transport of its own.
            if known.name not in CLIENTS or not isinstance(own, FunctionValue):
                return replace(self._libraries.made(known, call, frame), made_by="")
        if not ENUMS.isdisjoint(names):
            return DATA
        space = self._evaluator.class_space(value)
        fields = worst(
            self._value(_default(binding.value), Frame(space, outer=frame_of(value.env)))
            for found in space.bindings.values()
            for binding in found
            if isinstance(binding.value, Call)
        )
        if _is_record(value) or not RECORDS.isdisjoint(names):
            found = worst((fields, self._libraries.worst_argument(call, frame)))
            if found.kind in ("bound", "lazy"):
                return replace(found, made_by="")
            is_plain = found.kind in ("plain", "nothing") or not MODELS.isdisjoint(names)
            return Handed("plain") if is_plain else UNSEEN
        stored = self._stored(value, call, frame)
        return replace(worst((fields, stored, UNSEEN)), made_by="")

    def _library_bases(self, value: ClassValue) -> tuple[str, ...]:
        """The dotted names of the classes of libraries that a class derives from directly."""
        bases = (self._evaluator.evaluate(base, value.env) for base in value.class_.bases)
        return tuple(base.name for base in bases if isinstance(base, External))

    def _stored(self, value: ClassValue, call: Call, frame: Frame) -> Handed:
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
        inner = Frame(space, given, frame_of(made.env), calls=frame.calls + 1)
        self._busy.add(key)
        try:
            return worst(
                self._value(binding.value, inner.at(binding))
                for binding in function.bindings
                if binding.target == (first,)
                and not isinstance(binding.value, (Import, Deleted, Extended))
            )
        finally:
            self._busy.discard(key)

    def _annotated(self, expression: Expression, frame: Frame) -> Handed:
        """What a value is by its type, where the type alone decides."""
        match expression:
            case Const(value=None):
                return NOTHING
            case Items():
                return filled(worst(self._annotated(item, frame) for item in expression.items))
            case Choice():
                both = (expression.then, expression.other)
                return worst(self._annotated(each, frame) for each in both)
            case Name(parts=parts):
                value = self._evaluator.evaluate(expression, frame.space)
                if isinstance(value, ClassValue):
                    names = self._library_bases(value)
                    return UNSEEN if (MODELS | ENUMS).isdisjoint(names) else Handed("plain")
                if not isinstance(value, External):
                    return UNSEEN
                if value.name in DATA_TYPES:
                    return DATA
                known = loop_object(value.name)
                if known is not None and known.binds == "made":
                    written = f"`{'.'.join(parts)}`"
                    return Handed("bound", written, None, "made", f"{known.name}()")
        return UNSEEN


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


def _attribute(owner: Handed, name: str) -> Handed:
    if owner.made_by == "?":
        return DATA
    if not owner.made_by:
        return UNSEEN
    return Handed("unknown", made_by=f"{owner.made_by}.{name}")
