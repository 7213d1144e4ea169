"""What scopecheck means to say otherwise than pytest-asyncio does, each by name, with a project.

These are accidents: what pytest, or an old pytest-asyncio, does there depends on which module is
collected first, or on fixtures that nothing uses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Exemption(NamedTuple):
    """Disagreements that are expected.

    versions: of pytest-asyncio: the first, and the first that has it no more.
    pattern: what the disagreement reads like.
    example: files that show it, in the version `shown_by`.
    """

    name: str
    reason: str
    versions: tuple[tuple[int, ...], tuple[int, ...]]
    pattern: str
    example: Mapping[str, str]
    shown_by: str

    def covers(self, version: tuple[int, ...], disagreement: str) -> bool:
        """Whether it is about this disagreement."""
        first, until = self.versions
        return first <= version < until and re.search(self.pattern, disagreement) is not None


_PACKAGE_FIXTURE = """
import pytest_asyncio

@pytest_asyncio.fixture(loop_scope="package")
async def connection():
    return object()
"""

_WIDE_FIXTURE = """
import pytest_asyncio

@pytest_asyncio.fixture(scope="module")
async def connection():
    return object()
"""

_USER = """
import pytest

@pytest.mark.asyncio
async def test_{}(connection):
    pass
"""

_ON_PACKAGE_LOOP = """
import pytest

@pytest.mark.asyncio(loop_scope="package")
async def test_a():
    pass
"""

_TWO_FIXTURES = """
import pytest
import pytest_asyncio

@pytest_asyncio.fixture
async def other():
    return object()

@pytest.mark.asyncio(scope="module")
async def test_b(other, connection):
    pass
"""

_POLICY = """
import asyncio
import pytest

@pytest.fixture
def event_loop_policy():
    return asyncio.DefaultEventLoopPolicy()

@pytest.mark.asyncio
async def test_a(connection):
    pass
"""

_CLOSES = """
import pytest
import pytest_asyncio

@pytest_asyncio.fixture
async def connection():
    return object()

@pytest.mark.asyncio
async def test_first():
    pass

@pytest.mark.asyncio(loop_scope="module")
async def test_second(connection):
    pass
"""

EXEMPTIONS = (
    Exemption(
        "loop-of-another-module",
        "0.23 gives an async fixture of a conftest that is wider than a function the loop of the "
        "first module (class, package) that is collected; no other module knows it",
        ((0, 23), (0, 24)),
        r"unknown-fixture: .*::<event_loop>\]",
        {
            "conftest.py": _WIDE_FIXTURE,
            "test_a.py": _USER.format("a"),
            "test_b.py": _USER.format("b"),
        },
        "0.23.8",
    ),
    Exemption(
        "two-loops-by-another-module",
        "so a test whose mark has the scope of such a fixture asks for two loops, but in the first "
        "module; there its own loop is the fixture's, and 0.23 does not look for a second one",
        ((0, 23), (0, 24)),
        r"it is not collected: mark to run the test in a function-scoped event loop",
        {
            "conftest.py": _WIDE_FIXTURE,
            "test_a.py": _USER.format("a"),
            "test_b.py": _TWO_FIXTURES,
        },
        "0.23.8",
    ),
    Exemption(
        "package-loop-in-one-module",
        "0.24 to 0.26 register the loop of a package in the module of it that is collected first; "
        "async fixtures find it in no other",
        ((0, 24), (1, 0)),
        r"unknown-fixture: .*::<event_loop>\]",
        {
            "package/__init__.py": "",
            "package/conftest.py": _PACKAGE_FIXTURE,
            "package/test_a.py": _USER.format("a"),
            "package/test_b.py": _USER.format("b"),
        },
        "0.26.0",
    ),
    Exemption(
        "package-loop-in-another-package",
        "0.24 to 0.26 register the loops of packages in the modules that are collected next, one "
        "in each: where a package has none of its own, or more than one, that is another package's",
        ((0, 24), (1, 0)),
        r"it is not collected: KeyError: '.*::<event_loop>'",
        {
            "package/__init__.py": "",
            "package/empty/__init__.py": "",
            "package/test_a.py": _ON_PACKAGE_LOOP,
        },
        "0.26.0",
    ),
    Exemption(
        "outside-by-unused-fixture",
        "0.23 looks for the class or package of every async fixture there is when a module's first "
        "test is collected, whether or not it uses them",
        ((0, 23), (0, 24)),
        r"it is not collected: .*UsageError: (\S+\.py|Test\w+) is marked to be run in",
        {
            "conftest.py": _WIDE_FIXTURE.replace("module", "class"),
            "test_a.py": "def test_a():\n    pass\n",
        },
        "0.23.8",
    ),
    Exemption(
        "failed-in-another-module",
        "pytest 9.1 and later refuse a fixture of a conftest for good, with a bare AssertionError, "
        "once another module's `event_loop_policy` has kept it from being set up",
        ((1, 4), (2, 0)),
        r"pytest says \[failed setup: AssertionError\]",
        {
            "conftest.py": _WIDE_FIXTURE,
            "test_a.py": _POLICY,
            "test_b.py": _USER.format("b"),
        },
        "1.5.0",
    ),
    Exemption(
        "closed-loop",
        "up to 1.1 a test runs on the loop that was set last, and 0.23 to 0.26 close whichever "
        "that is when another one ends: a later test or fixture may find its loop closed",
        ((0, 23), (1, 2)),
        r"failed (setup|call): RuntimeError: Event loop is closed",
        {
            "pytest.ini": "[pytest]\nasyncio_default_test_loop_scope = package\n",
            "one/__init__.py": "",
            "one/test_one.py": _CLOSES,
            "test_last.py": _USER.format("last").replace("connection", ""),
        },
        "1.0.0",
    ),
)


def exemption(version: tuple[int, ...], disagreement: str) -> Exemption | None:
    """The exception that a disagreement falls under."""
    return next((each for each in EXEMPTIONS if each.covers(version, disagreement)), None)
