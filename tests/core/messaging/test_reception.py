"""What is delivered twice reaches the database once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.address import Address, Readers
from core.messaging.intake import Reception
from core.messaging.messages import Author, PlatformMessage, Quote
from storage.database import Database
from storage.errors import DatabaseBusy
from storage.models import Conversation, InboxMessage
from tests.core.given import Stage, locked
from tests.statements import asked

MENTION = PlatformMessage(
    key="slack/T1/C1/9.5",
    place=Address(platform="slack", parts=("T1", "C1")),
    thread=None,
    opens="9.5",
    author=Author(id="U1", name="ana"),
    text="hello",
    sent_at=datetime(2026, 3, 1, tzinfo=UTC),
    position=9_500_000,
    is_direct=False,
    is_mention=True,
)
EDITED_AT = datetime(2026, 3, 1, 0, 1, tzinfo=UTC)
PRIVATE = replace(
    MENTION, place=Address(platform="slack", parts=("T1", "C1"), readers=Readers.CHANNEL)
)


@pytest.fixture
def reception(stage: Stage) -> Reception:
    return Reception(stage.intake, stage.directory, stage.file)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.file = replace(stage.file, default_agent=stage.spec.name)
    return stage


async def test_a_twin_asks_the_database_nothing(reception: Reception) -> None:
    first = await reception.hear(PRIVATE)
    assert first
    async with asked() as statements:
        second = await reception.hear(MENTION)
    assert second == replace(first, is_new=False)
    assert statements == []


async def test_twins_at_the_same_time_are_stored_by_one_of_them(reception: Reception) -> None:
    async with asked() as statements, asyncio.TaskGroup() as group:
        twins = [group.create_task(reception.hear(PRIVATE)) for _ in range(3)]
    found = [accepted for twin in twins if (accepted := twin.result())]
    assert [accepted.is_new for accepted in found] == [True, False, False]
    assert len([each for each in statements if 'INTO "inbox"' in each]) == 1


async def test_a_twin_that_knows_who_can_read_says_so(reception: Reception) -> None:
    await reception.hear(MENTION)
    await reception.hear(PRIVATE)
    assert [each.readers for each in await Conversation.all()] == [Readers.CHANNEL]


async def test_a_twin_of_what_could_not_be_stored_is_stored(
    sqlite: Database, reception: Reception
) -> None:
    with locked(sqlite.file), pytest.raises(DatabaseBusy):
        await reception.hear(PRIVATE)
    accepted = await reception.hear(MENTION)
    assert accepted
    assert accepted.is_new


async def test_nothing_is_kept_of_what_nobody_answers(reception: Reception) -> None:
    assert await reception.hear(replace(MENTION, is_mention=False)) is None
    accepted = await reception.hear(MENTION)
    assert accepted
    assert accepted.is_new


async def test_only_so_many_are_kept(reception: Reception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.messaging.intake._MOST_KEPT", 2)
    numbers = range(3)
    for number in numbers:
        await reception.hear(replace(PRIVATE, key=f"slack/T1/C1/{number}"))
    async with asked() as statements:
        again = [await reception.hear(replace(PRIVATE, key=f"slack/T1/C1/{n}")) for n in (2, 1)]
    assert statements == []
    again.append(await reception.hear(replace(PRIVATE, key="slack/T1/C1/0")))
    assert [accepted.is_new for accepted in again if accepted] == [False] * 3


async def texts() -> list[str]:
    return [each.text for each in await InboxMessage.all()]


async def test_an_edit_that_comes_before_its_message_is_what_is_stored(
    reception: Reception,
) -> None:
    await reception.change(replace(MENTION, text="hello, all"), EDITED_AT)
    assert await reception.hear(MENTION)
    assert await texts() == ["hello, all"]


async def test_an_edit_that_comes_before_its_message_does_not_say_where_it_stands(
    reception: Reception,
) -> None:
    await reception.change(replace(MENTION, text="hello, all"), EDITED_AT)
    await reception.hear(replace(PRIVATE, thread="9.4"))
    [conversation] = await Conversation.all()
    assert (conversation.address, conversation.readers) == ("slack/T1/C1/9.4", Readers.CHANNEL)


async def test_a_mention_that_an_edit_took_out_before_it_came_calls_nobody(
    reception: Reception,
) -> None:
    await reception.change(replace(MENTION, text="hello, all", is_mention=False), EDITED_AT)
    assert await reception.hear(MENTION) is None


async def test_of_two_edits_that_come_before_their_message_the_last_is_stored(
    reception: Reception,
) -> None:
    await reception.change(replace(MENTION, text="hello, all"), EDITED_AT)
    later = EDITED_AT + timedelta(seconds=1)
    await reception.change(replace(MENTION, text="hello, everybody"), later)
    await reception.hear(MENTION)
    assert await texts() == ["hello, everybody"]


@pytest.mark.parametrize("is_stored", [True, False])
async def test_an_edit_that_comes_after_a_later_one_changes_nothing(
    reception: Reception, *, is_stored: bool
) -> None:
    if is_stored:
        await reception.hear(MENTION)
    for seconds, text in ((1, "hello, everybody"), (0, "hello, all")):
        at = EDITED_AT + timedelta(seconds=seconds)
        await reception.change(replace(MENTION, text=text), at)
    await reception.hear(MENTION)
    assert await texts() == ["hello, everybody"]


async def test_an_edit_that_could_not_be_stored_is_stored_when_it_comes_again(
    sqlite: Database, reception: Reception
) -> None:
    await reception.hear(MENTION)
    edited = replace(MENTION, text="hello, all")
    with locked(sqlite.file), pytest.raises(DatabaseBusy):
        await reception.change(edited, EDITED_AT)
    await reception.change(edited, EDITED_AT)
    assert await texts() == ["hello, all"]


async def test_a_message_that_was_deleted_before_it_comes_is_not_stored(
    reception: Reception,
) -> None:
    await reception.withdraw(MENTION.key)
    await reception.change(replace(MENTION, text="an edit that comes late"), EDITED_AT)
    assert await reception.hear(MENTION) is None
    assert await reception.hear(PRIVATE) is None
    assert await texts() == []


async def test_an_edit_that_leaves_nothing_before_its_message_comes_deletes_it(
    reception: Reception,
) -> None:
    await reception.change(replace(MENTION, text=" "), EDITED_AT)
    assert await reception.hear(MENTION) is None


async def test_an_edit_before_its_message_leaves_what_it_forwards(reception: Reception) -> None:
    forwarded = Quote(author=Author(id="U2", name="ben"), text="a plan")
    heard = replace(MENTION, text="", forwards=(forwarded,))
    await reception.change(heard, EDITED_AT)
    await reception.hear(heard)
    [text] = await texts()
    assert "a plan" in text


async def test_an_edit_while_its_message_is_being_stored_waits_for_it(
    reception: Reception,
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(reception.hear(MENTION))
        group.create_task(reception.change(replace(MENTION, text="hello, all"), EDITED_AT))
    assert await texts() == ["hello, all"]


async def test_what_came_too_early_is_not_remembered_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.messaging.intake._EDIT_SECONDS", 0)
    reception = Reception(stage.intake, stage.directory, stage.file)
    await reception.withdraw(MENTION.key)
    assert await reception.hear(MENTION)


async def test_only_so_much_that_came_too_early_is_remembered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.messaging.intake._MOST_EDITS", 1)
    reception = Reception(stage.intake, stage.directory, stage.file)
    for key in (MENTION.key, "slack/T1/C1/9.6"):
        await reception.withdraw(key)
    assert await reception.hear(MENTION)
