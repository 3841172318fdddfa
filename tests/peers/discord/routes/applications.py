"""The bot itself: who it is, its gateway, its commands; and the people and guilds around it."""

from __future__ import annotations

import re

from tests.peers.discord import payloads
from tests.peers.discord.backend import Backend
from tests.peers.discord.events import LIMITED_CONTENT
from tests.peers.discord.request import Request
from tests.peers.discord.routes.route import Answer, Route
from tests.peers.discord.wire import Json, RefusedError, copied, invalid

_STARTS_A_DAY = 1000
_NAME = re.compile(r"^[-_'\w]{1,32}$")
_CHAT_INPUT = 1


def me(discord: Backend, _request: Request) -> Answer:
    shape = payloads.user(discord.world.users[discord.world.bot])
    return Json(shape, verified=True, mfa_enabled=False, email=None, flags=0, locale="en-US")


def person(discord: Backend, request: Request) -> Answer:
    if request.part("user") not in discord.world.users:
        raise RefusedError(404, 10013, "Unknown User")
    return payloads.user(discord.world.users[request.part("user")])


def my_guilds(discord: Backend, _request: Request) -> Answer:
    return [
        Json(id=guild.id, name=guild.name, icon=None, banner=None, owner=False, features=[])
        for guild in discord.world.guilds.values()
    ]


def application(discord: Backend, _request: Request) -> Answer:
    world = discord.world
    owner = next(iter(world.guilds.values())).owner if world.guilds else world.bot
    return Json(
        id=world.application,
        name="Agent Bot",
        icon=None,
        description="",
        summary="",
        verify_key="0" * 64,
        bot_public=True,
        bot_require_code_grant=False,
        owner=payloads.user(world.users[owner]),
        team=None,
        flags=LIMITED_CONTENT if world.message_content else 0,
        tags=[],
        hook=True,
        rpc_origins=[],
        integration_types_config=Json({"0": Json()}),
        approximate_guild_count=len(world.guilds),
        redirect_uris=[],
        interactions_endpoint_url=None,
        role_connections_verification_url=None,
    )


def gateway(discord: Backend, _request: Request) -> Answer:
    return Json(url=discord.gateway.url)


def gateway_bot(discord: Backend, _request: Request) -> Answer:
    limit = Json(
        total=_STARTS_A_DAY,
        remaining=max(0, discord.gateway.starts_left),
        reset_after=14_400_000,
        max_concurrency=1,
    )
    return Json(url=discord.gateway.url, shards=discord.gateway.shards, session_start_limit=limit)


def guild(discord: Backend, request: Request) -> Answer:
    return payloads.outline(discord.world.find_guild(request.part("guild")))


def guild_channels(discord: Backend, request: Request) -> Answer:
    found = discord.world.find_guild(request.part("guild"))
    places = [c for c in discord.world.channels.values() if c.guild == found.id]
    return [payloads.channel(discord.world, place) for place in places if not place.is_thread]


def guild_roles(discord: Backend, request: Request) -> Answer:
    found = discord.world.find_guild(request.part("guild"))
    return [payloads.role(role) for role in found.roles.values()]


def guild_member(discord: Backend, request: Request) -> Answer:
    found = discord.world.find_guild(request.part("guild"))
    user = request.part("user")
    if user not in found.members:
        raise RefusedError(404, 10007, "Unknown Member")
    return Json(payloads.member(found, user), user=payloads.user(discord.world.users[user]))


def commands(discord: Backend, request: Request) -> Answer:
    _check_application(discord, request)
    return [copied(command) for command in discord.menu.registered.get(_scope(request), [])]


def sync_commands(discord: Backend, request: Request) -> Answer:
    """Overwrites all of them; one that stays keeps its id."""
    _check_application(discord, request)
    scope = _scope(request)
    if scope:
        discord.world.find_guild(scope)
    had = {_key(command): command for command in discord.menu.registered.get(scope, [])}
    made = [_made(discord, scope, body, had) for body in request.items]
    if len({_key(command) for command in made}) != len(made):
        raise invalid("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Names must be unique")
    discord.menu.registered[scope] = made
    return [copied(command) for command in made]


def create_command(discord: Backend, request: Request) -> Answer:
    """Or replaces the one of the same name."""
    _check_application(discord, request)
    scope = _scope(request)
    had = {_key(command): command for command in discord.menu.registered.get(scope, [])}
    made = _made(discord, scope, request.body, had)
    had[_key(made)] = made
    discord.menu.registered[scope] = list(had.values())
    return copied(made)


def _check_application(discord: Backend, request: Request) -> None:
    if request.part("application") != discord.world.application:
        raise RefusedError(403, 20012, "You are not authorized to perform this action")


def _scope(request: Request) -> str:
    return request.parts.get("guild", "")


def _key(command: Json) -> tuple[int, str]:
    return int(command.get("type") or _CHAT_INPUT), str(command["name"])


def _made(discord: Backend, scope: str, body: Json, had: dict[tuple[int, str], Json]) -> Json:
    kind, name = _key(body)
    if kind == _CHAT_INPUT and (not _NAME.match(name) or name != name.lower()):
        complaint = "Command name is invalid"
        raise invalid("name", "APPLICATION_COMMAND_INVALID_NAME", complaint)
    if kind == _CHAT_INPUT and not 1 <= len(body.get("description") or "") <= 100:
        raise invalid("description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    known = had.get((kind, name))
    made = Json(
        description="",
        default_member_permissions=None,
        nsfw=False,
        name_localizations=None,
        description_localizations=None,
    )
    made.update(copied(body))
    made.update(
        id=known["id"] if known else discord.clock.snowflake(),
        version=discord.clock.snowflake(),
        application_id=discord.world.application,
        type=kind,
    )
    if scope:
        made["guild_id"] = scope
    return made


_GLOBAL = "/applications/{application}/commands"
_GUILDS = "/applications/{application}/guilds/{guild}/commands"
ROUTES = (
    Route(label="users.me", method="GET", path="/users/@me", act=me),
    Route(label="users.guilds", method="GET", path="/users/@me/guilds", act=my_guilds),
    Route(label="users.get", method="GET", path="/users/{user}", act=person),
    Route(label="application.get", method="GET", path="/oauth2/applications/@me", act=application),
    Route(label="application.get", method="GET", path="/applications/@me", act=application),
    Route(label="gateway.get", method="GET", path="/gateway", act=gateway, needs_token=False),
    Route(label="gateway.bot", method="GET", path="/gateway/bot", act=gateway_bot),
    Route(label="guilds.get", method="GET", path="/guilds/{guild}", act=guild),
    Route(
        label="guilds.channels", method="GET", path="/guilds/{guild}/channels", act=guild_channels
    ),
    Route(label="guilds.roles", method="GET", path="/guilds/{guild}/roles", act=guild_roles),
    Route(
        label="members.get", method="GET", path="/guilds/{guild}/members/{user}", act=guild_member
    ),
    Route(label="commands.list", method="GET", path=_GLOBAL, act=commands),
    Route(label="commands.sync", method="PUT", path=_GLOBAL, act=sync_commands),
    Route(label="commands.create", method="POST", path=_GLOBAL, act=create_command),
    Route(label="commands.list", method="GET", path=_GUILDS, act=commands),
    Route(label="commands.sync", method="PUT", path=_GUILDS, act=sync_commands),
    Route(label="commands.create", method="POST", path=_GUILDS, act=create_command),
)
