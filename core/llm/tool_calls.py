"""Tool calls put together from the pieces in which endpoints stream them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from core.llm import ToolCall
from core.llm.untrusted import is_object, mapping_of, storable_value, text_of

_READ = {"index", "id", "type", "function"}
_READ_OF_FUNCTION = {"name", "arguments"}


@dataclass(slots=True)
class _Call:
    id: str
    name: str = ""
    arguments: str = ""
    extra: dict[str, object] = field(default_factory=dict[str, object])

    @property
    def is_whole(self) -> bool:
        """Whether the arguments so far are a JSON object."""
        return is_object(self.arguments)


@dataclass(slots=True)
class Calls:
    """The calls of one answer, in the order in which they began.

    Endpoints leave indexes and ids out, give every call the same, or change them from piece to
    piece. What belongs together is told by the id, then by the index, then by whether the
    arguments are complete.
    """

    _calls: list[_Call] = field(default_factory=list[_Call])
    _by_index: dict[object, _Call] = field(default_factory=dict[object, _Call])

    def add(self, piece: object) -> None:
        """Take in one entry of `tool_calls`; what is none is left out."""
        given = mapping_of(piece)
        function = mapping_of(given.get("function"))
        name, arguments = text_of(function.get("name")), _arguments(function.get("arguments"))
        if not (name or arguments or self._calls):
            return
        call = self._call_of(given, name, arguments)
        call.name = call.name or name
        call.arguments += arguments
        call.extra.update(_unknown(given, _READ))
        if extra := _unknown(function, _READ_OF_FUNCTION):
            call.extra["function"] = {**mapping_of(call.extra.get("function")), **extra}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def finished(self) -> tuple[ToolCall, ...]:
        """Every call that has a name; each has an id of its own, given here where need be."""
        seen = set[str]()
        finished: list[ToolCall] = []
        for call in self._calls:
            if not call.name:
                continue
            if not call.id or call.id in seen:
                call.id = f"call_{uuid4().hex}"
            seen.add(call.id)
            finished.append(ToolCall(id=call.id, name=call.name, arguments=call.arguments))
        return tuple(finished)

    def unknown_fields(self) -> list[Mapping[str, object]]:
        """What each of the finished calls has besides id, name and arguments."""
        return [call.extra for call in self._calls if call.name]

    def _call_of(self, piece: Mapping[str, Any], name: str, arguments: str) -> _Call:
        id_, index = text_of(piece.get("id")), piece.get("index")
        same = next((call for call in reversed(self._calls) if id_ and call.id == id_), None)
        if same and not (name and same.name and same.is_whole and arguments):
            return same
        index = index if isinstance(index, int | str) else None
        latest = self._calls[-1] if self._calls else None
        call = latest if index is None else self._by_index.get(index)
        if call is None and not name and not id_:
            call = latest
        if call is None or _is_another(call, id_, name):
            call = _Call(id=id_)
            self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call


def _is_another(call: _Call, id_: str, name: str) -> bool:
    """Whether a piece with this id and name begins a call instead of going on with `call`."""
    if not name or not call.name:
        return False
    if name != call.name or call.is_whole:
        return True
    return bool(id_) and not call.arguments


def parsable(arguments: str) -> str:
    """Many endpoints parse the history's arguments and reject what their own model wrote."""
    return arguments if is_object(arguments) else "{}"


def _arguments(value: object) -> str:
    if value is None or isinstance(value, str):
        return text_of(value)
    return json.dumps(storable_value(value), ensure_ascii=False)


def _unknown(given: Mapping[str, Any], known: set[str]) -> dict[str, object]:
    return {key: value for key, value in given.items() if key not in known and value is not None}
