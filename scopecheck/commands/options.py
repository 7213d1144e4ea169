"""The options of every command, as the command line gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from scopecheck.repair.bench import Preference


class Common(msgspec.Struct, frozen=True):
    """The options that say which settings are in force."""

    config: Path | None = None
    isolated: bool = False
    root: Path | None = None
    python: str | None = None
    exclude: tuple[str, ...] = ()
    jobs: int | None = None
    no_cache: bool = False
    cache_dir: Path | None = None


class RuleOptions(Common, frozen=True):
    """The options that say which rules are in force."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    extend_ignore: tuple[str, ...] = ()
    preview: bool = False


class CheckOptions(RuleOptions, frozen=True):
    """The options of `check`."""

    outputs: tuple[tuple[str, str], ...] = ()
    baseline: Path | None = None
    update_baseline: bool = False
    since: str | None = None
    add_ignore: bool = False
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    prefer: Preference = ""
    statistics: bool = False
    exit_zero: bool = False
    stdin_filename: Path | None = None
    watch: bool = False
    show_files: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"


class AuditOptions(RuleOptions, frozen=True):
    """The options of `audit`."""

    outputs: tuple[tuple[str, str], ...] = ()
    color: str = "auto"


class PlanOptions(Common, frozen=True):
    """The options of `plan`."""

    output_format: str = "text"
    output_file: Path | None = None
    cost: bool = False
    changes: tuple[str, ...] = ()


class ConfigOptions(Common, frozen=True):
    """The options of `config`."""

    schema: bool = False
    output_format: str = "text"


class MigrateOptions(Common, frozen=True):
    """The options of `migrate`. diff: the files stay as they are."""

    to: str = ""
    diff: bool = True
    color: str = "auto"
