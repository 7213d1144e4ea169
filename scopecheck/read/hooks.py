"""Reads what pytest's hooks do to async tests: the marks that they add, and on what conditions.

A hook's statements are followed as they are run for one test, which is called ITEM in what is said
of them. What cannot be followed stands under a condition that nothing decides.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scopecheck.expressions import Opaque
from scopecheck.hook_facts import ITEM, HookFacts, MarkAddition
from scopecheck.read.hook_tests import NEVER, UNDECIDED, NamesOfTest, any_of
from scopecheck.read.hook_words import (
    CHANGES,
    CONFIGURES,
    HOOKS,
    KEPT_IN,
    LOOKS_ONLY,
    LOOPS,
    MAKES_ITEMS,
    MODES,
    NOT_ABOUT_TESTS,
    RUN_BY,
    SCOPES,
    called,
    is_left,
    names_mark,
    other_mark,
    returns,
    speaks_async,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from scopecheck.read.expressions import ExpressionReader
    from scopecheck.read.hook_tests import Conditions
    from scopecheck.read.text import Text
    from scopecheck.source import Span

    _Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
    _Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def read_hook(function: _Function, text: Text, expressions: ExpressionReader) -> HookFacts | None:
    """What a function does as a hook, or for one; None where that is nothing to async tests."""
    if function.name.startswith("pytest_"):
        if function.name not in HOOKS and not _has_other_name(function):
            return None
    elif function.name.startswith("test"):
        return None
    return _Reader(function, text, expressions).facts()


def _has_other_name(function: _Function) -> bool:
    """Whether a decorator says which hook it implements: `hookimpl(specname=...)`."""
    return any(
        isinstance(node, ast.Call) and any(keyword.arg == "specname" for keyword in node.keywords)
        for node in function.decorator_list
    )


class _Reader:
    """Reads one function; an instance serves once.

    _about_marks: names of what was found by the name of an async mark.
    _answers: the conditions on which the function returns something true of its first parameter;
        None where it is not asked.
    _late: the hook has yielded to those that it wraps.
    """

    def __init__(self, function: _Function, text: Text, expressions: ExpressionReader) -> None:
        self._function = function
        self._text = text
        self._expressions = expressions
        self._names = NamesOfTest(function, expressions)
        self._additions: list[MarkAddition] = []
        self._others: set[str] = set()
        self._unread: list[Span] = []
        self._about_marks: set[str] = set()
        self._answers: list[Conditions] | None = None
        self._late = False
        self._runs = False
        self._makes_items = function.name == MAKES_ITEMS
        self._configures = function.name in CONFIGURES
        nodes = list(ast.walk(function))
        self._names_async = any(map(names_mark, nodes))
        # The arguments of a mark matter only to what speaks of the marks that are for async tests.
        words = {node.value for node in nodes if isinstance(node, ast.Constant)}
        speaks = self._names_async or "loop_scope" in words
        self._kept_in = KEPT_IN if speaks else KEPT_IN - {"kwargs"}
        self._add_parameters()

    def _add_parameters(self) -> None:
        names = self._names
        is_hook = self._function.name.startswith("pytest_")
        if "items" in names.parameters:
            names.items["items"] = ()
        names.tests.update({"item", "pyfuncitem"}.intersection(names.parameters))
        if not is_hook and names.parameters and not names.items:
            if not names.tests:
                names.tests.add(names.parameters[0])
            if names.parameters[0] in names.tests:
                self._answers = []
        if self._makes_items and "obj" in names.parameters:
            # The function that a test is made of is the `obj` of the test.
            place = self._function.body[0]
            test = ast.copy_location(ast.Name(ITEM, ast.Load()), place)
            names.keep("obj", ast.copy_location(ast.Attribute(test, "obj", ast.Load()), place))

    def facts(self) -> HookFacts | None:
        """What the function does."""
        self._walk(self._function.body, ())
        nodes = (node for statement in self._function.body for node in ast.walk(statement))
        found = HookFacts(
            tuple(self._additions),
            min(self._unread, key=lambda span: (span.line, span.column), default=None),
            self._names_async,
            self._runs or any(map(speaks_async, nodes)),
            self._answer(),
            tuple(sorted(self._others)),
        )
        return None if found == HookFacts() else found

    def _answer(self) -> Conditions | None:
        answers = [answer for answer in self._answers or () if NEVER not in answer]
        if len(answers) > 1:
            return (any_of(answers, self._names.now),)
        return answers[0] if answers else None

    # Each of these methods gives what holds after the statements, None where nothing is run then.
    def _walk(self, body: Iterable[ast.stmt], under: Conditions) -> Conditions | None:
        holds: Conditions | None = under
        for statement in body:
            if holds is None:
                break
            holds = self._statement(statement, holds)
        return holds

    def _statement(self, node: ast.stmt, under: Conditions) -> Conditions | None:
        match node:
            case ast.If():
                return self._if(node, under)
            case ast.For() | ast.AsyncFor():
                return self._for(node, under)
            case ast.While():
                self._visit(node.test, under, asks=True)
                self._walk([*node.body, *node.orelse], (*under, UNDECIDED))
                return _after(node, under)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self._visit(item.context_expr, under)
                return self._walk(node.body, under)
            case ast.Match():
                for case in node.cases:
                    self._walk(case.body, (*under, UNDECIDED))
                return _after(node, under)
            case ast.Return():
                if node.value is not None:
                    self._return(node.value, under)
                return None
            case ast.Continue() | ast.Break() | ast.Raise():
                return None
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._assign(name, value, under)
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                if value is not None:
                    self._assign(name, value, under)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                for inner in node.body:
                    self._visit(inner, (*under, UNDECIDED))
            case _ if hasattr(node, "handlers"):
                return self._try(node, under)
            case _:
                self._visit(node, under)
        return under

    def _if(self, node: ast.If, under: Conditions) -> Conditions | None:
        self._visit(node.test, under, asks=True)
        holding = (*under, *self._names.conditions(node.test, True))
        failing = (*under, *self._names.conditions(node.test, False))
        then = self._walk(node.body, holding)
        other = self._walk(node.orelse, failing)
        if then is None or other is None:
            return other if then is None else then
        if (then, other) == (holding, failing):
            return under
        branches = then[len(under) :], other[len(under) :]
        return (*under, any_of(branches, self._names.now))

    def _for(self, node: ast.For | ast.AsyncFor, under: Conditions) -> Conditions:
        names = self._names
        items, target = node.iter, node.target
        match items, target:
            case (
                ast.Call(func=ast.Name(id="enumerate"), args=[counted, *_]),
                ast.Tuple(elts=[_, inner]),
            ):
                items, target = counted, inner
        self._visit(node.iter, under, asks=True)
        sequence = names.gone_over(names.sequence(items))
        before = dict(names.values)
        if sequence is not None and isinstance(target, ast.Name):
            left = (UNDECIDED,) if is_left(node.body) else ()
            with names.naming(target.id):
                self._walk(node.body, (*under, *sequence, *left))
        else:
            if any(map(self._is_about_mark, ast.walk(items))):
                found = (each.id for each in ast.walk(target) if isinstance(each, ast.Name))
                self._about_marks.update(found)
            self._walk(node.body, (*under, UNDECIDED))
        names.values = before
        self._walk(node.orelse, (*under, UNDECIDED))
        return _after(node, under)

    def _try(self, node: ast.stmt, under: Conditions) -> Conditions | None:
        after = self._walk([*getattr(node, "body", ()), *getattr(node, "orelse", ())], under)
        left = [
            self._walk(handler.body, (*under, UNDECIDED))
            for handler in getattr(node, "handlers", ())
        ]
        if self._walk(getattr(node, "finalbody", ()), under) is None:
            return None
        if after is not None:
            return after
        return None if all(one is None for one in left) else (*under, UNDECIDED)

    def _return(self, value: ast.expr, under: Conditions) -> None:
        self._visit(value, under, asks=self._answers is not None)
        if self._answers is not None:
            self._answers.append((*under, *self._names.conditions(value, True)))

    def _assign(self, name: str, value: ast.expr, under: Conditions) -> None:
        self._visit(value, under, asks=True)
        if isinstance(value, ast.Call) and self._is_put_on_function(value):
            return  # a mark gives back the function itself
        names = self._names
        sequence = names.sequence(value)
        names.tests.discard(name)
        names.items.pop(name, None)
        if sequence is not None:
            if name in names.once:
                kept = (UNDECIDED,) if under and name in names.parameters else ()
                names.items[name] = (*sequence, *kept)
            return
        if name in names.once:
            names.keep(name, value)
        if any(map(self._is_about_mark, ast.walk(value))):
            self._about_marks.add(name)

    def _visit(self, node: ast.AST, under: Conditions, *, asks: bool = False) -> None:
        """Note what an expression or a plain statement does.

        asks: its value is only looked at, or kept under a name.
        """
        if isinstance(node, ast.Call) and self._call(node, under):
            return
        conditions = self._names.conditions
        match node:
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                self._assign(name, value, under)
                return
            case ast.BoolOp(op=op, values=values):
                for value in values:
                    self._visit(value, under, asks=True)
                    under = (*under, *conditions(value, isinstance(op, ast.And)))
                return
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self._visit(test, under, asks=True)
                self._visit(body, (*under, *conditions(test, True)), asks=asks)
                self._visit(orelse, (*under, *conditions(test, False)), asks=asks)
                return
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                self._comprehension(node, under, asks=asks)
                return
            case ast.Compare() | ast.UnaryOp() | ast.Return() | ast.Assign():
                asks = True
            case ast.Call(func=func) if called(func) in LOOKS_ONLY:
                asks = True
        if isinstance(node, (*SCOPES, *LOOPS, ast.If, ast.Try, ast.Match)):
            under = (*under, UNDECIDED)
        if not asks and self._is_about_mark(node):
            self._note(node)
        self._stores(node)
        for child in ast.iter_child_nodes(node):
            self._visit(child, under, asks=asks)
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            self._late = True
            self._names.now += 1

    def _comprehension(self, node: _Comprehension, under: Conditions, *, asks: bool) -> None:
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        first = node.generators[0]
        target = first.target
        tests = self._names.selected(first) if len(node.generators) == 1 else None
        tests = self._names.gone_over(tests)
        inner = (*under, UNDECIDED) if tests is None else (*under, *tests)
        for each in node.generators:
            self._visit(each.iter, inner, asks=True)
        name = target.id if tests is not None and isinstance(target, ast.Name) else ITEM
        with self._names.naming(name):
            for each in node.generators:
                for test in each.ifs:
                    self._visit(test, inner, asks=True)
            for value in values:
                self._visit(value, inner, asks=asks)

    def _call(self, node: ast.Call, under: Conditions) -> bool:
        """Whether this is a call of which all is said."""
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr == "add_marker":
            self._add(node, func.value, under)
            return True
        if self._is_put_on_function(node):
            mark, span = self._expressions.read(func), self._text.span(node)
            self._put_on(MarkAddition(mark, span, None, under, early=True, since=self._names.now))
            return True
        name = called(func)
        if name in NOT_ABOUT_TESTS:
            return True
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name not in LOOKS_ONLY and any(map(self._is_about_mark, given)):
            self._note(node)
        match func:
            case ast.Attribute(attr=change, value=ast.Attribute(attr=kept)):
                if change in CHANGES and kept in self._kept_in:
                    self._note(node)
            case ast.Name(id="setattr" | "delattr"):
                words = {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
                if words & self._kept_in:
                    self._note(node)
                self._runs |= bool(words & RUN_BY)
            case ast.Attribute(attr="from_parent"):
                if "modifyitems" in self._function.name:
                    self._note(node)
        return False

    def _add(self, node: ast.Call, receiver: ast.expr, under: Conditions) -> None:
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        mark = node.args[0] if node.args else keywords.get("marker")
        append = node.args[1] if len(node.args) > 1 else keywords.get("append")
        if mark is not None and (other := other_mark(self._names.meant(mark))):
            self._others.add(other)
            return
        if not (isinstance(receiver, ast.Name) and receiver.id in self._names.tests):
            under = (*under, UNDECIDED)
        self._put_on(
            MarkAddition(
                Opaque() if mark is None else self._expressions.read(mark),
                self._text.span(node),
                None if append is None else self._expressions.read(append),
                under,
                late=self._late,
                since=self._names.now,
            )
        )

    def _put_on(self, addition: MarkAddition) -> None:
        self._additions.append(addition)
        self._names.now += 1

    def _is_put_on_function(self, node: ast.Call) -> bool:
        """Whether a mark is applied to the function that pytest is to make a test of."""
        if not self._makes_items or len(node.args) != 1 or node.keywords:
            return False
        argument = node.args[0]
        if not (isinstance(argument, ast.Name) and argument.id == "obj"):
            return False
        mark = self._names.meant(node.func)
        return names_mark(mark.func if isinstance(mark, ast.Call) else mark)

    def _stores(self, node: ast.AST) -> None:
        """Note what is written to a test in other ways than by adding a mark."""
        match node:
            case ast.Attribute(attr=attr, ctx=ast.Store() | ast.Del()):
                if attr in self._kept_in:
                    self._note(node)
                elif attr in MODES:
                    self._unread.append(self._text.span(node))
                self._runs |= attr in RUN_BY
            case ast.Subscript(value=ast.Attribute(attr=attr), ctx=ast.Store() | ast.Del()):
                if attr in self._kept_in:
                    self._note(node)
            case ast.Subscript(slice=ast.Constant(value="pytestmark"), ctx=ast.Store()):
                self._note(node)
            case ast.Constant(value=str(word)):
                if word in MODES:
                    self._unread.append(self._text.span(node))

    def _is_about_mark(self, node: ast.AST) -> bool:
        return names_mark(node) or (isinstance(node, ast.Name) and node.id in self._about_marks)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, (ast.expr, ast.stmt)) and not self._configures:
            self._unread.append(self._text.span(node))


def _after(node: ast.stmt, under: Conditions) -> Conditions:
    """What holds after a statement whose branches are not followed."""
    return (*under, UNDECIDED) if returns(node) else under
