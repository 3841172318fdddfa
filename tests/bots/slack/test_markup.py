"""Plain text as Slack wants it, and Slack's text as people read it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bots.slack.markup import escaped, plain


@given(st.text("ab <>&@!#|;lt"))
def test_plain_text_is_shown_as_it_is_and_can_be_neither_mention_nor_link(text: str) -> None:
    assert not set("<>") & set(escaped(text))
    assert plain(escaped(text), {}) == text


def test_a_mention_that_somebody_typed_is_only_its_characters() -> None:
    assert escaped("<@U0ANNA> & <!here>") == "&lt;@U0ANNA&gt; &amp; &lt;!here&gt;"
