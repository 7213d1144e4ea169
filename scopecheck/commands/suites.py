"""The suites and tests that the arguments of `plan`, `graph` and `events` stand for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scopecheck.commands.session import NO_TESTS, run_files, save, say, set_up
from scopecheck.config import ConfigError
from scopecheck.files import DiscoveryError
from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scopecheck.commands.options import PlanOptions
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Item


def asked_for(
    arguments: Sequence[str], options: PlanOptions
) -> tuple[list[Suite], list[tuple[Suite, Item]]]:
    """The suites that files, folders and node ids stand for, and their tests that are meant."""
    # A plan is the same for every parametrization of a test.
    arguments = [argument.partition("[")[0] for argument in arguments]
    names = [argument.partition("::")[0] for argument in arguments]
    wanted = [argument for argument in arguments if "::" in argument]
    setup = set_up(names, options)
    try:
        suites = [setup.project.link(files) for files in run_files(setup, names)]
    except (ConfigError, DiscoveryError) as error:
        raise Refused(str(error)) from None
    save(setup.project, quiet=False)
    say(setup.project, quiet=False)
    inner = [argument.partition("::")[2] for argument in arguments] or [""] * len(setup.paths)
    asked = list(zip(setup.paths, inner, strict=True))
    chosen = [
        (suite, item)
        for suite in suites
        for item in suite.items
        if _is_asked_for(suite, item, asked)
    ]
    if wanted and not chosen:
        raise Refused(f"no test that pytest collects is called {wanted[0]}")
    if not chosen:
        sys.stderr.write(NO_TESTS)
    return suites, chosen


def rootdir_of(suite: Suite) -> str:
    """The folder that the suite's node ids are relative to, as seen from the project's root."""
    return suite.relative(suite.files.config.rootdir) or "."


def _is_asked_for(suite: Suite, item: Item, asked: Sequence[tuple[Path, str]]) -> bool:
    """Whether one of the arguments, a path and what follows `::`, stands for the test."""
    if not asked or any(entry.whole for entry in suite.files.named):
        return True
    file = (suite.root / item.path).absolute()
    name = item.nodeid.partition("::")[2]
    return any(
        (file == path or path in file.parents)
        and (not inner or name == inner or name.startswith(f"{inner}::"))
        for path, inner in asked
    )
