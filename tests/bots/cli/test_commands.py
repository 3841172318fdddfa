"""The commands that look at what is there, and those that prepare it."""

from __future__ import annotations

import json

import pytest

from tests.bots.program import Program


@pytest.mark.usefixtures("never_ran")
async def test_agents_are_listed(program: Program) -> None:
    ended = await program.run("agents")
    assert ended.out.splitlines()[1].startswith("assistant (default)\tgpt-6-luna\tyes\t")


async def test_agents_are_listed_for_machines(program: Program) -> None:
    ended = await program.run("agents", "--json")
    [agent] = json.loads(ended.out)
    assert (agent["name"], agent["is_default"]) == ("assistant", True)


async def test_conversations_are_listed_for_machines(program: Program) -> None:
    await program.run("ask", "assistant", "hello")
    ended = await program.run("conversations", "--json")
    [talk] = json.loads(ended.out)
    assert (talk["agent"], talk["address"], talk["messages"]) == ("assistant", "terminal/main", 2)
    assert talk["last_at"]


async def test_without_conversations_there_are_only_headings(program: Program) -> None:
    ended = await program.run("conversations")
    assert ended.out == "AGENT\tADDRESS\tMESSAGES\tLAST\n"


async def test_a_list_at_a_terminal_is_aligned(program: Program) -> None:
    async with program.at_a_terminal("agents") as terminal:
        await terminal.shows("AGENT")
        await terminal.shows("assistant (default)")
        assert await terminal.ended() == 0


@pytest.mark.usefixtures("never_ran")
async def test_migrate_can_be_run_twice(program: Program) -> None:
    first = await program.run("migrate")
    second = await program.run("migrate")
    assert (first.code, second.code) == (0, 0)
    assert "is up to date" in second.out


async def test_a_database_that_cannot_be_used_is_told(program: Program) -> None:
    program.set(DATABASE_URL="sqlite://:memory:")
    ended = await program.run("migrate")
    assert ended.code == 1
    assert ended.err.startswith("moorings: ")


async def test_run_says_what_is_missing_and_what_works(program: Program) -> None:
    ended = await program.run("run")
    assert ended.code == 1
    assert "SLACK_BOT_TOKEN" in ended.err
    assert "DISCORD_TOKEN" in ended.err
    assert "moorings chat" in ended.err


async def test_the_version_is_told(program: Program) -> None:
    ended = await program.run("--version")
    assert ended.out.startswith("moorings ")
    assert ended.code == 0


async def test_an_unknown_command_is_a_mistake_in_the_command_line(program: Program) -> None:
    ended = await program.run("chatt")
    assert ended.code == 2
    assert "Traceback" not in ended.err
