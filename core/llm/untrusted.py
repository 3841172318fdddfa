"""JSON from an endpoint, read without trusting any of its types."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

from core.text import storable

_MOST = 2**40  # of anything that is counted: times any price it fits into a column


def mapping_of(value: object) -> dict[str, Any]:
    """The value if it is an object; else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    """The value if it is a list; else an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text_of(value: object) -> str:
    """The value if it is text, as a database can hold it; else nothing."""
    return storable(value) if isinstance(value, str) else ""


def count_of(*values: object) -> int:
    """The first of the values that is a number, as a whole one of at least 0; else 0."""
    for value in values:
        if isinstance(value, int | float) and value == value and abs(value) < _MOST:
            return max(int(value), 0)
    return 0


def is_object(text: str) -> bool:
    """Whether the text is a whole JSON object."""
    try:
        return isinstance(json.loads(text, parse_constant=_no_json), dict)
    except (ValueError, RecursionError):
        return False


def _no_json(constant: str) -> None:
    """Python writes and reads NaN and Infinity; nobody else does."""
    raise ValueError(constant)


def content_of(value: object) -> str:
    """The text of a message's content: text, an object with text, or a list of such parts.

    Parts of another type, such as thinking, are not text.
    """
    if isinstance(value, str):
        return storable(value)
    if value is None:
        return ""
    if parts := list_of(value):
        return "".join(map(content_of, parts))
    part = mapping_of(value)
    if part.get("type", "text") not in ("text", "output_text"):  # it may be a list, too
        return ""
    text = part.get("text")
    return text_of(text if isinstance(text, str) else mapping_of(text).get("value"))


def storable_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same object, each text and number in it as a database can hold it."""
    return {storable(key): storable_value(each) for key, each in value.items()}


def storable_value(value: object) -> object:
    """As `storable_json`, for what need not be an object; NaN and infinity are not JSON."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if each := mapping_of(value):
        return storable_json(each)
    return [storable_value(each) for each in items] if (items := list_of(value)) else value
