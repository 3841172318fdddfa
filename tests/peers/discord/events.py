"""What the gateway tells: each change, to the sessions that may and want to know."""

from __future__ import annotations

from tests.peers.discord import payloads
from tests.peers.discord.gateway import Gateway
from tests.peers.discord.sessions import (
    DIRECT_MESSAGES,
    DIRECT_REACTIONS,
    DIRECT_TYPING,
    GUILD_MESSAGES,
    GUILD_REACTIONS,
    GUILD_TYPING,
    GUILDS,
    Event,
    Session,
)
from tests.peers.discord.wire import Json
from tests.peers.discord.world import Channel, Guild, Message, World

LIMITED_CONTENT = 1 << 19


class Events:
    """`shows_hidden`: guilds list the channels, too, that the bot cannot view.

    `away` are guilds that cannot be served for a while.
    """

    def __init__(self, world: World, gateway: Gateway) -> None:
        self.shows_hidden = False
        self.away: set[str] = set()
        self._world = world
        self._gateway = gateway
        gateway.greet = self.greet

    def greet(self, session: Session) -> None:
        """READY, then the guilds of the shard."""
        world = self._world
        guilds = [g for g in world.guilds.values() if session.takes(_about(g, Json()))]
        flags = LIMITED_CONTENT if world.message_content else 0
        session.dispatch(
            Event(
                kind="READY",
                payload=Json(
                    v=10,
                    user=Json(
                        payloads.user(world.users[world.bot]),
                        verified=True,
                        mfa_enabled=False,
                        email=None,
                        flags=0,
                    ),
                    guilds=[Json(id=guild.id, unavailable=True) for guild in guilds],
                    private_channels=[],
                    relationships=[],
                    session_id=session.id,
                    resume_gateway_url=f"{self._gateway.url}/resume",
                    session_type="normal",
                    application=Json(id=world.application, flags=flags),
                    shard=list(session.shard),
                ),
            )
        )
        for guild in guilds:
            if guild.id not in self.away:
                session.dispatch(_about(guild, self._whole(guild)))

    def _whole(self, guild: Guild) -> Json:
        places = [c for c in self._world.channels.values() if c.guild == guild.id]
        places = [c for c in places if not c.is_thread and self._is_listed(c)]
        return payloads.guild(self._world, guild, places)

    def _is_listed(self, place: Channel) -> bool:
        is_shown = self.shows_hidden and not place.is_thread
        return is_shown or self._world.can(place, "VIEW_CHANNEL")

    def emit(self, kind: str, payload: Json, guild: str = "", intent: int = 0) -> None:
        self._gateway.emit(Event(kind=kind, payload=payload, guild=guild, intent=intent))

    def guild(self, kind: str, guild: Guild, payload: Json | None = None) -> None:
        """Without a payload: the whole guild."""
        whole = self._whole(guild) if payload is None else payload
        self.emit(kind, whole, guild.id, GUILDS)

    def channel(self, kind: str, place: Channel, extra: Json | None = None) -> None:
        if not place.guild or not self._is_listed(place):
            return
        payload = Json(payloads.channel(self._world, place), **(extra or {}))
        self.emit(kind, payload, place.guild, GUILDS)

    def vanished(self, place: Channel) -> None:
        """The bot has lost sight of it."""
        payload = payloads.channel(self._world, place)
        self.emit("CHANNEL_DELETE", payload, place.guild, GUILDS)

    def thread_list(self, parent: Channel) -> None:
        """The active threads of a channel that the bot sees again."""
        threads = [c for c in self._world.threads_of(parent.guild) if c.parent == parent.id]
        joined = [c for c in threads if self._world.bot in c.members]
        payload = Json(
            guild_id=parent.guild,
            channel_ids=[parent.id],
            threads=[payloads.channel(self._world, place) for place in threads],
            members=[payloads.thread_member(place, self._world.bot) for place in joined],
        )
        self.emit("THREAD_LIST_SYNC", payload, parent.guild, GUILDS)

    def message(self, kind: str, said: Message) -> None:
        place = self._world.channels[said.channel]
        if said.for_user or not self._world.can(place, "VIEW_CHANNEL"):
            return
        nonce = said.nonce if kind == "MESSAGE_CREATE" else ""
        self._gateway.emit(
            Event(
                kind=kind,
                payload=payloads.delivered(self._world, said, nonce=nonce),
                concealed=payloads.delivered(self._world, said, nonce=nonce, hides=True),
                intent=GUILD_MESSAGES if place.guild else DIRECT_MESSAGES,
                guild=place.guild,
            )
        )

    def deletion(self, place: Channel, message_ids: list[str]) -> None:
        if not self._world.can(place, "VIEW_CHANNEL"):
            return
        payload = Json(channel_id=place.id)
        kind = "MESSAGE_DELETE" if len(message_ids) == 1 else "MESSAGE_DELETE_BULK"
        payload.update({"id": message_ids[0]} if len(message_ids) == 1 else {"ids": message_ids})
        self._in(place, kind, payload, (GUILD_MESSAGES, DIRECT_MESSAGES))

    def reaction(self, kind: str, said: Message, user: str, emoji: str) -> None:
        place = self._world.channels[said.channel]
        payload = Json(channel_id=place.id, message_id=said.id, user_id=user, burst=False, type=0)
        payload["emoji"] = Json(id=None, name=emoji)
        if kind == "MESSAGE_REACTION_ADD":
            payload["message_author_id"] = said.author
            payload.update(self._member(place, user))
        self._in(place, kind, payload, (GUILD_REACTIONS, DIRECT_REACTIONS))

    def typing(self, place: Channel, user: str) -> None:
        payload = Json(channel_id=place.id, user_id=user, timestamp=int(self._world.clock.now()))
        payload.update(self._member(place, user))
        self._in(place, "TYPING_START", payload, (GUILD_TYPING, DIRECT_TYPING))

    def _member(self, place: Channel, user: str) -> Json:
        if not place.guild:
            return Json()
        shape = payloads.member(self._world.guilds[place.guild], user)
        shape["user"] = payloads.user(self._world.users[user])
        return Json(member=shape)

    def _in(self, place: Channel, kind: str, payload: Json, intents: tuple[int, int]) -> None:
        if not self._world.can(place, "VIEW_CHANNEL"):
            return
        if place.guild:
            payload["guild_id"] = place.guild
        self.emit(kind, payload, place.guild, intents[0] if place.guild else intents[1])


def _about(guild: Guild, payload: Json) -> Event:
    return Event(kind="GUILD_CREATE", payload=payload, guild=guild.id, intent=GUILDS)
