"""A server with a bot that has commands and buttons."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bots.discord.interactions import Interactions
from bots.discord.platform import DiscordPlatform
from core.runtime import Runtime
from tests.bots.discord.server import QUICK, Bot, Server
from tests.peers.discord.interactions import Interaction

AGENTS = """
[agents.assistant]
[agents.support]
[[commands]]
name = "/support"
agent = "support"
"""


@dataclass(frozen=True, kw_only=True)
class CommandServer(Server):
    """The server of a test, with people who use commands and buttons."""

    @asynccontextmanager
    async def commanded(
        self, agents: str = AGENTS, *, connections: int = 1, works: bool = True, **changes: object
    ) -> AsyncIterator[Bot]:
        """A running bot with commands; without `works` it only stores what it receives.

        Two connections are to Discord like two processes in a rolling deploy.
        """
        async with AsyncExitStack() as opened:
            runtime = await Runtime.open(self.settings(agents, **changes))
            opened.push_async_callback(runtime.close)
            platform = await DiscordPlatform.open(runtime)
            opened.push_async_callback(platform.close)
            worker = runtime.worker({"discord": platform.adapter})
            runtime.intake.wake_with(worker.wake, worker.edited)
            listeners = [
                platform.listener(worker, Interactions(runtime, worker), QUICK)
                for _ in range(connections)
            ]
            bot = Bot(runtime=runtime, worker=worker, listener=listeners[0], stop=asyncio.Event())
            async with asyncio.TaskGroup() as group:
                if works:
                    group.create_task(worker.run(["discord"], bot.stop, 0))
                for listener in listeners:
                    group.create_task(listener.run(runtime.intake, bot.stop))
                try:
                    await self.discord.until(lambda: all(each.is_listening for each in listeners))
                    yield bot
                finally:
                    bot.stop.set()

    async def command(
        self,
        name: str,
        user: str = "",
        channel: str = "",
        **options: str | int,
    ) -> Interaction:
        """A command, by anna in #general if nothing else is said, once it is acknowledged."""
        given = self.discord.command(
            name, options, channel or self.discord.general, user or self.discord.anna
        )
        await self.discord.until(lambda: given.is_acked)
        return given

    async def told(self, given: Interaction) -> str:
        """The ephemeral response to an interaction, once it is there."""

        def is_told() -> bool:
            line = self.discord.reply(given)
            return line is not None and not line.is_thinking

        await self.discord.until(is_told)
        line = self.discord.reply(given)
        assert line
        assert line.for_user == given.user
        return line.text

    async def agent_command(
        self, verb: str, user: str = "", channel: str = "", **options: str | int
    ) -> str:
        """The response to an `/agent` command, which only this person sees."""
        return await self.told(await self.command(f"agent {verb}", user, channel, **options))

    async def suggested(self, verb: str, typed: Mapping[str, str], user: str = "") -> list[str]:
        """The names that autocomplete suggests for the option `agent` of this verb."""
        given = self.discord.autocomplete(
            f"agent {verb}", typed, "agent", self.discord.general, user or self.discord.anna
        )
        await self.discord.until(lambda: given.is_acked)
        return [str(choice["value"]) for choice in given.choices]

    async def pressed(self, message: str, button: str, user: str = "") -> Interaction:
        """Press a button; returns the interaction once it is acknowledged."""
        press = self.discord.press(message, button, user or self.discord.anna)
        await self.discord.until(lambda: press.is_acked)
        return press
