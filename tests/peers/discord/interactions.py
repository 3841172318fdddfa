"""Interactions: commands, presses and modals on their way to the bot, and what it made of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from tests.peers.discord import payloads
from tests.peers.discord.events import Events
from tests.peers.discord.wire import Json, RefusedError
from tests.peers.discord.world import Channel, Message, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
DEFERRED = 5  # the callback type that shows "thinking…"
_ATTACHMENT_BYTES = 10 * 1024 * 1024


@dataclass(eq=False, slots=True, kw_only=True)
class Interaction:
    """`response`: the id of the message that it was answered with, or that it changed."""

    id: str
    token: str
    kind: int
    at: float
    channel: str
    user: str
    data: Json
    message: str = ""  # whose component was pressed
    callback: int = 0  # type of the acknowledgement
    response: str = ""
    followups: list[str] = field(default_factory=list)
    choices: list[Json] = field(default_factory=list)
    modal: Json | None = None

    @property
    def is_acked(self) -> bool:
        return self.callback != 0


class Interactions:
    """Told to every session; the first to answer within `ack_seconds` has it."""

    def __init__(self, world: World, events: Events) -> None:
        self.ack_seconds = 3.0
        self.token_seconds = 900.0
        self.all: dict[str, Interaction] = {}
        self._world = world
        self._events = events

    def send(
        self, kind: int, place: Channel, user: str, data: Json, message: Message | None = None
    ) -> Interaction:
        new_id = self._world.clock.snowflake()
        token = f"aW50ZXJhY3Rpb246{new_id}{hashlib.sha256(new_id.encode()).hexdigest()}"
        interaction = Interaction(
            id=new_id,
            token=token,
            kind=kind,
            at=self._world.clock.now(),
            channel=place.id,
            user=user,
            data=data,
            message=message.id if message else "",
        )
        self.all[interaction.id] = interaction
        payload = self._payload(interaction, place)
        if message:
            payload["message"] = payloads.message(self._world, message)
        self._events.emit("INTERACTION_CREATE", payload, place.guild)
        return interaction

    def _payload(self, interaction: Interaction, place: Channel) -> Json:
        world = self._world
        allowed = world.permissions(place, interaction.user)
        payload = Json(
            id=interaction.id,
            application_id=world.application,
            type=interaction.kind,
            token=interaction.token,
            version=1,
            data=interaction.data,
            channel_id=place.id,
            channel=Json(_partial(world, place), permissions=str(allowed)),
            app_permissions=str(world.permissions(place, world.bot, is_inside=True)),
            locale="en-US",
            entitlements=[],
            entitlement_sku_ids=[],
            authorizing_integration_owners=Json({"0": place.guild or "0"}),
            context=0 if place.guild else 1,
            attachment_size_limit=_ATTACHMENT_BYTES,
        )
        person = payloads.user(world.users[interaction.user])
        if not place.guild:
            payload["user"] = person
            return payload
        member = payloads.member(world.guilds[place.guild], interaction.user)
        payload["member"] = Json(member, user=person, permissions=str(allowed))
        payload.update(guild_id=place.guild, guild_locale="en-US")
        payload["guild"] = Json(id=place.guild, locale="en-US", features=[])
        return payload

    def to_acknowledge(self, interaction_id: str, token: str) -> Interaction:
        """Refuses what is unknown, too late or already acknowledged."""
        found = self.all.get(interaction_id)
        is_known = found is not None and found.token == token
        if found is None or not is_known or self._age(found) > self.ack_seconds:
            raise RefusedError(404, 10062, "Unknown interaction")
        if found.is_acked:
            raise RefusedError(400, 40060, "Interaction has already been acknowledged.")
        return found

    def by_token(self, token: str) -> Interaction:
        """For the webhook routes; refuses before the acknowledgement and after 15 minutes."""
        found = next((each for each in self.all.values() if each.token == token), None)
        if found is None or not found.is_acked:
            raise RefusedError(404, 10015, "Unknown Webhook")
        if self._age(found) > self.token_seconds:
            raise RefusedError(401, 50027, "Invalid Webhook Token")
        return found

    def _age(self, interaction: Interaction) -> float:
        return self._world.clock.now() - interaction.at

    def message_of(self, interaction: Interaction, message_id: str) -> Message:
        """`@original`, or one of its followups."""
        wanted = interaction.response if message_id == "@original" else message_id
        found = self._world.channels[interaction.channel].messages.get(wanted)
        is_own = wanted and wanted in (interaction.response, *interaction.followups)
        if found is None or not is_own or found.is_deleted:
            raise RefusedError(404, 10008, "Unknown Message")
        return found

    def answer(self, interaction: Interaction, *, flags: int) -> Message:
        """A new message of the bot that answers it, not yet posted."""
        world = self._world
        is_command = interaction.kind == COMMAND
        is_menu = is_command and interaction.data.get("type", 1) != 1
        kind = payloads.MENU_COMMAND if is_menu else payloads.CHAT_COMMAND
        message = Message(
            id=world.clock.snowflake(),
            channel=interaction.channel,
            author=world.bot,
            kind=kind if is_command else 0,
            webhook=world.application,
            flags=flags,
            for_user=interaction.user if flags & payloads.EPHEMERAL else "",
        )
        owners = Json({"0": world.channels[interaction.channel].guild or "0"})
        message.interaction = Json(
            id=interaction.id,
            type=interaction.kind,
            user=payloads.user(world.users[interaction.user]),
            authorizing_integration_owners=owners,
        )
        if interaction.kind == COMPONENT:
            message.interaction["interacted_message_id"] = interaction.message
        if interaction.kind == COMMAND:
            message.interaction["name"] = interaction.data["name"]
        return message


def _partial(world: World, place: Channel) -> Json:
    """Who may see a channel is not told with an interaction."""
    shape = payloads.channel(world, place)
    return Json({key: value for key, value in shape.items() if key != "permission_overwrites"})
