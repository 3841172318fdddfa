"""Behind a proxy all goes through it: Discord's API and gateway, files, and the model."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.bots.discord.server import Server
from tests.peers.proxy import Proxy


async def test_a_bot_reaches_discord_and_its_model_through_the_proxy(
    server: Server, proxy: Proxy
) -> None:
    discord = server.discord
    async with server.bot():
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        assert await server.answered(discord.general) == ["You said: hello"]
    places = {urlsplit(discord.api_url).netloc, urlsplit(server.endpoint.base_url).netloc}
    assert set(proxy.asked) == places
