"""The way in by Socket Mode: heard, stored, acknowledged, answered once."""

from __future__ import annotations

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

import pytest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack import sockets
from bots.slack.connection import Client, Connection
from bots.slack.sockets import SocketListener
from tests.bots.slack import bots
from tests.bots.slack.bots import PING_INTERVAL, UNSTORED, Bot, Workspace
from tests.patience import PATIENCE
from tests.peers.endpoint import Reply
from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.wire import Json

ANSWERED = "SELECT count(*) FROM inbox WHERE state = 'answered'"
WAITING = "SELECT count(*) FROM inbox WHERE state = 'waiting'"
SUPPORT = """
[agents.assistant]
[agents.support]
[[bindings]]
at = "slack/T0001/C0SUPPORT"
agent = "support"
listen = "all"
"""


async def test_a_mention_is_answered_in_its_thread_once(workspace: Workspace) -> None:
    """`message` and `app_mention` of one post are one message."""
    slack = workspace.slack
    async with workspace.bot():
        ts = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
        assert await workspace.answered("C0GENERAL") == ["You said: hello"]
        await slack.until_quiet()
    assert workspace.said("C0GENERAL", ts) == ["You said: hello"]
    assert {"message", "app_mention"} <= {each.event["type"] for each in slack.deliveries}
    assert all(delivery.is_acked for delivery in slack.deliveries)
    assert workspace.rows("SELECT key, author, author_id FROM inbox") == [
        (f"slack/T0001/C0GENERAL/{ts}", "anna", "U0ANNA")
    ]


async def test_without_a_mention_somebody_answers_only_in_a_direct_message(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    place = slack.direct("U0ANNA")
    async with workspace.bot():
        slack.say("C0GENERAL", "U0ANNA", "hello Ben")
        await slack.until_quiet()
        assert workspace.rows("SELECT count(*) FROM inbox") == [(0,)]
        slack.say(place, "U0ANNA", "hello")
        assert await workspace.answered(place) == ["You said: hello"]


async def test_questions_in_two_threads_of_a_direct_message_are_answered_in_each(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    place = slack.direct("U0ANNA")
    async with workspace.bot():
        roots = [slack.say(place, "U0ANNA", text) for text in ("one", "two")]
        await slack.until(lambda: workspace.rows(ANSWERED) == [(2,)])
        asked = len(workspace.endpoint.requests)
        workspace.endpoint.hold()
        slack.say(place, "U0ANNA", "begin")
        await workspace.endpoint.arrived(asked + 1)
        for root in roots:
            slack.say(place, "U0ANNA", "and now?", root)
        await slack.until(lambda: workspace.rows(WAITING) == [(2,)])
        workspace.endpoint.release()
        await slack.until(lambda: workspace.rows(ANSWERED) == [(5,)])
        await slack.until(lambda: workspace.said(place, roots[1]))
    answer = ["You said: and now?"]
    assert [workspace.said(place, root) for root in roots] == [answer, answer]


async def test_an_agent_is_reached_by_its_name(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(SUPPORT):
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} support what now")
        await workspace.answered("C0GENERAL")
        slack.say("C0GENERAL", "U0ANNA", "support: and now?")
        await workspace.answered("C0GENERAL", 2)
    assert [line.author for line in workspace.answers("C0GENERAL")] == ["support", "support"]
    assert workspace.said("C0GENERAL") == ["You said: what now", "You said: and now?"]


async def test_where_all_is_heard_neither_its_own_messages_and_edits_nor_other_bots_are_answered(
    workspace: Workspace,
) -> None:
    """Nor that Slack unfolds links."""
    slack = workspace.slack
    async with workspace.bot(SUPPORT):
        slack.say("C0SUPPORT", "U0ANNA", "one")
        await workspace.answered("C0SUPPORT")
        slack.say_as_other_bot("C0SUPPORT", f"{slack.mention} two")
        await slack.until_quiet()
    assert slack.delivered("message", "message_changed")
    assert workspace.said("C0SUPPORT") == ["You said: one"]
    assert workspace.rows("SELECT count(*) FROM inbox") == [(1,)]


async def test_what_cannot_be_stored_is_not_acknowledged_and_answered_once_when_it_comes_again(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    async with workspace.bot(database_url=workspace.impatient):
        async with workspace.locked():
            ts = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
            await slack.until(lambda: UNSTORED in caplog.messages)
        slack.sockets.lapse()
        assert await workspace.answered("C0GENERAL") == ["You said: hello"]
        await slack.until_quiet()
    assert workspace.said("C0GENERAL", ts) == ["You said: hello"]
    asked = [each for each in slack.deliveries if each.event.get("ts") == ts]
    assert all(each.is_acked for each in asked)
    assert max(len(each.attempts) for each in asked) > 1


async def test_a_command_that_cannot_be_stored_is_not_acknowledged(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    async with workspace.bot(database_url=workspace.impatient), workspace.locked():
        slack.command("/agent", "ask hello", "C0GENERAL", "U0ANNA")
        await slack.until(lambda: UNSTORED in caplog.messages)
    slack.sockets.lapse()
    await slack.until_quiet()
    assert workspace.whispers("C0GENERAL") == ['/agent failed with the error "operation_timeout"']
    assert workspace.rows("SELECT count(*) FROM inbox") == [(0,)]


async def test_an_edit_of_a_waiting_message_changes_what_is_answered(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(SUPPORT):
        workspace.endpoint.script(Reply(text="First."))
        workspace.endpoint.hold()
        slack.say("C0SUPPORT", "U0ANNA", "begin")
        await workspace.endpoint.arrived()
        thread = workspace.slack.transcript("C0SUPPORT")[0].ts
        waiting = slack.say("C0SUPPORT", "U0BEN", "support: wrong", thread)
        await slack.until(lambda: workspace.rows("SELECT 1 FROM inbox WHERE text = 'wrong'"))
        slack.edit("C0SUPPORT", waiting, "support: right &amp; proper")
        await slack.until(lambda: workspace.rows("SELECT 1 FROM inbox WHERE text LIKE 'right%'"))
        workspace.endpoint.release()
        assert await workspace.answered("C0SUPPORT", 2) == [
            "First.",
            "You said: Ben: right & proper".replace("Ben", "ben"),
        ]


async def test_an_edit_of_a_message_begins_its_answer_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.turn._SETTLE_SECONDS", 0.05)
    slack = workspace.slack
    async with workspace.bot(SUPPORT):
        workspace.endpoint.script(Reply(text="Never ending. " * 2_000, size=5, pause=0.05))
        asked = slack.say("C0SUPPORT", "U0ANNA", f"{slack.mention} helo")
        await workspace.endpoint.arrived()
        slack.edit("C0SUPPORT", asked, f"{slack.mention} hello &amp; goodbye")
        assert await workspace.answered("C0SUPPORT") == ["You said: hello & goodbye"]


async def test_a_message_that_is_deleted_is_answered_no_more(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(SUPPORT):
        workspace.endpoint.script(Reply(text="Never ending. " * 2_000, size=5, pause=0.05))
        asked = slack.say("C0SUPPORT", "U0ANNA", f"{slack.mention} helo")
        await slack.until(
            lambda: any("Stop" in each.buttons for each in slack.transcript("C0SUPPORT"))
        )
        slack.delete("C0SUPPORT", asked)
        [answer] = await workspace.answered("C0SUPPORT")
    assert answer.endswith("(stopped)")


async def test_a_deleted_message_that_waits_is_not_answered(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(SUPPORT):
        workspace.endpoint.script(Reply(text="First."))
        workspace.endpoint.hold()
        thread = slack.say("C0SUPPORT", "U0ANNA", "begin")
        await workspace.endpoint.arrived()
        waiting = slack.say("C0SUPPORT", "U0BEN", "never mind", thread)
        await slack.until(lambda: workspace.rows("SELECT 1 FROM inbox WHERE text = 'never mind'"))
        slack.delete("C0SUPPORT", waiting)
        await slack.until(lambda: workspace.rows("SELECT 1 FROM inbox WHERE state = 'withdrawn'"))
        workspace.endpoint.release()
        await workspace.answered("C0SUPPORT")
        await slack.until_quiet()
    assert workspace.said("C0SUPPORT") == ["First."]
    assert workspace.rows("SELECT state FROM inbox ORDER BY id") == [("answered",), ("withdrawn",)]


@pytest.mark.usefixtures("dead_soon")
async def test_the_refresh_of_the_sockets_loses_no_command(workspace: Workspace) -> None:
    """Slack warns all sockets at the same moment, and goes on sending until it closes them."""
    slack = workspace.slack
    slack.backend.deliveries.schedule = Schedule(deadline=PATIENCE)
    async with workspace.bot():
        for round_ in range(3):
            warned = await slack.sockets.disconnect("warning")
            for number in range(20):
                slack.command("/agent", f"remember fact {round_}/{number}", "C0GENERAL", "U0ANNA")
                await asyncio.sleep(0)
            await slack.until_connected(4)
            await slack.until_quiet()
            for socket in warned:
                await socket.end("close")
    assert all(delivery.is_acked for delivery in slack.delivered("slash_commands"))
    assert workspace.rows("SELECT count(*) FROM fact") == [(60,)]


async def test_what_waits_is_read_as_soon_as_there_is_a_socket(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is answered before: that may not wait for the next look at the sockets."""
    monkeypatch.setattr(sockets, "_LOOK_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr(bots, "PING_INTERVAL", 10 * PATIENCE)
    async with workspace.bot() as bot, asyncio.timeout(PATIENCE):
        await bot.caught_up()


async def test_once_the_bot_leaves_no_socket_is_opened_and_nothing_new_is_taken(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot() as bot:
        opened = slack.sockets.opened
        bot.stop.set()
        await slack.until(lambda: not slack.sockets.live)
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
    assert slack.sockets.opened == opened
    assert workspace.rows("SELECT count(*) FROM inbox") == [(0,)]


@pytest.mark.usefixtures("dead_soon")
async def test_sockets_that_slack_closes_at_once_are_not_opened_without_a_pause(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots, "PING_INTERVAL", 0.2)
    slack = workspace.slack
    async with workspace.bot():
        begun, opened = monotonic(), slack.sockets.opened
        while slack.sockets.opened < opened + 8:
            await slack.until(lambda: slack.sockets.live)
            await slack.sockets.disconnect()
        assert monotonic() - begun > 2 * bots.PING_INTERVAL


@pytest.mark.usefixtures("dead_soon")
@pytest.mark.parametrize("how", ["abort", "close"])
async def test_sockets_that_are_cut_come_back(workspace: Workspace, how: str) -> None:
    slack = workspace.slack
    async with workspace.bot():
        opened = slack.sockets.opened
        await slack.kill_sockets("abort" if how == "abort" else "close")
        await slack.until(lambda: slack.sockets.opened >= opened + 2)
        await slack.until_connected(2)
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
        assert await workspace.answered("C0GENERAL") == ["You said: hello"]


@pytest.mark.usefixtures("dead_soon")
async def test_half_open_sockets_are_replaced(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot():
        opened = slack.sockets.opened
        slack.sockets.freeze()
        await slack.until(lambda: slack.sockets.opened >= opened + 2)


async def test_an_event_that_comes_twice_is_answered_once(workspace: Workspace) -> None:
    slack = workspace.slack
    slack.disturb(duplicate=1.0)
    async with workspace.bot():
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} hello")
        await workspace.answered("C0GENERAL")
        await slack.until_quiet()
    assert workspace.said("C0GENERAL") == ["You said: hello"]


HOSTILE: list[Json] = [
    Json(type="events_api", payload=Json()),
    Json(type="events_api", payload=[1, "two"]),
    Json(type="events_api", payload=None),
    Json(type="events_api", payload=Json(team_id="T0001", event=Json(type="never_heard_of"))),
    Json(type="events_api", payload=Json(type="app_rate_limited", team_id="T0001")),
    Json(type="interactive", payload=Json(type="view_submission", team=Json(id="T0001"))),
    Json(type="slash_commands", payload=Json(command=7)),
    Json(type="of_the_future", payload=Json()),
]


async def test_unknown_and_malformed_deliveries_are_acknowledged_and_logged_once(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    caplog.set_level(logging.INFO, "bots.slack.listeners")
    async with workspace.bot():
        socket = slack.sockets.live[0]
        for number, frame in enumerate([*HOSTILE, *HOSTILE]):
            await socket.send(Json(frame, envelope_id=f"hostile-{number}"))
        await slack.until(lambda: len(slack.sockets.stray_acks) >= 2 * len(HOSTILE))
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} still there?")
        await workspace.answered("C0GENERAL")
    kinds = [record.__dict__["kind"] for record in caplog.records if "kind" in record.__dict__]
    assert len(kinds) == len(set(kinds))


async def test_an_exception_while_a_frame_is_handled_is_logged_and_not_acknowledged(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    slack, trouble = workspace.slack, [LookupError("boom")]
    slack.backend.deliveries.schedule = Schedule(deadline=PATIENCE)

    async def dispatch(_: object) -> BoltResponse:
        if trouble:
            raise trouble.pop()
        return BoltResponse(status=200)

    web = AsyncWebClient(base_url=slack.api_url)
    connection = Connection(
        lambda receive: Client(slack.app_token, web, PING_INTERVAL, receive),
        dispatch,
        lambda: None,
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(connection.run())
        await slack.until(lambda: slack.sockets.live)
        slack.say("C0GENERAL", "U0ANNA", "hello")
        await slack.until(lambda: not trouble and caplog.messages)
        slack.sockets.lapse()
        await slack.until_quiet()
        running.cancel()
    [delivery] = slack.deliveries
    assert (delivery.state, delivery.attempts[0].is_acked) == ("acked", False)
    [told] = [each for each in caplog.records if each.exc_info]
    assert told.getMessage() == "frame not handled, so not acknowledged"


async def test_what_comes_while_it_stops_is_stored_and_acknowledged_and_not_sent_twice(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within three seconds each, Slack's and the bot's, of which a busy machine may take more."""
    monkeypatch.setattr("bots.slack.sockets._LAST_SECONDS", 2 * PATIENCE)
    slack = workspace.slack
    slack.backend.deliveries.schedule = Schedule(deadline=PATIENCE, retries=())
    async with workspace.bot(SUPPORT) as bot:
        async with workspace.locked():
            while not all(client.in_hand for client in bot.clients):
                slack.say("C0SUPPORT", "U0ANNA", "before")
                await asyncio.sleep(0.01)
            bot.stop.set()
            for _ in range(4):
                slack.say("C0SUPPORT", "U0ANNA", "meanwhile")
            await slack.until(lambda: bot.in_hand == len(slack.deliveries))
        await slack.until_quiet()
    assert workspace.rows("SELECT count(*) FROM inbox") == [(len(slack.deliveries),)]
    assert {each.state for each in slack.deliveries} == {"acked"}
    assert {len(each.attempts) for each in slack.deliveries} == {1}


async def test_sockets_that_have_nothing_in_hand_are_closed_at_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.slack.sockets._LAST_SECONDS", 4 * PATIENCE)
    slack = workspace.slack
    async with workspace.bot() as bot:
        bot.stop.set()
        await slack.until(lambda: not slack.sockets.live)


@asynccontextmanager
async def slow_line(slack: SlackPeer) -> AsyncIterator[asyncio.Event]:
    """Between bots and Slack's sockets; what bots send arrives while the event is set."""
    arrives, at_once = asyncio.Event(), asyncio.Event()
    arrives.set()
    at_once.set()
    port, lines = int(slack.sockets.url.rpartition(":")[2]), list[asyncio.Task[None]]()

    async def carry(source: StreamReader, sink: StreamWriter, may_pass: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(65536):
                await may_pass.wait()
                sink.write(chunk)
        sink.close()

    async def connect(near: StreamReader, back: StreamWriter) -> None:
        far, forth = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(carry(near, forth, arrives))
                both.create_task(carry(far, back, at_once))
        finally:
            for end in (back, forth):
                end.transport.abort()

    async with asyncio.TaskGroup() as group:
        server = await asyncio.start_server(
            lambda near, back: lines.append(group.create_task(connect(near, back))), "127.0.0.1", 0
        )
        slack.sockets.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield arrives
        server.close()
        for line in lines:
            line.cancel()


async def said_goodbye(slack: SlackPeer, bot: Bot, arrives: asyncio.Event) -> None:
    """The bot stops, and Slack has not heard of it yet."""
    await slack.until(lambda: [bool(each.message_receiver) for each in bot.clients] == [True] * 2)
    arrives.clear()
    bot.stop.set()
    await slack.until(lambda: [each.is_mute for each in bot.clients] == [True] * 2)


async def test_what_slack_sends_until_it_hears_of_the_end_is_stored(workspace: Workspace) -> None:
    slack = workspace.slack
    async with slow_line(slack) as arrives, workspace.bot(SUPPORT) as bot:
        await said_goodbye(slack, bot, arrives)
        slack.say("C0SUPPORT", "U0ANNA", "too late to be acknowledged")
        await slack.until(lambda: workspace.rows("SELECT count(*) FROM inbox") == [(1,)])
        arrives.set()
    slack.sockets.lapse()
    await slack.until_quiet()
    assert workspace.rows("SELECT text FROM inbox") == [("too late to be acknowledged",)]


async def test_a_command_that_is_too_late_to_be_acknowledged_is_not_obeyed(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with slow_line(slack) as arrives, workspace.bot(SUPPORT) as bot:
        await said_goodbye(slack, bot, arrives)
        slack.command("/agent", "remember it", "C0GENERAL", "U0ANNA")
        slack.say("C0SUPPORT", "U0ANNA", "after it")
        await slack.until(lambda: workspace.rows("SELECT count(*) FROM inbox") == [(1,)])
        arrives.set()
    slack.sockets.lapse()
    await slack.until_quiet()
    assert workspace.whispers("C0GENERAL") == ['/agent failed with the error "operation_timeout"']
    assert workspace.rows("SELECT count(*) FROM fact") == [(0,)]


async def test_readiness_knows_whether_anything_can_come_in_and_the_log_says_so_once(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_LOOK_SECONDS", 0.05)
    caplog.set_level(logging.INFO, "bots.slack.sockets")
    async with workspace.bot() as bot:
        listener = bot.ways_in.listener
        assert isinstance(listener, SocketListener)
        await workspace.slack.until(lambda: listener.is_listening)
        await listener.check()
        await workspace.slack.disable_sockets()
        await workspace.slack.until(lambda: not listener.is_listening)
        with pytest.raises(ConnectionError):
            await listener.check()
    said = [record.message for record in caplog.records if record.name == "bots.slack.sockets"]
    assert said == ["listening to Slack", "no socket to Slack is open"]


async def test_a_socket_that_has_ended_leaves_nothing_running(workspace: Workspace) -> None:
    async with workspace.bot() as bot:
        listener = bot.ways_in.listener
        assert isinstance(listener, SocketListener)
        client = listener._client(listener._connections[0]._received)
        await client.connect()
        await client.aiohttp_client_session.close()  # so that its own closing waits for nothing
        tasks = [client.message_processor, client.message_receiver, client.current_session_monitor]
        await client.end()
        assert not [task for task in tasks if task is None or not task.done()]


async def test_a_name_that_slack_is_slow_to_tell_lets_nothing_overtake_its_owner_there(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot(SUPPORT):
        slack.say("C0SUPPORT", "U0ANNA", "begin")  # her name is known from now on
        await workspace.answered("C0SUPPORT")
        slow = slack.fault("users.info", "delay", seconds=PATIENCE, times=1)
        slack.say("C0SUPPORT", "U0BEN", "earlier")
        await slack.until(lambda: len(slack.calls("users.info")) == 2)
        slack.say("C0SUPPORT", "U0ANNA", "later")
        slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} elsewhere")
        await workspace.answered("C0GENERAL")  # as "later" would be, if it did not wait
        slow.over.set()
        await workspace.answered("C0SUPPORT", 3)
    stored = workspace.rows("SELECT text FROM inbox WHERE key LIKE '%/C0SUPPORT/%' ORDER BY id")
    assert stored == [("begin",), ("earlier",), ("later",)]
