"""The composition root: started, stopped by a signal, drained."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from functools import partial

import pytest

from bots import app
from bots.http import HttpPort
from core import clock
from core.address import Address
from core.config.settings import Settings
from core.llm.demo import DemoModel
from core.messaging.intake import Intake
from core.messaging.messages import Author, RoutedMessage
from core.runtime import Runtime
from core.turn.python_caller import CallerAdapter
from core.turn.worker import Worker
from core.upkeep.schedule import Keep, Upkeep
from tests.patience import PATIENCE
from tests.peers.platform import Platform


class Waiting:
    """A listener to which nobody speaks; it sends its own process a signal as it starts."""

    def __init__(self, number: signal.Signals) -> None:
        self.has_stopped = False
        self._number = number

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Wait for the end."""
        os.kill(os.getpid(), self._number)
        await stop.wait()
        self.has_stopped = True


@pytest.fixture
async def runtime(filled_url: str) -> AsyncIterator[Runtime]:
    """An open runtime."""
    runtime = await Runtime.open(Settings(database_url=filled_url))
    yield runtime
    await runtime.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_listeners_and_drains(
    runtime: Runtime, number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="bots.app")
    listener = Waiting(number)
    worker = runtime.worker({"python": CallerAdapter()})
    await app.run(runtime, worker, [listener], ["python/main"], app.stop_at_signals())
    assert listener.has_stopped
    said = [record.getMessage() for record in caplog.records if record.name == "bots.app"]
    assert said[0] == "started"
    assert {"stopping", "listener stopped", "worker drained"} <= set(said)
    assert said[-1] == "stopped"


class UntilUpkeep:
    """A listener that ends the bot when upkeep was done."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Look for it in the log."""
        while "upkeep done" not in self._caplog.messages:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        stop.set()


async def test_whoever_answers_does_the_upkeep(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("core.upkeep.schedule._LOOK_SECONDS", 0.01)
    caplog.set_level("INFO", logger="core.upkeep.schedule")
    worker = runtime.worker({"python": CallerAdapter()})
    async with asyncio.timeout(PATIENCE):
        listener = UntilUpkeep(caplog)
        await app.run(runtime, worker, [listener], ["python/main"], asyncio.Event())


async def test_whoever_only_listens_does_no_upkeep(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("core.upkeep.schedule._LOOK_SECONDS", 0.01)
    caplog.set_level("INFO", logger="core.upkeep.schedule")
    worker = runtime.worker({"python": CallerAdapter()})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await app.run(runtime, worker, [UntilUpkeep(caplog)], [], asyncio.Event())


class Endless(Upkeep):
    """It takes longer than anybody waits."""

    async def run(self, stop: asyncio.Event) -> None:
        """Asks a process to stop that is in the middle of it."""
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()


class Untidy(Runtime):
    """Has much to clear away."""

    def upkeep(self) -> Upkeep:
        """As said."""
        return Endless(self._database, self.clock, Keep.of(self.settings))


async def test_upkeep_is_cut_off_when_the_worker_has_drained(filled_url: str) -> None:
    runtime = await Untidy.open(Settings(database_url=filled_url))
    worker = runtime.worker({"python": CallerAdapter()})
    async with asyncio.timeout(PATIENCE):
        await app.run(runtime, worker, [], ["python/main"], app.stop_at_signals())
    await runtime.close()


class Busy:
    """A listener that has something in hand when it is told to stop."""

    def __init__(self) -> None:
        self.has_finished = False

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Takes a moment to finish it."""
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        await asyncio.sleep(0.1)
        self.has_finished = True


@pytest.mark.parametrize("queues", [["python/main"], []])
async def test_what_a_listener_has_in_hand_is_finished_though_the_worker_has_nothing_to_do(
    runtime: Runtime, queues: list[str]
) -> None:
    listener = Busy()
    worker = runtime.worker({"python": CallerAdapter()})
    await app.run(runtime, worker, [listener], queues, app.stop_at_signals())
    assert listener.has_finished


async def test_a_port_that_nobody_closes_keeps_nobody_waiting(runtime: Runtime) -> None:
    stop = asyncio.Event()
    stop.set()
    worker = runtime.worker({"python": CallerAdapter()})
    async with asyncio.timeout(4):
        await app.run(runtime, worker, [HttpPort(0, {})], ["python/main"], stop)


class Late:
    """A listener that hears of an earlier question only after a later one."""

    def __init__(self, runtime: Runtime, platform: Platform, worker: Worker) -> None:
        self._runtime = runtime
        self._platform = platform
        self._worker = worker
        worker.backlog.expect("slack/T1/C1")

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Ends the bot when all is answered; another channel is, before this one is read."""
        await intake.accept(said("ben", "later", 2), "assistant")
        await intake.accept(said("cleo", "elsewhere", 3, room="C2"), "assistant")
        await self._platform.shows(1)
        await self._runtime.intake.accept(said("ana", "earlier", 1), "assistant")
        self._worker.backlog.has_read(Address.parse("slack/T1/C1"))
        await self._platform.shows(3)
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()


def said(author: str, text: str, position: int, *, room: str = "C1") -> RoutedMessage:
    """A message of a channel."""
    return RoutedMessage(
        key=f"k{position}",
        address=Address.parse(f"slack/T1/{room}"),
        author=Author(id=author, name=author),
        text=text,
        sent_at=clock.now(),
        position=position,
    )


async def test_only_where_something_was_missed_it_is_read_before_anything_is_answered(
    filled_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.backlog._SECONDS", PATIENCE)
    monkeypatch.setattr("core.config.model_choice.DemoModel", partial(DemoModel, pause=0))
    runtime = await Runtime.open(Settings(database_url=filled_url), may_demo=True)
    platform = Platform()
    worker = runtime.worker({"slack": platform})
    stop = app.stop_at_signals()
    await app.run(runtime, worker, [Late(runtime, platform, worker)], ["slack"], stop)
    await runtime.close()
    first, second, third = platform.transcript
    assert "elsewhere" in first
    assert "earlier" in second
    assert "later" in third
