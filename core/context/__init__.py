"""What the model is shown: a bounded, append-only view of an unbounded history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from core import kill_points
from core.context.decide import Material, Shown, decide, ranked
from core.context.history import total
from core.context.load import Asked, load
from core.context.look_back import look_back
from core.context.render import render
from core.errors import ContextOverflow, ModelRefused
from core.llm import PromptMessage
from core.messaging.directory import KnownAgent
from storage import summaries
from storage.lease import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is shown; bare, it is nothing but the instructions and what the turn brings.

    `asked_tokens` are those of the question with its files, `found_tokens` those of the turn's
    own steps. `is_grown`: the history is to be compacted, once the turn has ended.
    """

    messages: Sequence[PromptMessage]
    asked_tokens: int
    found_tokens: int
    is_bare: bool = False
    is_grown: bool = False

    @property
    def tokens(self) -> int:
        """Of all its messages, by estimate."""
        return total(self.messages)

    def too_long(self, overflow: ContextOverflow) -> ModelRefused:
        """The refusal of a bare prompt: whoever wrote most of it can shorten it."""
        if self.found_tokens > self.tokens / 2:
            return ModelRefused(
                f"What the tools gave is too long for the model: {overflow}",
                told="What I found for this is more than my language model can read at once. "
                "Please ask for less of it.",
            )
        if self.asked_tokens > self.tokens / 2:
            return overflow
        return ModelRefused(
            f"The instructions are too long for the model: {overflow}",
            told="My instructions do not fit into my language model. "
            "Please tell whoever runs this bot; the reason is in its log.",
        )


async def build(
    agent: KnownAgent, lease: Lease, asked: Asked, *, budget: int, cut_at: datetime | None
) -> Prompt:
    """The prompt of about `budget` tokens at most, up to and including the turn's own steps.

    The history grows until the budget is full and is then cut to half of it, for good as of
    `cut_at`; without it, in this prompt alone. What is known when a conversation begins stands in
    front for good, as after a cut.

    Raises:
        ModelRefused: the question alone is too long for the agent's window_tokens.
        LeaseLost: the history was to be cut, and somebody else works on the conversation.
    """
    material = await load(agent, lease, asked, budget)
    shown = decide(material)
    if cut_at is not None:
        kept = await _kept(lease, material, shown, cut_at)
        if kept is not shown or kept.cut is not None:
            asked.memory.forget()
        shown = kept
    found = await look_back(lease, asked, material, shown)
    return Prompt(
        messages=render(replace(shown, found=found)),
        asked_tokens=total(shown.asked),
        found_tokens=total(shown.journal),
        is_bare=shown.is_bare,
        is_grown=shown.is_grown,
    )


async def _kept(lease: Lease, material: Material, shown: Shown, now: datetime) -> Shown:
    """What is shown, with where the view begins from now on and the facts in front on record."""
    front = [fact.id for fact in ranked(material.facts)]
    cut = partial(summaries.cut, lease, seen=material.view, facts=front, now=now)
    if shown.cut is not None:
        await cut(upto_seq=shown.cut, text=material.summary)
        kill_points.reach("history cut, model not asked")
        return shown
    if not front or material.view is not None:
        return shown
    await cut(upto_seq=0, text="")
    return decide(replace(material, in_front=front))
