"""Says which of a function's parameters pytest takes for fixture requests.

Follows `_pytest.compat.getfuncargnames` (pytest 7.4 to 9.2).
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING

from scopecheck.finding import Place
from scopecheck.suite.model import Request

if TYPE_CHECKING:
    from scopecheck.facts import Parameter
    from scopecheck.suite.values import FunctionValue


def innermost(function: FunctionValue) -> FunctionValue:
    """The function whose signature `inspect.signature` reports: the last `__wrapped__`."""
    while function.wrapped is not None:
        function = function.wrapped
    return function


def requests(
    function: FunctionValue, *, method: bool, bound: bool, version: tuple[int, int]
) -> tuple[Request, ...]:
    """The names that a function requests, in order.

    Args:
        function: with what its decorators did to the parameters.
        method: a test collected from a class, as a plain function whose first argument is dropped.
        bound: a fixture taken from an instance, whose signature has no first parameter any more.
        version: pytest's, as (major, minor).
    """
    inner = innermost(function)
    if not inner.function.kept_parameters:
        return ()
    parameters = _unfilled(function, inner.function.parameters)
    static = function.wrapper.startswith("static") or inner.wrapper.startswith("static")
    if bound and not static and parameters and parameters[0].kind in ("normal", "positional"):
        parameters = parameters[1:]
    names = [p for p in parameters if p.kind in ("normal", "keyword") and not p.default]
    if method and not static:
        keeps_first = version >= (8, 4) and any(p.kind == "positional" for p in parameters)
        names = names if keeps_first else names[1:]
    if function.patched:
        names = names[function.patched :]
    # Many tests ask for the same names.
    return tuple([Request(intern(p.name), Place(inner.module, p.span)) for p in names])


def _unfilled(function: FunctionValue, parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """The parameters that `hypothesis.given` and `functools.partial` leave to be filled."""
    if function.given or function.given_last:
        left = [p for p in parameters if p.name not in function.given]
        fillable = [p for p in left if p.kind in ("normal", "positional")]
        filled = {p.name for p in fillable[len(fillable) - function.given_last :]}
        parameters = tuple(p for p in left if p.name not in filled)
    count, names = function.bound
    if count or names:
        positional = [p for p in parameters if p.kind in ("normal", "positional")]
        dropped = {p.name for p in positional[:count]} | set(names)
        parameters = tuple(p for p in parameters if p.name not in dropped)
    return parameters
