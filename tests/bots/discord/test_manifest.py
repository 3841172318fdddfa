"""What the bot asks for, and how `moorings manifest discord` says it."""

from __future__ import annotations

import base64

import discord
import pytest
from yarl import URL

from bots.discord.client import Client
from bots.discord.manifest import PERMISSIONS, PRIVILEGED, SCOPES, invitation
from tests.bots.discord.server import Server
from tests.bots.program import Program

APPLICATION = 1_234_567_890_123_456_789
TOKEN = f"{base64.b64encode(str(APPLICATION).encode()).decode().rstrip('=')}.GpeerA.none-at-all"


def test_the_invitation_asks_for_exactly_these_permissions() -> None:
    asked = URL(invitation(APPLICATION)).query["permissions"]
    wanted = discord.Permissions(**dict.fromkeys(PERMISSIONS, True))
    assert int(asked) == wanted.value
    assert wanted.value.bit_count() == len(PERMISSIONS)


def test_the_invitation_is_of_a_bot_with_commands() -> None:
    query = URL(invitation(APPLICATION)).query
    assert query["client_id"] == str(APPLICATION)
    assert query["scope"].split() == list(SCOPES)


async def test_the_bot_asks_the_gateway_for_no_other_privileged_intent(server: Server) -> None:
    async with server.bot():
        [session] = server.discord.sessions
        asked = discord.Intents._from_value(session.intents)
    privileged = discord.Intents(members=True, presences=True, message_content=True)
    assert {name for name, is_on in asked & privileged if is_on} == set(PRIVILEGED)
    assert issubclass(Client, discord.AutoShardedClient)


async def test_the_first_line_is_the_invitation_alone(program: Program) -> None:
    program.set(DISCORD_TOKEN=TOKEN)
    ended = await program.run("manifest", "discord")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == invitation(APPLICATION)


async def test_permissions_and_intents_are_named_as_discord_shows_them(program: Program) -> None:
    program.set(DISCORD_TOKEN=TOKEN)
    ended = await program.run("manifest", "discord")
    missing = [
        name for name in (*PERMISSIONS.values(), *PRIVILEGED.values()) if name not in ended.out
    ]
    assert missing == []
    assert f"https://discord.com/developers/applications/{APPLICATION}/bot" in ended.out


async def test_discord_is_not_asked(program: Program) -> None:
    program.set(DISCORD_TOKEN=TOKEN, DISCORD_API_URL="http://127.0.0.1:1/api/v10")
    assert (await program.run("manifest", "discord")).code == 0


async def test_without_a_token_it_says_where_there_is_one(program: Program) -> None:
    ended = await program.run("manifest", "discord")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("moorings: DISCORD_TOKEN is not set")
    assert "https://discord.com/developers/applications" in ended.err


@pytest.mark.parametrize("token", ["0123456789abcdef0123456789abcdef", "a.b.c", "MTIz.only-two"])
async def test_what_is_no_token_is_told(program: Program, token: str) -> None:
    program.set(DISCORD_TOKEN=token)
    ended = await program.run("manifest", "discord")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("moorings: DISCORD_TOKEN is not a bot token")
    assert token not in ended.err
