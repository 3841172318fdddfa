"""Answers reach Slack once, whatever breaks off, with what can be pressed below them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bots.slack.adapter import SlackAdapter
from bots.slack.client import SlackClient
from bots.slack.failures import NotDone
from bots.slack.messages import Persona
from core import clock
from core.address import Address
from core.errors import DeliveryRefused, Transient
from core.messaging.adapter import FetchesFiles, ShowsWork
from core.messaging.messages import Attachment
from tests.bots.slack.outward import CHANNEL, adapter_of, client_of, outgoing
from tests.patience import PATIENCE
from tests.peers.slack.peer import SlackPeer
from tests.peers.slack.transcript import Line

HERE = Address(platform="slack", parts=("T0001", CHANNEL))
BLOCK = "\n".join(["```python", *(f"print({number})" for number in range(2_000)), "```"])


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer() as peer:
        yield peer


@pytest.fixture
async def client(slack: SlackPeer) -> AsyncIterator[SlackClient]:
    async with client_of(slack) as client:
        yield client


@pytest.fixture
def adapter(client: SlackClient) -> SlackAdapter:
    return adapter_of(client)


def bots(slack: SlackPeer, channel: str = CHANNEL) -> list[Line]:
    """What the bot has said."""
    return [each for each in slack.transcript(channel) if each.is_bot and each.kind == "message"]


def test_it_shows_work_and_fetches_files(adapter: SlackAdapter) -> None:
    assert isinstance(adapter, ShowsWork)
    assert isinstance(adapter, FetchesFiles)
    assert adapter.limits.text_length <= 11_000


async def test_an_ended_answer_has_its_agents_name_and_asks_for_feedback(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    ts = await adapter.post(outgoing("**Hello**"))
    [line] = bots(slack)
    assert (line.ts, line.text, line.author) == (ts, "**Hello**", "Ada")
    assert line.buttons in {("Good", "Bad"), ("feedback",)}


async def test_a_growing_answer_can_be_stopped_and_loses_the_button_at_its_end(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    ts = await adapter.post(outgoing("Hel", is_final=False))
    assert bots(slack)[0].buttons == ("Stop",)
    clicked = slack.click(CHANNEL, ts, "stop_answer", "U0ANNA")
    assert clicked.payload["actions"][0]["value"] == "k1"
    await adapter.edit(ts, outgoing("Hello"))
    [line] = bots(slack)
    assert (line.text, "Stop" in line.buttons) == ("Hello", False)


@pytest.mark.parametrize("word", ["good", "bad"])
async def test_feedback_names_the_answer(
    slack: SlackPeer, adapter: SlackAdapter, word: str
) -> None:
    ts = await adapter.post(outgoing())
    clicked = slack.click(CHANNEL, ts, "feedback", "U0ANNA", f"{word}:k1")
    assert clicked.payload["actions"][0]["value"] == f"{word}:k1"


async def test_an_answer_stands_in_its_thread(slack: SlackPeer, adapter: SlackAdapter) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question")
    await adapter.post(outgoing(thread=thread))
    assert [line.thread for line in bots(slack)] == [thread]


async def test_what_everybody_can_read_of_the_metadata_says_nothing(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    await adapter.post(outgoing())
    [call] = slack.calls("chat.postMessage")
    assert call.arguments["metadata"] == {
        "event_type": "moorings",
        "event_payload": {"key": "k1"},
    }
    assert (call.arguments["unfurl_links"], call.arguments["unfurl_media"]) == (False, False)


@pytest.mark.parametrize("is_final", [True, False])
async def test_nothing_a_model_writes_pings(
    slack: SlackPeer, adapter: SlackAdapter, is_final: bool
) -> None:
    text = "<!channel> <!here|x> <!everyone> <!subteam^S012|@all> @channel <&#33;here> &lt!channel"
    ts = await adapter.post(outgoing(text, is_final=is_final))
    await adapter.edit(ts, outgoing(text + "."))
    assert [line.pings for line in bots(slack)] == [()]
    assert "@channel" not in bots(slack)[0].text


@pytest.mark.parametrize("is_final", [True, False])
async def test_nothing_a_model_writes_misleads_or_loads_itself(
    slack: SlackPeer, adapter: SlackAdapter, is_final: bool
) -> None:
    text = "[bank.example](https://e.example) ![a](https://e.example/a.png) \u202eabc @here/maps"
    await adapter.post(outgoing(text, is_final=is_final))
    [line] = bots(slack)
    harmless = "bank.example (https://e.example) [a](https://e.example/a.png) abc @here/maps"
    assert line.text == harmless


@pytest.mark.parametrize("where", ["thread", "channel"])
@pytest.mark.parametrize(
    "trouble", ["drop_after_commit", "status_after_commit", "error_after_commit"]
)
async def test_a_post_that_arrived_in_silence_is_found(
    slack: SlackPeer, adapter: SlackAdapter, trouble: str, where: str
) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question") if where == "thread" else None
    slack.fault("chat.postMessage", trouble, times=1)
    with pytest.raises(Transient):
        await adapter.post(outgoing(thread=thread))
    [line] = bots(slack)
    assert await adapter.find(outgoing(thread=thread)) == line.ts


async def test_another_process_finds_it_too(slack: SlackPeer, adapter: SlackAdapter) -> None:
    ts = await adapter.post(outgoing())
    async with client_of(slack) as client:
        assert await adapter_of(client).find(outgoing()) == ts


async def test_what_stands_behind_hundreds_of_messages_is_found(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question")
    top = await adapter.post(outgoing(key="top"))
    for number in range(450):
        slack.say(CHANNEL, "U0BEN", f"{number}")
        slack.say(CHANNEL, "U0BEN", f"{number}", thread)
    below = await adapter.post(outgoing(key="below", thread=thread))
    assert await adapter.find(outgoing(key="top")) == top
    assert await adapter.find(outgoing(key="below", thread=thread)) == below


@pytest.mark.parametrize("trouble", ["drop_before_commit", "status", "error"])
async def test_a_post_that_did_not_arrive_is_looked_for_twice(
    slack: SlackPeer, adapter: SlackAdapter, trouble: str
) -> None:
    slack.fault("chat.postMessage", trouble, times=1)
    with pytest.raises(Transient):
        await adapter.post(outgoing())
    assert await adapter.find(outgoing()) is None
    assert len(slack.calls("conversations.history")) == 2


async def test_what_another_process_posted_is_found_whatever_failed_here(
    slack: SlackPeer, client: SlackClient, adapter: SlackAdapter
) -> None:
    slack.fault("chat.postMessage", "ratelimited", times=1)
    with pytest.raises(NotDone):
        await adapter.post(outgoing())
    slack.fault("chat.postMessage", "status_after_commit", times=1)
    async with client_of(slack) as its_client:
        with pytest.raises(Transient):
            await adapter_of(its_client).post(outgoing())
    [line] = bots(slack)
    assert await adapter.find(outgoing()) == line.ts


async def test_the_key_in_anothers_message_proves_nothing(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    ts = slack.say_as_other_bot(CHANNEL, "copied")
    message = slack.backend.world.channels[CHANNEL].messages[ts]
    message["metadata"] = {"event_type": "moorings", "event_payload": {"key": "k1"}}
    assert await adapter.find(outgoing()) is None


@pytest.mark.parametrize("metadata", [None, {}, {"event_type": 7}, {"event_payload": []}, "x"])
async def test_messages_that_are_like_no_other_are_passed_over(
    slack: SlackPeer, adapter: SlackAdapter, metadata: object
) -> None:
    wanted = await adapter.post(outgoing())
    ts = slack.say_as_other_bot(CHANNEL, "odd")
    slack.backend.world.channels[CHANNEL].messages[ts]["metadata"] = metadata
    assert await adapter.find(outgoing()) == wanted


async def test_an_answer_to_a_deleted_question_is_found_in_the_channel(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question")
    slack.delete(CHANNEL, thread)
    ts = await adapter.post(outgoing(thread=thread))
    assert await adapter.find(outgoing(thread=thread)) == ts


async def test_an_edit_that_is_made_twice_changes_nothing(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    ts = await adapter.post(outgoing("Hel", is_final=False))
    slack.fault("chat.update", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.edit(ts, outgoing("Hello"))
    assert await adapter.edit(ts, outgoing("Hello")) == ts
    assert [line.text for line in bots(slack)] == ["Hello"]


async def test_previews_are_left_out_while_they_come_too_fast(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    assert adapter.may_preview(outgoing("1", is_final=False))
    await adapter.post(outgoing("1", is_final=False))
    assert not adapter.may_preview(outgoing("1 2", is_final=False))


@pytest.mark.usefixtures("no_refill")
async def test_answers_that_grow_keep_room_for_the_last_edits_of_all(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    growing = [outgoing("1", key=f"k{number}", channel=f"C{number:04}") for number in range(30)]
    for each in growing:
        slack.add_channel(each.address.parts[1])
    previews = [replace(each, is_final=False) for each in growing]
    opened = [(await adapter.post(each), each) for each in previews if adapter.may_preview(each)]
    assert 5 < len(opened) < 10  # the others appear when they have ended
    for ts, each in opened:
        await adapter.edit(ts, replace(each, text="the end", is_final=True))
    assert adapter.may_preview(outgoing("1", key="later", is_final=False)) is False


async def test_a_preview_of_a_message_that_is_gone_is_refused(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    ts = await adapter.post(outgoing("Hel", is_final=False))
    slack.delete(CHANNEL, ts)
    with pytest.raises(DeliveryRefused):
        await adapter.edit(ts, outgoing("Hello", is_final=False))
    assert bots(slack) == []


async def test_an_ended_answer_whose_message_is_gone_is_posted_anew(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    ts = await adapter.post(outgoing("Hel", is_final=False))
    slack.delete(CHANNEL, ts)
    anew = await adapter.edit(ts, outgoing("Hello"))
    assert [(line.ts, line.text) for line in bots(slack)] == [(anew, "Hello")]


async def test_an_app_that_may_not_send_files_says_so_and_what_fits(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    slack.remove_scope("files:write")
    ts = await adapter.post(outgoing(BLOCK))
    [line] = bots(slack)
    assert line.text.startswith("```python\nprint(0)\n")
    assert "\n```\n\n(The rest does not fit here" in line.text
    assert await adapter.find(outgoing(BLOCK)) == ts


async def test_what_was_tried_long_ago_is_looked_for_once(
    slack: SlackPeer, client: SlackClient
) -> None:
    patient = SlackAdapter(client, lambda name: Persona(name=name), settle_seconds=60)
    long_ago = clock.now() - timedelta(seconds=61)
    async with asyncio.timeout(30):
        assert await patient.find(replace(outgoing(), tried_at=long_ago)) is None
    assert len(slack.calls("conversations.history")) == 1


async def test_what_was_posted_anew_in_silence_is_not_posted_again(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    ts = await adapter.post(outgoing("Hel", is_final=False))
    slack.delete(CHANNEL, ts)
    slack.fault("chat.postMessage", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.edit(ts, outgoing("Hello"))
    [line] = bots(slack)
    assert await adapter.edit(ts, outgoing("Hello")) == line.ts
    assert [each.text for each in bots(slack)] == ["Hello"]


async def test_what_was_posted_anew_and_arrives_late_is_waited_for(slack: SlackPeer) -> None:
    async with client_of(slack, seconds=1) as client:
        adapter = SlackAdapter(client, lambda name: Persona(name=name), settle_seconds=2)
        ts = await adapter.post(outgoing("Hel", is_final=False))
        slack.delete(CHANNEL, ts)
        answer = replace(outgoing("Hello"), tried_at=clock.now() - timedelta(minutes=10))
        late = slack.fault("chat.postMessage", "delay", times=1, seconds=PATIENCE)
        with pytest.raises(Transient):
            await adapter.edit(ts, answer)
        looked = len(slack.calls("conversations.history"))
        async with asyncio.TaskGroup() as group:
            group.create_task(adapter.edit(ts, answer))
            await slack.until(lambda: len(slack.calls("conversations.history")) > looked)
            late.over.set()
    assert [line.text for line in bots(slack)] == ["Hello"]


@pytest.mark.parametrize("code", ["edit_window_closed", "cant_update_message"])
async def test_a_message_that_cannot_be_edited_is_taken_away_before_it_is_posted_anew(
    slack: SlackPeer, adapter: SlackAdapter, code: str
) -> None:
    ts = await adapter.post(outgoing("Hel", is_final=False))
    slack.fault("chat.update", "error", error=code)
    await adapter.edit(ts, outgoing("Hello"))
    assert [line.text for line in bots(slack)] == ["Hello"]


async def test_a_message_that_cannot_be_taken_away_either_stays_alone(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    ts = await adapter.post(outgoing("Hel", is_final=False))
    slack.fault("chat.update", "error", error="cant_update_message")
    slack.fault("chat.delete", "error", error="cant_delete_message")
    with pytest.raises(DeliveryRefused):
        await adapter.edit(ts, outgoing("Hello"))
    assert [line.text for line in bots(slack)] == ["Hel"]


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_what_slack_does_not_take_as_markdown_is_shown_as_plain_text(
    slack: SlackPeer, adapter: SlackAdapter, method: str
) -> None:
    text = "x" * 10_000 + " <!channel>"
    slack.fault(method, "error", error="msg_blocks_too_long", times=1)
    ts = await adapter.post(outgoing(text))
    await adapter.edit(ts, outgoing(text))
    [line] = bots(slack)
    assert line.text.replace("\n", "") == text.replace("<!channel>", "\uff20channel")


async def test_the_longest_message_there_can_be_is_taken(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    text = "<&@here " * (adapter.limits.text_length // 8)
    ts = await adapter.post(outgoing(text, is_final=False))
    await adapter.edit(ts, outgoing(text))
    assert len(bots(slack)) == 1


async def test_code_that_is_too_long_for_a_message_is_shared_as_a_file(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question")
    file_id = await adapter.post(outgoing(BLOCK, thread=thread))
    [line] = bots(slack)
    assert (line.files, line.thread) == (("answer-k1.py",), thread)
    assert slack.backend.world.files[file_id].content.startswith(b"print(0)\nprint(1)\n")


@pytest.mark.parametrize("where", ["thread", "channel"])
async def test_a_file_that_arrived_in_silence_is_found(
    slack: SlackPeer, adapter: SlackAdapter, where: str
) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question") if where == "thread" else None
    slack.fault("files.completeUploadExternal", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.post(outgoing(BLOCK, thread=thread))
    found = await adapter.find(outgoing(BLOCK, thread=thread))
    assert found in slack.backend.world.files
    assert await adapter.edit(found, outgoing(BLOCK, thread=thread)) == found
    assert len(bots(slack)) == 1


@pytest.mark.parametrize("trouble", ["drop_after_commit", "status", "ratelimited"])
async def test_an_upload_that_broke_off_has_shown_nothing(
    slack: SlackPeer, adapter: SlackAdapter, trouble: str
) -> None:
    slack.fault("files.getUploadURLExternal", trouble, times=1)
    with pytest.raises(NotDone):
        await adapter.post(outgoing(BLOCK))
    assert bots(slack) == []


async def test_work_is_shown_below_the_thread_until_something_is_posted(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question")
    await adapter.working(outgoing("", thread=thread))
    assert slack.thread_state(CHANNEL, thread)["status"] == "is thinking…"
    await adapter.post(outgoing(thread=thread))
    assert "status" not in slack.thread_state(CHANNEL, thread)


async def test_outside_of_threads_no_work_is_shown(slack: SlackPeer, adapter: SlackAdapter) -> None:
    await adapter.working(outgoing(""))
    assert slack.calls() == []


async def test_a_file_is_read_as_the_workspace_of_the_message_sees_it(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    slack.share_file(CHANNEL, "U0ANNA", "notes.txt", b"some notes")
    found = await adapter.look_up(HERE, attached(slack))
    assert await found.read(4) == b"some"


async def test_a_scope_that_a_file_needs_is_waited_for(
    slack: SlackPeer, adapter: SlackAdapter
) -> None:
    slack.share_file(CHANNEL, "U0ANNA", "notes.txt", b"some notes")
    slack.remove_scope("files:read")
    with pytest.raises(Transient, match="lacks the scope files:read"):
        await adapter.look_up(HERE, attached(slack))


def attached(slack: SlackPeer) -> Attachment:
    """The file that somebody shared."""
    [file] = slack.backend.world.files.values()
    return Attachment(name=file.name, kind=file.mimetype, size=file.length, id=file.id)


@pytest.mark.parametrize("call", ["post", "find", "edit", "working"])
async def test_what_the_operator_has_to_mend_is_waited_for(
    slack: SlackPeer, adapter: SlackAdapter, call: str
) -> None:
    thread = slack.say(CHANNEL, "U0ANNA", "question")
    slack.spoil_token(slack.bot_token)
    calls = {
        "post": adapter.post(outgoing(thread=thread)),
        "find": adapter.find(outgoing(thread=thread)),
        "edit": adapter.edit("1.0", outgoing(thread=thread)),
        "working": adapter.working(outgoing(thread=thread)),
    }
    chosen = calls.pop(call)
    for other in calls.values():
        other.close()
    with pytest.raises(Transient, match="SLACK_BOT_TOKEN") as caught:
        await chosen
    assert caught.value.retry_after


async def test_a_direct_message_is_answered_there(slack: SlackPeer, adapter: SlackAdapter) -> None:
    direct = slack.direct("U0ANNA")
    ts = await adapter.post(outgoing(channel=direct))
    assert [line.ts for line in bots(slack, direct)] == [ts]
    assert await adapter.find(outgoing(channel=direct)) == ts
