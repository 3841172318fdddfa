"""The history as a prompt may show it: what each message costs, clipped and cut to fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from cachetools import LRUCache

from core.llm import PromptMessage, Role
from core.llm.tokens import BYTES_A_TOKEN, estimate, shortened
from storage.messages import View

IMAGE_TOKENS = 1_000  # what an image costs, about
_MOST_BYTES = 8_000_000  # of histories that are known by heart …
_BYTES_OF_ONE = 500  # … a message of which has so many beside its text
SHORTEST = 32  # tokens to which a message is clipped at the least


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message of the history, whole, and what it costs."""

    seq: int
    message: PromptMessage
    tokens: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", _cost(self.message))


def total(messages: Iterable[PromptMessage]) -> int:
    """What the messages cost, about."""
    return sum(map(_cost, messages))


def _cost(message: PromptMessage) -> int:
    """`native` is sent instead of the rest, where the model that wrote it goes on."""
    if not (message.tool_calls or message.native):
        return estimate(message.content) + IMAGE_TOKENS * len(message.images)
    calls = "".join(call.name + call.arguments for call in message.tool_calls)
    native = str(message.native.items) if message.native else ""
    return estimate(max(message.content + calls, native, key=len))


def clipped(message: PromptMessage, tokens: int) -> PromptMessage:
    """It, without its middle where it has more tokens."""
    if estimate(message.content) <= tokens:
        return message
    return replace(message, content=shortened(message.content, tokens))


def all_clipped(history: Sequence[Said], tokens: int) -> list[Said]:
    """It, with each message clipped to so many tokens."""
    return [
        said
        if estimate(said.message.content) <= tokens
        else replace(said, message=clipped(said.message, tokens))
        for said in history
    ]


def newest(history: Sequence[Said], room: int) -> list[Said]:
    """The newest that fit, the first of them a person's; none has more than a fourth of it."""
    short = all_clipped(history, max(room // 4, SHORTEST))
    begin = len(short)
    for index in range(len(short) - 1, -1, -1):
        room -= short[index].tokens
        if room < 0:
            break
        if short[index].message.role is Role.USER:
            begin = index
    return short[begin:]


def length_of(history: Sequence[Said]) -> int:
    """What its messages cost."""
    return sum(said.tokens for said in history)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A history as a turn saw it with such a budget; `view` tells what was read of it."""

    budget: int
    view: View
    said: Sequence[Said]


class Histories:
    """Those that turns of this process saw last: the next one reads only what was said since."""

    def __init__(self) -> None:
        self._seen = LRUCache[int, Seen](_MOST_BYTES, getsizeof=_bytes)

    def of(self, conversation_id: int, budget: int) -> Seen | None:
        """As it was seen with this budget."""
        seen = self._seen.get(conversation_id)
        return seen if seen and seen.budget == budget else None

    def keep(
        self, conversation_id: int, budget: int, view: View | None, said: Sequence[Said]
    ) -> None:
        """In place of what was seen before; without a `view` it is not known any more."""
        self._seen.pop(conversation_id, None)
        if view:
            with suppress(ValueError):  # larger than all that may be kept
                self._seen[conversation_id] = Seen(budget=budget, view=view, said=said)


def _bytes(seen: Seen) -> int:
    return int(length_of(seen.said) * BYTES_A_TOKEN) + _BYTES_OF_ONE * len(seen.said)
