"""Rewrites a function: its parameters, what it reads under a name, and whether it is async.

What each does is done to a `Statement` that holds the function's `def` without its decorators.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst
import libcst.matchers

from scopecheck.fix.edits import Withheld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scopecheck.fix.parsing import Statement

_INNER = (cst.FunctionDef, cst.Lambda, cst.ClassDef, cst.GeneratorExp)
_ASYNC_KINDS = {
    "Generator": "AsyncGenerator",
    "Iterator": "AsyncIterator",
    "Iterable": "AsyncIterable",
}
# What an `await` can stand before as it is.
_TIGHT = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)


@dataclass
class Uses:
    """What a function does with a name.

    direct: it is read where the function itself runs; nested: in a function, lambda or generator
    inside of it. called: the methods that are called on it, with one argument. attributes: what is
    looked up on it. calls: what else is called, the last part of each name. rebound: it is given
    another value. yields_from: an async function may not do that.
    """

    direct: list[cst.Name] = field(default_factory=list)
    nested: list[cst.Name] = field(default_factory=list)
    called: list[tuple[str, cst.Call]] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    rebound: bool = False
    yields_from: bool = False

    def methods(self, *names: str) -> int:
        """How many of the calls are of these methods."""
        return sum(1 for name, _ in self.called if name in names)


def uses_of(statement: Statement, name: str) -> Uses:
    """What a function does with a name that is one of its parameters."""
    collector = _Collector(name)
    function = _function(statement)
    function.body.visit(collector)
    return collector.uses


def awaits(statement: Statement, name: str) -> bool:
    """Whether a function awaits what a name stands for, or iterates over it asynchronously."""
    node = cst.matchers.Name(name)
    asynchronous = cst.matchers.Asynchronous()
    wanted = (
        cst.matchers.Await(expression=node)
        | cst.matchers.For(iter=node, asynchronous=asynchronous)
        | cst.matchers.CompFor(iter=node, asynchronous=asynchronous)
        | cst.matchers.Call(cst.matchers.Name("anext"), [cst.matchers.Arg(node)])
        | cst.matchers.Attribute(node, cst.matchers.Name("__anext__"))
    )
    return bool(cst.matchers.findall(_function(statement).body, wanted))


def drop_parameter(statement: Statement, name: str) -> None:
    """Take a parameter out of a function's signature; one that is not there is no fault.

    Raises:
        Withheld: it stands before a `/`.
    """
    function = _function(statement)
    parameters = function.params
    if any(param.name.value == name for param in parameters.posonly_params):
        raise Withheld(f"{name!r} is a positional-only parameter")
    changes: dict[str, object] = {}
    opening = function.whitespace_before_params
    for kind in ("params", "kwonly_params"):
        params: Sequence[cst.Param] = getattr(parameters, kind)
        index = next((i for i, param in enumerate(params) if param.name.value == name), None)
        if index is not None:
            changes[kind] = _without(params, index, closes=_closes(parameters, kind))
            if not index:
                opening = _joined(opening, _after(params[index]), opening)
    if not changes:
        return
    if not changes.get("kwonly_params", parameters.kwonly_params) and isinstance(
        parameters.star_arg, cst.ParamStar
    ):
        changes["star_arg"] = cst.MaybeSentinel.DEFAULT
        if "params" not in changes and parameters.params:
            last = parameters.params[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
            changes["params"] = [*parameters.params[:-1], last]
    parameters = parameters.with_changes(**changes)
    if not _any_parameters(parameters):
        opening = cst.SimpleWhitespace("")
    statement.node = function.with_changes(params=parameters, whitespace_before_params=opening)


def add_parameter(statement: Statement, name: str, annotation: str = "") -> None:
    """Put a parameter after those that have to be given; one that is there is no fault."""
    function = _function(statement)
    parameters = function.params
    every = [*parameters.posonly_params, *parameters.params, *parameters.kwonly_params]
    if any(param.name.value == name for param in every):
        return
    added = cst.Param(
        cst.Name(name),
        cst.Annotation(cst.parse_expression(annotation)) if annotation else None,
    )
    params = list(parameters.params)
    index = next((i for i, param in enumerate(params) if param.default is not None), len(params))
    if any(param.default is not None for param in parameters.posonly_params):
        raise Withheld("a positional-only parameter has a default")
    if index == len(params) and index and _closes(parameters, "params"):
        params[-1], added = _appended(params, added, function.whitespace_before_params)
    elif index:
        # What follows has its place from the one before.
        comma = params[index - 1].comma
        if isinstance(comma, cst.Comma):
            between: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
            if isinstance(comma.whitespace_after, cst.ParenthesizedWhitespace):
                between = comma.whitespace_after.with_changes(
                    first_line=cst.TrailingWhitespace(), empty_lines=[]
                )
            added = added.with_changes(comma=cst.Comma(whitespace_after=between))
    params.insert(index, added)
    statement.node = function.with_changes(params=parameters.with_changes(params=params))


def default_inside(statement: Statement, name: str, *, optional: bool) -> None:
    """Make a parameter's default None, and what it was where the function begins.

    optional: an annotation may be written as `X | None`.

    Raises:
        Withheld: it has an annotation that cannot be, or the body is on the line of the `def`.
    """
    function = _function(statement)
    params = function.params
    for kind in ("posonly_params", "params", "kwonly_params"):
        own: list[cst.Param] = list(getattr(params, kind))
        for index, param in enumerate(own):
            default, said = param.default, param.annotation
            if param.name.value != name or default is None:
                continue
            if said is not None:
                if not optional:
                    raise Withheld("its annotation would have to say that it may be None")
                value = cst.BinaryOperation(said.annotation, cst.BitOr(), cst.Name("None"))
                said = said.with_changes(annotation=value)
            own[index] = param.with_changes(default=cst.Name("None"), annotation=said)
            text = cst.Module([]).code_for_node(default)
            statement.node = function.with_changes(params=params.with_changes(**{kind: own}))
            insert_first(statement, f"if {name} is None:\n    {name} = {text}\n")
            return
    raise Withheld(f"`{name}` has no default")


def is_annotated(statement: Statement) -> bool:
    """Whether a function says of all its parameters (`self` apart) or of its result what it is."""
    function = _function(statement)
    named = [
        param
        for param in (*function.params.posonly_params, *function.params.params)
        if param.name.value not in ("self", "cls")
    ]
    if not named:
        return function.returns is not None
    return all(param.annotation is not None for param in named)


def _appended(
    params: Sequence[cst.Param], added: cst.Param, first: cst.BaseParenthesizableWhitespace
) -> tuple[cst.Param, cst.Param]:
    """The last parameter, made no more the last, and the new one, which ends as that one did."""
    last = params[-1]
    ending = last.comma
    if len(params) > 1 and isinstance(comma := params[-2].comma, cst.Comma):
        between = comma.whitespace_after
    else:
        between = first
    if isinstance(between, cst.ParenthesizedWhitespace):
        between = between.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=[])
    elif between.empty:
        between = cst.SimpleWhitespace(" ")
    after = (
        ending.whitespace_after if isinstance(ending, cst.Comma) else last.whitespace_after_param
    )
    if isinstance(after, cst.ParenthesizedWhitespace) and after.first_line.comment is not None:
        # A comment on the last parameter's line stays there.
        if not isinstance(between, cst.ParenthesizedWhitespace):
            raise Withheld("a comment stands after the last parameter")
        between = between.with_changes(first_line=after.first_line)
        after = after.with_changes(first_line=cst.TrailingWhitespace())
    if isinstance(ending, cst.Comma):
        added = added.with_changes(comma=ending.with_changes(whitespace_after=after))
    else:
        added = added.with_changes(whitespace_after_param=after)
    last = last.with_changes(
        comma=cst.Comma(whitespace_after=between),
        whitespace_after_param=cst.SimpleWhitespace(""),
    )
    return last, added


def replace_reads(statement: Statement, name: str, expression: str) -> None:
    """Put an expression where a function reads a name."""
    uses = uses_of(statement, name)
    value = cst.parse_expression(expression)
    found = {id(node) for node in (*uses.direct, *uses.nested)}
    _transform(statement, lambda node, updated: value if id(node) in found else updated)


def insert_first(statement: Statement, line: str) -> None:
    """Put a line of code before all that a function does; after its docstring.

    Raises:
        Withheld: the function's body is on the line of its `def`.
    """
    function = _function(statement)
    body = function.body
    if not isinstance(body, cst.IndentedBlock):
        raise Withheld("its body is on the line of its `def`")
    index = 1 if function.get_docstring() is not None else 0
    added = cst.parse_statement(line)
    new = body.with_changes(body=[*body.body[:index], added, *body.body[index:]])
    statement.node = function.with_changes(body=new)


def await_calls(statement: Statement, name: str, method: str) -> None:
    """Turn `name.method(x)` into `await x`, wherever the function itself does it."""
    uses = uses_of(statement, name)
    found = {id(call) for called, call in uses.called if called == method}
    tight: set[int] = set()

    class Parents(cst.CSTVisitor):
        def on_visit(self, node: cst.CSTNode) -> bool:
            tight.update(_tightly_bound(node))
            return True

    _function(statement).visit(Parents())

    def awaited(node: cst.CSTNode, updated: cst.CSTNode) -> cst.CSTNode:
        if id(node) not in found or not isinstance(updated, cst.Call):
            return updated
        value = updated.args[0].value
        if not isinstance(value, _TIGHT) and not value.lpar:
            value = value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        lpar, rpar = list(updated.lpar), list(updated.rpar)
        if id(node) in tight and not lpar:
            lpar, rpar = [cst.LeftParen()], [cst.RightParen()]
        return cst.Await(value, lpar=lpar, rpar=rpar)

    _transform(statement, awaited)


def make_async(statement: Statement) -> tuple[str, str] | None:
    """Turn a `def` into an `async def`, and what it is said to return into the async kind of it.

    Handed back are the name in the annotation that is another one now, before and after, if it is
    a plain name.
    """
    function = _function(statement)
    statement.node = function.with_changes(asynchronous=cst.Asynchronous())
    annotation = function.returns.annotation if function.returns is not None else None
    if annotation is None or not cst.matchers.findall(function.body, cst.matchers.Yield()):
        return None
    generic = annotation.value if isinstance(annotation, cst.Subscript) else annotation
    name = generic.attr if isinstance(generic, cst.Attribute) else generic
    if not isinstance(name, cst.Name) or name.value not in _ASYNC_KINDS:
        return None
    new = annotation.deep_replace(name, cst.Name(_ASYNC_KINDS[name.value]))
    if isinstance(new, cst.Subscript) and name.value == "Generator" and len(new.slice) == 3:
        # An async generator returns nothing.
        kept = [new.slice[0], new.slice[1].with_changes(comma=cst.MaybeSentinel.DEFAULT)]
        new = new.with_changes(slice=kept)
    assert function.returns is not None
    returns = function.returns.with_changes(annotation=new)
    statement.node = statement.node.with_changes(returns=returns)
    return (name.value, _ASYNC_KINDS[name.value]) if name is generic else None


def delegate(statement: Statement, name: str, arguments: Sequence[str]) -> None:
    """Give a function another name, and let it return what the one of its old name does."""
    function = _function(statement)
    given = ", ".join(arguments)
    body = cst.parse_statement(f"return {function.name.value}({given})\n")
    statement.node = function.with_changes(
        name=cst.Name(name), body=cst.IndentedBlock([body]), leading_lines=[]
    )


def _with_reads_renamed(statement: Statement, name: str, new: str) -> cst.FunctionDef:
    """The function once its body reads a parameter under another name."""
    if cst.matchers.findall(_function(statement), cst.matchers.Name(new)):
        raise Withheld(f"`{new}` is another name there")
    if uses_of(statement, name).rebound:
        raise Withheld(f"`{name}` gets another value there")
    replace_reads(statement, name, new)
    return _function(statement)


def rename_parameter(statement: Statement, name: str, new: str) -> None:
    """Give a parameter another name, wherever the function uses it.

    Raises:
        Withheld: the new name is taken, or the old one gets another value.
    """
    function = _with_reads_renamed(statement, name, new)
    params = function.params
    for kind in ("posonly_params", "params", "kwonly_params"):
        own: list[cst.Param] = list(getattr(params, kind))
        for index, param in enumerate(own):
            if param.name.value == name:
                own[index] = param.with_changes(name=cst.Name(new))
                statement.node = function.with_changes(params=params.with_changes(**{kind: own}))
                return
    raise Withheld(f"`{name}` is not one of its parameters")


def rename_first_parameter(statement: Statement, name: str, new: str) -> None:
    """Give a function's first parameter another name, wherever the function uses it.

    Raises:
        Withheld: the new name is taken.
    """
    function = _with_reads_renamed(statement, name, new)
    params = function.params
    for kind in ("posonly_params", "params"):
        own: Sequence[cst.Param] = getattr(params, kind)
        if own and own[0].name.value == name:
            first = own[0].with_changes(name=cst.Name(new))
            params = params.with_changes(**{kind: [first, *own[1:]]})
            statement.node = function.with_changes(params=params)
            return
    raise Withheld(f"`{name}` is not its first parameter")


def rename(statement: Statement, name: str) -> None:
    """Give a function another name."""
    statement.node = _function(statement).with_changes(name=cst.Name(name))


def _tightly_bound(node: cst.CSTNode) -> Iterator[int]:
    """The parts of an expression that bind closer than an `await` in their place would."""
    match node:
        case cst.Attribute() | cst.Subscript():
            yield id(node.value)
        case cst.Await():
            yield id(node.expression)
        case cst.Call():
            yield id(node.func)
        case cst.BinaryOperation(operator=cst.Power()):
            yield from (id(node.left), id(node.right))


def _function(statement: Statement) -> cst.FunctionDef:
    assert isinstance(statement.node, cst.FunctionDef)
    return statement.node


def _transform(
    statement: Statement, change: Callable[[cst.CSTNode, cst.CSTNode], cst.CSTNode]
) -> None:
    class Transformer(cst.CSTTransformer):
        def on_leave(  # type: ignore[override]
            self, original_node: cst.CSTNode, updated_node: cst.CSTNode
        ) -> cst.CSTNode:
            return change(original_node, updated_node)

    function = _function(statement)
    new = function.body.visit(Transformer())
    statement.node = function.with_changes(body=new)


def _without(params: Sequence[cst.Param], index: int, *, closes: bool) -> list[cst.Param]:
    """The parameters without one of them; comments on lines of their own stay.

    closes: nothing comes after these parameters.
    """
    removed = params[index]
    kept = list(params)
    del kept[index]
    if not index:
        return kept
    before = kept[index - 1]
    after = _after(before)
    if index < len(kept) or not closes:
        kept[index - 1] = _ended(before, _joined(after, _after(removed), after))
    elif isinstance(removed.comma, cst.Comma) or _has_comment(after):
        kept[index - 1] = _ended(before, _joined(after, _after(removed), _after(removed)))
    else:
        # The last one has no comma.
        kept[index - 1] = before.with_changes(
            comma=removed.comma, whitespace_after_param=removed.whitespace_after_param
        )
    return kept


def _after(param: cst.Param) -> cst.BaseParenthesizableWhitespace:
    """What stands between a parameter's comma, or the parameter, and what comes next."""
    if isinstance(param.comma, cst.Comma):
        return param.comma.whitespace_after
    return param.whitespace_after_param


def _ended(param: cst.Param, after: cst.BaseParenthesizableWhitespace) -> cst.Param:
    comma = param.comma if isinstance(param.comma, cst.Comma) else cst.Comma()
    return param.with_changes(
        comma=comma.with_changes(whitespace_after=after),
        whitespace_after_param=cst.SimpleWhitespace(""),
    )


def _joined(
    kept: cst.BaseParenthesizableWhitespace,
    gone: cst.BaseParenthesizableWhitespace,
    form: cst.BaseParenthesizableWhitespace,
) -> cst.BaseParenthesizableWhitespace:
    """What stands after a parameter when the next one is gone.

    A comment on its line stays, and so do those on lines of their own after either. form: which of
    both says how the next line begins.
    """
    if not isinstance(form, cst.ParenthesizedWhitespace):
        if not _has_comment(gone):
            return form
        form = gone
    empty: list[cst.EmptyLine] = []
    first = cst.TrailingWhitespace()
    if isinstance(kept, cst.ParenthesizedWhitespace):
        first = kept.first_line
        empty += kept.empty_lines
    if isinstance(gone, cst.ParenthesizedWhitespace):
        empty += gone.empty_lines
    return form.with_changes(first_line=first, empty_lines=empty)


def _has_comment(space: cst.BaseParenthesizableWhitespace) -> bool:
    return isinstance(space, cst.ParenthesizedWhitespace) and (
        space.first_line.comment is not None or any(line.comment for line in space.empty_lines)
    )


def _closes(parameters: cst.Parameters, kind: str) -> bool:
    if parameters.star_kwarg is not None:
        return False
    if kind == "kwonly_params":
        return True
    return not parameters.kwonly_params and isinstance(parameters.star_arg, cst.MaybeSentinel)


def _any_parameters(parameters: cst.Parameters) -> bool:
    return bool(
        parameters.params
        or parameters.kwonly_params
        or parameters.posonly_params
        or parameters.star_kwarg is not None
        or isinstance(parameters.star_arg, (cst.Param, cst.ParamStar))
    )


class _Collector(cst.CSTVisitor):
    """Collects what a function's body does with a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.uses = Uses()
        self._name = name
        self._depth = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        uses = self.uses
        match node:
            case cst.Name():
                if node.value == self._name:
                    (uses.nested if self._depth else uses.direct).append(node)
                return False
            case cst.Attribute():
                if isinstance(node.value, cst.Name) and node.value.value == self._name:
                    uses.attributes.append(node.attr.value)
                node.value.visit(self)
                return False
            case cst.Arg():
                node.value.visit(self)
                return False
            case cst.Call():
                self._call(node)
            case (
                cst.AssignTarget(target=cst.Name(value=name))
                | cst.NameItem(name=cst.Name(value=name))
            ):
                if name == self._name:
                    uses.rebound = True
                return False
            case cst.AnnAssign() | cst.AugAssign() | cst.For() | cst.NamedExpr() | cst.AsName():
                target = node.name if isinstance(node, cst.AsName) else node.target
                if isinstance(target, cst.Name) and target.value == self._name:
                    uses.rebound = True
            case cst.Del():
                uses.rebound = True
            case cst.From():
                # Of `raise ... from` no less, which then only costs a rewriting.
                uses.yields_from = uses.yields_from or not self._depth
        if isinstance(node, _INNER):
            return self._inner(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, _INNER) and not self._binds(original_node):
            self._depth -= 1

    def _inner(self, node: cst.CSTNode) -> bool:
        """Enter what runs at another time; not where the name is another one there."""
        if self._binds(node):
            return False
        self._depth += 1
        return True

    def _binds(self, node: cst.CSTNode) -> bool:
        if not isinstance(node, (cst.FunctionDef, cst.Lambda)):
            return False
        params = node.params
        named = [*params.params, *params.kwonly_params, *params.posonly_params]
        return any(param.name.value == self._name for param in named)

    def _call(self, node: cst.Call) -> None:
        match node.func:
            case cst.Attribute(value=cst.Name(value=name), attr=attr) if name == self._name:
                plain = len(node.args) == 1 and node.args[0].keyword is None
                if plain and not node.args[0].star and not self._depth:
                    self.uses.called.append((attr.value, node))
            case cst.Attribute(attr=attr):
                self.uses.calls.add(attr.value)
            case cst.Name(value=name):
                self.uses.calls.add(name)
