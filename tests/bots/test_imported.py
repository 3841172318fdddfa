"""A process imports what its configuration uses, and nothing that costs time and memory for others.

Those that are looked at are children of an interpreter that has imported what all of them need.
"""

from __future__ import annotations

import json
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
import json, logging, os, signal, sys
import core.runtime
from bots.__main__ import main

class End(logging.Handler):
    def emit(self, record):
        if record.msg == "started":
            os.kill(os.getpid(), signal.SIGTERM)

logging.getLogger("bots.app").addHandler(End())
for folder, environment, *arguments in map(json.loads, sys.argv[1:]):
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["moorings", *arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    print("imported", code, *sys.modules, flush=True)
    os._exit(0)
"""
HELP = """
import sys
from bots.__main__ import main
try:
    main()
finally:
    print("imported", 0, *sys.modules)
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


QUESTION = ["ask", "assistant", "hello"]


async def imported(source: str, folder: Path, *arguments: str) -> list[set[str]]:
    """What of the dear ones each of its processes has imported when it ends; all must succeed."""
    ended = await cold(Life(arguments=arguments, folder=folder, environment={}, source=source))
    lines = [each for each in ended.out.splitlines() if each.startswith("imported ")]
    assert [each.split()[1] for each in lines] == ["0"] * len(lines), ended.err
    return [DEAR.intersection(each.split()) for each in lines]


def life(folder: Path, name: str, environment: Mapping[str, str], *arguments: str) -> str:
    """A process in a folder of its own of this name."""
    (home := folder / name).mkdir()
    known = {"PATH": "", "HOME": str(home), "USER": "ana", "SSL_CERT_DIR": "/dev/null"}
    return json.dumps([str(home), {**known, **environment}, *arguments])


async def test_help_needs_nothing(tmp_path: Path) -> None:
    assert await imported(HELP, tmp_path, "--help") == [set()]


async def test_each_start_imports_what_it_uses(tmp_path: Path) -> None:
    """The offline demo uses no vendor, platform or driver; who only answers on Slack no Bolt.

    With a port a bot needs a web server; without a key it asks no model.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with Endpoint() as endpoint, SlackPeer() as slack, DiscordPeer() as discord:
        of_slack = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
        }
        of_discord = {"DISCORD_TOKEN": discord.token, "DISCORD_API_URL": discord.api_url}
        found = await imported(
            PROGRAM,
            tmp_path,
            life(tmp_path, "offline", {}, *QUESTION),
            life(tmp_path, "endpoint", with_key(endpoint.base_url), *QUESTION),
            life(tmp_path, "slack", {**of_slack, "OPENAI_API_KEY": "k"}, "run"),
            life(tmp_path, "answers", of_slack, "run", "--only", "worker"),
            life(tmp_path, "discord", {**of_discord, "PORT": str(port)}, "run"),
        )
    assert found == [
        set(),
        OPENAI | {"aiohttp"},
        SLACK | BOLT | OPENAI,
        SLACK,
        DISCORD | HTTP,
    ]
