"""The blocks of an answer: its text, a button to stop it while it grows, feedback below it."""

from __future__ import annotations

from collections.abc import Sequence

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextActionsBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    MarkdownBlock,
    PlainTextObject,
    SectionBlock,
)

from bots.slack import fields
from bots.slack.format import shown
from core.messaging.messages import Outgoing

STOP, FEEDBACK = "stop_answer", "feedback"
_SECTION = 3_000  # characters of one


def answer(outgoing: Outgoing) -> list[Block]:
    """The text, and what can be pressed below it."""
    return [MarkdownBlock(text=shown(outgoing.text)), controls(outgoing)]


def growing_key(raw: Sequence[object]) -> str:
    """The key of the growing answer that has these blocks, as history gives them; else empty."""
    pressed = [fields.at(block, "elements", 0) for block in raw]
    stops = (
        fields.text_at(each, "value") for each in pressed if fields.at(each, "action_id") == STOP
    )
    return next(stops, "")


def plain(outgoing: Outgoing) -> list[Block]:
    """The same text for a Slack that does not take it as Markdown."""
    text = shown(outgoing.text)
    return [
        SectionBlock(text=PlainTextObject(text=text[start : start + _SECTION], emoji=False))
        for start in range(0, len(text), _SECTION)
    ]


def controls(outgoing: Outgoing) -> Block:
    """What can be pressed: to stop an answer that grows, to judge one that has ended."""
    if outgoing.is_final:
        return ContextActionsBlock(elements=[_feedback(outgoing.key)])
    stop = ButtonElement(text="Stop", action_id=STOP, value=outgoing.key)
    return ActionsBlock(elements=[stop])


def _feedback(key: str) -> FeedbackButtonsElement:
    return FeedbackButtonsElement(
        action_id=FEEDBACK,
        positive_button=FeedbackButtonObject(
            text="Good", value=f"good:{key}", accessibility_label="This answer was good"
        ),
        negative_button=FeedbackButtonObject(
            text="Bad", value=f"bad:{key}", accessibility_label="This answer was not good"
        ),
    )
