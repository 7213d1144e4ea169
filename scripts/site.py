"""Hooks of mkdocs: what the documentation site has that is no page of docs/.

    index       the README, its table of rules replaced by a link
    rules/      every page of rules/, its head as a table, and an index that can be filtered
    reference   the keys of the configuration and the JSON schema
    audit       the audits of both bundled examples, as text, pictures and pages
    changelog   CHANGELOG.md

Everything is made when the site is built, so that it is true of the program beside it.
"""

from __future__ import annotations

import html
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

from scopecheck import rulebook
from scopecheck.config import settings_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

    from scopecheck.rulebook import Rule

TOP = Path(__file__).parent.parent
FAMILIES = {
    "0": "The files themselves",
    "1": "Scopes",
    "2": "Event loops",
    "3": "Fixtures, imports and collection",
    "4": "Isolation",
    "5": "Events",
    "6": "Assertions",
    "7": "Cost",
    "8": "Policy",
}
EXAMPLES = {"before": "agent_platform", "after": "agent_platform_repaired"}
STYLE = """\
.rule-filter { width: 100%; padding: .5rem .75rem; font-size: .8rem; border-radius: .2rem;
  border: 1px solid var(--md-default-fg-color--lighter); background: transparent; color: inherit; }
.md-typeset table:not([class]) th { min-width: 0; }
.md-typeset .rule-facts td { white-space: nowrap; }
.md-typeset img.terminal { width: 100%; border-radius: .3rem; }
"""
FILTER = """
<input class="rule-filter" type="search" placeholder="Filter: SCP2, opt-in, proved, loop, ..."
  aria-label="Filter the rules" oninput="
    const words = this.value.toLowerCase().split(/\\s+/);
    for (const row of document.querySelectorAll('.md-content tbody tr'))
      row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));">
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lists the rules in the menu, by family, and the pages that nobody has given a place."""
    families: dict[str, list[dict[str, str]]] = {}
    for rule in rulebook.rules().values():
        entry = {f"{rule.code} {rule.name}": f"rules/{rule.name}.md"}
        families.setdefault(FAMILIES[rule.code[3]], []).append(entry)
    listed = str(config.nav)
    others = [
        page.name
        for page in sorted((TOP / "docs").glob("*.md"))
        if re.search(rf"\b{re.escape(page.name)}\b", listed) is None
    ]
    for section in config.nav or []:
        if isinstance(section, dict) and "Rules" in section:
            section["Rules"] += [{title: entries} for title, entries in families.items()]
        if isinstance(section, dict) and "Reference" in section:
            section["Reference"] += others
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated files."""
    made: dict[str, str] = {
        "index.md": _index(),
        "changelog.md": (TOP / "CHANGELOG.md").read_text(encoding="utf-8"),
        "site.css": STYLE,
        "schema.json": json.dumps(settings_schema(), indent=2),
        "rules/index.md": _rules(),
    }
    for rule in rulebook.rules().values():
        made[f"rules/{rule.name}.md"] = _rule(rule)
    for name, example in EXAMPLES.items():
        for kind, suffix in (("html", "html"), ("text", "svg")):
            text = _audit(example, kind)
            made[f"audit-{name}.{suffix}"] = _picture(text, name) if kind == "text" else text
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Points links at the site's own pages, and puts what is made in its place."""
    if page.file.src_uri.startswith("rules/"):
        return _without_links_out(markdown, TOP / "rules").replace("](../docs/", "](../")
    made = page.file.src_uri in ("index.md", "changelog.md")
    markdown = _without_links_out(markdown, TOP if made else TOP / "docs")
    markdown = markdown.replace("](../rules/", "](rules/")
    if page.file.src_uri == "audit.md":
        markdown += _example()
    if page.file.src_uri == "configuration.md":
        markdown += "\n".join(("", *_keys()))
    return markdown


def _without_links_out(markdown: str, folder: Path) -> str:
    """Links to files of the repository that are no part of the site, as their text alone."""

    def shown(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link[2]))
        inside = any(target.is_relative_to(TOP / name) for name in ("docs", "rules"))
        return link[0] if inside or not target.exists() else link[1]

    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)[^)]*\)", shown, markdown)


def _index() -> str:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    start = text.index("| code | rule | finds | default |")
    end = text.index("\n\n", start)
    number = len(rulebook.rules())
    text = f"{text[:start]}[All {number} rules](rules/index.md), with a filter.{text[end:]}"
    text = re.sub(r"\[`rules/`\]\(rules\)", "[`rules/`](rules/index.md)", text)
    return text.replace("](docs/", "](")


def _rules() -> str:
    lines = ["---", "title: All rules", "hide: [toc]", "---", "", "# Rules", "", FILTER, ""]
    lines += [
        "`on`: checked unless ignored. `opt-in`: checked where selected. *Proved*: a run of pytest "
        "shows the fault. *Likely*: the hazard depends on order, data or time. A fix is safe if "
        "nothing that works can be lost by it.",
        "",
        "| code | rule | finds | default | certainty | fix |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for rule in rulebook.rules().values():
        fix = "" if rule.fix == "none" else rule.fix
        lines.append(
            f"| {rule.code} | [{rule.name}]({rule.name}.md) | {rule.summary} | {rule.default} "
            f"| {rule.certainty} | {fix} |"
        )
    return "\n".join(lines) + "\n"


def _rule(rule: Rule) -> str:
    """A rule's page, its head as a table."""
    head = (
        '<div class="rule-facts" markdown>\n\n'
        "| code | default | certainty | severity | fix | since |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        f"| {rule.code} | {rule.default} | {rule.certainty} | {rule.severity} | {rule.fix} "
        f"| {rule.since} |\n\n</div>\n"
    )
    text = re.sub(r"```toml\n.*?\n```\n", lambda _: head, rule.text, count=1, flags=re.DOTALL)
    return f"---\ntitle: {rule.code} {rule.name}\n---\n\n{text}"


def _keys() -> Iterator[str]:
    """The keys of the configuration as the schema has them."""
    schema = settings_schema()
    yield "## Every key"
    yield ""
    yield "From the [JSON schema](schema.json), which editors can check a file against."
    yield ""
    yield "| key | type | what it says |"
    yield "| --- | --- | --- |"
    tables = {"": _resolved(schema, schema)}
    for name, table in schema.get("$defs", {}).items():
        if "properties" in table and table is not tables[""]:
            tables[name] = table
    for name, table in tables.items():
        for key, entry in table["properties"].items():
            shown = f"{name}: `{key}`" if name else f"`{key}`"
            about = str(entry.get("description", "")).replace("|", "\\|")
            yield f"| {shown} | {_type(entry)} | {about} |"


def _resolved(schema: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    reference = entry.get("$ref")
    found: dict[str, Any] = schema["$defs"][reference.rpartition("/")[2]] if reference else entry
    return found


def _type(entry: dict[str, Any]) -> str:
    if "$ref" in entry:
        return str(entry["$ref"].rpartition("/")[2])
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"] if value is not None)
    if "anyOf" in entry:
        return " or ".join(t for one in entry["anyOf"] if (t := _type(one)) != "null")
    found = str(entry.get("type", "any"))
    if found == "array" and isinstance(entry.get("items"), dict):
        return f"list of {_type(entry['items'])}"
    if found == "object" and isinstance(entry.get("additionalProperties"), dict):
        return f"table of {_type(entry['additionalProperties'])}"
    return found


def _audit(example: str, kind: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    program = [sys.executable, "-m", "scopecheck", "audit"]
    done = subprocess.run(
        [*program, "--root=.", "--color=always", f"--output-format={kind}"],
        cwd=TOP / "examples" / example,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return done.stdout


def _picture(text: str, title: str) -> str:
    """What a terminal shows, as SVG."""
    from rich.console import Console
    from rich.text import Text

    width = max(len(line) for line in Text.from_ansi(text).plain.splitlines())
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text), end="")
    svg = console.export_svg(title=f"scopecheck audit, {title} the repair")
    # Fonts would be fetched from elsewhere; those of the reader do.
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def _example() -> str:
    lines = [
        "",
        "## An example, before and after its repair",
        "",
        "The bundled suite of a service that runs AI agents, `examples/agent_platform`, and the "
        "same suite repaired. The reports are made when these pages are built.",
        "",
    ]
    for name, example in EXAMPLES.items():
        text = re.sub(r"\x1b\[[\d;]*m", "", _audit(example, "text"))
        lines += [
            f"### {name.title()}",
            "",
            f"`{text.splitlines()[-1]}` · [as a page](audit-{name}.html)",
            "",
            f"![The audit {name} the repair, in a terminal](audit-{name}.svg){{ .terminal }}",
            "",
            "<details><summary>As text</summary>",
            f"<pre><code>{html.escape(text)}</code></pre>",
            "</details>",
            "",
        ]
    return "\n".join(lines)
