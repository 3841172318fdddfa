"""What a fork server imports last: made once is what each child would make, and is no garbage."""

from __future__ import annotations

import asyncio
import gc

from tortoise.context import TortoiseContext
from typer._click import Command, Context
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from bots import __main__, cli
from core.config.spec import AgentSpec
from core.tools.catalogue import toolbox
from storage.database import SCHEMA
from tests import prepared


async def _models() -> None:
    prepared.once_a_dialect()
    async with TortoiseContext() as context:
        await context.init(config=SCHEMA)


def _commands() -> None:
    command = get_command(cli.cli)
    assert isinstance(command, TyperGroup)
    command.commands = {name: cli._imported(name) for name in cli.COMMANDS}
    _coerce(command)
    vars(__main__)["cli"] = command
    vars(cli)["_imported"] = command.commands.__getitem__


def _coerce(command: Command) -> None:
    for parameter in command.get_params(Context(command)):  # --help is made when it is asked for
        if isinstance(parameter, TyperArgument | TyperOption):
            parameter.get_runtime_param()
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            _coerce(each)


asyncio.run(_models())
_commands()
toolbox(AgentSpec(name="any").tools, with_memory=True)
gc.collect()
gc.freeze()
