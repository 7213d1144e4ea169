"""Says what hooks and their like do to fixtures: values for names, and fixtures registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.expressions import Call as FactsCall
from scopecheck.expressions import Name, Star
from scopecheck.suite.marks import argument_names
from scopecheck.suite.namespace import Namespace
from scopecheck.suite.values import (
    MISSING,
    UNKNOWN,
    ClassValue,
    External,
    FixtureValue,
    FunctionValue,
    MarkValue,
)

if TYPE_CHECKING:
    from scopecheck.expressions import Call, Expression
    from scopecheck.facts import Function
    from scopecheck.suite.classes import Lineage
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.values import Value

HOOK = "pytest_generate_tests"

_ADDS = frozenset({"append", "insert", "extend", "remove"})
_METAFUNC = Name(("metafunc",))
_LOOKS_ONLY = frozenset({"hasattr", "getattr", "isinstance", "print", "repr", "str", "id", "len"})
# What they have with such names registers what it is given, and nothing in the caller's module.
_NEVER_PUT = frozenset({"pytest", "pytest_asyncio"})
# Plugins whose hook only varies fixtures of their own.
_OWN_FIXTURES_ONLY = (
    "/_pytest/",
    "/aiohttp/",
    "/pytest_asyncio/",
    "/pytest_console_scripts/",
    "/pytest_flakefinder",
    "/pytest_lazy_fixtures/",
    "/pytest_repeat",
)


def generated_names(evaluator: Evaluator, hook: Value) -> tuple[frozenset[str], bool]:
    """The names that a hook parametrizes, and whether there may be others."""
    if hook == MISSING:
        return frozenset(), False
    if not isinstance(hook, FunctionValue):
        return frozenset(), True
    if any(part in f"/{hook.module}" for part in _OWN_FIXTURES_ONLY):
        return frozenset(), False
    function = hook.function
    if function.body is None:
        return frozenset(), True
    unknown: dict[str, Value] = {parameter.name: UNKNOWN for parameter in function.parameters}
    space = Namespace(hook.env.facts, function.bindings, hook.env, unknown)
    names: set[str] = set()
    computed = False
    for found in function.body.calls:
        call = found.call
        if call.func == Name(("metafunc", "parametrize")):
            given = _argument_names(evaluator, call, space)
            computed |= given is None
            names.update(given or ())
        else:
            computed |= _hands_on(call)
    return frozenset(names), computed


def _argument_names(evaluator: Evaluator, call: Call, space: Namespace) -> tuple[str, ...] | None:
    if any(isinstance(argument, Star) for argument in call.args):
        return None
    args = tuple(evaluator.evaluate(argument, space) for argument in call.args[:1])
    named = call.keyword("argnames")
    keywords = () if named is None else (("argnames", evaluator.evaluate(named, space)),)
    return argument_names(MarkValue("parametrize", args, keywords))


def _hands_on(call: Call) -> bool:
    """Whether what parametrizes is passed to other code, or kept under another name."""
    given: list[Expression] = [*call.args, *(value for _, value in call.keywords)]
    looks = isinstance(call.func, Name) and call.func.parts[-1] in _LOOKS_ONLY
    return not looks and (
        _METAFUNC in given or (isinstance(call.func, Name) and call.func.parts == ("parametrize",))
    )


def changes_items(space: Namespace) -> bool:
    """Whether a hook of a conftest or plugin changes the names that items request."""
    return any(
        isinstance(found.call.func, Name) and "fixturenames" in found.call.func.parts[:-1]
        for function in space.facts.functions
        if function.name.startswith("pytest_") and function.body is not None
        for found in function.body.calls
        if isinstance(found.call.func, Name) and found.call.func.parts[-1] in _ADDS
    )


def marks_subclasses(evaluator: Evaluator, lineage: Lineage) -> bool:
    """Whether code of a class's bases, or of its metaclass, may put marks on it or its tests."""
    for value in lineage.classes:
        space = evaluator.class_space(value)
        if value != lineage.classes[0]:
            found = evaluator.lookup(space, "__init_subclass__")
            if isinstance(found, FunctionValue) and _changes_marks(found.function):
                return True
        for key, given in value.class_.keywords:
            if key == "metaclass":
                metaclass = evaluator.evaluate(given, value.env)
                if isinstance(metaclass, ClassValue) and any(
                    function.owner == metaclass.index and _changes_marks(function)
                    for function in metaclass.env.facts.functions
                ):
                    return True
    return False


def _changes_marks(function: Function) -> bool:
    return function.hook is not None and function.hook.unread is not None


def registers_unseen(evaluator: Evaluator, space: Namespace) -> bool:
    """Whether functions of a conftest or plugin register fixtures that no name stands for."""
    return any(
        _registers(evaluator, found.call, space)
        for function in space.facts.functions
        if function.body is not None
        for found in function.body.calls
    )


def _registers(evaluator: Evaluator, call: Call, space: Namespace) -> bool:
    if not isinstance(call.func, Name):
        return False
    parts = call.func.parts
    if parts[-1] in ("register_fixture", "_register_fixture", "parsefactories"):
        return True
    if parts[-2:] == ("pluginmanager", "import_plugin"):
        return True
    if parts[-2:] != ("pluginmanager", "register") or not call.args:
        return False
    plugin = call.args[0]
    if isinstance(plugin, FactsCall):
        plugin = plugin.func
    value = evaluator.evaluate(plugin, space)
    if isinstance(value, External):
        return not value.name.startswith("builtins.")
    if not isinstance(value, ClassValue):
        return True
    inner = evaluator.class_space(value)
    return any(isinstance(evaluator.lookup(inner, name), FixtureValue) for name in inner.bindings)


def registers_by_calls(evaluator: Evaluator, space: Namespace) -> bool:
    """Whether statements or decorators of a module may put fixtures into it under other names.

    So do `register` of pytest-factoryboy, which makes several fixtures of one factory, and
    `register_fixture` of polyfactory: by the frame of the caller, which no reading shows.
    """
    calls = [found.call.func for found in space.facts.module_calls]
    for class_ in space.facts.classes:
        for decorator in class_.decorators:
            written = decorator.expression
            calls.append(written.func if isinstance(written, FactsCall) else written)
    return any(_puts_fixtures(evaluator, func, space) for func in calls)


def _puts_fixtures(evaluator: Evaluator, func: Expression, space: Namespace) -> bool:
    if not isinstance(func, Name):
        return False
    last = func.parts[-1]
    if "fixture" not in last and not last.startswith("register"):
        return False
    match evaluator.evaluate(func, space):
        case External(name=name):
            package, _, rest = name.partition(".")
            return package not in _NEVER_PUT and ("fixture" in last or "pytest" in package + rest)
        case FunctionValue(module=path, env=env) | ClassValue(module=path, env=env):
            return env.facts.dynamic or "site-packages/pytest_" in path
    return False
