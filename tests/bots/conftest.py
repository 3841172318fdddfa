"""The program, in a folder of this test's own."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core import network
from tests.bots.program import Program, with_key
from tests.peers.endpoint import Endpoint
from tests.peers.proxy import Proxy


@pytest.fixture
async def program(tmp_path: Path, filled_url: str) -> AsyncIterator[Program]:
    """Moorings without a key, where it ran before: the offline demo answers."""
    program = Program(tmp_path)
    yield program
    await program.end()


@pytest.fixture
def never_ran(program: Program) -> None:
    """Its folder is as empty as at the very first start."""
    (program.folder / "moorings.db").unlink()


@pytest.fixture
async def endpoint(program: Program) -> AsyncIterator[Endpoint]:
    """A model endpoint that the program has the key for."""
    async with Endpoint() as endpoint:
        program.set(**with_key(endpoint.base_url))
        yield endpoint


@pytest.fixture(params=["http", "socks"])
async def proxy(request: pytest.FixtureRequest) -> AsyncIterator[Proxy]:
    """The one that all in this process have to go through, of each kind."""
    async with Proxy("ana:a-secret") as proxy:
        address = getattr(proxy, request.param)
        network.use(network.Network(plain=address, secure=address))
        yield proxy
    network.use(network.Network())


@pytest.fixture
def site(program: Program) -> str:
    """Where the program listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program.set(PORT=str(port))
    return f"http://127.0.0.1:{port}"
