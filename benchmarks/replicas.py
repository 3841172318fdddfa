"""What do more replicas bring, what does a turn cost the database, how soon is a message seen?

Everything but platform and model is real: workers in processes of their own on one PostgreSQL,
which the benchmark starts for itself and lets count its rows, as it does by itself each minute.
Prints turns per second with their ratio to one replica in the same round, statements and
milliseconds in the database per turn, each the median of the rounds, and the time until a message
is taken up:
    python -m benchmarks.replicas
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import AsyncGenerator, Iterable
from itertools import count
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event, Semaphore
from statistics import median, quantiles

import asyncpg

from core import clock
from core.address import Address
from core.config.agents_file import read
from core.config.spec import AgentSpec
from core.llm import Finished, ModelEvent, ModelRequest, TextDelta
from core.messaging.access import Gate
from core.messaging.adapter import Limits
from core.messaging.directory import Directory
from core.messaging.earlier import Earlier
from core.messaging.intake import Intake
from core.messaging.messages import Author, Outgoing, RoutedMessage
from core.tools.toolbox import Toolbox
from core.turn.quarantine import Quarantine
from core.turn.resources import Resources
from core.turn.worker import Worker
from storage.database import open_database
from storage.models import InboxMessage, Turn, TurnState
from tests.peers.postgres import PostgresServer

REPLICAS = (1, 2, 4, 8)
TURNS = 2_000  # a round: new processes are slow at first
ROUNDS = 5
LOOKS = 50  # messages whose way is timed
LEASE_SECONDS = 15.0
ANSWER = "The deadline is March 15th."
AGENT = AgentSpec(name="ada", instructions="Be brief.", tools=(), memory=True)
_STATISTICS = """
SELECT sum(calls)::bigint AS calls, sum(total_exec_time) AS milliseconds FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_processes = multiprocessing.get_context("spawn")


class Nowhere:
    """A platform that takes everything at once."""

    def __init__(self) -> None:
        self._ids = count()

    @property
    def limits(self) -> Limits:
        """An answer is shown once, while it grows, and once when it has ended."""
        return Limits(text_length=4_000, seconds_between_edits=1.5)

    def may_preview(self, outgoing: Outgoing) -> bool:
        """Always."""
        return True

    async def post(self, outgoing: Outgoing) -> str:
        """A new message."""
        return str(next(self._ids))

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """The same message."""
        return message_id

    async def find(self, outgoing: Outgoing) -> str | None:
        """Nothing is ever lost here."""
        return None


class Instant:
    """A model that answers at once."""

    name = "instant"
    terms = "in memory"
    window = None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The same for everybody."""
        yield TextDelta(text=ANSWER)
        yield Finished(text=ANSWER, model=self.name)


def made(owner: str) -> tuple[Worker, Intake]:
    """A worker, and the intake that wakes it."""
    directory, file = Directory([AGENT], clock.now), read(None)
    gate = Gate(file, clock.now)
    resources = Resources(
        owner=owner,
        directory=directory,
        model_of=_instant,
        toolbox_of=lambda _: Toolbox([]),
        price=lambda *_: None,
        clock=clock.now,
        lease_seconds=LEASE_SECONDS,
        take_over=_nothing,
        attending=asyncio.Semaphore(1),
        quarantine=Quarantine(),
        earlier=Earlier(gate, directory, file),
    )
    worker = Worker(resources, {"slack": Nowhere()})
    intake = Intake(directory, clock.now, gate)
    intake.wake_with(worker.wake, worker.edited)
    return worker, intake


def _instant(_: AgentSpec) -> Instant:
    return Instant()


def replica(url: str, name: str, ready: Semaphore, go: Event, done: Event) -> None:
    """The life of one process: it says that it is ready, and works from `go` until `done`."""
    asyncio.run(_live(url, name, ready, go, done))


async def _live(url: str, name: str, ready: Semaphore, go: Event, done: Event) -> None:
    database = await open_database(url)
    try:
        worker, _ = made(name)
        stop = asyncio.Event()
        ready.release()
        await asyncio.to_thread(go.wait)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run(["slack"], stop, 5))
            await asyncio.to_thread(done.wait)
            stop.set()
    finally:
        await database.close()


class Replicas:
    """Started, set going and stopped together."""

    def __init__(self, url: str, size: int) -> None:
        self._ready = _processes.Semaphore(0)
        self._go, self._done = _processes.Event(), _processes.Event()
        self._all: list[BaseProcess] = [
            _processes.Process(
                target=replica, args=(url, f"r{n}", self._ready, self._go, self._done)
            )
            for n in range(size)
        ]
        for process in self._all:
            process.start()

    async def ready(self) -> None:
        """Return when each has the database open."""
        for _ in self._all:
            await asyncio.to_thread(self._ready.acquire)

    def go(self) -> None:
        """Begin."""
        self._go.set()

    async def end(self) -> None:
        """Return when they have ended."""
        self._done.set()
        for process in self._all:
            await asyncio.to_thread(process.join)


async def throughput(
    url: str, size: int, say: Iterable[RoutedMessage], intake: Intake
) -> list[float]:
    """Turns per second, statements per turn, milliseconds in the database per turn."""
    before = await Turn.filter(state=TurnState.DONE).count()
    for incoming in say:
        await intake.accept(incoming, AGENT.name)
    await analyze(url)
    replicas = Replicas(url, size)
    await replicas.ready()
    statements, milliseconds = await spent(url)
    replicas.go()
    began = await _moment_of(before + TURNS // 10)
    ended = await _moment_of(before + TURNS - TURNS // 10)
    await _moment_of(before + TURNS)
    await replicas.end()
    after_statements, after_milliseconds = await spent(url)
    return [
        (TURNS - 2 * (TURNS // 10)) / (ended - began),
        (after_statements - statements) / TURNS,
        (after_milliseconds - milliseconds) / TURNS,
    ]


async def _moment_of(turns: int) -> float:
    """When so many have ended; the first and the last tenth are not those of a busy system."""
    while await Turn.filter(state=TurnState.DONE).count() < turns:  # noqa: ASYNC110  # of others
        await asyncio.sleep(0.1)
    return time.perf_counter()


async def spent(url: str) -> tuple[int, float]:
    """Statements and milliseconds of this database until now, by its own account."""
    connection = await asyncpg.connect(url)
    row = await connection.fetchrow(_STATISTICS)
    await connection.close()
    return int(row["calls"]), float(row["milliseconds"])


async def analyze(url: str) -> None:
    """Let the server count its rows."""
    connection = await asyncpg.connect(url)
    await connection.execute("ANALYZE")
    await connection.close()


async def wake_up(intake: Intake, say: Iterable[RoutedMessage]) -> list[float]:
    """Milliseconds from stored to taken up, of messages that come when all is quiet."""
    taken = []
    for incoming in say:
        await asyncio.sleep(random.uniform(0.1, 1.3))  # noqa: S311  # at any time of a poll
        accepted = await intake.accept(incoming, AGENT.name)
        turn = await _turn(accepted.conversation_id)
        message = await InboxMessage.get(key=accepted.key)
        taken.append((turn.opened_at - message.received_at).total_seconds() * 1000)
    return taken


async def _turn(conversation_id: int) -> Turn:
    while not (turn := await Turn.get_or_none(conversation_id=conversation_id)):  # noqa: ASYNC110  # of others
        await asyncio.sleep(0.02)
    return turn


def messages(amount: int, numbers: Iterable[int]) -> list[RoutedMessage]:
    """As many, each in a channel of its own."""
    return [
        RoutedMessage(
            key=f"slack/T1/C{number}/1",
            address=Address.parse(f"slack/T1/C{number}"),
            author=Author(id="U1", name="ana"),
            text="What is our project deadline?",
            sent_at=clock.now(),
            position=1,
        )
        for _, number in zip(range(amount), numbers, strict=False)
    ]


async def measure(url: str) -> None:
    """Measure, and print."""
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE EXTENSION pg_stat_statements")
    await connection.close()
    database = await open_database(url)
    numbers = count()
    try:
        worker, waking = made("here")
        _, intake = made("elsewhere")
        intake.wake_with(lambda _: None, lambda _: None)
        await _print_throughput(url, intake, numbers)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run(["slack"], stop, 5))
            _print("stored by the same process", await wake_up(waking, messages(LOOKS, numbers)))
            _print("stored by another process", await wake_up(intake, messages(LOOKS, numbers)))
            stop.set()
    finally:
        await database.close()


async def _print_throughput(url: str, intake: Intake, numbers: Iterable[int]) -> None:
    rounds = [
        [await throughput(url, size, messages(TURNS, numbers), intake) for size in REPLICAS]
        for _ in range(ROUNDS)
    ]
    print("replicas  turns/s  ratio  statements/turn  database ms/turn")
    for at, size in enumerate(REPLICAS):
        pace, statements, milliseconds = map(
            median, zip(*(each[at] for each in rounds), strict=True)
        )
        ratio = median(each[at][0] / each[0][0] for each in rounds)
        print(f"{size:8}  {pace:7.1f}  {ratio:5.2f}  {statements:15.1f}  {milliseconds:16.2f}")


def _print(what: str, milliseconds: list[float]) -> None:
    p99 = quantiles(milliseconds, n=100)[98]
    print(f"taken up, {what}: median {median(milliseconds):.1f} ms, p99 {p99:.1f} ms")


async def _nothing() -> None:
    """Nobody has died."""


async def main() -> None:
    """On a server of its own."""
    async with PostgresServer({"shared_preload_libraries": "pg_stat_statements"}) as server:
        await measure(server.url)


if __name__ == "__main__":
    asyncio.run(main())
