"""What a dialect is: what an endpoint answers, what it wants to see, and what is right then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.peers.endpoint.behaviours import Exactly
from tests.peers.endpoint.bodies import Body, Message, in_messages
from tests.peers.endpoint.rules import Api

Json = Mapping[str, object]


class Outcome(StrEnum):
    """How a turn ends in the end."""

    ANSWERS = "answers"
    CUT = "cut"  # the answer stops at the limit of its length
    FILTERED = "filtered"  # the endpoint's filter stopped it
    REFUSAL = "refusal"  # the model declined, in words of its own
    OVERFLOW = "overflow"  # the prompt is too long
    DOWN = "down"  # no answer, or half of one
    REFUSED = "refused"  # the endpoint does not take the request


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a request has to have for the dialect to show, besides instructions and tools.

    `characters` is its least length, `messages` how many the person wrote in a row. With
    `short_first` a short question is answered before: only by that can the refusal be understood.
    """

    temperature: float | None = None
    effort: str | None = None
    characters: int = 0
    messages: int = 1
    short_first: bool = False


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What is right: `calls` of the first answer, `text` and `usage` of the last one.

    `usage` is input, cached input, output. `without` are parameters that the request which is
    taken at last does not have. `limit` is the number of tokens that an overflow names.
    """

    outcome: Outcome = Outcome.ANSWERS
    text: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    usage: tuple[int, int, int] | None = None
    without: tuple[str, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class Objection:
    """What is not taken, one of: a parameter (dotted), a role, a length, an order of roles."""

    answer: Exactly
    parameter: str = ""
    role: str = ""
    longer_than: int | None = None
    not_alternating: bool = False

    def applies(self, body: Body) -> bool:
        """Whether the request is refused for this."""
        messages = in_messages(body)["messages"]
        if self.parameter:
            return is_sent(self.parameter, body)
        if self.role:
            return any(message["role"] == self.role for message in messages)
        if self.longer_than is not None:
            return sum(len(str(each["content"] or "")) for each in messages) > self.longer_than
        return self.not_alternating and not _alternate(messages)


@dataclass(frozen=True, kw_only=True)
class Play:
    """One answer. Before it, each of `given_back` must be part of a message or item."""

    answer: Exactly
    given_back: tuple[Json, ...] = ()


_LACKING = Exactly(
    pieces=('{"error": {"message": "Something that was given is missing.", "code": 400}}',),
    status=400,
    content_type="application/json",
)
_NOT_FOUND = Exactly(
    pieces=('{"detail": "Not Found"}',), status=404, content_type="application/json"
)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One endpoint as one report has it, on one API.

    The last play is for requests that bring the results of tools, the first for all others.
    `lacking` is answered where something was not given back, `elsewhere` on the other API.
    """

    name: str
    source: str
    plays: tuple[Play, ...]
    expects: Expected
    api: Api = "chat"
    ask: Ask = field(default_factory=Ask)
    objections: tuple[Objection, ...] = ()
    lacking: Exactly = _LACKING
    elsewhere: Exactly = _NOT_FOUND

    def answer(self, body: Body) -> Exactly:
        """What this request is answered."""
        for objection in self.objections:
            if objection.applies(body):
                return objection.answer
        play = self.plays[-1 if _has_results(body) else 0]
        given = list(_pieces(body))
        if all(any(contains(piece, part) for piece in given) for part in play.given_back):
            return play.answer
        return self.lacking


def contains(whole: object, part: object) -> bool:
    """Whether everything of the part is in the whole, at the same places."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(
            name in whole and contains(whole[name], value) for name, value in part.items()
        )
    if isinstance(part, list | tuple):
        return (
            isinstance(whole, list | tuple)
            and len(whole) == len(part)
            and all(map(contains, whole, part))
        )
    return whole == part


def is_sent(parameter: str, body: Mapping[str, object]) -> bool:
    """Whether the request has the parameter, `reasoning.effort` being one within another."""
    name, _, rest = parameter.partition(".")
    inner = body.get(name)
    return isinstance(inner, dict) and is_sent(rest, inner) if rest else name in body


def _pieces(body: Body) -> Iterator[object]:
    given = body.get("messages") or body.get("input")
    yield from given if isinstance(given, list) else ()


def _has_results(body: Body) -> bool:
    roles = [message["role"] for message in in_messages(body)["messages"]]
    return "tool" in roles[len(roles) - roles[::-1].index("user") :] if "user" in roles else False


def _alternate(messages: list[Message]) -> bool:
    """As chat templates look at it: results of tools break it, instructions at the top do not."""
    roles = [message["role"] for message in messages]
    roles = roles[1:] if roles[:1] == ["system"] else roles
    return all(role == ("user", "assistant")[at % 2] for at, role in enumerate(roles))
