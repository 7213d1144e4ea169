"""Turns what is installed, locked and pinned into the plugins and fixtures a suite gets.

`find_environment` reads what is installed, `stated_versions` what files say, and
`plugins_in_force` puts both together with the bundled table, in pytest's order of registration.
"""

from __future__ import annotations

from scopecheck.plugins.environment import (
    EntryPoint,
    Environment,
    find_environment,
    find_in,
    find_module,
    normalise,
)
from scopecheck.plugins.loading import (
    Knowledge,
    LoadedPlugin,
    PluginSet,
    named_plugins,
    plugins_in_force,
)
from scopecheck.plugins.requirements import Statement
from scopecheck.plugins.resolved import Resolved, resolve_version
from scopecheck.plugins.runners import RUN_NOTHING, RUNNERS, Said, said_of_async
from scopecheck.plugins.stated import FolderCache, Stated, stated_versions
from scopecheck.plugins.table import PluginFixture, bundled_fixtures, bundled_plugins, ships

__all__ = [
    "RUNNERS",
    "RUN_NOTHING",
    "EntryPoint",
    "Environment",
    "FolderCache",
    "Knowledge",
    "LoadedPlugin",
    "PluginFixture",
    "PluginSet",
    "Resolved",
    "Said",
    "Stated",
    "Statement",
    "bundled_fixtures",
    "bundled_plugins",
    "find_environment",
    "find_in",
    "find_module",
    "named_plugins",
    "normalise",
    "plugins_in_force",
    "resolve_version",
    "said_of_async",
    "ships",
    "stated_versions",
]
