"""Turns a pytest command line, such as `addopts`, into what it asks for.

pytest knows which options take a value because every plugin declares its own. Here that knowledge
is a table: pytest's options and those of the plugins seen most often. A word after an option that
is not in the table is taken for the option's value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORT_WITH_VALUE = frozenset("WckmoprnE")
LONG_NAMES = {
    "-c": "--config-file",
    "-k": "--keyword",
    "-m": "--markexpr",
    "-o": "--override-ini",
    "-p": "--plugin",
    "-W": "--pythonwarnings",
    "-r": "--report-chars",
    "-n": "--numprocesses",
    "-E": "--environment",
    "--keep-duplicates": "--keepduplicates",
}
FLAGS = frozenset(
    """
    --asyncio-debug --benchmark-autosave --benchmark-disable --benchmark-enable --benchmark-only
    --benchmark-skip --black --cache-clear --co --collect-in-virtualenv --collect-only
    --collectonly --continue-on-collection-errors --create-db --disable-plugin-autoload
    --disable-pytest-warnings --disable-recording --disable-socket --disable-warnings
    --doctest-continue-on-failure --doctest-cython --doctest-ignore-import-errors
    --doctest-modules --doctest-plus --exitfirst --fail-on-flaky --failed-first --ff --fixtures
    --fixtures-per-test --flake8 --force-enable-socket --force-short-summary --force-sugar
    --full-trace --fulltrace --funcargs --headed --help --isort --keep-duplicates
    --keepduplicates --last-failed --lf --markers --migrations --mypy --nbval --nbval-lax
    --new-first --nf --no-cov --no-cov-on-fail --no-fold-skipped --no-header --no-migrations
    --no-showlocals --no-summary --noconftest --nomigrations --old-summary --pdb --picked
    --pyargs --pylint --quiet --reuse-db --ruff --ruff-format --runxfail --self-contained-html
    --setup-only --setup-plan --setup-show --setuponly --setupplan --setupshow --showlocals
    --snapshot-update --stepwise --stepwise-reset --stepwise-skip --strict --strict-config
    --strict-markers --sw --sw-reset --sw-skip --testmon --trace --trace-config --traceconfig
    --trio-mode --verbose --version --xfail-tb
    """.split()  # noqa: SIM905 - one name a line would fill two screens
)


class Arguments(msgspec.Struct, frozen=True):
    """A command line taken apart.

    paths: the words that are no option, in order.
    plugins: what `-p` was given, in order, `no:NAME` included.
    values: the values of every other option that takes one, by its long name.
    flags: the options given without a value.
    """

    paths: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    values: dict[str, tuple[str, ...]] = {}
    flags: frozenset[str] = frozenset()

    def last(self, name: str) -> str | None:
        """The value that counts of an option that is not repeatable."""
        values = self.values.get(name)
        return values[-1] if values else None

    @property
    def overrides(self) -> dict[str, str]:
        """The ini options set with `-o NAME=VALUE`; the last one counts."""
        pairs = (value.partition("=") for value in self.values.get("--override-ini", ()))
        return {name: value for name, separator, value in pairs if separator}


def parse_arguments(words: Sequence[str]) -> Arguments:
    """What the words of a command line ask of pytest."""
    paths: list[str] = []
    plugins: list[str] = []
    values: dict[str, tuple[str, ...]] = {}
    flags: set[str] = set()

    def keep(option: str, value: str) -> None:
        name = LONG_NAMES.get(option, option)
        if name == "--plugin":
            plugins.append(value.strip())
        else:
            values[name] = (*values.get(name, ()), value)

    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        following = words[position] if position < len(words) else None
        if word == "--":
            paths.extend(words[position:])
            break
        if not word.startswith("-") or word == "-":
            paths.append(word)
        elif not word.startswith("--"):
            option, value = _short_options(word, flags)
            if option and value is None and following is not None:
                value = following
                position += 1
            if option:
                keep(option, value or "")
        elif "=" in word:
            option, _, value = word.partition("=")
            keep(option, value)
        elif word in FLAGS:
            flags.add(LONG_NAMES.get(word, word))
        elif following is None or following.startswith("-"):
            flags.add(word)
        else:
            keep(word, following)
            position += 1
    return Arguments(tuple(paths), tuple(plugins), values, frozenset(flags))


def _short_options(word: str, flags: set[str]) -> tuple[str, str | None]:
    """Takes `-xvk` apart: flags are kept, the first option with a value ends the word."""
    for index, letter in enumerate(word[1:], 1):
        if letter in SHORT_WITH_VALUE:
            return f"-{letter}", word[index + 1 :].removeprefix("=") or None
        flags.add(f"-{letter}")
    return "", None
