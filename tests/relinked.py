"""Runs over small suites, with and without a cache, before and after an edit of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from scopecheck.cache import Cache
from scopecheck.config import Settings
from scopecheck.project import Project
from scopecheck.run import analyse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLUGINS = {"pytest": "9.0.0", "pytest-asyncio": "1.3.0", "anyio": "4.9.0"}


def found(root: Path, *, cached: bool = True, rules: tuple[str, ...] | None = None) -> list[Any]:
    settings = Settings(select=rules, plugins=PLUGINS)
    cache = Cache(root / ".scopecheck_cache", root) if cached else None
    project = Project(root, settings, 1, cache)
    analysis = analyse([], root=root, settings=settings, project=project)
    if cache is not None:
        assert cache.save() == ""
    summary = msgspec.structs.replace(analysis.summary, elapsed_s=0.0)
    return [*analysis.findings, summary, analysis.suppressed]


def edited(before: str, after: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert before in text
        return text.replace(before, after, 1)

    return edit
