"""Carries out `events`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scopecheck.commands.session import open_output
from scopecheck.commands.suites import asked_for, rootdir_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.commands.options import PlanOptions


def run(arguments: Sequence[str], options: PlanOptions) -> int:
    """`scopecheck events`; the exit status."""
    from scopecheck.events import events_of
    from scopecheck.report.events import writer

    suites, chosen = asked_for(arguments, options)
    rootdirs = [rootdir_of(suite) for suite in suites]
    write = writer(options.output_format, suites[0].root if suites else Path.cwd(), rootdirs)
    with open_output(options.output_file) as stream:
        stream.write(write(events_of(suites, chosen)))
    return 0
