"""Looks into raw bodies, of which nothing is known: what is not there is empty, no error."""

from __future__ import annotations

import re

_ID = re.compile(r"[A-Z0-9]{2,32}")


def at(body: object, *path: str | int) -> object:
    """What stands there in a raw body; None where there is no such place."""
    for step in path:
        if isinstance(body, dict) and isinstance(step, str):
            body = body.get(step)
        elif isinstance(body, list) and isinstance(step, int) and step < len(body):
            body = body[step]
        else:
            return None
    return body


def text_at(body: object, *path: str | int) -> str:
    """The string that stands there; empty where there is none."""
    found = at(body, *path)
    return found if isinstance(found, str) else ""


def id_at(body: object, *path: str | int) -> str:
    """The id of a workspace, channel or person that stands there; empty where there is none."""
    found = text_at(body, *path)
    return found if _ID.fullmatch(found) else ""


def items_at(body: object, *path: str | int) -> list[object]:
    """The list that stands there; empty where there is none."""
    found = at(body, *path)
    return found if isinstance(found, list) else []
