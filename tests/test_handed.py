"""What fixtures hand out, as far as event loops are concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scopecheck.config import Settings
from scopecheck.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from scopecheck.suite import Suite
    from scopecheck.suite.loop_values import Handed

HEAD = """
import asyncio, contextlib, os, tempfile, uuid
from dataclasses import dataclass, field
from typing import AsyncIterator, NamedTuple, Optional
import aiohttp, asyncpg, httpx, pytest, pytest_asyncio
import redis.asyncio as redis
from enum import Enum
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool
from unittest.mock import AsyncMock
from helpers import Pump, make_client, opened, wrapped, SHARED, Color

URL = "postgresql+asyncpg://localhost/test"
HOST = "localhost"

@dataclass
class Context:
    name: str
    client: object = None

@dataclass
class Inbox:
    messages: asyncio.Queue = field(default_factory=asyncio.Queue)

class Point(NamedTuple):
    x: int

class User(BaseModel):
    name: str

class Client(httpx.AsyncClient):
    pass

class AppClient(httpx.AsyncClient):
    def __init__(self, app):
        super().__init__(transport=httpx.ASGITransport(app=app))

class Service:
    lock = asyncio.Lock()

class Parts:
    def __init__(self, task, name):
        self.name = name
        self.task = task
"""
HELPERS = """
import asyncio, contextlib, enum, httpx

SHARED = asyncio.Event()

class Color(enum.Enum):
    RED = 1

class Pump:
    def __init__(self):
        self.task = asyncio.create_task(self.run())
    async def __aenter__(self):
        return self
    async def __aexit__(self, *_):
        self.task.cancel()
    async def run(self): ...

def make_client(app=None):
    return _client(transport=httpx.ASGITransport(app=app)) if app else httpx.AsyncClient()

@contextlib.asynccontextmanager
async def opened(value):
    async with httpx.AsyncClient() as client:
        yield client, value

def wrapped(value):
    return [value]
"""

# The body of a fixture, what it hands out, and when that becomes bound.
BODIES = [
    ("pass", "nothing", ""),
    ("yield", "nothing", ""),
    ("return", "nothing", ""),
    ("try:\n    yield\nfinally:\n    print()", "nothing", ""),
    ("yield 1", "plain", ""),
    ("return f'http://{HOST}'", "plain", ""),
    ("yield 'a', [1, 2.0], {'k': None}", "plain", ""),
    ("return len('abc') + 1", "plain", ""),
    ("return str(uuid.uuid4())", "plain", ""),
    ("with tempfile.TemporaryDirectory() as folder:\n    yield folder", "plain", ""),
    ("return os.environ['HOME'] == '/'", "plain", ""),
    ("return os.environ.get('HOME')", "plain", ""),
    ("return AsyncMock(return_value=1)", "plain", ""),
    ("return User(name=unknown())", "plain", ""),
    ("return Context(name='a')", "plain", ""),
    ("return Context(name=unknown())", "unknown", ""),
    ("return Point(x=1)", "plain", ""),
    ("return Color(1)", "plain", ""),
    ("yield asyncio.create_task(asyncio.sleep(1))", "bound", "made"),
    ("task = asyncio.create_task(asyncio.sleep(1))\nyield task\ntask.cancel()", "bound", "made"),
    ("return await asyncio.create_task(asyncio.sleep(1))", "unknown", ""),
    ("task = asyncio.create_task(asyncio.sleep(1))\nreturn await task", "unknown", ""),
    ("loop = asyncio.get_running_loop()\nyield loop.create_future()", "bound", "made"),
    ("reader, writer = await asyncio.open_connection()\nyield reader, 1", "bound", "made"),
    ("yield await asyncio.wait_for(asyncio.open_connection(), 1)", "bound", "made"),
    ("a, b = 1, asyncio.Lock()\nyield a", "plain", ""),
    ("a, b = 1, asyncio.Lock()\nyield b", "lazy", "contended"),
    ("async with aiohttp.ClientSession() as session:\n    yield session", "bound", "made"),
    ("yield await asyncpg.create_pool(URL)", "bound", "made"),
    ("return redis.Redis()", "bound", "used"),
    ("async with httpx.AsyncClient(base_url=URL) as c:\n    yield c", "bound", "used"),
    ("yield Client()", "bound", "used"),
    ("yield AppClient(app=1)", "unknown", ""),
    ("yield httpx.AsyncClient(app=unknown)", "plain", ""),
    ("yield httpx.AsyncClient(transport=httpx.ASGITransport(app=1))", "plain", ""),
    ("t = httpx.ASGITransport(app=1)\nyield httpx.AsyncClient(transport=t)", "plain", ""),
    ("yield httpx.AsyncClient(transport=unknown())", "unknown", ""),
    ("yield httpx.AsyncClient(**unknown)", "unknown", ""),
    ("yield create_async_engine(URL)", "bound", "used"),
    ("yield create_async_engine(f'mysql+aiomysql://{HOST}')", "bound", "used"),
    ("yield create_async_engine('sqlite+aiosqlite://')", "lazy", "contended"),
    ("yield create_async_engine(unknown())", "unknown", ""),
    ("yield create_async_engine(URL, poolclass=NullPool)", "plain", ""),
    ("yield create_async_engine(URL, **unknown)", "unknown", ""),
    ("yield async_sessionmaker(create_async_engine(URL))", "bound", "used"),
    ("e = create_async_engine(URL, poolclass=NullPool)\nyield AsyncSession(e)", "unknown", ""),
    ("s = contextlib.AsyncExitStack()\nyield await s.enter_async_context(Pump())", "bound", "made"),
    ("s = await asyncio.start_server(print)\nyield 'localhost'\ns.close()", "bound", "made"),
    ("async with await asyncio.start_server(print) as s:\n    yield", "bound", "made"),
    ("yield\ns = await asyncio.start_server(print)", "nothing", ""),
    ("yield Pump()", "bound", "made"),
    ("async with Pump() as pump:\n    yield pump", "bound", "made"),
    ("yield make_client()", "bound", "used"),
    ("async with opened(1) as found:\n    yield found", "bound", "used"),
    ("yield wrapped('a')", "plain", ""),
    ("yield wrapped(asyncio.Queue())", "lazy", "contended"),
    ("yield SHARED", "lazy", "contended"),
    ("yield Inbox()", "lazy", "contended"),
    ("yield Service()", "lazy", "contended"),
    ("yield Context('a', client=asyncio.Future())", "bound", "made"),
    ("yield Parts(asyncio.ensure_future(unknown()), 'a')", "bound", "made"),
    ("yield Parts(1, 'a')", "unknown", ""),
    ("yield unknown() or asyncio.Lock()", "unknown", ""),
    ("yield asyncio.Lock() if unknown() else None", "lazy", "contended"),
    ("if unknown():\n    yield 1\nelse:\n    yield asyncio.Lock()", "lazy", "contended"),
    ("x = 1\nif unknown():\n    x = asyncio.Lock()\nyield x", "lazy", "contended"),
    ("x = asyncio.Lock()\nx = 1\nyield x", "plain", ""),
    ("x = 1\nyield x\nx = asyncio.Lock()", "plain", ""),
    ("found = []\nfound.append(asyncio.Lock())\nyield found", "lazy", "contended"),
    ("found = {}\nyield found", "unknown", ""),
    ("def make():\n    return 1\nyield make", "plain", ""),
    ("task = asyncio.create_task(run())\ndef make():\n    return task\nyield make", "unknown", ""),
    ("class Local:\n    pass\nyield Local", "plain", ""),
    ("for x in range(3):\n    pass\nyield x", "unknown", ""),
    ("x = await (yield)\nreturn", "unknown", ""),
    ("yield recursive()", "unknown", ""),
]


def suite_of(folder: Path, files: dict[str, str]) -> Suite:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (suite,) = Project(folder, Settings(plugins={"pytest-asyncio": "1"}), 1).suites([folder])
    return suite


def handed(suite: Suite) -> dict[str, Handed]:
    return {fixture.name: suite.handouts.of(fixture) for fixture in suite.fixtures}


def indented(body: str) -> str:
    return body.replace("\n", "\n    ")


@pytest.fixture(scope="module")
def of_bodies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Handed]:
    text = HEAD + "\ndef recursive():\n    return recursive()\n"
    for index, (body, *_) in enumerate(BODIES):
        text += f"\n@pytest_asyncio.fixture\nasync def fx{index}():\n    {indented(body)}\n"
    files = {"conftest.py": text, "helpers.py": HELPERS, "test_a.py": "def test_a(): ...\n"}
    return handed(suite_of(tmp_path_factory.mktemp("handed"), files))


@pytest.mark.parametrize("index", range(len(BODIES)), ids=[body for body, *_ in BODIES])
def test_of_body(of_bodies: dict[str, Handed], index: int) -> None:
    _, kind, when = BODIES[index]
    found = of_bodies[f"fx{index}"]
    assert (found.kind, found.when) == (kind, when)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("str", "plain"),
        ("None", "nothing"),
        ("Optional[str]", "plain"),
        ("'str | None'", "unknown"),
        ("dict[str, list[int]]", "plain"),
        ("uuid.UUID", "plain"),
        ("User", "plain"),
        ("Color", "plain"),
        ("Context", "unknown"),
        ("asyncpg.Pool", "bound"),
        ("tuple[asyncpg.Pool, str]", "bound"),
        ("httpx.AsyncClient", "unknown"),
    ],
)
def test_of_annotation(tmp_path: Path, annotation: str, kind: str) -> None:
    text = (
        f"{HEAD}\n"
        f"@pytest.fixture\nasync def gives() -> {annotation}:\n    return unknown()\n"
        f"@pytest.fixture\nasync def yields() -> AsyncIterator[{annotation}]:\n"
        "    yield unknown()\n"
    )
    found = handed(suite_of(tmp_path, {"test_a.py": text, "helpers.py": HELPERS}))
    assert found["gives"].kind == found["yields"].kind == kind


def test_of_requested_fixtures(tmp_path: Path) -> None:
    text = """
import asyncio, pytest

@pytest.fixture
def lock():
    return asyncio.Lock()

@pytest.fixture
def name(lock):
    return "a"

@pytest.fixture
def path(tmp_path):
    return tmp_path / "a"

@pytest.fixture
def other_path(tmp_path):
    return tmp_path.joinpath("b")

@pytest.fixture
def both(name, lock):
    return name, lock

@pytest.fixture
def attribute(lock):
    return lock.anything

@pytest.fixture
def parametrized(given):
    return given

@pytest.mark.parametrize("given", [1])
def test_a(name, path, other_path, both, attribute, parametrized): ...
"""
    found = handed(suite_of(tmp_path, {"test_a.py": text}))
    kinds = {name: one.kind for name, one in found.items() if name != "tmp_path"}
    assert kinds.items() >= {
        ("lock", "lazy"),
        ("name", "plain"),
        ("path", "plain"),
        ("other_path", "plain"),
        ("both", "lazy"),
        ("attribute", "unknown"),
        ("parametrized", "unknown"),
    }


def test_what_shows_it(tmp_path: Path) -> None:
    text = (
        "import pytest\nfrom helpers import Pump\n@pytest.fixture\ndef pump():\n    return Pump()\n"
    )
    found = handed(suite_of(tmp_path, {"test_a.py": text, "helpers.py": HELPERS}))["pump"]
    assert found.why == "`asyncio.create_task(...)`"
    assert found.place is not None
    assert (found.place.path, found.place.span.line) == ("helpers.py", 11)


def test_override_of_a_class(tmp_path: Path) -> None:
    text = """
import asyncio, pytest

class TestA:
    @pytest.fixture
    def lock(self):
        return asyncio.Lock()

    @pytest.fixture
    def held(self, lock):
        return [lock]

    def test_a(self, held): ...
"""
    assert handed(suite_of(tmp_path, {"test_a.py": text}))["held"].kind == "lazy"
