"""Carries out `config`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from scopecheck.commands.session import run_files, set_up
from scopecheck.config import ConfigError
from scopecheck.files import DiscoveryError
from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.commands.options import ConfigOptions


def run(arguments: Sequence[str], options: ConfigOptions) -> int:
    """`scopecheck config`; the exit status."""
    from scopecheck.config import settings_schema
    from scopecheck.report import settings as settings_report

    if options.schema:
        schema = msgspec.json.format(msgspec.json.encode(settings_schema())).decode()
        sys.stdout.write(schema + "\n")
        return 0
    setup = set_up(arguments, options)
    try:
        suites = run_files(setup, arguments)
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    document = settings_report.document(setup.loaded, setup.project, suites)
    if options.output_format == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    else:
        sys.stdout.write(settings_report.text(document))
    return 0
