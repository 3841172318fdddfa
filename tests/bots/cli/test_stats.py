"""`moorings stats`: for people a table, for machines JSON, and a warning where room runs short."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from tests.bots.program import Program
from tests.forked import Life, piped

# The program, where the database's file is as long as a file may be, nearly.
SHORT = """
import os, resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.path.getsize("moorings.db") * 1.1),) * 2)
from bots.__main__ import main
main()
"""


async def test_what_was_said_and_spent_is_told_for_machines(program: Program) -> None:
    await program.run("ask", "assistant", "Remember that my boat is called Mira.")
    with closing(sqlite3.connect(program.folder / "moorings.db")) as database, database:
        database.execute(
            "UPDATE usage SET input_tokens = 1000, cached_tokens = 750, output_tokens = 0,"
            " nano_usd = 0 WHERE step = (SELECT max(step) FROM usage)"
        )
        database.execute("DELETE FROM usage WHERE input_tokens <> 1000")
    ended = await program.run("stats", "--json")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    [agent] = found["agents"]
    assert (agent["agent"], agent["messages"], agent["messages_a_week"]) == ("assistant", 2, 2)
    assert (agent["input_tokens"], agent["cached_share"], agent["usd"]) == (1_000, 0.75, 0.0)
    tables = {each["table"]: (each["rows"], each["rows_a_week"]) for each in found["tables"]}
    assert tables["message"] == (2, 2)
    assert tables["cursor"] == (0, None)
    assert found["database"]["url"] == "sqlite://./moorings.db"
    assert found["database"]["bytes"] > 10_000


async def test_it_is_told_for_people(program: Program) -> None:
    await program.run("ask", "assistant", "hello")
    ended = await program.run("stats")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0].startswith("AGENT\tCONVERSATIONS\tMESSAGES\tA WEEK\t")
    assert lines[1].startswith("assistant\t1\t2\t2\t")
    assert "message\t2\t2" in lines
    assert lines[-1].startswith("sqlite://./moorings.db: ")
    assert " free on the disk" in lines[-1]


async def test_looking_registers_nobody(program: Program) -> None:
    assert json.loads((await program.run("stats", "--json")).out)["agents"] == []


async def test_a_limit_that_is_near_is_told_here_and_by_the_doctor(program: Program) -> None:
    for command in ("stats", "doctor"):
        life = Life(arguments=(command,), folder=program.folder, environment={}, source=SHORT)
        ended = await (await piped(life)).ended()
        assert "that a file may have here: raise the limit" in ended.out
