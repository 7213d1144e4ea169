"""Adds and removes imports: places follow the order that the file keeps, else isort's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import libcst as cst

from scopecheck.fix.edits import Withheld
from scopecheck.fix.parsing import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scopecheck.read.code import Code, ImportStatement

_FUTURE, _STANDARD, _THIRD_PARTY, _OWN, _RELATIVE = range(5)


def without_names(text: str, names: set[str]) -> str | None:
    """An import statement's lines without the names that it binds; None where none is left.

    Raises:
        Withheld: the statement is not one import alone, or is not printed back unchanged.
    """
    statement = Statement(text)
    line = statement.node
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        raise Withheld("it is not alone on its line")
    node = line.body[0]
    if not isinstance(node, (cst.Import, cst.ImportFrom)) or isinstance(node.names, cst.ImportStar):
        raise Withheld("it is no import of names")
    kept = [alias for alias in node.names if _bound(alias) not in names]
    if not kept:
        return None
    if kept[-1] is not node.names[-1]:
        node, kept[-1] = _ended(node, kept[-1], node.names[-1])
    statement.node = line.with_changes(body=[node.with_changes(names=kept)])
    return statement.text


def with_names(text: str, names: Sequence[str], limit: int) -> str:
    """An import statement's lines, of `from module import ...`, with more names, in isort's order.

    limit: how long a line may be before the names go into parentheses.

    Raises:
        Withheld: the statement is not one such import alone, or is not printed back unchanged.
    """
    statement = Statement(text)
    line = statement.node
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        raise Withheld("it is not alone on its line")
    node = line.body[0]
    if not isinstance(node, cst.ImportFrom) or isinstance(node.names, cst.ImportStar):
        raise Withheld("it is no import of names")
    aliases = list(node.names)
    for name in names:
        index = next(
            (i for i, alias in enumerate(aliases) if _rank(_bound(alias)) > _rank(name)),
            len(aliases),
        )
        first = node.lpar.whitespace_after if node.lpar is not None else None
        aliases = _inserted(aliases, index, cst.ImportAlias(cst.Name(name)), first)
    statement.node = line.with_changes(body=[node.with_changes(names=aliases)])
    new = statement.text
    if node.lpar is not None or max(map(len, new.splitlines())) <= limit:
        return new
    if line.trailing_whitespace.comment is not None:
        raise Withheld("a comment stands beside it")
    return _parenthesized(statement, node, aliases)


def _rank(name: str) -> tuple[int, str]:
    """isort's order of names: constants, classes, the rest."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _inserted(
    aliases: list[cst.ImportAlias],
    index: int,
    added: cst.ImportAlias,
    first: cst.BaseParenthesizableWhitespace | None,
) -> list[cst.ImportAlias]:
    """Names with one more, set apart as the others are.

    first: what stands before the first one in parentheses.
    """
    if not isinstance(first, cst.ParenthesizedWhitespace):
        first = cst.SimpleWhitespace(" ")
    between = next(
        (alias.comma for alias in aliases[:-1] if isinstance(alias.comma, cst.Comma)),
        cst.Comma(whitespace_after=first),
    )
    space = between.whitespace_after
    if isinstance(space, cst.ParenthesizedWhitespace):
        plain = space.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=[])
        between = between.with_changes(whitespace_after=plain)
    if index < len(aliases):
        return [*aliases[:index], added.with_changes(comma=between), *aliases[index:]]
    last = aliases[-1]
    if isinstance(last.comma, cst.Comma) and _is_commented(last.comma):
        raise Withheld("a comment stands beside the last name")
    return [*aliases[:-1], last.with_changes(comma=between), added.with_changes(comma=last.comma)]


def _is_commented(comma: cst.Comma) -> bool:
    space = comma.whitespace_after
    return isinstance(space, cst.ParenthesizedWhitespace) and space.first_line.comment is not None


def _parenthesized(
    statement: Statement, node: cst.ImportFrom, aliases: Sequence[cst.ImportAlias]
) -> str:
    """The lines of an import with a name on each."""
    indent = cst.ParenthesizedWhitespace(indent=True, last_line=cst.SimpleWhitespace("    "))
    end = cst.ParenthesizedWhitespace(indent=True)
    names = [a.with_changes(comma=cst.Comma(whitespace_after=indent)) for a in aliases[:-1]]
    names.append(aliases[-1].with_changes(comma=cst.Comma(whitespace_after=end)))
    line = statement.node
    assert isinstance(line, cst.SimpleStatementLine)
    statement.node = line.with_changes(
        body=[
            node.with_changes(
                names=names,
                lpar=cst.LeftParen(whitespace_after=indent),
                rpar=cst.RightParen(),
            )
        ]
    )
    return statement.text


def _ended(
    node: cst.Import | cst.ImportFrom, kept: cst.ImportAlias, gone: cst.ImportAlias
) -> tuple[cst.Import | cst.ImportFrom, cst.ImportAlias]:
    """The last name that stays, with what ended the list; a comment on its line stays there."""
    own = kept.comma.whitespace_after if isinstance(kept.comma, cst.Comma) else None
    if not isinstance(own, cst.ParenthesizedWhitespace) or own.first_line.comment is None:
        return node, kept.with_changes(comma=gone.comma)
    if isinstance(gone.comma, cst.Comma):
        end = gone.comma.whitespace_after
        if isinstance(end, cst.ParenthesizedWhitespace):
            end = end.with_changes(first_line=own.first_line)
            return node, kept.with_changes(comma=cst.Comma(whitespace_after=end))
    elif isinstance(node, cst.ImportFrom) and node.rpar is not None:
        end = node.rpar.whitespace_before
        if isinstance(end, cst.ParenthesizedWhitespace):
            end = end.with_changes(first_line=own.first_line)
            node = node.with_changes(rpar=node.rpar.with_changes(whitespace_before=end))
            return node, kept.with_changes(comma=cst.MaybeSentinel.DEFAULT)
    raise Withheld("a comment would be lost")


def _bound(alias: cst.ImportAlias) -> str:
    if alias.asname is not None:
        assert isinstance(alias.asname.name, cst.Name)
        return alias.asname.name.value
    node = alias.name
    while isinstance(node, cst.Attribute):
        assert isinstance(node.value, (cst.Name, cst.Attribute))
        node = node.value
    return node.value


class Placing:
    """Says where a new import goes in one file.

    Args:
        code: the file.
        imports: those of its top level that stay.
        is_own: whether a module is one of the project's.
    """

    def __init__(
        self, code: Code, imports: Sequence[ImportStatement], is_own: Callable[[str], bool]
    ) -> None:
        self._code = code
        self._is_own = is_own
        self._imports = imports
        self._all = code.imports()

    def place(self, module: str, *, plain: bool, beside: str = "") -> tuple[int, bool, bool]:
        """The line before which an import of a module goes, and whether a blank line sets it apart.

        plain: it is `import module`. beside: a module after whose plain import it goes, wherever
        that stands. The flags are for a blank line before and after it.
        """
        for one in self._all:
            if beside and one.alone and one.is_plain and one.names[-1].module == beside:
                return one.last + 1, False, False
        section = self._section(module, 0)
        block = self._block()
        if not block:
            line = self._code.first_line
            text = self._code.text
            before = line > 1 and line - 1 <= text.line_count and bool(text.line(line - 1).strip())
            return line, before, bool(line <= text.line_count and text.line(line).strip())
        same = [one for one in block if self._of(one) == section]
        if same:
            return self._among(same, module, plain=plain), False, False
        kept = [one for one in block if one in self._imports]
        if not kept:
            # It takes the place of those that go.
            return block[0].last + 1, False, False
        earlier = [one for one in kept if self._of(one) < section]
        if earlier:
            return earlier[-1].last + 1, True, False
        return kept[0].first, False, True

    def _among(self, same: Sequence[ImportStatement], module: str, *, plain: bool) -> int:
        alike = [one for one in same if one.is_plain == plain]
        for one in alike:
            if one.names[0].module.lower() > module.lower():
                return one.first
        if alike:
            return alike[-1].last + 1
        # `import a` comes before `from a import b`.
        return same[0].first if plain else same[-1].last + 1

    def _block(self) -> list[ImportStatement]:
        """The imports at the top of the file, up to the first other statement between two."""
        found: list[ImportStatement] = []
        for one in self._all:
            if found and any(
                not self._is_passed(line) for line in range(found[-1].last + 1, one.first)
            ):
                break
            found.append(one)
        return found

    def _is_passed(self, line: int) -> bool:
        text = self._code.text.line(line).strip()
        return not text or text.startswith("#")

    def _of(self, one: ImportStatement) -> int:
        return self._section(one.names[0].module, one.names[0].level)

    def _section(self, module: str, level: int) -> int:
        top = module.partition(".")[0]
        if level:
            return _RELATIVE
        if top == "__future__":
            return _FUTURE
        if top in sys.stdlib_module_names:
            return _STANDARD
        return _OWN if self._is_own(top) else _THIRD_PARTY
