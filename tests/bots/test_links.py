"""Links lead where their words say, and pictures are fetched only by whoever presses them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bots.links import names_another, plain_links

PIECES = st.lists(
    st.sampled_from(
        [
            *("[", "]", "(", ")", "![", "](", "<", ">", "\\", '"', " ", "\n", "\n\n", ":"),
            *("`", "```", "~~~", "bank.example", "https://bank.example", "words", "[1]: "),
            *("https://evil.example/x", "&#46;", "[a](b)", "![c](d)", "> ", "- "),
        ]
    ),
    max_size=40,
).map("".join)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (
            "[https://bank.example](https://evil.example/x)",
            "https://bank.example (https://evil.example/x)",
        ),
        ("[bank.example](https://evil.example)", "bank.example (https://evil.example)"),
        ("[**bank**.example](https://evil.example)", "**bank**.example (https://evil.example)"),
        ("[bank&#46;example](https://e.example)", "bank&#46;example (https://e.example)"),
        ("[bank\u200b.example](https://e.example)", "bank\u200b.example (https://e.example)"),
        ("[bank。example](https://e.example)", "bank。example (https://e.example)"),
        ("[`bank.example`](https://e.example)", "`bank.example` (https://e.example)"),
        ("[[[bank.example]]](https://e.example)", "[[bank.example]] (https://e.example)"),
        ("[ok](https://e.example 'bank.example')", "ok (https://e.example)"),
        ("[bank.example](<https://e.example/a b>)", "bank.example (https://e.example/a b)"),
        ("[bank.example](https://e.example/a(b)", "bank.example (https://e.example/a(b)"),
        (
            "[bank.example](https://bank.example@e.example)",
            "bank.example (https://bank.example@e.example)",
        ),
        (
            "[bank.example](https://e.example\\@bank.example)",
            "bank.example (https://e.example\\@bank.example)",
        ),
        ("[x.example/good](https://x.example/bad)", "x.example/good (https://x.example/bad)"),
        ("[a@bank.example](mailto:a@e.example)", "a@bank.example (mailto:a@e.example)"),
        ("[10.0.0.1](https://e.example)", "10.0.0.1 (https://e.example)"),
        ("see [](https://e.example)", "see  (https://e.example)"),
        ("[a [bank](x) b](https://e.example)", "a [bank](x) b (https://e.example)"),
        (
            "[bank.example][1]\n\n[1]: https://e.example",
            "[bank.example][1]\n\n[1]  https://e.example",
        ),
        ("> - [1]: <https://e.example> 'x'", "> - [1]  <https://e.example> 'x'"),
    ],
)
def test_a_link_whose_words_name_another_address_is_spelled_out(text: str, made: str) -> None:
    assert plain_links(text) == made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("![a ship](https://e.example/a.png?q=1)", "[a ship](https://e.example/a.png?q=1)"),
        ("![](https://e.example/a.png)", " (https://e.example/a.png)"),
        (
            "[![ok](https://e.example/b)](https://f.example)",
            "[ok](https://e.example/b) (https://f.example)",
        ),
        ("wow! [a](https://e.example)", "wow! [a](https://e.example)"),
    ],
)
def test_a_picture_becomes_a_link(text: str, made: str) -> None:
    assert plain_links(text) == made


@pytest.mark.parametrize(
    "text",
    [
        "[the docs](https://docs.example/guide)",
        "[docs.example](https://www.docs.example/guide)",
        "[example.com](https://docs.example.com)",
        "[https://x.example/a](https://x.example/a/)",
        "[https://x.example/A_(b)](https://x.example/A_(b))",
        "[bob@here.com](mailto:bob@here.com)",
        "[e.g. this, 1.5 times](https://x.example)",
        "`[bank.example](https://e.example)` and ``![`x`](y)``",
        "```md\n![x](y)\n[bank.example](https://e.example)\n[1]: https://e.example\n```",
        "[Note]: this is no definition",
        "xs[0](y) \\[bank.example] https://e.example",
    ],
)
def test_what_is_honest_is_left_as_written(text: str) -> None:
    assert plain_links(text) == text


def test_a_tick_before_a_blank_line_opens_no_code() -> None:
    text = "`\n\n[bank.example](https://e.example) `"
    assert "](" not in plain_links(text)


@example("[](![c](d)")
@given(PIECES | st.text())
def test_a_text_grows_by_nothing_and_is_honest_once_and_for_all(text: str) -> None:
    once = plain_links(text)
    assert len(once) <= len(text)
    assert plain_links(once) == once


@pytest.mark.parametrize("piece", ["[", "](", "[](", "[a](", "`", "![x](y) ", "[1]:", "(", "> "])
def test_a_text_made_to_be_slow_is_read_at_once(piece: str) -> None:
    plain_links(piece * (24_000 // len(piece)))


def test_only_words_that_are_an_address_name_one() -> None:
    assert not names_another("Mr. Smith's v1.2 is 3.14", "https://e.example")
    assert names_another("go to WWW.Bank.Example now", "https://e.example")
