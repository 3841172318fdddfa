"""`/agent`, the commands of the agents file and the message menu, on Discord."""

from __future__ import annotations

import logging

import pytest

from bots.discord import responses
from core.redaction import HELD
from tests.bots.discord.command_server import AGENTS, CommandServer
from tests.bots.discord.server import Server
from tests.bots.discord.test_contents import SHAPES
from tests.patience import PATIENCE
from tests.peers.discord.mentions import previewed
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.wire import Json
from tests.peers.endpoint import Reply


@pytest.fixture
def command_server(server: Server) -> CommandServer:
    return CommandServer(discord=server.discord, endpoint=server.endpoint, folder=server.folder)


@pytest.fixture
def discord(command_server: CommandServer) -> DiscordPeer:
    return command_server.discord


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What an operator would look into."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_question_by_command_is_shown_and_answered_by_a_message(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        asked = await command_server.command("agent ask", question="what is *new*?\n@everyone!")
        [answered] = await command_server.answered(discord.general)
    assert answered.startswith("You said: what is *new*?")
    shown = discord.reply(asked)
    assert shown
    assert (shown.for_user, shown.pings) == ("", ())
    asking, quoted, more = shown.text.split("\n")
    assert quoted == "> what is \\*new\\*?"
    assert more.startswith("> @")
    assert asking == "Asking **assistant** …"
    [answer] = command_server.answers(discord.general)
    assert (answer.kind, answer.reply_to) == ("message", "")
    key = f"discord/{discord.guild}/{discord.general}/cmd/{asked.id}"
    assert command_server.rows("SELECT key, position FROM inbox") == [(key, int(asked.id))]


async def test_the_token_of_an_interaction_stands_in_no_log(command_server: CommandServer) -> None:
    async with command_server.commanded():
        given = await command_server.command("agent help")
    assert HELD.hidden(f"got {given.token}!") == "got •••!"


async def test_a_question_by_command_may_name_the_agent(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        await command_server.command("agent ask", question="what is new?", agent="support")
        await command_server.answered(discord.general)
        told = await command_server.agent_command("ask", question="what is new?", agent="suport")
    assert "did you mean 'support'?" in told
    assert command_server.rows(
        "SELECT name FROM agent JOIN conversation ON agent.id = agent_id"
    ) == [("support",)]


async def test_a_command_of_the_agents_file_asks_its_agent(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        asked = await command_server.command("support", question="assistant: it is broken")
        [answer] = await command_server.answered(discord.general)
    assert answer == "-# support\nYou said: assistant: it is broken"
    shown = discord.reply(asked)
    assert shown
    assert "Asking **support** …" in shown.text


async def test_a_question_in_a_thread_is_answered_in_it(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    message = discord.say(discord.general, discord.ben, "a plan")
    thread = discord.open_thread(message, "plan", discord.ben)
    async with command_server.commanded():
        await command_server.command("agent ask", channel=thread, question="what is new?")
        [answer] = await command_server.answered(thread)
    assert "> Ben: a plan\n\nwhat is new?" in answer
    assert command_server.rows("SELECT address FROM conversation") == [
        (f"discord/{discord.guild}/{discord.general}/{thread}",)
    ]


async def test_commands_work_in_direct_messages(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    direct = discord.direct(discord.ben)
    async with command_server.commanded():
        await command_server.command("agent ask", discord.ben, direct, question="what is new?")
        assert await command_server.answered(direct) == ["You said: what is new?"]
        told = await command_server.agent_command("use", discord.ben, direct, agent="support")
    assert "from now on" in told


async def test_an_answer_that_takes_long_arrives_after_a_restart_and_after_15_minutes(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    command_server.endpoint.script(Reply(text="Never finished." * 50, size=1, pause=0.5))
    async with command_server.commanded() as bot:
        await command_server.command("agent ask", question="what is new?")
        await command_server.endpoint.arrived()
        bot.stop.set()
    discord.advance(16 * 60)
    async with command_server.commanded():
        assert await command_server.answered(discord.general) == ["You said: what is new?"]


async def test_a_question_that_two_processes_get_is_asked_once_and_shown_once(
    command_server: CommandServer, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    async with command_server.commanded(connections=2):
        await command_server.command("agent ask", question="what is new?")
        await command_server.answered(discord.general)
        await discord.until(lambda: len(discord.calls("interactions.callback")) == 2)
        assert complaints(caplog) == []
    assert len(discord.transcript(discord.general)) == 2
    assert sorted(call.code for call in discord.calls("interactions.callback")) == [0, 40060]


async def test_a_command_that_two_processes_get_is_done_by_one(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded(connections=2):
        await command_server.agent_command("remember", fact="Ben owns it")
        assert await command_server.agent_command("forget", number=1) == "Forgotten: Ben owns it"
        await discord.until(lambda: len(discord.calls("interactions.callback")) == 4)


async def test_where_the_bot_may_not_write_it_says_so(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    message = discord.say(discord.general, discord.ben, "a plan")
    thread = discord.open_thread(message, "plan", discord.ben)
    async with command_server.commanded():
        discord.deny(discord.general, "SEND_MESSAGES_IN_THREADS")
        await command_server.command("agent ask", question="what is new?")
        assert "I may not write here" in await command_server.agent_command(
            "ask", channel=thread, question="?"
        )
        discord.deny(discord.support, "SEND_MESSAGES")
        told = await command_server.agent_command(
            "ask", channel=discord.support, question="what is new?"
        )
        assert "I may not write here" in told
    assert command_server.rows("SELECT text FROM inbox") == [("what is new?",)]


async def test_a_question_that_is_stored_late_is_acknowledged_in_time(
    command_server: CommandServer, discord: DiscordPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "_DEFER_AFTER_SECONDS", 0.1)
    async with command_server.commanded():
        async with command_server.locked() as other:
            asked = {"question": "what is new?"}
            given = discord.command("agent ask", asked, discord.general, discord.anna)
            await discord.until(lambda: given.is_acked)
            other.execute("ROLLBACK")
        await command_server.answered(discord.general)
        await discord.until(lambda: "what is new?" in str(discord.reply(given)))
    assert not discord.has_failed(given)


async def test_in_a_thread_that_shares_the_channels_history_commands_mean_that(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    agents = f"""
    [agents.assistant]
    [[bindings]]
    at = "discord/{discord.guild}/{discord.general}"
    agent = "assistant"
    listen = "all"
    conversation = "channel"
    """
    discord.grant(discord.anna, "MANAGE_CHANNELS")
    message = discord.say(discord.general, discord.ben, "a plan")
    thread = discord.open_thread(message, "plan", discord.ben)
    async with command_server.commanded(agents):
        discord.say(thread, discord.anna, "hello")
        await command_server.answered(thread)
        assert "Answer 1 by" in await command_server.agent_command("why", channel=thread)
        command_server.endpoint.script(Reply(text="A long answer. " * 90, size=1, pause=0.1))
        discord.say(thread, discord.anna, "and more?")
        await discord.until(lambda: len(discord.calls("messages.create")) == 2)
        assert await command_server.agent_command("stop", channel=thread) == "Stopped."
        await command_server.answered(thread, 2)
        told = await command_server.agent_command("reset", channel=thread)
        assert "Nothing" not in told


async def test_a_question_that_is_not_stored_is_not_accepted(command_server: CommandServer) -> None:
    async with command_server.commanded(database_url=command_server.impatient, works=False):
        await command_server.agent_command("facts")
        async with command_server.locked():
            assert "could not store" in await command_server.agent_command(
                "ask", question="what is new?"
            )
            assert "could not store" in await command_server.agent_command(
                "remember", fact="Ben owns it"
            )
    assert command_server.rows("SELECT * FROM inbox") == []


async def test_a_database_that_hangs_is_given_no_more_commands_than_there_is_room_for(
    command_server: CommandServer, discord: DiscordPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.capacity._MOST", 3)

    def told() -> list[str]:
        lines = [discord.reply(given) for given in asked]
        return [line.text for line in lines if line and not line.is_thinking]

    async with command_server.commanded(works=False):
        async with command_server.locked():
            asked = [
                discord.command("agent ask", {"question": "?"}, discord.general, discord.anna)
                for _ in range(10)
            ]
            await discord.until(lambda: len(told()) == 7)
            assert all("could not store" in words for words in told())
        await discord.until(lambda: len(told()) == 10)
    assert command_server.rows("SELECT text FROM inbox") == [("?",)] * 3


async def test_a_question_that_is_acknowledged_too_late_is_answered(
    command_server: CommandServer, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    async with command_server.commanded():
        discord.backend.interactions.ack_seconds = -1.0
        discord.command("agent ask", {"question": "what is new?"}, discord.general, discord.anna)
        assert await command_server.answered(discord.general) == ["You said: what is new?"]
        assert complaints(caplog) == []


async def test_a_command_that_is_taken_too_late_is_not_done(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        discord.backend.interactions.ack_seconds = -1.0
        discord.command("agent remember", {"fact": "Ben owns it"}, discord.general, discord.anna)
        await discord.until(lambda: discord.calls("interactions.callback"))
        discord.backend.interactions.ack_seconds = PATIENCE
        assert "remembers nothing" in await command_server.agent_command("facts")


async def test_where_somebody_brought_the_app_for_themselves_it_says_so(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        pass
    asked = discord.command(
        "agent ask", {"question": "what is new?"}, discord.general, discord.anna
    )
    place = discord.backend.world.channels[discord.general]
    async with command_server.commanded():
        payload = discord.backend.interactions._payload(asked, place)
        payload["authorizing_integration_owners"] = Json({"1": discord.anna})
        discord.emit("INTERACTION_CREATE", payload)
        assert "only where I was added" in await command_server.told(asked)
    assert command_server.rows("SELECT * FROM inbox") == []


async def test_a_question_without_words_is_no_question(command_server: CommandServer) -> None:
    async with command_server.commanded():
        assert await command_server.agent_command("ask", question=" \n ") == "Say what to ask."


async def test_whoever_manages_the_channel_may_let_another_agent_answer(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    discord.grant(discord.anna, "MANAGE_CHANNELS")
    async with command_server.commanded():
        told = await command_server.agent_command(
            "use", agent="support", listen="all", conversation="user"
        )
        assert "**support** answers every message here" in told
        discord.say(discord.general, discord.ben, "hello")
        assert await command_server.answered(discord.general) == ["-# support\nYou said: hello"]
        assert "**support** (answers here)" in await command_server.agent_command("list")
        assert "one history for each user" in await command_server.agent_command("status")


async def test_others_may_not_bind_or_reset(command_server: CommandServer) -> None:
    async with command_server.commanded():
        bound = await command_server.agent_command("use", agent="support")
        assert "Manage Channels may do that" in bound
        assert "Manage Channels may do that" in await command_server.agent_command("reset")
    assert command_server.rows("SELECT * FROM binding") == []


async def test_an_agent_in_a_thread_answers_there_only(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    discord.grant(discord.anna, "MANAGE_CHANNELS")
    message = discord.say(discord.general, discord.ben, "a plan")
    thread = discord.open_thread(message, "plan", discord.ben)
    async with command_server.commanded():
        await command_server.agent_command("use", channel=thread, agent="support")
        assert "**support**" in await command_server.agent_command("status", channel=thread)
        assert "**assistant**" in await command_server.agent_command("status")


@pytest.mark.parametrize("room", [2_000, 60])
async def test_no_link_in_what_a_command_answers_loads_itself(
    command_server: CommandServer, discord: DiscordPeer, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Whether it is acknowledged with its answer, or answered when that has taken a while."""
    monkeypatch.setattr(responses, "_LONGEST", room)
    async with command_server.commanded():
        fact = "see https://e.example/?secret=1234567890"
        told = await command_server.command("agent remember", fact=fact)
        await command_server.told(told)
    message = discord.backend.world.message_anywhere(told.response)
    assert "see" in message.content
    message.flags = 0  # for the one that edits what was only taken, which can set none
    assert previewed(message) == ()


async def test_facts_are_remembered_listed_and_forgotten(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        assert "remembers nothing" in await command_server.agent_command("facts")
        assert "as fact 1: Ben owns \\*it\\*" in await command_server.agent_command(
            "remember", fact="Ben owns *it*"
        )
        assert "1. Ben owns \\*it\\* _(Anna," in await command_server.agent_command(
            "facts", discord.ben
        )
        assert "remembers nothing" in await command_server.agent_command(
            "facts", channel=discord.support
        )
        assert "remembers nothing" in await command_server.agent_command("facts", agent="support")
        assert (
            await command_server.agent_command("forget", number=1) == "Forgotten: Ben owns \\*it\\*"
        )
        assert "knows no fact 7 here" in await command_server.agent_command("forget", number=7)


async def test_after_a_reset_the_model_is_not_shown_what_was_said(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    discord.grant(discord.anna, "MANAGE_CHANNELS")
    async with command_server.commanded():
        assert await command_server.agent_command("reset") == "Nothing was said here yet."
        await command_server.command("agent ask", question="one")
        await command_server.answered(discord.general)
        await discord.until(lambda: command_server.rows("SELECT 1 FROM message"))
        assert "begins anew" in await command_server.agent_command("reset")
        await command_server.command("agent ask", question="two")
        await command_server.answered(discord.general, 2)
    spoken = [m for m in command_server.endpoint.requests[-1]["messages"] if m["role"] == "user"]
    assert [message["content"] for message in spoken] == ["two"]


async def test_stop_stops_what_is_being_written_here(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        assert await command_server.agent_command("stop") == "Nothing is being written here."
        command_server.endpoint.script(Reply(text="on and on " * 2_000, size=5, pause=0.05))
        await command_server.command("agent ask", question="tell me everything")
        await command_server.endpoint.arrived()
        assert await command_server.agent_command("stop", discord.ben) == "Stopped."
        await discord.until(
            lambda: command_server.rows("SELECT 1 FROM turn WHERE state = 'stopped'")
        )


async def test_why_says_what_is_behind_an_answer(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        assert await command_server.agent_command("why") == "I know of no such answer here."
        await command_server.command("agent ask", question="one")
        await command_server.answered(discord.general)
        first = await command_server.agent_command("why")
        assert "Answer 1 by **assistant**" in first
        await command_server.command("agent ask", question="two")
        await command_server.answered(discord.general, 2)
        assert "Answer 2 by **assistant**" in await command_server.agent_command("why")
        message = command_server.answers(discord.general)[0].id
        link = f"https://discord.com/channels/{discord.guild}/{discord.general}/{message}"
        for answer in (link, message, "1", "#1"):
            assert await command_server.agent_command("why", answer=answer) == first
        assert "no such answer" in await command_server.agent_command(
            "why", channel=discord.support, answer="1"
        )
        assert "Say which answer" in await command_server.agent_command("why", answer="not")


async def test_help_names_the_options_as_discord_shows_them(command_server: CommandServer) -> None:
    async with command_server.commanded():
        told = await command_server.agent_command("help")
    assert "`/agent ask agent:NAME question:TEXT` asks another one" in told
    assert len(told) < 2_000


async def test_the_message_menu_asks_about_a_message_and_the_answer_replies_to_it(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    message = discord.say(
        discord.general,
        discord.ben,
        f"support: <@{discord.anna}>, the printer is on fire",
        attachments={"log.txt": b"hot"},
    )
    async with command_server.commanded():
        used = discord.context_menu("Ask an agent", message, discord.anna)
        [answer] = await command_server.answered(discord.general)
        assert await command_server.told(used) == "Asking **assistant** …"
    assert "> support: @Anna, the printer is on fire" in answer
    assert "hot" in answer
    assert answer.partition("Please help")[2].count("log.txt") == 1
    assert command_server.answers(discord.general)[0].reply_to == message


async def test_the_message_menu_shows_the_agent_all_that_a_message_says(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded():
        for number, (more, seen) in enumerate(SHAPES, 1):
            message = discord.say(discord.general, discord.ben, "", more=more)
            discord.context_menu("Ask an agent", message, discord.anna)
            answer = (await command_server.answered(discord.general, number))[-1]
            assert all(f"> {line}" in answer for line in seen.split("\n")), seen


async def test_the_names_of_agents_are_suggested(command_server: CommandServer) -> None:
    async with command_server.commanded():
        assert await command_server.suggested("use", {"agent": ""}) == ["assistant", "support"]
        assert await command_server.suggested("reset", {"agent": "SUP"}) == ["support"]
        assert await command_server.suggested("facts", {"agent": "t"}) == ["assistant", "support"]
        assert await command_server.suggested("ask", {"question": "?", "agent": "x"}) == []


async def test_names_that_two_processes_suggest_are_no_failure(
    command_server: CommandServer, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    async with command_server.commanded(connections=2):
        assert await command_server.suggested("use", {"agent": "sup"}) == ["support"]
        await discord.until(lambda: len(discord.calls("interactions.callback")) == 2)
        assert complaints(caplog) == []


async def test_a_command_of_another_version_is_left_to_it(
    command_server: CommandServer, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with command_server.commanded():
        discord.backend.menu.registered[""].append(Json(id="1", name="later", type=1))
        later = discord.command("later", {}, discord.general, discord.anna)
        await discord.until(lambda: "command of another version" in caplog.text)
        assert not later.is_acked
        assert complaints(caplog) == []


async def test_a_name_that_discord_does_not_allow_is_a_warning(
    command_server: CommandServer, discord: DiscordPeer, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["/agent", "/what?", "/" + "a" * 33]
    bad = (f'[[commands]]\nname = "{name}"\nagent = "support"\n' for name in names)
    async with command_server.commanded("".join([AGENTS, *bad])):
        pass
    message = "Discord does not allow a command of the agents file"
    warned = [vars(each)["command"] for each in caplog.records if each.message == message]
    assert warned == names
    assert {command["name"] for command in discord.commands()} == {
        *("agent", "Ask an agent", "support")
    }


async def test_after_a_reload_the_commands_are_those_of_the_new_file(
    command_server: CommandServer, discord: DiscordPeer
) -> None:
    async with command_server.commanded() as bot:
        command_server.settings(AGENTS.replace('"/support"', '"/help-me"'))
        await bot.runtime.reload()
        assert {command["name"] for command in discord.commands()} == {
            "agent",
            "help-me",
            "Ask an agent",
        }
        await command_server.command("help-me", question="it is broken")
        assert await command_server.answered(discord.general) == [
            "-# support\nYou said: it is broken"
        ]
