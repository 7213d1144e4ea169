"""Builds the trees that are measured: real packages with their tests, and a generated suite.

The real ones are wheels that carry their tests, by name and version from the package index; a wheel
needs no build, and the version is all that decides its content. They are unpacked beside each
other, so that they are one suite, as in a monorepo.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGES = ("pandas==2.2.3", "xarray==2025.1.2", "networkx==3.4.2", "dask==2025.1.0")
UNIT = "networkx==3.4.2"
"""Copied to see how the cost grows."""


def real(folder: Path, packages: tuple[str, ...] = PACKAGES) -> Path:
    """A folder with the packages, and an empty pytest configuration."""
    made = folder / "pytest.ini"
    if made.exists():
        return folder
    wheels = folder.parent / "wheels"
    for package in packages:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary"]
        subprocess.run([*command, ":all:", "-d", str(wheels), package], check=True)
        name = package.partition("==")[0]
        (wheel,) = wheels.glob(f"{name}-{package.partition('==')[2]}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            # With the compiled modules: tests import them.
            archive.extractall(folder)
    made.write_text("[pytest]\n")
    return folder


def sample(folder: Path, files: Sequence[Path]) -> Path:
    """A folder with copies of these files, each under a name of its own."""
    if not folder.exists():
        folder.mkdir(parents=True)
        for number, file in enumerate(files):
            shutil.copyfile(file, folder / f"{file.stem}_{number}.py")
    return folder


def copies(folder: Path, unit: Path, count: int) -> Path:
    """A folder with so many copies of a real tree, each in a folder of its own."""
    if not folder.exists():
        for index in range(count):
            shutil.copytree(unit, folder / f"part{index}", ignore=_own)
        (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def _own(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(".") or name == "pytest.ini"]


def generated(folder: Path, tests: int = 20_000, fixtures: int = 500) -> Path:
    """A suite with so many tests and fixtures, in conftests five folders deep.

    Every fixture requests one of its own conftest and one of the conftest above, and every test
    the deepest two it can see.
    """
    made = folder / "pytest.ini"
    if made.exists():
        return folder
    folders = _folders(folder, fixtures // 10)
    per_folder = -(-tests // len(folders))
    for number, place in enumerate(folders):
        place.mkdir(parents=True, exist_ok=True)
        above = _number_above(folders, place)
        (place / "conftest.py").write_text(_conftest(number, above))
        (place / "__init__.py").touch()
        for start in range(0, per_folder, 50):
            text = "".join(
                _test(number, index) for index in range(start, min(start + 50, per_folder))
            )
            (place / f"test_part{start // 50}.py").write_text(f"import pytest\n\n{text}")
    made.write_text("[pytest]\n")
    return folder


def _folders(top: Path, count: int) -> list[Path]:
    """So many folders, three in each, down to five below the top."""
    found = [top / "tests"]
    for place in found:
        if len(found) >= count:
            break
        if len(place.relative_to(top).parts) < 6:
            found += [place / f"part{index}" for index in range(3)]
    return found[:count]


def _number_above(folders: list[Path], place: Path) -> int | None:
    return folders.index(place.parent) if place.parent in folders else None


def _conftest(number: int, above: int | None) -> str:
    parts = ["import pytest\n\n"]
    for index in range(10):
        scope = ("function", "module", "session")[index % 3]
        asked = [f"fixture_{number}_{index - 3}"] if index >= 3 else []
        if above is not None:
            asked.append(f"fixture_{above}_{index}")
        parts.append(
            f'\n@pytest.fixture(scope="{scope}")\n'
            f"def fixture_{number}_{index}({', '.join(asked)}):\n"
            f"    value = {{'number': {number}, 'index': {index}}}\n"
            "    yield value\n    value.clear()\n\n"
        )
    return "".join(parts)


def _test(number: int, index: int) -> str:
    one, other = f"fixture_{number}_{index % 10}", f"fixture_{number}_{(index + 1) % 10}"
    return (
        f"def test_{index}({one}, {other}):\n"
        f'    """What test {index} of folder {number} is about."""\n'
        f"    expected = [{index}, {index + 1}]\n"
        f"    found = [{one}['number'] + {index}, {other}['number'] + {index + 1}]\n"
        f"    assert found[0] - expected[0] == {number}\n"
        f"    assert sorted(found) == found, found\n\n\n"
    )
