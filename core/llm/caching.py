"""What an endpoint is told so that its prompt cache is hit: one key a conversation, and marks.

OpenAI's models from gpt-5.6 on match a prefix at marked places only, and charge for each write; by
themselves they mark the newest message, which is never the same twice. Older ones, and most other
endpoints, match the longest prefix by themselves, and many refuse fields that they do not know.
Source: OpenAI's guide on prompt caching.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from core.llm import ModelRequest, PromptCache, PromptMessage

OPTIONS = "prompt_cache_options"
MARK = "prompt_cache_breakpoint"
_EXPLICIT = {"mode": "explicit"}
_VERSION = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?![\do])")
_FIRST_WITH_MARKS = (5, 6)


def resolved(request: ModelRequest, model: str, *, is_openais: bool) -> ModelRequest:
    """The request with what `auto` means there: marks and a key, a key alone, or neither."""
    if request.prompt_cache is PromptCache.OFF or not request.cache_key:
        return replace(request, cache_key="", prompt_cache=PromptCache.OFF)
    if request.prompt_cache is PromptCache.EXPLICIT:
        return request
    if is_openais and _takes_marks(model):
        return replace(request, prompt_cache=PromptCache.EXPLICIT)
    return request if is_openais else replace(request, cache_key="")


def fields(request: ModelRequest) -> dict[str, Any]:
    """What a body of either API gets besides."""
    found: dict[str, Any] = {"prompt_cache_key": request.cache_key} if request.cache_key else {}
    if request.prompt_cache is PromptCache.EXPLICIT:
        found[OPTIONS] = _EXPLICIT
    return found


def marked(written: Mapping[str, object], message: PromptMessage) -> Mapping[str, object]:
    """A message as the body has it, with a mark if what stands before will stand there again."""
    if not message.ends_stable:
        return written
    *others, last = _parts(written["content"])
    return {**written, "content": [*others, {**last, MARK: _EXPLICIT}]}


def _parts(content: object) -> list[dict[str, object]]:
    if isinstance(content, list):
        return cast("list[dict[str, object]]", content)
    return [{"type": "text", "text": content}]


def _takes_marks(model: str) -> bool:
    found = _VERSION.match(model)
    return found is not None and (int(found[1]), int(found[2] or 0)) >= _FIRST_WITH_MARKS
