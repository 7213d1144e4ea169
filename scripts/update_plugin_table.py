"""Writes what plugins ship into scopecheck/data/plugins.json, from their wheels.

    python scripts/update_plugin_table.py pytest-mock pytest-httpx      the newest of these
    python scripts/update_plugin_table.py --all                         of every one in the table
    python scripts/update_plugin_table.py --format                      only lay the file out anew

A wheel is downloaded with pip and parsed; nothing of it is installed or run. Fixtures that only
running code can tell (those of factories) stay as the table has them, and are named on stderr: look
at them. The releases of pytest, pytest-asyncio and anyio are compared with a live run by the tests;
add a release to them by hand where a version differs from the one before.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent.parent / "scopecheck" / "data" / "plugins.json"
BY_HAND = ("pytest", "pytest-asyncio", "anyio")
WITH_VERSIONS = ("pytest", "pytest-asyncio", "anyio", "pytest-trio", "pytest-aiohttp")
FIXTURE_DECORATORS = {
    "pytest.fixture": False,
    "fixture": False,
    "pytest.yield_fixture": False,
    "pytest_asyncio.fixture": True,
}
SCOPES = ("function", "class", "module", "package", "session")
DEFAULTS: list[Any] = [None, None, None, None, None, [], False, False, "", None, False]


def normalise(name: str) -> str:
    """The one spelling of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Wheel:
    """The sources and the metadata of one wheel."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        self.names = set(self.archive.namelist())
        self.version = path.name.split("-")[1]
        self.trees: dict[str, ast.Module | None] = {}
        self.found: dict[str, dict[str, list[Any]]] = {}
        self.named: dict[str, list[str]] = {}

    def metadata(self, name: str) -> str:
        """A file of the wheel's `.dist-info`, empty where it has none of this name."""
        for member in self.names:
            if re.fullmatch(rf"[^/]+\.dist-info/{re.escape(name)}", member):
                return self.archive.read(member).decode("utf-8", "replace")
        return ""

    def entry_points(self) -> list[list[str]]:
        """The `pytest11` entry points: name and module."""
        found, group = [], ""
        for line in self.metadata("entry_points.txt").splitlines():
            line = line.strip()
            if line.startswith("["):
                group = line.strip("[] ")
            elif group == "pytest11" and "=" in line:
                name, _, target = line.partition("=")
                found.append([name.strip(), re.split(r"[:\s\[]", target.strip())[0]])
        return found

    def requirements(self) -> list[str]:
        """The distributions that are always installed along."""
        lines = self.metadata("METADATA").split("\n\n")[0].splitlines()
        found = []
        for line in lines:
            match = re.match(r"Requires-Dist:\s*([\w.-]+)(.*)", line)
            if match and "extra ==" not in match[2] and "extra==" not in match[2]:
                found.append(normalise(match[1]))
        return found

    def is_package(self, module: str) -> bool:
        """Whether the module is a package of this wheel."""
        return f"{module.replace('.', '/')}/__init__.py" in self.names

    def tree(self, module: str) -> ast.Module | None:
        """The module's syntax tree, None where it is not of this wheel."""
        if module not in self.trees:
            path = module.replace(".", "/")
            file = next((f for f in (f"{path}/__init__.py", f"{path}.py") if f in self.names), None)
            self.trees[module] = ast.parse(self.archive.read(file)) if file else None
        return self.trees[module]

    def fixtures(self, module: str) -> dict[str, list[Any]]:
        """The fixtures that pytest would see in a module, by the Python name they are bound to."""
        if module not in self.found:
            # Modules may import each other in a circle: what is not finished offers what it has.
            found = self.found[module] = {}
            tree = self.tree(module)
            self.walk(tree.body if tree else [], module, found)
        return self.found[module]

    def walk(self, body: list[ast.stmt], module: str, found: dict[str, list[Any]]) -> None:
        """Adds what the statements of a module bind, branches and `try` blocks included."""
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    row = fixture_row(node, module)
                    if row is None:
                        found.pop(node.name, None)
                    else:
                        found[node.name] = row
                case ast.ImportFrom(module=name, names=names, level=level):
                    self.imports(self.absolute(module, name or "", level), names, found)
                case ast.If(body=then, orelse=other):
                    if "TYPE_CHECKING" not in ast.unparse(node.test):
                        self.walk(then, module, found)
                    self.walk(other, module, found)
                case ast.Try(body=then, handlers=handlers, orelse=other, finalbody=last):
                    self.walk(then, module, found)
                    for handler in handlers:
                        # What stands in for a missing import is not what is installed.
                        extra: dict[str, list[Any]] = {}
                        self.walk(handler.body, module, extra)
                        for name, row in extra.items():
                            found.setdefault(name, row)
                    self.walk(other + last, module, found)
                case ast.Assign(targets=targets, value=ast.Name(source)) if source in found:
                    for target in targets:
                        if isinstance(target, ast.Name):
                            found[target.id] = bound_to(target.id, source, found[source])
                case ast.Assign(targets=[ast.Name("pytest_plugins")], value=value):
                    for constant in ast.walk(value):
                        if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                            if self.tree(constant.value) is None:
                                self.named.setdefault(module, []).append(constant.value)
                            for name, row in list(self.fixtures(constant.value).items()):
                                found[f"{constant.value}.{name}"] = row

    def absolute(self, module: str, name: str, level: int) -> str:
        """The module that an import names."""
        if not level:
            return name
        parts = module.split(".")
        kept = parts[: len(parts) - level + self.is_package(module)]
        return ".".join([*kept, name] if name else kept)

    def imports(self, source: str, names: list[ast.alias], found: dict[str, list[Any]]) -> None:
        """Adds the fixtures that `from source import names` binds."""
        offered = self.fixtures(source)
        for alias in names:
            if alias.name == "*":
                exported = self.exported(source)
                for name, row in list(offered.items()):
                    if name in exported if exported is not None else not name.startswith("_"):
                        found[name] = row
            elif alias.name in offered:
                bound = alias.asname or alias.name
                found[bound] = bound_to(bound, alias.name, offered[alias.name])

    def exported(self, module: str) -> set[str] | None:
        """The literal `__all__` of a module."""
        tree = self.tree(module)
        for node in tree.body if tree else ():
            match node:
                case ast.Assign(targets=[ast.Name("__all__")], value=value):
                    try:
                        return set(ast.literal_eval(value))
                    except ValueError:
                        return None
        return None


def bound_to(name: str, source: str, row: list[Any]) -> list[Any]:
    """The row of a fixture that is bound to another name as well.

    Without a name of its own a fixture is called what it is bound to.
    """
    row = list(row)
    if row[0] == source and name != source:
        row[0], row[8] = name, row[8] or source
    return row


def fixture_row(node: ast.FunctionDef | ast.AsyncFunctionDef, module: str) -> list[Any] | None:
    """The table's row for a function, if it is decorated as a fixture."""
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        spelled = ast.unparse(call.func if call else decorator)
        if spelled not in FIXTURE_DECORATORS:
            continue
        options = {k.arg: k.value for k in call.keywords} if call else {}
        name = literal(options.get("name"), node.name)
        if not isinstance(name, str):
            return None
        scope = literal(options.get("scope"), "function")
        generator = any(is_yield(child) for child in own_nodes(node))
        kinds = (
            ("coroutine", "asyncgen")
            if isinstance(node, ast.AsyncFunctionDef)
            else (
                "function",
                "generator",
            )
        )
        return [
            name,
            scope if scope in SCOPES else None,
            kinds[generator],
            module,
            node.lineno,
            requests(node.args),
            literal(options.get("autouse"), False) is True,
            "params" in options,
            node.name if name != node.name else "",
            literal(options.get("loop_scope"), None),
            FIXTURE_DECORATORS[spelled],
        ]
    return None


def requests(arguments: ast.arguments) -> list[str]:
    """The parameters that pytest fills: those that can be given by name and have no default."""
    count = len(arguments.args) - max(0, len(arguments.defaults))
    found = [argument.arg for argument in arguments.args[: max(0, count)]]
    keyword = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return found + [argument.arg for argument, default in keyword if default is None]


def own_nodes(node: ast.AST) -> list[ast.AST]:
    """The nodes of a function, without those of functions inside it."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        found.append(child)
        found.extend(own_nodes(child))
    return found


def is_yield(node: ast.AST) -> bool:
    """Whether the node makes its function a generator."""
    return isinstance(node, ast.Yield | ast.YieldFrom)


def literal(node: ast.expr | None, default: object) -> object:
    """The value of a literal; None where only running code can tell."""
    if node is None:
        return default
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def trimmed(row: list[Any]) -> list[Any]:
    """The row without the defaults at its end."""
    row = list(row)
    while len(row) > 5 and row[-1] == DEFAULTS[len(row) - 1]:
        row.pop()
    return row


def in_order(rows: list[list[Any]]) -> list[list[Any]]:
    """Rows by module, line and name."""
    return sorted((trimmed(row) for row in rows), key=lambda row: (row[3], row[4], row[0]))


def download(dist: str, folder: Path) -> Wheel:
    """The newest wheel of a distribution."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder / dist), dist]
    subprocess.run(command, check=True)
    return Wheel(next((folder / dist).glob("*.whl")))


def update(dist: str, wheel: Wheel, table: dict[str, Any]) -> None:
    """Puts what the wheel ships into the table, and says what was kept as it was."""
    old = table["plugins"].get(dist, {})
    entry_points = wheel.entry_points()
    rows: dict[tuple[str, str], list[Any]] = {}
    for _, module in entry_points:
        for row in wheel.fixtures(module).values():
            rows[row[3], row[0]] = row
    releases = old.get("releases", [])
    for row in releases[-1]["fixtures"] if releases else []:
        if (row[3], row[0]) not in rows and wheel.tree(row[3]) is not None:
            print(f"{dist}: {row[0]} is not to be seen in {row[3]}, kept", file=sys.stderr)
            rows[row[3], row[0]] = row
    made: dict[str, Any] = {"version": wheel.version, "entry_points": entry_points}
    fixtures = in_order(list(rows.values()))
    if len(releases) > 1:
        made["releases"] = [*releases[:-1], {"since": releases[-1]["since"], "fixtures": fixtures}]
    elif fixtures:
        made["releases"] = [{"since": "0", "fixtures": fixtures}]
    modules = {
        module: in_order(list(wheel.fixtures(module).values())) for module in old.get("modules", {})
    }
    if modules:
        made["modules"] = modules
    if wheel.named:
        made["names"] = wheel.named
    made["requires"] = wheel.requirements()
    table["plugins"][dist] = made


def published(dist: str) -> list[str]:
    """The versions of a distribution that pip can install, oldest first."""
    command = [sys.executable, "-m", "pip", "index", "versions", dist]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    match = re.search(r"Available versions: (.*)", output)
    return [version.strip() for version in reversed(match[1].split(","))] if match else []


def laid_out(table: dict[str, Any]) -> str:
    """The table as JSON with one fixture a line."""

    def compact(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def lines(rows: list[Any]) -> str:
        return "[\n" + ",\n".join(f" {compact(row)}" for row in rows) + "]" if rows else "[]"

    plugins = []
    known = set(table["plugins"])
    for dist, shipped in sorted(table["plugins"].items()):
        parts = [
            f'"version":{compact(shipped["version"])}',
            f'"entry_points":{compact(shipped["entry_points"])}',
        ]
        requires = sorted(set(shipped.get("requires", ())) & known - {"pytest", dist})
        if requires:
            parts.append(f'"requires":{compact(requires)}')
        releases = [
            f'{{"since":{compact(r["since"])},"fixtures":{lines(r["fixtures"])}}}'
            for r in shipped.get("releases", ())
        ]
        if releases:
            parts.append('"releases":[\n' + ",\n".join(releases) + "]")
        modules = [f"{compact(m)}:{lines(r)}" for m, r in shipped.get("modules", {}).items()]
        if modules:
            parts.append('"modules":{\n' + ",\n".join(modules) + "}")
        if shipped.get("names"):
            parts.append(f'"names":{compact(shipped["names"])}')
        plugins.append(f"{compact(dist)}:{{{','.join(parts)}}}")
    sections = ['"plugins":{\n' + ",\n".join(plugins) + "}"]
    for section in ("brings", "versions"):
        rows = sorted(table.get(section, {}).items())
        inner = ",\n".join(f"{compact(k)}:{compact(v)}" for k, v in rows)
        sections.append(f'"{section}":{{\n{inner}}}')
    return "{" + ",\n".join(sections) + "}\n"


def main() -> None:
    """Updates the table for the distributions that are named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("dists", nargs="*", type=normalise)
    parser.add_argument("--all", action="store_true", help="every distribution of the table")
    parser.add_argument("--versions", action="store_true", help="the lists of published versions")
    parser.add_argument("--format", action="store_true", help="only lay the file out anew")
    options = parser.parse_args()
    table = json.loads(TABLE.read_text("utf-8"))
    dists = [*options.dists, *(table["plugins"] if options.all else ())]
    with tempfile.TemporaryDirectory() as folder:
        for dist in dict.fromkeys(dists):
            if dist in BY_HAND:
                continue
            try:
                wheel = download(dist, Path(folder))
            except subprocess.CalledProcessError:
                print(f"{dist}: no wheel, kept", file=sys.stderr)
                continue
            update(dist, wheel, table)
    if options.versions:
        for dist in WITH_VERSIONS:
            known = table["versions"].get(dist, [])
            table["versions"][dist] = known + [v for v in published(dist) if newer(v, known)]
    TABLE.write_text(laid_out(table), "utf-8")


def newer(version: str, known: list[str]) -> bool:
    """Whether a version comes after all that are known."""

    def key(text: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", text)]

    return not known or key(version) > key(known[-1])


if __name__ == "__main__":
    main()
