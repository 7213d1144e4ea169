"""Turns a number into a small project that uses pytest-asyncio, in the ways of one version.

Every function of a project has a name of its own. What a version does not know (an option, an
argument) is used with it too, but seldom.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCOPES = ("function", "class", "module", "package", "session")
WIDTH = {scope: width for width, scope in enumerate(SCOPES)}

Kind = Literal["coroutine", "asyncgen", "function", "generator", "event_loop", "policy"]
_T = TypeVar("_T")

# Half of the sum is how often each is chosen.
SCOPE_WEIGHTS = {None: 28, "function": 6, "class": 8, "module": 17, "package": 11, "session": 30}

# The first is that of pytest-asyncio's documentation.
RECIPES = (
    """
from pytest_asyncio import is_async_test


def pytest_collection_modifyitems(items):
    pytest_asyncio_tests = (item for item in items if is_async_test(item))
    session_scope_marker = pytest.mark.asyncio({word}="session")
    for async_test in pytest_asyncio_tests:
        async_test.add_marker(session_scope_marker{append})
""",
    """

def pytest_collection_modifyitems(items):
    for item in items:
        if asyncio.iscoroutinefunction(item.obj):
            item.add_marker(pytest.mark.asyncio)
""",
    """
import inspect


def pytest_collection_modifyitems(config, items):
    for item in items:
        if inspect.iscoroutinefunction(item.function) and not item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio({word}="module"){append})
""",
    """

def pytest_collection_modifyitems(items):
    for item in items:
        if "two" in item.nodeid and not item.name.endswith("3"):
            item.add_marker(pytest.mark.asyncio({word}="module"){append})
""",
)


@dataclass(frozen=True)
class Mark:
    """`pytest.mark.asyncio`, with or without arguments."""

    loop_scope: str | None = None
    scope: str | None = None

    def __str__(self) -> str:
        return f"pytest.mark.asyncio{_call(loop_scope=self.loop_scope, scope=self.scope)}"


@dataclass(frozen=True)
class Fixture:
    """A fixture; `place` is a file, or `file::Class`. `name` is given where it is not its own."""

    function: str
    place: str
    kind: Kind
    asyncio: bool = False
    parentheses: bool = False
    scope: str | None = None
    loop_scope: str | None = None
    autouse: bool = False
    name: str | None = None
    requests: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Its scope as a number."""
        return WIDTH[self.scope or "function"]

    @property
    def exposed(self) -> str:
        """The name it is requested by."""
        return self.name or self.function

    def lines(self) -> Iterator[str]:
        """Its source, without indentation."""
        arguments = _call(
            scope=self.scope,
            loop_scope=self.loop_scope,
            autouse=self.autouse or None,
            name=self.name,
        )
        spelling = "pytest_asyncio.fixture" if self.asyncio else "pytest.fixture"
        yield f"@{spelling}{arguments or '()' * self.parentheses}"
        word = "async def" if self.kind in ("coroutine", "asyncgen") else "def"
        yield f"{word} {self.function}({_parameters(self.place, self.requests)}):"
        if self.kind == "event_loop":
            yield "    loop = asyncio.new_event_loop()"
            yield "    yield loop"
            yield "    loop.close()"
        elif self.kind == "policy":
            yield "    return asyncio.DefaultEventLoopPolicy()"
        else:
            if self.kind in ("coroutine", "asyncgen"):
                yield "    asyncio.get_running_loop()"
            yield f"    {'yield' if self.kind in ('asyncgen', 'generator') else 'return'} object()"


@dataclass(frozen=True)
class Test:
    """A test, with its marks."""

    __test__ = False

    function: str
    place: str
    is_async: bool
    requests: tuple[str, ...] = ()
    usefixtures: tuple[str, ...] = ()
    mark: Mark | None = None

    def lines(self) -> Iterator[str]:
        """Its source, without indentation."""
        if self.usefixtures:
            yield f"@pytest.mark.usefixtures({', '.join(map(repr, self.usefixtures))})"
        if self.mark:
            yield f"@{self.mark}"
        word = "async def" if self.is_async else "def"
        yield f"{word} {self.function}({_parameters(self.place, self.requests)}):"
        yield "    asyncio.get_running_loop()" if self.is_async else "    pass"


@dataclass(frozen=True)
class Place:
    """A test module or a class in one (`file::Class`), with the mark on all of it."""

    path: str
    mark: Mark | None = None
    listed: bool = False

    @property
    def file(self) -> str:
        """Its file."""
        return self.path.partition("::")[0]


@dataclass(frozen=True)
class Project:
    """Everything about one project; `files()` is how it is written."""

    seed: int
    version: str
    options: tuple[tuple[str, str], ...]
    pyproject: bool
    packages: tuple[str, ...]
    places: tuple[Place, ...]
    fixtures: tuple[Fixture, ...]
    tests: tuple[Test, ...]
    recipe: str = ""

    def __str__(self) -> str:
        return f"{self.version}, project {self.seed}"

    def files(self) -> dict[str, str]:
        """The text of every file."""
        files = {self._config(): self._options()}
        files |= {f"{package}/__init__.py": "" for package in self.packages}
        places = [*(each.place for each in self.fixtures), *(each.place for each in self.tests)]
        paths = {place.partition("::")[0] for place in places}
        paths |= {"conftest.py"} if self.recipe else set()
        return files | {path: self._text(path) for path in sorted(paths)}

    def text(self) -> str:
        """The files, as they are shown when something is wrong with them."""
        return "\n".join(
            f"--- {path}\n{text.strip()}" for path, text in self.files().items() if text
        )

    def smaller(self) -> Iterator[Project]:
        """Projects with one thing less, larger changes first."""
        for test in self.tests:
            yield replace(self, tests=_without(self.tests, test))
        for fixture in self.fixtures:
            yield replace(self, fixtures=_without(self.fixtures, fixture))
        if self.recipe:
            yield replace(self, recipe="")
        for option in self.options:
            yield replace(self, options=_without(self.options, option))
        for place in self.places:
            if place.mark:
                yield replace(self, places=_changed(self.places, place, mark=None))
        for test in self.tests:
            for change in _reduced(test, ("mark",), ("requests", "usefixtures")):
                yield replace(self, tests=_changed(self.tests, test, **change))
        for fixture in self.fixtures:
            named = ("scope", "loop_scope", "autouse", "parentheses")
            for change in _reduced(fixture, named, ("requests",)):
                yield replace(self, fixtures=_changed(self.fixtures, fixture, **change))

    def _config(self) -> str:
        return "pyproject.toml" if self.pyproject else "pytest.ini"

    def _options(self) -> str:
        if self.pyproject:
            lines = [f'{name} = "{value}"' for name, value in self.options]
            return "\n".join(["[tool.pytest.ini_options]", *lines, ""])
        lines = [f"{name} = {value}" for name, value in self.options]
        return "\n".join(["[pytest]", *lines, ""])

    def _in(self, path: str, things: Sequence[_T]) -> Iterator[_T]:
        return (each for each in things if getattr(each, "place", None) == path)

    def _text(self, path: str) -> str:
        lines = ["import asyncio", "", "import pytest", "import pytest_asyncio"]
        for place in self.places:
            if place.path == path and place.mark:
                mark = f"[{place.mark}]" if place.listed else f"{place.mark}"
                lines += ["", f"pytestmark = {mark}"]
        lines += self._functions(path, "")
        for place in self.places:
            if place.path != path and place.file == path:
                body = self._functions(place.path, "    ")
                if body:
                    lines += ["", "", *([f"@{place.mark}"] if place.mark else [])]
                    lines += [f"class {place.path.partition('::')[2]}:", *body[1:]]
        if path == "conftest.py" and self.recipe:
            lines.append(self.recipe)
        return "\n".join(lines) + "\n"

    def _functions(self, place: str, indent: str) -> list[str]:
        lines = []
        found: list[Fixture | Test] = [*self._in(place, self.fixtures)]
        for each in [*found, *self._in(place, self.tests)]:
            lines += [*([""] if indent else ["", ""])]
            lines += [f"{indent}{line}" for line in each.lines()]
        return lines


def _call(**arguments: object) -> str:
    given = [f"{name}={value!r}" for name, value in arguments.items() if value is not None]
    return f"({', '.join(given)})".replace("'", '"') if given else ""


def _parameters(place: str, requests: Sequence[str]) -> str:
    return ", ".join(["self", *requests] if "::" in place else requests)


def _without(things: tuple[_T, ...], thing: _T) -> tuple[_T, ...]:
    return tuple(each for each in things if each is not thing)


def _changed(things: tuple[_T, ...], thing: _T, **change: object) -> tuple[_T, ...]:
    return tuple(
        replace(each, **change) if each is thing else each  # type: ignore[type-var]
        for each in things
    )


def _reduced(
    thing: object, named: Sequence[str], listed: Sequence[str]
) -> Iterator[dict[str, object]]:
    for name in named:
        if getattr(thing, name):
            yield {name: False if getattr(thing, name) is True else None}
    for name in listed:
        values = getattr(thing, name)
        for value in values:
            yield {name: _without(values, value)}


def parse(version: str) -> tuple[int, ...]:
    """A version's numbers."""
    return tuple(map(int, version.split(".")))


def make(version: str, seed: int) -> Project:
    """The project of this number, for this version."""
    return _Maker(version, seed).project()


class _Maker:
    def __init__(self, version: str, seed: int) -> None:
        self.version = version
        self.seed = seed
        self.known = parse(version)
        self.random = random.Random(f"{version} {seed}")
        self.fixtures: list[Fixture] = []
        self.auto = False

    def chance(self, share: float) -> bool:
        """Whether this time."""
        return self.random.random() < share

    def pick(self, weights: dict[_T, int]) -> _T:
        """One of these, by weight."""
        return self.random.choices(list(weights), list(weights.values()))[0]

    def project(self) -> Project:
        """Everything, in an order in which each can refer to what is there."""
        options = self.options()
        packages, modules = self.layout()
        classes = [
            f"{module}::{name}"
            for number, module in enumerate(modules)
            for name in (f"TestA{number}", f"TestB{number}")
            if self.chance(0.3)
        ]
        folders = ["conftest.py", *(f"{package}/conftest.py" for package in packages)]
        self.overrides([*folders, *modules])
        for number in range(self.random.randint(1, 6)):
            place = self.random.choice(
                [folders[0]] * 3 + folders[1:] + modules * 2 + classes * self.chance(0.5)
            )
            self.fixtures.append(self.fixture(number, place))
        if self.chance(0.1):
            self.override_one([*folders, *modules])
        places = [Place(module, self.mark(0.45), self.chance(0.3)) for module in modules]
        places += [Place(each, self.mark(0.3)) for each in classes]
        tests = self.tests(places)
        recipe = self.recipe()
        return Project(
            self.seed,
            self.version,
            options,
            self.chance(0.4),
            tuple(packages),
            tuple(places),
            tuple(self.fixtures),
            tests,
            recipe,
        )

    def options(self) -> tuple[tuple[str, str], ...]:
        """The options of the configuration."""
        options = []
        self.auto = self.chance(0.45)
        if self.auto and self.chance(0.25):
            options.append(("addopts", "--asyncio-mode=auto"))
            if self.chance(0.3):
                options.append(("asyncio_mode", "strict"))
        elif self.auto or self.chance(0.4):
            options.append(("asyncio_mode", "auto" if self.auto else "strict"))
        if self.chance(0.5 if self.known >= (0, 24) else 0.1):
            value = self.random.choice(SCOPES)
            if self.known >= (1, 5) and self.chance(0.15):
                value = "fixture-scope"
            options.append(("asyncio_default_fixture_loop_scope", value))
        if self.chance(0.4 if self.known >= (0, 26) else 0.1):
            options.append(("asyncio_default_test_loop_scope", self.random.choice(SCOPES)))
        return tuple(options)

    def layout(self) -> tuple[list[str], list[str]]:
        """Packages and test modules."""
        modules = [f"test_{name}.py" for name in "ab" if self.chance(0.6)]
        packages = [name for name in ("one", "two") if self.chance(0.35)]
        if "one" in packages and self.chance(0.3):
            packages.append("one/inner")
        for package in packages:
            stem = package.replace("/", "_")
            modules += [f"{package}/test_{stem}_{name}.py" for name in "ab" if self.chance(0.6)]
        return packages, modules or ["test_a.py"]

    def overrides(self, places: Sequence[str]) -> None:
        """`event_loop` and `event_loop_policy`, where the project has its own."""
        share = 0.35 if self.known < (0, 23) else 0.15 if self.known < (1, 0) else 0.08
        if self.chance(share):
            scope = self.pick({None: 3, "session": 6, "module": 3, "package": 1, "class": 1})
            place = self.random.choice(["conftest.py", *places])
            self.fixtures.append(Fixture("event_loop", place, "event_loop", scope=scope))
        if self.chance(0.05):
            scope = self.pick({None: 2, "session": 4, "module": 2, "package": 1, "class": 1})
            place = self.random.choice(["conftest.py", *places])
            self.fixtures.append(Fixture("event_loop_policy", place, "policy", scope=scope))

    def fixture(self, number: int, place: str) -> Fixture:
        """One that may request those before it."""
        kind: Kind = self.pick({"coroutine": 40, "asyncgen": 30, "function": 20, "generator": 10})
        is_async = kind in ("coroutine", "asyncgen")
        plain = (0.5 if self.auto else 0.15) if is_async else 0.85
        asyncio = not self.chance(plain)
        scope = self.pick(SCOPE_WEIGHTS)
        if scope == "class" and "::" not in place and self.chance(0.5):
            scope = "module"
        loop_scope = None
        if asyncio and self.chance(0.45 if self.known >= (0, 24) else 0.015):
            loop_scope = self.loop_scope(scope)
        elif not asyncio and self.chance(0.005):
            loop_scope = "session"
        width = WIDTH[scope or "function"]
        requests = self.requests(place, 2, width if self.chance(0.97) else 0)
        if self.chance(0.04 if self.known < (1, 0) else 0.01):
            requests = (*requests, "event_loop")
        if self.chance(0.05):
            requests = (*requests, "request")
        return Fixture(
            f"fixture_{number}",
            place,
            kind,
            asyncio,
            self.chance(0.2),
            scope,
            loop_scope,
            self.chance(0.1),
            None,
            requests,
        )

    def override_one(self, places: Sequence[str]) -> None:
        """Another definition of a fixture, which may ask for the one it stands for."""
        base = self.random.choice(self.fixtures)
        if base.kind in ("event_loop", "policy"):
            return
        over = self.fixture(len(self.fixtures), self.random.choice(places))
        requests = (base.exposed,) if self.chance(0.6) else ()
        self.fixtures.append(replace(over, name=base.exposed, requests=requests))

    def loop_scope(self, scope: str | None) -> str:
        """Mostly one that is as wide as the fixture, or wider."""
        wide = SCOPES[WIDTH[scope or "function"] :]
        return self.random.choice(wide if self.chance(0.85) else SCOPES)

    def requests(self, place: str, most: int, width: int = 0) -> tuple[str, ...]:
        """Names that can be seen from a place, of fixtures at least this wide."""
        seen = {
            fixture.exposed: fixture.exposed
            for fixture in self.fixtures
            if _sees(place, fixture.place)
            and fixture.width >= width
            and fixture.kind not in ("event_loop", "policy")
        }
        count = self.random.randint(0, most)
        return tuple(self.random.sample(list(seen), min(count, len(seen))))

    def mark(self, share: float) -> Mark | None:
        """An asyncio mark, so often, as this version has them."""
        if not self.chance(share * (0.5 if self.auto else 1)):
            return None
        loop_scope = scope = None
        if self.chance(0.45):
            if self.chance(0.8 if self.known >= (0, 24) else 0.1):
                loop_scope = self.random.choice([*SCOPES, "session"])
            else:
                scope = self.random.choice([*SCOPES, "session"])
        if (loop_scope or scope) and self.chance(0.02):
            loop_scope = scope = "session"
        return Mark(loop_scope, scope)

    def tests(self, places: Sequence[Place]) -> tuple[Test, ...]:
        """Those of every module and class."""
        tests: list[Test] = []
        for place in places:
            outer = next((each for each in places if each.path == place.file), place)
            marked = self.auto or bool(place.mark or outer.mark)
            for _ in range(self.random.randint(1, 3)):
                is_async = self.chance(0.85)
                share = 0.15 if marked else 0.85 if is_async else 0.1
                requests = self.requests(place.path, 3)
                if self.chance(0.04 if self.known < (1, 0) else 0.01):
                    requests = (*requests, "event_loop")
                usefixtures = self.requests(place.path, 2) if self.chance(0.1) else ()
                mark = self.mark(min(1.0, share * (2 if self.auto else 1)))
                name = f"test_{len(tests)}"
                tests.append(Test(name, place.path, is_async, requests, usefixtures, mark))
        return tuple(tests)

    def recipe(self) -> str:
        """A hook that adds marks, sometimes."""
        if not self.chance(0.1):
            return ""
        word = "loop_scope" if self.known >= (0, 24) else "scope"
        append = ", append=False" if self.chance(0.6) else ""
        recipes = RECIPES[1:] if self.known < (0, 23) else (RECIPES[0], *RECIPES)
        return self.random.choice(recipes).format(word=word, append=append)


def _sees(place: str, other: str) -> bool:
    """Whether what is defined at the other place can be requested at the first."""
    if other.endswith("conftest.py"):
        return place.startswith(other.removesuffix("conftest.py"))
    return place == other or place.startswith(f"{other}::")
