"""A language server: what `check` finds, kept up to date while files are edited.

    session   one folder of the editor: the suites in it, what is found in them, and its fixes
    wire      findings and fixes as the protocol has them
    serve     the protocol: what the editor says, and when it is told something

The protocol is pygls', which is an extra (`scopecheck[server]`); a session knows nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scopecheck.status import Refused

if TYPE_CHECKING:
    from scopecheck.commands.options import CheckOptions


def run(options: CheckOptions) -> None:
    """`scopecheck server`; options as of `check`.

    Raises:
        Refused: the extra is not installed.
    """
    try:
        import pygls.lsp.server  # noqa: F401
    except ImportError:
        raise Refused(
            "`server` needs pygls 2: install `scopecheck[server]` (or pygls itself)"
        ) from None
    from scopecheck.server.serve import serve

    serve(options)
