"""What fixes are made with: the project's files as they are, and the suites they are linked to."""

from __future__ import annotations

import ast
import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from msgspec import Struct

from scopecheck.finding import Fix
from scopecheck.fix.edits import Overlap, Withheld

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from scopecheck.finding import Applicability, Finding
    from scopecheck.fix.workspace import Workspace
    from scopecheck.project import Project
    from scopecheck.read.code import Code
    from scopecheck.suite import Suite

    Made = TypeVar("Made")

Preference: TypeAlias = Literal["", "narrow", "wide"]


class Offer(Struct, frozen=True):
    """A fix that is not made yet.

    title: what it does, as an order: `remove the mark`.
    write: puts its edits into a workspace; raises `Withheld`, or leaves a remark there, where they
        cannot be made.
    counted: of fixtures, as in `Fix`.
    """

    title: str
    applicability: Applicability
    write: Callable[[Workspace], None]
    counted: tuple[str, ...] = ()


class Bench:
    """What the fixes of one round are made with.

    Args:
        project: where the files are.
        suites: linked from the files as they are.
        prefer: which way scopes are rather changed.
    """

    def __init__(self, project: Project, suites: Sequence[Suite], prefer: Preference = "") -> None:
        self.project = project
        self.suites = suites
        self.prefer = prefer
        self._suite_of: dict[object, Suite] = {}
        self._codes: dict[str, Code] = {}
        self._memo: dict[Hashable, Any] = {}

    def note(self, finding: Finding, suite: Suite) -> None:
        """Note which suite a finding is of; the first one counts."""
        self._suite_of.setdefault(_identity(finding), suite)

    def suite_of(self, finding: Finding) -> Suite | None:
        """The suite of a finding, if it is of one."""
        return self._suite_of.get(_identity(finding))

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` gives, made at most once for a key."""
        if key not in self._memo:
            self._memo[key] = make()
        made: Made = self._memo[key]
        return made

    @cached_property
    def _taken(self) -> dict[str, set[str]]:
        from scopecheck.suite.imported import taken_names

        return taken_names(self.suites)

    def taken(self, path: str) -> frozenset[str]:
        """The names that other files import from one; `*` for all of them."""
        return frozenset(self._taken.get(path, ()))

    def make(self, offer: Offer) -> Fix:
        """Make a fix: its edits, with the imports that they need or make needless.

        Raises:
            Withheld: it cannot be made; says why.
        """
        from scopecheck.fix.names import settle_imports
        from scopecheck.fix.workspace import Workspace
        from scopecheck.source import SourceError

        workspace = Workspace(self.project, self._codes)
        edits = []
        try:
            offer.write(workspace)
            if not workspace.left:
                settle_imports(workspace, self._taken)
            for path in workspace.edited:
                text = workspace.text(path)
                if path.endswith(".py") and text is not None:
                    _check(text, workspace.editor(path).source.text)
                edits += workspace.editor(path).all_edits
        except Overlap as reason:
            raise Withheld(str(reason)) from None
        except SourceError as reason:
            raise Withheld(reason.message) from None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise Withheld("the result would be no Python") from None
        for path in workspace.made:
            raise Withheld(f"it needs {path}, which is not there")
        for remark in workspace.left:
            raise Withheld(remark.message)
        if not edits:
            raise Withheld("there is nothing to change")
        return Fix(offer.title, offer.applicability, tuple(edits), offer.counted)

    def attempt(self, offer: Offer) -> Fix | Withheld:
        """The fix, or why it cannot be made; each offer is tried once."""
        try:
            return self.once(offer, lambda: self.make(offer))
        except Withheld as reason:
            return reason


def _check(after: str, before: str) -> None:
    """Whether a file is still Python: `await` outside of an async function only fails to compile.

    Raises:
        SyntaxError: it is not, and was.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(after, "<fixed>", "exec", dont_inherit=True)
        except SyntaxError:
            try:
                compile(before, "<before>", "exec", dont_inherit=True)
            except SyntaxError:
                ast.parse(after)
            else:
                raise


def _identity(finding: Finding) -> object:
    """What a finding keeps when it is told what its fixes are."""
    fault = finding.fault
    return (finding.code, fault.place, fault.message, fault.symbol)
