"""Plugins: versions against `packaging`, the table against the pytest that runs these tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import packaging.specifiers
import packaging.version
import pytest
from growth import growth
from hypothesis import given
from hypothesis import strategies as st
from on_disk import write

from scopecheck.plugins import (
    PluginSet,
    bundled_fixtures,
    bundled_plugins,
    find_environment,
    find_module,
    named_plugins,
    plugins_in_force,
    resolve_version,
    stated_versions,
)
from scopecheck.plugins.stated import announced_plugins
from scopecheck.plugins.table import bundled_modules, known_releases
from scopecheck.plugins.versions import allowed_releases, parse_specifier, parse_version

NUMBERS = st.integers(0, 3).map(str)
RELEASES = st.lists(NUMBERS, min_size=1, max_size=4).map(".".join)


@st.composite
def version_texts(draw: st.DrawFn, local: bool = True) -> str:
    text = draw(st.sampled_from(["", "", "", "1!", "v"])) + draw(RELEASES)
    if draw(st.booleans()):
        text += draw(st.sampled_from(["a1", "b", ".rc2", "-alpha.1", "c0", "preview_3", "RC1"]))
    if draw(st.booleans()):
        text += draw(st.sampled_from([".post1", "-2", "post", ".rev3", "_r1", ".POST0"]))
    if draw(st.booleans()):
        text += draw(st.sampled_from([".dev1", "dev", "-dev0"]))
    if local and draw(st.booleans()):
        text += draw(st.sampled_from(["+cpu", "+1", "+1.2", "+a.1", "+A-2", "+0"]))
    return text


@st.composite
def clause_texts(draw: st.DrawFn) -> str:
    operator = draw(st.sampled_from(["==", "!=", "~=", "<=", ">=", "<", ">", "==*", "!=*", "==="]))
    if operator.endswith("*"):
        return f"{operator[:2]}{draw(RELEASES)}.*"
    if operator == "~=":
        return f"~={draw(NUMBERS)}.{draw(RELEASES)}"
    return operator + draw(version_texts(local=operator in ("==", "!=", "===")))


@given(version_texts(), version_texts())
def test_versions_compare_as_pep_440_has_it(left: str, right: str) -> None:
    ours, theirs = parse_version(left), parse_version(right)
    assert ours is not None
    assert theirs is not None
    expected_left, expected_right = (packaging.version.Version(text) for text in (left, right))
    assert (ours < theirs) == (expected_left < expected_right)
    assert (ours > theirs) == (expected_left > expected_right)
    assert ours.same(theirs) == (expected_left == expected_right)
    assert ours.is_prerelease == expected_left.is_prerelease


@given(st.text("0123456789.ab!+-*_ rcdevpost", max_size=12))
def test_what_is_no_version_is_none(text: str) -> None:
    try:
        expected: packaging.version.Version | None = packaging.version.Version(text)
    except packaging.version.InvalidVersion:
        expected = None
    found = parse_version(text)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.release == expected.release


@given(st.lists(clause_texts(), min_size=1, max_size=3).map(",".join), version_texts())
def test_specifiers_allow_what_packaging_allows(specifier: str, version: str) -> None:
    found = parse_specifier(specifier)
    assert found is not None
    expected = packaging.specifiers.SpecifierSet(specifier).contains(version, prereleases=True)
    assert found.allows(version) == expected


@pytest.mark.parametrize(
    ("specifier", "allowed", "refused"),
    [
        ("^1.2", "1.9", "2.0"),
        ("^0.23", "0.23.8", "0.24.0"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("~8.1", "8.1.9", "8.2"),
        ("~8", "8.9", "9.0"),
        ("8.*", "8.4.2", "9.0"),
        ("8.3.5", "8.3.5", "8.3.4"),
        ("*", "1.0", None),
        ("", "1.0", None),
        (">=7.0, <9,", "8.0", "9.0"),
        ("(>=7,<9)", "8.0", "9.0"),
    ],
)
def test_specifiers_in_other_spellings(specifier: str, allowed: str, refused: str | None) -> None:
    found = parse_specifier(specifier)
    assert found is not None
    assert found.allows(allowed)
    if refused is not None:
        assert not found.allows(refused)


@pytest.mark.parametrize("text", ["git+https://x", "latest", ">=", "== ==1", "~=1", "?"])
def test_what_is_no_specifier_is_none(text: str) -> None:
    assert parse_specifier(text) is None


def test_specifiers_that_exclude_each_other_are_for_different_pythons() -> None:
    pins = [s for s in map(parse_specifier, ("<8", ">=8,<8.4")) if s]
    assert allowed_releases(["7.4.4", "8.3.5", "9.0.0"], pins) == ("7.4.4", "8.3.5")


# Environments


def fake_environment(folder: Path, layout: str = "lib/python3.12/site-packages") -> Path:
    site = folder / layout
    site.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
    install(site, "pytest", "8.3.5")
    return site


def install(site: Path, name: str, version: str, entry_points: str = "") -> Path:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    if entry_points:
        (folder / "entry_points.txt").write_text(entry_points)
    return folder


@pytest.mark.parametrize("layout", ["lib/python3.12/site-packages", "Lib/site-packages"])
def test_an_environment_beside_the_suite_is_found(tmp_path: Path, layout: str) -> None:
    site = fake_environment(tmp_path / ".venv", layout)
    install(site, "Pytest_Foo", "1.0", "[console_scripts]\nx = y:z\n\n[pytest11]\nfoo = foo.plug\n")
    (site / "foo").mkdir()
    (site / "foo" / "__init__.py").touch()
    (site / "foo" / "plug.py").touch()
    suite = tmp_path / "services" / "api"
    suite.mkdir(parents=True)
    found = find_environment(tmp_path, start=suite, environ={})
    assert found is not None
    assert (found.how, found.site_packages) == (".venv", (site,))
    assert found.versions == {"pytest": "8.3.5", "pytest-foo": "1.0"}
    assert [(e.name, e.module, e.dist) for e in found.entry_points] == [
        ("foo", "foo.plug", "pytest-foo")
    ]
    assert find_module(found, "foo") == site / "foo" / "__init__.py"
    assert find_module(found, "foo.plug") == site / "foo" / "plug.py"
    assert find_module(found, "foo.other") is None
    assert find_module(found, "../foo") is None


def test_the_active_environment_comes_first_if_pytest_is_in_it(tmp_path: Path) -> None:
    fake_environment(tmp_path / "project" / "venv")
    fake_environment(tmp_path / "active")
    (tmp_path / "hook" / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    root = tmp_path / "project"
    found = find_environment(root, environ={"VIRTUAL_ENV": str(tmp_path / "active")})
    assert found is not None
    assert found.how == "VIRTUAL_ENV"
    # A hook's own environment is not the project's.
    found = find_environment(root, environ={"VIRTUAL_ENV": str(tmp_path / "hook")})
    assert found is not None
    assert found.how == "venv"
    assert find_environment(tmp_path / "hook", environ={}) is None


def test_an_environment_can_be_named_by_its_interpreter(tmp_path: Path) -> None:
    site = fake_environment(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    for named in (python, tmp_path / "env"):
        found = find_environment(tmp_path, named, environ={})
        assert found is not None
        assert (found.how, found.site_packages) == ("--python", (site,))
    with pytest.raises(FileNotFoundError, match=r"no such interpreter or environment: .*missing"):
        find_environment(tmp_path, tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="no such interpreter or environment"):
        find_environment(tmp_path, tmp_path / ("a" * 5000))
    with pytest.raises(FileNotFoundError, match="no site-packages folder found"):
        find_environment(tmp_path, tmp_path)


def test_editable_installs_lead_to_their_checkout(tmp_path: Path) -> None:
    site = fake_environment(tmp_path / ".venv")
    checkout, other, old = (tmp_path / name for name in ("checkout", "other", "old"))
    for folder in (checkout / "src" / "one", other / "two", old):
        folder.mkdir(parents=True)
    (checkout / "src" / "one" / "__init__.py").touch()
    (other / "two" / "__init__.py").touch()
    (other / "three.py").touch()
    (old / "four.py").touch()
    (old / "four.egg-info").mkdir()
    (old / "four.egg-info" / "PKG-INFO").write_text("Name: four\nVersion: 4.0\n\nVersion: 9\n")
    (old / "four.egg-info" / "entry_points.txt").write_text("[pytest11]\nfour = four\n")
    (site / "_one.pth").write_text(f"# a comment\n{checkout / 'src'}\n/nowhere\n")
    (site / "easy-install.pth").write_text(f"import os; raise SystemExit(3)\n{old}\n")
    (site / "__editable__.two-1.0.pth").write_text("import __editable___two_1_0_finder\n")
    mapping = {"two": str(other / "two"), "three": str(other / "three.py")}
    (site / "__editable___two_1_0_finder.py").write_text(
        f"raise SystemExit(3)\nMAPPING: dict[str, str] = {mapping!r}\n"
    )
    found = find_environment(tmp_path, environ={})
    assert found is not None
    assert find_module(found, "one") == checkout / "src" / "one" / "__init__.py"
    assert find_module(found, "two") == other / "two" / "__init__.py"
    assert find_module(found, "three") == other / "three.py"
    assert find_module(found, "four") == old / "four.py"
    assert found.versions["four"] == "4.0"
    assert [entry.name for entry in found.entry_points] == ["four"]
    assert found.notes == ()


def test_broken_metadata_is_noted_and_passed_over(tmp_path: Path) -> None:
    site = fake_environment(tmp_path / ".venv")
    (site / "~ytest-8.0.0.dist-info").mkdir()
    (site / "nonsense.dist-info").mkdir()
    (site / "file-1.0.dist-info").write_text("")
    broken = install(site, "broken", "1.0", "[pytest11]\n")
    (broken / "entry_points.txt").write_bytes(b"\xff\xfe[pytest11]\nx = y\n")
    install(site, "odd", "1.0", "[pytest11]\nno equals sign\n= x\n  ok  =  a.b:c [extra]\n")
    (site / "__editable___x_finder.py").write_text("def (:")
    found = find_environment(tmp_path, environ={})
    assert found is not None
    assert found.versions["pytest"] == "8.3.5"
    assert [(e.name, e.module, e.attr) for e in found.entry_points] == [("ok", "a.b", "c")]
    assert len(found.notes) == 2
    assert any("broken-1.0.dist-info" in note for note in found.notes)


def test_many_distributions_are_read_in_a_time_that_grows_with_them(tmp_path: Path) -> None:
    for count in (100, 400):
        site = fake_environment(tmp_path / f"{count}/.venv")
        for number in range(count):
            install(site, f"dist_{number}", "1.0", "[console_scripts]\nx = y:z\n")

    def find(count: int) -> None:
        assert find_environment(tmp_path / str(count), environ={}) is not None

    assert growth(lambda: find(100), lambda: find(400)) < 8


# What files state


def said(root: Path, dist: str, rootdir: Path | None = None) -> list[tuple[str, str, str]]:
    found = stated_versions(root, rootdir or root).get(dist)
    return [(s.kind, s.specifier, s.origin) for s in found.statements] if found else []


UV_LOCK = """\
version = 1
requires-python = ">=3.10"

[[package]]
name = "app"
source = { editable = "." }
dependencies = [
    { name = "pytest" },
]

[[package]]
name = "pytest"
version = "8.4.2"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://x/pytest-8.4.2.tar.gz", hash = "sha256:0", size = 1 }

[[package]]
name = "pytest-asyncio"
version = "0.26.0"
"""
POETRY_LOCK = """\
[[package]]
name = "pytest"
version = "7.4.4"
description = "pytest: simple"

[package.dependencies]
iniconfig = "*"
version = "1"
"""
PYLOCK = """\
lock-version = "1.0"
[[packages]]
name = "pytest"
marker = "python_version > '3'"
version = "9.0.3"
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("uv.lock", UV_LOCK, ("lock", "8.4.2", "uv.lock:11")),
        ("poetry.lock", POETRY_LOCK, ("lock", "7.4.4", "poetry.lock:1")),
        ("pdm.lock", POETRY_LOCK, ("lock", "7.4.4", "pdm.lock:1")),
        ("pylock.toml", PYLOCK, ("lock", "9.0.3", "pylock.toml:2")),
        ("pylock.dev.toml", PYLOCK, ("lock", "9.0.3", "pylock.dev.toml:2")),
        (
            "Pipfile.lock",
            '{"default": {},\n "develop": {\n "pytest": {"version": "==8.0.0"}}}',
            ("lock", "8.0.0", "Pipfile.lock:3"),
        ),
        ("Pipfile", '[dev-packages]\npytest = "==8.*"\n', ("pin", "==8.*", "Pipfile:2")),
        ("requirements.txt", "x\npytest >= 8 # why\n", ("pin", ">= 8", "requirements.txt:2")),
        (
            "requirements-dev.txt",
            "pytest[x]==8.1;a<'3'",
            ("pin", "==8.1", "requirements-dev.txt:1"),
        ),
        (
            "dev-requirements.txt",
            "pytest==8.1.0 \\\n  --hash=sha256:1\n",
            ("pin", "==8.1.0", "dev-requirements.txt:1"),
        ),
        ("requirements/test.in", "pytest~=8.2", ("pin", "~=8.2", "requirements/test.in:1")),
        ("tests/requirements.txt", "pytest", ("pin", "", "tests/requirements.txt:1")),
        ("constraints.txt", "pytest<9", ("constraint", "<9", "constraints.txt:1")),
        (
            "pyproject.toml",
            '[project]\ndependencies = [\n"x",\n"pytest>=7"]',
            ("pin", ">=7", "pyproject.toml:4"),
        ),
        (
            "pyproject.toml",
            '[project.optional-dependencies]\ntest = ["pytest (>=7,<8)"]',
            ("pin", "(>=7,<8)", "pyproject.toml:2"),
        ),
        (
            "pyproject.toml",
            '[dependency-groups]\nall = [{include-group = "test"}]\ntest = ["PyTest>=8"]',
            ("pin", ">=8", "pyproject.toml:3"),
        ),
        (
            "pyproject.toml",
            '[tool.uv]\ndev-dependencies = ["pytest>8"]',
            ("pin", ">8", "pyproject.toml:2"),
        ),
        (
            "pyproject.toml",
            '[tool.uv]\nconstraint-dependencies = ["pytest>8"]',
            ("constraint", ">8", "pyproject.toml:2"),
        ),
        (
            "pyproject.toml",
            '[tool.poetry.group.dev.dependencies]\npython = "^3"\npytest = "^8.1"',
            ("pin", "^8.1", "pyproject.toml:3"),
        ),
        (
            "pyproject.toml",
            '[tool.poetry.dev-dependencies]\npytest = {version = "^8.1", extras = ["x"]}',
            ("pin", "^8.1", "pyproject.toml:2"),
        ),
        (
            "pyproject.toml",
            '[tool.pdm.dev-dependencies]\ntest = ["pytest==8"]',
            ("pin", "==8", "pyproject.toml:2"),
        ),
        (
            "pyproject.toml",
            '[tool.hatch.envs.test]\nextra-dependencies = ["pytest"]',
            ("pin", "", "pyproject.toml:2"),
        ),
        (
            "hatch.toml",
            '[envs.test]\ndependencies = [\n  "pytest<8",\n]',
            ("pin", "<8", "hatch.toml:3"),
        ),
        (
            "setup.cfg",
            "[options.extras_require]\ntest =\n    pytest>=6\n",
            ("pin", ">=6", "setup.cfg:3"),
        ),
        (
            "setup.cfg",
            "[tool:pytest]\n# pytest\n[options.extras_require]\ntest =\n"
            "    pytest-mock\n    pytest\n",
            ("pin", "", "setup.cfg:6"),
        ),
        ("tox.ini", "[testenv:py]\ndeps =\n  py310: pytest<8\n", ("pin", "<8", "tox.ini:3")),
        (
            "setup.py",
            "from setuptools import setup\nTEST = ['pytest>=7']\n"
            "setup(extras_require={'test': TEST + ['x']})",
            ("pin", ">=7", "setup.py:2"),
        ),
        (
            "noxfile.py",
            "def test(session):\n    session.install('-r', 'x.txt', 'pytest<9')",
            ("pin", "<9", "noxfile.py:2"),
        ),
        (
            "environment.yml",
            "dependencies:\n  - python=3.12\n  - pytest=8.3\n",
            ("pin", "==8.3.*", "environment.yml:3"),
        ),
        (
            "pixi.toml",
            '[dependencies]\npython = "*"\n[feature.test.dependencies]\npytest = "8.3.*"\n',
            ("pin", "==8.3.*", "pixi.toml:4"),
        ),
        (
            "pyproject.toml",
            '[tool.pixi.feature.test.target.linux-64.pypi-dependencies]\npytest = "==8.3.5"\n',
            ("pin", "==8.3.5", "pyproject.toml:2"),
        ),
        (
            "conda/environment-test-3.12.yml",
            "dependencies:\n  - pytest ==8.3.5\n",
            ("pin", "==8.3.5", "conda/environment-test-3.12.yml:2"),
        ),
    ],
)
def test_every_place_that_states_a_version(
    tmp_path: Path, name: str, text: str, expected: tuple[str, str, str]
) -> None:
    write(tmp_path, {name: text})
    assert said(tmp_path, "pytest") == [expected]


def test_a_generated_file_with_thousands_of_requirements(tmp_path: Path) -> None:
    deps = "".join(f"    py{n}: package-{n}=={n}\n    py{n}: pytest\n" for n in range(10_000))
    write(tmp_path, {"tox.ini": f"[testenv]\n# pytest\ndeps =\n{deps}    pytest-mock[pytest]\n"})
    # (One pattern searched for each of them takes minutes.)
    found = said(tmp_path, "pytest")
    assert set(found) == {("pin", "", "tox.ini:5")}
    assert said(tmp_path, "package-9999") == [("pin", "==9999", "tox.ini:20002")]
    assert said(tmp_path, "pytest-mock") == [("pin", "", "tox.ini:20004")]


def test_requirement_files_include_others(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.txt": "-r other/base.txt\n-cother/limits.txt\n-r requirements.txt\n"
            "--index-url https://x\nhttps://x/y.whl\ngit+ssh://git@x/pytest-foo.git@v1#egg=pytest_foo\n",
            "other/base.txt": "pytest-asyncio\n",
            "other/limits.txt": "pytest-asyncio==1.1.0\n",
        },
    )
    assert said(tmp_path, "pytest-asyncio") == [
        ("pin", "", "other/base.txt:1"),
        ("constraint", "==1.1.0", "other/limits.txt:1"),
    ]
    assert stated_versions(tmp_path, tmp_path)["pytest-foo"].statements[0].unknown


def test_the_nearest_word_counts(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "uv.lock": UV_LOCK,
            "pyproject.toml": '[project]\ndependencies = ["pytest>=8", "pytest-mock"]',
            "api/pyproject.toml": '[project]\ndependencies = ["pytest>=7"]',
        },
    )
    suite = tmp_path / "api"
    assert said(tmp_path, "pytest", suite) == [
        ("pin", ">=7", "api/pyproject.toml:2"),
        ("lock", "8.4.2", "uv.lock:11"),
    ]
    assert said(tmp_path, "pytest-mock", suite) == [("pin", "", "pyproject.toml:2")]


@pytest.mark.parametrize(
    "name",
    [
        *("uv.lock", "Pipfile.lock", "pyproject.toml", "Pipfile", "pixi.toml", "setup.cfg"),
        *("tox.ini", "setup.py"),
    ],
)
def test_what_cannot_be_parsed_states_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00[[package]]\n[x\nname = \xff (")
    assert stated_versions(tmp_path, tmp_path) == {}


@given(st.text("[]{}()=\"'pytest>8.1<,;@#-\\\n eir", max_size=60))
def test_any_requirement_line_is_read_without_harm(text: str) -> None:
    from scopecheck.plugins.environment import normalise
    from scopecheck.plugins.requirements import requirement

    for line in text.splitlines():
        found = requirement(line, "x:1", Path("/nowhere"))
        assert found is None or (found.dist, found.kind) == (normalise(found.dist), "pin")


# Versions


def resolve(root: Path, dist: str = "pytest", **settings: str) -> tuple[str, str, str]:
    found = resolve_version(dist, settings, None, stated_versions(root, root))
    return found.version, found.certainty, found.origin


def test_settings_win_then_the_environment_then_locks_then_pins(tmp_path: Path) -> None:
    assert resolve(tmp_path) == (known_releases("pytest")[-1], "assumed", "assumed newest")
    write(tmp_path, {"pyproject.toml": '[project]\ndependencies = ["pytest>=7,<8.1"]'})
    assert resolve(tmp_path) == ("8.0.2", "assumed", "pyproject.toml:2")
    write(tmp_path, {"uv.lock": UV_LOCK})
    assert resolve(tmp_path) == ("8.4.2", "exact", "uv.lock:11")
    fake_environment(tmp_path / ".venv")
    environment = find_environment(tmp_path, environ={})
    stated = stated_versions(tmp_path, tmp_path)
    assert resolve_version("pytest", {}, environment, stated).version == "8.3.5"
    assert resolve_version("pytest", {"PyTest": "9.1.1"}, environment, stated).version == "9.1.1"


def test_an_assumed_version_says_where_its_range_ends(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "pytest>=8.2,<9"})
    found = resolve_version("pytest", {}, None, stated_versions(tmp_path, tmp_path))
    assert (found.version, found.oldest, found.newest) == ("8.4.2", "8.2.0", "8.4.2")
    assert found.number == (8, 4, 2)
    assert found.at_least(8, 4)
    assert not found.at_least(9)
    assert found.agrees(9, 0)
    assert found.agrees(8, 2)
    assert not found.agrees(8, 4)


def test_a_lock_for_several_pythons_is_a_range(tmp_path: Path) -> None:
    fork = '[[package]]\nname = "pytest"\nversion = "7.4.4"\n'
    write(tmp_path, {"uv.lock": fork + UV_LOCK})
    found = resolve_version("pytest", {}, None, stated_versions(tmp_path, tmp_path))
    assert (found.version, found.certainty) == ("8.4.2", "assumed")
    assert (found.oldest, found.newest) == ("7.4.4", "8.4.2")


# The table


def test_the_table_is_whole() -> None:
    plugins = bundled_plugins()
    assert {"pytest", "pytest-asyncio", "anyio", "pytest-mock", "pytest-django"} <= set(plugins)
    for dist, shipped in plugins.items():
        sinces = [release.since for release in shipped.releases]
        versions = [parse_version(since) for since in sinces]
        assert all(versions), (dist, sinces)
        for release in shipped.releases:
            names = [(row.module, row.name, row.function) for row in release.fixtures]
            assert len(names) == len(set(names)), dist
        assert parse_version(shipped.version), dist
        assert set(shipped.requires) <= set(plugins), dist
    assert bundled_modules()["pytest_mock"] == "pytest-mock"
    for dist in ("pytest", "pytest-asyncio", "anyio", "pytest-trio", "pytest-aiohttp"):
        releases = [parse_version(text) for text in known_releases(dist)]
        assert all(releases), dist
        assert releases == sorted(releases, key=lambda v: v.key if v else ())


@pytest.mark.parametrize(
    ("version", "has", "lacks"),
    [
        ("7.4.4", {"tmpdir", "caplog", "doctest_namespace", "testdir"}, {"capteesys", "subtests"}),
        ("8.4.0", {"capteesys"}, {"subtests"}),
        ("9.0.0", {"capteesys", "subtests", "testdir"}, {"event_loop"}),
    ],
)
def test_fixtures_of_pytest_by_version(version: str, has: set[str], lacks: set[str]) -> None:
    names = {fixture.name for fixture in bundled_fixtures("pytest", version)}
    assert has <= names
    assert not lacks & names


@pytest.mark.parametrize(
    ("version", "loop"),
    [
        ("0.21.2", "event_loop"),
        ("0.23.0", "_session_event_loop"),
        ("0.26.0", "event_loop"),
        ("1.0.0", "_function_event_loop"),
        ("1.1.0", "_function_scoped_runner"),
        ("99.0", "_function_scoped_runner"),
    ],
)
def test_loop_fixtures_of_pytest_asyncio_by_version(version: str, loop: str) -> None:
    names = {fixture.name for fixture in bundled_fixtures("pytest-asyncio", version)}
    assert loop in names
    assert ("event_loop" in names) == (version < "1")


# Plugins in force, against pytest itself

DUMP = """\
import inspect, json, os

def pytest_collection_finish(session):
    manager = session._fixturemanager
    table = getattr(manager, "_arg2fixturedefs", None)
    if table is None:
        table = {
            name: [d for defs in nodes.values() for d in reversed(defs)]
            for name, nodes in manager._arg2node2fixturedefs.items()
        }
    autouse = set()
    for names in (getattr(manager, "_node_autousenames", None) or {}).values():
        autouse.update(names)
    for names in (getattr(manager, "_nodeid_autousenames", None) or {}).values():
        autouse.update(names)
    found = {}
    for name, defs in table.items():
        for d in defs:
            func = getattr(d.func, "__func__", d.func)
            kind = (
                "asyncgen" if inspect.isasyncgenfunction(func)
                else "coroutine" if inspect.iscoroutinefunction(func)
                else "generator" if inspect.isgeneratorfunction(func)
                else "function"
            )
            found.setdefault(name, []).append(
                [func.__module__, d.scope, list(d.argnames), kind, d.params is not None]
            )
    with open(os.environ["DUMP_TO"], "w") as file:
        json.dump({"fixtures": found, "autouse": sorted(autouse)}, file)
"""


def run_pytest(folder: Path, *arguments: str) -> dict[str, Any]:
    (folder / "dump_fixtures.py").write_text(DUMP)
    output = folder / "dump.json"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    environ |= {"DUMP_TO": str(output), "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "dump_fixtures", "--collect-only", *arguments],
        cwd=folder,
        env=environ,
        check=False,
        capture_output=True,
    )
    found: dict[str, Any] = json.loads(output.read_text())
    return found


def own_plugins(folder: Path, **options: Any) -> PluginSet:
    environment = find_environment(folder, Path(sys.prefix))
    return plugins_in_force(folder, folder, environment=environment, **options)


def fixtures_by_name(plugins: PluginSet) -> dict[str, list[list[object]]]:
    found: dict[str, list[list[object]]] = {}
    for plugin in (*plugins.plugins, *plugins.late):
        for f in plugin.fixtures:
            found.setdefault(f.name, []).append(
                [f.module, f.scope, list(f.requests), f.kind, f.has_params]
            )
    return found


def test_the_table_is_what_this_pytest_registers(tmp_path: Path) -> None:
    """Every fixture of pytest and of the plugins installed here: scope, requests, kind, order."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p pytester\n")
    dumped = run_pytest(tmp_path)
    plugins = own_plugins(tmp_path, names=("pytester",))
    # Other plugins come along with the tools for development; they are read from their source.
    tabled = {"_pytest", "pytest_asyncio", "anyio", "xdist"}
    expected = {
        name: kept
        for name, defs in dumped["fixtures"].items()
        if (kept := [d for d in defs if d[0].partition(".")[0] in tabled])
    }
    ours = {
        name: kept
        for name, defs in fixtures_by_name(plugins).items()
        if (kept := [d for d in defs if str(d[0]).partition(".")[0] in tabled])
    }
    assert ours == expected
    autouse = {f.name for p in plugins.plugins for f in p.fixtures if f.autouse}
    assert autouse == set(dumped["autouse"])
    assert plugins.possible == {}
    assert plugins.unknown_sources == ()


PLUGIN = "import pytest\n\n@pytest.fixture\ndef {name}():\n    return 1\n"


@pytest.mark.parametrize(
    ("addopts", "options", "names"),
    [
        ("-p no:cacheprovider", {"blocked": ("cacheprovider",)}, ["cache", "tmp_path"]),
        ("-p no:tmpdir", {"blocked": ("tmpdir",)}, ["tmpdir", "tmp_path"]),
        ("-p no:legacypath", {"blocked": ("legacypath",)}, ["tmpdir", "tmp_path"]),
        (
            "-p no:legacypath -p pytester",
            {"blocked": ("legacypath",), "names": ("pytester",)},
            ["testdir", "pytester"],
        ),
        ("-p no:anyio", {"blocked": ("anyio",)}, ["anyio_backend", "free_tcp_port"]),
        ("-p no:asyncio", {"blocked": ("asyncio",)}, ["event_loop_policy"]),
        (
            "-p no:anyio -p anyio",
            {"blocked": ("anyio",), "names": ("anyio",)},
            ["anyio_backend"],
        ),
        ("-p one", {"names": ("one",)}, ["shared", "tmpdir", "unused_tcp_port"]),
        ("-p one -p two", {"names": ("one", "two")}, ["shared"]),
        ("--disable-plugin-autoload", {"autoload": False}, ["anyio_backend", "tmpdir"]),
        (
            "--disable-plugin-autoload -p anyio",
            {"autoload": False, "names": ("anyio",)},
            ["anyio_backend"],
        ),
    ],
)
def test_blocked_and_named_plugins_as_pytest_has_them(
    tmp_path: Path, addopts: str, options: dict[str, Any], names: list[str]
) -> None:
    for module in ("one", "two"):
        fixtures = ("shared", "tmpdir", "unused_tcp_port")
        text = "\n".join(PLUGIN.format(name=name) for name in fixtures)
        (tmp_path / f"{module}.py").write_text(text)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = {addopts}\n")
    dumped = run_pytest(tmp_path)["fixtures"]
    plugins = own_plugins(tmp_path, import_paths=(tmp_path,), **options)
    for name in names:
        found = []
        for plugin in (*plugins.plugins, *plugins.late):
            if plugin.module in ("one", "two"):
                found += [plugin.module] if name in ("shared", "tmpdir", "unused_tcp_port") else []
            found += [f.module for f in plugin.fixtures if f.name == name]
        assert found == [d[0] for d in dumped.get(name, [])], name


def test_entry_points_are_registered_in_the_order_of_the_listing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for name in ("zz", "aa", "mm", "bb"):
        install(site, name, "1.0", f"[pytest11]\n{name} = plug_{name}\n")
        (site / f"plug_{name}.py").write_text(PLUGIN.format(name="shared"))
    (tmp_path / "dump_fixtures.py").write_text(DUMP)
    output = tmp_path / "dump.json"
    environ = os.environ | {
        "DUMP_TO": str(output),
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{site}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "dump_fixtures", "--collect-only"]
    subprocess.run(command, cwd=tmp_path, env=environ, check=False, capture_output=True)
    dumped = json.loads(output.read_text())["fixtures"]["shared"]
    environment = find_environment(tmp_path, _prefix_of(tmp_path, site))
    plugins = plugins_in_force(tmp_path, tmp_path, environment=environment)
    found = [plugin.module for plugin in plugins.plugins if plugin.path]
    assert found == [definition[0] for definition in dumped]


def _prefix_of(folder: Path, site: Path) -> Path:
    prefix = folder / "prefix"
    (prefix / "lib" / "python3.12").mkdir(parents=True)
    (prefix / "lib" / "python3.12" / "site-packages").symlink_to(site)
    return prefix


# Plugins in force without an environment


def in_force(root: Path, **options: Any) -> set[str]:
    return {plugin.dist for plugin in plugins_in_force(root, root, **options).plugins} - {"pytest"}


def test_declared_plugins_are_in_force(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "pytest\npytest-mock\npytest_asyncio==0.21.2\nrequests\n"})
    plugins = plugins_in_force(tmp_path, tmp_path)
    assert {p.dist for p in plugins.plugins} == {"pytest", "pytest-asyncio", "pytest-mock"}
    assert plugins.knowledge == "pins"
    assert plugins.in_force("pytest-mock")
    version = plugins.version("pytest-asyncio")
    assert version is not None
    assert (version.version, version.certainty) == ("0.21.2", "exact")
    names = {f.name for p in plugins.plugins for f in p.fixtures}
    assert {"mocker", "event_loop", "tmp_path"} <= names
    assert "testdir" not in names
    # The file names the plugins; one that it does not name is not there.
    assert plugins.possible == {}


def test_what_comes_along_with_a_dependency_is_in_force(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "pytest\npytest-aiohttp\nfastapi\n"})
    assert {"pytest-asyncio", "anyio"} <= in_force(tmp_path)
    write(tmp_path, {"requirements.txt": "pytest\npytest-aiohttp==0.3.0\n"})
    assert in_force(tmp_path) == {"pytest-aiohttp"}


def test_a_lock_rules_out_what_it_does_not_list(tmp_path: Path) -> None:
    write(tmp_path, {"uv.lock": UV_LOCK})
    plugins = plugins_in_force(tmp_path, tmp_path)
    assert plugins.knowledge == "lock"
    assert plugins.in_force("pytest-asyncio")
    assert plugins.possible == {}


def test_without_a_word_the_popular_plugins_are_possible(tmp_path: Path) -> None:
    plugins = plugins_in_force(tmp_path, tmp_path)
    assert plugins.knowledge == "nothing"
    assert {plugin.dist for plugin in plugins.plugins} == {"pytest"}
    assert {"mocker", "anyio_backend", "event_loop_policy", "db"} <= set(plugins.possible)
    assert plugins.pytest.origin == "assumed newest"


def test_settings_declare_a_plugin_too(tmp_path: Path) -> None:
    assert in_force(tmp_path, settings_plugins={"pytest-mock": "3.0"}) == {"pytest-mock"}


def test_a_declared_plugin_that_nobody_knows_is_an_unknown_source(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "pytest\npytest-house-rules\npytest-cov\nrequests\n"})
    assert plugins_in_force(tmp_path, tmp_path).unknown_sources == ("pytest-house-rules",)
    site = fake_environment(tmp_path / ".venv")
    install(site, "pytest_house_rules", "1.0", "[pytest11]\nhouse = house_rules\n")
    (site / "house_rules.py").touch()
    environment = find_environment(tmp_path, environ={})
    plugins = plugins_in_force(tmp_path, tmp_path, environment=environment)
    assert plugins.unknown_sources == ()
    assert plugins.plugins[-1].path == site / "house_rules.py"
    # Declared, known and not installed: it may be there when the tests run.
    write(tmp_path, {"requirements.txt": "pytest-mock\n"})
    plugins = plugins_in_force(tmp_path, tmp_path, environment=environment)
    assert set(plugins.possible) == {f.name for f in bundled_fixtures("pytest-mock")}


@pytest.mark.parametrize(
    ("dist", "may_be"),
    [
        ("acme-labs-pytester", True),
        ("acme-pytest-kit", True),
        ("flake8-pytest-house", False),
        ("pylint-pytest", False),
        ("types-pytest-house", False),
        ("acme-testing", False),
    ],
)
def test_a_name_says_that_a_distribution_is_for_pytest(
    tmp_path: Path, dist: str, may_be: bool
) -> None:
    write(tmp_path, {"requirements.txt": f"pytest\n{dist}\n"})
    plugins = plugins_in_force(tmp_path, tmp_path)
    assert plugins.unknown_sources == ((dist,) if may_be else ())


def test_a_setup_py_reads_a_file_of_requirements(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "setup.py": 'from setuptools import setup\n\nDEV = read("kit/requirements_dev.txt")\n'
            'GONE = read("kit/requirements_gone.txt")\nsetup(extras_require={"dev": DEV})\n',
            "kit/requirements_dev.txt": "pytest>=7, <8\n",
        },
    )
    said = stated_versions(tmp_path, tmp_path)["pytest"]
    assert [(s.specifier, s.origin) for s in said.statements] == [
        (">=7, <8", "kit/requirements_dev.txt:1")
    ]


def test_the_fixtures_of_pytest_httpx_are_those_of_its_version(tmp_path: Path) -> None:
    """Options were fixtures to override up to 0.30, and are a mark from 0.31 on."""
    for version, count in (("0.30.0", 3), ("0.31.0", 1)):
        write(tmp_path, {"requirements.txt": f"pytest\npytest-httpx=={version}\n"})
        plugins = plugins_in_force(tmp_path, tmp_path)
        (plugin,) = (p for p in plugins.plugins if p.dist == "pytest-httpx")
        assert len(plugin.fixtures) == count


def test_named_plugins_are_found_where_they_are(tmp_path: Path) -> None:
    write(tmp_path, {"helpers/plug.py": "", "requirements.txt": "pytest-mock\n"})
    plugins = plugins_in_force(
        tmp_path, tmp_path, names=("helpers.plug", "nowhere.to_be_found", "xdist")
    )
    assert [p.path for p in plugins.plugins if p.path] == [tmp_path / "helpers" / "plug.py"]
    assert plugins.unknown_sources == ("nowhere.to_be_found",)
    assert plugins.in_force("pytest-xdist")
    (made,) = named_plugins("aiohttp.pytest_plugin", plugins)
    assert "aiohttp_client" in {f.name for f in made.fixtures}
    jupyter = named_plugins("pytest_jupyter.jupyter_server", plugins)[0].fixtures
    assert {"jp_fetch", "jp_environ", "http_server_client"} <= {f.name for f in jupyter}
    server, inner = named_plugins("jupyter_server.pytest_plugin", plugins)
    assert server.dist == "jupyter-server"
    assert "jp_fetch" in {fixture.name for fixture in inner.fixtures}
    made, legacy = named_plugins("pytester", plugins)
    assert "pytester" in {f.name for f in made.fixtures}
    assert [f.name for f in legacy.fixtures] == ["testdir"]
    assert named_plugins("pytest_mock", plugins) == ()
    assert not named_plugins("elsewhere", plugins)[0].readable


def test_a_project_that_is_a_plugin_has_it_in_force(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": '[project]\nname = "Pytest_Mine"\n'
            '[project.entry-points.pytest11]\nmine = "mine.plugin"\n',
            "src/mine/plugin.py": "",
        },
    )
    (entry,) = announced_plugins(tmp_path)
    assert (entry.name, entry.module, entry.dist) == ("mine", "mine.plugin", "pytest-mine")
    plugins = plugins_in_force(tmp_path, tmp_path)
    assert plugins.plugins[-1].path == tmp_path / "src" / "mine" / "plugin.py"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.cfg", "[options.entry_points]\npytest11 =\n    mine = mine.plugin\n"),
        ("setup.py", "setup(entry_points={'pytest11': ['mine = mine.plugin']})"),
        ("pyproject.toml", '[tool.poetry.plugins.pytest11]\nmine = "mine.plugin"\n'),
    ],
)
def test_older_forms_announce_plugins_too(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, {name: text})
    assert [(e.name, e.module) for e in announced_plugins(tmp_path)] == [("mine", "mine.plugin")]


@pytest.mark.parametrize(
    "pyproject",
    [
        '[project]\ndependencies = ["kit"]\n[tool.uv.sources]\nkit = {path = "libs/kit"}\n',
        '[project]\ndependencies = ["kit"]\n[tool.uv.sources]\nkit = {workspace = true}\n'
        '[tool.uv.workspace]\nmembers = ["libs/*"]\n',
        '[project]\ndependencies = ["kit"]\n[tool.uv.sources]\nkit = {workspace = true}\n'
        '[tool.uv.workspace]\nmembers = [".", "/abs", "", "**x", "libs/*"]\n',
        '[tool.poetry.dependencies]\nkit = {path = "libs/kit", develop = true}\n',
    ],
)
def test_a_dependency_on_disk_speaks_for_itself(tmp_path: Path, pyproject: str) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": pyproject,
            "libs/kit/pyproject.toml": '[project]\nname = "kit"\n'
            '[project.entry-points.pytest11]\nkit = "kit"\n',
            "libs/kit/kit.py": "",
        },
    )
    plugins = plugins_in_force(tmp_path, tmp_path)
    assert plugins.plugins[-1].path == tmp_path / "libs" / "kit" / "kit.py"
    assert plugins.unknown_sources == ()


def test_an_editable_requirement_that_is_not_there_is_an_unknown_source(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "-e ../gone/kit\n"})
    assert plugins_in_force(tmp_path, tmp_path).unknown_sources == ("kit",)


def test_two_plugins_with_one_name_are_ambiguous_without_an_environment(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "pytest\nsyrupy\npytest-snapshot\n"})
    assert plugins_in_force(tmp_path, tmp_path).ambiguous == {"snapshot"}
