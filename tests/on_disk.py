"""Projects on disk: writes their files, and runs scopecheck on them as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# What the surroundings of the tests say, and the program would listen to.
_HIDDEN = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "FORCE_COLOR", "VIRTUAL_ENV")


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The folder, with these files in it; text as UTF-8, line ends as they are."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def scopecheck(
    *arguments: str,
    cwd: Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """What the program prints in a folder, and its exit status; names that are no text survive."""
    inherited = {key: value for key, value in os.environ.items() if key not in _HIDDEN}
    return subprocess.run(
        [sys.executable, "-m", "scopecheck", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        check=False,
        env={**inherited, **(env or {})},
    )
