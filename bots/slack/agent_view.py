"""The Messages tab: prompts to begin with, and a title for each thread of it."""

from __future__ import annotations

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.background import Background
from bots.slack.client import SlackClient
from core.address import Address
from core.commands.agent import Commands
from core.config.agents_file import AgentsFile
from core.graphemes import shortened
from core.messaging.intake import Accepted, Reception
from core.messaging.messages import Author, PlatformMessage

_LONGEST_TITLE = 60  # characters

Prompt = dict[str, str]


class AgentView:
    """Shows what Slack shows around a conversation with an agent."""

    def __init__(
        self,
        client: SlackClient,
        commands: Commands,
        reception: Reception,
        file: AgentsFile,
        background: Background,
    ) -> None:
        self._client = client
        self._commands = commands
        self._reception = reception
        self._file = file
        self._background = background

    def greet(self, place: Address, user: str) -> None:
        """Somebody has opened the tab: suggest what its agent can be asked, if they may."""
        self._background.add("suggested prompts", lambda: self._suggest(place, user))

    def entitle(self, heard: PlatformMessage, accepted: Accepted) -> None:
        """Call a thread of the tab by its first question."""
        if heard.is_direct and heard.thread and heard.text.strip():
            self._background.add("title", lambda: self._entitle(heard, accepted))

    async def _suggest(self, place: Address, user: str) -> None:
        agent = self._file.agents.get(await self._commands.agent_at(place))
        if agent is None or not agent.suggested_prompts:
            return
        if not await self._reception.gate.lets(Author(id=user, name=user), place, agent.name):
            return
        team, channel = place.parts[:2]
        shown = prompts(agent.suggested_prompts)
        await self._client.write(
            team,
            "assistant.threads.setSuggestedPrompts",
            lambda web: web.assistant_threads_setSuggestedPrompts(
                channel_id=channel, prompts=shown
            ),
        )

    async def _entitle(self, heard: PlatformMessage, accepted: Accepted) -> None:
        thread = heard.thread
        if thread is None or not await self._reception.is_first(accepted):
            return
        team, channel = heard.place.parts[:2]
        title = _title(heard.text)

        async def entitle(web: AsyncWebClient) -> AsyncSlackResponse:
            return await web.assistant_threads_setTitle(
                channel_id=channel, thread_ts=thread, title=title
            )

        await self._client.write(team, "assistant.threads.setTitle", entitle)


def prompts(texts: tuple[str, ...]) -> list[Prompt]:
    """Suggestions as Slack takes them, in the app's manifest too."""
    return [{"title": _title(text), "message": text} for text in texts]


def _title(text: str) -> str:
    return shortened(" ".join(text.split()), _LONGEST_TITLE)
