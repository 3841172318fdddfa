"""The files of a message, as far as Slack tells of them there."""

from __future__ import annotations

from collections.abc import Iterator

from bots.slack.contents import VOICE
from bots.slack.fields import at, id_at, items_at, text_at
from core.messaging.messages import Attachment
from core.text import cleaned

_MOST_FILES = 20
UNAVAILABLE = {  # by the mode of a file, who may have it, or Slack's refusal to tell of it
    "external": "is kept outside of Slack, where I cannot read it",
    "tombstone": "was deleted",
    "file_deleted": "was deleted",
    "hidden_by_limit": "is hidden by Slack, as the workspace has reached its limit",
    "file_not_found": "is gone, or its owners do not show it to this workspace",
    "access_denied": "is not shown to me by its owners",
}


def attachment(file: object) -> Attachment | None:
    """A file as a message or files.info has it; None if it is none.

    Of another organisation's file a message may say nothing but the id.
    """
    file_id, size = id_at(file, "id"), at(file, "size")
    if not file_id:
        return None
    return Attachment(
        name=cleaned(text_at(file, "name"))[:190],
        kind=cleaned(text_at(file, "mimetype"))[:100],
        size=size if isinstance(size, int) and 0 <= size < 2**53 else 0,
        id=file_id,
        unavailable=_unavailable(file),
    )


def attachments(raw: object) -> Iterator[Attachment]:
    """The files of a message; a voice message is named in words."""
    for file in items_at(raw, "files")[:_MOST_FILES]:
        if text_at(file, "subtype") != VOICE and (found := attachment(file)):
            yield found


def _unavailable(file: object) -> str:
    mode = "external" if at(file, "is_external") else text_at(file, "mode")
    return UNAVAILABLE.get(mode) or UNAVAILABLE.get(text_at(file, "file_access"), "")
