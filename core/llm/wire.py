"""What the two APIs have in common: a request's body, and an answer that grows event by event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from core.llm import Api, Finished, ModelRequest, Retracted, TextDelta, TokenUsage
from core.llm.events import Event
from core.llm.untrusted import count_of, mapping_of


class StreamedAnswer(Protocol):
    """Grows by events; nothing of an event is trusted."""

    @property
    def is_ended(self) -> bool:
        """Whether the endpoint has said that this is all."""
        ...

    @property
    def was_retracted(self) -> bool:
        """Whether what was shown turned out to be thinking that nothing had opened."""
        ...

    def add(self, *events: Event) -> Sequence[TextDelta | Retracted]:
        """Take events in that came together; what they add to the text that is shown."""
        ...

    def finish(self) -> Sequence[TextDelta | Retracted]:
        """What was held back; no event comes any more."""
        ...

    def finished(self, model: str) -> Finished:
        """The whole of an answer that has ended."""
        ...


class Wire(Protocol):
    """One of the two APIs."""

    @property
    def api(self) -> Api:
        """Which."""
        ...

    @property
    def path(self) -> str:
        """Where requests go, below the base URL."""
        ...

    def body(self, model: str, request: ModelRequest) -> dict[str, Any]:
        """The request as JSON."""
        ...

    def answer(self, *, thinks_first: bool) -> StreamedAnswer:
        """An empty answer; `thinks_first` as for `Speech`."""
        ...


def usage_of(given: object) -> TokenUsage | None:
    """The token counts, by whichever of their names; None if there are none."""
    if not given or not (usage := mapping_of(given)):
        return None
    details = mapping_of(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    return TokenUsage(
        input=count_of(usage.get("prompt_tokens"), usage.get("input_tokens")),
        cached=count_of(details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens")),
        written=count_of(
            details.get("cache_write_tokens"), usage.get("cache_creation_input_tokens")
        ),
        output=count_of(usage.get("completion_tokens"), usage.get("output_tokens")),
    )
