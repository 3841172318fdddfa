"""Everything that answers need in one process: database, agents, models, tools."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import cache

from core import clock
from core.config.agents_file import AgentsFile
from core.config.agents_file import read as read_agents_file
from core.config.model_choice import ModelChoice
from core.config.settings import Settings
from core.config.spec import AgentSpec
from core.errors import ConfigMistake, ModelRefused
from core.llm.endpoints import Endpoints
from core.llm.pricing import Prices
from core.memory.indexing import Indexing
from core.messaging.access import Gate
from core.messaging.adapter import Adapter
from core.messaging.directory import Directory
from core.messaging.earlier import Earlier
from core.messaging.intake import Intake
from core.tools.catalogue import toolbox
from core.tools.toolbox import Toolbox
from core.turn.colleagues import Colleagues
from core.turn.python_caller import CallerAdapter
from core.turn.quarantine import Quarantine
from core.turn.resources import Resources
from core.turn.worker import Worker
from core.upkeep.nightly import Nightly
from core.upkeep.once_per_change import OncePerChange
from core.upkeep.schedule import Keep, Upkeep
from storage import compactions, conversations, owners
from storage.database import Database, open_database
from storage.errors import StorageError

log = logging.getLogger(__name__)

_LAST_WORDS_SECONDS = 5
_LOOK_SECONDS = 1.0
_ATTENDED_AT_ONCE = 200  # conversations
_running: dict[asyncio.AbstractEventLoop, Runtime] = {}


class Runtime:
    """Opened once in a process, or in each of its event loops, closed once."""

    def __init__(
        self, settings: Settings, agents_file: AgentsFile, database: Database, *, may_demo: bool
    ) -> None:
        self.settings = settings
        self.agents_file = agents_file
        self.clock = clock.now
        self.directory = Directory(
            agents_file.agents.values(), self.clock, has_file=settings.config is not None
        )
        self.gate = Gate(agents_file, self.clock)
        self.intake = Intake(self.directory, self.clock, self.gate)
        self.once_per_change = OncePerChange(database, self.clock)
        self._database = database
        self._owner = owners.Owner(database.file)
        self._endpoints = Endpoints()
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self.models = ModelChoice(settings, self._endpoints, may_demo=may_demo)
        self.prices = Prices(agents_file.prices)
        self.resources = Resources(
            owner=self._owner.name,
            directory=self.directory,
            model_of=self.models.of,
            toolbox_of=self._toolbox_of,
            price=lambda model, usage: self.prices.nano_usd(model, usage),
            clock=self.clock,
            lease_seconds=settings.lease_seconds,
            take_over=self.take_over,
            attending=asyncio.Semaphore(_ATTENDED_AT_ONCE),
            quarantine=Quarantine(),
            earlier=Earlier(self.gate, self.directory, agents_file),
        )
        self._colleagues = Colleagues(self.intake, lambda: self.worker({"python": CallerAdapter()}))
        self._reloaded: list[Callable[[], Awaitable[None]]] = []

    @classmethod
    async def open(cls, settings: Settings, *, may_demo: bool = False) -> Runtime:
        """Read the agents file, open the database, take over what dead processes left.

        Raises:
            ConfigMistake: the agents file has errors.
            DatabaseUnusable, DatabaseBusy: the database cannot be used.
        """
        agents_file = read_agents_file(settings.config)
        async with AsyncExitStack() as undone:
            database = await open_database(settings.database_url)
            undone.push_async_callback(database.close)
            database.enter()
            runtime = cls(settings, agents_file, database, may_demo=may_demo)
            undone.callback(runtime._owner.leave)
            await runtime.take_over()
            undone.pop_all()
        _running[asyncio.get_running_loop()] = runtime
        return runtime

    @staticmethod
    def running() -> Runtime | None:
        """The one that is open in this event loop; this task uses its database from now on."""
        runtime = _running.get(asyncio.get_running_loop())
        if runtime:
            runtime._database.enter()
        return runtime

    async def take_over(self) -> None:
        """Make what processes of this machine left when they died claimable at once.

        Raises:
            DatabaseUnusable: the file of the database was taken away.
        """
        self._database.check_file()
        file = self._database.file
        if file and (dead := owners.dead(file, apart_from=self._owner.name)):
            await conversations.take_from(dead, self.clock())
            await compactions.take_from(dead, self.clock())
            owners.bury(file, dead)

    def when_reloaded(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do this, too, whenever the agents file has been read again."""
        self._reloaded.append(act)

    async def reload(self) -> None:
        """Go by the agents file and the prompt files as they are now, from the next answer on.

        Raises:
            ConfigMistake: they have errors; all stays as it was.
        """
        file = await asyncio.to_thread(read_agents_file, self.settings.config)
        self.agents_file.become(file)
        self.prices = Prices(file.prices)
        self.directory.read(file.agents.values(), has_file=self.settings.config is not None)
        for act in self._reloaded:
            await act()

    def _toolbox_of(self, spec: AgentSpec) -> Toolbox:
        found = _tools(spec.tools, with_memory=spec.memory)
        return found.with_tool(self._colleagues.tool(spec)) if spec.colleagues else found

    def warm_up(self) -> None:
        """Import and make now what the first answer would have to wait a second for."""
        for spec in self.agents_file.agents.values():
            with suppress(ModelRefused, ConfigMistake):  # said where somebody asks the agent
                self.models.of(spec)
                self.prices.knows(spec.model)

    def worker(self, adapters: Mapping[str, Adapter]) -> Worker:
        """A worker that delivers through these adapters, by platform."""
        return Worker(self.resources, adapters, slots=self.settings.turns)

    def upkeep(self) -> Upkeep:
        """What clears away what nobody needs."""
        return Upkeep(self._database, self.clock, Keep.of(self.settings))

    async def keep_up(self, stop: asyncio.Event) -> None:
        """Beside a worker: clear away what nobody needs, back up, and index, until `stop`."""
        nightly = Nightly(self._database, self.clock, lambda: self.agents_file.backup)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.upkeep().run(stop))
            group.create_task(nightly.run(stop))
            group.create_task(Indexing(self._database, self.clock).run(stop))

    async def watch_file(self) -> None:
        """Look once a second for the file of the database, until cancelled.

        Raises:
            DatabaseUnusable: it was taken away, and what is written would be lost.
        """
        while True:
            self._database.check_file()
            await asyncio.sleep(_LOOK_SECONDS)

    async def probe(self) -> None:
        """Read something small from the database.

        Raises:
            DatabaseBusy, DatabaseUnusable: it gives no answer.
        """
        await self._database.probe()

    def hurry(self, seconds: float) -> None:
        """As `Database.hurry`: this process is about to end."""
        self._database.hurry(seconds)

    @contextmanager
    def in_use(self) -> Generator[None]:
        """Keep `close` waiting while something is being answered."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def close(self) -> None:
        """Close models and database; what was still leased is handed over.

        A stream that was left early is given a moment to end its turn. From a database that is
        away leases come back by themselves: when they lapse, or when this process has ended.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._unused.wait()
        self._end()
        await self._endpoints.close()
        try:
            await conversations.release_all([self._owner.name], self.clock())
        except StorageError as error:
            log.warning("leases left to lapse", extra={"why": str(error)})
        else:
            self._owner.leave()  # only now: the file of one that died with leases is looked for
        finally:
            await self._database.close()

    async def abandon(self) -> None:
        """Let go of the database alone: the event loop that everything belonged to is gone."""
        self._end()
        await self._database.close()
        self._owner.leave()

    def _end(self) -> None:
        for loop in [loop for loop, runtime in _running.items() if runtime is self]:
            del _running[loop]


@cache
def _tools(references: tuple[str, ...], *, with_memory: bool) -> Toolbox:
    return toolbox(references, with_memory=with_memory)
