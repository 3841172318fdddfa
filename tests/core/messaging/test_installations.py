"""With MOORINGS_SECRET_KEY the tokens of workspaces lie in the database encrypted."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import SecretStr

from core.errors import ConfigMistake
from core.messaging.installations import Installations, Workspace
from storage import installations as rows

OLD, NEW = "o" * 32, "n" * 32
WORKSPACE = Workspace(enterprise="", team="T1", bot={"bot_token": "xoxb-1", "scopes": ["chat"]})

pytestmark = pytest.mark.usefixtures("sqlite")


@pytest.fixture
def now() -> datetime:
    """A moment that does not move."""
    return datetime.fromisoformat("2026-03-01T12:00:00+00:00")


def kept(now: datetime, *keys: str) -> Installations:
    """The workspaces, seen with these keys."""
    return Installations("slack", lambda: now, SecretStr(" , ".join(keys)) if keys else None)


async def in_the_database() -> str:
    """What somebody reads who has only that."""
    return " ".join(str(row.bot) for row in await rows.everyone("slack"))


async def test_with_a_key_nothing_can_be_read_without_it(now: datetime) -> None:
    with_key = kept(now, NEW)
    await with_key.store(WORKSPACE)
    assert "xoxb" not in await in_the_database()
    found = [await with_key.of_team("T1"), await with_key.find("", "T1")]
    assert found == [WORKSPACE, WORKSPACE] == [*await with_key.everyone()] * 2


async def test_without_a_key_it_is_as_it_was(now: datetime) -> None:
    await kept(now).store(WORKSPACE)
    assert "xoxb-1" in await in_the_database()
    assert await kept(now).of_team("T1") == WORKSPACE
    assert await kept(now).seal_all() == 0


async def test_what_was_stored_before_there_was_a_key_is_read_and_sealed(now: datetime) -> None:
    await kept(now).store(WORKSPACE)
    with_key = kept(now, NEW)
    assert await with_key.of_team("T1") == WORKSPACE
    assert await with_key.seal_all() == 1
    assert "xoxb" not in await in_the_database()
    assert await with_key.of_team("T1") == WORKSPACE
    assert await with_key.seal_all() == 0


async def test_a_new_key_takes_over_from_an_old_one(now: datetime) -> None:
    await kept(now, OLD).store(WORKSPACE)
    both = kept(now, NEW, OLD)
    assert await both.of_team("T1") == WORKSPACE
    assert await both.seal_all() == 1
    assert await kept(now, NEW).of_team("T1") == WORKSPACE


@pytest.mark.parametrize(
    ("keys", "words"), [((), "set MOORINGS_SECRET_KEY"), ((NEW,), "behind the present one")]
)
async def test_a_key_that_is_missing_is_told(
    now: datetime, keys: tuple[str, ...], words: str
) -> None:
    await kept(now, OLD).store(WORKSPACE)
    with pytest.raises(ConfigMistake, match=f"workspace T1 cannot be read.*{words}") as caught:
        await kept(now, *keys).of_team("T1")
    assert OLD not in str(caught.value)
    with pytest.raises(ConfigMistake):
        await kept(now, *keys).everyone()
