"""Commands, buttons, shortcuts and views: their payloads, triggers and response URLs."""

from __future__ import annotations

from dataclasses import dataclass

from tests.peers.slack import blocks, reading
from tests.peers.slack.deliveries import Deliveries, Delivery
from tests.peers.slack.events import VERIFICATION_TOKEN
from tests.peers.slack.posts import Posts
from tests.peers.slack.wire import Json, RefusedError, copied
from tests.peers.slack.world import APP_ID, Channel, World

TRIGGER_SECONDS = 3.0
RESPONSE_SECONDS = 1800.0
RESPONSE_USES = 5
_UNNAMED = {"im": "directmessage", "group": "privategroup"}  # what a command calls them


@dataclass(slots=True, kw_only=True)
class Trigger:
    user: str
    made: float
    is_used: bool = False


@dataclass(slots=True, kw_only=True)
class ResponseUrl:
    channel: Channel
    user: str
    made: float
    ts: str = ""  # of the message whose button was pressed
    thread: str = ""
    uses: int = 0


class Interactions:
    """What a person does that is not a message; none of it is delivered twice."""

    def __init__(self, world: World, posts: Posts, deliveries: Deliveries) -> None:
        self.base_url = ""
        self.views: dict[str, Json] = {}
        self.homes: dict[str, Json] = {}  # user -> view
        self._world = world
        self._posts = posts
        self._deliveries = deliveries
        self._triggers: dict[str, Trigger] = {}
        self._responses: dict[str, ResponseUrl] = {}

    def command(self, name: str, text: str, channel: Channel, user: str) -> Delivery:
        payload = Json(
            token=VERIFICATION_TOKEN,
            team_id=channel.team,
            team_domain=self._world.teams[channel.team].name.lower(),
            channel_id=channel.id,
            channel_name=_UNNAMED.get(channel.kind, channel.name),
            user_id=user,
            user_name=self._world.display_name(user),
            command=name,
            text=text,
            api_app_id=APP_ID,
            is_enterprise_install="false",
            response_url=self.new_response_url(channel, user),
            trigger_id=self.trigger(user),
        )

        def then(delivery: Delivery) -> None:
            if delivery.is_acked:
                self._answer(channel, user, delivery.reply)
                return
            is_alone = not delivery.attempts[-1].envelope_id
            error = "dispatch_failed" if is_alone else "operation_timeout"
            self.whisper(channel, user, Json(text=f'{name} failed with the error "{error}"'))

        return self._deliveries.send("slash_commands", payload, then)

    def interact(self, user: str, team: str, details: Json) -> Delivery:
        """`details` name the type and whatever belongs to it."""
        person = Json(id=user, team_id=team, name=self._world.display_name(user))
        person["username"] = person["name"]
        payload = Json(
            user=person,
            api_app_id=APP_ID,
            token=VERIFICATION_TOKEN,
            trigger_id=self.trigger(user),
            team=Json(id=team, domain=self._world.teams[team].name.lower()),
            enterprise=None,
            is_enterprise_install=False,
            **details,
        )
        then = self._settle_view if details["type"] == "view_submission" else None
        return self._deliveries.send("interactive", payload, then)

    def click(self, channel: Channel, message: Json, action: Json, user: str) -> Delivery:
        is_ephemeral = bool(message.get("is_ephemeral"))
        thread = message.get("thread_ts", "")
        container = Json(
            type="message",
            message_ts=message["ts"],
            channel_id=channel.id,
            is_ephemeral=is_ephemeral,
        )
        if thread:
            container["thread_ts"] = thread
        details = Json(
            type="block_actions",
            container=container,
            channel=Json(id=channel.id, name=channel.name or "directmessage"),
            message=self._posts.bare(message),
            state=Json(values=Json()),
            response_url=self.new_response_url(channel, user, message["ts"]),
            actions=[action],
        )
        if is_ephemeral:
            details.pop("message")
        return self.interact(user, channel.team, details)

    @property
    def _now(self) -> float:
        return self._world.clock.now()

    def trigger(self, user: str) -> str:
        trigger_id = self._world.new_id("trigger.")
        self._triggers[trigger_id] = Trigger(user=user, made=self._now)
        return trigger_id

    def new_response_url(self, channel: Channel, user: str, ts: str = "") -> str:
        thread = channel.messages.get(ts, Json()).get("thread_ts", "")
        key = self._world.new_id("response-")
        self._responses[key] = ResponseUrl(
            channel=channel, user=user, made=self._now, ts=ts, thread=thread
        )
        return f"{self.base_url}/response/{key}"

    def redeem(self, trigger_id: str) -> str:
        """The user of a trigger: one use, three seconds."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise RefusedError("invalid_trigger_id")
        if trigger.is_used:
            raise RefusedError("exchanged_trigger_id")
        if self._now - trigger.made > TRIGGER_SECONDS:
            raise RefusedError("expired_trigger_id")
        trigger.is_used = True
        return trigger.user

    def respond(self, key: str, body: Json) -> None:
        """A POST to a response_url. Raises RefusedError: used_url, expired_url, …"""
        response = self._responses.get(key)
        if response is None:
            raise RefusedError("invalid_url")
        if self._now - response.made > RESPONSE_SECONDS:
            raise RefusedError("expired_url")
        if response.uses >= RESPONSE_USES:
            raise RefusedError("used_url")
        response.uses += 1
        if body.get("delete_original"):
            self._remove(response)
        elif body.get("replace_original") and response.ts:
            self._replace(response, Json(Json(text="", blocks=[]), **_content(body)))
        else:
            self._answer(response.channel, response.user, body)

    def whisper(self, channel: Channel, user: str, content: Json, thread: str = "") -> Json:
        """A message that only `user` sees, and no history keeps."""
        message = Json(type="message", ts=self._world.clock.ts(), is_ephemeral=True)
        message.update(content, for_user=user)
        if thread:
            message["thread_ts"] = thread
        channel.ephemerals.append(message)
        return message

    def _answer(self, channel: Channel, user: str, body: Json) -> None:
        content = _content(body)
        if not content.get("text") and not content.get("blocks"):
            return
        thread = str(body.get("thread_ts", ""))
        if body.get("response_type") == "in_channel":
            self._posts.add_by_bot(channel, content, thread=thread)
        else:
            author = self._posts.bot_author(channel.team)
            self.whisper(channel, user, Json(author, **content), thread)

    def _replace(self, response: ResponseUrl, content: Json) -> None:
        channel = response.channel
        if response.ts in channel.messages:
            bot = self._world.teams[channel.team].bot_user
            self._posts.edit(channel, response.ts, content, editor=bot, flag=False)
            return
        for message in channel.ephemerals:
            if message["ts"] == response.ts:
                message.update(content)

    def _remove(self, response: ResponseUrl) -> None:
        channel = response.channel
        if response.ts in channel.messages:
            self._posts.delete(channel, response.ts)
        kept = [message for message in channel.ephemerals if message["ts"] != response.ts]
        channel.ephemerals[:] = kept

    def add_view(self, team: str, view: Json, **details: object) -> Json:
        view = copied(view)
        view["blocks"] = blocks.read(view.get("blocks", []), most=100)
        view.update(
            id=self._world.new_id("V"),
            team_id=team,
            hash=self._world.new_id("hash-"),
            app_id=APP_ID,
            bot_id=self._world.teams[team].bot_id,
            state=Json(values=Json()),
            **details,
        )
        self.views[view["id"]] = view
        return view

    def _settle_view(self, delivery: Delivery) -> None:
        """A submitted view closes on an empty acknowledgement, or does what the reply says."""
        view_id = delivery.payload["view"]["id"]
        match delivery.reply.get("response_action"):
            case None | "clear" if delivery.is_acked:
                self.views.pop(view_id, None)
            case "update":
                self.views[view_id].update(delivery.reply["view"])
            case "errors":
                self.views[view_id]["errors"] = delivery.reply["errors"]
            case _:
                pass

    def find_action(self, message: Json, action_id: str, value: str | None) -> Json:
        """The action as pressed. Raises LookupError where a person sees no such control."""
        for block, element in reading.controls(message):
            if element.get("action_id") == action_id:
                return _action(block, element, value, self._world.clock.ts())
        raise LookupError(f"nothing to press is called {action_id}")


def _content(body: Json) -> Json:
    """Text and blocks of an answer; response_type and its like are not content."""
    content = Json({key: body[key] for key in ("text", "attachments") if body.get(key)})
    if body.get("blocks"):
        content["blocks"] = blocks.read(body["blocks"])
    return content


def _action(block: Json, element: Json, value: str | None, ts: str) -> Json:
    action = Json(
        action_id=element["action_id"],
        block_id=block.get("block_id", ""),
        type=element["type"],
        action_ts=ts,
    )
    if element["type"] == "static_select":
        options: list[Json] = element["options"]
        action["selected_option"] = next(o for o in options if o["value"] == value)
    elif element["type"] == "feedback_buttons":
        action["value"] = value or element["positive_button"]["value"]
    else:
        action["value"] = value if value is not None else element.get("value", "")
        action["text"] = element.get("text")
    return action
