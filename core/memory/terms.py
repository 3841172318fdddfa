"""Words as an index has them: each one with whose it is, so that no search leaves its scope."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

_BYTES = 5  # eight letters: two of a million words are one by chance in one of two million scopes


@dataclass(frozen=True, slots=True)
class Scope:
    """What was said to one agent in one place: a channel with its threads, or a private thread."""

    agent_id: int
    place: str

    def terms(self, words: Iterable[str], *, of_people: bool) -> list[str]:
        """Words that people said there, or that agents did."""
        whose = f"{self.agent_id} {'people' if of_people else 'agents'} {self.place}"
        return [_term(whose, word) for word in words]

    def asked(self, words: Sequence[Sequence[str]], *, of_people: bool) -> list[list[str]]:
        """As `terms`, for each word the forms that it may have."""
        return [self.terms(forms, of_people=of_people) for forms in words]


@lru_cache(maxsize=50_000)
def _term(whose: str, word: str) -> str:
    digest = blake2b(f"{whose}\0{word}".encode(), digest_size=_BYTES).digest()
    return b32encode(digest).decode().lower()
