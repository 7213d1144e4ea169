"""What a file's text says by its words alone: the lines that matter to one reader or another."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from scopecheck.facts import ASKED_WORDS
from scopecheck.read.comments import SILENCING_WORDS
from scopecheck.read.dropped import file_names
from scopecheck.read.events import EVENT_WORDS
from scopecheck.read.evidence import CHECK_WORDS
from scopecheck.read.hook_words import HELPER_WORDS
from scopecheck.read.loop_calls import LOOP_WORDS
from scopecheck.read.lost import LOSING_WORDS
from scopecheck.read.nodes import FUNCTIONS
from scopecheck.read.occurrences import Wanted
from scopecheck.read.signatures import looks_like_fixture
from scopecheck.read.text import any_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scopecheck.read.text import Text

# A body whose text has none of these, nor the word fixture, is not walked: nothing in it can matter
# to a rule. (A line with `getfixturevalue` has the word fixture.)
_WORDS = (
    "getfuncargvalue",
    "parametrize",
    "metafunc",
)
# Ways to give a module names that no statement binds.
_DYNAMIC_GLOBALS = ("globals()", "f_globals")
_DYNAMIC = ("locals()", "vars()", "__dict__", "exec(", "initpkg(", *_DYNAMIC_GLOBALS)
# Ways to change `sys.path`.
_PATH_CHANGES = ("addsitedir", "sys.path", "from sys import", "syspath_prepend", "syspathinsert")
_IMPORT_WORDS = re.compile(r"[ \t]+(?:from|import)[ \t]")
_NAME = re.compile(r"\w+")
# A helper that runs a loop is followed through so many calls in its own file.
_HELPER_CALLS = 2
_GLOBAL = re.compile(r"^[ \t]+global[ \t]+([\w \t,]*\w)", re.MULTILINE)


def _alone(*words: str) -> dict[str, tuple[str, ...]]:
    return {word: (word,) for word in words}


_WANTED_WORDS = {
    **_alone(*_WORDS, "fixture", "def test", "yield", *LOSING_WORDS, *CHECK_WORDS, "fixture_name"),
    **_alone("asyncio", "async def ", *LOOP_WORDS, "global ", ":=", *SILENCING_WORDS),
    **_alone(*(word for word in _DYNAMIC if word not in _DYNAMIC_GLOBALS), "addsitedir"),
    **HELPER_WORDS,
    "globals": _DYNAMIC_GLOBALS,
    "sys": ("sys.modules", *_PATH_CHANGES[1:]),
}
_WANTED = Wanted(_WANTED_WORDS)
_ASKED = {"Session": ("Session",), "ontext": ("Context", "_context")}
_WANTED_IN_TESTS = Wanted({**_WANTED_WORDS, **EVENT_WORDS, **_ASKED})


class FileWords:
    """The lines of a file with the words that matter, in order; an instance serves one file.

    yields: with the word yield. worded: with a word for which the body around it is walked;
    worded_in_tests: for which that of a test is.
    hooks, losing, events: for `read_hook`, `read_lost` and `read_events`.
    checks: the words of the file without which nothing asserts. about_fixture_names: it has the
    word `fixture_name`.
    calls: that may call a fixture, of which `fixtures` has the names. loops: that may run an event
    loop, by one of the functions of `loop_names` or by themselves.
    coroutines: what may be a coroutine function.
    dynamic, changes_path, global_names, asked: see `FileFacts`; asked is its `words`.
    names_in_expressions: there may be a `:=`. silences: a comment may silence a rule.

    Args:
        path: of the file.
        text: of the file.
        tree: of the file.
        loop_names: functions of other files that may run an event loop.
    """

    def __init__(self, path: str, text: Text, tree: ast.Module, loop_names: frozenset[str]) -> None:
        self._text = text
        in_tests = "test" in path.lower()
        wanted = _WANTED_IN_TESTS if in_tests else _WANTED
        self._found = found = wanted.occurrences(text.text)
        self.yields = self._lines(("yield",))
        tests = text.lines_indented(found["def test"]) if "def test" in found else []
        others = [*self._lines(_WORDS), *tests, *self.yields]
        fixtures = found.get("fixture", [])
        asking = [at for at in fixtures if not _is_in_plain_name(text.text, at)]
        self.worded = sorted([*others, *text.lines_at(fixtures)])
        self.worded_in_tests = sorted([*others, *text.lines_at(asking)])
        self.hooks = self._lines_any(HELPER_WORDS)
        self.losing = self._lines(LOSING_WORDS)
        self.events = self._lines_any(EVENT_WORDS) if in_tests else []
        self.checks = tuple(word for word in CHECK_WORDS if word in found)
        self.about_fixture_names = "fixture_name" in found
        self.dynamic = any(word in found for word in (*_DYNAMIC, "sys.modules"))
        self.changes_path = any(word in found for word in _PATH_CHANGES)
        self.global_names = _global_names(text.text) if "global " in found else ()
        self.names_in_expressions = ":=" in found
        self.silences = any(word in found for word in SILENCING_WORDS)
        self.asked = -1
        if in_tests:
            self.asked = sum(1 << at for at, word in enumerate(ASKED_WORDS) if word in found)
        self.coroutines = file_names(tree, inner="async def " in found)
        self.calls: list[int] = []
        self.fixtures: frozenset[str] = frozenset()
        self._find_fixture_calls(tree)
        self.loops: list[int] = []
        self.loop_names = loop_names
        self._find_loop_calls(tree)

    def _lines(self, words: Iterable[str]) -> list[int]:
        found = self._found
        return self._text.lines_at([at for word in words if word in found for at in found[word]])

    def _lines_any(self, words: Mapping[str, tuple[str, ...]]) -> list[int]:
        return self._lines(word for several in words.values() for word in several)

    # What may be a fixture called as a function: names decorated here with something that is
    # spelled like a fixture, and imported names that are also requested as a parameter or come
    # from a module named for fixtures. Only bodies that call one of them are walked for it.
    def _find_fixture_calls(self, tree: ast.Module) -> None:
        names: set[str] = set()
        imported: set[str] = set()
        for statement in tree.body:
            if isinstance(statement, FUNCTIONS):
                if looks_like_fixture(statement.decorator_list):
                    names.add(statement.name)
            elif isinstance(statement, ast.ClassDef):
                names.update(
                    inner.name
                    for inner in statement.body
                    if isinstance(inner, FUNCTIONS) and looks_like_fixture(inner.decorator_list)
                )
            elif isinstance(statement, ast.ImportFrom):
                bound = {alias.asname or alias.name for alias in statement.names}
                if re.search(r"fixture|conftest|plugin", statement.module or ""):
                    names |= bound
                else:
                    imported |= bound
        if imported:
            for node in _definitions(tree.body):
                for argument in node.args.args:
                    if argument.arg in imported:
                        names.add(argument.arg)
        names.discard("*")
        if names:
            self.calls = self._text.lines_calling(names)
            self.fixtures = frozenset(names)

    # What may run an event loop: asyncio's own functions, and the functions here that call them.
    def _find_loop_calls(self, tree: ast.Module) -> None:
        text = self._text
        found = self._found
        if not (self.loop_names or "asyncio" in found or "run_until_complete(" in found):
            return
        names = self.loop_names | {
            alias.asname or alias.name
            for statement in tree.body
            if isinstance(statement, ast.ImportFrom) and statement.module == "asyncio"
            for alias in statement.names
            if alias.name in ("run", "Runner")
        }
        lines = sorted([*self._lines(LOOP_WORDS), *text.lines_calling(names)])
        if not lines:
            return
        definitions = list(_definitions(tree.body))
        for _ in range(_HELPER_CALLS):
            helpers = {
                node.name
                for node in definitions
                if isinstance(node, ast.FunctionDef)
                and any_within(lines, node.lineno, node.end_lineno or node.lineno)
            }
            if helpers <= names:
                break
            names |= helpers
            lines = sorted({*lines, *text.lines_calling(helpers)})
        self.loops = lines
        self.loop_names = frozenset(names)


def _is_in_plain_name(text: str, at: int) -> bool:
    """Whether the word fixture at this place is a part of a name that is merely read.

    That is `user_fixture` or `fixture_path`, neither called, nor after `@` or a point.
    """
    found = _NAME.match(text, at)
    assert found is not None
    if text[at - 1 : at] != "_" and text[at + len("fixture") : at + len("fixture_")] != "_":
        return False
    start = at
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start - 1 : start] not in ("@", ".") and text[found.end() : found.end() + 1] != "("


def _global_names(text: str) -> tuple[str, ...]:
    """The names in `global` statements."""
    found = _GLOBAL.findall(text)
    return tuple(dict.fromkeys(name for names in found for name in re.split(r"[ \t,]+", names)))


def inner_imports(text: str) -> tuple[str, ...]:
    """The names in indented import statements, `import` and `as` left out."""
    words: set[str] = set()
    offset = text.find("import ")
    while offset >= 0:
        start = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", offset)
        end = end if end >= 0 else len(text)
        if text[start] in " \t" and _IMPORT_WORDS.match(text, start):
            words.update(re.findall(r"\w+", text[start:end].partition("#")[0]))
        offset = text.find("import ", end)
    return tuple(sorted(words - {"from", "import", "as"}))


def _definitions(
    body: Iterable[ast.stmt],
) -> Iterable[ast.FunctionDef | ast.AsyncFunctionDef]:
    for statement in body:
        if isinstance(statement, FUNCTIONS):
            yield statement
        elif isinstance(statement, ast.ClassDef):
            yield from _definitions(statement.body)
