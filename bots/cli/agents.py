"""`moorings agents`: who there is, and what is left of those that were."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from bots.cli.start import Json, with_runtime
from bots.cli.table import show
from core.messaging.directory import Entry, Origin
from core.runtime import Runtime

agents = typer.Typer(invoke_without_command=True, add_completion=False, rich_markup_mode=None)
_NOTES = {Origin.PROGRAM: " (from a program)", Origin.RETIRED: " (retired)"}


@agents.callback()
def everyone(context: typer.Context, *, is_json: Json = False) -> None:
    """List the agents."""
    if context.invoked_subcommand is None:
        with_runtime(lambda runtime: _listed(runtime, is_json=is_json))


@agents.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="An agent that the agents file does not name.")],
    *,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete an agent for good, with everything that it was told and said."""

    async def removed(runtime: Runtime) -> int:
        what = await runtime.directory.belongings(name)
        question = (
            f"Delete {name} for good, with {what.conversations:,} conversations, "
            f"{what.messages:,} messages and {what.facts:,} facts? [y/N] "
        )
        if not (is_sure or _agreed(question)):
            print("Nothing was deleted.")
            return 1
        await runtime.directory.remove(name)
        print(f"{name} is deleted.")
        return 0

    with_runtime(removed)


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().casefold() in {"y", "yes"}
    except EOFError:
        print()
        return False


async def _listed(runtime: Runtime, *, is_json: bool) -> int:
    default = runtime.agents_file.default_agent
    entries = await runtime.directory.everyone()
    if is_json:
        print(json.dumps([_row(entry, default) for entry in entries], indent=2))
        return 0
    show(("AGENT", "MODEL", "MEMORY", "TOOLS"), [_line(entry, default) for entry in entries])
    return 0


def _row(entry: Entry, default: str) -> Mapping[str, object]:
    return {
        "name": entry.name,
        "is_default": entry.name == default,
        "state": entry.origin.value,
        **entry.config,
    }


def _line(entry: Entry, default: str) -> Sequence[str]:
    note = " (default)" if entry.name == default else _NOTES.get(entry.origin, "")
    tools = entry.config.get("tools")
    return (
        f"{entry.name}{note}",
        str(entry.config.get("model", "")),
        "yes" if entry.config.get("memory") else "no",
        ", ".join(map(str, tools)) if isinstance(tools, list) else "",
    )
