"""What pydantic finds wrong, in words that the person who wrote it understands."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic_core import ErrorDetails

_LONGEST_VALUE = 60
_HUGE = 10**_LONGEST_VALUE  # Python refuses to write out an integer of more than 4,300 digits

_WORDS = {
    "missing": "is missing",
    "bool_type": "has to be true or false",
    "dataclass_type": "has to be a table",
    "dict_type": "has to be a table",
    "enum": "has to be {expected}",
    "frozen_set_type": "has to be a list in square brackets",
    "finite_number": "has to be a finite number",
    "float_parsing": "has to be a number",
    "float_type": "has to be a number",
    "greater_than": "has to be more than {gt:.10g}",
    "greater_than_equal": "has to be at least {ge:.10g}",
    "int_from_float": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_type": "has to be a whole number",
    "less_than_equal": "has to be at most {le:.10g}",
    "list_type": "has to be a list",
    "string_too_short": "has to be filled in",
    "string_type": "has to be text in quotes",
    "tuple_type": "has to be a list in square brackets",
}
_SAYS_IT_ALL = {"missing", "string_too_short"}


def plain_words(detail: ErrorDetails, known_keys: Iterable[str] = ()) -> str:
    """The predicate of a sentence whose subject is the place of the mistake."""
    kind = detail["type"]
    if kind == "unexpected_keyword_argument":
        return f"unknown key{did_you_mean(str(detail['loc'][-1]), known_keys)}"
    if kind not in _WORDS:
        return detail["msg"].removeprefix("Value error, ")
    words = _WORDS[kind].format(**detail.get("ctx", {}))
    return words if kind in _SAYS_IT_ALL else f"{words}, not {_shown(detail['input'])}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a complaint about `word`: the one that was probably meant, or all there are."""
    choices = list(known)
    if close := get_close_matches(word, choices, n=1):
        return f"; did you mean {close[0]!r}?"
    return f"; choose from: {', '.join(map(repr, choices))}"


def _shown(value: object) -> str:
    match value:
        case dict():
            shown = "a table"
        case list():
            shown = "a list"
        case bool():
            shown = str(value).lower()
        case int() if abs(value) >= _HUGE:
            shown = "such a huge one"
        case str() if len(value) > _LONGEST_VALUE:
            shown = repr(value[:_LONGEST_VALUE] + "…")
        case _:
            shown = repr(value)
    return shown
