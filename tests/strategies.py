"""Random suites: hypothesis draws a small description of one, and prints it as files.

The names of fixtures come from a pool of six, so that overrides, cycles, mismatches and missing
names are all common. What is drawn is a description in plain data (`Suite` and what it holds),
which shrinks well; `Suite.files` turns it into text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from textwrap import indent
from typing import TYPE_CHECKING

from differential import Project
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMES = ("a", "b", "c", "d", "e", "f")
BUILT_IN = ("tmp_path", "monkeypatch", "capsys", "tmp_path_factory", "request")
SCOPES = ("function", "class", "module", "package", "session")

# Folders that tests and conftests lie in. None begins with `test`: see `Suite.plugins_of`.
FOLDERS = ("", "x", "x/y", "x/y/z", "w")
# Modules in the root that hold fixtures and base classes to import.
SHARED = ("shared", "more")
PLUGINS = ("plug_one", "plug_two", "plug_three")

# How a fixture is written.
SPELLINGS = (
    *("bare", "call", "alias", "partial", "assigned", "generator"),
    *("static", "keyword", "lambda", "async", "condition"),
)


def _call(function: str, arguments: Iterable[str]) -> str:
    return f"{function}({', '.join(arguments)})"


@dataclass(frozen=True)
class FixtureSpec:
    """A fixture function, how it is spelled and named, and whether it `extends` its own name."""

    function: str
    public: str | None
    scope: str | None
    autouse: bool
    params: bool
    requests: tuple[str, ...]
    extends: bool
    defaults: tuple[str, ...]
    spelling: str

    def text(self, method: bool) -> str:
        options = []
        if self.scope is not None:
            options.append(f"scope={self.scope!r}")
        if self.public is not None:
            options.append(f"name={self.public!r}")
        if self.autouse:
            options.append("autouse=True")
        if self.params:
            options.append("params=[1, 2]")
        own = [self.public or self.function] if self.extends else []
        names = [*(["self"] if method else []), *dict.fromkeys([*own, *self.requests])]
        if self.params and "request" not in names:
            names.append("request")
        if self.spelling == "keyword" and len(names) > method:
            names.insert(int(method), "*")
        names += [f"{name}=None" for name in self.defaults if name not in names]
        body = f"def {self.function}({', '.join(names)}): ..."
        match self.spelling:
            case "bare" if not options:
                return f"@pytest.fixture\n{body}\n"
            case "alias":
                return f"@{_call('fixture', options)}\n{body}\n"
            case "partial":
                maker = _call("functools.partial", ["pytest.fixture", *options])
                return f"make_{self.function} = {maker}\n\n@make_{self.function}\n{body}\n"
            case "assigned":
                plain = body.replace(f"def {self.function}", f"def _{self.function}", 1)
                value = f"{_call('pytest.fixture', options)}(_{self.function})"
                return f"{plain}\n\n{self.function} = {value}\n"
            case "lambda":
                value = f"{_call('pytest.fixture', options)}(lambda {', '.join(names)}: 1)"
                return f"{self.function} = {value}\n"
            case "async":
                return f"@{_call('pytest.fixture', options)}\nasync {body}\n"
            case "condition":
                inner = f"@{_call('pytest.fixture', options)}\n{body}\n"
                return f"if True:\n{indent(inner, '    ')}\n"
            case "generator":
                return f"@{_call('pytest.fixture', options)}\n{body.removesuffix('...')}yield\n"
            case "static" if method:
                body = body.replace("self, ", "").replace("self", "")
                return f"@{_call('pytest.fixture', options)}\n@staticmethod\n{body}\n"
        return f"@{_call('pytest.fixture', options)}\n{body}\n"


@dataclass(frozen=True)
class Parametrization:
    """A `parametrize` mark."""

    names: tuple[str, ...]
    indirect: bool | tuple[str, ...]
    scope: str | None

    def text(self) -> str:
        values = f"[{tuple(range(len(self.names)))}]" if len(self.names) > 1 else "[1, 2]"
        arguments = [repr(",".join(self.names)), values]
        if self.indirect:
            listed = list(self.indirect) if isinstance(self.indirect, tuple) else True
            arguments.append(f"indirect={listed}")
        if self.scope is not None:
            arguments.append(f"scope={self.scope!r}")
        return _call("pytest.mark.parametrize", arguments)


def _used(names: Sequence[str]) -> str:
    return _call("pytest.mark.usefixtures", map(repr, names))


@dataclass(frozen=True)
class TestSpec:
    """A test function."""

    __test__ = False

    name: str
    requests: tuple[str, ...]
    uses: tuple[str, ...]
    parametrized: tuple[Parametrization, ...]
    skipped: bool

    def text(self, method: bool, arguments: bool = True) -> str:
        lines = [f"@{each.text()}" for each in self.parametrized if arguments]
        if self.uses:
            lines.append(f"@{_used(self.uses)}")
        if self.skipped:
            lines.append("@pytest.mark.skip")
        names = ["self"] if method else []
        names += [name for name in dict.fromkeys(self.requests) if arguments]
        return "\n".join([*lines, f"def {self.name}({', '.join(names)}): ..."]) + "\n"


@dataclass(frozen=True)
class ClassSpec:
    """A class, with its bases by name (those that are not there are left out)."""

    name: str
    bases: tuple[str, ...]
    uses: tuple[str, ...]
    uses_by: str
    removed: tuple[str, ...]
    fixtures: tuple[FixtureSpec, ...]
    tests: tuple[TestSpec, ...]
    inner: tuple[ClassSpec, ...]
    testcase: bool

    def text(self, known: Sequence[str]) -> str:
        bases = [base for base in dict.fromkeys(self.bases) if base in known]
        if self.testcase:
            bases = ["unittest.TestCase"]
        head = f"class {self.name}({', '.join(bases)}):" if bases else f"class {self.name}:"
        parts = []
        if self.uses and self.uses_by == "pytestmark":
            parts.append(f"pytestmark = {_used(self.uses)}\n")
        elif self.uses:
            head = f"@{_used(self.uses)}\n{head}"
        parts += [f"{name} = None\n" for name in self.removed]
        parts += [fixture.text(method=True) for fixture in self.fixtures]
        parts += [test.text(method=True, arguments=not self.testcase) for test in self.tests]
        parts += [inner.text(()) for inner in self.inner]
        return f"{head}\n{indent(chr(10).join(parts) or 'pass', '    ')}\n"


@dataclass(frozen=True)
class ImportSpec:
    """An import from a shared module: a name, a name under another one, or a star."""

    module: str
    name: str
    bound: str | None

    def text(self) -> str:
        renamed = f" as {self.bound}" if self.bound and self.name != "*" else ""
        return f"from {self.module} import {self.name}{renamed}"


@dataclass(frozen=True)
class ModuleSpec:
    """What a conftest, a plugin, a shared module or a test module holds."""

    imports: tuple[ImportSpec, ...]
    exported: tuple[str, ...] | None
    uses: tuple[str, ...]
    fixtures: tuple[FixtureSpec, ...]
    aliases: tuple[tuple[str, str], ...]
    classes: tuple[ClassSpec, ...]
    tests: tuple[TestSpec, ...]
    plugins: tuple[str, ...]

    def attributes(self) -> list[str]:
        """The module's own names that a fixture or class is bound to."""
        own = [fixture.function for fixture in self.fixtures]
        own += [to for to, source in self.aliases if source in own]
        return list(dict.fromkeys([*own, *(each.name for each in self.classes)]))

    def text(self, importable: dict[str, list[str]]) -> str:
        """The module's text; `importable` says what the shared modules have to import."""
        parts = ["import functools\nimport unittest\n\nimport pytest\nfrom pytest import fixture\n"]
        known = []
        for each in self.imports:
            names = importable.get(each.module)
            if names is None or (each.name != "*" and each.name not in names):
                continue  # It must not stop the file.
            parts.append(f"{each.text()}\n")
            known += [] if each.name == "*" else [each.bound or each.name]
        if self.exported is not None:
            exported = [name for name in self.exported if name in self.attributes()]
            parts.append(f"__all__ = {exported}\n")
        if self.plugins:
            parts.append(f"pytest_plugins = {list(dict.fromkeys(self.plugins))}\n")
        if self.uses:
            parts.append(f"pytestmark = [{_used(self.uses)}]\n")
        parts += [fixture.text(method=False) for fixture in self.fixtures]
        bound = [fixture.function for fixture in self.fixtures]
        parts += [f"{to} = {source}\n" for to, source in self.aliases if source in bound]
        for each_class in self.classes:
            parts.append(each_class.text(known))
            known.append(each_class.name)
        parts += [test.text(method=False) for test in self.tests]
        return "\n".join(parts)


@dataclass(frozen=True)
class Suite:
    """A whole project.

    conftests, tests: by folder. packages: the folders with an `__init__.py`.
    """

    uses: tuple[str, ...]
    loaded: tuple[str, ...]
    packages: tuple[str, ...]
    conftests: dict[str, ModuleSpec]
    tests: dict[tuple[str, int], ModuleSpec]
    shared: dict[str, ModuleSpec]
    plugins: dict[str, ModuleSpec]

    def files(self) -> dict[str, str]:
        """The suite as text, by path."""
        options = [f"addopts = {' '.join(f'-p {name}' for name in self.loaded)}"]
        options += [f"usefixtures = {' '.join(self.uses)}"] if self.uses else []
        files = {"pytest.ini": "\n".join(["[pytest]", "pythonpath = .", *options]) + "\n"}
        importable: dict[str, list[str]] = {}
        # `more` is written first, and `shared` may import from it; nothing else the other way.
        for name in reversed(SHARED):
            if name in self.shared:
                module = self.shared[name]
                files[f"{name}.py"] = module.text(importable)
                importable[name] = module.attributes()
        for name, module in self.plugins.items():
            files[f"{name}.py"] = module.text(importable)
        for folder in self.packages:
            files[_join(folder, "__init__.py")] = ""
        for folder, module in self.conftests.items():
            files[_join(folder, "conftest.py")] = module.text(importable)
        for (folder, number), module in self.tests.items():
            files[_join(folder, f"test_{number}.py")] = module.text(importable)
        return files


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


names = st.sampled_from(NAMES)
scopes = st.none() | st.sampled_from(SCOPES)


def few(strategy: st.SearchStrategy[str], most: int) -> st.SearchStrategy[tuple[str, ...]]:
    """A few different names, often none."""
    return st.lists(strategy, max_size=most, unique=True).map(tuple)


def rarely(most: int = 6) -> st.SearchStrategy[bool]:
    """True once in a while; shrinks to False."""
    return st.integers(0, most).map(lambda drawn: drawn == most)


requested = st.one_of(names, names, names, names, st.sampled_from(BUILT_IN))

fixtures = st.builds(
    FixtureSpec,
    function=st.one_of(names, names, names, st.sampled_from(("_g", "G", "tmp_path"))),
    public=st.one_of(st.none(), st.none(), st.none(), names),
    scope=scopes,
    autouse=rarely(),
    params=rarely(8),
    requests=few(requested, 2),
    extends=rarely(2),
    defaults=st.one_of(st.just(()), st.just(()), few(names, 1)),
    spelling=st.sampled_from(SPELLINGS),
)


@st.composite
def parametrizations(draw: st.DrawFn, arguments: tuple[str, ...]) -> tuple[Parametrization, ...]:
    """Marks for some of a test's arguments, each name once; rarely for any name at all."""
    candidates = [name for name in arguments if name != "request"]
    if draw(rarely(9)):
        candidates.append(draw(names))
    left = list(dict.fromkeys(candidates))
    found: list[Parametrization] = []
    while left and len(found) < 2 and draw(rarely(2)):
        chosen = tuple(left[: draw(st.integers(1, min(2, len(left))))])
        left = left[len(chosen) :]
        kinds: tuple[bool | tuple[str, ...], ...] = (False, True, chosen[:1], chosen[1:])
        found.append(Parametrization(chosen, draw(st.sampled_from(kinds)), draw(scopes)))
    return tuple(found)


@st.composite
def tests(draw: st.DrawFn) -> TestSpec:
    """A test function."""
    arguments = draw(few(requested, 3))
    return TestSpec(
        name=draw(st.sampled_from(("test_one", "test_two", "test_three"))),
        requests=arguments,
        uses=draw(st.one_of(st.just(()), st.just(()), few(names, 2))),
        parametrized=draw(parametrizations(arguments)),
        skipped=draw(rarely(12)),
    )


def classes(
    kinds: tuple[str, ...], inner: st.SearchStrategy[tuple[ClassSpec, ...]]
) -> st.SearchStrategy[ClassSpec]:
    """Classes with one of the names."""
    return st.builds(
        ClassSpec,
        name=st.sampled_from(kinds),
        bases=few(st.sampled_from(("Base", "Mixin", "TestBase", "TestA")), 2),
        uses=st.one_of(st.just(()), st.just(()), few(names, 2)),
        uses_by=st.sampled_from(("decorator", "pytestmark")),
        removed=st.one_of(st.just(()), st.just(()), few(names, 1)),
        fixtures=st.lists(fixtures, max_size=2).map(tuple),
        tests=st.lists(tests(), max_size=2).map(tuple),
        inner=inner,
        testcase=rarely(8),
    )


no_classes: st.SearchStrategy[tuple[ClassSpec, ...]] = st.just(())
inner_classes = no_classes | st.lists(classes(("TestIn", "TestInner"), no_classes), max_size=1).map(
    tuple
)
test_classes = st.lists(classes(("TestA", "TestB", "Base"), inner_classes), max_size=2).map(tuple)
base_classes = st.lists(classes(("Base", "Mixin", "TestBase"), no_classes), max_size=2).map(tuple)

imports = st.lists(
    st.builds(
        ImportSpec,
        module=st.sampled_from(SHARED),
        name=st.one_of(names, names, st.just("*"), st.sampled_from(("Base", "Mixin", "TestBase"))),
        bound=st.one_of(st.none(), st.none(), names),
    ),
    max_size=2,
).map(tuple)


@st.composite
def groundwork(draw: st.DrawFn) -> tuple[FixtureSpec, ...]:
    """A fixture of every name, each requesting only those before it: what others then override."""
    found = []
    for number, name in enumerate(NAMES):
        earlier = few(st.sampled_from(NAMES[:number]), 2) if number else st.just(())
        scope = draw(scopes)
        found.append(FixtureSpec(name, None, scope, False, False, draw(earlier), False, (), "bare"))
    return tuple(found)


@st.composite
def modules(
    draw: st.DrawFn, kind: str, plugins: st.SearchStrategy[tuple[str, ...]] | None = None
) -> ModuleSpec:
    """A module of one of the kinds: `conftest`, `plugin`, `shared` or `test`."""
    holds_tests = kind == "test"
    held: st.SearchStrategy[tuple[ClassSpec, ...]] = no_classes
    if kind == "shared":
        held = base_classes
    elif holds_tests:
        held = test_classes
    aliases = st.lists(st.tuples(names, names), max_size=1).map(tuple)
    return ModuleSpec(
        imports=draw(imports),
        exported=draw(st.one_of(st.none(), few(names, 4))) if kind == "shared" else None,
        uses=draw(st.one_of(st.just(()), st.just(()), few(names, 1))),
        fixtures=draw(st.lists(fixtures, max_size=3 if holds_tests else 4).map(tuple)),
        aliases=draw(st.one_of(st.just(()), st.just(()), aliases)),
        classes=draw(held),
        tests=draw(st.lists(tests(), min_size=1, max_size=3).map(tuple)) if holds_tests else (),
        plugins=draw(plugins) if plugins is not None else (),
    )


@st.composite
def suites(draw: st.DrawFn) -> Project:
    """A project with a random suite."""
    folders = draw(st.lists(st.sampled_from(FOLDERS[1:]), max_size=3, unique=True))
    root = ["", *folders]
    plugins: dict[str, ModuleSpec] = {}
    for name in draw(st.one_of(st.just(()), few(st.sampled_from(PLUGINS), 3))):
        # A plugin names others than itself; pytest stands a circle.
        others = few(st.sampled_from([each for each in PLUGINS if each != name]), 1)
        plugins[name] = draw(modules("plugin", others))
    loadable = few(st.sampled_from(sorted(plugins)), 2) if plugins else st.just(())
    for name, module in plugins.items():
        known = tuple(each for each in module.plugins if each in plugins)
        plugins[name] = replace(module, plugins=known)
    shared = {
        name: draw(modules("shared"))
        for name in draw(st.one_of(st.just(()), few(st.sampled_from(SHARED), 2)))
    }
    conftests: dict[str, ModuleSpec] = {}
    for folder in root:
        if draw(st.booleans()):
            # Only the root's may name plugins.
            named = loadable if folder == "" else None
            conftests[folder] = draw(modules("conftest", named))
    if draw(st.integers(0, 3)):
        ground = conftests.get("") or ModuleSpec((), None, (), (), (), (), (), ())
        conftests[""] = replace(ground, fixtures=(*draw(groundwork()), *ground.fixtures))
    tested = draw(st.lists(st.sampled_from(root), min_size=1, max_size=3))
    module_plugins = loadable if draw(rarely()) else None
    test_modules = {
        (folder, number): draw(modules("test", module_plugins))
        for number, folder in enumerate(tested)
    }
    suite = Suite(
        uses=draw(st.one_of(st.just(()), st.just(()), st.just(()), few(names, 1))),
        loaded=draw(st.one_of(st.just(()), loadable)),
        packages=tuple(folder for folder in folders if draw(st.booleans())),
        conftests=conftests,
        tests=test_modules,
        shared=shared,
        plugins=plugins,
    )
    return Project("random", "a random suite", "A random suite.", suite.files())
