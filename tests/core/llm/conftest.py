"""A model endpoint on the loopback, and a model on it with short time limits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.llm.endpoint import EndpointModel
from core.llm.time_limits import Limits
from tests.core.llm.asking import client_of
from tests.peers.endpoint import Endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def model(endpoint: Endpoint) -> AsyncIterator[EndpointModel]:
    async with client_of(endpoint.base_url, max_retries=2) as client:
        yield EndpointModel(client, "gpt-6-luna", limits=Limits(whole=5, wait=0.3))
