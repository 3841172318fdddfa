"""Several models as one: the next is asked when one fails before its first word."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from core.errors import ContextOverflow, ModelDown, ModelRefused
from core.llm import ChatModel, ModelEvent, ModelRequest

log = logging.getLogger(__name__)


class FallbackModel:
    """A ChatModel with substitutes, in the order of preference."""

    def __init__(self, models: Sequence[ChatModel]) -> None:
        self._models = tuple(models)

    @property
    def name(self) -> str:
        """The preferred model; `Finished.model` says which one answered."""
        return self._models[0].name

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """As ChatModel says. If all fail and one is only down, that is what is raised."""
        failures: list[ModelDown | ModelRefused] = []
        for model in self._models:
            begun = False
            try:
                async with aclosing(model.stream(request)) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except ContextOverflow:
                raise
            except (ModelDown, ModelRefused) as failure:
                if begun:
                    raise
                log.warning(
                    "A model failed before its first word.",
                    extra={"model": model.name, "reason": str(failure)},
                )
                failures.append(failure)
        raise next((each for each in failures if isinstance(each, ModelDown)), failures[0])
