"""What the rules found in the suites of a run, and all that later stages need of the suites.

Plain data, so that it can be kept: a run in which nothing changed links nothing.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from scopecheck.disk import PASSING, digest_of, noting
from scopecheck.edited import Asked, after_edit
from scopecheck.found import found_in
from scopecheck.kept import (
    Checked,
    Held,
    base_of,
    earlier_result,
    encoded,
    facts_before,
    keep,
    moved,
    places_of,
)
from scopecheck.repair import with_offers
from scopecheck.repair.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scopecheck.cache import Cache
    from scopecheck.config import Settings
    from scopecheck.disk import Notes
    from scopecheck.facts import FileFacts
    from scopecheck.files import Skipped, SuiteFiles
    from scopecheck.finding import Finding
    from scopecheck.kept import Base, Earlier
    from scopecheck.plugins import PluginSet
    from scopecheck.project import Project
    from scopecheck.repair.bench import Preference
    from scopecheck.suite import Suite


class Looked(NamedTuple):
    """The suites that were looked at, and what was found in them.

    suites: linked; none where what was found before is used.
    bench: what fixes are made with.
    base: tells what the findings rest on, which edits need.
    """

    asked: Asked
    suites: Sequence[Suite]
    made: Checked
    bench: Bench
    base: Callable[[], Base]


def checked(
    project: Project,
    paths: Sequence[Path],
    settings: Settings,
    chosen: frozenset[str],
    *,
    prefer: Preference = "",
    link: bool = False,
) -> Looked:
    """The suites that the paths stand for, and what the chosen rules find in them.

    What was found before is used where nothing changed that it rests on; then they are not linked,
    unless `link` asks for that. Findings say what their fixes would do; the bench makes them.
    """
    fresh = not project.load.paths
    with noting() as notes:
        files = project.files(paths)
        plugins = [project.plugins(one) for one in files]
        selectors = frozenset((*(settings.select or ()), *settings.extend_select))
        asked = Asked(files, plugins, selectors, settings, chosen, prefer)
        cache = project.cache if fresh else None
        key = b""
        if cache is not None:
            key = _key(project, files, plugins, settings, chosen, prefer)
            # Where a path is no text, nothing is kept.
            cache = cache if key else None
        if cache is not None:
            earlier = None if link else earlier_result(cache, key, chosen)
            if earlier is not None:
                loaded = frozenset(project.load.paths)
                found = _again(project, cache, key, earlier, notes, asked)
                if found is not None:
                    return kept_look(project, asked, found)
                # What was looked at for this may be no file of a suite any more.
                project.load.forget(set(project.load.paths) - loaded)
        pairs = zip(files, plugins, strict=True)
        suites = [project.link(*both, asked.selectors) for both in pairs]
        bench = Bench(project, suites, prefer)
        made = _made(project, suites, settings, chosen, bench)

    def base() -> Base:
        return base_of(project, notes, made, suites)

    if cache is not None:
        keep(cache, key, notes, Held(made, base()))
    return Looked(asked, suites, made, bench, base)


def kept_look(project: Project, asked: Asked, found: Held) -> Looked:
    """What was found by linking nothing."""
    bench = Bench(project, [], asked.prefer)
    return Looked(asked, (), found.checked, bench, lambda: found.base)


def after_edits(
    project: Project, held: Held, before: Mapping[str, FileFacts], notes: Notes, asked: Asked
) -> Held | None:
    """What is found after an edit, where that can be told without linking the suites.

    The arguments are those of `scopecheck.edited.after_edit`.
    """
    found = moved(project, held, before)
    return after_edit(project, held, before, notes, asked) if found is None else found


def _again(
    project: Project, cache: Cache, key: bytes, earlier: Earlier, notes: Notes, asked: Asked
) -> Held | None:
    """What an earlier run found, as it would be found now; kept for the next run."""
    changed = earlier.found.changed
    if not changed:
        return earlier.held
    before = facts_before(project, cache, changed)
    found = None if before is None else after_edits(project, earlier.held, before, notes, asked)
    if found is not None:
        fresh = {one.path: notes.files[one.path] for one in changed}
        record = earlier.found.record.with_files(fresh).and_notes(notes)
        cache.results.add(key, record, encoded(found))
    return found


def _made(
    project: Project,
    suites: Sequence[Suite],
    settings: Settings,
    chosen: frozenset[str],
    bench: Bench,
) -> Checked:
    findings: dict[Finding, None] = {}
    for suite in suites:
        for one in found_in(suite, chosen, settings):
            findings[with_offers(bench, one, suite)] = None
    facts = [project.load(path) for path in project.own_files]
    return Checked(
        tuple(findings),
        tuple(one.path for one in facts),
        {one.path: one.error for one in facts if one.error is not None},
        {one.path: one.suppressions for one in facts if one.suppressions},
        len({(suite.files.name, item.nodeid) for suite in suites for item in suite.items}),
        len({f.key for suite in suites for f in suite.fixtures if f.path is not None}),
        places_of(suites, findings),
    )


def _key(
    project: Project,
    files: Sequence[SuiteFiles],
    plugins: Sequence[PluginSet],
    settings: Settings,
    chosen: frozenset[str],
    prefer: Preference,
) -> bytes:
    """A digest of all that the result depends on and that no look at the disk shows again.

    Which of the files the user named is none of it. Empty where a path is no text.
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
    try:
        return digest_of(msgspec.msgpack.encode(told, enc_hook=_plain, order="deterministic"))
    except UnicodeEncodeError:
        return b""


def _lasting(files: SuiteFiles) -> tuple[Skipped, ...]:
    """What was not entered, without the folders of tools, this one's cache among them."""
    return tuple(one for one in files.skipped if one.path.rpartition("/")[2] not in PASSING)


def _plain(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value)} cannot be told apart by its content")
