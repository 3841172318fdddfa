"""The tool `ask_agent`: what one agent asks another, answered in a history of the two."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import sha256

from core.address import Address
from core.config.spec import AgentSpec
from core.errors import ToolError, UserMistake
from core.messaging.intake import Intake
from core.messaging.messages import Author, RoutedMessage
from core.text import cleaned
from core.tools import Tool, ToolContext
from core.turn.answer import answer_to
from core.turn.worker import Worker

_NAME = "ask_agent"
_DEEPEST = 3  # agents that wait for each other
_MOST = 8  # questions of one answer
_SECONDS = 900  # a colleague's models and tools have limits of their own
_LONGEST = 4_000  # characters of a question


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """The agents that wait for the one that is asked now, and for whom the first of them asks."""

    agents: tuple[str, ...]
    person: Author
    at: Address


_waiting = ContextVar[_Waiting | None]("who waits for the agent that is asked now", default=None)


class Colleagues:
    """Asks agents for agents, in this process.

    The question is stored under the key of the tool call: cut off anywhere and made again, it is
    the same question, and its answer is looked up or gone on with.
    """

    def __init__(self, intake: Intake, worker: Callable[[], Worker]) -> None:
        self._intake = intake
        self._worker = worker

    def tool(self, spec: AgentSpec) -> Tool:
        """For an agent that has colleagues."""
        names = list(spec.colleagues)
        parameters = {
            "type": "object",
            "properties": {
                "name": {"type": "string", "enum": names, "description": "Who is asked."},
                "question": {
                    "type": "string",
                    "description": "The whole question: a colleague sees nothing of this talk.",
                },
            },
            "required": ["name", "question"],
        }

        async def run(arguments: Mapping[str, object], context: ToolContext) -> str:
            name, question = arguments.get("name"), arguments.get("question")
            if name not in names or not isinstance(name, str):
                raise ToolError(f"there is no colleague {name!r}; there are: {', '.join(names)}")
            if not isinstance(question, str) or not 0 < len(cleaned(question)) <= _LONGEST:
                raise ToolError(f"say the question, in at most {_LONGEST:,} characters")
            return await self._ask(spec.name, name, cleaned(question), context)

        about = "Ask a colleague, another agent with knowledge and tools of its own."
        return Tool(name=_NAME, description=about, parameters=parameters, run=run, seconds=_SECONDS)

    async def _ask(self, asker: str, name: str, question: str, context: ToolContext) -> str:
        """Only what the person who asked may ask the colleague there themselves.

        Raises:
            ToolError: it may not be asked, or has no answer.
        """
        if context.called.count(_NAME) >= _MOST:
            raise ToolError(f"colleagues were asked {_MOST} times for this answer already")
        with _while_waiting(asker, name, context) as waiting:
            try:
                await self._intake.gate.check(waiting.person, waiting.at, name)
                incoming = _incoming(asker, question, context)
                accepted = await self._intake.accept(incoming, name)
            except UserMistake as refused:
                raise ToolError(str(refused)) from refused
            answer = await answer_to(accepted, self._worker())
        if answer.is_failure:
            raise ToolError(f"{name} has no answer (turn {answer.turn_id}): {answer.text}")
        return f"{answer.text}\n\n({name}, turn {answer.turn_id})"


@contextmanager
def _while_waiting(asker: str, name: str, context: ToolContext) -> Generator[_Waiting]:
    """While `asker` waits for this one.

    Raises:
        ToolError: it waits for the asker itself, or too many wait already.
    """
    before = _waiting.get()
    person = Author(id=context.author_id, name=context.author)
    first = before or _Waiting(agents=(), person=person, at=context.address)
    waiting = replace(first, agents=(*first.agents, asker))
    if name in waiting.agents:
        raise ToolError(f"{name} waits for this answer itself: answer without it")
    if len(waiting.agents) > _DEEPEST:
        raise ToolError("too many agents wait for each other already: answer without another one")
    token = _waiting.set(waiting)
    try:
        yield waiting
    finally:
        _waiting.reset(token)


def _incoming(asker: str, question: str, context: ToolContext) -> RoutedMessage:
    """In a room of the two for that place, in which nobody else can look."""
    place = sha256(context.address.key.encode()).hexdigest()[:16]
    address = Address.parse(f"python/{asker} asks, {place}")
    key = f"{address.key}/{context.idempotency_key}"
    return RoutedMessage(
        key=key,
        address=address,
        author=Author(id=f"agent/{asker}", name=asker),
        text=question,
        sent_at=context.now,
        position=int(context.now.timestamp() * 1_000_000),
        reply_to=key,
    )
