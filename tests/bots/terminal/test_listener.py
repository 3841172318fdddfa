"""The real program at a real terminal."""

from __future__ import annotations

import asyncio

import pytest

from tests.bots.program import Program, break_the_database
from tests.patience import PATIENCE
from tests.peers.endpoint import Endpoint, Fail, Reply, Stall

TWO_AGENTS = """
default_agent = "ada"
[agents.ada]
[agents.billing]
"""
LONG = " ".join(f"word{number}" for number in range(200))


@pytest.mark.usefixtures("never_ran")
async def test_without_a_key_the_banner_says_that_it_is_no_model(program: Program) -> None:
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("assistant · room main · ana")
        await terminal.shows("not a language model")
        await terminal.shows("OPENAI_API_KEY")


async def test_a_message_is_answered_and_ctrl_d_leaves(
    program: Program, endpoint: Endpoint
) -> None:
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("hello there\r")
        await terminal.shows("You said: hello there")
        await terminal.shows("Ctrl-D")
        terminal.type("\x04")
        assert await terminal.ended() == 0


async def test_who_comes_back_sees_what_was_said(program: Program) -> None:
    await program.run("ask", "assistant", "the deadline is March 15th")
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("you last spoke")
        await terminal.shows("the deadline is March 15th")
        await terminal.shows("Ctrl-D")


async def test_commands_are_obeyed(program: Program) -> None:
    (program.folder / "agents.toml").write_text(TWO_AGENTS)
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("ada · room main")
        terminal.type("/agents\r")
        await terminal.shows("billing")
        terminal.type("/use biling\r")
        await terminal.shows("did you mean 'billing'?")
        terminal.type("/use billing\r")
        await terminal.shows("billing · room main")
        terminal.type("/facts\r")
        await terminal.shows("I remember nothing here yet.")
        terminal.type("/reset\r")
        await terminal.shows("Nothing was said here yet.")
        terminal.type("/help\r")
        await terminal.shows("what the agent remembers here")
        terminal.type("/halp\r")
        await terminal.shows("did you mean '/help'")
        terminal.type("//help\r")
        await terminal.shows("Understood: /help.")
        terminal.type("/quit\r")
        assert await terminal.ended() == 0


async def test_the_demo_and_facts_and_reset_agree(program: Program) -> None:
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("Remember that our project deadline is March 15th\r")
        await terminal.shows("Noted: our project deadline is March 15th.")
        await terminal.shows("Ctrl-D")
        terminal.type("Anna owns the release\r")
        await terminal.shows("Understood: Anna owns the release.")
        await terminal.shows("Ctrl-D")
        terminal.type("/facts\r")
        known = await terminal.shows("Ctrl-D")
        assert "our project deadline is March 15th (ana, " in known
        assert "Anna" not in known
        terminal.type("/reset\r")
        await terminal.shows("Facts stay: /facts")
        await terminal.shows("Ctrl-D")
        terminal.type("Who owns the release?\r")
        await terminal.shows("I found nothing about that")
        await terminal.shows("Ctrl-D")
        terminal.type("What is our project deadline?\r")
        await terminal.shows("I have noted: our project deadline is March 15th")


async def test_use_lasts(program: Program) -> None:
    (program.folder / "agents.toml").write_text(TWO_AGENTS)
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("ada · room main")
        terminal.type("/use billing\r")
        await terminal.shows("billing · room main")
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("billing · room main")


async def test_ctrl_c_stops_the_answer_and_the_chat_goes_on(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(Reply(text=LONG, pause=0.1))
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("talk\r")
        await terminal.shows("word3")
        terminal.type("\x03")
        await terminal.shows("(stopped)")
        await terminal.shows("Ctrl-C again leaves")
        terminal.type("hello\r")
        await terminal.shows("You said: hello")


async def test_ctrl_c_twice_in_a_row_leaves(program: Program, endpoint: Endpoint) -> None:
    endpoint.script(Stall(after=1))
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("first\r")
        async with asyncio.timeout(PATIENCE):
            await endpoint.arrived()
        terminal.type("\x03")
        await terminal.shows("(stopped)")
        await terminal.shows("Ctrl-C again leaves")
        terminal.type("\x03")
        assert await terminal.ended() == 0


async def test_at_the_prompt_ctrl_c_clears_the_line_and_twice_leaves(program: Program) -> None:
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("half a line")
        await terminal.shows("half a line")
        terminal.type("\x03")
        await terminal.shows("Ctrl-C again leaves")
        terminal.type("\x03")
        assert await terminal.ended() == 0


async def test_killed_in_the_middle_it_answers_next_time_exactly_once(program: Program) -> None:
    await program.run("ask", "assistant", "Remember that our project deadline is March 15th")
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("What is our project deadline?\r")
        await terminal.shows("Earlier")
        await terminal.kill()
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("What is our project deadline?")
        await terminal.shows("answering what you asked before I was interrupted:")
        await terminal.shows("our project deadline is March 15th.")
        await terminal.shows("Ctrl-D")
    ended = await program.run("chat", typed="")
    assert (ended.out, ended.err) == ("", "")
    listed = await program.run("conversations")
    assert "\t4\t" in listed.out


async def test_what_is_typed_while_an_answer_grows_waits_for_the_prompt(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(Reply(text=" ".join(f"word{number}" for number in range(40)), pause=0.05))
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("talk\r")
        await terminal.shows("word3")
        terminal.type("a typo\x7f\x7f\x7f\x7fwhole line\rhalf")
        assert "typo" not in await terminal.shows("word39")
        await terminal.shows("You said: a whole line")
        await terminal.shows("half")
        terminal.type(" a line\r")
        await terminal.shows("You said: half a line")


async def test_a_failure_is_a_sentence_and_the_chat_goes_on(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(Fail(status=401, code="invalid_api_key"))
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("hello\r")
        await terminal.shows("is not accepted.")
        await terminal.shows("Ctrl-D")
        terminal.type("again\r")
        await terminal.shows("You said:")
    assert "Traceback" not in terminal.text


async def test_a_long_answer_is_printed_whole_on_a_small_screen(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(Reply(text="\n\n".join(f"line {n}." for n in range(60)), size=50))
    async with program.at_a_terminal("chat", rows=10, columns=40) as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("talk\r")
        await terminal.shows("line 59.")
        await terminal.shows("Ctrl-D")
    ended = await program.run("conversations")
    assert "\t2\t" in ended.out


async def test_control_sequences_of_a_model_do_not_reach_the_screen(
    program: Program, endpoint: Endpoint
) -> None:
    endpoint.script(Reply(text="before \x1b]0;owned\x07 &#27;]0;owned&#7; after"))
    async with program.at_a_terminal("chat") as terminal:
        await terminal.shows("Ctrl-D")
        terminal.type("hello\r")
        await terminal.shows("after")
        assert "\x1b]0;" not in terminal.raw


async def test_a_database_that_fails_is_a_sentence_and_the_chat_goes_on(program: Program) -> None:
    async with program.at_a_terminal("chat", columns=200) as terminal:
        await terminal.shows("Ctrl-D")
        break_the_database(program.folder)
        terminal.type("hello\r")
        await terminal.shows("The database refused a statement")
        await terminal.shows("What you said is kept and will be answered later.")
        await terminal.shows("Ctrl-D")
        terminal.type("\x04")
        assert await terminal.ended() == 0
        assert "Traceback" not in terminal.text
