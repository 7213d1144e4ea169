"""What the rules found in the suites of a run, and all that later stages need of the suites.

Plain data, so that it can be kept: a run in which nothing changed links nothing.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from scopecheck.disk import PASSING, digest_of, noting
from scopecheck.finding import Finding
from scopecheck.kept import Checked, WhereTest, keep, kept_result
from scopecheck.repair import with_offers
from scopecheck.repair.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from scopecheck.config import Settings
    from scopecheck.files import Skipped, SuiteFiles
    from scopecheck.finding import Fault
    from scopecheck.plugins import PluginSet
    from scopecheck.project import Project
    from scopecheck.repair.bench import Preference
    from scopecheck.rulebook import Rule
    from scopecheck.suite import Suite


def checked(
    project: Project,
    paths: Sequence[Path],
    settings: Settings,
    chosen: frozenset[str],
    *,
    prefer: Preference = "",
    link: bool = False,
) -> tuple[list[SuiteFiles], list[Suite], Checked, Bench]:
    """The files of the suites that the paths stand for, and what the chosen rules find in them.

    What was found before is used where nothing changed that it rests on; then there are no suites,
    unless `link` asks for them. Findings say what their fixes would do; the bench makes them.
    """
    fresh = not project.load.paths
    with noting() as notes:
        files = project.files(paths)
        plugins = [project.plugins(one) for one in files]
        cache = project.cache if fresh else None
        key = b""
        if cache is not None:
            key = _key(project, files, plugins, settings, chosen, prefer)
            kept = None if link else kept_result(project, cache, key, chosen, notes)
            if kept is not None:
                return files, [], kept, Bench(project, [], prefer)
        selectors = frozenset((*(settings.select or ()), *settings.extend_select))
        pairs = zip(files, plugins, strict=True)
        suites = [project.link(*both, selectors) for both in pairs]
        bench = Bench(project, suites, prefer)
        made = _made(project, suites, settings, chosen, bench)
    if cache is not None:
        keep(project, cache, key, notes, made)
    return files, suites, made, bench


def _made(
    project: Project,
    suites: Sequence[Suite],
    settings: Settings,
    chosen: frozenset[str],
    bench: Bench,
) -> Checked:
    findings: dict[Finding, None] = {}
    for suite in suites:
        for one in _found(suite, chosen, settings):
            findings[with_offers(bench, one, suite)] = None
    facts = [project.load(path) for path in project.own_files]
    return Checked(
        tuple(findings),
        tuple(one.path for one in facts),
        {one.path: one.error for one in facts if one.error is not None},
        {one.path: one.suppressions for one in facts if one.suppressions},
        len({(suite.files.name, item.nodeid) for suite in suites for item in suite.items}),
        len({f.key for suite in suites for f in suite.fixtures if f.path is not None}),
        _places(suites, findings),
    )


def _found(suite: Suite, chosen: frozenset[str], settings: Settings) -> Iterable[Finding]:
    """What the chosen rules find in one suite."""
    from scopecheck import checks, rulebook

    for name, rule in rulebook.rules().items():
        if name not in chosen:
            continue
        check = checks.find(rule.code, name)
        if check is not None:
            for fault in check(suite):
                yield finding_of(rule, fault, settings)


def finding_of(rule: Rule, fault: Fault, settings: Settings) -> Finding:
    """A fault under the rule's name, as severe as the rule or the settings say."""
    severity = settings.severity.get(rule.name) or settings.severity.get(rule.code)
    certainty = fault.certainty or rule.certainty
    if severity is None:
        lowered = fault.certainty == "likely" and rule.certainty == "proved"
        severity = "warning" if lowered else rule.severity
    return Finding(rule.code, rule.name, severity, certainty, fault)


def _places(
    suites: Sequence[Suite], findings: Iterable[Finding]
) -> dict[str, tuple[WhereTest, ...]]:
    wanted = {nodeid for finding in findings for nodeid in finding.fault.tests}
    found: dict[str, dict[WhereTest, None]] = {}
    for suite in suites if wanted else ():
        for item in suite.items:
            if item.nodeid in wanted:
                function = item.function
                lines = (0, 0) if function is None else (function.first_line, function.end_line)
                place = WhereTest(item.path, item.place.path, *lines)
                found.setdefault(item.nodeid, {})[place] = None
    return {nodeid: tuple(places) for nodeid, places in found.items()}


def _key(
    project: Project,
    files: Sequence[SuiteFiles],
    plugins: Sequence[PluginSet],
    settings: Settings,
    chosen: frozenset[str],
    prefer: Preference,
) -> bytes:
    """A digest of all that the result depends on and that no look at the disk shows again.

    Which of the files the user named is none of it.
    """
    replace = msgspec.structs.replace
    told = (
        project.root,
        replace(settings, jobs=None, cache_dir="-"),
        chosen,
        prefer,
        project.contract_places(),
        [replace(one, named=(), skipped=_lasting(one)) for one in files],
        plugins,
        sorted(project.load.paths),
    )
    return digest_of(msgspec.msgpack.encode(told, enc_hook=_plain, order="deterministic"))


def _lasting(files: SuiteFiles) -> tuple[Skipped, ...]:
    """What was not entered, without the folders of tools, this one's cache among them."""
    return tuple(one for one in files.skipped if one.path.rpartition("/")[2] not in PASSING)


def _plain(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value)} cannot be told apart by its content")
