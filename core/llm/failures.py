"""What an endpoint's failure means: who can act, and in which words they are told."""

from __future__ import annotations

from dataclasses import dataclass

import openai

from core import network
from core.errors import ContextOverflow, ModelDown, ModelRefused
from core.llm.complaint import Complaint

_NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached")
_PASSING = {408, 409, 425, 429}  # the only 4xx that may go away by themselves
_PAYMENT_REQUIRED = 402
_TOLD = "Please tell whoever runs this bot; the reason is in its log."


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a call was meant for, in the words of the configuration."""

    model: str
    host: str
    key_variable: str

    def __str__(self) -> str:
        return f"{self.model} at {self.host}"


def down(target: Target, what: str, *, retry_after: float | None = None) -> ModelDown:
    """The failure that may pass."""
    return ModelDown(f"{target} {what}.", retry_after=retry_after)


def translated(complaint: Complaint, target: Target) -> ModelDown | ModelRefused:
    """The endpoint's complaint as our error; nothing of its own words is passed on."""
    if complaint.is_about_images:
        return ModelRefused(
            f"{target} cannot look at images; choose another model for the agent.",
            told="My language model cannot look at images. Please tell me in words what is in it.",
        )
    status = complaint.status
    if any(code in complaint.code for code in _NO_CREDIT):
        status = _PAYMENT_REQUIRED
    if status in range(400, 500) and status not in _PASSING:
        return _refused(status, complaint, target)
    what = f"is overloaded or out of order (HTTP {status})" if status else "reported a failure"
    return down(target, what, retry_after=complaint.retry_after)


def overflow(
    target: Target, budget: int, *, refusal: ModelRefused | None = None
) -> ContextOverflow:
    """The prompt is too long; one of `budget` tokens may not be.

    With a `refusal` that is only a guess, and whoever has to act hears of both.
    """
    remedy = "lower the agent's window_tokens"
    return ContextOverflow(
        f"{refusal} If it is not that, the prompt is too long: {remedy}."
        if refusal
        else f"The prompt is too long for {target}; {remedy}.",
        told="This is more than my language model can read at once. Please write it "
        "shorter or in parts.",
        budget=budget,
    )


def unanswered(error: openai.APIError, target: Target) -> ModelDown:
    """No answer at all came, or one that the SDK could not take."""
    if isinstance(error, openai.APITimeoutError):
        return down(target, "did not answer in time")
    if isinstance(error, openai.APIConnectionError):
        if distrust := network.distrust(error):
            return down(target, f"cannot be reached: {distrust}")
        return down(target, "cannot be reached; check base_url or OPENAI_BASE_URL and the network")
    return down(target, "reported a failure while it answered")


def _refused(status: int, complaint: Complaint, target: Target) -> ModelRefused:
    key = target.key_variable
    match status:
        case 401:
            what = "does not accept the key"
            remedy = f"set {key} to a key of that endpoint"
            told = "My access to the language model is not accepted."
        case 402:
            what = "has no credit left"
            remedy = f"add credit to the account, or set {key} to another key"
            told = "My access to the language model has no credit left."
        case 403:
            what = "is not allowed for this key"
            remedy = f"choose another model for the agent, or set {key} to another key"
            told = "I am not allowed to use my language model."
        case 404:
            what = "does not exist"
            remedy = "correct the agent's model, or base_url or OPENAI_BASE_URL (most end in /v1)"
            told = "My language model cannot be found."
        case _:
            what = "does not accept the request"
            remedy = f"check the agent's {_suspect(complaint)}"
            told = "My language model does not accept this request."
    return ModelRefused(f"{target} {what} (HTTP {status}): {remedy}.", told=f"{told} {_TOLD}")


def _suspect(complaint: Complaint) -> str:
    """The setting that the endpoint complains of, if it is one of ours."""
    settings = ("temperature", "tools", "reasoning_effort", "api", "model")
    named = f"{complaint.parameter} {complaint.message}"
    found = [name for name in settings[:3] if name in named]
    return ", ".join(found or settings)
