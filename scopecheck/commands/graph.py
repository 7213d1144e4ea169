"""Carries out `graph`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.commands.session import open_output
from scopecheck.commands.suites import asked_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.commands.options import PlanOptions


def run(arguments: Sequence[str], options: PlanOptions) -> int:
    """`scopecheck graph`; the exit status."""
    from scopecheck.graph import graph_of
    from scopecheck.report.graph import writer

    suites, chosen = asked_for(arguments, options)
    wanted = {item for _, item in chosen}
    found = graph_of(suites, lambda _, item: item in wanted)
    with open_output(options.output_file) as stream:
        writer(options.output_format)(found, stream)
    return 0
