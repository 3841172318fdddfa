"""What is counted while messages are answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from core.errors import DeliveryRefused, ModelRefused, Transient
from storage import inbox
from tests.core.given import Stage

Since = Callable[[], float]


def counting(name: str, **labels: str) -> Since:
    """How much this sample has grown since now."""
    before = REGISTRY.get_sample_value(name, labels) or 0
    return lambda: (REGISTRY.get_sample_value(name, labels) or 0) - before


async def attended(stage: Stage) -> None:
    """Somebody asks, and the worker does what it can."""
    accepted = await stage.say("Hello")
    await stage.worker().attend(accepted.conversation_id)


async def test_a_turn_is_counted_by_how_it_ended(stage: Stage) -> None:
    done, failed = (counting("moorings_turns_total", state=state) for state in ("done", "failed"))
    await attended(stage)
    assert (done(), failed()) == (1, 0)


async def test_a_turn_that_failed_is_counted_as_such(stage: Stage) -> None:
    failed = counting("moorings_turns_total", state="failed")
    stage.model.script(ModelRefused("no", told="No."))
    await attended(stage)
    assert failed() == 1


async def test_the_seconds_of_a_turn_are_measured(stage: Stage) -> None:
    turns = counting("moorings_turn_seconds_count")
    await attended(stage)
    assert turns() == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "delivered"), (Transient("later"), "put_off"), (DeliveryRefused("no"), "given_up")],
)
async def test_deliveries_are_counted_by_outcome(
    stage: Stage, error: Exception | None, outcome: str
) -> None:
    tries = counting("moorings_deliveries_total", outcome=outcome)
    if error:
        stage.platform.fail("post", error)
    await attended(stage)
    assert tries() == 1


async def test_what_is_not_worked_on_is_not_held(stage: Stage) -> None:
    await attended(stage)
    assert REGISTRY.get_sample_value("moorings_leases_held") == 0


async def test_messages_wait_until_their_turn_begins(stage: Stage) -> None:
    assert await inbox.count_waiting() == 0
    accepted = await stage.say("Hello")
    await stage.say("Are you there?", room="slack/T1/C2")
    assert await inbox.count_waiting() == 2
    await stage.worker().attend(accepted.conversation_id)
    assert await inbox.count_waiting() == 1
