"""Keeps a model's thinking out of its answer, where an endpoint leaves it in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.llm import Retracted, TextDelta

# Where thinking begins and where it ends, as the chat templates of local models mark it.
_MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|channel|>analysis<|message|>": "<|end|>",
    "<|channel|>commentary<|message|>": "<|end|>",
}
_EMPTY_MARKS = (  # stand between thinking and answer, and mean nothing to a person
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|start_response|>",
)
_ENDS = ("<|return|>", "<|end|>")  # may stand after the last word
_BEGINNINGS = (*_MARKS, *_EMPTY_MARKS)
_FIRSTS = "<[◁"  # characters with which marks begin
_ORPHANS = ("</think>", "</thinking>", "[/think]", "◁/think▷")
_ORPHAN = re.compile("|".join(map(re.escape, _ORPHANS)), re.IGNORECASE)
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


@dataclass(slots=True)
class Speech:
    """The text of an answer as it comes, without thinking at its beginning.

    A closing mark that nothing opened ends thinking, too: some templates open it in the prompt.
    What was shown until then is retracted; with `thinks_first` nothing is shown before it comes.
    In code, and once the answer has begun, marks are text like any other.
    """

    thinks_first: bool = False
    text: str = ""
    was_retracted: bool = False
    _waiting: str = ""  # not shown yet: what may become a mark
    _closing: str = ""  # the mark that ends the thinking in progress
    _has_begun: bool = False
    _has_thought: bool = False

    def __bool__(self) -> bool:
        """Whether anything came that may be shown."""
        return bool(self.text or self._waiting)

    def add(self, piece: str) -> Sequence[TextDelta | Retracted]:
        """What the piece adds to what is shown."""
        if self.text and not self._waiting and not any(mark in piece for mark in _FIRSTS):
            self.text += piece
            return (TextDelta(text=piece),) if piece else ()
        self._waiting += piece
        while self._is_skipping():
            pass
        return self._spoken() if self._has_begun else ()

    def finish(self) -> Sequence[TextDelta | Retracted]:
        """What was held back, now that nothing more comes."""
        for mark in _ENDS:
            self._waiting = self._waiting.removesuffix(mark)
        if self._closing or not self._waiting.strip():
            return ()
        self._has_begun = True
        return self._spoken(is_last=True)

    def _is_skipping(self) -> bool:
        """Take one mark, or one stretch of thinking, off the beginning; False if there is none."""
        if self._has_begun:
            return False
        if self._closing:
            return self._has_skipped_to_the_end()
        waiting = self._waiting.lstrip()
        begun = waiting.casefold()
        mark = next((each for each in _BEGINNINGS if begun.startswith(each)), None)
        if mark is not None:
            self._closing = _MARKS.get(mark, "")
            self._waiting = waiting[len(mark) :]
            return True
        may_be_mark = any(each.startswith(begun) for each in _BEGINNINGS)
        if not may_be_mark and not (self.thinks_first and not self._has_thought):
            self._has_begun = True
        elif not may_be_mark and (orphan := _orphan(self._waiting, 0)):
            self._has_thought = self._has_begun = True
            self._waiting = self._waiting[orphan.end() :]
        return False

    def _has_skipped_to_the_end(self) -> bool:
        end = self._waiting.casefold().find(self._closing)
        if end < 0:
            return False
        self._waiting = self._waiting[end + len(self._closing) :]
        self._closing = ""
        self._has_thought = True
        return True

    def _spoken(self, *, is_last: bool = False) -> Sequence[TextDelta | Retracted]:
        if self._has_thought and not self.text:
            self._waiting = self._waiting.lstrip()
        text = self.text + self._waiting
        orphan = None if self._has_thought else _orphan(text, len(self.text))
        if orphan:
            return self._turned_back(text[orphan.end() :].lstrip())
        held = 0 if is_last else _may_become_a_mark(self._waiting)
        shown = self._waiting[: len(self._waiting) - held]
        self._waiting = self._waiting[len(self._waiting) - held :]
        self.text += shown
        return (TextDelta(text=shown),) if shown else ()

    def _turned_back(self, answer: str) -> Sequence[TextDelta | Retracted]:
        self._has_thought = self.was_retracted = True
        retracted = (Retracted(),) if self.text else ()
        self.text, self._waiting = answer, ""
        return (*retracted, TextDelta(text=answer)) if answer else retracted


def _orphan(text: str, known: int) -> re.Match[str] | None:
    """The first closing mark that stands outside of code; those before `known` are looked at."""
    for found in _ORPHAN.finditer(text, max(known - len("</thinking>"), 0)):
        before = text[: found.start()]
        if "<think" not in before.casefold() and not _is_in_code(before):
            return found
    return None


def _is_in_code(before: str) -> bool:
    """Whether a fence, or a backtick on the same line, is open at the end of this text."""
    line = before[before.rfind("\n") + 1 :]
    return len(_FENCE.findall(before)) % 2 == 1 or line.count("`") % 2 == 1


def _may_become_a_mark(text: str) -> int:
    """How many of the last characters could be the beginning of a closing mark."""
    begin = max(text.rfind(first) for first in _FIRSTS)
    tail = text[begin:].casefold() if begin >= 0 else ""
    return len(tail) if tail and any(mark.startswith(tail) for mark in (*_ORPHANS, *_ENDS)) else 0
