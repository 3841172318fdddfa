"""The Home tab: which agent answers where, and what agents remember about whoever looks."""

from __future__ import annotations

from collections.abc import Sequence

from slack_sdk.models.blocks import (
    Block,
    ButtonElement,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.views import View

from bots.background import Background
from bots.slack.client import SlackClient
from bots.slack.markup import escaped
from bots.slack.people import People
from bots.wording import listens_to
from core.address import Address
from core.commands.agent import Commands
from core.commands.views import OwnFact
from core.config.binding import Binding
from core.errors import NotAllowed
from core.graphemes import shortened
from core.messaging.access import Gate
from core.messaging.messages import Author

FORGET = "forget_fact"
_MOST_BINDINGS, _MOST_FACTS = 30, 50  # a view has at most 100 blocks
_LONGEST = 500  # characters of a fact that are shown


class Homes:
    """Shows the tab to whoever opened it."""

    def __init__(
        self,
        client: SlackClient,
        people: People,
        commands: Commands,
        gate: Gate,
        background: Background,
    ) -> None:
        self._client = client
        self._people = people
        self._commands = commands
        self._gate = gate
        self._background = background

    def show(self, team: str, user: str, direct: str) -> None:
        """Show it soon; `direct` is the channel of this person's direct messages.

        Whoever may not ask is shown that, and nothing else.
        """
        self._background.add("home", lambda: self._publish(team, user, direct))

    async def forget(self, team: str, user: str, direct: str, value: str) -> None:
        """Forget a fact that this person has told, and show the tab without it."""
        if value.isdecimal() and len(value) < 19:
            await self._commands.forget_own(_workspace(team), user, int(value))
        self.show(team, user, direct)

    async def _publish(self, team: str, user: str, direct: str) -> None:
        try:
            await self._gate.check(Author(id=user, name=user), _workspace(team).below(direct))
            blocks = await self._blocks(team, user, direct)
        except NotAllowed as refused:
            blocks = [_paragraph(escaped(str(refused)))]
        view = View(type="home", blocks=blocks, private_metadata=direct)
        await self._client.write(
            team, "views.publish", lambda web: web.views_publish(user_id=user, view=view)
        )

    async def _blocks(self, team: str, user: str, direct: str) -> list[Block]:
        workspace, shown = _workspace(team), await self._shown_to(team, user, direct)
        bindings = await self._commands.bindings(workspace)
        facts = await self._commands.own_facts(workspace, user)
        return _blocks(
            await self._commands.agent_at(workspace),
            [binding for binding in bindings if binding.at.scope in shown],
            [fact for fact in facts if fact.scope in shown],
        )

    async def _shown_to(self, team: str, user: str, direct: str) -> set[str]:
        """What stems from a private place is shown there only, from direct messages also here."""
        public = await self._commands.never_private(await self._people.sees(team, user))
        own = [_workspace(team).below(direct)] if direct.startswith("D") else []
        return {place.key for place in (_workspace(team), *public, *own)}


def _workspace(team: str) -> Address:
    return Address(platform="slack", parts=(team,))


def _blocks(default: str, bindings: Sequence[Binding], facts: Sequence[OwnFact]) -> list[Block]:
    elsewhere = f"Everywhere else *{escaped(default)}* answers, when mentioned or written to."
    return [
        HeaderBlock(text="Who answers where"),
        *(_paragraph(_bound(binding)) for binding in bindings[:_MOST_BINDINGS]),
        *_more(len(bindings) - _MOST_BINDINGS),
        _paragraph(elsewhere),
        DividerBlock(),
        HeaderBlock(text="What is remembered about you"),
        *(_fact(fact) for fact in facts[-_MOST_FACTS:]),
        *([] if facts else [_paragraph("Nothing that you said is remembered.")]),
        *_more(len(facts) - _MOST_FACTS),
    ]


def _bound(binding: Binding) -> str:
    _, *channel = binding.at.parts
    where = f"<#{channel[0]}>" if channel else "the whole workspace"
    thread = ", one thread" if len(channel) > 1 else ""
    to = listens_to(binding.listen)
    return f"{where}{thread}: *{escaped(binding.agent)}* answers {to}."


def _fact(fact: OwnFact) -> Block:
    _, channel = Address.parse(fact.scope).parts[:2]
    where = "in direct messages" if channel.startswith("D") else f"in <#{channel}>"
    return SectionBlock(
        text=MarkdownTextObject(
            text=f"{escaped(shortened(fact.text, _LONGEST))}\n_{escaped(fact.agent)}, {where}_",
            verbatim=True,
        ),
        accessory=ButtonElement(text="Forget", action_id=FORGET, value=str(fact.id)),
        block_id=f"fact-{fact.id}",
    )


def _paragraph(text: str) -> Block:
    return SectionBlock(text=MarkdownTextObject(text=text, verbatim=True))


def _more(count: int) -> list[Block]:
    words = PlainTextObject(text=f"… and {count} more")
    return [ContextBlock(elements=[words])] if count > 0 else []
