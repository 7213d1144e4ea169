"""The protocol: takes what the editor says to the sessions, and what they find back to it.

Sessions work on one thread of their own, so that the editor is answered meanwhile. What changes
while they work is taken together afterwards: an editor that sends each key is never behind by more
than one look.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from scopecheck import __version__, rulebook
from scopecheck.commands.watch import ENDS
from scopecheck.report.pages import standing_alone
from scopecheck.server.session import Mended, Session, Told, Trouble, opened
from scopecheck.server.wire import SOURCE, Shown, Wire, as_we_write, file_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from scopecheck.commands.options import CheckOptions
    from scopecheck.finding import Finding

    Made = TypeVar("Made")

_WATCHED = f"**/*.{{{','.join(end.removeprefix('.') for end in ENDS)}}}"
_FIX_ALL = types.CodeActionKind.SourceFixAll.value + f".{SOURCE}"
_APPLY = f"{SOURCE}.apply"
_log = logging.getLogger(SOURCE)


class _Folder:
    """A folder that the editor has open, and what is shown of its files, by URI."""

    def __init__(self, path: Path, options: CheckOptions) -> None:
        self.session = Session(path, partial(opened, path, options))
        self.shown: dict[str, list[Shown]] = {}
        self.trouble = ""

    def finding(self, data: Mapping[str, Any]) -> Finding | None:
        """The finding that an action is for, if it is still there."""
        for shown in self.shown.values():
            for one in shown:
                found = one.finding
                if found is not None and _data(found).items() <= data.items():
                    return found
        return None


class Server(LanguageServer):
    """The language server of one editor.

    Args:
        options: as of `check`.
    """

    def __init__(self, options: CheckOptions) -> None:
        super().__init__(SOURCE, __version__)
        self._options = options
        self._folders: dict[Path, _Folder] = {}
        self._thread = ThreadPoolExecutor(1, SOURCE)
        self._changed: dict[Path, str | None] = {}
        self._stale = False
        self._work: asyncio.Task[None] | None = None

    def open_folders(self, paths: Iterable[Path]) -> None:
        """Begin with some folders."""
        for path in paths:
            self._folders.setdefault(path, _Folder(path, self._options))
        self.start_again()

    def close_folder(self, path: Path) -> None:
        """Show nothing more of a folder."""
        folder = self._folders.pop(path, None)
        if folder is not None:
            for uri in folder.shown:
                self._publish(uri, [])

    def start_again(self) -> None:
        """Look at all as it is on disk: something changed that is no text of a known file."""
        self._stale = True
        self._wake()

    def take(self, file: Path, text: str | None) -> None:
        """Take an edit of a file; None for what is on disk."""
        self._changed[file] = text
        self._wake()

    def is_open(self, file: Path) -> bool:
        """Whether the editor has a file open, so that what is on disk does not count."""
        return file in self._open_texts()

    def lacks(self, file: Path) -> bool:
        """Whether a file is none of those that were looked at."""
        return not any(folder.session.has(file) for folder in self._folders.values())

    def _open_texts(self) -> dict[Path, str]:
        found = {}
        for document in self.workspace.text_documents.values():
            file = file_of(document.uri)
            if file is not None:
                found[file] = document.source
        return found

    def _wake(self) -> None:
        if self._work is None or self._work.done():
            self._work = asyncio.ensure_future(self._work_off())

    async def settled(self) -> None:
        """Wait until all that the editor has said so far was looked at."""
        while self._work is not None and not self._work.done():
            await self._work

    async def _work_off(self) -> None:
        while self._stale or self._changed:
            changed, self._changed = self._changed, {}
            stale, self._stale = self._stale, False
            for folder in list(self._folders.values()):
                session = folder.session
                if stale or not await self._look(folder, partial(session.edit, changed)):
                    await self._look(folder, partial(session.start, self._open_texts()))
            if not self._stale and not self._changed:
                await self.on_thread(self._settle)

    def _settle(self) -> None:
        for folder in list(self._folders.values()):
            folder.session.settle()

    async def on_thread(self, work: Callable[[], Made]) -> Made:
        """What some work gives, done on the sessions' thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _look(self, folder: _Folder, look: Callable[[], Told]) -> bool:
        """Look at a folder and show what is found; whether nothing went wrong that is a bug."""
        codec = self.workspace.position_codec

        def looked() -> tuple[Told, dict[str, list[Shown]]]:
            told = look()
            return told, Wire(folder.session.root, folder.session.text, codec).shown(told)

        shown: dict[str, list[Shown]] = {}
        trouble, right = "", True
        try:
            told, shown = await self.on_thread(looked)
        except Trouble as reason:
            trouble = str(reason)
        except Exception as error:
            _log.exception("internal error")
            right = False
            trouble = f"internal error: {type(error).__name__}: {error}"
        else:
            for note in told.notes:
                self.window_log_message(types.LogMessageParams(types.MessageType.Info, note))
        if trouble and trouble != folder.trouble:
            self.tell(types.MessageType.Error, trouble)
        folder.trouble = trouble
        before, folder.shown = folder.shown, shown
        for uri in {**before, **shown}:
            if before.get(uri) != shown.get(uri):
                self._publish(uri, [one.diagnostic for one in shown.get(uri, ())])
        return right

    def tell(self, kind: types.MessageType, text: str) -> None:
        """Tell the person at the editor."""
        self.window_show_message(types.ShowMessageParams(kind, f"{SOURCE}: {text}"))

    def _publish(self, uri: str, found: list[types.Diagnostic]) -> None:
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found))

    def versions(self) -> dict[str, int]:
        """The versions of the files that the editor has open."""
        documents = self.workspace.text_documents.values()
        return {as_we_write(one.uri): one.version for one in documents if one.version is not None}

    def edit(
        self, folder: _Folder, mended: Mended, versions: Mapping[str, int]
    ) -> types.WorkspaceEdit:
        """What an editor is to do for a fix, which was made for these versions of its files."""
        session = folder.session
        wire = Wire(session.root, session.text, self.workspace.position_codec)
        return wire.edit(mended.texts, versions)

    def at(self, uri: str, place: types.Range) -> Iterator[tuple[_Folder, Shown]]:
        """What is shown where a range of a file meets it."""
        for folder in self._folders.values():
            for shown in folder.shown.get(as_we_write(uri), ()):
                if _meet(shown.diagnostic.range, place):
                    yield folder, shown

    @property
    def resolves(self) -> bool:
        """Whether the editor asks for the edit of an action when it is chosen; else it runs it."""
        document = self.client_capabilities.text_document
        actions = document and document.code_action
        resolving = actions and actions.resolve_support
        return bool(resolving and "edit" in resolving.properties)

    def folder_of(self, root: str) -> _Folder | None:
        """The folder that an action is for."""
        return self._folders.get(Path(root))


def _data(finding: Finding) -> dict[str, str]:
    """What an action has of its finding: lines may move."""
    fault = finding.fault
    return {
        "path": fault.place.path,
        "symbol": fault.symbol,
        "name": finding.name,
        "message": fault.message,
    }


def _meet(one: types.Range, other: types.Range) -> bool:
    return one.start <= other.end and other.start <= one.end


def serve(options: CheckOptions) -> None:
    """Serve an editor on standard input and output until it says that it ends.

    options: as of `check`.
    """
    # A fork would take the state of this process' threads along.
    multiprocessing.set_start_method("spawn", force=True)
    # Whatever else is printed must not get between the messages.
    with os.fdopen(os.dup(0), "rb") as messages, os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        server_for(options).start_io(messages, answers)


def server_for(options: CheckOptions) -> Server:
    """A server that knows what to do with what an editor says."""
    server = Server(options)
    feature = server.feature

    @feature(types.INITIALIZED)
    def initialized(_: types.InitializedParams) -> None:
        workspace = server.workspace
        folders = [file_of(one.uri) for one in workspace.folders.values()]
        if not folders and workspace.root_uri:
            folders = [file_of(workspace.root_uri)]
        server.open_folders([path for path in folders if path is not None] or [Path.cwd()])
        capabilities = server.client_capabilities.workspace
        watching = capabilities and capabilities.did_change_watched_files
        if watching and watching.dynamic_registration:
            watcher = types.FileSystemWatcher(glob_pattern=_WATCHED)
            registered = types.DidChangeWatchedFilesRegistrationOptions([watcher])
            method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
            registration = types.Registration(f"{SOURCE}-files", method, registered)
            server.client_register_capability(types.RegistrationParams([registration]))

    @feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        _take(params.text_document.uri)

    @feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        _take(params.text_document.uri)

    def _take(uri: str) -> None:
        file = file_of(uri)
        if file is not None and file.suffix == ".py":
            server.take(file, server.workspace.get_text_document(uri).source)

    @feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        file = file_of(params.text_document.uri)
        if file is not None and file.suffix == ".py":
            server.take(file, None)

    @feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        file = file_of(params.text_document.uri)
        if file is not None and (file.suffix != ".py" or server.lacks(file)):
            server.start_again()

    @feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def changed_on_disk(params: types.DidChangeWatchedFilesParams) -> None:
        for change in params.changes:
            file = file_of(change.uri)
            if file is None or ".scopecheck_cache" in file.parts:
                continue
            if change.type == types.FileChangeType.Changed and file.suffix == ".py":
                if not server.is_open(file):
                    server.take(file, None)
            else:
                server.start_again()

    @feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configured(_: types.DidChangeConfigurationParams) -> None:
        """Settings are read from the project's files alone."""

    @feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders_changed(params: types.DidChangeWorkspaceFoldersParams) -> None:
        for gone in params.event.removed:
            path = file_of(gone.uri)
            if path is not None:
                server.close_folder(path)
        added = [file_of(one.uri) for one in params.event.added]
        if added:
            server.open_folders(path for path in added if path is not None)

    @feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        here = types.Range(params.position, params.position)
        found = (shown.finding for _, shown in server.at(params.text_document.uri, here))
        names = {finding.name for finding in found if finding is not None}
        pages = [standing_alone(rulebook.rules()[name].text) for name in sorted(names)]
        if not pages:
            return None
        text = "\n\n---\n\n".join(pages)
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text))

    kinds = [types.CodeActionKind.QuickFix, _FIX_ALL]

    @feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=kinds, resolve_provider=True),
    )
    async def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        await server.settled()
        uri, only = params.text_document.uri, params.context.only
        found: list[types.CodeAction] = []
        if _asks_for(only, types.CodeActionKind.QuickFix.value):
            for folder, shown in server.at(uri, params.range):
                found += _quick_fixes(folder, shown)
        if _asks_for(only, _FIX_ALL):
            found += _fix_all(server, uri)
        if not server.resolves:
            for action in found:
                action.command = types.Command(action.title, _APPLY, arguments=[action.data])
        return found

    async def edit_of(data: Mapping[str, Any]) -> types.WorkspaceEdit | None:
        await server.settled()
        versions = server.versions()
        folder = server.folder_of(data["folder"])
        if folder is None:
            return None
        session, mended = folder.session, Mended({}, "it is not there any more")
        if data["does"] == "all":
            mended = await server.on_thread(lambda: session.fix_all(data["path"]))
        elif (finding := folder.finding(data)) is not None:
            if data["does"] == "silence":
                mended = await server.on_thread(lambda: session.silence(finding))
            else:
                mended = await server.on_thread(lambda: session.fix(finding, data["title"]))
        if mended.texts:
            return server.edit(folder, mended, versions)
        if data["does"] != "all":
            server.tell(types.MessageType.Warning, f"nothing is changed: {mended.reason}")
        return None

    @feature(types.CODE_ACTION_RESOLVE)
    async def resolved(action: types.CodeAction) -> types.CodeAction:
        action.edit = await edit_of(dict(action.data or {}))
        return action

    @server.command(_APPLY)
    async def apply(ls: Server, data: dict[str, Any]) -> None:
        edit = await edit_of(data)
        if edit is not None:
            await ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit))

    return server


def _asks_for(only: Iterable[str] | None, kind: str) -> bool:
    """Whether an editor asks for actions of a kind: for it, for what it is part of, or for all."""
    if only is None:
        return True
    return any(kind == one or kind.startswith(f"{one}.") or not one for one in map(str, only))


def _quick_fixes(folder: _Folder, shown: Shown) -> Iterator[types.CodeAction]:
    finding, diagnostic = shown.finding, shown.diagnostic
    if finding is None:
        return
    data = {"folder": str(folder.session.folder), **_data(finding)}
    for number, fix in enumerate(finding.fault.fixes):
        unsafe = "" if fix.applicability == "safe" else " (may change what the tests do)"
        yield types.CodeAction(
            f"{fix.title[:1].upper()}{fix.title[1:]}{unsafe}",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic],
            is_preferred=number == 0 and not unsafe,
            data={**data, "does": "fix", "title": fix.title},
        )
    if not finding.code.startswith(rulebook.ENGINE_PREFIX):
        yield types.CodeAction(
            f"Ignore {finding.name} here with a comment",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic],
            data={**data, "does": "silence"},
        )


def _fix_all(server: Server, uri: str) -> Iterator[types.CodeAction]:
    everywhere = types.Range(types.Position(0, 0), types.Position(2**31 - 1, 0))
    mendable = {
        (folder.session.folder, shown.finding.fault.place.path)
        for folder, shown in server.at(uri, everywhere)
        if shown.finding is not None
        and any(fix.applicability == "safe" for fix in shown.finding.fault.fixes)
    }
    for folder, path in mendable:
        yield types.CodeAction(
            "Fix all that scopecheck can safely fix here",
            kind=_FIX_ALL,
            data={"folder": str(folder), "path": path, "does": "all"},
        )
