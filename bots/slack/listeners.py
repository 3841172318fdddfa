"""The listeners: what Slack delivers is stored first, and acknowledged when they return."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_never
from weakref import WeakValueDictionary

from slack_bolt.async_app import AsyncAck, AsyncApp

from bots.hearing import hear
from bots.slack import parse
from bots.slack.agent_view import AgentView
from bots.slack.blocks import FEEDBACK, STOP
from bots.slack.commands import ASK_AGENT, SlackCommands
from bots.slack.event_types import (
    ChatOpened,
    Edited,
    HomeOpened,
    Press,
    Said,
    TurnedPrivate,
    Withdrawn,
)
from bots.slack.home import FORGET, Homes
from bots.slack.mention_commands import Words
from bots.slack.own import Own
from bots.slack.people import People
from bots.slack.refusals import Refusals
from core.address import Address
from core.commands.controls import Controls
from core.errors import NotAllowed
from core.messaging.intake import Reception
from core.messaging.messages import Author, PlatformMessage

log = logging.getLogger(__name__)

_NOT_UNDERSTOOD = "I did not understand that. Please try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the listeners hand over to.

    `own` is what `parse.event` takes. `uninstalled` is told the workspace.
    `whisper` tells whoever a response URL belongs to something that nobody else sees, soon.
    """

    reception: Reception
    people: People
    commands: SlackCommands
    words: Words
    controls: Controls
    homes: Homes
    refusals: Refusals
    agent_view: AgentView
    own: Callable[[], Own]
    uninstalled: Callable[[str], Awaitable[object]]
    whisper: Callable[[str, str], None]


class Listeners:
    """One for all workspaces and all ways in. What they raise is not acknowledged."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._channels: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def listen(self, app: AsyncApp) -> None:
        """Join the app, which asks one after the other whose a delivery is: the busiest first."""
        app.event("message")(self.said)
        app.event("app_mention")(self.said)
        app.block_action(FEEDBACK)(self.judged)
        app.block_action(STOP)(self.stopped)
        app.block_action(FORGET)(self.forgotten)
        app.command(re.compile(""))(self.commanded)
        app.message_shortcut(ASK_AGENT)(self.asked_about)
        app.event("app_home_opened")(self.opened)
        app.event("agent_session_stopped")(self.session_stopped)
        app.event("app_uninstalled")(self.uninstalled)
        app.event("tokens_revoked")(self.uninstalled)

    async def said(self, body: object) -> None:
        """A message, its edit or its end. A mention comes as two events: twins, stored once.

        What happens in a channel is stored in order: a name that Slack is slow to tell lets no
        later message, and no edit, overtake the message of its owner.
        """
        happened = parse.event(body, self._parts.own())
        match happened:
            case None:
                dropped(body)
            case Said():
                async with self._in_order(happened.unnamed.key):
                    await self._hear(await self._named(happened))
            case Edited():
                async with self._in_order(happened.said.unnamed.key):
                    edited = await self._named(happened.said)
                    await self._parts.reception.change(edited, happened.at)
            case Withdrawn():
                async with self._in_order(happened.key):
                    await self._parts.reception.withdraw(happened.key)
            case TurnedPrivate():
                await self._parts.reception.close(happened.place)
            case _:
                assert_never(happened)

    def _in_order(self, key: str) -> asyncio.Lock:
        """Whoever comes first in the channel of the message with this key goes first."""
        return self._channels.setdefault(key.rpartition("/")[0], asyncio.Lock())

    async def _named(self, said: Said) -> PlatformMessage:
        team = said.unnamed.place.parts[0]
        return parse.named(said, await self._parts.people.names(team, said.people))

    async def _hear(self, heard: PlatformMessage) -> None:
        if await self._parts.words.obeyed(heard):
            return
        accepted = await hear(self._parts.reception, self._parts.refusals, heard)
        if accepted and accepted.is_new:
            self._parts.agent_view.entitle(heard, accepted)

    async def opened(self, body: object) -> None:
        """The Home tab, or the Messages tab."""
        happened = parse.opened(body)
        match happened:
            case None:
                dropped(body)
            case HomeOpened():
                self._parts.homes.show(happened.team, happened.user, happened.direct)
            case ChatOpened():
                self._parts.agent_view.greet(happened.place, happened.user)
            case _:
                assert_never(happened)

    async def uninstalled(self, body: object) -> None:
        """The app is wanted no more, or the token of its bot was revoked."""
        if team := parse.uninstalled(body):
            await self._parts.uninstalled(team)

    async def session_stopped(self, body: object) -> None:
        """Slack's own Stop button."""
        if not (press := parse.stop_pressed(body)):
            dropped(body)
            return
        by = Author(id=press.user, name=press.user)
        try:
            await self._parts.controls.stop_in(
                press.place, by, thread=press.thread, message_ids=press.answers
            )
        except NotAllowed as refused:
            self._parts.refusals.tell(by, press.place, press.thread, refused)

    async def commanded(self, body: object, ack: AsyncAck) -> None:
        """A slash command: its answer comes with the acknowledgement, and nobody else sees it."""
        command = parse.command(body, await self._names(body))
        words = await self._parts.commands.obey(command) if command else _NOT_UNDERSTOOD
        await ack(words, response_type="ephemeral", unfurl_links=False, unfurl_media=False)

    async def asked_about(self, body: object, ack: AsyncAck) -> None:
        """The message shortcut. What went wrong is whispered: its acknowledgement says nothing."""
        if not (shortcut := parse.shortcut(body, await self._names(body))):
            dropped(body)
        elif refusal := await self._parts.commands.ask_about(shortcut):
            self._parts.whisper(shortcut.response_url, refusal)
        await ack()

    async def stopped(self, body: object, ack: AsyncAck) -> None:
        """The Stop button of an answer."""
        await self._press(body, lambda press, by: self._parts.controls.stop(press.value, by))
        await ack()

    async def judged(self, body: object, ack: AsyncAck) -> None:
        """The buttons for whether an answer was good."""
        await self._press(body, self._judge)
        await ack()

    async def forgotten(self, body: object, ack: AsyncAck) -> None:
        """A button of the Home tab."""
        await self._press(
            body,
            lambda press, _: self._parts.homes.forget(
                press.team, press.user, press.channel or "", press.value
            ),
        )
        await ack()

    async def _press(self, body: object, do: Callable[[Press, Author], Awaitable[object]]) -> None:
        if not (press := parse.press(body)):
            dropped(body)
            return
        by = Author(id=press.user, name=press.user)
        try:
            await do(press, by)
        except NotAllowed as refused:
            place = Address(platform="slack", parts=(press.team, press.channel or ""))
            self._parts.refusals.tell(by, place, press.thread_ts, refused)

    async def _judge(self, press: Press, by: Author) -> None:
        opinion, _, key = press.value.partition(":")
        if opinion in {"good", "bad"}:
            await self._parts.controls.judge(
                key, by, person=f"slack/{press.team}/{press.user}", is_good=opinion == "good"
            )

    async def _names(self, body: object) -> dict[str, str]:
        return await self._parts.people.names(parse.team_of(body), parse.people(body))


def dropped(body: object) -> None:
    """Say that nobody is meant by it: it is acknowledged, or Slack would deliver it again."""
    log.debug("delivery dropped", extra={"kind": parse.kind(body)})
