"""What is used of Slack's packages beyond their documentation is what it was when it was looked at.

`bots/slack/connection.py` builds on slack-sdk's inside. Of slack-bolt's it uses what sends an
acknowledgement, `bots/slack/http.py` and `bots/slack/install.py` what reads and answers requests.
"""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest
from slack_bolt.adapter.socket_mode import async_internals, internals
from slack_bolt.adapter.starlette import async_handler
from slack_bolt.version import __version__ as bolt_version
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.version import __version__ as sdk_version

CHANGED = (
    f"slack-sdk {sdk_version} has changed inside: look what takes the place of {{}} in "
    "bots/slack/connection.py, or keep the version before"
)
BOLT = (
    f"slack-bolt {bolt_version} has changed inside: look what takes the place of {{}} in "
    "bots/slack, or keep the version before"
)


@pytest.mark.parametrize(
    ("owner", "name", "arguments"),
    [
        (AsyncBaseSocketModeClient, "process_message", []),
        (AsyncBaseSocketModeClient, "send_socket_mode_response", ["response"]),
        (SocketModeClient, "connect", []),
        (SocketModeClient, "close", []),
        (SocketModeClient, "is_connected", []),
    ],
)
def test_a_client_is_still_told_like_this(owner: type, name: str, arguments: list[str]) -> None:
    """By each class itself: what it inherits does nothing."""
    found = vars(owner).get(name)
    assert inspect.iscoroutinefunction(found), CHANGED.format(f"SocketModeClient.{name}")
    has = [each for each in inspect.signature(found).parameters if each != "self"]
    assert has == arguments, CHANGED.format(f"the arguments of SocketModeClient.{name}")


async def test_a_client_still_has_what_is_looked_at() -> None:
    client = SocketModeClient("xapp-x", auto_reconnect_enabled=False, ping_interval=9)
    client.closed = True
    names = [
        *("message_queue", "current_session", "message_processor", "message_receiver"),
        *("current_session_monitor", "on_close_listeners", "closed", "ping_interval"),
    ]
    await client.aiohttp_client_session.close()
    client.message_processor.cancel()
    missing = [name for name in names if not hasattr(client, name)]
    assert not missing, CHANGED.format(missing)


def test_what_comes_is_still_taken_one_by_one_by_the_method_that_is_ours() -> None:
    source = inspect.getsource(SocketModeClient)
    loop = inspect.getsource(SocketModeClient.process_messages)
    assert "self.process_message()" in loop, CHANGED.format("SocketModeClient.process_messages")
    assert "process_messages()" in source, CHANGED.format("SocketModeClient.message_processor")
    assert "self.auto_reconnect_enabled" in source, CHANGED.format("auto_reconnect_enabled")


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        (async_handler, "to_async_bolt_request", ["req", "body", "addition_context_properties"]),
        (async_handler, "to_starlette_response", ["bolt_resp"]),
        (async_internals, "send_async_response", ["client", "req", "bolt_resp", "start_time"]),
        (internals, "build_headers", ["req"]),
    ],
)
def test_bolt_is_still_asked_like_this(module: ModuleType, name: str, arguments: list[str]) -> None:
    found = getattr(module, name, None)
    assert inspect.isfunction(found), BOLT.format(f"{module.__name__}.{name}")
    assert list(inspect.signature(found).parameters) == arguments, BOLT.format(name)
