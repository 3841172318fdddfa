"""The commands that look at what is there, and those that prepare it."""

from __future__ import annotations

import json

import pytest

from bots.cli import COMMANDS
from tests.bots.program import Program
from tests.forked import ROOT, Life, cold

HELPED = """
import contextlib, sys
from bots.cli import cli
with contextlib.suppress(SystemExit):
    cli(prog_name="moorings")
print(*{"core", "storage", "pydantic", "tortoise"} & sys.modules.keys(), file=sys.stderr)
"""


async def test_help_names_every_command_and_imports_none() -> None:
    ended = await cold(Life(arguments=("--help",), folder=ROOT, environment={}, source=HELPED))
    assert ended.code == 0, ended.err
    assert ended.err.split() == []
    for name, what in COMMANDS.items():
        assert f"  {name} ".ljust(17) + what in ended.out


@pytest.mark.parametrize("name", COMMANDS)
async def test_each_command_has_its_own_help(program: Program, name: str) -> None:
    ended = await program.run(name, "--help")
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"Usage: moorings {name} ")
    assert "completion" not in ended.out


async def test_what_is_no_command_is_told_with_the_nearest_one(program: Program) -> None:
    ended = await program.run("agnets")
    assert ended.code == 2
    assert "'agents'" in ended.err


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


async def test_of_a_question_the_log_says_in_json_where_it_was_and_what_it_cost(
    program: Program,
) -> None:
    program.set(MOORINGS_LOG="json", MOORINGS_LOG_LEVEL="INFO")
    ended = await program.run("ask", "assistant", "The word is quetzal")
    [line] = [each for each in map(json.loads, ended.err.splitlines()) if "seconds" in each]
    assert (line["message"], line["level"], line["turn"]) == ("turn ended", "INFO", 1)
    assert (line["agent"], line["address"]) == ("assistant", "terminal/main")
    assert {"model", "input_tokens", "output_tokens"} < line.keys()
    assert "quetzal" not in ended.err


async def test_the_version_is_told(program: Program) -> None:
    ended = await program.run("--version")
    assert ended.out.startswith("moorings ")
    assert ended.code == 0


async def test_an_unknown_command_is_a_mistake_in_the_command_line(program: Program) -> None:
    ended = await program.run("chatt")
    assert ended.code == 2
    assert "Traceback" not in ended.err


async def test_variables_are_read_from_the_file_that_is_named(program: Program) -> None:
    (program.folder / "other.env").write_text("DATABASE_URL=sqlite://other.db\n")
    ended = await program.run("--env", "other.env", "migrate")
    assert ended.code == 0, ended.err
    assert (program.folder / "other.db").exists()


async def test_a_file_of_variables_that_is_not_there_is_told(program: Program) -> None:
    ended = await program.run("--env", "gone.env", "agents")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "moorings: gone.env is not there; correct what --env names.\n"
