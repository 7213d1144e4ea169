"""Parses one expression or statement with libcst, and holds it to what it parsed.

libcst can lose text (1.9.0 drops the first of two comments that follow `x = 1` with a deeper
indent), so a piece that it does not print back unchanged is never rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scopecheck.fix.edits import Withheld, newline_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# The time that libcst 1.9 takes grows with the square of a chain `a.b.c...`.
_MAX_LINE = 1_000
_MAX_TEXT = 1_000_000
# What an indented statement is put under, to be parsed alone.
_HEAD = "if 1:"


def parse_expression(text: str) -> cst.BaseExpression:
    """The tree of an expression.

    Raises:
        Withheld: libcst does not print it back unchanged.
    """
    _check_size(text)
    config = _config(text)
    try:
        found = cst.parse_expression(text, config)
    except Exception:
        # Its parser raises more than its own error.
        raise Withheld("libcst cannot parse it") from None
    if print_expression(found, text) != text:
        raise Withheld("libcst does not print it back unchanged")
    return found


def print_expression(expression: cst.BaseExpression, like: str) -> str:
    """The text of an expression, with the line endings of the text that it came from."""
    return _module(like).code_for_node(expression)


class Statement:
    """One statement of a file (a simple one with the others of its line), to be rewritten.

    node: the statement; what is assigned to it is what `text` prints.

    Args:
        text: its lines, whole.

    Raises:
        Withheld: libcst does not print it back unchanged.
    """

    def __init__(self, text: str) -> None:
        _check_size(text)
        self.newline = newline_of(text)
        self._before = text
        self._head = ""
        if text[:1] in " \t":
            self._head = f"{_HEAD}{self.newline}"
        self._ended = text.endswith(("\n", "\r"))
        whole = self._head + text + ("" if self._ended else self.newline)
        try:
            self._module = cst.parse_module(whole, _config(text))
        except Exception:
            # Its parser raises more than its own error.
            raise Withheld("libcst cannot parse it") from None
        if self._module.code != whole:
            raise Withheld("libcst does not print it back unchanged")
        if len(self._body) != 1:
            raise Withheld("it is not one statement")
        self.node: cst.BaseStatement = self._body[0]

    @property
    def text(self) -> str:
        """The statement's lines, as its node is now."""
        if self.node is self._body[0]:
            return self._before
        module = self._module.deep_replace(self._body[0], self.node)
        assert isinstance(module, cst.Module)
        text = module.code.removeprefix(self._head)
        return text if self._ended else text.removesuffix(self.newline)

    @property
    def _body(self) -> list[cst.BaseStatement]:
        body: Sequence[cst.CSTNode] = self._module.body
        if self._head:
            first = body[0]
            assert isinstance(first, cst.If)
            assert isinstance(first.body, cst.IndentedBlock)
            body = first.body.body
        return [one for one in body if isinstance(one, cst.BaseStatement)]


def _module(like: str) -> cst.Module:
    return cst.Module([], default_newline=newline_of(like))


def _config(like: str) -> cst.PartialParserConfig:
    return cst.PartialParserConfig(default_newline=newline_of(like))


def _check_size(text: str) -> None:
    if len(text) > _MAX_TEXT or max(map(len, text.split("\n"))) > _MAX_LINE:
        raise Withheld("it is too long")
