"""Block Kit: what Slack refuses in blocks, and what a person reads in them."""

from __future__ import annotations

import json

from tests.peers.slack.wire import Json, RefusedError, parsed

MARKDOWN_LIMIT = 12_000  # over all markdown blocks of one payload
ALL_LIMIT = 13_200  # over all blocks of one message, measured in bolt-js#2509
_KNOWN = {
    *("section", "markdown", "divider", "header", "context", "actions", "image", "rich_text"),
    *("context_actions", "input", "video", "file", "table", "plan", "task_card", "alert"),
    *("card", "carousel", "container"),
}
_REQUIRED = {
    "markdown": "text",
    "header": "text",
    "context": "elements",
    "actions": "elements",
    "context_actions": "elements",
    "rich_text": "elements",
    "table": "rows",
    "image": "alt_text",
    "input": "element",
}
_TEXT_LIMITS = {"section": 3000, "header": 150}
_ELEMENT_LIMITS = {"actions": 25, "context": 10, "context_actions": 5}
_BUTTON_LIMITS = {"value": 2000, "action_id": 255, "url": 3000}


def read(value: object, *, most: int = 50) -> list[Json]:
    """The `blocks` argument, parsed and accepted; raises RefusedError in Slack's words."""
    if isinstance(value, str):
        try:
            value = parsed(value)
        except ValueError as error:
            raise RefusedError("invalid_blocks_format") from error
    if not isinstance(value, list) or not all(isinstance(block, dict) for block in value):
        raise RefusedError("invalid_blocks_format")
    blocks: list[Json] = parsed(json.dumps(value))
    problems = _too_many("/blocks", blocks, most)
    for index, block in enumerate(blocks):
        problems += _problems(block, f"/blocks/{index}")
    problems += _repeated(blocks)
    if problems:
        messages = [f"[ERROR] {problem}" for problem in problems]
        raise RefusedError(
            "invalid_blocks", errors=problems, response_metadata=Json(messages=messages)
        )
    _check_sizes(blocks)
    for index, block in enumerate(blocks):
        block.setdefault("block_id", f"peer{index}")
    return blocks


def _check_sizes(blocks: list[Json]) -> None:
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MARKDOWN_LIMIT or sum(_length(block) for block in blocks) > ALL_LIMIT:
        raise RefusedError("msg_blocks_too_long")
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise RefusedError("only_one_table_allowed")


def _length(value: object) -> int:
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(_length(item) for item in value.values())
    if isinstance(value, list):
        return sum(_length(item) for item in value)
    return 0


def _at(where: str, problem: str) -> str:
    return f"{problem} [json-pointer:{where}]"


def _too_many(where: str, items: list[Json], most: int) -> list[str]:
    return [_at(where, f"no more than {most} items allowed")] if len(items) > most else []


def _too_long(where: str, text: object, most: int) -> list[str]:
    if not isinstance(text, str):
        return [_at(where, "must be a string")]
    if not text:
        return [_at(where, "must be more than 0 characters")]
    return [_at(where, f"must be less than {most + 1} characters")] if len(text) > most else []


def _repeated(blocks: list[Json]) -> list[str]:
    seen: set[str] = set()
    problems = []
    for index, block in enumerate(blocks):
        block_id = block.get("block_id")
        if block_id is not None and block_id in seen:
            problems.append(_at(f"/blocks/{index}/block_id", "`block_id` already exists"))
        seen.add(str(block_id))
    return problems


def _problems(block: Json, where: str) -> list[str]:
    kind = block.get("type")
    if kind not in _KNOWN:
        return [_at(f"{where}/type", f"unsupported type: {kind}")]
    required = _REQUIRED.get(kind)
    if required and required not in block:
        return [_at(where, f"missing required field: {required}")]
    problems = []
    if "block_id" in block:
        problems += _too_long(f"{where}/block_id", block["block_id"], 255)
    if kind == "markdown":
        problems += _too_long(f"{where}/text", block["text"], MARKDOWN_LIMIT * 10)
    elif kind in _TEXT_LIMITS:
        problems += _text_problems(block, where, _TEXT_LIMITS[kind])
    elif kind in _ELEMENT_LIMITS:
        problems += _element_problems(block, where, _ELEMENT_LIMITS[kind])
    elif kind == "table":
        problems += _table_problems(block, where)
    return problems


def _text_problems(block: Json, where: str, most: int) -> list[str]:
    fields = block.get("fields", [])
    if "text" not in block:
        missing = [] if fields else [_at(where, "missing required field: text")]
    else:
        missing = _text_object(block["text"], f"{where}/text", most)
    for index, item in enumerate(fields):
        missing += _text_object(item, f"{where}/fields/{index}", 2000)
    missing += _too_many(f"{where}/fields", fields, 10)
    if "accessory" in block:
        missing += _control_problems(block["accessory"], f"{where}/accessory")
    return missing


def _text_object(text: object, where: str, most: int) -> list[str]:
    if not isinstance(text, dict) or text.get("type") not in ("plain_text", "mrkdwn"):
        return [_at(where, "failed to match all allowed schemas")]
    return _too_long(f"{where}/text", text.get("text"), most)


def _element_problems(block: Json, where: str, most: int) -> list[str]:
    elements = block["elements"]
    if not elements:
        return [_at(f"{where}/elements", "no fewer than 1 items allowed")]
    problems = _too_many(f"{where}/elements", elements, most)
    if block["type"] == "context":
        return problems
    ids = [element.get("action_id") for element in elements if "action_id" in element]
    if len(ids) != len(set(ids)):
        problems.append(_at(f"{where}/elements", "`action_id` already exists"))
    for index, element in enumerate(elements):
        problems += _control_problems(element, f"{where}/elements/{index}")
    return problems


def _control_problems(element: Json, where: str) -> list[str]:
    problems = []
    for key, most in _BUTTON_LIMITS.items():
        if key in element:
            problems += _too_long(f"{where}/{key}", element[key], most)
    if element.get("type") == "button":
        problems += _text_object(element.get("text"), f"{where}/text", 75)
    return problems


def _table_problems(block: Json, where: str) -> list[str]:
    problems = _too_many(f"{where}/rows", block["rows"], 100)
    for index, row in enumerate(block["rows"]):
        problems += _too_many(f"{where}/rows/{index}", row, 20)
    return problems
