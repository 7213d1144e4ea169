"""The process that all tests share: its working directory, path, signals, loggers and so on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scopecheck.checks.blocks import conditions, is_in_loop
from scopecheck.checks.leaks import (
    NOTE,
    advice,
    body_of,
    by_monkeypatch_before,
    fate,
    is_text,
    judge,
    matches,
    symbol_of,
    tests_of,
    text_of,
    writers,
)
from scopecheck.checks.loggers import is_logger, is_of_others
from scopecheck.checks.looks import looks
from scopecheck.checks.through_helpers import Helpers
from scopecheck.finding import Fault, Place
from scopecheck.suite.changes import is_test_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scopecheck.checks.leaks import Verdict
    from scopecheck.facts import Change
    from scopecheck.suite import Suite
    from scopecheck.suite.changes import Actor


class _State(NamedTuple):
    """A state of the process.

    what: in words. undo: what the text has that puts it back. advice: what does it better.
    """

    what: str
    undo: str
    advice: str = ""


def _of_sys(name: str) -> str:
    """What the text has that puts back an attribute of `sys`, `patch.object(sys, "argv")` too."""
    return rf"\b{re.escape(name)}\b|\(\s*sys\s*,\s*[\"']{name.rpartition('.')[2]}[\"']"


_LOGGING = r"\b(?:dict|file|basic)Config\(|handlers\b|[rR]emoveHandler|logging\.shutdown"
_PANDAS = _State("an option of pandas", r"set_option\(|option_context|reset_option")
_BY_CALL = {
    "os.chdir": _State("the working directory", r"chdir\(", "chdir(path)"),
    "os.fchdir": _State("the working directory", r"chdir\(", "chdir(path)"),
    "os.umask": _State("the umask", r"umask\("),
    "locale.setlocale": _State("the locale", r"setlocale\("),
    "signal.signal": _State(
        "the handler of a signal",
        r"signal\.signal\(|\bsignal\(|\.(?:deactivate|restore|uninstall|unregister)\w*\(",
    ),
    "asyncio.set_event_loop_policy": _State(
        "the event loop policy", r"set_event_loop_policy\(|event_loop_policy"
    ),
    "socket.setdefaulttimeout": _State("the default timeout of sockets", r"setdefaulttimeout\("),
    "sys.setrecursionlimit": _State("the recursion limit", r"setrecursionlimit\("),
    "sys.setswitchinterval": _State("the switch interval", r"setswitchinterval\("),
    "time.tzset": _State("the time zone", r"tzset\("),
    "sys.settrace": _State("the trace function", r"settrace\("),
    "sys.setprofile": _State("the profile function", r"setprofile\("),
    "logging.disable": _State("logging", r"logging\.disable\("),
    "logging.basicConfig": _State("the configuration of logging", _LOGGING),
    "logging.config.dictConfig": _State("the configuration of logging", _LOGGING),
    "logging.config.fileConfig": _State("the configuration of logging", _LOGGING),
    "logging.captureWarnings": _State("the logging of warnings", r"captureWarnings\("),
    "numpy.seterr": _State("the error handling of numpy", r"seterr\(|errstate\("),
    "numpy.set_printoptions": _State("the print options of numpy", r"printoptions\("),
    "pandas.set_option": _PANDAS,
    "torch.set_default_dtype": _State("the default type of torch", r"set_default_dtype\("),
    "uvloop.install": _State("the event loop policy", r"set_event_loop_policy\(|event_loop_policy"),
    "gc.disable": _State("the garbage collector", r"gc\.enable\("),
    "multiprocessing.set_start_method": _State(
        "the start method of processes", r"set_start_method\("
    ),
}
_OF_SYS = {
    "sys.path": _State(
        "`sys.path`", rf"{_of_sys('sys.path')}|syspath_prepend", "syspath_prepend(path)"
    ),
    "sys.modules": _State(
        "`sys.modules`", _of_sys("sys.modules"), "setitem(sys.modules, name, value)"
    ),
    "sys.argv": _State("`sys.argv`", _of_sys("sys.argv"), 'setattr("sys.argv", [...])'),
}
_OF_LOGGERS = {
    "setLevel": _State("the level of a logger", r"setLevel\(|set_level\(|at_level\(|\.level\b"),
    "addHandler": _State("the list of a logger's handlers", r"removeHandler\(|\bhandlers\b"),
    "addFilter": _State("the list of a logger's filters", r"removeFilter\(|\bfilters\b"),
    "propagate": _State("the `propagate` of a logger", r"\.propagate\b|caplog"),
    "disabled": _State("the `disabled` of a logger", r"\.disabled\b"),
}
# Functions that put back what another one changes.
_BACK_BY = {"gc.enable": "gc.disable", "pandas.reset_option": "pandas.set_option"}
_BACK = {"addHandler": "removeHandler", "addFilter": "removeFilter"}
_DECIMAL = _State("the decimal context", r"getcontext\(|setcontext\(|localcontext\(")


@looks("far")
def unrestored_process_state(suite: Suite) -> Iterator[Fault]:
    """SCP406: a state of the process is changed and not put back."""
    by_tests: set[tuple[Actor, str]] = set()
    for actor in _with_switches(suite):
        told: set[str] = set()
        for change in actor.changes:
            name = _process_name(suite, actor, change)
            state = _state(suite, actor, name, change)
            if state is None or state.what in told:
                continue
            if _puts_back(suite, actor, name, change):
                continue
            verdict = _judged(suite, actor, change, name, state)
            if verdict == "restored":
                continue
            told.add(state.what)
            by_tests.add((actor, state.what))
            yield Fault(
                Place(actor.path, change.span),
                f"{state.what} is changed and {fate(verdict)}",
                symbol_of(actor),
                notes=(NOTE,),
                help=advice(actor, state.advice) if state.advice else _PUT_BACK,
                tests=tests_of(actor),
            )
    yield from _by_helpers(suite, by_tests)


# `patch("agent.worker.os.chdir")`: then functions go nowhere.
_CHDIR_REPLACED = re.compile(r"""["'][\w.]*\bchdir["']""")


def _with_switches(suite: Suite) -> Iterator[Actor]:
    """The actors, with the calls of functions that the configuration names."""
    paired = suite.options.paired_calls.items()
    names = {name.rpartition(".")[2] for pair in paired for name in pair}
    words = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b") if names else None
    for actor in writers(suite, words):
        switches = words is not None and matches(suite, actor, words)
        yield suite.changes.whole(actor) if switches else actor


def _by_helpers(suite: Suite, by_tests: set[tuple[Actor, str]]) -> Iterator[Fault]:
    """What functions change for the tests that call them.

    Args:
        suite: the suite.
        by_tests: who changes which state itself, too: that is told.
    """

    def judged(actor: Actor, by: Actor, call: Change, made: Change) -> Verdict:
        name = _process_name(suite, by, made)
        state = _state(suite, by, name, made)
        assert state is not None
        if name == "os.chdir" and suite.has(actor.path, _CHDIR_REPLACED):
            return "restored"
        return _judged(suite, actor, call, name, state)

    told: set[tuple[str, int, str]] = set()
    for left in Helpers(suite, lambda helper: _left(suite, helper)).left(judged):
        name = _process_name(suite, left.by, left.made)
        state = _state(suite, left.by, name, left.made)
        assert state is not None
        key = (left.by.path, left.by.function.line, state.what)
        if key in told or all((actor, state.what) in by_tests for actor, _ in left.calls):
            continue
        told.add(key)
        yield Fault(
            left.place,
            f"{state.what} is changed by `{left.by.function.name}` and {fate(left.verdict)}",
            left.symbol,
            tuple(left.related("changed")),
            notes=(NOTE,),
            help=advice(left.calls[0][0], state.advice) if state.advice else _PUT_BACK,
            tests=left.tests,
        )


def _left(suite: Suite, helper: Actor) -> Iterator[Change]:
    """The changes of a function that it does not undo itself."""
    for change in helper.changes:
        name = _process_name(suite, helper, change)
        state = _state(suite, helper, name, change)
        if state is None or _puts_back(suite, helper, name, change):
            continue
        # Of the code under test, what it is asked to do with the rest is its purpose.
        if not is_test_code(helper.path) and name != "os.chdir":
            continue
        same = _same(name, state)
        others = [
            other
            for other in helper.changes
            if other != change and _process_name(suite, helper, other) in same
        ]
        inverse = _BACK.get(name.rpartition(".")[2], "?")
        if not any(
            other.final or other.name == inverse or _puts_back(suite, helper, name, other)
            for other in others
        ):
            yield change


def _same(name: str, state: _State) -> frozenset[str]:
    """The names of all that changes a state, or puts it back."""
    same = {key for key, other in _BY_CALL.items() if other.what == state.what} | {name}
    same.update(back for back, other in _BACK_BY.items() if other == name)
    if name.startswith("logger."):
        last = name.rpartition(".")[2]
        same.add(f"logger.{_BACK.get(last, last)}")
    return frozenset(same)


_PUT_BACK = "put it back when the test is over: after the `yield` of a fixture, or in a `finally`"


def _process_name(suite: Suite, actor: Actor, change: Change) -> str:
    """The dotted name of what a change is made to, or of the function that is called."""
    target = change.target
    if change.kind == "call":
        paired = _paired(suite.options.paired_calls, target, change.name)
        if paired:
            return paired
    logs = change.name in _OF_LOGGERS or change.name in _BACK.values()
    if logs and is_logger(suite, actor, change):
        return f"logger.{change.name}"
    if change.kind == "attribute" and target[-1:] == ("getcontext()",):
        return "decimal" if _name(suite, actor, change, target) == "decimal.getcontext()" else ""
    calls = change.kind == "call" and change.name in _LAST_WORDS
    if calls or (change.kind in ("attribute", "del") and target[-1:] == ("sys",)):
        name = _name(suite, actor, change, (*target, change.name))
        return name if name in _BY_CALL or name in _BACK_BY or name[:4] == "sys." else ""
    if suite.options.paired_calls and change.kind == "call":
        name = _name(suite, actor, change, (*target, change.name))
        if any(name in pair for pair in suite.options.paired_calls.items()):
            return name
    if target[-1:] not in (("path",), ("modules",), ("argv",)):
        return ""
    return _name(suite, actor, change, target)


def _name(suite: Suite, actor: Actor, change: Change, target: tuple[str, ...]) -> str:
    """What a path stands for in a library; empty for anything else."""
    subject = suite.changes.subjects.resolve(actor.path, actor.function, target, change.imported)
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


_LAST_WORDS = frozenset(name.rpartition(".")[2] for name in (*_BY_CALL, *_BACK_BY))


def _state(suite: Suite, actor: Actor, name: str, change: Change) -> _State | None:
    if not name:
        return None
    if name in suite.options.paired_calls and change.kind == "call":
        back = suite.options.paired_calls[name].rpartition(".")[2]
        return _State(f"what `{name}()` switches", rf"\b{re.escape(back)}\b")
    if name.startswith("logger."):
        state = _OF_LOGGERS.get(change.name)
        return state if state is not None and is_of_others(suite, actor, change) else None
    if name == "decimal":
        return _DECIMAL
    if name == "logging.basicConfig" and not re.search(
        r"\bforce\s*=\s*True", _call(suite, actor, change)
    ):
        return None  # pytest's own handlers keep it from doing anything.
    if name == "locale.setlocale" and change.value in (change.key, "None"):
        return None  # It only asks.
    if name == "os.chdir" and _is_start(suite, actor, change):
        return None
    if change.condition and actor.kind == "xunit" and _is_wanted(suite, actor, change):
        return None
    if name in _BY_CALL:
        return _BY_CALL[name]
    if name in _OF_SYS:
        # A module under a computed name is one that the test has loaded from a file.
        if name == "sys.modules" and not (change.kind == "item" and is_text(change.key)):
            return None
        if name != "sys.modules" and change.kind == "del":
            return None
        if name == "sys.path" and _is_asked_for(suite, actor, change):
            return None
        return _OF_SYS[name] if change.name not in ("remove", "pop", "clear") else None
    if name in _CAPTURED and not _is_seen(suite):
        return None
    if name.startswith("sys.") and name.count(".") == 1 and change.kind == "attribute":
        return _State(f"`{name}`", _of_sys(name), f'setattr("{name}", value)')
    return None


# What pytest gives back after the set-up, the call and the tear-down of each test.
_CAPTURED = frozenset({"sys.stdout", "sys.stderr"})
_SHOWN = re.compile(r"(?:^|\s)-[a-zA-Z]*s\b|--capture[= ]no\b")


def _is_seen(suite: Suite) -> bool:
    """Whether pytest is told not to capture what tests write: then it leaves the streams alone."""
    config = suite.files.config
    given = config.ini.get("addopts", "")
    text = given if isinstance(given, str) else " ".join(given)
    return "capture" in config.blocked or _SHOWN.search(text) is not None


_FROM_FILE = re.compile(
    r"\w+\s*(?::[^=\n]*)?=\s*"
    r"(?:(?:pathlib\.)?Path\(__file__\)(?P<ups>(?:\.(?:resolve|absolute)\(\)|\.parent\b|\.parents\[\d\])*)"
    r"|(?P<dirs>(?:(?:os\.path\.|path\.)?(?:dirname|abspath|realpath)\()+)__file__\)+)\s*(?:#.*)?"
)


def _is_start(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether a call goes to the folder in which pytest is started, as a module tells it."""
    if not change.key.replace(".", "").isidentifier():
        return False
    subject = suite.changes.subjects.resolve(
        actor.path, actor.function, tuple(change.key.split("."))
    )
    if subject is None or subject.kind != "object" or subject.rest or not subject.line:
        return False
    made = _FROM_FILE.fullmatch(suite.lines(subject.path, subject.line, subject.line).strip())
    if made is None:
        return False
    ups = (made["dirs"] or "").count("dirname(")
    for step in re.findall(r"\.parents?\b(?:\[(\d)\])?", made["ups"] or ""):
        ups += int(step) + 1 if step else 1
    folders = subject.path.split("/")
    return 0 < ups <= len(folders) and "/".join(folders[:-ups]) == suite.files.name


def _is_wanted(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether an environment variable decides, and so for all of a run: which policy it has."""
    headers = conditions(suite, actor.path, actor.function.line, change.span.line)
    return any(re.search(r"\benviron\b|\bgetenv\(", header) for header in headers)


def _is_asked_for(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether a folder is put on the path where it is not there yet: once, for an import."""
    above = suite.lines(actor.path, change.span.line - 1, change.span.line - 1)
    return change.condition and re.match(r"\s*if\b.*\bnot in sys\.path\b", above) is not None


def _call(suite: Suite, actor: Actor, change: Change) -> str:
    return suite.lines(actor.path, change.span.line, change.span.end_line)


def _adds_again(suite: Suite, actor: Actor, change: Change) -> bool:
    """Whether a handler is added that was taken away before: by its loop, or after a removal."""
    if is_in_loop(suite, actor.path, actor.function.line, change.span.line):
        return True
    above = suite.lines(actor.path, actor.function.line, change.span.line - 1)
    return "removeHandler(" in above


def _puts_back(suite: Suite, actor: Actor, name: str, change: Change) -> bool:
    """Whether the change gives back what was kept before, or the state that a process begins with.

    (`os.chdir(before)` alone in a test undoes what the tested code did, and so does a level that a
    logger is given when the test is over.)
    """
    if name == "logger.setLevel" and _is_last(actor, change):
        return True
    if name in ("logging.disable", "logger.setLevel"):
        if change.key.rpartition(".")[2] in ("NOTSET", "0"):
            return True
    elif name in _OFF and change.value in _OFF[name]:
        return True
    if name == "logger.addHandler" and _adds_again(suite, actor, change):
        return True
    if name in ("logger.propagate", "logger.disabled") and any(
        (other.name, other.target) == (change.name, change.target)
        and other.span.line < change.span.line
        and other.value != change.value
        for other in actor.changes
    ):
        # The test has turned it round before: it is as its owner has it.
        return True
    if name == "numpy.seterr" and "(**" in _call(suite, actor, change):
        return True
    if name.startswith("sys.std") and change.value.startswith("sys.__"):
        return True
    given = change.value if change.by_name else ""
    if name == "os.chdir" and (wrapped := _AS_TEXT.search(_call(suite, actor, change))):
        given = wrapped[1]
    if not given:
        return False
    kept = re.escape(given)
    text = text_of(suite, actor)
    return (
        re.search(
            rf"\b{kept}\b\s*(?::[^=\n]*)?=\s*[^=\n]*(?:cwd\(|get\w*\(|signal\(|sys\.|umask\(|setlocale\(|\.(?:level|propagate|disabled)\b|seterr\()",
            text,
        )
        is not None
    )


_AS_TEXT = re.compile(r"chdir\(\s*(?:str|(?:os\.)?fspath|(?:pathlib\.)?Path)\(\s*(\w+)\s*\)\s*\)")


def _is_last(actor: Actor, change: Change) -> bool:
    """Whether a test ends with this change, and so makes no use of it."""
    ends = change.span.end_line == actor.function.end_line
    begins = change.span.line == actor.function.line + 1
    return actor.kind == "test" and ends and not (begins or change.condition or change.under)


_UNDOING = frozenset({"remove", "pop", "enable", "removeHandler", "removeFilter", "tzset"})
_UNDOING |= {name.rpartition(".")[2] for name in _BACK_BY}
# What a process begins with.
_OFF = {
    "sys.settrace": ("None",),
    "sys.setprofile": ("None",),
    "logging.captureWarnings": ("False",),
    "logger.propagate": ("True",),
    "logger.disabled": ("False",),
    "torch.set_default_dtype": ("torch.float", "torch.float32"),
}


# Up again, out of the folder that the change went into.
_UP = re.compile(r"\.\.(?:[/\\]\.\.)*[/\\]?")
_HANDLERS_GIVEN = re.compile(r"\.handlers(?:\[:\])?\s*=\s*\w")


def _judged(suite: Suite, actor: Actor, change: Change, name: str, state: _State) -> Verdict:
    same = _same(name, state)
    back = suite.options.paired_calls.get(name, "").rpartition(".")[2]
    by_monkeypatch = state.advice.partition("(")[0]

    def touches(actor: Actor, other: Change) -> bool:
        if by_monkeypatch and other.target == ("monkeypatch",):
            return other.name == by_monkeypatch or name in other.key
        if back:
            return other.name == back
        if name == "sys.modules" and is_text(other.key) and other.key != change.key:
            return False
        return _process_name(suite, actor, other) in same

    def undoes(other: Change) -> bool:
        if back:
            return other.name == back
        if other.kind == "del" or other.name in _UNDOING:
            return True
        if name == "os.chdir" and _UP.fullmatch(other.key.strip("'\"")):
            return True
        if name == "os.chdir" and _is_start(suite, actor, other):
            return True
        return _puts_back(suite, actor, name, other) or (name in _OF_SYS and other.by_name)

    if by_monkeypatch_before(actor, change, touches):
        return "restored"
    if name == "logger.addHandler" and _HANDLERS_GIVEN.search(body_of(suite, actor)):
        return "restored"
    return judge(suite, actor, change, touches, undoes, re.compile(state.undo))
