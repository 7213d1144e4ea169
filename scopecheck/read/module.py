"""Turns a module's statements into its bindings, functions and classes."""

from __future__ import annotations

import ast
import weakref
from typing import TYPE_CHECKING

from scopecheck.expressions import (
    Awaited,
    Call,
    ClassRef,
    Entered,
    FunctionRef,
    Items,
    Name,
    Opaque,
    Part,
)
from scopecheck.facts import (
    ALWAYS,
    NO_WORKINGS,
    Binding,
    CallFact,
    Class,
    Decorator,
    Deleted,
    Extended,
    FileFacts,
    Flaw,
    Function,
    Guard,
    Import,
    Redefinition,
    Workings,
)
from scopecheck.read.assertions import read_flaws
from scopecheck.read.bodies import read_body
from scopecheck.read.comments import suppressions
from scopecheck.read.conditions import truth
from scopecheck.read.effects import read_effects
from scopecheck.read.events import read_events
from scopecheck.read.evidence import read_asserts, read_evidence
from scopecheck.read.expressions import ExpressionReader, dotted
from scopecheck.read.handouts import read_handout
from scopecheck.read.hooks import read_hook
from scopecheck.read.nodes import DEFINITIONS, FUNCTIONS, Once
from scopecheck.read.outline import Outline
from scopecheck.read.redefined import redefinitions
from scopecheck.read.signatures import defaults as defaults_of
from scopecheck.read.signatures import looks_like_fixture, parameters, takes_fixture_name
from scopecheck.read.text import any_within
from scopecheck.read.words import FileWords, inner_imports

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scopecheck.expressions import Expression
    from scopecheck.facts import Body
    from scopecheck.hook_facts import HookFacts
    from scopecheck.read.text import Text
    from scopecheck.source import Span

_IMPORT_ERRORS = frozenset(
    {"ImportError", "ModuleNotFoundError", "Exception", "BaseException", "AttributeError"}
)
_STOPPERS = frozenset(
    {"pytest.skip", "pytest.importorskip", "pytest.exit", "pytest.fail", "importorskip", "skip"}
    | {"sys.exit", "exit", "unittest.SkipTest", "SkipTest", "os._exit"}
)
_OPAQUE = Opaque()


class ModuleReader:
    """Reads one module; an instance serves one file.

    Args:
        path: of the file.
        text: of the file.
        whole: keep everything that functions do, whatever it is.
        loop_names: further functions that may run an event loop.
    """

    def __init__(
        self,
        path: str,
        text: Text,
        *,
        whole: bool = False,
        loop_names: frozenset[str] = frozenset(),
    ) -> None:
        self._path = path
        self._text = text
        self._whole = whole
        self._functions: list[Function | None] = []
        self._classes: list[Class | None] = []
        self._module_calls: list[CallFact] = []
        self._stops_at = 0
        self._always_stops = False
        self._redefined: list[Redefinition] = []
        # No cycle: memory is given back file by file, while no collection runs.
        here = weakref.proxy(self)
        self._expressions = ExpressionReader(text, lambda node: here._add_lambda(node))
        self._loop_names = loop_names

    def read(self, tree: ast.Module) -> FileFacts:
        """The module's facts."""
        words = FileWords(self._path, self._text, tree, self._loop_names)
        self._words = words
        bindings = self._bind_all(tree.body, ALWAYS, owner=-1)
        self._redefined.extend(redefinitions(tree.body, self._text))
        text = self._text.text
        if words.names_in_expressions:
            bindings += _named_expressions(tree, self._text, {one.name for one in bindings})
        return FileFacts(
            self._path,
            bindings,
            tuple(function for function in self._functions if function is not None),
            tuple(class_ for class_ in self._classes if class_ is not None),
            tuple(self._module_calls),
            suppressions(text) if words.silences else (),
            lines=self._text.line_count,
            stops_at=self._stops_at,
            always_stops=self._always_stops,
            redefined=tuple(self._redefined),
            global_names=words.global_names,
            dynamic=words.dynamic,
            changes_path=words.changes_path,
            inner_imports=inner_imports(text),
            words=words.asked,
        )

    def _bind_all(self, body: Sequence[ast.stmt], guard: Guard, owner: int) -> tuple[Binding, ...]:
        found: list[Binding] = []
        self._statements(body, guard, owner, found)
        return tuple(found)

    def _statements(
        self, body: Iterable[ast.stmt], guard: Guard, owner: int, found: list[Binding]
    ) -> None:
        for statement in body:
            self._statement(statement, guard, owner, found)

    def _statement(self, node: ast.stmt, guard: Guard, owner: int, found: list[Binding]) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                ref, span = self._function(node, owner)
                found.append(Binding(node.name, ref, span, guard))
            case ast.ClassDef():
                class_ref, span = self._class(node, owner)
                found.append(Binding(node.name, class_ref, span, guard))
            case ast.Import() | ast.ImportFrom():
                self._import(node, guard, found)
            case ast.Assign():
                value = self._expressions.read(node.value)
                if isinstance(value, Call) and isinstance(value.func, Name):
                    self._stop_at_call(value.func.parts, node.lineno, guard)
                for target in node.targets:
                    self._assign(target, value, guard, found)
            case ast.AnnAssign():
                if node.value is not None:
                    self._assign(node.target, self._expressions.read(node.value), guard, found)
            case ast.AugAssign():
                if isinstance(node.target, ast.Name):
                    adds = isinstance(node.op, (ast.Add, ast.BitOr))
                    more = Extended(self._expressions.read(node.value)) if adds else _OPAQUE
                    span = self._text.span(node.target)
                    found.append(Binding(node.target.id, more, span, guard))
            case ast.Expr(value=ast.Call() as call):
                self._module_call(call, guard, found)
            case ast.Expr(value=ast.NamedExpr(target=target, value=value_node)):
                self._assign(target, self._expressions.read(value_node), guard, found)
            case ast.Delete():
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        span = self._text.span(target)
                        found.append(Binding(target.id, Deleted(), span, guard))
            case ast.If():
                self._if(node, guard, owner, found)
            case ast.Try():
                self._try(node, guard, owner, found)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    if item.optional_vars is not None:
                        context = self._expressions.read(item.context_expr)
                        entered = Entered(context, isinstance(node, ast.AsyncWith))
                        self._assign(item.optional_vars, entered, guard, found)
                caught = guard.caught or any(_suppresses(item) for item in node.items)
                self._statements(node.body, Guard(guard.branch, guard.never, caught), owner, found)
            case ast.For() | ast.AsyncFor():
                loop = Guard("loop", guard.never, guard.caught)
                if _surely_runs(node):
                    loop = guard
                self._assign(node.target, _OPAQUE, loop, found)
                self._statements(node.body, loop, owner, found)
                self._statements(node.orelse, loop, owner, found)
            case ast.While():
                loop = Guard("loop", guard.never, guard.caught)
                self._statements([*node.body, *node.orelse], loop, owner, found)
            case ast.Match():
                for case in node.cases:
                    arm = Guard("else", guard.never, guard.caught)
                    self._statements(case.body, arm, owner, found)
            case ast.Raise():
                self._stop(node.lineno, guard)
            case _:
                if type(node).__name__ == "TypeAlias":  # Python 3.12 and later
                    self._assign(node.name, _OPAQUE, guard, found)  # type: ignore[attr-defined]
                handlers = getattr(node, "handlers", None)
                if handlers is not None:  # `try` with `except*`
                    self._try(node, guard, owner, found)  # type: ignore[arg-type]

    def _if(self, node: ast.If, guard: Guard, owner: int, found: list[Binding]) -> None:
        # A loop over `elif`: a chain of them may be longer than Python's own stack.
        chain: list[ast.stmt] = [node]
        while len(chain) == 1 and isinstance(chain[0], ast.If):
            node = chain[0]
            known = truth(node.test)
            if known is None:
                then = Guard("if", guard.never, guard.caught)
                guard = Guard("else", guard.never, guard.caught)
            else:
                never = Guard(guard.branch, True, guard.caught)
                then, guard = (guard, never) if known else (never, guard)
            self._statements(node.body, then, owner, found)
            chain = node.orelse
        self._statements(chain, guard, owner, found)

    def _try(self, node: ast.Try, guard: Guard, owner: int, found: list[Binding]) -> None:
        caught = guard.caught or any(_catches_import(handler) for handler in node.handlers)
        body = Guard(guard.branch, guard.never, caught)
        self._statements([*node.body, *node.orelse], body, owner, found)
        for handler in node.handlers:
            # A handler may import what the `try` could not: its imports may fail unseen too.
            branch = Guard("except", guard.never, caught)
            self._statements(handler.body, branch, owner, found)
        self._statements(node.finalbody, guard, owner, found)

    def _assign(
        self, target: ast.expr, value: Expression, guard: Guard, found: list[Binding]
    ) -> None:
        match target:
            case ast.Name():
                found.append(Binding(target.id, value, self._text.span(target), guard))
            case ast.Attribute():
                owner = dotted(target.value)
                if owner is not None:
                    span = self._text.span(target)
                    found.append(Binding(target.attr, value, span, guard, owner))
            case ast.Tuple() | ast.List():
                values = value.items if isinstance(value, Items) and not value.rest else ()
                paired = len(values) == len(target.elts)
                part = Part(value) if isinstance(value, (Call, Awaited, Entered)) else _OPAQUE
                for index, inner in enumerate(target.elts):
                    self._assign(inner, values[index] if paired else part, guard, found)
            case ast.Starred():
                self._assign(target.value, _OPAQUE, guard, found)
            case ast.Subscript(value=ast.Call(func=ast.Name(id="globals" | "vars" | "locals"))):
                key = target.slice
                name = "?"
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    name = key.value
                found.append(Binding(name, value, self._text.span(target), guard))

    def _module_call(self, node: ast.Call, guard: Guard, found: list[Binding]) -> None:
        parts = dotted(node.func)
        if parts is None:
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("update", "setdefault"):
                inner = node.func.value
                if isinstance(inner, ast.Call) and dotted(inner.func) in (("globals",), ("vars",)):
                    found.append(Binding("?", _OPAQUE, self._text.span(node), guard))
            return
        call = self._expressions.call(node)
        if parts[-1] in ("append", "extend") and len(parts) == 2 and len(call.args) == 1:
            value = call.args[0] if parts[-1] == "extend" else Items((call.args[0],))
            found.append(Binding(parts[0], Extended(value), call.span, guard))
        elif parts == ("setattr",) and len(node.args) == 3:
            owner = dotted(node.args[0])
            key = node.args[1]
            constant = isinstance(key, ast.Constant) and isinstance(key.value, str)
            name = str(key.value) if constant and isinstance(key, ast.Constant) else "?"
            found.append(Binding(name, call.args[2], call.span, guard, owner or ("?",)))
        elif parts in (("exec",), ("eval",)):
            found.append(Binding("?", _OPAQUE, call.span, guard))
        else:
            self._stop_at_call(parts, node.lineno, guard)
        if not guard.never:
            self._module_calls.append(CallFact(call))

    def _stop_at_call(self, parts: tuple[str, ...], line: int, guard: Guard) -> None:
        if ".".join(parts) in _STOPPERS:
            self._stop(line, Guard("if") if parts[-1] == "importorskip" else guard)

    def _stop(self, line: int, guard: Guard) -> None:
        self._stops_at = min(self._stops_at or line, line)
        self._always_stops |= guard == ALWAYS

    def _import(
        self, node: ast.Import | ast.ImportFrom, guard: Guard, found: list[Binding]
    ) -> None:
        for alias in node.names:
            span = self._text.span(alias)
            if isinstance(node, ast.ImportFrom):
                value = Import(node.module or "", alias.name, node.level)
                found.append(Binding(alias.asname or alias.name, value, span, guard))
            elif alias.asname:
                parent, _, last = alias.name.rpartition(".")
                # `import a.b as a` is no `import a.b`, which binds `a` too.
                same = alias.name.startswith(f"{alias.asname}.")
                named = Import(parent, last) if same else Import(alias.name, None)
                found.append(Binding(alias.asname, named, span, guard))
            else:
                # `import a.b` binds `a`; the module loaded is kept in the value.
                name = alias.name.partition(".")[0]
                found.append(Binding(name, Import(alias.name, None), span, guard))

    def _class(self, node: ast.ClassDef, owner: int) -> tuple[ClassRef, Span]:
        index = len(self._classes)
        self._classes.append(None)
        read = self._expressions.read
        span = self._text.name_span(node)
        self._classes[index] = Class(
            node.name,
            span,
            node.lineno,
            tuple(read(_unsubscripted(base)) for base in node.bases),
            tuple((keyword.arg or "**", read(keyword.value)) for keyword in node.keywords),
            self._decorators(node.decorator_list),
            self._bind_all(node.body, ALWAYS, index),
            owner,
        )
        self._redefined.extend(redefinitions(node.body, self._text, index))
        return ClassRef(index), span

    def _decorators(self, nodes: list[ast.expr]) -> tuple[Decorator, ...]:
        if not nodes:
            return ()
        return tuple(
            Decorator(self._expressions.read(node), self._text.span(node)) for node in nodes
        )

    def _function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: int
    ) -> tuple[FunctionRef, Span]:
        index = len(self._functions)
        self._functions.append(None)
        words = self._words
        decorators = node.decorator_list
        is_fixture = bool(decorators) and looks_like_fixture(decorators)
        is_test = node.name.startswith("test") and not is_fixture
        lines = node.body[0].lineno, node.end_lineno or node.lineno
        worded = any_within(words.worded_in_tests if is_test else words.worded, *lines)
        handed = is_fixture or self._whole
        body = self._body(node, lines, always=worded or handed)
        inside = Once(node)
        hook = self._hook(node, lines)
        flaws: tuple[Flaw, ...] = ()
        evidence = None
        if is_test:
            outline = Outline(node)
            flaws = read_flaws(node, self._text, outline)
            evidence = read_evidence(
                node, self._text, words.coroutines, words.losing, outline, inside
            )
        asserts = read_asserts(self._text, words.checks, *lines)
        events = None
        if any_within(words.events, node.lineno, lines[1]):
            tasks = any_within(words.losing, node.lineno, lines[1])
            events = read_events(node, self._text, inside(), tasks=tasks)
        bindings: tuple[Binding, ...] = ()
        returns: tuple[Expression, ...] = ()
        defaults: tuple[tuple[str, Expression], ...] = ()
        handout = None
        kept = not is_test and (
            worded
            or hook is not None
            or any(map(_is_function, node.body))
            or (words.about_fixture_names and takes_fixture_name(node.args))
        )
        if kept or handed:
            bindings = self._bound_inside(node)
        if kept:
            returns = tuple(self._expressions.read(value) for value in _returned(node.body))
            defaults = defaults_of(node.args, self._expressions) if returns else ()
        if handed and body is not None:
            handout = read_handout(node, self._text, self._expressions, body.yields)
        workings = NO_WORKINGS
        if body or bindings or returns or handout or hook or flaws or events:
            workings = Workings(bindings, returns, defaults, body, handout, hook, flaws, events)
        span = self._text.name_span(node)
        self._functions[index] = Function.of(
            node.name,
            span,
            (decorators[0].lineno if decorators else node.lineno, lines[1]),
            parameters(node.args, self._text),
            self._decorators(decorators),
            is_async=isinstance(node, ast.AsyncFunctionDef),
            is_generator=body is not None and body.yields is not None,
            owner=owner,
            asserts=asserts,
            workings=workings,
            effects=read_effects(node, self._text, whole=self._whole),
            evidence=evidence,
        )
        return FunctionRef(index), span

    def _body(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        lines: tuple[int, int],
        *,
        always: bool,
    ) -> Body | None:
        """What is seen in a function's statements, where a word on their lines matters to a rule.

        always: it matters whatever the words.
        """
        words = self._words
        is_hook = node.name.startswith("pytest_")
        loops = any_within(words.loops, *lines)
        if not (always or is_hook or loops or any_within(words.calls, *lines)):
            return None
        interesting = None if is_hook or self._whole else words.fixtures
        names = words.loop_names if loops else None
        return read_body(node, self._text, self._expressions, interesting, words.yields, names)

    def _hook(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, lines: tuple[int, int]
    ) -> HookFacts | None:
        """What a hook does to async tests, or another function that may help one."""
        if node.name.startswith("pytest_") or any_within(self._words.hooks, *lines):
            return read_hook(node, self._text, self._expressions)
        return None

    def _bound_inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[Binding, ...]:
        """What a function binds; what its statements do is not done when the module is imported."""
        calls = len(self._module_calls)
        stops = self._stops_at, self._always_stops
        bindings = self._bind_all(node.body, ALWAYS, owner=-1)
        del self._module_calls[calls:]
        self._stops_at, self._always_stops = stops
        return bindings

    def _add_lambda(self, node: ast.Lambda) -> FunctionRef:
        index = len(self._functions)
        self._functions.append(
            Function.of(
                "<lambda>",
                self._text.span(node),
                (node.lineno, node.end_lineno or node.lineno),
                parameters(node.args, self._text),
            )
        )
        return FunctionRef(index)


def _is_function(node: ast.stmt) -> bool:
    return isinstance(node, FUNCTIONS)


def _named_expressions(tree: ast.Module, text: Text, known: set[str]) -> tuple[Binding, ...]:
    """What `:=` binds in the module, apart from names that statements bind too."""
    found: list[Binding] = []
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(node, ast.NamedExpr) and node.target.id not in known:
            found.append(Binding(node.target.id, _OPAQUE, text.span(node.target), Guard("if")))
        stack.extend(ast.iter_child_nodes(node))
    return tuple(found)


def _unsubscripted(base: ast.expr) -> ast.expr:
    """`Base` of `Base[int]`, which is what counts for the method resolution order."""
    return base.value if isinstance(base, ast.Subscript) else base


def _surely_runs(loop: ast.For | ast.AsyncFor) -> bool:
    """Whether the whole body of a loop is run: its items are listed, and nothing leaves it."""
    items = loop.iter
    if not isinstance(items, (ast.List, ast.Tuple, ast.Set)) or not items.elts:
        return False
    if all(isinstance(item, ast.Starred) for item in items.elts):
        return False
    leaves = (ast.Break, ast.Continue)
    return not any(isinstance(node, leaves) for node in ast.walk(loop))


def _returned(body: Iterable[ast.stmt]) -> Iterable[ast.expr]:
    """The values of the `return` statements of a body, nested functions left out."""
    for statement in body:
        if isinstance(statement, ast.Return):
            if statement.value is not None:
                yield statement.value
        elif not isinstance(statement, DEFINITIONS):
            for field in ("body", "orelse", "finalbody"):
                yield from _returned(getattr(statement, field, ()))
            for handler in getattr(statement, "handlers", ()):
                yield from _returned(handler.body)
            for case in getattr(statement, "cases", ()):
                yield from _returned(case.body)


def _catches_import(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any((parts := dotted(kind)) and parts[-1] in _IMPORT_ERRORS for kind in kinds)


def _suppresses(item: ast.withitem) -> bool:
    call = item.context_expr
    return (
        isinstance(call, ast.Call)
        and (parts := dotted(call.func)) is not None
        and parts[-1] in ("suppress", "raises", "skip_if_missing")
    )
