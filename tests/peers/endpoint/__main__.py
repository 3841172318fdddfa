"""The endpoint as a process: `python -m tests.peers.endpoint` prints its base URL.

`--port N`, `--pause 0.05`, `--rules openai`. Beside the APIs it has `GET /requests` and
`POST /script` (a list such as
`[{"kind": "Fail", "status": 503}, {"kind": "Reply", "text": "Hello"}]`).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Sequence

from tests.peers.endpoint.bodies import recall
from tests.peers.endpoint.rules import RULES, Rule
from tests.peers.endpoint.server import Endpoint


async def _serve(port: int, pause: float, rules: Sequence[Rule]) -> None:
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    async with Endpoint(recall, port=port, pause=pause, rules=rules) as endpoint:
        print(endpoint.base_url, flush=True)  # noqa: T201 - the parent reads it
        await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each chunk")
    parser.add_argument("--rules", choices=RULES, help="whose models it has; otherwise any")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.port, arguments.pause, RULES.get(arguments.rules, ())))
