"""Says where the loop scope of tests is written, or would be, and writes it.

site    the closest asyncio mark of a test, as an expression in a file
step    one edit that gives tests a loop scope: a site changed, or a mark added to a function,
        a class or a module
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from scopecheck.expressions import Call, Name
from scopecheck.fix.calls import rewrite_call
from scopecheck.fix.edits import Withheld
from scopecheck.fix.marks import calls_of_marks, decorate, mark_module, spell_mark
from scopecheck.fix.names import quote
from scopecheck.suite.model import Scope
from scopecheck.suite.values import ClassValue, MarkValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scopecheck.expressions import Expression
    from scopecheck.fix.workspace import Workspace
    from scopecheck.source import Span
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Item
    from scopecheck.suite.namespace import Namespace

Where: TypeAlias = Literal["site", "function", "class", "module", "nowhere"]


@dataclass(frozen=True)
class Site:
    """An asyncio mark where it is written."""

    path: str
    span: Span


@dataclass(frozen=True)
class Step:
    """One edit, the loop scope that it gives (None: the default), and the tests that get it.

    line: of the `def` or `class`, or 0. indexed by place: two equal ones are one edit.
    """

    where: Where
    path: str
    line: int
    scope: Scope | None
    site: Site | None = None


class Marks:
    """The asyncio marks of a suite's tests.

    Args:
        workspace: the files.
        suite: the suite as it was.
        unmarked: tests that have no mark and need one.
    """

    def __init__(self, workspace: Workspace, suite: Suite, unmarked: Iterable[Item] = ()) -> None:
        self._workspace = workspace
        self._suite = suite
        self._unmarked = frozenset(unmarked)
        self._sites: dict[Item, Site | None] = {}
        self._items_of: dict[str, list[Item]] = {}
        for item in suite.items:
            self._items_of.setdefault(item.path, []).append(item)

    def steps(self, targets: Mapping[Item, Scope], default: Scope) -> list[Step]:
        """The edits that give each test its loop scope, where the default is another one."""
        found: dict[Step, None] = {}
        sited: dict[Site, list[Item]] = {}
        free: dict[str, list[Item]] = {}
        for item in targets:
            site = self.site(item)
            if site is not None:
                sited.setdefault(site, []).append(item)
            elif targets[item] is not default or item in self._unmarked:
                free.setdefault(item.path, []).append(item)
        for site, items in sited.items():
            chosen = self._most(items, targets, default)
            if chosen is not default:
                found[Step("site", site.path, site.span.line, chosen, site)] = None
            found.update(self._closer([i for i in items if targets[i] is not chosen], targets))
        for path, items in free.items():
            found.update(self._added(path, items, targets, default))
        return list(found)

    def _most(self, items: Sequence[Item], targets: Mapping[Item, Scope], default: Scope) -> Scope:
        counts = Counter(targets[item] for item in items)
        return max(counts, key=lambda scope: (counts[scope], scope is default, scope))

    def _closer(self, items: Iterable[Item], targets: Mapping[Item, Scope]) -> dict[Step, None]:
        """Marks on the functions themselves, for tests that need another one than their site's."""
        return {self._on_function(item, targets[item]): None for item in items}

    def _added(
        self, path: str, items: list[Item], targets: Mapping[Item, Scope], default: Scope
    ) -> dict[Step, None]:
        """Marks for tests that have none: on their module, their classes or themselves."""
        chosen = targets[items[0]]
        alike = all(targets[item] is chosen for item in items)
        everything = self._items_of[path]
        all_of_it = alike and len(everything) > 1 and set(everything) == set(items)
        if all_of_it and chosen is not Scope.CLASS and self._module_may_be_marked(path):
            return {Step("module", path, 0, chosen): None}
        found: dict[Step, None] = {}
        for prefix, members in _by_class(items).items():
            whole = [item for item in everything if item.nodeid.rpartition("::")[0] == prefix]
            chosen = targets[members[0]]
            line = self._class_line(path, prefix)
            same = all(targets[item] is chosen for item in members)
            if line and len(members) > 1 and same and set(whole) == set(members):
                found[Step("class", path, line, chosen)] = None
                continue
            for item in members:
                scope = targets[item]
                found[self._on_function(item, None if scope is default else scope)] = None
        return found

    def _on_function(self, item: Item, scope: Scope | None) -> Step:
        path = item.place.path
        where: Where = "function" if self._workspace.may_edit(path) else "nowhere"
        return Step(where, path, item.line, scope)

    def _module_may_be_marked(self, path: str) -> bool:
        if not self._workspace.may_edit(path):
            return False
        space = self._suite.evaluator.module(path)
        bindings = [] if space is None else space.bindings.get("pytestmark", [])
        return len(bindings) < 2 and not any(binding.guard.branch for binding in bindings)

    def _class_line(self, path: str, prefix: str) -> int:
        """The line of a class that is written in this file, or 0."""
        space = self._suite.evaluator.module(path)
        line = 0
        for part in prefix.split("::")[1:]:
            value = None if space is None else self._suite.evaluator.lookup(space, part)
            if not isinstance(value, ClassValue) or value.module != path or value.decorated:
                return 0
            line = value.class_.line
            space = self._suite.evaluator.class_space(value)
        return line if self._workspace.may_edit(path) else 0

    def site(self, item: Item) -> Site | None:
        """The closest asyncio mark of a test; None where no file of the project has it."""
        if item not in self._sites:
            self._sites[item] = next(self._written(item), None)
        return self._sites[item]

    def _written(self, item: Item) -> Iterator[Site]:
        evaluator = self._suite.evaluator
        function_space = evaluator.module(item.place.path)
        if function_space is not None and item.function is not None:
            for decorator in reversed(item.function.decorators):
                if self._is_mark(decorator.expression, function_space):
                    yield Site(item.place.path, decorator.span)
        space = evaluator.module(item.path)
        if space is None:
            return
        classes: list[ClassValue] = []
        inner = space
        for part in item.nodeid.split("::")[1:-1]:
            value = evaluator.lookup(inner, part)
            if not isinstance(value, ClassValue):
                break
            classes.append(value)
            inner = evaluator.class_space(value)
        for value in reversed(classes):
            lineage = self._suite.linker.lineages.of(value)
            for holder in reversed(lineage.classes):
                yield from self._assigned(evaluator.class_space(holder), holder.module)
                for decorator in reversed(holder.class_.decorators):
                    if self._is_mark(decorator.expression, holder.env):
                        yield Site(holder.module, decorator.span)
        yield from self._assigned(space, item.path)

    def _assigned(self, space: Namespace, path: str) -> Iterator[Site]:
        for binding in space.bindings.get("pytestmark", ()):
            if not self._workspace.may_edit(path):
                return
            for part in self._workspace.code(path).value_parts(binding.span.line, "pytestmark"):
                if self._is_mark(part.expression, space):
                    yield Site(path, part.span)

    def _is_mark(self, expression: Expression, space: Namespace) -> bool:
        if not isinstance(expression, (Call, Name)):
            return False
        value = self._suite.evaluator.evaluate(expression, space)
        return isinstance(value, MarkValue) and value.name == "asyncio"


def _by_class(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.nodeid.rpartition("::")[0], []).append(item)
    return found


def write_steps(workspace: Workspace, steps: Iterable[Step]) -> dict[Site, dict[str, str]]:
    """Add the marks; what is to change in marks that are there is handed back, by its place."""
    changed: dict[Site, dict[str, str]] = {}
    for step in steps:
        match step.where:
            case "site":
                assert step.site is not None
                assert step.scope is not None
                quoted = quote(workspace, step.path, step.scope.word)
                changed[step.site] = {"loop_scope": quoted}
            case "function" | "class":
                decorate(workspace, step.path, step.line, _mark(workspace, step))
            case "module":
                mark_module(workspace, step.path, _mark(workspace, step))
            case "nowhere":
                word = "its default" if step.scope is None else f'"{step.scope.word}"'
                workspace.leave(step.path, step.line, f"give this test loop_scope={word}")
    return changed


def _mark(workspace: Workspace, step: Step) -> str:
    scope = None if step.scope is None else step.scope.word
    return spell_mark(workspace, step.path, "asyncio", scope)


def rename_scopes(workspace: Workspace, suite: Suite) -> dict[Site, dict[str, str]]:
    """Every asyncio mark that says `scope=`, wherever it stands, by its place: what to rename."""
    found: dict[Site, dict[str, str]] = {}
    for path in sorted(suite.own_files):
        if not workspace.may_edit(path):
            continue
        text = suite.text(path)
        if "asyncio" not in text or "scope" not in text:
            continue
        space = suite.evaluator.module(path)
        for call in calls_of_marks(workspace, path):
            if space is None or call.keyword("scope") is None:
                continue
            value = suite.evaluator.evaluate(call.func, space)
            if not (isinstance(value, MarkValue) and value.name == "asyncio"):
                continue
            if call.keyword("loop_scope") is not None:
                workspace.leave(path, call.span.line, "the mark has both `scope` and `loop_scope`")
                continue
            found[Site(path, call.span)] = {"scope": "loop_scope"}
    return found


def rewrite_marks(
    workspace: Workspace,
    renamed: Mapping[Site, Mapping[str, str]],
    given: Mapping[Site, Mapping[str, str]],
) -> None:
    """Write what is to change in marks that are there."""
    for site in sorted({*renamed, *given}, key=lambda one: (one.path, one.span)):
        editor = workspace.editor(site.path)
        text = editor.slice(site.span)
        names, values = renamed.get(site, {}), given.get(site, {})
        try:
            editor.replace(site.span, rewrite_call(text, renamed=names, given=values))
        except Withheld as reason:
            wanted = ", ".join(f"{key}={value}" for key, value in values.items())
            workspace.leave(site.path, site.span.line, f"give this mark {wanted} ({reason})")
