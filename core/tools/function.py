"""A function as a tool: its signature says what the model passes, its docstring what it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, make_dataclass
from functools import partial
from inspect import Parameter, getdoc, isawaitable, iscoroutinefunction, signature

from pydantic import ConfigDict, TypeAdapter, ValidationError

from core.config.validation import plain_words
from core.errors import ConfigMistake, ToolError
from core.tools import Tool, ToolContext
from core.tools.threads import in_thread

Function = Callable[..., object]  # type: ignore[explicit-any]  # whatever its parameters are

_BY_NAME = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}


def tool_from(function: Function, name: str) -> Tool:
    """The tool `name`; a parameter annotated `ToolContext` is ours to fill, not the model's.

    Functions that are not async run in a thread. A result that is not text becomes JSON.

    Raises:
        ConfigMistake: a parameter cannot be passed by name.
        ValueError, TypeError, NameError, AttributeError, PydanticUserError: there is no
            signature, or its annotations are no types that JSON can carry.
    """
    parameters = signature(function, eval_str=True).parameters.values()
    if any(parameter.kind not in _BY_NAME for parameter in parameters):
        raise ConfigMistake(f"tool {name!r}: each parameter needs a name: no *args, no **kwargs")
    ours = [each.name for each in parameters if each.annotation is ToolContext]
    theirs = [each for each in parameters if each.annotation is not ToolContext]
    adapter = _adapter(name, theirs)

    async def run(given: Mapping[str, object], context: ToolContext) -> str:
        checked = _checked(adapter, given, [each.name for each in theirs])
        arguments = {**checked, **dict.fromkeys(ours, context)}
        return _text(await _called(partial(function, **arguments), context.agent_id))

    return Tool(
        name=name,
        description=getdoc(function) or "",
        parameters=adapter.json_schema(),
        run=run,
    )


def _adapter(name: str, parameters: Iterable[Parameter]) -> TypeAdapter[object]:
    arguments = make_dataclass(
        name,
        [_field(parameter) for parameter in parameters],
        kw_only=True,
        namespace={"__pydantic_config__": ConfigDict(extra="forbid")},
    )
    return TypeAdapter(arguments)


def _field(parameter: Parameter) -> tuple[str, object, object]:
    annotation = object if parameter.annotation is Parameter.empty else parameter.annotation
    if parameter.default is Parameter.empty:
        return parameter.name, annotation, field()
    return parameter.name, annotation, field(default_factory=lambda: parameter.default)


def _checked(
    adapter: TypeAdapter[object], given: Mapping[str, object], names: Iterable[str]
) -> dict[str, object]:
    try:
        arguments = adapter.validate_python(dict(given))
    except ValidationError as error:
        complaints = [
            f"{'.'.join(map(str, detail['loc']))}: {plain_words(detail, names)}"
            for detail in error.errors(include_url=False)
        ]
        raise ToolError("; ".join(complaints)) from error
    return {name: getattr(arguments, name) for name in names}


async def _called(call: partial[object], agent_id: int) -> object:
    result = call() if iscoroutinefunction(call) else await in_thread(agent_id, call)
    return await result if isawaitable(result) else result


def _text(result: object) -> str:
    if isinstance(result, str):
        return result
    return json.dumps(result, default=str, ensure_ascii=False)
