"""What OpenAI refuses of a request for a response, whichever the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from tests.peers.endpoint.behaviours import Fail
from tests.peers.endpoint.bodies import Body, Item, items_of

_PARAMETERS = {*ResponseCreateParamsStreaming.__annotations__}
_MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
}
_REQUIRED = {
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "reasoning": ("id", "summary"),
}
_PARTS = {"assistant": ("output_text", "refusal")}
_PARTS_OF_OTHERS = ("input_text", "input_image", "input_file")
# by model and call, the reasoning items that were given before it
Given = Mapping[tuple[str, str], Sequence[Mapping[str, object]]]


def refused(body: Body, given: Given | None = None) -> Fail | None:
    """The first of all faults; without `given`, reasoning is nobody's business."""
    items = items_of(body)
    checks = [_parameters(body), _tools(body), _shapes(items)]
    if given is not None:
        model = body["model"]
        needed = {call: reasoning for (asked, call), reasoning in given.items() if asked == model}
        checks.append(_thoughts(body, items, needed))
    return next((fault for check in (*checks, _calls(items)) for fault in check), None)


def _parameters(body: Body) -> Iterator[Fail]:
    for name in body:
        if name in _MOVED:
            yield _invalid(
                f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved "
                f"to '{_MOVED[name]}'. Try again with the new parameter. See the API documentation "
                "for more information: https://platform.openai.com/docs/api-reference/responses/"
                "create.",
                name,
                "unsupported_parameter",
            )
        elif name not in _PARAMETERS:
            yield _invalid(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if "include_usage" in (body.get("stream_options") or ()):
        param = "stream_options.include_usage"
        yield _invalid(f"Unknown parameter: '{param}'.", param, "unknown_parameter")
    if "reasoning.encrypted_content" in (body.get("include") or ()) and body.get("store", True):
        yield _invalid("Encrypted reasoning is for requests with store=false.", "include")


def _tools(body: Body) -> Iterator[Fail]:
    for index, tool in enumerate(body.get("tools") or ()):
        if "name" not in tool:
            yield _missing(f"tools[{index}].name")


def _shapes(items: Iterable[Item]) -> Iterator[Fail]:
    for index, item in enumerate(items):
        at = f"input[{index}]"
        kind = item.get("type")
        if kind is None:
            yield _missing(f"{at}.type")
        elif kind not in _REQUIRED:
            yield _unknown(kind, tuple(_REQUIRED), f"{at}.type")
        else:
            yield from (_missing(f"{at}.{name}") for name in _REQUIRED[kind] if name not in item)
            yield from _contents(item, at)


def _contents(item: Item, at: str) -> Iterator[Fail]:
    if not isinstance(item.get("arguments", ""), str):
        yield _invalid(
            f"Invalid type for '{at}.arguments': expected a string, but got an object instead.",
            f"{at}.arguments",
            "invalid_type",
        )
    content = item.get("content") or ""
    if item["type"] != "message" or isinstance(content, str):
        return
    known = _PARTS.get(item.get("role", ""), _PARTS_OF_OTHERS)
    for index, part in enumerate(content):
        if (kind := part.get("type", "")) not in known:
            yield _unknown(kind, known, f"{at}.content[{index}]")


def _thoughts(
    body: Body, items: Sequence[Item], needed: Mapping[str, Sequence[Mapping[str, object]]]
) -> Iterator[Fail]:
    for index, item in enumerate(items):
        match item.get("type"):
            case "reasoning":
                yield from _thought(body, items, index, needed)
            case "function_call":
                before = [dict(each) for each in items[:index]]
                for reasoning in needed.get(item.get("call_id", ""), ()):
                    if reasoning not in before:
                        yield _without(item, reasoning)
            case _:
                pass


def _thought(
    body: Body,
    items: Sequence[Item],
    index: int,
    needed: Mapping[str, Sequence[Mapping[str, object]]],
) -> Iterator[Fail]:
    item = items[index]
    name = item.get("id", "")
    if not body.get("store", True) and not item.get("encrypted_content"):
        yield Fail(
            status=404,
            type="invalid_request_error",
            message=f"Item with id '{name}' not found. Items are not persisted when `store` is set "
            "to false. Try again with `store` set to true, or remove this item from your input.",
            param="input",
        )
    known = {str(each["id"]): each for given in needed.values() for each in given}
    if name in known and known[name] != item:
        yield _invalid(
            f"The encrypted content for item {name} could not be verified. Reason: Encrypted "
            "content could not be decrypted or parsed.",
            "input",
            "invalid_encrypted_content",
        )
    if index + 1 == len(items) or items[index + 1].get("role", "assistant") != "assistant":
        yield _invalid(
            f"Item '{name}' of type 'reasoning' was provided without its required following item.",
            "input",
        )


def _calls(items: Iterable[Item]) -> Iterator[Fail]:
    waiting: list[str] = []
    for item in items:
        call = item.get("call_id", "")
        if item.get("type") == "function_call":
            waiting.append(call)
        elif item.get("type") == "function_call_output":
            if call not in waiting:
                yield _invalid(
                    f"No tool call found for function call output with call_id {call}.", "input"
                )
            else:
                waiting.remove(call)
    yield from (
        _invalid(f"No tool output found for function call {call}.", "input") for call in waiting
    )


def _without(item: Item, reasoning: Mapping[str, object]) -> Fail:
    return _invalid(
        f"Item '{item.get('id', item.get('call_id'))}' of type 'function_call' was provided "
        f"without its required 'reasoning' item: '{reasoning['id']}'.",
        "input",
    )


def _missing(param: str) -> Fail:
    return _invalid(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def _unknown(value: str, known: Sequence[str], param: str) -> Fail:
    *most, last = (f"'{each}'" for each in known)
    return _invalid(
        f"Invalid value: '{value}'. Supported values are: {', '.join(most)} and {last}.",
        param,
        "invalid_value",
    )


def _invalid(message: str, param: str, code: str | None = None) -> Fail:
    return Fail(status=400, type="invalid_request_error", message=message, param=param, code=code)
