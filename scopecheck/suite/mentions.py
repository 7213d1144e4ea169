"""Finds the names that a file's text mentions other than by defining or requesting them.

What counts: the name as a whole string (or one of several in a string, `"user, team"`), and the
name in code, unless it is a parameter, a keyword, an attribute, or bound again where it stands.
Comments and docstrings do not count.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.facts import FileFacts, Function

_TOKEN = re.compile(
    r"#[^\n]*"
    r"|[rbfutRBFUT]{0,2}(?:"
    r'"""(?:[^\\"]|\\.|"(?!""))*"""'
    r"|'''(?:[^\\']|\\.|'(?!''))*'''"
    r'|"(?:[^\\"\n]|\\.)*"'
    r"|'(?:[^\\'\n]|\\.)*')",
    re.DOTALL,
)
_NAMES_ONLY = re.compile(r"\s*\w+(?:\s*[,\s]\s*\w+)*\s*")
_LONGEST = 400
# What may stand between a name and the end of a string that is made of names.
_ONLY_NAMES = re.compile(r"[\w\s,]*")
_IMPORT = re.compile(r"^[ \t]+(?:from|import)\b[^\n(]*(?:\([^)]*\))?[^\n]*", re.MULTILINE)


def words_in(text: str, names: Iterable[str]) -> set[str]:
    """Those of the names that occur in a text as words, wherever."""
    return {name for name in names if name in text and any(_places(text, name))}


def _places(text: str, name: str) -> Iterator[int]:
    """Where a name begins, wherever it is a word.

    (Plain searches: an expression that begins with a boundary takes ten times as long.)
    """
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        before = text[start - 1] if start else " "
        after = text[end] if end < len(text) else " "
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            yield start
        start = text.find(name, end)


def _may_be_quoted(text: str, name: str) -> bool:
    """Whether nothing but names stands between a name and quotes on either side of it."""
    for start in _places(text, name):
        first = max(0, start - _LONGEST)
        quote = max(text.rfind('"', first, start), text.rfind("'", first, start))
        if quote >= 0 and _ONLY_NAMES.fullmatch(text, quote + 1, start):
            names = _ONLY_NAMES.match(text, start)
            if names is not None and text[names.end() : names.end() + 1] in ('"', "'"):
                return True
    return False


def in_strings(text: str, names: Iterable[str]) -> set[str]:
    """Those of the names that a short string is made of, and those imported inside a function."""
    near = words_in(text, names)
    if not near:
        return near
    found: set[str] = set()
    quoted = "getfixture" in text or any(_may_be_quoted(text, name) for name in near)
    for match in _TOKEN.finditer(text) if quoted else ():
        token = match.group()
        if token[0] == "#" or len(token) > _LONGEST:
            continue
        content = token.lstrip("rbfutRBFUT").strip("\"'")
        if _NAMES_ONLY.fullmatch(content):
            found |= near & _names(content)
        elif "getfixture" in content:
            found |= words_in(content, near)
    left = near - found
    if left:
        for match in _IMPORT.finditer(text):
            found |= words_in(match.group(), left)
    return found


def _names(content: str) -> set[str]:
    parts = [part.strip() for part in content.split(",")]
    return set(parts) if len(parts) > 1 or " " not in content.strip() else set(content.split()[:1])


def in_code(text: str, facts: FileFacts, names: Iterable[str]) -> set[str]:
    """Those of the names that code uses as names, in a file that has the fixture of that name."""
    # Most are only requested: then nothing is to be told apart from comments and strings.
    near = {
        name for name in words_in(text, names) if any(True for _ in _unrequested(text, facts, name))
    }
    if not near:
        return near
    code = code_of(text)
    return {name for name in near if any(_uses(code, facts, name))}


def as_attribute(text: str, owners: Iterable[str], name: str) -> bool:
    """Whether the name is taken from one of these modules, `fixtures.db`."""
    return any(re.search(rf"\b{re.escape(o)}\.{re.escape(name)}\b", text) for o in owners)


# A file with many names that nothing defines is asked for each of them.
@lru_cache(maxsize=4)
def code_of(text: str) -> str:
    """A text with blanks for its comments and strings."""
    return _TOKEN.sub(_blank, text)


def names_again(code: str, name: str) -> bool:
    """Whether code (see `code_of`) names a function other than by defining it."""
    return re.search(rf"(?<!def )(?<!\w){re.escape(name)}\b", code) is not None


def _blank(match: re.Match[str]) -> str:
    return "\n".join(" " * len(line) for line in match.group().split("\n"))


def _uses(code: str, facts: FileFacts, name: str) -> Iterator[bool]:
    lines = code.split("\n")
    for around in _unrequested(code, facts, name):
        if around is None or not _binds(around, lines, name):
            yield True


def _unrequested(code: str, facts: FileFacts, name: str) -> Iterator[Function | None]:
    """The functions in which a name stands otherwise than as a parameter; None at the top level.

    Neither those are meant that request it, nor places where it is defined.
    """
    declared = {(f.span.line, f.span.column) for f in facts.functions if f.name == name}
    declared |= {(b.span.line, b.span.column) for b in facts.bindings if b.name == name}
    requesting = []
    for function in facts.functions:
        parameter = next((p for p in function.parameters if p.name == name), None)
        if parameter is not None:
            requesting.append(function)
            declared.add((parameter.line, parameter.column))
    pattern = re.compile(rf"(?<![\w.]){re.escape(name)}\b(?!\s*=[^=])")
    for number, line in enumerate(code.split("\n"), 1):
        if name not in line:
            continue
        for match in pattern.finditer(line):
            if (number, match.start() + 1) in declared:
                continue
            if line[: match.start()].rstrip().endswith("def"):
                continue
            around = _around(facts, number)
            if around is None or not any(_is_inside(one, around) for one in requesting):
                yield around


def _around(facts: FileFacts, line: int) -> Function | None:
    """The outermost function that a line stands in, its decorators and `def` left out."""
    holding = [f for f in facts.functions if f.line <= line <= f.end_line]
    return min(holding, key=lambda f: (f.line, -f.end_line)) if holding else None


def _is_inside(function: Function, outer: Function) -> bool:
    """Whether a function is another one, or stands in it."""
    return outer.line <= function.line and function.end_line <= outer.end_line


def _binds(outer: Function, lines: list[str], name: str) -> bool:
    """Whether a function, or one inside it, binds the name itself."""
    body = [line for line in lines[outer.line : outer.end_line] if name in line]
    if not body:
        return False
    word = rf"(?<![\w.]){re.escape(name)}\b"
    bound = re.compile(
        rf"^\s*{word}(?:\s+=\s|\s*:[^=\n]+=\s)|{word}\s*:="
        rf"|\b(?:for|as|def|import)\s+{re.escape(name)}\b"
        rf"|(?:\bfor\s[^\n]*|^\s*){word}\s*,[^=\n]*(?:\s=\s|\bin\b)"
    )
    return any(bound.search(line) for line in body)
