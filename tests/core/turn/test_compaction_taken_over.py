"""core/turn/compaction.py: what a process has left is gone on with by the next one, in bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from core import kill_points
from core.errors import Postponed
from core.turn.compaction import carry_out, due_over
from storage import compactions, retention
from storage.errors import LeaseLost
from storage.models import Turn, Usage
from storage.retention import Bounds
from storage.side_models import Compaction, CompactionState, Source
from tests.core.given import ROOM, Stage
from tests.core.turn.reading import Reader, grown, learned, left, noted, staged


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
async def stage(reader: Reader, database: object) -> Stage:
    return staged(reader)


async def test_what_a_process_has_left_is_gone_on_with(stage: Stage, reader: Reader) -> None:
    await grown(stage)
    stretch = await due_over(stage.resources(), (await stage.conversation()).id)
    assert stretch
    row = await compactions.open_over(stretch, owner="dead", now=stage.clock(), seconds=15)
    assert row
    await left(stage)
    assert reader.read == []
    stage.clock.forward(16)
    await left(stage)
    assert len(await stage.cuts()) == len(reader.read) == 1
    with pytest.raises(LeaseLost):
        await carry_out(stage.resources(), row)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def killed_when_journalled() -> Iterator[None]:
    def arrive(place: str) -> None:
        if place == "compaction journalled, not finished":
            kill_points.watch(lambda _: None)
            raise Killed

    kill_points.watch(arrive)
    yield
    kill_points.watch(lambda _: None)


@pytest.mark.usefixtures("killed_when_journalled")
async def test_what_is_journalled_is_not_asked_again(stage: Stage, reader: Reader) -> None:
    reader.notes = [noted(("Ana asks.", [1]))]
    await grown(stage)
    stretch = await due_over(stage.resources(), (await stage.conversation()).id)
    assert stretch
    row = await compactions.open_over(stretch, owner="dead", now=stage.clock(), seconds=15)
    assert row
    with pytest.raises(Killed):
        await carry_out(stage.resources(), row)
    stage.clock.forward(16)
    await left(stage)
    assert len(reader.read) == 1
    assert await learned() == ["Ana asks."]
    assert await Usage.filter(purpose="compaction").count() == 1


async def opened(stage: Stage, *, owner: str = "dead") -> Compaction:
    """A compaction that somebody has begun."""
    await grown(stage)
    stretch = await due_over(stage.resources(), (await stage.conversation()).id)
    assert stretch
    row = await compactions.open_over(stretch, owner=owner, now=stage.clock(), seconds=15)
    assert row
    return row


@pytest.mark.usefixtures("killed_when_journalled")
async def test_its_facts_keep_their_sources_when_what_was_read_expires_meanwhile(
    stage: Stage, reader: Reader
) -> None:
    """The numbers that the model gave are those of messages that it was shown."""
    reader.notes = [noted(("Ana asks.", [3]), ("Ana asked first.", [1]))]
    row = await opened(stage)
    with pytest.raises(Killed):
        await carry_out(stage.resources(), row)
    first = await Turn.all().order_by("id").first()
    assert first
    assert first.ended_at
    after_it = first.ended_at + timedelta(microseconds=1)
    await retention.prune(Bounds(words=after_it, rows=after_it), None)
    stage.clock.forward(16)
    await left(stage)
    assert await learned() == ["Ana asks."]
    assert [row.message_key for row in await Source.all()] == [f"{ROOM}/2"]


@pytest.mark.usefixtures("killed_when_journalled")
async def test_what_another_version_has_journalled_is_asked_again(
    stage: Stage, reader: Reader
) -> None:
    reader.notes = [noted(), noted(("Ana asks.", [1]))]
    row = await opened(stage)
    with pytest.raises(Killed):
        await carry_out(stage.resources(), row)
    await Compaction.all().update(content={"text": noted(), "known": [], "room": 9})
    stage.clock.forward(16)
    await left(stage)
    assert await learned() == ["Ana asks."]


async def test_however_often_it_is_put_off_it_is_not_left_out_for_that(
    stage: Stage, reader: Reader
) -> None:
    """As where the day's money is used up."""
    await opened(stage)
    for _ in range(40):
        stage.clock.forward(3_600)
        stage.model.script(Postponed("later"))
        await left(stage)
    stage.clock.forward(3_600)
    await left(stage)
    assert len(await stage.cuts()) == 1


async def test_what_ends_its_processes_is_left_out_at_last(stage: Stage) -> None:
    row = await opened(stage)
    for number in range(20):
        stage.clock.forward(16)
        claimed = await compactions.claim(
            row.id, owner=f"dead {number}", now=stage.clock(), seconds=15
        )
        assert claimed
        if number % 2:
            await compactions.take_from([f"dead {number}"], stage.clock())
        if number == 8:
            assert (await Compaction.get(id=row.id)).failures == 9
    stage.clock.forward(16)
    await left(stage)
    assert (await Compaction.get(id=row.id)).state is CompactionState.LEFT_OUT
    assert stage.model.requests[-1].messages[-1].content.startswith("Question")


async def test_who_may_not_remember_any_more_reads_nothing(stage: Stage, reader: Reader) -> None:
    await opened(stage)
    stage.spec = replace(stage.spec, memory=False)
    stage.__post_init__()
    stage.clock.forward(16)
    await left(stage)
    [row] = await Compaction.all()
    assert (row.state, reader.read) == (CompactionState.LEFT_OUT, [])


async def test_where_readers_keep_changing_it_is_given_to_whoever_comes_next(
    stage: Stage, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.notes = [noted(("Ana asks.", [1]))]
    row = await opened(stage)
    with monkeypatch.context() as patched:
        patched.setattr("core.turn.compaction._CHANGES", 0)  # that it waits for
        await carry_out(stage.resources(), row)
    assert await learned() == []
    await left(stage)
    assert await learned() == ["Ana asks."]
    assert len(reader.read) == 1
