"""An answer put together from the chunks of a Chat Completions stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import (
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)

from core.llm import Finished, TokenUsage, ToolCall


@dataclass(slots=True)
class _Call:
    id: str | None
    name: str = ""
    arguments: str = ""

    def add(self, piece: ChoiceDeltaToolCallFunction | None) -> None:
        if piece:
            self.name = piece.name or self.name
            self.arguments += piece.arguments or ""

    def finished(self) -> ToolCall:
        """Endpoints that forget the id still need one to match the result to the call."""
        return ToolCall(
            id=self.id or f"call_{uuid4().hex}",
            name=_storable(self.name),
            arguments=_storable(self.arguments),
        )


@dataclass(slots=True)
class Answer:
    """Grows chunk by chunk. The SDK does not validate chunks: any field of one may be None."""

    text: str = ""
    finish_reason: str | None = None
    _usage: TokenUsage = field(default_factory=TokenUsage)
    _calls: list[_Call] = field(default_factory=list[_Call])
    _latest: dict[int | None, _Call] = field(default_factory=dict[int | None, _Call])

    def add(self, chunk: ChatCompletionChunk) -> str:
        """Take the chunk in; the text that it adds, which may be empty."""
        if chunk.usage:
            self._usage = _token_usage(chunk.usage)
        added = ""
        for choice in chunk.choices or ():
            self.finish_reason = choice.finish_reason or self.finish_reason
            added += self._take(choice.delta)
        self.text += added
        return added

    def finished(self, model: str) -> Finished:
        """The whole; only for an answer that has a finish reason."""
        return Finished(
            text=self.text,
            model=model,
            tool_calls=tuple(call.finished() for call in self._calls),
            finish_reason=self.finish_reason or "",
            usage=self._usage,
        )

    def _take(self, delta: ChoiceDelta | None) -> str:
        if delta is None:
            return ""
        self._take_calls(delta.tool_calls or ())
        return _storable(delta.content or "")

    def _take_calls(self, pieces: Iterable[ChoiceDeltaToolCall]) -> None:
        """Some endpoints give every call the index 0, or none at all: a new id is a new call."""
        for piece in pieces:
            call = self._latest.get(piece.index)
            if call is None or piece.id not in {None, "", call.id}:
                call = _Call(id=piece.id)
                self._latest[piece.index] = call
                self._calls.append(call)
            call.add(piece.function)


def _token_usage(usage: CompletionUsage) -> TokenUsage:
    details = usage.prompt_tokens_details
    return TokenUsage(
        input=usage.prompt_tokens or 0,
        cached=(details.cached_tokens or 0) if details else 0,
        output=usage.completion_tokens or 0,
    )


def _storable(text: str) -> str:
    """Without what a database refuses: NUL, and halves of characters that were cut apart."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
