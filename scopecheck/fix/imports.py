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
        is_own: whether a module is one of the project's.
    """

    def __init__(self, code: Code, is_own: Callable[[str], bool]) -> None:
        self._code = code
        self._is_own = is_own
        self._imports = code.imports()

    def place(self, module: str, *, plain: bool, beside: str = "") -> tuple[int, bool, bool]:
        """The line before which an import of a module goes, and whether a blank line sets it apart.

        plain: it is `import module`. beside: a module after whose plain import it goes, wherever
        that stands. The flags are for a blank line before and after it.
        """
        for one in self._imports:
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
        earlier = [one for one in block if self._of(one) < section]
        if earlier:
            return earlier[-1].last + 1, True, False
        return block[0].first, False, True

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
        for one in self._imports:
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
