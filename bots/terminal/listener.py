"""The chat of a person at a screen: reads lines, waits for answers, obeys commands."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import TypeVar

from bots.terminal import format as looks
from bots.terminal import parse
from bots.terminal.adapter import ScreenAdapter
from bots.terminal.interrupts import Interrupts
from bots.terminal.parse import Command, Seat, Verb
from bots.terminal.prompt import Prompt, lasting_history, typing_ahead
from bots.terminal.screen import Screen
from bots.terminal.talk import Talk
from core.errors import UserMistake
from core.runtime import Runtime
from core.text import cleaned

T = TypeVar("T")

_SHOWN_ON_RETURN = 6  # messages
_DEMO = (
    "This is an offline demo, not a language model: it only looks up what was said here. "
    "Set OPENAI_API_KEY for a real one."
)
_NO_LONGER = "No longer waiting. What you said is kept and will be answered with your next message."
_KEPT = "What you said is kept and will be answered later."
_BEGAN_ANEW = (
    "We begin anew. What was said before is kept, but I no longer look at it.\n"
    "Facts stay: /facts lists them."
)
_NOTHING_YET = "Nothing was said here yet."
_NO_FACTS = "I remember nothing here yet."


class ScreenListener:
    """Talks until the person leaves. `told` are the errors whose sentence the person reads."""

    def __init__(self, runtime: Runtime, seat: Seat, told: tuple[type[Exception], ...]) -> None:
        self._runtime = runtime
        self._seat = seat
        self._told = told
        self._screen = Screen()
        self._adapter = ScreenAdapter(self._screen)
        self._talk = Talk(runtime, seat, self._adapter)
        self._interrupts = Interrupts()
        self._agent = ""
        self._is_done = False

    async def run(self, agent: str | None) -> None:
        """Talk to this agent, or to the one that answers in the room.

        Raises:
            UserMistake: there is no such agent.
        """
        agents = await self._talk.commands.agents()
        prompt = Prompt(lasting_history(self._runtime.settings), agents, self._interrupts)
        with typing_ahead():
            await self._talk_with(agent or await self._talk.agent_here(), prompt)

    async def _talk_with(self, agent: str, prompt: Prompt) -> None:
        await self._enter(agent)
        while not self._is_done and not self._interrupts.are_final:
            line = await prompt.line()
            if line is None:
                return
            await self._take(line)

    async def _take(self, line: str) -> None:
        try:
            if command := parse.command(line):
                await self._obey(command)
            elif text := cleaned(parse.message(line)):
                await self._ask(text)
        except self._told as error:
            self._screen.say(looks.sentence(str(error)), "")

    async def _enter(self, agent: str) -> None:
        """Show where the person is and what was said here, and let the agent catch up."""
        known = await self._runtime.directory.get(agent)
        self._agent = agent
        self._screen.say(looks.welcome(agent, self._seat), "")
        if self._runtime.models.is_demo(known.spec):
            self._screen.say(looks.sentence(_DEMO), "")
        commands, address = self._talk.commands, self._seat.address
        said = await commands.history(address, agent, limit=_SHOWN_ON_RETURN)
        unfinished = await commands.unfinished(address, agent)
        if unfinished is not None:
            said += await commands.open_questions(unfinished)
        if said:
            self._screen.say(looks.history(said, self._seat.person, self._talk.clock()), "")
        if unfinished is not None:
            await self._wait(self._talk.settle(agent), unfinished)

    async def _ask(self, text: str) -> None:
        incoming = self._talk.message(text)
        accepted = await self._talk.accept(incoming, self._agent)
        self._adapter.awaited = incoming.key
        self._screen.say("")
        answer = await self._wait(self._talk.answer(accepted), accepted.conversation_id)
        self._adapter.awaited = None
        if answer and not self._adapter.has_answered(incoming.key):  # another process wrote it
            self._screen.finish(self._agent, answer.text, is_late=False)

    async def _wait(self, work: Coroutine[None, None, T], conversation_id: int) -> T | None:
        """The outcome of the work; None if it failed or the person would not wait for it."""
        self._screen.think(self._agent)
        stop = partial(self._talk.worker.interrupt, conversation_id)
        try:
            return await self._interrupts.may_end(work, stop)
        except TimeoutError:
            self._screen.rest()
            if not self._interrupts.are_final:
                self._screen.say(looks.sentence(_NO_LONGER), "")
        except self._told as error:
            self._screen.rest()
            self._screen.say(looks.sentence(f"{error} {_KEPT}"), "")
        finally:
            self._screen.rest()
        return None

    async def _obey(self, command: Command) -> None:
        match command.verb:
            case Verb.AGENTS:
                agents = await self._talk.commands.agents()
                self._screen.say(looks.agents(agents, self._agent), "")
            case Verb.USE:
                await self._use(command.argument)
            case Verb.FACTS:
                await self._show_facts()
            case Verb.RESET:
                was_something = await self._talk.commands.reset(self._seat.address, self._agent)
                words = _BEGAN_ANEW if was_something else _NOTHING_YET
                self._screen.say(looks.quiet(words), "")
            case Verb.HELP:
                self._screen.say(looks.help_text(), "")
            case Verb.QUIT:
                self._is_done = True

    async def _use(self, agent: str) -> None:
        if not agent:
            raise UserMistake("Say which agent: /use NAME. /agents lists them.")
        await self._talk.commands.use(self._seat.address, agent, self._seat.person)
        await self._enter(agent)

    async def _show_facts(self) -> None:
        facts = await self._talk.commands.facts(self._seat.address, self._agent)
        shown = looks.facts(facts, self._talk.clock()) if facts else looks.quiet(_NO_FACTS)
        self._screen.say(shown, "")
