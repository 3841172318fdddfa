"""The command line: what `moorings` can be told."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context  # pyright: ignore[reportPrivateUsage]  # TyperGroup's

# Each is what its module has under its name: a function, or an app with commands of its own.
COMMANDS = {
    "chat": "Talk to an agent here.",
    "ask": "Say one thing to an agent and print its answer.",
    "run": "Serve every platform whose tokens are set.",
    "migrate": "Bring the database up to date.",
    "prune": "Delete what ended longer ago.",
    "backup": "Write everything into a file.",
    "restore": "Fill an empty database with a backup.",
    "stats": "Count rows, growth, tokens and cost.",
    "doctor": "Check configuration, database, models, Slack and Discord.",
    "manifest": "Print what makes the app on Slack or Discord.",
    "agents": "List the agents, or remove one.",
    "conversations": "List the conversations, the newest first.",
}


class _Commands(TyperGroup):
    """Imports a command when it is typed: all of them cost a second, and need none for `--help`."""

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """The command that the arguments begin with, and the rest of them."""
        if args and args[0] in COMMANDS:
            self.commands[args[0]] = _imported(args[0])
        return super().resolve_command(ctx, args)


def _imported(name: str) -> Command:
    found = getattr(import_module(f"bots.cli.{name}"), name)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(found)
    return typer.main.get_command(app)


cli = typer.Typer(
    name="moorings",
    cls=_Commands,
    help="Named AI agents whose conversations survive every redeploy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if is_wanted:
        print(f"moorings {_version()}")
        raise typer.Exit


def _version() -> str:
    metadata = import_module("importlib.metadata")  # a fourth of what `--help` takes
    try:
        return str(metadata.version("moorings"))
    except metadata.PackageNotFoundError:  # started from its folder, never installed
        return "(not installed)"


@cli.callback()
def _options(
    *,
    is_version_wanted: Annotated[
        bool,
        typer.Option("--version", help="Say the version.", callback=_show_version, is_eager=True),
    ] = False,
    env_file: Annotated[
        Path | None,
        typer.Option("--env", metavar="FILE", help="Read variables from FILE instead of .env."),
    ] = None,
) -> None:
    """Take the options that stand before a command."""
    if env_file:
        import_module("core.config.settings").use_env_file(env_file)  # slow, as the commands are


def _not_imported() -> None:
    """Stand for a command that nobody has typed."""


for _name, _help in COMMANDS.items():
    cli.command(_name, help=_help)(_not_imported)
