"""Who a text pings, given what its author allows and may."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.peers.discord import permissions
from tests.peers.discord.payloads import REPLY
from tests.peers.discord.wire import Json, RefusedError
from tests.peers.discord.world import Channel, Message, World

_CODE = re.compile(r"```.*?```|``.*?``|`[^`\n]+`", re.DOTALL)
_USER = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYONE = re.compile(r"@(everyone|here)\b")
_LINK = re.compile(r"https?://[^\s<>]+")
_BARRED = re.compile(r"<https?://[^\s<>]+>")
SUPPRESS_EMBEDS = 1 << 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pings:
    """`everyone`: everyone, here, or both."""

    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    everyone: tuple[str, ...] = ()

    def put_on(self, message: Message) -> None:
        message.mentions = list(self.users)
        message.mention_roles = list(self.roles)
        message.mention_everyone = bool(self.everyone)
        for name in (*self.everyone, *self.roles, *self.users):
            if name not in message.pings:
                message.pings.append(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """An `allowed_mentions` object; without one everything is allowed."""

    parse: tuple[str, ...] = ("users", "roles", "everyone")
    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    replied_user: bool = True

    @classmethod
    def read(cls, raw: Json | None) -> Allowed:
        if raw is None:
            return cls()
        allowed = cls(
            parse=tuple(raw.get("parse") or ()),
            users=tuple(str(user) for user in raw.get("users") or ()),
            roles=tuple(str(role) for role in raw.get("roles") or ()),
            replied_user=bool(raw.get("replied_user")),
        )
        for kind, named in (("users", allowed.users), ("roles", allowed.roles)):
            if kind in allowed.parse and named:
                raise RefusedError(400, 50035, "Invalid Form Body")
        return allowed


def pinged(world: World, place: Channel, message: Message, allowed: Allowed) -> Pings:
    text = _CODE.sub("", message.content)
    return Pings(
        users=_users(world, text, allowed, _replied_to(world, message, allowed)),
        roles=_roles(world, place, message.author, text, allowed),
        everyone=_everyone(world, place, message.author, text, allowed),
    )


def _replied_to(world: World, message: Message, allowed: Allowed) -> str:
    """The author of the message replied to, where the reply pings."""
    if message.kind != REPLY or not message.reference or not allowed.replied_user:
        return ""
    origin = world.channels.get(message.reference["channel_id"])
    found = origin.messages.get(message.reference["message_id"]) if origin else None
    return found.author if found and found.author != message.author else ""


def _users(world: World, text: str, allowed: Allowed, replied_to: str) -> tuple[str, ...]:
    found = [user for user in _USER.findall(text) if user in world.users]
    if "users" not in allowed.parse:
        found = [user for user in found if user in allowed.users]
    if replied_to in world.users:
        found.insert(0, replied_to)
    return tuple(dict.fromkeys(found))


def _roles(
    world: World, place: Channel, author: str, text: str, allowed: Allowed
) -> tuple[str, ...]:
    if not place.guild:
        return ()
    roles = world.guilds[place.guild].roles
    may_all = permissions.has(world.permissions(place, author), "MENTION_EVERYONE")
    found = [role for role in _ROLE.findall(text) if role in roles]
    found = [role for role in found if may_all or roles[role].is_mentionable]
    if "roles" not in allowed.parse:
        found = [role for role in found if role in allowed.roles]
    return tuple(dict.fromkeys(found))


def _everyone(
    world: World, place: Channel, author: str, text: str, allowed: Allowed
) -> tuple[str, ...]:
    may = permissions.has(world.permissions(place, author), "MENTION_EVERYONE")
    if "everyone" not in allowed.parse or not place.guild or not may:
        return ()
    return tuple(dict.fromkeys(_EVERYONE.findall(text)))


def previewed(message: Message) -> tuple[str, ...]:
    """The addresses that Discord fetches for the message, without anybody pressing anything."""
    if message.flags & SUPPRESS_EMBEDS:
        return ()
    return tuple(_LINK.findall(_BARRED.sub("", _CODE.sub("", message.content))))
