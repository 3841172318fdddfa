"""Which agent answers at an address, and in which of its conversations."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from core.address import Address
from core.config.agents_file import AgentsFile
from core.config.binding import Binding, Listen, SharedBy
from core.messaging import threads
from core.messaging.directory import Directory
from core.messaging.messages import NO_WORDS, PlatformMessage
from storage import activity

_NAMED = re.compile(
    r"\s*(?:ask\s+)?@?(?P<name>[^\s:,][^:,\n]{0,63}?)\s*[:,]\s+(?P<rest>.+)", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who answers a message, in which conversation, beside what, and what was asked.

    `thread` is the key of the one that it stands in or opens. `is_called` is False where the agent
    only goes on in a thread.
    """

    agent: str
    address: Address
    reply_to: str | None
    text: str
    thread: str | None
    is_called: bool


async def agent_at(address: Address, file: AgentsFile, directory: Directory) -> str:
    """The name of the agent that is bound to this address, or the default agent's."""
    binding = await binding_at(address, file, directory)
    return binding.agent if binding else file.default_agent


async def route(heard: PlatformMessage, file: AgentsFile, directory: Directory) -> Route | None:
    """Where the message goes; None if nobody should answer it.

    The longest binding decides, the agents file before chat. An agent is also reached by name,
    "support: …" or "@bot support …", wherever the bot is, and by a reply to what it said. In a
    thread whoever was asked last goes on. An app is heard where the binding says so, in threads
    only when it calls an agent, and never when it replies to one: that would not end.
    """
    agents = directory.names
    binding = await binding_at(heard.stands_at, file, directory)
    if heard.is_by_app and not _hears_app(heard, binding):
        return None
    named, text = _addressed(heard, agents)
    if named is None and heard.answers:
        spoken_to = await activity.agent_behind(heard.place.key, heard.answers)
        named = spoken_to if spoken_to in agents else None
    bound = binding.agent if binding else file.default_agent
    is_called = bool(named) or heard.is_direct or heard.is_mention
    agent = (named or bound) if is_called else await _uncalled(heard, binding)
    if agent is None or (agent not in agents and not is_called):
        return None
    shared_by = _shared_by(heard, binding)
    opens_thread = shared_by is SharedBy.THREAD and heard.thread is None
    listens = binding is not None and _listens(binding, heard)
    return Route(
        agent=agent,
        address=_conversation(heard, shared_by),
        reply_to=heard.reply_in if opens_thread else heard.reply_to,
        text=text,
        thread=_thread(heard, opens=opens_thread),
        is_called=is_called or listens,
    )


def _hears_app(heard: PlatformMessage, binding: Binding | None) -> bool:
    is_called = heard.thread is None or heard.is_mention
    return binding is not None and binding.bots and is_called and heard.answers is None


async def _uncalled(heard: PlatformMessage, binding: Binding | None) -> str | None:
    """Who answers a message that calls nobody; outside of threads the database is not asked."""
    listens = binding is not None and _listens(binding, heard)
    if heard.thread is None or (binding and binding.listen is Listen.MENTION_ONLY):
        return binding.agent if binding and listens else None
    return await threads.goes_on(heard, binding, listens=listens)


def _thread(heard: PlatformMessage, *, opens: bool) -> str | None:
    if heard.is_direct:
        return None
    thread = heard.thread or (heard.opens if opens else None)
    return heard.place.below(thread).key if thread else None


async def binding_at(address: Address, file: AgentsFile, directory: Directory) -> Binding | None:
    """The binding that decides there, the file's before one from chat; None if there is none.

    One from chat that has outlived its agent decides nothing.
    """
    prefixes, agents = address.prefixes, directory.names
    chosen = await directory.bindings.among(prefixes)
    found = {at: binding for at, binding in chosen.items() if binding.agent in agents}
    found |= {binding.at.key: binding for binding in file.bindings}
    return next((found[at] for at in prefixes if at in found), None)


def _listens(binding: Binding, heard: PlatformMessage) -> bool:
    was_there = binding.since is None or heard.sent_at >= binding.since
    return binding.listen is Listen.ALL and was_there


def unaddressed(heard: PlatformMessage, agents: Collection[str]) -> str:
    """What was said, without the name of the agent that it was said to."""
    _, text = _addressed(heard, agents)
    return text


def _addressed(heard: PlatformMessage, agents: Collection[str]) -> tuple[str | None, str]:
    """The agent that was named, beside the text or at its beginning, and the text without it."""
    if heard.agent:
        return heard.agent, heard.text
    by_name = {name.casefold(): name for name in agents}
    if (match := _NAMED.fullmatch(heard.text)) and (name := by_name.get(match["name"].casefold())):
        return name, match["rest"]
    if heard.is_mention or heard.is_direct:
        if name := by_name.get(heard.text.strip().rstrip(" :,").casefold()):
            return name, NO_WORDS
        first, _, rest = heard.text.strip().partition(" ")
        if rest and (name := by_name.get(first.casefold())):
            return name, rest.strip()
    return None, heard.text


def _shared_by(heard: PlatformMessage, binding: Binding | None) -> SharedBy:
    if binding and binding.conversation:
        return binding.conversation
    if heard.is_direct:
        return SharedBy.CHANNEL
    # A thread of Discord is a channel of its own, but a message outside opens none unasked.
    is_threaded = heard.place.platform == "slack" or heard.thread
    return SharedBy.THREAD if is_threaded else SharedBy.CHANNEL


def _conversation(heard: PlatformMessage, shared_by: SharedBy) -> Address:
    """Whatever is shared by a channel, a private thread has for itself."""
    match shared_by:
        case SharedBy.CHANNEL:
            return heard.stands_at.shared
        case SharedBy.THREAD:
            thread = heard.thread or heard.opens
            return heard.place.below(thread) if thread else heard.place
        case SharedBy.USER:
            return heard.stands_at.shared.below(f"@{heard.author.id}")
