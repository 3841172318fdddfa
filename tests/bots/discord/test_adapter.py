"""The adapter: answers are posted once, whatever breaks off, with buttons below them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from tenacity import wait_none

from bots import downloads
from bots.discord import buttons
from bots.discord.adapter import DiscordAdapter, file_urls
from bots.discord.failures import DiscordRefused
from bots.discord.rest import Rest
from core import clock
from core.address import Address
from core.errors import DeliveryRefused, Transient
from core.messaging.adapter import FetchesFiles, ShowsWork
from core.messaging.messages import Attachment
from tests.bots.discord.adapter_helpers import (
    adapter_of,
    bots,
    hurried,
    in_thread,
    outgoing,
    rest_of,
)
from tests.patience import PATIENCE
from tests.peers.discord import payloads
from tests.peers.discord.mentions import previewed
from tests.peers.discord.peer import DiscordPeer

BLOCK = "\n".join(["```python", *(f"print({number})" for number in range(500)), "```"])
HERE = Address(platform="discord", parts=("1", "2"))
LONG_AGO = 600.0  # seconds: longer than Discord knows a nonce


@pytest.fixture
async def discord() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer() as discord:
        yield discord


@pytest.fixture
async def rest(discord: DiscordPeer) -> AsyncIterator[Rest]:
    async with rest_of(discord) as rest:
        yield rest


@pytest.fixture
def adapter(rest: Rest) -> DiscordAdapter:
    return adapter_of(rest)


@pytest.fixture
def question(discord: DiscordPeer) -> str:
    return discord.say(discord.general, discord.anna, "<@1> How do boats float?")


def test_it_shows_work_and_fetches_files(adapter: DiscordAdapter) -> None:
    assert isinstance(adapter, ShowsWork)
    assert isinstance(adapter, FetchesFiles)
    assert adapter.limits.text_length == 2_000


async def test_an_ended_answer_replies_below_its_agents_name_and_asks_for_feedback(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    message_id = await adapter.post(outgoing(discord, "**Hello**", question=question))
    [line] = bots(discord)
    assert (line.id, line.text, line.reply_to) == (message_id, "-# Ada\n**Hello**", question)
    assert line.buttons == ("👍", "👎", "Again")


async def test_an_agent_without_a_name_says_only_what_it_says(
    discord: DiscordPeer, rest: Rest
) -> None:
    await adapter_of(rest, None).post(outgoing(discord, "Hello"))
    assert [line.text for line in bots(discord)] == ["Hello"]


async def test_a_growing_answer_can_be_stopped_and_loses_the_button_at_its_end(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    message_id = await adapter.post(outgoing(discord, "Hel", is_final=False))
    assert bots(discord)[0].buttons == ("Stop",)
    await adapter.edit(message_id, outgoing(discord, "Hello"))
    [line] = bots(discord)
    assert (line.text, line.buttons) == ("-# Ada\nHello", ("👍", "👎", "Again"))


@pytest.mark.parametrize("action", [buttons.STOP, buttons.GOOD, buttons.BAD, buttons.AGAIN])
def test_a_button_names_what_it_does_and_to_which_answer(action: str) -> None:
    assert buttons.read(buttons.custom_id(action, "k1")) == (action, "k1")


@pytest.mark.parametrize("custom_id", ["", "stop", "stop:", "other:k1", ":k1"])
def test_the_buttons_of_other_messages_name_no_answer(custom_id: str) -> None:
    assert buttons.read(custom_id) is None


@pytest.mark.parametrize("is_final", [True, False])
async def test_nothing_a_model_writes_pings(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str, is_final: bool
) -> None:
    role = discord.add_role("crew")
    text = f"@everyone @here <@&{role}> <@{discord.anna}>"
    first = outgoing(discord, text, question=question, is_final=is_final)
    message_id = await adapter.post(first)
    await adapter.edit(message_id, replace(first, text=f"{text}.", is_final=True))
    [line] = bots(discord)
    assert line.pings == ()
    assert "@everyone" not in line.text


async def test_links_are_shown_without_previews_also_after_an_edit(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    message_id = await adapter.post(outgoing(discord, "https://example.com", is_final=False))
    await adapter.edit(message_id, outgoing(discord, "https://example.com too"))
    assert previewed(discord.backend.world.message_anywhere(message_id)) == ()


@pytest.mark.parametrize("is_final", [True, False])
async def test_nothing_a_model_writes_misleads_or_loads_itself(
    discord: DiscordPeer, adapter: DiscordAdapter, is_final: bool
) -> None:
    text = "[bank.example](https://e.example) ![a](https://e.example/a.png) \u202eabc @here/maps"
    message_id = await adapter.post(outgoing(discord, text, is_final=is_final))
    [line] = bots(discord)
    sanitized = "bank.example (https://e.example) [a](https://e.example/a.png) abc @here/maps"
    assert line.text.splitlines()[-1] == sanitized
    assert line.pings == previewed(discord.backend.world.message_anywhere(message_id)) == ()


async def test_previews_are_kept_nowhere(
    discord: DiscordPeer, rest: Rest, adapter: DiscordAdapter
) -> None:
    message_id = await adapter.post(outgoing(discord, is_final=False))
    await adapter.edit(message_id, outgoing(discord))
    assert list(rest.client.persistent_views) == []


async def test_the_key_is_the_nonce(discord: DiscordPeer, adapter: DiscordAdapter) -> None:
    await adapter.post(outgoing(discord, key="0123456789abcdef"))
    assert [line.nonce for line in bots(discord)] == ["0123456789abcdef"]


@pytest.mark.parametrize("after", [0.0, LONG_AGO])
@pytest.mark.parametrize("trouble", ["drop_after_commit", "delay_after_commit"])
async def test_a_post_that_arrived_in_silence_is_found(
    discord: DiscordPeer,
    rest: Rest,
    adapter: DiscordAdapter,
    question: str,
    trouble: str,
    after: float,
) -> None:
    discord.fault("messages.create", trouble, times=1, seconds=4)
    with hurried(rest), pytest.raises(Transient):
        await adapter.post(outgoing(discord, question=question))
    await discord.until(lambda: bots(discord))
    discord.advance(after)
    [line] = bots(discord)
    assert await adapter.find(outgoing(discord, question=question)) == line.id


async def test_a_post_that_arrives_only_after_it_was_looked_for_stays_alone(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    line = discord.fault("messages.create", "delay", times=1, seconds=PATIENCE)
    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(adapter.post(outgoing(discord)))
        await discord.until(lambda: discord.calls("messages.create"))
        async with rest_of(discord) as other:
            assert await adapter_of(other).find(outgoing(discord)) is None
            again = await adapter_of(other).post(outgoing(discord))
        line.over.set()
    assert late.result() == again
    assert len(bots(discord)) == 1


async def test_an_answer_over_a_preview_that_arrived_in_silence_is_brought_up_to_date(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    discord.fault("messages.create", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.post(outgoing(discord, "Hel", is_final=False))
    message_id = await adapter.post(outgoing(discord, "Hello"))
    [line] = bots(discord)
    assert (line.id, line.text, line.buttons[0]) == (message_id, "-# Ada\nHello", "👍")


async def test_another_process_finds_it_too(discord: DiscordPeer, adapter: DiscordAdapter) -> None:
    message_id = await adapter.post(outgoing(discord))
    async with rest_of(discord) as rest:
        assert await adapter_of(rest).find(outgoing(discord)) == message_id


async def test_what_stands_behind_hundreds_of_messages_is_found(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    for number in range(250):
        discord.say(discord.general, discord.ben, f"{number}")
    message_id = await adapter.post(outgoing(discord, question=question))
    for number in range(250):
        discord.say(discord.general, discord.ben, f"{number}")
    assert await adapter.find(outgoing(discord, question=question)) == message_id


async def test_what_was_tried_lately_is_not_looked_for_in_all_that_was_said_since_the_question(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    question = discord.say(discord.general, discord.anna, "question", ago=7_200)
    for number in range(250):
        discord.say(discord.general, discord.ben, f"{number}", ago=3_600)
    tried = replace(outgoing(discord, question=question), tried_at=clock.now())
    message_id = await adapter.post(tried)
    assert await adapter.find(tried) == message_id
    assert len(discord.calls("messages.list")) == 1


async def test_a_post_that_did_not_arrive_is_not_found(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    discord.fault("messages.create", "drop_before_commit", times=1)
    with pytest.raises(Transient):
        await adapter.post(outgoing(discord))
    assert await adapter.find(outgoing(discord)) is None


async def test_the_key_in_anothers_message_proves_nothing(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    message_id = await adapter.post(outgoing(discord))
    world = discord.backend.world
    other = discord.say_as_other_bot(discord.general, "copied")
    messages = world.channels[discord.general].messages
    messages[other].components = messages[message_id].components
    discord.delete(message_id)
    assert await adapter.find(outgoing(discord)) is None


async def test_without_the_permission_to_read_the_history_the_nonce_is_what_there_is(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    discord.deny(discord.general, "READ_MESSAGE_HISTORY")
    discord.fault("messages.create", "drop_after_commit", times=1, skip=1)
    answer = outgoing(discord, question=question)
    with pytest.raises(Transient):
        await adapter.post(answer)
    assert await adapter.find(answer) is None
    message_id = await adapter.post(answer)
    assert [(line.id, line.reply_to) for line in bots(discord)] == [(message_id, "")]


async def test_an_answer_that_somebody_deleted_before_we_knew_of_it_is_not_posted_for_ever(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    discord.fault("messages.create", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.post(outgoing(discord))
    discord.delete(bots(discord)[0].id)
    assert await adapter.find(outgoing(discord)) is None
    with pytest.raises(DeliveryRefused, match="10008"):
        await adapter.post(outgoing(discord))
    assert bots(discord) == []


async def test_an_answer_to_a_deleted_question_stands_in_the_channel_and_is_found(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    discord.delete(question)
    message_id = await adapter.post(outgoing(discord, question=question))
    assert [(line.id, line.reply_to) for line in bots(discord)] == [(message_id, "")]
    assert await adapter.find(outgoing(discord, question=question)) == message_id
    assert len(discord.calls("messages.create")) == 1


async def test_an_answer_to_a_message_that_takes_no_reply_is_given_all_the_same(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    discord.add_thread(discord.general, "loose", discord.anna)
    [notice] = [line for line in discord.transcript(discord.general) if line.kind == "system"]
    await adapter.post(outgoing(discord, question=notice.id))
    assert [line.reply_to for line in bots(discord)] == [""]


async def test_an_edit_that_is_made_twice_changes_nothing(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    message_id = await adapter.post(outgoing(discord, "Hel", is_final=False))
    discord.fault("messages.edit", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.edit(message_id, outgoing(discord, "Hello"))
    assert await adapter.edit(message_id, outgoing(discord, "Hello")) == message_id
    assert [line.text for line in bots(discord)] == ["-# Ada\nHello"]


async def test_a_preview_of_a_message_that_is_gone_is_refused(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    message_id = await adapter.post(outgoing(discord, "Hel", is_final=False))
    discord.delete(message_id)
    with pytest.raises(DeliveryRefused):
        await adapter.edit(message_id, outgoing(discord, "Hello", is_final=False))
    assert bots(discord) == []


async def test_an_ended_answer_whose_message_is_gone_is_posted_anew_at_once(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    message_id = await adapter.post(outgoing(discord, "Hel", is_final=False))
    discord.delete(message_id)
    anew = await adapter.edit(message_id, outgoing(discord, "Hello"))
    assert [(line.id, line.text) for line in bots(discord)] == [(anew, "-# Ada\nHello")]


@pytest.mark.parametrize(("is_history_shown", "after"), [(True, LONG_AGO), (False, 0.0)])
async def test_what_was_posted_anew_in_silence_is_not_posted_again(
    discord: DiscordPeer, adapter: DiscordAdapter, is_history_shown: bool, after: float
) -> None:
    message_id = await adapter.post(outgoing(discord, "Hel", is_final=False))
    discord.delete(message_id)
    if not is_history_shown:
        discord.deny(discord.general, "READ_MESSAGE_HISTORY")
    discord.fault("messages.create", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.edit(message_id, outgoing(discord, "Hello"))
    discord.advance(after)
    [line] = bots(discord)
    assert await adapter.edit(message_id, outgoing(discord, "Hello")) == line.id
    assert len(bots(discord)) == 1


async def test_an_ended_answer_that_another_app_began_is_posted_anew(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    other = discord.say_as_other_bot(discord.general, "Hel")
    anew = await adapter.edit(other, outgoing(discord, "Hello"))
    assert [line.id for line in bots(discord)] == [other, anew]


async def test_lost_permissions_are_refused(discord: DiscordPeer, adapter: DiscordAdapter) -> None:
    discord.deny(discord.general, "SEND_MESSAGES")
    with pytest.raises(DiscordRefused, match="50013"):
        await adapter.post(outgoing(discord))


@pytest.mark.parametrize("call", ["post", "find", "edit", "working"])
async def test_what_the_operator_has_to_mend_is_waited_for(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str, call: str
) -> None:
    discord.spoil_token()
    answer = outgoing(discord, question=question)
    calls = {
        "post": adapter.post(answer),
        "find": adapter.find(answer),
        "edit": adapter.edit("1", answer),
        "working": adapter.working(answer),
    }
    chosen = calls.pop(call)
    for other in calls.values():
        other.close()
    with pytest.raises(Transient, match="DISCORD_TOKEN") as caught:
        await chosen
    assert caught.value.retry_after


async def test_an_answer_opens_its_thread_and_is_found_there(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    message_id = await adapter.post(in_thread(discord, question))
    assert [line.id for line in bots(discord, question)] == [message_id]
    assert bots(discord) == []
    assert discord.backend.world.channels[question].name == "How do boats float?"
    assert await adapter.find(in_thread(discord, question)) == message_id


async def test_a_thread_whose_question_cannot_be_read_is_named_after_the_agent(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    discord.deny(discord.general, "READ_MESSAGE_HISTORY")
    await adapter.post(in_thread(discord, question))
    assert discord.backend.world.channels[question].name == "ada"


async def test_a_long_question_gives_its_thread_a_name_that_discord_takes(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    question = discord.say(discord.general, discord.anna, "why " * 100)
    await adapter.post(in_thread(discord, question))
    name = discord.backend.world.channels[question].name
    assert (len(name), name[-1]) == (100, "…")


@pytest.mark.parametrize("trouble", ["drop_after_commit", "drop_before_commit"])
async def test_a_thread_whose_opening_broke_off_is_opened_once(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str, trouble: str
) -> None:
    discord.fault("threads.create", trouble, times=1)
    with pytest.raises(Transient):
        await adapter.post(in_thread(discord, question))
    assert await adapter.find(in_thread(discord, question)) is None
    message_id = await adapter.post(in_thread(discord, question))
    assert [line.id for line in bots(discord, question)] == [message_id]
    assert bots(discord) == []


async def test_a_thread_that_somebody_opens_meanwhile_is_taken(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    discord.fault("messages.create", "error", status=404, code=10003, times=1)
    discord.open_thread(question, "boats", discord.ben)
    message_id = await adapter.post(in_thread(discord, question))
    assert [line.id for line in bots(discord, question)] == [message_id]


async def test_where_no_thread_may_be_opened_the_answer_replies_beside_the_question(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    discord.deny(discord.general, "CREATE_PUBLIC_THREADS")
    answer = in_thread(discord, question, "Hel", is_final=False)
    message_id = await adapter.post(answer)
    assert await adapter.find(answer) == message_id
    await adapter.edit(message_id, in_thread(discord, question, "Hello"))
    [line] = bots(discord)
    assert (line.reply_to, line.text) == (question, "-# Ada\nHello")


async def test_an_answer_in_an_archived_thread_is_edited_all_the_same(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    message_id = await adapter.post(in_thread(discord, question, "Hel", is_final=False))
    discord.archive(question)
    await adapter.edit(message_id, in_thread(discord, question, "Hello"))
    assert [line.text for line in bots(discord, question)] == ["-# Ada\nHello"]


async def test_an_answer_in_a_locked_thread_is_refused(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    thread = discord.add_thread(discord.general, "boats", discord.anna)
    question = discord.say(thread, discord.anna, "question")
    message_id = await adapter.post(outgoing(discord, channel=thread, question=question))
    discord.lock(thread)
    with pytest.raises(DeliveryRefused):
        await adapter.edit(message_id, outgoing(discord, channel=thread, question=question))


async def test_a_question_in_a_thread_is_answered_there(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    thread = discord.add_thread(discord.general, "boats", discord.anna)
    question = discord.say(thread, discord.anna, "question")
    message_id = await adapter.post(outgoing(discord, channel=thread, question=question))
    [line] = bots(discord, thread)
    assert (line.id, line.reply_to) == (message_id, question)


async def test_a_direct_message_is_answered_there(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    question = discord.dm(discord.anna, "Hello")
    answer = outgoing(discord, channel=discord.direct(discord.anna), question=question)
    message_id = await adapter.post(answer)
    [line] = bots(discord, discord.direct(discord.anna))
    assert (line.id, line.reply_to) == (message_id, question)
    assert await adapter.find(answer) == message_id


async def test_code_that_is_too_long_for_a_message_is_sent_as_a_file(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    answer = outgoing(discord, BLOCK, question=question)
    message_id = await adapter.post(answer)
    [line] = bots(discord)
    assert (line.files, line.reply_to, line.text) == (("answer-k1.py",), question, "-# Ada")
    [file] = discord.backend.world.attachments.values()
    assert file.content.startswith(b"print(0)\nprint(1)\n")
    assert await adapter.edit(message_id, answer) == message_id


async def test_a_file_that_arrived_in_silence_is_found(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    discord.fault("messages.create", "drop_after_commit", times=1)
    with pytest.raises(Transient):
        await adapter.post(outgoing(discord, BLOCK))
    assert await adapter.find(outgoing(discord, BLOCK)) == bots(discord)[0].id


async def test_a_file_to_a_message_that_takes_no_reply_is_whole(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    discord.deny(discord.general, "READ_MESSAGE_HISTORY")
    await adapter.post(outgoing(discord, BLOCK, question=question))
    file = list(discord.backend.world.attachments.values())[-1]
    assert file.content.endswith(b"print(499)\n")


async def test_parts_of_one_channel_do_not_overtake_each_other(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    await adapter.post(outgoing(discord, "first", key="first"))  # tells discord.py the limits
    discord.fault("messages.create", "ratelimited", times=1, retry_after=0.1)
    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(adapter.post(outgoing(discord, f"{number}", key=f"k{number}")))
    assert [line.text[-1] for line in bots(discord)[1:]] == ["0", "1", "2", "3", "4"]


async def test_previews_are_left_out_while_they_come_too_fast(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    assert adapter.may_preview(outgoing(discord, "1", is_final=False))
    await adapter.post(outgoing(discord, "1", is_final=False))
    assert not adapter.may_preview(outgoing(discord, "1 2", is_final=False))
    other = outgoing(discord, "1", key="k2", channel=discord.support, is_final=False)
    assert adapter.may_preview(other)


async def test_no_preview_waits_behind_what_is_on_its_way(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    line = discord.fault("messages.create", "delay", times=1, seconds=PATIENCE)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(adapter.post(outgoing(discord)))
        await discord.until(lambda: discord.calls("messages.create"))
        growing = outgoing(discord, "1", key="k2", is_final=False)
        assert not adapter.may_preview(growing)
        line.over.set()
    assert adapter.may_preview(growing)


async def test_work_is_shown_until_something_is_posted(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    await adapter.working(outgoing(discord, "", question=question))
    assert discord.typing(discord.general)
    await adapter.post(outgoing(discord, question=question))
    assert not discord.typing(discord.general)


async def test_before_its_thread_is_open_work_is_shown_beside_the_question(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str
) -> None:
    await adapter.working(in_thread(discord, question, ""))
    assert discord.typing(discord.general)
    assert discord.calls("threads.create") == []


def attached(discord: DiscordPeer) -> Attachment:
    """A file of Anna's."""
    discord.say(discord.general, discord.anna, "see", attachments={"notes.txt": b"some notes"})
    [file] = discord.backend.world.attachments.values()
    url = str(payloads.attachment(discord.backend.world, file)["url"])
    return Attachment(name="notes.txt", kind="text/plain", size=10, url=url)


async def read(adapter: DiscordAdapter, attachment: Attachment) -> bytes:
    """The first four bytes of it."""
    return await (await adapter.look_up(HERE, attachment)).read(4)


async def test_a_file_is_fetched_as_far_as_is_wanted(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    assert await read(adapter, attached(discord)) == b"some"


@pytest.mark.parametrize(
    ("api_url", "origin", "is_kept"),
    [
        ("https://discord.com/api/v10", "https://cdn.discordapp.com", True),
        ("https://discord.com/api/v10", "https://media.discordapp.net", True),
        ("https://discord.com/api/v10", "https://discord.com", False),
        ("http://127.0.0.1:9/api/v10", "http://127.0.0.1:9", True),
        ("http://127.0.0.1:9/api/v10", "http://127.0.0.1", False),
    ],
)
def test_discord_keeps_files_on_hosts_of_their_own(
    api_url: str, origin: str, *, is_kept: bool
) -> None:
    url = f"{origin}/attachments/1/2/notes.txt?ex=6b&is=6a&hm=0f&"
    assert bool(file_urls(api_url).fullmatch(url)) == is_kept


async def test_a_file_takes_no_token(discord: DiscordPeer, adapter: DiscordAdapter) -> None:
    await read(adapter, attached(discord))
    [call] = discord.calls("attachments.get")
    assert call.parameters == {"authorization": ""}


@pytest.mark.parametrize("trouble", ["drop_before_commit", "status", "banned"])
async def test_a_file_that_breaks_off_can_be_fetched_later(
    discord: DiscordPeer,
    adapter: DiscordAdapter,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
) -> None:
    monkeypatch.setattr(downloads._download.retry, "wait", wait_none())
    discord.fault("attachments.get", trouble)
    with pytest.raises(Transient):
        await read(adapter, attached(discord))


async def test_a_file_whose_link_is_no_longer_valid_is_refused(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    file = attached(discord)
    discord.advance(25 * 60 * 60)
    with pytest.raises(DeliveryRefused, match="HTTP 404"):
        await read(adapter, file)


ELSEWHERE = [
    "https://docs.example.com/attachments/1/2/x",
    "http://cdn.discordapp.com/attachments/1/2/x",
    "https://cdn.discordapp.com.example.com/attachments/1/2/x",
    "https://cdnxdiscordapp.com/attachments/1/2/x",
    "https://cdn.discordapp.com:8443/attachments/1/2/x",
    "https://me@cdn.discordapp.com/attachments/1/2/x",
    "https://cdn.discordapp.com@example.com/attachments/1/2/x",
    "HTTPS://CDN.DISCORDAPP.COM/attachments/1/2/x",
    "https://cdn.discordapp.com/attachments/1/2/..%2fx",
    "https://cdn.discordapp.com/attachments/1/../2/x",
    "https://cdn.discordapp.com/external/https/example.com/x",
    "https://discord.com/api/v10/channels/1/messages",
    "https://discord.com/attachments/1/2/x",
    "file:///attachments/1/2/x",
    "/attachments/1/2/x",
    "{discord}/api/v10/channels/1/messages",
    "{discord}/api/attachments/1/2/x",
    "{discord}/api/v10/channels/1/messages?/attachments/1/2/x",
    "{discord}/cdn/attachments/1/2/x#y",
]


async def test_a_file_that_is_not_discords_is_not_fetched(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    before = len(discord.calls())
    for each in ELSEWHERE:
        url = each.format(discord=discord.url)
        with pytest.raises(DeliveryRefused, match="elsewhere"):
            await read(adapter, Attachment(name="x", kind="text/plain", size=1, url=url))
        assert len(discord.calls()) == before, url


async def test_the_longest_message_there_can_be_is_taken(
    discord: DiscordPeer, adapter: DiscordAdapter
) -> None:
    text = "|a|b|\n|-|-|\n" + "|1|2|\n" * 300
    whole = outgoing(discord, text[: adapter.limits.text_length], is_final=False)
    message_id = await adapter.post(whole)
    assert await adapter.edit(message_id, replace(whole, is_final=True)) == message_id


@pytest.mark.parametrize("opens_thread", [True, False])
async def test_what_was_tried_long_ago_is_looked_for_since_its_question_only(
    discord: DiscordPeer, adapter: DiscordAdapter, question: str, opens_thread: bool
) -> None:
    answer = in_thread(discord, question) if opens_thread else outgoing(discord, question=question)
    tried = replace(answer, tried_at=clock.now() - timedelta(days=1))
    assert await adapter.find(tried) is None
    assert {call.parameters["after"] for call in discord.calls("messages.list")} == {question}
