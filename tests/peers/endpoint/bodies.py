"""Requests of both APIs, as far as anybody looks at them."""

from __future__ import annotations

import re
from typing import NotRequired, TypedDict

_STOP_WORDS = {
    "about",
    "does",
    "have",
    "that",
    "there",
    "this",
    "what",
    "when",
    "where",
    "which",
    "with",
    "your",
}


class Message(TypedDict):
    """One message of a request."""

    role: str
    content: str | None
    tool_calls: NotRequired[list[dict[str, object]]]
    tool_call_id: NotRequired[str]


class Item(TypedDict, total=False):
    """One item of the input of a response."""

    type: str
    id: str
    role: str
    content: str | list[dict[str, str]]
    call_id: str
    name: str
    arguments: str
    output: str | list[dict[str, str]]
    encrypted_content: str | None


class Body(TypedDict):
    """A request: `messages` are of Chat Completions, `instructions` and `input` of Responses."""

    model: str
    messages: NotRequired[list[Message]]
    instructions: NotRequired[str | None]
    input: NotRequired[str | list[Item]]
    stream: bool
    stream_options: NotRequired[dict[str, bool]]
    tools: NotRequired[list[dict[str, object]]]
    temperature: NotRequired[float]
    reasoning_effort: NotRequired[str]
    reasoning: NotRequired[dict[str, str]]
    include: NotRequired[list[str]]
    store: NotRequired[bool]


def in_messages(body: Body) -> Body:
    """The request as one of Chat Completions, for whoever answers by what was said."""
    if "messages" in body:
        return body
    messages: list[Message] = []
    if instructions := body.get("instructions"):
        messages.append({"role": "system", "content": instructions})
    for item in items_of(body):
        match item.get("type"):
            case "message":
                messages.append({"role": item["role"], "content": text_of(item["content"])})
            case "function_call":
                function = {"name": item["name"], "arguments": item["arguments"]}
                call: dict[str, object] = {"id": item["call_id"], "type": "function"}
                call["function"] = function
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case "function_call_output":
                answer = text_of(item["output"])
                messages.append(
                    {"role": "tool", "content": answer, "tool_call_id": item["call_id"]}
                )
            case _:
                pass
    return {**body, "messages": messages}


def items_of(body: Body) -> list[Item]:
    """The input of a response; a mere text is a message of the person."""
    given = body.get("input", [])
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return given


def text_of(content: str | list[dict[str, str]]) -> str:
    """Text, from its parts if need be."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def effort_of(body: Body) -> str | None:
    """The reasoning effort that the request names, wherever its API has it."""
    return body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort")


def echo(body: Body) -> str:
    """Repeats the last message of the person."""
    return f"You said: {_spoken(body)[-1]}"


def recall(body: Body) -> str:
    """Answers a question by the newest earlier message that shares a word, else repeats."""
    *earlier, last = _spoken(body)
    if "?" in last:
        for message in reversed(earlier):
            if _content_words(message) & _content_words(last):
                return f"Earlier you said: {message}"
    return echo(body)


def _spoken(body: Body) -> list[str]:
    return [message["content"] or "" for message in body["messages"] if message["role"] == "user"]


def _content_words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w{4,}", text.casefold()) if word not in _STOP_WORDS}
