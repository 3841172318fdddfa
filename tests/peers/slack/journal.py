"""The journal: every Web API call with what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.peers.slack.wire import Json


@dataclass(slots=True, kw_only=True)
class Entry:
    """`error` is Slack's word; `fault` what a test ordered; `is_committed`: it had its effect."""

    number: int
    at: float
    method: str
    arguments: Json
    status: int = 0  # HTTP; 0 where no answer went out
    error: str = ""
    fault: str = ""
    is_committed: bool = False
    answer: Json = field(default_factory=Json)


class Journal:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def open(self, at: float, method: str, arguments: Json) -> Entry:
        entry = Entry(number=len(self.entries) + 1, at=at, method=method, arguments=arguments)
        self.entries.append(entry)
        return entry

    def of(self, method: str = "") -> list[Entry]:
        return [entry for entry in self.entries if method in ("", entry.method)]
