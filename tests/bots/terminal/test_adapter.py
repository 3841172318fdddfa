"""What was begun elsewhere, and what is asked for twice."""

from __future__ import annotations

import pytest

from bots.terminal.adapter import PipeAdapter, ScreenAdapter
from bots.terminal.pipe import STDOUT
from bots.terminal.screen import Screen
from core.address import Address
from core.messaging.messages import Outgoing

Captured = pytest.CaptureFixture[str]


def outgoing(text: str = "the answer", *, key: str = "k1", is_final: bool = True) -> Outgoing:
    """An answer to the question `q`."""
    address = Address(platform="terminal", parts=("main",))
    return Outgoing(
        key=key, address=address, agent="ada", text=text, reply_to="q", is_final=is_final
    )


async def _to_stdout(_: Outgoing) -> int:
    return STDOUT


def pipe() -> PipeAdapter:
    """A pipe that takes everything to stdout."""
    return PipeAdapter(_to_stdout, leave=lambda: None)


async def test_a_pipe_gets_the_whole_text_at_once(capfd: Captured) -> None:
    await pipe().post(outgoing("one\ntwo"))
    assert capfd.readouterr().out == "one\ntwo\n"


async def test_a_pipe_counts_what_was_begun_as_written_and_says_so(capfd: Captured) -> None:
    adapter = pipe()
    message_id = await adapter.find(outgoing())
    assert message_id
    await adapter.edit(message_id, outgoing())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "may have been shown already:\nthe answer\n" in captured.err


async def test_a_pipe_finishes_what_a_dead_screen_began(capfd: Captured) -> None:
    await pipe().edit("screen-00000000/1", outgoing())
    assert capfd.readouterr().out == "the answer\n"


async def test_a_receipt_that_was_lost_writes_nothing_twice(capfd: Captured) -> None:
    adapter = pipe()
    posted = await adapter.post(outgoing())
    found = await adapter.find(outgoing())
    assert found == posted
    await adapter.edit(posted, outgoing())
    captured = capfd.readouterr()
    assert captured.out == "the answer\n"
    assert captured.err == ""


async def test_a_screen_draws_anew_what_a_dead_one_began(capfd: Captured) -> None:
    adapter = ScreenAdapter(Screen())
    assert await adapter.find(outgoing()) is None
    message_id = await adapter.edit("screen-00000000/1", outgoing())
    assert message_id != "screen-00000000/1"
    out = capfd.readouterr().out
    assert "answering what you asked before I was interrupted:" in out
    assert out.count("the answer") == 1


async def test_a_screen_draws_a_finished_answer_once(capfd: Captured) -> None:
    adapter = ScreenAdapter(Screen())
    adapter.awaited = "q"
    message_id = await adapter.post(outgoing())
    assert await adapter.edit(message_id, outgoing()) == message_id
    assert await adapter.find(outgoing()) == message_id
    assert capfd.readouterr().out.count("the answer") == 1


async def test_an_answer_that_still_grows_is_not_yet_given(capfd: Captured) -> None:
    adapter = ScreenAdapter(Screen())
    await adapter.post(outgoing("the", is_final=False))
    assert not adapter.has_answered("q")
    await adapter.post(outgoing())
    assert adapter.has_answered("q")
    assert capfd.readouterr().out
