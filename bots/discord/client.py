"""One connection to Discord's gateway; its events are only passed on."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import discord
from aiohttp import TraceConfig
from discord import app_commands

from bots.connections import Connector
from bots.discord import internals
from bots.discord.catch_up import CatchUp
from bots.discord.failures import FAILURES
from bots.discord.identify_limit import IdentifyLimit
from bots.discord.ingest import Ingest, RawEvent
from bots.discord.members import Members
from bots.discord.missed_messages import Tracked
from bots.discord.sent_messages import SentMessages
from core.errors import MooringsError
from core.redaction import HELD

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 1.5
_GUILD_SECONDS = 1.0  # without another GUILD_CREATE: a server that has not come is out of reach
_HEARTBEAT_SECONDS = 60.0  # without an answer to a heartbeat: then discord.py resumes the session

Tree = app_commands.CommandTree[discord.Client]


class Interactions(Protocol):
    """Handles commands and buttons."""

    def attach(self, client: discord.Client) -> Tree:
        """Give a client its commands, before it connects."""
        ...

    async def pressed(self, interaction: discord.Interaction) -> None:
        """Handle the press of a button."""
        ...

    async def synchronise(self, tree: Tree) -> None:
        """Send the commands to Discord if they changed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What handles the gateway's events: one set for all clients of a process, one by one."""

    ingest: Ingest
    catch_up: CatchUp
    interactions: Interactions
    identify_limit: IdentifyLimit
    sent: SentMessages
    members: Members


class Client(discord.AutoShardedClient):
    """Used for one run: after it has ended, make another one.

    With 1 shard, too, it is not a `discord.Client`, which in 2.7.1 fails for good when its first
    connection fails (Rapptz/discord.py#10520) or its resume URL is dead (#10511).
    """

    def __init__(self, handlers: Handlers, *, reads_content: bool) -> None:
        """`reads_content`: ask for the privileged intent Message Content."""
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
            guild_ready_timeout=_GUILD_SECONDS,
            heartbeat_timeout=_HEARTBEAT_SECONDS,
            http_trace=self.limit.watch(TraceConfig()),
        )
        self._ingest = handlers.ingest
        self._catch_up = handlers.catch_up
        self._interactions = handlers.interactions
        self._identify_limit = handlers.identify_limit
        self._sent = handlers.sent
        self._members = handlers.members
        self._members.use(self)
        self._tree = handlers.interactions.attach(self)
        self._began: set[int] = set()  # shards that have had a session
        self._servers: set[int] = set()  # that have come
        self._events = 0
        self.is_overloaded = False
        self.is_waiting = False  # for the identify limit

    @property
    def is_live(self) -> bool:
        """Whether events can come in: `is_ready` of discord.py stays true without a connection."""
        shards = self.shards.values()
        is_whole = bool(self._began) and bool(shards) and len(shards) == self.shard_count
        is_open = not (self.is_closed() or any(shard.is_closed() for shard in shards))
        return is_whole and is_open and all(math.isfinite(shard.latency) for shard in shards)

    @property
    def traffic(self) -> tuple[float, ...]:
        """Changes with each event and each answer to a heartbeat."""
        return (self._events, *(shard.latency for shard in self.shards.values()))

    async def shut_down(self) -> None:
        """Close it; a connection that does not answer is dropped."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.close()
        except TimeoutError:
            await internals.abort(self)
        for socket in internals.leftover_sockets(self):
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS / 3):
                    await socket.close(code=1000)

    async def setup_hook(self) -> None:
        try:
            await self._interactions.synchronise(self._tree)
        except FAILURES as error:
            log.warning("commands not synchronised", extra={"why": type(error).__name__})
        finally:
            self.limit.release(self)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """A session that replaces a lost one counts as an IDENTIFY, too."""
        await super().before_identify_hook(shard_id, initial=initial)
        if initial or len(self.shards) < (self.shard_count or 1):
            return  # at the start the listener has waited once for all shards
        self.is_waiting = True
        try:
            await self._identify_limit.wait()
        except MooringsError as error:
            raise discord.GatewayNotFound from error  # discord.py tries again
        finally:
            self.is_waiting = False

    async def on_socket_event_type(self, _kind: str) -> None:
        self._events += 1

    async def on_shard_connect(self, shard: int) -> None:
        """A new session began: messages before it may have been missed."""
        self._began.add(shard)
        self._catch_up.session_began(shard, self.shard_count or 1)
        self._count_servers()

    async def on_ready(self) -> None:
        self._know_servers()

    async def on_guild_available(self, guild: discord.Guild) -> None:
        self._servers.add(guild.id)
        self._catch_up.check_server(guild)
        self._count_servers()

    async def on_guild_join(self, guild: discord.Guild) -> None:
        self._members.refresh()
        self._catch_up.check_server(guild)

    async def on_guild_remove(self, _guild: discord.Guild) -> None:
        self._members.refresh()

    async def on_guild_channel_create(self, channel: discord.abc.GuildChannel) -> None:
        """A new channel, or one that the bot may see only now."""
        if isinstance(channel, Tracked):
            self._catch_up.check_channel(channel)

    async def on_thread_join(self, thread: discord.Thread) -> None:
        self._catch_up.check_channel(thread)

    async def on_thread_remove(self, thread: discord.Thread) -> None:
        """The bot was removed from the thread; discord.py leaves `me` set."""
        thread.me = None

    async def on_message(self, message: discord.Message) -> None:
        if self.user and message.author.id == self.user.id:
            self._sent.add(message)
        await self._store(message)

    async def on_raw_message_edit(self, update: discord.RawMessageUpdateEvent) -> None:
        if not update.message.author.bot:  # answers are edited all the time while they grow
            await self._store(update)

    async def on_raw_message_delete(self, deletion: discord.RawMessageDeleteEvent) -> None:
        await self._store(deletion)

    async def on_raw_bulk_message_delete(self, deletion: discord.RawBulkMessageDeleteEvent) -> None:
        await self._store(deletion)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        HELD.hold(interaction.token)
        if interaction.type is discord.InteractionType.component:
            await self._interactions.pressed(interaction)

    async def on_error(self, event: str, /, *_: object, **__: object) -> None:
        log.error("event failed", extra={"event": event}, exc_info=sys.exception())

    def _count_servers(self) -> None:
        """See whether all have come: discord.py waits for one more before it is ready."""
        has_heard_all = len(self._began) == self.shard_count
        if has_heard_all and self._servers.issuperset(guild.id for guild in self.guilds):
            self._know_servers()

    def _know_servers(self) -> None:
        self._members.refresh()
        self._catch_up.all_servers_known()

    async def _store(self, event: RawEvent) -> None:
        """Close the client if the queue is full: the next one catches up on what is left out."""
        if self.is_overloaded or self._ingest.add(event, self._catch_up.stored):
            return
        self.is_overloaded = True
        log.error("more events come in than can be stored: reconnecting when they are stored")
        await self.close()
