"""Carries out `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from scopecheck.commands.session import open_output
from scopecheck.commands.suites import asked_for, rootdir_of
from scopecheck.report.paths import for_reader, test_for_reader
from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scopecheck.commands.options import PlanOptions
    from scopecheck.suite import Suite


def run(arguments: Sequence[str], options: PlanOptions) -> int:
    """`scopecheck plan`; the exit status."""
    from scopecheck.plan import plan_json, plan_text

    suites, chosen = asked_for(arguments, options)
    if options.cost or options.changes:
        text = _costs(suites, options)
    elif options.output_format == "json":
        text = plan_json(suites, chosen)
    else:
        shown = _shown(suites)
        text = plan_text(
            suites,
            chosen,
            shown=shown,
            test=lambda suite, test: test_for_reader(shown, rootdir_of(suite), test),
        )
    with open_output(options.output_file) as stream:
        stream.write(text)
    return 0


def _costs(suites: Sequence[Suite], options: PlanOptions) -> str:
    """What `--cost` and `--if` ask for."""
    from scopecheck.report import costs as report

    tables: list[tuple[str, list[dict[str, Any]]]] = []
    asked: list[dict[str, Any]] = []
    refused = ""
    for suite in suites:
        if options.cost:
            tables.append((suite.files.name or ".", report.costs(suite)))
        try:
            wanted = [report.parse_change(text) for text in options.changes]
            asked += report.changes(suite, wanted)
        except report.ChangeError as error:
            refused = str(error)
    if refused and not asked:
        raise Refused(refused)
    if options.output_format != "json":
        return report.text(tables, asked, _shown(suites))
    document = {"version": 1, "fixtures": [row for _, rows in tables for row in rows], "if": asked}
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"


def _shown(suites: Sequence[Suite]) -> Callable[[str], str]:
    """What a person reads for a path relative to the root."""
    return for_reader(suites[0].root) if suites else str
