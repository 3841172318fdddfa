"""What people send that is not text is seen, and nobody who writes to the bot meets silence."""

from __future__ import annotations

import pytest

from core.messaging.messages import NO_WORDS
from tests.bots.discord.server import Server
from tests.peers.discord.wire import Json

AGENTS = "[agents.assistant]\n[agents.support]\n"
TEXTS = "SELECT text FROM inbox ORDER BY position"
ANSWERED = "SELECT count(*) FROM inbox WHERE state = 'answered'"
POLL = Json(
    question=Json(text="Which quay?"),
    answers=[
        Json(answer_id=1, poll_media=Json(text="North")),
        Json(answer_id=2, poll_media=Json(text="South")),
    ],
    expiry="2026-12-01T00:00:00+00:00",
    allow_multiselect=False,
    layout_type=1,
)
STICKER = Json(id="749054660769218631", name="Wave", format_type=3)


def snapshot(content: str = "", **held: object) -> Json:
    """A message as a forward shows it."""
    shape = Json(type=0, content=content, embeds=[], attachments=[], flags=0, mentions=[])
    shape.update(timestamp="2026-11-01T00:00:00+00:00", edited_timestamp=None, **held)
    return Json(message=shape)


def forwarded(content: str = "", **held: object) -> Json:
    """What forwards such a message."""
    return Json(message_snapshots=[snapshot(content, **held)])


def nested(depth: int) -> Json:
    """A text in so many boxes, one inside the other."""
    part = Json(type=10, content="bottom")
    for _ in range(depth):
        part = Json(type=17, components=[part])
    return Json(components=[part])


def unreadable() -> Json:
    """Sections so deep in each other that Python reads them as JSON, and discord.py fails."""
    part = Json(type=10, content="bottom")
    for _ in range(600):  # one call each for JSON, two for discord.py, of a thousand
        part = Json(type=9, components=[], accessory=part)
    return Json(components=[part])


FORWARDED = "[forwarded message; quoted, not asked of you:]"
VOICE = Json(id="1", filename="voice-message.ogg", size=9, content_type="audio/ogg")
VOICE.update(url="https://x.y/1", proxy_url="https://x.y/1", duration_secs=12.4, waveform="AA==")
BUILD = Json(type="rich", title="Build failed", fields=[Json(name="On", value="main")])
SHAPES = [
    (Json(poll=POLL), "[poll: Which quay? — North / South]"),
    (Json(sticker_items=[STICKER]), "[sticker: Wave]"),
    (
        forwarded(embeds=[BUILD]),
        "[forwarded message; quoted, not asked of you:]\n> Build failed\n> On: main",
    ),
    (
        forwarded("see", sticker_items=[STICKER]),
        "[forwarded message; quoted, not asked of you:]\n> see\n> [sticker: Wave]",
    ),
    (
        forwarded(components=[Json(type=17, components=[Json(type=10, content="in a box")])]),
        "[forwarded message; quoted, not asked of you:]\n> in a box",
    ),
    (
        forwarded("https://x.y", embeds=[Json(type="link", url="https://x.y", title="X")]),
        "[forwarded message; quoted, not asked of you:]\n> https://x.y",
    ),
    (forwarded(), "[forwarded message; quoted, not asked of you:]\n> [nothing that I can read]"),
    (forwarded(attachments=[VOICE]), f"{FORWARDED}\n> [voice message, 0:12]"),
    (forwarded(poll=POLL), f"{FORWARDED}\n> [nothing that I can read]"),  # Discord shows no poll
    (Json(attachments=[VOICE], flags=8192), "[voice message, 0:12]"),
]


async def test_what_is_no_text_is_heard_where_everything_is(server: Server) -> None:
    discord = server.discord
    async with server.bot(server.support_listens):
        for more, _ in SHAPES:
            discord.say(discord.support, discord.anna, "", more=more)
        await discord.until(lambda: server.rows(ANSWERED) == [(len(SHAPES),)])
    assert server.rows(TEXTS) == [(seen,) for _, seen in SHAPES]


async def test_it_is_seen_beside_a_mention_and_in_a_direct_message(server: Server) -> None:
    discord = server.discord
    direct = discord.direct(discord.anna)
    async with server.bot(AGENTS):
        for more, _ in SHAPES[:3]:
            discord.say(discord.general, discord.anna, f"{discord.mention} look", more=more)
        await discord.until(lambda: server.rows(ANSWERED) == [(3,)])
        for more, _ in SHAPES[:3]:
            discord.say(direct, discord.anna, "", more=more)
        await discord.until(lambda: server.rows(ANSWERED) == [(6,)])
    seen = [seen for _, seen in SHAPES[:3]]
    assert server.rows(TEXTS) == [(text,) for text in (*(f"look\n{each}" for each in seen), *seen)]


async def test_a_direct_message_that_is_only_a_file_is_answered(server: Server) -> None:
    discord = server.discord
    place = discord.direct(discord.anna)
    async with server.bot(AGENTS):
        discord.say(place, discord.anna, "", attachments={"plan.txt": b"quay 9"})
        await server.answered(place)
        discord.say(place, discord.anna, "", attachments={"plan.bin": b"\0"})
        await server.answered(place, 2)
    shown = str(server.endpoint.requests[-1])
    assert "quay 9" in shown
    assert "[file 'plan.bin', 1 Byte cannot be read here" in shown


async def test_thirty_forwards_in_one_message_are_bounded_and_say_so(server: Server) -> None:
    discord = server.discord
    many = Json(message_snapshots=[snapshot(f"number {n} " * 100) for n in range(30)])
    async with server.bot(AGENTS):
        discord.say(discord.general, discord.anna, f"{discord.mention} look", more=many)
        await server.answered(discord.general)
    [(text,)] = server.rows(TEXTS)
    assert "number 0" in str(text)
    assert "characters left out" in str(text)
    assert len(str(text)) < 12_200


async def test_boxes_in_boxes_without_end_are_heard_as_far_as_they_are_read(
    server: Server,
) -> None:
    discord = server.discord
    async with server.bot(AGENTS):
        discord.say(discord.general, discord.anna, f"{discord.mention} one", more=nested(200))
        await server.answered(discord.general)
        discord.say(discord.general, discord.anna, f"{discord.mention} lost", more=unreadable())
        await discord.until(lambda: discord.identifies == 2)
        discord.say(discord.support, discord.anna, f"{discord.mention} two")
        await server.answered(discord.support)
    assert server.rows(TEXTS) == [("one",), ("two",)]


async def test_a_bare_mention_is_answered(server: Server) -> None:
    """Also one that replies, and one that names an agent."""
    discord = server.discord
    async with server.bot(AGENTS):
        discord.say(discord.general, discord.anna, discord.mention)
        await server.answered(discord.general)
        bens = discord.say(discord.general, discord.ben, "La grue est en panne")
        discord.say(discord.general, discord.anna, discord.mention, reply_to=bens)
        await server.answered(discord.general, 2)
        discord.say(discord.general, discord.anna, f"{discord.mention} support")
        said = await server.answered(discord.general, 3)
    assert [NO_WORDS in str(text) for (text,) in server.rows(TEXTS)] == [True, True, True]
    assert said[2].startswith("-# support\n")


async def test_what_is_dropped_on_purpose_is_one_line_with_its_kind(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    discord = server.discord
    caplog.set_level("DEBUG")
    agents = f"""{server.support_listens}
        [access]
        deny = ["discord/{discord.ben}"]
    """

    def kinds() -> list[str]:
        dropped = [each for each in caplog.records if each.message.endswith("dropped")]
        return [str(getattr(each, "kind", "")) for each in dropped]

    async with server.bot(agents) as bot:
        await bot.listener.caught_up()
        discord.say_as_other_bot(discord.general, "beep")
        discord.say(discord.general, discord.anna, "hello")
        discord.say(discord.support, discord.anna, "", more=Json(flags=4))
        thread = discord.add_thread(discord.general, "plans", discord.anna)
        discord.say(thread, discord.anna, f"{discord.mention} hello")
        await server.answered(thread)
        discord.say(thread, discord.ben, "and I?")
        await discord.until(lambda: "denied" in kinds())
    assert set(kinds()) >= {"app", "talk", "empty", "denied", "thread_created"}
    assert kinds().count("talk") == 1


async def test_apps_are_heard_where_a_binding_says_so(server: Server) -> None:
    discord = server.discord
    agents = f"""
        [agents.assistant]
        [[bindings]]
        at = "discord/{discord.guild}"
        agent = "assistant"
        bots = true
        [[bindings]]
        at = "discord/{discord.guild}/{discord.support}"
        agent = "assistant"
        listen = "all"
        bots = true
    """
    async with server.bot(agents):
        discord.say_as_webhook(discord.support, "disk full")
        await server.answered(discord.support)
        answer = server.answers(discord.support)[0].id
        discord.say_as_other_bot(discord.support, "You said: disk full?", reply_to=answer)
        discord.say_as_other_bot(discord.general, "to nobody")
        discord.say_as_other_bot(discord.general, f"{discord.mention} deploy failed")
        await server.answered(discord.general)
    assert {text for (text,) in server.rows(TEXTS)} >= {"disk full", "deploy failed"}
    assert len(server.rows(TEXTS)) == 2
