"""`scopecheck server`: a real process, driven as an editor drives it."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from scopecheck.commands.options import CheckOptions
from scopecheck.server.session import Session, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

LIMIT_S = 60

CONFTEST = """import pytest


@pytest.fixture
def narrow():
    return []


@pytest.fixture(scope="session")
def wide(narrow):
    return narrow
"""
FILES = {
    "pytest.ini": "[pytest]\n",
    "tests/conftest.py": CONFTEST,
    "tests/test_a.py": "def test_a(wide):\n    assert wide == []\n",
    "tests/test_b.py": "def test_b():\n    assert 1 + 1 == 2\n",
}


class Editor:
    """A client that remembers what it is shown, and edits files as an editor does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown: dict[str, list[types.Diagnostic]] = {}
        self.messages: list[str] = []
        self.watches: list[str] = []
        self.applied: list[types.WorkspaceEdit] = []
        self.client = LanguageClient("editor", "1")
        self._news = asyncio.Event()
        self._versions: dict[str, int] = {}
        feature = self.client.feature

        def shown(params: types.PublishDiagnosticsParams) -> None:
            self.shown[self._path(params.uri)] = list(params.diagnostics)
            self._news.set()

        def message(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)
            self._news.set()

        def registered(params: types.RegistrationParams) -> None:
            self.watches += [one.method for one in params.registrations]

        def applied(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.applied.append(params.edit)
            return types.ApplyWorkspaceEditResult(applied=True)

        feature(types.WORKSPACE_APPLY_EDIT)(applied)
        feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(shown)
        feature(types.WINDOW_SHOW_MESSAGE)(message)
        feature(types.CLIENT_REGISTER_CAPABILITY)(registered)

    async def start(self, *arguments: str, resolves: bool = True) -> None:
        await self.client.start_io(sys.executable, "-m", "scopecheck", "server", *arguments)
        folder = types.WorkspaceFolder(self.folder.as_uri(), self.folder.name)
        watching = types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
        resolving = types.ClientCodeActionResolveOptions(["edit"])
        actions = types.CodeActionClientCapabilities(resolve_support=resolving)
        capabilities = types.ClientCapabilities(
            workspace=types.WorkspaceClientCapabilities(did_change_watched_files=watching),
            text_document=types.TextDocumentClientCapabilities(
                code_action=actions if resolves else None
            ),
        )
        await self.client.initialize_async(
            types.InitializeParams(capabilities, workspace_folders=[folder])
        )
        self.client.initialized(types.InitializedParams())

    async def stop(self) -> int | None:
        """End as the protocol says; the status of the process."""
        await self.client.shutdown_async(None)
        self.client.exit(None)
        process = self.client._server
        assert process is not None
        status = await asyncio.wait_for(process.wait(), LIMIT_S)
        await self.client.stop()  # type: ignore[no-untyped-call]
        return status

    def uri(self, path: str) -> str:
        return (self.folder / path).as_uri()

    def _path(self, uri: str) -> str:
        return uri.removeprefix(f"{self.folder.as_uri()}/")

    def codes(self, path: str) -> list[str | int | None]:
        return [one.code for one in self.shown.get(path, ())]

    async def until(self, path: str, codes: Sequence[str]) -> list[types.Diagnostic]:
        """Wait until these are the codes of what is shown of a file."""
        while self.codes(path) != list(codes):
            await self._wait(f"{path} to show {codes}")
        return self.shown.get(path, [])

    async def told(self, words: str) -> None:
        """Wait until a message with these words is shown."""
        while not any(words in message for message in self.messages):
            await self._wait(f"a message with {words!r}")

    async def _wait(self, what: str) -> None:
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), LIMIT_S)
        except asyncio.TimeoutError:
            shown = {path: self.codes(path) for path in self.shown}
            pytest.fail(f"waited for {what}; shown are {shown}, told was {self.messages}")

    def open(self, path: str, text: str) -> None:
        self._versions[path] = 1
        document = types.TextDocumentItem(self.uri(path), "python", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(document))

    def type(self, path: str, text: str) -> None:
        """Let a file that is open have another text."""
        self._versions[path] += 1
        document = types.VersionedTextDocumentIdentifier(self._versions[path], self.uri(path))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def close(self, path: str) -> None:
        document = types.TextDocumentIdentifier(self.uri(path))
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(document))

    def changed_on_disk(self, path: str, kind: types.FileChangeType) -> None:
        event = types.FileEvent(self.uri(path), kind)
        self.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))

    async def actions(self, path: str, line: int, *only: str) -> list[types.CodeAction]:
        """The actions on a line, from 0."""
        offered = await self.offered(path, line, *only)
        assert all(isinstance(one, types.CodeAction) for one in offered)
        return [one for one in offered if isinstance(one, types.CodeAction)]

    async def offered(
        self, path: str, line: int, *only: str
    ) -> Sequence[types.CodeAction | types.Command]:
        """What is offered on a line."""
        place = types.Range(types.Position(line, 0), types.Position(line, 99))
        context = types.CodeActionContext([], only=list(only) or None)
        found = await self.client.text_document_code_action_async(
            types.CodeActionParams(types.TextDocumentIdentifier(self.uri(path)), place, context)
        )
        return found or ()

    async def edited(self, action: types.CodeAction) -> dict[str, str]:
        """The texts that an action leaves, by path; empty where it changes nothing."""
        assert action.command is None
        resolved = await self.client.code_action_resolve_async(action)
        return self.after(resolved.edit)

    def after(self, edit: types.WorkspaceEdit | None) -> dict[str, str]:
        """The texts that an edit leaves, by path."""
        changes = edit.document_changes if edit is not None else None
        texts: dict[str, str] = {}
        for change in changes or ():
            assert isinstance(change, types.TextDocumentEdit)
            path = self._path(change.text_document.uri)
            lines = (self.folder / path).read_text().splitlines(keepends=True)
            for one in reversed(change.edits):
                assert isinstance(one, types.TextEdit)
                assert (one.range.start.character, one.range.end.character) == (0, 0)
                lines[one.range.start.line : one.range.end.line] = [one.new_text]
            texts[path] = "".join(lines)
        return texts


@pytest_asyncio.fixture
async def editor(suite: Path) -> AsyncIterator[Editor]:
    """An editor that has the suite open."""
    found = Editor(suite)
    await found.start()
    yield found
    assert await found.stop() == 0


@pytest.mark.asyncio
async def test_what_is_found_is_shown_with_its_chain(editor: Editor) -> None:
    (found,) = await editor.until("tests/conftest.py", ["SCP101"])
    assert found.range == types.Range(types.Position(9, 4), types.Position(9, 8))
    assert found.severity == types.DiagnosticSeverity.Error
    assert found.source == "scopecheck"
    assert "help: " in found.message
    related = [
        (one.location.uri.rpartition("/")[2], one.location.range.start.line)
        for one in found.related_information or ()
    ]
    assert ("conftest.py", 4) in related
    assert ("test_a.py", 0) in related


@pytest.mark.asyncio
async def test_what_is_typed_counts_before_it_is_saved(editor: Editor) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    editor.open("tests/conftest.py", CONFTEST)
    editor.type("tests/conftest.py", CONFTEST.replace('scope="session"', ""))
    await editor.until("tests/conftest.py", [])
    editor.open("tests/test_b.py", FILES["tests/test_b.py"])
    editor.type("tests/test_b.py", "def test_b(nowhere):\n    assert nowhere\n")
    await editor.until("tests/test_b.py", ["SCP301"])
    editor.close("tests/test_b.py")
    await editor.until("tests/test_b.py", [])
    editor.close("tests/conftest.py")
    await editor.until("tests/conftest.py", ["SCP101"])


@pytest.mark.asyncio
async def test_a_text_that_is_no_python_hides_nothing_elsewhere(editor: Editor) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    editor.open("tests/test_a.py", FILES["tests/test_a.py"])
    editor.type("tests/test_a.py", "def test_a(wide:\n")
    (found,) = await editor.until("tests/test_a.py", ["SCP001"])
    assert found.range.start.line == 0
    assert editor.codes("tests/conftest.py") == ["SCP101"]
    editor.type("tests/test_a.py", FILES["tests/test_a.py"])
    await editor.until("tests/test_a.py", [])


@pytest.mark.asyncio
async def test_files_that_come_and_go(editor: Editor, suite: Path) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    assert editor.watches == [types.WORKSPACE_DID_CHANGE_WATCHED_FILES]
    (suite / "tests/test_c.py").write_text("def test_c(nowhere): ...\n")
    editor.changed_on_disk("tests/test_c.py", types.FileChangeType.Created)
    await editor.until("tests/test_c.py", ["SCP301"])
    (suite / "tests/test_c.py").write_text("def test_c(narrow): ...\n")
    editor.changed_on_disk("tests/test_c.py", types.FileChangeType.Changed)
    await editor.until("tests/test_c.py", [])
    (suite / "tests/conftest.py").unlink()
    editor.changed_on_disk("tests/conftest.py", types.FileChangeType.Deleted)
    await editor.until("tests/test_c.py", ["SCP301"])
    await editor.until("tests/conftest.py", [])


@pytest.mark.asyncio
async def test_settings_are_read_again(editor: Editor, suite: Path) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    settings = suite / "scopecheck.toml"
    settings.write_text("ignore = [")
    editor.changed_on_disk("scopecheck.toml", types.FileChangeType.Created)
    await editor.told("scopecheck.toml")
    await editor.until("tests/conftest.py", [])
    settings.write_text('ignore = ["SCP5"]\n')
    editor.changed_on_disk("scopecheck.toml", types.FileChangeType.Changed)
    await editor.until("tests/conftest.py", ["SCP101"])
    settings.write_text('ignore = ["SCP1"]\n')
    editor.changed_on_disk("scopecheck.toml", types.FileChangeType.Changed)
    await editor.until("tests/conftest.py", [])


@pytest.mark.asyncio
async def test_a_fix_is_proved_and_mends(editor: Editor, suite: Path) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    offered = await editor.actions("tests/conftest.py", 9)
    titles = [one.title for one in offered]
    assert titles[-1] == "Ignore scope-mismatch here with a comment"
    assert len(titles) > 1
    texts = await editor.edited(offered[0])
    assert list(texts) == ["tests/conftest.py"]
    (suite / "tests/conftest.py").write_text(texts["tests/conftest.py"])
    editor.changed_on_disk("tests/conftest.py", types.FileChangeType.Changed)
    await editor.until("tests/conftest.py", [])


@pytest.mark.asyncio
async def test_a_fix_is_made_for_the_text_in_the_editor(editor: Editor) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    editor.open("tests/conftest.py", CONFTEST)
    editor.type("tests/conftest.py", f"# new\n{CONFTEST}")
    offered = await editor.actions("tests/conftest.py", 10)
    resolved = await editor.client.code_action_resolve_async(offered[0])
    assert resolved.edit is not None
    (change,) = resolved.edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == 2
    assert min(edit.range.start.line for edit in change.edits) >= 5
    # What was tried for the proof is not what is looked at.
    editor.type("tests/conftest.py", f"# newer\n{CONFTEST}")
    assert [one.code for one in await editor.until("tests/conftest.py", ["SCP101"])] == ["SCP101"]


@pytest.mark.asyncio
async def test_an_editor_that_does_not_resolve_runs_a_command(suite: Path) -> None:
    editor = Editor(suite)
    await editor.start(resolves=False)
    await editor.until("tests/conftest.py", ["SCP101"])
    first, *_ = await editor.offered("tests/conftest.py", 9)
    # lsprotocol 2025.0.0 takes an action that has a command for a command.
    command = ast.literal_eval(str(first.command))
    params = types.ExecuteCommandParams(command["command"], arguments=command["arguments"])
    await editor.client.workspace_execute_command_async(params)
    (applied,) = editor.applied
    assert "session" not in editor.after(applied)["tests/conftest.py"]
    assert await editor.stop() == 0


@pytest.mark.asyncio
async def test_a_file_that_cannot_be_read_is_not_mended(editor: Editor) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    offered = await editor.actions("tests/conftest.py", 9)
    editor.open("tests/conftest.py", CONFTEST)
    session = Session(editor.folder, partial(opened, editor.folder, CheckOptions()))
    (finding,) = session.start({}).findings["tests/conftest.py"]
    session.edit({editor.folder / "tests/conftest.py": f"{CONFTEST})"})
    mended = session.fix(finding, finding.fault.fixes[0].title)
    assert (mended.texts, mended.reason) == ({}, "tests/conftest.py cannot be read at the moment")
    assert session.silence(finding).texts == {}
    editor.type("tests/conftest.py", f"{CONFTEST})")
    await editor.until("tests/conftest.py", ["SCP001"])
    assert await editor.edited(offered[0]) == {}
    await editor.told("nothing is changed")


@pytest.mark.asyncio
async def test_a_comment_silences(editor: Editor, suite: Path) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    *_, ignore = await editor.actions("tests/conftest.py", 9, "quickfix")
    texts = await editor.edited(ignore)
    assert "# scopecheck: ignore[scope-mismatch]" in texts["tests/conftest.py"]
    (suite / "tests/conftest.py").write_text(texts["tests/conftest.py"])
    editor.changed_on_disk("tests/conftest.py", types.FileChangeType.Changed)
    await editor.until("tests/conftest.py", [])


@pytest.mark.asyncio
async def test_fixing_all_makes_safe_fixes_alone(editor: Editor, suite: Path) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    assert await editor.actions("tests/conftest.py", 0, "source.fixAll") == []
    text = "def test_c():\n    import os\n    os.environ['A'] = 'b'\n    assert 'A' in os.environ\n"
    (suite / "tests/test_c.py").write_text(text)
    editor.changed_on_disk("tests/test_c.py", types.FileChangeType.Created)
    await editor.until("tests/test_c.py", ["SCP405"])
    (everything,) = await editor.actions("tests/test_c.py", 0, "source.fixAll")
    assert everything.kind == "source.fixAll.scopecheck"
    texts = await editor.edited(everything)
    assert "monkeypatch.setenv" in texts["tests/test_c.py"]


@pytest.mark.asyncio
async def test_hovering_explains_the_rule(editor: Editor) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    document = types.TextDocumentIdentifier(editor.uri("tests/conftest.py"))

    async def hover(line: int, character: int) -> types.Hover | None:
        here = types.Position(line, character)
        return await editor.client.text_document_hover_async(types.HoverParams(document, here))

    found = await hover(9, 5)
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert found.contents.value.startswith("# scope-mismatch")
    assert "```toml" not in found.contents.value.split("##")[0]
    assert await hover(0, 0) is None


@pytest.mark.asyncio
async def test_columns_are_those_of_the_editor(editor: Editor, suite: Path) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    (suite / "tests/test_c.py").write_text('def test_c(x="\U0001f600", *, nowhere): ...\n')
    editor.changed_on_disk("tests/test_c.py", types.FileChangeType.Created)
    (found,) = await editor.until("tests/test_c.py", ["SCP301"])
    assert (
        found.range.start.character
        == 'def test_c(x="\U0001f600", *, '.encode("utf-16-le").__len__() // 2
    )


@pytest.mark.asyncio
async def test_names_that_uris_escape(suite: Path) -> None:
    odd = suite.rename(suite.parent / "a b # \u00fc %41")
    editor = Editor(odd)
    await editor.start()
    await editor.until("tests/conftest.py", ["SCP101"])
    editor.open("tests/conftest.py", CONFTEST)
    first, *_ = await editor.actions("tests/conftest.py", 9)
    resolved = await editor.client.code_action_resolve_async(first)
    assert resolved.edit is not None
    (change,) = resolved.edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.uri == editor.uri("tests/conftest.py")
    assert change.text_document.version == 1
    assert await editor.stop() == 0


@pytest.mark.asyncio
async def test_what_is_not_saved_is_not_kept(editor: Editor, suite: Path) -> None:
    await editor.until("tests/conftest.py", ["SCP101"])
    editor.open("tests/conftest.py", CONFTEST)
    editor.type("tests/conftest.py", CONFTEST.replace('scope="session"', ""))
    await editor.until("tests/conftest.py", [])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scopecheck", "--output-format", "concise"),
        cwd=suite,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert b"SCP101" in output


@pytest.mark.asyncio
async def test_it_ends_with_its_editor(suite: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scopecheck", "server", "--stdio"),
        cwd=suite,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.close()
    await asyncio.wait_for(process.wait(), LIMIT_S)


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['pygls'] = None; sys.argv = ['scopecheck', 'server'];"
        "from scopecheck.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "scopecheck[server]" in done.stderr


def test_a_folder_of_a_project_shows_what_touches_it(suite: Path) -> None:
    (suite / "scopecheck.toml").write_text("")
    (suite / "other").mkdir()
    (suite / "other/conftest.py").write_text(CONFTEST)
    (suite / "other/test_c.py").write_text(FILES["tests/test_a.py"])
    session = Session(suite / "tests", partial(opened, suite / "tests", CheckOptions()))
    assert list(session.start({}).findings) == ["tests/conftest.py"]
    assert session.root == suite
    told = session.edit({suite / "tests/test_b.py": "def test_b(nowhere): ...\n"})
    assert list(told.findings) == ["tests/conftest.py", "tests/test_b.py"]


def test_what_the_look_at_an_edit_stops_at_is_found_by_a_whole_one(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(*_: object) -> None:
        raise IndexError("a wrong fact")

    session = Session(suite, partial(opened, suite, CheckOptions()))
    session.start({})
    monkeypatch.setattr("scopecheck.server.session.after_edits", stops)
    told = session.edit({suite / "tests/test_b.py": "def test_b(nowhere): ...\n"})
    assert list(told.findings) == ["tests/conftest.py", "tests/test_b.py"]
