"""Replicas of one bot on one database, and what a host does to them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Self

from aiohttp import ClientError, ClientSession

from tests.journeys import processes, program
from tests.patience import PATIENCE
from tests.peers.cable import Cable

Start = Callable[[Path, Mapping[str, str]], BaseProcess]


def present(folder: Path, environment: Mapping[str, str]) -> BaseProcess:
    """`moorings run` as it is here."""
    return processes.start(program.moorings, folder, environment, "run")


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One process of the bot; to a server's database it has a cable of its own."""

    process: BaseProcess
    port: int
    cable: Cable | None

    def signal(self, number: signal.Signals) -> None:
        """As the kill command does."""
        assert self.process.pid
        os.kill(self.process.pid, number)

    async def is_ready(self, http: ClientSession) -> bool:
        """Whether it says that it can take another one's place."""
        try:
            async with http.get(f"http://127.0.0.1:{self.port}/readyz") as response:
                return response.status == 200
        except ClientError:
            return False


class Fleet:
    """Keeps as many replicas as it was made with; what was stopped goes on in the end."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], size: int, start: Start = present
    ) -> None:
        self._folder = folder
        self._start_process = start
        self._environment = environment
        self._size = size
        self._replicas: list[Replica] = []
        self._idle: list[Replica] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._tasks = asyncio.TaskGroup()
        self._http = await self._open.enter_async_context(ClientSession())
        await self._tasks.__aenter__()
        for _ in range(self._size):
            self._replicas.append(await self._start())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            await self._tasks.__aexit__(None, None, None)
            if kind is None:
                await self.ready()  # one that is still starting would die of the signal
                for replica in self._replicas:
                    assert await processes.asked_to_stop(replica.process) == 0
        finally:
            for replica in self._replicas:
                replica.process.kill()
            await self._open.aclose()

    async def ready(self) -> None:
        """Return when every replica is."""
        for replica in self._replicas:
            await self._ready(replica)

    async def kill(self, random: Random) -> None:
        """One dies in the middle of whatever it does, and another is started."""
        doomed = self._drawn(random)
        status = await processes.killed(doomed.process)
        assert status == -signal.SIGKILL, f"it had ended by itself, with status {status}"
        await self._replace(doomed)

    async def suspend(self, random: Random, seconds: float) -> None:
        """One is not scheduled for so long, in the middle of whatever it does."""
        sleeper = self._drawn(random)
        sleeper.signal(signal.SIGSTOP)
        self._tasks.create_task(self._resume(sleeper, seconds))

    async def cut_off(self, random: Random, seconds: float) -> None:
        """One does not hear from the database for so long, in the middle of whatever it does."""
        hermit = self._drawn(random)
        assert hermit.cable
        hermit.cable.cut()
        self._tasks.create_task(self._reconnect(hermit, hermit.cable, seconds))

    async def terminate(self, random: Random) -> None:
        """One is asked to stop, and another is started.

        Whoever has just begun to start does not listen to signals yet, and just ends.
        """
        leaving = self._drawn(random)
        await self._replace(leaving)
        is_ready = await leaving.is_ready(self._http)
        self._tasks.create_task(self._stopped(leaving, 0 if is_ready else -signal.SIGTERM))

    async def deploy(self) -> None:
        """As hosts do it: start the new one, wait until it is ready, ask the old one to stop."""
        old, new = self._replicas[0], await self._start()
        await self._ready(new)
        self._replicas[0] = new
        await self._stopped(old)

    async def _start(self) -> Replica:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        environment, cable = {**self._environment, "PORT": str(port)}, None
        if not environment["DATABASE_URL"].startswith("sqlite"):
            cable = Cable(environment["DATABASE_URL"])
            await self._open.enter_async_context(cable)
            environment["DATABASE_URL"] = cable.url
        process = self._start_process(self._folder, environment)
        return Replica(process=process, port=port, cable=cable)

    def _drawn(self, random: Random) -> Replica:
        busy = [each for each in self._replicas if each not in self._idle]
        return random.choice(busy or self._replicas)

    async def _replace(self, replica: Replica) -> None:
        self._replicas[self._replicas.index(replica)] = await self._start()

    async def _resume(self, replica: Replica, seconds: float) -> None:
        self._idle.append(replica)
        await asyncio.sleep(seconds)
        self._idle.remove(replica)
        if replica.process.is_alive():
            replica.signal(signal.SIGCONT)

    async def _reconnect(self, replica: Replica, cable: Cable, seconds: float) -> None:
        self._idle.append(replica)
        await asyncio.sleep(seconds)
        self._idle.remove(replica)
        cable.heal()

    async def _stopped(self, replica: Replica, *statuses: int) -> None:
        assert await processes.asked_to_stop(replica.process) in {0, *statuses}

    async def _ready(self, replica: Replica) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await replica.is_ready(self._http):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.1)
