"""Fixers of what a test changes in the process: `monkeypatch` does it, and puts it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks
from scopecheck.repair.monkeypatch import NAME, NEXT, QUOTE, actor_at, by_monkeypatch, can_take

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.read.acts import Act
    from scopecheck.repair.bench import Bench, Offer
    from scopecheck.suite import Suite

# Attributes that `sys` has on every platform.
_OF_SYS = frozenset(
    [
        *("argv", "path", "modules", "stdout", "stderr", "stdin", "platform", "executable"),
        *("version", "version_info", "excepthook", "displayhook", "prefix", "exec_prefix"),
        *("base_prefix", "meta_path", "path_hooks", "flags", "byteorder", "maxsize"),
        *("dont_write_bytecode", "unraisablehook", "implementation", "exit"),
    ]
)


@looks("near")
def unrestored_environ(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP405: set the variables by `monkeypatch.setenv`."""
    actor = actor_at(suite, fault)
    if actor is None or not can_take(suite, actor):
        return
    told = (fault.place, *(p for p in fault.related if p.message.endswith("is set here")))
    if any(place.path != fault.place.path for place in told):
        return  # A function of the code under test sets them.
    lines = {place.span.line for place in told}
    if any(c.span.line in lines and c.name in ("clear", "putenv") for c in actor.changes):
        return

    def wanted(acts: list[Act]) -> dict[Act, str] | None:
        found = {act: _set_environ(act) for act in acts if act.span.line in lines}
        if len({act.span.line for act in found}) != len(lines) or not all(found.values()):
            return None
        known = {(act.owner, act.key) for act in found}
        owners = {act.owner for act in found}
        for act in acts:
            of_all = act.name == "update" and act.owner in owners
            if act not in found and (of_all or (act.owner, _key(act)) in known):
                found[act] = _set_environ(act) or _unset_environ(act)
        return {act: code for act, code in found.items() if code}

    yield by_monkeypatch(suite, actor, wanted, "set it by `monkeypatch.setenv`", "safe")


def _key(act: Act) -> str:
    if act.kind == "call":
        return act.positional[0] if act.positional else ""
    return act.key


def _set_environ(act: Act) -> str:
    if act.kind == "set" and act.name == "[]":
        return f"{NAME}.setenv({act.key}, {act.value})"
    if act.kind != "call" or act.name != "update":
        return ""
    items = [(f"{QUOTE}{keyword}{QUOTE}", value) for keyword, value in act.arguments if keyword]
    for display in act.arguments:
        if not display[0]:
            from scopecheck.read.acts import items_of

            items = [*items_of(display[1]), *items]
    return NEXT.join(f"{NAME}.setenv({key}, {value})" for key, value in items)


def _unset_environ(act: Act) -> str:
    if act.kind == "del":
        return f"{NAME}.delenv({act.key})"
    if act.kind == "call" and act.name == "pop" and act.positional:
        if len(act.positional) == 1:
            return f"{NAME}.delenv({act.positional[0]})"
        return f"{NAME}.delenv({act.positional[0]}, raising=False)"
    return ""


@looks("near")
def unrestored_process_state(bench: Bench, suite: Suite, fault: Fault) -> Iterator[Offer]:  # noqa: ARG001
    """SCP406: change it by `monkeypatch`, where it can."""
    actor = actor_at(suite, fault)
    if actor is None or not can_take(suite, actor):
        return
    line = fault.place.span.line
    change = next((c for c in actor.changes if c.span == fault.place.span), None)
    if change is None:
        return
    path = (*change.target, change.name)
    if not ("chdir" in path or "sys" in path):
        return

    def wanted(acts: list[Act]) -> dict[Act, str] | None:
        first = next((act for act in acts if act.span.line == line), None)
        if first is None or not _by_monkeypatch(first):
            return None
        alike = [act for act in acts if _state(act) == _state(first)]
        return {act: code for act in alike if (code := _by_monkeypatch(act))}

    yield by_monkeypatch(suite, actor, wanted, "change it by `monkeypatch`", "safe")


def _state(act: Act) -> tuple[str, str]:
    """What is changed, so that all changes of it are seen as changes of one thing."""
    if act.kind == "call" and act.name == "chdir":
        return act.owner, "chdir"
    if act.name == "[]" or act.kind == "call":
        owner, _, name = act.owner.rpartition(".")
        return owner, name
    return act.owner, act.name


def _by_monkeypatch(act: Act) -> str:
    """The call of `monkeypatch` that does the same; empty where there is none."""
    owner, dot, last = act.owner.rpartition(".")
    match act.kind, act.name, act.positional:
        case "call", "chdir", (path,) if act.owner in ("os", ""):
            return f"{NAME}.chdir({path})"
        case "call", "insert", ("0", path) if last == "path" and owner == "sys":
            return f"{NAME}.syspath_prepend({path})"
        case "call", "append", (path,) if last == "path" and owner == "sys":
            return f"{NAME}.setattr(sys, {QUOTE}path{QUOTE}, [*sys.path, {path}])"
        case "set", "[]", _ if last == "modules":
            return f"{NAME}.setitem({act.owner}, {act.key}, {act.value})"
        case "del", "[]", _ if last == "modules":
            return f"{NAME}.delitem({act.owner}, {act.key})"
        case "call", "pop", (key, _) if last == "modules":
            return f"{NAME}.delitem({act.owner}, {key}, raising=False)"
        case "call", "pop", (key,) if last == "modules":
            return f"{NAME}.delitem({act.owner}, {key})"
        case "set", name, _ if not dot and act.owner == "sys" and name != "[]":
            raising = "" if name in _OF_SYS else ", raising=False"
            return f"{NAME}.setattr({act.owner}, {QUOTE}{name}{QUOTE}, {act.value}{raising})"
    return ""
