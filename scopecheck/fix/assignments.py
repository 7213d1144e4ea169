"""Rewrites what assigns to something that outlives a test into a call that puts it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scopecheck.fix.edits import Withheld

if TYPE_CHECKING:
    from scopecheck.fix.parsing import Statement


def by_setenv(statement: Statement, fixture: str) -> None:
    """Turn `os.environ["NAME"] = value` into `monkeypatch.setenv("NAME", value)`.

    Raises:
        Withheld: the statement is another one.
    """
    line = statement.node
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        raise Withheld("it is not alone on its line")
    assignment = line.body[0]
    match assignment:
        case cst.Assign(
            targets=[
                cst.AssignTarget(
                    target=cst.Subscript(slice=[cst.SubscriptElement(slice=cst.Index(value=name))])
                )
            ],
            value=value,
        ) if not isinstance(value, (cst.Yield, cst.Tuple)):
            comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
            call = cst.Call(
                cst.Attribute(cst.Name(fixture), cst.Name("setenv")),
                [cst.Arg(name, comma=comma), cst.Arg(value)],
            )
        case _:
            raise Withheld("it does more than set one variable")
    expression = cst.Expr(call, semicolon=assignment.semicolon)
    statement.node = line.with_changes(body=[expression])
