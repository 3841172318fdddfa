"""Behind a proxy all goes through it: Discord's API and gateway, files, and the model."""

from __future__ import annotations

from urllib.parse import urlsplit

from bots.check_result import Verdict
from bots.discord import checkup
from tests.bots.discord.server import Server
from tests.peers.proxy import Proxy


async def test_a_bot_reaches_discord_its_files_and_its_model_through_the_proxy(
    server: Server, proxy: Proxy
) -> None:
    discord = server.discord
    async with server.bot():
        text = f"{discord.mention} hello"
        discord.say(discord.general, discord.anna, text, attachments={"a.txt": b"buy milk"})
        assert len(await server.answered(discord.general)) == 1
    assert "buy milk" in str(server.endpoint.requests)
    places = {urlsplit(discord.api_url).netloc, urlsplit(server.endpoint.base_url).netloc}
    assert set(proxy.asked) == places


async def test_doctor_reaches_discord_through_the_proxy(server: Server, proxy: Proxy) -> None:
    found = await checkup.examine(server.settings(), [])
    assert {each.verdict for each in found} == {Verdict.OK}
    assert set(proxy.asked) == {urlsplit(server.discord.api_url).netloc}
