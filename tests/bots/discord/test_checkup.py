"""What doctor says about Discord, with the fix."""

from __future__ import annotations

import pytest

from bots.check_result import Verdict
from bots.discord.checkup import examine
from bots.discord.manifest import invitation
from core.address import Address
from core.config.access import Access
from core.config.binding import Binding, Listen, SharedBy
from tests.bots.discord.server import Server
from tests.peers.discord.world import Kind


def bound(*parts: str, listen: Listen = Listen.MENTION, by: SharedBy | None = None) -> Binding:
    """The agent `support`, bound below Discord."""
    at = Address(platform="discord", parts=parts)
    return Binding(at=at, agent="support", listen=listen, conversation=by)


async def said(server: Server, *bindings: Binding) -> list[str]:
    """All lines, without what they are about."""
    found = await examine(server.settings(), bindings)
    assert {result.about for result in found} == {"discord"}
    return [f"{result.verdict} {result.sentence}" for result in found]


async def about(server: Server, *bindings: Binding) -> list[str]:
    """What is said after what is always said: about servers and bindings."""
    return (await said(server, *bindings))[4:]


async def test_where_all_is_well_there_is_a_line_for_each_check(server: Server) -> None:
    discord = server.discord
    assert await said(server, bound(discord.guild, discord.general)) == [
        f"ok DISCORD_TOKEN is @agentbot, application Agent Bot ({discord.application_id})",
        "ok Message Content Intent is on",
        "ok 1000 of 1000 starts are left for 4 hours",
        f"ok in 1 server: Harbour ({discord.guild})",
        f"ok #general in Harbour (discord/{discord.guild}/{discord.general}): support can answer",
    ]


async def test_it_only_reads(server: Server) -> None:
    discord = server.discord
    await said(server, bound(discord.guild, discord.general))
    assert {entry.method for entry in discord.calls()} == {"GET"}
    assert discord.identifies == 0


async def test_without_message_content_it_says_what_is_heard_and_where_to_click(
    server: Server,
) -> None:
    server.discord.message_content = False
    line = (await said(server))[1]
    assert line.startswith(
        "-- Message Content Intent is off, so only mentions, direct messages and commands are heard"
    )
    assert line.endswith(f"/applications/{server.discord.application_id}/bot")


async def test_without_message_content_agents_that_hear_nothing_are_counted(server: Server) -> None:
    server.discord.message_content = False
    guild, channel = server.discord.guild, server.discord.general
    line = (await said(server, bound(guild, channel, listen=Listen.ALL), bound(guild)))[1]
    assert '(1 in the agents file with listen = "all")' in line


async def test_a_token_that_was_reset_is_the_only_line(server: Server) -> None:
    settings = server.settings()
    server.discord.spoil_token()
    [result] = await examine(settings, ())
    assert str(result).startswith("FAIL discord   Discord does not accept the bot token: reset")


async def test_discord_out_of_reach_is_told(server: Server) -> None:
    await server.discord.down()
    [line] = await said(server)
    await server.discord.up()
    assert line.startswith("FAIL Discord did not answer the login")
    assert line.endswith("Check the network, a proxy, and DISCORD_API_URL.")


async def test_a_day_with_few_starts_left_is_told(server: Server) -> None:
    server.discord.starts_left = 49
    line = (await said(server))[2]
    assert line.startswith("FAIL 49 of 1000 starts are left")
    assert "find out what starts it again and again" in line


async def test_a_bot_in_no_server_is_told_where_to_invite_it(server: Server) -> None:
    server.discord.remove_guild(server.discord.guild)
    assert (await said(server))[3:] == [
        "FAIL the bot is in no server: invite it at "
        + invitation(int(server.discord.application_id))
    ]


async def test_all_servers_are_named_up_to_ten(server: Server) -> None:
    for number in range(11):
        server.discord.add_guild(f"Quay {number}")
    line = (await said(server))[3]
    assert line.startswith(f"ok in 12 servers: Harbour ({server.discord.guild}), Quay 0 (")
    assert line.endswith(", 2 more")


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        ("SEND_MESSAGES", "Send Messages (so it cannot answer)"),
        ("SEND_MESSAGES_IN_THREADS", "Send Messages in Threads"),
        ("READ_MESSAGE_HISTORY", "Read Message History (so it cannot reply, and finds"),
        ("ATTACH_FILES", "Attach Files"),
        ("VIEW_CHANNEL", "View Channel"),
    ],
)
async def test_a_permission_that_a_bound_channel_lacks_is_named_with_the_fix(
    server: Server, permission: str, words: str
) -> None:
    discord = server.discord
    discord.deny(discord.general, permission)
    [line] = await about(server, bound(discord.guild, discord.general))
    assert line.startswith("FAIL ")
    assert f"discord/{discord.guild}/{discord.general}" in line
    assert f"the bot lacks {words}" in line
    assert line.endswith("under Edit Channel > Permissions")


async def test_all_that_a_channel_lacks_is_one_line(server: Server) -> None:
    discord = server.discord
    discord.deny(discord.general, "ATTACH_FILES", "READ_MESSAGE_HISTORY")
    [line] = await about(server, bound(discord.guild, discord.general))
    assert "Read Message History (" in line
    assert "Attach Files (" in line


async def test_opening_threads_is_needed_only_where_answers_stand_in_them(server: Server) -> None:
    discord = server.discord
    discord.deny(discord.general, "CREATE_PUBLIC_THREADS")
    [fine] = await about(server, bound(discord.guild, discord.general))
    [line] = await about(server, bound(discord.guild, discord.general, by=SharedBy.THREAD))
    assert fine.startswith("ok ")
    assert "the bot lacks Create Public Threads (" in line


async def test_in_a_forum_it_writes_into_posts_and_needs_to_make_none(server: Server) -> None:
    discord = server.discord
    forum = discord.add_forum("ideas")
    discord.deny(forum, "SEND_MESSAGES")
    [fine] = await about(server, bound(discord.guild, forum))
    discord.deny(forum, "SEND_MESSAGES_IN_THREADS")
    [line] = await about(server, bound(discord.guild, forum))
    assert fine.startswith("ok #ideas in Harbour")
    assert "the bot lacks Send Messages in Threads (" in line


async def test_a_thread_has_the_permissions_of_its_channel(server: Server) -> None:
    discord = server.discord
    thread = discord.add_thread(discord.general, "plans", discord.anna)
    [fine] = await about(server, bound(discord.guild, discord.general, thread))
    discord.deny(discord.general, "SEND_MESSAGES_IN_THREADS")
    [line] = await about(server, bound(discord.guild, discord.general, thread))
    assert fine.startswith("ok #general in Harbour")
    assert "the bot lacks Send Messages in Threads (" in line


async def test_a_channel_that_does_not_exist_is_told(server: Server) -> None:
    discord = server.discord
    gone = discord.add_channel("gone")
    discord.delete_channel(gone)
    [line] = await about(server, bound(discord.guild, gone))
    assert line.startswith(f"FAIL discord/{discord.guild}/{gone}, where support is bound: there is")
    assert "Copy Channel ID" in line


async def test_a_thread_that_does_not_exist_is_told(server: Server) -> None:
    discord = server.discord
    [line] = await about(server, bound(discord.guild, discord.general, "123"))
    assert "there is no channel 123" in line


async def test_a_private_thread_that_the_bot_is_not_in_is_told(server: Server) -> None:
    discord = server.discord
    thread = discord.add_thread(discord.general, "secret", discord.anna, is_private=True, bot=False)
    [line] = await about(server, bound(discord.guild, discord.general, thread))
    assert f"the bot lacks View Channel for {thread}" in line


async def test_a_thread_in_the_place_of_a_channel_is_told_with_its_address(server: Server) -> None:
    discord = server.discord
    thread = discord.add_thread(discord.general, "plans", discord.anna)
    [line] = await about(server, bound(discord.guild, thread))
    assert f"write discord/{discord.guild}/{discord.general}/{thread}" in line


async def test_a_channel_of_another_server_is_told(server: Server) -> None:
    discord = server.discord
    elsewhere = discord.add_channel("elsewhere", guild=discord.add_guild("Quay"))
    *_, line = await about(server, bound(discord.guild, elsewhere))
    assert f"{elsewhere} is not in this server" in line


async def test_a_server_that_the_bot_is_not_in_is_told(server: Server) -> None:
    [line] = await about(server, bound("123", "456"))
    assert line.startswith("FAIL discord/123/456, where support is bound: the bot is in no such")


@pytest.mark.parametrize("parts", [("Harbour",), ("{guild}", "#general")])
async def test_names_in_the_place_of_ids_are_told(server: Server, parts: tuple[str, ...]) -> None:
    ids = [part.format(guild=server.discord.guild) for part in parts]
    [line] = await about(server, bound(*ids))
    assert line.startswith("FAIL ")
    assert "> Copy " in line


async def test_direct_messages_and_other_platforms_need_nothing(server: Server) -> None:
    slack = Binding(at=Address.parse("slack/T1/C1"), agent="support")
    assert await about(server, bound("@me"), slack) == []


async def test_a_voice_channel_has_no_threads(server: Server) -> None:
    discord = server.discord
    voice = discord.add_channel("bridge", kind=Kind.VOICE)
    discord.deny(voice, "SEND_MESSAGES_IN_THREADS")
    [line] = await about(server, bound(discord.guild, voice))
    assert line.startswith("ok #bridge in Harbour")


async def test_without_bindings_the_whole_server_has_to_be_fit(server: Server) -> None:
    discord = server.discord
    discord.revoke_bot("READ_MESSAGE_HISTORY")
    [line] = await about(server)
    assert line.startswith("FAIL in Harbour the bot's roles lack Read Message History (")
    assert invitation(int(discord.application_id)) in line


async def test_a_bound_channel_may_allow_what_the_roles_do_not(server: Server) -> None:
    discord = server.discord
    discord.revoke_bot("READ_MESSAGE_HISTORY")
    discord.allow(discord.general, "READ_MESSAGE_HISTORY")
    whole, one = await about(server, bound(discord.guild, discord.general))
    assert whole.startswith("-- in Harbour the bot's roles lack Read Message History")
    assert one.startswith("ok #general")


async def test_a_check_that_cannot_be_made_does_not_end_the_others(server: Server) -> None:
    discord = server.discord
    discord.fault("guilds.get", "banned")
    [line] = await about(server, bound(discord.guild, discord.general))
    assert line.startswith("FAIL Discord ")
    assert "a server" in line


async def test_an_answer_that_is_not_as_described_is_told(server: Server) -> None:
    server.discord.fault("users.guilds", "status", status=200)
    *_, line = await said(server)
    assert line.startswith("FAIL Discord's answer is not understood")


async def test_each_server_that_is_not_served_is_named(server: Server) -> None:
    quay = server.discord.add_guild("Quay")
    only = Access(workspaces=frozenset({server.discord.guild}))
    found = await examine(server.settings(), (), only)
    [line] = [each.sentence for each in found if each.verdict is Verdict.WARNING]
    assert line.startswith(f"Quay ({quay}): the bot answers nobody there: workspaces under")
