"""Messages from a program: one a line from a pipe, or a single one from the command line."""

from __future__ import annotations

import asyncio

from bots.terminal.adapter import PipeAdapter
from bots.terminal.parse import Seat
from bots.terminal.pipe import STDERR, STDIN, STDOUT, lines, write
from bots.terminal.talk import Talk
from core.messaging.messages import Outgoing, RoutedMessage
from core.runtime import Runtime
from core.text import cleaned
from core.turn.answer import has_failed


class PipeListener:
    """Each line is a message, each reply is on stdout before the next line is read.

    `told` are the errors whose sentence stands for a reply, because a program waits for one.
    """

    def __init__(self, runtime: Runtime, seat: Seat, told: tuple[type[Exception], ...]) -> None:
        self._told = told
        self._awaited: str | None = None
        self._scope = asyncio.timeout(None)
        self._adapter = PipeAdapter(self._stream_of, leave=lambda: _end(self._scope))
        self._talk = Talk(runtime, seat, self._adapter)

    async def run(self, agent: str | None) -> int:
        """Talk until the pipe ends; returns the exit code.

        Raises:
            UserMistake: there is no such agent.
            BrokenPipeError: nobody reads the replies any more.
        """
        agent = agent or await self._talk.agent_here()
        code = 0
        try:
            async with self._scope:
                await self._talk.settle(agent)
                async for line in lines(STDIN):
                    if text := cleaned(line):
                        code |= await self._reply(self._talk.message(text), agent)
        except TimeoutError as error:
            raise BrokenPipeError from error
        return code

    async def _reply(self, incoming: RoutedMessage, agent: str) -> int:
        self._awaited = incoming.key
        try:
            answer = await self._talk.answer(await self._talk.accept(incoming, agent))
        except self._told as error:
            write(STDOUT, str(error))
            return 1
        if not self._adapter.has_answered(incoming.key):  # another process wrote it
            write(STDOUT, answer.text)
        return 0

    async def _stream_of(self, outgoing: Outgoing) -> int:
        """A line has one reply; what another one is owed, once lines are read, is no reply."""
        return STDOUT if self._awaited in {None, outgoing.reply_to} else STDERR


class Question:
    """One message: its answer to stdout, why there is none to stderr, as everything else."""

    def __init__(self, runtime: Runtime, seat: Seat, text: str, agent: str) -> None:
        self._agent = agent
        self._scope = asyncio.timeout(None)
        self._adapter = PipeAdapter(self._stream_of, leave=lambda: _end(self._scope))
        self._talk = Talk(runtime, seat, self._adapter)
        self._text = text
        self._key = ""

    async def run(self) -> int:
        """Ask, wait, and return the exit code.

        Raises:
            UserMistake: there is no such agent.
            BrokenPipeError: nobody reads the answer any more.
        """
        try:
            async with self._scope:
                return await self._run()
        except TimeoutError as error:
            raise BrokenPipeError from error

    async def _run(self) -> int:
        await self._talk.settle(self._agent)
        incoming = self._talk.message(self._text)
        self._key = incoming.key
        answer = await self._talk.answer(await self._talk.accept(incoming, self._agent))
        if not self._adapter.has_answered(incoming.key):  # another process wrote it
            write(STDERR if answer.is_failure else STDOUT, answer.text)
        return 1 if answer.is_failure else 0

    async def _stream_of(self, outgoing: Outgoing) -> int:
        is_answer = outgoing.reply_to == self._key and not await has_failed(self._key)
        return STDOUT if is_answer else STDERR


def _end(scope: asyncio.Timeout) -> None:
    if not scope.expired():
        scope.reschedule(asyncio.get_running_loop().time())
