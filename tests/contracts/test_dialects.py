"""Every way in which endpoints really answer, through the model that is to understand it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, replace

import pytest

from core.errors import ContextOverflow, ModelDown, ModelRefused
from core.llm import Api, Finished, ModelRequest, PromptMessage, Role, ToolSpec
from core.llm.endpoint import EndpointModel
from core.llm.time_limits import Limits
from core.tools import ToolResult
from core.turn.journal import Journal, ModelStep, ToolStep
from storage.models import Step, StepKind
from tests.core.llm.asking import answer_of, client_of
from tests.peers.dialects import DIALECTS, Ask, Dialect, Outcome
from tests.peers.dialects.dialect import is_sent
from tests.peers.endpoint import Endpoint

CLOCK = ToolSpec(
    name="clock",
    description="The present date, time and weekday.",
    parameters={"type": "object", "properties": {"timezone": {"type": "string"}}},
)
REASONS = {Outcome.CUT: "length", Outcome.FILTERED: "content_filter", Outcome.REFUSAL: "refusal"}
FAILURES = {
    Outcome.OVERFLOW: ContextOverflow,
    Outcome.DOWN: ModelDown,
    Outcome.REFUSED: ModelRefused,
}
ANSWERED = [each for each in DIALECTS if each.expects.outcome not in FAILURES]
FAILED = [each for each in DIALECTS if each.expects.outcome in FAILURES]


@dataclass
class Turn:
    """Model and tool by turns; between two calls nothing is kept but what is in the database."""

    model: EndpointModel
    request: ModelRequest
    steps: list[Step] = field(default_factory=list[Step])

    async def run(self) -> Finished:
        """The last answer."""
        while True:
            journal = Journal(self.steps)
            for call in journal.open_calls():
                result = ToolResult(text="It is noon.", is_error=False)
                self._record(StepKind.TOOL, ToolStep.of(call, result))
            messages = (*self.request.messages, *Journal(self.steps).as_prompt())
            finished = await answer_of(self.model, replace(self.request, messages=messages))
            if not finished.tool_calls:
                return finished
            self._record(StepKind.MODEL, ModelStep.of(finished))

    @property
    def calls(self) -> list[tuple[str, object]]:
        """Name and arguments of each call."""
        asked = [message for message in Journal(self.steps).as_prompt() if message.tool_calls]
        return [
            (call.name, json.loads(call.arguments)) for each in asked for call in each.tool_calls
        ]

    def _record(self, kind: StepKind, step: ModelStep | ToolStep) -> None:
        content = json.loads(json.dumps(asdict(step)))
        self.steps.append(Step(turn_id=1, number=len(self.steps) + 1, kind=kind, content=content))


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def turn(endpoint: Endpoint, dialect: Dialect) -> AsyncIterator[Turn]:
    """A question as the dialect needs it."""
    endpoint.play(dialect)
    async with client_of(endpoint.base_url) as client:
        limits = Limits(whole=60, wait=30)
        model = EndpointModel(client, "m", api=Api(dialect.api), limits=limits)
        yield Turn(model, _request(dialect.ask))


def _request(ask: Ask) -> ModelRequest:
    question = "What time is it? ".ljust(ask.characters, "x")
    asked = [PromptMessage(role=Role.USER, content=question)] * ask.messages
    return ModelRequest(
        messages=(
            PromptMessage(role=Role.SYSTEM, content="Be brief."),
            *asked,
        ),
        tools=(CLOCK,),
        temperature=ask.temperature,
        reasoning_effort=ask.effort,
    )


def by_name(dialect: Dialect) -> str:
    """What the test is called after."""
    return dialect.name


@pytest.mark.parametrize("dialect", ANSWERED, ids=by_name)
async def test_an_endpoint_is_understood(turn: Turn, endpoint: Endpoint, dialect: Dialect) -> None:
    expected = dialect.expects
    finished = await turn.run()
    assert finished.text == expected.text
    assert turn.calls == [(name, dict(arguments)) for name, arguments in expected.calls]
    usage = finished.usage
    if expected.usage:
        assert (usage.input, usage.cached, usage.output) == expected.usage
    if expected.outcome in REASONS:
        assert finished.finish_reason == REASONS[expected.outcome]
    last = endpoint.requests[-1]
    assert not [name for name in expected.without if is_sent(name, last)]


@pytest.mark.parametrize("dialect", FAILED, ids=by_name)
async def test_a_failure_is_known_for_what_it_is(turn: Turn, dialect: Dialect) -> None:
    expected = dialect.expects
    if dialect.ask.short_first:
        await Turn(turn.model, _request(replace(dialect.ask, characters=0))).run()
    with pytest.raises((ModelDown, ModelRefused)) as caught:
        await turn.run()
    assert isinstance(caught.value, FAILURES[expected.outcome])
    if isinstance(caught.value, ContextOverflow) and expected.limit:
        assert caught.value.budget <= expected.limit


@pytest.mark.parametrize("dialect", [each for each in ANSWERED if each.objections], ids=by_name)
async def test_what_was_refused_once_is_not_sent_again(
    turn: Turn, endpoint: Endpoint, dialect: Dialect
) -> None:
    await turn.run()
    before = len(endpoint.requests)
    await Turn(turn.model, turn.request).run()
    assert len(endpoint.requests) == before + 1 + len(dialect.expects.calls[:1])
