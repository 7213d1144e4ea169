"""Fixtures that tests of several files share."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from on_disk import write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collecting import Oracle

# No test depends on how fast it is: other programs may need the machine, too.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A job in the background of a shell is started with interrupts ignored, and hands that on to the
# programs that it starts: tests that interrupt one would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def suite(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of a project with the FILES that the module of the test names."""
    files: dict[str, str] = request.module.FILES
    return write(tmp_path / "suite", files)


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment is active: versions come from the files of the suite."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """A process that runs pytest for all tests, once for each question."""
    from collecting import Oracle

    oracle = Oracle()
    yield oracle
    oracle.stop()
