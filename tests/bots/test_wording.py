"""What commands answer, in each platform's markup."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bots.discord.wording import MARKUP as DISCORD
from bots.discord.wording import asked
from bots.slack.markup import MARKUP as SLACK
from bots.wording import Markup, Wording, question_about
from core.commands.views import RememberedFact
from core.config.binding import Listen

NASTY = "<@12345678901234567> *bold* `code` <!channel> @everyone"
AT = datetime(2026, 3, 1, tzinfo=UTC)


def facts(count: int, text: str) -> list[RememberedFact]:
    return [RememberedFact(id=number, text=text, said_by="Ana", at=AT) for number in range(count)]


@pytest.mark.parametrize("markup", [SLACK, DISCORD])
def test_what_people_wrote_never_pings(markup: Markup) -> None:
    words = Wording(markup)
    said = (
        words.sentence(NASTY),
        words.help_text(NASTY),
        words.asking(NASTY),
        words.in_use(NASTY, Listen.MENTION),
        words.agents([NASTY, "Ada"], NASTY),
        words.facts("Ada", facts(1, NASTY)),
        words.remembered("Ada", facts(1, NASTY)[0]),
        words.forgotten(NASTY),
    )
    for sentence in said:
        assert "<@12345678901234567>" not in sentence
        assert ("<!channel>" if markup is SLACK else "@everyone") not in sentence


@pytest.mark.parametrize("markup", [SLACK, DISCORD])
def test_of_too_many_facts_the_newest_are_shown(markup: Markup) -> None:
    shown = Wording(markup).facts("Ada", facts(500, "Ben owns it"))
    assert shown.startswith("… and older ones\n")
    assert "499. Ben owns it" in shown
    assert len(shown) < markup.longest + 20


def test_commands_are_written_as_each_platform_takes_them() -> None:
    assert "`/agent use Ada mention`" in Wording(SLACK).in_use("Ada", Listen.ALL)
    assert "`/agent use agent:Ada listen:mention`" in Wording(DISCORD).in_use("Ada", Listen.ALL)
    assert "`/agent ask NAME: TEXT`" in Wording(SLACK).help_text()
    assert "`/agent ask agent:NAME question:TEXT`" in Wording(DISCORD).help_text()


def test_a_long_question_is_shown_in_part_and_all_of_it_as_a_quote() -> None:
    asking, *quoted = asked("first\n\n" + "word " * 1_000, "Asking **Ada** …").split("\n")
    assert asking == "Asking **Ada** …"
    assert quoted[:2] == ["> first", "> "]
    assert all(line.startswith("> ") for line in quoted)
    assert "characters left out" in quoted[-1]


def test_what_is_cut_says_so() -> None:
    assert "`" + "x" * 39 + "…`" in Wording(SLACK).help_text("x" * 41)
    assert Wording(SLACK).forgotten("x" * 301) == "Forgotten: " + "x" * 299 + "…"


def test_a_message_without_words_is_asked_about_as_such() -> None:
    assert question_about("one\ntwo").endswith("> one\n> two")
    assert question_about("").endswith("> (no text)")


@pytest.mark.parametrize("markup", [SLACK, DISCORD])
def test_a_learned_fact_says_from_which_words_and_what_held_before(markup: Markup) -> None:
    fact = replace(
        facts(1, "The deadline is 2 April.")[0],
        learned_from="Let us say\n2 April, " + "word " * 50,
        before="The deadline is 15 March.",
    )
    shown = Wording(markup).facts("Ada", [fact])
    assert "learned from Ana, 01 March 2026: “Let us say 2 April, word" in shown
    assert "word…”" in shown
    assert "before: The deadline is 15 March" in shown
    assert len(shown) < 300
    gone = Wording(markup).facts("Ada", [replace(fact, learned_from="", before="")])
    assert gone.endswith("(learned from Ana, 01 March 2026)_")
