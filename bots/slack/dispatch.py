"""Dispatches what Slack delivers, by socket or HTTP: stored first, and only then acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from bots.capacity import Capacity
from bots.slack import parse
from bots.slack.agent_view import AgentView
from bots.slack.blocks import FEEDBACK, STOP
from bots.slack.commands import SlackCommands
from bots.slack.events import (
    ChatOpened,
    Edited,
    HomeOpened,
    Press,
    Shortcut,
    StopPressed,
    TurnedPrivate,
    Uninstalled,
    Withdrawn,
)
from bots.slack.home import FORGET, Homes
from bots.slack.people import People
from bots.slack.refusals import Refusals
from bots.slack.words import Words
from core.address import Address
from core.commands.controls import Controls
from core.errors import NotAllowed, Transient, UserMistake
from core.messaging.intake import Reception
from core.messaging.messages import Author, Heard
from core.messaging.storing import storing

log = logging.getLogger(__name__)

_LAST_ATTEMPT = 3  # Slack delivers an event once, and three times again
_NOT_UNDERSTOOD = "I did not understand that. Please try again."


class Kind(StrEnum):
    """What Slack delivers, by the names that Socket Mode has for it."""

    EVENT = "events_api"
    COMMAND = "slash_commands"
    INTERACTION = "interactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What the dispatcher hands over to.

    `uninstalled` is told the workspace. `missed` is called when Slack has given up an event.
    `whisper` tells whoever a response URL belongs to something that nobody else sees, soon.
    """

    people: People
    commands: SlackCommands
    words: Words
    controls: Controls
    homes: Homes
    refusals: Refusals
    agent_view: AgentView
    uninstalled: Callable[[str], Awaitable[object]]
    missed: Callable[[], None]
    whisper: Callable[[str, str], None]


class Dispatcher:
    """One for all workspaces and all ways in."""

    def __init__(self, reception: Reception, handlers: Handlers) -> None:
        self._reception = reception
        self._handlers = handlers
        self._capacity = Capacity()

    async def take(self, kind: str, body: object, *, attempt: int = 0) -> str:
        """Take one delivery; when this returns, acknowledge it, with these words if there are any.

        `attempt` counts those that Slack made before.

        Raises:
            Transient: it is not stored; do not acknowledge it.
        """
        try:
            with storing(), self._capacity.used():
                return await self._taken(kind, body)
        except Transient:
            if attempt >= _LAST_ATTEMPT:
                self._handlers.missed()
            raise

    async def _taken(self, kind: str, body: object) -> str:
        match kind:
            case Kind.EVENT:
                return await self._event(body)
            case Kind.COMMAND:
                return await self._command(body)
            case Kind.INTERACTION:
                return await self._interaction(body)
            case _:
                return self._ignored(body)

    async def _event(self, body: object) -> str:
        happened = parse.event(body)
        match happened:
            case None:
                return self._ignored(body)
            case Heard() | Edited() | Withdrawn():
                await self._message(body)
            case TurnedPrivate():
                await self._reception.close(happened.place)
            case HomeOpened():
                self._handlers.homes.show(happened.team, happened.user, happened.direct)
            case ChatOpened():
                self._handlers.agent_view.greet(happened.place, happened.user)
            case StopPressed():
                await self._stop_pressed(happened)
            case Uninstalled():
                await self._handlers.uninstalled(happened.team)
            case _:
                assert_never(happened)
        return ""

    async def _stop_pressed(self, press: StopPressed) -> None:
        by = Author(id=press.user, name=press.user)
        try:
            await self._handlers.controls.stop_in(
                press.place, by, thread=press.thread, message_ids=press.answers
            )
        except NotAllowed as refused:
            self._handlers.refusals.tell(by, press.place, press.thread, refused)

    async def _message(self, body: object) -> None:
        """Only what is kept needs names, for which Slack may have to be asked."""
        happened = parse.event(body, await self._names(body))
        match happened:
            case Heard():
                await self._hear(happened)
            case Edited():
                await self._reception.change(happened.heard)
            case Withdrawn():
                await self._reception.withdraw(happened.key)
            case _:
                self._ignored(body)

    async def _hear(self, heard: Heard) -> None:
        if await self._handlers.words.obeyed(heard):
            return
        try:
            accepted = await self._reception.hear(heard)
        except NotAllowed as refused:
            self._handlers.refusals.answer(heard, refused)
            return
        except UserMistake as mistake:  # a binding from chat outlived its agent
            log.warning("nobody can answer", extra={"key": heard.key, "why": str(mistake)})
            return
        if accepted and accepted.is_new:
            self._handlers.agent_view.entitle(heard, accepted)

    async def _command(self, body: object) -> str:
        command = parse.command(body, await self._names(body))
        if command is None:
            self._ignored(body)
            return _NOT_UNDERSTOOD
        return await self._handlers.commands.obey(command)

    async def _interaction(self, body: object) -> str:
        happened = parse.interaction(body, await self._names(body))
        match happened:
            case None:
                return self._ignored(body)
            case Press():
                await self._pressed(happened)
            case Shortcut():
                await self._ask_about(happened)
            case _:
                assert_never(happened)
        return ""

    async def _ask_about(self, shortcut: Shortcut) -> None:
        """What went wrong is whispered: the acknowledgement of a shortcut says nothing."""
        if refusal := await self._handlers.commands.ask_about(shortcut):
            self._handlers.whisper(shortcut.response_url, refusal)

    async def _pressed(self, press: Press) -> None:
        try:
            await self._press(press)
        except NotAllowed as refused:
            author = Author(id=press.user, name=press.user)
            place = Address(platform="slack", parts=(press.team, press.channel or ""))
            self._handlers.refusals.tell(author, place, press.thread_ts, refused)

    async def _press(self, press: Press) -> None:
        by = Author(id=press.user, name=press.user)
        if press.action == STOP:
            await self._handlers.controls.stop(press.value, by)
        elif press.action == FEEDBACK:
            opinion, _, key = press.value.partition(":")
            if opinion in {"good", "bad"}:
                await self._handlers.controls.judge(
                    key, by, person=f"slack/{press.team}/{press.user}", is_good=opinion == "good"
                )
        elif press.action == FORGET:
            await self._handlers.homes.forget(
                press.team, press.user, press.channel or "", press.value
            )

    async def _names(self, body: object) -> dict[str, str]:
        return await self._handlers.people.names(parse.team_of(body), parse.people(body))

    def _ignored(self, body: object) -> str:
        """Slack would deliver it again and again if it were not acknowledged."""
        log.debug("delivery dropped", extra={"kind": parse.kind(body)})
        return ""
