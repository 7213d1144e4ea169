"""A pytest plugin that writes down what pytest collects, for tests to compare with.

Run as a program, it reads one run a line from its input, `{"cwd": ..., "args": [...], "out": ...}`,
and forks for each, so that pytest is imported only once.
"""

from __future__ import annotations

import json
import os
import sys
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


def serve() -> None:
    """Answers each line of the input with the status of a run of pytest."""
    for line in sys.stdin:
        run = json.loads(line)
        child = os.fork()
        if child == 0:
            os.chdir(run["cwd"])
            sys.path.insert(0, run["cwd"])
            os.environ["ORACLE_OUT"] = run["out"]
            os.environ["ORACLE_INI"] = run["ini"]
            log = os.open(run["out"] + ".log", os.O_WRONLY | os.O_CREAT)
            os.dup2(log, 1)
            os.dup2(log, 2)
            status = 3
            try:
                status = int(pytest.main(run["args"]))
            finally:
                sys.stdout.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
