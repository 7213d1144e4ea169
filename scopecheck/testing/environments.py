"""Builds and finds the Python environments whose pytest is asked, one for each set of versions.

    python scopecheck/testing/environments.py           builds those that the tests ask by default
    python scopecheck/testing/environments.py --all     every one of the table
    python scopecheck/testing/environments.py NAME...   these

Stands alone: nothing needs to be installed before it runs. An environment that is there already is
left as it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = "SCOPECHECK_ENVIRONMENTS"
"""Names the folder of the environments; without it they are in the checkout's cache."""

_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "environments"
_PYTHON = Path("Scripts", "python.exe") if os.name == "nt" else Path("bin", "python")
_REQUIREMENTS = "requirements.txt"


class Environment(NamedTuple):
    """A set of versions. `by_default`: what CI builds, and the tests ask without being told to."""

    name: str
    versions: Mapping[str, str]
    by_default: bool = True

    @property
    def folder(self) -> Path:
        """Where it is, or would be."""
        return folder() / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / _PYTHON

    @property
    def requirements(self) -> str:
        """The versions as pip reads them."""
        return "".join(f"{name}=={version}\n" for name, version in self.versions.items())

    @property
    def is_built(self) -> bool:
        """Whether it is there, and of these versions."""
        try:
            known = (self.folder / _REQUIREMENTS).read_text(encoding="utf-8")
        except OSError:
            return False
        return known == self.requirements and self.python.exists()


def _asyncio(version: str, pytest: str, *, by_default: bool = True) -> Environment:
    """A pytest-asyncio, with a pytest of its time."""
    versions = {"pytest": pytest, "pytest-asyncio": version}
    return Environment(f"pytest-asyncio-{version}", versions, by_default)


TABLE = (
    _asyncio("0.21.2", "7.4.4"),
    _asyncio("0.22.0", "7.4.4", by_default=False),
    _asyncio("0.23.8", "8.3.5"),
    _asyncio("0.24.0", "8.3.5"),
    _asyncio("0.25.3", "8.3.5", by_default=False),
    _asyncio("0.26.0", "8.4.2"),
    _asyncio("1.0.0", "8.4.2"),
    _asyncio("1.1.0", "8.4.2"),
    _asyncio("1.2.0", "8.4.2"),
    _asyncio("1.3.0", "9.0.3", by_default=False),
    _asyncio("1.4.0", "9.1.1", by_default=False),
    _asyncio("1.5.0", "9.2.0"),
    Environment(
        "anyio",
        {
            "pytest": "9.2.0",
            "pytest-asyncio": "1.5.0",
            "anyio": "4.16.0",
            "trio": "0.35.0",
            "pytest-trio": "0.8.0",
            "pytest-aiohttp": "1.1.1",
        },
    ),
)


def folder() -> Path:
    """The folder of all environments."""
    return Path(os.environ.get(FOLDER) or _CACHE)


def built() -> list[Environment]:
    """Those that are there."""
    return [environment for environment in TABLE if environment.is_built]


def find(versions: Mapping[str, str]) -> Environment | None:
    """The first of the table that has these versions; `1.1` stands for `1.1.0` too."""
    for environment in TABLE:
        if all(
            f"{environment.versions.get(name)}.".startswith(f"{version}.")
            for name, version in versions.items()
        ):
            return environment
    return None


def build(environment: Environment) -> bool:
    """Makes it, unless it is there; whether it had to be made.

    It is made elsewhere and put in its place whole, so that several may build at once.

    Raises:
        subprocess.CalledProcessError: pip could not install it.
    """
    if environment.is_built:
        return False
    place = environment.folder
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{environment.name}-", dir=place.parent))
    try:
        wanted = made / _REQUIREMENTS
        wanted.write_text(environment.requirements, encoding="utf-8")
        pip: list[str | Path] = [made / _PYTHON, "-m", "pip", "--disable-pip-version-check"]
        _run([sys.executable, "-m", "venv", made])
        _run([*pip, "install", "--quiet", "--requirement", wanted])
        if not environment.is_built:
            _replace(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return True


def _run(command: Sequence[str | Path]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _replace(made: Path, place: Path) -> None:
    """Puts a folder where another, of old versions, may be."""
    if place.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{place.name}-old-", dir=place.parent))
        place.rename(old / place.name)
        shutil.rmtree(old, ignore_errors=True)
    try:
        made.rename(place)
    except OSError:
        if not place.exists():  # else another process was faster
            raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when all are there, 1 when one could not be made, 2 for wrong use."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("names", nargs="*", metavar="NAME", help="environments of the table")
    parser.add_argument("--all", action="store_true", help="all of the table")
    options = parser.parse_args(arguments)
    known = {environment.name: environment for environment in TABLE}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no environment is called {unknown[0]}; there are {', '.join(known)}")
    wanted = [
        environment
        for environment in TABLE
        if (environment.name in options.names if options.names else environment.by_default)
        or options.all
    ]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = [(environment, pool.submit(build, environment)) for environment in wanted]
        for environment, result in made:
            try:
                print(f"{environment.name}: {'built' if result.result() else 'is there'}")
            except (OSError, subprocess.CalledProcessError) as error:
                failed = 1
                print(f"{environment.name}: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
