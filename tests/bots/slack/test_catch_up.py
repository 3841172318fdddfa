"""What was written while nobody listened is answered once, oldest first, and never too late."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from bots.slack import parse
from bots.slack.sockets import SocketListener
from bots.slack.workspaces import Workspaces
from core import clock
from core.messaging.installations import Installations
from core.runtime import Runtime
from storage.database import open_database
from tests.bots.slack.bots import Workspace, granted
from tests.conftest import Once
from tests.patience import PATIENCE
from tests.peers.endpoint import Endpoint, Reply
from tests.peers.slack.deliveries import Schedule
from tests.peers.slack.peer import SlackPeer
from tests.storage import sql

QUAY = "T00012"
ANSWERED = "SELECT count(*) FROM inbox WHERE state = 'answered'"
WAITING = "SELECT count(*) FROM inbox WHERE state = 'waiting'"
TEXTS = "SELECT key, text FROM inbox ORDER BY id"
CURSORS = "SELECT name FROM cursor"
POSITIONS = "SELECT name, position FROM cursor WHERE name LIKE 'slack/%' ORDER BY name"
A_QUIET_MONTH = (
    "UPDATE cursor SET position = position - 40 * 86400000000 WHERE name LIKE 'slack/%'",
    "UPDATE cursor SET moved_at = datetime('now', '-40 days')",
    "UPDATE turn SET ended_at = datetime('now', '-40 days')",
)
TWENTY_MINUTES_AGO = "UPDATE cursor SET position = {} WHERE name LIKE 'slack/%'"
GIVEN_UP = Schedule(deadline=0.05, retries=())
NARROW = {
    "postgres": "ALTER TABLE inbox ALTER COLUMN text TYPE varchar(20)",
    "mysql": "ALTER TABLE inbox MODIFY text varchar(20) NOT NULL",
}
AGENTS = """
[agents.assistant]
[[bindings]]
at = "slack/T0001/C0SUPPORT"
agent = "assistant"
listen = "all"
conversation = "channel"
[[bindings]]
at = "slack/T0001/C0PORT"
agent = "assistant"
listen = "all"
conversation = "channel"
"""


async def been_here(folder: Path) -> None:
    """Leave the database of a bot that was here and is not any more."""
    async with (
        SlackPeer() as slack,
        Endpoint() as endpoint,
        Workspace(slack=slack, endpoint=endpoint, folder=folder).bot(AGENTS) as bot,
    ):
        await bot.caught_up()


@pytest.fixture(scope="session")
def left(once: Once, migrated: Path) -> Path:
    """The database that a bot left."""

    def fill(home: Path) -> None:
        shutil.copy(migrated, home / "moorings.db")
        asyncio.run(been_here(home))

    return once("a-bot-was-on-slack", fill) / "moorings.db"


@pytest.fixture
async def down(workspace: Workspace, left: Path) -> Workspace:
    """A bot was here until twenty minutes ago; now Slack gives up at once."""
    workspace.slack.backend.deliveries.schedule = GIVEN_UP
    shutil.copy(left, workspace.database)
    at = parse.microseconds(clock.now() - timedelta(minutes=20))
    workspace.change(TWENTY_MINUTES_AGO.format(at))
    return workspace


async def test_fifty_messages_of_a_ten_minute_outage_are_answered_once_and_in_order(
    down: Workspace,
) -> None:
    """What one person wrote in a row is answered together."""
    slack = down.slack
    slack.add_channel("C0PORT")
    for number in range(50):
        author = "U0ANNA" if number < 25 else "U0BEN"
        channel = "C0SUPPORT" if number % 2 else "C0PORT"
        slack.say(channel, author, f"number {number:02}", ago=600 - number * 12)
    await slack.until_quiet()
    assert all(each.state == "given_up" for each in slack.deliveries[-50:])
    async with down.bot(AGENTS):
        await slack.until(lambda: down.rows(ANSWERED) == [(50,)])
        await slack.until(
            lambda: down.said("C0SUPPORT")[-1:] and "49" in down.said("C0SUPPORT")[-1]
        )
        await slack.until(lambda: down.said("C0PORT")[-1:] and "48" in down.said("C0PORT")[-1])
    for channel, first in (("C0SUPPORT", 1), ("C0PORT", 0)):
        numbers = [text[-2:] for text in down.said(channel)]
        assert numbers == sorted(set(numbers))
        rows = [text for key, text in down.rows(TEXTS) if channel in str(key)]
        assert rows == [f"number {number:02}" for number in range(first, 50, 2)]


async def test_direct_messages_and_threads_are_caught_up(workspace: Workspace) -> None:
    slack = workspace.slack
    place = slack.direct("U0ANNA")
    async with workspace.bot(AGENTS) as bot:
        thread = slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} begin")
        await workspace.answered("C0GENERAL")
        await bot.caught_up()
    slack.backend.deliveries.schedule = GIVEN_UP
    slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} and on", thread)
    other = slack.say("C0GENERAL", "U0BEN", "just talking")
    slack.say("C0GENERAL", "U0BEN", f"{slack.mention} in a thread", other)
    slack.say(place, "U0ANNA", "in private")
    await slack.until_quiet()
    async with workspace.bot(AGENTS):
        await workspace.answered("C0GENERAL", 3)
        await workspace.answered(place)
    assert workspace.said("C0GENERAL", thread) == ["You said: begin", "You said: and on"]
    [in_thread] = workspace.said("C0GENERAL", other)
    assert in_thread.endswith("> ben: just talking\n\nin a thread")
    assert workspace.said(place) == ["You said: in private"]


async def test_a_first_mention_in_an_older_thread_is_caught_up(down: Workspace) -> None:
    """Slack tells of a reply only with the message that the thread begins with."""
    slack = down.slack
    down.change("UPDATE cursor SET position = position - 3600000000 WHERE name LIKE '%/first'")
    thread = slack.say("C0GENERAL", "U0BEN", "a plan", ago=7_200)
    slack.say("C0GENERAL", "U0ANNA", f"{slack.mention} what of it?", thread)
    await slack.until_quiet()
    async with down.bot(AGENTS):
        [answer] = await down.answered("C0GENERAL")
    assert answer.endswith("what of it?")
    assert down.said("C0GENERAL", thread) == [answer]


async def test_the_backlog_of_a_first_start_is_not_answered(workspace: Workspace) -> None:
    slack = workspace.slack
    slack.backend.deliveries.schedule = GIVEN_UP
    slack.say("C0SUPPORT", "U0ANNA", "long before", ago=60)
    await slack.until_quiet()
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        slack.backend.deliveries.schedule = Schedule()
        slack.say("C0SUPPORT", "U0ANNA", "now")
        await workspace.answered("C0SUPPORT")
    assert workspace.said("C0SUPPORT") == ["You said: now"]


async def test_a_question_older_than_the_limit_is_not_answered(down: Workspace) -> None:
    slack = down.slack
    slack.say("C0SUPPORT", "U0ANNA", "too old", ago=400)
    slack.say("C0SUPPORT", "U0ANNA", "fresh", ago=200)
    await slack.until_quiet()
    async with down.bot(AGENTS, catch_up_hours=300 / 3600):
        await down.answered("C0SUPPORT")
    assert down.said("C0SUPPORT") == ["You said: fresh"]


async def test_what_slack_may_still_have_been_trying_is_looked_for_before_the_cursor(
    down: Workspace,
) -> None:
    """Its own tries take six minutes: what it gave up then is older than what was heard after."""
    slack = down.slack
    down.change("UPDATE cursor SET position = position - 3600000000 WHERE name LIKE '%/first'")
    slack.say("C0SUPPORT", "U0ANNA", "long before", ago=1200 + 660)
    slack.say("C0SUPPORT", "U0ANNA", "shortly before", ago=1200 + 360)
    await slack.until_quiet()
    async with down.bot(AGENTS):
        assert await down.answered("C0SUPPORT") == ["You said: shortly before"]
    assert down.rows("SELECT text FROM inbox") == [("shortly before",)]


async def test_no_hours_mean_that_nothing_is_caught_up(down: Workspace) -> None:
    slack = down.slack
    slack.say("C0SUPPORT", "U0ANNA", "missed")
    await slack.until_quiet()
    async with down.bot(AGENTS, catch_up_hours=0):
        slack.backend.deliveries.schedule = Schedule()
        slack.say("C0SUPPORT", "U0ANNA", "heard")
        await down.answered("C0SUPPORT")
    assert down.said("C0SUPPORT") == ["You said: heard"]
    assert not slack.calls("conversations.history")


async def test_upkeep_after_a_quiet_month_changes_nothing_of_what_is_found(
    workspace: Workspace,
) -> None:
    """Neither that cursors are folded, nor that old answers are gone with their keys."""
    slack = workspace.slack
    places = ("C0SUPPORT", slack.direct("U0ANNA"))
    async with workspace.bot(AGENTS):
        for place in places:
            slack.say(place, "U0ANNA", "begin", ago=40 * 86_400)
            await workspace.answered(place)
    workspace.change(
        "INSERT INTO cursor (name, position, moved_at) SELECT 'slack/T0001/C0SUPPORT', position,"
        " moved_at FROM cursor WHERE name = 'slack/T0001'"
    )
    slack.backend.deliveries.schedule = GIVEN_UP
    for statement in A_QUIET_MONTH:
        workspace.change(statement)
    runtime = await Runtime.open(workspace.settings(AGENTS, retention_days=1))
    assert await runtime.upkeep().look(asyncio.Event())
    await runtime.close()
    kept = [("home/slack",), ("quiet",), ("slack/T0001",), ("slack/T0001/first",), ("upkeep",)]
    assert workspace.rows(f"{CURSORS} ORDER BY name") == kept
    assert workspace.rows("SELECT text FROM inbox") == []
    for place in places:
        slack.say(place, "U0ANNA", "missed", ago=60)
    await slack.until_quiet()
    async with workspace.bot(AGENTS):
        for place in places:
            assert (await workspace.answered(place, 2))[-1] == "You said: missed"
        await slack.until(lambda: workspace.rows(f"{CURSORS} WHERE name LIKE '%/C0SUPPORT'"))
    assert workspace.rows("SELECT text FROM inbox") == [("missed",)] * 2


async def test_what_was_answered_is_not_answered_again(down: Workspace) -> None:
    slack = down.slack
    slack.say("C0SUPPORT", "U0ANNA", "missed")
    await slack.until_quiet()
    for _ in range(2):
        async with down.bot(AGENTS):
            await down.answered("C0SUPPORT")
            await slack.until(lambda: slack.calls("conversations.history"))
    async with down.bot(AGENTS):
        slack.backend.deliveries.schedule = Schedule()
        slack.say("C0SUPPORT", "U0ANNA", "later")
        await down.answered("C0SUPPORT", 2)
    assert down.said("C0SUPPORT") == ["You said: missed", "You said: later"]


async def test_what_was_said_before_an_agent_was_bound_there_is_not_answered(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    async with workspace.bot() as bot:
        await bot.caught_up()
        slack.say("C0SUPPORT", "U0ANNA", "lunch, anybody?")
        await slack.until_quiet()
        slack.command("/agent", "use assistant", "C0SUPPORT", "U0ANNA")
        await slack.until(lambda: workspace.rows("SELECT 1 FROM binding"))
        slack.backend.deliveries.schedule = GIVEN_UP
    slack.say("C0SUPPORT", "U0ANNA", "hello, agent")
    await slack.until_quiet()
    async with workspace.bot():
        assert await workspace.answered("C0SUPPORT") == ["You said: hello, agent"]
    assert workspace.rows("SELECT text FROM inbox") == [("hello, agent",)]


async def test_what_cannot_be_read_for_want_of_a_scope_is_read_when_there_is_one(
    down: Workspace,
) -> None:
    slack = down.slack
    before = down.rows(POSITIONS)
    slack.say("C0SUPPORT", "U0ANNA", "missed", ago=1)
    await slack.until_quiet()
    slack.fault("conversations.history", "error", error="missing_scope")
    async with down.bot(AGENTS) as bot:
        await bot.caught_up()
        assert len(slack.calls("conversations.history")) >= 2
    assert down.rows(POSITIONS) == before
    slack.clear_faults()
    async with down.bot(AGENTS):
        assert await down.answered("C0SUPPORT") == ["You said: missed"]


async def test_what_failed_to_be_read_is_read_again(down: Workspace) -> None:
    slack = down.slack
    slack.say("C0SUPPORT", "U0ANNA", "missed")
    await slack.until_quiet()
    slack.fault("conversations.history", "status", status=503, times=2)
    slack.fault("users.conversations", "ratelimited", retry_after=1, times=1)
    async with down.bot(AGENTS):
        assert await down.answered("C0SUPPORT") == ["You said: missed"]


async def test_a_channel_that_is_not_read_yet_keeps_no_other_one_waiting(
    down: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.backlog._SECONDS", PATIENCE)
    slack = down.slack
    slack.add_channel("C0PORT")
    slack.remove_bot("C0GENERAL")
    for channel in ("C0SUPPORT", "C0PORT"):
        slack.say(channel, "U0ANNA", "missed", ago=1)
    await slack.until_quiet()
    reading = slack.fault("conversations.history", "delay", seconds=PATIENCE, times=1)
    async with down.bot(AGENTS):
        slack.backend.deliveries.schedule = Schedule()
        await slack.until(lambda: slack.calls("conversations.history"))
        unread = str(slack.calls("conversations.history")[0].arguments["channel"])
        other = "C0PORT" if unread == "C0SUPPORT" else "C0SUPPORT"
        for channel in (unread, other):
            slack.say(channel, "U0BEN", "live")
        first, second = await down.answered(other, 2)
        assert (first.endswith("missed"), second.endswith("live")) == (True, True)
        assert not down.answers(unread)
        reading.over.set()
        first, second = await down.answered(unread, 2)
        assert (first.endswith("missed"), second.endswith("live")) == (True, True)


async def test_live_messages_do_not_wait_for_ever(
    down: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.turn.backlog._SECONDS", 0.1)
    monkeypatch.setattr("core.turn.worker._POLL_SECONDS", 0.1)
    slack = down.slack
    reading = slack.fault("users.conversations", "delay", seconds=PATIENCE)
    async with down.bot(AGENTS):
        slack.backend.deliveries.schedule = Schedule()
        slack.say("C0SUPPORT", "U0ANNA", "live")
        await down.answered("C0SUPPORT")
        assert not slack.calls("conversations.history")
        reading.over.set()


async def test_a_database_that_cannot_tell_the_workspaces_for_a_moment_ends_no_bot(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bots.slack.catch_up._BEAT_SECONDS", 0.02)
    slack = workspace.slack
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        workspace.change("ALTER TABLE installation RENAME TO gone")
        await slack.until(lambda: "catching up is put off" in caplog.messages)
        workspace.change("ALTER TABLE gone RENAME TO installation")
        slack.say("C0SUPPORT", "U0ANNA", "hello")
        assert await workspace.answered("C0SUPPORT") == ["You said: hello"]


async def test_cursors_stand_still_until_everything_is_caught_up(
    down: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot that is killed meanwhile must find the gap again: live events do not close it."""
    monkeypatch.setattr("core.turn.backlog._SECONDS", 0.1)
    monkeypatch.setattr("core.turn.worker._POLL_SECONDS", 0.1)
    slack = down.slack
    before = down.rows(POSITIONS)
    slack.say("C0SUPPORT", "U0ANNA", "missed", ago=1)
    await slack.until_quiet()
    reading = slack.fault("users.conversations", "delay", seconds=PATIENCE)
    async with down.bot(AGENTS):
        slack.backend.deliveries.schedule = Schedule()
        slack.say("C0SUPPORT", "U0ANNA", "live")
        await down.answered("C0SUPPORT")
        assert down.rows(POSITIONS) == before
        reading.over.set()
        await down.answered("C0SUPPORT", 2)


async def test_a_cursor_moves_when_something_came_and_not_with_every_breath(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.slack.catch_up._BEAT_SECONDS", 0.01)
    monkeypatch.setattr("bots.slack.catch_up._WORTH_SECONDS", 0.1)
    slack = workspace.slack
    at = "SELECT position FROM cursor WHERE name = 'slack/T0001'"
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        known = len(slack.calls())
        before = workspace.rows(at)
        await asyncio.sleep(0.3)
        assert (workspace.rows(at), len(slack.calls())) == (before, known)
        slack.say("C0GENERAL", "U0ANNA", "to nobody")
        await slack.until(lambda: workspace.rows(at) != before)
        assert workspace.rows("SELECT name FROM cursor WHERE name LIKE 'slack/T0001/C%'") == []


@pytest.mark.usefixtures("dead_soon")
async def test_a_gap_without_sockets_is_caught_up(workspace: Workspace) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS, gap_seconds=0.3) as bot:
        await bot.caught_up()
        slack.backend.deliveries.schedule = GIVEN_UP
        slack.sockets.is_enabled = False
        await slack.kill_sockets("abort")
        slack.say("C0SUPPORT", "U0ANNA", "missed")
        await slack.until_quiet()
        await slack.until(lambda: len(slack.calls("apps.connections.open")) > 6)
        slack.sockets.is_enabled = True
        assert await workspace.answered("C0SUPPORT") == ["You said: missed"]


@pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)
async def test_a_message_that_can_never_be_stored_keeps_no_other_one_waiting(
    workspace: Workspace, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS, database_url=url) as bot:
        await bot.caught_up()
    slack.backend.deliveries.schedule = GIVEN_UP
    await change(url, NARROW[url.partition(":")[0]])
    said = ["before", "much too long for what is left of it", "after"]
    refused, _ = [slack.say("C0SUPPORT", "U0ANNA", text) for text in said][1:]
    await slack.until_quiet()
    async with workspace.bot(AGENTS, database_url=url):
        await slack.until(lambda: "after" in "".join(workspace.said("C0SUPPORT")))
    skipped = [each for each in caplog.records if each.message == "message cannot be stored"]
    assert [vars(each)["key"] for each in skipped] == [f"slack/T0001/C0SUPPORT/{refused}"]


async def left_waiting(workspace: Workspace, *texts: str) -> list[str]:
    """Messages that nobody had begun to answer when the bot was stopped; the last in a thread."""
    slack = workspace.slack
    async with workspace.bot(AGENTS, drain_seconds=0.1) as bot:
        await bot.caught_up()
        workspace.endpoint.script(Reply(text="on and on " * 900, size=5, pause=0.05))
        thread = slack.say("C0SUPPORT", "U0ANNA", "begin")
        await workspace.endpoint.arrived()
        found = [
            slack.say("C0SUPPORT", "U0ANNA" if number % 2 else "U0BEN", text)
            for number, text in enumerate(texts[:-1])
        ]
        found.append(slack.say("C0SUPPORT", "U0BEN", texts[-1], thread))
        await slack.until(lambda: workspace.rows(WAITING) == [(len(texts),)])
        await slack.until_quiet()
    slack.backend.deliveries.schedule = GIVEN_UP
    return found


@pytest.mark.parametrize("hours", [24, 0])
async def test_what_waits_is_answered_as_it_was_edited_or_not_at_all_while_nobody_listened(
    workspace: Workspace, hours: int
) -> None:
    slack = workspace.slack
    edited, gone, tombstone, _, in_thread = await left_waiting(
        workspace, "wrong", "never mind", "nor this", "and this", "wrong, too"
    )
    slack.say("C0SUPPORT", "U0BEN", "a reply", tombstone)
    slack.edit("C0SUPPORT", edited, "right &amp; proper")
    slack.edit("C0SUPPORT", in_thread, "right, too")
    for ts in (gone, tombstone):
        slack.delete("C0SUPPORT", ts)
    await slack.until_quiet()
    async with workspace.bot(AGENTS, catch_up_hours=hours):
        await slack.until(lambda: workspace.rows(WAITING) == [(0,)])
    found = workspace.rows("SELECT text FROM inbox WHERE text <> 'a reply' ORDER BY position")
    assert [text for (text,) in found] == [
        "begin",
        "right & proper",
        "",
        "",
        "and this",
        "right, too",
    ]


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_a_question_is_answered_as_it_was_edited_while_nobody_went_on_with_its_answer(
    workspace: Workspace, *, is_deleted: bool
) -> None:
    slack = workspace.slack
    await left_waiting(workspace, "and this")
    begun = next(line.ts for line in slack.transcript("C0SUPPORT") if line.text == "begin")
    if is_deleted:
        slack.delete("C0SUPPORT", begun)
    else:
        slack.edit("C0SUPPORT", begun, "begin anew")
    await slack.until_quiet()
    async with workspace.bot(AGENTS):
        await slack.until(lambda: "and this" in "".join(workspace.said("C0SUPPORT")))
    stored = "" if is_deleted else "begin anew"
    assert workspace.rows("SELECT text FROM inbox ORDER BY id") == [(stored,), ("and this",)]


async def test_what_waits_is_left_as_it_is_where_slack_does_not_tell(
    workspace: Workspace,
) -> None:
    slack = workspace.slack
    await left_waiting(workspace, "one", "two")
    slack.fault("conversations.replies", "error", error="channel_not_found")
    async with workspace.bot(AGENTS) as bot:
        await bot.caught_up()
        await slack.until(lambda: workspace.rows(WAITING) == [(0,)])
    assert workspace.rows("SELECT text FROM inbox") == [("begin",), ("one",), ("two",)]


@pytest.mark.parametrize("url", ["postgres", "mysql"], indirect=True)
async def test_a_new_text_that_can_never_be_stored_keeps_nothing_waiting(
    workspace: Workspace, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    slack = workspace.slack
    async with workspace.bot(AGENTS, database_url=url) as bot:
        await bot.caught_up()
        workspace.endpoint.script(Reply(text="on and on " * 900, size=5, pause=0.05))
        slack.say("C0SUPPORT", "U0ANNA", "begin")
        await workspace.endpoint.arrived()
        waiting = slack.say("C0SUPPORT", "U0BEN", "short")
        await slack.until_quiet()
        await change(url, NARROW[url.partition(":")[0]])
        slack.edit("C0SUPPORT", waiting, "much too long for what is left of it")
        await slack.until_quiet()
        assert slack.deliveries[-1].is_acked
        listener = bot.ways_in.listener
        assert isinstance(listener, SocketListener)
        listener._catch_up.missed()
        await slack.until(lambda: "message cannot be stored" in caplog.messages)


async def change(url: str, statement: str) -> None:
    """Change a server's database, behind the back of everybody."""
    database = await open_database(url)
    await sql.rows(database, statement)
    await database.close()


async def test_where_somebody_asked_last_is_looked_first(down: Workspace) -> None:
    slack = down.slack
    slack.add_channel("C0PORT")
    slack.backend.deliveries.schedule = Schedule()
    async with down.bot(AGENTS):
        for channel in ("C0PORT", "C0SUPPORT"):
            slack.say(channel, "U0ANNA", "hello")
            await down.answered(channel)
    before = len(slack.calls("conversations.history"))
    slack.direct("U0BEN")
    async with down.bot(AGENTS) as bot:
        await bot.caught_up()
    looked = [each.arguments["channel"] for each in slack.calls("conversations.history")[before:]]
    assert looked == ["C0SUPPORT", "C0PORT", "D0BEN", "C0GENERAL"]


async def test_a_workspace_that_cannot_be_read_keeps_no_other_one_waiting(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.slack.catch_up._BEAT_SECONDS", 0.02)
    slack = workspace.slack
    slack.add_team(QUAY, "Quay")
    slack.add_user("U0CAT", "cat", team=QUAY)
    slack.add_channel("C0QUAY", team=QUAY)
    everywhere = '[access]\nworkspaces = ["*"]'
    async with workspace.bot(everywhere) as bot:
        installations = Workspaces(Installations("slack", bot.runtime.clock))
        await installations.store(granted(slack, QUAY, bot.runtime))
        await slack.until(lambda: workspace.rows(f"{CURSORS} WHERE name = 'slack/{QUAY}'"))
    slack.backend.deliveries.schedule = GIVEN_UP
    for channel, user, team in (("C0GENERAL", "U0ANNA", "T0001"), ("C0QUAY", "U0CAT", QUAY)):
        mention = f"<@{slack.backend.world.teams[team].bot_user}>"
        slack.say(channel, user, f"{mention} hello")
    await slack.until_quiet()
    unreadable = slack.fault("users.conversations", "delay", seconds=PATIENCE, times=1)
    async with workspace.bot(everywhere) as bot:
        await slack.until(lambda: workspace.rows(ANSWERED) == [(1,)])
        unreadable.over.set()
        await bot.caught_up()
        await slack.until(lambda: workspace.rows(ANSWERED) == [(2,)])


@pytest.mark.usefixtures("dead_soon")
async def test_a_workspace_that_cannot_be_read_later_keeps_no_other_one_waiting_either(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.slack.catch_up._BEAT_SECONDS", 0.02)
    slack = workspace.slack
    slack.add_team(QUAY, "Quay")
    slack.add_user("U0CAT", "cat", team=QUAY)
    slack.add_channel("C0QUAY", team=QUAY)
    async with workspace.bot('[access]\nworkspaces = ["*"]', gap_seconds=0.3) as bot:
        installations = Workspaces(Installations("slack", bot.runtime.clock))
        await installations.store(granted(slack, QUAY, bot.runtime))
        await slack.until(lambda: len(slack.calls("users.conversations")) >= 2)
        await slack.until(lambda: workspace.rows(f"{CURSORS} WHERE name = 'slack/{QUAY}'"))
        slack.backend.deliveries.schedule = GIVEN_UP
        slack.sockets.is_enabled = False
        await slack.kill_sockets("abort")
        for channel, user, team in (("C0GENERAL", "U0ANNA", "T0001"), ("C0QUAY", "U0CAT", QUAY)):
            slack.say(channel, user, f"<@{slack.backend.world.teams[team].bot_user}> hello")
        await slack.until_quiet()
        await slack.until(lambda: len(slack.calls("apps.connections.open")) > 6)
        unreadable = slack.fault("users.conversations", "delay", seconds=PATIENCE, times=1)
        slack.sockets.is_enabled = True
        await slack.until(lambda: workspace.rows(ANSWERED) != [(0,)])
        unreadable.over.set()
        await slack.until(lambda: workspace.rows(ANSWERED) == [(2,)])


async def test_what_two_workspaces_missed_in_a_channel_that_they_share_is_answered_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.slack.catch_up._BEAT_SECONDS", 0.02)
    slack = workspace.slack
    slack.add_team(QUAY, "Quay")
    slack.share("C0SUPPORT", QUAY)
    agents = AGENTS + AGENTS.replace("[agents.assistant]", "").replace("T0001", QUAY)
    everywhere = f'{agents}[access]\nworkspaces = ["*"]'
    async with workspace.bot(everywhere) as bot:
        installations = Workspaces(Installations("slack", bot.runtime.clock))
        await installations.store(granted(slack, QUAY, bot.runtime))
        await slack.until(lambda: workspace.rows(f"{CURSORS} WHERE name = 'slack/{QUAY}'"))
    slack.backend.deliveries.schedule = GIVEN_UP
    ts = slack.say("C0SUPPORT", "U0ANNA", "missed")
    await slack.until_quiet()
    async with workspace.bot(everywhere) as bot:
        await bot.caught_up()
        await workspace.answered("C0SUPPORT")
        slack.edit("C0SUPPORT", ts, "too late")
        await slack.until_quiet()
    assert len(slack.calls("conversations.history")) >= 2
    assert workspace.rows("SELECT key FROM inbox") == [(f"slack/T0001/C0SUPPORT/{ts}",)]
