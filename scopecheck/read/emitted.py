"""Reads the names of events that a module of the application sends."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from scopecheck.evidence import Emitted
from scopecheck.read.expressions import dotted

if TYPE_CHECKING:
    from scopecheck.source import Source

EMITTERS = re.compile(r"emit|notify|send|publish|broadcast|dispatch|fire|[Ee]vent|Message")
"""What a function that sends events is called, or a class of events."""

# Where an event keeps its name, as opposed to a name of another kind.
_KEYS = frozenset({"type", "event", "event_type"})


def read_emitted(source: Source) -> Emitted:
    """The strings that reach functions which send something, and the names that stand for more."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Emitted()
    reader = _Reader()
    for node in ast.walk(tree):
        reader.read(node)
    return reader.emitted()


class _Reader:
    """Looks at one module, in no particular order."""

    def __init__(self) -> None:
        self._strings: set[str] = set()
        self._names: set[str] = set()
        # What a name, or an attribute of a class, is bound to.
        self._constants: dict[str, str] = {}

    def emitted(self) -> Emitted:
        """What was found."""
        return Emitted(
            tuple(sorted(self._strings)),
            tuple(sorted(self._names)),
            tuple(sorted(self._constants.items())),
        )

    def read(self, node: ast.AST) -> None:
        """Takes one node in."""
        match node:
            case ast.Call():
                self._call(node)
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value in _KEYS:
                        self._value(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                self._constants[name] = text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                self._constants[name] = text
            case ast.ClassDef(name=owner):
                for statement in node.body:
                    match statement:
                        case ast.Assign(
                            targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))
                        ):
                            self._constants[f"{owner}.{name}"] = text

    def _call(self, node: ast.Call) -> None:
        parts = dotted(node.func)
        name = parts[-1] if parts else getattr(node.func, "attr", "")
        if EMITTERS.search(name):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                self._value(argument)
        else:
            for keyword in node.keywords:
                if keyword.arg in _KEYS:
                    self._value(keyword.value)

    def _value(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=str(text)):
                self._strings.add(text)
            case ast.Name(id=name):
                self._names.add(name)
            case ast.Attribute(value=inner, attr="value" | "name"):
                self._value(inner)
            case ast.Attribute():
                parts = dotted(node)
                if parts is not None and len(parts) > 1:
                    self._names.add(".".join(parts[-2:]))
            case ast.IfExp(body=body, orelse=orelse):
                self._value(body)
                self._value(orelse)
