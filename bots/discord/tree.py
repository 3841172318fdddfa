"""The commands as Discord's menus show them; what they do is done elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

import discord
from discord import app_commands

from bots.commands import ChatCommands
from bots.discord import wording
from bots.discord.callers import is_from_elsewhere
from bots.discord.commands import DiscordCommands
from bots.discord.responses import follow, tell
from core.config.binding import Listen, SharedBy

log = logging.getLogger(__name__)

ASK_AN_AGENT = "Ask an agent"
_MOST_CHOICES, _LONGEST_CHOICE, _LONGEST_DESCRIPTION = 25, 100, 100
_WHERE = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False)
_FOR_WHOM = app_commands.AppInstallationType(guild=True, user=False)
# Of a command that another version of the bot has in another form, or at all.
_NOT_OURS = (
    app_commands.CommandNotFound,
    app_commands.CommandSignatureMismatch,
    app_commands.TransformerError,
)

Names = Callable[[discord.Interaction], Awaitable[Sequence[str]]]


class AgentGroup(app_commands.Group):
    """`/agent` and its verbs."""

    def __init__(self, chat: ChatCommands, commands: DiscordCommands, names: Names) -> None:
        super().__init__(
            name="agent",
            description="Ask the agents of this server, and say who answers where",
            allowed_contexts=_WHERE,
            allowed_installs=_FOR_WHOM,
        )
        self._chat = chat
        self._obeying = commands
        self._names = names

    @app_commands.command(description="Ask the agent of this channel, or another one")
    @app_commands.describe(question="What to ask", agent="Whom, if not the agent of this channel")
    async def ask(
        self, interaction: discord.Interaction, question: str, agent: str | None = None
    ) -> None:
        await self._obeying.ask(interaction, question, agent)

    @app_commands.command(description="Let another agent answer in this channel")
    @app_commands.describe(
        agent="Who answers from now on",
        listen="Whether it answers every message, when it is mentioned, or strictly only then",
        conversation="Who shares one history",
    )
    async def use(
        self,
        interaction: discord.Interaction,
        agent: str,
        listen: Literal["all", "mention", "mention-only"] = "all",
        conversation: Literal["channel", "thread", "user"] | None = None,
    ) -> None:
        shared_by = SharedBy(conversation) if conversation else None
        await self._obeying.obey(
            interaction, lambda caller: self._chat.use(caller, agent, Listen(listen), shared_by)
        )

    @app_commands.command(description="Let nobody go on here who is not called again")
    async def leave(self, interaction: discord.Interaction) -> None:
        await self._obeying.obey(interaction, self._chat.leave)

    @app_commands.command(name="list", description="Who there is")
    async def everyone(self, interaction: discord.Interaction) -> None:
        await self._obeying.obey(interaction, self._chat.list)

    @app_commands.command(description="Who answers here, and to what")
    async def status(self, interaction: discord.Interaction) -> None:
        await self._obeying.obey(interaction, self._chat.status)

    @app_commands.command(description="What is remembered here")
    @app_commands.describe(agent="By whom, if not by the agent of this channel")
    async def facts(self, interaction: discord.Interaction, agent: str | None = None) -> None:
        await self._obeying.obey(interaction, lambda caller: self._chat.facts(caller, agent))

    @app_commands.command(description="Let the agent of this channel remember something")
    @app_commands.describe(fact="What to remember")
    async def remember(self, interaction: discord.Interaction, fact: str) -> None:
        await self._obeying.obey(interaction, lambda caller: self._chat.remember(caller, fact))

    @app_commands.command(description="Let the agent of this channel forget a fact")
    @app_commands.describe(number="The number of the fact, as /agent facts shows it")
    async def forget(
        self, interaction: discord.Interaction, number: app_commands.Range[int, 1]
    ) -> None:
        await self._obeying.obey(interaction, lambda caller: self._chat.forget(caller, number))

    @app_commands.command(description="Begin anew here; facts stay")
    @app_commands.describe(agent="With whom, if not with the agent of this channel")
    async def reset(self, interaction: discord.Interaction, agent: str | None = None) -> None:
        await self._obeying.obey(interaction, lambda caller: self._chat.reset(caller, agent))

    @app_commands.command(description="Stop what is being written here")
    async def stop(self, interaction: discord.Interaction) -> None:
        await self._obeying.obey(interaction, self._chat.stop)

    @app_commands.command(description="What is behind an answer: model, tools, cost")
    @app_commands.describe(answer="Its number or the link of its message, if not the last one")
    async def why(self, interaction: discord.Interaction, answer: str = "") -> None:
        await self._obeying.obey(interaction, lambda caller: self._obeying.why(caller, answer))

    @app_commands.command(description="What there is to command")
    async def help(self, interaction: discord.Interaction) -> None:
        await tell(interaction, self._chat.help())

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
    """All commands of one client."""

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        if not is_from_elsewhere(interaction):
            return True
        if interaction.type is discord.InteractionType.application_command:
            await tell(interaction, wording.NOT_HERE)
        return False

    async def on_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        if isinstance(error, _NOT_OURS):
            log.info("command of another version", extra={"why": type(error).__name__})
            return
        log.error("command failed", exc_info=error)
        answer = follow if interaction.response.is_done() else tell
        await answer(interaction, wording.FAILED)


def add_asking(tree: Tree, commands: DiscordCommands, agents: Mapping[str, str]) -> None:
    """The message menu, and the commands of the agents file, each of which asks its agent."""
    tree.add_command(
        app_commands.ContextMenu(
            name=ASK_AN_AGENT,
            callback=commands.ask_about,
            allowed_contexts=_WHERE,
            allowed_installs=_FOR_WHOM,
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
            description=f"Ask {agent}"[:_LONGEST_DESCRIPTION],
            callback=ask,
            allowed_contexts=_WHERE,
            allowed_installs=_FOR_WHOM,
        )
    )
