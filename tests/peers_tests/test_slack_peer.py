"""The Slack peer delivers as Slack does: seen by the real slack-bolt."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from slack_bolt.async_app import AsyncAck, AsyncRespond

from tests.patience import PATIENCE
from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer
from tests.peers_tests.slack_bot import connected, web_client

NORMAL = Schedule(retries=(0.0, 0.05, 0.05))
QUICK = Schedule(deadline=0.1, retries=(0.0, 0.05, 0.05))  # where nothing is acknowledged


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer(schedule=NORMAL) as peer:
        yield peer


async def test_a_message_is_delivered_and_acknowledged(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        ts = slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until_quiet()
    [delivery] = slack.deliveries
    assert delivery.is_acked
    assert len(delivery.attempts) == 1
    [body] = bot.heard
    assert (body["event"]["ts"], body["event"]["text"]) == (ts, "hello")
    assert body["event"]["channel_type"] == "channel"
    assert body["api_app_id"] == "A0001"


async def test_a_mention_arrives_twice_with_one_ts_and_two_event_ids(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        ts = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
        await slack.until_quiet()
    assert {body["event"]["type"] for body in bot.heard} == {"message", "app_mention"}
    assert {body["event"]["ts"] for body in bot.heard} == {ts}
    assert len({body["event_id"] for body in bot.heard}) == 2


async def test_a_direct_message_has_no_mention_twin(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        slack.say(slack.direct("U0ANNA"), "U0ANNA", f"{slack.mention} hello")
        await slack.until_quiet()
    assert [body["event"]["channel_type"] for body in bot.heard] == ["im"]


async def test_an_event_that_was_not_acknowledged_comes_again(slack: SlackPeer) -> None:
    slack.backend.deliveries.schedule = Schedule(deadline=PATIENCE)
    async with connected(slack) as bot:
        bot.fails = 1
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until(lambda: not bot.fails)
        slack.sockets.lapse()
        await slack.until_quiet()
    [delivery] = slack.deliveries
    assert not delivery.attempts[0].is_acked
    assert delivery.is_acked
    assert delivery.attempts[0].envelope_id != delivery.attempts[-1].envelope_id
    assert {body["event_id"] for body in bot.heard} == {delivery.event_id}


async def test_an_event_is_given_up_after_three_retries(slack: SlackPeer) -> None:
    slack.backend.deliveries.schedule = QUICK
    async with connected(slack) as bot:
        bot.fails = 9
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until_quiet()
    [delivery] = slack.deliveries
    assert delivery.state == "given_up"
    assert [attempt.number for attempt in delivery.attempts] == [0, 1, 2, 3]


async def test_a_retry_says_its_number_and_reason(slack: SlackPeer) -> None:
    slack.backend.deliveries.schedule = QUICK
    frames: list[tuple[object, object]] = []

    async def note(_client: object, message: dict[str, object], _raw: str | None) -> None:
        if message["type"] == "events_api":
            frames.append((message["retry_attempt"], message["retry_reason"]))

    async with connected(slack) as bot:
        bot.handlers[0].client.message_listeners.append(note)
        bot.fails = 9
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until_quiet()
        await slack.until(lambda: len(frames) == 4)
    assert frames == [(0, ""), (1, "timeout"), (2, "timeout"), (3, "timeout")]


async def test_an_event_raised_while_nobody_listens_is_retried(slack: SlackPeer) -> None:
    slack.backend.deliveries.schedule = Schedule(retries=(0.0, 1.0, 1.0))
    slack.say("C0GENERAL", "U0ANNA", "hello")
    await slack.until(lambda: len(slack.deliveries[0].attempts) == 2)
    async with connected(slack) as bot:
        await slack.until_quiet()
    assert bot.texts() == ["hello"]


async def test_a_command_is_answered_in_its_acknowledgement(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        bot.on_command("/agent", "on it")
        slack.command("/agent", "list", "C0GENERAL", "U0ANNA")
        await slack.until_quiet()
    [line] = slack.transcript("C0GENERAL")
    assert (line.kind, line.for_user, line.text) == ("ephemeral", "U0ANNA", "on it")


async def test_a_command_that_was_not_acknowledged_is_an_error_and_never_comes_again(
    slack: SlackPeer,
) -> None:
    async with connected(slack) as bot:
        slack.backend.deliveries.schedule = QUICK
        bot.on_command("/agent", "on it")
        bot.fails = 1
        delivery = slack.command("/agent", "list", "C0GENERAL", "U0ANNA")
        await slack.until_quiet()
    assert len(delivery.attempts) == 1
    assert bot.heard == []
    [line] = slack.transcript("C0GENERAL")
    assert line.text == '/agent failed with the error "operation_timeout"'


async def test_a_command_with_nobody_connected_fails_at_once(slack: SlackPeer) -> None:
    slack.command("/agent", "list", "C0GENERAL", "U0ANNA")
    await slack.until_quiet()
    [line] = slack.transcript("C0GENERAL")
    assert line.text == '/agent failed with the error "dispatch_failed"'


async def test_a_button_reaches_its_listener_which_replaces_the_message(slack: SlackPeer) -> None:
    async def stop(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("stopped", replace_original=True)

    button = {
        "type": "button",
        "action_id": "stop",
        "text": {"type": "plain_text", "text": "Stop"},
        "value": "turn-1",
    }
    async with connected(slack) as bot:
        bot.on_action("stop", stop)
        posted = await bot.app.client.chat_postMessage(
            channel="C0GENERAL", text="working", blocks=[{"type": "actions", "elements": [button]}]
        )
        assert slack.transcript("C0GENERAL")[0].buttons == ("Stop",)
        delivery = slack.click("C0GENERAL", posted["ts"], "stop", "U0ANNA")
        await slack.until(lambda: slack.transcript("C0GENERAL")[0].text == "stopped")
        await slack.until_quiet()
    assert delivery.payload["actions"][0]["value"] == "turn-1"


async def test_several_sockets_share_the_envelopes(slack: SlackPeer) -> None:
    async with connected(slack, sockets=2) as bot:
        for number in range(20):
            slack.say("C0GENERAL", "U0ANNA", str(number))
        await slack.until_quiet()
    assert sorted(bot.texts(), key=int) == [str(number) for number in range(20)]
    assert {delivery.attempts[0].socket for delivery in slack.deliveries} == {1, 2}


async def test_a_cut_socket_is_opened_again_and_nothing_is_lost(slack: SlackPeer) -> None:
    slack.backend.deliveries.schedule = Schedule(deadline=PATIENCE)
    async with connected(slack) as bot:
        slack.disturb(kill_rate=1.0)
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until(lambda: slack.sockets.opened == 2)
        slack.disturb()
        slack.sockets.lapse()
        await slack.until_quiet()
    assert slack.deliveries[0].is_acked
    assert "hello" in bot.texts()
    assert slack.sockets.opened >= 2


async def test_a_refresh_makes_the_bot_reconnect(slack: SlackPeer) -> None:
    async with connected(slack):
        await slack.sockets.disconnect("warning")
        await slack.until(lambda: [socket.number for socket in slack.sockets.live] == [2])


async def test_a_half_open_socket_is_noticed_by_the_pings(slack: SlackPeer) -> None:
    async with connected(slack):
        slack.sockets.freeze()
        await slack.until(lambda: any(not socket.is_frozen for socket in slack.sockets.live))


async def test_pings_are_answered_both_ways(slack: SlackPeer) -> None:
    async with connected(slack):
        [socket] = slack.sockets.live
        await slack.until(lambda: socket.pings and socket.pongs)


async def test_deliveries_can_be_doubled_and_held(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        slack.disturb(duplicate=1.0)
        slack.backend.deliveries.hold()
        slack.say("C0GENERAL", "U0ANNA", "hello")
        assert bot.texts() == []
        slack.backend.deliveries.release()
        await slack.until(lambda: bot.texts() == ["hello", "hello"])
        await slack.until_quiet()


async def test_the_bots_own_post_comes_back_as_an_event(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        await bot.app.client.chat_postMessage(channel="C0GENERAL", text="hi")
        await slack.until(lambda: bot.heard)
        await slack.until_quiet()
    [body] = bot.heard
    assert body["event"]["app_id"] == body["api_app_id"]
    assert body["event"]["bot_id"] == "B0BOT"


async def test_a_post_under_another_name_comes_back_without_a_user(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        await bot.app.client.chat_postMessage(channel="C0GENERAL", text="hi", username="Support")
        await slack.until(lambda: bot.heard)
        await slack.until_quiet()
    event = bot.heard[0]["event"]
    assert (event["subtype"], event["username"], "user" in event) == (
        "bot_message",
        "Support",
        False,
    )
    assert slack.transcript("C0GENERAL")[0].author == "Support"


async def test_edits_and_deletions_are_told(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        ts = slack.say("C0GENERAL", "U0ANNA", "helo")
        await slack.until_quiet()
        slack.edit("C0GENERAL", ts, "hello")
        assert slack.transcript("C0GENERAL")[0].is_edited
        await slack.until_quiet()
        slack.delete("C0GENERAL", ts)
        await slack.until_quiet()
    changed, deleted = bot.heard[1]["event"], bot.heard[2]["event"]
    assert changed["message"]["text"] == "hello"
    assert changed["previous_message"]["text"] == "helo"
    assert deleted["deleted_ts"] == ts
    assert slack.transcript("C0GENERAL") == []


async def test_a_bot_that_is_not_in_the_channel_hears_nothing(slack: SlackPeer) -> None:
    slack.add_channel("C0QUIET", bot=False)
    async with connected(slack):
        slack.say("C0QUIET", "U0ANNA", f"{slack.mention} hello")
        assert slack.deliveries == []


async def test_a_modal_opens_only_while_its_trigger_is_fresh(slack: SlackPeer) -> None:
    client = web_client(slack)
    delivery = slack.command("/agent", "new", "C0GENERAL", "U0ANNA")
    modal = {
        "type": "modal",
        "callback_id": "new",
        "title": {"type": "plain_text", "text": "New"},
        "blocks": [{"type": "divider"}],
    }
    trigger = delivery.payload["trigger_id"]
    assert (await client.views_open(trigger_id=trigger, view=modal))["view"]["id"]
    assert len(slack.modals("U0ANNA")) == 1
    stale = slack.command("/agent", "new", "C0GENERAL", "U0ANNA").payload["trigger_id"]
    slack.advance(4)
    with pytest.raises(Exception, match="expired_trigger_id"):
        await client.views_open(trigger_id=stale, view=modal)
    await slack.until_quiet()


async def test_an_eleventh_socket_is_turned_away(slack: SlackPeer) -> None:
    async with connected(slack, sockets=10) as bot:
        url = await bot.handlers[0].client.issue_new_wss_url()
        session = bot.handlers[0].client.aiohttp_client_session
        async with session.ws_connect(url) as stream:
            assert (await stream.receive_json())["reason"] == "too_many_websockets"


async def test_a_ticket_opens_one_socket(slack: SlackPeer) -> None:
    async with connected(slack) as bot:
        client = bot.handlers[0].client
        assert client.wss_uri is not None
        async with client.aiohttp_client_session.get(
            client.wss_uri.replace("ws://", "http://")
        ) as response:
            assert response.status == 403
