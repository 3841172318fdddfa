"""The people in the Slack peer: what they do reaches the real slack-bolt as from Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from slack_bolt.async_app import AsyncAck
from slack_sdk.errors import SlackApiError

from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.wire import Json
from tests.peers_tests.slack_bot import Bot, connected, web_client

PATIENT = Schedule(deadline=1.5, retries=(0.0, *(0.1,) * 20))


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer(schedule=PATIENT, seed=3) as peer:
        yield peer


def events(bot: Bot) -> list[Json]:
    return [Json(body["event"]) for body in bot.heard]


async def test_a_reply_names_its_thread_and_its_parents_author(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        parent = slack.say("C0GENERAL", "U0ANNA", "question")
        slack.say("C0GENERAL", "U0BEN", "me too", parent)
        await slack.until_quiet()
    [reply] = [event for event in events(bot) if event["text"] == "me too"]
    assert (reply["thread_ts"], reply["parent_user_id"]) == (parent, "U0ANNA")


async def test_a_broadcast_carries_its_root(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        parent = slack.say("C0GENERAL", "U0ANNA", "question")
        slack.say("C0GENERAL", "U0ANNA", "all: solved", parent, broadcast=True)
        await slack.until_quiet()
    [reply] = [event for event in events(bot) if event["text"] == "all: solved"]
    assert (reply["subtype"], reply["root"]["text"]) == ("thread_broadcast", "question")


async def test_a_shared_file_is_a_message_with_files(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        slack.share_file("C0GENERAL", "U0ANNA", "a.png", b"png", mimetype="image/png")
        await slack.until_quiet()
    [event] = events(bot)
    assert (event["subtype"], event["text"]) == ("file_share", "")
    assert event["files"][0]["mimetype"] == "image/png"


async def test_of_another_organisations_file_only_the_id_is_told_until_it_is_asked_about(
    slack: SlackPeer,
) -> None:
    slack.add_team("T0002", "Quay", is_installed=False)
    slack.add_user("U0CARL", "carl", "T0002")
    async with connected(slack) as bot:
        slack.share_file("C0GENERAL", "U0CARL", "a.txt", b"text")
        await slack.until_quiet()
    [event] = events(bot)
    [told] = event["files"]
    assert told == {"id": told["id"], "file_access": "check_file_info"}
    client = web_client(slack)
    known = (await client.files_info(file=told["id"]))["file"]
    [posted] = (await client.conversations_history(channel="C0GENERAL"))["messages"]
    assert (known["name"], known["user_team"], known["mode"]) == ("a.txt", "T0002", "hosted")
    assert f"/files-pri/T0002-{told['id']}/a.txt" in known["url_private"]
    assert posted["files"][0]["name"] == "a.txt"


async def test_a_remote_file_is_where_its_app_says(slack: SlackPeer) -> None:
    slack.share_remote_file("C0GENERAL", "U0ANNA", "plan", "https://example.com/plan")
    [file] = slack.backend.world.files.values()
    client = web_client(slack)
    known = (await client.files_info(file=file.id))["file"]
    assert (known["mode"], known["is_external"], known["external_type"]) == (
        "external",
        True,
        "app",
    )
    assert known["url_private"] == known["external_url"] == "https://example.com/plan"


async def test_a_file_of_a_place_without_the_bot_is_not_there(slack: SlackPeer) -> None:
    slack.add_channel("C0ELSEWHERE", bot=False)
    slack.share_file("C0ELSEWHERE", "U0ANNA", "a.txt", b"text")
    [file] = slack.backend.world.files.values()
    client = web_client(slack)
    with pytest.raises(SlackApiError, match="file_not_found"):
        await client.files_info(file=file.id)


async def test_a_deleted_file_leaves_its_id(slack: SlackPeer) -> None:
    ts = slack.share_file("C0GENERAL", "U0ANNA", "a.txt", b"text")
    slack.lose_file("C0GENERAL", ts, "tombstone")
    [file] = slack.backend.world.files.values()
    client = web_client(slack)
    [posted] = (await client.conversations_history(channel="C0GENERAL"))["messages"]
    with pytest.raises(SlackApiError, match="file_deleted"):
        await client.files_info(file=file.id)
    assert posted["files"] == [{"id": file.id, "mode": "tombstone"}]


async def test_another_bot_is_told_by_its_app_id(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        slack.say_as_other_bot("C0GENERAL", "beep")
        await slack.until_quiet()
    assert bot.heard[0]["event"]["app_id"] != bot.heard[0]["api_app_id"]


async def test_opening_the_home_tab_is_an_event(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        slack.open_home("U0ANNA")
        await slack.until_quiet()
    [event] = events(bot)
    assert (event["type"], event["tab"], event["channel"]) == ("app_home_opened", "home", "D0ANNA")


async def test_stop_is_an_event_that_names_the_streams(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        thread = slack.say(slack.direct("U0ANNA"), "U0ANNA", "question")
        started = await bot.app.client.chat_startStream(
            channel="D0ANNA", thread_ts=thread, markdown_text="well"
        )
        slack.press_stop("D0ANNA", thread, "U0ANNA")
        await slack.until_quiet()
    [event] = [event for event in events(bot) if event["type"] == "agent_session_stopped"]
    assert event["streaming_message_ts"] == [started["ts"]]


async def test_a_message_shortcut_carries_the_message(slack: SlackPeer) -> None:
    taken: list[str] = []

    async def ask(ack: AsyncAck, shortcut: Json) -> None:
        taken.append(shortcut["message"]["text"])
        await ack()

    async with connected(slack) as bot:
        bot.app.shortcut("ask_agent")(ask)
        ts = slack.say("C0GENERAL", "U0BEN", "what is this?")
        slack.use_shortcut("C0GENERAL", ts, "ask_agent", "U0ANNA")
        await slack.until_quiet()
    assert taken == ["what is this?"]


async def test_a_submitted_modal_closes_when_it_is_acknowledged(slack: SlackPeer) -> None:
    taken: list[str] = []

    async def save(ack: AsyncAck, view: Json) -> None:
        taken.append(view["state"]["values"]["name"]["input"]["value"])
        await ack()

    async with connected(slack) as bot:
        bot.on_command("/agent", "")
        bot.app.view("new")(save)
        command = slack.command("/agent", "new", "C0GENERAL", "U0ANNA")
        modal = {
            "type": "modal",
            "callback_id": "new",
            "title": {"type": "plain_text", "text": "New"},
            "blocks": [{"type": "divider"}],
        }
        await bot.app.client.views_open(trigger_id=command.payload["trigger_id"], view=modal)
        [opened] = slack.modals("U0ANNA")
        slack.submit(opened["id"], {"name": {"input": "support"}})
        await slack.until_quiet()
    assert taken == ["support"]
    assert slack.modals("U0ANNA") == []


async def test_a_button_of_the_home_tab_comes_with_its_view(slack: SlackPeer) -> None:
    taken: list[str] = []

    async def forget(ack: AsyncAck, body: Json) -> None:
        taken.append(body["view"]["type"])
        await ack()

    label = {"type": "plain_text", "text": "Forget me"}
    button = {"type": "button", "action_id": "forget", "text": label}
    home = {"type": "home", "blocks": [{"type": "actions", "elements": [button]}]}
    async with connected(slack) as bot:
        bot.on_action("forget", forget)
        await bot.app.client.views_publish(user_id="U0ANNA", view=home)
        slack.click_home("U0ANNA", "forget")
        await slack.until_quiet()
    assert taken == ["home"]


async def test_an_uninstalled_app_hears_it_and_then_nothing(slack: SlackPeer) -> None:
    slack.uninstall()
    assert slack.delivered("app_uninstalled")
    before = len(slack.deliveries)
    slack.say("C0GENERAL", "U0ANNA", "hello")
    assert len(slack.deliveries) == before
    with pytest.raises(SlackApiError, match="account_inactive"):
        await web_client(slack).auth_test()


async def test_switching_socket_mode_off_ends_the_sockets(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        await slack.disable_sockets()
        await slack.until(lambda: not slack.sockets.live)
        client = bot.handlers[0].client
        with pytest.raises(SlackApiError, match="access_denied"):
            await client.issue_new_wss_url()


async def test_nothing_is_lost_under_cut_sockets_late_and_doubled_deliveries(
    slack: SlackPeer,
) -> None:
    async with connected(slack, sockets=2) as bot:
        slack.backend.deliveries.schedule = Schedule(deadline=0.5, retries=(0.1,) * 100)
        slack.disturb(duplicate=0.2, lag=0.2, kill_rate=0.05)
        for number in range(40):
            slack.say("C0GENERAL", "U0ANNA", str(number))
        await slack.until_quiet()
        slack.disturb()
        await slack.until_connected(2)
    assert {delivery.state for delivery in slack.deliveries} == {"acked"}
    assert {body["event"]["text"] for body in bot.heard} == {str(number) for number in range(40)}
    assert len(bot.heard) > 40


async def test_a_channel_that_turns_private_keeps_its_id_and_says_so(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        slack.turn("C0GENERAL", "group", "U0ANNA")
        slack.say("C0GENERAL", "U0ANNA", "among us")
        await slack.until_quiet()
    web = web_client(slack)
    info = (await web.conversations_info(channel="C0GENERAL"))["channel"]
    assert (info["is_private"], info["is_group"]) == (True, True)
    assert [event["channel_type"] for event in events(bot)] == ["group", "group"]
    assert events(bot)[0]["subtype"] == "channel_convert_to_private"


async def test_a_guest_is_in_no_channel_unless_they_are_let_in(slack: SlackPeer) -> None:
    slack.add_user("U0GUS", "gus", is_guest=True)
    slack.add_channel("C0LATER")
    slack.join("C0GENERAL", "U0GUS")
    web = web_client(slack)
    assert (await web.users_info(user="U0GUS"))["user"]["is_restricted"]
    found = await web.users_conversations(user="U0GUS", types="public_channel")
    assert [channel["id"] for channel in found["channels"]] == ["C0GENERAL"]


async def test_a_group_has_the_people_named_and_a_command_does_not_name_it(
    slack: SlackPeer,
) -> None:
    slack.add_channel("C0GROUP", kind="mpim", people=["U0ANNA"], bot=False)
    slack.add_channel("C0SECRET", kind="group", people=["U0ANNA"])
    async with connected(slack):
        given = slack.command("/agent", "list", "C0SECRET", "U0ANNA")
    assert given.payload["channel_name"] == "privategroup"
    assert (await web_client(slack).conversations_members(channel="C0SECRET"))["members"] == [
        "U0ANNA",
        "U0BOT",
    ]
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await web_client(slack).conversations_info(channel="C0GROUP")
