"""What was found, as a model reads it: whole runs of messages with dates, as many as fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from core.llm.tokens import estimate
from core.memory.passages import LONGEST, SHORT, Said, context, split
from core.memory.ranking import Candidate
from storage.drivers.script import Script
from storage.models import MessageRole
from storage.passages import Index, Told

_BEFORE = 2  # messages that are read with one
_MISFITS = 10  # that are skipped before it ends
_TOKENS_OF_HIT = 25  # the fewest, about: who shows so much needs no more hits

Place = tuple[int, int]  # conversation and seq
Run = tuple[date, int]  # day and conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A message or a passage of one; `part` is -1 where it is whole."""

    place: Place
    part: int
    text: str


def shown(
    index: Index,
    best: Sequence[Candidate],
    tokens: int,
    *,
    fits: Callable[[Told], bool] | None = None,
) -> Script[Page]:
    """As much of the best as has at most so many tokens.

    Only messages that `fits` takes are hits. Oldest first. A short message has its context, an
    agent's the person's message before it. Hits that do not fit are left out.
    """
    if fits is None:
        best = best[: 2 + tokens // _TOKENS_OF_HIT]
    around = yield from index.around([each.id for each in best], before=_BEFORE)
    told = {(each.conversation_id, each.seq): each for each in around}
    page, misfits = Page(told, tokens), 0
    for each in best:
        if each.message not in told or (fits and not fits(told[each.message])):
            continue
        misfits += not page.take(_lines(each.message, each.part, told))
        if misfits > _MISFITS:
            break
    return page


class Page:
    """Lines, as many as fit, with a date above each run of one day and place."""

    def __init__(self, told: Mapping[Place, Told], room: int) -> None:
        """`room` is in tokens."""
        self._told = told
        self._room = room
        self._taken: dict[tuple[Place, int], Line] = {}
        self._runs = set[Run]()

    def take(self, lines: Iterable[Line]) -> bool:
        """Show these, too, those of them that are not shown; False if there is no room."""
        taken = self._taken
        new = [
            line for line in lines if not {(line.place, line.part), (line.place, -1)} & taken.keys()
        ]
        runs = {self._run(line) for line in new} - self._runs
        cost = sum(estimate(line.text) + 1 for line in new)
        cost += sum(estimate(_header(run)) + 1 for run in runs)
        if cost > self._room:
            return False
        self._room -= cost
        self._runs |= runs
        taken |= {(line.place, line.part): line for line in new}
        return True

    @property
    def lines(self) -> list[Line]:
        """The oldest day first."""
        key = {line: (self._run(line), line.place, line.part) for line in self._taken.values()}
        return sorted(key, key=lambda line: key[line])

    @property
    def text(self) -> str:
        """All of them."""
        rendered: list[str] = []
        last: Run | None = None
        for line in self.lines:
            if (run := self._run(line)) != last:
                rendered.append(_header(run))
                last = run
            rendered.append(line.text)
        return "\n".join(rendered)

    def _run(self, line: Line) -> Run:
        return self._told[line.place].said_at.date(), line.place[0]


def _lines(place: Place, part: int, told: Mapping[Place, Told]) -> Iterable[Line]:
    message = told[place]
    said, before = _said(message), _just_before(place, told)
    if not said.is_person:
        if before and before[-1].role is MessageRole.USER:
            asked = before[-1]
            yield _whole((asked.conversation_id, asked.seq), asked)
        yield _passage(place, part, message)
        return
    around = context(said, [_said(each) for each in before])
    for each in before[len(before) - len(around) :]:
        yield _whole((each.conversation_id, each.seq), each)
    yield _passage(place, part, message) if len(said.text) > LONGEST else _whole(place, message)


def _just_before(place: Place, told: Mapping[Place, Told]) -> list[Told]:
    """In the same turn: that is how long a session lasts."""
    found: list[Told] = []
    for back in range(1, _BEFORE + 1):
        each = told.get((place[0], place[1] - back))
        if each is None or each.turn_id != told[place].turn_id:
            break
        found.append(each)
    return found[::-1]


def _said(told: Told) -> Said:
    return Said(
        author=told.author,
        text=told.text,
        said_at=told.said_at,
        is_person=told.role is MessageRole.USER,
    )


def _whole(place: Place, told: Told) -> Line:
    """A long one as its beginning: a passage of it is found by itself."""
    text = told.text if len(told.text) <= SHORT else f"{split(told.text)[0]} …"
    return Line(place=place, part=-1, text=_bullet(told, text))


def _passage(place: Place, part: int, told: Told) -> Line:
    found = split(told.text)
    if len(found) == 1:
        return _whole(place, told)
    return Line(place=place, part=part, text=_bullet(told, found[min(part, len(found) - 1)]))


def _bullet(told: Told, text: str) -> str:
    """Whose words they are is beyond doubt, whatever they say."""
    who = told.author if told.role is MessageRole.USER else "you"
    return f"- {who}: {text}".replace("\n", "\n   ")


def _header(run: Run) -> str:
    return f"  {run[0]:%d %B %Y}"
