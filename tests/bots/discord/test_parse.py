"""discord.py's messages become what people said, and nothing makes the parser fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord import parse
from bots.discord.channels import Location, location_of
from bots.discord.failures import MALFORMED
from core.messaging.messages import PlatformMessage
from tests.peers.discord import payloads
from tests.peers.discord.peer import DiscordPeer
from tests.peers.discord.wire import Json


class Reader:
    """discord.py's own state with the peer's server in it, and what it makes of payloads."""

    def __init__(self) -> None:
        self.peer = DiscordPeer()
        self.me = int(self.peer.bot_user)
        self.state = discord.Client(intents=discord.Intents.none())._connection
        self.refresh()

    def refresh(self) -> None:
        """Let discord.py know the server as it is now."""
        world = self.peer.backend.world
        guild = world.guilds[self.peer.guild]
        places = [c for c in world.channels.values() if c.guild == guild.id and not c.is_thread]
        self.state._add_guild_from_data(payloads.guild(world, guild, places))  # type: ignore[arg-type]  # JSON

    def payload(self, message: str) -> Json:
        """A message of the peer as the gateway sends it."""
        world = self.peer.backend.world
        return payloads.delivered(world, world.message_anywhere(message), nonce="")

    def read(self, payload: Json) -> PlatformMessage | None:
        """Through discord.py."""
        channel, _ = self.state._get_guild_channel(payload)  # type: ignore[arg-type]  # JSON
        said = discord.Message(state=self.state, channel=channel, data=payload)  # type: ignore[arg-type]  # JSON
        location = location_of(said.channel) or Location(guild=1, channel=2, parent=3)
        return parse.message(said, location, self.me)

    def heard(self, message: str) -> PlatformMessage:
        """A message of the peer that has to be heard."""
        found = self.read(self.payload(message))
        assert found is not None
        return found


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_a_message_has_the_key_and_the_place_of_its_post(reader: Reader) -> None:
    peer = reader.peer
    said = peer.say(peer.general, peer.anna, "hello")
    heard = reader.heard(said)
    assert heard.key == f"discord/{peer.guild}/{peer.general}/{said}"
    assert (heard.place.key, heard.thread, heard.opens) == (
        f"discord/{peer.guild}/{peer.general}",
        None,
        said,
    )
    assert (heard.reply_to, heard.reply_in) == (f"{peer.general}/{said}", f"{said}/{said}")
    assert heard.position == int(said)
    assert abs(heard.sent_at.timestamp() - peer.backend.clock.now()) < 60
    assert (heard.author.id, heard.author.name) == (peer.anna, "Anna")
    assert (heard.is_mention, heard.is_direct, heard.text) == (False, False, "hello")


def test_a_message_in_a_thread_opens_none(reader: Reader) -> None:
    peer = reader.peer
    thread = peer.add_thread(peer.general, "aside", peer.anna)
    said = peer.say(thread, peer.anna, "hello")
    reader.refresh()
    heard = reader.heard(said)
    assert heard.key == f"discord/{peer.guild}/{thread}/{said}"
    assert (heard.place.parts[1], heard.thread, heard.opens) == (peer.general, thread, None)
    assert heard.reply_to == heard.reply_in == f"{thread}/{said}"


def test_a_direct_message_is_direct(reader: Reader) -> None:
    peer = reader.peer
    heard = reader.heard(peer.dm(peer.anna, "hello"))
    assert heard.is_direct
    assert heard.place.key == f"discord/@me/{peer.direct(peer.anna)}"
    assert heard.opens is None
    assert heard.reply_in == heard.reply_to


def test_text_is_read_as_people_read_it(reader: Reader) -> None:
    peer = reader.peer
    role = peer.add_role("team")
    reader.refresh()
    for text, plain in (
        (f"{peer.mention} hello", "hello"),
        (f"<@!{peer.bot_user}>, hello", "hello"),
        (f"hey {peer.mention}, hello", "hey, hello"),
        (f"ask <@{peer.ben}> or <@99>", "ask @Ben or @99"),
        (f"ask <@&{role}>", "ask @team"),
        (f"in <#{peer.general}> or <#8>", "in #general or #8"),
        ("<:wave:123> <a:dance:456>", ":wave: :dance:"),
        ("at <t:0>", "at 1970-01-01 00:00 UTC"),
        ("at <t:1700000000:R>", "at 2023-11-14 22:13 UTC"),
        ("at <t:999999999999>", "at <t:999999999999>"),
        ("use </agent ask:77>", "use /agent ask"),
        ("1 < 2 <> 3 @everyone", "1 < 2 <> 3 @everyone"),
    ):
        assert reader.heard(peer.say(peer.general, peer.anna, text)).text == plain


def test_the_bot_is_mentioned_by_its_name_its_role_or_a_reply(reader: Reader) -> None:
    peer, world = reader.peer, reader.peer.backend.world
    [role] = [role for role in world.guilds[peer.guild].roles.values() if role.bot]
    role.is_mentionable = True
    other = peer.add_role("others")
    reader.refresh()
    own = peer.say(peer.general, peer.bot_user, "an answer")
    bens = peer.say(peer.general, peer.ben, "a question")
    for text, reply_to, is_mention in (
        (f"{peer.mention} hello", None, True),
        (f"<@&{role.id}> hello", None, True),
        ("and?", own, True),
        ("and?", bens, False),
        (f"<@&{other}> hello", None, False),
        (f"<@{peer.ben}> hello", None, False),
        ("@everyone hello", None, False),
    ):
        said = peer.say(peer.general, peer.anna, text, reply_to=reply_to, ping=False)
        assert reader.heard(said).is_mention is is_mention
    assert reader.heard(peer.say(peer.general, peer.anna, f"<@&{role.id}>: hello")).text == "hello"


def test_files_come_as_attachments(reader: Reader) -> None:
    peer = reader.peer
    said = peer.say(peer.general, peer.anna, "", attachments={"a.txt": b"abc"})
    [attachment] = reader.heard(said).attachments
    assert (attachment.name, attachment.kind, attachment.size) == ("a.txt", "text/plain", 3)
    assert "/a.txt" in attachment.url


def test_what_was_forwarded_is_read_too(reader: Reader) -> None:
    peer = reader.peer
    original = reader.payload(peer.say(peer.general, peer.ben, "it is broken"))
    payload = reader.payload(peer.dm(peer.anna, ""))
    payload["message_reference"] = Json(type=1, channel_id=peer.general, message_id=original["id"])
    payload["message_snapshots"] = [Json(message=original)]
    heard = reader.read(payload)
    assert heard is not None
    assert (heard.text, heard.is_mention) == (
        "[forwarded message; quoted, not asked of you:]\n> it is broken",
        False,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"type": 7},
        {"type": 18},
        {"type": 20},
        {"type": 21},
        {"type": 999},
    ],
)
def test_what_no_person_wrote_is_not_heard(reader: Reader, change: Json) -> None:
    peer = reader.peer
    payload = reader.payload(peer.say(peer.general, peer.anna, f"{peer.mention} hello"))
    assert reader.read(payload) is not None
    assert reader.read(Json(payload, **change)) is None


def test_what_the_bot_says_is_not_heard_and_what_apps_say_is_told_apart(reader: Reader) -> None:
    peer = reader.peer
    own = peer.say(peer.general, peer.bot_user, "hello")
    assert reader.read(reader.payload(own)) is None
    for said in (
        peer.say_as_other_bot(peer.general, f"{peer.mention} hello"),
        peer.say_as_webhook(peer.general, f"{peer.mention} hello"),
    ):
        heard = reader.read(reader.payload(said))
        assert heard
        assert heard.is_by_app


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
READER = Reader()


def real() -> Iterator[Json]:
    """Messages of every sort."""
    peer = READER.peer
    own = peer.say(peer.general, peer.bot_user, "an answer")
    text = f"{peer.mention} <@{peer.ben}> <#{peer.general}> <t:1700000000:R>"
    yield READER.payload(peer.say(peer.general, peer.anna, text, attachments={"a.txt": b"abc"}))
    yield READER.payload(peer.say(peer.general, peer.anna, "and?", reply_to=own))
    yield READER.payload(peer.dm(peer.anna, "hello"))
    yield READER.payload(peer.say_as_webhook(peer.general, "hello"))


KNOWN = list(real())


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        steps = list(value.items())
    else:
        steps = list(enumerate(value)) if isinstance(value, list) else []
    return [path, *(each for step, item in steps for each in places(item, (*path, step)))]


@given(st.data())
def test_a_real_payload_with_something_else_in_it_fails_only_as_malformed(
    data: st.DataObject,
) -> None:
    raw = deepcopy(data.draw(st.sampled_from(KNOWN)))
    *path, last = data.draw(st.sampled_from([place for place in places(raw) if place]))
    target: object = raw
    for step in path:
        target = target[step]  # type: ignore[index]  # a place that was found in it
    target[last] = data.draw(json)  # type: ignore[index]  # as above
    with suppress(*MALFORMED):
        READER.read(raw)


@given(st.text(alphabet="<>@!#&:/ t0123456789a_\n", max_size=60))
def test_any_markup_is_read(text: str) -> None:
    assert READER.read(Json(KNOWN[0], content=text)) is not None
