"""core/config/toml_lines.py: on which line something stands."""

from __future__ import annotations

import pytest

from core.config.toml import KeyPath, locate

TEXT = '''# a comment
top = 1

[table]
text = """
[[rows]]
top = 2
"""
dotted.key = {inline = [1, 2]}

[[rows]]
a = 1
[[rows]]
a = 2
[table.below]'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ((), 1),
        (("top",), 2),
        (("table",), 4),
        (("table", "text"), 5),
        (("table", "dotted", "key", "inline", 1), 9),
        (("rows", 0), 11),
        (("rows", 0, "a"), 12),
        (("rows", 1), 13),
        (("rows", 1, "a"), 14),
        (("table", "below"), 15),
    ],
)
def test_a_place_is_found_where_its_statement_begins(place: KeyPath, line: int) -> None:
    assert locate(TEXT, [place]) == [line]


@pytest.mark.parametrize(
    ("place", "line"),
    [(("gone",), 1), (("table", "gone"), 4), (("rows", 1, "b"), 13), (("top", "below"), 2)],
)
def test_what_is_not_there_is_found_as_far_as_it_is(place: KeyPath, line: int) -> None:
    assert locate(TEXT, [place]) == [line]
