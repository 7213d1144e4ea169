"""The names of a module, a class body or a called function, with what binds each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from scopecheck.facts import Binding, Class, FileFacts
    from scopecheck.suite.values import Value

    Key: TypeAlias = str | tuple[str, int]
    """A name with one binding, or with so many of its bindings."""


class Namespace:
    """The names of a module, a class body or a called function, each with its bindings in order.

    complete: False where names may exist that cannot be seen (`globals()[...]`, a star import of
        what was not read).
    attached: `name.attribute = value` statements, by name and attribute.
    position: how far the code has run while a statement of it is evaluated (line, column).
    """

    __slots__ = (
        "_memo",
        "attached",
        "bindings",
        "class_",
        "complete",
        "facts",
        "parent",
        "position",
        "values",
    )

    def __init__(
        self,
        facts: FileFacts,
        bindings: Iterable[Binding],
        parent: Namespace | None = None,
        values: dict[str, Value] | None = None,
        class_: Class | None = None,
    ) -> None:
        self.facts = facts
        self.parent = parent
        self.class_ = class_
        self.values = values or {}
        self.bindings: dict[str, list[Binding]] = {}
        self.attached: dict[str, dict[str, Binding]] = {}
        self.complete = True
        self.position: tuple[int, int] | None = None
        self._memo: dict[Key, Value] = {}
        for binding in bindings:
            self.add(binding)

    def add(self, binding: Binding) -> None:
        """Take in the next binding in source order."""
        if binding.guard.never:
            return
        if binding.name == "?":
            if not binding.target:
                self.complete = False
            return
        if binding.target:
            if len(binding.target) == 1:
                self.attached.setdefault(binding.target[0], {})[binding.name] = binding
            return
        same = self.bindings.get(binding.name)
        if same is None:
            # A list made whole takes less than one that grows, and most stay so.
            self.bindings[binding.name] = [binding]
        else:
            same.append(binding)

    @property
    def path(self) -> str:
        """The file that the names stand in."""
        return self.facts.path
