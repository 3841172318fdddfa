"""EndpointModel against a real server, through the real SDK."""

from __future__ import annotations

import json
import logging
from contextlib import aclosing

import pytest

from core.errors import ContextOverflow, ModelDown, ModelRefused
from core.llm import (
    Finished,
    ModelRequest,
    PromptMessage,
    Role,
    TextDelta,
    TokenUsage,
    ToolCall,
    ToolSpec,
)
from core.llm.endpoint import EndpointModel
from core.llm.time_limits import Limits
from tests.core.llm.asking import KEY, answer_of, client_of, events_of, first_of, request, said
from tests.peers.endpoint import (
    CallTool,
    CallTools,
    Disconnect,
    Endpoint,
    Exactly,
    Fail,
    Malformed,
    Raw,
    Reply,
    Stall,
    Truncate,
)

ASKED = request("Hello")
BREAKS = [
    Truncate(),
    Malformed(),
    Disconnect(),
    Stall(),
    Raw(events=("5",)),
    Raw(events=('{"error": {"message": "overloaded"}}',)),
    Raw(events=()),
]
BREAKS_IN_THE_TEXT = [Truncate(after=2), Malformed(after=2), Disconnect(after=2), Stall(after=2)]


def chunk(**choice: object) -> str:
    return json.dumps({"choices": [{"index": 0, **choice}]})


async def test_an_answer_comes_in_pieces_and_is_summed_up(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    endpoint.script(Reply(text="Hello, world", size=6, cached_tokens=1, written_tokens=2))
    assert await events_of(model, ASKED) == [
        TextDelta(text="Hello,"),
        TextDelta(text=" world"),
        Finished(
            text="Hello, world",
            model="gpt-6-luna",
            usage=TokenUsage(input=1, cached=1, output=2, written=2),
        ),
    ]


SAYS = 'data: {"choices": [{"delta": {"content": "Noon."}}]}\n\n'
CALLS = 'data: {"choices": [{"delta": {"tool_calls": [{"function": {"name": "noon"}}]}}]}\n\n'
ENDS = 'data: {"choices": [{"finish_reason": "stop"}]}\n\n'


@pytest.mark.parametrize(
    ("pieces", "is_last"),
    [((f"{SAYS}{ENDS}",), True), ((SAYS, ENDS), False), ((f"{SAYS}{CALLS}{ENDS}",), False)],
)
async def test_words_that_come_with_the_end_of_all_say_so(
    endpoint: Endpoint, model: EndpointModel, pieces: tuple[str, ...], is_last: bool
) -> None:
    endpoint.script(Exactly(pieces=pieces))
    said = [each for each in await events_of(model, ASKED) if isinstance(each, TextDelta)]
    assert [each.is_last for each in said] == [is_last]


async def test_only_widely_known_fields_are_sent(endpoint: Endpoint, model: EndpointModel) -> None:
    await answer_of(model, ASKED)
    assert endpoint.requests == [
        {
            "model": "gpt-6-luna",
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


async def test_temperature_and_tools_are_sent_where_given(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    clock = ToolSpec(name="clock", description="The time.", parameters={"type": "object"})
    await answer_of(model, ModelRequest(messages=(said("Hi"),), tools=(clock,), temperature=0.0))
    body = endpoint.requests[0]
    assert body["temperature"] == 0
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "clock",
                "description": "The time.",
                "parameters": {"type": "object"},
            },
        }
    ]


async def test_a_turn_with_tools_is_sent_as_it_happened(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    good = ToolCall(id="a", name="clock", arguments='{"zone": "UTC"}')
    await answer_of(
        model,
        ModelRequest(
            messages=(
                PromptMessage(role=Role.SYSTEM, content="Be brief."),
                said("What time is it?"),
                PromptMessage(role=Role.ASSISTANT, content="", tool_calls=(good,)),
                PromptMessage(role=Role.TOOL, content="12:00", tool_call_id="a"),
                PromptMessage(role=Role.ASSISTANT, content="Noon."),
            )
        ),
    )
    function = {"name": "clock", "arguments": '{"zone": "UTC"}'}
    assert endpoint.requests[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What time is it?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "a", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "12:00", "tool_call_id": "a"},
        {"role": "assistant", "content": "Noon."},
    ]


@pytest.mark.parametrize("arguments", ["", '{"zone": "', "5"])
async def test_arguments_that_an_endpoint_cannot_parse_are_not_sent_back_to_it(
    endpoint: Endpoint, model: EndpointModel, arguments: str
) -> None:
    call = ToolCall(id="a", name="clock", arguments=arguments)
    message = PromptMessage(role=Role.ASSISTANT, content="Wait.", tool_calls=(call,))
    await answer_of(model, ModelRequest(messages=(said("Hi"), message)))
    assert endpoint.requests[0]["messages"][1].get("tool_calls") == [
        {"id": "a", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    ]


async def test_tool_calls_are_put_together_from_their_pieces(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    calls = (
        CallTool(name="clock", arguments='{"zone": "UTC"}', id="a"),
        CallTool(name="clock", arguments='{"zone": "', id="b"),
    )
    endpoint.script(CallTools(calls=calls, text="One moment."))
    answer = await answer_of(model, ASKED)
    assert (answer.text, answer.finish_reason) == ("One moment.", "tool_calls")
    assert answer.tool_calls == (
        ToolCall(id="a", name="clock", arguments='{"zone": "UTC"}'),
        ToolCall(id="b", name="clock", arguments='{"zone": "'),
    )


async def test_calls_that_all_have_index_0_are_told_apart_by_their_ids(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    pieces = [
        {"index": 0, "id": name, "function": {"name": name, "arguments": "{}"}} for name in "ab"
    ]
    endpoint.script(
        Raw(events=(chunk(delta={"tool_calls": pieces}), chunk(finish_reason="tool_calls")))
    )
    answer = await answer_of(model, ASKED)
    assert [call.id for call in answer.tool_calls] == ["a", "b"]


async def test_a_call_without_index_and_id_gets_an_id(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    first = chunk(delta={"tool_calls": [{"function": {"name": "clock"}}]})
    rest = chunk(delta={"tool_calls": [{"function": {"arguments": "{}"}}, {}]})
    endpoint.script(Raw(events=(first, rest, chunk(delta={}, finish_reason="stop"))))
    (call,) = (await answer_of(model, ASKED)).tool_calls
    assert (call.name, call.arguments) == ("clock", "{}")
    assert call.id.startswith("call_")


async def test_empty_chunks_and_missing_fields_are_tolerated(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    endpoint.script(
        Raw(
            events=(
                json.dumps({"choices": []}),
                json.dumps({"choices": None}),
                chunk(delta=None),
                chunk(delta={"content": None}),
                chunk(delta={"content": "Hi\0 \ud83d"}),
                chunk(delta={"content": ""}, finish_reason="stop"),
                json.dumps({"choices": [], "usage": {"prompt_tokens": 3}}),
            )
        )
    )
    assert await events_of(model, ASKED) == [
        TextDelta(text="Hi ?"),
        Finished(text="Hi ?", model="gpt-6-luna", usage=TokenUsage(input=3)),
    ]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_a_cut_answer_is_an_answer(
    endpoint: Endpoint, model: EndpointModel, reason: str
) -> None:
    endpoint.script(Reply(text="Half", finish_reason=reason, usage=False))
    assert await answer_of(model, ASKED) == Finished(
        text="Half", model="gpt-6-luna", finish_reason=reason
    )


@pytest.mark.parametrize("fault", BREAKS, ids=str)
async def test_a_stream_that_breaks_before_its_first_word_is_asked_for_again(
    endpoint: Endpoint, model: EndpointModel, fault: Raw
) -> None:
    endpoint.script(fault)
    assert (await answer_of(model, ASKED)).text == "You said: Hello"
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("fault", BREAKS, ids=str)
async def test_a_stream_that_breaks_twice_is_a_failure(
    endpoint: Endpoint, model: EndpointModel, fault: Raw
) -> None:
    endpoint.script(fault, fault)
    with pytest.raises(ModelDown):
        await events_of(model, ASKED)
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("fault", BREAKS_IN_THE_TEXT, ids=str)
async def test_text_is_never_repeated(
    endpoint: Endpoint, model: EndpointModel, fault: Stall
) -> None:
    endpoint.script(fault)
    async with aclosing(model.stream(ASKED)) as events:
        assert await first_of(events) == "This "
        assert await first_of(events) == "is th"
        with pytest.raises(ModelDown):
            await anext(events)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_overloaded_endpoint_is_asked_three_times(
    endpoint: Endpoint, model: EndpointModel, status: int
) -> None:
    busy = Fail(status=status, retry_after=0.01)
    endpoint.script(busy, busy)
    assert (await answer_of(model, ASKED)).text == "You said: Hello"
    endpoint.script(busy, busy, busy)
    with pytest.raises(ModelDown, match=rf"gpt-6-luna at 127.*HTTP {status}"):
        await answer_of(model, ASKED)
    assert len(endpoint.requests) == 6


async def test_a_long_wait_is_left_to_the_caller(endpoint: Endpoint, model: EndpointModel) -> None:
    endpoint.script(Fail(status=429, retry_after=300))
    with pytest.raises(ModelDown) as caught:
        await answer_of(model, ASKED)
    assert caught.value.retry_after == 300
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("fault", [Stall(answered=False), Disconnect(answered=False)], ids=str)
async def test_an_endpoint_that_does_not_answer_is_down(endpoint: Endpoint, fault: Stall) -> None:
    endpoint.script(fault)
    async with client_of(endpoint.base_url) as client:
        with pytest.raises(ModelDown, match=r"in time|cannot be reached") as caught:
            await answer_of(EndpointModel(client, "gpt-6-luna", limits=Limits(wait=0.2)), ASKED)
    assert caught.value.retry_after is None


async def test_nobody_at_the_address_is_a_model_that_is_down() -> None:
    async with Endpoint() as gone:
        base_url = gone.base_url
    async with client_of(base_url) as client:
        with pytest.raises(ModelDown, match="cannot be reached"):
            await answer_of(EndpointModel(client, "gpt-6-luna"), ASKED)


async def test_the_time_limit_holds_for_a_slow_start(endpoint: Endpoint) -> None:
    endpoint.script(Stall(answered=False))
    async with client_of(endpoint.base_url) as client:
        with pytest.raises(ModelDown, match=r"within 0\.1 seconds"):
            await answer_of(EndpointModel(client, "gpt-6-luna", limits=Limits(whole=0.1)), ASKED)


async def test_the_time_limit_holds_for_a_stream_that_trickles(endpoint: Endpoint) -> None:
    endpoint.script(Reply(text="word " * 1000, size=5, pause=0.01))
    async with client_of(endpoint.base_url) as client:
        model = EndpointModel(client, "gpt-6-luna", limits=Limits(whole=0.2))
        with pytest.raises(ModelDown, match=r"within 0\.2 seconds"):
            await answer_of(model, ASKED)
        await endpoint.idle()
        patient = EndpointModel(client, "gpt-6-luna")
        assert (await answer_of(patient, ASKED)).text == "You said: Hello"


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "temperature, tools, reasoning_effort, api, model"),
        (401, "set OTHER_KEY"),
        (402, "credit"),
        (403, "set OTHER_KEY"),
        (404, "OPENAI_BASE_URL"),
    ],
)
async def test_a_refusal_tells_the_operator_what_to_change(
    endpoint: Endpoint, status: int, remedy: str
) -> None:
    endpoint.script(Fail(status=status, message=f"no: {KEY}"))
    async with client_of(endpoint.base_url) as client:
        with pytest.raises(ModelRefused) as caught:
            await answer_of(EndpointModel(client, "gpt-6-luna", key_variable="OTHER_KEY"), ASKED)
    host = endpoint.base_url.removeprefix("http://").removesuffix("/v1")
    assert f"gpt-6-luna at {host}" in str(caught.value)
    assert remedy in str(caught.value)
    assert KEY not in str(caught.value) + caught.value.told
    assert caught.value.told.endswith(
        "Please tell whoever runs this bot; the reason is in its log."
    )


async def test_a_refused_parameter_is_named(endpoint: Endpoint, model: EndpointModel) -> None:
    endpoint.script(Fail(status=400, param="temperature"))
    with pytest.raises(ModelRefused, match="check the agent's temperature"):
        await answer_of(model, ASKED)


async def test_an_account_without_credit_is_refused(endpoint: Endpoint) -> None:
    endpoint.script(Fail(status=429, code="insufficient_quota"))
    async with client_of(endpoint.base_url) as client:
        with pytest.raises(ModelRefused, match="no credit"):
            await answer_of(EndpointModel(client, "gpt-6-luna"), ASKED)


@pytest.mark.parametrize(
    "fault",
    [
        Fail(status=400, code="context_length_exceeded"),
        Fail(status=400, type="exceed_context_size_error"),
        Fail(status=400, message="This model's maximum context length is 8192 tokens."),
        Fail(status=413),
        Raw(events=('{"error": {"code": "context_length_exceeded"}}',)),
    ],
    ids=str,
)
async def test_a_prompt_that_is_too_long_is_an_overflow(
    endpoint: Endpoint, model: EndpointModel, fault: Fail
) -> None:
    endpoint.script(fault)
    with pytest.raises(ContextOverflow, match="window_tokens"):
        await answer_of(model, ASKED)
    assert len(endpoint.requests) == 1


async def test_an_endpoint_that_refuses_usage_is_asked_without_from_then_on(
    endpoint: Endpoint, model: EndpointModel
) -> None:
    endpoint.script(Fail(status=400, message="unknown field: stream_options"))
    assert (await answer_of(model, ASKED)).usage == TokenUsage()
    await answer_of(model, ASKED)
    asked_for_usage = ["stream_options" in body for body in endpoint.requests]
    assert asked_for_usage == [True, False, False]


async def test_no_word_of_the_conversation_is_logged(
    endpoint: Endpoint, model: EndpointModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    endpoint.script(Truncate())
    await answer_of(model, request("my password is swordfish"))
    lines = [str(vars(record)) for record in caplog.records]
    assert not [line for line in lines if "swordfish" in line or KEY in line]
