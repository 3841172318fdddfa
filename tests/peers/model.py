"""A ChatModel that says what it is told to, reply by reply, and can be held in the middle."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from enum import Enum

from core.llm import Finished, ModelEvent, ModelRequest, Role, TextDelta, TokenUsage, ToolCall


class Then(Enum):
    """What a reply can do besides saying something."""

    PAUSE = "wait until the test resumes it"
    BREAK_OFF = "end without a Finished"


Piece = str | TextDelta | ToolCall | Finished | BaseException | Then
Reply = Piece | tuple[Piece, ...]
_ONE_BY_ONE = 100  # words of an answer


def echo(request: ModelRequest) -> str:
    """Repeats the last message."""
    return f"You said: {request.messages[-1].content}"


def calling(tool: str, arguments: str = "{}", *, id: str = "c1") -> ToolCall:  # noqa: A002  # as the model calls it
    """A call of a tool."""
    return ToolCall(id=id, name=tool, arguments=arguments)


class ScriptedModel:
    """Plays these replies, one a request, and answers by `otherwise` when they are used up.

    A reply is a piece or several: text is streamed, a ToolCall stands at the end, an exception
    is raised, PAUSE releases `paused` and waits for `resume()`, a Finished ends it as it is.
    `is_idle`: no stream is open, after one was.
    """

    def __init__(self, *replies: Reply, otherwise: Callable[[ModelRequest], str] = echo) -> None:
        self.requests: list[ModelRequest] = []
        self.learnt_window: int | None = None
        self.most_output: int | None = None
        self.running = 0
        self.most_running = 0
        self.is_idle = asyncio.Event()
        self.paused = asyncio.Semaphore(0)
        self._go_on = asyncio.Event()
        self._script = deque(replies)
        self._otherwise = otherwise

    @property
    def name(self) -> str:
        """Says what it is."""
        return "scripted"

    @property
    def terms(self) -> str:
        """As ChatModel says."""
        return "scripted"

    @property
    def window(self) -> int | None:
        """As ChatModel says."""
        return self.learnt_window

    @property
    def prompts(self) -> list[list[tuple[Role, str]]]:
        """Role and text of every message of every request."""
        return [[(each.role, each.content) for each in asked.messages] for asked in self.requests]

    @property
    def questions(self) -> list[str]:
        """The last message of every request."""
        return [asked.messages[-1].content for asked in self.requests]

    def script(self, *replies: Reply) -> None:
        """Play these, too."""
        self._script.extend(replies)

    def resume(self) -> None:
        """Let everything go on that is paused, and nothing pause any more."""
        self._go_on.set()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """As ChatModel says."""
        if request.allow:
            self.most_output = await request.allow(self.name, request)
        self.requests.append(request)
        self.running += 1
        self.is_idle.clear()
        self.most_running = max(self.most_running, self.running)
        try:
            reply = self._script.popleft() if self._script else self._otherwise(request)
            pieces = reply if isinstance(reply, tuple) else (reply,)
            async for event in self._played(pieces):
                yield event
            if Then.BREAK_OFF not in pieces:
                yield _finished(pieces, self.name)
        finally:
            self.running -= 1
            if not self.running:
                self.is_idle.set()

    async def _played(self, pieces: Iterable[Piece]) -> AsyncGenerator[ModelEvent, None]:
        for piece in pieces:
            match piece:
                case str():
                    for words in _words(piece):
                        yield TextDelta(text=words)
                        await asyncio.sleep(0)
                case BaseException():
                    raise piece
                case TextDelta() | Finished():
                    yield piece
                case Then.PAUSE:
                    self.paused.release()
                    await self._go_on.wait()
                case ToolCall() | Then.BREAK_OFF:
                    pass


def _words(text: str) -> Iterable[str]:
    """One by one; of a long text several at once."""
    words = [word for word in text.replace(" ", " \0").split("\0") if word]
    at_once = 1 + len(words) // _ONE_BY_ONE
    return ("".join(words[n : n + at_once]) for n in range(0, len(words), at_once))


def _finished(pieces: Iterable[Piece], model: str) -> Finished:
    return Finished(
        text="".join(piece for piece in pieces if isinstance(piece, str)),
        model=model,
        tool_calls=tuple(piece for piece in pieces if isinstance(piece, ToolCall)),
        usage=TokenUsage(input=100, cached=40, output=10),
    )
