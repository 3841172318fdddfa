"""The steps of a turn as the database keeps them, and as the model is shown them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from core.llm import Finished, Native, PromptMessage, Role, ToolCall
from core.tools import ToolResult
from storage.models import Step, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStep:
    """A finished model call."""

    text: str
    model: str
    finish_reason: str
    tool_calls: tuple[ToolCall, ...] = ()
    native: Native | None = None

    @classmethod
    def of(cls, finished: Finished) -> ModelStep:
        """What is kept of a model's answer."""
        return cls(
            text=finished.text,
            model=finished.model,
            finish_reason=finished.finish_reason,
            tool_calls=finished.tool_calls,
            native=finished.native,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStep:
    """A finished tool call."""

    call_id: str
    name: str
    text: str
    is_error: bool

    @classmethod
    def of(cls, call: ToolCall, result: ToolResult) -> ToolStep:
        """What is kept of a tool's result."""
        return cls(call_id=call.id, name=call.name, text=result.text, is_error=result.is_error)


class Journal:
    """What is finished of one turn, in order."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps: list[ModelStep | ToolStep] = [_read(step) for step in steps]

    @property
    def next_number(self) -> int:
        """The number of the step to be recorded next, from 1."""
        return len(self._steps) + 1

    @property
    def model_calls(self) -> int:
        """How many model calls are finished."""
        return sum(isinstance(step, ModelStep) for step in self._steps)

    @property
    def called(self) -> tuple[str, ...]:
        """The names of the tools that have given a result, in order."""
        return tuple(step.name for step in self._steps if isinstance(step, ToolStep))

    @property
    def text(self) -> str:
        """What the model has said so far, over all its calls."""
        said = (step.text for step in self._steps if isinstance(step, ModelStep))
        return "\n\n".join(text for text in said if text)

    @property
    def last_answer(self) -> ModelStep | None:
        """The newest model call."""
        return next((step for step in reversed(self._steps) if isinstance(step, ModelStep)), None)

    @property
    def is_answered(self) -> bool:
        """Whether the newest model call asked for nothing more."""
        answer = self.last_answer
        return answer is not None and not answer.tool_calls

    def add(self, step: ModelStep | ToolStep) -> None:
        """Append a step that has been recorded."""
        self._steps.append(step)

    def open_calls(self) -> list[ToolCall]:
        """The tool calls of the newest model call that have no result yet, in order."""
        answer = self.last_answer
        done = {step.call_id for step in self._steps_after_answer()}
        return [call for call in (answer.tool_calls if answer else ()) if call.id not in done]

    def as_prompt(self) -> list[PromptMessage]:
        """The steps as the model has to see them to go on."""
        return [_shown(step) for step in self._steps]

    def _steps_after_answer(self) -> Sequence[ToolStep]:
        after: list[ToolStep] = []
        for step in self._steps:
            after = [*after, step] if isinstance(step, ToolStep) else []
        return after


def _read(step: Step) -> ModelStep | ToolStep:
    return _STEPS[step.kind].validate_python(step.content)


_STEPS: dict[StepKind, TypeAdapter[ModelStep] | TypeAdapter[ToolStep]] = {
    StepKind.MODEL: TypeAdapter(ModelStep),
    StepKind.TOOL: TypeAdapter(ToolStep),
}


def _shown(step: ModelStep | ToolStep) -> PromptMessage:
    if isinstance(step, ToolStep):
        return PromptMessage(role=Role.TOOL, content=step.text, tool_call_id=step.call_id)
    return PromptMessage(
        role=Role.ASSISTANT, content=step.text, tool_calls=step.tool_calls, native=step.native
    )
