"""`python -m scopecheck.testing`: runs rule pages, rewrites what can be, and starts new rules."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from scopecheck import rulebook, testing
from scopecheck.report.text import counted
from scopecheck.testing import fixes, oracle, scaffold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scopecheck.finding import Applicability
    from scopecheck.rulebook import Example


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when all is well, 1 for pages that are not as they say, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="python -m scopecheck.testing", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the examples of rule pages")
    run.add_argument("pages", nargs="*", metavar="RULE", help="names, codes or page files")
    run.add_argument("--no-proof", action="store_true", help="do not ask pytest")
    run.add_argument("--bless", action="store_true", help="rewrite `pytest` and `diff` blocks")
    new = commands.add_parser("new", help="write a page and a check for a new rule")
    new.add_argument("name", metavar="RULE-NAME", help="the fault, in kebab-case")
    new.add_argument("--code", help="SCP and three digits (the family's next, if not given)")
    new.add_argument("--family", choices=scaffold.FAMILIES, help="the module for the check")
    options = parser.parse_args(arguments)
    try:
        if options.command == "new":
            return start(options.name, options.code, options.family)
        return run_pages(options.pages, proof=not options.no_proof, bless=options.bless)
    except (LookupError, rulebook.PageError, scaffold.ScaffoldError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def start(name: str, code: str | None, family: str | None) -> int:
    """Writes a new rule's page and check, and says what is left to do."""
    page, module = scaffold.start(name, code, family)
    print(f"wrote {_short(page)}")
    print(f"wrote {name.replace('-', '_')}() in {_short(module)}")
    print("now")
    print("  1. write what is wrong in the page, mark the lines that must fire with `# error`,")
    print("     and add the tricky cases that must stay silent")
    print(f"  2. python -m scopecheck.testing run {name}    (red until the check reports it)")
    print("  3. write the check until it is green")
    print("  4. add a line to CHANGELOG.md, under Unreleased")
    return 0


def run_pages(selected: Sequence[str], *, proof: bool, bless: bool) -> int:
    """Runs every section of the pages, and prints a line for each; pytest runs beside it."""
    pages = _pages(selected)
    cases = [(page, example) for page in pages for example in rulebook.read_examples(page)]
    failed = 0
    kinds: dict[Path, set[Applicability]] = {}
    with tempfile.TemporaryDirectory(prefix="scopecheck-") as name:
        folders = [Path(name).resolve() / str(number) for number in range(len(cases))]
        for (_, example), folder in zip(cases, folders, strict=True):
            testing.write_example(example, folder)
        with ThreadPoolExecutor(1 if bless else os.cpu_count()) as pool:
            proofs = [
                pool.submit(_proof, page, example, folder, bless=bless)
                if proof and testing.needs_proof(example, page)
                else None
                for (page, example), folder in zip(cases, folders, strict=True)
            ]
            for (page, example), folder, asked in zip(cases, folders, proofs, strict=True):
                changed = ""
                problems = testing.example_problems(example, folder)
                if fixes.has_fix(example, page):
                    if bless and fixes.bless(page, example, folder):
                        changed = " (blessed)"
                    scratch = folder.with_name(f"{folder.name}-fixed")
                    now = _now(page, example)
                    problems += fixes.problems(now, folder, scratch)
                    kinds.setdefault(page, set()).update(fixes.offered(example, folder))
                more, note = asked.result() if asked else ([], "")
                failed += bool(problems + more)
                _print(example, problems + more, note or changed)
    own = [page for page in pages if page.parent == rulebook.pages_folder()]
    lacking = [problem for page in own for problem in testing.page_problems(page)]
    lacking += [p for page in own for p in fixes.page_problems(page, kinds.get(page, ()))]
    for problem in lacking:
        print(f"FAILED  {problem}")
    size = f"{counted(len(cases), 'section')} of {counted(len(pages), 'page')}"
    print(f"{size}, {failed + len(lacking)} failed")
    return 1 if failed or lacking else 0


def _now(page: Path, example: Example) -> Example:
    """A section as its page has it now."""
    return next(now for now in rulebook.read_examples(page) if now.title == example.title)


def _pages(selected: Sequence[str]) -> list[Path]:
    if not selected:
        return [rule.page for rule in rulebook.rules().values()]
    pages: list[Path] = []
    for name in selected:
        if name.endswith(".md"):
            pages.append(Path(name).resolve())
        else:
            names = rulebook.expand([name])
            pages += [rule.page for rule in rulebook.rules().values() if rule.name in names]
    return pages


def _proof(
    page: Path, example: Example, folder: Path, *, bless: bool
) -> tuple[list[testing.Problem], str]:
    try:
        if bless:
            return [], " (blessed)" if testing.bless(page, example, folder) else ""
        return testing.proof_problems(example, folder), ""
    except oracle.Unavailable as reason:
        return [], f" (pytest not asked: {reason})"


def _print(example: Example, problems: list[testing.Problem], note: str) -> None:
    print(f"{'FAILED' if problems else 'ok':<6}  {example.id}{note}")
    for problem in problems:
        print("\n".join(f"        {line}" for line in str(problem).splitlines()))


def _short(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


if __name__ == "__main__":
    sys.exit(main())
