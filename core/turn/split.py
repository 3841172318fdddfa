"""Cuts a Markdown answer into messages that a platform can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import assert_never

from core.graphemes import boundary
from core.markdown import Block, Kind, blocks, fence

_DEEPEST_INDENT = 3  # spaces; what stands behind more begins no code
_LONGEST_FENCE = 20  # characters; what is more is nobody's code
_IN_A_FILE = "(The whole is in the file below.)"


class _Part:
    """Lines that grow into a part; knows its length without counting again."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.lines = list(lines)
        self._length = _length(lines)

    def takes(self, lines: Sequence[str], limit: int) -> bool:
        """Whether these lines fit, too."""
        return self._length + bool(self.lines) + _length(lines) <= limit

    def room(self, closing: Sequence[str], limit: int) -> int:
        """How many characters one more line may have, with these lines behind it."""
        return limit - self._length - bool(self.lines) - bool(closing) - _length(closing)

    def add(self, lines: Sequence[str]) -> None:
        """Append these lines."""
        self._length += bool(self.lines) + _length(lines)
        self.lines += lines

    def ended(self, lines: Sequence[str] = ()) -> str:
        """The text, with these lines behind it."""
        return "\n".join([*self.lines, *lines]).strip("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """Lines that belong together: a code block, a table, a list item, a paragraph, a blank line.

    Where it has to be cut all the same, the part that is cut off ends with `closing`, and what
    follows begins with `opening`. At the beginning of a part the lines are those `alone`, if there
    are any: what is indented below a list item there is no part of it here.
    """

    lines: Sequence[str]
    opening: Sequence[str] = ()
    closing: Sequence[str] = ()
    alone: Sequence[str] = ()
    is_complete: bool = False
    is_heading: bool = False
    may_be_file: bool = False

    def cut(self, limit: int, above: Sequence[str]) -> tuple[list[str], _Part]:
        """Parts of `limit` characters at most, and the last one, to which more may be added.

        The first part begins with the lines `above`.
        """
        lines = self.alone or self.lines
        if _length([*above, *lines]) <= limit:
            return [], _Part([*above, *lines])
        longest = limit - _length([*self.opening, *self.closing]) - 2
        done: list[str] = []
        part, begun = _Part(above), len(above)
        for number, line in enumerate(lines, start=1):
            rest, is_end = line, self.is_complete and number == len(lines)
            closing = () if is_end else self.closing
            while not part.takes([rest, *closing], limit):
                room = part.room(closing, limit)
                if len(part.lines) == begun or (len(rest) > longest and room >= limit // 2):
                    end = _end_of_piece(rest, room)
                    part.add([rest[:end]])
                    rest = rest[end:]
                done.append(part.ended(self.closing))
                part, begun = _Part(self.opening), len(self.opening)
            part.add([rest])
        return done, part


def parts(text: str, limit: int, *, with_files: bool = False, most: int | None = None) -> list[str]:
    """At least one part, none longer than `limit` characters (code points).

    Cuts between paragraphs, list items, tables and code blocks, and inside of one only where
    it alone is too long: then between its lines, and in a line only where that alone is too
    long. A code block that is cut is closed in one part and opened again in the next; a table
    begins again with its head. A heading stands in the part of what follows it. No character as
    people see it is cut in two. `limit` is 100 at least.

    With files, a code block or a table that is too long is one part by itself, whatever its
    length, and never the first one: it is meant to be shown as a file. Of more than `most` parts
    only the beginning of the first is kept, and the whole text is one code block of Markdown: a
    file, too.
    """
    if len(text) <= limit:
        return [text]
    found = _with_files(text, limit) if with_files else _packed(_units(text, limit), limit)
    if most and len(found) > most:
        return [_beginning(text, limit), _as_code_block(text)]
    return found or [""]


def _beginning(text: str, limit: int) -> str:
    note = f"\n\n{_IN_A_FILE}"
    return f"{parts(text, limit - len(note))[0]}{note}"


def _as_code_block(text: str) -> str:
    marker = fence(text)
    return f"{marker}markdown\n{text}\n{marker}"


def _with_files(text: str, limit: int) -> list[str]:
    found: list[str] = []
    units = _units(text, limit)
    for is_file, group in groupby(units, key=lambda unit: _is_file(unit, limit)):
        if is_file:
            found += [*([] if found else [_IN_A_FILE]), *(_joined([unit]) for unit in group)]
        elif words := _joined(group).strip("\n"):
            found += parts(words, limit)
    return found


def _packed(units: Iterable[_Unit], limit: int) -> list[str]:
    """As many units in a part as fit, each with the headings above it."""
    done: list[str] = []
    part = _Part()
    for above, unit in _below_headings(units, limit):
        if part.takes([*above, *unit.lines], limit):
            part.add([*above, *unit.lines])
            continue
        whole, rest = unit.cut(limit, above)
        done += [part.ended(), *whole]
        part = rest
    return [each for each in [*done, part.ended()] if each]


def _below_headings(units: Iterable[_Unit], limit: int) -> Iterator[tuple[list[str], _Unit]]:
    """The units but headings, each with the lines of the headings and blank lines above it."""
    above: list[str] = []
    for unit in units:
        is_above = unit.is_heading or (above and not "".join(unit.lines).strip())
        if is_above and _length([*above, *unit.lines]) < limit // 4:
            above += unit.lines
        else:
            yield above, unit
            above = []
    if above:
        yield [], _Unit(lines=above)


def _units(text: str, limit: int) -> Iterator[_Unit]:
    for block in blocks(text):
        match block.kind:
            case Kind.CODE if len(block.closing) <= _LONGEST_FENCE:
                yield _code(block, limit)
            case Kind.TABLE:
                head = block.lines[:2]
                opening = head if _length(head) < limit // 4 else ()
                yield _Unit(lines=block.lines, opening=opening, may_be_file=True)
            case Kind.CODE | Kind.HEADING | Kind.WORDS | Kind.BLANK:
                yield _Unit(lines=block.lines, is_heading=block.kind is Kind.HEADING)
            case _:
                assert_never(block.kind)


def _code(block: Block, limit: int) -> _Unit:
    indent = block.indent if ">" in block.indent else block.indent[:_DEEPEST_INDENT]
    opening, closing = f"{indent}{block.fence}{block.info}", f"{indent}{block.fence}"
    opening = opening if len(opening) <= limit // 4 else closing
    ending = [closing] if block.is_closed else block.lines[1:][-1:]
    return _Unit(
        lines=block.lines,
        opening=[opening],
        closing=[closing],
        alone=[] if indent == block.indent else [opening, *block.lines[1:-1], *ending],
        is_complete=block.is_closed,
        may_be_file=block.is_closed,
    )


def _is_file(unit: _Unit, limit: int) -> bool:
    return unit.may_be_file and _length(unit.lines) > limit


def _end_of_piece(line: str, longest: int) -> int:
    """Where to cut a line: after a space, or else between two characters as people see them."""
    return boundary(line, line.rfind(" ", longest // 2, longest) + 1 or longest)


def _length(lines: Sequence[str]) -> int:
    return sum(map(len, lines)) + max(len(lines) - 1, 0)


def _joined(units: Iterable[_Unit]) -> str:
    return "\n".join(line for unit in units for line in unit.lines)
