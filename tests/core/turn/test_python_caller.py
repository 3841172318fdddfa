"""An answer that grows reaches the program that waits for it, piece by piece."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.address import Address
from core.messaging.messages import Outgoing
from core.turn.python_caller import CallerAdapter

GROWING = Outgoing(
    key="k1",
    address=Address.parse("python/main"),
    agent="Ada",
    text="",
    reply_to="q1",
    is_final=False,
)


@pytest.fixture
def adapter() -> CallerAdapter:
    return CallerAdapter("q1")


async def pieces(adapter: CallerAdapter, *texts: str, whole: str | None = None) -> list[str]:
    """What is yielded while the answer grows like this and is taken piece by piece."""
    taken: list[str] = []
    deltas = adapter.deltas()
    yielded = ""
    for text in texts:
        await adapter.post(replace(GROWING, text=text))
        if not yielded.startswith(text):
            taken.append(await anext(deltas))
        yielded = max(yielded, text, key=len)
    adapter.finish(whole)
    return [*taken, *[delta async for delta in deltas]]


async def test_growth_is_yielded_and_then_the_rest(adapter: CallerAdapter) -> None:
    assert await pieces(adapter, "One", "One two", whole="One two three") == [
        "One",
        " two",
        " three",
    ]


async def test_an_answer_that_was_not_seen_growing_comes_whole(adapter: CallerAdapter) -> None:
    assert await pieces(adapter, whole="All of it") == ["All of it"]


async def test_what_grew_without_being_taken_comes_in_one_piece(adapter: CallerAdapter) -> None:
    await adapter.post(replace(GROWING, text="One"))
    await adapter.edit("k1", replace(GROWING, text="One two"))
    assert await pieces(adapter, whole="One two") == ["One two"]


async def test_a_failure_ends_the_pieces_and_is_none(adapter: CallerAdapter) -> None:
    assert await pieces(adapter, "One") == ["One"]


async def test_an_answer_that_is_begun_anew_goes_on_where_it_agrees(
    adapter: CallerAdapter,
) -> None:
    assert await pieces(adapter, "One two", "One", whole="One two three") == [
        "One two",
        " three",
    ]


async def test_an_answer_that_is_begun_anew_with_other_words_is_a_paragraph_of_its_own(
    adapter: CallerAdapter,
) -> None:
    assert await pieces(adapter, "One two", "Uno dos") == ["One two", "\n\nUno dos"]


@pytest.mark.parametrize(
    "other",
    [
        replace(GROWING, text="x", reply_to="q2"),
        replace(GROWING, text="x", is_final=True),
        replace(GROWING, text="x", is_notice=True),
    ],
)
async def test_somebody_elses_answer_a_final_text_and_a_notice_are_not_growth(
    adapter: CallerAdapter, other: Outgoing
) -> None:
    await adapter.post(other)
    assert await pieces(adapter) == []


def test_a_program_that_only_waits_is_shown_no_growth() -> None:
    assert CallerAdapter().limits.seconds_between_edits is None
    assert CallerAdapter("q1").limits.seconds_between_edits == 0
