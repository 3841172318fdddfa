"""The command line: what `moorings` can be told."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from bots.cli import agents, ask, chat, conversations, doctor, manifest, migrate, prune, run

cli = typer.Typer(
    name="moorings",
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
    try:
        return version("moorings")
    except PackageNotFoundError:  # started from its folder, never installed
        return "(not installed)"


@cli.callback()
def _options(
    *,
    is_version_wanted: Annotated[
        bool,
        typer.Option("--version", help="Say the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


cli.command("chat")(chat.chat)
cli.command("ask")(ask.ask)
cli.command("run")(run.run)
cli.command("migrate")(migrate.migrate)
cli.command("prune")(prune.prune)
cli.command("doctor")(doctor.doctor)
cli.command("manifest")(manifest.manifest)
cli.add_typer(agents.agents, name="agents")
cli.command("conversations")(conversations.conversations)
