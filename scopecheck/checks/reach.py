"""What of a suite is reached, seen, bound and certain, for the checks that ask about absence."""

from __future__ import annotations

from posixpath import basename, dirname
from typing import TYPE_CHECKING

from scopecheck.expressions import Const, Name
from scopecheck.facts import Import

if TYPE_CHECKING:
    from scopecheck.facts import Binding, FileFacts
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture, Item, Level, Problem

# Told by the rules about event loops.
LOOP_FIXTURES = frozenset({"event_loop"})

# What lies where projects are made from templates, or coding agents are shown how to write tests.
_TEMPLATE_FILES = frozenset({"cookiecutter.json", "copier.yml", "copier.yaml", "SKILL.md"})


def has_unread(suite: Suite) -> bool:
    """Whether a file of the suite could not be read or parsed."""
    files = suite.files
    if suite.part is not None and suite.part.whole.unread:
        return True
    return any(suite.facts(path) is None for path in (*files.conftests, *files.test_files))


def is_for_pytest(suite: Suite) -> bool:
    """Whether a suite of unittest's classes shows that pytest runs it, and not unittest itself."""
    files = suite.files
    if files.conftests or files.config.ini:
        return True
    suite.needs_whole("whether pytest runs the suite")
    if not any(item.testcase for item in suite.items):
        return True
    return any(
        isinstance(binding.value, Import) and binding.value.module.partition(".")[0] == "pytest"
        for path in files.test_files
        if (facts := suite.facts(path)) is not None
        for binding in facts.bindings
    )


def unreached_fixtures(suite: Suite) -> list[Fixture]:
    """Definitions of the suite's own files that no test sets up through any registration.

    Of a part of a suite, those of its files.
    """
    part = suite.part
    reached = {fixture.key for fixture in suite.users}
    return [
        fixture
        for fixture in suite.fixtures
        if fixture.path is not None
        and (part is None or fixture.home in part.files)
        and fixture.key not in reached
        and fixture.certain
        and not (fixture.assumed or fixture.pseudo or fixture.opaque)
    ]


def plainly_bound(suite: Suite, fixture: Fixture) -> bool:
    """Whether the definition is registered on every run, and not by a factory or in a class."""
    binding = bound_at(suite, fixture)
    return binding is not None and binding.guard.branch == "" and not binding.guard.caught


def bound_at(suite: Suite, fixture: Fixture) -> Binding | None:
    """The statement that binds a module's or conftest's fixture where it is registered."""
    if fixture.level == "class" or fixture.home is None:
        return None
    space = suite.evaluator.module(fixture.home)
    bindings = None if space is None else space.bindings.get(fixture.attribute)
    return bindings[-1] if bindings else None


def levels_of(suite: Suite, fixture: Fixture) -> tuple[Level, ...] | None:
    """The levels that a module's or conftest's fixture can see, from its own place."""
    home = fixture.home or ""
    folders: list[Level] = []
    folder = dirname(home)
    while folder:
        level = suite.linker.folders.get(folder)
        if level is not None:
            folders.append(level)
        folder = dirname(folder)
    folders.reverse()
    if fixture.level != "module":
        return (suite.linker.session, *folders)
    module = suite.linker.modules.get(home)
    return None if module is None else (suite.linker.session, *folders, module)


def has_own_run(suite: Suite, path: str) -> bool:
    """Whether a file lies in a folder with a configuration of its own, or in a project template.

    Its tests are run from there, with plugins that the rest of the suite may not have.
    """
    return is_in_template(suite, path) or any(
        entry.reason == "folder" and path.startswith(f"{dirname(suite.relative(entry.path))}/")
        for entry in suite.files.config.ignored
    )


def has_own_requirements(suite: Suite, path: str) -> bool:
    """Whether a file lies in an example or the like that lists what it needs installed itself.

    (A list in a folder of tests is read as one of the whole suite's.)
    """
    rootdir = suite.linker.rules.rootdir
    folder = dirname(path)
    while folder and folder != rootdir:
        if not basename(folder).startswith("test") and any(
            entry.startswith("requirements") and entry.endswith(".txt")
            for entry in suite.evaluator.modules.entries(folder)
        ):
            return True
        folder = dirname(folder)
    return False


def is_in_template(suite: Suite, path: str) -> bool:
    """Whether a file is a template of a project, or an example of a skill of coding agents."""
    if "{{" in path:
        return True
    folder = dirname(path)
    while folder:
        if not _TEMPLATE_FILES.isdisjoint(suite.evaluator.modules.entries(folder)):
            return True
        folder = dirname(folder)
    return False


# What is asked for in so many files, and like nothing that is there, comes from a plugin that is
# not seen: its name does not say that it is one, and whoever declares it knows.
_MANY = 3


def unseen_names(suite: Suite) -> frozenset[str]:
    """Names that many files ask for and no definition has."""
    files: dict[str, set[str]] = {}
    for plan, items in suite.items_of.items():
        for problem in plan.problems:
            if problem.kind != "unknown-fixture" or not is_sure(problem):
                continue
            asker = problem.stack[-1].path if problem.stack else None
            asking = files.setdefault(problem.name, set())
            asking.update([asker] if asker else (item.place.path for item in items))
    many = [name for name, asking in files.items() if len(asking) >= _MANY]
    known = {fixture.name for fixture in suite.fixtures} if many else set()
    return frozenset(name for name in many if name not in known)


def is_sure(problem: Problem) -> bool:
    """Whether pytest raises it on every run, and no rule about event loops tells it."""
    return (
        problem.certain
        and problem.name not in LOOP_FIXTURES
        and all(fixture.certain and not fixture.opaque for fixture in problem.stack)
    )


class Silenced:
    """Tests that pytest never sets up, or whose parameters are not known."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._skipped: dict[str, bool] = {}

    def item(self, item: Item) -> bool:
        """Whether what the test asks for stays unanswered without harm."""
        if item.skipped or item.opaque:
            return True
        skipped = self._skipped.get(item.path)
        if skipped is None:
            facts = self._suite.facts(item.path)
            skipped = self._skipped[item.path] = facts is not None and _skips_itself(facts)
        return skipped


def _skips_itself(facts: FileFacts) -> bool:
    """Whether a module skips all that is in it, by a statement under no condition."""
    return any(
        isinstance(found.call.func, Name)
        and found.call.func.parts[-1] == "skip"
        and found.call.keyword("allow_module_level") == Const(True)
        and found.call.span.column == 1
        for found in facts.module_calls
    )
