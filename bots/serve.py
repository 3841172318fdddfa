"""Opens every platform whose tokens are set, and serves them all in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol, TypeVar

from bots import app
from bots.listening import Listener, WaysIn
from bots.role import Role
from core.config.settings import Settings
from core.errors import ConfigMistake
from core.lazy import lazy
from core.messaging.adapter import Adapter
from core.runtime import Runtime
from core.turn.worker import Worker

if TYPE_CHECKING:
    from bots.discord.platform import DiscordPlatform
    from bots.http import Check, HttpPort
    from bots.slack.platform import SlackPlatform

_SLACK, _DISCORD = "slack", "discord"


class Platform(Protocol):
    """A platform that is open. Whoever opened it closes it."""

    @property
    def adapter(self) -> Adapter:
        """The way out."""
        ...

    def ways_in(self, worker: Worker) -> WaysIn:
        """Whatever comes in wakes this worker."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


R = TypeVar("R")
Open = Callable[[Runtime], Awaitable[Platform]]


async def serve(settings: Settings, only: Role | None = None) -> int:
    """Serve until told to stop; the exit status. Without a role the process does everything.

    Raises:
        ConfigMistake: there is nothing to serve, or a token is wrong.
        DatabaseUnusable, DatabaseBusy: the database cannot be used.
    """
    wanted = _wanted(settings)
    if only in (Role.SLACK, Role.DISCORD):
        wanted = {queue: open_it for queue, open_it in wanted.items() if queue == only}
    if not wanted:
        raise ConfigMistake(
            "There is no platform to serve: set SLACK_BOT_TOKEN, with SLACK_APP_TOKEN for Socket "
            "Mode or SLACK_SIGNING_SECRET for HTTP, or set DISCORD_TOKEN, or both. "
            "`moorings chat` talks to your agents in the terminal."
        )
    stop, hang_up = app.stop_at_signals(), app.hang_up_at_signal()
    async with AsyncExitStack() as opened:
        runtime = await _runtime(settings, opened, stop)
        if runtime is None:
            return 0
        platforms = await _platforms(wanted, runtime, opened, stop)
        if not stop.is_set():
            listeners, queues, worker = _parts(runtime, platforms, only)
            running = app.run(runtime, worker, listeners, queues, stop, hang_up)
            await _while_stored(runtime, running)
    return 0


def _parts(
    runtime: Runtime, platforms: Mapping[str, Platform], only: Role | None
) -> tuple[list[Listener], list[str], Worker]:
    """What a process of this role listens with and answers for, and who answers."""
    worker = runtime.worker({queue: platform.adapter for queue, platform in platforms.items()})
    heard = {} if only is Role.WORKER else platforms
    queues = list(platforms) if only in (None, Role.WORKER) else []
    ways = {queue: platform.ways_in(worker) for queue, platform in heard.items()}
    listeners: list[Listener] = [way.listener for way in ways.values()]
    listeners += _ports(runtime, ways, _checks(runtime, ways, worker if queues else None))
    return listeners, queues, worker


def _ports(
    runtime: Runtime, ways: Mapping[str, WaysIn], checks: Mapping[str, Check]
) -> list[HttpPort]:
    """One for everything, or one for the platforms and another one for the operator."""
    port, admin_port = runtime.settings.port, runtime.settings.admin_port
    routes = [route for way in ways.values() for route in way.routes]
    if port is None and admin_port is None:
        return []
    opened: type[HttpPort] = lazy("bots.http", "HttpPort")
    if admin_port in (None, port):
        return [opened(port, checks, routes)] if port else []
    admin = opened(admin_port, checks, variable="MOORINGS_ADMIN_PORT")
    return [admin, opened(port, None, routes)] if port else [admin]


def _checks(
    runtime: Runtime, ways: Mapping[str, WaysIn], worker: Worker | None
) -> Mapping[str, Check]:
    """What readiness consists of: a process that is ready can take another one's place."""
    checks = {queue: way.check for queue, way in ways.items() if way.check}
    answering = {"worker": worker.check} if worker else {}
    return {"database": runtime.probe, **checks, **answering}


def _wanted(settings: Settings) -> Mapping[str, Open]:
    """By queue. Half a second goes by until a platform's SDK is imported: only what is served."""
    wanted: dict[str, Open] = {}
    if settings.slack_bot_token or settings.slack_client_id or settings.slack_app_token:
        slack: type[SlackPlatform] = lazy("bots.slack.platform", "SlackPlatform")
        wanted[_SLACK] = slack.open
    if settings.discord_token:
        discord: type[DiscordPlatform] = lazy("bots.discord.platform", "DiscordPlatform")
        wanted[_DISCORD] = discord.open
    return wanted


async def _runtime(
    settings: Settings, opened: AsyncExitStack, stop: asyncio.Event
) -> Runtime | None:
    """None: stopped meanwhile, as while another process migrates, or the server says nothing.

    A migration of its own is cut off, too, as when its lock is lost: it is rolled back, and on
    MySQL taken up by the next start. A host would kill it in the end: that does the same, later.
    """
    opening, *_ = await _until(stop, Runtime.open(settings))
    if opening.cancelled():
        return None
    runtime = opening.result()
    opened.push_async_callback(runtime.close)
    return runtime


async def _platforms(
    wanted: Mapping[str, Open], runtime: Runtime, opened: AsyncExitStack, stop: asyncio.Event
) -> Mapping[str, Platform]:
    """All at once: that one cannot be reached does not hide that another has a wrong token.

    Stopped meanwhile, those that are open by then.
    """
    opening = await _until(stop, *(_opened(each, runtime, opened) for each in wanted.values()))
    pairs = zip(wanted, opening, strict=True)
    return {queue: task.result() for queue, task in pairs if not task.cancelled()}


async def _while_stored(runtime: Runtime, running: Coroutine[None, None, None]) -> None:
    """Run to the end, or until the file of the database is taken away, which is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(runtime.watch_file())
            await running
            watching.cancel()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures


async def _until(stop: asyncio.Event, *work: Coroutine[None, None, R]) -> Sequence[asyncio.Task[R]]:
    """All of it at once to its end; `stop` cancels it. Raises the first failure."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            stopping = group.create_task(_cancel_at(stop, tasks))
            await asyncio.wait(tasks)
            stopping.cancel()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return tasks


async def _cancel_at(stop: asyncio.Event, tasks: Sequence[asyncio.Task[R]]) -> None:
    await stop.wait()
    for task in tasks:
        task.cancel()


async def _opened(open_it: Open, runtime: Runtime, opened: AsyncExitStack) -> Platform:
    platform = await open_it(runtime)
    opened.push_async_callback(platform.close)
    return platform
