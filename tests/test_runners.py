"""What scripts, CI files and requirements say of how async tests are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from on_disk import write

from scopecheck.plugins import Said, said_of_async

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "text",
    [
        "\tpytest --asyncio-mode=auto\n",
        "\tpytest --asyncio-mode auto tests\n",
        "\tpytest -o asyncio_mode=auto\n",
        '\tpytest --override-ini="asyncio_mode=auto"\n',
        'session.run("pytest", "--asyncio-mode", "auto")\n',
    ],
)
def test_auto_mode_on_a_command_line(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"Makefile": f"test:\n{text}"})
    assert said_of_async(tmp_path, tmp_path) == Said(auto="Makefile:2")


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/test.yml",
        "CONTRIBUTING.md",
        "justfile",
        "noxfile.py",
        "scripts/run_tests.py",
        "tox.ini",
        "packages/a/scripts/test.sh",
    ],
)
def test_files_that_are_searched(tmp_path: Path, path: str) -> None:
    write(tmp_path, {path: "pytest --asyncio-mode=auto\n"})
    assert said_of_async(tmp_path, tmp_path).auto == f"{path}:1"


@pytest.mark.parametrize(
    "path", ["docs/asyncio.md", "tests/test_a.py", ".venv/lib/x.cfg", "node_modules/a/Makefile"]
)
def test_files_that_are_not(tmp_path: Path, path: str) -> None:
    write(tmp_path, {path: "pytest --asyncio-mode=auto\n"})
    assert said_of_async(tmp_path, tmp_path) == Said()


def test_strict_mode_is_no_news(tmp_path: Path) -> None:
    write(tmp_path, {"Makefile": "test:\n\tpytest --asyncio-mode=strict\n"})
    assert said_of_async(tmp_path, tmp_path) == Said()


def test_a_part_of_a_project(tmp_path: Path) -> None:
    part, other = tmp_path / "packages/a", tmp_path / "packages/b"
    write(
        tmp_path,
        {
            "packages/a/Makefile": "test:\n\tpytest\n",
            "packages/b/Makefile": "test:\n\tpytest --asyncio-mode=auto\n",
            ".github/workflows/test.yml": "- run: pip install pytest pytest-trio\n",
        },
    )
    assert said_of_async(tmp_path, part) == Said(
        runners=(("pytest-trio", ".github/workflows/test.yml:1"),), named=frozenset({"pytest-trio"})
    )
    assert said_of_async(tmp_path, other).auto == "packages/b/Makefile:2"


def test_configuration_of_a_folder(tmp_path: Path) -> None:
    table = '[tool.pytest.ini_options]\nasyncio_mode = "auto"\n'
    write(tmp_path, {"tests/ui/pyproject.toml": table, "setup.cfg": "[aliases]\ntest=pytest\n"})
    assert said_of_async(tmp_path, tmp_path) == Said(
        tables=(("tests/ui", "tests/ui/pyproject.toml:2"),)
    )


def test_plugins_that_are_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "run.sh": "mkdir -p out\npytest -p acme.plugin -p no:cacheprovider\n",
            "ci/env.yml": "PYTEST_PLUGINS: acme.first,acme.second\n",
            "requirements-dev.txt": "pytest_tornasync==0.6\npytest-asyncio\n",
        },
    )
    assert said_of_async(tmp_path, tmp_path) == Said(
        runners=(("pytest-tornasync", "requirements-dev.txt:1"),),
        loaded=(
            ("acme.plugin", "run.sh:2"),
            ("acme.first", "ci/env.yml:1"),
            ("acme.second", "ci/env.yml:1"),
        ),
        named=frozenset({"pytest-tornasync", "pytest-asyncio"}),
    )
