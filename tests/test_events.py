"""`scopecheck events`: contracts in force, captures, and coverage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from scopecheck.cli import cli

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parent.parent / "examples/agent_platform"
TESTS = "tests/websocket/test_agent_events.py"

CONTRACT = """
[events.order]
required = ["order.created", "order.paid", "order.shipped"]
pairs = [["order.paid", "order.shipped"]]
"""

ORDERS = """
from shop import buy
from names import EVERYTHING

def test_created():
    received = []
    buy(received.append)
    assert "order.created" in received

def test_all():
    received = []
    buy(received.append)
    print(received)

def test_one_of(received):
    assert any(name in received for name in EVERYTHING)
"""


def test_uncovered_event_stands_in_a_configuration_outside_of_the_root(tmp_path: Path) -> None:
    root, config = tmp_path / "project", tmp_path / "lint.toml"
    root.mkdir()
    (root / "test_orders.py").write_text(ORDERS, encoding="utf-8")
    arguments = ["--root", str(root), "--config", str(config), "--output-format", "json", str(root)]
    for lines in (0, 2):
        # The second time by what was kept of the first one.
        config.write_text("\n" * lines + CONTRACT, encoding="utf-8")
        result = CliRunner().invoke(cli, ["check", "--select", "SCP506", *arguments])
        found = json.loads(result.stdout)["findings"]
        places = {(one["path"], one["line"]) for one in found}
        assert places == {("../lint.toml", lines + 2)}


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scopecheck.toml").write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "shop.py").write_text("def buy(emit):\n    emit('order.created')\n", "utf-8")
    (tmp_path / "names.py").write_text('EVERYTHING = ("order.paid", "order.created")\n', "utf-8")
    (tmp_path / "test_orders.py").write_text(ORDERS, encoding="utf-8")

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(cli, ["events", "--root", str(tmp_path), *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_json_of_the_example() -> None:
    arguments = ["events", "--isolated", "--root", str(EXAMPLE), str(EXAMPLE)]
    result = CliRunner().invoke(cli, [*arguments, "--output-format", "json"])
    document = json.loads(result.stdout)
    (contract,) = document["contracts"]
    assert contract["name"] == "agent"
    assert contract["origin"] == "preset"
    covered = {one["event"]: len(one["tests"]) for one in contract["coverage"]}
    assert covered == {
        "agent_started": 2,
        "agent_thinking": 0,
        "tool_executing": 2,
        "tool_completed": 1,
        "agent_completed": 1,
    }
    forgotten = [one for one in document["captures"] if one["fate"] == "unused"]
    assert [(one["path"], one["line"], one["name"]) for one in forgotten] == [(TESTS, 16, "events")]


def test_json_has_what_its_documentation_shows(events: Callable[..., Any], tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs/output.md").read_text("utf-8")
    _, section = page.split("## `scopecheck events --output-format json`")
    shown = json.loads(section.split("```")[1].removeprefix("json"))
    document = json.loads(events(str(tmp_path), "--output-format", "json"))
    assert shown.keys() == document.keys()
    for part in ("contracts", "captures"):
        assert shown[part][0].keys() == document[part][0].keys()
    assert shown["contracts"][0]["coverage"][0].keys() == {"event", "tests"}


def test_contract_of_the_configuration(events: Callable[..., Any], tmp_path: Path) -> None:
    document = json.loads(events(str(tmp_path), "--output-format", "json"))
    (contract,) = document["contracts"]
    assert contract["origin"] == "scopecheck.toml:2"
    assert contract["pairs"] == [["order.paid", "order.shipped"]]
    assert {one["event"]: one["tests"] for one in contract["coverage"]} == {
        "order.created": ["test_orders.py::test_created", "test_orders.py::test_one_of"],
        "order.paid": ["test_orders.py::test_one_of"],
        "order.shipped": [],
    }


def test_table(events: Callable[..., Any], tmp_path: Path) -> None:
    output = events(str(tmp_path))
    assert "contract order (scopecheck.toml:2): 2 of 3 required events are asserted" in output
    assert "order.shipped  0      -" in output
    assert (
        "test_orders.py:11  received  a list that is filled  list      only logged or printed"
        in output
    )


def test_markdown(events: Callable[..., Any], tmp_path: Path) -> None:
    output = events(str(tmp_path), "--output-format", "markdown")
    assert "| order.shipped | 0 | - |" in output
    assert "| test_orders.py::test_one_of | x | x |  |" in output


def test_text_is_about_the_working_directory(
    events: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    lines = [line.split() for line in events(str(tmp_path)).splitlines()]
    assert lines[0][:3] == ["contract", "order", "(../scopecheck.toml:2):"]
    assert lines[2] == ["order.created", "2", "../test_orders.py::test_created"]
    assert lines[4] == ["order.shipped", "0", "-"]
    assert ["../test_orders.py:6", "received"] in [line[:2] for line in lines]


def test_contracts_of_several_suites(events: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "test_orders.py").unlink()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (tmp_path / name / "test_orders.py").write_text(ORDERS, encoding="utf-8")
    found = json.loads(events("--output-format", "json"))["contracts"]
    assert [(one["suite"], one["name"]) for one in found] == [("a", "order"), ("b", "order")]
    text = events()
    assert "suite b: contract order (scopecheck.toml:2): " in text
    assert "order.created  2      b/test_orders.py::test_created" in text
    assert "## Contract order of b" in events("--output-format", "markdown")


def test_only_the_tests_that_are_asked_for(events: Callable[..., Any], tmp_path: Path) -> None:
    output = events(f"{tmp_path}/test_orders.py::test_created", "--output-format", "json")
    contract = json.loads(output)["contracts"][0]
    assert [len(one["tests"]) for one in contract["coverage"]] == [1, 0, 0]


def test_no_contract(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_a(): ...\n", encoding="utf-8")
    result = CliRunner().invoke(cli, ["events", "--root", str(tmp_path), str(tmp_path)])
    assert result.stdout.startswith("no event contract is in force")


CAPTURES = """
import pytest

@pytest.fixture
def events():
    return []

def test_captures(client, sio, emit, caplog, capsys, recwarn, events, outbox):
    with client.websocket_connect("/") as ws:
        message = ws.receive_json()
        ws.receive_text()
    got = sio.get_received()
    calls = emit.call_args_list
    out, err = capsys.readouterr()
    records = caplog.records
    received = []
    emitted = sio.drain()
    assert True in (message, got, calls, out, err, records, received, emitted)
"""


def test_every_kind_of_capture(tmp_path: Path) -> None:
    (tmp_path / "scopecheck.toml").write_text('[events.a]\ncapture = ["outbox"]\n', "utf-8")
    (tmp_path / "test_a.py").write_text(CAPTURES, encoding="utf-8")
    arguments = ["events", "--root", str(tmp_path), str(tmp_path), "--output-format", "json"]
    found = json.loads(CliRunner().invoke(cli, arguments).stdout)["captures"]
    assert {(one["name"], one["source"], one["kind"]) for one in found} == {
        ("message", "ws.receive_json", "socket"),
        ("ws.receive_text", "ws.receive_text", "socket"),
        ("got", "sio.get_received", "socket"),
        ("calls", "emit.call_args_list", "mock"),
        ("capsys", "capsys", "output"),
        ("out", "capsys.readouterr", "output"),
        ("err", "capsys.readouterr", "output"),
        ("caplog", "caplog", "log"),
        ("records", "caplog.records", "log"),
        ("recwarn", "recwarn", "warnings"),
        ("events", "events", "list"),
        ("received", "", "list"),
        ("emitted", "sio.drain", "name"),
        ("outbox", "outbox", "configuration"),
    }


def test_what_full_output_shows_of_a_finding(tmp_path: Path) -> None:
    """Where events are captured, what is done with them, what of the contract is missing."""
    (tmp_path / "scopecheck.toml").write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "shop.py").write_text("def buy(emit):\n    emit('order.created')\n", "utf-8")
    (tmp_path / "test_orders.py").write_text(
        "from shop import buy\n\n"
        "def test_buying_sends_events():\n"
        "    received = []\n"
        "    buy(received.append)\n"
        "    print(received)\n\n"
        "def test_all_events_of_an_order():\n"
        "    received = []\n"
        "    buy(received.append)\n"
        '    assert "order.created" in received\n',
        encoding="utf-8",
    )
    arguments = ["--root", str(tmp_path), str(tmp_path), "--output-format", "full"]
    found = CliRunner().invoke(cli, ["check", *arguments, "--color", "never", "--no-cache"])
    lines = [line.split("|", 1)[-1].strip() for line in found.stdout.splitlines()]
    for words in (
        "--------------- only logged",
        "contract `order` is asserted: `order.created`, `order.paid` and `order.shipped`",
        "-------- captured here",
        "--------------- `order.created` is asserted",
        "note: it passes when `order.paid` and `order.shipped` are not sent",
    ):
        assert any(line.endswith(words) for line in lines), found.stdout
