"""Rule pages for readers outside of the site: without their head, and links to other pages."""

from __future__ import annotations

import re

_METADATA = re.compile(r"^```toml\n.*?^```\n+", re.MULTILINE | re.DOTALL)
_PAGE_LINK = re.compile(r"\[([^\]\n]+)\]\([a-z0-9-]+\.md\)")


def standing_alone(page: str) -> str:
    """A page as Markdown that stands alone."""
    return _PAGE_LINK.sub(r"`\1`", _METADATA.sub("", page, count=1)).strip()


def without_links(text: str) -> str:
    """A text of a page with the words of its links alone."""
    return _PAGE_LINK.sub(r"\1", text)
