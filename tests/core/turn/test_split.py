"""An answer that is too long for one message becomes several, each readable by itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.turn.split import parts

LIMITS = st.integers(min_value=100, max_value=300)
LONGER = {"min_size": 301, "max_size": 3_000}  # than any limit
PROSE = st.text("ab |-*`~ \n", **LONGER)
FENCED = st.lists(
    st.one_of(
        st.text("abc |", max_size=150),
        st.text("x", min_size=290, max_size=900),
        st.sampled_from(["```", "```python", "~~~", "````", "  ```", "```a`b", "```" + "i" * 200]),
    ),
    max_size=40,
).map("\n".join)


def without_fences(text: str) -> str:
    """What stays when lines that open or close code, and all white space, are left out."""
    return re.sub(r"\s", "", re.sub(r"(?m)^ {0,3}(```|~~~).*$", "", text))


def ends_in_code(text: str) -> bool:
    """Whether a code fence is open at the end, as CommonMark reads it."""
    fence = ""
    for line in text.split("\n"):
        if found := re.match(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$", line):
            if not fence:
                fence = found[1]
            elif found[1].startswith(fence) and not found[2].strip():
                fence = ""
    return bool(fence)


@given(PROSE | FENCED, LIMITS)
def test_no_part_is_over_the_limit(text: str, limit: int) -> None:
    assert max(map(len, parts(text, limit))) <= limit


@given(st.text("ab |*", **LONGER), st.lists(st.integers(0, 3_000), max_size=60), LIMITS)
def test_nothing_of_a_text_is_lost(words: str, breaks: list[int], limit: int) -> None:
    text = words
    for at in breaks:
        text = f"{text[:at]}\n{text[at:]}"
    found = parts(text, limit)
    assert len(found) > 1
    assert "".join(found).replace("\n", "") == words


@given(st.lists(st.text("abc", max_size=20), max_size=60).map("\n".join), LIMITS)
def test_nothing_of_code_is_lost(code: str, limit: int) -> None:
    text = f"```python\n{code}\n```"
    assert without_fences("\n".join(parts(text, limit))) == without_fences(text)


@given(FENCED, LIMITS)
def test_every_part_but_the_last_closes_the_code_it_opens(text: str, limit: int) -> None:
    assert not any(map(ends_in_code, parts(text, limit)[:-1]))


@given(FENCED, LIMITS)
def test_the_last_part_is_in_code_only_if_the_whole_is(text: str, limit: int) -> None:
    assert ends_in_code(parts(text, limit)[-1]) == ends_in_code(text)


def test_a_text_that_fits_is_one_part() -> None:
    assert parts("all\nof\nit", 100) == ["all\nof\nit"]


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("x" * 100, [100]),
        ("x" * 101, [100, 1]),
        ("\n".join(["a" * 49, "", "b" * 49, "", "c" * 99]), [100, 99]),
        ("\n".join(["a" * 50, "", "b" * 49, "", "c" * 99]), [50, 49, 99]),
        ("\n".join(["- a" * 33, "- " + "b" * 98]), [99, 100]),
        ("\n".join(["```", *["x" * 30] * 3, "```", "y"]), [100, 1]),
        ("\n".join(["```", *["x" * 30] * 2, "x" * 31, "```"]), [69, 39]),
        ("\n".join(["|a|", "|-|", "|" * 92, "y"]), [100, 1]),
    ],
)
def test_a_part_may_be_as_long_as_the_limit_and_no_longer(text: str, lengths: list[int]) -> None:
    assert [len(part) for part in parts(text, 100)] == lengths


def test_an_empty_text_is_one_part() -> None:
    assert parts("", 100) == [""]


def test_code_goes_on_as_code_of_the_same_language() -> None:
    code = "\n".join(["```python", *["x = 1"] * 30, "```"])
    first, second = parts(code, 120)[:2]
    assert first.endswith("\nx = 1\n```")
    assert second.startswith("```python\nx = 1\n")


def test_the_rows_of_a_table_stay_whole() -> None:
    rows = [f"| row {number} | {'x' * 20} |" for number in range(30)]
    together = "\n".join(parts("\n".join(rows), 120))
    assert together.split("\n") == rows


def test_a_line_with_backticks_in_it_opens_no_code() -> None:
    text = "\n".join(["```not a fence``` but words", *["words " * 10] * 5])
    assert all("\n```" not in part for part in parts(text, 150))


@pytest.mark.parametrize("limit", [100, 1_000, 4_000])
def test_one_endless_line_is_cut(limit: int) -> None:
    assert "".join(parts("x" * 10_000, limit)) == "x" * 10_000


ITEMS = st.lists(
    st.lists(st.text("abc ", min_size=1, max_size=30), min_size=1, max_size=3),
    min_size=1,
    max_size=30,
).map(lambda items: "\n".join("- x" + "\n  y".join(lines) for lines in items))


@given(ITEMS, LIMITS)
def test_a_list_is_cut_between_its_items(text: str, limit: int) -> None:
    assert all(part.startswith("- ") for part in parts(text, limit))


@given(st.lists(st.text("abc", min_size=1, max_size=20), min_size=1, max_size=60), LIMITS)
def test_a_table_that_is_cut_begins_again_with_its_head(rows: list[str], limit: int) -> None:
    head = "| a | b |\n|---|:-:|"
    text = "\n".join([head, *(f"| {row} | 1 |" for row in rows)])
    found = parts(text, limit)
    assert all(part.startswith(f"{head}\n| ") for part in found)
    bodies = [part.removeprefix(f"{head}\n") for part in found]
    assert "\n".join([head, *bodies]) == text


@pytest.mark.parametrize(
    "block",
    [
        "```python\nx = 1\ny = 2\n```",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |",
        "- one\n  and more\n  of it",
        "A paragraph of\ntwo lines.",
    ],
)
def test_what_fits_into_a_part_is_not_cut(block: str) -> None:
    text = "\n\n".join([block] * 10)
    assert all(part.split("\n\n") == [block] * (part.count(block)) for part in parts(text, 100))


def test_between_words_a_long_line_is_cut_after_a_space() -> None:
    found = parts("word " * 100, 120)
    assert all(part.replace("word ", "") == "" for part in found)


@given(FENCED, LIMITS)
def test_with_files_only_whole_blocks_are_over_the_limit(text: str, limit: int) -> None:
    first, *others = parts(text, limit, with_files=True)
    assert len(first) <= limit
    assert all(
        len(part) <= limit or re.match(r" {0,3}(```|~~~)(?s:.*)(```|~~~)\Z", part)
        for part in others
    )


def test_with_files_code_that_is_too_long_is_one_part_as_it_was_written() -> None:
    code = "\n".join(["```", "y" * 400, *["x = 1"] * 30, "```"])
    found = parts(f"Before\n\n{code}\nAfter", 120, with_files=True)
    assert found == ["Before", code, "After"]


def test_with_files_a_table_that_is_too_long_is_one_part() -> None:
    table = "\n".join(["| a | b |", "|---|---|", *["| 1 | 2 |"] * 30])
    assert parts(f"{table}\n\nAfter", 120, with_files=True)[1:] == [table, "After"]


def test_with_files_the_lines_of_words_stay_lines() -> None:
    words = "One\n\nTwo\n- three\n- four\n\n```\nx = 1\n```"
    code = "\n".join(["```", *["x = 1"] * 30, "```"])
    assert parts(f"{words}\n{code}\n\n{words}", 120, with_files=True) == [words, code, words]


def test_only_what_is_longer_than_a_message_is_a_file() -> None:
    fits, is_longer = (f"```\n{'x' * length}\n```" for length in (92, 93))
    assert parts(f"{fits}\n{fits}", 100, with_files=True) == [fits, fits]
    assert parts(is_longer, 100, with_files=True) == [
        "(The whole is in the file below.)",
        is_longer,
    ]


def test_the_first_part_is_never_a_file() -> None:
    code = "\n".join(["```", *["x = 1"] * 30, "```"])
    assert parts(code, 120, with_files=True) == ["(The whole is in the file below.)", code]


@pytest.mark.parametrize("text", ["\n" * 500, "```\n" + "\n" * 500])
def test_even_of_nothing_there_is_one_part(text: str) -> None:
    assert len(parts(text, 100)) >= 1


@given(st.text("ab |-\n", min_size=400, max_size=900), st.integers(200, 400), st.data())
def test_no_part_but_the_last_ends_with_a_heading(
    text: str, limit: int, data: st.DataObject
) -> None:
    lines = text.split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        heading = data.draw(st.sampled_from(["# One", "### Two ", "**Three**", "**Four**:"]))
        lines.insert(data.draw(st.integers(0, len(lines))), heading)
    for part in parts("\n".join(lines), limit)[:-1]:
        last = part.rstrip().rsplit("\n", 1)[-1]
        assert not re.match(r"#{1,6} |\*\*(Three|Four)\*\*", last)


def test_a_heading_stands_above_the_beginning_of_a_paragraph_that_is_cut() -> None:
    found = parts(f"{'a' * 60}\n\n## B\n\n{'b ' * 150}", 100)
    assert found[0] == "a" * 60
    assert found[1].startswith("## B\n\nb b")
    assert len(found[1]) > 90


@pytest.mark.parametrize(
    "character", ["👨‍👩‍👧‍👦", "🇩🇪", "e\N{COMBINING ACUTE ACCENT}", "👍🏽", "한"]
)
def test_no_character_as_people_see_it_is_cut_in_two(character: str) -> None:
    texts = [f"{'.' * before}{character * 90}" for before in range(12)]
    found = [parts(text, 100) for text in texts]
    assert ["".join(each) for each in found] == texts
    seen = [part.lstrip(".") for each in found for part in each]
    assert [part for part in seen if part != character * part.count(character)] == []


def test_a_character_that_is_longer_than_a_part_is_cut_all_the_same() -> None:
    text = "a" + "\N{COMBINING ACUTE ACCENT}" * 250
    assert "".join(parts(text, 100)) == text


def test_of_too_many_parts_the_first_stays_and_the_whole_becomes_a_file() -> None:
    text = "\n".join(["# All", "````", "code", "````", *["word " * 30] * 3])
    first, whole = parts(text, 100, with_files=True, most=4)
    assert first.startswith("# All\n````\ncode\n````")
    assert first.endswith("\n\n(The whole is in the file below.)")
    assert len(first) <= 100
    assert whole == f"`````markdown\n{text}\n`````"
    assert len(parts(text, 100, with_files=True, most=9)) > 4


def test_code_in_a_list_goes_on_as_code_of_its_own() -> None:
    text = "- Run this:\n\n    ```sh\n" + "    echo 1\n" * 30 + "    ```\n- Then that."
    first, *others = parts(text, 200)
    assert first == "- Run this:"
    assert all(each.startswith("   ```sh\n    echo 1\n") for each in others)
    assert all(each.endswith("    echo 1\n   ```") for each in others[:-1])
    assert others[-1].endswith("    echo 1\n   ```\n- Then that.")


def test_of_code_in_a_list_that_is_never_closed_each_line_is_there_once() -> None:
    lines = [f"    echo {number}" for number in range(60)]
    found = parts("\n".join(["- Run this:", "", "    ```sh", *lines]), 200)
    assert [line for part in found for line in part.split("\n") if "echo" in line] == lines


def test_code_in_a_quotation_goes_on_in_one() -> None:
    text = "> ```py\n" + "> x = 1\n" * 40 + "> ```"
    found = parts(text, 200)
    assert len(found) > 1
    assert all(each.startswith("> ```py\n> x = 1\n") for each in found)
    assert all(each.endswith("> x = 1\n> ```") for each in found)
