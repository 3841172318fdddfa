"""Cuts a Markdown answer into messages that a platform can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

_FENCE = re.compile(r"^ {0,3}(`{3,16}(?=[^`]*$)|~{3,16}(?!~))(.*)$")
_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_DELIMITER = re.compile(r"^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_IN_A_FILE = "(The whole is in the file below.)"


class _Part:
    """Lines that grow into a part; knows its length without counting again."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.lines = list(lines)
        self._length = _length(lines)

    def takes(self, lines: Sequence[str], limit: int) -> bool:
        """Whether these lines fit, too."""
        return self._length + bool(self.lines) + _length(lines) <= limit

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

    def cut(self, limit: int) -> tuple[list[str], _Part]:
        """The unit as parts of `limit` characters at most, and the last one as yet open."""
        if _length(self.lines) <= limit:
            return [], _Part(self.lines)
        room = limit - _length([*self.opening, *self.closing]) - 2
        done: list[str] = []
        part = _Part()
        for number, line in enumerate(self.lines, start=1):
            is_end = self.is_complete and number == len(self.lines)
            *begun, rest = _short(line, room)
            if part.lines and not part.takes(
                [*begun, rest, *([] if is_end else self.closing)], limit
            ):
                done.append(part.ended(self.closing))
                part = _Part(self.opening)
            for piece in begun:
                done.append(_Part([*part.lines, piece]).ended(self.closing))
                part = _Part(self.opening)
            part.add([rest])
        return done, part


def parts(text: str, limit: int, *, with_files: bool = False) -> list[str]:
    """At least one part, none longer than `limit` characters.

    Cuts between paragraphs, list items, tables and code blocks, and inside of one only where
    it alone is too long: then between its lines, and in a line only where that alone is too
    long. A code block that is cut is closed in one part and opened again in the next; a table
    begins again with its head. `limit` is 100 at least.

    With files, a code block or a table that is too long is one part by itself, whatever its
    length, and never the first one: it is meant to be shown as a file.
    """
    if len(text) <= limit:
        return [text]
    if not with_files:
        return _packed(_units(text.split("\n"), limit), limit) or [""]
    return _with_files(text, limit) or [""]


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
    """As many units in a part as fit."""
    done: list[str] = []
    part = _Part()
    for unit in units:
        if part.takes(unit.lines, limit):
            part.add(unit.lines)
            continue
        whole, rest = unit.cut(limit)
        done += [part.ended(), *whole]
        part = rest
    return [each for each in [*done, part.ended()] if each]


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
    """Where the list item or the paragraph that begins at `start` ends."""
    end = start + 1
    while lines[start] and end < len(lines) and lines[end]:
        if _ITEM.match(lines[end]) or _FENCE.match(lines[end]) or _begins_table(lines, end):
            break
        end += 1
    return end


def _is_file(unit: _Unit, limit: int) -> bool:
    return unit.may_be_file and _length(unit.lines) > limit


def _short(line: str, longest: int) -> Iterator[str]:
    """Cut after a space, or anywhere."""
    while len(line) > longest:
        end = line.rfind(" ", longest // 2, longest) + 1 or longest
        yield line[:end]
        line = line[end:]
    yield line


def _length(lines: Sequence[str]) -> int:
    return sum(map(len, lines)) + max(len(lines) - 1, 0)


def _joined(units: Iterable[_Unit]) -> str:
    return "\n".join(line for unit in units for line in unit.lines)
