"""Says what calling, decorating with or looking into a value gives: pytest's own names and others.

What pytest makes of decorators was read from pytest 7.4 to 9.2 and run; see SEMANTICS in the tests'
projects for each statement.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from scopecheck.expressions import Call, Name
from scopecheck.suite.marks import marks_in
from scopecheck.suite.namespace import Namespace
from scopecheck.suite.values import (
    MISSING,
    UNKNOWN,
    ClassValue,
    Dictionary,
    External,
    FixtureMarker,
    FixtureValue,
    FunctionValue,
    Given,
    Literal,
    MarkValue,
    ParamValue,
    PartialValue,
    Patch,
    Raises,
    Result,
    Sequence,
    Unknown,
    Wraps,
)

if TYPE_CHECKING:
    from scopecheck.facts import Binding
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.values import Value

Keywords = tuple[tuple[str, "Value"], ...]

_CANONICAL = {
    "_pytest.fixtures.fixture": "pytest.fixture",
    "_pytest.fixtures.yield_fixture": "pytest.yield_fixture",
    "_pytest.mark.MARK_GEN": "pytest.mark",
    "_pytest.mark.structures.MARK_GEN": "pytest.mark",
    "pytest_asyncio.plugin.fixture": "pytest_asyncio.fixture",
    "py.test.fixture": "pytest.fixture",
    "py.test.mark": "pytest.mark",
    "mock.patch": "unittest.mock.patch",
    "mock.mock.patch": "unittest.mock.patch",
    "asyncmock.patch": "unittest.mock.patch",
}
FIXTURE_DECORATORS = frozenset(
    {
        "pytest.fixture",
        "pytest.yield_fixture",
        "pytest_asyncio.fixture",
        "pytest_trio.trio_fixture",
        "pytest_trio.plugin.trio_fixture",
        "pytest_twisted.fixture",
        "pytest_twisted.async_fixture",
        "pytest_twisted.async_yield_fixture",
        "alt_pytest_asyncio.fixture",
        "pytest_cases.fixture",
    }
)
_KEEPS_FUNCTION = frozenset(
    {
        "contextlib.contextmanager",
        "contextlib.asynccontextmanager",
        "functools.lru_cache",
        "functools.cache",
        "typing.no_type_check",
        "typing.final",
        "typing.override",
        "typing_extensions.override",
        "typing_extensions.final",
        "typing.overload",
        "abc.abstractmethod",
        "hypothesis.settings",
        "hypothesis.example",
        "hypothesis.seed",
        "hypothesis.reproduce_failure",
        "hypothesis.note",
        "unittest.skip",
        "unittest.skipIf",
        "unittest.skipUnless",
        "unittest.expectedFailure",
        "unittest.case.skipIf",
        "unittest.case.skipUnless",
        "unittest.case.skip",
        "warnings.deprecated",
        "typing_extensions.deprecated",
    }
)
# Of those the ones after which nothing tells that the function was a coroutine function.
_MAKES_PLAIN = frozenset(
    {
        "contextlib.contextmanager",
        "contextlib.asynccontextmanager",
        "functools.lru_cache",
        "functools.cache",
    }
)
_PATCHERS = {
    "unittest.mock.patch": 1,
    "unittest.mock.patch.object": 2,
}


@lru_cache(4096)
def external(name: str) -> Value:
    """A dotted name outside the files read, under its canonical spelling."""
    name = _CANONICAL.get(name, name)
    if name.startswith("pytest.mark.") and name.count(".") == 2:
        return MarkValue(name.rpartition(".")[2])
    return External(name)


def builtin(name: str) -> Value:
    """A name that no enclosing namespace binds."""
    return External(f"builtins.{name}")


def attribute(owner: Value, name: str) -> Value:
    """`owner.name` for values that are no modules or classes."""
    match owner:
        case MarkValue() if name == "with_args":
            return owner
        case Result():
            return Result(f"{owner.name}().{name}")
    return UNKNOWN


def joined(left: Value, right: Value) -> Value:
    """`left + right`."""
    match left, right:
        case Sequence(), Sequence():
            return Sequence(left.items + right.items, left.complete and right.complete)
        case Sequence(), _:
            return Sequence(left.items, False)
        case _, Sequence():
            return Sequence(right.items, False)
        case Literal(value=str(first)), Literal(value=str(second)):
            return Literal(first + second)
    return UNKNOWN


def apply(evaluator: Evaluator, func: Value, args: tuple[Value, ...], keywords: Keywords) -> Value:
    """What a call returns; a decorator is a call with the function as its only argument."""
    decorated = args[0] if len(args) == 1 and not keywords else None
    for value in (func, *args):
        if isinstance(value, Raises):
            return value
    match func:
        case FixtureMarker():
            return _marked_as_fixture(func, args[0]) if args else UNKNOWN
        case MarkValue():
            return _marked(func, args, keywords)
        case PartialValue():
            return apply(evaluator, func.func, func.args + args, _merge(func.keywords, keywords))
        case Wraps():
            return _wrapped(func, decorated)
        case Patch():
            return _patched(func, decorated)
        case Given():
            return _given(func, decorated)
        case FunctionValue():
            return _called(evaluator, func, args, keywords)
        case External():
            return _external_call(evaluator, func.name, args, keywords)
        case Result():
            # An object made by a library, used as a decorator or called.
            if decorated is not None and _is_code(decorated):
                return _decorated(func.name.removesuffix("()"), decorated)
            return Result(f"{func.name}()")
        case ClassValue():
            if args and isinstance(args[0], (FunctionValue, FixtureValue)):
                return opaque(args[0])
            return Result(f"{func.module}:{func.class_.name}")
    if args and _is_code(args[0]):
        return opaque(args[0])
    return UNKNOWN


def opaque(value: Value) -> Value:
    """A function, fixture or class under a decorator of which nothing is known."""
    match value:
        case FunctionValue():
            return replace(value, opaque=True)
        case FixtureValue():
            # pytest 8.4 and later do not see a fixture under a decorator; 8.3 and earlier do.
            return replace(value.function, hidden=value, opaque=True)
        case ClassValue():
            return replace(value, decorated=True)
    return UNKNOWN


def _is_code(value: Value) -> bool:
    return isinstance(value, (FunctionValue, FixtureValue, ClassValue))


def _decorated(name: str, value: Value) -> Value:
    """A function, fixture or class under a library's decorator."""
    if name in _MAKES_PLAIN and isinstance(value, FunctionValue):
        return replace(value, plain=True)
    return value if name in _KEEPS_FUNCTION else opaque(value)


def _merge(first: Keywords, second: Keywords) -> Keywords:
    merged = dict(first)
    merged.update(second)
    return tuple(merged.items())


def _marked_as_fixture(marker: FixtureMarker, value: Value) -> Value:
    match value:
        case FunctionValue():
            return FixtureValue(value, marker)
        case FixtureValue():
            return Raises("@pytest.fixture is being applied more than once to the same function")
        case ClassValue():
            return Raises("class fixtures not supported")
        case PartialValue(func=FunctionValue() as inner):
            if marker.name is None and marker.spelling.startswith("pytest."):
                return Raises("'functools.partial' object has no attribute '__name__'")
            return FixtureValue(replace(inner, opaque=True), marker)
    return UNKNOWN


def _marked(mark: MarkValue, args: tuple[Value, ...], keywords: Keywords) -> Value:
    if len(args) == 1 and not keywords:
        match args[0]:
            case FunctionValue() as function:
                return function.with_mark(mark)
            case ClassValue() as class_:
                return replace(class_, marks=(*class_.marks, mark))
            case FixtureValue() as fixture:
                return replace(fixture, marks_above=(*fixture.marks_above, mark))
            case Unknown():
                if not mark.called:
                    return UNKNOWN
    return MarkValue(mark.name, mark.args + args, _merge(mark.keywords, keywords), True)


def _wrapped(wraps: Wraps, value: Value | None) -> Value:
    if not isinstance(value, FunctionValue):
        return UNKNOWN
    inner = wraps.func
    if isinstance(inner, FixtureValue):
        return replace(value, hidden=inner, wrapped=inner.function)
    if not isinstance(inner, FunctionValue):
        return replace(value, opaque=True)
    # functools.wraps copies `__dict__`: marks and patches come along.
    return replace(
        value,
        wrapped=inner,
        marks=(*inner.marks, *value.marks),
        patched=inner.patched + value.patched,
        opaque=inner.opaque or value.opaque,
        given=inner.given,
        given_last=inner.given_last,
    )


def _patched(patch: Patch, value: Value | None) -> Value:
    extra = int(patch.injects)
    match value:
        case FunctionValue():
            return replace(value, patched=value.patched + extra)
        case ClassValue():
            return replace(value, patched=value.patched + extra)
        case FixtureValue():
            return opaque(value)
    return UNKNOWN


def _given(given: Given, value: Value | None) -> Value:
    if not isinstance(value, FunctionValue):
        return UNKNOWN if value is None else opaque(value)
    return replace(
        value,
        given_last=value.given_last + given.count,
        given=(*value.given, *given.names),
        opaque=value.opaque or not given.complete,
    )


def _called(
    evaluator: Evaluator, func: FunctionValue, args: tuple[Value, ...], keywords: Keywords
) -> Value:
    """A call of a function that was read: a wrapper, a factory of fixtures, or a decorator."""
    code = next((arg for arg in args if _is_code(arg)), None)
    spelled = {func.function.name, f"{evaluator.modules.name_of(func.module)}.{func.function.name}"}
    configured = evaluator.fixture_decorators & spelled
    if configured:
        return _fixture_call(min(configured), args, keywords)
    if not func.function.returns:
        return opaque(code) if code is not None else UNKNOWN
    results = returned(evaluator, func, args, keywords)
    wanted: tuple[type, ...] = (FixtureValue, FunctionValue, ClassValue)
    if code is None:
        wanted = (FixtureValue, FixtureMarker, FunctionValue, MarkValue, PartialValue)
    for kind in wanted:
        found = [result for result in results if isinstance(result, kind)]
        same = found and all(result == found[0] for result in found[1:])
        if same and (code is None or kind is FixtureValue or len(found) == len(results)):
            return found[0]
        if found:
            return UNKNOWN if code is None else _doubtful(code)
    if code is not None:
        return _doubtful(code)
    plain = [result for result in results if not isinstance(result, Unknown)]
    return plain[0] if len(results) == 1 and plain else UNKNOWN


def returned(
    evaluator: Evaluator,
    func: FunctionValue,
    args: tuple[Value, ...],
    keywords: Keywords,
) -> list[Value]:
    """What calling a function that was read may return, one value for each `return`."""
    function = func.function
    values: dict[str, Value] = {}
    rest: list[Value] = list(args)
    extra: dict[str, Value] = {}
    given = dict(keywords)
    defaults = dict(function.defaults)
    for parameter in function.parameters:
        if parameter.kind in ("normal", "positional") and rest:
            values[parameter.name] = rest.pop(0)
        elif parameter.kind in ("normal", "keyword") and parameter.name in given:
            values[parameter.name] = given.pop(parameter.name)
        elif parameter.kind == "args":
            values[parameter.name] = Sequence(tuple(rest))
            rest = []
        elif parameter.kind == "kwargs":
            extra = given
            given = {}
            unknown = "**" in extra
            values[parameter.name] = UNKNOWN if unknown else Dictionary(tuple(extra.items()))
        elif parameter.name in defaults and "**" not in given:
            values[parameter.name] = evaluator.evaluate(defaults[parameter.name], func.env)
        else:
            values[parameter.name] = UNKNOWN
    space = Namespace(func.env.facts, function.bindings, func.env, values)
    results = [evaluator.evaluate(expression, space) for expression in function.returns]
    if any(_changes_signature(attributes) for attributes in space.attached.values()):
        return [opaque(result) for result in results]
    return results


def _changes_signature(attributes: dict[str, Binding]) -> bool:
    """Whether a function is given parameters other than those of one that it wraps."""
    binding = attributes.get("__signature__")
    if binding is None:
        return False
    match binding.value:
        case Call(func=Name(parts=parts)):
            return parts[-1] != "signature"
    return True


def _doubtful(code: Value) -> Value:
    """A function under a decorator of the project that may put something else in its place."""
    value = opaque(code)
    return replace(value, doubtful=True) if isinstance(value, FunctionValue) else value


def _external_call(
    evaluator: Evaluator, name: str, args: tuple[Value, ...], keywords: Keywords
) -> Value:
    if name in FIXTURE_DECORATORS or name in evaluator.fixture_decorators:
        return _fixture_call(name, args, keywords)
    if name in _PATCHERS:
        given = dict(keywords)
        replacement = args[_PATCHERS[name]] if len(args) > _PATCHERS[name] else given.get("new")
        return Patch(injects=replacement in (None, External("unittest.mock.DEFAULT")))
    if name.startswith("unittest.mock.patch."):
        return Patch(injects=False)
    if name in ("hypothesis.given", "hypothesis.core.given"):
        names = tuple(key for key, _ in keywords if key != "**")
        complete = all(key != "**" for key, _ in keywords)
        ellipsis = sum(1 for arg in args if isinstance(arg, Unknown)) == len(args) == 1
        return Given(len(args), names, complete and not (ellipsis and not args))
    match name:
        case "functools.partial" | "functools.partialmethod" if args:
            return PartialValue(args[0], args[1:], keywords)
        case "functools.wraps" if args:
            return Wraps(args[0])
        case "builtins.staticmethod" | "builtins.classmethod" if args:
            return _bound(name.rpartition(".")[2], args[0])
        case "builtins.property" | "functools.cached_property":
            return UNKNOWN
        case "builtins.dict" if not args:
            return Dictionary(keywords)
        case (
            "builtins.list"
            | "builtins.tuple"
            | "builtins.sorted"
            | "builtins.set"
            | "builtins.frozenset"
        ):
            if args and isinstance(args[0], Sequence):
                return args[0]
            return Sequence(()) if not args else UNKNOWN
    if len(args) == 1 and not keywords and _is_code(args[0]):
        return _decorated(name, args[0])
    if name == "pytest.param":
        marks = marks_in(dict(keywords).get("marks", MISSING))
        used = any(mark.name == "usefixtures" for mark in marks)
        if used and evaluator.version >= (8, 4):
            return Raises("pytest.param cannot add pytest.mark.usefixtures")
        value = args[0] if args else MISSING
        return ParamValue(value, marks) if marks else value
    return Result(name)


def _bound(kind: str, value: Value) -> Value:
    match value:
        case FunctionValue():
            return replace(value, wrapper=kind)
        case FixtureValue() if kind == "staticmethod":
            return replace(value, function=replace(value.function, wrapper="staticmethod above"))
        case FixtureValue():
            return replace(value, function=replace(value.function, wrapper="classmethod above"))
    return UNKNOWN


def _fixture_call(name: str, args: tuple[Value, ...], keywords: Keywords) -> Value:
    options = dict(keywords)
    if "**" in options:
        hidden: Value | None = UNKNOWN
    else:
        hidden = None
    func = options.pop("fixture_function", None)
    if func is None and args:
        func = args[0]
    if name in ("pytest.fixture", "pytest.yield_fixture") and "loop_scope" in options:
        return Raises("fixture() got an unexpected keyword argument 'loop_scope'")
    marker = FixtureMarker(
        name,
        scope=options.get("scope", hidden),
        name=options.get("name", hidden),
        autouse=options.get("autouse", hidden),
        params=options.get("params", hidden),
        loop_scope=options.get("loop_scope", hidden),
    )
    if func is None:
        return marker
    if len(args) > 1 or isinstance(func, Literal):
        if isinstance(func, Literal) and func.value is None and len(args) == 1:
            return marker
        if len(args) > 1:
            return Raises("fixture() takes from 0 to 1 positional arguments")
        return Raises("the fixture function given has no attribute '__name__'")
    return _marked_as_fixture(marker, func)
