"""Carries out `check --watch`: the same check again after each edit, until Ctrl-C.

Each round is a run like any other and rests on what the ones before have kept in the cache, so that
an edit costs what it costs anywhere (see docs/cache.md).
"""

from __future__ import annotations

import gc
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from scopecheck.commands.session import set_up
from scopecheck.disk import PASSING
from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scopecheck.commands.options import CheckOptions

# Names that decide what is found: code, and where settings, plugins and pins are read from.
ENDS = (".py", ".toml", ".ini", ".cfg", ".lock", ".txt", ".in", ".yml", ".yaml")
# So long nothing more may change before a round begins, and so long at most it is waited for.
_QUIET_MS, _PATIENCE_MS = 50, 1_000


def watch(arguments: Sequence[str], options: CheckOptions, check: Callable[[], int]) -> int:
    """Check now and after each edit; never comes back but by an exception.

    Raises:
        Refused: an option does not go with it, or the extra is not installed.
        KeyboardInterrupt: the user has seen enough.
    """
    for given, name in (
        (options.fix, "--fix"),
        (options.diff, "--diff"),
        (options.add_ignore, "--add-ignore"),
        (options.update_baseline, "--update-baseline"),
        (options.show_files, "--show-files"),
        (options.stdin_filename is not None or "-" in arguments, "standard input"),
    ):
        if given:
            raise Refused(f"--watch does not go with {name}")
    try:
        # A type checker need not have the extra.
        watchfiles = import_module("watchfiles")
    except ImportError:
        raise Refused(
            "--watch needs watchfiles: install `scopecheck[watch]` (or watchfiles itself)"
        ) from None
    root = set_up(arguments, options).project.root
    changes = watchfiles.watch(
        root,
        watch_filter=lambda _, path: _matters(os.path.relpath(path, root)),
        step=_QUIET_MS,
        debounce=_PATIENCE_MS,
        raise_interrupt=True,
        yield_on_timeout=True,
        rust_timeout=200,
    )
    # What changes during the first round must not be missed: the first answer of the watcher, that
    # nothing has changed so far, shows that it watches.
    try:
        next(changes)
    except OSError as error:
        raise Refused(f"{root} cannot be watched: {error.strerror or error}") from None
    _round(check, options, ())
    for changed in changes:
        if changed:
            names = sorted({os.path.relpath(path, root) for _, path in changed})
            _round(check, options, names)
    raise KeyboardInterrupt


def _matters(path: str) -> bool:
    """Whether a change of a file below the root may change what is found."""
    *folders, name = Path(path).parts
    if not PASSING.isdisjoint(folders) or ".git" in folders:
        return False
    return name.endswith(ENDS)


def _round(check: Callable[[], int], options: CheckOptions, names: Sequence[str]) -> None:
    """One check, with what led to it and when it was done; what is wrong with the use is told."""
    if names and not options.quiet:
        sys.stderr.write(f"\nscopecheck: {_listed(names)} changed\n")
    try:
        check()
    except Refused as error:
        error.show()
    if not options.quiet:
        clock = time.strftime("%H:%M:%S")
        sys.stderr.write(f"scopecheck: done at {clock}; waiting for changes, Ctrl-C ends\n")
    sys.stdout.flush()
    sys.stderr.flush()
    # The program makes no collections while it runs, since one run needs none.
    gc.collect()


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    return found[0] if len(found) == 1 else f"{found[0]} and {len(found) - 1} more"
