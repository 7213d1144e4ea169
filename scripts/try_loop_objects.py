"""Tries the objects of scopecheck/data/loop_objects.json on two event loops.

    python scripts/try_loop_objects.py              every object whose library is installed
    python scripts/try_loop_objects.py redis. nats. those whose names begin so

Each object is made on one loop, and then used on another; made and used on one, then used on the
other; and the same with a use that makes something wait. What comes of it:

    made        it fails where it is only made on the other loop
    used        it fails where it was used there, too
    contended   it fails where something had to wait for it there, too
    never       it works

What is printed is what the table says wrongly; exit 1 if anything is. Objects of databases and
brokers need a server on this machine, at the addresses below; without one they are skipped, and
named. The tests of the project run the part that needs nothing but Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).parent.parent / "scopecheck" / "data" / "loop_objects.json"
POSTGRES = os.environ.get("TRY_POSTGRES", "t:t@localhost/postgres")
MYSQL = os.environ.get("TRY_MYSQL", "t:t@127.0.0.1/t")
REDIS = os.environ.get("TRY_REDIS", "redis://localhost:6379")
NATS = os.environ.get("TRY_NATS", "nats://localhost:4222")
AMQP = os.environ.get("TRY_AMQP", "amqp://guest:guest@localhost/")
SECONDS = 6


class Experiment(NamedTuple):
    """Code that makes an object, that uses it as `it`, and that makes something wait for it."""

    make: str
    use: str
    wait: str = ""


_AWAIT = "await it"
_RESOLVE = "asyncio.get_running_loop().call_later(.05, set_result, it); await it"
_TALK = "it.stdin.write(b'x\\n'); await it.stdin.drain(); await it.stdout.readline()"
_STREAMS = "it[1].write(b'x\\n'); await it[1].drain(); await it[0].readline()"
_HOLD = ("async with it: pass", "await asyncio.gather(hold(it), hold(it))")
_QUEUE = (
    "await it.put(1); await it.get()",
    "get = asyncio.create_task(it.get()); await asyncio.sleep(0); await it.put(1); await get",
)
_WAIT = (
    "it.set(); await it.wait()",
    "getattr(it, 'clear', int)(); wait = asyncio.create_task(it.wait()); "
    "await asyncio.sleep(0); it.set(); await wait",
)
_GET = "await it.get(http_server())"
_ASGI = "await asyncio.gather(it.get('/'), it.get('/'))"
_SQL = "await it.fetchval('select 1')"
_CURSOR = "async with it.cursor() as cursor: await cursor.execute('select 1')"
_ENGINE = "async with it.connect() as c: await c.exec_driver_sql('select 1')"
_KEY = "await it.set('a', '1'); await it.get('a')"
_PING = (
    "with contextlib.suppress(__import__('pymongo').errors.ServerSelectionTimeoutError): "
    "await it.admin.command('ping')"
)
_MONGO = "'mongodb://127.0.0.1:1', serverSelectionTimeoutMS=100"
_KAFKA = "with contextlib.suppress(aiokafka.errors.KafkaConnectionError): await it.start()"
_CHANNEL = "await (await it.channel()).close()"

EXPERIMENTS = {
    "asyncio.create_task": Experiment("asyncio.create_task(asyncio.sleep(.2))", _AWAIT),
    "asyncio.ensure_future": Experiment("asyncio.ensure_future(asyncio.sleep(.2))", _AWAIT),
    "asyncio.gather": Experiment("asyncio.gather(asyncio.sleep(.2))", _AWAIT),
    "asyncio.shield": Experiment("asyncio.shield(asyncio.sleep(.2))", _AWAIT),
    "asyncio.Task": Experiment("asyncio.Task(asyncio.sleep(.2))", _AWAIT),
    "asyncio.Future": Experiment("asyncio.Future()", _RESOLVE),
    "asyncio.TaskGroup": Experiment(
        "await asyncio.TaskGroup().__aenter__()", "await it.create_task(asyncio.sleep(0))"
    ),
    "asyncio.get_running_loop": Experiment("asyncio.get_running_loop()", "await used(it)"),
    "asyncio.get_event_loop": Experiment("asyncio.get_event_loop()", "await used(it)"),
    "asyncio.get_running_loop().create_task": Experiment(
        "asyncio.get_running_loop().create_task(asyncio.sleep(.2))", _AWAIT
    ),
    "asyncio.get_running_loop().create_future": Experiment(
        "asyncio.get_running_loop().create_future()", _RESOLVE
    ),
    "asyncio.get_event_loop().create_task": Experiment(
        "asyncio.get_event_loop().create_task(asyncio.sleep(.2))", _AWAIT
    ),
    "asyncio.get_event_loop().create_future": Experiment(
        "asyncio.get_event_loop().create_future()", _RESOLVE
    ),
    "asyncio.open_connection": Experiment(
        "await asyncio.open_connection('127.0.0.1', echo_server())", _STREAMS
    ),
    "asyncio.open_unix_connection": Experiment(
        "await asyncio.open_unix_connection(echo_server(unix=True))", _STREAMS
    ),
    "asyncio.start_server": Experiment(
        "await asyncio.start_server(answer, '127.0.0.1', 0)",
        "it = await asyncio.open_connection(*it.sockets[0].getsockname()); " + _STREAMS,
    ),
    "asyncio.start_unix_server": Experiment(
        "await asyncio.start_unix_server(answer, f'/tmp/try-{os.getpid()}')",
        "it = await asyncio.open_unix_connection(f'/tmp/try-{os.getpid()}'); " + _STREAMS,
    ),
    "asyncio.create_subprocess_exec": Experiment(
        "await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)", _TALK
    ),
    "asyncio.create_subprocess_shell": Experiment(
        "await asyncio.create_subprocess_shell('cat', stdin=-1, stdout=-1)", _TALK
    ),
    "asyncio.Lock": Experiment("asyncio.Lock()", *_HOLD),
    "asyncio.Semaphore": Experiment("asyncio.Semaphore()", *_HOLD),
    "asyncio.BoundedSemaphore": Experiment("asyncio.BoundedSemaphore()", *_HOLD),
    "asyncio.Condition": Experiment("asyncio.Condition()", *_HOLD),
    "asyncio.Event": Experiment("asyncio.Event()", *_WAIT),
    "asyncio.Barrier": Experiment(
        "asyncio.Barrier(2)", "it.parties", "await asyncio.gather(it.wait(), it.wait())"
    ),
    "asyncio.Queue": Experiment("asyncio.Queue()", *_QUEUE),
    "asyncio.LifoQueue": Experiment("asyncio.LifoQueue()", *_QUEUE),
    "asyncio.PriorityQueue": Experiment("asyncio.PriorityQueue()", *_QUEUE),
    "anyio.Lock": Experiment("anyio.Lock()", *_HOLD),
    "anyio.Semaphore": Experiment("anyio.Semaphore(1)", *_HOLD),
    "anyio.CapacityLimiter": Experiment("anyio.CapacityLimiter(1)", *_HOLD),
    "anyio.Event": Experiment("anyio.Event()", *_WAIT),
    "anyio.create_memory_object_stream": Experiment(
        "anyio.create_memory_object_stream(1)",
        "await it[0].send(1); await it[1].receive()",
        "get = asyncio.create_task(it[1].receive()); await asyncio.sleep(0); "
        "await it[0].send(1); await get",
    ),
    "anyio.connect_tcp": Experiment(
        "await anyio.connect_tcp('127.0.0.1', echo_server())",
        "await it.send(b'x'); await it.receive()",
    ),
    "anyio.open_process": Experiment(
        "await anyio.open_process(['cat'])", "await it.stdin.send(b'x'); await it.stdout.receive()"
    ),
    "httpx.AsyncClient": Experiment("httpx.AsyncClient()", _GET),
    "httpx.AsyncHTTPTransport": Experiment(
        "httpx.AsyncHTTPTransport()",
        "await (await it.handle_async_request(httpx.Request('GET', http_server()))).aread()",
    ),
    "httpx.ASGITransport": Experiment(
        "httpx.AsyncClient(transport=httpx.ASGITransport(app=asgi), base_url='http://t')", _ASGI
    ),
    "httpx.MockTransport": Experiment(
        "httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200)))", _GET
    ),
    "httpx2.AsyncClient": Experiment("httpx2.AsyncClient()", _GET),
    "httpx2.ASGITransport": Experiment(
        "httpx2.AsyncClient(transport=httpx2.ASGITransport(app=asgi), base_url='http://t')", _ASGI
    ),
    "starlette.testclient.TestClient": Experiment(
        "starlette.testclient.TestClient(asgi)", "it.get('/')"
    ),
    "aiohttp.ClientSession": Experiment(
        "aiohttp.ClientSession()", "async with it.get(http_server()) as found: await found.read()"
    ),
    "aiohttp.TCPConnector": Experiment(
        "aiohttp.TCPConnector()",
        "await (await aiohttp.ClientSession(connector=it).get(http_server())).read()",
    ),
    "aiohttp.test_utils.TestClient": Experiment(
        "await started(aiohttp.test_utils.TestClient, web=True)", "await it.get('/')"
    ),
    "aiohttp.test_utils.TestServer": Experiment(
        "await started(aiohttp.test_utils.TestServer)",
        "await (await aiohttp.ClientSession().get(it.make_url('/'))).read()",
    ),
    "asyncpg.connect": Experiment("await asyncpg.connect('postgresql://' + POSTGRES)", _SQL),
    "asyncpg.create_pool": Experiment(
        "await asyncpg.create_pool('postgresql://' + POSTGRES)", _SQL
    ),
    "psycopg.AsyncConnection.connect": Experiment(
        "await psycopg.AsyncConnection.connect('postgresql://' + POSTGRES)",
        "await it.execute('select 1')",
        "await asyncio.gather(*[it.execute('select pg_sleep(.1)') for _ in 'abc'])",
    ),
    "psycopg_pool.AsyncConnectionPool": Experiment(
        "await opened(psycopg_pool.AsyncConnectionPool('postgresql://' + POSTGRES, open=False))",
        "async with it.connection(): pass",
    ),
    "aiosqlite.connect": Experiment(
        "await aiosqlite.connect(':memory:')",
        "await it.execute('select 1')",
        "await asyncio.gather(*[it.execute('select 1') for _ in range(20)])",
    ),
    "aiomysql.connect": Experiment("await aiomysql.connect(**mysql())", _CURSOR),
    "aiomysql.create_pool": Experiment(
        "await aiomysql.create_pool(**mysql())", "async with it.acquire(): pass"
    ),
    "asyncmy.connect": Experiment("await asyncmy.connect(**mysql())", _CURSOR),
    "redis.asyncio.Redis": Experiment("redis.asyncio.Redis.from_url(REDIS)", _KEY),
    "redis.asyncio.StrictRedis": Experiment("redis.asyncio.StrictRedis.from_url(REDIS)", _KEY),
    "redis.asyncio.Redis.from_url": Experiment("redis.asyncio.Redis.from_url(REDIS)", _KEY),
    "redis.asyncio.from_url": Experiment("redis.asyncio.from_url(REDIS)", _KEY),
    "redis.asyncio.ConnectionPool": Experiment(
        "redis.asyncio.Redis(connection_pool=redis.asyncio.ConnectionPool.from_url(REDIS))", _KEY
    ),
    "redis.asyncio.ConnectionPool.from_url": Experiment(
        "redis.asyncio.Redis(connection_pool=redis.asyncio.ConnectionPool.from_url(REDIS))", _KEY
    ),
    "fakeredis.FakeAsyncRedis": Experiment("fakeredis.FakeAsyncRedis()", _KEY),
    "motor.motor_asyncio.AsyncIOMotorClient": Experiment(
        f"motor.motor_asyncio.AsyncIOMotorClient({_MONGO})", _PING
    ),
    "pymongo.AsyncMongoClient": Experiment(f"pymongo.AsyncMongoClient({_MONGO})", _PING),
    "mongomock_motor.AsyncMongoMockClient": Experiment(
        "mongomock_motor.AsyncMongoMockClient()", "await it['a']['b'].find_one()"
    ),
    "aiokafka.AIOKafkaProducer": Experiment(
        "aiokafka.AIOKafkaProducer(bootstrap_servers='127.0.0.1:1')", _KAFKA
    ),
    "aiokafka.AIOKafkaConsumer": Experiment(
        "aiokafka.AIOKafkaConsumer('a', bootstrap_servers='127.0.0.1:1')", _KAFKA
    ),
    "aio_pika.connect": Experiment("await aio_pika.connect(AMQP)", _CHANNEL),
    "aio_pika.connect_robust": Experiment("await aio_pika.connect_robust(AMQP)", _CHANNEL),
    "nats.connect": Experiment(
        "await nats.connect(NATS)",
        "got = await it.subscribe('a'); await it.publish('a', b'1'); await got.next_msg(1)",
    ),
    "websockets.connect": Experiment(
        "await websockets.connect(websocket_server())", "await it.send('a'); await it.recv()"
    ),
    "websockets.serve": Experiment(
        "await websockets.serve(websocket_answer, '127.0.0.1', 0)",
        "it = await websockets.connect('ws://127.0.0.1:%d' % it.sockets[0].getsockname()[1], "
        "open_timeout=2)",
    ),
    "grpc.aio.insecure_channel": Experiment(
        "grpc.aio.insecure_channel(grpc_server())",
        "await it.unary_unary('/a/b')(b'1', timeout=2)",
    ),
    "grpc.aio.server": Experiment(
        "await grpc_aio_server()",
        "await grpc.aio.insecure_channel(it[1]).unary_unary('/a/b')(b'1', timeout=2)",
    ),
    "elasticsearch.AsyncElasticsearch": Experiment(
        "elasticsearch.AsyncElasticsearch(http_server(), max_retries=0)", "await it.info()"
    ),
    "openai.AsyncOpenAI": Experiment(
        "openai.AsyncOpenAI(api_key='a', base_url=http_server(), max_retries=0)",
        "await it.get('/', cast_to=str)",
    ),
    "playwright.async_api.async_playwright": Experiment(
        "await playwright.async_api.async_playwright().start()", "await it.request.new_context()"
    ),
    "playwright.async_api.async_playwright().start": Experiment(
        "await playwright.async_api.async_playwright().start()", "await it.request.new_context()"
    ),
    "asyncssh.listen": Experiment(
        "await asyncssh.listen('127.0.0.1', 0, "
        "server_host_keys=[asyncssh.generate_private_key('ssh-ed25519')])",
        "with contextlib.suppress(asyncssh.PermissionDenied): await asyncssh.connect("
        "'127.0.0.1', it.get_port(), known_hosts=None, username='a', password='b', "
        "client_keys=None)",
    ),
}
DRIVERS = {
    "postgresql+asyncpg": "POSTGRES",
    "postgresql+psycopg": "POSTGRES",
    "postgresql+psycopg_async": "POSTGRES",
    "mysql+aiomysql": "MYSQL",
    "mysql+asyncmy": "MYSQL",
    "sqlite+aiosqlite": "f'//tmp/try-{os.getpid()}.db'",
}
for _scheme, _rest in DRIVERS.items():
    EXPERIMENTS[_scheme] = Experiment(
        f"__import__('sqlalchemy.ext.asyncio').ext.asyncio.create_async_engine("
        f"'{_scheme}://' + {_rest})",
        _ENGINE,
        "await asyncio.gather(*[engine_used(it) for _ in range(20)])",
    )


async def hold(lock: Any) -> None:
    """Hold a lock while another asks for it."""
    async with lock:
        await asyncio.sleep(0)


def set_result(future: Any) -> None:
    """Resolve a future once."""
    if not future.done():
        future.set_result(1)


async def used(loop: Any) -> None:
    """Wait for something on a given loop."""
    future = loop.create_future()
    loop.call_soon(future.set_result, 1)
    await future


async def engine_used(engine: Any) -> None:
    """Use an engine of SQLAlchemy for a while."""
    async with engine.connect() as connection:
        await connection.exec_driver_sql("select 1")
        await asyncio.sleep(0.01)


async def opened(pool: Any) -> Any:
    """A pool that is open."""
    await pool.open()
    return pool


async def answer(reader: Any, writer: Any) -> None:
    """Send a line back."""
    writer.write(await reader.readline())
    await writer.drain()


async def websocket_answer(websocket: Any) -> None:
    """Send messages back."""
    async for message in websocket:
        await websocket.send(message)


async def asgi(_: Any, receive: Any, send: Any) -> None:
    """A web application."""
    await receive()
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def started(kind: Any, *, web: bool = False) -> Any:
    """A server of aiohttp's test utilities, or a client of one."""
    from aiohttp import web as aiohttp_web  # type: ignore[import-not-found]
    from aiohttp.test_utils import TestServer  # type: ignore[import-not-found]

    app = aiohttp_web.Application()
    made = kind(TestServer(app)) if web else kind(app)
    await made.start_server()
    return made


def mysql() -> dict[str, str]:
    """The parts of MySQL's address."""
    user, _, rest = MYSQL.partition(":")
    password, _, rest = rest.partition("@")
    host, _, name = rest.partition("/")
    return {"user": user, "password": password, "host": host, "db": name}


_STARTED: dict[str, Any] = {}


def http_server() -> str:
    """The address of a server that keeps its connections open; one for each process."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None: ...

    if "http" not in _STARTED:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _STARTED["http"] = f"http://127.0.0.1:{server.server_port}"
    return str(_STARTED["http"])


def echo_server(*, unix: bool = False) -> Any:
    """The port, or path, of a server that sends back what it gets."""
    path = f"/tmp/try-echo-{os.getpid()}"
    server = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    server.bind(path if unix else ("127.0.0.1", 0))
    server.listen()

    def echo() -> None:
        connection, _ = server.accept()
        while data := connection.recv(1000):
            connection.sendall(data)

    threading.Thread(target=echo, daemon=True).start()
    return path if unix else server.getsockname()[1]


def websocket_server() -> str:
    """The address of a server that sends messages back."""
    from websockets.sync.server import serve  # type: ignore[import-not-found]

    server = serve(lambda each: [each.send(message) for message in each], "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"ws://127.0.0.1:{server.socket.getsockname()[1]}"


def _echoes(service: Any) -> Any:
    import grpc  # type: ignore[import-not-found]

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, _: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda request, _: request)

    service.add_generic_rpc_handlers((Handler(),))
    return f"127.0.0.1:{service.add_insecure_port('127.0.0.1:0')}"


def grpc_server() -> str:
    """The address of a gRPC server."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    server = _STARTED["grpc"] = grpc.server(ThreadPoolExecutor(2))
    address = _echoes(server)
    server.start()
    return str(address)


async def grpc_aio_server() -> Any:
    """A gRPC server on the running loop, and its address."""
    import grpc

    server = grpc.aio.server()
    address = _echoes(server)
    await server.start()
    return server, address


def _code(experiment: Experiment) -> dict[str, Any]:
    """The functions of an experiment."""
    space: dict[str, Any] = dict(globals())
    for word in ("make", "use", "wait"):
        text = getattr(experiment, word)
        body = f"return {text}" if word == "make" else text or "pass"
        exec(f"async def {word}(it=None):\n    {body}", space)
    return space


def _import(name: str) -> None:
    """Import the modules of a dotted name, as far as it goes."""
    parts = name.partition("(")[0].split(".")
    globals()[parts[0]] = importlib.import_module(parts[0])
    for end in range(2, len(parts)):
        with contextlib.suppress(ImportError):
            importlib.import_module(".".join(parts[:end]))


def run_one(name: str, uses: str) -> None:
    """In a process of its own: make it, use it in these ways on one loop, and on another.

    uses: names of functions for the first loop, then `/`, then for the second.
    """
    if "+" not in name:
        _import(name)
    code = _code(EXPERIMENTS[name])
    first, second = uses.split("/")
    one, other = asyncio.new_event_loop(), asyncio.new_event_loop()

    def on(loop: asyncio.AbstractEventLoop, coroutine: Any) -> Any:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(coroutine)

    it = on(one, code["make"]())
    for use in filter(None, first.split(",")):
        on(one, asyncio.wait_for(code[use](it), SECONDS))
    os.write(1, b"ready\n")
    for use in filter(None, second.split(",")):
        on(other, asyncio.wait_for(code[use](it), SECONDS / 2))
    os.write(1, b"worked\n")


def outcome(name: str, uses: str) -> str:
    """`worked`, `failed`, or `skipped` where the object could not be made."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", name, uses]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=4 * SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    if b"ready" not in output:
        return "skipped"
    return "worked" if b"worked" in output else "failed"


def when(name: str) -> str | None:
    """At what moment an object becomes bound to a loop; None where it could not be made."""
    steps = {"made": "/use", "used": "use/use"}
    if EXPERIMENTS[name].wait:
        steps["contended"] = "wait/wait"
    for moment, uses in steps.items():
        found = outcome(name, uses)
        if found == "skipped":
            return None
        if found == "failed":
            return moment
    return "never"


def stated() -> dict[str, str]:
    """What the table says, of objects and of SQLAlchemy's drivers."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    found = {name: one for each in table.values() for name, one in each["objects"].items()}
    return found | table["sqlalchemy"]["drivers"]


def main(prefixes: list[str]) -> int:
    """Try the objects whose names begin so, and say what differs from the table."""
    wrong = 0
    for name, says in stated().items():
        if prefixes and not name.startswith(tuple(prefixes)):
            continue
        found = when(name) if name in EXPERIMENTS else None
        if found is None:
            print(f"{name}: not tried")
        elif found != says:
            wrong += 1
            print(f"{name}: {found}, and the table says {says}")
    return min(wrong, 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        try:
            run_one(*sys.argv[2:4])
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    sys.exit(main(sys.argv[1:]))
