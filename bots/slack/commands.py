"""Reads what `/agent`, a command of the agents file and the message shortcut say on Slack."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bots.commands import Caller, ChatCommands
from bots.slack.event_types import Shortcut, SlashCommand
from bots.slack.parse import microseconds, position
from bots.slack.people import People
from bots.slack.reader import Channel
from core.clock import Clock
from core.config.agents_file import AgentsFile
from core.config.binding import Listen, SharedBy
from core.errors import UserMistake
from core.messaging.messages import Author, PlatformMessage

ASK_AGENT = "ask_agent"
AGENT = "/agent"
_LISTEN = {each.value for each in Listen}
SHARED_BY = {each.value for each in SharedBy}
_PERMALINK = re.compile(r"https?://\S+/p(\d{10})(\d{6})\S*")

Verb = Callable[[Caller, str], Awaitable[str]]


class SlackCommands:
    """Answers are for the person who asked, and nobody else sees them."""

    def __init__(self, chat: ChatCommands, people: People, file: AgentsFile, clock: Clock) -> None:
        self._chat = chat
        self._people = people
        self._file = file
        self._clock = clock
        self._verbs: dict[str, Verb] = {
            "use": self._use,
            "leave": lambda caller, _: chat.leave(caller),
            "list": lambda caller, _: chat.list(caller),
            "status": lambda caller, _: chat.status(caller),
            "facts": lambda caller, rest: chat.facts(caller, rest or None),
            "remember": chat.remember,
            "forget": self._forget,
            "reset": lambda caller, rest: chat.reset(caller, rest or None),
            "stop": lambda caller, _: chat.stop(caller),
            "why": self._why,
            "help": lambda caller, _: _at_once(chat.help()),
        }

    async def obey(self, command: SlashCommand) -> str:
        """Do what was commanded and say so, in Slack's markup."""
        return await self._chat.said(self._obeyed(command))

    async def _obeyed(self, command: SlashCommand) -> str:
        if agent := self._file.commands.get(command.command):
            return await self._ask(command, command.text, agent)
        verb, _, rest = command.text.partition(" ")
        if verb.casefold() == "ask":
            return await self._ask(command, rest.strip(), None)
        if obeyed := self._verbs.get(verb.casefold()):
            return await obeyed(self._caller(command), rest.strip())
        return self._chat.help(verb)

    async def obey_word(self, heard: PlatformMessage, verb: str, rest: str) -> str:
        """As `obey`, where a message says one of `/agent`'s words."""
        obeyed = self._verbs.get(verb)
        return await self._chat.said(obeyed(self._caller_of(heard), rest)) if obeyed else ""

    async def ask_about(self, shortcut: Shortcut) -> str:
        """Ask the channel's agent about a message, in its thread; why that was not done, if so."""
        return await self._chat.said(self._asked_about(shortcut))

    async def _asked_about(self, shortcut: Shortcut) -> str:
        """Somebody else's words are kept only where it is known that the bot may hear them."""
        channel = await self._people.channel(shortcut.team, shortcut.channel)
        if channel is None:
            raise UserMistake(
                "Slack did not tell me whether I am in this channel, so I did nothing. Please try "
                "again in a minute."
            )
        _check_may_speak(channel)
        now = self._clock()
        names = await self._people.names(shortcut.team, [shortcut.user])
        thread = shortcut.thread_ts or shortcut.message_ts
        caller = Caller(
            key=shortcut.key,
            place=channel.place,
            thread=thread,
            reply_to=thread,
            author=Author(id=shortcut.user, name=names.get(shortcut.user, shortcut.user)),
            position=microseconds(now),
            at=now,
            is_direct=shortcut.channel.startswith("D"),
            may_manage=_unasked,
        )
        await self._chat.ask_about(caller, shortcut.said)
        return ""

    async def _ask(self, command: SlashCommand, text: str, agent: str | None) -> str:
        """Ask as if it were a message in the channel; a command leaves none to open a thread at."""
        if not text:
            raise UserMistake(f"Say what to ask: {command.command} {'' if agent else 'ask '}TEXT.")
        caller = self._caller(command)
        if channel := await self._people.channel(command.team, command.channel):
            _check_may_speak(channel)
            caller = replace(caller, place=channel.place)
        return await self._chat.ask(caller, text, agent)

    async def _use(self, caller: Caller, rest: str) -> str:
        words = rest.split()
        listen, shared_by = Listen.ALL, None
        while len(words) > 1 and words[-1] in _LISTEN | SHARED_BY:
            word = words.pop()
            if word in _LISTEN:
                listen = Listen(word)
            else:
                shared_by = SharedBy(word)
        if not words:
            raise UserMistake("Say which agent: /agent use NAME. /agent list shows them all.")
        return await self._chat.use(caller, " ".join(words), listen, shared_by)

    async def _forget(self, caller: Caller, rest: str) -> str:
        number = rest.removeprefix("#")
        if not re.fullmatch(r"[0-9]{1,18}", number):
            raise UserMistake(
                "Say the number of the fact: /agent forget 7. /agent facts lists them."
            )
        return await self._chat.forget(caller, int(number))

    async def _why(self, caller: Caller, rest: str) -> str:
        turn_id, message_ids = _reference(rest)
        return await self._chat.why(caller, turn_id=turn_id, message_ids=message_ids)

    def _caller_of(self, heard: PlatformMessage) -> Caller:
        team, channel, user = *heard.place.parts, heard.author.id
        return Caller(
            key=heard.key,
            place=heard.place,
            thread=heard.thread,
            author=heard.author,
            position=heard.position,
            at=heard.sent_at,
            is_direct=heard.is_direct,
            may_manage=lambda: self._people.may_manage(team, channel, user),
        )

    def _caller(self, command: SlashCommand) -> Caller:
        now = self._clock()
        return Caller(
            key=command.key,
            place=command.place,
            author=command.author,
            position=microseconds(now),
            at=now,
            is_direct=command.channel.startswith("D"),
            may_manage=lambda: self._people.may_manage(command.team, command.channel, command.user),
        )


def _check_may_speak(channel: Channel) -> None:
    if not channel.may_speak:
        raise UserMistake(
            "I am not in this channel, so I could not answer here. Invite me (/invite and my "
            "name), or write to me directly."
        )


async def _at_once(words: str) -> str:
    return words


async def _unasked() -> None:
    """A shortcut changes nothing that one would have to manage."""


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
