"""Carries out `rule`."""

from __future__ import annotations

import os
import sys
from typing import Any

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
    elif output_format == "text" and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(rules[0].text))
    else:
        sys.stdout.write(rules[0].text)
    return 0


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
