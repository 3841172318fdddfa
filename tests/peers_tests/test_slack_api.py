"""The Slack peer answers as Slack does: seen by the real slack-sdk."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import MarkdownBlock
from slack_sdk.web.async_client import AsyncWebClient

from tests.peers.slack.peer import SlackPeer
from tests.peers_tests.slack_bot import refused, web_client

METADATA = {"event_type": "moorings", "event_payload": {"oid": "1"}}


@pytest.fixture
async def slack() -> AsyncIterator[SlackPeer]:
    async with SlackPeer() as peer:
        yield peer


@pytest.fixture
def client(slack: SlackPeer) -> AsyncWebClient:
    return web_client(slack)


async def test_auth_test_names_the_bot_and_its_scopes(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == ("T0001", "U0BOT", "B0BOT")
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


@pytest.mark.parametrize(
    ("token", "error"),
    [("xoxb-wrong", "invalid_auth"), (SlackPeer.app_token, "not_allowed_token_type")],
)
async def test_a_wrong_token_is_refused(slack: SlackPeer, token: str, error: str) -> None:
    assert await refused(web_client(slack, token).auth_test()) == error


async def test_no_token_is_not_authed(slack: SlackPeer) -> None:
    client = AsyncWebClient(base_url=slack.api_url)
    assert await refused(client.auth_test()) == "not_authed"


async def test_a_revoked_token_is_refused(slack: SlackPeer, client: AsyncWebClient) -> None:
    await client.auth_revoke()
    assert await refused(client.auth_test()) == "token_revoked"


async def test_a_missing_scope_is_named(slack: SlackPeer, client: AsyncWebClient) -> None:
    slack.remove_scope("channels:history")
    with pytest.raises(SlackApiError) as caught:
        await client.conversations_history(channel="C0GENERAL")
    answer = caught.value.response
    assert (answer["error"], answer["needed"]) == ("missing_scope", "channels:history")
    assert "chat:write" in answer["provided"]


async def test_an_unknown_method_is_refused(slack: SlackPeer, client: AsyncWebClient) -> None:
    assert await refused(client.api_call("chat.nonsense")) == "unknown_method"


async def test_places_the_bot_cannot_write_in_are_refused(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    slack.add_channel("C0OUT", bot=False)
    slack.add_channel("C0SECRET", kind="group", bot=False)
    slack.archive("C0SUPPORT")
    channels = ["C0NOWHERE", "C0OUT", "C0SECRET", "C0SUPPORT"]
    errors = [await refused(client.chat_postMessage(channel=c, text="hi")) for c in channels]
    assert errors == ["channel_not_found", "not_in_channel", "channel_not_found", "is_archived"]


async def test_metadata_is_read_back_only_when_asked_for(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel="C0GENERAL", text="hi", metadata=METADATA)
    silent = await client.conversations_history(channel="C0GENERAL")
    asked = await client.conversations_history(channel="C0GENERAL", include_all_metadata=True)
    assert "metadata" not in silent["messages"][0]
    assert asked["messages"][0]["metadata"] == METADATA


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"event_type": "x"}, "invalid_metadata_format"),
        ({"event_type": "x", "event_payload": {"a": "b" * 9000}}, "metadata_too_large"),
    ],
)
async def test_bad_metadata_is_refused(
    client: AsyncWebClient, slack: SlackPeer, metadata: dict[str, object], error: str
) -> None:
    call = client.chat_postMessage(channel="C0GENERAL", text="hi", metadata=metadata)
    assert await refused(call) == error


async def test_a_long_text_is_cut_when_posted_and_refused_when_updated(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel="C0GENERAL", text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000
    call = client.chat_update(channel="C0GENERAL", ts=posted["ts"], text="x" * 4_001)
    assert await refused(call) == "msg_too_long"


async def test_nothing_to_say_is_no_text(slack: SlackPeer, client: AsyncWebClient) -> None:
    blank = {"channel": "C0GENERAL", "text": "  "}
    assert await refused(client.api_call("chat.postMessage", json=blank)) == "no_text"


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([MarkdownBlock(text="x" * 6_001), MarkdownBlock(text="x" * 6_001)], "msg_blocks_too_long"),
        ([{"type": "nonsense"}], "invalid_blocks"),
        ([{"type": "divider"}] * 51, "invalid_blocks"),
        ("[{", "invalid_blocks_format"),
    ],
)
async def test_blocks_slack_does_not_take_are_refused(
    slack: SlackPeer, client: AsyncWebClient, blocks: list[object], error: str
) -> None:
    call = client.chat_postMessage(channel="C0GENERAL", text="x", blocks=blocks)  # type: ignore[arg-type]  # bad on purpose
    assert await refused(call) == error


async def test_a_refused_block_is_pointed_at(slack: SlackPeer, client: AsyncWebClient) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="C0GENERAL", text="x", blocks=[section])
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]


async def test_markdown_text_goes_alone_and_has_its_limit(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    both = client.chat_postMessage(channel="C0GENERAL", markdown_text="*a*", text="a")
    long = client.chat_postMessage(channel="C0GENERAL", markdown_text="x" * 12_001)
    assert [await refused(both), await refused(long)] == ["markdown_text_conflict", "msg_too_long"]


async def test_an_update_with_text_shows_edited_and_takes_the_blocks_away(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(
        channel="C0GENERAL", text="a", blocks=[MarkdownBlock(text="**a**")]
    )
    await client.chat_update(channel="C0GENERAL", ts=posted["ts"], text="b")
    [line] = slack.transcript("C0GENERAL")
    assert (line.text, line.is_edited) == ("b", True)


async def test_an_update_with_blocks_does_not_show_edited(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel="C0GENERAL", text="a")
    await client.chat_update(
        channel="C0GENERAL", ts=posted["ts"], text="b", blocks=[MarkdownBlock(text="**b**")]
    )
    [line] = slack.transcript("C0GENERAL")
    assert (line.text, line.is_edited) == ("**b**", False)


async def test_nobody_edits_or_deletes_anothers_message(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts = slack.say("C0GENERAL", "U0ANNA", "mine")
    update = client.chat_update(channel="C0GENERAL", ts=ts, text="yours")
    delete = client.chat_delete(channel="C0GENERAL", ts=ts)
    assert [await refused(update), await refused(delete)] == [
        "cant_update_message",
        "cant_delete_message",
    ]


async def test_history_has_parents_and_replies_has_the_thread_in_order(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    parent = slack.say("C0GENERAL", "U0ANNA", "question")
    first = slack.say("C0GENERAL", "U0BEN", "one", parent)
    second = slack.say("C0GENERAL", "U0ANNA", "two", parent)
    other = slack.say("C0GENERAL", "U0ANNA", "other")
    history = await client.conversations_history(channel="C0GENERAL")
    replies = await client.conversations_replies(channel="C0GENERAL", ts=parent)
    assert [message["ts"] for message in history["messages"]] == [other, parent]
    assert history["messages"][1]["reply_count"] == 2
    assert history["messages"][1]["latest_reply"] == second
    assert [message["ts"] for message in replies["messages"]] == [parent, first, second]


async def test_history_is_paged_from_the_newest_and_oldest_is_exclusive(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    sent = [slack.say("C0GENERAL", "U0ANNA", str(number), ago=60 - number) for number in range(5)]
    pages = await client.conversations_history(channel="C0GENERAL", oldest=sent[0], limit=3)
    read = [[message["ts"] for message in page["messages"]] async for page in pages]
    assert read == [[sent[4], sent[3], sent[2]], [sent[1]]]


async def test_a_deleted_parent_leaves_a_tombstone(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    parent = slack.say("C0GENERAL", "U0ANNA", "question")
    slack.say("C0GENERAL", "U0BEN", "one", parent)
    slack.delete("C0GENERAL", parent)
    history = await client.conversations_history(channel="C0GENERAL")
    assert history["messages"][0]["subtype"] == "tombstone"


async def test_a_reply_to_a_message_that_is_gone_lands_in_the_channel(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts = slack.say("C0GENERAL", "U0ANNA", "question")
    slack.delete("C0GENERAL", ts)
    posted = await client.chat_postMessage(channel="C0GENERAL", text="hi", thread_ts=ts)
    assert "thread_ts" not in posted["message"]
    assert slack.transcript("C0GENERAL")[0].thread == ""


async def test_a_reply_to_a_reply_is_refused(slack: SlackPeer, client: AsyncWebClient) -> None:
    parent = slack.say("C0GENERAL", "U0ANNA", "question")
    reply = slack.say("C0GENERAL", "U0ANNA", "more", parent)
    call = client.chat_postMessage(channel="C0GENERAL", text="hi", thread_ts=reply)
    assert await refused(call) == "cannot_reply_to_message"


async def test_a_user_id_is_the_direct_channel(slack: SlackPeer, client: AsyncWebClient) -> None:
    opened = await client.conversations_open(users=["U0ANNA"])
    posted = await client.chat_postMessage(channel="U0ANNA", text="hi")
    assert posted["channel"] == opened["channel"]["id"] == slack.direct("U0ANNA")


async def test_the_bots_channels_can_be_listed(slack: SlackPeer, client: AsyncWebClient) -> None:
    slack.add_channel("C0OUT", bot=False)
    slack.direct("U0ANNA")
    mine = await client.users_conversations(types="public_channel,im")
    every = await client.conversations_list()
    assert [place["id"] for place in mine["channels"]] == ["C0GENERAL", "C0SUPPORT", "D0ANNA"]
    assert [place["id"] for place in every["channels"]] == ["C0GENERAL", "C0SUPPORT", "C0OUT"]


async def test_a_whisper_is_seen_by_one_and_kept_by_no_history(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    await client.chat_postEphemeral(channel="C0GENERAL", user="U0ANNA", text="psst")
    [line] = slack.transcript("C0GENERAL")
    assert (line.kind, line.for_user) == ("ephemeral", "U0ANNA")
    history = await client.conversations_history(channel="C0GENERAL")
    assert history["messages"] == []


async def test_the_home_tab_is_published_and_read(slack: SlackPeer, client: AsyncWebClient) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "I answer in <@U0BOT>"}}
    await client.views_publish(user_id="U0ANNA", view={"type": "home", "blocks": [section]})
    assert slack.home("U0ANNA") == "I answer in @agentbot"


async def test_reactions_are_added_once(slack: SlackPeer, client: AsyncWebClient) -> None:
    ts = slack.say("C0GENERAL", "U0ANNA", "hello")
    await client.reactions_add(channel="C0GENERAL", timestamp=ts, name="eyes")
    again = client.reactions_add(channel="C0GENERAL", timestamp=ts, name="eyes")
    assert await refused(again) == "already_reacted"
    assert slack.transcript("C0GENERAL")[0].reactions == ("eyes",)
    await client.reactions_remove(channel="C0GENERAL", timestamp=ts, name="eyes")
    assert slack.transcript("C0GENERAL")[0].reactions == ()


async def test_a_file_is_uploaded_in_three_steps_by_the_sdk(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    ts = slack.say("C0GENERAL", "U0ANNA", "the table please")
    await client.files_upload_v2(
        channel="C0GENERAL",
        thread_ts=ts,
        filename="table.csv",
        content="a,b\n1,2\n",
        initial_comment="Here it is",
    )
    line = slack.transcript("C0GENERAL", ts)[1]
    assert (line.text, line.files, line.thread) == ("Here it is", ("table.csv",), ts)
    [file] = slack.backend.world.files.values()
    assert file.content == b"a,b\n1,2\n"


async def test_a_file_is_read_with_the_token_and_hidden_behind_a_login_without(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    slack.share_file("C0GENERAL", "U0ANNA", "notes.txt", b"notes", text="read this")
    history = await client.conversations_history(channel="C0GENERAL")
    [file] = history["messages"][0]["files"]
    bearer = {"Authorization": f"Bearer {slack.bot_token}"}
    async with ClientSession() as session:
        async with session.get(file["url_private"], headers=bearer) as response:
            assert await response.read() == b"notes"
        async with session.get(file["url_private"]) as response:
            assert (response.status, response.content_type) == (200, "text/html")


async def test_a_response_url_is_good_for_five_uses(slack: SlackPeer) -> None:
    url = slack.command("/agent", "", "C0GENERAL", "U0ANNA").payload["response_url"]
    async with ClientSession() as session:
        statuses = [
            (await session.post(url, json={"text": str(number)})).status for number in range(6)
        ]
    assert statuses == [200] * 5 + [404]


async def test_pings_for_everyone_are_reported(slack: SlackPeer, client: AsyncWebClient) -> None:
    await client.chat_postMessage(
        channel="C0GENERAL", text="x", blocks=[MarkdownBlock(text="hey <!channel>")]
    )
    assert slack.transcript("C0GENERAL")[0].pings == ("channel",)


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # the SDK's
async def test_two_teams_do_not_see_each_other(slack: SlackPeer, client: AsyncWebClient) -> None:
    slack.add_team("T0002", "Lighthouse", is_installed=False)
    slack.add_user("U0CARA", "cara", team="T0002")
    slack.add_channel("C0OTHER", team="T0002")
    url = f"{slack.url}/oauth/v2/authorize?client_id={slack.client_id}&team=T0002&state=s"
    async with ClientSession() as session:
        answer = await session.get(f"{url}&redirect_uri=http://x/back", allow_redirects=False)
    code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
    granted = await client.oauth_v2_access(
        client_id=slack.client_id, client_secret=slack.client_secret, code=code
    )
    assert granted["team"]["id"] == "T0002"
    other = web_client(slack, granted["access_token"])
    await other.chat_postMessage(channel="C0OTHER", text="hi")
    assert await refused(client.chat_postMessage(channel="C0OTHER", text="hi")) == (
        "channel_not_found"
    )
    again = client.oauth_v2_access(
        client_id=slack.client_id, client_secret=slack.client_secret, code=code
    )
    assert await refused(again) == "invalid_code"


async def test_link_names_turn_a_plain_name_into_a_ping(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel="C0GENERAL", text="hey @channel")
    await client.chat_postMessage(channel="C0GENERAL", text="hey @channel", link_names=True)
    assert [line.pings for line in slack.transcript("C0GENERAL")] == [(), ("channel",)]


async def test_the_people_of_a_user_group_are_told_in_its_own_workspace(
    slack: SlackPeer, client: AsyncWebClient
) -> None:
    slack.add_team("T0002", "Quay")
    slack.set_group("S0DEV", "U0BEN", "U0ANNA")
    slack.set_group("S0QUAY", "U0CAT", team="T0002")
    assert (await client.usergroups_users_list(usergroup="S0DEV"))["users"] == ["U0ANNA", "U0BEN"]
    for other in ("S0QUAY", "S0NONE"):
        assert await refused(client.usergroups_users_list(usergroup=other)) == "no_such_subteam"
    slack.remove_scope("usergroups:read")
    assert await refused(client.usergroups_users_list(usergroup="S0DEV")) == "missing_scope"
