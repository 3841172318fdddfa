"""A process imports what its configuration uses, and nothing that costs time and memory for others.

Each is an interpreter of its own that has imported nothing before.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from tests.bots.program import with_key
from tests.forked import Life, cold
from tests.peers.discord.peer import DiscordPeer
from tests.peers.endpoint import Endpoint
from tests.peers.slack.peer import SlackPeer

# Ends a bot as soon as it has started, as SIGTERM does: what the first answer needs is there then.
PROGRAM = """
import logging, os, signal, sys
from bots.__main__ import main

class End(logging.Handler):
    def emit(self, record):
        if record.msg == "started":
            os.kill(os.getpid(), signal.SIGTERM)

logging.getLogger("bots.app").addHandler(End())
code = 0
try:
    main()
except SystemExit as end:
    code = end.code
print("imported", *sys.modules)
sys.exit(code)
"""
HTTP = {"bots.http", "starlette", "uvicorn"}
OPENAI = {"core.llm.endpoint", "genai_prices", "httpx2", "openai"}
SLACK = {"aiohttp", "bots.slack.platform", "slack_sdk"}
BOLT = {"slack_bolt", "slack_sdk.oauth"}
DISCORD = {"aiohttp", "bots.discord.platform", "discord", "rich"}
POSTGRES, MYSQL = {"asyncpg"}, {"asyncmy"}
NEVER = {
    *("cryptography", "hypothesis", "prompt_toolkit", "pytest"),
    *("discord.ext.commands", "openai.resources", "openai.types.responses.response", "psycopg"),
}
# openai imports aiohttp where it is installed, for a client that is made only when asked for
DEAR = {*HTTP, *OPENAI, *SLACK, *BOLT, *DISCORD, *POSTGRES, *MYSQL, *NEVER}


async def imported(folder: Path, environment: Mapping[str, str], *arguments: str) -> set[str]:
    """What of the dear ones such a process has imported when it ends; it must succeed."""
    known = {"PATH": "", "HOME": str(folder), "USER": "ana", **environment}
    life = Life(arguments=arguments, folder=folder, environment=known, source=PROGRAM)
    ended = await cold(life)
    assert ended.code == 0, ended.err
    first, *names = ended.out.splitlines()[-1].split()
    assert first == "imported"
    return DEAR.intersection(names)


async def test_help_needs_nothing(tmp_path: Path) -> None:
    assert await imported(tmp_path, {}, "--help") == set()


async def test_the_offline_demo_needs_no_vendor_platform_or_driver(tmp_path: Path) -> None:
    assert await imported(tmp_path, {}, "ask", "assistant", "hello") == set()


async def test_one_question_to_an_endpoint_needs_only_what_asks_it(tmp_path: Path) -> None:
    async with Endpoint() as endpoint:
        found = await imported(tmp_path, with_key(endpoint.base_url), "ask", "assistant", "hello")
    assert found == OPENAI | {"aiohttp"}


async def test_a_bot_on_slack_alone_needs_nothing_of_discord_and_bolt_only_to_listen(
    tmp_path: Path,
) -> None:
    async with SlackPeer() as peer:
        tokens = {
            "SLACK_BOT_TOKEN": peer.bot_token,
            "SLACK_APP_TOKEN": peer.app_token,
            "SLACK_API_URL": peer.api_url,
        }
        found = await imported(tmp_path, {**tokens, "OPENAI_API_KEY": "k"}, "run")
        assert found == SLACK | BOLT | OPENAI
        (answers := tmp_path / "answers").mkdir()
        found = await imported(answers, tokens, "run", "--only", "worker")
        assert found == SLACK


async def test_a_bot_on_discord_alone_needs_nothing_of_slack(tmp_path: Path) -> None:
    """With a port it needs a web server; without a key it asks no model."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with DiscordPeer() as peer:
        tokens = {"DISCORD_TOKEN": peer.token, "DISCORD_API_URL": peer.api_url, "PORT": str(port)}
        found = await imported(tmp_path, tokens, "run")
    assert found == DISCORD | HTTP
