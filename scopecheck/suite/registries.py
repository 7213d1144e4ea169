"""What the methods of registries are called that take away what others put in."""

from __future__ import annotations

INVERSE = {
    "register": ("unregister", "deregister", "remove"),
    "subscribe": ("unsubscribe",),
    "install": ("uninstall",),
    "connect": ("disconnect",),
    "add": ("remove", "discard", "delete"),
}
