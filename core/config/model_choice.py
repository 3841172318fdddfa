"""Which model speaks for an agent, at which endpoint, with which key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.config.settings import Settings
from core.config.spec import AgentSpec
from core.errors import ModelRefused
from core.llm import ChatModel
from core.llm.demo import DemoModel
from core.llm.endpoints import OPENAI, Endpoint, Endpoints

if TYPE_CHECKING:
    from core.llm.listing import Listing

_NO_KEY = "none"  # local servers want some key, and look at none
_TOLD = "I have no key for my language model. Please tell whoever runs me; the log says more."


class ModelChoice:
    """Chooses by the agent's own settings first, then by the environment."""

    def __init__(self, settings: Settings, endpoints: Endpoints, *, may_demo: bool) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._may_demo = may_demo

    def is_demo(self, spec: AgentSpec) -> bool:
        """Whether the offline demo stands in: only where allowed, and only without any key."""
        has_endpoint = spec.base_url or spec.api_key_env or self._settings.openai_base_url
        return self._may_demo and not has_endpoint and self._settings.openai_api_key is None

    def of(self, spec: AgentSpec) -> ChatModel:
        """The agent's model.

        Raises:
            ModelRefused: its key is not set.
        """
        if self.is_demo(spec):
            return DemoModel()
        return self._endpoints.model(
            (spec.model, *spec.fallback_models),
            self._endpoint(spec),
            first_token_seconds=spec.first_token_seconds,
        )

    async def listing(self, spec: AgentSpec) -> Listing | None:
        """The models that the agent's endpoint lists; None where it lists none.

        Raises:
            ModelRefused: its key is not set.
        """
        return await self._endpoints.listing(self._endpoint(spec))

    def _endpoint(self, spec: AgentSpec) -> Endpoint:
        return Endpoint(
            base_url=spec.base_url or self._settings.openai_base_url or OPENAI,
            api_key=self._key(spec),
            key_variable=spec.api_key_env or "OPENAI_API_KEY",
            api=spec.api,
        )

    def _key(self, spec: AgentSpec) -> str:
        """An agent with its own endpoint is never sent another endpoint's key."""
        if spec.api_key_env:
            if secret := self._settings.secret(spec.api_key_env):
                return secret.get_secret_value()
            raise _missing(spec, spec.api_key_env)
        if spec.base_url:
            return _NO_KEY
        if self._settings.openai_api_key:
            return self._settings.openai_api_key.get_secret_value()
        if self._settings.openai_base_url:
            return _NO_KEY
        raise _missing(spec, "OPENAI_API_KEY")


def _missing(spec: AgentSpec, variable: str) -> ModelRefused:
    return ModelRefused(
        f"agent {spec.name} has no key: set {variable} in the environment or in .env", told=_TOLD
    )
