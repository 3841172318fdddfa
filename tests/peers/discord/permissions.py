"""Permissions by name, and what a member may do in a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.peers.discord.world import Channel, Guild

_BITS = {
    "ADMINISTRATOR": 3,
    "MANAGE_CHANNELS": 4,
    "MANAGE_GUILD": 5,
    "ADD_REACTIONS": 6,
    "VIEW_CHANNEL": 10,
    "SEND_MESSAGES": 11,
    "MANAGE_MESSAGES": 13,
    "EMBED_LINKS": 14,
    "ATTACH_FILES": 15,
    "READ_MESSAGE_HISTORY": 16,
    "MENTION_EVERYONE": 17,
    "USE_EXTERNAL_EMOJIS": 18,
    "MANAGE_ROLES": 28,
    "MANAGE_WEBHOOKS": 29,
    "USE_APPLICATION_COMMANDS": 31,
    "MANAGE_THREADS": 34,
    "CREATE_PUBLIC_THREADS": 35,
    "CREATE_PRIVATE_THREADS": 36,
    "SEND_MESSAGES_IN_THREADS": 38,
}
EVERYTHING = (1 << 53) - 1


def bits(*names: str) -> int:
    total = 0
    for name in names:
        total |= 1 << _BITS[name]
    return total


def has(permissions: int, *names: str) -> bool:
    return permissions & bits(*names) == bits(*names)


# A new server lets everyone ping everyone, which is the dangerous case and so the default here.
EVERYONE = bits(
    *("ADD_REACTIONS", "VIEW_CHANNEL", "SEND_MESSAGES", "EMBED_LINKS", "ATTACH_FILES"),
    *("READ_MESSAGE_HISTORY", "MENTION_EVERYONE", "USE_EXTERNAL_EMOJIS"),
    *("USE_APPLICATION_COMMANDS", "CREATE_PUBLIC_THREADS", "CREATE_PRIVATE_THREADS"),
    "SEND_MESSAGES_IN_THREADS",
)
DIRECT = EVERYONE & ~bits("CREATE_PUBLIC_THREADS", "CREATE_PRIVATE_THREADS", "MENTION_EVERYONE")


def in_guild(guild: Guild, user: str) -> int:
    """Before any channel is looked at."""
    roles = guild.members.get(user, [])
    total = guild.roles[guild.id].permissions
    for role in roles:
        total |= guild.roles[role].permissions
    return EVERYTHING if user == guild.owner or has(total, "ADMINISTRATOR") else total


def in_channel(guild: Guild, place: Channel, user: str) -> int:
    """`place` is the parent for a thread; nothing is left to who cannot view it."""
    total = in_guild(guild, user)
    if total == EVERYTHING:
        return total
    roles = [role for role in guild.members.get(user, []) if role in place.overwrites]
    total = _applied(total, place, [guild.id])
    total = _applied(total, place, roles)
    total = _applied(total, place, [user])
    return total if has(total, "VIEW_CHANNEL") else 0


def _applied(total: int, place: Channel, targets: list[str]) -> int:
    found = [place.overwrites[target] for target in targets if target in place.overwrites]
    for overwrite in found:
        total &= ~overwrite.deny
    for overwrite in found:
        total |= overwrite.allow
    return total
