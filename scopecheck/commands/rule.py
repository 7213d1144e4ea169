"""Carries out `rule`."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import click
import msgspec

from scopecheck.status import Refused


def run(selector: str | None, output_format: str) -> int:
    """`scopecheck rule`; the exit status."""
    from scopecheck import rulebook

    if selector is None:
        rules = list(rulebook.rules().values())
    else:
        try:
            rules = [rulebook.find(selector)]
        except rulebook.UnknownRuleError as error:
            raise Refused(str(error)) from None
    if output_format == "json":
        documents = [_rule_document(found) for found in rules]
        document: Any = documents if selector is None else documents[0]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    elif selector is None and output_format == "markdown":
        sys.stdout.write("| code | rule | finds | default |\n| --- | --- | --- | --- |\n")
        for found in rules:
            page = f"[{found.name}](rules/{found.name}.md)"
            sys.stdout.write(f"| {found.code} | {page} | {found.summary} | {found.default} |\n")
    elif selector is None:
        width = max(len(found.name) for found in rules)
        for found in rules:
            sys.stdout.write(
                f"{found.code}  {found.name:<{width}}  {found.default:<7}  {found.summary}\n"
            )
    elif output_format == "text" and sys.stdout.isatty():
        _show(rules[0].text)
    else:
        sys.stdout.write(rules[0].text)
    return 0


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


def _rule_document(rule: Any) -> dict[str, Any]:
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
