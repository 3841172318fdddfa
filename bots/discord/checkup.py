"""What `moorings doctor` can find out about Discord: token, intent, servers, starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

from bots.discord import bound
from bots.discord.failures import DiscordRefused
from bots.discord.manifest import bot_page, invitation
from bots.discord.parse import MALFORMED
from bots.discord.rest import Rest
from bots.discord.starts import LAST, ask
from bots.discord.tokens import log_in
from bots.finding import Finding, failed, failures, fine, skipped, unserved
from core.config.access import OPEN, Access
from core.config.binding import Binding, Listen
from core.config.settings import Settings
from core.errors import ConfigMistake, Transient

_ABOUT = "discord"
_CALL_SECONDS = 10.0
_MOST_SERVERS = 10  # that are named; of those without a binding, that are looked at

Check = Callable[[], Awaitable[Iterable[Finding]]]


async def examine(
    settings: Settings, bindings: Sequence[Binding], access: Access = OPEN
) -> list[Finding]:
    """Everything that the token lets anybody know; asks Discord, changes nothing."""
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


async def _all(rest: Rest, bindings: Sequence[Binding], access: Access) -> list[Finding]:
    return [
        _who(rest),
        _content(rest, bindings),
        *await _tried(partial(_starts, rest)),
        *await _tried(partial(_places, rest, bindings, access)),
    ]


async def _places(rest: Rest, bindings: Sequence[Binding], access: Access) -> list[Finding]:
    """The servers that the bot is in, and what it may do where agents are bound."""
    servers = await _servers(rest)
    named = {str(server): name for server, name in servers.items()}
    findings = [_in(servers, rest), *unserved(_ABOUT, access, named)]
    for server, those in _by_server(bindings, servers).items():
        findings += await _tried(partial(bound.examine, rest, server, those))
    away = [binding for binding in bindings if not bound.is_in(binding, servers)]
    return [*findings, *(_away(binding, rest) for binding in away)]


async def _tried(check: Check) -> Iterable[Finding]:
    """What the check finds, or why it cannot be made."""
    try:
        return await check()
    except (Transient, DiscordRefused, ConfigMistake) as error:
        return [failed(_ABOUT, str(error))]
    except MALFORMED as error:
        sentence = f"Discord's answer is not understood ({type(error).__name__})"
        return [failed(_ABOUT, f"{sentence}: update Moorings, and check DISCORD_API_URL")]


def _who(rest: Rest) -> Finding:
    user, application = rest.client.user, rest.client.application
    name = f"@{user.name}" if user else "a bot"
    of = f"application {application.name} ({application.id})" if application else "its application"
    return fine(_ABOUT, f"DISCORD_TOKEN is {name}, {of}")


def _content(rest: Rest, bindings: Sequence[Binding]) -> Finding:
    """Without it the bot works, with less to hear: that is a choice."""
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


async def _starts(rest: Rest) -> list[Finding]:
    limit = (await ask(rest)).session_start_limit
    left, hours = limit.remaining, limit.reset_after / 3_600_000
    sentence = f"{left} of {limit.total} starts are left for {hours:.0f} hours"
    if left >= LAST:
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


def _in(servers: Mapping[int, str], rest: Rest) -> Finding:
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
    """Those with a binding, and the first of the others."""
    found: dict[int, list[Binding]] = {server: [] for server in list(servers)[:_MOST_SERVERS]}
    for binding in bindings:
        if server := bound.server_of(binding, servers):
            found.setdefault(server, []).append(binding)
    return found


def _away(binding: Binding, rest: Rest) -> Finding:
    return failed(
        _ABOUT,
        f"{binding.at}, where {binding.agent} is bound: the bot is in no such server; invite it at "
        f"{invitation(rest.application)}, or correct the address in the agents file "
        "(right-click the server's name > Copy Server ID)",
    )
