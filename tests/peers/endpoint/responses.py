"""Responses as OpenAI streams them, event by event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping

from tests.peers.endpoint.behaviours import (
    Behaviour,
    CallTool,
    CallTools,
    Disconnect,
    Exactly,
    Fail,
    FailLate,
    Malformed,
    Raw,
    Refuse,
    Reply,
    Stall,
    Truncate,
)
from tests.peers.endpoint.bodies import Body, items_of, text_of

_ENCRYPTED = "reasoning.encrypted_content"
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_Object = Mapping[str, object]


class Stream:
    """The events of one response, in order, and what it has put out so far.

    Ids come from the request, so that the same request has the same ones on every endpoint.
    `give` is told of each reasoning item that stands before calls.
    """

    def __init__(self, body: Body, *, reasons: bool, give: Callable[[str, _Object], None]) -> None:
        self._body = body
        self._reasons = reasons
        self._give = give
        self._mark = hashlib.sha256(json.dumps(body).encode()).hexdigest()[:24]
        self._number = -1
        self._output: list[_Object] = []

    def events(self, behaviour: Behaviour) -> Iterator[str]:
        """Each event as it is written."""
        match behaviour:
            case Raw():
                yield from map(_framed, behaviour.events)
            case Reply():
                yield from self._begun()
                yield from self._texts(behaviour.text, behaviour.size)
                yield from self._ended(behaviour)
            case Refuse():
                yield from self._begun()
                yield from self._refusal(behaviour.text)
                yield from self._ended(Reply(text=behaviour.text))
            case CallTool():
                yield from self.events(CallTools(calls=(behaviour,)))
            case CallTools():
                yield from self._begun()
                yield from self._calls(behaviour)
                yield from self._ended(Reply(text=behaviour.text))
            case FailLate():
                yield from self._broken_off(behaviour.text, behaviour.after)
                error = {"code": behaviour.code, "message": behaviour.message}
                yield self._event("response.failed", response=self._response("failed", error=error))
            case Truncate() | Malformed() | Disconnect() | Stall():
                yield from self._broken_off(behaviour.text, behaviour.after)
                if isinstance(behaviour, Malformed):
                    yield 'event: response.output_text.delta\ndata: {"type": "response.outp\n\n'
            case Fail() | Exactly():
                raise AssertionError("answered without these events")

    def _begun(self) -> Iterator[str]:
        for name in ("created", "in_progress"):
            yield self._event(f"response.{name}", response=self._response("in_progress"))
        if self._reasons:
            yield from self._reasoning()

    def _ended(self, reply: Reply) -> Iterator[str]:
        reason = _INCOMPLETE.get(reply.finish_reason)
        status = "incomplete" if reason else "completed"
        details = {"reason": reason} if reason else None
        response = self._response(
            status, incomplete_details=details, usage=self._usage(reply) if reply.usage else None
        )
        yield self._event(f"response.{status}", response=response)

    def _broken_off(self, text: str, after: int) -> Iterator[str]:
        """Nothing at all, or everything up to so many pieces of text."""
        if not after:
            return
        yield from self._begun()
        for event in self._texts(text, 5):
            yield event
            after -= event.startswith("event: response.output_text.delta")
            if not after:
                return

    def _reasoning(self) -> Iterator[str]:
        """An item that is opaque but for its id; what stands in `added` is only its beginning."""
        item: dict[str, object] = {"id": f"rs_{self._mark}", "type": "reasoning", "summary": []}
        secret = f"gAAAAA{self._mark[::-1]}=="
        is_asked_for = _ENCRYPTED in (self._body.get("include") or ())
        early = {**item, "encrypted_content": secret[:9]} if is_asked_for else item
        late = {**item, "encrypted_content": secret} if is_asked_for else item
        yield self._event("response.output_item.added", item=early, **self._at())
        yield self._done(late)

    def _texts(self, text: str, size: int, phase: str = "final_answer") -> Iterator[str]:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        at = self._at(in_part=True)
        yield from self._message_begun(part, phase)
        for delta in pieces:
            yield self._event("response.output_text.delta", delta=delta, logprobs=[], **at)
        yield self._event("response.output_text.done", text=text, logprobs=[], **at)
        yield from self._message_done({**part, "text": text}, phase)

    def _refusal(self, text: str) -> Iterator[str]:
        at = self._at(in_part=True)
        yield from self._message_begun({"type": "refusal", "refusal": ""}, "final_answer")
        yield self._event("response.refusal.delta", delta=text, **at)
        yield self._event("response.refusal.done", refusal=text, **at)
        yield from self._message_done({"type": "refusal", "refusal": text}, "final_answer")

    def _message_begun(self, part: _Object, phase: str) -> Iterator[str]:
        item = self._message("in_progress", phase)
        yield self._event("response.output_item.added", item=item, **self._at())
        yield self._event("response.content_part.added", part=part, **self._at(in_part=True))

    def _message_done(self, part: _Object, phase: str) -> Iterator[str]:
        yield self._event("response.content_part.done", part=part, **self._at(in_part=True))
        yield self._done(self._message("completed", phase, part))

    def _message(self, status: str, phase: str, *content: _Object) -> _Object:
        item = {"id": f"msg_{self._mark}", "type": "message", "status": status}
        return {**item, "role": "assistant", "phase": phase, "content": content}

    def _calls(self, calls: CallTools) -> Iterator[str]:
        """The arguments of each in two pieces, as the real one does it."""
        thought = tuple(self._output)
        if calls.text:
            yield from self._texts(calls.text, 12, "commentary")
        for index, call in enumerate(calls.calls):
            call_id = call.id or f"call_{self._mark}_{index}"
            item = {"id": f"fc_{self._mark}_{index}", "type": "function_call", "call_id": call_id}
            done = {**item, "name": call.name, "arguments": call.arguments, "status": "completed"}
            for reasoning in thought:
                self._give(call_id, reasoning)
            half = len(call.arguments) // 2
            at = {**self._at(), "item_id": item["id"]}
            yield self._event(
                "response.output_item.added",
                item={**done, "arguments": "", "status": "in_progress"},
                **self._at(),
            )
            for delta in (call.arguments[:half], call.arguments[half:]):
                yield self._event("response.function_call_arguments.delta", delta=delta, **at)
            yield self._event(
                "response.function_call_arguments.done", arguments=call.arguments, **at
            )
            yield self._done(done)

    def _at(self, *, in_part: bool = False) -> dict[str, object]:
        place: dict[str, object] = {"output_index": len(self._output)}
        return {**place, "item_id": f"msg_{self._mark}", "content_index": 0} if in_part else place

    def _done(self, item: _Object) -> str:
        event = self._event("response.output_item.done", item=item, **self._at())
        self._output.append(item)
        return event

    def _response(self, status: str, **fields: object) -> _Object:
        asked = self._body
        return {
            "id": f"resp_{self._mark}",
            "object": "response",
            "created_at": 1,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.get("instructions"),
            "metadata": {},
            "model": asked["model"],
            "output": list(self._output),
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None, **(asked.get("reasoning") or {})},
            "store": asked.get("store", True),
            "temperature": asked.get("temperature", 1.0),
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": asked.get("tools", []),
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
            **fields,
        }

    def _usage(self, reply: Reply) -> _Object:
        said = [text_of(item.get("content", "")) for item in items_of(self._body)]
        prompt = sum(len(text.split()) for text in [self._body.get("instructions") or "", *said])
        answer = len(reply.text.split())
        return {
            "input_tokens": prompt,
            "input_tokens_details": {
                "cached_tokens": reply.cached_tokens,
                "cache_write_tokens": reply.written_tokens,
            },
            "output_tokens": answer,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + answer,
        }

    def _event(self, name: str, **fields: object) -> str:
        self._number += 1
        event = {"type": name, "sequence_number": self._number, **fields}
        return _framed(json.dumps(event, ensure_ascii=False))


def _framed(data: str) -> str:
    """With the line that names the event, where it is known."""
    try:
        name = json.loads(data)["type"]
    except (ValueError, TypeError, LookupError):
        return f"data: {data}\n\n"
    return f"event: {name}\ndata: {data}\n\n"
