"""What is found where no environment is seen, and how sure it is by what files state."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from on_disk import write

from scopecheck.config import Settings
from scopecheck.run import analyse

if TYPE_CHECKING:
    from pathlib import Path

    from scopecheck.finding import Finding

LOCK = """\
version = 1

[[package]]
name = "pytest"
version = "9.2.0"
source = { registry = "https://example.org" }
"""
MISSING = "def test_speed(benchmark):\n    assert benchmark\n"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


def found(root: Path, rule: str, files: dict[str, str]) -> list[Finding]:
    """What a rule finds in these files."""
    write(root, {name: dedent(text) for name, text in files.items()})
    return list(analyse([], root=root, settings=Settings(select=(rule,))).findings)


def said(findings: list[Finding]) -> list[tuple[str, str]]:
    """How sure and how severe each is."""
    return [(finding.certainty, finding.severity) for finding in findings]


@pytest.mark.parametrize(
    ("stated", "doubt"),
    [
        ({"uv.lock": LOCK}, False),
        ({"requirements.txt": "pytest>=8\n"}, True),
    ],
)
def test_a_name_that_nothing_defines(tmp_path: Path, stated: dict[str, str], doubt: bool) -> None:
    findings = found(tmp_path, "SCP301", {"test_speed.py": MISSING, **stated})
    assert said(findings) == [("proved", "error")]
    notes = " ".join(findings[0].fault.notes)
    assert ("no environment and no lock file was found" in notes) == doubt


def test_a_name_of_a_popular_plugin_where_nothing_is_stated(tmp_path: Path) -> None:
    assert found(tmp_path, "SCP301", {"test_speed.py": MISSING}) == []


def test_a_name_that_the_suite_defines_elsewhere_is_proved(tmp_path: Path) -> None:
    fixture = "import pytest\n\n\n@pytest.fixture\ndef token():\n    return 1\n"
    files = {
        "requirements.txt": "pytest>=8\n",
        "api/conftest.py": fixture,
        "api/test_api.py": "def test_api(token):\n    assert token\n",
        "web/test_web.py": "def test_web(token):\n    assert token\n",
    }
    assert said(found(tmp_path, "SCP301", files)) == [("proved", "error")]


@pytest.mark.parametrize("script", [".github/workflows/test.yml", "Makefile", "scripts/test.sh"])
def test_a_plugin_that_a_script_installs(tmp_path: Path, script: str) -> None:
    files = {
        "requirements.txt": "pytest>=8\n",
        script: "test:\n\tpip install pytest pytest-benchmark && pytest\n",
        "test_speed.py": MISSING,
        "test_other.py": "def test_other(benchmrak):\n    assert benchmrak\n",
    }
    # It ships no fixture of the other name.
    assert [one.fault.place.path for one in found(tmp_path, "SCP301", files)] == ["test_other.py"]


def test_a_script_does_not_count_where_a_lock_lists_all(tmp_path: Path) -> None:
    script = {".github/workflows/test.yml": "- run: pip install pytest-benchmark\n"}
    files = {"uv.lock": LOCK, "test_speed.py": MISSING, **script}
    assert said(found(tmp_path, "SCP301", files)) == [("proved", "error")]


def test_a_suite_that_lives_on_a_plugin_that_is_not_seen(tmp_path: Path) -> None:
    tests = {
        f"test_{name}.py": f"def test_{name}(project):\n    assert project\n" for name in "abc"
    }
    files = {
        "requirements.txt": "pytest>=8\n",
        "test_d.py": "def test_d(adapter):\n    assert adapter\n",
        **tests,
    }
    assert found(tmp_path, "SCP301", files) == []
    more = {f"test_more_{n}.py": f"def test_{n}():\n    assert {n} + 1\n" for n in range(9)}
    findings = found(tmp_path, "SCP301", more)
    assert [finding.fault.place.path for finding in findings] == ["test_d.py"]


def test_a_distribution_whose_option_pytest_is_given(tmp_path: Path) -> None:
    options = '[tool.pytest.ini_options]\naddopts = "--strict-markers --clockwork"\n'
    files = {
        "requirements.txt": "pytest>=8\nclockwork\n",
        "pyproject.toml": options,
        "test_time.py": "def test_time(chronometer):\n    assert chronometer\n",
    }
    assert found(tmp_path, "SCP301", files) == []
    assert (
        len(found(tmp_path, "SCP301", {"pyproject.toml": options.replace("--clockwork", "")})) == 1
    )


def test_an_option_of_another_plugin_says_nothing_of_the_tool_it_runs(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "pytest>=8\npytest-ruff\nruff\n",
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--ruff"\n',
        "test_time.py": "def test_time(chronometer):\n    assert chronometer\n",
    }
    assert len(found(tmp_path, "SCP301", files)) == 1


def test_fixtures_that_are_written_into_pytests_own_table(tmp_path: Path) -> None:
    conftest = """\
        import pytest


        @pytest.fixture(scope="session", autouse=True)
        def register(request):
            request._fixturemanager._arg2fixturedefs["plugin"] = [object()]
        """
    files = {
        "uv.lock": LOCK,
        "conftest.py": conftest,
        "test_plugin.py": "def test_plugin(plugin):\n    assert plugin\n",
    }
    assert found(tmp_path, "SCP301", files) == []


USES = "\n\n\ndef test_it():\n    assert {}\n"
IMPORTS = {
    "shop/__init__.py": "",
    "tests/__init__.py": "",
    "tests/test_name.py": "from shop import price" + USES.format("price"),
    "tests/test_module.py": "from tests.common import make" + USES.format("make"),
}


def test_an_import_where_nothing_is_stated(tmp_path: Path) -> None:
    findings = found(tmp_path, "SCP311", IMPORTS)
    assert [finding.fault.place.path for finding in findings] == ["tests/test_name.py"]
    assert said(findings) == [("proved", "error")]
    assert "nothing was found that states" in " ".join(findings[0].fault.notes)


def test_an_import_where_pytest_is_stated(tmp_path: Path) -> None:
    findings = found(tmp_path, "SCP311", {"requirements.txt": "pytest\n", **IMPORTS})
    assert said(findings) == [("proved", "error")] * 2


METHOD = """\
    import pytest


    class TestRows:
        @pytest.fixture(scope="class")
        def rows(self):
            return [1]

        def test_rows(self, rows):
            assert rows
    """


@pytest.mark.parametrize(
    ("pin", "how", "note"),
    [
        ("pytest>=9.2", ("proved", "error"), ""),
        ("pytest>=8", ("likely", "warning"), "the newest that requirements.txt:1 allows"),
        ("requests", ("likely", "warning"), "nothing states which is installed"),
    ],
)
def test_what_only_a_new_pytest_warns_of(
    tmp_path: Path, pin: str, how: tuple[str, str], note: str
) -> None:
    files = {"requirements.txt": f"{pin}\n", "test_rows.py": METHOD}
    findings = found(tmp_path, "SCP105", files)
    assert said(findings) == [how]
    notes = " ".join(findings[0].fault.notes)
    assert note in notes
    assert ("taken as pytest" in notes) == bool(note)


def test_what_is_lost_in_any_version_is_proved(tmp_path: Path) -> None:
    stores = METHOD.replace("return [1]", "self.kept = [1]")
    files = {"requirements.txt": "pytest>=8\n", "test_rows.py": stores}
    assert said(found(tmp_path, "SCP105", files)) == [("proved", "error")]
