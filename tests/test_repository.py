"""The repository itself: pages and checks are one set, imports go one way, the wheel is whole."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scopecheck import checks, repair, rulebook
from scopecheck.config import settings_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from scopecheck.rulebook import Rule

TOP = Path(__file__).parent.parent
RULES = sorted(rulebook.rules().values(), key=lambda rule: rule.code)
CHECKED = [rule for rule in RULES if not rule.is_engine]
ENGINE_RULES = {
    "SCP001": "syntax-error",
    "SCP002": "unused-suppression",
    "SCP003": "unknown-suppression",
    "SCP004": "unreadable-file",
}


@pytest.mark.parametrize("rule", CHECKED, ids=lambda rule: rule.name)
def test_every_page_has_a_check(rule: Rule) -> None:
    check = checks.find(rule.code, rule.name)
    assert check is not None
    assert check.__doc__
    assert vars(check).get("looks") in ("near", "far"), "the check must say how far it looks"


@pytest.mark.parametrize(
    "rule", [rule for rule in CHECKED if rule.fix != "none"], ids=lambda rule: rule.name
)
def test_every_page_with_a_fix_has_a_fixer(rule: Rule) -> None:
    fixer = repair.find(rule.code, rule.name)
    assert fixer is not None
    assert vars(fixer).get("looks") in ("near", "far"), "the fixer must say how far it looks"


@pytest.mark.parametrize("digit", [digit for digit, modules in checks.FAMILIES.items() if modules])
def test_every_check_has_a_page(digit: str) -> None:
    """What a family's modules show the world are its checks, and nothing else."""
    public = set()
    for name in checks.FAMILIES[digit]:
        if (TOP / "scopecheck" / "checks" / f"{name}.py").exists():
            module = import_module(f"scopecheck.checks.{name}")
            public |= set(_public_functions(module))
    paged = {rule.name for rule in CHECKED if rule.code[3] == digit}
    assert {name.replace("_", "-") for name in public} == paged


def _public_functions(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        own = inspect.isfunction(value) and value.__module__ == module.__name__
        if own and not name.startswith("_"):
            yield name


def test_rules_of_the_engine() -> None:
    assert {rule.code: rule.name for rule in RULES if rule.is_engine} == ENGINE_RULES


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_form_of_a_page(rule: Rule) -> None:
    headings = re.findall(r"^(#+) (.+)$", _without_blocks(rule.text), re.MULTILINE)
    assert headings[0] == ("#", rule.name)
    assert headings[1] == ("##", "Why"), "the page must say first why the rule is there"
    for depth, title in headings[1:]:
        assert depth in {"##", "###"}
        assert not title.endswith((".", ":", "!")), title
        assert title[0].isupper() or title[0] == "`", title
    assert "Why" not in {example.title for example in rule.examples}
    for line in rule.text.splitlines():
        assert len(line) <= 100, line
    assert rule.text.endswith("\n")
    assert not rule.text.endswith("\n\n")
    if rule.certainty == "likely":
        assert rule.severity == "warning"
    elif not rule.is_engine:
        assert rule.severity == "error"


def test_documents_name_only_rules_that_exist() -> None:
    known = {rule.code for rule in RULES}
    for rule in RULES:
        if rule.name == "unknown-suppression":
            continue
        assert set(re.findall(r"\bSCP\d{3}\b", rule.text)) <= known, rule.page.name


def test_every_key_of_the_configuration_is_documented() -> None:
    text = (TOP / "docs/configuration.md").read_text(encoding="utf-8")
    tables = settings_schema()["$defs"]
    later = {*tables["RealServices"]["properties"], "preview", "real-services"}
    for name in {key for table in tables.values() for key in table["properties"]} - later:
        assert re.search(rf"^\|.*`{name}`.*\|", text, re.MULTILINE), name


def _without_blocks(text: str) -> str:
    return re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)


def test_imports_go_one_way() -> None:
    lint = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert lint, "import-linter is not installed"
    done = subprocess.run(
        [lint, "--no-cache"], cwd=TOP, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_class_looks_like_a_test() -> None:
    """pytest would try to collect it wherever a test module imports it."""
    for file in (TOP / "scopecheck").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ClassDef) and node.name.startswith("Test")), file


RELEASE = re.compile(r"## (Unreleased|\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\))")
GROUP = re.compile(r"### (Added|Changed|Fixed|Removed)")


def test_changelog() -> None:
    """Releases, newest first; in each, groups of entries that are sentences."""
    lines = (TOP / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Changelog"
    releases = [line for line in lines if line.startswith("## ")]
    assert releases
    assert all(RELEASE.fullmatch(line) for line in releases)
    assert releases[0] == "## Unreleased" or "## Unreleased" not in releases
    groups = [line for line in lines if line.startswith("### ")]
    assert all(GROUP.fullmatch(line) for line in groups)
    entries = re.split(r"^- ", "\n".join(lines), flags=re.MULTILINE)[1:]
    for entry in entries:
        sentence = re.split(r"\n(?=#|\n)", entry)[0].strip()
        assert sentence.endswith("."), sentence
        assert sentence[0].isupper() or sentence[0] == "`", sentence


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist, as an installer would have it."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(TOP)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_wheel_from_the_sdist_has_every_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    pages = {Path(name).name for name in names if re.fullmatch(r"scopecheck/rules/.+\.md", name)}
    assert pages == {rule.page.name for rule in RULES}
    assert not [name for name in names if not name.startswith(("scopecheck/", "scopecheck-"))]


def test_installed_package_reads_its_own_pages(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from scopecheck import rulebook\n"
        "print(rulebook.pages_folder())\n"
        "print(*rulebook.rules())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    folder, names = done.stdout.splitlines()
    assert Path(folder).resolve() == (tmp_path / "scopecheck" / "rules").resolve()
    assert names.split() == [rule.name for rule in RULES]


def test_checkout_reads_the_pages_beside_the_package() -> None:
    assert rulebook.pages_folder() == TOP / "rules"
