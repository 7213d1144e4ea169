"""Edits of a test file that change what is found with others: they are seen, rule by rule.

Each rule whose check looks far has a case; so a new one has to have one. For the rules whose checks
look near, and all others, statements of their pages' suites are taken out and put back.

SCOPECHECK_RANDOM=1 does so with all of them; without it with a few.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from edited_runs import reported
from edits import is_test, pieces, sections
from on_disk import write
from relinked import edited, found

from scopecheck import checks, repair, rulebook, testing
from scopecheck.checks.looks import distance_of
from scopecheck.project import Project
from scopecheck.run import analyse

if TYPE_CHECKING:
    from pathlib import Path

    from scopecheck.rulebook import Example, Rule

WANTED = os.environ.get("SCOPECHECK_RANDOM")
# All sections and statements take minutes.
MOST = 1000 if WANTED else 1
MOST_PIECES = 1000 if WANTED else 2
# How the titles of fixes tell numbers of tests.
COUNTS = re.compile(r"\bset-ups?\b|\d tests\b|\bthe test that uses\b")
SPARE = "import pytest\n\n@pytest.fixture\ndef spare(): ...\n"
KEEPER = "@pytest.fixture(scope='session')\ndef keeper(box):\n    return box\n"
CACHED = "import functools\n\n@functools.lru_cache\ndef conf():\n    return {}\n"
BOX = "import pytest\n\n@pytest.fixture(scope='session')\ndef box():\n    return {}\n"
CONTEXT = """import pytest

class UserContext:
    def __init__(self):
        self.seen = []

@pytest.fixture(scope="session")
def context():
    return UserContext()
"""
ASYNC = "[pytest]\nasyncio_mode = strict\n"
ANYIO = """import anyio
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

"""
QUEUE = """import asyncio
import pytest
from state import jobs

@pytest.mark.asyncio
async def test_queue():
    waiting = asyncio.create_task(jobs.get())
    await asyncio.sleep(0)
    assert await waiting
"""
CONTEXT_CLASS = """class UserContext:
    def __init__(self):
        self.seen = []

    def add(self, one):
        self.seen.append(one)
"""
AGENT = """def run(emit):
    emit({"type": "agent_started"})
    emit({"type": "agent_thinking"})
    emit({"type": "tool_executing"})
    emit({"type": "tool_completed"})
    emit({"type": "agent_completed"})
    return "agent_started"
"""
EVENTS = """from agent import run

def test_a():
    events = []
    run(events.append)
    types = {event["type"] for event in events}
    assert 'agent_started' in types
"""
NAMES_LEFT = """from agent import run

def test_b():
    events = []
    run(events.append)
    assert [event["type"] for event in events] == ['one', 'two', 'three']
"""
HUB = """class Connection:
    def __init__(self):
        self.inbox = []

    def drain(self):
        return self.inbox

def publish(connection, event):
    connection.inbox.append(event)
"""
WHOLE: dict[str, tuple[str, dict[str, str], str, str]] = {
    "value of a fixture read": (
        "SCP401",
        {
            "conftest.py": BOX,
            "test_a.py": "def test_a(box):\n    box['x'] = 1\n",
            "test_b.py": "def test_b(box):\n    assert 1 < 2 != len('')\n",
        },
        "assert 1",
        "assert box['x'] or 1",
    ),
    "object of a module read": (
        "SCP402",
        {
            "tests/state.py": "LOG = []\n",
            "tests/test_a.py": "from state import LOG\n\ndef test_a():\n    LOG.append(1)\n",
            "tests/test_b.py": "from state import LOG\n\ndef test_b():\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "assert LOG == []",
    ),
    "object of a class read": (
        "SCP403",
        {
            "tests/recorder.py": "class Recorder:\n    seen = []\n",
            "tests/test_a.py": "from recorder import Recorder\n\ndef test_a():\n"
            "    Recorder.seen.append(1)\n",
            "tests/test_b.py": "from recorder import Recorder\n\ndef test_b():\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "assert Recorder.seen == []",
    ),
    "object of a class changed": (
        "SCP403",
        {
            "tests/recorder.py": "class Recorder:\n    seen = []\n",
            "tests/test_a.py": "from recorder import Recorder\n\ndef test_a():\n"
            "    assert Recorder.seen == []\n",
            "tests/test_b.py": "from recorder import Recorder\n\ndef test_b():\n    assert 1 < 2\n"
            "\ndef test_c():\n    assert Recorder\n",
        },
        "assert 1 < 2",
        "Recorder.seen.append(1)",
    ),
    "cached value changed": (
        "SCP411",
        {
            "tests/conf.py": CACHED,
            "tests/test_a.py": "from conf import conf\n\ndef test_a():\n    assert conf() == {}\n",
            "tests/test_b.py": "from conf import conf\n\ndef test_b():\n    assert 1 < 2\n"
            "\ndef test_c():\n    assert conf\n",
        },
        "assert 1 < 2",
        "conf()['a'] = 1",
    ),
    "context shared": (
        "SCP404",
        {
            "conftest.py": CONTEXT,
            "test_a.py": "def test_a(context):\n    context.seen.append(1)\n",
            "test_b.py": "def test_b():\n    assert 1 < 2\n",
        },
        "test_b()",
        "test_b(context)",
    ),
    "cached value read": (
        "SCP411",
        {
            "tests/conf.py": CACHED,
            "tests/test_a.py": "from conf import conf\n\ndef test_a():\n    conf()['a'] = 1\n",
            "tests/test_b.py": "from conf import conf\n\ndef test_b():\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "assert conf() == {}",
    ),
    "environment": (
        "SCP405",
        {
            "test_a.py": "def test_a(): ...\n",
            "test_b.py": "import os\n\ndef test_b():\n    assert os\n",
        },
        "assert os",
        "os.environ['A'] = 'b'",
    ),
    "process": (
        "SCP406",
        {
            "test_a.py": "def test_a(): ...\n",
            "test_b.py": "import os\n\ndef test_b():\n    assert os\n",
        },
        "assert os",
        "os.chdir('/')",
    ),
    "order": (
        "SCP410",
        {
            "test_a.py": "def test_a(): ...\n",
            "test_b.py": "found = None\n\ndef test_a():\n    global found\n    found = 1\n\n"
            "def test_b():\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "assert found == 1",
    ),
    "last user of a fixture": (
        "SCP303",
        {
            "tests/conftest.py": SPARE,
            "tests/test_a.py": "def test_a(): ...\n",
            "tests/test_b.py": "def test_b(spare): ...\n",
        },
        "spare",
        "",
    ),
    "last mention of a fixture": (
        "SCP303",
        {
            "tests/conftest.py": SPARE,
            "tests/test_a.py": "def test_a(): ...\n",
            "tests/test_b.py": "NAMES = ['spare']\n\ndef test_b(): ...\n",
        },
        "'spare'",
        "",
    ),
    "definition elsewhere": (
        "SCP301",
        {
            "conftest.py": "",
            "test_a.py": "def test_a(spare): ...\n",
            "test_b.py": "def test_b(): ...\n",
        },
        "def",
        f"{SPARE}\n\ndef",
    ),
    "fixture imported": (
        "SCP306",
        {
            "shared.py": BOX,
            "test_a.py": "from shared import box\n\ndef test_a(box): ...\n",
            "test_b.py": "def test_b(): ...\n",
        },
        "def test_b()",
        "from shared import box\n\ndef test_b(box)",
    ),
    "override": (
        "SCP106",
        {
            "conftest.py": f"{BOX}\n{KEEPER}",
            "test_a.py": "def test_a(keeper): ...\n",
            "test_b.py": "def test_b(keeper): ...\n",
        },
        "def",
        f"{BOX}\n\ndef",
    ),
    "narrower lookup": (
        "SCP103",
        {
            "conftest.py": BOX + "\n@pytest.fixture\ndef narrow(): ...\n"
            "\n@pytest.fixture(scope='session')\ndef wide(request):\n"
            "    return request.getfixturevalue('narrow')\n",
            "test_a.py": "def test_a(box): ...\n",
            "test_b.py": "def test_b(): ...\n",
        },
        "test_b()",
        "test_b(wide)",
    ),
    "async test": (
        "SCP205",
        {
            "pytest.ini": ASYNC,
            "conftest.py": "",
            "test_a.py": "import pytest\n\n@pytest.mark.asyncio\nasync def test_a(): ...\n",
            "test_b.py": "def test_b(): ...\n",
        },
        "def test_b",
        "async def test_b",
    ),
    "async fixture": (
        "SCP203",
        {
            "pytest.ini": ASYNC,
            "conftest.py": "import pytest\n\n@pytest.fixture\nasync def client(): ...\n",
            "test_a.py": "import pytest\n\n@pytest.mark.asyncio\nasync def test_a(): ...\n",
            "test_b.py": "def test_b(): ...\n",
        },
        "test_b()",
        "test_b(client)",
    ),
    "a loop in a loop": (
        "SCP211",
        {
            "pytest.ini": ASYNC,
            "conftest.py": "",
            "test_a.py": "import asyncio\nimport pytest\n\n@pytest.mark.asyncio\n"
            "async def test_a():\n    asyncio.run(main())\n",
            "test_b.py": "import asyncio\nimport pytest\n\n@pytest.mark.asyncio\n"
            "async def test_b():\n    assert asyncio\n",
        },
        "assert asyncio",
        "asyncio.run(main())",
    ),
    "an event that is asserted": (
        "SCP506",
        {
            "test_a.py": "from shop import buy\n\ndef test_a():\n    received = []\n"
            "    buy(received.append)\n    assert 'agent_started' in received\n"
            "    assert 'agent_thinking' in received\n"
            "    assert 'agent_completed' in received\n",
            "shop.py": "def buy(emit):\n    emit('agent_started')\n",
            "test_b.py": "def test_b():\n    received = []\n"
            "    assert 'tool_executing' in received\n",
        },
        "    assert 'tool_executing' in received\n",
        "    assert received\n",
    ),
    "one more below an override": (
        "SCP106",
        {
            "conftest.py": f"{BOX}\n{KEEPER}",
            "test_a.py": "def test_a(keeper): ...\n",
            "sub/conftest.py": BOX,
            "sub/test_b.py": "def test_b(): ...\n",
        },
        "test_b()",
        "test_b(keeper)",
    ),
    "a test for which an async fixture is run": (
        "SCP204",
        {
            "conftest.py": ANYIO + "@pytest.fixture\nasync def server():\n    yield 1\n",
            "test_a.py": "def test_a(server):\n    assert server\n",
            "test_b.py": "import pytest\n\ndef test_b(): ...\n",
        },
        "def test_b()",
        "@pytest.mark.anyio\nasync def test_b(server)",
    ),
    "one more on an old loop": (
        "SCP206",
        {
            "pytest.ini": ASYNC,
            "conftest.py": "import asyncio\nimport pytest\n\n@pytest.fixture(scope='session')\n"
            "def event_loop():\n    loop = asyncio.new_event_loop()\n    yield loop\n"
            "    loop.close()\n",
            "test_a.py": "import pytest\n\n@pytest.mark.asyncio\nasync def test_a(): ...\n",
            "test_b.py": "import pytest\n\ndef test_b(): ...\n",
        },
        "def test_b",
        "@pytest.mark.asyncio\nasync def test_b",
    ),
    "a queue on another loop": (
        "SCP209",
        {
            "pytest.ini": ASYNC,
            "tests/state.py": "import asyncio\n\njobs = asyncio.Queue()\n",
            "tests/test_a.py": QUEUE,
            "tests/test_b.py": QUEUE.replace("jobs.get()", "print()"),
        },
        "print()",
        "jobs.get()",
    ),
    "one more with a wide lock": (
        "SCP210",
        {
            "conftest.py": ANYIO + "@pytest.fixture(scope='session')\nasync def lock():\n"
            "    return anyio.Lock()\n",
            "test_a.py": "import pytest\n\n@pytest.mark.anyio\nasync def test_a(lock): ...\n",
            "test_b.py": "import pytest\n\n@pytest.mark.anyio\nasync def test_b(): ...\n",
        },
        "test_b()",
        "test_b(lock)",
    ),
    "object of a fixture changed": (
        "SCP401",
        {
            "conftest.py": BOX,
            "test_a.py": "def test_a(box):\n    assert box == {}\n",
            "test_b.py": "def test_b(box):\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "box['x'] = 1",
    ),
    "object of a module changed": (
        "SCP402",
        {
            "tests/state.py": "LOG = []\n",
            "tests/test_a.py": "from state import LOG\n\ndef test_a():\n    assert LOG == []\n",
            "tests/test_b.py": "from state import LOG\n\ndef test_b():\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "LOG.append(1)",
    ),
    "context of a module": (
        "SCP404",
        {
            "app.py": CONTEXT_CLASS,
            "tests/conftest.py": "from app import UserContext\n\nmine = UserContext()\n",
            "tests/test_a.py": "from conftest import mine\n\ndef test_a():\n    mine.add(1)\n",
            "tests/test_b.py": "from conftest import mine\n\ndef test_b():\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "mine.add(1)",
    ),
    "context of a class": (
        "SCP404",
        {
            "app.py": CONTEXT_CLASS,
            "test_a.py": "def test_a(): ...\n",
            "test_b.py": "from app import UserContext\n\nclass TestB:\n    mine = UserContext()\n"
            "\n    def test_a(self):\n        self.mine.add(1)\n"
            "\n    def test_b(self):\n        assert 1 < 2\n",
        },
        "assert 1 < 2",
        "self.mine.add(1)",
    ),
    "user of a dispatcher": (
        "SCP404",
        {
            "app.py": "class Dispatcher:\n    def __init__(self):\n"
            "        self.current_user = None\n"
            "    def set_user(self, user):\n        self.current_user = user\n"
            "    def send(self, text):\n        return (self.current_user, text)\n",
            "tests/state.py": "from app import Dispatcher\n\ndispatcher = Dispatcher()\n",
            "tests/test_a.py": "from state import dispatcher\n\ndef test_a():\n"
            "    dispatcher.set_user('anna')\n    assert dispatcher.send('x')\n",
            "tests/test_b.py": "from state import dispatcher\n\ndef test_b():\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "assert dispatcher.send('y')",
    ),
    "headers of a client": (
        "SCP404",
        {
            "tests/state.py": "import httpx\n\nclient = httpx.Client()\n",
            "tests/test_a.py": "from state import client\n\ndef test_a():\n"
            "    client.headers['x'] = 'y'\n    assert client.get('/')\n",
            "tests/test_b.py": "from state import client\n\ndef test_b():\n    assert 1 < 2\n",
        },
        "assert 1 < 2",
        "assert client.get('/')",
    ),
    "one more that is patched": (
        "SCP407",
        {
            "shop.py": "def price():\n    return 3\n",
            "tests/conftest.py": "import pytest\nimport shop\n\n@pytest.fixture\n"
            "def cheap():\n    shop.price = lambda: 1\n",
            "tests/test_a.py": "def test_a(cheap): ...\n",
            "tests/test_b.py": "def test_b(): ...\n",
        },
        "test_b()",
        "test_b(cheap)",
    ),
    "one more with a fixed port": (
        "SCP412",
        {
            "requirements.txt": "pytest-xdist\n",
            "conftest.py": "import socket\nimport pytest\n\n@pytest.fixture(scope='session')\n"
            "def server():\n    with socket.socket() as sock:\n"
            "        sock.bind(('127.0.0.1', 18765))\n        yield sock\n",
            "test_a.py": "def test_a(server): ...\n",
            "test_b.py": "def test_b(): ...\n",
        },
        "test_b()",
        "test_b(server)",
    ),
    "a contract that the names bring in force, and a capture": (
        "SCP501",
        {
            "agent.py": AGENT,
            "test_a.py": "from agent import run\n\ndef test_run_sends_events():\n    events = []\n"
            "    result = run(lambda event: events.append(event))\n"
            "    assert result == 'agent_started'\n",
            "test_b.py": NAMES_LEFT,
        },
        "'one', 'two', 'three'",
        "'agent_started', 'agent_thinking', 'agent_completed'",
    ),
    "a contract that the names bring in force, and a promise": (
        "SCP502",
        {
            "agent.py": AGENT,
            "test_a.py": EVENTS.replace("test_a", "test_all_events_are_sent"),
            "test_b.py": NAMES_LEFT,
        },
        "'one', 'two', 'three'",
        "'agent_started', 'agent_thinking', 'agent_completed'",
    ),
    "a contract that the names bring in force, and a wrong name": (
        "SCP503",
        {
            "agent.py": AGENT,
            "test_a.py": EVENTS.replace("'agent_started' in", "'agent_complete' not in"),
            "test_b.py": NAMES_LEFT,
        },
        "'one', 'two', 'three'",
        "'agent_started', 'agent_thinking', 'agent_completed'",
    ),
    "a contract that the names bring in force, and a pair": (
        "SCP504",
        {
            "agent.py": AGENT,
            "test_a.py": EVENTS.replace("agent_started", "tool_executing"),
            "test_b.py": NAMES_LEFT,
        },
        "'one', 'two', 'three'",
        "'agent_started', 'agent_thinking', 'agent_completed'",
    ),
    "a contract that the names bring in force, and an order": (
        "SCP505",
        {
            "agent.py": AGENT,
            "test_a.py": EVENTS.replace(
                "'agent_started' in types", "{'agent_started', 'agent_completed'} <= types"
            ),
            "test_b.py": NAMES_LEFT,
        },
        "'one', 'two', 'three'",
        "'agent_started', 'agent_thinking', 'agent_completed'",
    ),
    "a method that asserts": (
        "SCP508",
        {
            "hub.py": HUB,
            "test_a.py": "from hub import Connection, publish\n\ndef test_two_users(probe):\n"
            "    alice, bob = Connection(), Connection()\n"
            "    publish(alice, 'message_created')\n    alice_events = alice.drain()\n"
            "    bob_events = bob.drain()\n    probe.settle(bob_events)\n"
            "    assert 'message_created' in alice_events\n",
            "test_b.py": "class Probe:\n    def settle(self, events):\n        print(events)\n\n"
            "def test_b(): ...\n",
        },
        "print(events)",
        "assert events == []",
    ),
}


def looking(distance: str) -> list[Rule]:
    """The rules whose checks look so far."""
    return [
        rule
        for rule in rulebook.rules().values()
        if (check := checks.find(rule.code, rule.name)) and distance_of(check) == distance
    ]


def test_each_rule_that_looks_far_has_a_case() -> None:
    assert {code for code, *_ in WHOLE.values()} == {rule.code for rule in looking("far")}


@pytest.mark.parametrize("name", WHOLE)
def test_what_concerns_other_files_is_seen(tmp_path: Path, name: str) -> None:
    code, files, before, after = WHOLE[name]
    write(tmp_path, {"pytest.ini": "[pytest]\n", **files})
    opt_in = rulebook.find(code).default == "opt-in"
    rules = (code,) if opt_in else None
    first = found(tmp_path, rules=rules)
    (path,) = (path for path in files if path.endswith("test_b.py"))
    file = tmp_path / path
    file.write_text(edited(before, after)(file.read_text()))
    then = found(tmp_path, rules=rules)
    assert then == found(tmp_path, cached=False, rules=rules)
    assert told(first, code) != told(then, code)
    # And back.
    file.write_text(files[path])
    assert found(tmp_path, rules=rules) == first


def told(made: list[Any], code: str) -> set[object]:
    return {one for one in made[:-2] if one.code == code}


def suites_of(rule: Rule) -> list[Example]:
    """Sections of the pages of a rule, those of several files in which it fires first."""

    def rank(example: Example) -> tuple[bool, bool]:
        python = [file for file in example.files if file.path.endswith(".py")]
        return (len(python) < 2, not example.fires)

    found = [one for one in sections() if one.rule == rule.name]
    return sorted(found, key=rank)[:MOST]


def fixed() -> list[Rule]:
    """The rules with fixes that may count."""
    return [rule for rule in rulebook.rules().values() if rule.fix != "none" and not rule.is_engine]


@pytest.mark.parametrize("rule", fixed(), ids=lambda rule: rule.name)
def test_a_fix_that_counts_names_the_fixtures(tmp_path: Path, rule: Rule) -> None:
    fixer = repair.find(rule.code, rule.name)
    assert fixer is not None
    for number, example in enumerate(one for one in suites_of(rule) if one.fires):
        root = tmp_path / str(number)
        testing.write_example(example, root)
        project = Project(root, testing.settings_of(example))
        for one in analyse([], root=root, settings=project.settings, project=project).findings:
            for fix in one.fault.fixes if one.name == rule.name else ():
                counts = COUNTS.search(fix.title) is not None
                assert not counts or (fix.counted and distance_of(fixer) == "far"), fix.title


@pytest.mark.parametrize("rule", looking("near") + looking("far"), ids=lambda rule: rule.name)
def test_each_statement_taken_out_and_put_back(tmp_path: Path, rule: Rule) -> None:
    examples = suites_of(rule)
    assert examples
    for number, example in enumerate(examples):
        root = tmp_path / str(number)
        testing.write_example(example, root)
        settings = testing.settings_of(example)
        reported(root, settings, [], cached=True)
        for file in example.files:
            parts = list(pieces(file.text)) if is_test(file.path) else []
            for index in range(len(parts))[-MOST_PIECES:]:
                for text in ("".join(parts[:index] + parts[index + 1 :]), file.text):
                    (root / file.path).write_text(text)
                    after = reported(root, settings, [], cached=True)
                    assert after == reported(root, settings, [], cached=False)
