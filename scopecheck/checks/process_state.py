"""The process that all tests share: its environment, working directory, path, signals and so on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.leaks import (
    by_monkeypatch_before,
    judge,
    symbol_of,
    tests_of,
    text_of,
    writers,
)
from scopecheck.checks.wording import at
from scopecheck.finding import Fault, Place
from scopecheck.suite.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scopecheck.checks.leaks import Verdict
    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor

_ENVIRON = ("os.environ", "os.environb")
# What puts a whole environment back.
_WHOLE_ENVIRON = (
    r"environ\.copy\(|dict\((?:os\.)?environ|copy\((?:os\.)?environ|patch\.dict\([^)]*environ"
    r"|environ\.clear\(|environ\s*=[^=]|environ\.update\(|for .* in .*environ"
)


class _Write(NamedTuple):
    change: Change
    verdict: Verdict


# -- the environment -----------------------------------------------------------------------------


def unrestored_environ(suite: Suite) -> Iterator[Fault]:
    """SCP405: an environment variable is set and not put back."""
    for actor in writers(suite):
        kept: dict[str, _Write] = {}
        for change in actor.changes:
            key = _environ_key(suite, actor, change)
            if key is None or not _sets_environ(change) or key in kept:
                continue
            verdict = _judged_environ(suite, actor, change, key)
            if verdict != "restored":
                kept[key] = _Write(change, verdict)
        if kept:
            yield _told_environ(actor, kept)


def _environ_key(suite: Suite, actor: Actor, change: Change) -> str | None:
    """The variable that a change is about, empty for all of them; None where it is about none."""
    if change.kind == "call" and change.name in ("putenv", "unsetenv"):
        subject = suite.changes.resolve(
            actor.path, actor.function, (*change.target, change.name), change.imported
        )
        name = "" if subject is None else subject.name
        return change.key if name in ("os.putenv", "os.unsetenv") else None
    if change.target[-1:] not in (("environ",), ("environb",)) and len(change.target) != 1:
        return None
    subject = suite.changes.subject(actor.path, actor.function, change)
    if subject is None or subject.kind != "external" or subject.name not in _ENVIRON:
        return None
    if change.kind == "call" and change.name in ("update", "clear"):
        return ""
    return change.key


def _sets_environ(change: Change) -> bool:
    return change.kind == "item" or change.name in ("update", "clear", "putenv", "__setitem__")


def _judged_environ(suite: Suite, actor: Actor, change: Change, key: str) -> Verdict:
    def touches(actor: Actor, other: Change) -> bool:
        if other.target[-1:] == ("monkeypatch",) or other.name in ("setenv", "delenv"):
            return other.key == key
        found = _environ_key(suite, actor, other)
        return found is not None and (found in (key, "", "?") or not key or not _is_text(found))

    def undoes(other: Change) -> bool:
        return other.kind == "del" or other.name in ("pop", "update", "clear") or other.by_name

    if any(
        other.name in ("setenv", "delenv") and other.key == key
        for other in actor.changes
        if other.span.line < change.span.line
    ):
        return "restored"
    bare = key.strip("'\"")
    words = _WHOLE_ENVIRON if not bare else f"{_WHOLE_ENVIRON}|\\b{re.escape(bare)}\\b"
    return judge(suite, actor, change, touches, undoes, re.compile(words))


def _is_text(key: str) -> bool:
    return key[:1] in "'\"b"


def _told_environ(actor: Actor, kept: dict[str, _Write]) -> Fault:
    (_, write), *more = kept.items()
    names = [_named(key, each.change) for key, each in kept.items()]
    what = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    inline = all(each.verdict == "inline" for each in kept.values())
    verb = "is" if len(names) == 1 else "are"
    done = "cleared" if write.change.name == "clear" else "set"
    related = [
        at(Place(actor.path, each.change.span), f"{_named(key, each.change)} is set here")
        for key, each in more
    ]
    return Fault(
        Place(actor.path, write.change.span),
        f"{what} {verb} {done} and {_fate(inline)}",
        symbol_of(actor),
        tuple(related),
        notes=(_NOTE,),
        help=_advice(actor, "setenv(name, value)"),
        tests=tests_of(actor),
    )


_NOTE = "every test that runs later in the same process meets it"


def _fate(inline: bool) -> str:
    return "put back only if nothing fails before that" if inline else "never put back"


def _named(key: str, change: Change) -> str:
    if not key or change.name in ("update", "clear"):
        return "the environment"
    return f"`{key.strip(chr(39))}`" if _is_text(key) else f"the variable `{key}`"


def _advice(actor: Actor, method: str) -> str:
    wide = actor.fixture is not None and actor.fixture.scope is not Scope.FUNCTION
    if wide or actor.kind == "xunit" or any(item.testcase for item in actor.items):
        return "put the old value back when the tests are over: after the `yield`, or in a clean-up"
    return f"request `monkeypatch` and use `monkeypatch.{method}`, which puts it back"


# -- other state of the process ------------------------------------------------------------------


class _State(NamedTuple):
    """A state of the process.

    what: in words. undo: what the text has that puts it back. advice: what does it better.
    """

    what: str
    undo: str
    advice: str = ""


_BY_CALL = {
    "os.chdir": _State("the working directory", r"chdir\(", "chdir(path)"),
    "os.fchdir": _State("the working directory", r"chdir\(", "chdir(path)"),
    "os.umask": _State("the umask", r"umask\("),
    "locale.setlocale": _State("the locale", r"setlocale\("),
    "signal.signal": _State("the handler of a signal", r"signal\.signal\(|\bsignal\("),
    "asyncio.set_event_loop_policy": _State(
        "the event loop policy", r"set_event_loop_policy\(|event_loop_policy"
    ),
    "socket.setdefaulttimeout": _State("the default timeout of sockets", r"setdefaulttimeout\("),
    "sys.setrecursionlimit": _State("the recursion limit", r"setrecursionlimit\("),
    "sys.setswitchinterval": _State("the switch interval", r"setswitchinterval\("),
    "logging.disable": _State("logging", r"logging\.disable\("),
    "gc.disable": _State("the garbage collector", r"gc\.enable\("),
    "multiprocessing.set_start_method": _State(
        "the start method of processes", r"set_start_method\("
    ),
}
_OF_SYS = {
    "sys.path": _State("`sys.path`", r"sys\.path\b|syspath_prepend", "syspath_prepend(path)"),
    "sys.modules": _State("`sys.modules`", r"sys\.modules\b", "setitem(sys.modules, name, value)"),
    "sys.argv": _State("`sys.argv`", r"sys\.argv\b", 'setattr("sys.argv", [...])'),
}


def unrestored_process_state(suite: Suite) -> Iterator[Fault]:
    """SCP406: a state of the process is changed and not put back."""
    for actor in _with_switches(suite):
        told: set[str] = set()
        for change in actor.changes:
            name = _process_name(suite, actor, change)
            state = _state(suite, name, change)
            if state is None or state.what in told:
                continue
            if _puts_back(suite, actor, name, change):
                continue
            verdict = _judged(suite, actor, change, name, state)
            if verdict == "restored":
                continue
            told.add(state.what)
            yield Fault(
                Place(actor.path, change.span),
                f"{state.what} is changed and {_fate(verdict == 'inline')}",
                symbol_of(actor),
                notes=(_NOTE,),
                help=_advice(actor, state.advice) if state.advice else _PUT_BACK,
                tests=tests_of(actor),
            )


def _with_switches(suite: Suite) -> Iterator[Actor]:
    """The actors, with the calls of functions that the configuration names."""
    paired = suite.options.paired_calls.items()
    names = {name.rpartition(".")[2] for pair in paired for name in pair}
    words = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b") if names else None
    for actor in writers(suite, words):
        switches = words is not None and words.search(text_of(suite, actor))
        yield suite.changes.whole(actor) if switches else actor


_PUT_BACK = "put it back when the test is over: after the `yield` of a fixture, or in a `finally`"


def _process_name(suite: Suite, actor: Actor, change: Change) -> str:
    """The dotted name of what a change is made to, or of the function that is called."""
    target = change.target
    if change.kind == "call":
        paired = _paired(suite.options.paired_calls, target, change.name)
        if paired:
            return paired
    whole = ".".join((*target[-1:], change.name))
    calls = change.kind == "call" and (not target or whole in _ENDS)
    if calls or (change.kind == "attribute" and target[-1:] == ("sys",)):
        target = (*target, change.name)
    elif target[-1:] not in (("path",), ("modules",), ("argv",)):
        return ""
    subject = suite.changes.resolve(actor.path, actor.function, target, change.imported)
    if subject is None or subject.kind != "external" or subject.rest:
        return ""
    return subject.name


def _paired(paired: Mapping[str, str], target: tuple[str, ...], name: str) -> str:
    """The configured function that a call names: by its last part, or by all that is written."""
    written = ".".join((*target, name))
    for pair in paired.items():
        for known in pair:
            if known == name or written == known or known.endswith(f".{written}"):
                return known
    return ""


_ENDS = frozenset(".".join(name.split(".")[-2:]) for name in (*_BY_CALL, "gc.enable"))


def _state(suite: Suite, name: str, change: Change) -> _State | None:
    if not name:
        return None
    if name in suite.options.paired_calls and change.kind == "call":
        back = suite.options.paired_calls[name].rpartition(".")[2]
        return _State(f"what `{name}()` switches", rf"\b{re.escape(back)}\b")
    if name in _BY_CALL:
        return _BY_CALL[name]
    if name in _OF_SYS:
        # A module under a computed name is one that the test has loaded from a file.
        if name == "sys.modules" and not (change.kind == "item" and _is_text(change.key)):
            return None
        if name != "sys.modules" and change.kind == "del":
            return None
        return _OF_SYS[name] if change.name not in ("remove", "pop", "clear") else None
    if name.startswith("sys.") and name.count(".") == 1 and change.kind == "attribute":
        return _State(f"`{name}`", rf"{re.escape(name)}\b", f'setattr("{name}", value)')
    return None


def _puts_back(suite: Suite, actor: Actor, name: str, change: Change) -> bool:
    """Whether the change gives back what was kept before, or the state that a process begins with.

    (`os.chdir(before)` alone in a test undoes what the tested code did.)
    """
    if name == "logging.disable":
        return change.key.rpartition(".")[2] in ("NOTSET", "0")
    if name.startswith("sys.std") and change.value.startswith("sys.__"):
        return True
    if not change.by_name:
        return False
    kept = re.escape(change.value)
    text = text_of(suite, actor)
    return (
        re.search(
            rf"\b{kept}\b\s*(?::[^=\n]*)?=\s*[^=\n]*(?:cwd\(|get\w*\(|signal\(|sys\.|umask\(|setlocale\()",
            text,
        )
        is not None
    )


def _judged(suite: Suite, actor: Actor, change: Change, name: str, state: _State) -> Verdict:
    same = {key for key, other in _BY_CALL.items() if other.what == state.what} | {name}
    if name == "gc.disable":
        same.add("gc.enable")
    back = suite.options.paired_calls.get(name, "").rpartition(".")[2]
    by_monkeypatch = state.advice.partition("(")[0]

    def touches(actor: Actor, other: Change) -> bool:
        if by_monkeypatch and other.target == ("monkeypatch",):
            return other.name == by_monkeypatch or name in other.key
        if back:
            return other.name == back
        return _process_name(suite, actor, other) in same

    def undoes(other: Change) -> bool:
        if back:
            return other.name == back
        if other.kind == "del" or other.name in ("remove", "pop", "enable"):
            return True
        return _puts_back(suite, actor, name, other) or (name in _OF_SYS and other.by_name)

    if by_monkeypatch_before(actor, change, touches):
        return "restored"
    return judge(suite, actor, change, touches, undoes, re.compile(state.undo))
