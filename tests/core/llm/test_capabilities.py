"""What a refusal teaches, and that nothing is asked for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from openai import AsyncOpenAI

from core.errors import ModelDown, ModelRefused
from core.llm import Api, ModelRequest, PromptMessage, Role, ToolSpec
from core.llm.capabilities import Capabilities
from core.llm.chat import Chat
from core.llm.complaint import Complaint
from core.llm.endpoint import EndpointModel
from core.llm.responses import Responses
from core.llm.time_limits import Limits
from core.llm.tokens import estimate
from tests.core.llm.asking import answer_of, client_of, said
from tests.peers.endpoint import Behaviour, Body, Endpoint, Fail

CLOCK = ToolSpec(name="clock", description="The time.", parameters={"type": "object"})
ASKED = ModelRequest(
    messages=(PromptMessage(role=Role.SYSTEM, content="Be brief."), said("Hello")),
    tools=(CLOCK,),
    temperature=0.5,
    reasoning_effort="high",
)
TO_RESPONSES = (
    "Function tools with reasoning_effort are not supported for m in /v1/chat/completions. To use "
    "function tools, use /v1/responses or set reasoning_effort to 'none'."
)
TO_CHAT = "This model is only supported in v1/chat/completions and not in v1/responses."
NO_EFFORT = "Tools need reasoning_effort to be 'none'."
ALTERNATE = "Conversation roles must alternate user/assistant/user/assistant/..."
NO_SYSTEM = "System role not supported"
EVERY_MESSAGE = [
    *(TO_RESPONSES, TO_CHAT, NO_EFFORT, ALTERNATE, NO_SYSTEM, "tools are not supported"),
    *("Unsupported parameter: temperature", "Unknown field: stream_options", "no such thing"),
    *("reasoning_effort is not supported", "Unknown parameter: include", "store is not allowed"),
    *("instructions are not supported", "reasoning_content is not permitted"),
]


def refusal(message: str = "", *, parameter: str = "", status: int = 400) -> Complaint:
    """A request that is not taken."""
    return Complaint(status=status, message=message, parameter=parameter)


def lesson(learnt: Capabilities, complaint: Complaint, api: Api = Api.CHAT) -> str | None:
    """What is learnt from it when this was asked."""
    wire = Chat() if api is Api.CHAT else Responses()
    body = wire.body("m", learnt.adapted(ASKED, ""))
    body = {key: each for key, each in body.items() if key not in learnt.left_out}
    return learnt.from_refusal(complaint, body, api, may_switch=True)


@pytest.mark.parametrize(
    ("complaint", "api", "name"),
    [
        (refusal(parameter="temperature"), Api.CHAT, "temperature"),
        (refusal(parameter="temperature"), Api.RESPONSES, "temperature"),
        (refusal("'temperature' does not support 0.5"), Api.CHAT, "temperature"),
        (
            refusal("temperature: Extra inputs are not permitted", status=422),
            Api.CHAT,
            "temperature",
        ),
        (refusal("`temperature` is deprecated for this model"), Api.CHAT, "temperature"),
        (refusal(parameter="reasoning_effort"), Api.CHAT, "reasoning_effort"),
        (refusal("Unrecognized request argument: reasoning_effort"), Api.CHAT, "reasoning_effort"),
        (refusal(parameter="reasoning.effort"), Api.RESPONSES, "reasoning"),
        (refusal("Reasoning effort is not supported"), Api.RESPONSES, "reasoning"),
        (refusal(parameter="stream_options.include_usage"), Api.CHAT, "stream_options"),
        (refusal("unknown field: stream_options"), Api.CHAT, "stream_options"),
        (refusal(parameter="tools"), Api.CHAT, "tools"),
        (refusal("This model does not support tools"), Api.CHAT, "tools"),
        (refusal("m does not support function calling"), Api.CHAT, "tools"),
        (refusal(parameter="include"), Api.RESPONSES, "include"),
        (refusal(parameter="include[0]"), Api.RESPONSES, "include"),
        (refusal("Unknown parameter: 'store'."), Api.RESPONSES, "store"),
    ],
)
def test_a_field_that_is_refused_is_left_out(complaint: Complaint, api: Api, name: str) -> None:
    learnt = Capabilities()
    assert lesson(learnt, complaint, api)
    assert learnt.left_out == {name}
    assert f"without {name}" in str(learnt)
    assert lesson(learnt, complaint, api) is None


@pytest.mark.parametrize(
    "complaint",
    [
        refusal("scripted failure"),
        refusal(parameter="messages"),
        refusal(parameter="model"),
        refusal(parameter="stream"),
        refusal("Invalid schema for function 'clock': not valid", parameter="tools[0].function"),
        refusal(parameter="temperature", status=401),
        refusal(parameter="temperature", status=500),
        refusal("Unsupported parameter: top_p"),
        refusal("maximum context length is 100 tokens, temperature not supported"),
    ],
)
def test_a_refusal_of_nothing_that_can_be_left_out_teaches_nothing(complaint: Complaint) -> None:
    learnt = Capabilities()
    assert lesson(learnt, complaint) is None
    assert learnt == Capabilities()


def test_without_tools_the_question_is_briefed_and_calls_are_told_in_words() -> None:
    learnt = Capabilities(left_out={"tools"})
    adapted = learnt.adapted(ASKED, "It is noon.")
    assert adapted.tools == ()
    assert [each.content for each in adapted.messages] == ["Be brief.", "It is noon.\n\nHello"]


@pytest.mark.parametrize(("budget", "is_told"), [(400, True), (30, False)])
def test_a_briefing_has_the_room_that_the_prompt_leaves(budget: int, *, is_told: bool) -> None:
    learnt = Capabilities(left_out={"tools"})
    adapted = learnt.adapted(replace(ASKED, budget=budget), "It is noon. " * 500)
    assert sum(estimate(each.content) for each in adapted.messages) <= budget
    assert ("It is noon." in adapted.messages[-1].content) is is_told


def test_instructions_go_into_the_first_message_where_there_is_no_system() -> None:
    learnt = Capabilities()
    assert lesson(learnt, refusal(NO_SYSTEM))
    adapted = learnt.adapted(ASKED, "")
    assert [(each.role, each.content) for each in adapted.messages] == [
        (Role.USER, "Be brief.\n\nHello")
    ]


def test_where_turns_must_alternate_neighbours_are_merged_and_then_the_system_goes() -> None:
    learnt = Capabilities()
    assert lesson(learnt, refusal(ALTERNATE))
    assert (learnt.must_alternate, learnt.has_no_system) == (True, False)
    assert lesson(learnt, refusal(ALTERNATE))
    assert learnt.has_no_system
    assert lesson(learnt, refusal(ALTERNATE)) is None


def test_the_other_api_is_followed_once() -> None:
    learnt = Capabilities()
    assert lesson(learnt, refusal(TO_RESPONSES))
    assert learnt.api is Api.RESPONSES
    assert lesson(learnt, refusal(TO_CHAT), Api.RESPONSES) is None
    assert learnt.api is Api.RESPONSES


def test_where_there_is_no_other_api_it_is_back_again() -> None:
    learnt = Capabilities()
    lesson(learnt, refusal(TO_RESPONSES))
    assert lesson(learnt, refusal("Not Found", status=404), Api.RESPONSES)
    assert learnt.api is Api.CHAT
    assert lesson(learnt, refusal(TO_RESPONSES))
    assert (learnt.api, learnt.effort) == (Api.CHAT, "none")
    assert lesson(learnt, refusal("Not Found", status=404)) is None


def test_an_agent_that_names_its_api_keeps_it() -> None:
    learnt = Capabilities()
    body = Chat().body("m", ASKED)
    assert learnt.from_refusal(refusal(TO_RESPONSES), body, Api.CHAT, may_switch=False)
    assert (learnt.api, learnt.effort) == (None, "none")


class Refuser:
    """Refuses while a predicate holds, with the message that it has for it."""

    def __init__(self) -> None:
        self.messages: list[str] = list(EVERY_MESSAGE)
        self.asked = 0

    def __call__(self, body: Body) -> Behaviour:
        """The next message, over and over."""
        self.asked += 1
        status = (400, 422, 404)[self.asked // len(self.messages) % 3]
        message = self.messages[self.asked % len(self.messages)]
        return Fail(status=status, message=message)


@pytest.fixture
async def refuser() -> AsyncIterator[tuple[Endpoint, Refuser, AsyncOpenAI]]:
    """An endpoint that takes nothing."""
    refuser = Refuser()
    async with (
        Endpoint(refuser) as endpoint,
        AsyncOpenAI(base_url=endpoint.base_url, api_key="sk", max_retries=0) as client,
    ):
        yield endpoint, refuser, client


@pytest.mark.parametrize("api", [Api.AUTO, Api.CHAT, Api.RESPONSES])
async def test_who_refuses_everything_in_all_words_is_asked_a_few_times(
    refuser: tuple[Endpoint, Refuser, AsyncOpenAI], api: Api
) -> None:
    endpoint, _, client = refuser
    model = EndpointModel(client, "m", api=api, limits=Limits(whole=120, wait=60))
    for _ in range(4):
        with pytest.raises((ModelRefused, ModelDown)):
            await answer_of(model, ASKED)
    assert len(endpoint.requests) < 40


@pytest.mark.parametrize("message", EVERY_MESSAGE)
@pytest.mark.parametrize("api", [Api.AUTO, Api.CHAT, Api.RESPONSES])
async def test_who_says_the_same_for_ever_is_asked_a_few_times(
    refuser: tuple[Endpoint, Refuser, AsyncOpenAI], api: Api, message: str
) -> None:
    endpoint, says, client = refuser
    says.messages = [message]
    model = EndpointModel(client, "m", api=api, limits=Limits(whole=120, wait=60))
    with pytest.raises(ModelRefused):
        await answer_of(model, ASKED)
    assert len(endpoint.requests) <= 8


async def test_what_was_sent_before_a_lesson_is_sent_again_without_another_one() -> None:
    """Ten ask at once, and all are refused for the same thing."""

    def answer(body: Body) -> str | Behaviour:
        return Fail(status=400, param="temperature") if "temperature" in body else "Noon."

    async with (
        Endpoint(answer) as endpoint,
        AsyncOpenAI(base_url=endpoint.base_url, api_key="sk", max_retries=0) as client,
    ):
        learnt = Capabilities()
        model = EndpointModel(client, "m", learnt=learnt, limits=Limits(whole=120, wait=60))
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(answer_of(model, ASKED)) for _ in range(10)]
        assert {task.result().text for task in asking} == {"Noon."}
        assert learnt.lessons == 1
        assert len(endpoint.requests) == 20


@pytest.mark.parametrize(
    ("refused", "stated", "most"),
    [(1000, None, 500), (1000, 500, 400), (1000, 5000, 500), (1000, 1250, 500), (1000, 1, 500)],
)
def test_the_next_prompt_is_shorter(refused: int, stated: int | None, most: int) -> None:
    complaint = Complaint(status=400, message="", window=stated)
    assert Capabilities().overflowed(refused, complaint) == most


def cut_to(budget: int) -> ModelRequest:
    """A request whose prompt was cut to so many tokens."""
    return replace(ASKED, budget=budget)


def test_the_size_that_fitted_after_a_refusal_is_kept() -> None:
    learnt = Capabilities()
    learnt.took(cut_to(1000))
    assert (learnt.window, learnt.is_longest(ASKED)) == (None, False)
    assert learnt.overflowed(900, refusal()) == 450
    learnt.took(cut_to(450))
    assert learnt.window == 450
    learnt.took(cut_to(300))
    assert learnt.window == 450


LIMITED = replace(ASKED, max_output=8_192)


@pytest.mark.parametrize(
    ("api", "name"), [(Api.CHAT, "max_tokens"), (Api.RESPONSES, "max_output_tokens")]
)
async def test_the_output_is_limited_as_it_is_allowed(api: Api, name: str) -> None:
    asked: list[tuple[str, ModelRequest]] = []

    async def allow(model: str, request: ModelRequest) -> int:
        asked.append((model, request))
        return 300

    async with Endpoint() as endpoint, client_of(endpoint.base_url) as client:
        model = EndpointModel(client, "m", api=api)
        await answer_of(model, replace(ASKED, allow=allow))
        [body] = endpoint.requests
    assert (body.get(name), len(asked), asked[0][0]) == (300, 1, "m")


@pytest.mark.parametrize(
    ("message", "most"),
    [
        ("max_tokens is too large: 8192. This model supports at most 4096 completion tokens", 4096),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8000]", 8000),
        ("max_tokens: too many", 4096),
        ("maximum context length is 8192 tokens, you requested 9000 (808 and 8192)", 2048),
    ],
)
def test_a_model_that_writes_less_is_allowed_less(message: str, most: int) -> None:
    learnt = Capabilities()
    body = learnt.spelled(Chat().body("m", LIMITED))
    assert learnt.from_refusal(refusal(message), body, Api.CHAT, may_switch=False)
    assert (learnt.output_within(8_192), learnt.left_out) == (most, set())


def test_a_limit_by_another_name_is_never_left_out() -> None:
    learnt = Capabilities()
    unsupported = refusal("Use 'max_completion_tokens' instead.", parameter="max_tokens")
    for _ in range(20):
        body = learnt.spelled(
            Chat().body("m", replace(LIMITED, max_output=learnt.output_within(8_192)))
        )
        assert "max_tokens" not in body or "max_completion_tokens" not in body
        if learnt.from_refusal(unsupported, body, Api.CHAT, may_switch=False) is None:
            break
    else:
        pytest.fail("it is asked for ever")
    assert body["max_completion_tokens"] >= 256


def test_a_prompt_that_is_too_long_by_itself_is_cut_as_before() -> None:
    learnt = Capabilities(most_output=2_048)
    body = learnt.spelled(Chat().body("m", replace(LIMITED, max_output=2_048)))
    overflow = refusal("maximum context length is 8192 tokens, you requested 19000")
    assert learnt.from_refusal(overflow, body, Api.CHAT, may_switch=False) is None
