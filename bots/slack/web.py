"""The SDK's client of the Web API, for a few calls: each on a connection of ours."""

from __future__ import annotations

import logging
from copy import copy
from typing import Any

from aiohttp import ClientSession, ClientTimeout
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.connections import Connector


class OwnWebClient(AsyncWebClient):
    """Without a session it would open one that knows nothing of our proxies."""

    def __init__(
        self, *, api_url: str, timeout: int, logger: logging.Logger, token: str | None = None
    ) -> None:
        super().__init__(
            token=token, base_url=api_url, timeout=timeout, retry_handlers=[], logger=logger
        )
        self.proxy = None  # it has read the environment

    async def api_call(self, *args: Any, **how: Any) -> AsyncSlackResponse:  # type: ignore[explicit-any]  # noqa: ANN401  # as the SDK's
        """As the SDK's."""
        limit = ClientTimeout(total=self.timeout)
        async with ClientSession(connector=Connector(), timeout=limit) as session:
            client = copy(self)
            client.session = session
            return await AsyncWebClient.api_call(client, *args, **how)
