"""Runs the examples of rule pages, and holds what scopecheck finds against what pytest does.

    missed alarm   a line marked `# error` at which the page's rule reported nothing
    false alarm    a finding of the page's rule on a line without a mark
    proof          what a `pytest` block says, compared with a run of pytest on the example
    mutation       what the example's tests do when the code that they test is made wrong
    fix            what a `diff` block says, compared with what a repair changes (`fixes`)

`python -m scopecheck.testing` runs them from the command line and starts new pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scopecheck import rulebook
from scopecheck.testing import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scopecheck.config import Settings
    from scopecheck.finding import Finding
    from scopecheck.rulebook import Example, Expected, Proof

HINT = "bless it with `python -m scopecheck.testing run --bless`"


class Problem(NamedTuple):
    """Something in a page that is not as it says; `str()` of it begins with where."""

    page: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.message}"


def page_problems(page: Path) -> list[Problem]:
    """What a page as a whole lacks: it must show its rule firing, and keeping quiet."""
    examples = rulebook.read_examples(page)
    problems = []
    if not any(example.fires for example in examples):
        problems.append(Problem(page.name, 1, "no section shows the rule firing"))
    if all(example.fires for example in examples):
        problems.append(Problem(page.name, 1, "no section shows the rule keeping quiet"))
    return problems


def write_example(example: Example, folder: Path) -> None:
    """Lays the example out as a project."""
    for file in example.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8", newline="")


def example_problems(example: Example, folder: Path) -> list[Problem]:
    """How what the page's rule finds differs from what the page says it does."""
    return list(_differences(example, _findings(example, folder)))


def proof_problems(example: Example, folder: Path) -> list[Problem]:
    """How what pytest does with the example differs from what the page says it does.

    Raises:
        oracle.Unavailable: no interpreter here has the versions that the section asks for.
    """
    page = f"{example.rule}.md"
    proof = example.proof
    if proof is None:
        if example.fires:
            return [Problem(page, example.line, f"a proved rule needs a `pytest` block; {HINT}")]
        outcome = run_pytest(example, folder, None)
        if outcome.is_clean:
            return []
        message = f"pytest is not content with this section: {outcome.summary}\n{outcome.output}"
        return [Problem(page, example.line, message)]
    problems = []
    for run in (proof, *example.further_runs):
        outcome = run_pytest(example, folder, run)
        if not outcome.agrees(run.outcome):
            message = f"pytest says {outcome.summary!r}, not {run.outcome!r}; {HINT}"
            problems.append(Problem(page, run.line, f"{message}\n{outcome.output}"))
        for words in run.words:
            if words not in outcome.output:
                message = f"pytest does not say {words!r}\n{outcome.output}"
                problems.append(Problem(page, run.line, message))
    return problems


def mutation_problems(example: Example, folder: Path) -> list[Problem]:
    """How what the tests do before and after a mutation differs from what the page says.

    A test in which the page's rule reports something must be among those that pass all the same.

    Raises:
        oracle.Unavailable: no interpreter here has the versions that the section asks for.
    """
    mutation = example.mutation
    assert mutation is not None
    page = f"{example.rule}.md"
    problems = []
    flagged = {
        nodeid.rpartition("::")[2]
        for finding in _findings(example, folder)
        for nodeid in finding.fault.tests
    }
    for name in sorted(flagged - set(mutation.passed)):
        message = f"`{name}` is reported: it must be among the tests that pass all the same"
        problems.append(Problem(page, mutation.line, message))
    versions = dict(example.settings.get("plugins", {}))
    named = {*mutation.passed, *mutation.failed}
    before = oracle.run(folder, ("-v",), versions)
    for name in sorted(named - before.passed):
        message = f"`{name}` does not pass before the mutation\n{before.output}"
        problems.append(Problem(page, mutation.line, message))
    path = folder / mutation.path
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8", newline="")
    after = oracle.run(folder, ("-v",), versions)
    for name in sorted(set(mutation.passed) - after.passed):
        message = f"`{name}` does not pass after the mutation\n{after.output}"
        problems.append(Problem(page, mutation.line, message))
    for name in sorted(set(mutation.failed) & after.passed):
        message = f"`{name}` passes after the mutation\n{after.output}"
        problems.append(Problem(page, mutation.line, message))
    return problems


def needs_proof(example: Example, page: Path) -> bool:
    """Whether pytest has to be asked: it has a `pytest` block, or its page says `proved`."""
    if example.proof:
        return True
    if page.parent != rulebook.pages_folder():
        return False
    rule = rulebook.read_rule(page)
    return rule.certainty == "proved" and not rule.is_engine


def bless(page: Path, example: Example, folder: Path) -> bool:
    """Makes the section's `pytest` block say what pytest does; whether the page changed.

    Raises:
        oracle.Unavailable: no interpreter here has the versions that the section asks for.
    """
    proof = example.proof
    outcome = run_pytest(example, folder, proof)
    if outcome.agrees(proof.outcome) if proof else not example.fires:
        return False
    # Sections above may have grown since the example was read.
    example = next(now for now in rulebook.read_examples(page) if now.title == example.title)
    lines = page.read_text(encoding="utf-8").split("\n")
    if example.proof:
        index = lines.index(example.proof.outcome, example.proof.line - 1)
        lines[index] = outcome.summary
    else:
        last = example.files[-1]
        end = last.line + last.text.count("\n")
        lines[end:end] = ["", "```pytest", outcome.summary, "```"]
    page.write_text("\n".join(lines), encoding="utf-8")
    return True


def run_pytest(example: Example, folder: Path, proof: Proof | None = None) -> oracle.Outcome:
    """What pytest does with an example, with the arguments of a `pytest` block."""
    versions = dict(example.settings.get("plugins", {}))
    return oracle.run(folder, proof.arguments if proof else (), versions)


def _findings(example: Example, folder: Path) -> list[Finding]:
    """The findings of the page's rule, for the version of pytest that will be asked."""
    from scopecheck.run import analyse

    analysis = analyse([folder], root=folder, settings=settings_of(example))
    return [finding for finding in analysis.findings if finding.name == example.rule]


def settings_of(example: Example) -> Settings:
    """What an example is analysed with: its page's rule, and the pytest that will be asked.

    The rules about suppressions need all the others to run.
    """
    from scopecheck.config import Settings

    rule = rulebook.rules().get(example.rule)
    select = ["ALL"] if rule and rule.is_engine else [example.rule]
    versions = dict(example.settings.get("plugins", {}))
    plugins = {"pytest": oracle.pytest_version(versions)} | versions
    stated = {"select": select} | example.settings | {"plugins": plugins}
    return msgspec.convert(stated, Settings)


def _differences(example: Example, findings: Iterable[Finding]) -> Iterator[Problem]:
    page = f"{example.rule}.md"
    expected: dict[tuple[str, int], list[Expected]] = {}
    for mark in example.expected:
        expected.setdefault((mark.path, mark.line), []).append(mark)
    for finding in findings:
        place = finding.fault.place
        marks = expected.get((place.path, place.span.line), [])
        fitting = [mark for mark in marks if mark.words in finding.fault.message]
        where = example.page_line(place.path, place.span.line)
        if fitting:
            marks.remove(max(fitting, key=lambda mark: len(mark.words)))
        elif marks:
            words = marks.pop(0).words
            yield Problem(page, where, f"{finding.fault.message!r} does not contain {words!r}")
        else:
            said = f"{place.path}:{place.span.line}: {finding.fault.message}"
            yield Problem(page, where, f"false alarm: {said}")
    for marks in expected.values():
        for mark in marks:
            where = example.page_line(mark.path, mark.line)
            words = f" of {mark.words!r}" if mark.words else ""
            yield Problem(page, where, f"missed alarm{words} at {mark.path}:{mark.line}")
