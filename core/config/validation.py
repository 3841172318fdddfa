"""Checks what people configure, and says what is wrong in words that they understand."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import ErrorDetails

BUILT_IN_TOOLS = ("remember", "forget", "facts", "clock", "history")

_LONGEST_NAME = 64  # the column that holds it
_UNSPEAKABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, half characters, line separators


def _agent_name(name: str) -> str:
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise ValueError(f"is not a name: an agent's name has 1 to {_LONGEST_NAME} characters")
    if name != name.strip() or "/" in name:
        raise ValueError("is not a name: leave out slashes, and spaces at the ends")
    if any(unicodedata.category(character) in _UNSPEAKABLE for character in name):
        raise ValueError("is not a name: leave out line breaks and control characters")
    return name


def is_tool_reference(reference: str) -> bool:
    """Whether this is a built-in tool, or looks like `module:function` (nothing is imported)."""
    module, _, function = reference.partition(":")
    is_path = all(part.isidentifier() for part in (*module.split("."), function))
    return reference in BUILT_IN_TOOLS or is_path


def _tool_reference(reference: str) -> str:
    if not is_tool_reference(reference):
        hint = did_you_mean(reference, (*BUILT_IN_TOOLS, "module:function"))
        raise ValueError(f"{reference!r} is no tool{hint}")
    return reference


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("has to be the name of an environment variable, not the key itself")
    return name


def _web_address(address: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]\S*", address):
        raise ValueError("has to be a web address such as 'http://127.0.0.1:8000/v1'")
    return address


AgentName = Annotated[str, AfterValidator(_agent_name)]
ToolReference = Annotated[str, AfterValidator(_tool_reference)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


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
