"""Who may ask, where and how often, as the agents file says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

_NOTHING_ELSE = ConfigDict(extra="forbid", hide_input_in_errors=True)
_PERSON = r"slack/[UW][A-Z0-9]+|discord/[0-9]+"
_BELONGING = r"slack/group/S[A-Z0-9]+|discord/role/[0-9]+"
_PLACE = r"slack/T[A-Z0-9]+/[CDG][A-Z0-9]+|discord/(@me|[0-9]+)/[0-9]+"
_WORKSPACE = r"\*|T[A-Z0-9]+|[0-9]+"
_RATE = re.compile(r"([0-9]{1,5})/(second|minute|hour|day)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_MOST = 10_000  # the moments of so many are kept for each person or channel

EVERY_WORKSPACE = "*"
GROUP = "slack/group/"
WHY_REFUSED = (
    "the bot answers nobody there: workspaces under [access] in the agents file does not list it "
    '("*" lists all; without workspaces the bot has to be in one only)'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many in any `seconds` in a row, which people call a `unit`."""

    most: int
    unit: str

    @property
    def seconds(self) -> int:
        """How long the unit is."""
        return _SECONDS[self.unit]


def _who(text: str) -> str:
    if not re.fullmatch(f"{_PERSON}|{_BELONGING}", text):
        raise ValueError(
            f"{text!r} is nobody: write 'slack/U…' or 'discord/ID' for a person, "
            "'slack/group/S…' for a user group, 'discord/role/ID' for a role"
        )
    return text


def _who_or_where(text: str) -> str:
    if not re.fullmatch(_PLACE, text):
        try:
            return _who(text)
        except ValueError as error:
            raise ValueError(f"{error}, 'slack/T…/C…' or 'discord/ID/ID' for a channel") from error
    return text


def _workspace(text: str) -> str:
    if not re.fullmatch(_WORKSPACE, text):
        raise ValueError(
            f"{text!r} is no workspace: write the id of a Slack team (T…) or a Discord server, "
            "or '*' for all"
        )
    return text


def _rate(text: object) -> Rate:
    if isinstance(text, Rate):
        return text
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    if not (found and 1 <= int(found[1]) <= _MOST):
        raise ValueError(
            f"has to be a number up to {_MOST} and second, minute, hour or day, such as '20/hour', "
            f"not {text!r}"
        )
    return Rate(most=int(found[1]), unit=found[2])


Who = Annotated[str, AfterValidator(_who)]
WhoOrWhere = Annotated[str, AfterValidator(_who_or_where)]
Workspace = Annotated[str, AfterValidator(_workspace)]
RateText = Annotated[Rate, BeforeValidator(_rate)]


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=_NOTHING_ELSE)
class Access:
    """The rules for all agents, or for one. None is no rule; `deny` comes before `allow`."""

    allow: frozenset[WhoOrWhere] | None = None
    deny: frozenset[WhoOrWhere] = frozenset()
    workspaces: frozenset[Workspace] | None = None
    admins: frozenset[Who] = frozenset()
    per_person: RateText | None = None
    per_channel: RateText | None = None

    @property
    def belongings(self) -> frozenset[str]:
        """The roles and user groups that something depends on."""
        named = (self.allow or frozenset()) | self.deny | self.admins
        return frozenset(each for each in named if re.fullmatch(_BELONGING, each))


OPEN = Access()


def refused(access: Access, workspaces: frozenset[str]) -> frozenset[str]:
    """Those of a platform's workspaces in which nobody is answered.

    Without a list the bot has to be in one only: whoever adds it to another one asks nobody.
    """
    if access.workspaces is None:
        return workspaces if len(workspaces) > 1 else frozenset()
    return frozenset() if EVERY_WORKSPACE in access.workspaces else workspaces - access.workspaces
