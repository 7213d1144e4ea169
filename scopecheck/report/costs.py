"""What fixtures cost, in set-ups, and what another scope would: `plan --cost` and `plan --if`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scopecheck.repair.scopes import Scopes
from scopecheck.suite.model import SCOPES
from scopecheck.suite.setups import count_setups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scopecheck.repair.scopes import Variable, Way
    from scopecheck.suite import Suite
    from scopecheck.suite.model import Scope


class ChangeError(ValueError):
    """What `--if` names is no change of a fixture's scope; says why."""


def parse_change(text: str) -> tuple[str, Scope]:
    """`FIXTURE=SCOPE`.

    Raises:
        ChangeError: it is not of that form, or no scope of pytest's.
    """
    name, equals, word = text.rpartition("=")
    if not equals or not name:
        raise ChangeError(f"--if takes FIXTURE=SCOPE, not {text!r}")
    if word not in SCOPES:
        raise ChangeError(f"--if {text}: {word!r} is none of {', '.join(SCOPES)}")
    return name, SCOPES[word]


def costs(suite: Suite) -> list[dict[str, Any]]:
    """The set-ups of every definition that a test reaches, the most first."""
    found: dict[tuple[str, int, str], dict[str, Any]] = {}
    for fixture, setups in count_setups(suite).items():
        row = found.setdefault(
            fixture.key,
            {
                "name": fixture.name,
                "scope": fixture.scope.word if fixture.scope is not None else "unknown",
                **(
                    {"plugin": fixture.plugin}
                    if fixture.path is None
                    else {"path": fixture.path, "line": fixture.line}
                ),
                "setups": 0,
                "tests": set(),
            },
        )
        row["setups"] += setups
        row["tests"] |= suite.users.get(fixture, frozenset())
    rows = [{**row, "tests": len(row["tests"])} for row in found.values()]
    return sorted(
        rows, key=lambda row: (-row["setups"], row["name"], row.get("path", ""), row.get("line", 0))
    )


def changes(suite: Suite, wanted: Sequence[tuple[str, Scope]]) -> list[dict[str, Any]]:
    """What each change would cost, for every definition of that name (or `path::name`).

    Raises:
        ChangeError: no definition of that name has a scope that can be changed.
    """
    scopes = Scopes(suite)
    found: list[dict[str, Any]] = []
    for name, scope in wanted:
        named = [v for v in scopes.variables.values() if name in (v.fixture.name, v.fixture.symbol)]
        if not named:
            raise ChangeError(
                f"--if {name}={scope.word}: no test reaches a fixture `{name}` of the project's "
                "whose decorator can be given a scope"
            )
        for variable in named:
            way = scopes.way({variable.key: scope})
            found.append(_change(scopes, variable, scope, way))
    return found


def _change(scopes: Scopes, variable: Variable, scope: Scope, way: Way | None) -> dict[str, Any]:
    path, line = variable.key
    found: dict[str, Any] = {
        "fixture": variable.fixture.name,
        "path": path,
        "line": line,
        "from": variable.scope.word,
        "to": scope.word,
        "possible": way is not None,
    }
    if way is None:
        return found
    return found | {
        "title": way.title if way.changes else "",
        "edits": len(way.changes),
        "setups_before": way.before,
        "setups_after": way.after,
        "shared": list(way.shared),
        "shared_by_tests": way.tests,
        "changes": [
            {
                "name": scopes.variables[key].fixture.name,
                "path": key[0],
                "line": key[1],
                "from": scopes.variables[key].scope.word,
                "to": new.word,
                "setups_before": scopes.setups(scopes.variables[key], scopes.variables[key].scope),
                "setups_after": scopes.setups(scopes.variables[key], new),
            }
            for key, new in way.changes.items()
        ],
    }


def text(
    tables: Sequence[tuple[str, Sequence[dict[str, Any]]]],
    asked: Iterable[dict[str, Any]],
    shown: Callable[[str], str],
) -> str:
    """Both as text for people.

    Args:
        tables: what fixtures cost, by the names of the suites.
        asked: what changes would cost.
        shown: what a person reads for a path relative to the project's root.
    """
    lines: list[str] = []
    for suite, rows in tables:
        lines += [f"suite {suite}", ""] if len(tables) > 1 else []
        lines += _table(rows, shown)
        lines += [""] if len(tables) > 1 else []
    return "".join(f"{line}\n" for line in (*lines, *_answers(asked, shown)))


def _table(rows: Sequence[dict[str, Any]], shown: Callable[[str], str]) -> Iterator[str]:
    if not rows:
        yield "no fixture is set up"
        return
    name = max(len("fixture"), *(len(row["name"]) for row in rows))
    yield f"set-ups   tests  scope     {'fixture':<{name}}  defined"
    for row in rows:
        where = row.get("plugin") or f"{shown(row['path'])}:{row['line']}"
        yield (
            f"{row['setups']:>7,} {row['tests']:>7,}  {row['scope']:<8}  {row['name']:<{name}}  "
            f"{where}"
        )
    yield f"{sum(row['setups'] for row in rows):>7,}          in all"


def _answers(asked: Iterable[dict[str, Any]], shown: Callable[[str], str]) -> Iterator[str]:
    for one in asked:
        where = f"{shown(one['path'])}:{one['line']}"
        yield f"`{one['fixture']}` ({where}), {one['from']}-scoped, with {one['to']} scope:"
        if not one["possible"]:
            yield "  not possible: what it requests, or what requests it, has another lifetime"
        elif not one["changes"]:
            yield "  it has that scope"
        else:
            yield f"  {one['title']}"
            for change in one["changes"]:
                yield (
                    f"  {shown(change['path'])}:{change['line']}: `{change['name']}` "
                    f"{change['from']} -> {change['to']}, {change['setups_before']:,} -> "
                    f"{change['setups_after']:,} set-ups"
                )
