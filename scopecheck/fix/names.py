"""Spells names as each file imports them, adds the imports that edits need, drops unused ones."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from scopecheck.facts import Import
from scopecheck.fix.edits import Withheld
from scopecheck.fix.imports import Placing, with_names, without_names
from scopecheck.fix.wrapping import line_length
from scopecheck.read.code import WORD, Code

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from scopecheck.fix.workspace import Workspace
    from scopecheck.read.code import ImportStatement

# What two blank lines stand before.
_OPENING = re.compile(r"(?:def|class|async)\b|@")
# Folders that pytest's `pythonpath` or an installation often names.
_SOURCES = ("src", "lib", "python")
# After whose import a module's goes, wherever that stands.
_BESIDE = {"pytest_asyncio": "pytest"}


def spell(workspace: Workspace, path: str, module: str, name: str) -> str:
    """How a file refers to `module.name`; notes the import that is needed where it does not yet."""
    first, dot, rest = name.partition(".")
    whole = ""
    for binding in workspace.project.load(path).bindings:
        value = binding.value
        if not isinstance(value, Import) or value.level or value.module != module:
            continue
        if binding.guard.never or binding.guard.branch:
            continue
        if value.name == first:
            return f"{binding.name}{dot}{rest}"
        if value.name is None and (binding.name == module or "." not in module):
            whole = binding.name
    if not whole:
        workspace.need(path, module)
    return f"{whole or module}.{name}"


def quote(workspace: Workspace, path: str, word: str) -> str:
    """A string in the quotes that a file uses most."""
    text = workspace.editor(path).source.text
    sign = "'" if text.count("'") > text.count('"') else '"'
    return f"{sign}{word}{sign}"


def remove_names(workspace: Workspace, path: str, names: set[str], line: int = 0) -> None:
    """Take names out of a file's import statements (the one on a line, where it is given)."""
    editor = workspace.editor(path)
    code = workspace.code(path)
    guarded = [] if line else _removable(code.typing_imports(), names)
    for statement in (*code.imports(), *guarded):
        bound = {one.bound for one in statement.names} & names
        if not bound or (line and not statement.first <= line <= statement.last):
            continue
        if not statement.alone:
            workspace.leave(path, statement.first, f"the import of {_listed(bound)} is not needed")
            continue
        if bound == {one.bound for one in statement.names}:
            editor.remove_lines(statement.first, statement.last)
            continue
        try:
            text = without_names(editor.lines(statement.first, statement.last), bound)
        except Withheld as reason:
            message = f"the import of {_listed(bound)} is not needed any more ({reason})"
            workspace.leave(path, statement.first, message)
            continue
        assert text is not None
        editor.replace_lines(statement.first, statement.last, text)


def _removable(statements: list[ImportStatement], names: set[str]) -> list[ImportStatement]:
    """Those of a block from which these names may go: not where none of it would be left."""
    kept = [one for one in statements if not {name.bound for name in one.names} <= names]
    return statements if kept else []


def settle_imports(workspace: Workspace, taken: Mapping[str, Collection[str]]) -> None:
    """Add what the edited files need now, and drop what only the code that is gone needed.

    taken: the names that other files import from each file (`taken_names`).
    """
    for path in [path for path in workspace.edited if path.endswith(".py")]:
        text = workspace.text(path)
        assert text is not None
        before = workspace.code(path)
        try:
            unused = unused_names(before, text, taken.get(path, ()))
        except SyntaxError:
            continue  # Told of when the result is read.
        if unused:
            remove_names(workspace, path, unused)
    for path, needed in sorted(workspace.needs.items()):
        _add(workspace, path, needed)


def unused_names(before: Code, after: str, taken: Collection[str]) -> set[str]:
    """The imported names that a file used, and does not use any more.

    taken: those that other files import from it; `*` for all of them.

    Raises:
        SyntaxError: the text cannot be parsed.
    """
    if "*" in taken:
        return set()
    statements = (*before.imports(), *before.typing_imports())
    bound = {one.bound for statement in statements for one in statement.names}
    # What goes is in the lines that go: where they do not name an import, nothing need be parsed.
    gone = before.lines - Counter(after.splitlines())
    named = bound.intersection(WORD.findall("\n".join(gone))).difference(taken)
    return before.uses(named) - Code(after).uses(named) if named else set()


def lost_names(before: Code, after: str) -> set[str]:
    """The names that a file imported, and uses though nothing in it binds them any more.

    Raises:
        SyntaxError: the text cannot be parsed.
    """
    code = Code(after)
    bound = {one.bound for statement in before.imports() for one in statement.names}
    bound -= {one.bound for statement in code.imports() for one in statement.names}
    return {name for name in code.uses(bound) if not code.binds(name)}


def _add(workspace: Workspace, path: str, needed: set[tuple[str, str]]) -> None:
    code = workspace.code(path)
    editor = workspace.editor(path)
    kept = [one for one in code.imports() if not editor.removes(one.first, one.last)]
    placing = Placing(code, kept, lambda module: _is_own(workspace, path, module))
    bound = {
        (one.module, one.name or "")
        for statement in code.imports()
        for one in statement.names
        if one.level == 0 and (one.name is not None or one.bound == one.module.partition(".")[0])
    }
    missing: dict[str, list[str]] = {}
    for module, name in sorted(needed - bound, reverse=True):
        missing.setdefault(module, []).append(name)
    for module, names in missing.items():
        joined = [name for name in names if name and " as " not in name]
        if joined and _join(workspace, path, module, joined):
            names = [name for name in names if name not in joined]
        for name in names:
            line, before, after = placing.place(
                module, plain=not name, beside=_BESIDE.get(module, "")
            )
            text = f"from {module} import {name}\n" if name else f"import {module}\n"
            blank = 2 if after and _OPENING.match(editor.lines(line, line)) else int(after)
            editor.insert(line, "\n" * before + text + "\n" * blank, ahead=True)


def _is_own(workspace: Workspace, path: str, module: str) -> bool:
    """Whether a module is one of the project's: beside the file or above it, or in `src`."""
    folder = (workspace.root / path).parent
    places = [workspace.root, *(workspace.root / name for name in _SOURCES)]
    while folder != workspace.root and workspace.root in folder.parents:
        places.append(folder)
        folder = folder.parent
    return any((at / module).is_dir() or (at / f"{module}.py").is_file() for at in places)


def _join(workspace: Workspace, path: str, module: str, names: list[str]) -> bool:
    """Add names to the file's import from their module, where there is one that can take them."""
    editor = workspace.editor(path)
    for statement in workspace.code(path).imports():
        one = statement.names[0]
        if one.module != module or one.level or one.name in (None, "*") or not statement.alone:
            continue
        if any(each.name != each.bound for each in statement.names):
            continue
        if editor.touches(statement.first, statement.last):
            continue
        text = editor.lines(statement.first, statement.last)
        try:
            new = with_names(text, names, line_length(workspace, path))
        except Withheld:
            continue
        editor.replace_lines(statement.first, statement.last, new)
        return True
    return False


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
