"""The port under those who hold connections, send slowly, or ask for too much."""

from __future__ import annotations

import asyncio
import inspect
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress

import pytest
import uvicorn
from aiohttp import ClientSession
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from uvicorn.protocols.http import h11_impl

from bots.http import HttpPort
from core.messaging.intake import Intake
from tests.forked import ROOT, Life, piped
from tests.patience import PATIENCE

HALF = b"GET /slack/install HTTP/1.1\r\nHost: x\r\nX-Slow: "
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
CHANGED = (
    f"uvicorn {uvicorn.__version__} has changed inside: look what takes the place of {{}} in "
    "bots/web_server.py, or keep the version before"
)
# A bot's port in a process that may open 256 files.
FEW_FILES = """
import asyncio, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from bots.http import HttpPort
port = HttpPort(0, {})
print(port.port, flush=True)
asyncio.run(port.run(None, asyncio.Event()))
"""


@asynccontextmanager
async def serving(routes: Sequence[BaseRoute] = ()) -> AsyncIterator[int]:
    """A port's number, while it is open."""
    port, stop = HttpPort(0, {}, routes), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(port.run(nobody(), stop))
        yield port.port
        task.cancel()


def nobody() -> Intake:
    """The port takes no message itself."""
    return Intake.__new__(Intake)


@asynccontextmanager
async def connected(
    port: int, sent: bytes = b""
) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """A connection over which this was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(sent)
        yield reader, writer


async def ended(reader: StreamReader) -> bytes:
    """What came until the port closed the connection."""
    got = b""
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionError):
            while piece := await reader.read(1_000):
                got += piece
    return got


async def status(port: int, path: str) -> int:
    """What the port answers over a connection of its own."""
    async with (
        asyncio.timeout(PATIENCE),
        ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}{path}") as response,
    ):
        return response.status


async def test_300_half_open_connections_do_not_stop_healthz() -> None:
    process = await piped(Life(arguments=(), folder=ROOT, environment={}, source=FEW_FILES))
    try:
        port = int(await process.stdout.readline())
        async with AsyncExitStack() as held:
            for _ in range(300):
                await held.enter_async_context(connected(port, HALF))
            reader, _ = await held.enter_async_context(connected(port, WHOLE))
            async with asyncio.timeout(4):  # the head of a request has five seconds
                assert await reader.read(15) == b"HTTP/1.1 200 OK"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("sent", [b"", HALF, WHOLE + HALF])
async def test_a_connection_that_asks_for_nothing_is_ended(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """However often it sends a little more."""
    monkeypatch.setattr("bots.web_server._HEAD_SECONDS", 0.2)
    async with (
        serving() as port,
        connected(port, sent) as (reader, writer),
        asyncio.TaskGroup() as group,
    ):
        sending = group.create_task(_dripping(writer))
        assert (await ended(reader)).startswith(b"HTTP/1.1 200 OK" if WHOLE in sent else b"")
        sending.cancel()


async def _dripping(writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)


async def test_an_answer_that_nobody_reads_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bots.web_server._HEAD_SECONDS", 0.1)
    monkeypatch.setattr("bots.web_server._REQUEST_SECONDS", 0.1)
    is_over = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)
        finally:
            is_over.set()

    async def answer(_: Request) -> Response:
        return StreamingResponse(endless())

    sent = WHOLE.replace(b"healthz", b"endless")
    async with serving([Route("/endless", answer)]) as port, connected(port, sent):
        async with asyncio.timeout(PATIENCE):
            await is_over.wait()


async def test_what_takes_its_time_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bots.web_server._HEAD_SECONDS", 0.05)

    async def answer(_: Request) -> Response:
        await asyncio.sleep(0.2)
        return PlainTextResponse("late")

    async with serving([Route("/slow", answer)]) as port:
        assert await status(port, "/slow") == 200


async def test_more_requests_than_there_is_room_for_are_refused_and_healthz_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bots.web_server._MOST", 8)
    go_on = asyncio.Event()

    async def wait(_: Request) -> Response:
        await go_on.wait()
        return PlainTextResponse("done")

    async with serving([Route("/wait", wait)]) as port, asyncio.TaskGroup() as group:
        asked = [group.create_task(status(port, "/wait")) for _ in range(8)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
        assert {task.result() for task in done} == {503}
        assert await status(port, "/healthz") == 200
        go_on.set()
    assert sorted(task.result() for task in asked) == [200] * 6 + [503] * 2


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (h11_impl.H11Protocol, "connection_made"),
        (h11_impl.H11Protocol, "connection_lost"),
        (h11_impl.H11Protocol, "on_response_complete"),
        (uvicorn.Server, "capture_signals"),
        (uvicorn.Server, "startup"),
    ],
)
def test_uvicorn_still_calls(owner: type, name: str) -> None:
    """Each class itself has it: asyncio's own protocol has some of the names, too."""
    assert callable(vars(owner).get(name)), CHANGED.format(f"{owner.__name__}.{name}")


@pytest.mark.parametrize("name", ["connections", "cycle", "loop", "transport"])
def test_a_connection_of_uvicorn_still_has(name: str) -> None:
    source = inspect.getsource(h11_impl.H11Protocol)
    assert f"self.{name}" in source, CHANGED.format(f"H11Protocol.{name}")
    assert "self.response_complete" in inspect.getsource(h11_impl.RequestResponseCycle)
    assert "self.capture_signals()" in inspect.getsource(uvicorn.Server)
