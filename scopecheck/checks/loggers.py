"""Loggers: which paths stand for one, and whether anybody but the test logs to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import text_of
from scopecheck.expressions import Call, Const
from scopecheck.facts import Import
from scopecheck.suite.changes import is_test_code

if TYPE_CHECKING:
    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor

_GET = "logging.getLogger"
_ROOT = "logging.root"


def is_logger(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether what a change is made to is surely a logger."""
    if not change.target:
        return False
    subject = suite.changes.subjects.resolve(
        actor.path, actor.function, change.target, change.imported
    )
    if subject is None or subject.rest:
        return False
    if subject.kind == "external":
        return subject.name in (f"{_GET}()", _ROOT)
    # What is assigned to an object of a module, SCP407 tells.
    calls = change.kind == "call" and subject.kind == "object"
    return calls and suite.changes.subjects.maker_of(subject) == _GET


def is_of_others(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether other code logs to it: the root logger, or one named for a module that is imported.

    A logger that a test makes for itself, nobody else meets.
    """
    subject = suite.changes.subjects.resolve(
        actor.path, actor.function, change.target, change.imported
    )
    if subject is None:
        return False
    if subject.kind == "external":
        if subject.name == _ROOT:
            return True
        return _is_imported(suite, actor, _named(text_of(suite, actor)))
    if not is_test_code(subject.path):
        return True
    value = subject.value
    name = value.args[0] if isinstance(value, Call) and value.args else None
    if isinstance(name, Const):
        return _is_imported(suite, actor, str(name.value))
    return name is None


def _named(text: str) -> str | None:
    """The name in `getLogger("name")`; empty for the root logger, None where it is not written."""
    found = set(re.findall(r"\bgetLogger\(([^()]*)\)", text))
    if len(found) != 1:
        return None
    (given,) = found
    given = given.strip()
    if given in ("", "None", "''", '""'):
        return ""
    return given[1:-1] if re.fullmatch(r"([\"'])[\w.]+\1", given) else None


# `app.test_level`, `app._test_level`: a test's own, below that of the package.
_OF_TESTS = re.compile(r"_?tests?(?:_\w+)?")


def _is_imported(suite: Suite, actor: Actor, name: str | None) -> bool:
    if not name:
        return name == ""
    if _OF_TESTS.fullmatch(name.rpartition(".")[2]):
        return False
    top = name.partition(".")[0]
    facts = suite.facts(actor.path)
    return facts is not None and any(
        isinstance(binding.value, Import)
        and not binding.value.level
        and binding.value.module.partition(".")[0] == top
        for binding in facts.bindings
    )
