"""What other tools say of the same small suites: the evidence for docs/comparison.md.

    python -m venv /tmp/tools
    /tmp/tools/bin/pip install ruff ty pytest-language-server flake8 flake8-pytest-style \\
        flake8-async pylint pylint-pytest 'pytest<9' pytest-asyncio
    python scripts/neighbours.py /tmp/tools/bin

Each tool runs with its rules about pytest and async code, or with all that it has. A cell is what
it reports of the fault that the suite was made for, or nothing. Run with scopecheck installed.
"""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

PYPROJECT = """\
[project]
name = "sample"
version = "1"

[tool.pytest.ini_options]
asyncio_mode = "strict"
"""


class Case(NamedTuple):
    """A suite with one fault, and the lines at which a tool may report it."""

    title: str
    files: dict[str, str]
    places: tuple[tuple[str, int], ...]


CASES = (
    Case(
        "A session fixture requests a function-scoped one of the same file",
        {
            "tests/conftest.py": (
                "import pytest\n\n\n"
                "@pytest.fixture\ndef settings() -> dict[str, str]:\n    return {}\n\n\n"
                '@pytest.fixture(scope="session")\n'
                "def engine(settings: dict[str, str]) -> object:\n    return object()\n"
            ),
            "tests/test_a.py": "def test_a(engine: object) -> None:\n    assert engine\n",
        },
        (("tests/conftest.py", 10),),
    ),
    Case(
        "The same, and only an override in a folder makes it so",
        {
            "tests/conftest.py": (
                "import pytest\n\n\n"
                '@pytest.fixture(scope="session")\n'
                "def settings() -> dict[str, str]:\n    return {}\n\n\n"
                '@pytest.fixture(scope="session")\n'
                "def engine(settings: dict[str, str]) -> object:\n    return object()\n"
            ),
            "tests/test_a.py": "def test_a(engine: object) -> None:\n    assert engine\n",
            "tests/api/conftest.py": (
                "import pytest\n\n\n@pytest.fixture\n"
                'def settings() -> dict[str, str]:\n    return {"a": "b"}\n'
            ),
            "tests/api/test_b.py": "def test_b(engine: object) -> None:\n    assert engine\n",
        },
        (("tests/api/conftest.py", 5), ("tests/conftest.py", 10)),
    ),
    Case(
        "A session-scoped async fixture is awaited on another event loop",
        {
            "tests/conftest.py": (
                "import asyncio\nfrom collections.abc import AsyncIterator\n\n"
                "import pytest_asyncio\n\n\n"
                '@pytest_asyncio.fixture(scope="session", loop_scope="session")\n'
                "async def server() -> AsyncIterator[asyncio.Server]:\n"
                "    async with await asyncio.start_server(print, port=0) as found:\n"
                "        yield found\n"
            ),
            "tests/test_a.py": (
                "import asyncio\n\nimport pytest\n\n\n@pytest.mark.asyncio\n"
                "async def test_a(server: asyncio.Server) -> None:\n"
                "    server.close()\n    await server.wait_closed()\n"
            ),
        },
        (("tests/conftest.py", 8), ("tests/test_a.py", 7)),
    ),
    Case(
        "An async test that no plugin runs",
        {"tests/test_a.py": "async def test_a() -> None:\n    assert 1 + 1 == 2\n"},
        (("tests/test_a.py", 1),),
    ),
    Case(
        "A fixture that is defined in a folder beside",
        {
            "tests/api/conftest.py": (
                "import pytest\n\n\n@pytest.fixture\ndef client() -> object:\n    return object()\n"
            ),
            "tests/api/test_a.py": "def test_a(client: object) -> None:\n    assert client\n",
            "tests/e2e/test_b.py": "def test_b(client: object) -> None:\n    assert client\n",
        },
        (("tests/e2e/test_b.py", 1),),
    ),
    Case(
        "A session fixture that is imported into two modules, and set up twice",
        {
            "tests/services.py": (
                'import pytest\n\n\n@pytest.fixture(scope="session")\n'
                "def server() -> object:\n    return object()\n"
            ),
            "tests/test_a.py": (
                "from services import server\n\n__all__ = ['server']\n\n\n"
                "def test_a(server: object) -> None:\n    assert server\n"
            ),
            "tests/test_b.py": (
                "from services import server\n\n__all__ = ['server']\n\n\n"
                "def test_b(server: object) -> None:\n    assert server\n"
            ),
        },
        (("tests/test_a.py", 1), ("tests/test_b.py", 1)),
    ),
    Case(
        "Two tests of one name",
        {
            "tests/test_a.py": (
                "def test_a() -> None:\n    assert 1 + 1 == 2\n\n\n"
                "def test_a() -> None:\n    assert 1 + 2 == 3\n"
            )
        },
        (("tests/test_a.py", 1), ("tests/test_a.py", 5)),
    ),
    Case(
        "`assert` on a tuple",
        {"tests/test_a.py": 'def test_a() -> None:\n    assert (1 + 1 == 3, "no")\n'},
        (("tests/test_a.py", 2),),
    ),
    Case(
        "`time.sleep` in an async test",
        {
            "tests/test_a.py": (
                "import time\n\nimport pytest\n\n\n@pytest.mark.asyncio\n"
                "async def test_a() -> None:\n    time.sleep(1)\n    assert 1 + 1 == 2\n"
            )
        },
        (("tests/test_a.py", 8),),
    ),
    Case(
        "`pytest.raises(Exception)`, which anything satisfies",
        {
            "tests/test_a.py": (
                "import pytest\n\n\ndef test_a() -> None:\n"
                '    with pytest.raises(Exception):\n        int("x")\n'
            )
        },
        (("tests/test_a.py", 5),),
    ),
    Case(
        "A test that calls the code with a wrong type",
        {
            "tests/test_a.py": (
                "def double(number: int) -> int:\n    return number * 2\n\n\n"
                'def test_a() -> None:\n    assert double("2") == 4\n'
            )
        },
        (("tests/test_a.py", 6),),
    ),
)

TOOLS = {
    "scopecheck": [
        *("{here}/scopecheck", "--isolated", "--no-cache", "--output-format", "concise"),
        *("--python", "{bin}/python", "tests"),
    ],
    "ruff": ["{bin}/ruff", "check", "--no-cache", "--select", "ALL", "--output-format", "concise"],
    "ty": ["{bin}/ty", "check", "--output-format", "concise", "--python", "{bin}/python"],
    "pytest-language-server": [],
    "flake8-pytest-style": ["{bin}/flake8", "--select", "PT,F", "tests"],
    "flake8-async": ["{bin}/flake8", "--select", "ASYNC", "tests"],
    "pylint-pytest": [
        "{bin}/pylint",
        "--load-plugins=pylint_pytest",
        "--disable=missing-docstring,invalid-name",
        "tests",
    ],
}
QUIET = 4.0
"""Seconds after which a language server that says nothing has said all."""
_LINE = re.compile(r"^(?:\./)?(tests/[^:]+):(\d+):\d+: (.*)$", re.MULTILINE)
_CODE = re.compile(r"(?:error|warning)\[([\w-]+)\]|^([A-Z]+\d+)\b|\(([\w-]+)\)$")


def main(folder: str) -> None:
    """Prints a table in Markdown."""
    tools = Path(folder)
    print(f"| | {' | '.join(_titles(tools))} |")
    print(f"| --- |{' --- |' * len(TOOLS)}")
    for case in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            project = Path(scratch)
            for name, text in {"pyproject.toml": PYPROJECT, **case.files}.items():
                (project / name).parent.mkdir(parents=True, exist_ok=True)
                (project / name).write_text(text)
            cells = [_cell(_reported(tool, tools, project), case) for tool in TOOLS]
            print(f"| {case.title} | {' | '.join(cells)} |", flush=True)


def _titles(tools: Path) -> list[str]:
    listed = subprocess.run(
        [tools / "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    ).stdout
    versions = {entry["name"].lower(): entry["version"] for entry in json.loads(listed)}
    return [f"{tool} {versions.get(tool, '')}".strip() for tool in TOOLS]


def _reported(tool: str, tools: Path, project: Path) -> list[tuple[str, int, str]]:
    if tool == "pytest-language-server":
        return list(_from_server(tools / tool, project))
    here = Path(sys.executable).parent
    command = [word.format(bin=tools, here=here) for word in TOOLS[tool]]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    return [(path, int(line), text) for path, line, text in _LINE.findall(done.stdout)]


def _cell(reported: list[tuple[str, int, str]], case: Case) -> str:
    found: dict[str, None] = {}
    for path, line, text in reported:
        if (path, line) in case.places:
            code = _CODE.search(text)
            name = next(filter(None, code.groups()), text) if code else text
            if name not in _BESIDE:
                found[name] = None
    return ", ".join(found)


_BESIDE = frozenset(
    """
    CPY001 ASYNC910
    S101 PLR2004 INP001 D100 D103 ANN201 PT001 ARG001 FBT003 F811,redefined PT006 C0114 W0613
    redefined-outer-name unused-argument consider-using-with PLW0129-none comparison-of-constants
    import-error D104 PT023 T203 RET504
    """.split()  # noqa: SIM905
)
"""What is reported at the line beside the fault: style, and what every example would draw."""


def _from_server(program: Path, project: Path) -> list[tuple[str, int, str]]:
    """The diagnostics that the language server publishes when each file is opened."""
    server = subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert server.stdin is not None
    assert server.stdout is not None

    def send(method: str, params: object, number: int | None = None) -> None:
        message: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        body = json.dumps(message).encode()
        assert server.stdin is not None
        server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        server.stdin.flush()

    def receive() -> dict[str, object]:
        length = 0
        assert server.stdout is not None
        while (line := server.stdout.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        found: dict[str, object] = json.loads(server.stdout.read(length))
        return found

    root = project.as_uri()
    send(
        "initialize",
        {
            "processId": None,
            "rootUri": root,
            "workspaceFolders": [{"uri": root, "name": "sample"}],
            "capabilities": {"textDocument": {"publishDiagnostics": {}}},
        },
        1,
    )
    while receive().get("id") != 1:
        pass
    send("initialized", {})
    messages: queue.Queue[dict[str, object]] = queue.Queue()

    def listen() -> None:
        try:
            while True:
                messages.put(receive())
        except (ValueError, OSError):
            return  # The server has ended.

    threading.Thread(target=listen, daemon=True).start()
    # It scans the workspace in the background, and says nothing when it is done.
    time.sleep(QUIET)
    for file in sorted(project.glob("tests/**/*.py")):
        document = {"uri": file.as_uri(), "languageId": "python", "version": 1}
        send("textDocument/didOpen", {"textDocument": {**document, "text": file.read_text()}})
    reported: dict[str, list[tuple[str, int, str]]] = {}
    while True:
        try:
            message = messages.get(timeout=QUIET)
        except queue.Empty:
            break
        if message.get("method") == "textDocument/publishDiagnostics":
            params = message["params"]
            assert isinstance(params, dict)
            path = params["uri"].removeprefix(f"{root}/")
            reported[path] = [
                (path, one["range"]["start"]["line"] + 1, f"({one.get('code', one['message'])})")
                for one in params["diagnostics"]
            ]
    server.kill()
    return [one for found in reported.values() for one in found]


if __name__ == "__main__":
    main(sys.argv[1])
