"""Turns the pages `rules/*.md` into rules, and their sections into examples that can be run.

A page is a rule's documentation, its metadata and its tests at once:

    rule      what the head of a page says: name, one-sentence summary, code, default, ...
    example   a section with a `py` block: the files of a small project, and what must be found
    mark      `# error` at the end of a line: this page's rule must be reported there, once
    selector  how a user names rules: a code, a prefix of codes (`SCP1`), a name, or `ALL`

In a section, a block under a line such as `` `tests/conftest.py`: `` is a file of that path, and a
`py` block without one is `test_example.py`. The mark `# error: "part"` also asks for words in the
message, `# error: "part", "other"` for two findings; marks are taken out of the files. Then come,
each where it is needed:

    toml      settings of scopecheck, and with `plugins` the versions that the section is about
    pytest    what pytest does: an outcome (`1 error, 2 passed`), then words of its output; a first
              line `$ pytest ...` gives it arguments. Further blocks are further runs, such as one
              in which the tests are named in another order
    mutation  a change that makes the code under test wrong (`src/hub.py: OLD => NEW`), and which of
              the section's tests pass and fail then (`passed: test_a`, `failed: test_b, test_c`)
    diff      the exact fix: what `--fix --unsafe-fixes` changes where only this rule is selected;
              of several fixes the first. A `pytest` block after it says what pytest does then; else
              pytest has to be content

Only the head of each page is read to list the rules; the sections are read when asked for.
"""

from __future__ import annotations

import os
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import msgspec

from scopecheck.finding import Certainty, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Default: TypeAlias = Literal["on", "opt-in", "with-contract", "with-policy"]
FixKind: TypeAlias = Literal["none", "safe", "unsafe"]

ENGINE_PREFIX = "SCP0"
"""Codes of the rules that no check reports: the stages themselves do."""

ALWAYS_ON = frozenset({"syntax-error", "unreadable-file"})
"""Reported unless ignored by name or code: what could not be read was not checked."""

_HEAD_BYTES = 2048
_CODE = re.compile(r"SCP\d{3}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PAIR = re.compile(r'([a-z]+) = "([^"]*)"')
_FENCE = re.compile(r"(`{3,}|~{3,})[ ]*([^`]*)")
_HEADING = re.compile(r"(#{1,6}) +(.+?)[ #]*")
_PATH_LINE = re.compile(r"`([^`]+)`:")
_WORDS = r'"[^"\n]*"'
_MARK = re.compile(rf"[ \t]*# error(?:: ({_WORDS}(?:, {_WORDS})*))?[ \t]*$", re.MULTILINE)
_VALUES: dict[str, tuple[str, ...]] = {
    "default": get_args(Default),
    "certainty": get_args(Certainty),
    "severity": get_args(Severity),
    "fix": get_args(FixKind),
}
_KEYS = ("code", "default", "certainty", "severity", "fix", "since")


class PageError(Exception):
    """A rule page that does not follow the grammar of pages; says where and what is expected."""

    def __init__(self, page: Path, line: int, message: str) -> None:
        super().__init__(f"{page.name}:{line}: {message}")


class UnknownRuleError(LookupError):
    """A selector that names no rule; `str()` of it says so, with the nearest name there is."""

    def __init__(self, selector: str, suggestion: str | None = None) -> None:
        self.selector = selector
        self.suggestion = suggestion
        hint = f"; did you mean {suggestion!r}?" if suggestion else ""
        super().__init__(f"unknown rule {selector!r}{hint}")

    def __str__(self) -> str:
        return str(self.args[0])


class Rule(msgspec.Struct, frozen=True):
    """What the head of a page says.

    default: `on`, `opt-in`, or on only where the project configures a contract or a policy.
    fix: the boldest kind of fix that the rule offers.
    since: the release that first had the rule.
    """

    code: str
    name: str
    summary: str
    default: Default
    certainty: Certainty
    severity: Severity
    fix: FixKind
    since: str
    page: Path

    @property
    def is_engine(self) -> bool:
        """Whether a stage reports it, and no check function."""
        return self.code.startswith(ENGINE_PREFIX)

    @property
    def text(self) -> str:
        """The whole page, as it was written."""
        return self.page.read_text(encoding="utf-8")

    @property
    def examples(self) -> tuple[Example, ...]:
        """The page's sections that can be run."""
        return read_examples(self.page)


class Expected(msgspec.Struct, frozen=True, order=True):
    """A finding that an example must give: where, and a part of its message ("" for any)."""

    path: str
    line: int
    words: str = ""


class ExampleFile(msgspec.Struct, frozen=True):
    """A file of an example, without the marks; `line` is where its text begins in the page."""

    path: str
    text: str
    line: int


class Proof(msgspec.Struct, frozen=True):
    """What a `pytest` block says pytest does with the example.

    arguments: of the optional first line `$ pytest ...`.
    outcome: `1 failed, 2 passed`, `1 error`, `collection error`, `usage error` or `no tests`.
    words: lines that must each occur in pytest's output.
    """

    outcome: str
    arguments: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    line: int = 0


class Mutation(msgspec.Struct, frozen=True):
    """A change that makes the code under test wrong, and what its tests do about it.

    passed: the tests that pass, or are skipped, before and after; failed: those that then fail.
    """

    path: str
    old: str
    new: str
    passed: tuple[str, ...]
    failed: tuple[str, ...]
    line: int


class Example(msgspec.Struct, frozen=True):
    """A section of a page as a small project, with what must be found in it.

    settings: the section's `toml` block without a path: keys of `[tool.scopecheck]`.
    proof: what the section's first `pytest` block says; further_runs: what the others say.
    diffs: the exact fix, one `diff` block after another. diff_line: where the first one begins.
    fixed: what pytest does after the fix.
    """

    rule: str
    title: str
    line: int
    files: tuple[ExampleFile, ...]
    expected: tuple[Expected, ...]
    settings: dict[str, Any]
    proof: Proof | None
    diffs: tuple[str, ...]
    further_runs: tuple[Proof, ...] = ()
    mutation: Mutation | None = None
    diff_line: int = 0
    fixed: Proof | None = None

    @property
    def id(self) -> str:
        """How a test run names it: `scope-mismatch: An override nearer the test decides`."""
        return f"{self.rule}: {self.title}"

    @property
    def fires(self) -> bool:
        """Whether the rule must report something here."""
        return bool(self.expected)

    def page_line(self, path: str, line: int) -> int:
        """The line of the page that holds this line of one of the example's files."""
        return next((file.line + line - 1 for file in self.files if file.path == path), self.line)


def package_folder() -> Path:
    """The folder of the package itself."""
    return Path(__file__).parent


def pages_folder() -> Path:
    """Where the pages are: inside an installed package, or beside it in a checkout."""
    package = package_folder()
    inside = package / "rules"
    return inside if inside.is_dir() else package.parent / "rules"


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by name, in the order of codes."""
    return read_rules(pages_folder())


def read_rules(folder: Path) -> dict[str, Rule]:
    """The rules of a folder of pages by name, in the order of codes.

    Raises:
        PageError: a head does not follow the grammar, or two pages claim one code.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.endswith(".md")]
    found = sorted((read_rule(folder / name) for name in names), key=lambda rule: rule.code)
    for one, other in pairwise(found):
        if one.code == other.code:
            raise PageError(other.page, 1, f"code {one.code} belongs to {one.page.name} already")
    return {rule.name: rule for rule in found}


def read_rule(page: Path) -> Rule:
    """The rule that a page is about, from its head alone.

    Raises:
        PageError: the head does not follow the grammar.
    """
    lines = _read_head(page)
    name = page.stem
    if not _NAME.fullmatch(name):
        raise PageError(page, 1, "the file's stem must be a rule name in kebab-case")
    if lines[0] != f"# {name}":
        raise PageError(page, 1, f"the title must be the file's stem: '# {name}'")
    fence = next((index for index, line in enumerate(lines) if line.startswith("```")), None)
    if fence is None or lines[fence] != "```toml":
        raise PageError(page, 2, "a summary and a 'toml' block must follow the title")
    summary = " ".join(" ".join(lines[1:fence]).split())
    if not summary.endswith(".") or ". " in summary:
        raise PageError(page, 2, "the first paragraph must be one sentence")
    values: dict[str, str] = {}
    for number, line in enumerate(lines[fence + 1 :], fence + 2):
        if line == "```":
            break
        pair = _PAIR.fullmatch(line)
        if pair is None or pair[1] not in _KEYS:
            raise PageError(page, number, f'expected key = "value" with a key of {_listed(_KEYS)}')
        allowed = _VALUES.get(pair[1])
        if allowed and pair[2] not in allowed:
            raise PageError(page, number, f"{pair[1]} must be one of {_listed(allowed)}")
        values[pair[1]] = pair[2]
    missing = [key for key in _KEYS if key not in values]
    if missing:
        raise PageError(page, fence + 1, f"the 'toml' block lacks {_listed(missing)}")
    if not _CODE.fullmatch(values["code"]):
        raise PageError(page, fence + 1, "code must be SCP and three digits")
    return Rule(name=name, summary=summary, page=page, **values)  # type: ignore[arg-type]


def find(selector: str) -> Rule:
    """The one rule with this name or code.

    Raises:
        UnknownRuleError: there is none.
    """
    known = rules()
    if selector in known:
        return known[selector]
    code = selector.upper()
    for rule in known.values():
        if rule.code == code:
            return rule
    raise UnknownRuleError(selector, _nearest(selector))


def expand(selectors: Iterable[str]) -> frozenset[str]:
    """The names of all rules that at least one of the selectors means.

    Raises:
        UnknownRuleError: a selector means no rule.
    """
    return frozenset(name for selector in selectors for name in _matching(selector)[1])


def default_rules() -> frozenset[str]:
    """The names of the rules that run when nothing is selected.

    A rule that needs a contract is among them, and finds nothing where none is in force.
    """
    wanted = ("on", "with-contract")
    return frozenset(rule.name for rule in rules().values() if rule.default in wanted)


def choose(
    select: Sequence[str] | None = None,
    ignore: Iterable[str] = (),
    extend_select: Iterable[str] = (),
    extend_ignore: Iterable[str] = (),
) -> frozenset[str]:
    """The names of the rules in force.

    The more exact selector decides, so that `select = ["SCP1"]` with `ignore = ["SCP101"]` and
    `select = ["SCP101"]` with `ignore = ["SCP1"]` both say what they seem to; of two equally exact
    ones `ignore` wins. Files that cannot be read or parsed are reported whatever is selected,
    unless that rule is ignored by its name or code.

    Raises:
        UnknownRuleError: a selector means no rule.
    """
    chosen = dict.fromkeys(default_rules() if select is None else (), 0)
    for selector in (*(select or ()), *extend_select):
        weight, names = _matching(selector)
        for name in names:
            chosen[name] = max(weight, chosen.get(name, 0))
    for name in ALWAYS_ON & rules().keys():
        chosen[name] = max(chosen.get(name, 0), len("SCP00"))
    refused: dict[str, int] = {}
    for selector in (*ignore, *extend_ignore):
        weight, names = _matching(selector)
        for name in names:
            refused[name] = max(weight, refused.get(name, 0))
    return frozenset(name for name, weight in chosen.items() if weight > refused.get(name, -1))


def read_examples(page: Path) -> tuple[Example, ...]:
    """The sections of a page that hold a `py` block, in order.

    The page need not have a rule's head: what a rule must go on doing may be kept in further pages
    of the same name.

    Raises:
        PageError: a section does not follow the grammar.
    """
    examples = []
    seen: set[str] = set()
    for section in _sections(page):
        if not any(block.language == "py" for block in section.blocks):
            continue
        if section.title in seen:
            raise PageError(page, section.line, f"there are two sections {section.title!r}")
        seen.add(section.title)
        examples.append(_example(page, section))
    return tuple(examples)


class _Block(msgspec.Struct):
    language: str
    path: str
    text: str
    line: int


class _Section(msgspec.Struct):
    title: str
    line: int
    blocks: list[_Block]


def _read_head(page: Path) -> list[str]:
    """The lines up to the fence that closes the first block (or the whole page without one)."""
    with page.open("rb") as file:
        data = file.read(_HEAD_BYTES)
        while data.count(b"```") < 2 and (more := file.read(_HEAD_BYTES)):
            data += more
    end = data.find(b"\n```", data.find(b"```") + 3)
    head = data[: end + 4] if end >= 0 else data
    return head.decode("utf-8").splitlines() or [""]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _matching(selector: str) -> tuple[int, list[str]]:
    """How exact a selector is, and the names of the rules that it means."""
    known = rules()
    if selector == "ALL":
        return 0, list(known)
    if selector in known:
        return len("SCP000"), [selector]
    prefix = selector.upper()
    names = [rule.name for rule in known.values() if rule.code.startswith(prefix)]
    if not prefix.startswith("SCP") or not names:
        raise UnknownRuleError(selector, _nearest(selector))
    return len(prefix), names


def _nearest(selector: str) -> str | None:
    from difflib import get_close_matches

    known = rules()
    if selector.upper() == "ALL":
        return "ALL"
    written = selector.strip().lower().replace("_", "-").replace(" ", "-")
    if written in known:
        return written
    codes = [rule.code for rule in known.values()]
    near = get_close_matches(written, list(known), 1, 0.6)
    # Codes are too much alike for one to be a hint for another.
    if not near and not re.fullmatch(r"SCP\d*", selector.strip().upper()):
        near = get_close_matches(selector.strip().upper(), codes, 1, 0.8)
    return near[0] if near else None


def _sections(page: Path) -> list[_Section]:
    """The page cut at its headings, each part with the fenced blocks in it."""
    titles: list[str] = []
    sections = [_Section("", 1, [])]
    lines = page.read_text(encoding="utf-8").split("\n")
    before = ""
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if heading := _HEADING.fullmatch(line):
            depth = len(heading[1])
            titles = [*titles[: depth - 1], heading[2]]
            sections.append(_Section(": ".join(titles[1:]), number, []))
        if fence := _FENCE.fullmatch(line):
            start = number
            while number < len(lines) and lines[number].rstrip() != fence[1]:
                number += 1
            if number == len(lines):
                raise PageError(page, start, "this block is never closed")
            path = _PATH_LINE.fullmatch(before)
            text = "".join(f"{part}\n" for part in lines[start:number])
            block = _Block(fence[2].strip(), path[1] if path else "", text, start + 1)
            sections[-1].blocks.append(block)
            number += 1
            before = ""
        elif line.strip():
            before = line
    return sections


def _example(page: Path, section: _Section) -> Example:
    files: list[ExampleFile] = []
    expected: list[Expected] = []
    settings: dict[str, Any] = {}
    proof: Proof | None = None
    further_runs: list[Proof] = []
    mutation: Mutation | None = None
    diffs: list[str] = []
    diff_line = 0
    fixed: Proof | None = None
    for block in section.blocks:
        if block.path or block.language == "py":
            path = block.path or "test_example.py"
            if any(file.path == path for file in files):
                raise PageError(page, block.line, f"the section has two files {path!r}")
            if path.startswith("/") or ".." in path.split("/"):
                raise PageError(page, block.line, f"{path!r} is not inside the example")
            expected += _marks(path, block.text)
            files.append(ExampleFile(path, _MARK.sub("", block.text), block.line))
        elif block.language == "toml":
            settings.update(_settings(page, block))
        elif block.language == "pytest":
            if diffs:
                fixed = _proof(page, block)
            elif proof:
                further_runs.append(_proof(page, block))
            else:
                proof = _proof(page, block)
        elif block.language == "mutation":
            mutation = _mutation(page, block, files)
        elif block.language == "diff":
            diffs.append(block.text)
            diff_line = diff_line or block.line
        elif block.language == "python":
            raise PageError(page, block.line, "write 'py', so that the example is run")
    return Example(
        rule=page.stem,
        title=section.title,
        line=section.line,
        files=tuple(files),
        expected=tuple(expected),
        settings=settings,
        proof=proof,
        diffs=tuple(diffs),
        further_runs=tuple(further_runs),
        mutation=mutation,
        diff_line=diff_line,
        fixed=fixed,
    )


def _marks(path: str, text: str) -> list[Expected]:
    """What the marks of a file ask for: one finding each, or one for each quoted part."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if mark := _MARK.search(line):
            words = re.findall(r'"([^"]*)"', mark[1]) if mark[1] else [""]
            found += [Expected(path, number, part) for part in words]
    return found


def _settings(page: Path, block: _Block) -> dict[str, Any]:
    import tomli

    try:
        return tomli.loads(block.text)
    except tomli.TOMLDecodeError as error:
        raise PageError(page, block.line, f"the settings are not TOML: {error}") from None


def _proof(page: Path, block: _Block) -> Proof:
    import shlex

    lines = [line.strip() for line in block.text.splitlines() if line.strip()]
    arguments: list[str] = []
    if lines and lines[0].startswith("$ "):
        command, *arguments = shlex.split(lines.pop(0)[2:])
        if command != "pytest":
            raise PageError(page, block.line, "the command must be '$ pytest ...'")
    if not lines:
        raise PageError(page, block.line, "a 'pytest' block begins with the outcome: '1 error'")
    return Proof(lines[0], tuple(arguments), tuple(lines[1:]), block.line)


def _mutation(page: Path, block: _Block, files: Sequence[ExampleFile]) -> Mutation:
    change, *rest = [line.strip() for line in block.text.splitlines() if line.strip()] or [""]
    path, _, edit = change.partition(": ")
    old, arrow, new = edit.partition(" => ")
    names: dict[str, tuple[str, ...]] = {"passed": (), "failed": ()} | {
        key: tuple(name.strip() for name in listed.split(","))
        for key, _, listed in (line.partition(":") for line in rest)
    }
    if not arrow or len(names) != 2 or not any(names.values()):
        wanted = "'PATH: OLD => NEW', then 'passed: NAMES' and 'failed: NAMES'"
        raise PageError(page, block.line, f"a 'mutation' block is {wanted}")
    text = next((file.text for file in files if file.path == path), "")
    if text.count(old) != 1:
        raise PageError(page, block.line, f"{path} must have {old!r} once, above this block")
    return Mutation(path, old, new, names["passed"], names["failed"], block.line)
