"""The HTTP port, asked over a real connection."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bots.http import Check, HttpPort
from core import clock
from core.config.settings import Settings
from core.errors import ConfigMistake
from core.runtime import Runtime
from storage import cursors
from storage.errors import DatabaseBusy

OPERATORS = ("/readyz", "/metrics")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Asks the port, and can tell the bot to stop."""

    port: int
    stop: asyncio.Event
    http: ClientSession

    async def get(self, path: str) -> Answer:
        """Ask for a path."""
        async with self.http.get(f"http://127.0.0.1:{self.port}{path}") as response:
            return Answer(status=response.status, text=await response.text())


@pytest.fixture
async def runtime(filled_url: str) -> AsyncIterator[Runtime]:
    """An open runtime."""
    runtime = await Runtime.open(Settings(database_url=filled_url))
    yield runtime
    await runtime.close()


@asynccontextmanager
async def serving(
    runtime: Runtime, checks: Mapping[str, Check] | None, routes: Sequence[BaseRoute] = ()
) -> AsyncIterator[Caller]:
    """The port, open until the block ends."""
    port, stop = HttpPort(0, checks, routes), asyncio.Event()
    async with asyncio.TaskGroup() as group, ClientSession() as http:
        task = group.create_task(port.run(runtime.intake, stop))
        yield Caller(port=port.port, stop=stop, http=http)
        task.cancel()


async def failing() -> None:
    """Not connected."""
    raise ConnectionError("no socket is open")


async def hanging() -> None:
    """Never ready, never failed."""
    await asyncio.Event().wait()


async def test_a_process_that_runs_is_alive(runtime: Runtime) -> None:
    async with serving(runtime, {"slack": failing}) as caller:
        assert await caller.get("/healthz") == Answer(status=200, text="ok\n")


async def test_it_is_ready_when_the_database_answers(runtime: Runtime) -> None:
    async with serving(runtime, {"database": runtime.probe}) as caller:
        assert await caller.get("/readyz") == Answer(status=200, text='{"database":"ok"}')


async def test_it_is_not_ready_while_a_listener_is_not_connected(runtime: Runtime) -> None:
    async with serving(runtime, {"database": runtime.probe, "slack": failing}) as caller:
        answer = await caller.get("/readyz")
    assert answer == Answer(status=503, text='{"database":"ok","slack":"failed"}')


async def test_it_is_not_ready_without_its_database(runtime: Runtime, tmp_path: Path) -> None:
    async with serving(runtime, {"database": runtime.probe}) as caller:
        with closing(sqlite3.connect(tmp_path / "moorings.db")) as other:
            other.execute("ALTER TABLE tortoise_migrations RENAME TO gone")
        answer = await caller.get("/readyz")
    assert answer == Answer(status=503, text='{"database":"failed"}')


async def test_a_check_that_hangs_does_not_hang_the_answer(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.http._LOOK_SECONDS", 0.01)
    async with serving(runtime, {"slack": hanging}) as caller:
        answer = await caller.get("/readyz")
    assert answer == Answer(status=503, text='{"slack":"no answer"}')


async def test_it_is_alive_but_not_ready_while_it_drains(runtime: Runtime) -> None:
    async with serving(runtime, {}) as caller:
        caller.stop.set()
        await asyncio.sleep(0)
        assert (await caller.get("/healthz")).status == 200
        assert await caller.get("/readyz") == Answer(status=503, text='{"process":"draining"}')


async def test_where_the_operator_has_a_port_the_public_one_says_only_that_it_lives(
    runtime: Runtime,
) -> None:
    async with serving(runtime, None) as caller:
        found = {path: (await caller.get(path)).status for path in ("/healthz", *OPERATORS)}
    assert found == {"/healthz": 200, "/readyz": 404, "/metrics": 404}


@pytest.mark.parametrize("path", OPERATORS)
async def test_more_looks_at_the_database_than_there_is_room_for_are_refused(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("bots.http._MOST_LOOKS", 1)
    has_begun, is_over = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        has_begun.set()
        await is_over.wait()

    async with serving(runtime, {"slack": look}) as caller, asyncio.TaskGroup() as group:
        group.create_task(caller.get("/readyz"))
        await has_begun.wait()
        assert (await caller.get(path)).status == 503
        assert (await caller.get("/healthz")).status == 200
        is_over.set()


async def test_metrics_are_text_for_prometheus(runtime: Runtime) -> None:
    async with serving(runtime, {}) as caller:
        answer = await caller.get("/metrics")
    assert "moorings_inbox_waiting 0.0\n" in answer.text
    assert "moorings_backup_age_seconds NaN\n" in answer.text
    assert "# TYPE moorings_turn_seconds histogram\n" in answer.text


async def test_the_age_of_the_last_backup_is_a_metric(runtime: Runtime) -> None:
    at = clock.now() - timedelta(hours=5)
    await cursors.see("backup", at.isoformat(), at)
    async with serving(runtime, {}) as caller:
        answer = await caller.get("/metrics")
    [seconds] = re.findall(r"^moorings_backup_age_seconds ([0-9.e+]+)$", answer.text, re.MULTILINE)
    assert 5 * 3_600 <= float(seconds) < 6 * 3_600


async def test_a_route_of_a_platform_is_served(runtime: Runtime) -> None:
    async def echo(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    async with serving(runtime, {}, [Route("/slack/events", echo)]) as caller:
        assert await caller.get("/slack/events") == Answer(status=200, text="/slack/events")


async def test_a_database_that_fails_inside_a_route_is_told_without_a_trace(
    runtime: Runtime,
) -> None:
    async def fail(_: Request) -> Response:
        raise DatabaseBusy("locked by somebody")

    async with serving(runtime, {}, [Route("/slack/events", fail)]) as caller:
        answer = await caller.get("/slack/events")
    assert (answer.status, "locked" in answer.text) == (503, False)


async def test_what_was_asked_before_the_end_is_answered(runtime: Runtime) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Response:
        arrived.set()
        await go_on.wait()
        return PlainTextResponse("stored")

    port, stop = HttpPort(0, {}, [Route("/slow", slow)]), asyncio.Event()
    async with asyncio.TaskGroup() as group, ClientSession() as http:
        task = group.create_task(port.run(runtime.intake, stop))
        caller = Caller(port=port.port, stop=stop, http=http)
        asked = group.create_task(caller.get("/slow"))
        await arrived.wait()
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        assert (await asked).text == "stored"


async def test_after_the_end_nobody_listens(runtime: Runtime) -> None:
    async with serving(runtime, {}) as caller:
        await caller.get("/healthz")
    async with ClientSession() as http:
        with pytest.raises(ClientConnectionError):
            await Caller(port=caller.port, stop=caller.stop, http=http).get("/healthz")


async def test_what_is_asked_is_not_logged(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with serving(runtime, {}) as caller:
        await caller.get("/healthz?code=secret")
    assert "secret" not in caplog.text


async def test_signals_stay_the_bots(runtime: Runtime) -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with serving(runtime, {}) as caller:
        await caller.get("/healthz")
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_port_that_is_taken_is_told(filled_url: str) -> None:
    with socket.create_server(("", 0)) as other:
        number = other.getsockname()[1]
        with pytest.raises(ConfigMistake, match=f"PORT {number} cannot be opened"):
            HttpPort(number, {})
