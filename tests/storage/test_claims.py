"""A conversation is claimed as it is, whatever happens after it was looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import asyncpg
import pytest
from tortoise.transactions import in_transaction

from storage import claims, conversations, inbox, outbox
from storage.claims import Claimed
from storage.models import (
    Conversation,
    InboxMessage,
    InboxState,
    OutboxMessage,
    OutboxState,
    Turn,
)
from tests.patience import PATIENCE
from tests.storage import given

Act = Callable[[], Awaitable[object]]
pytestmark = [
    pytest.mark.parametrize("url", ["postgres"], indirect=True),  # all others lock it first
    pytest.mark.usefixtures("database"),
]


class Then(Protocol):
    """Lets something happen after each look."""

    def __call__(self, *acts: Act) -> None: ...


@pytest.fixture
async def where(now: datetime) -> Conversation:
    """A conversation in which a message waits."""
    where = await given.conversation(now)
    await given.received(where, "k1", now)
    return where


@pytest.fixture
def then(monkeypatch: pytest.MonkeyPatch) -> Then:
    """Let these happen, one each time right after a conversation was looked at."""
    look = claims._seen

    def do(*acts: Act) -> None:
        rest = list(acts)

        async def seen(conversation_id: int, now: datetime) -> object:
            found = await look(conversation_id, now)
            if rest:
                await rest.pop(0)()
            return found

        monkeypatch.setattr(claims, "_seen", seen)

    return do


async def claimed(where: Conversation, now: datetime, owner: str = "me") -> Claimed | None:
    """The conversation with its next turn."""
    return await claims.claim(
        conversation_id=where.id, owner=owner, now=now, seconds=15, plan=given.PLAN
    )


async def asked(where: Conversation, now: datetime) -> list[str]:
    """What the turn answers that is opened now; it is the only one, and has taken all of that."""
    claim = await claimed(where, now)
    assert claim
    assert claim.opened
    assert [turn.id for turn in await Turn.all()] == [claim.opened.turn.id]
    texts = [each.text for each in claim.opened.questions]
    taken = await InboxMessage.filter(state=InboxState.TAKEN, turn_id=claim.opened.turn.id)
    assert sorted(each.text for each in taken) == sorted(texts)
    assert [row.id for row in await outbox.of_turn(claim.opened.turn.id)] == [claim.opened.draft.id]
    await conversations.keep(claim.lease, now)
    return texts


async def test_a_new_turn_is_all_that_a_claim_makes(where: Conversation, now: datetime) -> None:
    await given.received(where, "k2", now, position=2)
    assert await asked(where, now) == ["text of k1", "text of k2"]
    assert await claimed(where, now, owner="another") is None
    row = await conversations.by_id(where.id)
    assert (row.owner, row.token, row.last_turn) == ("me", where.token + 1, 1)


async def test_what_is_edited_meanwhile_is_answered_as_it_is_now(
    where: Conversation, now: datetime, then: Then
) -> None:
    then(lambda: inbox.change("k1", "edited"))
    assert await asked(where, now) == ["edited"]


async def test_what_is_edited_after_each_look_is_answered_as_it_is_now(
    where: Conversation, now: datetime, then: Then
) -> None:
    then(lambda: inbox.change("k1", "edited"), lambda: inbox.change("k1", "edited again"))
    assert await asked(where, now) == ["edited again"]


async def test_what_is_withdrawn_meanwhile_is_not_answered(
    where: Conversation, now: datetime, then: Then
) -> None:
    then(lambda: inbox.withdraw("k1", now))
    claim = await claimed(where, now)
    assert claim
    assert claim.opened is None
    assert await Turn.all() == []


async def test_what_is_added_meanwhile_is_answered_with_it(
    where: Conversation, now: datetime, then: Then
) -> None:
    then(lambda: given.received(where, "k0", now, position=0))
    assert await asked(where, now) == ["text of k0", "text of k1"]


async def test_what_another_claims_meanwhile_is_not_claimed(
    where: Conversation, now: datetime, then: Then
) -> None:
    then(lambda: claimed(where, now, owner="another"))
    assert await claimed(where, now) is None
    assert await Turn.all().count() == 1
    assert (await conversations.by_id(where.id)).owner == "another"


async def test_what_another_gives_back_meanwhile_is_claimed_by_its_next_token(
    where: Conversation, now: datetime, then: Then
) -> None:
    async def give_back() -> None:
        lease = await given.leased(where, now, owner="another")
        await Conversation.filter(id=where.id).update(owner=None, ready_at=0, token=lease.token + 1)

    then(give_back)
    claim = await claimed(where, now)
    assert claim
    assert claim.lease.token == where.token + 3
    await conversations.keep(claim.lease, now)


async def test_what_is_being_edited_is_left_for_a_later_look(
    where: Conversation, now: datetime
) -> None:
    is_edited = asyncio.Event()

    async def claim() -> Claimed | None:
        await is_edited.wait()
        return await claimed(where, now)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        claiming = group.create_task(claim())
        async with in_transaction():
            await inbox.change("k1", "edited")
            is_edited.set()
            assert await claiming is None
    assert await asked(where, now) == ["edited"]


async def test_no_test_may_add_a_message_or_make_one_due_without_its_conversation(
    where: Conversation, now: datetime
) -> None:
    """A message of which a look knows nothing would be left out by the turn."""
    claim = await claimed(where, now)
    assert claim
    assert claim.opened
    draft = OutboxMessage.filter(id=claim.opened.draft.id)
    with pytest.raises(asyncpg.RaiseError, match="without its conversation"):
        await draft.update(state=OutboxState.DUE)
    [message] = await InboxMessage.all()
    another = message.clone()
    another.key, another.state = "k2", InboxState.WAITING
    with pytest.raises(asyncpg.RaiseError, match="without its conversation"):
        await InboxMessage.bulk_create([another])
    async with in_transaction():
        await Conversation.filter(id=where.id).update(last_seq=1)
        await InboxMessage.bulk_create([another])
