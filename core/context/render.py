"""The messages of a prompt, from what was decided to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.context.decide import Notes, Shown
from core.llm import PromptMessage, Role

_REMEMBERED = "What you have been told to remember"


def render(shown: Shown) -> list[PromptMessage]:
    """Instructions, facts and summary as of the last cut, messages, and at the tail the rest.

    That is facts learned since, the question, and the turn's own steps. Nothing that changes from
    turn to turn stands before something that does not, so that a provider's prompt cache keeps
    hitting.
    """
    history = _with_stable_end(shown.history)
    said = _merged([_front(shown), *history, *_with_tail(shown.tail, shown.asked)])
    return [*said, *shown.journal]


def _front(shown: Shown) -> PromptMessage:
    sections = [shown.instructions]
    if shown.front.lines:
        sections.append(_listed(_REMEMBERED, shown.front))
    if shown.summary:
        sections.append(f"Earlier in this conversation:\n{shown.summary}")
    return PromptMessage(role=Role.SYSTEM, content="\n\n".join(sections), ends_stable=True)


def _with_stable_end(history: Sequence[PromptMessage]) -> list[PromptMessage]:
    """Marked at a person's newest message: an agent's cannot carry the mark to an endpoint."""
    marked = list(history)
    for at in reversed(range(len(marked))):
        if marked[at].role is Role.USER:
            marked[at] = replace(marked[at], ends_stable=True)
            break
    return marked


def _with_tail(newer: Notes, asked: Sequence[PromptMessage]) -> list[PromptMessage]:
    """What was learned since the cut goes in front of the question, and is not kept."""
    if not newer.lines:
        return list(asked)
    first, *others = asked
    tail = f"({_listed(f'{_REMEMBERED} since', newer)})\n\n"
    return [replace(first, content=tail + first.content), *others]


def _listed(heading: str, notes: Notes) -> str:
    left_out = f" ({notes.left_out:,} older facts are left out)" if notes.left_out else ""
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
