"""Names of the standard library that stand for, or make, what no event loop can touch."""

from __future__ import annotations

ENUMS = frozenset(f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"))
MODELS = frozenset({"pydantic.BaseModel", "pydantic_settings.BaseSettings", "msgspec.Struct"})
"""Bases of classes whose fields are data."""
RECORDS = MODELS | {"typing.NamedTuple", "typing.TypedDict", "typing_extensions.TypedDict"}
"""Bases of classes whose objects are what they are given."""
COLLECTIONS = frozenset(
    [*(f"builtins.{name}" for name in ("list", "tuple", "set", "frozenset", "dict"))]
) | {"types.SimpleNamespace"}
DATA_TYPES = frozenset(
    [
        *(f"builtins.{name}" for name in ("str", "int", "float", "bool", "bytes", "bytearray")),
        *("builtins.complex", "builtins.range", "decimal.Decimal", "uuid.UUID", "pathlib.Path"),
        *("datetime.datetime", "datetime.date", "datetime.timedelta"),
    ]
)
DATA_FIXTURES = frozenset(
    [
        *("tmp_path", "tmp_path_factory", "tmpdir", "tmpdir_factory", "monkeypatch", "capsys"),
        *("capfd", "caplog", "recwarn", "pytestconfig", "worker_id", "testrun_uid", "mocker"),
        *("unused_tcp_port", "unused_tcp_port_factory", "unused_udp_port", "faker"),
        *("unused_udp_port_factory", "free_tcp_port", "free_tcp_port_factory"),
        "anyio_backend_name",
    ]
)
"""Fixtures of pytest and its plugins that hand out data, or what makes data."""

_NAMES = frozenset(
    [
        *(f"builtins.{name}" for name in ("len", "sorted", "min", "max", "sum", "abs", "repr")),
        *(f"builtins.{name}" for name in ("round", "hash", "id", "chr", "ord", "format", "hex")),
        *("os.getenv", "os.environ", "os.getpid", "os.getcwd", "os.urandom", "os.cpu_count"),
        *("socket.gethostname", "logging.getLogger"),
    ]
)
_MODULES = frozenset(
    [
        *("uuid", "pathlib", "tempfile", "datetime", "time", "json", "secrets", "random", "re"),
        *("string", "decimal", "fractions", "math", "hashlib", "base64", "textwrap", "platform"),
        *("sys", "collections", "threading", "subprocess", "queue", "ipaddress", "urllib"),
        *("shutil", "sqlite3"),
    ]
)
_PREFIXES = ("os.path.", "os.environ.", "unittest.mock.", "concurrent.futures.")


def is_data(name: str) -> bool:
    """Whether a dotted name stands for, or makes, data or an object that works on any loop."""
    if name in _NAMES or name in DATA_TYPES:
        return True
    return name.partition(".")[0] in _MODULES or name.startswith(_PREFIXES)
