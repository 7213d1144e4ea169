"""What pytest answered for one project, as plain data that the oracle writes and tests read."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Definition:
    """A fixture definition that pytest sets up for an item.

    path and line are of the `def` as written, decorators and wrappers looked through. module is
    where pytest says the function comes from; it is all there is for a compiled one.
    """

    name: str
    scope: str
    path: str | None
    line: int | None
    module: str
    autouse: bool


@dataclasses.dataclass(frozen=True)
class Problem:
    """One request that pytest refused.

    kind: `scope-mismatch`, `unknown-fixture`, `cycle`, `called`, `no-param` (a fixture with
        `params=` that this item gives no parameter to), or `other`.
    fixture: the fixture that asked; None for the test itself.
    requests: the name asked for.
    """

    kind: str
    fixture: str | None
    requests: str | None
    message: str


@dataclasses.dataclass(frozen=True)
class Item:
    """A collected test. `nodeid` is pytest's own without the `[...]` of a parametrization.

    fixtures: in the order in which their set-up ends, each definition once.
    skipped: pytest never looks its fixtures up (skip, xfail without a run).
    """

    nodeid: str
    path: str
    line: int | None
    fixtures: list[Definition]
    problems: list[Problem]
    skipped: bool


@dataclasses.dataclass(frozen=True)
class CollectError:
    """A file, class or folder that pytest could not collect, with pytest's words."""

    nodeid: str
    message: str


@dataclasses.dataclass(frozen=True)
class Dump:
    """Everything about one run. `rootdir` is absolute, as are all paths."""

    pytest: str
    rootdir: str
    items: list[Item]
    collect_errors: list[CollectError]


@dataclasses.dataclass(frozen=True)
class Request:
    """A run to make: `pytest *args` in the folder `cwd`; `run` lets fixtures and tests run."""

    cwd: str
    args: list[str]
    run: bool = False


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a run ended, by pytest's exit status. `dump` is None where pytest gave no answer."""

    status: int
    output: str
    dump: Dump | None
