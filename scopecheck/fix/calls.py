"""Rewrites a decorator, a mark or any other call: what is called, and its keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scopecheck.fix.edits import Withheld
from scopecheck.fix.parsing import parse_expression, print_expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NOTHING: Mapping[str, str] = {}


def rewrite_call(
    text: str,
    *,
    callee: str | None = None,
    renamed: Mapping[str, str] = _NOTHING,
    given: Mapping[str, str] = _NOTHING,
    dropped: Iterable[str] = (),
) -> str:
    """The text of a call (or of what is not called yet), changed.

    Args:
        text: the expression.
        callee: what is called instead.
        renamed: keywords that get another name.
        given: keywords and the code of their values; one that is there gets the new value.
        dropped: keywords that go, with their values.

    Raises:
        Withheld: the expression is neither a name nor a call, or is not printed back unchanged.
    """
    expression = parse_expression(text)
    if isinstance(expression, cst.Call):
        call = expression
    elif isinstance(expression, (cst.Name, cst.Attribute)):
        if not given:
            return text if callee is None else callee
        call = cst.Call(expression)
    else:
        raise Withheld("it is neither a name nor a call")
    if callee is not None:
        call = call.with_changes(func=cst.parse_expression(callee))
    gone = set(dropped)
    kept = [arg for arg in call.args if arg.keyword is None or arg.keyword.value not in gone]
    args = [_renamed(arg, renamed) for arg in _ended(call, kept)]
    for keyword, value in given.items():
        args = _with_keyword(call, args, keyword, cst.parse_expression(value))
    return print_expression(call.with_changes(args=args), text)


def without_arguments(text: str, dropped: Iterable[str]) -> str | None:
    """The text of a call without the string arguments that have these values; None if none is left.

    Raises:
        Withheld: the expression is no call, or is not printed back unchanged.
    """
    values = set(dropped)
    call = parse_expression(text)
    if not isinstance(call, cst.Call):
        raise Withheld("it is no call")
    kept = [arg for arg in call.args if _string(arg.value) not in values]
    if not kept:
        return None
    return print_expression(call.with_changes(args=_ended(call, kept)), text)


def _ended(call: cst.Call, kept: list[cst.Arg]) -> list[cst.Arg]:
    """Those of a call's arguments that stay, the last one with what ended the list."""
    if not kept or kept[-1] is call.args[-1]:
        return kept
    last = call.args[-1]
    changes = {"comma": last.comma, "whitespace_after_arg": last.whitespace_after_arg}
    return [*kept[:-1], kept[-1].with_changes(**changes)]


def without_items(text: str, dropped: Iterable[str]) -> str:
    """The text of a list or tuple without the strings that have these values.

    Raises:
        Withheld: the expression is neither, or is not printed back unchanged.
    """
    values = set(dropped)
    display = parse_expression(text)
    if not isinstance(display, (cst.List, cst.Tuple)):
        raise Withheld("it is neither a list nor a tuple")
    kept = [item for item in display.elements if _string(item.value) not in values]
    if kept and kept[-1] is not display.elements[-1]:
        kept[-1] = kept[-1].with_changes(comma=display.elements[-1].comma)
    if isinstance(display, cst.Tuple) and len(kept) == 1:
        kept[0] = kept[0].with_changes(comma=cst.Comma())
    return print_expression(display.with_changes(elements=kept), text)


def with_item(text: str, item: str) -> str:
    """The text of a list with one more item; of anything else, a list of it and the item.

    Raises:
        Withheld: the expression is not printed back unchanged.
    """
    expression = parse_expression(text)
    added = cst.Element(cst.parse_expression(item))
    if isinstance(expression, cst.List):
        return print_expression(_with_element(expression, added), text)
    if isinstance(expression, cst.Tuple):
        raise Withheld("it is a tuple")
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    return print_expression(cst.List([cst.Element(expression, comma=comma), added]), text)


def _renamed(arg: cst.Arg, names: Mapping[str, str]) -> cst.Arg:
    if arg.keyword is None or arg.keyword.value not in names:
        return arg
    return arg.with_changes(keyword=cst.Name(names[arg.keyword.value]))


def _with_keyword(
    call: cst.Call, args: list[cst.Arg], keyword: str, value: cst.BaseExpression
) -> list[cst.Arg]:
    for index, arg in enumerate(args):
        if arg.keyword is not None and arg.keyword.value == keyword:
            return [*args[:index], arg.with_changes(value=value), *args[index + 1 :]]
    bare = cst.SimpleWhitespace("")
    equal = cst.AssignEqual(whitespace_before=bare, whitespace_after=bare)
    added = cst.Arg(value, cst.Name(keyword), equal)
    if not args:
        return [added]
    args, added = _appended(args, added, call.whitespace_before_args)
    return [*args, added]


def _appended(
    args: list[cst.Arg], added: cst.Arg, first: cst.BaseParenthesizableWhitespace
) -> tuple[list[cst.Arg], cst.Arg]:
    """Make room after the last item: the new one gets what ends it, and it what is between two."""
    last = args[-1]
    changes: dict[str, object] = {}
    if isinstance(last.comma, cst.Comma):
        ending = last.comma.whitespace_after
    else:
        ending = last.whitespace_after_arg
        changes["whitespace_after_arg"] = cst.SimpleWhitespace("")
    between, ending = _told_apart(_between(args, first), ending)
    if isinstance(last.comma, cst.Comma):
        added = added.with_changes(comma=cst.Comma(whitespace_after=ending))
    else:
        added = added.with_changes(whitespace_after_arg=ending)
    last = last.with_changes(comma=cst.Comma(whitespace_after=between), **changes)
    return [*args[:-1], last], added


def _with_element(display: cst.List, added: cst.Element) -> cst.List:
    if not display.elements:
        return display.with_changes(elements=[added])
    *others, last = display.elements
    between, ending = _told_apart(
        _between(display.elements, display.lbracket.whitespace_after),
        display.rbracket.whitespace_before,
    )
    added = added.with_changes(comma=last.comma)
    last = last.with_changes(comma=cst.Comma(whitespace_after=between))
    bracket = display.rbracket.with_changes(whitespace_before=ending)
    return display.with_changes(elements=[*others, last, added], rbracket=bracket)


def _between(
    items: Sequence[cst.Arg] | Sequence[cst.BaseElement], first: cst.BaseParenthesizableWhitespace
) -> cst.BaseParenthesizableWhitespace:
    """What separates two items."""
    if len(items) > 1 and isinstance(comma := items[-2].comma, cst.Comma):
        return comma.whitespace_after
    return first if isinstance(first, cst.ParenthesizedWhitespace) else cst.SimpleWhitespace(" ")


def _told_apart(
    between: cst.BaseParenthesizableWhitespace, ending: cst.BaseParenthesizableWhitespace
) -> tuple[cst.BaseParenthesizableWhitespace, cst.BaseParenthesizableWhitespace]:
    """What comes after an item and before the end: a comment on the item's line stays with it."""
    if not isinstance(between, cst.ParenthesizedWhitespace):
        return between, ending
    plain = between.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=[])
    if not isinstance(ending, cst.ParenthesizedWhitespace):
        return plain, ending
    return (
        plain.with_changes(first_line=ending.first_line),
        ending.with_changes(first_line=cst.TrailingWhitespace()),
    )


def _string(expression: cst.BaseExpression) -> str | None:
    if isinstance(expression, (cst.SimpleString, cst.ConcatenatedString)):
        value = expression.evaluated_value
        return value if isinstance(value, str) else None
    return None
