"""Carries out `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from scopecheck.commands.session import open_output
from scopecheck.commands.suites import asked_for
from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.commands.options import PlanOptions
    from scopecheck.suite import Suite


def run(arguments: Sequence[str], options: PlanOptions) -> int:
    """`scopecheck plan`; the exit status."""
    from scopecheck.plan import plan_json, plan_text

    suites, chosen = asked_for(arguments, options)
    if options.cost or options.changes:
        text = _costs(suites, options)
    else:
        text = (plan_json if options.output_format == "json" else plan_text)(suites, chosen)
    with open_output(options.output_file) as stream:
        stream.write(text)
    return 0


def _costs(suites: Sequence[Suite], options: PlanOptions) -> str:
    """What `--cost` and `--if` ask for."""
    from scopecheck.report import costs as report

    rows: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []
    refused = ""
    for suite in suites:
        rows += report.costs(suite) if options.cost else []
        try:
            wanted = [report.parse_change(text) for text in options.changes]
            asked += report.changes(suite, wanted)
        except report.ChangeError as error:
            refused = str(error)
    if refused and not asked:
        raise Refused(refused)
    if options.output_format != "json":
        return report.text(rows, asked)
    document = {"version": 1, "fixtures": rows, "if": asked}
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"
