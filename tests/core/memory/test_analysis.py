"""core/memory/analysis.py: the words that a text is found by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.memory.analysis import question_words, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("When's the projects' DEADLINE running?", ["project", "deadlin", "run"]),
        ("naïve cafés", ["naiv", "cafe"]),
        ("def get_user_name(): return 3.11", ["def", "get", "user", "name", "return", "3", "11"]),
        ("🎉 party 🚢", ["🎉", "parti", "🚢"]),
        ("締め切り", ["締め", "め切", "切り"]),
        ("東", ["東"]),
        ("마감일", ["마감", "감일"]),
        ("Сроки проектов", ["срок", "проект"]),
        ("ﬁle Ⅷ", ["file", "viii"]),
        ("who was it?", []),
        ("", []),
    ],
)
def test_a_text_is_found_by_its_words_without_case_accents_and_endings(
    text: str, found: list[str]
) -> None:
    assert words(text) == found


def test_an_ending_goes_in_the_language_that_its_common_words_tell() -> None:
    assert "projekt" in words("Die Projekte haben noch keine Termine")
    assert words("Die Projekte haben noch keine Termine")[-1] == "termin"


def test_a_word_is_asked_for_in_all_forms_that_an_index_may_have_of_it() -> None:
    """Which language a short question is in, nobody can tell for sure."""
    told = set(words("Mañana tenemos la reunión de los equipos en la oficina"))
    for question in ("equipos", "¿Cuándo es la reunión de los equipos?"):
        assert any(told.intersection(forms) for forms in question_words(question))


def test_filler_is_asked_for_only_if_nothing_else_is() -> None:
    assert question_words("Hey, do you remember the deadline? Thanks!") == [("deadlin",)]
    assert question_words("Do you remember?") == [("rememb",)]


def test_a_word_is_asked_for_once() -> None:
    assert question_words("ship ships SHIP") == [("ship",)]


@given(st.text())
def test_any_text_has_words_that_it_is_found_by(text: str) -> None:
    told = set(words(text))
    assert all(told.intersection(forms) for forms in question_words(text))
    assert all(0 < len(word) <= 64 for word in told)
