"""How things look."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from rich.console import Console, RenderableType
from rich.theme import Theme

from bots.terminal import format as looks
from core.commands.views import HistoryEntry, RememberedFact


def drawn(renderable: RenderableType, *, width: int = 80) -> str:
    """What would stand on a screen of this width."""
    console = Console(width=width, color_system=None, theme=Theme(looks.STYLES))
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def said(author: str, text: str, at: datetime, *, is_agent: bool = False) -> HistoryEntry:
    """One entry of a history."""
    return HistoryEntry(author=author, text=text, at=at, is_agent=is_agent)


def test_a_history_says_when_you_last_spoke(now: datetime) -> None:
    entries = [
        said("ana", "hello", now - timedelta(days=3)),
        said("bob", "hi", now - timedelta(hours=1)),
    ]
    assert "you last spoke 3 days ago" in drawn(looks.history(entries, "ana", now))


def test_a_history_of_others_says_how_old_it_is(now: datetime) -> None:
    entries = [said("bob", "hi", now - timedelta(hours=1))]
    assert "from an hour ago" in drawn(looks.history(entries, "ana", now))


def test_an_old_message_is_cut_and_cannot_mark_up_the_screen(now: datetime) -> None:
    entries = [said("bob", f"[red]\x1b[31m {'x' * 1000}", now)]
    shown = drawn(looks.history(entries, "ana", now), width=40)
    assert "[red]" in shown
    assert "\x1b" not in shown
    assert shown.count("x") < 300
    assert max(map(len, shown.splitlines())) <= 40


def test_a_fact_has_its_source(now: datetime) -> None:
    fact = RememberedFact(
        id=7, text="the deadline is near", said_by="ana", at=now - timedelta(days=1)
    )
    assert "7  the deadline is near (ana, a day ago)" in drawn(looks.facts([fact], now))
    learned = replace(fact, learned_from="It comes\nnearer", before="it is far")
    assert "(learned from ana, a day ago: “It comes nearer”; before: it is far)" in " ".join(
        drawn(looks.facts([learned], now)).split()
    )


def test_the_address_of_a_link_is_spelled_out() -> None:
    assert "https://example.com" in drawn(looks.answer("[here](https://example.com)"))
    assert "https://example.com" in drawn(looks.answer("![here](https://example.com)"))


@pytest.mark.parametrize("html", ["<div>hi</div>", "<!-- hi -->", "a <b>hi</b> b", "<br>\nhi"])
def test_html_is_shown_as_it_was_written(html: str) -> None:
    assert drawn(looks.answer(html)).split() == html.split()
