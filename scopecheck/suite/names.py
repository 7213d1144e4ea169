"""Evaluates names and expressions of the files read, as far as fixtures and tests need it.

A small abstract interpreter: it follows imports, aliases, partials, wrappers and factories to what
a name stands for, runs nothing, and answers UNKNOWN where only running code can tell.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from scopecheck.expressions import (
    Attribute,
    Awaited,
    Call,
    Choice,
    ClassRef,
    Const,
    FunctionRef,
    Items,
    Joined,
    Mapping,
    Name,
    Star,
)
from scopecheck.facts import Binding, Deleted, Extended, Import
from scopecheck.suite import calls
from scopecheck.suite.named_modules import PLAIN_LIBRARIES, PYTEST_NAMES, module_named
from scopecheck.suite.namespace import Namespace
from scopecheck.suite.values import (
    MISSING,
    UNKNOWN,
    ClassValue,
    Dictionary,
    External,
    FixtureValue,
    FunctionValue,
    Literal,
    ModuleValue,
    PackageValue,
    Raises,
    Sequence,
    Unknown,
    known_strings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scopecheck.expressions import Expression
    from scopecheck.facts import BoundValue, FileFacts
    from scopecheck.source import Span
    from scopecheck.suite.modules import Modules
    from scopecheck.suite.namespace import Key
    from scopecheck.suite.values import Value

_MAX_DEPTH = 40
# Of one look-up: functions that call themselves twice double them with each level.
_MAX_STEPS = 20_000


class Evaluator:
    """Follows names through the files of one suite.

    Args:
        load: the facts of a file by path, None when it was not read or has none.
        modules: the module search path.
        fixture_decorators: dotted names of decorators that the configuration says make fixtures.
        version: pytest's, as (major, minor).
    """

    def __init__(
        self,
        load: Callable[[str], FileFacts | None],
        modules: Modules,
        fixture_decorators: Iterable[str] = (),
        version: tuple[int, int] = (9, 2),
    ) -> None:
        self._load = load
        self.modules = modules
        self.fixture_decorators = frozenset(fixture_decorators)
        self.version = version
        self._modules: dict[str, Namespace | None] = {}
        self._starred: set[str] = set()
        self._class_spaces: dict[tuple[str, int, int], Namespace] = {}
        self._busy: set[tuple[Namespace, Key]] = set()
        self._depth = 0
        self._steps = 0

    @property
    def paths(self) -> list[str]:
        """The files looked into so far."""
        return list(self._modules)

    @property
    def opened(self) -> int:
        """How many files were looked into so far."""
        return len(self._modules)

    def opened_since(self, number: int) -> Iterator[str]:
        """The files looked into since there were that many."""
        return islice(reversed(self._modules), self.opened - number)

    def module(self, path: str) -> Namespace | None:
        """A module's namespace, star imports expanded; None for a file that was not read."""
        if path in self._modules:
            return self._modules[path]
        facts = self._load(path)
        if facts is None or facts.error is not None:
            self._modules[path] = None
            return None
        space = Namespace(facts, ())
        self._modules[path] = space
        space.complete = not any(
            binding.name == "?" and not binding.target
            for function in facts.functions
            if function.may_name("?")
            for binding in function.bindings
        )
        for binding in facts.bindings:
            value = binding.value
            if isinstance(value, Import) and value.name == "*" and not binding.guard.never:
                self._expand_star(space, binding, value)
            else:
                space.add(binding)
        return space

    def _expand_star(self, space: Namespace, binding: Binding, star: Import) -> None:
        source = module_named(self.modules, star.module, space.path, star.level)
        names: tuple[str, ...] | None = None
        if isinstance(source, ModuleValue):
            other = self.module(source.path)
            names = self.exported(other) if other is not None else None
            if other is not None and not other.complete:
                space.complete = False
        elif isinstance(source, External) and source.name == "pytest":
            names = PYTEST_NAMES
        if names is None:
            space.complete = (
                space.complete
                and isinstance(source, External)
                and (source.name.partition(".")[0] in PLAIN_LIBRARIES)
            )
            return
        for name in names:
            value = Import(star.module, name, star.level)
            space.add(Binding(name, value, binding.span, binding.guard))

    def exported(self, space: Namespace) -> tuple[str, ...]:
        """The names that `from module import *` brings: `__all__`, else what has no `_` before."""
        if "__all__" in space.bindings:
            names, complete = known_strings(self.lookup(space, "__all__"))
            space.complete &= complete
            return names
        return tuple(name for name in space.bindings if not name.startswith("_"))

    def class_space(self, value: ClassValue) -> Namespace:
        """The names of a class body."""
        space = self._class_spaces.get(value.key)
        if space is None:
            class_ = value.class_
            space = Namespace(value.env.facts, class_.bindings, value.env, class_=class_)
            self._add_attached(space, value)
            self._class_spaces[value.key] = space
        return space

    def body(self, path: str, owner: int) -> Namespace | None:
        """The names of a file's module (-1) or of one of its classes, by the class's index."""
        space = self.module(path)
        if space is None or owner < 0:
            return space
        class_ = space.facts.classes[owner]
        outer = self.body(path, class_.owner)
        return outer and self.class_space(ClassValue(path, class_, outer, owner))

    def _add_attached(self, space: Namespace, value: ClassValue) -> None:
        """Take in `Class.name = value` and `setattr(Class, "name", value)` of the same module."""
        for binding in value.env.facts.bindings:
            if binding.target == (value.class_.name,):
                if binding.name == "?":
                    space.complete = False
                elif not binding.guard.never:
                    plain = Binding(binding.name, binding.value, binding.span, binding.guard)
                    space.bindings.setdefault(binding.name, []).append(plain)

    def lookup(self, space: Namespace, name: str) -> Value:
        """What a name stands for at the end of its namespace's code; MISSING if it has none.

        Where a name is bound under conditions that are not known, the answer is the value that all
        of its possible bindings share, else UNKNOWN.
        """
        if name in space.values:
            return space.values[name]
        bindings = space.bindings.get(name, [])
        # What a class body does not bind yet is looked for outside: `fx = pytest.fixture(fx)`.
        if space.position is not None and (len(bindings) > 1 or space.class_ is not None):
            bindings = [
                binding
                for binding in bindings
                if (binding.span.line, binding.span.column) < space.position
            ]
        if not bindings:
            return MISSING
        # An earlier binding of the same name is another value: `fx = pytest.fixture(fx)`.
        key: Key = name if len(bindings) == 1 else (name, len(bindings))
        memo = space._memo.get(key)
        if memo is None:
            only = bindings[0].value
            if isinstance(only, FunctionRef) and len(bindings) == 1:
                function = space.facts.functions[only.index]
                if not function.kept_decorators:
                    # Most names of tests: nothing is evaluated.
                    memo = FunctionValue(space.path, function, space, only.index)
                    space._memo[key] = memo
                    return memo
            if (space, key) in self._busy or not self._may_go_on():
                return UNKNOWN
            memo = space._memo[key] = self._guarded(space, key, bindings)
        return memo

    def _may_go_on(self) -> bool:
        """Whether a look-up is neither too deep nor too long yet."""
        self._steps = self._steps + 1 if self._depth else 0
        return self._depth <= _MAX_DEPTH and self._steps <= _MAX_STEPS

    def _guarded(self, space: Namespace, key: Key, bindings: list[Binding]) -> Value:
        """The value of a name, UNKNOWN where finding it needs the same value again."""
        self._busy.add((space, key))
        self._depth += 1
        try:
            return self._last(space, bindings)
        finally:
            self._busy.discard((space, key))
            self._depth -= 1

    def from_outside(self, space: Namespace, name: str) -> Value:
        """What a name of a module stands for to other modules: after all of its code has run."""
        position, space.position = space.position, None
        try:
            return self.lookup(space, name)
        finally:
            space.position = position

    def _last(self, space: Namespace, bindings: list[Binding]) -> Value:
        count = len(bindings)
        if count == 1 and not isinstance(bindings[0].value, Extended):
            return self.bound(bindings[0], space)
        while count and isinstance(bindings[count - 1].value, Extended):
            count -= 1
        if count < len(bindings):
            whole = self._last(space, bindings[:count]) if count else UNKNOWN
            for binding in bindings[count:]:
                assert isinstance(binding.value, Extended)
                more = self.evaluate_at(binding.value.value, space, binding.span)
                whole = calls.joined(whole, more)
                if binding.guard.branch:
                    whole = calls.joined(whole, UNKNOWN)
            return whole
        candidates: list[Binding] = []
        fallbacks: list[Binding] = []
        for binding in reversed(bindings):
            if binding.guard.branch == "except":
                fallbacks.append(binding)
                continue
            candidates.append(binding)
            if binding.guard.branch == "":
                break
        chosen = candidates or fallbacks[-1:]
        values = [self.bound(binding, space) for binding in chosen]
        if fallbacks and candidates and self._may_fail(candidates[0], values[0]):
            other = self.bound(fallbacks[0], space)
            if isinstance(other, FixtureValue):
                values.append(other)
        first = values[0]
        if all(value == first for value in values[1:]):
            return first
        known = [value for value in values if value != MISSING]
        return known[0] if len(known) == 1 else UNKNOWN

    def _may_fail(self, binding: Binding, value: Value) -> bool:
        """Whether this is an import of what may not be installed, with an `except` to catch it."""
        return (
            binding.guard.caught
            and isinstance(binding.value, Import)
            and (value == MISSING or isinstance(value, (External, Unknown)))
        )

    def bound(self, binding: Binding, space: Namespace) -> Value:
        """The value that one binding gives its name."""
        value: BoundValue = binding.value
        if isinstance(value, Import):
            return self.imported(value, space.path, binding.name)
        if isinstance(value, Deleted):
            return MISSING
        if isinstance(value, Extended):
            return UNKNOWN
        return self.evaluate_at(value, space, binding.span)

    def evaluate_at(self, expression: Expression, space: Namespace, span: Span) -> Value:
        """What an expression stands for when the code of its namespace has run up to a place."""
        if space.class_ is None:
            previous, space.position = space.position, (span.line, span.column)
            try:
                return self.evaluate(expression, space)
            finally:
                space.position = previous
        spaces = [space]
        while spaces[-1].class_ is not None and spaces[-1].parent is not None:
            spaces.append(spaces[-1].parent)
        before = [each.position for each in spaces]
        for each in spaces:
            each.position = (span.line, span.column)
        try:
            return self.evaluate(expression, space)
        finally:
            for each, position in zip(spaces, before, strict=True):
                each.position = position

    def imported(self, value: Import, importer: str, bound_name: str) -> Value:
        """What an import statement binds."""
        if value.name is None:
            if "." in value.module and bound_name == value.module.partition(".")[0]:
                return module_named(self.modules, bound_name, importer, 0)
            return module_named(self.modules, value.module, importer, 0)
        source = module_named(self.modules, value.module, importer, value.level)
        return self.attribute(source, value.name)

    def source(self, value: Import, importer: str) -> Namespace | None:
        """The module that an import statement takes a name from, if it was read."""
        found = module_named(self.modules, value.module, importer, value.level)
        return self.module(found.path) if isinstance(found, ModuleValue) else None

    def attribute(self, owner: Value, name: str) -> Value:
        """`owner.name`, for modules, classes and what is external."""
        match owner:
            case External():
                return calls.external(f"{owner.name}.{name}")
            case ModuleValue():
                space = self.module(owner.path)
                if space is None:
                    return UNKNOWN
                value = self.from_outside(space, name)
                if value != MISSING:
                    return value
                inner = self.modules.submodule(owner.path, name)
                if inner is not None:
                    full = f"{owner.name}.{name}"
                    if inner.endswith(".py"):
                        return ModuleValue(inner, full)
                    return PackageValue(inner, full)
                if not space.complete or "__getattr__" in space.bindings:
                    return UNKNOWN
                return MISSING
            case PackageValue():
                inner = self.modules.submodule(owner.folder, name)
                if inner is None:
                    return MISSING
                full = f"{owner.name}.{name}"
                return (
                    ModuleValue(inner, full) if inner.endswith(".py") else PackageValue(inner, full)
                )
            case ClassValue():
                return self.lookup(self.class_space(owner), name)
        return calls.attribute(owner, name)

    def _outer(self, space: Namespace | None, name: str) -> Value:
        """A name as code inside the namespace sees it, class bodies between left out."""
        while space is not None:
            value = self.lookup(space, name)
            if value != MISSING:
                return value
            if not space.complete:
                return UNKNOWN
            space = space.parent
            while space is not None and space.class_ is not None:
                space = space.parent
        return calls.builtin(name)

    def evaluate(self, expression: Expression, space: Namespace) -> Value:
        """What an expression stands for in a namespace."""
        match expression:
            case Name():
                value = self._outer(space, expression.parts[0])
                for part in expression.parts[1:]:
                    value = self.attribute(value, part)
                    if value == MISSING:
                        return UNKNOWN
                return value
            case Const():
                return Literal(expression.value)
            case Call():
                return self._call(expression, space)
            case Awaited():
                return self.evaluate(expression.value, space)
            case FunctionRef():
                return self.function(expression, space)
            case ClassRef():
                return self._class(expression, space)
            case Items():
                return self._items(expression, space)
            case Attribute():
                value = self.evaluate(expression.value, space)
                return self.attribute(value, expression.attr)
            case Mapping():
                return Dictionary(
                    tuple((key, self.evaluate(value, space)) for key, value in expression.items)
                )
            case Joined():
                left = self.evaluate(expression.left, space)
                return calls.joined(left, self.evaluate(expression.right, space))
            case Choice():
                then = self.evaluate(expression.then, space)
                other = self.evaluate(expression.other, space)
                return then if then == other else UNKNOWN
        return UNKNOWN

    def _items(self, expression: Items, space: Namespace) -> Value:
        items: list[Value] = []
        complete = expression.rest == 0
        for item in expression.items:
            if isinstance(item, Star):
                inner = self.evaluate(item.value, space)
                if isinstance(inner, Sequence) and inner.complete:
                    items.extend(inner.items)
                else:
                    complete = False
            else:
                value = self.evaluate(item, space)
                if isinstance(value, Raises):
                    return value
                items.append(value)
        return Sequence(tuple(items), complete)

    def _call(self, expression: Call, space: Namespace) -> Value:
        if not self._may_go_on():
            return UNKNOWN
        self._depth += 1
        try:
            func = self.evaluate(expression.func, space)
            args: list[Value] = []
            for arg in expression.args:
                if isinstance(arg, Star):
                    inner = self.evaluate(arg.value, space)
                    if not (isinstance(inner, Sequence) and inner.complete):
                        args.append(UNKNOWN)
                        continue
                    args.extend(inner.items)
                else:
                    args.append(self.evaluate(arg, space))
            keywords: list[tuple[str, Value]] = []
            for key, argument in expression.keywords:
                value = self.evaluate(argument, space)
                if key != "**":
                    keywords.append((key, value))
                elif isinstance(value, Dictionary):
                    keywords.extend(value.items)
                else:
                    keywords.append(("**", UNKNOWN))
            return calls.apply(self, func, tuple(args), tuple(keywords))
        finally:
            self._depth -= 1

    def function(self, ref: FunctionRef, space: Namespace) -> Value:
        """A function with its decorators applied, innermost first."""
        function = space.facts.functions[ref.index]
        value: Value = FunctionValue(space.path, function, space, ref.index)
        for decorator in reversed(function.decorators):
            applied = self.evaluate(decorator.expression, space)
            value = calls.apply(self, applied, (value,), ())
        return value

    def _class(self, ref: ClassRef, space: Namespace) -> Value:
        class_ = space.facts.classes[ref.index]
        value: Value = ClassValue(space.path, class_, space, ref.index)
        for decorator in reversed(class_.decorators):
            applied = self.evaluate(decorator.expression, space)
            value = calls.apply(self, applied, (value,), ())
        return value
