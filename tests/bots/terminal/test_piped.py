"""The real program between pipes: messages in, replies out, nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.bots.program import Program, break_the_database
from tests.forked import Running
from tests.patience import PATIENCE
from tests.peers.endpoint import Endpoint, Fail, Reply, Stall

TWO_AGENTS = """
[agents.ada]
[agents.billing]
"""


async def say(process: Running, line: str) -> str:
    """Write one line, and read one."""
    process.stdin.write(f"{line}\n".encode())
    async with asyncio.timeout(PATIENCE):
        return (await process.stdout.readline()).decode()


async def test_a_reply_comes_before_the_next_line_is_written(
    program: Program, endpoint: Endpoint
) -> None:
    process = await program.start("chat")
    assert await say(process, "one") == "You said: one\n"
    assert await say(process, "two") == "You said: two\n"
    process.stdin.close()
    assert await process.wait() == 0


async def test_every_line_is_a_message_and_blank_ones_are_none(
    program: Program, endpoint: Endpoint
) -> None:
    ended = await program.run("chat", typed="one\n\n \x00\n/agents\nlast")
    assert ended.out == "You said: one\nYou said: /agents\nYou said: last\n"
    assert (ended.err, ended.code) == ("", 0)


async def test_ask_and_chat_share_a_conversation(program: Program) -> None:
    await program.run("ask", "assistant", "Remember that our project deadline is March 15th")
    ended = await program.run("chat", typed="What is our project deadline?\n")
    assert "you told me: our project deadline is March 15th." in ended.out


async def test_another_room_is_another_conversation(program: Program) -> None:
    await program.run("ask", "assistant", "The deadline is March 15th")
    ended = await program.run("ask", "assistant", "What is the deadline?", "--room", "other")
    assert "I found nothing" in ended.out


async def test_people_are_told_apart(program: Program) -> None:
    await program.run("ask", "assistant", "The deadline is March 15th", "--as", "bob")
    ended = await program.run("ask", "assistant", "What is the deadline?", "--as", "eve")
    assert "bob told me" in ended.out


@pytest.mark.usefixtures("never_ran")
async def test_without_a_key_the_demo_says_what_it_is(program: Program) -> None:
    ended = await program.run("ask", "assistant", "hello")
    assert ended.out.startswith("(This is an offline demo without a language model")
    assert (ended.err, ended.code) == ("", 0)


@pytest.mark.parametrize("command", ["ask", "chat"])
async def test_a_wrong_name_is_corrected(program: Program, command: str) -> None:
    text = ["hello"] if command == "ask" else []
    ended = await program.run(command, "asistant", *text)
    assert ended.err == "moorings: There is no agent 'asistant'; did you mean 'assistant'?\n"
    assert (ended.out, ended.code) == ("", 1)


async def test_an_empty_message_is_a_mistake_in_the_command_line(program: Program) -> None:
    ended = await program.run("ask", "assistant", " \n")
    assert ended.err.startswith("moorings: The message is empty")
    assert ended.code == 2


async def test_control_sequences_of_a_model_stay_out(program: Program, endpoint: Endpoint) -> None:
    endpoint.script(Reply(text="\x1b]0;mine\x07\x1b[2Jred\n\tand more"))
    ended = await program.run("ask", "assistant", "hello")
    assert ended.out == "red\n\tand more\n"


async def test_bytes_that_are_no_text_are_asked_without(program: Program) -> None:
    ended = await program.run("ask", "assistant", b"a\xffb", "--as", b"x\xffy", "--room", b"r\xff")
    assert ended.out.endswith("Understood: ab.\n")


async def test_a_message_of_a_megabyte_gets_a_reply(program: Program, endpoint: Endpoint) -> None:
    ended = await program.run("chat", typed="word " * 200_000 + "\nnext\n")
    assert "too long" in ended.out.splitlines()[0]
    assert "next" in ended.out


async def test_why_there_is_no_answer_goes_to_stderr(program: Program, endpoint: Endpoint) -> None:
    endpoint.script(Fail(status=401, code="invalid_api_key"))
    ended = await program.run("ask", "assistant", "hello")
    assert (ended.out, ended.code) == ("", 1)
    assert "Traceback" not in ended.err
    assert "sk-of-a-test" not in ended.err


async def test_in_a_chat_a_failure_is_a_reply(program: Program, endpoint: Endpoint) -> None:
    endpoint.script(Fail(status=401, code="invalid_api_key"))
    ended = await program.run("chat", typed="hello\nagain\n")
    assert "is not accepted" in ended.out.splitlines()[0]
    assert "again" in ended.out
    assert ended.code == 0


async def test_an_earlier_question_is_answered_beside_the_answer(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(Stall(after=1))
    process = await program.start("ask", "assistant", "first")
    async with asyncio.timeout(PATIENCE):
        await endpoint.arrived()
    process.kill()
    await process.communicate()
    ended = await program.run("ask", "assistant", "second")
    assert ended.out == "You said: second\n"
    assert "You said: first\n" in ended.err


async def test_a_chat_begins_with_what_it_still_owes(program: Program, endpoint: Endpoint) -> None:
    endpoint.script(Stall(after=1))
    process = await program.start("chat")
    process.stdin.write(b"first\n")
    async with asyncio.timeout(PATIENCE):
        await endpoint.arrived()
    process.kill()
    await process.communicate()
    ended = await program.run("chat", typed="second\n")
    assert ended.out == "You said: first\nYou said: second\n"


async def test_ctrl_c_leaves_at_once_and_loses_nothing(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(Stall(after=1))
    process = await program.start("ask", "assistant", "first")
    async with asyncio.timeout(PATIENCE):
        await endpoint.arrived()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (out, err, process.returncode) == (b"", b"", 130)
    ended = await program.run("chat")
    assert ended.out == "You said: first\n"


async def test_ctrl_c_ends_a_chat_that_waits_for_a_line(program: Program) -> None:
    process = await program.start("chat")
    assert "offline demo" in await say(process, "one")
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == 130


async def test_nobody_reading_ends_it_quietly(program: Program) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await program.start("ask", "assistant", "hello", stdout=writing)
    os.close(writing)
    async with asyncio.timeout(PATIENCE):
        _, err = await process.communicate()
    assert b"Traceback" not in err
    assert process.returncode == 141


async def test_the_room_decides_who_answers(program: Program) -> None:
    (program.folder / "agents.toml").write_text(
        f'{TWO_AGENTS}\n[[bindings]]\nat = "terminal/money"\nagent = "billing"\n'
    )
    await program.run("chat", "--room", "money", typed="hello\n")
    ended = await program.run("conversations")
    assert ended.out.splitlines()[1].startswith("billing\tterminal/money\t2\t")


async def test_a_faulty_agents_file_is_told_line_by_line(program: Program) -> None:
    (program.folder / "agents.toml").write_text("[agents.ada]\nmodell = 'x'\nmemory = 3\n")
    ended = await program.run("ask", "ada", "hello")
    assert ended.code == 1
    assert ended.err.startswith("moorings: agents.toml:2:")
    assert "Traceback" not in ended.err


async def test_a_damaged_database_is_one_sentence(program: Program, tmp_path: Path) -> None:
    (tmp_path / "moorings.db").write_bytes(b"this is no database" * 100)
    ended = await program.run("chat", typed="hello\n")
    assert ended.code == 1
    assert ended.err.startswith("moorings: ")
    assert ended.err.count("\n") == 1


async def test_a_database_that_fails_is_told_in_place_of_each_reply(
    program: Program, endpoint: Endpoint
) -> None:
    program.set(MOORINGS_LEASE_SECONDS="1")  # nobody can give a lease back now
    process = await program.start("chat")
    assert await say(process, "one") == "You said: one\n"
    break_the_database(program.folder)
    assert "The database refused a statement" in await say(process, "two")
    assert "The database refused a statement" in await say(process, "three")
    _, err = await process.communicate(b"")  # without input, stdin would stay open
    assert (err, process.returncode) == (b"", 1)
