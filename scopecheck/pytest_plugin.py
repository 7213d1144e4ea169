"""The plugin that pytest loads: `--scopecheck`, and nothing else until that is given."""

from __future__ import annotations

import pytest

OPTION = "scopecheck"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    parser.getgroup("scopecheck").addoption(
        "--scopecheck",
        action="store_true",
        dest=OPTION,
        help="Analyse the suite with scopecheck, and fail the run on what it finds.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Notes which plugins are registered before any conftest is loaded."""
    if getattr(early_config.known_args_namespace, OPTION, False):
        from scopecheck.under_pytest import note_plugins

        note_plugins(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Registers what does the work; under xdist in the process that reports, and in no worker."""
    if config.getoption(OPTION) and not hasattr(config, "workerinput"):
        from scopecheck.under_pytest import Analyser

        config.pluginmanager.register(Analyser(config), "scopecheck-analyser")
