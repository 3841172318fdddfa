"""Who may ask on Discord: by message, command, menu and button alike."""

from __future__ import annotations

import pytest

from tests.bots.discord.command_server import CommandServer
from tests.bots.discord.server import Server
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Reply

STORED = "SELECT count(*) FROM inbox"
MAY_NOT = "You may not ask assistant here. Please ask whoever runs me to let you."
NOT_SERVED = "I do not answer here yet. Please ask whoever runs me to let me."


@pytest.fixture
def command_server(server: Server) -> CommandServer:
    return CommandServer(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


@pytest.fixture
def discord(command_server: CommandServer) -> DiscordPeer:
    return command_server.discord


def rules(text: str) -> str:
    """An agents file with this under [access]."""
    return f"[agents.assistant]\n[access]\n{text}\n"


def refusals(command_server: CommandServer, channel: str, sentence: str = MAY_NOT) -> int:
    """How often it was said there where everybody reads it."""
    lines = command_server.discord.transcript(channel)
    return [line.text for line in lines if line.kind == "message"].count(sentence)


async def test_who_may_not_ask_is_told_once_and_nothing_of_it_is_stored(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.bot(rules(f'deny = ["discord/{discord.ben}"]')):
        first = discord.say(discord.general, discord.ben, f"{discord.mention} hello")
        discord.say(discord.general, discord.ben, f"{discord.mention} hello?")
        discord.say(discord.general, discord.ben, "to nobody")
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        assert await command_server.answered(discord.general) == ["You said: hello"]
        await discord.until(lambda: refusals(command_server, discord.general))
    [told] = [line for line in discord.transcript(discord.general) if line.text == MAY_NOT]
    assert (told.reply_to, told.buttons) == (first, ())
    assert command_server.rows("SELECT author_id FROM inbox") == [(discord.anna,)]


async def test_the_menu_shows_no_message_of_somebody_who_may_not_ask(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded(rules(f'allow = ["discord/{discord.anna}"]')):
        bens = discord.say(discord.general, discord.ben, "my words")
        used = discord.context_menu("Ask an agent", bens, discord.anna)
        told = await command_server.told(used)
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await command_server.answered(discord.general)
        answer = command_server.answers(discord.general)[0].id
        discord.context_menu("Ask an agent", answer, discord.anna)
        await command_server.answered(discord.general, 2)
    assert told == (
        "I did nothing: who wrote this may not ask assistant, so it is not shown what they say."
    )
    assert "my words" not in str(command_server.endpoint.requests)
    assert "> You said: hello" in str(command_server.rows("SELECT text FROM inbox"))


async def test_who_may_not_ask_may_command_nothing(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    options = {"use": {"agent": "assistant"}, "remember": {"fact": "it rains"}}
    async with command_server.commanded(rules(f'deny = ["discord/{discord.ben}"]')):
        for verb in ("use", "facts", "remember", "reset", "stop", "why", "status"):
            given = options.get(verb, {})
            told = await command_server.agent_command(verb, discord.ben, **given)
            assert "You may not ask" in told, verb
        asked = await command_server.command("agent ask", discord.ben, question="hello")
        assert await command_server.told(asked) == MAY_NOT
    assert command_server.rows(STORED) == [(0,)]
    assert command_server.rows("SELECT count(*) FROM fact") == [(0,)]


async def test_names_are_completed_for_those_who_may_ask(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    only_anna = f'[agents.payroll.access]\nallow = ["discord/{discord.anna}"]'
    async with command_server.commanded(
        f"[agents.assistant]\n[agents.payroll]\n{only_anna}\n"
    ) as bot:
        names = {"agent": ""}
        assert await command_server.suggested("use", names) == ["assistant", "payroll"]
        assert await command_server.suggested("use", names, discord.ben) == ["assistant"]
        command_server.settings(rules(f'deny = ["discord/{discord.ben}"]'))
        await bot.runtime.reload()
        assert await command_server.suggested("use", names, discord.ben) == []


async def test_who_may_not_ask_presses_nothing(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    command_server.endpoint.script(Reply(text="on and on " * 2_000, size=5, pause=0.05))
    async with command_server.commanded(rules(f'deny = ["discord/{discord.ben}"]')):
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await discord.until(
            lambda: any("Stop" in line.buttons for line in discord.transcript(discord.general))
        )
        growing = discord.transcript(discord.general)[-1].id
        assert (
            await command_server.told(await command_server.pressed(growing, "Stop", discord.ben))
            == MAY_NOT
        )
        assert command_server.rows("SELECT stop_asked_at FROM turn") == [(None,)]
        await command_server.pressed(growing, "Stop")
        await command_server.answered(discord.general)
        pressed = await command_server.pressed(
            command_server.answers(discord.general)[0].id, "Again", discord.ben
        )
        assert await command_server.told(pressed) == MAY_NOT
    assert command_server.rows(STORED) == [(1,)]


async def test_a_role_lets_in_by_message_and_command(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    role = discord.add_role("developers")
    discord.give_role(discord.anna, role)
    async with command_server.commanded(rules(f'allow = ["discord/role/{role}"]')):
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await command_server.answered(discord.general)
        await command_server.command("agent ask", discord.anna, question="hello")
        await command_server.answered(discord.general, 2)
        assert "You may not ask" in await command_server.agent_command("status", discord.ben)
    assert discord.calls("members.get") == []


async def test_a_role_counts_in_direct_messages_and_in_what_was_missed(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    role = discord.add_role("developers")
    discord.give_role(discord.anna, role)
    only_developers = rules(f'allow = ["discord/role/{role}"]')
    async with command_server.bot(only_developers):
        discord.say(discord.general, discord.anna, f"{discord.mention} one")
        await command_server.answered(discord.general)
        await discord.until(lambda: command_server.cursors())
    discord.say(discord.general, discord.ben, f"{discord.mention} no")
    discord.say(discord.general, discord.anna, f"{discord.mention} two")
    async with command_server.bot(only_developers):
        await command_server.answered(discord.general, 2)
        discord.dm(discord.anna, "three")
        discord.dm(discord.ben, "no")
        await command_server.answered(discord.direct(discord.anna))
        await discord.until(lambda: refusals(command_server, discord.general))
    assert {author for (author,) in command_server.rows("SELECT author_id FROM inbox")} == {
        discord.anna
    }
    assert command_server.rows(STORED) == [(3,)]


async def test_messages_commands_and_again_are_counted_together(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded(rules('per_person = "3/day"')):
        discord.say(discord.general, discord.anna, f"{discord.mention} one")
        await command_server.answered(discord.general)
        await command_server.command("agent ask", discord.anna, question="two")
        await command_server.answered(discord.general, 2)
        answer = command_server.answers(discord.general)[0].id
        await command_server.told(await command_server.pressed(answer, "Again"))
        await command_server.answered(discord.general, 3)
        said = [
            await command_server.told(await command_server.pressed(answer, "Again")),
            await command_server.told(
                await command_server.command("agent ask", discord.anna, question="no")
            ),
        ]
    assert all(each.startswith("You have asked 3 times within a day") for each in said)
    assert command_server.rows(STORED) == [(3,)]


async def test_of_several_servers_only_those_that_are_listed_are_served(
    command_server: CommandServer, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    quay = discord.add_guild("Quay")
    away = discord.add_channel("quay", guild=quay)
    async with command_server.commanded(rules(f'workspaces = ["{discord.guild}"]')):
        for _ in range(2):
            discord.say(away, discord.anna, f"{discord.mention} hello")
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        assert await command_server.answered(discord.general) == ["You said: hello"]
        await discord.until(lambda: refusals(command_server, away, NOT_SERVED))
        assert await command_server.agent_command("facts", discord.anna, away) == NOT_SERVED
        discord.dm(discord.anna, "hello")
        await command_server.answered(discord.direct(discord.anna))
    assert refusals(command_server, away, NOT_SERVED) == 1
    assert command_server.rows(STORED) == [(2,)]
    refused = [vars(each) for each in caplog.records if each.msg == "workspace not served"]
    assert [(each["workspace"], each["called"]) for each in refused] == [(quay, "Quay")]


async def test_a_bot_that_is_invited_to_a_second_server_serves_neither(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.bot():
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await command_server.answered(discord.general)
        discord.add_guild("Quay")
        discord.say(discord.general, discord.anna, f"{discord.mention} hello")
        await discord.until(lambda: refusals(command_server, discord.general, NOT_SERVED))
    assert command_server.rows(STORED) == [(1,)]


async def test_who_writes_directly_has_to_be_in_a_server_that_is_served(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    quay = discord.add_guild("Quay")
    discord.backend.world.guilds[quay].members.pop(discord.ben)
    async with command_server.bot(rules(f'workspaces = ["{quay}"]')):
        discord.dm(discord.ben, "hello")
        discord.dm(discord.anna, "hello")
        await command_server.answered(discord.direct(discord.anna))
        await discord.until(
            lambda: refusals(command_server, discord.direct(discord.ben), NOT_SERVED)
        )
    assert command_server.rows("SELECT author_id FROM inbox") == [(discord.anna,)]


async def test_an_administrator_of_the_file_may_bind(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded(rules(f'admins = ["discord/{discord.ben}"]')):
        told = await command_server.agent_command("use", discord.ben, agent="assistant")
    assert "answers every message here" in told


async def test_a_role_that_one_server_does_not_tell_of_may_keep_somebody_out(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    role = discord.add_role("muted")
    discord.give_role(discord.ben, role)
    other = discord.add_role("muted", guild=discord.add_guild("Quay"))
    direct = discord.direct(discord.ben)
    denied = f'deny = ["discord/role/{role}", "discord/role/{other}"]\nworkspaces = ["*"]'
    async with command_server.bot(rules(denied)):
        discord.fault("members.get", "error", status=403, code=50001, times=1)  # the older server
        discord.dm(discord.ben, "hello")
        await discord.until(lambda: len(discord.transcript(direct)) == 2)
    assert discord.transcript(direct)[1].text == (
        "I could not find out whether you may ask assistant. Please try again in a minute."
    )
    assert command_server.rows(STORED) == [(0,)]


async def test_who_writes_directly_is_asked_for_where_the_role_is(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    role = discord.add_role("developers")
    discord.give_role(discord.anna, role)
    for name in ("Quay", "Pier"):
        discord.add_guild(name)
    async with command_server.bot(rules(f'allow = ["discord/role/{role}"]\nworkspaces = ["*"]')):
        discord.dm(discord.anna, "hello")
        await command_server.answered(discord.direct(discord.anna))
    assert len(discord.calls("members.get")) == 1
