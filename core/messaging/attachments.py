"""The files that came with a message: fetched, and turned into what a model can read."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import humanize
from pydantic import TypeAdapter, ValidationError

from core.address import Address
from core.errors import DeliveryRefused, FileUnavailable, Transient
from core.markdown import fence
from core.messaging.adapter import Adapter, FetchesFiles
from core.messaging.messages import Attachment
from core.messaging.quotes import MATERIAL
from core.text import cleaned
from storage.models import InboxMessage

log = logging.getLogger(__name__)

_MOST_FILES = 10  # of one message; more are only named
_MOST_TOGETHER = 27_000_000  # characters of all files of a turn, images as they are sent
_MOST_TEXT = 200_000  # bytes
_MOST_IMAGE = 5_000_000  # bytes
_REMEMBERED = 4_000  # characters of the texts of one message that later turns still know
_UNREADABLE = "cannot be read here: only texts and images can"
_TEXT_KINDS = {
    *("application/json", "application/xml", "application/yaml", "application/x-yaml"),
    *("application/toml", "application/javascript", "application/x-sh", "application/sql"),
}
_TEXT_ENDINGS = frozenset(
    re.findall(
        r"\w+",
        "txt md markdown rst log csv tsv json jsonl ndjson xml yaml yml toml ini cfg conf html htm "
        "css scss py pyi js mjs cjs ts tsx jsx java kt kts scala go rs c h cc cpp hpp cs fs swift "
        "m rb php pl lua r jl sh bash zsh fish ps1 bat sql graphql proto tf hcl gradle cmake make "
        "mk diff patch tex bib srt vtt ics vcf dockerfile makefile",
    )
)
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_ATTACHMENT = TypeAdapter(Attachment)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """A file as the model gets it: a text, an image as a data URL, or only a note about it."""

    note: str
    text: str = ""
    image: str = ""

    def inlined(self, length: int) -> str:
        """The note, and up to `length` bytes of the text."""
        if not self.text:
            return f"[{self.note}]"
        shown = _first(self.text, length)
        left_out = len(self.text) - len(shown)
        note = f"{self.note}; {left_out:,} characters of it left out" if left_out else self.note
        marker = fence(shown)
        return f"[{note}; {MATERIAL}]\n{marker}\n{shown}\n{marker}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What came with the messages of one turn, by their keys."""

    by_message: Mapping[str, Sequence[ReadFile]] = field(default_factory=dict[str, list[ReadFile]])

    def of(self, question: InboxMessage) -> Sequence[ReadFile]:
        """What came with this message."""
        return self.by_message.get(question.key, ())

    def remembered(self, question: InboxMessage) -> str:
        """The message with as much of its texts as later turns know."""
        files = self.of(question)
        length = _REMEMBERED // max(sum(bool(each.text) for each in files), 1)
        return with_files(question.text, [each.inlined(length) for each in files])


def with_files(text: str, files: Sequence[str]) -> str:
    """A message, and below it what its files say."""
    return "\n\n".join(filter(None, [text, *files]))


async def read_files(adapter: Adapter, place: Address, questions: Sequence[InboxMessage]) -> Files:
    """Fetch everything that came with these messages; what cannot be had becomes a note."""
    by_message: dict[str, list[ReadFile]] = {}
    room = _MOST_TOGETHER
    for question in questions:
        for number, attachment in enumerate(attachments_of(question), start=1):
            is_too_much = number > _MOST_FILES or room <= 0
            read = await _read(adapter, place, attachment, is_too_much=is_too_much)
            room -= len(read.text) + len(read.image)
            by_message.setdefault(question.key, []).append(read)
    return Files(by_message=by_message)


def attachments_of(question: InboxMessage) -> list[Attachment]:
    """What came with the message, as it was stored."""
    found: list[Attachment] = []
    for each in question.attachments:
        try:
            found.append(_ATTACHMENT.validate_python(each))
        except ValidationError:
            log.warning("attachment not understood", extra={"inbox": question.id})
    return found


async def _read(
    adapter: Adapter, place: Address, attachment: Attachment, *, is_too_much: bool
) -> ReadFile:
    about = _about(attachment)
    if is_too_much:
        return ReadFile(note=f"{about} was not read: too many files at once")
    try:
        return await _fetched(adapter, place, attachment)
    except FileUnavailable as unavailable:
        return ReadFile(note=f"{about} {unavailable}. Say so")
    except (Transient, DeliveryRefused) as error:
        log.warning("file not fetched", extra={"why": str(error)})
        return ReadFile(note=f"{about} could not be fetched. Say so")


async def _fetched(adapter: Adapter, place: Address, attachment: Attachment) -> ReadFile:
    """Asks for nothing that is known to be of no use."""
    if not isinstance(adapter, FetchesFiles):
        raise FileUnavailable(_UNREADABLE)
    if attachment.kind or attachment.unavailable:
        _check_is_readable(attachment)
    file = await adapter.look_up(place, attachment)
    found = file.attachment
    _check_is_readable(found)
    is_text = _is_text(found)
    content = await file.read((_MOST_TEXT if is_text else _MOST_IMAGE) + 1)
    return _text(found, content) if is_text else _image(found, content)


def _check_is_readable(attachment: Attachment) -> None:
    if attachment.unavailable:
        raise FileUnavailable(attachment.unavailable)
    if _is_text(attachment):
        return
    if not attachment.kind.startswith("image/"):
        raise FileUnavailable(_UNREADABLE)
    if attachment.size > _MOST_IMAGE:
        limit = humanize.naturalsize(_MOST_IMAGE)
        raise FileUnavailable(f"is too large to be looked at (at most {limit})")


def _text(attachment: Attachment, content: bytes) -> ReadFile:
    about, text = _about(attachment), cleaned(_decoded(content))
    if not text:
        return ReadFile(note=f"{about} is empty")
    if max(attachment.size, len(content)) > _MOST_TEXT:
        about += f", of which only the first {humanize.naturalsize(_MOST_TEXT)} were read"
    return ReadFile(note=about, text=text)


def _image(attachment: Attachment, content: bytes) -> ReadFile:
    """What it is, is decided by what is in it."""
    about = _about(attachment)
    kinds = (kind for begin, kind in _SIGNATURES.items() if content.startswith(begin))
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    kind = "image/webp" if is_webp else next(kinds, None)
    if kind is None or len(content) > _MOST_IMAGE:
        return ReadFile(
            note=f"{about} cannot be looked at: only PNG, JPEG, GIF and WebP can. Say so"
        )
    data = base64.b64encode(content).decode()
    return ReadFile(note=about, image=f"data:{kind};base64,{data}")


def _about(attachment: Attachment) -> str:
    name = " ".join(cleaned(attachment.name).replace("]", ")").split())[:100]
    about = f"file {name!r}" if name else "file without a name"
    return f"{about}, {humanize.naturalsize(attachment.size)}" if attachment.size else about


def _is_text(attachment: Attachment) -> bool:
    kind = attachment.kind.partition(";")[0].strip().lower()
    ending = attachment.name.lower().rpartition(".")[2]
    is_known = kind in _TEXT_KINDS or kind.endswith(("+json", "+xml"))
    return is_known or kind.startswith("text/") or ending in _TEXT_ENDINGS


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    is_cut = len(content) > _MOST_TEXT
    for whole in range(len(content), len(content) - (4 if is_cut else 1), -1):
        with suppress(UnicodeDecodeError):  # the limit cuts a character
            return content[:whole].decode("utf-8-sig")
    return content.decode("latin-1")


def _first(text: str, length: int) -> str:
    """As many whole characters as `length` bytes hold."""
    return text.encode()[: max(length, 0)].decode(errors="ignore")
