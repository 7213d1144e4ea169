"""Settings in, or the exact words about what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scopecheck.config import (
    ConfigError,
    EventContract,
    FixtureDecorator,
    KnownFixture,
    LoadedSettings,
    RealServices,
    Settings,
    load_settings,
    settings_schema,
)
from scopecheck.toml import TomlError, key_lines, parse_toml

RULES = {"SCP101", "scope-mismatch", "SCP102", "override-scope", "SCP201", "wide-async-loop"}
EVERY_KEY = """
[tool.scopecheck]
select = ["ALL"]
ignore = ["SCP2"]
extend-select = ["scope-mismatch"]
extend-ignore = ["SCP102"]
preview = true
respect-gitignore = false
exclude = ["tests/data"]
python = ".venv"
known-fixtures = ["db", { name = "api", scope = "session", async = true, loop-scope = "module" }]
fixture-decorators = ["acme.fixture", { name = "acme.async_fixture", runs-async = true }]
context-factories = ["make_*_context"]
assert-functions = ["check_*"]
baseline = "scopecheck-baseline.json"
cache-dir = ".cache/scopecheck"
jobs = 2

[tool.scopecheck.severity]
scope-mismatch = "warning"

[tool.scopecheck.per-file-ignores]
"tests/old/*" = ["SCP1"]

[tool.scopecheck.plugins]
pytest = "9.2.0"

[tool.scopecheck.paired-calls]
disable_isolation = "enable_isolation"

[tool.scopecheck.events.agent]
required = ["started", "done"]
pairs = [["tool_executing", "tool_completed"]]
order = ["started", "done"]
name-at = ["type", "payload.event"]
capture = ["*.receive_json", "ws_events"]
emit-prefixes = ["emit_"]
assert-helpers = ["assert_flow"]
full-flow = "tests/e2e/**"

[tool.scopecheck.real-services]
marks = ["real"]
paths = ["tests/real/*"]
allow = ["acme.clock"]
"""


def load(folder: Path, text: str, name: str = "pyproject.toml", **more: Any) -> LoadedSettings:
    (folder / name).write_text(text)
    return load_settings(cwd=folder, known_rules=RULES, **more)


def test_every_key_is_read(tmp_path: Path) -> None:
    loaded = load(tmp_path, EVERY_KEY)
    assert loaded.root == tmp_path
    assert loaded.file == tmp_path / "pyproject.toml"
    assert loaded.settings == Settings(
        select=("ALL",),
        ignore=("SCP2",),
        extend_select=("scope-mismatch",),
        extend_ignore=("SCP102",),
        preview=True,
        severity={"scope-mismatch": "warning"},
        respect_gitignore=False,
        per_file_ignores={"tests/old/*": ("SCP1",)},
        exclude=("tests/data",),
        python=".venv",
        plugins={"pytest": "9.2.0"},
        known_fixtures=(
            "db",
            KnownFixture("api", scope="session", is_async=True, loop_scope="module"),
        ),
        fixture_decorators=(
            "acme.fixture",
            FixtureDecorator("acme.async_fixture", runs_async=True),
        ),
        context_factories=("make_*_context",),
        assert_functions=("check_*",),
        paired_calls={"disable_isolation": "enable_isolation"},
        events={
            "agent": EventContract(
                required=("started", "done"),
                pairs=(("tool_executing", "tool_completed"),),
                order=("started", "done"),
                name_at=("type", "payload.event"),
                capture=("*.receive_json", "ws_events"),
                emit_prefixes=("emit_",),
                assert_helpers=("assert_flow",),
                full_flow="tests/e2e/**",
            ),
        },
        real_services=RealServices(("real",), ("tests/real/*",), ("acme.clock",)),
        baseline="scopecheck-baseline.json",
        cache_dir=".cache/scopecheck",
        jobs=2,
    )
    assert set(loaded.origins) == set(Settings.__struct_encode_fields__)
    assert loaded.origins["select"] == "pyproject.toml:3"
    assert loaded.origins["jobs"] == "pyproject.toml:17"
    assert loaded.origins["severity"] == "pyproject.toml:19"
    assert loaded.origins["events"] == "pyproject.toml:31"


def test_every_key_fits_the_schema_and_is_described() -> None:
    schema = settings_schema()
    document: Any = parse_toml(EVERY_KEY)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document["tool"]["scopecheck"], schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"selct": []}, schema)
    for name, definition in schema["$defs"].items():
        for key, about in definition.get("properties", {}).items():
            assert about.get("description"), f"{name}.{key}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'selct = ["SCP1"]\n',
            "pyproject.toml:2: tool.scopecheck.selct: unknown key; did you mean `select`?",
        ),
        (
            "\nper_file_ignores = {}\n",
            "pyproject.toml:3: tool.scopecheck.per_file_ignores: unknown key; "
            "did you mean `per-file-ignores`?",
        ),
        (
            'select = "SCP1"\n',
            "pyproject.toml:2: tool.scopecheck.select: expected a list, got a string",
        ),
        (
            "select = [1]\n",
            "pyproject.toml:2: tool.scopecheck.select[0]: expected a string, got a whole number",
        ),
        (
            'preview = "yes"\n',
            "pyproject.toml:2: tool.scopecheck.preview: expected true or false, got a string",
        ),
        (
            'select = ["SCP9"]\n',
            "pyproject.toml:2: tool.scopecheck.select[0]: 'SCP9' names no rule; "
            "expected a code, a prefix, a name or `ALL`",
        ),
        (
            'ignore = [\n  "SCP101",\n  "scope-mismach",\n]\n',
            "pyproject.toml:2: tool.scopecheck.ignore[1]: 'scope-mismach' names no rule; "
            "did you mean `scope-mismatch`?",
        ),
        (
            'ignore = ["scp101"]\n',
            "pyproject.toml:2: tool.scopecheck.ignore[0]: 'scp101' names no rule; "
            "did you mean `SCP101`?",
        ),
        (
            'per-file-ignores = { "tests/*" = ["nope"] }\n',
            'pyproject.toml:2: tool.scopecheck.per-file-ignores."tests/*"[0]: '
            "'nope' names no rule; expected a code, a prefix, a name or `ALL`",
        ),
        (
            '[tool.scopecheck.severity]\nSCP101 = "fatal"\n',
            "pyproject.toml:3: tool.scopecheck.severity.SCP101: unknown value 'fatal'; "
            "expected one of error, warning",
        ),
        (
            '[tool.scopecheck.severity]\nSCP1 = "error"\n',
            "pyproject.toml:3: tool.scopecheck.severity.SCP1: 'SCP1' is no rule's code or name",
        ),
        (
            'known-fixtures = [{ scope = "session" }]\n',
            "pyproject.toml:2: tool.scopecheck.known-fixtures[0]: the key `name` is missing",
        ),
        (
            'known-fixtures = [{ name = "db", scope = "sesion" }]\n',
            "pyproject.toml:2: tool.scopecheck.known-fixtures[0].scope: unknown value 'sesion'; "
            "expected one of function, class, module, package, session; did you mean `session`?",
        ),
        (
            '[tool.scopecheck.events.a]\n[tool.scopecheck.events.b]\nrequire = ["x"]\n',
            "pyproject.toml:4: tool.scopecheck.events.b.require: unknown key; "
            "did you mean `required`?",
        ),
        (
            'events.a.pairs = [["one"]]\n',
            "pyproject.toml:2: tool.scopecheck.events.a.pairs[0]: expected a list of 2 strings",
        ),
        (
            "jobs = 0\n",
            "pyproject.toml:2: tool.scopecheck.jobs: expected a number of processes, got 0",
        ),
        (
            'plugins = { pytest = "9.2", pytest-asyncio = ">=1.0" }\n',
            "pyproject.toml:2: tool.scopecheck.plugins.pytest-asyncio: expected a version like "
            "`1.5.0`, got '>=1.0'",
        ),
        (
            'cache-dir = ""\n',
            "pyproject.toml:2: tool.scopecheck.cache-dir: expected a string that is not empty",
        ),
        (
            "[tool.scopecheck.plugins]\npytest = 9\n",
            "pyproject.toml:3: tool.scopecheck.plugins.pytest: expected a string, "
            "got a whole number",
        ),
        (
            "[tool.scopecheck.paired-calls]\na = 1\n",
            "pyproject.toml:3: tool.scopecheck.paired-calls.a: expected a string, "
            "got a whole number",
        ),
        ("select = [\n", "pyproject.toml:2: is no TOML: Invalid value"),
    ],
)
def test_what_is_wrong_is_said_exactly(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "[tool.scopecheck]\n" + text)
    assert str(caught.value) == expected


def test_the_table_must_be_a_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^pyproject.toml:2: tool.scopecheck: expected a table$"):
        load(tmp_path, "[tool]\nscopecheck = 1\n")


def test_the_own_file_wins_and_is_not_merged(tmp_path: Path) -> None:
    (tmp_path / "scopecheck.toml").write_text("preview = true\n")
    loaded = load(tmp_path, "[tool.scopecheck]\njobs = 3\n")
    assert loaded.file == tmp_path / "scopecheck.toml"
    assert loaded.settings == Settings(preview=True)
    assert loaded.origins["preview"] == "scopecheck.toml:1"
    assert loaded.origins["jobs"] == "default"


def test_the_own_file_has_no_table(tmp_path: Path) -> None:
    text = "[tool.scopecheck]\njobs = 3\n"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, "scopecheck.toml")
    assert str(caught.value) == (
        "scopecheck.toml:1: tool: in scopecheck.toml the keys stand at the top, "
        "without [tool.scopecheck]"
    )


def test_the_root_is_the_nearest_folder_with_a_configuration(tmp_path: Path) -> None:
    inner = tmp_path / "packages/a/tests"
    inner.mkdir(parents=True)
    (tmp_path / "packages/b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "packages/a/pyproject.toml").write_text("[tool.scopecheck]\njobs = 1\n")
    (tmp_path / "pyproject.toml").write_text("[tool.scopecheck]\njobs = 2\n")

    def root(*paths: str, **more: Any) -> tuple[str, int | None]:
        loaded = load_settings([Path(one) for one in paths], cwd=tmp_path, **more)
        return loaded.root.relative_to(tmp_path).as_posix(), loaded.settings.jobs

    assert root() == (".", 2)
    assert root("packages/a/tests") == ("packages/a", 1)
    assert root("packages/a/tests", "packages/b") == (".", 2)
    assert root("packages/b") == (".", 2)
    assert root("packages/a", isolated=True) == ("packages/a", None)
    assert root("packages/a", root=Path("packages")) == ("packages", None)
    assert root("packages/b", config=Path("packages/a/pyproject.toml")) == (".", 1)


def test_without_a_configuration_the_root_is_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/pyproject.toml").write_text("this is no TOML")
    loaded = load_settings(cwd=tmp_path / "sub")
    assert (loaded.root, loaded.file) == (tmp_path, None)


def test_a_configuration_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^nope.toml: cannot be read: No such file"):
        load_settings(cwd=tmp_path, config=Path("nope.toml"))
    (tmp_path / "pyproject.toml").write_text("")
    with pytest.raises(ConfigError, match=r"pyproject.toml has no \[tool.scopecheck\] table"):
        load_settings(cwd=tmp_path, config=Path("pyproject.toml"))


def test_lines_of_keys() -> None:
    text = '''# comment = 1
a = "x = 1"
b.c = """
d = 2
"""
[t."q.r"]
e = [
  1, # ]
  "]",
]
f = { g = 1 }
[[list]]
h = 1
[list.inner]
i = 1
[[list]]
'j' = \'\'\'
k = 1\'\'\'
'''
    parse_toml(text)
    assert key_lines(text) == {
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 3,
        ("t",): 6,
        ("t", "q.r"): 6,
        ("t", "q.r", "e"): 7,
        ("t", "q.r", "f"): 11,
        ("list",): 12,
        ("list", 0): 12,
        ("list", 0, "h"): 13,
        ("list", 0, "inner"): 14,
        ("list", 0, "inner", "i"): 15,
        ("list", 1): 16,
        ("list", 1, "j"): 17,
    }


def test_wrong_toml_names_its_line() -> None:
    with pytest.raises(TomlError) as caught:
        parse_toml("a = 1\nb = = 2\n")
    assert caught.value.line == 2
