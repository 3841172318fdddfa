"""The journal: every REST call with what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.peers.discord.wire import Json


@dataclass(slots=True, kw_only=True)
class Entry:
    """`fault`: what a test ordered; `is_committed`: it had its effect."""

    number: int
    at: float
    label: str
    method: str
    path: str  # below /api/v10
    parameters: dict[str, str] = field(default_factory=dict)  # from the path and the query
    body: Json = field(default_factory=Json)
    status: int = 0  # HTTP; 0 where no answer went out
    code: int = 0  # of the JSON error
    fault: str = ""
    is_committed: bool = False


class Journal:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def open(self, at: float, label: str, method: str, path: str) -> Entry:
        number = len(self.entries) + 1
        entry = Entry(number=number, at=at, label=label, method=method, path=path)
        self.entries.append(entry)
        return entry

    def of(self, label: str = "") -> list[Entry]:
        return [entry for entry in self.entries if label in ("", entry.label)]
