"""What people command, on any platform with channels: done and said, once each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bots.wording import Wording, question_about
from core.address import Address
from core.commands.agent import Commands
from core.commands.controls import Controls
from core.config.binding import Listen, SharedBy
from core.errors import UserMistake
from core.messaging.intake import Reception
from core.messaging.messages import Attachment, Author, PlatformMessage, Quote
from core.messaging.quotes import is_let, readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who commands, and where.

    `key`, `position` and `at` are those of a message that is made of the command; `thread`,
    `opens`, `reply_to` and `reply_in` as in `PlatformMessage`. `may_manage` asks whether they may
    bind and reset there; None: the platform does not tell.
    """

    key: str
    place: Address
    author: Author
    position: int
    at: datetime
    is_direct: bool
    may_manage: Callable[[], Awaitable[bool | None]]
    thread: str | None = None
    opens: str | None = None
    reply_to: str | None = None
    reply_in: str | None = None

    @property
    def stands_at(self) -> Address:
        """The thread, or the channel outside of one."""
        return self.place.below(self.thread) if self.thread else self.place


class ChatCommands:
    """One method for each verb; each says what was done.

    All raise UserMistake for what the person can mend; `said` says that too.
    """

    def __init__(
        self, commands: Commands, controls: Controls, reception: Reception, wording: Wording
    ) -> None:
        self._commands = commands
        self._controls = controls
        self._reception = reception
        self._gate = reception.gate
        self._wording = wording

    async def said(self, answer: Awaitable[str]) -> str:
        """The answer, or what was mistaken."""
        try:
            return await answer
        except UserMistake as mistake:
            return self._wording.sentence(str(mistake))

    async def ask(self, caller: Caller, question: str, agent: str | None = None) -> str:
        """Store the question, for this agent or whoever it names or answers there."""
        accepted = await self._reception.hear(_heard(caller, question, agent=agent))
        if accepted is None:
            raise UserMistake("Say what to ask.")
        return self._wording.asking(accepted.agent)

    async def ask_about(self, caller: Caller, said: Quote) -> str:
        """Store a question about somebody's message, for the agent that answers there."""
        agent = await self._meant(caller)
        lets = partial(self._gate.lets, at=caller.stands_at, agent=agent)
        if not await is_let(said.author, lets):
            raise UserMistake(
                f"I did nothing: who wrote this may not ask {agent}, so it is not shown what they "
                "say."
            )
        said = await readable(said, lets)
        question = question_about(said.text)
        heard = _heard(caller, question, agent=agent, attachments=said.attachments)
        await self._reception.hear(heard)
        return self._wording.asking(agent)

    async def use(
        self, caller: Caller, agent: str, listen: Listen, conversation: SharedBy | None
    ) -> str:
        """Let the agent answer there."""
        await self._check_may_manage(caller, await self._meant(caller, agent))
        await self._commands.use(
            caller.stands_at, agent, caller.author.name, listen=listen, conversation=conversation
        )
        return self._wording.in_use(agent, listen)

    async def leave(self, caller: Caller) -> str:
        """Let nobody answer there who is not called: in the thread, or in the channel."""
        agent = await self._meant(caller)
        at = caller.stands_at
        if caller.is_direct:
            raise UserMistake(self._wording.answers_always())
        if caller.thread is None:
            await self._leave_channel(caller, agent)
        await self._commands.leave(at, position=caller.position)
        return self._wording.left(is_thread=caller.thread is not None)

    async def _leave_channel(self, caller: Caller, agent: str) -> None:
        """One that was told from chat to answer everything there does no longer."""
        binding = await self._commands.binding_at(caller.place)
        if binding is None or binding.listen is not Listen.ALL:
            return
        if binding.since is None:
            raise UserMistake(self._wording.bound_by_file(agent))
        await self._check_may_manage(caller, agent)
        await self._commands.use(
            caller.place,
            agent,
            caller.author.name,
            listen=Listen.MENTION,
            conversation=binding.conversation,
        )

    async def list(self, caller: Caller) -> str:
        """Whom they may ask."""
        await self._gate.check(caller.author, caller.stands_at)
        return self._wording.agents(await self.agents(caller), await self._here(caller))

    async def agents(self, caller: Caller) -> Sequence[str]:
        """The names of those that they may ask."""
        author, at = caller.author, caller.stands_at
        names = await self._commands.agents()
        return [name for name in names if await self._gate.lets(author, at, name)]

    async def status(self, caller: Caller) -> str:
        """Who answers there."""
        await self._meant(caller)
        return self._wording.status(await self._commands.status(caller.stands_at))

    async def facts(self, caller: Caller, agent: str | None = None) -> str:
        """What is remembered there."""
        name = await self._meant(caller, agent)
        return self._wording.facts(name, await self._commands.facts(caller.stands_at, name))

    async def remember(self, caller: Caller, fact: str) -> str:
        """Remember it there."""
        agent = await self._meant(caller)
        kept = await self._commands.remember(
            caller.stands_at, agent, fact, author=caller.author, key=caller.key
        )
        return self._wording.remembered(agent, kept)

    async def forget(self, caller: Caller, number: int) -> str:
        """Forget the fact of this number."""
        agent = await self._meant(caller)
        return self._wording.forgotten(await self._commands.forget(caller.stands_at, agent, number))

    async def reset(self, caller: Caller, agent: str | None = None) -> str:
        """Begin anew there."""
        name = await self._meant(caller, agent)
        await self._check_may_manage(caller, name)
        count = await self._commands.reset_below(await self._history(caller), name)
        return self._wording.begun_anew(name, count)

    async def stop(self, caller: Caller) -> str:
        """Stop what is being written there."""
        await self._meant(caller)
        there = await self._history(caller)
        return self._wording.stopped(await self._controls.stop_below(there, caller.author))

    async def why(
        self, caller: Caller, *, turn_id: int | None = None, message_ids: Sequence[str] = ()
    ) -> str:
        """What is behind an answer there: the newest one, or that of this turn or message."""
        await self._meant(caller)
        found = await self._commands.why(
            await self._history(caller), turn_id=turn_id, message_ids=message_ids
        )
        if found:
            await self._meant(caller, found.agent)
        return self._wording.why(found)

    def help(self, word: str = "") -> str:
        """What there is to command, after a word that is no command."""
        return self._wording.help_text(word)

    async def _history(self, caller: Caller) -> Address:
        return await self._commands.history_at(caller.stands_at)

    async def _here(self, caller: Caller) -> str:
        return await self._commands.agent_at(caller.stands_at)

    async def _meant(self, caller: Caller, agent: str | None = None) -> str:
        """The agent of this name, or that of the place, for somebody who may ask it."""
        name = agent or await self._here(caller)
        await self._gate.check(caller.author, caller.stands_at, name)
        return name

    async def _check_may_manage(self, caller: Caller, agent: str) -> None:
        if await self._gate.is_admin(caller.author, caller.stands_at, agent):
            return
        may = await caller.may_manage()
        if may is None:
            raise UserMistake(self._wording.rights_unknown())
        if not may:
            raise UserMistake(self._wording.not_allowed())


def _heard(
    caller: Caller, text: str, *, agent: str | None, attachments: tuple[Attachment, ...] = ()
) -> PlatformMessage:
    return PlatformMessage(
        key=caller.key,
        place=caller.place,
        thread=caller.thread,
        opens=caller.opens,
        author=caller.author,
        text=text,
        sent_at=caller.at,
        position=caller.position,
        is_direct=caller.is_direct,
        is_mention=True,
        reply_to=caller.reply_to,
        reply_in=caller.reply_in,
        attachments=attachments,
        agent=agent,
    )
