"""core/turn/retries.py: what follows from how an attempt ended."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import (
    ConfigMistake,
    ContextOverflow,
    ModelDown,
    ModelRefused,
    Postponed,
    Transient,
)
from core.isolation import Escaped
from core.turn.retries import (
    Count,
    Fail,
    GiveBack,
    GivenUp,
    Outcome,
    Retired,
    Stop,
    Stopped,
    outcome_of,
)
from storage.errors import DatabaseBusy, DatabaseUnusable, LeaseLost

BROKEN = (
    "Something in me broke while answering this, three times. "
    "Please tell whoever runs me; the log says more."
)
INTERRUPTED = (
    "I was interrupted three times while answering this, so I stopped trying. "
    "Please ask again, perhaps in other words."
)
RETIRED = (
    "I have been retired, so I answer no more. Please ask another agent, or tell whoever runs me."
)
UNREACHABLE = "I cannot reach my language model right now. Please ask again in a few minutes."
MISCONFIGURED = (
    "I am not set up correctly, so I cannot answer. Please tell whoever runs me; "
    "the log says what to change."
)


def fail(sentence: str, kind: str) -> Fail:
    """The end of the turn."""
    return Fail(sentence=sentence, kind=kind)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Stopped("so asked"), Stop()),
        (Retired("not in the file"), fail(RETIRED, "retired")),
        (GivenUp("three times"), fail(INTERRUPTED, "interrupted")),
        (ModelRefused("401", told="My key is wrong."), fail("My key is wrong.", "refused")),
        (ContextOverflow("long", told="Shorter, please."), fail("Shorter, please.", "refused")),
        (ConfigMistake("no such tool"), fail(MISCONFIGURED, "configuration")),
        (Postponed("no room yet", retry_after=3), GiveBack()),
        (LeaseLost("somebody else"), GiveBack()),
        (DatabaseBusy("away"), GiveBack()),
        (DatabaseUnusable("full"), GiveBack()),
        (asyncio.CancelledError(), GiveBack()),
        (KeyboardInterrupt(), GiveBack()),
        (ModelDown("away"), Count(wait=1)),
        (Transient("slowly", retry_after=7), Count(wait=7)),
        (Escaped("SystemExit"), Count(wait=1)),
        (KeyError("a bug"), Count(wait=1)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_each_way_a_first_attempt_can_end_has_one_outcome(
    error: BaseException, outcome: Outcome
) -> None:
    assert outcome_of(error, attempt=1, seconds=0) == outcome


@pytest.mark.parametrize(
    ("attempt", "seconds", "retry_after", "wait"),
    [
        (2, 0, None, 2),
        (5, 0, None, 16),
        (6, 0, None, 30),
        (8, 0, None, 30),
        (8, 5, None, None),
        (9, 0, None, None),
        (1, 100, None, 1),
        (1, 180, None, None),
        (3, 0, 60, 60),
        (1, 0, 125, 125),
        (1, 0, 126, None),
    ],
)
def test_a_model_that_is_away_is_waited_for_two_minutes_in_all(
    attempt: int, seconds: float, retry_after: float | None, wait: float | None
) -> None:
    away = ModelDown("away", retry_after=retry_after)
    given_up = fail(UNREACHABLE, "unreachable")
    expected = given_up if wait is None else Count(wait=wait)
    assert outcome_of(away, attempt=attempt, seconds=seconds) == expected


def test_what_breaks_for_no_known_reason_is_tried_three_times() -> None:
    outcomes = [outcome_of(KeyError("a bug"), attempt=n, seconds=0) for n in (1, 2, 3)]
    assert outcomes == [Count(wait=1), Count(wait=4), fail(BROKEN, "broken")]
