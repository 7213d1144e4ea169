"""The version that each distribution counts as, from what is set, installed, locked and pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from scopecheck.plugins.environment import Environment, normalise
from scopecheck.plugins.table import bundled_plugins, known_releases
from scopecheck.plugins.versions import (
    ANY,
    Specifier,
    allowed_releases,
    parse_specifier,
    parse_version,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scopecheck.plugins.stated import Stated

Certainty: TypeAlias = Literal["exact", "assumed"]


class Resolved(msgspec.Struct, frozen=True):
    """The version that a distribution counts as.

    certainty: `exact` where it is installed, locked, pinned or set; else `assumed`. oldest, newest:
    the ends of what is allowed. origin: `uv.lock:120`, `.venv`, `assumed newest`.
    """

    dist: str
    version: str
    certainty: Certainty
    oldest: str
    newest: str
    origin: str

    @property
    def number(self) -> tuple[int, int, int]:
        """Major, minor and micro; (0, 0, 0) where the version is not known at all."""
        return _number(self.version)

    def at_least(self, *number: int) -> bool:
        """Whether the version is this one or newer; one that is not known is the newest."""
        return not self.version or self.number >= (*number, 0, 0, 0)[:3]

    def agrees(self, *number: int) -> bool:
        """Whether every allowed version is on the same side of this one as the assumed version."""
        if self.certainty == "exact":
            return True
        bound = (*number, 0, 0, 0)[:3]
        if not self.oldest or not self.newest:
            return False
        return (_number(self.oldest) >= bound) == (_number(self.newest) >= bound)


def resolve_version(
    dist: str,
    settings_plugins: Mapping[str, str],
    environment: Environment | None,
    stated: Mapping[str, Stated],
) -> Resolved:
    """The version that counts: the settings', then the installed one, the locked one, the pins'.

    What nothing states is taken as the newest known release.
    """
    for name, version in settings_plugins.items():
        if normalise(name) == dist:
            return Resolved(dist, version, "exact", version, version, "configuration")
    if environment is not None:
        version = environment.versions.get(dist, "")
        if parse_version(version):
            return Resolved(dist, version, "exact", version, version, environment.how)
    said = stated.get(dist)
    if said is not None:
        locked = sorted(
            ((v, s) for s in said.locked if (v := parse_version(s.specifier))),
            key=lambda pair: pair[0].key,
        )
        if locked:
            oldest, newest = locked[0][1], locked[-1][1]
            sure: Certainty = "exact" if oldest.specifier == newest.specifier else "assumed"
            return Resolved(
                dist,
                newest.specifier,
                sure,
                oldest.specifier,
                newest.specifier,
                newest.origin,
            )
        return _from_pins(dist, said)
    return _newest(dist, known_releases(dist), "assumed newest")


def _from_pins(dist: str, said: Stated) -> Resolved:
    pinned: list[tuple[Specifier, str]] = []
    for statement in said.statements:
        specifier = parse_specifier(statement.specifier) or ANY
        if specifier.clauses and not statement.unknown:
            pinned.append((specifier, statement.origin))
    exact = {specifier.exact: origin for specifier, origin in pinned if specifier.exact}
    if len(exact) == 1:
        version, origin = next(iter(exact.items()))
        return Resolved(dist, version or "", "exact", version or "", version or "", origin)
    allowed = allowed_releases(known_releases(dist), [specifier for specifier, _ in pinned])
    origin = pinned[-1][1] if pinned else said.statements[0].origin
    return _newest(dist, allowed, origin)


def _newest(dist: str, releases: tuple[str, ...], origin: str) -> Resolved:
    if releases:
        return Resolved(dist, releases[-1], "assumed", releases[0], releases[-1], origin)
    shipped = bundled_plugins().get(dist)
    version = shipped.version if shipped else ""
    return Resolved(dist, version, "assumed", "", "", origin)


def _number(text: str) -> tuple[int, int, int]:
    version = parse_version(text)
    return version.short if version else (0, 0, 0)
