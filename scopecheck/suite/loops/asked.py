"""Says which tests the conditions of a hook let through, as far as the conditions are about that.

Only async tests count: a condition that is about others is met by none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from scopecheck.expressions import Call, Const, Items, Name
from scopecheck.hook_facts import ITEM
from scopecheck.suite.namespace import Namespace
from scopecheck.suite.values import UNKNOWN, ClassValue, External, FunctionValue, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.expressions import Expression
    from scopecheck.hook_facts import Condition
    from scopecheck.suite.names import Evaluator
    from scopecheck.suite.values import Value


class Asked(Struct, frozen=True):
    """What an async test must be to be let through.

    taken: pytest-asyncio has made it a test of its own. coroutine: its function is asked to be a
        coroutine function, which it is.
    only, unless: names of marks that it must have, and must not have.
    """

    taken: bool = False
    coroutine: bool = False
    only: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()


# Every test (`Asked()`) and none (False) are known; None is not.
Answer: TypeAlias = Asked | bool | None

_COROUTINE = Asked(coroutine=True)
_TAKEN = Asked(taken=True, coroutine=True)
_FUNCTION = frozenset({"function", "obj", "_obj"})
_ATTRIBUTES = _FUNCTION | {
    "add_marker",
    "get_closest_marker",
    "iter_markers",
    "keywords",
    "own_markers",
}
_IS_COROUTINE = frozenset(
    {
        "inspect.iscoroutinefunction",
        "asyncio.iscoroutinefunction",
        "asyncio.coroutines.iscoroutinefunction",
    }
)
_IS_CODE = frozenset({"builtins.callable", "inspect.isfunction", "inspect.isroutine"})
_MATCHES = frozenset({"funcnamefilter", "istestfunction"})
_LISTS = frozenset({"builtins.any", "builtins.bool", "builtins.list", "builtins.tuple"})
_TESTS = frozenset(
    {"pytest.Function", "pytest.Item", "_pytest.python.Function"}
    | {"_pytest.nodes.Item", "_pytest.nodes.Node"}
)
_NO_TESTS = frozenset(
    {"pytest.Class", "pytest.Collector", "pytest.DoctestItem", "pytest.File", "pytest.Module"}
    | {"pytest.Package", "_pytest.doctest.DoctestItem", "_pytest.python.Class"}
)
_TAKEN_CLASSES = frozenset({"PytestAsyncioFunction", "Coroutine"})
_PLUGIN = "pytest_asyncio"
_MAX_DEPTH = 4


class Reader:
    """Reads the conditions of one function.

    Args:
        evaluator: follows names.
        space: the function's names.
        function: what the conditions call ITEM is the function that a test is made of.
        keyword_marks: in `"name" in item.keywords`, the names that only marks can have.
        depth: of helpers followed.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        space: Namespace,
        keyword_marks: frozenset[str],
        *,
        function: bool = False,
        depth: int = 0,
    ) -> None:
        self._evaluator = evaluator
        self._space = space
        self._keyword_marks = keyword_marks
        self._function = function
        self._depth = depth

    def all_of(self, conditions: Iterable[Condition]) -> Answer:
        """The tests for which every condition holds."""
        found: Answer = True
        since: frozenset[int] = frozenset()
        for times, answer in self.questions(conditions):
            both = _both(found, answer)
            if both is False and found is not False and answer is not False and times != since:
                both = None  # what a test has not at one time, it may have at another
            found, since = both, since | times
            if found is False:
                break
        return found

    def questions(self, conditions: Iterable[Condition]) -> Iterator[tuple[frozenset[int], Answer]]:
        """What is asked, and when it is asked which marks a test has: one for each of the times."""
        found: dict[frozenset[int], Answer] = {}
        for condition in conditions:
            since = frozenset(self._times_of_marks([condition]))
            found[since] = _both(found.get(since, True), self._one(condition))
        yield from found.items()

    def _times_of_marks(self, conditions: Iterable[Condition]) -> Iterator[int]:
        for condition in conditions:
            answer = self._one(condition)
            if isinstance(answer, Asked) and (answer.only or answer.unless):
                inner = [one for each in condition.either for one in each]
                if inner:
                    yield from self._times_of_marks(inner)
                else:
                    yield condition.since

    def _one(self, condition: Condition) -> Answer:
        answer: Answer = None
        match condition.relation:
            case "":
                answer = self._true(condition.left)
            case "or":
                answer = _either(self.all_of(each) for each in condition.either)
            case "is" | "==" if condition.right == Const(None):
                answer = opposite(self._true(condition.left))
                if isinstance(answer, Asked) and answer.taken:
                    answer = None  # None is not the only thing that is not true
            case "in":
                answer = self._in(condition.left, condition.right)
        return answer if condition.holds else opposite(answer)

    def _in(self, left: Expression, right: Expression | None) -> Answer:
        keywords = right == Name((ITEM, "keywords")) or (
            isinstance(right, Call)
            and right.func == Name(("getattr",))
            and right.args[:2] == (Name((ITEM,)), Const("keywords"))
        )
        if keywords and not self._function and isinstance(left, Const):
            name = left.value
            if isinstance(name, str) and name in self._keyword_marks:
                return Asked(only=frozenset({name}))
        return None

    def _true(self, expression: Expression) -> Answer:
        """The tests for which an expression is true."""
        if self._is_function(expression) or expression == Name((ITEM,)):
            return True
        match expression:
            case Const(value=value):
                return bool(value)
            case Name(parts=(name,)):
                return self._constant(name)
            case Call(func=Name(parts=(first, method)), args=args) if first == ITEM:
                named = expression.keyword("name")
                given = args[0] if args else named
                if method in ("get_closest_marker", "iter_markers") and isinstance(given, Const):
                    return Asked(only=frozenset({str(given.value)}))
                return None
            case Call(func=Name(parts=(*_, method))) if method in _MATCHES:
                return True
            case Call():
                return self._call(expression)
        return None

    def _constant(self, name: str) -> Answer:
        """A name that is given one constant, whatever happens."""
        space: Namespace | None = self._space
        while space is not None and name not in space.bindings and name not in space.values:
            space = space.parent
        if space is None or len(bindings := space.bindings.get(name, [])) != 1:
            return None
        if bindings[0].guard.branch or bindings[0].guard.caught:
            return None
        value = self._evaluator.evaluate(Name((name,)), self._space)
        return bool(value.value) if isinstance(value, Literal) else None

    def _call(self, call: Call) -> Answer:
        func = self._evaluator.evaluate(call.func, self._space)
        first = call.args[0] if call.args else None
        if first is None:
            return None
        whole = not self._function and first == Name((ITEM,))
        match func:
            case FunctionValue() if f"/{_PLUGIN}/" in f"/{func.module}":
                return _TAKEN if whole and func.function.name == "is_async_test" else None
            case FunctionValue():
                return self._helped(func, call, first)
            case External(name=name):
                if name.startswith(f"{_PLUGIN}.") and name.endswith(".is_async_test"):
                    return _TAKEN if whole else None
                if name in _IS_COROUTINE and self._is_function(first):
                    return _COROUTINE
                if name in _IS_CODE and self._is_function(first):
                    return True
                if name in _LISTS:
                    return self._true(first)
                if name == "builtins.isinstance" and whole and len(call.args) > 1:
                    return self._is_instance(call.args[1])
                if name == "builtins.hasattr" and whole and len(call.args) > 1:
                    asked = call.args[1]
                    return True if isinstance(asked, Const) and asked.value in _ATTRIBUTES else None
        return None

    def _helped(self, func: FunctionValue, call: Call, first: Expression) -> Answer:
        """What a function of the project answers about the test, or about its function."""
        facts = func.function.hook
        if facts is None or facts.answer is None or len(call.args) > 1 or call.keywords:
            return None
        function = self._is_function(first)
        if self._depth >= _MAX_DEPTH or not (function or first == Name((ITEM,))):
            return None
        if func.function.is_async or func.function.is_generator:
            return None
        space = local_space(func)
        marks = self._keyword_marks
        depth = self._depth + 1
        inner = Reader(self._evaluator, space, marks, function=function, depth=depth)
        return inner.all_of(facts.answer)

    def _is_instance(self, kinds: Expression) -> Answer:
        each = kinds.items if isinstance(kinds, Items) else (kinds,)
        return _either(self._is_a(self._evaluator.evaluate(kind, self._space)) for kind in each)

    def _is_a(self, kind: Value) -> Answer:
        match kind:
            case External(name=name):
                top, _, last = name.rpartition(".")
                if name in _TESTS:
                    return True
                if name in _NO_TESTS:
                    return False
                return _TAKEN if top.startswith(_PLUGIN) and last in _TAKEN_CLASSES else None
            case ClassValue():
                named = kind.class_.name in _TAKEN_CLASSES
                return _TAKEN if named and f"/{_PLUGIN}/" in f"/{kind.module}" else None
        return None

    def _is_function(self, expression: Expression) -> bool:
        """Whether this is the function of the test."""
        if self._function:
            return expression == Name((ITEM,))
        match expression:
            case Name(parts=(name, attr)):
                return name == ITEM and attr in _FUNCTION
            case Call(func=Name(parts=("getattr",)), args=(test, Const(value=attr), *_)):
                return test == Name((ITEM,)) and attr in _FUNCTION
        return False


def local_space(func: FunctionValue) -> Namespace:
    """The names of a function's body, of which nobody knows the arguments."""
    arguments: dict[str, Value] = {one.name: UNKNOWN for one in func.function.parameters}
    return Namespace(func.env.facts, func.function.bindings, func.env, arguments)


def _both(first: Answer, second: Answer) -> Answer:
    if first is False or second is False:
        return False
    if first is None or second is None:
        return None
    if first is True or second is True:
        return second if first is True else first
    only, unless = first.only | second.only, first.unless | second.unless
    if only & unless:
        return False
    taken = first.taken or second.taken
    return Asked(taken, first.coroutine or second.coroutine, only, unless)


def _either(answers: Iterable[Answer]) -> Answer:
    found = [answer for answer in answers if answer is not False]
    if not found or None in found:
        return None if found else False
    if True in found:
        return True
    kinds = set(found)
    if kinds <= {_COROUTINE, _TAKEN}:
        return _COROUTINE if _COROUTINE in kinds else _TAKEN
    return found[0] if len(kinds) == 1 else None


def opposite(answer: Answer) -> Answer:
    """The async tests that are left."""
    if answer is None or isinstance(answer, bool):
        return None if answer is None else not answer
    if answer.taken:
        return None
    if len(answer.only) + len(answer.unless) > 1:
        return None
    if answer.only or answer.unless:
        return Asked(only=answer.unless, unless=answer.only)
    return False
