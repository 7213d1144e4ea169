"""Turns a command line into a run, and its result into an exit status."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from scopecheck import __version__
from scopecheck.status import FAILED, INTERRUPTED, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem


class Commands(click.Group):
    """The commands; `check` is meant where the first argument names none."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:  # noqa: D102
        own = {"--help", "-h", "--version"}
        if ctx.resilient_parsing and not args:  # the shell completes the first word
            return super().parse_args(ctx, args)
        if not args or (args[0] not in self.commands and args[0] not in own):
            self._refuse_misspelling(args[0] if args else "")
            args = ["check", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The commands and what `check` takes, which is meant where none is named."""
        from click.shell_completion import CompletionItem

        own = super().shell_complete(ctx, incomplete)
        if not incomplete.startswith("-"):
            return [CompletionItem(incomplete, type="file"), *own]
        check = self.commands["check"]
        with check.make_context("check", [], parent=ctx, resilient_parsing=True) as inner:
            return [*own, *check.shell_complete(inner, incomplete)]

    def _refuse_misspelling(self, word: str) -> None:
        """A word that is no path may be meant as a command: it is not looked for as one."""
        if not word.isalpha() or Path(word).exists():
            return
        from difflib import get_close_matches

        near = get_close_matches(word, self.commands, n=1, cutoff=0.75)
        hint = f"did you mean `{near[0]}`?" if near else "`scopecheck --help` lists the commands"
        raise Refused(f"{word}: no such file, folder or command; {hint}")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`scopecheck PATH...` is short for `scopecheck check PATH...`.",
)
@click.version_option(__version__, message="scopecheck %(version)s")
def cli() -> None:
    """Links a pytest suite as pytest would, without importing it, and reports what breaks."""


def _selectors(_: click.Context, __: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.strip() for text in value for part in text.split(",") if part.strip())


def _complete_rule(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The rules whose code or name starts so; of a list with commas its last one."""
    from scopecheck import rulebook

    before, comma, last = incomplete.rpartition(",")
    known = [name for rule in rulebook.rules().values() for name in (rule.code, rule.name)]
    return [f"{before}{comma}{name}" for name in known if name.startswith(last)]


class Check(click.Command):
    """A command that remembers in what order its outputs were given, to pair them up."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:  # noqa: D102
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        rest = super().parse_args(ctx, args)
        names = [option.name for option in order if option.name in ("formats", "files")]
        values = {name: iter(ctx.params.pop(name)) for name in ("formats", "files")}
        ctx.params["outputs"] = tuple((name, str(next(values[name]))) for name in names if name)
        return rest


_FORMATS = (
    "full",
    "concise",
    "json",
    "json-lines",
    "sarif",
    "github",
    "gitlab",
    "junit",
    "rdjson",
)
_CONFIG_OPTIONS = [
    click.option("--config", type=click.Path(path_type=Path), help="Read this configuration file."),
    click.option("--isolated", is_flag=True, help="Read no configuration file."),
    click.option("--root", type=click.Path(path_type=Path), help="The project's root folder."),
    click.option(
        "--python",
        metavar="PATH",
        type=click.Path(readable=False),
        help="The Python, or its environment, whose installed plugins are read.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out the files that this matches, too; may be repeated.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=0),
        help="Read files with this many processes (default: one for each core).",
    ),
    click.option("--no-cache", is_flag=True, help="Neither use nor write the cache."),
    click.option("--cache-dir", type=click.Path(path_type=Path), help="Where the cache lies."),
]


def config_options(command: Any) -> Any:
    """The options that say which settings are in force."""
    for option in reversed(_CONFIG_OPTIONS):
        command = option(command)
    return command


# One that cannot be read is no wrong use: it is reported.
_PATHS = click.argument("paths", nargs=-1, type=click.Path(readable=False))
_COLOR = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Whether to print in colour (default: on a terminal).",
)
_OUTPUT_FILE = click.option(
    "--output-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file (default: standard output).",
)


def _rules_option(name: str, text: str) -> Any:
    return click.option(
        name,
        multiple=True,
        metavar="RULES",
        callback=_selectors,
        shell_complete=_complete_rule,
        help=text,
    )


_RULE_OPTIONS = [
    _rules_option(
        "--select", "Check these rules alone: codes, prefixes, names or ALL, with commas between."
    ),
    _rules_option("--ignore", "Leave these rules out."),
    _rules_option("--extend-select", "Check these rules, too."),
    _rules_option("--extend-ignore", "Leave these rules out, too."),
    click.option("--preview", is_flag=True, help="Check rules that are still in preview."),
]


def rule_options(command: Any) -> Any:
    """The options that say which rules are in force."""
    for option in reversed(_RULE_OPTIONS):
        command = option(command)
    return command


@cli.command(cls=Check, short_help="Print the findings of suites (the default).")
@_PATHS
@rule_options
@click.option(
    "--output-format",
    "formats",
    multiple=True,
    type=click.Choice(_FORMATS),
    help="How findings are written; may be repeated, in pairs with --output-file, the last one to "
    "be printed.",
)
@click.option(
    "--output-file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the format before it is written (default: standard output).",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Leave out the findings that this file knows.",
)
@click.option("--update-baseline", is_flag=True, help="Write what is found to the baseline.")
@click.option(
    "--since", metavar="REV", help="Only what the changes since this git revision touch or cause."
)
@click.option("--add-ignore", is_flag=True, help="Write suppressions for what is found.")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely.")
@click.option(
    "--unsafe-fixes",
    is_flag=True,
    help="With --fix or --diff: make fixes, too, that may change what the tests do.",
)
@click.option("--diff", is_flag=True, help="Print what --fix would change, and change nothing.")
@click.option(
    "--prefer",
    type=click.Choice(["narrow", "wide"]),
    help="Make fixtures narrower, or wider, where a fix may do either.",
)
@click.option(
    "--statistics", is_flag=True, help="Count findings by rule, in place of printing each."
)
@click.option("--exit-zero", is_flag=True, help="End with status 0 even if something is found.")
@click.option(
    "--stdin-filename",
    type=click.Path(path_type=Path),
    help="The file that `-`, standard input, is.",
)
@click.option("--watch", is_flag=True, help="Check again after each edit (extra `watch`).")
@click.option("--show-files", is_flag=True, help="List the files that would be read.")
@click.option("--quiet", "-q", is_flag=True, help="Print no notes on standard error.")
@click.option("--verbose", "-v", is_flag=True, help="Say what is read and why.")
@_COLOR
@config_options
def check(paths: tuple[str, ...], **options: Any) -> None:
    """Analyse the suites that PATHS belong to and print the findings that touch them.

    No path means the folder that you are in, and in the project's root every suite.
    """
    from scopecheck.commands.check import run
    from scopecheck.commands.options import CheckOptions

    options["prefer"] = options["prefer"] or ""
    sys.exit(run(paths, CheckOptions(**options)))


@cli.command(short_help="Print what pytest would set up for each test.")
@_PATHS
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text")
@_OUTPUT_FILE
@click.option("--cost", is_flag=True, help="Count the set-ups of every fixture instead.")
@click.option(
    "--if",
    "changes",
    multiple=True,
    metavar="FIXTURE=SCOPE",
    help="Say what another scope would cost instead, and what has to change with it.",
)
@config_options
def plan(paths: tuple[str, ...], **options: Any) -> None:
    """Print what pytest would set up for each test: fixtures in order, scopes, places, errors.

    PATHS may be files, folders or node ids.
    """
    from scopecheck.commands.options import PlanOptions
    from scopecheck.commands.plan import run

    sys.exit(run(paths, PlanOptions(**options)))


@cli.command(cls=Check, short_help="Write a validation report by area.")
@_PATHS
@rule_options
@click.option(
    "--output-format",
    "formats",
    multiple=True,
    type=click.Choice(["text", "markdown", "html", "json"]),
    help="How the report is written; may be repeated, in pairs with --output-file, the last one "
    "to be printed.",
)
@click.option(
    "--output-file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the format before it is written (default: standard output).",
)
@_COLOR
@config_options
def audit(paths: tuple[str, ...], **options: Any) -> None:
    """Write a validation report of the suites that PATHS belong to, by area, with evidence.

    Status 1 if an area failed.
    """
    from scopecheck.commands.audit import run
    from scopecheck.commands.options import AuditOptions

    sys.exit(run(paths, AuditOptions(**options)))


@cli.command(short_help="Draw the fixtures, and who requests what.")
@_PATHS
@click.option(
    "--output-format", type=click.Choice(["mermaid", "dot", "json", "html"]), default="mermaid"
)
@_OUTPUT_FILE
@config_options
def graph(paths: tuple[str, ...], **options: Any) -> None:
    """Draw the fixtures that tests reach, and who requests what: for all tests, or those of PATHS.

    PATHS may be files, folders or node ids.
    """
    from scopecheck.commands.graph import run
    from scopecheck.commands.options import PlanOptions

    sys.exit(run(paths, PlanOptions(**options)))


@cli.command(short_help="Print event contracts, captures and coverage.")
@_PATHS
@click.option("--output-format", type=click.Choice(["text", "markdown", "json"]), default="text")
@_OUTPUT_FILE
@config_options
def events(paths: tuple[str, ...], **options: Any) -> None:
    """Print the event contracts in force, what tests capture, and which test asserts which event.

    PATHS may be files, folders or node ids.
    """
    from scopecheck.commands.events import run
    from scopecheck.commands.options import PlanOptions

    sys.exit(run(paths, PlanOptions(**options)))


@cli.command(short_help="Explain a rule, or list them.")
@click.argument("rule", required=False, shell_complete=_complete_rule)
@click.option("--output-format", type=click.Choice(["text", "markdown", "json"]), default="text")
def rule(rule: str | None, output_format: str) -> None:
    """Explain a rule by code or name; list those of a prefix (SCP2), or all."""
    from scopecheck.commands.rule import run

    sys.exit(run(rule, output_format))


@cli.command(short_help="Print the settings in force, and why.")
@_PATHS
@click.option("--schema", is_flag=True, help="Print the JSON schema of the configuration.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text")
@config_options
def config(paths: tuple[str, ...], **options: Any) -> None:
    """Print the settings in force, and where each comes from."""
    from scopecheck.commands.config import run
    from scopecheck.commands.options import ConfigOptions

    sys.exit(run(paths, ConfigOptions(**options)))


@cli.command(short_help="Remove the cache.")
@config_options
def clean(**options: Any) -> None:
    """Remove the cache of the project that the current folder lies in."""
    from scopecheck.commands.clean import run
    from scopecheck.commands.options import Common

    sys.exit(run(Common(**options)))


@cli.command(short_help="Serve an editor (extra `server`).")
@rule_options
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Leave out what this file knows.",
)
# Clients name the transport, of which there is one.
@click.option("--stdio", is_flag=True, expose_value=False, hidden=True)
@config_options
def server(**options: Any) -> None:
    """Serve an editor by the language server protocol, on standard input and output."""
    from scopecheck.commands.options import CheckOptions
    from scopecheck.server import run

    run(CheckOptions(**options))


@cli.command(short_help="Move suites to pytest-asyncio 1.x.")
@click.argument("what", type=click.Choice(["pytest-asyncio"]), metavar="pytest-asyncio")
@_PATHS
@click.option("--to", metavar="VERSION", default="", help="The version to move to, 1.0 or later.")
@click.option("--diff/--write", "diff", default=True, help="Print a diff, or change the files.")
@_COLOR
@config_options
def migrate(what: str, paths: tuple[str, ...], **options: Any) -> None:
    """Move suites from pytest-asyncio 0.21 or 0.23 to 1.x: code, marks, configuration and pins.

    The diff is for `git apply`. What has to be done by hand is listed with its places.
    """
    from scopecheck.commands.migrate import run
    from scopecheck.commands.options import MigrateOptions

    sys.exit(run(what, paths, MigrateOptions(**options)))


def main() -> NoReturn:
    """The program."""
    # Everything is written when it has run. The interpreter would go on to free what it made, one
    # object after the other, which takes half a second where a million lines were linked.
    os._exit(run())


def run() -> int:
    """Run the command that the arguments name; its exit status.

    Errors in its use end with a message and status 2, never a traceback.
    """
    # One run keeps what it makes until it ends: collections would walk it all and free nothing.
    gc.disable()
    # One that the caller has closed: what is written there is read by nobody.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            cli.main(standalone_mode=False)
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 0
        sys.stdout.flush()
        sys.stderr.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`): nothing is wrong with the analysis.
        return 0
    except Exception as error:
        if os.environ.get("SCOPECHECK_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            click.echo(f"scopecheck: the output cannot be written: {error.strerror}", err=True)
            return FAILED
        click.echo(
            f"scopecheck: internal error: {type(error).__name__}: {error}\n"
            "This is a bug in scopecheck. Set SCOPECHECK_TRACEBACK=1 to see where, and report it.",
            err=True,
        )
        return FAILED
    return status
