"""The program, in a folder of this test's own."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
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


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Where this process connects to from now on, and how often: host:port."""
    places = Counter[str]()
    connect = socket.socket.connect

    def counted(self: socket.socket, address: tuple[str, int]) -> None:
        places[f"{address[0]}:{address[1]}"] += 1
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", counted)
    return places


@pytest.fixture(params=["http", "socks"])
async def proxy(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, connected: Counter[str]
) -> AsyncIterator[Proxy]:
    """The one that all in this process have to go through, of each kind; nobody goes around it.

    Who reads the environment by itself finds nothing that can be used.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY"):
        monkeypatch.setenv(name, "http://[")
    async with Proxy("ana:a-secret") as proxy:
        address = getattr(proxy, request.param)
        network.use(network.Network(plain=address, secure=address))
        yield proxy
        network.use(network.Network())
        connected.pop(proxy.place.partition("@")[2])  # else nobody counts
        assert not connected - Counter(proxy.asked)


@pytest.fixture
def site(program: Program) -> str:
    """Where the program listens."""
    port = _free_port()
    program.set(PORT=str(port))
    return f"http://127.0.0.1:{port}"


def _free_port() -> int:
    """One that nobody is given who asks for any: those are from 32,768 on."""
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", 0)) as any_port:
            port = 10_000 + int(any_port.getsockname()[1]) % 20_000
            socket.create_server(("127.0.0.1", port)).close()
            return port
