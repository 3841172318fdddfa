"""What a body says about a message: checked as Discord checks it, and put on the message."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.peers.discord.mentions import Allowed
from tests.peers.discord.request import Request
from tests.peers.discord.wire import Json, RefusedError, invalid
from tests.peers.discord.world import Attachment, Message, World

MOST_CHARACTERS = 2000
COMPONENTS_V2 = 1 << 15
_MOST_EMBEDS, _MOST_BYTES = 10, 10 * 1024 * 1024
_SETTABLE = (1 << 2) | (1 << 6) | (1 << 12) | COMPONENTS_V2  # the flags an author may set


@dataclass(slots=True, kw_only=True)
class Draft:
    """None: the body does not speak of it. `kept`: ids of attachments that stay."""

    content: str | None = None
    embeds: list[Json] | None = None
    components: list[Json] | None = None
    flags: int | None = None
    kept: list[str] | None = None
    uploads: list[Attachment] = field(default_factory=list)
    allowed: Allowed = field(default_factory=Allowed)

    @property
    def allowed_on_edit(self) -> Allowed | None:
        """None where the text stays, and with it whom it mentions."""
        return self.allowed if self.content is not None else None

    def put_on(self, message: Message) -> None:
        if self.content is not None:
            message.content = self.content
        if self.embeds is not None:
            message.embeds = self.embeds
        if self.components is not None:
            message.components = self.components
        if self.flags is not None:
            message.flags = (message.flags & ~_SETTABLE) | (self.flags & _SETTABLE)
        if self.kept is not None:
            message.attachments = [file for file in message.attachments if file.id in self.kept]
        message.attachments += self.uploads
        if not (message.content or message.embeds or message.attachments or message.components):
            raise RefusedError(400, 50006, "Cannot send an empty message")


def read(world: World, request: Request, body: Json, channel: str) -> Draft:
    """`body`: the message's own object, which is the whole body for most."""
    draft = Draft(allowed=Allowed.read(body.get("allowed_mentions")))
    if "content" in body:
        draft.content = str(body["content"] or "").strip()
    if "embeds" in body:
        draft.embeds = [Json(embed) for embed in body["embeds"] or ()]
    if "components" in body:
        draft.components = [Json(part) for part in body["components"] or ()]
    if "flags" in body:
        draft.flags = int(body["flags"] or 0)
    _check(draft)
    _read_attachments(world, request, body, draft, channel)
    return draft


def _check(draft: Draft) -> None:
    if draft.content is not None and len(draft.content) > MOST_CHARACTERS:
        complaint = f"Must be {MOST_CHARACTERS} or fewer in length."
        raise invalid("content", "BASE_TYPE_MAX_LENGTH", complaint)
    if len(draft.embeds or ()) > _MOST_EMBEDS:
        raise invalid("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    is_layout = bool((draft.flags or 0) & COMPONENTS_V2)
    if is_layout and (draft.content or draft.embeds):
        complaint = "The 'content' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
        raise invalid("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", complaint)
    custom_ids = [part["custom_id"] for part in controls(draft.components or [])]
    if len(custom_ids) != len(set(custom_ids)):
        raise invalid("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Custom id is duplicated")
    if not all(0 < len(custom_id) <= 100 for custom_id in custom_ids):
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def controls(parts: list[Json]) -> list[Json]:
    """Every component with a custom id, however deep."""
    found: list[Json] = []
    for part in parts:
        if part.get("custom_id"):
            found.append(part)
        found += controls([Json(inner) for inner in part.get("components") or ()])
        inner = part.get("accessory") or part.get("component")
        found += controls([Json(inner)] if inner else [])
    return found


def _read_attachments(
    world: World, request: Request, body: Json, draft: Draft, channel: str
) -> None:
    listed = [Json(item) for item in body.get("attachments") or ()]
    if "attachments" in body:
        draft.kept = [str(item["id"]) for item in listed]
    names = {str(item.get("id")): item.get("filename") for item in listed}
    for number, upload in sorted(request.files.items()):
        if len(upload.content) > _MOST_BYTES:
            raise RefusedError(413, 40005, "Request entity too large")
        draft.uploads.append(
            Attachment(
                id=world.clock.snowflake(),
                channel=channel,
                name=str(names.get(str(number)) or upload.name),
                content=upload.content,
                content_type=upload.content_type,
            )
        )
    world.attachments.update({file.id: file for file in draft.uploads})
