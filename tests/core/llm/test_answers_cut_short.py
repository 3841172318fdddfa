"""Answers that end in another way than by their last word."""

from __future__ import annotations

import json

import pytest

from core.llm import Finished, TextDelta
from core.llm.endpoint import EndpointModel
from tests.core.llm.asking import events_of, request
from tests.peers.endpoint import Endpoint, Raw

ASKED = request("Hello")
TEXT = json.dumps({"choices": [{"delta": {"content": "Half of it."}}]})
FILTERED = json.dumps(
    {"error": {"code": "content_filter", "type": "invalid_request_error", "message": "Filtered."}}
)


@pytest.mark.parametrize(("events", "text"), [((FILTERED,), ""), ((TEXT, FILTERED), "Half of it.")])
async def test_what_came_before_the_filter_stays(
    endpoint: Endpoint, model: EndpointModel, events: tuple[str, ...], text: str
) -> None:
    endpoint.script(Raw(events=events))
    shown: list[TextDelta] = [TextDelta(text=text)] if text else []
    assert await events_of(model, ASKED) == [
        *shown,
        Finished(text=text, model="gpt-6-luna", finish_reason="content_filter"),
    ]


async def test_a_whole_message_after_its_pieces_is_not_said_twice(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    whole = {"message": {"content": "Half of it."}, "finish_reason": "stop"}
    endpoint.script(Raw(events=(TEXT, json.dumps({"choices": [whole]}))))
    assert [type(event) for event in await events_of(model, ASKED)] == [TextDelta, Finished]
