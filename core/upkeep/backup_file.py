"""A backup's file: JSON Lines that are there whole or not at all, and that show if they changed.

The first line says what it is, the last one what has to have come before: how many rows of each
table, and the SHA-256 of all lines before. In between, before the rows of each table (arrays),
stands its name with its columns.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal, Self

from pydantic import AwareDatetime, ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from core.errors import ConfigMistake
from storage.backup import Layout, Page, newest
from storage.migration import known

PART = ".part"  # ends the name of what is not whole yet
_FORMAT = 1
_ROW, _TABLE = b"[", b'{"table"'  # begin such lines
_LONGEST, _LONGEST_HEADER = 1 << 28, 10_000  # bytes of a line
_MOST, _MUCH = 100, 500_000  # rows, and bytes, of a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in a backup: rows by table; those that were left out hold tokens in plain text."""

    made_at: datetime
    rows: Mapping[str, int]
    left_out: int


_STRICT = ConfigDict(strict=True)


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class _Header:
    program: Literal["moorings"]
    format: int
    made_at: AwareDatetime
    schema: str


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class _Table:
    table: str
    columns: list[str]


@checked_dataclass(frozen=True, slots=True, config=_STRICT)
class _Footer:
    rows: dict[str, int]
    left_out: int
    sha256: str


_HEADER, _TABLES, _FOOTER = TypeAdapter(_Header), TypeAdapter(_Table), TypeAdapter(_Footer)


class Writer:
    """Writes beside the file that it will be, for the eyes of its owner only."""

    def __init__(self, file: Path, now: datetime) -> None:
        """Raises ConfigMistake if the file is there, or cannot be."""
        self.file = file
        self._made_at = now
        self._rows: dict[str, int] = {}
        self._left_out = 0
        self._sum = hashlib.sha256()
        self._refuse_existing()
        try:
            number, name = tempfile.mkstemp(PART, f"{file.name}.", file.parent)
        except OSError as error:
            raise ConfigMistake(f"{file} cannot be written: {error.strerror}.") from error
        self._part, self._open = Path(name), os.fdopen(number, "wb")
        header = {"program": "moorings", "format": _FORMAT, "schema": newest()}
        self._write([{**header, "made_at": now.isoformat()}])

    def add(self, page: Page) -> None:
        """Add the rows of a page. Raises ConfigMistake if there is no room for them."""
        if page.table not in self._rows:
            self._rows[page.table] = 0
            self._write([{"table": page.table, "columns": page.columns}])
        self._rows[page.table] += len(page.rows)
        self._left_out += page.left_out
        self._write(page.rows)

    def finish(self) -> Contents:
        """Let it be the file. Raises ConfigMistake as `add` does."""
        counts = {"rows": self._rows, "left_out": self._left_out}
        self._write([{**counts, "sha256": self._sum.hexdigest()}])
        with _written(self.file):
            self._open.flush()
            os.fsync(self._open.fileno())
            self._open.close()
            self._name()
            _sync_folder(self.file.parent)
        return Contents(made_at=self._made_at, rows=self._rows, left_out=self._left_out)

    def leave(self) -> None:
        """Leave nothing behind of what is not finished; safe at any time."""
        with suppress(OSError):  # what is still buffered finds no room, either
            self._open.close()
        self._part.unlink(missing_ok=True)

    def _name(self) -> None:
        """Give it its name, which is not taken from a file that has it meanwhile."""
        try:
            os.link(self._part, self.file)
        except FileExistsError:
            self._refuse_existing()
            raise
        except OSError:  # a disk without links: who comes between the look and this is lost
            self._refuse_existing()
            self._part.rename(self.file)
        else:
            self._part.unlink()

    def _write(self, values: Sequence[object]) -> None:
        lines = b"".join(_line(value) for value in values)
        self._sum.update(lines)
        with _written(self.file):
            self._open.write(lines)

    def _refuse_existing(self) -> None:
        if self.file.exists():
            raise ConfigMistake(f"{self.file} is there already: name a file that is not.")


class Reader:
    """Reads a backup, and believes nothing of it before it stands there; to be left when done."""

    def __init__(self, file: Path) -> None:
        """Raises ConfigMistake if it is none that this version can read."""
        self._file = file
        self._sum = hashlib.sha256()
        self._number = 0
        try:
            self._open: BinaryIO = file.open("rb")
        except OSError as error:
            raise ConfigMistake(f"{file} cannot be read: {error.strerror}.") from error
        with ExitStack() as stack:
            stack.callback(self._open.close)
            self._made_at = self._begin()
            stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def pages(self) -> Generator[Page, None, Contents]:
        """All rows, as the database takes them; returns what they were, once all is well.

        Raises:
            ConfigMistake: it is cut off, or is not what was written.
        """
        rows = dict[str, int]()
        line = self._next()
        while line.startswith(_TABLE):
            layout = self._layout(line)
            rows[layout.table] = 0
            line = self._next()
            while line.startswith(_ROW):
                page, line = self._page(layout, line)
                rows[layout.table] += len(page.rows)
                yield page
        return self._end(line, rows)

    def _begin(self) -> datetime:
        """When it was written, as its first line says."""
        try:
            header = _HEADER.validate_json(self._next(longest=_LONGEST_HEADER))
        except (ConfigMistake, ValidationError) as error:
            raise self._refusal("is no backup of Moorings") from error
        if header.format > _FORMAT or header.schema not in known():
            raise self._refusal("was written by a newer version of Moorings: install that one")
        return header.made_at

    def _layout(self, line: bytes) -> Layout:
        try:
            about = _TABLES.validate_json(line)
            return Layout(about.table, about.columns)
        except ValueError as error:
            raise self._damaged() from error

    def _page(self, layout: Layout, line: bytes) -> tuple[Page, bytes]:
        """This row and the next ones, and the line behind them."""
        rows, size = list[list[object]](), 0
        while line.startswith(_ROW) and len(rows) < _MOST and size < _MUCH:
            size += len(line)
            try:
                rows.append(layout.read(json.loads(line)))
            except (ValueError, RecursionError) as error:
                raise self._damaged() from error
            line = self._next()
        return Page(table=layout.table, columns=layout.columns, rows=rows), line

    def _end(self, line: bytes, rows: Mapping[str, int]) -> Contents:
        try:
            footer = _FOOTER.validate_json(line)
        except ValidationError as error:
            raise self._damaged() from error
        has_changed = (footer.rows, footer.sha256) != (rows, self._before)
        if has_changed or self._open.read(1):
            raise self._refusal("is damaged: it is not what was written")
        return Contents(made_at=self._made_at, rows=rows, left_out=footer.left_out)

    def _next(self, *, longest: int = _LONGEST) -> bytes:
        line = self._open.readline(longest)
        self._number += 1
        if not line.endswith(b"\n"):
            raise self._refusal("is cut off: it does not end as a backup does")
        self._before = self._sum.hexdigest()
        self._sum.update(line)
        return line

    def _damaged(self) -> ConfigMistake:
        return self._refusal(f"is damaged in line {self._number}")

    def _refusal(self, what: str) -> ConfigMistake:
        return ConfigMistake(f"{self._file} {what}.")


def _line(value: object) -> bytes:
    try:
        return _dumped(value, is_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, as a model's JSON can have it
        return _dumped(value, is_ascii=True).encode()


def _dumped(value: object, *, is_ascii: bool) -> str:
    return json.dumps(value, ensure_ascii=is_ascii, separators=(",", ":")) + "\n"


@contextmanager
def _written(file: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigMistake(
            f"{file} could not be written ({error.strerror}); nothing of it is left behind."
        ) from error


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
