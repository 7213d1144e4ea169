"""Version numbers and version specifiers (PEP 440), from text to what can be compared.

    version       `9.2.0`, `1.0rc1`, `0.10.0.post0`
    specifier     `>=8.1,<9`; `==8.*`; every clause must hold
    releases      the versions of a distribution that were published, oldest first

Only what a pytest suite's pins need: a version that PEP 440 does not know is simply not a version.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

Operator: TypeAlias = Literal["==", "!=", "~=", "<=", ">=", "<", ">", "==="]

_VERSION = re.compile(
    r"""\s*v?
    (?:(?P<epoch>\d+)!)?
    (?P<release>\d+(?:\.\d+)*)
    (?:[-_.]?(?P<pre_l>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_n>\d*))?
    (?:-(?P<post_bare>\d+)|[-_.]?(?P<post_l>post|rev|r)[-_.]?(?P<post_n>\d*))?
    (?:[-_.]?(?P<dev_l>dev)[-_.]?(?P<dev_n>\d*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?
    \s*""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_CLAUSE = re.compile(r"\s*(===|==|!=|~=|<=|>=|<|>)\s*([^\s,;]+)\s*")

_replace = msgspec.structs.replace

# Sorts before and after every (letter, number) pair.
_BEFORE = ("", -1)
_AFTER = ("~", 0)


class Version(msgspec.Struct, frozen=True):
    """One version, in the parts that decide how it compares."""

    release: tuple[int, ...]
    epoch: int = 0
    pre: tuple[str, int] | None = None
    post: int | None = None
    dev: int | None = None
    local: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What orders versions; two spellings of one version have one key."""
        release = self.release
        while len(release) > 1 and release[-1] == 0:
            release = release[:-1]
        pre = self.pre
        if pre is None:
            # A development release of nothing else comes before all pre-releases.
            pre = _BEFORE if self.post is None and self.dev is not None else _AFTER
        post = -1 if self.post is None else self.post
        dev = (1, 0) if self.dev is None else (0, self.dev)
        local = tuple((1, int(p), "") if p.isdecimal() else (0, 0, p) for p in self.local)
        return (self.epoch, release, pre, post, dev, bool(local), local)

    @property
    def is_prerelease(self) -> bool:
        """Whether pip would pass it over where a final release is to be had."""
        return self.pre is not None or self.dev is not None

    @property
    def public(self) -> Version:
        """Without the local part (`+cpu`)."""
        return _replace(self, local=()) if self.local else self

    @property
    def short(self) -> tuple[int, int, int]:
        """Major, minor and micro, for comparison with a feature's first version."""
        return (*self.release, 0, 0, 0)[:3]  # type: ignore[return-value]

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key

    def __le__(self, other: Version) -> bool:
        return self.key <= other.key

    def __gt__(self, other: Version) -> bool:
        return self.key > other.key

    def __ge__(self, other: Version) -> bool:
        return self.key >= other.key

    def same(self, other: Version) -> bool:
        """Whether both are spellings of one version (`1.0` and `1.0.0`)."""
        return self.key == other.key


@lru_cache(maxsize=1024)
def parse_version(text: str) -> Version | None:
    """The version this text spells, or None where PEP 440 knows no such version."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    pre: tuple[str, int] | None = None
    if part["pre_l"]:
        letter = part["pre_l"].lower()
        pre = (_PRE.get(letter, letter), int(part["pre_n"] or 0))
    post: int | None = None
    if part["post_bare"] is not None:
        post = int(part["post_bare"])
    elif part["post_l"]:
        post = int(part["post_n"] or 0)
    return Version(
        release=tuple(int(number) for number in part["release"].split(".")),
        epoch=int(part["epoch"] or 0),
        pre=pre,
        post=post,
        dev=int(part["dev_n"] or 0) if part["dev_l"] else None,
        local=tuple(re.split(r"[-_.]", part["local"].lower())) if part["local"] else (),
    )


class Clause(msgspec.Struct, frozen=True):
    """One comparison of a specifier; `wildcard` for `==8.*`, `text` for `===`."""

    operator: Operator
    version: Version
    wildcard: bool = False
    text: str = ""

    def allows(self, version: Version, text: str = "") -> bool:
        """Whether the clause holds for this version (spelled `text`, which only `===` looks at)."""
        match self.operator:
            case "===":
                return text.strip().lower() == self.text.lower()
            case "==":
                return self._equals(version)
            case "!=":
                return not self._equals(version)
            case "~=":
                prefix = Version(self.version.release[:-1], self.version.epoch)
                return version.public >= self.version and _starts_with(version, prefix)
            case "<=":
                return version.public <= self.version
            case ">=":
                return version.public >= self.version
            case "<":
                # What leads up to the version named is not before it.
                return version < (self.version if self.version.is_prerelease else self._first())
            case ">":
                # What follows up on the version named is not after it.
                named = self.version
                if named.dev is not None:
                    return version >= _replace(named, dev=named.dev + 1, local=())
                if named.post is not None:
                    return version >= _replace(named, post=named.post + 1, dev=0, local=())
                family = _replace(version, post=None, dev=None, local=())
                return version > named and not family.same(named.public)

    def _first(self) -> Version:
        """The earliest development release of the version named."""
        return _replace(self.version, dev=0, local=())

    def _equals(self, version: Version) -> bool:
        if self.wildcard:
            return _starts_with(version, self.version)
        return (version if self.version.local else version.public).same(self.version)


def _starts_with(version: Version, prefix: Version) -> bool:
    count = len(prefix.release)
    padded = version.release + (0,) * count
    return version.epoch == prefix.epoch and padded[:count] == prefix.release


class Specifier(msgspec.Struct, frozen=True):
    """Clauses that must all hold; none at all allows every version."""

    clauses: tuple[Clause, ...] = ()

    def allows(self, text: str) -> bool:
        """Whether every clause holds; for what is no version (`2004d`) only `===` can."""
        version = parse_version(text)
        if version is None:
            return all(c.operator == "===" and c.text.lower() == text.lower() for c in self.clauses)
        return all(clause.allows(version, text) for clause in self.clauses)

    @property
    def exact(self) -> str | None:
        """The one version that a plain `==` clause leaves, if there is one."""
        for clause in self.clauses:
            if clause.operator in ("==", "===") and not clause.wildcard:
                return clause.text
        return None


ANY = Specifier()


@lru_cache(maxsize=1024)
def parse_specifier(text: str) -> Specifier | None:
    """The clauses of `>=8.1,<9`, or None where the text is no specifier.

    Poetry's forms (`^8.1`, `~8.1`, `8.*`, `8.1`) are read too: they mean ranges of releases.
    """
    text = text.strip().removeprefix("(").removesuffix(")").strip()
    if text in ("", "*"):
        return ANY
    clauses: list[Clause] = []
    for piece in text.split(","):
        made = _clauses(piece.strip())
        if made is None:
            return None
        clauses.extend(made)
    return Specifier(tuple(clauses))


def _clauses(piece: str) -> list[Clause] | None:
    if not piece:
        # A trailing comma.
        return []
    if piece[0] in "^~" and not piece.startswith("~="):
        return _poetry_range(piece[0], piece[1:].strip())
    if piece[0].isdigit() or piece[0] == "v":
        piece = f"=={piece}"
    match = _CLAUSE.fullmatch(piece)
    if match is None:
        return None
    operator, text = match[1], match[2]
    wildcard = text.endswith(".*")
    version = parse_version(text.removesuffix(".*"))
    if operator == "===":
        return [Clause("===", version or Version((0,)), text=text)]
    if version is None or (operator == "~=" and len(version.release) < 2):
        return None
    if wildcard and operator not in ("==", "!="):
        # `>=8.*` is no PEP 440, but old requirement files have it; the stars say nothing there.
        wildcard = False
    return [Clause(operator, version, wildcard, text)]  # type: ignore[arg-type]


def _poetry_range(sign: str, text: str) -> list[Clause] | None:
    low = parse_version(text.removesuffix(".*"))
    if low is None:
        return None
    release = low.release
    if sign == "^":
        # The leftmost number that is not zero may not change.
        index = next((i for i, number in enumerate(release) if number), len(release) - 1)
    else:
        index = min(1, len(release) - 1)
    high = Version((*release[:index], release[index] + 1), low.epoch)
    return [Clause(">=", low, text=text), Clause("<", high)]


def allowed_releases(releases: Iterable[str], specifiers: Iterable[Specifier]) -> tuple[str, ...]:
    """The releases that all specifiers allow, oldest first.

    Where no release satisfies all of them they stand for different environments (`pytest<8` for
    one Python, `pytest>=8` for another): then what any of them allows.
    """
    known = tuple(releases)
    wanted = tuple(specifiers)
    every = tuple(r for r in known if all(s.allows(r) for s in wanted))
    return every or tuple(r for r in known if any(s.allows(r) for s in wanted))
