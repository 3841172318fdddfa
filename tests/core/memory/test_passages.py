"""core/memory/passages.py: messages in passages, with context."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from core.memory.passages import LONGEST, Said, context, passages, split


def said(text: str, author: str = "Ana", *, is_person: bool = True) -> Said:
    at = datetime(2026, 3, 8, tzinfo=UTC)
    return Said(author=author, text=text, said_at=at, is_person=is_person)


def test_a_long_message_is_split_between_sentences() -> None:
    found = split("This is a sentence. " * 40)
    assert len(found) > 2
    assert all(passage.endswith("sentence.") and len(passage) <= LONGEST for passage in found)


@given(st.text(st.sampled_from("ab .!\n。"), min_size=1, max_size=3_000))
def test_nothing_of_a_message_is_in_no_passage(text: str) -> None:
    found = split(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(passage) <= LONGEST for passage in found)


def test_what_is_endless_has_so_many_passages() -> None:
    assert len(split("word " * 100_000)) == 500


def test_each_passage_has_its_date_and_speaker() -> None:
    (found,) = passages(said("Ships"), [])
    assert list(found.words) == ["08", "march", "2026", "ana", "ship"]


def test_a_short_message_has_two_short_ones_of_people_before_it() -> None:
    before = [said(text) for text in ("One", "Two", "Three")]
    (found,) = passages(said("Four", "Ben"), before)
    assert list(found.words)[4:] == ["ana", "two", "ana", "three", "four"]


def test_an_agents_or_a_long_message_ends_the_context() -> None:
    agent, long = said("Yes.", is_person=False), said("x" * 501)
    for between in (agent, long):
        assert context(said("Four"), [said("One"), between]) == []
    assert context(agent, [said("One")]) == []
    assert context(long, [said("One")]) == []
