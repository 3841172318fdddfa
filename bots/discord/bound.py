"""Whether the bot may do what it has to in one server, and where agents are bound there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import discord
from discord.abc import GuildChannel

from bots.discord.failures import UNKNOWN_CHANNEL, DiscordRefused
from bots.discord.manifest import PERMISSIONS, invitation
from bots.discord.rest import Rest
from bots.finding import Finding, failed, fine, skipped
from core.config.binding import Binding, SharedBy
from core.errors import ConfigMistake, Transient

_ABOUT = "discord"
_DIRECT = "@me"
_NO_ACCESS = 50001
_CORRECT = "correct the address in the agents file (right-click the channel > Copy Channel ID)"
_SO = {
    "view_channel": "it hears nothing",
    "send_messages": "it cannot answer",
    "send_messages_in_threads": "it cannot answer in threads",
    "create_public_threads": "it answers in the channel instead of in a thread",
    "read_message_history": (
        "it cannot reply, and finds neither what it missed nor what it has answered already"
    ),
    "attach_files": "long code and tables are not shown",
}
_THREADED = {discord.ChannelType.text, discord.ChannelType.news}
_POSTS = {discord.ChannelType.forum, discord.ChannelType.media}


def server_of(binding: Binding, servers: Collection[int]) -> int | None:
    """The server that the binding is in, if it is one of these."""
    name = binding.at.parts[0]
    server = int(name) if name.isdecimal() else 0
    return server if server in servers else None


def is_in(binding: Binding, servers: Collection[int]) -> bool:
    """Whether it is in one of these servers, or in direct messages."""
    return binding.at.parts[0] == _DIRECT or server_of(binding, servers) is not None


async def examine(rest: Rest, server: int, bindings: Sequence[Binding]) -> list[Finding]:
    """One finding for each binding; for the whole server if it lacks something.

    Raises:
        Transient, DiscordRefused, ConfigMistake: it cannot be looked at.
    """
    async with rest.call("a server") as client:
        guild = await client.fetch_guild(server, with_counts=False)
    async with rest.call("what the bot may do in a server"):
        me = await guild.fetch_member(rest.user)
    channels = [binding for binding in bindings if len(binding.at.parts) > 1]
    decides = len(channels) < len(bindings) or not channels
    found = [_everywhere(me, rest, decides=decides)]
    return [*filter(None, found), *[await _there(rest, me, binding) for binding in channels]]


def _everywhere(me: discord.Member, rest: Rest, *, decides: bool) -> Finding | None:
    """Where only channels are bound, these decide: each may allow what the roles do not."""
    lacking = _lacking(me.guild_permissions, PERMISSIONS)
    if not lacking:
        return None
    sentence = (
        f"in {me.guild.name} the bot's roles lack {lacking}: open {invitation(rest.application)} "
        "again, or allow it under Server Settings > Roles"
    )
    return failed(_ABOUT, sentence) if decides else skipped(_ABOUT, sentence)


async def _there(rest: Rest, me: discord.Member, binding: Binding) -> Finding:
    """About the channel or thread of one binding."""
    try:
        channel = await _channel(rest, me.guild, binding)
    except ConfigMistake as mistake:
        return failed(_ABOUT, f"{binding.at}, where {binding.agent} is bound: {mistake}")
    named = f"#{channel.name} in {me.guild.name} ({binding.at})"
    lacking = _lacking(channel.permissions_for(me), _needed(channel, binding))
    if not lacking:
        return fine(_ABOUT, f"{named}: {binding.agent} can answer")
    return failed(
        _ABOUT,
        f"{named}, where {binding.agent} is bound: the bot lacks {lacking}: allow it under "
        "Edit Channel > Permissions",
    )


async def _channel(rest: Rest, guild: discord.Guild, binding: Binding) -> GuildChannel:
    """The channel, whose permissions its threads have too.

    Raises:
        ConfigMistake: there is none such; says what to do.
    """
    numbers = binding.at.parts[1:3]
    if not all(number.isdecimal() for number in numbers):
        raise ConfigMistake(f"these are not ids; {_CORRECT}")
    channel, *_ = [await _fetched(rest, guild, int(number)) for number in numbers]
    if isinstance(channel, discord.Thread):
        right = f"discord/{guild.id}/{channel.parent_id}/{channel.id}"
        raise ConfigMistake(f"this is a thread; write {right} in the agents file")
    if isinstance(channel, discord.CategoryChannel):
        raise ConfigMistake("this is a category; bind its channels one by one")
    return channel


async def _fetched(rest: Rest, guild: discord.Guild, number: int) -> GuildChannel | discord.Thread:
    """A channel or thread of this server; raises as `_channel`."""
    try:
        async with rest.call(f"channel {number}"):
            return await guild.fetch_channel(number)
    except DiscordRefused as refused:
        if refused.code == _NO_ACCESS:
            raise ConfigMistake(
                f"the bot lacks View Channel for {number}, so it hears nothing: allow it under "
                "Edit Channel > Permissions"
            ) from refused
        if refused.code != UNKNOWN_CHANNEL:
            raise
        raise ConfigMistake(f"there is no channel {number}; {_CORRECT}") from refused
    except Transient as trouble:
        if not isinstance(trouble.__cause__, discord.InvalidData):
            raise
        raise ConfigMistake(f"{number} is not in this server; {_CORRECT}") from trouble


def _needed(channel: GuildChannel, binding: Binding) -> list[str]:
    """What the bot has to be allowed there."""
    is_thread = len(binding.at.parts) > 2
    can_open = channel.type in _THREADED and not is_thread
    needed = ["view_channel", "read_message_history"]
    if not is_thread and channel.type not in _POSTS:
        needed.append("send_messages")
    if channel.type in _THREADED | _POSTS:
        needed.append("send_messages_in_threads")
    if can_open and binding.conversation is SharedBy.THREAD:
        needed.append("create_public_threads")
    return [*needed, "attach_files"]


def _lacking(has: discord.Permissions, needed: Iterable[str]) -> str:
    """What of it is missing, each with what that means; nothing if nothing is."""
    if not has.view_channel:
        needed = ["view_channel"]
    elif not has.send_messages:  # no files follow from that, says discord.py
        needed = [name for name in needed if name != "attach_files"]
    missing = (name for name in needed if not getattr(has, name))
    return ", ".join(f"{PERMISSIONS[name]} (so {_SO[name]})" for name in missing)
