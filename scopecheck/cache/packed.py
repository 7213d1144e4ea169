"""The facts of one file as bytes, as workers send them and the cache keeps them.

Most names that a module or class binds are those of its functions, whose name and place say it all.
Of these bindings the bytes have the functions' numbers alone, and what is unpacked shares them.
Files import the same names from the same modules: what is unpacked shares these, too.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING

import msgspec

from scopecheck.expressions import FunctionRef
from scopecheck.facts import ALWAYS, Binding, FileFacts, Guard, Import

if TYPE_CHECKING:
    from scopecheck.facts import Function


class _Packed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """facts: without bindings of the module and of its classes, which are apart, in this order."""

    facts: FileFacts
    bindings: tuple[tuple[Binding | int, ...], ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Packed)
_REFS = tuple(map(FunctionRef, range(256)))
# Of each there are some thousands in a million lines of tests.
_imports: dict[Import, Import] = {}
_guards: dict[Guard, Guard] = {}


def pack(facts: FileFacts) -> bytes:
    """A file's facts as bytes.

    Raises:
        UnicodeEncodeError: the file's path is no text.
    """
    bound = (facts.bindings, *(class_.bindings for class_ in facts.classes))
    bare = _with_bindings(facts, ((),) * len(bound))
    return _ENCODER.encode(
        _Packed(bare, tuple(tuple(_packed(one, facts) for one in each) for each in bound))
    )


def _packed(binding: Binding, facts: FileFacts) -> Binding | int:
    value = binding.value
    if type(value) is FunctionRef and binding == _bound(facts.functions, value.index):
        return value.index
    return binding


def unpack(data: bytes | memoryview) -> FileFacts:
    """The facts that were packed.

    Raises:
        ValueError, IndexError, RecursionError: the bytes are damaged (msgspec's errors are of
            the first kind).
    """
    packed = _DECODER.decode(data)
    functions = packed.facts.functions
    bindings = tuple(
        tuple(
            [_shared(one) if isinstance(one, Binding) else _bound(functions, one) for one in each]
        )
        for each in packed.bindings
    )
    return _with_bindings(packed.facts, bindings)


def _bound(functions: tuple[Function, ...], index: int) -> Binding:
    function = functions[index]
    ref = _REFS[index] if index < len(_REFS) else FunctionRef(index)
    return Binding(function.name, ref, function.span, ALWAYS)


def _shared(binding: Binding) -> Binding:
    """A binding like this one, whose parts are those of others like them."""
    value, guard = binding.value, binding.guard
    if type(value) is Import:
        value = _imports.setdefault(value, value)
    guard = _guards.setdefault(guard, guard)
    return Binding(intern(binding.name), value, binding.span, guard, binding.target)


def _with_bindings(facts: FileFacts, bindings: tuple[tuple[Binding, ...], ...]) -> FileFacts:
    replace = msgspec.structs.replace
    own, *of_classes = bindings
    pairs = zip(facts.classes, of_classes, strict=True)
    classes = tuple([replace(class_, bindings=bound) for class_, bound in pairs])
    return replace(facts, bindings=own, classes=classes)
