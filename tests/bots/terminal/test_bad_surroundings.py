"""A model endpoint or a database that fails: one clear sentence, and nothing is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.bots.program import Program
from tests.peers.endpoint import Endpoint, Fail

UNREACHABLE = "I cannot reach my language model right now. Please ask again in a few minutes.\n"


async def test_a_wrong_key_is_told_to_the_person_and_to_the_operator(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(Fail(status=401))
    ended = await program.run("ask", "assistant", "hello")
    assert (ended.out, ended.code) == ("", 1)
    assert "OPENAI_API_KEY" in ended.err
    assert "sk-of-a-test" not in ended.err
    assert "Traceback" not in ended.err


async def test_an_endpoint_that_nobody_serves_is_told(program: Program) -> None:
    program.set(OPENAI_API_KEY="sk-of-a-test", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    ended = await program.run("chat", typed="hello\n")
    assert (ended.out, ended.code) == (UNREACHABLE, 0)
    assert "Traceback" not in ended.err


async def test_a_storm_of_errors_ends_in_a_sentence_and_the_next_question_is_answered(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(*[Fail(status=500)] * 24)  # eight attempts of three calls each
    ended = await program.run("chat", typed="one\ntwo\n")
    assert ended.out.startswith(UNREACHABLE)
    assert ended.out.endswith("two\n")


async def test_a_storm_of_refusals_that_passes_is_waited_out(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(*[Fail(status=429, retry_after=1)] * 2)
    ended = await program.run("ask", "assistant", "hello")
    assert (ended.out, ended.code) == ("You said: hello\n", 0)


async def test_a_database_that_another_process_keeps_locked_is_told(
    program: Program, endpoint: Endpoint
) -> None:
    await program.run("migrate")
    program.set(DATABASE_URL="sqlite://./moorings.db?busy_timeout=100")
    with closing(sqlite3.connect(program.folder / "moorings.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = await program.run("ask", "assistant", "hello")
    assert (ended.out, ended.code) == ("", 1)
    assert "locked by another process" in ended.err
    assert (await program.run("ask", "assistant", "again")).out == "You said: again\n"
