"""Raw bodies become typed events, and nothing makes the parser fail."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack import parse
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
from bots.slack.own import Own
from core.address import Address, Readers
from core.messaging.messages import Attachment, PlatformMessage
from tests.bots.slack.bodies import COMMAND, PRESS, SHORTCUT, Json, body, json, nearly_known, said

NAMES = {"U0ANNA": "Anna", "U0BEN": "Ben"}
OWN = Own(home="T0001", bots=frozenset({"B0BOT", "B0QUAY"}))


def as_mapping(value: object) -> Json:
    assert isinstance(value, dict)
    return value


def heard(raw: object) -> PlatformMessage:
    found = parse.event(raw, OWN)
    assert isinstance(found, Said)
    return parse.named(found, NAMES)


def test_a_message_has_the_key_and_the_place_of_its_post() -> None:
    message = heard(said())
    assert message.key == "slack/T0001/C1/1700000000.000100"
    assert (message.place.key, message.thread, message.opens) == (
        "slack/T0001/C1",
        None,
        "1700000000.000100",
    )
    assert message.position == 1_700_000_000_000_100
    assert f"{message.sent_at:%Y-%m-%d %H:%M:%S.%f}" == "2023-11-14 22:13:20.000100"
    assert (message.author.id, message.author.name) == ("U0ANNA", "Anna")
    assert not message.is_mention
    assert not message.is_direct


def test_a_mention_and_its_message_are_one_message() -> None:
    text = "<@U0BOT> hello"
    assert heard(said(text)) == heard(said(text, type="app_mention", channel_type=None))
    assert heard(said(text)).is_mention
    assert heard(said(text)).text == "hello"


def test_a_reply_knows_its_thread_and_a_parent_is_none() -> None:
    assert heard(said(thread_ts="1600000000.000001")).thread == "1600000000.000001"
    assert heard(said(thread_ts="1700000000.000100")).thread is None


def test_a_direct_message_is_direct() -> None:
    assert heard(said(channel="D1", channel_type="im")).is_direct
    assert not heard(said(channel_type="mpim")).is_direct


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("&lt;@U0BEN&gt;", "<@U0BEN>"),
        ("<https://x.io/a|site> and <https://x.io>", "site (https://x.io/a) and https://x.io"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("in <#C9|general> or <#C8>", "in #general or #C8"),
        ("ask <@U0BEN> or <@U9>", "ask @Ben or @U9"),
        ("<!here> <!subteam^S1|@team> <!date^1^{date}|today>", "@here @team today"),
        ("<@U0BOT>: hello", "hello"),
        ("hey <@U0BOT>, hello", "hey, hello"),
        ("<@U0BOT|bot> hello", "hello"),
        ("1 < 2 <> 3", "1 < 2 <> 3"),
    ],
)
def test_text_is_read_as_people_read_it(text: str, plain: str) -> None:
    assert heard(said(text)).text == plain


def test_files_come_as_attachments() -> None:
    file = {"id": "F1", "name": "a.txt", "mimetype": "text/plain", "size": 3, "mode": "hosted"}
    files = [file, {"name": "gone"}, 7]
    [attachment] = heard(said("", subtype="file_share", files=files)).attachments
    assert attachment == Attachment(name="a.txt", kind="text/plain", size=3, id="F1")


def test_where_a_message_says_that_a_file_is_kept_nobody_looks() -> None:
    file = {"id": "F1", "name": "a.txt", "url_private": "https://example.com/a.txt"}
    [attachment] = heard(said("", subtype="file_share", files=[file])).attachments
    assert "example.com" not in repr(attachment)


def test_of_another_organisations_file_only_the_id_is_known() -> None:
    file = {"id": "F1", "file_access": "check_file_info"}
    [attachment] = heard(said("", subtype="file_share", files=[file])).attachments
    assert attachment == Attachment(name="", kind="", size=0, id="F1")


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ({"mode": "external", "is_external": True}, "outside of Slack"),
        ({"mode": "hosted", "is_external": True}, "outside of Slack"),
        ({"mode": "external"}, "outside of Slack"),
        ({"mode": "tombstone"}, "was deleted"),
        ({"mode": "hidden_by_limit"}, "reached its limit"),
        ({"file_access": "access_denied"}, "not shown to me"),
        ({"file_access": "file_not_found"}, "is gone"),
    ],
)
def test_a_file_that_cannot_be_had_says_what_it_is(file: dict[str, object], why: str) -> None:
    files = [{"id": "F1", "name": "a.txt", "mimetype": "text/plain", **file}]
    [attachment] = heard(said("", subtype="file_share", files=files)).attachments
    assert why in attachment.unavailable


def test_a_file_brings_no_characters_that_cannot_be_stored() -> None:
    file = {"id": "F1", "name": "a\0b\ud83d.txt\n", "mimetype": "text/\0plain"}
    files = [file, file | {"id": "F1\0"}, file | {"id": "\ud83d"}, file | {"id": "../F1"}]
    [attachment] = heard(said("", subtype="file_share", files=files)).attachments
    assert (attachment.name, attachment.kind) == ("ab.txt", "text/plain")


@pytest.mark.parametrize(
    "event",
    [
        {"bot_id": "B1", "app_id": "A0001"},
        {"app_id": "A0001"},
        {"user": "U0BOT"},
        {"user": "USLACKBOT"},
        {"subtype": "channel_join"},
        {"subtype": "bot_message"},
        {"hidden": True},
        {"ts": "yesterday"},
        {"channel": "C1/../C2"},
        {"user": None},
    ],
)
def test_what_no_person_wrote_is_not_heard(event: Json) -> None:
    raw = said()
    raw["event"] = {**as_mapping(raw["event"]), **event}
    assert parse.event(raw, OWN) is None


POSTED = {"bot_id": "B9", "app_id": "A9", "username": "Deploys", "subtype": "bot_message"}


def test_another_app_is_told_from_this_one() -> None:
    raw = said()
    raw["event"] = {**as_mapping(raw["event"]), **POSTED, "user": None}
    found = heard(raw)
    assert (found.is_by_app, found.author.id, found.author.name) == (True, "B9", "Deploys")
    here = Address.parse("slack/T0001/C1")
    assert parse.message(raw["event"], here, "U0BOT", OWN, is_shared=False) is not None
    assert parse.message(raw["event"], here, "U0BOT", Own(), is_shared=False) is None


@pytest.mark.parametrize(
    ("post", "is_heard"),
    [({"bot_id": "B9"}, True), ({"bot_id": "B0BOT"}, False), ({"bot_id": "B0QUAY"}, False)],
)
def test_a_webhook_without_an_app_is_judged_alike_at_once_and_when_catching_up(
    post: Json, *, is_heard: bool
) -> None:
    raw = said()
    raw["event"] = {**as_mapping(raw["event"]), **post, "subtype": "bot_message", "user": None}
    here = Address.parse("slack/T0001/C1")
    at_once, later = (
        parse.event(raw, OWN),
        parse.message(raw["event"], here, "U0BOT", OWN, is_shared=False),
    )
    assert (at_once is not None, later is not None) == (is_heard, is_heard)


def edited(after: Mapping[str, object], before: Mapping[str, object] | None = None) -> object:
    person = {"type": "message", "user": "U0ANNA", "ts": "1700000000.000100"}
    raw = body(
        subtype="message_changed",
        hidden=True,
        ts="1700000009.000100",
        message={**person, **after},
        previous_message={**person, **(before or {})},
    )
    return parse.event(raw, OWN)


def test_an_edit_has_the_key_of_its_message() -> None:
    after = {"text": "<@U0BOT> better", "edited": {"ts": "1700000009.000000"}}
    found = edited(after)
    assert isinstance(found, Edited)
    better = parse.named(found.said, NAMES)
    assert (better.key, better.text) == ("slack/T0001/C1/1700000000.000100", "better")


def test_a_link_that_unfolds_is_no_edit() -> None:
    mark = {"ts": "1700000001.000000"}
    assert edited({"text": "x"}) is None
    assert edited({"text": "x", "edited": mark}, {"edited": mark}) is None


def test_an_edit_of_our_own_message_is_none() -> None:
    after = {"text": "x", "edited": {"ts": "1700000009.000000"}, "app_id": "A0001", "bot_id": "B"}
    assert edited(after) is None


def test_deleted_messages_are_withdrawn_parents_of_threads_too() -> None:
    gone = Withdrawn(key="slack/T0001/C1/1700000000.000100")
    assert parse.event(body(subtype="message_deleted", deleted_ts="1700000000.000100"), OWN) == gone
    assert edited({"subtype": "tombstone", "user": "USLACKBOT"}) == gone


def test_the_workspace_is_the_one_that_the_app_is_installed_in() -> None:
    shared = said()
    shared["team_id"] = "T9"
    assert heard(shared).place.parts[0] == "T0001"


def test_a_message_of_a_shared_channel_has_one_key_whichever_workspace_tells_of_it() -> None:
    keys = set[str]()
    for team in ("T0001", "T0002"):
        raw = {**said(), "is_ext_shared_channel": True, "authorizations": [{"team_id": team}]}
        found = parse.event(raw, OWN)
        assert isinstance(found, Said)
        assert found.unnamed.place.key == f"slack/{team}/C1"
        here = Address.parse(f"slack/{team}/C1")
        read = parse.message(raw["event"], here, "U0BOT", OWN, is_shared=True)
        assert read
        keys |= {found.unnamed.key, read.unnamed.key}
    assert keys == {"slack/T0001/C1/1700000000.000100"}
    alone = parse.event({**said(), "authorizations": [{"team_id": "T0002"}]}, OWN)
    assert isinstance(alone, Said)
    assert alone.unnamed.key == "slack/T0002/C1/1700000000.000100"


def test_other_events_are_what_they_are() -> None:
    opened = body(type="app_home_opened", user="U0ANNA", tab="home")
    stopped = body(type="agent_session_stopped", user="U0ANNA", thread_ts="1700000000.000100")
    assert parse.opened(opened) == HomeOpened(team="T0001", user="U0ANNA", direct="C1")
    chat = body(type="app_home_opened", user="U0ANNA", tab="messages", channel="D0ANNA")
    place = Address.parse("slack/T0001/D0ANNA")
    assert parse.opened(chat) == ChatOpened(place=place, user="U0ANNA")
    assert parse.opened(body(type="app_home_opened", user="U0ANNA", tab="about")) is None
    assert isinstance(parse.stop_pressed(stopped), StopPressed)
    assert parse.uninstalled(body(type="app_uninstalled")) == "T0001"
    assert parse.uninstalled(body(type="tokens_revoked", tokens={"bot": ["U0BOT"]})) == "T0001"
    assert not parse.uninstalled(body(type="tokens_revoked", tokens={"oauth": ["U1"]}))


def test_a_message_says_whose_names_it_needs() -> None:
    found = parse.event(said("<@U0BOT> ask <@U0BEN|ben> and <@W9>"), OWN)
    assert isinstance(found, Said)
    assert found.people == {"U0ANNA", "U0BEN", "W9"}


def test_a_command_is_keyed_by_its_trigger() -> None:
    command = parse.command(COMMAND, NAMES)
    assert isinstance(command, SlashCommand)
    assert command.key == "slack/T0001/cmd/13345224609.738474920.8088930838d88f008e0"
    assert (command.text, command.user_name) == ("ask <b> @Ben", "Anna")


def test_a_press_says_what_was_pressed_where() -> None:
    press = parse.press(PRESS)
    assert isinstance(press, Press)
    assert (press.value, press.channel) == ("good:k", "C1")


def test_a_shortcut_says_on_which_message() -> None:
    shortcut = parse.shortcut(SHORTCUT, {})
    assert isinstance(shortcut, Shortcut)
    assert shortcut.said.text == "a & b"


def test_what_sort_of_body_it_is_is_told_in_few_plain_characters() -> None:
    body = {"type": "event callback\n", "event": {"type": "x" * 60}}
    assert parse.kind(body) == f"event_callback_/{'x' * 40}"


def read_in_every_way(raw: object) -> None:
    names = dict.fromkeys(parse.people(raw), "X")
    found = parse.event(raw, OWN)
    if isinstance(found, Said):
        parse.named(found, names)
    parse.opened(raw)
    parse.stop_pressed(raw)
    parse.uninstalled(raw)
    parse.command(raw, names)
    parse.press(raw)
    parse.shortcut(raw, names)
    assert parse.kind(raw)
    assert isinstance(parse.team_of(raw), str)


@given(json)
def test_arbitrary_json_is_never_an_error(raw: object) -> None:
    read_in_every_way(raw)


@given(nearly_known())
def test_a_real_payload_with_something_else_in_it_is_never_an_error(raw: object) -> None:
    read_in_every_way(raw)


@given(st.text(alphabet="<>@!#|&;:^ U0BOTltamp\n", max_size=60))
def test_any_markup_is_read(text: str) -> None:
    heard(said(text))


@pytest.mark.parametrize(
    ("event", "readers"),
    [
        ({"channel_type": "channel"}, Readers.EVERYBODY),
        ({"channel_type": "group"}, Readers.CHANNEL),
        ({"channel_type": "mpim"}, Readers.CHANNEL),
        ({"channel_type": "im"}, Readers.CHANNEL),
        ({"channel": "D1", "channel_type": "channel"}, Readers.CHANNEL),
        ({"channel": "D1", "channel_type": None}, Readers.CHANNEL),
        ({"channel_type": None}, Readers.UNKNOWN),
        ({"channel_type": "of tomorrow"}, Readers.UNKNOWN),
        ({"channel_type": ["channel"]}, Readers.UNKNOWN),
    ],
)
def test_an_event_says_who_can_read_there(event: Json, readers: Readers) -> None:
    message = {"user": "U0ANNA", "ts": "1700000000.000100", "text": "hello", **event}
    assert heard(body(**message)).place.readers is readers


@pytest.mark.parametrize(
    ("flags", "readers"),
    [
        ({"is_private": False}, Readers.EVERYBODY),
        ({"is_private": True}, Readers.CHANNEL),
        ({"is_private": False, "is_mpim": True}, Readers.CHANNEL),
        ({"is_im": True}, Readers.CHANNEL),
        ({"is_group": True}, Readers.CHANNEL),
        ({"is_private": "no"}, Readers.UNKNOWN),
        ({}, Readers.UNKNOWN),
    ],
)
def test_a_channel_says_who_can_read_it(flags: Json, readers: Readers) -> None:
    found = parse.channel({"id": "C1", **flags}, "T0001")
    assert found
    assert (found.key, found.readers) == ("slack/T0001/C1", readers)
    assert parse.channel(flags, "T0001") is None


def test_a_channel_that_turns_private_says_so() -> None:
    found = parse.event(body(subtype="channel_convert_to_private", user="U0ANNA", ts="1.0"), OWN)
    assert found == TurnedPrivate(place=Address(platform="slack", parts=("T0001", "C1")))
