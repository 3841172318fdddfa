"""Each body that Slack sends is parsed once, by whichever way it comes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from functools import partial
from urllib.parse import parse_qsl

import pytest

from tests.bots.slack.bots import Workspace
from tests.bots.slack.test_http import served
from tests.peers.slack.deliveries import Delivery
from tests.peers.slack.peer import SlackPeer

HERE, ANNA, MARK = "C0GENERAL", "U0ANNA", "mark-3141"
BOLT = "slack_bolt.request.internals"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a module of the program, or of its packages, parsed what has the mark in it."""
    found: Counter[str] = Counter()

    loads = json.loads

    def counted(text: str | bytes, **options: object) -> object:
        by = str(sys._getframe(1).f_globals["__name__"])
        if MARK in str(text) and not by.startswith("tests."):
            found[f"{by}: json"] += 1
        return loads(text, **options)  # type: ignore[arg-type]  # as they were given

    def form(text: str, *, keep_blank_values: bool) -> list[tuple[str, str]]:
        found[f"{BOLT}: form"] += MARK in text
        return parse_qsl(text, keep_blank_values=keep_blank_values)

    monkeypatch.setattr(json, "loads", counted)
    monkeypatch.setattr(f"{BOLT}.parse_qsl", form)
    return found


def message(slack: SlackPeer) -> Delivery:
    """For nobody: nothing is answered."""
    slack.say(HERE, ANNA, MARK)
    return slack.deliveries[-1]


def command(slack: SlackPeer) -> Delivery:
    return slack.command("/agent", f"help {MARK}", HERE, ANNA)


def shortcut(slack: SlackPeer) -> Delivery:
    ts = slack.say(HERE, ANNA, "hello")
    slack.backend.world.channels[HERE].messages[ts]["text"] = MARK
    return slack.use_shortcut(HERE, ts, "something_else", ANNA)


DONE = [message, command, shortcut]


def is_acked(delivery: Delivery) -> bool:
    return delivery.is_acked


async def test_by_socket(workspace: Workspace, parsed: Counter[str]) -> None:
    slack = workspace.slack
    async with workspace.bot():
        for number, do in enumerate(DONE, start=1):
            delivery = do(slack)
            await slack.until(partial(is_acked, delivery))
            assert parsed == {"bots.slack.connection: json": number}, do


async def test_by_http(workspace: Workspace, parsed: Counter[str]) -> None:
    slack = workspace.slack
    tolds = [
        (message, {f"{BOLT}: json": 1}),
        (command, {f"{BOLT}: form": 1}),
        (shortcut, {f"{BOLT}: form": 1, f"{BOLT}: json": 1}),  # the one stands in the other
    ]
    async with served(workspace):
        for do, told in tolds:
            parsed.clear()
            delivery = do(slack)
            await slack.until(partial(is_acked, delivery))
            assert +parsed == told, do
