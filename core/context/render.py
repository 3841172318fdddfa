"""The messages of a prompt, from what was decided to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.context.decide import Notes, Shown
from core.llm import PromptMessage, Role

_FOUND = "Said here earlier, found by words of the message below; quoted, not asked of you now"
_REMEMBERED = "What you have been told to remember"
_MARKED = 3  # a prompt hits the cache where the one before it had a mark


def render(shown: Shown) -> list[PromptMessage]:
    """Instructions, facts and summary as of the last cut, messages, and at the tail the rest.

    That is facts learned since, the question, and the turn's own steps. Nothing that changes from
    turn to turn stands before something that does not, so that a provider's prompt cache keeps
    hitting.
    """
    history = _with_stable_ends(_merged(shown.history))
    said = _merged([_front(shown), *history, *_with_tail(shown)])
    return [*said, *shown.journal]


def _front(shown: Shown) -> PromptMessage:
    sections = [shown.instructions]
    if shown.front.lines:
        sections.append(_listed(_REMEMBERED, shown.front))
    if shown.summary:
        sections.append(f"Earlier in this conversation:\n{shown.summary}")
    return PromptMessage(role=Role.SYSTEM, content="\n\n".join(sections), ends_stable=True)


def _with_stable_ends(history: Sequence[PromptMessage]) -> list[PromptMessage]:
    """Marked at people's newest messages: an agent's cannot carry the mark to an endpoint.

    The prompt before had its marks at the messages before those.
    """
    ends = [at for at, each in enumerate(history) if each.role is Role.USER][-_MARKED:]
    return [
        replace(each, ends_stable=True) if at in ends else each for at, each in enumerate(history)
    ]


def _with_tail(shown: Shown) -> list[PromptMessage]:
    """What changes from turn to turn goes in front of the question, and is not kept."""
    tail = ""
    if shown.found:
        tail += f"({_FOUND}:\n{shown.found})\n\n"
    if shown.tail.lines:
        tail += f"({_listed(f'{_REMEMBERED} since', shown.tail)})\n\n"
    first, *others = shown.asked
    return [replace(first, content=tail + first.content), *others]


def _listed(heading: str, notes: Notes) -> str:
    left_out = f" ({notes.left_out:,} other facts are left out)" if notes.left_out else ""
    return "\n".join([f"{heading}{left_out}:", *notes.lines])


def _merged(messages_in_order: Sequence[PromptMessage]) -> list[PromptMessage]:
    """Many chat templates demand that person and model take turns."""
    merged: list[PromptMessage] = []
    for message in messages_in_order:
        if merged and merged[-1].role is message.role:
            content = f"{merged[-1].content}\n\n{message.content}"
            images = (*merged[-1].images, *message.images)
            merged[-1] = replace(message, content=content, images=images)
        else:
            merged.append(message)
    return merged
