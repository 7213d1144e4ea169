"""Fixers of imports: a fixture that several files import comes by one import of a conftest."""

from __future__ import annotations

from posixpath import commonpath, dirname
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.facts import ALWAYS, Import
from scopecheck.repair.bench import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.finding import Fault
    from scopecheck.fix.workspace import Workspace
    from scopecheck.repair.bench import Bench
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture


@looks("far")
def imported_fixture(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:
    """SCP306: import the fixture in the conftest above all files that import it now."""
    name = fault.symbol.rpartition("::")[2]
    found = [
        fixture
        for fixture in suite.fixtures
        if fixture.name == name and fixture.home == fault.place.path
    ]
    if len(found) != 1:
        return
    (fixture,) = found
    # Of several definitions of one name, a test may get another one then.
    alike = [other for other in suite.fixtures if other.name == name]
    if any(other.key != fixture.key for other in alike) or fixture.attribute != name:
        return
    importers = {other.home: _import(suite, other) for other in alike if other.home != fixture.path}
    conftest = conftest_above(suite, [home for home in importers if home is not None])
    spans = [span for span in importers.values() if span is not None]
    if conftest is None or len(spans) != len(importers) or conftest in importers:
        return
    if fixture.autouse is not False and not _all_import(suite, conftest, importers):
        return
    module = _module(suite, fixture, conftest)
    if not module:
        return

    def write(workspace: Workspace) -> None:
        from scopecheck.fix.names import remove_names
        from scopecheck.read.uses import is_used

        for home, span in importers.items():
            assert home is not None
            assert span is not None
            if name in bench.taken(home) or is_used(workspace.code(home), name):
                workspace.leave(home, span.line, f"`{name}` is also used in code")
            remove_names(workspace, home, {name}, span.line)
        # Under its own name: linters take that for an import which others use.
        workspace.editor(conftest)
        workspace.need(conftest, module, f"{name} as {name}")

    yield Offer(f"import `{name}` in {conftest} alone", "unsafe", write)


def _import(suite: Suite, fixture: Fixture) -> Span | None:
    """Where a file imports a fixture by its name; None where it comes in another way."""
    facts = suite.facts(fixture.home or "")
    bindings = () if facts is None else facts.bindings
    found = [binding for binding in bindings if binding.name == fixture.attribute]
    if len(found) != 1 or found[0].guard != ALWAYS:
        return None
    value = found[0].value
    if not isinstance(value, Import) or value.name != fixture.attribute:
        return None
    return found[0].span


def conftest_above(suite: Suite, homes: Sequence[str]) -> str | None:
    """The nearest conftest that stands above all of these files."""
    if not homes:
        return None
    folder = commonpath([dirname(home) for home in homes])
    while True:
        path = f"{folder}/conftest.py" if folder else "conftest.py"
        if path in suite.files.conftests:
            return path
        if not folder:
            return None
        folder = dirname(folder)


def _all_import(suite: Suite, conftest: str, importers: dict[str | None, Span | None]) -> bool:
    """Whether every test file below a conftest imports the fixture."""
    folder = dirname(conftest)
    below = f"{folder}/" if folder else ""
    return all(path in importers for path in suite.files.test_files if path.startswith(below))


def _module(suite: Suite, fixture: Fixture, conftest: str) -> str:
    """How the conftest can import a fixture's module; empty where it cannot be told."""
    modules = suite.evaluator.modules
    for home in sorted(f.home or "" for f in suite.fixtures if f.key == fixture.key):
        facts = suite.facts(home)
        for binding in () if facts is None else facts.bindings:
            value = binding.value
            if binding.name != fixture.attribute or not isinstance(value, Import):
                continue
            if not value.level and modules.find(value.module, conftest) == fixture.path:
                return value.module
    return ""
