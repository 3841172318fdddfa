"""What an endpoint's failure means: who can act, and in which words they are told."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import openai

from core.errors import ContextOverflow, ModelDown, ModelRefused

_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context (size|window)"
    r"|prompt is too long|request too large|exceeds the maximum number of tokens",
    re.IGNORECASE,
)
_NO_IMAGES = re.compile(  # in the words of OpenAI, vLLM, llama.cpp, OpenRouter and others
    r"image_url|image input|image content|not (support|accept|allow)\w* (images?|vision)"
    r"|images? (is|are) not|no vision|not a multimodal",
    re.IGNORECASE,
)
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached"}
_PASSING = {408, 409, 425, 429}  # the only 4xx that may go away by themselves
_PAYMENT_REQUIRED = 402
_PAYLOAD_TOO_LARGE = 413
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


def translated(error: openai.APIError, target: Target) -> ModelDown | ModelRefused:
    """The SDK's error as ours; nothing of the endpoint's own words is passed on."""
    status = error.status_code if isinstance(error, openai.APIStatusError) else 0
    if status == _PAYLOAD_TOO_LARGE or _OVERFLOW.search(
        f"{error.code} {error.type} {error.message}"
    ):
        return ContextOverflow(
            f"The prompt is too long for {target}; lower the agent's window_tokens.",
            told="This is more than my language model can read at once. Please write it "
            "shorter or in parts.",
        )
    if _NO_IMAGES.search(error.message):
        return ModelRefused(
            f"{target} cannot look at images; choose another model for the agent.",
            told="My language model cannot look at images. Please tell me in words what is in it.",
        )
    if error.code in _NO_CREDIT:
        status = _PAYMENT_REQUIRED
    if status in _PASSING or status not in range(400, 500):
        return down(target, _what_happened(error), retry_after=_retry_after(error))
    return _refused(status, error, target)


def _refused(status: int, error: openai.APIError, target: Target) -> ModelRefused:
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
            remedy = f"check the agent's {_suspect(error)}"
            told = "My language model does not accept this request."
    sentence = f"{target} {what}.(HTTP {status}): {remedy}."
    return ModelRefused(sentence, told=f"{told} {_TOLD}")


def _suspect(error: openai.APIError) -> str:
    """The setting that the endpoint complains of, if it is one of ours."""
    settings = ("temperature", "tools", "model")
    return next((name for name in settings if name in (error.param or "")), ", ".join(settings))


def _what_happened(error: openai.APIError) -> str:
    match error:
        case openai.APITimeoutError():
            return "did not answer in time"
        case openai.APIConnectionError():
            return "cannot be reached; check base_url or OPENAI_BASE_URL and the network"
        case openai.APIStatusError():
            return f"is overloaded or out of order (HTTP {error.status_code})"
        case _:
            return "reported a failure while it answered"


def _retry_after(error: openai.APIError) -> float | None:
    if not isinstance(error, openai.APIStatusError):
        return None
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:  # none, or a date, which endpoints do not send
        return None
    return seconds if 0 < seconds < math.inf else None
