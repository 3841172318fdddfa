"""Agents from Python: create, find, ask, stream."""

from __future__ import annotations

import asyncio
import getpass
import secrets
from collections.abc import AsyncGenerator
from functools import cache
from types import FunctionType
from typing import cast

from core.address import Address
from core.api.process import opened
from core.config.spec import AgentSpec
from core.errors import AnswerFailed, ConfigMistake, MooringsError, UserMistake
from core.llm.pricing import Prices, uncountable
from core.messaging.directory import KnownAgent
from core.messaging.intake import Accepted
from core.messaging.messages import Author, RoutedMessage
from core.runtime import Runtime
from core.text import cleaned
from core.turn.answer import answer_to
from core.turn.python_caller import CallerAdapter
from core.turn.resources import Answer
from core.turn.worker import Worker
from storage.errors import StorageError

Failure = StorageError | MooringsError

_LONGEST_NAME = 80  # characters


class Agent:
    """A named agent. Its prompts, model and tools live in code, its history in the database.

    >>> agent = await Agent.create(name="Planner", model="gpt-6-luna", instructions="…")
    >>> await agent.ask("Remember that our project deadline is March 15th")
    """

    def __init__(self, known: KnownAgent) -> None:
        self._known = known

    @classmethod
    async def create(cls, *, name: str, **configuration: object) -> Agent:
        """The agent of this name, with this configuration from now on.

        `configuration` takes what an agent's table in agents.toml takes: model, instructions
        (or system_prompt), memory, tools, temperature, reasoning_effort, api, base_url,
        api_key_env, fallback_models, colleagues, first_token_seconds, window_tokens, daily_usd,
        prompt_cache, display_name, icon, max_messages. An existing agent keeps its history and
        facts. A tool may be given as the function itself if it stands in an importable module.

        Raises:
            ConfigMistake: something in it cannot be used.
            DatabaseUnusable, DatabaseBusy: the database of the environment cannot be used.
        """
        if "system_prompt" in configuration:
            configuration.setdefault("instructions", configuration.pop("system_prompt"))
        if isinstance(tools := configuration.get("tools"), list | tuple):
            given = cast("list[object] | tuple[object, ...]", tools)
            configuration["tools"] = tuple(_reference(tool) for tool in given)
        spec = AgentSpec.checked(name=name, **configuration)
        runtime = await opened()
        _check_budget(spec, runtime.prices)
        return cls(await runtime.directory.register(spec))

    @classmethod
    async def find_by_name(cls, name: str) -> Agent | None:
        """The agent of that name, as it was created or as agents.toml has it; None if unknown.

        Raises:
            DatabaseUnusable, DatabaseBusy: the database of the environment cannot be used.
        """
        runtime = await opened()
        known = await runtime.directory.recall(name)
        return cls(known) if known else None

    @property
    def name(self) -> str:
        """What it is called."""
        return self._known.spec.name

    async def ask(self, text: str, *, room: str = "main", person: str | None = None) -> str:
        """The answer to `text`, in the conversation that this agent has in `room`.

        The question is stored before it is worked on: asked again after a crash, it is the
        next message. `person` is who speaks; the user who runs the program if not given.

        Raises:
            AnswerFailed: there will be no answer; says why.
            UserMistake: the text is empty, or the room's or person's name cannot be used.
            DatabaseUnusable, DatabaseBusy: it is stored and will be answered later, or is not.
        """
        runtime = await opened()
        with runtime.in_use():
            accepted = await self._accept(runtime, text, room, person)
            adapter = CallerAdapter()
            worker = runtime.worker({"python": adapter})
            return _text(await answer_to(accepted, worker), adapter.reason(accepted.key))

    async def stream(
        self, text: str, *, room: str = "main", person: str | None = None
    ) -> AsyncGenerator[str, None]:
        """As `ask`, piece by piece while the answer is written; closed early, it is stopped.

        Raises:
            AnswerFailed, UserMistake, DatabaseUnusable, DatabaseBusy: as for `ask`.
        """
        runtime = await opened()
        with runtime.in_use():
            accepted = await self._accept(runtime, text, room, person)
            adapter = CallerAdapter(accepted.key)
            worker = runtime.worker({"python": adapter})
            async with asyncio.TaskGroup() as group:
                answering = group.create_task(_outcome(accepted, worker, adapter))
                try:
                    async for delta in adapter.deltas():
                        yield delta
                except GeneratorExit:
                    if not worker.interrupt(accepted.conversation_id, asked=accepted.key):
                        answering.cancel()
                    return
            outcome = answering.result()
            if isinstance(outcome, Exception):
                raise outcome
            _text(outcome, adapter.reason(accepted.key))

    async def _accept(self, runtime: Runtime, text: str, room: str, person: str | None) -> Accepted:
        if not cleaned(text):
            raise UserMistake("The message is empty: say something to be answered.")
        address = Address.parse(f"python/{room}")
        who = _whoever_runs_this() if person is None else person
        if not (0 < len(who) <= _LONGEST_NAME and who.isprintable()):
            raise UserMistake(f"A person's name has 1 to {_LONGEST_NAME} printable characters.")
        now = runtime.clock()
        key = f"{address.key}/{secrets.token_hex(8)}"
        incoming = RoutedMessage(
            key=key,
            address=address,
            author=Author(id=who, name=who),
            text=text,
            sent_at=now,
            position=int(now.timestamp() * 1_000_000),
            reply_to=key,
        )
        return await runtime.intake.accept(incoming, self.name)


async def _outcome(accepted: Accepted, worker: Worker, adapter: CallerAdapter) -> Answer | Failure:
    """The answer, or why there is none: raised here, it would cancel whoever takes the pieces."""
    whole = None
    try:
        answer = await answer_to(accepted, worker)
        whole = None if answer.is_failure else answer.text
    except (StorageError, MooringsError) as failure:
        return failure
    else:
        return answer
    finally:
        adapter.finish(whole)


@cache  # else the list of users is read for each question
def _whoever_runs_this() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "you"


def _text(answer: Answer, reason: str | None) -> str:
    if answer.is_failure:
        raise AnswerFailed(f"{answer.text} ({reason})" if reason else answer.text)
    return answer.text


def _reference(tool: object) -> str:
    """A tool as agents.toml names it; a function by its module and name."""
    if isinstance(tool, str):
        return tool
    if isinstance(tool, FunctionType) and "." not in tool.__qualname__:
        return f"{tool.__module__}:{tool.__name__}"
    raise ConfigMistake(f"{tool!r} is no tool: give a name, 'module:function' or a function.")


def _check_budget(spec: AgentSpec, prices: Prices) -> None:
    for model in (spec.model, *spec.fallback_models):
        if spec.daily_usd is not None and not prices.knows(model):
            raise ConfigMistake(f"agent {spec.name!r}: daily_usd: {uncountable(model)}")
