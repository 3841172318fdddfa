"""What can go wrong, by who must act.

MooringsError
├── UserMistake         tell the person who wrote
│   └── NotAllowed      … that they may not ask, or not now
├── ToolError           tell the model that called the tool
├── ConfigMistake       tell the operator: a file, a variable or a URL has to change
├── Transient           try again later
│   ├── Postponed       … and this was no attempt
│   └── ModelDown       the model endpoint is unreachable, overloaded or broke off
└── Refused             trying again would not help
    ├── ModelRefused    the endpoint does not accept the request
    │   └── ContextOverflow   … because the prompt is too long for the model
    ├── DeliveryRefused the platform does not accept the answer
    ├── FileUnavailable nobody can read a file that was sent; tell the model
    └── AnswerFailed    a question will not be answered; tell whoever asked
"""

from __future__ import annotations


class MooringsError(Exception):
    """The root; `str()` is one sentence that says what happened and what to do."""


class UserMistake(MooringsError):
    """The person who wrote can mend it."""


class NotAllowed(UserMistake):
    """They may not ask this agent, here or now; `str()` says who can change that, or when."""


class ToolError(MooringsError):
    """The model can mend it: another argument, another tool, or an apology."""


class ConfigMistake(MooringsError):
    """The operator can mend it in a file, a variable or a URL."""


class Transient(MooringsError):
    """It may work later; `retry_after` is the wait in seconds that the other side asked for."""

    def __init__(self, sentence: str, *, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Postponed(Transient):
    """It waits for something of our own; that it could not be done now is no attempt."""


class ModelDown(Transient):
    """The model endpoint is unreachable, overloaded, too slow, or broke off."""


class Refused(MooringsError):
    """It will not work later either."""


class ModelRefused(Refused):
    """The endpoint rejects the request.

    `str()` is for the operator's log; `told` is what the person in chat reads: it names
    who can act and never carries the endpoint's own words.
    """

    def __init__(self, sentence: str, *, told: str) -> None:
        super().__init__(sentence)
        self.told = told


class ContextOverflow(ModelRefused):
    """The prompt does not fit into the model's context window; one of `budget` tokens may."""

    def __init__(self, sentence: str, *, told: str, budget: int = 0) -> None:
        super().__init__(sentence, told=told)
        self.budget = budget


class DeliveryRefused(Refused):
    """The platform rejects the message for good: gone, forbidden, malformed."""


class FileUnavailable(Refused):
    """A file cannot be had; `str()` ends a sentence that begins with its name."""


class AnswerFailed(Refused):
    """There will be no answer; `str()` is the sentence that the person was told instead."""
