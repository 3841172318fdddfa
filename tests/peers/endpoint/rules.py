"""What models of a vendor allow and refuse, as data: OpenAI's of November 2026."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.peers.endpoint.behaviours import Fail
from tests.peers.endpoint.bodies import Body, effort_of

Api = Literal["chat", "responses"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One model: which efforts it knows (none: it does not reason), and where it takes tools."""

    model: str
    efforts: tuple[str, ...] = ()
    default_effort: str = ""
    tools_on_chat: Literal["always", "without reasoning"] = "always"
    efforts_on_chat: tuple[str, ...] | None = None
    shutdown_date: str | None = None

    def refused(self, api: Api, body: Body) -> Fail | None:
        """The first thing that this model does not take."""
        return next(self._faults(api, body), None)

    def reasons(self, body: Body) -> bool:
        """Whether the model thinks before it answers."""
        return bool(self.efforts) and (effort_of(body) or self.default_effort) != "none"

    def _faults(self, api: Api, body: Body) -> Iterator[Fail]:
        yield from self._faults_of_effort(api, body)
        if not self.efforts and "reasoning.encrypted_content" in (body.get("include") or ()):
            yield _invalid("Encrypted content is not supported with this model.", "include")
        if not self.reasons(body):
            return
        yield from self._faults_of_sampling(api, body)
        if api == "chat" and body.get("tools") and self.tools_on_chat == "without reasoning":
            yield _invalid(
                f"Function tools with reasoning_effort are not supported for {self.model} in "
                "/v1/chat/completions. To use function tools, use /v1/responses or set "
                "reasoning_effort to 'none'.",
                "reasoning_effort",
            )

    def _faults_of_effort(self, api: Api, body: Body) -> Iterator[Fail]:
        param = "reasoning_effort" if api == "chat" else "reasoning.effort"
        effort = effort_of(body)
        if effort is None:
            return
        if not self.efforts:
            yield _unsupported(param)
            return
        known = self.efforts_on_chat if api == "chat" and self.efforts_on_chat else self.efforts
        if effort not in known:
            *most, last = (f"'{each}'" for each in known)
            yield _invalid(
                f"Unsupported value: '{effort}' is not supported with the '{self.model}' model. "
                f"Supported values are: {', '.join(most)}, and {last}.",
                param,
                "unsupported_value",
            )

    def _faults_of_sampling(self, api: Api, body: Body) -> Iterator[Fail]:
        temperature = body.get("temperature", 1)
        if temperature != 1 and api == "responses":
            yield _unsupported("temperature")
        elif temperature != 1:
            yield _invalid(
                f"Unsupported value: 'temperature' does not support {temperature:g} with this "
                "model. Only the default (1) value is supported.",
                "temperature",
                "unsupported_value",
            )
        if "max_tokens" in body:
            yield _unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
        if "stop" in body:
            yield _unsupported("stop")


def _unsupported(param: str, instead: str = "") -> Fail:
    return _invalid(
        f"Unsupported parameter: '{param}' is not supported with this model.{instead}",
        param,
        "unsupported_parameter",
    )


def _invalid(message: str, param: str, code: str | None = None) -> Fail:
    return Fail(status=400, type="invalid_request_error", message=message, param=param, code=code)


def unknown(model: str) -> Fail:
    """No such model."""
    return Fail(
        status=404,
        type="invalid_request_error",
        message=f"The model `{model}` does not exist or you do not have access to it.",
        code="model_not_found",
    )


_EARLIER = ("minimal", "low", "medium", "high")
_WITH_NONE = ("none", "low", "medium", "high", "xhigh", "max")
_WITHOUT_NONE = ("low", "medium", "high", "xhigh", "max")

# developers.openai.com/api/docs/deprecations for the dates; BerriAI/litellm#34569 and #33221,
# sub2api#6740, bolna-ai/bolna#1019 and BerriAI/litellm-docs#1173 for tools and efforts.
OPENAI = (
    *(
        Rule(model=model, shutdown_date="2027-01-14")
        for model in ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini")
    ),
    *(
        Rule(model=model, efforts=_EARLIER, default_effort="medium", shutdown_date="2026-12-11")
        for model in ("gpt-5", "gpt-5-mini", "gpt-5-nano", "o3")
    ),
    *(
        Rule(
            model=model,
            efforts=_WITH_NONE,
            default_effort="medium",
            tools_on_chat="without reasoning",
        )
        for model in ("gpt-5.6", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-6-luna")
    ),
    *(
        Rule(
            model=model,
            efforts=_WITHOUT_NONE,
            efforts_on_chat=_WITHOUT_NONE[:-1],
            default_effort="medium",
            tools_on_chat="without reasoning",
        )
        for model in ("gpt-6-astra", "gpt-6.1-sol")
    ),
)
RULES = {"openai": OPENAI}
