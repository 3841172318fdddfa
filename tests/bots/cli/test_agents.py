"""`moorings agents`: the agents file is the truth, and looking changes nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.bots.program import Program

BOTH = "[agents.assistant]\n[agents.support]\n"
PLANNER = """
import asyncio, core
asyncio.run(core.Agent.create(name="Planner", instructions="Plan."))
"""


def names_on_record(program: Program) -> list[str]:
    """The agents of the database."""
    with closing(sqlite3.connect(program.folder / "moorings.db")) as database:
        return [name for (name,) in database.execute("SELECT name FROM agent ORDER BY name")]


@pytest.fixture
async def retired(program: Program) -> None:
    """`support` was asked something, and was taken out of the file then."""
    file = program.folder / "agents.toml"
    file.write_text(BOTH)
    assert (await program.run("ask", "support", "hello")).code == 0
    file.write_text("[agents.assistant]\n")


async def test_looking_registers_nobody(program: Program) -> None:
    (program.folder / "agents.toml").write_text(BOTH)
    assert "support" in (await program.run("agents")).out
    await program.run("doctor")
    assert names_on_record(program) == []


@pytest.mark.usefixtures("retired")
async def test_an_agent_that_was_taken_out_of_the_file_answers_no_more(program: Program) -> None:
    asked = await program.run("ask", "support", "hello")
    assert (asked.code, asked.out) == (1, "")
    assert "There is no agent 'support'" in asked.err
    assert "support (retired)\t" in (await program.run("agents")).out
    rows = json.loads((await program.run("agents", "--json")).out)
    assert [(row["name"], row["state"]) for row in rows] == [
        ("assistant", "file"),
        ("support", "retired"),
    ]
    assert "support\tterminal/main\t2" in (await program.run("conversations")).out


@pytest.mark.usefixtures("retired")
async def test_an_agent_is_removed_after_a_question(program: Program) -> None:
    kept = await program.run("agents", "remove", "support", typed="n\n")
    assert (kept.code, names_on_record(program)) == (1, ["support"])
    assert "1 conversations, 2 messages and 0 facts" in kept.out
    unanswered = await program.run("agents", "remove", "support")
    assert (unanswered.code, names_on_record(program)) == (1, ["support"])
    removed = await program.run("agents", "remove", "support", typed="y\n")
    assert (removed.code, names_on_record(program)) == (0, [])
    assert (await program.run("conversations")).out == "AGENT\tADDRESS\tMESSAGES\tLAST\n"


@pytest.mark.usefixtures("retired")
async def test_an_agent_that_the_file_names_is_not_removed(program: Program) -> None:
    refused = await program.run("agents", "remove", "assistant", "--yes")
    assert refused.code == 1
    assert "take it out there first" in refused.err
    assert (await program.run("agents", "remove", "support", "--yes")).code == 0
