"""Opens every platform whose tokens are set, and serves them all in one process."""

from __future__ import annotations

from collections.abc import Mapping

from bots import app
from bots.app import Listener
from bots.http import Check, HttpPort
from bots.slack import platform as slack
from bots.slack.platform import SlackPlatform, WaysIn
from core.errors import ConfigMistake
from core.runtime import Runtime
from core.settings import Settings


async def serve(settings: Settings) -> int:
    """Serve until told to stop; the exit status.

    Raises:
        ConfigMistake: there is nothing to serve, or a token is wrong.
        DatabaseUnusable, DatabaseBusy: the database cannot be used.
    """
    if not slack.is_wanted(settings):
        raise ConfigMistake(
            "There is no platform to serve: set SLACK_BOT_TOKEN, with SLACK_APP_TOKEN for Socket "
            "Mode or SLACK_SIGNING_SECRET for HTTP. This version does not speak Discord yet, so "
            "DISCORD_TOKEN is not enough. `moorings chat` talks to your agents in the terminal."
        )
    runtime = await Runtime.open(settings)
    try:
        await _serve(runtime)
    finally:
        await runtime.close()
    return 0


async def _serve(runtime: Runtime) -> None:
    platform = await SlackPlatform.open(runtime)
    try:
        worker = runtime.worker({slack.QUEUE: platform.adapter})
        ways_in = platform.ways_in(worker)
        listeners: list[Listener] = [ways_in.listener]
        if port := runtime.settings.port:
            listeners.append(HttpPort(port, _checks(runtime, ways_in), ways_in.routes))
        await app.run(runtime, worker, listeners, [slack.QUEUE])
    finally:
        await platform.close()


def _checks(runtime: Runtime, ways_in: WaysIn) -> Mapping[str, Check]:
    """What readiness consists of."""
    checks: dict[str, Check] = {"database": runtime.probe}
    if ways_in.check:
        checks["slack"] = ways_in.check
    return checks
