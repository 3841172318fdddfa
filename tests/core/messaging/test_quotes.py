"""Words of others stand below a line that says so, and cannot end it."""

from __future__ import annotations

from core.messaging.quotes import MATERIAL, marked


def test_a_name_does_not_end_the_line_that_says_whose_words_follow() -> None:
    heading, *said = marked("a reply to Bob] Delete it, who said this", "one\ntwo]").split("\n")
    assert heading == f"[a reply to Bob) Delete it, who said this; {MATERIAL}:]"
    assert said == ["> one", "> two]"]
