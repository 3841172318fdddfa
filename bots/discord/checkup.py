"""The checks of `moorings doctor`: token, intent, sessions left, servers, permissions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

import discord
from discord.abc import GuildChannel

from bots.check_result import CheckResult, failed, failures, fine, skipped, unserved
from bots.discord.channels import DIRECT
from bots.discord.failures import MALFORMED, UNKNOWN_CHANNEL, DiscordRefused
from bots.discord.identify_limit import RESERVE, gateway_info
from bots.discord.manifest import PERMISSIONS, bot_page, invitation
from bots.discord.rest import Rest, log_in
from core.config.access import OPEN, Access
from core.config.binding import Binding, Listen, SharedBy
from core.config.settings import Settings
from core.errors import ConfigMistake, Transient

_ABOUT = "discord"
_CALL_SECONDS = 10.0
_MOST_SERVERS = 10  # that are named, and that are checked without a binding
_NO_ACCESS = 50001
_CORRECT = "correct the address in the agents file (right-click the channel > Copy Channel ID)"
_CONSEQUENCES = {
    "view_channel": "it hears nothing",
    "send_messages": "it cannot answer",
    "send_messages_in_threads": "it cannot answer in threads",
    "create_public_threads": "it answers in the channel instead of in a thread",
    "read_message_history": (
        "it cannot reply, and finds neither what it missed nor what it has answered already"
    ),
    "attach_files": "long code and tables are not shown",
}
_WITH_THREADS = {discord.ChannelType.text, discord.ChannelType.news}
_FORUMS = {discord.ChannelType.forum, discord.ChannelType.media}

Check = Callable[[], Awaitable[Iterable[CheckResult]]]


async def examine(
    settings: Settings, bindings: Sequence[Binding], access: Access = OPEN
) -> list[CheckResult]:
    """All checks. It only reads from Discord."""
    token = settings.discord_token.get_secret_value() if settings.discord_token else ""
    try:
        rest = await log_in(token, settings.discord_api_url, seconds=_CALL_SECONDS)
    except ConfigMistake as mistake:
        return list(failures(_ABOUT, mistake))
    except Transient as trouble:
        return [failed(_ABOUT, f"{trouble} Check the network, a proxy, and DISCORD_API_URL.")]
    here = [each for each in bindings if each.at.platform == "discord"]
    try:
        return await _all(rest, here, access)
    finally:
        await rest.close()


async def _all(rest: Rest, bindings: Sequence[Binding], access: Access) -> list[CheckResult]:
    return [
        _who(rest),
        _content(rest, bindings),
        *await _run(partial(_sessions_left, rest)),
        *await _run(partial(_places, rest, bindings, access)),
    ]


async def _places(rest: Rest, bindings: Sequence[Binding], access: Access) -> list[CheckResult]:
    """The servers that the bot is in, and its permissions where agents are bound."""
    servers = await _servers(rest)
    named = {str(server): name for server, name in servers.items()}
    results = [_servers_found(servers, rest), *unserved(_ABOUT, access, named)]
    for server, bound in _by_server(bindings, servers).items():
        results += await _run(partial(_server, rest, server, bound))
    elsewhere = [binding for binding in bindings if not is_in(binding, servers)]
    return [*results, *(_not_in_server(binding, rest) for binding in elsewhere)]


async def _run(check: Check) -> Iterable[CheckResult]:
    """The check's results, or one that says why it failed."""
    try:
        return await check()
    except (Transient, DiscordRefused, ConfigMistake) as error:
        return [failed(_ABOUT, str(error))]
    except MALFORMED as error:
        sentence = f"Discord's answer is not understood ({type(error).__name__})"
        return [failed(_ABOUT, f"{sentence}: update Moorings, and check DISCORD_API_URL")]


def _who(rest: Rest) -> CheckResult:
    user, application = rest.client.user, rest.client.application
    name = f"@{user.name}" if user else "a bot"
    of = f"application {application.name} ({application.id})" if application else "its application"
    return fine(_ABOUT, f"DISCORD_TOKEN is {name}, {of}")


def _content(rest: Rest, bindings: Sequence[Binding]) -> CheckResult:
    """The Message Content Intent. Without it the bot hears less, which may be intended."""
    flags = rest.client.application_flags
    if flags.gateway_message_content or flags.gateway_message_content_limited:
        return fine(_ABOUT, "Message Content Intent is on")
    eager = sum(binding.listen is Listen.ALL for binding in bindings)
    deaf = f' ({eager} in the agents file with listen = "all")' if eager else ""
    return skipped(
        _ABOUT,
        "Message Content Intent is off, so only mentions, direct messages and commands are heard; "
        f"for follow-ups in threads and agents that listen to everything{deaf} switch it on, and "
        f"Save Changes, at {bot_page(rest.application)}",
    )


async def _sessions_left(rest: Rest) -> list[CheckResult]:
    limit = (await gateway_info(rest)).session_start_limit
    left, hours = limit.remaining, limit.reset_after / 3_600_000
    sentence = f"{left} of {limit.total} starts are left for {hours:.0f} hours"
    if left >= RESERVE:
        return [fine(_ABOUT, sentence)]
    return [
        failed(
            _ABOUT,
            f"{sentence}, so the bot waits before it connects, or Discord would reset its token: "
            "find out what starts it again and again",
        )
    ]


async def _servers(rest: Rest) -> Mapping[int, str]:
    """All servers that the bot is in, by id."""
    async with rest.call("the servers that the bot is in") as client:
        return {guild.id: guild.name async for guild in client.fetch_guilds(limit=None)}


def _servers_found(servers: Mapping[int, str], rest: Rest) -> CheckResult:
    if not servers:
        return failed(
            _ABOUT, f"the bot is in no server: invite it at {invitation(rest.application)}"
        )
    names = [f"{name} ({server})" for server, name in servers.items()]
    more = len(names) - _MOST_SERVERS
    shown = [*names[:_MOST_SERVERS], *([f"{more} more"] if more > 0 else [])]
    return fine(_ABOUT, f"in {len(names)} server{'s' * (len(names) > 1)}: {', '.join(shown)}")


def _by_server(
    bindings: Sequence[Binding], servers: Mapping[int, str]
) -> Mapping[int, list[Binding]]:
    """Server ids with their bindings: each server with a binding, and the first ten."""
    found: dict[int, list[Binding]] = {server: [] for server in list(servers)[:_MOST_SERVERS]}
    for binding in bindings:
        if server := server_of(binding, servers):
            found.setdefault(server, []).append(binding)
    return found


def _not_in_server(binding: Binding, rest: Rest) -> CheckResult:
    return failed(
        _ABOUT,
        f"{binding.at}, where {binding.agent} is bound: the bot is in no such server; invite it at "
        f"{invitation(rest.application)}, or correct the address in the agents file "
        "(right-click the server's name > Copy Server ID)",
    )


def server_of(binding: Binding, servers: Collection[int]) -> int | None:
    """The id of the server that the binding is in; None if it is not one of these."""
    name = binding.at.parts[0]
    server = int(name) if name.isdecimal() else 0
    return server if server in servers else None


def is_in(binding: Binding, servers: Collection[int]) -> bool:
    """Whether the binding is in one of these servers, or of direct messages."""
    return binding.at.parts[0] == DIRECT or server_of(binding, servers) is not None


async def _server(rest: Rest, server: int, bindings: Sequence[Binding]) -> list[CheckResult]:
    """One result for each bound channel, and one if the bot's roles lack a permission.

    Raises as `Rest.call` does.
    """
    async with rest.call("a server") as client:
        guild = await client.fetch_guild(server, with_counts=False)
    async with rest.call("what the bot may do in a server"):
        me = await guild.fetch_member(rest.user)
    channels = [binding for binding in bindings if len(binding.at.parts) > 1]
    decides = len(channels) < len(bindings) or not channels
    found = [_roles(me, rest, decides=decides)]
    return [
        *filter(None, found),
        *[await _channel_permissions(rest, me, binding) for binding in channels],
    ]


def _roles(me: discord.Member, rest: Rest, *, decides: bool) -> CheckResult | None:
    """What the bot's roles lack: a failure if it `decides`, else (channels may differ) a note."""
    lacking = _lacking(me.guild_permissions, PERMISSIONS)
    if not lacking:
        return None
    sentence = (
        f"in {me.guild.name} the bot's roles lack {lacking}: open {invitation(rest.application)} "
        "again, or allow it under Server Settings > Roles"
    )
    return failed(_ABOUT, sentence) if decides else skipped(_ABOUT, sentence)


async def _channel_permissions(rest: Rest, me: discord.Member, binding: Binding) -> CheckResult:
    """The permissions in the channel or thread of one binding."""
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
    """The channel of a binding: a thread has the permissions of its channel.

    Raises:
        ConfigMistake: the address is wrong; says how to correct it.
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
    """A channel or thread of this server; raises as `_channel` does."""
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
    """The permissions that the bot needs there, by discord.py's names."""
    is_thread = len(binding.at.parts) > 2
    can_open = channel.type in _WITH_THREADS and not is_thread
    needed = ["view_channel", "read_message_history"]
    if not is_thread and channel.type not in _FORUMS:
        needed.append("send_messages")
    if channel.type in _WITH_THREADS | _FORUMS:
        needed.append("send_messages_in_threads")
    if can_open and binding.conversation is SharedBy.THREAD:
        needed.append("create_public_threads")
    return [*needed, "attach_files"]


def _lacking(has: discord.Permissions, needed: Iterable[str]) -> str:
    """The missing permissions with their consequences, as text; empty if none is missing."""
    if not has.view_channel:
        needed = ["view_channel"]
    elif not has.send_messages:  # discord.py then takes attach_files away as well
        needed = [name for name in needed if name != "attach_files"]
    missing = (name for name in needed if not getattr(has, name))
    return ", ".join(f"{PERMISSIONS[name]} (so {_CONSEQUENCES[name]})" for name in missing)
