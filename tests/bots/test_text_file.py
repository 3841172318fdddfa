"""Code blocks and tables become files with harmless names."""

from __future__ import annotations

import pytest

from bots.text_file import as_file


def test_a_code_block_becomes_a_file_of_its_language() -> None:
    file = as_file("```python\nprint('`')\n\nprint(2)\n```", "k1")
    assert (file.name, file.content) == ("answer-k1.py", b"print('`')\n\nprint(2)\n")


@pytest.mark.parametrize(
    ("fence", "name"),
    [
        ("```", "answer-k1.txt"),
        ("~~~json", "answer-k1.json"),
        ("```../../etc/@channel <!here>", "answer-k1.etcchannel"),
        ("```c++ title=x", "answer-k1.c"),
    ],
)
def test_the_name_of_a_file_is_made_of_harmless_letters(fence: str, name: str) -> None:
    assert as_file(f"{fence}\ncode\n{fence[:3]}", "k1").name == name


def test_a_table_becomes_a_file_for_a_spreadsheet() -> None:
    file = as_file('| a | b |\n|---|:-:|\n| 1 | x \\| "y", z |\n|2|', "k1")
    assert (file.name, file.content) == ("answer-k1.csv", b'a,b\n1,"x | ""y"", z"\n2\n')


def test_no_cell_is_a_formula_that_fetches_an_address_by_itself() -> None:
    file = as_file('|a|\n|-|\n|=WEBSERVICE("https://e.example")|\n|@x|\n|-1.5|\n|+2 %|\n|-x|', "k1")
    cells = ["a", '"\'=WEBSERVICE(""https://e.example"")"', "'@x", "-1.5", "+2 %", "'-x"]
    assert file.content.decode().splitlines() == cells


@pytest.mark.parametrize("hidden", ["\u200e", "\u200b", "\ufeff", "\u2067 "])
def test_what_cannot_be_seen_hides_no_formula(hidden: str) -> None:
    file = as_file(f"|{hidden}=1+1|\n|-|\n|{hidden}\uff1d1+1|", "k1")
    assert [line[0] for line in file.content.decode().splitlines()] == ["'", "'"]


@pytest.mark.parametrize("language", ["csv", "TSV", "slk"])
def test_code_is_no_file_that_a_spreadsheet_computes(language: str) -> None:
    assert as_file(f"```{language}\n=1+1\n```", "k1").name == "answer-k1.txt"


@pytest.mark.parametrize("text", ["```\ncode\n```\nwords\n|a|\n|-|", "|a|\n|-|\n\nwords", "words"])
def test_of_what_is_not_one_block_nothing_is_left_out(text: str) -> None:
    file = as_file(text, "k1")
    assert (file.name, file.content.decode()) == ("answer-k1.md", f"{text}\n")


@pytest.mark.parametrize("margin", ["    ", "> ", ">   "])
def test_a_table_below_a_list_item_or_in_a_quotation_is_one(margin: str) -> None:
    text = "\n".join(f"{margin}{line}" for line in ("| a |", "|---|", "| 1 |"))
    assert as_file(text, "k1").content == b"a\n1\n"


def test_a_file_reads_as_it_is_written() -> None:
    assert as_file("```\na\u202eb\u2066c\n```", "k1").content == b"abc\n"
