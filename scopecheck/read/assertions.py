"""Finds the assertions of a test that, by their form alone, cannot fail or fail unseen."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.facts import Flaw
from scopecheck.read.expressions import dotted
from scopecheck.read.nodes import DEFINITIONS, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from scopecheck.facts import FlawKind
    from scopecheck.read.outline import Outline
    from scopecheck.read.text import Text
    from scopecheck.source import Span

    _Found: TypeAlias = Iterator[Flaw]

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_BLOCKS = frozenset({ast.With, ast.AsyncWith, ast.Try, ast.If, *_LOOPS, ast.Match})
# Statements after which the rest of a block may not be run.
_ENDS = frozenset({ast.Return, ast.Break, ast.Continue, ast.Raise, ast.Expr})
# Expressions whose form may show that an assertion of them cannot fail.
_MAY_BE_VACUOUS = frozenset(
    {
        *(ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Lambda, ast.GeneratorExp),
        *(ast.JoinedStr, ast.BoolOp, ast.Attribute),
    }
)
# Context managers in which a statement may be there for the exception or warning it causes.
_EXPECTS = ("raises", "warns", "assertRaises", "assertWarns", "suppress", "deprecated", "catch")
# Exceptions by which an assertion fails, or that it is a kind of.
_FAILURES = frozenset({"AssertionError", "Exception", "BaseException"})
# Calls after which the rest of a block is not run; a skip is how a test is put aside on purpose.
_ENDING_CALLS = frozenset({"fail", "exit"})
_SKIPS = frozenset({"skip", "skipTest"})
_REPORTS = frozenset({"print", "pprint"})
_LOG_METHODS = frozenset(
    {
        *("debug", "info", "warning", "warn", "error", "exception", "critical", "log"),
        *("print_exc", "print_exception", "print_stack", "write"),
    }
)
# Assertions of `unittest.mock` that do nothing unless they are called.
_MOCK_ASSERTIONS = frozenset(
    {
        *("assert_called", "assert_called_once", "assert_called_with", "assert_called_once_with"),
        *("assert_any_call", "assert_has_calls", "assert_not_called", "assert_awaited"),
        *("assert_awaited_once", "assert_awaited_with", "assert_awaited_once_with"),
        *("assert_any_await", "assert_has_awaits", "assert_not_awaited"),
    }
)
_REACHED = ("True", "1")


class _Context(NamedTuple):
    """Where a statement stands: in a loop, under what expects an exception, in a branch."""

    loop: bool = False
    expects: bool = False
    branch: bool = False


def read_flaws(
    function: ast.FunctionDef | ast.AsyncFunctionDef, text: Text, outline: Outline
) -> tuple[Flaw, ...]:
    """The assertions that are worth nothing, in the order of the statements.

    Args:
        function: a test.
        text: of its file.
        outline: the statements of the test.
    """
    if not _may_have_flaws(outline):
        return ()
    found = tuple(_Reader(text, function).block(function.body, _Context()))
    if any(flaw.words in _REACHED for flaw in found) and _checks_more(function, len(found)):
        # `assert True` then only says that the line was reached.
        return tuple(flaw for flaw in found if flaw.words not in _REACHED)
    return found


def _may_have_flaws(outline: Outline) -> bool:
    """Whether there is anything by which an assertion could be worth nothing."""
    if outline.leaves:
        return True
    # (Loops: most tests have none of one kind or another, and `any` costs more than it looks at.)
    for value in outline.expressions:
        if value.__class__ in (ast.Compare, ast.Attribute):
            return True
    for node in outline.asserts:
        if _vacuous(node.test) is not None:
            return True
    for call in outline.calls:
        if _leaves_with_failure(call):
            return True
    return any(_may_swallow(item) for around in outline.withs for item in around.items)


def _may_swallow(item: ast.withitem) -> bool:
    """Whether a context may catch the failure of an assertion, or ends before one is reached."""
    name = _called(item.context_expr)
    return name == "suppress" or (item.optional_vars is not None and "aises" in name)


def _checks_more(function: ast.AST, flaws: int) -> bool:
    """Whether there is an assertion, or a `raises`, beyond those that are worth nothing."""
    checks = 0
    for node in walk(function):
        if isinstance(node, ast.Assert):
            checks += 1
        elif isinstance(node, ast.Call):
            name = _called(node)
            checks += any(word in name for word in ("raises", "assert", "fail"))
        elif isinstance(node, ast.Raise):
            kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            checks += isinstance(kind, ast.Name) and kind.id == "AssertionError"
    return checks > flaws


_ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def _is_tried(node: ast.Compare) -> bool:
    """Whether two objects are compared to see that it is possible, or for what it does to them.

    Two that are made here and ordered are, two that are made alike, and one that is compared with
    itself. So is what is asked for an empty text, which nobody asserts: every text has it.
    """
    left, right = node.left, node.comparators[0]
    if isinstance(node.ops[0], ast.In) and isinstance(left, ast.Constant) and left.value == "":
        return True
    if left.__class__ is not right.__class__:
        return False
    if isinstance(left, ast.Call) and isinstance(node.ops[0], _ORDERINGS):
        return True
    return ast.dump(left) == ast.dump(right)


def _parametrized(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """The arguments that the test's own `parametrize` marks fill, as far as they are literal."""
    found: set[str] = set()
    for decorator in function.decorator_list:
        if not isinstance(decorator, ast.Call) or _called(decorator) != "parametrize":
            continue
        match decorator.args[:1]:
            case [ast.Constant(value=str(names))]:
                found.update(name.strip() for name in names.split(","))
            case [ast.Tuple(elts=elements) | ast.List(elts=elements)]:
                found.update(
                    one.value
                    for one in elements
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )
    return frozenset(found)


class _Reader:
    """Walks the statements of one function."""

    def __init__(self, text: Text, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._text = text
        self._function = function

    def block(self, statements: Sequence[ast.stmt], context: _Context) -> _Found:
        """The flaws in a list of statements and below it."""
        ended: ast.stmt | None = None
        for statement in statements:
            if ended is not None:
                if isinstance(statement, ast.Assert) and not self._is_explained(ended):
                    yield self._flaw("unreachable", statement, cause=self._text.span(ended))
                    return
                continue
            if isinstance(statement, ast.Assert):
                kind = _vacuous(statement.test)
                if kind is not None and (context.branch or not _says_reached(statement)):
                    yield self._flaw(kind, statement, statement.test)
            elif isinstance(statement, ast.Expr):
                if statement.value.__class__ in (ast.Compare, ast.Attribute):
                    yield from self._expression(statement, context)
            elif statement.__class__ in _BLOCKS:
                yield from self._block(statement, context)
            if statement.__class__ in _ENDS and not context.expects and _ends(statement):
                ended = statement

    def _is_explained(self, ended: ast.stmt) -> bool:
        """Whether a comment at a bare `return` says why the rest of the test is put aside."""
        if not isinstance(ended, ast.Return) or ended.value is not None:
            return False
        before, own = self._text.line(ended.lineno - 1), self._text.line(ended.lineno)
        return before.lstrip().startswith("#") or "#" in own

    def _block(self, statement: ast.stmt, context: _Context) -> _Found:
        match statement:
            case ast.With() | ast.AsyncWith():
                yield from self._with(statement, context)
            case ast.Try():
                yield from self._try(statement, context)
            case ast.If():
                branch = context._replace(branch=True)
                yield from self.block(statement.body, branch)
                yield from self.block(statement.orelse, branch)
            case ast.For() | ast.AsyncFor() | ast.While():
                yield from self.block(statement.body, context._replace(loop=True))
                yield from self.block(statement.orelse, context)
            case ast.Match():
                for case in statement.cases:
                    yield from self.block(case.body, context)

    def _expression(self, statement: ast.Expr, context: _Context) -> _Found:
        value = statement.value
        if isinstance(value, ast.Compare) and not context.expects and not context.loop:
            if _is_tried(value):
                return
            yield self._flaw("comparison", statement, value)
        elif isinstance(value, ast.Attribute) and value.attr in _MOCK_ASSERTIONS:
            yield self._flaw("uncalled", statement, value)

    def _with(self, statement: ast.With | ast.AsyncWith, context: _Context) -> _Found:
        for item in statement.items:
            name = _called(item.context_expr)
            if name == "suppress" and not context.loop:
                call = item.context_expr
                assert isinstance(call, ast.Call)
                caught = {parts[-1] for arg in call.args if (parts := dotted(arg))}
                if caught & _FAILURES and (inside := _assertion(statement.body)) is not None:
                    yield self._flaw("swallowed", inside, cause=self._text.span(call))
            if any(word in name for word in ("raises", "assertRaises")):
                yield from self._raises(statement, item)
        expects = context.expects or any(
            any(word in _called(item.context_expr) for word in _EXPECTS)
            # One row of a test may give it a `raises`, another a context that does nothing.
            or (
                isinstance(item.context_expr, ast.Name)
                and item.context_expr.id in _parametrized(self._function)
            )
            for item in statement.items
        )
        yield from self.block(statement.body, context._replace(expects=expects))

    def _raises(self, statement: ast.With | ast.AsyncWith, item: ast.withitem) -> _Found:
        """Assertions on what was raised, inside the block that ends with the exception."""
        if not isinstance(item.optional_vars, ast.Name) or len(statement.body) < 2:
            return
        name = item.optional_vars.id
        for inner in statement.body[1:]:
            if isinstance(inner, ast.Assert) and _mentions(inner, name):
                yield self._flaw("raised", inner, cause=self._text.span(item.context_expr))
                return

    def _try(self, statement: ast.Try, context: _Context) -> _Found:
        yield from self._swallowed(statement, context)
        expects = context._replace(expects=True) if statement.handlers else context
        yield from self.block(statement.body, expects)
        for handler in statement.handlers:
            yield from self.block(handler.body, context._replace(branch=True))
        yield from self.block(statement.orelse, context)
        yield from self.block(statement.finalbody, context)

    def _swallowed(self, statement: ast.Try, context: _Context) -> _Found:
        """An assertion in a `try` whose handler catches its failure and goes on."""
        if context.loop or statement.orelse:
            return
        for handler in statement.handlers:
            kinds = _caught(handler)
            if not kinds & _FAILURES:
                continue
            inside = _assertion(statement.body)
            skips = any(map(_skips, handler.body))
            # Who names the failure, and skips, says what a failure means.
            if kinds == {"AssertionError"} and (skips or _is_raised(statement.body, inside)):
                return
            if inside is not None and _goes_on(handler.body):
                line = handler.lineno
                column = self._text.column(line, handler.col_offset)
                cause = type(self._text.span(inside))(line, column, line, column + len("except"))
                words = "is skipped" if skips else ""
                yield Flaw("swallowed", self._text.span(inside), words, cause)
            return

    def _flaw(
        self,
        kind: FlawKind,
        statement: ast.stmt,
        part: ast.expr | None = None,
        cause: Span | None = None,
    ) -> Flaw:
        words = "" if part is None else self._text.words(part)
        return Flaw(kind, self._text.span(statement), words, cause)


def _says_reached(statement: ast.Assert) -> bool:
    """Whether this is `assert True`, which may be there to say that the line was reached."""
    test = statement.test
    return isinstance(test, ast.Constant) and test.value in (True, 1)


def _ends(statement: ast.stmt) -> bool:
    """Whether the statements after this one in its block are never run."""
    match statement:
        case ast.Return() | ast.Break() | ast.Continue():
            return True
        case ast.Raise(exc=raised):
            kind = raised.func if isinstance(raised, ast.Call) else raised
            return "skip" not in ".".join(dotted(kind) or ()).lower() if kind else True
        case ast.Expr(value=ast.Call() as call):
            return _leaves_with_failure(call)
    return False


def _leaves_with_failure(call: ast.Call) -> bool:
    """Whether this is `pytest.fail(...)` or the like."""
    func = call.func
    return (
        isinstance(func, ast.Attribute)
        and func.attr in _ENDING_CALLS
        and isinstance(func.value, ast.Name)
        and func.value.id in ("pytest", "self")
    )


def _vacuous(test: ast.expr) -> FlawKind | None:
    """Why an assertion of this expression cannot fail."""
    if isinstance(test, ast.Compare):
        if isinstance(test.left, ast.Call) and len(test.ops) == 1:
            return _vacuous_comparison(test.left, test.ops[0], test.comparators[0])
        return None
    if test.__class__ not in _MAY_BE_VACUOUS:
        return None
    match test:
        case ast.Constant(value=value):
            return "constant" if value and value is not ... else None
        case ast.Tuple(elts=[_, *_]):
            return "tuple"
        case ast.List(elts=[_, *_]) | ast.Lambda():
            return "constant"
        case ast.Set(elts=items):
            # Of other things it is tried whether they can be in a set.
            return "constant" if all(isinstance(one, ast.Constant) for one in items) else None
        case ast.GeneratorExp():
            return "generator"
        case ast.JoinedStr(values=values):
            literal = any(isinstance(v, ast.Constant) and v.value for v in values)
            return "constant" if literal else None
        case ast.BoolOp(op=ast.Or(), values=values):
            return "or" if any(_vacuous(value) is not None for value in values) else None
        case ast.BoolOp(op=ast.And(), values=values):
            return "constant" if all(_vacuous(value) is not None for value in values) else None
        case ast.Attribute(attr=attr) if attr in _MOCK_ASSERTIONS:
            return "uncalled"
    return None


def _vacuous_comparison(left: ast.Call, op: ast.cmpop, right: ast.expr) -> FlawKind | None:
    if isinstance(left.func, ast.Name) and left.func.id == "len":
        match op, right:
            case ast.GtE(), ast.Constant(value=0):
                return "length"
            case ast.Gt(), ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
                return "length"
    return None


def _called(node: ast.expr) -> str:
    """The last name of the function that an expression calls; empty where it is no such call."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {parts[-1] for kind in kinds if (parts := dotted(kind))}


def _assertion(statements: Sequence[ast.stmt]) -> ast.Assert | None:
    """The first assertion that a block runs itself."""
    for statement in statements:
        if isinstance(statement, ast.Assert):
            return statement
        if isinstance(statement, (*DEFINITIONS, *_LOOPS, ast.Try)):
            continue
        for name in ("body", "orelse"):
            inner = getattr(statement, name, None)
            if isinstance(inner, list) and (found := _assertion(inner)) is not None:
                return found
    return None


def _is_raised(statements: Sequence[ast.stmt], assertion: ast.Assert | None) -> bool:
    """Whether `assert False` is all that a `try` does: it is there to raise what is caught."""
    while len(statements) == 1 and isinstance(statements[0], (ast.With, ast.AsyncWith)):
        statements = statements[0].body
    return (
        assertion is not None
        and statements[0] is assertion
        and isinstance(assertion.test, ast.Constant)
        and not assertion.test.value
    )


def _goes_on(statements: Sequence[ast.stmt]) -> bool:
    """Whether a handler only reports, or skips, so that the test does not fail."""
    return all(map(_only_reports, statements))


def _skips(statement: ast.stmt) -> bool:
    """Whether this is `pytest.skip(...)` or the like."""
    return isinstance(statement, ast.Expr) and _called(statement.value) in _SKIPS


def _only_reports(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Return():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=func)):
            parts = dotted(func)
            if parts is None:
                return False
            if len(parts) == 1:
                return parts[0] in _REPORTS
            return parts[-1] in _LOG_METHODS or parts[-1] in _SKIPS
    return False


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in walk(node))
