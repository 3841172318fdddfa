"""Reads what Slack sends: raw bodies in, typed events out, and None for all the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bots.slack.attachments import attachments
from bots.slack.contents import markup_of
from bots.slack.event_types import (
    ChatOpened,
    Edited,
    HomeOpened,
    Press,
    Said,
    Shortcut,
    SlashCommand,
    StopPressed,
    TurnedPrivate,
    Withdrawn,
)
from bots.slack.fields import at, id_at, items_at, text_at
from bots.slack.markup import is_for_others, mentioned, plain, without_mention
from bots.slack.own import Own
from bots.slack.quotes import forwards, named_in, named_quotes, quote
from core.address import Address, Readers
from core.messaging.messages import NO_WORDS, UNREADABLE, Author, PlatformMessage
from core.text import cleaned

_USER_ID = re.compile(r"[UW][A-Z0-9]{1,31}")
_TS = re.compile(r"([0-9]{1,10})\.([0-9]{6})")
_TRIGGER = re.compile(r"[\w.\-]{1,120}", re.ASCII)
_SPOKEN = {"", "file_share", "thread_broadcast", "me_message"}  # subtypes that people write
_SPOKEN_BY_APPS = _SPOKEN | {"bot_message"}
_MOST_STREAMS = 20
_READERS = {  # by the type of a channel, as a message of it says
    "channel": Readers.EVERYBODY,
    "group": Readers.CHANNEL,
    "mpim": Readers.CHANNEL,
    "im": Readers.CHANNEL,
}
_PRIVATE = ("is_private", "is_group", "is_mpim", "is_im")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workspace:
    """The one of a body; `home` as in `Own` if its channel is shared, `bots` as there."""

    team: str
    home: str
    bot_user: str
    bots: frozenset[str]
    app: str


def position(ts: str) -> int:
    """A message's ts in microseconds, which orders the messages of a channel; 0 if it is none."""
    found = _TS.fullmatch(ts)
    return int(found[1]) * 1_000_000 + int(found[2]) if found else 0


def ts_of(position: int) -> str:
    """A moment in microseconds as Slack writes it."""
    return f"{position // 1_000_000}.{position % 1_000_000:06d}"


def microseconds(moment: datetime) -> int:
    """A moment as a position."""
    return int(moment.timestamp() * 1_000_000)


def _moment(position: int) -> datetime:
    return _EPOCH + timedelta(microseconds=position)


def team_of(body: object) -> str:
    """The workspace that the app is installed in, as an event, a command or a press says it."""
    return (
        id_at(body, "authorizations", 0, "team_id")
        or id_at(body, "view", "app_installed_team_id")
        or id_at(body, "team", "id")
        or id_at(body, "team_id")
        or id_at(body, "user", "team_id")
    )


def people(body: object) -> set[str]:
    """The ids of the people whose names the body needs."""
    said = [at(body, "event"), at(body, "event", "message"), at(body, "message"), body]
    authors = {id_at(message, "user") for message in said} | {id_at(body, "user", "id")}
    named = {user for message in said for user in mentioned(markup_of(message))}
    named |= {user for message in said for user in named_in(forwards(message))}
    return {user for user in authors | named if _USER_ID.fullmatch(user)}


def kind(body: object) -> str:
    """What sort of body this is, for a log."""
    event = at(body, "event")
    names = [text_at(body, "type"), text_at(event, "type"), text_at(event, "subtype")]
    words = "/".join(re.sub(r"\W", "_", name)[:40] for name in names if name)
    return words or "nameless"


def event(body: object, own: Own) -> Said | Edited | Withdrawn | TurnedPrivate | None:
    """What happened to a message or a channel; None for what nobody has to answer."""
    happened, workspace = at(body, "event"), _workspace(body, own)
    place = _place(happened, workspace.team)
    if place is None:
        return None
    match text_at(happened, "subtype"):
        case "message_changed":
            return _changed(happened, place, workspace)
        case "message_deleted":
            return _withdrawn(place, text_at(happened, "deleted_ts"), workspace)
        case "channel_convert_to_private":
            return TurnedPrivate(place=place)
        case _:
            return _said(happened, place, workspace)


def message(
    raw: object, place: Address, bot_user: str, own: Own, *, is_shared: bool
) -> Said | None:
    """A message of a channel's history; None if nobody has to answer it."""
    home = own.home if is_shared else ""
    team = place.parts[0]
    workspace = _Workspace(team=team, home=home, bot_user=bot_user, bots=own.bots, app="")
    return _said(raw, place, workspace)


def edit(raw: object, place: Address, bot_user: str, own: Own, *, is_shared: bool) -> Edited | None:
    """As `message`, of one that was edited; None for one that never was."""
    return _edit(message(raw, place, bot_user, own, is_shared=is_shared), raw)


def named(said: Said, names: Mapping[str, str]) -> PlatformMessage:
    """The message as people read it; who has no name here keeps their id."""
    heard, user = said.unnamed, said.unnamed.author.id
    words = plain(heard.text, names).strip()
    is_empty = not (words or heard.attachments or heard.forwards)
    if is_empty and (heard.is_direct or heard.is_mention):
        words = NO_WORDS if heard.is_mention else UNREADABLE
    author = Author(id=user, name=names.get(user) or heard.author.name)
    return replace(heard, author=author, text=words, forwards=named_quotes(heard.forwards, names))


def is_spoken(raw: object) -> bool:
    """Whether somebody said it, person or app, rather than Slack itself."""
    return text_at(raw, "subtype") in _SPOKEN_BY_APPS


def is_said_to(raw: object, user: str) -> bool:
    """Whether it mentions this user."""
    return user in mentioned(text_at(raw, "text"))


def is_shared(raw: object) -> bool:
    """Whether other organisations are in a channel, too."""
    return at(raw, "is_ext_shared") is True


def channel(raw: object, team: str) -> Address | None:
    """A channel as conversations.info and users.conversations have it; None if it is none."""
    channel_id, is_private = id_at(raw, "id"), at(raw, "is_private")
    readers = Readers.EVERYBODY if is_private is False else Readers.UNKNOWN
    if any(at(raw, flag) is True for flag in _PRIVATE):
        readers = Readers.CHANNEL
    found = Address(platform="slack", parts=(team, channel_id), readers=readers)
    return found if channel_id else None


def command(body: object, names: Mapping[str, str]) -> SlashCommand | None:
    """A slash command's body."""
    team, channel, user = team_of(body), id_at(body, "channel_id"), id_at(body, "user_id")
    trigger = _trigger(body)
    name = text_at(body, "command")
    if not (team and channel and user and trigger and re.fullmatch(r"/\S{1,64}", name)):
        return None
    return SlashCommand(
        key=f"slack/{team}/cmd/{trigger}",
        command=name,
        text=plain(text_at(body, "text"), names).strip(),
        team=team,
        channel=channel,
        user=user,
        user_name=names.get(user) or text_at(body, "user_name")[:100] or user,
    )


def opened(body: object) -> HomeOpened | ChatOpened | None:
    """A tab of the app's that somebody looks at."""
    happened, team = at(body, "event"), team_of(body)
    user, channel = id_at(happened, "user"), id_at(happened, "channel")
    match text_at(happened, "tab"):
        case "home" if team and user:
            return HomeOpened(team=team, user=user, direct=channel)
        case "messages" if team and user and channel:
            place = Address(platform="slack", parts=(team, channel))
            return ChatOpened(place=place, user=user)
        case _:
            return None


def stop_pressed(body: object) -> StopPressed | None:
    """Slack's own Stop button."""
    happened, team = at(body, "event"), team_of(body)
    channel, thread = id_at(happened, "channel"), text_at(happened, "thread_ts")
    user = id_at(happened, "user")
    if not (team and channel and user and position(thread)):
        return None
    place = Address(platform="slack", parts=(team, channel))
    shown = items_at(happened, "streaming_message_ts")[:_MOST_STREAMS]
    answers = tuple(ts for ts in shown if isinstance(ts, str) and position(ts))
    return StopPressed(place=place, user=user, thread=thread, answers=answers)


def uninstalled(body: object) -> str:
    """The workspace that does not want the app any more, or has revoked its token; or none."""
    is_revoked = text_at(body, "event", "type") == "tokens_revoked"
    is_only_peoples = is_revoked and not items_at(body, "event", "tokens", "bot")
    return "" if is_only_peoples else team_of(body)


def press(body: object) -> Press | None:
    """A button that was pressed."""
    team, user, action = team_of(body), id_at(body, "user", "id"), at(body, "actions", 0)
    if not (team and user and _trigger(body)):
        return None
    channel_id = id_at(body, "container", "channel_id") or id_at(body, "channel", "id")
    return Press(
        value=text_at(action, "value") or text_at(action, "selected_option", "value"),
        team=team,
        user=user,
        channel=channel_id or id_at(body, "view", "private_metadata") or None,
        thread_ts=text_at(body, "container", "thread_ts") or None,
    )


def shortcut(body: object, names: Mapping[str, str]) -> Shortcut | None:
    """A message shortcut that was used."""
    team, user, trigger = team_of(body), id_at(body, "user", "id"), _trigger(body)
    channel = id_at(body, "channel", "id")
    ts = text_at(body, "message_ts") or text_at(body, "message", "ts")
    if not (team and user and trigger and channel and position(ts)):
        return None
    thread = text_at(body, "message", "thread_ts")
    return Shortcut(
        key=f"slack/{team}/cmd/{trigger}",
        team=team,
        channel=channel,
        user=user,
        message_ts=ts,
        thread_ts=thread if position(thread) else None,
        said=quote(at(body, "message"), names, own_app=text_at(body, "api_app_id")),
        response_url=text_at(body, "response_url"),
    )


def _workspace(body: object, own: Own) -> _Workspace:
    found = items_at(body, "authorizations")
    bots = [each for each in found if at(each, "is_bot") is True] or found
    return _Workspace(
        team=team_of(body),
        home=own.home if at(body, "is_ext_shared_channel") is True else "",
        bot_user=id_at(bots[0], "user_id") if bots else "",
        bots=own.bots,
        app=text_at(body, "api_app_id"),
    )


def _place(happened: object, team: str) -> Address | None:
    """The channel of an event; a mention does not say who can read it."""
    channel_id, kind = id_at(happened, "channel"), text_at(happened, "channel_type")
    if not (team and channel_id):
        return None
    readers = _READERS.get("im" if channel_id.startswith("D") else kind, Readers.UNKNOWN)
    return Address(platform="slack", parts=(team, channel_id), readers=readers)


def _changed(happened: object, place: Address, workspace: _Workspace) -> Edited | Withdrawn | None:
    """Unfurled links and our own edits change messages too; people's edits say `edited`."""
    after, before = at(happened, "message"), at(happened, "previous_message")
    if text_at(after, "subtype") == "tombstone":
        return _withdrawn(place, text_at(after, "ts"), workspace)
    edited = text_at(after, "edited", "ts")
    if not edited or edited == text_at(before, "edited", "ts"):
        return None
    return _edit(_said(after, place, workspace), after)


def _edit(said: Said | None, raw: object) -> Edited | None:
    at = position(text_at(raw, "edited", "ts"))
    return Edited(said=said, at=_moment(at)) if said and at else None


def _withdrawn(place: Address, ts: str, workspace: _Workspace) -> Withdrawn | None:
    return Withdrawn(key=_key(place, ts, workspace)) if position(ts) else None


def _said(raw: object, place: Address, workspace: _Workspace) -> Said | None:
    ts, app = text_at(raw, "ts"), _app(raw, workspace)
    author = app or _person(raw, workspace)
    if author is None or not position(ts):
        return None
    text, bot = markup_of(raw), workspace.bot_user
    is_mention = bot in mentioned(text_at(raw, "text")) or text_at(raw, "type") == "app_mention"
    said_in = text_at(raw, "thread_ts")
    thread = said_in if position(said_in) and said_in != ts else None
    is_direct = text_at(raw, "channel_type") == "im" or place.parts[1].startswith("D")
    heard = PlatformMessage(
        key=_key(place, ts, workspace),
        place=place,
        thread=thread,
        opens=ts,
        reply_to=thread,
        reply_in=ts,
        author=author,
        text=without_mention(text, bot) if bot else text,
        sent_at=_moment(position(ts)),
        position=position(ts),
        is_direct=is_direct,
        is_mention=is_mention,
        is_for_others=is_for_others(text_at(raw, "text"), {bot, author.id}),
        is_by_app=app is not None,
        attachments=tuple(attachments(raw)),
        forwards=tuple(forwards(raw)),
    )
    return Said(unnamed=heard)


def _person(raw: object, workspace: _Workspace) -> Author | None:
    """Who wrote it, if a person did: neither an app, ours or another, nor Slack itself."""
    if at(raw, "hidden") or text_at(raw, "bot_id") or at(raw, "bot_profile"):
        return None
    if text_at(raw, "app_id") and text_at(raw, "app_id") == workspace.app:
        return None
    user = id_at(raw, "user")
    is_person = bool(_USER_ID.fullmatch(user)) and user not in {"USLACKBOT", workspace.bot_user}
    is_spoken = text_at(raw, "subtype") in _SPOKEN
    return Author(id=user, name=user) if is_person and is_spoken else None


def _app(raw: object, workspace: _Workspace) -> Author | None:
    """Which other app or workflow wrote it, where it can be told from this one."""
    bot = id_at(raw, "bot_id") or id_at(raw, "bot_profile", "id")
    app = text_at(raw, "app_id") or text_at(raw, "bot_profile", "app_id")
    is_own = bot in workspace.bots or id_at(raw, "user") == workspace.bot_user != ""
    is_own = is_own or app == workspace.app != ""
    if not (bot and workspace.bots) or is_own or at(raw, "hidden"):
        return None
    if text_at(raw, "subtype") not in _SPOKEN_BY_APPS:
        return None
    name = text_at(raw, "username") or text_at(raw, "bot_profile", "name")
    return Author(id=bot, name=cleaned(name)[:100] or bot)


def _trigger(body: object) -> str:
    found = text_at(body, "trigger_id")
    return found if _TRIGGER.fullmatch(found) else ""


def _key(place: Address, ts: str, workspace: _Workspace) -> str:
    team, *channel = place.parts
    return replace(place, parts=(workspace.home or team, *channel)).below(ts).key
