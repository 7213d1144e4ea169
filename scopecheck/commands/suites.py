"""The suites and tests that the arguments of `plan`, `graph` and `events` stand for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

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
    root = setup.project.root
    chosen = [
        (suite, item)
        for suite in suites
        for item in suite.items
        if _is_named(item.path, item.nodeid, setup.paths, names, wanted, root, suite.files.named)
    ]
    if wanted and not chosen:
        raise Refused(f"no test that pytest collects is called {wanted[0]}")
    if not chosen:
        sys.stderr.write(NO_TESTS)
    return suites, chosen


def rootdir_of(suite: Suite) -> str:
    """The folder that the suite's node ids are relative to, as seen from the project's root."""
    return suite.relative(suite.files.config.rootdir) or "."


def _is_named(
    path: str,
    nodeid: str,
    paths: Sequence[Path],
    names: Sequence[str],
    wanted: Sequence[str],
    root: Path,
    named: Sequence[Any],
) -> bool:
    if not paths or any(entry.whole for entry in named):
        return True
    file = (root / path).absolute()
    for found, name in zip(paths, names, strict=True):
        if not (file == found or found in file.parents):
            continue
        inner = [w.partition("::")[2] for w in wanted if w.partition("::")[0] == name]
        rest = nodeid.partition("::")[2]
        if not inner or any(rest == i or rest.startswith(f"{i}::") for i in inner):
            return True
    return False
