"""Tests that need another test to have run, and fixtures that two runs at a time cannot share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scopecheck.checks.leaks import body_of, runs_in_process, symbol_of, text_of
from scopecheck.checks.looks import looks
from scopecheck.checks.wording import at
from scopecheck.expressions import Const
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_test_code
from scopecheck.suite.mentions import code_of
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor


@looks("far")
def order_dependence(suite: Suite) -> Iterator[Fault]:
    """SCP410: a test reads what another test writes to a global name or a class."""
    writing = {actor.path for actor in suite.changes.changing if actor.kind == "test"}
    by_file: dict[str, list[Actor]] = {}
    for actor in (*suite.changes.actors, *suite.changes.helpers):
        if actor.path in writing:
            by_file.setdefault(actor.path, []).append(actor)
    for path, actors in by_file.items():
        if not is_test_code(path):
            continue
        told: set[str] = set()
        for actor in actors:
            if actor.kind != "test" or not actor.changes or not runs_in_process(suite, actor):
                continue
            for change in actor.changes:
                written = _written(suite, actor, change)
                if written is None or written in told or change.condition or change.final:
                    continue
                told.add(written)
                if _has_value(suite, path, written) or _is_put_back(actor, change):
                    continue
                yield from _pairs(suite, actors, written)


def _written(suite: Suite, actor: Actor, change: Change) -> str | None:
    """What later code reads a value by that a test has written: `name`, `Class.name`."""
    if change.nested:
        return None
    if change.kind == "name":
        return change.name
    if change.kind != "attribute" or len(change.target) not in (1, 2):
        return None
    own = actor.function.parameters[:1]
    method = actor.function.owner >= 0 and bool(own)
    first = own[0].name if method else ""
    if method and change.target in ((first, "__class__"), (f"type({first})",)):
        facts = suite.facts(actor.path)
        assert facts is not None
        return f"{facts.classes[actor.function.owner].name}.{change.name}"
    subject = suite.changes.subject(actor.path, actor.function, change)
    if subject is None or subject.kind != "class" or subject.rest or subject.class_ is None:
        return None
    if subject.path != actor.path or not any(
        item.nodeid.split("::")[-2] == subject.name for item in actor.items
    ):
        return None
    return f"{subject.name}.{change.name}"


_BLANK = frozenset({"None", "False", "0", "''", "b''", "0.0"})


def _has_value(suite: Suite, path: str, written: str) -> bool:
    """Whether the module itself gives a global name a value that a test can do with."""
    space = suite.evaluator.module(path)
    bindings = () if space is None else space.bindings.get(written, ())
    return any(
        isinstance(binding.value, Const) and repr(binding.value.value) not in _BLANK
        for binding in bindings
    )


def _is_put_back(actor: Actor, change: Change) -> bool:
    return any(
        other.final and (other.kind, other.name) == (change.kind, change.name)
        for other in actor.changes
    )


def _pairs(suite: Suite, actors: list[Actor], written: str) -> Iterator[Fault]:
    """One finding for each test that reads what only other tests write."""
    owner, _, name = written.rpartition(".")
    writes = rf"\b{re.escape(name)}\b(?:\s*,\s*\w+)*\s*(?::[^=\n]*)?=[^=]"
    reads = re.compile(
        rf"\b(?:self|cls|{re.escape(owner)}|__class__)\.{re.escape(name)}\b"
        if owner
        else rf"(?<![\w.\"']){re.escape(name)}(?![\w\"']|\s*=[^=])"
    )
    declared = re.compile(rf"\bglobal\b[^\n]*\b{re.escape(name)}\b")
    writers: list[Actor] = []
    readers: list[Actor] = []
    for actor in actors:
        text = body_of(suite, actor)
        if name not in text:
            continue
        if re.search(writes, text) and (owner or declared.search(text)):
            if actor.kind != "test":
                return  # It is set up, or reset, beside the tests.
            writers.append(actor)
        elif actor.kind == "test" and _reads(actor, name, owner, text, reads):
            readers.append(actor)
    if not writers:
        return
    first = min(writers, key=lambda actor: actor.function.line)
    for reader in readers:
        if reader.function.line < first.function.line or re.search(writes, body_of(suite, reader)):
            continue
        yield Fault(
            Place(reader.path, reader.function.span),
            f"`{reader.function.name}` reads `{written}`, which only `{first.function.name}` "
            "writes: it needs that test to run before it",
            symbol_of(reader),
            (at(Place(first.path, first.function.span), f"this test writes `{written}`"),),
            notes=("alone, in another order or on another worker it finds something else",),
            help=f"make `{name}` in a fixture that both request",
            tests=frozenset(item.nodeid for item in reader.items),
        )


def _reads(actor: Actor, name: str, owner: str, text: str, reads: re.Pattern[str]) -> bool:
    if not owner and any(parameter.name == name for parameter in actor.function.parameters):
        return False
    body = actor.function.body
    if not owner and body is not None and name in body.locals:
        return False
    below = text.partition("\n")[2]
    # Comments and messages may have the word, too.
    return reads.search(below) is not None and reads.search(code_of(below)) is not None


_PORT = re.compile(
    r"\bport\s*[=:]\s*[\"']?(\d{4,5})\b|\((?:\"[\w.]*\"|'[\w.]*')\s*,\s*(\d{4,5})\)"
    r"|(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{4,5})"
)
_FOLDER = re.compile(r"[\"'](/tmp/[\w./-]+)[\"']")
_DATABASE = re.compile(
    r"\b(?:CREATE|DROP)\s+DATABASE\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?[`\"\\]*"
    r"(?!IF\b)([A-Za-z]\w*)\b(?!\{)",
    re.IGNORECASE,
)
_OWN = re.compile(
    r"worker_id|PYTEST_XDIST|testrun_uid|tmp_path|tempfile|unused_tcp|free_port|unused_port|FileLock"
)


@looks("far")
def fixed_resource(suite: Suite) -> Iterator[Fault]:
    """SCP412: a session fixture takes a port or folder of which there is one a machine.

    Nothing is told of a suite of which nothing says that it runs on several workers.
    """
    said = suite.linker.plugins.run_async.said
    workers = "" if said is None else said().workers
    if not workers:
        return
    seen: set[tuple[str, int]] = set()
    for actor in suite.changes.setups:
        fixture = actor.fixture
        if fixture is None or fixture.scope is not Scope.SESSION or fixture.place is None:
            continue
        key = (actor.path, actor.function.line)
        text = text_of(suite, actor)
        if key in seen or _OWN.search(text) or "site-packages/" in actor.path:
            continue
        seen.add(key)
        port = (
            _PORT.search(text)
            if re.search(r"\b(?:bind|serve|listen|start|run)\w*\(", text)
            else None
        )
        folder = _FOLDER.search(text)
        database = _DATABASE.search(text)
        if port is not None:
            what = f"port {next(filter(None, port.groups()))}"
        elif folder is not None:
            what = f"`{folder[1]}`"
        elif database is not None:
            what = f"the database `{database[1]}`"
        else:
            continue
        yield Fault(
            fixture.place,
            f"session-scoped `{fixture.name}` always takes {what}, and each worker of "
            "pytest-xdist sets it up",
            fixture.symbol,
            notes=(
                "a session is one for each worker, and they run on one machine",
                f"{workers} speaks of pytest-xdist",
            ),
            help="take a free port, `tmp_path_factory`, or a name with `worker_id` in it",
            tests=frozenset(item.nodeid for item in actor.items),
        )
