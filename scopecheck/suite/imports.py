"""Says which imports of a file name a first-party module, or a name in one, that does not exist.

Only what is certain is said: an import that is guarded, that stands behind a skip, or whose module
may be compiled, generated, replaced or found elsewhere at run time is passed over.
"""

from __future__ import annotations

import re
import sys
from posixpath import dirname, join
from typing import TYPE_CHECKING

from msgspec import Struct

from scopecheck.expressions import Call, Name
from scopecheck.facts import Import
from scopecheck.suite.values import FunctionValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.expressions import Expression
    from scopecheck.facts import Binding, FileFacts
    from scopecheck.suite.names import Evaluator

# Modules that a build writes.
_GENERATED = re.compile(
    r"_?_?version_?_?|_version\w*|\w*_pb2(_grpc)?|\w*generated\w*|_?build_?info"
)
_BUILD_FILES = frozenset({"Cargo.toml", "CMakeLists.txt", "meson.build", "build.rs", "build.py"})
_COMPILED = (".c", ".cc", ".cpp", ".pyx", ".pxd", ".rs", ".so", ".pyd", ".pyi", ".f90", ".proto")


class Unresolved(Struct, frozen=True):
    """An import that cannot succeed.

    module: the dotted name of what was looked in, or of the module that is missing.
    name: the name that the module lacks; empty where the module itself is missing.
    inside: the file of the package or module that was found, and looked in.
    known: what is there instead.
    """

    binding: Binding
    module: str
    name: str
    inside: str
    known: frozenset[str]


class Memo:
    """What was found for one importing file and holds for the others of the suite too.

    sound: where an import begins, the parts of the module that are left, and the name, of those
    that nothing certainly stops.
    """

    def __init__(self) -> None:
        self.sound: set[tuple[str, tuple[str, ...], str | None]] = set()
        self.names: dict[str, set[str] | None] = {}
        self.closed: dict[tuple[str, str], bool] = {}
        self.built: dict[str, bool] = {}


def unresolved(
    evaluator: Evaluator, importer: str, startup: frozenset[str], memo: Memo
) -> Iterator[Unresolved]:
    """The imports of a module body that fail whenever the file is imported.

    startup: files that may have changed `sys.path` before.
    """
    failing = list(_failing(evaluator, importer, startup, memo))
    made = _making(failing) if len(failing) >= _SEVERAL else frozenset()
    yield from (found for found in failing if found.inside not in made)


# So many names that are a class's with the same beginning are not all mistaken.
_SEVERAL = 3


def _making(failing: list[Unresolved]) -> frozenset[str]:
    """Modules in which something makes classes of those there: `HistoricalOrder` of `Order`."""
    beginnings: dict[tuple[str, str], set[str]] = {}
    for found in failing:
        for known in found.known:
            at = found.name.find(known) if len(known) > _SEVERAL and known[0].isupper() else -1
            if at > 0:
                beginnings.setdefault((found.inside, found.name[:at]), set()).add(found.name)
    return frozenset(inside for (inside, _), names in beginnings.items() if len(names) >= _SEVERAL)


def _failing(
    evaluator: Evaluator, importer: str, startup: frozenset[str], memo: Memo
) -> Iterator[Unresolved]:
    """As `unresolved`, each import looked at alone."""
    space = evaluator.module(importer)
    if space is None:
        return
    facts = space.facts
    search = _Search(evaluator, importer, startup | {importer}, memo)
    for binding in facts.bindings:
        value, guard = binding.value, binding.guard
        if not isinstance(value, Import) or guard.branch or guard.caught or guard.never:
            continue
        if facts.stops_at and binding.span.line >= facts.stops_at:
            continue
        found = search.follow(binding, value)
        if found is not None:
            yield found


class _Search:
    def __init__(
        self, evaluator: Evaluator, importer: str, startup: frozenset[str], memo: Memo
    ) -> None:
        self._memo = memo
        self._evaluator = evaluator
        self._modules = evaluator.modules
        self._importer = importer
        self._startup = startup
        self._moved: bool | None = None

    def follow(self, binding: Binding, value: Import) -> Unresolved | None:
        """What stops an import, if something certainly does."""
        start = self._start(value)
        if start is None:
            return None
        key = (start[0], tuple(start[2]), value.name)
        if key in self._memo.sound:
            return None
        found = self._stopped(binding, value, *start)
        if found is None:
            self._memo.sound.add(key)
        return found

    def _stopped(
        self, binding: Binding, value: Import, current: str, dotted: str, parts: list[str]
    ) -> Unresolved | None:
        for part in parts:
            if self._is_open(current):
                return None
            inner = self._modules.submodule(current, part)
            if inner is None:
                if not self._is_closed(current, part):
                    return None
                known = self._submodules(current)
                return Unresolved(binding, f"{dotted}.{part}", "", current, known)
            current, dotted = inner, f"{dotted}.{part}"
        if value.name in (None, "*"):
            return None
        assert value.name is not None
        return self._name(binding, value.name, current, dotted)

    def _start(self, value: Import) -> tuple[str, str, list[str]] | None:
        """The package that an import begins in, its name, and what is left to be found."""
        parts = value.module.split(".") if value.module else []
        if value.level:
            folder = dirname(self._importer)
            base = self._modules.base(self._importer)
            for _ in range(value.level - 1):
                folder = dirname(folder)
            inside = folder != base and (not base or folder.startswith(f"{base}/"))
            if not inside:
                return None
            dots = "." * value.level
            return f"{folder}/__init__.py", f"{dots}{folder.rpartition('/')[2]}", parts
        top, *rest = parts
        if top in sys.stdlib_module_names or top in ("conftest", "pytest", "_pytest"):
            return None
        places = self._modules.places(top, self._importer)
        if len(places) != 1 or not places[0].endswith(".py"):
            return None
        place = places[0]
        is_package = place.endswith("__init__.py")
        home = dirname(dirname(place)) if is_package else dirname(place)
        if home.rpartition("/")[2] == "src":
            home = dirname(home)
        # A path that is changed may lead to another package of the name, but hardly where this
        # one lies in the project that the importing file belongs to.
        above = not home or self._importer.startswith(f"{home}/")
        if not (above and is_package) and self._is_path_changed():
            return None
        if not is_package and rest:
            return None
        return place, top, rest

    def _is_path_changed(self) -> bool:
        if self._moved is None:
            self._moved = any(map(self._changes_path, self._startup))
        return self._moved

    def _changes_path(self, path: str) -> bool:
        space = self._evaluator.module(path)
        return space is None or space.facts.changes_path

    def _is_open(self, package: str) -> bool:
        """Whether a package says where its modules lie: some may be in another distribution."""
        if not package.endswith("__init__.py"):
            return False
        space = self._evaluator.module(package)
        return space is None or "__path__" in space.bindings

    def _is_closed(self, package: str, name: str) -> bool:
        """Whether a package that is not open certainly has no such submodule at run time."""
        key = (package, name)
        if key not in self._memo.closed:
            self._memo.closed[key] = self._find_closed(package, name)
        return self._memo.closed[key]

    def _find_closed(self, package: str, name: str) -> bool:
        folder = dirname(package) if package.endswith(".py") else package
        if package.endswith(".py"):
            if not package.endswith("__init__.py"):
                return False
            space = self._evaluator.module(package)
            if space is None or space.facts.dynamic:
                return False
        entries = self._modules.entries(folder)
        if any(entry.partition(".")[0] == name for entry in entries):
            return False
        if _GENERATED.fullmatch(name):
            return False
        if self._modules.is_ignored(join(folder, f"{name}.py")):
            return False
        if self._modules.is_ignored(join(folder, name, "__init__.py")):
            return False
        own = any(part.startswith("test") for part in folder.split("/"))
        return own or not (name.startswith("_") or self._is_built(folder))

    def _is_built(self, folder: str) -> bool:
        """Whether some of a package's modules may come from a compiler."""
        if folder not in self._memo.built:
            self._memo.built[folder] = self._find_built(folder)
        return self._memo.built[folder]

    def _find_built(self, folder: str) -> bool:
        while True:
            entries = self._modules.entries(folder)
            if not _BUILD_FILES.isdisjoint(entries):
                return True
            if any(entry.endswith(_COMPILED) for entry in entries):
                return True
            inner = (self._modules.entries(f"{folder}/{entry}") for entry in ("src", "_src"))
            if any(entry.endswith(_COMPILED) for found in inner for entry in found):
                return True
            if not folder or folder.startswith("../"):
                return False
            folder = dirname(folder)

    def _submodules(self, package: str) -> frozenset[str]:
        folder = dirname(package) if package.endswith(".py") else package
        names = (
            entry.removesuffix(".py")
            for entry in self._modules.entries(folder)
            if entry.endswith(".py") or "." not in entry
        )
        return frozenset(name for name in names if name.isidentifier() and name != "__init__")

    def _name(self, binding: Binding, name: str, current: str, dotted: str) -> Unresolved | None:
        if name.startswith("__") and name.endswith("__"):
            return None
        if self._modules.submodule(current, name) is not None:
            return None
        if not current.endswith(".py"):
            if not self._is_closed(current, name):
                return None
            return Unresolved(binding, dotted, name, current, self._submodules(current))
        is_package = current.endswith("__init__.py")
        folder, _, file = current.rpartition("/")
        stem = file.removesuffix(".py")
        entries = self._modules.entries(folder)
        # A stub beside a module tells of names that the module's own text does not.
        beside = (".so", ".pyd", ".pyi")
        if any(e.partition(".")[0] == stem and e.endswith(beside) for e in entries):
            return None
        if is_package and (self._is_open(current) or not self._is_closed(current, name)):
            return None
        if current not in self._memo.names:
            self._memo.names[current] = self._names(current, set())
        names = self._memo.names[current]
        if names is None or name in names:
            return None
        known = frozenset(names | self._submodules(current) if is_package else names)
        return Unresolved(binding, dotted, name, current, known)

    def _names(self, path: str, seen: set[str]) -> set[str] | None:
        """Every name that a module may have; None where code decides."""
        space = self._evaluator.module(path)
        if space is None or path in seen:
            return None if space is None else set()
        seen.add(path)
        facts = space.facts
        if facts.dynamic or self._hands_itself_on(facts):
            return None
        names = set(facts.global_names)
        # `public(frozendict=FrozenDict)` may give the module a name.
        names.update(key for found in facts.module_calls for key, _ in found.call.keywords)
        for binding in facts.bindings:
            if binding.target:
                continue
            if binding.name in ("?", "__getattr__"):
                return None
            value = binding.value
            if isinstance(value, Import) and value.name == "*":
                more = self._starred(value, path, seen)
                if more is None:
                    return None
                names |= more
            else:
                names.add(binding.name)
        return names

    def _starred(self, star: Import, path: str, seen: set[str]) -> set[str] | None:
        if star.level:
            found = self._modules.relative(star.module, path, star.level)
        else:
            places = self._modules.places(star.module, path)
            found = places[0] if len(places) == 1 else None
        return self._names(found, seen) if found is not None and found.endswith(".py") else None

    def _hands_itself_on(self, facts: FileFacts) -> bool:
        """Whether the module calls something that may give it names."""
        return any(
            any(_means_module(argument) for argument in found.call.args)
            or self._is_dynamic(found.call, facts.path)
            for found in facts.module_calls
        )

    def _is_dynamic(self, call: Call, path: str) -> bool:
        """Whether the function called stands in a file that looks into other namespaces."""
        space = self._evaluator.module(path)
        func = None if space is None else self._evaluator.evaluate(call.func, space)
        if not isinstance(func, FunctionValue):
            return False
        home = self._evaluator.module(func.module)
        return home is None or home.facts.dynamic


def _means_module(argument: Expression) -> bool:
    """Whether a module passes itself: its name, or what some function says is the module."""
    if isinstance(argument, Call):
        argument = argument.func
        return isinstance(argument, Name) and "module" in argument.parts[-1]
    return argument == Name(("__name__",))
