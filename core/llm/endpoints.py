"""The model endpoints of this process: one client each, shared by all agents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from core import network
from core.errors import ConfigMistake
from core.lazy import lazy, postpone
from core.llm import Api, ChatModel
from core.llm.fallback import FallbackModel
from core.llm.time_limits import Limits
from core.redaction import HELD

if TYPE_CHECKING:
    import ssl

    from openai import AsyncOpenAI

    from core.llm.capabilities import Capabilities
    from core.llm.endpoint import EndpointModel
    from core.llm.listing import Listing

_LIMITS = Limits()
OPENAI = "https://api.openai.com/v1"
# The SDK would tell every endpoint about this machine; these are half of a request's headers. And
# it would read from the environment whose account a call belongs to.
_TELEMETRY = ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
_UNSENT = (
    *(f"X-Stainless-{name}" for name in _TELEMETRY),
    *("OpenAI-Organization", "OpenAI-Project"),
)

# Whoever asks by bytes needs none of their 370 modules, which take 9 MB and half a second.
_TYPED = ("openai.types", "openai.types.responses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where models are asked, through which API, and with whose key."""

    base_url: str = OPENAI
    api_key: str = field(repr=False)
    key_variable: str = "OPENAI_API_KEY"
    api: Api = Api.AUTO


class Endpoints:
    """Clients and models are made once; whoever makes the Endpoints closes them."""

    def __init__(self, limits: Limits = _LIMITS) -> None:
        for package in _TYPED:
            postpone(package)
        self._limits = limits
        self._clients: dict[tuple[str, str], AsyncOpenAI] = {}
        self._models: dict[tuple[Endpoint, str], EndpointModel] = {}
        self._learnt: dict[tuple[str, Api, str], Capabilities] = {}

    def model(
        self, names: Sequence[str], at: Endpoint, *, first_token_seconds: float | None = None
    ) -> ChatModel:
        """The first name, with the others as fallbacks. The first call takes a second.

        Raises:
            ConfigMistake: the key cannot be sent.
        """
        if not (at.api_key.isascii() and at.api_key.isprintable()):
            raise ConfigMistake(f"{at.key_variable} holds characters no key has; paste it anew.")
        models = [self._model(name, at) for name in names]
        if len(models) == 1:
            return models[0]
        return FallbackModel(models, first_token_seconds=first_token_seconds)

    async def listing(self, at: Endpoint) -> Listing | None:
        """The models that the endpoint lists; None where it lists none."""
        ask: Callable[[AsyncOpenAI], Awaitable[Listing | None]] = lazy(
            "core.llm.listing", "listing"
        )
        return await ask(self._client(at))

    async def close(self) -> None:
        """Close every client; what still streams breaks off."""
        self._models.clear()
        while self._clients:
            _, client = self._clients.popitem()
            await client.close()

    def _model(self, name: str, at: Endpoint) -> EndpointModel:
        if (at, name) not in self._models:
            model_type: type[EndpointModel] = lazy("core.llm.endpoint", "EndpointModel")
            learnt_type: type[Capabilities] = lazy("core.llm.capabilities", "Capabilities")
            self._models[at, name] = model_type(
                self._client(at),
                name,
                api=at.api,
                learnt=self._learnt.setdefault((at.base_url, at.api, name), learnt_type()),
                key_variable=at.key_variable,
                limits=self._limits,
            )
        return self._models[at, name]

    def _client(self, at: Endpoint) -> AsyncOpenAI:
        """Making one costs 77 ms. Without a base URL it would read one from the environment."""
        key = (at.base_url, at.api_key)
        if key not in self._clients:
            HELD.hold_for_good([at.api_key])
            client_type: type[AsyncOpenAI] = lazy("openai", "AsyncOpenAI")
            omit: Any = lazy("openai", "omit")
            unsent: dict[str, Any] = dict.fromkeys(_UNSENT, omit)
            self._clients[key] = client_type(
                base_url=at.base_url,
                api_key=at.api_key,
                max_retries=2,
                default_headers=unsent,
                http_client=_opened(at.base_url),
            )
        return self._clients[key]


def _opened(base_url: str) -> Any:  # noqa: ANN401  # a client of httpx2, with the SDK's limits
    way = network.used()
    return lazy("openai", "DefaultAsyncHttpxClient")(
        proxy=way.proxy_for(base_url), verify=way.authorities() or _system(), trust_env=False
    )


@cache
def _system() -> ssl.SSLContext:
    """Whom the system trusts; reading it takes 60 ms, which each client would do anew."""
    context: ssl.SSLContext = lazy("httpx2", "create_ssl_context")(trust_env=False)
    return context
