"""What a fork server imports: its children wait a tenth of what people and models are given."""

from __future__ import annotations

from functools import partial

from openai import _base_client

from core.config import model_choice
from core.llm.demo import DemoModel
from core.turn import retries

vars(_base_client)["INITIAL_RETRY_DELAY"] = 0.05
vars(model_choice)["DemoModel"] = partial(DemoModel, pause=0.008)
vars(retries)["_FIRST_PAUSE"] = 0.1
vars(retries)["_LONGEST_PAUSE"] = 1.0
vars(retries)["_PATIENCE"] = 5.0
