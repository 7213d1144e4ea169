"""What the paths stand for that functions change and call: `CACHE.entries[]`, `client.session`.

    subject   what a path stands for: a parameter, an object or class of a module, a module, a name
              of a library

A subject is found through imports of other files, and through a function that returns an object of
its module, a few calls deep. What can only be told by running code is None.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from scopecheck.expressions import Call, ClassRef, FunctionRef, Name
from scopecheck.facts import Deleted, Extended, Import
from scopecheck.suite.values import ClassValue, External, FunctionValue, ModuleValue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from scopecheck.expressions import Expression
    from scopecheck.facts import FileFacts, Function
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.namespace import Namespace

_MAX_HOPS = 8
# Comments may stand between the two, in parentheses.
_RETURNED_NAME = re.compile(
    r"\breturn\b(?:[\s(\\]|#[^\n]*\n)*[^\W\d]\w*(?:\s*\.\s*\w+)*(?=\s*(?:[)#;\\]|$))",
    re.MULTILINE,
)

Kind: TypeAlias = Literal["parameter", "object", "class", "module", "function", "external"]


class Subject(Struct, frozen=True):
    """What a path stands for.

    name: a parameter's, an object's or a class's own name; of a library the whole dotted path.
    path: the file that defines it. rest: what the path follows from it: attributes, `[]`, calls.
    value: the expression that makes a module's object; class_: the class, for one that was read.
    """

    kind: Kind
    name: str
    path: str = ""
    rest: tuple[str, ...] = ()
    value: Expression | None = None
    class_: ClassValue | None = None
    line: int = 0

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """The same for two paths that lead to one object."""
        return (self.path, self.name, self.rest)


class Subjects:
    """What paths stand for in the files of one suite.

    Args:
        evaluator: of the suite.
        read_kept: the facts of one function, where something of it is kept for all that ask.
        lines_kept: some lines of a file, where something of them is kept so.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        read_kept: Callable[[str, Function], FileFacts | None],
        lines_kept: Callable[[str, int, int], str],
    ) -> None:
        self._evaluator = evaluator
        self._read_kept = read_kept
        self._lines_kept = lines_kept
        self._returned: dict[tuple[str, int, int], Name | None] = {}
        self._resolved: dict[tuple[str, tuple[str, ...], Import | None], Subject | None] = {}

    def bound_in(self, path: str) -> Collection[str]:
        """The names that a file's module binds, to look them up."""
        space = self._evaluator.module(path)
        return () if space is None else space.bindings

    def resolve(
        self,
        path: str,
        function: Function | None,
        target: tuple[str, ...],
        imported: Import | None = None,
    ) -> Subject | None:
        """What a path in a function stands for."""
        if not target:
            return None
        if imported is None and function is not None and function.kept_parameters:
            for parameter in function.parameters:
                if parameter.name == target[0]:
                    return Subject("parameter", target[0], path, target[1:])
        space = None
        if imported is None:
            space = self._evaluator.module(path)
            if space is None:
                return None
            if target[0].removesuffix("()") not in space.bindings:
                # Most are local names, far too many to keep.
                return _builtin(target) if space.complete else None
        key = (path, target, imported)
        if key not in self._resolved:
            if imported is not None:
                found = self._imported(imported, path, target, 0)
            else:
                assert space is not None
                found = self._follow(space, target, 0)
            self._resolved[key] = found
        return self._resolved[key]

    def _imported(
        self, value: Import, importer: str, target: tuple[str, ...], hops: int
    ) -> Subject | None:
        called = target[0].endswith("()")
        source = None
        if value.name is not None:
            source = self._evaluator.source(value, importer)
        if source is not None and value.name in source.bindings:
            name = f"{value.name}()" if called else value.name
            return self._follow(source, (name, *target[1:]), hops + 1)
        found = self._evaluator.imported(value, importer, target[0].removesuffix("()"))
        if called and not isinstance(found, External):
            return None
        if isinstance(found, External):
            return _external(found.name + ("()" if called else ""), target[1:])
        if isinstance(found, ModuleValue):
            return self._in_module(found, target[1:], hops)
        return None

    def _in_module(self, module: ModuleValue, rest: tuple[str, ...], hops: int) -> Subject | None:
        if not rest:
            return Subject("module", module.name, module.path)
        space = self._evaluator.module(module.path)
        if space is not None and rest[0].removesuffix("()") in space.bindings:
            return self._follow(space, rest, hops + 1)
        value = self._evaluator.attribute(module, rest[0])
        if isinstance(value, ModuleValue):
            return self._in_module(value, rest[1:], hops + 1)
        return None

    def _follow(self, space: Namespace, target: tuple[str, ...], hops: int) -> Subject | None:
        if hops > _MAX_HOPS:
            return None
        name = target[0].removesuffix("()")
        called = name != target[0]
        bindings = space.bindings.get(name)
        if not bindings:
            return _builtin(target) if space.complete else None
        plain = [b for b in bindings if not isinstance(b.value, (Extended, Deleted))]
        if not plain:
            return None
        binding = plain[-1]
        match binding.value:
            case Import() as value:
                return self._imported(value, space.path, target, hops)
            case FunctionRef(index=index):
                function = space.facts.functions[index]
                if not called:
                    return Subject("function", name, space.path, target[1:], line=function.line)
                returned = self._returns(space.path, function)
                if returned is None:
                    return None
                return self._follow(space, (*returned.parts, *target[1:]), hops + 1)
            case ClassRef(index=index):
                if called:
                    return None
                class_ = ClassValue(space.path, space.facts.classes[index], space, index)
                return Subject("class", name, space.path, target[1:], class_=class_)
            case Deleted() | Extended():
                return None
            case value:
                if called:
                    return None
                line = binding.span.line
                return Subject("object", name, space.path, target[1:], value, line=line)

    def _returns(self, path: str, function: Function) -> Name | None:
        """The name of its module that a function returns, if it returns nothing else."""
        key = (path, function.line, function.span.column)
        if key not in self._returned:
            self._returned[key] = None
            plain = not function.kept_parameters and not function.is_generator
            may = plain and self._may_return_a_name(path, function)
            facts = self._read_kept(path, function) if may else None
            if facts is not None:
                own = facts.functions[0]
                values = () if own.handout is None else own.handout.values
                names = {value for value, _ in values if isinstance(value, Name)}
                bound = {binding.name for binding in own.bindings}
                declared = set(facts.global_names)
                if len(names) == len(values) == 1:
                    (only,) = names
                    if only.parts[0] not in bound - declared:
                        self._returned[key] = only
        return self._returned[key]

    def _may_return_a_name(self, path: str, function: Function) -> bool:
        """Whether a `return` of a name, `CACHE` or `module.CACHE`, stands in a function's text."""
        text = self._lines_kept(path, function.first_line, function.end_line)
        return function.name == "<lambda>" or _RETURNED_NAME.search(text) is not None

    def class_of(self, subject: Subject) -> ClassValue | None:
        """The class, of those that were read, that makes a module's object."""
        if subject.class_ is not None:
            return subject.class_
        space = self._evaluator.module(subject.path) if subject.path else None
        if space is None or not isinstance(subject.value, Call):
            return None
        found = self._evaluator.evaluate(subject.value.func, space)
        return found if isinstance(found, ClassValue) else None

    def maker_of(self, subject: Subject) -> str:
        """The dotted name of what a module's object is made by; empty where it is not known."""
        space = self._evaluator.module(subject.path) if subject.path else None
        if space is None or not isinstance(subject.value, Call):
            return ""
        found = self._evaluator.evaluate(subject.value.func, space)
        match found:
            case External(name=name):
                return name
            case ClassValue():
                return f"{self._evaluator.modules.name_of(found.module)}.{found.class_.name}"
            case FunctionValue():
                name = self._evaluator.modules.name_of(found.module)
                return f"{name}.{found.function.name}"
        return ""


@lru_cache(1024)
def _builtin(target: tuple[str, ...]) -> Subject:
    """What a path stands for that begins with a name of no module."""
    return _external(f"builtins.{target[0]}", target[1:])


def _external(name: str, rest: tuple[str, ...]) -> Subject:
    """A name of a library, with the attributes that are surely its own."""
    kept = list(rest)
    while kept and kept[0] != "[]" and not name.endswith("()"):
        name = f"{name}.{kept.pop(0)}"
    return Subject("external", name, "", tuple(kept))
