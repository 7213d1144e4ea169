"""A pytest plugin that writes down what pytest collects, for tests to compare with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

_modules: list[str] = []
_conftests: list[str] = []
_startup: list[str] = []


def pytest_plugin_registered(plugin: object) -> None:
    file = getattr(plugin, "__file__", None)
    if file and file.endswith("conftest.py"):
        _conftests.append(file)


def pytest_sessionstart() -> None:
    _startup.extend(_conftests)


def pytest_collectstart(collector: pytest.Collector) -> None:
    # Before 8.0 a Package is a Module, too.
    is_module = isinstance(collector, pytest.Module) and not isinstance(collector, pytest.Package)
    if is_module and str(collector.path) not in _modules:
        _modules.append(str(collector.path))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.clear()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    options: dict[str, Any] = {}
    for name in os.environ.get("ORACLE_INI", "").split():
        value = config.getini(name)
        options[name] = [str(x) for x in value] if isinstance(value, list) else value
    said = {
        "rootdir": str(config.rootpath),
        "inifile": str(config.inipath) if config.inipath else None,
        "confcutdir": config.known_args_namespace.confcutdir,
        "args": config.args,
        "modules": _modules,
        "conftests": _conftests,
        "startup": _startup,
        "ini": options,
    }
    Path(os.environ["ORACLE_OUT"]).write_text(json.dumps(said))
