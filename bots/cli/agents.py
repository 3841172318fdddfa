"""`moorings agents`: who there is."""

from __future__ import annotations

import json

from bots.cli.start import Json, with_runtime
from bots.cli.table import show
from core.runtime import Runtime


def agents(*, is_json: Json = False) -> None:
    """List the agents."""

    async def listed(runtime: Runtime) -> int:
        default = runtime.agents_file.default_agent
        known = await runtime.directory.everyone()
        if is_json:
            rows = [
                {"name": agent.spec.name, "is_default": agent.spec.name == default}
                | agent.spec.config
                for agent in known
            ]
            print(json.dumps(rows, indent=2))
            return 0
        show(
            ("AGENT", "MODEL", "MEMORY", "TOOLS"),
            [
                (
                    f"{agent.spec.name}{' (default)' if agent.spec.name == default else ''}",
                    agent.spec.model,
                    "yes" if agent.spec.memory else "no",
                    ", ".join(agent.spec.tools),
                )
                for agent in known
            ],
        )
        return 0

    with_runtime(listed)
