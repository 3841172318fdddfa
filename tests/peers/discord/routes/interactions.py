"""Answers to interactions: the callback, the original response and the followups."""

from __future__ import annotations

from tests.peers.discord import drafts, payloads
from tests.peers.discord.backend import Backend
from tests.peers.discord.interactions import AUTOCOMPLETE, DEFERRED, Interaction
from tests.peers.discord.mentions import Allowed
from tests.peers.discord.request import Request
from tests.peers.discord.routes import messages
from tests.peers.discord.routes.route import Answer, Route
from tests.peers.discord.wire import Json, RefusedError, invalid
from tests.peers.discord.world import Message

_MESSAGE, _DEFERRED_UPDATE, _UPDATE, _CHOICES, _MODAL = 4, 6, 7, 8, 9
_MOST_CHOICES = 25


def callback(discord: Backend, request: Request) -> Answer:
    interaction = discord.interactions.to_acknowledge(
        request.part("interaction"), request.part("token")
    )
    kind, data = int(request.body.get("type") or 0), Json(request.body.get("data") or {})
    if (kind == _CHOICES) != (interaction.kind == AUTOCOMPLETE):
        raise invalid("type", "INTERACTION_CALLBACK_INVALID_TYPE", "Invalid type")
    message = _take(discord, request, interaction, kind, data)
    interaction.callback = kind
    if message is not None:
        interaction.response = message.id
    return _resource(discord, interaction, message) if request.flag("with_response") else None


def _take(
    discord: Backend, request: Request, interaction: Interaction, kind: int, data: Json
) -> Message | None:
    """The message that is new or changed; for a modal or choices there is none."""
    message: Message | None = None
    if kind in (_MESSAGE, DEFERRED):
        message = _respond(discord, request, interaction, kind, data)
    elif kind in (_DEFERRED_UPDATE, _UPDATE) and interaction.message:
        message = discord.world.channels[interaction.channel].messages[interaction.message]
        if kind == _UPDATE:
            _change(discord, request, message, data)
    elif kind == _CHOICES:
        if len(data.get("choices") or ()) > _MOST_CHOICES:
            raise invalid("data", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        interaction.choices = [Json(choice) for choice in data.get("choices") or ()]
    elif kind == _MODAL:
        interaction.modal = data
    else:
        raise invalid("type", "INTERACTION_CALLBACK_INVALID_TYPE", "Invalid type")
    return message


def _respond(
    discord: Backend, request: Request, interaction: Interaction, kind: int, data: Json
) -> Message:
    place = discord.world.channels[interaction.channel]
    flags = int(data.get("flags") or 0) & payloads.EPHEMERAL
    if kind == DEFERRED:
        message = discord.interactions.answer(interaction, flags=flags | payloads.LOADING)
        return discord.posts.add(place, message, Allowed())
    message = discord.interactions.answer(interaction, flags=flags)
    draft = drafts.read(discord.world, request, data, place.id)
    draft.put_on(message)
    return discord.posts.add(place, message, draft.allowed)


def _resource(discord: Backend, interaction: Interaction, message: Message | None) -> Json:
    told = Json(id=interaction.id, type=interaction.kind)
    answer = Json(interaction=told)
    if message is not None:
        told.update(
            response_message_id=message.id,
            response_message_loading=bool(message.flags & payloads.LOADING),
            response_message_ephemeral=bool(message.for_user),
        )
    if message is not None and interaction.callback != _DEFERRED_UPDATE:
        answer["resource"] = Json(
            type=interaction.callback, message=messages.shown(discord, message)
        )
    return answer


def _change(discord: Backend, request: Request, message: Message, data: Json) -> None:
    draft = drafts.read(discord.world, request, data, message.channel)
    draft.put_on(message)
    was_loading = bool(message.flags & payloads.LOADING)
    message.flags &= ~payloads.LOADING
    discord.posts.edit(message, draft.allowed_on_edit, marks=not was_loading)


def follow_up(discord: Backend, request: Request) -> Answer:
    """While the original is still thinking, this becomes the original."""
    interaction = _found(discord, request)
    place = discord.world.channels[interaction.channel]
    original = place.messages.get(interaction.response)
    if original is not None and original.flags & payloads.LOADING and not original.is_deleted:
        _change(discord, request, original, request.body)
        return _told(discord, request, original)
    flags = int(request.body.get("flags") or 0) & payloads.EPHEMERAL
    message = discord.interactions.answer(interaction, flags=flags)
    message.kind = payloads.REPLY if original is not None else 0
    if original is not None:
        message.reference = Json(type=0, channel_id=place.id, message_id=original.id)
    draft = drafts.read(discord.world, request, request.body, place.id)
    draft.put_on(message)
    discord.posts.add(place, message, draft.allowed)
    interaction.followups.append(message.id)
    return _told(discord, request, message)


def _told(discord: Backend, request: Request, message: Message) -> Answer:
    return messages.shown(discord, message) if request.flag("wait") else None


def fetch(discord: Backend, request: Request) -> Answer:
    interaction = _found(discord, request)
    found = discord.interactions.message_of(interaction, request.part("message"))
    return messages.shown(discord, found)


def edit(discord: Backend, request: Request) -> Answer:
    interaction = _found(discord, request)
    message = discord.interactions.message_of(interaction, request.part("message"))
    _change(discord, request, message, request.body)
    return messages.shown(discord, message)


def delete(discord: Backend, request: Request) -> Answer:
    interaction = _found(discord, request)
    message = discord.interactions.message_of(interaction, request.part("message"))
    discord.posts.delete(message)
    return None


def _found(discord: Backend, request: Request) -> Interaction:
    if request.part("application") != discord.world.application:
        raise RefusedError(404, 10015, "Unknown Webhook")
    return discord.interactions.by_token(request.part("token"))


_CALLBACK = "/interactions/{interaction}/{token}/callback"
_HOOK = "/webhooks/{application}/{token}"
_ONE = _HOOK + "/messages/{message}"
ROUTES = (
    Route(
        label="interactions.callback",
        method="POST",
        path=_CALLBACK,
        act=callback,
        needs_token=False,
    ),
    Route(label="webhooks.create", method="POST", path=_HOOK, act=follow_up, needs_token=False),
    Route(label="webhooks.get", method="GET", path=_ONE, act=fetch, needs_token=False),
    Route(label="webhooks.edit", method="PATCH", path=_ONE, act=edit, needs_token=False),
    Route(label="webhooks.delete", method="DELETE", path=_ONE, act=delete, needs_token=False),
)
