"""A small bot on the real discord.py, connected to the Discord peer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

import discord
import pytest

from bots.discord.internals import point_at
from tests.peers.discord.peer import DiscordPeer

INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)


class Bot(discord.Client):
    """Notes what it hears."""

    def __init__(self, *, intents: discord.Intents = INTENTS) -> None:
        super().__init__(intents=intents, max_messages=None, guild_ready_timeout=0.3)
        self.said: list[discord.Message] = []
        self.edits: list[discord.RawMessageUpdateEvent] = []
        self.deleted: list[int] = []
        self.pressed: list[discord.Interaction] = []
        self.gone: list[int] = []

    @property
    def texts(self) -> list[str]:
        """What was said, in the order it came."""
        return [message.content for message in self.said]

    @property
    def knows_all(self) -> bool:
        """Sooner than it is ready: discord.py waits whether one more server comes."""
        return bool(self.guilds) and not any(guild.unavailable for guild in self.guilds)

    def channel(self, channel: str) -> discord.PartialMessageable:
        """A place to write to."""
        return self.get_partial_messageable(int(channel))

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The peer need not be spared."""

    async def on_message(self, message: discord.Message) -> None:
        self.said.append(message)

    async def on_raw_message_edit(self, edit: discord.RawMessageUpdateEvent) -> None:
        self.edits.append(edit)

    async def on_raw_message_delete(self, deletion: discord.RawMessageDeleteEvent) -> None:
        self.deleted.append(deletion.message_id)

    async def on_raw_bulk_message_delete(self, deletion: discord.RawBulkMessageDeleteEvent) -> None:
        self.deleted += sorted(deletion.message_ids)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        self.pressed.append(interaction)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        self.gone.append(guild.id)


@asynccontextmanager
async def logged_in(peer: DiscordPeer) -> AsyncIterator[Bot]:
    """Only the REST API."""
    point_at(peer.api_url)
    async with Bot() as bot:
        await bot.login(peer.token)
        yield bot
    point_at(None)


@asynccontextmanager
async def connected(peer: DiscordPeer, *, intents: discord.Intents = INTENTS) -> AsyncIterator[Bot]:
    """Once it knows its servers."""
    point_at(peer.api_url)
    async with Bot(intents=intents) as bot:
        task = asyncio.get_running_loop().create_task(bot.start(peer.token))
        try:
            await peer.until(lambda: bot.knows_all, within=60)
            yield bot
        finally:
            await bot.close()
            with suppress(asyncio.CancelledError):
                task.cancel()
                await task
    point_at(None)


async def ending(peer: DiscordPeer, bot: Bot, *, token: str = "") -> discord.DiscordException:
    """What a connection that is not taken ends with."""
    point_at(peer.api_url)
    try:
        async with bot:
            await bot.start(token or peer.token)
    except discord.DiscordException as error:
        return error
    finally:
        point_at(None)
    raise AssertionError("it ended by itself")


async def refusal(call: Awaitable[object]) -> tuple[int, int]:
    """The status and the code with which a call is refused."""
    with pytest.raises(discord.HTTPException) as caught:
        await call
    return caught.value.status, caught.value.code
