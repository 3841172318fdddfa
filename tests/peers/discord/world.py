"""The servers: guilds, people, channels, threads, messages, and the ids they are found by."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from enum import IntEnum

from tests.peers.discord import permissions
from tests.peers.discord.clock import Clock
from tests.peers.discord.wire import Json, RefusedError


class Kind(IntEnum):
    """Of a channel."""

    TEXT = 0
    DIRECT = 1
    VOICE = 2
    NEWS = 5
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    FORUM = 15


@dataclass(slots=True, kw_only=True)
class User:
    id: str
    name: str
    is_bot: bool = False
    refuses_direct: bool = False


@dataclass(slots=True, kw_only=True)
class Role:
    id: str
    name: str
    permissions: int = 0
    position: int = 0
    bot: str = ""  # of which this is the managed role
    is_mentionable: bool = False


@dataclass(slots=True, kw_only=True)
class Guild:
    """`members`: user -> role ids, without the everyone role, whose id is the guild's.

    `joined`: user -> when, where that is later than the guild and the user are old.
    """

    id: str
    name: str
    owner: str
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    joined: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Overwrite:
    """`kind`: 0 a role, 1 a member."""

    kind: int
    allow: int = 0
    deny: int = 0


@dataclass(slots=True, kw_only=True)
class Attachment:
    id: str
    channel: str
    name: str
    content: bytes
    content_type: str


@dataclass(slots=True, kw_only=True)
class Message:
    """`pings` is all that it ever pinged; the other mentions are those of its present text."""

    id: str
    channel: str
    author: str
    content: str = ""
    kind: int = 0
    edited: float | None = None
    flags: int = 0
    reference: Json | None = None
    nonce: str = ""
    mentions: list[str] = field(default_factory=list)
    mention_roles: list[str] = field(default_factory=list)
    mention_everyone: bool = False
    pings: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    more: Json = field(default_factory=Json)  # poll, sticker_items, message_snapshots: as they are
    reactions: dict[str, list[str]] = field(default_factory=dict)
    interaction: Json | None = None  # its interaction_metadata
    webhook: str = ""
    for_user: str = ""  # only this person sees it
    is_deleted: bool = False


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel, a thread or a direct channel; `owner` made the thread, `members` are in it."""

    id: str
    kind: Kind
    name: str = ""
    guild: str = ""
    parent: str = ""
    owner: str = ""
    position: int = 0
    last_message: str = ""
    is_archived: bool = False
    is_locked: bool = False
    archive_minutes: int = 1440
    archived_at: float = 0.0
    members: list[str] = field(default_factory=list)
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    typing: dict[str, float] = field(default_factory=dict)  # user -> until when
    nonces: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)

    @property
    def is_thread(self) -> bool:
        return self.kind in (Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD)


class World:
    """Everything there is. Ids are found, or refused in Discord's words."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.base_url = ""
        self.message_content = True  # the privileged intent, in the developer portal
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.attachments: dict[str, Attachment] = {}
        self.bot = self.add_user("agentbot", is_bot=True, ago=86400.0 * 30).id
        self.application = self.bot
        self.token = self._new_token()

    def _new_token(self) -> str:
        head = base64.b64encode(self.bot.encode()).decode().rstrip("=")
        return f"{head}.GpeerA.{'moorings-test-peer'.ljust(38, 'x')}"

    def add_user(self, name: str, *, is_bot: bool = False, ago: float = 0.0) -> User:
        user = User(id=self.clock.snowflake(ago), name=name, is_bot=is_bot)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str) -> Guild:
        """With an owner, the everyone role and the bot's own."""
        owner = self.add_user(f"owner-of-{name}")
        guild = Guild(id=self.clock.snowflake(), name=name, owner=owner.id)
        guild.roles[guild.id] = Role(
            id=guild.id, name="@everyone", permissions=permissions.EVERYONE
        )
        role = Role(id=self.clock.snowflake(), name="agentbot", position=1, bot=self.bot)
        role.permissions = permissions.EVERYONE
        guild.roles[role.id] = role
        guild.members = {owner.id: [], self.bot: [role.id]}
        self.guilds[guild.id] = guild
        return guild

    def add_channel(self, name: str, guild: str, kind: Kind = Kind.TEXT) -> Channel:
        channel = Channel(
            id=self.clock.snowflake(),
            kind=kind,
            name=name,
            guild=guild,
            position=len(self.channels),
        )
        self.channels[channel.id] = channel
        return channel

    def direct(self, user: str) -> Channel:
        """The direct channel between a person and the bot, made at first use."""
        for channel in self.channels.values():
            if channel.kind is Kind.DIRECT and channel.members == [user]:
                return channel
        channel = Channel(id=self.clock.snowflake(), kind=Kind.DIRECT, members=[user])
        self.channels[channel.id] = channel
        return channel

    def permissions(self, channel: Channel, user: str, *, is_inside: bool = False) -> int:
        """`is_inside`: as if the user were in the private thread that the channel may be."""
        if not channel.guild:
            return permissions.DIRECT
        guild = self.guilds[channel.guild]
        place = self.channels[channel.parent] if channel.is_thread else channel
        total = permissions.in_channel(guild, place, user)
        is_closed = channel.kind is Kind.PRIVATE_THREAD and not is_inside
        is_outside = is_closed and user not in channel.members
        return 0 if is_outside and not permissions.has(total, "MANAGE_THREADS") else total

    def can(self, channel: Channel, *names: str) -> bool:
        """Whether the bot may."""
        return permissions.has(self.permissions(channel, self.bot), *names)

    def find_channel(self, channel_id: str) -> Channel:
        """As the bot sees it."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise RefusedError(404, 10003, "Unknown Channel")
        is_outside = bool(channel.guild) and channel.guild not in self.guilds
        if is_outside or not self.can(channel, "VIEW_CHANNEL"):
            raise RefusedError(403, 50001, "Missing Access")
        return channel

    def find_message(self, channel: Channel, message_id: str) -> Message:
        message = channel.messages.get(message_id)
        if message is None or message.is_deleted or message.for_user:
            raise RefusedError(404, 10008, "Unknown Message")
        return message

    def find_guild(self, guild_id: str) -> Guild:
        if guild_id not in self.guilds:
            raise RefusedError(404, 10004, "Unknown Guild")
        return self.guilds[guild_id]

    def need(self, channel: Channel, *names: str) -> None:
        if not self.can(channel, *names):
            raise RefusedError(403, 50013, "Missing Permissions")

    def is_readable(self, message: Message) -> bool:
        """Without the message content intent: section 1.7's exceptions."""
        is_direct = not self.channels[message.channel].guild
        return is_direct or message.author == self.bot or self.bot in message.mentions

    def threads_of(self, guild: str) -> list[Channel]:
        """The active ones that the bot can see."""
        threads = [c for c in self.channels.values() if c.guild == guild and c.is_thread]
        return [c for c in threads if not c.is_archived and self.can(c, "VIEW_CHANNEL")]

    def message_anywhere(self, message_id: str) -> Message:
        """Wherever it was said."""
        for channel in self.channels.values():
            if message_id in channel.messages:
                return channel.messages[message_id]
        raise LookupError(f"no message {message_id}")
