"""Turns the text of an INI file into sections whose options know their lines, as pytest reads it.

pytest reads `pytest.ini`, `tox.ini` and `setup.cfg` with the `iniconfig` library, whose format is
its own: a line that starts in the first column opens an option, an indented one continues it,
`=` wins over `:`, and `#` or `;` opens a comment only at the start of a line (or on a section's
line). What `configparser` would make of the same text is often something else.

    section   what follows a `[name]` line
    option    `name = value`; the lines of a longer value are joined by line feeds
"""

from __future__ import annotations

import msgspec

COMMENT_SIGNS = "#;"


class IniError(Exception):
    """Text that pytest refuses to read; says what is wrong, in iniconfig's words."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class IniOption(msgspec.Struct, frozen=True):
    """One option's value, and the line its name stands on."""

    value: str
    line: int


class IniSection(msgspec.Struct, frozen=True):
    """One section's options in the order of the file, and the line of its header."""

    line: int
    options: dict[str, IniOption]


def parse_ini(text: str) -> dict[str, IniSection]:
    """The sections of an INI file by name.

    Raises:
        IniError: pytest would stop with an error at this file.
    """
    sections: dict[str, IniSection] = {}
    section: IniSection | None = None
    name = ""
    value: list[str] | None = None  # the lines of the option that may still be continued
    # iniconfig splits where `str.splitlines` does, so form feeds and the like count as line ends.
    lines = text.removeprefix("\N{BYTE ORDER MARK}").splitlines()

    def keep_option() -> None:
        if value is not None and section is not None:
            line = section.options[name].line
            section.options[name] = IniOption("\n".join(value), line)

    for number, raw in enumerate(lines, 1):
        line = raw.rstrip()
        if not line or line.lstrip()[:1] in COMMENT_SIGNS:
            continue
        header = _header(line)
        if header is not None:
            keep_option()
            value = None
            if not header:
                raise IniError("empty section name", number)
            if header in sections:
                raise IniError(f"duplicate section {header!r}", number)
            section = sections[header] = IniSection(number, {})
        elif line[0] == "[" or line[0].isspace():
            # A line that opens with `[` and closes with something else continues a value.
            if value is None:
                raise IniError("unexpected value continuation", number)
            value.append(line.strip())
        else:
            keep_option()
            name, first = _name_and_value(line, number)
            if section is None:
                raise IniError("no section header defined", number)
            if name in section.options:
                raise IniError(f"duplicate name {name!r}", number)
            value = [first] if first else []
            section.options[name] = IniOption("", number)
    keep_option()
    return sections


def _header(line: str) -> str | None:
    """The section that a line opens, or None if it opens none."""
    if line[0] != "[":
        return None
    for sign in COMMENT_SIGNS:
        line = line.split(sign)[0].rstrip()
    return line[1:-1] if line[-1] == "]" else None


def _name_and_value(line: str, number: int) -> tuple[str, str]:
    name, separator, value = line.partition("=")
    if not separator or ":" in name:
        name, separator, value = line.partition(":")
        if not separator:
            raise IniError(f"unexpected line: {line!r}", number)
    return name.strip(), value.strip()
