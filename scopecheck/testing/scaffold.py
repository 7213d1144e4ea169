"""Starts a rule: a page with one section that must fire, and a check that reports nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck import checks, rulebook

if TYPE_CHECKING:
    from pathlib import Path

FAMILIES = {
    module: f"SCP{digit}" for digit, modules in checks.FAMILIES.items() for module in modules
}
"""The modules of `scopecheck.checks`, and how the codes of their rules begin."""

_PAGE = """\
# {name}

Say in one sentence what is wrong.

```toml
code = "{code}"
default = "on"
certainty = "proved"
severity = "error"
fix = "none"
since = "{since}"
```

## Why

What happens, when it happens, and why it is hard to see.

## The plain case

`conftest.py`:

```py
import pytest


@pytest.fixture
def settings():  # error
    return {{"debug": True}}
```

`test_example.py`:

```py
def test_example(settings):
    assert settings
```

```pytest
1 error
```

## The look-alike that is fine

```py
def test_example():
    assert True
```
"""

_MODULE = '''\
"""{title}: say in a few words what the family is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.checks.looks import looks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scopecheck.finding import Fault
    from scopecheck.suite import Suite
'''

_CHECK = '''

@looks("far")
def {function}(suite: Suite) -> Iterator[Fault]:  # noqa: ARG001
    """Say in one sentence what is yielded."""
    yield from ()
'''


class ScaffoldError(Exception):
    """Why no rule can be started under that name or code."""


def free_code(family: str) -> str:
    """The first code of the family that no page has."""
    taken = {rule.code for rule in rulebook.rules().values()}
    prefix = FAMILIES[family]
    return next(code for n in range(1, 100) if (code := f"{prefix}{n:02}") not in taken)


def start(name: str, code: str | None, family: str | None) -> tuple[Path, Path]:
    """Writes the page and the check; the code tells the family, and the family a free code.

    Raises:
        ScaffoldError: the name or the code is taken, or they do not fit together.
    """
    known = rulebook.rules()
    if code is None:
        if family is None:
            raise ScaffoldError("give --code, --family, or both")
        code = free_code(family)
    fitting = [module for module, prefix in FAMILIES.items() if code.startswith(prefix)]
    if not fitting:
        raise ScaffoldError(f"code {code} belongs to no family of checks")
    family = family or fitting[0]
    if family not in fitting:
        raise ScaffoldError(
            f"code {code} does not belong to {family!r}, but {' or '.join(fitting)}"
        )
    if name in known:
        raise ScaffoldError(f"there is a rule {name!r} already")
    taken = [rule.name for rule in known.values() if rule.code == code]
    if taken:
        raise ScaffoldError(f"code {code} belongs to {taken[0]!r}; {free_code(family)} is free")
    page = rulebook.pages_folder() / f"{name}.md"
    module = rulebook.package_folder() / "checks" / f"{family}.py"
    page.write_text(_page(name, code), encoding="utf-8")
    try:
        rulebook.read_rule(page)
    except rulebook.PageError as error:
        page.unlink()
        raise ScaffoldError(str(error)) from None
    text = (
        module.read_text(encoding="utf-8")
        if module.exists()
        else _MODULE.format(title=family.capitalize())
    )
    check = _CHECK.format(function=name.replace("-", "_"))
    module.write_text(f"{text}{check}", encoding="utf-8")
    return page, module


def _page(name: str, code: str) -> str:
    from scopecheck import __version__

    since = ".".join(__version__.split(".")[:2])
    return _PAGE.format(name=name, code=code, since=since)
