"""Holds the warnings of pytest-asyncio against the deprecations that scopecheck reports."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loops.predict import Predicted
    from loops.record import Run


@dataclasses.dataclass(frozen=True)
class Deprecation:
    """What pytest-asyncio would warn of.

    kind: `override` of `event_loop`, a `request` for it, the `policy` overridden, or the `mark`
        with `scope=`. function: whose definition or request it is. tests: the node ids it concerns.
    """

    kind: str
    function: str
    tests: frozenset[str]


WITHDRAWN = (0, 22, 0)
"""It deprecates what 0.21 and 0.23 do not, in ways that nobody uses."""

# What pytest-asyncio warns of, and what it calls who is concerned (else the test's node id).
_WARNINGS = {
    "override": r"The event_loop fixture provided by pytest-asyncio has been redefined",
    "request": r"^(\w+) is asynchronous and explicitly requests the \"event_loop\" fixture",
    "policy": r"Overriding the \"event_loop_policy\" fixture is deprecated",
    "mark": r"The \"scope\" keyword argument to the asyncio marker has been deprecated",
    "unhandled": r"asyncio test '\w+' requested async @pytest.fixture",
}


class Deprecations:
    """The two answers for one project; `seen` has the number of warnings compared."""

    def __init__(self, version: tuple[int, ...], run: Run, predicted: Predicted) -> None:
        self.version = version
        self.items = {item.nodeid: item for item in run.items}
        self.predicted = predicted
        self.warned = _warned(run)
        self.seen = 0

    def disagreements(self) -> Iterator[str]:
        """A sentence for each difference."""
        if self.version == WITHDRAWN:
            return
        said: dict[str, list[Deprecation]] = {}
        for each in self.predicted.deprecations:
            said.setdefault(each.kind, []).append(each)
        yield from self.definitions("override", said.get("override", []))
        yield from self.definitions("policy", said.get("policy", []))
        yield from self.requests(said)
        yield from self.marks(said.get("mark", []))
        yield from self.unhandled()

    def definitions(self, kind: str, said: Sequence[Deprecation]) -> Iterator[str]:
        """Overrides of the plugin's fixtures, of which it warns when they are set up."""
        warned = set(self.warned.get(kind, ()))
        nodeids = set(warned)
        if kind == "override":
            # Others may request it, or get it for their mark, and have nothing run on it.
            nodeids &= self.runs_on_event_loop()
        nodeids = set(filter(self.is_known, nodeids))
        self.seen += bool(nodeids)
        if nodeids and not said:
            yield f"pytest-asyncio warns of the {kind}"
        passed = self.passed(said)
        if kind == "override":
            passed = {nodeid for nodeid in passed if "function" in self.items[nodeid].made}
        if passed and not warned:
            yield f"pytest-asyncio does not warn of the {kind}"

    def is_known(self, nodeid: str) -> bool:
        """Whether scopecheck says who runs a test and its fixtures."""
        prediction = self.predicted.items.get(nodeid)
        return prediction is not None and not prediction.unknown

    def is_async(self) -> set[str]:
        """The async tests that were collected."""
        predicted = self.predicted.items
        return {nodeid for nodeid in self.items.keys() & predicted if predicted[nodeid].loop}

    def runs_on_event_loop(self) -> set[str]:
        """The tests for which an async function runs, or would have, on `event_loop`."""
        return {
            nodeid
            for nodeid, item in self.items.items()
            if item.wanted == "function" or item.event_loop in item.loops.values()
        }

    def passed(self, said: Iterable[Deprecation]) -> set[str]:
        """The tests concerned that passed."""
        concerned = {nodeid for each in said for nodeid in each.tests} & self.items.keys()
        return {nodeid for nodeid in concerned if self.items[nodeid].outcome == "passed"}

    def requests(self, said: Mapping[str, Sequence[Deprecation]]) -> Iterator[str]:
        """Async functions that request `event_loop`; where it is overridden, that is told instead.

        The plugin warns of fixtures that no test uses, too.
        """
        if said.get("override"):
            return
        known = set(filter(self.is_known, self.items))
        told = {each.function for each in said.get("request", ()) if each.tests & known}
        used = set()
        for nodeid in known:
            used |= {self.items[nodeid].function, *self.predicted.items[nodeid].fixtures}
        warned = used & set(self.warned.get("request", ()))
        self.seen += len(warned)
        for function in sorted(warned ^ told):
            yield f"pytest-asyncio {_warns(function in warned)} of the request by {function}"

    def marks(self, said: Sequence[Deprecation]) -> Iterator[str]:
        """Marks with `scope=`.

        From 1.4 on the warning does not say of which test; up to 1.0 it is given when the test is
        collected, too, and only then if a hook gives it another mark.
        """
        told = {nodeid for each in said for nodeid in each.tests} & self.items.keys()
        if self.version >= (1, 4):
            warned = "mark" in self.warned
            self.seen += warned
            if warned != bool(told) and all(map(self.is_known, self.items)):
                yield f"pytest-asyncio {_warns(warned)} of a mark's `scope=`"
            return
        warnings = self.warned.get("mark", ())
        nodeids = set(warnings) & self.is_async()
        if self.version < (1, 1) and "" in warnings:
            told &= nodeids
        self.seen += len(nodeids)
        for nodeid in filter(self.is_known, sorted(nodeids ^ told)):
            yield f"pytest-asyncio {_warns(nodeid in nodeids)} of the `scope=` of {nodeid}"

    def unhandled(self) -> Iterator[str]:
        """Tests of which 0.25 to 1.2 say, as they run, that nobody handles a fixture."""
        if not (0, 25) <= self.version < (1, 3):
            return
        warned = set(self.warned.get("unhandled", ()))
        self.seen += len(warned)
        for nodeid in filter(self.is_known, sorted(self.items)):
            prediction = self.predicted.items[nodeid]
            if self.items[nodeid].outcome != "passed":
                continue
            told = prediction.loop not in (None, "none") and any(
                each.kind == "unhandled-fixture" and each.scope != "overridden"
                for each in prediction.troubles
            )
            if told != (nodeid in warned):
                yield f"pytest-asyncio {_warns(not told)} of an unhandled fixture of {nodeid}"


def _warned(run: Run) -> dict[str, list[str]]:
    """Who is concerned by the warnings of each kind."""
    found: dict[str, list[str]] = {}
    for each in run.warnings:
        for kind, pattern in _WARNINGS.items():
            match = re.search(pattern, each.message)
            if match:
                who = match[1] if match.groups() else each.nodeid
                found.setdefault(kind, []).append(who)
    return found


def _warns(warned: bool) -> str:
    return "warns" if warned else "does not warn"
