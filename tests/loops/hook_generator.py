"""Makes random hooks that put marks on tests, from forms that can be read and some that cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

HEAD = """
import asyncio
import inspect
import os
import sys
import pytest
from pytest_asyncio import is_async_test
from pytest_asyncio.plugin import PytestAsyncioFunction

SESSION = pytest.mark.asyncio(KEYWORD="session")
MODULE = pytest.mark.asyncio(KEYWORD="module")
BARE = pytest.mark.asyncio
YES = True
NO = False
if os.environ.get("PATH"):
    MAYBE = True
else:
    MAYBE = False

def is_coroutine(item):
    return isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function)

def is_async(func):
    if func is None:
        return False
    return inspect.iscoroutinefunction(func)

def is_marked(it):
    return it.get_closest_marker("asyncio") is not None

def is_fast(item):
    if item.get_closest_marker("slow"):
        return False
    return True

def is_either(item):
    if is_async_test(item):
        return True
    return inspect.iscoroutinefunction(item.obj)

def is_found(item):
    for mark in item.iter_markers():
        if mark.name == "asyncio":
            return True
    return False
"""

# Of an item; the last ones cannot be read.
_CONDITIONS = (
    "is_async_test({})",
    "inspect.iscoroutinefunction({}.function)",
    "asyncio.iscoroutinefunction({}.obj)",
    'inspect.iscoroutinefunction(getattr({}, "function", None))',
    '{}.get_closest_marker("asyncio")',
    '{}.get_closest_marker("asyncio") is None',
    '{}.get_closest_marker("asyncio") is not None',
    '"asyncio" in {}.keywords',
    '"anyio" not in {}.keywords',
    '{}.get_closest_marker("slow")',
    'any({}.iter_markers("slow"))',
    'list({}.iter_markers("asyncio"))',
    "isinstance({}, pytest.Function)",
    "isinstance({}, PytestAsyncioFunction)",
    "isinstance({}, (pytest.Class, PytestAsyncioFunction))",
    'hasattr({}, "function")',
    "is_coroutine({})",
    "is_async({}.obj)",
    "is_marked({})",
    "is_fast({})",
    "is_either({})",
    "YES",
    "NO",
    "sys.version_info > (3, 0)",
    "MAYBE",
    "is_found({})",
    '"own" in {}.name',
    "{}.cls is None",
    "len({}.own_markers) > 1",
)
_MARKS = (
    *("SESSION", "MODULE", "BARE", "local", '"asyncio"', "pytest.mark.asyncio()"),
    *('pytest.mark.asyncio(KEYWORD="session")', "pytest.mark.slow", "pytest.mark.anyio"),
)
_DECORATORS = ("", "@pytest.hookimpl(tryfirst=True)", "@pytest.hookimpl(trylast=True)")
_SECOND = '@pytest.hookimpl(specname="pytest_collection_modifyitems")'


class HookGenerator:
    """Makes the conftest of one project."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def conftest(self) -> str:
        """One hook, or two of one name."""
        kind = self._random.random()
        if kind < 0.1:
            body = "\n".join(self._statements("item", 0, 1))
            body = body.replace("continue", "return").replace("break", "return")
            hook = f"def pytest_itemcollected(item):\n    local = SESSION\n{body}\n"
        elif kind < 0.2:
            before = self._body(may_return=False) if self._random.random() < 0.5 else []
            lines = [*before, "    yield", *self._body()]
            hook = _function("@pytest.hookimpl(hookwrapper=True)", "collection_modifyitems", lines)
        else:
            decorator = self._random.choice(_DECORATORS)
            hook = _function(decorator, "collection_modifyitems", self._body())
        if self._random.random() < 0.2:
            hook += _function(_SECOND, self._random.choice(["after", "second"]), self._body())
        return HEAD + hook

    def _body(self, *, may_return: bool = True) -> list[str]:
        choice = self._random.choice
        lines = [f"    local = {choice(['SESSION', 'MODULE', 'BARE'])}"]
        for number in range(choice([1, 1, 2])):
            if may_return and self._random.random() < 0.15:
                lines += [f"    if {choice(['YES', 'NO', 'MAYBE'])}:", "        return"]
            source = self._sequence("items")
            if self._random.random() < 0.5:
                lines.append(f"    found{number} = {source}")
                source = f"found{number}"
            kind = self._random.random()
            if kind < 0.06:
                added, asked = self._addition("item"), self._condition("item")
                lines.append(f"    [{added} for item in items if {asked}]")
                continue
            counted = kind < 0.1
            target = "number, item" if counted else "item"
            lines.append(f"    for {target} in {f'enumerate({source})' if counted else source}:")
            body = self._statements("item", 0, 2)
            lines += body if may_return else [line.replace("return", "pass") for line in body]
            if self._random.random() < 0.1:
                lines.append(f"    items = {self._sequence('items')}")
        return lines

    def _sequence(self, source: str) -> str:
        kind = self._random.random()
        if kind < 0.5:
            return source
        if kind < 0.7:
            return f"[each for each in {source} if {self._condition('each')}]"
        if kind < 0.8:
            first, second = self._condition("each"), self._condition("each")
            return f"(each for each in {source} if {first} if {second})"
        if kind < 0.86:
            helper = self._random.choice(["is_async_test", "is_coroutine", "is_fast", "is_found"])
            return f"filter({helper}, {source})"
        if kind < 0.92:
            return f"filter(lambda each: {self._condition('each')}, {source})"
        forms = ("list({})", "reversed(list({}))", "list({})[:]", "list({})[1:]")
        return self._random.choice(forms).format(source)

    def _condition(self, item: str, depth: int = 0) -> str:
        kind = self._random.random() + depth * 0.2
        if kind < 0.15:
            return f"not ({self._condition(item, depth + 1)})"
        if kind < 0.38:
            word = "and" if kind < 0.28 else "or"
            first, second = (self._condition(item, depth + 1) for _ in range(2))
            return f"({first} {word} {second})"
        return self._pick(_CONDITIONS).format(item)

    def _addition(self, item: str) -> str:
        append = self._random.choice(["", ", append=False", ", False", ", append=True"])
        return f"{item}.add_marker({self._random.choice(_MARKS)}{append})"

    def _statements(self, item: str, depth: int, indent: int) -> list[str]:
        lines: list[str] = []
        left = "    " * indent
        for _ in range(self._random.choice([1, 1, 2, 3])):
            kind = self._random.random()
            asked = self._condition(item)
            if kind < 0.4 or depth > 2:
                lines.append(left + self._addition(item))
            elif kind < 0.7:
                lines += [f"{left}if {asked}:", *self._statements(item, depth + 1, indent + 1)]
                other = self._random.choice(["", "", "else:", f"elif {self._condition(item)}:"])
                if other:
                    lines += [left + other, *self._statements(item, depth + 1, indent + 1)]
            elif kind < 0.8:
                word = self._random.choice(["continue", "continue", "continue", "break", "return"])
                lines += [f"{left}if {asked}:", f"{left}    {word}"]
            elif kind < 0.86:
                word = self._random.choice(["", "not "])
                lines += [f"{left}asked = {asked}", f"{left}if {word}asked:"]
                lines += self._statements(item, depth + 1, indent + 1)
            elif kind < 0.9:
                lines.append(f"{left}{self._addition(item)} if {asked} else None")
            elif kind < 0.94:
                word = self._random.choice(["and", "or"])
                lines.append(f"{left}({asked}) {word} {self._addition(item)}")
            else:
                lines += [f"{left}try:", *self._statements(item, depth + 1, indent + 1)]
                lines += [f"{left}except AttributeError:", f"{left}    continue"]
        return lines

    def _pick(self, forms: Sequence[str]) -> str:
        # The last five cannot be read; few hooks have one, so that most can.
        known = len(forms) - 5
        number = self._random.randrange(known)
        return forms[number if self._random.random() < 0.95 else self._random.randrange(len(forms))]


def _function(decorator: str, name: str, lines: Sequence[str]) -> str:
    body = "\n".join(lines)
    return f"\n{decorator}\ndef pytest_{name}(config, items):\n{body}\n"
