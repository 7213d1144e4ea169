"""Turns small projects, written as Markdown pages, into two answers to hold side by side: pytest's
and scopecheck's.

A page of `projects/` is a collection. Each `##` heading is a project: one paragraph that states the
fact it tests, a `toml` block of options if it needs any, its files (a line with the path in
backquotes and a colon above each block), and a `pytest` block: what pytest answers, in the form
that `Answer.lines` prints. SCOPECHECK_BLESS=1 rewrites these blocks.
"""

from __future__ import annotations

import contextlib
import os
import re
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import tomli
from packaging.specifiers import SpecifierSet

import scopecheck.project
from scopecheck.config import Settings
from scopecheck.plan import plan_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oracle import dump
    from oracle.client import PytestServer

PAGES = Path(__file__).parent / "projects"

# The `pytest` blocks of the pages are written by this release, where the fact holds for it.
BLESSED_BY = "9.2.0"


class Options(
    msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True, kw_only=True
):
    """How a project is run.

    args: paths, relative to `cwd`; options for pytest go to the project's own configuration.
    cwd: where it is run, relative to the project's folder.
    pytest: the releases the fact holds for, as `>=9.0`.
    run: pytest must run fixtures and tests for its answer.
    unknown: why scopecheck may say that it does not know.
    differs: why scopecheck means to answer otherwise.
    """

    args: tuple[str, ...] = ()
    cwd: str = "."
    pytest: str = ""
    run: bool = False
    unknown: str = ""
    differs: str = ""


class Project(msgspec.Struct, frozen=True):
    """A few files and what they show. `blessed` is what pytest is on record for."""

    page: str
    name: str
    statement: str
    files: Mapping[str, str]
    options: Options = Options()
    blessed: str | None = None

    def __str__(self) -> str:
        return f"{self.page}: {self.name}"

    def fits(self, version: str) -> bool:
        """Whether the fact is about this pytest."""
        return SpecifierSet(self.options.pytest).contains(version, prereleases=True)

    def is_on_record(self, version: str) -> bool:
        """Whether the page has what this pytest answers (in full; others may order otherwise)."""
        return version == BLESSED_BY or not self.fits(BLESSED_BY)

    def write(self, folder: Path) -> None:
        """Puts the files into a folder."""
        for path, text in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="")
        (folder / self.options.cwd).mkdir(parents=True, exist_ok=True)

    def text(self) -> str:
        """The files, as they are shown when something is wrong with them."""
        parts = [f"--- {path}\n{text.rstrip()}" for path, text in self.files.items()]
        return "\n".join(parts)


BLOCK = re.compile(
    r"(?:^`(?P<path>[^`\n]+)`:\n\n)?"
    r"^(?P<fence>`{3,})(?P<language>[a-z]*)\n(?P<text>.*?)^(?P=fence)$",
    re.M | re.S,
)


def read_page(page: Path) -> list[Project]:
    """The projects of one page, in order."""
    _, *sections = re.split(r"^(?=## )", page.read_text(encoding="utf-8"), flags=re.M)
    return [_project(page.stem, section) for section in sections]


def all_projects() -> list[Project]:
    """The projects of all pages."""
    return [project for page in sorted(PAGES.glob("*.md")) for project in read_page(page)]


def _project(page: str, section: str) -> Project:
    heading, _, body = section.partition("\n")
    files: dict[str, str] = {}
    options, blessed = Options(), None
    for block in BLOCK.finditer(body):
        if block["path"]:
            assert block["path"] not in files, f"{page}: {heading}: {block['path']} is there twice"
            files[block["path"]] = block["text"]
        elif block["language"] == "toml":
            options = msgspec.convert(tomli.loads(block["text"]), Options)
        else:
            assert block["language"] == "pytest", f"{page}: {heading}: a block without a path"
            blessed = block["text"]
    statement = BLOCK.sub("", body).strip()
    assert statement, f"{page}: {heading}: no statement"
    return Project(page, heading.removeprefix("## "), statement, files, options, blessed)


def bless(page: Path, answers: Mapping[str, str]) -> None:
    """Writes pytest's answers, by project, into a page."""
    first, *sections = re.split(r"^(?=## )", page.read_text(encoding="utf-8"), flags=re.M)
    for index, section in enumerate(sections):
        name = section.partition("\n")[0].removeprefix("## ")
        if name in answers:
            kept = re.sub(r"^```pytest\n.*?^```\n*", "", section, flags=re.M | re.S).rstrip()
            sections[index] = f"{kept}\n\n```pytest\n{answers[name]}```\n\n"
    page.write_text((first + "".join(sections)).rstrip() + "\n", encoding="utf-8")


class Fixture(msgspec.Struct, frozen=True, order=True):
    """A definition that is set up; `place` is `path:line`, or the plugin's name."""

    name: str
    scope: str
    place: str

    def __str__(self) -> str:
        return f"{self.name} ({self.scope}, {self.place})"


class Error(msgspec.Struct, frozen=True, order=True):
    """A request that is refused; `fixture` is None where the test itself asks."""

    kind: str
    fixture: str | None
    requests: str | None

    def __str__(self) -> str:
        return f"{self.kind}: {self.fixture or 'the test'} -> {self.requests}"


class Item(msgspec.Struct, frozen=True):
    """What one test gets.

    open: says what else is not settled: that pytest never looks (it skips the test), or what
        scopecheck says it cannot know.
    """

    fixtures: tuple[Fixture, ...]
    errors: tuple[Error, ...] = ()
    skipped: bool = False
    unknown: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """What a project's tests get, by node id without `[...]`.

    uncollected: the node ids of what cannot be collected, with the reason.
    refused: why there is no answer at all.
    """

    items: Mapping[str, Item]
    uncollected: Mapping[str, str] = {}
    refused: str = ""

    def lines(self) -> str:
        """The answer for people, and for the pages."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for nodeid, item in self.items.items():
            yield f"{nodeid}{' (skipped)' if item.skipped else ''}"
            for fixture in item.fixtures:
                yield f"    {fixture}"
            for error in item.errors:
                yield f"    ! {error}"
            for what in item.unknown:
                yield f"    ? {what}"
        for nodeid, reason in self.uncollected.items():
            yield f"{nodeid} is not collected"
            if reason:
                yield f"    {reason}"
        if self.refused:
            yield "pytest does not start" if not self.items else "pytest stops"
            yield f"    {self.refused}"


def _reason(message: str, folder: Path) -> str:
    """The line of pytest's message that says most."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    reason = next(iter([*marked, *lines]), "")
    # Not every Python has suggestions.
    return textwrap.shorten(_anonymous(reason.partition(". Did you mean")[0], folder), 160)


def of_pytest(server: PytestServer, project: Project, folder: Path) -> Answer:
    """pytest's answer."""
    options = project.options
    reply = server.ask((folder / options.cwd).resolve(), options.args, run=options.run)
    if reply.dump is None:
        said = [line for line in reply.output.splitlines() if re.search(r"[Ee]rror\b|ERROR", line)]
        why = _reason((said or [reply.output])[-1], folder).removeprefix("INTERNALERROR> ")
        return Answer({}, refused=why)
    items = {item.nodeid: _item(item, folder) for item in reply.dump.items}
    uncollected = {
        each.nodeid or ".": _reason(each.message, folder) for each in reply.dump.collect_errors
    }
    return Answer(items, uncollected)


def _anonymous(text: str, folder: Path) -> str:
    for name in {str(folder.resolve()), str(folder)}:
        text = text.replace(name, ".")
    return text


def _item(item: dump.Item, folder: Path) -> Item:
    fixtures = tuple(_fixture(each, folder) for each in item.fixtures)
    errors = tuple(Error(each.kind, each.fixture, each.requests) for each in item.problems)
    return Item(fixtures, errors, item.skipped)


def _fixture(definition: dump.Definition, folder: Path) -> Fixture:
    place = "pytest" if definition.module.startswith("_pytest") else definition.module
    if definition.path is not None:
        with contextlib.suppress(ValueError):
            path = Path(os.path.realpath(definition.path)).relative_to(folder.resolve())
            place = f"{path.as_posix()}:{definition.line}"
    return Fixture(definition.name, definition.scope, place)


def of_scopecheck(project: Project, folder: Path, version: str) -> Answer:
    """scopecheck's answer for this release of pytest, as `scopecheck plan` gives it."""
    root = folder.resolve()
    options = project.options
    linked = scopecheck.project.Project(root, Settings(plugins={"pytest": version}), jobs=1)
    if options.args or options.cwd != ".":
        suites = [linked.link(linked.as_arguments((root / options.cwd).resolve(), options.args))]
    else:
        suites = linked.suites([root])
    faults = [fault for suite in suites for fault in suite.files.config.errors]
    if faults:
        return Answer({}, refused=faults[0].message)
    return read_plan(
        plan_document(suites, [(suite, each) for suite in suites for each in suite.items])
    )


def read_plan(document: Mapping[str, Any]) -> Answer:
    """The answer that `scopecheck plan --output-format json` holds."""
    items = {}
    for item in document["items"]:
        fixtures = tuple(
            Fixture(
                each["name"],
                each["scope"],
                each["plugin"] if "plugin" in each else f"{each['path']}:{each['line']}",
            )
            for each in item["fixtures"]
        )
        errors = tuple(
            Error(each["kind"], each["fixture"], each["requests"])
            if "requests" in each
            else Error(each["kind"], None, each["fixture"])
            for each in item["errors"]
        )
        unknown = tuple(str(each) for each in item.get("unknown", ()))
        items[item["nodeid"]] = Item(fixtures, errors, unknown=unknown)
    return Answer(items)


def disagreements(
    pytest: Answer, ours: Answer, *, may_be_unknown: bool = False, run: bool = False
) -> list[str]:
    """Where the two answers differ, a sentence each.

    may_be_unknown: scopecheck may say that it does not know. run: pytest ran the fixtures and
        tests, and says more than a plan can.
    """
    found = []
    for nodeid, item in pytest.items.items():
        if nodeid not in ours.items:
            found.append(f"{nodeid}: pytest collects it, scopecheck does not")
            continue
        found += [f"{nodeid}: {each}" for each in _differences(item, ours.items[nodeid], run)]
        if ours.items[nodeid].unknown and not may_be_unknown:
            found.append(f"{nodeid}: unknown to scopecheck: {ours.items[nodeid].unknown}")
    for nodeid, item in ours.items.items():
        if nodeid in pytest.items or (item.unknown and may_be_unknown):
            continue
        if item.errors and (pytest.refused or _covers(pytest.uncollected, nodeid)):
            continue
        found.append(f"{nodeid}: scopecheck collects it, pytest does not")
    return found


def _covers(uncollected: Mapping[str, str], nodeid: str) -> bool:
    return any(
        each == "." or nodeid == each or nodeid.startswith((f"{each}/", f"{each}::"))
        for each in uncollected
    )


def _differences(pytest: Item, ours: Item, run: bool) -> Iterator[str]:
    if ours.unknown:
        return
    if run:
        # What it says besides: what only running code requests, and what fails while it runs.
        pytest = Item(
            tuple(each for each in pytest.fixtures if each in ours.fixtures),
            tuple(each for each in pytest.errors if each in ours.errors),
        )
        ours = Item(tuple(each for each in ours.fixtures if each in pytest.fixtures), ours.errors)
    if pytest.skipped:
        if ours.errors:
            yield f"pytest skips it, scopecheck says {', '.join(map(str, ours.errors))}"
        return
    first = next(iter(pytest.errors), None)
    our_first = next(iter(ours.errors), None)
    expected, got = Counter(pytest.fixtures), Counter(ours.fixtures)
    if {"no-param", "other"} & {error.kind for error in pytest.errors}:
        # A plan has no such error, and what comes after it differs.
        got &= expected
    if (first is None or first.kind not in ("no-param", "other")) and first != our_first:
        yield f"pytest's first error is [{first}], scopecheck's is [{our_first}]"
    for fixture in expected - got:
        yield f"pytest sets up {fixture}, scopecheck does not"
    for fixture in got - expected:
        yield f"scopecheck sets up {fixture}, pytest does not"
    if expected == got == Counter(ours.fixtures) and pytest.fixtures != ours.fixtures:
        yield f"pytest's order is [{_names(pytest)}], scopecheck's is [{_names(ours)}]"


def _names(item: Item) -> str:
    return " ".join(fixture.name for fixture in item.fixtures)
