"""Who is let in: what the agents file says, and what a platform knows of people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from core.address import Address
from core.config.access import Access, Rate
from core.config.spec import AgentSpec
from core.errors import NotAllowed
from core.messaging.intake import Accepted
from core.messaging.messages import Author, RoutedMessage
from storage import inbox
from storage.models import Allowance
from tests.core.given import Stage
from tests.statements import asked

HERE = Address.parse("slack/T1/C1")
ANNA, BEN = Author(id="UANNA", name="Anna"), Author(id="UBEN", name="Ben")
ELSEWHERE = "do not answer here"
NOT_THEM = "may not ask Ada"


@dataclass
class Known:
    """A platform that knows this of everybody."""

    teams: frozenset[str] = frozenset({"T1"})
    groups: frozenset[str] | None = frozenset()
    asked: int = 0

    def workspaces(self, at: Address) -> frozenset[str]:
        return self.teams

    async def among(
        self, author: Author, at: Address, workspaces: frozenset[str]
    ) -> frozenset[str]:
        return workspaces & {at.parts[0]}

    async def belongings(
        self, author: Author, at: Address, wanted: frozenset[str]
    ) -> frozenset[str] | None:
        self.asked += 1
        return None if self.groups is None else self.groups & wanted


@pytest.fixture
def guard(stage: Stage) -> Known:
    guard = Known()
    stage.gate.join("slack", guard)
    return guard


def let(stage: Stage, everybody: Access = Access(), ada: Access = Access()) -> None:  # noqa: B008  # frozen
    """The agents file says so from now on."""
    stage.file.become(replace(stage.file, access=everybody, agent_access={"Ada": ada}))


async def asks(stage: Stage, author: Author = ANNA, at: Address = HERE, agent: str = "Ada") -> str:
    """What somebody is told who asks; nothing where they may."""
    try:
        await stage.gate.check(author, at, agent)
    except NotAllowed as refused:
        return str(refused)
    return ""


async def say(
    stage: Stage, author: Author = ANNA, at: Address = HERE, *, sent_at: datetime | None = None
) -> Accepted:
    """A question of theirs."""
    stage.said += 1
    incoming = RoutedMessage(
        key=f"{at.key}/{stage.said}",
        address=at,
        author=author,
        text="hello",
        sent_at=sent_at or stage.clock(),
        position=stage.said,
    )
    return await stage.intake.accept(incoming, "Ada")


async def test_without_a_word_about_it_everybody_may_ask(stage: Stage, guard: Known) -> None:
    assert await asks(stage) == ""
    assert guard.asked == 0


@pytest.mark.parametrize("entry", ["slack/UANNA", "slack/T1/C1", "slack/group/SDEV"])
async def test_who_is_named_may_ask_and_nobody_else(stage: Stage, guard: Known, entry: str) -> None:
    let(stage, Access(allow=frozenset({entry})))
    guard.groups = frozenset({"slack/group/SDEV"})
    assert await asks(stage, ANNA, HERE.below("7.5")) == ""
    guard.groups = frozenset()
    assert NOT_THEM in await asks(stage, BEN, Address.parse("slack/T1/C2"))


@pytest.mark.parametrize("entry", ["slack/UANNA", "slack/T1/C1", "slack/group/SDEV"])
async def test_who_is_kept_out_may_not_ask_though_they_are_named(
    stage: Stage, guard: Known, entry: str
) -> None:
    guard.groups = frozenset({"slack/group/SDEV"})
    let(stage, Access(deny=frozenset({entry}), allow=frozenset({"slack/UANNA"})))
    assert NOT_THEM in await asks(stage)


async def test_nobody_may_ask_where_nobody_is_named(stage: Stage, guard: Known) -> None:
    let(stage, Access(allow=frozenset()))
    assert NOT_THEM in await asks(stage)


async def test_the_rules_of_one_agent_hold_for_that_one_beside_those_of_all(
    stage: Stage, guard: Known
) -> None:
    let(stage, ada=Access(allow=frozenset({"slack/UANNA"})))
    assert await asks(stage, BEN, agent="Zoe") == ""
    assert NOT_THEM in await asks(stage, BEN)
    let(stage, Access(deny=frozenset({"slack/UANNA"})), Access(allow=frozenset({"slack/UANNA"})))
    assert NOT_THEM in await asks(stage, ANNA)


async def test_who_may_be_kept_out_by_what_nobody_knows_is_not_let_in(
    stage: Stage, guard: Known
) -> None:
    guard.groups = None
    let(stage, Access(deny=frozenset({"slack/group/SDEV"})))
    assert "could not find out" in await asks(stage)
    let(stage, Access(allow=frozenset({"slack/group/SDEV"})))
    assert "could not find out" in await asks(stage)
    let(stage, Access(allow=frozenset({"slack/group/SDEV", "slack/UANNA"})))
    assert await asks(stage) == ""


async def test_what_another_platform_calls_a_person_is_nobody_here(
    stage: Stage, guard: Known
) -> None:
    let(stage, Access(allow=frozenset({"discord/role/5500", "discord/1"})))
    assert NOT_THEM in await asks(stage)
    assert guard.asked == 0


async def test_a_bot_that_is_in_several_workspaces_answers_in_those_that_are_listed(
    stage: Stage, guard: Known
) -> None:
    guard.teams = frozenset({"T1", "T2"})
    assert ELSEWHERE in await asks(stage)
    let(stage, Access(workspaces=frozenset({"T2", "300000001"})))
    assert ELSEWHERE in await asks(stage)
    assert await asks(stage, at=Address.parse("slack/T2/C1")) == ""
    let(stage, Access(workspaces=frozenset({"*"})))
    assert await asks(stage) == ""


async def test_a_list_holds_for_the_only_workspace_too(stage: Stage, guard: Known) -> None:
    let(stage, Access(workspaces=frozenset({"T2"})))
    assert ELSEWHERE in await asks(stage)


async def test_an_agent_may_be_for_some_workspaces_only(stage: Stage, guard: Known) -> None:
    let(stage, ada=Access(workspaces=frozenset({"T2"})))
    assert ELSEWHERE in await asks(stage)
    assert await asks(stage, agent="Zoe") == ""


async def test_the_log_names_each_workspace_that_is_not_served_once(
    stage: Stage, guard: Known, caplog: pytest.LogCaptureFixture
) -> None:
    let(stage, Access(workspaces=frozenset({"T1"})))
    for _ in range(2):
        stage.gate.report({"T1": "Harbour", "T2": "Quay", "T3": "Pier"})
    named = [(vars(record)["workspace"], vars(record)["called"]) for record in caplog.records]
    assert named == [("T2", "Quay"), ("T3", "Pier")]


async def test_a_workspace_that_is_not_served_any_more_is_named_again(
    stage: Stage, guard: Known, caplog: pytest.LogCaptureFixture
) -> None:
    for listed in ({"T1"}, {"T1", "T2"}, {"T1"}):
        let(stage, Access(workspaces=frozenset(listed)))
        stage.gate.report({"T1": "Harbour", "T2": "Quay"})
    assert [vars(record)["workspace"] for record in caplog.records] == ["T2", "T2"]


async def test_an_administrator_may_ask_as_often_as_they_like(stage: Stage, guard: Known) -> None:
    guard.groups = frozenset({"slack/group/SOPS"})
    admins = frozenset({"slack/group/SOPS"})
    once = Rate(most=1, unit="hour")
    let(stage, Access(allow=frozenset(), admins=admins, per_person=once))
    for _ in range(3):
        assert (await say(stage)).is_new
    assert await stage.gate.is_admin(ANNA, HERE, "Ada")
    guard.groups = frozenset()
    assert not await stage.gate.is_admin(ANNA, HERE, "Ada")


async def test_the_administrators_of_one_agent_are_those_of_no_other(
    stage: Stage, guard: Known
) -> None:
    let(stage, ada=Access(admins=frozenset({"slack/UANNA"})))
    assert await stage.gate.is_admin(ANNA, HERE, "Ada")
    assert not await stage.gate.is_admin(ANNA, HERE, "Zoe")
    assert not await stage.gate.is_admin(BEN, HERE, "Ada")


async def test_a_person_has_so_many_questions_in_all_channels(stage: Stage, guard: Known) -> None:
    let(stage, Access(per_person=Rate(most=2, unit="hour")))
    await say(stage)
    await say(stage, at=Address.parse("slack/T1/C2"))
    with pytest.raises(NotAllowed, match=r"asked 2 times within an hour.*again in an hour\."):
        await say(stage)
    assert (await say(stage, BEN)).is_new
    stage.clock.forward(3_500)
    with pytest.raises(NotAllowed, match=r"again in 2 minutes\."):
        await say(stage)
    stage.clock.forward(100)
    assert (await say(stage)).is_new


async def test_what_was_missed_counts_for_when_it_was_asked(stage: Stage, guard: Known) -> None:
    let(stage, Access(per_person=Rate(most=1, unit="hour")))
    began = stage.clock()
    stage.clock.forward(4 * 3_600)
    for hours in range(3):
        assert (await say(stage, sent_at=began + timedelta(hours=hours))).is_new
    with pytest.raises(NotAllowed):
        await say(stage, sent_at=began + timedelta(hours=2, minutes=1))


async def test_what_was_one_too_many_is_not_answered_later(stage: Stage, guard: Known) -> None:
    """As when a channel is read once more after the connection was lost."""
    let(stage, Access(per_person=Rate(most=1, unit="minute")))
    await say(stage)
    again = stage.clock()
    for _ in range(2):
        with pytest.raises(NotAllowed):
            await say(stage, sent_at=again)
        stage.clock.forward(300)
    assert (await say(stage)).is_new


async def test_a_channel_has_so_many_questions_of_everybody(stage: Stage, guard: Known) -> None:
    let(stage, ada=Access(per_channel=Rate(most=2, unit="day")))
    await say(stage, ANNA)
    await say(stage, BEN, HERE.below("7.5"))
    with pytest.raises(NotAllowed, match="People here have asked 2 times within a day"):
        await say(stage, ANNA, HERE.below("8.5"))
    assert (await say(stage, ANNA, Address.parse("slack/T1/C2"))).is_new


async def test_who_may_not_ask_leaves_nothing_behind(stage: Stage, guard: Known) -> None:
    let(stage, Access(deny=frozenset({"slack/UANNA"})))
    with pytest.raises(NotAllowed):
        await say(stage)
    assert await inbox.count_waiting() == 0
    assert await stage.directory.names_by_id() == {}


async def test_a_terminal_is_not_asked_who_it_is(stage: Stage, guard: Known) -> None:
    let(stage, Access(allow=frozenset(), per_person=Rate(most=1, unit="day")))
    for _ in range(2):
        assert (await say(stage, at=Address.parse("terminal/main"))).is_new
    assert not await Allowance.exists()


async def test_somebody_is_told_once_in_an_hour(stage: Stage, guard: Known) -> None:
    assert await stage.gate.may_be_told(ANNA, HERE)
    assert not await stage.gate.may_be_told(ANNA, Address.parse("slack/T1/C2"))
    assert await stage.gate.may_be_told(BEN, HERE)
    stage.clock.forward(3_600)
    assert await stage.gate.may_be_told(ANNA, HERE)


async def test_who_may_not_ask_does_not_hear_who_there_is(stage: Stage, guard: Known) -> None:
    let(stage, Access(deny=frozenset({"slack/UANNA"})))
    with pytest.raises(NotAllowed):
        await stage.gate.check(ANNA, HERE)
    assert "Ada" not in await asks(stage, agent="Nobody")


def test_agents_know_nothing_of_it() -> None:
    """What is in a revision, and what a program may configure."""
    assert "access" not in AgentSpec(name="Ada").config


async def transactions(stage: Stage) -> int:
    """How many a second question takes; the first has opened the conversation."""
    await say(stage)
    async with asked() as statements:
        await say(stage)
    return statements.transactions


async def test_what_is_checked_and_counted_adds_no_transaction(stage: Stage, guard: Known) -> None:
    without = await transactions(stage)
    rate = Rate(most=100, unit="hour")
    everything = Access(
        allow=frozenset({"slack/UANNA"}),
        workspaces=frozenset({"T1"}),
        per_person=rate,
        per_channel=rate,
    )
    let(stage, everything, everything)
    assert await transactions(stage) == without == 1
    assert await Allowance.all().count() == 4


async def test_where_nothing_is_configured_nothing_is_asked_of_the_database(
    stage: Stage, guard: Known
) -> None:
    async with asked() as statements:
        await say(stage)
    assert statements
    assert not any("allowance" in each for each in statements)
    let(stage, Access(per_person=Rate(most=9, unit="hour")))
    async with asked() as statements:
        await say(stage)
    assert any("allowance" in each for each in statements)
