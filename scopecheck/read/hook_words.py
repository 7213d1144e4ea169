"""The words by which code that changes async tests is known, and how a syntax tree has them."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HELPER_WORDS = {
    "_marker": ("add_marker", "own_markers"),
    "pytestmark": ("pytestmark",),
    "mark.anyio": ("mark.anyio",),
    "mark.trio": ("mark.trio",),
    "sync": ("mark.asyncio", "iscoroutinefunction", "is_async_test", "PytestAsync"),
}
"""One of these stands in a function that may help a hook to find or to mark async tests."""

# Hooks that are run before there are tests: what they do to options matters, not to marks.
CONFIGURES = frozenset(
    {
        "pytest_cmdline_main",
        "pytest_configure",
        "pytest_load_initial_conftests",
        "pytest_sessionstart",
    }
)
MAKES_ITEMS = "pytest_pycollect_makeitem"
HOOKS = CONFIGURES | {
    "pytest_asyncio_loop_factories",
    "pytest_collection",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_collectreport",
    "pytest_collectstart",
    "pytest_fixture_setup",
    "pytest_generate_tests",
    "pytest_itemcollected",
    "pytest_make_collect_report",
    MAKES_ITEMS,
    "pytest_pycollect_makemodule",
    "pytest_pyfunc_call",
    "pytest_runtest_call",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtestloop",
}
MODES = frozenset(
    {
        "anyio_mode",
        "asyncio_default_fixture_loop_scope",
        "asyncio_default_test_loop_scope",
        "asyncio_mode",
        "trio_mode",
    }
)
# Where a test keeps its marks and a mark its arguments, and what changes a list or a dict.
KEPT_IN = frozenset({"own_markers", "pytestmark", "kwargs"})
CHANGES = frozenset(
    {"append", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}
    | {"__setitem__", "__delitem__"}
)
# What pytest runs of a test.
RUN_BY = frozenset({"obj", "_obj", "function", "runtest"})
# Calls in which a mark's name says nothing about a test, and those that only look at one.
NOT_ABOUT_TESTS = frozenset(
    {"addini", "addinivalue_line", "addoption", "find_spec", "get_plugin", "getini", "getLogger"}
    | {"getoption", "getplugin", "has_plugin", "hasplugin", "import_module", "importorskip"}
)
LOOKS_ONLY = frozenset(
    {"all", "any", "bool", "get", "get_closest_marker", "getattr", "hasattr", "isinstance"}
    | {"iter_markers", "iter_markers_with_node", "len", "list", "next", "sorted", "tuple", "type"}
    | {"debug", "error", "exit", "fail", "format", "info", "join", "print", "repr", "skip", "str"}
    | {"warn", "warning", "xfail"}
)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
LOOPS = (ast.For, ast.AsyncFor, ast.While)

_MARKS = frozenset({"asyncio", "anyio", "trio"})
_ABOUT_ASYNC = re.compile(
    r"asyncio|anyio|trio|coroutine|run_until|event_loop|curio|uvloop|greenlet|twisted|[dD]eferred"
)


def names_mark(node: ast.AST) -> bool:
    """Whether this is the name of an async mark: a string, or `pytest.mark.asyncio`."""
    match node:
        case ast.Constant(value=str(word)):
            return word in _MARKS
        case ast.Attribute(attr=attr, value=ast.Attribute(attr="mark") | ast.Name(id="mark")):
            return attr in _MARKS
    return False


def other_mark(mark: ast.expr) -> str:
    """The name of a mark that is visibly none of the async ones: `pytest.mark.slow`, `"slow"`."""
    match mark:
        case ast.Constant(value=str(word)):
            return "" if word in _MARKS else word
        case ast.Call(func=ast.Attribute() as func):
            return other_mark(func)
        case ast.Attribute(attr=attr, value=ast.Attribute(attr="mark") | ast.Name(id="mark")):
            return "" if attr in _MARKS else attr
    return ""


def speaks_async(node: ast.AST) -> bool:
    """Whether this is the name of something async, or async itself."""
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word) | ast.alias(name=word):
            return _ABOUT_ASYNC.search(word) is not None
        case ast.ImportFrom(module=str(word)):
            return _ABOUT_ASYNC.search(word) is not None
    return isinstance(node, (ast.Await, ast.AsyncFunctionDef, ast.AsyncWith, ast.AsyncFor))


def called(func: ast.expr) -> str:
    """The last name of what is called."""
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def is_left(body: Iterable[ast.stmt]) -> bool:
    """Whether a loop of this body may be left before its end."""
    for statement in body:
        if isinstance(statement, (ast.Break, ast.Return)):
            return True
        if isinstance(statement, LOOPS):
            if returns(statement) or is_left(statement.orelse):
                return True
        elif not isinstance(statement, SCOPES) and is_left(_inner(statement)):
            return True
    return False


def returns(node: ast.stmt) -> bool:
    """Whether a `return` stands in a statement."""
    if isinstance(node, ast.Return):
        return True
    return not isinstance(node, SCOPES) and any(map(returns, _inner(node)))


def _inner(node: ast.AST) -> Iterable[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            yield from child.body
