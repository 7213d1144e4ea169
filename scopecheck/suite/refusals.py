"""Says which items pytest never gets, because it cannot collect what they stand in, and why."""

from __future__ import annotations

from pathlib import Path
from posixpath import basename, join
from typing import TYPE_CHECKING

from msgspec import Struct

from scopecheck.suite.marks import argument_names
from scopecheck.suite.values import Literal, strings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scopecheck.suite.model import Item
    from scopecheck.suite.modules import Modules
    from scopecheck.suite.values import MarkValue


class Refusal(Struct, frozen=True):
    """Why a node is not collected; `invalid_scope` is the fixture whose scope pytest rejects.

    untold: no rule but never-collected (SCP312) reports it. of_item: a test of the node is the
    cause, not the node itself.
    """

    reason: str
    invalid_scope: str = ""
    untold: bool = False
    of_item: bool = False


def refuse(
    items: Iterable[Item],
    broken: dict[str, Refusal],
    test_files: Iterable[str],
    modules: Modules,
    nodeid: Callable[[str], str],
    *,
    one_namespace: bool,
) -> None:
    """Note on each item why it is not collected, if it is not.

    Args:
        items: all items, each with its plan.
        broken: the nodes that are known not to be collected, by node id; grows here.
        test_files: in the order of collection.
        modules: gives the name under which a file is imported.
        nodeid: of a test file.
        one_namespace: files are imported by their names (`prepend` and `append`, not `importlib`).
    """
    found = list(items)
    if one_namespace:
        _refuse_same_names(broken, test_files, modules, nodeid)
    for item in found:
        if not item.marks:
            continue
        reason = next(_parametrization_errors(item), None)
        if reason is not None:
            item.refused_here = True
            node = item.nodeid.rpartition("::")[0]
            broken.setdefault(node, Refusal(reason, untold=True, of_item=True))
    if not broken:
        return
    for item in found:
        item.refusal = next(
            (broken[node] for node in _nodes_above(item.nodeid) if node in broken), None
        )


def _nodes_above(nodeid: str) -> Iterator[str]:
    """The node ids of what an item stands in, innermost first; `.` is the session."""
    for separator in ("::", "/"):
        while separator in nodeid:
            nodeid = nodeid.rpartition(separator)[0]
            yield nodeid
    yield "."


def _refuse_same_names(
    broken: dict[str, Refusal],
    test_files: Iterable[str],
    modules: Modules,
    nodeid: Callable[[str], str],
) -> None:
    first: dict[str, str] = {}
    for path in test_files:
        name = modules.name_of(path)
        other = first.setdefault(name, path)
        if other == path or basename(path) == "conftest.py":
            continue
        # One file by two names is no mismatch (`_pytest.pathlib.import_path`).
        if not _is_same_file(join(modules.root, path), join(modules.root, other)):
            reason = f"the module {name!r} is {other} already: import file mismatch"
            broken.setdefault(nodeid(path), Refusal(reason))


def _is_same_file(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except OSError:
        return False


def _parametrization_errors(item: Item) -> Iterator[str]:
    """What pytest says of an item's `parametrize` marks when it collects the test."""
    if item.testcase or item.plan is None or not item.parametrized.complete:
        return
    if item.opaque or item.unknown:
        return  # The function that pytest asks for its arguments may be another one.
    seen: set[str] = set()
    for mark in item.marks:
        if mark.name != "parametrize":
            continue
        names = argument_names(mark) or ()
        indirect = _indirect_names(mark)
        for name in indirect:
            if name not in names:
                yield f"indirect fixture '{name}' doesn't exist"
        for name in names:
            if name in seen:
                yield f"duplicate parametrization of '{name}'"
            seen.add(name)
            # A fixture that cannot be seen may need the name.
            if name not in item.plan.closure and not item.plan.unknown:
                kind = "fixture" if name in item.parametrized.indirect else "argument"
                yield f"function uses no {kind} '{name}'"


def _indirect_names(mark: MarkValue) -> tuple[str, ...]:
    value = mark.args[2] if len(mark.args) > 2 else mark.keyword("indirect")
    return () if value is None or isinstance(value, Literal) else strings_of(value) or ()
