"""One requirement, as pip, conda or a lock file writes it, into what it states of a distribution.

statement     one place that names a distribution, with what it says of the version
lock          a file that a tool wrote with one version for each distribution of an environment
pin           a requirement that a person wrote: `pytest>=8,<9`
constraint    says which version, but does not ask for the distribution to be installed
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from scopecheck.plugins.documents import as_table, ini_sections, read_text, read_toml
from scopecheck.plugins.environment import normalise

Kind: TypeAlias = Literal["lock", "pin", "constraint"]

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?P<rest>.*)",
    re.DOTALL,
)
# An extra with what is needed to test: `tests`, `testing`, `pytest`, `dev-test`.
_TEST_EXTRA = re.compile(r"(?:^|[\s,_.-])(?:py)?test(?:s|ing)?(?=$|[\s,_.-])", re.IGNORECASE)


class Statement(msgspec.Struct, frozen=True):
    """One place that names a distribution.

    specifier: as written (`>=8,<9`), "" where every version will do. For a lock, the version.
    origin: `uv.lock:120`; its path is relative to the root. path: the folder of a dependency that
    is taken from the disk. unknown: taken from a URL, whose version is not stated. for_tests: with
    an extra for tests, which may bring plugins along that are stated nowhere.
    """

    dist: str
    kind: Kind
    specifier: str
    origin: str
    path: Path | None = None
    unknown: bool = False
    for_tests: bool = False


def requirement(text: str, origin: str, folder: Path, kind: Kind = "pin") -> Statement | None:
    """The statement of one PEP 508 requirement, a path or a URL; None where it is neither.

    folder: what a path is relative to.
    """
    text = text.strip()
    if re.match(r"(?:[\w+]+:)?//|git\+|(?:\w+\+)?(?:file|https?|ssh):", text):
        egg = re.search(r"#(?:.*&)?egg=([\w.-]+)", text)
        name = egg[1] if egg else text.split("#")[0].rstrip("/").rpartition("/")[2]
        name = re.sub(r"(\.git)?(@.*)?$", "", name)
        return Statement(normalise(name), kind, "", origin, unknown=True) if name else None
    if text.startswith((".", "/")):
        place = Path(os.path.normpath(folder / text.partition("[")[0].partition(";")[0].strip()))
        return Statement(project_name(place), kind, "", origin, path=place)
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        return None
    rest = match["rest"].partition(";")[0].strip()
    if rest.startswith("@"):
        return Statement(normalise(match["name"]), kind, "", origin, unknown=True)
    if rest and rest[0] not in "=<>!~(":
        return None
    for_tests = _TEST_EXTRA.search(match["extras"] or "") is not None
    return Statement(normalise(match["name"]), kind, rest, origin, for_tests=for_tests)


def project_name(folder: Path) -> str:
    """The normalised name of the project in this folder; the folder's own where none is stated."""
    data = read_toml(folder / "pyproject.toml")
    for table in (data.get("project"), as_table(data.get("tool")).get("poetry")):
        name = as_table(table).get("name")
        if isinstance(name, str):
            return normalise(name)
    if (folder / "setup.cfg").is_file():
        name = (
            ini_sections(read_text(folder / "setup.cfg"))
            .get("metadata", {})
            .get("name", "")
            .strip()
        )
        if name:
            return normalise(name)
    return normalise(folder.name)


def of_conda(specifier: str) -> str:
    """A specifier of conda's as one of pip's.

    A single `=` allows what begins so (what follows is the build); a version alone is that one.
    """
    single = re.fullmatch(r"=\s*([\w.!+]+?)(?:\.\*)?(?:=.*)?", specifier)
    if single:
        return f"=={single[1]}.*"
    if specifier == "*":
        return ""
    return f"=={specifier}" if re.fullmatch(r"\d[\w.]*(?:\.\*)?", specifier) else specifier
