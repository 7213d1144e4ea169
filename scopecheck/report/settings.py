"""Turns the settings in force into the text and the document of `scopecheck config`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from scopecheck.report.text import counted
from scopecheck.source import relative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scopecheck.config import LoadedSettings
    from scopecheck.files import SuiteFiles
    from scopecheck.plugins import PluginSet, Resolved
    from scopecheck.project import Project


def document(
    loaded: LoadedSettings, project: Project, suites: Sequence[SuiteFiles]
) -> dict[str, Any]:
    """Everything that `scopecheck config` says, for programs."""
    values = msgspec.to_builtins(loaded.settings)
    return {
        "version": 1,
        "root": str(loaded.root),
        "file": None if loaded.file is None else relative(project.root, loaded.file),
        "settings": {
            key: {"value": value, "origin": loaded.origins.get(key, "default")}
            for key, value in values.items()
        },
        "suites": [describe(project, files) for files in suites],
    }


def describe(project: Project, files: SuiteFiles) -> dict[str, Any]:
    """One suite: its configuration and why it is in force, its plugins and what is not known."""
    config = files.config
    plugins = project.plugins(files)
    inifile = None if config.inifile is None else relative(project.root, config.inifile)
    return {
        "suite": files.name,
        "rootdir": relative(project.root, config.rootdir),
        "inifile": inifile,
        "why": _why(project.root, files, inifile),
        "arguments": list(config.args),
        "test_files": len(files.test_files),
        "conftests": len(files.conftests),
        "pytest": {"version": plugins.pytest.version, "origin": _origin(plugins.pytest)},
        "environment": None if plugins.environment is None else str(plugins.environment.path),
        "plugins": _plugins(plugins),
        "unknown_plugins": list(plugins.unknown_sources),
        "not_in_force": [
            {
                "path": relative(project.root, shadowed.path),
                "line": shadowed.line,
                "header": shadowed.header,
                "why": shadowed.why,
            }
            for shadowed in config.ignored
        ],
        "errors": [fault.message for fault in config.errors],
    }


def _why(root: Path, files: SuiteFiles, inifile: str | None) -> str:
    config = files.config
    folder = relative(root, config.invocation_dir)
    if inifile is None:
        return (
            f"no file from the arguments' common ancestor (seen from {folder}) upwards configures "
            "pytest"
        )
    header = f"has {config.header}" if config.header else "is pytest's own file"
    return f"it {header}, and is the first such file from {folder} upwards"


def _plugins(plugins: PluginSet) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for plugin in (*plugins.plugins, *plugins.late):
        if plugin.dist == "pytest":
            continue
        version = plugins.version(plugin.dist)
        if any(entry["distribution"] == (plugin.dist or plugin.name) for entry in found):
            continue
        found.append(
            {
                "name": plugin.name,
                "distribution": plugin.dist or plugin.name,
                "version": version.version if version is not None else "",
                "origin": _origin(version) if version is not None else plugin.origin,
            }
        )
    return found


def _origin(version: Resolved) -> str:
    """Where a version comes from; where a range is all that is stated, how it was chosen."""
    if version.certainty == "exact" or not version.version or version.origin == "assumed newest":
        return version.origin
    return f"the newest that {version.origin} allows"


def text(found: dict[str, Any]) -> str:
    """What `scopecheck config` prints for people; settings that are not the default come first."""
    lines = [f"root: {found['root']}", f"configuration: {found['file'] or 'none found'}", ""]
    settings = found["settings"]
    changed = {key: entry for key, entry in settings.items() if entry["origin"] != "default"}
    for title, entries in (
        ("settings", changed),
        ("defaults", {key: entry for key, entry in settings.items() if key not in changed}),
    ):
        if not entries:
            continue
        lines.append(f"{title}:")
        width = max(len(key) for key in entries)
        for key, entry in entries.items():
            value = msgspec.json.encode(entry["value"]).decode()
            origin = f"  ({entry['origin']})" if key in changed else ""
            lines.append(f"  {key:<{width}}  {value}{origin}")
        lines.append("")
    for suite in found["suites"]:
        lines.extend(suite_lines(suite))
    return "\n".join(lines)


def suite_lines(suite: dict[str, Any]) -> list[str]:
    """The same for people."""
    lines = [
        f"suite {suite['suite'] or suite['rootdir']}: {counted(suite['test_files'], 'test file')}, "
        f"{counted(suite['conftests'], 'conftest')}",
        f"  pytest's rootdir       {suite['rootdir']}",
        f"  pytest's configuration {suite['inifile'] or 'none'}: {suite['why']}",
        f"  arguments              {' '.join(suite['arguments']) or '.'}",
        f"  pytest                 {suite['pytest']['version']} ({suite['pytest']['origin']})",
        f"  environment            {suite['environment'] or 'none found'}",
    ]
    for plugin in suite["plugins"]:
        version = plugin["version"] or "version unknown"
        lines.append(
            f"  plugin                 {plugin['distribution']} {version} ({plugin['origin']})"
        )
    lines.extend(
        f"  plugin                 {name}: its fixtures are not known"
        for name in suite["unknown_plugins"]
    )
    lines.extend(
        f"  not in force           {entry['path']}:{entry['line']} {entry['header']}: "
        f"{entry['why']}"
        for entry in suite["not_in_force"]
    )
    lines.extend(f"  pytest would stop      {message}" for message in suite["errors"])
    lines.append("")
    return lines
