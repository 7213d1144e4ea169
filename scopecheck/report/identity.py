"""Turns findings into fingerprints: the same for the same fault after its code has moved.

Two faults are the same to a server (GitLab, a SARIF store) if their fingerprints are. A line is no
part of one: lines move. Nor is a number in a message, such as how many tests are affected.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scopecheck.finding import Finding

_NUMBER = re.compile(r"\d+")


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """One for each finding, all different: of rule, path, symbol and words."""
    seen: Counter[tuple[str, ...]] = Counter()
    made = []
    for finding in findings:
        fault = finding.fault
        words = _NUMBER.sub("", fault.message)
        key = (finding.name, fault.place.path, fault.symbol, words)
        text = "\0".join((*key, str(seen[key])))
        seen[key] += 1
        made.append(hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest())
    return made
