"""Turns each finding into one line of JSON, for programs that read as they go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO

from scopecheck.report.json import finding_data

if TYPE_CHECKING:
    from scopecheck.analysis import Analysis


def write(analysis: Analysis, stream: TextIO, *, color: bool) -> None:  # noqa: ARG001
    """The findings of the `json` format, one a line, and nothing else."""
    for finding in analysis.findings:
        stream.write(f"{json.dumps(finding_data(finding))}\n")
