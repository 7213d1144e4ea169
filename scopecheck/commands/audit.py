"""Carries out `audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.commands.session import open_output, save, say, say_notes, set_up, with_rules
from scopecheck.config import ConfigError
from scopecheck.files import DiscoveryError
from scopecheck.status import FOUND, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.commands.options import AuditOptions


def run(arguments: Sequence[str], options: AuditOptions) -> int:
    """`scopecheck audit`; the exit status."""
    from scopecheck import rulebook
    from scopecheck.audit import audit as validate
    from scopecheck.report.audit import writer
    from scopecheck.report.outputs import OutputError, pair, wants_color
    from scopecheck.run import analyse

    try:
        outputs = pair(options.outputs, "text")
    except OutputError as error:
        raise Refused(str(error)) from None
    setup = set_up(arguments, options)
    project = setup.project
    try:
        analysis = analyse(
            setup.paths,
            root=project.root,
            settings=with_rules(setup.loaded.settings, options),
            project=project,
            whole=True,
        )
    except (ConfigError, DiscoveryError, rulebook.UnknownRuleError) as error:
        raise Refused(str(error)) from None
    save(project, quiet=False)
    say(project, quiet=False)
    say_notes(analysis)
    found = validate(analysis)
    for output in outputs:
        with open_output(output.file) as stream:
            color = output.file is None and wants_color(options.color, stream)
            writer(output.format)(found, analysis, stream, color=color)
    return FOUND if found.count("failed") else 0
