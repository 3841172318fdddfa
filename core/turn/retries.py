"""What follows from how an attempt ended: it counts, is given back, begun again, fails or stops."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ConfigMistake, ModelRefused, MooringsError, Postponed, Transient
from storage.errors import StorageError
from storage.turns import QuestionsEdited

_PATIENCE = 125.0  # seconds that a person is kept waiting for a model that is away
_FIRST_PAUSE = 1.0  # seconds between two attempts
_LONGEST_PAUSE = 30.0
_MOST_ATTEMPTS = 3  # that break for no known reason
_UNREACHABLE = "I cannot reach my language model right now. Please ask again in a few minutes."
_BROKEN = (
    "Something in me broke while answering this, three times. "
    "Please tell whoever runs me; the log says more."
)
_INTERRUPTED = (
    "I was interrupted three times while answering this, so I stopped trying. "
    "Please ask again, perhaps in other words."
)
_RETIRED = (
    "I have been retired, so I answer no more. Please ask another agent, or tell whoever runs me."
)
_MISCONFIGURED = (
    "I am not set up correctly, so I cannot answer. Please tell whoever runs me; "
    "the log says what to change."
)


class Stopped(MooringsError):
    """A person wants no more of the answer."""


class Retired(MooringsError):
    """The agent answers nothing any more."""


class GivenUp(MooringsError):
    """The turn ended its process three times while it was answered alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The attempt failed by itself; the next one begins after `wait` seconds."""

    wait: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """It was no attempt: whoever goes on begins it as if it had not been made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """There will be no answer; `sentence` tells the person so, `kind` stays on record."""

    sentence: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What was shown stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginAgain:
    """Something else is asked now."""


Outcome = BeginAgain | Count | GiveBack | Fail | Stop


def outcome_of(error: BaseException, *, attempt: int, seconds: float) -> Outcome:
    """What follows when the nth attempt since the last finished step ended so, after `seconds`."""
    outcome: Outcome
    match error:
        case Stopped():
            outcome = Stop()
        case QuestionsEdited():
            outcome = BeginAgain()
        case Retired():
            outcome = Fail(sentence=_RETIRED, kind="retired")
        case GivenUp():
            outcome = Fail(sentence=_INTERRUPTED, kind="interrupted")
        case ModelRefused():
            outcome = Fail(sentence=error.told, kind="refused")
        case ConfigMistake():
            outcome = Fail(sentence=_MISCONFIGURED, kind="configuration")
        case Postponed() | StorageError():
            outcome = GiveBack()
        case Transient():
            outcome = _away(error.retry_after, attempt, seconds)
        case Exception():
            outcome = _broken(attempt)
        case _:  # cancelled, or the program ends
            outcome = GiveBack()
    return outcome


def _away(retry_after: float | None, attempt: int, seconds: float) -> Outcome:
    """Pauses grow until all of them, with the time that this attempt took, are too long."""
    wait = retry_after or _pause(attempt)
    waited = sum(_pause(earlier) for earlier in range(1, attempt)) + seconds
    if waited + wait > _PATIENCE:
        return Fail(sentence=_UNREACHABLE, kind="unreachable")
    return Count(wait=wait)


def _broken(attempt: int) -> Outcome:
    if attempt >= _MOST_ATTEMPTS:
        return Fail(sentence=_BROKEN, kind="broken")
    return Count(wait=_pause(attempt) * attempt)


def _pause(attempt: int) -> float:
    """Seconds after the nth attempt: 1, 2, 4 …"""
    return min(_FIRST_PAUSE * (1 << (attempt - 1)), _LONGEST_PAUSE)
