"""Fixtures that are called as functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.expressions import Call, FunctionRef, Name
from scopecheck.facts import BODY
from scopecheck.finding import Fault, Place
from scopecheck.suite.values import ClassValue, FixtureValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Class, FileFacts, Function
    from scopecheck.suite import Suite
    from scopecheck.suite.namespace import Namespace
    from scopecheck.suite.values import Value


_STATIC = Name(("staticmethod",))
_REFUSES_CALLS = frozenset({"pytest.fixture", "pytest.yield_fixture", "pytest_asyncio.fixture"})


@looks("near")
def called_fixture(suite: Suite) -> Iterator[Fault]:
    """SCP308: a fixture called as a function."""
    for path in _own_files(suite):
        facts = suite.facts(path)
        space = suite.evaluator.module(path)
        if facts is None or space is None:
            continue
        for call, function in _calls(facts):
            value = _callee(suite, facts, space, call, function)
            if isinstance(value, FixtureValue) and value.marker.spelling in _REFUSES_CALLS:
                reached = _reaching(suite, path, function) if function else frozenset()
                yield _told_call(facts, call, function, value, reached)


def _reaching(suite: Suite, path: str, function: Function) -> frozenset[str]:
    """The tests that a function is called for: itself, or those that set it up."""
    place = (path, function.line)
    found = {item.nodeid for item in suite.items if (item.place.path, item.line) == place}
    for fixture in suite.users:
        if (fixture.path, fixture.line) == place:
            found.update(suite.users[fixture])
    return frozenset(found)


def _own_files(suite: Suite) -> list[str]:
    """Conftests, test files and the modules of the tree that fixtures come from."""
    homes = {
        path
        for fixture in suite.fixtures
        if fixture.path is not None
        for path in (fixture.path, fixture.home)
        if path is not None
    }
    files = {*suite.files.conftests, *suite.files.test_files, *homes}
    return sorted(path for path in files if "site-packages/" not in path)


def _calls(facts: FileFacts) -> Iterator[tuple[Call, Function | None]]:
    """Every call kept, with the function that it stands in; those of nested code left out."""
    end = 0
    functions: list[Function] = []
    if any(function.has & BODY for function in facts.functions):
        functions = sorted(facts.functions, key=lambda one: (one.line, -one.end_line))
    for function in functions:
        if function.line <= end:
            continue  # defined in the one before, whose parameters and names it sees
        end = function.end_line
        if function.body is not None:
            for found in function.body.calls:
                if not found.nested:
                    yield found.call, function
    for found in facts.module_calls:
        yield found.call, None
    outer = [class_.bindings for class_ in facts.classes if not _is_within(facts, class_)]
    for bindings in (facts.bindings, *outer):
        own = set() if bindings is facts.bindings else {binding.name for binding in bindings}
        for binding in bindings:
            call = binding.value
            if isinstance(call, Call) and not binding.guard.never:
                hidden = isinstance(call.func, Name) and call.func.parts[0] in own
                if not hidden:
                    yield call, None


def _is_within(facts: FileFacts, class_: Class) -> bool:
    """Whether a class is made by a function, whose parameters and names its body sees."""
    line = class_.span.line
    return any(function.line < line <= function.end_line for function in facts.functions)


def _callee(
    suite: Suite, facts: FileFacts, space: Namespace, call: Call, function: Function | None
) -> Value | None:
    """What is called, where the name cannot be a parameter or a local one."""
    if not isinstance(call.func, Name):
        return None
    first, *rest = call.func.parts
    if function is None:
        return _settled(suite, space, call.func)
    parameters = [parameter.name for parameter in function.parameters]
    if first in parameters:
        if len(rest) != 1 or first != parameters[0] or function.owner < 0:
            return None
        if any(one.expression == _STATIC for one in function.decorators):
            return None
        return _own_method(suite, facts, space, function, rest[0])
    if function.body is None or first in function.body.locals:
        return None
    return _settled(suite, space, call.func)


def _settled(suite: Suite, space: Namespace, name: Name) -> Value | None:
    """What a name stands for, if the module gives it one value only."""
    bindings = space.bindings.get(name.parts[0], [])
    if len(bindings) != 1 or bindings[0].guard.branch or bindings[0].guard.caught:
        return None
    return suite.evaluator.evaluate(name, space)


def _own_method(
    suite: Suite, facts: FileFacts, space: Namespace, function: Function, name: str
) -> Value | None:
    """`self.name`, where neither an assignment nor a subclass seen gives it another meaning."""
    class_ = facts.classes[function.owner]
    for other in facts.functions:
        if other.body is not None and any(name == stored for stored, _ in other.body.self_stores):
            return None
    value = ClassValue(facts.path, class_, space, function.owner)
    owner = suite.linker.lineages.owner(suite.linker.lineages.of(value), name)
    if owner is None or any(other.module != facts.path for other in [owner]):
        return None
    inner = suite.evaluator.class_space(owner)
    bindings = inner.bindings[name]
    if len(bindings) != 1 or not isinstance(bindings[0].value, FunctionRef):
        return None
    return suite.evaluator.lookup(inner, name)


def _told_call(
    facts: FileFacts,
    call: Call,
    function: Function | None,
    value: FixtureValue,
    users: frozenset[str],
) -> Fault:
    definition = value.function.function
    name = definition.name
    where = "at import" if function is None else f"in `{function.name}`"
    symbol = facts.path
    if function is not None:
        owner = [facts.classes[function.owner].name] if function.owner >= 0 else []
        symbol = "::".join([facts.path, *owner, function.name])
    return Fault(
        Place(facts.path, call.span),
        f"the fixture `{name}` is called as a function {where}",
        symbol,
        (Place(value.function.module, definition.span, f"`{name}` is a fixture"),),
        notes=(f'pytest stops with `Fixture "{name}" called directly`',),
        help=(
            f"request `{name}` as a parameter, or move what it does to a plain function "
            "that both call"
        ),
        tests=users,
    )
