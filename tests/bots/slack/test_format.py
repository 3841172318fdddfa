"""What a model writes is shown, and pings nobody."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.format import fallback, harmless, shown
from tests.peers.slack import reading
from tests.peers.slack.wire import Json

PIECES = st.lists(
    st.sampled_from(
        [
            *("<", "!", "<!", "&lt;", "&#60;", "\\", "@", ">", "|", "^", " ", "\n", "`", "```"),
            *("channel", "here", "everyone", "subteam", "subteam^S0123", "HERE", "Channel"),
            *("<!here>", "<!channel|x>", "<!subteam^S1|@us>", "@everyone", "text", "&", ";"),
            *("&#33;", "&excl", "&amp;", "amp;lt;", "#64;", "&commat;", "\u202e", "](https://x.y)"),
            *("c&#104;annel", "here/maps", "<https://x.y|", "[z.y", "![", "&#x21"),
        ]
    ),
    max_size=40,
).map("".join)


def pings(text: str) -> bool:
    """Whether Slack, in any of its ways to read a text, could ping more than one person."""
    for _ in range(text.count("&") + 1):
        text = html.unescape(text)
    text = text.replace("\\", "")
    command = re.search(r"<!(channel|here|everyone)\b|<!subteam\b", text, re.IGNORECASE)
    word = re.search(r"@(channel|here|everyone)(?!\w|[./-]\w)", text, re.IGNORECASE)
    return bool(command or word) or bool(reading.pings(Json(text=text)))


@given(PIECES)
def test_nothing_pings(text: str) -> None:
    assert not pings(harmless(text))
    assert not pings(shown(text))
    assert not reading.pings(Json(text=fallback(text)))


@given(PIECES | st.text())
def test_being_harmless_makes_no_text_longer_and_happens_once(text: str) -> None:
    once = harmless(text)
    assert len(once) <= len(text)
    assert harmless(once) == once


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("hi <!channel>", "hi \uff20channel"),
        ("hi <!here|here> you", "hi \uff20here you"),
        ("<!subteam^S012|@sales>, look", "\uff20sales, look"),
        ("<!subteam^S012>", "\uff20group"),
        ("@everyone!", "\uff20everyone!"),
        ("<@U0ANNA>, see <!DOCTYPE html> and <!-- this -->", None),
        ("<!date^1392734382^{date}|then>", None),
        ("@heresy and a@b.example", None),
        ("npm i @here/maps-api && npm i `@channel-io/sdk`, bob@here.com", None),
        ("```\nnpm i @here/maps-api\nbob@here.com &amp; &lt;b&gt;\n```", None),
        ("<&#33;channel>", "\uff20channel"),
        ("<&excl;channel> <&#x21;here>", "\uff20channel \uff20here"),
        ("&lt!channel&gt", "\uff20channel"),
        ("&amp;amp;lt;!c&#104;annel|x&gt;.", "\uff20channel."),
        ("\\<\\!here\\>", "\\\uff20here"),
        ("&commat;everyone &#64;here", "\uff20everyone \uff20here"),
        ("<!chan\u202enel>", "\uff20channel"),
        ("<!subteam^S1|@a @here>", "\uff20a \uff20here"),
        ("<https://e.example|bank.example>", "bank.example (https://e.example)"),
        ("<https://e.example|the site>", None),
        ("[bank.example](https://e.example)", "bank.example (https://e.example)"),
        ("![a](https://e.example/a.png)", "[a](https://e.example/a.png)"),
        ("a\u202ebc\u2066d\u200fe", "abcde"),
    ],
)
def test_only_what_pings_is_changed(text: str, seen: str | None) -> None:
    assert harmless(text) == (seen or text)


@pytest.mark.parametrize("text", ["", " \n "])
def test_an_empty_text_is_shown_as_such(text: str) -> None:
    assert (shown(text), fallback(text)) == ("(empty)", "(empty)")


@given(st.text("a&<>;", max_size=9_000))
def test_the_plain_text_fits_an_edit_and_holds_no_commands(text: str) -> None:
    plain = fallback(text)
    assert len(plain) <= 3_000
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", plain)
