"""Holds what pytest did with a project against what scopecheck says of it."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import TYPE_CHECKING

from loops import trouble as troubles
from loops.deprecations import Deprecations
from loops.generator import parse
from loops.trouble import Trouble

if TYPE_CHECKING:
    from loops.predict import Predicted, Prediction
    from loops.record import CollectError, ItemRun, Run


@dataclasses.dataclass
class Comparison:
    """One project's. `counts` has what was compared, `unknown` why scopecheck cannot say."""

    disagreements: list[str] = dataclasses.field(default_factory=list)
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    unknown: Counter[str] = dataclasses.field(default_factory=Counter)


# Problems that end a test's set-up, if they do not keep its module from being collected.
_ENDS_SETUP = {
    "called",
    "cycle",
    "invalid-mark",
    "outside",
    "policy-mismatch",
    "scope-mismatch",
    "unknown-fixture",
}
_ENDS_COLLECTION = {"multiple-loops", "refusal"}
_ENDED_EARLY = (-1, 3, 4)
"""Statuses of a run that was stopped, by an error of pytest's own or of its configuration."""


def compare(version: str, pytest: str, run: Run, predicted: Predicted) -> Comparison:
    """Every test, pair, warning and collection error of one project."""
    return _Comparer(parse(version), parse(pytest), run, predicted).compare()


class _Comparer:
    def __init__(
        self, version: tuple[int, ...], pytest: tuple[int, ...], run: Run, predicted: Predicted
    ) -> None:
        self.version = version
        self.pytest = pytest
        self.run = run
        self.predicted = predicted
        self.found = Comparison()
        self.failed: list[Trouble] = []

    def compare(self) -> Comparison:
        refused = self.predicted.errors or all(
            any(trouble.kind == "refusal" for trouble in each.troubles)
            for each in self.predicted.items.values()
        )
        if self.run.status in _ENDED_EARLY:
            self.found.counts["refused"] += 1
            if not refused:
                words = troubles.last_line(self.run.output)
                self.disagree("the run", f"it ended early: {words}")
            return self.found
        if self.predicted.errors:
            self.disagree("the run", f"it was said to be refused: {self.predicted.errors[0]}")
        seen = {item.nodeid for item in self.run.items}
        for item in self.run.items:
            self.item(item)
        for error in self.run.collect_errors:
            self.found.counts["collection errors"] += 1
            self.collection(error)
        for nodeid in sorted(self.predicted.items.keys() - seen):
            if not any(_covers(error.nodeid, nodeid) for error in self.run.collect_errors):
                self.disagree(nodeid, "pytest does not collect it")
        deprecations = Deprecations(self.version, self.run, self.predicted)
        for each in deprecations.disagreements():
            self.disagree("the run", each)
        self.found.counts["deprecations"] += deprecations.seen
        return self.found

    def disagree(self, nodeid: str, what: str) -> None:
        self.found.disagreements.append(f"{nodeid}: {what}")

    def item(self, item: ItemRun) -> None:
        """One test."""
        prediction = self.predicted.items.get(item.nodeid)
        if prediction is None:
            self.disagree(item.nodeid, "scopecheck does not collect it")
            return
        self.found.counts["items"] += 1
        if prediction.unknown:
            self.found.counts["unknown"] += 1
            self.found.unknown.update(prediction.unknown)
        else:
            self.outcome(item, prediction)
        self.pairs(item, prediction)

    def outcome(self, item: ItemRun, prediction: Prediction) -> None:
        """What became of the test."""
        expected = self.expected(prediction)
        if expected and expected[0].kind in _ENDS_COLLECTION:
            self.disagree(item.nodeid, f"pytest collects it in spite of [{expected[0]}]")
            return
        happened = troubles.of_test(item)
        said = ", ".join(map(str, expected)) or "nothing"
        if happened is None and expected:
            if all(_is_past(item, each) for each in expected):
                self.found.counts["set up before"] += 1
            else:
                self.disagree(item.nodeid, f"it passes; scopecheck says {said}")
        elif happened is not None:
            agreed = self.error(item, happened, expected)
            self.failed.append(happened)
            if not agreed and item.phase == "setup":
                return
        if not any(self.ends_setup(each) for each in expected):
            self.handling(item, happened, prediction)

    def expected(self, prediction: Prediction) -> list[Trouble]:
        """What may come first: at collection, in the test's set-up, or as it is called."""
        collection = [each for each in prediction.troubles if each.kind in _ENDS_COLLECTION]
        setup = [each for each in prediction.troubles if self.ends_setup(each)]
        call = [each for each in prediction.troubles if each.kind == "unhandled-test"]
        return collection or setup or call

    def ends_setup(self, trouble: Trouble) -> bool:
        """Whether pytest raises it before it calls the test."""
        if trouble.kind == "unhandled-fixture":
            return self.pytest >= (9,)
        return trouble.kind in _ENDS_SETUP

    def error(self, item: ItemRun, happened: Trouble, expected: list[Trouble]) -> bool:
        """Compares what went wrong with what was said; whether it was said."""
        if any(happened.agrees(each) for each in expected):
            self.found.counts[happened.kind] += 1
            self.found.counts["errors"] += 1
            self.found.counts["not the first that was said"] += not happened.agrees(expected[0])
            return True
        if item.again or self.failed_before(happened, expected):
            self.found.counts["failed before"] += 1
        elif expected and all(_is_past(item, each) for each in expected):
            self.found.counts["set up before"] += 1
        else:
            said = ", ".join(map(str, expected)) or "nothing"
            self.disagree(item.nodeid, f"pytest says [{happened}]; scopecheck says {said}")
        return False

    def failed_before(self, happened: Trouble, expected: list[Trouble]) -> bool:
        """Whether pytest only says that it could not set up again what it could not before.

        From 9.1 on it refuses a fixture that another plugin's hook kept from being set up.
        """
        return (
            self.pytest >= (9, 1)
            and happened.name == "failed setup: AssertionError"
            and any(before.agrees(each) for before in self.failed for each in expected)
        )

    def handling(self, item: ItemRun, happened: Trouble | None, prediction: Prediction) -> None:
        """Which fixtures nobody ran."""
        if happened is not None and happened.kind == "other":
            return
        said = {
            each.fixture
            for each in prediction.troubles
            if each.kind == "unhandled-fixture" and each.fixture is not None
        }
        self.found.counts["unhandled fixtures"] += len(item.unhandled)
        for fixture in sorted(said ^ set(item.unhandled)):
            what = "was said to be run by nobody" if fixture in said else "is run by nobody"
            self.disagree(item.nodeid, f"{fixture} {what}")

    def pairs(self, item: ItemRun, prediction: Prediction) -> None:
        """Which async functions share a loop."""
        exact = self.is_exact(item, prediction)
        for reach in item.reach:
            user = item.function if reach.user is None else reach.user
            key = (reach.user, reach.fixture)
            if user not in item.loops or reach.fixture not in item.loops:
                continue
            same = item.loops[user] == item.loops[reach.fixture]
            pairs = prediction.handed if reach.handed else prediction.unhanded
            what = f"{user} and {reach.fixture}"
            if key not in pairs:
                self.disagree(item.nodeid, f"{what}: the pair is missing")
            elif reach.user is None and not exact:
                self.found.counts["pairs by accident"] += 1
            elif _could_not_be(item, prediction, reach.fixture):
                self.found.counts["pairs set up before"] += 1
            elif pairs[key] is None:
                self.found.counts["unknown"] += 1
                self.found.unknown["whether two loops are one"] += 1
            else:
                self.found.counts["pairs"] += 1
                self.found.counts["same" if same else "different"] += 1
                if pairs[key] != same:
                    self.disagree(item.nodeid, f"{what} are {'' if same else 'not '}on one loop")
        seen = {(reach.user, reach.fixture) for reach in item.reach}
        for asker, fixture in sorted(prediction.handed.keys() - seen, key=str):
            self.disagree(item.nodeid, f"{asker or 'the test'} gets nothing from {fixture}")

    def is_exact(self, item: ItemRun, prediction: Prediction) -> bool:
        """Whether the test ran on the loop that it asked for.

        From 0.23 to 1.1 it runs on the loop that was made last, which may be another by accident.
        """
        if self.version < (0, 23) or self.version >= (1, 2):
            return True
        if prediction.loop not in (item.wanted or "none", "unknown", "asyncio", None):
            self.disagree(item.nodeid, f"its loop scope is {item.wanted}, not {prediction.loop}")
        return bool(item.made) and item.made[-1] == item.wanted

    def collection(self, error: CollectError) -> None:
        """What kept a module, or a class, from being collected."""
        message = re.sub(r"^E\s+", "", error.message, flags=re.M)
        happened = troubles.of_message(message) or Trouble("refusal")
        if happened.kind == "refusal" and error.nodeid in self.predicted.broken:
            self.found.counts["refusal"] += 1
            self.found.counts["errors"] += 1
            return
        asking = re.search(r"have been requested\s+by (\S+)\. The test", message)
        for nodeid, prediction in self.predicted.items.items():
            if not _covers(error.nodeid, nodeid) or (asking and asking[1] != nodeid):
                continue
            if any(happened.agrees(each) for each in prediction.troubles):
                self.found.counts[happened.kind] += 1
                self.found.counts["errors"] += 1
                return
        self.disagree(error.nodeid, f"it is not collected: {troubles.last_line(error.message)}")


def _is_past(item: ItemRun, trouble: Trouble) -> bool:
    """Whether it cannot happen since an earlier test, in other surroundings, had it all set up."""
    if trouble.kind == "policy-mismatch":
        return not any(f"_{scope}_" in trouble.name for scope in item.made)
    return trouble.kind in ("scope-mismatch", "outside") and trouble.fixture in item.kept


def _could_not_be(item: ItemRun, prediction: Prediction, fixture: str) -> bool:
    """Whether the fixture was there before, and could not have been set up for this test."""
    return any(
        each.kind != "policy-mismatch" and each.fixture == fixture and _is_past(item, each)
        for each in prediction.troubles
    )


def _covers(node: str, nodeid: str) -> bool:
    return not node or nodeid == node or nodeid.startswith((f"{node}/", f"{node}::"))
