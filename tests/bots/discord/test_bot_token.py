"""A token or an address that is no good is one clear sentence."""

from __future__ import annotations

import pytest

from bots.discord.rest import application_of, log_in
from core.errors import ConfigMistake, Transient
from tests.bots.discord.server import Server


def test_a_token_says_which_application_it_is_of(server: Server) -> None:
    assert str(application_of(server.discord.token)) == server.discord.application_id


async def test_a_good_token_says_who_the_bot_is(server: Server) -> None:
    rest = await log_in(server.discord.token, server.discord.api_url)
    await rest.close()
    assert str(rest.user) == server.discord.bot_user


async def test_a_token_that_was_reset_is_told(server: Server) -> None:
    token = server.discord.token
    server.discord.spoil_token()
    with pytest.raises(ConfigMistake, match="does not accept the bot token: reset it under Bot"):
        await log_in(token, server.discord.api_url)


async def test_a_client_secret_is_not_taken_for_a_token(server: Server) -> None:
    with pytest.raises(ConfigMistake, match="neither the Client Secret nor the Public Key"):
        await log_in("0123456789abcdef", server.discord.api_url)


@pytest.mark.parametrize("form", ["Bot {}", "{}\n{}", "„{}“"])
async def test_a_token_with_something_beside_it_is_told(server: Server, form: str) -> None:
    with pytest.raises(ConfigMistake, match="leave out the word Bot and quotation marks"):
        await log_in(form.format(server.discord.token, "more"), server.discord.api_url)
    assert not server.discord.calls()


async def test_an_address_without_its_version_is_told(server: Server) -> None:
    with pytest.raises(ConfigMistake, match=r"DISCORD_API_URL \(.*/api\).*/api/v10"):
        await log_in(server.discord.token, server.discord.api_url.removesuffix("/v10"))


async def test_an_address_where_something_else_is_is_told(server: Server) -> None:
    server.discord.fault("users.me", "status", status=200)
    with pytest.raises(ConfigMistake, match=r"DISCORD_API_URL .* does not answer as Discord's API"):
        await log_in(server.discord.token, server.discord.api_url)


async def test_trouble_of_discord_is_not_the_tokens_fault(server: Server) -> None:
    server.discord.fault("users.me", "status", status=503)
    with pytest.raises(Transient):
        await log_in(server.discord.token, server.discord.api_url)
