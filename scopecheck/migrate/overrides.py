"""Reads what an `event_loop` override does, and takes it away.

plain     it makes a loop and closes it: nothing is lost
policy    it chooses what kind of loop is made: that becomes an `event_loop_policy` fixture
more      it does something that nothing does for it under pytest-asyncio 1.x: it is left
foreign   it makes no event loop, and only shares the name: it is none of our business
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from scopecheck.expressions import Attribute, Call, Name, Opaque
from scopecheck.facts import Import
from scopecheck.fix.calls import without_items
from scopecheck.fix.edits import Withheld
from scopecheck.fix.names import remove_names, spell
from scopecheck.migrate.sharing import key_of
from scopecheck.source import indent_of
from scopecheck.suite.values import External

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scopecheck.expressions import Expression
    from scopecheck.fix.edits import Editor
    from scopecheck.fix.workspace import Workspace
    from scopecheck.migrate.sharing import FixtureKey
    from scopecheck.read.code import Step
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Fixture
    from scopecheck.suite.namespace import Namespace

Kind: TypeAlias = Literal["plain", "policy", "more", "foreign"]

NAME = "event_loop"
_MAKERS = frozenset(
    {"asyncio.new_event_loop", "asyncio.get_event_loop", "asyncio.get_running_loop"}
    | {"asyncio.events.new_event_loop", "asyncio.events.get_event_loop"}
)
_HARMLESS = frozenset({"asyncio.set_event_loop", "asyncio.events.set_event_loop", "builtins.print"})
_SHUTDOWNS = frozenset({"shutdown_asyncgens", "shutdown_default_executor"})
_PENDING = frozenset({"asyncio.all_tasks", "asyncio.Task.all_tasks", "asyncio.tasks.all_tasks"})
_WAITS = frozenset({"asyncio.gather", "asyncio.wait", "asyncio.sleep"})
_UVLOOP = "uvloop.EventLoopPolicy()"
_IN_FORCE = "asyncio.get_event_loop_policy()"
_CLOSING = frozenset({"contextlib.closing"})
_IN_A_FIXTURE = "an async autouse fixture can, on `asyncio.get_running_loop()`"
_HINTS = {
    "set_debug": (
        "sets debug mode: the option `asyncio_debug = true` does, from pytest-asyncio 1.2"
    ),
    "set_exception_handler": f"sets an exception handler: {_IN_A_FIXTURE}",
    "set_task_factory": f"sets a task factory: {_IN_A_FIXTURE}",
    "set_default_executor": f"sets an executor: {_IN_A_FIXTURE}",
}


@dataclass
class Override:
    """One function that overrides `event_loop`.

    fixtures: its registrations. extras: what it does besides, with the line. policy: the code of
    the policy that makes its loops; prelude: the lines of the statements that this code needs.
    """

    key: FixtureKey
    fixtures: list[Fixture] = field(default_factory=list)
    kind: Kind = "foreign"
    extras: list[tuple[int, str]] = field(default_factory=list)
    policy: str = ""
    prelude: tuple[int, int] | None = None

    @property
    def path(self) -> str:
        """The file of its definition."""
        return self.key[0]


def find_overrides(workspace: Workspace, suite: Suite) -> dict[FixtureKey, Override]:
    """The overrides in a suite's own files."""
    found: dict[FixtureKey, Override] = {}
    for fixture in suite.fixtures:
        if fixture.name != NAME or fixture.function is None or not workspace.may_edit(fixture.path):
            continue
        if fixture.pseudo:
            continue
        key = key_of(fixture)
        if key not in found:
            found[key] = Override(key)
            _Reader(workspace, suite, fixture).read(found[key])
        found[key].fixtures.append(fixture)
    return found


class _Reader:
    """Reads the statements of one override."""

    def __init__(self, workspace: Workspace, suite: Suite, fixture: Fixture) -> None:
        assert fixture.path is not None
        assert fixture.function is not None
        self._fixture = fixture
        self._path = fixture.path
        self._editor = workspace.editor(fixture.path)
        self._steps = workspace.code(fixture.path).steps(fixture.function.line)
        self._suite = suite
        self._space: Namespace | None = suite.evaluator.module(fixture.path)
        self._loops: set[str] = set()
        self._policies: dict[str, str] = {}
        self._pending: set[str] = set()
        self._policy = ""
        self._policy_line = 0
        self._in_force = False
        self._extras: list[tuple[int, str]] = []
        self._yielded = False
        self._gives_loop = False

    def read(self, override: Override) -> None:
        """Fill in what the override does."""
        function = self._fixture.function
        assert function is not None
        for request in self._fixture.requests:
            if request.name == "event_loop_policy":
                self._policies["event_loop_policy"] = ""
            elif request.name != "request":
                self._extras.append((request.place.span.line, f"requests `{request.name}`"))
        if len(function.decorators) != 1:
            self._extras.append((function.line, "has another decorator, or none"))
        if self._fixture.has_params:
            self._extras.append((function.line, "is parametrized"))
        if self._fixture.attribute != function.name:
            self._extras.append((function.line, f"is `{function.name}` under another name"))
        for step in self._steps:
            self._step(step)
        if self._fixture.is_async:
            self._extras.append((function.line, "is async"))
        if not self._gives_loop:
            override.kind = "foreign"
            return
        override.extras = self._extras
        override.kind = "more" if self._extras else "policy" if self._policy else "plain"
        if override.kind == "policy":
            self._describe(override)

    def _describe(self, override: Override) -> None:
        """The policy's code, and the statements before that it needs."""
        before = [step for step in self._steps if step.last < self._policy_line]
        needed = any(step.kind in ("if", "assign") for step in before)
        override.policy = self._policy
        if needed:
            first = with_comments(self._editor, before[0].first)
            override.prelude = (first, before[-1].last)

    def _step(self, step: Step) -> None:
        match step.kind:
            case "assign":
                self._assign(step)
            case "expression":
                self._expression(step)
            case "yield" | "return":
                self._give(step)
            case "with" if self._is_closing(step.value):
                self._loops.update(step.names)
                self._make(step.value.args[0], step)  # type: ignore[union-attr]
                self._all(step.blocks)
            case "if":
                self._if(step)
            case "for" if self._is_pending(step.value):
                self._pending.update(step.names)
                self._all(step.blocks)
            case "try":
                self._all(step.blocks)
            case "pass":
                pass
            case _:
                self._more(step)

    def _all(self, blocks: Iterable[Iterable[Step]]) -> None:
        for block in blocks:
            for step in block:
                self._step(step)

    def _assign(self, step: Step) -> None:
        value = step.value
        name = self._name(value.func) if isinstance(value, Call) else ""
        if name in _PENDING:
            self._pending.update(step.names)
        elif name == "asyncio.get_event_loop_policy":
            self._policies.update(dict.fromkeys(step.names, ""))
        elif name.endswith("EventLoopPolicy"):
            self._policies.update(dict.fromkeys(step.names, ",".join(step.names)))
        elif self._make(value, step):
            self._loops.update(step.names)
        else:
            self._more(step)

    def _expression(self, step: Step) -> None:
        value = step.value
        if not isinstance(value, Call):
            if isinstance(value, Opaque):
                self._more(step)
            return
        name = self._name(value.func)
        parts = value.func.parts if isinstance(value.func, Name) else ()
        method = parts[-1] if parts else ""
        on_loop = len(parts) == 2 and parts[0] in self._loops
        if name in _HARMLESS or self._ends_loop(value, name, parts):
            return
        if name == "asyncio.set_event_loop_policy" and value.args:
            if not self._yielded:
                self._in_force = True
                self._set_policy(value.args[0], step)
        elif name == "uvloop.install":
            self._in_force = True
            self._choose(_UVLOOP, step.first)
        elif on_loop and method in _HINTS:
            self._extras.append((step.first, _HINTS[method]))
        else:
            self._more(step)

    def _ends_loop(self, call: Call, name: str, parts: tuple[str, ...]) -> bool:
        """Whether a call does no more than to end a loop's life, or what still runs on it."""
        match parts:
            case (owner, "cancel") if owner in self._pending:
                return True
            case (owner, "close" | "stop") if owner in self._loops:
                return True
            case (owner, "run_until_complete") if owner in self._loops:
                return self._is_shutdown(call)
        return name == "request.addfinalizer" and self._is_close(call.args)

    def _is_close(self, args: tuple[Expression, ...]) -> bool:
        """Whether this is `loop.close`, handed on."""
        match args:
            case (Name(parts=(owner, "close")),):
                return owner in self._loops
        return False

    def _is_shutdown(self, call: Call) -> bool:
        """Whether this is `loop.run_until_complete(...)` of what ends a loop's life."""
        inner = call.args[0] if call.args else None
        if not isinstance(inner, Call):
            return False
        name = self._name(inner.func)
        if isinstance(inner.func, Name) and inner.func.parts[-1] in _SHUTDOWNS:
            return True
        return name in _WAITS

    def _give(self, step: Step) -> None:
        self._yielded = True
        if not self._make(step.value, step):
            self._more(step)
        else:
            self._gives_loop = True

    def _if(self, step: Step) -> None:
        known = self._policy
        self._all(step.blocks)
        if self._policy == known:
            return
        if not self._in_force:
            self._extras.append((step.first, "makes its loop in more than one way"))
        else:
            # Only sometimes: what is in force afterwards is what counts.
            self._choose(_IN_FORCE, step.last + 1)

    def _make(self, value: Expression, step: Step) -> bool:
        """Whether a value is an event loop; one of a special kind says which policy makes it."""
        if isinstance(value, Name):
            return value.parts[0] in self._loops and len(value.parts) == 1
        if not isinstance(value, Call):
            return False
        name = self._name(value.func)
        if name in _MAKERS:
            return True
        if name == "uvloop.new_event_loop":
            self._choose(_UVLOOP, step.first)
            return True
        func = value.func
        if isinstance(func, Attribute) and func.attr in ("new_event_loop", "get_event_loop"):
            return self._of_policy(func.value, step)
        if isinstance(func, Name) and func.parts[-1] in ("new_event_loop", "get_event_loop"):
            owner = func.parts[0]
            if len(func.parts) == 2 and owner in self._policies:
                if self._policies[owner]:
                    self._choose(owner, step.first)
                return True
        if name.rpartition(".")[2].endswith("EventLoop") or name == "uvloop.Loop":
            self._extras.append((step.first, f"makes a `{name}`: no policy is known that does"))
            return True
        return False

    def _of_policy(self, owner: Expression, step: Step) -> bool:
        """`policy().new_event_loop()`."""
        if not isinstance(owner, Call):
            return False
        name = self._name(owner.func)
        if name == "asyncio.get_event_loop_policy":
            return True
        if name.endswith("EventLoopPolicy"):
            self._choose(self._editor.slice(owner.span), step.first)
            return True
        return False

    def _set_policy(self, policy: Expression, step: Step) -> None:
        if isinstance(policy, Call):
            self._choose(self._editor.slice(policy.span), step.first)
        elif isinstance(policy, Name):
            self._choose(".".join(policy.parts), step.first)
        else:
            self._more(step)

    def _choose(self, policy: str, line: int) -> None:
        self._policy = policy
        self._policy_line = line

    def _is_closing(self, value: Expression) -> bool:
        return isinstance(value, Call) and self._name(value.func) in _CLOSING and bool(value.args)

    def _is_pending(self, value: Expression) -> bool:
        if isinstance(value, Name):
            return value.parts[0] in self._pending
        return isinstance(value, Call) and self._name(value.func) in _PENDING

    def _name(self, expression: Expression) -> str:
        """The dotted name of what is called, as it is defined; as written where that is unknown."""
        if not isinstance(expression, Name):
            return ""
        if expression.parts[0] in self._loops | self._pending | self._policies.keys():
            return ""
        value = self._space and self._suite.evaluator.evaluate(expression, self._space)
        written = ".".join(expression.parts)
        if isinstance(value, External):
            # An import inside of the function is not followed.
            local = value.name == f"builtins.{written}" and len(expression.parts) > 1
            return written if local else value.name
        return written

    def _more(self, step: Step) -> None:
        code = self._editor.lines(step.first, step.first).strip()
        self._extras.append((step.first, f"does `{code.rstrip(':')}`"))


def remove(workspace: Workspace, suite: Suite, override: Override) -> None:
    """Take a plain override away, with the imports of it and its name in `__all__`."""
    function = override.fixtures[0].function
    assert function is not None
    editor = workspace.editor(override.path)
    code = workspace.code(override.path)
    first = with_comments(editor, function.first_line)
    if first > 1 and not editor.is_blank(first - 1):
        first = function.first_line
    indent = indent_of(editor.lines(function.line, function.line))
    if indent and code.siblings(function.line) == 1:
        editor.replace_lines(first, function.end_line, f"{indent}pass{editor.newline}")
    else:
        editor.remove_lines(first, function.end_line)
    _forget_name(workspace, suite, override)


def with_comments(editor: Editor, line: int) -> int:
    """The first line of the comments right above a statement that speak of it."""
    first = line
    indent = indent_of(editor.lines(line, line))
    while first > 1:
        text = editor.lines(first - 1, first - 1)
        if not text.strip().startswith("#") or indent_of(text) != indent:
            break
        first -= 1
    comments = [editor.lines(one, one).strip("# \t\r\n") for one in range(first, line)]
    # A ruler, or a heading over all that follows, is not the statement's own.
    banner = any(not any(c.isalnum() for c in comment) for comment in comments)
    return line if banner else first


def _forget_name(workspace: Workspace, suite: Suite, override: Override) -> None:
    """Take the override out of `__all__` and out of the imports in other files."""
    homes = {fixture.home for fixture in override.fixtures if fixture.home is not None}
    for path in sorted({override.path, *homes, *_importers(workspace, suite)}):
        if not workspace.may_edit(path):
            continue
        facts = suite.facts(path)
        for binding in facts.bindings if facts is not None else ():
            if binding.name == "__all__":
                _forget_in_all(workspace, path, binding.span.line)
            elif (
                isinstance(binding.value, Import)
                and binding.value.name == NAME
                and path != override.path
                and _leads_to(suite, path, binding.value, override)
            ):
                remove_names(workspace, path, {binding.name}, binding.span.line)


def _importers(workspace: Workspace, suite: Suite) -> Iterator[str]:
    """The files that import the name, though it is no fixture there."""
    for path in suite.own_files:
        facts = suite.facts(path) if workspace.may_edit(path) else None
        if facts is not None and any(
            isinstance(b.value, Import) and b.value.name == NAME for b in facts.bindings
        ):
            yield path


def _leads_to(suite: Suite, path: str, value: Import, override: Override) -> bool:
    homes = {override.path, *(fixture.home for fixture in override.fixtures)}
    return suite.evaluator.modules.imported(value, path) in homes


def _forget_in_all(workspace: Workspace, path: str, line: int) -> None:
    part = workspace.code(path).items_of(line, "__all__")
    if part is None:
        return
    editor = workspace.editor(path)
    try:
        editor.replace(part.span, without_items(editor.slice(part.span), [NAME]))
    except Withheld as reason:
        workspace.leave(path, line, f"take {NAME!r} out of `__all__` ({reason})")


def replace_by_policy(workspace: Workspace, override: Override) -> None:
    """Put an `event_loop_policy` fixture in the place of an override that chose a policy."""
    fixture = override.fixtures[0]
    function = fixture.function
    assert function is not None
    editor = workspace.editor(override.path)
    head = editor.lines(function.first_line, function.first_line)
    indent = indent_of(head)
    inner = indent + indent_of(
        editor.lines(function.end_line, function.end_line).removeprefix(indent)
    )
    inner = inner if inner != indent else f"{indent}    "
    prelude = ""
    if override.prelude is not None:
        prelude = editor.lines(*override.prelude)
        inner = indent_of(prelude)
    # pytest 9.2 warns of a fixture that is kept longer than the instance whose method it is.
    static = f"{indent}@staticmethod{editor.newline}" if fixture.owner else ""
    marker = spell(workspace, override.path, "pytest", "fixture")
    newline = editor.newline
    editor.replace_lines(
        function.first_line,
        function.end_line,
        f'{indent}@{marker}(scope="session"){newline}{static}'
        f"{indent}def event_loop_policy():{newline}"
        f"{prelude}{inner}return {override.policy}{newline}",
    )
    for path in sorted({one.home for one in override.fixtures if one.home is not None}):
        if path != override.path:
            workspace.leave(path, 1, f"import `event_loop_policy` in place of `{NAME}`")
    if override.policy == _IN_FORCE:
        workspace.need(override.path, "asyncio")
    elif override.policy == _UVLOOP:
        workspace.need(override.path, "uvloop")
