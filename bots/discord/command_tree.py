"""The commands as Discord shows them in its menus, and telling Discord when they change."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

import discord
from discord import app_commands

from bots.commands import ChatCommands
from bots.discord import wording
from bots.discord.commands import DiscordCommands, is_from_elsewhere
from bots.discord.failures import FAILURES, translated
from bots.discord.internals import payloads
from bots.discord.responses import edit_response, respond
from core.config.binding import Listen, SharedBy
from core.graphemes import shortened
from core.messaging.storing import NotStored
from core.upkeep.once_per_change import OncePerChange

log = logging.getLogger(__name__)

ASK_AN_AGENT = "Ask an agent"
# https://discord.com/developers/docs/interactions/application-commands
_MOST_CHOICES, _LONGEST_CHOICE, _LONGEST_DESCRIPTION = 25, 100, 100
_SYNC_SECONDS = 30.0  # after too many new commands in a day Discord asks to wait much longer
_CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False)
_INSTALLS = app_commands.AppInstallationType(guild=True, user=False)
# Raised for a command that only another version of the bot has, or has in another form.
_NOT_OURS = (
    app_commands.CommandNotFound,
    app_commands.CommandSignatureMismatch,
    app_commands.TransformerError,
)

Names = Callable[[discord.Interaction], Awaitable[Sequence[str]]]


class AgentGroup(app_commands.Group):
    """`/agent` and its subcommands. `names` returns the agents to suggest."""

    def __init__(self, chat: ChatCommands, commands: DiscordCommands, names: Names) -> None:
        super().__init__(
            name="agent",
            description="Ask agents, and choose who answers where",
            allowed_contexts=_CONTEXTS,
            allowed_installs=_INSTALLS,
        )
        self._chat = chat
        self._commands = commands
        self._names = names

    @app_commands.command(description="Ask the agent of this channel, or another one")
    @app_commands.describe(
        question="What to ask", agent="Which agent, if not the one of this channel"
    )
    async def ask(
        self, interaction: discord.Interaction, question: str, agent: str | None = None
    ) -> None:
        await self._commands.ask(interaction, question, agent)

    @app_commands.command(description="Choose the agent that answers in this channel")
    @app_commands.describe(
        agent="The agent that answers from now on",
        listen="Whether it answers every message, when it is mentioned, or strictly only then",
        conversation="What shares one history",
    )
    async def use(
        self,
        interaction: discord.Interaction,
        agent: str,
        listen: Literal["all", "mention", "mention-only"] = "all",
        conversation: Literal["channel", "thread", "user"] | None = None,
    ) -> None:
        shared_by = SharedBy(conversation) if conversation else None
        await self._commands.run(
            interaction, lambda caller: self._chat.use(caller, agent, Listen(listen), shared_by)
        )

    @app_commands.command(description="Answer here only when called again")
    async def leave(self, interaction: discord.Interaction) -> None:
        await self._commands.run(interaction, self._chat.leave)

    @app_commands.command(name="list", description="List the agents")
    async def everyone(self, interaction: discord.Interaction) -> None:
        await self._commands.run(interaction, self._chat.list)

    @app_commands.command(description="Show which agent answers here, and to what")
    async def status(self, interaction: discord.Interaction) -> None:
        await self._commands.run(interaction, self._chat.status)

    @app_commands.command(description="List the facts remembered here")
    @app_commands.describe(agent="Whose facts, if not those of this channel's agent")
    async def facts(self, interaction: discord.Interaction, agent: str | None = None) -> None:
        await self._commands.run(interaction, lambda caller: self._chat.facts(caller, agent))

    @app_commands.command(description="Have the agent of this channel remember something")
    @app_commands.describe(fact="What to remember")
    async def remember(self, interaction: discord.Interaction, fact: str) -> None:
        await self._commands.run(interaction, lambda caller: self._chat.remember(caller, fact))

    @app_commands.command(description="Have the agent of this channel forget a fact")
    @app_commands.describe(number="The number of the fact, as /agent facts shows it")
    async def forget(
        self, interaction: discord.Interaction, number: app_commands.Range[int, 1]
    ) -> None:
        await self._commands.run(interaction, lambda caller: self._chat.forget(caller, number))

    @app_commands.command(description="Start a new conversation here; facts stay")
    @app_commands.describe(agent="With which agent, if not the one of this channel")
    async def reset(self, interaction: discord.Interaction, agent: str | None = None) -> None:
        await self._commands.run(interaction, lambda caller: self._chat.reset(caller, agent))

    @app_commands.command(description="Stop the answers being written here")
    async def stop(self, interaction: discord.Interaction) -> None:
        await self._commands.run(interaction, self._chat.stop)

    @app_commands.command(description="Explain an answer: model, tools, cost")
    @app_commands.describe(answer="Its number or the link of its message; the last one if empty")
    async def why(self, interaction: discord.Interaction, answer: str = "") -> None:
        await self._commands.run(interaction, lambda caller: self._commands.why(caller, answer))

    @app_commands.command(description="List the commands")
    async def help(self, interaction: discord.Interaction) -> None:
        await respond(interaction, self._chat.help())

    @ask.autocomplete("agent")
    @use.autocomplete("agent")
    @facts.autocomplete("agent")
    @reset.autocomplete("agent")
    async def suggested(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        wanted = typed.strip().casefold()
        found = [
            name
            for name in await self._names(interaction)
            if wanted in name.casefold() and len(name) <= _LONGEST_CHOICE
        ]
        found.sort(key=lambda name: not name.casefold().startswith(wanted))
        return [app_commands.Choice(name=name, value=name) for name in found[:_MOST_CHOICES]]


class Tree(app_commands.CommandTree[discord.Client]):
    """All commands of one gateway client."""

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        if not is_from_elsewhere(interaction):
            return True
        if interaction.type is discord.InteractionType.application_command:
            await respond(interaction, wording.NOT_HERE)
        return False

    async def on_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        if isinstance(error, _NOT_OURS):
            log.info("command of another version", extra={"why": type(error).__name__})
            return
        log.error("command failed", exc_info=error)
        answer = edit_response if interaction.response.is_done() else respond
        await answer(interaction, wording.FAILED)


def add_asking(tree: Tree, commands: DiscordCommands, agents: Mapping[str, str]) -> None:
    """Add the message menu, and the commands of the agents file (name to agent)."""
    tree.add_command(
        app_commands.ContextMenu(
            name=ASK_AN_AGENT,
            callback=commands.ask_about,
            allowed_contexts=_CONTEXTS,
            allowed_installs=_INSTALLS,
        )
    )
    for name, agent in agents.items():
        try:
            _add(tree, name.removeprefix("/").lower(), agent, commands)
        except (ValueError, app_commands.AppCommandError) as error:
            log.warning(
                "Discord does not allow a command of the agents file",
                extra={"command": name, "why": str(error)},
            )


def _add(tree: Tree, name: str, agent: str, commands: DiscordCommands) -> None:
    @app_commands.describe(question="What to ask")
    async def ask(interaction: discord.Interaction, question: str) -> None:
        await commands.ask(interaction, question, agent)

    tree.add_command(
        app_commands.Command(
            name=name,
            description=shortened(f"Ask {agent}", _LONGEST_DESCRIPTION),
            callback=ask,
            allowed_contexts=_CONTEXTS,
            allowed_installs=_INSTALLS,
        )
    )


async def synchronise(
    tree: app_commands.CommandTree[discord.Client], once_per_change: OncePerChange
) -> None:
    """Send the commands to Discord if they changed since any process last did.

    A failure is only logged: the next client tries again.
    """
    name = f"discord-commands/{tree.client.application_id}"
    try:
        async with asyncio.timeout(_SYNC_SECONDS):
            if await once_per_change.run(name, _fingerprint(tree), tree.sync):
                log.info("commands synchronised")
    except NotStored as error:
        log.warning("commands not synchronised", extra={"why": str(error)})
    except (*FAILURES, RuntimeError) as error:  # RuntimeError: the client was closed
        why = str(translated(error, "the commands"))
        log.warning("commands not synchronised", extra={"why": why})


def _fingerprint(tree: app_commands.CommandTree[discord.Client]) -> str:
    """A hash of what Discord would be sent, whatever the order of the commands."""
    made = sorted(payloads(tree), key=lambda each: (str(each["name"]), str(each["type"])))
    text = json.dumps(made, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
