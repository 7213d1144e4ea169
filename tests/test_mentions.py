"""Names of fixtures in strings and in code, told from requests, comments and other strings."""

from __future__ import annotations

import pytest

from scopecheck.read import read
from scopecheck.source import Source
from scopecheck.suite.mentions import in_code, in_strings

_NAMES = ("db", "user")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('x = "db"\n', {"db"}),
        ("x = 'user, db'\n", {"db", "user"}),
        ('x = """\n    db,\n    user\n"""\n', {"db", "user"}),
        ('x = "db user"\n', {"db"}),
        ('x = rb"db"\n', {"db"}),
        ('x = "a db of users"\n', set()),
        ('x = "db-1"\n', set()),
        ("x = f'{db}'\n", set()),
        (f"x = '{'a, ' * 200}db'\n", set()),
        ('# "db"\n', set()),
        ('f("a", db, "b")\n', set()),
        ("x = 'request.getfixturevalue(db)'\n", {"db"}),
        ("def f():\n    from fixtures import db\n", {"db"}),
        ("import db\n", set()),
        ('x = "dbs", "a_db"\n', set()),
    ],
)
def test_in_strings(text: str, found: set[str]) -> None:
    assert in_strings(text, _NAMES) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def test_a(db):\n    db.get()\n", set()),
        ("def test_a(db):\n    pass\n\n\ndef test_b():\n    db()\n", {"db"}),
        ("def test_b():\n    # db()\n    'db()'\n", set()),
        ("def test_b():\n    db = 'db'\n    db.get()\n", set()),
        ("def test_b():\n    'db = db'\n    db.get()\n", {"db"}),
        ("def test_b():\n    for db in dbs:\n        db.get()\n", set()),
        ("def test_b():\n    f(db=1)\n    x.db()\n", set()),
        ("def db():\n    pass\n\n\nother = db\n", {"db"}),
        ("def db():\n    pass\n", set()),
        ("users = [db]\n", {"db"}),
    ],
)
def test_in_code(text: str, found: set[str]) -> None:
    facts = read(Source("test_a.py", text, "utf-8", bom=False))
    assert in_code(text, facts, _NAMES) == found
