"""Collection: tests, modules and configuration that pytest does not take in."""

from __future__ import annotations

import re
from difflib import get_close_matches
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.checks.reach import has_own_run, is_for_pytest
from scopecheck.checks.wording import listed
from scopecheck.checks.wording import tests as how_many_tests
from scopecheck.expressions import Call, ClassRef, FunctionRef
from scopecheck.facts import Deleted
from scopecheck.finding import Cause, Fault, Place
from scopecheck.source import Span
from scopecheck.suite import mentions
from scopecheck.suite.asserting import is_test_path
from scopecheck.suite.collect import as_function, matches
from scopecheck.suite.imports import Memo, unresolved
from scopecheck.suite.values import ClassValue, FunctionValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scopecheck.facts import FileFacts, Function
    from scopecheck.pytest_files import Difference, Shadowed
    from scopecheck.suite import Suite
    from scopecheck.suite.classes import Lineage
    from scopecheck.suite.imports import Unresolved
    from scopecheck.suite.model import Item
    from scopecheck.suite.namespace import Namespace


@looks("near")
def misplaced_pytest_plugins(suite: Suite) -> Iterator[Fault]:
    """SCP310: `pytest_plugins` in a conftest that is loaded after start-up: the run stops."""
    if suite.files.config.pyargs:
        return
    startup = _startup_conftests(suite)
    for path in suite.files.conftests:
        space = suite.evaluator.module(path)
        if path in startup or space is None or has_own_run(suite, path):
            continue
        bindings = space.bindings.get("pytest_plugins", ())
        binding = next((one for one in bindings if not one.guard.branch), None)
        if binding is None or _is_deleted(space, "pytest_plugins"):
            continue
        stops = space.facts.stops_at
        if stops and binding.span.line > stops:
            continue
        folder = dirname(path)
        yield Fault(
            Place(path, binding.span),
            f"`pytest_plugins` in `{path}`, which pytest loads only after start-up: the run stops",
            f"{path}::pytest_plugins",
            notes=(
                "run from its root directory with no argument, pytest refuses: Defining "
                "'pytest_plugins' in a non-top-level conftest is no longer supported",
                f"at start-up pytest loads {_listed_paths(startup)}",
            ),
            help="move it to a conftest that is loaded at start-up, or name the folder in "
            "`testpaths`"
            if suite.version >= (7, 4)
            else "move it to the conftest of the root directory",
            tests=_tests_below(suite, folder),
        )


def _is_deleted(space: Namespace, name: str) -> bool:
    return isinstance(space.bindings[name][-1].value, Deleted)


def _startup_conftests(suite: Suite) -> list[str]:
    """The conftests loaded at start-up; before 7.3, `testpaths` did not count for them."""
    loaded = list(suite.files.startup_conftests)
    if suite.version >= (7, 3) or not suite.files.config.testpaths:
        return loaded
    start = suite.relative(suite.files.config.invocation_dir)
    found: list[str] = []
    for path in suite.files.conftests:
        folder = dirname(path)
        first = folder.removeprefix(start).lstrip("/") if folder.startswith(start) else ""
        if not first or ("/" not in first and first.startswith("test")):
            found.append(path)
    return found


def _listed_paths(paths: Sequence[str]) -> str:
    return listed(f"`{path}`" for path in paths) if paths else "no conftest"


def _tests_below(suite: Suite, folder: str) -> frozenset[str]:
    inside = f"{folder}/" if folder else ""
    return frozenset(item.nodeid for item in suite.items if item.path.startswith(inside))


@looks("near")
def unresolved_import(suite: Suite) -> Iterator[Fault]:
    """SCP311: an import of a first-party module, or of a name from one, that does not exist."""
    conftests = frozenset(suite.files.conftests)
    decided = tuple(f"{dirname(path)}/".lstrip("/") for path in suite.files.dynamic)
    memo = Memo()
    for path in (*suite.files.conftests, *suite.files.test_files):
        if path not in conftests and decided and path.startswith(decided):
            continue  # a hook may keep pytest from collecting it
        for found in unresolved(suite.evaluator, path, conftests, memo):
            if not _is_of_another(suite, found):
                yield _unresolved(suite, path, found)


def _is_of_another(suite: Suite, found: Unresolved) -> bool:
    """Whether a module of the tests' own package may be another project's.

    Where nothing says what tests are run with, they may be run inside that project.
    """
    if suite.linker.plugins.knowledge != "nothing":
        return False
    return not found.name and found.module.lstrip(".").startswith("test")


def _unresolved(suite: Suite, path: str, found: Unresolved) -> Fault:
    last = found.name or found.module.rpartition(".")[2]
    shown = found.module.lstrip(".")
    if found.name:
        message = f"`{shown}` has no `{found.name}`: `{path}` cannot be imported"
        what = f"`{shown}`, which does not define `{found.name}`"
    else:
        message = f"there is no module `{shown}`: `{path}` cannot be imported"
        what = "the package that was searched"
    near = get_close_matches(last, sorted(found.known), 1, 0.75)
    conftest = basename(path) == "conftest.py"
    tests = (
        _tests_below(suite, dirname(path)) if conftest else suite.tests_of.get(path, frozenset())
    )
    stated = suite.linker.plugins.knowledge != "nothing"
    related = (Place(found.inside, message=what),) if found.inside.endswith(".py") else ()
    return Fault(
        Place(path, found.binding.span),
        message,
        f"{path}::{found.binding.name}",
        related,
        notes=(
            "pytest stops at the start: ImportError while loading the conftest"
            if conftest
            else "pytest reports an error for the file, and runs none of its tests",
            *(() if stated else ("nothing was found that states what the tests are run with",)),
        ),
        help=f"did you mean `{near[0]}`?" if near else "",
        tests=tests,
        searched=suite.searched | {found.inside},
        cause=Cause(f"{found.inside} {found.module} {found.name}", "imported here, too"),
    )


# Hooks that collect what pytest itself does not.
_COLLECT_HOOKS = frozenset({"pytest_pycollect_makeitem", "pytest_collect_file"})
_COLLECT_HOOKS |= {"pytest_pycollect_makemodule", "pytest_collect_directory", "load_tests"}


@looks("near")
def never_collected(suite: Suite) -> Iterator[Fault]:
    """SCP312: a test that pytest will not collect."""
    for path in suite.files.conftests:
        space = suite.evaluator.module(path)
        if space is None or not _COLLECT_HOOKS.isdisjoint(space.bindings):
            return
    yield from _refused_items(suite)
    yield from _refused_classes(suite)
    yield from _unmatched_files(suite)
    yield from _files_without_tests(suite)
    yield from _nested_tests(suite)


def _refused_items(suite: Suite) -> Iterator[Fault]:
    """What makes pytest stop at a file or class, where no other rule tells it."""
    found: dict[tuple[str, str], list[Item]] = {}
    for item in suite.items:
        refusal = item.refusal
        if refusal is not None and refusal.untold:
            node = item.nodeid.rpartition("::")[0] if refusal.of_item else item.path
            found.setdefault((refusal.reason, node), []).append(item)
    for (reason, _), items in found.items():
        cause = next((item for item in items if item.refused_here), items[0])
        place = cause.place
        yield Fault(
            place,
            f"{how_many_tests(len(items))} of `{cause.path}` cannot be collected: {reason}",
            f"{cause.path}::{cause.nodeid.partition('::')[2]}",
            notes=("pytest reports an error for the file and runs none of them",),
            help="mend what it says, or the tests are never run",
            tests=frozenset(item.nodeid for item in items),
        )


def _refused_classes(suite: Suite) -> Iterator[Fault]:
    """Classes of tests that have a constructor."""
    seen: set[tuple[str, int]] = set()
    lineages = suite.linker.lineages
    for value, constructor in suite.collector.refused:
        key = (value.module, value.index)
        if key in seen or value.module not in suite.test_files:
            continue
        seen.add(key)
        lineage = lineages.of(value)
        tests = [
            name
            for name, holder in lineages.names(lineage).items()
            if matches(suite.linker.rules.python_functions, name)
            and _is_test(suite, suite.evaluator.class_space(holder), name)
            and not _is_of_code(suite, lineage, name)
            and not _is_marked_by_code(suite, holder, name)
        ]
        if not tests or lineages.is_test(lineage) is False or _is_made(suite, value):
            continue
        owner = lineages.owner(lineage, constructor)
        related: tuple[Place, ...] = ()
        if owner is not None:
            space = suite.evaluator.class_space(owner)
            span = space.bindings[constructor][-1].span
            related = (Place(owner.module, span, f"the `{constructor}` that pytest refuses"),)
        inherited = owner is not None and owner != value
        source = f" from `{owner.class_.name}`" if inherited and owner is not None else ""
        yield Fault(
            Place(value.module, value.class_.span),
            f"class `{value.class_.name}` has `{constructor}`{source}: "
            f"pytest does not collect its {how_many_tests(len(tests))}",
            f"{value.module}::{value.class_.name}",
            related,
            notes=("pytest makes an instance for each test, and passes it no arguments",),
            help="do the set-up in a fixture or in `setup_method`; if it is no class of tests, "
            "set `__test__ = False`",
        )


def _is_of_code(suite: Suite, lineage: Lineage, name: str) -> bool:
    """Whether a class of the tested code has the method, which one of the tests' derives from.

    (`test_step` of a model is a part of that class's interface, and no test.)
    """
    return any(
        name in suite.evaluator.class_space(value).bindings
        for value in lineage.classes
        if value.module not in suite.test_files and not is_test_path(value.module)
    )


def _is_marked_by_code(suite: Suite, holder: ClassValue, name: str) -> bool:
    """Whether a method is decorated by the tested code, which then takes it for its own."""
    binding = suite.evaluator.class_space(holder).bindings[name][-1]
    space = suite.evaluator.module(holder.module)
    if space is None or not isinstance(binding.value, FunctionRef):
        return False
    for decorator in space.facts.functions[binding.value.index].decorators:
        expression = decorator.expression
        func = expression.func if isinstance(expression, Call) else expression
        found = suite.evaluator.evaluate(func, space)
        if isinstance(found, FunctionValue) and not is_test_path(found.module):
            return True
    return False


def _is_made(suite: Suite, value: ClassValue) -> bool:
    """Whether code of its file makes instances of the class, as it does of no class of tests."""
    name = value.class_.name
    made = re.compile(rf"(?<!class )(?<!\w){re.escape(name)}\(")
    return made.search(mentions.code_of(suite.text(value.module))) is not None


# Names that say: a test. (`tests`, `testing` and `testdata` would be collected as well.)
_TEST_NAME = re.compile(r"_*[Tt]est(_|[A-Z0-9])|(?!test)")


def _is_test(suite: Suite, space: Namespace, name: str) -> bool:
    """Whether a name of a class or module stands for a function that pytest would take."""
    if not _TEST_NAME.match(name):
        return False
    if not isinstance(space.bindings[name][-1].value, FunctionRef):
        return False
    value = suite.evaluator.lookup(space, name)
    return isinstance(value, FunctionValue) and as_function(value) is not None


# File names that say: these are tests.
_MEANT_AS_TESTS = re.compile(
    r"(?i:tests?[-.]\w.*|.*[-_.]tests?)\.py|[Tt]ests?[A-Z0-9]\w*\.py|\w*[a-z0-9]Tests?\.py"
    r"|test[a-z]+\.py|\w+_tests\.py|tests_\w+\.py|tests\.py"
)
_EXAMPLES = re.compile(r"(?i)(?:\w+[-_])?examples?(?:[-_]\w+)?")


def _is_example(path: str) -> bool:
    """Whether a file lies with what shows something, and is run by hand, and not among tests."""
    folders = path.split("/")[:-1]
    return any(map(_EXAMPLES.fullmatch, folders)) and not any(
        folder.startswith("test") for folder in folders
    )


def _unmatched_files(suite: Suite) -> Iterator[Fault]:
    """Files of tests whose names fit no pattern of `python_files`."""
    config = suite.files.config
    patterns = config.python_files
    for path in suite.files.unmatched:
        name = basename(path)
        if not _MEANT_AS_TESTS.fullmatch(name) or _is_example(path):
            continue
        facts = suite.facts(path)
        if facts is None or suite.is_imported(path):
            continue
        tests = [one for one in _top_level_tests(suite, facts) if not _is_called(suite, facts, one)]
        if not tests or _is_among_samples(suite, path) or not is_for_pytest(suite):
            continue
        if _is_run_by_name(suite, path):
            continue
        shown = listed(f"`{pattern}`" for pattern in patterns)
        yield Fault(
            Place(path, tests[0][1]),
            f"`{path}` fits no pattern of `python_files` ({shown}): "
            f"its {how_many_tests(len(tests))} are never collected"
            if len(tests) > 1
            else f"`{path}` fits no pattern of `python_files` ({shown}): "
            "its 1 test is never collected",
            path,
            notes=("nothing imports the file either",),
            help=f"rename it to `{_fitting(name)}`, or add its name to `python_files`",
        )


def _is_run_by_name(suite: Suite, path: str) -> bool:
    """Whether a task, CI or the file itself names the file where pytest is run."""
    named = re.compile(rf"\bpytest\b[^\n]*\b{re.escape(basename(path))}\b")
    if named.search(suite.text(path)):
        return True
    said = suite.linker.plugins.run_async.said
    return said is not None and any(
        f"/{path}".endswith(f"/{file.removeprefix('./')}") for file in said().files
    )


def _is_called(suite: Suite, facts: FileFacts, test: tuple[str, Span]) -> bool:
    """Whether a function is for the code of its file, or takes what no fixture is: no test."""
    name, span = test
    function = next((f for f in facts.functions if f.span == span and f.owner < 0), None)
    if function is None:
        return False
    if mentions.in_code(suite.text(facts.path), facts, (name,)):
        return True
    if function.decorators:
        return False
    known = {"request", *(fixture.name for fixture in suite.fixtures)}
    known.update(other.name for other in facts.functions if other.decorators)
    required = (p.name for p in function.parameters if not p.default and p.kind in _TAKEN)
    return not known.issuperset(required)


_TAKEN = ("positional", "normal", "keyword")


def _is_among_samples(suite: Suite, path: str) -> bool:
    """Whether few of the files beside it are tests: a folder of samples that tests read."""
    folder = dirname(path)
    names = [
        name
        for name in suite.evaluator.modules.entries(folder)
        if name.endswith(".py") and name not in ("__init__.py", "conftest.py")
    ]
    collected = frozenset(suite.files.test_files)
    tests = sum(f"{folder}/{name}".lstrip("/") in collected for name in names)
    others = sum(not _MEANT_AS_TESTS.fullmatch(name) for name in names) - tests
    return others > max(3, 2 * tests)


def _fitting(name: str) -> str:
    stem = name.removesuffix(".py")
    bare = re.sub(r"(?i)^tests?[-_.]?|[-_.]?tests?$", "", stem)
    bare = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", bare or "all").replace("-", "_").lower()
    return f"test_{bare.replace('.', '_')}.py"


def _top_level_tests(suite: Suite, facts: FileFacts) -> list[tuple[str, Span]]:
    """The tests that pytest would collect if the file's name fitted, and their places."""
    space = suite.evaluator.module(facts.path)
    if space is None or "__test__" in space.bindings or facts.stops_at:
        return []
    found: list[tuple[str, Span]] = []
    rules, lineages = suite.linker.rules, suite.linker.lineages
    for name, bindings in space.bindings.items():
        last = bindings[-1]
        if isinstance(last.value, FunctionRef):
            if matches(rules.python_functions, name) and _is_test(suite, space, name):
                found.append((name, last.span))
        elif isinstance(last.value, ClassRef):
            value = suite.evaluator.lookup(space, name)
            if not isinstance(value, ClassValue):
                continue
            lineage = lineages.of(value)
            named = lineage.testcase or matches(rules.python_classes, name)
            if (
                not named
                or lineage.opaque
                or lineages.is_test(lineage) is False
                or lineages.is_abstract(lineage)
                or (not lineage.testcase and lineages.has_constructor(lineage))
            ):
                continue
            inner = suite.evaluator.class_space(value)
            found += [
                (f"{name}::{attribute}", inner.bindings[attribute][-1].span)
                for attribute in inner.bindings
                if matches(rules.python_functions, attribute) and _is_test(suite, inner, attribute)
            ]
    return found


def _files_without_tests(suite: Suite) -> Iterator[Fault]:
    """Test files of which pytest collects nothing, though a class in them holds tests."""
    filled = {item.path for item in suite.items}
    refused = {value.module for value, _ in suite.collector.refused}
    for path in suite.files.test_files:
        if path in filled or path in refused or basename(path) in ("conftest.py", "__init__.py"):
            continue
        space = suite.evaluator.module(path)
        if space is None or not space.complete or space.facts.stops_at:
            continue
        if "__test__" in space.bindings or suite.is_imported(path):
            continue
        classes = _classes_of_tests(suite, space)
        if not classes:
            continue
        value, tests = classes[0]
        rules = suite.linker.rules
        shown = listed(f"`{pattern}`" for pattern in rules.python_classes)
        yield Fault(
            Place(path, value.class_.span),
            f"nothing in `{path}` is collected: the name of class `{value.class_.name}` "
            f"with {how_many_tests(tests)} fits no pattern of `python_classes` ({shown})",
            f"{path}::{value.class_.name}",
            tuple(Place(path, other.class_.span, "nor is this one") for other, _ in classes[1:]),
            notes=("the class is no `unittest.TestCase`, and nothing in the file derives from it",),
            help=f"rename it to `Test{re.sub('(?i)_*tests?$', '', value.class_.name)}`",
        )


# Names that say: what derives from this is to be collected, if in another project.
_BASE_NAME = re.compile(r"_*(?:Base|Abstract)(?:[A-Z_]|$)|\w*(?:Base|Mixin)$")


def _classes_of_tests(suite: Suite, space: Namespace) -> list[tuple[ClassValue, int]]:
    """Classes that hold tests, which pytest passes over for their names alone."""
    found: list[tuple[ClassValue, int]] = []
    lineages = suite.linker.lineages
    based: set[tuple[str, int]] = set()
    for name, bindings in space.bindings.items():
        if not isinstance(bindings[-1].value, ClassRef):
            continue
        value = suite.evaluator.lookup(space, name)
        if not isinstance(value, ClassValue):
            return []
        lineage = lineages.of(value)
        if lineage.opaque:
            return []
        based |= {(base.module, base.index) for base in lineage.classes[1:]}
        if (
            lineage.testcase
            or matches(suite.linker.rules.python_classes, name)
            or lineages.is_test(lineage) is not None
            or lineages.is_abstract(lineage)
            or lineages.has_constructor(lineage)
            or value.decorated
            or _BASE_NAME.match(name)
        ):
            continue
        inner = suite.evaluator.class_space(value)
        tests = [
            attribute
            for attribute in inner.bindings
            if matches(suite.linker.rules.python_functions, attribute)
            and _is_test(suite, inner, attribute)
        ]
        if tests:
            found.append((value, len(tests)))
    return [(value, n) for value, n in found if (value.module, value.index) not in based]


def _nested_tests(suite: Suite) -> Iterator[Fault]:
    """Functions named like tests inside a test, which nothing uses."""
    seen: set[tuple[str, Span]] = set()
    for item in suite.items:
        function, path = item.function, item.place.path
        if function is None or not function.nested_tests:
            continue
        if (path, function.span) in seen:
            continue
        seen.add((path, function.span))
        for name, span in function.nested_tests:
            if not matches(suite.linker.rules.python_functions, name):
                continue
            yield Fault(
                Place(path, span),
                f"`{name}` is defined inside `{function.name}`, and nothing calls it: "
                "it is never run",
                f"{path}::{_inner(suite, path, function)}::{name}",
                (Place(path, function.span, "pytest collects this test, not what is inside it"),),
                notes=("pytest looks for tests in modules and classes only",),
                help="dedent it",
                tests=frozenset([item.nodeid]),
            )


def _inner(suite: Suite, path: str, function: Function) -> str:
    facts = suite.facts(path)
    names = [function.name]
    owner = function.owner
    while facts is not None and owner >= 0:
        names.insert(0, facts.classes[owner].name)
        owner = facts.classes[owner].owner
    return "::".join(names)


@looks("near")
def config_not_in_force(suite: Suite) -> Iterator[Fault]:
    """SCP315: pytest configuration that pytest does not read."""
    for entry in suite.files.config.ignored:
        lost = [one for one in entry.differs if one.value is not None]
        if entry.reason == "folder":
            lost = [one for one in lost if _decides(one)]
            if not _is_tests_folder(suite, dirname(suite.relative(entry.path))):
                continue
        if not lost:
            continue
        path = suite.relative(entry.path)
        winner = None if entry.winner is None else suite.relative(entry.winner)
        if entry.reason == "folder":
            message = (
                f"[{entry.header}] of `{path}` is in force only when pytest is given paths in "
                f"that folder: {_listed(lost)}"
            )
        else:
            message = f"[{entry.header}] of `{path}` is not in force: {_because(entry, winner)}"
        yield Fault(
            Place(path, _from_start(entry.line, f"[{entry.header}]")),
            message,
            f"{path}::{entry.header}",
            tuple(Place(path, _from_start(one.line, one.option), _lost(one)) for one in lost)
            + ((Place(winner, message="in force instead"),) if winner and winner != path else ()),
            notes=(f"without effect: {_listed(lost)}",) if entry.reason != "folder" else (),
            help=_advice(entry, winner),
        )


def _from_start(line: int, word: str) -> Span:
    """Where a word stands that begins a line, as headers and options do."""
    return Span(line, 1, line, 1 + len(word))


# Options that decide how tests run, not how they are shown.
_DECIDES = ("asyncio_", "anyio_", "python_", "usefixtures", "strict", "xfail_strict")


# What a folder has that is a project of its own, and is run from within.
_PROJECT_FILES = frozenset({"pyproject.toml", "setup.py", "manage.py", "Makefile", "noxfile.py"})


def _is_tests_folder(suite: Suite, folder: str) -> bool:
    """Whether a folder with its own configuration is a part of the project's tests."""
    entries = suite.evaluator.modules.entries(folder)
    requirements = any(entry.startswith("requirements") for entry in entries)
    named = basename(folder).startswith("test")
    return named and not requirements and _PROJECT_FILES.isdisjoint(entries)


def _decides(one: Difference) -> bool:
    return one.option.startswith(_DECIDES)


def _because(entry: Shadowed, winner: str | None) -> str:
    if entry.reason == "shadowed" and winner is not None:
        return f"`{winner}` wins"
    return entry.why


def _listed(differences: Sequence[Difference]) -> str:
    shown = [f"`{one.option} = {_short(one.value)}`" for one in differences[:5]]
    more = len(differences) - 5
    return listed([*shown, f"{more} more"] if more > 0 else shown)


def _lost(one: Difference) -> str:
    if one.in_force is None:
        return "not set in what is in force"
    return f"in force is `{_short(one.in_force)}`"


def _short(value: str | None) -> str:
    text = value or ""
    return text if len(text) <= 40 else f"{text[:37]}..."


def _advice(entry: Shadowed, winner: str | None) -> str:
    if entry.reason == "header":
        return "correct the header"
    if entry.reason == "folder":
        return "move the options to the file of the root directory, or remove one of the two"
    if winner is not None:
        return f"move what is needed to `{winner}`, and remove the rest"
    return "remove it, or write it under a header that this version reads"
