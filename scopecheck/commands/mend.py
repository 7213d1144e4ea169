"""Carries out `check --fix` and `check --diff`: writes or shows the fixes that were made."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scopecheck.commands.diffs import print_diff
from scopecheck.status import FOUND, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.commands.options import CheckOptions
    from scopecheck.project import Project
    from scopecheck.repair.rounds import Repaired


def mend(repaired: Repaired, project: Project, options: CheckOptions) -> int | None:
    """Write or show fixes; the exit status, or None where the report of what is left is to follow.

    project: that in which they were made.
    """
    from scopecheck.fix import files

    if options.diff:
        print_diff(repaired.changes, project.root, options.color)
    else:
        try:
            files.write(project.root, repaired.changes)
        except files.Refused as error:
            raise Refused(str(error)) from None
        project.config_texts.clear()
    if not options.quiet:
        sys.stderr.writelines(f"{line}\n" for line in _told(repaired, options))
    if options.diff:
        return FOUND if repaired.asked and not options.exit_zero else 0
    return None


def _told(repaired: Repaired, options: CheckOptions) -> Iterator[str]:
    """What was mended by rule, what could not be, and what more could."""
    from scopecheck.report.text import counted, is_safely_fixable

    fixed = sum(repaired.fixed.values())
    verb = "would fix" if options.diff else "fixed"
    if fixed:
        size = counted(len(repaired.changes), "file")
        yield f"scopecheck: {verb} {counted(fixed, 'finding')} in {size}:"
        width = max(len(str(number)) for number in repaired.fixed.values())
        for (code, name), number in sorted(repaired.fixed.items()):
            yield f"  {number:>{width}}  {code}  {name}"
    else:
        yield f"scopecheck: {verb} nothing"
    for line in repaired.dropped:
        yield f"scopecheck: {line}"
    if not options.unsafe_fixes:
        more = sum(
            1 for finding in repaired.left if finding.fault.fixes and not is_safely_fixable(finding)
        )
        if more:
            yield f"scopecheck: --unsafe-fixes may mend {more} more"
