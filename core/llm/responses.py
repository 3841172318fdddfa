"""The Responses API, stateless: the whole input each time, and nothing kept by the endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
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

_TEXTS = {"response.output_text.delta", "response.refusal.delta"}
_ENDS = {"response.completed", "response.incomplete"}
_KNOWN = {  # of each item, what is kept without it
    "message": {"id", "type", "status", "role", "content"},
    "function_call": {"id", "type", "status", "call_id", "name", "arguments"},
}
_REASONS = {"max_output_tokens": "length", "max_tokens": "length"}


class Responses:
    """The wire."""

    api = Api.RESPONSES
    path = "/responses"

    def body(self, model: str, request: ModelRequest) -> dict[str, Any]:
        """Reasoning comes back encrypted, since the endpoint is not to keep it."""
        body: dict[str, Any] = {
            "model": model,
            "input": _input(request, model),
            "stream": True,
            "store": False,
            "include": ["reasoning.encrypted_content"],
            **fields(request),
        }
        if told := _instructions(request):
            body["instructions"] = told
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.reasoning_effort:
            body["reasoning"] = {"effort": request.reasoning_effort}
        if request.max_output:
            body["max_output_tokens"] = request.max_output
        return body

    def answer(self, *, thinks_first: bool) -> StreamedAnswer:
        """As Wire says."""
        return _Response(speech=Speech(thinks_first=thinks_first))


@dataclass(slots=True)
class _Response:
    speech: Speech
    finish_reason: str = ""
    is_ended: bool = False
    _usage: TokenUsage | None = None
    _items: dict[int, Mapping[str, Any]] = field(default_factory=dict[int, Mapping[str, Any]])
    _speaker: object = None
    _has_spoken: bool = False
    _has_refused: bool = False

    def add(self, *events: Event) -> Sequence[TextDelta | Retracted]:
        """Take in typed events, or the whole response of an endpoint that does not stream."""
        return self.speech.add("".join(map(self._take, events)))

    @property
    def was_retracted(self) -> bool:
        """As StreamedAnswer says."""
        return self.speech.was_retracted

    def finish(self) -> Sequence[TextDelta | Retracted]:
        """As StreamedAnswer says."""
        return self.speech.finish()

    def finished(self, model: str) -> Finished:
        """As StreamedAnswer says."""
        items = [item for _, item in self._in_order()]
        calls = Calls()
        for item in items:
            if item.get("type") == "function_call":
                calls.add({"id": item.get("call_id") or item.get("id"), "function": item})
        found = calls.finished()
        return Finished(
            text=self.speech.text,
            model=model,
            tool_calls=found,
            finish_reason=self._reason(is_calling=bool(found)),
            usage=self._usage or TokenUsage(),
            native=_native(model, items, found),
        )

    def _reason(self, *, is_calling: bool) -> str:
        if self.finish_reason:
            return self.finish_reason
        if is_calling:
            return "tool_calls"
        return "refusal" if self._has_refused else "stop"

    def _take(self, event: Event) -> str:
        """The text in it."""
        data = event.data
        kind = event.kind
        if kind in _TEXTS:
            self._has_refused = self._has_refused or kind != "response.output_text.delta"
            return self._said(data.get("output_index"), text_of(data.get("delta")))
        if kind == "response.output_item.done":
            number = data.get("output_index")
            number = number if isinstance(number, int) else len(self._items)
            self._items[number] = mapping_of(data.get("item"))
        elif kind in _ENDS:
            return self._end(mapping_of(data.get("response")))
        elif data.get("object") == "response":
            return self._end(data)
        return ""

    def _said(self, speaker: object, text: str) -> str:
        """Two messages in one response are two paragraphs."""
        is_next = self._has_spoken and speaker != self._speaker
        self._speaker, self._has_spoken = speaker, True
        return f"\n\n{text}" if is_next else text

    def _end(self, response: Mapping[str, Any]) -> str:
        """What the last event says of items holds; its text only where none came before."""
        self.is_ended = True
        self._usage = usage_of(response.get("usage"))
        reason = text_of(mapping_of(response.get("incomplete_details")).get("reason"))
        self.finish_reason = _REASONS.get(reason, reason)
        if output := list_of(response.get("output")):
            self._items = dict(enumerate(map(mapping_of, output)))
        if self._has_spoken:
            return ""
        return "".join(self._said(number, self._text(item)) for number, item in self._in_order())

    def _text(self, item: Mapping[str, Any]) -> str:
        content = item.get("content") if item.get("type") == "message" else None
        refusals = [text_of(mapping_of(part).get("refusal")) for part in list_of(content)]
        self._has_refused = self._has_refused or any(refusals)
        return content_of(content) + "".join(refusals)

    def _in_order(self) -> list[tuple[int, Mapping[str, Any]]]:
        return [(number, self._items[number]) for number in sorted(self._items)]


def _native(
    model: str, items: Iterable[Mapping[str, Any]], calls: tuple[ToolCall, ...]
) -> Native | None:
    """Only where there is something in it that nothing else here keeps, such as reasoning."""
    kept = [item for item in items if _can_go_back(item)]
    if not calls or all(item.keys() <= _KNOWN.get(item["type"], set()) for item in kept):
        return None
    named = [item.get("call_id") for item in kept if item["type"] == "function_call"]
    if named != [call.id for call in calls]:
        return None
    return Native(model=model, api=Api.RESPONSES, items=tuple(map(storable_json, kept)))


def _can_go_back(item: Mapping[str, Any]) -> bool:
    """The endpoint keeps nothing: reasoning without its content would be looked for in vain."""
    if item.get("type") != "reasoning":
        return isinstance(item.get("type"), str)
    return bool(item.get("encrypted_content") or item.get("content"))


def _instructions(request: ModelRequest) -> str:
    """Among the messages instead where marks are set: here is no place for one."""
    if request.prompt_cache is PromptCache.EXPLICIT:
        return ""
    return "\n\n".join(each.content for each in request.messages if each.role is Role.SYSTEM)


def _input(request: ModelRequest, model: str) -> list[Mapping[str, object]]:
    if request.prompt_cache is PromptCache.EXPLICIT:
        each_item = ((item, each) for each in request.messages for item in _items(each, model))
        return [marked(item, each) for item, each in each_item]
    spoken = (each for each in request.messages if each.role is not Role.SYSTEM)
    return list(chain.from_iterable(_items(each, model) for each in spoken))


def _items(message: PromptMessage, model: str) -> Iterable[Mapping[str, object]]:
    """Each with its type: some endpoints insist on it."""
    native = message.native
    if native and (native.model, native.api) == (model, Api.RESPONSES):
        return native.items
    match message.role:
        case Role.USER | Role.SYSTEM:
            parts: list[dict[str, Any]] = [{"type": "input_text", "text": message.content}]
            parts += [{"type": "input_image", "image_url": image} for image in message.images]
            role = "user" if message.role is Role.USER else "developer"
            return [{"type": "message", "role": role, "content": parts}]
        case Role.ASSISTANT:
            return _assistant(message)
        case Role.TOOL:
            call_id = message.tool_call_id or ""
            output = {"type": "function_call_output", "call_id": call_id, "output": message.content}
            return [output]
        case _:
            assert_never(message.role)


def _assistant(message: PromptMessage) -> Iterable[Mapping[str, object]]:
    if message.content or not message.tool_calls:
        said = [{"type": "output_text", "text": message.content}]
        yield {"type": "message", "role": "assistant", "content": said}
    for call in message.tool_calls:
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": parsable(call.arguments),
        }


def _tool(tool: ToolSpec) -> dict[str, Any]:
    """Not strict, which is this API's default: it would make every parameter a required one."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": False,
    }
