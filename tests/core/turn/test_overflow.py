"""A history that is longer than the model can read: the turn is answered, and nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from core.config.spec import AgentSpec
from core.llm.endpoint import EndpointModel
from core.llm.time_limits import Limits
from tests.core.given import Stage
from tests.core.llm.asking import client_of
from tests.peers.endpoint import Behaviour, Body, Endpoint, Exactly, Fail

Answers = Callable[[Body], str | Behaviour]
READS = 30_000  # characters, less than half of the history
IN_MANY_WORDS: dict[str, Behaviour] = {
    "OpenAI's words": Fail(
        status=400,
        code="context_length_exceeded",
        message="This model's maximum context length is 7500 tokens.",
    ),
    "known words without a number": Fail(status=400, message="The prompt is too long."),
    "words that nobody knows": Fail(status=400, message="Bad luck today."),
    "no words": Exactly(pieces=(), status=422),
    "too large": Fail(status=413),
}
SHORTER = ("shorter", "parts")


def length(body: Body) -> int:
    """Characters of the prompt."""
    return sum(len(message["content"] or "") for message in body["messages"])


def reads(most: int, refusal: Behaviour) -> Answers:
    """Answers what has at most so many characters."""
    return lambda body: refusal if length(body) > most else "Noon."


@dataclass(kw_only=True)
class Talk:
    """A conversation of 20,000 tokens, and a model that has not been asked yet."""

    stage: Stage
    model: EndpointModel

    async def ask(self, question: str) -> str:
        """What the person reads."""
        said = await self.stage.say(question)
        await self.stage.worker().attend(said.conversation_id)
        return self.stage.platform.transcript[-1]


@pytest.fixture
async def talk(stage: Stage, endpoint: Endpoint) -> AsyncIterator[Talk]:
    spec = AgentSpec(name="Ada", instructions="Be brief.", tools=(), window_tokens=40_000)
    stage = Stage(spec=spec)
    for _ in range(10):
        said = await stage.say("word " * 800)
        await stage.worker().attend(said.conversation_id)
    async with client_of(endpoint.base_url) as client:
        model = EndpointModel(client, "m", limits=Limits(whole=120, wait=60))
        stage.answering = model
        yield Talk(stage=stage, model=model)


@pytest.fixture
async def endpoint(answer: Answers) -> AsyncIterator[Endpoint]:
    async with Endpoint(answer) as endpoint:
        yield endpoint


@pytest.mark.parametrize(
    "answer", [reads(READS, each) for each in IN_MANY_WORDS.values()], ids=IN_MANY_WORDS
)
async def test_it_answers_and_keeps_in_mind_what_fitted(talk: Talk, endpoint: Endpoint) -> None:
    assert await talk.ask("hi") == "Noon."
    first = len(endpoint.requests)
    assert first <= 5
    assert length(endpoint.requests[-1]) > READS / 5
    assert await talk.stage.cuts() == []
    for _ in range(2):
        assert await talk.ask("And now?") == "Noon."
    assert len(endpoint.requests) == first + 2
    assert "hi" in [message["content"] for message in endpoint.requests[-1]["messages"]]


@pytest.mark.parametrize(
    "answer", [reads(0, each) for each in IN_MANY_WORDS.values()], ids=IN_MANY_WORDS
)
async def test_who_says_hi_is_not_told_to_write_shorter_and_nothing_is_cut(
    talk: Talk, endpoint: Endpoint
) -> None:
    told = await talk.ask("hi")
    assert "Please tell whoever runs this bot" in told
    assert not [word for word in SHORTER if word in told]
    assert len(endpoint.requests) <= 12
    assert talk.model.window is None
    assert await talk.stage.cuts() == []


@pytest.mark.parametrize("answer", [reads(READS, IN_MANY_WORDS["words that nobody knows"])])
async def test_a_long_question_is_to_be_written_shorter(talk: Talk, endpoint: Endpoint) -> None:
    assert "shorter" in await talk.ask("word " * 7_000)
    assert await talk.ask("hi") == "Noon."


def takes_no_stream_options(body: Body) -> str | Behaviour:
    """As endpoints that know fewer fields."""
    refusal = Fail(status=400, message="Unknown field: stream_options")
    return refusal if "stream_options" in body else "Noon."


@pytest.mark.parametrize("answer", [takes_no_stream_options])
async def test_a_field_that_is_refused_cuts_nothing(talk: Talk, endpoint: Endpoint) -> None:
    assert await talk.ask("hi") == "Noon."
    assert await talk.ask("And now?") == "Noon."
    lengths = [length(body) for body in endpoint.requests]
    assert len(lengths) == 3
    assert min(lengths) > READS * 2
    assert (talk.model.window, await talk.stage.cuts()) == (None, [])
