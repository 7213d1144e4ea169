"""Holds what a page says of its rule's fixes against what a repair does to its examples."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from scopecheck import rulebook, testing
from scopecheck.fix.diff import unified
from scopecheck.project import Project
from scopecheck.testing import HINT, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scopecheck.finding import Applicability
    from scopecheck.fix.diff import Change
    from scopecheck.repair.rounds import Repaired
    from scopecheck.rulebook import Example


def has_fix(example: Example, page: Path) -> bool:
    """Whether a section is to be repaired: its rule has fixes, and fires in it."""
    if example.diffs:
        return True
    rule = rulebook.rules().get(page.stem)
    return rule is not None and rule.fix != "none" and example.fires


def repaired(example: Example, folder: Path) -> Repaired:
    """What a repair of an example changes; nothing is written."""
    from scopecheck.run import repair

    settings = testing.settings_of(example)
    return repair([folder], project=Project(folder, settings), settings=settings, unsafe=True)


def diff_of(changes: Iterable[Change]) -> str:
    """Changes as a page shows them: without what only `git` needs, and no line ends in a blank."""
    lines = unified(changes).decode().split("\n")
    return "\n".join(line.rstrip() for line in lines if not line.startswith("diff --git "))


def problems(example: Example, folder: Path, scratch: Path) -> list[Problem]:
    """How what a repair does to an example differs from what the page says.

    folder: holds the example. scratch: where it may be repaired; must not exist.
    """
    page = f"{example.rule}.md"
    first = repaired(example, folder)
    found = []
    shown = "".join(example.diffs)
    made = diff_of(first.changes)
    if shown and made != shown:
        found.append(Problem(page, example.diff_line, f"the fix is another one; {HINT}\n{made}"))
    shutil.copytree(folder, scratch)
    for change in first.changes:
        (scratch / change.path).write_bytes(change.after)
    second = repaired(example, scratch)
    if second.changes:
        again = diff_of(second.changes)
        found.append(Problem(page, example.line, f"the fix is not stable:\n{again}"))
    left = {(finding.fault.place.path, finding.fault.message) for finding in second.asked}
    kept = {(finding.fault.place.path, finding.fault.message) for finding in first.left}
    if left != kept:
        found.append(Problem(page, example.line, f"after the fix is found {sorted(left ^ kept)}"))
    return found


def proof_problems(example: Example, folder: Path, scratch: Path) -> list[Problem]:
    """Whether pytest does what the page says once all of an example's findings are mended.

    Raises:
        oracle.Unavailable: no interpreter here has the versions that the section asks for.
    """
    mended = repaired(example, folder)
    if mended.left or not mended.changes:
        return []
    shutil.copytree(folder, scratch, dirs_exist_ok=True)
    for change in mended.changes:
        (scratch / change.path).write_bytes(change.after)
    said = example.fixed
    outcome = testing.run_pytest(example, scratch, said or example.proof)
    if said is None and outcome.is_clean:
        return []
    if said is not None and outcome.agrees(said.outcome):
        return [
            Problem(f"{example.rule}.md", said.line, f"pytest does not say {words!r}")
            for words in said.words
            if words not in outcome.output
        ]
    message = f"pytest is not content after the fix: {outcome.summary}\n{outcome.output}"
    return [Problem(f"{example.rule}.md", example.diff_line or example.line, message)]


def page_problems(page: Path, offered: Iterable[Applicability]) -> list[Problem]:
    """Whether the head of a page agrees with what is offered for its sections.

    offered: the kind of every fix that the page's own sections are offered.
    """
    rule = rulebook.read_rule(page)
    kinds = set(offered)
    boldest = "unsafe" if "unsafe" in kinds else "safe" if kinds else "none"
    found = []
    if rule.fix != boldest:
        found.append(Problem(page.name, 1, f'it says fix = "{rule.fix}", and shows "{boldest}"'))
    if kinds and not any(example.diffs for example in rulebook.read_examples(page)):
        found.append(Problem(page.name, 1, f"no section shows the fix; {HINT}"))
    return found


def offered(example: Example, folder: Path) -> set[Applicability]:
    """The kinds of the fixes that an example's findings are offered."""
    from scopecheck.run import analyse

    settings = testing.settings_of(example)
    analysis = analyse([folder], root=folder, settings=settings, edits=True)
    return {fix.applicability for one in analysis.findings for fix in one.fault.fixes}


def bless(page: Path, example: Example, folder: Path) -> bool:
    """Makes the section's `diff` block say what a repair does; whether the page changed.

    A section without one gets one only if no section of the page has any.
    """
    shown = "".join(example.diffs)
    made = diff_of(repaired(example, folder).changes)
    others: Any = any(other.diffs for other in rulebook.read_examples(page))
    if made == shown or (not shown and others) or not made:
        return False
    # Sections above may have grown since the example was read.
    example = next(now for now in rulebook.read_examples(page) if now.title == example.title)
    lines = page.read_text(encoding="utf-8").split("\n")
    block = made.removesuffix("\n").split("\n")
    if example.diffs:
        start = example.diff_line - 1
        lines[start : start + example.diffs[0].count("\n")] = block
    else:
        end = lines.index("```", _last_line(example))
        lines[end + 1 : end + 1] = ["", "```diff", *block, "```"]
    page.write_text("\n".join(lines), encoding="utf-8")
    return True


def _last_line(example: Example) -> int:
    """A line of the last block of a section."""
    runs = [example.proof, *example.further_runs]
    ends = [file.line + file.text.count("\n") - 1 for file in example.files]
    return max([*ends, *(run.line for run in runs if run is not None)])
