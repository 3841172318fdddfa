"""Chat Completions: the API that every endpoint speaks, each in its own dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from core.llm import (
    Api,
    Finished,
    ModelRequest,
    Native,
    PromptCache,
    PromptMessage,
    Retracted,
    Role,
    TextDelta,
    TokenUsage,
    ToolCall,
    ToolSpec,
)
from core.llm.caching import fields, marked
from core.llm.events import Event
from core.llm.thinking import Speech
from core.llm.tool_calls import Calls, parsable
from core.llm.untrusted import content_of, list_of, mapping_of, storable_json, text_of
from core.llm.wire import StreamedAnswer, usage_of

_READ = {"role", "content", "tool_calls", "refusal"}


class Chat:
    """The wire."""

    api = Api.CHAT
    path = "/chat/completions"

    def body(self, model: str, request: ModelRequest) -> dict[str, Any]:
        """Only fields that every endpoint knows; the rest by request."""
        body: dict[str, Any] = {
            "model": model,
            "messages": _messages(request, model),
            "stream": True,
            "stream_options": {"include_usage": True},
            **fields(request),
        }
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.reasoning_effort:
            body["reasoning_effort"] = request.reasoning_effort
        if request.max_output:
            body["max_tokens"] = request.max_output
        return body

    def answer(self, *, thinks_first: bool) -> StreamedAnswer:
        """As Wire says."""
        return _StreamedChat(speech=Speech(thinks_first=thinks_first))


@dataclass(slots=True)
class _StreamedChat:
    speech: Speech
    calls: Calls = field(default_factory=Calls)
    finish_reason: str = ""
    is_ended: bool = False
    _usage: TokenUsage | None = None
    _refusal: str = ""
    _extra: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, *events: Event) -> Sequence[TextDelta | Retracted]:
        """Take in chunks, or the whole answer of an endpoint that does not stream.

        `[DONE]` and a count of tokens after text are an end as good as a finish reason. A whole
        message after its pieces only repeats them.
        """
        text, is_last = "", False
        for event in events:
            usage = usage_of(event.data.get("usage"))
            choices = list_of(event.data.get("choices"))
            for choice in choices:
                text += self._take(mapping_of(choice), is_first=not (text or self.speech))
            is_last = is_last or event.is_end or (usage is not None and not choices)
            self._usage = usage or self._usage
        shown = self.speech.add(text)
        has_said = bool(self.speech or self.calls)
        self.is_ended = self.is_ended or bool(self.finish_reason) or (is_last and has_said)
        return shown

    @property
    def was_retracted(self) -> bool:
        """As StreamedAnswer says."""
        return self.speech.was_retracted

    def finish(self) -> Sequence[TextDelta | Retracted]:
        """As StreamedAnswer says."""
        return self.speech.finish()

    def finished(self, model: str) -> Finished:
        """As StreamedAnswer says."""
        calls = self.calls.finished()
        refused = bool(self._refusal) and not calls
        return Finished(
            text=self.speech.text,
            model=model,
            tool_calls=calls,
            finish_reason="refusal" if refused else self.finish_reason or "stop",
            usage=self._usage or TokenUsage(),
            native=self._native(model, calls),
        )

    def _take(self, choice: Mapping[str, Any], *, is_first: bool) -> str:
        """The text in it."""
        if reason := choice.get("finish_reason"):
            self.finish_reason = text_of(reason) or self.finish_reason
        whole = choice.get("message") if is_first and not self.calls else None
        delta = mapping_of(choice.get("delta") or whole)
        for key, value in delta.items():
            if key not in _READ and value:
                self._extra[key] = _longer(self._extra.get(key), value)
        for piece in list_of(delta.get("tool_calls")):
            self.calls.add(piece)
        text = content_of(delta.get("content"))
        if refusal := text_of(delta.get("refusal")):
            self._refusal += refusal
            text += refusal
        return text

    def _native(self, model: str, calls: tuple[ToolCall, ...]) -> Native | None:
        """Only where there is something in it that nothing else here keeps."""
        unknown = self.calls.unknown_fields()
        if not calls or not (self._extra or any(unknown)):
            return None
        written = PromptMessage(role=Role.ASSISTANT, content=self.speech.text, tool_calls=calls)
        message = _assistant(written)
        message["tool_calls"] = [
            _merged(call, extra) for call, extra in zip(message["tool_calls"], unknown, strict=True)
        ]
        item = storable_json({**self._extra, **message})
        return Native(model=model, api=Api.CHAT, items=(item,))


def _longer(known: object, piece: object) -> object:
    """An unknown field of a delta grows as the known ones do: text by text, list by list."""
    if isinstance(known, str) and isinstance(piece, str):
        return known + piece
    if (before := list_of(known)) and (more := list_of(piece)):
        return [*before, *more]
    return piece


def _merged(known: dict[str, Any], extra: Mapping[str, object]) -> dict[str, Any]:
    function = {**mapping_of(extra.get("function")), **known["function"]}
    return {**extra, **known, "function": function}


def _messages(request: ModelRequest, model: str) -> Sequence[Mapping[str, object]]:
    written = [_message(each, model) for each in request.messages]
    if request.prompt_cache is not PromptCache.EXPLICIT:
        return written
    return list(map(marked, written, request.messages))


def _message(message: PromptMessage, model: str) -> Mapping[str, object]:
    native = message.native
    if native and (native.model, native.api) == (model, Api.CHAT):
        return native.items[0]
    match message.role:
        case Role.SYSTEM:
            return {"role": "system", "content": message.content}
        case Role.USER:
            return {"role": "user", "content": _content(message)}
        case Role.ASSISTANT:
            return _assistant(message)
        case Role.TOOL:
            return {
                "role": "tool",
                "content": message.content,
                "tool_call_id": message.tool_call_id or "",
            }
        case _:
            assert_never(message.role)


def _content(message: PromptMessage) -> str | list[dict[str, Any]]:
    """Parts only where there are images: many endpoints know nothing but text."""
    if not message.images:
        return message.content
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.content}]
    parts += [{"type": "image_url", "image_url": {"url": image}} for image in message.images]
    return parts


def _assistant(message: PromptMessage) -> dict[str, Any]:
    if not message.tool_calls:
        return {"role": "assistant", "content": message.content}
    return {
        "role": "assistant",
        "content": message.content or None,
        "tool_calls": [_tool_call(call) for call in message.tool_calls],
    }


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": parsable(call.arguments)},
    }


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }
