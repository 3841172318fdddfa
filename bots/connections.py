"""Connections of aiohttp, for platforms and downloads: through the proxy that the host has set."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from aiohttp import ClientProxyConnectionError, ClientRequest, ClientTimeout, TCPConnector
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from core import network
from core.lazy import lazy

if TYPE_CHECKING:
    from aiohttp_socks import ProxyConnector

_SOCKS = "socks5"


class Connector(TCPConnector):
    """Chooses the way for each request by its address; whatever a library chose does not count."""

    def __init__(self, *, limit: int = 100) -> None:
        self._network = network.used()
        super().__init__(limit=limit, ssl=self._network.authorities() or True)
        self._by_socks: dict[str, ProxyConnector] = {}

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109  # aiohttp's signature
    ) -> Connection:
        """As aiohttp's."""
        proxy = self._network.proxy_for(str(req.url))
        if proxy and proxy.startswith(_SOCKS):
            req.update_proxy(None, None, None)
            try:
                return await self._socks(proxy).connect(req, traces, timeout)
            except _socks_errors() as error:
                why = OSError(errno.ECONNREFUSED, "the proxy does not let it through")
                raise ClientProxyConnectionError(req.connection_key, why) from error
        req.update_proxy(URL(proxy) if proxy else None, None, None)
        return await super().connect(req, traces, timeout)

    def _socks(self, proxy: str) -> ProxyConnector:
        """It has names looked up by the proxy."""
        if proxy not in self._by_socks:
            made: type[ProxyConnector] = lazy("aiohttp_socks", "ProxyConnector")
            self._by_socks[proxy] = made.from_url(
                proxy.replace("socks5h://", "socks5://"),
                rdns=True,
                limit=self.limit,
                ssl=self._network.authorities() or True,
            )
        return self._by_socks[proxy]

    async def close(self, *, abort_ssl: bool = False) -> None:
        """As aiohttp's."""
        while self._by_socks:
            _, connector = self._by_socks.popitem()
            await connector.close()
        await super().close(abort_ssl=abort_ssl)


def _socks_errors() -> tuple[type[Exception], ...]:
    """All that can happen before a request leaves."""
    names = ("ProxyError", "ProxyConnectionError", "ProxyTimeoutError")
    return tuple(lazy("aiohttp_socks", name) for name in names)
