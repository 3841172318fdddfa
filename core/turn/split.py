"""Cuts a Markdown answer into messages that a platform can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.graphemes import boundary

_FENCE = re.compile(r"^ {0,3}(`{3,16}(?=[^`]*$)|~{3,16}(?!~))(.*)$")
_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_DELIMITER = re.compile(r"^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_HEADING = re.compile(r"^ {0,3}(?:#{1,6}[ \t]+\S.*|\*\*[^*]+\*\*:?[ \t]*)$")
_BACKTICKS = re.compile(r"`+")
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

    Where it has to be cut all the same, the cut-off part ends with `closing`, and what follows
    begins with `opening`.
    """

    lines: list[str]
    opening: list[str]
    closing: list[str]
    is_complete: bool = False
    may_be_file: bool = False

    @property
    def is_heading(self) -> bool:
        """Whether it is a heading: of `#`, or a line in bold."""
        return len(self.lines) == 1 and bool(_HEADING.match(self.lines[0]))

    def cut(self, limit: int, above: Sequence[str]) -> tuple[list[str], _Part]:
        """Parts of `limit` characters at most, and the last one, to which more may be added.

        The first part begins with the lines `above`.
        """
        if _length([*above, *self.lines]) <= limit:
            return [], _Part([*above, *self.lines])
        longest = limit - _length([*self.opening, *self.closing]) - 2
        done: list[str] = []
        part, begun = _Part(above), len(above)
        for number, line in enumerate(self.lines, start=1):
            rest, is_end = line, self.is_complete and number == len(self.lines)
            closing = [] if is_end else self.closing
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
    if with_files:
        found = _with_files(text, limit)
    else:
        found = _packed(_units(text.split("\n"), limit), limit)
    if most and len(found) > most:
        return [_beginning(text, limit), _as_code_block(text)]
    return found or [""]


def _beginning(text: str, limit: int) -> str:
    note = f"\n\n{_IN_A_FILE}"
    return f"{parts(text, limit - len(note))[0]}{note}"


def _as_code_block(text: str) -> str:
    """The fence is longer than every run of backticks in the text."""
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}markdown\n{text}\n{fence}"


def _with_files(text: str, limit: int) -> list[str]:
    found: list[str] = []
    units = _units(text.split("\n"), limit)
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
        yield [], _Unit(lines=above, opening=[], closing=[])


def _units(lines: list[str], limit: int) -> Iterator[_Unit]:
    start = 0
    while start < len(lines):
        unit = (
            _code(lines, start, limit)
            or _table(lines, start, limit)
            or _Unit(lines=lines[start : _end_of_words(lines, start)], opening=[], closing=[])
        )
        yield unit
        start += len(unit.lines)


def _code(lines: list[str], start: int, limit: int) -> _Unit | None:
    found = _FENCE.match(lines[start])
    if not found:
        return None
    marker = found[1]
    closes = (at for at in range(start + 1, len(lines)) if _closes(lines[at], marker))
    end = next(closes, None)
    opening = lines[start] if len(lines[start]) <= limit // 4 else marker
    return _Unit(
        lines=lines[start:] if end is None else [*lines[start:end], lines[end].rstrip()],
        opening=[opening],
        closing=[marker],
        is_complete=end is not None,
        may_be_file=end is not None,
    )


def _closes(line: str, marker: str) -> bool:
    found = _FENCE.match(line)
    return bool(found and found[1].startswith(marker) and not found[2].strip())


def _table(lines: list[str], start: int, limit: int) -> _Unit | None:
    if not _begins_table(lines, start):
        return None
    end = start + 2
    while end < len(lines) and "|" in lines[end] and not _FENCE.match(lines[end]):
        end += 1
    head = lines[start : start + 2]
    opening = head if _length(head) < limit // 4 else []
    return _Unit(lines=lines[start:end], opening=opening, closing=[], may_be_file=True)


def _begins_table(lines: list[str], start: int) -> bool:
    head, delimiter = lines[start], lines[start + 1] if start + 1 < len(lines) else ""
    return "|" in head and "|" in delimiter and bool(_DELIMITER.match(delimiter))


def _end_of_words(lines: list[str], start: int) -> int:
    """Where the heading, the list item or the paragraph that begins at `start` ends."""
    end = start + 1
    if _HEADING.match(lines[start]):
        return end
    while lines[start] and end < len(lines) and lines[end]:
        begins_anew = _ITEM.match(lines[end]) or _FENCE.match(lines[end])
        if begins_anew or _HEADING.match(lines[end]) or _begins_table(lines, end):
            break
        end += 1
    return end


def _is_file(unit: _Unit, limit: int) -> bool:
    return unit.may_be_file and _length(unit.lines) > limit


def _end_of_piece(line: str, longest: int) -> int:
    """Where to cut a line: after a space, or else between two characters as people see them."""
    return boundary(line, line.rfind(" ", longest // 2, longest) + 1 or longest)


def _length(lines: Sequence[str]) -> int:
    return sum(map(len, lines)) + max(len(lines) - 1, 0)


def _joined(units: Iterable[_Unit]) -> str:
    return "\n".join(line for unit in units for line in unit.lines)
