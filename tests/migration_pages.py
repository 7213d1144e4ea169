"""Reads the pages of `tests/migrations`: small projects, and what a migration makes of each.

The page of the documentation has one too.

A section of a page is a project before its migration, a path line above each file. `From
pytest-asyncio 0.21.2.` says what it was written for. Then come a `diff` block, the migration, a
`text` block without a path, what it says besides, and a `pytest` block where not every test passes
afterwards. `SCOPECHECK_BLESS=1` rewrites the first two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

PAGES = Path(__file__).with_name("migrations")
DOCUMENTATION = Path(__file__).parent.parent / "docs/migrating-pytest-asyncio.md"

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_FROM = re.compile(r"^From pytest-asyncio ([\d.]+)\.$", re.MULTILINE)
_BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)


@dataclass
class Example:
    """One section."""

    page: Path
    title: str
    version: str
    files: dict[str, str] = field(default_factory=dict)
    diff: str = ""
    says: str = ""
    outcome: str = ""

    @property
    def id(self) -> str:
        return f"{self.page.stem}: {self.title}"

    def write(self, folder: Path) -> Path:
        for path, text in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        return folder


def examples() -> list[Example]:
    pages = [DOCUMENTATION, *sorted(PAGES.glob("*.md"))]
    return [example for page in pages for example in _read(page)]


def _read(page: Path) -> list[Example]:
    found = []
    _, *parts = _SECTION.split(page.read_text(encoding="utf-8"))
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        version = _FROM.search(text)
        if page == DOCUMENTATION and version is None:
            continue
        assert version is not None, f"{page.name}: {title}: which version is it from?"
        example = Example(page, title, version[1])
        for path, language, content in _BLOCK.findall(text):
            match language:
                case _ if path:
                    example.files[path] = content
                case "diff":
                    example.diff = content
                case "text":
                    example.says = content
                case "pytest":
                    example.outcome = content.strip()
        found.append(example)
    return found


def bless(example: Example, diff: str, says: str) -> None:
    """Write what a migration does into its section."""
    text = example.page.read_text(encoding="utf-8")
    start = text.index(f"## {example.title}\n")
    following = _SECTION.search(text, start + 3)
    end = following.start() if following else len(text)
    section = text[start:end]
    kept = [match for match in _BLOCK.finditer(section) if match[1]]
    outcome = f"```pytest\n{example.outcome}\n```\n\n" if example.outcome else ""
    told = f"```text\n{says}```\n\n" if says else ""
    made = f"```diff\n{diff}```\n\n" if diff else ""
    section = f"{section[: kept[-1].end()]}\n{made}{told}{outcome}"
    whole = text[:start] + section + text[end:]
    example.page.write_text(whole.rstrip("\n") + "\n", encoding="utf-8")
