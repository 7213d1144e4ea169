"""Makes random programs of Python's own grammar, with the words that test suites are made of.

The grammar is the one that `ast` states of its classes (`If(expr test, stmt* body, stmt* orelse)`),
so that each Python makes all the syntax that it has. Names, attributes and calls are often those
that rules look for: what reads them meets them in every place where the grammar allows them.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_NAMES = (
    *("a", "b", "x", "self", "cls", "request", "tmp_path", "monkeypatch", "mocker", "event_loop"),
    *("caplog", "events", "event", "store", "client", "app", "session", "names", "loop", "token"),
    *("test_a", "test_b", "TestA", "helper", "pytest_plugins", "pytestmark", "collect_ignore"),
    *("pytest_generate_tests", "pytest_collection_modifyitems", "pytest_configure", "setUp"),
    *("setup_module", "teardown_method", "setup_class", "__init__", "__test__", "__all__"),
    *("pytest", "asyncio", "os", "mock", "unittest", "contextvars", "functools", "typing", "_"),
)
_ATTRIBUTES = (
    *("fixture", "mark", "parametrize", "asyncio", "anyio", "usefixtures", "environ", "append"),
    *("getfixturevalue", "addfinalizer", "setattr", "patch", "object", "run", "create_task", "set"),
    *("get_event_loop", "run_until_complete", "set_event_loop", "reset", "get", "clear", "type"),
    *("records", "assert_called_once", "return_value", "update", "pop", "items", "values", "name"),
    *("Lock", "Queue", "ContextVar", "cache_clear", "lru_cache", "cache", "raises", "param", "x"),
)
_CONSTANTS: tuple[Any, ...] = (
    *(0, 1, -1, 2.5, 1j, True, False, None, ..., "", "x", "session", "module", "function", "a,b"),
    *("request", "test_a", b"x", "event_loop", "agent.done", "\ud800", "a\nb", 10**40, "{x}"),
)
# Whole expressions that rules ask for.
_PHRASES = (
    *("pytest.fixture", "pytest.fixture(scope='session', autouse=True)", "fixture(params=[1, 2])"),
    *("pytest.mark.parametrize('a,b', [(1, 2), pytest.param(3, 4, id='x')], indirect=True)",),
    *("pytest.mark.parametrize('x', [], scope='module')", "pytest.mark.usefixtures('a', *names)"),
    *("pytest.mark.asyncio(loop_scope='session')", "pytest_asyncio.fixture(loop_scope='class')"),
    *("pytest.mark.skipif(sys.platform == 'x', reason='')", "pytest.mark.xfail", "property"),
    *("request.getfixturevalue('a')", "request.getfixturevalue(name)", "request.param"),
    *(
        "request.addfinalizer(lambda: store.clear())",
        "request.node.add_marker(pytest.mark.asyncio)",
    ),
    *("monkeypatch.setattr(app, 'x', 1)", "monkeypatch.setenv('A', 'b')", "os.environ['A']"),
    *("os.environ.update(A='b')", "sys.path.insert(0, '.')", "sys.modules['app']", "os.chdir('x')"),
    *("mock.patch('app.x')", "mock.patch.object(app, 'x', new=1)", "mock.patch.dict(os.environ)"),
    *("asyncio.create_task(helper())", "asyncio.run(helper())", "asyncio.get_event_loop()"),
    *("asyncio.new_event_loop().run_until_complete(helper())", "asyncio.gather(*names)"),
    *("asyncio.set_event_loop(None)", "asyncio.Lock()", "contextvars.ContextVar('x')"),
    *("token.var.reset(token)", "var.set(1)", "functools.lru_cache(maxsize=None)", "app.cache"),
    *("[e for e in events if e.type == 'agent.done']", "all(e.ok for e in events)", "len(events)"),
    *("[e['name'] for e in caplog.records]", "any(events)", "event.name == 'tool.start'"),
    *("pytest.raises(ValueError, match='x')", "contextlib.suppress(Exception)", "isinstance(a, b)"),
    *("mocker.patch.object(app, 'x')", "store.items.append(1)", "app.main", "{'type': 'x'}"),
    *("anyio.create_task_group()", "asyncio.timeout(1)", "nonlocal_", "self.assertTrue(x)"),
    *(
        "hypothesis.given(st.integers())",
        "metafunc.parametrize('a', [1])",
        "sys.version_info >= (3,)",
    ),
)
_HEAD = "import asyncio, contextlib, contextvars, functools, os, sys\nfrom unittest import mock\n"
_IMPORTS = (
    *("import pytest\n", "import pytest_asyncio\n", "from pytest import fixture, mark\n"),
    *("from helpers import *\n", "import helpers as app\n", "from conftest import a, helper\n"),
    *("from unittest.mock import patch\n", "import unittest\n", "from . import helpers\n"),
    *("from asyncio import run, create_task\n", "pytest_plugins = ['helpers']\n"),
)
_FIELD = re.compile(r"(\w+)([*?]?) (\w+)")


class _Field(NamedTuple):
    kind: str
    many: str
    name: str


@cache
def _fields(kind: type[ast.AST]) -> tuple[_Field, ...]:
    stated = (kind.__doc__ or "").partition("(")[2]
    return tuple(_Field(*found) for found in _FIELD.findall(stated))


# What stands only inside some of the others, and what Python 3.8 replaced.
_ELSEWHERE = frozenset(
    {
        *("Starred", "Slice", "FormattedValue", "Interpolation", "MatchStar", "Index", "ExtSlice"),
        *("Num", "Str", "Bytes", "NameConstant", "Ellipsis"),
    }
)


@cache
def _kinds(name: str) -> tuple[type[ast.AST], ...]:
    """The classes of a sum of the grammar, or the class of that name."""
    base = getattr(ast, name)
    found = tuple(kind for kind in base.__subclasses__() if kind.__name__ not in _ELSEWHERE)
    return found or (base,)


@cache
def _phrase(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Maker:
    """Makes one program; deeper parts get simpler."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._left = 250
        self._special: dict[str, Callable[[int], Any]] = {
            "identifier": lambda _: self.word(_NAMES),
            "int": lambda _: 0,
            "string": lambda _: None,
            "constant": lambda _: chance.choice(_CONSTANTS),
            "expr_context": lambda _: ast.Load(),
            "arguments": self.arguments,
            "type_ignore": lambda _: ast.TypeIgnore(1, ""),
        }

    def word(self, words: tuple[str, ...]) -> str:
        return self.chance.choice(words)

    def make(self, kind: str, depth: int) -> Any:
        """Anything of a kind of the grammar."""
        if kind in self._special:
            return self._special[kind](depth)
        self._left -= 1
        if kind == "expr" and (depth > 4 or self._left < 0 or self.chance.random() < 0.35):
            return self.simple()
        if kind == "stmt" and (depth > 4 or self._left < 0):
            return ast.Expr(self.simple())
        if kind == "pattern" and (depth > 4 or self._left < 0):
            return ast.MatchValue(ast.Constant(1))
        if kind == "stmt" and self.chance.random() < 0.15:
            return ast.Assert(self.make("expr", depth + 1), None)
        return self.node(self.chance.choice(_kinds(kind)), depth)

    def simple(self) -> Any:
        """A name, a constant, or a phrase that rules look for."""
        draw = self.chance.random()
        if draw < 0.55:
            return _phrase(self.word(_PHRASES))
        if draw < 0.85:
            return ast.Name(self.word(_NAMES), ast.Load())
        return ast.Constant(self.chance.choice(_CONSTANTS))

    def node(self, kind: type[ast.AST], depth: int) -> ast.AST:
        """A node of a class, with what stands in its fields."""
        made: dict[str, Any] = {}
        for field in _fields(kind):  # type: ignore[arg-type] # a class can be hashed
            if field.many == "*":
                least = field.name in ("body", "targets", "names", "items", "values", "cases")
                count = self.chance.randint(int(least), 3)
                made[field.name] = [self.make(field.kind, depth + 1) for _ in range(count)]
            elif field.many == "?" and self.chance.random() < 0.5:
                made[field.name] = None
            else:
                made[field.name] = self.make(field.kind, depth + 1)
        self.fit(kind.__name__, made, depth)
        return kind(**made)

    def fit(self, name: str, made: dict[str, Any], depth: int) -> None:
        """What the grammar of `ast` leaves out: equal lengths, targets, and where words stand."""
        target = {"Assign": "targets", "Delete": "targets"}.get(name, "target")
        if name == "Attribute":
            made["attr"] = self.word(_ATTRIBUTES)
        elif name == "Compare":
            made["ops"] = [self.make("cmpop", depth) for _ in made["comparators"]] or [ast.Eq()]
            made["comparators"] = made["comparators"] or [self.simple()]
        elif name == "Dict":
            made["keys"] = [self.make("expr", depth + 2) for _ in made["values"]]
        elif name == "BoolOp":
            made["values"] = [*made["values"], self.simple()]
        elif name in ("JoinedStr", "TemplateStr"):
            made["values"] = [ast.FormattedValue(self.simple(), -1, None), ast.Constant("x")]
            if name == "TemplateStr":
                made["values"] = [ast.Constant("x")]
        elif name in ("Try", "TryStar"):
            made["handlers"] = [self.make("excepthandler", depth + 1)]
            if name == "TryStar":
                made["handlers"][0].type = self.simple()
        elif name in ("FunctionDef", "AsyncFunctionDef", "ClassDef"):
            made["type_params"] = []
            made["decorator_list"] = [self.simple() for _ in made["decorator_list"]]
        elif name in ("Global", "Nonlocal"):
            made["names"] = [self.word(_NAMES)]
        elif name == "MatchMapping":
            made["keys"] = [ast.Constant(index) for index, _ in enumerate(made["patterns"])]
        elif name == "MatchClass":
            made["cls"] = ast.Name("TestA", ast.Load())
            made["kwd_attrs"] = [f"k{index}" for index, _ in enumerate(made["kwd_patterns"])]
        elif name == "MatchSequence":
            made["patterns"].append(ast.MatchStar(self.word(_NAMES)))
        elif name == "MatchSingleton":
            made["value"] = self.chance.choice((None, True, False))
        elif name in ("Call", "List", "Tuple", "Set") and self.chance.random() < 0.3:
            made["args" if name == "Call" else "elts"].append(ast.Starred(self.simple()))
        elif name == "Subscript" and self.chance.random() < 0.4:
            made["slice"] = ast.Slice(self.simple(), None, self.simple())
        elif name == "MatchValue":
            made["value"] = ast.Constant(1)
        elif name == "AnnAssign":
            made["simple"] = 1
        elif name == "Raise":
            made["exc"] = made["exc"] or self.simple()
        elif name == "ImportFrom":
            made["level"] = self.chance.randint(int(made["module"] is None), 2)
        if target in made and name not in ("MatchAs",):
            only_name = name in ("NamedExpr", "AnnAssign", "TypeAlias") or target == "target"
            names = [ast.Name(self.word(_NAMES), ast.Store())]
            if not only_name and self.chance.random() < 0.6:
                names = [self.target(depth) for _ in made["targets"]]
            made[target] = names if target == "targets" else names[0]
        if "name" in made and name == "TypeAlias":
            made["name"] = ast.Name(self.word(_NAMES), ast.Store())
        if "optional_vars" in made and made["optional_vars"] is not None:
            made["optional_vars"] = self.target(depth)

    def target(self, depth: int) -> Any:
        """What may stand before `=`."""
        draw = self.chance.randrange(4)
        if draw == 0 or depth > 4:
            return ast.Name(self.word(_NAMES), ast.Store())
        if draw == 1:
            return ast.Attribute(self.simple(), self.word(_ATTRIBUTES), ast.Store())
        if draw == 2:
            return ast.Subscript(self.simple(), self.simple(), ast.Store())
        return ast.Tuple([self.target(depth + 1), self.target(depth + 1)], ast.Store())

    def arguments(self, depth: int) -> ast.arguments:
        """Parameters, each name once."""
        names = self.chance.sample(_NAMES, self.chance.randint(0, 4))
        args = [ast.arg(name, self.simple() if depth % 2 else None) for name in names]
        split = self.chance.randint(0, len(args))
        defaults = [self.simple() for _ in range(self.chance.randint(0, split))]
        return ast.arguments(
            posonlyargs=[],
            args=args[:split],
            vararg=ast.arg("args") if self.chance.random() < 0.2 else None,
            kwonlyargs=args[split:] if self.chance.random() < 0.3 else [],
            kw_defaults=[],
            kwarg=ast.arg("kwargs") if self.chance.random() < 0.2 else None,
            defaults=defaults,
        )

    def definition(self) -> ast.stmt:
        """A fixture, a test, a class of tests or a helper."""
        kind = self.chance.choice((ast.FunctionDef, ast.FunctionDef, ast.AsyncFunctionDef))
        made: Any = self.node(kind, 1)
        made.name = self.word(("test_a", "test_b", "helper", "a", "b", "client", made.name))
        if self.chance.random() < 0.3:
            body = [made, self.definition()] if self.chance.random() < 0.4 else [made]
            return self.class_of(body)
        return made  # type: ignore[no-any-return]

    def class_of(self, body: list[ast.stmt]) -> ast.stmt:
        made: Any = self.node(ast.ClassDef, 2)
        made.name, made.body = self.word(("TestA", "TestB", "Base")), body
        return made  # type: ignore[no-any-return]


def program(chance: random.Random) -> str:
    """The text of one program that this Python can parse."""
    while True:
        maker = _Maker(chance)
        body = [maker.definition() for _ in range(chance.randint(1, 5))]
        body += [maker.make("stmt", 1) for _ in range(chance.randint(0, 3))]
        chance.shuffle(body)
        imports = "".join(one for one in _IMPORTS if chance.random() < 0.4)
        tree = ast.fix_missing_locations(ast.Module(body, []))
        try:
            text = _HEAD + imports + ast.unparse(tree) + "\n"
            text.encode()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, TypeError, AttributeError):
            continue
        return text


if __name__ == "__main__":
    import random as randomness

    sys.stdout.write(program(randomness.Random(int(sys.argv[1]))))
