"""Carries out `rule`."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec

from scopecheck.status import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.rulebook import Rule


def run(selector: str | None, output_format: str) -> int:
    """`scopecheck rule`; the exit status."""
    rules = _meant(selector)
    page = rules[0] if selector is not None and len(rules) == 1 else None
    if output_format == "json":
        documents = [_rule_document(rule) for rule in rules]
        text = msgspec.json.encode(documents if page is None else documents[0])
        sys.stdout.write(msgspec.json.format(text).decode() + "\n")
    elif page is None:
        sys.stdout.writelines((_markdown if output_format == "markdown" else _table)(rules))
    elif output_format == "text" and sys.stdout.isatty():
        _show(page.text)
    else:
        sys.stdout.write(page.text)
    return 0


def _meant(selector: str | None) -> list[Rule]:
    """The rule of a code or name, those of a prefix, or all."""
    from scopecheck import rulebook

    try:
        names = rulebook.expand(["ALL" if selector is None else selector])
    except rulebook.UnknownRuleError as error:
        raise Refused(str(error)) from None
    return [rule for rule in rulebook.rules().values() if rule.name in names]


def _markdown(rules: Sequence[Rule]) -> Iterator[str]:
    yield "| code | rule | finds | default |\n| --- | --- | --- | --- |\n"
    for rule in rules:
        page = f"[{rule.name}](rules/{rule.name}.md)"
        yield f"| {rule.code} | {page} | {rule.summary} | {rule.default} |\n"


def _table(rules: Sequence[Rule]) -> Iterator[str]:
    width = max(len(rule.name) for rule in rules)
    for rule in rules:
        yield f"{rule.code}  {rule.name:<{width}}  {rule.default:<7}  {rule.summary}\n"


def _show(page: str) -> None:
    """A page on a terminal: laid out where colours are wanted, through a pager where it is long.

    `PAGER` names another pager; `cat`, or nothing, is none.
    """
    if not os.environ.get("NO_COLOR"):
        from rich.console import Console
        from rich.markdown import Markdown

        console = Console()
        with console.capture() as captured:
            console.print(Markdown(page))
        page = captured.get()
    fits = page.count("\n") < shutil.get_terminal_size().lines
    if fits or os.environ.get("PAGER", "less").strip() in ("", "cat"):
        sys.stdout.write(page)
    else:
        click.echo_via_pager(page.removesuffix("\n"), color=True)


def _rule_document(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "summary": rule.summary,
        "default": rule.default,
        "certainty": rule.certainty,
        "severity": rule.severity,
        "fix": rule.fix,
        "since": rule.since,
        "documentation": rule.text,
    }
