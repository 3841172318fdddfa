"""A chat platform in memory: shows what is posted, and fails when it is told to."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from core.messaging.adapter import Limits
from core.messaging.messages import Outgoing


@dataclass(kw_only=True)
class Post:
    """One visible message."""

    id: str
    key: str
    room: str
    agent: str
    text: str
    reply_to: str | None
    is_final: bool


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens at the nth call of one kind, before its effect or after it."""

    error: BaseException | None
    after_effect: bool


class Platform:
    """An Adapter. `calls` are the calls so far, `posts` what a person sees."""

    def __init__(
        self, *, text_length: int = 4_000, seconds_between_edits: float | None = None
    ) -> None:
        self.posts: list[Post] = []
        self.calls: list[str] = []
        self.held = asyncio.Semaphore(0)
        self.is_busy = False
        self._limits = Limits(text_length=text_length, seconds_between_edits=seconds_between_edits)
        self._counts = Counter[str]()
        self._faults: dict[tuple[str, int], Fault] = {}
        self._refused: dict[str, Exception] = {}
        self._go_on = asyncio.Event()
        self._posted = asyncio.Condition()

    @property
    def limits(self) -> Limits:
        """As it was made."""
        return self._limits

    @property
    def transcript(self) -> list[str]:
        """The texts of all messages, in the order in which they appeared."""
        return [post.text for post in self.posts]

    def fail(
        self, call: str, error: BaseException | None, *, nth: int = 1, after_effect: bool = False
    ) -> None:
        """Raise at the nth `call` from now on; without an error, hold it until `let_go`."""
        fault = Fault(error=error, after_effect=after_effect)
        self._faults[call, self._counts[call] + nth] = fault

    def fail_always(self, call: str, error: BaseException) -> None:
        """Raise at every `call` from now on."""
        self._faults[call, 0] = Fault(error=error, after_effect=False)

    def fail_on(self, text: str, error: Exception) -> None:
        """Raise whenever this text is to be shown."""
        self._refused[text] = error

    async def shows(self, count: int) -> None:
        """Wait for so many messages."""
        async with self._posted:
            await self._posted.wait_for(lambda: len(self.posts) >= count)

    def let_go(self) -> None:
        """Let what is held go on."""
        self._go_on.set()

    def may_preview(self, outgoing: Outgoing) -> bool:
        """Unless `is_busy`."""
        return not self.is_busy

    async def post(self, outgoing: Outgoing) -> str:
        """As Adapter says."""
        fault = await self._begin("post", outgoing.text)
        post = Post(
            id=f"m{len(self.posts) + 1}",
            key=outgoing.key,
            room=outgoing.address.key,
            agent=outgoing.agent,
            text=outgoing.text,
            reply_to=outgoing.reply_to,
            is_final=outgoing.is_final,
        )
        async with self._posted:
            self.posts.append(post)
            self._posted.notify_all()
        await self._end(fault)
        return post.id

    async def edit(self, message_id: str, outgoing: Outgoing) -> str:
        """As Adapter says."""
        fault = await self._begin("edit", outgoing.text)
        [post] = [each for each in self.posts if each.id == message_id]
        post.text = outgoing.text
        post.is_final = outgoing.is_final
        await self._end(fault)
        return message_id

    async def find(self, outgoing: Outgoing) -> str | None:
        """As Adapter says."""
        await self._begin("find")
        return next((post.id for post in self.posts if post.key == outgoing.key), None)

    async def _begin(self, call: str, text: str = "") -> Fault | None:
        self.calls.append(call)
        self._counts[call] += 1
        if text in self._refused:
            raise self._refused[text]
        fault = self._faults.get((call, self._counts[call]), self._faults.get((call, 0)))
        if fault and not fault.after_effect:
            await self._suffer(fault)
        return fault

    async def _end(self, fault: Fault | None) -> None:
        if fault and fault.after_effect:
            await self._suffer(fault)

    async def _suffer(self, fault: Fault) -> None:
        if fault.error:
            raise fault.error
        self.held.release()
        await self._go_on.wait()
