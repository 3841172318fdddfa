"""What `/agent`, a command of the agents file and the message shortcut say and do."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bots.slack import wording
from bots.slack.happenings import Shortcut, SlashCommand
from bots.slack.parse import position
from bots.slack.people import People
from core.address import Address
from core.agents_file import AgentsFile
from core.binding import Listen, SharedBy
from core.clock import Clock
from core.commands import Commands
from core.controls import Controls
from core.errors import UserMistake
from core.messages import Author, Heard
from core.reception import Reception

ASK_AGENT = "ask_agent"
AGENT = "/agent"
_LISTEN = {each.value for each in Listen}
_SHARED_BY = {each.value for each in SharedBy}
_PERMALINK = re.compile(r"https?://\S+/p(\d{10})(\d{6})\S*")

Verb = Callable[[SlashCommand, str], Awaitable[str]]


class SlackCommands:
    """Answers are for the person who asked, and nobody else sees them."""

    def __init__(
        self,
        commands: Commands,
        controls: Controls,
        people: People,
        file: AgentsFile,
        clock: Clock,
    ) -> None:
        self._commands = commands
        self._controls = controls
        self._people = people
        self._file = file
        self._clock = clock
        self._verbs: dict[str, Verb] = {
            "use": self._use,
            "list": self._list,
            "status": self._status,
            "facts": self._facts,
            "remember": self._remember,
            "forget": self._forget,
            "reset": self._reset,
            "stop": self._stop,
            "why": self._why,
        }

    async def obey(self, command: SlashCommand, reception: Reception) -> str:
        """Do what was commanded and say so, in Slack's markup."""
        try:
            if agent := self._file.commands.get(command.command):
                return await self._ask(command, command.text, agent, reception)
            verb, _, rest = command.text.partition(" ")
            if verb.casefold() == "ask":
                return await self._ask(command, rest.strip(), None, reception)
            if obeyed := self._verbs.get(verb.casefold()):
                return await obeyed(command, rest.strip())
        except UserMistake as mistake:
            return wording.sentence(str(mistake))
        return wording.help_text(verb)

    async def ask_about(self, shortcut: Shortcut, reception: Reception) -> None:
        """Ask the channel's agent about a message, in the thread of that message."""
        if shortcut.callback_id != ASK_AGENT:
            return
        now = self._clock()
        names = await self._people.names(shortcut.team, [shortcut.user])
        name = names.get(shortcut.user, shortcut.user)
        thread = shortcut.thread_ts or shortcut.message_ts
        heard = Heard(
            key=shortcut.key,
            place=Address(platform="slack", parts=(shortcut.team, shortcut.channel)),
            thread=thread,
            opens=None,
            reply_to=thread,
            author=Author(id=shortcut.user, name=name),
            text=wording.question_about(shortcut.text),
            sent_at=now,
            position=int(now.timestamp() * 1_000_000),
            is_direct=shortcut.channel.startswith("D"),
            is_mention=True,
            attachments=shortcut.attachments,
        )
        await reception.hear(replace(heard, agent=await self._commands.agent_at(heard.place)))

    async def _ask(
        self, command: SlashCommand, text: str, agent: str | None, reception: Reception
    ) -> str:
        """As a message of the channel, which opens no thread: there is nothing to open it at."""
        if not text:
            raise UserMistake(f"Say what to ask: {command.command} {'' if agent else 'ask '}TEXT.")
        if not await self._people.can_be_reached(command.team, command.channel):
            raise UserMistake(
                "I am not in this channel, so I could not answer here. Invite me (/invite and my "
                "name), or write to me directly."
            )
        now = self._clock()
        heard = Heard(
            key=command.key,
            place=command.place,
            thread=None,
            opens=None,
            author=command.author,
            text=text,
            sent_at=now,
            position=int(now.timestamp() * 1_000_000),
            is_direct=command.channel.startswith("D"),
            is_mention=True,
            agent=agent,
        )
        asked = await reception.answerer(heard)
        await reception.hear(heard)
        return wording.asking(asked or self._file.default_agent)

    async def _use(self, command: SlashCommand, rest: str) -> str:
        words = rest.split()
        listen, shared_by = Listen.ALL, None
        while len(words) > 1 and words[-1] in _LISTEN | _SHARED_BY:
            word = words.pop()
            if word in _LISTEN:
                listen = Listen(word)
            else:
                shared_by = SharedBy(word)
        if not words:
            raise UserMistake("Say which agent: /agent use NAME. /agent list shows who there is.")
        await self._check_may_manage(command)
        agent = " ".join(words)
        await self._commands.use(
            command.place, agent, command.user_name, listen=listen, conversation=shared_by
        )
        return wording.in_use(agent, listen)

    async def _list(self, command: SlashCommand, _: str) -> str:
        here = await self._commands.agent_at(command.place)
        return wording.agents(await self._commands.agents(), here)

    async def _status(self, command: SlashCommand, _: str) -> str:
        return wording.status(await self._commands.status(command.place))

    async def _facts(self, command: SlashCommand, rest: str) -> str:
        agent = await self._agent(command, rest)
        return wording.facts(agent, await self._commands.facts(command.place, agent))

    async def _remember(self, command: SlashCommand, rest: str) -> str:
        agent = await self._agent(command)
        fact = await self._commands.remember(
            command.place, agent, rest, author=command.author, key=command.key
        )
        return wording.remembered(agent, fact)

    async def _forget(self, command: SlashCommand, rest: str) -> str:
        number = rest.removeprefix("#")
        if not re.fullmatch(r"[0-9]{1,18}", number):
            raise UserMistake(
                "Say the number of the fact: /agent forget 7. /agent facts lists them."
            )
        agent = await self._agent(command)
        return wording.forgotten(await self._commands.forget(command.place, agent, int(number)))

    async def _reset(self, command: SlashCommand, rest: str) -> str:
        await self._check_may_manage(command)
        agent = await self._agent(command, rest)
        return wording.begun_anew(agent, await self._commands.reset_below(command.place, agent))

    async def _stop(self, command: SlashCommand, _: str) -> str:
        return wording.stopped(await self._controls.stop_below(command.place))

    async def _why(self, command: SlashCommand, rest: str) -> str:
        turn_id, message_ids = _reference(rest)
        found = await self._commands.why(command.place, turn_id=turn_id, message_ids=message_ids)
        return wording.why(found)

    async def _agent(self, command: SlashCommand, name: str = "") -> str:
        return name or await self._commands.agent_at(command.place)

    async def _check_may_manage(self, command: SlashCommand) -> None:
        may = await self._people.may_manage(command.team, command.channel, command.user)
        if may is None:
            raise UserMistake(
                "Slack did not tell me whether you may manage this channel, so I changed nothing. "
                "Please try again in a minute."
            )
        if not may:
            raise UserMistake(
                "Only whoever made this channel and the administrators of the workspace may do "
                "that. Please ask one of them."
            )


def _reference(text: str) -> tuple[int | None, list[str]]:
    """A turn's id, or a message's: its ts, or the link that Slack copies."""
    if found := _PERMALINK.fullmatch(text):
        return None, [f"{found[1]}.{found[2]}"]
    if position(text):
        return None, [text]
    if re.fullmatch(r"#?[0-9]{1,18}", text):
        return int(text.removeprefix("#")), []
    if text:
        raise UserMistake("Say which answer: its number, or the link of its message.")
    return None, []
