"""How a command ends: its exit status, and a refusal in words for users."""

from __future__ import annotations

from typing import Any

import click

FOUND, FAILED, INTERRUPTED = 1, 2, 130


class Refused(click.ClickException):
    """Wrong use or wrong configuration: a message and status 2."""

    exit_code = FAILED

    def show(self, file: Any = None) -> None:  # noqa: ARG002, D102
        click.echo(f"scopecheck: {self.message}", err=True)
