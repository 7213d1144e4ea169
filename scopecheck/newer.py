"""Says whether a file that this Python cannot parse is written for a newer one."""

from __future__ import annotations

# libcst 1.9 takes time that grows with the square of a chain `a.b.c...`, so a file with a very long
# line, which no person wrote, is left alone.
_MAX_LINE = 1_000
_MAX_TEXT = 1_000_000


def is_newer_syntax(text: str) -> bool:
    """Whether libcst, whose grammar does not depend on the Python that runs it, parses the text.

    Imports libcst: only for files that failed to parse.
    """
    if len(text) > _MAX_TEXT or max(map(len, text.split("\n"))) > _MAX_LINE:
        return False
    if "\0" in text:
        # libcst takes it; no Python does.
        return False
    import libcst

    try:
        libcst.parse_module(text)
    except Exception:
        # Its parser raises more than its own error on text that is no Python at all.
        return False
    return True
