"""What the module of an import statement stands for: a file that was read, or a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.suite.values import UNKNOWN, External, ModuleValue, PackageValue

if TYPE_CHECKING:
    from scopecheck.suite.modules import Modules
    from scopecheck.suite.values import Value

# Nothing in these is a fixture or a base class of tests, and a star import of one brings neither.
PLAIN_LIBRARIES = frozenset(
    [
        "asyncio",
        "collections",
        "contextlib",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "itertools",
        "json",
        "logging",
        "math",
        "os",
        "pathlib",
        "random",
        "re",
        "socket",
        "string",
        "subprocess",
        "sys",
        "threading",
        "time",
        "types",
        "typing",
        "unittest",
        "uuid",
        "numpy",
        "pandas",
        "sqlalchemy",
        "django",
        "flask",
        "requests",
        "httpx",
        "typing_extensions",
        "ctypes",
        "tkinter",
        "decimal",
        "abc",
        "io",
        "shutil",
        "tempfile",
        "textwrap",
        "copy",
        "operator",
        "warnings",
        "hypothesis",
    ]
)
# What these names do is known here, and their own code is no place to learn it from (their own
# suites import them from the tree).
_ALWAYS_EXTERNAL = frozenset({"pytest", "_pytest", "pytest_asyncio", "pluggy", "hypothesis"})
# What `from pytest import *` brings, as far as it matters here (pytest's own `__all__`).
PYTEST_NAMES = ("fixture", "mark", "param", "importorskip", "skip", "yield_fixture", "raises")


def module_named(modules: Modules, module: str, importer: str, level: int = 0) -> Value:
    """What a module's name stands for in a file; `level` counts the dots before a relative one."""
    if level:
        found = modules.relative(module, importer, level)
        name = modules.absolute(module, importer, level) or module
        if found is None:
            return UNKNOWN
    else:
        if module.partition(".")[0] in _ALWAYS_EXTERNAL:
            return External(module)
        found, name = modules.find(module, importer), module
        if found is None or not found.endswith(".py"):
            installed = _installed(modules, module)
            if installed is not None:
                return ModuleValue(installed, module)
        if found is None:
            return External(module)
    if found.endswith(".py"):
        return ModuleValue(found, name)
    return PackageValue(found, name)


def _installed(modules: Modules, module: str) -> str | None:
    """The file of an installed module worth reading: one that may hold fixtures or bases."""
    top = module.partition(".")[0]
    if top in PLAIN_LIBRARIES:
        return None
    if not any(word in module for word in ("test", "fixture", "conftest", "plugin")):
        return None
    return modules.installed(module)
