"""The words of `/agent` after a mention in a thread, where Slack takes no slash commands."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection
from weakref import WeakValueDictionary

from bots.slack.commands import SHARED_BY, SlackCommands
from bots.slack.refusals import Whispers
from core import kill_points
from core.clock import Clock
from core.config.binding import Listen
from core.messaging import threads
from core.messaging.messages import PlatformMessage

_ALONE = {"leave", "list", "status", "facts", "reset", "stop", "why", "help"}
_OF_AN_AGENT = {"facts", "reset"}
_FACT = re.compile(r"#?[0-9]{1,18}")
_ANSWER = re.compile(r"#?[0-9]{1,18}|[0-9]{1,10}\.[0-9]{6}|https?://\S+/p[0-9]{16}\S*")
_STATEMENT = re.compile(r"[^\n?]+")  # more is a conversation, and a question is for the agent
_OPTIONS = {each.value for each in Listen} | SHARED_BY


def command_in(text: str, agents: Collection[str]) -> tuple[str, str] | None:
    """The verb and what stands behind it; None where a sentence only begins with such a word.

    It is a command alone, or with what this command takes and nothing else. `remember` takes any
    statement, so it has to be written as the command is: in small letters.
    """
    word, _, rest = text.strip().partition(" ")
    verb, rest = word.casefold(), rest.strip()
    if not rest:
        verb = verb.rstrip(".!")
        return (verb, "") if verb in _ALONE else None
    is_command = (
        (verb in _OF_AN_AGENT and rest in agents)
        or (verb == "use" and _agent_of(rest) in agents)
        or (verb == "forget" and _FACT.fullmatch(rest))
        or (verb == "why" and _ANSWER.fullmatch(rest))
        or (word == "remember" and _STATEMENT.fullmatch(rest))
    )
    return (verb, rest) if is_command else None


def _agent_of(rest: str) -> str:
    """The name in what `use` takes, without how it is to listen and who shares its histories."""
    words = rest.split()
    while len(words) > 1 and words[-1] in _OPTIONS:
        words.pop()
    return " ".join(words)


class Words:
    """Each is done when it is heard, and once more at most: what it does can be done twice."""

    def __init__(
        self,
        commands: SlackCommands,
        agents: Callable[[], Collection[str]],
        whispers: Whispers,
        clock: Clock,
    ) -> None:
        """`agents` are the names of all."""
        self._commands = commands
        self._agents = agents
        self._whispers = whispers
        self._clock = clock
        self._hearing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def obeyed(self, heard: PlatformMessage) -> bool:
        """Whether it was one of them; then it is done, and whoever wrote it is told soon.

        Twins, as Slack's two events of a mention, wait for each other. An app commands nothing.
        """
        is_called = heard.is_mention and heard.thread
        if heard.is_by_app or heard.forwards or not is_called:
            return False
        command = command_in(heard.text, self._agents())
        if command is None:
            return False
        async with self._hearing.setdefault(heard.key, asyncio.Lock()):
            await self._obey(heard, *command)
        return True

    async def _obey(self, heard: PlatformMessage, verb: str, rest: str) -> None:
        """Done, then noted, then said: a crash before the note lets Slack deliver it again."""
        if await threads.was_obeyed(heard.stands_at, heard.position):
            return
        words = await self._commands.obey_word(heard, verb, rest)
        kill_points.reach("command done, not noted")
        if await threads.obeyed(heard.stands_at, heard.position, self._clock()):
            self._whispers.answer(heard, words)
