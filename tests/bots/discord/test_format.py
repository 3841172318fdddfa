"""The Markdown of a model as Discord shows it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord.format import LONGEST, byline, render, sanitized

PIECES = st.lists(
    st.sampled_from(
        [
            *("@", "everyone", "here", "<@&", "12", ">", "`", "```", "~~~", "~~~py", "\n", " "),
            *("|", "|a|b|\n", "|-|-|\n", "| 1 | 2 |\n", "#### ", "x", "**", "\n\n", "—" * 200),
        ]
    ),
    max_size=60,
).map("".join)

TABLE = "| Port | Depth |\n|---|--:|\n| Kiel | **12** m |\n| 東京 | `7` m |"
DRAWN = "```\nPort  Depth\n────  ─────\nKiel  12 m\n東京  7 m\n```"


@given(PIECES)
def test_whatever_a_model_writes_fits_one_message_and_pings_nobody(text: str) -> None:
    made = render(text[:1_900], "Ada")
    assert made.removeprefix("-# Ada").strip()
    assert len(made) <= LONGEST
    assert not re.search(r"@(everyone|here)(?!\w|[./-]\w)", made)


@given(PIECES)
def test_a_sanitized_text_is_never_longer(text: str) -> None:
    assert len(sanitized(text)) <= len(text)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("@everyone", "\uff20everyone"),
        ("x@HERE!", "x\uff20HERE!"),
        ("<@&123456789012345678>", "\uff20role"),
        ("<@123456789012345678>", "<@123456789012345678>"),
        ("anna@command_server.example", "anna@command_server.example"),
        ("`npm i @here/maps-api` @here-maps", "`npm i @here/maps-api` @here-maps"),
        ("bob@here.com @hereby @here.", "bob@here.com @hereby \uff20here."),
        ("`@hereditary_dataclass` @EveryoneAllowed", "`@hereditary_dataclass` @EveryoneAllowed"),
        ("@every\u202eone", "\uff20everyone"),
        ("a\u202ebc\u2066d\u200fe", "abcde"),
        ("[bank.example](https://e.example)", "bank.example (https://e.example)"),
        ("![a](https://e.example/a.png)", "[a](https://e.example/a.png)"),
    ],
)
def test_everybody_and_roles_are_named_without_a_ping(text: str, made: str) -> None:
    assert sanitized(text) == made


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_answer_is_never_empty(text: str) -> None:
    assert render(text, None) == "(empty)"


def test_the_name_stands_small_above_the_answer() -> None:
    assert render("Hello", "Ada") == "-# Ada\nHello"


def test_a_name_is_one_short_line_that_pings_nobody() -> None:
    assert byline("Ada\n@everyone " + "x" * 200) == f"-# Ada \uff20everyone {'x' * 66}"


def test_a_table_is_drawn_with_its_columns_below_each_other() -> None:
    assert render(f"Here:\n\n{TABLE}\n\nDone.", None) == f"Here:\n\n{DRAWN}\n\nDone."


def test_a_table_without_outer_bars_and_with_short_rows_is_drawn() -> None:
    assert render("a | b\n-|-\n1", None) == "```\na  b\n─  ─\n```\n1"
    assert render("a | b\n-|-\n1 |", None) == "```\na  b\n─  ─\n1\n```"


def test_a_table_in_a_code_block_stays_as_it_is() -> None:
    text = f"```\n{TABLE}\n#### x\n```"
    assert render(text, None) == text


def test_a_table_in_a_code_block_in_a_list_stays_as_it_is() -> None:
    indented = "".join(f"    {line}\n" for line in TABLE.splitlines())
    text = f"1. Do:\n\n    ```\n{indented}    ```"
    assert render(text, None) == text


def test_a_table_that_grows_too_wide_is_drawn_narrower() -> None:
    rows = "".join(f"| {number} | y |\n" for number in range(150))
    text = f"| a | {'b' * 40} |\n|---|---|\n{rows}| {'c' * 60} | d |"
    made = render(text, None)
    assert made.startswith(f"```\na | {'b' * 40}\n0 | y\n")
    assert len(made) <= LONGEST


def test_a_table_that_cannot_be_drawn_stays_as_it_is() -> None:
    text = "|a|b|\n|-|-|\n\n" * 145
    assert render(text, None) == text.strip()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("### x", "### x"),
        ("#### Deep water", "**Deep water**"),
        ("###### **Deep** water ##", "**Deep water**"),
        ("####x", "####x"),
    ],
)
def test_a_heading_that_discord_does_not_know_is_bold(text: str, made: str) -> None:
    assert render(f"before\n{text}\nafter", None) == f"before\n{made}\nafter"


def test_a_code_block_that_is_still_growing_is_closed() -> None:
    assert render("Look:\n```python\nprint(", None) == "Look:\n```python\nprint(\n```"


def test_a_code_block_of_tildes_is_one_of_backticks() -> None:
    assert render("~~~python\nx = 1\n~~~\nafter", None) == "```python\nx = 1\n```\nafter"


def test_tildes_around_backticks_stay() -> None:
    text = "~~~\n```\n~~~"
    assert render(text, None) == text


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("- one\n  ~~~py\n  x\n  ~~~", "- one\n  ```py\n  x\n  ```"),
        ("> ~~~\n> x", "> ```\n> x\n> ```"),
        ("> #### Four", "> **Four**"),
        ("> | a | b |\n> |---|---|\n> | 1 | 2 |", "```\na  b\n─  ─\n1  2\n```"),
    ],
)
def test_blocks_in_lists_and_quotations_are_drawn(text: str, made: str) -> None:
    assert render(text, None) == made
