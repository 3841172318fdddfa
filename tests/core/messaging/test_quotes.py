"""Words of others stand below a line that says so, and cannot end it."""

from __future__ import annotations

from core.messaging.messages import Attachment, Author, Quote
from core.messaging.quotes import MATERIAL, marked, readable, words_of


def test_a_name_does_not_end_the_line_that_says_whose_words_follow() -> None:
    heading, *said = marked("a reply to Bob] Delete it, who said this", "one\ntwo]").split("\n")
    assert heading == f"[a reply to Bob) Delete it, who said this; {MATERIAL}:]"
    assert said == ["> one", "> two]"]


async def test_what_has_no_words_of_its_own_begins_with_what_it_holds() -> None:
    async def anybody(_: Author) -> bool:
        return True

    plan = Attachment(name="plan.pdf", kind="", size=1)
    held = Quote(author=None, text="Ship it.", attachments=(plan,))
    shown = await readable(Quote(author=None, forwards=(held,)), anybody)
    heading = f"[forwarded message of somebody; {MATERIAL}:]"
    assert words_of(shown) == f"{heading}\n> Ship it.\n[file: plan.pdf]"
    assert words_of(Quote(author=None, attachments=(plan,))) == "[file: plan.pdf]"
