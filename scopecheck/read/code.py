"""A second, closer look at one file's code, for what is about to be rewritten.

Facts keep what the suite needs of every file. A repair looks at few files, and at more of them:

    import statement   its lines and the names that it binds
    part               an expression in the value of an assignment, with its place
    step               a statement of a function in a form that says what it does
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from scopecheck.expressions import Call, Expression, FunctionRef, Opaque
from scopecheck.read.expressions import ExpressionReader, dotted
from scopecheck.read.nodes import DEFINITIONS, FUNCTIONS
from scopecheck.read.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.source import Span

WORD = re.compile(r"\w+")
_OPAQUE = Opaque()


class ImportedName(msgspec.Struct, frozen=True):
    """One name of an import statement; `name` is None for `import module`, `*` for a star."""

    bound: str
    module: str
    name: str | None
    level: int = 0


class ImportStatement(msgspec.Struct, frozen=True):
    """An import statement at the top level of a module. alone: nothing else is on its lines."""

    first: int
    last: int
    names: tuple[ImportedName, ...]
    alone: bool

    @property
    def is_plain(self) -> bool:
        """Whether it is `import module`, not `from module import name`."""
        return self.names[0].name is None


class Part(msgspec.Struct, frozen=True):
    """An expression with its place."""

    expression: Expression
    span: Span


StepKind: TypeAlias = Literal[
    "assign", "expression", "yield", "return", "if", "try", "with", "for", "pass", "other"
]


class Step(msgspec.Struct, frozen=True):
    """What one statement of a function does.

    names: what is assigned, or bound by `with ... as` or `for`. value: what is assigned, evaluated,
    yielded or returned; the test of an `if`, the iterable of a `for`, the context manager of a
    `with`. blocks: the statements inside: the body, then `else`, handlers and `finally`.
    """

    kind: StepKind
    first: int
    last: int
    names: tuple[str, ...] = ()
    value: Expression = _OPAQUE
    blocks: tuple[tuple[Step, ...], ...] = ()

    def walk(self) -> Iterator[Step]:
        """This step and those inside of it, in order."""
        yield self
        for block in self.blocks:
            for step in block:
                yield from step.walk()


class Code:
    """One file's code.

    Raises:
        SyntaxError: it cannot be parsed.
    """

    def __init__(self, text: str) -> None:
        self.text = Text(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._tree = ast.parse(text)
        self._expressions = ExpressionReader(self.text, lambda _: FunctionRef(-1))

    @cached_property
    def lines(self) -> Counter[str]:
        """How often the text has each of its lines."""
        return Counter(self.text.text.splitlines())

    @property
    def tree(self) -> ast.Module:
        """The file's syntax tree, for other readers."""
        return self._tree

    def uses(self, names: Iterable[str]) -> set[str]:
        """Those of the names that the code reads, or that a string has as a word.

        (A string may be an annotation, or an item of `__all__`.)
        """
        wanted = set(names)
        found: set[str] = set()
        for node in ast.walk(self._tree):
            match node:
                case ast.Name(id=name) if not isinstance(node.ctx, ast.Store):
                    found.add(name)
                case ast.Constant(value=str(text)):
                    found.update(wanted.intersection(WORD.findall(text)))
        return found & wanted

    def binds(self, name: str) -> bool:
        """Whether anything in the module gives the name a value."""
        return any(_gives(node, name) for node in ast.walk(self._tree))

    def binds_at_top(self, name: str) -> bool:
        """Whether the module itself gives the name a value, outside of functions and classes."""
        waiting: list[ast.AST] = list(self._tree.body)
        while waiting:
            node = waiting.pop()
            if _gives(node, name):
                return True
            if not isinstance(node, DEFINITIONS):
                waiting += ast.iter_child_nodes(node)
        return False

    @property
    def first_line(self) -> int:
        """Where code may be put that comes before everything else: after the docstring."""
        body = self._tree.body
        if body and _is_docstring(body[0]):
            return (body[0].end_lineno or 1) + 1
        return _first_line(body[0]) if body else self.text.line_count + 1

    def imports(self) -> list[ImportStatement]:
        """The import statements of the top level, in order."""
        return self._imports_in(self._tree.body)

    def typing_imports(self) -> list[ImportStatement]:
        """The import statements in an `if TYPE_CHECKING:` that has others, too."""
        found: list[ImportStatement] = []
        for node in self._tree.body:
            if isinstance(node, ast.If) and not node.orelse and len(node.body) > 1:
                parts = dotted(node.test)
                if parts is not None and parts[-1] == "TYPE_CHECKING":
                    found += self._imports_in(node.body)
        return found

    def _imports_in(self, body: list[ast.stmt]) -> list[ImportStatement]:
        found: list[ImportStatement] = []
        for index, node in enumerate(body):
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            last = node.end_lineno or node.lineno
            beside = body[max(index - 1, 0) : index] + body[index + 1 : index + 2]
            alone = all(
                (other.end_lineno or 0) < node.lineno or other.lineno > last for other in beside
            )
            found.append(ImportStatement(node.lineno, last, _imported(node), alone))
        return found

    def statement(self, line: int) -> tuple[int, int] | None:
        """The first and last line of the innermost statement around a line, functions whole."""
        body: list[ast.stmt] = self._tree.body
        while True:
            node = next((s for s in body if _first_line(s) <= line <= (s.end_lineno or 0)), None)
            if node is None:
                return None
            inner = [] if isinstance(node, FUNCTIONS) else _inner(node)
            if any(_first_line(s) <= line <= (s.end_lineno or 0) for s in inner):
                body = inner
                continue
            return _first_line(node), node.end_lineno or node.lineno

    def siblings(self, line: int) -> int:
        """How many statements the block of the one that holds a line has, its docstring counted."""
        body: list[ast.stmt] = self._tree.body
        while True:
            node = next((s for s in body if _first_line(s) <= line <= (s.end_lineno or 0)), None)
            inner = [] if node is None or isinstance(node, FUNCTIONS) else _blocks(node)
            for block in inner:
                if any(_first_line(s) <= line <= (s.end_lineno or 0) for s in block):
                    body = block
                    break
            else:
                return len(body)

    def tail(self, line: int) -> tuple[int, int, int] | None:
        """What follows in a `with` block from the statement that begins on a line.

        Handed back are its first and last line, and the first line of the `with`.
        """
        for node in ast.walk(self._tree):
            if not isinstance(node, (ast.With, ast.AsyncWith)):
                continue
            for statement in node.body:
                if statement.lineno == line and statement is not node.body[0]:
                    return _first_line(statement), node.end_lineno or node.lineno, node.lineno
        return None

    def same_code(self, other: Code) -> bool:
        """Whether two texts say the same, wherever it stands."""
        return ast.dump(self._tree) == ast.dump(other._tree)

    def calls(self, name: str) -> Iterator[Call]:
        """The calls of what is spelled `name` or `something.name`, wherever they stand."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                parts = dotted(node.func)
                if parts is not None and parts[-1] == name:
                    yield self._expressions.call(node)

    def value_parts(self, line: int, name: str) -> list[Part]:
        """The parts of what an assignment to a name on a line gives it: a list's items, or all."""
        for node in ast.walk(self._tree):
            value = _assigned(node, name)
            if value is not None and isinstance(node, ast.stmt) and node.lineno == line:
                return [
                    Part(self._expressions.read(part), self.text.span(part))
                    for part in _parts(value)
                ]
        return []

    def items_of(self, line: int, name: str) -> Part | None:
        """The list or tuple that an assignment to a name on a line gives it."""
        for node in ast.walk(self._tree):
            value = _assigned(node, name)
            if value is not None and isinstance(node, ast.stmt) and node.lineno == line:
                return Part(self._expressions.read(value), self.text.span(value))
        return None

    def function(self, line: int) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The function whose `def` is on this line."""
        for node in ast.walk(self._tree):
            if isinstance(node, FUNCTIONS) and node.lineno == line:
                return node
        return None

    def steps(self, line: int) -> tuple[Step, ...]:
        """What the function whose `def` is on this line does; its docstring is left out."""
        node = self.function(line)
        if node is None:
            return ()
        return self._steps(node.body[1:] if _is_docstring(node.body[0]) else node.body)

    def _steps(self, body: Iterable[ast.stmt]) -> tuple[Step, ...]:
        return tuple(self._step(node) for node in body)

    def _step(self, node: ast.stmt) -> Step:
        lines = node.lineno, node.end_lineno or node.lineno
        read = self._expressions.read
        match node:
            case ast.Assign(targets=[target]):
                value = read(node.value)
                names = _names(target)
                return Step("assign" if names else "other", *lines, names, value)
            case ast.AnnAssign(target=ast.Name(id=name)) if node.value is not None:
                return Step("assign", *lines, (name,), read(node.value))
            case ast.Expr(value=ast.Yield(value=yielded)):
                return Step("yield", *lines, (), _OPAQUE if yielded is None else read(yielded))
            case ast.Expr():
                return Step("expression", *lines, (), read(node.value))
            case ast.Return():
                return Step(
                    "return", *lines, (), _OPAQUE if node.value is None else read(node.value)
                )
            case ast.If():
                blocks = self._steps(node.body), self._steps(node.orelse)
                return Step("if", *lines, (), read(node.test), blocks)
            case ast.Try():
                bodies = [node.body, node.orelse, *(h.body for h in node.handlers), node.finalbody]
                return Step("try", *lines, (), _OPAQUE, tuple(map(self._steps, bodies)))
            case ast.With(items=[item]):
                names = _names(item.optional_vars) if item.optional_vars is not None else ()
                return Step(
                    "with", *lines, names, read(item.context_expr), (self._steps(node.body),)
                )
            case ast.For():
                blocks = self._steps(node.body), self._steps(node.orelse)
                return Step("for", *lines, _names(node.target), read(node.iter), blocks)
            case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Global() | ast.Nonlocal():
                return Step("pass", *lines)
        return Step("other", *lines)


def _imported(node: ast.Import | ast.ImportFrom) -> tuple[ImportedName, ...]:
    if isinstance(node, ast.Import):
        return tuple(
            ImportedName(alias.asname or alias.name.partition(".")[0], alias.name, None)
            for alias in node.names
        )
    return tuple(
        ImportedName(alias.asname or alias.name, node.module or "", alias.name, node.level)
        for alias in node.names
    )


def _first_line(node: ast.stmt) -> int:
    if isinstance(node, DEFINITIONS) and node.decorator_list:
        return node.decorator_list[0].lineno
    return node.lineno


def _blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    blocks += [handler.body for handler in getattr(node, "handlers", [])]
    blocks += [case.body for case in getattr(node, "cases", [])]
    return [block for block in blocks if block]


def _inner(node: ast.stmt) -> list[ast.stmt]:
    return [statement for block in _blocks(node) for statement in block]


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _names(target: ast.expr) -> tuple[str, ...]:
    match target:
        case ast.Name(id=name):
            return (name,)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(name for item in items for name in _names(item))
    return ()


def _assigned(node: ast.AST, name: str) -> ast.expr | None:
    """What a statement gives a name: by `=`, `+=`, `.append(...)` or `.extend(...)`."""
    match node:
        case ast.Assign():
            if any(name in _names(target) for target in node.targets):
                return node.value
        case ast.AnnAssign(target=ast.Name(id=found)) | ast.AugAssign(target=ast.Name(id=found)):
            if found == name:
                return node.value
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=found), attr="append" | "extend"), args=[value]
            )
        ):
            if found == name:
                return value
    return None


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    match value:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            for item in items:
                yield from _parts(item)
        case ast.BinOp(op=ast.Add()):
            yield from _parts(value.left)
            yield from _parts(value.right)
        case ast.Starred():
            yield from _parts(value.value)
        case _:
            yield value


def _gives(node: ast.AST, name: str) -> bool:
    """Whether a node gives the name a value: an assignment, an import or a definition."""
    match node:
        case ast.Name(ctx=ast.Store()):
            return node.id == name
        case ast.alias():
            return (node.asname or node.name.partition(".")[0]) == name
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name == name
    return False
