"""The model endpoints of this process: one client each, shared by all agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.errors import ConfigMistake
from core.llm import ChatModel
from core.llm.fallback import FallbackModel
from core.llm.late import late

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from core.llm.openai import EndpointModel


class Endpoints:
    """Clients and models are made once; whoever makes the Endpoints closes them."""

    def __init__(self, *, timeout: float = 300, read_timeout: float = 60) -> None:
        """Seconds as for EndpointModel."""
        self._timeout = timeout
        self._read_timeout = read_timeout
        self._clients: dict[tuple[str | None, str], AsyncOpenAI] = {}
        self._models: dict[tuple[str | None, str, str, str], EndpointModel] = {}

    def model(
        self,
        names: Sequence[str],
        *,
        base_url: str | None,
        api_key: str,
        key_variable: str = "OPENAI_API_KEY",
    ) -> ChatModel:
        """The first name, with the others as fallbacks. The first call takes a second.

        Raises:
            ConfigMistake: the key cannot be sent.
        """
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigMistake(f"{key_variable} holds characters no key has; paste it anew.")
        models = [self._model(name, base_url, api_key, key_variable) for name in names]
        return models[0] if len(models) == 1 else FallbackModel(models)

    async def close(self) -> None:
        """Close every client; what still streams breaks off."""
        self._models.clear()
        while self._clients:
            _, client = self._clients.popitem()
            await client.close()

    def _model(
        self, name: str, base_url: str | None, api_key: str, key_variable: str
    ) -> EndpointModel:
        """Kept, because a model learns what its endpoint does not understand."""
        key = (base_url, api_key, key_variable, name)
        if key not in self._models:
            model_type: type[EndpointModel] = late("core.llm.openai", "EndpointModel")
            self._models[key] = model_type(
                self._client(base_url, api_key),
                name,
                key_variable=key_variable,
                timeout=self._timeout,
                read_timeout=self._read_timeout,
            )
        return self._models[key]

    def _client(self, base_url: str | None, api_key: str) -> AsyncOpenAI:
        """Making one costs 77 ms."""
        key = (base_url, api_key)
        if key not in self._clients:
            client_type: type[AsyncOpenAI] = late("openai", "AsyncOpenAI")
            self._clients[key] = client_type(base_url=base_url, api_key=api_key, max_retries=2)
        return self._clients[key]
