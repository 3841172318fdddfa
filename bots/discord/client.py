"""One connection to the gateway: discord.py's client, whose events are only handed over."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from contextlib import suppress

import discord
from aiohttp import TraceConfig

from bots.connections import Connector
from bots.discord import internals
from bots.discord.failures import FAILURES
from bots.discord.gaps import Tracked
from bots.discord.inflow import Event
from bots.discord.line import Line
from core.errors import MooringsError
from core.redaction import HELD

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 1.5
_NEXT_SERVER_SECONDS = 1.0  # after which Discord has told all that the bot is in
_SILENCE_SECONDS = 60.0  # after which discord.py resumes the session on another line


class Client(discord.AutoShardedClient):
    """Used once: whoever lost it makes another one.

    `discord.Client` would not survive a first connection that fails, nor a dead address to
    resume at.
    """

    def __init__(self, line: Line, *, reads_content: bool) -> None:
        self.limit = internals.GlobalLimit()
        super().__init__(
            intents=discord.Intents(
                guilds=True, guild_messages=True, dm_messages=True, message_content=reads_content
            ),
            connector=Connector(limit=0),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=_NEXT_SERVER_SECONDS,
            heartbeat_timeout=_SILENCE_SECONDS,
            http_trace=self.limit.heard_by(TraceConfig()),
        )
        self._inflow = line.inflow
        self._catch_up = line.catch_up
        self._interactions = line.interactions
        self._starts = line.starts
        self._echoes = line.echoes
        self._members = line.members
        self._members.follow(self)
        self._tree = line.interactions.attach(self)
        self._has_arrived = False
        self._events = 0
        self.is_overrun = False
        self.is_waiting = False  # on purpose, for its turn to start a session

    @property
    def is_live(self) -> bool:
        """Whether events come in; `is_ready` says so of a client that lost its connection, too."""
        shards = self.shards.values()
        is_whole = self._has_arrived and bool(shards) and len(shards) == self.shard_count
        is_open = not (self.is_closed() or any(shard.is_closed() for shard in shards))
        return is_whole and is_open and all(math.isfinite(shard.latency) for shard in shards)

    @property
    def pulse(self) -> tuple[float, ...]:
        """Another one whenever something came in, be it an answer to a heartbeat."""
        return (self._events, *(shard.latency for shard in self.shards.values()))

    async def end(self) -> None:
        """Close it; a line that does not answer is cut."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.close()
        except TimeoutError:
            await internals.cut(self)
        for line in internals.lines_left_behind(self):
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS / 3):
                    await line.close(code=1000)

    async def setup_hook(self) -> None:
        try:
            await self._interactions.synchronise(self._tree)
        except FAILURES as error:
            log.warning("commands not synchronised", extra={"why": type(error).__name__})
        finally:
            self.limit.left(self)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Sessions that follow a lost one are starts, too."""
        await super().before_identify_hook(shard_id, initial=initial)
        if initial or len(self.shards) < (self.shard_count or 1):
            return  # the first ones of all shards have had their turn together
        self.is_waiting = True
        try:
            await self._starts.turn()
        except MooringsError as error:
            raise discord.GatewayNotFound from error  # which is tried again
        finally:
            self.is_waiting = False

    async def on_socket_event_type(self, _kind: str) -> None:
        self._events += 1

    async def on_shard_connect(self, shard: int) -> None:
        """A new session began: what came before it may have been missed."""
        self._has_arrived = True
        self._catch_up.lost(shard, self.shard_count or 1)

    async def on_ready(self) -> None:
        self._members.look()
        self._catch_up.announced()

    async def on_guild_available(self, guild: discord.Guild) -> None:
        self._catch_up.behind(guild)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        self._members.look()
        self._catch_up.behind(guild)

    async def on_guild_remove(self, _guild: discord.Guild) -> None:
        self._members.look()

    async def on_guild_channel_create(self, channel: discord.abc.GuildChannel) -> None:
        """Made, or shown to the bot only now."""
        if isinstance(channel, Tracked):
            self._catch_up.shown(channel)

    async def on_thread_join(self, thread: discord.Thread) -> None:
        self._catch_up.shown(thread)

    async def on_thread_remove(self, thread: discord.Thread) -> None:
        """The bot was taken out of it, which discord.py does not note."""
        thread.me = None

    async def on_message(self, message: discord.Message) -> None:
        if self.user and message.author.id == self.user.id:
            self._echoes.hear(message)
        await self._hand_over(message)

    async def on_raw_message_edit(self, update: discord.RawMessageUpdateEvent) -> None:
        if not update.message.author.bot:  # an answer that grows is edited all the time
            await self._hand_over(update)

    async def on_raw_message_delete(self, deletion: discord.RawMessageDeleteEvent) -> None:
        await self._hand_over(deletion)

    async def on_raw_bulk_message_delete(self, deletion: discord.RawBulkMessageDeleteEvent) -> None:
        await self._hand_over(deletion)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        HELD.hold(interaction.token)
        if interaction.type is discord.InteractionType.component:
            await self._interactions.pressed(interaction)

    async def on_error(self, event: str, /, *_: object, **__: object) -> None:
        log.error("event failed", extra={"event": event}, exc_info=sys.exception())

    async def _hand_over(self, event: Event) -> None:
        """Catching up finds what there is no room for."""
        if self.is_overrun or self._inflow.add(event, self._catch_up.heard):
            return
        self.is_overrun = True
        log.error("more comes in than can be stored: connecting again when it is")
        await self.close()
