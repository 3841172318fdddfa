"""What a fork server imports: its children wait a tenth or so of what they would in service."""

from __future__ import annotations

from functools import partial

from openai import _base_client

from bots.discord import client
from bots.discord.listener import ConnectionSettings
from bots.discord.platform import DiscordPlatform
from bots.slack import sockets
from core import runtime
from core.config import model_choice
from core.llm.demo import DemoModel
from core.turn import answer, quarantine, retries, serving, stops, worker

DiscordPlatform.listener.__defaults__ = (ConnectionSettings(poll=0.1),)
vars(_base_client)["INITIAL_RETRY_DELAY"] = 0.05
vars(answer)["_POLL_SECONDS"] = 0.05
vars(client)["_GUILD_SECONDS"] = 0.3
vars(model_choice)["DemoModel"] = partial(DemoModel, pause=0.008)
vars(quarantine)["_AFTER_ANOTHER_SECONDS"] = (0.1, 0.3)
vars(retries)["_FIRST_PAUSE"] = 0.05
vars(retries)["_LONGEST_PAUSE"] = 0.5
vars(retries)["_PATIENCE"] = 2.5
vars(runtime)["_LOOK_SECONDS"] = 0.1
vars(serving)["_AGAIN_SECONDS"] = 0.1
vars(sockets)["_LOOK_SECONDS"] = 0.1
vars(stops)["_LOOK_SECONDS"] = 0.2
vars(worker)["_POLL_SECONDS"] = 0.2
