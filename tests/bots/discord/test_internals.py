"""Everything that is used of discord.py and not public is still as it was."""

from __future__ import annotations

import inspect

import discord
import pytest
from discord import app_commands, gateway, http

from bots.discord import internals

CHANGED = (
    f"discord.py {discord.__version__} has changed inside: look what takes the place of {{}} in "
    f"{internals.__name__}, or keep the version before"
)


@pytest.fixture
def client() -> discord.Client:
    return discord.Client(intents=discord.Intents.none())


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (http.Route, "BASE"),
        (gateway.DiscordWebSocket, "DEFAULT_GATEWAY"),
        (discord.VoiceClient, "warn_nacl"),
        (discord.VoiceClient, "warn_dave"),
        (app_commands.Command, "to_dict"),
        (app_commands.Group, "to_dict"),
        (app_commands.ContextMenu, "to_dict"),
    ],
)
def test_discord_py_still_has(owner: type, name: str) -> None:
    assert hasattr(owner, name), CHANGED.format(f"{owner.__name__}.{name}")


def test_a_client_still_has_its_http_and_its_state(client: discord.Client) -> None:
    for name in ("http", "_connection"):
        assert hasattr(client, name), CHANGED.format(f"Client.{name}")
    assert hasattr(client.http, "_global_over"), CHANGED.format("HTTPClient._global_over")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("request", ("route",)),
        ("close", ()),
        ("start_thread_with_message", ("channel_id", "message_id", "name")),
        ("edit_channel", ("channel_id", "options")),
    ],
)
def test_http_is_still_asked_like_this(name: str, arguments: tuple[str, ...]) -> None:
    found = getattr(http.HTTPClient, name, None)
    assert found, CHANGED.format(f"HTTPClient.{name}")
    has = inspect.signature(found).parameters
    assert set(arguments) <= set(has), CHANGED.format(f"the arguments of HTTPClient.{name}")


def test_the_global_limit_is_still_an_event_that_one_call_sets_for_all() -> None:
    source = inspect.getsource(http.HTTPClient)
    for line in ("_global_over.clear()", "_global_over.set()", "_global_over.wait()"):
        assert line in source, CHANGED.format(f"HTTPClient.{line}")


def test_heartbeats_still_know_their_line() -> None:
    assert "self.ws" in inspect.getsource(gateway.KeepAliveHandler), CHANGED.format(
        "KeepAliveHandler.ws"
    )
    source = inspect.getsource(gateway.DiscordWebSocket)
    for name in ("_keep_alive", "_connection"):
        assert f"self.{name}" in source or f"ws.{name}" in source, CHANGED.format(
            f"DiscordWebSocket.{name}"
        )


def test_a_wait_is_still_refused_by_the_limit_that_it_is_given() -> None:
    assert "max_ratelimit_timeout" in inspect.getsource(discord.Client.__init__), CHANGED.format(
        "Client(max_ratelimit_timeout=…)"
    )
