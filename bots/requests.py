"""What is looked at before a request to a platform leaves: that this process may still speak."""

from __future__ import annotations

from aiohttp import ClientSession, TraceConfig, TraceRequestHeadersSentParams

from core.turn.held_lease import check_lease


def guard() -> TraceConfig:
    """For a session whose requests are sent only while the lease that they belong to is held.

    A process that was suspended while a request waited for its turn, or for a connection, says
    nothing any more: the request raises LeaseLost instead.
    """
    config = TraceConfig()
    config.on_request_headers_sent.append(_look)  # before the first byte, despite its name
    return config


async def _look(_: ClientSession, __: object, ___: TraceRequestHeadersSentParams) -> None:
    check_lease()
