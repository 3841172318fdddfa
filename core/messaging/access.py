"""Lets people ask agents, or says why not: who, where, in which workspace, how often."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Protocol

import humanize

from core.address import Address
from core.clock import Clock
from core.config.access import EVERY_WORKSPACE, OPEN, WHY_REFUSED, Access, refused
from core.config.agents_file import AgentsFile
from core.errors import NotAllowed
from core.messaging.messages import Author
from storage import allowances
from storage.allowances import Limit, UsedUp

log = logging.getLogger(__name__)

_TOLD_SECONDS = 3_600  # between two sentences to one person that they may not
_ELSEWHERE = "I do not answer here yet. Please ask whoever runs me to let me."
_NOT_THEM = "You may not ask {} here. Please ask whoever runs me to let you."
_UNKNOWN = "I could not find out whether you may ask {}. Please try again in a minute."
_WITHIN = {1: "a second", 60: "a minute", 3_600: "an hour", 86_400: "a day"}


class Guard(Protocol):
    """What a platform knows of people. What it does not know matches nothing."""

    def workspaces(self, at: Address) -> frozenset[str]:
        """Those that the bot is in; the one that this place is in, if it is in one, among them."""
        ...

    async def among(
        self, author: Author, at: Address, workspaces: frozenset[str]
    ) -> frozenset[str]:
        """Those of these workspaces that whoever writes there is a member of."""
        ...

    async def belongings(
        self, author: Author, at: Address, wanted: frozenset[str]
    ) -> frozenset[str] | None:
        """Which of these roles or user groups they have; None: nobody can tell now."""
        ...


class Gate:
    """One for a process. A platform without a guard, as a terminal, lets everybody in."""

    def __init__(self, file: AgentsFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._guards: dict[str, Guard] = {}
        self._reported: set[str] = set()

    def join(self, platform: str, guard: Guard) -> None:
        """Ask this guard about people of this platform."""
        self._guards[platform] = guard

    def report(self, workspaces: Mapping[str, str]) -> None:
        """The bot is in these (names by id): the log names each once that it does not serve."""
        not_served = refused(self._file.access, frozenset(workspaces))
        for each in sorted(not_served - self._reported):
            extra = {"workspace": each, "called": workspaces[each], "why": WHY_REFUSED}
            log.warning("workspace not served", extra=extra)
        self._reported = (self._reported - workspaces.keys()) | not_served

    async def check(self, author: Author, at: Address, agent: str | None = None) -> None:
        """Whether they may ask this agent there; None: any.

        Raises:
            NotAllowed: says who can change that.
        """
        guard = self._guards.get(at.platform)
        if guard is None:
            return
        rules = self._rules(agent)
        await self._check_workspace(author, at, guard, rules)
        if all(rule.allow is None and not rule.deny for rule in rules):
            return
        known = await self._known(author, at, guard, rules)
        those = _identities(author, at) | (known or frozenset())
        if any(those & rule.admins for rule in rules):
            return
        is_denied = any(those & rule.deny for rule in rules)
        is_allowed = all(rule.allow is None or those & rule.allow for rule in rules)
        is_unsure = known is None and any(rule.belongings & rule.deny for rule in rules)
        if is_denied or is_unsure or not is_allowed:
            sentence = _NOT_THEM if known is not None or is_denied else _UNKNOWN
            raise NotAllowed(sentence.format(agent or "me"))

    async def lets(self, author: Author, at: Address, agent: str | None = None) -> bool:
        """Whether `check` says nothing."""
        try:
            await self.check(author, at, agent)
        except NotAllowed:
            return False
        return True

    async def admit(self, author: Author, at: Address, agent: str) -> list[Limit]:
        """As `check`, for a question; what it has to be counted for when it is stored."""
        await self.check(author, at, agent)
        found = list(self._limits(author, at, agent)) if at.platform in self._guards else []
        return [] if found and await self.is_admin(author, at, agent) else found

    def refusal(self, used_up: UsedUp, author: Author) -> NotAllowed:
        """What to say to somebody whose question was one too many."""
        limit = used_up.limit
        is_theirs = limit.whom.endswith(f"/{author.id}")
        whose = "You have asked" if is_theirs else "People here have asked"
        wait = max(used_up.again_at - self._clock(), timedelta()) + timedelta(seconds=29)  # rounded
        return NotAllowed(
            f"{whose} {limit.most} times within {_WITHIN[limit.seconds]}, and that is the most. "
            f"Please ask again in {humanize.naturaldelta(wait)}."
        )

    async def is_admin(self, author: Author, at: Address, agent: str | None = None) -> bool:
        """Whether somebody is an administrator of this agent, or of all."""
        guard = self._guards.get(at.platform)
        rules = self._rules(agent)
        if guard is None or not any(rule.admins for rule in rules):
            return False
        those = _identities(author, at)
        if any(those & rule.admins for rule in rules):
            return True
        known = await self._known(author, at, guard, rules) or frozenset()
        return any(known & rule.admins for rule in rules)

    async def may_be_told(self, author: Author, at: Address) -> bool:
        """Whether to say that they may not: once in an hour in a workspace."""
        whom = f"told/{'/'.join((at.platform, *at.parts[:1]))}/{author.id}"
        return await allowances.use(Limit(whom=whom, most=1, seconds=_TOLD_SECONDS), self._clock())

    def _rules(self, agent: str | None) -> tuple[Access, ...]:
        return self._file.access, self._file.agent_access.get(agent or "", OPEN)

    async def _check_workspace(
        self, author: Author, at: Address, guard: Guard, rules: tuple[Access, ...]
    ) -> None:
        everywhere, _ = rules
        if everywhere.workspaces is None and len(guard.workspaces(at)) > 1:
            raise NotAllowed(_ELSEWHERE)
        for rule in rules:
            listed = rule.workspaces
            if listed is None or EVERY_WORKSPACE in listed:
                continue
            if not await guard.among(author, at, listed):
                raise NotAllowed(_ELSEWHERE)

    async def _known(
        self, author: Author, at: Address, guard: Guard, rules: tuple[Access, ...]
    ) -> frozenset[str] | None:
        """Their roles and user groups, as far as something depends on them."""
        named = {each for rule in rules for each in rule.belongings}
        wanted = frozenset(each for each in named if each.startswith(f"{at.platform}/"))
        return await guard.belongings(author, at, wanted) if wanted else wanted

    def _limits(self, author: Author, at: Address, agent: str) -> Iterator[Limit]:
        person, channel = f"{at.platform}/{author.id}", at.channel.key
        for whose, rule in zip(("", agent), self._rules(agent), strict=True):
            for whom, rate in ((person, rule.per_person), (channel, rule.per_channel)):
                if rate:
                    key = f"asked/{whose}/{whom}"
                    yield Limit(whom=key, most=rate.most, seconds=rate.seconds)


def _identities(author: Author, at: Address) -> frozenset[str]:
    """What somebody and the place can be named by, besides roles and user groups."""
    return frozenset({f"{at.platform}/{author.id}", at.channel.key})
