"""Carries out `clean`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from scopecheck.commands.session import cache_folder, set_up
from scopecheck.status import Refused

if TYPE_CHECKING:
    from scopecheck.commands.options import Common


def run(options: Common) -> int:
    """`scopecheck clean`; the exit status."""
    from scopecheck.cache import CacheFolder

    loaded = set_up((), options).loaded
    folder = CacheFolder(cache_folder(loaded, options), loaded.root)
    try:
        removed = folder.clean()
    except ValueError as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"{folder.path} cannot be removed: {error.strerror or error}") from None
    shown = os.path.relpath(folder.path)
    sys.stdout.write(f"removed {shown}\n" if removed else f"{shown}: there is no cache\n")
    return 0
