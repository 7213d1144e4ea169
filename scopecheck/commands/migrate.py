"""Carries out `migrate`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scopecheck.commands.diffs import print_diff
from scopecheck.commands.session import say, set_up
from scopecheck.config import ConfigError
from scopecheck.files import DiscoveryError
from scopecheck.status import FOUND, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.commands.options import MigrateOptions


def run(what: str, arguments: Sequence[str], options: MigrateOptions) -> int:
    """`scopecheck migrate`; the exit status."""
    from scopecheck.fix import files
    from scopecheck.migrate import check_version
    from scopecheck.migrate import migrate as move
    from scopecheck.report import migration as report

    try:
        check_version(options.to)
    except ValueError as error:
        raise Refused(str(error)) from None
    setup = set_up(arguments, options)
    try:
        migration = move(setup.project, setup.paths, options.to)
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    say(setup.project, quiet=False)
    for name in migration.skipped:
        sys.stderr.write(f"scopecheck: the suite {name} does not use {what}\n")
    if options.diff:
        print_diff(migration.changes, setup.project.root, options.color)
        sys.stderr.write(report.text(migration))
    else:
        try:
            files.write(setup.project.root, migration.changes)
        except files.Refused as error:
            raise Refused(str(error)) from None
        sys.stdout.write(report.text(migration, written=True))
    undone = migration.changes if options.diff else ()
    return FOUND if undone or migration.left else 0
