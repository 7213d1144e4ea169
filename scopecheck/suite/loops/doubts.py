"""Says what may run an async test or fixture after all, where no plugin that is known does.

That nobody runs it can be told only where everything is known that could: plugins, hooks, marks,
modes, classes. Whatever else is found here, even a word in a script, makes it unknown.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from scopecheck.suite.loops.model import Loop
from scopecheck.suite.marks import UNKNOWN_MARK, argument_values, param_marks

if TYPE_CHECKING:
    from scopecheck.plugins import Said
    from scopecheck.pytest_config import PytestConfig
    from scopecheck.suite.link import Linker
    from scopecheck.suite.loops.added import AsyncHooks
    from scopecheck.suite.model import Item
    from scopecheck.suite.sources import AsyncPlugins

UNKNOWN_PLUGINS = "not every plugin in force is known"
# Marks by which plugins know the tests that they run.
_RUNNER_MARKS = frozenset(
    {
        "aio",
        "alt_asyncio",
        "anyio",
        "asyncio_cooperative",
        "curio",
        "gen_test",
        "tornado",
        "trio",
        "twisted",
    }
)
# Those that `pytest.param` may give to a part of a test's parametrizations.
_PARAM_MARKS = _RUNNER_MARKS | {"asyncio", UNKNOWN_MARK.name}


class Doubts:
    """What may run the async code of one suite, unseen.

    Args:
        config: pytest's.
        known: the async plugins in force.
        hooks: what the suite's hooks do to async tests.
        linker: of the suite.
    """

    def __init__(
        self,
        config: PytestConfig,
        known: AsyncPlugins,
        hooks: AsyncHooks,
        linker: Linker,
    ) -> None:
        self._config = config
        self._known = known
        self._hooks = hooks
        self._linker = linker
        self._found: dict[Item, Loop | None] = {}

    def of(self, item: Item) -> Loop | None:
        """Who may run an async test, or an async fixture for a test; None where nobody can."""
        if item not in self._found:
            self._found[item] = self._of(item)
        return self._found[item]

    def _of(self, item: Item) -> Loop | None:
        if item.opaque or item.unknown:
            return Loop("unknown", reason="a decorator may run it")
        if item.runs_async:
            return Loop("other", reason="its class may run it")
        for level in item.levels:
            if not level.complete and level.kind in ("module", "class"):
                return Loop("unknown", reason=level.reason)
        for place, hook in self._hooks.runs:
            return Loop("unknown", reason=f"{hook} in {place.path} may run it")
        if item.testcase:
            return None
        if item.is_async and item.function is not None and item.function.is_generator:
            # No mark and no mode makes a plugin run an async generator.
            return self._plugin
        return self._marks or self._mark(item) or self._plugin or self._script(item)

    @cached_property
    def _marks(self) -> Loop | None:
        for text in self._hooks.unknown:
            return Loop("unknown", reason=f"{text} may change its marks")
        for added in self._hooks.added:
            if added.mark.name != "asyncio":
                reason = f"a hook in {added.place.path} adds the mark {added.mark.name!r}"
                return Loop("unknown", reason=reason)
        return None

    def _mark(self, item: Item) -> Loop | None:
        known = {"anyio": self._known.anyio, "trio": self._known.trio}
        for fixture in () if item.plan is None else item.plan.order:
            if not fixture.param_marks.isdisjoint(_PARAM_MARKS):
                return Loop("unknown", reason=f"the parameters of {fixture.name!r} have marks")
        for mark in item.marks:
            if mark == UNKNOWN_MARK:
                return Loop("unknown", reason="its marks are computed")
            if mark.name == "parametrize":
                names = param_marks(argument_values(mark))
                if not names.isdisjoint(_PARAM_MARKS):
                    return Loop("unknown", reason="its parameters have marks")
            if mark.name in _RUNNER_MARKS and not known.get(mark.name, self._known.installed):
                return Loop("unknown", reason=f"the mark {mark.name!r} is for a plugin")
        return None

    @cached_property
    def _plugin(self) -> Loop | None:
        if self._linker.unread:
            return Loop("unknown", reason=self._linker.unread[0])
        for space, _ in self._linker.hook_spaces:
            if not space.complete:
                reason = f"{space.path} binds names that only running it can tell"
                return Loop("unknown", reason=reason)
        for source in self._linker.sources:
            if source.dist in self._known.runners:
                return Loop("other", reason=f"{source.dist} may run it")
            if not source.readable:
                return Loop("unknown", reason=f"nobody knows the plugin {source.name!r}")
        if not self._known.complete:
            return Loop("unknown", reason=UNKNOWN_PLUGINS)
        modes = {
            "anyio": (self._config.anyio_mode, self._known.anyio),
            "trio": (self._config.ini.get("trio_mode"), self._known.trio),
        }
        for name, (mode, known) in modes.items():
            if mode and not known:
                return Loop("unknown", reason=f"{name} has a mode, and is not seen to be in force")
        return None

    def _script(self, item: Item) -> Loop | None:
        said = self._said
        if said is None:
            return None
        place = said.auto
        for folder, where in said.tables:
            if not folder or item.path.startswith(f"{folder}/"):
                place = place or where
        if place:
            return Loop("unknown", reason=f"{place} sets the auto mode")
        for name, where in (*said.runners, *said.loaded):
            return Loop("unknown", reason=f"the plugin {name}, named at {where}, may run it")
        return None

    @cached_property
    def _said(self) -> Said | None:
        return None if self._known.said is None else self._known.said()
