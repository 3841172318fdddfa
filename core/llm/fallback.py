"""Several models as one: the next is asked when one fails, breaks off or keeps silent at first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from core.errors import ContextOverflow, ModelDown, ModelRefused
from core.llm import Begun, ChatModel, ModelEvent, ModelRequest, Retracted
from core.llm.time_limits import first_event_seconds

log = logging.getLogger(__name__)


class FallbackModel:
    """A ChatModel with substitutes, in the order of preference."""

    def __init__(
        self, models: Sequence[ChatModel], *, first_token_seconds: float | None = None
    ) -> None:
        """Another model is asked after `first_token_seconds` without any event."""
        self._models = tuple(models)
        self._first_token_seconds = first_token_seconds

    @property
    def name(self) -> str:
        """The preferred model; `Finished.model` says which one answered."""
        return self._models[0].name

    @property
    def terms(self) -> str:
        """Of the preferred model."""
        return self._models[0].terms

    @property
    def window(self) -> int | None:
        """Of the preferred model."""
        return self._models[0].window

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """As ChatModel says. If all fail and one is only down, that is what is raised.

        What one said before it broke off is taken back when the next begins.
        """
        failures: list[ModelDown | ModelRefused] = []
        for model in self._models:
            begun = False
            try:
                async with aclosing(model.stream(request)) as events:
                    yield await self._first(events, request, model)
                    async for event in events:
                        begun = begun or not isinstance(event, Begun)
                        yield event
                return
            except ContextOverflow:
                raise
            except (ModelDown, ModelRefused) as failure:
                extra = {"model": model.name, "reason": str(failure)}
                log.warning("A model failed.", extra=extra)
                failures.append(failure)
                if begun and model is not self._models[-1]:
                    yield Retracted()
        raise next((each for each in failures if isinstance(each, ModelDown)), failures[0])

    async def _first(
        self, events: AsyncGenerator[ModelEvent, None], request: ModelRequest, model: ChatModel
    ) -> ModelEvent:
        """The first event, in time where another model is left to be asked."""
        seconds = self._first_token_seconds or first_event_seconds(request.reasoning_effort)
        try:
            async with asyncio.timeout(None if model is self._models[-1] else seconds):
                return await anext(events)
        except TimeoutError as error:
            raise ModelDown(f"{model.name} said nothing for {seconds:g} seconds.") from error
