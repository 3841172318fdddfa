"""Discord's markup: what people write, as they read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

_MARK = re.compile(
    r"<(?:(?P<sign>@[!&]?|#)(?P<id>\d{1,20})"
    r"|a?(?P<emoji>:\w{1,64}:)\d{1,20}"
    r"|t:(?P<time>-?\d{1,12})(?::\w)?"
    r"|(?P<command>/[^<>:\n]{1,100}):\d{1,20})>"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 253_402_300_799  # seconds: the end of the year 9999


def without_mention(text: str, signs: Iterable[str]) -> str:
    """The text without these mentions, and without what set off the first of them."""
    mention = "|".join(re.escape(sign) for sign in signs)
    text = re.sub(rf"\A\s*(?:{mention})[ \t]*[:,]?\s*", "", text)
    return re.sub(rf"[ \t]*(?:{mention})", "", text).strip()


def plain(text: str, people: Mapping[int, str], places: Mapping[int, str]) -> str:
    """The text without markup. `people` are those and the roles that it mentions, by id.

    What has no name keeps its id.
    """
    return _MARK.sub(lambda found: _shown(found, people, places), text)


def _shown(found: re.Match[str], people: Mapping[int, str], places: Mapping[int, str]) -> str:
    if found["sign"]:
        names, number = (places if found["sign"] == "#" else people), int(found["id"])
        return f"{found['sign'][0]}{names.get(number) or number}"
    if found["time"]:
        return _moment(int(found["time"])) or found[0]
    return found["emoji"] or found["command"]


def _moment(seconds: int) -> str:
    """As everybody reads it; Discord shows it to each person in their own time."""
    if not 0 <= seconds <= _LATEST:
        return ""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"
