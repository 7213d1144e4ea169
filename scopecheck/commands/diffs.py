"""Prints changes as a diff that `git apply` takes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scopecheck.fix.diff import Change


def print_diff(changes: Sequence[Change], root: Path, color: str) -> None:
    """Print changes below a root as a diff, byte for byte."""
    from scopecheck.report.diffs import diff
    from scopecheck.report.outputs import wants_color

    text = diff(changes, _place_in_repository(root), color=wants_color(color, sys.stdout))
    sys.stdout.flush()
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _place_in_repository(root: Path) -> str:
    """What stands before a path below the root in the diffs of its repository, with a `/`."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            place = os.path.relpath(root, folder).replace(os.sep, "/")
            return "" if place == "." else f"{place}/"
    return ""
