"""Calls of tools are put together, whichever way an endpoint numbers and cuts them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from core.llm.tool_calls import Calls, parsable

UTC, TOKYO = '{"zone": "UTC"}', '{"zone": "Tokyo"}'
Json = dict[str, object]


def piece(name: str | None = None, arguments: object = None, **more: object) -> Json:
    """One entry of `tool_calls`."""
    given = {"name": name, "arguments": arguments}
    return {**more, "function": {key: each for key, each in given.items() if each is not None}}


ONE = [
    [piece("clock", UTC, index=0, id="a")],
    [piece("clock", UTC, id="a")],
    [piece("clock", UTC)],
    [piece("clock", json.loads(UTC), index=0, id="a")],
    [
        piece("clock", "", index=0, id="a"),
        piece(None, UTC[:7], index=0),
        piece(None, UTC[7:], index=0),
    ],
    [piece("clock", index=0, id="a"), piece(None, UTC[:7]), piece(None, UTC[7:])],
    [piece("clock", "", id="a"), piece(None, UTC[:7], id="a"), piece(None, UTC[7:], id="a")],
    [piece("clock", "", index=0, id="a"), piece(None, UTC, index=1)],
    [
        piece("clock", "", index=0, id="a"),
        piece(None, UTC[:7], id=""),
        piece(None, UTC[7:], id=None),
    ],
    [piece("clock", "", index=0, id="a"), piece("clock", UTC, index=0, id="a")],
    [piece("clock", UTC[:7], index=0, id="a"), piece("clock", UTC[7:], index=0, id="a")],
    [piece("clock", UTC[:7], index="0"), piece("", UTC[7:], index="0")],
    [piece(None, "", index=0, id="a"), piece("clock", UTC, index=0, id="a")],
    [piece("clock", UTC, index=0, id="a"), piece(None, "", index=0), {}, piece("", "")],
    [piece("clock", UTC, index=0, id="a"), piece("clock", "", index=0, id="a")],
    [piece("clock", UTC[:7], index=0, id="a"), piece(None, UTC[7:], index=0, id="b")],
]
TWO = [
    [piece("clock", UTC, index=0, id="a"), piece("clock", TOKYO, index=1, id="b")],
    [piece("clock", UTC, index=0, id="a"), piece("clock", TOKYO, index=0, id="b")],
    [piece("clock", UTC, index=0, id="a"), piece("clock", TOKYO, index=0, id="a")],
    [piece("clock", UTC, index=0), piece("clock", TOKYO, index=0)],
    [piece("clock", UTC), piece("clock", TOKYO)],
    [piece("clock", UTC, id=""), piece("clock", TOKYO, id="")],
    [piece("clock", UTC, id="a"), piece("clock", TOKYO, id="a")],
    [
        piece("clock", "", index=0, id="a"),
        piece("clock", "", index=1, id="b"),
        piece(None, UTC[:7], index=0),
        piece(None, TOKYO[:7], index=1),
        piece(None, UTC[7:], index=0),
        piece(None, TOKYO[7:], index=1),
    ],
    [
        piece("clock", "", id="a"),
        piece(None, UTC, id="a"),
        piece("clock", "", id="b"),
        piece(None, TOKYO, id="b"),
    ],
    [
        piece("clock", "", index=0, id="a"),
        piece("clock", "", index=0, id="b"),
        piece(None, TOKYO, id="b"),
        piece(None, UTC, id="a"),
    ],
    [
        piece("clock", UTC[:7], index=0),
        piece(None, UTC[7:], index=0),
        piece("clock", TOKYO[:7], index=0),
        piece(None, TOKYO[7:], index=0),
    ],
]


def called(pieces: Sequence[object]) -> list[tuple[str, object]]:
    """Name and arguments of each call."""
    calls = Calls()
    for each in pieces:
        calls.add(each)
    finished = calls.finished()
    ids = [call.id for call in finished]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    return [(call.name, json.loads(call.arguments)) for call in finished]


@pytest.mark.parametrize("pieces", ONE)
def test_these_pieces_are_one_call(pieces: list[Json]) -> None:
    assert called(pieces) == [("clock", {"zone": "UTC"})]


@pytest.mark.parametrize("pieces", TWO)
def test_these_pieces_are_two_calls(pieces: list[Json]) -> None:
    assert called(pieces) == [("clock", {"zone": "UTC"}), ("clock", {"zone": "Tokyo"})]


def test_an_id_that_an_endpoint_gave_is_kept_and_another_given_where_it_gave_none() -> None:
    calls = Calls()
    for given in ("a", "a", "", None, 7):
        calls.add(piece("clock", UTC, id=given))
    first, *others = calls.finished()
    assert first.id == "a"
    assert all(call.id.startswith("call_") for call in others)
    assert calls.finished() == (first, *others)


@pytest.mark.parametrize(
    "entry",
    [None, "clock", [], {}, {"function": None}, piece("", UTC), piece(None, UTC), piece("")],
)
def test_what_names_no_tool_is_no_call(entry: object) -> None:
    assert called([entry]) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (None, ""),
        ("", ""),
        ({}, "{}"),
        ({"a": "é\0"}, '{"a": "é"}'),
        ({"a": float("inf")}, '{"a": null}'),
        ([1], "[1]"),
        (5, "5"),
        (True, "true"),
    ],
)
def test_arguments_become_text(arguments: object, text: str) -> None:
    calls = Calls()
    calls.add(piece("clock", arguments))
    assert [call.arguments for call in calls.finished()] == [text]


@pytest.mark.parametrize("text", ["", "5", "[]", '{"a"', '{"a": NaN}', "nul", "{}{}", "[" * 9999])
def test_arguments_that_are_no_object_are_not_sent_back(text: str) -> None:
    assert parsable(text) == "{}"


def test_unknown_fields_stay_with_their_call() -> None:
    calls = Calls()
    calls.add(piece("clock", UTC, index=0, id="a", extra_content={"s": "x"}))
    calls.add(piece(None, "{}", index=1))
    calls.add({"index": 2, "id": "b", "function": {"name": "clock", "arguments": UTC, "sig": "y"}})
    assert calls.unknown_fields()[-1] == {"function": {"sig": "y"}}
    assert calls.unknown_fields()[0] == {"extra_content": {"s": "x"}}
    assert len(calls.unknown_fields()) == len(calls.finished())
